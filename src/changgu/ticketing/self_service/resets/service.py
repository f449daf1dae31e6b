"""Sends a new PIN to whoever forgot theirs: asked for by telephone with two numbers of theirs, or by the desk.

What a caller is told does not depend on who exists: the PIN goes out behind their call, to the mobile number or mail
address that the directory has, never to where the wish comes from and never spoken. A PIN that cannot be sent changes
nothing: the old one stays.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from changgu.ground.access import Actor
from changgu.ground.database import Database
from changgu.ground.trouble import Conflict, Trouble
from changgu.ticketing.self_service.resets import store
from changgu.ticketing.self_service.resets.limits import ASKED_FROM_A_NUMBER, SENT_A_DAY, Asked, Outcome, SentTo
from changgu.ticketing.self_service.service import SelfService

logger = logging.getLogger(__name__)

MOST_WAITING = 50
"""PINs that wait to be sent; one more is the desk's work."""
BY_CALLER = "caller"


class Registered(Protocol):
    """Knows by which two numbers somebody says who they are."""

    async def by_numbers(self, employee: str, mobile: str) -> int | None:
        """The one person with this 사번 whose mobile number this is; None for anybody else."""
        ...


class PinPost(Protocol):
    """Delivers PINs."""

    async def deliver(self, person: int, pin: str) -> SentTo:
        """To the person's own mobile number or mail address.

        Raises `Conflict` when the directory knows neither, and a `Trouble` when it was not taken over.
        """
        ...


@dataclass(frozen=True, slots=True)
class LastReset:
    """The last wish for a new PIN of somebody's, for the desk."""

    at: datetime
    by: str
    """Who asked: a login, or `caller`."""
    outcome: Outcome
    way: str


class PinResets:
    """`run` must be running for what callers ask; the desk's own are sent at once. Without `post` nothing is."""

    def __init__(
        self, database: Database, service: SelfService, people: Registered, post: PinPost | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._database = database
        self._service = service
        self._people = people
        self._post = post
        self._now = now
        self._waiting: asyncio.Queue[tuple[int, int]] = asyncio.Queue(MOST_WAITING)

    @property
    def can_send(self) -> bool:
        """Whether anything sends messages here."""
        return self._post is not None

    async def ask(self, employee: str, mobile: str, source: str) -> Asked:
        """A caller forgot their PIN and says two numbers of theirs; `source` is their telephone, or the call.

        Returns before anything is sent, and alike for whoever exists and whoever does not.
        """
        if self._post is None or self._waiting.full():
            return Asked.UNAVAILABLE
        person = await self._people.by_numbers(employee, mobile)
        source, now = source[-64:] or "unknown", self._now()
        async with self._database.transaction() as session:
            said = Outcome.WRONG if person is None else Outcome.WAITING
            wish = await store.begin(session, now, person, source, BY_CALLER, said)
            if await store.asked_from(session, source, wish, now) >= ASKED_FROM_A_NUMBER:
                await store.became(session, wish, Outcome.TOO_MANY)
                return Asked.PAUSED
            if person is None:
                return Asked.ACCEPTED
            if await store.sent_to(session, person, wish, now) >= SENT_A_DAY:
                await store.became(session, wish, Outcome.TOO_MANY)
                return Asked.ACCEPTED
        try:
            self._waiting.put_nowait((wish, person))
        except asyncio.QueueFull:
            async with self._database.transaction() as session:
                await store.became(session, wish, Outcome.NOT_SENT)
            return Asked.UNAVAILABLE
        return Asked.ACCEPTED

    async def send(self, person: int, by: Actor) -> SentTo:
        """The desk has a new PIN sent to the person, and does not see it itself.

        Raises:
            NotFound: nobody has this id.
            Conflict: nothing sends messages here, or the directory knows no mobile number or mail of theirs.
            Trouble: whoever delivers did not take it; the old PIN stays.
        """
        if self._post is None:
            raise Conflict(
                "문자나 메일을 보낼 곳이 설정되지 않았습니다([sending]).", "nothing sends SMS or mail here ([sending])"
            )
        await self._service.standing(person)
        async with self._database.transaction() as session:
            wish = await store.begin(session, self._now(), person, "", by.login, Outcome.WAITING)
        return await self._deliver(self._post, wish, person, by.login)

    async def last(self, person: int) -> LastReset | None:
        """The last one for this person; None when there was none."""
        async with self._database.transaction() as session:
            row = await store.newest(session, person)
        return LastReset(row.at, row.asked_by, Outcome(row.outcome), row.way) if row else None

    async def run(self) -> None:
        """Send what callers asked for, until cancelled."""
        async with self._database.transaction() as session:
            await store.end_waiting(session)
        while True:
            wish, person = await self._waiting.get()
            try:
                if self._post is not None:
                    await self._deliver(self._post, wish, person, BY_CALLER)
            except Trouble as trouble:  # one caller's edge: the next one's goes out
                logger.warning("a new PIN was not sent to person %d: %s %s", person, trouble.ko, trouble.en)
            except (SQLAlchemyError, OSError):
                logger.exception("a new PIN was not sent to person %d", person)
            finally:
                self._waiting.task_done()

    async def purge(self, before: datetime) -> int:
        """Wishes from before this moment are forgotten; how many."""
        async with self._database.transaction() as session:
            return await store.purge(session, before)

    async def settled(self) -> None:
        """Wait until everything asked for so far has been dealt with."""
        await self._waiting.join()

    async def _deliver(self, post: PinPost, wish: int, person: int, by: str) -> SentTo:
        sent = None
        try:
            pin = await self._service.fresh_pin(person)
            sent = await post.deliver(person, pin)
            await self._service.set_one_time(person, pin, by)
        finally:
            async with self._database.transaction() as session:
                outcome = Outcome.SENT if sent else Outcome.NOT_SENT
                await store.became(session, wish, outcome, sent.way if sent else "")
        logger.info("a new PIN went to person %d by %s, asked for by %s", person, sent.way, by)
        return sent
