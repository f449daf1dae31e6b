"""Tickets in a real database file, and a clock wound by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changgu.ground.access import Actor, Role
from changgu.ground.database import Base, Database
from changgu.ticketing import store
from changgu.ticketing.service import Tickets

KIM = Actor("kim", "김상담", Role.AGENT)
PARK = Actor("park", "박관리", Role.SUPERVISOR)


class Clock:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    assert store.TicketRow.metadata is Base.metadata
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def tickets(database: Database, clock: Clock) -> Tickets:
    return Tickets(database, now=clock)
