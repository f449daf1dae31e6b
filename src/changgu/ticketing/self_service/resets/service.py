"""Sends a new PIN to whoever forgot theirs: asked for by telephone with two numbers of theirs, or by the desk.

What a caller is told does not depend on who exists: the PIN goes out behind their call, to the mobile number or mail
address that the directory has, never to where the wish comes from and never spoken. A wish is kept in the outbox and
outlives the desk; its PIN is made when it is sent, and stands nowhere. One that cannot be sent changes nothing: the old
one stays.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from changgu.ground.access import Actor
from changgu.ground.database import Database
from changgu.ticketing.outbox.outgoing import Outgoing, Purpose, State, Taken
from changgu.ticketing.outbox.service import Outbox, nothing_sends
from changgu.ticketing.self_service.resets import store
from changgu.ticketing.self_service.resets.limits import SENT_A_DAY, Asked, Outcome, SentTo
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
    """Wishes for a PIN, which the outbox sends. Without `post` nothing is. Answers `outbox.service.Errand`."""

    def __init__(
        self, database: Database, service: SelfService, people: Registered, post: PinPost | None, outbox: Outbox,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._database = database
        self._service = service
        self._people = people
        self._post = post
        self._outbox = outbox
        self._now = now
        outbox.join(Purpose.PIN, self)

    @property
    def can_send(self) -> bool:
        """Whether anything sends messages here."""
        return self._post is not None

    async def ask(self, employee: str, mobile: str, source: str) -> Asked:
        """A caller forgot their PIN and says two numbers of theirs.

        `source` is their telephone or call, or a `web_source`.

        Returns before anything is sent, and alike for whoever exists and whoever does not.
        """
        if self._post is None:
            return Asked.UNAVAILABLE
        person = await self._people.by_numbers(employee, mobile)
        source, now = source[-64:] or "unknown", self._now()
        async with self._database.transaction() as session:
            if await self._outbox.waiting(session, Purpose.PIN) >= MOST_WAITING:
                return Asked.UNAVAILABLE
            said = Outcome.WRONG if person is None else Outcome.WAITING
            wish = await store.begin(session, now, person, source, BY_CALLER, said)
            if await store.asked_too_often(session, source, wish, now):
                await store.forget(session, wish)
                return Asked.PAUSED
            if person is None:
                return Asked.ACCEPTED
            if await store.sent_to(session, person, wish, now) >= SENT_A_DAY:
                await store.became(session, wish, Outcome.TOO_MANY)
                return Asked.ACCEPTED
            await self._outbox.ask(session, Purpose.PIN, wish, person, BY_CALLER)
        self._outbox.look()
        return Asked.ACCEPTED

    async def send(self, person: int, by: Actor) -> SentTo:
        """The desk has a new PIN sent to the person, and does not see it itself.

        Raises:
            NotFound: nobody has this id.
            Conflict: nothing sends messages here, or the directory knows no mobile number or mail of theirs.
            Trouble: whoever delivers did not take it; the old PIN stays.
        """
        if self._post is None:
            raise nothing_sends()
        await self._service.standing(person)
        async with self._database.transaction() as session:
            wish = await store.begin(session, self._now(), person, "", by.login, Outcome.WAITING)
            message = await self._outbox.ask(session, Purpose.PIN, wish, person, by.login, at_once=True)
        taken = await self._outbox.try_now(message)
        return SentTo(taken.way, taken.to)

    async def last(self, person: int) -> LastReset | None:
        """The last one for this person; None when there was none."""
        async with self._database.transaction() as session:
            row = await store.newest(session, person)
        return LastReset(row.at, row.asked_by, Outcome(row.outcome), row.way) if row else None

    async def purge(self, before: datetime) -> int:
        """Wishes from before this moment are forgotten; how many."""
        async with self._database.transaction() as session:
            return await store.purge(session, before)

    async def carry(self, message: Outgoing) -> Taken:
        """Make a PIN and send it; it is good once that is noted. Raises what whoever delivers says."""
        person = _person(message)
        if self._post is None:
            raise nothing_sends()
        pin = await self._service.fresh_pin(person)
        sent = await self._post.deliver(person, pin)
        seal = await self._service.one_time(person, pin, message.asked_by)
        logger.info("a new PIN went to person %d by %s, asked for by %s", person, sent.way, message.asked_by)
        return Taken(sent.way, sent.to, sent.receipt, seal)

    async def over(self, session: AsyncSession, message: Outgoing) -> None:
        """The wish was met, or will not be."""
        assert message.errand is not None
        sent = message.state is State.SENT
        await store.became(
            session, message.errand, Outcome.SENT if sent else Outcome.NOT_SENT, message.way if sent else ""
        )

    async def anew(self, session: AsyncSession, message: Outgoing, by: str) -> int:
        """The desk has a PIN sent that did not go out: a wish of the desk's, with another PIN."""
        if self._post is None:
            raise nothing_sends()
        return await store.begin(session, self._now(), _person(message), "", by, Outcome.WAITING)


def _person(message: Outgoing) -> int:
    assert message.person is not None
    return message.person
