"""What every test shares."""

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REAL = ("live", "browser")
"""Folders whose tests all start a PBX, ring phones or draw pages. Elsewhere a module is marked by itself."""


def pytest_configure(config: pytest.Config) -> None:
    """No garbage collection while tests are read.

    Hypothesis listens to the collector, and Python before 3.12 fails ("AST constructor recursion depth mismatch",
    python/cpython#106905) when a listener runs in the middle of reading a source file.
    """
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before any are left out by `-m`."""
    here = Path(__file__).parent
    for item in items:
        in_folder = item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in REAL
        if in_folder or item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.real)


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on as usual."""
    gc.enable()
