"""From the site's table of opening hours and holidays to calendars, or to a list of what is wrong and where.

    version: "2026-11"
    calendars:
      desk:
        zone: Asia/Seoul             # left out: the desk's own
        week:
          mon-fri: 09:00-18:00       # or a list: [09:00-12:00, 13:00-18:00]
          sat: 09:00-13:00           # a day that is not named is closed
        lunch: 12:00-13:00
        holidays: KR                 # whose public and substitute holidays are kept; none: nobody's
        days:                        # the site's own days come before all else
          2026-12-24: 창립기념일        # a holiday of the house
          2026-12-31: {name: 종무식, hours: 09:00-12:00}
          2026-07-17: {name: 제헌절, working: true}    # a day like others, although it is a public holiday
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from changgu.ivr_flows.opening_hours import Calendar, OwnDay, Period, countries, period
from changgu.ivr_flows.yaml_reader import NAME, Fields, YamlReader

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass
class CalendarReader(YamlReader):
    """Reads one table; `zone` is that of calendars that name none."""

    zone: str = "Asia/Seoul"

    def read(self, text: str) -> dict[str, Calendar]:
        """The calendars by name; what could not be read is in `problems`."""
        root = self.root(text)
        fields = self.mapping(root) if root is not None else None
        if root is None or fields is None:
            return {}
        self.known(fields, ("version", "calendars"))
        if "calendars" not in fields:
            self.missing(root, "calendars")
            return {}
        version = self.scalar(fields["version"]) if "version" in fields else ""
        found: dict[str, Calendar] = {}
        for name, body in (self.mapping(fields["calendars"]) or {}).items():
            if not NAME.fullmatch(name):
                self.error(body, f"이름에는 영문, 숫자, -, _ 만 씁니다: '{name}'", f"not a name: '{name}'")
            calendar = self._calendar(body, version)
            if calendar is not None:
                found[name] = calendar
        return found

    def _calendar(self, body: yaml.Node, version: str) -> Calendar | None:
        fields = self.mapping(body)
        if fields is None:
            return None
        before = len(self.problems)
        self.known(fields, ("zone", "week", "lunch", "holidays", "days"))
        if "week" not in fields:
            self.missing(body, "week")
            return None
        calendar = Calendar(
            self._zone(fields), self._week(fields["week"]),
            self._periods(fields["lunch"]) if "lunch" in fields else (),
            self._country(fields), self._days(fields), version,
        )  # fmt: skip
        return calendar if len(self.problems) == before else None

    def _zone(self, fields: Fields) -> str:
        if "zone" not in fields:
            return self.zone
        zone = self.scalar(fields["zone"])
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            self.error(fields["zone"], f"모르는 시간대입니다: '{zone}'", f"not a time zone: '{zone}'")
        return zone

    def _week(self, value: yaml.Node) -> Mapping[int, tuple[Period, ...]]:
        week: dict[int, tuple[Period, ...]] = {}
        for days, hours in (self.mapping(value) or {}).items():
            first, dash, last = days.partition("-")
            if first not in DAYS or (dash and last not in DAYS) or (dash and DAYS.index(last) < DAYS.index(first)):
                self.error(
                    hours, f"요일은 mon, mon-fri처럼 씁니다: '{days}'", f"not a day such as mon or mon-fri: '{days}'"
                )
                continue
            periods = self._periods(hours)
            for day in range(DAYS.index(first), DAYS.index(last or first) + 1):
                if day in week:
                    self.error(hours, f"{DAYS[day]} 요일이 두 번 나옵니다.", f"{DAYS[day]} is named twice")
                week[day] = periods
        return MappingProxyType(week)

    def _periods(self, value: yaml.Node) -> tuple[Period, ...]:
        found = []
        for inner in self.one_or_more(value):
            written = self.scalar(inner)
            try:
                found.append(period(written))
            except ValueError:
                self.error(
                    inner, f"시간은 09:00-18:00처럼 씁니다: '{written}'",
                    f"not a period such as 09:00-18:00: '{written}'",
                )  # fmt: skip
        return tuple(sorted(found))

    def _country(self, fields: Fields) -> str | None:
        country = self.scalar(fields["holidays"]) if "holidays" in fields else "KR"
        if country == "none":
            return None
        if country not in countries():
            self.error(fields["holidays"], f"모르는 나라입니다: '{country}'", f"not a country such as KR: '{country}'")
        return country

    def _days(self, fields: Fields) -> Mapping[date, OwnDay]:
        own: dict[date, OwnDay] = {}
        for written, value in (self.mapping(fields["days"]) or {} if "days" in fields else {}).items():
            try:
                day = date.fromisoformat(written)
            except ValueError:
                self.error(
                    value, f"날짜는 2026-12-31처럼 씁니다: '{written}'", f"not a day such as 2026-12-31: '{written}'"
                )
                continue
            own[day] = self._own_day(day, value)
        return MappingProxyType(own)

    def _own_day(self, day: date, value: yaml.Node) -> OwnDay:
        if isinstance(value, yaml.ScalarNode):
            name = self.scalar(value)
            if not name:
                self.error(value, "휴일의 이름을 씁니다.", "a holiday has a name")
            return OwnDay(day, name)
        fields = self.mapping(value) or {}
        self.known(fields, ("name", "hours", "working"))
        if "name" not in fields:
            self.missing(value, "name")
        name = self.scalar(fields["name"]) if "name" in fields else ""
        if "hours" in fields and "working" in fields:
            self.error(value, "hours와 working 중 하나만 씁니다.", "either hours or working")
        if "hours" in fields:
            return OwnDay(day, name, self._periods(fields["hours"]))
        if "working" in fields and self.yes_or_no(fields["working"], "working"):
            return OwnDay(day, name, None)
        return OwnDay(day, name)
