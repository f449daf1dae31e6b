"""The database file: who else may touch it, and that they cannot hurt us."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from changgu.ground.database import Database

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


async def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds people's numbers."""
    file = tmp_path / "desk.sqlite"
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER)"))
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    await database.close()
