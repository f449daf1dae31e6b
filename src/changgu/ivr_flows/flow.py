"""A menu tree as one frozen value: its nodes, where it starts, and who answers when a caller presses 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from changgu.ivr_flows.nodes import HandOver, Node, NodeName, Say, TextPrompt, said_at

PERSON_KEY = "0"
"""Leads to a person from everywhere; no flow can change that (SELF-03)."""

START_OVER_KEY = "*"
"""While keying a number: forget the digits so far. In a menu: say it again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a caller may stay in the machine before a person takes over."""

    turns: int = 60
    """Questions asked in one visit."""
    visit: timedelta = timedelta(minutes=10)
    """For the shell, which has the clock: after this it sends `PersonWanted`."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One published menu tree. `loader.load` makes it and refuses what `checks.check` calls an error."""

    name: str
    title: str
    start: NodeName
    person: NodeName
    """The `to_queue` node for 0, for callers who cannot press keys, and for all that goes wrong."""
    nodes: Mapping[NodeName, Node]
    limits: Limits = field(default_factory=Limits)
    entries: tuple[NodeName, ...] = ()
    """Nodes at which callers come in from a queue that they left by a key or an overflow rule."""

    def __post_init__(self) -> None:
        if self.start not in self.nodes:
            raise ValueError(f"flow {self.name}: no node {self.start} to start at")
        self.person_node()

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

    def written_sentences(self) -> tuple[str, ...]:
        """Sentences written in the tree itself, for the synthesiser to prepare."""
        said = (prompt for node in self.nodes.values() for prompt in said_at(node))
        return tuple(dict.fromkeys(prompt.text for prompt in said if isinstance(prompt, TextPrompt)))
