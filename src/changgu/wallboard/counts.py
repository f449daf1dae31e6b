"""One day's figures of a queue, or of the whole desk, as the components from which every rate can be derived again."""

from collections import Counter
from dataclasses import dataclass, field

from changgu.acd.facts import Outcome
from changgu.wallboard import kpi
from changgu.wallboard.rows import Figures

UNSTATED = "unstated"
"""The reason of a refusal in ledgers from before refusals had one."""

ABANDONED = frozenset({Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING, Outcome.ABANDONED_IN_MENU})


@dataclass(slots=True)
class Counts:
    """Counts calls that were offered; each ends with one outcome."""

    queued: int = 0
    turned_away: int = 0
    """Led another way before they waited: full, nobody there, no such queue, the desk closed."""
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    short_abandoned: int = 0
    refused: int = 0
    voicemail: int = 0
    to_callback: int = 0
    redirected: int = 0
    served_by_menu: int = 0
    lost: int = 0
    moved: int = 0
    waited: float = 0.0
    longest_waited: float | None = None
    refused_by: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)
    promises_kept: int = 0
    promises_missed: int = 0

    @property
    def offered(self) -> int:
        """All of them."""
        return kpi.offered(self.queued, self.turned_away)

    def answer(self, waited: float, service_level_seconds: float) -> None:
        """Caller and agent hear each other."""
        self.answered += 1
        self.waited += waited
        self.answered_in_time += kpi.in_time(waited, service_level_seconds)
        self._wait_over(waited)

    def close(self, outcome: Outcome, reason: str, waited: float, stayed: float, short_abandon: float) -> None:
        """An offered call that no agent answered is over.

        Args:
            outcome: how.
            reason: why, of a refusal.
            waited: seconds in the queue.
            stayed: seconds from coming to the queue until the end: longer for a caller who was led another way.
            short_abandon: up to how many seconds an abandoned call is nobody's fault.
        """
        if outcome in ABANDONED:
            self.abandoned += 1
            self.short_abandoned += kpi.is_short_abandon(stayed, short_abandon)
            self._wait_over(waited)
            return
        match outcome:
            case Outcome.REFUSED:
                self.refuse(reason)
            case Outcome.VOICEMAIL:
                self.voicemail += 1
            case Outcome.CALLBACK:
                self.to_callback += 1
            case Outcome.REDIRECTED:
                self.redirected += 1
            case Outcome.SELF_SERVED:
                self.served_by_menu += 1
            case _:
                self.lost += 1

    def refuse(self, reason: str) -> None:
        """The desk could not take the call."""
        self.refused += 1
        self.refused_by[reason or UNSTATED] += 1

    def settle(self, kept: bool) -> None:
        """What a caller was told of their wait came true, or did not."""
        self.promises_kept += kept
        self.promises_missed += not kept

    def _wait_over(self, waited: float) -> None:
        self.longest_waited = max(waited, self.longest_waited or 0.0)

    def figures(self, undecided: int) -> Figures:
        """What is shown; `undecided` are those who wait and can still be answered in time."""
        return {
            "offered": self.offered,
            "answered": self.answered,
            "abandoned": self.abandoned,
            "short_abandoned": self.short_abandoned,
            "refused": self.refused,
            "voicemail": self.voicemail,
            "to_callback": self.to_callback,
            "redirected": self.redirected,
            "served_by_menu": self.served_by_menu,
            "lost": self.lost,
            "refused_by": dict(sorted(self.refused_by.items())),
            "overflowed": dict(sorted(self.overflowed.items())),
            "abandonment_rate": kpi.abandonment_rate(self.abandoned, self.short_abandoned, self.offered),
            "answer_rate": kpi.answer_rate(self.answered, self.offered),
            "service_level": kpi.service_level(
                self.answered_in_time, self.offered, self.short_abandoned, undecided
            ),
            "asa": kpi.average_speed_of_answer(self.waited, self.answered),
            "longest_waited": self.longest_waited,
            "promises_kept": self.promises_kept,
            "promises_missed": self.promises_missed,
            "promise_coverage": kpi.promise_coverage(self.promises_kept, self.promises_missed),
        }
