"""Days made of dice: thousands of them, with a network that misbehaves, and all rules checked after every step."""

import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from changgu.acd.made_up_traffic import made_up
from changgu.acd.queues import Floor
from changgu.acd.simulate import CALM, OPENING, PROFILES, DayResult, simulate_day
from tests.acd.oracle_days import a_day, many_days

pytestmark = [pytest.mark.patient, pytest.mark.timeout(1500)]

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
    both = (ROUGH, replace(ROUGH, faults=CALM))
    rough, calm = ([simulate_day(Random(seed), day) for seed in range(4)] for day in both)
    assert sum(day.ignored for day in rough) > 2 * sum(day.ignored for day in calm) > 0
    assert sum(day.lost for day in rough) > 0
    assert all(day.refused < day.offered for day in calm)


@pytest.mark.parametrize("name", ["rough", "varied-calm", "callbacks"])
def test_who_hangs_up_has_given_up_also_in_the_very_second_in_which_calls_are_compared_with_the_networks(
    name: str,
) -> None:
    """Only calls that the network drops are lost, and one that behaves drops none."""
    calm = replace(PROFILES[name], instants_per_second=1, faults=CALM)
    days = [simulate_day(Random(seed), calm) for seed in range(8)]
    assert sum(day.abandoned for day in days) > 8
    assert [day.lost for day in days] == [0] * 8


def test_news_that_never_comes_loses_nobody() -> None:
    """A hang-up that was not heard of is found at the next comparison, and is a hang-up."""
    deaf = replace(ROUGH, faults=replace(CALM, never=0.3))
    days = [simulate_day(Random(seed), deaf) for seed in range(4)]
    assert sum(day.abandoned for day in days) > 8
    assert [day.lost for day in days] == [0] * 4


def test_a_calm_day_with_enough_agents_answers_nearly_everybody() -> None:
    profile = replace(SHORT, agents=30, faults=CALM, ignores=0, declines=0, phone_away_every=timedelta(days=1))
    lived = [simulate_day(Random(seed), profile) for seed in range(5)]
    offered, answered = sum(day.offered for day in lived), sum(day.answered for day in lived)
    assert answered / offered > 0.85
    assert max(day.mean_wait_seconds for day in lived) < 12


def test_callers_come_at_the_rates_of_the_parts_of_the_day_also_behind_a_part_in_which_nobody_calls() -> None:
    """An hour of quiet, then 60 calls, then 120, each as many as Poisson lets them be."""
    profile = replace(SHORT, length=timedelta(hours=3), calls_per_minute=(0.001, 1.0, 2.0))
    counted = Counter[int]()
    for seed in range(20):
        traffic = made_up(profile, Floor((), ()), seed)
        counted.update(int((visit.at - OPENING) // 3600) for visit in traffic.visits)

    assert counted[0] < 10
    assert abs(counted[1] - 20 * 60) < 4 * math.sqrt(20 * 60)
    assert abs(counted[2] - 20 * 120) < 4 * math.sqrt(20 * 120)


def test_a_day_that_begins_quietly_is_lived_to_its_busy_end() -> None:
    profile = replace(SHORT, length=timedelta(minutes=40), calls_per_minute=(0.001, 3.0))
    days = [simulate_day(Random(seed), profile) for seed in range(3)]
    assert all(30 < day.offered < 90 for day in days), days


def test_parts_with_one_rate_are_one_part() -> None:
    one, four = (replace(SHORT, calls_per_minute=rates) for rates in [(3.0,), (3.0, 3.0, 3.0, 3.0)])
    times = [[visit.at for visit in made_up(profile, Floor((), ()), 1).visits] for profile in (one, four)]
    assert times[0] == pytest.approx(times[1], abs=1e-5)
    assert simulate_day(Random(1), one) == simulate_day(Random(1), four)


def test_another_seed_is_another_day() -> None:
    assert a_day("rough", 7).trace != a_day("rough", 8).trace
