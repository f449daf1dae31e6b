"""Opens a ticket for every answered call, by the queue's policy, without making anybody wait for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from changgu.acd.facts import CallAnswered, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Queue, TicketPolicy
from changgu.ticketing.entries import Caller
from changgu.ticketing.service import Tickets

logger = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Answers waiting for their ticket; more are read again from the ledger."""

LONGEST_PAUSE = timedelta(seconds=30)

TRIES_AT_A_FAULT = 3
"""After so many, a call whose ticket the database refuses for what it says is given up: others wait behind it."""


class Callers(Protocol):
    """Knows who is behind a call."""

    async def caller_of(self, call: CallId) -> Caller:
        """The caller of this call; an empty `Caller` when nothing is known."""


class TicketOpener:
    """Hears every fact and acts on `CallAnswered`.

    `queue_of` gives a queue as set up now. `read_ledger(after_seq)` gives all facts after that one: when more calls
    are answered than tickets can be opened, or the database is away, no answer is forgotten (INC-06). It must give
    everything that was heard, so a ledger that writes in groups is flushed first.
    """

    def __init__(
        self,
        tickets: Tickets,
        callers: Callers,
        queue_of: Callable[[QueueName], Queue | None],
        read_ledger: Callable[[int], Awaitable[Sequence[Recorded]]],
        *,
        remembered: int = REMEMBERED,
        first_pause: timedelta = timedelta(seconds=1),
    ) -> None:
        self._tickets = tickets
        self._callers = callers
        self._queue_of = queue_of
        self._read_ledger = read_ledger
        self._first_pause = first_pause
        self._waiting: asyncio.Queue[Recorded] = asyncio.Queue(remembered)
        self._missed_from: int | None = None

    def hear(self, recorded: Recorded) -> None:
        """Remember an answer; never waits."""
        if not isinstance(recorded.fact, CallAnswered):
            return
        try:
            self._waiting.put_nowait(recorded)
        except asyncio.QueueFull:
            if self._missed_from is None:
                self._missed_from = recorded.seq
                logger.warning("call_id=%s tickets are behind; the ledger will be read again", recorded.fact.call)

    async def run(self) -> None:
        """Open tickets until cancelled."""
        while True:
            recorded = await self._waiting.get()
            try:
                await self._until_done(recorded)
                if self._waiting.empty():
                    await self._read_again()
            finally:
                self._waiting.task_done()

    async def settled(self) -> None:
        """Wait until every answer heard so far has been dealt with."""
        await self._waiting.join()

    async def catch_up(self, recorded: Iterable[Recorded]) -> None:
        """Deal with answers from before a restart; what has its ticket already gets no second one."""
        for past in recorded:
            if isinstance(past.fact, CallAnswered):
                await self._until_done(past)

    async def _read_again(self) -> None:
        pause = self._first_pause
        while (missed_from := self._missed_from) is not None:
            self._missed_from = None  # what is missed from now on is read the next time
            try:
                missed = await self._read_ledger(missed_from - 1)
            except (SQLAlchemyError, OSError) as trouble:
                self._missed_from = missed_from
                logger.warning("the ledger cannot be read again yet: %s", type(trouble).__name__)
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                await self.catch_up(missed)

    async def _until_done(self, recorded: Recorded) -> None:
        pause, tries = self._first_pause, 0
        while True:
            fact = recorded.fact
            if not isinstance(fact, CallAnswered):
                return
            try:
                await self._deal_with(fact)
            except (SQLAlchemyError, OSError) as trouble:
                tries += 1
                if isinstance(trouble, DataError | IntegrityError | ProgrammingError) and tries >= TRIES_AT_A_FAULT:
                    logger.exception("call_id=%s no ticket could be opened", fact.call)
                    return
                logger.warning("call_id=%s no ticket yet, trying again: %s", fact.call, type(trouble).__name__)
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception:  # the edge of one call: the tickets of all others go on
                logger.exception("call_id=%s no ticket could be opened", fact.call)
                return
            else:
                return

    async def _deal_with(self, answered: CallAnswered) -> None:
        queue = self._queue_of(answered.queue)
        policy = queue.ticket if queue else TicketPolicy.NONE
        if queue is None or policy is TicketPolicy.NONE:
            return
        caller = await self._callers.caller_of(answered.call)
        if policy is TicketPolicy.ASK:
            if not await self._tickets.for_call(answered.call):
                await self._tickets.suggest(answered.call, answered.agent, answered.queue, caller)
            return
        title = f"{queue.title} 전화 접수"
        ticket, is_new = await self._tickets.open_for_call(
            answered.call, answered.agent, answered.queue, caller, title
        )
        if is_new:
            logger.info("call_id=%s ticket=%s opened for %s", answered.call, ticket.number, answered.agent)
