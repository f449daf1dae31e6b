"""First-contact resolution by agent and skill for programs (WL-06)."""

from datetime import datetime

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.moments import GivenMoment
from changgu.ticketing.first_contact.rates import WINDOW
from changgu.ticketing.first_contact.service import FirstContacts, Line

SINCE = Query(None, description="Opened at or after; 30 days before `until` unless given")
UNTIL = Query(None, description="Opened before; now unless given")


class LineOut(BaseModel):
    """One agent with one skill, or all of them. Rates are 0 to 1, null where nothing can be said."""

    agent: str | None = Field(description="Login; empty where no agent took the case in; null for all")
    name: str
    skill: str | None = Field(description="Empty where none was asked for; null for all")
    level: int | None = Field(description="The agent's level in this skill now")
    cases: int = Field(description="문의, 장애, 요청 opened in this time")
    undecided: int = Field(description="Of these, neither solved nor handed over yet")
    solved_at_desk: int = Field(description="Solved without 배정")
    desk_rate: float | None = Field(description="1차 해결률: solved_at_desk ÷ cases")
    judged: int = Field(description="Opened a week ago or longer, by a person who is known")
    first_contact: int = Field(description="Of the judged: solved without 배정 and 재개, and they did not come again")
    first_contact_rate: float | None = Field(description="FCR: first_contact ÷ judged")


class ReportOut(BaseModel):
    """The figures of a time: all agents first, then agent by agent."""

    since: datetime
    until: datetime
    window_days: int = Field(description="Whoever comes again with the same within so long was not helped at once")
    unclassified: int = Field(description="Tickets in no figure, for nobody has classified them")
    lines: list[LineOut]


def build_router(gate: Gate, contacts: FirstContacts) -> APIRouter:
    """The route /api/v1/first-contact, for supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["tickets"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/first-contact", summary="1차 해결률 and first-contact resolution, by agent and skill")
    async def first_contact(
        _: Actor = supervisor, since: GivenMoment | None = SINCE, until: GivenMoment | None = UNTIL
    ) -> ReportOut:
        found = await contacts.report(since, until)
        return ReportOut(
            since=found.since, until=found.until, window_days=WINDOW.days, unclassified=found.unclassified,
            lines=[_out(line) for line in found.lines],
        )  # fmt: skip

    return router


def _out(line: Line) -> LineOut:
    rates = line.rates
    return LineOut(
        agent=line.agent, name=line.name, skill=line.skill, level=line.level, cases=rates.cases,
        undecided=rates.undecided, solved_at_desk=rates.solved_at_desk, desk_rate=rates.desk_rate,
        judged=rates.judged, first_contact=rates.first_contact, first_contact_rate=rates.first_contact_rate,
    )  # fmt: skip
