"""`changgu ivr …` on a real data folder: the site's own flows and hours, walked at a time, drawn with counts."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from changgu.acd.store import FloorStore
from changgu.app import schema
from changgu.app.data_folder import DeskKind, claim
from changgu.app.ivr_commands import app
from changgu.ground.trouble import BadInput
from changgu.ivr_flows.publishing.counts import Count, What
from changgu.ivr_flows.publishing.store import CountStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "menus").mkdir(parents=True)
    claim(folder, DeskKind.REAL)
    return folder


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)], catch_exceptions=False)


def test_all_that_is_shipped_is_well(data: Path) -> None:
    done = run(data, "check", "main", "office", "survey", "identify")

    assert done.exit_code == 0
    assert [line.rsplit("/", 1)[-1] for line in done.output.splitlines()] == [
        "main.yaml: ok", "office.yaml: ok", "survey.yaml: ok", "identify.yaml: ok",
    ]  # fmt: skip


def test_a_mistake_in_the_sites_own_sub_flow_or_hours_keeps_the_menu_off_the_air(data: Path) -> None:
    (data / "menus" / "identify.yaml").write_text("flow: identify\nstart: a\nparameters: {}\nnodes: {a: {kind: no}}\n")
    (data / "menus" / "calendars.yaml").write_text("calendars: {desk: {week: {mon: 9-18}}}\n")

    done = run(data, "check", "office")

    assert done.exit_code == 1
    assert "identify.yaml:4:19: error" in done.output
    assert "calendars.yaml:1:32: error" in done.output


def test_a_walk_at_a_time_with_what_is_found(data: Path) -> None:
    closed = run(data, "walk", "office", "-", "3", "--at", "2026-11-20T18:00")
    assert closed.output.strip().splitlines()[-1] == "→ hang up (served)"
    assert "십일월 이십삼일 오전 아홉 시" in closed.output

    found = '{"person": 7}'
    known = run(
        data, "walk", "office", "1", "2", "2024#", "0412#", "--at", "2026-11-20T17:59:59",
        "--found", f"caller_check:2024 0412:{found}",
    )  # fmt: skip
    assert "@ own_services" in known.output
    for option, wrong in (("--at", "noon"), ("--found", "person"), ("--found", "person:1:[]")):
        with pytest.raises(BadInput):
            run(data, "walk", "office", option, wrong)


def test_the_sites_own_hours_are_asked(data: Path) -> None:
    own = "calendars: {desk: {week: {mon-fri: 09:00-18:00}, days: {2026-11-20: 창립기념일}}}\n"
    (data / "menus" / "calendars.yaml").write_text(own, "utf-8")

    said = run(data, "hours", "desk", "--at", "2026-11-20T10:00").output.splitlines()

    assert said[:2] == ["2026-11-20T10:00+09:00  holiday  창립기념일", "다음 시작 · opens next: 2026-11-23T09:00+09:00"]
    assert "2027-02-09  설날 대체 휴일" in said
    assert run(data, "hours", "gone").exit_code == 1


def test_a_tree_is_drawn_with_what_callers_did(data: Path, tmp_path: Path) -> None:
    today = datetime.now(ZoneInfo("Asia/Seoul")).date()

    async def counted() -> None:
        database = schema.database_of(data)
        await schema.upgrade(database)
        await FloorStore(database).seed()
        services = {What.ENTERED: 40, What.HUNG_UP: 10, What.LEFT: 30}
        await CountStore(database).add(
            {(today, Count("main", 1, "services", what)): times for what, times in services.items()}
        )
        await database.close()

    asyncio.run(counted())
    assert "services [menu] (40 in, 10 hung up)" in run(data, "draw", "main", "--days", "2").output
    assert "40 in" not in run(data, "draw", "main").output
    picture = tmp_path / "tree.svg"
    assert run(data, "draw", "main", "--days", "2", "--svg", str(picture)).exit_code == 0
    drawn = ElementTree.parse(picture)
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "(40 in, 10 hung up)" in texts
    assert texts.count("services") == 1


def test_the_schema_and_the_reference_are_printed(data: Path) -> None:
    runner = CliRunner()
    assert json.loads(runner.invoke(app, ["schema"]).output)["title"].startswith("changgu")
    assert "calendars" in json.loads(runner.invoke(app, ["schema", "--calendars"]).output)["properties"]
    assert "### `opening_hours`" in runner.invoke(app, ["describe", "ko"]).output
