"""Every answered call gets its ticket by the queue's policy, whatever happens to the database meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy.exc import DataError, OperationalError

from changgu.acd.facts import CallAnswered, CallConnected, Recorded
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Queue, TicketPolicy
from changgu.ticketing.entries import Caller, NewTicket, TicketFilter
from changgu.ticketing.runner import TicketOpener
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import CallRole, Kind

from .conftest import KIM

QUEUES = {
    QueueName(policy.value): Queue(QueueName(policy.value), "네트워크", ticket=policy) for policy in TicketPolicy
}
HANA = Caller("010-1234-5678", 7, "김하나", "민원실")


class Callers:
    """Knows that everybody is 김하나, unless it is told to fail."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []

    async def caller_of(self, call: CallId) -> Caller:
        if self.failures:
            raise self.failures.pop()
        return HANA


class Desk:
    """An opener at work, with the ledger it hears from."""

    def __init__(self, tickets: Tickets, remembered: int = 100) -> None:
        self.tickets = tickets
        self.callers = Callers()
        self.ledger: list[Recorded] = []
        self.unreadable = 0
        self.opener = TicketOpener(
            tickets,
            self.callers,
            QUEUES.get,
            self.read,
            remembered=remembered,
            first_pause=timedelta(milliseconds=1),
        )

    async def read(self, after_seq: int) -> Sequence[Recorded]:
        if self.unreadable:
            self.unreadable -= 1
            raise OSError("the database is away")
        return self.ledger[after_seq:]

    def answered(self, call: str, queue: str = "automatic") -> Recorded:
        fact = CallAnswered(CallId(call), AgentId("kim"), OfferId(1), QueueName(queue))
        self.ledger.append(Recorded(len(self.ledger) + 1, 0.0, fact))
        self.opener.hear(self.ledger[-1])
        return self.ledger[-1]

    async def numbers(self) -> list[str]:
        await asyncio.wait_for(self.opener.settled(), 20)
        return [ticket.number for ticket in (await self.tickets.page(TicketFilter())).items]


@pytest.fixture
async def desk(tickets: Tickets) -> AsyncIterator[Desk]:
    desk = Desk(tickets)
    work = asyncio.create_task(desk.opener.run())
    yield desk
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def test_an_answered_call_opens_a_new_ticket_owned_by_its_agent_with_the_caller_on_it(desk: Desk) -> None:
    told: list[CallId] = []
    desk.tickets.tell(told.append)
    desk.answered("c1")
    (number,) = await desk.numbers()
    file = await desk.tickets.file(number)
    ticket = file.ticket
    assert (ticket.title, ticket.owner, ticket.queue) == ("네트워크 전화 접수", "kim", "automatic")
    assert (ticket.person, ticket.requester, ticket.department, ticket.contact) == (7, "김하나", "민원실", HANA.number)
    assert ticket.is_unclassified
    assert [(link.call, link.role, link.agent) for link in file.calls] == [("c1", CallRole.CREATED, "kim")]
    assert [(move.via, move.actor) for move in file.transitions] == [("automatic", "changgu")]
    assert told == ["c1"]


async def test_an_answer_that_is_told_twice_opens_one_ticket(desk: Desk) -> None:
    answered = desk.answered("c1")
    desk.opener.hear(answered)
    await desk.opener.catch_up([answered, answered])
    assert len(await desk.numbers()) == 1


async def test_two_openers_of_one_desk_open_one_ticket(desk: Desk, tickets: Tickets) -> None:
    answered = desk.answered("c1")
    await asyncio.gather(*(Desk(tickets).opener.catch_up([answered]) for _ in range(5)))
    assert len(await desk.numbers()) == 1


async def test_a_queue_that_asks_leaves_a_question_and_one_without_tickets_leaves_nothing(
    desk: Desk, tickets: Tickets
) -> None:
    await tickets.open(NewTicket("먼저 만든 건", Kind.INQUIRY, call=CallId("c3")), KIM)
    desk.answered("c1", "ask")
    desk.answered("c2", "none")
    desk.answered("c3", "ask")
    desk.answered("c4", "no such queue")
    assert len(await desk.numbers()) == 1
    assert [(asked.call, asked.requester) for asked in await tickets.suggestions("kim")] == [("c1", "김하나")]


async def test_other_facts_open_nothing(desk: Desk) -> None:
    desk.opener.hear(Recorded(1, 0.0, CallConnected(CallId("c1"), AgentId("kim"), OfferId(1))))
    assert await desk.numbers() == []


async def test_a_database_that_is_away_delays_a_ticket_but_loses_none(desk: Desk) -> None:
    desk.callers.failures = [OperationalError("select", {}, Exception("locked")), OSError("disk")]
    desk.answered("c1")
    desk.answered("c2")
    assert len(await desk.numbers()) == 2


async def test_one_call_that_cannot_be_dealt_with_does_not_stop_the_next(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.callers.failures = [RuntimeError("a fault of ours")]
    desk.answered("c1")
    desk.answered("c2")
    assert len(await desk.numbers()) == 1
    assert "call_id=c1" in caplog.text


async def test_a_ticket_that_the_database_refuses_for_what_it_says_does_not_hold_up_the_others(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.callers.failures = [DataError("INSERT …", {}, ValueError("too long")) for _ in range(3)]
    desk.answered("c1")
    desk.answered("c2")
    assert len(await desk.numbers()) == 1
    assert "call_id=c1 no ticket could be opened" in caplog.text


async def test_a_ledger_that_cannot_be_read_just_now_is_read_later(tickets: Tickets) -> None:
    desk = Desk(tickets, remembered=1)
    desk.unreadable = 2
    for call in ("c1", "c2", "c3"):
        desk.answered(call)
    work = asyncio.create_task(desk.opener.run())
    try:
        assert len(await desk.numbers()) == 3
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def test_more_answers_than_it_can_remember_are_read_again_from_the_ledger(tickets: Tickets) -> None:
    desk = Desk(tickets, remembered=3)
    for number in range(12):
        desk.answered(f"c{number}")
    work = asyncio.create_task(desk.opener.run())
    assert len(await desk.numbers()) == 12
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
