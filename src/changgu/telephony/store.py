"""Where the PBX's own account of every call is kept.

Table: `cel_events`, appended to and never changed; what is older than the writer's limit is taken out as a whole.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, String, Text, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Mapped, mapped_column

from changgu.ground.database import Base, Database, UtcDateTime
from changgu.telephony.cel import CelEvent

LARGEST_TRACE = 2_000
"""Events shown of one call; a call of two legs has about fourteen."""


class CelRow(Base):
    """One event of one channel."""

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


_TABLE = CelRow.__table__
_INSERT = insert(_TABLE).on_conflict_do_nothing(index_elements=["digest"])  # type: ignore[arg-type]
_COLUMNS = [
    (column.name, column.type.length if isinstance(column.type, String) else None)
    for column in _TABLE.c
    if column.name != "id"
]
"""What an event's row holds, each with the length to which it is cut."""


class CelStore:
    """Appends and reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, events: Iterable[CelEvent]) -> None:
        """Keep these, those that are kept already aside."""
        await self.add_read(lambda: list(events))

    async def add_read(self, read: Callable[[], Sequence[CelEvent]]) -> int:
        """Keep the events that `read` finds, which is called outside the loop; how many it found."""
        return await self._database.in_one_go(partial(_add, read))

    async def of_call(self, linked_id: str) -> list[CelEvent]:
        """What happened to all channels of a call, in order of time."""
        query = select(CelRow).where(CelRow.linked_id == linked_id).order_by(CelRow.at, CelRow.id).limit(LARGEST_TRACE)
        async with self._database.transaction() as session:
            return [_event(row) for row in (await session.execute(query)).scalars()]

    async def purge(self, before: datetime, limit: int) -> int:
        """Take out events from before this moment, at most `limit` at once; how many there were."""
        oldest = select(CelRow.id).where(CelRow.at < before).limit(limit)
        async with self._database.transaction() as session:
            ids = list((await session.execute(oldest)).scalars())
            if ids:
                await session.execute(delete(CelRow).where(CelRow.id.in_(ids)))
        return len(ids)


def _add(read: Callable[[], Sequence[CelEvent]], database: Connection) -> int:
    rows = [_row(event) for event in read()]
    if rows:
        database.execute(_INSERT, rows)
    return len(rows)


def _row(event: CelEvent) -> dict[str, object]:
    row: dict[str, object] = {}
    for name, limit in _COLUMNS:
        value = getattr(event, name)
        row[name] = value[:limit] if limit is not None and value is not None else value
    return row


def _event(row: CelRow) -> CelEvent:
    return CelEvent(**{column.name: getattr(row, column.name) for column in _TABLE.c if column.name != "id"})
