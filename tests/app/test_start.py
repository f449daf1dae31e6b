"""What a start waits for, for callers wait with it: nothing is loaded, asked or made that routing does not need."""

import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from argon2 import PasswordHasher

from changgu.app import schema
from changgu.app.accounts import Accounts

LATE = (
    "alembic", "fastapi", "uvicorn", "httpx", "rich", "numpy", "onnxruntime", "loudness", "changgu.app.front",
    "changgu.app.demo", "starlette", "sqlalchemy.dialects.postgresql",
    "jinja2",
)  # fmt: skip
"""What takes long to import, and what no call that waits needs."""


def loaded_by(program: str) -> set[str]:
    """The modules that a Python of its own has loaded when it has run this."""
    said = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return set(said.stdout.splitlines()[-1].split())


def test_until_calls_are_routed_neither_pages_nor_migrations_nor_other_commands_are_loaded() -> None:
    loaded = loaded_by("import changgu.app.cli as cli, changgu.app.up\ncli.command_line(all_commands=False)")

    assert "changgu.telephony.reconcile" in loaded
    assert loaded.isdisjoint(LATE)
    assert not any(name.startswith("changgu.app.") and name.endswith("_commands") for name in loaded)


async def test_a_database_of_the_newest_shape_is_opened_without_what_would_change_it(tmp_path: Path) -> None:
    database = schema.database_of(tmp_path)
    await schema.upgrade(database)
    await database.close()

    loaded = loaded_by(
        "import asyncio, pathlib\n"
        "from changgu.app import schema\n"
        f"asyncio.run(schema.upgrade(schema.database_of(pathlib.Path({str(tmp_path)!r}))))"
    )

    assert "changgu.app.schema" in loaded
    assert "alembic" not in loaded


def test_the_newest_shape_is_the_one_that_all_migrations_lead_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [schema.newest()]


def test_no_password_is_hashed_before_somebody_signs_in(tmp_path: Path) -> None:
    class Hasher(PasswordHasher):
        hashed = 0

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            self.hashed += 1
            return super().hash(password, salt=salt)

    hasher = Hasher(time_cost=1, memory_cost=8, parallelism=1)
    Accounts(schema.database_of(tmp_path), hasher=hasher)

    assert hasher.hashed == 0
