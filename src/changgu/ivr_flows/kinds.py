"""The flow language as one table: every kind of node, every field, what it means and what may stand in it.

The reader of the files, the published JSON Schema, the documentation and the forms in the browser are all made of this
table, so that none of them can say something different from the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import msgspec

from changgu.ivr_flows import nodes
from changgu.ivr_flows.limits import LOOK_UP_SOURCES, MESSAGE_KINDS


class Form(StrEnum):
    """What stands in a field."""

    NODE = "node"
    """The name of a node."""
    KEYS = "keys"
    """Key → name of a node."""
    SAID = "said"
    """A prompt, or a list of prompts."""
    VALUE = "value"
    """The name of a value."""
    TEXT = "text"
    """A text with `{name}` for values."""
    WHOLE = "whole"
    """A whole number."""
    SECONDS = "seconds"
    FLAG = "flag"
    """true or false."""
    KEY = "key"
    """One key of a telephone."""
    NAME = "name"
    """A name of letters, digits, - and _: a queue, a calendar, another flow, a question."""
    SKILLS = "skills"
    LOGIN = "login"
    ONE_OF = "one_of"
    """One of the field's options."""
    VALUES = "values"
    """Name of a value → text."""
    TESTS = "tests"
    """Comparisons, each with a node."""
    LANGUAGES = "languages"
    """Key → language."""
    GRAMMAR = "grammar"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a node, as it is written; `ko` and `en` say in one sentence what it means."""

    name: str
    form: Form
    ko: str
    en: str
    required: bool = False
    least: float | None = None
    most: float | None = None
    options: tuple[str, ...] = ()
    attribute: str = ""
    """Of the node's class, where that is called otherwise."""

    @property
    def kept_as(self) -> str:
        """The attribute of the node."""
        return self.attribute or self.name


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of node: what stands under `kind`, its class, its sentence, its fields."""

    name: str
    made: type
    ko: str
    en: str
    fields: tuple[Field, ...]

    @property
    def defaults(self) -> Mapping[str, object]:
        """Attribute → what it is where the field is left out; none of those that then are empty or must not be."""
        assert issubclass(self.made, msgspec.Struct)
        known = msgspec.structs.fields(self.made)
        return {one.name: one.default for one in known if one.default not in (msgspec.NODEFAULT, frozenset())}


def _said(required: bool = True, *, en: str = "What the caller hears.", ko: str = "들려줄 안내문.") -> Field:
    return Field("say", Form.SAID, ko, en, required, attribute="prompts")


def _next(ko: str = "다음 단계.", en: str = "Where it goes on.") -> Field:
    return Field("next", Form.NODE, ko, en, required=True)


def _failed(en: str, ko: str) -> Field:
    return Field("failed", Form.NODE, f"{ko} 없으면 상담원으로.", f"{en} Left out: to a person.")


def _node(name: str, ko: str, en: str, *, required: bool = True) -> Field:
    return Field(name, Form.NODE, ko, en, required)


def _queue(*, required: bool = True) -> Field:
    return Field("queue", Form.NAME, "대기열.", "The queue.", required)


_REPEATS = Field(
    "repeats", Form.WHOLE, "응답이 없거나 잘못 눌렀을 때 다시 묻는 횟수.",
    "How often it is asked again after silence or a wrong answer.", least=0, most=5,
)  # fmt: skip
_FIRST = Field(
    "first_timeout", Form.SECONDS, "안내가 끝난 뒤 기다리는 시간(초).",
    "Seconds of silence after the prompt that count as no answer.", least=1, most=60,
)  # fmt: skip
_BETWEEN = Field(
    "between_timeout", Form.SECONDS, "숫자 사이에 기다리는 시간(초).", "Seconds after a digit that end the number.",
    least=1, most=20,
)  # fmt: skip
_PRIORITY = Field(
    "priority", Form.WHOLE, "우선순위. 높을수록 먼저.", "Priority in the queue; higher comes first.",
    least=-100, most=100,
)  # fmt: skip
_SKILLS = Field(
    "skills", Form.SKILLS, "요원에게 필요한 기술. '이름' 또는 '이름:단계'.",
    "What the agent must be able to do: `vpn`, or with a level from 1 to 10, `vpn:3`.",
)  # fmt: skip
_VALUE = Field("name", Form.VALUE, "답을 저장할 값의 이름.", "The value that the answer becomes.", required=True)
_FOUND = _node("found", "찾았을 때.", "When something is found.")
_NOT_FOUND = _node("not_found", "없을 때.", "When there is nothing of the kind.")

_ALL = (
    Kind("menu", nodes.Menu, "번호 하나를 받아 갈 곳을 정합니다.", "Asks for one key and goes where it leads.", (
        _said(),
        Field("keys", Form.KEYS, "번호와 갈 단계. 0은 언제나 상담원입니다.",
              "Key and the node it leads to. 0 is always a person.", required=True),
        Field("repeat_key", Form.KEY, "다시 듣기 번호.", "The key that says the menu again."),
        _REPEATS, _FIRST,
    )),
    Kind("say", nodes.Say, "안내문을 들려주고 다음으로 갑니다.", "Says something and goes on.", (
        _said(), _next(),
        Field("mandatory", Form.FLAG, "끝까지 들어야 하는 안내인지.",
              "Must be heard to its end; keys do not cut it short."),
    )),
    Kind("ticket_status", nodes.TicketStatus, "접수번호를 받아 처리 상태를 읽어 줍니다.",
         "Asks for a ticket number and reads out how far the ticket is.", (
        _said(), _next("상태를 들은 뒤 갈 단계.", "Where the caller goes after hearing the answer."),
        Field("max_digits", Form.WHOLE, "번호의 최대 자릿수.", "Most digits of a number.", least=1, most=20),
        _REPEATS, _FIRST, _BETWEEN,
    )),
    Kind("to_queue", nodes.HandOver, "대기열로 넘깁니다.", "Hands the caller to a queue.", (
        _said(required=False), _queue(), _PRIORITY, _SKILLS,
        Field("agent", Form.LOGIN, "원하는 요원의 아이디.",
              "The login of the one agent wanted; if they do not come free in time, anybody takes the call."),
    )),
    Kind("hang_up", nodes.Goodbye, "인사하고 끊습니다.", "Says goodbye and ends the call.", (
        _said(required=False),
        Field("served", Form.FLAG, "용건이 해결된 것으로 볼지.", "Whether the caller counts as served by the machine."),
    )),
    Kind("collect_digits", nodes.CollectDigits, "숫자를 받아 값으로 둡니다. 별표는 처음부터, 우물 정자는 끝.",
         "Asks for a number and keeps it as a value; * starts anew, # ends it, 0 alone leads to a person.", (
        _said(), _VALUE,
        Field("min", Form.WHOLE, "최소 자릿수.", "Fewest digits.", required=True, least=1, most=32),
        Field("max", Form.WHOLE, "최대 자릿수.", "Most digits.", required=True, least=1, most=32),
        Field("confirm", Form.FLAG, "읽어 주고 맞는지 묻습니다.",
              "Reads the number back and asks whether it is right."),
        _next(), _failed("Where callers go who do not manage.", "끝내 입력하지 못했을 때."),
        _REPEATS, _FIRST, _BETWEEN,
    )),
    Kind("collect_speech", nodes.CollectSpeech, "말로 답을 받습니다. 두 번 못 알아들으면 번호로 묻습니다.",
         "Asks a question that is answered by voice; by keys after two misses, or when no recogniser is free.", (
        _said(), _VALUE,
        Field("grammar", Form.GRAMMAR, "들을 수 있는 말.", "What the caller may say.", required=True),
        Field("keys_say", Form.SAID, "번호로 물을 때의 안내문.", "The same question for keys.",
              attribute="keys_prompts"),
        _next(), _failed("Where callers go who could answer neither way.", "말로도 번호로도 답하지 못했을 때."),
        _REPEATS, _FIRST,
    )),
    Kind("yes_no", nodes.YesNo, "예(1번) 아니요(2번)를 묻습니다.", "Asks a question: 1 is yes, 2 is no.", (
        _said(), _node("yes", "예.", "Yes."), _node("no", "아니요.", "No."),
        Field("voice", Form.FLAG, "말로도 답할 수 있는지.", "Whether it can be answered by voice, too."),
        _REPEATS, _FIRST,
    )),
    Kind("choose_language", nodes.ChooseLanguage, "언어를 고르게 합니다. 안내문은 언어마다 차례로 들려줍니다.",
         "Lets the caller choose a language; the prompt is said in every language, one after the other.", (
        _said(), Field("languages", Form.LANGUAGES, "번호와 언어.", "Key and language.", required=True),
        _next(), _FIRST,
    )),
    Kind("survey_question", nodes.SurveyQuestion, "1번부터 5번까지로 점수를 받습니다. 무응답은 없음으로 남습니다.",
         "Asks for a score from 1 to 5; whoever does not answer goes on and none is kept.", (
        _said(), Field("question", Form.NAME, "설문 문항.", "Which question of the survey this is.", required=True),
        _next(),
        Field("case", Form.TEXT, "묻는 건. 기본은 {case}.", "The case that is asked about; by default {case}."),
        _REPEATS, _FIRST,
    )),
    Kind("condition", nodes.Condition, "값에 따라 갈 곳을 정합니다.", "Goes where the first test leads that holds.", (
        Field("when", Form.TESTS, "차례로 살피는 조건.", "Tests, in order.", required=True, attribute="tests"),
        _node("otherwise", "어느 조건도 맞지 않을 때.", "When none holds."),
    )),
    Kind("set", nodes.SetValue, "값을 정합니다.", "Gives values.", (
        Field("values", Form.VALUES, "이름과 값.", "Names and values.", required=True), _next(),
    )),
    Kind("opening_hours", nodes.OpeningHours, "근무시간과 휴일에 따라 갈 곳을 정합니다.",
         "Goes by the clock and the calendar; afterwards {opens} is when the desk opens next.", (
        Field("calendar", Form.NAME, "근무시간표.", "The calendar.", required=True),
        _node("open", "근무시간.", "During opening hours."),
        _node("closed", "근무시간이 아닐 때.", "Outside of them."),
        _node("lunch", "점심시간. 없으면 closed.", "During the lunch break; left out: as closed.", required=False),
        _node("holiday", "휴일. 없으면 closed.", "On a holiday, named {holiday}; left out: as closed.", required=False),
    )),
    Kind("look_up", nodes.LookUp, "다른 부분에 물어 값으로 둡니다: {이름.항목}.",
         "Asks another part of the house; what it finds becomes {name.field}.", (
        Field("source", Form.ONE_OF, "어디에 물을지.", "Whom to ask.", required=True, options=tuple(LOOK_UP_SOURCES)),
        Field("key", Form.TEXT, "무엇을 물을지.", "What is asked about.", required=True),
        _VALUE, _FOUND, _NOT_FOUND, _failed("When nobody answers in time.", "제때 답이 없을 때."),
    )),
    Kind("http_look_up", nodes.HttpLookUp, "웹 서비스에 GET으로 물어 JSON 답을 값으로 둡니다.",
         "Asks a web service by GET; the fields of its JSON answer become {name.field}.", (
        Field("url", Form.URL, "주소. 값은 호스트 뒤에만 쓸 수 있습니다.",
              "The address; values may stand after the host only.", required=True),
        Field("query", Form.VALUES, "주소 뒤에 붙일 물음.", "Parameters of the query."),
        _VALUE,
        Field("timeout", Form.SECONDS, "기다리는 시간(초).", "Seconds in all.", least=0.5, most=10),
        _FOUND, _NOT_FOUND, _failed("When it does not answer, or not in time.", "제때 답이 없을 때."),
    )),
    Kind("sub_flow", nodes.SubFlow, "다른 흐름을 걷고 돌아옵니다.", "Walks another flow and comes back.", (
        Field("flow", Form.NAME, "부를 흐름.", "The flow.", required=True),
        Field("arguments", Form.VALUES, "넘길 값.", "Values for its parameters."), _next(),
    )),
    Kind("return", nodes.Return, "부른 흐름으로 돌아갑니다.", "Back to the flow that called this one.", (
        Field("values", Form.VALUES, "돌려줄 값.", "Values given back."),
    )),
    Kind("record", nodes.Record, "남기는 말을 녹음합니다. 우물 정자, 침묵, 끊기로 끝납니다.",
         "Takes down what the caller says; #, silence or hanging up ends it.", (
        _said(), _queue(required=False),
        Field("longest", Form.WHOLE, "최대 길이(초).", "Seconds at most.", least=10, most=600),
        Field("to", Form.ONE_OF, "무엇이 될지.", "What becomes of it.", options=("ticket",)),
        _next(), _failed("When nothing was said, or it cannot be kept.", "녹음되지 않았을 때."),
    )),
    Kind("send_message", nodes.SendMessage, "문자나 메일을 보냅니다.", "Sends the answer by SMS or mail.", (
        Field("message", Form.ONE_OF, "문자(sms) 또는 메일(mail).", "`sms` or `mail`.", required=True,
              options=MESSAGE_KINDS, attribute="kind"),
        Field("to", Form.TEXT, "번호나 주소.", "A number or an address.", required=True),
        Field("text", Form.TEXT, "내용.", "What it says.", required=True),
        Field("subject", Form.TEXT, "메일 제목.", "Of a mail."),
        _next(),
        Field("failed", Form.NODE, "보내지 못했을 때. 없으면 그렇게 말하고 다음으로.",
              "When it could not be sent. Left out: on to `next`, having said so."),
    )),
    Kind("callback_request", nodes.CallbackRequest, "전화를 걸어 드리기로 하고 끝냅니다.",
         "Promises to call the caller back; the call ends.", (
        _said(required=False), _queue(),
        Field("number", Form.TEXT, "걸 번호. 기본은 {caller}.", "The number; by default {caller}."),
        _PRIORITY, _SKILLS, _failed("When that number may not be dialled.", "그 번호로 걸 수 없을 때."),
    )),
    Kind("to_agent", nodes.ToAgent, "한 요원을 찾습니다. 제때 안 되면 그 대기열의 누구나 받습니다.",
         "Asks for one agent; when they do not come free in time, anybody in the queue takes the call.", (
        _said(required=False),
        Field("agent", Form.TEXT, "요원의 아이디.", "A login, or a value.", required=True), _queue(), _PRIORITY,
    )),
    Kind("to_number", nodes.ToNumber, "바깥 번호로 연결합니다.", "Puts the caller through to an outside number.", (
        _said(required=False), Field("number", Form.TEXT, "번호.", "The number.", required=True),
        _failed("When nobody answers there.", "받지 않을 때."),
    )),
    Kind("receive_fax", nodes.ReceiveFax, "팩스를 받습니다. 받을 수 없으면 상담원으로.",
         "Takes a fax; the call ends with it. Where none can be taken: to a person.", (
        _said(required=False), _queue(required=False),
        Field("to", Form.ONE_OF, "무엇이 될지.", "What becomes of it.", options=("ticket",)),
    )),
)  # fmt: skip

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""What may stand under `kind`, in the order of the documentation."""

KIND_OF: Mapping[type, Kind] = MappingProxyType({kind.made: kind for kind in _ALL})
"""The other way round."""
