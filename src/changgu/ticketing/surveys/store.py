"""Where responses to the survey are kept. Tables `survey_responses` (one per case) and `survey_answers`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, String, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.identity import CallId
from changgu.ground.database import Base, UtcDateTime
from changgu.ticketing.number import ticket_number
from changgu.ticketing.surveys.form import Question, Response, Way


class ResponseRow(Base):
    """One response; `case` is unique, so there is never a second."""

    __tablename__ = "survey_responses"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case: Mapped[str] = mapped_column("case_id", String(150), unique=True)
    ticket: Mapped[int | None] = mapped_column(ForeignKey("tickets.running"), index=True)
    call: Mapped[str | None] = mapped_column(String(150))
    way: Mapped[str] = mapped_column(String(16))
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AnswerRow(Base):
    """One question; NULL is 무응답."""

    __tablename__ = "survey_answers"
    response: Mapped[int] = mapped_column(ForeignKey("survey_responses.id"), primary_key=True)
    question: Mapped[str] = mapped_column(String(16), primary_key=True)
    score: Mapped[int | None]


class InvitationRow(Base):
    """Somebody is to be called for the survey; `outcome` is None until that has been tried."""

    __tablename__ = "survey_invitations"
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), primary_key=True)
    number: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    tries: Mapped[int]
    outcome: Mapped[str | None] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(64))


async def touch(session: AsyncSession, case: str, at: datetime) -> None:
    """Hold the response to this case, if there is one, against other writers. Must come before any reading."""
    await session.execute(update(ResponseRow).where(ResponseRow.case == case).values(updated_at=at))


async def tried(session: AsyncSession, ticket: int) -> InvitationRow | None:
    """Somebody was called once more; the invitation, held until the transaction ends."""
    query = update(InvitationRow).where(InvitationRow.ticket == ticket).values(tries=InvitationRow.tries + 1)
    await session.execute(query)
    return await session.get(InvitationRow, ticket)


async def of_case(session: AsyncSession, case: str) -> ResponseRow | None:
    """The response to this case."""
    return await session.scalar(select(ResponseRow).where(ResponseRow.case == case))


async def responses(
    session: AsyncSession, *, case: str | None = None, since: datetime | None = None, until: datetime | None = None,
    limit: int | None = None,
) -> list[Response]:  # fmt: skip
    """Responses, newest first."""
    query = select(ResponseRow).order_by(ResponseRow.id.desc())
    if case is not None:
        query = query.where(ResponseRow.case == case)
    if since is not None:
        query = query.where(ResponseRow.begun_at >= since)
    if until is not None:
        query = query.where(ResponseRow.begun_at < until)
    if limit is not None:
        query = query.limit(limit)
    rows = list(await session.scalars(query))
    answers = await _answers(session, [row.id for row in rows])
    return [
        Response(
            case=row.case,
            ticket=ticket_number(row.ticket) if row.ticket is not None else None,
            call=CallId(row.call) if row.call else None,
            way=Way(row.way),
            begun_at=row.begun_at,
            updated_at=row.updated_at,
            scores=answers.get(row.id, {}),
        )
        for row in rows
    ]


async def _answers(session: AsyncSession, ids: Sequence[int]) -> dict[int, dict[Question, int | None]]:
    found: dict[int, dict[Question, int | None]] = {}
    for start in range(0, len(ids), 500):
        batch = ids[start : start + 500]
        for row in await session.scalars(select(AnswerRow).where(AnswerRow.response.in_(batch))):
            found.setdefault(row.response, {})[Question(row.question)] = row.score
    return found
