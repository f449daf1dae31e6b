"""A queue without any delay: the same callers, patience and handling times, served the instant an agent is free."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from random import Random


@dataclass(frozen=True, slots=True)
class Visit:
    """One caller of a trace. Times in seconds."""

    arrival: float
    handling: float
    """From the first ring to the agent's hanging up."""
    patience: float
    """How long they wait to be rung for before they hang up."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What became of one caller."""

    seconds: float
    """Until an agent's phone rang, or until they gave up."""
    served: bool


def replay(visits: Sequence[Visit], agents: int) -> list[Wait]:
    """The same trace, first come first served, every agent alike. `visits` and waits in order of arrival."""
    if agents < 1:
        raise ValueError("without agents nobody is served")
    free_at = [float("-inf")] * agents
    heapify(free_at)
    waits: list[Wait] = []
    before = float("-inf")
    for visit in visits:
        if visit.arrival < before:
            raise ValueError("visits must be in order of arrival")
        before = visit.arrival
        begin = max(visit.arrival, free_at[0])
        if begin - visit.arrival > visit.patience:
            waits.append(Wait(visit.patience, served=False))
        else:
            waits.append(Wait(begin - visit.arrival, served=True))
            heapreplace(free_at, begin + visit.handling)
    return waits


def mean_wait(waits: Iterable[Wait]) -> float:
    """Of all callers, also of those who gave up: what one list hides the other cannot hide."""
    seconds = [wait.seconds for wait in waits]
    if not seconds:
        raise ValueError("nobody called")
    return sum(seconds) / len(seconds)


def trace(
    dice: Random, *, agents: int, load: float, handling: float, patience: float, length: float, ring: float = 0.0
) -> list[Visit]:
    """An hour, compressed into `length` seconds: Poisson arrivals at `load` of what the agents can do.

    Handling times are lognormal with this mean and a coefficient of variation of 0.8, as call centres measure them,
    never shorter than the ring; patience is exponential with its mean.
    """
    sigma = math.sqrt(math.log(1 + 0.8**2))
    mu = math.log(handling) - sigma**2 / 2
    visits: list[Visit] = []
    at = 0.0
    while (at := at + dice.expovariate(load * agents / handling)) < length:
        visits.append(Visit(at, max(ring + 0.05, dice.lognormvariate(mu, sigma)), dice.expovariate(1 / patience)))
    return visits
