"""Callers whose call the telephone system lost: each becomes a promise to call them back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from changgu.acd.events import CallbackAsked
from changgu.acd.facts import (
    CallbackBooked,
    CallbackClosed,
    CallEnded,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    Direction,
    Outcome,
    Recorded,
)
from changgu.acd.identity import CallbackId, CallId, Instant, QueueName


def callback_for(call: CallId) -> CallbackId:
    """The promise to somebody whose call was lost; always the same for one call, so that it is made once.

    Letters and digits only: it becomes part of the names of calls and channels.
    """
    return CallbackId("lost" + sha256(call.encode()).hexdigest()[:20])


@dataclass(slots=True)
class _Caller:
    number: str
    since: Instant
    queue: QueueName | None = None
    priority: int = 0
    skills: frozenset[str] = frozenset()
    language: str = ""


class LostCalls:
    """`hear` takes every fact; `restore` those of today after a start. `post` is the ACD's inbox.

    Whoever called and can be called (their number was not withheld) is asked for, with the place they had: in the
    queue they were in, else in `main_queue`. That one person is promised one call, however many of theirs were lost,
    is the engine's rule.
    """

    def __init__(self, post: Callable[[CallbackAsked], None], main_queue: Callable[[], QueueName | None]) -> None:
        self._post = post
        self._main_queue = main_queue
        self._callers: dict[CallId, _Caller] = {}

    def restore(self, today: Iterable[Recorded]) -> list[CallbackAsked]:
        """Remember who is on the line; what was lost just before the stop and not asked for yet, to be posted."""
        asked: dict[str, CallbackAsked] = {}
        promised: dict[CallbackId, str] = {}
        for recorded in today:
            match recorded.fact:
                case CallbackBooked(callback=callback, number=number):
                    promised[callback] = number
                    asked.pop(number, None)
                case CallbackClosed(callback=callback):
                    promised.pop(callback, None)
                case _:
                    wanted = self._follow(recorded)
                    if wanted is not None and wanted.number not in promised.values():
                        asked[wanted.number] = wanted
        return list(asked.values())

    def hear(self, recorded: Recorded) -> None:
        """Take note of one fact."""
        wanted = self._follow(recorded)
        if wanted is not None:
            self._post(wanted)

    def _follow(self, recorded: Recorded) -> CallbackAsked | None:
        fact = recorded.fact
        match fact:
            case CallStarted(direction=Direction.INBOUND, caller=str(number)) if number:
                self._callers[fact.call] = _Caller(number, recorded.at)
            case CallQueued() if (caller := self._callers.get(fact.call)) is not None:
                if caller.queue is None:
                    caller.since = recorded.at if fact.placed_at is None else fact.placed_at
                caller.queue, caller.priority, caller.skills = fact.queue, fact.priority, fact.skills
                caller.language = fact.language
            case CallEnded():
                gone = self._callers.pop(fact.call, None)
                if gone is not None and fact.outcome is Outcome.LOST:
                    return self._ask(fact.call, gone)
            case CallServedElsewhere(outcome=Outcome.LOST, caller=str(number)) if number:
                since = fact.arrived_at if fact.queued_at is None else fact.queued_at
                return self._ask(fact.call, _Caller(number, since, fact.queue))
            case _:
                pass
        return None

    def _ask(self, call: CallId, caller: _Caller) -> CallbackAsked | None:
        queue = caller.queue or self._main_queue()
        if queue is None:
            return None
        return CallbackAsked(
            callback_for(call), caller.number, queue, call, caller.priority, caller.skills, since=caller.since,
            language=caller.language,
        )  # fmt: skip
