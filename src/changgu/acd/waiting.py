"""What happens to a caller while they wait: fewer demands, other ways out, and word of where they stand."""

from __future__ import annotations

from functools import partial
from operator import itemgetter

from changgu.acd.agent_words import AgentState
from changgu.acd.call_state import IN_QUEUE, CallState
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
from changgu.acd.message import Message
from changgu.acd.occasions import OfferWithdrawn
from changgu.acd.overflow import Crowd, is_followed, rules_on_arrival, time_limits
from changgu.acd.promises import told
from changgu.acd.queues import Destination, Overflow, Queue, Way
from changgu.acd.records import CallRecord
from changgu.acd.skills import levels, suffices

FAREWELLS = {
    Departure.FULL: Farewell.QUEUE_FULL,
    Departure.RATIO: Farewell.QUEUE_FULL,
    Departure.ESTIMATE: Farewell.QUEUE_FULL,
    Departure.UNSTAFFED: Farewell.NOBODY_HERE,
    Departure.DESERTED: Farewell.NOBODY_HERE,
    Departure.WAITED: Farewell.WAITED_TOO_LONG,
    Departure.KEY: Farewell.NONE,
}

KEEPS_PLACE = (*IN_QUEUE, CallState.CONNECTING)
"""States of callers who are, or may be again, in their place in the queue."""

NO_QUEUES: frozenset[QueueName] = frozenset()


class Wish(Message, frozen=True):
    """What a caller brings to a queue, and takes along to the next."""

    priority: int = 0
    skills: frozenset[str] = frozenset()
    agent: AgentId | None = None
    last_agent: AgentId | None = None
    grounds: frozenset[str] = frozenset()
    language: str = ""

    @classmethod
    def of(cls, call: CallRecord) -> Wish:
        """What a caller who waits brought."""
        return cls(call.priority, call.needs, call.named, call.last_agent, call.grounds, call.language)


class Waiting:
    """Lets callers into queues, looks after them there, and leads them out."""

    def __init__(self, hand: Hand, callbacks: CallbackDesk) -> None:
        self._hand = hand
        self._state = hand.state
        self._callbacks = callbacks

    # In

    def enter(
        self, call: CallRecord, name: QueueName, wish: Wish, now: Instant,
        *, placed_at: Instant | None = None, entered_at: Instant | None = None, newcomer: bool = True,
    ) -> None:  # fmt: skip
        """The caller comes to a queue; its rules for arrivals concern newcomers."""
        hand, queue = self._hand, self._state.queue(name)
        found = []
        if newcomer and queue.overflows and name not in call.been_in:
            newcomers_wait = partial(self._newcomers_wait, name, wish, now)
            crowd = Crowd(self._crowd(name), self._state.staffed(name), newcomers_wait)
            found = list(rules_on_arrival(queue, crowd))
        if found and found[-1][1].to.way is not Way.OPEN:
            number, rule = found[-1]
            hand.note(
                CallOverflowed(
                    call.call, name, rule.when, str(rule.to), None, number,
                    wish.priority, wish.skills, wish.agent, wish.last_agent, wish.grounds, float(rule.limit),
                ),
                now,
            )  # fmt: skip
            earliest = call.placed_at if placed_at is None else min(placed_at, call.placed_at)
            self._lead_out(call, name, rule.to, rule.when, wish, now, earliest)
            return
        hand.note(
            CallQueued(
                call.call, name, wish.priority, wish.skills, placed_at, entered_at, wish.agent, wish.last_agent,
                wish.grounds, self._waits_for(queue, wish), wish.language,
            ),
            now,
        )  # fmt: skip
        if call.callback is None:
            hand.do(PlayMusicOnHold(call.call, name))
        for number, rule in found:
            hand.note(_followed(call, name, number, rule), now)
        if found:
            opened = frozenset(QueueName(rule.to.name) for _, rule in found)
            self.take_steps(call, now, opened)
            self._open_to_others(call, name, found, opened, now)
        elif call.due is not None and call.due <= now:
            self.take_steps(call, now)

    def _open_to_others(
        self, newcomer: CallRecord, name: QueueName, rules: list[tuple[int, Overflow]], opened: frozenset[QueueName],
        now: Instant,
    ) -> None:  # fmt: skip
        """What overload opens to a newcomer it opens to all who wait there: they came before."""
        for call in self._state.calls.values():
            if call is newcomer or call.queue != name or call.state not in IN_QUEUE or call.callback is not None:
                continue
            for number, rule in rules:
                if not is_followed(rule, call.fired):
                    self._hand.note(_followed(call, name, number, rule), now)
            self.take_steps(call, now, opened)

    def _crowd(self, name: QueueName) -> int:
        calls = self._state.calls.values()
        return sum(call.queue == name and call.callback is None and call.state in IN_QUEUE for call in calls)

    def _waits_for(self, queue: Queue, wish: Wish) -> AgentId | None:
        """The one agent this caller waits for at first: nobody in particular when they are not here to serve them."""
        wanted = wish.agent
        if wanted is None and queue.strategy == "last_agent" and queue.last_agent_wait.total_seconds() > 0:
            wanted = wish.last_agent
        agent = self._state.agents.get(wanted) if wanted is not None else None
        if agent is None or not agent.on_floor or agent.state is AgentState.LOGGED_OUT:
            return None
        serves = queue.name in agent.settings.queues and suffices(agent.levels, levels(wish.skills))
        return wanted if serves else None

    def _newcomers_wait(self, name: QueueName, wish: Wish, now: Instant) -> float | None:
        outlook = self._state.newcomers_outlook(name, wish.priority, wish.skills, now)
        return None if outlook is None else outlook.promise

    # While waiting

    def take_steps(self, call: CallRecord, now: Instant, opened: frozenset[QueueName] = NO_QUEUES) -> None:
        """Takes all steps that are due, and opens the call to further queues."""
        state = self._state
        reach = call.reach
        while (step := state.limits.next_step(call, reach)) is not None and call.entered_at + step <= now:
            reach = step
        lapse = None if call.wants is None else state.limits.lapse(call)
        waited = lapse is not None and call.entered_at + lapse <= now
        lapsed = waited or state.waits_in_vain(call)
        if reach == call.reach and opened <= call.opened and not lapsed:
            return
        reach = max(0.0, reach, lapse if waited and lapse is not None else 0.0)
        skills, further = state.limits.relaxed(call, reach)
        opened = call.opened | opened if opened else call.opened
        if further:
            opened = opened | further
        self._hand.note(CallWidened(call.call, reach, skills, opened, lapsed), now)

    def wait_for_anybody(self, now: Instant) -> None:
        """The wish for an agent who has signed out, or may serve the caller no more, lapses.

        Also of those who are being connected: when that fails they are back in their place.
        """
        state = self._state
        state.signed_out = False
        for call in state.calls.values():
            if call.wants is not None and call.state in KEEPS_PLACE and state.waits_in_vain(call):
                self.take_steps(call, now)

    def take_new_steps(self, now: Instant) -> None:
        """Steps that came with new rules, for callers who have waited longer than that already.

        Also for those who are being connected: when that fails they are back in their place.
        """
        for call in self._state.calls.values():
            if call.state in KEEPS_PLACE and call.reach > 0.0:
                skills, opened = self._state.limits.relaxed(call, call.reach)
                if skills != call.skills or not opened <= call.opened:
                    self._hand.note(CallWidened(call.call, call.reach, skills, call.opened | opened), now)

    def due(self, call: CallRecord, now: Instant) -> None:
        """Something is due for a caller who waits: steps, then ways out, then word of where they stand."""
        state, queue = self._state, self._state.queue(call.queue)
        undialled = call.callback is not None and not call.reached
        if undialled and last_moment(call.queued_at or 0.0, queue.callbacks, state.zone) <= now:
            self._callbacks.hours_over(call, now)
            return
        self.take_steps(call, now)
        if call.callback is not None:
            state.limits.set_for_call(call)
            return
        if queue.overflows and self._overflow_due(call, queue, now):
            return
        told = state.limits.next_announcement(call)
        if told is not None and told <= now:
            self._announce(call, now)
        state.limits.set_for_call(call)

    def _overflow_due(self, call: CallRecord, queue: Queue, now: Instant) -> bool:
        """Follows the rules about waiting that are due; whether one of them led the caller out."""
        since = self._state.deserted_since(queue.name)
        for at, number, rule in sorted(time_limits(queue, call.entered_at, since), key=itemgetter(0)):
            if at <= now and not is_followed(rule, call.fired):
                self._hand.note(_followed(call, queue.name, number, rule), now)
                self._lead_out(call, queue.name, rule.to, rule.when, Wish.of(call), now, call.placed_at)
                if rule.to.way is not Way.OPEN:
                    return True
        return False

    def _announce(self, call: CallRecord, now: Instant) -> None:
        state, queue = self._state, self._state.queue(call.queue)
        rules = queue.announcements
        position = promise = foreseen = None
        if rules.position:
            place = (call.key, call.seq)
            position = 1 + sum(
                other.queue == call.queue and other.state is CallState.WAITING and (other.key, other.seq) < place
                for other in state.calls.values()
            )
        if rules.estimate:
            foreseen = state.outlook.forecast(call, state.lines, state.worth, now)
            promise = told(call.promise, foreseen, now)
        left = None if promise is None else round(promise.left(now), 3)
        comfort = rules.comfort[call.announced % len(rules.comfort)] if rules.comfort else ""
        staffed, ahead = (0, 0) if foreseen is None else (foreseen.staffed, foreseen.ahead)
        self._hand.note(WaitAnnounced(call.call, position, left, staffed, ahead), now)
        self._hand.do(Announce(call.call, queue.name, position, left, comfort))

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
        self._lead_out(call, name, to, Departure.KEY, Wish.of(call), now, call.placed_at)

    def _lead_out(
        self, call: CallRecord, name: QueueName, to: Destination, why: Departure, wish: Wish, now: Instant,
        placed_at: Instant,
    ) -> None:  # fmt: skip
        hand, other = self._hand, QueueName(to.name)
        match to.way:
            case Way.OPEN:
                self.take_steps(call, now, frozenset({other}))
            case Way.QUEUE if other in self._state.queues:
                self.enter(call, other, wish, now, placed_at=placed_at)
            case Way.QUEUE:
                hand.refuse_caller(call.call, Farewell.NO_SUCH_QUEUE, "no_such_queue", now)
            case Way.REFUSE:
                hand.refuse_caller(call.call, FAREWELLS[why], why.value, now)
            case _:
                hand.do(Divert(call.call, name, to))


def _followed(call: CallRecord, name: QueueName, number: int, rule: Overflow) -> CallOverflowed:
    return CallOverflowed(call.call, name, rule.when, str(rule.to), None, number, limit=float(rule.limit))
