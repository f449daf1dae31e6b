"""How a fact is written down in the ledger, and read again years later (see `acd.message_json`)."""

from typing import Any

import msgspec

from changgu.acd.facts import FACTS, Fact
from changgu.acd.message_json import Reader, UnreadableMessage, kind_of, text_of, writable

__all__ = ["KINDS", "UnreadableFact", "from_json", "from_text", "kind_of", "text_of", "to_json", "writable"]

Json = str | int | float | bool | None | list[str]


class UnreadableFact(UnreadableMessage):
    """A line of the ledger that is no fact of this version: an unknown kind, or a field that cannot be read."""


_READER: Reader[Any] = Reader(FACTS, UnreadableFact)

KINDS: dict[str, type] = dict(_READER.kinds)


def to_json(fact: Fact) -> dict[str, Json]:
    """The fields of a fact in JSON's own types; sets become sorted lists."""
    body: dict[str, Json] = msgspec.json.decode(text_of(fact))
    return body


def from_json(kind: str, body: dict[str, Any]) -> Fact:
    """The fact that `to_json` wrote; raises `UnreadableFact`."""
    fact: Fact = _READER.body(kind, body)
    return fact


def from_text(kind: str, text: str) -> Fact:
    """The fact that `text_of` wrote; raises `UnreadableFact`."""
    fact: Fact = _READER.text(kind, text)
    return fact
