"""Notices that a supervisor puts on the air: a sentence, for whom, from when until when (TEC-04, WL-03, INC-18).

A notice is said to its end, whatever is pressed; the keys are kept. Everybody hears one for the whole desk after the
greeting that must be heard; one for a queue is heard on the way to that queue, one for a service when the caller comes
to that place of the menu. Nobody hears the same notice twice in one call.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from changgu.ground.text import clean_line
from changgu.ground.trouble import BadInput, Conflict
from changgu.ivr_flows.nodes import TextPrompt
from changgu.ivr_flows.session import GreetingEnded, MarkNode, Play, Step, ToQueue, Turn

DESK = "desk"
"""Where everybody hears it."""
QUEUE = "queue:"
"""Before the name of a queue."""
SERVICE = "service:"
"""Before the name of a place of the menu."""

LONGEST_SENTENCE = 300
"""Characters: half a minute of speech, which every caller has to hear."""
LONGEST_TIME = timedelta(days=31)
DEFLECTED_WITHIN = timedelta(seconds=30)
"""A caller who hangs up in a queue so soon after a notice did so because of it."""
NOTICE_ID = "notice"
"""The value of a look-up that says which notice it found."""
MARK = "notice:"
"""Begins the name under which a call's record says that a notice was heard; no place of a menu has a colon."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for callers."""

    id: int
    sentences: Mapping[str, str]
    """Language → what is said; the desk's own language is always there."""
    places: frozenset[str]
    """`desk`, `queue:network`, `service:ticket_status`."""
    starts_at: datetime
    ends_at: datetime
    by: str
    at: datetime
    withdrawn_by: str = ""
    withdrawn_at: datetime | None = None
    heard: int = 0
    """Calls that heard it to its end."""
    deflected: int = 0
    """Of those, calls that ended without an agent (see `Deflections`)."""

    def is_on(self, at: datetime) -> bool:
        """Whether callers hear it at this time."""
        return self.withdrawn_at is None and self.starts_at <= at < self.ends_at

    def in_language(self, language: str, main: str) -> tuple[str, str]:
        """Language and sentence: the caller's, or else the desk's, or else any: the desk may have spoken another
        language when the notice was written."""
        spoken = next(one for one in (language, main, *self.sentences) if one in self.sentences)
        return spoken, self.sentences[spoken]


def checked(
    sentences: Mapping[str, str], places: Collection[str], starts_at: datetime | None, ends_at: datetime, now: datetime,
    *, main: str, known: Collection[str],
) -> tuple[dict[str, str], frozenset[str], datetime, datetime]:  # fmt: skip
    """What a supervisor wrote, as it will hold; raises `BadInput`. `known`: all places there are."""
    said = {language: clean_line(text) for language, text in sentences.items() if text.strip()}
    if main not in said:
        raise BadInput("안내할 문장을 쓰십시오.", "write the sentence to be said", field="sentences")
    if longest := next((text for text in said.values() if len(text) > LONGEST_SENTENCE), None):
        raise BadInput(
            f"안내는 {LONGEST_SENTENCE}자까지입니다 (지금 {len(longest)}자).",
            f"at most {LONGEST_SENTENCE} characters ({len(longest)} now)", field="sentences",
        )  # fmt: skip
    if not places:
        raise BadInput("누가 들을지 고르십시오.", "choose who is to hear it", field="places")
    if strange := sorted(set(places) - set(known)):
        raise BadInput(f"없는 곳입니다: {strange[0]}", f"there is no such place: {strange[0]}", field="places")
    begins = max(starts_at, now) if starts_at else now
    if ends_at <= begins:
        raise BadInput("끝나는 때는 시작보다, 그리고 지금보다 뒤여야 합니다.", "it must end later", field="ends_at")
    if ends_at - begins > LONGEST_TIME:
        raise BadInput("안내는 한 달까지입니다.", "at most 31 days", field="ends_at")
    return said, frozenset(places), begins, ends_at


def may_withdraw(notice: Notice, now: datetime) -> None:
    """Raises `Conflict` for one that is over."""
    if notice.withdrawn_at is not None or notice.ends_at <= now:
        raise Conflict("이미 끝난 안내입니다.", "That notice is over already.")


def heard_at(notices: Sequence[Notice], place: str, at: datetime) -> list[Notice]:
    """What is said at a place now, the oldest first."""
    return sorted(
        (one for one in notices if place in one.places and one.is_on(at)), key=lambda one: (one.starts_at, one.id)
    )


@dataclass(frozen=True, slots=True)
class Announcement:
    """A notice to be said here, between the steps of a turn."""

    notice: Notice


Part = Announcement | tuple[Step, ...]


def parts_of(turn: Turn, now: Callable[[str], Sequence[Notice]], *, begins: bool) -> list[Part]:
    """The steps of a turn with what is to be announced between them, in order.

    `now` gives what is said at a place; `begins`: this is the first turn of a visit. The desk's own notices follow the
    greeting that must be heard, or come first where there is none.
    """
    greeted = any(isinstance(step, GreetingEnded) for step in turn.steps)
    parts: list[Part] = []
    steps: list[Step] = []

    def announce(place: str) -> None:
        wanted = [Announcement(one) for one in now(place)]
        if wanted:
            parts.append(tuple(steps))
            parts.extend(wanted)
            steps.clear()

    if begins and not greeted:
        announce(DESK)
    for step in turn.steps:
        steps.append(step)
        match step:
            case GreetingEnded() if begins:
                announce(DESK)
            case MarkNode(node):
                announce(SERVICE + node)
            case _:
                pass
    if isinstance(turn.outcome, ToQueue):
        announce(QUEUE + turn.outcome.queue)
    parts.append(tuple(steps))
    seen: set[int] = set()
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, Announcement):
            if part.notice.id not in seen:
                seen.add(part.notice.id)
                kept.append(part)
        elif part:
            kept.append(part)
    return kept


def looked_up(source: str, found: Mapping[str, str] | None) -> tuple[int, str] | None:
    """The notice that a menu was told of (`look_up` with the source `notice`), and its sentence."""
    number, text = (found or {}).get(NOTICE_ID, ""), (found or {}).get("text", "")
    return (int(number), text) if source == "notice" and number.isdecimal() and text else None


def read_out(steps: Sequence[Step], known: Mapping[int, str]) -> tuple[int, list[int]]:
    """Which of the notices that a menu was told of are said in these steps, and after how many steps they all were."""
    said: list[int] = []
    end = 0
    for number, step in enumerate(steps, 1):
        if isinstance(step, Play):
            text = " ".join(prompt.text for prompt in step.prompts if isinstance(prompt, TextPrompt))
            here = [one for one, sentence in known.items() if one not in said and sentence in text]
            said, end = said + here, number if here else end
    return end, said


def mark_of(notice: int) -> str:
    """How a call's record says that a notice was heard."""
    return f"{MARK}{notice}"


def marked(node: str) -> int | None:
    """The notice whose mark this is; None for a place of the menu."""
    number = node.removeprefix(MARK)
    return int(number) if node.startswith(MARK) and number.isdecimal() else None


class Deflections:
    """Which callers did without an agent after what they heard.

    A call is deflected when its caller heard a notice to its end and then ended the call, or was served by the
    machine, before an agent took it: in the menu at any time, in a queue within `DEFLECTED_WITHIN`. It counts for every
    notice that it heard.
    """

    def __init__(self) -> None:
        self._heard: dict[str, dict[int, datetime]] = {}

    def heard(self, call: str, notice: int, at: datetime) -> bool:
        """A notice was said to its end; whether it is the first time in this call."""
        notices = self._heard.setdefault(call, {})
        first = notice not in notices
        notices.setdefault(notice, at)
        return first

    def has_heard(self, call: str, notice: int) -> bool:
        """Whether this call has heard it."""
        return notice in self._heard.get(call, {})

    def ended(self, call: str, at: datetime, *, in_menu: bool, in_queue: bool) -> list[int]:
        """The call is over; the notices that deflected it. Neither in the menu nor in a queue: an agent had it, or
        it failed."""
        heard = self._heard.pop(call, {})
        if in_menu:
            return sorted(heard)
        return sorted(one for one, when in heard.items() if in_queue and at - when <= DEFLECTED_WITHIN)
