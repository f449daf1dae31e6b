"""Who asks the open desk to take up changes, and what each of them is told: files beside the data."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from changgu.ground.whole_file import write_whole

FOLDER = "reloads"
ASKED, ANSWER = ".asked", ".json"

KEPT = 3600.0
"""Seconds after which an answer that nobody fetched is thrown away."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """One reload. `lines` are what was changed, or why nothing was: file, line and sentence."""

    taken_up: bool
    lines: tuple[str, ...] = ()


@contextlib.contextmanager
def asking(data: Path) -> Iterator[str]:
    """Ask for a reload under a name of one's own; whoever gives up leaves nothing behind. Raises OSError.

    What was changed before is part of the reload that takes the wish; then tell the service (`tell_running_service`).
    """
    folder, wish = data / FOLDER, secrets.token_hex(8)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{wish}{ASKED}").touch(mode=0o600)
    try:
        yield wish
    finally:
        for ending in (ASKED, ANSWER):
            (folder / f"{wish}{ending}").unlink(missing_ok=True)


def answer_to(data: Path, wish: str) -> Reloaded | None:
    """What became of a wish; None: nothing yet."""
    try:
        told = json.loads((data / FOLDER / f"{wish}{ANSWER}").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Reloaded(bool(told["taken_up"]), tuple(map(str, told["lines"])))


def take_wishes(data: Path) -> tuple[str, ...]:
    """The names of all who ask now: the reload that begins is theirs. Raises OSError."""
    wishes = tuple(sorted(file.stem for file in (data / FOLDER).glob(f"*{ASKED}")))
    for wish in wishes:
        (data / FOLDER / f"{wish}{ASKED}").unlink(missing_ok=True)
    return wishes


def answer(data: Path, wishes: tuple[str, ...], reloaded: Reloaded) -> None:
    """Tell those who asked what became of it; raises OSError."""
    folder = data / FOLDER
    told = json.dumps({"taken_up": reloaded.taken_up, "lines": reloaded.lines}, ensure_ascii=False)
    for wish in wishes:
        write_whole(folder / f"{wish}{ANSWER}", told, mode=0o644, fsync=False)
    for left in folder.glob(f"*{ANSWER}"):
        with contextlib.suppress(FileNotFoundError):  # fetched at this moment
            if time.time() - left.stat().st_mtime > KEPT:
                left.unlink()
