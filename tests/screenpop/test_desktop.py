"""The agent's desktop connection: one numbered stream, complete after every reconnect, and the agent's own wishes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.commands import RingAgent
from changgu.acd.events import (
    AgentAnswered,
    AgentNotReady,
    AgentReady,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    PartiesConnected,
    PhoneReachable,
)
from changgu.acd.facts import NewsIgnored
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.app import web
from changgu.app.access import SESSION_COOKIE
from changgu.app.accounts import WrongPassword
from changgu.screenpop.desktop import Desktop
from tests.browser.desk_house import PASSWORD, DeskHouse, open_house
from tests.support.waiting import eventually

KIM = AgentId("kim")
C1 = CallId("c1")


class DeskPage:
    """A page that only speaks the protocol."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            self.messages.append(json.loads(await self.socket.recv()))
        return self.messages[-1]

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not wanted(message := await self.next()):
            pass
        return message

    async def wish(self, **wish: Any) -> dict[str, Any]:
        await self.socket.send(json.dumps({"id": "w", **wish}))
        return await self.until(lambda message: message["type"] in ("done", "error"))


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[tuple[DeskHouse, str]]:
    async with open_house(tmp_path) as both:
        yield both


@pytest.fixture
def house(opened: tuple[DeskHouse, str]) -> DeskHouse:
    return opened[0]


async def cookie(house: DeskHouse, login: str) -> str:
    return f"{SESSION_COOKIE}={(await house.accounts.open_session(login)).cookie}"


class Pages:
    """Opens pages against the house."""

    def __init__(self, house: DeskHouse, address: str) -> None:
        self.house = house
        self.origin = address
        self.url = address.replace("http:", "ws:") + "/desk/ws"
        self.open: list[websockets.ClientConnection] = []

    async def __call__(self, login: str) -> DeskPage:
        headers = {"Cookie": await cookie(self.house, login)}
        socket = await websockets.connect(
            self.url, additional_headers=headers, origin=websockets.Origin(self.origin), proxy=None
        )
        self.open.append(socket)
        return DeskPage(socket)


@pytest.fixture
async def page(opened: tuple[DeskHouse, str]) -> AsyncIterator[Pages]:
    pages = Pages(*opened)
    yield pages
    for socket in pages.open:
        await socket.close()


async def ring(house: DeskHouse, call: CallId = C1) -> OfferId:
    await house.news(PhoneReachable(KIM), AgentReady(KIM))
    await house.news(CallerDialledIn(call, "010-1234-5678", "1000"), CallArrived(call, QueueName("network")))
    rung = [command for command in house.commands if isinstance(command, RingAgent)]
    return rung[-1].offer


async def test_the_first_message_is_everything_and_numbers_have_no_gaps(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    hello = await desk.next()

    assert hello["type"] == "hello"
    assert hello["agent"] == {
        "login": "kim", "name": "김상담", "seat": True, "phone": "register",
        "queues": {"network": "네트워크", "pc": "PC·OA기기"},
    }  # fmt: skip
    assert (hello["state"]["state"], hello["call"], hello["pop"]) == ("logged_out", None, None)

    await ring(house)
    await desk.until(lambda message: message["type"] == "pop" and message["pop"]["identification"]["kind"] == "known")

    assert [message["seq"] for message in desk.messages] == list(range(1, len(desk.messages) + 1))


async def test_every_desk_is_told_of_messages_that_nobody_has_replied_to(house: DeskHouse, page: Pages) -> None:
    early = await page("kim")
    await early.next()
    house.pop.tell_unanswered(2, 1_800_000_000.0, "1000018")
    told = await early.until(lambda message: message["type"] == "unanswered")
    assert told["unanswered"] == {"count": 2, "since": 1_800_000_000.0, "ticket": "1000018"}

    late = await page("kim")
    assert (await late.next())["type"] == "hello"
    assert (await late.until(lambda message: message["type"] == "unanswered"))["unanswered"] == told["unanswered"]
    house.pop.tell_unanswered(2, 1_800_000_000.0, "1000018")
    house.pop.tell_unanswered(0, None, None)
    for desk in (early, late):
        assert (await desk.until(lambda message: message["type"] == "unanswered"))["unanswered"] is None


async def test_the_pop_arrives_before_the_phone_is_answered(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    await ring(house)

    pop = await desk.until(lambda one: one["type"] == "pop" and one["pop"]["identification"]["kind"] == "known")

    assert pop["pop"]["identification"]["person"]["name"] == "홍길동"
    assert house.engine.calls[C1].answered_at is None


async def test_the_page_of_an_agent_who_is_shut_out_is_cut_off_and_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "RECHECK", 0.05)
    async with open_house(tmp_path) as (house, address):
        pages = Pages(house, address)
        desk = await pages("kim")
        await desk.next()

        await house.accounts.set_disabled("kim", True)

        with pytest.raises(websockets.ConnectionClosed) as cut:
            await desk.until(lambda message: False)
        assert cut.value.rcvd is not None
        assert cut.value.rcvd.code == 1012
        with pytest.raises(WrongPassword):
            await house.accounts.check_password("kim", PASSWORD, "127.0.0.1")


async def test_a_reconnected_page_knows_what_happened_meanwhile(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    await desk.next()
    await desk.socket.close()
    offer = await ring(house)
    await house.news(AgentAnswered(KIM, C1, offer), PartiesConnected(KIM, C1, offer))

    hello = await (await page("kim")).next()

    assert (hello["seq"], hello["state"]["state"], hello["call"]["stage"]) == (1, "talking", "talking")
    assert hello["pop"]["call"] == C1


async def test_closing_the_page_changes_nothing_at_the_desk(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    await ring(house)
    await desk.until(lambda message: message["type"] == "pop")

    await desk.socket.close()

    assert house.engine.agents[KIM].state is AgentState.RESERVED


async def test_only_the_agent_concerned_hears_of_a_call(house: DeskHouse, page: Pages) -> None:
    kim, lee = await page("kim"), await page("lee")
    await lee.next()
    await ring(house)
    await kim.until(lambda message: message["type"] == "pop")

    await lee.wish(do="ready")

    assert not [message for message in lee.messages if message["type"] in ("call", "pop")]


async def test_wishes_reach_the_acd_and_refusals_come_back_in_words(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    await house.news(PhoneReachable(KIM))

    assert (await desk.wish(do="not_ready", reason="meal"))["type"] == "done"
    assert house.engine.agents[KIM].reason is NotReadyReason.MEAL
    assert (await desk.wish(do="ready"))["type"] == "done"
    assert house.engine.agents[KIM].state is AgentState.READY
    assert (await desk.wish(do="sign_out"))["type"] == "done"
    assert house.engine.agents[KIM].state is AgentState.LOGGED_OUT


async def test_the_acds_own_reasons_cannot_be_chosen(page: Pages) -> None:
    desk = await page("kim")

    for reason in ("no_answer", "signed_in", "nonsense", None):
        assert (await desk.wish(do="not_ready", reason=reason))["type"] == "error"


async def test_hold_resume_and_hang_up_go_to_the_switch(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    offer = await ring(house)
    await house.news(AgentAnswered(KIM, C1, offer), PartiesConnected(KIM, C1, offer))

    await desk.wish(do="hold")
    held = await house.runner.ask(PhoneReachable(KIM))
    assert held is None
    assert house.engine.agents[KIM].state is AgentState.HOLD
    await desk.wish(do="resume")
    await desk.wish(do="hang_up")
    assert house.hung_up == [C1]


async def test_without_a_call_there_is_nothing_to_hold(page: Pages) -> None:
    desk = await page("kim")

    answer = await desk.wish(do="hold")

    assert (answer["type"], answer["ko"]) == ("error", "진행 중인 통화가 없습니다.")


async def test_a_wish_that_makes_no_sense_is_refused_and_the_desktop_lives_on(page: Pages) -> None:
    desk = await page("kim")
    for said in ("", "[]", "7", "not json", '{"do": "fly"}', '{"do": {}}'):
        await desk.socket.send(said)
        assert (await desk.until(lambda message: message["type"] == "error"))["ko"]

    assert (await desk.wish(do="sign_in"))["type"] == "done"


async def test_strangers_are_turned_away(house: DeskHouse, page: Pages) -> None:
    stranger = await websockets.connect(page.url, origin=websockets.Origin(page.origin), proxy=None)
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await stranger.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401

    foreign = {"Cookie": await cookie(house, "kim")}
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(
            page.url, additional_headers=foreign, origin=websockets.Origin("http://evil.example"), proxy=None
        )


async def test_somebody_without_a_seat_is_told_so(page: Pages) -> None:
    hello = await (await page("boss")).next()

    assert (hello["agent"]["seat"], hello["agent"]["name"]) == (False, "박팀장")


async def test_a_slow_page_misses_pictures_but_never_the_newest() -> None:
    desktop = Desktop()
    for number in range(10_000):
        desktop.show("state", number)
        desktop.show("call", number)
    desktop.answer({"type": "done", "id": "1"})

    taken = await desktop.take(1)

    assert taken == [{"type": "state", "state": 9999}, {"type": "call", "call": 9999}, {"type": "done", "id": "1"}]
    assert await desktop.take(0.001) == []


async def test_a_requested_state_is_shown_beside_the_present_one(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    offer = await ring(house)
    await house.news(AgentAnswered(KIM, C1, offer), PartiesConnected(KIM, C1, offer))
    await house.news(AgentNotReady(KIM, NotReadyReason.BREAK))

    state = await desk.until(lambda message: message["type"] == "state" and message["state"]["requested"] is not None)

    assert (state["state"]["state"], state["state"]["requested_reason"]) == ("talking", "break")


async def test_an_open_page_is_a_desktop_until_its_last_tab_is_closed(house: DeskHouse, page: Pages) -> None:
    first, second = await page("kim"), await page("kim")
    await first.next()
    await second.next()
    assert house.engine.agents[KIM].desktop is True

    await first.socket.close()
    await second.wish(do="sign_in")
    assert house.engine.agents[KIM].desktop is True
    await second.socket.close()

    async def gone() -> bool:
        return house.engine.agents[KIM].desktop is False

    await eventually(gone)


async def test_the_desktop_of_somebody_without_a_seat_is_nobodys_news(house: DeskHouse, page: Pages) -> None:
    boss = await page("boss")
    await boss.next()
    assert [fact for fact in house.facts if isinstance(fact.fact, NewsIgnored)] == []


async def test_a_wrap_up_is_made_longer_and_the_refusal_comes_back_in_words(house: DeskHouse, page: Pages) -> None:
    desk = await page("kim")
    refused = await desk.wish(do="more_wrap_up", seconds=60)
    assert refused["type"] == "error"
    assert refused["ko"]
    offer = await ring(house)
    await house.news(AgentAnswered(KIM, C1, offer), PartiesConnected(KIM, C1, offer), CallerHungUp(C1))
    before = house.pop.state_of(KIM).wrap_up_ends_at
    assert before is not None

    assert (await desk.wish(do="more_wrap_up", seconds=180))["type"] == "done"
    assert house.pop.state_of(KIM).wrap_up_ends_at == before + 180
    for seconds in (0, -60, "60", True, None, 10**9):
        assert (await desk.wish(do="more_wrap_up", seconds=seconds))["type"] == "error"
