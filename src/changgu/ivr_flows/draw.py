"""A menu tree drawn in text, one line per way a caller can go."""

from collections.abc import Iterator, Mapping

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import Goodbye, HandOver, Menu, NodeName, Say, TicketStatus, said_at, ways_on
from changgu.ivr_flows.walks import in_words

LONGEST_SENTENCE = 40


def draw(flow: Flow, sentences: Mapping[str, str]) -> str:
    """The tree from its start, then from where callers come in from queues; a node reached again is only named."""
    drawn: set[NodeName] = set()
    title = f"{flow.name}: {flow.title} (0 → {flow.person} → queue {flow.person_node().queue})"
    lines = [title, *_branch(flow, sentences, flow.start, "", "", drawn)]
    for entry in flow.entries:
        lines += _branch(flow, sentences, entry, "from a queue: ", "", drawn)
    return "\n".join(lines) + "\n"


def _branch(
    flow: Flow, sentences: Mapping[str, str], name: NodeName, label: str, indent: str, drawn: set[NodeName]
) -> Iterator[str]:
    node = flow.nodes[name]
    if name in drawn:
        yield f"{indent}{label}{name} ↑"
        return
    drawn.add(name)
    match node:
        case Menu():
            kind = "menu"
        case Say():
            kind = "say, mandatory" if node.mandatory else "say"
        case TicketStatus():
            kind = "ticket status"
        case HandOver():
            kind = f"queue {node.queue}"
        case Goodbye():
            kind = "hang up"
        case _:
            kind = type(node).__name__
    said = " ".join(in_words(prompt, sentences) for prompt in said_at(node))
    short = said if len(said) <= LONGEST_SENTENCE else said[: LONGEST_SENTENCE - 1] + "…"
    yield f"{indent}{label}{name} [{kind}]{' ' + short if short else ''}"
    inner = indent.replace("├─ ", "│  ").replace("└─ ", "   ")
    ways = list(ways_on(node).items())
    for count, (way, target) in enumerate(ways, start=1):
        branch = "└─ " if count == len(ways) else "├─ "
        yield from _branch(flow, sentences, target, f"{way}: ", inner + branch, drawn)
