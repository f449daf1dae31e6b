"""A menu tree drawn: in text, one line per way a caller can go, and as a picture with how many went each way."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil
from xml.sax.saxutils import escape, quoteattr

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.kinds import KIND_OF
from changgu.ivr_flows.lettering import fitted, width_of
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
    said = _said(node, sentences)
    return said if len(said) <= LONGEST_SENTENCE else said[: LONGEST_SENTENCE - 1] + "…"


# ---- the picture ----------------------------------------------------------------------------------------------------

SIZE, LINE, GAP_Y, MARGIN, SIDE = 12, 18, 18, 20, 8
"""The font, from one line of text to the next, between boxes, around the whole, and beside the texts in a box."""
NARROWEST, WIDEST = 160, 280
"""A box: as wide as its texts need; of longer ones the whole is in its title."""
NEAREST, FARTHEST = 70, 200
"""Between columns: as far as the ways' names need."""
HEAD = 10
"""Of a line's arrow."""


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a node stands on paper, in pixels; `gap` is what is free to its right."""

    x: int
    y: int
    width: int
    height: int
    gap: int
    lines: tuple[str, ...]


def draw_svg(flow: Flow, sentences: Mapping[str, str], counts: Counts | None = None) -> str:
    """The tree as an SVG document: a box per node, a line per way on, warmer where more callers hung up."""
    known = counts or {}
    boxes = _laid_out(flow, sentences, known)
    width = max(box.x + box.width + box.gap for box in boxes.values()) + MARGIN
    height = max(box.y + box.height for box in boxes.values()) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="{SIZE}" role="img"><title>{escape(flow.title)}</title>',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    ]
    labels: list[str] = []
    for name, box in boxes.items():
        ways = list(ways_on(flow.nodes[name]).items())
        for count, (way, target) in enumerate(ways, start=1):
            if target in boxes:
                y = round(box.y + box.height * count / (len(ways) + 1))
                parts.append(_line(box, y, boxes[target]))
                labels.append(_label(name, box, y, way, target))
    for name, box in boxes.items():
        parts += _box(name, box, flow.nodes[name], sentences, known.get(name))
    return "\n".join([*parts, *labels, "</svg>\n"])


def _laid_out(flow: Flow, sentences: Mapping[str, str], counts: Counts) -> dict[NodeName, _Box]:
    """Columns as wide as the texts in them need, boxes as high as the ways on from them."""
    places = _placed(flow)
    wide: dict[int, int] = defaultdict(lambda: NARROWEST)
    apart: dict[int, int] = defaultdict(lambda: NEAREST)
    high: dict[int, int] = {}
    heights: dict[NodeName, int] = {}
    lines: dict[NodeName, tuple[str, ...]] = {}
    for name, (column, row) in places.items():
        node = flow.nodes[name]
        ways = ways_on(node)
        lines[name] = _lines(name, node, sentences, counts.get(name))
        needed = max(width_of(line, SIZE, bold=not at) for at, line in enumerate(lines[name]))
        wide[column] = min(WIDEST, max(wide[column], ceil(needed) + 2 * SIDE))
        needed = max((width_of(way, SIZE) for way in ways), default=0.0)
        apart[column] = min(FARTHEST, max(apart[column], ceil(needed) + 2 * SIDE + HEAD))
        heights[name] = max(3 * LINE + 10, LINE * (len(ways) + 1))
        high[row] = max(high.get(row, 0), heights[name])
    lefts = _starts([wide[column] + apart[column] for column in range(max(wide) + 1)])
    tops = _starts([high.get(row, 0) + GAP_Y for row in range(max(high) + 1)])
    return {
        name: _Box(lefts[column], tops[row], wide[column], heights[name], apart[column], lines[name])
        for name, (column, row) in places.items()
    }


def _starts(lengths: Sequence[int]) -> list[int]:
    return list(accumulate(lengths, initial=MARGIN))


def _lines(name: NodeName, node: Node, sentences: Mapping[str, str], count: Figures | None) -> tuple[str, ...]:
    """What stands in a box, whole."""
    third = counts_in_words(count) if count is not None else _said(node, sentences)
    return (str(name), kind_in_words(node), third)


def _said(node: Node, sentences: Mapping[str, str]) -> str:
    return " ".join(in_words(prompt, sentences) for prompt in said_at(node))


def _placed(flow: Flow) -> dict[NodeName, tuple[int, int]]:
    """Column: ways from the start; row: in the order in which they are come to, so that a branch stays together."""
    places: dict[NodeName, tuple[int, int]] = {}
    taken: dict[int, int] = {}
    ahead: list[tuple[NodeName, int]] = [(name, 0) for name in reversed((flow.start, *flow.entries))]
    while ahead:
        name, column = ahead.pop()
        if name in places or name not in flow.nodes:
            continue
        row = max(taken.get(column, 0), taken.get(column - 1, 1) - 1 if column else 0)
        places[name] = (column, row)
        taken[column] = row + 1
        ahead += [(target, column + 1) for target in reversed(list(ways_on(flow.nodes[name]).values()))]
    for name in flow.nodes:
        if name not in places:  # the person is reached by 0 from everywhere
            places[name] = (0, taken.get(0, 0))
            taken[0] = places[name][1] + 1
    return places


def _line(start: _Box, y1: int, end: _Box) -> str:
    x1, x2, y2 = start.x + start.width, end.x, end.y + end.height // 2
    bend = 40 if x2 > x1 else 90
    return (
        f'<path d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}" fill="none" stroke="#888" '
        f'marker-end="url(#head)"/>'
    )


def _label(name: NodeName, box: _Box, y: int, way: str, target: NodeName) -> str:
    said = fitted(way, box.gap - SIDE - HEAD, SIZE)
    return (
        f'<text x="{box.x + box.width + 4}" y="{y - 3}" fill="#333" stroke="#fff" stroke-width="3" '
        f'paint-order="stroke">{escape(said)}<title>{escape(f"{name}: {way} → {target}")}</title></text>'
    )


def _box(
    name: NodeName, box: _Box, node: Node, sentences: Mapping[str, str], count: Figures | None
) -> Sequence[str]:
    lost = (count.drop_out or 0.0) if count is not None else 0.0
    fill = f"hsl({round(120 - 120 * min(1.0, 2 * lost))} 60% 90%)" if count is not None else "#f4f4f4"
    room = box.width - 2 * SIDE
    texts = [
        f'<text x="{box.x + SIDE}" y="{box.y + LINE + LINE * row}" font-weight="{"normal" if row else "bold"}">'
        f"{escape(fitted(line, room, SIZE, bold=not row))}</text>"
        for row, line in enumerate(box.lines)
        if line
    ]
    whole = dict.fromkeys(line for line in (*box.lines, _said(node, sentences)) if line)
    return [
        f"<g data-node={quoteattr(name)}><title>{escape(chr(10).join(whole))}</title>"
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" '
        f'rx="6" fill="{fill}" stroke="#555"/>',
        *texts, "</g>",
    ]  # fmt: skip
