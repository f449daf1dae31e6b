"""What happens to a caller while they wait: fewer demands, other ways out, and word of where they stand."""

from __future__ import annotations

from collections.abc import Callable

from changgu.acd.call_state import CallState
from changgu.acd.callback_desk import CallbackDesk
from changgu.acd.callbacks import last_moment
from changgu.acd.commands import Announce, Divert, Farewell, PlayMusicOnHold, StopRinging
from changgu.acd.facts import (
    CallOverflowed,
    CallQueued,
    CallWidened,
    Departure,
    OfferEnd,
    OfferEnded,
    WaitAnnounced,
)
from changgu.acd.hand import Hand
from changgu.acd.identity import AgentId, Instant, QueueName
from changgu.acd.occasions import OfferWithdrawn
from changgu.acd.overflow import Crowd, rules_on_arrival, time_limits
from changgu.acd.queues import Destination, Way
from changgu.acd.records import CallRecord
from changgu.acd.skills import relaxed

FAREWELLS = {
    Departure.FULL: Farewell.QUEUE_FULL,
    Departure.RATIO: Farewell.QUEUE_FULL,
    Departure.ESTIMATE: Farewell.QUEUE_FULL,
    Departure.UNSTAFFED: Farewell.NOBODY_HERE,
    Departure.DESERTED: Farewell.NOBODY_HERE,
    Departure.WAITED: Farewell.WAITED_TOO_LONG,
    Departure.KEY: Farewell.NONE,
}

Promise = Callable[[CallRecord, Instant], float | None]
"""Seconds within which a caller who waits will probably be answered; None when nobody can say."""


class Waiting:
    """Lets callers into queues, looks after them there, and leads them out."""

    def __init__(self, hand: Hand, callbacks: CallbackDesk, promise: Promise) -> None:
        self._hand = hand
        self._state = hand.state
        self._callbacks = callbacks
        self._promise = promise

    # In

    def enter(
        self, call: CallRecord, name: QueueName, now: Instant,
        *, priority: int, skills: frozenset[str], agent: AgentId | None, last_agent: AgentId | None,
        grounds: frozenset[str], placed_at: Instant | None, entered_at: Instant | None, newcomer: bool,
    ) -> None:  # fmt: skip
        """The caller comes to a queue; its rules for arrivals concern newcomers."""
        hand, queue = self._hand, self._state.queue(name)
        found = []
        if newcomer and queue.overflows and name not in call.been_in:
            crowd = Crowd(self._crowd(name), self._state.staffed(name), lambda: self._promise_for(call, name, now))
            found = list(rules_on_arrival(queue, crowd))
        if found and found[-1][1].to.way is not Way.OPEN:
            number, rule = found[-1]
            hand.note(CallOverflowed(call.call, name, rule.when, str(rule.to), None, number), now)
            call.priority, call.needs, call.named, call.last_agent = priority, skills, agent, last_agent
            call.grounds = grounds
            self._lead_out(call, name, rule.to, rule.when, now)
            return
        hand.note(
            CallQueued(call.call, name, priority, skills, placed_at, entered_at, agent, last_agent, grounds), now
        )  # fmt: skip
        if call.callback is None:
            hand.do(PlayMusicOnHold(call.call, name))
        for number, rule in found:
            hand.note(CallOverflowed(call.call, name, rule.when, str(rule.to), None, number), now)
        self.take_steps(call, now, frozenset(QueueName(rule.to.name) for _, rule in found))

    def _crowd(self, name: QueueName) -> int:
        ahead = (CallState.WAITING, CallState.OFFERED)
        calls = self._state.calls.values()
        return sum(call.queue == name and call.callback is None and call.state in ahead for call in calls)

    def _promise_for(self, call: CallRecord, name: QueueName, now: Instant) -> float | None:
        """What a newcomer who does not wait yet would be told."""
        if call.queue is not None:
            return None
        would_be = CallRecord(call.call, call.caller, call.dialled, now, queue=name, queued_at=now, placed_at=now)
        would_be.entered_at = would_be.key = now
        would_be.seq = 2**62
        return self._promise(would_be, now)

    # While waiting

    def take_steps(self, call: CallRecord, now: Instant, opened: frozenset[QueueName] = frozenset()) -> None:
        """Takes all steps that are due, and opens the call to further queues."""
        state = self._state
        reach = call.reach
        while (step := state.next_step(call, reach)) is not None and call.entered_at + step <= now:
            reach = step
        if reach == call.reach and opened <= call.opened:
            return
        reach = max(0.0, reach)
        taken = [step for step in state.queue(call.queue).relaxations if step.after.total_seconds() <= reach]
        lapse = state.lapse(call)
        self._hand.note(
            CallWidened(
                call.call,
                reach,
                relaxed(call.needs, taken),
                call.opened.union(opened, *(step.open for step in taken)),
                lapse is not None and lapse <= reach,
            ),
            now,
        )

    def due(self, call: CallRecord, now: Instant) -> None:
        """Something is due for a caller who waits: steps, then ways out, then word of where they stand."""
        state, queue = self._state, self._state.queue(call.queue)
        undialled = call.callback is not None and not call.reached
        if undialled and last_moment(call.queued_at or 0.0, queue.callbacks, state.zone) <= now:
            self._callbacks.hours_over(call, now)
            return
        self.take_steps(call, now)
        if call.callback is not None:
            state.set_call_deadline(call)
            return
        since = state.deserted_since(queue.name)
        for at, number, rule in list(time_limits(queue, call.entered_at, since)):
            if at <= now and number not in call.fired:
                self._hand.note(CallOverflowed(call.call, queue.name, rule.when, str(rule.to), None, number), now)
                self._lead_out(call, queue.name, rule.to, rule.when, now)
                if rule.to.way is not Way.OPEN:
                    return
        told = state.next_announcement(call)
        if told is not None and told <= now:
            self._announce(call, now)
        state.set_call_deadline(call)

    def _announce(self, call: CallRecord, now: Instant) -> None:
        queue = self._state.queue(call.queue)
        rules = queue.announcements
        position = promise = None
        if rules.position:
            place = (call.key, call.seq)
            position = 1 + sum(
                other.queue == call.queue and other.state is CallState.WAITING and (other.key, other.seq) < place
                for other in self._state.calls.values()
            )
        if rules.estimate:
            promise = self._promise(call, now)
        comfort = rules.comfort[call.announced % len(rules.comfort)] if rules.comfort else ""
        self._hand.note(WaitAnnounced(call.call, position, promise), now)
        self._hand.do(Announce(call.call, queue.name, position, promise, comfort))

    # Out

    def key_pressed(self, call: CallRecord, key: str, to: Destination, now: Instant) -> None:
        """The caller asked for another way; whoever rang for them keeps their turn."""
        hand, name = self._hand, call.queue or QueueName("")
        if to.way is not Way.OPEN:
            concerned = hand.open_offers(call)
            for offer, agent in concerned:
                hand.do(StopRinging(agent.login, call.call, offer))
                hand.note(OfferEnded(call.call, agent.login, offer, OfferEnd.CALLER_LEFT), now)
            for _, agent in concerned:
                hand.move(agent, OfferWithdrawn, now, call=call.call)
        hand.note(CallOverflowed(call.call, name, Departure.KEY, str(to), key), now)
        self._lead_out(call, name, to, Departure.KEY, now)

    def _lead_out(self, call: CallRecord, name: QueueName, to: Destination, why: Departure, now: Instant) -> None:
        hand, other = self._hand, QueueName(to.name)
        match to.way:
            case Way.OPEN:
                self.take_steps(call, now, frozenset({other}))
            case Way.QUEUE if other in self._state.queues:
                self.enter(
                    call, other, now, priority=call.priority, skills=call.needs, agent=call.named,
                    last_agent=call.last_agent, grounds=call.grounds, placed_at=call.placed_at, entered_at=None,
                    newcomer=True,
                )  # fmt: skip
            case Way.QUEUE:
                hand.refuse_caller(call.call, Farewell.NO_SUCH_QUEUE, "no_such_queue", now)
            case Way.REFUSE:
                hand.refuse_caller(call.call, FAREWELLS[why], why.value, now)
            case _:
                hand.do(Divert(call.call, name, to))
