"""What is true on the floor now: the fold of the facts.

`FloorState.apply` is the only place where anything changes. Lines and deadlines are derived here too, so that a
state rebuilt from the ledger finds the next caller, the next agent and the next limit just as the lived one did.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TypeVar
from zoneinfo import ZoneInfo

from changgu.acd.agent_state import ON_A_CALL, RESTING, AgentState
from changgu.acd.call_state import CallState
from changgu.acd.callbacks import last_moment
from changgu.acd.events import CallerHungUp
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    CallWidened,
    DesktopStateChanged,
    Fact,
    FloorTakenUp,
    HoldEnded,
    HoldStarted,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    PhoneStateChanged,
    ReasonLimitPassed,
    WaitAnnounced,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, QueueName
from changgu.acd.lines import Lines
from changgu.acd.overflow import time_limits
from changgu.acd.queues import Agent, First, Floor, Queue, Rules, Way
from changgu.acd.records import AgentRecord, CallbackRecord, CallRecord, Timed
from changgu.acd.skills import levels

ENDED_CALLS_REMEMBERED = 4096
"""How many ended calls are known by name, so that late news cannot bring one back to life."""

ABANDONERS_REMEMBERED = 4096
"""How many numbers of callers who gave up are known, to serve them sooner when they call again."""

READY, RESERVED, WRAP_UP, LOGGED_OUT = AgentState.READY, AgentState.RESERVED, AgentState.WRAP_UP, AgentState.LOGGED_OUT
NOT_READY, UNREACHABLE = AgentState.NOT_READY, AgentState.UNREACHABLE

AWAY = frozenset({LOGGED_OUT, NOT_READY, UNREACHABLE})
"""Agents in these do not staff their queues; all others do, free or not."""

MISSES = frozenset({OfferEnd.NO_ANSWER, OfferEnd.FAILED, OfferEnd.AGENT_LEFT})
KEEPS_TURN = frozenset({OfferEnd.CALLER_LEFT, OfferEnd.ANSWERED_ELSEWHERE, OfferEnd.NOT_REACHED})
ABANDONED_QUEUE = frozenset({Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING})

K = TypeVar("K")
V = TypeVar("V")

NOT_LISTED: Agent = Agent(AgentId(""), "")


class FloorState:
    """Agents, calls, promises, lines and limits of one floor."""

    def __init__(self, floor: Floor, first_offer: int) -> None:
        self.agents: dict[AgentId, AgentRecord] = {}
        self.calls: dict[CallId, CallRecord] = {}
        self.callbacks: dict[CallbackId, CallbackRecord] = {}
        self.callback_of: dict[str, CallbackRecord] = {}
        """Open promises by number: one for each person."""
        self.ended: dict[CallId, None] = {}
        """The latest ended calls, oldest first."""
        self.abandoned: dict[str, Instant] = {}
        """When callers last gave up waiting, by number, oldest first."""
        self.last_offered: dict[QueueName, AgentId] = {}
        self.next_offer = first_offer
        self.digest = ""
        """Names the set-up that was taken up last."""
        self.fresh: dict[AgentId, AgentRecord] = {}
        """Became free, and not yet brought together with callers."""
        self.returned: dict[CallId, CallRecord] = {}
        """Came to wait, and not yet brought together with agents."""
        self._queued = 0
        self._stamps = 0
        self._deadlines: list[tuple[Instant, int, Timed]] = []
        self.set_up(floor)
        self._appliers: dict[type, Callable[..., None]] = {
            CallStarted: self._call_started,
            CallQueued: self._call_queued,
            CallWidened: self._call_widened,
            CallOverflowed: self._call_overflowed,
            WaitAnnounced: self._wait_announced,
            CallOffered: self._call_offered,
            OfferEnded: self._offer_ended,
            PersonAnswered: self._person_answered,
            CallAnswered: self._call_answered,
            CallConnected: self._call_connected,
            HoldStarted: self._hold,
            HoldEnded: self._hold,
            CallEnded: self._call_ended,
            AgentStateChanged: self._agent_state_changed,
            NextStateRequested: self._next_state_requested,
            WrapUpExtended: self._wrap_up_extended,
            ReasonLimitPassed: self._reason_limit_passed,
            PhoneStateChanged: self._phone_state_changed,
            DesktopStateChanged: self._desktop_state_changed,
            CallbackBooked: self._callback_booked,
            CallbackAttempted: self._callback_attempted,
            CallbackClosed: self._callback_closed,
            FloorTakenUp: self._floor_taken_up,
            NewsIgnored: self._news_ignored,
        }

    def set_up(self, floor: Floor) -> None:
        """Takes up a list of queues and agents; what is true about them stays true."""
        self.queues: dict[QueueName, Queue] = {queue.name: queue for queue in floor.queues}
        self.rules: Rules = floor.rules
        self.zone = ZoneInfo(floor.rules.zone)
        self._connect_limit = floor.rules.connect_limit.total_seconds()
        self._worth = floor.rules.priority_worth.total_seconds()
        listed = {agent.login for agent in floor.agents}
        for order, settings in enumerate(floor.agents):
            record = self.agents.get(settings.login)
            if record is None:
                record = self.agents[settings.login] = AgentRecord(settings.login, settings)
            record.settings, record.levels, record.order = settings, levels(settings.skills), order
            record.on_floor = True
        for login in [login for login in self.agents if login not in listed]:
            record = self.agents[login]
            record.settings, record.levels, record.order, record.on_floor = NOT_LISTED, {}, -1, False
            self._forget_if_gone(record)
        self.lines = Lines(self.queues, self.agents.values())
        self._steps = {name: self._steps_of(queue) for name, queue in self.queues.items()}
        self._timeless = {
            name
            for name, queue in self.queues.items()
            if not self._steps[name] and not queue.overflows and queue.announcements.first_after is None
        }
        for agent in self.agents.values():
            if agent.state is READY:
                self.fresh[agent.login] = agent
            self.set_agent_deadline(agent)
        for call in self.calls.values():
            call.line, call.in_line = None, False
            if call.queue is not None:
                call.key = self._key(call)
            if call.state is CallState.WAITING:
                self.lines.of(call).add_caller(call)
                self.returned[call.call] = call
            elif call.state is CallState.OFFERED:
                self.lines.of(call).caller_rings(call)
            self.set_call_deadline(call)
        for callback in self.callbacks.values():
            self._set_deadline(callback, None if callback.call is not None else callback.due_at)

    def _steps_of(self, queue: Queue) -> tuple[float, ...]:
        steps = {relaxation.after.total_seconds() for relaxation in queue.relaxations}
        for agent in self.lines.serving(queue.name):
            delay = agent.settings.seat(queue.name).delay.total_seconds()
            if delay > 0:
                steps.add(delay)
        return tuple(sorted(steps))

    # Looking things up

    def queue(self, name: QueueName | None) -> Queue:
        """A queue's settings; the defaults for one that is off the list."""
        queue = self.queues.get(name) if name is not None else None
        return queue if queue is not None else Queue(name or QueueName(""), "")

    def staffed(self, queue: QueueName) -> int:
        """How many agents serve a queue now, free or not."""
        return sum(agent.state not in AWAY for agent in self.lines.serving(queue))

    def deserted_since(self, queue: QueueName) -> Instant | None:
        """Since when nobody has served a queue (0 when nobody ever has); None while somebody does."""
        serving = self.lines.serving(queue)
        if any(agent.state not in AWAY for agent in serving):
            return None
        return max((agent.left_at for agent in serving), default=0.0)

    def wrap_up_seconds(self, agent: AgentRecord) -> float:
        """How long the agent's wrap-up lasts without extension."""
        own = agent.settings.wrap_up
        return (own if own is not None else self.queue(agent.queue).wrap_up).total_seconds()

    def lapse(self, call: CallRecord) -> float | None:
        """Seconds after which the wish for one agent lapses; None without one."""
        if call.wants is None:
            return None
        if call.wants == call.last_agent:
            return self.queue(call.queue).last_agent_wait.total_seconds()
        return self.rules.named_agent_wait.total_seconds()

    def next_step(self, call: CallRecord, reach: float) -> float | None:
        """The first step of a waiting call after `reach`; both in seconds after it entered the queue."""
        if call.wants is None and call.queue in self._timeless:
            return None
        following = [step for step in self._steps.get(call.queue or QueueName(""), ()) if step > reach]
        lapse = self.lapse(call)
        if lapse is not None and lapse > reach:
            following.append(lapse)
        return min(following, default=None)

    def next_announcement(self, call: CallRecord) -> Instant | None:
        """When a waiting caller is to be told where they stand."""
        rules = self.queue(call.queue).announcements
        if call.callback is not None or rules.first_after is None:
            return None
        if call.announced_at is None:
            return call.entered_at + rules.first_after.total_seconds()
        return None if rules.every is None else call.announced_at + rules.every.total_seconds()

    # Limits

    def next_deadline(self) -> Instant | None:
        """When the first state ends by itself."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].due_stamp != deadlines[0][1]:
            heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def entries(self) -> int:
        """How much the lines and the limits hold, dead entries included."""
        return len(self._deadlines) + self.lines.entries()

    def take_due(self) -> Timed:
        """Whose limit passes first; to be asked only after `next_deadline` named a time."""
        timed = heappop(self._deadlines)[2]
        timed.due = None
        return timed

    def set_agent_deadline(self, agent: AgentRecord) -> None:
        """A limit runs from the beginning of the state it belongs to."""
        due: Instant | None = None
        match agent.state:
            case AgentState.RESERVED:
                due = agent.since + self.queue(agent.queue).ring_limit.total_seconds()
                call = self.calls.get(agent.call) if agent.call is not None else None
                if call is not None and call.callback is not None:
                    due = self._reserved_for_callback(agent, call)
            case AgentState.WRAP_UP:
                due = agent.wrap_up_until
                if due is None:
                    due = agent.since + self.wrap_up_seconds(agent)
            case AgentState.READY if agent.desktop is False:
                due = agent.desktop_since + self.rules.desktop_grace.total_seconds()
            case AgentState.NOT_READY if not agent.alerted and agent.reason is not None:
                limit = self.rules.reason_limits.get(agent.reason.value)
                due = None if limit is None else agent.since + limit.total_seconds()
        self._set_deadline(agent, due)

    def _reserved_for_callback(self, agent: AgentRecord, call: CallRecord) -> Instant:
        """When the caller is dialled first, the agent's phone rings only after that."""
        queue = self.queue(call.queue)
        if queue.callbacks.first is First.AGENT:
            return agent.since + queue.ring_limit.total_seconds()
        if not call.reached:
            limit = queue.callbacks.ring_limit + self.rules.connect_limit
            return agent.since + limit.total_seconds()
        return max(agent.since, call.picked_up_at) + queue.ring_limit.total_seconds()

    def set_call_deadline(self, call: CallRecord) -> None:
        """When the next thing is due for a waiting caller, or joining the two has failed."""
        due: Instant | None = None
        if call.state is CallState.WAITING:
            if call.wants is not None or call.callback is not None or call.queue not in self._timeless:
                due = self._waiting_limit(call)
        elif call.state is CallState.CONNECTING:
            due = call.picked_up_at + self._connect_limit
            if not call.reached:
                due += self.queue(call.queue).callbacks.ring_limit.total_seconds()
        if due != call.due:
            self._set_deadline(call, due)

    def _waiting_limit(self, call: CallRecord) -> Instant | None:
        dues: list[Instant] = []
        if call.callback is not None and not call.reached:
            rules = self.queue(call.queue).callbacks
            dues.append(last_moment(call.queued_at or 0.0, rules, self.zone))
        step = self.next_step(call, call.reach)
        if step is not None:
            dues.append(call.entered_at + step)
        queue = self.queue(call.queue)
        if queue.overflows and call.callback is None:
            since = self.deserted_since(queue.name)
            dues += [at for at, rule, _ in time_limits(queue, call.entered_at, since) if rule not in call.fired]
        if queue.announcements.first_after is not None:
            told = self.next_announcement(call)
            if told is not None:
                dues.append(told)
        return min(dues, default=None)

    def _set_deadline(self, timed: Timed, due: Instant | None) -> None:
        if due == timed.due:
            return
        self._stamps += 1
        timed.due, timed.due_stamp = due, self._stamps
        if due is not None:
            deadlines = self._deadlines
            heappush(deadlines, (due, timed.due_stamp, timed))
            if len(deadlines) > 64 + 2 * (len(self.agents) + len(self.calls) + len(self.callbacks)):
                self._deadlines = [entry for entry in deadlines if entry[2].due_stamp == entry[1]]
                heapify(self._deadlines)

    # Facts

    def apply(self, fact: Fact, at: Instant) -> None:
        """Makes a fact true."""
        applier = self._appliers.get(type(fact))
        if applier is not None:
            applier(fact, at)

    def agent(self, login: AgentId) -> AgentRecord:
        """The agent's page; an old ledger names agents who are off the list by now."""
        agent = self.agents.get(login)
        if agent is None:
            agent = self.agents[login] = AgentRecord(login, NOT_LISTED, on_floor=False)
        return agent

    def _forget_if_gone(self, agent: AgentRecord) -> None:
        if not agent.on_floor and agent.state is LOGGED_OUT and not agent.phone_reachable:
            self.agents.pop(agent.login, None)

    def _key(self, call: CallRecord) -> float:
        return call.placed_at - (call.priority + self.queue(call.queue).priority) * self._worth

    def _call_started(self, fact: CallStarted, at: Instant) -> None:
        since = at if fact.since is None else fact.since
        call = self.calls[fact.call] = CallRecord(fact.call, fact.caller, fact.dialled, since, fact.callback)
        if fact.callback is not None:
            call.reached = False
            callback = self.callbacks.get(fact.callback)
            if callback is not None:
                callback.call = fact.call
                callback.dialled += 1
                self._set_deadline(callback, None)

    def _call_queued(self, fact: CallQueued, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is None:
            return
        if call.line is not None:
            call.line.forget(call)
        came_back = call.diverted is not None and call.queue == fact.queue
        if call.queue is not None and not came_back:
            call.been_in = (*call.been_in, call.queue)
        if not came_back:
            call.opened, call.fired = frozenset(), frozenset()
            call.announced_at, call.announced = None, 0
        self._queued += 1
        call.state, call.queue, call.seq, call.diverted = CallState.WAITING, fact.queue, self._queued, None
        call.placed_at = at if fact.placed_at is None else fact.placed_at
        call.entered_at = at if fact.entered_at is None else fact.entered_at
        if call.queued_at is None:
            call.queued_at = at if call.callback is not None else call.placed_at
        call.priority, call.needs, call.skills = fact.priority, fact.skills, fact.skills
        call.named, call.last_agent, call.grounds = fact.agent, fact.last_agent, fact.grounds
        call.wants = self._wanted(fact)
        call.reach = -1.0
        call.key = self._key(call)
        self.lines.of(call).add_caller(call)
        self.returned[call.call] = call
        self.set_call_deadline(call)

    def _wanted(self, fact: CallQueued) -> AgentId | None:
        """The one agent who may take the call for now; nobody in particular when they are not here."""
        queue = self.queue(fact.queue)
        wanted = fact.agent
        if wanted is None and queue.strategy == "last_agent" and queue.last_agent_wait.total_seconds() > 0:
            wanted = fact.last_agent
        agent = self.agents.get(wanted) if wanted is not None else None
        return wanted if agent is not None and agent.on_floor and agent.state is not LOGGED_OUT else None

    def _call_widened(self, fact: CallWidened, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is None:
            return
        if call.line is not None:
            call.line.forget(call)
        call.reach, call.skills, call.opened = fact.reach, fact.skills, fact.opened
        if fact.anybody:
            call.wants = None
        if call.state is CallState.WAITING:
            self.lines.of(call).add_caller(call)
            self.returned[call.call] = call
        self.set_call_deadline(call)

    def _call_overflowed(self, fact: CallOverflowed, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is None:
            return
        if fact.rule >= 0:
            call.fired |= {fact.rule}
        way = Way(fact.to.partition(":")[0])
        if way is Way.OPEN:
            self.set_call_deadline(call)
            return
        if call.line is not None:
            call.line.forget(call)
        if call.queue is None:
            call.queue, call.placed_at, call.entered_at, call.queued_at = fact.queue, at, at, at
        call.state, call.diverted, call.offers = CallState.IN_MENU, fact.why, {}
        self.returned.pop(call.call, None)
        self.set_call_deadline(call)

    def _wait_announced(self, fact: WaitAnnounced, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.announced_at = at
            call.announced += 1
            self.set_call_deadline(call)

    def _call_offered(self, fact: CallOffered, at: Instant) -> None:
        self.next_offer = max(self.next_offer, fact.offer + 1)
        self.last_offered[fact.queue] = fact.agent
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = CallState.OFFERED
            call.offers[fact.offer] = fact.agent
            if call.line is not None:
                call.line.caller_offered(call)
            self.returned.pop(fact.call, None)
            if call.due is not None:
                self.set_call_deadline(call)
        agent = self.agent(fact.agent)
        agent.call, agent.offer, agent.queue, agent.keeps_turn = fact.call, fact.offer, fact.queue, False

    def _offer_ended(self, fact: OfferEnded, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None and fact.offer in call.offers:
            del call.offers[fact.offer]
            if fact.why in MISSES:
                call.missed |= {fact.agent}
            if not call.offers and call.state is not CallState.IN_MENU:
                call.state = CallState.WAITING
                self.lines.of(call).add_caller(call)
                self.returned[call.call] = call
                self.set_call_deadline(call)
        agent = self.agent(fact.agent)
        if agent.offer == fact.offer:
            agent.offer = None
            agent.keeps_turn = fact.why in KEEPS_TURN
            if fact.why in MISSES:
                agent.misses += 1

    def _person_answered(self, fact: PersonAnswered, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.reached, call.picked_up_at = True, at
            self.set_call_deadline(call)
            agent = self.agents.get(call.agent) if call.agent is not None else None
            if agent is not None:
                self.set_agent_deadline(agent)

    def _call_answered(self, fact: CallAnswered, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state, call.offers, call.picked_up_at = CallState.CONNECTING, {fact.offer: fact.agent}, at
            if call.line is not None:
                call.line.ringing.pop(call.call, None)
            self.set_call_deadline(call)

    def _call_connected(self, fact: CallConnected, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = CallState.TALKING
            call.answered_at = at if call.answered_at is None else call.answered_at
            if call.line is not None:
                call.line.forget(call)
            self.set_call_deadline(call)
        agent = self.agent(fact.agent)
        agent.misses, agent.talking_since = 0, at

    def _hold(self, fact: HoldStarted | HoldEnded, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = CallState.HELD if isinstance(fact, HoldStarted) else CallState.TALKING

    def _call_ended(self, fact: CallEnded, at: Instant) -> None:
        call = self.calls.pop(fact.call, None)
        if call is not None:
            call.state = CallState.ENDED
            if call.line is not None:
                call.line.forget(call)
            self.returned.pop(fact.call, None)
            for login in call.offers.values():
                self.agent(login).offer = None
            if call.due is not None:
                self._set_deadline(call, None)
            if call.caller is not None and fact.outcome in ABANDONED_QUEUE:
                _remember(self.abandoned, call.caller, at, ABANDONERS_REMEMBERED)
        _remember(self.ended, fact.call, None, ENDED_CALLS_REMEMBERED)

    def _agent_state_changed(self, fact: AgentStateChanged, at: Instant) -> None:
        agent = self.agent(fact.agent)
        before, after = agent.state, fact.after
        agent.state, agent.since, agent.reason = after, at, fact.reason
        agent.alerted, agent.wrap_up_until = False, None
        agent.handled, agent.talked = fact.handled, fact.talked
        self.fresh.pop(agent.login, None)
        if after not in ON_A_CALL:
            agent.talking_since = None
        if after in RESTING:
            agent.call = agent.offer = agent.queue = agent.requested = None
        if after is READY:
            if fact.before in RESTING:
                agent.misses = 0
            if not agent.keeps_turn:
                agent.idle_since = at
            self._stamps += 1
            agent.idle_stamp = self._stamps
            self.fresh[agent.login] = agent
        elif after is LOGGED_OUT:
            agent.misses, agent.idle_since = 0, 0.0
            agent.desktop = agent.desktop or None
            self._forget_if_gone(agent)
        if after in RESTING:
            agent.keeps_turn = False
        self.set_agent_deadline(agent)
        if (after in AWAY) != (before in AWAY):
            if after in AWAY:
                agent.left_at = at
            self._staffing_changed(agent)

    def _staffing_changed(self, agent: AgentRecord) -> None:
        """Callers of a queue that may have been deserted, or is served again, have other limits now."""
        watched = {name for name in agent.settings.queues if self.queue(name).overflows}
        if watched:
            for call in self.calls.values():
                if call.queue in watched:
                    self.set_call_deadline(call)

    def _next_state_requested(self, fact: NextStateRequested, at: Instant) -> None:
        self.agent(fact.agent).requested = (fact.state, fact.reason)

    def _wrap_up_extended(self, fact: WrapUpExtended, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.wrap_up_until = fact.until
        self.set_agent_deadline(agent)

    def _reason_limit_passed(self, fact: ReasonLimitPassed, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.alerted = True
        self.set_agent_deadline(agent)

    def _phone_state_changed(self, fact: PhoneStateChanged, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.phone_reachable = fact.reachable
        self._forget_if_gone(agent)

    def _desktop_state_changed(self, fact: DesktopStateChanged, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.desktop, agent.desktop_since = fact.present, at
        self.set_agent_deadline(agent)

    def _callback_booked(self, fact: CallbackBooked, at: Instant) -> None:
        record = CallbackRecord(
            fact.callback, fact.number, fact.queue, fact.due_at, fact.placed_at, fact.priority, fact.skills, fact.call
        )
        self.callbacks[fact.callback] = self.callback_of[fact.number] = record
        self._set_deadline(record, fact.due_at)

    def _callback_attempted(self, fact: CallbackAttempted, at: Instant) -> None:
        record = self.callbacks.get(fact.callback)
        if record is not None:
            record.attempts, record.due_at, record.call = fact.attempts, fact.due_at, None
            self._set_deadline(record, fact.due_at)

    def _callback_closed(self, fact: CallbackClosed, at: Instant) -> None:
        record = self.callbacks.pop(fact.callback, None)
        if record is not None:
            self.callback_of.pop(record.number, None)
            self._set_deadline(record, None)

    def _floor_taken_up(self, fact: FloorTakenUp, at: Instant) -> None:
        self.digest = fact.digest

    def _news_ignored(self, fact: NewsIgnored, at: Instant) -> None:
        # A caller who left before we heard that they came must not be brought to life by the older news.
        if fact.event == CallerHungUp.__name__ and fact.call is not None and fact.call not in self.calls:
            _remember(self.ended, fact.call, None, ENDED_CALLS_REMEMBERED)


def _remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]
