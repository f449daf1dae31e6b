"""One database, one metadata, one way to open a transaction."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, PoolProxiedConnection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import await_only

T = TypeVar("T")

PATIENCE = 10
"""Seconds for which a unit of work waits for those that write before it."""

WORKERS = 6
"""Threads for units of work: two that wait for a lock do not keep the others from reading."""

JOURNAL_PAGES = 4000
"""Pages of the journal (16 MiB) after which they are brought into the database file; many have been written often by
then and are brought over once."""

WRITER_MEMORY = 8 * 1024
"""KiB of pages that the connection which writes keeps in memory."""

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of every package; foreign keys never cross a package."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware on our side, UTC in the database (SQLite keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a moment without a zone is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def moment(instant: float) -> datetime:
    """The aware datetime of an `acd.identity.Instant`."""
    return datetime.fromtimestamp(instant, UTC)


@lru_cache(maxsize=1000)
def stored(instant: float) -> str:
    """A moment as it stands in a column of `UtcDateTime`, for SQL that is written by hand."""
    return moment(instant).isoformat(" ", "microseconds")[:26]


def read_moment(written: str | datetime) -> datetime:
    """The aware datetime that stands in such a column."""
    return datetime.fromisoformat(str(written)).replace(tzinfo=UTC)


class Statements(Protocol):
    """SQL as it stands, with `?` for values in SQLite's own types: a DBAPI cursor (PEP 249)."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Do it once."""

    def executemany(self, sql: str, values: Sequence[Sequence[Any]], /) -> Any:
        """Do it for each of these."""

    def fetchone(self) -> Any:
        """The next row of what was asked, or None."""

    def fetchall(self) -> Sequence[Any]:
        """All rows of what was asked."""


class Database:
    """The pool of connections. `async with database.transaction() as session:` commits at the end.

    `in_one_go` is for what is done at every call: there a unit of work changes threads once, where a session does so
    four times for every statement, which costs more than the statements. `read` and `write` are for what is looked up
    or written several times in every call: their SQL goes to SQLite as it stands.
    """

    def __init__(self, url: str) -> None:
        # Parameters are callers' numbers and hashes of PINs: the text of an error goes to the log.
        self.engine: AsyncEngine = create_async_engine(url, hide_parameters=True)
        self._plain: Engine | None = None
        if self.engine.dialect.name == "sqlite":
            _furnish(self.engine.sync_engine)
            _Turns(self.engine.sync_engine)
            if self.engine.url.database not in (None, "", ":memory:"):
                self._plain = create_engine(self.engine.url.set(drivername="sqlite"), hide_parameters=True)
                _furnish(self._plain)
        self._workers = _workers()
        self._writer = None if self._plain is None else _Writer(self._plain)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: all of it, or none."""
        async with self._sessions.begin() as session:
            yield session

    async def in_one_go(self, work: Callable[[Connection], T]) -> T:
        """One unit of work, all of it or none: a function that runs outside the loop, and touches nothing of it.

        Cancelled, it is not waited for, but done all the same.
        """
        if self._plain is None:
            async with self.engine.begin() as connection:
                return await connection.run_sync(work)
        return await asyncio.get_running_loop().run_in_executor(self._workers, _done, self._plain, work)

    async def read(self, work: Callable[[Statements], T]) -> T:
        """What a function finds that runs outside the loop and writes nothing. Raises `SQLAlchemyError`."""
        if self._plain is None:
            return await self._in_session(work)
        return await asyncio.get_running_loop().run_in_executor(self._workers, _found, self._plain, work)

    def write(self, work: Callable[[Statements], T]) -> Awaitable[T]:
        """One unit of work, all of it or none, one after the other: a function that runs outside the loop.

        Nobody else writes between what it reads and what it writes. Cancelled once it has begun, it is not waited
        for, but done all the same. Raises `SQLAlchemyError`, as everything here does.
        """
        return self._in_session(work) if self._writer is None else self._writer.take(work)

    async def _in_session(self, work: Callable[[Statements], T]) -> T:
        async with self.engine.begin() as connection:
            return await connection.run_sync(_as_it_stands, work)

    async def close(self) -> None:
        """Give the connections back; what has begun is done to its end."""
        workers, self._workers = self._workers, _workers()
        await asyncio.to_thread(workers.shutdown)
        if self._writer is not None:
            await self._writer.close()
        if self._plain is not None:
            self._plain.dispose()
        await self.engine.dispose()


class _Turns:
    """Sessions write one after the other, in the order in which they asked to.

    SQLite lets one of them write at a time, and those who wait look again every now and then
    (sqlite.org/c3ref/busy_timeout.html). Whoever comes new looks at once: in a rush, somebody who came early waited
    until they gave up ("database is locked").
    """

    def __init__(self, engine: Engine) -> None:
        self._turn = asyncio.Lock()
        event.listen(engine, "before_cursor_execute", self._about_to)
        event.listen(engine, "checkin", self._done)
        event.listen(engine, "detach", self._done)

    def _about_to(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        its = connection.connection.record_info
        writes = statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")
        if writes and its is not None and self not in its and await_only(self._taken()):
            its[self] = True

    async def _taken(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._turn.acquire()
        except TimeoutError:
            return False  # SQLite itself decides, and may refuse

    def _done(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        if record.record_info is not None and record.record_info.pop(self, None):
            self._turn.release()


class _Writer:
    """One thread with one connection: SQLite lets one write at a time anyway, and the pages that it wrote last are
    still in its memory when it writes next."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._connection: PoolProxiedConnection | None = None

    def take(self, work: Callable[[Statements], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[Statements], T]) -> T:
        with _as_ours():
            if self._connection is None:
                self._connection = self._engine.raw_connection()
                self._connection.cursor().execute(f"PRAGMA cache_size=-{WRITER_MEMORY}")
            cursor = self._connection.cursor()
            try:
                cursor.execute("BEGIN IMMEDIATE")
                result = work(cursor)
                self._connection.commit()
            except BaseException:
                self._undo()
                raise
            return result

    def _undo(self) -> None:
        assert self._connection is not None
        try:
            self._connection.rollback()
        except sqlite3.Error:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()

    async def close(self) -> None:
        thread, self._thread = self._thread, ThreadPoolExecutor(1, thread_name_prefix="writer")
        thread.submit(self._drop)
        await asyncio.to_thread(thread.shutdown)


@contextlib.contextmanager
def _as_ours() -> Iterator[None]:
    """SQLite's errors as SQLAlchemy tells them, without the values."""
    try:
        yield
    except sqlite3.Error as trouble:
        raise DBAPIError.instance("", None, trouble, sqlite3.Error, hide_parameters=True) from trouble


def _as_it_stands(connection: Connection, work: Callable[[Statements], T]) -> T:
    with _as_ours():
        return work(connection.connection.cursor())


def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="database")


def _done(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _found(engine: Engine, work: Callable[[Statements], T]) -> T:
    with _as_ours(), contextlib.closing(engine.raw_connection()) as connection:
        return work(connection.cursor())


def _furnish(engine: Engine) -> None:
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _tune_sqlite)


def _make_private(_dialect: Dialect, _record: Any, arguments: list[Any], _more: dict[str, Any]) -> None:
    """A new database file is its owner's alone; SQLite gives its journal files the same mode.

    A file that exists is not opened, not even for a moment: closing it would drop every lock that this process has
    on it, and another process could then take the journal away under us (sqlite.org/howtocorrupt.html, 2.2).
    """
    file = str(arguments[0])
    if not file.startswith((":memory:", "file:")):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _tune_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={PATIENCE * 1000}",
        f"wal_autocheckpoint={JOURNAL_PAGES}",
    ):  # fmt: skip
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
