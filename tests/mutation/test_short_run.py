"""A short, fixed run of the comparison with the oracle and two fixed days: what mutants have to survive."""

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from changgu.acd.simulate import PROFILES, simulate_day
from tests.acd.test_stateful import AnyFloor


@pytest.mark.parametrize("name", ["varied", "varied-rough", "callbacks", "ring-all"])
def test_a_fixed_day(name: str) -> None:
    simulate_day(Random(3), PROFILES[name])


def test_a_fixed_walk_through_any_floor() -> None:
    run_state_machine_as_test(
        AnyFloor,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck),
            derandomize=True, database=None, phases=[Phase.generate],
        ),
    )  # fmt: skip
