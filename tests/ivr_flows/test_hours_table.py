"""The table of opening hours and holidays in the browser: changed at once, with who and when, and never lost again."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from changgu.acd.queues import Floor
from changgu.app.access import AccessGate
from changgu.app.accounts import Accounts
from changgu.app.rendering import SitePages
from changgu.app.web import build_app
from changgu.ground.database import Database
from changgu.ivr_flows.calendar_writer import calendars_written
from changgu.ivr_flows.loader import read_calendars
from changgu.ivr_flows.publishing.hours.api import build_router
from changgu.ivr_flows.publishing.versions import How
from tests.app.whole_desk import Healthy
from tests.ivr_flows.menu_house import BOSS, DEPUTY, MAIN, SEOUL, MenuHouse
from tests.ivr_flows.test_flows_api import Door
from tests.ivr_flows.test_whole_versions import HOURS, OFFICE, WITH_A_HOLIDAY, holiday, office, publish_part
from tests.support.waiting import eventually

FOUNDED = {"day": "2026-12-24", "name": "창립기념일", "kind": "holiday", "hours": []}
SHORTER = OFFICE.replace("longest: 180", "longest: 60")


@pytest.fixture
async def house(tmp_path: Path, database: Database) -> MenuHouse:
    return await office(tmp_path, database)


@pytest.fixture
async def client(house: MenuHouse) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        version="0", gate=AccessGate(Accounts(house.database)), pages=SitePages(), health=Healthy(),
        routers=[build_router(Door(), house.versions, lambda: "Asia/Seoul")],
    )  # fmt: skip
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk/api/v1/flows") as client:
        yield client


async def table(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get("/main/hours")).json()  # type: ignore[no-any-return]


async def declare(client: httpx.AsyncClient, *days: dict[str, Any], **more: Any) -> httpx.Response:
    now = await table(client)
    now["calendars"]["desk"]["days"] = list(days)
    wish = {"version": now["version"], "calendars": now["calendars"], "note": "임시공휴일", **more}
    return await client.put("/main/hours", json=wish, headers={"as": "deputy"})


async def test_the_table_says_which_node_goes_by_it_and_what_callers_hear_then(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    (asked,) = (await table(client))["asked"]["desk"]
    assert asked["node"] == "hours"
    assert {way: heard["to"] for way, heard in asked["ways"].items()} == {
        "open": "services", "lunch": "lunch", "holiday": "holiday", "closed": "closed",
    }  # fmt: skip
    assert asked["ways"]["holiday"]["says"]["ko"].startswith("오늘은 휴일입니다.")

    without_a_holiday = re.sub(r"\n  holiday:\n(    .*\n)+", "", OFFICE.replace("    holiday: holiday\n", ""))
    # a way that is left out is that of a closed desk; without the node nobody hears of the table at all
    await publish_part(house, "", without_a_holiday)
    (asked,) = (await table(client))["asked"]["desk"]
    assert asked["ways"]["holiday"] == asked["ways"]["closed"]
    await publish_part(house, "", MAIN)
    assert (await table(client))["asked"] == {"desk": []}


async def test_a_holiday_is_declared_and_holds_from_the_next_call_on(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    before = house.versions.begin("c1", "1000").flow
    shown = await table(client)
    assert shown["calendars"]["desk"] == {
        "zone": "Asia/Seoul", "week": [["09:00-18:00"]] * 5 + [[], []], "lunch": ["12:00-13:00"], "holidays": "KR",
        "days": [],
    }  # fmt: skip
    assert {"day": "2027-02-09", "name": "설날 대체 휴일"} in shown["ahead"]["desk"]

    answer = await declare(client, FOUNDED)

    assert answer.status_code == 200, answer.text
    assert FOUNDED in answer.json()["calendars"]["desk"]["days"]
    last = answer.json()["changes"][0]
    assert (last["version"], last["by"], last["note"]) == (2, "deputy", "임시공휴일")
    assert holiday(house.versions.begin("c2", "1000").flow) == "창립기념일"
    assert holiday(house.versions.begin("c1", "1000").flow) == holiday(before) == ""
    assert house.versions.history.publications[-1].how is How.HOURS
    assert house.versions.history.versions[-1].menu.text == OFFICE

    await house.versions.roll_back(1, "", BOSS)
    assert (await table(client))["calendars"]["desk"]["days"] == []


async def test_a_draft_and_a_schedule_do_not_bring_the_old_table_back(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    saved = await house.versions.save_draft(SHORTER, 0, BOSS)
    tomorrow = house.clock.replace(day=3)
    await house.versions.publish(saved.revision, "내일부터", tomorrow, BOSS)

    assert (await declare(client, FOUNDED)).status_code == 200

    (ahead,) = house.versions.history.ahead(house.clock)
    assert (ahead.version, ahead.effective_at, ahead.note, ahead.by) == (4, tomorrow, "내일부터", "boss")
    withdrawn = next(one for one in house.versions.history.publications if one.version == 2)
    assert (withdrawn.withdrawn_by, "버전 3" in withdrawn.why_withdrawn) == ("deputy", True)
    house.clock = tomorrow
    assert await house.keeper.reload()
    flow = house.versions.current("1000").flow
    assert (house.versions.current("1000").version, holiday(flow)) == (4, "창립기념일")
    draft = await house.versions.working_draft()
    assert "창립기념일" in draft.menu.calendars
    assert "longest: 60" in draft.menu.text


async def test_a_schedule_with_a_table_of_its_own_keeps_it_and_that_is_said(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    assert (await declare(client, FOUNDED)).status_code == 200
    anew = await house.versions.start_draft_anew(0, 1, BOSS)
    saved = await house.versions.save_draft(SHORTER, anew.revision, BOSS)
    await house.versions.publish(saved.revision, "", house.clock.replace(day=3), BOSS)
    assert (await declare(client, {**FOUNDED, "day": "2026-12-31"})).json()["scheduled_otherwise"] == [3]


async def test_a_schedule_and_the_draft_go_on_with_the_hours_that_came_by_file(house: MenuHouse) -> None:
    """A supervisor who scheduled a menu for tomorrow expects tomorrow's hours with it."""
    saved = await house.versions.save_draft(SHORTER, 0, BOSS)
    tomorrow = house.clock.replace(day=3)
    await house.versions.publish(saved.revision, "내일부터", tomorrow, BOSS)
    (house.folder / "menus" / "calendars.yaml").write_text(WITH_A_HOLIDAY, "utf-8")
    assert await house.keeper.reload()

    running = asyncio.create_task(house.versions.run())

    async def followed() -> bool:
        return [one.version for one in house.versions.history.ahead(house.clock)] == [4]

    await eventually(followed)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    withdrawn = next(one for one in house.versions.history.publications if one.version == 2)
    assert "버전 3" in withdrawn.why_withdrawn
    assert "창립기념일" in (await house.versions.working_draft()).menu.calendars
    house.clock = tomorrow
    assert await house.keeper.reload()
    assert (house.versions.current("1000").version, holiday(house.versions.current("1000").flow)) == (4, "창립기념일")
    assert "longest: 60" in house.versions.history.version(4).menu.text


async def test_a_table_that_was_a_mistake_does_not_come_back_once_it_is_rolled_back(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    saved = await house.versions.save_draft(SHORTER, 0, BOSS)
    tomorrow = house.clock.replace(day=3)
    await house.versions.publish(saved.revision, "내일부터", tomorrow, BOSS)
    assert (await declare(client, FOUNDED)).status_code == 200

    await house.versions.roll_back(1, "잘못 넣음", DEPUTY)

    (ahead,) = house.versions.history.ahead(house.clock)
    assert (ahead.version, ahead.effective_at, ahead.note, ahead.by) == (5, tomorrow, "내일부터", "boss")
    draft = await house.versions.working_draft()
    assert draft.menu.calendars == HOURS
    assert "longest: 60" in draft.menu.text
    house.clock = tomorrow
    assert await house.keeper.reload()
    assert (house.versions.current("1000").version, holiday(house.versions.current("1000").flow)) == (5, "")


async def test_rolling_back_the_tree_alone_leaves_the_draft_alone(house: MenuHouse) -> None:
    saved = await house.versions.save_draft(SHORTER, 0, BOSS)
    await house.versions.publish(saved.revision, "", None, BOSS)
    before = await house.versions.working_draft()
    await house.versions.roll_back(1, "", DEPUTY)
    assert await house.versions.working_draft() == before


async def test_who_changed_the_table_when_tells_of_a_roll_back_too(client: httpx.AsyncClient, house: MenuHouse) -> None:
    assert (await declare(client, FOUNDED)).status_code == 200
    house.wind(hours=1)
    await house.versions.roll_back(1, "잘못 넣음", BOSS)
    house.wind(hours=1)
    saved = await house.versions.save_draft(SHORTER, 0, BOSS)  # its table is the same
    await house.versions.publish(saved.revision, "", None, BOSS)

    changes = (await table(client))["changes"]

    site = str(house.folder / "menus" / "main.yaml")
    assert [(one["version"], one["by"], one["note"]) for one in changes] == [
        (1, "boss", "잘못 넣음"), (2, "deputy", "임시공휴일"), (1, site, ""),
    ]  # fmt: skip
    assert changes[0]["at"] == "2026-03-02T01:00:00Z"


async def test_call_backs_keep_a_holiday_that_was_declared_in_the_browser(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    next_year = date(datetime.now(SEOUL).year + 1, 12, 24)
    told: list[Floor] = []
    house.keeper.tell([told.append])
    assert next_year not in house.keeper.floor.rules.holidays

    assert (await declare(client, {**FOUNDED, "day": str(next_year)})).status_code == 200

    assert next_year in house.keeper.floor.rules.holidays
    assert next_year in told[-1].rules.holidays  # the running desk has taken it up
    await house.versions.roll_back(1, "", BOSS)
    assert next_year not in told[-1].rules.holidays


LONG = "창립기념일 " * 12
ODD = f"""\
version: "2026-11"
calendars:
  desk:
    week:
      mon-fri: [{", ".join(f"{hour:02}:00-{hour:02}:50" for hour in range(8, 18))}]
    lunch: 12:00-12:50
    days:
      2026-12-24: {LONG.strip()}
      2026-07-17: {{name: "", working: true}}
"""


async def test_a_table_of_the_site_that_the_form_could_not_have_written_is_shown(
    client: httpx.AsyncClient, house: MenuHouse
) -> None:
    (house.folder / "menus" / "calendars.yaml").write_text(ODD, "utf-8")
    assert await house.keeper.reload()

    shown = await client.get("/main/hours")

    assert shown.status_code == 200
    desk = shown.json()["calendars"]["desk"]
    assert ([one["name"] for one in desk["days"]], len(desk["week"][0])) == (["", LONG.strip()], 10)


async def test_the_sites_name_for_its_table_outlives_a_save(client: httpx.AsyncClient, house: MenuHouse) -> None:
    (house.folder / "menus" / "calendars.yaml").write_text(HOURS.replace('version: "1"', 'version: "2026-11"'), "utf-8")
    assert await house.keeper.reload()
    assert (await declare(client, FOUNDED)).status_code == 200
    calendars, _ = read_calendars(house.versions.history.versions[-1].menu.calendars, "calendars.yaml")
    assert calendars["desk"].version == "2026-11"


async def test_who_looked_at_an_older_version_does_not_overwrite_the_newer(client: httpx.AsyncClient) -> None:
    assert (await declare(client, FOUNDED)).status_code == 200
    assert (await declare(client, version=1)).status_code == 409
    assert (await declare(client, FOUNDED)).status_code == 409, "nothing has changed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"week": [["9-18"]] * 7}, "9-18"),
        ({"zone": "Asia/Seol"}, "Asia/Seol"),
        ({"holidays": "XX"}, "XX"),
        ({"days": [FOUNDED, FOUNDED]}, "2026-12-24"),
        ({"days": [{**FOUNDED, "kind": "hours"}]}, "2026-12-24"),
        ({"days": [{**FOUNDED, "day": "2026-02-30"}]}, ""),
        ({"lunch": []}, "lunch"),  # the menu has a way for lunch, which would never be taken
        ({"week": [[]] * 7}, "open"),
        ({"week": [[f"{hour:02}:00-{hour:02}:30" for hour in range(9, 18)]] + [["09:00-18:00"]] * 6}, "at most 8"),
        ({"lunch": [f"12:{minute:02}-12:{minute + 1:02}" for minute in range(9)]}, "at most 8"),
        ({"days": [{**FOUNDED, "name": " "}]}, "2026-12-24"),
        ({"days": [{**FOUNDED, "name": "가" * 61}]}, "2026-12-24"),
        ({"days": [{**FOUNDED, "day": str(date.fromordinal(739000 + n))} for n in range(501)]}, "at most 500"),
    ],
)
async def test_a_table_that_cannot_be_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, house: MenuHouse, change: dict[str, Any], why: str
) -> None:
    now = await table(client)
    desk = now["calendars"]["desk"] | change
    answer = await client.put("/main/hours", json={"version": 1, "calendars": {"desk": desk}})
    assert (answer.status_code, why in answer.text) == (422, True), answer.text
    assert len(house.versions.history.versions) == 1


async def test_a_menu_that_is_not_there_has_no_hours(client: httpx.AsyncClient) -> None:
    assert (await client.get("/other/hours")).status_code == 404


def test_a_table_that_is_written_is_read_as_the_same_calendars() -> None:
    week = "mon-thu: [09:00-12:30, 13:00:30-24:00]\n      fri: 22:00-06:00"
    text = HOURS.replace("mon-fri: 09:00-18:00", week).replace(
        "days: {}",
        "days: {2026-12-24: 창립기념일, 2026-12-31: {name: 종무식, hours: 09:00-12:00}, "
        '2026-07-17: {name: "제헌절: 근무", working: true}}',
    ) + "  night: {zone: Asia/Tokyo, week: {sat: 00:00-24:00}, holidays: none}\n"
    calendars, problems = read_calendars(text, "calendars.yaml")
    assert problems == ()
    assert set(calendars) == {"desk", "night"}
    assert read_calendars(calendars_written(calendars), "calendars.yaml") == (calendars, ())
    assert calendars["desk"].holiday_on(date(2026, 12, 24)) == "창립기념일"
