"""News that waits for its turn: what frees or occupies an agent goes before callers who have only just come.

In a rush, hundreds come within a moment, and ring; were everything handled in the order in which it was heard, agents
who have hung up would sit idle until the last of them is in the queue. Who has come first is still first among those
who come, and of one call everything is heard in the order in which it happened.
"""

from collections import Counter, deque
from typing import Generic, Protocol, TypeVar

from changgu.acd.events import CallArrived, CallerDialledIn, MenuEnded, MenuStepReached
from changgu.acd.identity import CallId

ARRIVALS = (CallerDialledIn, MenuStepReached, CallArrived, MenuEnded)
"""News of callers on their way to a queue."""

AT_MOST = 8
"""Entries that go before an arrival which waits; then that has its turn."""


class Entry(Protocol):
    """What lies in the inbox."""

    @property
    def news(self) -> object:
        """An event, or anything else that takes its turn."""


E = TypeVar("E", bound=Entry)


class Inbox(Generic[E]):
    """`put` and `take`; what is put `in_turn` is overtaken by nothing that comes after it."""

    def __init__(self) -> None:
        self._first: deque[tuple[E, bool]] = deque()
        """With whether it is in turn."""
        self._arrivals: deque[tuple[E, bool]] = deque()
        self._coming: Counter[CallId] = Counter()
        """Calls of which something waits among the arrivals."""
        self._in_turn_first = 0
        """How many are in turn among the first: no arrival goes before them…"""
        self._in_turn_arrivals = 0
        """…and among the arrivals: all that comes lines up behind them."""
        self._passed_by = 0
        """Entries that went before the arrival that is next."""

    def __len__(self) -> int:
        return len(self._first) + len(self._arrivals)

    def put(self, entry: E, *, in_turn: bool = False) -> None:
        """Take something in."""
        call: CallId | None = getattr(entry.news, "call", None)
        comes = isinstance(entry.news, ARRIVALS) or (call is not None and call in self._coming)
        if comes or self._in_turn_arrivals or (in_turn and self._arrivals):
            self._arrivals.append((entry, in_turn))
            self._in_turn_arrivals += in_turn
            if call is not None:
                self._coming[call] += 1
        else:
            self._first.append((entry, in_turn))
            self._in_turn_first += in_turn

    def take(self) -> E:
        """What is to be handled next; IndexError when nothing waits."""
        if self._first and (not self._arrivals or self._in_turn_first or self._passed_by < AT_MOST):
            self._passed_by += bool(self._arrivals)
            entry, in_turn = self._first.popleft()
            self._in_turn_first -= in_turn
            return entry
        self._passed_by = 0
        entry, in_turn = self._arrivals.popleft()
        self._in_turn_arrivals -= in_turn
        call: CallId | None = getattr(entry.news, "call", None)
        if call is not None:
            self._coming[call] -= 1
            if not self._coming[call]:
                del self._coming[call]
        return entry
