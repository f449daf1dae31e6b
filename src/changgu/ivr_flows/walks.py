"""A menu tree walked on paper: keys pressed → what is said, what is asked, and where it ends."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from changgu.ivr_flows import session
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Said, TextPrompt, ValuePrompt, WrittenPrompt
from changgu.ivr_flows.spoken import digit_by_digit, pieces

EXAMPLE_TICKET: Mapping[str, str] = {
    "state": "allocated", "line": "2", "today": "2026-11-20", "expected": "2026-11-21T15:10",
}  # fmt: skip
"""What a walk finds for every ticket number when it is not told otherwise."""

SILENCE = "-"


@dataclass
class Fingers:
    """The caller's fingers: `2 1` presses 2, waits, presses 1; `-` stays silent; `1234567#` is one number."""

    keys: str
    _ahead: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ahead = self.keys.split()

    def answer(self, wait: session.WaitDigits) -> session.DigitsGathered | session.NothingPressed | None:
        """What this wait gathers; None when there are no more keys."""
        if not self._ahead:
            return None
        pressed = self._ahead.pop(0)
        if pressed == SILENCE:
            return session.NothingPressed()
        digits = ""
        for count, key in enumerate(pressed, start=1):
            ended = key == wait.terminator
            digits += "" if ended else key
            if ended or len(digits) >= wait.max_digits or digits in tuple(wait.ends_at_once):
                if pressed[count:]:
                    self._ahead.insert(0, pressed[count:])
                break
        return session.DigitsGathered(digits)


def walk(
    flow: Flow,
    keys: str,
    sentences: Mapping[str, str],
    *,
    tickets: Mapping[str, Mapping[str, str] | None] | None = None,
    language: str = "ko",
) -> str:
    """The transcript, one line per thing that happens.

    `keys`: see `Fingers`. `sentences`: prompt name → text, pieces included. `tickets`: number → what the look-up
    finds (None: unknown); without it every number is found and is like `EXAMPLE_TICKET`.
    """
    fingers = Fingers(keys)
    turn = session.start(flow, session.Visit(language=language))
    lines: list[str] = []
    while True:
        lines += [line for step in turn.steps for line in _step(step, sentences)]
        match turn.wait:
            case None:
                lines.append(_outcome(turn.outcome))
                break
            case session.WaitLookUp() as wait:
                found = EXAMPLE_TICKET if tickets is None else tickets.get(wait.argument)
                lines.append(f"? {wait.kind} {wait.argument}: {'known' if found is not None else 'unknown'}")
                turn = session.resume(flow, turn.state, session.LookedUp(found))
            case session.WaitDigits() as wait:
                event = fingers.answer(wait)
                if event is None:
                    lines.append(f"… waits for {'a key' if wait.max_digits == 1 else 'a number'}")
                    break
                lines.append("< silence" if isinstance(event, session.NothingPressed) else f"< {event.digits or '#'}")
                turn = session.resume(flow, turn.state, event)
            case _:
                assert_never(turn.wait)
    return "\n".join(lines) + "\n"


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
            return next(iter(texts.values()))
        case _:
            assert_never(prompt)


def _step(step: session.Step, sentences: Mapping[str, str]) -> list[str]:
    match step:
        case session.MarkNode(node, key):
            return [f"@ {node}" + (f" by {key}" if key else "")]
        case session.Play(prompts, interruptible):
            mark = ">" if interruptible else "!"
            return [f"{mark} {' '.join(in_words(prompt, sentences) for prompt in prompts)}"]
        case session.GreetingEnded():
            return ["= mandatory greeting ended"]
        case _:
            assert_never(step)


def _outcome(outcome: session.Outcome | None) -> str:
    match outcome:
        case session.ToQueue(queue, priority, skills, agent):
            return (
                f"→ queue {queue}"
                + (f" priority {priority}" if priority else "")
                + "".join(f" skill {skill}" for skill in sorted(skills))
                + (f" agent {agent}" if agent else "")
            )
        case session.HangUp(served):
            return f"→ hang up ({'served' if served else 'not served'})"
        case None:
            return "→ nowhere"
        case _:
            assert_never(outcome)
