"""A supervisor's hand on the floor, as both sides see it in their browsers."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page, expect

from changgu.acd.agent_state import AgentState
from changgu.acd.commands import RingAgent
from changgu.acd.events import (
    AgentAnswered,
    AgentReady,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    PartiesConnected,
    PhoneReachable,
)
from changgu.acd.identity import AgentId, CallId, QueueName
from tests.browser.conftest import PATIENCE, Desktop, Launch
from tests.browser.desk_house import DeskHouse
from tests.support.waiting import eventually

KIM = AgentId("kim")
C1 = CallId("c1")
House = tuple[DeskHouse, str]


@pytest.fixture
async def floor(house: House, chromium: Launch) -> AsyncIterator[Page]:
    browser = await chromium()
    context = await browser.new_context(
        locale="ko", timezone_id="Asia/Seoul", viewport={"width": 1920, "height": 1080}
    )
    context.set_default_timeout(PATIENCE)
    await house[0].sign_in(context, "boss", house[1])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{house[1]}/floor")
    await expect(page.locator("#status")).to_have_text("실시간")
    yield page
    assert complaints == []


async def talk(house: DeskHouse) -> None:
    await house.news(PhoneReachable(KIM), AgentReady(KIM))
    await house.news(CallerDialledIn(C1, "010-1234-5678", "1000"), CallArrived(C1, QueueName("network")))
    offer = [command for command in house.commands if isinstance(command, RingAgent)][-1].offer
    await house.news(AgentAnswered(KIM, C1, offer), PartiesConnected(KIM, C1, offer))


async def test_a_forced_state_waits_for_the_call_and_the_wrap_up_is_made_longer(
    house: House, desktop: Desktop, floor: Page
) -> None:
    desk = await desktop("kim")
    await talk(house[0])
    row = floor.locator("#agents tr", has_text="김상담").first
    await expect(row.locator("td").first).to_contain_text("통화")

    opener = row.get_by_role("button", name="조치: kim")
    await opener.focus()
    await floor.keyboard.press("Enter")
    await expect(floor.locator("#force-why")).to_be_focused()
    await floor.keyboard.type("오후 교육")
    await floor.locator(".floor-panel").get_by_role("button", name="교육").click()

    await expect(floor.locator("#said")).to_have_text("김상담: 통화와 후처리가 끝나면 교육")
    await expect(row.locator("td").nth(2)).to_have_text("교육")  # beside the present state
    await expect(opener).to_be_focused()
    await expect(desk.locator("#next-word")).to_have_text("교육")
    await expect(desk.locator("#next-by")).to_have_text("boss 님이 바꾸었습니다: 오후 교육")

    await house[0].news(CallerHungUp(C1))
    await expect(desk.locator("#now-word")).to_have_text("후처리")
    before = house[0].pop.state_of(KIM).wrap_up_ends_at
    assert before is not None
    await desk.get_by_role("button", name="+3분").click()
    await desk.keyboard.press("F7")

    async def longer() -> bool:
        until = house[0].pop.state_of(KIM).wrap_up_ends_at
        return until is not None and round(until - before) == 240

    await eventually(longer)
    await expect(desk.locator("#now-what")).to_have_text("후처리 남은 시간")
    for _ in range(3):
        await desk.get_by_role("button", name="+3분").click()
    await expect(desk.locator("#problem")).to_have_text("후처리를 더 늘릴 수 없습니다.")

    await desk.keyboard.press("F2")  # finished early
    await expect(desk.locator("#now-word")).to_have_text("대기")


async def test_a_ready_agent_is_put_away_at_once_and_reads_who_did_it(
    house: House, desktop: Desktop, floor: Page
) -> None:
    desk = await desktop("kim")
    await house[0].news(PhoneReachable(KIM), AgentReady(KIM))
    await expect(desk.locator("#now-word")).to_have_text("대기")

    await floor.get_by_role("button", name="조치: kim").click()
    await floor.fill("#force-why", "회의 참석")
    await floor.locator(".floor-panel").get_by_role("button", name="이석").click()

    await expect(floor.locator("#said")).to_have_text("김상담: 이석, 지금 바꾸었습니다.")
    await expect(desk.locator("#now-word")).to_have_text("이석")
    await expect(desk.locator("#by")).to_have_text("boss 님이 바꾸었습니다: 회의 참석")
    await desk.keyboard.press("F2")
    await expect(desk.locator("#by")).to_be_hidden()


async def test_an_agent_is_moved_between_queues_from_the_floor_page(house: House, floor: Page) -> None:
    await floor.get_by_role("button", name="조치: kim").click()
    panel = floor.locator(".floor-panel")
    await panel.get_by_label("PC·OA기기").uncheck()
    await panel.locator("#agent-skills").fill("vpn:7, 한글")
    await panel.get_by_role("button", name="편성 바꾸기").click()

    await expect(floor.locator("#said")).to_have_text("김상담: 편성을 바꾸었습니다.")
    await expect(floor.locator("#agents tr", has_text="김상담").locator(".floor-serves")).to_have_text("네트워크")
    kim = next(one for one in house[0].floor.agents if one.login == KIM)
    assert (sorted(kim.queues), sorted(kim.skills)) == (["network"], ["vpn:7", "한글"])

    await floor.get_by_role("button", name="조치: kim").click()
    await expect(panel.locator("#agent-skills")).to_have_value("vpn:7, 한글")
    await floor.keyboard.press("Escape")
    await expect(panel).to_have_count(0)


async def test_one_click_turns_an_emergency_plan_on_for_everybody_and_another_off(
    house: House, floor: Page, chromium: Launch
) -> None:
    browser = await chromium()
    context = await browser.new_context(locale="ko", timezone_id="Asia/Seoul")
    await house[0].sign_in(context, "kim", house[1])
    wall = await context.new_page()
    await wall.goto(f"{house[1]}/wallboard")
    park = floor.locator("#agents tr", has_text="박상담").locator(".floor-serves")
    await expect(park).to_have_text("PC·OA기기")

    card = floor.locator("#emergency-card")
    await card.get_by_label("까닭 (현황판에 보입니다)").fill("백본 장애")
    await card.get_by_role("button", name="켜기: 전산망 장애").click()

    await expect(floor.locator("#said")).to_have_text("전산망 장애: 켰습니다.")
    await expect(wall.locator("#emergency")).to_contain_text("비상운영: 전산망 장애 · ")
    await expect(wall.locator("#emergency")).to_contain_text("부터, boss · 백본 장애 · ")
    await expect(park).to_contain_text("네트워크")
    assert house[0].on is not None

    # Who moves an agent meanwhile moves them on the ordinary floor.
    await floor.get_by_role("button", name="조치: park").click()
    panel = floor.locator(".floor-panel")
    await expect(panel.get_by_label("PC·OA기기")).to_be_checked()
    await expect(panel.get_by_label("네트워크")).not_to_be_checked()
    await floor.keyboard.press("Escape")

    await card.get_by_role("button", name="끄기 (평상시로)").click()
    await expect(floor.locator("#said")).to_have_text("전산망 장애: 껐습니다. 평상시와 같습니다.")
    await expect(wall.locator("#emergency")).to_be_hidden()
    await expect(park).to_have_text("PC·OA기기")


async def test_a_reload_of_the_desktop_changes_nothing_for_the_agent(house: House, desktop: Desktop) -> None:
    desk = await desktop("kim")
    await house[0].news(PhoneReachable(KIM), AgentReady(KIM))
    assert house[0].engine.agents[KIM].desktop is True

    await desk.reload()
    await expect(desk.locator("#now-word")).to_have_text("대기")

    async def back() -> bool:
        return house[0].engine.agents[KIM].desktop is True

    await eventually(back)
    assert house[0].engine.agents[KIM].state is AgentState.READY
    await desk.close()

    async def gone() -> bool:
        return house[0].engine.agents[KIM].desktop is False

    await eventually(gone)
    assert house[0].engine.agents[KIM].state is AgentState.READY  # within the grace


@pytest.mark.parametrize("width", [700, 400])
async def test_on_a_narrow_window_the_actions_are_in_sight_and_work(house: House, floor: Page, width: int) -> None:
    """The table is wider than the window; nobody should have to find out that it can be moved sideways."""
    await floor.set_viewport_size({"width": width, "height": 900})
    await house[0].news(PhoneReachable(KIM), AgentReady(KIM))
    row = floor.locator("#agents tr", has_text="김상담").first
    await expect(row.locator("td").first).to_contain_text("대기")
    opener = row.get_by_role("button", name="조치: kim")

    async def in_sight(one: Locator) -> None:
        async def look() -> bool:
            box = await one.bounding_box()
            return box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width

        await eventually(look)

    await opener.scroll_into_view_if_needed()
    scrolled = await floor.locator(".floor-agents").evaluate("table => table.parentElement.scrollLeft")
    assert scrolled == 0
    await in_sight(opener)
    await opener.click()
    training = floor.locator(".floor-panel").get_by_role("button", name="교육")
    await in_sight(training)
    await training.click()
    await expect(floor.locator("#said")).to_contain_text("김상담")
    await expect(row.locator("td").first).to_contain_text("교육")
