"""The PBX beside the desk: brought up before it, looked after while it is open, ended with it or left to its calls."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

logger = logging.getLogger(__name__)

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
    supervision: asyncio.Task[None] | None = None
    try:
        await pbx.start(files)
        supervision = asyncio.create_task(_supervise(pbx, back), name="PBX")
        yield
    finally:
        if supervision is not None:
            supervision.cancel()
            await asyncio.gather(supervision, return_exceptions=True)
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
