"""When a recording must be gone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from changgu.recordings.retention import Retention, due, purge_day


@dataclass(frozen=True)
class Kept:
    purge_on: date


def test_days_are_counted_on_the_sites_calendar() -> None:
    late_evening_utc = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)  # already the 22nd in Seoul
    assert purge_day(late_evening_utc.astimezone(ZoneInfo("Asia/Seoul")), Retention(1)) == date(2026, 11, 23)


def test_the_longest_overdue_goes_first_and_the_rest_stays() -> None:
    kept = [Kept(date(2026, 1, 3)), Kept(date(2026, 1, 1)), Kept(date(2026, 1, 4))]
    assert due(kept, date(2026, 1, 3)) == [kept[1], kept[0]]


def test_a_recording_that_is_kept_for_no_day_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="one day"):
        Retention(0)
