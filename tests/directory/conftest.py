"""A directory in a real database file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from changgu.directory import store
from changgu.directory.numbers import Numbering
from changgu.directory.service import Directory
from changgu.ground.database import Base, Database


@pytest.fixture
def numbering() -> Numbering:
    return Numbering("KR", r"[1-9]\d{3}")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    assert store.PersonRow.metadata is Base.metadata
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def directory(database: Database, numbering: Numbering) -> Directory:
    return Directory(database, numbering)


