"""Who has which number, kept in memory: a caller is known without waiting for the database."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from changgu.directory import store
from changgu.directory.person import Owner
from changgu.ground.database import Database

logger = logging.getLogger(__name__)

LOOK_AGAIN = 1.0
"""Seconds after which it is seen that another process, such as `changgu import-people`, has changed the directory."""

MOST_NUMBERS = 50_000
"""Numbers that are kept, about 15 MB; a larger directory is asked at every call."""


class KnownNumbers:
    """All numbers of the directory with their owners, as they stood at its last change.

    After a change nothing is known until it has been looked through anew: whoever asks meanwhile asks the database. So
    what is told is never older than a change that this process has made, and about `look_again` seconds older at most
    than those of others, or one whose maker did not wait for it. While the database is away, what was true is told on.
    """

    def __init__(self, database: Database, look_again: float = LOOK_AGAIN, most: int = MOST_NUMBERS) -> None:
        self._database = database
        self._look_again = look_again
        self._most = most
        self._owners: Mapping[str, tuple[Owner, ...]] | None = None
        """As of `_version`; None when there are too many, or none have been read."""
        self._version: store.Version | None = None
        self._believed = False
        """Whether that is the directory as it stands."""
        self._changes = 0

    def owners(self, canonicals: Collection[str]) -> dict[str, tuple[Owner, ...]] | None:
        """Who has these numbers, by number, without those that nobody has; None when that is to be asked."""
        known = self._owners
        if known is None or not self._believed:
            return None
        return {canonical: known[canonical] for canonical in canonicals if canonical in known}

    def doubt(self) -> None:
        """The directory may just have been changed."""
        self._believed = False
        self._changes += 1

    async def run(self) -> None:
        """Keep up with the directory until cancelled."""
        while True:
            try:
                await self.refresh()
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("the numbers of the directory cannot be read now: %s", trouble)
            await asyncio.sleep(self._look_again)

    async def refresh(self) -> None:
        """Read everything anew, if anything has changed. Raises `SQLAlchemyError`, OSError."""
        changes = self._changes
        version = await self._database.read(store.version)
        if version != self._version:
            self._believed = False
            version, owners = await self._database.read(partial(store.all_owners, self._most))
            if owners is None:
                logger.info("the directory has more than %d numbers; it is asked at every call", self._most)
            self._owners, self._version = owners, version
        if changes == self._changes:  # else changed while it was looked at: the next look tells
            self._believed = True
