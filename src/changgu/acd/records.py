"""One agent, one call and one promise to call back, as the engine knows them now and as others may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from zlib import crc32

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_state import IN_MENU, CallState
from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, RuleKey

if TYPE_CHECKING:
    from changgu.acd.lines import Line
    from changgu.acd.promises import Promise

Requested = tuple[AgentState, NotReadyReason | None]

AWAY: Final = frozenset({AgentState.LOGGED_OUT, AgentState.NOT_READY, AgentState.UNREACHABLE})
"""Agents in these do not staff their queues; all others do, free or not."""


NONE: Final[frozenset[Any]] = frozenset()


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent at one moment."""

    login: AgentId
    state: AgentState
    reason: NotReadyReason | None
    """Only with NOT_READY."""
    since: Instant
    """When the present state began."""
    call: CallId | None
    """The call on their hands, or the one they are wrapping up."""
    offer: OfferId | None
    requested: Requested | None
    """What they want to be when the present call and its wrap-up are over."""
    phone_reachable: bool
    idle_since: Instant
    """Their place among the idle; only meaningful with READY."""
    misses: int
    """Offers left unanswered in a row."""
    handled: int = 0
    """Conversations since they signed in."""
    talked: float = 0.0
    """Seconds of them, the present one left out."""
    desktop: bool | None = None
    """Whether their desktop is open; None when they have none."""
    wrap_up_until: Instant | None = None
    """Only with WRAP_UP: when it ends by itself."""
    requested_by: str | None = None
    """Who asked for `requested`, when it was not the agent…"""
    requested_why: str = ""
    """…and in what words."""


@dataclass(frozen=True, slots=True)
class CallView:
    """A call at one moment."""

    call: CallId
    state: CallState
    caller: str | None
    dialled: str
    queue: QueueName | None
    priority: int
    skills: frozenset[str]
    """What is required of an agent now."""
    started_at: Instant
    queued_at: Instant | None
    """When they began to wait; for a call-back, when the attempt began to."""
    agent: AgentId | None
    """Who has the call; while it rings, the first whose phone does."""
    offer: OfferId | None
    answered_at: Instant | None
    """When caller and agent first heard each other."""
    ringing: tuple[tuple[AgentId, OfferId], ...] = ()
    """All open offers, in order, until somebody picks up."""
    placed_at: Instant | None = None
    """What their place is counted from."""
    entered_at: Instant | None = None
    """When they came to wait in this very queue."""
    wants: AgentId | None = None
    """The one agent who may take the call."""
    opened: frozenset[QueueName] = frozenset()
    """Other queues whose agents may take it, too."""
    callback: CallbackId | None = None
    """The promise this outbound call keeps."""
    reached: bool = True
    """False while the person who is called back is not on the line."""
    dials_first: bool = False
    """The person is dialled before the phone of the agent who was offered this rings."""
    diverted: Departure | None = None
    """Why they left a queue, while something else is done for them."""
    language: str = ""
    """In which they are spoken to, once they came to a queue; empty: in the desk's own."""


@dataclass(frozen=True, slots=True)
class CallbackView:
    """A promise to call somebody back, at one moment."""

    callback: CallbackId
    number: str
    queue: QueueName
    due_at: Instant
    """When the next attempt may be made."""
    placed_at: Instant
    """When they first tried."""
    attempts: int
    call: CallId | None
    """The attempt that is under way, or waits for an agent."""
    asked_from: CallId | None
    language: str = ""
    """In which they are spoken to; empty: in the desk's own."""


@dataclass(slots=True, eq=False)
class Timed:
    """Whatever has a limit that may pass."""

    due: Instant | None = field(default=None, init=False)
    due_stamp: int = field(default=0, init=False)
    """Tells live entries of the heap of limits from dead ones; 0: no limit runs."""


@dataclass(slots=True, eq=False)
class AgentRecord(Timed):
    """The engine's own page on an agent. Changed by `Engine.apply` alone."""

    login: AgentId
    settings: Agent
    levels: Mapping[str, int] = field(default_factory=dict)
    order: int = -1
    salt: int = 0
    on_floor: bool = True
    """False for someone taken off the list who still has a call to finish."""
    lines: list[Line] = field(default_factory=list)
    """The lines they can serve; derived from the floor."""
    look: Callable[[Any], tuple[float, ...]] | None = None
    """Takes the heads of all these lines from the list of heads; made when it is needed (`Lines.best_of`)."""
    state: AgentState = AgentState.LOGGED_OUT
    reason: NotReadyReason | None = None
    since: Instant = 0.0
    call: CallId | None = None
    offer: OfferId | None = None
    queue: QueueName | None = None
    """The queue of the call on their hands; it sets the limits."""
    requested: Requested | None = None
    requested_by: str | None = None
    """Who asked for that, when it was not the agent…"""
    requested_why: str = ""
    """…and in what words."""
    phone_reachable: bool = False
    idle_since: Instant = 0.0
    misses: int = 0
    handled: int = 0
    talked: float = 0.0
    reserved_at: Instant = 0.0
    """When they were offered the call on their hands."""
    occupied_since: Instant | None = None
    """The same, once they have spoken with the caller."""
    talking_since: Instant | None = None
    """When caller and agent of the present conversation first heard each other."""
    spoke_in: CallRecord | None = None
    """The call of the present conversation, or the one they wrap up, which is over."""
    left_at: Instant = 0.0
    """When they last stopped serving their queues."""
    desktop: bool | None = None
    desktop_since: Instant = 0.0
    wrap_up_until: Instant | None = None
    alerted: bool = False
    """The limit of the present reason has been reported."""
    keeps_turn: bool = False
    """The last offer ended through no doing of theirs: they keep their place among the idle."""
    idle_stamp: int = 0
    """Tells live entries of the idle heaps from dead ones."""

    def __post_init__(self) -> None:
        self.salt = crc32(self.login.encode())

    def view(self) -> AgentView:
        """What others may see."""
        return AgentView(
            self.login, self.state, self.reason, self.since, self.call, self.offer,
            self.requested, self.phone_reachable, self.idle_since, self.misses, self.handled, self.talked,
            self.desktop, self.wrap_up_until, self.requested_by, self.requested_why,
        )  # fmt: skip


class CallRecord(Timed):
    """The engine's own page on a call. Changed by `Engine.apply` alone.

    One is made for every caller. Its `__init__` is written out because the compiler leaves a generated one as it is.
    """

    __slots__ = (
        "announced", "announced_at", "answered_at", "been_in", "call", "callback", "caller", "dialled",
        "dials_first", "diverted", "entered_at", "fired", "grounds", "in_line", "key", "known_by", "language",
        "last_agent", "line", "missed", "named", "needs", "offers", "opened", "picked_up_at", "placed_at",
        "priority", "promise", "queue", "queued_at", "reach", "reached", "seq", "skills", "started_at", "state",
        "wants",
    )  # fmt: skip

    def __init__(
        self, call: CallId, caller: str | None, dialled: str, started_at: Instant,
        callback: CallbackId | None = None, known_by: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.due, self.due_stamp = None, 0
        self.call = call
        self.caller = caller
        self.dialled = dialled
        self.started_at = started_at
        self.callback = callback
        self.known_by = known_by
        """What tells whose call it is (`callbacks.known_by`): their number first, and the person where known."""
        self.state: CallState = IN_MENU
        self.queue: QueueName | None = None
        self.priority: int = 0
        self.needs: frozenset[str] = NONE
        """What was required when they came."""
        self.skills: frozenset[str] = NONE
        self.queued_at: Instant | None = None
        self.placed_at: Instant = 0.0
        self.entered_at: Instant = 0.0
        self.key: float = 0.0
        """What callers are sorted by: `placed_at`, less the head start of the priority."""
        self.seq: int = 0
        """Order of queueing, for callers with equal keys."""
        self.reach: float = -1.0
        self.wants: AgentId | None = None
        self.named: AgentId | None = None
        """The one agent the caller asked for, whether or not that wish still counts."""
        self.last_agent: AgentId | None = None
        self.grounds: frozenset[str] = NONE
        self.opened: frozenset[QueueName] = NONE
        self.fired: frozenset[RuleKey] = NONE
        """The queue's overflow rules that have been followed, by what they say: the list may have been another then."""
        self.been_in: tuple[QueueName, ...] = ()
        """Queues that sent them on, in order."""
        self.missed: frozenset[AgentId] = NONE
        """Who let this call ring."""
        self.announced: int = 0
        self.announced_at: Instant | None = None
        self.promise: Promise | None = None
        """What they were told last."""
        self.line: Line | None = None
        self.in_line: bool = False
        """The line's heap holds an entry for this call, live or not."""
        self.offers: dict[OfferId, AgentId] = {}
        """Open offers; after the answer, the one that won."""
        self.answered_at: Instant | None = None
        self.picked_up_at: Instant = 0.0
        self.reached: bool = True
        self.dials_first: bool = False
        self.diverted: Departure | None = None
        self.language: str = ""

    def __repr__(self) -> str:
        return f"CallRecord({self.call!r}, {self.state.value}, queue={self.queue!r})"

    @property
    def agent(self) -> AgentId | None:
        """Who has the call; while it rings, the first whose phone does."""
        return next(iter(self.offers.values()), None)

    @property
    def offer(self) -> OfferId | None:
        """The attempt that `agent` is about."""
        return next(iter(self.offers), None)

    def view(self) -> CallView:
        """What others may see."""
        queued = self.queued_at is not None
        ringing = self.state is CallState.OFFERED
        return CallView(
            self.call, self.state, self.caller, self.dialled, self.queue, self.priority, self.skills,
            self.started_at, self.queued_at, self.agent, self.offer, self.answered_at,
            tuple((agent, offer) for offer, agent in self.offers.items()) if ringing else (),
            self.placed_at if queued else None, self.entered_at if queued else None,
            self.wants, self.opened, self.callback, self.reached, self.dials_first, self.diverted,
            self.language,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class CallbackRecord(Timed):
    """The engine's own page on a promise to call back. Changed by `Engine.apply` alone."""

    callback: CallbackId
    number: str
    queue: QueueName
    due_at: Instant
    placed_at: Instant
    priority: int
    skills: frozenset[str]
    asked_from: CallId | None
    language: str = ""
    person: str = ""
    """Whose number that certainly is; empty: not known."""
    known_by: tuple[str, ...] = ()
    """What tells to whom it was made (`callbacks.known_by`)."""
    attempts: int = 0
    """Those that count."""
    dialled: int = 0
    """All of them: the next call's id is made from it."""
    call: CallId | None = None

    def view(self) -> CallbackView:
        """What others may see."""
        return CallbackView(
            self.callback, self.number, self.queue, self.due_at, self.placed_at, self.attempts, self.call,
            self.asked_from, self.language,
        )  # fmt: skip


K = TypeVar("K")
R = TypeVar("R")
V = TypeVar("V")


class Views(Mapping[K, V], Generic[K, R, V]):
    """The engine's records as frozen views, made when somebody looks."""

    def __init__(self, records: Mapping[K, R], view: Callable[[R], V]) -> None:
        self._records = records
        self._view = view

    def __getitem__(self, key: K) -> V:
        return self._view(self._records[key])

    def __iter__(self) -> Iterator[K]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)
