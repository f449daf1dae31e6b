"""Who waited in one of our queues by the PBX's own queue_log: of some of them the ledger was killed before it knew.

What happens is in the ledger some milliseconds later, seconds later when the database is busy. By then the PBX may have
been told of it: `ami.queue_log_writer` has it write ENTERQUEUE and the rest. Times are whole seconds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from changgu.acd.identity import CallId, Instant, QueueName
from changgu.telephony.shadow_history import Row
from changgu.telephony.shadow_reader import Place, place_now, rows_after

logger = logging.getLogger(__name__)

TAIL = 2**20
"""Bytes at the end of the file that are read, some 13,000 rows: it is about the last moments before we were killed."""

LEFT = frozenset({"CONNECT", "ABANDON", "WITHDRAW", "EXITWITHKEY", "EXITWITHTIMEOUT", "EXITEMPTY", "OUTCALL"})
"""Rows after which a caller no longer waits in our queue; phones that ring in vain change nothing."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A caller who came to one of our queues and, as far as the PBX was told, did not leave it."""

    queue: QueueName
    """The last that they came to."""
    since: Instant


Waits = Callable[[], Awaitable[Mapping[CallId, Wait]]]


async def no_waits() -> Mapping[CallId, Wait]:
    """For a PBX whose queue_log cannot be read."""
    return {}


class OwnWaits:
    """Reads the end of a queue_log; None where it cannot be read."""

    def __init__(self, log: Path | None) -> None:
        self._log = log

    async def __call__(self) -> Mapping[CallId, Wait]:
        """Everybody who waited lately."""
        try:
            return {} if self._log is None else await asyncio.to_thread(read_waits, self._log)
        except OSError as trouble:
            logger.warning("who waited while the ledger was not written cannot be read: %s", trouble)
            return {}


def read_waits(log: Path) -> Mapping[CallId, Wait]:
    """What the end of the file says; raises OSError."""
    return waits(last_rows(log))


def last_rows(log: Path) -> Iterator[Row]:
    """The end of the file; raises OSError."""
    end = place_now(log)
    start = max(0, end.offset - TAIL)
    rows, _, _ = rows_after(log, Place(end.inode, start))
    return (row for offset, row in rows if start == 0 or offset > start)  # the first line may be cut in two


def waits(rows: Iterable[Row]) -> Mapping[CallId, Wait]:
    """Everybody who came to one of our queues and did not leave it, by these rows."""
    found: dict[CallId, Wait] = {}
    plain: set[CallId] = set()
    """Who is in a plain queue, between DID and RETURNED: what it writes of them is another story."""
    for row in rows:
        match row.event:
            case "QUEUESTART":  # the PBX was started: what was before is lost, and told as that
                found.clear()
                plain.clear()
            case "DID":
                plain.add(row.call)
                found.pop(row.call, None)
            case "RETURNED":
                plain.discard(row.call)
            case "ENTERQUEUE" if row.call not in plain:
                before = found.get(row.call)
                found[row.call] = Wait(QueueName(row.queue), row.at if before is None else before.since)
            case event if event in LEFT:
                found.pop(row.call, None)
    return found
