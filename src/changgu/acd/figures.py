"""The figures by which two days, or two sets of rules, are compared; added up fact by fact."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from unicodedata import east_asian_width

from changgu.acd.agent_words import AgentState
from changgu.acd.facts import (
    GAVE_UP,
    AgentStateChanged,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Direction,
    Fact,
    OfferEnd,
    OfferEnded,
    Outcome,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Floor, Queue

ELSEWHERE = frozenset({Outcome.VOICEMAIL, Outcome.CALLBACK, Outcome.REDIRECTED, Outcome.SELF_SERVED})
WORKING = frozenset({AgentState.TALKING, AgentState.HOLD, AgentState.WRAP_UP})
SERVING = frozenset({*WORKING, AgentState.READY, AgentState.RESERVED})


@dataclass(frozen=True, slots=True)
class Kpis:
    """One day in figures. Times in seconds; None where nothing was there to be counted."""

    offered: int
    """Callers who came to a queue."""
    answered: int
    abandoned: int
    short_abandons: int
    """Of these, within their queue's `short_abandon`."""
    refused: int
    elsewhere: int
    """Left a message, were promised a call-back, or went to another number."""
    lost: int
    """Ended in none of these ways: the call was lost, or the caller hung up in a menu they had been led to."""
    left: int
    """Neither answered nor gone at the end."""
    service_level: float | None
    """Answered within their queue's service level / (offered − short abandons)."""
    mean_wait: float | None
    """Of the answered, from the first queue to hearing an agent."""
    wait_p50: float | None
    wait_p90: float | None
    longest_wait: float | None
    """Of anybody, answered or not."""
    missed: int
    """Rings that nobody picked up."""
    callbacks_kept: int
    occupancy: float | None
    """Conversations and wrap-up / time on duty without breaks, all agents together."""
    fairness: float | None
    """Jain's index of the agents' occupancies: 1 when all are loaded alike, 1/n when one does everything."""
    agents: tuple[tuple[AgentId, float], ...] = ()
    """Each agent's occupancy, by login."""


@dataclass(slots=True)
class Counted:
    """Adds facts up. Calls that had queued before the first fact are counted only if `came` names them."""

    floor: Floor
    _queues: dict[QueueName, Queue] = field(init=False)
    _outbound: set[CallId] = field(default_factory=set)
    _queued: dict[CallId, tuple[Instant, QueueName]] = field(default_factory=dict)
    _connected: set[CallId] = field(default_factory=set)
    _gone: set[CallId] = field(default_factory=set)
    _waits: list[float] = field(default_factory=list)
    _longest: float | None = None
    _offered: int = 0
    _in_time: int = 0
    _outcomes: Counter[Outcome] = field(default_factory=Counter)
    _short: int = 0
    _missed: int = 0
    _kept: int = 0
    _state: dict[AgentId, tuple[AgentState, Instant]] = field(default_factory=dict)
    _time: dict[AgentId, dict[AgentState, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._queues = {queue.name: queue for queue in self.floor.queues}

    def began(self, agent: AgentId, state: AgentState, at: Instant) -> None:
        """An agent was in this state when counting began."""
        self._state[agent] = (state, at)

    def came(self, call: CallId, at: Instant, queue: QueueName) -> None:
        """A caller waited already when counting began."""
        self._queued[call] = (at, queue)
        self._offered += 1

    def hear(self, fact: Fact, at: Instant) -> None:
        """One more fact."""
        match fact:
            case CallStarted(direction=Direction.OUTBOUND):
                self._outbound.add(fact.call)
            case CallQueued() if fact.call not in self._outbound and fact.call not in self._queued:
                self._queued[fact.call] = (at if fact.placed_at is None else fact.placed_at, fact.queue)
                self._offered += 1
            case CallOverflowed() if fact.call not in self._outbound and fact.call not in self._queued:
                self._queued[fact.call] = (at, fact.queue)  # led away at the door
                self._offered += 1
            case CallConnected() if fact.call in self._queued and fact.call not in self._connected:
                self._connected.add(fact.call)
                self._answered(fact.call, at)
            case CallEnded():
                if fact.reason == "no_such_queue" and fact.call not in self._queued:
                    self._queued[fact.call] = (at, QueueName(""))
                    self._offered += 1
                self._ended(fact, at)
            case OfferEnded(why=OfferEnd.NO_ANSWER):
                self._missed += 1
            case CallbackClosed(end=CallbackEnd.KEPT):
                self._kept += 1
            case AgentStateChanged():
                before, since = self._state.get(fact.agent, (fact.before, at))
                spent = self._time.setdefault(fact.agent, defaultdict(float))
                spent[before] += at - since
                self._state[fact.agent] = (fact.after, at)

    def _answered(self, call: CallId, at: Instant) -> None:
        since, queue = self._queued[call]
        wait = max(0.0, at - since)
        self._waits.append(wait)
        self._longest = max(wait, self._longest or 0.0)
        limit = self._queues[queue].service_level.total_seconds() if queue in self._queues else 20.0
        self._in_time += wait <= limit

    def _ended(self, fact: CallEnded, at: Instant) -> None:
        queued = self._queued.get(fact.call)
        if queued is None or fact.call in self._connected:
            return
        if fact.call in self._gone:
            return
        self._gone.add(fact.call)
        self._outcomes[fact.outcome] += 1
        wait = max(0.0, at - queued[0])
        self._longest = max(wait, self._longest or 0.0)
        limit = self._queues[queued[1]].short_abandon.total_seconds() if queued[1] in self._queues else 5.0
        self._short += fact.outcome in GAVE_UP and wait <= limit

    def kpis(self, until: Instant) -> Kpis:
        """What it all comes to, at this time."""
        loads: dict[AgentId, tuple[float, float]] = {}
        for agent, (state, since) in self._state.items():
            times = defaultdict(float, self._time.get(agent, {}))
            times[state] += max(0.0, until - since)
            on_duty = math.fsum(times[one] for one in SERVING)
            if on_duty > 0:
                loads[agent] = (math.fsum(times[one] for one in WORKING), on_duty)
        shares = {agent: worked / on_duty for agent, (worked, on_duty) in loads.items()}
        on_duty = math.fsum(one for _, one in loads.values())
        counted = self._offered - self._short
        waits = sorted(self._waits)
        over = self._connected | self._gone
        there = [since for call, (since, _) in self._queued.items() if call not in over]
        named = GAVE_UP | ELSEWHERE | {Outcome.REFUSED}
        longest = [max(0.0, until - since) for since in there]
        return Kpis(
            offered=self._offered,
            answered=len(waits),
            abandoned=sum(self._outcomes[one] for one in GAVE_UP),
            short_abandons=self._short,
            refused=self._outcomes[Outcome.REFUSED],
            elsewhere=sum(self._outcomes[one] for one in ELSEWHERE),
            lost=sum(count for outcome, count in self._outcomes.items() if outcome not in named),
            left=len(there),
            service_level=self._in_time / counted if counted > 0 else None,
            mean_wait=math.fsum(waits) / len(waits) if waits else None,
            wait_p50=quantile(waits, 0.5),
            wait_p90=quantile(waits, 0.9),
            longest_wait=max([*longest, *([] if self._longest is None else [self._longest])], default=None),
            missed=self._missed,
            callbacks_kept=self._kept,
            occupancy=math.fsum(one for one, _ in loads.values()) / on_duty if on_duty > 0 else None,
            fairness=jain(shares.values()),
            agents=tuple(sorted(shares.items())),
        )


def quantile(ascending: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share does not exceed."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else None


def jain(shares: Iterable[float]) -> float | None:
    """(sum)² / (n × sum of squares); None for nobody, or when nobody did anything."""
    values = list(shares)
    squares = math.fsum(one * one for one in values)
    return math.fsum(values) ** 2 / (len(values) * squares) if squares > 0 else None


def middle(days: Sequence[Kpis]) -> Kpis:
    """Of each figure by itself the median over these days, the lower of two; raises `IndexError` for no day."""
    agents = sorted({agent for day in days for agent, _ in day.agents})
    loads = [(agent, sorted(load for day in days for who, load in day.agents if who == agent)) for agent in agents]
    figures = {figure: quantile(_values(days, figure), 0.5) for figure, *_ in ROWS}
    shares = tuple((agent, known[(len(known) - 1) // 2]) for agent, known in loads)
    short = sorted(day.short_abandons for day in days)[(len(days) - 1) // 2]
    changes: dict[str, Any] = {**figures, "agents": shares, "short_abandons": short}
    return replace(days[0], **changes)


def spread(days: Sequence[Kpis]) -> dict[str, tuple[float, float] | None]:
    """The least and the most of each figure over these days; None where no day has it."""
    found = {figure: _values(days, figure) for figure, *_ in ROWS}
    return {figure: (values[0], values[-1]) if values else None for figure, values in found.items()}


def _values(days: Sequence[Kpis], figure: str) -> list[float]:
    return sorted(value for day in days if (value := getattr(day, figure)) is not None)


ROWS: Sequence[tuple[str, str, str, str]] = (
    ("offered", "들어온 통화", "offered", "count"),
    ("answered", "응답", "answered", "count"),
    ("abandoned", "포기", "abandoned", "count"),
    ("refused", "거절", "refused", "count"),
    ("elsewhere", "다른 처리", "served otherwise", "count"),
    ("lost", "그 밖의 종료", "ended otherwise", "count"),
    ("left", "끝에 남음", "still there at the end", "count"),
    ("service_level", "서비스 수준", "service level", "share"),
    ("mean_wait", "평균 대기", "mean wait", "seconds"),
    ("wait_p50", "대기 중앙값", "wait p50", "seconds"),
    ("wait_p90", "대기 90%", "wait p90", "seconds"),
    ("longest_wait", "최장 대기", "longest wait", "seconds"),
    ("missed", "무응답 호출", "rings missed", "count"),
    ("callbacks_kept", "지킨 콜백", "call-backs kept", "count"),
    ("occupancy", "점유율", "occupancy", "share"),
    ("fairness", "공평성", "fairness", "index"),
)
"""Name of the figure, Korean, English, unit."""


def table(columns: Sequence[tuple[str, Kpis]], *, difference: bool = True, drawn: Sequence[Kpis] = ()) -> list[str]:
    """The figures side by side; with `difference`, that of the last two columns at the end.

    With `drawn`, the days of which the last column is the middle, their spread comes after it.
    """
    reach = spread(drawn)
    rows = [["", *(name for name, _ in columns), *(["차이 · change"] if difference and len(columns) > 1 else [])]]
    if drawn:
        rows[0].append("최소–최대 · min–max")
    for figure, ko, en, unit in ROWS:
        values = [getattr(kpis, figure) for _, kpis in columns]
        rows.append([f"{ko} · {en}", *(_shown(value, unit) for value in values)])
        if difference and len(columns) > 1:
            rows[-1].append(_change(values[-2], values[-1], unit))
        if drawn:
            ends = reach[figure]
            rows[-1].append("–" if ends is None else f"{_shown(ends[0], unit)} – {_shown(ends[1], unit)}")
    everybody = sorted({agent for _, kpis in columns for agent, _ in kpis.agents})
    for agent in everybody:
        loads = [dict(kpis.agents).get(agent) for _, kpis in columns]
        rows.append([f"  {agent}", *(_shown(load, "share") for load in loads)])
        if difference and len(columns) > 1:
            rows[-1].append(_change(loads[-2], loads[-1], "share"))
        if drawn:
            rows[-1].append("")
    return columns_of(rows)


def columns_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """The cells in columns: the first to the left, the others to the right."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell + " " * (space - width(cell)) if not column else " " * (space - width(cell)) + cell
            for column, (cell, space) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def width(text: str) -> int:
    """Columns on a terminal: Korean letters take two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    match unit:
        case "count":
            return str(value)
        case "share":
            return f"{value * 100:.1f} %"
        case "seconds":
            return f"{value:.1f} s"
        case _:
            return f"{value:.3f}"


def _change(before: float | None, after: float | None, unit: str) -> str:
    if before is None or after is None:
        return ""
    told = _shown(after - before, unit)
    return told if told.startswith("-") else f"+{told}"
