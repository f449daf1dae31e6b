"""What became of the last reload, kept beside the data so that the command that asked for it can say so."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

FILE = "reloaded.json"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """One reload. `lines` are what was changed, or why nothing was: file, line and sentence."""

    taken_up: bool
    lines: tuple[str, ...] = ()
    at: int = 0
    """Nanoseconds since the epoch; tells one reload from the next."""


def keep(data: Path, reloaded: Reloaded) -> None:
    """Write it down; raises OSError."""
    new = (data / FILE).with_suffix(".new")
    new.write_text(
        json.dumps({"taken_up": reloaded.taken_up, "lines": reloaded.lines, "at": time.time_ns()}, ensure_ascii=False),
        encoding="utf-8",
    )
    new.replace(data / FILE)


def last(data: Path) -> Reloaded | None:
    """The last one of this data folder."""
    try:
        told = json.loads((data / FILE).read_text(encoding="utf-8"))
        return Reloaded(bool(told["taken_up"]), tuple(map(str, told["lines"])), int(told["at"]))
    except (OSError, ValueError, KeyError):  # never reloaded, or of another version
        return None
