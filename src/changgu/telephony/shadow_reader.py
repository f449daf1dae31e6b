"""Reads the PBX's queue_log after we were away, and tells of every call that ended meanwhile without us, once.

Where to go on reading is remembered in a small file, written only when what was told is safe in the ledger: after a
crash between the two, rows are read again, and calls that the ledger knows are passed over.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import orjson

from changgu.acd.facts import CallServedElsewhere, Outcome
from changgu.acd.identity import CallId, Instant, QueueName
from changgu.ground.whole_file import write_whole
from changgu.telephony.shadow_history import Row, ShadowHistory, parse

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two looks while conversations go on that the plain queues began."""

AT_ONCE = 4 * 2**20
"""Bytes read in one go."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a log that may have been rotated meanwhile: the file is known by its inode."""

    inode: int = 0
    offset: int = 0


class ShadowReader:
    """`ask` makes it look; `run` must be running.

    `log` is Asterisk's queue_log, None when it cannot be read, `kept` the file that remembers the place. `known`
    tells whether the ledger has a call; `tell` takes a finished one, and returns when the ledger has heard it
    (`Runner.record`); `settled` returns whether all that was told is safe. Only then is the place remembered: a kill
    between the two would lose the call.
    """

    def __init__(
        self, log: Path | None, kept: Path, *, known: Callable[[CallId], Awaitable[bool]],
        tell: Callable[[CallServedElsewhere], Awaitable[None]], settled: Callable[[], Awaitable[bool]],
        look_every: float = LOOK_EVERY,
        waited: Callable[[CallId], tuple[QueueName, Instant] | None] = lambda call: None,
    ) -> None:  # fmt: skip
        """`waited`: in which of our queues a caller waited by the PBX's own account, and since when."""
        self._waited = waited
        self._log = log
        self._kept = kept
        self._known = known
        self._tell = tell
        self._settled = settled
        self._look_every = look_every
        self._history = ShadowHistory()
        self._finished: deque[CallServedElsewhere] = deque()
        """Over, and not told yet."""
        self._place: Place | None = None
        self._remembered: Place | None = None
        self._wanted = asyncio.Event()
        self.told = 0
        """Calls told of since the start."""

    def ask(self) -> None:
        """We were away, perhaps: look."""
        self._wanted.set()

    async def run(self) -> None:
        """Look whenever asked, and again while a plain queue's conversations go on, until cancelled."""
        failed = False
        while True:
            await self._wait(again=failed or self._history.unfinished > 0)
            try:
                await self.look()
            except OSError as trouble:
                failed = True
                logger.warning("the history of the plain queues cannot be read: %s", trouble)
            else:
                failed = False

    async def look(self) -> None:
        """Read what has been added; raises OSError."""
        if self._log is None:
            return
        if self._place is None:
            self._place = self._remembered = await asyncio.to_thread(_remembered, self._kept)
        while True:
            rows, place, whole = await asyncio.to_thread(rows_after, self._log, self._place)
            if place.inode != self._place.inode:
                self._history.started_over()
            self._place = place
            self._finished.extend(self._history.read(rows))
            while self._finished:
                await self._finish(self._finished[0])
                self._finished.popleft()
            if whole:
                break
        resume = Place(self._place.inode, self._history.resume_at(self._place.offset))
        if resume != self._remembered and await self._settled():
            await asyncio.to_thread(_remember, self._kept, resume)
            self._remembered = resume

    async def _wait(self, *, again: bool) -> None:
        try:
            async with asyncio.timeout(self._look_every if again else None):
                await self._wanted.wait()
        except TimeoutError:
            return
        self._wanted.clear()

    async def _finish(self, finished: CallServedElsewhere) -> None:
        if await self._known(finished.call):
            return
        if finished.queue is None and (wait := self._waited(finished.call)) is not None:
            queue, since = wait
            finished = msgspec.structs.replace(
                finished, queue=queue, queued_at=since, outcome=Outcome.ABANDONED_IN_QUEUE
            )
        self.told += 1
        logger.info("a call ended without us: %s", finished.outcome.value, extra={"call_id": finished.call})
        await self._tell(finished)


def place_now(log: Path) -> Place:
    """Where the next row will stand; raises OSError."""
    try:
        present = log.stat()
    except FileNotFoundError:  # no PBX has written yet
        return Place()
    return Place(present.st_ino, present.st_size)


def _remembered(kept: Path) -> Place:
    try:
        there = orjson.loads(kept.read_bytes())
        return Place(int(there["inode"]), int(there["offset"]))
    except FileNotFoundError:
        return Place()
    except (ValueError, KeyError, TypeError) as trouble:
        logger.warning("%s cannot be read (%s): the whole log is read again", kept, trouble)
        return Place()


def _remember(kept: Path, place: Place) -> None:
    write_whole(kept, orjson.dumps(asdict(place)))


def rows_after(log: Path, place: Place) -> tuple[list[tuple[int, Row]], Place, bool]:
    """Rows from a place on, the place after them, and whether that is the end of the present log; raises OSError."""
    try:
        present = log.stat()
    except FileNotFoundError:  # no PBX has written yet
        return [], place, True
    file, inode = log, present.st_ino
    if place.inode not in (0, inode):
        older = _rotated(log, place.inode)
        if older is None or older.stat().st_size <= place.offset:
            place = Place(inode, 0)
        else:
            file, inode = older, place.inode
    elif present.st_size < place.offset:  # emptied and begun anew
        place = Place(inode, 0)
    rows: list[tuple[int, Row]] = []
    offset = place.offset
    with file.open("rb") as lines:
        lines.seek(offset)
        read = lines.read(AT_ONCE)
    ended = len(read) < AT_ONCE
    *whole, rest = read.split(b"\n")
    if not whole and not ended:
        whole = [rest]  # no line is that long; whatever it is, it is passed over
    for line in whole:
        row = parse(line.decode("utf-8", "replace"))
        if row is not None:
            rows.append((offset, row))
        offset += len(line) + 1
    if file != log and ended:  # an older file's last half line will never be whole
        return rows, Place(present.st_ino, 0), False
    return rows, Place(inode, offset), ended


def _rotated(log: Path, inode: int) -> Path | None:
    """The file that was `log` before it was rotated: `queue_log.0`, `queue_log.1`, …"""
    for other in sorted(log.parent.glob(f"{log.name}.*")):
        if other.stat().st_ino == inode:
            return other
    return None
