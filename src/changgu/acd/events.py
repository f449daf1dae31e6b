"""What the ACD is told: news from the telephone network and wishes of people.

News about an attempt names the attempt (`offer`): the network repeats itself and races us, and
an answer to an offer that we have withdrawn must not be taken for an answer to the next one.
"""

from datetime import timedelta
from typing import Final, get_args

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import Ender, Outcome
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.message import Message


class CallerDialledIn(Message, frozen=True):
    """A caller reached our number; the menu speaks to them from now on."""

    call: CallId
    caller: str | None
    """The number the network presented, as it came; None when withheld."""
    dialled: str
    since: Instant | None = None
    """When they really came, if that was before this news: they waited elsewhere while we were away."""
    turned_away: bool = False
    """The desk has as many callers as it may have: this one is being refused, by a sentence or the busy tone."""
    person: str = ""
    """Whose number that certainly is, by the directory's id; empty: not known."""


class MenuStepReached(Message, frozen=True):
    """The caller reached a node of the menu tree, having pressed `key` at the one before."""

    call: CallId
    node: str
    key: str | None = None


class CallArrived(Message, frozen=True):
    """The menu handed a caller to a queue; the caller hears nothing yet.

    For a caller who left a queue during this visit (a key, an overflow) it is the way back, to their original place.
    """

    call: CallId
    queue: QueueName
    priority: int = 0
    """Each step up is worth a head start (`Rules.priority_worth`); within one it is first come, first served."""
    skills: frozenset[str] = frozenset()
    """What the agent must be able to do, such as `vpn` or `vpn:3` (see `acd.skills`)."""
    agent: AgentId | None = None
    """The one agent wanted; after `Rules.named_agent_wait` anybody may take the call."""
    last_agent: AgentId | None = None
    """Whom this caller spoke to last, for queues whose strategy is `last_agent`."""
    grounds: frozenset[str] = frozenset()
    """Why the priority is what it is: `vip`, `repeat_caller`, `repeated_incident`."""
    since: Instant | None = None
    """When they began to wait, if that was before this news."""
    language: str = ""
    """In which they went on in the menu; empty: as before, which at first is the desk's own."""


class MenuEnded(Message, frozen=True):
    """The menu finished with the caller and no queue was wanted (served by the machine, or given up)."""

    call: CallId
    served: bool
    """True when the caller got what they asked for, such as the state of a ticket."""
    outcome: Outcome | None = None
    """What became of a caller who was diverted from a queue: VOICEMAIL, CALLBACK or REDIRECTED."""


class CallerHungUp(Message, frozen=True):
    """The caller's leg is gone, whoever ended it."""

    call: CallId
    queue: QueueName | None = None
    """Where they waited by the PBX's own account, told after we were away: the ledger may have missed it."""
    queued_at: Instant | None = None
    """Since when, by that account."""
    at: Instant | None = None
    """When, if that was before this news: we were away."""
    by: Ender = Ender.CALLER
    """AGENT when, as was found out after we were away, the agent's leg had gone before."""


class CallLost(Message, frozen=True):
    """The PBX no longer knows a call that we thought alive (it crashed, or we missed the end)."""

    call: CallId


class DeskClosed(Message, frozen=True):
    """The desk stops taking calls and ends this one."""

    call: CallId


class AgentAnswered(Message, frozen=True):
    """The agent's phone was picked up for this offer."""

    agent: AgentId
    call: CallId
    offer: OfferId
    at: Instant | None = None
    """When, if that was before this news: we were away, and the PBX has joined the two by our last wish."""


class RingFailed(Message, frozen=True):
    """The agent's phone could not be rung, was busy, or declined."""

    agent: AgentId
    call: CallId
    offer: OfferId
    cause: str
    """One of `telephony.hangup_cause`: busy, declined, unreachable, congestion, error, gone."""


class PartiesConnected(Message, frozen=True):
    """Caller and agent hear each other."""

    agent: AgentId
    call: CallId
    offer: OfferId
    at: Instant | None = None
    """Since when, if that was before this news: we were away."""


class ConnectFailed(Message, frozen=True):
    """The agent answered, but the two could not be joined; the caller may still be there."""

    agent: AgentId
    call: CallId
    offer: OfferId
    cause: str


class ConversationMissing(Message, frozen=True):
    """The PBX has no leg of this agent for the conversation that we think is going on; found by looking."""

    agent: AgentId
    call: CallId
    offer: OfferId


class AgentHungUp(Message, frozen=True):
    """The agent's leg is gone after it was answered."""

    agent: AgentId
    call: CallId
    offer: OfferId


class CallHeld(Message, frozen=True):
    """The agent put the caller on hold."""

    agent: AgentId
    call: CallId


class CallResumed(Message, frozen=True):
    """The agent took the caller back from hold."""

    agent: AgentId
    call: CallId


class KeyPressed(Message, frozen=True):
    """A caller who waits pressed a key."""

    call: CallId
    key: str


class PersonReached(Message, frozen=True):
    """Somebody whom we dialled picked up."""

    call: CallId


class DialFailed(Message, frozen=True):
    """Somebody whom we dialled was busy, did not answer, or could not be reached."""

    call: CallId
    cause: str
    """One of `telephony.hangup_cause`: busy, declined, unreachable, congestion, error, gone, or `no_answer`."""


class CallbackAsked(Message, frozen=True):
    """Somebody is to be called back: asked by key from a queue, in the menu, or by an agent or program."""

    callback: CallbackId
    number: str
    queue: QueueName
    call: CallId | None = None
    """The call they asked from: its place in the queue is kept until they are spoken to. It may be over."""
    priority: int = 0
    skills: frozenset[str] = frozenset()
    not_before: Instant | None = None
    since: Instant | None = None
    """When they first tried, if that was before this news."""
    language: str = ""
    """In which they are spoken to; empty: as in the call named, or in any of theirs or one that an agent wraps up, else
    in the desk's own."""
    by: str | None = None
    """Who books it, if somebody does: what an agent promises to whom they speak with is promised in that call."""
    person: str = ""
    """Whose number that certainly is, by the directory's id; empty: not known."""


class CallbackCancelled(Message, frozen=True):
    """Nobody is to be called back after all."""

    callback: CallbackId
    by: str | None = None


class PhoneReachable(Message, frozen=True):
    """The agent's phone is registered, or answers our OPTIONS."""

    agent: AgentId


class PhoneUnreachable(Message, frozen=True):
    """The agent's phone has gone from the network."""

    agent: AgentId
    unheard: bool = False
    """Found by looking, though the line was up: the news of it was lost."""


class AgentSignedIn(Message, frozen=True):
    """The agent took their seat; they are not ready until they say so."""

    agent: AgentId


class AgentSignedOut(Message, frozen=True):
    """The agent wants to leave (after the present call and its wrap-up)."""

    agent: AgentId
    by: str | None = None
    """Who asked, when it was not the agent."""


class AgentReady(Message, frozen=True):
    """The agent (or their supervisor) asks for 대기; ends a wrap-up early."""

    agent: AgentId
    by: str | None = None
    """Who asked, when it was not the agent."""


class AgentNotReady(Message, frozen=True):
    """The agent (or their supervisor) asks for 점검, 휴식, 식사, 교육 or 이석."""

    agent: AgentId
    reason: NotReadyReason
    by: str | None = None
    """Who asked, when it was not the agent."""


class AgentForced(Message, frozen=True):
    """A supervisor puts an agent into a state now; only a conversation stands in the way.

    `state` is READY, NOT_READY or LOGGED_OUT.
    """

    agent: AgentId
    state: AgentState
    by: str
    reason: NotReadyReason | None = None
    """Only with NOT_READY."""
    why: str = ""
    """The supervisor's own words."""


class MoreWrapUpWanted(Message, frozen=True):
    """The agent needs longer to write the call up."""

    agent: AgentId
    length: timedelta


class DesktopSeen(Message, frozen=True):
    """The agent's desktop is open and answers."""

    agent: AgentId


class DesktopGone(Message, frozen=True):
    """The agent's desktop has been closed or no longer answers."""

    agent: AgentId


class DeadlinePassed(Message, frozen=True):
    """The time named by `Engine.next_deadline()` has come; carries nothing, the engine knows what was due."""


CallEvent = (
    CallerDialledIn | MenuStepReached | CallArrived | MenuEnded | CallerHungUp | CallLost | DeskClosed
    | PartiesConnected | CallHeld | CallResumed | KeyPressed | PersonReached | DialFailed
)
AgentEvent = (
    AgentAnswered | RingFailed | ConnectFailed | AgentHungUp
    | PhoneReachable | PhoneUnreachable | AgentSignedIn | AgentSignedOut | AgentReady | AgentNotReady
    | ConversationMissing | AgentForced | MoreWrapUpWanted | DesktopSeen | DesktopGone
)
CallbackEvent = CallbackAsked | CallbackCancelled
Event = CallEvent | AgentEvent | CallbackEvent | DeadlinePassed

EVENTS: tuple[type, ...] = get_args(Event)
"""Every kind of event, for the completeness tests."""

ToldLate = AgentAnswered | PartiesConnected | CallerHungUp
TOLD_LATE: Final = (AgentAnswered, PartiesConnected, CallerHungUp)
"""News that may say when it happened (`at`), if that was while we were away."""
