"""Where callers and idle agents meet: one line per queue and set of required skills.

A line holds the callers who wait in one queue with one set of required skills, and the idle agents who
can serve exactly those. Both are heaps, so the next of either is found without looking at the others.
An entry that is no longer true is dropped when it comes to the top, and a heap with more dead than
living entries is built anew, so nothing grows with the number of calls ever taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from changgu.acd.agent_words import AgentState
from changgu.acd.call_state import CallState
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Queue
from changgu.acd.records import AgentRecord, CallRecord
from changgu.acd.strategies import Rank, Strategy, strategy_named

Place = tuple[int, float, int, CallRecord]
"""What callers are sorted by: priority (higher first), time of queueing, order of queueing."""

_FEW = 32
"""Heaps below this size are not worth tidying."""

_LINES_KEPT = 64
"""Empty lines with required skills that one queue keeps, for the callers of tomorrow."""

NO_SKILLS: frozenset[str] = frozenset()


class Line:
    """Callers with the same needs in the same queue, and the idle agents who can serve them."""

    __slots__ = ("_ended", "_idle", "_serving", "callers", "number", "queue", "skills", "strategy")

    def __init__(self, number: int, queue: QueueName, skills: frozenset[str], strategy: Strategy) -> None:
        self.number = number
        self.queue = queue
        self.skills = skills
        self.strategy = strategy
        self.callers: list[Place] = []
        """A heap whose first entry, if there is one, is always a caller who waits."""
        self._ended = 0
        self._idle: list[tuple[Rank, AgentId, int, AgentRecord]] = []
        self._serving = 0

    def count_in(self) -> None:
        """One more agent serves this line."""
        self._serving += 1

    def add_caller(self, call: CallRecord) -> None:
        """The caller waits here, in the place that `call.place` says."""
        call.line = self
        if not call.in_line:
            call.in_line = True
            heappush(self.callers, (*call.place, call))

    def caller_left(self, call: CallRecord) -> None:
        """The caller no longer waits: offered to an agent, or gone for good."""
        if call.state is CallState.ENDED and call.in_line:
            self._ended += 1
            if self._ended > _FEW and self._ended * 2 > len(self.callers):
                self.callers = [entry for entry in self.callers if entry[3].state is not CallState.ENDED]
                heapify(self.callers)
                self._ended = 0
        callers = self.callers
        while callers and callers[0][3].state is not CallState.WAITING:
            gone = heappop(callers)[3]
            gone.in_line = False
            if gone.state is CallState.ENDED:
                self._ended -= 1

    @property
    def entries(self) -> int:
        """How much its heaps hold, dead entries included."""
        return len(self.callers) + len(self._idle)

    @property
    def empty(self) -> bool:
        """Nobody waits here, and nobody who was offered from here may come back."""
        return not self.callers

    def add_idle(self, agent: AgentRecord) -> None:
        """The agent is free for callers of this line."""
        if len(self._idle) > _FEW and len(self._idle) > 2 * self._serving:
            self._idle = [entry for entry in self._idle if _still_idle(entry)]
            heapify(self._idle)
        heappush(self._idle, (self.strategy(agent), agent.login, agent.idle_stamp, agent))

    def first_idle(self) -> AgentRecord | None:
        """Whose turn it is."""
        idle = self._idle
        while idle:
            if _still_idle(idle[0]):
                return idle[0][3]
            heappop(idle)
        return None


def _still_idle(entry: tuple[Rank, AgentId, int, AgentRecord]) -> bool:
    agent = entry[3]
    return agent.idle_stamp == entry[2] and agent.state is AgentState.READY


class Lines:
    """All lines of the floor. Rebuilt when the floor is set up anew."""

    def __init__(self, queues: Mapping[QueueName, Queue], agents: Iterable[AgentRecord]) -> None:
        self._strategies = {name: strategy_named(queue.strategy) for name, queue in queues.items()}
        self._by_queue: dict[QueueName, dict[frozenset[str], Line]] = {}
        self._serving: dict[QueueName, list[AgentRecord]] = {}
        self._opened = 0
        for agent in agents:
            agent.lines = []
            for queue in sorted(agent.queues):
                self._serving.setdefault(queue, []).append(agent)
        for queue in sorted({*queues, *self._serving}):
            self._open(queue, NO_SKILLS)

    def of(self, call: CallRecord) -> Line:
        """The line in which a call waits, opened when it is the first of its kind."""
        if call.queue is None:
            raise AssertionError(f"{call.call} waits in no queue")
        line = self._by_queue.get(call.queue, {}).get(call.skills)
        return line if line is not None else self._open(call.queue, call.skills)

    def staffed(self, queue: QueueName) -> bool:
        """Whether any agent on the floor has this queue, signed in or not."""
        return bool(self._serving.get(queue))

    def entries(self) -> int:
        """How much all lines hold."""
        return sum(line.entries for lines in self._by_queue.values() for line in lines.values())

    def _open(self, queue: QueueName, skills: frozenset[str]) -> Line:
        lines = self._by_queue.setdefault(queue, {})
        if len(lines) > _LINES_KEPT:
            self._close_empty(lines, queue)
        self._opened += 1
        line = Line(self._opened, queue, skills, self._strategies.get(queue) or strategy_named("longest_idle"))
        lines[skills] = line
        for agent in self._serving.get(queue, ()):
            if skills <= agent.skills:
                agent.lines.append(line)
                line.count_in()
                if agent.state is AgentState.READY:
                    line.add_idle(agent)
        return line

    def _close_empty(self, lines: dict[frozenset[str], Line], queue: QueueName) -> None:
        closed = {skills for skills, line in lines.items() if skills and line.empty}
        for skills in closed:
            del lines[skills]
        for agent in self._serving.get(queue, ()):
            agent.lines = [line for line in agent.lines if line.queue != queue or line.skills not in closed]
