"""Starts and stops recordings as conversations begin and end, and leaves no recording without an end.

A conversation that should have been recorded and was not has a row that says why: nothing is missing silently.
"""

import asyncio
import hashlib
import io
import json
import logging
import os
import re
import wave
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.facts import CallConnected, CallEnded, CallStarted, MenuStepTaken, Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.ground.database import moment
from changgu.recordings.consent import HEARD, Decision, Visit, advance, decide
from changgu.recordings.retention import Retention, due, purge_day
from changgu.recordings.store import Leg, NewRecording, Recording, RecordingState, RecordingStore
from changgu.recordings.wav import HEADER_BYTES, NoWav, Wav, look, mended

logger = logging.getLogger(__name__)

FILES = {Leg.MIX: "mix.wav", Leg.CALLER: "caller.wav", Leg.AGENT: "agent.wav"}
"""The names that the recorder gives its files of a conversation."""

MESSAGE = "message.wav"
"""Voice mail; beside those, as a caller may leave a message and then reach an agent."""

NOTE = "call.json"
"""Lies beside the files and says whose they are, should the database not have heard of them."""

WORK_LIMIT = 20_000
"""Starts and stops that may wait; two for each conversation."""

AT_ONCE = 32
"""Recordings that are started or stopped at the same time."""

PURGE_EVERY = 3600.0
"""Seconds between looks for recordings whose time is over."""

PURGE_FIRST = 10.0
"""Seconds after a start until the first: until then there is more to do, and callers wait for it."""

NONE: frozenset[str] = frozenset()

FOLLOWED = (*HEARD, CallEnded)
"""The facts that change what becomes of a conversation."""

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Recorder(Protocol):
    """Makes the PBX record; raises when it does not."""

    async def start(self, call: CallId, folder: Path) -> None:
        """Record a conversation into `mix.wav`, `caller.wav` and `agent.wav` of this folder, which exists."""
        ...

    async def stop(self, call: CallId) -> None:
        """End it; one that has ended by itself is fine."""
        ...


class VoiceMail(Protocol):
    """A message that a caller has left."""

    @property
    def call(self) -> CallId:
        """The call in which it was left."""
        ...

    @property
    def queue(self) -> QueueName:
        """The queue whose agents it is for."""
        ...

    @property
    def caller(self) -> str | None:
        """The number that the network presented."""
        ...

    @property
    def sound(self) -> bytes:
        """A WAV file."""
        ...


@dataclass(frozen=True, slots=True)
class _Start:
    call: CallId
    visit: Visit
    at: datetime


@dataclass(frozen=True, slots=True)
class _Stop:
    call: CallId
    at: datetime


class Recordings:
    """Hears the facts; `run` does the work. `policy` says which queues record now, `zone` is the site's.

    `notice_nodes` gives the nodes of the menu that say the notice of recording to its end.
    """

    def __init__(
        self,
        store: RecordingStore,
        recorder: Recorder,
        folder: Path,
        policy: Callable[[], Mapping[QueueName, bool]],
        notice_nodes: Callable[[], frozenset[str]],
        *,
        zone: ZoneInfo,
        retention: Retention | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: float = 10.0,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self.folder = folder.resolve()
        self._policy = policy
        self._notice_nodes = notice_nodes
        self._zone = zone
        self._retention = retention or Retention()
        self._now = now
        self._patience = patience
        self._visits: dict[CallId, Visit] = {}
        self._without: set[CallId] = set()
        """Conversations that go on and are not to be recorded: nothing is done at their end either."""
        self._work: asyncio.Queue[_Start | _Stop] = asyncio.Queue(WORK_LIMIT)
        self._last_of_call: dict[CallId, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self.unrecorded = 0
        """Conversations for which not even the reason could be kept; anything but 0 needs somebody's attention."""

    # -- listening

    def hear(self, recorded: Recorded) -> None:
        """Take a fact; returns at once."""
        fact = recorded.fact
        if not isinstance(fact, FOLLOWED):
            return
        call = fact.call
        before = self._visits.get(call)
        visit = self._follow(recorded, call)
        if visit is None:
            return
        if isinstance(fact, CallConnected) and before is not None and before.agent is None:
            if decide(visit) is Decision.NOT_WANTED:
                self._without.add(call)
            else:
                self._put(_Start(call, visit, moment(recorded.at)))
        elif isinstance(fact, CallEnded):
            del self._visits[call]
            if call in self._without:
                self._without.discard(call)
            elif visit.agent is not None:
                self._put(_Stop(call, moment(recorded.at)))

    def remember(self, recorded: Recorded) -> None:
        """After a restart: what happened before, from the recovery tail; starts nothing."""
        call: CallId | None = getattr(recorded.fact, "call", None)
        if call is not None and self._follow(recorded, call) and isinstance(recorded.fact, CallEnded):
            del self._visits[call]

    def _follow(self, recorded: Recorded, call: CallId) -> Visit | None:
        fact = recorded.fact
        policy = dict(self._policy()) if isinstance(fact, CallStarted) else {}
        notice_nodes = self._notice_nodes() if isinstance(fact, MenuStepTaken) else NONE
        visit = advance(self._visits.get(call), fact, policy, notice_nodes)
        if visit is not None:
            self._visits[call] = visit
        return visit

    def _put(self, work: _Start | _Stop) -> None:
        try:
            self._work.put_nowait(work)
        except asyncio.QueueFull:
            self.unrecorded += 1
            logger.error("too many recordings wait to be started or stopped", extra={"call_id": work.call})

    async def keep(self, message: VoiceMail) -> Recording:
        """Keep a voice mail with its call, for as long as any recording; the row of it.

        A second one in the same call is joined to the first. Raises OSError or SQLAlchemyError; then nothing is kept,
        and whoever has the sound must not throw it away.
        """
        now = self._now()
        earlier = next((one for one in await self._store.of_call(message.call) if one.leg is Leg.MESSAGE), None)
        # Beside the first, whatever day that was: a file that no row names would never be destroyed.
        place = self._place(message.call, earlier.started_at if earlier and earlier.path else now)
        look(message.sound[:HEADER_BYTES], len(message.sound))
        path = f"{place}/{MESSAGE}"
        whole = await asyncio.to_thread(_joined, self.folder / path, message.sound)
        sound = look(whole[:HEADER_BYTES], len(whole))
        await asyncio.to_thread(self._write, path, whole)
        purge_on = self._purge_on(now)
        row = NewRecording(message.call, Leg.MESSAGE, path, message.queue, None, message.caller, now, purge_on)
        await self._store.add([row])
        kept = next(one for one in await self._store.of_call(message.call) if one.leg is Leg.MESSAGE)
        if kept.path == path:
            size = sound.real_bytes + HEADER_BYTES
            await self._store.finish(kept.id, RecordingState.COMPLETE, now, seconds=sound.seconds, bytes=size)
        return replace(kept, seconds=sound.seconds)

    # -- working

    async def run(self) -> None:
        """Start, stop and purge until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._purge_now_and_then())
            while True:
                work = await self._work.get()
                before = self._last_of_call.get(work.call)
                task = tasks.create_task(self._in_turn(work, before))
                self._last_of_call[work.call] = task
                task.add_done_callback(self._forget_task(work.call))

    async def settle(self, limit: float = 15.0) -> bool:
        """While `run` is running, until everything heard so far is done; False when `limit` seconds did not do."""
        try:
            async with asyncio.timeout(limit):
                while not self._work.empty() or self._last_of_call:
                    if self._last_of_call:
                        await asyncio.wait(list(self._last_of_call.values()))
                    await asyncio.sleep(0)
        except TimeoutError:
            return False
        return True

    def _forget_task(self, call: CallId) -> Callable[[asyncio.Task[None]], None]:
        def forget(task: asyncio.Task[None]) -> None:
            if self._last_of_call.get(call) is task:
                del self._last_of_call[call]

        return forget

    async def _in_turn(self, work: _Start | _Stop, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        async with self._places:
            with self._one_calls_edge(work.call):
                if isinstance(work, _Start):
                    await self._start(work)
                else:
                    await self._stop(work)

    @contextmanager
    def _one_calls_edge(self, call: CallId) -> Iterator[None]:
        """What goes wrong with one recording ends no other."""
        try:
            yield
        except Exception:
            self.unrecorded += 1
            logger.exception("a recording could not be kept account of", extra={"call_id": call})

    async def _start(self, work: _Start) -> None:
        decision = decide(work.visit)
        if decision is Decision.NOT_WANTED:
            return
        place = self._place(work.call, work.at)
        if decision is Decision.NO_NOTICE:
            logger.warning("not recorded: the caller has not heard the notice", extra={"call_id": work.call})
            await self._store.add([self._new(work, Leg.MIX, None, RecordingState.SKIPPED, decision.value)])
            return
        rows = [self._new(work, leg, f"{place}/{name}") for leg, name in FILES.items()]
        try:
            await asyncio.to_thread(self._make_folder, place, work)
        except OSError as trouble:
            logger.error("no room for a recording: %s", trouble, extra={"call_id": work.call})
            failed = [self._new(work, row.leg, None, RecordingState.FAILED, f"folder: {trouble}") for row in rows]
            await self._store.add(failed)
            return
        try:
            await self._store.add(rows)
        except (SQLAlchemyError, OSError) as trouble:
            # The note beside the files keeps the account until the database is back (`reconcile`).
            logger.warning("a recording begins without its row: %s", trouble, extra={"call_id": work.call})
        try:
            await self._recorder.start(work.call, self.folder / place)
        except Exception as trouble:  # whatever the recorder's PBX says, this is one recording's edge
            logger.warning("not recorded: %s", trouble, extra={"call_id": work.call})
            await self._store.fail(work.call, f"recorder: {trouble}", self._now())

    async def _stop(self, work: _Stop) -> None:
        recordings = [one for one in await self._store.of_call(work.call) if one.state is RecordingState.RECORDING]
        if not recordings:
            return
        try:
            await self._recorder.stop(work.call)
        except Exception as trouble:  # the PBX ends a recording with its channel in any case
            logger.warning("a recording was not stopped: %s", trouble, extra={"call_id": work.call})
        await self._finish(recordings, work.at)

    async def _finish(self, recordings: Collection[Recording], ended_at: datetime) -> None:
        """Wait until the PBX has closed the files, at most `patience` seconds in all; then write down what there is."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        for recording in recordings:
            while True:
                found = await asyncio.to_thread(self._look, recording)
                # A file without sound may be one that the PBX has not written out yet.
                whole = isinstance(found, Wav) and found.closed and found.real_bytes > 0
                if whole or loop.time() >= deadline:
                    break
                await asyncio.sleep(0.1)
            await self._write_down(recording, found, ended_at)

    async def _write_down(self, recording: Recording, found: Wav | str, ended_at: datetime) -> None:
        if isinstance(found, Wav) and not found.closed:
            found = await asyncio.to_thread(self._mend, recording)
        if isinstance(found, str):
            logger.warning("no usable recording: %s", found, extra={"call_id": recording.call})
            await self._store.finish(recording.id, RecordingState.FAILED, ended_at, why=found)
        elif found.real_bytes == 0:
            await self._store.finish(recording.id, RecordingState.FAILED, ended_at, why="empty: no sound arrived")
        else:
            size = found.real_bytes + HEADER_BYTES
            await self._store.finish(
                recording.id, RecordingState.COMPLETE, ended_at, seconds=found.seconds, bytes=size
            )

    # -- after a restart

    async def reconcile(self, live: Collection[CallId]) -> None:
        """After a restart: every recording gets its end, or goes on.

        `live` are the calls that the PBX still knows. Recordings of others get their end from their files; files
        that the database has not heard of get their rows; conversations that began unrecorded are recorded from now.
        """
        for note in await asyncio.to_thread(lambda: list(self._notes())):
            with self._one_calls_edge(note[0].call):
                await self._store.add(note)
        running = await self._store.running()
        known = {recording.call for recording in running if recording.leg in FILES}
        for recording in running:
            if recording.call not in live:
                with self._one_calls_edge(recording.call):
                    found = await asyncio.to_thread(self._look, recording)
                    await self._write_down(recording, found, await asyncio.to_thread(self._written_at, recording))
        for call, visit in list(self._visits.items()):  # calls come and go while the store is asked
            if call in live and call not in known and visit.agent and not await self._is_noted(call):
                self._put(_Start(call, visit, self._now()))

    async def _is_noted(self, call: CallId) -> bool:
        """Whether anything is known of this conversation's recording; a message before it is none."""
        return any(one.leg in FILES for one in await self._store.of_call(call))

    def _notes(self) -> Iterator[list[NewRecording]]:
        """What the notes of the last three days of recordings say."""
        days = sorted(path for path in self.folder.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]") if path.is_dir())
        for day in days[-3:]:
            for path in sorted(day.glob(f"*/{NOTE}")):
                try:
                    note = json.loads(path.read_bytes())
                    at = datetime.fromisoformat(note["started_at"])
                    call, agent, queue = CallId(note["call"]), AgentId(note["agent"]), QueueName(note["queue"])
                    caller = note["caller"]
                except (OSError, ValueError, KeyError, TypeError) as trouble:
                    logger.warning("an unreadable note beside a recording: %s: %s", path, trouble)
                    continue
                place = path.parent.relative_to(self.folder).as_posix()
                yield [
                    NewRecording(call, leg, f"{place}/{name}", queue, agent, caller, at, self._purge_on(at))
                    for leg, name in FILES.items()
                ]

    # -- the time that is over

    async def _purge_now_and_then(self) -> None:
        await asyncio.sleep(PURGE_FIRST)
        while True:
            try:
                await self.purge(self._now().astimezone(self._zone).date())
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("recordings could not be purged now: %s", trouble)
            await asyncio.sleep(PURGE_EVERY)

    async def purge(self, today: date) -> int:
        """Destroy what may no longer exist; how many files that were."""
        overdue = due(await self._store.kept_until(today), today)
        for recording in overdue:
            await asyncio.to_thread(self._destroy, recording)
            await self._store.purged(recording.id)
        if overdue:
            logger.info("%d recordings were destroyed because their time was over", len(overdue))
        return len(overdue)

    # -- files

    def file_of(self, recording: Recording) -> Path | None:
        """Where a recording lies; None when it has no file, or its path would lead out of the folder."""
        if recording.path is None:
            return None
        path = (self.folder / recording.path).resolve()
        if not path.is_relative_to(self.folder) or path == self.folder:
            logger.error("a recording's path leads out of the folder", extra={"call_id": recording.call})
            return None
        return path

    def _place(self, call: CallId, at: datetime) -> str:
        """The folder of one call, by day; a name that could be anything else than a name is replaced by its hash."""
        name = call if SAFE_NAME.fullmatch(call) else hashlib.sha256(call.encode()).hexdigest()[:40]
        return f"{at.astimezone(self._zone):%Y/%m/%d}/{name}"

    def _write(self, path: str, sound: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.write(sound)
            out.flush()
            os.fsync(out.fileno())

    def _make_folder(self, place: str, work: _Start) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # voices are nobody else's business
        folder = self.folder / place
        folder.mkdir(parents=True, exist_ok=True)
        note = {
            "call": work.call, "queue": work.visit.queue, "agent": work.visit.agent, "caller": work.visit.caller,
            "started_at": work.at.isoformat(),
        }  # fmt: skip
        (folder / NOTE).write_text(json.dumps(note, ensure_ascii=False), "utf-8")

    def _new(
        self, work: _Start, leg: Leg, path: str | None, state: RecordingState = RecordingState.RECORDING, why: str = ""
    ) -> NewRecording:
        visit = work.visit
        purge_on = self._purge_on(work.at)
        return NewRecording(
            work.call, leg, path, visit.queue, visit.agent, visit.caller, work.at, purge_on, state, why
        )

    def _purge_on(self, at: datetime) -> date:
        return purge_day(at.astimezone(self._zone), self._retention)

    def _look(self, recording: Recording) -> Wav | str:
        """What the file is, or why it is of no use."""
        path = self.file_of(recording)
        try:
            if path is None:
                return "no file"
            with path.open("rb") as file:
                return look(file.read(HEADER_BYTES), path.stat().st_size)
        except FileNotFoundError:
            return "no file: the PBX wrote none"
        except (OSError, NoWav) as trouble:
            return f"unreadable: {trouble}"

    def _mend(self, recording: Recording) -> Wav | str:
        """Give a file that the PBX could not close the lengths it has."""
        path = self.file_of(recording)
        if path is None:
            return "no file"
        try:
            with path.open("r+b") as file:
                header, size = file.read(HEADER_BYTES), path.stat().st_size
                file.seek(0)
                file.write(mended(header, size))
        except (OSError, NoWav) as trouble:
            return f"unreadable: {trouble}"
        return self._look(recording)

    def _written_at(self, recording: Recording) -> datetime:
        """When the PBX last wrote to a file: the end of a recording whose end nobody saw."""
        path = self.file_of(recording)
        try:
            return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path else recording.started_at
        except OSError:
            return recording.started_at

    def _destroy(self, recording: Recording) -> None:
        path = self.file_of(recording)
        if path is None:
            return
        path.unlink(missing_ok=True)
        if not any((path.parent / name).exists() for name in (*FILES.values(), MESSAGE)):
            (path.parent / NOTE).unlink(missing_ok=True)
            try:
                path.parent.rmdir()
            except OSError:
                logger.warning("a purged recording's folder holds something else: %s", path.parent)


def _joined(before: Path, sound: bytes) -> bytes:
    """What a call's caller has said so far, with this behind it; the same thing kept again is there once."""
    if not before.exists():
        return sound
    with wave.open(str(before), "rb") as first, wave.open(io.BytesIO(sound), "rb") as second:
        said, more = first.readframes(first.getnframes()), second.readframes(second.getnframes())
        if said.endswith(more):
            return before.read_bytes()
        whole = io.BytesIO()
        with wave.open(whole, "wb") as out:
            out.setnchannels(first.getnchannels())
            out.setsampwidth(first.getsampwidth())
            out.setframerate(first.getframerate())
            out.writeframes(said + more)
    return whole.getvalue()
