"""The migrations make exactly the tables that the stores declare."""

from pathlib import Path

from changgu.app import schema
from changgu.ground.database import Database


async def test_the_migrations_make_what_the_stores_declare(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    await schema.upgrade(database)
    assert await schema.differences(database) == []
    await database.close()


async def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    await schema.upgrade(database)
    await schema.upgrade(database)
    assert await schema.differences(database) == []
    await database.close()
