"""How many callers the desk takes on at once, and what those hear who are too many.

A storm of calls must not cost those their place who are here already (F24). So the callers in the menu or waiting are
bounded; a few of those beyond are told in words that the desk is full, and when even that would be too dear the rest
hear the busy tone. Nothing here waits or asks anybody.
"""

from dataclasses import dataclass
from enum import StrEnum

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
