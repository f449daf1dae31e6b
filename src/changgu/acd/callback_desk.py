"""Keeps promises to call people back, in the place they had, never two dials at once (lessons 24-27)."""

from __future__ import annotations

from typing import Final

from changgu.acd.call_state import IN_QUEUE, SPOKEN
from changgu.acd.callbacks import attempt_id, credited, known_by, next_hour_to_call, too_late
from changgu.acd.commands import StopRinging
from changgu.acd.events import CallbackAsked, CallbackCancelled
from changgu.acd.facts import (
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallEnded,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    OfferEnd,
    OfferEnded,
    Outcome,
)
from changgu.acd.hand import Hand
from changgu.acd.identity import CallbackId, CallId, Instant
from changgu.acd.occasions import OfferWithdrawn
from changgu.acd.records import CallbackRecord, CallRecord

CALLED_IN: Final = CallbackEnd.CALLED_IN.value
"""Why an attempt was not made whose person is on the line themselves."""


class CallbackDesk:
    """Decides when somebody is dialled, and what follows when they are not reached."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._state = hand.state

    def asked(self, event: CallbackAsked, now: Instant) -> None:
        """One promise for each person: whoever has one keeps it.

        Who is spoken to may be promised another call, and who has just been spoken to, while the agent still wraps
        that up: they are not dialled at once. A call that the news names gives its place.
        """
        state = self._state
        if event.queue not in state.queues or not event.number:
            self._hand.ignore(event, "no such queue or no number", now, call=event.call)
            return
        them = known_by(event.number, event.person)
        if self._is_taken(event.callback, them):
            self._hand.ignore(event, "to be called back already", now, call=event.call)
            return
        named = state.calls.get(event.call) if event.call is not None else None
        theirs = [call for call in state.calls.values() if _is_theirs(call, them)]
        asked_from = self._spoken_by(event.by, theirs) if event.call is None else event.call
        placed_at = now if event.since is None else min(now, event.since)
        priority, skills = event.priority, event.skills
        heard = [*theirs, *self._wrapped_up(them)] if named is None else [named]
        language = next(filter(None, [event.language, *(call.language for call in heard)]), "")
        if named is not None and named.queued_at is not None and named.state not in SPOKEN:
            placed_at = min(placed_at, named.placed_at)
            priority, skills = priority or named.priority, skills or named.needs
        earliest = max(now, event.not_before or now, state.people.let_be_until(them))
        due_at = next_hour_to_call(earliest, state.queue(event.queue).callbacks, state.zone, state.rules.holidays)
        self._hand.note(
            CallbackBooked(
                event.callback, event.number, event.queue, due_at, placed_at, priority, skills, asked_from, language,
                event.person,
            ),
            now,
        )
        record = state.callbacks[event.callback]
        if record.due is not None and record.due <= now:
            self.due(record, now)

    def _is_taken(self, callback: CallbackId, them: tuple[str, ...]) -> bool:
        """Whether there is this promise or one to this person, or they are being dialled; who is spoken to is not."""
        state = self._state
        if callback in state.callbacks or state.people.promises_to(them):
            return True
        attempts = [call for call in state.calls.values() if call.callback is not None]
        return any(
            call.callback == callback or (_is_theirs(call, them) and call.state not in SPOKEN) for call in attempts
        )

    def _spoken_by(self, agent: str | None, theirs: list[CallRecord]) -> CallId | None:
        """The one of somebody's calls in which this agent speaks with them."""
        return next((call.call for call in theirs if call.state in SPOKEN and call.agent == agent), None)

    def _wrapped_up(self, them: tuple[str, ...]) -> list[CallRecord]:
        """The calls with this person that agents wrap up, the latest first; they may still be speaking in one."""
        spoke_in = [agent.spoke_in for agent in self._state.agents.values()]
        theirs = [call for call in spoke_in if call is not None and _is_theirs(call, them)]
        return sorted(theirs, key=_answered_at, reverse=True)

    def cancelled(self, event: CallbackCancelled, now: Instant) -> None:
        """Nobody is to be called back after all; a person who is being dialled is still served."""
        record = self._state.callbacks.get(event.callback)
        if record is None:
            self._hand.ignore(event, "no such promise is open", now)
        else:
            self.close(record, CallbackEnd.CANCELLED, now, by=event.by)

    def due(self, record: CallbackRecord, now: Instant) -> None:
        """The time has come: an attempt takes its place in the queue, or waits for a proper hour."""
        state = self._state
        if record.queue not in state.queues:
            self._hand.note(CallbackClosed(record.callback, CallbackEnd.GIVEN_UP, "no_such_queue"), now)
            return
        rules = state.queue(record.queue).callbacks
        hour = next_hour_to_call(now, rules, state.zone, state.rules.holidays)
        if hour > now:
            self._hand.note(CallbackAttempted(record.callback, record.attempts, hour, "hours"), now)
            return
        number = record.dialled + 1
        while (call := attempt_id(record.callback, number)) in state.calls or call in state.ended:
            number += 1
        started = CallStarted(call, Direction.OUTBOUND, record.number, "", record.callback, None, record.person)
        self._hand.note(started, now)
        placed_at = credited(record.placed_at, record.due_at, rules)
        self._hand.note(
            CallQueued(call, record.queue, record.priority, record.skills, placed_at, language=record.language), now
        )

    def attempt_over(self, call: CallRecord, cause: str, now: Instant, *, dialled: bool) -> None:
        """The attempt did not end in a conversation: once more later, or never again."""
        record = self._state.callbacks.get(call.callback) if call.callback is not None else None
        if record is None:
            return
        rules = self._state.queue(record.queue).callbacks
        attempts = record.attempts + dialled
        if attempts >= rules.attempts:
            self._hand.note(CallbackClosed(record.callback, CallbackEnd.GIVEN_UP), now)
            return
        earliest = now if cause == "hours" else now + rules.retry_after.total_seconds()
        due_at = next_hour_to_call(earliest, rules, self._state.zone, self._state.rules.holidays)
        self._hand.note(CallbackAttempted(record.callback, attempts, due_at, cause), now)

    def too_late(self, call: CallRecord, now: Instant) -> bool:
        """Whether the person of an attempt may not be dialled any more today."""
        state = self._state
        return too_late(now, state.queue(call.queue).callbacks, state.zone, state.rules.holidays)

    def hours_over(self, call: CallRecord, now: Instant) -> None:
        """Too late in the day for an attempt that no agent was free for."""
        self._drop(call, "hours", now)
        self.attempt_over(call, "hours", now, dialled=False)

    def called_in(self, them: tuple[str, ...], now: Instant) -> None:
        """Who is to be called back is on the line themselves: an attempt that dialled nobody yet is not made.

        The promise keeps its place and its time; a conversation, or their coming to a queue, may settle it first.
        """
        for record in self._state.people.promises_to(them):
            call = self._undialled(record)
            if call is not None:
                self._drop(call, CALLED_IN, now)
                self._hand.note(CallbackAttempted(record.callback, record.attempts, record.due_at, CALLED_IN), now)

    def close(self, record: CallbackRecord, end: CallbackEnd, now: Instant, *, by: str | None = None) -> None:
        """Settles a promise early; an attempt that has not been dialled is not made."""
        call = self._undialled(record)
        self._hand.note(CallbackClosed(record.callback, end, by), now)
        if call is not None:
            self._drop(call, end.value, now)

    def _undialled(self, record: CallbackRecord) -> CallRecord | None:
        """The attempt that waits for an agent, or rings at one, before anybody is dialled."""
        call = self._state.calls.get(record.call) if record.call is not None else None
        if call is None or call.reached or call.state not in IN_QUEUE or self._hand.dialling(call):
            return None
        return call

    def _drop(self, call: CallRecord, reason: str, now: Instant) -> None:
        hand = self._hand
        concerned = hand.open_offers(call)
        for offer, agent in concerned:
            hand.do(StopRinging(agent.login, call.call, offer))
            hand.note(OfferEnded(call.call, agent.login, offer, OfferEnd.CALLER_LEFT), now)
        hand.note(CallEnded(call.call, Outcome.NOT_REACHED, Ender.DESK, reason), now)
        for _, agent in concerned:
            hand.move(agent, OfferWithdrawn, now, call=call.call)


def _is_theirs(call: CallRecord, them: tuple[str, ...]) -> bool:
    return any(key in them for key in call.known_by)


def _answered_at(call: CallRecord) -> Instant:
    return call.answered_at or 0.0
