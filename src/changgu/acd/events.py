"""What the ACD is told: news from the telephone network and wishes of people.

News about an attempt names the attempt (`offer`): the network repeats itself and races us, and
an answer to an offer that we have withdrawn must not be taken for an answer to the next one.
"""

from dataclasses import dataclass, field
from typing import get_args

from changgu.acd.agent_words import NotReadyReason
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName


@dataclass(frozen=True, slots=True)
class CallerDialledIn:
    """A caller reached our number; the menu speaks to them from now on."""

    call: CallId
    caller: str | None
    """The number the network presented, as it came; None when withheld."""
    dialled: str


@dataclass(frozen=True, slots=True)
class MenuStepReached:
    """The caller reached a node of the menu tree, having pressed `key` at the one before."""

    call: CallId
    node: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class CallArrived:
    """The menu handed a caller to a queue; the caller hears nothing yet."""

    call: CallId
    queue: QueueName
    priority: int = 0
    """Higher is served first; within one priority the longest waiting goes first."""
    skills: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class MenuEnded:
    """The menu finished with the caller and no queue was wanted (served by the machine, or given up)."""

    call: CallId
    served: bool
    """True when the caller got what they asked for, such as the state of a ticket."""


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The caller's leg is gone, whoever ended it."""

    call: CallId


@dataclass(frozen=True, slots=True)
class CallLost:
    """The PBX no longer knows a call that we thought alive (it crashed, or we missed the end)."""

    call: CallId


@dataclass(frozen=True, slots=True)
class DeskClosed:
    """The desk stops taking calls and ends this one."""

    call: CallId


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """The agent's phone was picked up for this offer."""

    agent: AgentId
    call: CallId
    offer: OfferId


@dataclass(frozen=True, slots=True)
class RingFailed:
    """The agent's phone could not be rung, was busy, or declined."""

    agent: AgentId
    call: CallId
    offer: OfferId
    cause: str
    """One of `telephony.hangup_cause`: busy, declined, unreachable, congestion, error, gone."""


@dataclass(frozen=True, slots=True)
class PartiesConnected:
    """Caller and agent hear each other."""

    agent: AgentId
    call: CallId
    offer: OfferId


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """The agent answered, but the two could not be joined; the caller may still be there."""

    agent: AgentId
    call: CallId
    offer: OfferId
    cause: str


@dataclass(frozen=True, slots=True)
class AgentHungUp:
    """The agent's leg is gone after it was answered."""

    agent: AgentId
    call: CallId
    offer: OfferId


@dataclass(frozen=True, slots=True)
class CallHeld:
    """The agent put the caller on hold."""

    agent: AgentId
    call: CallId


@dataclass(frozen=True, slots=True)
class CallResumed:
    """The agent took the caller back from hold."""

    agent: AgentId
    call: CallId


@dataclass(frozen=True, slots=True)
class PhoneReachable:
    """The agent's phone is registered, or answers our OPTIONS."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class PhoneUnreachable:
    """The agent's phone has gone from the network."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentSignedIn:
    """The agent took their seat; they are not ready until they say so."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentSignedOut:
    """The agent wants to leave (after the present call and its wrap-up)."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentReady:
    """The agent (or their supervisor) asks for 대기; ends a wrap-up early."""

    agent: AgentId


@dataclass(frozen=True, slots=True)
class AgentNotReady:
    """The agent (or their supervisor) asks for 점검, 휴식, 식사, 교육 or 이석."""

    agent: AgentId
    reason: NotReadyReason


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The time named by `Engine.next_deadline()` has come; carries nothing, the engine knows what was due."""


CallEvent = (
    CallerDialledIn | MenuStepReached | CallArrived | MenuEnded | CallerHungUp | CallLost | DeskClosed
    | PartiesConnected | CallHeld | CallResumed
)
AgentEvent = (
    AgentAnswered | RingFailed | ConnectFailed | AgentHungUp
    | PhoneReachable | PhoneUnreachable | AgentSignedIn | AgentSignedOut | AgentReady | AgentNotReady
)
Event = CallEvent | AgentEvent | DeadlinePassed

EVENTS: tuple[type, ...] = get_args(Event)
"""Every kind of event, for the completeness tests."""
