"""How a floor's set-up is written down beside the ledger, and by which name (digest) the ledger speaks of it.

The text is canonical: equal floors give the same text in every process, whatever order their sets and mappings were
made in. Nothing is left out, also not what has its default value, so that a set-up read years later means what it
meant then. A field that a newer version added and an old text lacks gets its default.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from changgu.acd.queues import Floor

DIGEST_LENGTH = 32
"""Hexadecimal digits: 128 bits of SHA-256."""


class UnreadableFloor(ValueError):
    """A text that is no floor of this version; says which field and why."""


def floor_to_json(floor: Floor) -> str:
    """The whole set-up in one line of canonical JSON; durations and times as ISO 8601 writes them."""
    # Read back once: `limit=20` and `limit=20.0` are equal floors and must not be two texts.
    return _written(floor_from_json(_written(floor)))


def floor_from_json(text: str | bytes) -> Floor:
    """The floor that `floor_to_json` wrote; raises `UnreadableFloor`."""
    try:
        return _READER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as trouble:
        raise UnreadableFloor(str(trouble)) from trouble


def floor_digest(floor: Floor) -> str:
    """The name of this set-up: equal for equal floors and different for all others."""
    return digest_of(floor_to_json(floor))


def digest_of(text: str) -> str:
    """The name of the set-up that `floor_to_json` wrote as this text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def _written(floor: Floor) -> str:
    return _WRITER.encode(floor).decode()


def _plain(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"a floor may not hold a {type(value).__name__}")


_WRITER = msgspec.json.Encoder(order="deterministic", enc_hook=_plain)
_READER = msgspec.json.Decoder(Floor)
