"""Where messages to callers are kept until they are sent, and what became of them. Table `outgoing_messages`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import String, Text, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.ground.database import Base, UtcDateTime
from changgu.ticketing.outbox.outgoing import FAILED, Arrival, Outgoing, Purpose, State, next_question


class OutgoingRow(Base):
    """One message. `next_at` is when it is tried (waiting), or asked after (sent); null when neither will be."""

    __tablename__ = "outgoing_messages"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(64))
    call: Mapped[str] = mapped_column(String(150), default="")
    person: Mapped[int | None]
    errand: Mapped[int | None]
    way: Mapped[str] = mapped_column(String(8), default="")
    to: Mapped[str] = mapped_column(String(320), default="")
    subject: Mapped[str] = mapped_column(String(200), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    tries: Mapped[int] = mapped_column(default=0)
    most: Mapped[int]
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    why_ko: Mapped[str] = mapped_column(String(400), default="")
    why_en: Mapped[str] = mapped_column(String(400), default="")
    receipt: Mapped[str] = mapped_column(String(200), default="")
    arrival: Mapped[str] = mapped_column(String(16), default=Arrival.UNKNOWN)
    asked: Mapped[int] = mapped_column(default=0)
    """How often the service was asked whether it arrived."""
    again: Mapped[int | None]
    """The message by which it was sent again."""
    again_by: Mapped[str | None] = mapped_column(String(64))


async def put(session: AsyncSession, row: OutgoingRow) -> Outgoing:
    """Keep a new message."""
    session.add(row)
    await session.flush()
    return message(row)


async def claim(session: AsyncSession, now: datetime, limit: int) -> list[Outgoing]:
    """Messages whose time has come, the oldest first: theirs is this try, and nobody else's."""
    due = select(OutgoingRow.id).where(OutgoingRow.state == State.WAITING, OutgoingRow.next_at <= now)
    query = update(OutgoingRow).where(OutgoingRow.id.in_(due.order_by(OutgoingRow.next_at).limit(limit)))
    query = query.values(state=State.SENDING, tries=OutgoingRow.tries + 1)
    return [message(row) for row in await session.scalars(query.returning(OutgoingRow))]


async def interrupted(session: AsyncSession) -> list[OutgoingRow]:
    """Messages of which nobody noted how their try ended."""
    return list(await session.scalars(select(OutgoingRow).where(OutgoingRow.state == State.SENDING)))


async def row_of(session: AsyncSession, id: int) -> OutgoingRow | None:
    """The row of a message; None when it is gone."""
    return await session.get(OutgoingRow, id)


async def hand_on(session: AsyncSession, id: int, to: int, by: str) -> bool:
    """The message `to` goes in place of this one and has its words; False when another one does already."""
    query = update(OutgoingRow).where(OutgoingRow.id == id, OutgoingRow.again.is_(None))
    changed = await session.scalars(query.values(again=to, again_by=by[:64], text="").returning(OutgoingRow.id))
    return changed.first() is not None


async def to_ask(session: AsyncSession, now: datetime, limit: int) -> list[tuple[int, str, str]]:
    """Messages that were taken over and are to be asked after now: ids, ways and receipts."""
    query = select(OutgoingRow).where(OutgoingRow.state == State.SENT, OutgoingRow.next_at <= now)
    rows = list(await session.scalars(query.order_by(OutgoingRow.next_at).limit(limit)))
    for row in rows:
        row.asked, row.next_at = row.asked + 1, next_question(row.asked + 1, now)
    await session.flush()
    return [(row.id, row.way, row.receipt) for row in rows]


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next one is tried or asked after."""
    return await session.scalar(
        select(func.min(OutgoingRow.next_at)).where(OutgoingRow.state.in_((State.WAITING, State.SENT)))
    )


async def waiting(session: AsyncSession, purpose: Purpose) -> int:
    """How many of this purpose are not done."""
    query = select(func.count()).where(
        OutgoingRow.purpose == purpose, OutgoingRow.state.in_((State.WAITING, State.SENDING))
    )
    return await session.scalar(query) or 0


_HAVE_FAILED = (
    OutgoingRow.again.is_(None), OutgoingRow.state.in_(FAILED) | (OutgoingRow.arrival == Arrival.UNDELIVERED),
)  # fmt: skip
"""As `Outgoing.has_failed` says."""


async def newest_first(session: AsyncSession, *, failed: bool, before: int | None, limit: int) -> list[Outgoing]:
    """Messages, the newest first; `failed`: only those that did not go out or did not arrive, or may not have."""
    query = select(OutgoingRow)
    if failed:
        query = query.where(*_HAVE_FAILED)
    if before is not None:
        query = query.where(OutgoingRow.id < before)
    rows: Sequence[OutgoingRow] = (await session.scalars(query.order_by(OutgoingRow.id.desc()).limit(limit))).all()
    return [message(row) for row in rows]


async def failed_since(session: AsyncSession, since: datetime) -> int:
    """How many since this moment did not go out or did not arrive, or may not have."""
    query = select(func.count()).where(OutgoingRow.at > since, *_HAVE_FAILED)
    return await session.scalar(query) or 0


async def purge(session: AsyncSession, before: datetime) -> int:
    """Messages from before this moment are gone; how many."""
    query = delete(OutgoingRow).where(OutgoingRow.at < before, OutgoingRow.state != State.SENDING)
    return len((await session.scalars(query.returning(OutgoingRow.id))).all())


def message(row: OutgoingRow) -> Outgoing:
    """As the room speaks of it."""
    return Outgoing(
        row.id, row.at, Purpose(row.purpose), row.asked_by, row.call or "", row.person, row.errand, row.way or "",
        row.to or "", row.subject or "", row.text or "", State(row.state), row.tries or 0, row.most, row.next_at,
        row.done_at, row.why_ko or "", row.why_en or "", row.receipt or "", Arrival(row.arrival or Arrival.UNKNOWN),
        row.again, row.again_by or "",
    )  # fmt: skip
