"""Who is calling: one person, one of several, a number nobody knows, or a caller who hides it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

WITHHELD_FORMS = frozenset({"", "anonymous", "unavailable", "restricted", "private", "withheld", "unknown", "visitor"})
"""What networks write in place of a number that the caller hides (RFC 3323 and the habits of carriers); `visitor` is
our own page `/phone`, which has none."""

MOST_CANDIDATES = 20
"""A switchboard's number may belong to a whole ministry; nobody reads more than a screenful while it rings."""


class Confidence(StrEnum):
    """Why we believe that this person calls."""

    NUMBER = "number"
    """They are the only one with this number."""
    CONFIRMED = "confirmed"
    """An agent said so."""


@dataclass(frozen=True, slots=True)
class CallerCard:
    """What an agent reads about a caller at a glance (CTI-04)."""

    id: str
    name: str
    title: str = ""
    """Such as 주무관, 과장."""
    department: str = ""
    employee_number: str = ""
    location: str = ""
    computer: str = ""
    email: str = ""
    numbers: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    confirmed_before: int = 0
    """How often an agent confirmed that it was this person, calling from this number."""


@dataclass(frozen=True, slots=True)
class Known:
    """One person calls."""

    person: CallerCard
    confidence: Confidence
    kind: str = field(default="known", init=False)


@dataclass(frozen=True, slots=True)
class Several:
    """The number belongs to several people; the agent asks and confirms. We never choose for them."""

    candidates: tuple[CallerCard, ...]
    """Who was confirmed most often at this number comes first."""
    kind: str = field(default="several", init=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A number that nobody in the directory has."""

    number: str
    kind: str = field(default="unknown", init=False)


@dataclass(frozen=True, slots=True)
class Withheld:
    """The caller hides the number."""

    kind: str = field(default="withheld", init=False)


@dataclass(frozen=True, slots=True)
class LookingUp:
    """The directory has not answered yet; the agent sees the number meanwhile."""

    kind: str = field(default="looking_up", init=False)


@dataclass(frozen=True, slots=True)
class NotLookedUp:
    """The directory could not be asked: a fault of ours, and never shown as "unknown caller"."""

    kind: str = field(default="not_looked_up", init=False)


Identification = Known | Several | Unknown | Withheld | LookingUp | NotLookedUp


def is_withheld(number: str | None) -> bool:
    """Whether the network presented no number."""
    return number is None or number.strip().lower() in WITHHELD_FORMS


def identify(number: str | None, people: Sequence[CallerCard], confirmed: Mapping[str, int]) -> Identification:
    """Judge what the directory found for a number.

    Args:
        number: as the network presented it.
        people: everybody who has that number.
        confirmed: how often agents confirmed each person (by id) at this number.
    """
    if number is None or is_withheld(number):
        return Withheld()
    cards = [replace(person, confirmed_before=confirmed.get(person.id, 0)) for person in people]
    if not cards:
        return Unknown(number)
    if len(cards) == 1:
        return Known(cards[0], Confidence.NUMBER)
    cards.sort(key=lambda card: (-card.confirmed_before, card.name, card.id))
    return Several(tuple(cards[:MOST_CANDIDATES]))
