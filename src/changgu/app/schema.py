"""Every table of every room, and how a database comes to that shape."""

import importlib
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from changgu.ground.database import Base, Database

ROOMS_WITH_TABLES = (
    "changgu.acd.store",
    "changgu.directory.store",
    "changgu.ticketing.store",
    "changgu.recordings.store",
    "changgu.screenpop.store",
    "changgu.telephony.store",
    "changgu.app.accounts",
)


def _metadata() -> MetaData:
    for room in ROOMS_WITH_TABLES:
        importlib.import_module(room)
    return Base.metadata


METADATA = _metadata()
DATABASE = "changgu.sqlite"
MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = MIGRATIONS / "versions"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _new_migration(connection: Connection, why: str) -> None:
    config = _config(connection)
    command.upgrade(config, "head")
    number = len(list(VERSIONS.glob("[0-9]*.py"))) + 1
    command.revision(config, why, autogenerate=True, rev_id=f"{number:04}")


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return list(compare_metadata(context, METADATA))


def database_of(data: Path) -> Database:
    """The database of a data folder."""
    return Database(f"sqlite+aiosqlite:///{data / DATABASE}")


async def upgrade(database: Database) -> None:
    """Bring the database to the newest shape; changes nothing if it is there."""
    async with database.engine.begin() as connection:
        await connection.run_sync(_upgrade)


async def new_migration(database: Database, why: str) -> None:
    """Write the migration from the newest shape to what the stores now declare."""
    async with database.engine.begin() as connection:
        await connection.run_sync(_new_migration, why)


async def differences(database: Database) -> list[object]:
    """What the stores declare and the migrations do not make; empty when they agree."""
    async with database.engine.connect() as connection:
        return await connection.run_sync(_differences)
