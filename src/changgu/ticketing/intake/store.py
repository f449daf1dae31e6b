"""Where messages are kept that became tickets. Table `ticket_messages`: one row per voice mail or fax."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    ForeignKey,
    String,
    Text,
    UniqueConstraint,
    exists,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.identity import CallId
from changgu.ground.database import Base, UtcDateTime
from changgu.ticketing.intake.messages import Answer, Answered, MessageKind, TicketMessage
from changgu.ticketing.number import TicketNumber
from changgu.ticketing.store import CallbackRow, MoveRow, TicketRow
from changgu.ticketing.ticket import TicketState

SOLVED = (TicketState.RESOLVED, TicketState.CLOSED)


class MessageRow(Base):
    """One message; `handled_*` says that somebody decided that it needs no reply."""

    __tablename__ = "ticket_messages"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    call: Mapped[str] = mapped_column(String(150))
    queue: Mapped[str | None] = mapped_column(String(64))
    caller: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seconds: Mapped[float | None] = mapped_column(Float)
    pages: Mapped[int | None]
    recording: Mapped[int | None]
    file: Mapped[str | None] = mapped_column(String(200))
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    transcript: Mapped[str] = mapped_column(Text, default="")
    transcript_confidence: Mapped[float | None] = mapped_column(Float)
    """0 to 1; null until a machine has listened."""
    alerted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_by: Mapped[str | None] = mapped_column(String(64))
    handled_why: Mapped[str] = mapped_column(String(400), default="")
    __table_args__ = (UniqueConstraint("kind", "call"),)


def _unanswered() -> ColumnElement[bool]:
    reached = exists().where(
        CallbackRow.ticket == MessageRow.ticket, CallbackRow.reached, CallbackRow.at >= MessageRow.at
    )
    return MessageRow.handled_at.is_(None) & TicketRow.state.not_in(SOLVED) & ~reached


async def of_call(session: AsyncSession, kind: MessageKind, call: CallId) -> tuple[MessageRow, TicketRow] | None:
    """The message of this kind that came by this call."""
    found = await session.execute(
        select(MessageRow, TicketRow)
        .join(TicketRow, TicketRow.running == MessageRow.ticket)
        .where(MessageRow.kind == kind, MessageRow.call == call)
    )
    row = found.first()
    return (row[0], row[1]) if row else None


async def messages(
    session: AsyncSession, *, ids: Sequence[int] | None = None, ticket: TicketNumber | None = None,
    unanswered: bool = False, before: int | None = None, limit: int = 50,
) -> list[TicketMessage]:  # fmt: skip
    """Messages, newest first."""
    query = select(MessageRow, TicketRow).join(TicketRow, TicketRow.running == MessageRow.ticket)
    if ids is not None:
        query = query.where(MessageRow.id.in_(ids))
    if ticket is not None:
        query = query.where(TicketRow.number == ticket)
    if unanswered:
        query = query.where(_unanswered())
    if before is not None:
        query = query.where(MessageRow.id < before)
    rows = (await session.execute(query.order_by(MessageRow.id.desc()).limit(limit))).all()
    answers = await _answers(session, [message for message, _ in rows])
    return [_message(message, of, answers.get(message.id)) for message, of in rows]


async def due(session: AsyncSession, left_before: datetime) -> list[TicketMessage]:
    """Messages left before this moment without a reply, of which the desk has not been told; the oldest first."""
    query = (
        select(MessageRow, TicketRow)
        .join(TicketRow, TicketRow.running == MessageRow.ticket)
        .where(MessageRow.alerted_at.is_(None), MessageRow.at <= left_before, _unanswered())
        .order_by(MessageRow.at)
    )
    return [_message(message, of, None) for message, of in (await session.execute(query)).all()]


async def oldest_untold(session: AsyncSession) -> datetime | None:
    """When the oldest message was left that has no reply and of which the desk has not been told."""
    query = (
        select(MessageRow.at)
        .join(TicketRow, TicketRow.running == MessageRow.ticket)
        .where(MessageRow.alerted_at.is_(None), _unanswered())
        .order_by(MessageRow.at)
        .limit(1)
    )
    return await session.scalar(query)


async def late(session: AsyncSession, limit: int = 200) -> list[TicketMessage]:
    """Messages of which the desk was told and that still have no reply; the oldest first."""
    query = (
        select(MessageRow, TicketRow)
        .join(TicketRow, TicketRow.running == MessageRow.ticket)
        .where(MessageRow.alerted_at.is_not(None), _unanswered())
        .order_by(MessageRow.at)
        .limit(limit)
    )
    return [_message(message, of, None) for message, of in (await session.execute(query)).all()]


async def mark_told(session: AsyncSession, ids: Sequence[int], at: datetime) -> None:
    """The desk is told of these, once."""
    query = update(MessageRow).where(MessageRow.id.in_(ids), MessageRow.alerted_at.is_(None))
    await session.execute(query.values(alerted_at=at))


async def untranscribed(session: AsyncSession, since: datetime) -> list[tuple[CallId, int]]:
    """Voice mails since this moment to which no machine has listened: their calls and recordings, the oldest first."""
    query = select(MessageRow.call, MessageRow.recording).where(
        MessageRow.kind == MessageKind.VOICEMAIL, MessageRow.transcript_confidence.is_(None), MessageRow.at >= since,
        MessageRow.recording.is_not(None),
    )  # fmt: skip
    found = await session.execute(query.order_by(MessageRow.at))
    return [(CallId(call), recording) for call, recording in found if recording is not None]


async def longer(session: AsyncSession, id: int, seconds: float) -> bool:
    """More was said in the same call: a machine has to listen anew; whether it was more."""
    query = update(MessageRow).where(MessageRow.id == id, MessageRow.seconds < seconds)
    found = await session.scalar(query.values(seconds=seconds, transcript_confidence=None).returning(MessageRow.id))
    return found is not None


async def transcribe(session: AsyncSession, call: CallId, text: str, confidence: float) -> bool:
    """Keep what was said in this call's voice mail; whether there is one."""
    query = update(MessageRow).where(MessageRow.kind == MessageKind.VOICEMAIL, MessageRow.call == call)
    query = query.values(transcript=text, transcript_confidence=confidence)
    found = await session.scalar(query.returning(MessageRow.id))
    return found is not None


async def documents_before(session: AsyncSession, moment: datetime) -> list[tuple[int, str]]:
    """Messages that came before this moment and have a file: their ids and its name; the oldest first."""
    query = select(MessageRow.id, MessageRow.file).where(MessageRow.at < moment, MessageRow.file.is_not(None))
    return [(id, name) for id, name in await session.execute(query.order_by(MessageRow.at)) if name is not None]


async def without_document(session: AsyncSession, id: int) -> None:
    """The file of this message is no more; how large it was and its digest stay."""
    await session.execute(update(MessageRow).where(MessageRow.id == id).values(file=None))


async def dismiss(session: AsyncSession, id: int, why: str, by: str, at: datetime) -> None:
    """It needs no reply; who said so first is kept."""
    query = update(MessageRow).where(MessageRow.id == id, MessageRow.handled_at.is_(None))
    await session.execute(query.values(handled_at=at, handled_by=by[:64], handled_why=why))


async def _answers(session: AsyncSession, rows: Sequence[MessageRow]) -> dict[int, Answered]:
    """The first reply to each of these messages that has one."""
    tickets = {row.ticket for row in rows}
    if not tickets:
        return {}
    calls = list(
        await session.scalars(
            select(CallbackRow)
            .where(CallbackRow.ticket.in_(tickets), CallbackRow.reached)
            .order_by(CallbackRow.at)
        )
    )
    moves = list(
        await session.scalars(
            select(MoveRow).where(MoveRow.ticket.in_(tickets), MoveRow.after.in_(SOLVED)).order_by(MoveRow.at)
        )
    )
    states = dict(
        (await session.execute(select(TicketRow.running, TicketRow.state).where(TicketRow.running.in_(tickets)))).all()
    )
    found: dict[int, Answered] = {}
    for row in rows:
        replies = [
            Answered(Answer.CALLED_BACK, made.at, made.actor)
            for made in calls
            if made.ticket == row.ticket and made.at >= row.at
        ]
        if states[row.ticket] in SOLVED:
            replies += [
                Answered(Answer.RESOLVED, move.at, move.actor)
                for move in moves
                if move.ticket == row.ticket
            ][-1:]
        if row.handled_at is not None:
            replies.append(Answered(Answer.DISMISSED, row.handled_at, row.handled_by or ""))
        if replies:
            found[row.id] = min(replies, key=lambda reply: reply.at)
    return found


def _message(row: MessageRow, ticket: TicketRow, answered: Answered | None) -> TicketMessage:
    return TicketMessage(
        id=row.id,
        ticket=TicketNumber(ticket.number),
        state=TicketState(ticket.state),
        title=ticket.title,
        kind=MessageKind(row.kind),
        call=CallId(row.call),
        queue=row.queue,
        caller=row.caller,
        requester=ticket.requester,
        at=row.at,
        seconds=row.seconds,
        pages=row.pages,
        recording=row.recording,
        file=row.file,
        bytes=row.bytes,
        transcript=row.transcript,
        transcript_confidence=row.transcript_confidence,
        alerted_at=row.alerted_at,
        answered=answered,
    )
