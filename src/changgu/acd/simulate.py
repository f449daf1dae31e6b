"""A day on the floor, made up from dice: callers, agents and a telephone network that misbehaves.

The engine is the real one. Around it stand people with patience and moods (`simulate_people`), phones that go away,
and a network whose news arrives late, twice, in another order, at the same instant as other news, or never
(`simulate_network`). What never arrives is found out by a reconciliation now and then, as in the running service, and
the service itself may die between any two events. All invariants are checked after every step.

The same dice give the same day, to the byte: `DayResult.trace` is a hash of every event and effect.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from heapq import heappop

import msgspec

from changgu.acd.agent_state import AgentState
from changgu.acd.commands import Command
from changgu.acd.engine import Effect
from changgu.acd.events import DeadlinePassed, Event
from changgu.acd.facts import (
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallOverflowed,
    CallQueued,
    NewsIgnored,
    Outcome,
    WaitAnnounced,
)
from changgu.acd.identity import CallId, Instant
from changgu.acd.invariants import Broken, Watch
from changgu.acd.invariants_books import differences
from changgu.acd.queues import Floor
from changgu.acd.simulate_network import RECONCILED_EVERY, Network
from changgu.acd.simulate_people import OPENING
from changgu.acd.simulate_profiles import CALM, PROFILES, Dice, Faults, Profile, Rng, a_floor, another_set_up

__all__ = [
    "CALM", "OPENING", "PROFILES", "DayResult", "Faults", "Profile", "Rng", "replay_command", "simulate_day",
]  # fmt: skip

LATEST_END = 86_400.0
"""Seconds after closing at which whoever is still on the line has been forgotten."""

_ENCODER = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class DayResult:
    """What came of the day."""

    offered: int
    """Calls of callers that reached a queue, or were refused at its door."""
    answered: int
    abandoned: int
    """Left the queue, or while a phone rang for them."""
    lost: int
    """The network dropped their call; whoever hung up has given up, whenever that was noticed."""
    refused: int
    """At any door, also those that never reached a queue."""
    diverted: int
    """Ended with a voicemail, the promise of a call-back, or at another number."""
    mean_wait_seconds: float
    """Of the answered, from queueing to hearing an agent."""
    promises: int
    """Callers who were told within what time they would be answered."""
    callbacks_kept: int
    """Promises to call back that ended in a conversation."""
    events: int
    ignored: int
    """News that came too late or twice."""
    crashes: int
    trace: str
    """SHA-256 of all events and effects in order."""


def simulate_day(
    rng: Rng, profile: Profile | None = None, floor: Floor | None = None, *, refold: bool = False, brisk: bool = True
) -> DayResult:
    """One day; raises `Broken` when a rule does not hold, and returns the KPIs otherwise.

    Without `floor` the dice set one up. `refold` also compares the state with the fold of the facts, which is slow;
    `brisk` looks at everybody only every sixteenth step, and at those whom a step touched after every step.
    """
    profile = profile or Profile()
    return _Day(rng, profile, floor or a_floor(Dice(rng), profile), refold=refold, brisk=brisk).run()


def replay_command(seed: int, profile: str) -> str:
    """The command that lives through a day again."""
    return f"./changgu acd simulate --seed {seed} --profile {profile}"


class _Day(Network):
    def __init__(self, rng: Rng, profile: Profile, floor: Floor, *, refold: bool, brisk: bool) -> None:
        super().__init__(rng, profile, floor)
        self.watch = Watch(self.engine, floor, refold=refold, brisk=brisk)
        self.trace = hashlib.sha256()
        self.events = self.ignored = self.crashes = 0
        self.queued: dict[CallId, Instant] = {}
        self.inbound: set[CallId] = set()
        """Callers who came to a queue's door."""
        self.served: set[CallId] = set()
        self.waits: list[float] = []
        self.promised: set[CallId] = set()
        self.callbacks_kept = 0

    def run(self) -> DayResult:
        self._settle(None, self.engine.configure(self.floor, self.now))
        for person in self.people.values():
            self.later(self.about(60), partial(self.come_to_work, person))
        self.later(0, self.next_caller)
        self.later(RECONCILED_EVERY, self.reconcile)
        if self.profile.features:
            self.later(self.about(120), self.ask_from_outside)
            self.later(self.about(self.profile.forced_every), self.interfere)
            self.later(self.about(self.profile.set_up_every), self._set_up_anew)
        self.later(self.closing - self.now + 300, self.cancel_all)
        while self.now < self.closing + LATEST_END:
            deadline = self.engine.next_deadline()
            if self.agenda and (deadline is None or self.agenda[0][0] <= deadline):
                at, _, action = heappop(self.agenda)
                self.now = max(self.now, at)
                action()
            elif deadline is not None:
                self.now = max(self.now, deadline)
                self.tell(DeadlinePassed())
            else:
                break
        self._everybody_was_cared_for()
        return self._result()

    # Telling the engine

    def tell(self, event: Event) -> None:
        self.events += 1
        self._settle(event, self.engine.handle(event, self.now))
        if self.chance(self.profile.faults.crash):
            self._crash()

    def _settle(self, event: Event | None, effects: list[Effect]) -> None:
        self._write(event, effects)
        try:
            self.watch.check(event, self.now, effects)
        except Broken as broken:
            raise Broken(f"at {self.now} after {event}: {broken}") from broken
        for effect in effects:
            if isinstance(effect, Command):
                self.later(self.rng.random() * 0.2, partial(self.do, effect))

    def _crash(self) -> None:
        """The service dies between two events and comes back: the state is read again from what was written."""
        self.crashes += 1
        lived = self.engine.picture()
        self.engine = type(self.engine).restore(self.floor, self.watch.history)
        self.watch.engine = self.engine
        if differ := differences(lived, self.engine.picture()):
            raise Broken(f"at {self.now}: state lived = state rebuilt: {differ}")
        self._settle(None, self.engine.configure(self.floor, self.now))

    def _set_up_anew(self) -> None:
        """Somebody changes the set-up while calls wait, ring and are dialled; at closing it is the morning's again."""
        self.floor = another_set_up(self, self.plan) if self.open else self.plan
        self.watch.floor = self.floor
        self._settle(None, self.engine.configure(self.floor, self.now))
        if self.open:
            self.later(self.about(self.profile.set_up_every), self._set_up_anew)

    def _write(self, event: Event | None, effects: list[Effect]) -> None:
        trace = self.trace
        trace.update(_ENCODER.encode((self.now, type(event).__name__, event)))
        for effect in effects:
            trace.update(type(effect).__name__.encode())
            trace.update(_ENCODER.encode(effect))
            self._count(effect)

    def _count(self, effect: Effect) -> None:
        match effect:
            case CallQueued(call) if call in self.callers:
                self.queued.setdefault(call, self.now)
                self.inbound.add(call)
            case CallOverflowed(call):
                self.inbound.add(call)
            case CallConnected(call) if call in self.queued and call not in self.served:
                self.served.add(call)
                self.waits.append(self.now - self.queued[call])
            case CallEnded(call, outcome):
                self.outcomes[call] = outcome
            case WaitAnnounced(call, _, promise) if promise is not None:
                self.promised.add(call)
            case CallbackClosed(_, CallbackEnd.KEPT):
                self.callbacks_kept += 1
            case NewsIgnored():
                self.ignored += 1
            case _:
                pass

    # The end of the day

    def _everybody_was_cared_for(self) -> None:
        """No caller is forgotten, nobody sits at a dead phone, no promise is open, and everybody has gone home."""
        if self.engine.calls:
            raise Broken(f"forgotten at the end of the day: {list(self.engine.calls)}")
        for agent in self.engine.agents.values():
            if agent.state is not AgentState.LOGGED_OUT:
                raise Broken(f"still here after the day: {agent}")
        if missing := [call for call in sorted(self.inbound) if call not in self.outcomes]:
            raise Broken(f"reached a queue and have no outcome: {missing}")
        if self.watch.books.promises:
            raise Broken(f"promised and not settled: {list(self.watch.books.promises)}")

    def _result(self) -> DayResult:
        outcomes = Counter(self.outcomes[call] for call in self.inbound)
        return DayResult(
            offered=len(self.inbound),
            answered=outcomes[Outcome.ANSWERED],
            abandoned=outcomes[Outcome.ABANDONED_IN_QUEUE] + outcomes[Outcome.ABANDONED_RINGING],
            lost=outcomes[Outcome.LOST],
            refused=sum(outcome is Outcome.REFUSED for outcome in self.outcomes.values()),
            diverted=outcomes[Outcome.VOICEMAIL] + outcomes[Outcome.CALLBACK] + outcomes[Outcome.REDIRECTED],
            mean_wait_seconds=math.fsum(self.waits) / len(self.waits) if self.waits else 0.0,
            promises=len(self.promised),
            callbacks_kept=self.callbacks_kept,
            events=self.events,
            ignored=self.ignored,
            crashes=self.crashes,
            trace=self.trace.hexdigest(),
        )
