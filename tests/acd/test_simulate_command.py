"""`changgu acd simulate`: a failing day is lived through again by one command."""

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


def test_an_unknown_profile_is_named_with_the_ones_that_exist() -> None:
    with pytest.raises(NotFound, match=r"stormy: no such profile\. Choose one of ordinary, short, rough, crowded"):
        CliRunner().invoke(app, ["simulate", "--profile", "stormy"], catch_exceptions=False)
