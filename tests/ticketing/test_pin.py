"""A caller proves who they are by a PIN, has few guesses, and hears about their own ticket."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Literal

import pytest
from argon2 import PasswordHasher
from msgspec import structs
from sqlalchemy import select

from changgu.acd.events import CallbackAsked
from changgu.acd.facts import (
    CallAnswered,
    CallEnded,
    CallOffered,
    CallStarted,
    Direction,
    Ender,
    Fact,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ticketing.entries import NewTicket
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.self_service.pin import PAUSE, CheckResult, checked_pin
from changgu.ticketing.self_service.runner import TicketCallbacks
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.self_service.store import PinRow
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import CallRole, Kind, Satisfaction, TicketState
from tests.ticketing.conftest import KIM, Clock

LEE, CHOI = 7, 8
PHONE = "01012345678"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""The real function with little work: what is tested is what surrounds it."""


class Folk:
    """Two people at one desk telephone, one of them with a telephone of her own and an older id."""

    numbers: ClassVar = {PHONE: [LEE], "5010": [LEE, CHOI], "20210417": [LEE]}

    async def at_number(self, number: str) -> Sequence[int]:
        return self.numbers.get(number, [])

    async def ids_of(self, person: int) -> Sequence[int]:
        return [LEE, 3] if person in (LEE, 3) else [person]

    async def known_numbers(self, person: int) -> Sequence[str]:
        if person not in (LEE, CHOI):
            raise NotFound("없음", "nobody")
        return [PHONE, "20210417"] if person == LEE else []


class Room:
    """Self-service over a real database."""

    def __init__(self, database: Database, tickets: Tickets, clock: Clock) -> None:
        self.database, self.tickets, self.clock = database, tickets, clock
        self.booked: list[CallbackAsked] = []
        self.service = SelfService(
            database, tickets, Folk(), b"a key", book=self.booked.append,
            dialable=lambda number: number if number.startswith("010") else None,
            queue=lambda: QueueName("helpdesk"), queue_exists=lambda name: name == "network", now=clock, hasher=QUICK,
        )  # fmt: skip

    async def ticket(self, title: str, person: int = LEE, queue: str | None = "network") -> str:
        self.clock.pass_by(seconds=1)
        return (await self.tickets.open(NewTicket(title, Kind.INQUIRY, person=person, queue=queue), KIM)).number

    async def close(self, number: str) -> None:
        await self.tickets.move(number, Move(TicketState.RESOLVED, action="조치"), KIM)
        closing = Move(TicketState.CLOSED, callback_note="콜백", satisfaction=Satisfaction.NO_ANSWER)
        await self.tickets.move(number, closing, KIM)


@pytest.fixture
def room(database: Database, tickets: Tickets, clock: Clock) -> Room:
    return Room(database, tickets, clock)


async def test_the_right_pin_confirms_the_person_by_telephone_and_by_employee_number(room: Room) -> None:
    pin = await room.service.issue_pin(LEE, KIM)

    for who in (LEE, PHONE, "20210417"):
        check = await room.service.caller_check(who, pin, PHONE)
        assert (check.result, check.person) == (CheckResult.CONFIRMED, LEE)


async def test_only_a_hash_is_kept_that_needs_a_secret_from_elsewhere(room: Room, database: Database) -> None:
    pin = await room.service.issue_pin(LEE, KIM)

    async with database.transaction() as session:
        hashed = (await session.scalars(select(PinRow.hashed))).one()
    assert hashed.startswith("$argon2id$")
    assert pin not in hashed
    elsewhere = SelfService(
        database, room.tickets, Folk(), b"another key", book=room.booked.append, dialable=str,
        queue=lambda: QueueName("q"), now=room.clock, hasher=QUICK,
    )  # fmt: skip
    assert (await elsewhere.caller_check(LEE, pin)).result is CheckResult.WRONG


class Crowd(Folk):
    """Anybody is known, by no number."""

    async def known_numbers(self, person: int) -> Sequence[str]:
        return []


class NarrowHasher(PasswordHasher):
    """Notes how many are at work at the same time."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.at_work = self.most = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self.counted():
            return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        with self.counted():
            return super().verify(hash, password)

    @contextmanager
    def counted(self) -> Iterator[None]:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        time.sleep(0.005)  # so that another could begin meanwhile
        try:
            yield
        finally:
            self.at_work -= 1


async def test_twenty_callers_who_key_their_pin_at_once_are_all_confirmed_one_after_the_other(room: Room) -> None:
    hasher = NarrowHasher()
    service = SelfService(
        room.database, room.tickets, Crowd(), b"a key", book=room.booked.append, dialable=str,
        queue=lambda: QueueName("q"), now=room.clock, hasher=hasher,
    )  # fmt: skip
    pins = {person: await service.issue_pin(person, KIM) for person in range(100, 120)}

    checks = await asyncio.gather(*(service.caller_check(person, pin) for person, pin in pins.items()))

    assert [check.person for check in checks] == list(pins)
    assert hasher.most == 1, "the processors carry the calls, too"


async def test_a_pin_costs_no_more_than_is_needed(room: Room, database: Database) -> None:
    service = SelfService(
        database, room.tickets, Folk(), b"a key", book=room.booked.append, dialable=str,
        queue=lambda: QueueName("q"), now=room.clock,
    )  # fmt: skip
    pin = await service.issue_pin(LEE, KIM)

    assert (await service.caller_check(LEE, pin)).is_confirmed
    async with database.transaction() as session:
        assert (await session.scalars(select(PinRow.hashed))).one().startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("who", ["5010", "no such number", LEE, 99])
async def test_a_stranger_learns_nothing_of_who_exists_or_has_a_pin(room: Room, who: int | str) -> None:
    check = await room.service.caller_check(who, "482913")

    assert (check.result, check.person) == (CheckResult.WRONG, None)


async def test_three_wrong_pins_make_a_pause_and_then_one_guess_at_a_time(room: Room) -> None:
    pin = await room.service.issue_pin(LEE, KIM)
    assert [(await room.service.caller_check(LEE, "0")).guesses_left for _ in range(3)] == [2, 1, 0]

    assert (await room.service.caller_check(LEE, pin)).result is CheckResult.PAUSED
    assert (await room.service.standing(LEE)).state is CheckResult.PAUSED
    room.clock.pass_by(minutes=15)
    assert (await room.service.caller_check(LEE, "0")).result is CheckResult.WRONG
    assert (await room.service.caller_check(LEE, pin)).result is CheckResult.PAUSED
    room.clock.at += PAUSE
    assert (await room.service.caller_check(LEE, pin)).is_confirmed
    assert (await room.service.standing(LEE)).wrong_in_a_row == 0


async def test_ten_wrong_pins_in_a_row_end_it_until_the_desk_gives_out_a_new_one(room: Room) -> None:
    pin = await room.service.issue_pin(LEE, KIM)
    for _ in range(10):
        await room.service.caller_check(LEE, "0")
        room.clock.at += PAUSE

    room.clock.pass_by(days=30)
    assert (await room.service.caller_check(LEE, pin)).result is CheckResult.LOCKED
    new = await room.service.issue_pin(LEE, KIM)
    assert (await room.service.caller_check(LEE, new)).is_confirmed
    assert not (await room.service.caller_check(LEE, pin)).is_confirmed or pin == new


async def test_one_telephone_cannot_go_through_everybody(room: Room) -> None:
    await room.service.issue_pin(LEE, KIM)
    for stranger in range(100, 110):
        await room.service.caller_check(stranger, "482913", "0299999999")

    assert (await room.service.caller_check(LEE, "482913", "0299999999")).result is CheckResult.PAUSED
    assert (await room.service.caller_check(LEE, "482913", PHONE)).result is CheckResult.WRONG
    room.clock.at += timedelta(hours=1)
    assert (await room.service.caller_check(CHOI, "482913", "0299999999")).result is CheckResult.WRONG


async def test_guesses_made_at_once_all_count(room: Room) -> None:
    await room.service.issue_pin(LEE, KIM)

    results = await asyncio.gather(*(room.service.caller_check(LEE, "0") for _ in range(8)))

    assert sum(check.result is CheckResult.WRONG for check in results) == 3


async def test_people_who_were_found_to_be_one_keep_one_pin(room: Room) -> None:
    async with room.database.transaction() as session:
        session.add(PinRow(person=3, hashed="$old", set_at=room.clock(), set_by="kim", guesses_from=0))

    pin = await room.service.issue_pin(LEE, KIM)

    async with room.database.transaction() as session:
        assert (await session.scalars(select(PinRow.person))).all() == [LEE]
    assert (await room.service.caller_check(LEE, pin)).is_confirmed
    await room.service.remove_pin(LEE)
    assert not (await room.service.standing(LEE)).is_set


@pytest.mark.parametrize("easy", ["123", "123456789", "12a4", "1111", "3456", "890123", "9876", "１２９４", "1234"])
def test_a_pin_that_is_easy_or_no_pin_is_refused(easy: str) -> None:
    with pytest.raises(BadInput):
        checked_pin(easy)


def test_part_of_a_known_number_is_refused_as_a_pin() -> None:
    with pytest.raises(BadInput):
        checked_pin("0417", "2021-0417")
    assert checked_pin("8264", "2021-0417") == "8264"


async def test_nobody_gets_a_pin_who_does_not_exist(room: Room) -> None:
    with pytest.raises(NotFound):
        await room.service.issue_pin(99, KIM)
    with pytest.raises(BadInput):
        await room.service.choose_pin(LEE, "2021", KIM)


# ---- the newest ticket ----------------------------------------------------------------------------------------------


async def test_the_newest_open_ticket_is_read_out_before_newer_closed_ones(room: Room) -> None:
    assert await room.service.newest_ticket(LEE) is None
    first = await room.ticket("첫째")
    second = await room.ticket("둘째", person=3)
    third = await room.ticket("셋째")
    await room.ticket("남의 것", person=CHOI)
    await room.close(third)

    status = await room.service.newest_ticket(LEE)
    assert status is not None
    assert (status.number, status.state, status.state_ko, status.support_line) == (second, TicketState.NEW, "신규", 1)
    await room.close(second)
    await room.close(first)
    newest = await room.service.newest_ticket(LEE)
    assert newest is not None
    assert newest.number == third


async def test_where_it_is_and_when_it_will_be_done_is_told(room: Room) -> None:
    number = await room.ticket("이관")
    expected = room.clock() + timedelta(hours=4)
    await room.tickets.move(number, Move(TicketState.ASSIGNED, group="server", expected_at=expected), KIM)

    status = await room.service.ticket_status(number)

    assert status is not None
    assert (status.state_ko, status.support_line, status.expected_at) == ("배정", 3, expected)
    assert await room.service.ticket_status("1234") is None


# ---- call me back about it ------------------------------------------------------------------------------------------


async def test_a_caller_is_called_back_about_a_ticket_by_the_queue_it_came_from(room: Room) -> None:
    number = await room.ticket("느림")

    promise = await room.service.call_me_back(number, PHONE, CallId("c1"))
    assert await room.service.call_me_back(number, PHONE, CallId("c1")) == promise

    assert room.booked == [CallbackAsked(promise, PHONE, QueueName("network"), CallId("c1"))]
    file = await room.tickets.file(number)
    assert [(link.call, link.role) for link in file.calls] == [("c1", CallRole.FOLLOWED_UP)]


async def test_a_ticket_of_a_queue_that_is_no_more_goes_to_the_main_one(room: Room) -> None:
    await room.service.call_me_back(await room.ticket("옛 대기열", queue="gone"), PHONE, CallId("c1"))
    await room.service.call_me_back(await room.ticket("대기열 없음", queue=None), PHONE, CallId("c2"))

    assert [asked.queue for asked in room.booked] == ["helpdesk", "helpdesk"]


async def test_nobody_is_called_back_about_a_closed_ticket_or_at_a_forbidden_number(room: Room) -> None:
    number = await room.ticket("닫힘")
    with pytest.raises(BadInput):
        await room.service.call_me_back(number, "06012345678")
    await room.close(number)
    with pytest.raises(Conflict):
        await room.service.call_me_back(number, PHONE)
    with pytest.raises(NotFound):
        await room.service.call_me_back("1234", PHONE)

    assert room.booked == []


def fact(seq: int, what: Fact) -> Recorded:
    return Recorded(seq, 1_800_000_000.0 + seq, what)


async def test_the_call_back_is_written_to_its_ticket_with_who_made_it(room: Room) -> None:
    number = await room.ticket("콜백")
    promise = await room.service.call_me_back(number, PHONE)
    listener = TicketCallbacks(room.service, room.tickets)
    work = asyncio.create_task(listener.run())
    call, other = CallId("out-1"), CallId("out-2")
    queue, agent = QueueName("network"), AgentId("kim")

    facts: list[Fact] = [
        CallStarted(other, Direction.OUTBOUND, PHONE, "1000", CallbackId("cbelsewhere")),
        CallStarted(call, Direction.OUTBOUND, PHONE, "1000", promise),
        CallAnswered(call, agent, OfferId(1), queue),
        CallEnded(call, Outcome.ANSWERED, Ender.AGENT),
        CallEnded(other, Outcome.NOT_REACHED, Ender.CALLER),
    ]
    for seq, what in enumerate(facts):
        listener.hear(fact(seq, what))
    await listener.settled()
    work.cancel()

    file = await room.tickets.file(number)
    assert [(link.call, link.role) for link in file.calls] == [(call, CallRole.CALLBACK)]
    assert [(made.actor, made.reached, made.call) for made in file.callbacks] == [("kim", True, call)]


CALL = CallId("out-1")
WAITED: Sequence[Fact] = ()
"""For an agent, and for nobody else."""
AGENT_RANG = (CallOffered(CALL, AgentId("kim"), OfferId(1), QueueName("network")),)
THEY_RANG = (CallOffered(CALL, AgentId("kim"), OfferId(1), QueueName("network"), dials=True),)
"""The person is dialled first."""
AGENT_ANSWERED = (*AGENT_RANG, CallAnswered(CALL, AgentId("kim"), OfferId(1), QueueName("network")))
"""Upon which the person is dialled."""


@pytest.mark.parametrize(
    ("before", "outcome", "reason", "made"),
    [
        (WAITED, Outcome.NOT_REACHED, "called_in", []),
        (AGENT_RANG, Outcome.NOT_REACHED, "hours", []),
        (AGENT_RANG, Outcome.REFUSED, "desk_closed", []),
        (WAITED, Outcome.REFUSED, "no_such_queue", []),
        (WAITED, Outcome.LOST, "", []),
        (THEY_RANG, Outcome.NOT_REACHED, "busy", [False]),
        (AGENT_ANSWERED, Outcome.NOT_REACHED, "", [False]),
        (THEY_RANG, Outcome.REFUSED, "desk_closed", [False]),
        (AGENT_ANSWERED, Outcome.REFUSED, "desk_closed", [False]),
        (AGENT_ANSWERED, Outcome.ANSWERED, "", [True]),
    ],
)
async def test_a_call_back_in_which_nobody_was_dialled_is_not_written_down_as_made(
    room: Room, before: Sequence[Fact], outcome: Outcome, reason: str, made: list[bool]
) -> None:
    """However it ended: that the desk closed while their telephone rang is an attempt like others."""
    number = await room.ticket("콜백")
    promise = await room.service.call_me_back(number, PHONE)
    listener = TicketCallbacks(room.service, room.tickets)
    work = asyncio.create_task(listener.run())

    started = CallStarted(CALL, Direction.OUTBOUND, PHONE, "1000", promise)
    for seq, what in enumerate([started, *before, CallEnded(CALL, outcome, Ender.DESK, reason)]):
        listener.hear(fact(seq, what))
    await listener.settled()
    work.cancel()

    assert [one.reached for one in (await room.tickets.file(number)).callbacks] == made


DIALLED = (CallStarted(CALL, Direction.OUTBOUND, PHONE, "1000", CallbackId("")), *AGENT_ANSWERED)
"""The attempt, so far, that was under way when the program was killed; whose promise it keeps is to be filled in."""


def attempt(promise: CallbackId, *after: Fact) -> list[Recorded]:
    """What the ledger says of it."""
    started = structs.replace(DIALLED[0], callback=promise)
    return [fact(seq, what) for seq, what in enumerate([started, *DIALLED[1:], *after])]


async def written_by(room: Room, past: Sequence[Recorded], *heard: Recorded) -> None:
    """The program begins, is told of its past, hears what follows, and is killed again."""
    listener = TicketCallbacks(room.service, room.tickets)
    listener.restore(past)
    work = asyncio.create_task(listener.run())
    for recorded in [*heard, fact(90, CallStarted(CallId("other"), Direction.OUTBOUND, PHONE, "", CallbackId("cb")))]:
        listener.hear(recorded)
    await listener.settled()
    work.cancel()


@pytest.mark.parametrize(("outcome", "reached"), [(Outcome.ANSWERED, True), (Outcome.LOST, False)])
async def test_a_call_back_that_a_kill_cut_off_is_written_to_its_ticket_once_it_is_settled(
    room: Room, outcome: Outcome, reached: bool
) -> None:
    number = await room.ticket("콜백")
    before = attempt(await room.service.call_me_back(number, PHONE))
    end = fact(len(before), CallEnded(CALL, outcome, Ender.DESK))

    await written_by(room, before, end)
    await written_by(room, [*before, end])

    file = await room.tickets.file(number)
    assert [(link.call, link.role) for link in file.calls] == [(CALL, CallRole.CALLBACK)]
    made = [(made.actor, made.reached, made.call, made.at.timestamp()) for made in file.callbacks]
    assert made == [("kim", reached, CALL, end.at)]


async def test_a_call_back_that_ended_just_before_a_kill_is_written_to_its_ticket_after_it_and_once(
    room: Room,
) -> None:
    """What an agent wrote down of the same call by hand is another matter, and stands beside it."""
    number = await room.ticket("콜백")
    past = attempt(await room.service.call_me_back(number, PHONE), CallEnded(CALL, Outcome.ANSWERED, Ender.AGENT))
    await room.tickets.record_callback(number, "해결 확인", KIM, call=CALL)

    for _ in range(3):
        await written_by(room, past)

    notes = [made.note for made in (await room.tickets.file(number)).callbacks]
    assert notes == ["해결 확인", "요청에 따른 콜백"]


async def test_an_attempt_that_a_kill_cut_off_before_anybody_was_dialled_is_not_written_down_as_made(
    room: Room,
) -> None:
    number = await room.ticket("콜백")
    waits = attempt(await room.service.call_me_back(number, PHONE))[:2]

    await written_by(room, waits, fact(5, CallEnded(CALL, Outcome.LOST, Ender.DESK)))

    assert (await room.tickets.file(number)).callbacks == []
