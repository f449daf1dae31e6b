"""A database file, and the house of the menu on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from changgu.ground.database import Base, Database
from tests.ivr_flows.menu_house import MenuHouse


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
async def house(tmp_path: Path, database: Database) -> MenuHouse:
    """Open at nine, with the menu that comes with changgu on the air."""
    house = MenuHouse(tmp_path, database)
    await house.open()
    return house
