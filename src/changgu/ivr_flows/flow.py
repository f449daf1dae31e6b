"""A menu tree as one frozen value: its nodes, where it starts, and who answers when a caller presses 0."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from changgu.ivr_flows.limits import Limits
from changgu.ivr_flows.nodes import HandOver, Node, NodeName, Said, Say, TextPrompt, WrittenPrompt, said_at
from changgu.ivr_flows.opening_hours import Calendar
from changgu.ivr_flows.values import pieces_of

__all__ = ["PERSON_KEY", "START_OVER_KEY", "Flow", "Limits"]

PERSON_KEY = "0"
"""Leads to a person from everywhere; no flow can change that (SELF-03)."""

START_OVER_KEY = "*"
"""While keying a number: forget the digits so far. In a menu: say it again."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One published menu tree. `loader.load` makes it and refuses what `checks.check` calls an error."""

    name: str
    title: str
    start: NodeName
    person: NodeName
    """The `to_queue` node for 0, for callers who cannot press keys, and for all that goes wrong; empty in a sub-flow,
    which has that of the flow the caller began in."""
    nodes: Mapping[NodeName, Node]
    limits: Limits = field(default_factory=Limits)
    entries: tuple[NodeName, ...] = ()
    """Nodes at which callers come in from a queue that they left by a key or an overflow rule."""
    parameters: Mapping[str, str | None] | None = None
    """Of a sub-flow: name → what it is when it is not given (None: it must be given). None: not a sub-flow."""
    returns: tuple[str, ...] = ()
    """Values that a sub-flow gives back."""
    flows: Mapping[str, "Flow"] = field(default_factory=dict)
    """The sub-flows that it calls, and those that they call, by name."""
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    """The tables of opening hours, by name."""
    sentences: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language → prompt name → sentence, as this version says it; empty: as the desk's catalogue does."""

    def __post_init__(self) -> None:
        if self.start not in self.nodes:
            raise ValueError(f"flow {self.name}: no node {self.start} to start at")
        if not self.is_sub_flow:
            self.person_node()

    @property
    def is_sub_flow(self) -> bool:
        """Whether it is only walked from another flow."""
        return self.parameters is not None

    def person_node(self) -> HandOver:
        """The hand-over to a person."""
        node = self.nodes.get(self.person)
        if not isinstance(node, HandOver):
            raise ValueError(f"flow {self.name}: {self.person} is not a hand-over to a queue")
        return node

    def straight_on(self) -> dict[NodeName, str]:
        """Nodes from which every caller gets to a queue without being asked anything → that queue."""
        queues: dict[NodeName, str] = {}
        for name in self.nodes:
            node, steps = self.nodes[name], 0
            while isinstance(node, Say) and node.next in self.nodes and steps < len(self.nodes):
                node, steps = self.nodes[node.next], steps + 1
            if isinstance(node, HandOver):
                queues[name] = node.queue
        return queues

    def all_flows(self) -> Iterator["Flow"]:
        """This flow and all its sub-flows, each once."""
        yield self
        yield from self.flows.values()

    def written_sentences(self, language: str = "ko") -> tuple[str, ...]:
        """Sentences written in the tree itself, for the synthesiser to prepare; of those with values in them, the
        fixed parts."""
        said = (prompt for flow in self.all_flows() for node in flow.nodes.values() for prompt in said_at(node))
        return tuple(dict.fromkeys(text for prompt in said for text in _fixed_texts(prompt, language)))


def _fixed_texts(prompt: Said, language: str) -> Iterator[str]:
    match prompt:
        case TextPrompt(text):
            yield text
        case WrittenPrompt(texts):
            yield from (piece for piece in pieces_of(text_in(texts, language)) if isinstance(piece, str))
        case _:
            return


def text_in(texts: Mapping[str, str], language: str) -> str:
    """The text in this language; else the one that stands for all, or the first."""
    return texts.get(language) or texts.get("") or next(iter(texts.values()), "")
