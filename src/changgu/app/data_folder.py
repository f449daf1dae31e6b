"""The data folder: one service at a time works in it, and what is real never mixes with the example desk."""

import fcntl
import os
import signal
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from changgu.ground.trouble import Conflict

LOCK = "changgu.lock"
KIND = "desk"


class DeskKind(StrEnum):
    """What a data folder holds."""

    REAL = "real"
    DEMO = "demo"


class FolderInUse(Conflict):
    """Another changgu works in this folder."""


class FolderOfAnotherKind(Conflict):
    """Example data and real data are kept apart."""


class DataFolder:
    """`with DataFolder(path, kind):` holds the folder for one service."""

    def __init__(self, path: Path, kind: DeskKind) -> None:
        self.path = path
        self._kind = kind
        self._lock: int | None = None

    def __enter__(self) -> Self:
        _make(self.path)
        lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise FolderInUse(
                f"{self.path}에서 이미 changgu가 실행 중입니다. 다른 --data를 지정하십시오.",
                f"changgu already runs with {self.path}. Choose another folder with --data.",
            ) from None
        try:
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
            claim(self.path, self._kind)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def claim(path: Path, kind: DeskKind) -> None:
    """Say what this folder holds; refuses when it holds the other kind."""
    _make(path)
    file = path / KIND
    if not file.exists():
        file.write_text(f"{kind}\n")
    if file.read_text().strip() == kind:
        return
    if kind is DeskKind.DEMO:
        raise FolderOfAnotherKind(
            f"{path}에는 실제 자료가 있어 예시 자료를 넣지 않습니다. 다른 --data를 지정하십시오.",
            f"{path} holds real data; example data is never mixed into it. Choose another folder with --data.",
        )
    raise FolderOfAnotherKind(
        f"{path}에는 예시 자료가 있습니다. --demo로 열거나 다른 --data를 지정하십시오.",
        f"{path} holds example data. Open it with --demo, or choose another folder with --data.",
    )


def _make(path: Path) -> None:
    """A new folder is its owner's alone: it will hold people's numbers and voices, and passwords of phones."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def running_service(path: Path) -> int | None:
    """The process id of the service that works in this folder, if one does."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return int(os.read(lock, 32))
    finally:
        os.close(lock)
    return None


def tell_running_service(path: Path) -> bool:
    """Have the service of this folder read its floor and menus anew; False when none runs."""
    service = running_service(path)
    if service is None:
        return False
    os.kill(service, signal.SIGHUP)
    return True
