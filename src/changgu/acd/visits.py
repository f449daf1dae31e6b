"""What follows from what a caller does: they dial in, come to a queue, press a key, or hang up."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from changgu.acd.call_state import ABANDONED, IN_MENU, OFFERED, SPOKEN, WAITING
from changgu.acd.callback_desk import CallbackDesk
from changgu.acd.callbacks import credited
from changgu.acd.commands import Farewell, HangUpAgent, HangUpCaller, StopRinging
from changgu.acd.events import (
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallLost,
    DeskClosed,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
)
from changgu.acd.facts import (
    CallbackEnd,
    CallEnded,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    MenuStepTaken,
    OfferEnd,
    OfferEnded,
    Outcome,
)
from changgu.acd.hand import Hand
from changgu.acd.identity import Instant
from changgu.acd.records import CallRecord
from changgu.acd.waiting import Waiting, Wish

REPEAT_CALLER = "repeat_caller"

INBOUND: Final = Direction.INBOUND
BY_CALLER: Final = Ender.CALLER

DESK_FULL = "desk_full"
"""Why a caller was refused for whom the desk had no room, whatever queue they wanted."""


class Visits:
    """Decides what follows from news of callers."""

    def __init__(self, hand: Hand, callbacks: CallbackDesk, waiting: Waiting) -> None:
        self._hand = hand
        self._state = hand.state
        self._callbacks = callbacks
        self._waiting = waiting

    def dialled_in(self, event: CallerDialledIn, now: Instant) -> None:
        """A new caller; an old one who is known, or has left already, is not made new by repetition."""
        if event.call in self._state.calls or event.call in self._state.ended:
            self._hand.call_may(event, now)
        else:
            since = None if event.since is None else min(event.since, now)
            started = CallStarted(event.call, INBOUND, event.caller, event.dialled, None, since, event.person)
            self._hand.note(started, now)
            if event.turned_away:
                self._hand.refuse_caller(event.call, Farewell.QUEUE_FULL, DESK_FULL, now)
            else:
                self._callbacks.called_in(self._state.calls[event.call].known_by, now)

    def menu_step(self, event: MenuStepReached, now: Instant) -> None:
        """The caller got further in the menu."""
        if self._hand.call_may(event, now) is not None:
            self._hand.note(MenuStepTaken(event.call, event.node, event.key), now)

    def arrived(self, event: CallArrived, now: Instant) -> None:
        """The caller comes to a queue, or back to the place that they left."""
        hand, state = self._hand, self._state
        if event.call not in state.calls and event.call not in state.ended:
            # Nobody told us of this caller, so nothing they could be told is ready either.
            hand.note(CallStarted(event.call, INBOUND, None, ""), now)
            hand.refuse_caller(event.call, Farewell.ERROR, "error", now)
            return
        call = hand.call_may(event, now)
        if call is None:
            return
        if event.queue not in state.queues:
            hand.refuse_caller(event.call, Farewell.NO_SUCH_QUEUE, "no_such_queue", now)
            return
        since = None if event.since is None else min(event.since, now)
        placed_at = entered_at = since
        came_back = call.diverted is not None and call.queue == event.queue
        if call.queued_at is not None:
            placed_at, entered_at = call.placed_at, call.entered_at if came_back else None
        priority, grounds = event.priority, event.grounds
        if self._gave_up_lately(call, now):
            priority, grounds = priority + state.rules.repeat_priority, grounds | {REPEAT_CALLER}
        promises = state.people.promises_to(call.known_by)
        for promise in promises:
            credit = credited(promise.placed_at, now, state.queue(event.queue).callbacks)
            placed_at = credit if placed_at is None else min(placed_at, credit)
            priority = max(priority, promise.priority)
        language = event.language or call.language
        wish = Wish(priority, event.skills, event.agent, event.last_agent, grounds, language)
        # Whoever sends them back need not remember what they came with.
        if came_back and not (event.priority or event.skills or event.agent):
            wish = replace(Wish.of(call), language=language)
            for promise in promises:
                wish = replace(wish, priority=max(wish.priority, promise.priority))
        newcomer = not came_back and since is None
        self._waiting.enter(
            call, event.queue, wish, now, placed_at=placed_at, entered_at=entered_at, newcomer=newcomer
        )  # fmt: skip
        if call.state is WAITING:
            for promise in promises:
                self._callbacks.close(promise, CallbackEnd.CALLED_IN, now)

    def _gave_up_lately(self, call: CallRecord, now: Instant) -> bool:
        at = self._state.abandoned.get(call.known_by[0]) if call.known_by else None
        return at is not None and now - at <= self._state.rules.repeat_within.total_seconds() > 0

    def key_pressed(self, event: KeyPressed, now: Instant) -> None:
        """A key leads out of the queue at any moment until an agent picks up."""
        call = self._hand.call_may(event, now)
        if call is None:
            return
        to = self._state.queue(call.queue).keys.get(event.key) if call.callback is None else None
        if to is None:
            self._hand.ignore(event, "the key means nothing here", now, call=event.call)
        else:
            self._waiting.key_pressed(call, event.key, to, now)

    def menu_ended(self, event: MenuEnded, now: Instant) -> None:
        """The machine is done with the caller."""
        call = self._hand.call_may(event, now)
        if call is None:
            return
        reason = ""
        if event.outcome is not None:
            outcome = event.outcome
        elif event.served:
            outcome = Outcome.SELF_SERVED
        elif call.diverted is not None:
            outcome, reason = Outcome.REFUSED, call.diverted.value
        else:
            outcome = Outcome.ABANDONED_IN_MENU
        self._hand.note(CallEnded(event.call, outcome, Ender.DESK, reason), now)
        self._hand.do(HangUpCaller(event.call, Farewell.NONE))

    def hung_up(self, event: CallerHungUp, now: Instant) -> None:
        """The caller's leg is gone."""
        call = self._hand.call_may(event, now)
        if call is None:
            return
        if call.state is IN_MENU and call.queued_at is None and event.queue in self._state.queues:
            self._waited(event, call, now)
        outcome = ABANDONED[call.state]
        if call.callback is not None and call.state not in SPOKEN:
            outcome = Outcome.NOT_REACHED
        elif call.diverted is not None:
            outcome = Outcome.ABANDONED_IN_QUEUE
        self._end(event, call, outcome, event.by if call.state in SPOKEN else BY_CALLER, now)

    def _waited(self, event: CallerHungUp, call: CallRecord, now: Instant) -> None:
        """They had come to a queue, and we were gone before it was written down; now they have left it, too."""
        assert event.queue is not None
        since = now if event.queued_at is None else max(call.started_at, min(event.queued_at, now))
        queued = CallQueued(call.call, event.queue, 0, placed_at=since, entered_at=since, language=call.language)
        self._hand.note(queued, now)

    def lost(self, event: CallLost, now: Instant) -> None:
        """The PBX no longer knows the call."""
        call = self._hand.call_may(event, now)
        if call is not None:
            self._end(event, call, Outcome.LOST, Ender.DESK, now)

    def desk_closed(self, event: DeskClosed, now: Instant) -> None:
        """The desk ends the call."""
        call = self._hand.call_may(event, now)
        if call is None:
            return
        spoken = call.state in SPOKEN
        if spoken:
            self._end(event, call, Outcome.ANSWERED, Ender.DESK, now)
        else:
            self._end(event, call, Outcome.REFUSED, Ender.DESK, now, reason="desk_closed")
        self._hand.do(HangUpCaller(event.call, Farewell.NONE if spoken else Farewell.DESK_CLOSED))

    def _end(
        self, event: CallerHungUp | CallLost | DeskClosed, call: CallRecord, outcome: Outcome, by: Ender,
        now: Instant, *, reason: str = "",
    ) -> None:  # fmt: skip
        hand, state, dialled = self._hand, call.state, call.reached or self._hand.dialling(call)
        concerned = hand.open_offers(call)
        for offer, agent in concerned:
            if hand.phone_rings(call):
                hand.do(StopRinging(agent.login, call.call, offer))
            elif state is not OFFERED:
                hand.do(HangUpAgent(agent.login, call.call, offer))
        if state not in SPOKEN:
            for offer, agent in concerned:
                hand.note(OfferEnded(call.call, agent.login, offer, OfferEnd.CALLER_LEFT), now)
        hand.note(CallEnded(call.call, outcome, by, reason), now)
        for _, agent in concerned:
            hand.move(agent, type(event), now, call=call.call, spoken=state in SPOKEN)
        if call.callback is not None and call.answered_at is None:
            self._callbacks.attempt_over(call, reason or outcome.value, now, dialled=dialled)
