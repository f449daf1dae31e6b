"""Looks for work that is due: at once when there is news of it, else when the last look said that more may be due."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)

LONGEST_SLEEP = 60.0
"""Seconds after which somebody looks again, whatever was expected: others change the database, too."""
SHORTEST_SLEEP = 0.05
AFTER_TROUBLE = 5.0
"""Seconds after which a database that was away is asked again."""


class Lookout:
    """`run` must be running. Each `look` begins what is due and gives the seconds until something may be due again."""

    def __init__(
        self, what: str, look: Callable[[], Awaitable[float]], *, after_trouble: float = AFTER_TROUBLE
    ) -> None:
        """`what` is looked for, for the log: "messages to callers"."""
        self._what = what
        self._look = look
        self._after_trouble = after_trouble
        self._news = asyncio.Event()

    def news(self) -> None:
        """Something has come or changed: look now, or once more after the look that is under way."""
        self._news.set()

    async def run(self) -> None:
        """Look until cancelled. A database that is away is looked into again; anything else that is raised ends it."""
        while True:
            self._news.clear()
            try:
                pause = await self._look()
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("%s cannot be looked for yet: %s", self._what, type(trouble).__name__)
                pause = self._after_trouble
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue


def pause_until(following: datetime | None, now: datetime) -> float:
    """Seconds to sleep when the next work is due at `following`, or none is known of."""
    if following is None:
        return LONGEST_SLEEP
    return min(LONGEST_SLEEP, max(0.0, (following - now).total_seconds()) + SHORTEST_SLEEP)
