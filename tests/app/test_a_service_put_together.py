"""What a whole service does because its parts know each other: no PBX, and only the parts a story tells of run."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from changgu.acd.events import CallbackAsked, CallLost
from changgu.acd.facts import (
    CallAnswered,
    CallbackBooked,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Fact,
    Recorded,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId
from changgu.app.assembly import Service
from changgu.directory.person import NumberWritten, PersonWritten
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ticketing.entries import NewTicket
from changgu.ticketing.self_service.store import WishRow
from changgu.ticketing.ticket import Kind
from tests.app.test_front import HELPDESK, NETWORK, begun, database, service

__all__ = ["database", "service"]


@asynccontextmanager
async def running(part: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(part)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_who_has_two_numbers_in_the_directory_is_promised_one_call(service: Service) -> None:
    numbers = [NumberWritten("010-1234-5678"), NumberWritten("5010")]
    await service.directory.create(PersonWritten({"name": "홍길동"}, numbers), "kim")
    await service.directory.known.refresh()
    async with running(service.runner.run()):
        for number in ("01012345678", "5010", "5011"):
            asked = CallbackAsked(CallbackId(f"cb{number}"), number, HELPDESK, not_before=service.runner.now() + 3600)
            await service.runner.ask(asked)

    assert [promise.number for promise in service.engine.callbacks.values()] == ["01012345678", "5011"]


async def test_an_attempt_that_was_under_way_when_the_desk_was_killed_is_written_to_its_ticket(
    tmp_path: Path, database: Database
) -> None:
    service = await begun(tmp_path, database)
    kim, call = Actor("kim", "김상담", Role.AGENT), CallId("out-1")
    ticket = await service.tickets.open(NewTicket("VPN", Kind.INQUIRY), kim)
    async with database.transaction() as session:
        session.add(WishRow(callback="cb1", ticket=int(ticket.number[:-1]), call=None, at=ticket.opened_at))
    facts: list[Fact] = [
        CallbackBooked(CallbackId("cb1"), "01012345678", NETWORK, 1.0, 1.0),
        CallStarted(call, Direction.OUTBOUND, "01012345678", "", CallbackId("cb1")),
        CallQueued(call, NETWORK, 0),
        CallOffered(call, AgentId("alice"), OfferId(1), NETWORK),
        CallAnswered(call, AgentId("alice"), OfferId(1), NETWORK),
    ]
    now = service.runner.now()
    async with running(service.ledger.run()):
        for seq, fact in enumerate(facts, 1):
            service.ledger.hear(Recorded(seq, now, fact))
        await service.ledger.flush()

    again = await begun(tmp_path, database)
    async with running(again.runner.run()), running(again.ticket_callbacks.run()):
        await again.runner.ask(CallLost(call))
        await again.ticket_callbacks.settled()

    made = (await again.tickets.file(ticket.number)).callbacks
    assert [(one.actor, one.reached, one.call) for one in made] == [("alice", False, call)]
