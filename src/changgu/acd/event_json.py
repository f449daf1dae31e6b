"""How the event behind a fact is written down beside it, so that the past can be lived again (`changgu acd replay`)."""

from typing import Any, get_args

import msgspec

from changgu.acd.events import Event
from changgu.acd.facts import CallServedElsewhere, Emergency, FloorTakenUp
from changgu.acd.message import Message
from changgu.acd.message_json import Reader, UnreadableMessage, kind_of, text_of


class FloorOpened(Message, frozen=True):
    """The program began with this set-up, and with what it found in the ledger."""

    digest: str
    emergency: Emergency | None = None
    """The emergency plan that went on."""


Cause = Event | FloorTakenUp | FloorOpened | CallServedElsewhere
"""What facts follow from: an event, a set-up of the floor that was taken up, the beginning of the program, or a call
that was over before we knew."""


class UnreadableEvent(UnreadableMessage):
    """A text that is no event of this version: an unknown kind, or a field that cannot be read."""


class _Line(msgspec.Struct):
    kind: str
    body: msgspec.Raw


_READER: Reader[Any] = Reader(get_args(Cause), UnreadableEvent)
_LINE = msgspec.json.Decoder(_Line)


def cause_text(cause: Cause) -> str:
    """`{"kind": …, "body": {…}}` in one line."""
    return f'{{"kind":"{kind_of(cause)}","body":{text_of(cause)}}}'


def cause_from_text(text: str | bytes) -> Cause:
    """What `cause_text` wrote; raises `UnreadableEvent`."""
    try:
        line = _LINE.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as trouble:
        raise UnreadableEvent(str(trouble)) from trouble
    cause: Cause = _READER.text(line.kind, bytes(line.body))
    return cause
