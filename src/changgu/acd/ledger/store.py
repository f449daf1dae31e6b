"""The ledger: every fact, appended in order and never changed.

Tables: `ledger`, and folds of it that are written in the same transaction as the facts they fold (`calls`, so that a
call's row never says more or less than its facts, and the marks from which the present is found).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from changgu.acd import call_record
from changgu.acd.call_record import CallRecord, call_of
from changgu.acd.call_rows.store import INSERT_CALL, SELECT_CALLS, Value, call_row, read_call, update_call
from changgu.acd.fact_json import from_text
from changgu.acd.facts import CallOffered, Recorded
from changgu.acd.identity import AgentId, CallId, Instant, OfferId
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.rows.store import (
    INSERT_FACT,
    KEEP_MARK,
    SELECT_MARKS,
    LedgerRow,
    Mark,
    entry_of,
    ledger_row,
    moved_marks,
)
from changgu.acd.ledger.service import Spool
from changgu.ground.database import Database, Statements, moment

logger = logging.getLogger(__name__)

GATHER = 0.03
"""Seconds for which facts are gathered before they are written: on a busy floor several calls share a transaction.
When the process is killed, they are lost with it, and calls are taken up as they are at the PBX then. What has to
outlive that, such as a promise that was confirmed, waits for `Ledger.flush`."""

RECOVERY_PAUSE = 0.2
"""Seconds between two attempts to bring in the spool of the last run."""


class Ledger:
    """Appends every fact, with the folds, in group commits.

    When the database cannot be written (or has not answered for `patience` seconds) facts go to the spool file
    instead, and routing goes on; every `retry` seconds the spool is brought to the database, each fact exactly
    once and in order. At most `memory` facts wait in memory; should disk and database both refuse for so long
    that even this is full, further facts are dropped, counted in `lost` and said in the log.
    """

    def __init__(
        self,
        database: Database,
        spool: Path,
        *,
        batch: int = 500,
        memory: int = 100_000,
        patience: float = 2.0,
        retry: float = 1.0,
        spool_limit: int = 256 * 1024 * 1024,
    ) -> None:
        self._database = database
        self._spool = Spool(spool, spool_limit)
        self._batch = batch
        self._memory = memory
        self._patience = patience
        self._retry = retry
        self._pending: deque[Recorded] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._stuck: asyncio.Task[_Known] | None = None
        self._next_try: float = 0.0
        self._replayed_to = 0
        self._spooling = self._spool.holds_anything
        self._known: _Known | None = None
        self.lost = 0
        """Facts dropped because neither database nor disk took them."""

    @property
    def spooling(self) -> bool:
        """Whether the database is away, so that facts wait on disk."""
        return self._spooling

    @property
    def waiting(self) -> int:
        """Facts in memory that neither database nor disk has yet."""
        return len(self._pending)

    def hear(self, recorded: Recorded) -> None:
        """Take a fact; returns at once."""
        if len(self._pending) >= self._memory:
            if self.lost == 0:
                logger.critical("neither the database nor the disk takes the ledger: facts are being lost")
            self.lost += 1
            return
        self._pending.append(recorded)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._until_there_is_work()
            await asyncio.sleep(GATHER)
            if not await self._step():
                await asyncio.sleep(self._retry)

    async def flush(self, limit: float = 10.0) -> bool:
        """Write what is waiting now; False when after `limit` seconds some of it is still only in memory."""
        deadline = _steady() + limit
        last = self._pending[-1].seq if self._pending else 0
        while self._pending and self._pending[0].seq <= last:
            safe = await self._step()
            if _steady() >= deadline:
                break
            if not safe:
                await asyncio.sleep(min(self._retry, deadline - _steady()))
        return not self._pending or self._pending[0].seq > last

    async def recover(self, limit: float = 30.0) -> None:
        """At the start: bring the spool of the last run to the database, so that it is whole before it is read.

        A database that is slow, or still busy with something else, is given `limit` seconds.
        """
        deadline = _steady() + limit
        async with self._turn:
            while self._spool.holds_anything:
                try:
                    await self._replay()
                except (SQLAlchemyError, OSError, _StillStuck) as trouble:
                    if _steady() >= deadline:
                        raise
                    logger.warning("the spool of the last run cannot be brought in yet: %s", trouble)
                    await asyncio.sleep(RECOVERY_PAUSE)

    async def _until_there_is_work(self) -> None:
        if self._pending:
            return
        self._wake.clear()
        if not self._spooling:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, self._next_try - _steady())):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _step(self) -> bool:
        """Bring one batch to safety; False when neither database nor disk took it."""
        async with self._turn:
            batch = self._next_batch()
            if batch and not self._spooling:
                if await self._committed(batch):
                    self._forget(len(batch))
                    return True
                self._spooling = True
                self._next_try = _steady() + self._retry
                logger.error("the database cannot be written; the ledger goes to %s", self._spool.path)
            if batch:
                try:
                    await asyncio.to_thread(self._spool.append, batch)
                except OSError as trouble:
                    logger.error("the spool cannot be written either: %s", trouble)
                    return await self._try_again() and not self._spooling
                self._forget(len(batch))
            if self._spooling and _steady() >= self._next_try:
                await self._try_again()
            return True

    def _next_batch(self) -> list[Recorded]:
        """Some facts; those of one event, which bear one time, stay together, so that none is written by half."""
        batch = list(islice(self._pending, self._batch))
        for entry in islice(self._pending, len(batch), None):
            if entry.at != batch[-1].at:
                break
            batch.append(entry)
        return batch

    async def _try_again(self) -> bool:
        self._next_try = _steady() + self._retry
        try:
            await self._replay()
        except (SQLAlchemyError, OSError, _StillStuck) as trouble:
            logger.warning("the database still cannot be written: %s", trouble)
            return False
        return True

    async def _replay(self) -> None:
        while self._spool.holds_anything:
            batch, offset = await asyncio.to_thread(self._spool.read, self._replayed_to, self._batch)
            if not batch:
                break
            if not await self._committed(batch):
                raise _StillStuck("a batch of the spool was refused")
            self._replayed_to = offset
        self._spool.clear()
        self._replayed_to = 0
        if self._spooling:
            logger.warning("the database takes the ledger again; the spool has been brought in")
        self._spooling = False

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._pending.popleft()

    async def _committed(self, batch: Sequence[Recorded]) -> bool:
        if self._stuck is not None:
            if not self._stuck.done():
                return False
            if not self._stuck.cancelled() and self._stuck.exception() is not None:
                logger.warning("the late write failed: %s", self._stuck.exception())
            self._stuck = None
        write = asyncio.ensure_future(self._database.write(partial(_write, self._known, tuple(batch))))
        self._known = None  # what a late write comes to is read anew
        try:
            await asyncio.wait({write}, timeout=self._patience)
        except asyncio.CancelledError:
            self._stuck = write
            raise
        if not write.done():
            self._stuck = write
            return False
        trouble = write.exception()
        if trouble is None:
            self._known = write.result()
            return True
        if not isinstance(trouble, SQLAlchemyError | OSError):
            raise trouble
        logger.warning("a write to the ledger failed: %s", trouble)
        return False

    # -- reading

    async def last_seq(self) -> int:
        """The number of the newest fact, 0 for an empty ledger."""
        async with self._database.transaction() as session:
            return (await session.execute(select(func.max(LedgerRow.seq)))).scalar() or 0

    async def last_at(self) -> Instant:
        """When the newest fact happened, 0.0 for an empty ledger."""
        async with self._database.transaction() as session:
            at = (await session.execute(select(LedgerRow.at).order_by(LedgerRow.seq.desc()).limit(1))).scalar()
            return 0.0 if at is None else at.timestamp()

    async def last_offer(self) -> OfferId:
        """The number of the newest offer, 0 when there has been none."""
        newest = select(LedgerRow.body).where(LedgerRow.kind == "CallOffered").order_by(LedgerRow.seq.desc()).limit(1)
        async with self._database.transaction() as session:
            body = (await session.execute(newest)).scalar()
            offer = None if body is None else from_text("CallOffered", body)
            return offer.offer if isinstance(offer, CallOffered) else OfferId(0)

    async def read(self, after_seq: int = 0, since: Instant | None = None, limit: int | None = None) -> list[Recorded]:
        """Facts in order, later than a number and not before a time."""
        wanted = select(LedgerRow).where(LedgerRow.seq > after_seq).order_by(LedgerRow.seq).limit(limit)
        if since is not None:
            wanted = wanted.where(LedgerRow.at >= moment(since))
        async with self._database.transaction() as session:
            return [entry_of(row) for row in (await session.execute(wanted)).scalars()]

    async def of_call(self, call: CallId) -> list[Recorded]:
        """Everything that happened to one call, in order."""
        wanted = select(LedgerRow).where(LedgerRow.call == call).order_by(LedgerRow.seq)
        async with self._database.transaction() as session:
            return [entry_of(row) for row in (await session.execute(wanted)).scalars()]

    async def recovery_tail(self) -> list[Recorded]:
        """The facts from which `Engine.restore` rebuilds the present state; see `Past.now`."""
        return await Past(self._database).now()


@dataclass(frozen=True, slots=True)
class _OpenCall:
    """A call that is not settled."""

    seq: int
    """The number of its first fact."""
    record: CallRecord
    row: tuple[Value, ...] | None
    """What the database holds of it; None when that is yet to be found out."""


@dataclass(slots=True)
class _Known:
    """What the database holds, as far as the next facts build on it."""

    last: int
    """The number of the newest fact."""
    calls: dict[CallId, _OpenCall]
    """Calls that are not settled."""
    marks: dict[AgentId, Mark]


def _write(known: _Known | None, batch: Sequence[Recorded], database: Statements) -> _Known:
    """One transaction: facts, and their folds. What was written before is left out; what is known then.

    `known` is brought up to date on the way: should the transaction fail, it holds no more.
    """
    if known is None:
        known = _look_up(database)
    fresh = [entry for entry in batch if entry.seq > known.last]
    if not fresh:
        return known
    database.executemany(INSERT_FACT, [ledger_row(entry) for entry in fresh])
    _fold_calls(database, known.calls, fresh)
    moved = moved_marks(known.marks, fresh)
    if moved:
        database.executemany(KEEP_MARK, [mark.row(agent) for agent, mark in moved.items()])
        known.marks.update(moved)
    known.last = fresh[-1].seq
    return known


def _look_up(database: Statements) -> _Known:
    database.execute("SELECT max(seq) FROM ledger")
    last = database.fetchone()[0] or 0
    database.execute(f"{SELECT_CALLS} WHERE ended_at IS NULL")
    calls = [_OpenCall(*read_call(values), None) for values in database.fetchall()]
    database.execute(SELECT_MARKS)
    marks = {AgentId(agent): Mark(*numbers) for agent, *numbers in database.fetchall()}
    return _Known(last, {call.record.id: call for call in calls}, marks)


def _fold_calls(database: Statements, calls: dict[CallId, _OpenCall], fresh: Sequence[Recorded]) -> None:
    """Write what these facts change in the rows of their calls, and keep in `calls` those that are not settled."""
    after: dict[CallId, tuple[int, CallRecord | None]] = {}
    for entry in fresh:
        call = call_of(entry.fact)
        if call is None:
            continue
        if call not in after:
            before = calls.get(call) or _call_in(database, call)
            if before is not None:
                calls[call] = before
            after[call] = (entry.seq, None) if before is None else (before.seq, before.record)
        seq, record = after[call]
        after[call] = seq, call_record.advance(record, entry.at, entry.fact)
    started: list[tuple[Value, ...]] = []
    for call, (seq, record) in after.items():
        if record is None:
            continue
        before = calls.get(call)
        row = before.row if before is not None else None
        if before is None:
            row = call_row(seq, record)
            started.append(row)
        elif record != before.record:
            row = _change_row(database, before.row, call_row(seq, record))
        if record.settled:
            calls.pop(call, None)
        else:
            calls[call] = _OpenCall(seq, record, row)
    if started:
        database.executemany(INSERT_CALL, started)


def _call_in(database: Statements, call: CallId) -> _OpenCall | None:
    database.execute(f"{SELECT_CALLS} WHERE id = ?", (call,))
    values = database.fetchone()
    return None if values is None else _OpenCall(*read_call(values), None)


def _change_row(
    database: Statements, before: tuple[Value, ...] | None, row: tuple[Value, ...]
) -> tuple[Value, ...]:
    changed = tuple(place for place, value in enumerate(row) if before is None or value != before[place])
    if changed:
        database.execute(update_call(changed), (*(row[place] for place in changed), row[0]))
    return row


class _StillStuck(Exception):
    """The database takes nothing yet."""


def _steady() -> float:
    return asyncio.get_running_loop().time()
