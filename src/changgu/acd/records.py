"""One agent and one call, as the engine knows them now and as others may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_state import CallState
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName

if TYPE_CHECKING:
    from changgu.acd.lines import Line

Requested = tuple[AgentState, NotReadyReason | None]


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
    started_at: Instant
    queued_at: Instant | None
    agent: AgentId | None
    offer: OfferId | None
    answered_at: Instant | None
    """When caller and agent first heard each other."""


@dataclass(slots=True, eq=False)
class AgentRecord:
    """The engine's own page on an agent. Changed by `Engine.apply` alone."""

    login: AgentId
    queues: frozenset[QueueName] = frozenset()
    skills: frozenset[str] = frozenset()
    on_floor: bool = True
    """False for someone taken off the list who still has a call to finish."""
    lines: list[Line] = field(default_factory=list)
    """The lines they can serve; derived from the floor."""
    state: AgentState = AgentState.LOGGED_OUT
    reason: NotReadyReason | None = None
    since: Instant = 0.0
    call: CallId | None = None
    offer: OfferId | None = None
    queue: QueueName | None = None
    """The queue of the call on their hands; it sets the limits."""
    requested: Requested | None = None
    phone_reachable: bool = False
    idle_since: Instant = 0.0
    misses: int = 0
    keeps_turn: bool = False
    """The last offer ended through no doing of theirs: they keep their place among the idle."""
    idle_stamp: int = 0
    """Tells live entries of the idle heaps from dead ones."""
    due: Instant | None = None
    """When the present state ends by itself."""
    due_stamp: int = 0

    def view(self) -> AgentView:
        """What others may see."""
        return AgentView(
            self.login, self.state, self.reason, self.since, self.call, self.offer,
            self.requested, self.phone_reachable, self.idle_since, self.misses,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class CallRecord:
    """The engine's own page on a call. Changed by `Engine.apply` alone."""

    call: CallId
    caller: str | None
    dialled: str
    started_at: Instant
    state: CallState = CallState.IN_MENU
    queue: QueueName | None = None
    priority: int = 0
    skills: frozenset[str] = frozenset()
    queued_at: Instant | None = None
    seq: int = 0
    """Order of queueing, for callers of the same instant."""
    line: Line | None = None
    in_line: bool = False
    """The line's heap holds an entry for this call, live or not."""
    agent: AgentId | None = None
    offer: OfferId | None = None
    answered_at: Instant | None = None

    @property
    def place(self) -> tuple[int, Instant, int]:
        """Sorts callers: by priority, then by the time of queueing."""
        return (-self.priority, self.queued_at or 0.0, self.seq)

    def view(self) -> CallView:
        """What others may see."""
        return CallView(
            self.call, self.state, self.caller, self.dialled, self.queue, self.priority, self.skills,
            self.started_at, self.queued_at, self.agent, self.offer, self.answered_at,
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
