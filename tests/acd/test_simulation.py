"""Days made of dice: thousands of them, with a network that misbehaves, and all rules checked after every step."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from changgu.acd.simulate import CALM, PROFILES, DayResult, simulate_day
from tests.acd.oracle_days import a_day, many_days

ROUGH, SHORT = PROFILES["rough"], PROFILES["short"]
SECONDS_FOR_DAYS = 75.0


@pytest.fixture(scope="module")
def days() -> dict[str, list[DayResult]]:
    names = ["short", "rough", "crowded", "varied", "varied-rough", "varied-calm", "ring-all", "callbacks"]
    return many_days(names, at_least=160, at_most=4000, seconds=SECONDS_FOR_DAYS)


@pytest.mark.timeout(600)
def test_no_caller_is_lost_on_any_day(days: dict[str, list[DayResult]]) -> None:
    """CTI-01, rows 1, 4, 6, 8, 19, 22, 23, 25 and 26 at once: the rules of `invariants` on every step of every day."""
    for name, lived in days.items():
        for day in lived:
            counted = day.answered + day.abandoned + day.lost + day.diverted
            assert counted <= day.offered <= counted + day.refused, (name, day)
        assert sum(day.answered for day in lived) > 8 * len(lived), name


@pytest.mark.timeout(600)
def test_the_days_are_full_of_everything(days: dict[str, list[DayResult]]) -> None:
    """Otherwise the rules would hold for want of anything to break them."""
    varied = [day for name in ("varied", "varied-rough", "callbacks") for day in days[name]]
    assert sum(day.abandoned for day in varied) > len(varied)
    assert sum(day.diverted for day in varied) > len(varied) / 2
    assert sum(day.refused for day in varied) > len(varied)
    assert sum(day.promises for day in varied) > len(varied)
    assert sum(day.callbacks_kept for day in varied) > len(varied) / 4
    assert sum(day.crashes for day in varied) > len(varied) / 4
    assert sum(day.ignored for day in varied) > 10 * len(varied)


@pytest.mark.parametrize("name", ["rough", "varied-rough"])
def test_the_state_is_the_fold_of_the_facts_at_every_moment_of_a_day(name: str) -> None:
    for seed in range(6):
        a_day(name, seed, refold=True, brisk=False)


def test_looking_on_changes_nothing() -> None:
    assert a_day("varied", 2, brisk=True) == a_day("varied", 2, refold=True, brisk=False)


def test_a_network_that_misbehaves_is_noticed_and_does_no_harm() -> None:
    rough, calm = simulate_day(Random(1), ROUGH), simulate_day(Random(1), replace(ROUGH, faults=CALM))
    assert rough.ignored > 2 * calm.ignored > 0
    assert (calm.lost, calm.refused < calm.offered) == (0, True)


def test_a_calm_day_with_enough_agents_answers_nearly_everybody() -> None:
    profile = replace(SHORT, agents=30, faults=CALM, ignores=0, declines=0, phone_away_every=timedelta(days=1))
    lived = [simulate_day(Random(seed), profile) for seed in range(5)]
    offered, answered = sum(day.offered for day in lived), sum(day.answered for day in lived)
    assert answered / offered > 0.85
    assert max(day.mean_wait_seconds for day in lived) < 12


def test_another_seed_is_another_day() -> None:
    assert a_day("rough", 7).trace != a_day("rough", 8).trace
