"""The ledger's waiting room on disk, used while the database cannot be written."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from changgu.acd.event_json import cause_from_text, cause_text
from changgu.acd.fact_json import from_json, kind_of, text_of
from changgu.acd.facts import Recorded


class Spool:
    """One fact a line, in order; `more` marks those that another fact of the same event follows."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit

    @property
    def holds_anything(self) -> bool:
        """Whether facts wait on disk."""
        return self.path.exists() and self.path.stat().st_size > 0

    def append(self, batch: Sequence[Recorded]) -> None:
        """Write a batch and wait until the disk has it; raises `OSError`, and then nothing of it is kept."""
        after = [*batch[1:], None]
        lines = b"".join(
            _line(entry, more=following is not None and following.at == entry.at)
            for entry, following in zip(batch, after, strict=True)
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            before = file.tell()
            if before + len(lines) > self._limit:
                raise OSError(f"{self.path} has reached its limit of {self._limit} bytes")
            try:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, before)
                raise

    def read(self, offset: int, limit: int) -> tuple[list[Recorded], int]:
        """About `limit` facts from a place in the file, and the place after them; facts of one event stay together.

        An event that was cut off by a crash was never promised to anyone; it ends the reading.
        """
        batch: list[Recorded] = []
        event: list[Recorded] = []
        length = 0
        with self.path.open("rb") as file:
            file.seek(offset)
            for written in file:
                if not written.endswith(b"\n"):
                    break
                line = orjson.loads(written)
                event.append(_recorded(line))
                length += len(written)
                if not line.get("more"):
                    batch += event
                    offset += length
                    event, length = [], 0
                    if len(batch) >= limit:
                        break
        return batch, offset

    def clear(self) -> None:
        """Everything has been brought to the database."""
        self.path.unlink(missing_ok=True)


def _line(entry: Recorded, *, more: bool) -> bytes:
    line: dict[str, Any] = {
        "seq": entry.seq,
        "at": entry.at,
        "kind": kind_of(entry.fact),
        "body": orjson.Fragment(text_of(entry.fact)),
    }
    if entry.because is not None:
        line["because"] = orjson.Fragment(cause_text(entry.because))
    if more:
        line["more"] = True
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _recorded(line: Mapping[str, Any]) -> Recorded:
    because = line.get("because")
    return Recorded(
        line["seq"],
        line["at"],
        from_json(line["kind"], line["body"]),
        None if because is None else cause_from_text(orjson.dumps(because)),
    )
