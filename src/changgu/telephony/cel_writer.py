"""Keeps the PBX's own account of every call: what AMI tells as `CEL` goes to `cel_accounts`, word for word.

The ledger is our record; this one audits it. So nothing waits for it: when the database is away for long, further
events are left out, counted and said in the log.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy.exc import SQLAlchemyError

from changgu.ground.database import Database
from changgu.telephony.ami.client import Ami
from changgu.telephony.cel_account import Heard
from changgu.telephony.store import CelStore

logger = logging.getLogger(__name__)

EVENTS_WAITING = 20_000
"""Some 1,400 calls, and some 40 MB."""

BATCH = 1_000
"""Events in one transaction: more would keep the ledger, which waits for its turn, from being written for long."""

LINGER = 1.0
"""Seconds for which events are gathered before they are written: what a call is told at once is one row."""

RETRY = 2.0
LAST_WORD = 5.0
"""Seconds for writing what is left when the service ends."""

KEPT = timedelta(days=180)
"""As long as recordings are kept unless the site says otherwise: the account serves to check half a year's figures, and
callers' numbers stand in it, which are not to be kept for longer than they serve (PIPA article 21)."""

PURGE_EVERY = 3600.0
PURGED_AT_ONCE = 1_000
"""Rows; the ledger writes between one portion and the next."""


class CelWriter:
    """Hears from the start; `run` writes and, later, takes out what is old."""

    def __init__(
        self, ami: Ami, database: Database, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.store = CelStore(database)
        self._now = now
        self._heard: deque[Heard] = deque()
        """They are sorted by call where they are written, out of the way of calls, and read when somebody asks."""
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self.dropped = 0
        """Events that were heard and not kept."""
        ami.listen_raw("CEL", self.hear)

    def hear(self, block: bytes) -> None:
        """Take note of one event; never waits."""
        if len(self._heard) >= EVENTS_WAITING:
            self._drop(1, "the database has been away for long")
            return
        self._heard.append((block, self._now()))
        self._news.set()

    def _drop(self, count: int, why: str) -> None:
        before, self.dropped = self.dropped, self.dropped + count
        if before // 1000 != (self.dropped - 1) // 1000 or before == 0:
            logger.warning("%d channel events of the PBX were not kept: %s", self.dropped, why)

    async def run(self) -> None:
        """Write until cancelled, then write what is left."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(), name="cel-write")
                tasks.create_task(self._purge(), name="cel-purge")
        finally:
            with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
                async with asyncio.timeout(LAST_WORD):
                    await self.flush()

    async def flush(self) -> None:
        """Write all that was heard. Raises what the database raises; then everything waits for the next time."""
        async with self._turn:
            while batch := list(islice(self._heard, BATCH)):
                unread = await self.store.add(batch)
                for _ in batch:
                    self._heard.popleft()
                if unread:
                    self._drop(unread, "cannot be read")

    async def _write(self) -> None:
        away = False
        while True:
            await self._news.wait()
            await asyncio.sleep(RETRY if away else LINGER)
            self._news.clear()
            try:
                await self.flush()
                away = False
            except (SQLAlchemyError, OSError) as trouble:
                if not away:
                    logger.warning("the PBX's channel events cannot be written now: %s", trouble)
                away = True
                self._news.set()

    async def _purge(self) -> None:
        while True:
            try:
                await self.purge()
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("old channel events cannot be taken out now: %s", trouble)
            await asyncio.sleep(PURGE_EVERY)

    async def purge(self) -> None:
        """Take out what is older than `KEPT`."""
        before = self._now() - KEPT
        taken = 0
        while count := await self.store.purge(before, PURGED_AT_ONCE):
            taken += count
        if taken:
            logger.info("%d rows of the PBX's account from before %s were taken out", taken, before.date())
