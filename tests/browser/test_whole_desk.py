"""The whole service with two browsers: a visitor calls from `/phone`, presses a key, and talks with an agent."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import CLEAN, PATIENCE, Launch, hears
from tests.support.service import Changgu
from tests.support.waiting import eventually

pytestmark = pytest.mark.alone  # two browsers with sound

VISITOR_HERTZ, AGENT_HERTZ = 440.0, 1000.0
PASSWORD = "browser-agent-2026"
QUEUES = """name,title,number,strategy,ring_seconds,wrap_up_seconds,ticket,record
network,네트워크,1002,longest_idle,20,30,automatic,yes
"""
AGENTS = """login,name,queues,skills,phone
choi,최상담,network,,browser
"""


class FirstDay(Changgu):
    """A service whose agents have just been imported; `passwords` is what the import printed."""

    passwords = ""

    async def furnish(self) -> None:
        for kind, text in (("queues", QUEUES), ("agents", AGENTS)):
            file = self.folder / f"{kind}.csv"
            file.write_text(text)
            self.passwords = await self.cli(kind, "import", str(file))

    def first_password(self, login: str) -> str:
        found = re.search(rf"^{login}\s+(\S+)$", self.passwords, re.MULTILINE)
        assert found is not None, self.passwords
        return found[1]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[FirstDay]:
    changgu = FirstDay(tmp_path / "desk", rtp=(27_600, 27_699))
    try:
        await changgu.up()
        await changgu.furnish()
        yield changgu
        assert await changgu.down() == 0
    finally:
        await changgu.close()
        print("\n".join(changgu.said))


async def open_page(launch: Launch, service: Changgu, path: str, hertz: float) -> Page:
    browser = await launch(hertz)
    context: BrowserContext = await browser.new_context(locale="ko-KR", viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(PATIENCE)
    await context.add_init_script(CLEAN)
    page = await context.new_page()
    await page.goto(service.url + path)
    return page


async def sign_in(page: Page, login: str, first_password: str) -> None:
    """Through the pages, as an agent on their first day."""
    await page.fill("[name=login]", login)
    await page.fill("[name=password]", first_password)
    await page.keyboard.press("Enter")
    await page.fill("[name=present]", first_password)
    await page.fill("[name=new]", PASSWORD)
    await page.fill("[name=again]", PASSWORD)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def agent_at_work(launch: Launch, service: FirstDay) -> Page:
    """The agent's page, signed in, its phone registered, ready for calls."""
    page = await open_page(launch, service, "/desk", AGENT_HERTZ)
    await sign_in(page, "choi", service.first_password("choi"))
    await page.goto(f"{service.url}/desk")
    await page.wait_for_selector("text=브라우저 전화 준비됨")
    await page.keyboard.press("F2")
    await expect(page.locator("#now-word")).to_have_text("대기", timeout=20_000)
    return page


async def visitor_in_the_menu(launch: Launch, service: FirstDay) -> Page:
    """The visitor's page, in a call with the menu."""
    page = await open_page(launch, service, "/phone", VISITOR_HERTZ)
    await page.click("#call:enabled")
    await expect(page.locator("#status")).to_have_text("통화 중")
    return page


async def rings(agent: Page) -> None:
    """The phone in the agent's page rings, once the visitor has heard what nobody may cut short."""
    await expect(agent.locator("#stage-word")).to_have_text("전화가 왔습니다", timeout=45_000)


async def picks_up(agent: Page) -> None:
    await agent.wait_for_selector("#answer:enabled")
    await agent.keyboard.press("F4")
    await expect(agent.locator("#now-word")).to_have_text("통화")


async def test_a_visitor_reaches_an_agent_through_the_menu_and_a_ticket_remains(
    service: FirstDay, chromium: Launch
) -> None:
    agent = await agent_at_work(chromium, service)
    visitor = await visitor_in_the_menu(chromium, service)
    await visitor.keyboard.press("2")

    await rings(agent)
    await expect(agent.locator("#caller")).to_contain_text("네트워크")
    await picks_up(agent)
    await hears(visitor, AGENT_HERTZ)
    await hears(agent, VISITOR_HERTZ)

    await agent.keyboard.press("F8")
    await expect(agent.locator("#now-word")).to_have_text("보류")
    await hears(agent, 0)
    await agent.keyboard.press("F8")
    await hears(visitor, AGENT_HERTZ)

    await agent.select_option("#ticket-kind", "inquiry")
    await agent.fill("#ticket-title-field", "VPN 접속 방법 문의")
    await agent.keyboard.press("Control+s")
    await expect(agent.locator("#ticket-said")).to_contain_text("저장함")

    await agent.keyboard.press("F10")
    await expect(visitor.locator("#status")).to_have_text("통화가 끝났습니다")
    await expect(agent.locator("#now-word")).to_have_text("후처리")
    await agent.keyboard.press("F2")
    await expect(agent.locator("#now-word")).to_have_text("대기")

    async def row() -> dict[str, object]:
        (call, *_) = (await service.get("/calls"))["items"]
        return dict(call) if call["outcome"] and call["tickets"] else {}

    call = await eventually(row)
    assert (call["outcome"], call["agent"], call["queue"]) == ("answered", "choi", "network")



async def test_a_conversation_of_two_browsers_outlives_a_killed_changgu(service: FirstDay, chromium: Launch) -> None:
    agent = await agent_at_work(chromium, service)
    visitor = await visitor_in_the_menu(chromium, service)
    await visitor.keyboard.press("2")
    await rings(agent)
    await picks_up(agent)
    await hears(visitor, AGENT_HERTZ)

    await service.kill()
    await expect(agent.locator("#link")).to_contain_text("통화는 계속됩니다")
    await hears(visitor, AGENT_HERTZ)
    await hears(agent, VISITOR_HERTZ)

    await service.up()
    await expect(agent.locator("#link")).to_be_hidden(timeout=20_000)
    await expect(agent.locator("#now-word")).to_have_text("통화")
    await hears(visitor, AGENT_HERTZ)
    await agent.wait_for_selector("text=브라우저 전화 준비됨", timeout=30_000)

    await agent.keyboard.press("F10")
    await expect(agent.locator("#now-word")).to_have_text("후처리")
    await expect(agent.locator("#mute")).to_be_hidden()
