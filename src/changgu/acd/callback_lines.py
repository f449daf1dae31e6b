"""Promises to call back, each as one line of a worklist: when it was made, how often we tried, how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from changgu.acd.facts import CallbackAttempted, CallbackBooked, CallbackClosed, CallbackEnd, Recorded
from changgu.acd.identity import CallbackId, CallId, Instant, QueueName
from changgu.acd.records import CallbackView


@dataclass(frozen=True, slots=True)
class CallbackLine:
    """One promise so far."""

    callback: CallbackId
    number: str
    queue: QueueName
    booked_at: Instant
    waiting_since: Instant
    """When they first tried to reach us; their place is counted from it."""
    due_at: Instant
    """When the next attempt may be made; of a settled one, when the last might have been."""
    attempts: int = 0
    """Those that count: their telephone rang, or could not be reached."""
    cause: str = ""
    """Why the last attempt came to nothing, as a hang-up cause; `hours` or `called_in` when it was put off."""
    asked_from: CallId | None = None
    """The call in which it was promised."""
    end: CallbackEnd | None = None
    """None while it is open."""
    ended_at: Instant | None = None
    ended_by: str | None = None


def lines_of(recorded: Iterable[Recorded]) -> dict[CallbackId, CallbackLine]:
    """The fold of these facts, in order of booking; what was booked before them is left out."""
    lines: dict[CallbackId, CallbackLine] = {}
    for entry in recorded:
        match entry.fact:
            case CallbackBooked(callback, number, queue, due_at, placed_at, _, _, call):
                lines[callback] = CallbackLine(callback, number, queue, entry.at, placed_at, due_at, asked_from=call)
            case CallbackAttempted(callback, attempts, due_at, cause) if callback in lines:
                lines[callback] = replace(lines[callback], attempts=attempts, due_at=due_at, cause=cause)
            case CallbackClosed(callback, end, by) if callback in lines:
                lines[callback] = replace(lines[callback], end=end, ended_at=entry.at, ended_by=by)
    return lines


def as_it_is(line: CallbackLine | None, view: CallbackView) -> CallbackLine:
    """An open promise: the engine's word first, the ledger's for what the engine does not keep."""
    if line is None:
        line = CallbackLine(view.callback, view.number, view.queue, view.placed_at, view.placed_at, view.due_at)
    return replace(
        line, queue=view.queue, due_at=view.due_at, waiting_since=view.placed_at, attempts=view.attempts,
        asked_from=view.asked_from, end=None, ended_at=None, ended_by=None,
    )  # fmt: skip
