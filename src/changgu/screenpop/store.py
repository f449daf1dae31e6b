"""Remembers who each caller turned out to be, and whether a machine guessed it or an agent said so."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.identity import CallId
from changgu.ground.database import Base, Database, UtcDateTime
from changgu.screenpop.caller import Confidence

MOST_CALLS_AT_ONCE = 500
"""Names in one query: SQLite allows 999 of them."""


@dataclass(frozen=True, slots=True)
class IdentifiedCaller:
    """One call and the person who made it."""

    call: CallId
    person_id: str
    name: str
    """As it was at the time of the call."""
    confidence: Confidence
    number: str | None
    at: datetime
    by: str | None = None
    """The agent who confirmed it; None when the number alone told."""


class IdentifiedCallRow(Base):
    """Table `identified_calls`: at most one person per call; the last word of an agent stands."""

    __tablename__ = "identified_calls"
    __table_args__ = (
        Index("ix_identified_calls_person_at", "person_id", "at"),
        Index("ix_identified_calls_number", "number"),
    )

    call: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    confidence: Mapped[str] = mapped_column(String(16))
    number: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str | None] = mapped_column(String(64))

    def told(self) -> IdentifiedCaller:
        """The row as the rest of the house knows it."""
        return IdentifiedCaller(
            CallId(self.call), self.person_id, self.name, Confidence(self.confidence), self.number, self.at, self.by
        )


class IdentifiedCalls:
    """The table, in transactions of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def guess(self, callers: Sequence[IdentifiedCaller]) -> None:
        """Note what numbers told; never overrides what an agent said."""
        async with self._database.transaction() as session:
            for caller in {one.call: one for one in callers}.values():
                if await session.get(IdentifiedCallRow, caller.call) is None:
                    session.add(_row(caller))

    async def confirm(self, caller: IdentifiedCaller) -> None:
        """Note what an agent said, in place of whatever was noted before."""
        async with self._database.transaction() as session:
            await session.merge(_row(caller))

    async def forget(self, call: CallId) -> None:
        """An agent said that it was not that person."""
        async with self._database.transaction() as session:
            await session.execute(delete(IdentifiedCallRow).where(IdentifiedCallRow.call == call))

    async def people_of(self, calls: Sequence[CallId]) -> dict[CallId, IdentifiedCaller]:
        """Who made these calls; calls of unidentified callers are left out."""
        found: dict[CallId, IdentifiedCaller] = {}
        async with self._database.transaction() as session:
            for start in range(0, len(calls), MOST_CALLS_AT_ONCE):
                some = calls[start : start + MOST_CALLS_AT_ONCE]
                rows = await session.scalars(select(IdentifiedCallRow).where(IdentifiedCallRow.call.in_(some)))
                found.update((CallId(row.call), row.told()) for row in rows)
        return found

    async def calls_of(self, person_ids: Sequence[str], limit: int) -> list[CallId]:
        """The last calls of a person (by all ids they were known by), newest first."""
        query = (
            select(IdentifiedCallRow.call)
            .where(IdentifiedCallRow.person_id.in_(person_ids))
            .order_by(IdentifiedCallRow.at.desc())
            .limit(limit)
        )
        async with self._database.transaction() as session:
            return [CallId(call) for call in await session.scalars(query)]

    async def confirmed_at(self, number: str) -> Mapping[str, int]:
        """How often agents confirmed each person (by id) calling from this number."""
        query = select(IdentifiedCallRow.person_id).where(
            IdentifiedCallRow.number == number, IdentifiedCallRow.confidence == Confidence.CONFIRMED
        )
        async with self._database.transaction() as session:
            return Counter(await session.scalars(query))


def _row(caller: IdentifiedCaller) -> IdentifiedCallRow:
    return IdentifiedCallRow(
        call=caller.call,
        person_id=caller.person_id,
        name=caller.name,
        confidence=caller.confidence.value,
        number=caller.number,
        at=caller.at,
        by=caller.by,
    )
