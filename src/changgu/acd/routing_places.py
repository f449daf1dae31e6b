"""On which line of a routing file each of its values stands, so that a mistake can be shown where it was made.

The standard library reads TOML but forgets the places. Of the readers that keep them one has not been looked after
since 2022, and a general grammar would bring two compiled packages for nothing but line numbers. So the file is read by
`tomllib`, and what it has accepted is walked through once more here: only the ends of strings, brackets and commas
matter for that, never a value. Where this walk knows no place for a value, the nearest table around it is named.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping

TomlPath = tuple[str | int, ...]
"""Keys and list positions (from 0) that lead to a value: ("queue", "network", "relax", 0, "after")."""

# No possessive quantifiers: up to Python 3.11.4 they go astray in groups (CPython issue 106052).
TOKEN = re.compile(
    r"""
      (?P<blank>   [ \t\r]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<text>    \"{3} (?: \\[\s\S] | \"{1,2}(?!\") | [^\\\"] )* \"{3,5}
                 | '{3} (?: '{1,2}(?!') | [^'] )* '{3,5}
                 | \" (?: \\. | [^\"\\\n] )* \"
                 | ' [^'\n]* ' )
    | (?P<sign>    [\[\]{}=,] )
    | (?P<word>    [^\s\[\]{}=,\#\"']+ )
    """,
    re.VERBOSE,
)


class Places:
    """Path → line, from 1."""

    def __init__(self, lines: Mapping[TomlPath, int]) -> None:
        self._lines = lines

    def __getitem__(self, path: TomlPath) -> int:
        """The line of a value, or of the nearest one around it; 1 when there is none."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1

    def paths(self) -> frozenset[TomlPath]:
        """Every value whose place is known."""
        return frozenset(self._lines)


def places(text: str) -> Places:
    """Where everything stands in a text that `tomllib` has accepted. A key stands where it is first written.

    Raises:
        RecursionError: when lists are nested deeper than Python can follow.
    """
    return Places(_Walk(text).lines())


class _Walk:
    """Goes through the tokens of one file from the first to the last."""

    def __init__(self, text: str) -> None:
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._tokens = [
            (match.lastgroup, match[0], bisect_right(starts, match.start()))
            for match in TOKEN.finditer(text)
            if match.lastgroup != "blank"
        ]
        self._at = 0
        self._found: dict[TomlPath, int] = {}
        self._tables: dict[TomlPath, int] = {}
        """Lists of tables (`[[name]]`) → how many tables they have by now."""

    def lines(self) -> dict[TomlPath, int]:
        table: TomlPath = ()
        while self._at < len(self._tokens):
            if self._take("\n"):
                continue
            line = self._line()
            if self._take("["):
                table = self._header(line)
            else:
                self._pair(table)
        return self._found

    def _header(self, line: int) -> TomlPath:
        listed = self._take("[")
        key = self._key("]")
        if listed:
            self._take("]")
        path: TomlPath = ()
        for part in key[:-1]:
            path = self._newest((*path, part))
            self._note(path, line)
        path = (*path, key[-1])
        if listed:
            self._note(path, line)
            self._tables[path] = self._tables.get(path, 0) + 1
        path = self._newest(path)
        self._note(path, line)
        return path

    def _newest(self, path: TomlPath) -> TomlPath:
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _pair(self, table: TomlPath) -> None:
        line, path = self._line(), table
        for part in self._key("="):
            path = (*path, part)
            self._note(path, line)
        self._value(path)

    def _value(self, path: TomlPath) -> None:
        if self._take("["):
            for number in self._until("]"):
                self._note((*path, number), self._line())
                self._value((*path, number))
        elif self._take("{"):
            for _ in self._until("}"):
                self._pair(path)
        else:  # a date and its time are two words
            while self._at < len(self._tokens) and self._tokens[self._at][0] in ("text", "word"):
                self._at += 1

    def _until(self, end: str) -> Iterator[int]:
        """Counts what stands between here and the bracket's end, each time with the walk in front of it."""
        number = 0
        while self._at < len(self._tokens):
            if self._take("\n") or self._take(","):
                continue
            if self._take(end):
                return
            yield number
            number += 1

    def _key(self, end: str) -> list[str]:
        parts: list[str] = []
        while not self._take(end):
            kind, token, _ = self._tokens[self._at]
            if kind == "text":
                parts.append(str(tomllib.loads(f"key = {token}")["key"]))
            else:
                parts += [part for part in token.split(".") if part]
            self._at += 1
        return parts

    def _take(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1] == sign:
            self._at += 1
            return True
        return False

    def _line(self) -> int:
        return self._tokens[self._at][2] if self._at < len(self._tokens) else 1

    def _note(self, path: TomlPath, line: int) -> None:
        self._found.setdefault(path, line)
