"""`changgu acd why | replay`: why a call rang where it rang, and what a past day would have been with other rules."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import orjson
import typer

from changgu.acd import why_words
from changgu.acd.engine import Engine
from changgu.acd.event_json import FloorOpened
from changgu.acd.explain import Explanation, Unserved, Why
from changgu.acd.facts import FloorTakenUp, Recorded
from changgu.acd.figures import Counted, Kpis, middle, spread, table
from changgu.acd.floor_json import floor_digest
from changgu.acd.identity import CallId, Instant
from changgu.acd.ledger.past.store import Past
from changgu.acd.queues import Floor
from changgu.acd.replay import CannotReplay, Replayer, digests, openings
from changgu.acd.routing import RoutingErrors
from changgu.acd.store import CallStore, FloorStore
from changgu.acd.strategies import STRATEGIES, UnknownStrategy
from changgu.acd.traffic import Recording, Traffic
from changgu.acd.what_if import play, with_agents, with_strategy
from changgu.acd.why.service import Explained, Explainer
from changgu.app.desk_commands import desk_settings, note, with_database
from changgu.app.floor_keeper import rules_of_the_site
from changgu.app.options import ConfigOption, DataOption
from changgu.app.schema import DATABASE
from changgu.app.settings import Settings
from changgu.ground.database import Database, moment
from changgu.ground.trouble import BadInput, NotFound
from changgu.telephony.dial_plan import unreachable_destinations

FACTS_AT_ONCE = 20_000

From = Annotated[str, typer.Argument(metavar="FROM", help="2026-11-21 또는 2026-11-21T09:00 · the beginning")]
To = Annotated[str, typer.Argument(metavar="TO", help="2026-11-21(그날 끝까지) 또는 시각 · the end")]
AsJson = Annotated[bool, typer.Option("--json", help="프로그램용 · for programs")]


def attach(app: typer.Typer) -> None:
    """Add these commands to `changgu acd`."""
    app.command()(why)
    app.command()(replay)


def _recorded_desk(data: Path | None, config: Path | None) -> Settings:
    """The settings of a desk that is there: who only reads sets none up."""
    settings = desk_settings(data, config)
    if not (settings.data / DATABASE).exists():
        raise NotFound(f"{settings.data}: 창구의 데이터가 없습니다.", f"{settings.data}: no desk's data is there.")
    return settings


# Why a call rang where it rang


def why(
    call: Annotated[str, typer.Argument(metavar="CALL", help="통화 ID · the call's id")],
    as_json: AsJson = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """왜 이 요원인가. For each offer of a call: why this agent, why not the others, why no caller further ahead."""
    settings = _recorded_desk(data, config)

    async def explained(database: Database) -> Explained:
        record = await CallStore(database).get(CallId(call))
        if record is None:
            raise NotFound(f"{call}: 그런 통화가 없습니다.", f"{call}: there is no such call.")
        explainer = Explainer(Past(database), FloorStore(database).load_floor)
        waited = record.queued_at is not None
        return await explainer.of_visit(CallId(call), record.arrived_at, record.ended_at, waited=waited)

    answer = with_database(settings, explained)
    if as_json:
        from changgu.acd.why.api import why_out  # the web's words: the other commands need not wait for them

        typer.echo(why_out(answer).model_dump_json(indent=2))
        return
    zone = ZoneInfo(settings.desk.time_zone)
    for line in told(answer, zone):
        typer.echo(line)


def told(answer: Explained, zone: ZoneInfo) -> list[str]:
    """The explanations for people, in both languages."""
    if not answer.offers:
        lines = ["어느 요원의 전화도 울리지 않았습니다 · it rang at nobody's phone"]
        return lines if answer.unserved is None else [*lines, *_in_vain(answer.unserved, answer)]
    lines = [] if answer.floor_known else ["(그때의 설정이 없어 지금 설정으로 · by today's set-up)"]
    for one in answer.offers:
        lines += _offer(one, answer.names, zone)
    if answer.left_out:
        lines.append(f"(이후 호출 {answer.left_out}번 생략 · {answer.left_out} later offers left out)")
    return lines


def _offer(one: Explanation, names: why_words.Names, zone: ZoneInfo) -> list[str]:
    at = moment(one.at).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    lines = [f"{at}  {_named(one.agent, names)}  ←  {_named(one.queue, names)} · {one.strategy}"]
    lines += [f"  {_both(said)}" for said in (why_words.chosen(one), why_words.place(one))]
    if one.opened:
        opened = ", ".join(_named(queue, names) for queue in sorted(one.opened))
        lines.append(f"  함께 열린 대기열 · opened to: {opened}")
    others = sorted(one.others.items(), key=lambda other: why_words.nearness(other[1]))
    serving = [(agent, reason) for agent, reason in others if reason.why is not Why.NOT_IN_QUEUE]
    lines += [f"    {_named(agent, names)}: {_both(why_words.why_not(reason, names))}" for agent, reason in serving]
    if len(others) > len(serving):
        lines.append(f"    {_both(why_words.not_in_queue(len(others) - len(serving)))}")
    if one.passed_over:
        lines.append("  더 앞에 있던 통화 · callers further ahead")
        lines += [f"    {passed.call}: {_both(why_words.why_not(passed.reason, names))}" for passed in one.passed_over]
    return lines


def _in_vain(one: Unserved, answer: Explained) -> list[str]:
    queue = _named(one.queue, answer.names)
    return [
        f"  {_both(why_words.in_vain(queue, one.waited, still=answer.waits_still))}",
        f"  그때 {_both(why_words.nobody(one.agents))}",
    ]


def _named(name: str, names: why_words.Names) -> str:
    title = names.get(name, name)
    return name if title == name else f"{title} ({name})"


def _both(said: why_words.Said) -> str:
    return f"{said.ko} · {said.en}"


# What was, and what would have been


def replay(
    since: From,
    until: To,
    rules: Annotated[
        Path | None, typer.Option("--with", metavar="FILE", help="다른 분배 규칙 · other routing rules (routing.toml)")
    ] = None,
    agents: Annotated[int, typer.Option(max=2000, help="요원 증감 · so many agents more (+2) or fewer (-1)")] = 0,
    strategy: Annotated[str | None, typer.Option(help=f"모든 대기열의 방식 · {', '.join(STRATEGIES)}")] = None,
    seed: Annotated[int, typer.Option(help="기록에 없는 것을 뽑는 주사위 · the dice for what was not recorded")] = 1,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="주사위를 굴리는 횟수(중앙값) · so many throws; their median is shown")
    ] = 5,
    as_json: AsJson = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """지난 통화를 다시. Live through recorded traffic again and compare every fact with the ledger, to the byte.

    With --with, --agents or --strategy: what would have been. The recorded callers, with their patience and the
    length of their conversations, meet the recorded rules and the others; the figures stand side by side.
    """
    settings = _recorded_desk(data, config)
    zone = ZoneInfo(settings.desk.time_zone)
    begin, end = _time(since, zone), _time(until, zone, whole_day=True)
    if end <= begin:
        raise BadInput(f"{until}: 끝이 시작보다 앞섭니다.", f"{until}: the end is before the beginning.")
    if rules is None and strategy is None and not agents:
        if not with_database(settings, lambda database: _lived_again(database, begin, end, as_json)):
            raise typer.Exit(1)
        return
    lived, traffic, floor = with_database(settings, lambda database: _recorded(database, begin, end))
    other, with_them = _changed(settings, floor, traffic, rules, strategy, agents)
    throws = range(seed, seed + seeds)
    plan = settings.outside.plan(settings.desk.extensions)
    closed = [frozenset(to for _, to, _ in unreachable_destinations(plan, one)) for one in (floor, other)]
    if closed[1]:
        ways = ", ".join(sorted(str(to) for to in closed[1]))
        note(
            f"{ways}: 걸 수 없어 발신자가 제자리로 돌아옵니다 · "
            "not dialled by this desk: callers come back to their place"
        )
    others = [play(with_them, other, one, closed=closed[1]) for one in throws]
    columns = [
        ("기록 · lived", lived),
        ("같은 규칙 · same rules", middle([play(traffic, floor, one, closed=closed[0]) for one in throws])),
        ("다른 규칙 · other rules", middle(others)),
    ]
    if as_json:
        answer = dict(zip(("lived", "same", "other"), _plain(columns), strict=True))
        typer.echo(orjson.dumps({**answer, "other_spread": spread(others), "seeds": seeds}).decode())
        return
    for line in table(columns, drawn=others):
        typer.echo(line)
    typer.echo(
        f"기록에 없는 것(참을성, 통화 길이, 반응)은 주사위 {seeds}번으로 뽑아 값마다 중앙값을 보입니다. "
        "그래서 '같은 규칙'도 기록과 다를 수 있습니다 · "
        f"What was not recorded (patience, talk, reaction) is drawn, {seeds} times, and each figure is the median: "
        "so the same rules, too, may differ from what was lived"
    )


def _plain(columns: list[tuple[str, Kpis]]) -> list[dict[str, object]]:
    return [{**asdict(kpis), "agents": dict(kpis.agents)} for _, kpis in columns]


def _changed(
    settings: Settings, floor: Floor, traffic: Traffic, rules: Path | None, strategy: str | None, agents: int
) -> tuple[Floor, Traffic]:
    """What the file does not mention stays as it was recorded."""
    other = floor
    if rules is not None:
        report = rules_of_the_site(settings, floor, rules)
        if report.floor is None:
            raise RoutingErrors(report.errors)
        other = report.floor
    if strategy is not None:
        try:
            other = with_strategy(other, strategy)
        except UnknownStrategy as unknown:
            names = ", ".join(STRATEGIES)
            raise NotFound(
                f"{strategy}: 없는 방식입니다. {names} 중에서 고르십시오.", f"{strategy}: choose one of {names}."
            ) from unknown
    if len(other.agents) + agents < 1:
        listed = len(other.agents)
        raise BadInput(
            f"--agents {agents}: 요원 {listed}명에서 한 명은 남아야 합니다({1 - listed}까지).",
            f"--agents {agents}: of {listed} agents at least one must remain (down to {1 - listed}).",
        )
    return with_agents(other, traffic, agents)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of the ledger, and the engine as it was when it began."""

    past: Past
    first: int
    last: int
    floor: Floor
    engine: Engine

    wanted: int
    """The first fact that was asked for: the engine may have to begin where the program did."""

    async def parts(self, first: int, last: int) -> AsyncIterator[list[Recorded]]:
        """Facts in order."""
        for begin in range(first, last + 1, FACTS_AT_ONCE):
            yield await self.past.facts(begin, min(last, begin + FACTS_AT_ONCE - 1))


async def _stretch(database: Database, begin: Instant, end: Instant, *, from_the_opening: bool = False) -> _Stretch:
    """`from_the_opening`: what was learnt since the program began decides with, so the engine begins there."""
    past = Past(database)
    span, kept_since = await past.between(begin, end), await past.first_with_event()
    if span is None:
        raise NotFound("이 사이에는 기록이 없습니다.", "Nothing was recorded in that time.")
    if kept_since is None or kept_since > span[1]:
        raise NotFound(
            "이 사이의 사건은 남아 있지 않습니다(이전 판의 기록).",
            "The events of that time were not kept: an older version wrote the ledger.",
        )
    first = max(span[0], kept_since)
    if first > span[0]:
        note(f"사실 {first}부터: 그 앞은 사건이 남아 있지 않습니다 · from fact {first}: no events were kept before")
    opened = await past.opened_before(first) if from_the_opening else None
    start = first if opened is None else opened
    before = await past.before(start)
    floor = await _floor_of(past, start) or before.floor
    if floor is None:
        raise NotFound("그때의 설정이 남아 있지 않습니다.", "The set-up of that time was not kept.")
    engine = Engine.restore(floor, before.facts, first_offer=before.next_offer)
    return _Stretch(past, start, span[1], floor, engine, first)


async def _floor_of(past: Past, first: int) -> Floor | None:
    """The set-up that is taken up by this very fact, if one is."""
    for entry in await past.facts(first, first):
        if isinstance(entry.because, FloorTakenUp | FloorOpened):
            return await past.floor(entry.because.digest)
    return None


async def _lived_again(database: Database, begin: Instant, end: Instant, as_json: bool) -> bool:
    """Whether the replay is identical; says what it found."""
    stretch = await _stretch(database, begin, end, from_the_opening=True)
    floors: dict[str, Floor] = {}
    engines: dict[int, Engine] = {}
    replayer = Replayer(stretch.engine, floors.get, engines.get)
    events = facts = 0
    try:
        for first, last in ((stretch.first, stretch.wanted - 1), (stretch.wanted, stretch.last)):
            events, facts = replayer.events, replayer.facts
            async for part in stretch.parts(first, last):
                await _prepare(stretch, part, floors, engines)
                if replayer.feed(part) is not None:
                    break
            if replayer.finish() is not None:
                break
    except CannotReplay as missing:
        raise NotFound(f"다시 살 수 없습니다: {missing}", f"It cannot be replayed: {missing}") from missing
    difference, events, facts = replayer.difference, replayer.events - events, replayer.facts - facts
    if as_json:
        told = None if difference is None else str(difference)
        answer = {"identical": difference is None, "events": events, "facts": facts, "difference": told}
        typer.echo(orjson.dumps(answer).decode())
        return difference is None
    if difference is None:
        typer.echo(f"사건 {events}건, 사실 {facts}건: 기록과 같습니다 · {events} events, {facts} facts, identical")
        return True
    typer.echo(f"{events}번째 사건에서 다릅니다 · different at event {events}\n{difference}")
    return False


async def _prepare(
    stretch: _Stretch, part: Sequence[Recorded], floors: dict[str, Floor], engines: dict[int, Engine]
) -> None:
    """Finds the set-ups that were taken up in this part, and the engines with which the program began in it."""
    for digest in digests(part) - floors.keys():
        found = await stretch.past.floor(digest)
        if found is not None:
            floors[digest] = found
    for seq, digest in openings(part).items():
        if seq != stretch.first and digest in floors:
            moment = await stretch.past.before(seq)
            engines[seq] = Engine.restore(floors[digest], moment.facts, first_offer=moment.next_offer)


async def _recorded(database: Database, begin: Instant, end: Instant) -> tuple[Kpis, Traffic, Floor]:
    """The figures that were lived, the traffic, and the set-up at the end: days are compared by the newest rules."""
    stretch = await _stretch(database, begin, end)
    floor = await stretch.past.floor_before(stretch.last + 1) or stretch.floor
    engine, counted = stretch.engine, Counted(floor)
    recording: Recording | None = None
    until, changes, digest = end, 0, floor_digest(stretch.floor)
    async for part in stretch.parts(stretch.first, stretch.last):
        if recording is None:
            start = part[0].at
            recording = Recording(start, end, engine.agents.values(), engine.calls.values())
            for view in engine.agents.values():
                counted.began(view.login, view.state, start)
            for visit in recording.traffic.visits:
                counted.came(visit.call, visit.arrived.since or start, visit.arrived.queue)
        for entry in part:
            recording.hear(entry)
            counted.hear(entry.fact, entry.at)
            if isinstance(entry.fact, FloorTakenUp):
                changes += entry.fact.digest != digest
                digest = entry.fact.digest
        until = part[-1].at
    assert recording is not None, "a stretch has a fact"
    if changes:
        note(
            f"기간 중 설정이 {changes}번 바뀌었습니다. 마지막 설정으로 견줍니다 · "
            f"the set-up changed {changes} times in this period; compared by the last one"
        )
    recording.traffic.until = min(end, until)
    return counted.kpis(recording.traffic.until), recording.finish(), floor


def _time(text: str, zone: ZoneInfo, *, whole_day: bool = False) -> Instant:
    """A time on the desk's clock; a day is its beginning, or with `whole_day` its end."""
    try:
        if len(text) == len("2026-11-21"):
            day = date.fromisoformat(text) + timedelta(days=whole_day)
            return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise BadInput(
            f"{text}: 2026-11-21 또는 2026-11-21T09:00처럼 씁니다.",
            f"{text}: write it as 2026-11-21 or 2026-11-21T09:00.",
        ) from None
