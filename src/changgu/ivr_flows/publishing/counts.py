"""How many callers came to each place of a menu, went on, hung up or failed there, and what became of whole visits.

Two figures follow for a menu as a whole, as SELF-02 asks:

* containment = visits served by the machine / visits;
* drop-out = visits in which the caller hung up in the menu unserved / visits.

A caller is served when the menu ended the call as served, or when they hung up after an answer (`answered`) that they
had come for. All others went to a person or were lost to a failure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import NodeName, ways_on

WHOLE = ""
"""In place of a node's name: the visit as a whole."""

ANSWERING = frozenset({"TicketStatus", "LookUp", "HttpLookUp", "SendMessage", "SurveyQuestion", "Record", "ReceiveFax"})
"""Kinds of node that give callers what they came for when they go on from there the good way."""
GOOD_WAYS = ("next", "found")


class What(StrEnum):
    """What a caller did at a place."""

    ENTERED = "entered"
    LEFT = "left"
    """Went on; of a whole visit: went to a person, or elsewhere."""
    HUNG_UP = "hung_up"
    FAILED = "failed"
    """The call was lost or ended by a mistake."""
    CONTAINED = "contained"
    """Served by the machine; only of whole visits, and of the place where it ended."""


class End(StrEnum):
    """How a visit to the menu ended."""

    HUNG_UP = "hung_up"
    CONTAINED = "contained"
    FAILED = "failed"
    ELSEWHERE = "elsewhere"
    """An agent, a queue, another number: the menu was over before."""


@dataclass(frozen=True, slots=True)
class Count:
    """One more of something."""

    flow: str
    version: int
    node: str
    what: What


@dataclass(frozen=True, slots=True)
class _Visit:
    flow: str
    version: int
    node: str
    served: bool = False


class Paths:
    """Follows every call through its menu; answers each news with what is to be counted."""

    def __init__(self) -> None:
        self._visits: dict[str, _Visit] = {}

    def reached(self, call: str, flow: Flow, version: int, node: str) -> list[Count]:
        """A caller came to a node."""
        visit = self._visits.get(call)
        counts: list[Count] = []
        if visit is None:
            counts.append(Count(flow.name, version, WHOLE, What.ENTERED))
            served = False
        else:
            counts.append(Count(visit.flow, visit.version, visit.node, What.LEFT))
            served = visit.served or answers(flow, visit.node, node)
        self._visits[call] = _Visit(flow.name, version, node, served)
        return [*counts, Count(flow.name, version, node, What.ENTERED)]

    def handed_over(self, call: str) -> list[Count]:
        """The menu is over: the caller is in a queue."""
        visit = self._visits.pop(call, None)
        if visit is None:
            return []
        return [_count(visit, node, What.LEFT) for node in (visit.node, WHOLE)]

    def ended(self, call: str, end: End) -> list[Count]:
        """The call is over."""
        visit = self._visits.pop(call, None)
        if visit is None:
            return []
        match end:
            case End.HUNG_UP:
                whole = What.CONTAINED if visit.served else What.HUNG_UP
                return [_count(visit, visit.node, What.HUNG_UP), _count(visit, WHOLE, whole)]
            case End.CONTAINED:
                what = What.CONTAINED
            case End.FAILED:
                what = What.FAILED
            case End.ELSEWHERE:
                what = What.LEFT
        return [_count(visit, node, what) for node in (visit.node, WHOLE)]


def _count(visit: _Visit, node: str, what: What) -> Count:
    return Count(visit.flow, visit.version, node, what)


def answers(flow: Flow, before: str, after: str) -> bool:
    """Whether a caller who went from one node to the other got an answer there."""
    node = flow.nodes.get(NodeName(before))
    if node is None or type(node).__name__ not in ANSWERING:
        return False
    ways = ways_on(node)
    return any(ways.get(way) == after for way in GOOD_WAYS) and after != flow.person


@dataclass(frozen=True, slots=True)
class Figures:
    """What callers did at one place; of a whole visit, what became of it."""

    entered: int = 0
    left: int = 0
    hung_up: int = 0
    failed: int = 0
    contained: int = 0

    def plus(self, what: What, times: int = 1) -> "Figures":
        """With so many more."""
        match what:
            case What.ENTERED:
                return replace(self, entered=self.entered + times)
            case What.LEFT:
                return replace(self, left=self.left + times)
            case What.HUNG_UP:
                return replace(self, hung_up=self.hung_up + times)
            case What.FAILED:
                return replace(self, failed=self.failed + times)
            case What.CONTAINED:
                return replace(self, contained=self.contained + times)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.entered + other.entered, self.left + other.left, self.hung_up + other.hung_up,
            self.failed + other.failed, self.contained + other.contained,
        )  # fmt: skip

    @property
    def containment(self) -> float | None:
        """Served by the machine / visits; None without visits."""
        return self.contained / self.entered if self.entered else None

    @property
    def drop_out(self) -> float | None:
        """Hung up / came; None when nobody came."""
        return self.hung_up / self.entered if self.entered else None


@dataclass(frozen=True, slots=True)
class DayRow:
    """The figures of one place on one day of the site."""

    day: date
    version: int
    node: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A period in one picture."""

    whole: Figures = Figures()
    nodes: Mapping[str, Figures] = field(default_factory=dict)
    days: Mapping[date, Figures] = field(default_factory=dict)
    """Whole visits by day."""


def heat_map(rows: Iterable[DayRow]) -> HeatMap:
    """All rows summed up."""
    whole = Figures()
    nodes: dict[str, Figures] = {}
    days: dict[date, Figures] = {}
    for row in rows:
        if row.node == WHOLE:
            whole += row.figures
            days[row.day] = days.get(row.day, Figures()) + row.figures
        else:
            nodes[row.node] = nodes.get(row.node, Figures()) + row.figures
    return HeatMap(whole, nodes, dict(sorted(days.items())))
