"""Where it is kept what was recorded, and who listened to it.

Tables: `recordings` (a row per file, and a row for each recording that was wanted and not made) and `plays`
(who heard whose voice, when and from where; each line seals the one before it).
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Date, Float, ForeignKey, String, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.ground.database import Base, Database, UtcDateTime


class Leg(StrEnum):
    """Whose voice a file holds."""

    MIX = "mix"
    CALLER = "caller"
    AGENT = "agent"
    MESSAGE = "message"
    """The caller's, from before they had anybody on the line: voice mail."""


class RecordingState(StrEnum):
    """What has become of a recording."""

    RECORDING = "recording"
    COMPLETE = "complete"
    FAILED = "failed"
    """It was wanted, and there is no usable file; `why` says more."""
    SKIPPED = "skipped"
    """It was wanted, but the caller had not heard the notice."""
    PURGED = "purged"
    """Destroyed because its time was over."""


class RecordingRow(Base):
    """One file of one call."""

    __tablename__ = "recordings"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    call: Mapped[str] = mapped_column(String(150), index=True)
    leg: Mapped[str] = mapped_column(String(8))
    path: Mapped[str | None] = mapped_column(String(400))
    """Below the recordings folder; None when there is no file."""
    queue: Mapped[str | None] = mapped_column(String(64))
    agent: Mapped[str | None] = mapped_column(String(64), index=True)
    caller: Mapped[str | None] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seconds: Mapped[float | None] = mapped_column(Float)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), index=True)
    why: Mapped[str] = mapped_column(String(400), default="")
    purge_on: Mapped[date] = mapped_column(Date, index=True)
    __table_args__ = (UniqueConstraint("call", "leg"),)


class PlayRow(Base):
    """Somebody listened (PIPA: who, when, from where, whose, what)."""

    __tablename__ = "plays"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    login: Mapped[str] = mapped_column(String(200), index=True)
    via: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(64))
    recording: Mapped[int] = mapped_column(ForeignKey("recordings.id"), index=True)
    call: Mapped[str] = mapped_column(String(150))
    leg: Mapped[str] = mapped_column(String(8))
    whose: Mapped[str] = mapped_column(String(300))
    """The caller's number and the agent's login: the two whose voices these are."""
    part: Mapped[str] = mapped_column(String(64))
    """The bytes that were asked for, or `all`."""
    seal: Mapped[str] = mapped_column(String(64))
    """SHA-256 over this line and the seal of the line before: a line cannot be changed or taken out unseen."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file, or the reason why there is none."""

    id: int
    call: CallId
    leg: Leg
    path: str | None
    queue: QueueName | None
    agent: AgentId | None
    caller: str | None
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    bytes: int | None
    state: RecordingState
    why: str
    purge_on: date

    @property
    def is_voicemail(self) -> bool:
        """A message that a caller left, with no agent on the line."""
        return self.leg is Leg.MESSAGE


@dataclass(frozen=True, slots=True)
class NewRecording:
    """A recording that begins now, or that was wanted and is not made."""

    call: CallId
    leg: Leg
    path: str | None
    queue: QueueName | None
    agent: AgentId | None
    caller: str | None
    started_at: datetime
    purge_on: date
    state: RecordingState = RecordingState.RECORDING
    why: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """One line of the access log."""

    at: datetime
    login: str
    via: str
    address: str
    recording: int
    call: CallId
    leg: Leg
    whose: str
    part: str


class RecordingStore:
    """Reads and writes both tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sealing = asyncio.Lock()

    async def add(self, recordings: Iterable[NewRecording]) -> None:
        """Note these; one that is noted already stays as it is."""
        async with self._database.transaction() as session:
            for new in recordings:
                there = select(RecordingRow.id).where(RecordingRow.call == new.call, RecordingRow.leg == new.leg.value)
                if (await session.execute(there)).scalar() is None:
                    session.add(_row(new))

    async def fail(self, call: CallId, why: str, at: datetime) -> None:
        """The recording of this call came to nothing."""
        change = {"state": RecordingState.FAILED.value, "why": why[:400], "ended_at": at}
        async with self._database.transaction() as session:
            running = RecordingRow.state == RecordingState.RECORDING.value
            await session.execute(update(RecordingRow).where(RecordingRow.call == call, running).values(**change))

    async def finish(
        self, id: int, state: RecordingState, ended_at: datetime, *, seconds: float | None = None,
        bytes: int | None = None, why: str = "",
    ) -> None:  # fmt: skip
        """A file is closed, or will never be."""
        change = {"state": state.value, "ended_at": ended_at, "seconds": seconds, "bytes": bytes, "why": why[:400]}
        async with self._database.transaction() as session:
            await session.execute(update(RecordingRow).where(RecordingRow.id == id).values(**change))

    async def purged(self, id: int) -> None:
        """The file is gone for good; that it existed is kept."""
        change = {"state": RecordingState.PURGED.value, "path": None, "bytes": None, "caller": None}
        async with self._database.transaction() as session:
            await session.execute(update(RecordingRow).where(RecordingRow.id == id).values(**change))

    async def of_call(self, call: CallId) -> list[Recording]:
        """All of one call: both voices first, then each, then what was left as a message."""
        order = list(Leg)
        found = await self._found(RecordingRow.call == call)
        return sorted(found, key=lambda recording: order.index(recording.leg))

    async def get(self, id: int) -> Recording | None:
        """One file."""
        found = await self._found(RecordingRow.id == id)
        return found[0] if found else None

    async def running(self) -> list[Recording]:
        """All that have not been finished."""
        return await self._found(RecordingRow.state == RecordingState.RECORDING.value)

    async def kept_until(self, day: date) -> list[Recording]:
        """All with a file that must be gone by this day."""
        return await self._found(RecordingRow.path.is_not(None), RecordingRow.purge_on <= day)

    async def _found(self, *conditions: object) -> list[Recording]:
        query = select(RecordingRow).where(*conditions).order_by(RecordingRow.id)  # type: ignore[arg-type]
        async with self._database.transaction() as session:
            return [_recording(row) for row in (await session.execute(query)).scalars()]

    # -- the access log

    async def log_play(self, play: Play) -> None:
        """Note that somebody listens, before they hear anything."""
        async with self._sealing, self._database.transaction() as session:
            last = select(PlayRow.seal).order_by(PlayRow.id.desc()).limit(1).with_for_update()
            before = (await session.execute(last)).scalar() or ""
            row = PlayRow(
                at=play.at, login=play.login, via=play.via, address=play.address, recording=play.recording,
                call=play.call, leg=play.leg.value, whose=play.whose, part=play.part, seal=_seal(play, before),
            )  # fmt: skip
            session.add(row)

    async def plays_of(self, call: CallId, limit: int = 100) -> list[Play]:
        """Who listened to a call, the latest first."""
        query = select(PlayRow).where(PlayRow.call == call).order_by(PlayRow.id.desc()).limit(limit)
        async with self._database.transaction() as session:
            return [_play(row) for row in (await session.execute(query)).scalars()]

    async def broken_seals(self) -> list[int]:
        """Ids of the lines of the access log that do not fit the line before them; empty when nobody touched it."""
        broken: list[int] = []
        before = ""
        async with self._database.transaction() as session:
            for row in (await session.execute(select(PlayRow).order_by(PlayRow.id))).scalars():
                if row.seal != _seal(_play(row), before):
                    broken.append(row.id)
                before = row.seal
        return broken


def _seal(play: Play, before: str) -> str:
    line = [
        before, play.at.isoformat(), play.login, play.via, play.address, play.recording, play.call, play.leg.value,
        play.whose, play.part,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(line, ensure_ascii=True).encode()).hexdigest()


def _row(new: NewRecording) -> RecordingRow:
    return RecordingRow(
        call=new.call,
        leg=new.leg.value,
        path=new.path,
        queue=new.queue,
        agent=new.agent,
        caller=new.caller,
        started_at=new.started_at,
        purge_on=new.purge_on,
        state=new.state.value,
        why=new.why[:400],
    )


def _recording(row: RecordingRow) -> Recording:
    return Recording(
        id=row.id,
        call=CallId(row.call),
        leg=Leg(row.leg),
        path=row.path,
        queue=None if row.queue is None else QueueName(row.queue),
        agent=None if row.agent is None else AgentId(row.agent),
        caller=row.caller,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=row.seconds,
        bytes=row.bytes,
        state=RecordingState(row.state),
        why=row.why,
        purge_on=row.purge_on,
    )


def _play(row: PlayRow) -> Play:
    return Play(
        row.at, row.login, row.via, row.address, row.recording, CallId(row.call), Leg(row.leg), row.whose, row.part
    )
