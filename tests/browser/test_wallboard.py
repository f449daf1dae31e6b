"""The wallboard and the floor page in a real browser: what happens is seen at once, and what is old says so."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Departure,
    Direction,
    Ender,
    Fact,
    Outcome,
    ReasonLimitPassed,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from tests.browser.conftest import PATIENCE, Launch
from tests.support.ports import free_ports
from tests.wallboard.floor_service import FloorService, StateWishes, floor_service

NETWORK = QueueName("network")
KIM = AgentId("kim")
FLOOR = Floor(
    (Queue(NETWORK, "네트워크"), Queue(QueueName("pc"), "PC·OA기기")),
    (Agent(KIM, "김민준", frozenset({NETWORK})), Agent(AgentId("busy"), "이바쁨", frozenset({NETWORK}))),
)


@dataclass
class Wall:
    """A served floor and a signed-in browser."""

    service: FloorService
    page: Page
    wishes: StateWishes
    complaints: list[str] = field(default_factory=list)
    seq: int = 0

    def happens(self, *facts: Fact) -> None:
        for fact in facts:
            self.seq += 1
            self.service.feed.hear(Recorded(self.seq, time.time(), fact))


@pytest.fixture
async def wall(tmp_path: Path, chromium: Launch) -> AsyncIterator[Wall]:
    async with AsyncExitStack() as stack:
        wishes = StateWishes()
        (port,) = free_ports(1)  # one that nobody has meanwhile when a test serves at it again
        service = await stack.enter_async_context(floor_service(tmp_path, FLOOR, port, wishes))
        browser = await chromium()
        context = await browser.new_context(locale="ko-KR", viewport={"width": 1920, "height": 1080})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        one = Wall(service, page, wishes)
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: one.complaints.append(message.text) if "Content Security Policy" in message.text else None,
        )
        await page.goto(f"{service.origin}/sign-in")
        await page.fill("#login", "admin")
        await page.fill("#password", service.password)
        await page.click("main button")
        await page.wait_for_url("**/wallboard")
        await expect(page.locator("#status")).to_have_text("실시간")
        yield one
        assert one.complaints == []


async def test_a_caller_who_joins_a_queue_is_on_the_wall_within_two_seconds(wall: Wall) -> None:
    waiting = wall.page.locator("#tiles div", has_text="대기 콜").locator("b")
    await expect(waiting).to_have_text("0")

    call = CallId("c1")
    wall.happens(CallStarted(call, Direction.INBOUND, None, "1000"), CallQueued(call, NETWORK, 0))

    await expect(waiting).to_have_text("1", timeout=2_000)
    row = wall.page.locator("#queues tr", has_text="네트워크")
    await expect(row.locator("td").first).to_have_text("1")
    longest = wall.page.locator("#tiles div", has_text="최장 대기").locator("b")
    await expect(longest).to_have_text(re.compile(r"0:0[2-9]"))


async def test_an_agent_is_shown_with_state_in_words_and_the_reason(wall: Wall) -> None:
    wall.happens(AgentStateChanged(KIM, AgentState.LOGGED_OUT, AgentState.NOT_READY, NotReadyReason.BREAK))
    card = wall.page.locator(".wb-agent", has_text="김민준")
    await expect(card.locator(".badge")).to_have_text("휴식")

    call = CallId("c1")
    wall.happens(
        CallStarted(call, Direction.INBOUND, None, "1000"),
        CallQueued(call, NETWORK, 0),
        AgentStateChanged(KIM, AgentState.NOT_READY, AgentState.TALKING, call=call),
        CallConnected(call, KIM, OfferId(1)),
    )
    await expect(card.locator(".badge")).to_have_text("통화")
    await expect(card.locator("small")).to_have_text("네트워크")
    await expect(wall.page.locator('#heads li[data-seat="talking"] b')).to_have_text("1")


async def test_every_figure_tells_its_definition_to_the_mouse_and_to_the_keyboard(wall: Wall) -> None:
    rate = wall.page.locator("#tiles button", has_text="포기율")
    await rate.hover()
    tip = wall.page.locator("#definition")
    await expect(tip).to_have_text("(포기 − 단순포기) ÷ (인입 − 단순포기)")
    await wall.page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()

    await wall.page.locator("#tiles button", has_text="서비스레벨").focus()
    await expect(tip).to_contain_text("(인입 − 단순포기")


async def test_a_lost_line_says_how_old_the_figures_are_and_mends_itself(wall: Wall, tmp_path: Path) -> None:
    port = int(wall.service.origin.rpartition(":")[2])
    wall.service.server.should_exit = True
    await expect(wall.page.locator("#status")).to_have_text(re.compile(r"연결 끊김 — \d+초 전 자료"))

    async with floor_service(tmp_path, FLOOR, port) as service:
        wall.service = service
        await expect(wall.page.locator("#status")).to_have_text("실시간")
        wall.happens(CallStarted(CallId("c1"), Direction.INBOUND, None, "1000"), CallQueued(CallId("c1"), NETWORK, 0))
        await expect(wall.page.locator("#tiles div", has_text="대기 콜").locator("b")).to_have_text("1")


async def test_a_gap_in_the_numbers_is_never_papered_over(wall: Wall) -> None:
    call = CallId("c1")
    async with wall.page.expect_event("websocket"):
        wall.happens(CallStarted(call, Direction.INBOUND, None, "1000"), CallQueued(call, NETWORK, 0))
        wall.service.feed.seq += 5

    await expect(wall.page.locator("#tiles div", has_text="대기 콜").locator("b")).to_have_text("1")
    await expect(wall.page.locator("#status")).to_have_text("실시간")


async def test_a_narrow_window_shows_everything_without_scrolling_sideways(wall: Wall) -> None:
    await wall.page.set_viewport_size({"width": 360, "height": 800})
    for path in ("/wallboard", "/floor", "/accounts", "/sign-in", "/password"):
        await wall.page.goto(wall.service.origin + path)
        assert await wall.page.evaluate("document.documentElement.scrollWidth") <= 360, path


async def test_a_supervisor_sends_an_agent_on_a_break_and_is_told_when_that_is_refused(wall: Wall) -> None:
    await wall.page.goto(f"{wall.service.origin}/floor")
    row = wall.page.locator("#agents tr", has_text="김민준")
    await row.locator("select").select_option(label="휴식")
    await row.get_by_role("button", name="적용").click()
    said = wall.page.locator("#said")
    await expect(said).to_have_text("김민준: 휴식 요청했습니다.")
    assert wall.wishes.asked == [("kim", "not_ready", "break")]

    row = wall.page.locator("#agents tr", has_text="이바쁨")
    await row.locator("select").select_option(label="대기")
    await row.get_by_role("button", name="적용").click()
    await expect(said).to_have_text("통화 중에는 할 수 없습니다.")

    await wall.page.fill("#find", "김민")
    await expect(wall.page.locator("#agents tr:visible")).to_have_count(1)


async def test_the_wall_speaks_english_too(wall: Wall) -> None:
    await wall.page.click("a.lang")
    await expect(wall.page.locator("#status")).to_have_text("Live")
    await expect(wall.page.locator("#tiles button").first).to_have_text("Waiting")
    assert await wall.page.get_attribute("html", "lang") == "en"


async def test_who_is_away_too_long_is_named_on_the_wall_until_they_are_back(wall: Wall) -> None:
    wall.happens(
        AgentStateChanged(KIM, AgentState.READY, AgentState.NOT_READY, NotReadyReason.BREAK),
        ReasonLimitPassed(KIM, NotReadyReason.BREAK),
    )
    alerts = wall.page.locator("#alerts li")
    await expect(alerts).to_have_text(["김민준: 휴식 시간 초과"])
    await expect(wall.page.locator(".wb-agent", has_text="김민준").locator("small")).to_have_text("시간 초과")

    wall.happens(AgentStateChanged(KIM, AgentState.NOT_READY, AgentState.READY))
    await expect(alerts).to_have_count(0)


async def test_the_floor_page_tells_why_calls_left_and_who_put_an_agent_where_they_are(wall: Wall) -> None:
    call = CallId("c1")
    await wall.page.goto(f"{wall.service.origin}/floor")
    await expect(wall.page.locator("#why-none")).to_be_visible()
    wall.happens(
        CallStarted(call, Direction.INBOUND, None, "1000"),
        CallOverflowed(call, NETWORK, Departure.FULL, "refuse"),
        CallEnded(call, Outcome.REFUSED, Ender.DESK, "full"),
        AgentStateChanged(
            KIM, AgentState.READY, AgentState.NOT_READY, NotReadyReason.TRAINING, by="boss", why="3층 교육"
        ),
    )
    await expect(wall.page.locator("#why tr")).to_have_text(["대기 인원이 참11"])
    row = wall.page.locator("#agents tr", has_text="김민준")
    await expect(row).to_contain_text("boss 지정: 3층 교육")
    await expect(wall.page.locator("#ways tr", has_text="네트워크").locator("td").nth(3)).to_have_text("1")
