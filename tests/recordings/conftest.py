"""A real database file, a folder, and a recorder that writes WAV files as Asterisk does."""

import asyncio
import math
import struct
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import changgu.recordings.store  # noqa: F401  declares the tables
from changgu.acd.facts import (
    CallConnected,
    CallEnded,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.ground.database import Base, Database
from changgu.recordings.service import Recordings
from changgu.recordings.store import RecordingStore

T0 = datetime(2026, 11, 21, 1, 0, tzinfo=UTC).timestamp()
NETWORK, SECRET = QueueName("network"), QueueName("secret")
SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


def write_tone(path: Path, seconds: float = 0.5, hertz: float = 440.0) -> None:
    """Eight kilohertz, sixteen bits, one channel: what Asterisk's format `wav` is."""
    count = round(8000 * seconds)
    samples = [round(9000 * math.sin(2 * math.pi * hertz * n / 8000)) for n in range(count)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack(f"<{count}h", *samples))


class TapeRecorder:
    """Writes the three files when it is stopped. `refuses` and `writes_nothing` are its ways to go wrong."""

    def __init__(self) -> None:
        self.started: dict[CallId, Path] = {}
        self.stopped: list[CallId] = []
        self.refuses: str | None = None
        self.silent_legs: set[str] = set()

    async def start(self, call: CallId, folder: Path) -> None:
        if self.refuses:
            raise RuntimeError(self.refuses)
        assert folder.is_dir()
        self.started[call] = folder

    async def stop(self, call: CallId) -> None:
        self.stopped.append(call)
        for name in ("mix", "caller", "agent"):
            if name not in self.silent_legs:
                write_tone(self.started[call] / f"{name}.wav")


class Office:
    """The service, its store and recorder, and calls that happen."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.store = RecordingStore(database)
        self.recorder = TapeRecorder()
        self.folder = folder
        self.policy = {NETWORK: True, SECRET: False}
        self.now = datetime.fromtimestamp(T0, UTC)
        self.seq = 0
        self.service = self.new_service()

    def new_service(self) -> Recordings:
        return Recordings(
            self.store, self.recorder, self.folder, lambda: self.policy, lambda: frozenset({"greeting"}),
            zone=SEOUL, now=lambda: self.now, patience=0.3,
        )  # fmt: skip

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.service.run())
        try:
            yield
            assert await self.service.settle()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def happen(self, *facts: Fact, at: float = 0.0) -> None:
        for fact in facts:
            self.seq += 1
            self.service.hear(Recorded(self.seq, T0 + at, fact))

    def connect(self, call: str = "c1", queue: QueueName = NETWORK, agent: str = "alice") -> None:
        name = CallId(call)
        self.happen(CallStarted(name, Direction.INBOUND, "01012345678", "1002"), CallQueued(name, queue, 0))
        self.happen(CallConnected(name, AgentId(agent), OfferId(1)), at=10)

    def end(self, call: str = "c1") -> None:
        self.happen(CallEnded(CallId(call), Outcome.ANSWERED, Ender.CALLER), at=70)


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "recordings")
