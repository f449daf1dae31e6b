"""How each question is put: what is said, what is waited for, how often it is repeated."""

from dataclasses import dataclass

from changgu.ivr_flows.deciding import filled, values_of
from changgu.ivr_flows.limits import SUB_FLOW_DEPTH
from changgu.ivr_flows.nodes import (
    CallbackRequest,
    ChooseLanguage,
    CollectDigits,
    CollectSpeech,
    Grammar,
    GrammarKind,
    HttpLookUp,
    LookUp,
    Menu,
    Node,
    OpeningHours,
    Prompt,
    Question,
    ReceiveFax,
    Record,
    Said,
    SendMessage,
    SurveyQuestion,
    TicketStatus,
    ToNumber,
    YesNo,
    said_at,
)
from changgu.ivr_flows.spoken_values import resolved
from changgu.ivr_flows.turns import (
    Asked,
    SessionState,
    Wait,
    WaitCallback,
    WaitClock,
    WaitDigits,
    WaitFax,
    WaitHttp,
    WaitLookUp,
    WaitMessage,
    WaitNumber,
    WaitRecording,
    WaitSpeech,
)

__all__ = ["SUB_FLOW_DEPTH", "Asking", "asked_first", "keyed_answer", "repeats", "told", "world_wait"]


def told(node: Node, state: SessionState) -> tuple[Prompt, ...]:
    """What a node says now, with the caller's values in it."""
    said: tuple[Said, ...] = said_at(node)
    if isinstance(node, CollectSpeech):
        said = node.keys_prompts or node.prompts if state.asked is Asked.KEY else node.prompts
    return resolved(said, values_of(state), state.visit.language)


def asked_first(node: Question) -> Asked:
    """What is asked when the caller comes to a question."""
    match node:
        case TicketStatus() | CollectDigits():
            return Asked.NUMBER
        case CollectSpeech():
            return Asked.SPEECH
        case YesNo() if node.voice:
            return Asked.SPEECH
        case _:
            return Asked.KEY


def repeats(node: Question) -> int:
    """How often a question is put again."""
    return 1 if isinstance(node, ChooseLanguage) else node.repeats


def keyed_answer(grammar: Grammar, digits: str) -> str | None:
    """What keys pressed mean where something was to be said; None: nothing."""
    if grammar.kind is GrammarKind.CHOICES:
        return next((choice.value for choice in grammar.choices if choice.key == digits[:1]), None)
    number = digits.rpartition("*")[2].rstrip("#")
    return number if number.isdecimal() and grammar.least <= len(number) <= grammar.most else None


@dataclass(frozen=True, slots=True)
class Asking:
    """A question as it is put now."""

    node: Question
    state: SessionState

    def wait(self) -> Wait:
        """What to wait for."""
        node, asked = self.node, self.state.asked
        match node:
            case TicketStatus() if asked is Asked.NUMBER:
                # Room for one number given up with a star, the star, and the right number.
                return WaitDigits(2 * node.max_digits + 1, node.first_timeout, node.between_timeout, terminator="#")
            case CollectDigits() if asked is Asked.NUMBER:
                # Numbers may begin with 0, as telephones and days of birth do: alone it leads to a person.
                room = node.max - len(self.state.number)
                return WaitDigits(room, node.first_timeout, node.between_timeout, terminator="#", ends_at_once="")
            case CollectSpeech() if asked is Asked.SPEECH:
                return WaitSpeech(node.grammar, self._keys(node.grammar))
            case CollectSpeech():
                return self._keys(node.grammar)
            case YesNo() if asked is Asked.SPEECH:
                return WaitSpeech(Grammar(GrammarKind.YES_NO), _one_key(node.first_timeout))
            case Menu() | TicketStatus() | CollectDigits() | YesNo() | ChooseLanguage() | SurveyQuestion():
                return _one_key(node.first_timeout)

    def _keys(self, grammar: Grammar) -> WaitDigits:
        if grammar.kind is GrammarKind.CHOICES:
            return _one_key(self.node.first_timeout)
        return WaitDigits(grammar.most, self.node.first_timeout, 4.0, terminator="#", ends_at_once="")


def _one_key(first_timeout: float) -> WaitDigits:
    return WaitDigits(1, first_timeout, 1.0)


def world_wait(node: Node, state: SessionState, person_queue: str) -> Wait | None:
    """What a node asks of the world; None for one that asks nothing of it."""
    match node:
        case LookUp():
            return WaitLookUp(node.source, filled(node.key, state), state.visit.caller or "")
        case HttpLookUp():
            query = tuple((name, filled(text, state)) for name, text in node.query.items())
            return WaitHttp(filled(node.url, state, quoted=True), query, node.timeout)
        case OpeningHours():
            return WaitClock()
        case Record():
            return WaitRecording(node.queue or person_queue, node.longest, node.to)
        case SendMessage():
            to, text, subject = filled(node.to, state), filled(node.text, state), filled(node.subject, state)
            return WaitMessage(node.kind, to, text, subject)
        case CallbackRequest():
            return WaitCallback(node.queue, filled(node.number, state), node.priority, node.skills)
        case ToNumber():
            return WaitNumber(filled(node.number, state))
        case ReceiveFax():
            return WaitFax(node.queue or person_queue, node.to)
        case _:
            return None
