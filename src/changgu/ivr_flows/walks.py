"""A menu tree walked on paper: keys pressed → what is said, what is asked, and where it ends."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from changgu.ivr_flows import session, turns
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Said, TextPrompt, ValuePrompt, WrittenPrompt
from changgu.ivr_flows.spoken import digit_by_digit, pieces

EXAMPLE_TICKET: Mapping[str, str] = {
    "state": "allocated", "line": "2", "today": "2026-11-20", "expected": "2026-11-21T15:10",
}  # fmt: skip
"""What a walk finds for every ticket number when it is not told otherwise."""

SILENCE = "-"
VOICE = "~"
"""`~프린터` says a word."""


@dataclass
class Fingers:
    """The caller's fingers: `2 1` presses 2, waits, presses 1; `-` stays silent; `1234567#` is one number."""

    keys: str
    _ahead: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ahead = self.keys.split()

    def answer(self, wait: turns.WaitDigits) -> turns.DigitsGathered | turns.NothingPressed | None:
        """What this wait gathers; None when there are no more keys."""
        if not self._ahead or self._ahead[0].startswith(VOICE):
            return None
        pressed = self._ahead.pop(0)
        if pressed == SILENCE:
            return turns.NothingPressed()
        digits = ""
        for count, key in enumerate(pressed, start=1):
            ended = key == wait.terminator
            digits += "" if ended else key
            if ended or len(digits) >= wait.max_digits or digits in tuple(wait.ends_at_once):
                if pressed[count:]:
                    self._ahead.insert(0, pressed[count:])
                break
        return turns.DigitsGathered(digits)

    def spoken(self) -> str | None:
        """What is said next, if it is said and not keyed; `_` in it stands for a space."""
        if not self._ahead or not self._ahead[0].startswith(VOICE):
            return None
        return self._ahead.pop(0).removeprefix(VOICE).replace("_", " ")


@dataclass(frozen=True, slots=True)
class World:
    """What a walk finds outside of the flow."""

    at: datetime | None = None
    """What the clock shows; None: there is no clock, and `opening_hours` cannot be walked past."""
    look_ups: Mapping[str, Mapping[str, Mapping[str, str] | None]] = field(default_factory=dict)
    """Source (`http` for web services) → key → what is found; None: nothing. Other keys are not found."""
    tickets: Mapping[str, Mapping[str, str] | None] | None = None
    """Ticket number → its state; None: every number is like `EXAMPLE_TICKET`."""
    failing: frozenset[str] = frozenset()
    """Sources, and kinds of wait such as `record`, `sms`, `callback`, `number`, that fail."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Known from the beginning."""
    caller: str | None = None
    sentences: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language → prompt name → text, for callers who choose another one than they begin with."""


def walk(
    flow: Flow,
    keys: str,
    sentences: Mapping[str, str],
    *,
    tickets: Mapping[str, Mapping[str, str] | None] | None = None,
    language: str = "ko",
    world: World | None = None,
) -> str:
    """The transcript, one line per thing that happens.

    `keys`: see `Fingers`. `sentences`: prompt name → text, pieces included. `tickets`: number → what the look-up
    finds (None: unknown); without it every number is found and is like `EXAMPLE_TICKET`.
    """
    outside = world or World(tickets=tickets)
    fingers = Fingers(keys)
    today = flow.calendars and outside.at and next(iter(flow.calendars.values())).local(outside.at)
    visit = turns.Visit(outside.caller, language=language, today=today.date().isoformat() if today else "")
    turn = session.start(flow, visit, values=outside.values)
    lines: list[str] = []
    while True:
        for step in turn.steps:
            spoken = (isinstance(step, turns.Play) and step.language) or turn.state.visit.language
            lines += _step(step, outside.sentences.get(spoken, sentences))
        if turn.wait is None:
            lines.append(_outcome(turn.outcome))
            break
        event, said = _answer(turn.wait, fingers, outside)
        lines.append(said)
        if event is None:
            break
        turn = session.resume(flow, turn.state, event)
    return "\n".join(lines) + "\n"


def _answer(wait: turns.Wait, fingers: Fingers, world: World) -> tuple[turns.Event | None, str]:
    """What the wait comes to, and how the transcript says it; no event when the caller has no more keys."""
    match wait:
        case turns.WaitDigits():
            return _keyed(fingers.answer(wait), wait)
        case turns.WaitSpeech():
            heard = fingers.spoken()
            if heard is not None:
                return turns.Heard(heard, heard), f"< \"{heard}\""
            return _keyed(fingers.answer(wait.keys), wait.keys, listening=True)
        case turns.WaitLookUp(source, key):
            return _looked_up(source, key, world)
        case turns.WaitHttp(url, query):
            asked = url + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
            return _looked_up("http", asked, world)
        case turns.WaitClock():
            if world.at is None:
                return None, "… asks the clock"
            return turns.ClockRead(world.at), f"? clock {world.at.isoformat(timespec='seconds')}"
        case turns.WaitRecording(queue, longest):
            shown = f"? record for {queue}, {longest} s at most"
            return _done(shown, "record", world, turns.Recorded("recording", 12.0))
        case turns.WaitMessage(kind, to, text, subject):
            return _done(f"? {kind} to {to}: {f'[{subject}] ' if subject else ''}{text}", kind, world, turns.Done())
        case turns.WaitCallback(queue, number):
            return _done(f"? call back {number or '(no number)'} for {queue}", "callback", world, turns.Done())
        case turns.WaitNumber(number):
            return _done(f"? put through to {number}", "number", world, turns.Done())
        case turns.WaitFax(queue):
            return _done(f"? fax for {queue}", "fax", world, turns.Done())
        case _:
            assert_never(wait)


def _keyed(
    event: turns.DigitsGathered | turns.NothingPressed | None, wait: turns.WaitDigits, *, listening: bool = False
) -> tuple[turns.Event | None, str]:
    if event is None:
        waited = "a word" if listening else "a key" if wait.max_digits == 1 else "a number"
        return None, f"… waits for {waited}"
    return event, "< silence" if isinstance(event, turns.NothingPressed) else f"< {event.digits or '#'}"


def _looked_up(source: str, key: str, world: World) -> tuple[turns.Event, str]:
    if source in world.failing:
        return turns.LookUpFailed(), f"? {source} {key}: no answer"
    if source == "ticket_status" and source not in world.look_ups:
        found = EXAMPLE_TICKET if world.tickets is None else world.tickets.get(key)
    else:
        found = world.look_ups.get(source, {}).get(key)
    return turns.LookedUp(found), f"? {source} {key}: {'known' if found is not None else 'unknown'}"


def _done(shown: str, what: str, world: World, done: turns.Event) -> tuple[turns.Event, str]:
    return (turns.Failed(), f"{shown}: failed") if what in world.failing else (done, shown)


def sentences_of(catalogue: Mapping[str, str], language: str) -> dict[str, str]:
    """Everything that can be said by name: the catalogue, then the ready-made pieces that it does not replace."""
    return dict(catalogue) | {name: said for name, said in pieces(language).items() if name not in catalogue}


def read_catalogue(text: str) -> dict[str, str]:
    """Prompt name → sentence, from `prompts/<language>.toml`; raises ValueError when it is not such a file."""
    catalogue: dict[str, str] = {}
    for name, sentence in tomllib.loads(text).items():
        if not isinstance(sentence, str) or not sentence.strip():
            raise ValueError(f"the prompt '{name}' must be a sentence")
        catalogue[name] = sentence
    return catalogue


def in_words(prompt: Said, sentences: Mapping[str, str]) -> str:
    """What the caller hears, written down."""
    match prompt:
        case NamedPrompt(name):
            return sentences.get(name, f"<{name}>")
        case DigitsPrompt(digits):
            return f"{digits} ({digit_by_digit(digits)})"
        case TextPrompt(text):
            return text
        case ValuePrompt(name, way):
            return f"{{{name}:{way}}}"
        case WrittenPrompt(texts):
            return texts.get("") or texts.get("ko") or next(iter(texts.values()))
        case _:
            assert_never(prompt)


def _step(step: turns.Step, sentences: Mapping[str, str]) -> list[str]:
    match step:
        case turns.MarkNode(node, key):
            return [f"@ {node}" + (f" by {key}" if key else "")]
        case turns.Play(prompts, interruptible, language):
            mark = (">" if interruptible else "!") + (f" ({language})" if language else "")
            return [f"{mark} {' '.join(in_words(prompt, sentences) for prompt in prompts)}"] if prompts else []
        case turns.GreetingEnded():
            return ["= mandatory greeting ended"]
        case turns.GiveAnswer(case, question, score):
            return [f"= {question} of {case or '(no case)'}: {score if score is not None else 'no answer'}"]
        case _:
            assert_never(step)


def _outcome(outcome: turns.Outcome | None) -> str:
    match outcome:
        case turns.ToQueue(queue, priority, skills, agent):
            return (
                f"→ queue {queue}"
                + (f" priority {priority}" if priority else "")
                + "".join(f" skill {skill}" for skill in sorted(skills))
                + (f" agent {agent}" if agent else "")
            )
        case turns.HangUp(served, left):
            return f"→ hang up ({'served' if served else 'not served'}{f', {left}' if left else ''})"
        case None:
            return "→ nowhere"
        case _:
            assert_never(outcome)
