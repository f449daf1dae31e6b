"""Whoever forgot their PIN has a new one sent, good for one call; nobody learns who exists, and nobody is flooded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, NotFound, Trouble
from changgu.ticketing.outbox.outgoing import Purpose, State, TakenLater
from changgu.ticketing.outbox.service import Outbox
from changgu.ticketing.outbox.store import OutgoingRow
from changgu.ticketing.self_service.pin import CheckResult
from changgu.ticketing.self_service.resets.limits import (
    ASKED_FROM_A_NUMBER,
    CHOOSE_WITHIN,
    ONE_TIME_FOR,
    SENT_A_DAY,
    Asked,
    Outcome,
    SentTo,
    covered,
)
from changgu.ticketing.self_service.resets.service import MOST_WAITING, PinResets
from changgu.ticketing.self_service.resets.store import ResetRow
from changgu.ticketing.self_service.store import GuessRow
from changgu.ticketing.service import Tickets
from tests.ticketing.conftest import KIM, Clock
from tests.ticketing.test_pin import LEE, PHONE, Room

EMPLOYEE, ELSEWHERE = "20210417", "0299999999"


class Registry:
    async def by_numbers(self, employee: str, mobile: str) -> int | None:
        return LEE if (employee, mobile) == (EMPLOYEE, PHONE) else None


class Post:
    """Keeps what was sent, or refuses it."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []
        self.refuses: Trouble | None = None
        self.told = asyncio.Event()
        self.hangs: asyncio.Event | None = None
        """Until it is set, nobody hears that a PIN was taken."""

    async def deliver(self, person: int, pin: str) -> SentTo:
        if self.refuses is not None:
            raise self.refuses
        self.sent.append((person, pin))
        self.told.set()
        if self.hangs is not None:
            await self.hangs.wait()
        return SentTo("sms", "010-****-5678")


class Desk(Room):
    """Self-service with resets, over a real database."""

    def __init__(self, database: Database, tickets: Tickets, clock: Clock) -> None:
        super().__init__(database, tickets, clock)
        self.post = Post()
        self.outbox = Outbox(database, None, clock)
        self.resets = PinResets(database, self.service, Registry(), self.post, self.outbox, clock)

    async def outcomes(self) -> list[tuple[int | None, str]]:
        async with self.database.transaction() as session:
            rows = await session.scalars(select(ResetRow).order_by(ResetRow.id))
        return [(row.person, row.outcome) for row in rows]


@asynccontextmanager
async def open_desk(database: Database, tickets: Tickets, clock: Clock) -> AsyncIterator[Desk]:
    made = Desk(database, tickets, clock)
    sending = asyncio.create_task(made.outbox.run())
    yield made
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.fixture
async def desk(database: Database, tickets: Tickets, clock: Clock) -> AsyncIterator[Desk]:
    async with open_desk(database, tickets, clock) as made:
        yield made


async def test_the_pin_that_was_sent_is_good_for_one_call(desk: Desk) -> None:
    await desk.service.issue_pin(LEE, KIM)
    assert await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE) is Asked.ACCEPTED
    await desk.outbox.settled()

    ((person, pin),) = desk.post.sent
    assert person == LEE
    first = await desk.service.caller_check(EMPLOYEE, pin, PHONE)
    assert (first.is_confirmed, first.person, first.one_time) == (True, LEE, True)
    assert (await desk.service.caller_check(EMPLOYEE, pin, PHONE)).result is CheckResult.WRONG


async def test_a_strangers_wish_leaves_the_pin_that_works(desk: Desk) -> None:
    """Employee and mobile numbers stand on visiting cards: whoever knows both must not take a PIN away."""
    chosen = await desk.service.issue_pin(LEE, KIM)
    await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE)
    await desk.outbox.settled()
    await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE)
    await desk.outbox.settled()

    check = await desk.service.caller_check(LEE, chosen, PHONE)
    assert (check.is_confirmed, check.one_time) == (True, False)
    assert not (await desk.service.caller_check(LEE, desk.post.sent[0][1])).is_confirmed, "the second replaced it"
    desk.clock.pass_by(seconds=ONE_TIME_FOR.total_seconds())
    assert (await desk.service.caller_check(LEE, chosen, PHONE)).is_confirmed
    standing = await desk.service.standing(LEE)
    assert (standing.set_by, standing.good_until) == ("kim", None), "one that has ended is not shown in its place"


async def test_whoever_uses_the_pin_that_was_sent_has_the_old_one_no_more(desk: Desk) -> None:
    chosen = await desk.service.issue_pin(LEE, KIM)
    await desk.resets.send(LEE, KIM)

    assert (await desk.service.caller_check(LEE, desk.post.sent[0][1])).one_time

    assert (await desk.service.caller_check(LEE, chosen)).result is CheckResult.WRONG


async def test_a_pin_chosen_by_telephone_or_by_the_desk_is_the_only_one(desk: Desk) -> None:
    old = await desk.service.issue_pin(LEE, KIM)
    await desk.resets.send(LEE, KIM)
    assert await desk.service.choose_by_telephone(EMPLOYEE, old, "271931")

    for gone in (old, desk.post.sent[0][1]):
        assert not (await desk.service.caller_check(LEE, gone)).is_confirmed
    await desk.resets.send(LEE, KIM)
    new = await desk.service.issue_pin(LEE, KIM)
    assert not (await desk.service.caller_check(LEE, desk.post.sent[1][1])).is_confirmed
    assert (await desk.service.caller_check(LEE, new)).is_confirmed
    await desk.service.remove_pin(LEE)
    assert not (await desk.service.standing(LEE)).is_set


async def test_a_pin_that_is_sent_gives_no_further_guesses_at_the_one_beside_it(desk: Desk) -> None:
    """Else a stranger who knows two numbers of somebody's asks for one after the other, and guesses on."""
    chosen = await desk.service.issue_pin(LEE, KIM)
    for _ in range(10):
        await desk.service.caller_check(LEE, "0")
        desk.clock.pass_by(seconds=1000)

    await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE)
    await desk.outbox.settled()

    assert not (await desk.service.caller_check(LEE, chosen)).is_confirmed, "it is locked"
    assert (await desk.service.caller_check(LEE, desk.post.sent[0][1])).is_confirmed


async def test_guesses_at_a_pin_that_was_sent_count_for_both(desk: Desk) -> None:
    chosen = await desk.service.issue_pin(LEE, KIM)
    await desk.resets.send(LEE, KIM)
    for _ in range(3):
        await desk.service.caller_check(LEE, "0")

    assert (await desk.service.caller_check(LEE, chosen)).result is CheckResult.PAUSED
    desk.clock.pass_by(seconds=1000)
    assert (await desk.service.caller_check(LEE, chosen)).is_confirmed
    assert (await desk.service.standing(LEE)).wrong_in_a_row == 0


async def test_of_two_calls_at_once_one_is_heard(desk: Desk) -> None:
    await desk.resets.send(LEE, KIM)
    pin = desk.post.sent[0][1]

    checks = await asyncio.gather(*(desk.service.caller_check(LEE, pin) for _ in range(3)))

    assert sorted(check.is_confirmed for check in checks) == [False, False, True]


async def test_a_pin_that_was_sent_ends_by_itself(desk: Desk) -> None:
    await desk.resets.send(LEE, KIM)
    desk.clock.pass_by(seconds=ONE_TIME_FOR.total_seconds())

    assert not (await desk.service.caller_check(LEE, desk.post.sent[0][1])).is_confirmed


async def test_the_caller_chooses_their_own_pin_after_it(desk: Desk) -> None:
    await desk.resets.send(LEE, KIM)
    pin = desk.post.sent[0][1]
    assert (await desk.service.caller_check(EMPLOYEE, pin)).is_confirmed

    for easy in ("1111", "0417", pin):
        with pytest.raises(BadInput):
            await desk.service.choose_by_telephone(EMPLOYEE, pin, easy)
    assert await desk.service.choose_by_telephone(EMPLOYEE, pin, "271931")

    for _ in range(2):
        check = await desk.service.caller_check(EMPLOYEE, "271931")
        assert (check.is_confirmed, check.one_time) == (True, False)
    assert not await desk.service.choose_by_telephone(EMPLOYEE, pin, "582931")


async def test_choosing_ends_ten_minutes_after_the_call(desk: Desk) -> None:
    await desk.resets.send(LEE, KIM)
    pin = desk.post.sent[0][1]
    assert (await desk.service.caller_check(EMPLOYEE, pin)).is_confirmed
    desk.clock.pass_by(seconds=CHOOSE_WITHIN.total_seconds())

    assert not await desk.service.choose_by_telephone(EMPLOYEE, pin, "271931")


async def test_a_wrong_pin_chooses_nothing_and_counts_as_a_guess(desk: Desk) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    for _ in range(3):
        assert not await desk.service.choose_by_telephone(EMPLOYEE, "000000", "271931", ELSEWHERE)

    assert (await desk.service.caller_check(LEE, pin)).result is CheckResult.PAUSED


async def test_a_stranger_hears_what_the_owner_hears_and_nothing_is_sent(desk: Desk) -> None:
    for employee, mobile in ((EMPLOYEE, "01099999999"), ("20219999", PHONE), ("", "")):
        assert await desk.resets.ask(employee, mobile, f"call-{employee}{mobile}") is Asked.ACCEPTED
    await desk.outbox.settled()

    assert not desk.post.sent
    assert await desk.outcomes() == [(None, "wrong")] * 3


async def test_one_telephone_asks_a_few_times_in_an_hour_right_or_wrong(desk: Desk) -> None:
    for turn in range(ASKED_FROM_A_NUMBER):
        assert await desk.resets.ask(f"2022000{turn}", PHONE, ELSEWHERE) is Asked.ACCEPTED
    assert await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE) is Asked.PAUSED
    assert await desk.resets.ask(EMPLOYEE, PHONE, PHONE) is Asked.ACCEPTED
    desk.clock.pass_by(seconds=3700)
    assert await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE) is Asked.ACCEPTED
    await desk.outbox.settled()

    assert len(desk.post.sent) == 2


async def test_nobody_is_flooded_and_the_desk_can_still_send(desk: Desk) -> None:
    asked = await asyncio.gather(*(desk.resets.ask(EMPLOYEE, PHONE, f"call-{turn}") for turn in range(6)))
    await desk.outbox.settled()

    assert set(asked) == {Asked.ACCEPTED}
    assert len(desk.post.sent) == SENT_A_DAY
    assert (await desk.resets.send(LEE, KIM)).to == "010-****-5678"
    desk.clock.pass_by(seconds=timedelta(hours=25).total_seconds())
    await desk.resets.ask(EMPLOYEE, PHONE, "another call")
    await desk.outbox.settled()
    assert len(desk.post.sent) == SENT_A_DAY + 2


async def test_a_locked_pin_is_opened_by_a_new_one(desk: Desk) -> None:
    await desk.service.issue_pin(LEE, KIM)
    for _ in range(10):
        await desk.service.caller_check(LEE, "0")
        desk.clock.pass_by(seconds=1000)
    assert (await desk.service.standing(LEE)).state is CheckResult.LOCKED

    await desk.resets.ask(EMPLOYEE, PHONE, PHONE)
    await desk.outbox.settled()

    assert (await desk.service.caller_check(LEE, desk.post.sent[0][1])).is_confirmed


async def test_what_cannot_be_sent_leaves_the_old_pin(desk: Desk) -> None:
    old = await desk.service.issue_pin(LEE, KIM)
    desk.post.refuses = Conflict("거절", "refused")

    with pytest.raises(Conflict):
        await desk.resets.send(LEE, KIM)
    assert await desk.resets.ask(EMPLOYEE, PHONE, PHONE) is Asked.ACCEPTED
    await desk.outbox.settled()

    last = await desk.resets.last(LEE)
    assert last is not None
    assert (last.by, last.outcome, last.way) == ("caller", Outcome.NOT_SENT, "")
    assert (await desk.service.caller_check(LEE, old)).is_confirmed
    desk.post.refuses = None
    assert await desk.resets.ask(EMPLOYEE, PHONE, PHONE) is Asked.ACCEPTED
    await desk.outbox.settled()
    assert len(desk.post.sent) == 1


async def test_what_could_not_be_sent_counts_too_because_some_of_it_goes_out(desk: Desk) -> None:
    desk.post.refuses = Conflict("거절", "refused")
    for turn in range(SENT_A_DAY):
        await desk.resets.ask(EMPLOYEE, PHONE, f"call-{turn}")
        await desk.outbox.settled()
    desk.post.refuses = None

    assert await desk.resets.ask(EMPLOYEE, PHONE, "another call") is Asked.ACCEPTED
    await desk.outbox.settled()

    assert not desk.post.sent
    assert [said for _, said in await desk.outcomes()] == ["not_sent"] * SENT_A_DAY + ["too_many"]
    assert (await desk.resets.send(LEE, KIM)).way == "sms", "the desk still sends"


async def test_a_wish_that_the_desk_did_not_live_to_meet_is_met_when_it_is_back(
    database: Database, tickets: Tickets, clock: Clock
) -> None:
    before = Desk(database, tickets, clock)
    await before.resets.ask(EMPLOYEE, PHONE, PHONE)

    async with open_desk(database, tickets, clock) as after:
        await after.outbox.settled()

    assert await after.outcomes() == [(LEE, "sent")]
    ((_, pin),) = after.post.sent
    assert (await after.service.caller_check(LEE, pin)).is_confirmed


async def test_a_pin_whose_sending_was_cut_short_is_sent_anew_because_the_first_one_is_not_good(
    database: Database, tickets: Tickets, clock: Clock
) -> None:
    before = Desk(database, tickets, clock)
    before.post.hangs = asyncio.Event()
    await before.resets.ask(EMPLOYEE, PHONE, PHONE)
    await before.outbox.look_once()
    await asyncio.wait_for(before.post.told.wait(), 5)

    async with open_desk(database, tickets, clock) as after:
        await after.outbox.settled()
        ((_, first),), ((_, second),) = before.post.sent, after.post.sent

        assert not (await after.service.caller_check(LEE, first)).is_confirmed
        assert (await after.service.caller_check(LEE, second)).is_confirmed
        (kept,), _ = await after.outbox.page()
        assert (kept.state, kept.tries, kept.text) == (State.SENT, 2, "")


async def test_an_agent_who_was_cut_off_asks_again_themselves(
    database: Database, tickets: Tickets, clock: Clock
) -> None:
    before = Desk(database, tickets, clock)
    before.post.hangs = asyncio.Event()
    asking = asyncio.create_task(before.resets.send(LEE, KIM))
    await asyncio.wait_for(before.post.told.wait(), 5)
    asking.cancel()

    async with open_desk(database, tickets, clock) as after:
        await after.outbox.settled()

    assert (after.post.sent, await after.outcomes()) == ([], [(LEE, "not_sent")])


async def test_a_pin_that_nobody_takes_now_is_tried_again_and_never_kept_readable(desk: Desk) -> None:
    desk.post.refuses = TakenLater("나중에", "later")
    await desk.resets.ask(EMPLOYEE, PHONE, PHONE)
    await desk.outbox.settled()
    last = await desk.resets.last(LEE)
    assert last is not None
    assert last.outcome is Outcome.WAITING

    desk.post.refuses = None
    desk.clock.pass_by(seconds=6)
    await desk.outbox.settled()

    ((_, pin),) = desk.post.sent
    assert (await desk.service.caller_check(LEE, pin)).is_confirmed
    async with desk.database.transaction() as session:
        kept = (await session.execute(select(OutgoingRow.__table__))).mappings().all()
    assert len(kept) == 1
    assert pin not in str(kept)


async def test_without_a_way_to_send_the_desk_says_so(desk: Desk) -> None:
    alone = PinResets(desk.database, desk.service, Registry(), None, Outbox(desk.database, None), desk.clock)
    assert not alone.can_send
    assert await alone.ask(EMPLOYEE, PHONE, PHONE) is Asked.UNAVAILABLE
    with pytest.raises(Conflict, match="sending"):
        await alone.send(LEE, KIM)
    with pytest.raises(NotFound):
        await desk.resets.send(99, KIM)


async def test_more_wishes_than_can_wait_are_the_desks_work(
    database: Database, tickets: Tickets, clock: Clock
) -> None:
    idle = Desk(database, tickets, clock)
    for turn in range(MOST_WAITING):
        async with database.transaction() as session:
            await idle.outbox.ask(session, Purpose.PIN, turn, LEE, "caller")

    assert await idle.resets.ask(EMPLOYEE, PHONE, PHONE) is Asked.UNAVAILABLE


@pytest.mark.parametrize(
    ("to", "shown"),
    [("010-1234-5678", "010-****-5678"), ("+82 1-1234-5678", "+82 1-****-5678"), ("l@example.org", "l***@example.org")],
)
def test_the_desk_sees_where_it_went_and_not_the_whole_of_it(to: str, shown: str) -> None:
    assert covered(to) == shown


# ---- what is forgotten -----------------------------------------------------------------------------------------------


async def test_guesses_are_forgotten_and_a_locked_pin_stays_locked(desk: Desk) -> None:
    await desk.service.issue_pin(LEE, KIM)
    await desk.service.caller_check("nobody", "1", ELSEWHERE)
    for _ in range(10):
        await desk.service.caller_check(LEE, "0", ELSEWHERE)
        desk.clock.pass_by(seconds=4000)

    assert await desk.service.purge(desk.clock()) == 1
    assert (await desk.service.standing(LEE)).state is CheckResult.LOCKED
    async with desk.database.transaction() as session:
        assert set(await session.scalars(select(GuessRow.number))) == {""}

    pin = await desk.service.issue_pin(LEE, KIM)
    assert await desk.service.purge(desk.clock()) == 9, "the newest keeps the count of guesses going"
    await desk.service.caller_check(LEE, "0", ELSEWHERE)
    assert (await desk.service.caller_check(LEE, pin, PHONE)).is_confirmed
    desk.clock.pass_by(seconds=1)
    assert await desk.service.purge(desk.clock()) == 2, "the wrong one before a right one counts no more"
    await desk.service.caller_check(LEE, "0", ELSEWHERE)
    assert (await desk.service.standing(LEE)).wrong_in_a_row == 1


async def test_wishes_for_a_pin_are_forgotten(desk: Desk) -> None:
    await desk.resets.send(LEE, KIM)
    desk.clock.pass_by(seconds=1)

    assert await desk.resets.purge(desk.clock()) == 1
    assert await desk.resets.last(LEE) is None


async def test_a_pin_that_was_not_sent_is_sent_again_as_another_one_and_the_desk_asked_for_it(desk: Desk) -> None:
    desk.post.refuses = Conflict("등록된 번호가 없습니다.", "no number is known")
    await desk.resets.ask(EMPLOYEE, PHONE, ELSEWHERE)
    await desk.outbox.settled()
    ((failed,), _) = await desk.outbox.page()
    assert failed.can_go_again
    desk.post.refuses = None

    await desk.outbox.send_again(failed.id, KIM)
    await desk.outbox.settled()

    ((person, pin),) = desk.post.sent
    assert (person, (await desk.service.caller_check(LEE, pin)).is_confirmed) == (LEE, True)
    assert await desk.outcomes() == [(LEE, Outcome.NOT_SENT), (LEE, Outcome.SENT)]
    last = await desk.resets.last(LEE)
    assert last is not None
    assert (last.by, last.outcome) == ("kim", Outcome.SENT)
