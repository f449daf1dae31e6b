"""Promises to call somebody back: how many are open, and what became of today's (lessons 24-27).

They are no offered calls: whoever was promised one is counted once, under the queue in which they gave up waiting.
"""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from changgu.acd.facts import (
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallQueued,
    CallStarted,
    Direction,
    Fact,
)
from changgu.acd.identity import CallbackId, CallId, Instant, QueueName
from changgu.wallboard import kpi
from changgu.wallboard.rows import CallbackFigures

PUT_OFF = frozenset({"hours", "called_in", "desk_closed", "lost"})
"""Causes for which an attempt usually ended before anybody was dialled."""


class OpenPromise(Protocol):
    """What the ACD's engine knows of a promise; `acd.records.CallbackView` is one."""

    @property
    def callback(self) -> CallbackId:
        """Its name."""

    @property
    def queue(self) -> QueueName:
        """Whose agents keep it."""

    @property
    def placed_at(self) -> Instant:
        """When they first tried to reach us."""


@dataclass(slots=True)
class _Open:
    queue: QueueName
    placed_at: Instant | None
    """None when the promise was made before the facts we have."""
    attempts: int | None = 0
    """Those that counted so far; None when that is not known."""


@dataclass(slots=True)
class _Day:
    booked: int = 0
    kept: int = 0
    given_up: int = 0
    withdrawn: int = 0
    """Cancelled, or they called in themselves."""
    attempts: int = 0
    took: list[float] = field(default_factory=list)
    """Seconds from the first try to the conversation, in order of length."""

    def add(self, other: "_Day") -> None:
        self.booked += other.booked
        self.kept += other.kept
        self.given_up += other.given_up
        self.withdrawn += other.withdrawn
        self.attempts += other.attempts
        self.took = sorted([*self.took, *other.took])


class Callbacks:
    """The fold. Needs no more memory than the open promises and one number for each that was kept today."""

    HEARS = (CallbackBooked, CallbackAttempted, CallbackClosed, CallStarted, CallQueued)
    """The facts that say something here."""

    def __init__(self, standing: Iterable[OpenPromise] = ()) -> None:
        self._open = {one.callback: _Open(one.queue, one.placed_at, None) for one in standing}
        self._dialling: dict[CallId, CallbackId] = {}
        self._days: dict[QueueName, _Day] = {}

    @property
    def queues(self) -> set[QueueName]:
        """Queues that have anything to show."""
        return {*self._days, *(one.queue for one in self._open.values())}

    def fold(self, fact: Fact, at: Instant) -> QueueName | None:
        """Take in one fact; the queue whose figures changed, if any."""
        match fact:
            case CallbackBooked(callback=callback, queue=queue, placed_at=placed_at):
                self._open[callback] = _Open(queue, placed_at)
                self._day(queue).booked += 1
                return queue
            case CallStarted(call=call, direction=Direction.OUTBOUND, callback=callback) if callback is not None:
                self._dialling[call] = callback
            case CallQueued(call=call, queue=queue) if call in self._dialling:
                self._open.setdefault(self._dialling.pop(call), _Open(queue, None, None))
            case CallbackAttempted(callback=callback, attempts=attempts, cause=cause) if callback in self._open:
                promise = self._open[callback]
                known = promise.attempts
                counts = cause not in PUT_OFF if known is None else attempts > known
                self._day(promise.queue).attempts += counts
                promise.attempts = attempts
                return promise.queue
            case CallbackClosed(callback=callback, end=end, by=by):
                return self._close(callback, end, by, at)
            case _:
                pass
        return None

    def new_day(self) -> None:
        """Today's figures start again; what is open stays open."""
        self._days.clear()

    def _close(self, callback: CallbackId, end: CallbackEnd, by: str | None, at: Instant) -> QueueName | None:
        promise = self._open.pop(callback, None)
        if promise is None:
            return None
        day = self._day(promise.queue)
        match end:
            case CallbackEnd.KEPT:
                day.kept += 1
                day.attempts += 1
                if promise.placed_at is not None:
                    insort(day.took, max(0.0, at - promise.placed_at))
            case CallbackEnd.GIVEN_UP:
                day.given_up += 1
                day.attempts += by is None  # the last one; otherwise it is somebody's, or the floor's, doing
            case CallbackEnd.CANCELLED | CallbackEnd.CALLED_IN:
                day.withdrawn += 1
        return promise.queue

    def _day(self, queue: QueueName) -> _Day:
        return self._days.setdefault(queue, _Day())

    def figures(self, queue: QueueName | None = None) -> CallbackFigures:
        """What is shown of one queue, or of all together."""
        day = _Day()
        for name in self._days if queue is None else (queue,):
            day.add(self._days.get(name, _Day()))
        return {
            "callbacks_open": sum(1 for one in self._open.values() if queue is None or one.queue == queue),
            "callbacks_booked": day.booked,
            "callbacks_kept": day.kept,
            "callbacks_given_up": day.given_up,
            "callbacks_withdrawn": day.withdrawn,
            "callback_attempts": day.attempts,
            "callback_time": kpi.middle(day.took),
        }
