"""Writes what happened into Asterisk's own queue_log (AMI action QueueLog), so that tools made for it can audit us."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from changgu.acd.facts import Recorded
from changgu.acd.queue_log import QueueLogRow
from changgu.telephony.ami.client import Ami, AmiAway, AmiLate, AmiTrouble

logger = logging.getLogger(__name__)

ROWS_KEPT = 20_000
"""Rows that may wait for the PBX. When there are more the oldest go: the ledger, not this file, is our record."""

GATHER = 0.05
"""Seconds for which rows are gathered: a busy floor's go to the PBX ten at a time. It dates them in whole seconds."""

AT_ONCE = 50
"""Rows sent in one write. So many can stand there twice when the line drops before Asterisk has answered them."""

CONNECT_LIMIT = 60.0
ANSWER_LIMIT = 30.0
"""Seconds until rows that were not answered are sent again."""

PAUSE_EVENTS = frozenset({"PAUSE", "UNPAUSE", "PAUSEALL", "UNPAUSEALL"})
"""Rows that Asterisk writes by itself when the shadow queues' members are paused."""


class QueueLogWriter:
    """`hear` takes facts; `run` must be running. `rows_of` is `acd.queue_log.QueueLog.rows`.

    `without_pauses`: set when the shadow queues mirror the agents' states, or each pause would stand there twice.
    """

    def __init__(
        self, ami: Ami, rows_of: Callable[[Recorded], Sequence[QueueLogRow]], *, without_pauses: bool
    ) -> None:
        self._ami = ami
        self._rows_of = rows_of
        self._skipped = PAUSE_EVENTS if without_pauses else frozenset()
        self._rows: deque[QueueLogRow] = deque()
        self._news = asyncio.Event()
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
            outcomes = await self._ami.actions("QueueLog", [_headers(row) for row in rows], deadline=ANSWER_LIMIT)
        except AmiTrouble:
            return  # the rows wait for the line
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, AmiAway | AmiLate):
                return
            if isinstance(outcome, Exception):
                self.dropped += 1
                logger.warning("a row of queue_log was refused (%s): %s", row.event, outcome)
            if self._rows and self._rows[0] is row:
                self._rows.popleft()


def _headers(row: QueueLogRow) -> dict[str, str]:
    return {
        "Queue": row.queue, "Event": row.event, "Uniqueid": row.callid, "Interface": row.interface,
        "Message": row.message,
    }  # fmt: skip
