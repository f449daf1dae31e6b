"""`changgu ivr check | walk | draw | hours | schema | describe`: menu trees looked at before callers hear them."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from changgu.acd.store import FloorStore
from changgu.app.desk_commands import desk_settings, note, with_database
from changgu.app.floor_keeper import beside_menus, menu_file, staff_of
from changgu.app.menu_versions import flows_of
from changgu.app.options import ConfigOption, DataOption
from changgu.app.settings import Settings
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput
from changgu.ivr_flows import service as menus
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.counts import DayRow, Figures, heat_map
from changgu.ivr_flows.publishing.store import CountStore
from changgu.ivr_flows.reference import reference
from changgu.ivr_flows.schema import calendar_schema, flow_schema
from changgu.ivr_flows.walks import World

app = typer.Typer(help="자동응답 메뉴 · the menu trees", no_args_is_help=True)

Menu = Annotated[str, typer.Argument(metavar="MENU", help="이름(main) 또는 파일 · a name such as main, or a file")]
At = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="그때라면: 2026-11-20T18:00 · as if it were that time")
]


@app.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="MENU…", help="없으면 main · main if left out")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """메뉴를 검사합니다. Check menu trees: dead ends, loops, hours, missing prompts and translations."""
    settings = desk_settings(data, config)
    floor = with_database(settings, lambda database: FloorStore(database).load_floor())
    queues, others = [queue.name for queue in floor.queues], beside_menus(settings)
    failed = False
    for name in names or ["main"]:
        report = menus.check_file(
            _named(name, settings), queues, settings.data / "prompts", staff_of(floor), others
        )  # fmt: skip
        typer.echo(str(report))
        failed = failed or report.flow is None
    if failed:
        raise typer.Exit(1)


@app.command("walk")
def walk(
    name: Menu,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="KEY…", help="-는 침묵, ~말 · - is silence, ~word is spoken")
    ] = None,
    at: At = None,
    language: Annotated[str | None, typer.Option(help="ko, en")] = None,
    caller: Annotated[str | None, typer.Option(help="발신 번호 · the caller's number")] = None,
    found: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE:KEY:JSON", help='찾은 것 · what is found: \'newest_ticket:7:{"state": "new"}\''),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """이 키를 누르는 사람이 듣는 것. What a caller who presses these keys hears."""
    settings = desk_settings(data, config)
    zone = ZoneInfo(str(settings.desk.time_zone))
    world = World(_moment(at, zone), _found(found or ()), caller=caller)
    spoken = language or settings.desk.language
    prompts, others = settings.data / "prompts", beside_menus(settings)
    _say(lambda: menus.walk_file(_named(name, settings), " ".join(keys or []), spoken, prompts, others, world))


@app.command("draw")
def draw(
    name: Menu = "main",
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="그림 파일로 · as a picture into this file")] = None,
    days: Annotated[int, typer.Option(min=0, help="며칠 동안의 통화를 세어 넣음 · with the calls of so many days")] = 0,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """메뉴를 그립니다. Draw a tree, if wanted with what callers did at every node."""
    settings = desk_settings(data, config)
    prompts, others, file = settings.data / "prompts", beside_menus(settings), _named(name, settings)

    def drawn() -> str:
        flow = menus.load_file(file, None, prompts, None, others)
        counts = _counted(settings, flow.name, days) if days else None
        return menus.draw_file(file, settings.desk.language, prompts, others, counts, svg=svg is not None)

    if svg is None:
        _say(drawn)
        return
    _say(lambda: _written(svg, drawn()))


@app.command("hours")
def hours(
    calendar: Annotated[str, typer.Argument(metavar="CALENDAR")] = "desk",
    at: At = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """방송 중인 근무시간표가 그때 무엇이라 하는지. What a calendar on the air says then, and the year's holidays."""
    settings = desk_settings(data, config)
    try:
        flows = with_database(settings, lambda database: flows_of(settings, database))
    except FlowErrors as wrong:
        note(str(wrong))
        raise typer.Exit(1) from None
    found = flows[0].calendars.get(calendar)
    if found is None:
        note(f"'{calendar}' 근무시간표가 없습니다 · there is no calendar '{calendar}'")
        raise typer.Exit(1)
    moment = _moment(at, ZoneInfo(found.zone)) or datetime.now(UTC)
    standing, local = found.at(moment), found.local(moment)
    opens = found.local(standing.opens).isoformat(timespec="minutes") if standing.opens else "–"
    typer.echo(f"{local.isoformat(timespec='minutes')}  {standing.hours}  {standing.holiday}".rstrip())
    typer.echo(f"다음 시작 · opens next: {opens}")
    for ahead in range(366):
        day = local.date() + timedelta(days=ahead)
        if name := found.holiday_on(day):
            typer.echo(f"{day.isoformat()}  {name}")


@app.command("schema")
def schema(
    calendars: Annotated[bool, typer.Option("--calendars", help="근무시간표의 것 · that of calendars.yaml")] = False,
) -> None:
    """편집기가 쓰는 JSON Schema. The JSON Schema of menu files, for editors."""
    typer.echo(json.dumps(calendar_schema() if calendars else flow_schema(), ensure_ascii=False, indent=2))


@app.command("describe")
def describe(language: Annotated[str, typer.Argument(metavar="ko|en")] = "ko") -> None:
    """단계의 종류와 항목. Every kind of node and its fields."""
    typer.echo(reference("en" if language == "en" else "ko"))


def _named(name: str, settings: Settings) -> Path:
    """A file, or the site's own or the shipped menu of that name."""
    if name == "main":
        return menu_file(settings.data)
    own = settings.data / "menus" / f"{name}.yaml"
    shipped = menus.shipped_menu(name) if "/" not in name and "." not in name else None
    if own.exists() and shipped is not None:
        return own
    return shipped if shipped is not None and shipped.exists() else Path(name)


def _moment(written: str | None, zone: ZoneInfo) -> datetime | None:
    if written is None:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise BadInput(
            f"때는 2026-11-20T18:00처럼 씁니다: {written}", f"not a time such as 2026-11-20T18:00: {written}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _found(written: Sequence[str]) -> Mapping[str, Mapping[str, Mapping[str, str] | None]]:
    sources: dict[str, dict[str, Mapping[str, str] | None]] = {}
    for one in written:
        source, _, rest = one.partition(":")
        key, _, answer = rest.partition(":")
        try:
            fields = json.loads(answer)
        except json.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            raise BadInput(f"SOURCE:KEY:JSON이 아닙니다: {one}", f"not SOURCE:KEY:JSON: {one}")
        sources.setdefault(source, {})[key] = {name: str(value) for name, value in fields.items()}
    return sources


def _counted(settings: Settings, flow: str, days: int) -> Mapping[str, Figures]:
    today = datetime.now(ZoneInfo(str(settings.desk.time_zone))).date()

    async def rows(database: Database) -> list[DayRow]:
        return await CountStore(database).rows(flow, today - timedelta(days=days - 1), today)

    return heat_map(with_database(settings, rows)).nodes


def _written(file: Path, text: str) -> str:
    try:
        file.write_text(text, "utf-8")
    except OSError as trouble:
        why = trouble.strerror
        raise BadInput(f"{file}: 쓸 수 없습니다({why}).", f"{file}: cannot be written ({why}).") from trouble
    return str(file)


def _say(work: Callable[[], str]) -> None:
    try:
        typer.echo(work())
    except FlowErrors as wrong:
        note(str(wrong))
        raise typer.Exit(1) from None
