"""From the YAML of one flow to its nodes, by the table of kinds."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import yaml

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.kinds import KINDS, Field, Form
from changgu.ivr_flows.limits import NODES_PER_FLOW, Limits
from changgu.ivr_flows.nodes import (
    KEYS,
    Choice,
    Comparison,
    DigitsPrompt,
    Grammar,
    GrammarKind,
    HandOver,
    NamedPrompt,
    Node,
    NodeName,
    Said,
    SpokenWay,
    TextPrompt,
    ValuePrompt,
    When,
    WrittenPrompt,
)
from changgu.ivr_flows.problems import Place
from changgu.ivr_flows.values import PLACE_HOLDER, VALUE_NAME, mistake_in
from changgu.ivr_flows.yaml_reader import NAME, Fields, YamlReader, place_of

SKILL = re.compile(r"[\w.+#-]{1,64}(?::(?:[1-9]|10))?")
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LANGUAGE = re.compile(r"[a-z]{2}")

TOP = ("flow", "title", "start", "person", "entries", "parameters", "returns", "limits", "nodes")


@dataclass
class FlowReader(YamlReader):
    """Reads one flow; `places` remembers where each field stood, for the findings of the checks."""

    places: dict[tuple[str | None, str], Place] = field(default_factory=dict)

    def read(self, text: str) -> Flow | None:
        """The flow, or None when there is not enough of it to check further."""
        root = self.root(text)
        fields = self.mapping(root) if root is not None else None
        if root is None or fields is None:
            return None
        self.known(fields, TOP)
        self.places.update({(None, name): place_of(value) for name, value in fields.items()})
        nodes = self._nodes(root, fields)
        parameters = self._parameters(fields)
        name, start = self._named(root, fields, "flow"), self._named(root, fields, "start")
        person = self._person(root, fields, nodes, is_sub=parameters is not None)
        limits = self._limits(fields)
        entries = tuple(NodeName(self.name(one, "entries")) for one in self._listed(fields, "entries"))
        returns = tuple(self._value_name(one) for one in self._listed(fields, "returns"))
        if start and start not in nodes and (start, "") not in self.places:
            self.error(
                fields["start"], f"시작 단계 '{start}'이(가) 없습니다.", f"there is no node '{start}' to start at"
            )
        if self.problems or not (start and name):
            return None
        title = self.scalar(fields["title"]) if "title" in fields else name
        return Flow(
            name, title, NodeName(start), NodeName(person), MappingProxyType(nodes), limits, entries,
            parameters=parameters, returns=returns,
        )  # fmt: skip

    def where(self, node: str | None, field_name: str) -> Place:
        """The most exact place known for a finding."""
        exact = self.places.get((node, field_name))
        return exact or self.places.get((node, field_name.partition(".")[0])) or self.places.get((node, "")) or Place()

    # ---- the whole ------------------------------------------------------------------------------------------------

    def _named(self, root: yaml.Node, fields: Fields, name: str) -> str:
        if name in fields:
            return self.name(fields[name], name)
        self.missing(root, name)
        return ""

    def _listed(self, fields: Fields, name: str) -> list[yaml.Node]:
        return self.items(fields[name]) if name in fields else []

    def _person(self, root: yaml.Node, fields: Fields, nodes: Mapping[NodeName, Node], *, is_sub: bool) -> str:
        """A sub-flow has none of its own: 0 leads to the person of the flow that the caller began in."""
        if is_sub:
            if "person" in fields:
                self.error(
                    fields["person"], "매개변수가 있는 흐름에서 0번은 부른 흐름의 상담원으로 갑니다. 지우십시오.",
                    "in a flow with parameters 0 leads to the person of the flow that called it; leave this out",
                )  # fmt: skip
            return ""
        person = self._named(root, fields, "person")
        misread = (person, "") in self.places and person not in nodes  # said already, at the node
        if person and not misread and not isinstance(nodes.get(NodeName(person)), HandOver):
            self.error(
                fields["person"],
                f"상담원 연결 단계 '{person}'은(는) to_queue 단계여야 합니다.",
                f"'{person}' must be a to_queue node: it is where 0 leads",
            )
        return person

    def _parameters(self, fields: Fields) -> Mapping[str, str | None] | None:
        """Name → what it is when it is not given; `null` must be given. Present, if empty: a sub-flow."""
        if "parameters" not in fields:
            return None
        found: dict[str, str | None] = {}
        for name, value in (self.mapping(fields["parameters"]) or {}).items():
            self._check_value_name(value, name)
            required = isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:null"
            found[name] = None if required else self.scalar(value)
        return MappingProxyType(found)

    def _limits(self, fields: Fields) -> Limits:
        if "limits" not in fields:
            return Limits()
        limits = self.mapping(fields["limits"]) or {}
        self.known(limits, ("turns", "visit_minutes"))
        turns, minutes = limits.get("turns"), limits.get("visit_minutes")
        defaults = Limits()
        return Limits(
            turns=defaults.turns if turns is None else self.number(turns, "turns", int, 5, 1000),
            visit=defaults.visit if minutes is None
            else timedelta(minutes=self.number(minutes, "visit_minutes", float, 1.0, 60.0)),
        )  # fmt: skip

    def _nodes(self, root: yaml.Node, fields: Fields) -> dict[NodeName, Node]:
        if "nodes" not in fields:
            self.missing(root, "nodes")
            return {}
        nodes: dict[NodeName, Node] = {}
        listed = self.mapping(fields["nodes"]) or {}
        if len(listed) > NODES_PER_FLOW:
            self.error(
                fields["nodes"], f"단계가 {NODES_PER_FLOW}개를 넘습니다.", f"there are more than {NODES_PER_FLOW} nodes"
            )
            return {}
        for name, body in listed.items():
            if not NAME.fullmatch(name):
                self.error(
                    body, f"단계 이름 '{name}'에는 영문, 숫자, -, _ 만 쓸 수 있습니다.",
                    f"a node's name is made of letters, digits, - and _: '{name}'",
                )  # fmt: skip
                continue
            self.places[name, ""] = place_of(body)
            node = self._node(name, body)
            if node is not None:
                nodes[NodeName(name)] = node
        return nodes

    def _node(self, name: str, body: yaml.Node) -> Node | None:
        fields = self.mapping(body)
        if fields is None:
            return None
        self.places.update({(name, field_name): place_of(value) for field_name, value in fields.items()})
        if "kind" not in fields:
            self.missing(body, "kind")
            return None
        kind = KINDS.get(self.scalar(fields["kind"]))
        if kind is None:
            kinds = ", ".join(KINDS)
            self.error(fields["kind"], f"단계 종류는 {kinds} 중 하나입니다.", f"kind is one of {kinds}")
            return None
        before = len(self.problems)
        self.known(fields, ("kind", *(one.name for one in kind.fields)))
        made: dict[str, Any] = {}
        for one in kind.fields:
            if one.name in fields:
                made[one.kept_as] = self._field(name, one, fields[one.name])
            elif one.required:
                self._is_missing(body, one)
            elif one.form is Form.VALUES:
                made[one.kept_as] = MappingProxyType({})
        if len(self.problems) > before:
            return None
        node: Node = kind.made(**made)
        return node

    def _is_missing(self, body: yaml.Node, one: Field) -> None:
        if one.name == "say":
            self.error(body, "'say' 항목(안내문)이 없습니다.", "'say' is missing: nothing would be heard")
        else:
            self.missing(body, one.name)

    # ---- fields ---------------------------------------------------------------------------------------------------

    def _field(self, node: str, one: Field, value: yaml.Node) -> Any:
        least, most = one.least or 0, one.most or 0
        match one.form:
            case Form.WHOLE:
                return self.number(value, one.name, int, least, most)
            case Form.SECONDS:
                return self.number(value, one.name, float, float(least), float(most))
            case Form.FLAG:
                return self.yes_or_no(value, one.name)
            case Form.ONE_OF:
                return self._one_of(value, one)
            case Form.NODE | Form.NAME:
                return self.name(value, one.name)
            case _:
                return _READ[one.form](self, node, one, value)

    def _said(self, node: str, one: Field, value: yaml.Node) -> tuple[Said, ...]:
        return tuple(prompt for prompt in map(self._prompt, self.one_or_more(value)) if prompt is not None)

    def _prompt(self, value: yaml.Node) -> Said | None:
        if not isinstance(value, yaml.MappingNode):
            return NamedPrompt(self.scalar(value))
        match {name: self.scalar(inner) for name, inner in (self.mapping(value) or {}).items()}:
            case {"text": str(text), **rest} if text.strip() and not rest:
                return self._written(value, {"": text})
            case {"digits": str(digits), **rest} if digits.isdecimal() and not rest:
                return DigitsPrompt(digits)
            case {"file": str(file), **rest} if NAME.fullmatch(file) and not rest:
                return NamedPrompt(file)
            case {"value": str(name), **rest} if VALUE_NAME.fullmatch(name) and rest.keys() <= {"as"}:
                way = rest.get("as", "text")
                if way in tuple(SpokenWay):
                    return ValuePrompt(name, SpokenWay(way))
            case texts if texts and all(LANGUAGE.fullmatch(name) and text.strip() for name, text in texts.items()):
                return self._written(value, texts)
        ways = ", ".join(SpokenWay)
        self.error(
            value,
            f"안내문은 이름이나 {{text: 문장}}, {{ko: 문장, en: 문장}}, {{file: 녹음}}, {{digits: 숫자}}, "
            f"{{value: 이름, as: 방식}}으로 적습니다. 방식: {ways}",
            f"a prompt is a name, {{text: a sentence}}, {{ko: …, en: …}}, {{file: a recording}}, {{digits: a number}} "
            f"or {{value: a name, as: a way}}; ways are {ways}",
        )
        return None

    def _written(self, value: yaml.Node, texts: Mapping[str, str]) -> Said:
        for text in texts.values():
            self._check_text(value, text, spoken=True)
        plain = texts.get("")
        if plain is not None and not PLACE_HOLDER.search(plain):
            return TextPrompt(plain)
        return WrittenPrompt(MappingProxyType(dict(texts)))

    def _keys(self, node: str, one: Field, value: yaml.Node) -> Mapping[str, NodeName]:
        return MappingProxyType({key: NodeName(name) for key, name in self._by_key(node, one, value).items()})

    def _by_key(self, node: str, one: Field, value: yaml.Node) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, target in (self.mapping(value) or {}).items():
            self.places[node, f"{one.name}.{key}"] = place_of(target)
            self._check_key(target, key)
            found[key] = self.name(target, key)
        return found

    def _check_key(self, value: yaml.Node, key: str) -> None:
        if key not in KEYS:
            self.error(value, f"'{key}'은(는) 전화기에 없는 번호입니다.", f"a telephone has no key '{key}'")

    def _key(self, node: str, one: Field, value: yaml.Node) -> str:
        key = self.scalar(value)
        self._check_key(value, key)
        return key

    def _languages(self, node: str, one: Field, value: yaml.Node) -> Mapping[str, str]:
        found = self._by_key(node, one, value)
        if not found:
            self.error(value, "언어가 없습니다.", "there is no language")
        for language in found.values():
            if not LANGUAGE.fullmatch(language):
                self.error(value, f"언어는 ko, en처럼 씁니다: '{language}'", f"not a language such as ko: '{language}'")
        return MappingProxyType(found)

    def _value_name(self, value: yaml.Node) -> str:
        name = self.scalar(value)
        self._check_value_name(value, name)
        return name

    def _check_value_name(self, value: yaml.Node, name: str) -> None:
        if not VALUE_NAME.fullmatch(name):
            self.error(
                value, f"값의 이름은 영문 소문자로 시작합니다: '{name}'",
                f"a value's name begins with a small letter, and has small letters, digits and _: '{name}'",
            )  # fmt: skip

    def _text(self, node: str, one: Field, value: yaml.Node) -> str:
        text = self.scalar(value)
        self._check_text(value, text, spoken=False)
        return text

    def _check_text(self, value: yaml.Node, text: str, *, spoken: bool) -> None:
        mistake = mistake_in(text, spoken=spoken)
        if mistake is not None:
            self.error(
                value, f"'{mistake}'에는 {{이름}}{'이나 {이름:방식}' if spoken else ''}만 쓸 수 있습니다.",
                f"'{mistake}' is no {{name}}{' or {name:way}' if spoken else ''} of a value",
            )  # fmt: skip

    def _values(self, node: str, one: Field, value: yaml.Node) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name, inner in (self.mapping(value) or {}).items():
            self.places[node, f"{one.name}.{name}"] = place_of(inner)
            if one.name != "query":
                self._check_value_name(inner, name)
            found[name] = self._text(node, one, inner)
        return MappingProxyType(found)

    def _skills(self, node: str, one: Field, value: yaml.Node) -> frozenset[str]:
        return frozenset(map(self._skill, self.items(value)))

    def _skill(self, value: yaml.Node) -> str:
        skill = self.scalar(value)
        if isinstance(value, yaml.ScalarNode) and not SKILL.fullmatch(skill):
            self.error(
                value, f"기술은 이름이나 '이름:단계'로 씁니다. 단계는 1~10입니다: '{skill}'",
                f"a skill is a name, or 'name:level' with a level from 1 to 10: '{skill}'",
            )  # fmt: skip
        return skill

    def _login(self, node: str, one: Field, value: yaml.Node) -> str:
        login = self.scalar(value)
        if not LOGIN.fullmatch(login):
            self.error(value, f"요원의 아이디가 아닙니다: '{login}'", f"not the login of an agent: '{login}'")
        return login

    def _one_of(self, value: yaml.Node, one: Field) -> str:
        written = self.scalar(value)
        if written not in one.options:
            options = ", ".join(one.options)
            self.error(value, f"'{one.name}'은(는) {options} 중 하나입니다.", f"'{one.name}' is one of {options}")
        return written

    def _url(self, node: str, one: Field, value: yaml.Node) -> str:
        """The host stands fixed: a caller's keys must not decide whom the desk asks."""
        url = self._text(node, one, value)
        try:
            parts = urlsplit(url)
            fixed = bool(parts.hostname) and "{" not in parts.netloc and parts.scheme in ("http", "https")
        except ValueError:
            fixed = False
        if not fixed or "@" in parts.netloc:
            self.error(
                value, f"http나 https로 시작하고 호스트가 정해진 주소여야 합니다: '{url}'",
                f"not an http or https address with a fixed host and without a password: '{url}'",
            )  # fmt: skip
        return url

    def _tests(self, node: str, one: Field, value: yaml.Node) -> tuple[When, ...]:
        found = []
        for count, inner in enumerate(self.items(value)):
            fields = self.mapping(inner) or {}
            self.places[node, f"when.{count}"] = place_of(inner)
            comparisons = [name for name in fields if name in tuple(Comparison)]
            if len(comparisons) != 1 or fields.keys() != {"value", "go", *comparisons}:
                listed = ", ".join(Comparison)
                self.error(
                    inner, f"조건은 value, go와 다음 중 하나로 씁니다: {listed}",
                    f"a test has value, go and one of: {listed}",
                )  # fmt: skip
                continue
            against = fields[comparisons[0]]
            several = comparisons[0] == Comparison.ONE_OF
            texts = [self._text(node, one, each) for each in (self.items(against) if several else [against])]
            comparison = Comparison(comparisons[0])
            if comparison in (Comparison.MORE_THAN, Comparison.LESS_THAN):
                self.number(against, comparison, float, -1e12, 1e12)
            if comparison is Comparison.KNOWN:
                texts = ["true" if self.yes_or_no(against, "known") else "false"]
            go = NodeName(self.name(fields["go"], "go"))
            found.append(When(self._value_name(fields["value"]), comparison, tuple(texts), go))
        return tuple(found)

    def _grammar(self, node: str, one: Field, value: yaml.Node) -> Grammar:
        """`{digits: [7, 12]}`, or `{choices: [{value: pc, words: [프린터], key: 1}]}`."""
        fields = self.mapping(value) or {}
        match sorted(fields):
            case ["digits"]:
                least, most = self._span(fields["digits"])
                return Grammar(GrammarKind.DIGITS, least=least, most=most)
            case ["choices"]:
                choices = tuple(self._choice(inner) for inner in self.items(fields["choices"]))
                keys = [choice.key for choice in choices]
                if len(set(keys)) < len(keys) or "0" in keys:
                    self.error(
                        fields["choices"], "번호는 답마다 달라야 하고, 0은 상담원입니다.",
                        "every answer has its own key, and 0 is the person",
                    )  # fmt: skip
                return Grammar(GrammarKind.CHOICES, choices)
            case _:
                self.error(
                    value, "{digits: [최소, 최대]} 또는 {choices: […]}로 씁니다.",
                    "write {digits: [least, most]} or {choices: […]}",
                )  # fmt: skip
                return Grammar(GrammarKind.DIGITS)

    def _span(self, value: yaml.Node) -> tuple[int, int]:
        numbers = [self.number(inner, "digits", int, 1, 32) for inner in self.items(value)]
        if len(numbers) == 2 and numbers[0] <= numbers[1]:
            return numbers[0], numbers[1]
        self.error(value, "최소와 최대 자릿수를 씁니다: [7, 12]", "the fewest and the most digits: [7, 12]")
        return 1, 1

    def _choice(self, value: yaml.Node) -> Choice:
        fields = self.mapping(value) or {}
        if fields.keys() != {"value", "words", "key"}:
            self.error(value, "답마다 value, words, key를 씁니다.", "an answer has value, words and key")
            return Choice("", (), "1")
        words = tuple(self.scalar(word).strip() for word in self.one_or_more(fields["words"]))
        if not words or not all(words):
            self.error(fields["words"], "인식할 말이 없습니다.", "there is no word to listen for")
        key = self.scalar(fields["key"])
        self._check_key(fields["key"], key)
        return Choice(self.scalar(fields["value"]), words, key)


_READ: Mapping[Form, Callable[[FlowReader, str, Field, yaml.Node], Any]] = MappingProxyType({
    Form.SAID: FlowReader._said, Form.KEYS: FlowReader._keys, Form.KEY: FlowReader._key,
    Form.LANGUAGES: FlowReader._languages, Form.TEXT: FlowReader._text, Form.VALUES: FlowReader._values,
    Form.SKILLS: FlowReader._skills, Form.LOGIN: FlowReader._login, Form.URL: FlowReader._url,
    Form.TESTS: FlowReader._tests, Form.GRAMMAR: FlowReader._grammar,
    Form.VALUE: lambda reader, node, one, value: reader._value_name(value),
})  # fmt: skip
"""How each form that is more than a number or a name is read."""
