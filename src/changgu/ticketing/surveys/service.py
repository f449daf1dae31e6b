"""Takes answers to the survey of FORM-3: one response per case, 무응답 kept as none, a low one opens a complaint."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.identity import CallId
from changgu.ground.access import Actor
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict
from changgu.ticketing import store as tickets_store
from changgu.ticketing.entries import check_call
from changgu.ticketing.number import TicketNumber, read_number
from changgu.ticketing.service import Tickets
from changgu.ticketing.store import TicketRow
from changgu.ticketing.surveys import store
from changgu.ticketing.surveys.form import (
    EDIT_WINDOW,
    LOW,
    Question,
    Response,
    SurveyFigures,
    Way,
    checked_score,
    figures,
)
from changgu.ticketing.surveys.store import AnswerRow, InvitationRow, ResponseRow
from changgu.ticketing.ticket import Ticket, TicketState

TRIES = 3
"""How often somebody is called for the survey."""
TRY_AGAIN = timedelta(hours=2)


class SurveyClosed(Conflict):
    """There is a response to this case already; it is not asked about again."""


class Surveys:
    """The survey. A case is a ticket by its number, or a call by its id when it has no ticket."""

    def __init__(
        self, database: Database, tickets: Tickets, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._tickets = tickets
        self._now = now

    # Answering

    async def case_of(self, call: CallId) -> str | None:
        """The case that a survey after this call is about: its newest ticket, or the call; None when it has been asked.

        A case whose response has no answer at all may be asked about again.
        """
        linked = await self._tickets.for_call(call)
        case = linked[-1].number if linked else call
        return case if await self.may_ask(case) else None

    async def may_ask(self, case: str) -> bool:
        """Whether nobody has answered for this case yet."""
        async with self._database.transaction() as session:
            found = await store.responses(session, case=case)
        return not any(response.is_answered for response in found)

    async def survey_answer(
        self, case: str, question: Question, score: int | None, *, way: Way = Way.MENU, call: CallId | None = None
    ) -> Response:
        """Keep one answer; None is 무응답. A low overall score opens a complaint in the same transaction (SAT-04).

        Raises:
            BadInput: no score, or no case.
            SurveyClosed: the case has been answered by another way or call, or too long ago.
        """
        score = checked_score(score)
        number = read_number(case)
        if number is None:
            check_call(case)
        now = self._now()
        async with self._database.transaction() as session:
            row = await self._response(session, number, case, way, call, now)
            answer = await session.get(AnswerRow, (row.id, question))
            if answer is None:
                session.add(AnswerRow(response=row.id, question=question, score=score))
            elif score is not None:
                answer.score = score  # silence does not take an answer back
            row.updated_at = now
            await session.flush()
            if question is Question.OVERALL and score is not None and score <= LOW and row.ticket is not None:
                ticket = await session.get(TicketRow, row.ticket)
                assert ticket is not None
                await self._tickets.open_complaint(session, ticket)
            (response,) = await store.responses(session, case=row.case)
        return response

    async def _response(
        self, session: AsyncSession, number: TicketNumber | None, case: str, way: Way, call: CallId | None,
        now: datetime,
    ) -> ResponseRow:  # fmt: skip
        # A transaction of SQLite that begins with a write can wait for another writer.
        await store.touch(session, case, now)
        if number is None:
            number = await self._ticket_by_now(session, CallId(case))
        ticket = await tickets_store.locked(session, number, now) if number else None
        if number is not None and ticket is None:
            raise BadInput("그런 접수번호가 없습니다.", "there is no ticket with this number", field="case")
        case = ticket.number if ticket else case
        row = await store.of_case(session, case)
        if row is None:
            row = ResponseRow(
                case=case, ticket=ticket.running if ticket else None, call=call, way=way, begun_at=now, updated_at=now
            )
            session.add(row)
            await session.flush()
            return row
        if row.way == way and row.call == call and now - row.begun_at <= EDIT_WINDOW:
            return row
        answered = select(AnswerRow.score).where(AnswerRow.response == row.id, AnswerRow.score.is_not(None)).limit(1)
        if await session.scalar(answered) is not None:
            raise SurveyClosed("이미 응답한 설문입니다.", "this case has its response already")
        row.way, row.call, row.begun_at = way, call, now  # 무응답 so far: asked anew
        return row

    @staticmethod
    async def _ticket_by_now(session: AsyncSession, call: CallId) -> TicketNumber | None:
        """The ticket of a call that had none when its caller was asked the first question: it opens a moment later."""
        linked = (await tickets_store.linked(session, [call]))[call]
        if not linked:
            return None
        ticket = linked[-1].number
        row = await store.of_case(session, call)
        if row is not None and await store.of_case(session, ticket) is None:
            row.case, row.ticket = ticket, int(ticket[:-1])
            await session.flush()
        return ticket

    # Asking by telephone

    async def invite(self, number: str, phone: str, by: Actor, *, due_at: datetime | None = None) -> datetime:
        """Have the requester of a resolved or closed ticket called for the survey; when that will be.

        An empty `phone` means the contact on the ticket.

        Raises:
            NotFound: no such ticket.
            Conflict: it is not resolved, or has been answered.
            BadInput: neither a number nor a contact on the ticket.
        """
        ticket = await self._tickets.get(number)
        if ticket.state not in (TicketState.RESOLVED, TicketState.CLOSED):
            raise Conflict("해결된 건만 설문합니다.", "only resolved tickets are asked about")
        if not await self.may_ask(ticket.number):
            raise SurveyClosed("이미 응답한 설문입니다.", "this case has its response already")
        phone = phone.strip() or ticket.contact
        if not phone:
            raise BadInput("전화번호가 없습니다.", "there is no number to call", field="number")
        at = due_at or self._now()
        running = int(ticket.number[:-1])
        async with self._database.transaction() as session:
            await session.execute(delete(InvitationRow).where(InvitationRow.ticket == running))
            session.add(
                InvitationRow(
                    ticket=running, number=phone[:40], due_at=at, tries=0, outcome=None, asked_by=by.login[:64]
                )
            )
        return at

    async def due(self, limit: int = 10) -> list[tuple[Ticket, str]]:
        """Tickets whose requesters are to be called now, with the number, the oldest first."""
        query = (
            select(InvitationRow, TicketRow)
            .join(TicketRow, TicketRow.running == InvitationRow.ticket)
            .where(InvitationRow.outcome.is_(None), InvitationRow.due_at <= self._now())
            .order_by(InvitationRow.due_at)
            .limit(limit)
        )
        async with self._database.transaction() as session:
            rows = (await session.execute(query)).all()
        found = [(tickets_store.ticket_of(ticket), invitation.number) for invitation, ticket in rows]
        return [(ticket, number) for ticket, number in found if await self._still_wanted(ticket)]

    async def _still_wanted(self, ticket: Ticket) -> bool:
        if await self.may_ask(ticket.number):
            return True
        await self.called(ticket.number, reached=True)
        return False

    async def called(self, number: TicketNumber, *, reached: bool) -> None:
        """Somebody was called for the survey. Who was not reached is tried again, three times in all."""
        async with self._database.transaction() as session:
            row = await store.tried(session, int(number[:-1]))
            if row is None:
                return
            if reached:
                row.outcome = "reached"
            elif row.tries >= TRIES:
                row.outcome = "not_reached"
            else:
                row.due_at = self._now() + TRY_AGAIN

    # Reading

    async def response(self, case: str) -> Response | None:
        """The response to a case."""
        async with self._database.transaction() as session:
            found = await store.responses(session, case=read_number(case) or case)
        return found[0] if found else None

    async def responses(
        self, since: datetime | None = None, until: datetime | None = None, limit: int = 200
    ) -> list[Response]:
        """Responses begun in this time, newest first."""
        async with self._database.transaction() as session:
            return await store.responses(session, since=since, until=until, limit=limit)

    async def figures(self, since: datetime | None = None, until: datetime | None = None) -> SurveyFigures:
        """Means without 무응답, and how many answered (SAT-03)."""
        async with self._database.transaction() as session:
            return figures(await store.responses(session, since=since, until=until))
