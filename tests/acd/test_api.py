"""What programs are told about calls, agents and queues, and what they may ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from changgu.acd.agent_state import NotReadyReason
from changgu.acd.api import CallDesk, PersonRef, build_router
from changgu.acd.call_record import CallRecord
from changgu.acd.engine import Engine
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    AgentReady,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    DeadlinePassed,
    Event,
    MenuStepReached,
    PartiesConnected,
    PhoneReachable,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Queue
from changgu.acd.runner import Runner
from changgu.acd.store import CallStore, FloorStore, Ledger
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import Forbidden, Trouble

NETWORK, PC, ALICE, BOB = QueueName("network"), QueueName("pc"), AgentId("alice"), AgentId("bob")
T0 = 1_790_000_000.0

ACTORS = {
    "alice": Actor("alice", "김지은", Role.AGENT),
    "bob": Actor("bob", "박준호", Role.AGENT),
    "boss": Actor("boss", "이팀장", Role.SUPERVISOR),
    "stranger": Actor("stranger", "정자리없음", Role.AGENT),
}


class OpenGate:
    """Believes the header; the real gate has tests of its own."""

    def require(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        async def actor(request: Request) -> Actor:
            asking = ACTORS[request.headers["x-actor"]]
            if not asking.may(role):
                raise Forbidden("권한이 없습니다.", "not for you")
            return asking

        return actor

    async def admit(self, websocket: HTTPConnection, role: Role) -> Actor | None:
        raise NotImplementedError


class Joins:
    async def people_of(self, calls: Sequence[CallRecord]) -> Mapping[CallId, PersonRef]:
        return {call.id: PersonRef(7, "홍길동", "총무과") for call in calls if call.caller == "01012345678"}

    async def tickets_of(self, calls: Sequence[CallId]) -> Mapping[CallId, Sequence[str]]:
        return {CallId("c1"): ["1000008"]}


class Clock:
    def __init__(self) -> None:
        self.time = T0

    def now(self) -> Instant:
        return self.time


class Desk:
    """A floor with one queue of each kind of agent, and a client of its API."""

    def __init__(
        self, database: Database, runner: Runner, engine: Engine, ledger: Ledger, clock: Clock, people: dict[str, str]
    ) -> None:
        self.database = database
        self.runner = runner
        self.engine = engine
        self.ledger = ledger
        self.clock = clock
        self.people = people
        """Whose number each is."""
        app = FastAPI()
        floor = FloorStore(database)
        desk = CallDesk(CallStore(database), ledger, floor, Joins(), engine)
        app.include_router(build_router(OpenGate(), desk, floor, engine, runner))

        @app.exception_handler(Trouble)
        async def trouble(request: Request, error: Trouble) -> JSONResponse:
            return JSONResponse({"ko": error.ko, "field": error.field}, error.status)

        self.app = app

    async def get(self, path: str, actor: str = "boss") -> Any:
        answer = await self.ask("GET", path, actor)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(self, method: str, path: str, actor: str = "boss", **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return await client.request(method, f"/api/v1{path}", headers={"x-actor": actor}, **more)

    async def happen(self, *events: Event, after: float = 0.0) -> None:
        self.clock.time += after
        for event in events:
            await self.runner.ask(event)
        await self.ledger.flush()

    async def due(self) -> None:
        """Whatever is due by now happens."""
        await self.happen(DeadlinePassed())


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    floor = await FloorStore(database).save(
        [Queue(NETWORK, "네트워크", "1002"), Queue(PC, "PC", "1003")],
        [
            Agent(ALICE, "김지은", frozenset({NETWORK}), frozenset({"vpn"}), "browser"),
            Agent(BOB, "박준호", frozenset({PC}), frozenset(), "sip:bob@10.0.0.7"),
        ],
    )
    engine, clock = Engine(floor), Clock()
    ledger = Ledger(database, tmp_path / "spool.jsonl")
    people: dict[str, str] = {}
    runner = Runner(
        engine, clock, lambda command: None, [], 1, ledger=ledger.hear, whose=lambda number: people.get(number, "")
    )
    task = asyncio.create_task(runner.run())
    yield Desk(database, runner, engine, ledger, clock, people)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def answered_call(desk: Desk, call: str = "c1", agent: AgentId = ALICE, queue: QueueName = NETWORK) -> None:
    name, offer = CallId(call), desk.engine.next_offer
    await desk.happen(CallerDialledIn(name, "01012345678", "1000"), MenuStepReached(name, "main"))
    await desk.happen(MenuStepReached(name, "network", "2"), CallArrived(name, queue), after=10)
    await desk.happen(PhoneReachable(agent), AgentReady(agent), after=3)
    await desk.happen(AgentAnswered(agent, name, offer), PartiesConnected(agent, name, offer), after=2.5)
    await desk.happen(AgentHungUp(agent, name, offer), after=60)
    await desk.happen(AgentReady(agent), after=20)


async def test_a_call_has_every_field_of_the_contract(desk: Desk) -> None:
    await answered_call(desk)
    body = await desk.get("/calls")
    assert body == {
        "items": [
            {
                "id": "c1", "direction": "inbound", "caller": "01012345678",
                "person": {"id": 7, "name": "홍길동", "department": "총무과"},
                "dialled": "1000", "queue": "network", "agent": "alice", "outcome": "answered",
                "arrived_at": "2026-09-21T14:13:20Z", "queued_at": "2026-09-21T14:13:30Z",
                "answered_at": "2026-09-21T14:13:35.500000Z", "ended_at": "2026-09-21T14:14:35.500000Z",
                "wait_seconds": 5.5, "time_to_first_answer_seconds": 15.5,
                "talk_seconds": 60.0, "wrap_up_seconds": 20.0, "reason": "", "promised_seconds": None,
                "promise_kept": None, "departures": [], "grounds": [], "callback": None,
                "menu_path": [{"node": "main", "key": None}, {"node": "network", "key": "2"}],
                "tickets": ["1000008"],
            }
        ],
        "next": None,
    }  # fmt: skip


async def test_one_call_shows_everything_that_happened_to_it(desk: Desk) -> None:
    await answered_call(desk)
    call = await desk.get("/calls/c1")
    assert [fact["kind"] for fact in call["facts"]] == [
        "CallStarted", "MenuStepTaken", "MenuStepTaken", "CallQueued", "CallOffered", "AgentStateChanged",
        "CallAnswered", "AgentStateChanged", "CallConnected", "CallEnded", "AgentStateChanged", "AgentStateChanged",
    ]  # fmt: skip
    assert (call["ended_by"], call["offers"], call["hold_seconds"]) == ("agent", 1, 0)


async def test_calls_come_page_by_page_newest_first(desk: Desk) -> None:
    for number in range(5):
        await desk.happen(CallerDialledIn(CallId(f"c{number}"), None, "1000"), after=1)
    first = await desk.get("/calls?limit=3")
    second = await desk.get(f"/calls?limit=3&cursor={first['next']}")
    assert [[row["id"] for row in page["items"]] for page in (first, second)] == [["c4", "c3", "c2"], ["c1", "c0"]]
    assert second["next"] is None
    assert (await desk.ask("GET", "/calls?cursor=nonsense")).status_code == 422


async def test_the_filters_of_the_contract(desk: Desk) -> None:
    await answered_call(desk)
    await desk.happen(CallerDialledIn(CallId("c2"), "+8227001234", "1000"))
    for query, expected in {
        "queue=network": ["c1"], "agent=alice": ["c1"], "outcome=answered": ["c1"], "caller=010-1234-5678": ["c1"],
        "caller=02-700-1234": ["c2"], "open=true": ["c2"], "open=false": ["c1"],
        "since=2026-09-21T14:14:00Z": ["c2"], "until=2026-09-21T23:14:00%2B09:00": ["c1"],
    }.items():  # fmt: skip
        assert [row["id"] for row in (await desk.get(f"/calls?{query}"))["items"]] == expected, query
    for query in ("outcome=lucky", "since=2026-09-21T14:14:00", "limit=0", "limit=201"):
        assert (await desk.ask("GET", f"/calls?{query}")).status_code == 422, query


async def test_an_agent_sees_the_numbers_of_their_own_queues_only(desk: Desk) -> None:
    await answered_call(desk, "c1")
    await answered_call(desk, "c2", BOB, PC)
    for actor, seen in {"alice": ["c1"], "bob": ["c2"], "stranger": [], "boss": ["c2", "c1"]}.items():
        assert [row["id"] for row in (await desk.get("/calls", actor))["items"]] == seen
    assert (await desk.ask("GET", "/calls/c2", "alice")).status_code == 404
    assert (await desk.ask("GET", "/calls/c2", "bob")).status_code == 200
    assert (await desk.ask("GET", "/calls/none", "boss")).status_code == 404


async def test_the_answered_list_of_another_agent_cannot_be_had_by_a_filter(desk: Desk) -> None:
    await answered_call(desk, "c2", BOB, PC)
    assert (await desk.get("/calls?agent=bob&queue=pc", "alice"))["items"] == []


async def test_agents_show_state_reason_and_time_in_it(desk: Desk) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE))
    answer = await desk.ask("POST", "/agents/alice/state", "boss", json={"state": "not_ready", "reason": "meal"})
    assert answer.json()["state_ko"] == "식사"
    desk.clock.time += 90
    alice, bob = (await desk.get("/agents", "bob"))["items"]
    assert alice == {
        "login": "alice", "name": "김지은", "state": "not_ready", "state_ko": "식사", "reason": "meal",
        "reason_ko": "식사", "since": "2026-09-21T14:13:20Z", "seconds": 90.0, "call": None, "requested_next": None,
        "wrap_up_until": None, "phone": {"kind": "browser", "reachable": True}, "desktop": None,
        "queues": ["network"], "skills": ["vpn"],
    }  # fmt: skip
    assert (bob["state"], bob["since"], bob["phone"]) == ("logged_out", None, {"kind": "sip", "reachable": False})


async def test_a_wish_during_a_call_is_kept_for_after_the_wrap_up(desk: Desk) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallerDialledIn(CallId("c1"), None, "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK), AgentAnswered(ALICE, CallId("c1"), OfferId(1)))
    await desk.happen(PartiesConnected(ALICE, CallId("c1"), OfferId(1)))
    answer = await desk.ask("POST", "/agents/alice/state", "alice", json={"state": "not_ready", "reason": "training"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["call"]) == ("talking", "c1")
    assert body["requested_next"] == {"state": "not_ready", "state_ko": "교육", "reason": "training"}


@pytest.mark.parametrize(
    ("actor", "login", "wish", "status"),
    [
        ("alice", "alice", {"state": "ready"}, 200),
        ("boss", "alice", {"state": "ready"}, 200),
        ("bob", "alice", {"state": "ready"}, 403),
        ("boss", "nobody", {"state": "ready"}, 404),
        ("alice", "alice", {"state": "not_ready"}, 422),
        ("alice", "alice", {"state": "not_ready", "reason": "no_answer"}, 422),
        ("alice", "alice", {"state": "talking"}, 422),
        ("alice", "alice", {"state": "not_ready", "reason": "meal"}, 409),
    ],
)
async def test_who_may_change_which_state_to_what(
    desk: Desk, actor: str, login: str, wish: dict[str, str], status: int
) -> None:
    answer = await desk.ask("POST", f"/agents/{login}/state", actor, json=wish)
    assert answer.status_code == status, answer.text
    if status == 409:
        assert any("가" <= letter <= "힣" for letter in answer.json()["ko"])


async def test_queues_show_who_waits_and_who_serves(desk: Desk) -> None:
    await desk.happen(PhoneReachable(BOB), AgentReady(BOB))
    for call in ("c1", "c2"):
        await desk.happen(CallerDialledIn(CallId(call), None, "1000"), CallArrived(CallId(call), NETWORK), after=5)
    desk.clock.time += 30
    network, pc = (await desk.get("/queues"))["items"]
    assert (network["name"], network["number"], network["waiting"], network["longest_wait_seconds"]) == (
        "network", "1002", 2, 35.0,
    )  # fmt: skip
    assert (pc["waiting"], pc["longest_wait_seconds"]) == (0, None)
    assert (network["agents"]["logged_out"], pc["agents"]["ready"], pc["agents"]["talking"]) == (1, 1, 0)
    assert pc["service_level_seconds"] == 20


async def test_a_caller_for_whom_a_phone_rings_still_waits(desk: Desk) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallerDialledIn(CallId("c1"), None, "1000"))
    await desk.happen(CallArrived(CallId("c1"), NETWORK))
    (network, _) = (await desk.get("/queues"))["items"]
    assert (network["waiting"], network["agents"]["reserved"]) == (1, 1)
    await desk.happen(CallerHungUp(CallId("c1")))
    assert (await desk.get("/queues"))["items"][0]["waiting"] == 0


async def test_every_figure_is_documented_with_its_formula(desk: Desk) -> None:
    answer = await desk.ask("GET", "/../../openapi.json")
    schemas = answer.json()["components"]["schemas"]
    for figure in ("wait_seconds", "time_to_first_answer_seconds", "talk_seconds", "wrap_up_seconds"):
        assert "Seconds" in schemas["CallOut"]["properties"][figure]["description"]
    assert NotReadyReason.MEAL.value in str(schemas["NotReadyReason"])
