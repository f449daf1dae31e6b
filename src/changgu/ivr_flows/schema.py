"""The JSON Schema of menu files and of calendars, made of the table of kinds, for completion in editors."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from changgu.ivr_flows.kinds import KINDS, Field, Form, Kind
from changgu.ivr_flows.limits import NODES_PER_FLOW
from changgu.ivr_flows.nodes import Comparison, SpokenWay

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

NAME = r"^[A-Za-z0-9_-]{1,64}$"
VALUE_NAME = r"^[a-z][a-z0-9_]{0,31}(\.[a-z0-9_]{1,32})?$"
KEY = r"^[0-9*#]$"
LANGUAGE = r"^[a-z]{2}$"
PERIOD = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"

SCALAR = {"type": ["string", "number", "boolean"]}
"""YAML makes numbers of what is meant as text; both are read as they are written."""


def flow_schema() -> Schema:
    """Of one menu tree."""
    return {
        "$schema": DRAFT,
        "title": "changgu: 자동응답 메뉴 · a menu tree",
        "type": "object",
        "required": ["flow", "start", "nodes"],
        "additionalProperties": False,
        "properties": {
            "flow": _named("이름 · the name"),
            "title": _described("제목 · the title", {"type": "string"}),
            "start": _named("시작 단계 · the node it starts at"),
            "person": _named("0번이 가는 to_queue 단계 · the to_queue node for 0; not in a sub-flow"),
            "entries": _described(
                "대기열에서 돌아오는 단계 · nodes at which callers come in from a queue",
                {"type": "array", "items": {"$ref": "#/$defs/name"}},
            ),
            "parameters": _described(
                "부를 수 있는 흐름의 매개변수. 비우면 꼭 넘겨야 함 · parameters of a sub-flow; null: must be given",
                _mapping(VALUE_NAME, {"type": ["string", "number", "boolean", "null"]}),
            ),
            "returns": _described(
                "돌려주는 값 · values given back", {"type": "array", "items": {"$ref": "#/$defs/value"}}
            ),
            "limits": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "turns": _described("물음의 최대 수 · questions in one visit", _number("integer", 5, 1000)),
                    "visit_minutes": _described(
                        "메뉴에 머무는 최대 시간(분) · minutes in the menu", _number("number", 1, 60)
                    ),
                },
            },
            "nodes": {
                "type": "object",
                "maxProperties": NODES_PER_FLOW,
                "propertyNames": {"pattern": NAME},
                "additionalProperties": {"$ref": "#/$defs/node"},
            },
        },
        "if": {"required": ["parameters"]},
        "then": {"not": {"required": ["person"]}},
        "else": {"required": ["person"]},
        "$defs": _definitions(),
    }


def calendar_schema() -> Schema:
    """Of the table of opening hours."""
    periods = {"oneOf": [{"$ref": "#/$defs/period"}, {"type": "array", "items": {"$ref": "#/$defs/period"}}]}
    day = {
        "oneOf": [
            _described("휴일의 이름 · a holiday's name", {"type": "string", "minLength": 1}),
            {
                "type": "object", "required": ["name"], "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "hours": _described("그날의 시간 · the hours of that day", periods),
                    "working": _described("공휴일이지만 근무 · a day like others", {"type": "boolean"}),
                },
                "not": {"required": ["hours", "working"]},
            },
        ]
    }  # fmt: skip
    one = {
        "type": "object", "required": ["week"], "additionalProperties": False,
        "properties": {
            "zone": _described("시간대 · the time zone; left out: the desk's", {"type": "string"}),
            "week": _described(
                "요일과 시간 · weekdays and hours",
                _mapping(r"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$", periods),
            ),
            "lunch": _described("점심시간 · the lunch break", periods),
            "holidays": _described("공휴일을 따를 나라, 또는 none · whose public holidays", {"type": "string"}),
            "days": _described("현장의 날. 다른 것보다 앞섬 · the site's own days, before all else",
                               _mapping(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", day)),
        },
    }  # fmt: skip
    return {
        "$schema": DRAFT,
        "title": "changgu: 근무시간과 휴일 · opening hours and holidays",
        "type": "object", "required": ["calendars"], "additionalProperties": False,
        "properties": {"version": SCALAR, "calendars": _mapping(NAME, one)},
        "$defs": {"period": {"type": "string", "pattern": PERIOD}},
    }  # fmt: skip


def _definitions() -> Schema:
    prompt = {
        "oneOf": [
            _described("안내문의 이름 · a prompt's name", SCALAR),
            _described("여기 쓴 문장, {이름:방식} · a sentence", _object({"text": {"type": "string", "minLength": 1}})),
            _described("언어별 문장 · a sentence by language", {
                "type": "object", "minProperties": 1, "additionalProperties": False,
                "patternProperties": {LANGUAGE: {"type": "string", "minLength": 1}},
            }),
            _described("녹음 파일 · a recording", _object({"file": {"$ref": "#/$defs/name"}})),
            _described("한 자리씩 읽는 번호 · digits", _object({"digits": {"type": ["string", "integer"]}})),
            _described("값 · a value", _object(
                {"value": {"$ref": "#/$defs/value"}, "as": {"enum": [way.value for way in SpokenWay]}}, ("value",)
            )),
        ]
    }  # fmt: skip
    choice = _object(
        {
            "value": SCALAR, "words": {"oneOf": [SCALAR, {"type": "array", "items": SCALAR, "minItems": 1}]},
            "key": {"$ref": "#/$defs/key"},
        }
    )  # fmt: skip
    return {
        "name": {"type": ["string", "integer"], "pattern": NAME},
        "value": {"type": "string", "pattern": VALUE_NAME},
        "key": {"type": ["string", "integer"], "pattern": KEY, "minimum": 0, "maximum": 9},
        "prompt": prompt,
        "said": {"oneOf": [{"$ref": "#/$defs/prompt"}, {"type": "array", "items": {"$ref": "#/$defs/prompt"}}]},
        "test": {"oneOf": [_test(one) for one in Comparison]},
        "grammar": {
            "oneOf": [
                _object(
                    {"digits": {"type": "array", "items": _number("integer", 1, 32), "minItems": 2, "maxItems": 2}}
                ),
                _object({"choices": {"type": "array", "items": choice}}),
            ]
        },
        "node": {
            "type": "object", "required": ["kind"],
            "properties": {"kind": {"enum": list(KINDS)}},
            "allOf": [
                {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": _node(kind)}
                for name, kind in KINDS.items()
            ],
        },
    }  # fmt: skip


def _test(comparison: Comparison) -> Schema:
    against: Schema = dict(SCALAR)
    if comparison is Comparison.ONE_OF:
        against = {"type": "array", "items": SCALAR}
    elif comparison is Comparison.KNOWN:
        against = {"type": "boolean"}
    elif comparison in (Comparison.MORE_THAN, Comparison.LESS_THAN):
        against = {"type": ["number", "string"]}
    named = {"value": {"$ref": "#/$defs/value"}, comparison.value: against, "go": {"$ref": "#/$defs/name"}}
    return _object(named)


def _node(kind: Kind) -> Schema:
    return {
        "description": f"{kind.ko}\n{kind.en}",
        "required": ["kind", *(one.name for one in kind.fields if one.required)],
        "additionalProperties": False,
        "properties": {
            "kind": {"const": kind.name},
            **{one.name: _field(one, kind.defaults.get(one.kept_as)) for one in kind.fields},
        },
    }


def _field(one: Field, default: object) -> Schema:
    schema = {"description": f"{one.ko}\n{one.en}", **_form(one)}
    if isinstance(default, str | int | float) and not isinstance(default, Enum) and default != "":
        schema["default"] = default
    return schema


def _form(one: Field) -> Schema:
    match one.form:
        case Form.NODE | Form.NAME:
            return {"$ref": "#/$defs/name"}
        case Form.KEYS:
            return _mapping(KEY, {"$ref": "#/$defs/name"})
        case Form.SAID:
            return {"$ref": "#/$defs/said"}
        case Form.VALUE:
            return {"$ref": "#/$defs/value"}
        case Form.TEXT | Form.LOGIN | Form.URL:
            return dict(SCALAR)
        case Form.WHOLE:
            return _number("integer", one.least or 0, one.most or 0)
        case Form.SECONDS:
            return _number("number", one.least or 0, one.most or 0)
        case Form.FLAG:
            return {"type": "boolean"}
        case Form.KEY:
            return {"$ref": "#/$defs/key"}
        case Form.SKILLS:
            return {"type": "array", "items": {"type": "string"}}
        case Form.ONE_OF:
            return {"enum": list(one.options)}
        case Form.VALUES:
            return _mapping(r"^.{1,65}$" if one.name == "query" else VALUE_NAME, SCALAR)
        case Form.TESTS:
            return {"type": "array", "items": {"$ref": "#/$defs/test"}}
        case Form.LANGUAGES:
            return {**_mapping(KEY, {"type": "string", "pattern": LANGUAGE}), "minProperties": 1}
        case Form.GRAMMAR:
            return {"$ref": "#/$defs/grammar"}


def _described(text: str, schema: Mapping[str, Any]) -> Schema:
    return {"description": text, **schema}


def _named(text: str) -> Schema:
    return _described(text, {"$ref": "#/$defs/name"})


def _number(kind: str, least: float, most: float) -> Schema:
    return {"type": kind, "minimum": least, "maximum": most}


def _mapping(names: str, values: Mapping[str, Any]) -> Schema:
    return {"type": "object", "additionalProperties": False, "patternProperties": {names: values}}


def _object(properties: Mapping[str, Any], required: tuple[str, ...] | None = None) -> Schema:
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "additionalProperties": False, "required": needed, "properties": dict(properties)}
