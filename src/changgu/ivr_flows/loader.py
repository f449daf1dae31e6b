"""From the YAML that a supervisor edits to a `Flow`, or to a list of what is wrong and where.

    flow: main
    title: 대표 안내
    start: greeting
    person: operator
    entries: [services]
    limits: {turns: 60, visit_minutes: 10}
    nodes:
      greeting:  {kind: say, say: [greeting, recording_notice], mandatory: true, next: services}
      services:  {kind: menu, say: services, keys: {1: pc, 8: status}, repeat_key: 9, repeats: 2, first_timeout: 6}
      status:    {kind: ticket_status, say: ask_ticket_number, next: services}
      pc:        {kind: to_queue, say: to_pc, queue: pc, priority: 0, skills: [printer, "vpn:3"], agent: alice}
      operator:  {kind: to_queue, say: to_person, queue: helpdesk}
      goodbye:   {kind: hang_up, say: goodbye, served: true}

`entries` (may be left out) are the nodes at which callers come in from a queue that they leave by a key.
`say` is the name of a prompt, `{text: …}` for a sentence written on the spot, `{digits: …}` for a number read digit
by digit, or a list of these.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar

import yaml

from changgu.ivr_flows.checks import Staff, check
from changgu.ivr_flows.flow import Flow, Limits
from changgu.ivr_flows.nodes import (
    KEYS,
    DigitsPrompt,
    Goodbye,
    HandOver,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    Prompt,
    Say,
    TextPrompt,
    TicketStatus,
)
from changgu.ivr_flows.problems import FlowErrors, Place, Problem, Severity

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SKILL = re.compile(r"[\w.+#-]{1,64}(?::(?:[1-9]|10))?")
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of reading and checking one file."""

    file: str
    flow: Flow | None
    """None when the file has errors."""
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the flow off the air."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems) or f"{self.file}: ok"


def load(
    text: str, file: str, queues: Collection[str] | None, catalogues: Mapping[str, Collection[str]],
    staff: Staff | None = None,
) -> Flow:  # fmt: skip
    """The flow in `text`; raises `FlowErrors` with all that is wrong. `file` is for the messages only."""
    report = inspect(text, file, queues, catalogues, staff)
    if report.flow is None:
        raise FlowErrors(report.errors)
    return report.flow


def inspect(
    text: str, file: str, queues: Collection[str] | None, catalogues: Mapping[str, Collection[str]],
    staff: Staff | None = None,
) -> Report:  # fmt: skip
    """Read and check: errors and warnings in the order of the file."""
    reader = _Reader(file)
    flow = reader.read(text)
    if flow is not None:
        for finding in check(flow, queues, catalogues, staff):
            place = reader.place_of(finding.node, finding.field)
            reader.problems.append(Problem(file, place, finding.severity, finding.ko, finding.en))
    problems = tuple(sorted(reader.problems, key=lambda problem: (problem.place.line, problem.place.column)))
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    return Report(file, None if failed else flow, problems)


Fields = dict[str, yaml.Node]
"""A mapping of the file: name → value, which still knows its line and column."""


@dataclass
class _Reader:
    """Reads one file, collecting problems instead of stopping at the first."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    places: dict[tuple[str | None, str], Place] = field(default_factory=dict)

    def read(self, text: str) -> Flow | None:
        """The flow, or None when there is not enough of it to check further."""
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as trouble:
            mark = trouble.problem_mark or trouble.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else Place()
            self._error_at(place, "YAML 문법에 맞지 않습니다.", f"not valid YAML: {trouble.problem}")
            return None
        except RecursionError:
            self._error_at(Place(), "너무 깊이 겹쳐 쓴 파일입니다.", "nested too deeply")
            return None
        except yaml.YAMLError as trouble:
            self._error_at(Place(), "YAML 파일로 읽을 수 없습니다.", f"cannot be read as YAML: {trouble}")
            return None
        if root is None:
            self._error_at(Place(), "빈 파일입니다.", "the file is empty")
            return None
        fields = self._mapping(root)
        if fields is None:
            return None
        self._known(fields, {"flow", "title", "start", "person", "entries", "limits", "nodes"})
        self.places.update({(None, name): _place(value) for name, value in fields.items()})
        nodes = self._nodes(root, fields)
        name = self._name(root, fields, "flow")
        start, person = self._name(root, fields, "start"), self._name(root, fields, "person")
        limits = self._limits(fields)
        listed = self._list(fields["entries"]) if "entries" in fields else []
        entries = tuple(NodeName(self._scalar(entry)) for entry in listed)
        if start and start not in nodes and (start, "") not in self.places:
            self._error(
                fields["start"], f"시작 단계 '{start}'이(가) 없습니다.", f"there is no node '{start}' to start at"
            )
        misread = (person, "") in self.places and person not in nodes  # said already, at the node
        if person and not misread and not isinstance(nodes.get(NodeName(person)), HandOver):
            self._error(
                fields["person"],
                f"상담원 연결 단계 '{person}'은(는) to_queue 단계여야 합니다.",
                f"'{person}' must be a to_queue node: it is where 0 leads",
            )
        if self.problems or not (start and person and name):
            return None
        title = self._text(root, fields, "title", default=name)
        return Flow(name, title, NodeName(start), NodeName(person), MappingProxyType(nodes), limits, entries)

    def place_of(self, node: str | None, field_name: str) -> Place:
        """The most exact place known for a finding."""
        exact = self.places.get((node, field_name))
        return exact or self.places.get((node, field_name.partition(".")[0])) or self.places.get((node, "")) or Place()

    # ---- nodes ----------------------------------------------------------------------------------------------------

    def _nodes(self, root: yaml.Node, fields: Fields) -> dict[NodeName, Node]:
        listed = fields.get("nodes")
        if listed is None:
            self._error(root, "'nodes' 항목이 없습니다.", "'nodes' is missing")
            return {}
        nodes: dict[NodeName, Node] = {}
        for name, body in (self._mapping(listed) or {}).items():
            if not NAME.fullmatch(name):
                self._error(
                    body, f"단계 이름 '{name}'에는 영문, 숫자, -, _ 만 쓸 수 있습니다.",
                    f"a node's name is made of letters, digits, - and _: '{name}'",
                )  # fmt: skip
                continue
            self.places[name, ""] = _place(body)
            node = self._node(name, body)
            if node is not None:
                nodes[NodeName(name)] = node
        return nodes

    def _node(self, name: str, body: yaml.Node) -> Node | None:
        fields = self._mapping(body)
        if fields is None:
            return None
        self.places.update({(name, field_name): _place(value) for field_name, value in fields.items()})
        kind = self._text(body, fields, "kind")
        read = _KINDS.get(kind)
        if read is None:
            if "kind" in fields:
                kinds = ", ".join(_KINDS)
                self._error(fields["kind"], f"단계 종류는 {kinds} 중 하나입니다.", f"kind is one of {kinds}")
            return None
        before = len(self.problems)
        node = read(self, name, body, fields)
        return node if len(self.problems) == before else None

    def _menu(self, name: str, body: yaml.Node, fields: Fields) -> Node:
        self._known(fields, {"kind", "say", "keys", "repeat_key", "repeats", "first_timeout"})
        keys: dict[str, NodeName] = {}
        if "keys" not in fields:
            self._error(body, "'keys' 항목이 없습니다.", "'keys' is missing")
        else:
            for key, target in (self._mapping(fields["keys"]) or {}).items():
                self.places[name, f"keys.{key}"] = _place(target)
                if key not in KEYS:
                    self._error(target, f"'{key}'은(는) 전화기에 없는 번호입니다.", f"a telephone has no key '{key}'")
                keys[key] = NodeName(self._scalar(target))
        repeat_key = self._text(body, fields, "repeat_key", default="9")
        if repeat_key not in KEYS:
            self._error(
                fields["repeat_key"], f"'{repeat_key}'은(는) 전화기에 없는 번호입니다.",
                f"a telephone has no key '{repeat_key}'",
            )  # fmt: skip
        return Menu(
            prompts=self._prompts(body, fields, required=True),
            keys=MappingProxyType(keys),
            repeat_key=repeat_key,
            repeats=self._number(fields, "repeats", int, 2, 0, 5),
            first_timeout=self._number(fields, "first_timeout", float, 6.0, 1.0, 60.0),
        )

    def _say(self, name: str, body: yaml.Node, fields: Fields) -> Node:
        self._known(fields, {"kind", "say", "next", "mandatory"})
        return Say(
            prompts=self._prompts(body, fields, required=True),
            next=NodeName(self._name(body, fields, "next")),
            mandatory=self._yes_or_no(fields, "mandatory", default=False),
        )

    def _ticket_status(self, name: str, body: yaml.Node, fields: Fields) -> Node:
        self._known(fields, {"kind", "say", "next", "max_digits", "repeats", "first_timeout", "between_timeout"})
        return TicketStatus(
            prompts=self._prompts(body, fields, required=True),
            next=NodeName(self._name(body, fields, "next")),
            max_digits=self._number(fields, "max_digits", int, 12, 1, 20),
            repeats=self._number(fields, "repeats", int, 2, 0, 5),
            first_timeout=self._number(fields, "first_timeout", float, 8.0, 1.0, 60.0),
            between_timeout=self._number(fields, "between_timeout", float, 4.0, 1.0, 20.0),
        )

    def _to_queue(self, name: str, body: yaml.Node, fields: Fields) -> Node:
        self._known(fields, {"kind", "say", "queue", "priority", "skills", "agent"})
        return HandOver(
            queue=self._name(body, fields, "queue"),
            prompts=self._prompts(body, fields, required=False),
            priority=self._number(fields, "priority", int, 0, -100, 100),
            skills=frozenset(map(self._skill, self._list(fields["skills"]))) if "skills" in fields else frozenset(),
            agent=self._login(fields, "agent"),
        )

    def _hang_up(self, name: str, body: yaml.Node, fields: Fields) -> Node:
        self._known(fields, {"kind", "say", "served"})
        return Goodbye(self._prompts(body, fields, required=False), self._yes_or_no(fields, "served", default=True))

    # ---- values ---------------------------------------------------------------------------------------------------

    def _limits(self, fields: Fields) -> Limits:
        if "limits" not in fields:
            return Limits()
        limits = self._mapping(fields["limits"]) or {}
        self._known(limits, {"turns", "visit_minutes"})
        return Limits(
            turns=self._number(limits, "turns", int, 60, 5, 1000),
            visit=timedelta(minutes=self._number(limits, "visit_minutes", float, 10.0, 1.0, 60.0)),
        )

    def _prompts(self, body: yaml.Node, fields: Fields, *, required: bool) -> tuple[Prompt, ...]:
        said = fields.get("say")
        if said is None:
            if required:
                self._error(body, "'say' 항목(안내문)이 없습니다.", "'say' is missing: nothing would be heard")
            return ()
        listed = self._list(said) if isinstance(said, yaml.SequenceNode) else [said]
        return tuple(prompt for prompt in map(self._prompt, listed) if prompt is not None)

    def _prompt(self, value: yaml.Node) -> Prompt | None:
        if not isinstance(value, yaml.MappingNode):
            return NamedPrompt(self._scalar(value))
        match {name: self._scalar(inner) for name, inner in (self._mapping(value) or {}).items()}:
            case {"text": str(text), **rest} if text.strip() and not rest:
                return TextPrompt(text)
            case {"digits": str(digits), **rest} if digits.isdecimal() and not rest:
                return DigitsPrompt(digits)
        self._error(
            value, "안내문은 이름이나 {text: 문장} 또는 {digits: 숫자}로 적습니다.",
            "a prompt is a name, {text: a sentence} or {digits: a number}",
        )  # fmt: skip
        return None

    def _mapping(self, value: yaml.Node) -> Fields | None:
        if not isinstance(value, yaml.MappingNode):
            self._error(value, "'이름: 값' 묶음이 와야 합니다.", "expected a mapping of names to values")
            return None
        fields: Fields = {}
        for key, inner in value.value:
            name = self._scalar(key)
            if name in fields:
                self._error(key, f"'{name}'이(가) 두 번 나옵니다.", f"'{name}' appears twice")
            fields[name] = inner
        return fields

    def _list(self, value: yaml.Node) -> list[yaml.Node]:
        if isinstance(value, yaml.SequenceNode):
            return list(value.value)
        self._error(value, "목록이 와야 합니다.", "expected a list")
        return []

    def _scalar(self, value: yaml.Node) -> str:
        if isinstance(value, yaml.ScalarNode):
            return str(value.value)
        self._error(value, "값 하나가 와야 합니다.", "expected a single value")
        return ""

    def _text(self, body: yaml.Node, fields: Fields, name: str, default: str | None = None) -> str:
        if name in fields:
            return self._scalar(fields[name])
        if default is None:
            self._error(body, f"'{name}' 항목이 없습니다.", f"'{name}' is missing")
        return default or ""

    def _name(self, body: yaml.Node, fields: Fields, name: str) -> str:
        written = self._text(body, fields, name)
        if name in fields and not NAME.fullmatch(written):
            self._error(
                fields[name], f"'{name}'에는 영문, 숫자, -, _ 로 된 이름이 와야 합니다.",
                f"'{name}' must be a name of letters, digits, - and _",
            )  # fmt: skip
        return written

    def _number(
        self, fields: Fields, name: str, kind: type[Number], default: Number, least: Number, most: Number
    ) -> Number:
        if name not in fields:
            return default
        try:
            number = kind(self._scalar(fields[name]))
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            self._error(
                fields[name], f"'{name}'에는 {least}에서 {most} 사이의 수가 와야 합니다.",
                f"'{name}' must be a number from {least} to {most}",
            )  # fmt: skip
            return default
        return number

    def _skill(self, value: yaml.Node) -> str:
        skill = self._scalar(value)
        if isinstance(value, yaml.ScalarNode) and not SKILL.fullmatch(skill):
            self._error(
                value, f"기술은 이름이나 '이름:단계'로 씁니다. 단계는 1~10입니다: '{skill}'",
                f"a skill is a name, or 'name:level' with a level from 1 to 10: '{skill}'",
            )  # fmt: skip
        return skill

    def _login(self, fields: Fields, name: str) -> str | None:
        if name not in fields:
            return None
        login = self._scalar(fields[name])
        if not LOGIN.fullmatch(login):
            self._error(fields[name], f"요원의 아이디가 아닙니다: '{login}'", f"not the login of an agent: '{login}'")
        return login

    def _yes_or_no(self, fields: Fields, name: str, *, default: bool) -> bool:
        if name not in fields:
            return default
        written = self._scalar(fields[name]).lower()
        if written not in ("true", "false"):
            self._error(fields[name], f"'{name}'에는 true 또는 false가 와야 합니다.", f"'{name}' must be true or false")
        return written == "true"

    def _known(self, fields: Fields, known: set[str]) -> None:
        for name, value in fields.items():
            if name not in known:
                allowed = ", ".join(sorted(known))
                self._error(
                    value, f"모르는 항목 '{name}'입니다. 쓸 수 있는 항목: {allowed}",
                    f"unknown field '{name}'; known are: {allowed}",
                )  # fmt: skip

    def _error(self, value: yaml.Node, ko: str, en: str) -> None:
        self._error_at(_place(value), ko, en)

    def _error_at(self, place: Place, ko: str, en: str) -> None:
        self.problems.append(Problem(self.file, place, Severity.ERROR, ko, en))


_KINDS: dict[str, Callable[[_Reader, str, yaml.Node, Fields], Node]] = {
    "menu": _Reader._menu,
    "say": _Reader._say,
    "ticket_status": _Reader._ticket_status,
    "to_queue": _Reader._to_queue,
    "hang_up": _Reader._hang_up,
}


def _place(value: yaml.Node) -> Place:
    mark = value.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place()
