"""How long callers would have been willing to wait, learnt also from those who were answered before they gave up.

Who was answered after 20 s would have waited for 20 s at least; leaving them out, or taking 20 s for their patience,
would make people look less patient than they are. The estimate is Kaplan's and Meier's (1958). Nothing is known beyond
the longest wait that was seen: nobody is taken to wait for longer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable

PATIENT = 3600.0
"""Seconds; the mean patience that is assumed where nobody has ever given up, and the longest then."""


class Patience:
    """The estimate from waits in seconds, each with True when the caller gave up then, False when they were served."""

    def __init__(self, waits: Iterable[tuple[float, bool]]) -> None:
        seen = sorted((wait, not gave_up) for wait, gave_up in waits)  # of equal waits those who gave up come first
        self.times: list[float] = []
        """When somebody gave up, ascending."""
        self.survival: list[float] = []
        """Share of callers who are still willing to wait just after each of `times`."""
        share, left = 1.0, len(seen)
        for wait, served in seen:
            if not served:
                share *= 1.0 - 1.0 / left
                if self.times and self.times[-1] == wait:
                    self.survival[-1] = share
                else:
                    self.times.append(wait)
                    self.survival.append(share)
            left -= 1
        gave_up = sum(not served for _, served in seen)
        waited = math.fsum(wait for wait, _ in seen)
        self.rate = gave_up / waited if gave_up and waited > 0 else 1.0 / PATIENT
        """Callers who give up, for each second of waiting."""
        self.known = gave_up > 0
        """Whether anybody gave up; otherwise nothing was learnt of patience but that it is longer."""
        self.longest = seen[-1][0] if self.known else max(PATIENT, seen[-1][0] if seen else 0.0)
        """Seconds beyond which nobody waits."""

    def still_there(self, wait: float) -> float:
        """Share of callers who would wait for longer than this."""
        number = bisect_right(self.times, wait)
        return self.survival[number - 1] if number else 1.0

    def beyond(self, wait: float, chance: float) -> float:
        """The patience of somebody who was still there after `wait` seconds; `chance` is drawn from 0 up to 1.

        At most the longest wait that was seen, or `wait`: a tail without an end would let callers wait for hours.
        """
        wanted = self.still_there(wait) * (1.0 - chance)
        for time, share in zip(self.times, self.survival, strict=True):
            if time > wait and share <= wanted:
                return time
        if self.known or wanted <= 0.0:
            return max(wait, self.longest)
        return min(wait - math.log(wanted) / self.rate, max(wait, self.longest))
