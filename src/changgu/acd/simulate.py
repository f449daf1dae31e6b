"""A day on the floor, made up from dice: callers, agents and a telephone network that misbehaves.

The engine is the real one. Around it stand people with patience and moods, phones that go away, and a network whose
news arrives late, twice, in another order, at the same instant as other news, or never. What never arrives is found
out by a reconciliation now and then, as in the running service. All invariants are checked after every step.

The same dice give the same day, to the byte: `DayResult.trace` is a hash of every event and effect.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import partial
from heapq import heappop, heappush
from typing import Protocol, TypeVar, assert_never

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.call_state import CallState
from changgu.acd.commands import (
    Command,
    ConnectCall,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.engine import Effect, Engine
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    DeadlinePassed,
    Event,
    MenuEnded,
    MenuStepReached,
    PartiesConnected,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import CallConnected, CallEnded, CallQueued, NewsIgnored, Outcome
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.invariants import Broken, Watch
from changgu.acd.queues import Agent, Floor, Queue

T = TypeVar("T")

OPENING: Instant = 32_400.0
"""09:00, for readers of traces."""

RECONCILED_EVERY = 60.0
"""Seconds between two comparisons with the truth."""


class Rng(Protocol):
    """The dice, such as `random.Random(seed)`."""

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often the network misbehaves, each as a share of its news."""

    late: float = 0.05
    """Delayed by up to `latest`, and so often overtaken."""
    latest: timedelta = timedelta(seconds=8)
    twice: float = 0.05
    never: float = 0.02
    connect_fails: float = 0.02
    crash: float = 0.0005
    """Share of steps after which the engine is thrown away and rebuilt from its facts."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of day it is."""

    length: timedelta = timedelta(minutes=40)
    queues: tuple[str, ...] = ("helpdesk", "network", "pc")
    agents: int = 8
    skills: tuple[str, ...] = ("vpn", "english")
    calls_per_minute: tuple[float, ...] = (1.0, 3.0, 6.0, 2.0)
    """Arrivals over equal parts of the day."""
    patience: timedelta = timedelta(seconds=90)
    """Mean; callers leave when it is used up."""
    menu: timedelta = timedelta(seconds=15)
    reaction: timedelta = timedelta(seconds=7)
    """Mean time to pick up a ringing phone."""
    talk: timedelta = timedelta(seconds=120)
    ring_limit: timedelta = timedelta(seconds=20)
    wrap_up: timedelta = timedelta(seconds=20)
    ignores: float = 0.08
    """Share of rings that an agent lets ring."""
    declines: float = 0.04
    away_every: timedelta = timedelta(minutes=15)
    """Mean time between two breaks of one agent."""
    phone_away_every: timedelta = timedelta(minutes=25)
    instants_per_second: int = 4
    """Everything happens on these ticks, so that many things happen at once."""
    faults: Faults = field(default_factory=Faults)


CALM = Faults(late=0, twice=0, never=0, connect_fails=0, crash=0)
"""A network that behaves."""


PROFILES: Mapping[str, Profile] = {
    "ordinary": Profile(),
    "short": Profile(length=timedelta(minutes=20)),
    "rough": Profile(
        length=timedelta(minutes=20),
        instants_per_second=1,
        faults=Faults(late=0.2, twice=0.2, never=0.1, connect_fails=0.1, crash=0.005),
    ),
    "crowded": Profile(
        length=timedelta(minutes=20),
        queues=("helpdesk", "pc"),
        agents=3,
        calls_per_minute=(6.0, 12.0),
        talk=timedelta(seconds=40),
    ),
}
"""Days worth living through again and again, by name."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """What came of the day."""

    offered: int
    """Calls that reached a queue."""
    answered: int
    abandoned: int
    """Left the queue, or while a phone rang for them."""
    in_menu: int
    """Ended in the menu, served or not."""
    lost: int
    refused: int
    mean_wait_seconds: float
    """Of the answered, from queueing to hearing an agent."""
    events: int
    ignored: int
    """News that came too late or twice."""
    trace: str
    """SHA-256 of all events and effects in order."""


@dataclass(slots=True, eq=False)
class _Caller:
    call: CallId
    patience: float
    alive: bool = True
    arrived: bool = False


@dataclass(slots=True, eq=False)
class _Leg:
    agent: AgentId
    call: CallId
    offer: OfferId
    answered: bool = False
    alive: bool = True
    bridged: bool = False


@dataclass(slots=True, eq=False)
class _Person:
    login: AgentId
    phone_up: bool = False
    on_duty: bool = False


def simulate_day(rng: Rng, profile: Profile | None = None, *, refold: bool = False) -> DayResult:
    """One day; raises `Broken` when a rule does not hold, and returns the KPIs otherwise.

    `refold` also compares the state with the fold of the facts after every step, which is slow.
    """
    return _Day(rng, profile or Profile(), refold=refold).run()


class _Day:
    def __init__(self, rng: Rng, profile: Profile, *, refold: bool) -> None:
        self.rng, self.profile = rng, profile
        self.now = OPENING
        self.closing = OPENING + profile.length.total_seconds()
        self.floor = self._staffed_floor()
        self.engine = Engine(self.floor)
        self.watch = Watch(self.engine, self.floor, refold=refold)
        self.agenda: list[tuple[Instant, int, Callable[[], None]]] = []
        self.entries = 0
        self.callers: dict[CallId, _Caller] = {}
        self.legs: dict[OfferId, _Leg] = {}
        self.people = {agent.login: _Person(agent.login) for agent in self.floor.agents}
        self.trace = hashlib.sha256()
        self.events = self.ignored = 0
        self.outcomes: dict[CallId, Outcome] = {}
        self.queued: dict[CallId, Instant] = {}
        self.waits: list[float] = []

    # Dice

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _about(self, mean: timedelta) -> float:
        """Exponential, so that very short and very long ones occur."""
        return -math.log(1.0 - self.rng.random()) * mean.total_seconds()

    def _one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    # The floor and its day

    def _staffed_floor(self) -> Floor:
        profile = self.profile
        queues = tuple(
            Queue(QueueName(name), name, ring_limit=profile.ring_limit, wrap_up=profile.wrap_up)
            for name in profile.queues
        )
        agents = []
        for number in range(profile.agents):
            mine = {queue.name for queue in queues if self._chance(0.6)} or {queues[0].name}
            skills = frozenset(skill for skill in profile.skills if self._chance(0.5))
            agents.append(Agent(AgentId(f"agent{number:03}"), f"Agent {number}", frozenset(mine), skills))
        return Floor(queues, tuple(agents))

    def run(self) -> DayResult:
        for person in self.people.values():
            self._in(self._about(timedelta(seconds=60)), partial(self._come_to_work, person))
        self._in(0, self._next_caller)
        self._in(RECONCILED_EVERY, self._reconcile)
        while True:
            deadline = self.engine.next_deadline()
            if self.agenda and (deadline is None or self.agenda[0][0] <= deadline):
                at, _, action = heappop(self.agenda)
                self.now = max(self.now, at)
                action()
            elif deadline is not None:
                self.now = max(self.now, deadline)
                self._tell(DeadlinePassed())
            else:
                break
        self._everybody_was_cared_for()
        return self._result()

    def _in(self, seconds: float, action: Callable[[], None]) -> None:
        """Later, on a tick of the day's clock."""
        ticks = self.profile.instants_per_second
        at = math.ceil((self.now + max(0.0, seconds)) * ticks) / ticks
        self.entries += 1
        heappush(self.agenda, (at, self.entries, action))

    @property
    def _open(self) -> bool:
        return self.now < self.closing

    # Callers

    def _next_caller(self) -> None:
        if not self._open:
            return
        part = (self.now - OPENING) / (self.closing - OPENING)
        rates = self.profile.calls_per_minute
        rate = rates[min(len(rates) - 1, int(part * len(rates)))]
        self._in(self._about(timedelta(minutes=1 / rate)), self._next_caller)
        caller = _Caller(CallId(f"c{len(self.callers) + 1}"), self._about(self.profile.patience))
        self.callers[caller.call] = caller
        self._news(CallerDialledIn(caller.call, "01012345678", "1000"))
        self._in(self._about(self.profile.menu), lambda: self._leave_menu(caller))
        self._in(self.profile.menu.total_seconds() + caller.patience, lambda: self._lose_patience(caller))

    def _leave_menu(self, caller: _Caller) -> None:
        if not caller.alive:
            return
        if self._chance(0.05):
            self._caller_leaves(caller)
        elif self._chance(0.1):
            self._news(MenuStepReached(caller.call, "ticket_status", "8"))
            self._news(MenuEnded(caller.call, served=True), surely=True)
        else:
            caller.arrived = True
            self._queue(caller)

    def _queue(self, caller: _Caller) -> None:
        queue = QueueName("nowhere") if self._chance(0.01) else self._one_of(self.floor.queues).name
        needs = frozenset({self._one_of(self.profile.skills)}) if self._chance(0.2) else frozenset()
        priority = 1 if self._chance(0.1) else 0
        # Our own menu hands the caller over inside the same process: this news is never lost or late.
        self._tell(CallArrived(caller.call, queue, priority, needs))

    def _lose_patience(self, caller: _Caller) -> None:
        if caller.alive and not any(leg.bridged and leg.call == caller.call for leg in self._live_legs()):
            self._caller_leaves(caller)

    def _caller_leaves(self, caller: _Caller) -> None:
        if caller.alive:
            caller.alive = False
            self._news(CallerHungUp(caller.call))

    # Agents

    def _come_to_work(self, person: _Person) -> None:
        person.on_duty = person.phone_up = True
        self._news(PhoneReachable(person.login))
        self._tell(AgentSignedIn(person.login))
        self._in(self._about(timedelta(seconds=20)), lambda: self._want_ready(person))
        self._in(self._about(self.profile.away_every), lambda: self._take_a_break(person))
        self._in(self._about(self.profile.phone_away_every), lambda: self._phone_goes(person))
        self._in(self.closing - self.now + self._about(timedelta(seconds=60)), lambda: self._go_home(person))
        self._in(60, lambda: self._look_up(person))

    def _want_ready(self, person: _Person) -> None:
        if person.on_duty:
            self._tell(AgentReady(person.login))

    def _look_up(self, person: _Person) -> None:
        """An agent who was set to 이석 for not answering notices sooner or later; some finish a wrap-up early."""
        if not person.on_duty:
            return
        agent = self.engine.agents[person.login]
        missed = agent.state is AgentState.NOT_READY and agent.reason is NotReadyReason.NO_ANSWER
        if missed or (agent.state is AgentState.WRAP_UP and self._chance(0.3)):
            self._tell(AgentReady(person.login))
        self._in(self._about(timedelta(seconds=45)), lambda: self._look_up(person))

    def _take_a_break(self, person: _Person) -> None:
        if not person.on_duty:
            return
        reason = self._one_of((NotReadyReason.BREAK, NotReadyReason.MEAL, NotReadyReason.TRAINING))
        self._tell(AgentNotReady(person.login, reason))
        self._in(self._about(timedelta(minutes=3)), lambda: self._want_ready(person))
        self._in(self._about(self.profile.away_every), lambda: self._take_a_break(person))

    def _go_home(self, person: _Person) -> None:
        person.on_duty = False
        self._tell(AgentSignedOut(person.login))
        self._in(600, lambda: self._phone_stays_away(person))

    def _phone_stays_away(self, person: _Person) -> None:
        person.phone_up = False
        self._news(PhoneUnreachable(person.login))

    def _phone_goes(self, person: _Person) -> None:
        if not person.on_duty:
            return
        person.phone_up = False
        self._news(PhoneUnreachable(person.login))
        self._in(self._about(timedelta(seconds=40)), lambda: self._phone_comes_back(person))
        self._in(self._about(self.profile.phone_away_every), lambda: self._phone_goes(person))

    def _phone_comes_back(self, person: _Person) -> None:
        person.phone_up = True
        self._news(PhoneReachable(person.login))

    # The telephone network

    def _live_legs(self) -> list[_Leg]:
        return [leg for leg in self.legs.values() if leg.alive]

    def _news(self, event: Event, *, surely: bool = False) -> None:
        """Tells the engine, unless the network has a bad moment."""
        faults = self.profile.faults
        if not surely and self._chance(faults.never):
            return
        delay = self.rng.random() * faults.latest.total_seconds() if self._chance(faults.late) else 0.0
        self._in(delay, lambda: self._tell(event))
        if self._chance(faults.twice):
            self._in(delay + self.rng.random() * 5, lambda: self._tell(event))

    def _do(self, command: Command) -> None:
        match command:
            case PlayMusicOnHold():
                pass
            case RingAgent(agent, call, offer):
                self._ring(_Leg(agent, call, offer))
            case StopRinging(_, _, offer) | HangUpAgent(_, _, offer):
                if (leg := self.legs.get(offer)) is not None:
                    self._leg_ends(leg)
            case ConnectCall(_, _, offer):
                self._connect(self.legs[offer])
            case HangUpCaller(call):
                if (caller := self.callers.get(call)) is not None:
                    self._caller_leaves(caller)
            case _:
                assert_never(command)

    def _ring(self, leg: _Leg) -> None:
        self.legs[leg.offer] = leg
        if not self.people[leg.agent].phone_up:
            leg.alive = False
            self._news(RingFailed(leg.agent, leg.call, leg.offer, "unreachable"))
        elif self._chance(self.profile.declines):
            self._in(self._about(self.profile.reaction), lambda: self._decline(leg))
        elif not self._chance(self.profile.ignores):
            self._in(self._about(self.profile.reaction), lambda: self._pick_up(leg))

    def _decline(self, leg: _Leg) -> None:
        if leg.alive and not leg.answered:
            leg.alive = False
            self._news(RingFailed(leg.agent, leg.call, leg.offer, "declined"))

    def _pick_up(self, leg: _Leg) -> None:
        if leg.alive:
            leg.answered = True
            self._news(AgentAnswered(leg.agent, leg.call, leg.offer))
            if self._chance(0.02):
                self._in(1, lambda: self._leg_ends(leg))

    def _connect(self, leg: _Leg) -> None:
        caller = self.callers[leg.call]
        if not (leg.alive and caller.alive):
            return
        if self._chance(self.profile.faults.connect_fails):
            self._news(ConnectFailed(leg.agent, leg.call, leg.offer, "error"), surely=True)
            return
        leg.bridged = True
        self._news(PartiesConnected(leg.agent, leg.call, leg.offer))
        length = self._about(self.profile.talk)
        if self._chance(0.2):
            self._in(length * 0.3, lambda: self._hold(leg))
            self._in(length * 0.6, lambda: self._resume(leg))
        if self._chance(0.6):
            self._in(length, lambda: self._caller_leaves(caller))
        else:
            self._in(length, lambda: self._leg_ends(leg))

    def _hold(self, leg: _Leg) -> None:
        if leg.alive and self.callers[leg.call].alive:
            self._news(CallHeld(leg.agent, leg.call))

    def _resume(self, leg: _Leg) -> None:
        if leg.alive and self.callers[leg.call].alive:
            self._news(CallResumed(leg.agent, leg.call))

    def _leg_ends(self, leg: _Leg) -> None:
        if leg.alive:
            leg.alive = leg.bridged = False
            if leg.answered:
                self._news(AgentHungUp(leg.agent, leg.call, leg.offer))

    def _reconcile(self) -> None:
        """Compares what the engine believes with what is, and tells it the difference, as after a reconnect."""
        for person in self.people.values():
            reachable = self.engine.agents[person.login].phone_reachable
            if reachable != person.phone_up:
                self._tell((PhoneReachable if person.phone_up else PhoneUnreachable)(person.login))
        for call in list(self.engine.calls.values()):
            self._reconcile_call(call.call, call.state, call.offer)
        for caller in list(self.callers.values()):
            if caller.alive and caller.call not in self.engine.calls and caller.call in self.outcomes:
                self._caller_leaves(caller)
        for leg in self._live_legs():
            known = self.engine.calls.get(leg.call)
            if known is None or known.offer != leg.offer:
                self._leg_ends(leg)
        if self._open or self.engine.calls or self._live_legs():
            self._in(RECONCILED_EVERY, self._reconcile)

    def _reconcile_call(self, call: CallId, state: CallState, offer: OfferId | None) -> None:
        caller = self.callers[call]
        if not caller.alive:
            self._tell(CallLost(call) if self._chance(0.3) else CallerHungUp(call))
            return
        leg = self.legs.get(offer) if offer is not None else None
        if leg is None:
            return
        if not leg.alive:
            gone = state is CallState.OFFERED
            event: Event = AgentHungUp(leg.agent, call, leg.offer)
            self._tell(RingFailed(leg.agent, call, leg.offer, "gone") if gone else event)
        elif state is CallState.OFFERED and leg.answered:
            self._tell(AgentAnswered(leg.agent, call, leg.offer))
        elif state is CallState.CONNECTING and leg.bridged:
            self._tell(PartiesConnected(leg.agent, call, leg.offer))

    # Telling the engine

    def _tell(self, event: Event) -> None:
        self.events += 1
        effects = self.engine.handle(event, self.now)
        self._write(event, effects)
        try:
            self.watch.check(event, self.now, effects)
        except Broken as broken:
            raise Broken(f"at {self.now} after {event}: {broken}") from broken
        for effect in effects:
            if isinstance(effect, Command):
                self._in(self.rng.random() * 0.2, partial(self._do, effect))
        if self._chance(self.profile.faults.crash):
            self._crash()

    def _crash(self) -> None:
        """The service dies between two events and comes back: the commands went out, the state is read again."""
        self.engine = Engine.restore(self.floor, self.watch.history)
        self.watch.engine = self.engine
        effects = self.engine.configure(self.floor, self.now)
        if effects:
            raise Broken(f"a restart settles nothing that was settled: {effects}")

    def _write(self, event: Event, effects: Sequence[Effect]) -> None:
        for message in (event, *effects):
            self.trace.update(f"{self.now} {_text(message)}\n".encode())
        for effect in effects:
            if isinstance(effect, CallQueued):
                self.queued[effect.call] = self.now
            elif isinstance(effect, CallConnected):
                self.waits.append(self.now - self.queued[effect.call])
            elif isinstance(effect, CallEnded):
                self.outcomes[effect.call] = effect.outcome
            elif isinstance(effect, NewsIgnored):
                self.ignored += 1

    # The end of the day

    def _everybody_was_cared_for(self) -> None:
        """No caller is forgotten, nobody sits at a dead phone, and everybody has gone home."""
        if self.engine.calls:
            raise Broken(f"forgotten at the end of the day: {list(self.engine.calls)}")
        for agent in self.engine.agents.values():
            if agent.state is not AgentState.LOGGED_OUT:
                raise Broken(f"still here after the day: {agent}")
        known = {call for call in self.callers if call in self.outcomes}
        if missing := [call for call in self.queued if call not in known]:
            raise Broken(f"reached a queue and have no outcome: {missing}")

    def _result(self) -> DayResult:
        outcomes = [self.outcomes.get(call) for call in self.queued]
        abandoned = (Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING)
        everything = list(self.outcomes.values())
        return DayResult(
            offered=len(self.queued),
            answered=outcomes.count(Outcome.ANSWERED),
            abandoned=sum(outcome in abandoned for outcome in outcomes),
            in_menu=everything.count(Outcome.SELF_SERVED) + everything.count(Outcome.ABANDONED_IN_MENU),
            lost=outcomes.count(Outcome.LOST),
            refused=everything.count(Outcome.REFUSED),
            mean_wait_seconds=math.fsum(self.waits) / len(self.waits) if self.waits else 0.0,
            events=self.events,
            ignored=self.ignored,
            trace=self.trace.hexdigest(),
        )


def _text(message: Event | Effect) -> str:
    """A message in one line that is the same in every process (sets in order)."""
    values = []
    for part in fields(message):
        value = getattr(message, part.name)
        values.append(f"{part.name}={sorted(value) if isinstance(value, frozenset) else value!r}")
    return f"{type(message).__name__}({', '.join(values)})"
