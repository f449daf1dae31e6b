"""How many callers the desk takes on at once, and what those hear who are too many.

A storm of calls must not cost those their place who are here already (F24). So the callers in the menu or waiting are
bounded; a few of those beyond are told in words that the desk is full, and when even that would be too dear the rest
hear the busy tone. Nothing here waits or asks anybody.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum

from changgu.acd.identity import CallId

logger = logging.getLogger(__name__)

TOLD_SHARE = 0.1
"""Callers who are told so in words, at one time, for each caller who may wait: it takes a channel and some seconds."""


class Verdict(StrEnum):
    """What becomes of a new caller."""

    ADMITTED = "admitted"
    TOLD = "told"
    """Answered, told that too many are waiting, and hung up on."""
    BUSY = "busy"
    """Not answered: the telephone network plays the busy tone."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The bound of one desk."""

    most: int
    """Callers in the menu or waiting at one time."""

    @property
    def told_at_once(self) -> int:
        """How many hear a sentence at one time."""
        return max(1, round(self.most * TOLD_SHARE))

    def verdict(self, unserved: int, being_told: int) -> Verdict:
        """For one more caller, when so many are in the menu or wait, and so many are being told that it is full."""
        if unserved < self.most:
            return Verdict.ADMITTED
        return Verdict.TOLD if being_told < self.told_at_once else Verdict.BUSY


class Door:
    """Lets callers in one by one, and knows who was turned away and is still on the line."""

    def __init__(self, admission: Admission | None) -> None:
        """Without a bound everybody is let in."""
        self._admission = admission
        self._turned_away: dict[CallId, Verdict] = {}
        self._refused_in_a_row = 0

    def lets_in(self, call: CallId, on_the_line: int, served: int) -> bool:
        """Whether one more caller is taken on, when so many are on the line, and agents have so many of them."""
        if self._admission is None:
            return True
        unserved = on_the_line - len(self._turned_away) - served
        told = sum(verdict is Verdict.TOLD for verdict in self._turned_away.values())
        verdict = self._admission.verdict(unserved, told)
        if verdict is Verdict.ADMITTED:
            if self._refused_in_a_row:
                logger.warning("the desk takes callers again; %d were refused", self._refused_in_a_row)
            self._refused_in_a_row = 0
            return True
        if not self._refused_in_a_row:
            logger.warning("the desk is full: %d callers are in the menu or wait, others are refused", unserved)
        self._refused_in_a_row += 1
        self._turned_away[call] = verdict
        return False

    def verdict_on(self, call: CallId) -> Verdict:
        """How a caller who is on the line was met."""
        return self._turned_away.get(call, Verdict.ADMITTED)

    def gone(self, call: CallId) -> None:
        """A caller is no longer on the line."""
        self._turned_away.pop(call, None)
