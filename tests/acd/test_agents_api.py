"""Supervisors put agents into a state at once and move them between queues; nobody else does."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from changgu.acd.agent_state import AgentState
from changgu.acd.agents.api import build_router
from changgu.acd.events import AgentAnswered, AgentReady, CallArrived, CallerDialledIn, PartiesConnected, PhoneReachable
from changgu.acd.facts import AgentStateChanged, Departure
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Destination, Overflow, Way
from changgu.acd.store import FloorStore
from changgu.ground.database import Database
from tests.acd.test_api import ALICE, NETWORK, PC, Desk, OpenGate, desk

__all__ = ["desk"]

C1 = CallId("c1")


class Changes:
    """Takes up every change, as the running desk would."""

    def __init__(self, store: FloorStore, desk: Desk) -> None:
        self.store = store
        self.desk = desk
        self.by: list[str] = []

    async def move_agent(
        self, login: AgentId, queues: Collection[QueueName] | None, skills: Collection[str] | None, by: str
    ) -> None:
        agents = {agent.login: agent for agent in (await self.store.load_floor()).agents}
        changed = replace(
            agents[login],
            queues=agents[login].queues if queues is None else frozenset(queues),
            skills=agents[login].skills if skills is None else frozenset(skills),
        )
        self.by.append(by)
        self.desk.runner.configure(await self.store.save(agents=[changed]))


@pytest.fixture
async def changes(desk: Desk, database: Database) -> Changes:
    floor = FloorStore(database)
    changes = Changes(floor, desk)
    desk.app.include_router(build_router(OpenGate(), floor, desk.engine, desk.runner, changes))
    return changes


@pytest.mark.parametrize(
    ("actor", "login", "wish", "status"),
    [
        ("boss", "alice", {"state": "not_ready", "reason": "training", "why": "교육 시작"}, 200),
        ("boss", "alice", {"state": "logged_out"}, 200),
        ("alice", "alice", {"state": "ready"}, 403),
        ("bob", "alice", {"state": "ready"}, 403),
        ("boss", "nobody", {"state": "ready"}, 404),
        ("boss", "alice", {"state": "not_ready"}, 422),
        ("boss", "alice", {"state": "not_ready", "reason": "desktop_gone"}, 422),
        ("boss", "alice", {"state": "talking"}, 422),
        ("boss", "alice", {"state": "ready", "why": "ㄱ" * 201}, 422),
    ],
)
async def test_only_supervisors_force_and_only_what_can_be(
    desk: Desk, changes: Changes, actor: str, login: str, wish: dict[str, str], status: int
) -> None:
    answer = await desk.ask("POST", f"/agents/{login}/force", actor, json=wish)
    assert answer.status_code == status, answer.text


async def test_a_forced_state_holds_at_once_and_says_who_and_why(desk: Desk, changes: Changes) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallerDialledIn(C1, None, "1000"))
    await desk.happen(CallArrived(C1, NETWORK))
    assert desk.engine.agents[ALICE].state is AgentState.RESERVED

    wish = {"state": "not_ready", "reason": "meal", "why": " 교대 \n 시간 "}
    answer = await desk.ask("POST", "/agents/alice/force", "boss", json=wish)

    assert (answer.json()["state"], answer.json()["reason"]) == ("not_ready", "meal")
    await desk.ledger.flush()
    moves = [entry.fact for entry in await desk.ledger.read() if isinstance(entry.fact, AgentStateChanged)]
    assert (moves[-1].by, moves[-1].why) == ("boss", "교대 시간")


async def test_in_a_conversation_it_is_kept_for_afterwards(desk: Desk, changes: Changes) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallerDialledIn(C1, None, "1000"))
    await desk.happen(
        CallArrived(C1, NETWORK), AgentAnswered(ALICE, C1, OfferId(1)), PartiesConnected(ALICE, C1, OfferId(1))
    )
    answer = await desk.ask("POST", "/agents/alice/force", "boss", json={"state": "not_ready", "reason": "break"})
    assert answer.json()["state"] == "talking"
    assert answer.json()["requested_next"] == {"state": "not_ready", "state_ko": "휴식", "reason": "break"}


async def test_an_ordinary_wish_of_a_supervisor_names_them(desk: Desk) -> None:
    await desk.happen(PhoneReachable(ALICE))
    await desk.ask("POST", "/agents/alice/state", "boss", json={"state": "ready"})
    await desk.ask("POST", "/agents/alice/state", "alice", json={"state": "not_ready", "reason": "meal"})
    await desk.ledger.flush()
    moves = [entry.fact for entry in await desk.ledger.read() if isinstance(entry.fact, AgentStateChanged)]
    assert [move.by for move in moves] == ["boss", None]


async def test_an_agent_moved_to_another_queue_is_offered_its_waiting_caller(desk: Desk, changes: Changes) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallerDialledIn(C1, None, "1000"))
    await desk.happen(CallArrived(C1, PC))

    answer = await desk.ask("PATCH", "/agents/alice", "boss", json={"queues": ["network", "pc"], "skills": ["vpn:7"]})

    assert (answer.json()["queues"], answer.json()["skills"]) == (["network", "pc"], ["vpn:7"])
    await desk.runner.ask(PhoneReachable(ALICE))
    assert desk.engine.agents[ALICE].call == C1
    assert changes.by == ["boss"]


async def test_what_is_left_out_stays(desk: Desk, changes: Changes) -> None:
    answer = await desk.ask("PATCH", "/agents/alice", "boss", json={"queues": []})
    assert (answer.json()["queues"], answer.json()["skills"]) == ([], ["vpn"])


async def test_only_supervisors_move_agents_and_skills_must_be_skills(desk: Desk, changes: Changes) -> None:
    assert (await desk.ask("PATCH", "/agents/alice", "alice", json={"queues": ["pc"]})).status_code == 403
    answer = await desk.ask("PATCH", "/agents/alice", "boss", json={"skills": ["vpn:11"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "skills")
    assert changes.by == []


async def test_a_call_opened_to_a_queue_by_overload_is_seen_by_its_agents_and_else_not(desk: Desk) -> None:
    floor = await FloorStore(desk.database).load_floor()
    network = next(queue for queue in floor.queues if queue.name == NETWORK)
    opens = replace(network, overflows=(Overflow(Departure.WAITED, Destination(Way.OPEN, "pc"), 30),))
    opened = replace(floor, queues=tuple(opens if queue.name == NETWORK else queue for queue in floor.queues))
    desk.runner.configure(opened)
    await desk.happen(CallerDialledIn(C1, "01012345678", "1000"), CallArrived(C1, NETWORK))
    assert (await desk.get("/calls", "bob"))["items"] == []

    desk.clock.time += 31
    await desk.due()

    assert [row["id"] for row in (await desk.get("/calls", "bob"))["items"]] == ["c1"]
    detail = await desk.get("/calls/c1", "bob")
    assert [(one["why"], one["to"]) for one in detail["departures"]] == [("waited", "open:pc")]

    desk.runner.configure(floor)  # the rule is off: the next caller is not theirs to see
    await desk.happen(CallerDialledIn(CallId("c2"), None, "1000"), CallArrived(CallId("c2"), NETWORK))
    desk.clock.time += 31
    await desk.due()
    assert (await desk.ask("GET", "/calls/c2", "bob")).status_code == 404
