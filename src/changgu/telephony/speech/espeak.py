"""espeak-ng as the voice that needs no network: hard to understand, so it says at the start that there is a better one.

The library runs in a child process (see `espeak_worker`).
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from changgu.telephony.speech.synthesiser import SOUND_VERSION, SpeechRefused, tail_of
from changgu.telephony.speech.voice_process import VoiceProcess

VOICES: Mapping[str, str] = {"ko": "ko", "en": "en-us"}

WORDS_PER_MINUTE = 150
"""espeak-ng's own pace is 175; over a telephone slower is clearer."""

PITCH = 50


class EspeakSynthesiser:
    """One child process, one sentence at a time, in the order of asking."""

    def __init__(
        self,
        voices: Mapping[str, str] = VOICES,
        *,
        words_per_minute: int = WORDS_PER_MINUTE,
        deadline: float = 20.0,
        command: tuple[str, ...] = (sys.executable, "-m", "changgu.telephony.speech.espeak_worker"),
    ) -> None:
        self._voices = voices
        self._words_per_minute = words_per_minute
        self._process = VoiceProcess(command, deadline)

    @property
    def child(self) -> int | None:
        """The child's process id while one is alive."""
        return self._process.child

    @property
    def children_started(self) -> int:
        """How many children there have been."""
        return self._process.children_started

    def voice(self, language: str) -> str:
        """See `Synthesiser.voice`."""
        return f"espeak-ng:{self._voices.get(language, '?')}:{self._words_per_minute}:{PITCH}:{SOUND_VERSION}"

    async def speak(self, text: str, language: str) -> bytes:
        """See `Synthesiser.speak`."""
        if language not in self._voices:
            raise SpeechRefused(f"no voice for language '{language}'")
        return await self._process.ask(
            {
                "say": text, "voice": self._voices[language], "rate": self._words_per_minute, "pitch": PITCH,
                "tail": tail_of(text),
            }
        )  # fmt: skip

    async def adapt(self, recording: Path) -> bytes:
        """See `Synthesiser.adapt`."""
        return await self._process.adapt(recording)

    async def close(self) -> None:
        """See `Synthesiser.close`."""
        await self._process.close()
