"""What is true on the floor now: the fold of the facts.

`FloorState.apply` is the only place where anything changes. Lines and deadlines are derived here too, so that a
state rebuilt from the ledger finds the next caller, the next agent and the next limit just as the lived one did.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from changgu.acd.agent_state import RESTING, AgentState
from changgu.acd.call_state import CallState
from changgu.acd.events import CallerHungUp
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Fact,
    HoldEnded,
    HoldStarted,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    PhoneStateChanged,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.lines import Lines
from changgu.acd.queues import Floor, Queue
from changgu.acd.records import AgentRecord, CallRecord

ENDED_CALLS_REMEMBERED = 4096
"""How many ended calls are known by name, so that late news cannot bring one back to life."""

READY, RESERVED, WRAP_UP, LOGGED_OUT = AgentState.READY, AgentState.RESERVED, AgentState.WRAP_UP, AgentState.LOGGED_OUT


class FloorState:
    """Agents, calls, lines and limits of one floor."""

    def __init__(self, floor: Floor, first_offer: int) -> None:
        self.agents: dict[AgentId, AgentRecord] = {}
        self.calls: dict[CallId, CallRecord] = {}
        self.ended: dict[CallId, None] = {}
        """The latest ended calls, oldest first."""
        self.next_offer = first_offer
        self.fresh: dict[AgentId, AgentRecord] = {}
        """Became free, and not yet brought together with callers."""
        self.returned: dict[CallId, CallRecord] = {}
        """Came to wait, and not yet brought together with agents."""
        self._queued = 0
        self._stamps = 0
        self._deadlines: list[tuple[Instant, int, AgentRecord]] = []
        self.set_up(floor)
        self._appliers: dict[type, Callable[..., None]] = {
            CallStarted: self._call_started,
            CallQueued: self._call_queued,
            CallOffered: self._call_offered,
            OfferEnded: self._offer_ended,
            CallAnswered: self._call_answered,
            CallConnected: self._call_connected,
            HoldStarted: self._hold,
            HoldEnded: self._hold,
            CallEnded: self._call_ended,
            AgentStateChanged: self._agent_state_changed,
            NextStateRequested: self._next_state_requested,
            PhoneStateChanged: self._phone_state_changed,
            NewsIgnored: self._news_ignored,
        }

    def set_up(self, floor: Floor) -> None:
        """Takes up a list of queues and agents; what is true about them stays true."""
        self.queues: dict[QueueName, Queue] = {queue.name: queue for queue in floor.queues}
        listed = {agent.login: agent for agent in floor.agents}
        for login, settings in listed.items():
            record = self.agents.setdefault(login, AgentRecord(login))
            record.queues, record.skills, record.on_floor = settings.queues, settings.skills, True
        for login in [login for login in self.agents if login not in listed]:
            record = self.agents[login]
            record.queues, record.skills, record.on_floor = frozenset(), frozenset(), False
            self._forget_if_gone(record)
        self.lines = Lines(self.queues, self.agents.values())
        for agent in self.agents.values():
            if agent.state is READY:
                self.fresh[agent.login] = agent
            self._set_deadline(agent)
        for call in self.calls.values():
            call.line, call.in_line = None, False
            if call.state is CallState.WAITING:
                self.lines.of(call).add_caller(call)
                self.returned[call.call] = call

    def queue(self, name: QueueName | None) -> Queue:
        """A queue's settings; the defaults for one that is off the list."""
        queue = self.queues.get(name) if name is not None else None
        return queue if queue is not None else Queue(name or QueueName(""), "")

    def next_deadline(self) -> Instant | None:
        """When the first state ends by itself."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].due_stamp != deadlines[0][1]:
            heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def entries(self) -> int:
        """How much the lines and the limits hold, dead entries included."""
        return len(self._deadlines) + self.lines.entries()

    def take_due(self) -> AgentRecord:
        """Whose state ends first; to be asked only after `next_deadline` named a time."""
        agent = heappop(self._deadlines)[2]
        agent.due = None
        return agent

    def apply(self, fact: Fact, at: Instant) -> None:
        """Makes a fact true."""
        applier = self._appliers.get(type(fact))
        if applier is not None:
            applier(fact, at)

    def _agent(self, login: AgentId) -> AgentRecord:
        """The agent's page; an old ledger names agents who are off the list by now."""
        agent = self.agents.get(login)
        if agent is None:
            agent = self.agents[login] = AgentRecord(login, on_floor=False)
        return agent

    def _forget_if_gone(self, agent: AgentRecord) -> None:
        if not agent.on_floor and agent.state is LOGGED_OUT and not agent.phone_reachable:
            self.agents.pop(agent.login, None)

    def _call_started(self, fact: CallStarted, at: Instant) -> None:
        self.calls[fact.call] = CallRecord(fact.call, fact.caller, fact.dialled, at)

    def _call_queued(self, fact: CallQueued, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            self._queued += 1
            call.state, call.queue, call.queued_at, call.seq = CallState.WAITING, fact.queue, at, self._queued
            call.priority, call.skills = fact.priority, fact.skills
            self.lines.of(call).add_caller(call)
            self.returned[call.call] = call

    def _call_offered(self, fact: CallOffered, at: Instant) -> None:
        self.next_offer = max(self.next_offer, fact.offer + 1)
        call = self.calls.get(fact.call)
        if call is not None:
            call.state, call.agent, call.offer = CallState.OFFERED, fact.agent, fact.offer
            if call.line is not None:
                call.line.caller_left(call)
            self.returned.pop(fact.call, None)
        agent = self._agent(fact.agent)
        agent.call, agent.offer, agent.queue, agent.keeps_turn = fact.call, fact.offer, fact.queue, False

    def _offer_ended(self, fact: OfferEnded, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None and call.offer == fact.offer:
            call.state, call.agent, call.offer = CallState.WAITING, None, None
            self.lines.of(call).add_caller(call)
            self.returned[call.call] = call
        agent = self._agent(fact.agent)
        if agent.offer == fact.offer:
            agent.offer = None
            agent.keeps_turn = fact.why is OfferEnd.CALLER_LEFT
            if fact.why in (OfferEnd.NO_ANSWER, OfferEnd.FAILED, OfferEnd.AGENT_LEFT):
                agent.misses += 1

    def _call_answered(self, fact: CallAnswered, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = CallState.CONNECTING

    def _call_connected(self, fact: CallConnected, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = CallState.TALKING
            call.answered_at = at if call.answered_at is None else call.answered_at
        self._agent(fact.agent).misses = 0

    def _hold(self, fact: HoldStarted | HoldEnded, at: Instant) -> None:
        call = self.calls.get(fact.call)
        if call is not None:
            call.state = CallState.HELD if isinstance(fact, HoldStarted) else CallState.TALKING

    def _call_ended(self, fact: CallEnded, at: Instant) -> None:
        call = self.calls.pop(fact.call, None)
        if call is not None:
            call.state = CallState.ENDED
            if call.line is not None:
                call.line.caller_left(call)
            self.returned.pop(fact.call, None)
            if call.agent is not None:
                self._agent(call.agent).offer = None
        self._remember_as_ended(fact.call)

    def _agent_state_changed(self, fact: AgentStateChanged, at: Instant) -> None:
        agent = self._agent(fact.agent)
        agent.state, agent.since, agent.reason = fact.after, at, fact.reason
        self.fresh.pop(agent.login, None)
        if fact.after in RESTING:
            agent.call = agent.offer = agent.queue = agent.requested = None
        if fact.after is READY:
            if fact.before in RESTING:
                agent.misses = 0
            if not agent.keeps_turn:
                agent.idle_since = at
            self._stamps += 1
            agent.idle_stamp = self._stamps
            self.fresh[agent.login] = agent
        elif fact.after is LOGGED_OUT:
            agent.misses, agent.idle_since = 0, 0.0
            self._forget_if_gone(agent)
        if fact.after in RESTING:
            agent.keeps_turn = False
        self._set_deadline(agent)

    def _next_state_requested(self, fact: NextStateRequested, at: Instant) -> None:
        self._agent(fact.agent).requested = (fact.state, fact.reason)

    def _phone_state_changed(self, fact: PhoneStateChanged, at: Instant) -> None:
        agent = self._agent(fact.agent)
        agent.phone_reachable = fact.reachable
        self._forget_if_gone(agent)

    def _news_ignored(self, fact: NewsIgnored, at: Instant) -> None:
        # A caller who left before we heard that they came must not be brought to life by the older news.
        if fact.event == CallerHungUp.__name__ and fact.call is not None and fact.call not in self.calls:
            self._remember_as_ended(fact.call)

    def _remember_as_ended(self, call: CallId) -> None:
        self.ended.pop(call, None)
        self.ended[call] = None
        if len(self.ended) > ENDED_CALLS_REMEMBERED:
            del self.ended[next(iter(self.ended))]

    def _set_deadline(self, agent: AgentRecord) -> None:
        """A limit runs from the beginning of the state it belongs to."""
        if agent.state is RESERVED:
            due: Instant | None = agent.since + self.queue(agent.queue).ring_limit.total_seconds()
        elif agent.state is WRAP_UP:
            due = agent.since + self.queue(agent.queue).wrap_up.total_seconds()
        else:
            due = None
        if due == agent.due:
            return
        self._stamps += 1
        agent.due, agent.due_stamp = due, self._stamps
        if due is not None:
            heappush(self._deadlines, (due, agent.due_stamp, agent))
            if len(self._deadlines) > 64 + 2 * len(self.agents):
                self._deadlines = [entry for entry in self._deadlines if entry[2].due_stamp == entry[1]]
                heapify(self._deadlines)
