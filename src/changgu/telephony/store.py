"""Where the PBX's own account of every call is kept.

Table: `cel_accounts`, appended to and never changed; what is older than the writer's limit is taken out as a whole.
`cel_events` is how accounts were kept before, event by event. Nothing is added to it; it is read beside the other
until the last of it is as old.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import chain

from sqlalchemy import Connection, LargeBinary, String, Text, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from changgu.ground.database import Base, Database, Statements, UtcDateTime, stored
from changgu.telephony.cel import CelEvent
from changgu.telephony.cel_account import Heard, by_call, read, written

LARGEST_TRACE = 2_000
"""Events shown of one call, the first that were heard; a call of two legs has about a dozen."""

LONGEST_ID = 200
"""Characters; those of an id beyond it are cut off."""


class AccountRow(Base):
    """What was heard of one call in one batch."""

    __tablename__ = "cel_accounts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """When the first of it was heard."""
    linked_id: Mapped[str] = mapped_column(String(LONGEST_ID), index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """As `cel_account.written` writes it. An event heard twice may stand in it, or in two rows, twice."""


class CelRow(Base):
    """One event of one channel, as it was kept before."""

    __tablename__ = "cel_events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    kind: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(150))
    unique_id: Mapped[str] = mapped_column(String(200))
    linked_id: Mapped[str] = mapped_column(String(200), index=True)
    caller: Mapped[str | None] = mapped_column(String(200))
    extension: Mapped[str] = mapped_column(String(80))
    context: Mapped[str] = mapped_column(String(80))
    application: Mapped[str] = mapped_column(String(80))
    application_data: Mapped[str] = mapped_column(String(400))
    peer: Mapped[str] = mapped_column(String(400))
    bridge: Mapped[str | None] = mapped_column(String(200))
    label: Mapped[str] = mapped_column(String(80))
    extra: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 over what the PBX said: an event heard twice is one event."""


_OLD_COLUMNS = [column for column in CelRow.__table__.c if column.name != "id"]


class CelStore:
    """Appends and reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, heard: Sequence[Heard]) -> int:
        """Keep these; how many were left out because they do not say what happened, or to which channel."""
        return await self._database.write(partial(_add, heard))

    async def of_call(self, linked_id: str) -> list[CelEvent]:
        """What happened to all channels of a call, in order of time."""
        return await self._database.in_one_go(partial(_of_call, linked_id[:LONGEST_ID]))

    async def purge(self, before: datetime, limit: int) -> int:
        """Take out what was heard before this moment, at most `limit` rows of each table; how many there were."""
        return await self._database.in_one_go(partial(_purge, before, limit))


def _add(heard: Sequence[Heard], database: Statements) -> int:
    calls, unread = by_call(heard)
    rows = [(stored(told[0][1].timestamp()), call[:LONGEST_ID], written(told)) for call, told in calls.items()]
    database.executemany("INSERT INTO cel_accounts (at, linked_id, body) VALUES (?, ?, ?)", rows)
    return unread


def _of_call(linked_id: str, database: Connection) -> list[CelEvent]:
    found: dict[str, CelEvent] = {}
    for event in chain(_kept_before(linked_id, database), _kept(linked_id, database)):
        found.setdefault(event.digest, event)
        if len(found) >= LARGEST_TRACE:
            break
    return sorted(found.values(), key=lambda event: event.at)


def _kept(linked_id: str, database: Connection) -> Iterator[CelEvent]:
    query = select(AccountRow.body).where(AccountRow.linked_id == linked_id).order_by(AccountRow.id)
    for body in database.execute(query).scalars():
        yield from read(body)


def _kept_before(linked_id: str, database: Connection) -> Iterator[CelEvent]:
    query = select(*_OLD_COLUMNS).where(CelRow.linked_id == linked_id).order_by(CelRow.at, CelRow.id)
    for row in database.execute(query):
        yield CelEvent(**row._mapping)


def _purge(before: datetime, limit: int, database: Connection) -> int:
    taken = 0
    for table in (AccountRow, CelRow):
        oldest = select(table.id).where(table.at < before).limit(limit)
        ids = list(database.execute(oldest).scalars())
        if ids:
            database.execute(delete(table).where(table.id.in_(ids)))
        taken += len(ids)
    return taken
