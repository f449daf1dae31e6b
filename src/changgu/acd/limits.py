"""When states end by themselves: every limit of agents, callers and promises, and the next of them.

A limit is worked out from the records and the set-up alone, so a rebuilt state has the same ones.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from changgu.acd.agent_state import AgentState
from changgu.acd.call_state import CallState
from changgu.acd.callbacks import last_moment
from changgu.acd.facts import Departure
from changgu.acd.identity import Instant, QueueName
from changgu.acd.overflow import time_limits
from changgu.acd.queues import Queue
from changgu.acd.records import AgentRecord, CallRecord, Timed

if TYPE_CHECKING:
    from changgu.acd.floor_state import FloorState

FEW = 64
"""Heaps below this size are not worth tidying."""


class Limits:
    """All limits that run, first due first."""

    def __init__(self, state: FloorState) -> None:
        self._state = state
        self._deadlines: list[tuple[Instant, int, Timed]] = []
        self._stamps = 0
        self._steps: dict[QueueName, tuple[float, ...]] = {}
        self._timeless: set[QueueName] = set()
        self._deserting: set[QueueName] = set()
        self._connect_limit = 0.0

    def set_up(self) -> None:
        """Takes up the set-up that the state has now; limits that run are set anew by whoever owns them."""
        state = self._state
        queues = {name: state.queue(name) for name in {*state.queues, *state.lines.served()}}
        self._steps = {name: self._steps_of(queue) for name, queue in queues.items()}
        self._timeless = {
            name
            for name, queue in queues.items()
            if not self._steps[name] and not queue.overflows and queue.announcements.first_after is None
        }
        self._deserting = {
            name for name, queue in queues.items() if any(rule.when is Departure.DESERTED for rule in queue.overflows)
        }
        self._connect_limit = self._state.rules.connect_limit.total_seconds()

    def _steps_of(self, queue: Queue) -> tuple[float, ...]:
        steps = {relaxation.after.total_seconds() for relaxation in queue.relaxations}
        for agent in self._state.lines.serving(queue.name):
            delay = agent.settings.seat(queue.name).delay.total_seconds()
            if delay > 0:
                steps.add(delay)
        return tuple(sorted(steps))

    def minds_desertion(self, queue: QueueName) -> bool:
        """Whether callers of a queue are led elsewhere when nobody serves it."""
        return queue in self._deserting

    # The heap

    def next(self) -> Instant | None:
        """When the first state ends by itself."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].due_stamp != deadlines[0][1]:
            heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def take(self) -> Timed:
        """Whose limit passes first; to be asked only after `next` named a time."""
        timed = heappop(self._deadlines)[2]
        timed.due = None
        return timed

    def __len__(self) -> int:
        return len(self._deadlines)

    def set(self, timed: Timed, due: Instant | None) -> None:
        """From now on this is the limit; None: there is none."""
        if due == timed.due:
            return
        self._stamps += 1
        timed.due, timed.due_stamp = due, self._stamps
        if due is not None:
            deadlines, state = self._deadlines, self._state
            heappush(deadlines, (due, timed.due_stamp, timed))
            if len(deadlines) > FEW + 2 * (len(state.agents) + len(state.calls) + len(state.callbacks)):
                self._deadlines = [entry for entry in deadlines if entry[2].due_stamp == entry[1]]
                heapify(self._deadlines)

    # What is due when

    def wrap_up_seconds(self, agent: AgentRecord) -> float:
        """How long the agent's wrap-up lasts without extension."""
        own = agent.settings.wrap_up
        return (own if own is not None else self._state.queue(agent.queue).wrap_up).total_seconds()

    def lapse(self, call: CallRecord) -> float | None:
        """Seconds after which the wish for one agent lapses; None without one."""
        if call.wants is None:
            return None
        if call.named is None:
            return self._state.queue(call.queue).last_agent_wait.total_seconds()
        return self._state.rules.named_agent_wait.total_seconds()

    def next_step(self, call: CallRecord, reach: float) -> float | None:
        """The first step of a waiting call after `reach`; both in seconds after it entered the queue."""
        if call.queue in self._timeless:
            return None
        return next((step for step in self._steps.get(call.queue or QueueName(""), ()) if step > reach), None)

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
        due: Instant | None = None
        match agent.state:
            case AgentState.RESERVED:
                due = agent.since + self._state.queue(agent.queue).ring_limit.total_seconds()
                call = self._state.calls.get(agent.call) if agent.call is not None else None
                if call is not None and call.callback is not None:
                    due = self._reserved_for_callback(agent, call)
            case AgentState.WRAP_UP:
                due = agent.wrap_up_until
                if due is None:
                    due = agent.since + self.wrap_up_seconds(agent)
            case AgentState.READY if agent.desktop is False:
                due = agent.desktop_since + self._state.rules.desktop_grace.total_seconds()
            case AgentState.NOT_READY if not agent.alerted and agent.reason is not None:
                limit = self._state.rules.reason_limits.get(agent.reason.value)
                due = None if limit is None else agent.since + limit.total_seconds()
        self.set(agent, due)

    def _reserved_for_callback(self, agent: AgentRecord, call: CallRecord) -> Instant:
        """When the caller is dialled first, the agent's phone rings only after that."""
        queue = self._state.queue(call.queue)
        if not call.dials_first:
            return agent.since + queue.ring_limit.total_seconds()
        if not call.reached:
            limit = queue.callbacks.ring_limit + self._state.rules.connect_limit
            return agent.since + limit.total_seconds()
        return max(agent.since, call.picked_up_at) + queue.ring_limit.total_seconds()

    def set_for_call(self, call: CallRecord) -> None:
        """When the next thing is due for a waiting caller, or joining the two has failed."""
        due: Instant | None = None
        if call.state is CallState.WAITING:
            if call.wants is not None or call.callback is not None or call.queue not in self._timeless:
                due = self._waiting_limit(call)
        elif call.state is CallState.CONNECTING:
            due = call.picked_up_at + self._connect_limit
            if not call.reached:
                due += self._state.queue(call.queue).callbacks.ring_limit.total_seconds()
        if due != call.due:
            self.set(call, due)

    def _waiting_limit(self, call: CallRecord) -> Instant | None:
        dues: list[Instant] = []
        if call.callback is not None and not call.reached:
            rules = self._state.queue(call.queue).callbacks
            dues.append(last_moment(call.queued_at or 0.0, rules, self._state.zone))
        lapse = self.lapse(call)
        if lapse is not None:
            dues.append(call.entered_at + lapse)
        step = self.next_step(call, call.reach)
        if step is not None:
            dues.append(call.entered_at + step)
        queue = self._state.queue(call.queue)
        if queue.overflows and call.callback is None:
            since = self._state.deserted_since(queue.name)
            dues += [at for at, rule, _ in time_limits(queue, call.entered_at, since) if rule not in call.fired]
        if queue.announcements.first_after is not None:
            told = self.next_announcement(call)
            if told is not None:
                dues.append(told)
        return min(dues, default=None)
