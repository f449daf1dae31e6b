"""The engine alone, on a floor of 2,000 agents and 200 queues with thousands of callers waiting: what one event costs.

A day is lived in virtual time: callers come and give up, agents' phones are answered, talks and wrap-ups end, steps
fall due. Only `Engine.handle` with `Engine.next_deadline`, which the service calls for every event, is timed.
"""

import gc
import math
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any

from bench.curve import Curve, drawn
from bench.figures import Figures, over_rounds, percentile, table
from changgu.acd.commands import ConnectCall, RingAgent
from changgu.acd.engine import Engine
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    AgentReady,
    AgentSignedIn,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    DeadlinePassed,
    Event,
    PartiesConnected,
    PhoneReachable,
)
from changgu.acd.facts import CallAnswered, CallEnded, CallQueued
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Agent, Floor, Queue, Relaxation, Seat
from changgu.acd.strategies import STRATEGIES
from changgu.ground.garbage import looking_seldom

STRATEGY_MIX = ("longest_idle", "longest_idle", "fewest_calls", "most_skilled", "round_robin")
"""Over the queues in turn."""
TALK = 180.0
GIVE_UP = 0.1
"""Share of callers who hang up while they wait."""


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """The size of the floor and of the sample."""

    agents: int = 2000
    queues: int = 200
    queues_each: int = 5
    skills: int = 10
    """There are; each agent has `skills_each` of them, with a level."""
    skills_each: int = 5
    kinds: int = 8
    """What callers of one queue can need: a menu has so many ends. 0: every caller needs something else."""
    waiting: int = 10_000
    events: int = 200_000
    curve: tuple[int, ...] = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
    curve_events: int = 60_000

    def quick(self) -> "EnginePlan":
        """Fewer events, to see that it works."""
        return EnginePlan(events=20_000, curve=(100, 1000, 10_000), curve_events=10_000)


def floor_of(plan: EnginePlan, dice: Random) -> Floor:
    """Queues with several strategies, a quarter of them with needs that relax; agents with skills and levels."""
    queues = tuple(
        Queue(
            QueueName(f"q{number:03d}"), f"q{number:03d}",
            strategy=next(name for name in (STRATEGY_MIX[number % len(STRATEGY_MIX)], "longest_idle")
                          if name in STRATEGIES),
            ring_limit=timedelta(seconds=20), wrap_up=timedelta(seconds=30),
            relaxations=(Relaxation(timedelta(seconds=60), lower=3), Relaxation(timedelta(seconds=180), frozenset("*")))
            if number % 4 == 0 else (),
        )
        for number in range(plan.queues)
    )  # fmt: skip
    names = [queue.name for queue in queues]
    agents = []
    for number in range(plan.agents):
        served = frozenset(dice.sample(names, plan.queues_each))
        skills = dice.sample(range(plan.skills), plan.skills_each)
        agents.append(Agent(
            AgentId(f"a{number:04d}"), f"a{number:04d}", served,
            frozenset(f"s{skill}:{dice.randint(1, 10)}" for skill in skills),
            seats={min(served): Seat(level=2)} if number % 5 == 0 else {},
        ))  # fmt: skip
    return Floor(queues, tuple(agents))


class Day:
    """Callers and agents around one engine; keeps as many callers waiting as asked for."""

    def __init__(self, plan: EnginePlan, waiting: int, seed: int = 1) -> None:
        self._plan = plan
        self._dice = Random(seed)
        self.floor = floor_of(plan, self._dice)
        self._kinds = [[self._needs() for _ in range(plan.kinds)] for _ in self.floor.queues]
        self.engine = Engine(self.floor)
        self.engine.configure(self.floor, 0.0)
        self.now = 1000.0
        self._to_come: list[tuple[float, int, Event]] = []
        self._serial = 0
        self._calls = 0
        self._waiting: list[CallId] = []
        self._place: dict[CallId, int] = {}
        self._target = waiting
        self.took: list[int] = []
        """Nanoseconds of each event since `forget`."""
        self.used: list[int] = []
        """The same on the processor: other programs that get their turn in between are not in it."""
        self.kinds: list[str] = []
        self.deadlines = 0

    @property
    def waiting(self) -> int:
        """How many callers are in a queue and not answered."""
        return len(self._waiting)

    def open(self) -> None:
        """Everybody signs in; then the queues fill."""
        for agent in self.floor.agents:
            for event in (PhoneReachable(agent.login), AgentSignedIn(agent.login), AgentReady(agent.login)):
                self.tell(event)
        self.fill()

    def fill(self) -> None:
        """Callers come until enough of them wait."""
        while len(self._waiting) < self._target:
            self.now += 0.001
            self._somebody_calls()

    def forget(self) -> None:
        """What follows is measured."""
        self.took.clear()
        self.used.clear()
        self.kinds.clear()

    def live(self, events: int) -> None:
        """Go on until so many more events have been told."""
        until = len(self.took) + events
        while len(self.took) < until:
            self._next()

    def tell(self, event: Event) -> None:
        """One event, timed, and what people and phones make of its effects."""
        handle, next_deadline, now = self.engine.handle, self.engine.next_deadline, self.now
        used = time.thread_time_ns()
        before = time.perf_counter_ns()
        effects = handle(event, now)
        next_deadline()
        self.took.append(time.perf_counter_ns() - before)
        self.used.append(time.thread_time_ns() - used)
        self.kinds.append(type(event).__name__)
        for effect in effects:
            match effect:
                case RingAgent(agent, call, offer):
                    self._later(self._dice.uniform(1, 8), AgentAnswered(agent, call, offer))
                case ConnectCall(agent, call, offer):
                    self._later(0.01, PartiesConnected(agent, call, offer))
                    self._later(0.01 + self._dice.expovariate(1 / TALK), AgentHungUp(agent, call, offer))
                case CallQueued():
                    self._place[effect.call] = len(self._waiting)
                    self._waiting.append(effect.call)
                case CallAnswered() | CallEnded():
                    self._leave(effect.call)
                case _:
                    pass

    def _next(self) -> None:
        if len(self._waiting) < self._target:
            self._somebody_calls()
            if self._dice.random() < GIVE_UP:
                self.tell(CallerHungUp(self._dice.choice(self._waiting)))
            return
        deadline = self.engine.next_deadline()
        due = self._to_come[0][0] if self._to_come else math.inf
        if deadline is not None and deadline <= due:
            self.now = max(self.now, deadline)
            self.deadlines += 1
            self.tell(DeadlinePassed())
            return
        at, _, event = heappop(self._to_come)
        self.now = max(self.now, at)
        self.tell(event)

    def _somebody_calls(self) -> None:
        self._calls += 1
        call, dice = CallId(f"c{self._calls}"), self._dice
        number = dice.randrange(len(self.floor.queues))
        needs = dice.choice(self._kinds[number]) if self._plan.kinds else self._needs()
        self.tell(CallerDialledIn(call, f"02{self._calls:08d}", "1000"))
        self.tell(CallArrived(call, self.floor.queues[number].name, dice.choice((0, 0, 0, 0, 1)), needs))

    def _needs(self) -> frozenset[str]:
        dice = self._dice
        return frozenset(
            f"s{dice.randrange(self._plan.skills)}:{dice.randint(1, 4)}" for _ in range(dice.choice((0, 0, 1, 1, 2)))
        )

    def _later(self, seconds: float, event: Event) -> None:
        self._serial += 1
        heappush(self._to_come, (self.now + seconds, self._serial, event))

    def _leave(self, call: CallId) -> None:
        place = self._place.pop(call, None)
        if place is None:
            return
        last = self._waiting.pop()
        if last != call:
            self._waiting[place] = last
            self._place[last] = place


def clock_cost() -> int:
    """Nanoseconds that looking at the processor's clock takes: twice, with the wall clock between, as a day does."""
    costs = []
    for _ in range(1000):
        used = time.thread_time_ns()
        time.perf_counter_ns()
        time.perf_counter_ns()
        costs.append(time.thread_time_ns() - used)
    return min(costs)


def speed(plan: EnginePlan, waiting: int, events: int, seed: int) -> tuple[Figures, dict[str, Figures]]:
    """What an event costs with so many waiting, over all and by kind; microseconds."""
    with looking_seldom():
        day = Day(plan, waiting, seed)
        day.open()
        day.live(events // 10)  # the first talks end, and the code is warm
        gc.collect()
        day.forget()
        day.live(events)
    clock = clock_cost()
    day.used = [max(0, used - clock) for used in day.used]
    by_kind: dict[str, list[int]] = defaultdict(list)
    used_by_kind: dict[str, list[int]] = defaultdict(list)
    for kind, took, used in zip(day.kinds, day.took, day.used, strict=True):
        by_kind[kind].append(took)
        used_by_kind[kind].append(used)
    kinds: dict[str, Figures] = {
        kind: {**_costs(took, used_by_kind[kind]), "share": len(took) / len(day.took)}
        for kind, took in by_kind.items()
    }
    rates = {
        "decisions a second": 1e9 * len(day.took) / sum(day.took),
        "decisions a processor second": 1e9 * len(day.used) / sum(day.used),
    }
    return {**_costs(day.took, day.used), **rates}, kinds


def _costs(took: Sequence[int], used: Sequence[int]) -> Figures:
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {
        **{name: percentile(took, share) / 1000 for name, share in shares.items()},
        "p99 on the processor": percentile(used, 0.99) / 1000,
        "max on the processor": max(used) / 1000,
    }


def memory(plan: EnginePlan) -> Figures:
    """Bytes of the engine's own state for each caller who waits."""
    day = Day(plan, 0)
    day.open()
    day._target = 1
    while not day.waiting:  # until nobody is free for the next one
        day._somebody_calls()
    gc.collect()
    tracemalloc.start()
    day.forget()
    before, there = tracemalloc.get_traced_memory()[0], day.waiting
    day._target = there + plan.waiting
    day.fill()
    day.forget()
    day._to_come.clear()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    ours = day.waiting - there
    # the list of who waits and the numbers of the day itself are not the engine's
    return {"bytes for a waiting caller": grown / ours}


def quiet_hour(plan: EnginePlan) -> Figures:
    """Callers wait and nobody is there to serve them: how often an hour the engine wants to be woken."""
    day = Day(plan, plan.waiting)
    day.fill()
    until, woken = day.now + 3600, 0
    settled = day.now + 600  # by then the last caller's needs have relaxed
    while (deadline := day.engine.next_deadline()) is not None and deadline < until:
        day.now = max(day.now, deadline)
        day.tell(DeadlinePassed())
        woken += deadline >= settled
    return {"wakings in a quiet hour": woken}


def measure_all(
    *, quick: bool, rounds: int, say: Callable[[str], None], plan: EnginePlan | None = None
) -> dict[str, Any]:
    """Speed over rounds, memory, quiet, and the curve over the number waiting."""
    plan = plan or (EnginePlan().quick() if quick else EnginePlan())
    found: list[Figures] = []
    kinds: list[dict[str, Figures]] = []
    for number in range(rounds):
        figures, of_kinds = speed(plan, plan.waiting, plan.events, seed=number + 1)
        found.append(figures)
        kinds.append(of_kinds)
        say(f"{plan.waiting} waiting, round {number + 1}: " + ", ".join(f"{k} {v:,.1f}" for k, v in figures.items()))
    curve: dict[int, Figures] = {}
    for waiting in plan.curve:
        of_rounds = [speed(plan, waiting, plan.curve_events, seed=number + 1)[0] for number in range(min(rounds, 3))]
        curve[waiting] = over_rounds(of_rounds)
        say(f"{waiting} waiting: " + ", ".join(f"{k} {v:,.1f}" for k, v in curve[waiting].items()))
    varied = replace(plan, kinds=0)
    every_kind = over_rounds([speed(varied, plan.waiting, plan.curve_events, seed=1)[0]])
    say("every caller needs something else: " + ", ".join(f"{k} {v:,.1f}" for k, v in every_kind.items()))
    besides = {**memory(plan), **quiet_hour(plan)}
    say(", ".join(f"{k} {v:,.0f}" for k, v in besides.items()))
    seen = Counter(kind for one in kinds for kind in one)
    return {
        "floor": {"agents": plan.agents, "queues": plan.queues, "skills": plan.skills,
                  "skills of an agent": plan.skills_each, "kinds of call in a queue": plan.kinds,
                  "queues of an agent": plan.queues_each, "waiting": plan.waiting},
        "speed": {"medians": over_rounds(found), "rounds": found},
        "kinds": {kind: over_rounds([one[kind] for one in kinds if kind in one]) for kind in seen},
        "curve": {str(waiting): figures for waiting, figures in curve.items()},
        "every caller needs something else": every_kind,
        "besides": besides,
    }  # fmt: skip


def ten_times(curve: dict[str, Figures]) -> list[list[str | float]]:
    """p99 with ten times the callers waiting, as a multiple."""
    return [
        [
            f"{int(waiting):,} → {int(waiting) * 10:,}",
            *(curve[str(int(waiting) * 10)][name] / figures[name] for name in ("p99", "p99 on the processor")),
        ]
        for waiting, figures in curve.items()
        if str(int(waiting) * 10) in curve
    ]


def report(result: dict[str, Any]) -> str:
    """Markdown tables of what was measured."""
    floor, speeds = result["floor"], result["speed"]["medians"]
    costs_of = ["p50", "p99", "p99.9", "max", "p99 on the processor", "max on the processor"]
    columns = ["decisions a second", "decisions a processor second", *costs_of]
    parts = [
        f"### {floor['agents']:,} agents, {floor['skills']} skills, {floor['queues']} queues, "
        f"{floor['waiting']:,} callers waiting: one event, µs\n",
        table(columns, [[speeds[name] for name in columns]]),
        "### By kind of event, µs\n",
        table(["", "share", *costs_of], [
            [kind, *(costs[name] for name in ("share", *costs_of))]
            for kind, costs in sorted(result["kinds"].items(), key=lambda item: -item[1]["p99"])
        ]),
        "### More callers waiting\n",
        table(["waiting", *columns], [
            *([f"{int(waiting):,}", *(costs[name] for name in columns)] for waiting, costs in result["curve"].items()),
            ["10,000, no two callers with the same needs",
             *(result["every caller needs something else"][name] for name in columns)],
        ]),
        table(["ten times the callers", "p99 ×", "p99 × on the processor"], ten_times(result["curve"])),
        table(list(result["besides"]), [list(result["besides"].values())]),
    ]  # fmt: skip
    return "\n".join(parts)


def picture(result: dict[str, Any]) -> str:
    """The growth curve as SVG."""
    names = {"p50": "half of all events", "p99": "99 of 100", "p99.9": "999 of 1,000"}
    return drawn(
        "One event, by callers waiting", "callers waiting", "µs",
        [
            Curve(words, [(float(waiting), costs[name]) for waiting, costs in result["curve"].items()])
            for name, words in names.items()
        ],
    )  # fmt: skip
