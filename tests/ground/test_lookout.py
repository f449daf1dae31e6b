"""Work that is due is looked for when it comes, when it is time, and after the database was away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from changgu.ground.lookout import LONGEST_SLEEP, SHORTEST_SLEEP, Lookout, pause_until

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Watch:
    """Counts looks; each takes the next of what the test says: a pause, or trouble. Then it sleeps for good."""

    def __init__(self, *said: float | Exception) -> None:
        self.said = list(said)
        self.looks = 0
        self._looked = asyncio.Condition()

    async def look(self) -> float:
        async with self._looked:
            self.looks += 1
            self._looked.notify_all()
        said = self.said.pop(0) if self.said else 3600.0
        if isinstance(said, Exception):
            raise said
        return said

    async def seen(self, looks: int) -> None:
        async with asyncio.timeout(5), self._looked:
            await self._looked.wait_for(lambda: self.looks >= looks)


@asynccontextmanager
async def on_the_lookout(look: Callable[[], Awaitable[float]]) -> AsyncIterator[Lookout]:
    lookout = Lookout("letters", look, after_trouble=0.01)
    running = asyncio.create_task(lookout.run())
    yield lookout
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_looks_at_once_then_when_it_is_time_and_on_news() -> None:
    watch = Watch(0.01)
    async with on_the_lookout(watch.look) as lookout:
        await watch.seen(2)
        lookout.news()
        await watch.seen(3)


async def test_news_during_a_look_are_looked_into_after_it() -> None:
    """What came may have been missed by the look that was under way."""
    watch = Watch()

    async def look() -> float:
        if watch.looks == 0:
            lookout.news()
        return await watch.look()

    async with on_the_lookout(look) as lookout:
        await watch.seen(2)


async def test_a_database_that_was_away_is_looked_into_again_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch(OperationalError("SELECT", {}, Exception()), OSError())
    with caplog.at_level(logging.WARNING):
        async with on_the_lookout(watch.look):
            await watch.seen(3)

    assert caplog.messages == [f"letters cannot be looked for yet: {name}" for name in ("OperationalError", "OSError")]


async def test_a_fault_of_ours_ends_it() -> None:
    with pytest.raises(KeyError):
        await asyncio.wait_for(Lookout("letters", Watch(KeyError("x")).look).run(), 5)


def test_it_sleeps_until_the_next_is_due_but_never_long() -> None:
    assert pause_until(None, NOON) == LONGEST_SLEEP
    assert pause_until(NOON + timedelta(hours=1), NOON) == LONGEST_SLEEP
    assert pause_until(NOON + timedelta(seconds=10), NOON) == 10 + SHORTEST_SLEEP
    assert pause_until(NOON - timedelta(hours=1), NOON) == SHORTEST_SLEEP
