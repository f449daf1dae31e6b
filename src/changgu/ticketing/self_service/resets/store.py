"""Where it is kept who asked for a new PIN, and whether it went out. Table `pin_resets`; no PIN stands in it."""

from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.ground.database import Base, UtcDateTime
from changgu.ticketing.self_service.resets.limits import Outcome, asks_too_often
from changgu.ticketing.self_service.sources import WEB, is_web

DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)


class ResetRow(Base):
    """One wish for a new PIN. It counts from before it is looked at, so that wishes made at once all count."""

    __tablename__ = "pin_resets"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    person: Mapped[int | None] = mapped_column(index=True)
    source: Mapped[str] = mapped_column(String(64), index=True)
    """The telephone or call that asked; empty when the desk did."""
    asked_by: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    way: Mapped[str] = mapped_column(String(8), default="")


async def begin(session: AsyncSession, at: datetime, person: int | None, source: str, by: str, said: Outcome) -> int:
    """Note a wish; its id."""
    row = ResetRow(at=at, person=person, source=source, asked_by=by[:64], outcome=said, way="")
    session.add(row)
    await session.flush()
    return row.id


async def asked_too_often(session: AsyncSession, source: str, before: int, now: datetime) -> bool:
    """Whether this telephone, call or address had all its wishes of the hour before this one."""
    counted = select(func.count()).where(ResetRow.id < before, ResetRow.at > now - HOUR)
    web = is_web(source)
    from_it = await session.scalar(counted.where(ResetRow.source == source)) or 0
    from_all = await session.scalar(counted.where(ResetRow.source.startswith(WEB))) or 0 if web else 0
    return asks_too_often(from_it, from_all, web=web)


async def sent_to(session: AsyncSession, person: int, before: int, now: datetime) -> int:
    """PINs that callers asked for and that went, are under way or were tried, to this person within a day, before this.

    What was not taken over counts: some of it goes out all the same, and who delivers is not asked without end.
    """
    query = select(func.count()).where(
        ResetRow.person == person, ResetRow.id < before, ResetRow.at > now - DAY, ResetRow.source != "",
        ResetRow.outcome.in_((Outcome.WAITING, Outcome.SENT, Outcome.NOT_SENT)),
    )  # fmt: skip
    return await session.scalar(query) or 0


async def became(session: AsyncSession, id: int, outcome: Outcome, way: str = "") -> None:
    """What became of a wish."""
    await session.execute(update(ResetRow).where(ResetRow.id == id).values(outcome=outcome, way=way))


async def forget(session: AsyncSession, id: int) -> None:
    """A wish that was refused is none: a flood of them must not fill the disk."""
    await session.execute(delete(ResetRow).where(ResetRow.id == id))


async def purge(session: AsyncSession, before: datetime) -> int:
    """Wishes from before this moment are gone; how many."""
    return len((await session.scalars(delete(ResetRow).where(ResetRow.at < before).returning(ResetRow.id))).all())


async def newest(session: AsyncSession, person: int) -> ResetRow | None:
    """The last wish for a PIN of this person."""
    return await session.scalar(select(ResetRow).where(ResetRow.person == person).order_by(ResetRow.id.desc()).limit(1))
