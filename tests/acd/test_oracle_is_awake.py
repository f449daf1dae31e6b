"""The comparison with the oracle can fail: an engine that is blind to one thing is found out by the floors drawn."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from changgu.acd.invariants_books import Broken
from changgu.acd.queues import Floor
from tests.acd.test_stateful import AnyFloor
from tests.acd.test_stateful_ring_all import RingAllFloor

pytestmark = [pytest.mark.patient, pytest.mark.timeout(1500)]

SEEDS, FLOORS = 12, 40
"""Every blindness is found out within so many seeds of so many floors each; the same ones each time."""
SEARCH = settings(
    max_examples=FLOORS, stateful_step_count=40, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck), print_blob=False,
)  # fmt: skip


class Blind(AnyFloor):
    """The engine, and the rules that watch it, are set up without something; only the oracle knows of it."""

    def blinded(self, plan: Floor) -> Floor:
        """The floor as the engine sees it."""
        raise NotImplementedError

    def configure(self, plan: Floor) -> None:
        seen = self.blinded(plan)
        effects = self.engine.configure(seen, self.now)
        self.watch.floor = seen
        self.settle(None, effects, self.oracle.configure(plan, self.now, effects))


class BlindToHolidays(Blind):
    """Calls people back on any day."""

    def blinded(self, plan: Floor) -> Floor:
        return replace(plan, rules=replace(plan.rules, holidays=frozenset()))


class BlindToLevels(Blind, RingAllFloor):
    """All phones ring at once, of whatever level."""

    def blinded(self, plan: Floor) -> Floor:
        agents = [
            replace(agent, seats={queue: replace(seat, level=1) for queue, seat in agent.seats.items()})
            for agent in plan.agents
        ]
        return replace(plan, agents=tuple(agents))


def found_out(blind: type[Blind]) -> AssertionError | None:
    """Where engine and oracle parted; None when no floor told them apart."""
    for number in range(SEEDS):
        try:
            run_state_machine_as_test(seed(number)(blind), settings=SEARCH)
        except AssertionError as parted:
            return parted
    return None


def test_an_engine_that_does_not_see_holidays_is_found_out() -> None:
    parted = found_out(BlindToHolidays)
    assert parted is not None
    assert not isinstance(parted, Broken), "found by the comparison, not by the rules that watch every floor"


def test_an_engine_that_does_not_see_levels_is_found_out_where_all_phones_ring() -> None:
    parted = found_out(BlindToLevels)
    assert parted is not None
    assert not isinstance(parted, Broken), "found by the comparison, not by the rules that watch every floor"
