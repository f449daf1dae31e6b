"""The figures of a day counted slowly and obviously: each call's story is read from its beginning to its end."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from changgu.acd.facts import (
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Direction,
    Fact,
    Outcome,
    Recorded,
    WaitAnnounced,
)

DESK = ""

WORDS = {
    Outcome.ABANDONED_IN_QUEUE: "abandoned",
    Outcome.ABANDONED_RINGING: "abandoned",
    Outcome.REFUSED: "refused",
    Outcome.VOICEMAIL: "voicemail",
    Outcome.CALLBACK: "to_callback",
    Outcome.REDIRECTED: "redirected",
    Outcome.SELF_SERVED: "served_by_menu",
    Outcome.LOST: "lost",
}

OUTCOMES = ("answered", *dict.fromkeys(WORDS.values()))


@dataclass
class Plain:
    """Counts by queue; those of the desk stand under the empty name."""

    figures: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    refused_by: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    overflowed: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    callbacks: Counter[str] = field(default_factory=Counter)


def count(ledger: Iterable[Recorded]) -> Plain:
    """Everything of one day, without a midnight in between."""
    plain, stories = Plain(), defaultdict[str, list[tuple[float, Fact]]](list)
    for entry in ledger:
        call = getattr(entry.fact, "call", None)
        if isinstance(entry.fact, CallbackBooked):
            plain.callbacks["open"] += 1
        elif isinstance(entry.fact, CallbackClosed):
            plain.callbacks["open"] -= 1
            plain.callbacks[entry.fact.end.value] += 1
            assert entry.fact.end in CallbackEnd
        elif call is not None:
            stories[call].append((entry.at, entry.fact))
    for story in stories.values():
        _, first = story[0]
        if isinstance(first, CallStarted) and first.direction is Direction.INBOUND:
            _one_call(plain, story)
    return plain


def _one_call(plain: Plain, story: list[tuple[float, Fact]]) -> None:
    visits: list[tuple[str, float]] = []
    promise: tuple[float, str] | None = None
    left_at: float | None = None
    waits_since: float | None = None
    answered = False
    for at, fact in story:
        match fact:
            case CallQueued(queue=queue, entered_at=entered_at):
                left_at = None
                if not visits or visits[-1][0] != queue:
                    visits.append((queue, at if entered_at is None else entered_at))
                waits_since = visits[-1][1] if waits_since is None else waits_since
            case CallOverflowed(queue=queue, why=why, to=to):
                plain.overflowed[queue][why.value] += 1
                plain.overflowed[DESK][why.value] += 1
                if not to.startswith("open:"):
                    if not visits or visits[-1][0] != queue:
                        visits.append((queue, at))
                    left_at = at
            case WaitAnnounced(promise=seconds) if seconds is not None and promise is None:
                promise = (at + seconds, visits[-1][0])
            case CallConnected():
                answered = True
                plain.waits[visits[-1][0]].append(at - visits[-1][1])
                plain.waits[DESK].append(at - (at if waits_since is None else waits_since))
                _settle(plain, promise, at, answered=True)
    for name, _ in visits:
        plain.figures[name]["offered"] += 1
    for name, _ in visits[:-1]:
        plain.figures[name]["moved"] += 1
    at, last = next(((at, fact) for at, fact in story if isinstance(fact, CallEnded)), story[-1])
    if visits:
        plain.figures[DESK]["offered"] += 1
    places = (visits[-1][0], DESK) if visits else (DESK,)
    if answered:
        for place in places:
            plain.figures[place]["answered"] += 1
    elif isinstance(last, CallEnded) and last.outcome in WORDS and (visits or last.outcome is Outcome.REFUSED):
        if not visits:
            plain.figures[DESK]["offered"] += 1
        for place in places:
            plain.figures[place][WORDS[last.outcome]] += 1
            if last.outcome is Outcome.REFUSED:
                plain.refused_by[place][last.reason] += 1
        _settle(plain, promise, at if left_at is None else left_at, answered=False)
    elif visits:
        for place in places:
            plain.figures[place]["diverted" if left_at is not None else "waiting"] += 1


def _settle(plain: Plain, promise: tuple[float, str] | None, at: float, *, answered: bool) -> None:
    if promise is not None and (answered or at >= promise[0]):
        for place in (promise[1], DESK):
            plain.figures[place]["promises_kept" if answered and at <= promise[0] else "promises_missed"] += 1
