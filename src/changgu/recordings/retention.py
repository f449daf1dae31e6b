"""How long a recording is kept, and which are due to be destroyed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Retention:
    """The rule of the site. `days` counts from the day of the call, on the site's calendar."""

    days: int = 180

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError("a recording is kept for one day at least")


class Kept(Protocol):
    """Something with a day on which it must be gone."""

    @property
    def purge_on(self) -> date:
        """The first day on which it may no longer exist."""
        ...


K = TypeVar("K", bound=Kept)


def purge_day(recorded_at: datetime, rule: Retention) -> date:
    """The first day on which a recording may no longer exist. `recorded_at` is in the site's zone."""
    return recorded_at.date() + timedelta(days=rule.days)


def due(kept: Iterable[K], today: date) -> list[K]:
    """What must be destroyed today, the longest overdue first."""
    return sorted((one for one in kept if one.purge_on <= today), key=lambda one: one.purge_on)
