"""One question, listened to: when somebody speaks, when they have ended, what was said, and whether to believe it.

It is given sound, 20 ms at a time, and counts time by it; it never waits. Sound is speech when it stands out from the
line's own noise, more so while our prompt still plays, whose echo comes back on analogue lines. A pause of a third of
a second ends an answer that is complete; one that may go on (the digits of a number) is given longer.

A grammar makes the recogniser hear the words of the question in everything, and the Korean model has no word for
*something else*. So what it heard is held against a second look, which may hear any word: when that sounds different,
the caller said something else.
"""

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from changgu.ivr_flows.heard import answer, is_complete
from changgu.ivr_flows.nodes import Grammar, GrammarKind
from changgu.ivr_flows.sounds_like import distance

RATE = 8000
FRAME_SECONDS = 0.02
FRAME_BYTES = 320
"""160 samples of 16 bits, little-endian."""

NOISE_AT_FIRST, QUIETEST_SPEECH = -60.0, -45.0
"""dB below full scale."""
ABOVE_NOISE = 12.0
ABOVE_ECHO = 6.0
"""dB more while our prompt plays."""
NOISE_RISES = 0.05
"""dB a frame by which the noise may be believed to rise."""
ONSET_WINDOW, ONSET_FRAMES = 8, 6
"""Speech has begun when so many of so many frames stand out: 120 of 160 ms. A click is shorter."""
KEPT_BEFORE = 15
"""Frames before the onset that are heard too: consonants begin softly."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited, in seconds, and how much is believed."""

    first_timeout: float = 6.0
    """Silence after the question that counts as no answer."""
    short_pause: float = 0.3
    """Silence that ends an answer which is complete."""
    long_pause: float = 0.8
    """Silence that ends any other."""
    digits_pause: float = 1.2
    """The same within a number, which people read off in groups."""
    longest: float = 12.0
    """Speech that goes on for longer is no answer."""
    least_confidence: float = 0.5
    """The recogniser's own, from 0 to 1, as the mean of its words; less is not believed."""
    alone_confidence: float = 0.8
    """The same where no second look could be had."""
    farthest: float = 0.5
    """How different the second look may sound, from 0 to 1."""
    second_look: bool = True
    """Whether there is one at all."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words as a recogniser heard them, and how sure it was of each, from 0 to 1."""

    words: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()

    def and_then(self, later: "Transcript") -> "Transcript":
        """Both, one after the other."""
        return Transcript(self.words + later.words, self.confidences + later.confidences)

    @property
    def confidence(self) -> float:
        """The mean of its words; 0 without any."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer that is believed."""

    words: tuple[str, ...]
    confidence: float
    """From 0 to 1: the recogniser's own, or how like the second look, whichever is less."""
    value: str
    looked_twice: bool = True


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nothing was said in time."""


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Something was said, and it is no answer, or not believed to be one."""

    words: tuple[str, ...] = ()
    confidence: float = 0.0
    second: str = ""
    """What the second look heard."""
    looked_twice: bool = False


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller speaks: our prompt is to stop (barge-in)."""


Outcome = Heard | NoInput | NoMatch


class Ear(Protocol):
    """A recogniser at work on one answer."""

    def hear(self, samples: bytes) -> None:
        """More sound."""
        ...

    def transcript(self) -> Transcript:
        """What was heard since the last transcript."""
        ...


class SecondLook(Protocol):
    """A recogniser of any words, at work beside the first; it must never hold it up."""

    def hear(self, samples: bytes) -> None:
        """More sound."""
        ...

    def transcript(self) -> Transcript | None:
        """All that was heard; None when it was not done in time, or there was none to be had."""
        ...


def judged(grammar: Grammar, first: Transcript, second: Transcript | None, limits: Limits) -> Heard | NoMatch:
    """Whether `first` is an answer that can be believed."""
    value = answer(grammar, first.words)
    confidence = first.confidence
    other = " ".join(second.words) if second is not None else ""
    if second is not None:
        confidence = min(confidence, 1.0 - distance(" ".join(first.words), other))
        believed = first.confidence >= limits.least_confidence and confidence >= 1.0 - limits.farthest
    else:
        believed = confidence >= limits.alone_confidence
    if value is None or not believed:
        return NoMatch(first.words, confidence, other, looked_twice=second is not None)
    return Heard(first.words, confidence, value, looked_twice=second is not None)


def level(samples: bytes) -> float:
    """Loudness in dB below full scale; −96 for silence."""
    values: Sequence[int] = array("h", samples[: len(samples) // 2 * 2])
    power = sum(value * value for value in values) / len(values) if values else 0.0
    return max(-96.0, 10 * math.log10(power / 2**30)) if power > 0 else -96.0


@dataclass(slots=True)
class Listening:
    """Give it sound by `hear` until that returns an outcome; `asked` tells that the question has been said."""

    grammar: Grammar
    limits: Limits
    ear: Ear
    second: SecondLook
    _asked: bool = False
    _waited: int = 0
    """Frames since the question was said."""
    _spoken: int = 0
    """Frames since speech began; 0: nobody speaks yet."""
    _silent: int = 0
    _noise: float = NOISE_AT_FIRST
    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=ONSET_WINDOW))
    _before: deque[bytes] = field(default_factory=lambda: deque(maxlen=KEPT_BEFORE))
    _so_far: Transcript = field(default_factory=Transcript)
    _taken: bool = True
    """Whether all that was said stands in `_so_far`."""

    def asked(self) -> None:
        """The question has been said: from here silence is counted, and no echo expected."""
        self._asked = True

    def hear(self, samples: bytes) -> SpeechBegan | Outcome | None:
        """20 ms of sound; None: go on."""
        return self._during(samples) if self._spoken else self._waiting(samples)

    def _threshold(self) -> float:
        above = ABOVE_NOISE if self._asked else ABOVE_NOISE + ABOVE_ECHO
        return max(self._noise + above, QUIETEST_SPEECH)

    def _waiting(self, samples: bytes) -> SpeechBegan | NoInput | None:
        loud = level(samples)
        self._before.append(samples)
        self._recent.append(loud > self._threshold())
        self._noise = min(max(loud, -90.0), self._noise + NOISE_RISES)
        if sum(self._recent) >= ONSET_FRAMES:
            for one in self._before:
                self._pass_on(one)
            self._spoken, self._silent, self._taken = 1, 0, False
            return SpeechBegan()
        if self._asked:
            self._waited += 1
            if self._waited * FRAME_SECONDS >= self.limits.first_timeout:
                return NoInput()
        return None

    def _during(self, samples: bytes) -> Outcome | None:
        self._pass_on(samples)
        self._spoken += 1
        if level(samples) > self._threshold() - 3.0:
            self._silent, self._taken = 0, False
        else:
            self._silent += 1
        silent = self._silent * FRAME_SECONDS
        if silent >= self.limits.short_pause and not self._taken:
            self._take()
            if is_complete(self.grammar, self._so_far.words):
                return self._judged()
        if self._spoken * FRAME_SECONDS >= self.limits.longest:
            return NoMatch(self._so_far.words)
        pause = self.limits.digits_pause if self.grammar.kind is GrammarKind.DIGITS else self.limits.long_pause
        return self._judged() if silent >= pause else None

    def _pass_on(self, samples: bytes) -> None:
        self.ear.hear(samples)
        self.second.hear(samples)

    def _take(self) -> None:
        self._so_far = self._so_far.and_then(self.ear.transcript())
        self._taken = True

    def _judged(self) -> Outcome:
        return judged(self.grammar, self._so_far, self.second.transcript(), self.limits)
