"""Emergency plans: what a supervisor turns on in one click when calls pour in (WL-05).

A plan is a floor made ready: the ordinary one with more agents in some queues and with other limits. Turning it on
takes up that floor, turning it off the ordinary one, which is left alone meanwhile; so nothing has to be undone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType

from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent, Floor, Seat
from changgu.acd.skills import levels, suffices


@dataclass(frozen=True, slots=True)
class PreparedNotice:
    """A sentence for callers that goes on the air with the plan (WL-03, INC-18)."""

    sentences: Mapping[str, str]
    """Language → what is said."""
    places: tuple[str, ...] = ("desk",)
    """Who hears it: `desk`, `queue:network`, `service:NODE`."""


SECOND_ROW = Seat(level=2)
"""Behind those whose queue it is."""


@dataclass(frozen=True, slots=True)
class Helpers:
    """Agents who serve more queues while a plan is on. All conditions that are given must hold."""

    queues: tuple[QueueName, ...]
    agents: tuple[AgentId, ...] = ()
    """These, by login; empty: whoever the other conditions name."""
    skills: tuple[str, ...] = ()
    """Who can do this, such as `vpn:3`."""
    serving: tuple[QueueName, ...] = ()
    """Who serves one of these queues ordinarily: another region, another group."""
    seat: Seat = SECOND_ROW
    """How they sit there."""

    def include(self, agent: Agent) -> bool:
        """Whether this agent is one of them."""
        return (
            (not self.agents or agent.login in self.agents)
            and suffices(levels(agent.skills), levels(self.skills))
            and (not self.serving or not agent.queues.isdisjoint(self.serving))
        )


def with_helpers(floor: Floor, helpers: Iterable[Helpers]) -> Floor:
    """The floor with these agents in more queues. Who serves a queue already keeps the seat they have in it."""
    listed = tuple(helpers)
    return replace(floor, agents=tuple(_helping(agent, listed) for agent in floor.agents))


def _helping(agent: Agent, helpers: Iterable[Helpers]) -> Agent:
    seats: dict[QueueName, Seat] = {}
    for group in helpers:
        if group.include(agent):
            seats = {**{queue: group.seat for queue in group.queues if queue not in agent.queues}, **seats}
    if not seats:
        return agent
    return replace(agent, queues=agent.queues.union(seats), seats=MappingProxyType({**agent.seats, **seats}))


@dataclass(frozen=True, slots=True)
class EmergencyPlan:
    """A plan as the routing file has it, laid over the ordinary floor."""

    name: str
    title: str
    floor: Floor
    """The whole floor while it is on."""
    instructions: str = ""
    """What people are to do; shown beside the switch."""
    lasts: timedelta | None = None
    """After so long it ends by itself, unless who turns it on says otherwise."""
    notice: PreparedNotice | None = None


@dataclass(frozen=True, slots=True)
class FloorPlans:
    """The ordinary floor, and the plans for emergencies that lie over it."""

    ordinary: Floor
    emergencies: Mapping[str, EmergencyPlan] = field(default_factory=lambda: MappingProxyType({}))
    written: str = ""
    """The routing file's text."""

    def floor(self, emergency: str | None) -> Floor:
        """The floor that holds with this plan on, or with none; raises `KeyError` for one that there is not."""
        return self.ordinary if emergency is None else self.emergencies[emergency].floor
