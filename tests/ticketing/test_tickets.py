"""Tickets from the call that opens them to the call back that closes them, every step stamped."""

import asyncio
import multiprocessing
from pathlib import Path

import pytest

from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, Forbidden, NotFound
from changgu.ticketing.entries import Caller, NewTicket, TicketFilter
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.number import read_number, ticket_number
from changgu.ticketing.priority import Level, Priority
from changgu.ticketing.service import AUTOMATIC, MoveIncomplete, MoveRefused, Tickets
from changgu.ticketing.ticket import CallRole, Kind, Satisfaction, Ticket, TicketState

from .conftest import KIM, PARK, Clock

NEW, ASSIGNED, REJECTED = TicketState.NEW, TicketState.ASSIGNED, TicketState.REJECTED
ALLOCATED, RESOLVED, CLOSED = TicketState.ALLOCATED, TicketState.RESOLVED, TicketState.CLOSED

SOLVED = Move(
    RESOLVED, action="재설정함", minutes=12, type_code="software", cause_code="configuration", resolution_code="setting"
)
CONTENT = Move(CLOSED, callback_note="이상 없음 확인", satisfaction=Satisfaction.SATISFIED)


async def incident(tickets: Tickets, call: str | None = None) -> Ticket:
    new = NewTicket("VPN 접속 불가", Kind.INCIDENT, grade="2", call=CallId(call) if call else None)
    return await tickets.open(new, KIM)


async def test_an_incident_goes_the_whole_way_and_every_step_is_stamped(tickets: Tickets, clock: Clock) -> None:
    ticket = await incident(tickets, "c1")
    assert (ticket.state, ticket.owner, read_number(ticket.number)) == (NEW, "kim", ticket.number)
    number = ticket.number

    clock.pass_by(minutes=5)
    expected = clock.at.replace(hour=9)
    await tickets.move(number, Move(ASSIGNED, group="network", expected_at=expected), KIM)
    clock.pass_by(minutes=5)
    await tickets.move(number, Move(REJECTED, reason="PC 문제로 보임"), KIM)
    clock.pass_by(minutes=5)
    file = await tickets.move(number, Move(ASSIGNED, group="vendor"), KIM)
    assert (file.ticket.support_line, file.ticket.lacks_expected_time) == (9, True)
    clock.pass_by(minutes=5)
    await tickets.move(number, Move(ALLOCATED, assignee="이담당", expected_at=expected), KIM)
    clock.pass_by(minutes=5)
    resolved_at = clock.at
    file = await tickets.move(number, SOLVED, KIM)
    assert file.resolved_at == resolved_at
    clock.pass_by(minutes=5)
    await tickets.move(number, Move(ALLOCATED, reason="콜백에서 여전히 안 됨"), KIM)
    clock.pass_by(minutes=5)
    with pytest.raises(MoveIncomplete):  # what was done before does not solve it again
        await tickets.move(number, Move(RESOLVED), KIM)
    await tickets.record_action(number, "장비 교체", 30, KIM)
    await tickets.move(number, Move(RESOLVED), KIM)
    clock.pass_by(minutes=5)
    file = await tickets.move(number, CONTENT, KIM)

    assert [(move.before, move.after) for move in file.transitions] == [
        (None, NEW),
        (NEW, ASSIGNED),
        (ASSIGNED, REJECTED),
        (REJECTED, ASSIGNED),
        (ASSIGNED, ALLOCATED),
        (ALLOCATED, RESOLVED),
        (RESOLVED, ALLOCATED),
        (ALLOCATED, RESOLVED),
        (RESOLVED, CLOSED),
    ]
    times = [move.at for move in file.transitions]
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    assert {move.actor for move in file.transitions} == {"kim"}
    assert file.transitions[2].reason == "PC 문제로 보임"
    assert file.minutes == 42
    assert file.ticket.assignee == "이담당"
    assert file.ticket.owner == "kim"
    assert file.survey is not None
    assert (file.survey.grade, file.survey.actor) == (Satisfaction.SATISFIED, "kim")
    assert [callback.note for callback in file.callbacks] == ["이상 없음 확인"]
    assert await tickets.file(number) == file


async def test_a_call_back_before_the_last_solution_does_not_close_a_ticket(tickets: Tickets, clock: Clock) -> None:
    ticket = await incident(tickets)
    await tickets.record_callback(ticket.number, "진행 상황 안내", KIM)
    clock.pass_by(minutes=1)
    await tickets.move(ticket.number, SOLVED, KIM)
    with pytest.raises(MoveIncomplete) as refused:
        await tickets.move(ticket.number, Move(CLOSED, satisfaction=Satisfaction.NO_ANSWER), KIM)
    assert [gap.field for gap in refused.value.missing] == ["callback_note"]
    clock.pass_by(minutes=1)
    await tickets.record_callback(ticket.number, "", KIM, reached=False, call=CallId("c9"))
    file = await tickets.move(ticket.number, Move(CLOSED, satisfaction=Satisfaction.NO_ANSWER), KIM)
    assert file.survey is not None
    assert file.survey.grade is Satisfaction.NO_ANSWER
    assert [(link.call, link.role) for link in file.calls] == [("c9", CallRole.CALLBACK)]


async def test_a_refused_move_leaves_nothing_behind(tickets: Tickets, clock: Clock) -> None:
    ticket = await incident(tickets)
    before = await tickets.file(ticket.number)
    clock.pass_by(minutes=1)
    for move in (Move(CLOSED), Move(ALLOCATED, assignee="x"), Move(NEW)):
        with pytest.raises(MoveRefused):
            await tickets.move(ticket.number, move, KIM)
    with pytest.raises(MoveIncomplete) as refused:
        await tickets.move(ticket.number, Move(RESOLVED), KIM)
    assert {gap.field for gap in refused.value.missing} == {"action", "type_code", "cause_code", "resolution_code"}
    assert await tickets.file(ticket.number) == before


async def test_of_two_people_who_move_the_same_ticket_one_wins_and_the_other_is_told(tickets: Tickets) -> None:
    ticket = await incident(tickets)
    moves = [Move(ASSIGNED, group=group) for group in ("pc", "network", "server", "vendor")]
    outcomes = await asyncio.gather(
        *(tickets.move(ticket.number, move, KIM, expected_state=NEW) for move in moves), return_exceptions=True
    )
    assert sum(isinstance(outcome, MoveRefused) for outcome in outcomes) == 3
    assert len((await tickets.file(ticket.number)).transitions) == 2


async def test_a_person_classifies_at_once_and_a_ticket_that_opened_itself_at_its_first_save(tickets: Tickets) -> None:
    with pytest.raises(BadInput) as refused:
        await tickets.open(NewTicket("x", None), KIM)
    assert refused.value.field == "kind"
    with pytest.raises(BadInput) as refused:
        await tickets.open(NewTicket("x", Kind.INCIDENT), KIM)
    assert refused.value.field == "grade"

    automatic = await tickets.open(NewTicket("전화", None, owner="kim"), AUTOMATIC)
    assert automatic.is_unclassified
    with pytest.raises(BadInput) as refused:
        await tickets.update(automatic.number, {"title": "VPN"}, KIM)
    assert refused.value.field == "kind"
    with pytest.raises(BadInput) as refused:
        await tickets.update(automatic.number, {"kind": Kind.INCIDENT}, KIM)
    assert refused.value.field == "grade"
    saved = await tickets.update(automatic.number, {"kind": Kind.INCIDENT, "grade": "1", "title": "VPN"}, KIM)
    assert not saved.is_unclassified
    with pytest.raises(BadInput):
        await tickets.update(automatic.number, {"kind": None}, KIM)
    with pytest.raises(BadInput):
        await tickets.update(automatic.number, {"grade": ""}, KIM)


async def test_who_changed_which_field_is_kept(tickets: Tickets, clock: Clock) -> None:
    ticket = await incident(tickets)
    clock.pass_by(minutes=1)
    changed = await tickets.update(
        ticket.number, {"impact": Level.HIGH, "urgency": Level.HIGH, "title": "VPN 접속 불가"}, PARK
    )
    assert changed.priority is Priority.URGENT
    file = await tickets.file(ticket.number)
    assert [(change.actor, change.field, change.before, change.after) for change in file.changes] == [
        ("park", "impact", "", "high"),
        ("park", "urgency", "", "high"),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"grade": "99"}, "grade"),
        ({"cause_code": "nonsense"}, "cause_code"),
        ({"state": "closed"}, "state"),
        ({"number": "1"}, "number"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(tickets: Tickets, changes: dict[str, str], field: str) -> None:
    ticket = await incident(tickets)
    with pytest.raises(BadInput) as refused:
        await tickets.update(ticket.number, changes, KIM)
    assert refused.value.field == field


async def test_a_closed_ticket_stays_as_it_is_and_a_new_one_follows_it(tickets: Tickets) -> None:
    ticket = await incident(tickets)
    await tickets.move(ticket.number, SOLVED, KIM)
    await tickets.move(ticket.number, CONTENT, KIM)
    with pytest.raises(Conflict):
        await tickets.update(ticket.number, {"title": "x"}, PARK)
    with pytest.raises(Conflict):
        await tickets.record_action(ticket.number, "x", 1, PARK)
    for state in TicketState:
        with pytest.raises(MoveRefused):
            await tickets.move(ticket.number, Move(state), PARK)
    follower = await tickets.open(NewTicket("다시 안 됨", Kind.INCIDENT, grade="2", follows=ticket.number), KIM)
    assert follower.follows == ticket.number
    with pytest.raises(NotFound):
        await tickets.open(NewTicket("x", Kind.INQUIRY, follows=ticket_number(999_999)), KIM)


async def test_a_complaint_is_settled_by_a_supervisor(tickets: Tickets) -> None:
    complaint = await tickets.open(NewTicket("응대 불만", Kind.COMPLAINT), KIM)
    with pytest.raises(Forbidden):
        await tickets.move(complaint.number, Move(RESOLVED, action="사과"), KIM)
    await tickets.move(complaint.number, Move(RESOLVED, action="사과"), PARK)
    with pytest.raises(Forbidden):
        await tickets.move(complaint.number, CONTENT, KIM)
    await tickets.move(complaint.number, CONTENT, PARK)


@pytest.mark.parametrize("grade", Satisfaction)
async def test_a_low_grade_opens_a_complaint_with_the_closing_and_no_other_does(
    tickets: Tickets, grade: Satisfaction
) -> None:
    ticket = await tickets.open(NewTicket("느린 처리", Kind.INQUIRY, person=7, requester="김하나"), KIM)
    await tickets.move(ticket.number, Move(RESOLVED, action="안내"), KIM)
    file = await tickets.move(ticket.number, Move(CLOSED, callback_note="통화", satisfaction=grade), KIM)
    complaints = (await tickets.page(TicketFilter(kind=Kind.COMPLAINT))).items
    assert [complaint.number for complaint in complaints] == list(file.followed_by)
    if grade in {Satisfaction.DISSATISFIED, Satisfaction.VERY_DISSATISFIED}:
        (complaint,) = complaints
        assert (complaint.follows, complaint.person, complaint.owner) == (ticket.number, 7, None)
        for move in (Move(RESOLVED, action="사과"), Move(CLOSED, callback_note="통화", satisfaction=grade)):
            await tickets.move(complaint.number, move, PARK)
        assert len((await tickets.page(TicketFilter(kind=Kind.COMPLAINT))).items) == 1
    else:
        assert complaints == ()


async def test_a_person_is_changed_only_while_the_ticket_is_with_one(tickets: Tickets) -> None:
    ticket = await incident(tickets)
    with pytest.raises(BadInput) as refused:
        await tickets.update(ticket.number, {"assignee": "이담당"}, KIM)
    assert refused.value.field == "assignee"
    await tickets.move(ticket.number, Move(ASSIGNED, group="pc"), KIM)
    await tickets.move(ticket.number, Move(ALLOCATED, assignee="이담당"), KIM)
    changed = await tickets.update(ticket.number, {"assignee": "최담당"}, KIM)
    assert changed.assignee == "최담당"


async def test_calls_and_tickets_are_linked_many_to_many(tickets: Tickets) -> None:
    one, other = await incident(tickets, "c1"), await incident(tickets, "c1")
    await tickets.link(one.number, CallId("c2"), CallRole.FOLLOWED_UP, PARK)
    await tickets.link(one.number, CallId("c2"), CallRole.FOLLOWED_UP, PARK)
    file = await tickets.link(one.number, CallId("c2"), CallRole.CALLBACK, PARK)
    assert [(link.call, link.role) for link in file.calls] == [
        ("c1", CallRole.CREATED),
        ("c2", CallRole.CALLBACK),
        ("c2", CallRole.FOLLOWED_UP),
    ]
    found = await tickets.for_calls([CallId("c1"), CallId("c2"), CallId("c3")])
    assert {call: [ticket.number for ticket in linked] for call, linked in found.items()} == {
        "c1": [one.number, other.number],
        "c2": [one.number],
        "c3": [],
    }
    for wrong in ("", "x" * 151, "a\nb"):
        with pytest.raises(BadInput):
            await tickets.link(one.number, CallId(wrong), CallRole.CREATED, KIM)


async def test_who_called_is_set_on_the_open_tickets_that_the_call_created(tickets: Tickets) -> None:
    one, closed, other = await incident(tickets, "c1"), await incident(tickets, "c1"), await incident(tickets, "c2")
    await tickets.link(other.number, CallId("c1"), CallRole.FOLLOWED_UP, KIM)
    for move in (SOLVED, CONTENT):
        await tickets.move(closed.number, move, KIM)
    told: list[CallId] = []
    tickets.tell(told.append)
    await tickets.set_caller(CallId("c1"), Caller("010-1234-5678", 7, "김하나", "민원실"), KIM)
    assert [(await tickets.get(ticket.number)).person for ticket in (one, closed, other)] == [7, None, None]
    assert told == ["c1"]
    await tickets.set_caller(CallId("c1"), Caller(), KIM)
    assert (await tickets.get(one.number)).person is None


async def test_a_caller_hears_the_state_of_a_ticket_and_nothing_for_a_mistyped_number(tickets: Tickets) -> None:
    ticket = await incident(tickets)
    status = await tickets.status(ticket.number)
    assert status is not None
    assert (status.state_ko, status.support_line, status.expected_at) == ("신규", 1, None)
    assert await tickets.status(ticket.number[:-1] + str((int(ticket.number[-1]) + 1) % 10)) is None
    assert await tickets.status(ticket_number(500_000)) is None
    assert await tickets.status("") is None


async def test_a_suggestion_waits_for_the_agent_and_goes_when_it_is_answered(tickets: Tickets) -> None:
    caller = Caller("010-1234-5678", 7, "김하나", "민원실")
    for call in ("c1", "c1", "c2"):
        await tickets.suggest(CallId(call), AgentId("kim"), QueueName("pc"), caller)
    assert [suggestion.call for suggestion in await tickets.suggestions("kim")] == ["c1", "c2"]
    assert await tickets.suggestions("lee") == []
    suggestion = await tickets.suggestion(CallId("c1"))
    assert suggestion is not None
    assert (suggestion.requester, suggestion.person) == ("김하나", 7)
    await tickets.open(NewTicket("문의", Kind.INQUIRY, call=CallId("c1")), KIM)
    await tickets.decline(CallId("c2"))
    assert await tickets.suggestions() == []


async def test_tickets_are_found_by_what_an_agent_knows(tickets: Tickets) -> None:
    new = NewTicket("프린터 100% 안 됨", Kind.INQUIRY, person=7, requester="김하나", queue="pc")
    mine = await tickets.open(new, KIM)
    other = await incident(tickets, "c1")
    for wanted in (
        TicketFilter(text="프린터 하나"),
        TicketFilter(text="100%"),
        TicketFilter(text=f" {mine.number[:3]}-{mine.number[3:]} "),
        TicketFilter(kind=Kind.INQUIRY),
        TicketFilter(person=7),
        TicketFilter(queue="pc", open=True, owner="kim"),
    ):
        assert [ticket.number for ticket in (await tickets.page(wanted)).items] == [mine.number]
    assert [ticket.number for ticket in (await tickets.page(TicketFilter(call="c1"))).items] == [other.number]
    assert (await tickets.page(TicketFilter(open=False))).items == ()
    assert (await tickets.page(TicketFilter(text="'; DROP TABLE tickets"))).items == ()
    assert [ticket.number for ticket in await tickets.for_person([7, 8])] == [mine.number]
    assert (await tickets.count_by_state())[NEW] == 2


async def test_pages_of_tickets_show_each_once_newest_first(tickets: Tickets) -> None:
    numbers = [(await incident(tickets)).number for _ in range(5)]
    seen: list[str] = []
    before = None
    while True:
        page = await tickets.page(TicketFilter(), 2, before)
        seen += [ticket.number for ticket in page.items]
        before = page.next
        if before is None:
            break
    assert seen == numbers[::-1]


@pytest.mark.parametrize("number", ["", "x", "1000010", "9" * 13, "1' OR '1'='1", "\x00"])
async def test_a_number_that_nobody_has_is_not_found(tickets: Tickets, number: str) -> None:
    assert await tickets.find(number) is None
    with pytest.raises(NotFound):
        await tickets.file(number)
    with pytest.raises(NotFound):
        await tickets.move(number, SOLVED, KIM)


async def test_a_thousand_tickets_opened_at_once_have_a_thousand_numbers(tickets: Tickets) -> None:
    opened = await asyncio.gather(*(incident(tickets) for _ in range(1000)))
    assert len({ticket.number for ticket in opened}) == 1000


def open_many(url: str, count: int, results: "multiprocessing.Queue[list[str]]") -> None:
    async def work() -> list[str]:
        database = Database(url)
        opened = await asyncio.gather(*(incident(Tickets(database)) for _ in range(count)))
        await database.close()
        return [ticket.number for ticket in opened]

    results.put(asyncio.run(work()))


def test_several_processes_never_give_out_one_number_twice(database: Database, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[str]] = context.Queue()
    url = f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}"
    workers = [context.Process(target=open_many, args=(url, 100, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    numbers = [number for _ in workers for number in results.get(timeout=120)]
    for worker in workers:
        worker.join(30)
    assert len(numbers) == len(set(numbers)) == 300
