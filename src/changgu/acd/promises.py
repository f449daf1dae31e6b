"""What waiting callers were told, when it may be said anew, and whether it came true.

A promise is a moment: "you will be answered by then". It may come earlier at any time, and later only for a cause: an
agent left, somebody was placed ahead, or the moment has passed. Told again without a cause, it is the same moment.

Each promise is held against what happened, once. It was *kept* when the caller was answered by that moment, and
*missed* when they were answered later, or gave up after it. Whoever leaves before it is counted beside: it cannot be
known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from changgu.acd.estimated_wait import Forecast
from changgu.acd.identity import CallId, Instant, QueueName

SAME = 1.0
"""Seconds by which two promises may differ and be one: what is said is whole seconds."""


class Cause(StrEnum):
    """Why a promise had to be made later than the one before."""

    OVERDUE = "overdue"
    """Its moment has passed; it was missed, and another one is due."""
    FEWER_AGENTS = "fewer_agents"
    OVERTAKEN = "overtaken"
    """More callers are in better places than when it was made."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One caller was told that they will be answered within so many seconds."""

    made_at: Instant
    seconds: float
    staffed: int
    """Agents who could take them when it was made…"""
    ahead: int
    """…and callers in better places."""

    @property
    def moment(self) -> Instant:
        """By when they will be answered."""
        return self.made_at + self.seconds

    def left(self, now: Instant) -> float:
        """Seconds until then, never below 0: what to say when it is told again."""
        return max(0.0, self.moment - now)


def cause(previous: Promise, forecast: Forecast, now: Instant) -> Cause | None:
    """Why a new promise may be later than the previous one; None: it may not."""
    if now >= previous.moment:
        return Cause.OVERDUE
    if forecast.staffed < previous.staffed:
        return Cause.FEWER_AGENTS
    if forecast.ahead > previous.ahead:
        return Cause.OVERTAKEN
    return None


def told(previous: Promise | None, forecast: Forecast | None, now: Instant) -> Promise | None:
    """The promise to tell now: a new one, or `previous` itself when that still holds; None: unknown, tell nothing.

    Keep what comes back as the next `previous`; say `left(now)`.
    """
    if forecast is None:
        return None
    if previous is not None and now + forecast.promise > previous.moment and cause(previous, forecast, now) is None:
        return previous
    return Promise(now, forecast.promise, forecast.staffed, forecast.ahead)


class Score(NamedTuple):
    """How promises turned out."""

    kept: int = 0
    missed: int = 0
    unknowable: int = 0
    """The caller left before the moment came."""

    @property
    def share(self) -> float | None:
        """Kept of all that can be judged, 0 to 1; None: none yet."""
        judged = self.kept + self.missed
        return self.kept / judged if judged else None


class Settled(NamedTuple):
    """One promise was held against what happened."""

    queue: QueueName
    kept: bool | None
    """None: unknowable."""


class Coverage:
    """Holds promises against what happens; a fold of `WaitAnnounced`, answers and departures.

    A promise counts in the queue in which it was made. Only promises to callers who still wait are kept in mind.
    """

    def __init__(self) -> None:
        self._open: dict[CallId, list[tuple[QueueName, Instant]]] = {}
        self._scores: dict[QueueName, Score] = {}

    @property
    def scores(self) -> Mapping[QueueName, Score]:
        """By queue."""
        return self._scores

    @property
    def total(self) -> Score:
        """Of all queues."""
        scores = self._scores.values()
        return Score(*(sum(column) for column in zip(*scores, strict=True))) if scores else Score()

    def promised(self, call: CallId, queue: QueueName, at: Instant, seconds: float) -> bool:
        """The caller was told; whether it was a new promise, not the same moment again."""
        promises = self._open.setdefault(call, [])
        if promises and promises[-1][0] == queue and abs(promises[-1][1] - at - seconds) <= SAME:
            return False
        promises.append((queue, at + seconds))
        return True

    def answered(self, call: CallId, at: Instant) -> list[Settled]:
        """The caller was answered: the wait is over."""
        return self._settle(call, [(queue, at <= moment) for queue, moment in self._open.pop(call, ())])

    def left(self, call: CallId, at: Instant) -> list[Settled]:
        """The caller stopped waiting in another way: gave up, was sent elsewhere, was lost."""
        promises = self._open.pop(call, ())
        return self._settle(call, [(queue, None if at < moment else False) for queue, moment in promises])

    def _settle(self, call: CallId, outcomes: list[tuple[QueueName, bool | None]]) -> list[Settled]:
        for queue, kept in outcomes:
            score = self._scores.get(queue, Score())
            self._scores[queue] = Score(
                score.kept + (kept is True), score.missed + (kept is False), score.unknowable + (kept is None)
            )
        return [Settled(queue, kept) for queue, kept in outcomes]


class Calibration:
    """Learns with which confidence to ask for a forecast, so that the share of promises kept is the one wanted.

    No model knows of breaks to come, of a colleague who is slow today, of a morning with the network down. After every
    missed promise it asks for a little more, after every one kept for a little less; in the long run the share comes
    out right whatever happens (adaptive conformal inference, Gibbs and Candès 2021).
    """

    __slots__ = ("_level", "_pace", "_wanted")

    def __init__(self, wanted: float = 0.8, pace: float = 0.01) -> None:
        self._wanted = self._level = wanted
        self._pace = pace

    @property
    def level(self) -> float:
        """The confidence to ask `forecast` for."""
        return self._level

    def observe(self, kept: bool | None) -> None:
        """A promise was settled; unknowable ones teach nothing."""
        if kept is not None:
            self._level = min(max(self._level + self._pace * (self._wanted - kept), 0.3), 0.99)
