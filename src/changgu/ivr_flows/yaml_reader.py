"""Reads YAML so that every mistake can be told with its line and column, all of them at once."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml

from changgu.ivr_flows.limits import FILE_CHARACTERS, NESTING
from changgu.ivr_flows.problems import Place, Problem, Severity

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Number = TypeVar("Number", int, float)

Fields = dict[str, yaml.Node]
"""A mapping of the file: name → value, which still knows its line and column."""

# The parser written in C is nine times as fast; where PyYAML was built without it, its own has to do.
FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def place_of(value: yaml.Node) -> Place:
    """Where a value begins."""
    mark = value.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place()


@dataclass
class YamlReader:
    """Reads one file, collecting problems instead of stopping at the first."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def root(self, text: str) -> yaml.Node | None:
        """The file's outermost value, or None when it is not YAML."""
        if len(text) > FILE_CHARACTERS:
            self.error_at(Place(), "파일이 너무 큽니다.", f"the file is longer than {FILE_CHARACTERS} characters")
            return None
        try:
            if _deepest(yaml.parse(text, Loader=FAST)) > NESTING:
                self.error_at(Place(), "너무 깊이 겹쳐 쓴 파일입니다.", "nested too deeply")
                return None
            root: yaml.Node | None = yaml.compose(text, Loader=FAST)
        except yaml.MarkedYAMLError as trouble:
            mark = trouble.problem_mark or trouble.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else Place()
            self.error_at(place, "YAML 문법에 맞지 않습니다.", f"not valid YAML: {trouble.problem}")
            return None
        except yaml.YAMLError as trouble:
            self.error_at(Place(), "YAML 파일로 읽을 수 없습니다.", f"cannot be read as YAML: {trouble}")
            return None
        if root is None:
            self.error_at(Place(), "빈 파일입니다.", "the file is empty")
        return root

    def mapping(self, value: yaml.Node) -> Fields | None:
        """Names and values; each name once."""
        if not isinstance(value, yaml.MappingNode):
            self.error(value, "'이름: 값' 묶음이 와야 합니다.", "expected a mapping of names to values")
            return None
        fields: Fields = {}
        for key, inner in value.value:
            name = self.scalar(key)
            if name in fields:
                self.error(key, f"'{name}'이(가) 두 번 나옵니다.", f"'{name}' appears twice")
            fields[name] = inner
        return fields

    def items(self, value: yaml.Node) -> list[yaml.Node]:
        """A list's values."""
        if isinstance(value, yaml.SequenceNode):
            return list(value.value)
        self.error(value, "목록이 와야 합니다.", "expected a list")
        return []

    def one_or_more(self, value: yaml.Node) -> list[yaml.Node]:
        """A list's values, or the one value itself."""
        return list(value.value) if isinstance(value, yaml.SequenceNode) else [value]

    def scalar(self, value: yaml.Node) -> str:
        """A single value, as it is written."""
        if isinstance(value, yaml.ScalarNode):
            return str(value.value)
        self.error(value, "값 하나가 와야 합니다.", "expected a single value")
        return ""

    def name(self, value: yaml.Node, called: str) -> str:
        """A name of letters, digits, - and _."""
        written = self.scalar(value)
        if isinstance(value, yaml.ScalarNode) and not NAME.fullmatch(written):
            self.error(
                value, f"'{called}'에는 영문, 숫자, -, _ 로 된 이름이 와야 합니다.",
                f"'{called}' must be a name of letters, digits, - and _",
            )  # fmt: skip
        return written

    def number(self, value: yaml.Node, called: str, kind: Callable[[str], Number], least: float, most: float) -> Number:
        """A number between two others."""
        try:
            number = kind(self.scalar(value))
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            self.error(
                value, f"'{called}'에는 {least}에서 {most} 사이의 수가 와야 합니다.",
                f"'{called}' must be a number from {least} to {most}",
            )  # fmt: skip
            return kind("0")
        return number

    def yes_or_no(self, value: yaml.Node, called: str) -> bool:
        """`true` or `false`."""
        written = self.scalar(value).lower()
        if written not in ("true", "false"):
            self.error(value, f"'{called}'에는 true 또는 false가 와야 합니다.", f"'{called}' must be true or false")
        return written == "true"

    def known(self, fields: Fields, known: Iterable[str]) -> None:
        """No other fields than these."""
        allowed = sorted(known)
        for name, value in fields.items():
            if name not in allowed:
                listed = ", ".join(allowed)
                self.error(
                    value, f"모르는 항목 '{name}'입니다. 쓸 수 있는 항목: {listed}",
                    f"unknown field '{name}'; known are: {listed}",
                )  # fmt: skip

    def missing(self, body: yaml.Node, name: str) -> None:
        """A field that must be there is not."""
        self.error(body, f"'{name}' 항목이 없습니다.", f"'{name}' is missing")

    def error(self, value: yaml.Node, ko: str, en: str) -> None:
        """Something is wrong at a value."""
        self.error_at(place_of(value), ko, en)

    def error_at(self, place: Place, ko: str, en: str) -> None:
        """Something is wrong at a place."""
        self.problems.append(Problem(self.file, place, Severity.ERROR, ko, en))

    @property
    def failed(self) -> bool:
        """Whether anything keeps the file from being used."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def _deepest(events: Iterable[yaml.Event]) -> int:
    depth = deepest = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return deepest
