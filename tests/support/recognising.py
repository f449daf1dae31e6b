"""Recognisers that are ready for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from changgu.telephony.speech.recogniser import Recognisers


@asynccontextmanager
async def at_work(recognisers: Recognisers) -> AsyncIterator[None]:
    """They have loaded their model, and are gone afterwards."""
    task = asyncio.create_task(recognisers.run())
    recognisers.wake()
    await asyncio.wait_for(recognisers.ready.wait(), 60)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
