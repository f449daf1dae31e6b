"""The agent's page in Chromium: who calls is on the screen before the phone is answered, and the keys work."""

import re

from playwright.async_api import WebSocketRoute, expect

from changgu.acd.agent_state import AgentState
from changgu.acd.commands import RingAgent
from changgu.acd.events import (
    AgentAnswered,
    AgentReady,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    MenuStepReached,
    PartiesConnected,
    PhoneReachable,
    RingFailed,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.app.rendering import LANGUAGE_COOKIE
from tests.browser.conftest import Desktop
from tests.browser.desk_house import DeskHouse
from tests.support.waiting import eventually

KIM = AgentId("kim")
LEE = AgentId("lee")
C1 = CallId("c1")
House = tuple[DeskHouse, str]


async def ready(house: DeskHouse) -> None:
    await house.news(PhoneReachable(KIM), AgentReady(KIM))


async def ring(
    house: DeskHouse, number: str | None = "010-1234-5678", call: CallId = C1, queue: str = "network"
) -> OfferId:
    await house.news(
        CallerDialledIn(call, number, "1000"), MenuStepReached(call, "greeting"), MenuStepReached(call, "vpn", "2"),
        CallArrived(call, QueueName(queue)),
    )  # fmt: skip
    return [command for command in house.commands if isinstance(command, RingAgent)][-1].offer


async def talk(house: DeskHouse, offer: OfferId, call: CallId = C1) -> None:
    await house.news(AgentAnswered(KIM, call, offer), PartiesConnected(KIM, call, offer))


async def test_the_pop_is_on_the_screen_before_the_phone_is_answered(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])

    await ring(house[0])

    caller = page.locator("#caller")
    await expect(caller).to_contain_text("홍길동")
    for told in ("정보화담당관실", "20190001", "본관 3층 312호", "PC-0312", "그램 16", "010-1234-5678", "VPN"):
        await expect(caller).to_contain_text(told)
    await expect(page.locator("#tickets")).to_contain_text("재택근무 중 VPN 접속이 10분마다 끊김")
    await expect(page.locator("#past-calls")).to_contain_text("대기 중 포기")
    await expect(page.locator("#now-word")).to_have_text("호출")
    assert house[0].engine.calls[C1].answered_at is None


async def test_an_agent_works_a_call_with_the_keyboard_alone(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await house[0].news(PhoneReachable(KIM))
    word = page.locator("#now-word")

    await page.keyboard.press("F2")
    await expect(word).to_have_text("대기")
    offer = await ring(house[0])
    await talk(house[0], offer)
    await expect(word).to_have_text("통화")
    await page.keyboard.press("F8")
    await expect(word).to_have_text("보류")
    await page.keyboard.press("F8")
    await expect(word).to_have_text("통화")
    await page.keyboard.press("Alt+3")
    await expect(page.locator("#next-word")).to_have_text("식사")
    await page.keyboard.press("F10")

    async def hung_up() -> list[CallId]:
        return house[0].hung_up

    assert await eventually(hung_up) == [C1]
    await house[0].news(CallerHungUp(C1))
    await expect(word).to_have_text("후처리")
    await page.keyboard.press("F2")
    await expect(word).to_have_text("대기")


async def test_the_ticket_of_the_call_is_filled_in_while_talking(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])
    await talk(house[0], await ring(house[0]))
    house[0].open_ticket("2026031", call=C1, title="네트워크 문의")

    await page.select_option("#ticket-kind", "incident")
    await page.select_option("#ticket-grade", "3")
    await page.fill("#ticket-description", "VPN 재설치 안내, 다시 접속됨")
    await page.keyboard.press("Control+s")

    await expect(page.locator("#ticket-said")).to_contain_text("저장함")
    saved = house[0].ticket_bodies["2026031"]
    assert (saved["kind"], saved["grade"], saved["description"]) == ("incident", "3", "VPN 재설치 안내, 다시 접속됨")


async def test_where_the_policy_asks_the_agent_opens_the_ticket(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])
    await talk(house[0], await ring(house[0], queue="pc"))
    await expect(page.locator("#make-ticket")).to_be_visible()

    await page.keyboard.press("F6")
    await page.select_option("#ticket-kind", "inquiry")
    await page.fill("#ticket-title-field", "모니터 문의")
    await page.keyboard.press("Control+s")

    await expect(page.locator("#ticket-said")).to_contain_text("저장함")
    assert house[0].ticket_bodies["2026999"]["title"] == "모니터 문의"


async def test_words_not_yet_saved_are_saved_when_the_next_call_comes(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])
    await talk(house[0], await ring(house[0]))
    house[0].open_ticket("2026031", call=C1, title="네트워크 문의")
    await page.fill("#ticket-description", "아직 저장하지 않은 내용")
    await house[0].news(CallerHungUp(C1), AgentReady(KIM))

    async with page.expect_response(lambda reply: "tickets/2026031" in reply.url and reply.request.method == "PATCH"):
        await ring(house[0], call=CallId("c2"))

    assert house[0].ticket_bodies["2026031"]["description"] == "아직 저장하지 않은 내용"


async def test_words_that_the_service_refuses_are_kept_until_the_agent_finishes_them(
    house: House, desktop: Desktop
) -> None:
    page = await desktop("kim")
    await ready(house[0])
    await talk(house[0], await ring(house[0]))
    house[0].open_ticket("2026031", call=C1, title="네트워크 문의")
    house[0].must_classify = True
    await page.fill("#ticket-description", "종류를 고르기 전에 다음 전화가 왔다")
    await house[0].news(CallerHungUp(C1), AgentReady(KIM))
    await ring(house[0], call=CallId("c2"))
    await expect(page.locator("#problem")).to_contain_text("저장하지 못한 내용이 남아 있습니다")
    await house[0].news(CallerHungUp(CallId("c2")))
    page.on("dialog", lambda dialog: dialog.accept())
    await page.reload()

    await page.get_by_role("button", name="접수 202-6031 이어 쓰기").click()
    await page.select_option("#ticket-kind", "inquiry")
    await page.keyboard.press("Control+s")

    await expect(page.locator("#ticket-said")).to_contain_text("저장함")
    await expect(page.locator("#ticket-kept")).to_be_empty()
    assert house[0].ticket_bodies["2026031"]["description"] == "종류를 고르기 전에 다음 전화가 왔다"


async def test_an_agent_chooses_among_the_owners_of_a_shared_number(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])
    await ring(house[0], "02-2100-7777")
    await expect(page.locator("#caller")).to_contain_text("이 번호를 쓰는 사람이 3명입니다")

    await page.get_by_role("button", name=re.compile("성춘향")).click()

    await expect(page.locator("#caller .who-name")).to_have_text("성춘향")
    await expect(page.locator("#caller")).to_contain_text("요원이 확인함")


async def test_an_unknown_caller_is_found_and_their_number_learnt_when_the_agent_says_so(
    house: House, desktop: Desktop
) -> None:
    page = await desktop("kim")
    await ready(house[0])
    await ring(house[0], "010-9999-0000")
    await expect(page.locator("#caller")).to_contain_text("등록되지 않은 번호")

    await page.keyboard.press("Alt+f")
    await page.keyboard.type("이몽룡")
    await page.check("#remember")
    await page.get_by_role("button", name=re.compile("이몽룡")).click()

    await expect(page.locator("#caller .who-name")).to_have_text("이몽룡")
    (found,) = await house[0].directory.find_by_number("+82 10 9999 0000")
    assert found.name == "이몽룡"


async def test_a_withheld_number_says_so(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])

    await ring(house[0], None)

    await expect(page.locator("#caller")).to_contain_text("발신번호 표시 제한")
    await expect(page.locator("#remember-row")).to_be_hidden()


async def test_a_call_that_went_elsewhere_leaves_a_word_but_no_caller(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await ready(house[0])
    offer = await ring(house[0])
    await expect(page.locator("#caller")).to_contain_text("홍길동")

    await house[0].news(PhoneReachable(LEE), AgentReady(LEE), RingFailed(KIM, C1, offer, "busy"))

    await expect(page.locator("#caller")).to_contain_text("다른 요원에게 넘어갔습니다")
    await expect(page.locator("#caller")).not_to_contain_text("홍길동")


class Cable:
    """Between the page and the house; can be pulled and put back."""

    def __init__(self) -> None:
        self.pulled = False
        self.lines: list[WebSocketRoute] = []

    def __call__(self, line: WebSocketRoute) -> None:
        self.lines.append(line)
        if not self.pulled:
            line.connect_to_server()

    async def pull(self) -> None:
        self.pulled = True
        await self.lines[-1].close(code=1001)


async def test_a_page_that_lost_the_server_says_so_and_catches_up(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    cable = Cable()
    await page.route_web_socket(re.compile("/desk/ws$"), cable)
    await page.reload()
    await ready(house[0])
    await expect(page.locator("#now-word")).to_have_text("대기")

    await cable.pull()
    await expect(page.locator("#link")).to_contain_text("서버와 연결이 끊겼습니다")
    await talk(house[0], await ring(house[0]))
    await expect(page.locator("#now-word")).to_have_text("대기")
    cable.pulled = False
    await page.evaluate("window.dispatchEvent(new Event('online'))")

    await expect(page.locator("#now-word")).to_have_text("통화")
    await expect(page.locator("#caller")).to_contain_text("홍길동")
    await expect(page.locator("#link")).to_be_hidden()
    assert house[0].engine.agents[KIM].state is AgentState.TALKING


async def test_the_page_speaks_english_to_those_who_chose_it(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    await page.context.add_cookies([{"name": LANGUAGE_COOKIE, "value": "en", "url": house[1]}])
    await page.reload()

    await ready(house[0])

    await expect(page.locator("#now-word")).to_have_text("Ready", ignore_case=True)
    await expect(page.locator("#caller")).to_contain_text("Waiting for a call")


async def test_a_call_rings_in_the_title_and_as_a_notification_when_the_page_is_hidden(
    house: House, desktop: Desktop
) -> None:
    page = await desktop("kim")
    await page.context.grant_permissions(["notifications"])
    await page.evaluate("""() => {
      window.shown = [];
      window.Notification = class extends EventTarget {
        static permission = "granted";
        constructor(title, options) { super(); window.shown.push(title + " / " + options.body); }
        close() {}
      };
      Object.defineProperty(document, "hidden", { value: true });
    }""")
    await ready(house[0])

    await ring(house[0])

    await expect(page).to_have_title(re.compile("☎ 홍길동"))
    (shown,) = await page.evaluate("window.shown")
    assert re.fullmatch(r"전화: 홍길동 정보화담당관실 / 네트워크 · 0:0\d 기다림", shown)


async def test_messages_that_nobody_has_replied_to_stand_above_the_desk(house: House, desktop: Desktop) -> None:
    page = await desktop("kim")
    line = page.locator("#unanswered")
    await expect(line).to_be_hidden()

    house[0].pop.tell_unanswered(3, 1_800_000_000.0, "1000018")

    await expect(line).to_contain_text("3건")
    await expect(line.locator("a")).to_have_attribute("href", "/messages?view=late")
    house[0].pop.tell_unanswered(0, None, None)
    await expect(line).to_be_hidden()
