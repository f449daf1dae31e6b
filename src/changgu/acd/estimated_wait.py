"""How long a caller will wait, with odds: from what every agent is doing right now and for how long already.

With N agents, exponential handling times of mean 1/μ and patience of mean 1/θ, the wait behind n callers has the mean
Σ 1/(Nμ + iθ), i = 0…n: nothing that can be known at the time predicts it better. Handling times are not exponential, so
here the agents' rate Nμ is replaced by what each of them is expected to complete by the time t, given how long their
present caller has been with them. Callers with a better place use that up, and so do callers yet to come who will be
placed better; callers ahead who can be taken by others, too, use up what these complete first.

What is completed by t is uncertain. The spread (less than Poisson's while everybody is still with their present caller,
more or less afterwards as handling times are irregular or regular) makes the quantiles.

Everything here is a function of what it was told: no clock, no chance. All times are in seconds.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import exp, sqrt
from statistics import NormalDist
from typing import NamedTuple, TypeVar

from changgu.acd.handling_times import Curve, HandlingTimes

STEPS = 20
"""Times at which what has been completed is worked out; straight lines in between."""

ROUNDS = 8
"""Steps in which the callers ahead are brought to their agents, when not everybody can take everybody."""


class Server(NamedTuple):
    """One agent who serves, now or after their present work, callers of some kinds (see `Situation`)."""

    elapsed: float | None
    """Seconds since they were offered their present caller, wrap-up included; None: free."""
    handling: HandlingTimes
    """Of the queue of their present caller."""
    takes: int = 1
    """Bit k: may take callers of kind k."""


class Rivals(NamedTuple):
    """Callers of one kind who have a better place than this one."""

    kind: int
    waiting: int
    handling: HandlingTimes
    """Of their queue."""


class Overtakers(NamedTuple):
    """Callers of one kind who have not come yet, and will have a better place if they come soon."""

    kind: int
    rate: float
    """Per second."""
    lasting: float
    """Seconds from now: who comes later has a worse place."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that decides how long one caller will wait.

    Callers who can be taken by exactly the same agents are of one *kind*; kinds are small numbers, this caller's is 0.
    `servers` holds everybody who is staffed and takes some of the kinds; who asked to be away after the present caller
    is left out.
    """

    servers: Sequence[Server]
    handling: HandlingTimes
    """Of the caller's queue."""
    rivals: Sequence[Rivals] = ()
    overtakers: Sequence[Overtakers] = ()
    abandonment: float = 0.0
    """Per second of waiting (`Abandonment.rate`)."""
    pickup: float = 0.0
    """Seconds from the offer until an agent usually answers."""

    @property
    def staffed(self) -> int:
        """Agents who may take this caller."""
        return sum(server.takes & 1 for server in self.servers)

    @property
    def ahead(self) -> int:
        """Callers in better places, of all kinds."""
        return sum(rivals.waiting for rivals in self.rivals)


Kind = TypeVar("Kind", bound=Hashable)


def situated(
    own: Kind,
    ahead: Mapping[Kind, int],
    agents: Iterable[tuple[float | None, HandlingTimes, Collection[Kind]]],
    handling: Mapping[Kind, HandlingTimes],
    coming: Iterable[tuple[Kind, float, float]] = (),
    abandonment: float = 0.0,
    pickup: float = 0.0,
) -> Situation:
    """Numbers the kinds and leaves out what has no bearing on the caller.

    `own` and the keys are whatever kinds are known by, such as lines. `ahead`: waiting in better places, by kind.
    `agents`: elapsed, handling time of their present caller's queue, and the kinds they may take. `coming`: kind, rate
    and `lasting` of those who would overtake. Kinds that share no agent with `own` are dropped, and agents who take
    none of the others.
    """
    agents = list(agents)
    near = {kind for _, _, kinds in agents if own in kinds for kind in kinds}
    coming = [(kind, rate, lasting) for kind, rate, lasting in coming if kind in near and lasting > 0 < rate]
    numbers = {own: 0}
    for kind in (*(kind for kind, waiting in ahead.items() if waiting and kind in near), *(one[0] for one in coming)):
        numbers.setdefault(kind, len(numbers))
    servers = []
    for elapsed, times, kinds in agents:
        takes = 0
        for kind, number in numbers.items():
            if kind in kinds:
                takes |= 1 << number
        if takes:
            servers.append(Server(elapsed, times, takes))
    return Situation(
        tuple(servers),
        handling[own],
        tuple(Rivals(number, ahead[kind], handling[kind]) for kind, number in numbers.items() if ahead.get(kind)),
        tuple(Overtakers(numbers[kind], rate, lasting) for kind, rate, lasting in coming),
        abandonment,
        pickup,
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the caller will be answered, in seconds from now."""

    mean: float
    median: float
    promise: float
    """They are answered within this with the confidence that was asked for."""
    low: float
    """One caller in ten waits shorter than this…"""
    high: float
    """…and one in ten longer than this."""
    staffed: int
    """Agents who may take them."""
    ahead: int
    """Callers in better places."""


@dataclass(slots=True)
class _Group:
    """Agents who take the same kinds, and what they are expected to complete."""

    takes: int
    servers: list[Server] = field(default_factory=list)
    completed: list[float] = field(default_factory=list)
    """By 0, 1, 2… steps, each completion weighted by what is left then of the callers who wait now."""
    gross: list[float] = field(default_factory=list)
    """The same without weights, and before overtakers."""
    slope: float = 0.0
    """Per step, after the last one."""

    def by(self, position: float) -> float:
        """What is completed by so many steps."""
        index = int(position)
        last = len(self.completed) - 1
        if index >= last:
            return self.completed[last] + (position - last) * self.slope
        low = self.completed[index]
        return low + (position - index) * (self.completed[index + 1] - low)


def forecast(situation: Situation, confidence: float = 0.8) -> Forecast | None:
    """The forecast; None, unknown, when nobody is staffed who may take the caller."""
    staffed, ahead = situation.staffed, situation.ahead
    if not staffed:
        return None
    relevant = 1
    for rivals in situation.rivals:
        relevant |= 1 << rivals.kind
    for overtakers in situation.overtakers:
        relevant |= 1 << overtakers.kind
    groups: dict[int, _Group] = {}
    for server in situation.servers:
        takes = server.takes & relevant
        if takes:
            group = groups.get(takes)
            if group is None:
                group = groups[takes] = _Group(takes)
            group.servers.append(server)
    own = [group for group in groups.values() if group.takes & 1]
    if _somebody_is_free(situation, groups.values()):
        now = situation.pickup
        return Forecast(now, now, now, now, now, staffed, ahead)
    step = _complete(situation, groups.values(), own, ahead)
    curve = situation.handling.curve()
    waits = _Waits(situation, list(groups.values()), own, relevant)
    typical = waits.after(1.0)
    needed, spread = _spread(situation, own, typical, step, curve)
    shape = needed * needed / (needed * spread + needed * needed * curve.uncertainty)

    def answered(scale: float) -> float:
        return situation.pickup + step * waits.after(scale)

    return Forecast(
        mean=situation.pickup + step * typical,
        median=answered(_gamma_quantile(shape, 0.5)),
        promise=answered(_gamma_quantile(shape, confidence)),
        low=answered(_gamma_quantile(shape, 0.1)),
        high=answered(_gamma_quantile(shape, 0.9)),
        staffed=staffed,
        ahead=ahead,
    )


def _somebody_is_free(situation: Situation, groups: Iterable[_Group]) -> bool:
    """Whether an agent is free for this caller even after everybody ahead has been given one."""
    free = 0
    kinds = 0
    for group in groups:
        if group.takes & 1:
            idle = sum(server.elapsed is None for server in group.servers)
            free += idle
            kinds |= group.takes if idle else 0
    return free > sum(rivals.waiting for rivals in situation.rivals if kinds >> rivals.kind & 1)


def _next_mean(situation: Situation) -> float:
    """Mean handling time of the callers who are served before this one's turn."""
    count, seconds = 1.0, situation.handling.curve().mean
    for rivals in situation.rivals:
        count += rivals.waiting
        seconds += rivals.waiting * rivals.handling.curve().mean
    return seconds / count


def _complete(situation: Situation, groups: Collection[_Group], own: Sequence[_Group], ahead: int) -> float:
    """Works out `completed` of every group; returns the step in seconds."""
    mean = _next_mean(situation)
    agents = sum(len(group.servers) for group in own)
    horizon = mean * (ahead + 1 + 2 * sqrt(ahead + 1)) / agents * 1.5
    finest = max(server.handling.curve().step for group in groups for server in group.servers)
    step = finest * max(1, round(min(horizon / (STEPS * finest), 16.0) + 0.5))
    points = min(STEPS, int(horizon / step) + 2)
    curve = situation.handling.curve()
    pace = curve.mean / mean
    again = [curve.completed((lag + 0.5) * step * pace) for lag in range(points)]
    again_at_once = [curve.completed(index * step * pace) for index in range(points + 1)]
    fading = situation.abandonment * step
    weights = [exp(min(fading * (index + 0.5), 30.0)) for index in range(points)]
    for group in groups:
        first = _first_completions(group.servers, step, points)
        free = first[0]
        ended = [after - before for before, after in pairwise(first)]
        gross = [free]
        for index in range(points):
            later = sum(map(float.__mul__, ended[: index + 1], again[index::-1]))
            gross.append(first[index + 1] + later + free * again_at_once[index + 1])
        group.gross = gross
        completed = [free]
        for index, weight in enumerate(weights):
            completed.append(completed[-1] + (gross[index + 1] - gross[index]) * weight)
        group.completed = completed
        group.slope = len(group.servers) * step / mean * weights[-1]
    for overtakers in situation.overtakers:
        _leave_to(overtakers, [group for group in groups if group.takes >> overtakers.kind & 1], step, points)
    return step


def _first_completions(servers: Iterable[Server], step: float, points: int) -> list[float]:
    """How many are done with their present caller by 0, 1, 2… steps; who is free is done at 0."""
    left = [0.0] * (points + 1)
    count = 0
    for elapsed, handling, _ in servers:
        count += 1
        if elapsed is None:
            continue
        curve = handling.curve()
        index = curve.at(elapsed)
        if index >= curve.outlasted:
            ratio = exp(-step / curve.residual(elapsed))
            row, now = [ratio**point for point in range(points + 1)], 1.0
        else:
            stride = int(step / curve.step)
            row, now = curve.survival[index : index + stride * points + 1 : stride], 1.0 / curve.survival[index]
        if len(row) <= points:
            row = row + [0.0] * (points + 1 - len(row))
        left = [sofar + now * share for sofar, share in zip(left, row, strict=False)]
    return [count - busy for busy in left]


def _leave_to(overtakers: Overtakers, groups: Sequence[_Group], step: float, points: int) -> None:
    """Takes from what the groups complete what those who will overtake use up."""
    total = sum(group.completed[-1] for group in groups)
    if total <= 0.0:
        return
    for group in groups:
        share = overtakers.rate * step * group.completed[-1] / total
        within = overtakers.lasting / step
        lowest, left = 0.0, []
        for index, completed in enumerate(group.completed):
            lowest = max(lowest, completed - share * min(index, within))
            left.append(lowest)
        group.completed = left
        if within > points:
            group.slope = max(group.slope - share, group.slope * 0.05)


class _Waits:
    """When this caller's turn comes, if everybody used up so many times what they are expected to use up."""

    def __init__(self, situation: Situation, groups: list[_Group], own: list[_Group], relevant: int) -> None:
        self._own = own
        self._pool = all(group.takes & relevant == relevant for group in groups) or not situation.rivals
        self._needed = situation.ahead + 1.0
        if self._pool:
            return
        self._rivals = [
            (rivals.waiting / ROUNDS, [group for group in groups if group.takes >> rivals.kind & 1])
            for rivals in situation.rivals
        ]
        self._used: dict[int, float] = dict.fromkeys((group.takes for group in groups), 0.0)
        self._reached = [0] * len(self._rivals)
        self._turns = [(0.0, _when(own, self._used, 0.0, 0)[0])]
        """Scale and position in steps."""

    def after(self, scale: float) -> float:
        """In steps."""
        if self._pool:
            return _when(self._own, {}, self._needed * scale, 0)[0]
        while self._turns[-1][0] < scale:
            self._one_more_round()
        low, high = next(pair for pair in pairwise(self._turns) if pair[1][0] >= scale)
        return low[1] + (high[1] - low[1]) * (scale - low[0]) / (high[0] - low[0])

    def _one_more_round(self) -> None:
        used = self._used
        for index, (amount, groups) in enumerate(self._rivals):
            position, self._reached[index] = _when(groups, used, amount, self._reached[index])
            for group in groups:
                used[group.takes] = max(used[group.takes], group.by(position))
        scale = len(self._turns) / ROUNDS
        self._turns.append((scale, _when(self._own, used, scale, 0)[0]))


def _when(groups: Sequence[_Group], used: Mapping[int, float], amount: float, start: int) -> tuple[float, int]:
    """The position at which the groups have completed so much more than has been used, and the step before it."""
    before = 0.0
    last = len(groups[0].completed) - 1
    for index in range(start, last + 1):
        done = 0.0
        for group in groups:
            done += max(0.0, group.completed[index] - used.get(group.takes, 0.0))
        if done >= amount:
            if index == 0:
                return 0.0, 0
            if index == start:
                return _when(groups, used, amount, 0)
            return index - 1 + (amount - before) / (done - before), index - 1
        before = done
    pending = [(max(0.0, used.get(group.takes, 0.0) - group.completed[last]), group.slope) for group in groups]
    return last + _catching_up(amount - before, pending), last


def _catching_up(amount: float, pending: Sequence[tuple[float, float]]) -> float:
    """Steps until lines that begin at −pending and rise by slope sum up to the amount, counted from 0 upwards."""
    begin = sorted((behind / slope, slope) for behind, slope in pending)
    steepness, at = 0.0, 0.0
    for starts, slope in begin:
        reached = (starts - at) * steepness
        if steepness and reached >= amount:
            break
        amount -= reached
        at, steepness = starts, steepness + slope
    return at + amount / steepness


def _spread(
    situation: Situation, own: Sequence[_Group], position: float, step: float, curve: Curve
) -> tuple[float, float]:
    """How many completions the wait is made of, and the variance of that count / its mean.

    Completed with the present caller: yes or no for each agent. Later ones: like a renewal process, whose variance /
    mean tends to the squared coefficient of variation. Callers who give up on their own, and overtakers, add Poisson's.
    """
    seconds = position * step
    first = squares = gross = net = 0.0
    for group in own:
        net += group.by(position)
        last = len(group.gross) - 1
        low = min(int(position), last)
        done = group.gross[low]
        if position < last:
            done += (position - low) * (group.gross[low + 1] - done)
        else:
            done += (position - last) * len(group.servers) * step / curve.mean
        gross += done
        for elapsed, handling, _ in group.servers:
            odds = 1.0 if elapsed is None else handling.curve().ended(elapsed, seconds)
            first += odds
            squares += odds * odds
    gross = max(gross, first, 1e-9)
    dispersion = max((first - squares + curve.variation * max(0.0, gross - first + squares)) / gross, 0.02)
    left = exp(-min(situation.abandonment * seconds, 30.0))
    overtaken = sum(one.rate * min(seconds, one.lasting) for one in situation.overtakers)
    needed = max(net, 1.0)
    noise = (dispersion * needed + (1.0 + dispersion) * overtaken) / needed
    return needed, (1.0 + (noise - 1.0) * (1.0 + left) / 2) / left


@lru_cache(maxsize=64)
def _normal_quantile(odds: float) -> float:
    return NormalDist().inv_cdf(odds)


def _gamma_quantile(shape: float, odds: float) -> float:
    """Of the gamma distribution with this shape and mean 1, by Wilson and Hilferty's cube; good to 2 % from shape 1."""
    ninth = 1.0 / (9.0 * shape)
    root = 1.0 - ninth + _normal_quantile(odds) * sqrt(ninth)
    return max(root, 0.02) ** 3
