"""Ties a call back to the ticket it is about: who is called sees it, and that it was made is written down."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.facts import CallAnswered, CallEnded, CallOffered, CallStarted, Outcome, Recorded
from changgu.acd.identity import CallbackId, CallId
from changgu.ground.access import Actor, Role
from changgu.ground.database import moment
from changgu.ground.trouble import Trouble
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.service import AUTOMATIC, Tickets
from changgu.ticketing.ticket import CallRole

logger = logging.getLogger(__name__)

MOST_WAITING = 5_000
"""Calls back whose begin or end may wait to be written."""

NOTE = "요청에 따른 콜백"
"""What stands in the ticket beside the outcome of an attempt."""


@dataclass(frozen=True, slots=True)
class _Begun:
    call: CallId
    callback: CallbackId


@dataclass(frozen=True, slots=True)
class _Ended:
    call: CallId
    callback: CallbackId
    agent: str | None
    reached: bool
    at: datetime


class TicketCallbacks:
    """Hears every fact; `run` does the work. A call back about no ticket is nobody's business here."""

    def __init__(self, service: SelfService, tickets: Tickets) -> None:
        self._service = service
        self._tickets = tickets
        self._under_way: dict[CallId, CallbackId] = {}
        self._agents: dict[CallId, str] = {}
        self._dialled: set[CallId] = set()
        """Calls back in which the person was dialled: with the offer, or as soon as an agent had answered."""
        self._past: list[_Begun | _Ended] = []
        """What there was before a restart; perhaps it was not written any more."""
        self._work: asyncio.Queue[_Begun | _Ended] = asyncio.Queue(MOST_WAITING)

    def restore(self, past: Iterable[Recorded]) -> None:
        """Know the attempts of before a restart: some are under way. `run` writes what was not written of them."""
        self._past = [work for recorded in past if (work := self._follow(recorded)) is not None]

    def hear(self, recorded: Recorded) -> None:
        """Take a fact; returns at once."""
        work = self._follow(recorded)
        if work is not None:
            self._put(work)

    def _follow(self, recorded: Recorded) -> _Begun | _Ended | None:
        """What is to be written because of a fact."""
        fact = recorded.fact
        match fact:
            case CallStarted() if fact.callback is not None:
                self._under_way[fact.call] = fact.callback
                return _Begun(fact.call, fact.callback)
            case CallOffered(dials=True) if fact.call in self._under_way:
                self._dialled.add(fact.call)
            case CallAnswered() if fact.call in self._under_way:
                self._agents[fact.call] = fact.agent
                self._dialled.add(fact.call)
            case CallEnded() if (callback := self._under_way.pop(fact.call, None)) is not None:
                agent = self._agents.pop(fact.call, None)
                if fact.call in self._dialled:
                    self._dialled.discard(fact.call)
                    reached = fact.outcome is Outcome.ANSWERED
                    return _Ended(fact.call, callback, agent, reached, moment(recorded.at))
            case _:
                pass
        return None

    async def run(self) -> None:
        """Write until cancelled."""
        while self._past:
            await self._write(self._past.pop(0))
        while True:
            work = await self._work.get()
            try:
                await self._write(work)
            finally:
                self._work.task_done()

    async def settled(self) -> None:
        """Wait until everything heard so far has been dealt with."""
        await self._work.join()

    def _put(self, work: _Begun | _Ended) -> None:
        try:
            self._work.put_nowait(work)
        except asyncio.QueueFull:
            logger.error("too many calls back wait to be written to tickets", extra={"call_id": work.call})

    async def _write(self, work: _Begun | _Ended) -> None:
        try:
            await self._deal_with(work)
        except (SQLAlchemyError, OSError, Trouble) as trouble:  # one call's edge: the next ones go on
            logger.warning("a call back was not written to its ticket: %s", trouble, extra={"call_id": work.call})

    async def _deal_with(self, work: _Begun | _Ended) -> None:
        number = await self._service.ticket_of_callback(work.callback)
        if number is None:
            return
        if isinstance(work, _Begun):
            await self._tickets.link(number, work.call, CallRole.CALLBACK, AUTOMATIC)
            return
        if any(made.call == work.call and made.note == NOTE for made in (await self._tickets.file(number)).callbacks):
            return  # written before a restart
        by = Actor(work.agent, work.agent, Role.AGENT, via="callback") if work.agent else AUTOMATIC
        await self._tickets.record_callback(number, NOTE, by, reached=work.reached, call=work.call, at=work.at)
