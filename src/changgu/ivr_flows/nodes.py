"""The kinds of place a caller can be in: a menu, a sentence, a question, a look-up, a hand-over, a goodbye."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NewType, assert_never, get_args

from msgspec import Struct, field

NodeName = NewType("NodeName", str)
"""A node's short name inside its flow: letters, digits, `-` and `_`."""

KEYS = frozenset("0123456789*#")
"""What a telephone has."""

# ---- what is said ---------------------------------------------------------------------------------------------------


class NamedPrompt(Struct, frozen=True):
    """A sentence known by name: its text is in `prompts/<language>.toml`, and a recorded file may replace it."""

    name: str
    text: str = ""
    """What it says in the version of the menu that says it; empty: what the desk's catalogue says now."""


class DigitsPrompt(Struct, frozen=True):
    """A number spoken one digit at a time (접수번호, 전화번호)."""

    digits: str


class TextPrompt(Struct, frozen=True):
    """A sentence written where it is used; it is synthesised before the first caller, like the others."""

    text: str


Prompt = NamedPrompt | DigitsPrompt | TextPrompt
"""What a session plays; all that follows is made of these once the caller's values are known."""


class SpokenWay(StrEnum):
    """How a value is read out; each is said in `spoken.value_said` as callers expect to hear it."""

    TEXT = "text"
    """As it is written: a name. Synthesised while the caller waits, unless it was said before."""
    DIGITS = "digits"
    """공 일 공: ticket and telephone numbers."""
    NUMBER = "number"
    """Sino-Korean, 0 to 99,999,999: 삼백이십."""
    NTH = "nth"
    """첫 번째."""
    PEOPLE = "people"
    """두 명."""
    MINUTES = "minutes"
    """십 분."""
    DATE = "date"
    """십일월 이십일일; 오늘 and 내일 when it is near."""
    TIME = "time"
    """오후 세 시 십 분."""
    MOMENT = "moment"
    """Date and time."""
    TICKET = "ticket"
    """Of what was looked up of a ticket, all of it: number, state, support line, expected completion."""


class ValuePrompt(Struct, frozen=True):
    """A value of the visit, read out in its own way; not said at all when there is no such value."""

    name: str
    way: SpokenWay = SpokenWay.TEXT


class WrittenPrompt(Struct, frozen=True):
    """A sentence written where it is used, language → text, with values in it: `접수번호 {ticket:digits} 건입니다.`"""

    texts: Mapping[str, str]


Said = Prompt | ValuePrompt | WrittenPrompt
"""What may stand under `say`."""

# ---- nodes that every desk has --------------------------------------------------------------------------------------


class Menu(Struct, frozen=True):
    """Asks for one key and goes where it leads. 0 leads to a person in every menu (SELF-03)."""

    prompts: tuple[Said, ...]
    keys: Mapping[str, NodeName]
    repeat_key: str = "9"
    """Says the menu again, with the answer that led to it; `*` and `#` do too unless `keys` gives them a meaning."""
    repeats: int = 2
    """How often the menu is said again after silence or a wrong key, before a person takes over."""
    first_timeout: float = 6.0
    """Seconds of silence after the prompt that count as no answer."""


class Say(Struct, frozen=True):
    """Says something and goes on without waiting."""

    prompts: tuple[Said, ...]
    next: NodeName
    mandatory: bool = False
    """A greeting that must be heard to its end (the notice of recording): keys are kept, but do not cut it short."""


class TicketStatus(Struct, frozen=True):
    """Asks for a ticket number, reads out how far the ticket is, and goes on (CTI-02)."""

    prompts: tuple[Said, ...]
    next: NodeName
    """Where the caller goes after hearing the answer."""
    max_digits: int = 12
    repeats: int = 2
    first_timeout: float = 8.0
    between_timeout: float = 4.0
    """Seconds after a digit that end the number without `#`."""


class HandOver(Struct, frozen=True):
    """Hands the caller to a queue; the menu is over."""

    queue: str
    prompts: tuple[Said, ...] = ()
    priority: int = 0
    skills: frozenset[str] = field(default_factory=frozenset)
    """What the agent must be able to do: `vpn`, or with a level from 1 to 10, `vpn:3`."""
    agent: str | None = None
    """The login of the one agent wanted; when they do not come free in time, anybody takes the call."""


class Goodbye(Struct, frozen=True):
    """Says goodbye and ends the call."""

    prompts: tuple[Said, ...] = ()
    served: bool = True
    """Whether a caller who gets here counts as served by the machine."""


# ---- questions ------------------------------------------------------------------------------------------------------


class CollectDigits(Struct, frozen=True):
    """Asks for a number and keeps it as a value; `*` starts it anew, `#` ends it, 0 alone leads to a person."""

    name: str
    """The value that the number becomes."""
    min: int
    max: int
    """Fewest and most digits."""
    prompts: tuple[Said, ...]
    next: NodeName
    confirm: bool = False
    """Read the number back and ask whether it is right."""
    failed: NodeName | None = None
    """Where callers go who do not manage; None: to a person."""
    repeats: int = 2
    first_timeout: float = 8.0
    between_timeout: float = 4.0


class GrammarKind(StrEnum):
    """What kind of answer is listened for."""

    CHOICES = "choices"
    """One of some words."""
    DIGITS = "digits"
    """A number said digit by digit, natively or in Sino-Korean."""
    YES_NO = "yes_no"


class Choice(Struct, frozen=True):
    """One answer that can be spoken, and the key that means the same."""

    value: str
    words: tuple[str, ...]
    key: str


class Grammar(Struct, frozen=True):
    """What a caller may say. Choices are empty for digits; least and most count digits."""

    kind: GrammarKind
    choices: tuple[Choice, ...] = ()
    least: int = 1
    most: int = 12


class CollectSpeech(Struct, frozen=True):
    """Asks a question that is answered by voice; by keys at once when no recogniser is free, or after two misses."""

    name: str
    grammar: Grammar
    prompts: tuple[Said, ...]
    next: NodeName
    failed: NodeName | None = None
    """Where callers go who could answer neither by voice nor by keys; None: to a person."""
    keys_prompts: tuple[Said, ...] = ()
    """The same question for keys: `프린터는 1번, 네트워크는 2번을 눌러 주십시오.`"""
    repeats: int = 2
    first_timeout: float = 6.0


class YesNo(Struct, frozen=True):
    """Asks a question with two answers: 1 is yes, 2 is no, or both by voice."""

    prompts: tuple[Said, ...]
    yes: NodeName
    no: NodeName
    voice: bool = False
    repeats: int = 2
    first_timeout: float = 6.0


class ChooseLanguage(Struct, frozen=True):
    """Lets the caller choose a language by key; the question is asked in every language, one after the other."""

    prompts: tuple[Said, ...]
    languages: Mapping[str, str]
    """Key → language."""
    next: NodeName
    first_timeout: float = 4.0
    """Seconds of silence after which the caller goes on in the language they are in."""


class SurveyQuestion(Struct, frozen=True):
    """Asks for a score from 1 to 5; whoever does not answer goes on, and none is kept (SAT-02, 무응답)."""

    question: str
    """Which of the survey's questions this is: `promptness`, `accuracy`, `kindness`, `satisfaction`."""
    prompts: tuple[Said, ...]
    next: NodeName
    case: str = "{case}"
    """The case that is asked about; by default the value `case`."""
    repeats: int = 1
    first_timeout: float = 6.0


# ---- deciding -------------------------------------------------------------------------------------------------------


class Comparison(StrEnum):
    """What is asked of a value; numbers are compared as numbers."""

    IS = "is"
    IS_NOT = "is_not"
    ONE_OF = "one_of"
    STARTS_WITH = "starts_with"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"
    KNOWN = "known"
    """Against `true` or `false`: whether there is such a value, and it is not empty."""


class When(Struct, frozen=True):
    """`value` compared with `against` (several only for ONE_OF), and where the caller goes when it holds."""

    value: str
    comparison: Comparison
    against: tuple[str, ...]
    go: NodeName


class Condition(Struct, frozen=True):
    """Goes where the first test leads that holds, otherwise elsewhere."""

    tests: tuple[When, ...]
    otherwise: NodeName


class SetValue(Struct, frozen=True):
    """Gives values; `{name}` in them stands for another one."""

    values: Mapping[str, str]
    next: NodeName


class OpeningHours(Struct, frozen=True):
    """Goes by the clock and the calendar (SCP-03). Afterwards `opens` is when the desk opens next."""

    calendar: str
    open: NodeName
    closed: NodeName
    lunch: NodeName | None = None
    """During the lunch break; None: as `closed`."""
    holiday: NodeName | None = None
    """On a public or substitute holiday, of which `holiday` is the name; None: as `closed`."""


class LookUp(Struct, frozen=True):
    """Asks another part of the house; what it finds becomes `<name>.<field>`."""

    source: str
    """One of `limits.LOOK_UP_SOURCES`."""
    key: str
    """What is asked about: `{caller}`, `{ticket}`."""
    name: str
    found: NodeName
    not_found: NodeName
    failed: NodeName | None = None
    """When nobody answers in time; None: to a person."""


class HttpLookUp(Struct, frozen=True):
    """Asks a web service by GET; the fields of its JSON answer become `<name>.<field>`."""

    url: str
    """With `{name}` for values after the host only."""
    query: Mapping[str, str]
    name: str
    found: NodeName
    not_found: NodeName
    """The service says 404 or an empty answer."""
    timeout: float = 3.0
    """Seconds in all."""
    failed: NodeName | None = None
    """When it does not answer, or not in time; None: to a person."""


class SubFlow(Struct, frozen=True):
    """Walks another flow and comes back; it knows only its arguments, and gives back only what it returns."""

    flow: str
    next: NodeName
    arguments: Mapping[str, str] = field(default_factory=dict)


class Return(Struct, frozen=True):
    """The end of a sub-flow: back to the flow that called it, with these values."""

    values: Mapping[str, str] = field(default_factory=dict)


# ---- doing something for the caller ---------------------------------------------------------------------------------


class Record(Struct, frozen=True):
    """Takes down what the caller says (INC-01); `#`, silence or hanging up ends it."""

    prompts: tuple[Said, ...]
    next: NodeName
    queue: str = ""
    """For whom the message is; "" is the queue of the person."""
    longest: int = 180
    """Seconds."""
    to: str = "ticket"
    failed: NodeName | None = None


class SendMessage(Struct, frozen=True):
    """Sends the caller the answer by SMS or mail (TEC-02)."""

    kind: str
    """`sms` or `mail`."""
    to: str
    """A number or an address, usually a value: `{caller}`, `{person.mail}`."""
    text: str
    next: NodeName
    subject: str = ""
    """Of a mail."""
    failed: NodeName | None = None
    """When it could not be sent; None: on to `next`, having said so."""


class CallbackRequest(Struct, frozen=True):
    """Promises to call the caller back; the menu is over."""

    queue: str
    prompts: tuple[Said, ...] = ()
    number: str = "{caller}"
    priority: int = 0
    skills: frozenset[str] = field(default_factory=frozenset)
    failed: NodeName | None = None
    """When that number may not be dialled, or there is none; None: to a person."""


class ToAgent(Struct, frozen=True):
    """Asks for one agent, in a queue: when they do not come free in time, anybody there takes the call."""

    agent: str
    """A login; may be a value."""
    queue: str
    prompts: tuple[Said, ...] = ()
    priority: int = 0


class ToNumber(Struct, frozen=True):
    """Puts the caller through to an outside number (콜 전달); the menu is over once somebody answers."""

    number: str
    prompts: tuple[Said, ...] = ()
    failed: NodeName | None = None
    """When nobody answers there; None: to a person."""


class ReceiveFax(Struct, frozen=True):
    """Takes a fax; the call ends with it. Where none can be taken: to a person."""

    prompts: tuple[Said, ...] = ()
    to: str = "ticket"
    queue: str = ""


Node = (
    Menu | Say | TicketStatus | HandOver | Goodbye | CollectDigits | CollectSpeech | YesNo | ChooseLanguage
    | SurveyQuestion | Condition | SetValue | OpeningHours | LookUp | HttpLookUp | SubFlow | Return | Record
    | SendMessage | CallbackRequest | ToAgent | ToNumber | ReceiveFax
)  # fmt: skip

NODES: tuple[type, ...] = get_args(Node)
"""Every kind of node, for the completeness tests."""

Question = Menu | TicketStatus | CollectDigits | CollectSpeech | YesNo | ChooseLanguage | SurveyQuestion
"""Nodes at which the caller is asked something."""


def ways_on(node: Node) -> dict[str, NodeName]:
    """Where a caller can go from `node`: the key pressed or the name of the field → node.

    A `failed` that is left out leads to the person and is not named here.
    """
    match node:
        case Menu():
            return dict(node.keys)
        case Condition():
            return {f"when.{count}": test.go for count, test in enumerate(node.tests)} | {"otherwise": node.otherwise}
        case YesNo():
            return {"yes": node.yes, "no": node.no}
        case OpeningHours():
            ways = {"open": node.open, "closed": node.closed, "lunch": node.lunch, "holiday": node.holiday}
        case LookUp() | HttpLookUp():
            ways = {"found": node.found, "not_found": node.not_found, "failed": node.failed}
        case CollectDigits() | CollectSpeech() | Record() | SendMessage():
            ways = {"next": node.next, "failed": node.failed}
        case CallbackRequest() | ToNumber():
            ways = {"failed": node.failed}
        case Say() | TicketStatus() | ChooseLanguage() | SurveyQuestion() | SetValue() | SubFlow():
            return {"next": node.next}
        case HandOver() | Goodbye() | ToAgent() | ReceiveFax() | Return():
            return {}
        case _:
            assert_never(node)
    return {way: target for way, target in ways.items() if target is not None}


def said_at(node: Node) -> tuple[Said, ...]:
    """All that is written to be said at a node."""
    match node:
        case Condition() | SetValue() | OpeningHours() | LookUp() | HttpLookUp() | SubFlow() | Return() | SendMessage():
            return ()
        case CollectSpeech():
            return (*node.prompts, *node.keys_prompts)
        case _:
            return node.prompts


def queues_at(node: Node) -> Iterator[str]:
    """The queues that a node names."""
    match node:
        case HandOver() | CallbackRequest() | ToAgent():
            yield node.queue
        case (Record() | ReceiveFax()) if node.queue:
            yield node.queue
        case _:
            return


def waits(node: Node) -> bool:
    """Whether the caller is asked something here, so that a walk cannot run on without them."""
    return isinstance(node, Question | Record)
