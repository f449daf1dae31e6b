"""What a voice must be able to do, whichever one the site uses.

SpeechTrouble          a sentence could not be made into sound
├── SpeechLate         not within the deadline
└── SpeechRefused      the voice does not know the language, or the sentence holds nothing to say
"""

from pathlib import Path
from typing import Final, Protocol

SOUND_VERSION: Final = 2
"""Part of the cached files' names: raise it when the same input comes to sound different."""

SENTENCE_TAIL: Final = 0.3
"""Seconds of silence after a whole sentence."""
PIECE_TAIL: Final = 0.08
"""After a piece that is joined with others (a digit, an hour)."""


def tail_of(text: str) -> float:
    """Seconds of silence that follow `text`."""
    return SENTENCE_TAIL if text.rstrip().endswith((".", "?", "!", "。")) else PIECE_TAIL


class SpeechTrouble(Exception):
    """A sentence could not be made into sound."""


class SpeechLate(SpeechTrouble):
    """The voice did not answer within its deadline."""


class SpeechRefused(SpeechTrouble):
    """The voice does not know the language, or the sentence holds nothing that can be said."""


class Synthesiser(Protocol):
    """Makes sentences into sound for the telephone: WAV, 8 kHz, mono, 16 bit, −20 LUFS (EBU R 128)."""

    def voice(self, language: str) -> str:
        """Names the voice and every parameter that changes its sound; part of the name of cached files."""
        ...

    async def speak(self, text: str, language: str) -> bytes:
        """The WAV file of a sentence; raises `SpeechTrouble`."""
        ...

    async def adapt(self, recording: Path) -> bytes:
        """A recording made by a person, in any WAV format, made fit for the telephone; raises `SpeechTrouble`."""
        ...

    async def close(self) -> None:
        """Give back processes and memory; the next sentence starts them again."""
        ...
