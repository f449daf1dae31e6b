"""A file is there whole or not at all, readable by those it is meant for, and on the disk when that is promised."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from changgu.ground.whole_file import destroy, write_whole


def test_the_new_content_stands_under_the_name_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("the old content, which is longer")

    write_whole(file, "새 내용")

    assert file.read_bytes() == "새 내용".encode()
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "fax.tiff", b"II*\x00\r\n\xff", fsync=False)

    assert (tmp_path / "fax.tiff").read_bytes() == b"II*\x00\r\n\xff"


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_only_those_it_is_meant_for_may_read_it_whatever_the_umask_and_the_old_file(
    tmp_path: Path, mode: int, umask: int
) -> None:
    file = tmp_path / "secrets.toml"
    file.touch(0o666)
    before = os.umask(umask)
    try:
        write_whole(file, "password", mode=mode)
    finally:
        os.umask(before)

    assert file.stat().st_mode & 0o777 == mode


def test_a_secret_is_its_owners_alone_when_nothing_is_said(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", "secret")

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_who_reads_while_it_is_written_sees_the_old_content_or_the_new(tmp_path: Path) -> None:
    file = tmp_path / "prompt.sln16"
    whole = {bytes([one]) * 200_000 for one in range(2)}
    write_whole(file, min(whole))
    script = (
        "import sys; from pathlib import Path; from changgu.ground.whole_file import write_whole\n"
        "for n in range(200): write_whole(Path(sys.argv[1]), bytes([n % 2]) * 200_000, fsync=False)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(file)]) for _ in range(2)]

    seen = {file.read_bytes()}
    while any(writer.poll() is None for writer in writers):
        seen.add(file.read_bytes())

    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= whole
    assert list(tmp_path.iterdir()) == [file]


SMALL_DISK = (
    "import resource, signal, sys; from pathlib import Path; from changgu.ground.whole_file import write_whole\n"
    "signal.signal(signal.SIGXFSZ, signal.Handlers[sys.argv[2]])\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    "write_whole(Path(sys.argv[1]), bytes(200_000))"
)
"""Half of the content can be written; then the system kills the process (SIG_DFL) or refuses the rest (SIG_IGN)."""


def test_who_is_killed_while_writing_leaves_what_stood_there(tmp_path: Path) -> None:
    file = tmp_path / "place.json"
    file.write_text("the old place")

    died = subprocess.run([sys.executable, "-c", SMALL_DISK, str(file), "SIG_DFL"], check=False)

    assert died.returncode == -signal.SIGXFSZ
    assert file.read_text() == "the old place"
    [left] = [one for one in tmp_path.iterdir() if one != file]
    assert left.name.startswith(".place.json.")
    assert left.suffix == ".partial"
    assert left.stat().st_mode & 0o077 == 0


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "place.json"
    file.write_text("the old place")

    refused = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(file), "SIG_IGN"], check=False, capture_output=True, text=True
    )

    assert "OSError: [Errno 27]" in refused.stderr
    assert file.read_text() == "the old place"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "kept.json"
    folder.mkdir()
    with pytest.raises(OSError, match=r"kept\.json"):
        write_whole(folder, "a folder has this name")

    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "file", "no folder")


def test_it_is_on_the_disk_before_and_after_it_gets_its_name_when_that_is_promised(tmp_path: Path) -> None:
    told = (
        "import os, stat, sys; from pathlib import Path; from changgu.ground.whole_file import write_whole\n"
        "def synced(number):\n"
        "    at = os.fstat(number)\n"
        "    print('folder' if stat.S_ISDIR(at.st_mode) else f'{at.st_size} bytes')\n"
        "os.fsync = synced\n"
        "sys.addaudithook(lambda event, args: event == 'os.rename' and print('renamed'))\n"
        "write_whole(Path(sys.argv[1]), b'12345', fsync=sys.argv[2] == 'yes')\n"
    )

    def steps(fsync: str) -> list[str]:
        command = [sys.executable, "-c", told, str(tmp_path / "file"), fsync]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    assert steps("yes") == ["5 bytes", "renamed", "folder"]
    assert steps("no") == ["renamed"]


def test_what_is_destroyed_is_gone_with_all_that_killed_writers_left_of_it(tmp_path: Path) -> None:
    """A fax is kept for so many days, also half of one."""
    fax, other = tmp_path / "d-1[0].pdf", tmp_path / "d-2.pdf"
    write_whole(fax, "whole")
    write_whole(other, "another")
    (tmp_path / ".d-1[0].pdf.abc.partial").write_text("half")
    (tmp_path / ".d-10.pdf.abc.partial").write_text("half of another")

    destroy(fax)
    destroy(fax)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".d-10.pdf.abc.partial", "d-2.pdf"]
