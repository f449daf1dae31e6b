"""A plugin for pytest: tests meet the engine as machine code, which lies in the folder $CHANGGU_TESTED_ENGINE.

`pytest -p tests.support.compiled_engine tests/acd`; `compiled.build` makes the folder.
"""

import os
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

from changgu.app import compiled

REPLACES_METHODS = {
    "test_an_engine_that_fails_half_way_says_what_is_true_already",
    "test_the_hour_that_comes_twice_does_not_stop_the_desk",
}
"""Tests that put a method of their own in the place of the engine's, which machine code does not allow."""

EXAMPLES = int(os.environ.get("CHANGGU_TESTED_EXAMPLES", "40"))
"""Histories of any floor; fewer than the source lives through: what decides is the same, only types are held to."""

if not compiled.use(Path(os.environ["CHANGGU_TESTED_ENGINE"])):
    raise pytest.UsageError("there is no compiled engine in $CHANGGU_TESTED_ENGINE")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what cannot be."""
    left_out = [item for item in items if item.name in REPLACES_METHODS]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Every part is machine code, and none was read."""
    files = [str(import_module(f"changgu.acd.{part}").__file__) for part in compiled.PARTS]
    read = [file for file in files if not file.endswith(".so")]
    if read:
        raise pytest.UsageError(f"read as source: {read}")
    from tests.acd.test_stateful import AnyFloor
    from tests.acd.test_stateful_ring_all import RingAllFloor

    for machine in (AnyFloor, RingAllFloor):
        machine.TestCase.settings = settings(machine.TestCase.settings, max_examples=EXAMPLES)
