"""The words between a session and whoever performs it: steps, what to wait for, what came of it, where it ends.

They are msgspec structs: Python makes such a class a hundred times sooner than a dataclass, and a desk that starts
again, while callers wait, makes hundreds of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from changgu.ivr_flows.flow import PERSON_KEY
from changgu.ivr_flows.nodes import Grammar, NodeName, Prompt

# ---- what the shell is asked to do ----------------------------------------------------------------------------------


class Play(Struct, frozen=True):
    """Say these, one after the other. Keys pressed meanwhile are never lost: they count for the next `WaitDigits`."""

    prompts: tuple[Prompt, ...]
    interruptible: bool = True
    """Whether a key stops the sound at once. False for what must be heard to its end (the notice of recording)."""
    language: str | None = None
    """None: the language of the turn's visit."""


class MarkNode(Struct, frozen=True):
    """The caller reached a node, having pressed `key` at the one before (None: no key was needed).

    A node of a sub-flow is called `flow/node`.
    """

    node: NodeName
    key: str | None = None


class GreetingEnded(Struct, frozen=True):
    """The mandatory greeting has been heard to its end: from here a hang-up is the caller's choice.

    Clocks of short abandons start here (TEC-02); everything before was ours, not the caller's, to spend.
    """

    node: NodeName


class GiveAnswer(Struct, frozen=True):
    """Keep the answer to a survey's question; nobody waits for it (SAT-02)."""

    case: str
    question: str
    score: int | None
    """1 to 5; None: no answer (무응답)."""


Step = Play | MarkNode | GreetingEnded | GiveAnswer

# ---- what it waits for ----------------------------------------------------------------------------------------------


class WaitDigits(Struct, frozen=True):
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


class WaitSpeech(Struct, frozen=True):
    """Listen for an answer, and for keys. Resume with `Heard`, `NotUnderstood`, `SpeechBusy`, `NothingPressed` after
    `keys.first_timeout` seconds of silence, or `DigitsGathered` when keys were pressed instead."""

    grammar: Grammar
    keys: WaitDigits


class WaitLookUp(Struct, frozen=True):
    """Look something up in another part of the house, then resume with `LookedUp` or `LookUpFailed`.

    `source` is one of `limits.LOOK_UP_SOURCES`. For `ticket_status` the key is the number as keyed; see
    `spoken.ticket_answer` for what to find.
    """

    source: str
    key: str
    caller: str = ""
    """The telephone that asks, as the network presented it: wrong PINs count for it, not for what is keyed."""


class WaitHttp(Struct, frozen=True):
    """GET this address, then resume with `LookedUp` (None for 404 and an empty answer) or `LookUpFailed`."""

    url: str
    query: tuple[tuple[str, str], ...]
    timeout: float
    """Seconds in all."""


class WaitClock(Struct, frozen=True):
    """Read the clock, then resume with `ClockRead`."""


class WaitRecording(Struct, frozen=True):
    """Record the caller, then resume with `Recorded` or `Failed`. A hang-up ends the recording, which is kept."""

    queue: str
    longest: int
    """Seconds."""
    to: str


class WaitMessage(Struct, frozen=True):
    """Send an SMS or mail, then resume with `Done` or `Failed`."""

    kind: str
    to: str
    text: str
    subject: str = ""


class WaitCallback(Struct, frozen=True):
    """Promise to call this number back, then resume with `Done` or `Failed` (it may not be dialled)."""

    queue: str
    number: str
    priority: int = 0
    skills: frozenset[str] = field(default_factory=frozenset)


class WaitNumber(Struct, frozen=True):
    """Put the caller through to this number; resume with `Done` when that conversation ended, or `Failed`."""

    number: str


class WaitFax(Struct, frozen=True):
    """Take a fax, then resume with `Done` or `Failed`."""

    queue: str
    to: str


Wait = (
    WaitDigits | WaitSpeech | WaitLookUp | WaitHttp | WaitClock | WaitRecording | WaitMessage | WaitCallback
    | WaitNumber | WaitFax
)  # fmt: skip

# ---- what came of it ------------------------------------------------------------------------------------------------


class DigitsGathered(Struct, frozen=True):
    """The caller pressed these keys."""

    digits: str


class NothingPressed(Struct, frozen=True):
    """The caller pressed and said nothing in time."""


class Heard(Struct, frozen=True):
    """The caller said something that was asked for."""

    value: str
    """The value of a choice, digits, or `yes` and `no`."""
    words: str = ""
    """All that was heard."""
    confidence: float = 1.0
    """0 to 1, as the recogniser gives it."""


class NotUnderstood(Struct, frozen=True):
    """The caller said something else."""

    words: str = ""


class SpeechBusy(Struct, frozen=True):
    """No recogniser is free, or there is none: ask by keys."""


class LookedUp(Struct, frozen=True):
    """The other system answered; None when it knows nothing of the kind."""

    found: Mapping[str, str] | None


class LookUpFailed(Struct, frozen=True):
    """The other system did not answer, or not in time."""

    why: str = ""


class ClockRead(Struct, frozen=True):
    """What the time is; aware."""

    at: datetime


class Recorded(Struct, frozen=True):
    """What the caller said is kept under this name."""

    name: str
    seconds: float


class Done(Struct, frozen=True):
    """It was done."""


class Failed(Struct, frozen=True):
    """It was not done."""

    why: str = ""


class PersonWanted(Struct, frozen=True):
    """The caller must reach a person now, whatever was asked (the visit took too long, or we are going down)."""


Event = (
    DigitsGathered | NothingPressed | Heard | NotUnderstood | SpeechBusy | LookedUp | LookUpFailed | ClockRead
    | Recorded | Done | Failed | PersonWanted
)  # fmt: skip

# ---- where it ends --------------------------------------------------------------------------------------------------


class ToQueue(Struct, frozen=True):
    """The caller goes to a queue."""

    queue: str
    priority: int = 0
    skills: frozenset[str] = field(default_factory=frozenset)
    agent: str | None = None
    """The one agent wanted."""


class Left(StrEnum):
    """By what a caller left the menu who goes to no queue."""

    NOTHING = ""
    RECORDING = "recording"
    CALLBACK = "callback"
    NUMBER = "number"
    FAX = "fax"


class HangUp(Struct, frozen=True):
    """The call ends here."""

    served: bool
    left: Left = Left.NOTHING


Outcome = ToQueue | HangUp

# ---- what is remembered between two turns ---------------------------------------------------------------------------


class Visit(Struct, frozen=True):
    """What is known of the caller before they press anything."""

    caller: str | None = None
    dialled: str = ""
    language: str = "ko"
    today: str = ""
    """The date in the site's zone, ISO 8601: lets near days be said as 오늘 and 내일."""


class Asked(StrEnum):
    """What the caller, or somebody else, was asked last."""

    KEY = "key"
    NUMBER = "number"
    CONFIRMATION = "confirmation"
    SPEECH = "speech"
    LOOK_UP = "look_up"
    PERSON_OR_BACK = "person_or_back"
    WORLD = "world"
    """Another part of the house: the clock, a recording, a message."""
    NOTHING = "nothing"
    """The visit has its outcome."""


class Frame(Struct, frozen=True):
    """Where a sub-flow comes back to: the flow ("": the first), its node, and the values it had."""

    flow: str
    node: NodeName
    values: Mapping[str, str]


class SessionState(Struct, frozen=True):
    """All that a session remembers between two turns."""

    visit: Visit
    node: NodeName
    asked: Asked = Asked.NOTHING
    misses: int = 0
    """Silences and wrong keys at this node."""
    unknown: int = 0
    """Numbers keyed at this node that nobody knew."""
    number: str = ""
    """The number being keyed, confirmed or looked up, or looked up last."""
    answer: tuple[tuple[str, str], ...] = ()
    """What was found, while the caller is at the node that followed it and may ask to hear it again."""
    turns: int = 0
    """Questions asked in this visit, of the caller and of others."""
    served: bool = False
    """Whether the caller already got an answer: a hang-up from here on is not an abandoned call."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What the flow keeps: name → text."""
    flow: str = ""
    """The sub-flow in which `node` is; "": the flow itself."""
    frames: tuple[Frame, ...] = ()
    """The calls of sub-flows that are not over, the outermost first."""
    left: Left = Left.NOTHING
    """What the caller got, should they end here: a message of theirs is kept."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "caller": self.visit.caller, "dialled": self.visit.dialled, "language": self.visit.language,
            "today": self.visit.today, "node": self.node, "asked": self.asked.value, "misses": self.misses,
            "unknown": self.unknown, "number": self.number, "answer": dict(self.answer), "turns": self.turns,
            "served": self.served, "values": dict(self.values), "flow": self.flow, "left": self.left.value,
            "frames": [{"flow": one.flow, "node": one.node, "values": dict(one.values)} for one in self.frames],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "SessionState":
        """What `as_dict` wrote."""
        return cls(
            visit=Visit(plain["caller"], plain["dialled"], plain["language"], plain["today"]),
            node=NodeName(plain["node"]), asked=Asked(plain["asked"]), misses=plain["misses"],
            unknown=plain["unknown"], number=plain["number"], answer=tuple(sorted(plain["answer"].items())),
            turns=plain["turns"], served=plain["served"], values=dict(plain["values"]), flow=plain["flow"],
            frames=tuple(Frame(one["flow"], NodeName(one["node"]), dict(one["values"])) for one in plain["frames"]),
            left=Left(plain["left"]),
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
