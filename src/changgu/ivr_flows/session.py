"""One caller's way through a menu tree: what is said, what is asked, and where it ends.

The session decides and never waits. `start` and `resume` answer with a `Turn`: steps to perform in order, and then
either something to wait for (resume with what came of it) or an outcome (the caller leaves the menu). Everything the
session remembers is in `Turn.state`, which is frozen and survives `as_dict` → JSON → `from_dict`.

What always holds, whatever the caller does:

* 0 leads to a person: in a menu, instead of a ticket number, after an unknown number (SELF-03);
* silence and wrong keys lead to a repetition with a hint and then to a person, never to a hang-up: the caller may
  have a telephone without keys, or hands that cannot press them;
* a visit asks at most `flow.limits.turns` questions, then a person takes over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from changgu.ivr_flows.flow import PERSON_KEY, START_OVER_KEY, Flow
from changgu.ivr_flows.nodes import (
    DigitsPrompt,
    Goodbye,
    HandOver,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    Prompt,
    Said,
    Say,
    TextPrompt,
    TicketStatus,
)
from changgu.ivr_flows.spoken import ticket_answer

# ---- what the shell is asked to do ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    """Say these, one after the other. Keys pressed meanwhile are never lost: they count for the next `WaitDigits`."""

    prompts: tuple[Prompt, ...]
    interruptible: bool = True
    """Whether a key stops the sound at once. False for what must be heard to its end (the notice of recording)."""


@dataclass(frozen=True, slots=True)
class MarkNode:
    """The caller reached a node, having pressed `key` at the one before (None: no key was needed)."""

    node: NodeName
    key: str | None = None


@dataclass(frozen=True, slots=True)
class GreetingEnded:
    """The mandatory greeting has been heard to its end: from here a hang-up is the caller's choice.

    Clocks of short abandons start here (TEC-02); everything before was ours, not the caller's, to spend.
    """

    node: NodeName


Step = Play | MarkNode | GreetingEnded


@dataclass(frozen=True, slots=True)
class WaitDigits:
    """Gather keys, those already pressed during this visit's prompts first; then resume.

    Resume with `DigitsGathered` (without the terminator) when `max_digits` were pressed, when `terminator` was
    pressed (also alone: then the digits are empty), when the first key is one of `ends_at_once`, or when
    `between_timeout` seconds passed after the last one; with `NothingPressed` when `first_timeout` seconds passed
    after the end of the prompts.
    """

    max_digits: int
    first_timeout: float
    between_timeout: float
    terminator: str | None = None
    ends_at_once: str = PERSON_KEY
    barge_in: bool = True
    """Whether keys pressed while the prompts of this turn were still playing count."""


@dataclass(frozen=True, slots=True)
class WaitLookUp:
    """Look something up in another system, then resume with `LookedUp` or `LookUpFailed`.

    kind `ticket_status`: argument is the ticket number as keyed. See `spoken.ticket_answer` for what to find.
    """

    kind: str
    argument: str


Wait = WaitDigits | WaitLookUp

# ---- what came of it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DigitsGathered:
    """The caller pressed these keys."""

    digits: str


@dataclass(frozen=True, slots=True)
class NothingPressed:
    """The caller pressed nothing in time."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The other system answered; None when it knows nothing of the kind."""

    found: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class LookUpFailed:
    """The other system did not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class PersonWanted:
    """The caller must reach a person now, whatever was asked (the visit took too long, or we are going down)."""


Event = DigitsGathered | NothingPressed | LookedUp | LookUpFailed | PersonWanted

# ---- where it ends --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToQueue:
    """The caller goes to a queue."""

    queue: str
    priority: int = 0
    skills: frozenset[str] = field(default_factory=frozenset)
    agent: str | None = None
    """The one agent wanted."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call ends here."""

    served: bool


Outcome = ToQueue | HangUp


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known of the caller before they press anything."""

    caller: str | None = None
    dialled: str = ""
    language: str = "ko"


class Asked(StrEnum):
    """What the caller, or another system, was asked last."""

    KEY = "key"
    NUMBER = "number"
    LOOK_UP = "look_up"
    PERSON_OR_BACK = "person_or_back"
    NOTHING = "nothing"
    """The visit has its outcome."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """All that a session remembers between two turns."""

    visit: Visit
    node: NodeName
    asked: Asked = Asked.NOTHING
    misses: int = 0
    """Silences and wrong keys at this node."""
    unknown: int = 0
    """Numbers keyed at this node that nobody knew."""
    number: str = ""
    """The number being looked up, or looked up last."""
    answer: tuple[tuple[str, str], ...] = ()
    """What was found, while the caller is at the node that followed it and may ask to hear it again."""
    turns: int = 0
    """Questions asked in this visit."""
    served: bool = False
    """Whether the caller already got an answer: a hang-up from here on is not an abandoned call."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "caller": self.visit.caller, "dialled": self.visit.dialled, "language": self.visit.language,
            "node": self.node, "asked": self.asked.value, "misses": self.misses, "unknown": self.unknown,
            "number": self.number, "answer": dict(self.answer), "turns": self.turns, "served": self.served,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "SessionState":
        """What `as_dict` wrote."""
        return cls(
            visit=Visit(plain["caller"], plain["dialled"], plain["language"]), node=NodeName(plain["node"]),
            asked=Asked(plain["asked"]), misses=plain["misses"], unknown=plain["unknown"],
            number=plain["number"], answer=tuple(sorted(plain["answer"].items())), turns=plain["turns"],
            served=plain["served"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """Perform the steps in order; then there is either a wait or an outcome, never both and never neither."""

    steps: tuple[Step, ...]
    wait: Wait | None
    outcome: Outcome | None
    state: SessionState

    def __post_init__(self) -> None:
        if (self.wait is None) == (self.outcome is None):
            raise ValueError("a turn has either a wait or an outcome")


# ---- the prompts the session says of its own accord -----------------------------------------------------------------

WRONG_KEY = NamedPrompt("wrong_key")
NOTHING_PRESSED = NamedPrompt("nothing_pressed")
NO_INPUT_PERSON = NamedPrompt("no_input_person")
TICKET_UNKNOWN = NamedPrompt("ticket_unknown")
TICKET_UNKNOWN_TWICE = NamedPrompt("ticket_unknown_twice")
LOOK_UP_FAILED = NamedPrompt("look_up_failed")

OWN_PROMPTS = (WRONG_KEY, NOTHING_PRESSED, NO_INPUT_PERSON, TICKET_UNKNOWN, TICKET_UNKNOWN_TWICE, LOOK_UP_FAILED)
"""Sentences every site needs whatever its menus say."""

UNKNOWN_NUMBERS_BEFORE_OFFER = 2


def start(flow: Flow, visit: Visit, node: NodeName | None = None, key: str | None = None) -> Turn:
    """The first turn of a visit; at `node`, by `key`, for a caller who was led there out of a queue."""
    return _enter(flow, SessionState(visit, node or flow.start), node or flow.start, key, ())


def resume(flow: Flow, state: SessionState, event: Event) -> Turn:
    """The next turn, after what the last one waited for. News that does not answer the question asks it again."""
    node = flow.nodes.get(state.node)
    if isinstance(event, PersonWanted) or node is None:
        return _to_person(flow, state, None, ())
    match state.asked, node, event:
        case Asked.KEY, Menu(), DigitsGathered(digits) if digits:
            return _key_at_menu(flow, state, node, digits[0])
        case Asked.KEY, Menu(), DigitsGathered():
            return _missed(flow, state, node, WRONG_KEY)
        case Asked.KEY, Menu(), NothingPressed():
            return _missed(flow, state, node, NOTHING_PRESSED)
        case Asked.NUMBER, TicketStatus(), NothingPressed():
            return _missed(flow, state, node, NOTHING_PRESSED)
        case Asked.NUMBER, TicketStatus(), DigitsGathered(digits):
            return _number_keyed(flow, state, node, digits)
        case Asked.LOOK_UP, TicketStatus(), LookedUp(found):
            return _looked_up(flow, state, node, found)
        case Asked.LOOK_UP, TicketStatus(), LookUpFailed():
            return _to_person(flow, state, None, (Play((LOOK_UP_FAILED,)),))
        case Asked.PERSON_OR_BACK, TicketStatus(), DigitsGathered(digits) if digits[:1] in (START_OVER_KEY, "9"):
            return _enter(flow, state, node.next, digits[0], ())
        case Asked.PERSON_OR_BACK, TicketStatus(), DigitsGathered(digits):
            return _to_person(flow, state, digits[:1] or None, ())
        case Asked.PERSON_OR_BACK, TicketStatus(), NothingPressed():
            return _to_person(flow, state, None, ())
        case _:
            return _ask_again(flow, state, node)


# ---- one question's answers -----------------------------------------------------------------------------------------


def _key_at_menu(flow: Flow, state: SessionState, menu: Menu, key: str) -> Turn:
    if key == PERSON_KEY:
        return _to_person(flow, state, key, ())
    if key in menu.keys:
        return _enter(flow, state, menu.keys[key], key, ())
    if key in (menu.repeat_key, START_OVER_KEY, "#"):
        # A late # after a number is no mistake. An answer that led here is part of what is said again.
        answer = ticket_answer(dict(state.answer), state.number, state.visit.language) if state.answer else ()
        return _ask(flow, state, menu, (), Play((*answer, *plain(menu.prompts))))
    return _missed(flow, state, menu, WRONG_KEY)


def _number_keyed(flow: Flow, state: SessionState, node: TicketStatus, digits: str) -> Turn:
    if digits.startswith(PERSON_KEY):
        return _to_person(flow, state, PERSON_KEY, ())
    number = digits.rpartition(START_OVER_KEY)[2].rstrip("#")
    if number.startswith(PERSON_KEY):
        return _to_person(flow, state, PERSON_KEY, ())
    if not number.isdecimal():
        return _missed(flow, state, node, WRONG_KEY)
    looking = replace(state, asked=Asked.LOOK_UP, number=number)
    return Turn((), WaitLookUp("ticket_status", number), None, looking)


def _looked_up(flow: Flow, state: SessionState, node: TicketStatus, found: Mapping[str, str] | None) -> Turn:
    if found is not None:
        answer = Play(ticket_answer(found, state.number, state.visit.language))
        turn = _enter(flow, replace(state, served=True), node.next, None, (answer,))
        remembered = replace(turn.state, number=state.number, answer=tuple(sorted(found.items())))
        return replace(turn, state=remembered)
    state = replace(state, unknown=state.unknown + 1)
    if state.unknown < UNKNOWN_NUMBERS_BEFORE_OFFER:
        # The digits are read back: the caller hears whether they mistyped or misread the number.
        question = Play((DigitsPrompt(state.number), TICKET_UNKNOWN, *plain(node.prompts)))
        return _ask(flow, replace(state, asked=Asked.NUMBER), node, (), question)
    return _ask(flow, replace(state, asked=Asked.PERSON_OR_BACK), node, (), Play((TICKET_UNKNOWN_TWICE,)))


def _missed(flow: Flow, state: SessionState, node: Menu | TicketStatus, hint: NamedPrompt) -> Turn:
    if state.misses >= node.repeats:
        return _to_person(flow, state, None, (Play((NO_INPUT_PERSON,)),))
    return _ask(flow, replace(state, misses=state.misses + 1), node, (), Play((hint, *plain(node.prompts))))


# ---- moving on ------------------------------------------------------------------------------------------------------


def _enter(flow: Flow, state: SessionState, name: NodeName, key: str | None, steps: tuple[Step, ...]) -> Turn:
    """Go to a node and on through all that do not wait."""
    for _ in range(len(flow.nodes) + 1):
        node = flow.nodes.get(name)
        if node is None:
            break
        steps = (*steps, MarkNode(name, key))
        # At the same node again after an answer: misses start afresh, the whole visit's limit does not.
        state = SessionState(state.visit, name, turns=state.turns, served=state.served)
        match node:
            case Say():
                steps = (*steps, *_said(name, node))
                name, key = node.next, None
            case Menu():
                return _ask(flow, replace(state, asked=Asked.KEY), node, steps, Play(plain(node.prompts)))
            case TicketStatus():
                return _ask(flow, replace(state, asked=Asked.NUMBER), node, steps, Play(plain(node.prompts)))
            case HandOver():
                return _handed_over(state, node, steps)
            case Goodbye():
                return Turn((*steps, *_spoken(plain(node.prompts))), None, HangUp(node.served or state.served), state)
            case _:
                break
    return _to_person(flow, state, None, steps)


def _to_person(flow: Flow, state: SessionState, key: str | None, steps: tuple[Step, ...]) -> Turn:
    reached = SessionState(state.visit, flow.person, turns=state.turns, served=state.served)
    return _handed_over(reached, flow.person_node(), (*steps, MarkNode(flow.person, key)))


def _handed_over(state: SessionState, node: HandOver, steps: tuple[Step, ...]) -> Turn:
    outcome = ToQueue(node.queue, node.priority, node.skills, node.agent)
    return Turn((*steps, *_spoken(plain(node.prompts))), None, outcome, state)


def _said(name: NodeName, node: Say) -> tuple[Step, ...]:
    if node.mandatory:
        return (Play(plain(node.prompts), interruptible=False), GreetingEnded(name))
    return (Play(plain(node.prompts)),)


def plain(said: tuple[Said, ...]) -> tuple[Prompt, ...]:
    """What can be said without a caller's values."""
    return tuple(prompt for prompt in said if isinstance(prompt, NamedPrompt | DigitsPrompt | TextPrompt))


def _spoken(prompts: tuple[Prompt, ...]) -> tuple[Step, ...]:
    return (Play(prompts),) if prompts else ()


# ---- asking ---------------------------------------------------------------------------------------------------------


def _ask(flow: Flow, state: SessionState, node: Menu | TicketStatus, before: tuple[Step, ...], question: Play) -> Turn:
    if state.turns >= flow.limits.turns:
        return _to_person(flow, state, None, (*before, Play((NO_INPUT_PERSON,))))
    return Turn((*before, question), _wait_of(node, state), None, replace(state, turns=state.turns + 1))


def _ask_again(flow: Flow, state: SessionState, node: Node) -> Turn:
    if state.turns >= flow.limits.turns or not isinstance(node, Menu | TicketStatus):
        return _to_person(flow, state, None, ())
    asked_again = replace(state, turns=state.turns + 1)
    match state.asked:
        case Asked.LOOK_UP:
            return Turn((), WaitLookUp("ticket_status", state.number), None, asked_again)
        case Asked.KEY | Asked.NUMBER | Asked.PERSON_OR_BACK:
            return Turn((), _wait_of(node, state), None, asked_again)
        case Asked.NOTHING:
            return _to_person(flow, state, None, ())


def _wait_of(node: Menu | TicketStatus, state: SessionState) -> WaitDigits:
    match node:
        case Menu():
            return WaitDigits(1, node.first_timeout, 1.0)
        case TicketStatus() if state.asked is Asked.PERSON_OR_BACK:
            return WaitDigits(1, node.first_timeout, 1.0)
        case TicketStatus():
            # Room for one number given up with a star, the star, and the right number.
            return WaitDigits(2 * node.max_digits + 1, node.first_timeout, node.between_timeout, terminator="#")
