"""Who has which number, kept in memory: a caller is known without waiting for the database."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from changgu.directory import store
from changgu.directory.person import Owner
from changgu.ground.database import Database

logger = logging.getLogger(__name__)

LOOK_AGAIN = 1.0
"""Seconds after which it is seen that another process, such as `changgu import-people`, has changed the directory."""

MOST_NUMBERS = 200_000
"""Numbers that are kept, about 60 MB; a larger directory is asked at every call."""


class KnownNumbers:
    """All numbers of the directory with their owners, as they stood at its last change.

    After a change nothing is known until it has been read anew: whoever asks meanwhile asks the database. So what is
    told is never older than this process's own changes, and never more than `look_again` seconds older than others'.
    """

    def __init__(self, database: Database, look_again: float = LOOK_AGAIN, most: int = MOST_NUMBERS) -> None:
        self._database = database
        self._look_again = look_again
        self._most = most
        self._owners: dict[str, list[Owner]] | None = None
        self._read_at: store.Version | None = None
        self._changes = 0

    def owners(self, canonicals: Collection[str]) -> dict[str, list[Owner]] | None:
        """Who has these numbers, by number, without those that nobody has; None when that is to be asked."""
        if self._owners is None:
            return None
        return {canonical: self._owners[canonical] for canonical in canonicals if canonical in self._owners}

    def forget(self) -> None:
        """The directory has just been changed."""
        self._owners = self._read_at = None
        self._changes += 1

    async def run(self) -> None:
        """Keep up with the directory until cancelled."""
        while True:
            try:
                await self.refresh()
            except SQLAlchemyError as trouble:  # what was true is told on, until the database answers again
                logger.warning("the numbers of the directory cannot be read now: %s", trouble)
            await asyncio.sleep(self._look_again)

    async def refresh(self) -> None:
        """Read everything anew, if anything has changed. Raises `SQLAlchemyError`."""
        version = await self._database.read(store.version)
        if version == self._read_at:
            return
        self._owners = None
        changes = self._changes
        version, rows = await self._database.read(partial(store.all_owners, self._most + 1))
        if changes != self._changes:
            return  # changed while it was read: the next look reads it again
        self._read_at = version
        if len(rows) > self._most:
            logger.info("the directory has more than %d numbers; it is asked at every call", self._most)
        else:
            self._owners = _by_number(rows)


def _by_number(rows: Iterable[tuple[str, Owner]]) -> dict[str, list[Owner]]:
    found: dict[str, list[Owner]] = {}
    for canonical, owner in rows:
        found.setdefault(canonical, []).append(owner)
    return found
