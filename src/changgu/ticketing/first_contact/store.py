"""Reads the tickets of a time with what tells whether their first contact was enough."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.identity import CallId
from changgu.ticketing.first_contact.rates import CASES, NOBODY, WINDOW, Case, Visit
from changgu.ticketing.store import MoveRow, TicketCallRow, TicketRow
from changgu.ticketing.ticket import CallRole, Kind, TicketState

_KINDS = sorted(CASES)
_AGAIN = (CallRole.FOLLOWED_UP, CallRole.COMPLAINT)


async def unclassified(session: AsyncSession, since: datetime, until: datetime) -> int:
    """Tickets of the time that nobody has classified yet: they are in no figure."""
    wanted = select(func.count()).where(*_opened(since, until), TicketRow.kind.is_(None))
    return await session.scalar(wanted) or 0


async def visits(session: AsyncSession, since: datetime, until: datetime) -> list[Visit]:
    """Who came with what in this time, and in the week after it."""
    wanted = select(TicketRow.running, TicketRow.person, TicketRow.kind, TicketRow.type_code, TicketRow.opened_at)
    rows = await session.execute(
        wanted.where(
            *_opened(since, until + WINDOW), TicketRow.kind.in_(_KINDS), TicketRow.person.is_not(None)
        ).order_by(TicketRow.running)
    )
    return [
        Visit(running, person, (Kind(kind), code), at)
        for running, person, kind, code, at in rows
        if person is not None and kind is not None
    ]


async def cases(session: AsyncSession, since: datetime, until: datetime) -> list[Case]:
    """The classified cases that were opened in this time, the oldest first."""
    chosen = and_(*_opened(since, until), TicketRow.kind.in_(_KINDS))
    of_these = select(TicketRow.running).where(chosen)
    moves = await session.execute(
        select(MoveRow.ticket, MoveRow.after).where(
            MoveRow.ticket.in_(of_these),
            or_(MoveRow.after == TicketState.ASSIGNED, MoveRow.before == TicketState.RESOLVED),
        )
    )
    assigned, again = set(), set()
    for running, after in moves:
        if after == TicketState.ASSIGNED:
            assigned.add(running)
        elif after == TicketState.ALLOCATED:
            again.add(running)
    came: defaultdict[int, list[datetime]] = defaultdict(list)
    opening: dict[int, TicketCallRow] = {}
    links = await session.scalars(
        select(TicketCallRow).where(TicketCallRow.ticket.in_(of_these)).order_by(TicketCallRow.at.desc())
    )
    for link in links:
        if link.role == CallRole.CREATED:
            opening[link.ticket] = link
        elif link.role in _AGAIN:
            came[link.ticket].append(link.at)
    numbers = select(TicketRow.number).where(chosen)
    following = await session.execute(
        select(TicketRow.follows, TicketRow.opened_at).where(TicketRow.follows.in_(numbers))
    )
    for number, at in following:
        if number is not None:
            came[int(number[:-1])].append(at)
    rows = await session.scalars(select(TicketRow).where(chosen).order_by(TicketRow.running))
    return [
        Case(
            running=row.running,
            opened_at=row.opened_at,
            kind=Kind(str(row.kind)),
            type_code=row.type_code,
            state=TicketState(row.state),
            person=row.person,
            agent=_agent(row, opening.get(row.running)),
            call=CallId(opening[row.running].call) if row.running in opening else None,
            assigned=row.running in assigned,
            taken_up_again=row.running in again,
            came_again=tuple(came[row.running]),
        )
        for row in rows
    ]


def _agent(row: TicketRow, opening: TicketCallRow | None) -> str:
    """Whoever answered the call; without a call, who answers for the ticket."""
    spoke = row.owner if opening is None else opening.agent
    return spoke or NOBODY


def _opened(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return TicketRow.opened_at >= since, TicketRow.opened_at < until
