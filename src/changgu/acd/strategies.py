"""Which of the idle agents rings first: one function per strategy.

A strategy gives an agent a rank in a queue; the lowest rank is offered the next call, and equal ranks
go by login. It is asked once, when the agent becomes idle, so a rank may depend on anything that cannot
change while the agent is idle. Add a function and its line in `STRATEGIES`.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from changgu.acd.identity import AgentId, Instant

Rank = tuple[float, ...]
"""Smaller rings first. All ranks of one strategy have the same length."""


class IdleAgent(Protocol):
    """What a strategy may look at."""

    @property
    def login(self) -> AgentId:
        """Who they are."""

    @property
    def idle_since(self) -> Instant:
        """Since when they have been in 대기, offers that came to nothing through the caller left out."""

    @property
    def misses(self) -> int:
        """Offers they left unanswered in a row."""


Strategy = Callable[[IdleAgent], Rank]


def longest_idle(agent: IdleAgent) -> Rank:
    """Who has been in 대기 longest; at the same instant, who has let fewer calls ring."""
    return (agent.idle_since, agent.misses)


STRATEGIES: Mapping[str, Strategy] = {
    "longest_idle": longest_idle,
}


class UnknownStrategy(Exception):
    """A queue names a strategy that does not exist."""

    def __init__(self, strategy: str) -> None:
        super().__init__(f"no strategy {strategy!r}; there are {', '.join(sorted(STRATEGIES))}")
        self.strategy = strategy


def strategy_named(name: str) -> Strategy:
    """The function behind a name; raises `UnknownStrategy`."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise UnknownStrategy(name) from None
