"""Plays a day's traffic against the engine with any rules, staff and strategies: what would have been?

The engine is the real one and the network is perfect. Callers come when they came, with the patience they showed; of
those who were served before it was used up it is drawn from the estimate of all (`kaplan_meier`), as are handling
times that the day did not show. Who lets the phone ring too often comes back as people did that day, and the day ends
when the recording does. All that is drawn depends on the seed and the call alone, so two sets of rules meet
the same people, and a difference in the figures is a difference of the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_state import IN_QUEUE, CallState
from changgu.acd.commands import (
    Command,
    ConnectCall,
    DialPerson,
    Divert,
    HangUpAgent,
    HangUpCaller,
    RingAgent,
    StopRinging,
)
from changgu.acd.engine import Engine
from changgu.acd.event_json import Cause
from changgu.acd.events import (
    AgentAnswered,
    AgentForced,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallbackAsked,
    CallerDialledIn,
    CallerHungUp,
    DeadlinePassed,
    DeskClosed,
    DesktopGone,
    DesktopSeen,
    DialFailed,
    Event,
    KeyPressed,
    MenuEnded,
    PartiesConnected,
    PersonReached,
    PhoneReachable,
    PhoneUnreachable,
)
from changgu.acd.facts import AgentStateChanged, Fact, FloorTakenUp, Outcome, Recorded
from changgu.acd.figures import Counted, Kpis, quantile
from changgu.acd.floor_json import floor_digest
from changgu.acd.hand import Effect
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.kaplan_meier import Patience
from changgu.acd.queues import Agent, Destination, Floor, Way
from changgu.acd.strategies import strategy_named
from changgu.acd.traffic import Traffic, Visit, by_queue, drawn

TYPICAL_TALK, TYPICAL_REACTION = 180.0, 5.0
"""Seconds, where the day shows no conversation at all."""

JOINING = 0.05
"""Seconds between an agent's answer and the conversation."""

MESSAGE = 30.0
"""Seconds for leaving a message or a number."""

REACHED = 0.7
"""Share of people who answer when they are called back, after about this many seconds."""
REACHED_AFTER, RINGS_FOR = 8.0, 30.0


def with_strategy(floor: Floor, strategy: str) -> Floor:
    """All queues by one strategy; raises `UnknownStrategy`."""
    strategy_named(strategy)
    return replace(floor, queues=tuple(replace(queue, strategy=strategy) for queue in floor.queues))


def with_agents(floor: Floor, traffic: Traffic, more: int) -> tuple[Floor, Traffic]:
    """So many agents more or fewer: the last in the list stay at home, or the first have doubles who come and go with
    them and can do the same.
    """
    if more < 0:
        return replace(floor, agents=floor.agents[: max(0, len(floor.agents) + more)]), traffic
    doubles: dict[AgentId, list[Agent]] = {}
    for number in range(more if floor.agents else 0):
        one = floor.agents[number % len(floor.agents)]
        login = AgentId(f"{one.login}+{1 + number // len(floor.agents)}")
        doubles.setdefault(one.login, []).append(replace(one, login=login, name=f"{one.name} +"))
    presence = [
        (at, event)
        for at, first in traffic.presence
        for event in (first, *(_of(first, double.login) for double in doubles.get(_agent(first), ())))
    ]
    added = tuple(double for same in doubles.values() for double in same)
    return replace(floor, agents=(*floor.agents, *added)), replace(traffic, presence=presence)


def play(
    traffic: Traffic, floor: Floor, seed: int = 1, ledger: Callable[[Recorded], None] = lambda entry: None,
    *, closed: Collection[Destination] = (),
) -> Kpis:  # fmt: skip
    """The figures of the day with this floor; the same for the same traffic, floor and seed.

    `ledger` is told every fact, as the real one would be. `closed` are ways out that the desk has no line for: whoever
    is led there comes back to their place.
    """
    return _Play(traffic, floor, seed, ledger, closed).run()


@dataclass(slots=True)
class _Caller:
    visit: Visit
    talk: float
    reaction: float
    until: Instant
    """When their patience is used up."""
    alive: bool = True


class _Play:
    def __init__(
        self, traffic: Traffic, floor: Floor, seed: int, ledger: Callable[[Recorded], None],
        closed: Collection[Destination],
    ) -> None:  # fmt: skip
        self.traffic, self.floor, self.seed = traffic, floor, seed
        self.ledger, self.closed = ledger, closed
        self.facts = 0
        self.engine = Engine(floor)
        self.counted = Counted(floor)
        self.now = traffic.since
        self.agenda: list[tuple[Instant, int, Callable[[], None]]] = []
        self.entries = 0
        self.rings: dict[OfferId, RingAgent] = {}
        self.rung: dict[CallId, int] = {}
        self.callers: dict[CallId, _Caller] = {}
        everybody = by_queue(traffic.visits)
        self.patience: dict[QueueName, Patience] = {name: _patience(visits) for name, visits in everybody.items()}
        self.anybodys_patience = _patience(traffic.visits)
        self.talks: dict[QueueName, list[float]] = {name: _talks(visits) for name, visits in everybody.items()}
        self.all_talks = _talks(traffic.visits)
        self.reactions = sorted(visit.reaction for visit in traffic.visits if visit.reaction is not None)

    def run(self) -> Kpis:
        """Live through it, up to where the recording ends."""
        self._take(FloorTakenUp(floor_digest(self.floor)), self.engine.configure(self.floor, self.now))
        listed = {agent.login for agent in self.floor.agents}
        for at, event in self.traffic.presence:
            agent = _agent(event)
            if agent == "" or agent in listed:
                self._at(at, _telling(self, event))
        for visit in self.traffic.visits:
            self._at(visit.at, _coming(self, visit))
        if self.traffic.closed_at is not None:
            self._at(self.traffic.closed_at, self._closes)
        end = self.traffic.until
        while True:
            due, planned = self.engine.next_deadline(), self.agenda[0][0] if self.agenda else None
            coming = [one for one in (due, planned) if one is not None]
            if not coming or min(coming) > end:
                return self.counted.kpis(end)
            self.now = round(max(self.now, min(coming)), 6)
            if planned is not None and (due is None or planned <= due):
                heappop(self.agenda)[2]()
            else:
                self.tell(DeadlinePassed())

    def _closes(self) -> None:
        for call in list(self.engine.calls):
            if call in self.callers:
                self.callers[call].alive = False
            self.tell(DeskClosed(call))

    # Telling the engine and obeying it

    def tell(self, event: Event) -> None:
        """Something happens now."""
        self._take(event, self.engine.handle(event, self.now))

    def _take(self, cause: Cause, effects: Sequence[Effect]) -> None:
        because: Cause | None = cause
        for effect in effects:
            if isinstance(effect, Fact):
                self.facts += 1
                self.ledger(Recorded(self.facts, self.now, effect, because))
                because = None
                self.counted.hear(effect, self.now)
                if isinstance(effect, AgentStateChanged):
                    self._changed(effect)
            elif isinstance(effect, Command):
                self._do(effect)

    def _at(self, at: Instant, action: Callable[[], None]) -> None:
        self.entries += 1
        heappush(self.agenda, (at, self.entries, action))

    def _in(self, seconds: float, action: Callable[[], None]) -> None:
        self._at(self.now + max(0.0, seconds), action)

    def _do(self, command: Command) -> None:
        match command:
            case RingAgent():
                self._ring(command)
            case StopRinging(offer=offer) | HangUpAgent(offer=offer):
                self.rings.pop(offer, None)
            case ConnectCall(agent=agent, call=call, offer=offer):
                self._in(JOINING, lambda: self._joined(agent, call, offer))
            case HangUpCaller(call=call):
                if call in self.callers:
                    self.callers[call].alive = False
            case Divert():
                self._in(MESSAGE, lambda: self._diverted(command))
            case DialPerson(call=call):
                if self.drawn("reached", call) < REACHED:
                    self._in(REACHED_AFTER, lambda: self.tell(PersonReached(call)))
                else:
                    self._in(RINGS_FOR, lambda: self.tell(DialFailed(call, "no_answer")))

    # Callers

    def come(self, visit: Visit) -> None:
        """A caller comes to the queue."""
        patience = self._patience_of(visit)
        caller = self.callers[visit.call] = _Caller(
            visit, self._talk_of(visit), self._reaction_of(visit), self.now + patience
        )
        self.tell(CallerDialledIn(visit.call, visit.caller, visit.dialled, person=visit.person))
        self.tell(visit.arrived)
        self._in(patience, lambda: self._gives_up(caller))

    def _gives_up(self, caller: _Caller) -> None:
        call = self.engine.calls.get(caller.visit.call)
        if call is not None and caller.alive and call.state is CallState.CONNECTING:
            self._in(2 * JOINING, lambda: self._gives_up(caller))  # unless they are joined by then
            return
        if call is None or not caller.alive or call.state not in IN_QUEUE:
            return
        key = caller.visit.key
        if key is not None and key in self._keys(call.queue):
            self.tell(KeyPressed(call.call, key))
        else:
            caller.alive = False
            self.tell(CallerHungUp(call.call))

    def _keys(self, queue: QueueName | None) -> Sequence[str]:
        return next((tuple(one.keys) for one in self.floor.queues if one.name == queue), ())

    def _diverted(self, command: Divert) -> None:
        caller = self.callers.get(command.call)
        if command.call not in self.engine.calls or caller is None or not caller.alive:
            return
        if command.to in self.closed:
            self._turned_back(caller, command.queue)
            return
        match command.to.way:
            case Way.VOICEMAIL:
                outcome: Outcome | None = Outcome.VOICEMAIL
            case Way.NUMBER:
                outcome = Outcome.REDIRECTED
            case Way.CALLBACK:
                outcome = Outcome.CALLBACK
                number, callback = caller.visit.caller or command.call, CallbackId(f"w-{command.call}")
                person = caller.visit.person
                self.tell(CallbackAsked(callback, number, command.queue, command.call, person=person))
            case _:
                outcome = None
        self.tell(MenuEnded(command.call, served=outcome is not None, outcome=outcome))

    def _turned_back(self, caller: _Caller, queue: QueueName) -> None:
        self.tell(CallArrived(caller.visit.call, queue))
        if self.now >= caller.until:
            caller.alive = False
            self.tell(CallerHungUp(caller.visit.call))

    # Agents

    def _ring(self, command: RingAgent) -> None:
        self.rings[command.offer] = command
        rung = self.rung[command.call] = self.rung.get(command.call, 0) + 1
        if self.drawn("misses", command.call, command.agent, str(rung)) < self.traffic.miss_share:
            return
        caller = self.callers.get(command.call)
        seconds = self._typical(self.reactions, TYPICAL_REACTION)
        if caller is not None and rung == 1:
            seconds = caller.reaction
        elif caller is not None:  # who is slow once is not slow for ever, nor are the others
            found = quantile(self.reactions, self.drawn("reaction", command.call, command.agent, str(rung)))
            seconds = seconds if found is None else found
        self._in(seconds, lambda: self._pick_up(command))

    def _pick_up(self, command: RingAgent) -> None:
        if self.rings.pop(command.offer, None) is not None:
            self.tell(AgentAnswered(command.agent, command.call, command.offer))

    def _joined(self, agent: AgentId, call: CallId, offer: OfferId) -> None:
        known = self.engine.calls.get(call)
        if known is None or known.offer != offer:
            return
        self.tell(PartiesConnected(agent, call, offer))
        caller = self.callers.get(call)
        talk = caller.talk if caller is not None else self._drawn_talk(known.queue, call)
        self._in(talk, lambda: self._hangs_up(call))

    def _hangs_up(self, call: CallId) -> None:
        if call in self.engine.calls:
            if call in self.callers:
                self.callers[call].alive = False
            self.tell(CallerHungUp(call))

    def _changed(self, change: AgentStateChanged) -> None:
        if change.after is AgentState.WRAP_UP:
            self._wrap_up(change)
        elif change.reason is NotReadyReason.NO_ANSWER:
            left = self.now
            self._in(self.traffic.comes_back_after, lambda: self._comes_back(change.agent, left))

    def _comes_back(self, agent: AgentId, left: Instant) -> None:
        view = self.engine.agents.get(agent)
        if view is not None and view.reason is NotReadyReason.NO_ANSWER and view.since == left:
            self.tell(AgentReady(agent))

    def _wrap_up(self, change: AgentStateChanged) -> None:
        caller = self.callers.get(change.call) if change.call is not None else None
        if caller is not None and caller.visit.wrap_up is not None:
            self._in(caller.visit.wrap_up, lambda: self._ready_early(change.agent, change.call))

    def _ready_early(self, agent: AgentId, call: CallId | None) -> None:
        view = self.engine.agents.get(agent)
        if view is not None and view.state is AgentState.WRAP_UP and view.call == call:
            self.tell(AgentReady(agent))

    # Dice

    def drawn(self, *what: str) -> float:
        """A number from 0 up to 1 for this."""
        return drawn(self.seed, *what)

    def _patience_of(self, visit: Visit) -> float:
        if visit.gave_up:
            return visit.waited
        known = self.patience[visit.arrived.queue]
        known = known if known.known else self.anybodys_patience
        return known.beyond(visit.waited, self.drawn("patience", visit.call))

    def _talk_of(self, visit: Visit) -> float:
        return visit.talk if visit.talk is not None else self._drawn_talk(visit.arrived.queue, visit.call)

    def _drawn_talk(self, queue: QueueName | None, call: CallId) -> float:
        known = (self.talks.get(queue, []) if queue is not None else []) or self.all_talks
        found = quantile(known, self.drawn("talk", call))
        return TYPICAL_TALK if found is None else found

    def _reaction_of(self, visit: Visit) -> float:
        if visit.reaction is not None:
            return visit.reaction
        found = quantile(self.reactions, self.drawn("reaction", visit.call))
        return max(TYPICAL_REACTION if found is None else found, visit.rang + JOINING)

    @staticmethod
    def _typical(known: Sequence[float], otherwise: float) -> float:
        middle = quantile(known, 0.5)
        return otherwise if middle is None else middle


def _telling(day: _Play, event: Event) -> Callable[[], None]:
    return lambda: day.tell(event)


def _coming(day: _Play, visit: Visit) -> Callable[[], None]:
    return lambda: day.come(visit)


def _patience(visits: Sequence[Visit]) -> Patience:
    return Patience((visit.waited, visit.gave_up) for visit in visits)


def _talks(visits: Sequence[Visit]) -> list[float]:
    return sorted(visit.talk for visit in visits if visit.talk is not None)


def _agent(event: Event) -> AgentId:
    """Whose presence this is about; empty for a wish that is about no agent."""
    agent: AgentId = getattr(event, "agent", AgentId(""))
    return agent


def _of(event: Event, agent: AgentId) -> Event:
    """The same, done by somebody else."""
    match event:
        case AgentNotReady(reason=reason, by=by):
            return AgentNotReady(agent, reason, by)
        case AgentForced(state=state, by=by, reason=reason, why=why):
            return AgentForced(agent, state, by, reason, why)
        case AgentReady(by=by):
            return AgentReady(agent, by)
        case AgentSignedOut(by=by):
            return AgentSignedOut(agent, by)
        case AgentSignedIn():
            return AgentSignedIn(agent)
        case PhoneReachable():
            return PhoneReachable(agent)
        case PhoneUnreachable():
            return PhoneUnreachable(agent)
        case DesktopSeen():
            return DesktopSeen(agent)
        case DesktopGone():
            return DesktopGone(agent)
        case _:
            return event
