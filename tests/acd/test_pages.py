"""The pages of calls, in both languages, as an agent and a supervisor see them."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import get_args
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.api import CallDesk
from changgu.acd.events import CallArrived, CallerDialledIn, CallerHungUp
from changgu.acd.facts import (
    AgentStateChanged,
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallStarted,
    CallWidened,
    Choice,
    Departure,
    DesktopStateChanged,
    Direction,
    Ender,
    Fact,
    FloorTakenUp,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    ReasonLimitPassed,
    Recorded,
    StateRepaired,
    WaitAnnounced,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.pages import build_pages
from changgu.acd.queues import Agent, Destination, Floor, Overflow, Queue, Way
from changgu.acd.store import CallStore, FloorStore
from changgu.acd.timeline import tell
from changgu.app.rendering import SitePages
from changgu.ground.access import Role
from changgu.ground.database import Database
from tests.acd.test_api import NETWORK, Desk, Joins, OpenGate, answered_call, desk

__all__ = ["desk"]

SITE = SitePages()

Show = Callable[..., Awaitable[str]]


@pytest.fixture
def show(desk: Desk, database: Database) -> Show:
    floor = FloorStore(database)
    calls = CallDesk(CallStore(database), desk.ledger, floor, Joins())
    zone = ZoneInfo("Asia/Seoul")
    titles = {"main": "대표 안내"}
    slots = {"/calls/{id}/recordings": Role.AGENT, "/calls/{id}/trace": Role.SUPERVISOR}
    desk.app.include_router(build_pages(OpenGate(), SITE, calls, floor, zone, slots, titles.get))

    async def shown(path: str, actor: str = "boss", lang: str = "ko", status: int = 200) -> str:
        transport = httpx.ASGITransport(desk.app)
        cookies = {"changgu_language": lang}
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", cookies=cookies) as client:
            answer = await client.get(path, headers={"x-actor": actor})
        assert answer.status_code == status, answer.text
        return re.sub(r"\s+", " ", answer.text)

    return shown


async def test_the_list_shows_who_called_and_what_became_of_it(desk: Desk, show: Show) -> None:
    await answered_call(desk)
    page = await show("/calls")
    told = ("홍길동", "총무과", "01012345678", "네트워크", "김지은", "응답", "0:15", "/tickets/1000008", ">100-0008<")
    for expected in told:
        assert expected in page, expected
    assert "2026-09-21 23:13:20" in page  # the site's clock
    assert 'data-definition="대기열에 들어간 때부터' in page


async def test_an_empty_list_says_so(show: Show) -> None:
    assert "아직 통화가 없습니다." in await show("/calls")
    assert "No call matches." in await show("/calls?queue=pc", lang="en")


async def test_the_filters_are_kept_from_page_to_page(desk: Desk, show: Show) -> None:
    for number in range(51):
        await desk.happen(CallerDialledIn(CallId(f"c{number}"), "0212345678", "1000"))
    page = await show("/calls?caller=02-1234-5678&outcome=open&since=2026-09-21&until=2026-09-21")
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    second = await show(following[1].replace("&amp;", "&"))
    assert second.count('href="/calls/c') == 1
    assert 'value="02-1234-5678"' in second
    await show("/calls?since=yesterday", status=422)
    await show("/calls?outcome=lucky", status=422)
    await show("/calls?until=9999-12-31", status=422)


async def test_one_call_is_told_line_by_line(desk: Desk, show: Show) -> None:
    await answered_call(desk)
    page = await show("/calls/c1")
    told = [
        "1000번으로 전화가 옴 (발신 01012345678)", "메뉴: 대표 안내", "2번을 누름",
        "네트워크 대기열에 들어감",
        "김지은의 전화를 울림", "김지은 요원과 연결됨", "요원이 끊음: 응답", "김지은: 후처리 → 대기",
    ]  # fmt: skip
    places = [page.index(line) for line in told]
    assert places == sorted(places)
    assert 'data-slot="/calls/c1/recordings"' in page
    assert "data-live" not in page
    assert "Connected with 김지은" in await show("/calls/c1", lang="en")


async def test_a_call_s_page_asks_for_no_part_that_its_reader_may_not_see(desk: Desk, show: Show) -> None:
    await answered_call(desk)
    assert 'data-slot="/calls/c1/trace"' in await show("/calls/c1", "boss")
    own = await show("/calls/c1", "alice")
    assert 'data-slot="/calls/c1/recordings"' in own
    assert "trace" not in own


async def test_a_call_that_goes_on_keeps_its_page_alive(desk: Desk, show: Show) -> None:
    await desk.happen(CallerDialledIn(CallId("c1"), None, "1000"), CallArrived(CallId("c1"), NETWORK))
    assert 'data-live="3"' in await show("/calls/c1")
    await desk.happen(CallerHungUp(CallId("c1")))
    page = await show("/calls/c1")
    assert "data-live" not in page
    assert "발신번호 없음" in page


async def test_an_agent_finds_no_page_of_a_call_that_is_not_theirs(desk: Desk, show: Show) -> None:
    await answered_call(desk)
    await show("/calls/c1", actor="alice")
    await show("/calls/c1", actor="bob", status=404)


async def test_a_callers_number_cannot_become_part_of_the_page(desk: Desk, show: Show) -> None:
    call = CallId('c<"1')
    await desk.happen(CallerDialledIn(call, "<script>alert(1)</script>", "1000"))
    for path in ("/calls", "/calls/c%3C%221"):
        assert "<script>alert" not in await show(path)


SAID_ELSEWHERE = (
    NewsIgnored, NextStateRequested, PhoneStateChanged, DesktopStateChanged, WrapUpExtended, ReasonLimitPassed,
    CallbackAttempted, CallbackClosed, FloorTakenUp,
)  # fmt: skip
"""Facts about no call."""


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("kind", [kind for kind in get_args(Fact) if kind not in SAID_ELSEWHERE])
@settings(deadline=None)  # the first example builds the strategies
@given(data=st.data())
def test_every_fact_of_a_call_has_its_sentence(lang: str, kind: type, data: st.DataObject) -> None:
    (line,) = tell([Recorded(1, 0.0, data.draw(st.from_type(kind)))], Floor())
    text = line.text(lambda key, **words: SITE.catalogue.say(lang, key, **words))
    assert "timeline." not in text
    assert "departure." not in text or "departure." in repr(line.words)
    assert "state." not in text or "state." in repr(line.words)


def test_both_languages_say_the_same_things() -> None:
    one_sided = SITE.catalogue.one_sided()
    mine = ("calls.", "call.", "timeline.")
    assert not [key for keys in one_sided.values() for key in keys if key.startswith(mine)]


C1, B1, KIM, HELP = CallId("c1"), CallbackId("b1"), AgentId("kim"), QueueName("network")
NAMES = Floor((Queue(HELP, "네트워크"), Queue(QueueName("pc"), "PC")), (Agent(KIM, "김민준"),))


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (CallOverflowed(C1, HELP, Departure.WAITED, "queue:pc"), "최대 대기시간이 지남: PC 대기열로 보냄"),
        (CallOverflowed(C1, HELP, Departure.KEY, "voicemail", "1"), "번호를 누름: 음성메일로 보냄"),
        (
            CallWidened(C1, 90.0, frozenset({"vpn"}), frozenset({QueueName("pc")})),
            "기다린 지 1:30: PC 대기열의 요원도 받을 수 있게 함",
        ),
        (WaitAnnounced(C1, 2, 95.0), "2번째이고 1:35 안에 연결된다고 안내함"),
        (CallOffered(C1, KIM, OfferId(1), HELP, Choice.EVERYBODY), "김민준의 전화를 울림 (함께 울림)"),
        (OfferEnded(C1, KIM, OfferId(1), OfferEnd.ANSWERED_ELSEWHERE), "김민준보다 다른 요원이 먼저 받음"),
        (CallEnded(C1, Outcome.REFUSED, Ender.DESK, "full"), "연결 거절: 대기 인원이 참"),
        (CallEnded(C1, Outcome.NOT_REACHED, Ender.DESK, "busy"), "상대가 통화 중이거나 거절함"),
        (CallEnded(C1, Outcome.NOT_REACHED, Ender.DESK, "hours"), "걸기 전에 거둠"),
        (CallStarted(C1, Direction.OUTBOUND, None, "01012345678", B1), "01012345678번으로 전화를 검 (콜백)"),
        (
            CallbackBooked(B1, "01099998888", HELP, 60.0, 0.0, call=C1),
            "01099998888번에 콜백을 약속함 (네트워크 대기열)",
        ),
        (
            AgentStateChanged(
                KIM, AgentState.RESERVED, AgentState.NOT_READY, NotReadyReason.BREAK, C1, by="boss", why="휴식하세요"
            ),
            "김민준: 호출 → 휴식 (boss: 휴식하세요)",
        ),
        (StateRepaired("connecting_too_long", KIM, C1), "받은 뒤 너무 오래 이어지지 않아 바로잡음"),
    ],
)
def test_what_happened_is_said_in_korean(fact: Fact, text: str) -> None:
    (line,) = tell([Recorded(1, 0.0, fact)], NAMES)
    assert line.text(lambda key, **words: SITE.catalogue.say("ko", key, **words)) == text


async def test_a_call_shows_every_way_it_was_sent_and_why_it_was_refused(desk: Desk, show: Show) -> None:
    floor = await FloorStore(desk.database).load_floor()
    rules = (
        Overflow(Departure.WAITED, Destination(Way.OPEN, "pc"), 30),
        Overflow(Departure.WAITED, Destination(Way.REFUSE), 60),
    )
    queues = [replace(queue, overflows=rules) if queue.name == NETWORK else queue for queue in floor.queues]
    desk.runner.configure(replace(floor, queues=tuple(queues)))
    await desk.happen(CallerDialledIn(CallId("c1"), "01012345678", "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK, 2, grounds=frozenset({"vip"})))
    for _ in range(2):
        desk.clock.time += 31
        await desk.due()

    page = await show("/calls/c1")
    for told in ("우대 사용자", "최대 대기시간이 지남", "PC 대기열의 요원도", "안내 후 끊음", "연결 거절"):
        assert told in page, told
    assert "/callbacks?number=01012345678&amp;queue=network" in page
    assert "최대 대기시간이 지남" in await show("/calls")
    assert "also agents of PC" in await show("/calls/c1", lang="en")
