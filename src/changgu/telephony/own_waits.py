"""Who waited in one of our queues by the PBX's own queue_log: of some of them the ledger was killed before it knew.

What happens is in the ledger some milliseconds later, seconds later when the database is busy. By then the PBX may have
been told of it: `ami.queue_log_writer` has it write ENTERQUEUE and the rest. The dialplan writes GONE when a caller's
line ends, also while changgu is away, with the number that was dialled. Times are whole seconds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from changgu.acd.facts import CallServedElsewhere, Ender, Outcome
from changgu.acd.identity import CallId, Instant, QueueName
from changgu.telephony.numbers import presented
from changgu.telephony.shadow_history import Row, parse

logger = logging.getLogger(__name__)

TAIL = 4 * 2**20
"""Bytes at the end of the file that are read, some 50,000 rows: it is about the last moments before we were killed."""

SERVED = frozenset({"CONNECT", "DID"})
"""Rows after which a caller's story is another's to tell: an agent had them, or the plain queue."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A caller who came to a queue and was not answered."""

    queue: QueueName
    """The last that they came to."""
    since: Instant
    caller: str | None
    dialled: str = ""
    """Empty when the PBX does not say."""
    gone_at: Instant | None = None
    """When their line ended; None while it has not."""

    def abandoned(self, call: CallId) -> CallServedElsewhere | None:
        """Their whole call when nothing else is known of it; None while it goes on."""
        if self.gone_at is None:
            return None
        return CallServedElsewhere(
            call, self.caller, self.dialled, self.queue, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER,
            arrived_at=self.since, ended_at=self.gone_at, queued_at=self.since,
        )  # fmt: skip


Waits = Callable[[], Awaitable[Mapping[CallId, Wait]]]


async def no_waits() -> Mapping[CallId, Wait]:
    """For a PBX whose queue_log cannot be read."""
    return {}


class OwnWaits:
    """Reads the end of a queue_log; None where it cannot be read."""

    def __init__(self, log: Path | None) -> None:
        self._log = log

    async def __call__(self) -> Mapping[CallId, Wait]:
        """Everybody who waited lately and was not answered."""
        try:
            return {} if self._log is None else await asyncio.to_thread(read_waits, self._log)
        except FileNotFoundError:  # no PBX has written yet
            return {}
        except OSError as trouble:
            logger.warning("who waited while the ledger was not written cannot be read: %s", trouble)
            return {}


def read_waits(log: Path) -> Mapping[CallId, Wait]:
    """What the end of the file says; raises OSError."""
    with log.open("rb") as file:
        start = max(0, log.stat().st_size - TAIL)
        file.seek(start)
        lines = file.read(TAIL).split(b"\n")
    if start:
        del lines[0]  # by half
    return waits(row for line in lines if (row := parse(line.decode("utf-8", "replace"))) is not None)


def waits(rows: Iterable[Row]) -> Mapping[CallId, Wait]:
    """Everybody who came to a queue and was not answered, by these rows."""
    found: dict[CallId, Wait] = {}
    for row in rows:
        if row.event == "QUEUESTART":  # the PBX was started: what was before is lost, and told as that
            found.clear()
            continue
        wait = found.get(row.call)
        if row.event == "ENTERQUEUE":
            caller = presented(row.data[1]) if len(row.data) > 1 else None
            since = row.at if wait is None else wait.since
            found[row.call] = Wait(QueueName(row.queue), since, caller)
        elif wait is None:
            continue
        elif row.event in SERVED:
            del found[row.call]
        elif row.event == "GONE":
            found[row.call] = replace(wait, gone_at=row.at, dialled=row.data[0] if row.data else "")
    return found
