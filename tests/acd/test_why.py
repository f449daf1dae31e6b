"""A call of the past is explained on its page and to programs, from the ledger alone."""

import re
from collections.abc import Awaitable, Callable

import httpx
import pytest

from changgu.acd.api import CallDesk
from changgu.acd.events import (
    AgentAnswered,
    AgentReady,
    AgentSignedIn,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    PhoneReachable,
    RingFailed,
)
from changgu.acd.explain import Unserved
from changgu.acd.identity import AgentId, CallId
from changgu.acd.ledger.past.store import Past
from changgu.acd.queues import Agent, Floor
from changgu.acd.store import CallStore, FloorStore
from changgu.acd.why.api import AgentWhyOut, OfferWhyOut, build_router
from changgu.acd.why.pages import SHOWN, build_pages, parts
from changgu.acd.why.service import MOST_OFFERS, Explainer
from changgu.app.rendering import SitePages
from changgu.ground.database import Database
from tests.acd.test_api import ALICE, BOB, NETWORK, PC, Desk, Joins, OpenGate, desk

__all__ = ["desk"]

CAROL = AgentId("carol")
Show = Callable[..., Awaitable[str]]


@pytest.fixture
async def show(desk: Desk, database: Database) -> Show:
    store = FloorStore(database)
    floor = await store.save(
        agents=[
            Agent(BOB, "박준호", frozenset({PC, NETWORK})),
            Agent(CAROL, "최하늘", frozenset({NETWORK}), frozenset({"vpn"})),
        ]
    )
    past = Past(database)
    await past.keep_floor(floor)
    desk.runner.configure(floor)
    calls = CallDesk(CallStore(database), desk.ledger, store, Joins())

    def waits(call: CallId) -> tuple[Unserved, Floor] | None:
        found = desk.engine.unserved(call, desk.runner.now())
        return None if found is None else (found, floor)

    explainer = Explainer(past, store.load_floor, waits)
    desk.app.include_router(build_router(OpenGate(), calls, explainer))
    desk.app.include_router(build_pages(OpenGate(), SitePages(), calls, explainer))

    async def shown(path: str, actor: str = "boss", lang: str = "ko", status: int = 200) -> str:
        transport = httpx.ASGITransport(desk.app)
        cookies = {"changgu_language": lang}
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", cookies=cookies) as client:
            answer = await client.get(path, headers={"x-actor": actor})
        assert answer.status_code == status, answer.text
        return re.sub(r"\s+", " ", answer.text)

    return shown


async def a_call(desk: Desk) -> None:
    """Alice lets it ring, then Carol gets it; Bob, who lacks the skill, is never asked."""
    await desk.happen(*(PhoneReachable(one) for one in (ALICE, BOB, CAROL)))
    await desk.happen(AgentReady(ALICE), AgentReady(BOB), after=5)
    await desk.happen(CallerDialledIn(CallId("c1"), "01012345678", "1000"), after=60)
    offer = desk.engine.next_offer
    await desk.happen(CallArrived(CallId("c1"), NETWORK, skills=frozenset({"vpn"})), after=5)
    await desk.happen(AgentReady(CAROL), after=2)
    await desk.happen(RingFailed(ALICE, CallId("c1"), offer, "busy"), after=4)
    await desk.happen(AgentAnswered(CAROL, CallId("c1"), desk.engine.calls[CallId("c1")].offer or offer), after=4)
    await desk.happen(CallerHungUp(CallId("c1")), after=60)
    await desk.happen(*(AgentSignedIn(one) for one in (ALICE, BOB)), after=4000)


async def test_programs_are_told_why(desk: Desk, show: Show) -> None:
    await a_call(desk)

    answer = await desk.get("/calls/c1/why")

    assert (answer["floor_known"], answer["left_out"]) == (True, 0)
    first, second = answer["items"]
    assert (first["agent"], first["name"], first["title"]) == ("alice", "김지은", "네트워크")
    assert first["chosen"] == {
        "why": "only", "ko": "받을 수 있는 요원이 한 명뿐이었습니다.", "en": "Nobody else could take the call.",
    }  # fmt: skip
    others = {one["agent"]: (one["why"], one["en"]) for one in first["others"]}
    assert others == {"bob": ("skills", "lacks vpn 1 (has none)"), "carol": ("state", "signed out")}
    assert second["agent"] == "carol"
    assert {one["agent"]: one["why"] for one in second["others"]} == {"alice": "missed", "bob": "skills"}
    assert (second["waited_seconds"], second["place"], second["skills"]) == (6.0, 1, ["vpn"])
    assert all(one["explained"] for one in answer["items"])


async def test_the_page_of_a_call_says_why(desk: Desk, show: Show) -> None:
    await a_call(desk)

    page = await show("/calls/c1/why")
    for told in (
        "왜 이 요원인가",
        "김지은",
        "기술 부족: vpn 1 필요(없음)",
        "이 통화를 이미 받지 않음",
        "<dt>박준호</dt>",
    ):
        assert told in page, told
    assert "Other agents" in await show("/calls/c1/why", lang="en")


async def test_who_may_not_see_a_call_is_not_told_why_either(desk: Desk, show: Show) -> None:
    await a_call(desk)

    await show("/calls/c1/why", actor="stranger", status=404)
    await show("/api/v1/calls/c1/why", actor="stranger", status=404)


async def test_a_call_that_rang_nowhere_has_nothing_to_explain(desk: Desk, show: Show) -> None:
    await desk.happen(CallerDialledIn(CallId("c9"), "01012345678", "1000"))

    answer = await desk.get("/calls/c9/why")
    assert (answer["items"], answer["unserved"]) == ([], None)
    await show("/calls/c9/why", status=404)


async def test_programs_are_told_how_a_caller_waits_who_is_offered_to_nobody(desk: Desk, show: Show) -> None:
    await desk.happen(PhoneReachable(BOB), AgentReady(BOB), CallerDialledIn(CallId("c1"), None, "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK, skills=frozenset({"vpn"})))
    await desk.happen(AgentSignedIn(ALICE), after=30)
    waits = {"queue": "network", "title": "네트워크", "waited_seconds": 30.0, "waits_still": True}

    answer = await desk.get("/calls/c1/why")
    assert (answer["items"], {name: answer["unserved"][name] for name in waits}) == ([], waits)
    assert answer["unserved"]["en"] == "its 3 agents: 1 away, 1 signed out, 1 lacking the skill"

    desk.clock.time += 7
    assert (await desk.get("/calls/c1/why"))["unserved"]["waited_seconds"] == 37.0, "also while nothing happens"

    await desk.happen(CallerHungUp(CallId("c1")), after=5)
    told = (await desk.get("/calls/c1/why"))["unserved"]
    assert (told["waited_seconds"], told["waits_still"]) == (42.0, False)


async def test_the_page_of_a_call_that_rings_at_nobodys_says_how_it_waits_and_why(desk: Desk, show: Show) -> None:
    await desk.happen(PhoneReachable(BOB), AgentReady(BOB), CallerDialledIn(CallId("c1"), None, "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK, skills=frozenset({"vpn"})))
    await desk.happen(AgentSignedIn(ALICE), after=30)

    waits = await show("/calls/c1/why")
    for told in (
        "<h2>어느 요원의 전화도 울리지 않는 까닭</h2>",
        "<dt>대기</dt><dd>네트워크에서 30초 기다리는 중</dd>",
        "<dt>지금 요원</dt><dd>맡은 요원 3명: ",
        'data-again="5"',
    ):
        assert told in waits, (told, waits)
    assert "왜 이 요원인가" not in waits

    await desk.happen(CallerHungUp(CallId("c1")), after=5)
    left = await show("/calls/c1/why")
    for told in (
        "<h2>어느 요원의 전화도 울리지 않은 까닭</h2>", "<dd>네트워크에서 35초 기다림</dd>", "<dt>그때 요원</dt>",
    ):  # fmt: skip
        assert told in left, (told, left)
    assert "data-again" not in left, "what is over stays as it is"

    english = await show("/calls/c1/why", lang="en")
    for told in (
        "<h2>Why nobody&#39;s phone rang</h2>", "<dt>Wait</dt><dd>waited for 35 s in 네트워크</dd>",
        "<dt>Agents then</dt><dd>its 3 agents: 1 away, 1 signed out, 1 lacking the skill</dd>",
    ):  # fmt: skip
        assert told in english, (told, english)


async def test_whoever_looks_on_while_a_caller_waits_has_no_past_rebuilt(
    desk: Desk, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.happen(CallerDialledIn(CallId("c1"), None, "1000"), CallArrived(CallId("c1"), NETWORK))

    async def before(past: Past, seq: int) -> None:
        raise AssertionError("every look would take longer the longer they wait, where calls are routed")

    monkeypatch.setattr(Past, "before", before)
    assert "지금 요원" in await show("/calls/c1/why")


async def test_who_may_not_see_a_call_that_rang_at_nobodys_is_not_told_how_it_waited(desk: Desk, show: Show) -> None:
    await desk.happen(CallerDialledIn(CallId("c1"), None, "1000"), CallArrived(CallId("c1"), NETWORK))

    await show("/calls/c1/why", actor="stranger", status=404)


async def test_a_call_older_than_the_keeping_of_floors_is_explained_by_todays(desk: Desk, database: Database) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallerDialledIn(CallId("c1"), None, "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK))
    explained = await Explainer(Past(database), FloorStore(database).load_floor).of_call(CallId("c1"))

    assert not explained.floor_known
    assert [one.agent for one in explained.offers] == [ALICE]


async def test_a_call_that_rang_for_ever_is_explained_by_its_first_offers(desk: Desk, show: Show) -> None:
    await desk.happen(PhoneReachable(CAROL), AgentReady(CAROL), CallerDialledIn(CallId("c1"), None, "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK))
    for _ in range(MOST_OFFERS + 2):
        offer = desk.engine.calls[CallId("c1")].offer
        assert offer is not None
        await desk.happen(RingFailed(CAROL, CallId("c1"), offer, "busy"), AgentReady(CAROL), after=1)

    answer = await desk.get("/calls/c1/why")
    assert (len(answer["items"]), answer["left_out"]) == (MOST_OFFERS, 3)


async def test_a_large_floor_is_shown_in_few_lines(desk: Desk, show: Show) -> None:
    await a_call(desk)
    offer = OfferWhyOut.model_validate((await desk.get("/calls/c1/why"))["items"][0])
    one = offer.others[0]
    others = [replaced(one, f"a{number}", "not_in_queue") for number in range(200)]
    others += [replaced(one, f"s{number}", "skills") for number in range(SHOWN + 5)]
    others.append(replaced(one, "nearest", "rank"))

    (part,) = parts([offer.model_copy(update={"others": others})])

    assert len(part.near) == SHOWN
    assert part.near[0].agent == "nearest"
    assert {(other.why.value, count) for other, count in part.far} == {("not_in_queue", 200), ("skills", 6)}


def replaced(one: AgentWhyOut, agent: str, why: str) -> AgentWhyOut:
    return AgentWhyOut.model_validate({**one.model_dump(), "agent": agent, "why": why})
