"""What the wallboard shows: today's figures per queue and what every agent is doing, folded from the facts.

A call belongs to the day on which it came to its queue, by the site's clock: one that waits across midnight is shown as
waiting but counts in neither the new day's figures nor, any more, on the board.

A queue counts everybody who came to it, at its door or from another queue; the desk as a whole counts a call once,
where it came first, with its whole wait. For a queue, offered always equals answered + abandoned + refused + voicemail
+ to_callback + redirected + served_by_menu + lost + moved + those still open; for the desk the same without moved.
Calls that we make (call-backs) are no offered calls and stand in figures of their own.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from datetime import time as wall_time

from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Direction,
    Emergency,
    Fact,
    FloorTakenUp,
    OfferEnded,
    Outcome,
    ReasonLimitPassed,
    Recorded,
    StateRepaired,
    WaitAnnounced,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Floor, Queue, Way
from changgu.wallboard.callbacks import Callbacks, OpenPromise
from changgu.wallboard.counts import Counts
from changgu.wallboard.rows import AgentRow, Alert, EmergencyRow, QueueRow, Snapshot, Totals
from changgu.wallboard.seats import AgentStanding, Seats
from changgu.wallboard.times import iso
from changgu.wallboard.undecided import Undecided

DESK = QueueName("")
"""Stands for all queues together where callers are counted once."""

ALERTS_KEPT = 10

DESK_FULL = "desk_full"
"""The reason with which callers are refused while the desk has as many as it may have."""

ALERT_EVERY = 30.0
"""Seconds; the refusals of a storm are one alert, told again while it lasts."""


@dataclass(slots=True)
class _Call:
    direction: Direction = Direction.INBOUND
    queue: QueueName | None = None
    """The queue it came to last."""
    at_door: bool = False
    """It has not been let in there."""
    at_desks_door: bool = False
    """It has not been let in anywhere."""
    came_at: Instant = 0.0
    """When it came to that queue."""
    first_came_at: Instant | None = None
    """When it came to its first queue's door."""
    waits_since: Instant | None = None
    """From when its whole wait is counted: when it came to the first queue that let it in."""
    left_at: Instant | None = None
    """When it was led another way; None while it waits."""
    counted: bool = False
    """Whether this visit to the queue stands in today's figures."""
    counted_by_desk: bool = False
    connected: bool = False
    promised: bool = False
    promise: tuple[Instant, QueueName] | None = None
    """What they were first told today, until it is known whether it was kept: the latest moment, and where."""
    expected_wait: float | None = None
    """From coming to the queue to when they were last told to be answered."""

    @property
    def waits(self) -> bool:
        """Whether the caller hears the queue's music, or is being connected."""
        return self.queue is not None and self.left_at is None and not self.connected


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
        promises: Iterable[OpenPromise] = (),
    ) -> None:
        """Rebuild the board.

        Args:
            floor: queues and agents to show.
            zone: whose midnight ends the day.
            now: the present.
            recorded: the ledger in order, from the start of today or earlier: earlier facts are folded into the days
                they belong to and leave only what still stands.
            standing: what the engine knows of agents, for those who have not moved within `recorded`.
            promises: the call-backs that the engine knows to be open, for those promised before `recorded`.
        """
        self._zone = zone
        self._queues: dict[QueueName, Queue] = {}
        self._counts: dict[QueueName, Counts] = {}
        self._desk = Counts()
        self._waiting: dict[QueueName, dict[CallId, _Call]] = {}
        self._diverted: dict[QueueName, set[CallId]] = {}
        self._ringing: dict[CallId, set[OfferId]] = {}
        self._undecided = Undecided()
        self._undecided_at_desk = Undecided()
        self._calls: dict[CallId, _Call] = {}
        self._callbacks = Callbacks(promises)
        self._seats = Seats()
        self._alerts: deque[Alert] = deque(maxlen=ALERTS_KEPT)
        self._full_told_at: Instant = -ALERT_EVERY
        self._emergency: Emergency | None = None
        self._repaired = 0
        self._in_menu = 0
        self._in_call = 0
        self._abandoned_in_menu = 0
        self._lost_in_menu = 0
        self._self_served = 0
        self._changes = Changes()
        self._day_start: Instant = 0.0
        self._day_end: Instant = 0.0
        self.configure(floor)
        for one in recorded:
            self.fold(one)
        self._seats.take_over(standing or {}, self._queue_of)
        self.turn_to(now)
        self._changes = Changes()

    def configure(self, floor: Floor) -> None:
        """Show this floor from now on; figures of a queue that was removed stay in today's totals."""
        self._changes.queues |= set(self._queues)
        self._changes.agents |= set(self._seats.people)
        self._queues = {queue.name: queue for queue in floor.queues}
        self._seats.configure(floor)
        self._changes.queues |= set(self._queues)
        self._changes.agents |= set(self._seats.people)
        self._changes.totals = True
        self._undecided.clear()  # a queue's target may be another now
        self._undecided_at_desk.clear()
        for waiting in self._waiting.values():
            for name, call in waiting.items():
                self._start_the_clock(name, call)

    def fold(self, recorded: Recorded) -> None:
        """Take in one fact."""
        at, fact = recorded.at, recorded.fact
        self.turn_to(at)
        if isinstance(fact, AgentStateChanged):  # the most frequent
            self._move(fact, at)
            return
        match fact:
            case CallStarted():
                self._calls[fact.call] = _Call(fact.direction)
                if fact.direction is Direction.INBOUND:
                    self._in_menu += 1
                    self._changes.totals = True
            case CallQueued():
                self._queue(fact, at)
            case CallOverflowed():
                self._overflow(fact, at)
            case WaitAnnounced():
                self._promise(fact, at)
            case CallOffered():
                self._ring(fact)
            case OfferEnded():
                self._stop_ringing(fact)
            case CallConnected():
                self._connect(fact, at)
            case CallEnded():
                self._end(fact, at)
            case StateRepaired():
                self._repaired += 1
                self._alert(at, "repaired", fact.what, fact.agent, fact.call)
            case FloorTakenUp():
                self._emergency = fact.emergency
                self._changes.totals = True
            case ReasonLimitPassed():
                self._alert(at, "reason_limit", fact.reason.value, fact.agent)
            case _:
                pass
        if isinstance(fact, Callbacks.HEARS):
            queue = self._callbacks.fold(fact, at)
            if queue is not None:
                self._touch_queue(queue)
        if isinstance(fact, Seats.HEARS):
            self._move(fact, at)

    def _move(self, fact: Fact, at: Instant) -> None:
        login = self._seats.fold(fact, at, self._day_start, self._queue_of)
        if login is not None:
            self._touch(login)

    def turn_to(self, now: Instant) -> bool:
        """Take in that time has passed: a target missed, a new day; True when that changed a figure."""
        late = self._undecided.turn_to(now)
        for name in late:
            self._touch_queue(name)
        if self._undecided_at_desk.turn_to(now):
            late.add(DESK)
            self._changes.totals = True
        if now < self._day_end:
            return bool(late)
        began = self._day_end > 0
        today = datetime.fromtimestamp(now, self._zone).date()
        self._day_start = datetime.combine(today, wall_time(), self._zone).timestamp()
        self._day_end = datetime.combine(today + timedelta(days=1), wall_time(), self._zone).timestamp()
        self._changes.queues |= {*self._shown_queues()}
        self._changes.totals = True
        self._counts.clear()
        self._desk = Counts()
        self._undecided.clear()
        self._undecided_at_desk.clear()
        self._callbacks.new_day()
        self._changes.agents |= self._seats.new_day()
        self._alerts.clear()
        self._full_told_at = -ALERT_EVERY
        self._repaired = 0
        self._abandoned_in_menu = self._lost_in_menu = self._self_served = 0
        for call in self._calls.values():
            call.counted = call.counted_by_desk = False
            call.promise = None
        return began

    @property
    def day_end(self) -> Instant:
        """When the present day ends."""
        return self._day_end

    @property
    def next_turn(self) -> Instant:
        """After which moment a figure changes though nothing happens."""
        late = [one for one in (self._undecided.next, self._undecided_at_desk.next) if one is not None]
        return min([self._day_end, *late])

    def take_changes(self) -> Changes:
        """What has changed since the last time this was asked."""
        changes, self._changes = self._changes, Changes()
        return changes

    # calls

    def _queue(self, fact: CallQueued, at: Instant) -> None:
        call = self._calls.setdefault(fact.call, _Call())
        if call.direction is Direction.OUTBOUND:
            call.queue = fact.queue
            return
        came_at = at if fact.entered_at is None else min(at, fact.entered_at)
        if call.queue != fact.queue or call.connected:
            self._come(fact.call, call, fact.queue, came_at)
        elif call.waits:
            return
        self._let_in(call)
        call.left_at = None
        call.waits_since = call.came_at if call.waits_since is None else call.waits_since
        self._diverted.get(fact.queue, set()).discard(fact.call)
        self._waiting.setdefault(fact.queue, {})[fact.call] = call
        self._start_the_clock(fact.call, call)
        self._touch_queue(fact.queue)

    def _come(self, name: CallId, call: _Call, queue: QueueName, at: Instant) -> None:
        """The call comes to a queue's door, from the menu, another queue or a conversation."""
        if call.connected:
            self._in_call -= 1
        elif call.queue is None:
            self._in_menu = max(0, self._in_menu - 1)
        else:
            self._leave(name, call)
            if call.counted:
                self._count(call.queue).moved += 1
        call.queue, call.came_at, call.left_at, call.connected = queue, at, None, False
        call.expected_wait = None
        call.counted = call.at_door = at >= self._day_start
        if call.counted:
            self._count(queue).turned_away += 1
        if call.first_came_at is None:
            call.first_came_at = at
            call.counted_by_desk = call.at_desks_door = call.counted
            self._desk.turned_away += call.counted

    def _let_in(self, call: _Call) -> None:
        if call.at_door and call.counted and call.queue is not None:
            self._count(call.queue).turned_away -= 1
            self._count(call.queue).queued += 1
        if call.at_desks_door and call.counted_by_desk:
            self._desk.turned_away -= 1
            self._desk.queued += 1
        call.at_door = call.at_desks_door = False

    def _overflow(self, fact: CallOverflowed, at: Instant) -> None:
        call = self._calls.setdefault(fact.call, _Call())
        if call.direction is Direction.OUTBOUND:
            return
        for counts in (self._count(fact.queue), self._desk):
            counts.overflowed[fact.why.value] += 1
        self._touch_queue(fact.queue)
        if fact.to.partition(":")[0] == Way.OPEN or call.connected:
            return
        if call.queue != fact.queue:
            self._come(fact.call, call, fact.queue, at)
        self._leave(fact.call, call)
        call.left_at = at
        self._diverted.setdefault(fact.queue, set()).add(fact.call)

    def _promise(self, fact: WaitAnnounced, at: Instant) -> None:
        call = self._calls.get(fact.call)
        if call is None or call.queue is None or fact.promise is None or not call.waits:
            return
        until = at + fact.promise
        call.expected_wait = until - call.came_at
        self._touch_queue(call.queue)
        if not call.promised:
            call.promised, call.promise = True, (until, call.queue)

    def _settle(self, call: _Call, at: Instant, *, answered: bool) -> None:
        """It is known now whether a promise was kept; who left before its time was over is in neither number."""
        if call.promise is None:
            return
        (until, queue), call.promise = call.promise, None
        if answered or at >= until:
            for counts in (self._count(queue), self._desk):
                counts.settle(answered and at <= until)
            self._touch_queue(queue)

    def _ring(self, fact: CallOffered) -> None:
        self._ringing.setdefault(fact.call, set()).add(fact.offer)
        self._touch_queue(fact.queue)

    def _stop_ringing(self, fact: OfferEnded) -> None:
        offers = self._ringing.get(fact.call, set())
        offers.discard(fact.offer)
        if not offers:
            self._ringing.pop(fact.call, None)
        queue = self._queue_of(fact.call)
        if queue is not None:
            self._touch_queue(queue)

    def _connect(self, fact: CallConnected, at: Instant) -> None:
        call = self._calls.get(fact.call)
        if call is None or call.connected:
            return
        self._leave(fact.call, call)
        call.connected = True
        self._in_call += 1
        self._changes.totals = True
        if call.queue is not None and call.direction is Direction.INBOUND:
            self._answer(call, at)

    def _answer(self, call: _Call, at: Instant) -> None:
        assert call.queue is not None
        target = self._limits(call.queue)[0]
        if call.counted:
            self._count(call.queue).answer(at - call.came_at, target)
        if call.counted_by_desk:
            self._desk.answer(0.0 if call.waits_since is None else at - call.waits_since, target)
            call.counted_by_desk = False  # it has its outcome, wherever it goes from here
        self._settle(call, at, answered=True)

    def _end(self, fact: CallEnded, at: Instant) -> None:
        call = self._calls.pop(fact.call, None)
        self._ringing.pop(fact.call, None)
        if call is None:
            return
        self._changes.totals = True
        if call.connected:
            self._in_call -= 1
        elif call.direction is Direction.OUTBOUND:
            return
        elif call.queue is None:
            self._end_unqueued(fact, at)
        else:
            self._leave(fact.call, call)
            self._end_of_visit(call, fact, at)

    def _end_of_visit(self, call: _Call, fact: CallEnded, at: Instant) -> None:
        assert call.queue is not None
        if fact.outcome is Outcome.ANSWERED:
            self._answer(call, at)
            return
        waited_until = at if call.left_at is None else call.left_at
        self._settle(call, waited_until, answered=False)
        short = self._limits(call.queue)[1]
        if call.counted:
            queue = self._count(call.queue)
            queue.close(fact.outcome, fact.reason, waited_until - call.came_at, at - call.came_at, short)
        if call.counted_by_desk:
            waited = 0.0 if call.waits_since is None else waited_until - call.waits_since
            stayed = 0.0 if call.first_came_at is None else at - call.first_came_at
            self._desk.close(fact.outcome, fact.reason, waited, stayed, short)

    def _end_unqueued(self, fact: CallEnded, at: Instant) -> None:
        self._in_menu = max(0, self._in_menu - 1)
        match fact.outcome:
            case Outcome.ABANDONED_IN_MENU:
                self._abandoned_in_menu += 1
            case Outcome.SELF_SERVED:
                self._self_served += 1
            case Outcome.REFUSED | Outcome.VOICEMAIL | Outcome.CALLBACK | Outcome.REDIRECTED:
                if fact.reason == DESK_FULL:
                    self._tell_of_refusals(at)
                self._desk.turned_away += 1
                self._desk.close(fact.outcome, fact.reason, 0.0, 0.0, 0.0)
            case _:
                self._lost_in_menu += 1

    def _leave(self, name: CallId, call: _Call) -> None:
        """It waits no more, and is on no other way."""
        self._ringing.pop(name, None)
        if call.queue is not None:
            self._waiting.get(call.queue, {}).pop(name, None)
            self._diverted.get(call.queue, set()).discard(name)
            self._undecided.leave(name, call.queue)
            self._undecided_at_desk.leave(name, DESK)
            self._touch_queue(call.queue)

    def _start_the_clock(self, name: CallId, call: _Call) -> None:
        """From now on it can still be answered in time."""
        if call.queue is None:
            return
        target = self._limits(call.queue)[0]
        if call.counted:
            self._undecided.enter(name, call.queue, call.came_at + target)
        if call.counted_by_desk and call.waits_since is not None:
            self._undecided_at_desk.enter(name, DESK, call.waits_since + target)

    def _count(self, name: QueueName) -> Counts:
        return self._counts.setdefault(name, Counts())

    def _limits(self, name: QueueName) -> tuple[float, float]:
        queue = self._queues.get(name) or Queue(name, str(name))
        return queue.service_level.total_seconds(), queue.short_abandon.total_seconds()

    def _queue_of(self, call: CallId) -> QueueName | None:
        known = self._calls.get(call)
        return known.queue if known else None

    def _touch_queue(self, name: QueueName) -> None:
        self._changes.queues.add(name)
        self._changes.totals = True

    def _touch(self, login: AgentId) -> None:
        self._changes.agents.add(login)
        self._changes.queues |= self._seats.queues_of(login)
        self._changes.totals = True

    def _alert(self, at: Instant, kind: str, what: str, agent: AgentId | None, call: CallId | None = None) -> None:
        self._alerts.appendleft({"at": iso(at), "kind": kind, "what": what, "agent": agent, "call": call})
        self._changes.totals = True

    def _tell_of_refusals(self, at: Instant) -> None:
        if at >= self._full_told_at + ALERT_EVERY:
            self._full_told_at = at
            others = [alert for alert in self._alerts if alert["kind"] != DESK_FULL]
            self._alerts = deque(others, maxlen=ALERTS_KEPT)
            self._alert(at, DESK_FULL, "", None)

    # what is shown

    def snapshot(self) -> Snapshot:
        """Everything, as it stands."""
        rows = ((login, self._seats.row(login)) for login in self._seats.people)
        return {
            "queues": {name: self._queue_row(name) for name in self._shown_queues()},
            "agents": {login: row for login, row in rows if row is not None},
            "totals": self.totals(),
        }

    def queue_row(self, name: str) -> QueueRow | None:
        """One queue, or None when the board shows it no more."""
        return self._queue_row(QueueName(name)) if QueueName(name) in self._shown_queues() else None

    def agent_row(self, login: str) -> AgentRow | None:
        """One agent, or None when the board shows them no more."""
        return self._seats.row(AgentId(login))

    def _shown_queues(self) -> dict[QueueName, None]:
        kept = [name for name, waiting in self._waiting.items() if waiting]
        kept += [name for name, diverted in self._diverted.items() if diverted]
        return dict.fromkeys([*self._queues, *self._counts, *kept, *sorted(self._callbacks.queues)])

    def _queue_row(self, name: QueueName) -> QueueRow:
        counts = self._counts.get(name) or Counts()
        waiting = self._waiting.get(name, {})
        queue = self._queues.get(name)
        ready, signed_in = self._seats.serving(name)
        return {
            **counts.figures(self._undecided.count(name)),
            **self._callbacks.figures(name),
            "title": queue.title if queue else str(name),
            "waiting": len(waiting),
            "ringing": sum(1 for call in waiting if call in self._ringing),
            "longest_wait_since": iso(min((call.came_at for call in waiting.values()), default=None)),
            "longest_expected_wait": _longest(waiting.values()),
            "diverted": len(self._diverted.get(name, ())),
            "moved": counts.moved,
            "service_level_seconds": self._limits(name)[0],
            "agents_ready": ready,
            "agents_signed_in": signed_in,
        }

    def totals(self) -> Totals:
        """The whole desk."""
        states, reasons, overdue = self._seats.heads()
        waiting = [call for calls in self._waiting.values() for call in calls.values()]
        people = sum(states.values())
        return {
            **self._desk.figures(self._undecided_at_desk.total),
            **self._callbacks.figures(),
            "day": datetime.fromtimestamp(self._day_start, self._zone).date().isoformat(),
            "agents": people,
            "signed_in": people - states["logged_out"],
            "states": states,
            "reasons": reasons,
            "waiting": len(waiting),
            "longest_wait_since": iso(min((call.came_at for call in waiting), default=None)),
            "longest_expected_wait": _longest(waiting),
            "diverted": sum(map(len, self._diverted.values())),
            "in_menu": self._in_menu,
            "in_call": self._in_call,
            "abandoned_in_menu": self._abandoned_in_menu,
            "lost_in_menu": self._lost_in_menu,
            "self_served": self._self_served,
            "aht": self._seats.handling_time(),
            "overdue": overdue,
            "repaired": self._repaired,
            "emergency": _emergency_row(self._emergency),
            "alerts": list(self._alerts),
        }


def _longest(waiting: Iterable[_Call]) -> float | None:
    """The longest wait that somebody who waits now was told of."""
    return max((call.expected_wait for call in waiting if call.expected_wait is not None), default=None)


def _emergency_row(emergency: Emergency | None) -> EmergencyRow | None:
    if emergency is None:
        return None
    return {
        "plan": emergency.plan, "title": emergency.title, "by": emergency.by, "why": emergency.why,
        "since": iso(emergency.since), "until": iso(emergency.until),
    }  # fmt: skip
