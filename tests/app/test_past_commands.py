"""`changgu acd why` and `changgu acd replay`, on a day in a real data folder."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from changgu.acd.facts import CallEnded, CallOffered, CallStarted, Direction, Recorded
from changgu.acd.figures import ROWS
from changgu.acd.identity import CallId, QueueName
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Floor
from changgu.acd.store import FloorStore
from changgu.acd.what_if import play
from changgu.app import schema
from changgu.app.acd_commands import app
from changgu.app.data_folder import DeskKind, claim
from changgu.ground.trouble import BadInput, NotFound
from tests.acd.recorded_day import RecordedDay
from tests.acd.test_what_if import FLOOR, T0, an_hour

DAY, NEXT_DAY = "2026-09-21", "2026-09-22"
"""The hour of `test_what_if` begins at 23:13:20 in Seoul."""


def kept(data: Path, floor: Floor, recorded: list[Recorded], more: list[Floor] | None = None) -> Path:
    """A data folder with this day in its ledger."""
    data.mkdir()
    claim(data, DeskKind.REAL)

    async def write() -> None:
        database = schema.database_of(data)
        await schema.upgrade(database)
        await FloorStore(database).save(floor.queues, floor.agents)
        past = Past(database)
        for one in (floor, *(more or ())):
            await past.keep_floor(one)
        ledger = Ledger(database, data / "spool.jsonl")
        for entry in recorded:
            ledger.hear(entry)
        assert await ledger.flush()
        await database.close()

    asyncio.run(write())
    return data


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ledger: list[Recorded] = []
    play(an_hour(3, per_minute=2.5), FLOOR, ledger=ledger.append)
    return kept(tmp_path_factory.mktemp("desk") / "data", FLOOR, ledger)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)


def test_a_recorded_day_is_lived_again_to_the_byte(day: Path) -> None:
    result = run("replay", DAY, NEXT_DAY, "--data", day)

    assert result.exit_code == 0
    assert "기록과 같습니다" in result.stdout
    assert result.stdout.strip().endswith("facts, identical")


def test_a_program_is_told_whether_it_was_the_same(day: Path) -> None:
    told = json.loads(run("replay", DAY, NEXT_DAY, "--data", day, "--json").stdout)

    assert told["identical"] is True
    assert told["facts"] > told["events"] > 100
    assert told["difference"] is None


@pytest.mark.parametrize("begin", ["2026-09-21T23:20", "2026-09-21T23:40:17", "2026-09-21T14:50:00+00:00"])
def test_it_may_begin_in_the_middle(day: Path, begin: str) -> None:
    assert "identical" in run("replay", begin, "2026-09-22T00:05", "--data", day).stdout


def test_a_day_of_all_sorts_of_news_is_identical_too(tmp_path: Path) -> None:
    lived = RecordedDay(2)
    lived.go_on(250)
    changed = replace(lived.floor, queues=lived.floor.queues[1:])
    lived.reload(changed)
    lived.go_on(250)
    data = kept(tmp_path / "data", lived.floor, lived.recorded, list(lived.floors.values()))

    assert f"{len(lived.recorded)} facts, identical" in run("replay", DAY, NEXT_DAY, "--data", data).stdout


def test_a_changed_byte_is_found_and_named(tmp_path: Path) -> None:
    lived = RecordedDay(4)
    lived.go_on(300)
    data = kept(tmp_path / "data", lived.floor, lived.recorded)
    offer = next(entry for entry in lived.recorded[100:] if isinstance(entry.fact, CallOffered))
    with closing(sqlite3.connect(data / schema.DATABASE)) as other:
        other.execute("update ledger set body = replace(body, ?, ?) where seq = ?", ('"turn"', '"named"', offer.seq))
        other.execute(
            "update ledger set body = replace(body, ?, ?) where seq = ?", ('"agent":"', '"agent":"x', offer.seq)
        )
        other.commit()

    result = run("replay", DAY, NEXT_DAY, "--data", data)

    assert result.exit_code == 1
    assert f"fact {offer.seq} at" in result.stdout
    assert "(agent" in result.stdout
    assert f'"agent":"x{offer.fact.agent}"' in result.stdout if isinstance(offer.fact, CallOffered) else False


def test_what_would_have_been_stands_beside_what_was(day: Path, tmp_path: Path) -> None:
    rules = tmp_path / "other.toml"
    rules.write_text(
        '[queue.network]\nstrategy = "linear"\noverflow = [{ when = "waited", limit = "20s", to = "voicemail" }]\n'
    )

    result = run("replay", DAY, NEXT_DAY, "--with", rules, "--data", day)

    assert result.exit_code == 0, result.stdout
    head, *lines = result.stdout.splitlines()
    assert [part.strip() for part in head.split("  ") if part.strip()] == [
        "기록 · lived", "같은 규칙 · same rules", "다른 규칙 · other rules", "차이 · change", "최소–최대 · min–max",
    ]  # fmt: skip
    assert len(lines) == len(ROWS) + len(FLOOR.agents) + 1
    elsewhere = next(line for line in lines if "served otherwise" in line)
    assert " +0 " not in elsewhere
    assert "주사위 5번" in lines[-1]
    assert "may differ from what was lived" in lines[-1]


def test_a_desk_without_a_line_calls_nobody_back_with_other_rules_either(day: Path, tmp_path: Path) -> None:
    rules, config = tmp_path / "other.toml", tmp_path / "changgu.toml"
    rules.write_text('[queue.network]\noverflow = [{ when = "waited", limit = "20s", to = "callback" }]\n', "utf-8")
    config.write_text('[outside]\ndial = "PJSIP/{number}@trunk-carrier"\n', "utf-8")
    asked = ("replay", DAY, NEXT_DAY, "--with", rules, "--seeds", "1", "--json", "--data", day)

    without, with_line = run(*asked), run(*asked, "--config", config)

    assert "callback: 걸 수 없어" in without.stderr
    assert json.loads(without.stdout)["other"]["elsewhere"] == 0
    assert "걸 수 없어" not in with_line.stderr
    assert json.loads(with_line.stdout)["other"]["elsewhere"] > 0


def test_the_same_rules_give_the_figures_that_were_lived(day: Path) -> None:
    result = run("replay", DAY, NEXT_DAY, "--agents", "+2", "--seed", "3", "--json", "--data", day)

    figures = json.loads(result.stdout)
    for name in ("offered", "answered", "abandoned", "mean_wait", "wait_p90"):
        assert figures["lived"][name] == pytest.approx(figures["same"][name], rel=1e-4), name
    assert figures["other"]["abandoned"] < figures["same"]["abandoned"]
    assert set(figures["other"]["agents"]) - set(figures["same"]["agents"]) == {"alice+1", "bob+1"}


def test_another_strategy_or_fewer_agents(day: Path) -> None:
    result = run("replay", DAY, NEXT_DAY, "--strategy", "linear", "--agents", "-1", "--data", day)
    assert result.exit_code == 0
    with pytest.raises(NotFound, match="choose one of longest_idle"):
        run("replay", DAY, NEXT_DAY, "--strategy", "luckiest", "--data", day)


def test_at_least_one_agent_must_remain(day: Path) -> None:
    with pytest.raises(BadInput, match=r"of 4 agents at least one must remain \(down to -3\)"):
        run("replay", DAY, NEXT_DAY, "--agents", "-100", "--data", day)
    assert run("replay", DAY, NEXT_DAY, "--agents", "-3", "--seeds", "1", "--data", day).exit_code == 0


def test_rules_are_read_against_the_last_set_up_of_the_period(tmp_path: Path) -> None:
    lived = RecordedDay(2)
    lived.go_on(150)
    fresh = replace(lived.floor.queues[0], name=QueueName("fresh"), title="새 대기열", number=None)
    lived.reload(replace(lived.floor, queues=(*lived.floor.queues, fresh)))
    lived.go_on(100)
    data = kept(tmp_path / "data", lived.floor, lived.recorded, list(lived.floors.values()))
    rules = tmp_path / "other.toml"
    rules.write_text('[queue.fresh]\nstrategy = "linear"\n')

    result = run("replay", DAY, NEXT_DAY, "--with", rules, "--seeds", "2", "--data", data)

    assert result.exit_code == 0, result.output
    assert "마지막 설정으로 견줍니다 · the set-up changed" in result.output
    assert "compared by the last one" in result.output


def test_other_rules_with_a_mistake_are_named(day: Path, tmp_path: Path) -> None:
    rules = tmp_path / "other.toml"
    rules.write_text('[queue.network]\nstrategy = "luckiest"\n')
    with pytest.raises(BadInput, match=r"other\.toml"):
        run("replay", DAY, NEXT_DAY, "--with", rules, "--data", day)


def test_times_without_a_record_are_named(day: Path) -> None:
    with pytest.raises(NotFound, match="Nothing was recorded"):
        run("replay", "2026-01-01", "2026-01-02", "--data", day)
    with pytest.raises(BadInput, match="before the beginning"):
        run("replay", "2026-09-22", "2026-09-20", "--data", day)
    with pytest.raises(BadInput, match="write it as"):
        run("replay", "yesterday", "today", "--data", day)


@pytest.mark.parametrize("command", [("why", "c1"), ("replay", DAY, NEXT_DAY)])
def test_a_folder_named_by_mistake_is_said_to_have_no_desk_and_none_is_made(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    with pytest.raises(NotFound, match="nowhere: no desk's data is there"):
        run(*command, "--data", tmp_path / "nowhere")

    assert not (tmp_path / "nowhere").exists()


def test_a_ledger_of_an_older_version_cannot_be_replayed_and_says_so(tmp_path: Path) -> None:
    lived = RecordedDay(4)
    lived.go_on(50)
    old = [Recorded(entry.seq, entry.at, entry.fact) for entry in lived.recorded]
    data = kept(tmp_path / "data", lived.floor, old)
    with pytest.raises(NotFound, match="were not kept"):
        run("replay", DAY, NEXT_DAY, "--data", data)


def test_why_a_call_rang_where_it_rang(day: Path) -> None:
    with closing(sqlite3.connect(day / schema.DATABASE)) as other:
        (call,) = other.execute(
            "select call from ledger where kind = 'CallOffered' order by seq limit 1 offset 20"
        ).fetchone()

    said = run("why", call, "--data", day).stdout
    answer = json.loads(run("why", call, "--json", "--data", day).stdout)

    first = answer["items"][0]
    assert f"{first['name']} ({first['agent']})" in said
    assert f"  {first['chosen']['ko']} · {first['chosen']['en']}" in said.splitlines()
    assert len(first["others"]) == len(FLOOR.agents) - 1
    assert all(item["explained"] for item in answer["items"])
    lines = said.splitlines()
    far = sum(other["why"] == "not_in_queue" for other in first["others"])
    assert (
        not far
        or lines[2 + len(first["others"]) - far + 1] == f"    맡은 대기열이 아님: {far}명 · not in the queue: {far}"
    )
    assert T0 < 1_790_003_600  # the day is the one that the times in these tests speak of


def test_a_call_that_never_rang_and_one_that_never_was(tmp_path: Path) -> None:
    came = Recorded(1, T0, CallStarted(CallId("c1"), Direction.INBOUND, None, "1000"))
    data = kept(tmp_path / "data", FLOOR, [came])
    with pytest.raises(NotFound, match="there is no such call"):
        run("why", "nobody", "--data", data)
    assert "rang at nobody's phone" in run("why", "c1", "--data", data).stdout


def test_whoever_was_offered_to_nobody_is_told_how_they_waited(tmp_path: Path) -> None:
    ledger: list[Recorded] = []
    play(an_hour(3, per_minute=6), FLOOR, ledger=ledger.append)
    rung = {entry.fact.call for entry in ledger if isinstance(entry.fact, CallOffered)}
    alone = next(
        entry.fact.call for entry in ledger
        if isinstance(entry.fact, CallEnded) and entry.fact.call not in rung and entry.at > T0 + 600
    )  # fmt: skip
    data = kept(tmp_path / "data", FLOOR, ledger)

    said = run("why", alone, "--data", data).stdout.splitlines()

    assert "rang at nobody's phone" in said[0]
    assert "기다림 · waited for" in said[1]
    assert "(network)" in said[1] or "(pc)" in said[1] or "PC" in said[1]
    assert "그때 맡은 요원 3명:" in said[2]
    assert "talking" in said[2]
    answer = json.loads(run("why", alone, "--json", "--data", data).stdout)
    told = answer["unserved"]
    assert (answer["items"], told["waits_still"]) == ([], False)
    assert said[2] == f"  그때 {told['ko']} · {told['en']}"
    assert f"{told['title']} ({told['queue']})에서" in said[1]
    assert told["waited_seconds"] > 1
