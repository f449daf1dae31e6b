"""When states end by themselves: every limit of agents, callers and promises.

A limit is worked out from the records and the set-up alone, so a rebuilt state has the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from changgu.acd.agent_state import NOT_READY, READY, RESERVED, WRAP_UP
from changgu.acd.call_state import CONNECTING, OFFERED, WAITING
from changgu.acd.callbacks import last_moment
from changgu.acd.deadlines import Deadlines
from changgu.acd.facts import Departure
from changgu.acd.identity import Instant, QueueName
from changgu.acd.overflow import is_followed, time_limits
from changgu.acd.queues import Queue
from changgu.acd.records import AgentRecord, CallRecord
from changgu.acd.skills import no_more_than, relaxed

if TYPE_CHECKING:
    from changgu.acd.floor_state import FloorState

KINDS_KEPT: Final = 1024
"""Kinds of callers for whom it is kept what is left of their needs; then it is worked out anew."""


class QueueTimes(NamedTuple):
    """The limits of one queue in seconds, worked out once."""

    ring: float
    wrap_up: float
    steps: tuple[float, ...]
    """After each of them more agents may take a caller; in order, counted from when the caller came to the queue."""
    steps_only: bool
    """Beside the steps nothing is ever due for an ordinary caller who waits here."""


class Limits:
    """Works out when each state ends, and sets the deadline."""

    def __init__(self, state: FloorState) -> None:
        self._state = state
        self.deadlines = Deadlines()
        self._times: dict[QueueName | None, QueueTimes] = {}
        self._deserting: set[QueueName] = set()
        self._relaxed: dict[
            tuple[QueueName | None, frozenset[str], frozenset[str], float],
            tuple[frozenset[str], frozenset[QueueName]],
        ] = {}
        """By queue, what the caller came with, what is left of it, and the step that is reached."""
        self._connect_limit = 0.0

    def set_up(self) -> None:
        """Takes up the set-up that the state has now; limits that run are set anew by whoever owns them."""
        state = self._state
        queues = {name: state.queue(name) for name in {*state.queues, *state.lines.served()}}
        self._times = {name: self._times_of(queue) for name, queue in queues.items()}
        self._deserting = {
            name for name, queue in queues.items() if any(rule.when is Departure.DESERTED for rule in queue.overflows)
        }
        self._relaxed.clear()
        self._connect_limit = self._state.rules.connect_limit.total_seconds()

    def _times_of(self, queue: Queue) -> QueueTimes:
        steps = {relaxation.after.total_seconds() for relaxation in queue.relaxations}
        for agent in self._state.lines.serving(queue.name):
            delay = agent.settings.seat(queue.name).delay.total_seconds()
            if delay > 0:
                steps.add(delay)
        steps_only = not queue.overflows and queue.announcements.first_after is None
        return QueueTimes(
            queue.ring_limit.total_seconds(), queue.wrap_up.total_seconds(), tuple(sorted(steps)), steps_only
        )  # fmt: skip

    def _times_in(self, name: QueueName | None) -> QueueTimes:
        """Of a queue that may be off the list, too."""
        times = self._times.get(name)
        return self._times_of(self._state.queue(name)) if times is None else times

    def minds_desertion(self, queue: QueueName) -> bool:
        """Whether callers of a queue are led elsewhere when nobody serves it."""
        return queue in self._deserting

    # What is due when

    def wrap_up_seconds(self, agent: AgentRecord) -> float:
        """How long the agent's wrap-up lasts without extension."""
        own = agent.settings.wrap_up
        return self._times_in(agent.queue).wrap_up if own is None else own.total_seconds()

    def lapse(self, call: CallRecord) -> float | None:
        """Seconds after which the wish for one agent lapses; None without one."""
        if call.wants is None:
            return None
        if call.named is None:
            return self._state.queue(call.queue).last_agent_wait.total_seconds()
        return self._state.rules.named_agent_wait.total_seconds()

    def next_step(self, call: CallRecord, reach: float) -> float | None:
        """The first step of a waiting call after `reach`; both in seconds after it entered the queue."""
        times = self._times.get(call.queue)
        if times is not None:
            for step in times.steps:
                if step > reach:
                    return step
        return None

    def relaxed(self, call: CallRecord, reach: float) -> tuple[frozenset[str], frozenset[QueueName]]:
        """What a waiting caller still needs after the steps up to `reach`, and the queues that those steps open.

        The steps are those of today, and what has been granted once stays. Worked out once for callers of one kind, who
        then share it.
        """
        kind = (call.queue, call.needs, call.skills, reach)
        known = self._relaxed.get(kind)
        if known is None:
            relaxations = self._state.queue(call.queue).relaxations
            taken = [one for one in relaxations if one.after.total_seconds() <= reach]
            opened: frozenset[QueueName] = frozenset().union(*[one.open for one in taken])
            if len(self._relaxed) >= KINDS_KEPT:
                self._relaxed.clear()
            known = self._relaxed[kind] = (no_more_than(relaxed(call.needs, taken), call.skills), opened)
        return known

    def next_announcement(self, call: CallRecord) -> Instant | None:
        """When a waiting caller is to be told where they stand."""
        rules = self._state.queue(call.queue).announcements
        if call.callback is not None or rules.first_after is None:
            return None
        if call.announced_at is None:
            return call.entered_at + rules.first_after.total_seconds()
        return None if rules.every is None else call.announced_at + rules.every.total_seconds()

    def set_for_agent(self, agent: AgentRecord) -> None:
        """A limit runs from the beginning of the state it belongs to."""
        state, due, length = agent.state, None, None
        if state is RESERVED:
            call = self._state.calls.get(agent.call) if agent.call is not None else None
            if call is not None and call.callback is not None:
                due = self._reserved_for_callback(agent, call)
            else:
                length = self._times_in(agent.queue).ring
                due = agent.since + length
        elif state is WRAP_UP:
            due = agent.wrap_up_until
            if due is None:
                length = self.wrap_up_seconds(agent)
                due = agent.since + length
        elif state is READY and agent.desktop is False:
            due = agent.desktop_since + self._state.rules.desktop_grace.total_seconds()
        elif state is NOT_READY and not agent.alerted and agent.reason is not None:
            limit = self._state.rules.reason_limits.get(agent.reason.value)
            due = None if limit is None else agent.since + limit.total_seconds()
        if due != agent.due:
            self.deadlines.set(agent, due, length)

    def _reserved_for_callback(self, agent: AgentRecord, call: CallRecord) -> Instant:
        """When the person is dialled first, the agent's phone rings only after that."""
        queue = self._state.queue(call.queue)
        if call.dials_first and not call.reached:
            limit = queue.callbacks.ring_limit + self._state.rules.connect_limit
            return agent.since + limit.total_seconds()
        return max(agent.since, call.picked_up_at) + queue.ring_limit.total_seconds()

    def set_for_call(self, call: CallRecord) -> None:
        """When the next thing is due for a waiting caller, or joining the two has failed.

        While everybody's phones ring, steps let more of them ring along; where one phone rings at a time, steps that
        come meanwhile are taken when it is silent.
        """
        state, due, length = call.state, None, None
        if state is WAITING:
            times = self._times.get(call.queue)
            if call.wants is not None or call.callback is not None or times is None or not times.steps_only:
                due = self._waiting_limit(call)
            else:
                reach = call.reach
                for step in times.steps:
                    if step > reach:
                        due, length = call.entered_at + step, step
                        break
        elif state is OFFERED:
            if call.reached and call.line is not None and call.line.strategy.everybody:
                due = min(self._steps_to_come(call), default=None)
        elif state is CONNECTING:
            length = self._connect_limit
            due = call.picked_up_at + length
            if not call.reached:
                length = None
                due += self._state.queue(call.queue).callbacks.ring_limit.total_seconds()
        if due != call.due:
            self.deadlines.set(call, due, length)

    def _steps_to_come(self, call: CallRecord) -> list[Instant]:
        """When more agents may take a caller: the end of the wait for one of them, and the next step."""
        lengths = (self.lapse(call), self.next_step(call, call.reach))
        return [call.entered_at + length for length in lengths if length is not None]

    def _waiting_limit(self, call: CallRecord) -> Instant | None:
        queue = self._state.queue(call.queue)
        dues: list[Instant] = []
        if call.callback is not None and not call.reached:
            dues.append(last_moment(call.queued_at or 0.0, queue.callbacks, self._state.zone))
        dues += self._steps_to_come(call)
        if queue.overflows and call.callback is None:
            since = self._state.deserted_since(queue.name)
            limits = time_limits(queue, call.entered_at, since)
            dues += [at for at, _, rule in limits if not is_followed(rule, call.fired)]
        if queue.announcements.first_after is not None:
            told = self.next_announcement(call)
            if told is not None:
                dues.append(told)
        return min(dues, default=None)
