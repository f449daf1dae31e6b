"""The floor as it is set up: which queues there are, and which agents serve them."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from changgu.acd.identity import AgentId, QueueName


class TicketPolicy(StrEnum):
    """Whether an answered call opens a ticket."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue. `strategy` names a function in `acd.strategies.STRATEGIES`."""

    name: QueueName
    title: str
    """What people read and hear, such as 네트워크."""
    number: str | None = None
    """Can be dialled directly."""
    strategy: str = "longest_idle"
    ring_limit: timedelta = timedelta(seconds=20)
    wrap_up: timedelta = timedelta(seconds=30)
    misses_before_not_ready: int = 3
    ticket: TicketPolicy = TicketPolicy.AUTOMATIC
    record: bool = True
    service_level: timedelta = timedelta(seconds=20)
    short_abandon: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent (요원) and what they can do."""

    login: AgentId
    name: str
    queues: frozenset[QueueName] = field(default_factory=frozenset)
    skills: frozenset[str] = field(default_factory=frozenset)
    phone: str = "register"
    """`register`, `browser`, or a `sip:` address."""


@dataclass(frozen=True, slots=True)
class Floor:
    """All queues and agents at one time."""

    queues: tuple[Queue, ...] = ()
    agents: tuple[Agent, ...] = ()
