"""What every agent is doing and has done today, folded from the facts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Protocol

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    DesktopStateChanged,
    Fact,
    NextStateRequested,
    PhoneStateChanged,
    ReasonLimitPassed,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Floor
from changgu.wallboard import kpi
from changgu.wallboard.rows import AgentRow
from changgu.wallboard.times import iso

HANDLING = frozenset({AgentState.TALKING, AgentState.HOLD, AgentState.WRAP_UP})
RESTING = frozenset({AgentState.READY, AgentState.NOT_READY, AgentState.UNREACHABLE, AgentState.LOGGED_OUT})
"""States in which no wish for a next state is left open."""


class AgentStanding(Protocol):
    """What the ACD's engine knows of an agent; `acd.records.AgentView` is one."""

    @property
    def state(self) -> AgentState:
        """What they are doing."""

    @property
    def reason(self) -> NotReadyReason | None:
        """Why they are not ready."""

    @property
    def since(self) -> Instant:
        """Since when."""

    @property
    def call(self) -> CallId | None:
        """The call it is about."""

    @property
    def requested(self) -> tuple[AgentState, NotReadyReason | None] | None:
        """What they want to be next."""

    @property
    def phone_reachable(self) -> bool:
        """Whether their phone can be rung."""


@dataclass(slots=True)
class _Seat:
    state: AgentState = AgentState.LOGGED_OUT
    reason: NotReadyReason | None = None
    since: Instant | None = None
    by: str | None = None
    why: str = ""
    overdue: bool = False
    wrap_up_until: Instant | None = None
    desktop: bool | None = None
    call: CallId | None = None
    call_queue: QueueName | None = None
    wish: tuple[AgentState, NotReadyReason | None] | None = None
    phone: bool | None = None
    handled: int = 0
    handled_seconds: float = 0.0
    contact_seconds: float = 0.0
    """Of the contact in hand, spent in states already left."""


@dataclass(slots=True)
class _Heads:
    """How many agents of the floor are in each state, away for each reason, and away for too long."""

    states: dict[AgentState, int] = field(default_factory=lambda: dict.fromkeys(AgentState, 0))
    reasons: Counter[NotReadyReason] = field(default_factory=Counter)
    overdue: int = 0


QueueOf = Callable[[CallId], QueueName | None]
"""The queue of a call that is under way."""


class Seats:
    """The fold."""

    HEARS = (
        AgentStateChanged, NextStateRequested, PhoneStateChanged, DesktopStateChanged, ReasonLimitPassed,
        WrapUpExtended,
    )  # fmt: skip
    """The facts that say something here."""

    def __init__(self) -> None:
        self._seats: dict[AgentId, _Seat] = {}
        self._people: dict[AgentId, tuple[str, frozenset[QueueName]]] = {}
        self._heads = _Heads()
        self._ready: Counter[QueueName] = Counter()
        self._signed_in: Counter[QueueName] = Counter()

    @property
    def people(self) -> Iterable[AgentId]:
        """The agents on the floor."""
        return self._people

    def configure(self, floor: Floor) -> None:
        """Show these agents from now on."""
        self._people = {agent.login: (agent.name, agent.queues) for agent in floor.agents}
        self._count_all()

    def queues_of(self, login: AgentId) -> frozenset[QueueName]:
        """The queues that an agent serves; none when they are not on the floor."""
        return self._people.get(login, ("", frozenset()))[1]

    def take_over(self, standing: Mapping[AgentId, AgentStanding], queue_of: QueueOf) -> None:
        """What the engine knows of those who have not moved within the facts."""
        for login, view in standing.items():
            seat = self._seat(login)
            seat.state, seat.reason = view.state, view.reason
            seat.since = view.since or None  # the engine's 0 stands for "has never moved"
            seat.wish, seat.phone = view.requested, view.phone_reachable
            self._hand(seat, view.call, queue_of)
        self._count_all()

    def fold(
        self, fact: Fact, at: Instant, day_start: Instant, queue_of: QueueOf
    ) -> AgentId | None:
        """Take in one fact; the agent whom it concerns, if any."""
        match fact:
            case AgentStateChanged():
                self._move(fact, at, day_start, queue_of)
            case NextStateRequested():
                self._seat(fact.agent).wish = (fact.state, fact.reason)
            case PhoneStateChanged():
                self._seat(fact.agent).phone = fact.reachable
            case DesktopStateChanged():
                self._seat(fact.agent).desktop = fact.present
            case ReasonLimitPassed():
                self._count(fact.agent, -1)
                self._seat(fact.agent).overdue = True
                self._count(fact.agent, 1)
            case WrapUpExtended():
                self._seat(fact.agent).wrap_up_until = fact.until
            case _:
                return None
        return fact.agent

    def new_day(self) -> set[AgentId]:
        """What was handled yesterday no longer counts; says whose figures that changes."""
        for seat in self._seats.values():
            seat.handled, seat.handled_seconds, seat.contact_seconds = 0, 0.0, 0.0
        return set(self._seats)

    def _seat(self, login: AgentId) -> _Seat:
        return self._seats.setdefault(login, _Seat())

    def _move(
        self, fact: AgentStateChanged, at: Instant, day_start: Instant, queue_of: QueueOf
    ) -> None:
        seat = self._seat(fact.agent)
        if seat.state in HANDLING and seat.since is not None:
            seat.contact_seconds += max(0.0, at - max(seat.since, day_start))
            if fact.after not in HANDLING:
                seat.handled += 1
                seat.handled_seconds += seat.contact_seconds
                seat.contact_seconds = 0.0
        self._count(fact.agent, -1)
        seat.state, seat.reason, seat.since = fact.after, fact.reason, at
        seat.by, seat.why = fact.by, fact.why
        seat.overdue, seat.wrap_up_until = False, None
        self._count(fact.agent, 1)
        self._hand(seat, fact.call if fact.after not in RESTING else None, queue_of)
        if fact.after in RESTING:
            seat.wish = None

    def _hand(self, seat: _Seat, call: CallId | None, queue_of: QueueOf) -> None:
        if call != seat.call:
            seat.call, seat.call_queue = call, queue_of(call) if call else None

    def row(self, login: AgentId) -> AgentRow | None:
        """One agent as the messages carry them; None when they are not on the floor."""
        if login not in self._people:
            return None
        name, queues = self._people[login]
        seat = self._seats.get(login) or _Seat()
        wish_state, wish_reason = seat.wish or (None, None)
        return {
            "name": name,
            "state": seat.state.value,
            "reason": seat.reason.value if seat.reason else None,
            "since": iso(seat.since),
            "by": seat.by,
            "why": seat.why,
            "overdue": seat.overdue,
            "wrap_up_until": iso(seat.wrap_up_until),
            "desktop": seat.desktop,
            "next_state": wish_state.value if wish_state else None,
            "next_reason": wish_reason.value if wish_reason else None,
            "phone": seat.phone,
            "call": seat.call,
            "call_queue": seat.call_queue,
            "queues": sorted(queues),
            "handled": seat.handled,
            "aht": kpi.average_handling_time(seat.handled_seconds, seat.handled),
        }

    def serving(self, queue: QueueName) -> tuple[int, int]:
        """How many agents of a queue are ready, and how many are signed in."""
        return self._ready[queue], self._signed_in[queue]

    def heads(self) -> tuple[dict[str, int], dict[str, int], int]:
        """How many agents are in each state, away for each reason, and away for too long."""
        heads = self._heads
        return (
            {state.value: count for state, count in heads.states.items()},
            {reason.value: count for reason, count in heads.reasons.items() if count},
            heads.overdue,
        )

    def handling_time(self) -> float | None:
        """The average of all agents on the floor."""
        seats = [seat for login, seat in self._seats.items() if seat.handled and login in self._people]
        seconds = fsum(seat.handled_seconds for seat in seats)  # the same in whichever order they sit
        return kpi.average_handling_time(seconds, sum(seat.handled for seat in seats))

    # Several times a second the heads are shown, of hundreds of agents of whom one has moved: only that one is counted.

    def _count_all(self) -> None:
        self._heads = _Heads()
        self._ready.clear()
        self._signed_in.clear()
        for login in self._people:
            self._count(login, 1)

    def _count(self, login: AgentId, by: int) -> None:
        """Count an agent as they stand, or with -1 no longer so."""
        if login not in self._people:
            return
        seat, heads = self._seat(login), self._heads
        heads.states[seat.state] += by
        heads.overdue += by * seat.overdue
        if seat.state is AgentState.NOT_READY and seat.reason is not None:
            heads.reasons[seat.reason] += by
        for queue in self.queues_of(login):
            if seat.state is AgentState.READY:
                self._ready[queue] += by
            if seat.state is not AgentState.LOGGED_OUT:
                self._signed_in[queue] += by
