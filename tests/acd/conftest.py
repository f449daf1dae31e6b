"""A real database file for the tests that keep something."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

import changgu.acd.store  # noqa: F401  declares the tables
from changgu.ground.database import Base, Database

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
"""Facts hold times that a clock has shown."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()
