"""Days made of dice: hundreds of them, with a network that misbehaves, and all rules checked after every step."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from changgu.acd.simulate import CALM, PROFILES, DayResult, Profile, simulate_day

DAYS = 120
CROWDED, ROUGH, SHORT = PROFILES["crowded"], PROFILES["rough"], PROFILES["short"]


def a_day(seed: int, profile: Profile, *, refold: bool = False) -> DayResult:
    """A day that names its seed when it fails."""
    try:
        return simulate_day(Random(seed), profile, refold=refold)
    except Exception as trouble:
        name = next((name for name, known in PROFILES.items() if known == profile), "ordinary")
        pytest.fail(f"{trouble}\n{profile}\nreplay: ./changgu acd simulate --seed {seed} --profile {name}")


@pytest.mark.parametrize("name", ["short", "rough", "crowded"])
def test_no_caller_is_lost_on_any_day(name: str) -> None:
    """CTI-01, rows 1, 4, 6, 8, 19, 22 and 23 at once: the rules of `invariants` on every step of every day."""
    days = [a_day(seed, PROFILES[name]) for seed in range(DAYS // 3)]
    assert [day.offered for day in days] == [day.answered + day.abandoned + day.lost for day in days]
    assert sum(day.answered for day in days) > 10 * len(days)
    assert sum(day.abandoned for day in days) > len(days)


def test_the_state_is_the_fold_of_the_facts_at_every_moment_of_a_day() -> None:
    for seed in range(12):
        a_day(seed, ROUGH, refold=True)


def test_a_network_that_misbehaves_is_noticed_and_does_no_harm() -> None:
    rough, calm = a_day(1, ROUGH), a_day(1, replace(ROUGH, faults=CALM))
    assert rough.ignored > 2 * calm.ignored > 0
    assert (calm.lost, calm.refused < calm.offered) == (0, True)


def test_a_calm_day_with_enough_agents_answers_nearly_everybody() -> None:
    profile = replace(SHORT, agents=30, faults=CALM, ignores=0, declines=0, phone_away_every=timedelta(days=1))
    days = [a_day(seed, profile) for seed in range(5)]
    offered, answered = sum(day.offered for day in days), sum(day.answered for day in days)
    assert answered / offered > 0.85
    assert max(day.mean_wait_seconds for day in days) < 12


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert a_day(7, ROUGH) == a_day(7, ROUGH)
    assert a_day(7, ROUGH).trace != a_day(8, ROUGH).trace


def test_the_same_seed_gives_the_same_bytes_in_another_process_with_another_order_of_sets() -> None:
    program = (
        "from random import Random; from changgu.acd.simulate import simulate_day; print(simulate_day(Random(3)).trace)"
    )
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert traces == {simulate_day(Random(3)).trace}
