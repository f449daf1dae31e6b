"""`changgu acd …`: the distributor's rules, its past, and the distributor on days made of dice."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from changgu.acd.figures import middle, table
from changgu.acd.invariants import Broken
from changgu.acd.made_up_traffic import made_up
from changgu.acd.queues import Floor
from changgu.acd.routing import FILE_NAME, decoded, example, read_routing
from changgu.acd.routing_fitting import commented_out, fitted
from changgu.acd.simulate import PROFILES, Profile, replay_command, simulate_day
from changgu.acd.simulate_profiles import Dice, a_floor
from changgu.acd.store import FloorStore
from changgu.acd.strategies import STRATEGIES
from changgu.acd.what_if import play, with_strategy
from changgu.app import compiled, past_commands
from changgu.app.desk_commands import desk_settings, note, read_file, with_database
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


LONGEST = timedelta(days=1).total_seconds()
"""Of patience, conversations and wrap-up on made-up days."""


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(min=0, help="주사위 · the dice; the same seed is the same day")] = 1,
    profile: Annotated[str, typer.Option(help=f"하루의 종류 · {', '.join(PROFILES)}")] = "ordinary",
    days: Annotated[int, typer.Option(min=1, help="며칠 · how many days, each with the next seed")] = 1,
    calls_per_minute: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="하루를 나눈 부분마다 분당 통화 · arrivals over equal parts")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0.05, max=24, help="하루의 길이 · length of the day")] = None,
    agents: Annotated[int | None, typer.Option(min=1, max=2000, help="요원 수 · agents")] = None,
    patience: Annotated[
        float | None, typer.Option(min=1, max=LONGEST, help="평균 인내(초) · mean patience, seconds")
    ] = None,
    talk: Annotated[
        float | None, typer.Option(min=1, max=LONGEST, help="평균 통화(초) · mean conversation, seconds")
    ] = None,
    wrap_up: Annotated[float | None, typer.Option(min=0, max=LONGEST, help="후처리(초) · wrap-up, seconds")] = None,
    strategy: Annotated[str | None, typer.Option(help=f"모든 대기열의 방식 · {', '.join(STRATEGIES)}")] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--with", metavar="FILE",
            help="다른 분배 규칙(모의 하루의 대기열과 요원) · other routing rules, for the made-up queues and agents",
        ),
    ] = None,
) -> None:  # fmt: skip
    """모의 하루. Live through made-up days with every rule checked at every step; says which seed broke one.

    With other arrivals, patience, handling times, staff, strategy or rules: the same callers, with the same traits,
    meet the ordinary and the changed days, and the figures stand side by side.
    """
    if profile not in PROFILES:
        raise NotFound(
            f"{profile}: 없는 종류입니다. {', '.join(PROFILES)} 중에서 고르십시오.",
            f"{profile}: no such profile. Choose one of {', '.join(PROFILES)}.",
        )
    if strategy is not None and strategy not in STRATEGIES:
        names = ", ".join(STRATEGIES)
        raise NotFound(
            f"{strategy}: 없는 방식입니다. {names} 중에서 고르십시오.", f"{strategy}: choose one of {names}."
        )
    usual = PROFILES[profile]
    changed = changed_profile(usual, calls_per_minute, hours, agents, patience, talk, wrap_up)
    text = None if rules is None else decoded(str(rules), read_file(rules))
    floors = [_floors(number, usual, changed, strategy, rules, text) for number in range(seed, seed + days)]
    for number in range(seed, seed + days):
        _checked_day(number, usual, name=profile)
    if changed == usual and strategy is None and rules is None:
        return
    ordinary, other = [], []
    for number, (floor, with_them) in enumerate(floors, seed):
        _checked_day(number, changed, with_them)
        ordinary.append(play(made_up(usual, floor, number), floor, number))
        other.append(play(made_up(changed, with_them, number), with_them, number))
    columns = [(profile, ordinary), ("바꾼 날 · changed", other)]
    for line in table([(name, replace(middle(figures), agents=())) for name, figures in columns]):
        typer.echo(line)
    typer.echo(
        f"표: 같은 사람들이 고장 없는 전화망으로 만난 두 하루, {days}일의 값마다 중앙값 · "
        f"The table: the same people meet both days, on a network that behaves; each figure is the median of {days}"
    )


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


def _floors(
    seed: int, usual: Profile, changed: Profile, strategy: str | None, rules: Path | None, text: str | None
) -> tuple[Floor, Floor]:
    """The floors of the ordinary and of the changed day: whoever is there on both is the same agent."""
    ordinary = a_floor(Dice(Random(seed)), usual)  # noqa: S311 - dice, not secrets
    other = replace(a_floor(Dice(Random(seed)), changed), rules=ordinary.rules)  # noqa: S311 - the same
    if text is not None:
        other = read_routing(str(rules), text, other)
    return ordinary, other if strategy is None else with_strategy(other, strategy)


def _checked_day(seed: int, profile: Profile, floor: Floor | None = None, name: str | None = None) -> None:
    """One day on a network that misbehaves; a line about it when it has a name, by which it is lived through again."""
    try:
        result = simulate_day(Random(seed), profile, floor, refold=name is not None)  # noqa: S311 - dice, not secrets
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
