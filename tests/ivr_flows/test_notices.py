"""Notices to callers: who hears them, when, and who did without an agent because of them."""

import itertools
from datetime import datetime, timedelta

import pytest

from changgu.acd.facts import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    MenuStepTaken,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.publishing.callers.service import Notices
from changgu.ivr_flows.publishing.notices import Announcement, mark_of, marked, parts_of
from changgu.ivr_flows.session import DigitsGathered, GreetingEnded, MarkNode, Visit, resume, start
from tests.ivr_flows.menu_house import BOSS, NINE, UNSPEAKABLE, MenuHouse

NETWORK = QueueName("network")
OUTAGE = {"ko": "내부망에 장애가 있어 복구하고 있습니다."}
numbers = itertools.count(1)


async def put(house: MenuHouse, *places: str, hours: float = 1, starts: datetime | None = None) -> int:
    begins = starts or house.clock
    notice = await house.notices.put_on_air(
        OUTAGE, places, starts, begins + timedelta(hours=hours), BOSS, house.menu.places()
    )
    return notice.id


def happen(house: MenuHouse, *facts: Fact) -> None:
    for fact in facts:
        house.facts.hear(Recorded(next(numbers), house.clock.timestamp(), fact))


def hears(house: MenuHouse, call: CallId, notice: int) -> None:
    happen(house, CallStarted(call, Direction.INBOUND, None, "1000"), MenuStepTaken(call, mark_of(notice), None))


def ends(call: CallId, outcome: Outcome) -> CallEnded:
    return CallEnded(call, outcome, Ender.CALLER)


async def result(house: MenuHouse, notice: int) -> tuple[int, int]:
    found = next(one for one in await house.notices.lines() if one.id == notice)
    return found.heard, found.deflected


async def test_a_notice_is_spoken_first_and_then_heard_by_the_next_caller(house: MenuHouse) -> None:
    id = await put(house, "desk")
    assert house.voice.spoken == [(OUTAGE["ko"], "ko")]
    assert [one.id for one in house.notices.for_call("c1", "desk")] == [id]
    assert house.notices.for_call("c1", "queue:network") == []


async def test_it_begins_and_ends_by_itself(house: MenuHouse) -> None:
    await put(house, "queue:network", starts=NINE + timedelta(hours=1), hours=2)
    heard = []
    for _ in range(5):
        heard.append(len(house.notices.now("queue:network")))
        house.wind(hours=1)
    assert heard == [0, 1, 1, 0, 0]


async def test_it_is_taken_off_at_once_and_only_while_it_is_on(house: MenuHouse) -> None:
    id = await put(house, "desk")
    withdrawn = await house.notices.withdraw(id, BOSS)
    assert (withdrawn.withdrawn_by, house.notices.now("desk")) == ("boss", [])
    with pytest.raises(NotFound):
        await house.notices.withdraw(id, BOSS)
    late = await put(house, "desk")
    house.wind(hours=2)
    with pytest.raises(Conflict):
        await house.notices.withdraw(late, BOSS)


@pytest.mark.parametrize(
    ("sentences", "places", "hours", "field"),
    [
        ({"ko": "  "}, ["desk"], 1, "sentences"),
        ({"en": "An outage."}, ["desk"], 1, "sentences"),
        ({"ko": "가" * 301}, ["desk"], 1, "sentences"),
        ({"ko": f"눈사람 {UNSPEAKABLE}"}, ["desk"], 1, "sentences"),
        (OUTAGE, [], 1, "places"),
        (OUTAGE, ["queue:nowhere"], 1, "places"),
        (OUTAGE, ["desk"], 0, "ends_at"),
        (OUTAGE, ["desk"], 24 * 32, "ends_at"),
    ],
)
async def test_what_nobody_could_hear_is_refused(
    house: MenuHouse, sentences: dict[str, str], places: list[str], hours: float, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await house.notices.put_on_air(
            sentences, places, None, NINE + timedelta(hours=hours), BOSS, house.menu.places()
        )
    assert refused.value.field == field
    assert await house.notices.lines() == []


async def test_a_desk_that_opens_again_still_says_it(house: MenuHouse, database: Database) -> None:
    id = await put(house, "desk")
    again = Notices(house.notices._store, "ko", now=house.now)
    again.join(house.voice)
    await again._take_up()
    assert [one.id for one in again.now("desk")] == [id]


async def test_the_callers_own_language_is_spoken_where_there_is_a_sentence_in_it(house: MenuHouse) -> None:
    id = await put(house, "desk")
    both = await house.notices.put_on_air(
        {**OUTAGE, "en": "An outage."}, ["desk"], None, NINE + timedelta(hours=1), BOSS, house.menu.places()
    )
    korean = next(one for one in house.notices.now("desk") if one.id == id)
    assert korean.in_language("en", "ko") == ("ko", OUTAGE["ko"])
    assert both.in_language("en", "ko") == ("en", "An outage.")


async def test_a_notice_from_before_the_desk_changed_its_language_is_still_said(house: MenuHouse) -> None:
    await put(house, "desk")
    (korean,) = house.notices.now("desk")
    for language in ("en", "ko"):
        assert korean.in_language(language, "en") == ("ko", OUTAGE["ko"])


# ---- between the steps of a visit


async def test_everybody_hears_it_after_the_greeting_and_whoever_goes_to_the_queue_on_the_way(
    house: MenuHouse,
) -> None:
    everybody, queue = await put(house, "desk"), await put(house, "queue:network")
    flow = house.versions.current("1000").flow
    turn = start(flow, Visit())
    parts = parts_of(turn, house.notices.now, begins=True)

    place = next(number for number, part in enumerate(parts) if isinstance(part, Announcement))
    before, notice, after = parts[place - 1], parts[place], parts[place + 1]
    assert isinstance(notice, Announcement)
    assert notice.notice.id == everybody
    assert isinstance(before, tuple)
    assert isinstance(before[-1], GreetingEnded)
    assert isinstance(after, tuple)
    assert isinstance(after[0], MarkNode)
    assert sum(isinstance(part, Announcement) for part in parts) == 1

    chosen = parts_of(resume(flow, turn.state, DigitsGathered("2")), house.notices.now, begins=False)
    assert isinstance(chosen[-1], Announcement)
    assert chosen[-1].notice.id == queue


async def test_a_notice_for_a_service_is_heard_where_the_caller_comes_to_it_and_only_once(house: MenuHouse) -> None:
    id = await put(house, "service:ticket_status", "queue:helpdesk")
    flow = house.versions.current("1000").flow
    turn = resume(flow, start(flow, Visit()).state, DigitsGathered("8"))
    parts = parts_of(turn, lambda place: house.notices.for_call("c1", place), begins=False)
    assert [type(part) for part in parts] == [tuple, Announcement, tuple]
    hears(house, CallId("c1"), id)
    assert house.notices.for_call("c1", "queue:helpdesk") == []


def test_the_mark_of_a_notice_is_no_place_of_a_menu() -> None:
    assert marked(mark_of(12)) == 12
    assert marked("notice") is marked("services") is marked("notice:x") is None


# ---- who did without an agent


@pytest.mark.parametrize("outcome", [Outcome.ABANDONED_IN_MENU, Outcome.SELF_SERVED])
async def test_whoever_ends_the_call_in_the_menu_after_hearing_it_is_deflected(
    house: MenuHouse, outcome: Outcome
) -> None:
    id = await put(house, "desk")
    hears(house, CallId("c1"), id)
    house.wind(minutes=3)
    happen(house, ends(CallId("c1"), outcome))
    happen(house, CallStarted(CallId("c2"), Direction.INBOUND, None, "1000"), ends(CallId("c2"), outcome))
    assert await result(house, id) == (1, 1)
    await house.notices.flush()
    assert await result(house, id) == (1, 1)


@pytest.mark.parametrize(("seconds", "deflected"), [(30, 1), (31, 0)])
async def test_in_a_queue_it_must_be_soon(house: MenuHouse, seconds: float, deflected: int) -> None:
    id = await put(house, "queue:network")
    hears(house, CallId("c1"), id)
    happen(house, CallQueued(CallId("c1"), NETWORK, 0))
    house.wind(seconds=seconds)
    happen(house, ends(CallId("c1"), Outcome.ABANDONED_IN_QUEUE))
    assert await result(house, id) == (1, deflected)


async def test_whoever_talked_with_an_agent_was_not_deflected(house: MenuHouse) -> None:
    id = await put(house, "desk")
    hears(house, CallId("c1"), id)
    happen(house, CallQueued(CallId("c1"), NETWORK, 0))
    happen(house, CallAnswered(CallId("c1"), AgentId("kim"), OfferId(1), NETWORK))
    happen(house, ends(CallId("c1"), Outcome.ANSWERED))
    assert await result(house, id) == (1, 0)
