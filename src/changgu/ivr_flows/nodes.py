"""The kinds of place a caller can be in: a menu, a sentence, a ticket enquiry, a hand-over to a queue, a goodbye."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NewType, get_args

NodeName = NewType("NodeName", str)
"""A node's short name inside its flow: letters, digits, `-` and `_`."""

KEYS = frozenset("0123456789*#")
"""What a telephone has."""


@dataclass(frozen=True, slots=True)
class NamedPrompt:
    """A sentence known by name: its text is in `prompts/<language>.toml`, and a recorded file may replace it."""

    name: str


@dataclass(frozen=True, slots=True)
class DigitsPrompt:
    """A number spoken one digit at a time (접수번호, 전화번호)."""

    digits: str


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A sentence written where it is used; it is synthesised before the first caller, like the others."""

    text: str


Prompt = NamedPrompt | DigitsPrompt | TextPrompt


@dataclass(frozen=True, slots=True)
class Menu:
    """Asks for one key and goes where it leads. 0 leads to a person in every menu (SELF-03)."""

    prompts: tuple[Prompt, ...]
    keys: Mapping[str, NodeName]
    repeat_key: str = "9"
    """Says the menu again, with the answer that led to it; `*` and `#` do too unless `keys` gives them a meaning."""
    repeats: int = 2
    """How often the menu is said again after silence or a wrong key, before a person takes over."""
    first_timeout: float = 6.0
    """Seconds of silence after the prompt that count as no answer."""


@dataclass(frozen=True, slots=True)
class Say:
    """Says something and goes on without waiting."""

    prompts: tuple[Prompt, ...]
    next: NodeName
    mandatory: bool = False
    """A greeting that must be heard to its end (the notice of recording): keys are kept, but do not cut it short."""


@dataclass(frozen=True, slots=True)
class TicketStatus:
    """Asks for a ticket number, reads out how far the ticket is, and goes on (CTI-02)."""

    prompts: tuple[Prompt, ...]
    next: NodeName
    """Where the caller goes after hearing the answer."""
    max_digits: int = 12
    repeats: int = 2
    first_timeout: float = 8.0
    between_timeout: float = 4.0
    """Seconds after a digit that end the number without `#`."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Hands the caller to a queue; the menu is over."""

    queue: str
    prompts: tuple[Prompt, ...] = ()
    priority: int = 0
    skills: frozenset[str] = field(default_factory=frozenset)
    """What the agent must be able to do: `vpn`, or with a level from 1 to 10, `vpn:3`."""
    agent: str | None = None
    """The login of the one agent wanted; when they do not come free in time, anybody takes the call."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Says goodbye and ends the call."""

    prompts: tuple[Prompt, ...] = ()
    served: bool = True
    """Whether a caller who gets here counts as served by the machine."""


Node = Menu | Say | TicketStatus | HandOver | Goodbye

NODES: tuple[type, ...] = get_args(Node)
"""Every kind of node, for the completeness tests."""


def ways_on(node: Node) -> dict[str, NodeName]:
    """Where a caller can go from `node`: the key pressed (or `next`) → node."""
    match node:
        case Menu():
            return dict(node.keys)
        case Say() | TicketStatus():
            return {"next": node.next}
        case HandOver() | Goodbye():
            return {}


def waits(node: Node) -> bool:
    """Whether the caller is asked something here, so that a walk cannot run on without them."""
    return isinstance(node, Menu | TicketStatus)
