"""Callers of whom nobody can say yet whether they were answered in time."""

import heapq

from changgu.acd.identity import CallId, Instant, QueueName


class Undecided:
    """Waiting calls that can still be answered within their queue's target: until when, and in which queue."""

    def __init__(self) -> None:
        self._waiting: dict[QueueName, dict[CallId, Instant]] = {}
        self._by_time: list[tuple[Instant, CallId, QueueName]] = []

    def enter(self, call: CallId, queue: QueueName, until: Instant) -> None:
        """A call joined this queue; an answer at `until` sharp is in time."""
        self._waiting.setdefault(queue, {})[call] = until
        heapq.heappush(self._by_time, (until, call, queue))

    def leave(self, call: CallId, queue: QueueName) -> None:
        """It is answered, or gone."""
        self._waiting.get(queue, {}).pop(call, None)

    def clear(self) -> None:
        """Forget them all."""
        self._waiting.clear()
        self._by_time.clear()

    def turn_to(self, now: Instant) -> set[QueueName]:
        """Let go of the calls whose time has run out; says which queues had one."""
        queues = set()
        while self._by_time and self._by_time[0][0] < now:
            until, call, queue = heapq.heappop(self._by_time)
            if self._waiting.get(queue, {}).get(call) == until:
                self.leave(call, queue)
                queues.add(queue)
        return queues

    @property
    def next(self) -> Instant | None:
        """When the first of them runs out of time."""
        while self._by_time:
            until, call, queue = self._by_time[0]
            if self._waiting.get(queue, {}).get(call) == until:
                return until
            heapq.heappop(self._by_time)
        return None

    def count(self, queue: QueueName) -> int:
        """How many there are in a queue."""
        return len(self._waiting.get(queue, ()))

    @property
    def total(self) -> int:
        """How many there are in all queues."""
        return sum(map(len, self._waiting.values()))
