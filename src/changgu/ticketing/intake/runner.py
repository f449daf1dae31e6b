"""Tells the desk, once, of every voice mail and fax that nobody has replied to within the limit (CTI-18)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.identity import CallId
from changgu.ground.lookout import Lookout, pause_until
from changgu.ticketing.intake.messages import TicketMessage
from changgu.ticketing.intake.service import Intake

logger = logging.getLogger(__name__)

PURGE_EVERY = 3600.0


class Expiry:
    """Destroys what is past its time: `run` must be running. Each part destroys what was there before a moment."""

    def __init__(
        self, days: int, zone: tzinfo, parts: Mapping[str, Callable[[datetime], Awaitable[int]]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        """`days` counts from the day on which something came, on the site's calendar; parts by what they destroy."""
        self._days = days
        self._zone = zone
        self._parts = parts
        self._now = now

    async def run(self) -> None:
        """Look every hour, until cancelled."""
        while True:
            await self.purge()
            await asyncio.sleep(PURGE_EVERY)

    async def purge(self) -> int:
        """How many were destroyed; a part that cannot be reached now is tried again."""
        first_kept = self._now().astimezone(self._zone).date() - timedelta(days=self._days - 1)
        before = datetime.combine(first_kept, time(), self._zone)
        count = 0
        for name, purge in self._parts.items():
            try:
                done = await purge(before)
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("%s could not be destroyed now: %s", name, type(trouble).__name__)
                continue
            if done:
                logger.info("%d %s were destroyed because their time was over", done, name)
            count += done
        return count


class UnansweredWatch:
    """`run` must be running. `show` is given the late messages whenever they may have changed, the oldest first."""

    def __init__(self, intake: Intake, show: Callable[[Sequence[TicketMessage]], None]) -> None:
        self._intake = intake
        self._show = show
        self._lookout = Lookout("messages without a reply", self.look_once)
        self._shown: list[TicketMessage] | None = None

    def look(self) -> None:
        """A message has come, or one needs no reply: look now."""
        self._lookout.news()

    def ticket_changed(self, call: CallId) -> None:
        """Somebody may have replied; returns at once. `call` is one of the ticket's."""
        if any(message.call == call for message in self._shown or ()):
            self._lookout.news()

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._lookout.run()

    async def look_once(self) -> float:
        """Raise what is due and show what is late; the seconds until something may be due again."""
        for message in await self._intake.raise_alerts():
            logger.warning(
                "ticket=%s a %s has had no reply for %d min", message.ticket, message.kind.value,
                self._intake.waiting.limit.total_seconds() // 60, extra={"call_id": message.call},
            )  # fmt: skip
        late = await self._intake.late()
        if late != self._shown:
            self._shown = late
            self._show(late)
        return pause_until(await self._intake.next_alert(), self._intake.now())
