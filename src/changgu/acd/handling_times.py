"""How long agents are occupied by a caller, how readily callers give up, how often they come: running statistics.

Each takes an observation in constant time and memory, and lets old ones fade. All times are in seconds. No clock: the
time is told. What they say depends on the observations only, so a desk that starts again from its ledger says the same.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp, expm1, frexp, log
from statistics import NormalDist
from typing import Final, NamedTuple

FINENESS: Final = 8
"""Bins of handling times per factor e: each is 13 % wide."""

BINS: Final = 80
"""From 1 s to 6 h; what is shorter or longer is counted in the first or last."""

PRIOR_MEAN, PRIOR_SPREAD = 180.0, 0.8
"""Before anything is known: lognormal with this mean, and this standard deviation of the logarithm."""

PRIOR_WEIGHT: Final = 5.0
"""Observations that the prior is worth."""

SETTLES: Final = 16
"""Once so many are known, forecasts take notice of new handling times in batches of this size."""

RENEWAL_STEPS: Final = 48
"""Of four steps each: between four and eight times the mean."""

OUTLASTED: Final = 0.004
"""Share of handling times that are longer than what counts as outlasting all experience."""


def _edges() -> list[float]:
    return [0.0, *(exp(index / FINENESS) for index in range(1, BINS + 1))]


EDGES: Final = _edges()
LONGEST: Final = EDGES[-1]


class Curve(NamedTuple):
    """What handling times look like, ready for reading: made from one state of `HandlingTimes`, and never changed."""

    step: float
    """A power of two: between a 48th and a 24th of the mean."""
    survival: list[float]
    """Share of handling times longer than 0, 1, 2… steps; at least until `OUTLASTED`."""
    outlasted: int
    """The first index at which hardly anything is left."""
    outlasted_residual: float
    """Mean of what is still to come there; further on it grows with the time passed."""
    renewals: list[float]
    """Callers completed in a row by one agent who begins at 0: after 0, 4, 8… steps."""
    mean: float
    variation: float
    """Squared coefficient of variation: variance / mean²."""
    uncertainty: float
    """Variance of the estimated mean / mean²."""

    def completed(self, seconds: float) -> float:
        """How many callers an agent who begins one at 0 is expected to have completed by then."""
        position = seconds / (4 * self.step)
        index = int(position)
        if index >= RENEWAL_STEPS:
            return self.renewals[-1] + (position - RENEWAL_STEPS) * 4 * self.step / self.mean
        low = self.renewals[index]
        return low + (position - index) * (self.renewals[index + 1] - low)

    def at(self, elapsed: float) -> int:
        """Where an agent stands whose caller has been with them for so long; from `outlasted` on see `residual`."""
        return int(elapsed / self.step + 0.5)

    def residual(self, elapsed: float) -> float:
        """Mean of what is still to come for an agent who has outlasted all experience: the longer, the longer."""
        return self.outlasted_residual * elapsed / max(self.outlasted * self.step, 1.0)

    def ended(self, elapsed: float, seconds: float) -> float:
        """How likely a caller who has been with an agent for `elapsed` is done within `seconds`."""
        index = self.at(elapsed)
        if index >= self.outlasted:
            return -expm1(-seconds / self.residual(elapsed))
        later = self.at(elapsed + seconds)
        return 1.0 - self.survival[later] / self.survival[index] if later < len(self.survival) else 1.0


class HandlingTimes:
    """Running statistics of how long agents are occupied by a caller of one queue.

    A handling time runs from the offer that was taken until the agent can be offered the next call: ringing,
    conversation, hold and wrap-up. An observation costs the same however many came before, and nothing grows. Of
    earlier observations the latest `memory` count; older ones fade.

    The forecast reads it as it was at certain counts (each of the first 8, every 8th to 64, then every 16th), so that
    what is promised depends on the observations only, never on who asked before.
    """

    __slots__ = ("_bins", "_counted", "_curve", "_growth", "_next", "_settled", "_squares", "_sum", "_sums2", "_total")

    def __init__(self, memory: int = 1000) -> None:
        self._growth = 1.0 + 1.0 / memory
        """What a new observation weighs: so much more than the one before. Cheaper than making all others lighter."""
        self._next = 1.0
        self._counted = 0
        weights = _prior()
        self._bins = [weight * PRIOR_WEIGHT for weight in weights]
        self._total = PRIOR_WEIGHT
        self._sum = PRIOR_WEIGHT * PRIOR_MEAN
        self._sums2 = PRIOR_WEIGHT * PRIOR_MEAN**2 * exp(PRIOR_SPREAD**2)
        self._squares = PRIOR_WEIGHT
        """Σ weight²: how many observations the estimate is really made of."""
        self._curve: Curve | None = None
        self._settle()

    def observe(self, seconds: float) -> None:
        """One caller has been dealt with. What is shorter than a second counts as one second."""
        seconds = 1.0 if seconds < 1.0 else LONGEST if seconds > LONGEST else seconds
        weight, bin_of = self._next, int(log(seconds) * FINENESS)
        self._bins[bin_of if bin_of < BINS else BINS - 1] += weight
        self._total += weight
        self._sum += weight * seconds
        self._sums2 += weight * seconds * seconds
        self._squares += weight * weight
        self._next = weight * self._growth
        self._counted += 1
        if self._next > 1e6:
            self._lighten()
        if self._counted <= 8 or self._counted % (8 if self._counted <= 64 else SETTLES) == 0:
            self._settle()

    def _lighten(self) -> None:
        scale = 1.0 / self._next
        self._bins = [weight * scale for weight in self._bins]
        self._total, self._sum, self._sums2 = self._total * scale, self._sum * scale, self._sums2 * scale
        self._squares *= scale * scale
        self._next = 1.0

    def _settle(self) -> None:
        self._settled = (list(self._bins), self._total, self._sum, self._sums2, self._squares)
        self._curve = None

    @property
    def counted(self) -> int:
        """Observations, ever."""
        return self._counted

    @property
    def mean(self) -> float:
        """Of all observations, the latest included."""
        return self._sum / self._total

    def curve(self) -> Curve:
        """What forecasts read; made when it is first asked for."""
        if self._curve is None:
            self._curve = _curve(*self._settled)
        return self._curve

    def survival(self, seconds: float) -> float:
        """Share of handling times longer than this."""
        bins, total = self._settled[:2]
        return 1.0 - _below(seconds, _cumulated(bins), bins) / total

    def still_busy(self, elapsed: float, seconds: float) -> float:
        """How likely an agent is not free `seconds` from now, if their caller has been with them for `elapsed`."""
        return 1.0 - self.curve().ended(elapsed, seconds)


def _cumulated(bins: Sequence[float]) -> list[float]:
    below, cumulated = 0.0, []
    for weight in bins:
        cumulated.append(below)
        below += weight
    return cumulated


def _below(seconds: float, cumulated: Sequence[float], bins: Sequence[float]) -> float:
    """Weight of what is shorter; evenly spread within a bin."""
    if seconds <= 1.0:
        index = 0
    else:
        index = int(log(seconds) * FINENESS)
        if index >= BINS:
            return cumulated[-1] + bins[-1]
    low = EDGES[index]
    share = min(1.0, (seconds - low) / (EDGES[index + 1] - low))
    return cumulated[index] + bins[index] * share


@lru_cache(maxsize=1)
def _prior() -> tuple[float, ...]:
    normal = NormalDist(log(PRIOR_MEAN) - PRIOR_SPREAD**2 / 2, PRIOR_SPREAD)
    at = [0.0, *(normal.cdf(log(edge)) for edge in EDGES[1:-1]), 1.0]
    return tuple(high - low for low, high in pairwise(at))


def _curve(bins: list[float], total: float, sum1: float, sum2: float, squares: float) -> Curve:
    mean = sum1 / total
    variation = max(0.0, sum2 / total / (mean * mean) - 1.0)
    step = 2.0 ** (frexp(mean / 24)[1] - 1)
    survival = _survival(bins, total, step, int(12 * mean / step))
    outlasted = next((index for index, left in enumerate(survival) if left <= OUTLASTED), len(survival) - 1)
    beyond = sum(survival[outlasted:]) * step / max(survival[outlasted], 1e-9)
    return Curve(
        step,
        survival,
        outlasted,
        max(beyond, outlasted * step / 8),
        _renewals(survival),
        mean,
        variation,
        max(variation, 0.05) * squares / (total * total),
    )


def _survival(bins: Sequence[float], total: float, step: float, length: int) -> list[float]:
    """Share longer than 0, 1, 2… steps, in one walk through the bins; evenly spread within a bin."""
    survival: list[float] = []
    left = total
    for index, weight in enumerate(bins):
        low, high = EDGES[index], EDGES[index + 1]
        density = weight / (high - low)
        until = min(length + 1, int(high / step) + 1)
        survival += [(left - density * (at * step - low)) / total for at in range(len(survival), until)]
        left -= weight
        if until > length:
            break
    return survival


def _renewals(survival: Sequence[float]) -> list[float]:
    """The renewal equation M = F + ∫ M dF, every fourth step, with the trapezoid rule."""
    left = list(survival[: 4 * RENEWAL_STEPS + 1 : 4])
    left += [0.0] * (RENEWAL_STEPS + 1 - len(left))
    ended = [before - after for before, after in pairwise(left)]
    renewals, between = [0.0], list[float]()
    half = ended[0] / 2
    for index in range(1, RENEWAL_STEPS + 1):
        later = sum(map(float.__mul__, ended[1:index], reversed(between)))
        renewals.append((1.0 - left[index] + half * renewals[-1] + later) / (1.0 - half))
        between.append((renewals[-2] + renewals[-1]) / 2)
    return renewals


class Abandonment:
    """Running estimate of how readily the callers of one queue give up: abandons per second of waiting."""

    __slots__ = ("_abandons", "_fading", "_waited")

    def __init__(self, memory: int = 1000) -> None:
        self._abandons, self._waited = 1.0, 900.0
        self._fading = 1.0 - 1.0 / memory

    def observe(self, waited: float, abandoned: bool) -> None:
        """A caller stopped waiting after so many seconds: gave up, or was answered or sent another way."""
        self._abandons = self._abandons * self._fading + abandoned
        self._waited = self._waited * self._fading + (waited if waited > 0.0 else 0.0)

    @property
    def rate(self) -> float:
        """θ, per second; 1/θ is the mean patience."""
        return self._abandons / max(self._waited, 1.0)


class ArrivalRate:
    """How many callers of one kind come per second, of late."""

    __slots__ = ("_at", "_began", "_weight", "_window")

    def __init__(self, now: float, window: float = 1800.0) -> None:
        self._began = self._at = now
        self._window = window
        self._weight = 0.0

    def observe(self, now: float) -> None:
        """One came."""
        self._weight = self._weight * exp((self._at - now) / self._window) + 1.0
        self._at = now

    def at(self, now: float) -> float:
        """Per second. The time before counting began is not taken for silence."""
        known = -expm1(-max(now - self._began, self._window / 10) / self._window)
        return self._weight * exp((self._at - now) / self._window) / (self._window * known)
