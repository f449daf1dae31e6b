"""Opening hours: the edges of a day, lunch, Korean public and substitute holidays, and the site's own days."""

import subprocess
import sys
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays as public_holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.ivr_flows.loader import read_calendars
from changgu.ivr_flows.opening_hours import Calendar, Hours, OwnDay, Period, countries, period
from changgu.ivr_flows.problems import Place

DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
ASKS_KOREA = """
import datetime, sys
from changgu.ivr_flows.opening_hours import Calendar, countries
assert "KR" in countries()
print(Calendar("Asia/Seoul", {}, public="KR").holiday_on(datetime.date(2026, 2, 17)))
print(sum(name.startswith("holidays.countries") for name in sys.modules))
"""

SEOUL = ZoneInfo("Asia/Seoul")
OFFICE = Calendar("Asia/Seoul", {day: (period("09:00-18:00"),) for day in range(5)}, (period("12:00-13:00"),))
"""Weekdays from nine to six, lunch at noon, Korean holidays."""


def at(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=SEOUL)


def hours(written: str, calendar: Calendar = OFFICE) -> Hours:
    return calendar.at(at(written)).hours


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-20T08:59:59", Hours.CLOSED),
        ("2026-11-20T09:00:00", Hours.OPEN),
        ("2026-11-20T11:59:59", Hours.OPEN),
        ("2026-11-20T12:00:00", Hours.LUNCH),
        ("2026-11-20T12:59:59", Hours.LUNCH),
        ("2026-11-20T13:00:00", Hours.OPEN),
        ("2026-11-20T17:59:59", Hours.OPEN),
        ("2026-11-20T18:00:00", Hours.CLOSED),
        ("2026-11-21T10:00:00", Hours.CLOSED),
        ("2026-11-21T12:30:00", Hours.CLOSED),
    ],
    ids=lambda one: str(one).removeprefix("2026-11-"),
)
def test_a_period_belongs_to_its_first_moment_and_not_to_its_last(written: str, expected: Hours) -> None:
    assert hours(written) is expected


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-10-05", "개천절 대체 휴일"),  # 개천절 fell on a Saturday
        ("2026-03-02", "삼일절 대체 휴일"),
        ("2026-02-17", "설날"),
        ("2026-09-24", "추석 전날"),
        ("2026-07-17", "제헌절"),  # a public holiday again since 2026
        ("2026-05-01", "노동절"),
    ],
)
def test_korean_public_and_substitute_holidays_are_kept_by_name(day: str, name: str) -> None:
    standing = OFFICE.at(at(f"{day}T10:00"))

    assert (standing.hours, standing.holiday) == (Hours.HOLIDAY, name)


def test_of_every_country_the_holidays_are_those_of_the_library() -> None:
    assert countries() == set(public_holidays.list_supported_countries())
    for country in sorted(countries()):
        calendar = Calendar("Asia/Seoul", {}, public=country)
        theirs = public_holidays.country_holidays(country, years=[2026])
        assert {day for day in DAYS if calendar.holiday_on(day)} == theirs.keys(), country


def test_one_countrys_holidays_are_not_paid_for_with_those_of_all_others() -> None:
    said = subprocess.run(
        [sys.executable, "-c", ASKS_KOREA], capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert said.stdout.split() == ["설날", "0"]


def test_it_opens_next_on_the_first_day_that_is_worked() -> None:
    opens = OFFICE.at(at("2026-09-23T18:00")).opens  # the eve of 추석, which ends on a Saturday

    assert opens is not None
    assert opens.astimezone(SEOUL) == at("2026-09-28T09:00")
    lunch = OFFICE.at(at("2026-11-20T12:00")).opens
    assert lunch is not None
    assert lunch.astimezone(SEOUL) == at("2026-11-20T13:00")
    assert Calendar("Asia/Seoul", {}).at(at("2026-11-20T12:00")).opens is None


def test_the_sites_own_table_comes_before_the_library() -> None:
    own = {
        date(2026, 7, 17): OwnDay(date(2026, 7, 17), "제헌절", None),
        date(2026, 11, 20): OwnDay(date(2026, 11, 20), "임시공휴일"),
        date(2026, 12, 31): OwnDay(date(2026, 12, 31), "종무식", (period("09:00-12:00"),)),
        date(2026, 11, 22): OwnDay(date(2026, 11, 22), "비상근무", (period("10:00-12:00"),)),
    }
    site = Calendar(OFFICE.zone, OFFICE.week, OFFICE.lunch, "KR", own)

    assert hours("2026-07-17T10:00", site) is Hours.OPEN
    assert (hours("2026-11-20T10:00", site), site.holiday_on(date(2026, 11, 20))) == (Hours.HOLIDAY, "임시공휴일")
    assert (hours("2026-12-31T11:59", site), hours("2026-12-31T12:00", site)) == (Hours.OPEN, Hours.LUNCH)
    assert hours("2026-12-31T14:00", site) is Hours.CLOSED
    assert hours("2026-11-22T10:00", site) is Hours.OPEN


def test_a_night_shift_goes_on_into_the_next_day_and_a_day_may_end_at_midnight() -> None:
    night = Calendar("Asia/Seoul", {4: (period("22:00-06:00"),)}, public=None)
    assert [hours(f"2026-11-{when}", night) for when in ("20T21:59", "20T22:00", "21T05:59:59", "21T06:00")] == [
        Hours.CLOSED, Hours.OPEN, Hours.OPEN, Hours.CLOSED,
    ]  # fmt: skip
    late = Calendar("Asia/Seoul", {4: (period("18:00-24:00"),)}, public=None)
    assert (hours("2026-11-20T23:59:59", late), hours("2026-11-21T00:00", late)) == (Hours.OPEN, Hours.CLOSED)


def test_a_desk_abroad_lives_by_its_own_clock() -> None:
    new_york = Calendar("America/New_York", {day: (period("09:00-17:00"),) for day in range(5)}, public="US")
    assert new_york.at(at("2026-11-20T23:30")).hours is Hours.OPEN
    assert new_york.at(datetime.fromisoformat("2026-11-26T15:00+00:00")).holiday == "Thanksgiving Day"


def test_what_a_calendar_can_ever_say() -> None:
    assert OFFICE.ever() == set(Hours)
    always = Calendar("Asia/Seoul", {day: (period("00:00-24:00"),) for day in range(7)}, public=None)
    assert always.ever() == {Hours.OPEN}
    assert Calendar("Asia/Seoul", {}, public=None).ever() == {Hours.CLOSED}


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)))  # noqa: DTZ001
def test_while_it_is_closed_the_next_opening_is_ahead_and_it_is_open_then(moment: datetime) -> None:
    standing = OFFICE.at(moment.replace(tzinfo=SEOUL))

    assert (standing.opens is None) == (standing.hours is Hours.OPEN)
    if standing.opens is not None:
        assert standing.opens > moment.replace(tzinfo=SEOUL)
        assert OFFICE.at(standing.opens).hours is Hours.OPEN
        assert OFFICE.at(standing.opens - timedelta(seconds=1)).hours is not Hours.OPEN


@pytest.mark.parametrize("written", ["9-18", "09:00", "09:00-25:00", "24:00-06:00", "09:00-18:00+09:00", "-", ""])
def test_what_is_no_period_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        period(written)
    with pytest.raises(ValueError):
        Period(timedelta(hours=9), timedelta(hours=9))


TABLE = """\
version: "2026-11"
calendars:
  desk:
    week: {mon-fri: 09:00-18:00, sat: [09:00-12:00, 13:00-15:00]}
    lunch: 12:00-13:00
    days:
      2026-12-24: 창립기념일
      2026-12-31: {name: 종무식, hours: 09:00-12:00}
      2026-07-17: {name: 제헌절, working: true}
  night: {zone: UTC, week: {mon-sun: 22:00-06:00}, holidays: none}
"""


def test_a_table_becomes_calendars() -> None:
    found, problems = read_calendars(TABLE, "calendars.yaml", "Asia/Seoul")

    assert problems == ()
    desk = found["desk"]
    assert (desk.zone, desk.public, desk.version) == ("Asia/Seoul", "KR", "2026-11")
    assert desk.week[5] == (period("09:00-12:00"), period("13:00-15:00"))
    assert desk.own[date(2026, 7, 17)].periods is None
    assert (found["night"].zone, found["night"].public) == ("UTC", None)


@pytest.mark.parametrize(
    ("old", "new", "place", "en"),
    [
        ("mon-fri: 09:00-18:00", "mon-fry: 09:00-18:00", Place(4, 21), "not a day such as mon"),
        ("lunch: 12:00-13:00", "lunch: noon", Place(5, 12), "not a period"),
        ("2026-12-24", "2026-13-24", Place(7, 19), "not a day such as 2026-12-31"),
        ("zone: UTC", "zone: Seoul", Place(10, 17), "not a time zone"),
        ("holidays: none", "holidays: KO", Place(10, 62), "not a country"),
        ("sat: [", "mon: [", Place(4, 39), "mon is named twice"),
        ("working: true", "working: true, hours: 09:00-10:00", Place(9, 19), "either hours or working"),
        ("week: {mon-sun", "weak: {mon-sun", Place(10, 28), "unknown field 'weak'"),
    ],
)
def test_a_mistake_in_the_table_is_named_where_it_was_made(old: str, new: str, place: Place, en: str) -> None:
    assert old in TABLE
    _, problems = read_calendars(TABLE.replace(old, new, 1), "calendars.yaml")

    assert any(problem.place == place and en in problem.en for problem in problems), problems
    assert all(problem.ko for problem in problems)


@pytest.mark.parametrize(
    ("left", "due"),
    [
        ("2026-11-20T10:00", "2026-11-20T10:30"),
        ("2026-11-20T11:45", "2026-11-20T13:15"),  # lunch does not count
        ("2026-11-20T12:10", "2026-11-20T13:30"),
        ("2026-11-20T17:40", "2026-11-23T09:10"),  # Friday evening: Monday
        ("2026-11-20T17:30", "2026-11-20T18:00"),  # the limit ends with the day
        ("2026-11-21T03:00", "2026-11-23T09:30"),
        ("2026-10-02T17:50", "2026-10-06T09:20"),  # 개천절's substitute holiday on Monday
    ],
)
def test_a_limit_counts_while_the_desk_is_open(left: str, due: str) -> None:
    assert OFFICE.open_for(at(left), timedelta(minutes=30)) == at(due)


def test_a_desk_that_works_at_night_counts_over_midnight() -> None:
    night = Calendar("Asia/Seoul", {day: (period("22:00-06:00"),) for day in range(7)}, public=None)

    assert night.open_for(at("2026-11-20T05:50"), timedelta(minutes=30)) == at("2026-11-20T22:20")
    assert night.open_for(at("2026-11-20T23:50"), timedelta(minutes=30)) == at("2026-11-21T00:20")
    assert Calendar("Asia/Seoul", {}).open_for(at("2026-11-20T10:00"), timedelta(minutes=1)) is None


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 14 * 24 * 6), st.integers(1, 20 * 6))
def test_a_limit_is_over_after_as_many_open_minutes(begins: int, limit: int) -> None:
    ten = timedelta(minutes=10)
    moment = at("2026-09-18T00:00") + begins * ten  # 추석 is among the days that follow
    due = OFFICE.open_for(moment, limit * ten)

    assert due is not None
    opened = sum(OFFICE.at(moment + one * ten).hours is Hours.OPEN for one in range((due - moment) // ten))
    assert opened == limit
