"""The neural voice that `changgu voice install` fetched: runs on the processor, without a network."""

import sys
from pathlib import Path
from typing import Final

from changgu.telephony.speech.synthesiser import SOUND_VERSION, SpeechRefused, tail_of
from changgu.telephony.speech.voice_catalogue import InstalledVoice
from changgu.telephony.speech.voice_process import VoiceProcess

STEPS: Final = 8
"""Of the flow-matching estimator: what the model card advises; fewer are faster and rougher."""

DEADLINE: Final = 60.0
"""Seconds for one sentence; the first one includes reading 400 MB."""


class NeuralSynthesiser:
    """One child process that holds the networks."""

    def __init__(
        self, voice: InstalledVoice, speaker: str, speed: float = 1.0, *, steps: int = STEPS, deadline: float = DEADLINE
    ) -> None:
        """`speed`: 1 is the voice's own pace, more is faster."""
        self._voice = voice
        self._speaker = speaker
        self._speed = speed
        self._steps = steps
        command = (sys.executable, "-m", "changgu.telephony.speech.neural_worker", str(voice.folder))
        self._process = VoiceProcess(command, deadline)

    @property
    def children_started(self) -> int:
        """How many children there have been."""
        return self._process.children_started

    @property
    def child(self) -> int | None:
        """The child's process id while one is alive."""
        return self._process.child

    def voice(self, language: str) -> str:
        """See `Synthesiser.voice`."""
        offer = self._voice.offer
        return f"{offer.name}@{offer.version}:{self._speaker}:{self._speed:g}:{self._steps}:{language}:{SOUND_VERSION}"

    async def speak(self, text: str, language: str) -> bytes:
        """See `Synthesiser.speak`."""
        if language not in self._voice.offer.languages:
            raise SpeechRefused(f"no voice for language '{language}'")
        return await self._process.ask(
            {
                "say": text, "language": language, "speaker": self._speaker, "speed": self._speed,
                "steps": self._steps, "tail": tail_of(text),
            }
        )  # fmt: skip

    async def adapt(self, recording: Path) -> bytes:
        """See `Synthesiser.adapt`."""
        return await self._process.adapt(recording)

    async def close(self) -> None:
        """See `Synthesiser.close`."""
        await self._process.close()
