"""The telephone network of a made-up day: it carries out commands, and its news is late, doubled, lost or reordered."""

from __future__ import annotations

from typing import assert_never

from changgu.acd.call_state import CallState
from changgu.acd.commands import (
    Announce,
    Command,
    ConnectCall,
    DialPerson,
    Divert,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallerHungUp,
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    ConversationMissing,
    DialFailed,
    Event,
    PartiesConnected,
    PersonReached,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import Outcome
from changgu.acd.identity import CallId, OfferId
from changgu.acd.invariants_books import CallerPage
from changgu.acd.queues import Floor
from changgu.acd.simulate_people import Caller, Leg, People
from changgu.acd.simulate_profiles import Profile, Rng

RECONCILED_EVERY = 60.0
"""Seconds between two comparisons with the truth."""


class Network(People):
    """Phones, legs and bridges, and the news of them."""

    def __init__(self, rng: Rng, profile: Profile, floor: Floor) -> None:
        super().__init__(rng, profile, floor)
        self.legs: dict[OfferId, Leg] = {}
        self.live: dict[OfferId, Leg] = {}
        self.outcomes: dict[CallId, Outcome] = {}
        self.unrung: set[OfferId] = set()
        """Offers that the last comparison found without a leg."""

    def news(self, event: Event, *, surely: bool = False) -> None:
        """Tells the engine, unless the network has a bad moment."""
        faults = self.profile.faults
        if not surely and self.chance(faults.never):
            return
        delay = self.rng.random() * faults.latest.total_seconds() if self.chance(faults.late) else 0.0
        self.later(delay, lambda: self.tell(event))
        if self.chance(faults.twice):
            self.later(delay + self.rng.random() * 5, lambda: self.tell(event))

    def do(self, command: Command) -> None:
        """Carries out one command."""
        match command:
            case PlayMusicOnHold() | Announce():
                pass
            case RingAgent(agent, call, offer):
                self._ring(Leg(agent, call, offer))
            case StopRinging(_, _, offer) | HangUpAgent(_, _, offer):
                if (leg := self.legs.get(offer)) is not None:
                    self._leg_ends(leg)
            case ConnectCall(_, _, offer):
                if (leg := self.legs.get(offer)) is not None:
                    self._connect(leg)
            case HangUpCaller(call):
                if (caller := self.callers.get(call)) is not None:
                    self.leave(caller)
            case Divert(call):
                if (caller := self.callers.get(call)) is not None:
                    self.go_another_way(caller, command)
            case DialPerson(call, number):
                self._dial(call, number, command.ring_limit.total_seconds())
            case _:
                assert_never(command)

    # The agents' legs

    def _ring(self, leg: Leg) -> None:
        self.legs[leg.offer] = self.live[leg.offer] = leg
        if not self.people[leg.agent].phone_up:
            self._dead(leg)
            self.news(RingFailed(leg.agent, leg.call, leg.offer, "unreachable"))
        elif self.chance(self.profile.declines):
            self.later(self.about(self.profile.reaction), lambda: self._decline(leg))
        elif not self.chance(self.profile.ignores):
            self.later(self.about(self.profile.reaction), lambda: self._pick_up(leg))

    def _dead(self, leg: Leg) -> None:
        leg.alive = leg.bridged = False
        self.live.pop(leg.offer, None)

    def _decline(self, leg: Leg) -> None:
        if leg.alive and not leg.answered:
            self._dead(leg)
            self.news(RingFailed(leg.agent, leg.call, leg.offer, "declined"))

    def _pick_up(self, leg: Leg) -> None:
        if leg.alive:
            leg.answered = True
            self.news(AgentAnswered(leg.agent, leg.call, leg.offer))
            if self.chance(0.02):
                self.later(1, lambda: self._leg_ends(leg))

    def _connect(self, leg: Leg) -> None:
        caller = self.callers[leg.call]
        if not (leg.alive and caller.alive and caller.picked_up):
            return
        if self.chance(self.profile.faults.connect_fails):
            self.news(ConnectFailed(leg.agent, leg.call, leg.offer, "error"), surely=True)
            return
        leg.bridged = caller.bridged = True
        if caller.number is not None:
            self.spoken_to[caller.number] = leg.agent
        self.news(PartiesConnected(leg.agent, leg.call, leg.offer))
        length = self.about(self.profile.talk)
        if self.chance(0.2):
            self.later(length * 0.3, lambda: self._hold(leg, True))
            self.later(length * 0.6, lambda: self._hold(leg, False))
        if self.chance(0.6):
            self.later(length, lambda: self.leave(caller))
        else:
            self.later(length, lambda: self._leg_ends(leg))

    def _hold(self, leg: Leg, held: bool) -> None:
        if leg.alive and self.callers[leg.call].alive:
            self.news((CallHeld if held else CallResumed)(leg.agent, leg.call))

    def _leg_ends(self, leg: Leg) -> None:
        if not leg.alive:
            return
        if leg.bridged:
            caller = self.callers[leg.call]
            caller.bridged = False
            self.later(self.about(self.profile.patience), lambda: self.lose_patience(caller))
        self._dead(leg)
        if leg.answered:
            self.news(AgentHungUp(leg.agent, leg.call, leg.offer))

    # People who are called back

    def _dial(self, call: CallId, number: str, ring_limit: float) -> None:
        person = Caller(call, number, self.about(self.profile.patience), dialled=True, picked_up=False)
        self.callers[call] = person
        wait = self.about(self.profile.reaction)
        if self.chance(0.65) and wait < ring_limit:
            self.later(wait, lambda: self._reached(person))
        else:
            self.later(min(wait, ring_limit), lambda: self._not_reached(person))

    def _reached(self, person: Caller) -> None:
        if person.alive:
            person.picked_up = True
            self.news(PersonReached(person.call))
            self.later(person.patience, lambda: self.lose_patience(person))
            if self.chance(self.profile.faults.drops):
                self.later(self.about(60), lambda: self.drop(person))

    def _not_reached(self, person: Caller) -> None:
        if person.alive:
            person.alive = False
            self.news(DialFailed(person.call, self.one_of(("busy", "no_answer", "unreachable"))))

    # Comparing with the truth

    def reconcile(self) -> None:
        """Compares what the engine believes with what is, and tells it the difference, as after a reconnect."""
        for person in self.people.values():
            reachable = self.engine.agents[person.login].phone_reachable
            if reachable != person.phone_up:
                self.tell((PhoneReachable if person.phone_up else PhoneUnreachable)(person.login))
        for page in list(self.watch.books.calls.values()):
            self._reconcile_call(page)
        for caller in list(self.callers.values()):
            if caller.alive and caller.call not in self.engine.calls and caller.call in self.outcomes:
                self.leave(caller)
        for leg in list(self.live.values()):
            if self.watch.books.held.get(leg.offer) != leg.agent:
                self._leg_ends(leg)
        if self.open or self.engine.calls or self.live or self.watch.books.promises:
            self.later(RECONCILED_EVERY, self.reconcile)

    def _reconcile_call(self, page: CallerPage) -> None:
        call = page.call
        caller = self.callers.get(call)
        if page.outbound and (caller is None or not caller.picked_up):
            if page.dialling and (caller is None or not caller.alive):
                self.tell(DialFailed(call, "gone"))
            elif page.dialling and self.chance(0.2):  # a comparison that expects a leg where none rings yet
                for offer, login in list(page.offers.items()):
                    self.tell(RingFailed(login, call, offer, "gone"))
            return
        if caller is None or not caller.alive:
            dropped = caller is not None and caller.dropped
            self.tell(CallLost(call) if dropped else CallerHungUp(call))
            return
        if page.dialling:
            self.tell(PersonReached(call))
        for offer, login in list(page.offers.items()):
            leg = self.legs.get(offer)
            if leg is None and offer not in self.unrung:
                self.unrung.add(offer)
            elif leg is None or not leg.alive:
                self.tell(RingFailed(login, call, offer, "gone"))
            elif leg.answered:
                self.tell(AgentAnswered(login, call, offer))
        if page.winner is not None:
            self._reconcile_conversation(page, *page.winner)

    def _reconcile_conversation(self, page: CallerPage, login: str, offer: OfferId) -> None:
        leg = self.legs.get(offer)
        if leg is None:
            return
        spoken = page.state in (CallState.TALKING, CallState.HELD)
        if not leg.alive:
            missing = spoken and self.chance(0.5)
            self.tell((ConversationMissing if missing else AgentHungUp)(leg.agent, page.call, offer))
        elif not spoken and leg.bridged:
            self.tell(PartiesConnected(leg.agent, page.call, offer))
