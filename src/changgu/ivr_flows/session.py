"""One caller's way through a menu tree: what is said, what is asked, and where it ends.

The session decides and never waits. `start` and `resume` answer with a `Turn`: steps to perform in order, and then
either something to wait for (resume with what came of it) or an outcome (the caller leaves the menu). Everything the
session remembers is in `Turn.state`, which is frozen and survives `as_dict` → JSON → `from_dict`.

What always holds, whatever the caller does:

* 0 leads to a person: in a menu, instead of a ticket number, after an unknown number (SELF-03);
* silence and wrong keys lead to a repetition with a hint and then to a person (or where the flow says, `failed`),
  never to a hang-up: the caller may have a telephone without keys, or hands that cannot press them;
* a visit asks at most `flow.limits.turns` questions, then a person takes over.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from changgu.ivr_flows import asking
from changgu.ivr_flows.asking import Asking, told
from changgu.ivr_flows.deciding import called_flow, chosen, filled, given_back, values_of
from changgu.ivr_flows.flow import PERSON_KEY, START_OVER_KEY, Flow
from changgu.ivr_flows.limits import NODES_WITHOUT_A_QUESTION, SCORES, SPEECH_MISSES
from changgu.ivr_flows.nodes import (
    CallbackRequest,
    ChooseLanguage,
    CollectDigits,
    CollectSpeech,
    Condition,
    DigitsPrompt,
    Goodbye,
    GrammarKind,
    HandOver,
    HttpLookUp,
    LookUp,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    OpeningHours,
    Prompt,
    Question,
    ReceiveFax,
    Record,
    Return,
    Say,
    SendMessage,
    SetValue,
    SubFlow,
    SurveyQuestion,
    TicketStatus,
    ToAgent,
    ToNumber,
    YesNo,
)
from changgu.ivr_flows.opening_hours import Hours
from changgu.ivr_flows.own_prompts import (
    CALLBACK_PROMISED,
    CONFIRM_NUMBER,
    LOOK_UP_FAILED,
    MESSAGE_FAILED,
    NO_INPUT_PERSON,
    NOT_UNDERSTOOD,
    NOTHING_PRESSED,
    NUMBER_FAILED,
    NUMBER_IS,
    OWN_PROMPTS,
    RECORDING_FAILED,
    TICKET_UNKNOWN,
    TICKET_UNKNOWN_TWICE,
    WRONG_KEY,
)
from changgu.ivr_flows.spoken import ticket_answer
from changgu.ivr_flows.turns import (
    Asked,
    ClockRead,
    DigitsGathered,
    Done,
    Event,
    Failed,
    Frame,
    GiveAnswer,
    GreetingEnded,
    HangUp,
    Heard,
    Left,
    LookedUp,
    LookUpFailed,
    MarkNode,
    NothingPressed,
    NotUnderstood,
    Outcome,
    PersonWanted,
    Play,
    Recorded,
    SessionState,
    SpeechBusy,
    Step,
    ToQueue,
    Turn,
    Visit,
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
from changgu.ivr_flows.values import kept, without

__all__ = [
    "LOOK_UP_FAILED", "NOTHING_PRESSED", "NO_INPUT_PERSON", "OWN_PROMPTS", "TICKET_UNKNOWN", "TICKET_UNKNOWN_TWICE",
    "WRONG_KEY", "Asked", "ClockRead", "DigitsGathered", "Done", "Event", "Failed", "Frame", "GiveAnswer",
    "GreetingEnded", "HangUp", "Heard", "Left", "LookUpFailed", "LookedUp", "MarkNode", "NotUnderstood",
    "NothingPressed", "Outcome", "PersonWanted", "Play", "Recorded", "SessionState", "SpeechBusy", "Step", "ToQueue",
    "Turn", "Visit", "Wait", "WaitCallback", "WaitClock", "WaitDigits", "WaitFax", "WaitHttp", "WaitLookUp",
    "WaitMessage", "WaitNumber", "WaitRecording", "WaitSpeech", "resume", "start",
]  # fmt: skip

UNKNOWN_NUMBERS_BEFORE_OFFER = 2

AGAIN_KEYS = (START_OVER_KEY, "#")


def start(
    flow: Flow, visit: Visit, node: NodeName | None = None, key: str | None = None,
    values: Mapping[str, str] | None = None,
) -> Turn:  # fmt: skip
    """The first turn of a visit; at `node`, by `key`, for a caller who was led there out of a queue. `values` are
    known from the beginning: the `case` of a survey."""
    state = SessionState(visit, node or flow.start, values=kept({}, values or {}))
    return _enter(flow, state, node or flow.start, key, ())


def resume(flow: Flow, state: SessionState, event: Event) -> Turn:
    """The next turn, after what the last one waited for. News that does not answer the question asks it again."""
    tree = called_flow(flow, state)
    node = tree.nodes.get(state.node) if tree is not None else None
    if isinstance(event, PersonWanted) or node is None or state.asked is Asked.NOTHING:
        return _to_person(flow, state, None, ())
    answered = _ANSWERS.get(type(node), _not_answered)(flow, state, node, event)
    return answered if answered is not None else _ask_again(flow, state, node)


Answered = Turn | None
"""None: that was no answer."""


def _not_answered(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    return None


# ---- what was keyed -------------------------------------------------------------------------------------------------


def _at_menu(flow: Flow, state: SessionState, menu: Node, event: Event) -> Answered:
    assert isinstance(menu, Menu)
    match event:
        case DigitsGathered(digits) if digits:
            return _key_at_menu(flow, state, menu, digits[0])
        case DigitsGathered():
            return _missed(flow, state, menu, WRONG_KEY)
        case NothingPressed():
            return _missed(flow, state, menu, NOTHING_PRESSED)
        case _:
            return None


def _key_at_menu(flow: Flow, state: SessionState, menu: Menu, key: str) -> Turn:
    if key == PERSON_KEY:
        return _to_person(flow, state, key, ())
    if key in menu.keys:
        return _enter(flow, state, menu.keys[key], key, ())
    if key in (menu.repeat_key, *AGAIN_KEYS):
        # A late # after a number is no mistake. An answer that led here is part of what is said again.
        answer = ticket_answer(dict(state.answer), state.number, state.visit.language) if state.answer else ()
        return _ask(flow, state, menu, (), Play((*answer, *told(menu, state))))
    return _missed(flow, state, menu, WRONG_KEY)


def _at_ticket_status(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, TicketStatus)
    match state.asked, event:
        case Asked.NUMBER, NothingPressed():
            return _missed(flow, state, node, NOTHING_PRESSED)
        case Asked.NUMBER, DigitsGathered(digits):
            return _ticket_number_keyed(flow, state, node, digits)
        case Asked.LOOK_UP, LookedUp(found):
            return _ticket_looked_up(flow, state, node, found)
        case Asked.LOOK_UP, LookUpFailed():
            return _to_person(flow, state, None, (Play((LOOK_UP_FAILED,)),))
        case Asked.PERSON_OR_BACK, DigitsGathered(digits) if digits[:1] in (START_OVER_KEY, "9"):
            return _enter(flow, state, node.next, digits[0], ())
        case Asked.PERSON_OR_BACK, DigitsGathered(digits):
            return _to_person(flow, state, digits[:1] or None, ())
        case Asked.PERSON_OR_BACK, NothingPressed():
            return _to_person(flow, state, None, ())
        case _:
            return None


def _ticket_number_keyed(flow: Flow, state: SessionState, node: TicketStatus, digits: str) -> Turn:
    number = digits.rpartition(START_OVER_KEY)[2].rstrip("#")
    if PERSON_KEY in (digits[:1], number[:1]):
        return _to_person(flow, state, PERSON_KEY, ())
    if not number.isdecimal():
        return _missed(flow, state, node, WRONG_KEY)
    return Turn((), WaitLookUp("ticket_status", number), None, replace(state, asked=Asked.LOOK_UP, number=number))


def _ticket_looked_up(flow: Flow, state: SessionState, node: TicketStatus, found: Mapping[str, str] | None) -> Turn:
    if found is not None:
        answer = Play(ticket_answer(found, state.number, state.visit.language))
        turn = _enter(flow, replace(state, served=True), node.next, None, (answer,))
        remembered = replace(turn.state, number=state.number, answer=tuple(sorted(found.items())))
        return Turn(turn.steps, turn.wait, turn.outcome, remembered)
    state = replace(state, unknown=state.unknown + 1)
    if state.unknown < UNKNOWN_NUMBERS_BEFORE_OFFER:
        # The digits are read back: the caller hears whether they mistyped or misread the number.
        question = Play((DigitsPrompt(state.number), TICKET_UNKNOWN, *told(node, state)))
        return _ask(flow, replace(state, asked=Asked.NUMBER), node, (), question)
    return _ask(flow, replace(state, asked=Asked.PERSON_OR_BACK), node, (), Play((TICKET_UNKNOWN_TWICE,)))


def _at_digits(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, CollectDigits)
    match state.asked, event:
        case Asked.NUMBER, NothingPressed():
            return _missed(flow, replace(state, number=""), node, NOTHING_PRESSED)
        case Asked.CONFIRMATION, NothingPressed():
            return _missed(flow, state, node, NOTHING_PRESSED)
        case Asked.NUMBER, DigitsGathered(digits):
            return _number_keyed(flow, state, node, digits)
        case Asked.CONFIRMATION, DigitsGathered(digits) if digits[:1] == PERSON_KEY:
            return _to_person(flow, state, PERSON_KEY, ())
        case Asked.CONFIRMATION, DigitsGathered(digits) if digits[:1] == "1":
            return _enter(flow, _with(state, {node.name: state.number}), node.next, "1", ())
        case Asked.CONFIRMATION, DigitsGathered(digits) if digits[:1] in ("2", START_OVER_KEY):
            again = replace(state, asked=Asked.NUMBER, number="")
            return _ask(flow, again, node, (), Play(told(node, state)))
        case Asked.CONFIRMATION, DigitsGathered():
            return _missed(flow, state, node, WRONG_KEY)
        case _:
            return None


def _number_keyed(flow: Flow, state: SessionState, node: CollectDigits, digits: str) -> Turn:
    """Digits before a star are given up; those after it are the beginning of the number, if there is room for more."""
    _, star, number = (state.number + digits).rpartition(START_OVER_KEY)
    if number == PERSON_KEY:
        return _to_person(flow, state, PERSON_KEY, ())
    if star and len(state.number) + len(digits) >= node.max and len(number) < node.max:
        return _ask(flow, replace(state, number=number), node, (), Play(()))
    number = number.rstrip("#")
    if not (number.isdecimal() and node.min <= len(number) <= node.max):
        return _missed(flow, replace(state, number=""), node, WRONG_KEY)
    if not node.confirm:
        return _enter(flow, _with(state, {node.name: number}), node.next, None, ())
    read_back = Play((NUMBER_IS, DigitsPrompt(number), CONFIRM_NUMBER))
    return _ask(flow, replace(state, asked=Asked.CONFIRMATION, number=number, misses=0), node, (), read_back)


def _at_yes_no(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, YesNo)
    match event:
        case DigitsGathered("1" | "2" as key):
            return _enter(flow, state, node.yes if key == "1" else node.no, key, ())
        case Heard("yes" | "no" as word):
            return _enter(flow, state, node.yes if word == "yes" else node.no, None, ())
        case DigitsGathered(digits) if digits[:1] == PERSON_KEY:
            return _to_person(flow, state, PERSON_KEY, ())
        case DigitsGathered(digits) if digits[:1] in AGAIN_KEYS:
            return _ask(flow, state, node, (), Play(told(node, state)))
        case DigitsGathered():
            return _missed(flow, state, node, WRONG_KEY)
        case NothingPressed():
            return _missed(flow, state, node, NOTHING_PRESSED)
        case NotUnderstood() | Heard():
            return _missed(flow, state, node, NOT_UNDERSTOOD)
        case SpeechBusy():
            return _by_keys(flow, state, node)
        case _:
            return None


def _at_speech(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, CollectSpeech)
    match event:
        case Heard(value, words, confidence):
            answer = _choice_of(node, value) if node.grammar.kind is GrammarKind.CHOICES else value
            if answer is None:
                return _missed(flow, state, node, NOT_UNDERSTOOD)
            heard = {node.name: answer, f"{node.name}.words": words, f"{node.name}.confidence": f"{confidence:.2f}"}
            return _enter(flow, _with(state, heard), node.next, None, ())
        case DigitsGathered(digits) if digits == PERSON_KEY:
            return _to_person(flow, state, PERSON_KEY, ())
        case DigitsGathered(digits):
            keyed = asking.keyed_answer(node.grammar, digits)
            if keyed is None:
                return _missed(flow, state, node, WRONG_KEY)
            key = digits[0] if node.grammar.kind is GrammarKind.CHOICES else None  # a number is nobody's business
            return _enter(flow, _with(state, {node.name: keyed}), node.next, key, ())
        case NothingPressed():
            return _missed(flow, state, node, NOTHING_PRESSED)
        case NotUnderstood():
            return _missed(flow, state, node, NOT_UNDERSTOOD)
        case SpeechBusy():
            return _by_keys(flow, state, node)
        case _:
            return None


def _choice_of(node: CollectSpeech, heard: str) -> str | None:
    return next((one.value for one in node.grammar.choices if heard == one.value or heard in one.words), None)


def _by_keys(flow: Flow, state: SessionState, node: CollectSpeech | YesNo) -> Turn:
    """The same question for keys: from here on nobody listens at this node."""
    state = replace(state, asked=Asked.KEY, misses=0)
    question = told(node, state)
    return _ask(flow, state, node, (), Play(question))


def _at_language(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, ChooseLanguage)
    match event:
        case DigitsGathered(digits) if digits[:1] == PERSON_KEY:
            return _to_person(flow, state, PERSON_KEY, ())
        case DigitsGathered(digits) if digits[:1] in node.languages:
            chosen_language = replace(state.visit, language=node.languages[digits[0]])
            return _enter(flow, replace(state, visit=chosen_language), node.next, digits[0], ())
        case DigitsGathered() if state.misses == 0:
            return _ask(flow, replace(state, misses=1), node, (), *_in_every_language(node, state))
        case DigitsGathered() | NothingPressed():
            return _enter(flow, state, node.next, None, ())
        case _:
            return None


def _in_every_language(node: ChooseLanguage, state: SessionState) -> tuple[Play, ...]:
    languages = dict.fromkeys(node.languages.values())
    return tuple(
        Play(told(node, replace(state, visit=replace(state.visit, language=one))), language=one) for one in languages
    )


def _at_survey(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, SurveyQuestion)
    match event:
        case DigitsGathered(digits) if digits[:1] == PERSON_KEY:
            return _to_person(flow, state, PERSON_KEY, ())
        case DigitsGathered(digits) if digits[:1] in SCORES and digits:
            return _scored(flow, state, node, digits[0])
        case (DigitsGathered() | NothingPressed()) if state.misses >= node.repeats:
            return _scored(flow, state, node, None)
        case DigitsGathered() | NothingPressed():
            return _missed(flow, state, node, WRONG_KEY if isinstance(event, DigitsGathered) else NOTHING_PRESSED)
        case _:
            return None


def _scored(flow: Flow, state: SessionState, node: SurveyQuestion, score: str | None) -> Turn:
    answer = GiveAnswer(filled(node.case, state), node.question, int(score) if score else None)
    kept_as = {f"score.{node.question}".lower().replace("-", "_"): score or ""}
    state = replace(_with(state, kept_as), served=state.served or score is not None)
    return _enter(flow, state, node.next, score, (answer,))


def _missed(flow: Flow, state: SessionState, node: Question, hint: NamedPrompt) -> Turn:
    spoken = isinstance(node, CollectSpeech | YesNo) and state.asked is Asked.SPEECH
    state = replace(state, misses=state.misses + 1)
    if spoken and state.misses >= SPEECH_MISSES:
        assert isinstance(node, CollectSpeech | YesNo)
        return _by_keys(flow, state, node)
    if not spoken and state.misses > asking.repeats(node):
        failed = node.failed if isinstance(node, CollectDigits | CollectSpeech) else None
        if failed is not None:
            return _enter(flow, state, failed, None, ())
        return _to_person(flow, state, None, (Play((NO_INPUT_PERSON,)),))
    again: tuple[Prompt, ...] = told(node, state)
    if state.asked is Asked.CONFIRMATION:
        again = (NUMBER_IS, DigitsPrompt(state.number), CONFIRM_NUMBER)
    return _ask(flow, state, node, (), Play((hint, *again)))


# ---- what the world answered ----------------------------------------------------------------------------------------


def _at_look_up(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, LookUp | HttpLookUp)
    if isinstance(event, LookedUp):
        state = replace(state, values=without(state.values, node.name))
    match event:
        case LookedUp(None):
            return _enter(flow, state, node.not_found, None, ())
        case LookedUp(found) if found is not None:
            fields = {f"{node.name}.{name}".lower(): str(value) for name, value in found.items()}
            return _enter(flow, _with(state, fields), node.found, None, ())
        case LookUpFailed() | Failed():
            return _or_person(flow, state, node.failed, LOOK_UP_FAILED)
        case _:
            return None


def _at_hours(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    assert isinstance(node, OpeningHours)
    calendar = flow.calendars.get(node.calendar)
    if not isinstance(event, ClockRead) or calendar is None:
        return None if calendar is not None else _to_person(flow, state, None, ())
    now = calendar.local(event.at)
    standing = calendar.at(event.at, state.visit.language)
    opens = calendar.local(standing.opens).isoformat(timespec="minutes") if standing.opens else ""
    known = {
        "now": now.isoformat(timespec="minutes"), "today": now.date().isoformat(), "opens": opens,
        "holiday": standing.holiday, "hours": standing.hours.value,
    }  # fmt: skip
    ways: dict[Hours, NodeName | None] = {
        Hours.OPEN: node.open, Hours.CLOSED: node.closed, Hours.LUNCH: node.lunch, Hours.HOLIDAY: node.holiday,
    }  # fmt: skip
    return _enter(flow, _with(state, known), ways[standing.hours] or node.closed, None, ())


def _at_deed(flow: Flow, state: SessionState, node: Node, event: Event) -> Answered:
    """Something done for the caller, or not."""
    match node, event:
        case Record(), Recorded(name, seconds):
            said = {"recording": name, "recording.seconds": str(round(seconds))}
            kept_state = replace(_with(state, said), served=True, left=Left.RECORDING)
            return _enter(flow, kept_state, node.next, None, ())
        case Record(), Failed():
            return _or_person(flow, state, node.failed, RECORDING_FAILED)
        case SendMessage(), Done():
            return _enter(flow, replace(state, served=True), node.next, None, ())
        case SendMessage(), Failed():
            said_so = () if node.failed is not None else (Play((MESSAGE_FAILED,)),)
            return _enter(flow, state, node.failed or node.next, None, said_so)
        case CallbackRequest(), Done():
            return Turn((Play((CALLBACK_PROMISED,)),), None, HangUp(True, Left.CALLBACK), _over(state))
        case CallbackRequest(), Failed():
            return _or_person(flow, state, node.failed, None)
        case ToNumber(), Done():
            return Turn((), None, HangUp(True, Left.NUMBER), _over(state))
        case ToNumber(), Failed():
            return _or_person(flow, state, node.failed, NUMBER_FAILED)
        case ReceiveFax(), Done():
            return Turn((), None, HangUp(True, Left.FAX), _over(state))
        case ReceiveFax(), Failed():
            return _to_person(flow, state, None, ())
        case _:
            return None


def _or_person(flow: Flow, state: SessionState, failed: NodeName | None, apology: NamedPrompt | None) -> Turn:
    if failed is not None:
        return _enter(flow, state, failed, None, ())
    return _to_person(flow, state, None, (Play((apology,)),) if apology else ())


_ANSWERS: Mapping[type, Callable[[Flow, SessionState, Node, Event], Answered]] = {
    Menu: _at_menu, TicketStatus: _at_ticket_status, CollectDigits: _at_digits, CollectSpeech: _at_speech,
    YesNo: _at_yes_no, ChooseLanguage: _at_language, SurveyQuestion: _at_survey, LookUp: _at_look_up,
    HttpLookUp: _at_look_up, OpeningHours: _at_hours, Record: _at_deed, SendMessage: _at_deed,
    CallbackRequest: _at_deed, ToNumber: _at_deed, ReceiveFax: _at_deed,
}  # fmt: skip


# ---- moving on ------------------------------------------------------------------------------------------------------


def _enter(flow: Flow, state: SessionState, name: NodeName, key: str | None, steps: Sequence[Step]) -> Turn:
    """Go to a node and on through all that do not wait."""
    done: list[Step] = list(steps)
    for _ in range(NODES_WITHOUT_A_QUESTION):
        tree = called_flow(flow, state)
        node = tree.nodes.get(name) if tree is not None else None
        if node is None:
            break
        done.append(MarkNode(NodeName(f"{state.flow}/{name}") if state.flow else name, key))
        # At the same node again after an answer: misses start afresh, the whole visit's limit does not.
        state = replace(state, node=name, asked=Asked.NOTHING, misses=0, unknown=0, number="", answer=())
        key = None
        match node:
            case Say():
                done += _said(node, state)
                name = node.next
            case SetValue():
                state = _with(state, {value: filled(text, state) for value, text in node.values.items()})
                name = node.next
            case Condition():
                name = chosen(node, values_of(state))
            case SubFlow():
                called = _call(flow, state, node)
                if called is None:
                    break
                state, name = called
            case Return():
                if not state.frames:
                    break
                state, name = _back(state, given_back(tree, node, state))
            case HandOver() | ToAgent() | Goodbye():
                return _ended(node, state, done)
            case _:
                return _begin(flow, state, node, done)
    return _to_person(flow, state, None, done)


def _call(flow: Flow, state: SessionState, node: SubFlow) -> tuple[SessionState, NodeName] | None:
    called = flow.flows.get(node.flow)
    if called is None or len(state.frames) >= asking.SUB_FLOW_DEPTH:
        return None
    given = {name: filled(text, state) for name, text in node.arguments.items()}
    defaults = {name: text for name, text in (called.parameters or {}).items() if text is not None}
    frame = Frame(state.flow, node.next, state.values)
    inside = replace(state, flow=node.flow, frames=(*state.frames, frame), values=kept({}, defaults | given))
    return inside, called.start


def _back(state: SessionState, given: Mapping[str, str]) -> tuple[SessionState, NodeName]:
    frame = state.frames[-1]
    values = kept(frame.values, given)
    return replace(state, flow=frame.flow, frames=state.frames[:-1], values=values), frame.node


def _ended(node: HandOver | ToAgent | Goodbye, state: SessionState, done: list[Step]) -> Turn:
    if said := told(node, state):
        done.append(Play(said))
    match node:
        case HandOver():
            outcome: Outcome = ToQueue(node.queue, node.priority, node.skills, node.agent)
        case ToAgent():
            outcome = ToQueue(node.queue, node.priority, agent=filled(node.agent, state) or None)
        case Goodbye():
            outcome = HangUp(node.served or state.served, state.left)
    return Turn(tuple(done), None, outcome, state)


def _begin(flow: Flow, state: SessionState, node: Node, done: list[Step]) -> Turn:
    """At a node that waits: for the caller, or for the world."""
    if isinstance(node, ChooseLanguage):
        return _ask(flow, replace(state, asked=Asked.KEY), node, done, *_in_every_language(node, state))
    if isinstance(node, Question):
        state = replace(state, asked=asking.asked_first(node))
        return _ask(flow, state, node, done, Play(told(node, state)))
    wait = asking.world_wait(node, state, flow.person_node().queue)
    assert wait is not None, f"{node} neither waits nor goes on"
    if state.turns >= flow.limits.turns:
        return _to_person(flow, state, None, done)
    if said := told(node, state):
        done.append(Play(said))
    return Turn(tuple(done), wait, None, replace(state, asked=Asked.WORLD, turns=state.turns + 1))


def _to_person(flow: Flow, state: SessionState, key: str | None, steps: Sequence[Step]) -> Turn:
    reached = SessionState(
        state.visit, flow.person, turns=state.turns, served=state.served, values=state.values, left=state.left
    )
    return _ended(flow.person_node(), reached, [*steps, MarkNode(flow.person, key)])


def _said(node: Say, state: SessionState) -> tuple[Step, ...]:
    prompts = told(node, state)
    if node.mandatory:
        return (Play(prompts, interruptible=False), GreetingEnded(state.node))
    return (Play(prompts),)


def _with(state: SessionState, values: Mapping[str, str]) -> SessionState:
    return replace(state, values=kept(state.values, values))


def _over(state: SessionState) -> SessionState:
    return replace(state, asked=Asked.NOTHING)


# ---- asking ---------------------------------------------------------------------------------------------------------


def _ask(flow: Flow, state: SessionState, node: Question, before: Sequence[Step], *question: Play) -> Turn:
    if state.turns >= flow.limits.turns:
        return _to_person(flow, state, None, (*before, Play((NO_INPUT_PERSON,))))
    said = tuple(one for one in question if one.prompts)
    return Turn((*before, *said), Asking(node, state).wait(), None, replace(state, turns=state.turns + 1))


def _ask_again(flow: Flow, state: SessionState, node: Node) -> Turn:
    if state.turns >= flow.limits.turns:
        return _to_person(flow, state, None, ())
    asked_again = replace(state, turns=state.turns + 1)
    if state.asked is Asked.LOOK_UP:
        return Turn((), WaitLookUp("ticket_status", state.number), None, asked_again)
    if isinstance(node, Question):
        return Turn((), Asking(node, state).wait(), None, asked_again)
    wait = asking.world_wait(node, state, flow.person_node().queue)
    return Turn((), wait, None, asked_again) if wait is not None else _to_person(flow, state, None, ())
