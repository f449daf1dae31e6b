"""When the desk is open: weekly hours, the lunch break, public and substitute holidays, and the site's own days.

A calendar decides for one moment. The site's own table comes first, whatever the library of public holidays says:
a government may declare a holiday next week, and a desk may work on one. A period belongs to its first moment and not
to its last: at 17:59:59 a desk that closes at 18:00 is open, at 18:00:00 it is closed. A period that ends at or before
its beginning (22:00-06:00) goes on into the next day, and a day may end at 24:00.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays as public_holidays
from holidays.registry import COUNTRIES, EntityLoader

DAY_END = timedelta(days=1)

LOOKED_AHEAD = 400
"""Days within which the next opening is looked for."""


class Hours(StrEnum):
    """How the desk stands at a moment."""

    OPEN = "open"
    CLOSED = "closed"
    LUNCH = "lunch"
    HOLIDAY = "holiday"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Part of a day, as time since its midnight: `until` may be beyond 24 hours for a period over midnight."""

    begins: timedelta
    until: timedelta

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.begins < DAY_END or not self.begins < self.until <= self.begins + DAY_END:
            raise ValueError(f"not a part of a day: {self}")


def period(written: str) -> Period:
    """`09:00-18:00`, `00:00-24:00`, `22:00-06:00`; raises ValueError."""
    first, dash, last = written.replace(" ", "").partition("-")
    if not dash:
        raise ValueError(written)
    begins, until = _since_midnight(first), _since_midnight(last)
    return Period(begins, until if until > begins else until + DAY_END)


def _since_midnight(written: str) -> timedelta:
    if written == "24:00":
        return DAY_END
    at = time.fromisoformat(written)
    if at.tzinfo is not None or at.microsecond:
        raise ValueError(written)
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)


@dataclass(frozen=True, slots=True)
class OwnDay:
    """A line of the site's table: that day is a holiday (no periods), a working day, or has hours of its own."""

    day: date
    name: str
    periods: tuple[Period, ...] | None = ()
    """None: the hours of its weekday, although the library calls it a holiday."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the desk stands at a moment, and when that ends or it opens next (None: not within a year)."""

    hours: Hours
    opens: datetime | None = None
    """When it opens next; None while it is open."""
    holiday: str = ""
    """The holiday's name, when that is the reason."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One table of opening hours. Weekdays count from Monday = 0."""

    zone: str
    week: Mapping[int, tuple[Period, ...]]
    lunch: tuple[Period, ...] = ()
    public: str | None = "KR"
    """Whose public holidays are kept, as ISO 3166; None: nobody's."""
    own: Mapping[date, OwnDay] = field(default_factory=dict)
    version: str = ""
    """What the site calls this state of its table."""

    def at(self, moment: datetime, language: str = "ko") -> Standing:
        """How the desk stands at an aware moment; holidays are named in `language`."""
        local = self.local(moment)
        if self._is_open(moment):
            return Standing(Hours.OPEN)
        opens = self._opens_after(moment)
        if self._in(moment, lunch=True):
            return Standing(Hours.LUNCH, opens)
        name = self.holiday_on(local.date(), language)
        if name and not self._hours_of(local.date()):
            return Standing(Hours.HOLIDAY, opens, name)
        return Standing(Hours.CLOSED, opens)

    def local(self, moment: datetime) -> datetime:
        """A moment as the clock on the wall shows it."""
        return moment.astimezone(ZoneInfo(self.zone))

    def holiday_on(self, day: date, language: str = "ko") -> str:
        """The name of the holiday on this day; empty on other days, and on one that the site works."""
        own = self.own.get(day)
        if own is not None:
            return own.name if own.periods == () else ""
        if self.public is None:
            return ""
        return _public(self.public, day.year, language).get(day, "")

    def _hours_of(self, day: date) -> tuple[Period, ...]:
        own = self.own.get(day)
        if own is not None and own.periods is not None:
            return own.periods
        if own is None and self.holiday_on(day):
            return ()
        return self.week.get(day.weekday(), ())

    def _is_open(self, moment: datetime) -> bool:
        return self._in(moment, lunch=False) and not self._in(moment, lunch=True)

    def _in(self, moment: datetime, *, lunch: bool) -> bool:
        """Whether it is in a period of that day or of the day before, or in the lunch break of a working day."""
        local = self.local(moment)
        for day in (local.date(), local.date() - timedelta(days=1)):
            worked = self._hours_of(day)
            periods = (self.lunch if worked else ()) if lunch else worked
            if any(self._moment(day, one.begins) <= moment < self._moment(day, one.until) for one in periods):
                return True
        return False

    def _opens_after(self, moment: datetime) -> datetime | None:
        """The first moment after this one at which it is open: at the beginning of a period, or the end of lunch."""
        today = self.local(moment).date()
        for ahead in range(-1, LOOKED_AHEAD):
            day = today + timedelta(days=ahead)
            worked = self._hours_of(day)
            starts = [one.begins for one in worked] + [one.until for one in self.lunch if worked]
            found = [at for start in sorted(starts) if (at := self._moment(day, start)) > moment and self._is_open(at)]
            if found:
                return found[0]
        return None

    def open_for(self, moment: datetime, worked: timedelta) -> datetime | None:
        """When the desk has been open for so long since this moment; None when that is not within a year."""
        at, left = moment.astimezone(UTC), worked
        for change in self._changes_after(at):
            if self._is_open(at):
                if change - at >= left:
                    return at + left
                left -= change - at
            at = change
        return None

    def _changes_after(self, moment: datetime) -> Iterator[datetime]:
        """Moments at which it may open or close, in order."""
        today, ahead_of_midnight = self.local(moment).date(), set[datetime]()
        for ahead in range(-1, LOOKED_AHEAD):
            day = today + timedelta(days=ahead)
            worked = self._hours_of(day)
            periods = (*worked, *(self.lunch if worked else ()))
            ahead_of_midnight |= {self._moment(day, edge) for one in periods for edge in (one.begins, one.until)}
            midnight = self._moment(day, DAY_END)
            yield from sorted(edge for edge in ahead_of_midnight if moment < edge < midnight)
            ahead_of_midnight = {edge for edge in ahead_of_midnight if edge >= midnight}

    def _moment(self, day: date, since_midnight: timedelta) -> datetime:
        """As the clock on the wall shows it, also on days when clocks are changed; in UTC, where moments compare."""
        days, rest = divmod(since_midnight, DAY_END)
        wall = datetime.combine(day + timedelta(days=days), time(), ZoneInfo(self.zone)) + rest
        return wall.astimezone(UTC)

    def ever(self) -> frozenset[Hours]:
        """How it can stand at all, for the check of branches that nobody will ever take."""
        worked = [*self.week.values(), *(own.periods for own in self.own.values() if own.periods)]
        ways: set[Hours] = set()
        if any(worked):
            ways.add(Hours.OPEN)
            if self.lunch:
                ways.add(Hours.LUNCH)
        holidays_kept = self.public is not None or any(own.periods == () for own in self.own.values())
        if holidays_kept:
            ways.add(Hours.HOLIDAY)
        if not self._always():
            ways.add(Hours.CLOSED)
        return frozenset(ways)

    def _always(self) -> bool:
        """Whether every weekday is open around the clock, so that only holidays and lunch interrupt it."""
        return not any(own.periods for own in self.own.values()) and all(
            sum((one.until - one.begins for one in self.week.get(day, ())), timedelta()) >= DAY_END for day in range(7)
        )


@lru_cache(maxsize=64)
def _public(country: str, year: int, language: str) -> Mapping[date, str]:
    """The public and substitute holidays of a year, by name; names in English where the library has no other."""
    calendar = _calendar_of(country)
    wanted = {"ko": "ko", "en": "en_US"}.get(language, language)
    spoken = wanted if wanted in calendar.supported_languages else None
    return {day: name.split("; ")[0] for day, name in calendar(years=[year], language=spoken).items()}


@cache
def _calendar_of(country: str) -> type[public_holidays.HolidayBase]:
    """The library's calendar of this country.

    Read from its own file: asked for one country the library loads all 250, for a tenth of a second and more, and
    callers wait for a desk that starts again.
    """
    module, name = next((module, names[0]) for module, names in COUNTRIES.items() if country in names[1:])
    file = Path(public_holidays.__file__).with_name("countries") / f"{module}.py"
    spec = spec_from_file_location(f"{__name__}.{module}", file)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    calendar: type[public_holidays.HolidayBase] = getattr(loaded, name)
    return calendar


def countries() -> frozenset[str]:
    """Countries whose public holidays are known."""
    return frozenset(EntityLoader.get_country_codes())
