"""Sends messages to callers: kept before anybody is told, tried again while that helps, and seen when it does not."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.ground.access import Actor
from changgu.ground.database import Database
from changgu.ground.lookout import AFTER_TROUBLE, LONGEST_SLEEP, Lookout, pause_until
from changgu.ground.trouble import Conflict, NotFound, Trouble
from changgu.ticketing.outbox import store
from changgu.ticketing.outbox.outgoing import (
    TRIES,
    Arrival,
    MaybeTaken,
    Outgoing,
    Purpose,
    Receipt,
    State,
    Taken,
    TakenLater,
    is_too_old,
    next_question,
    next_try,
)
from changgu.ticketing.outbox.store import OutgoingRow

T = TypeVar("T")

logger = logging.getLogger(__name__)

CALLER_WAITS = 4.5
"""Seconds for which a caller waits for the first try. After that the message is the desk's care, not theirs."""
AT_ONCE = 6
"""Tries and questions at the same time; whoever delivers has its own limits below."""
LAST_WORDS = 5.0
"""Seconds for which a desk that ends waits for those who deliver: what they say is noted, or is never known."""
BY_CALLER = "caller"
CUT_SHORT = ("보내는 도중에 창구가 멈췄습니다. 나갔는지 알 수 없습니다.", "the desk ended while it was being sent")


def nothing_sends() -> Conflict:
    """Said when the settings name nobody who delivers."""
    return Conflict(
        "문자나 메일을 보낼 곳이 설정되지 않았습니다([sending]).", "nothing sends SMS or mail here ([sending])"
    )


def _went_again(by: str) -> Conflict:
    return Conflict(
        f"이미 다시 보냈습니다{f'({by})' if by else ''}.", f"It has been sent again already{f' by {by}' if by else ''}."
    )


class Post(Protocol):
    """Whoever delivers. Answered by `telephony.ivr_messages.Messages`."""

    async def send(self, kind: str, to: str, text: str, subject: str) -> str:
        """By `sms` or `mail`; what it is called there, or ''.

        Raises `TakenLater`, `MaybeTaken`, and anything else when it is refused for good.
        """
        ...

    async def arrived(self, kind: str, receipt: str) -> Receipt | None:
        """What is known of a message that was taken over; None when nobody tells here. Raises when nobody answers."""
        ...


class Errand(Protocol):
    """Messages of one purpose that are written when they are sent."""

    async def carry(self, message: Outgoing) -> Taken:
        """One try; raises as `Post.send` does. Found interrupted, it is tried anew."""
        ...

    async def over(self, session: AsyncSession, message: Outgoing) -> None:
        """It was sent, or will not be: in the transaction that says so."""
        ...

    async def anew(self, session: AsyncSession, message: Outgoing, by: str) -> int:
        """Somebody has a failed one sent again: the new errand's id."""
        ...


class Outbox:
    """`run` must be running. Without `post` nothing is sent, and whoever asks is told so."""

    def __init__(
        self, database: Database, post: Post | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._post = post
        self._now = now
        self._errands: dict[Purpose, Errand] = {}
        self._lookout = Lookout("messages to callers", self.look_once)
        self._looking = asyncio.Lock()
        """What is claimed is under way before anybody looks again."""
        self._own: set[int] = set()
        """Tries of this life of the desk's; any other that has begun and not ended was cut short."""
        self._settled = False
        self._under_way: dict[tuple[str, int], asyncio.Task[object]] = {}
        self._numbers = itertools.count(1)

    @property
    def can_send(self) -> bool:
        """Whether anything sends messages here."""
        return self._post is not None

    def join(self, purpose: Purpose, errand: Errand) -> None:
        """From now on `errand` writes the messages of this purpose."""
        self._errands[purpose] = errand

    # Messages come

    async def send(self, kind: str, to: str, text: str, subject: str = "", call: str = "") -> None:
        """A menu's answer to a caller, by `sms` or `mail`. Answers `telephony.ivr_player.Messengers`.

        Returns once it is taken over, or is kept and will be tried again. Raises a `Trouble` when it is refused for
        good or nobody knows whether it went out, and `SQLAlchemyError` when it cannot be kept.
        """
        if self._post is None:
            raise nothing_sends()
        row = OutgoingRow(
            at=self._now(), purpose=Purpose.ANSWER, asked_by=BY_CALLER, call=call[:150], way=kind, to=to[:320],
            subject=subject[:200], text=text, state=State.SENDING, tries=1, most=TRIES, next_at=None,
        )  # fmt: skip
        # Whoever hangs up now, their answer being on its way as they think, is not waited for; it is kept all the same.
        trying = await asyncio.shield(self._begin("keep", next(self._numbers), self._keep(row)))
        done, _ = await asyncio.wait({trying}, timeout=CALLER_WAITS)
        became = trying.result() if done else None
        if isinstance(became, Trouble) and not isinstance(became, TakenLater):
            raise became

    async def _keep(self, row: OutgoingRow) -> asyncio.Task[Taken | Trouble]:
        """The first try of a message, begun as soon as it is kept."""
        try:
            async with self._database.transaction() as session:
                message = await self._claimed(session, row)
        except SQLAlchemyError as trouble:
            said = {"call_id": row.call}
            logger.warning("a message to a caller could not be kept: %s", type(trouble).__name__, extra=said)
            raise
        return self._begin("send", message.id, self._try(message))

    async def ask(
        self, session: AsyncSession, purpose: Purpose, errand: int, person: int, by: str, *, at_once: bool = False
    ) -> Outgoing:
        """Keep a message that is written when it is sent, in the caller's transaction; after it, call `look`.

        `at_once`: it has one try, which is `try_now`'s.
        """
        row = OutgoingRow(
            at=self._now(), purpose=purpose, asked_by=by[:64], person=person, errand=errand,
            state=State.SENDING if at_once else State.WAITING, tries=int(at_once), most=1 if at_once else TRIES,
            next_at=None if at_once else self._now(),
        )  # fmt: skip
        return await (self._claimed(session, row) if at_once else store.put(session, row))

    async def _claimed(self, session: AsyncSession, row: OutgoingRow) -> Outgoing:
        message = await store.put(session, row)
        self._own.add(message.id)
        return message

    async def try_now(self, message: Outgoing) -> Taken:
        """The one try of a message that was asked for `at_once`; raises what whoever delivers said."""
        became = await asyncio.shield(self._begin("send", message.id, self._try(message)))
        if isinstance(became, Trouble):
            raise became
        return became

    async def send_again(self, id: int, by: Actor) -> Outgoing:
        """A message that failed goes out as a new one, asked for by whoever says so; with tries and a day of its own.

        Raises:
            NotFound: no message has this id.
            Conflict: it did not fail, somebody has had it sent again already, its words are gone, or nothing sends.
        """
        async with self._database.transaction() as session:
            row = await store.row_of(session, id)
            if row is None:
                raise NotFound("없는 메시지입니다.", "There is no such message.")
            old = store.message(row)
            if old.again is not None:
                raise _went_again(old.again_by)
            if not old.has_failed:
                raise Conflict("실패한 메시지가 아닙니다.", "This message has not failed.")
            if not old.can_go_again:
                raise Conflict("내용이 남아 있지 않아 보낼 수 없습니다.", "Its words are gone; it cannot go again.")
            errand = self._errands.get(old.purpose)
            if errand is None and self._post is None:
                raise nothing_sends()
            new = OutgoingRow(
                at=self._now(), purpose=old.purpose, asked_by=by.login[:64], call=old.call, person=old.person,
                errand=await errand.anew(session, old, by.login) if errand is not None else None,
                way="" if errand is not None else old.way, to="" if errand is not None else old.to,
                subject=old.subject, text=old.text, state=State.WAITING, tries=0, most=TRIES, next_at=self._now(),
            )  # fmt: skip
            message = await store.put(session, new)
            if not await store.hand_on(session, id, message.id, by.login):
                raise _went_again("")
        logger.info("message %d goes out again as %d, asked for by %s", id, message.id, by.login)
        self.look()
        return message

    def look(self) -> None:
        """A message has come: look now."""
        self._lookout.news()

    async def waiting(self, session: AsyncSession, purpose: Purpose) -> int:
        """How many of this purpose are not done."""
        return await store.waiting(session, purpose)

    # What is known of them

    async def page(
        self, *, failed: bool = False, before: int | None = None, limit: int = 50
    ) -> tuple[list[Outgoing], int | None]:
        """Messages, the newest first, and the cursor of the next ones; `failed`: what did not go out or arrive."""
        async with self._database.transaction() as session:
            found = await store.newest_first(session, failed=failed, before=before, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def failed_lately(self) -> int:
        """How many of the last 24 hours did not go out or did not arrive, or may not have."""
        async with self._database.transaction() as session:
            return await store.failed_since(session, self._now() - timedelta(hours=24))

    async def purge(self, before: datetime) -> int:
        """Messages from before this moment are forgotten; how many."""
        async with self._database.transaction() as session:
            return await store.purge(session, before)

    # Sending them

    async def run(self) -> None:
        """Send what waits and ask after what was sent, until cancelled."""
        try:
            await self._lookout.run()
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way.values(), timeout=LAST_WORDS)
            for one in self._under_way.values():
                one.cancel()

    async def look_once(self) -> float:
        """Begin what is due; the seconds until something may be due again."""
        async with self._looking:
            return await self._look()

    async def _look(self) -> float:
        now, free = self._now(), AT_ONCE - len(self._under_way)
        if free <= 0:
            return LONGEST_SLEEP  # whichever is done first says so
        async with self._database.transaction() as session:
            if not self._settled:
                await self._settle(session)
            due = await store.claim(session, now, free)
            asks = self._post is not None and len(due) < free
            questions = await store.to_ask(session, now, free - len(due)) if asks else []
            following = await store.next_due(session)
        self._settled = True
        for message in due:
            self._begin("send", message.id, self._try(message))
        for id, way, receipt in questions:
            self._begin("ask", id, self._ask_after(id, way, receipt))
        return pause_until(following, now)

    async def settled(self) -> None:
        """Wait until everything that is due has been tried or asked."""
        while True:
            await self.look_once()
            if not self._under_way:
                return
            await asyncio.wait(self._under_way.values())

    def _begin(self, what: str, id: int, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._under_way[(what, id)] = task
        task.add_done_callback(lambda _: self._ended(what, id))
        return task

    def _ended(self, what: str, id: int) -> None:
        del self._under_way[(what, id)]
        self._lookout.news()

    async def _settle(self, session: AsyncSession) -> None:
        """What was being sent when the desk ended: a PIN is tried anew, for the first one is not good; else unclear."""
        for row in await store.interrupted(session):
            if row.id in self._own:
                continue
            errand = self._errands.get(Purpose(row.purpose))
            if errand is not None and row.tries < row.most:
                row.state, row.next_at = State.WAITING, self._now()
                continue
            row.state, row.done_at = State.UNCLEAR if errand is None else State.REFUSED, self._now()
            row.why_ko, row.why_en = CUT_SHORT
            logger.warning("message %d to a caller was cut short", row.id, extra={"call_id": row.call})
            if errand is not None:
                await errand.over(session, store.message(row))
        await session.flush()

    async def _try(self, message: Outgoing) -> Taken | Trouble:
        """One try, and its end noted: however long the database is away, what is known to be sent is not sent again."""
        try:
            became: Taken | Trouble = await self._carry(message)
        except Trouble as refusal:
            became = refusal
        except Exception as other:  # the other system's edge: nothing of it may end the desk's sending
            name = type(other).__name__
            became = Conflict(f"보내지 못했습니다({name}).", f"it could not be sent ({name})")
        while True:
            try:
                await self._note(message, became)
            except (SQLAlchemyError, OSError) as away:
                logger.warning("the end of message %d cannot be noted: %s", message.id, type(away).__name__)
                await asyncio.sleep(AFTER_TROUBLE)
            else:
                return became

    async def _carry(self, message: Outgoing) -> Taken:
        if is_too_old(message.at, self._now()):
            raise Conflict("하루가 지나 보내지 않았습니다.", "a day has passed: it is not sent any more")
        errand = self._errands.get(message.purpose)
        if errand is not None:
            return await errand.carry(message)
        if self._post is None:
            raise nothing_sends()
        receipt = await self._post.send(message.way, message.to, message.text, message.subject)
        return Taken(message.way, message.to, receipt)

    async def _note(self, message: Outgoing, became: Taken | Trouble) -> None:
        now, said = self._now(), {"call_id": message.call}
        async with self._database.transaction() as session:
            row = await store.row_of(session, message.id)
            if row is None:
                return
            if isinstance(became, Taken):
                row.state, row.done_at, row.way, row.to = State.SENT, now, became.way, became.to[:320]
                row.receipt, row.text, row.why_ko, row.why_en = became.receipt[:200], "", "", ""
                row.next_at = next_question(0, now) if became.receipt and became.way == "sms" else None
                if became.seal is not None:
                    await became.seal(session)
            else:
                row.why_ko, row.why_en = became.ko[:400], became.en[:400]
                again = next_try(row.tries, row.most, now, row.at) if isinstance(became, TakenLater) else None
                if again is not None:
                    row.state, row.next_at = State.WAITING, again
                    logger.info("message %d is tried again: %s", row.id, became.en, extra=said)
                    return
                row.state, row.done_at = State.UNCLEAR if isinstance(became, MaybeTaken) else State.REFUSED, now
                row.next_at = None
                logger.warning("message %d was not sent: %s %s", row.id, became.ko, became.en, extra=said)
            if message.purpose in self._errands:
                await self._errands[message.purpose].over(session, store.message(row))

    async def _ask_after(self, id: int, way: str, receipt: str) -> None:
        assert self._post is not None
        found: Receipt | None = Receipt(Arrival.UNKNOWN)
        try:
            found = await self._post.arrived(way, receipt)
        except Exception as trouble:  # the other system's edge: it is asked again
            logger.info("nobody says whether message %d arrived: %s", id, type(trouble).__name__)
        try:
            async with self._database.transaction() as session:
                row = await store.row_of(session, id)
                if row is None:
                    return
                if found is None:
                    row.next_at = None
                    return
                row.arrival = found.arrival
                if found.arrival is not Arrival.UNKNOWN:
                    row.next_at = None
                if found.arrival is Arrival.UNDELIVERED:
                    row.why_ko, row.why_en = found.ko[:400], found.en[:400]
                    logger.warning(
                        "message %d did not arrive: %s %s", id, found.ko, found.en, extra={"call_id": row.call}
                    )
        except (SQLAlchemyError, OSError) as trouble:
            logger.warning("whether message %d arrived cannot be noted: %s", id, type(trouble).__name__)
