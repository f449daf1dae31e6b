"""The pages of the slow oracle: one on each agent, each caller and each promise to call back, and plain sums on them.

Nothing of the engine is used here; only the floor's settings and the reading of skills are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from changgu.acd.queues import Overflow, Relaxation
from changgu.acd.skills import levels


@dataclass
class Person:
    login: str
    listed: bool = True
    state: str = "logged_out"
    why: str | None = None
    wish: tuple[str, str | None] | None = None
    wished_by: str | None = None
    """Who asked for that, when it was not themselves."""
    phone: bool = False
    idle_since: float = 0.0
    left_at: float = 0.0
    """When they last went from those who are there for callers."""
    misses: int = 0
    call: str | None = None
    offer: int | None = None
    queue: str = ""
    began: float = 0.0
    rings_since: float | None = None
    wrap_up_until: float | None = None
    alerted: bool = False
    desktop: bool | None = None
    desktop_gone_at: float = 0.0
    served: int = 0
    talked: float = 0.0
    talks_since: float | None = None


@dataclass
class Visit:
    call: str
    number: str | None = None
    callback: str | None = None
    state: str = "in_menu"
    whose: str = ""
    """Whose number that certainly is; empty: nobody knows."""
    queue: str = ""
    priority: int = 0
    placed: float = 0.0
    entered: float = 0.0
    seq: int = 0
    asked: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()
    taken: float = -1.0
    """The time of the last step taken."""
    lapsed: bool = False
    wanted: str | None = None
    last_agent: str | None = None
    only: str | None = None
    """The one agent who may take the call until the wish lapses."""
    rules_used: list[Overflow] = field(default_factory=list)
    """As they read when they were followed; the queue may have other rules by now."""
    been_in: set[str] = field(default_factory=set)
    """Queues they have been in before; their rules of arrival are over for them."""
    ringing: dict[str, int | None] = field(default_factory=dict)
    """Whose phones ring, each with its offer."""
    agent: str | None = None
    offer: int | None = None
    missed_by: set[str] = field(default_factory=set)
    diverted: str | None = None
    """Why they were led out of the queue."""
    brought: tuple[int, frozenset[str], str | None, str | None] = (0, frozenset(), None, None)
    """Priority, skills, agent wanted and last agent, which become theirs when they get a place."""
    promises: "list[Promise]" = field(default_factory=list)
    """That they would be called back: settled when they get a place."""
    came_to: str = ""
    """The queue that they wanted, wherever it led them: its advantage is the bound on a promised place."""
    dialled_at: float | None = None
    reached: bool = False
    connecting_since: float = 0.0

    @property
    def outbound(self) -> bool:
        return self.callback is not None

    @property
    def nobody_on_the_line(self) -> bool:
        return self.outbound and not self.reached

    @property
    def dialling(self) -> bool:
        return self.dialled_at is not None and not self.reached


@dataclass
class Promise:
    callback: str
    number: str
    queue: str
    due: float
    placed: float
    priority: int
    skills: frozenset[str]
    asked_from: str | None = None
    whose: str = ""
    attempts: int = 0
    started: int = 0
    call: str | None = None


def person_of(number: str | None) -> str | None:
    """Two ways of writing a number are one person."""
    digits = "".join(sign for sign in number or "" if sign in "0123456789")
    if (number or "").strip().startswith("+82"):
        return "0" + digits[2:].lstrip("0")
    return digits or number


def are_one(one: Visit | Promise, other: Visit | Promise) -> bool:
    """Whether both are the same person's, as far as can be told."""
    if not one.number or not other.number:
        return False
    return person_of(one.number) == person_of(other.number) or (one.whose == other.whose != "")


def still_needed(asked: frozenset[str], steps: Iterable[Relaxation]) -> frozenset[str]:
    left = levels(asked)
    for step in sorted(steps, key=lambda step: step.after):
        for name in list(left):
            if "*" in step.drop or name in step.drop:
                del left[name]
            else:
                left[name] = max(1, left[name] - step.lower)
    return frozenset(name if level == 1 else f"{name}:{level}" for name, level in left.items())


def is_able(has: frozenset[str], needs: frozenset[str]) -> bool:
    knows = levels(has)
    return all(name in knows and knows[name] >= level for name, level in levels(needs).items())


def how_skilled(has: frozenset[str], needs: frozenset[str]) -> int:
    knows, wanted = levels(has), levels(needs)
    return sum(level for name, level in knows.items() if name in wanted or not wanted)


def into_hours(at: float, opens: time, closes: time, zone: str, quiet: frozenset[date]) -> float:
    """The same time within the hours of a day that is not quiet, or else the first opening after it."""
    there = datetime.fromtimestamp(at, ZoneInfo(zone))
    today = there.date()
    if today not in quiet and opens <= there.time() < closes:
        return at
    days = (today + timedelta(days=ahead) for ahead in range(len(quiet) + 2))
    openings = (datetime.combine(day, opens, ZoneInfo(zone)).timestamp() for day in days if day not in quiet)
    return next(opening for opening in openings if opening > at)


def end_of_hours(at: float, closes: time, zone: str) -> float:
    """When the hours of that day end."""
    there = datetime.fromtimestamp(at, ZoneInfo(zone))
    return datetime.combine(there.date(), closes, ZoneInfo(zone)).timestamp()
