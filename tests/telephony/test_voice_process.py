"""The process of a voice when the desk closes."""

import asyncio
import os
import sys

import pytest

from changgu.telephony.speech.voice_process import VoiceProcess

DEAF = """
import sys, time
order = sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(4), "big"))
sys.stdout.buffer.write((2).to_bytes(4, "big") + b"w!")
sys.stdout.buffer.flush()
time.sleep(600)
"""
"""Answers once, and then does not look at its input."""


async def test_a_desk_that_closes_leaves_no_voice_behind_that_is_busy() -> None:
    voice = VoiceProcess((sys.executable, "-c", DEAF), deadline=30)
    spoken = asyncio.Event()

    async def desk() -> None:
        try:
            assert await voice.ask({"text": "안녕하십니까"}) == b"!"
            spoken.set()
            await asyncio.Event().wait()
        finally:
            await voice.close()

    opened = asyncio.create_task(desk())
    await asyncio.wait_for(spoken.wait(), 30)
    child = voice.child
    assert child is not None
    opened.cancel()
    await asyncio.gather(opened, return_exceptions=True)

    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
