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
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from statistics import median
from time import perf_counter

from changgu.acd.estimated_wait import Forecast, Situation, forecast, situated
from changgu.acd.handling_times import Abandonment, ArrivalRate, HandlingTimes
from changgu.acd.identity import CallId, QueueName
from changgu.acd.promises import Calibration, Coverage, Promise, told

LEARNING = 1500
"""Calls of which changgu only learns, on the textbook's floors."""

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
    promise: Promise | None = None
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
        self.coverage = Coverage()
        self.calibration = [Calibration(CONFIDENCE) for _ in range(desk.queues)]
        self.micros: list[float] = []
        """What each forecast took."""
        self._waiting: list[list[tuple[Place, Caller]]] = [[] for _ in desk.kinds]
        self._ghosts: list[list[tuple[Place, Caller]]] = [[] for _ in desk.kinds]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._stamp = 0
        self._hold_time = [0] * desk.queues
        self._last_wait = [0.0] * desk.queues
        self._repeat = repeat

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

    def count_from_here(self) -> None:
        """Promises made before are forgotten."""
        self.coverage = Coverage()

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
        situation = self.situation(caller)
        begun = perf_counter()
        caller.forecast = forecast(situation, CONFIDENCE)
        self.micros.append((perf_counter() - begun) * 1e6)
        self._ask_the_others(caller)
        self._tell(caller)
        insort(self._waiting[caller.kind], (caller.place, caller))
        self.callers.append(caller)
        self.at(caller.arrives + caller.patience, partial(self._give_up, caller))

    def _tell(self, caller: Caller) -> None:
        """The caller is told how long it will be, and again every so often."""
        if caller.answered is not None or caller.left is not None:
            return
        level = self.calibration[caller.queue].level
        caller.promise = told(caller.promise, forecast(self.situation(caller), level), self.now)
        if caller.promise is not None:
            left = caller.promise.left(self.now)
            self.coverage.promised(CallId(str(caller.number)), _named(caller.queue), self.now, left)
        if self._repeat:
            self.at(self.now + self._repeat, partial(self._tell, caller))

    def _settle(self, caller: Caller) -> None:
        call = CallId(str(caller.number))
        answered = caller.answered is not None
        for settled in self.coverage.answered(call, self.now) if answered else self.coverage.left(call, self.now):
            self.calibration[caller.queue].observe(settled.kept)

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
            self._settle(caller)
        worker.caller, worker.began = caller, self.now
        self.at(self.now + caller.handling, partial(self._done, worker))

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
            self._settle(caller)


def _named(queue: int) -> QueueName:
    return QueueName(f"queue {queue}")


@dataclass(frozen=True)
class Case:
    """One floor and its callers."""

    title: str
    floor: Floor
    callers: list[Caller]
    learning: float
    """Until then nothing is counted."""
    textbook: bool


def textbook(title: str, agents: int, load: float, patience: float, calls: int, dice: random.Random) -> Case:
    """M/M/N+M: one queue of equal agents, handling times of 180 s."""
    mean = 180.0
    floor = Floor(Desk(1, [0], [frozenset({0})] * agents, [mean], patience))
    for worker in floor.workers:
        floor.come(worker)
    callers, now = list[Caller](), 0.0
    for number in range(calls):
        now += dice.expovariate(load * agents / mean)
        callers.append(Caller(number, now, 0, 0, 0, dice.expovariate(1.0 / patience), dice.expovariate(1.0 / mean)))
    return Case(title, floor, callers, callers[LEARNING].arrives, textbook=True)


LARGE = (
    [0, 0, 1, 2],
    [{0}] * 6 + [{0, 1}] * 5 + [{0, 2}] * 3 + [{2}] * 4 + [{2, 3}] * 4 + [{0, 1, 2, 3}] * 2,
    [200.0, 300.0, 400.0],
    [0.38, 0.2, 0.28, 0.14],
)
"""Three queues; the first has callers who need a skill (kind 1), the third needs one that few have."""

SMALL = ([0, 1], [{0}] * 3 + [{0, 1}] * 3 + [{1}] * 2, [240.0, 240.0], [0.6, 0.4])
"""Two queues and eight agents."""

MORNING_TO_EVENING = [0.55, 0.95, 1.2, 1.05, 0.5, 0.5, 1.1, 1.05, 0.8]
"""Callers per hour from 9 to 18, as a share of what everybody together can take."""

SPREAD = 0.8
PATIENCE = 400.0


def days(
    title: str,
    desk: tuple[list[int], list[set[int]], list[float], list[float]],
    number: int,
    dice: random.Random,
    repeat: float = 60.0,
) -> Case:
    """Days from 9 to 18 with half of the agents at lunch from 12 and half from 13, a break each, one caller in ten
    important, and days that are busier or slower than others. On the first day changgu only learns."""
    kinds, takes, means, shares = desk
    floor = Floor(Desk(len(means), kinds, [frozenset(one) for one in takes], means, PATIENCE), repeat)
    work = sum(share * means[kinds[kind]] for kind, share in enumerate(shares))
    callers: list[Caller] = []
    for day in range(number):
        midnight = day * 86400.0
        busy, slow = math.exp(dice.gauss(0.0, 0.1)), math.exp(dice.gauss(0.0, 0.06))
        for index, worker in enumerate(floor.workers):
            lunch = midnight + (12 + index % 2) * 3600
            pause = midnight + dice.choice((9.5, 14.5)) * 3600 + dice.uniform(0.0, 6300.0)
            for off, on in ((lunch, lunch + 3600), (pause, pause + 900)):
                floor.at(off, partial(floor.go, worker))
                floor.at(on, partial(floor.come, worker))
            floor.at(midnight + 9 * 3600 - dice.uniform(0.0, 600.0), partial(floor.come, worker))
            floor.at(midnight + 18 * 3600, partial(floor.go, worker))
        now = midnight + 9 * 3600
        while (now := now + dice.expovariate(1.25 * busy * len(takes) / work)) < midnight + 17.75 * 3600:
            if dice.random() > MORNING_TO_EVENING[int((now - midnight) / 3600) - 9] / 1.25:
                continue
            kind = dice.choices(range(len(kinds)), shares)[0]
            mean = means[kinds[kind]] * slow
            callers.append(
                Caller(
                    len(callers), now, kinds[kind], kind, int(dice.random() < 0.1), dice.expovariate(1.0 / PATIENCE),
                    dice.lognormvariate(math.log(mean) - SPREAD**2 / 2, SPREAD),
                )
            )  # fmt: skip
    return Case(title, floor, callers, 86400.0, textbook=False)


OTHERS = ("app_queue", "LES", "HOL", "QL", "QL_m")


def measure(case: Case) -> dict[str, object]:
    """Plays the case and reports; errors in seconds, shares from 0 to 1."""
    case.floor.at(case.learning, case.floor.count_from_here)
    case.floor.play(case.callers)
    counted = [
        (one, one.forecast, one.answered - one.arrives)
        for one in case.floor.callers
        if one.forecast is not None and one.answered is not None and one.arrives >= case.learning
    ]
    errors = {"changgu": [said.mean - wait for _, said, wait in counted]}
    within = {"changgu": [wait <= said.promise for _, said, wait in counted]}
    for name in OTHERS:
        errors[name] = [one.told[name] - wait for one, _, wait in counted]
        within[name] = [wait <= one.told[name] for one, _, wait in counted]
    mae = {name: sum(map(abs, all_)) / len(all_) for name, all_ in errors.items()}
    rmse = {name: math.sqrt(sum(error * error for error in all_) / len(all_)) for name, all_ in errors.items()}
    total = case.floor.coverage.total
    return {
        "case": case.title,
        "textbook": case.textbook,
        "waits": len(counted),
        "mean_wait": sum(wait for *_, wait in counted) / len(counted),
        "unknown": sum(one.forecast is None for one in case.floor.callers),
        "mae": mae,
        "rmse": rmse,
        "rmse_to_bound": rmse["changgu"] / rmse["QL_m"],
        "within": {name: sum(all_) / len(all_) for name, all_ in within.items()},
        "interval": sum(said.low <= wait <= said.high for _, said, wait in counted) / len(counted),
        "promises_kept": total.share,
        "promises": total._asdict(),
        "forecast_us": median(case.floor.micros),
    }


def cases(seed: int, quick: bool) -> Iterable[Case]:
    """All of them, each with dice of its own."""
    calls, number = (4000, 3) if quick else (16000, 10)

    def dice(case: int) -> random.Random:
        return random.Random(f"{seed}/{case}")

    yield textbook("M/M/100+M, load 1.0, patience 180 s", 100, 1.0, 180.0, calls, dice(1))
    yield textbook("M/M/100+M, load 1.3, patience 180 s", 100, 1.3, 180.0, calls, dice(2))
    yield textbook("M/M/20+M, load 1.1, patience 180 s", 20, 1.1, 180.0, calls, dice(3))
    yield textbook("M/M/20+M, load 0.95, patience 600 s", 20, 0.95, 600.0, calls, dice(4))
    yield textbook("M/M/5+M, load 1.1, patience 300 s", 5, 1.1, 300.0, calls, dice(5))
    yield days("Days, 24 agents, 3 queues, skills, priorities", LARGE, number, dice(6))
    yield days("Days, 8 agents, 2 queues, skills, priorities", SMALL, number, dice(7))


def main() -> None:
    """Prints one table and writes everything as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimate", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the calls and a third of the days")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    wanted = parser.parse_args()
    names = ("changgu", *OTHERS)
    results = []
    for case in cases(wanted.seed, wanted.quick):
        result = measure(case)
        results.append(result)
        print(f"\n{case.title}: {result['waits']} waits, mean {result['mean_wait']:.0f} s")
        print(f"  {'':9}" + "".join(f"{name:>11}" for name in names))
        for title, key, digits in (("MAE, s", "mae", 1), ("RMSE, s", "rmse", 1), ("within", "within", 2)):
            figures = result[key]
            assert isinstance(figures, dict)
            print(f"  {title:9}" + "".join(f"{figures[name]:11.{digits}f}" for name in names))
        print(
            f"  RMSE / QL_m's {result['rmse_to_bound']:.3f} · in the 80 % interval {result['interval']:.3f}"
            f" · promises kept {result['promises_kept']:.3f} · {result['forecast_us']:.0f} µs a forecast"
        )
    if wanted.out:
        wanted.out.write_text(json.dumps({"seed": wanted.seed, "quick": wanted.quick, "cases": results}, indent=1))


if __name__ == "__main__":
    main()
