"""`changgu token | accounts | agents | queues | people …`: set the desk up from files, and look at it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from changgu.acd.identity import AgentId
from changgu.acd.imports import read_agents, read_queues
from changgu.acd.store import FloorStore
from changgu.app import schema
from changgu.app.accounts import Accounts
from changgu.app.data_folder import DeskKind, claim, running_service, tell_running_service
from changgu.app.floor_keeper import rules_of_the_site
from changgu.app.options import ConfigOption, DataOption, settings_from
from changgu.app.reloaded import answer_to, asking
from changgu.app.running import as_running
from changgu.app.settings import Settings
from changgu.asterisk_conf.plan import endpoint_name
from changgu.directory.numbers import Numbering
from changgu.directory.service import Directory
from changgu.ground.access import Role
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, NotFound

COMMAND_LINE = "command line"

T = TypeVar("T")

token_app = typer.Typer(help="프로그램용 토큰 · tokens for programs", no_args_is_help=True)
accounts_app = typer.Typer(help="계정 · accounts", no_args_is_help=True)
agents_app = typer.Typer(help="요원 · agents", no_args_is_help=True)
queues_app = typer.Typer(help="대기열 · queues", no_args_is_help=True)
people_app = typer.Typer(help="사용자 · people", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV (UTF-8 또는 CP949)")]
Login = Annotated[str, typer.Argument(metavar="LOGIN")]


def attach(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(reload)
    for name, sub in (
        ("token", token_app),
        ("accounts", accounts_app),
        ("agents", agents_app),
        ("queues", queues_app),
        ("people", people_app),
    ):
        app.add_typer(sub, name=name)


RELOAD_LIMIT = 60.0
"""Seconds in which a running desk has taken up a change, or has said why not: new sentences have to be spoken."""


def reload(data: DataOption = None, config: ConfigOption = None) -> None:
    """고친 규칙·메뉴를 적용합니다. Have the running desk take up its changed rules and menu; says what changed."""
    settings = desk_settings(data, config)
    if running_service(settings.data) is None:
        raise _nobody_runs(settings.data)
    with asking(settings.data) as wish:
        if not tell_running_service(settings.data):
            raise _nobody_runs(settings.data)
        until = time.monotonic() + RELOAD_LIMIT
        while (now := answer_to(settings.data, wish)) is None:
            if time.monotonic() > until:
                raise Conflict(
                    "창구가 아직 답하지 않았습니다. 기록(log)을 보십시오.",
                    "The desk has not answered yet; see its log.",
                )
            time.sleep(0.1)
    for line in now.lines:
        typer.echo(line)
    if not now.taken_up:
        note("적용하지 않았습니다. 지금까지의 규칙이 그대로 쓰입니다 · not taken up: everything is as it was")
        raise typer.Exit(1)
    typer.echo("적용했습니다 · taken up" + ("" if now.lines else ": 바뀐 것이 없습니다 · nothing has changed"))


def _nobody_runs(data: Path) -> NotFound:
    return NotFound(
        f"{data}에서 실행 중인 changgu가 없습니다. 다음에 열 때 적용됩니다.",
        f"No changgu runs with {data}; the change is taken up when it is opened.",
    )


def desk_settings(data: Path | None, config: Path | None) -> Settings:
    """The settings of the desk in this folder: the open one's own numbers and addresses, when it is open."""
    return as_running(settings_from(data, config))


def note(line: str) -> None:
    """A line for the reader, not for the next program in the pipe."""
    typer.echo(line, err=True)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database of a data folder, in its newest shape, whether the service runs or not."""
    if not (settings.data / "desk").exists():
        claim(settings.data, DeskKind.REAL)
    database = schema.database_of(settings.data)
    try:
        await schema.upgrade(database)
        await FloorStore(database).seed()
        yield database
    finally:
        await database.close()


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` with the database of a data folder."""

    async def run() -> T:
        async with opened(settings) as database:
            return await work(database)

    return asyncio.run(run())


def read_file(file: Path) -> bytes:
    """The bytes of a file the person named; raises BadInput."""
    try:
        return file.read_bytes()
    except OSError as trouble:
        raise BadInput(
            f"{file}: 읽을 수 없습니다({trouble.strerror}).", f"{file}: cannot be read ({trouble.strerror})."
        ) from trouble


def take_up(settings: Settings) -> None:
    """Tell the running service that the floor has changed; it keeps the old one while its rules do not fit."""
    listed = with_database(settings, lambda database: FloorStore(database).load_floor())
    rules = rules_of_the_site(settings, listed)
    if rules.errors:
        note("분배 규칙이 새 편성과 맞지 않습니다. 고칠 때까지 적용되지 않습니다 · the routing rules do not fit;")
        note("nothing is taken up until they do:")
        note(str(rules))
    if tell_running_service(settings.data) and not rules.errors:
        note("실행 중인 창구에 적용합니다 · the running desk takes it up")


# Tokens and accounts


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Option(help="누가 쓰는지 · who uses it")],
    role: Annotated[Role, typer.Option(help="역할 · role")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """토큰을 만들어 한 번 보여 줍니다. Make a token and show it, once."""
    settings = desk_settings(data, config)
    typer.echo(with_database(settings, lambda database: Accounts(database).create_token(name, role)))


@token_app.command("list")
def list_tokens(data: DataOption = None, config: ConfigOption = None) -> None:
    """토큰 목록. List the tokens (not their secrets)."""
    for token in with_database(desk_settings(data, config), lambda database: Accounts(database).tokens()):
        typer.echo(f"{token.name}  {token.role}  {token.created_at:%Y-%m-%d}")


@token_app.command("revoke")
def revoke_token(
    name: Annotated[str, typer.Argument(metavar="NAME")], data: DataOption = None, config: ConfigOption = None
) -> None:
    """토큰을 없앱니다. Take a token back."""
    with_database(desk_settings(data, config), lambda database: Accounts(database).revoke_token(name))


@accounts_app.command("create")
def create_account(
    login: Login,
    name: Annotated[str, typer.Option(help="이름 · name")],
    role: Annotated[Role, typer.Option(help="역할 · role")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """계정을 만들고 첫 비밀번호를 보여 줍니다. Make an account and show its first password."""
    settings = desk_settings(data, config)
    typer.echo(with_database(settings, lambda database: Accounts(database).create_account(login, name, role)))


@accounts_app.command("password")
def reset_password(login: Login, data: DataOption = None, config: ConfigOption = None) -> None:
    """새 비밀번호를 만들어 보여 줍니다. Make a new password and show it."""
    settings = desk_settings(data, config)
    typer.echo(with_database(settings, lambda database: Accounts(database).set_password(login, None, must_change=True)))


# Queues, agents, people


@queues_app.command("import")
def import_queues(file: File, data: DataOption = None, config: ConfigOption = None) -> None:
    """대기열을 가져옵니다. Import queues: name,title,number,strategy,ring_seconds,wrap_up_seconds,ticket,record."""
    settings = desk_settings(data, config)
    content = read_file(file)
    taken = dict.fromkeys((settings.desk.number, *settings.desk.other_numbers), "desk.number")

    async def work(database: Database) -> int:
        floors = FloorStore(database)
        queues = read_queues(str(file), content, await floors.load_floor(), taken)
        await floors.save(queues=queues)
        return len(queues)

    note(f"대기열 {with_database(settings, work)}개 · queues imported")
    take_up(settings)


@queues_app.command("list")
def list_queues(data: DataOption = None, config: ConfigOption = None) -> None:
    """대기열 목록. List the queues."""
    floor = with_database(desk_settings(data, config), lambda database: FloorStore(database).load_floor())
    for queue in floor.queues:
        typer.echo(f"{queue.number or '-':8} {queue.name:16} {queue.strategy:14} {queue.title}")


async def known_agent(floors: FloorStore, login: str) -> None:
    """Raises NotFound when nobody on the floor has this login."""
    if login not in [agent.login for agent in (await floors.load_floor()).agents]:
        raise NotFound(f"{login}: 등록되지 않은 요원입니다.", f"{login}: there is no such agent.")


@agents_app.command("import")
def import_agents(file: File, data: DataOption = None, config: ConfigOption = None) -> None:
    """요원을 가져오고 새 계정의 비밀번호를 보여 줍니다. Import agents: login,name,queues,skills,phone."""
    settings = desk_settings(data, config)
    content = read_file(file)

    async def work(database: Database) -> tuple[int, dict[str, str]]:
        floors = FloorStore(database)
        agents = read_agents(str(file), content, await floors.load_floor())
        await floors.save(agents=agents)
        passwords = await Accounts(database).ensure_accounts([(agent.login, agent.name) for agent in agents])
        return len(agents), passwords

    count, passwords = with_database(settings, work)
    note(f"요원 {count}명 · agents imported")
    if passwords:
        note("새 계정의 첫 비밀번호(다시 보여 주지 않습니다) · first passwords, shown once:")
        for login, password in passwords.items():
            typer.echo(f"{login}  {password}")
    take_up(settings)


@agents_app.command("list")
def list_agents(data: DataOption = None, config: ConfigOption = None) -> None:
    """요원 목록. List the agents."""
    floor = with_database(desk_settings(data, config), lambda database: FloorStore(database).load_floor())
    for agent in floor.agents:
        typer.echo(f"{agent.login:16} {agent.phone:28} {','.join(sorted(agent.queues)):32} {agent.name}")


@agents_app.command("phone")
def show_phone(
    login: Login,
    as_json: Annotated[bool, typer.Option("--json", help="프로그램용 · for programs")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """요원의 SIP 전화기에 넣을 값. What to enter into the agent's SIP phone."""
    settings = desk_settings(data, config)

    async def work(database: Database) -> str:
        floors = FloorStore(database)
        await known_agent(floors, login)
        return await floors.sip_password(AgentId(login))

    shown = {
        "server": settings.sip_address.partition("@")[2],
        "user": endpoint_name(login),
        "password": with_database(settings, work),
    }
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        for name, value in shown.items():
            typer.echo(f"{name:10} {value}")


@agents_app.command("remove")
def remove_agent(login: Login, data: DataOption = None, config: ConfigOption = None) -> None:
    """요원을 편성에서 뺍니다(기록은 남습니다). Take an agent off the floor; their history stays."""
    settings = desk_settings(data, config)

    async def work(database: Database) -> None:
        floors = FloorStore(database)
        await known_agent(floors, login)
        floor = await floors.load_floor()
        left = replace(floor, agents=tuple(agent for agent in floor.agents if agent.login != login))
        before, after = rules_of_the_site(settings, floor), rules_of_the_site(settings, left)
        if after.errors and not before.errors:
            raise BadInput(
                f"routing.toml이 이 요원을 쓰고 있습니다. 먼저 고치십시오.\n{after}",
                f"the routing rules need this agent; change them first.\n{after}",
            )
        await floors.remove_agent(AgentId(login))

    with_database(settings, work)
    note(f"{login}: 편성에서 뺐습니다 · taken off the floor")
    take_up(settings)


@people_app.command("import")
def import_people(file: File, data: DataOption = None, config: ConfigOption = None) -> None:
    """사용자를 가져옵니다. Import people: employee_number,name,department,title,email,location,computer_id,phones…"""
    settings = desk_settings(data, config)
    content = read_file(file)

    async def work(database: Database) -> str:
        directory = Directory(database, Numbering(settings.desk.region, settings.desk.extensions))
        done = await directory.import_people(str(file), content, COMMAND_LINE)
        return (
            f"사용자: 추가 {done.added}, 변경 {done.updated}, 그대로 {done.unchanged} · "
            f"people: {done.added} added, {done.updated} updated, {done.unchanged} unchanged"
        )

    note(with_database(settings, work))
