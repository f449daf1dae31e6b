"""Opening hours and holidays as a resource: read, changed and put on the air at once, with who and when."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.text import clean_line
from changgu.ground.trouble import BadInput, NotFound
from changgu.ivr_flows.calendar_writer import calendars_written, period_written
from changgu.ivr_flows.loader import read_calendars
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.opening_hours import Calendar, OwnDay, Period, countries, period
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.api import UnfitFlow, said
from changgu.ivr_flows.publishing.outline import outline
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.versions import LONGEST_NOTE, History, VersionNumber

AHEAD = 366
"""Days for which holidays are shown."""
LONGEST_NAME = 60
"""Characters of a holiday's name; this and the next two bind the form, and not the file of a site."""
MOST_PERIODS = 8
"""Of one day, or of lunch."""
MOST_DAYS = 500


class OwnDayTable(BaseModel):
    """A line of the site's own table: it comes before the public holidays."""

    day: date
    name: str = Field(description=f"In a wish at most {LONGEST_NAME} characters, and not empty")
    kind: Literal["holiday", "working", "hours"]
    hours: list[str] = Field(default=[], description=f"Of `hours`: 09:00-12:00; in a wish at most {MOST_PERIODS}")


class CalendarTable(BaseModel):
    """One calendar."""

    zone: str = Field("", max_length=60, description="Such as Asia/Seoul; empty: the desk's own")
    week: list[list[str]] = Field(
        min_length=7, max_length=7,
        description=f"From Monday to Sunday: 09:00-18:00; none: closed; in a wish at most {MOST_PERIODS} of a day",
    )  # fmt: skip
    lunch: list[str] = Field(default=[], description=f"In a wish at most {MOST_PERIODS}")
    holidays: str = Field("KR", max_length=10, description="Whose public and substitute holidays are kept, or `none`")
    days: list[OwnDayTable] = Field(default=[], description=f"In a wish at most {MOST_DAYS}")


class HoursWish(BaseModel):
    """The table as it is to be from now on."""

    version: int = Field(ge=1, description="The version on the air that was looked at")
    calendars: dict[str, CalendarTable] = Field(min_length=1, max_length=50)
    note: str = Field("", max_length=LONGEST_NOTE)


class HolidayOut(BaseModel):
    """A day on which the desk keeps a holiday."""

    day: date
    name: str


class HoursChangeOut(BaseModel):
    """Who changed the table when; rolling back is a change as well."""

    version: int = Field(description="Whose table was on the air from then on")
    by: str
    at: AwareDatetime
    note: str


class HeardOut(BaseModel):
    """Where callers go then."""

    to: str
    says: dict[str, str] = Field(description="Language → what they hear there")


class AskedOut(BaseModel):
    """A node of the menu on the air that goes by a calendar."""

    node: str = Field(description="In a sub-flow: flow/node")
    ways: dict[str, HeardOut] = Field(description="open, lunch, holiday, closed → what callers hear then")


class HoursOut(BaseModel):
    """The table on the air."""

    version: int
    calendars: dict[str, CalendarTable]
    ahead: dict[str, list[HolidayOut]] = Field(description="Calendar → its holidays in the year ahead")
    changes: list[HoursChangeOut] = Field(description="Newest first")
    scheduled_otherwise: list[int] = Field(description="Scheduled versions that bring another table with them")
    asked: dict[str, list[AskedOut]] = Field(
        description="Calendar → the nodes on the air that go by it; none: callers hear the same at any hour"
    )


def build_router(gate: Gate, versions: FlowVersions, zone: Callable[[], str]) -> APIRouter:
    """Everything is for supervisors. `zone`: the desk's own time zone."""
    router = APIRouter(prefix="/api/v1", tags=["flows"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    def known(flow: str) -> None:
        if flow != versions.name:
            raise NotFound(f"'{flow}' 메뉴가 없습니다.", f"There is no menu '{flow}'.")

    @router.get("/flows/{flow}/hours", summary="The table of opening hours and holidays on the air")
    async def get_hours(flow: str = Path(max_length=64), actor: Actor = supervisor) -> HoursOut:
        known(flow)
        return hours_of(versions, zone())

    @router.put("/flows/{flow}/hours", summary="Put another table of opening hours and holidays on the air, now")
    async def put_hours(wish: HoursWish, flow: str = Path(max_length=64), actor: Actor = supervisor) -> HoursOut:
        """It is a version like every other, so it can be rolled back; the menu stays as it is. A draft, and schedules
        that had the same table, get the new one. 409 when another version has come on the air meanwhile."""
        known(flow)
        named = _version_of_the_table(versions, zone())
        text = calendars_written({name: calendar_of(name, one, zone(), named) for name, one in wish.calendars.items()})
        try:
            await versions.publish_hours(VersionNumber(wish.version), text, wish.note, actor)
        except FlowErrors as wrong:
            raise UnfitFlow(wrong.problems) from wrong
        return hours_of(versions, zone())

    return router


def hours_of(versions: FlowVersions, zone: str) -> HoursOut:
    """The table on the air, and who has changed it."""
    history, now = versions.history, versions.now()
    on_air = history.in_force(now)
    if on_air is None:
        raise NotFound("아직 메뉴가 없습니다.", "There is no menu yet.")
    menu = history.version(on_air.version).menu
    calendars, _ = read_calendars(menu.calendars, "calendars.yaml", zone)
    return HoursOut(
        version=on_air.version,
        calendars={name: table_of(one) for name, one in calendars.items()},
        ahead={name: _ahead(one, one.local(now).date()) for name, one in calendars.items()},
        changes=_changes(history, now),
        scheduled_otherwise=[
            one.version for one in history.ahead(now) if history.version(one.version).menu.calendars != menu.calendars
        ],
        asked={name: _asked(menu, name) for name in calendars},
    )


def _asked(menu: MenuSet, calendar: str) -> list[AskedOut]:
    """Who goes by it in the tree and its sub-flows; a way that is left out is that of a closed desk."""
    found = []
    for flow, text in (("", menu.text), *menu.flows.items()):
        nodes = outline(text).nodes
        for name, node in nodes.items():
            if node.kind != "opening_hours" or node.fields.get("calendar") != calendar:
                continue
            leads = dict(node.ways())
            ways = {}
            for way in ("open", "lunch", "holiday", "closed"):
                to = leads.get(way, leads.get("closed", ""))
                there = nodes.get(to)
                ways[way] = HeardOut(to=to, says=said(there.fields, there.kind, menu.sentences) if there else {})
            found.append(AskedOut(node=f"{flow}/{name}" if flow else name, ways=ways))
    return found


def _changes(history: History, now: datetime) -> list[HoursChangeOut]:
    """What has put another table on the air than was there before, the newest first."""
    changes, before = [], ""
    for one in reversed(history.held(now)):
        calendars = history.version(one.version).menu.calendars
        if calendars != before:
            changes.append(HoursChangeOut(version=one.version, by=one.by, at=one.effective_at, note=one.note))
        before = calendars
    return changes[::-1]


def _version_of_the_table(versions: FlowVersions, zone: str) -> str:
    """What the site calls the table on the air; empty when it does not."""
    on_air = versions.history.in_force(versions.now())
    if on_air is None:
        return ""
    calendars, _ = read_calendars(versions.history.version(on_air.version).menu.calendars, "calendars.yaml", zone)
    return next((one.version for one in calendars.values() if one.version), "")


def _ahead(calendar: Calendar, today: date) -> list[HolidayOut]:
    days = (today + timedelta(days=ahead) for ahead in range(AHEAD))
    return [HolidayOut(day=day, name=name) for day in days if (name := calendar.holiday_on(day))]


def table_of(calendar: Calendar) -> CalendarTable:
    """A calendar as the form has it."""
    return CalendarTable(
        zone=calendar.zone,
        week=[[period_written(one) for one in calendar.week.get(day, ())] for day in range(7)],
        lunch=[period_written(one) for one in calendar.lunch],
        holidays=calendar.public or "none",
        days=[
            OwnDayTable(
                day=day, name=own.name,
                kind="working" if own.periods is None else "hours" if own.periods else "holiday",
                hours=[period_written(one) for one in own.periods or ()],
            )
            for day, own in sorted(calendar.own.items())
        ],
    )  # fmt: skip


def calendar_of(name: str, table: CalendarTable, zone: str, version: str = "") -> Calendar:
    """A form as a calendar; `version`: what the site calls its table. Raises `BadInput` for what cannot be."""
    where = f"calendars.{name}"
    try:
        ZoneInfo(table.zone or zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(f"모르는 시간대입니다: {table.zone}", f"not a time zone: {table.zone}", field=where) from None
    if table.holidays != "none" and table.holidays not in countries():
        raise BadInput(f"모르는 나라입니다: {table.holidays}", f"not a country: {table.holidays}", field=where)
    if len(table.days) > MOST_DAYS:
        raise BadInput(
            f"우리 기관의 날은 {MOST_DAYS}일까지 씁니다.", f"at most {MOST_DAYS} days of your own", field=where
        )
    own: dict[date, OwnDay] = {}
    for line in table.days:
        called = clean_line(line.name)
        if not 0 < len(called) <= LONGEST_NAME:
            raise BadInput(
                f"{line.day}: 이름은 1자에서 {LONGEST_NAME}자까지 씁니다.",
                f"{line.day}: a name has 1 to {LONGEST_NAME} characters", field=where,
            )  # fmt: skip
        if line.day in own:
            raise BadInput(f"{line.day}이(가) 두 번 있습니다.", f"{line.day} is there twice", field=where)
        hours = _periods(line.hours, where)
        if (line.kind == "hours") != bool(hours):
            raise BadInput(
                f"{line.day}: 시간을 정하는 날에만, 그날에는 반드시 시간을 씁니다.",
                f"{line.day}: hours belong to a day with hours of its own, and to no other", field=where,
            )  # fmt: skip
        own[line.day] = OwnDay(line.day, called, None if line.kind == "working" else hours)
    week: Mapping[int, tuple[Period, ...]] = {
        day: periods for day, hours in enumerate(table.week) if (periods := _periods(hours, where))
    }
    return Calendar(
        table.zone or zone, MappingProxyType(week), _periods(table.lunch, where),
        None if table.holidays == "none" else table.holidays, MappingProxyType(own), version,
    )  # fmt: skip


def _periods(written: Sequence[str], where: str) -> tuple[Period, ...]:
    if len(written) > MOST_PERIODS:
        raise BadInput(
            f"하루의 시간은 {MOST_PERIODS}개까지 씁니다: {', '.join(written[:MOST_PERIODS])} …",
            f"at most {MOST_PERIODS} periods a day: {', '.join(written[:MOST_PERIODS])} …", field=where,
        )  # fmt: skip
    found = []
    for one in written:
        try:
            found.append(period(one))
        except ValueError:
            raise BadInput(
                f"시간은 09:00-18:00처럼 씁니다: {one}", f"not a period such as 09:00-18:00: {one}", field=where
            ) from None
    return tuple(sorted(found))
