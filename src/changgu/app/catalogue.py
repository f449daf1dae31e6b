"""Every sentence the pages show, in Korean and in English, gathered from the packages that say them.

Each package keeps `messages/ko.toml` and `messages/en.toml`. TOML tables become dotted keys: `[desk] answer = "받기"`
is `desk.answer`. A key belongs to one package; saying it twice is a mistake and is reported at start.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("ko", "en")
"""Korean first: it is also what a page falls back to."""


class CatalogueError(Exception):
    """The message files contradict each other or cannot be read."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All messages, by language and dotted key."""

    messages: Mapping[str, Mapping[str, str]]

    def say(self, lang: str, key: str, /, **words: Any) -> str:
        """The message in `lang` with `{words}` filled in; the key itself when nobody wrote it."""
        table = self.messages.get(lang, {})
        text = table.get(key) or self.messages[LANGUAGES[0]].get(key, key)
        return text.format(**words) if words else text

    def one_sided(self) -> dict[str, set[str]]:
        """Per language, the keys that another language has and this one lacks."""
        every = set().union(*(table.keys() for table in self.messages.values()))
        return {lang: every - table.keys() for lang, table in self.messages.items()}


def load_catalogue(folders: Iterable[Path]) -> Catalogue:
    """Merge `ko.toml` and `en.toml` of these folders.

    Raises:
        CatalogueError: a file is malformed, or two packages claim one key.
    """
    merged: dict[str, dict[str, str]] = {lang: {} for lang in LANGUAGES}
    for folder in folders:
        for lang, table in merged.items():
            path = folder / f"{lang}.toml"
            if not path.is_file():
                continue
            try:
                content = tomllib.loads(path.read_text("utf-8"))
            except tomllib.TOMLDecodeError as error:
                raise CatalogueError(f"{path}: {error}") from error
            for key, text in _flatten(content, path):
                if key in table:
                    raise CatalogueError(f"{path}: the key {key} is already taken by another package")
                table[key] = text
    return Catalogue(merged)


def _flatten(content: Mapping[str, Any], path: Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flatten(value, path, f"{key}.")
        elif isinstance(value, str):
            yield key, value
        else:
            raise CatalogueError(f"{path}: {key} is not a text")
