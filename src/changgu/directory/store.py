"""Where people, their numbers, their equipment and the history of all that are kept."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    and_,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

from changgu.directory.items import Asset, AssetTag
from changgu.directory.numbers import Numbering, NumberKind
from changgu.directory.person import Change, Owner, PersonCard, PersonId, PhoneIdentity
from changgu.ground.database import Base, Statements, UtcDateTime, read_moment

_T = TypeVar("_T")
_BATCH = 500
_NUMBER_SEPARATORS = re.compile(r"[\s\-./()+]")


class PersonRow(Base):
    """A person."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_number: Mapped[str | None] = mapped_column(String(50), unique=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    department: Mapped[str] = mapped_column(String(200), default="", index=True)
    title: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    location: Mapped[str] = mapped_column(String(200), default="")
    computer_id: Mapped[str] = mapped_column(String(100), default="", index=True)
    fax: Mapped[str] = mapped_column(String(50), default="")
    vip: Mapped[bool] = mapped_column(default=False, server_default=false())
    source: Mapped[str] = mapped_column(String(32))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    numbers: Mapped[list["PhoneRow"]] = relationship(lazy="raise", order_by="PhoneRow.id")
    assets: Mapped[list["AssetRow"]] = relationship(lazy="raise", order_by="AssetRow.id")


class PhoneRow(Base):
    """One number of one person, for a time. Ended identities stay: an old call is still theirs."""

    __tablename__ = "phone_identities"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    canonical: Mapped[str] = mapped_column(String(40), index=True)
    as_written: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(32))
    confidence: Mapped[int]
    shared: Mapped[bool] = mapped_column(default=False)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


Index(
    "uq_phone_identities_person_canonical_now",
    PhoneRow.person_id,
    PhoneRow.canonical,
    unique=True,
    sqlite_where=PhoneRow.valid_to.is_(None),
)


class AssetRow(Base):
    """A piece of equipment, and who has it."""

    __tablename__ = "assets"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    tag: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(200), default="")
    model: Mapped[str] = mapped_column(String(200), default="")
    serial: Mapped[str] = mapped_column(String(200), default="")
    purchased_on: Mapped[date | None]
    location: Mapped[str] = mapped_column(String(200), default="")


class PersonChangeRow(Base):
    """Who changed what of a person; appended only."""

    __tablename__ = "person_history"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(32))
    field: Mapped[str] = mapped_column(String(32))
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)


def asset_of(row: AssetRow) -> Asset:
    """The asset in this row."""
    return Asset(AssetTag(row.tag), row.kind, row.model, row.serial, row.purchased_on, row.location)


def current(row: PersonRow) -> list[PhoneRow]:
    """The numbers that the person has now."""
    return [number for number in row.numbers if number.valid_to is None]


def card_of(row: PersonRow, numbering: Numbering) -> PersonCard:
    """The person in this row, whose numbers and assets must be loaded."""
    numbers = sorted(current(row), key=lambda number: (-number.confidence, number.id))
    return PersonCard(
        id=PersonId(row.id),
        name=row.name,
        department=row.department,
        employee_number=row.employee_number,
        title=row.title,
        email=row.email,
        location=row.location,
        computer_id=row.computer_id,
        fax=row.fax,
        vip=row.vip,
        numbers=tuple(
            PhoneIdentity(
                number.canonical,
                number.as_written,
                numbering.display(number.canonical),
                NumberKind(number.kind),
                number.source,
                number.confidence,
                number.shared,
                number.valid_from,
                number.verified_at,
            )
            for number in numbers
        ),
        assets=tuple(asset_of(asset) for asset in row.assets),
        source=row.source,
        updated_at=row.updated_at,
    )


_WHOLE = select(PersonRow).options(selectinload(PersonRow.numbers), selectinload(PersonRow.assets))


_PERSON = (
    "id", "employee_number", "name", "department", "title", "email", "location", "computer_id", "fax", "vip", "source",
    "updated_at",
)  # fmt: skip
_NUMBER = (
    "id", "canonical", "as_written", "kind", "source", "confidence", "shared", "valid_from", "verified_at",
)  # fmt: skip
_ASSET = ("id", "tag", "kind", "model", "serial", "purchased_on", "location")

_WHO = """
    SELECT {person},
        (SELECT json_group_array(json_array({number})) FROM phone_identities AS theirs
            WHERE theirs.person_id = people.id AND theirs.valid_to IS NULL),
        (SELECT json_group_array(json_array({asset})) FROM assets WHERE assets.person_id = people.id)
    FROM phone_identities AS this JOIN people ON people.id = this.person_id
    WHERE this.canonical = ? AND this.valid_to IS NULL AND people.merged_into IS NULL
    ORDER BY this.confidence DESC, this.verified_at DESC NULLS LAST, people.id
    LIMIT ?"""
_WITH_NUMBER = _WHO.format(
    person=", ".join(f"people.{column}" for column in _PERSON), number=", ".join(_NUMBER), asset=", ".join(_ASSET)
)

_OWNERS = """
    SELECT phone_identities.canonical, people.id, people.name, people.department, people.vip
    FROM phone_identities JOIN people ON people.id = phone_identities.person_id
    WHERE {which} phone_identities.valid_to IS NULL AND people.merged_into IS NULL
    ORDER BY people.id"""

_VERSION = "SELECT coalesce((SELECT max(id) FROM people), 0), coalesce((SELECT max(id) FROM person_history), 0)"

Version = tuple[int, int]
"""Another one after every change of who has which number: a new person, or a new line in somebody's history."""


async def person(session: AsyncSession, person_id: int) -> PersonRow | None:
    """The person, or the one they were merged into."""
    row: PersonRow | None = None
    seen: set[int] = set()
    following: int | None = person_id
    while following is not None and following not in seen:
        seen.add(following)
        row = await session.scalar(_WHOLE.where(PersonRow.id == following).execution_options(populate_existing=True))
        following = row.merged_into if row else None
    return row


async def merged(session: AsyncSession) -> dict[int, int]:
    """Records that were merged into another → the record that holds the person now."""
    rows = await session.execute(
        select(PersonRow.id, PersonRow.merged_into).where(PersonRow.merged_into.is_not(None))
    )
    into = {gone: kept for gone, kept in rows if kept is not None}
    found = {}
    for gone, kept in into.items():
        while kept in into:
            kept = into[kept]
        found[gone] = kept
    return found


async def ids_of(session: AsyncSession, person_id: int) -> list[PersonId]:
    """This id and the ids of all records that were merged into it."""
    found = [person_id]
    layer = [person_id]
    while layer:
        rows = await session.scalars(select(PersonRow.id).where(PersonRow.merged_into.in_(layer)))
        layer = [number for number in rows if number not in found]
        found += layer
    return [PersonId(number) for number in found]


def with_number(canonical: str, limit: int, database: Statements) -> list[PersonRow]:
    """Everybody who has this number now, with numbers and assets, in one question; the most certain first, those who
    share it last. The rows belong to no session."""
    database.execute(_WITH_NUMBER, (canonical, limit))
    return [_whole(found) for found in database.fetchall()]


def _whole(found: Sequence[Any]) -> PersonRow:
    *fields, numbers, assets = found
    row = PersonRow(**dict(zip(_PERSON, fields, strict=True)))
    row.vip, row.updated_at = bool(row.vip), read_moment(row.updated_at)
    row.numbers = [PhoneRow(**dict(zip(_NUMBER, number, strict=True))) for number in sorted(json.loads(numbers))]
    for number in row.numbers:
        number.shared, number.valid_from = bool(number.shared), read_moment(number.valid_from)
        number.verified_at = read_moment(number.verified_at) if number.verified_at else None
    row.assets = [AssetRow(**dict(zip(_ASSET, asset, strict=True))) for asset in sorted(json.loads(assets))]
    for asset in row.assets:
        asset.purchased_on = date.fromisoformat(str(asset.purchased_on)) if asset.purchased_on else None
    return row


def owners(canonicals: Iterable[str], database: Statements) -> dict[str, tuple[Owner, ...]]:
    """Who has these numbers now, without all that is known of them."""
    found: dict[str, tuple[Owner, ...]] = {}
    for batch in batches(canonicals):
        marks = ", ".join("?" * len(batch))
        database.execute(_OWNERS.format(which=f"phone_identities.canonical IN ({marks}) AND"), batch)
        for canonical, owner in map(_owner, database.fetchall()):
            found[canonical] = (*found.get(canonical, ()), owner)
    return found


def version(database: Statements) -> Version:
    """The directory's, as it stands."""
    database.execute(_VERSION)
    people, changes = database.fetchone()
    return people, changes


def all_owners(most: int, database: Statements) -> tuple[Version, dict[str, tuple[Owner, ...]] | None]:
    """Every number with its owners, or None for more numbers than so many; and the version of which that is true, or
    out of date by now."""
    read_at = version(database)
    database.execute("SELECT count(*) FROM phone_identities WHERE valid_to IS NULL")
    if database.fetchone()[0] > most:
        return read_at, None
    database.execute(_OWNERS.format(which=""))
    found: dict[str, tuple[Owner, ...]] = {}
    for canonical, owner in map(_owner, database.fetchall()):
        found[canonical] = (*found.get(canonical, ()), owner)
    return read_at, found


def _owner(found: Sequence[Any]) -> tuple[str, Owner]:
    canonical, number, name, department, vip = found
    return canonical, Owner(PersonId(number), name, department, bool(vip))


async def by_employee_numbers(session: AsyncSession, numbers: Iterable[str]) -> dict[str, PersonRow]:
    """People by 사번."""
    found: dict[str, PersonRow] = {}
    for batch in batches(numbers):
        for row in await session.scalars(_WHOLE.where(PersonRow.employee_number.in_(batch))):
            found[row.employee_number or ""] = row
    return found


async def assets_by_tag(session: AsyncSession, tags: Iterable[str]) -> dict[str, AssetRow]:
    """Assets by tag, whoever has them."""
    found: dict[str, AssetRow] = {}
    for batch in batches(tags):
        for row in await session.scalars(select(AssetRow).where(AssetRow.tag.in_(batch))):
            found[row.tag] = row
    return found


async def search(
    session: AsyncSession, text: str, numbering: Numbering, limit: int, after: tuple[str, int] | None = None
) -> Sequence[PersonRow]:
    """People of whom every word of `text` is found in name, department, 사번, title, mail, computer or number."""
    query = _WHOLE.where(PersonRow.merged_into.is_(None)).order_by(PersonRow.name, PersonRow.id).limit(limit)
    whole_number = numbering.canonical(text)
    if whole_number:
        query = query.where(or_(_has_number(PhoneRow.canonical == whole_number), _word(text)))
    else:
        for word in text.split()[:8]:
            query = query.where(_word(word))
    if after:
        name, last = after
        query = query.where(or_(PersonRow.name > name, and_(PersonRow.name == name, PersonRow.id > last)))
    return (await session.scalars(query)).all()


def _word(word: str) -> ColumnElement[bool]:
    columns = (
        PersonRow.name,
        PersonRow.department,
        PersonRow.employee_number,
        PersonRow.title,
        PersonRow.email,
        PersonRow.computer_id,
        PersonRow.location,
    )
    found = [column.icontains(word, autoescape=True) for column in columns]
    digits = _NUMBER_SEPARATORS.sub("", word)
    if digits.isdecimal() and len(digits) >= 3:
        # Written with the trunk 0, kept without it: 010-1234 is found in +8210 1234 …
        found.append(_has_number(PhoneRow.canonical.contains(digits.removeprefix("0"), autoescape=True)))
    return or_(*found)


def _has_number(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return PersonRow.id.in_(select(PhoneRow.person_id).where(PhoneRow.valid_to.is_(None), condition))


async def mark_shared(session: AsyncSession, canonicals: Iterable[str]) -> None:
    """Note for each of these numbers whether more than one person has it now."""
    for batch in batches(canonicals):
        shared = (
            select(PhoneRow.canonical)
            .where(PhoneRow.valid_to.is_(None), PhoneRow.canonical.in_(batch))
            .group_by(PhoneRow.canonical)
            .having(func.count() > 1)
        )
        several = set((await session.scalars(shared)).all())
        for is_shared in (True, False):
            chosen = [number for number in batch if (number in several) is is_shared]
            await session.execute(
                update(PhoneRow)
                .where(PhoneRow.canonical.in_(chosen), PhoneRow.valid_to.is_(None), PhoneRow.shared.is_not(is_shared))
                .values(shared=is_shared)
                .execution_options(synchronize_session=False)
            )


async def history(session: AsyncSession, person_ids: Sequence[int], limit: int) -> list[Change]:
    """What was changed of these records, newest first."""
    rows = await session.scalars(
        select(PersonChangeRow)
        .where(PersonChangeRow.person_id.in_(person_ids))
        .order_by(PersonChangeRow.id.desc())
        .limit(limit)
    )
    return [Change(row.at, row.actor, row.source, row.field, row.before, row.after) for row in rows]


async def count(session: AsyncSession) -> int:
    """How many people there are."""
    found = await session.scalar(select(func.count()).select_from(PersonRow).where(PersonRow.merged_into.is_(None)))
    return found or 0


def batches(things: Iterable[_T]) -> Iterator[list[_T]]:
    """Lists short enough for one statement."""
    remaining = iter(things)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
