"""Recordings for programs and players: what there is of a call, and the sound itself, every hearing of it noted."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path as FilePath

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from changgu.acd.identity import CallId
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.trouble import Conflict, NotFound
from changgu.recordings.store import Leg, Play, Recording, RecordingState, RecordingStore


class RecordingOut(BaseModel):
    """One file of a call, or the reason why there is none. Times are UTC."""

    id: int
    leg: Leg = Field(description="mix: both voices; caller and agent: one each; message: voice mail")
    state: RecordingState
    why: str = Field(description="With failed and skipped: why there is nothing to hear")
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None = Field(description="How long it plays")
    bytes: int | None
    purge_on: date = Field(description="The day on which it is destroyed")
    audio: str | None = Field(description="Where it can be heard (WAV, 8 kHz, 16 bit); null when it cannot")


class RecordingsOut(BaseModel):
    """What there is of one call."""

    items: list[RecordingOut]


class Listening:
    """Who may hear what: supervisors everything, an agent their own calls and voice mail. Notes every hearing first."""

    def __init__(
        self,
        store: RecordingStore,
        file_of: Callable[[Recording], FilePath | None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self._file_of = file_of
        self._now = now

    async def of_call(self, actor: Actor, call: CallId) -> list[Recording]:
        """What this person may know of; raises `NotFound` when that is nothing."""
        found = [recording for recording in await self.store.of_call(call) if may_hear(actor, recording)]
        if not found:
            raise NotFound("이 통화의 녹음이 없습니다.", "There is no recording of this call.")
        return found

    async def open(self, actor: Actor, id: int, address: str, part: str) -> FilePath:
        """The file, after noting that this person hears it.

        Raises:
            NotFound: no such recording, or none that this person may know of, or its file is gone.
            Conflict: it is not finished.
        """
        recording = await self.store.get(id)
        if recording is None or not may_hear(actor, recording):
            raise NotFound("녹음을 찾을 수 없습니다.", "There is no such recording.")
        if recording.state is RecordingState.RECORDING:
            raise Conflict("아직 녹음하고 있습니다.", "It is still being recorded.")
        path = self._file_of(recording) if recording.state is RecordingState.COMPLETE else None
        if path is None or not path.is_file():
            raise NotFound("녹음 파일이 없습니다.", "There is no file of this recording.")
        await self.store.log_play(
            Play(
                at=self._now(),
                login=actor.login,
                via=actor.via,
                address=address[:64],
                recording=recording.id,
                call=recording.call,
                leg=recording.leg,
                whose=f"{recording.caller or '-'} / {recording.agent or '-'}"[:300],
                part=part[:64],
            )
        )
        return path


def may_hear(actor: Actor, recording: Recording) -> bool:
    """Supervisors all; agents the calls they had, and voice mail, which was left for whoever replies to it."""
    return actor.may(Role.SUPERVISOR) or recording.agent == actor.login or recording.is_voicemail


def audio_address(recording: Recording) -> str | None:
    """Where a recording can be heard."""
    return f"/api/v1/recordings/{recording.id}/audio" if recording.state is RecordingState.COMPLETE else None


def build_router(gate: Gate, listening: Listening) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["recordings"])
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/calls/{id}/recordings", summary="What was recorded of a call")
    async def of_call(id: str = Path(max_length=150), actor: Actor = agent) -> RecordingsOut:
        return RecordingsOut(items=_out(await listening.of_call(actor, CallId(id))))

    @router.get("/recordings/{id}/audio", summary="The sound of one recording", response_class=FileResponse)
    async def audio(request: Request, id: int = Path(ge=1, le=2**53), actor: Actor = agent) -> Response:
        """WAV with support for `Range`. Every request is noted in the access log: who, when, from where, whose."""
        address = request.client.host if request.client else ""
        path = await listening.open(actor, id, address, request.headers.get("range", "all"))
        headers = {"Cache-Control": "private, no-store", "Content-Disposition": "inline"}
        return FileResponse(path, media_type="audio/wav", headers=headers)

    return router


def _out(recordings: Sequence[Recording]) -> list[RecordingOut]:
    return [
        RecordingOut(
            id=recording.id,
            leg=recording.leg,
            state=recording.state,
            why=recording.why,
            started_at=recording.started_at,
            ended_at=recording.ended_at,
            seconds=recording.seconds,
            bytes=recording.bytes,
            purge_on=recording.purge_on,
            audio=audio_address(recording),
        )
        for recording in recordings
    ]
