"""Has voice mail written down after it was left, one message at a time, and gives the words to its ticket."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.identity import CallId
from changgu.ground.trouble import NotFound
from changgu.recordings.service import Recordings
from changgu.recordings.store import RecordingStore
from changgu.telephony.speech.listening import Transcript
from changgu.telephony.speech.recogniser import GaveUp, Unreadable
from changgu.ticketing.intake.service import Intake

logger = logging.getLogger(__name__)

LOOK_EVERY = 600.0
"""Seconds after which it looks for messages again that could not be written down."""
TRIES = 3
"""For one message while the desk is open; a machine that is not ready uses up none."""
NOT_OLDER = timedelta(days=7)


class Transcripts:
    """`run` must be running; `look` says that a message has come. Without `transcribe` nothing is written down."""

    def __init__(
        self, intake: Intake, store: RecordingStore, recordings: Recordings,
        transcribe: Callable[[Path], Awaitable[Transcript | None]] | None,
    ) -> None:  # fmt: skip
        self._intake = intake
        self._store = store
        self._recordings = recordings
        self._transcribe = transcribe
        self._news = asyncio.Event()
        self._tries = Counter[CallId]()

    def look(self) -> None:
        """A message has come; returns at once."""
        self._news.set()

    async def run(self) -> None:
        """Write down what there is, until cancelled."""
        while self._transcribe is not None:
            self._news.clear()
            try:
                await self.write_down(self._transcribe)
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("messages cannot be written down yet: %s", type(trouble).__name__)
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def write_down(self, transcribe: Callable[[Path], Awaitable[Transcript | None]]) -> int:
        """Every message to which no machine has listened yet; how many were."""
        count = 0
        for call, recording in await self._intake.untranscribed(self._intake.now() - NOT_OLDER):
            kept = await self._store.get(recording)
            file = self._recordings.file_of(kept) if kept is not None else None
            if file is None or self._tries[call] >= TRIES:
                continue
            try:
                heard = await transcribe(file)
            except GaveUp as trouble:
                self._tries[call] += 1
                logger.warning("a message could not be written down: %s", trouble, extra={"call_id": call})
                continue
            except Unreadable:
                logger.warning("a message cannot be listened to by a machine", extra={"call_id": call})
                heard = Transcript()
            if heard is None:
                continue
            try:
                await self._intake.transcribed(call, " ".join(heard.words), heard.confidence)
            except NotFound:
                logger.info("a message that was written down is gone", extra={"call_id": call})
                continue
            self._tries.pop(call, None)
            count += 1
        return count

