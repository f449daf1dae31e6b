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

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from math import erf, exp, pi, sqrt
from statistics import NormalDist
from typing import NamedTuple, TypeVar

from changgu.acd.handling_times import Curve, HandlingTimes

STEPS = 20
"""Times at which what has been completed is worked out; straight lines in between."""

SLICES = 6
"""In which the callers ahead are brought to their agents, in order of place."""

BISECTIONS = 5
"""A 32nd of what is looked for is close enough."""

NORMAL, HALF = 1.0 / sqrt(2.0 * pi), sqrt(0.5)
"""The normal density at 0, and what `erf` wants its argument multiplied with."""


class Server(NamedTuple):
    """One agent who serves, now or after their present work, callers of some kinds (see `Situation`)."""

    elapsed: float | None
    """Seconds since they were offered their present caller, wrap-up included; None: free."""
    handling: HandlingTimes
    """Of the queue of their present caller."""
    takes: int = 1
    """Bit k: may take callers of kind k."""


class Rivals(NamedTuple):
    """Callers of one kind, next to each other in order of place, who have a better place than this one."""

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
    """Best place first; `situated` sums a long line up in few entries. Whom nobody can take is in nobody's way."""
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
    ahead: Iterable[tuple[float, Kind]],
    agents: Iterable[tuple[float | None, HandlingTimes, Collection[Kind]]],
    handling: Mapping[Kind, HandlingTimes],
    coming: Iterable[tuple[Kind, float, float]] = (),
    abandonment: float = 0.0,
    pickup: float = 0.0,
) -> Situation:
    """Numbers the kinds and leaves out what has no bearing on the caller.

    `own` and the keys are whatever kinds are known by, such as lines. `ahead`: place and kind of everybody who waits in
    a better place, in any order; of the place only the order counts. `agents`: elapsed, handling time of their present
    caller's queue, and the kinds they may take. `coming`: kind, rate and `lasting` of those who would overtake. Kinds
    that share no agent with `own` are dropped, and agents who take none of the others.
    """
    agents = list(agents)
    near = {kind for _, _, kinds in agents if own in kinds for kind in kinds}
    line = sorted(((place, kind) for place, kind in ahead if kind in near), key=lambda one: one[0])
    coming = [(kind, rate, lasting) for kind, rate, lasting in coming if kind in near and lasting > 0 < rate]
    numbers = {own: 0}
    for kind in (*(kind for _, kind in line), *(kind for kind, _, _ in coming)):
        numbers.setdefault(kind, len(numbers))
    servers = []
    for elapsed, times, kinds in agents:
        takes = 0
        for kind, number in numbers.items():
            if kind in kinds:
                takes |= 1 << number
        if takes:
            servers.append(Server(elapsed, times, takes))
    rivals = []
    size = -(-len(line) // SLICES) or 1
    for begin in range(0, len(line), size):
        counts = Counter(kind for _, kind in line[begin : begin + size])
        rivals += [Rivals(numbers[kind], waiting, handling[kind]) for kind, waiting in counts.items()]
    return Situation(
        tuple(servers),
        handling[own],
        tuple(rivals),
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
    used: float = 0.0
    """What callers in better places use up of it…"""
    reached: float = 0.0
    """…and the position at which that is completed."""

    def by(self, position: float) -> float:
        """What is completed by so many steps."""
        index = int(position)
        last = len(self.completed) - 1
        if index >= last:
            return self.completed[last] + (position - last) * self.slope
        low = self.completed[index]
        return low + (position - index) * (self.completed[index + 1] - low)

    def when(self, amount: float) -> float:
        """The position by which so much is completed."""
        index = bisect_left(self.completed, amount)
        if index == len(self.completed):
            return index - 1 + (amount - self.completed[-1]) / max(self.slope, 1e-9)
        if index == 0:
            return 0.0
        low = self.completed[index - 1]
        return index - 1 + (amount - low) / (self.completed[index] - low)


def forecast(situation: Situation, confidence: float = 0.8) -> Forecast | None:
    """The forecast; None, unknown, when nobody is staffed who may take the caller."""
    staffed, ahead = situation.staffed, situation.ahead
    if not staffed:
        return None
    takes = relevant = 1
    for server in situation.servers:
        takes |= server.takes
    if not all(takes >> rivals.kind & 1 for rivals in situation.rivals):
        rivals_served = tuple(rivals for rivals in situation.rivals if takes >> rivals.kind & 1)
        situation = replace(situation, rivals=rivals_served)
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
    waits = _Waits(situation, groups.values(), own, relevant)
    # Callers give up one by one: with few agents the sum over i lies above the integral of what would flow.
    whole = 1.0 + min(1.0, situation.abandonment * _next_mean(situation) / (2 * staffed))
    expected = waits.expected(whole)
    elsewhere = sum(group.used for group in groups.values() if not group.takes & 1)
    count = _count(situation, own, elsewhere, expected, step, curve)
    waits.spread_out(whole, [whole * count.quantile(0.1), whole * count.quantile(0.9)], expected)
    count = _count(situation, own, elsewhere, waits.after(whole * count.typical), step, curve)

    def answered(scale: float) -> float:
        return situation.pickup + step * waits.after(whole * scale)

    odds = sorted({0.1, 0.5, 0.9, confidence})
    # Callers ahead who can choose between groups make the wait bend; even so no quantile is below a lower one.
    at = dict(zip(odds, accumulate((answered(count.quantile(one)) for one in odds), max), strict=True))
    return Forecast(
        mean=answered(count.typical),
        median=at[0.5],
        promise=at[confidence],
        low=at[0.1],
        high=at[0.9],
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

    def __init__(self, situation: Situation, groups: Collection[_Group], own: list[_Group], relevant: int) -> None:
        self._own = own
        self._groups = groups
        self._pool = all(group.takes & relevant == relevant for group in groups) or not situation.rivals
        self._needed = situation.ahead + 1.0
        self._known: list[tuple[float, float]] = []
        """Scale and position in steps."""
        self._rivals = [
            (rivals.waiting, [group for group in groups if group.takes >> rivals.kind & 1])
            for rivals in situation.rivals
            if not self._pool
        ]

    def expected(self, scale: float) -> float:
        """In steps. Chance is taken into account in who takes whom."""
        for group in self._groups:
            group.used = group.reached = 0.0
        if self._pool:
            return _when(self._own, self._needed * scale)
        for waiting, groups in self._rivals:
            _take(groups, waiting * scale)
        return _take(self._own, scale)

    def spread_out(self, middle: float, around: Sequence[float], expected: float) -> None:
        """Prepares `after`: what is expected at the scale `middle`, and how it changes towards those around it."""
        if not self._pool:
            flowing = self._flowing(middle)
            ratio = expected / flowing if flowing else 1.0
            self._known = sorted([(middle, expected), *((scale, self._flowing(scale) * ratio) for scale in around)])

    def after(self, scale: float) -> float:
        """In steps."""
        if self._pool:
            return _when(self._own, self._needed * scale)
        (low, early), (middle, between), (high, late) = self._known
        if scale < middle:
            return max(0.0, between - (between - early) * (middle - scale) / max(middle - low, 1e-9))
        return between + (late - between) * (scale - middle) / max(high - middle, 1e-9)

    def _flowing(self, scale: float) -> float:
        """In steps, as if callers and agents flowed like water: quicker, and good enough for ratios."""
        for group in self._groups:
            group.used = group.reached = 0.0
        for waiting, groups in self._rivals:
            position = _when(groups, waiting * scale)
            for group in groups:
                if position > group.reached:
                    group.used, group.reached = group.by(position), position
        return _when(self._own, scale)


def _take(groups: Sequence[_Group], amount: float) -> float:
    """Uses up so much of what the groups complete next; returns the position at which it is complete.

    Groups that callers in better places still hold may get through with those sooner than expected: what they may be
    expected to have left over by then counts, too, as a Poisson count above what is needed for those.
    """
    latest = _when(groups, amount)
    begin = min(group.reached for group in groups)
    late = [(group, group.by(begin)) for group in groups if group.reached > begin + 1e-6]
    early = [group for group in groups if group.reached <= begin + 1e-6]
    position = latest
    if late and latest > begin:
        low, high = begin, latest
        for _ in range(BISECTIONS):
            position = (low + high) / 2
            left_over = sum(max(0.0, group.by(position) - group.used) for group in early)
            left_over += sum(_excess(group.by(position) - before, group.used - before) for group, before in late)
            if left_over < amount:
                low = position
            else:
                high = position
        position = (low + high) / 2
    for group, before in late:
        by = group.by(position)
        group.used = max(by, group.used + _excess(by - before, group.used - before))
        group.reached = group.when(group.used)
    for group in early:
        group.used, group.reached = max(group.used, group.by(position)), max(group.reached, position)
    return position


def _excess(mean: float, level: float) -> float:
    """What a Poisson count of this mean is expected to have above a level, by the normal distribution."""
    if mean <= 0.0:
        return 0.0
    deviation = sqrt(mean)
    above = (mean - level) / deviation
    return deviation * (NORMAL * exp(-above * above / 2) + above * (1.0 + erf(above * HALF)) / 2)


def _when(groups: Sequence[_Group], amount: float) -> float:
    """The position at which the groups have completed so much more than has been used."""
    last = len(groups[0].completed) - 1
    index = min(int(min([group.reached for group in groups])), last)
    while index < last:
        done = 0.0
        for group in groups:
            left_over = group.completed[index + 1] - group.used
            if left_over > 0.0:
                done += left_over
        if done >= amount:
            break
        index += 1
    lines = [
        (
            group.completed[index] - group.used,
            group.completed[index + 1] - group.completed[index] if index < last else group.slope,
        )
        for group in groups
    ]
    return index + _crossing(lines, amount)


def _crossing(lines: Sequence[tuple[float, float]], amount: float) -> float:
    """Where the sum of lines, given by their value at 0 and their slope, reaches the amount; below 0 none counts."""
    sofar = slope = at = 0.0
    later = []
    for value, steepness in lines:
        if value >= 0.0:
            sofar, slope = sofar + value, slope + steepness
        elif steepness > 0.0:
            later.append((-value / steepness, steepness))
    for begins, steepness in sorted(later):
        if sofar + slope * (begins - at) >= amount:
            break
        sofar, at, slope = sofar + slope * (begins - at), begins, slope + steepness
    return at + max(0.0, amount - sofar) / slope if slope > 0.0 else at


class _Count(NamedTuple):
    """What the wait is made of: completions that must happen, as multiples of how many are needed."""

    typical: float
    """Below 1 when completions are more regular than Poisson's: the last one then falls, on average, before what is
    expected to be completed reaches the count, by up to half a completion."""
    shape: float
    """Of the gamma distribution that stands for the multiple."""

    def quantile(self, odds: float) -> float:
        """By Wilson and Hilferty's cube; good to 2 % from shape 1."""
        ninth = 1.0 / (9.0 * self.shape)
        root = 1.0 - ninth + _normal_quantile(odds) * sqrt(ninth)
        return self.typical * max(root, 0.02) ** 3


def _count(
    situation: Situation, own: Sequence[_Group], elsewhere: float, position: float, step: float, curve: Curve
) -> _Count:
    """How uncertain the count of completions by `position` is.

    Completed with the present caller: yes or no for each agent. Later ones: like a renewal process, whose variance /
    mean tends to the squared coefficient of variation. Callers who give up on their own, and overtakers, add Poisson's.
    What other agents complete for those ahead evens the wait out, but not as much as if they could take this caller.
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
    again = max(0.0, gross - first)
    gross = max(first + again, 1e-9)
    dispersion = max((first - squares + curve.variation * (again + min(squares, 2.0 * again))) / gross, 0.02)
    left = exp(-min(situation.abandonment * seconds, 30.0))
    overtaken = sum(one.rate * min(seconds, one.lasting) for one in situation.overtakers)
    needed = max(net, 1.0) ** (2 / 3) * max(net + elsewhere, 1.0) ** (1 / 3)
    noise = (dispersion * needed + (1.0 + dispersion) * overtaken) / needed
    spread = (1.0 + (noise - 1.0) * (1.0 + left) / 2) / left
    typical = 1.0 - max(0.0, 1.0 - dispersion) / (2.0 * needed)
    return _Count(typical, typical * typical / (spread / needed + curve.uncertainty))


@lru_cache(maxsize=64)
def _normal_quantile(odds: float) -> float:
    return NormalDist().inv_cdf(odds)
