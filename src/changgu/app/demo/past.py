"""The example desk's past: three thousand tickets with their histories, written in one go."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from changgu.app.demo.organisation import Organisation, PastTicket, opened_at
from changgu.directory.person import PersonCard
from changgu.directory.service import Directory
from changgu.ground.database import Database
from changgu.ticketing.number import FIRST, ticket_number
from changgu.ticketing.priority import Level
from changgu.ticketing.store import ActionRow, CallbackRow, CounterRow, MoveRow, SurveyRow, TicketRow
from changgu.ticketing.ticket import Channel, Kind, TicketState

KINDS = {"장애": Kind.INCIDENT, "서비스 요청": Kind.SERVICE_REQUEST, "단순 문의": Kind.INQUIRY}
LEVELS = {
    "1": (Level.HIGH, Level.HIGH),
    "2": (Level.HIGH, Level.MEDIUM),
    "3": (Level.MEDIUM, Level.MEDIUM),
    "4": (Level.LOW, Level.MEDIUM),
}
"""Impact and urgency of an incident, by its grade."""
LEVELS_OF_OTHERS = {Kind.SERVICE_REQUEST: (Level.LOW, Level.MEDIUM), Kind.INQUIRY: (Level.LOW, Level.LOW)}
CALLED_BACK_AFTER = timedelta(minutes=20)
VIA = "demo"


async def is_entered(database: Database) -> bool:
    """Whether there are tickets already."""
    async with database.transaction() as session:
        return await session.scalar(select(TicketRow.number).limit(1)) is not None


async def enter_past_tickets(
    database: Database, directory: Directory, organisation: Organisation, now: datetime
) -> None:
    """Write the past tickets into an empty table, oldest first, so that their numbers follow their times."""
    people = await _people(directory)
    rows: dict[type, list[dict[str, Any]]] = {
        TicketRow: [],
        MoveRow: [],
        ActionRow: [],
        CallbackRow: [],
        SurveyRow: [],
    }
    past = sorted(organisation.tickets, key=lambda ticket: -ticket.before)
    for index, ticket in enumerate(past):
        person = people[organisation.employee_numbers[ticket.person]]
        agent = organisation.agent_logins[index % len(organisation.agent_logins)]
        _write(rows, FIRST + index, ticket, person, agent, now)
    async with database.transaction() as session:
        for table, entries in rows.items():
            await session.execute(insert(table), entries)
        await session.execute(insert(CounterRow), [{"id": 1, "last": FIRST + len(past) - 1}])


async def _people(directory: Directory) -> dict[str, PersonCard]:
    """Everybody by 사번."""
    found: dict[str, PersonCard] = {}
    after = None
    while True:
        page = await directory.page("", 500, after)
        found |= {person.employee_number: person for person in page.items if person.employee_number}
        after = page.next
        if after is None:
            return found


def _write(
    rows: dict[type, list[dict[str, Any]]],
    running: int,
    past: PastTicket,
    person: PersonCard,
    agent: str,
    now: datetime,
) -> None:
    opened = opened_at(past, now)
    moves: list[tuple[datetime, TicketState | None, TicketState, str]] = [(opened, None, TicketState.NEW, "")]
    state = TicketState.NEW
    if past.solved_after is not None:
        resolved = opened + past.solved_after
        called_back = resolved + CALLED_BACK_AFTER
        moves += [
            (resolved, TicketState.NEW, TicketState.RESOLVED, ""),
            (called_back, TicketState.RESOLVED, TicketState.CLOSED, ""),
        ]
        state = TicketState.CLOSED
        minutes = max(1, int(past.solved_after.total_seconds() // 60))
        rows[ActionRow].append(
            {"ticket": running, "at": resolved, "actor": agent, "text": "원격으로 확인하고 조치함", "minutes": minutes}
        )
        rows[CallbackRow].append(
            {"ticket": running, "at": called_back, "actor": agent, "reached": True, "note": "정상 확인", "call": None}
        )
        rows[SurveyRow].append(
            {"ticket": running, "at": called_back, "actor": agent, "via": VIA, "score": past.satisfaction}
        )
    rows[MoveRow] += [
        {
            "ticket": running, "at": at, "actor": agent, "via": VIA, "before": before, "after": after, "reason": reason,
            "group": None, "assignee": None, "expected_at": None,
        }
        for at, before, after, reason in moves
    ]  # fmt: skip
    kind = KINDS[past.kind]
    incident = kind is Kind.INCIDENT
    impact, urgency = LEVELS[past.grade] if incident else LEVELS_OF_OTHERS[kind]
    solved = incident and state is TicketState.CLOSED
    rows[TicketRow].append(
        {
            "running": running, "number": ticket_number(running), "state": state, "title": past.title,
            "description": "", "kind": kind, "grade": past.grade if incident else None,
            "channel": Channel.PHONE, "owner": agent, "person": person.id, "requester": person.name,
            "department": person.department, "contact": person.numbers[0].display if person.numbers else "",
            "queue": past.queue, "impact": impact, "urgency": urgency, "configuration_item": person.computer_id,
            "group": None, "support_line": 1, "assignee": None, "expected_at": None,
            "type_code": "software" if solved else None, "cause_code": "configuration" if solved else None,
            "resolution_code": "setting" if solved else None, "change_required": None, "occurred_at": None,
            "follows": None, "opened_at": opened, "updated_at": moves[-1][0], "automatic_for": None,
        }
    )  # fmt: skip
