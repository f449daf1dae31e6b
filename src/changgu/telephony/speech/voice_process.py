"""A voice's process: sentences go in, sounds come out, and whatever its library does harms no call.

One child serves many sentences one after the other. It is started with the first one, started again when it dies, and
killed when it is late. What it reads and writes: see `voice_worker`.
"""

import asyncio
import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from changgu.telephony.speech.synthesiser import PIECE_TAIL, SpeechLate, SpeechRefused, SpeechTrouble

LONGEST_ANSWER: Final = 64 * 1024 * 1024

CLOSE_LIMIT: Final = 2.0
"""Seconds that a child has to end by itself."""

ADAPTER: Final = (sys.executable, "-m", "changgu.telephony.speech.voice_worker")
"""The command of a child without a voice, which only adapts recordings."""


class VoiceProcess:
    """One child process, one order at a time, in the order of asking."""

    def __init__(self, command: tuple[str, ...], deadline: float) -> None:
        """`deadline`: seconds for one order, the start of the child included."""
        self._command = command
        self._deadline = deadline
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self.children_started = 0

    @property
    def child(self) -> int | None:
        """The child's process id while one is alive."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    async def adapt(self, recording: Path, tail: float = PIECE_TAIL) -> bytes:
        """See `Synthesiser.adapt`."""
        return await self.ask({"adapt": str(recording), "tail": tail})

    async def close(self) -> None:
        """End the child; the next order starts another."""
        async with self._turn:
            await self._end_child()

    async def ask(self, order: Mapping[str, Any]) -> bytes:
        """The WAV file for an order; raises `SpeechTrouble`."""
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
        ended = asyncio.ensure_future(child.wait())
        await asyncio.wait({ended}, timeout=CLOSE_LIMIT)  # a desk that closes is cancelled: a time-out would end this
        if not ended.done():
            child.kill()
            await ended

    async def _kill_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            if child.returncode is None:
                child.kill()
            await child.wait()
