"""What the wallboard shows: today's figures per queue and what every agent is doing, folded from the facts.

A call belongs to the day on which it joined its queue, by the site's clock: one that waits across midnight is shown as
waiting but counts in neither the new day's figures nor, any more, on the board. Offered always equals answered +
abandoned + refused + lost + moved + open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as wall_time
from typing import Protocol

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    Direction,
    NextStateRequested,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Floor, Queue
from changgu.wallboard import kpi
from changgu.wallboard.rows import AgentRow, QueueRow, Snapshot, Totals
from changgu.wallboard.undecided import Undecided

HANDLING = frozenset({AgentState.TALKING, AgentState.HOLD, AgentState.WRAP_UP})
RESTING = frozenset({AgentState.READY, AgentState.NOT_READY, AgentState.UNREACHABLE, AgentState.LOGGED_OUT})
"""States in which no wish for a next state is left open."""


class AgentStanding(Protocol):
    """What the ACD's engine knows of an agent; `acd.engine.AgentView` is one."""

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
class _Counts:
    """One queue's day, as components from which every rate can be derived again."""

    queued: int = 0
    turned_away: int = 0
    """Refused before they had a queue."""
    refused: int = 0
    """Turned away ones among them."""
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    lost: int = 0
    moved: int = 0
    waited: float = 0.0
    longest_waited: float | None = None

    def add(self, other: "_Counts") -> None:
        self.queued += other.queued
        self.turned_away += other.turned_away
        self.refused += other.refused
        self.answered += other.answered
        self.answered_in_time += other.answered_in_time
        self.abandoned += other.abandoned
        self.short_abandoned += other.short_abandoned
        self.lost += other.lost
        self.moved += other.moved
        self.waited += other.waited

    @property
    def offered(self) -> int:
        return kpi.offered(self.queued, self.turned_away)


@dataclass(slots=True)
class _Agent:
    state: AgentState = AgentState.LOGGED_OUT
    reason: NotReadyReason | None = None
    since: Instant | None = None
    call: CallId | None = None
    call_queue: QueueName | None = None
    wish: tuple[AgentState, NotReadyReason | None] | None = None
    phone: bool | None = None
    handled: int = 0
    handled_seconds: float = 0.0
    contact_seconds: float = 0.0
    """Of the contact in hand, spent in states already left."""


@dataclass(slots=True)
class _Call:
    direction: Direction = Direction.INBOUND
    queue: QueueName | None = None
    queued_at: Instant = 0.0
    counted: bool = False
    """Whether this visit to the queue stands in today's figures."""
    connected: bool = False


@dataclass(slots=True)
class Changes:
    """What has changed since somebody last asked."""

    queues: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    totals: bool = False

    def __bool__(self) -> bool:
        return bool(self.queues or self.agents or self.totals)


class Board:
    """The fold. Not thread-safe, never waits, and needs no more memory than the floor and the open calls."""

    def __init__(
        self,
        floor: Floor,
        zone: tzinfo,
        now: Instant,
        recorded: Iterable[Recorded] = (),
        standing: Mapping[AgentId, AgentStanding] | None = None,
    ) -> None:
        """Rebuild the board.

        Args:
            floor: queues and agents to show.
            zone: whose midnight ends the day.
            now: the present.
            recorded: the ledger in order, from the start of today or earlier: earlier facts are folded into the days
                they belong to and leave only what still stands.
            standing: what the engine knows of agents, for those who have not moved within `recorded`.
        """
        self._zone = zone
        self._queues: dict[QueueName, Queue] = {}
        self._people: dict[AgentId, tuple[str, frozenset[QueueName]]] = {}
        self._counts: dict[QueueName, _Counts] = {}
        self._waiting: dict[QueueName, dict[CallId, Instant]] = {}
        self._ringing: dict[CallId, QueueName] = {}
        self._undecided = Undecided()
        self._calls: dict[CallId, _Call] = {}
        self._agents: dict[AgentId, _Agent] = {}
        self._in_menu = 0
        self._in_call = 0
        self._abandoned_in_menu = 0
        self._lost_in_menu = 0
        self._self_served = 0
        self._unrouted = _Counts()
        """Calls refused before they had a queue."""
        self._changes = Changes()
        self._day_start: Instant = 0.0
        self._day_end: Instant = 0.0
        self.configure(floor)
        for one in recorded:
            self.fold(one)
        for login, view in (standing or {}).items():
            self._seat(login, view)
        self.turn_to(now)
        self._changes = Changes()

    def configure(self, floor: Floor) -> None:
        """Show this floor from now on; figures of a queue that was removed stay in today's totals."""
        self._changes.queues |= set(self._queues)
        self._changes.agents |= set(self._people)
        self._queues = {queue.name: queue for queue in floor.queues}
        self._people = {agent.login: (agent.name, agent.queues) for agent in floor.agents}
        self._changes.queues |= set(self._queues)
        self._changes.agents |= set(self._people)
        self._changes.totals = True
        self._undecided.clear()  # a queue's target may be another now
        for name, waiting in self._waiting.items():
            for call, queued_at in waiting.items():
                if self._calls[call].counted:
                    self._undecided.enter(call, name, queued_at + self._limits(name)[0])

    def fold(self, recorded: Recorded) -> None:
        """Take in one fact."""
        at, fact = recorded.at, recorded.fact
        self.turn_to(at)
        match fact:
            case CallStarted():
                self._calls[fact.call] = _Call(fact.direction)
                if fact.direction is Direction.INBOUND:
                    self._in_menu += 1
                    self._changes.totals = True
            case CallQueued():
                self._queue(fact, at)
            case CallOffered():
                self._ring(fact.call, fact.queue)
            case OfferEnded():
                self._stop_ringing(fact.call)
            case CallConnected():
                self._connect(fact, at)
            case CallEnded():
                self._end(fact, at)
            case CallServedElsewhere():
                self._served_elsewhere(fact)
            case AgentStateChanged():
                self._move(fact, at)
            case NextStateRequested():
                self._agent(fact.agent).wish = (fact.state, fact.reason)
                self._touch(fact.agent)
            case PhoneStateChanged():
                self._agent(fact.agent).phone = fact.reachable
                self._touch(fact.agent)
            case _:
                pass

    def turn_to(self, now: Instant) -> bool:
        """Take in that time has passed: a target missed, a new day; True when that changed a figure."""
        late = self._undecided.turn_to(now)
        for name in late:
            self._touch_queue(name)
        if now < self._day_end:
            return bool(late)
        began = self._day_end > 0
        today = datetime.fromtimestamp(now, self._zone).date()
        self._day_start = datetime.combine(today, wall_time(), self._zone).timestamp()
        self._day_end = datetime.combine(today + timedelta(days=1), wall_time(), self._zone).timestamp()
        self._changes.queues |= {*self._counts, *self._queues}
        self._changes.agents |= set(self._agents)
        self._changes.totals = True
        self._counts.clear()
        self._undecided.clear()
        self._unrouted = _Counts()
        self._abandoned_in_menu = self._lost_in_menu = self._self_served = 0
        for call in self._calls.values():
            call.counted = False
        for agent in self._agents.values():
            agent.handled, agent.handled_seconds, agent.contact_seconds = 0, 0.0, 0.0
        return began

    @property
    def day_end(self) -> Instant:
        """When the present day ends."""
        return self._day_end

    @property
    def next_turn(self) -> Instant:
        """After which moment a figure changes though nothing happens."""
        return min(self._day_end, self._undecided.next or self._day_end)

    def take_changes(self) -> Changes:
        """What has changed since the last time this was asked."""
        changes, self._changes = self._changes, Changes()
        return changes

    # calls

    def _queue(self, fact: CallQueued, at: Instant) -> None:
        call = self._calls.setdefault(fact.call, _Call())
        if call.queue == fact.queue and not call.connected:
            return
        if call.queue is None and call.direction is Direction.INBOUND:
            self._in_menu = max(0, self._in_menu - 1)
        elif call.queue is not None and not call.connected:
            self._leave(fact.call, call)
            if call.counted:
                self._count(call.queue).moved += 1
        if call.connected:
            self._in_call -= 1
        call.queue, call.queued_at, call.counted, call.connected = fact.queue, at, True, False
        self._count(fact.queue).queued += 1
        self._waiting.setdefault(fact.queue, {})[fact.call] = at
        self._undecided.enter(fact.call, fact.queue, at + self._limits(fact.queue)[0])
        self._touch_queue(fact.queue)

    def _ring(self, call: CallId, queue: QueueName) -> None:
        self._ringing[call] = queue
        self._touch_queue(queue)

    def _stop_ringing(self, call: CallId) -> None:
        queue = self._ringing.pop(call, None)
        if queue is not None:
            self._touch_queue(queue)

    def _connect(self, fact: CallConnected, at: Instant) -> None:
        call = self._calls.get(fact.call)
        if call is None or call.connected:
            return
        call.connected = True
        self._in_call += 1
        self._changes.totals = True
        if call.queue is None:
            return
        self._leave(fact.call, call)
        if call.counted:
            self._answer(call.queue, at - call.queued_at)

    def _answer(self, name: QueueName, waited: float) -> None:
        counts = self._count(name)
        counts.answered += 1
        counts.waited += waited
        counts.longest_waited = max(waited, counts.longest_waited or 0.0)
        if kpi.in_time(waited, self._limits(name)[0]):
            counts.answered_in_time += 1

    def _end(self, fact: CallEnded, at: Instant) -> None:
        call = self._calls.pop(fact.call, None)
        if call is None:
            return
        self._changes.totals = True
        if call.connected:
            self._in_call -= 1
            return
        if call.queue is None:
            self._end_unqueued(call, fact.outcome)
            return
        self._leave(fact.call, call)
        if not call.counted:
            return
        self._count_end(call.queue, fact.outcome, at - call.queued_at)

    def _count_end(self, name: QueueName, outcome: Outcome, waited: float) -> None:
        counts = self._count(name)
        match outcome:
            case Outcome.ANSWERED:
                self._answer(name, waited)
            case Outcome.ABANDONED_IN_QUEUE | Outcome.ABANDONED_RINGING | Outcome.ABANDONED_IN_MENU:
                counts.abandoned += 1
                counts.longest_waited = max(waited, counts.longest_waited or 0.0)
                if kpi.is_short_abandon(waited, self._limits(name)[1]):
                    counts.short_abandoned += 1
            case Outcome.REFUSED | Outcome.SELF_SERVED:
                counts.refused += 1
            case Outcome.LOST:
                counts.lost += 1

    def _end_unqueued(self, call: _Call, outcome: Outcome) -> None:
        if call.direction is not Direction.INBOUND:
            return
        self._in_menu = max(0, self._in_menu - 1)
        match outcome:
            case Outcome.ABANDONED_IN_MENU:
                self._abandoned_in_menu += 1
            case Outcome.SELF_SERVED:
                self._self_served += 1
            case Outcome.REFUSED:
                self._unrouted.turned_away += 1
                self._unrouted.refused += 1
            case Outcome.LOST | Outcome.ANSWERED | Outcome.ABANDONED_IN_QUEUE | Outcome.ABANDONED_RINGING:
                self._lost_in_menu += 1

    def _served_elsewhere(self, fact: CallServedElsewhere) -> None:
        """A call of the plain queues, told afterwards: it counts on the day on which it joined one."""
        joined = fact.arrived_at if fact.queued_at is None else fact.queued_at
        if not self._day_start <= joined < self._day_end:
            return
        if fact.queued_at is None:
            self._abandoned_in_menu += 1
            self._changes.totals = True
            return
        self._count(fact.queue).queued += 1
        until = fact.ended_at if fact.answered_at is None else fact.answered_at
        if fact.answered_at is not None:
            self._answer(fact.queue, until - joined)
        else:
            self._count_end(fact.queue, fact.outcome, until - joined)
        self._touch_queue(fact.queue)

    def _leave(self, name: CallId, call: _Call) -> None:
        self._ringing.pop(name, None)
        if call.queue is not None:
            self._waiting.get(call.queue, {}).pop(name, None)
            self._undecided.leave(name, call.queue)
            self._touch_queue(call.queue)

    def _count(self, name: QueueName) -> _Counts:
        return self._counts.setdefault(name, _Counts())

    def _limits(self, name: QueueName) -> tuple[float, float]:
        queue = self._queues.get(name) or Queue(name, str(name))
        return queue.service_level.total_seconds(), queue.short_abandon.total_seconds()

    def _touch_queue(self, name: QueueName) -> None:
        self._changes.queues.add(name)
        self._changes.totals = True

    # agents

    def _agent(self, login: AgentId) -> _Agent:
        return self._agents.setdefault(login, _Agent())

    def _seat(self, login: AgentId, view: AgentStanding) -> None:
        agent = self._agent(login)
        agent.state, agent.reason = view.state, view.reason
        agent.since = view.since or None  # the engine's 0 stands for "has never moved"
        agent.wish, agent.phone = view.requested, view.phone_reachable
        self._hand(agent, view.call)

    def _hand(self, agent: _Agent, call: CallId | None) -> None:
        if call != agent.call:
            known = self._calls.get(call) if call else None
            agent.call, agent.call_queue = call, known.queue if known else None

    def _move(self, fact: AgentStateChanged, at: Instant) -> None:
        agent = self._agent(fact.agent)
        if agent.state in HANDLING and agent.since is not None:
            agent.contact_seconds += max(0.0, at - max(agent.since, self._day_start))
            if fact.after not in HANDLING:
                agent.handled += 1
                agent.handled_seconds += agent.contact_seconds
                agent.contact_seconds = 0.0
        agent.state, agent.reason, agent.since = fact.after, fact.reason, at
        self._hand(agent, fact.call if fact.after not in RESTING else None)
        if fact.after in RESTING:
            agent.wish = None
        self._touch(fact.agent)

    def _touch(self, login: AgentId) -> None:
        self._changes.agents.add(login)
        self._changes.queues |= self._people.get(login, ("", frozenset()))[1]
        self._changes.totals = True

    # what is shown

    def snapshot(self) -> Snapshot:
        """Everything, as it stands."""
        return {
            "queues": {name: self._queue_row(name) for name in self._shown_queues()},
            "agents": {login: self._agent_row(login) for login in self._people},
            "totals": self.totals(),
        }

    def queue_row(self, name: str) -> QueueRow | None:
        """One queue, or None when the board shows it no more."""
        return self._queue_row(QueueName(name)) if QueueName(name) in self._shown_queues() else None

    def agent_row(self, login: str) -> AgentRow | None:
        """One agent, or None when the board shows them no more."""
        return self._agent_row(AgentId(login)) if AgentId(login) in self._people else None

    def _shown_queues(self) -> dict[QueueName, None]:
        kept = [name for name, waiting in self._waiting.items() if waiting]
        return dict.fromkeys([*self._queues, *self._counts, *kept])

    def _queue_row(self, name: QueueName) -> QueueRow:
        counts = self._counts.get(name) or _Counts()
        waiting = self._waiting.get(name, {})
        queue = self._queues.get(name)
        serving = [self._agents.get(login) for login, (_, queues) in self._people.items() if name in queues]
        states = [agent.state for agent in serving if agent is not None]
        return {
            "title": queue.title if queue else str(name),
            "waiting": len(waiting),
            "ringing": sum(1 for call in waiting if call in self._ringing),
            "longest_wait_since": iso(next(iter(waiting.values()), None)),
            "offered": counts.offered,
            "answered": counts.answered,
            "abandoned": counts.abandoned,
            "short_abandoned": counts.short_abandoned,
            "refused": counts.refused,
            "lost": counts.lost,
            "moved": counts.moved,
            "abandonment_rate": kpi.abandonment_rate(counts.abandoned, counts.short_abandoned, counts.offered),
            "answer_rate": kpi.answer_rate(counts.answered, counts.offered),
            "service_level": kpi.service_level(
                counts.answered_in_time, counts.offered, counts.short_abandoned, self._undecided.count(name)
            ),
            "service_level_seconds": self._limits(name)[0],
            "asa": kpi.average_speed_of_answer(counts.waited, counts.answered),
            "longest_waited": counts.longest_waited,
            "agents_ready": sum(1 for state in states if state is AgentState.READY),
            "agents_signed_in": sum(1 for state in states if state is not AgentState.LOGGED_OUT),
        }

    def _agent_row(self, login: AgentId) -> AgentRow:
        name, queues = self._people[login]
        agent = self._agents.get(login) or _Agent()
        wish_state, wish_reason = agent.wish or (None, None)
        return {
            "name": name,
            "state": agent.state.value,
            "reason": agent.reason.value if agent.reason else None,
            "since": iso(agent.since),
            "next_state": wish_state.value if wish_state else None,
            "next_reason": wish_reason.value if wish_reason else None,
            "phone": agent.phone,
            "call": agent.call,
            "call_queue": agent.call_queue,
            "queues": sorted(queues),
            "handled": agent.handled,
            "aht": kpi.average_handling_time(agent.handled_seconds, agent.handled),
        }

    def totals(self) -> Totals:
        """The whole desk."""
        counts = _Counts()
        for part in (*self._counts.values(), self._unrouted):
            counts.add(part)
        seats = [self._agents.get(login) or _Agent() for login in self._people]
        states = {state.value: 0 for state in AgentState}
        reasons: dict[str, int] = {}
        for agent in seats:
            states[agent.state.value] += 1
            if agent.state is AgentState.NOT_READY and agent.reason is not None:
                reasons[agent.reason.value] = reasons.get(agent.reason.value, 0) + 1
        first = [next(iter(waiting.values())) for waiting in self._waiting.values() if waiting]
        return {
            "day": datetime.fromtimestamp(self._day_start, self._zone).date().isoformat(),
            "agents": len(seats),
            "signed_in": len(seats) - states[AgentState.LOGGED_OUT.value],
            "states": states,
            "reasons": reasons,
            "waiting": sum(map(len, self._waiting.values())),
            "longest_wait_since": iso(min(first, default=None)),
            "in_menu": self._in_menu,
            "in_call": self._in_call,
            "offered": counts.offered,
            "answered": counts.answered,
            "abandoned": counts.abandoned,
            "short_abandoned": counts.short_abandoned,
            "refused": counts.refused,
            "lost": counts.lost,
            "moved": counts.moved,
            "abandoned_in_menu": self._abandoned_in_menu,
            "lost_in_menu": self._lost_in_menu,
            "self_served": self._self_served,
            "abandonment_rate": kpi.abandonment_rate(counts.abandoned, counts.short_abandoned, counts.offered),
            "answer_rate": kpi.answer_rate(counts.answered, counts.offered),
            "service_level": kpi.service_level(
                counts.answered_in_time, counts.offered, counts.short_abandoned, self._undecided.total
            ),
            "asa": kpi.average_speed_of_answer(counts.waited, counts.answered),
            "aht": kpi.average_handling_time(
                sum(agent.handled_seconds for agent in seats), sum(agent.handled for agent in seats)
            ),
        }


def iso(instant: Instant | None) -> str | None:
    """An instant as the messages carry it: ISO-8601, UTC, milliseconds."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
