"""Takes faxes from the folder into which the PBX writes them, and makes each a PDF for its ticket.

The PBX writes `<call>.tif` while a machine sends and the note `<call>.fax` when it has hung up, so a fax that came
while nobody looked is found afterwards. Both go only once the fax is kept. What cannot be read is put aside.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Protocol

from changgu.acd.identity import CallId, QueueName
from changgu.ground.trouble import BadInput

logger = logging.getLogger(__name__)

LOOK_EVERY = 3.0
"""Seconds between looks into the folder."""
ABANDONED_AFTER = timedelta(minutes=15)
"""Pages without a note that nobody has written to for so long are all there will be: the PBX died meanwhile."""

PAGES, NOTE, ASIDE = ".tif", ".fax", ".unreadable"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")


@dataclass(frozen=True, slots=True)
class Fax:
    """A fax that came."""

    call: CallId
    caller: str | None
    """The number that the network presented."""
    queue: QueueName | None
    """For whom it is, when the menu said so."""
    pdf: bytes
    pages: int
    complete: bool
    """False when the line broke after some pages."""


@dataclass(frozen=True, slots=True)
class FaxNote:
    """What the PBX wrote beside the pages."""

    succeeded: bool
    queue: QueueName | None
    caller: str | None


class Faxes(Protocol):
    """Keeps faxes."""

    async def keep(self, fax: Fax) -> None:
        """Keep it for good; raises when that is not possible."""
        ...


def read_note(written: str) -> FaxNote:
    """`SUCCESS|2|network|01012345678`; the caller's number is whatever somebody's exchange sent."""
    status, _, queue, caller = ([*written.strip().split("|", 3), "", "", "", ""])[:4]
    return FaxNote(
        succeeded=status == "SUCCESS",
        queue=QueueName(queue) if _QUEUE.fullmatch(queue) else None,
        caller=caller if _NUMBER.fullmatch(caller) else None,
    )


class FaxFolder:
    """`run` must be running. `clock` is the time of the files."""

    def __init__(
        self, folder: Path, faxes: Faxes, *, every: float = LOOK_EVERY, clock: Callable[[], float] = time
    ) -> None:
        self._folder = folder
        self._faxes = faxes
        self._every = every
        self._clock = clock
        self.failed = 0
        """Faxes of which not one page came, or that could not be read, or were refused."""

    async def run(self) -> None:
        """Look until cancelled; a folder that cannot be read now may be again later."""
        while True:
            try:
                await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
                await self.look()
            except OSError:
                logger.exception("the folder of faxes cannot be read")
            await asyncio.sleep(self._every)

    async def look(self) -> int:
        """Take every fax that has come to its end; how many were kept."""
        kept = 0
        for name in await asyncio.to_thread(self._ended):
            try:
                kept += await self._take(name)
            except Exception:  # one fax's edge: it stays where it is, and is tried again
                logger.exception("a fax could not be kept; the PBX wrote it as %s", name, extra={"call_id": name})
        return kept

    async def _take(self, name: str) -> bool:
        pages, written = self._folder / f"{name}{PAGES}", self._folder / f"{name}{NOTE}"
        note = read_note(await asyncio.to_thread(_text, written))
        if not await asyncio.to_thread(_has_content, pages):
            self.failed += 1
            logger.warning("a fax ended before its first page", extra={"call_id": name})
            await asyncio.to_thread(self._forget, pages, written)
            return False
        drawn = await asyncio.to_thread(_to_pdf, pages)
        if isinstance(drawn, str):
            self.failed += 1
            logger.error("the pages of a fax cannot be read: %s", drawn, extra={"call_id": name})
            await asyncio.to_thread(self._put_aside, pages, written)
            return False
        pdf, count = drawn
        try:
            await self._faxes.keep(Fax(CallId(name), note.caller, note.queue, pdf, count, note.succeeded))
        except BadInput as trouble:  # refused, such as one that is too large: it would be again
            self.failed += 1
            logger.error("a fax is not taken: %s", trouble, extra={"call_id": name})
            await asyncio.to_thread(self._put_aside, pages, written)
            return False
        await asyncio.to_thread(self._forget, pages, written)
        logger.info("a fax of %d pages came", count, extra={"call_id": name})
        return True

    def _ended(self) -> list[str]:
        """Faxes that nobody writes to any more, by name, the oldest first."""
        found: dict[str, float] = {}
        if not self._folder.is_dir():
            return []
        for file in self._folder.iterdir():
            if _NAME.fullmatch(file.stem) is None or file.suffix not in (PAGES, NOTE):
                continue
            changed = file.stat().st_mtime
            if file.suffix == NOTE or self._clock() - changed > ABANDONED_AFTER.total_seconds():
                found.setdefault(file.stem, changed)
        return sorted(found, key=lambda name: found[name])

    @staticmethod
    def _forget(pages: Path, written: Path) -> None:
        pages.unlink(missing_ok=True)  # the note last: without it the pages would wait for it
        written.unlink(missing_ok=True)

    @staticmethod
    def _put_aside(pages: Path, written: Path) -> None:
        pages.replace(pages.with_suffix(ASIDE))
        written.unlink(missing_ok=True)


def _to_pdf(pages: Path) -> tuple[bytes, int] | str:
    """The PDF and how many pages it has, or why there is none."""
    from changgu.telephony.fax_pages import Unreadable, to_pdf  # callers wait for a start; a fax does not

    try:
        return to_pdf(pages)
    except Unreadable as trouble:
        return str(trouble)


def _text(file: Path) -> str:
    try:
        return file.read_bytes()[:1000].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0
