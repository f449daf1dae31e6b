"""`changgu acd simulate`: a failing day is lived through again by one command."""

from random import Random

import pytest
from typer.testing import CliRunner

from changgu.acd.simulate import PROFILES, simulate_day
from changgu.app.acd_commands import app, changed_profile
from changgu.ground.trouble import BadInput, NotFound


def test_the_command_lives_through_the_same_day_as_the_tests() -> None:
    result = CliRunner().invoke(app, ["simulate", "--seed", "5", "--profile", "rough"])

    assert result.exit_code == 0
    day = simulate_day(Random(5), PROFILES["rough"])
    assert f"seed 5: offered {day.offered}, answered {day.answered}" in result.stdout
    assert day.trace[:16] in result.stdout


def test_every_day_of_several_says_its_seed() -> None:
    result = CliRunner().invoke(app, ["simulate", "--seed", "5", "--days", "2", "--profile", "short"])
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["seed 5", "seed 6"]


def test_an_unknown_profile_is_named_with_the_ones_that_exist() -> None:
    with pytest.raises(NotFound, match=r"stormy: no such profile\. Choose one of ordinary, short, rough, crowded"):
        CliRunner().invoke(app, ["simulate", "--profile", "stormy"], catch_exceptions=False)


def test_the_same_days_with_other_arrivals_people_and_staff_stand_beside_them() -> None:
    changes = ["--agents", "12", "--talk", "60", "--patience", "120", "--wrap-up", "5", "--hours", "0.25"]
    result = CliRunner().invoke(
        app, ["simulate", "--profile", "short", "--calls-per-minute", "2,4", "--strategy", "linear", *changes]
    )

    assert result.exit_code == 0
    day, head, *rows = result.stdout.splitlines()
    assert day.startswith("seed 1:")
    assert head.split() == ["short", "바꾼", "날", "·", "changed", "차이", "·", "change"]
    assert [row.split(" · ")[0].strip() for row in rows][:3] == ["들어온 통화", "응답", "포기"]


def test_a_changed_profile_is_the_profile_with_what_was_given() -> None:
    short = PROFILES["short"]
    changed = changed_profile(short, "1,2.5", 1.0, 3, 60.0, 100.0, 0.0)

    assert changed_profile(short) == short
    assert (changed.calls_per_minute, changed.agents, changed.queues) == ((1.0, 2.5), 3, short.queues)
    assert [one.total_seconds() for one in (changed.length, changed.patience, changed.talk, changed.wrap_up)] == [
        3600.0, 60.0, 100.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["", "three", "1,,2", "-1", "0", "1e9"])
def test_arrivals_that_cannot_be_read_are_named(written: str) -> None:
    with pytest.raises(BadInput, match="write it like 1,3,6,2"):
        changed_profile(PROFILES["short"], written)


def test_an_unknown_strategy_is_named_with_those_that_exist() -> None:
    with pytest.raises(NotFound, match="choose one of longest_idle"):
        CliRunner().invoke(app, ["simulate", "--profile", "short", "--strategy", "luck"], catch_exceptions=False)
