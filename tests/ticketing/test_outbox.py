"""No message to a caller is lost when the desk stops, none is sent twice that is known to be sent, all are seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text

from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import Conflict, NotFound, Trouble
from changgu.ticketing.outbox import service
from changgu.ticketing.outbox.outgoing import (
    ASKED_AFTER,
    PAUSES,
    TOO_OLD,
    TRIES,
    Arrival,
    MaybeTaken,
    Outgoing,
    Receipt,
    State,
    TakenLater,
)
from changgu.ticketing.outbox.service import Outbox
from changgu.ticketing.outbox.store import OutgoingRow
from tests.ticketing.conftest import Clock

PHONE = "01012345678"
BOSS = Actor("boss", "박팀장", Role.SUPERVISOR)
ANSWER = "접수 1030039는 처리 중입니다."


class Deliverer:
    """Takes messages, or says why not; `hangs` keeps it from answering."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []
        self.trouble: Exception | None = None
        self.hangs: asyncio.Event | None = None
        self.told = asyncio.Event()
        self.knows: Receipt | None = Receipt(Arrival.UNKNOWN)
        self.asked = 0

    async def send(self, kind: str, to: str, text: str, subject: str) -> str:
        self.told.set()
        if self.hangs is not None:
            await self.hangs.wait()
        if self.trouble is not None:
            raise self.trouble
        self.taken.append((kind, to, text))
        return f"SM{len(self.taken)}"

    async def arrived(self, kind: str, receipt: str) -> Receipt | None:
        assert (kind, receipt) == ("sms", "SM1")
        self.asked += 1
        return self.knows


class Desk:
    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock, self.post = clock, Deliverer()
        self.outbox = Outbox(database, self.post, clock)

    async def send(self, text: str = ANSWER) -> None:
        await self.outbox.send("sms", PHONE, text, "", "pbx-1.7")

    async def only(self) -> Outgoing:
        (message,), _ = await self.outbox.page()
        return message


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Desk]:
    sending = asyncio.create_task(desk.outbox.run())
    yield desk
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.fixture
def desk(database: Database, clock: Clock) -> Desk:
    return Desk(database, clock)


async def test_an_answer_is_kept_before_it_is_sent_and_its_words_go_when_it_is(desk: Desk) -> None:
    desk.post.hangs = asyncio.Event()
    asking = asyncio.create_task(desk.send())
    await asyncio.wait_for(desk.post.told.wait(), 5)

    kept = await desk.only()
    assert (kept.state, kept.text, kept.to, kept.call) == (State.SENDING, ANSWER, PHONE, "pbx-1.7")
    desk.post.hangs.set()
    await asking

    kept = await desk.only()
    assert (kept.state, kept.text, kept.receipt, kept.tries) == (State.SENT, "", "SM1", 1)


async def test_who_hangs_up_while_it_is_being_kept_gets_it_all_the_same(desk: Desk, database: Database) -> None:
    async with database.transaction() as before:
        await before.execute(delete(OutgoingRow))  # somebody else writes, so it has to wait for its turn
        asking = asyncio.create_task(desk.send())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await desk.outbox.settled()

    assert desk.post.taken == [("sms", PHONE, ANSWER)]
    assert (await desk.only()).state is State.SENT


async def test_what_is_refused_is_told_to_the_caller_and_seen_by_supervisors(desk: Desk) -> None:
    desk.post.trouble = Conflict("없는 번호입니다.", "no such number")

    with pytest.raises(Conflict, match="no such number"):
        await desk.send()

    kept = await desk.only()
    assert (kept.state, kept.why_ko, kept.why_en, kept.text) == (
        State.REFUSED, "없는 번호입니다.", "no such number", ANSWER
    )  # fmt: skip
    assert await desk.outbox.failed_lately() == 1
    assert (await desk.outbox.page(failed=True))[0] == [kept]
    desk.clock.pass_by(hours=25)
    assert await desk.outbox.failed_lately() == 0


async def test_whoever_is_away_is_tried_again_and_the_caller_does_not_wait_for_it(desk: Desk) -> None:
    desk.post.trouble = TakenLater("연결하지 못했습니다.", "away")
    await desk.send()
    assert ((await desk.only()).state, desk.post.taken) == (State.WAITING, [])

    desk.post.trouble = None
    await desk.outbox.settled()
    assert not desk.post.taken, "not before its time"
    desk.clock.pass_by(seconds=PAUSES[0].total_seconds())
    await desk.outbox.settled()

    assert desk.post.taken == [("sms", PHONE, ANSWER)]
    assert ((await desk.only()).state, (await desk.only()).tries) == (State.SENT, 2)


async def test_tries_are_bounded_and_then_supervisors_see_why(desk: Desk) -> None:
    desk.post.trouble = TakenLater("연결하지 못했습니다.", "away")
    await desk.send()
    for pause in PAUSES:
        assert (await desk.only()).state is State.WAITING
        desk.clock.pass_by(seconds=pause.total_seconds())
        await desk.outbox.settled()

    kept = await desk.only()
    assert (kept.state, kept.tries, kept.why_en, kept.next_at) == (State.REFUSED, TRIES, "away", None)


async def test_a_desk_that_was_away_sends_what_waited(desk: Desk, database: Database) -> None:
    desk.post.trouble = TakenLater("연결하지 못했습니다.", "away")
    await desk.send()
    desk.clock.pass_by(minutes=20)

    async with running(Desk(database, desk.clock)) as after:
        await asyncio.wait_for(after.post.told.wait(), 5)
        await after.outbox.settled()

    assert after.post.taken == [("sms", PHONE, ANSWER)]


async def test_after_a_day_nobody_wants_the_answer_any_more(desk: Desk) -> None:
    desk.post.trouble = TakenLater("연결하지 못했습니다.", "away")
    await desk.send()
    desk.post.trouble = None
    desk.clock.pass_by(seconds=TOO_OLD.total_seconds())
    await desk.outbox.settled()

    kept = await desk.only()
    assert (kept.state, desk.post.taken) == (State.REFUSED, [])
    assert "a day has passed" in kept.why_en


async def test_what_was_cut_short_is_not_sent_again_because_it_may_have_gone_out(
    desk: Desk, database: Database
) -> None:
    desk.post.hangs = asyncio.Event()
    asking = asyncio.create_task(desk.send())
    await asyncio.wait_for(desk.post.told.wait(), 5)
    asking.cancel()

    async with running(Desk(database, desk.clock)) as after:
        await after.outbox.settled()

    kept = await after.only()
    assert (kept.state, after.post.taken) == (State.UNCLEAR, [])
    assert "the desk ended" in kept.why_en


async def test_whoever_gave_no_answer_is_not_told_twice(desk: Desk) -> None:
    desk.post.trouble = MaybeTaken("답하지 않았습니다.", "no answer")
    with pytest.raises(MaybeTaken):
        await desk.send()
    desk.post.trouble = None
    desk.clock.pass_by(hours=2)
    await desk.outbox.settled()

    assert ((await desk.only()).state, desk.post.taken) == (State.UNCLEAR, [])


async def test_a_desk_that_ends_hears_whoever_delivers_out(desk: Desk) -> None:
    desk.post.hangs = asyncio.Event()
    async with running(desk):
        asking = asyncio.create_task(desk.send())
        await asyncio.wait_for(desk.post.told.wait(), 5)
        asyncio.get_running_loop().call_later(0.1, desk.post.hangs.set)
    await asking

    assert (await desk.only()).state is State.SENT


async def test_a_caller_waits_for_one_try_and_not_for_a_slow_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CALLER_WAITS", 0.05)
    desk.post.hangs = asyncio.Event()

    await asyncio.wait_for(desk.send(), 2)

    assert (await desk.only()).state is State.SENDING
    desk.post.hangs.set()
    await desk.outbox.settled()
    assert (await desk.only()).state is State.SENT


async def test_what_is_known_to_be_sent_is_not_sent_again_while_the_database_is_away(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "AFTER_TROUBLE", 0.01)
    desk.post.hangs = asyncio.Event()
    asking = asyncio.create_task(desk.send())
    await asyncio.wait_for(desk.post.told.wait(), 5)
    async with database.transaction() as session:
        await session.execute(text("ALTER TABLE outgoing_messages RENAME TO elsewhere"))
    desk.post.hangs.set()
    while not desk.post.taken:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not asking.done()
    async with database.transaction() as session:
        await session.execute(text("ALTER TABLE elsewhere RENAME TO outgoing_messages"))
    await asyncio.wait_for(asking, 5)
    await desk.outbox.settled()

    assert ((await desk.only()).state, len(desk.post.taken)) == (State.SENT, 1)


@pytest.mark.parametrize(
    ("knows", "arrival", "failed"),
    [
        (Receipt(Arrival.DELIVERED), Arrival.DELIVERED, 0),
        (Receipt(Arrival.UNDELIVERED, "꺼져 있음", "the handset is off"), Arrival.UNDELIVERED, 1),
    ],
)
async def test_the_service_is_asked_whether_it_arrived(
    desk: Desk, knows: Receipt, arrival: Arrival, failed: int
) -> None:
    await desk.send()
    await desk.outbox.settled()
    assert desk.post.asked == 0
    desk.clock.pass_by(seconds=ASKED_AFTER[0].total_seconds())
    await desk.outbox.settled()
    assert (desk.post.asked, (await desk.only()).arrival) == (1, Arrival.UNKNOWN)

    desk.post.knows = knows
    desk.clock.pass_by(seconds=ASKED_AFTER[1].total_seconds())
    await desk.outbox.settled()
    desk.clock.pass_by(hours=20)
    await desk.outbox.settled()

    kept = await desk.only()
    assert (desk.post.asked, kept.state, kept.arrival, kept.why_en) == (2, State.SENT, arrival, knows.en)
    assert await desk.outbox.failed_lately() == failed


async def test_a_message_sent_again_has_a_day_and_tries_of_its_own(desk: Desk) -> None:
    desk.post.trouble = TakenLater("나중에", "later")
    await desk.send()
    desk.clock.pass_by(hours=30)
    await desk.outbox.settled()
    old = await desk.only()
    assert (old.state, old.can_go_again) == (State.REFUSED, True)

    new = await desk.outbox.send_again(old.id, BOSS)
    await desk.outbox.settled()
    (waiting, failed), _ = await desk.outbox.page()
    assert (waiting.state, waiting.tries, waiting.most, waiting.call) == (State.WAITING, 1, TRIES, "pbx-1.7")
    assert (failed.state, failed.again, failed.again_by, failed.text) == (State.REFUSED, new.id, "boss", "")
    assert await desk.outbox.failed_lately() == 0
    desk.post.trouble = None
    desk.clock.pass_by(seconds=PAUSES[0].total_seconds())
    await desk.outbox.settled()

    assert desk.post.taken == [("sms", PHONE, ANSWER)]


async def test_only_what_failed_and_has_its_words_goes_again_and_only_once(desk: Desk, database: Database) -> None:
    await desk.send()
    await desk.outbox.settled()
    with pytest.raises(Conflict, match="has not failed"):
        await desk.outbox.send_again(1, BOSS)
    desk.post.knows = Receipt(Arrival.UNDELIVERED, "꺼져 있음", "the handset is off")
    desk.clock.pass_by(seconds=ASKED_AFTER[0].total_seconds())
    await desk.outbox.settled()
    assert not (await desk.only()).can_go_again, "what was taken over is not kept"
    with pytest.raises(Conflict, match="words are gone"):
        await desk.outbox.send_again(1, BOSS)
    with pytest.raises(NotFound):
        await desk.outbox.send_again(9, BOSS)

    desk.post.trouble = MaybeTaken("응답 없음", "no answer")
    with pytest.raises(MaybeTaken):
        await desk.send()
    nobody = Outbox(database, None, desk.clock)
    with pytest.raises(Conflict, match="nothing sends"):
        await nobody.send_again(2, BOSS)
    both = await asyncio.gather(
        desk.outbox.send_again(2, BOSS), desk.outbox.send_again(2, BOSS), return_exceptions=True
    )  # fmt: skip
    assert sorted(type(one).__name__ for one in both) == ["Conflict", "Outgoing"]
    assert len((await desk.outbox.page())[0]) == 3


@pytest.mark.parametrize("knows", [None, Receipt(Arrival.UNKNOWN)], ids=["no receipts", "never says"])
async def test_it_is_not_asked_without_end(desk: Desk, knows: Receipt | None) -> None:
    desk.post.knows = knows
    await desk.send()
    for pause in ASKED_AFTER:
        desk.clock.pass_by(seconds=pause.total_seconds())
        await desk.outbox.settled()
    desk.clock.pass_by(hours=20)
    await desk.outbox.settled()

    assert desk.post.asked == (1 if knows is None else len(ASKED_AFTER))
    assert (await desk.only()).next_at is None


async def test_without_a_way_to_send_nothing_is_kept(database: Database, clock: Clock) -> None:
    outbox = Outbox(database, None, clock)

    with pytest.raises(Trouble, match="nothing sends"):
        await outbox.send("sms", PHONE, ANSWER)

    assert (await outbox.page(), outbox.can_send) == (([], None), False)


async def test_what_waited_when_sending_was_switched_off_is_seen(desk: Desk, database: Database) -> None:
    desk.post.trouble = TakenLater("연결하지 못했습니다.", "away")
    await desk.send()
    desk.clock.pass_by(minutes=1)
    after = Outbox(database, None, desk.clock)

    await after.settled()

    assert (await desk.only()).state is State.REFUSED


async def test_messages_are_forgotten_like_other_personal_data(desk: Desk, database: Database) -> None:
    await desk.send()
    desk.clock.pass_by(days=1)
    await desk.send()

    assert await desk.outbox.purge(desk.clock() - timedelta(hours=1)) == 1
    async with database.transaction() as session:
        assert len(list(await session.scalars(select(OutgoingRow.id)))) == 1


async def test_pages_follow_each_other(desk: Desk) -> None:
    for _ in range(3):
        await desk.send()

    first, cursor = await desk.outbox.page(limit=2)
    second, end = await desk.outbox.page(before=cursor, limit=2)

    assert ([one.id for one in (*first, *second)], end) == ([3, 2, 1], None)
