"""The page of a call keeps itself and its parts true while it is open; what the parts say is told by stand-ins."""

from playwright.async_api import Page, Route, expect

from tests.browser.conftest import PATIENCE, Launch
from tests.browser.desk_house import DeskHouse

PAGE = """<!DOCTYPE html><html lang="ko"><body>
<div id="live"{live}><p>{said}</p></div>
<section data-slot="/calls/c1/why" hidden></section>
<section data-slot="/calls/c1/recordings" hidden></section>
<script type="module" src="/static/acd/live.js"></script>
</body></html>"""
WAITS = '<h2>울리지 않는 까닭</h2><p data-again="5">지금 요원 3명</p>'
LEFT = "<h2>울리지 않은 까닭</h2><p>그때 요원 3명</p>"


class CallTold:
    """What the server says of the call, and what it was asked."""

    def __init__(self) -> None:
        self.said, self.goes_on = "메뉴에 있음", True
        self.parts: dict[str, str] = {}
        self.asked: list[str] = []

    async def page(self, route: Route) -> None:
        live = ' data-live="3"' if self.goes_on else ""
        await route.fulfill(body=PAGE.format(live=live, said=self.said), content_type="text/html; charset=utf-8")

    async def part(self, route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        self.asked.append(name)
        part = self.parts.get(name)
        status = 404 if part is None else 200
        await route.fulfill(status=status, body=part or "", content_type="text/html; charset=utf-8")


async def opened(house: tuple[DeskHouse, str], chromium: Launch, call: CallTold) -> Page:
    page = await (await chromium()).new_page()
    page.set_default_timeout(PATIENCE)
    await page.clock.install()
    await page.route("**/calls/c1", call.page)
    await page.route("**/calls/c1/*", call.part)
    await page.goto(f"{house[1]}/calls/c1")
    await expect(page.locator("#live")).to_contain_text(call.said)
    return page


async def passes(page: Page, call: CallTold, seconds: int) -> None:
    """Time goes by on the page, and what it asks is answered."""
    for _ in range(seconds):
        await page.clock.run_for(1000)
        await page.wait_for_load_state("networkidle")


async def test_a_page_opened_in_the_menu_shows_why_nobody_takes_the_caller_once_they_wait(
    house: tuple[DeskHouse, str], chromium: Launch
) -> None:
    call = CallTold()
    page = await opened(house, chromium, call)
    why = page.locator("[data-slot$=why]")
    await expect(why).to_be_hidden()

    call.said, call.parts["why"] = "대기 중", WAITS
    await passes(page, call, 12)
    await expect(why).to_contain_text("울리지 않는 까닭")
    await expect(page.locator("#live")).to_contain_text("대기 중")

    call.said, call.goes_on, call.parts["why"] = "포기", False, LEFT
    await passes(page, call, 8)
    await expect(why).to_contain_text("울리지 않은 까닭")
    await expect(page.locator("#live")).to_contain_text("포기")

    asked = len(call.asked)
    await passes(page, call, 30)
    assert call.asked[asked:] in ([], ["recordings"]), "the call is over: nothing more is awaited"


async def test_a_page_that_nobody_looks_at_asks_for_nothing_again(
    house: tuple[DeskHouse, str], chromium: Launch
) -> None:
    call = CallTold()
    call.parts["why"] = WAITS
    page = await opened(house, chromium, call)
    await expect(page.locator("[data-slot$=why]")).to_contain_text("지금 요원")
    await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    asked = len(call.asked)

    await passes(page, call, 15)
    assert len(call.asked) == asked

    await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => false, configurable: true})")
    await passes(page, call, 6)
    assert "why" in call.asked[asked:]
