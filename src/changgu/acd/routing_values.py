"""Reads single values of the routing file: lengths of time, numbers, words from a list; what cannot be read is noted.

Nothing here stops at a mistake: it is put down with its line, the value that was there before is taken, and reading
goes on, so that a person mends all mistakes at once.
"""

import difflib
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import TypeVar

from changgu.acd.routing_places import Places, TomlPath
from changgu.ground.csv_rows import RowError
from changgu.ground.text import clean_line

T = TypeVar("T")

LENGTH = re.compile(r"(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d))+")
PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
BARE_KEY = re.compile(r"[\w-]{1,64}")
LONGEST_SHOWN = 64


def length_of(value: object) -> timedelta | None:
    """A length of time as it is written in the file: seconds as a number, or `90s`, `5m`, `1h30m`; None for others."""
    if isinstance(value, str):
        text = value.replace(" ", "")
        if not LENGTH.fullmatch(text):
            return None
        try:
            return sum((float(count) * UNITS[unit] for count, unit in PIECE.findall(text)), timedelta(0))
        except OverflowError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return timedelta(seconds=value) if 0 <= value < timedelta.max.total_seconds() else None


def written(length: timedelta) -> str:
    """The way back, in the largest units that fit: `1h30m`, `90s` as `1m30s`, nothing as `0s`."""
    text, left = "", length
    for unit, size in UNITS.items():
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def shown(value: object) -> str:
    """A value as a message shows it: short, on one line, and in the words of the file."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            text = clean_line(value)
            return f'"{text[:LONGEST_SHOWN]}…"' if len(text) > LONGEST_SHOWN else f'"{text}"'
        case Mapping():
            return "{…}"
        case list():
            return "[…]"
        case _:
            return str(value)[:LONGEST_SHOWN]


def nearest(name: str, known: Iterable[str]) -> tuple[str, str]:
    """What was probably meant, as the end of a Korean and an English sentence; empty when nothing is near."""
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return (f' "{folded[close[0]]}"입니까?', f"; do you mean {folded[close[0]]}?") if close else ("", "")


def dotted(path: TomlPath) -> str:
    """A path for people: `queue.network.relax[2].after`, list positions from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            key = part if BARE_KEY.fullmatch(part) else shown(part)
            text += f".{key}" if text else key
    return text


@dataclass
class Notes:
    """What is wrong in one file (`errors`), and what is allowed but hardly meant (`warnings`)."""

    file: str
    places: Places
    errors: list[RowError] = field(default_factory=list)
    warnings: list[RowError] = field(default_factory=list)

    def wrong(self, path: TomlPath, ko: str, en: str) -> None:
        """A mistake at this place."""
        self.errors.append(RowError(self.file, self.places[path], dotted(path), ko, en))

    def odd(self, path: TomlPath, ko: str, en: str) -> None:
        """Something to think about at this place."""
        self.warnings.append(RowError(self.file, self.places[path], dotted(path), ko, en))


class Table:
    """One table of the file. Each reader gives `old` when the key is not there, or cannot be read."""

    def __init__(self, path: TomlPath, entries: Mapping[str, object], notes: Notes) -> None:
        self.path = path
        self.entries = entries
        self.notes = notes

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def at(self, *keys: str | int) -> TomlPath:
        """The path of something inside."""
        return (*self.path, *keys)

    def wrong(self, key: str, ko: str, en: str) -> None:
        """A mistake in the value of this key."""
        self.notes.wrong(self.at(key), ko, en)

    def known(self, keys: Collection[str], elsewhere: Mapping[str, tuple[str, str]] | None = None) -> None:
        """Refuse every key that is not among these. `elsewhere`: key → where it is set instead, Korean and English."""
        for key in self.entries:
            if key in keys:
                continue
            if elsewhere and key in elsewhere:
                self.wrong(key, *elsewhere[key])
                continue
            ko, en = nearest(key, keys)
            expected = ", ".join(keys)
            self.wrong(
                key, f"모르는 항목입니다.{ko} 쓸 수 있는 항목: {expected}",
                f"unknown key{en or ';'} known are: {expected}",
            )  # fmt: skip

    def length(self, key: str, old: timedelta, least: timedelta, most: timedelta) -> timedelta:
        """A length of time between these, both included."""
        if key not in self.entries:
            return old
        value = self.entries[key]
        read = length_of(value)
        if read is None:
            self.wrong(
                key, f'초 단위 숫자나 "90s", "5m", "1h"처럼 씁니다: {shown(value)}',
                f'a length of time is seconds as a number, or written like "90s", "5m", "1h": {shown(value)}',
            )  # fmt: skip
            return old
        if not least <= read <= most:
            between = f"{written(least)}~{written(most)}"
            self.wrong(
                key, f"{between} 사이여야 합니다: {shown(value)}",
                f"must be from {written(least)} to {written(most)}: {shown(value)}",
            )  # fmt: skip
            return old
        return read

    def whole(self, key: str, old: int, least: int, most: int) -> int:
        """A whole number between these, both included."""
        if key not in self.entries:
            return old
        value = self.entries[key]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(
                key, f"{least}~{most} 사이의 정수여야 합니다: {shown(value)}",
                f"must be a whole number from {least} to {most}: {shown(value)}",
            )  # fmt: skip
            return old
        return value

    def number(self, key: str, old: float, above: float, most: float) -> float:
        """A number greater than `above`, `most` at most."""
        if key not in self.entries:
            return old
        value = self.entries[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
            self.wrong(
                key, f"{above:g}보다 크고 {most:g} 이하인 수여야 합니다: {shown(value)}",
                f"must be a number above {above:g}, {most:g} at most: {shown(value)}",
            )  # fmt: skip
            return old
        return float(value)

    def yes_or_no(self, key: str, *, old: bool) -> bool:
        """`true` or `false`."""
        if key not in self.entries:
            return old
        value = self.entries[key]
        if not isinstance(value, bool):
            self.wrong(key, f"true나 false로 씁니다: {shown(value)}", f"must be true or false: {shown(value)}")
            return old
        return value

    def word(self, key: str, old: T, words: Mapping[str, T]) -> T:
        """One of these words."""
        if key not in self.entries:
            return old
        value = self.entries[key]
        if isinstance(value, str) and value in words:
            return words[value]
        ko, en = nearest(value, words) if isinstance(value, str) else ("", "")
        known = ", ".join(words)
        self.wrong(
            key, f"다음 중 하나여야 합니다({known}): {shown(value)}{ko}", f"must be one of {known}: {shown(value)}{en}"
        )
        return old

    def time_of_day(self, key: str, old: time) -> time:
        """`"09:00"`, or a time of TOML's own."""
        if key not in self.entries:
            return old
        value = self.entries[key]
        if isinstance(value, time):
            return value
        read = TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
        if read is None:
            self.wrong(
                key, f'"09:00"처럼 00:00부터 23:59까지로 씁니다: {shown(value)}',
                f'a time of day is written like "09:00", from 00:00 to 23:59: {shown(value)}',
            )  # fmt: skip
            return old
        return time(int(read[1]), int(read[2]))

    def text(self, key: str) -> str | None:
        """A text, or None with the mistake noted."""
        value = self.entries.get(key)
        if isinstance(value, str):
            return value
        self._unlike(self.at(key), value, '큰따옴표로 묶은 글자로 씁니다("…")', 'must be a text ("…")')
        return None

    def texts(self, key: str) -> Iterator[tuple[TomlPath, str]]:
        """The texts of a list, each with its place."""
        for path, value in self._listed(key):
            if isinstance(value, str):
                yield path, value
            else:
                self._unlike(path, value, '큰따옴표로 묶은 글자로 씁니다("…")', 'must be a text ("…")')

    def table(self, key: str) -> "Table | None":
        """A table inside this one; None when it is not there, or no table."""
        if key not in self.entries:
            return None
        value = self.entries[key]
        if isinstance(value, Mapping):
            return Table(self.at(key), value, self.notes)
        self._unlike(
            self.at(key), value, f"표로 씁니다([{dotted(self.at(key))}] 또는 {{ … }})",
            f"must be a table ([{dotted(self.at(key))}] or {{ … }})",
        )  # fmt: skip
        return None

    def tables(self, key: str) -> "Iterator[Table]":
        """The tables of a list."""
        for path, value in self._listed(key):
            if isinstance(value, Mapping):
                yield Table(path, value, self.notes)
            else:
                self._unlike(path, value, "{ … } 모양의 표로 씁니다", "must be a table, { … }")

    def _listed(self, key: str) -> Iterator[tuple[TomlPath, object]]:
        value = self.entries.get(key, [])
        if isinstance(value, list):
            yield from ((self.at(key, number), inner) for number, inner in enumerate(value))
        else:
            self._unlike(self.at(key), value, "[ … ] 모양의 목록으로 씁니다", "must be a list, [ … ]")

    def _unlike(self, path: TomlPath, value: object, ko: str, en: str) -> None:
        self.notes.wrong(path, f"{ko}: {shown(value)}", f"{en}: {shown(value)}")
