"""Two browser phones and the real PBX: a visitor calls the desk, an agent answers, each hears the other.

changgu's call control is away in these tests, so the PBX's own plain queue brings the two together.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page

from changgu.asterisk_conf.plan import PbxFloor, PbxPlan, ShadowQueue, agent_phone
from changgu.asterisk_conf.render import render
from changgu.telephony.pbx import PrivatePbx
from tests.browser.conftest import CLEAN, PATIENCE, Launch, hears
from tests.browser.desk_house import DeskHouse, open_house
from tests.support.private_pbx import SECRET, plan_of, running

VISITOR_HERTZ, AGENT_HERTZ = 440.0, 1000.0
FLOOR = PbxFloor((agent_phone("choi", "browser", SECRET),), (ShadowQueue("network", "1002", ("choi",)),))


@dataclass
class PhoneHouse:
    """The house with a PBX behind it."""

    house: DeskHouse
    address: str
    plan: PbxPlan
    pbx: PrivatePbx

    async def page(self, launch: Launch, path: str, hertz: float, login: str | None = None) -> Page:
        """A page in a browser that speaks a tone."""
        browser = await launch(hertz)
        context: BrowserContext = await browser.new_context(locale="ko-KR")
        context.set_default_timeout(PATIENCE)
        await context.add_init_script(CLEAN)
        if login:
            await self.house.sign_in(context, login, self.address)
        page = await context.new_page()
        await page.goto(self.address + path)
        return page


@pytest.fixture
async def phones(tmp_path: Path) -> AsyncIterator[PhoneHouse]:
    plan = plan_of(tmp_path, "browser", rtp_first=27_400, visitor_secret=SECRET, main_queue="network")
    async with (
        running(plan, FLOOR) as pbx,
        open_house(
            tmp_path, pbx=f"ws://127.0.0.1:{plan.ari_port}/ws", visitor_secret=SECRET, browser_secret=SECRET
        ) as (house, address),
    ):
        yield PhoneHouse(house, address, plan, pbx)


@pytest.mark.alone  # two browsers with sound
async def test_a_visitor_calls_the_desk_and_both_hear_each_other(phones: PhoneHouse, chromium: Launch) -> None:
    agent = await phones.page(chromium, "/desk", AGENT_HERTZ, login="choi")
    await agent.wait_for_selector("text=브라우저 전화 준비됨")
    visitor = await phones.page(chromium, "/phone", VISITOR_HERTZ)

    await visitor.click("#call:enabled")
    await agent.wait_for_selector("#answer:visible:enabled")
    await agent.keyboard.press("F4")

    await hears(visitor, AGENT_HERTZ)
    await hears(agent, VISITOR_HERTZ)

    await agent.keyboard.press("F9")
    await hears(visitor, 0)
    await agent.keyboard.press("F9")
    await hears(visitor, AGENT_HERTZ)

    await visitor.click("#hang-up")
    await agent.wait_for_selector("#hang-up", state="hidden")
    await visitor.wait_for_selector("text=통화가 끝났습니다")


async def test_a_phone_comes_back_by_itself_after_the_pbx_restarted(phones: PhoneHouse, chromium: Launch) -> None:
    agent = await phones.page(chromium, "/desk", AGENT_HERTZ, login="choi")
    await agent.wait_for_selector("text=브라우저 전화 준비됨")

    await phones.pbx.stop()
    await agent.wait_for_selector("text=브라우저 전화 연결 끊김")
    await phones.pbx.start(render(phones.plan, FLOOR))

    await agent.wait_for_selector("text=브라우저 전화 준비됨", timeout=30_000)


async def test_only_one_tab_rings_and_the_other_says_so(phones: PhoneHouse, chromium: Launch) -> None:
    first = await phones.page(chromium, "/desk", AGENT_HERTZ, login="choi")
    await first.wait_for_selector("text=브라우저 전화 준비됨")

    second = await first.context.new_page()
    await second.goto(f"{phones.address}/desk")
    await second.wait_for_selector("text=전화는 다른 탭에서 받습니다")
    await first.close()

    await second.wait_for_selector("text=브라우저 전화 준비됨")
