"""Every table of every room, and how a database comes to that shape."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text

from changgu.ground.database import Base, Database

# Alembic is imported where it is needed: a desk that starts again, while callers wait, has nothing to migrate.
if TYPE_CHECKING:
    from alembic.config import Config

ROOMS_WITH_TABLES = (
    "changgu.acd.store",
    "changgu.ivr_flows.publishing.store",
    "changgu.directory.store",
    "changgu.ticketing.store",
    "changgu.ticketing.intake.store",
    "changgu.ticketing.outbox.store",
    "changgu.ticketing.self_service.store",
    "changgu.ticketing.self_service.resets.store",
    "changgu.ticketing.surveys.store",
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
REVISION_TABLE = "alembic_version"


def newest() -> str:
    """The revision that the last migration leads to: they are one after the other, and numbered."""
    return max(file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*.py"))


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table(REVISION_TABLE):
        return False
    revisions = connection.execute(text(f"SELECT version_num FROM {REVISION_TABLE}")).scalars()  # noqa: S608
    return list(revisions) == [newest()]


def _upgrade(connection: Connection) -> None:
    if _is_newest(connection):
        return
    from alembic import command

    command.upgrade(_config(connection), "head")


def _new_migration(connection: Connection, why: str) -> None:
    from alembic import command

    config = _config(connection)
    command.upgrade(config, "head")
    number = len(list(VERSIONS.glob("[0-9]*.py"))) + 1
    command.revision(config, why, autogenerate=True, rev_id=f"{number:04}")


def _differences(connection: Connection) -> list[object]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

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
