"""Writes what happened into Asterisk's own queue_log (AMI action QueueLog), so that tools made for it can audit us.

When the line drops before Asterisk has answered, nobody knows which of the rows it has written. It says so itself: the
file is read from where it ended before they were sent, and only what does not stand there is sent again.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from changgu.acd.facts import Recorded
from changgu.acd.queue_log import QueueLogRow
from changgu.telephony.ami.client import Ami, AmiAway, AmiLate, AmiTrouble
from changgu.telephony.shadow_reader import Place, place_now, rows_after

logger = logging.getLogger(__name__)

ROWS_KEPT = 20_000
"""Rows that may wait for the PBX. When there are more the oldest go: the ledger, not this file, is our record."""

GATHER = 0.05
"""Seconds for which rows are gathered: a busy floor's go to the PBX ten at a time. It dates them in whole seconds."""

AT_ONCE = 50
"""Rows sent in one write."""

CONNECT_LIMIT = 60.0
ANSWER_LIMIT = 30.0
"""Seconds until rows that were not answered are looked for in the file, and sent again unless they stand there."""

SETTLE = 1.0
"""Seconds left to Asterisk, once it takes actions again, to carry out what it had read before the line dropped."""

PAUSE_EVENTS = frozenset({"PAUSE", "UNPAUSE", "PAUSEALL", "UNPAUSEALL"})
"""Rows that Asterisk writes by itself when the shadow queues' members are paused."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Rows of one write, of which some were not answered."""

    place: Place
    """Where the file ended before they were sent."""
    rows: Sequence[QueueLogRow]


class QueueLogWriter:
    """`hear` takes facts; `run` must be running. `rows_of` is `acd.queue_log.QueueLog.rows`.

    `without_pauses`: set when the shadow queues mirror the agents' states, or each pause would stand there twice.
    `log` is the file that Asterisk writes; None when it cannot be read: then rows that were not answered are sent
    again, and may stand there twice.
    """

    def __init__(
        self, ami: Ami, rows_of: Callable[[Recorded], Sequence[QueueLogRow]], *, without_pauses: bool,
        log: Path | None = None, settle: float = SETTLE,
    ) -> None:  # fmt: skip
        self._ami = ami
        self._rows_of = rows_of
        self._skipped = PAUSE_EVENTS if without_pauses else frozenset()
        self._rows: deque[QueueLogRow] = deque()
        self._news = asyncio.Event()
        self._log = log
        self._settle_for = settle
        self._doubt: _Doubt | None = None
        self.dropped = 0
        """Rows that the PBX never got."""

    def hear(self, recorded: Recorded) -> None:
        """Take note of one fact; never waits."""
        for row in self._rows_of(recorded):
            if row.event in self._skipped:
                continue
            if len(self._rows) >= ROWS_KEPT:
                self._rows.popleft()
                self.dropped += 1
                if self.dropped % 1000 == 1:
                    logger.warning("%d rows of queue_log were dropped: the PBX has been away for long", self.dropped)
            self._rows.append(row)
            self._news.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER)
            self._news.clear()
            while self._rows:
                await self._write(list(islice(self._rows, AT_ONCE)))

    async def _write(self, rows: Sequence[QueueLogRow]) -> None:
        """Send the oldest rows; those that Asterisk has not answered stay the oldest."""
        try:
            await self._ami.wait_connected(CONNECT_LIMIT)
            if self._doubt is not None:
                await self._settle(self._doubt)
                return
            place = await self._place()
            outcomes = await self._ami.actions("QueueLog", [_headers(row) for row in rows], deadline=ANSWER_LIMIT)
        except AmiTrouble:
            return  # the rows wait for the line
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, AmiAway | AmiLate):
                self._doubt = None if place is None else _Doubt(place, rows)
                return
            if isinstance(outcome, Exception):
                self.dropped += 1
                logger.warning("a row of queue_log was refused (%s): %s", row.event, outcome)
            if self._rows and self._rows[0] is row:
                self._rows.popleft()

    async def _place(self) -> Place | None:
        try:
            return None if self._log is None else await asyncio.to_thread(place_now, self._log)
        except OSError as trouble:
            logger.warning("queue_log cannot be read: %s", trouble)
            return None

    async def _settle(self, doubt: _Doubt) -> None:
        """Forget the rows that Asterisk has written without our hearing of it."""
        assert self._log is not None
        await asyncio.sleep(self._settle_for)
        try:
            there = await asyncio.to_thread(written_since, self._log, doubt.place)
        except OSError as trouble:
            logger.warning("queue_log cannot be read, rows may stand there twice: %s", trouble)
            there = Counter()
        self._doubt = None
        written = set()
        for row in doubt.rows:  # those that were answered stand there, too: like rows must not pass for each other
            if there[as_written(row)] > 0:
                there[as_written(row)] -= 1
                written.add(id(row))
        self._rows = deque(row for row in self._rows if id(row) not in written)


Written = tuple[str, str, str, str, tuple[str, ...]]


def as_written(row: QueueLogRow) -> Written:
    """Call, queue, agent, event and data, as `ast_queue_log` writes them."""
    return row.callid or "NONE", row.queue, row.interface or "NONE", row.event, tuple(row.message.split("|"))


def written_since(log: Path, place: Place) -> Counter[Written]:
    """What Asterisk has written from a place of its queue_log on; raises OSError."""
    found: Counter[Written] = Counter()
    whole = False
    while not whole:
        rows, place, whole = rows_after(log, place)
        found.update((row.call, row.queue, row.agent, row.event, row.data) for _, row in rows)
    return found


def _headers(row: QueueLogRow) -> dict[str, str]:
    return {
        "Queue": row.queue, "Event": row.event, "Uniqueid": row.callid, "Interface": row.interface,
        "Message": row.message,
    }  # fmt: skip
