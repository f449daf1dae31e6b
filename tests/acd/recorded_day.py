"""A day of random news on a floor with every sort of rule, with the ledger that a service would have written."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from types import MappingProxyType

from msgspec.structs import replace

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.call_state import SPOKEN
from changgu.acd.engine import Engine
from changgu.acd.event_json import Cause, FloorOpened
from changgu.acd.events import (
    AgentAnswered,
    AgentForced,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerDialledIn,
    CallerHungUp,
    ConnectFailed,
    DeadlinePassed,
    DesktopGone,
    DesktopSeen,
    DialFailed,
    Event,
    KeyPressed,
    PartiesConnected,
    PersonReached,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import Departure, Emergency, Fact, FloorTakenUp, Recorded
from changgu.acd.floor_json import floor_digest
from changgu.acd.hand import Effect
from changgu.acd.identity import AgentId, CallbackId, CallId, QueueName
from changgu.acd.queues import (
    Agent,
    Announcements,
    Destination,
    Floor,
    Overflow,
    Queue,
    Relaxation,
    Rules,
    Seat,
    Way,
)
from changgu.acd.records import CallView

SECOND = timedelta(seconds=1)
HELPDESK, NETWORK, PC, EVERYBODY = (QueueName(name) for name in ("helpdesk", "network", "pc", "everybody"))

FLOOR = Floor(
    (
        Queue(
            HELPDESK, "대표 상담", strategy="round_robin", wrap_up=10 * SECOND, keys={"2": Destination(Way.CALLBACK)},
            overflows=(Overflow(Departure.WAITED, Destination(Way.QUEUE, "network"), 90),),
            announcements=Announcements(20 * SECOND, 30 * SECOND, position=True, estimate=True),
        ),
        Queue(
            NETWORK, "네트워크", strategy="most_skilled", wrap_up=15 * SECOND,
            relaxations=(
                Relaxation(30 * SECOND, lower=3, open=frozenset({PC})), Relaxation(60 * SECOND, drop=frozenset({"*"})),
            ),
            overflows=(Overflow(Departure.ESTIMATE, Destination(Way.OPEN, "everybody"), 200),),
        ),
        Queue(PC, "PC", strategy="last_agent", last_agent_wait=15 * SECOND, wrap_up=0 * SECOND, priority=1),
        Queue(EVERYBODY, "모두", strategy="ring_all", wrap_up=5 * SECOND),
    ),
    (
        Agent(AgentId("alice"), "앨리스", frozenset({HELPDESK, NETWORK}), frozenset({"vpn:8"})),
        Agent(
            AgentId("bob"), "밥", frozenset({HELPDESK, NETWORK, PC, EVERYBODY}), frozenset({"vpn:3"}),
            seats=MappingProxyType({NETWORK: Seat(2, 20 * SECOND)}),
        ),
        Agent(AgentId("carol"), "캐럴", frozenset({PC, EVERYBODY}), frozenset({"erp"})),
        Agent(AgentId("dave"), "데이브", frozenset({HELPDESK, PC, EVERYBODY}), wrap_up=3 * SECOND),
    ),
    Rules(reason_limits=MappingProxyType({"meal": timedelta(minutes=2)})),
)  # fmt: skip


class RecordedDay:
    """Random news at random times, as a network and people make it, and what the engine made of it."""

    def __init__(self, seed: int, floor: Floor = FLOOR, start: float = 1_790_038_800.0) -> None:
        """It starts at ten in the morning, when people may be called back."""
        self.random = Random(seed)
        self.floor = floor
        self.floors = {floor_digest(floor): floor}
        self.engine = Engine(floor)
        self.now = start
        self.recorded: list[Recorded] = []
        self.calls = 0
        self.promises = 0
        self._write(FloorOpened(floor_digest(floor)), self.engine.configure(floor, self.now))

    def restart(self, known: Sequence[Recorded], next_offer: int) -> None:
        """The program ends and begins again, with what was found in the ledger."""
        self.engine = Engine.restore(self.floor, known, first_offer=next_offer)
        self._write(FloorOpened(floor_digest(self.floor)), self.engine.configure(self.floor, self.now))

    def go_on(self, steps: int) -> None:
        """So many events more."""
        for _ in range(steps):
            self.now = round(self.now + self.random.expovariate(1 / 3), 6)
            event = self.news()
            self._write(event, self.engine.handle(event, self.now))

    def reload(
        self, floor: Floor, emergency: Emergency | None = None, by: str | None = None, why: str = ""
    ) -> None:
        """The floor is set up anew, perhaps by an emergency plan."""
        self.floor = floor
        self.floors[floor_digest(floor)] = floor
        order = FloorTakenUp(floor_digest(floor), emergency, by, why)
        self._write(order, self.engine.configure(floor, self.now, emergency, by, why))

    def _write(self, cause: Cause, effects: list[Effect]) -> None:
        because: Cause | None = cause
        for effect in effects:
            if isinstance(effect, Fact):
                self.recorded.append(Recorded(len(self.recorded) + 1, self.now, effect, because))
                because = None

    def news(self) -> Event:
        """What might be told now."""
        choice = self.random.choice
        due = self.engine.next_deadline()
        if due is not None and due <= self.now:
            return DeadlinePassed()
        agent = choice(self.floor.agents).login
        calls = list(self.engine.calls.values())
        ringing = [(agent, call.call, offer) for call in calls for agent, offer in call.ringing]
        ringing += [
            (call.agent, call.call, call.offer)
            for call in calls
            if call.agent is not None and call.offer is not None and not call.ringing
        ]
        possible: list[Event] = [
            AgentReady(agent), AgentReady(agent), AgentNotReady(agent, NotReadyReason.MEAL), PhoneReachable(agent),
            PhoneReachable(agent), self._new_call(),
        ]  # fmt: skip
        if self.random.random() < 0.1:
            possible += [
                AgentSignedOut(agent), PhoneUnreachable(agent), AgentSignedIn(agent), DesktopSeen(agent),
                DesktopGone(agent), AgentForced(agent, AgentState.NOT_READY, "root", NotReadyReason.TRAINING),
            ]  # fmt: skip
        if calls:
            call = choice(calls)
            arrived = CallArrived(
                call.call, choice([queue.name for queue in self.floor.queues]), self.random.randrange(2),
                choice([frozenset(), frozenset({"vpn:5"}), frozenset({"erp"})]),
                last_agent=choice([None, agent]),
            )  # fmt: skip
            possible += [arrived, arrived, KeyPressed(call.call, "2")]
            if self.random.random() < 0.5:
                possible.append(CallerHungUp(call.call))
            if call.callback is not None:
                possible += [PersonReached(call.call), PersonReached(call.call), DialFailed(call.call, "busy")] * 2
            if call.diverted is not None or call.state in SPOKEN:
                possible += self._promises(call) * 3
        if self.engine.callbacks and self.random.random() < 0.3:
            possible.append(CallbackCancelled(choice(list(self.engine.callbacks)), choice([None, agent])))
        if ringing:
            on = choice(ringing)
            possible += [AgentAnswered(*on), PartiesConnected(*on), AgentHungUp(*on)] * 2
            possible += [RingFailed(*on, "busy"), ConnectFailed(*on, "gone")]
        return choice(possible)

    def _promises(self, call: CallView) -> list[Event]:
        """They ask to be called back, there or elsewhere, by a key or of an agent, whose word names no call."""
        self.promises += 1
        number = self.random.choice([call.caller or "", f"0100{self.promises % 20}"])
        asked = CallbackAsked(CallbackId(f"b{self.promises}"), number, HELPDESK, call.call)
        return [asked, replace(asked, call=None, by=call.agent)]

    def _new_call(self) -> Event:
        self.calls += 1
        return CallerDialledIn(CallId(f"c{self.calls}"), f"0109{self.calls % 7}", "1000")
