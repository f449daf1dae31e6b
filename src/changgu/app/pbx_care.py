"""The PBX beside the desk: brought up before it, looked after while it is open, ended with it or left to its calls."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, runtime_checkable

logger = logging.getLogger(__name__)

PING_EVERY = 2.0
PING_LIMIT = 2.0
"""Seconds: how often a private PBX is asked whether it is well, and how long it may take to say so."""

SUSPECT_AFTER = 3
HUNG_AFTER = 5
"""Pings in a row without an answer until somebody is told, and until a PBX that hangs is ended so that it is started
anew. Counted and not timed: when this program itself stood still, that is no fault of the PBX."""

LOOK_AGAIN = 1.0
"""Seconds until the PBX is looked after again when looking after it failed."""


class Pbx(Protocol):
    """What the desk asks of its PBX: `telephony.pbx.PrivatePbx`, or `telephony.existing_pbx.ExistingPbx`."""

    adopted: bool
    """It ran before we came."""

    async def start(self, files: Mapping[str, str]) -> None:
        """Bring it up with this configuration."""
        ...

    async def supervise(self, back: Callable[[], None] = ...) -> None:
        """Keep it up until cancelled."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


@runtime_checkable
class OurProcess(Protocol):
    """A PBX whose process is ours to end: `telephony.pbx.PrivatePbx`."""

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        ...

    @property
    def answered(self) -> int | None:
        """The process that has answered since it was started, whoever asked; any other may still be loading."""
        ...

    async def answers(self, limit: float) -> bool:
        """Whether it replies within so many seconds."""
        ...

    def kill(self) -> None:
        """End it without a word: it hears none."""
        ...


class Care:
    """How far the desk has come, which decides what becomes of the PBX at the end.

    A desk that never opened leaves things as it found them: it ends a PBX that it started, and no other. A desk that
    was open and closes as it was told to ends the PBX if the settings want it so. One that broke down leaves the PBX
    alone: conversations go on, callers reach the plain queues, and the next start takes them up.
    """

    def __init__(self) -> None:
        self.opened = False
        self.ends_with_desk = False

    def ends(self, pbx: Pbx) -> bool:
        """Whether the PBX is to be ended now."""
        return self.ends_with_desk if self.opened else not pbx.adopted


@contextlib.asynccontextmanager
async def looked_after(
    pbx: Pbx, files: Mapping[str, str], care: Care, back: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """While this lasts the PBX runs, and is started again when it dies; `back` is called when it answers again."""
    supervision: list[asyncio.Task[None]] = []
    try:
        await pbx.start(files)
        supervision.append(asyncio.create_task(_supervise(pbx, back), name="PBX"))
        if isinstance(pbx, OurProcess):
            supervision.append(asyncio.create_task(end_when_hung(pbx), name="PBX's pulse"))
        yield
    finally:
        for task in supervision:
            task.cancel()
        await asyncio.gather(*supervision, return_exceptions=True)
        if care.ends(pbx):
            await pbx.stop()
        elif care.opened and not care.ends_with_desk:
            logger.warning("the PBX and its calls go on without the desk; `changgu up` takes them up again")


async def _supervise(pbx: Pbx, back: Callable[[], None]) -> None:
    while True:
        try:
            await pbx.supervise(back)
        except Exception:  # the PBX would stay down unnoticed
            logger.exception("the PBX could not be looked after")
        await asyncio.sleep(LOOK_AGAIN)


async def end_when_hung(pbx: OurProcess, every: float = PING_EVERY, limit: float = PING_LIMIT) -> None:
    """End a PBX that lives and does not answer; whoever supervises it starts it again.

    One that has not answered yet since it was started is still loading, which is not for us to judge.
    """
    watched: int | None = None
    unanswered = 0
    while True:
        await asyncio.sleep(every)
        pid = pbx.pid
        if pid != watched:
            watched, unanswered = pid, 0
        if pid is None:
            continue
        if await pbx.answers(limit):
            if unanswered >= SUSPECT_AFTER:
                logger.warning("the PBX answers again")
            unanswered = 0
            continue
        if pid != pbx.answered:
            continue
        unanswered += 1
        if unanswered == SUSPECT_AFTER:
            logger.warning("the PBX has not answered %d times in a row", unanswered)
        if unanswered >= HUNG_AFTER and pbx.pid == pid:
            logger.error("the PBX hangs (process %d); it is ended, and started anew", pid)
            pbx.kill()
            unanswered = 0
