"""When somebody may be called back, and with what place in the queue (lessons 24-27)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from changgu.acd.identity import CallbackId, CallId, Instant
from changgu.acd.queues import CallbackRules


def next_hour_to_call(at: Instant, rules: CallbackRules, zone: ZoneInfo) -> Instant:
    """`at`, or the next opening when nobody may be dialled then."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    if rules.opens <= local.time() < rules.closes:
        return at
    day = local.date() if local.time() < rules.opens else local.date() + timedelta(days=1)
    return datetime.combine(day, rules.opens, zone).timestamp()


def last_moment(at: Instant, rules: CallbackRules, zone: ZoneInfo) -> Instant:
    """When the hours that `at` lies in end."""
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return datetime.combine(local.date(), rules.closes, zone).timestamp()


def credited(placed_at: Instant, due_at: Instant, rules: CallbackRules) -> Instant:
    """What the place is counted from: the first try, but no more than the bounded advantage before it fell due."""
    return max(placed_at, due_at - rules.advantage.total_seconds())


def attempt_id(callback: CallbackId, number: int) -> CallId:
    """The id of the call that is the n-th attempt, which its channel will bear."""
    return CallId(f"{callback}-{number}")
