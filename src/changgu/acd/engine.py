"""The ACD engine: who rings, who waits, who gives up.

`handle` decides: from the state, one event and the time it computes facts and commands. `apply` changes
the state, and nothing else does: every fact that `handle` returns has been applied already, and applying
the same facts to a fresh engine gives the same state (`restore`). There is no clock, no waiting and no
chance in here; the same events at the same times give the same effects, to the byte.

Nobody polls. Callers and agents meet when something changes for one of them: news is taken in first, by the part of
the engine that it concerns (`visits`, `waiting`, `offers`, `wishes`, `callback_desk`); then `distribution` joins free
agents and waiting callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from changgu.acd.agent_words import AgentState
from changgu.acd.call_state import CONNECTING, OFFERED, WAITING
from changgu.acd.callback_desk import CallbackDesk
from changgu.acd.distribution import Distribution
from changgu.acd.estimated_wait import Forecast
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
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    ConversationMissing,
    DeadlinePassed,
    DeskClosed,
    DesktopGone,
    DesktopSeen,
    DialFailed,
    Event,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
    MoreWrapUpWanted,
    PartiesConnected,
    PersonReached,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
    ToldLate,
)
from changgu.acd.explain import Unserved, unserved
from changgu.acd.facts import Emergency, Fact, FloorTakenUp, Recorded
from changgu.acd.floor_json import floor_digest
from changgu.acd.floor_state import FloorState
from changgu.acd.hand import Effect as Effect
from changgu.acd.hand import Hand
from changgu.acd.hand import RequestRefused as RequestRefused
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.lines import Lines
from changgu.acd.offers import Offers
from changgu.acd.promises import Score
from changgu.acd.queues import Floor
from changgu.acd.records import AgentRecord, AgentView, CallbackRecord, CallbackView, CallRecord, CallView, Views
from changgu.acd.visits import Visits
from changgu.acd.waiting import Waiting
from changgu.acd.wishes import Wishes


class HalfDecided(Exception):
    """The engine failed in the middle of an event, a fault of ours; `effects` are those that are true already."""

    def __init__(self, effects: list[Effect]) -> None:
        super().__init__("the engine failed in the middle of a decision")
        self.effects = effects


class Engine:
    """Distributes callers to agents on one floor.

    Begin, and begin again after a restart, with `engine = Engine.restore(floor, recorded)`, and carry out what
    `engine.configure(floor, now)` returns: it settles whatever the ledger's last lines left open, signs out agents
    who are off the list, and notes by which set-up the floor goes on.
    """

    def __init__(self, floor: Floor, *, first_offer: int = 1) -> None:
        self._state = state = FloorState(floor, first_offer)
        self._deadlines = state.limits.deadlines
        self._hand = hand = Hand(state)
        self._callbacks = callbacks = CallbackDesk(hand)
        self._waiting = waiting = Waiting(hand, callbacks)
        self._offers = offers = Offers(hand, callbacks)
        self._wishes = wishes = Wishes(hand, offers)
        self._distribution = Distribution(hand, callbacks)
        visits = Visits(hand, callbacks, waiting)
        self._behind = False
        """What happened before now has been told, and nobody has been brought together since."""
        self.agents: Mapping[AgentId, AgentView] = Views(state.agents, AgentRecord.view)
        self.calls: Mapping[CallId, CallView] = Views(state.calls, CallRecord.view)
        self.callbacks: Mapping[CallbackId, CallbackView] = Views(state.callbacks, CallbackRecord.view)
        self._deciders: dict[type, Callable[..., None]] = {
            CallerDialledIn: visits.dialled_in,
            MenuStepReached: visits.menu_step,
            CallArrived: visits.arrived,
            KeyPressed: visits.key_pressed,
            MenuEnded: visits.menu_ended,
            CallerHungUp: visits.hung_up,
            CallLost: visits.lost,
            DeskClosed: visits.desk_closed,
            AgentAnswered: offers.answered,
            RingFailed: offers.ring_failed,
            PartiesConnected: offers.connected,
            ConnectFailed: offers.connect_failed,
            AgentHungUp: offers.agent_hung_up,
            ConversationMissing: offers.conversation_missing,
            CallHeld: offers.hold,
            CallResumed: offers.hold,
            PersonReached: offers.person_reached,
            DialFailed: offers.dial_failed,
            PhoneReachable: wishes.phone,
            PhoneUnreachable: wishes.phone,
            DesktopSeen: wishes.desktop,
            DesktopGone: wishes.desktop,
            AgentSignedIn: wishes.wish,
            AgentSignedOut: wishes.wish,
            AgentReady: wishes.wish,
            AgentNotReady: wishes.wish,
            AgentForced: wishes.forced,
            MoreWrapUpWanted: wishes.more_wrap_up,
            CallbackAsked: callbacks.asked,
            CallbackCancelled: callbacks.cancelled,
            DeadlinePassed: self._deadline_passed,
        }

    # The outside

    @classmethod
    def restore(cls, floor: Floor, recorded: Iterable[Recorded], *, first_offer: int = 1) -> Engine:
        """The engine that lived through these facts, rebuilt from them."""
        engine = cls(floor, first_offer=first_offer)
        for record in recorded:
            engine.apply(record.fact, record.at)
        return engine

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Takes in one event at one time; answers with what has happened and what is to be done.

        All returned facts have been applied. Facts of one event belong together: whoever writes them down
        writes all or none. Raises `HalfDecided` when it fails, so that even then memory and ledger stay the same.
        """
        effects: list[Effect] = []
        self._hand.effects = effects
        state = self._state
        try:
            self._deciders[type(event)](event, now)
            if state.signed_out:
                self._waiting.wait_for_anybody(now)
            while state.fresh or state.returned:
                self._distribution.run(now)
            if state.recheck:
                self._distribution.let_in(now)
        except Exception as fault:
            raise HalfDecided(effects) from fault
        return effects

    def catch_up(self, event: ToldLate, now: Instant) -> tuple[Instant, list[Effect]]:
        """Takes in news of what happened while nobody listened; answers like `handle`, and for which time.

        That is the time which the news tells, unless more recent things are known of the call or its agents: a state
        never ends before it began. Nobody rings in the past: who is free and who waits are brought together by the
        next event, for which `next_deadline` asks at once.
        """
        effects: list[Effect] = []
        self._hand.effects = effects
        at = self._hand.time_of(event.call, event.at, now)
        try:
            self._deciders[type(event)](event, at)
        except Exception as fault:
            raise HalfDecided(effects) from fault
        finally:
            self._behind = True
        return at, effects

    def configure(
        self, floor: Floor, now: Instant, emergency: Emergency | None = None, by: str | None = None, why: str = ""
    ) -> list[Effect]:
        """Takes up a new floor while calls go on. Refuses as a whole, with `UnknownStrategy`, what it cannot run.

        `emergency` is the plan by which this floor is not the ordinary one; `by` and `why` tell of turning it on or
        off. All three are only written down: what holds is the floor.

        - An agent taken off the list finishes the call on their hands and its wrap-up, and is then signed out.
        - A queue taken off the list accepts no new callers. Those who wait in it keep their places as long as any
          agent on the list still has the queue; when none has, nobody would ever come, so they are told that the
          queue does not exist and the call ends REFUSED: counted, never silently lost.
        - New limits hold for what is ringing, waiting and being wrapped up now, counted from when that began.
        """
        Lines({queue.name: queue for queue in floor.queues}, ())
        effects: list[Effect] = []
        self._hand.effects = effects
        digest = floor_digest(floor)
        if (digest, emergency) != (self._state.digest, self._state.emergency):
            self._hand.note(FloorTakenUp(digest, emergency, by, why), now)
        self._state.set_up(floor)
        self._waiting.take_new_steps(now)
        for agent in [agent for agent in self._state.agents.values() if not agent.on_floor]:
            self._wishes.wish(AgentSignedOut(agent.login), now)
            if agent.state is AgentState.LOGGED_OUT:
                self._hand.part_with(agent, now)
        self._waiting.wait_for_anybody(now)
        while self._state.fresh or self._state.returned:
            self._distribution.run(now)
        self._distribution.let_in(now)
        return effects

    def next_deadline(self) -> Instant | None:
        """When `DeadlinePassed` is wanted next; None while no limit runs."""
        return 0.0 if self._behind else self._deadlines.next()

    def apply(self, fact: Fact, at: Instant) -> None:
        """Makes a fact true; the state changes in no other way."""
        self._state.apply(fact, at)

    def picture(self) -> Mapping[str, object]:
        """All that can be seen of the state; two engines with equal pictures go on alike."""
        agents = self.agents.values()
        calls = self._state.calls.values()
        waiting = sorted((call for call in calls if call.state is WAITING), key=_place)
        return {
            "agents": {
                view.login: replace(view, since=0.0) if view.state is AgentState.LOGGED_OUT else view for view in agents
            },
            "calls": dict(self.calls),
            "waiting": [call.call for call in waiting],
            "callbacks": dict(self.callbacks),
            "ended": list(self._state.ended),
            "abandoned": dict(self._state.abandoned),
            "spoken_to": dict(self._state.people.spoken_to),
            "next_offer": self._state.next_offer,
            "next_deadline": self._deadlines.next(),
        }

    def entries(self) -> int:
        """How many entries its lines and limits hold: bounded by who is here, not by who has ever been."""
        return self._state.entries()

    def waiting(self, queue: QueueName) -> list[CallView]:
        """Who waits in a queue, in order of their places. Callers whose offer is open are not among them."""
        calls = self._state.calls.values()
        waiting = [call for call in calls if call.queue == queue and call.state is WAITING]
        return [call.view() for call in sorted(waiting, key=_place)]

    def unserved(self, call: CallId, now: Instant) -> Unserved | None:
        """How a caller waits, and what the agents of the queue do meanwhile; None for one who is not waiting."""
        return unserved(self._state, call, now)

    def forecast(self, queue: QueueName, now: Instant) -> Forecast | None:
        """How long somebody would wait who came to a queue now; None when nobody is here who could take them."""
        confidence = self._state.rules.promise_confidence
        return self._state.newcomers_outlook(queue, 0, frozenset(), now, confidence)

    def kept_promises(self) -> Mapping[QueueName, Score]:
        """How often callers were answered within what they were told, by queue, since the engine began to count."""
        return self._state.outlook.coverage.scores

    @property
    def next_offer(self) -> OfferId:
        """The id that the next offer will have."""
        return OfferId(self._state.next_offer)

    def recently_ended(self, call: CallId) -> bool:
        """Whether this call is known to be over."""
        return call in self._state.ended

    # Limits

    def _deadline_passed(self, event: DeadlinePassed, now: Instant) -> None:
        deadlines, self._behind = self._deadlines, False
        while (due := deadlines.next()) is not None and due <= now:
            timed = deadlines.take()
            if isinstance(timed, AgentRecord):
                self._wishes.limit_passed(timed, now)
            elif isinstance(timed, CallRecord):
                if timed.state is WAITING:
                    self._waiting.due(timed, now)
                elif timed.state is OFFERED:
                    self._waiting.take_steps(timed, now)  # everybody rings, and more may
                elif timed.state is CONNECTING:
                    self._offers.connect_limit_passed(timed, now)
            elif isinstance(timed, CallbackRecord):
                self._callbacks.due(timed, now)


def _place(call: CallRecord) -> tuple[float, int]:
    return (call.key, call.seq)
