"""The text of a menu tree as its page shows it: every node with its fields, where it leads, and where it is drawn.

Also of a text that is not fit for callers yet; so everything is read as it was written, without judging it. A change
touches only the lines of the fields that changed, so that a supervisor's comments stay.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.kinds import KINDS, Form

Value = str | list["Value"] | dict[str, "Value"]
"""As written: scalars are text, whatever YAML would make of `yes` or `010`."""

WAYS = tuple(dict.fromkeys(one.name for kind in KINDS.values() for one in kind.fields if one.form is Form.NODE))
"""Fields that say where callers go, besides keys and tests."""
TESTS = "when"
TOP = ("flow", "title", "start", "person")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PLAIN = re.compile(r"[\w.+*-]*[\w*]", re.ASCII)
"""Scalars that need no quotes."""


@dataclass(frozen=True, slots=True)
class NodeText:
    """One node as it is written. Lines count from 0, the last one included."""

    name: str
    fields: Mapping[str, Value]
    first: int
    last: int
    lines: Mapping[str, tuple[int, int]]
    """Field → its lines; empty for a node written in braces."""
    indent: int
    """Of the fields."""

    @property
    def kind(self) -> str:
        """What is written under `kind`."""
        kind = self.fields.get("kind", "")
        return kind if isinstance(kind, str) else ""

    def ways(self) -> list[tuple[str, str]]:
        """Where it leads: the key or the field, and the node's name."""
        found: list[tuple[str, str]] = []
        keys = self.fields.get("keys")
        if isinstance(keys, dict):
            found += [(key, target) for key, target in keys.items() if isinstance(target, str)]
        tests = self.fields.get(TESTS)
        for number, test in enumerate(tests if isinstance(tests, list) else (), start=1):
            if isinstance(test, dict) and isinstance(go := test.get("go"), str):
                found.append((f"{number}", go))
        found += [(way, target) for way in WAYS if isinstance(target := self.fields.get(way), str)]
        return found


@dataclass(frozen=True, slots=True)
class Outline:
    """A menu tree as it is written."""

    flow: str = ""
    title: str = ""
    start: str = ""
    person: str = ""
    nodes: Mapping[str, NodeText] = field(default_factory=dict)
    after: int = 0
    """The line before which a new node is written."""
    indent: int = 2
    """Of the nodes' names."""
    top: Mapping[str, Value] = field(default_factory=dict)
    """What is written beside the nodes: the start, the person, limits."""


def outline(text: str) -> Outline:
    """What is written; an empty outline for a text that is not YAML at all, or not a mapping."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return Outline()
    if not isinstance(root, yaml.MappingNode):
        return Outline()
    top = {_scalar(key): value for key, value in root.value}
    flow, title, start, person = (_scalar(top[name]) if name in top else "" for name in TOP)
    beside = {name: _value(value) for name, value in top.items() if name != "nodes"}
    listed = top.get("nodes")
    if not isinstance(listed, yaml.MappingNode):
        return Outline(flow, title, start, person, top=beside)
    nodes = {}
    for key, body in listed.value:
        if isinstance(body, yaml.MappingNode):
            nodes[_scalar(key)] = _node(_scalar(key), key, body)
    after = max((node.last + 1 for node in nodes.values()), default=listed.end_mark.line)
    indent = listed.start_mark.column if listed.value and not listed.flow_style else 2
    return Outline(flow, title, start, person, nodes, after, indent, beside)


def with_node(text: str, name: str, fields: Mapping[str, Value]) -> str:
    """The text with a node's fields changed, or with a node more; raises `BadInput` and `Conflict`."""
    if not NAME.fullmatch(name):
        raise BadInput(
            "단계 이름은 영문, 숫자, -, _ 로 64자까지입니다.", "a node's name: letters, digits, - and _, at most 64",
            field="name",
        )  # fmt: skip
    there = outline(text)
    if not there.flow and not there.nodes:
        raise _not_editable()
    lines = text.splitlines()
    node = there.nodes.get(name)
    if node is None:
        block = ["", " " * there.indent + f"{name}:", *_block(fields, there.indent + 2)]
        lines[there.after : there.after] = block
    elif not node.lines:
        lines[node.first : node.last + 1] = [
            " " * there.indent + f"{name}:", *_block(fields, there.indent + 2)
        ]  # fmt: skip
    else:
        lines = _fields_changed(lines, node, fields)
    changed = "\n".join(lines) + "\n"
    if outline(changed).nodes.get(name, EMPTY).fields != fields:
        raise _not_editable()
    return changed


def without_node(text: str, name: str) -> str:
    """The text without a node; raises `NotFound`, `Conflict` when others lead to it."""
    there = outline(text)
    node = there.nodes.get(name)
    if node is None:
        raise NotFound(f"'{name}' 단계가 없습니다.", f"There is no node '{name}'.")
    leading = [other.name for other in there.nodes.values() if other.name != name and name in dict(_targets(other))]
    if leading or name in (there.start, there.person):
        where = ", ".join(leading) or "start/person"
        raise Conflict(f"아직 이 단계로 오는 곳이 있습니다: {where}", f"others lead to this node: {where}")
    lines = text.splitlines()
    del lines[node.first : node.last + 1]
    return "\n".join(lines) + "\n"


def _targets(node: NodeText) -> Iterator[tuple[str, str]]:
    return ((target, way) for way, target in node.ways())


def _node(name: str, key: yaml.Node, body: yaml.MappingNode) -> NodeText:
    fields: dict[str, Value] = {}
    lines: dict[str, tuple[int, int]] = {}
    for inner, value in body.value:
        fields[_scalar(inner)] = _value(value)
        lines[_scalar(inner)] = (inner.start_mark.line, max(inner.start_mark.line, _last_line(value)))
    spread = not body.flow_style and bool(body.value) and body.start_mark.line > key.start_mark.line
    last = max([key.start_mark.line, *(end for _, end in lines.values())])
    last = max(last, body.end_mark.line) if body.flow_style else last
    return NodeText(
        name, fields, key.start_mark.line, last, lines if spread else {}, body.start_mark.column if spread else 4
    )


def _last_line(value: yaml.Node) -> int:
    """The last line with anything of this value: YAML's own end mark of a block lies before the next one."""
    if isinstance(value, yaml.ScalarNode):
        in_block = value.style in ("|", ">")
        return int(value.end_mark.line) - (1 if in_block and value.end_mark.column == 0 else 0)
    if getattr(value, "flow_style", False) or not value.value:
        return int(value.end_mark.line)
    if isinstance(value, yaml.MappingNode):
        return max(max(_last_line(key), _last_line(inner)) for key, inner in value.value)
    return max(_last_line(inner) for inner in value.value)


def _scalar(value: yaml.Node) -> str:
    return str(value.value) if isinstance(value, yaml.ScalarNode) else ""


def _value(value: yaml.Node) -> Value:
    match value:
        case yaml.MappingNode():
            return {_scalar(key): _value(inner) for key, inner in value.value}
        case yaml.SequenceNode():
            return [_value(inner) for inner in value.value]
        case _:
            return _scalar(value)


def _fields_changed(lines: list[str], node: NodeText, fields: Mapping[str, Value]) -> list[str]:
    changes: list[tuple[int, int, list[str]]] = []
    for name, (first, last) in node.lines.items():
        if name not in fields:
            changes.append((first, last + 1, []))
        elif fields[name] != node.fields[name]:
            value = _in_order_of(fields[name], node.fields[name])
            changes.append((first, last + 1, _field(name, value, node.indent)))
    added = [(name, value) for name, value in fields.items() if name not in node.fields]
    new = [line for name, value in added for line in _field(name, value, node.indent)]
    end = max(last for _, last in node.lines.values()) + 1
    changes.append((end, end, new))
    for first, after, written in sorted(changes, reverse=True):
        lines[first:after] = written
    return lines


def _in_order_of(value: Value, before: Value) -> Value:
    """Keys where they were, new ones behind them: programs sort them by number."""
    if not (isinstance(value, dict) and isinstance(before, dict)):
        return value
    return {name: value[name] for name in before if name in value} | value


def _block(fields: Mapping[str, Value], indent: int) -> list[str]:
    return [line for name, value in fields.items() for line in _field(name, value, indent)]


def _field(name: str, value: Value, indent: int) -> list[str]:
    """A field in the style of the files that come with changgu: lists in brackets unless they hold more than words."""
    room = " " * indent
    match value:
        case dict() if value:
            return [f"{room}{_word(name)}:", *_block(value, indent + 2)]
        case dict():
            return [f"{room}{_word(name)}: {{}}"]
        case list() if value and not all(isinstance(one, str) and PLAIN.fullmatch(one) for one in value):
            return [f"{room}{_word(name)}:", *(f"{room}  - {_inline(one)}" for one in value)]
        case _:
            return [f"{room}{_word(name)}: {_inline(value)}"]


def as_words(value: Value) -> str:
    """A value as it is written in one line; a text alone without quotes."""
    return value if isinstance(value, str) else _inline(value)


def _inline(value: Value) -> str:
    match value:
        case str():
            return _word(value)
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case dict():
            return "{" + ", ".join(f"{_word(name)}: {_inline(inner)}" for name, inner in value.items()) + "}"


def _word(text: str) -> str:
    if PLAIN.fullmatch(text) and not text.startswith(("*", "-")):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{quoted}"'


def _not_editable() -> Conflict:
    return Conflict(
        "이 글은 양식으로 고칠 수 없습니다. 글 보기에서 고치십시오.",
        "This text cannot be changed by form; change it as text.",
    )


EMPTY = NodeText("", {}, 0, 0, {}, 4)


# ---- drawn ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is drawn: columns go with the caller, rows from top to bottom (halves occur)."""

    column: int
    row: float


@dataclass(frozen=True, slots=True)
class Line:
    """A way from one node to another. `along`: the one by which the other is drawn; the rest lead back or across."""

    start: str
    way: str
    end: str
    along: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A tree on paper."""

    places: Mapping[str, Place]
    lines: Sequence[Line]
    columns: int
    rows: int
    astray: Sequence[str]
    """Nodes that nobody reaches from the start; drawn below."""


def drawn(there: Outline) -> Drawing:
    """The tree from its start to the right, each node once; then what nobody reaches from there."""
    places: dict[str, Place] = {}
    lines: list[Line] = []
    rows = 0.0
    led: dict[str, str] = {}
    """Node → the one by which it is drawn: the nearest to the start."""

    def lead(first: str) -> None:
        led[first] = ""
        ahead = deque([first])
        while ahead:
            name = ahead.popleft()
            for way, target in there.nodes[name].ways():
                if target in there.nodes:
                    lines.append(Line(name, way, target, target not in led))
                    if target not in led:
                        led[target] = name
                        ahead.append(target)

    def place(first: str) -> None:
        """Depth first without recursion: a tree may be a thousand nodes deep."""
        nonlocal rows
        trail = [(first, 0, _children(there.nodes[first], led))]
        below: dict[str, list[float]] = {first: []}
        while trail:
            name, column, ahead = trail[-1]
            if ahead:
                target = ahead.pop(0)
                below[target] = []
                trail.append((target, column + 1, _children(there.nodes[target], led)))
                continue
            trail.pop()
            if below[name]:
                row = (below[name][0] + below[name][-1]) / 2
            else:
                row, rows = rows, rows + 1
            places[name] = Place(column, row)
            if trail:
                below[trail[-1][0]].append(row)

    astray: list[str] = []
    for name in [*([there.start] if there.start in there.nodes else []), *there.nodes]:
        if name not in led:
            if name != there.start:
                astray.append(name)
            lead(name)
            place(name)
    columns = max((one.column for one in places.values()), default=-1) + 1
    return Drawing(places, lines, columns, int(rows), astray)


def _children(node: NodeText, led: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(target for _, target in node.ways() if led.get(target) == node.name))
