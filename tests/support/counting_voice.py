"""A voice for tests that says every sentence as a moment of hum, notes which, and can be held or made to fail."""

import asyncio
import io
import wave
from pathlib import Path

from changgu.telephony.speech.synthesiser import SpeechRefused, SpeechTrouble


class CountingVoice:
    """`held`: sentences wait until `release`; `broken`: every sentence is trouble; `refuses`: these texts are."""

    def __init__(self, name: str = "hum") -> None:
        self.name = name
        self.said: list[tuple[str, str]] = []
        self.broken = False
        self.refuses: set[str] = set()
        self.closed = 0
        self._going = asyncio.Event()
        self._going.set()
        self.asked = asyncio.Event()

    def hold(self) -> None:
        self._going.clear()
        self.asked.clear()

    def release(self) -> None:
        self._going.set()

    def voice(self, language: str) -> str:
        return f"{self.name}-{language}"

    async def speak(self, text: str, language: str) -> bytes:
        self.said.append((language, text))
        self.asked.set()
        await self._going.wait()
        if text in self.refuses:
            raise SpeechRefused(f"'{text}' cannot be said")
        if self.broken:
            raise SpeechTrouble("the voice is away")
        return hum()

    async def adapt(self, recording: Path) -> bytes:
        return recording.read_bytes()

    async def close(self) -> None:
        self.closed += 1


def hum() -> bytes:
    """A WAV file of 10 ms."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(160))
    return file.getvalue()
