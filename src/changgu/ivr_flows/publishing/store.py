"""Keeps versions, publications, drafts, notices and what callers did, and finds them again."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import JSON, Connection, Date, ForeignKeyConstraint, Index, Text, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.ground.database import Base, Database, Statements, UtcDateTime
from changgu.ground.trouble import Conflict, NotFound
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.publishing.counts import Count, DayRow, Figures
from changgu.ivr_flows.publishing.notices import Notice
from changgu.ivr_flows.publishing.versions import (
    Draft,
    History,
    How,
    Publication,
    Version,
    VersionNumber,
)


class VersionRow(Base):
    """A menu tree with all that it needs; never changed."""

    __tablename__ = "flow_versions"

    flow: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    beside: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """`flows`, `calendars`, `sentences`; None: written down before versions carried them."""
    own_files: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    """Of one from files: how those of the site were."""
    origin: Mapped[str]
    note: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class PublicationRow(Base):
    """From when on a version answers callers."""

    __tablename__ = "flow_publications"
    __table_args__ = (
        ForeignKeyConstraint(["flow", "version"], ["flow_versions.flow", "flow_versions.number"]),
        Index("ix_flow_publications_flow", "flow"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    flow: Mapped[str]
    version: Mapped[int]
    how: Mapped[str]
    effective_at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str]
    withdrawn_by: Mapped[str]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    why_withdrawn: Mapped[str]


class DraftRow(Base):
    """What supervisors are working on."""

    __tablename__ = "flow_drafts"

    flow: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    beside: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    revision: Mapped[int]
    base: Mapped[int]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    authors: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """None: written down when only the last one was remembered."""


class CountRow(Base):
    """What callers did at one place on one day; an empty node is the visit as a whole."""

    __tablename__ = "flow_counts"

    flow: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node: Mapped[str] = mapped_column(primary_key=True)
    entered: Mapped[int] = mapped_column(default=0)
    left: Mapped[int] = mapped_column(default=0)
    hung_up: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    contained: Mapped[int] = mapped_column(default=0)


class NoticeRow(Base):
    """A sentence for callers."""

    __tablename__ = "flow_notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    sentences: Mapped[dict[str, str]] = mapped_column(JSON)
    places: Mapped[list[str]] = mapped_column(JSON)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[str]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heard: Mapped[int]
    deflected: Mapped[int]


class FlowStore:
    """Versions and drafts of menu trees, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, flow: str) -> History:
        """All that was ever decided about a menu tree."""
        async with self._database.transaction() as session:
            versions = await session.scalars(
                select(VersionRow).where(VersionRow.flow == flow).order_by(VersionRow.number)
            )
            publications = await session.scalars(
                select(PublicationRow).where(PublicationRow.flow == flow).order_by(PublicationRow.id)
            )
            return History(tuple(map(_version, versions)), tuple(map(_publication, publications)))

    async def add(
        self, flow: str, menu: MenuSet, how: How, effective_at: datetime, by: str, at: datetime, *,
        note: str = "", origin: str = "", own: Mapping[str, str] | None = None,
    ) -> tuple[Version, Publication]:  # fmt: skip
        """A new version, and from when on it answers. `own`: of one from files, how those of the site were."""
        async with self._database.transaction() as session:
            last = await session.scalar(select(func.max(VersionRow.number)).where(VersionRow.flow == flow))
            number = VersionNumber((last or 0) + 1)
            row = VersionRow(
                flow=flow, number=number, text=menu.text, beside=_beside(menu), own_files=dict(own or {}),
                origin=origin, note=note, by=by, at=at,
            )  # fmt: skip
            session.add(row)
            await session.flush()
            published = await _publish(session, flow, number, how, effective_at, by, at, note)
            return _version(row), published

    async def complete(self, flow: str, version: VersionNumber, menu: MenuSet, own: Mapping[str, str]) -> None:
        """Write down beside a version of an older changgu what has been read with it until now."""
        async with self._database.transaction() as session:
            row = await session.get(VersionRow, (flow, version))
            if row is None:
                raise NotFound("그런 버전이 없습니다.", "There is no such version.")
            row.beside, row.own_files = _beside(menu), dict(own)

    async def publish(
        self, flow: str, version: VersionNumber, how: How, effective_at: datetime, by: str, at: datetime, note: str
    ) -> Publication:
        """From when on a version that there is answers."""
        async with self._database.transaction() as session:
            return await _publish(session, flow, version, how, effective_at, by, at, note)

    async def withdraw(self, id: int, by: str, at: datetime, why: str) -> None:
        """A publication never comes to hold, or is taken back at once."""
        async with self._database.transaction() as session:
            row = await session.get(PublicationRow, id)
            if row is None:
                raise NotFound("그런 배포가 없습니다.", "There is no such publication.")
            row.withdrawn_by, row.withdrawn_at, row.why_withdrawn = by, at, why

    async def draft(self, flow: str) -> Draft | None:
        """What supervisors are working on, if anything."""
        async with self._database.transaction() as session:
            row = await session.get(DraftRow, flow)
            if row is None:
                return None
            menu = _menu(row.text, row.beside)
            authors = tuple(row.authors or (row.by,))
            return Draft(menu, row.revision, VersionNumber(row.base), row.by, row.at, row.beside is not None, authors)

    async def save_draft(
        self, flow: str, menu: MenuSet, revision: int, base: VersionNumber, by: str, at: datetime,
        others: Iterable[str] = (),
    ) -> Draft:  # fmt: skip
        """Keep a draft that was changed from `revision` (0: there was none); raises `Conflict` when another
        supervisor was faster. `others`: its authors beside `by`."""
        async with self._database.transaction() as session:
            row = await session.get(DraftRow, flow)
            if (row.revision if row else 0) != revision:
                raise Conflict(
                    "그동안 다른 사람이 초안을 고쳤습니다. 새로 불러온 뒤 다시 고치십시오.",
                    "Somebody else has changed the draft; load it again.",
                )
            if row is None:
                row = DraftRow(flow=flow)
                session.add(row)
            row.text, row.beside = menu.text, _beside(menu)
            row.revision, row.base, row.by, row.at = revision + 1, base, by, at
            row.authors = sorted({*others, by})
            return Draft(menu, revision + 1, base, by, at, authors=tuple(row.authors))

    async def complete_draft(self, flow: str, revision: int, menu: MenuSet) -> None:
        """Write down beside the draft of an older changgu what it needs; one that was changed meanwhile stays."""
        async with self._database.transaction() as session:
            row = await session.get(DraftRow, flow)
            if row is not None and row.revision == revision:
                row.beside = _beside(menu)


class CountStore:
    """What callers did, by day, version and node."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[tuple[date, Count], int]) -> None:
        """So many more of each."""
        rows: dict[tuple[str, date, int, str], Figures] = {}
        for (day, count), times in counts.items():
            key = (count.flow, day, count.version, count.node)
            rows[key] = rows.get(key, Figures()).plus(count.what, times)
        if rows:
            await self._database.write(partial(_add, rows))

    async def rows(self, flow: str, first: date, last: date, version: int | None = None) -> list[DayRow]:
        """From one day to another, both included; without a version, all but what the pilot number heard."""
        wanted = select(CountRow).where(CountRow.flow == flow, CountRow.day >= first, CountRow.day <= last)
        wanted = wanted.where(CountRow.version > 0 if version is None else CountRow.version == version)
        async with self._database.transaction() as session:
            return [
                DayRow(
                    row.day, row.version, row.node,
                    Figures(row.entered, row.left, row.hung_up, row.failed, row.contained),
                )
                for row in await session.scalars(wanted.order_by(CountRow.day, CountRow.node))
            ]  # fmt: skip


class NoticeStore:
    """Notices, those on the air and those of the past."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, sentences: Mapping[str, str], places: Iterable[str], starts_at: datetime, ends_at: datetime, by: str,
        at: datetime,
    ) -> Notice:  # fmt: skip
        """A new one."""
        row = NoticeRow(
            sentences=dict(sentences), places=sorted(places), starts_at=starts_at, ends_at=ends_at, by=by, at=at,
            withdrawn_by="", withdrawn_at=None, heard=0, deflected=0,
        )  # fmt: skip
        async with self._database.transaction() as session:
            session.add(row)
            await session.flush()
            return _notice(row)

    async def withdraw(self, id: int, by: str, at: datetime) -> Notice:
        """Off the air at once."""
        async with self._database.transaction() as session:
            row = await session.get(NoticeRow, id)
            if row is None:
                raise _no_such_notice()
            row.withdrawn_by, row.withdrawn_at = by, at
            return _notice(row)

    async def newest(self, limit: int) -> list[Notice]:
        """The last ones, newest first."""
        async with self._database.transaction() as session:
            rows = await session.scalars(select(NoticeRow).order_by(NoticeRow.id.desc()).limit(limit))
            return [_notice(row) for row in rows]

    async def not_over(self, at: datetime) -> list[Notice]:
        """Those on the air, and those to come."""
        async with self._database.transaction() as session:
            rows = await session.scalars(
                select(NoticeRow).where(NoticeRow.ends_at > at, NoticeRow.withdrawn_at.is_(None)).order_by(NoticeRow.id)
            )
            return [_notice(row) for row in rows]

    async def count(self, heard: Mapping[int, int], deflected: Mapping[int, int]) -> None:
        """So many more calls that heard them, and that did without an agent."""

        def work(connection: Connection) -> None:
            for id in sorted({*heard, *deflected}):
                connection.execute(
                    update(NoticeRow)
                    .where(NoticeRow.id == id)
                    .values(
                        heard=NoticeRow.heard + heard.get(id, 0), deflected=NoticeRow.deflected + deflected.get(id, 0)
                    )
                )

        if heard or deflected:
            await self._database.in_one_go(work)


async def _publish(
    session: AsyncSession, flow: str, version: VersionNumber, how: How, effective_at: datetime, by: str, at: datetime,
    note: str,
) -> Publication:  # fmt: skip
    row = PublicationRow(
        flow=flow, version=version, how=how.value, effective_at=effective_at, by=by, at=at, note=note,
        withdrawn_by="", withdrawn_at=None, why_withdrawn="",
    )  # fmt: skip
    session.add(row)
    await session.flush()
    return _publication(row)


_ADD = """
    INSERT INTO flow_counts (flow, day, version, node, entered, "left", hung_up, failed, contained)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (flow, day, version, node) DO UPDATE SET
        entered = entered + excluded.entered, "left" = "left" + excluded."left", hung_up = hung_up + excluded.hung_up,
        failed = failed + excluded.failed, contained = contained + excluded.contained"""
"""A new row, or so many more in the one that is there."""


def _add(rows: Mapping[tuple[str, date, int, str], Figures], database: Statements) -> None:
    database.executemany(
        _ADD,
        [
            (flow, day.isoformat(), version, node, more.entered, more.left, more.hung_up, more.failed, more.contained)
            for (flow, day, version, node), more in rows.items()
        ],
    )


def _version(row: VersionRow) -> Version:
    return Version(
        VersionNumber(row.number), _menu(row.text, row.beside), row.origin, row.note, row.by, row.at,
        row.own_files or {}, row.beside is not None,
    )  # fmt: skip


def _beside(menu: MenuSet) -> dict[str, Any]:
    said = {language: dict(sentences) for language, sentences in menu.sentences.items()}
    return {"flows": dict(menu.flows), "calendars": menu.calendars, "sentences": said}


def _menu(text: str, beside: Mapping[str, Any] | None) -> MenuSet:
    return MenuSet(text) if beside is None else MenuSet(text, **beside)


def _publication(row: PublicationRow) -> Publication:
    return Publication(
        row.id, VersionNumber(row.version), How(row.how), row.effective_at, row.by, row.at, row.note,
        row.withdrawn_by, row.withdrawn_at, row.why_withdrawn,
    )  # fmt: skip


def _notice(row: NoticeRow) -> Notice:
    return Notice(
        row.id, dict(row.sentences), frozenset(row.places), row.starts_at, row.ends_at, row.by, row.at,
        row.withdrawn_by, row.withdrawn_at, row.heard, row.deflected,
    )  # fmt: skip


def _no_such_notice() -> NotFound:
    return NotFound("그런 안내가 없습니다.", "There is no such notice.")
