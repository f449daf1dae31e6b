"""The rules that hold on the floor at every moment, each with its name.

`Watch` reads along: it is shown every event with the effects that the engine answered, keeps its own simple books
from the facts, and raises `Broken` as soon as books, engine and rules disagree. Tests, the simulation and replays
use it; the running service does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from changgu.acd.agent_state import RESTING, AgentState
from changgu.acd.call_state import CallState
from changgu.acd.commands import HangUpAgent, HangUpCaller, RingAgent, StopRinging
from changgu.acd.engine import Effect, Engine
from changgu.acd.events import AgentHungUp, AgentReady, Event, RingFailed
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Ender,
    Fact,
    HoldEnded,
    HoldStarted,
    NewsIgnored,
    OfferEnded,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from changgu.acd.records import AgentView, CallView


class Broken(AssertionError):
    """A rule does not hold; names the rule."""


@dataclass
class Books:
    """What the facts say, kept in the plainest way there is."""

    calls: dict[CallId, CallState] = field(default_factory=dict)
    outcomes: dict[CallId, Outcome] = field(default_factory=dict)
    open_offer: dict[CallId, tuple[AgentId, OfferId]] = field(default_factory=dict)
    answered_by: dict[CallId, AgentId] = field(default_factory=dict)
    queue_of: dict[AgentId, QueueName] = field(default_factory=dict)
    agents: dict[AgentId, tuple[AgentState, Instant]] = field(default_factory=dict)
    wrap_up_from: dict[AgentId, Instant] = field(default_factory=dict)
    legs: dict[OfferId, AgentId] = field(default_factory=dict)
    signed_in_at: dict[AgentId, Instant] = field(default_factory=dict)
    time_in: dict[AgentId, Counter[AgentState]] = field(default_factory=dict)
    spans: dict[AgentId, list[tuple[Instant, Instant]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One event, handled."""

    event: Event | None
    """None for a change of the floor."""
    now: Instant
    effects: Sequence[Effect]


class Watch:
    """Checks every rule after every step.

    With `refold`, a second engine is fed nothing but the facts and must look the same after every step.
    """

    def __init__(self, engine: Engine, floor: Floor, *, refold: bool = True) -> None:
        self.engine = engine
        self.floor = floor
        self.books = Books()
        self.history: list[Recorded] = []
        self._shadow = Engine(floor) if refold else None
        self._shadow_floor = floor

    def check(self, event: Event | None, now: Instant, effects: Sequence[Effect]) -> None:
        """Shown one step; raises `Broken`."""
        step = Step(event, now, effects)
        self._read(step)
        for rule in RULES:
            rule(self, step)

    # What the rules look things up in

    @property
    def queues(self) -> dict[QueueName, Queue]:
        """The queues on the list."""
        return {queue.name: queue for queue in self.floor.queues}

    @property
    def listed(self) -> dict[AgentId, Agent]:
        """The agents on the list."""
        return {agent.login: agent for agent in self.floor.agents}

    def waiting(self) -> list[CallView]:
        """All waiting callers, best place first."""
        calls = [call for call in self.engine.calls.values() if call.state is CallState.WAITING]
        return sorted(calls, key=lambda call: (-call.priority, call.queued_at or 0.0))

    def can_serve(self, agent: AgentId, call: CallView) -> bool:
        """Queue and skills fit."""
        settings = self.listed.get(agent)
        return settings is not None and call.queue in settings.queues and call.skills <= settings.skills

    def ready(self) -> list[AgentView]:
        """All agents in 대기."""
        return [agent for agent in self.engine.agents.values() if agent.state is AgentState.READY]

    # Keeping the books

    def _read(self, step: Step) -> None:
        books, event = self.books, step.event
        if isinstance(event, AgentReady):
            books.wrap_up_from.pop(event.agent, None)
        believed = not any(isinstance(effect, NewsIgnored) for effect in step.effects)
        if isinstance(event, RingFailed | AgentHungUp) and believed:
            books.legs.pop(event.offer, None)
        for effect in step.effects:
            self._read_effect(effect, step.now)
            if isinstance(effect, Fact):
                self.history.append(Recorded(len(self.history) + 1, step.now, effect))
                if self._shadow is not None:
                    self._shadow.apply(effect, step.now)

    def _read_effect(self, effect: Effect, now: Instant) -> None:
        books = self.books
        match effect:
            case CallStarted(call):
                _insist(call not in books.calls and call not in books.outcomes, "one beginning per call", call)
                books.calls[call] = CallState.IN_MENU
            case CallQueued(call):
                books.calls[call] = CallState.WAITING
            case CallOffered(call, agent, offer, queue):
                _insist(call not in books.open_offer, "one open offer per call", effect)
                _insist(books.calls.get(call) is CallState.WAITING, "only who waits is offered", effect)
                _insist(self._wrap_up_over(agent, now), "wrap-up is always honoured", effect)
                books.calls[call], books.open_offer[call] = CallState.OFFERED, (agent, offer)
                books.queue_of[agent] = queue
            case OfferEnded(call, agent, offer):
                _insist(books.open_offer.pop(call, None) == (agent, offer), "only an open offer ends", effect)
                books.answered_by.pop(call, None)
                books.calls[call] = CallState.WAITING
            case CallAnswered(call, agent, offer):
                _insist(books.open_offer.get(call) == (agent, offer), "one winner per call", effect)
                _insist(call not in books.answered_by, "one winner per call", effect)
                books.answered_by[call], books.calls[call] = agent, CallState.CONNECTING
            case CallConnected(call, agent, offer):
                _insist(books.open_offer.get(call) == (agent, offer), "one winner per call", effect)
                _insist(books.calls[call] is CallState.CONNECTING, "connected once", effect)
                books.calls[call] = CallState.TALKING
            case HoldStarted(call):
                books.calls[call] = CallState.HELD
            case HoldEnded(call):
                books.calls[call] = CallState.TALKING
            case CallEnded(call, outcome):
                _insist(call not in books.outcomes, "one outcome per ended call", effect)
                spoken = books.calls.pop(call, None) in (CallState.TALKING, CallState.HELD)
                true = outcome is Outcome.LOST or spoken == (outcome is Outcome.ANSWERED)
                _insist(true, "the outcome is true", effect)
                books.outcomes[call] = outcome
                books.open_offer.pop(call, None)
                books.answered_by.pop(call, None)
            case AgentStateChanged():
                self._read_agent(effect, now)
            case RingAgent(agent, _, offer):
                books.legs[offer] = agent
            case StopRinging(_, _, offer) | HangUpAgent(_, _, offer):
                books.legs.pop(offer, None)
            case _:
                pass

    def _read_agent(self, fact: AgentStateChanged, now: Instant) -> None:
        books = self.books
        state, since = books.agents.get(fact.agent, (AgentState.LOGGED_OUT, now))
        _insist(fact.before is state, "states follow one another without gap", fact)
        _insist((fact.reason is not None) == (fact.after is AgentState.NOT_READY), "a reason goes with 이석", fact)
        if state is AgentState.LOGGED_OUT:
            books.signed_in_at[fact.agent] = now
            books.spans[fact.agent] = []
        else:
            books.spans[fact.agent].append((since, now))
        books.agents[fact.agent] = (fact.after, now)
        if fact.after is AgentState.WRAP_UP:
            books.wrap_up_from[fact.agent] = now
        elif fact.after is AgentState.RESERVED or fact.after is AgentState.TALKING:
            books.wrap_up_from.pop(fact.agent, None)

    def _wrap_up_over(self, agent: AgentId, now: Instant) -> bool:
        began = self.books.wrap_up_from.get(agent)
        if began is None:
            return True
        queue = self.queues.get(self.books.queue_of[agent])
        length = (queue or Queue(QueueName(""), "")).wrap_up.total_seconds()
        return now >= began + length

    def shadow_picture(self) -> object | None:
        """The second engine's picture; None without `refold`."""
        if self._shadow is None:
            return None
        if self._shadow_floor is not self.floor:
            self._shadow_floor = self.floor
            self._shadow = Engine.restore(self.floor, self.history)
        return self._shadow.picture()


def _insist(holds: bool, rule: str, about: object) -> None:
    if not holds:
        raise Broken(f"{rule}: {about}")


# The rules


def no_agent_has_two_calls(watch: Watch, step: Step) -> None:
    """I1: at most one live offer or call per agent, and both sides know the same."""
    held: Counter[AgentId] = Counter()
    for call in watch.engine.calls.values():
        if call.agent is not None:
            held[call.agent] += 1
            agent = watch.engine.agents[call.agent]
            _insist((agent.call, agent.offer) == (call.call, call.offer), "agent and call agree", (agent, call))
            _insist(agent.state not in RESTING, "an agent with a call is not at rest", (agent, call))
        _insist((call.agent is None) == (call.offer is None), "an agent comes with an offer", call)
    _insist(not held or max(held.values()) == 1, "no agent has two calls", held)
    for agent in watch.engine.agents.values():
        if agent.offer is not None:
            _insist(held[agent.login] == 1, "an offer is about a live call", agent)
        if agent.state in (AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            _insist(agent.offer is not None, "no agent is stuck in 호출 or 통화 without a call", agent)


def every_caller_is_in_exactly_one_place(watch: Watch, step: Step) -> None:
    """I2: the engine knows the live calls of the books, each in the books' state."""
    places = {call.call: call.state for call in watch.engine.calls.values()}
    _insist(places == watch.books.calls, "every caller is in exactly one place", step)


def nobody_waits_beside_a_free_agent(watch: Watch, step: Step) -> None:
    """I3: no free agent and waiting caller who could be joined."""
    ready, waiting = watch.ready(), watch.waiting()
    for call in waiting:
        for agent in ready:
            _insist(not watch.can_serve(agent.login, call), "no call is forgotten", (agent, call))


def nobody_is_overtaken(watch: Watch, step: Step) -> None:
    """I4: who was offered had no better placed caller behind them, and no agent was passed over in 대기."""
    offers = [effect for effect in step.effects if isinstance(effect, CallOffered)]
    if not offers:
        return
    waiting, ready = watch.waiting(), watch.ready()
    for offer in offers:
        call, agent = watch.engine.calls.get(offer.call), watch.engine.agents[offer.agent]
        _insist(call is not None, "an offer outlives its own making", offer)
        assert call is not None
        _insist(watch.can_serve(offer.agent, call), "queue and skills fit", offer)
        for other in waiting:
            if watch.can_serve(offer.agent, other):
                ours, theirs = (-call.priority, call.queued_at or 0.0), (-other.priority, other.queued_at or 0.0)
                _insist(ours <= theirs, "first come, first served within a priority", (offer, other))
        for free in ready:
            queue = watch.queues.get(offer.queue)
            if watch.can_serve(free.login, call) and (queue is None or queue.strategy == "longest_idle"):
                _insist(agent.idle_since <= free.idle_since, "the longest idle rings", (offer, free))


def states_last_as_long_as_the_clock_says(watch: Watch, step: Step) -> None:
    """I8: the engine's state and its beginning are the books'; the spans since sign-in have no gap and no overlap."""
    for agent in watch.engine.agents.values():
        state, since = watch.books.agents.get(agent.login, (AgentState.LOGGED_OUT, agent.since))
        _insist(state is agent.state, "the engine and the facts name one state", agent)
        _insist(state is AgentState.LOGGED_OUT or since == agent.since, "a state begins with its fact", agent)
    for login in {effect.agent for effect in step.effects if isinstance(effect, AgentStateChanged)}:
        ends = [watch.books.signed_in_at[login], *(end for _, end in watch.books.spans[login])]
        starts = [start for start, _ in watch.books.spans[login]]
        _insist(ends[: len(starts)] == starts, "durations sum to the logged-in time", login)


def the_facts_tell_everything(watch: Watch, step: Step) -> None:
    """I9: an engine that has only read the facts looks the same."""
    shadow = watch.shadow_picture()
    if shadow is not None:
        _insist(shadow == watch.engine.picture(), "state lived = state rebuilt", step)


def every_limit_will_be_noticed(watch: Watch, step: Step) -> None:
    """Lesson 19: nobody rings or wraps up without a deadline at or before the end of it."""
    deadline = watch.engine.next_deadline()
    for agent in watch.engine.agents.values():
        if agent.state in (AgentState.RESERVED, AgentState.WRAP_UP):
            queue = watch.queues.get(watch.books.queue_of[agent.login]) or Queue(QueueName(""), "")
            limit = queue.ring_limit if agent.state is AgentState.RESERVED else queue.wrap_up
            due = agent.since + limit.total_seconds()
            _insist(deadline is not None and deadline <= due, "every limit has its deadline", (agent, deadline))


def no_phone_rings_for_nothing(watch: Watch, step: Step) -> None:
    """Lesson 5: the legs we asked for and have not ended are exactly those of open offers and conversations."""
    wanted = {agent.offer: agent.login for agent in watch.engine.agents.values() if agent.offer is not None}
    _insist(wanted == watch.books.legs, "no leg without a call, no call without a leg", (wanted, watch.books.legs))


def nobody_is_left_on_the_line(watch: Watch, step: Step) -> None:
    """A caller whom the desk or an agent is done with is hung up, once; a caller who goes on is not."""
    ended = Counter(
        effect.call
        for effect in step.effects
        if isinstance(effect, CallEnded) and effect.by is not Ender.CALLER and effect.outcome is not Outcome.LOST
    )
    hung_up = Counter(effect.call for effect in step.effects if isinstance(effect, HangUpCaller))
    _insist(ended == hung_up, "who is done is hung up", step)


def nothing_grows_for_ever(watch: Watch, step: Step) -> None:
    """I12: memory follows who is here, not who has ever been."""
    agents, calls = len(watch.engine.agents), len(watch.engine.calls)
    lines = 1 + sum(65 for _ in watch.floor.queues)
    _insist(watch.engine.entries() <= 64 + 2 * agents + lines * (2 * agents + 70) + 3 * calls, "bounded", step)


Rule = Callable[[Watch, Step], None]

RULES: tuple[Rule, ...] = (
    no_agent_has_two_calls,
    every_caller_is_in_exactly_one_place,
    nobody_waits_beside_a_free_agent,
    nobody_is_overtaken,
    states_last_as_long_as_the_clock_says,
    the_facts_tell_everything,
    every_limit_will_be_noticed,
    no_phone_rings_for_nothing,
    nobody_is_left_on_the_line,
    nothing_grows_for_ever,
)
"""Checked in this order after every step."""
