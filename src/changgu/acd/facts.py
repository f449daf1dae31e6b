"""What has happened, in the words the ledger keeps for ever. The state of the floor is the fold of these.

A fact carries no time of its own: the runner numbers and stamps it once (`Recorded`).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import get_args

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName


class Direction(StrEnum):
    """Who dialled."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Outcome(StrEnum):
    """How a call ended; exactly one per call (CTI-16: abandons are told apart by where they happen)."""

    ANSWERED = "answered"
    SELF_SERVED = "self_served"
    ABANDONED_IN_MENU = "abandoned_in_menu"
    ABANDONED_IN_QUEUE = "abandoned_in_queue"
    ABANDONED_RINGING = "abandoned_ringing"
    REFUSED = "refused"
    """The queue could not take the call."""
    LOST = "lost"
    """The PBX dropped it, or failed; never hidden among the abandoned."""


class Ender(StrEnum):
    """Who ended the call."""

    CALLER = "caller"
    AGENT = "agent"
    DESK = "desk"


class OfferEnd(StrEnum):
    """Why an offer came to nothing."""

    NO_ANSWER = "no_answer"
    """Ring limit passed: RONA."""
    FAILED = "failed"
    CALLER_LEFT = "caller_left"
    AGENT_LEFT = "agent_left"
    CONNECT_FAILED = "connect_failed"


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call exists; the caller is in the menu."""

    call: CallId
    direction: Direction
    caller: str | None
    dialled: str


@dataclass(frozen=True, slots=True)
class MenuStepTaken:
    """The caller went to a node of the menu by a key."""

    call: CallId
    node: str
    key: str | None


@dataclass(frozen=True, slots=True)
class CallQueued:
    """The caller waits in a queue. Place is by priority, then by the time of this fact."""

    call: CallId
    queue: QueueName
    priority: int
    skills: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class CallOffered:
    """The call was offered to exactly one agent, whose phone is to ring."""

    call: CallId
    agent: AgentId
    offer: OfferId
    queue: QueueName


@dataclass(frozen=True, slots=True)
class OfferEnded:
    """The offer came to nothing; the caller, if still there, keeps their place."""

    call: CallId
    agent: AgentId
    offer: OfferId
    why: OfferEnd
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The agent picked up."""

    call: CallId
    agent: AgentId
    offer: OfferId
    queue: QueueName


@dataclass(frozen=True, slots=True)
class CallConnected:
    """Caller and agent hear each other: the end of the wait (definitions 3d: enqueue to bridge)."""

    call: CallId
    agent: AgentId
    offer: OfferId


@dataclass(frozen=True, slots=True)
class HoldStarted:
    """The agent put the caller on hold."""

    call: CallId
    agent: AgentId


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """The caller is off hold."""

    call: CallId
    agent: AgentId


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over, with its one outcome."""

    call: CallId
    outcome: Outcome
    by: Ender


@dataclass(frozen=True, slots=True)
class AgentStateChanged:
    """An agent moved from one state to another."""

    agent: AgentId
    before: AgentState
    after: AgentState
    reason: NotReadyReason | None = None
    """Only with `after == NOT_READY`."""
    call: CallId | None = None
    """The call that the state is about: RESERVED, TALKING, HOLD, WRAP_UP, and leaving them."""


@dataclass(frozen=True, slots=True)
class NextStateRequested:
    """What the agent wants to be when the present call and wrap-up are over; shown beside the current state."""

    agent: AgentId
    state: AgentState
    reason: NotReadyReason | None = None


@dataclass(frozen=True, slots=True)
class PhoneStateChanged:
    """An agent's phone came or went."""

    agent: AgentId
    reachable: bool


@dataclass(frozen=True, slots=True)
class NewsIgnored:
    """Late or repeated news, with the reason for which it was not believed; counted, never acted on."""

    event: str
    why: str
    call: CallId | None = None
    agent: AgentId | None = None


Fact = (
    CallStarted | MenuStepTaken | CallQueued | CallOffered | OfferEnded | CallAnswered | CallConnected
    | HoldStarted | HoldEnded | CallEnded | AgentStateChanged | NextStateRequested | PhoneStateChanged | NewsIgnored
)

FACTS: tuple[type, ...] = get_args(Fact)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact as it stands in the ledger."""

    seq: int
    """Runs from 1 without gaps, over all restarts."""
    at: Instant
    fact: Fact
