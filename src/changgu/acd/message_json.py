"""How events and facts are written down, and read again years later.

The form is derived from the messages, so a new one or a new field needs nothing here. A field that has a default may
be missing in an old line; a field that has gone from the message is passed over. Sets are written in order, so the
same message is the same text in every process.
"""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

from changgu.acd.message import Message

M = TypeVar("M", bound=Message)

_WRITER = msgspec.json.Encoder(order="deterministic")


class UnreadableMessage(ValueError):
    """A line that is no message of this version: an unknown kind, or a field that cannot be read; it is named."""


def kind_of(message: Message) -> str:
    """The name under which this sort of message is kept, such as `CallQueued`."""
    return type(message).__name__


def text_of(message: Message) -> str:
    """The fields of a message as one line of JSON."""
    try:
        return _WRITER.encode(message).decode()
    except UnicodeEncodeError:
        return _WRITER.encode(_all_writable(message)).decode()


def writable(text: str) -> str:
    """The text with half characters replaced: a caller's network may send what no database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


class Reader(Generic[M]):
    """Reads messages of these kinds; `trouble` is what it raises, a sort of `UnreadableMessage`."""

    def __init__(self, kinds: Iterable[type[M]], trouble: type[UnreadableMessage]) -> None:
        self.kinds = {kind.__name__: kind for kind in kinds}
        self._decoders = {name: msgspec.json.Decoder(kind) for name, kind in self.kinds.items()}
        self._trouble = trouble

    def text(self, kind: str, text: str | bytes) -> M:
        """The message that `text_of` wrote."""
        try:
            return self._decoders[kind].decode(text)
        except KeyError:
            raise self._trouble(f"unknown kind: {kind}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as trouble:
            raise self._trouble(f"{kind}: {trouble}") from trouble

    def body(self, kind: str, body: Any) -> M:
        """The message whose fields have been read from JSON already."""
        if kind not in self.kinds:
            raise self._trouble(f"unknown kind: {kind}")
        try:
            return msgspec.convert(body, self.kinds[kind])
        except msgspec.ValidationError as trouble:
            raise self._trouble(f"{kind}: {trouble}") from trouble


def _all_writable(message: Message) -> dict[str, Any]:
    return {name: _clean(getattr(message, name)) for name in message.__struct_fields__}


def _clean(value: object) -> object:
    if isinstance(value, frozenset):
        return frozenset(map(_clean, value))
    return writable(value) if type(value) is str else value
