"""How the PBX's account of a call is kept: word for word as it was heard, and read only when somebody asks.

To read an event takes longer than to write it down, and hardly any call's account is ever asked for. So of what comes
together one text per call is kept: its blocks as AMI sent them, each behind a line that says when it was heard.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from changgu.telephony.cel import CelEvent, fit_to_keep, parse_cel

Heard = tuple[bytes, datetime]
"""A block without its empty line, and the moment at which it came."""

_END_OF_BLOCK: Final = b"\r\n\r\n"
_END_OF_LINE: Final = b"\r\n"
_EVENT_NAME: Final = b"\r\nEventName: "
_UNIQUE_ID: Final = b"\r\nUniqueID: "
_LINKED_ID: Final = b"\r\nLinkedID: "


def headers_of(block: bytes) -> Mapping[str, str]:
    """The headers of an AMI event's block."""
    lines = block.decode("utf-8", "replace").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def by_call(heard: Iterable[Heard]) -> tuple[dict[str, list[Heard]], int]:
    """What was heard, by the id of the call; and how many blocks do not say what happened, or to which channel."""
    ids: dict[bytes, list[Heard]] = {}
    others: list[Heard] = []
    for one in heard:
        linked_id = _linked_id(one[0])
        if linked_id is None:
            others.append(one)
        elif linked_id in ids:
            ids[linked_id].append(one)
        else:
            ids[linked_id] = [one]
    calls: dict[str, list[Heard]] = {}
    for linked_id, told in ids.items():
        calls.setdefault(fit_to_keep(linked_id.decode("utf-8", "replace")).strip(), []).extend(told)
    unread = 0
    for one in others:
        event = parse_cel(headers_of(one[0]), one[1])
        if event is None:
            unread += 1
        else:
            calls.setdefault(event.linked_id, []).append(one)
    return calls, unread


def _linked_id(block: bytes) -> bytes | None:
    """The linked id, looked up without reading the rest; None where that is not enough and `parse_cel` is to look.

    `cel_manager` writes these three headers in this order. An older PBX may write their names another way.
    """
    kind = block.find(_EVENT_NAME)
    unique_id = block.rfind(_UNIQUE_ID)
    start = block.find(_LINKED_ID, unique_id)  # from the last letter, and so in vain, where there is no unique id
    if kind < 0 or start < 0:
        return None
    start += len(_LINKED_ID)
    for begins in (kind + len(_EVENT_NAME), unique_id + len(_UNIQUE_ID), start):
        if not b" " < block[begins : begins + 1] < b"\x7f":
            return None
    end = block.find(_END_OF_LINE, start)
    return block[start:end] if end >= 0 else block[start:]


def written(heard: Sequence[Heard]) -> bytes:
    """The text that is kept; `read` reads it. Moments are in microseconds since the epoch."""
    return _END_OF_BLOCK.join([b"%d\r\n%b" % (round(at.timestamp() * 1e6), block) for block, at in heard])


def read(account: bytes) -> Iterator[CelEvent]:
    """The events of a text that `written` wrote, in the order in which they were heard."""
    for told in account.split(_END_OF_BLOCK):
        at, _, block = told.partition(_END_OF_LINE)
        event = parse_cel(headers_of(block), datetime.fromtimestamp(int(at) / 1e6, UTC))
        if event is not None:
            yield event
