"""`changgu acd simulate`: a failing day is lived through again by one command."""

import re
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from changgu.acd.simulate import PROFILES, replay_command, simulate_day
from changgu.app.acd_commands import app
from changgu.ground.trouble import NotFound
from tests.acd import oracle_days


@pytest.mark.parametrize("name", ["rough", "varied"])
def test_the_command_lives_through_the_same_day_as_the_tests(name: str) -> None:
    result = CliRunner().invoke(app, replay_command(5, name).split()[2:])

    assert result.exit_code == 0
    day = simulate_day(Random(5), PROFILES[name])
    assert f"seed 5: offered {day.offered}, answered {day.answered}" in result.stdout
    assert day.trace[:16] in result.stdout


def test_a_day_that_fails_says_the_command_that_lives_through_it_again() -> None:
    with pytest.raises(AssertionError, match=r"replay: \./changgu acd simulate --seed 3 --profile stormy"):
        oracle_days.a_day("stormy", 3)


def test_every_day_of_several_says_its_seed() -> None:
    result = CliRunner().invoke(app, ["simulate", "--seed", "5", "--days", "2", "--profile", "short"])
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["seed 5", "seed 6"]


@pytest.mark.parametrize("page", ["past.md", "past.ko.md"])
def test_the_made_up_days_of_the_docs_are_the_ones_that_are_lived(page: str) -> None:
    shown = (Path(__file__).parents[2] / "docs" / page).read_text("utf-8")
    examples = re.findall(r"^\$ \./changgu acd (simulate .*)\n((?:.+\n)+?)```", shown, re.MULTILINE)

    assert len(examples) == 2
    for command, output in examples:
        lived = CliRunner().invoke(app, command.split()).stdout.splitlines()
        assert [line for line in output.splitlines() if line != "…" and line not in lived] == []


def test_an_unknown_profile_is_named_with_the_ones_that_exist() -> None:
    with pytest.raises(NotFound, match=r"stormy: no such profile\. Choose one of ordinary, short, rough, crowded"):
        CliRunner().invoke(app, ["simulate", "--profile", "stormy"], catch_exceptions=False)


def figures(*arguments: str) -> dict[str, list[str]]:
    """The table of a change: by English name, the ordinary day's figure, the changed day's, and the difference."""
    result = CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = (line.split("  ") for line in result.stdout.splitlines() if " · " in line and "  " in line)
    return {row[0].split(" · ")[1]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows if row[0]}


def test_a_change_that_changes_nothing_makes_no_difference() -> None:
    table = figures("--days", "2", "--strategy", "longest_idle")

    assert int(table["answered"][0]) > 20
    assert {name: row for name, row in table.items() if row[0] != row[1]} == {}


def test_more_agents_meet_the_same_callers_and_fewer_give_up() -> None:
    table = figures("--agents", "16")

    assert table["offered"][2] == "+0"
    assert int(table["abandoned"][1]) < int(table["abandoned"][0])


def test_shorter_conversations_shorten_the_wait_of_the_same_callers() -> None:
    table = figures("--talk", "40")

    assert table["offered"][2] == "+0"
    assert table["mean wait"][2].startswith("-")


def test_a_quiet_beginning_takes_no_callers_from_the_busy_rest_of_the_day() -> None:
    """Of 40 minutes two thirds with ten calls a minute."""
    table = figures("--calls-per-minute", "0.01,10,10")

    assert 200 < int(table["offered"][1]) < 340


def test_other_rules_meet_the_same_callers(tmp_path: Path) -> None:
    rules = tmp_path / "other.toml"
    rules.write_text('[queue.pc]\noverflow = [{ when = "waited", limit = "20s", to = "voicemail" }]\n', "utf-8")

    table = figures("--profile", "crowded", "--with", str(rules))

    assert table["offered"][2] == "+0"
    assert table["served otherwise"][0] == "0"
    assert int(table["served otherwise"][1]) > 5


def test_mistakes_are_named_before_a_day_is_lived(tmp_path: Path) -> None:
    rules = tmp_path / "other.toml"
    rules.write_text("[queue.nowhere]\npriority = 1\n", "utf-8")

    for wrong, why in (
        (["--with", str(rules)], "other.toml:1:queue.nowhere"),
        (["--strategy", "stormy"], "stormy: choose one of longest_idle"),
    ):
        result = CliRunner().invoke(app, ["simulate", *wrong])
        assert why in str(result.exception)
        assert "seed" not in result.output


@pytest.mark.parametrize("length", ["--talk", "--patience", "--wrap-up"])
def test_a_length_that_no_day_holds_is_refused(length: str) -> None:
    for seconds in ("inf", "1e30", "nan"):
        assert CliRunner().invoke(app, ["simulate", length, seconds]).exit_code == 2
