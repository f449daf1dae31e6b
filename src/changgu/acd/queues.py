"""The floor as it is set up: which queues there are, which agents serve them, and by what rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId, QueueName


class TicketPolicy(StrEnum):
    """Whether an answered call opens a ticket."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    NONE = "none"


class Way(StrEnum):
    """Where a caller can be sent from a queue."""

    QUEUE = "queue"
    """Another queue, in the place they had."""
    OPEN = "open"
    """Stay where they are, but let the agents of another queue take them, too (MOD-03)."""
    VOICEMAIL = "voicemail"
    CALLBACK = "callback"
    ANNOUNCE = "announce"
    """Hear a prompt, then the end of the call."""
    NUMBER = "number"
    """An outside number."""
    MENU = "menu"
    """A node of the menu tree; from there they may come back to their place."""
    REFUSE = "refuse"
    """An apology and the end of the call."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A way and what it leads to; written `queue:helpdesk`, `number:0215881234`, `voicemail`."""

    way: Way
    name: str = ""
    """The queue, prompt, number or menu node; empty for the others."""

    def __str__(self) -> str:
        return f"{self.way.value}:{self.name}" if self.name else self.way.value


WAYS_WITH_NAMES = frozenset({Way.QUEUE, Way.OPEN, Way.ANNOUNCE, Way.NUMBER, Way.MENU})


RuleKey = tuple[Departure, str, float | None]
"""Condition, destination as written, and limit of an overflow rule; None in place of a limit stands for any."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """One rule that sends callers another way. The first rule of a queue whose condition holds is followed.

    What `limit` means depends on `when`:

    - FULL: so many wait already (on arrival).
    - UNSTAFFED: no agent of the queue is signed in and not away (on arrival; the limit is not used).
    - ESTIMATE: the estimated wait is longer than so many seconds (on arrival).
    - RATIO: more than so many callers wait for each staffed agent, this one included (on arrival).
    - WAITED: the caller has waited for so many seconds.
    - DESERTED: nobody has served the queue for so many seconds while they wait.
    """

    when: Departure
    to: Destination
    limit: float = 0.0

    @property
    def key(self) -> RuleKey:
        """What tells it from other rules, wherever it stands in the list that holds now."""
        return self.when, str(self.to), self.limit


ON_ARRIVAL = frozenset({Departure.FULL, Departure.UNSTAFFED, Departure.ESTIMATE, Departure.RATIO})


@dataclass(frozen=True, slots=True)
class Relaxation:
    """After a caller has waited for `after`, less is required of the agent. The steps of a queue add up."""

    after: timedelta
    drop: frozenset[str] = frozenset()
    """Skills no longer required, by name; `*` drops all."""
    lower: int = 0
    """Levels by which what is still required is lowered; never below 1."""
    open: frozenset[QueueName] = frozenset()
    """Queues whose agents may take the call, too."""


@dataclass(frozen=True, slots=True)
class Announcements:
    """What waiting callers are told, and when. Both times None: nothing."""

    first_after: timedelta | None = None
    every: timedelta | None = None
    position: bool = False
    estimate: bool = False
    comfort: tuple[str, ...] = ()
    """Sentences said in turn before the figures, or without them."""


class First(StrEnum):
    """Who is called first when somebody is called back."""

    AGENT = "agent"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """How promises to call back are kept (lessons 24-27)."""

    first: First = First.AGENT
    advantage: timedelta = timedelta(minutes=10)
    """At most so long a wait is credited when the call-back falls due, so that live callers are not starved."""
    attempts: int = 3
    retry_after: timedelta = timedelta(minutes=15)
    ring_limit: timedelta = timedelta(seconds=40)
    """For the person who is called back."""
    opens: time = time(9, 0)
    closes: time = time(20, 0)
    """Nobody is dialled outside these hours of the desk's day."""
    on_holidays: bool = False
    """Whether people are called back on the site's holidays as well (`Rules.holidays`)."""


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
    priority: int = 0
    """Added to the priority of each of its callers."""
    last_agent_wait: timedelta = timedelta(0)
    """With the strategy `last_agent`: how long a caller waits for the agent they know before anybody may take them."""
    relaxations: tuple[Relaxation, ...] = ()
    """In order of time."""
    overflows: tuple[Overflow, ...] = ()
    keys: Mapping[str, Destination] = field(default_factory=lambda: MappingProxyType({}))
    """Keys that lead out of the queue while waiting."""
    announcements: Announcements = Announcements()
    callbacks: CallbackRules = CallbackRules()


@dataclass(frozen=True, slots=True)
class Seat:
    """How an agent serves one queue, where it differs from the ordinary."""

    level: int = 1
    """Lower levels ring first; Asterisk calls it penalty."""
    delay: timedelta = timedelta(0)
    """The agent is offered only callers who have waited so long in this queue."""
    weight: int = 1
    """Share of the calls, with the strategy `weighted_random`."""


ORDINARY_SEAT = Seat()


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent (요원) and what they can do."""

    login: AgentId
    name: str
    queues: frozenset[QueueName] = frozenset()
    skills: frozenset[str] = frozenset()
    """Such as `vpn` or `vpn:7` (see `acd.skills`)."""
    phone: str = "register"
    """`register`, `browser`, or a `sip:` address."""
    wrap_up: timedelta | None = None
    """Instead of the queue's."""
    seats: Mapping[QueueName, Seat] = field(default_factory=lambda: MappingProxyType({}))
    """Only the queues in which they sit in another way than `ORDINARY_SEAT`."""

    def seat(self, queue: QueueName) -> Seat:
        """How they serve one of their queues."""
        return self.seats.get(queue, ORDINARY_SEAT)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds on the whole floor."""

    priority_worth: timedelta = timedelta(minutes=5)
    """The head start that one step of priority is worth. Nobody is overtaken by a caller who came later than the
    difference in priority times this: that is the bound on starvation."""
    repeat_within: timedelta = timedelta(minutes=30)
    """A caller who abandoned not longer ago than this and calls again is a repeat caller; 0 turns it off."""
    repeat_priority: int = 1
    named_agent_wait: timedelta = timedelta(seconds=60)
    longest_extension: timedelta = timedelta(minutes=10)
    """Of one wrap-up, all extensions together."""
    connect_limit: timedelta = timedelta(seconds=15)
    """A caller and an agent who picked up are joined within this, or the attempt has failed."""
    desktop_grace: timedelta = timedelta(seconds=45)
    """An agent whose desktop has been gone for this long is not offered calls."""
    reason_limits: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    """Longest time away by reason, such as {"break": 15 min}; passing it is an alert."""
    promise_confidence: float = 0.8
    """Share of callers who are to be answered within what they are told."""
    zone: str = "Asia/Seoul"
    """The desk's day, for call-back hours."""
    holidays: frozenset[date] = frozenset()
    """The site's holidays, on which nobody is called back; those of its calendar for some years ahead."""


@dataclass(frozen=True, slots=True)
class Floor:
    """All queues and agents at one time."""

    queues: tuple[Queue, ...] = ()
    agents: tuple[Agent, ...] = ()
    rules: Rules = Rules()
