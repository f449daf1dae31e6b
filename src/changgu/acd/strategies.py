"""Which of the idle agents rings first: one line per strategy.

A strategy gives an agent a rank in a queue; the lowest rank is offered the next call. In every strategy these come
before its own rank: agents who have let this very call ring come last, agents who take the queue's calls only while
it is opened to them come after its own, and lower seat levels before higher ones; equal ranks go by login.

`rank` is asked once, when the agent becomes idle, so it may depend on anything that cannot change while the agent is
idle. A strategy with `draw` decides among the best group at the time of the offer instead. `docs/routing.md` names
the equivalents of other systems. Add a line in `STRATEGIES`, with a function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Protocol

from changgu.acd.identity import AgentId, Instant, OfferId
from changgu.acd.skills import mastery

Rank = tuple[float, ...]
"""Smaller rings first. All ranks of one strategy have the same length."""

Needs = Mapping[str, int]
"""What the callers of a line need: skill → level."""


class IdleAgent(Protocol):
    """What a strategy may look at."""

    @property
    def login(self) -> AgentId:
        """Who they are."""

    @property
    def order(self) -> int:
        """Their position in the floor's list, from 0."""

    @property
    def salt(self) -> int:
        """32 bits made from the login."""

    @property
    def levels(self) -> Mapping[str, int]:
        """What they can do: skill → level."""

    @property
    def idle_since(self) -> Instant:
        """Since when they have been in 대기, offers that came to nothing through the caller left out."""

    @property
    def misses(self) -> int:
        """Offers they left unanswered in a row."""

    @property
    def handled(self) -> int:
        """Conversations since they signed in."""

    @property
    def talked(self) -> float:
        """Seconds of them."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a strategy may look at that decides at the time of the offer."""

    offer: OfferId
    last: int
    """Position in the list of the agent who was last offered a call of this queue; -1 when nobody was."""


def longest_idle(agent: IdleAgent, needs: Needs) -> Rank:
    """Who has been in 대기 longest; at the same instant, who has let fewer calls ring."""
    return (agent.idle_since, agent.misses)


def fewest_calls(agent: IdleAgent, needs: Needs) -> Rank:
    """Who has had the fewest conversations since they signed in; then the longest idle."""
    return (agent.handled, agent.idle_since)


def least_talk_time(agent: IdleAgent, needs: Needs) -> Rank:
    """Who has talked least since they signed in; then the longest idle."""
    return (agent.talked, agent.idle_since)


def most_skilled(agent: IdleAgent, needs: Needs) -> Rank:
    """Whose levels in what the caller needs add up to most; then the longest idle."""
    return (-mastery(agent.levels, needs), agent.idle_since)


def linear(agent: IdleAgent, needs: Needs) -> Rank:
    """The first in the floor's list."""
    return (agent.order,)


def uniform(offer: OfferId, salt: int) -> float:
    """A number in (0, 1] that is as good as drawn, and the same whenever it is asked for (splitmix64)."""
    bits = ((salt << 32 | offer & 0xFFFFFFFF) + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return ((bits ^ bits >> 31) + 0.5) / 2.0**64


def at_random(agent: IdleAgent, weight: int, draw: Draw) -> float:
    """Everybody with the same chance."""
    return uniform(draw.offer, agent.salt)


def at_random_by_weight(agent: IdleAgent, weight: int, draw: Draw) -> float:
    """Chances in proportion to the weights of the seats: the first of exponential clocks of these rates."""
    return -log(uniform(draw.offer, agent.salt)) / weight


def in_turn(agent: IdleAgent, weight: int, draw: Draw) -> float:
    """The next in the list after whoever was last offered a call of the queue."""
    return agent.order if agent.order > draw.last else agent.order + 2.0**32


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a queue chooses among idle agents."""

    rank: Callable[[IdleAgent, Needs], Rank] = longest_idle
    draw: Callable[[IdleAgent, int, Draw], float] | None = None
    """Given the agent, the weight of their seat and the draw; the smallest rings."""
    everybody: bool = False
    """The whole best group rings at once."""
    knows_callers: bool = False
    """Whom the caller spoke to last comes before everybody else."""


STRATEGIES: Mapping[str, Strategy] = {
    "longest_idle": Strategy(longest_idle),
    "fewest_calls": Strategy(fewest_calls),
    "least_talk_time": Strategy(least_talk_time),
    "most_skilled": Strategy(most_skilled),
    "linear": Strategy(linear),
    "top_down": Strategy(longest_idle),
    "random": Strategy(draw=at_random),
    "weighted_random": Strategy(draw=at_random_by_weight),
    "round_robin": Strategy(draw=in_turn),
    "last_agent": Strategy(knows_callers=True),
    "ring_all": Strategy(everybody=True),
}


class UnknownStrategy(Exception):
    """A queue names a strategy that does not exist."""

    def __init__(self, strategy: str) -> None:
        super().__init__(f"no strategy {strategy!r}; there are {', '.join(sorted(STRATEGIES))}")
        self.strategy = strategy


def strategy_named(name: str) -> Strategy:
    """The strategy behind a name; raises `UnknownStrategy`."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise UnknownStrategy(name) from None
