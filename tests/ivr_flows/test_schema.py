"""The published schema says what the reader of the files says: of every kind, every field, every mistake."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from changgu.ivr_flows import nodes, service
from changgu.ivr_flows.flow_reader import FlowReader
from changgu.ivr_flows.kinds import KIND_OF, KINDS
from changgu.ivr_flows.loader import inspect, read_calendars
from changgu.ivr_flows.reference import reference
from changgu.ivr_flows.schema import calendar_schema, flow_schema

DOCS = Path(__file__).parent.parent.parent / "docs"

FLOW = """\
flow: whole
start: hello
person: operator
limits: {turns: 20, visit_minutes: 5}
nodes:
  hello:
    kind: say
    say: [a, {text: "at {opens:time}"}, {ko: 예, en: "yes"}, {digits: 15}, {value: x, as: nth}]
    next: m
  m: {kind: menu, say: {file: tune}, keys: {1: n, 2: l, "*": m}, repeat_key: 9, repeats: 1, first_timeout: 4.5}
  n: {kind: collect_digits, say: a, name: number, min: 1, max: 8, confirm: true, next: c, failed: operator}
  c:
    kind: condition
    when:
      - {value: number, is: 1, go: s}
      - {value: number, one_of: [2, "3"], go: r}
      - {value: caller, starts_with: "010", go: r}
      - {value: number, more_than: 4, go: v}
      - {value: caller, known: true, go: z}
    otherwise: y
  s: {kind: set, values: {x: "{number}", y2: 3}, next: h}
  h: {kind: opening_hours, calendar: desk, open: w, closed: g, lunch: g, holiday: g}
  l: {kind: choose_language, say: a, languages: {1: ko, 2: en}, next: q}
  q: {kind: survey_question, say: a, question: overall, next: k}
  k: {kind: look_up, source: person, key: "{caller}", name: who, found: f, not_found: w, failed: w}
  w: {kind: http_look_up, url: "https://example.org/a/{number}", query: {q: "{x}"}, name: w, found: f, not_found: f}
  f: {kind: sub_flow, flow: identify, arguments: {employee: "{number}"}, next: g}
  r: {kind: record, say: a, queue: helpdesk, longest: 60, to: ticket, next: e}
  e: {kind: send_message, message: mail, to: "{who.mail}", text: "{number}", subject: s, next: g}
  v: {kind: callback_request, queue: helpdesk, number: "{caller}", priority: 1, skills: [vpn, "sap:3"]}
  y: {kind: yes_no, say: a, yes: t, no: x, voice: true}
  t: {kind: to_agent, agent: kim.je, queue: helpdesk}
  x: {kind: to_number, number: "0215881234"}
  z: {kind: collect_speech, say: a, name: z, grammar: {choices: [{value: pc, words: [프린터], key: 1}]}, next: z2}
  z2: {kind: collect_speech, say: a, name: z2, grammar: {digits: [1, 7]}, next: fax}
  fax: {kind: receive_fax, queue: helpdesk}
  operator: {kind: to_queue, say: a, queue: helpdesk, priority: 3, skills: [vpn], agent: kim.je}
  g: {kind: hang_up, say: a, served: false}
"""


def as_json(text: str) -> Any:
    """As an editor sees it, by YAML 1.2: `yes` is a word, and the names of fields are words."""

    def plain(value: yaml.Node) -> Any:
        match value:
            case yaml.MappingNode():
                return {str(name.value): plain(inner) for name, inner in value.value}
            case yaml.SequenceNode():
                return [plain(inner) for inner in value.value]
            case yaml.ScalarNode(value=str(word), style=None):
                return json.loads(word) if re.fullmatch(r"true|false|null|-?(0|[1-9]\d*)(\.\d+)?", word) else word
            case _:
                return value.value

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    return plain(root)


def schema_accepts(text: str) -> bool:
    return bool(jsonschema.Draft202012Validator(flow_schema()).is_valid(as_json(text)))


def reader_accepts(text: str) -> bool:
    """By its form alone: what the checks find is beyond a schema."""
    reader = FlowReader("f.yaml")
    return reader.read(text) is not None and not reader.problems


def test_the_published_schemas_are_those_of_today() -> None:
    """Made by `changgu ivr schema > docs/flow.schema.json`, and `… schema --calendars > docs/calendars.schema.json`."""
    assert json.loads((DOCS / "flow.schema.json").read_text("utf-8")) == flow_schema()
    assert json.loads((DOCS / "calendars.schema.json").read_text("utf-8")) == calendar_schema()


def test_they_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(flow_schema())
    jsonschema.Draft202012Validator.check_schema(calendar_schema())


def test_every_kind_of_node_is_in_the_table_with_every_field() -> None:
    assert set(KIND_OF) == set(nodes.NODES)
    for kind in KINDS.values():
        known = {one.name for one in msgspec.structs.fields(kind.made)}
        assert known == {one.kept_as for one in kind.fields}, kind.name
        assert all(one.ko and one.en for one in kind.fields)


def test_one_flow_with_every_kind_is_accepted_by_both() -> None:
    used = {node["kind"] for node in as_json(FLOW)["nodes"].values()}
    assert used == set(KINDS) - {"return", "ticket_status"}  # a sub-flow has one, the shipped menus the other
    jsonschema.Draft202012Validator(flow_schema()).validate(as_json(FLOW))
    report = inspect(FLOW, "f.yaml", None, {}, None, service.beside())
    untranslated = "this sentence has no translation into"
    assert [problem.en[: len(untranslated)] for problem in report.errors] == [untranslated] * 2
    assert reader_accepts(FLOW)


@pytest.mark.parametrize("path", service.shipped_flows(), ids=lambda path: path.stem)
def test_what_is_shipped_is_accepted(path: Path) -> None:
    jsonschema.Draft202012Validator(flow_schema()).validate(as_json(path.read_text("utf-8")))


def test_the_shipped_opening_hours_are_accepted() -> None:
    text = service.shipped_menu("calendars").read_text("utf-8")
    jsonschema.Draft202012Validator(calendar_schema()).validate(as_json(text))
    assert read_calendars(text, "calendars.yaml")[1] == ()


MISTAKES = [
    ("kind: yes_no", "kind: yesno"),
    ("yes: t, no: x", "yes: t"),
    ("voice: true", "voice: sometimes"),
    ("min: 1, max: 8", "min: 0, max: 8"),
    ("min: 1, max: 8", "min: 1"),
    ("first_timeout: 4.5", "first_timeout: 90"),
    ("keys: {1: n", "keys: {12: n"),
    ("keys: {1: n", "keys: {1: 'no de'"),
    ("repeat_key: 9", "repeat_key: 19"),
    ("source: person", "source: police"),
    ("message: mail", "message: fax"),
    ("name: number", "name: Number"),
    ("values: {x:", "values: {X Y:"),
    ("is: 1, go: s", "is: 1"),
    ("is: 1, go: s", "is: 1, is_not: 2, go: s"),
    ("known: true", "known: perhaps"),
    ("one_of: [2, \"3\"]", "one_of: 2"),
    ("languages: {1: ko, 2: en}", "languages: {1: korean}"),
    ("grammar: {digits: [1, 7]}", "grammar: {digits: [1]}"),
    ("grammar: {digits: [1, 7]}", "grammar: {numbers: 7}"),
    ("words: [프린터], key: 1", "words: [프린터]"),
    ("{value: x, as: nth}", "{value: x, as: loud}"),
    ("{file: tune}", "{file: tune, as: digits}"),
    ("longest: 60", "longest: 6000"),
    ("served: false", "serves: false"),
    ("turns: 20", "turns: 2"),
    ("person: operator\n", ""),
    ("flow: whole\n", ""),
    ("start: hello", "start: 'he llo'"),
]


@pytest.mark.parametrize(("old", "new"), MISTAKES, ids=[f"{old.strip()} → {new}" for old, new in MISTAKES])
def test_a_mistake_of_form_is_one_for_both(old: str, new: str) -> None:
    assert old in FLOW
    broken = FLOW.replace(old, new, 1)

    assert not reader_accepts(broken)
    assert not schema_accepts(broken)


def test_a_sub_flow_has_no_person_and_every_other_has_one() -> None:
    sub = "flow: s\nstart: b\nparameters: {a: null}\nnodes: {b: {kind: return, values: {c: 1}}}\n"
    assert schema_accepts(sub)
    assert reader_accepts(sub)
    assert not schema_accepts(sub.replace("start: b", "start: b\nperson: b"))
    assert not reader_accepts(sub.replace("start: b", "start: b\nperson: b"))


@pytest.mark.parametrize(("file", "language"), [("flows.md", "en"), ("flows.ko.md", "ko")])
def test_the_documentation_describes_every_node(file: str, language: str) -> None:
    """Made by `changgu ivr describe en` and `… ko`."""
    assert reference(language).strip() in (DOCS / file).read_text("utf-8")
