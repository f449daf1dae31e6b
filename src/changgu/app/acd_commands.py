"""`changgu acd …`: the distributor on days made of dice."""

from random import Random
from typing import Annotated

import typer

from changgu.acd.invariants import Broken
from changgu.acd.simulate import PROFILES, simulate_day
from changgu.ground.trouble import NotFound

app = typer.Typer(help="호 분배 · the distributor", no_args_is_help=True)


@app.callback()
def acd() -> None:
    """호 분배. The distributor of calls, apart from any running desk."""


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
