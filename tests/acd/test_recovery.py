"""A floor that was killed comes back exactly as it was, from a short piece of its ledger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.engine import Engine
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    AgentSignedOut,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    ConnectFailed,
    DeadlinePassed,
    Event,
    PartiesConnected,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import Fact, Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Agent, Floor, Queue
from changgu.acd.records import AgentView
from changgu.ground.database import Database

NETWORK, PC = QueueName("network"), QueueName("pc")
FLOOR = Floor(
    (Queue(NETWORK, "네트워크"), Queue(PC, "PC", wrap_up=timedelta(0), misses_before_not_ready=2)),
    tuple(
        Agent(AgentId(name), name, frozenset(queues))
        for name, queues in {"alice": {NETWORK}, "bob": {NETWORK, PC}, "carol": {PC}}.items()
    ),
)


class Day:
    """Random news at random times, as a network and people make it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.engine = Engine(FLOOR)
        self.now = 1_790_000_000.0
        self.facts: list[Recorded] = []
        self.calls = 0

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self.now = round(self.now + self.random.expovariate(1 / 4), 6)
            for effect in self.engine.handle(self.news(), self.now):
                if isinstance(effect, Fact):
                    self.facts.append(Recorded(len(self.facts) + 1, self.now, effect))

    def news(self) -> Event:
        choice = self.random.choice
        due = self.engine.next_deadline()
        if due is not None and due <= self.now:
            return DeadlinePassed()
        agent = choice(FLOOR.agents).login
        calls = list(self.engine.calls.values())
        offered = [call for call in calls if call.offer is not None]
        about = choice(offered) if offered else None
        possible: list[Event] = [
            AgentReady(agent), AgentReady(agent), AgentNotReady(agent, NotReadyReason.MEAL), PhoneReachable(agent),
            PhoneReachable(agent), self.new_call(),
        ]  # fmt: skip
        if self.random.random() < 0.1:
            possible += [AgentSignedOut(agent), PhoneUnreachable(agent)]
        if calls:
            call = choice(calls)
            possible.append(CallArrived(call.call, choice([NETWORK, PC]), self.random.randrange(2)))
            possible.append(CallerHungUp(call.call))
        if about is not None and about.agent is not None and about.offer is not None:
            on = (about.agent, about.call, about.offer)
            possible += [AgentAnswered(*on), PartiesConnected(*on), AgentHungUp(*on)] * 2
            possible += [RingFailed(*on, "busy"), ConnectFailed(*on, "gone")]
        return choice(possible)

    def new_call(self) -> Event:
        self.calls += 1
        return CallerDialledIn(CallId(f"c{self.calls}"), "01012345678", "1000")


def agents(engine: Engine) -> dict[AgentId, AgentView]:
    """Everything about the agents that means anything: a place among the idle, only while idle."""
    return {
        login: view if view.state is AgentState.READY else replace(view, idle_since=0.0)
        for login, view in engine.agents.items()
    }


def assert_same(rebuilt: Engine, lived: Engine, calls: Sequence[CallId]) -> None:
    assert agents(rebuilt) == agents(lived)
    assert dict(rebuilt.calls) == dict(lived.calls)
    assert rebuilt.next_deadline() == lived.next_deadline()
    assert [rebuilt.waiting(queue.name) for queue in FLOOR.queues] == [lived.waiting(q.name) for q in FLOOR.queues]
    assert [rebuilt.recently_ended(call) for call in calls] == [lived.recently_ended(call) for call in calls]
    assert rebuilt.next_offer == lived.next_offer


@pytest.mark.parametrize("seed", range(20))
async def test_the_tail_of_the_ledger_rebuilds_the_floor_that_was_lived(
    database: Database, tmp_path: Path, seed: int
) -> None:
    day = Day(seed)
    ledger = Ledger(database, tmp_path / "spool.jsonl", batch=50)
    for _ in range(8):
        heard = len(day.facts)
        day.go_on(40)
        for recorded in day.facts[heard:]:
            ledger.hear(recorded)
        assert await ledger.flush()
        tail = await ledger.recovery_tail()
        rebuilt = Engine.restore(FLOOR, tail, first_offer=await ledger.last_offer() + 1)
        assert_same(rebuilt, day.engine, [CallId(f"c{number}") for number in range(day.calls + 1)])


async def test_the_tail_stays_short_however_long_the_ledger_grows(database: Database, tmp_path: Path) -> None:
    """Callers who wait for ever would be in it, so this floor has answered them all."""
    day = Day(1)
    ledger = Ledger(database, tmp_path / "spool.jsonl")
    lengths = []
    for _ in range(3):
        heard = len(day.facts)
        day.go_on(1000)
        for call in list(day.engine.calls):
            for effect in day.engine.handle(CallerHungUp(call), day.now):
                if isinstance(effect, Fact):
                    day.facts.append(Recorded(len(day.facts) + 1, day.now, effect))
        for recorded in day.facts[heard:]:
            ledger.hear(recorded)
        assert await ledger.flush()
        ends = {"CallEnded"}
        tail = await Past(database, recalled=100).now()
        lengths.append(sum(type(entry.fact).__name__ not in ends for entry in tail))
    assert max(lengths) < len(day.facts) / 10
