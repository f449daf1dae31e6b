"""From calendars back to the site's table of opening hours and holidays, as `calendar_reader` reads it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import yaml

from changgu.ivr_flows.calendar_reader import DAYS
from changgu.ivr_flows.opening_hours import Calendar, OwnDay, Period

HEADER = """\
# yaml-language-server: $schema=../../../../docs/calendars.schema.json
# 근무시간과 휴일. 화면 근무시간에서 고쳤습니다. · Opening hours and holidays, written on the page 근무시간.
"""


def period_written(period: Period) -> str:
    """`09:00-18:00`, with seconds where there are any; midnight at the end of a day is `24:00`."""
    until = period.until if period.until <= timedelta(days=1) else period.until - timedelta(days=1)
    return f"{_clock(period.begins)}-{_clock(until)}"


def calendars_written(calendars: Mapping[str, Calendar]) -> str:
    """The table as YAML; reading it gives the same calendars."""
    version = next((one.version for one in calendars.values() if one.version), "1")
    whole = {"version": version, "calendars": {name: _calendar(one) for name, one in calendars.items()}}
    return HEADER + yaml.safe_dump(whole, allow_unicode=True, sort_keys=False, width=110)


def _calendar(calendar: Calendar) -> dict[str, Any]:
    week = {DAYS[day]: [period_written(one) for one in periods] for day, periods in sorted(calendar.week.items())}
    written: dict[str, Any] = {"zone": calendar.zone, "week": {day: hours for day, hours in week.items() if hours}}
    if calendar.lunch:
        written["lunch"] = [period_written(one) for one in calendar.lunch]
    written["holidays"] = calendar.public or "none"
    written["days"] = {day.isoformat(): _own_day(own) for day, own in sorted(calendar.own.items())}
    return written


def _own_day(own: OwnDay) -> str | dict[str, Any]:
    if own.periods is None:
        return {"name": own.name, "working": True}
    if own.periods:
        return {"name": own.name, "hours": [period_written(one) for one in own.periods]}
    return own.name


def _clock(since_midnight: timedelta) -> str:
    minutes, seconds = divmod(int(since_midnight.total_seconds()), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}" + (f":{seconds:02}" if seconds else "")
