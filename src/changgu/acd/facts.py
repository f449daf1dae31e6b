"""What has happened, in the words the ledger keeps for ever. The state of the floor is the fold of these.

A fact carries no time of its own: the runner numbers and stamps it once (`Recorded`).
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Final, get_args

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.message import Message

if TYPE_CHECKING:
    from changgu.acd.event_json import Cause


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
    VOICEMAIL = "voicemail"
    """Left a message instead of waiting."""
    CALLBACK = "callback"
    """Hung up with the promise of being called back; never counted as abandoned (lesson 24)."""
    REDIRECTED = "redirected"
    """Sent on to a number outside the desk."""
    NOT_REACHED = "not_reached"
    """Only outbound: the person we called did not answer, or hung up before an agent spoke to them."""


GAVE_UP: Final = frozenset({Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING})
"""They had come to a queue and hung up before they heard an agent."""


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
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    """Ring all: another agent was first."""
    WITHDRAWN = "withdrawn"
    """A supervisor put the agent into another state."""
    NOT_REACHED = "not_reached"
    """A call-back whose person was dialled first did not answer."""


class Choice(StrEnum):
    """Why an agent was chosen; together with the ledger up to that point it explains the offer (`changgu acd why`)."""

    TURN = "turn"
    """It was their turn by the queue's strategy."""
    EVERYBODY = "everybody"
    """Ring all."""
    NAMED = "named"
    """The caller asked for them."""
    LAST_AGENT = "last_agent"
    """The caller spoke to them last."""


class Departure(StrEnum):
    """Why a caller was led out of a queue, or opened to others, or never let in (MOD-03)."""

    KEY = "key"
    FULL = "full"
    UNSTAFFED = "unstaffed"
    """Nobody served the queue when they came."""
    DESERTED = "deserted"
    """Nobody has served the queue for a while."""
    WAITED = "waited"
    """The longest wait was reached."""
    ESTIMATE = "estimate"
    """The estimated wait was too long."""
    RATIO = "ratio"
    """Too many callers for each agent."""


class CallbackEnd(StrEnum):
    """How a promise to call back ended; exactly one per promise."""

    KEPT = "kept"
    """They were reached and spoke to an agent."""
    GIVEN_UP = "given_up"
    """Not reached in as many attempts as the rules allow."""
    CANCELLED = "cancelled"
    CALLED_IN = "called_in"
    """They called again themselves; their place was given to that call."""


class CallStarted(Message, frozen=True):
    """A call exists; the caller is in the menu."""

    call: CallId
    direction: Direction
    caller: str | None
    dialled: str
    callback: CallbackId | None = None
    """The promise that this outbound call keeps."""
    since: Instant | None = None
    """When they really came, if that was before this fact."""
    person: str = ""
    """Whose number the caller's certainly is, by the directory's id; empty: not known."""


class MenuStepTaken(Message, frozen=True):
    """The caller went to a node of the menu by a key."""

    call: CallId
    node: str
    key: str | None


class CallQueued(Message, frozen=True):
    """The caller waits in a queue, in the place that `placed_at` and `priority` give them."""

    call: CallId
    queue: QueueName
    priority: int
    skills: frozenset[str] = frozenset()
    placed_at: Instant | None = None
    """What their place is counted from, if that was before this fact: another queue, a call-back, the plain queues."""
    entered_at: Instant | None = None
    """When they began to wait in this very queue, if before this fact; steps and limits are counted from it."""
    agent: AgentId | None = None
    """The one agent wanted."""
    last_agent: AgentId | None = None
    grounds: frozenset[str] = frozenset()
    """Why the priority is what it is."""
    waits_for: AgentId | None = None
    """The one agent who may take the call until that wish lapses; decided on entry."""
    language: str = ""
    """In which they are spoken to; empty: in the desk's own."""


class CallWidened(Message, frozen=True):
    """More agents may take the call from now on; all that holds now is named, not the difference."""

    call: CallId
    reach: float
    """Seconds in the queue up to which all steps have been taken; agents whose delay is no longer may take it."""
    skills: frozenset[str] = frozenset()
    """What is still required."""
    opened: frozenset[QueueName] = frozenset()
    """Other queues whose agents may take it, too (MOD-03)."""
    anybody: bool = False
    """The wish for one agent has lapsed."""


class CallOverflowed(Message, frozen=True):
    """A rule of the queue, or a key, sent the caller another way."""

    call: CallId
    queue: QueueName
    why: Departure
    to: str
    """The destination as configured, such as `queue:helpdesk` or `voicemail`."""
    key: str | None = None
    rule: int = -1
    """Where it stood in the queue's list of overflow rules, from 0; -1 for a key."""
    priority: int = 0
    """Of a caller led away at the door, what they came with, for a call-back or the way back; also the next four."""
    skills: frozenset[str] = frozenset()
    agent: AgentId | None = None
    last_agent: AgentId | None = None
    grounds: frozenset[str] = frozenset()
    limit: float | None = None
    """The rule's limit: with `why` and `to` it tells the rule from others, also once the list has changed. None for a
    key, and in ledgers of versions that did not write it."""


class WaitAnnounced(Message, frozen=True):
    """The caller was told where they stand: a promise that is held against what happens."""

    call: CallId
    position: int | None = None
    promise: float | None = None
    """Seconds from now within which they will be answered, with the floor's confidence; None: unknown, or not said."""
    staffed: int = 0
    """Agents who could take them…"""
    ahead: int = 0
    """…and callers in better places, when that was worked out."""


class CallOffered(Message, frozen=True):
    """The call was offered to exactly one agent, whose phone is to ring."""

    call: CallId
    agent: AgentId
    offer: OfferId
    queue: QueueName
    choice: Choice = Choice.TURN
    dials: bool = False
    """A call-back whose person is dialled before the agent's phone rings."""


class OfferEnded(Message, frozen=True):
    """The offer came to nothing; the caller, if still there, keeps their place."""

    call: CallId
    agent: AgentId
    offer: OfferId
    why: OfferEnd
    cause: str = ""


class CallAnswered(Message, frozen=True):
    """The agent picked up."""

    call: CallId
    agent: AgentId
    offer: OfferId
    queue: QueueName


class CallConnected(Message, frozen=True):
    """Caller and agent hear each other: the end of the wait (definitions 3d: enqueue to bridge)."""

    call: CallId
    agent: AgentId
    offer: OfferId


class HoldStarted(Message, frozen=True):
    """The agent put the caller on hold."""

    call: CallId
    agent: AgentId


class HoldEnded(Message, frozen=True):
    """The caller is off hold."""

    call: CallId
    agent: AgentId


class CallEnded(Message, frozen=True):
    """The call is over, with its one outcome."""

    call: CallId
    outcome: Outcome
    by: Ender
    reason: str = ""
    """Of a refusal: a `Departure`, `no_such_queue`, `desk_closed`, `desk_full`, `error`; of NOT_REACHED: the cause."""


class CallServedElsewhere(Message, frozen=True):
    """A whole call that ended while we were away, told afterwards with its own times, as the PBX knows them.

    Its plain queue served it, or we were killed as it came: nothing of it ever stood in the ledger.
    """

    call: CallId
    caller: str | None
    dialled: str
    queue: QueueName | None
    """None for a caller who came to us and to no queue."""
    outcome: Outcome
    by: Ender
    arrived_at: Instant
    ended_at: Instant
    queued_at: Instant | None = None
    """None for a caller who left before a queue took them."""
    answered_at: Instant | None = None
    served_by: AgentId | None = None
    offers: int = 0


class AgentStateChanged(Message, frozen=True):
    """An agent moved from one state to another."""

    agent: AgentId
    before: AgentState
    after: AgentState
    reason: NotReadyReason | None = None
    """Only with `after == NOT_READY`."""
    call: CallId | None = None
    """The call that the state is about: RESERVED, TALKING, HOLD, WRAP_UP, and leaving them."""
    by: str | None = None
    """Who asked for it, when it was not the agent."""
    why: str = ""
    """A supervisor's own words."""
    handled: int = 0
    """Conversations since they signed in."""
    talked: float = 0.0
    """Seconds of them."""


class NextStateRequested(Message, frozen=True):
    """What the agent wants to be when the present call and wrap-up are over; shown beside the current state."""

    agent: AgentId
    state: AgentState
    reason: NotReadyReason | None = None
    by: str | None = None
    """Who asked for it, when it was not the agent."""
    why: str = ""
    """A supervisor's own words."""


class WrapUpExtended(Message, frozen=True):
    """The agent was given longer to write the call up."""

    agent: AgentId
    until: Instant


class ReasonLimitPassed(Message, frozen=True):
    """The agent has been away for one reason for longer than the floor allows; somebody should look."""

    agent: AgentId
    reason: NotReadyReason


class DesktopStateChanged(Message, frozen=True):
    """An agent's desktop came or went."""

    agent: AgentId
    present: bool


class PersonAnswered(Message, frozen=True):
    """Somebody whom we call back picked up."""

    call: CallId


class StateRepaired(Message, frozen=True):
    """What was believed had outlived its evidence, and was put right."""

    what: str
    """`talking_without_a_leg`, `connecting_too_long` or `ready_without_a_phone`."""
    agent: AgentId | None = None
    call: CallId | None = None


class CallbackBooked(Message, frozen=True):
    """Somebody was promised to be called back, in the place they had."""

    callback: CallbackId
    number: str
    queue: QueueName
    due_at: Instant
    """When the first attempt may be made."""
    placed_at: Instant
    priority: int = 0
    skills: frozenset[str] = frozenset()
    call: CallId | None = None
    """The call in which it was promised: the one named, else the one in which who books it speaks with them."""
    language: str = ""
    """In which they will be spoken to; empty: in the desk's own."""
    person: str = ""
    """Whose number that certainly is, by the directory's id; empty: not known."""


class CallbackAttempted(Message, frozen=True):
    """An attempt did not reach them, or was put off: not at this hour, or they are on the line themselves."""

    callback: CallbackId
    attempts: int
    """Those that count: the telephone of the person rang, or could not be reached."""
    due_at: Instant
    cause: str = ""


class CallbackClosed(Message, frozen=True):
    """The promise is settled."""

    callback: CallbackId
    end: CallbackEnd
    by: str | None = None


class Emergency(Message, frozen=True):
    """An emergency plan that is in force (WL-05)."""

    plan: str
    """Its name in the routing file."""
    title: str
    by: str
    why: str
    since: Instant
    until: Instant | None = None
    """When it ends by itself."""


class FloorTakenUp(Message, frozen=True):
    """From here on the floor is set up like this; `digest` names a set-up kept beside the ledger."""

    digest: str
    emergency: Emergency | None = None
    """The plan by which the floor is not the ordinary one."""
    by: str | None = None
    """Who turned a plan on or off; None for a reload, a start, and a plan that ended by itself."""
    why: str = ""
    """Why it was turned off."""


class PhoneStateChanged(Message, frozen=True):
    """An agent's phone came or went."""

    agent: AgentId
    reachable: bool


class NewsIgnored(Message, frozen=True):
    """Late or repeated news, with the reason for which it was not believed; counted, never acted on."""

    event: str
    why: str
    call: CallId | None = None
    agent: AgentId | None = None


Fact = (
    CallStarted | MenuStepTaken | CallQueued | CallOffered | OfferEnded | CallAnswered | CallConnected
    | HoldStarted | HoldEnded | CallEnded | AgentStateChanged | NextStateRequested | PhoneStateChanged | NewsIgnored
    | CallWidened | CallOverflowed | WaitAnnounced | WrapUpExtended | ReasonLimitPassed | DesktopStateChanged
    | PersonAnswered | StateRepaired | CallbackBooked | CallbackAttempted | CallbackClosed | FloorTakenUp
    | CallServedElsewhere
)

FACTS: tuple[type, ...] = get_args(Fact)


class Recorded(Message, frozen=True):
    """A fact as it stands in the ledger."""

    seq: int
    """Runs from 1 without gaps, over all restarts."""
    at: Instant
    fact: Fact
    because: "Cause | None" = None
    """What this fact and those behind it followed from; None for all but the first of them."""
