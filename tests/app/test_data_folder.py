"""One service at a time in a data folder, and never two kinds of desk."""

from pathlib import Path

import pytest

from changgu.app import schema
from changgu.app.data_folder import DataFolder, DeskKind, FolderInUse, FolderOfAnotherKind, claim, tell_running_service
from changgu.ground.database import Database


def test_a_second_service_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    with DataFolder(tmp_path, DeskKind.REAL), pytest.raises(FolderInUse), DataFolder(tmp_path, DeskKind.REAL):
        pytest.fail("two services in one folder")


def test_a_folder_that_was_refused_is_not_kept_locked(tmp_path: Path) -> None:
    claim(tmp_path, DeskKind.REAL)
    with pytest.raises(FolderOfAnotherKind), DataFolder(tmp_path, DeskKind.DEMO):
        pytest.fail("example data among real data")
    with DataFolder(tmp_path, DeskKind.REAL):
        pass


def test_nobody_is_told_when_no_service_runs(tmp_path: Path) -> None:
    assert not tell_running_service(tmp_path)
    with DataFolder(tmp_path, DeskKind.REAL):
        pass
    assert not tell_running_service(tmp_path)


async def test_nobody_else_on_the_machine_can_read_a_new_folder_or_its_database(tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    with DataFolder(folder, DeskKind.REAL):
        database = Database(f"sqlite+aiosqlite:///{folder / 'changgu.sqlite'}")
        await schema.upgrade(database)
        files = list(folder.glob("changgu.sqlite*"))
        assert [oct(file.stat().st_mode & 0o077) for file in [folder, *files]] == ["0o0"] * (1 + len(files))
        assert len(files) >= 2, "the database and its journal"
        await database.close()
