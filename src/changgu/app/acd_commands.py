"""`changgu acd …`: the distributor's rules, its past, and the distributor on days made of dice."""

from pathlib import Path
from random import Random
from typing import Annotated

import typer

from changgu.acd.invariants import Broken
from changgu.acd.routing import example
from changgu.acd.simulate import PROFILES, simulate_day
from changgu.acd.store import FloorStore
from changgu.app import past_commands
from changgu.app.desk_commands import desk_settings, with_database
from changgu.app.floor_keeper import rules_of_the_site
from changgu.app.options import ConfigOption, DataOption
from changgu.ground.trouble import NotFound

app = typer.Typer(help="호 분배 · the distributor", no_args_is_help=True)
past_commands.attach(app)


@app.callback()
def acd() -> None:
    """호 분배. The distributor of calls, apart from any running desk."""


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="규칙 파일(기본 DIR/routing.toml) · the file of rules")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """분배 규칙을 검사합니다. Check routing rules against the desk's queues, agents and menu; names every mistake."""
    settings = desk_settings(data, config)
    listed = with_database(settings, lambda database: FloorStore(database).load_floor())
    report = rules_of_the_site(settings, listed, file)
    typer.echo(str(report))
    if report.errors:
        raise typer.Exit(1)


@app.command()
def describe() -> None:
    """분배 규칙의 예. Print a commented example of routing rules, with every key, its unit and its limits."""
    typer.echo(example(), nl=False)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="주사위 · the dice; the same seed is the same day")] = 1,
    profile: Annotated[str, typer.Option(help=f"하루의 종류 · {', '.join(PROFILES)}")] = "ordinary",
    days: Annotated[int, typer.Option(min=1, help="며칠 · how many days, each with the next seed")] = 1,
) -> None:
    """모의 하루. Live through made-up days with every rule checked at every step; says which seed broke one."""
    if profile not in PROFILES:
        raise NotFound(
            f"{profile}: 없는 종류입니다. {', '.join(PROFILES)} 중에서 고르십시오.",
            f"{profile}: no such profile. Choose one of {', '.join(PROFILES)}.",
        )
    for day in range(seed, seed + days):
        try:
            result = simulate_day(Random(day), PROFILES[profile], refold=True)  # noqa: S311 - dice, not secrets
        except Broken as broken:
            typer.echo(f"seed {day}: {broken}", err=True)
            typer.echo(f"replay: ./changgu acd simulate --seed {day} --profile {profile}", err=True)
            raise typer.Exit(1) from broken
        typer.echo(
            f"seed {day}: offered {result.offered}, answered {result.answered}, abandoned {result.abandoned}, "
            f"lost {result.lost}, mean wait {result.mean_wait_seconds:.1f} s, events {result.events}, "
            f"ignored {result.ignored}, trace {result.trace[:16]}"
        )
