"""Makes a ticket of every voice mail and fax, and knows which of them nobody has replied to."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from changgu.acd.identity import CallId, QueueName
from changgu.ground.access import Actor
from changgu.ground.database import Database
from changgu.ground.text import clean_line, clean_text
from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ground.whole_file import destroy, write_whole
from changgu.ticketing.entries import Caller
from changgu.ticketing.intake import store
from changgu.ticketing.intake.messages import (
    CHANNELS,
    LONGEST_TRANSCRIPT,
    MessageKind,
    MessageTicket,
    TicketMessage,
    Waiting,
    description,
    message_title,
)
from changgu.ticketing.intake.store import MessageRow
from changgu.ticketing.number import TicketNumber
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import Ticket

logger = logging.getLogger(__name__)

LARGEST_FILE = 50 * 1024 * 1024
"""Bytes of an attached file."""
DEFAULT_LIMIT = timedelta(minutes=30)

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")


class Intake:
    """Voice mail and fax as tickets. Attached files lie below `folder`, each under a name of its own making.

    `queue_title` gives a queue's name as people read it. `waiting` is the limit on the time without a reply.
    """

    def __init__(
        self, database: Database, tickets: Tickets, folder: Path, waiting: Waiting | None = None,
        queue_title: Callable[[str], str] = lambda name: name, now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._database = database
        self._tickets = tickets
        self._folder = folder.resolve()
        self.waiting = waiting or Waiting(DEFAULT_LIMIT)
        self._queue_title = queue_title
        self._now = now
        self._listeners: list[Callable[[], None]] = []

    def tell(self, listener: Callable[[], None]) -> None:
        """From now on call `listener` when a message has come or needs no reply; it must not block."""
        self._listeners.append(listener)

    # Messages come

    async def open_voicemail_ticket(
        self, call: CallId, caller: Caller, queue: QueueName | None, recording: int, transcript: str | None = None,
        *, seconds: float | None = None,
    ) -> MessageTicket:  # fmt: skip
        """A voice mail becomes a ticket, or joins the open one that its call has already (INC-01).

        `recording` is the id of the recording with the caller's voice. Told again, it is the same message.
        """
        return await self._keep(
            MessageKind.VOICEMAIL, call, caller, queue, transcript=transcript or "", seconds=seconds,
            recording=recording,
        )  # fmt: skip

    async def open_fax_ticket(
        self, call: CallId, caller: Caller, queue: QueueName | None, pdf: bytes, pages: int, *, complete: bool = True
    ) -> MessageTicket:
        """A fax becomes a ticket with the PDF attached (CTI-11). Told again, it is the same fax.

        `complete` is False when the line broke after some pages; the ticket says so.

        Raises:
            BadInput: no PDF, or a larger one than is kept.
            OSError: it cannot be written; then nothing is kept.
        """
        if not pdf.startswith(b"%PDF-"):
            raise BadInput("PDF가 아닙니다.", "that is no PDF", field="pdf")
        if len(pdf) > LARGEST_FILE:
            raise BadInput("파일이 너무 큽니다.", f"larger than {LARGEST_FILE} bytes", field="pdf")
        digest = hashlib.sha256(pdf).hexdigest()
        at = self._now()
        name = f"{at:%Y/%m}/{_file_name(call)}.pdf"
        known = await self._known(MessageKind.FAX, call)
        if known is not None:
            return known
        await asyncio.to_thread(self._write, name, pdf)
        return await self._keep(
            MessageKind.FAX, call, caller, queue, pages=pages, complete=complete, file=name, bytes=len(pdf),
            sha256=digest,
        )  # fmt: skip

    async def transcribed(self, call: CallId, text: str, confidence: float) -> None:
        """A machine has listened to the voice mail of this call, and is so sure of its words, 0 to 1; '' for none.

        Raises `NotFound`.
        """
        async with self._database.transaction() as session:
            text = clean_text(text)[:LONGEST_TRANSCRIPT]
            if not await store.transcribe(session, call, text, min(1.0, max(0.0, confidence))):
                raise NotFound("그런 음성메일이 없습니다.", "there is no such voice mail")

    async def untranscribed(self, since: datetime) -> list[tuple[CallId, int]]:
        """Voice mails since this moment to which no machine has listened yet: their calls and recordings."""
        async with self._database.transaction() as session:
            return await store.untranscribed(session, since)

    async def _keep(
        self, kind: MessageKind, call: CallId, caller: Caller, queue: QueueName | None, *, transcript: str = "",
        pages: int | None = None, complete: bool = True, **details: str | int | float | None,
    ) -> MessageTicket:  # fmt: skip
        known = await self._known(kind, call)
        if known is not None:
            await self._said_more(known, details.get("seconds"))
            return known
        transcript = clean_text(transcript)[:LONGEST_TRANSCRIPT]
        said = description(kind, transcript, pages=pages, complete=complete)
        ticket = await self._ticket(kind, call, caller, queue, said)
        row = MessageRow(
            ticket=_running(ticket), kind=kind, call=call, queue=queue, caller=caller.number[:200], at=self._now(),
            transcript=transcript, pages=pages, handled_why="", **details,
        )  # fmt: skip
        try:
            async with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            known = await self._known(kind, call)
            if known is None:
                raise
            return known
        self._tell()
        return MessageTicket(ticket.number, row.id, True)

    async def _said_more(self, known: MessageTicket, seconds: str | float | None) -> None:
        if not isinstance(seconds, float):
            return
        async with self._database.transaction() as session:
            more = await store.longer(session, known.message, seconds)
        if more:
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def _ticket(
        self, kind: MessageKind, call: CallId, caller: Caller, queue: QueueName | None, said: str
    ) -> Ticket:
        """The open ticket that this call created, or a new one."""
        open_ones = [ticket for ticket in await self._tickets.for_call(call) if ticket.is_open]
        if open_ones:
            return open_ones[-1]
        title = message_title(kind, self._queue_title(queue) if queue else "", caller.number)
        ticket, _ = await self._tickets.open_for_call(
            call, None, queue, caller, title, channel=CHANNELS[kind], description=said
        )
        return ticket

    async def _known(self, kind: MessageKind, call: CallId) -> MessageTicket | None:
        async with self._database.transaction() as session:
            found = await store.of_call(session, kind, call)
        return MessageTicket(TicketNumber(found[1].number), found[0].id, False) if found else None

    # Asking

    async def of_ticket(self, number: TicketNumber) -> list[TicketMessage]:
        """The messages attached to a ticket, newest first."""
        async with self._database.transaction() as session:
            return await store.messages(session, ticket=number, limit=100)

    async def page(
        self, *, unanswered: bool = False, before: int | None = None, limit: int = 50
    ) -> tuple[list[TicketMessage], int | None]:
        """Messages, newest first, and where the next ones begin (None: these were the last)."""
        async with self._database.transaction() as session:
            found = await store.messages(session, unanswered=unanswered, before=before, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def late(self) -> list[TicketMessage]:
        """Messages that nobody has replied to within the limit; the oldest first."""
        async with self._database.transaction() as session:
            return await store.late(session)

    async def get(self, id: int) -> TicketMessage:
        """One message; raises `NotFound`."""
        async with self._database.transaction() as session:
            found = await store.messages(session, ids=[id])
        if not found:
            raise NotFound("그런 음성메일이나 팩스가 없습니다.", "there is no such message")
        return found[0]

    async def document(self, id: int) -> Path:
        """The PDF of a fax; raises `NotFound`."""
        message = await self.get(id)
        path = (self._folder / message.file).resolve() if message.file else None
        if path is None or not path.is_relative_to(self._folder) or not await asyncio.to_thread(path.is_file):
            raise NotFound("첨부 파일이 없습니다.", "there is no file with this message")
        return path

    # Replying

    async def dismiss(self, id: int, why: str, by: Actor) -> TicketMessage:
        """It needs no reply (a wrong number, an advertisement): why is kept, and the alert ends.

        Raises:
            NotFound: no such message.
            BadInput: no reason.
            Conflict: somebody has replied already.
        """
        why = clean_line(why)[:400]
        if not why:
            raise BadInput("사유를 적어 주십시오.", "give a reason", field="why")
        if (await self.get(id)).answered is not None:
            raise Conflict("이미 답한 건입니다.", "somebody has replied already")
        async with self._database.transaction() as session:
            await store.dismiss(session, id, why, by.login, self._now())
        self._tell()
        return await self.get(id)

    async def raise_alerts(self) -> list[TicketMessage]:
        """Messages whose time is over: they are marked, so that each is told of once."""
        now = self._now()
        async with self._database.transaction() as session:
            waiting = await store.due(session, now - self.waiting.limit)
        overdue = [message for message in waiting if self.waiting.alert_at(message.at) <= now]
        if overdue:
            async with self._database.transaction() as session:
                await store.mark_told(session, [message.id for message in overdue], now)
        return overdue

    async def next_alert(self) -> datetime | None:
        """When the next message's time is over, as things stand; None when all have been replied to or told of."""
        async with self._database.transaction() as session:
            oldest = await store.oldest_untold(session)
        return self.waiting.alert_at(oldest) if oldest else None

    # The time that is over

    async def purge(self, before: datetime) -> int:
        """Destroy the documents of faxes that came before this moment; how many. Their tickets stay.

        One that cannot be destroyed keeps no other, and is tried again the next time.
        """
        async with self._database.transaction() as session:
            over = await store.documents_before(session, before)
        count = 0
        for id, name in over:
            path = (self._folder / name).resolve()
            try:
                if path.is_relative_to(self._folder):
                    await asyncio.to_thread(destroy, path)
            except OSError as trouble:
                logger.warning("the fax of message %d could not be destroyed: %s", id, trouble.strerror)
                continue
            async with self._database.transaction() as session:
                await store.without_document(session, id)
            count += 1
        return count

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, content)

    def now(self) -> datetime:
        """The clock of the messages."""
        return self._now()


def _file_name(call: CallId) -> str:
    return call if _SAFE_NAME.fullmatch(call) else hashlib.sha256(call.encode()).hexdigest()[:40]


def _running(ticket: Ticket) -> int:
    return int(ticket.number[:-1])
