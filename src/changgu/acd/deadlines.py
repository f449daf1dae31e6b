"""Which limit passes next: of all limits that run, first due first.

Limits of the same length fall due in the order in which they began, so they stand in a row, and only the firsts of the
rows are sorted. A limit that is put off or called off is not looked for: its entry is dropped when it comes to the
front, and when more entries are dead than alive, all dead ones are. So a limit costs the same however many run.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Final

from changgu.acd.identity import Instant
from changgu.acd.records import Timed

FEW: Final = 64
"""So many dead entries are not worth tidying."""


_Entry = tuple[Instant, int, Timed, "deque[_Entry] | None"]
"""When it is due, its stamp, whose limit it is, the row in which it stands if it stands in one."""


class Deadlines:
    """When each `Timed` is due, and which of them is first; at the same instant, whose limit was set first."""

    def __init__(self) -> None:
        self._firsts: list[_Entry] = []
        """A heap of the first entries of the rows, and of those that stand in none."""
        self._rows: dict[float, deque[_Entry]] = {}
        """By the length of the limits in them, in seconds."""
        self._entries = self._dead = 0
        self._stamps = 0

    def __len__(self) -> int:
        """How many entries there are, dead ones included."""
        return self._entries

    def next(self) -> Instant | None:
        """When the first limit passes; None while none runs."""
        firsts = self._firsts
        while firsts:
            due, stamp, timed, _ = firsts[0]
            if timed.due_stamp == stamp:
                return due
            self._drop_first()
            self._dead -= 1
        return None

    def take(self) -> Timed:
        """Whose limit passes first, which is over with that; to be asked only after `next` named a time."""
        timed = self._firsts[0][2]
        self._drop_first()
        timed.due = None
        return timed

    def set(self, timed: Timed, due: Instant | None, length: float | None = None) -> None:
        """From now on this is the limit; None: there is none.

        `length` in seconds, when it is a limit of many that begin in the order of time and last as long as each other.
        """
        if due == timed.due:
            return
        if timed.due is not None:
            timed.due_stamp = 0
            self._dead = dead = self._dead + 1
            if dead > FEW and dead * 2 > self._entries:
                self._tidy()
        timed.due = due
        if due is not None:
            self._stamps = timed.due_stamp = stamp = self._stamps + 1
            self._entries += 1
            if length is None:
                heappush(self._firsts, (due, stamp, timed, None))
            else:
                self._add_to_row(length, due, stamp, timed)

    def _add_to_row(self, length: float, due: Instant, stamp: int, timed: Timed) -> None:
        row = self._rows.get(length)
        if row is None:
            row = self._rows[length] = deque()
        if not row:
            entry = (due, stamp, timed, row)
            row.append(entry)
            heappush(self._firsts, entry)
        elif row[-1][0] <= due:
            row.append((due, stamp, timed, row))
        else:
            heappush(self._firsts, (due, stamp, timed, None))

    def _drop_first(self) -> None:
        firsts: list[Any] = self._firsts  # nobody looks into entries here: unread, they need not be in the cache
        row: deque[Any] | None = firsts[0][3]
        self._entries -= 1
        if row is not None:
            row.popleft()
            if row:
                heapreplace(firsts, row[0])
                return
        heappop(firsts)

    def _tidy(self) -> None:
        entries = [entry for first in self._firsts for entry in (first[3] or (first,))]
        self._firsts = [(due, stamp, timed, None) for due, stamp, timed, _ in entries if timed.due_stamp == stamp]
        heapify(self._firsts)
        self._rows = {}
        self._entries, self._dead = len(self._firsts), 0
