"""What every test shares."""

import gc

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """No garbage collection while tests are read.

    Hypothesis listens to the collector, and Python before 3.12 fails ("AST constructor recursion depth mismatch",
    python/cpython#106905) when a listener runs in the middle of reading a source file.
    """
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on as usual."""
    gc.enable()
