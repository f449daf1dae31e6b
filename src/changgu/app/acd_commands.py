"""`changgu acd …`: the distributor's rules, its past, and the distributor on days made of dice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from changgu.acd.figures import columns_of
from changgu.acd.invariants import Broken
from changgu.acd.routing import FILE_NAME, example
from changgu.acd.routing_fitting import commented_out, fitted
from changgu.acd.simulate import PROFILES, DayResult, Profile, replay_command, simulate_day
from changgu.acd.simulate_profiles import Dice, a_floor
from changgu.acd.store import FloorStore
from changgu.acd.strategies import STRATEGIES
from changgu.acd.what_if import with_strategy
from changgu.app import compiled, past_commands
from changgu.app.desk_commands import desk_settings, note, with_database
from changgu.app.floor_keeper import rules_of_the_site
from changgu.app.joins import NOT_DIALLED
from changgu.app.options import ConfigOption, DataOption
from changgu.app.schema import DATABASE
from changgu.ground.trouble import BadInput, NotFound
from changgu.telephony.dial_plan import unreachable_destinations

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
    if not settings.data.is_dir():
        note(f"{settings.data}: 그런 폴더가 없습니다 · there is no such folder")
        raise typer.Exit(1)
    own = settings.data / FILE_NAME
    if file is None and not own.exists():
        note(f"{own}: 규칙 파일이 없어 기본 규칙이 쓰입니다 · no rules file: the defaults are in force")
    listed = with_database(settings, lambda database: FloorStore(database).load_floor())
    report = rules_of_the_site(settings, listed, file)
    typer.echo(str(report))
    if report.floor is not None:
        plan = settings.outside.plan(settings.desk.extensions)
        for queue, to, why in unreachable_destinations(plan, report.floor):
            ko, en = NOT_DIALLED[why]
            typer.echo(f"[주의 · warning] queue.{queue}: {to}: {ko} ({en})")
    if report.errors:
        raise typer.Exit(1)


@app.command()
def describe(data: DataOption = None, config: ConfigOption = None) -> None:
    """분배 규칙의 예. Print a commented example of routing rules, with every key, its unit and its limits.

    Of a desk that is set up it names the queues, an agent and a skill, so that it can be taken up as it is.
    """
    settings = desk_settings(data, config)
    if not (settings.data / DATABASE).exists():
        typer.echo(example(), nl=False)
        return
    listed = with_database(settings, lambda database: FloorStore(database).load_floor())
    text = fitted(example(), listed)
    with TemporaryDirectory() as folder:
        file = Path(folder) / FILE_NAME
        file.write_text(text, encoding="utf-8")
        wrong = rules_of_the_site(settings, listed, file).errors
    for mistake in wrong:
        note(f"{FILE_NAME}:{mistake.line}: {mistake.ko} · {mistake.en}")
    typer.echo(commented_out(text) if wrong else text, nl=False)


@app.command("compile")
def compile_engine() -> None:
    """엔진을 기계어로 만듭니다. Compile the engine: nearly twice as fast; the desk uses it from its next start."""
    note("1~2분 걸립니다 · this takes a minute or two")
    typer.echo(str(compiled.build()))


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="주사위 · the dice; the same seed is the same day")] = 1,
    profile: Annotated[str, typer.Option(help=f"하루의 종류 · {', '.join(PROFILES)}")] = "ordinary",
    days: Annotated[int, typer.Option(min=1, help="며칠 · how many days, each with the next seed")] = 1,
    calls_per_minute: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="하루를 나눈 부분마다 분당 통화 · arrivals over equal parts")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0.05, max=24, help="하루의 길이 · length of the day")] = None,
    agents: Annotated[int | None, typer.Option(min=1, max=2000, help="요원 수 · agents")] = None,
    patience: Annotated[float | None, typer.Option(min=1, help="평균 인내(초) · mean patience, seconds")] = None,
    talk: Annotated[float | None, typer.Option(min=1, help="평균 통화(초) · mean conversation, seconds")] = None,
    wrap_up: Annotated[float | None, typer.Option(min=0, help="후처리(초) · wrap-up, seconds")] = None,
    strategy: Annotated[str | None, typer.Option(help=f"모든 대기열의 방식 · {', '.join(STRATEGIES)}")] = None,
) -> None:
    """모의 하루. Live through made-up days with every rule checked at every step; says which seed broke one.

    With other arrivals, patience, handling times, staff or strategy: the figures of the same days with and without
    the change stand side by side.
    """
    if profile not in PROFILES:
        raise NotFound(
            f"{profile}: 없는 종류입니다. {', '.join(PROFILES)} 중에서 고르십시오.",
            f"{profile}: no such profile. Choose one of {', '.join(PROFILES)}.",
        )
    usual = PROFILES[profile]
    changed = changed_profile(usual, calls_per_minute, hours, agents, patience, talk, wrap_up)
    results = [_day(day, usual, profile) for day in range(seed, seed + days)]
    if changed == usual and strategy is None:
        return
    others = [_day(day, changed, None, strategy) for day in range(seed, seed + days)]
    for line in day_table([(profile, results), ("바꾼 날 · changed", others)]):
        typer.echo(line)


def changed_profile(
    profile: Profile,
    calls_per_minute: str | None = None,
    hours: float | None = None,
    agents: int | None = None,
    patience: float | None = None,
    talk: float | None = None,
    wrap_up: float | None = None,
) -> Profile:
    """The profile with what was given; raises `BadInput` for arrivals that cannot be read."""
    if calls_per_minute is not None:
        try:
            rates = tuple(float(part) for part in calls_per_minute.split(","))
        except ValueError:
            rates = ()
        if not rates or not all(0 < rate <= 10_000 for rate in rates):
            raise BadInput(f"{calls_per_minute}: 1,3,6,2와 같이 씁니다.", f"{calls_per_minute}: write it like 1,3,6,2.")
        profile = replace(profile, calls_per_minute=rates)
    if agents is not None:
        profile = replace(profile, agents=agents)
    lengths = {
        "length": None if hours is None else timedelta(hours=hours),
        "patience": None if patience is None else timedelta(seconds=patience),
        "talk": None if talk is None else timedelta(seconds=talk),
        "wrap_up": None if wrap_up is None else timedelta(seconds=wrap_up),
    }
    for name, length in lengths.items():
        if length is not None:
            profile = replace(profile, **{name: length})  # type: ignore[arg-type]
    return profile


def _day(seed: int, profile: Profile, name: str | None, strategy: str | None = None) -> DayResult:
    """One day; the line about it is written when the day has a name, by which it is lived through again."""
    floor = None
    if strategy is not None:
        if strategy not in STRATEGIES:
            names = ", ".join(STRATEGIES)
            raise NotFound(
                f"{strategy}: 없는 방식입니다. {names} 중에서 고르십시오.", f"{strategy}: choose one of {names}."
            )
        floor = with_strategy(a_floor(Dice(Random(seed)), profile), strategy)  # noqa: S311 - dice, not secrets
    try:
        result = simulate_day(Random(seed), profile, floor, refold=name is not None)  # noqa: S311 - the same
    except Broken as broken:
        typer.echo(f"seed {seed}: {broken}", err=True)
        if name is not None:
            typer.echo(f"replay: {replay_command(seed, name)}", err=True)
        raise typer.Exit(1) from broken
    if name is not None:
        typer.echo(
            f"seed {seed}: offered {result.offered}, answered {result.answered}, abandoned {result.abandoned}, "
            f"lost {result.lost}, mean wait {result.mean_wait_seconds:.1f} s, events {result.events}, "
            f"ignored {result.ignored}, trace {result.trace[:16]}"
        )
    return result


DAY_ROWS: Sequence[tuple[str, str, str]] = (
    ("offered", "들어온 통화 · offered", ".1f"),
    ("answered", "응답 · answered", ".1f"),
    ("abandoned", "포기 · abandoned", ".1f"),
    ("diverted", "다른 처리 · served otherwise", ".1f"),
    ("refused", "거절 · refused", ".1f"),
    ("service_level", "서비스 수준 · service level", ".1%"),
    ("mean_wait_seconds", "평균 대기(초) · mean wait, s", ".1f"),
    ("longest_wait_seconds", "최장 대기(초) · longest wait, s", ".1f"),
    ("occupancy", "점유율 · occupancy", ".1%"),
    ("callbacks_kept", "지킨 콜백 · call-backs kept", ".1f"),
)


def day_table(columns: Sequence[tuple[str, Sequence[DayResult]]]) -> list[str]:
    """The means over some days side by side, and the difference of the last two."""
    rows = [["", *(name for name, _ in columns), "차이 · change"]]
    for figure, words, form in DAY_ROWS:
        means = [sum(getattr(day, figure) for day in days) / len(days) for _, days in columns]
        rows.append([words, *(format(mean, form) for mean in means), format(means[-1] - means[-2], f"+{form}")])
    return columns_of(rows)
