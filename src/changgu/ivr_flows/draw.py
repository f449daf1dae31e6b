"""A menu tree drawn: in text, one line per way a caller can go, and as a picture with how many went each way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.kinds import KIND_OF
from changgu.ivr_flows.nodes import HandOver, Node, NodeName, Say, said_at, ways_on
from changgu.ivr_flows.publishing.counts import Figures
from changgu.ivr_flows.walks import in_words

LONGEST_SENTENCE = 40


Counts = Mapping[str, Figures]
"""Node → what callers did there, in whatever time it was counted."""


def draw(flow: Flow, sentences: Mapping[str, str], counts: Counts | None = None) -> str:
    """The tree from its start, then from where callers come in from queues; a node reached again is only named."""
    drawing = _Text(flow, sentences, counts or {})
    person = f"0 → {flow.person} → queue {flow.person_node().queue}" if not flow.is_sub_flow else "sub-flow"
    lines = [f"{flow.name}: {flow.title} ({person})", *drawing.branch(flow.start, "", "")]
    for entry in flow.entries:
        lines += drawing.branch(entry, "from a queue: ", "")
    return "\n".join(lines) + "\n"


@dataclass
class _Text:
    flow: Flow
    sentences: Mapping[str, str]
    counts: Counts
    drawn: set[NodeName] = field(default_factory=set)

    def branch(self, name: NodeName, label: str, indent: str) -> Iterator[str]:
        node = self.flow.nodes[name]
        if name in self.drawn:
            yield f"{indent}{label}{name} ↑"
            return
        self.drawn.add(name)
        said = _short(node, self.sentences)
        counted = f" {counts_in_words(self.counts[name])}" if name in self.counts else ""
        yield f"{indent}{label}{name} [{kind_in_words(node)}]{counted}{' ' + said if said else ''}"
        inner = indent.replace("├─ ", "│  ").replace("└─ ", "   ")
        ways = list(ways_on(node).items())
        for count, (way, target) in enumerate(ways, start=1):
            branch = "└─ " if count == len(ways) else "├─ "
            yield from self.branch(target, f"{way}: ", inner + branch)


def kind_in_words(node: Node) -> str:
    """What a node is, in a word or two."""
    match node:
        case HandOver():
            return f"queue {node.queue}"
        case Say() if node.mandatory:
            return "say, mandatory"
        case _:
            return KIND_OF[type(node)].name.replace("_", " ")


def counts_in_words(count: Figures) -> str:
    """`120 in, 7 hung up, 2 failed`."""
    parts = [f"{count.entered} in"]
    parts += [f"{count.hung_up} hung up"] if count.hung_up else []
    parts += [f"{count.failed} failed"] if count.failed else []
    return "(" + ", ".join(parts) + ")"


def _short(node: Node, sentences: Mapping[str, str]) -> str:
    said = " ".join(in_words(prompt, sentences) for prompt in said_at(node))
    return said if len(said) <= LONGEST_SENTENCE else said[: LONGEST_SENTENCE - 1] + "…"


# ---- the picture ----------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 200, 64, 70, 18, 20
"""Of a node and between nodes, in pixels."""


@dataclass(frozen=True, slots=True)
class _Box:
    column: int
    row: int

    @property
    def x(self) -> int:
        return MARGIN + self.column * (WIDTH + GAP_X)

    @property
    def y(self) -> int:
        return MARGIN + self.row * (HEIGHT + GAP_Y)


def draw_svg(flow: Flow, sentences: Mapping[str, str], counts: Counts | None = None) -> str:
    """The tree as an SVG document: a box per node, a line per way on, warmer where more callers hung up."""
    boxes = _placed(flow)
    known = counts or {}
    columns = max(box.column for box in boxes.values()) + 1
    rows = max(box.row for box in boxes.values()) + 1
    width = 2 * MARGIN + columns * (WIDTH + GAP_X)
    height = 2 * MARGIN + rows * (HEIGHT + GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>{escape(flow.title)}</title>',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    ]
    for name, box in boxes.items():
        ways = list(ways_on(flow.nodes[name]).items())
        for count, (way, target) in enumerate(ways, start=1):
            if target in boxes:
                parts.append(_line(box, boxes[target], way, count / (len(ways) + 1)))
    for name, box in boxes.items():
        parts += _box(name, box, flow.nodes[name], sentences, known.get(name))
    return "\n".join([*parts, "</svg>\n"])


def _placed(flow: Flow) -> dict[NodeName, _Box]:
    """Column: ways from the start; row: in the order in which they are come to, so that a branch stays together."""
    boxes: dict[NodeName, _Box] = {}
    taken: dict[int, int] = {}
    ahead: list[tuple[NodeName, int]] = [(name, 0) for name in reversed((flow.start, *flow.entries))]
    while ahead:
        name, column = ahead.pop()
        if name in boxes or name not in flow.nodes:
            continue
        row = max(taken.get(column, 0), taken.get(column - 1, 1) - 1 if column else 0)
        boxes[name] = _Box(column, row)
        taken[column] = row + 1
        ahead += [(target, column + 1) for target in reversed(list(ways_on(flow.nodes[name]).values()))]
    for name in flow.nodes:
        if name not in boxes:  # the person is reached by 0 from everywhere
            boxes[name] = _Box(0, taken.get(0, 0))
            taken[0] = boxes[name].row + 1
    return boxes


def _line(start: _Box, end: _Box, way: str, share: float) -> str:
    x1, y1 = start.x + WIDTH, round(start.y + HEIGHT * share)
    x2, y2 = end.x, end.y + HEIGHT // 2
    bend = 40 if x2 > x1 else 90
    return (
        f'<path d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}" fill="none" stroke="#888" '
        f'marker-end="url(#head)"/><text x="{x1 + 4}" y="{y1 - 3}" fill="#333">{escape(way)}</text>'
    )


def _box(
    name: NodeName, box: _Box, node: Node, sentences: Mapping[str, str], count: Figures | None
) -> Sequence[str]:
    lost = (count.drop_out or 0.0) if count is not None else 0.0
    fill = f"hsl({round(120 - 120 * min(1.0, 2 * lost))} 60% 90%)" if count is not None else "#f4f4f4"
    said = " ".join(in_words(prompt, sentences) for prompt in said_at(node))
    lines = [f"{name}", kind_in_words(node), counts_in_words(count) if count is not None else _cut(said, 26)]
    weights = ("bold", "normal", "normal")
    texts = [
        f'<text x="{box.x + 8}" y="{box.y + 18 + 18 * row}" font-weight="{weights[row]}">{escape(line)}</text>'
        for row, line in enumerate(lines)
        if line
    ]
    return [
        f'<g><title>{escape(said or name)}</title><rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEIGHT}" '
        f'rx="6" fill="{fill}" stroke="#555"/>',
        *texts, "</g>",
    ]  # fmt: skip


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
