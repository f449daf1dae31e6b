"""Where a dialled number leads (the menu or a queue), and how a caller's own number is shown."""

import re
import unicodedata
from collections.abc import Mapping

from msgspec import Struct, field

from changgu.acd.identity import QueueName

_WITHHELD = frozenset({
    "", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "asterisk", "invalid", "<unknown>",
    "s", "visitor",
})
"""What networks and phones send when the caller wants to stay unknown (RFC 3323 and habit), and the name of the account
that all visitors' browser phones share."""

LONGEST_NUMBER = 64
LONGEST_NAME = 80


class ToMenu(Struct, frozen=True):
    """The desk's own number: the caller hears the menu."""


class ToQueueDirectly(Struct, frozen=True):
    """A queue's own number: no menu."""

    queue: QueueName


class NumberPlan(Struct, frozen=True):
    """The numbers at which the desk can be reached."""

    desk: str
    queues: Mapping[str, QueueName] = field(default_factory=dict)
    """Number → queue."""

    def destination(self, dialled: str) -> ToMenu | ToQueueDirectly:
        """Where a dialled number leads. What nobody has a number for is answered by the menu: no caller is refused."""
        queue = self.queues.get(dialled)
        return ToQueueDirectly(queue) if queue is not None and dialled != self.desk else ToMenu()


def presented(number: str) -> str | None:
    """The caller's number as it came, without what cannot be part of one; None when it was withheld."""
    cleaned = _printable(number)[:LONGEST_NUMBER]
    return None if cleaned.lower() in _WITHHELD else cleaned


def caller_id(number: str | None, name: str = "") -> str:
    """`"name" <number>` for the agent's phone. Nothing in it can end the quotes, the brackets or the line."""
    shown = re.sub(r'["<>\\]', "", _printable(name))[:LONGEST_NAME]
    dialable = re.sub(r"[^0-9+*#A-Za-z._-]", "", number or "") or "anonymous"
    return f'"{shown}" <{dialable}>' if shown else f"<{dialable}>"


def _printable(text: str) -> str:
    """Composed, without control and format characters (line breaks, right-to-left marks), trimmed."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(sign for sign in composed if unicodedata.category(sign)[0] != "C").strip()
