"""Where tickets and everything that was done about them are kept. Histories are appended to, never changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.identity import CallId
from changgu.ground.database import Base, UtcDateTime
from changgu.ticketing.number import FIRST, TicketNumber, read_number
from changgu.ticketing.priority import Level
from changgu.ticketing.ticket import (
    ActionTaken,
    CallbackMade,
    CallRole,
    Channel,
    FieldChange,
    Kind,
    LinkedCall,
    Satisfaction,
    Suggestion,
    Survey,
    Ticket,
    TicketFile,
    TicketState,
    Transition,
)

_BATCH = 500


class CounterRow(Base):
    """The running number of the newest ticket: one row."""

    __tablename__ = "ticket_counter"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class TicketRow(Base):
    """A ticket as it stands; its clocks are in `ticket_moves`."""

    __tablename__ = "tickets"
    running: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(String(12), unique=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    kind: Mapped[str | None] = mapped_column(String(20), index=True)
    grade: Mapped[str | None] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str | None] = mapped_column(String(64), index=True)
    person: Mapped[int | None] = mapped_column(index=True)
    requester: Mapped[str] = mapped_column(String(100))
    department: Mapped[str] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200))
    queue: Mapped[str | None] = mapped_column(String(64), index=True)
    impact: Mapped[str | None] = mapped_column(String(8))
    urgency: Mapped[str | None] = mapped_column(String(8))
    configuration_item: Mapped[str] = mapped_column(String(200))
    group: Mapped[str | None] = mapped_column("support_group", String(64), index=True)
    support_line: Mapped[int]
    assignee: Mapped[str | None] = mapped_column(String(100))
    expected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    type_code: Mapped[str | None] = mapped_column(String(64))
    cause_code: Mapped[str | None] = mapped_column(String(64))
    resolution_code: Mapped[str | None] = mapped_column(String(64))
    change_required: Mapped[bool | None]
    occurred_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    follows: Mapped[str | None] = mapped_column(String(12), index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    automatic_for: Mapped[str | None] = mapped_column(String(150), unique=True)
    """The call for which the queue's policy opened it: one each, however often the fact is told."""


class MoveRow(Base):
    """One transition."""

    __tablename__ = "ticket_moves"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(64))
    via: Mapped[str] = mapped_column(String(16))
    before: Mapped[str | None] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    group: Mapped[str | None] = mapped_column("support_group", String(64))
    assignee: Mapped[str | None] = mapped_column(String(100))
    expected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChangeRow(Base):
    """One field that was changed."""

    __tablename__ = "ticket_changes"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    field: Mapped[str] = mapped_column(String(32))
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)


class ActionRow(Base):
    """A row of 조치 내역."""

    __tablename__ = "ticket_actions"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    minutes: Mapped[int]


class CallbackRow(Base):
    """A call back to the requester."""

    __tablename__ = "ticket_callbacks"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    reached: Mapped[bool]
    note: Mapped[str] = mapped_column(Text)
    call: Mapped[str | None] = mapped_column(String(150))


class SurveyRow(Base):
    """The requester's grade; one per ticket. `score` NULL is 무응답."""

    __tablename__ = "ticket_surveys"
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    via: Mapped[str] = mapped_column(String(16))
    score: Mapped[int | None]


class TicketCallRow(Base):
    """A call and a ticket that have to do with each other: many to many."""

    __tablename__ = "ticket_calls"
    ticket: Mapped[int] = mapped_column(ForeignKey("tickets.running"), primary_key=True)
    call: Mapped[str] = mapped_column(String(150), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    agent: Mapped[str | None] = mapped_column(String(64))


class SuggestionRow(Base):
    """A call about which the agent is asked whether there shall be a ticket."""

    __tablename__ = "ticket_suggestions"
    call: Mapped[str] = mapped_column(String(150), primary_key=True)
    agent: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    contact: Mapped[str] = mapped_column(String(200))
    person: Mapped[int | None]
    requester: Mapped[str] = mapped_column(String(100))
    department: Mapped[str] = mapped_column(String(200))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the agent said yes or no."""


Index("ix_ticket_suggestions_open", SuggestionRow.agent, SuggestionRow.answered_at)


def ticket_of(row: TicketRow) -> Ticket:
    """The ticket in this row."""
    return Ticket(
        number=TicketNumber(row.number),
        state=TicketState(row.state),
        title=row.title,
        opened_at=row.opened_at,
        owner=row.owner,
        kind=Kind(row.kind) if row.kind else None,
        grade=row.grade,
        description=row.description,
        channel=Channel(row.channel),
        person=row.person,
        requester=row.requester,
        department=row.department,
        contact=row.contact,
        queue=row.queue,
        impact=Level(row.impact) if row.impact else None,
        urgency=Level(row.urgency) if row.urgency else None,
        configuration_item=row.configuration_item,
        group=row.group,
        support_line=row.support_line,
        assignee=row.assignee,
        expected_at=row.expected_at,
        type_code=row.type_code,
        cause_code=row.cause_code,
        resolution_code=row.resolution_code,
        change_required=row.change_required,
        occurred_at=row.occurred_at,
        follows=TicketNumber(row.follows) if row.follows else None,
        updated_at=row.updated_at,
    )


async def next_running(session: AsyncSession) -> int:
    """The next running number; held until the transaction ends. Must come before any reading.

    A transaction of SQLite that begins with a read cannot wait for another writer; one that begins with a write can.
    """
    step = update(CounterRow).where(CounterRow.id == 1).values(last=CounterRow.last + 1).returning(CounterRow.last)
    last = (await session.execute(step)).scalar_one_or_none()
    if last is None:
        last = FIRST
        await session.execute(insert(CounterRow).values(id=1, last=last))
    return last


async def locked(session: AsyncSession, number: TicketNumber, now: datetime) -> TicketRow | None:
    """The ticket, held against other writers until the transaction ends. Must come before any reading."""
    await session.execute(update(TicketRow).where(TicketRow.number == number).values(updated_at=now))
    return await by_number(session, number)


async def by_number(session: AsyncSession, number: TicketNumber) -> TicketRow | None:
    """The ticket with this number."""
    return await session.scalar(select(TicketRow).where(TicketRow.number == number))


async def automatic_for(session: AsyncSession, call: CallId) -> TicketRow | None:
    """The ticket that the queue's policy opened for this call."""
    return await session.scalar(select(TicketRow).where(TicketRow.automatic_for == call))


async def complaint_about(session: AsyncSession, number: str) -> bool:
    """Whether there is a complaint about this ticket already."""
    query = select(TicketRow.running).where(TicketRow.follows == number, TicketRow.kind == Kind.COMPLAINT).limit(1)
    return await session.scalar(query) is not None


async def file_of(session: AsyncSession, row: TicketRow) -> TicketFile:
    """The ticket with its history."""
    key = row.running
    moves = await session.scalars(select(MoveRow).where(MoveRow.ticket == key).order_by(MoveRow.id))
    changes = await session.scalars(select(ChangeRow).where(ChangeRow.ticket == key).order_by(ChangeRow.id))
    actions = await session.scalars(select(ActionRow).where(ActionRow.ticket == key).order_by(ActionRow.id))
    callbacks = await session.scalars(select(CallbackRow).where(CallbackRow.ticket == key).order_by(CallbackRow.id))
    calls = await session.scalars(
        select(TicketCallRow).where(TicketCallRow.ticket == key).order_by(TicketCallRow.at, TicketCallRow.call)
    )
    survey = await session.get(SurveyRow, key)
    followed_by = await session.scalars(
        select(TicketRow.number).where(TicketRow.follows == row.number).order_by(TicketRow.running)
    )
    return TicketFile(
        ticket=ticket_of(row),
        transitions=[
            Transition(
                move.at,
                move.actor,
                move.via,
                TicketState(move.before) if move.before else None,
                TicketState(move.after),
                move.reason,
                move.group,
                move.assignee,
                move.expected_at,
            )
            for move in moves
        ],
        changes=[FieldChange(change.at, change.actor, change.field, change.before, change.after) for change in changes],
        actions=[ActionTaken(action.at, action.actor, action.text, action.minutes) for action in actions],
        callbacks=[
            CallbackMade(made.at, made.actor, made.reached, made.note, CallId(made.call) if made.call else None)
            for made in callbacks
        ],
        calls=[LinkedCall(CallId(link.call), CallRole(link.role), link.at, link.agent) for link in calls],
        survey=Survey(survey.at, survey.actor, survey.via, grade_of(survey.score)) if survey else None,
        followed_by=[TicketNumber(number) for number in followed_by],
    )


def grade_of(score: int | None) -> Satisfaction:
    """The grade with this score."""
    return next(grade for grade in Satisfaction if grade.score == score)


async def linked(
    session: AsyncSession, calls: Sequence[CallId], role: CallRole | None = None
) -> dict[CallId, list[Ticket]]:
    """The tickets of each of these calls, the oldest first; with `role`, only those to which the call was that."""
    found: dict[CallId, list[Ticket]] = {call: [] for call in calls}
    for start in range(0, len(calls), _BATCH):
        query = (
            select(TicketCallRow.call, TicketRow)
            .join(TicketRow, TicketRow.running == TicketCallRow.ticket)
            .where(TicketCallRow.call.in_(calls[start : start + _BATCH]))
            .distinct()
            .order_by(TicketRow.running)
        )
        rows = await session.execute(query if role is None else query.where(TicketCallRow.role == role))
        for call, row in rows:
            found[CallId(call)].append(ticket_of(row))
    return found


async def calls_of(session: AsyncSession, running: int) -> list[CallId]:
    """The calls that have to do with this ticket."""
    calls = await session.scalars(select(TicketCallRow.call).where(TicketCallRow.ticket == running).distinct())
    return [CallId(call) for call in calls]


async def select_tickets(
    session: AsyncSession,
    *,
    states: Iterable[TicketState] = (),
    equal: dict[str, Any] | None = None,
    persons: Sequence[int] | None = None,
    call: str | None = None,
    unclassified: bool = False,
    text: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Ticket]:
    """Tickets that fit, newest first. `equal` compares columns; `before` is the running number of the last one seen."""
    query = select(TicketRow).order_by(TicketRow.running.desc()).limit(limit)
    chosen = list(states)
    if chosen:
        query = query.where(TicketRow.state.in_(chosen))
    for column, value in (equal or {}).items():
        query = query.where(getattr(TicketRow, column) == value)
    if unclassified:
        query = query.where(TicketRow.kind.is_(None))
    if persons is not None:
        query = query.where(TicketRow.person.in_(persons))
    if call:
        query = query.where(TicketRow.running.in_(select(TicketCallRow.ticket).where(TicketCallRow.call == call)))
    number = read_number(text) if text else None
    if number:
        query = query.where(TicketRow.number == number)
    else:
        for word in text.split()[:8]:
            columns = (TicketRow.title, TicketRow.requester, TicketRow.department, TicketRow.description)
            found = [column.icontains(word, autoescape=True) for column in columns]
            if word.isdecimal():
                found.append(TicketRow.number.contains(word, autoescape=True))
            query = query.where(or_(*found))
    if since:
        query = query.where(TicketRow.opened_at >= since)
    if until:
        query = query.where(TicketRow.opened_at < until)
    if before is not None:
        query = query.where(TicketRow.running < before)
    return [ticket_of(row) for row in await session.scalars(query)]


async def suggestions(session: AsyncSession, *, agent: str | None = None, call: str | None = None) -> list[Suggestion]:
    """Questions about calls that nobody has answered yet, newest first."""
    query = select(SuggestionRow).where(SuggestionRow.answered_at.is_(None)).order_by(SuggestionRow.at.desc())
    if agent is not None:
        query = query.where(SuggestionRow.agent == agent)
    if call is not None:
        query = query.where(SuggestionRow.call == call)
    rows = await session.scalars(query.limit(100))
    return [
        Suggestion(
            CallId(row.call), row.agent, row.queue, row.at, row.contact, row.person, row.requester, row.department
        )
        for row in rows
    ]


async def count_by_state(session: AsyncSession) -> dict[TicketState, int]:
    """How many tickets are in each state."""
    rows = await session.execute(select(TicketRow.state, func.count()).group_by(TicketRow.state))
    counted = {TicketState(state): number for state, number in rows}
    return {state: counted.get(state, 0) for state in TicketState}
