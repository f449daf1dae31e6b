"""espeak-ng as the voice that needs no network: understandable, not beautiful; recordings replace it by name.

The library runs in a child process (see `espeak_worker`), which serves many sentences one after the other, is started
with the first one, started again when it dies, and killed when it is late.
"""

import asyncio
import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from changgu.telephony.speech.synthesiser import SpeechLate, SpeechRefused, SpeechTrouble
from changgu.telephony.speech.telephone_audio import SOUND_VERSION

VOICES: Mapping[str, str] = {"ko": "ko", "en": "en-us"}

WORDS_PER_MINUTE = 150
"""espeak-ng's own pace is 175; over a telephone slower is clearer."""

PITCH = 50

SENTENCE_TAIL = 0.3
"""Seconds of silence after a whole sentence."""
PIECE_TAIL = 0.08
"""After a piece that is joined with others (a digit, an hour)."""

LONGEST_ANSWER = 64 * 1024 * 1024


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
        self._deadline = deadline
        """Seconds for one sentence, the start of the child included."""
        self._command = command
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self.children_started = 0

    @property
    def child(self) -> int | None:
        """The child's process id while one is alive."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    def voice(self, language: str) -> str:
        """See `Synthesiser.voice`."""
        return f"espeak-ng:{self._voices.get(language, '?')}:{self._words_per_minute}:{PITCH}:{SOUND_VERSION}"

    async def speak(self, text: str, language: str) -> bytes:
        """See `Synthesiser.speak`."""
        if language not in self._voices:
            raise SpeechRefused(f"no voice for language '{language}'")
        tail = SENTENCE_TAIL if text.rstrip().endswith((".", "?", "!", "。")) else PIECE_TAIL
        return await self._ask(
            {"say": text, "voice": self._voices[language], "rate": self._words_per_minute, "pitch": PITCH, "tail": tail}
        )

    async def adapt(self, recording: Path) -> bytes:
        """See `Synthesiser.adapt`."""
        return await self._ask({"adapt": str(recording), "tail": PIECE_TAIL})

    async def close(self) -> None:
        """See `Synthesiser.close`."""
        async with self._turn:
            await self._end_child()

    async def _ask(self, order: Mapping[str, Any]) -> bytes:
        written = json.dumps(order, ensure_ascii=False).encode()
        async with self._turn:
            for last_try in (False, True):
                try:
                    async with asyncio.timeout(self._deadline):
                        return await self._exchange(written)
                except TimeoutError:
                    await self._kill_child()
                    raise SpeechLate(f"no sound within {self._deadline:g} s") from None
                except (asyncio.IncompleteReadError, ConnectionError, OSError) as trouble:
                    # It died, perhaps before this sentence, perhaps because of it: one more try tells.
                    await self._kill_child()
                    if last_try:
                        raise SpeechTrouble(f"the voice's process died: {trouble}") from trouble
                except asyncio.CancelledError:
                    # Half an answer may be on its way; the next sentence must not be given it.
                    await self._kill_child()
                    raise
        raise AssertionError("the second try either answers or raises")

    async def _exchange(self, written: bytes) -> bytes:
        child = await self._living_child()
        orders, answers = child.stdin, child.stdout
        if orders is None or answers is None:
            raise OSError("the child has no pipes")
        orders.write(struct.pack(">I", len(written)) + written)
        await orders.drain()
        (length,) = struct.unpack(">I", await answers.readexactly(4))
        if not 1 <= length <= LONGEST_ANSWER:
            raise OSError(f"an answer of {length} bytes")
        said = await answers.readexactly(length)
        if said[:1] != b"w":
            raise SpeechRefused(said[1:].decode(errors="replace"))
        return said[1:]

    async def _living_child(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            self.children_started += 1
        return self._child

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(2.0):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()

    async def _kill_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            if child.returncode is None:
                child.kill()
            await child.wait()
