"""What is true on the floor now: the fold of the facts.

`FloorState.apply` is the only place where anything changes. Lines and deadlines are derived here too, so that a
state rebuilt from the ledger finds the next caller, the next agent and the next limit just as the lived one did.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from changgu.acd.agent_state import LOGGED_OUT, ON_A_CALL, READY, RESERVED, RESTING
from changgu.acd.agent_words import AgentState
from changgu.acd.call_state import CONNECTING, ENDED, HELD, IN_MENU, OFFERED, SPOKEN, TALKING, WAITING
from changgu.acd.callbacks import AFTER_TALK, known_by
from changgu.acd.estimated_wait import Forecast
from changgu.acd.events import CallerHungUp
from changgu.acd.facts import (
    GAVE_UP,
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
    Emergency,
    Fact,
    FloorTakenUp,
    HoldEnded,
    HoldStarted,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    PersonAnswered,
    PhoneStateChanged,
    ReasonLimitPassed,
    WaitAnnounced,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, QueueName
from changgu.acd.limits import Limits
from changgu.acd.lines import Lines
from changgu.acd.outlook import Outlook
from changgu.acd.people import People
from changgu.acd.promises import SAME, Promise
from changgu.acd.queues import ON_ARRIVAL, Agent, Floor, Queue, Rules, Way
from changgu.acd.records import AWAY, AgentRecord, CallbackRecord, CallRecord
from changgu.acd.skills import levels, suffices

ENDED_CALLS_REMEMBERED: Final = 4096
"""How many ended calls are known by name, so that late news cannot bring one back to life."""

ABANDONERS_REMEMBERED: Final = 4096
"""How many numbers of callers who gave up are known, to serve them sooner when they call again."""

MISSES: Final = frozenset({OfferEnd.NO_ANSWER, OfferEnd.FAILED, OfferEnd.AGENT_LEFT})
GIVES_WAY: Final = frozenset({*MISSES, OfferEnd.WITHDRAWN})
"""Ends of one agent's offer that leave the caller to all others."""
KEEPS_TURN: Final = frozenset({OfferEnd.CALLER_LEFT, OfferEnd.ANSWERED_ELSEWHERE, OfferEnd.NOT_REACHED})

K = TypeVar("K")
V = TypeVar("V")

NOT_LISTED: Agent = Agent(AgentId(""), "")


class FloorState:
    """Agents, calls, promises, lines and limits of one floor."""

    def __init__(self, floor: Floor, first_offer: int) -> None:
        self.agents: dict[AgentId, AgentRecord] = {}
        self._parted: dict[AgentId, AgentRecord] = {}
        """Signed out and off the list: what is known of them when they are listed again."""
        self.calls: dict[CallId, CallRecord] = {}
        self.callbacks: dict[CallbackId, CallbackRecord] = {}
        self.people = People()
        self.ended: OrderedDict[CallId, None] = OrderedDict()
        """The latest ended calls, oldest first."""
        self.abandoned: OrderedDict[str, Instant] = OrderedDict()
        """When callers last gave up waiting, by number, oldest first."""
        self.last_offered: dict[QueueName, AgentId] = {}
        self.outlook = Outlook()
        self.next_offer = first_offer
        self.digest = ""
        """Names the set-up that was taken up last."""
        self.emergency: Emergency | None = None
        """The emergency plan by which it was."""
        self.fresh: dict[AgentId, AgentRecord] = {}
        """Became free, and not yet brought together with callers."""
        self.returned: dict[CallId, CallRecord] = {}
        """Came to wait, and not yet brought together with agents."""
        self.recheck: dict[CallId, CallRecord] = {}
        """Phones ring for them, and others may ring along: since one has stopped, or more agents may take them now."""
        self.signed_out = False
        """Somebody has gone, and those who wait for nobody else have not yet been looked at."""
        self._queued = 0
        self._stamps = 0
        self.limits = Limits(self)
        self.set_up(floor)
        self.appliers: dict[type, Callable[..., None]] = {
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
        """What each kind of fact changes; kinds that are not here change nothing."""

    def set_up(self, floor: Floor) -> None:
        """Takes up a list of queues and agents; what is true about them stays true."""
        self.queues: dict[QueueName, Queue] = {queue.name: queue for queue in floor.queues}
        self.rules: Rules = floor.rules
        self.zone = ZoneInfo(floor.rules.zone)
        self.worth = floor.rules.priority_worth.total_seconds()
        self.outlook.confidence = floor.rules.promise_confidence
        listed = {agent.login for agent in floor.agents}
        for order, settings in enumerate(floor.agents):
            record = self.agent(settings.login)
            record.settings, record.levels, record.order = settings, levels(settings.skills), order
            record.on_floor = True
        for login in [login for login in self.agents if login not in listed]:
            record = self.agents[login]
            record.settings, record.levels, record.order, record.on_floor = NOT_LISTED, {}, -1, False
            self._forget_if_gone(record)
        self.lines = Lines(self.queues, self.agents.values())
        self.limits.set_up()
        for agent in self.agents.values():
            if agent.state is READY:
                self.fresh[agent.login] = agent
            self.limits.set_for_agent(agent)
        for call in self.calls.values():
            call.line, call.in_line = None, False
            if call.queue is not None:
                call.key = self._key(call)
            if call.state is WAITING:
                self.lines.of(call).add_caller(call)
                self.returned[call.call] = call
            elif call.state is OFFERED:
                self.lines.of(call).caller_rings(call)
            self.limits.set_for_call(call)
        for callback in self.callbacks.values():
            self.limits.deadlines.set(callback, self._attempt_due(callback))

    # Looking things up

    def queue(self, name: QueueName | None) -> Queue:
        """A queue's settings; the defaults for one that is off the list."""
        queue = self.queues.get(name) if name is not None else None
        return queue if queue is not None else Queue(name or QueueName(""), "")

    def staffed(self, queue: QueueName) -> int:
        """How many agents serve a queue now, free or not."""
        return sum(agent.state not in AWAY for agent in self.lines.serving(queue))

    def waits_in_vain(self, call: CallRecord) -> bool:
        """Whether the one agent a caller waits for has signed out or may take them no more, by queue or by skill."""
        if call.wants is None:
            return False
        agent = self.agents.get(call.wants)
        if agent is None or agent.state is LOGGED_OUT:
            return True
        queues = agent.settings.queues
        serves = call.queue in queues or not call.opened.isdisjoint(queues)
        return not (serves and suffices(agent.levels, levels(call.skills)))

    def deserted_since(self, queue: QueueName) -> Instant | None:
        """Since when nobody has served a queue (0 when nobody ever has); None while somebody does."""
        serving = self.lines.serving(queue)
        if any(agent.state not in AWAY for agent in serving):
            return None
        return max((agent.left_at for agent in serving), default=0.0)

    def newcomers_outlook(
        self, queue: QueueName, priority: int, skills: frozenset[str], now: Instant, confidence: float | None = None
    ) -> Forecast | None:
        """How long somebody would wait who came to a queue now."""
        newcomer = CallRecord(CallId(""), None, "", now)
        newcomer.queue, newcomer.skills, newcomer.placed_at, newcomer.priority = queue, skills, now, priority
        newcomer.key, newcomer.seq = self._key(newcomer), self._queued + 1
        return self.outlook.forecast(newcomer, self.lines, self.worth, now, confidence)

    def entries(self) -> int:
        """How much the lines and the limits hold, dead entries included."""
        return len(self.limits.deadlines) + self.lines.entries()

    # Facts

    def apply(self, fact: Fact, at: Instant) -> None:
        """Makes a fact true."""
        apply = self.appliers.get(type(fact))
        if apply is not None:
            apply(fact, at)

    def agent(self, login: AgentId) -> AgentRecord:
        """The agent's page; an old ledger names agents who are off the list by now."""
        agent = self.agents.get(login)
        if agent is None:
            agent = self._parted.pop(login, None) or AgentRecord(login, NOT_LISTED, on_floor=False)
            self.agents[login] = agent
        return agent

    def _forget_if_gone(self, agent: AgentRecord) -> None:
        if not (agent.on_floor or agent.phone_reachable or agent.desktop) and agent.state is LOGGED_OUT:
            self._parted[agent.login] = self.agents.pop(agent.login, agent)

    def _key(self, call: CallRecord) -> float:
        return call.placed_at - (call.priority + self.queue(call.queue).priority) * self.worth

    def _call_started(self, fact: CallStarted, at: Instant) -> None:
        since = at if fact.since is None else fact.since
        them = known_by(fact.caller, fact.person)
        call = self.calls[fact.call] = CallRecord(fact.call, fact.caller, fact.dialled, since, fact.callback, them)
        if fact.callback is not None:
            call.reached = False
            callback = self.callbacks.get(fact.callback)
            if callback is not None:
                callback.call = fact.call
                callback.dialled += 1
                self.limits.deadlines.set(callback, None)
        self.people.came(call)
        for promise in self.people.promises_to(them):
            self.limits.deadlines.set(promise, None)

    def _call_queued(self, fact: CallQueued, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is None:
            return
        if call.line is not None:
            call.line.forget(call)
        came_back = call.diverted is not None and call.queue == fact.queue
        if not came_back:
            call.opened, call.fired = frozenset(), frozenset()
            call.announced_at, call.announced = None, 0
        self._queued += 1
        call.state, call.queue, call.seq, call.diverted = WAITING, fact.queue, self._queued, None
        call.placed_at = at if fact.placed_at is None else fact.placed_at
        call.entered_at = at if fact.entered_at is None else fact.entered_at
        if call.queued_at is None:
            call.queued_at = at if call.callback is not None else call.placed_at
        call.priority, call.needs, call.skills = fact.priority, fact.skills, fact.skills
        call.named, call.last_agent, call.grounds = fact.agent, fact.last_agent, fact.grounds
        call.wants, call.language = fact.waits_for, fact.language
        call.reach = -1.0
        priority = call.priority + self.queue(call.queue).priority
        call.key = call.placed_at - priority * self.worth
        self.lines.of(call).add_caller(call)
        self.returned[call.call] = call
        self.limits.set_for_call(call)
        if call.callback is None and not came_back:
            self.outlook.arrived(call, priority, at)

    def _call_widened(self, fact: CallWidened, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is None:
            return
        if call.line is not None:
            call.line.forget(call)
        call.reach, call.skills, call.opened = fact.reach, fact.skills, fact.opened
        if fact.anybody:
            call.wants = None
        if call.state is WAITING:
            self.lines.of(call).add_caller(call)
            self.returned[call.call] = call
        elif call.state is OFFERED:
            self.lines.of(call).caller_rings(call)
            self.recheck[call.call] = call
        self.limits.set_for_call(call)

    def _call_overflowed(self, fact: CallOverflowed, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is None:
            return
        if call.queue != fact.queue:  # led away at the door: a stay of its own
            call.opened, call.fired = frozenset(), frozenset()
            call.announced_at, call.announced = None, 0
        if fact.rule >= 0:
            call.fired |= {(fact.why, fact.to, fact.limit)}
        way = Way(fact.to.partition(":")[0])
        if way is Way.OPEN:
            self.limits.set_for_call(call)
            return
        if call.line is not None:
            call.line.forget(call)
            self._wait_over(call, at)
        if fact.why in ON_ARRIVAL:
            call.priority, call.needs, call.skills = fact.priority, fact.skills, fact.skills
            call.named, call.last_agent, call.grounds = fact.agent, fact.last_agent, fact.grounds
        if call.queued_at is None:
            call.placed_at = call.queued_at = at
        if call.queue != fact.queue:
            call.queue, call.entered_at = fact.queue, at
        if fact.queue not in call.been_in:
            call.been_in = (*call.been_in, fact.queue)
        call.state, call.diverted, call.offers = IN_MENU, fact.why, {}
        self.returned.pop(call.call, None)
        self.limits.set_for_call(call)

    def _wait_announced(self, fact: WaitAnnounced, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.announced_at = at
            call.announced += 1
            if fact.promise is not None:
                if call.promise is None or abs(call.promise.moment - at - fact.promise) > SAME:
                    call.promise = Promise(at, fact.promise, fact.staffed, fact.ahead)
                self.outlook.promised(call, at, fact.promise)
            self.limits.set_for_call(call)

    def _call_offered(self, fact: CallOffered, at: Instant) -> None:
        if fact.offer >= self.next_offer:
            self.next_offer = fact.offer + 1
        self.last_offered[fact.queue] = fact.agent
        call = self.calls.get(fact.call)
        if call is not None:
            call.state, call.dials_first = OFFERED, fact.dials
            call.offers[fact.offer] = fact.agent
            if call.line is not None:
                call.line.caller_offered(call)
            self.returned.pop(fact.call, None)
            if call.due is not None:
                self.limits.set_for_call(call)
        agent = self.agent(fact.agent)
        agent.call, agent.offer, agent.queue, agent.keeps_turn = fact.call, fact.offer, fact.queue, False

    def _offer_ended(self, fact: OfferEnded, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None and fact.offer in call.offers:
            del call.offers[fact.offer]
            if fact.why in MISSES:
                call.missed |= {fact.agent}
            if call.offers:
                if fact.why in GIVES_WAY:
                    self.recheck[call.call] = call
            elif call.state is not IN_MENU:
                call.state = WAITING
                if self.recheck:
                    self.recheck.pop(fact.call, None)
                self.lines.of(call).add_caller(call)
                self.returned[call.call] = call
                self.limits.set_for_call(call)
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
            if call.state is OFFERED:
                self.recheck[call.call] = call
            self.limits.set_for_call(call)
            agent = self.agents.get(call.agent) if call.agent is not None else None
            if agent is not None:
                self.limits.set_for_agent(agent)

    def _call_answered(self, fact: CallAnswered, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state, call.offers, call.picked_up_at = CONNECTING, {fact.offer: fact.agent}, at
            if self.recheck:
                self.recheck.pop(fact.call, None)
            if call.line is not None:
                call.line.ringing.pop(call.call, None)
            self.limits.set_for_call(call)

    def _call_connected(self, fact: CallConnected, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = TALKING
            call.answered_at = at if call.answered_at is None else call.answered_at
            if call.line is not None:
                call.line.forget(call)
            self.limits.set_for_call(call)
        agent = self.agent(fact.agent)
        agent.misses, agent.talking_since, agent.occupied_since = 0, at, agent.reserved_at
        agent.spoke_in = call
        if call is not None and call.queue is not None:
            if call.callback is None:
                self.outlook.picked_up(call.queue, at - agent.reserved_at)
            self._wait_over(call, at, answered=True)

    def _wait_over(self, call: CallRecord, at: Instant, *, answered: bool = False, abandoned: bool = False) -> None:
        if call.callback is None:
            self.outlook.stopped_waiting(call, at, abandoned=abandoned)
            if call.promise is not None:
                self.outlook.settle(call.call, at, answered=answered)
                call.promise = None

    def _hold(self, fact: HoldStarted | HoldEnded, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = HELD if isinstance(fact, HoldStarted) else TALKING

    def _call_ended(self, fact: CallEnded, at: Instant) -> None:
        call = self.calls.pop(fact.call, None)
        if call is not None:
            spoken = call.state in SPOKEN
            if call.queue is not None and call.diverted is None and not spoken:
                self._wait_over(call, at, abandoned=fact.outcome in GAVE_UP)
            call.state = ENDED
            if call.line is not None:
                call.line.forget(call)
            self.returned.pop(fact.call, None)
            if self.recheck:
                self.recheck.pop(fact.call, None)
            for login in call.offers.values():
                self.agent(login).offer = None
            if call.due is not None:
                self.limits.deadlines.set(call, None)
            if call.known_by and fact.outcome in GAVE_UP:
                _remember(self.abandoned, call.known_by[0], at, ABANDONERS_REMEMBERED)
            self._line_is_free(call, at, spoken=spoken)
        _remember(self.ended, fact.call, None, ENDED_CALLS_REMEMBERED)

    def _line_is_free(self, call: CallRecord, at: Instant, *, spoken: bool) -> None:
        """Promises that hang on a call which has ended are looked at again."""
        for record in self.people.left(call, at, spoken=spoken):
            if record.call is None:
                if spoken:
                    record.due_at = max(record.due_at, at + AFTER_TALK.total_seconds())
                self.limits.deadlines.set(record, self._attempt_due(record))

    def _agent_state_changed(self, fact: AgentStateChanged, at: Instant) -> None:
        agent, before, after = self.agent(fact.agent), fact.before, fact.after
        agent.state, agent.since, agent.reason = after, at, fact.reason
        agent.alerted, agent.wrap_up_until = False, None
        agent.handled, agent.talked = fact.handled, fact.talked
        if self.fresh:
            self.fresh.pop(agent.login, None)
        if agent.talking_since is not None and after not in ON_A_CALL:
            agent.talking_since = None
        if after is RESERVED:
            agent.reserved_at = at
        elif after in RESTING:
            self._agent_rests(agent, before, at)
        self.limits.set_for_agent(agent)
        if (after in AWAY) != (before in AWAY):
            if after in AWAY:
                agent.left_at = at
            self._staffing_changed(agent)

    def _agent_rests(self, agent: AgentRecord, before: AgentState, at: Instant) -> None:
        """No call is on their hands any more."""
        if agent.occupied_since is not None and agent.queue is not None:
            self.outlook.handled(agent.queue, at - agent.occupied_since)
        agent.call = agent.offer = agent.queue = agent.requested = agent.occupied_since = agent.spoke_in = None
        agent.requested_by, agent.requested_why = None, ""
        if agent.state is READY:
            if before in RESTING:
                agent.misses = 0
            if not agent.keeps_turn:
                agent.idle_since = at
            self._stamps = agent.idle_stamp = self._stamps + 1
            self.fresh[agent.login] = agent
        elif agent.state is LOGGED_OUT:
            agent.misses, agent.idle_since, agent.handled, agent.talked = 0, 0.0, 0, 0.0
            agent.desktop = agent.desktop or None
            self.signed_out = True
            self._forget_if_gone(agent)
        agent.keeps_turn = False

    def _staffing_changed(self, agent: AgentRecord) -> None:
        """Callers of a queue that may have been deserted, or is served again, have other limits now."""
        watched = {name for name in agent.settings.queues if self.limits.minds_desertion(name)}
        if any(self.staffed(name) <= 1 for name in watched):
            for call in self.calls.values():
                if call.queue in watched:
                    self.limits.set_for_call(call)

    def _next_state_requested(self, fact: NextStateRequested, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.requested, agent.requested_by, agent.requested_why = (fact.state, fact.reason), fact.by, fact.why

    def _wrap_up_extended(self, fact: WrapUpExtended, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.wrap_up_until = fact.until
        self.limits.set_for_agent(agent)

    def _reason_limit_passed(self, fact: ReasonLimitPassed, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.alerted = True
        self.limits.set_for_agent(agent)

    def _phone_state_changed(self, fact: PhoneStateChanged, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.phone_reachable = fact.reachable
        self._forget_if_gone(agent)

    def _desktop_state_changed(self, fact: DesktopStateChanged, at: Instant) -> None:
        agent = self.agent(fact.agent)
        agent.desktop, agent.desktop_since = fact.present, at
        self.limits.set_for_agent(agent)
        self._forget_if_gone(agent)

    def _attempt_due(self, record: CallbackRecord) -> Instant | None:
        """Nobody is dialled while they are on the line with us, or in the call they asked from."""
        on_the_line = record.asked_from in self.calls or self.people.are_on_the_line(record.known_by)
        return None if record.call is not None or on_the_line else record.due_at

    def _callback_booked(self, fact: CallbackBooked, at: Instant) -> None:
        record = CallbackRecord(
            fact.callback, fact.number, fact.queue, fact.due_at, fact.placed_at, fact.priority, fact.skills, fact.call,
            fact.language, fact.person, known_by(fact.number, fact.person),
        )  # fmt: skip
        self.callbacks[fact.callback] = record
        self.people.promise(record)
        self.limits.deadlines.set(record, self._attempt_due(record))

    def _callback_attempted(self, fact: CallbackAttempted, at: Instant) -> None:
        record = self.callbacks.get(fact.callback)
        if record is not None:
            record.attempts, record.due_at, record.call = fact.attempts, fact.due_at, None
            self.limits.deadlines.set(record, self._attempt_due(record))

    def _callback_closed(self, fact: CallbackClosed, at: Instant) -> None:
        record = self.callbacks.pop(fact.callback, None)
        if record is not None:
            self.people.settle(record)
            self.limits.deadlines.set(record, None)

    def _floor_taken_up(self, fact: FloorTakenUp, at: Instant) -> None:
        self.digest, self.emergency = fact.digest, fact.emergency

    def _news_ignored(self, fact: NewsIgnored, at: Instant) -> None:
        # A caller who left before we heard that they came must not be brought to life by the older news.
        if fact.event == CallerHungUp.__name__ and fact.call is not None and fact.call not in self.calls:
            _remember(self.ended, fact.call, None, ENDED_CALLS_REMEMBERED)


def _remember(known: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > most:
        known.popitem(last=False)
