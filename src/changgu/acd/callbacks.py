"""When somebody may be called back, and with what place in the queue (lessons 24-27)."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from changgu.acd.identity import CallbackId, CallId, Instant
from changgu.acd.queues import CallbackRules

AFTER_TALK: Final = timedelta(minutes=2)
"""So long after a conversation nobody is dialled to whom another call was promised in it or in the wrap-up: whoever is
let go may still be asked the survey, and a telephone that has just hung up is busy for a moment."""


def next_hour_to_call(
    at: Instant, rules: CallbackRules, zone: ZoneInfo, holidays: Collection[date] = ()
) -> Instant:  # fmt: skip
    """`at`, or the next opening when nobody may be dialled then."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    quiet = () if rules.on_holidays else holidays
    if rules.opens <= local.time() < rules.closes and local.date() not in quiet:
        return at
    day = local.date() if local.time() < rules.opens else local.date() + timedelta(days=1)
    while day in quiet:
        day += timedelta(days=1)
    return datetime.combine(day, rules.opens, zone).timestamp()


def last_moment(at: Instant, rules: CallbackRules, zone: ZoneInfo) -> Instant:
    """When the hours that `at` lies in end."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return datetime.combine(local.date(), rules.closes, zone).replace(fold=1).timestamp()


def too_late(at: Instant, rules: CallbackRules, zone: ZoneInfo, holidays: Collection[date] = ()) -> bool:
    """Whether nobody may be dialled any more."""
    return next_hour_to_call(at, rules, zone, holidays) > at


def known_by(number: str | None, person: str) -> tuple[str, ...]:
    """By what it is told whether two calls or promises are one person's; nothing for a withheld number.

    `person` is the directory's id of the one person whose number that certainly is; empty: not known.
    """
    key = number_key(number) if number is not None else ""
    if not key:
        return ()
    return (key, f"@{person}") if person else (key,)


def number_key(number: str) -> str:
    """What tells whether two ways of writing a number are one: `+82 10-1234-5678` and `01012345678` are."""
    if number.isdigit():
        return number
    digits = "".join(filter(str.isdigit, number))
    if number.strip().startswith("+82"):
        return "0" + digits[2:].lstrip("0")
    return digits or number


def credited(placed_at: Instant, due_at: Instant, rules: CallbackRules) -> Instant:
    """What the place is counted from: the first try, but no more than the bounded advantage before it fell due."""
    return max(placed_at, due_at - rules.advantage.total_seconds())


def attempt_id(callback: CallbackId, number: int) -> CallId:
    """The id of the call that is the n-th attempt, which its channel will bear."""
    return CallId(f"{callback}-{number}")
