"""A supervisor looks who solves what at once, and every denominator is the true one (WL-06)."""

from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from changgu.acd.facts import CallQueued, CallStarted, Direction, Fact, Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Agent, Floor
from changgu.acd.store import CallStore, Ledger
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput
from changgu.ticketing.entries import Caller, NewTicket
from changgu.ticketing.first_contact.api import build_router
from changgu.ticketing.first_contact.pages import build_pages
from changgu.ticketing.first_contact.rates import NOBODY, WINDOW, Rates
from changgu.ticketing.first_contact.service import FirstContacts
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import CallRole, Kind, Ticket, TicketState
from tests.support.site import Site
from tests.ticketing.conftest import KIM, Clock

LEE = Actor("lee", "이상담", Role.AGENT)
KIM_KNOWS = Agent(AgentId("kim"), "김상담", skills=frozenset({"vpn:7", "english"}))
SOLVED = Move(TicketState.RESOLVED, action="안내", type_code="software", cause_code="user", resolution_code="advice")
TO_GROUP = Move(TicketState.ASSIGNED, group="network")


class Asked:
    """Which skills calls asked for."""

    def __init__(self) -> None:
        self.of: dict[str, set[str]] = {}

    async def skills_asked(self, calls: Collection[CallId]) -> dict[CallId, frozenset[str]]:
        return {call: frozenset(self.of[call]) for call in calls if call in self.of}


class People:
    """Who turned out to be whom."""

    def __init__(self) -> None:
        self.same: dict[int, int] = {}

    async def merged(self) -> dict[int, int]:
        return self.same


class Desk:
    """Cases come in, and what becomes of them."""

    def __init__(self, database: Database, tickets: Tickets, clock: Clock) -> None:
        self.tickets, self.clock, self.asked, self.people = tickets, clock, Asked(), People()
        self.contacts = FirstContacts(database, self.asked, self.people, lambda: Floor(agents=(KIM_KNOWS,)), clock)

    async def comes(
        self, call: str | None = None, *skills: str, by: Actor = KIM, person: int | None = 7,
        kind: Kind = Kind.INQUIRY, type_code: str | None = "software", follows: str | None = None,
    ) -> Ticket:  # fmt: skip
        if call is not None and skills:
            self.asked.of[call] = set(skills)
        self.clock.pass_by(minutes=1)
        new = NewTicket(
            "VPN", kind, person=person, type_code=type_code, grade="3", follows=follows,
            call=CallId(call) if call else None,
        )  # fmt: skip
        return await self.tickets.open(new, by)

    async def is_solved(self, ticket: Ticket) -> None:
        await self.tickets.move(ticket.number, SOLVED, KIM)

    async def figures(self, agent: str | None = None, skill: str | None = None) -> tuple[int, ...]:
        """Cases, under way, solved at the desk, can be judged, on first contact."""
        report = await self.contacts.report()
        found = [line.rates for line in report.lines if (line.agent, line.skill) == (agent, skill)]
        assert len(found) == 1, report.lines
        one = found[0]
        return one.cases, one.undecided, one.solved_at_desk, one.judged, one.first_contact


@pytest.fixture
def desk(database: Database, tickets: Tickets, clock: Clock) -> Desk:
    return Desk(database, tickets, clock)


def test_nothing_is_said_where_nothing_can_be_said() -> None:
    assert (Rates().desk_rate, Rates().first_contact_rate) == (None, None)
    assert Rates(cases=4, solved_at_desk=3, judged=2, first_contact=1).desk_rate == 0.75
    assert Rates(cases=4, solved_at_desk=3, judged=2, first_contact=1).first_contact_rate == 0.5


async def test_cases_are_counted_by_the_agent_who_spoke_and_the_skill_that_was_asked_for(desk: Desk) -> None:
    await desk.is_solved(await desk.comes("c1", "vpn", person=1))
    handed_over = await desk.comes("c2", "vpn", "english", person=2)
    await desk.tickets.move(handed_over.number, TO_GROUP, KIM)
    await desk.comes("c3", by=LEE, person=3)
    desk.clock.pass_by(days=8)

    assert await desk.figures() == (3, 1, 1, 3, 1)
    assert await desk.figures("kim") == (2, 0, 1, 2, 1), "the case with two skills counts once in the total"
    assert await desk.figures("kim", "vpn") == (2, 0, 1, 2, 1)
    assert await desk.figures("kim", "english") == (1, 0, 0, 1, 0)
    assert await desk.figures("lee", NOBODY) == (1, 1, 0, 1, 0)
    assert await desk.figures(None, "vpn") == (2, 0, 1, 2, 1)
    lines = (await desk.contacts.report()).lines
    known = [(line.agent, line.skill, line.level) for line in lines if line.level is not None]
    assert known == [("kim", "english", 1), ("kim", "vpn", 7)]


async def test_what_a_group_solves_is_not_solved_at_the_desk(desk: Desk) -> None:
    ticket = await desk.comes("c1")
    await desk.tickets.move(ticket.number, TO_GROUP, KIM)
    await desk.is_solved(ticket)
    desk.clock.pass_by(days=8)
    assert await desk.figures() == (1, 0, 0, 1, 0)


async def test_a_case_that_was_not_solved_after_all_was_not_solved_on_first_contact(desk: Desk) -> None:
    ticket = await desk.comes("c1")
    await desk.is_solved(ticket)
    await desk.tickets.move(ticket.number, Move(TicketState.ALLOCATED, reason="아직", assignee="kim"), KIM)
    await desk.is_solved(ticket)
    desk.clock.pass_by(days=8)
    assert await desk.figures() == (1, 0, 1, 1, 0)


async def test_for_a_week_it_is_not_told_whether_the_first_contact_was_enough(desk: Desk) -> None:
    await desk.is_solved(await desk.comes("c1"))
    desk.clock.pass_by(days=6, hours=23)
    assert await desk.figures() == (1, 0, 1, 0, 0)
    desk.clock.pass_by(hours=1)
    assert await desk.figures() == (1, 0, 1, 1, 1)


async def test_of_whom_nobody_knows_who_they_are_it_is_never_told(desk: Desk) -> None:
    await desk.is_solved(await desk.comes("c1", person=None))
    desk.clock.pass_by(days=8)
    assert await desk.figures() == (1, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("person", "type_code", "kind", "days", "enough"),
    [
        (7, "software", Kind.INQUIRY, 6.9, False),
        (7, "software", Kind.INQUIRY, 7, True),
        (8, "software", Kind.INQUIRY, 1, True),
        (7, "other", Kind.INQUIRY, 1, True),
        (7, "software", Kind.INCIDENT, 1, True),
    ],
)
async def test_who_comes_again_with_the_same_within_a_week_was_not_helped(
    desk: Desk, person: int, type_code: str, kind: Kind, days: float, enough: bool
) -> None:
    await desk.is_solved(await desk.comes("c1"))
    desk.clock.pass_by(days=days)
    await desk.comes("c2", by=LEE, person=person, type_code=type_code, kind=kind)
    desk.clock.pass_by(days=1)
    await desk.is_solved(await desk.comes("c3", person=99))
    desk.clock.pass_by(days=8)
    assert (await desk.figures("kim"))[3:] == (2, 1 + enough)


async def test_two_records_that_turn_out_to_be_one_person_came_again(desk: Desk) -> None:
    await desk.is_solved(await desk.comes("c1", person=7))
    await desk.comes("c2", by=LEE, person=8)
    desk.clock.pass_by(days=8)
    assert (await desk.figures("kim"))[3:] == (1, 1)
    desk.people.same[8] = 7
    assert (await desk.figures("kim"))[3:] == (1, 0)


async def test_a_further_call_and_a_ticket_that_follows_are_coming_again(desk: Desk) -> None:
    called_again, followed, fine = [await desk.comes(f"c{number}", person=number) for number in (1, 2, 3)]
    for ticket in (called_again, followed, fine):
        await desk.is_solved(ticket)
    desk.clock.pass_by(days=1)
    await desk.tickets.link(called_again.number, CallId("c9"), CallRole.FOLLOWED_UP, LEE)
    await desk.tickets.link(fine.number, CallId("c8"), CallRole.CALLBACK, LEE)  # our own closing call
    await desk.comes("c7", by=LEE, person=2, type_code="other", follows=followed.number)
    desk.clock.pass_by(days=8)
    assert (await desk.figures("kim"))[3:] == (3, 1)


async def test_complaints_and_what_is_not_classified_are_in_no_denominator(desk: Desk) -> None:
    await desk.comes("c1", kind=Kind.COMPLAINT)
    from_a_machine = await desk.tickets.open_for_call(CallId("c2"), None, QueueName("vpn"), Caller(), "음성메일")
    assert from_a_machine[1]
    desk.clock.pass_by(minutes=1)
    report = await desk.contacts.report()
    assert (report.lines[0].rates.cases, report.unclassified) == (0, 1)
    await desk.tickets.update(from_a_machine[0].number, {"kind": Kind.INQUIRY}, KIM)
    assert await desk.figures(NOBODY, NOBODY) == (1, 1, 0, 0, 0)


async def test_a_time_that_is_empty_or_too_long_is_refused(desk: Desk) -> None:
    now = desk.clock()
    for since in (now, now + timedelta(days=1), now - timedelta(days=367)):
        with pytest.raises(BadInput):
            await desk.contacts.report(since, now)


async def test_only_cases_of_the_time_count_and_those_beyond_it_still_tell_who_came_again(desk: Desk) -> None:
    first = await desk.comes("c1")
    await desk.is_solved(first)
    until = desk.clock() + timedelta(minutes=30)
    desk.clock.pass_by(hours=1)
    await desk.comes("c2", by=LEE)
    desk.clock.pass_by(days=8)
    (total, *_) = (await desk.contacts.report(until - timedelta(days=1), until)).lines
    assert (total.rates.cases, total.rates.judged, total.rates.first_contact) == (1, 1, 0)


async def test_the_ledger_tells_what_a_call_asked_for_at_its_first_queue(database: Database, tmp_path: Path) -> None:
    ledger, a, b = Ledger(database, tmp_path / "spool"), CallId("a"), CallId("b")
    facts: list[Fact] = [
        CallStarted(a, Direction.INBOUND, "0101", "1000"),
        CallQueued(a, QueueName("network"), 0, frozenset({"vpn:7", "english"})),
        CallQueued(a, QueueName("pc"), 0, frozenset({"printer"})),
        CallStarted(b, Direction.INBOUND, "0102", "1000"),
        CallQueued(b, QueueName("pc"), 0),
    ]
    for number, fact in enumerate(facts, 1):
        ledger.hear(Recorded(number, 1_000.0 + number, fact))
    assert await ledger.flush()
    asked = await CallStore(database).skills_asked([a, b, CallId("unheard-of")])
    assert asked == {a: {"vpn", "english"}, b: frozenset()}


# Over REST and on the page


@pytest.fixture
async def supervisor(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    site = Site()
    site.open([build_router(site.gate, desk.contacts), build_pages(site.gate, site.pages, desk.contacts)])
    async with site.visitor("supervisor") as client:
        yield client


async def test_programs_and_people_read_the_same_figures(desk: Desk, supervisor: httpx.AsyncClient) -> None:
    await desk.is_solved(await desk.comes("c1", "vpn"))
    until = desk.clock() + timedelta(minutes=1)
    desk.clock.pass_by(days=8)
    times = {"since": (until - timedelta(days=1)).isoformat(), "until": until.isoformat()}
    answer = (await supervisor.get("/api/v1/first-contact", params=times)).json()
    assert answer["window_days"] == WINDOW.days
    assert answer["lines"][-1] == {
        "agent": "kim", "name": "김상담", "skill": "vpn", "level": 7, "cases": 1, "undecided": 0, "solved_at_desk": 1,
        "desk_rate": 1.0, "judged": 1, "first_contact": 1, "first_contact_rate": 1.0,
    }  # fmt: skip
    wrong = await supervisor.get("/api/v1/first-contact", params={"since": times["until"], "until": times["since"]})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("lang", "words"), [("ko", ("첫 통화 해결", "바란 기술 없음")), ("en", ("On first contact", "no skill asked for"))]
)
async def test_the_page_says_it_in_both_languages_with_each_figures_meaning(
    database: Database, lang: str, words: tuple[str, ...]
) -> None:
    today = Tickets(database)  # the page asks for the days before now
    await today.open(NewTicket("VPN", Kind.INQUIRY, call=CallId("c1")), KIM)
    contacts, site = FirstContacts(database, Asked(), People(), lambda: Floor(agents=(KIM_KNOWS,))), Site()
    site.open([build_pages(site.gate, site.pages, contacts)])
    async with site.visitor("supervisor", lang) as client:
        page = await client.get("/first-contact")
    assert page.status_code == 200
    for word in words:
        assert word in page.text
