"""The people of a made-up day: callers with patience and moods, agents with habits, and a supervisor who interferes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappush

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.commands import Divert
from changgu.acd.engine import Engine
from changgu.acd.events import (
    AgentForced,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerDialledIn,
    CallerHungUp,
    DesktopGone,
    DesktopSeen,
    Event,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
    MoreWrapUpWanted,
    PhoneReachable,
    PhoneUnreachable,
)
from changgu.acd.facts import Outcome
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.invariants import Watch
from changgu.acd.queues import Floor, Way
from changgu.acd.simulate_profiles import Dice, Profile, Rng

OPENING: Instant = 86_400.0
"""09:00 of a day in Seoul, for readers of traces."""

BREAKS = (NotReadyReason.BREAK, NotReadyReason.MEAL, NotReadyReason.TRAINING)


@dataclass(slots=True, eq=False)
class Caller:
    """Somebody on the line, or being dialled."""

    call: CallId
    number: str | None
    patience: float
    alive: bool = True
    bridged: bool = False
    known_agent: AgentId | None = None
    queue: QueueName | None = None
    dialled: bool = False
    """We call them."""
    picked_up: bool = True
    dropped: bool = False
    """Their call is over because the network forgot it."""


@dataclass(slots=True, eq=False)
class Leg:
    """An agent's phone in one attempt."""

    agent: AgentId
    call: CallId
    offer: OfferId
    answered: bool = False
    alive: bool = True
    bridged: bool = False


@dataclass(slots=True, eq=False)
class Person:
    """An agent outside the engine's head."""

    login: AgentId
    phone_up: bool = False
    on_duty: bool = False


class People(Dice):
    """What people do on the day; what becomes of it is the network's."""

    def __init__(self, rng: Rng, profile: Profile, floor: Floor) -> None:
        super().__init__(rng)
        self.profile, self.floor, self.plan = profile, floor, floor
        self.now = OPENING
        self.closing = OPENING + profile.length.total_seconds()
        self.engine = Engine(floor)
        self.watch: Watch
        self.agenda: list[tuple[Instant, int, Callable[[], None]]] = []
        self.entries = 0
        self.callers: dict[CallId, Caller] = {}
        self.came = 0
        self.people = {agent.login: Person(agent.login) for agent in floor.agents}
        self.spoken_to: dict[str, AgentId] = {}
        """By number: the agent they spoke to last."""

    def tell(self, event: Event) -> None:
        """The engine hears it now."""
        raise NotImplementedError

    def news(self, event: Event, *, surely: bool = False) -> None:
        """The engine hears it, unless the network has a bad moment."""
        raise NotImplementedError

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Something is done later, on a tick of the day's clock."""
        ticks = self.profile.instants_per_second
        at = math.ceil((self.now + max(0.0, seconds)) * ticks) / ticks
        self.entries += 1
        heappush(self.agenda, (at, self.entries, action))

    @property
    def open(self) -> bool:
        """Whether callers still come."""
        return self.now < self.closing

    # Callers

    def next_caller(self) -> None:
        """Somebody dials, and the next one will."""
        if not self.open:
            return
        passed = self.now - OPENING
        self.later(self.profile.comes_next(passed, self.about(60)) - passed, self.next_caller)
        self.came += 1
        number = None if self.chance(0.05) else f"010{int(self.rng.random() * self.profile.people):08d}"
        if number is not None and self.profile.features and self.chance(0.3):
            number = f"+82{number[1:]}"
        caller = Caller(CallId(f"c{self.came}"), number, self.about(self.profile.patience))
        self.callers[caller.call] = caller
        self.news(CallerDialledIn(caller.call, number, "1000"))
        self.later(self.about(self.profile.menu), lambda: self.leave_menu(caller))
        self.later(self.profile.menu.total_seconds() + caller.patience, lambda: self.lose_patience(caller))
        if self.chance(self.profile.faults.drops):
            self.later(self.about(60), lambda: self.drop(caller))

    def leave_menu(self, caller: Caller) -> None:
        """They hang up, are served by the machine, or want an agent."""
        if not caller.alive:
            return
        if self.chance(0.05):
            self.leave(caller)
        elif self.chance(0.1):
            self.news(MenuStepReached(caller.call, "ticket_status", "8"))
            self.news(MenuEnded(caller.call, served=True), surely=True)
        else:
            self.ask_for_agent(caller)

    def ask_for_agent(self, caller: Caller) -> None:
        """Our own menu hands the caller over inside the same process: this news is never lost or late."""
        queue = QueueName("nowhere") if self.chance(0.01) else self.one_of(self.floor.queues).name
        needs = frozenset({self.one_of(self.profile.skills)}) if self.chance(0.2) else frozenset()
        priority = 1 if self.chance(0.1) else 0
        caller.queue = queue
        if not self.profile.features:
            self.tell(CallArrived(caller.call, queue, priority, needs))
            return
        needs = frozenset(f"{need}:{1 + int(self.rng.random() * 7)}" for need in sorted(needs))
        named = self.one_of(self.floor.agents).login if self.chance(0.08) else None
        last = self.spoken_to.get(caller.number or "")
        since = self.now - self.about(30) if self.chance(0.02) else None
        grounds = frozenset({"vip"}) if priority else frozenset[str]()
        self.tell(CallArrived(caller.call, queue, priority, needs, named, last, grounds, since))
        self.later(self.about(40), lambda: self.press_key(caller))

    def press_key(self, caller: Caller) -> None:
        """Some press a key while they wait, sensible or not."""
        if caller.alive and not caller.bridged and self.chance(0.25):
            self.news(KeyPressed(caller.call, self.one_of(("1", "2", "3", "4", "5", "9"))))

    def lose_patience(self, caller: Caller) -> None:
        """They give up if they still wait."""
        if caller.alive and not caller.bridged:
            self.leave(caller)

    def leave(self, caller: Caller) -> None:
        """Their leg is gone."""
        if caller.alive:
            caller.alive = caller.bridged = False
            self.news(CallerHungUp(caller.call))

    def drop(self, caller: Caller) -> None:
        """The network forgets their call; a comparison finds it out."""
        if caller.alive:
            caller.alive = caller.bridged = False
            caller.dropped = True

    def go_another_way(self, caller: Caller, command: Divert) -> None:
        """What callers do who were led out of the queue."""
        call, way = caller.call, command.to.way
        if not caller.alive:
            return
        if way is Way.CALLBACK:
            number = caller.number or "0100000000"
            self.tell(CallbackAsked(CallbackId(f"b-{call}"), number, command.queue, call))
        outcome = {Way.VOICEMAIL: Outcome.VOICEMAIL, Way.CALLBACK: Outcome.CALLBACK, Way.NUMBER: Outcome.REDIRECTED}
        if way is Way.MENU and self.chance(0.8):
            back = command.queue if self.chance(0.6) else self.one_of(self.floor.queues).name
            self.later(self.about(8), lambda: self.come_back(caller, back))
        else:
            self.later(self.about(10), lambda: self.end_of_diversion(caller, outcome.get(way)))

    def come_back(self, caller: Caller, queue: QueueName) -> None:
        """From the menu, to where they were or elsewhere."""
        if caller.alive:
            self.tell(CallArrived(caller.call, queue))

    def end_of_diversion(self, caller: Caller, outcome: Outcome | None) -> None:
        """The menu is done with them."""
        if caller.alive:
            self.tell(MenuEnded(caller.call, served=False, outcome=outcome))

    # Call-backs

    def ask_from_outside(self) -> None:
        """The web or an agent asks for a call-back; some think better of it."""
        if not self.open:
            return
        self.later(self.about(240), self.ask_from_outside)
        number = f"010{int(self.rng.random() * self.profile.people):08d}"
        callback = CallbackId(f"w{self.entries}")
        queue = self.one_of(self.floor.queues).name
        wanted = self.now + self.about(120) if self.chance(0.5) else None
        self.tell(CallbackAsked(callback, number, queue, None, 0, frozenset(), wanted))
        if self.chance(0.15):
            self.later(self.about(60), lambda: self.tell(CallbackCancelled(callback, "web")))

    def cancel_all(self) -> None:
        """After closing, what is still promised is left to another day."""
        for callback in list(self.watch.books.promises):
            self.tell(CallbackCancelled(callback, "closing"))
        if self.watch.books.outbound or self.engine.calls:
            self.later(60, self.cancel_all)

    # Agents

    def come_to_work(self, person: Person) -> None:
        """Takes their seat, and their day begins."""
        person.on_duty = person.phone_up = True
        self.news(PhoneReachable(person.login))
        self.tell(AgentSignedIn(person.login))
        self.later(self.about(20), lambda: self.want_ready(person))
        self.later(self.about(self.profile.away_every), lambda: self.take_a_break(person))
        self.later(self.about(self.profile.phone_away_every), lambda: self.phone_goes(person))
        self.later(self.closing - self.now + self.about(60), lambda: self.go_home(person))
        self.later(60, lambda: self.look_up(person))
        if self.profile.features and self.chance(0.7):
            self.tell(DesktopSeen(person.login))
            self.later(self.about(self.profile.desktop_away_every), lambda: self.desktop_goes(person))

    def want_ready(self, person: Person) -> None:
        """Asks for calls."""
        if person.on_duty:
            self.tell(AgentReady(person.login))

    def look_up(self, person: Person) -> None:
        """An agent who was set to 이석 notices sooner or later; some change the length of a wrap-up."""
        if not person.on_duty:
            return
        agent = self.engine.agents[person.login]
        missed = agent.state is AgentState.NOT_READY and agent.reason in (
            NotReadyReason.NO_ANSWER, NotReadyReason.DESKTOP_GONE,
        )  # fmt: skip
        if missed or (agent.state is AgentState.WRAP_UP and self.chance(0.3)):
            self.tell(AgentReady(person.login))
        elif self.profile.features and agent.state is AgentState.WRAP_UP and self.chance(0.5):
            self.tell(MoreWrapUpWanted(person.login, timedelta(seconds=self.one_of((10, 25)))))
        self.later(self.about(45), lambda: self.look_up(person))

    def take_a_break(self, person: Person) -> None:
        """For some minutes."""
        if not person.on_duty:
            return
        self.tell(AgentNotReady(person.login, self.one_of(BREAKS)))
        self.later(self.about(timedelta(minutes=3)), lambda: self.want_ready(person))
        self.later(self.about(self.profile.away_every), lambda: self.take_a_break(person))

    def go_home(self, person: Person) -> None:
        """Leaves; the phone follows."""
        person.on_duty = False
        self.tell(AgentSignedOut(person.login))
        self.later(600, lambda: self.phone_stays_away(person))

    def phone_stays_away(self, person: Person) -> None:
        """For today."""
        person.phone_up = False
        self.news(PhoneUnreachable(person.login))

    def phone_goes(self, person: Person) -> None:
        """The phone loses its network for a while."""
        if not person.on_duty:
            return
        person.phone_up = False
        self.news(PhoneUnreachable(person.login))
        self.later(self.about(40), lambda: self.phone_comes_back(person))
        self.later(self.about(self.profile.phone_away_every), lambda: self.phone_goes(person))

    def phone_comes_back(self, person: Person) -> None:
        """And finds it again."""
        person.phone_up = True
        self.news(PhoneReachable(person.login))

    def desktop_goes(self, person: Person) -> None:
        """The browser is closed or asleep for a while."""
        if not person.on_duty:
            return
        self.tell(DesktopGone(person.login))
        self.later(self.about(20), lambda: self.desktop_comes_back(person))
        self.later(self.about(self.profile.desktop_away_every), lambda: self.desktop_goes(person))

    def desktop_comes_back(self, person: Person) -> None:
        """And opened again."""
        if person.on_duty:
            self.tell(DesktopSeen(person.login))

    def interfere(self) -> None:
        """A supervisor puts somebody into another state."""
        if not self.open:
            return
        self.later(self.about(self.profile.forced_every), self.interfere)
        person = self.people[self.one_of(self.floor.agents).login]
        if not person.on_duty:
            return
        state = self.one_of((AgentState.READY, AgentState.NOT_READY, AgentState.NOT_READY, AgentState.LOGGED_OUT))
        reason = NotReadyReason.TRAINING if state is AgentState.NOT_READY else None
        self.tell(AgentForced(person.login, state, "supervisor", reason, "short of hands"))
        self.later(self.about(60), lambda: self.want_ready(person))
