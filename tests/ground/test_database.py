"""The database file: who else may touch it, and that they cannot hurt us."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from changgu.ground.database import Database, Statements, UtcDateTime, moment, stored

WRITERS = 5
"""As many as there are connections that are kept."""

ANOTHER_PROGRAM = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM t'); c.close()"
)


async def test_a_command_beside_the_running_service_does_not_take_its_journal_away(tmp_path: Path) -> None:
    """`changgu token create` opens and closes the same file while calls are written."""
    file = tmp_path / "desk.sqlite"
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER)"))
    async with database.transaction() as one, database.transaction() as other:  # two connections of one process
        await one.execute(text("SELECT count(*) FROM t"))
        await other.execute(text("INSERT INTO t VALUES (1)"))
    subprocess.run([sys.executable, "-c", ANOTHER_PROGRAM, str(file)], check=True)
    assert Path(f"{file}-wal").exists(), "the other program thought that nobody else was there"
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO t VALUES (2)"))
    await database.close()
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert sqlite3.connect(file).execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (2,)]


async def test_in_a_rush_of_writers_each_has_their_turn(tmp_path: Path) -> None:
    """Or one who came early is passed by until "database is locked" is all they hear."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite'}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (who INTEGER)"))

    together = asyncio.Barrier(WRITERS)

    async def write_again_and_again(who: int) -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT count(*) FROM t"))
            await together.wait()  # everybody's connection is made
        for _ in range(10):
            async with database.transaction() as session:
                await session.execute(text("INSERT INTO t VALUES (:who)"), {"who": who})

    await asyncio.gather(*map(write_again_and_again, range(WRITERS)))
    async with database.transaction() as session:
        wrote = list(await session.scalars(text("SELECT who FROM t ORDER BY rowid")))
    await database.close()
    assert len(wrote) == 10 * WRITERS
    for so_far in range(len(wrote)):
        turns = [wrote[:so_far].count(who) for who in range(WRITERS)]
        assert max(turns) - min(turns) <= 1


async def test_a_writer_who_is_called_off_or_fails_lets_the_next_one_write(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite'}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER UNIQUE)"))
    wrote = asyncio.Event()

    async def write_and_wait() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))
            wrote.set()
            await asyncio.Event().wait()

    first = asyncio.create_task(write_and_wait())
    await wrote.wait()
    behind = [asyncio.create_task(add(database, 2)) for _ in range(3)]
    first.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*behind, return_exceptions=True), 5)
    assert sorted(outcome is None for outcome in outcomes) == [False, False, True]
    await asyncio.wait_for(add(database, 3), 5)
    async with database.transaction() as session:
        assert list(await session.scalars(text("SELECT n FROM t ORDER BY n"))) == [2, 3]
    await database.close()


async def add(database: Database, n: int) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO t VALUES (:n)"), {"n": n})


async def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds people's numbers."""
    file = tmp_path / "desk.sqlite"
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER)"))
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    await database.close()


async def test_a_refusal_of_the_database_does_not_repeat_what_was_written(tmp_path: Path) -> None:
    """Its text goes to the log: neither callers' numbers nor hashes of PINs stand there."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite'}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n TEXT UNIQUE)"))
    wrong, values = text("INSERT INTO t VALUES (:n), (:n)"), {"n": "01012345678"}

    with pytest.raises(IntegrityError) as one:
        async with database.transaction() as session:
            await session.execute(wrong, values)
    with pytest.raises(IntegrityError) as other:
        await database.in_one_go(lambda connection: connection.execute(wrong, values))
    with pytest.raises(IntegrityError) as third:
        await database.write(lambda sql: sql.executemany("INSERT INTO t VALUES (?)", [("01012345678",)] * 2))
    await database.close()

    assert [values["n"] in str(refusal.value) for refusal in (one, other, third)] == [False, False, False]


async def test_what_is_written_in_one_go_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite'}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER UNIQUE)"))

    def add_up(sql: Statements) -> int:
        sql.execute("SELECT count(*) FROM t")
        found = int(sql.fetchone()[0])
        sql.executemany("INSERT INTO t VALUES (?)", [(found,), (found + 1,)])
        return found

    def half(sql: Statements) -> None:
        sql.execute("INSERT INTO t VALUES (99)")
        raise ValueError("our own mistake")

    assert await asyncio.gather(*(database.write(add_up) for _ in range(3))) == [0, 2, 4]
    with pytest.raises(ValueError, match="our own"):
        await database.write(half)
    with pytest.raises(IntegrityError):
        await database.write(lambda sql: sql.executemany("INSERT INTO t VALUES (?)", [(7,), (0,)]))
    assert await database.write(add_up) == 6
    async with database.transaction() as session:
        assert list(await session.scalars(text("SELECT n FROM t ORDER BY n"))) == list(range(8))
    await database.close()


async def test_nobody_writes_between_what_a_writer_reads_and_what_it_writes(tmp_path: Path) -> None:
    file = tmp_path / "desk.sqlite"
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER)"))

    def read(sql: Statements) -> str:
        sql.execute("SELECT count(*) FROM t")
        with closing(sqlite3.connect(file, timeout=0)) as other, pytest.raises(sqlite3.OperationalError) as refused:
            other.execute("INSERT INTO t VALUES (1)")
        return str(refused.value)

    assert await database.write(read) == "database is locked"
    await database.close()


@given(st.floats(0, 4e9))
def test_a_moment_written_by_hand_stands_as_any_other(instant: float) -> None:
    sqlite = dialect()
    written = UtcDateTime().dialect_impl(sqlite).bind_processor(sqlite)
    assert written is not None
    assert stored(instant) == written(moment(instant))


async def test_what_is_read_is_what_was_written_last_and_a_reader_that_fails_tells_no_values(tmp_path: Path) -> None:
    """Callers are looked up while the ledger writes: a connection kept for reading must not see an old picture."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")

    def names(statements: Statements) -> list[str]:
        statements.execute("SELECT name FROM things ORDER BY name")
        return [name for (name,) in statements.fetchall()]

    def wrong(statements: Statements) -> None:
        statements.execute("SELECT nothing FROM things WHERE name = ?", ("010-1234-5678",))

    try:
        await database.write(lambda statements: statements.execute("CREATE TABLE things (name TEXT)") and None)
        for number in range(3):
            await database.write(partial(_named, str(number)))
            assert await database.read(names) == [str(one) for one in range(number + 1)]
        with pytest.raises(SQLAlchemyError) as told:
            await database.read(wrong)
        assert "1234" not in str(told.value)
        assert await asyncio.gather(*(database.read(names) for _ in range(20))) == [["0", "1", "2"]] * 20
    finally:
        await database.close()


def _named(name: str, statements: Statements) -> None:
    statements.execute("INSERT INTO things VALUES (?)", (name,))
