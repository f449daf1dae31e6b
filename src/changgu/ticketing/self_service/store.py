"""Where callers' PINs (hashes only), guesses and wishes to be called back about a ticket are kept.

Tables: `caller_pins` (one per person, and one that was sent beside it), `pin_guesses` (each guess, right or wrong),
`ticket_callback_wishes`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from changgu.ground.database import Base, UtcDateTime
from changgu.ticketing.self_service.pin import NUMBER_WINDOW, Guesses, is_closed
from changgu.ticketing.self_service.sources import WEB, is_web


class PinRow(Base):
    """Somebody's PIN: an Argon2id hash over the PIN keyed with a secret that is not in the database."""

    __tablename__ = "caller_pins"
    person: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Below zero (minus the id) for one that was sent: it stands beside the one they have until it is used."""
    hashed: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(64))
    guesses_from: Mapped[int]
    """Guesses with a larger id count against this PIN."""
    good_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Of one that was sent, and is good for one check; null for one without end."""
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class GuessRow(Base):
    """One guess. It counts as wrong from before it is looked at until it is known to be right."""

    __tablename__ = "pin_guesses"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    person: Mapped[int | None] = mapped_column(index=True)
    number: Mapped[str] = mapped_column(String(64), index=True)
    right: Mapped[bool]


class WishRow(Base):
    """Somebody wants to be called back about a ticket."""

    __tablename__ = "ticket_callback_wishes"
    callback: Mapped[str] = mapped_column(String(64), primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), index=True)
    call: Mapped[str | None] = mapped_column(String(150))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


async def begin_guess(session: AsyncSession, person: int | None, number: str, at: datetime) -> int:
    """Note a guess as wrong before it is looked at, so that guesses made at once all count; its id."""
    row = GuessRow(at=at, person=person, number=number, right=False)
    session.add(row)
    await session.flush()
    return row.id


async def is_closed_to(session: AsyncSession, id: int, source: str, now: datetime) -> bool:
    """Whether this telephone or address had too many wrong guesses before the one with this id."""
    if not source:  # withheld is no telephone: it must not be closed to everybody
        return False
    counted = select(func.count()).where(GuessRow.id < id, ~GuessRow.right, GuessRow.at > now - NUMBER_WINDOW)
    web = is_web(source)
    from_it = await session.scalar(counted.where(GuessRow.number == source)) or 0
    from_all = await session.scalar(counted.where(GuessRow.number.startswith(WEB))) or 0 if web else 0
    return is_closed(from_it, from_all, web=web)


async def guesses_before(session: AsyncSession, id: int, person: int | None, pin: PinRow | None) -> Guesses:
    """What there was before the guess with this id, against this PIN."""
    wrong, last = await wrong_in_a_row(session, person, pin, before=id)
    return Guesses(wrong, last)


async def wrong_in_a_row(
    session: AsyncSession, person: int | None, pin: PinRow | None, *, before: int | None = None
) -> tuple[int, datetime | None]:
    """Wrong guesses since the last right one or since this PIN was set, and when the last of them was made."""
    if person is None:
        return 0, None
    right = select(func.max(GuessRow.id)).where(GuessRow.person == person, GuessRow.right)
    since = max(pin.guesses_from if pin else 0, await session.scalar(right) or 0)
    query = select(func.count(), func.max(GuessRow.at)).where(
        GuessRow.person == person, ~GuessRow.right, GuessRow.id > since
    )
    if before is not None:
        query = query.where(GuessRow.id < before)
    count, last = (await session.execute(query)).one()
    return count, last


async def was_right(session: AsyncSession, id: int) -> None:
    """The guess was right."""
    await session.execute(update(GuessRow).where(GuessRow.id == id).values(right=True))


async def use_up(session: AsyncSession, person: int, hashed: str, at: datetime) -> bool:
    """The PIN that was good for one check has been used; False when somebody was faster. `person` as in its row."""
    query = update(PinRow).where(PinRow.person == person, PinRow.hashed == hashed, PinRow.used_at.is_(None))
    return await session.scalar(query.values(used_at=at).returning(PinRow.person)) is not None


async def forget_guess(session: AsyncSession, id: int) -> None:
    """A guess that was not looked at is none."""
    await session.execute(delete(GuessRow).where(GuessRow.id == id))


async def not_at_the_person(session: AsyncSession, id: int) -> None:
    """A guess at a PIN that is paused or locked counts for whoever made it, and not against its owner."""
    await session.execute(update(GuessRow).where(GuessRow.id == id).values(person=None))


async def purge_guesses(session: AsyncSession, before: datetime) -> int:
    """Guesses from before this moment that count for nothing any more are gone; how many.

    Those that keep a PIN locked stay, as does the last right one, but no longer the telephones they came from. So does
    the newest of all: SQLite would give its id again, and a guess with an id below `guesses_from` counts for nothing.
    """
    later, pin = aliased(GuessRow), aliased(PinRow)
    over = exists().where(later.person == GuessRow.person, later.right, later.id > GuessRow.id)
    held = exists().where(func.abs(pin.person) == GuessRow.person, pin.guesses_from < GuessRow.id)
    newest = select(func.max(aliased(GuessRow).id)).scalar_subquery()
    gone = await session.scalars(
        delete(GuessRow).where(GuessRow.at < before, over | ~held, GuessRow.id < newest).returning(GuessRow.id)
    )
    count = len(gone.all())
    await session.execute(update(GuessRow).where(GuessRow.at < before, GuessRow.number != "").values(number=""))
    return count


async def newest_guess(session: AsyncSession) -> int:
    """The id of the newest guess."""
    return await session.scalar(select(func.max(GuessRow.id))) or 0


async def drop_pins(session: AsyncSession, persons: Sequence[int], *, kept: bool = True, sent: bool = True) -> None:
    """The PINs of a person who is known by these ids are gone: the one they keep, and the one that was sent."""
    query = delete(PinRow).where(func.abs(PinRow.person).in_(persons))
    if not (kept and sent):
        query = query.where(PinRow.good_until.is_(None) if kept else PinRow.good_until.is_not(None))
    await session.execute(query)


async def pins_of(session: AsyncSession, persons: Sequence[int]) -> tuple[PinRow | None, PinRow | None]:
    """The newest PIN that a person who is known by these ids keeps, and the newest that was sent to them."""
    query = select(PinRow).where(func.abs(PinRow.person).in_(persons)).order_by(PinRow.set_at.desc())
    rows = (await session.scalars(query)).all()
    return (
        next((row for row in rows if row.good_until is None), None),
        next((row for row in rows if row.good_until is not None), None),
    )
