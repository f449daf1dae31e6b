"""Checks callers by their PIN, tells them of their tickets, and has them called back about one."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.events import CallbackAsked
from changgu.acd.identity import CallbackId, CallId, QueueName
from changgu.ground.access import Actor
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict
from changgu.ticketing.number import TicketNumber, ticket_number
from changgu.ticketing.self_service import store
from changgu.ticketing.self_service.pin import (
    ISSUED,
    WEB_AT_ONCE,
    CallerCheck,
    CheckResult,
    Chosen,
    Guesses,
    PinStanding,
    checked_pin,
    guesses_left,
    refusal,
)
from changgu.ticketing.self_service.resets.limits import CHOOSE_WITHIN, ONE_TIME_FOR
from changgu.ticketing.self_service.store import PinRow, WishRow
from changgu.ticketing.service import AUTOMATIC, Tickets
from changgu.ticketing.ticket import STATE_NAMES, CallRole, TicketStatus

LONGEST_GUESS = 16
"""Digits; more are nobody's PIN."""

ARGON2ID = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""The least that OWASP's Password Storage Cheat Sheet takes (19 MiB, twice, one lane): the same processors carry the
calls. A copy of the database gives no PIN away however quick the function is, as every hash is keyed."""


class People(Protocol):
    """Knows people by number."""

    async def at_number(self, number: str) -> Sequence[int]:
        """Everybody whose telephone or 사번 this is, by the id that leads."""
        ...

    async def ids_of(self, person: int) -> Sequence[int]:
        """All ids by which this person has ever been known."""
        ...

    async def known_numbers(self, person: int) -> Sequence[str]:
        """Numbers of theirs that others know: telephones and 사번; raises `NotFound`."""
        ...


class SelfService:
    """What callers may do by themselves. `key` is a secret outside the database that every hash is keyed with.

    `book` has somebody called back (`acd.runner.Runner.post`); `dialable` gives a number as it may be dialled, or None.
    """

    def __init__(
        self, database: Database, tickets: Tickets, people: People, key: bytes, *,
        book: Callable[[CallbackAsked], None], dialable: Callable[[str], str | None],
        queue: Callable[[], QueueName], queue_exists: Callable[[str], bool] = lambda name: True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC), hasher: PasswordHasher | None = None,
    ) -> None:  # fmt: skip
        """`queue` takes calls about tickets that came by none, or by one that is no more (`queue_exists`)."""
        self._database = database
        self._tickets = tickets
        self._people = people
        self._key = key
        self._book = book
        self._dialable = dialable
        self._queue = queue
        self._queue_exists = queue_exists
        self._now = now
        self._hasher = hasher or ARGON2ID
        self._nobodys = ""
        self._turn = asyncio.Lock()
        """One hash at a time: many at once would take the processors from the calls, and none would end sooner."""
        self._web_checks = 0
        """From the page: under way or waiting for their turn."""

    # Who is it?

    async def caller_check(
        self, person: int | str, pin: str, number: str | None = None, *, choosing: bool = False
    ) -> CallerCheck:
        """Whether this is the person's PIN. `person` is an id, or a telephone number or 사번 as it was keyed.

        `number` is the telephone that the guess comes from, as the network presented it, or the call where it is
        withheld. Every guess is kept, but none beyond what a telephone has; at a PIN that is paused or locked nothing
        is right. Never tells whether somebody exists or has a PIN, nor by the time it takes. One that was sent is good
        once; `choosing`, it counts for some minutes more.
        """
        check = await self._check(person, pin, (number or "")[-64:], choosing)
        return check or CallerCheck(CheckResult.PAUSED)

    async def _check(self, person: int | str, pin: str, source: str, choosing: bool) -> CallerCheck | None:
        """None when the telephone or address gets no further guess, whoever it is for."""
        found = await self._people.at_number(person) if isinstance(person, str) else [person]
        one = found[0] if len(found) == 1 else None
        at = self._now()
        persons = await self._people.ids_of(one) if one is not None else []
        async with self._database.transaction() as session:
            guess = await store.begin_guess(session, one, source, at)
            if await store.is_closed_to(session, guess, source, at):
                await store.forget_guess(session, guess)
                return None
            kept, sent = await store.pins_of(session, persons)
            if kept is not None and sent is not None and not _is_good(sent, at, choosing):
                sent = None
            open_ones, left, refused = [], 0, None
            for row in [kept, sent] if kept and sent else [kept or sent]:  # each has its own guesses left
                before = await store.guesses_before(session, guess, one, row)
                closed = refusal(before, at)
                if closed is None:
                    open_ones.append(row)
                    left = max(left, guesses_left(before.wrong_in_a_row + 1))
                elif refused is not CheckResult.PAUSED:
                    refused = closed
            wrong = CallerCheck(CheckResult.WRONG, guesses_left=left)
            if refused is not None and not open_ones:
                await store.not_at_the_person(session, guess)
                wrong = CallerCheck(refused)
        row = await self._right_one([one for one in open_ones if one and _is_good(one, at, choosing)], pin)
        if row is None:
            return wrong
        one_time = row.good_until is not None
        async with self._database.transaction() as session:
            if one_time and not choosing:
                if not await store.use_up(session, row.person, row.hashed, at):
                    return wrong  # two calls at once with the same one: one of them is heard
                await store.drop_pins(session, persons, sent=False)
            await store.was_right(session, guess)
        return CallerCheck(CheckResult.CONFIRMED, one, one_time, guesses_left(0))

    async def _right_one(self, rows: Sequence[PinRow], pin: str) -> PinRow | None:
        """The one whose PIN this is. Looks at two always, so that the time tells nobody how many there are."""
        keyed = self._keyed(pin[:LONGEST_GUESS])
        hashes = [row.hashed for row in rows]

        def verify() -> list[bool]:
            if not self._nobodys:  # made here: neither a start nor a call waits for it
                self._nobodys = self._hasher.hash(secrets.token_hex(8))
            return [self._is_right(hashed, keyed) for hashed in [*hashes, self._nobodys, self._nobodys][:2]]

        async with self._turn:
            right = await asyncio.to_thread(verify)
        return next((row for row, is_it in zip(rows, right, strict=False) if is_it), None)

    def _is_right(self, hashed: str, keyed: str) -> bool:
        try:
            return self._hasher.verify(hashed, keyed)
        except (VerificationError, InvalidHashError):
            return False

    def _keyed(self, pin: str) -> str:
        return hmac.new(self._key, pin.encode(), hashlib.sha256).hexdigest()

    async def purge(self, before: datetime) -> int:
        """Guesses made before this moment are forgotten, unless they keep a PIN locked; how many."""
        async with self._database.transaction() as session:
            return await store.purge_guesses(session, before)

    # PINs given out

    async def issue_pin(self, person: int, by: Actor) -> str:
        """A new PIN that a machine chose, to be told to the person; the old one is gone, and so are its guesses.

        Raises:
            NotFound: nobody has this id.
        """
        pin = await self.fresh_pin(person)
        await self._set(person, pin, by.login)
        return pin

    async def fresh_pin(self, person: int) -> str:
        """A PIN that is not theirs yet; raises `NotFound`."""
        known = await self._people.known_numbers(person)
        while True:
            pin = "".join(secrets.choice("0123456789") for _ in range(ISSUED))
            try:
                return checked_pin(pin, *known)
            except BadInput:
                continue

    async def one_time(self, person: int, pin: str, by: str) -> Callable[[AsyncSession], Awaitable[None]]:
        """This one was sent to them: good for one check within `ONE_TIME_FOR`, as soon as what is returned was called
        with a transaction and that ends well; the PIN they have is good until then."""
        return await self._ready(person, pin, by, self._now() + ONE_TIME_FOR)

    async def choose_by_telephone(self, person: int | str, pin: str, new: str, number: str | None = None) -> bool:
        """A caller sets a PIN of their own over the one they have, or that was sent to them; whether it is theirs now.

        Counts as a guess like any other. Raises `BadInput` when the new one is too easy.
        """
        check = await self.caller_check(person, pin, number, choosing=True)
        return await self._choose_after(check, pin, new)

    async def choose_on_the_web(self, employee: str, pin: str, new: str, source: str) -> Chosen:
        """The same on the page; `source` is a `web_source`. Callers wait behind few of these: the rest is turned away.

        Raises `BadInput` when the new one is too easy.
        """
        if self._web_checks >= WEB_AT_ONCE:
            return Chosen.BUSY
        self._web_checks += 1
        try:
            check = await self._check(employee, pin, source, choosing=True)
            if check is None:
                return Chosen.CLOSED
            return Chosen.DONE if await self._choose_after(check, pin, new) else Chosen.WRONG
        finally:
            self._web_checks -= 1

    async def _choose_after(self, check: CallerCheck, pin: str, new: str) -> bool:
        if check.person is None:
            return False
        if pin == new:
            raise BadInput("지금과 다른 비밀번호를 정하십시오.", "choose another one than before", field="pin")
        await self._set(check.person, checked_pin(new, *await self._people.known_numbers(check.person)), "caller")
        return True

    async def choose_pin(self, person: int, pin: str, by: Actor) -> None:
        """The person chose this one.

        Raises:
            NotFound: nobody has this id.
            BadInput: it is too easy.
        """
        await self._set(person, checked_pin(pin, *await self._people.known_numbers(person)), by.login)

    async def remove_pin(self, person: int) -> None:
        """The person can hear about their tickets by number only, as before."""
        persons = await self._people.ids_of(person)
        async with self._database.transaction() as session:
            await store.drop_pins(session, persons)

    async def standing(self, person: int) -> PinStanding:
        """What the desk may see of a person's PIN; raises `NotFound`."""
        await self._people.known_numbers(person)
        persons = await self._people.ids_of(person)
        async with self._database.transaction() as session:
            kept, sent = await store.pins_of(session, persons)
            row = kept if kept and not (sent and _is_good(sent, self._now(), choosing=False)) else sent
            if row is None:
                return PinStanding(False)
            wrong, last = await store.wrong_in_a_row(session, person, row)
        state = refusal(Guesses(wrong, last), self._now())
        return PinStanding(True, row.set_at, row.set_by, wrong, row.good_until, row.used_at, state)

    async def _set(self, person: int, pin: str, by: str) -> None:
        keep = await self._ready(person, pin, by, None)
        async with self._database.transaction() as session:
            await keep(session)

    async def _ready(
        self, person: int, pin: str, by: str, good_until: datetime | None
    ) -> Callable[[AsyncSession], Awaitable[None]]:
        async with self._turn:
            hashed = await asyncio.to_thread(self._hasher.hash, self._keyed(pin))
        persons = await self._people.ids_of(person)

        async def keep(session: AsyncSession) -> None:
            await store.drop_pins(session, persons, kept=good_until is None)
            session.add(
                PinRow(
                    person=person if good_until is None else -person, hashed=hashed, set_at=self._now(), set_by=by[:64],
                    guesses_from=await store.newest_guess(session), good_until=good_until,
                )
            )  # fmt: skip

        return keep

    # What is known of a ticket

    async def ticket_status(self, number: str) -> TicketStatus | None:
        """The state of the ticket with this number; None when there is none (CTI-02)."""
        return await self._tickets.status(number)

    async def newest_ticket(self, person: int) -> TicketStatus | None:
        """The state of a person's newest ticket, one that is not closed before those that are; None without any."""
        found = await self._tickets.for_person(await self._people.ids_of(person), 50)
        ticket = next((one for one in found if one.is_open), found[0] if found else None)
        if ticket is None:
            return None
        ko, en = STATE_NAMES[ticket.state]
        return TicketStatus(ticket.number, ticket.state, ko, en, ticket.support_line, ticket.expected_at)

    # Called back about it

    async def call_me_back(
        self, number: str, phone: str, call: CallId | None = None, *, language: str = ""
    ) -> CallbackId:
        """Somebody shall be called back about this ticket, by the queue it came from; the call is linked with it.

        `call` is the one in which it was asked: nobody is dialled before it is over, and asked twice in it it is one
        promise. `language` is the one in which they are spoken to; empty: the desk's own.

        Raises:
            NotFound: no such ticket.
            Conflict: the ticket is closed.
            BadInput: a telephone that may not be dialled.
        """
        ticket = await self._tickets.get(number)
        if not ticket.is_open:
            raise Conflict("종료된 건입니다. 새로 접수해 주십시오.", "it is closed: open a new one")
        dialled = self._dialable(phone)
        if dialled is None:
            raise BadInput("이 번호로는 연락드릴 수 없습니다.", "that number may not be dialled", field="phone")
        promise = _promise(ticket.number, dialled, call, self._now())
        wish = {"callback": promise, "ticket": int(ticket.number[:-1]), "call": call, "at": self._now()}
        try:
            async with self._database.transaction() as session:
                await session.execute(insert(WishRow).values(**wish))
        except IntegrityError:
            return promise  # asked for in this call before
        wanted = ticket.queue if ticket.queue and self._queue_exists(ticket.queue) else None
        queue = QueueName(wanted) if wanted else self._queue()
        self._book(CallbackAsked(promise, dialled, queue, call, language=language))
        if call is not None:
            await self._tickets.link(ticket.number, call, CallRole.FOLLOWED_UP, AUTOMATIC)
        return promise

    async def ticket_of_callback(self, callback: CallbackId) -> TicketNumber | None:
        """The ticket about which this promise was made; None for any other promise."""
        async with self._database.transaction() as session:
            row = await session.get(WishRow, callback)
        return ticket_number(row.ticket) if row else None


def _is_good(row: PinRow, now: datetime, choosing: bool) -> bool:
    if row.good_until is None:
        return True
    if row.used_at is not None:
        return choosing and now - row.used_at < CHOOSE_WITHIN
    return now < row.good_until


def _promise(ticket: TicketNumber, phone: str, call: CallId | None, now: datetime) -> CallbackId:
    """Letters and digits only: it becomes part of the names of calls and channels."""
    asked = call or now.isoformat()
    return CallbackId("cb" + hashlib.sha256(f"{ticket}\0{asked}\0{phone}".encode()).hexdigest()[:20])
