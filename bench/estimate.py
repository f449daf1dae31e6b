"""How good the estimated wait is: changgu's, Asterisk's, and the textbook's, told to the same made-up callers.

`python -m bench.estimate [--quick] [--seed N] [--out FILE]`

Two kinds of floors are made up from dice. On the textbook's (M/M/N+M: one queue, equal agents, exponential times) the
best possible prediction is known, Σ 1/(Nμ + iθ), i = 0…n, told the true μ and θ. Days on a desk have several queues and
skills, important callers, lognormal handling times that are longer on some days, a lunch time and breaks, and more
callers at ten than at eight; changgu learns all it knows from what it sees.

Whoever gives up is followed on: when would they have been answered? So nobody's patience decides which predictions
count. Times in seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path

from changgu.acd.estimated_wait import Forecast, Situation, forecast, situated
from changgu.acd.handling_times import Abandonment, ArrivalRate, HandlingTimes

PRIORITY_WORTH = 300.0
CONFIDENCE = 0.8

Place = tuple[float, int]


@dataclass(slots=True)
class Caller:
    """One visit."""

    number: int
    arrives: float
    queue: int
    kind: int
    """Queue and needs together: who is of one kind can be taken by the same agents."""
    priority: int
    patience: float
    handling: float
    place: Place = (0.0, 0)
    told: dict[str, float] = field(default_factory=dict)
    """What each way of estimating said on arrival."""
    forecast: Forecast | None = None
    answered: float | None = None
    """When they were answered, or would have been."""
    left: float | None = None


@dataclass(slots=True)
class Worker:
    """One agent."""

    kinds: frozenset[int]
    free_since: float = 0.0
    began: float = 0.0
    caller: Caller | None = None
    here: bool = False


@dataclass(frozen=True)
class Desk:
    """What the dice are thrown for."""

    queues: int
    kinds: Sequence[int]
    """The queue of each kind."""
    workers: Sequence[frozenset[int]]
    """The kinds that each agent may take."""
    mean_handling: Sequence[float]
    """By queue: what the textbook's formulas are told."""
    patience: float
    """Mean."""


class Floor:
    """Plays callers against agents, and asks everybody for an estimate of every wait."""

    def __init__(self, desk: Desk, repeat: float | None = None) -> None:
        self.desk = desk
        self.now = 0.0
        self.workers = [Worker(kinds) for kinds in desk.workers]
        self.handling = [HandlingTimes() for _ in range(desk.queues)]
        self.abandonment = [Abandonment() for _ in range(desk.queues)]
        self.arrivals: dict[tuple[int, int], ArrivalRate] = {}
        self.callers: list[Caller] = []
        """All who had to wait."""
        self.unknown = 0
        self._waiting: list[list[tuple[Place, Caller]]] = [[] for _ in desk.kinds]
        self._ghosts: list[list[tuple[Place, Caller]]] = [[] for _ in desk.kinds]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._stamp = 0
        self._hold_time = [0] * desk.queues
        self._last_wait = [0.0] * desk.queues
        self.repeat = repeat

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Something is going to happen."""
        self._stamp += 1
        heappush(self._events, (when, self._stamp, what))

    def play(self, callers: Iterable[Caller]) -> None:
        """Until nobody waits and nothing is left to happen."""
        for caller in callers:
            while self._events and self._events[0][0] <= caller.arrives:
                self._next()
            self.now = caller.arrives
            self._arrive(caller)
        while self._events:
            self._next()

    def _next(self) -> None:
        self.now, _, what = heappop(self._events)
        what()

    def come(self, worker: Worker) -> None:
        """An agent signs in, or is back."""
        worker.here = True
        if worker.caller is None:
            self._free(worker)

    def go(self, worker: Worker) -> None:
        """An agent is away as soon as their present caller is dealt with."""
        worker.here = False

    def _arrive(self, caller: Caller) -> None:
        caller.place = (caller.arrives - caller.priority * PRIORITY_WORTH, caller.number)
        rate = self.arrivals.get((caller.kind, caller.priority))
        if rate is None:
            rate = self.arrivals[caller.kind, caller.priority] = ArrivalRate(self.now)
        rate.observe(self.now)
        idle = [one for one in self.workers if one.here and one.caller is None and caller.kind in one.kinds]
        if idle:
            self._answer(min(idle, key=lambda one: one.free_since), caller)
            return
        caller.forecast = forecast(self.situation(caller), CONFIDENCE)
        self._ask_the_others(caller)
        insort(self._waiting[caller.kind], (caller.place, caller))
        self.callers.append(caller)
        self.unknown += caller.forecast is None
        self.at(caller.arrives + caller.patience, lambda: self._give_up(caller))

    def situation(self, caller: Caller) -> Situation:
        """What changgu looks at."""
        ahead = [
            (other.place[0], kind)
            for kind, line in enumerate(self._waiting)
            for _, other in line[: bisect_left(line, (caller.place,))]
        ]
        return situated(
            caller.kind,
            ahead,
            [
                (
                    None if one.caller is None else self.now - one.began,
                    self.handling[one.caller.queue if one.caller else 0],
                    one.kinds,
                )
                for one in self.workers
                if one.here
            ],
            {kind: self.handling[queue] for kind, queue in enumerate(self.desk.kinds)},
            [
                (kind, rate.at(self.now), caller.place[0] + priority * PRIORITY_WORTH - self.now)
                for (kind, priority), rate in self.arrivals.items()
            ],
            self.abandonment[caller.queue].rate,
        )

    def _ask_the_others(self, caller: Caller) -> None:
        queue = caller.queue
        lines = [line for kind, line in enumerate(self._waiting) if self.desk.kinds[kind] == queue]
        ahead = sum(bisect_left(line, (caller.place,)) for line in lines)
        agents = sum(one.here and caller.kind in one.kinds for one in self.workers)
        heads = [line[0][1].arrives for line in lines if line]
        rate = agents / self.desk.mean_handling[queue]
        theta = 1.0 / self.desk.patience
        last = self._last_wait[queue]
        caller.told = {
            "app_queue": float(self._hold_time[queue]),
            "LES": last,
            "HOL": self.now - min(heads) if heads else last,
            "QL": (ahead + 1) / rate if rate else math.inf,
            "QL_m": sum(1.0 / (rate + i * theta) for i in range(ahead + 1)) if rate else math.inf,
        }

    def _answer(self, worker: Worker, caller: Caller) -> None:
        caller.answered = self.now
        waited = self.now - caller.arrives
        self._hold_time[caller.queue] = (3 * self._hold_time[caller.queue] + int(waited)) >> 2
        self._last_wait[caller.queue] = waited
        if waited:
            self.abandonment[caller.queue].observe(waited, False)
        worker.caller, worker.began = caller, self.now
        self.at(self.now + caller.handling, lambda: self._done(worker))

    def _done(self, worker: Worker) -> None:
        assert worker.caller is not None
        self.handling[worker.caller.queue].observe(self.now - worker.began)
        worker.caller = None
        if worker.here:
            self._free(worker)

    def _free(self, worker: Worker) -> None:
        worker.free_since = self.now
        heads = [self._waiting[kind][0] for kind in worker.kinds if self._waiting[kind]]
        best = min(heads) if heads else None
        for kind in worker.kinds:
            ghosts = self._ghosts[kind]
            while ghosts and (best is None or ghosts[0][0] < best[0]):
                ghosts.pop(0)[1].answered = self.now
        if best is not None:
            self._waiting[best[1].kind].pop(0)
            self._answer(worker, best[1])

    def _give_up(self, caller: Caller) -> None:
        if caller.answered is None:
            caller.left = self.now
            line = self._waiting[caller.kind]
            del line[bisect_left(line, (caller.place,))]
            insort(self._ghosts[caller.kind], (caller.place, caller))
            self.abandonment[caller.queue].observe(self.now - caller.arrives, True)
