"""Tickets for programs: `GET|POST /tickets`, `GET|PATCH /tickets/{number}`, moves, calls, actions, call backs."""


from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from changgu.acd.identity import CallId
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.moments import GivenMoment
from changgu.ground.trouble import BadInput
from changgu.ticketing.codes import Codes
from changgu.ticketing.entries import NewTicket, TicketFilter
from changgu.ticketing.lifecycle import Move, Need
from changgu.ticketing.priority import Level, Priority
from changgu.ticketing.runner import Callers
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import (
    KIND_NAMES,
    STATE_NAMES,
    CallRole,
    Channel,
    Kind,
    Satisfaction,
    Ticket,
    TicketFile,
    TicketState,
)

LARGEST_PAGE = 200
STATES = Query([], description="May be given several times")
SINCE = Query(None, description="Opened at or after")
UNTIL = Query(None, description="Opened before")


class TicketOut(BaseModel):
    """One ticket as it stands. Times are UTC."""

    number: str
    state: TicketState
    state_ko: str = Field(description="처리상태 (표 5-1)")
    title: str
    kind: Kind | None = Field(description="null on a ticket that opened by itself, until somebody saves it")
    kind_ko: str | None
    grade: str | None = Field(description="장애등급")
    description: str
    channel: Channel
    owner: str | None = Field(description="The desk agent who answers for it until it is closed")
    person: int | None
    requester: str
    department: str
    contact: str
    queue: str | None
    impact: Level | None
    urgency: Level | None
    priority: Priority | None = Field(description="From impact and urgency; 1 goes first")
    configuration_item: str
    group: str | None = Field(description="IT지원그룹 (배정)")
    support_line: int
    assignee: str | None = Field(description="담당자 (할당)")
    expected_at: datetime | None = Field(description="예상 완료시간")
    lacks_expected_time: bool = Field(description="A group has it and nobody told the caller when it will be done")
    type_code: str | None
    cause_code: str | None
    resolution_code: str | None
    change_required: bool | None
    occurred_at: datetime | None
    follows: str | None = Field(description="The closed ticket that this one takes up again")
    opened_at: datetime
    updated_at: datetime | None


class TransitionOut(BaseModel):
    """One move."""

    at: datetime
    actor: str
    via: str
    before: TicketState | None = Field(description="null: it was opened")
    after: TicketState
    reason: str
    group: str | None
    assignee: str | None
    expected_at: datetime | None


class FieldChangeOut(BaseModel):
    """One field that was changed."""

    at: datetime
    actor: str
    field: str
    before: str
    after: str


class ActionOut(BaseModel):
    """A row of 조치 내역."""

    at: datetime
    actor: str
    text: str
    minutes: int


class CallbackOut(BaseModel):
    """A call back to the requester."""

    at: datetime
    actor: str
    reached: bool
    note: str
    call: str | None


class LinkedCallOut(BaseModel):
    """A call that has to do with the ticket."""

    call: str
    role: CallRole
    at: datetime
    agent: str | None


class SurveyOut(BaseModel):
    """The requester's grade."""

    at: datetime
    actor: str
    via: str
    grade: Satisfaction
    score: int | None = Field(description="5 to 1; null for no_answer, which is never counted as a grade")


class StepOut(BaseModel):
    """A move that can be made now."""

    to: TicketState
    ko: str
    en: str
    needs: list[Need]


class TicketFileOut(TicketOut):
    """One ticket with its history, oldest first."""

    transitions: list[TransitionOut]
    changes: list[FieldChangeOut]
    actions: list[ActionOut]
    minutes: int = Field(description="소요시간 합계")
    callbacks: list[CallbackOut]
    calls: list[LinkedCallOut]
    survey: SurveyOut | None
    resolved_at: datetime | None
    followed_by: list[str] = Field(description="Tickets that take it up again, a complaint among them")
    steps: list[StepOut]


class TicketsOut(BaseModel):
    """Tickets, newest first."""

    items: list[TicketOut]
    next: str | None = Field(description="Give it as `cursor` to get the next tickets; null at the end")


class TicketIn(BaseModel):
    """A new ticket. With `call`, the caller of that call is filled in where nobody is named."""

    title: str | None = None
    kind: Kind | None = None
    grade: str | None = None
    description: str | None = None
    channel: Channel = Channel.PHONE
    person: int | None = Field(None, ge=1, le=2**31 - 1)
    requester: str | None = None
    department: str | None = None
    contact: str | None = None
    queue: str | None = Field(None, max_length=64)
    owner: str | None = None
    impact: Level | None = None
    urgency: Level | None = None
    configuration_item: str | None = None
    type_code: str | None = None
    occurred_at: GivenMoment | None = None
    follows: str | None = None
    call: str | None = None


class TicketPatch(BaseModel):
    """Changed fields; whatever is left out stays as it is."""

    title: str | None = None
    kind: Kind | None = None
    grade: str | None = None
    description: str | None = None
    channel: Channel | None = None
    person: int | None = Field(None, ge=1, le=2**31 - 1)
    requester: str | None = None
    department: str | None = None
    contact: str | None = None
    owner: str | None = None
    impact: Level | None = None
    urgency: Level | None = None
    configuration_item: str | None = None
    assignee: str | None = None
    expected_at: GivenMoment | None = None
    type_code: str | None = None
    cause_code: str | None = None
    resolution_code: str | None = None
    change_required: bool | None = None
    occurred_at: GivenMoment | None = None


class MoveIn(BaseModel):
    """A move, with what it needs; `GET /tickets/{number}` lists the moves and their needs under `steps`."""

    to: TicketState
    expected_state: TicketState | None = Field(None, description="The state you saw; 409 when it is another by now")
    reason: str = ""
    group: str | None = None
    expected_at: GivenMoment | None = None
    assignee: str | None = None
    action: str = Field("", description="조치내역")
    minutes: int = 0
    type_code: str | None = None
    cause_code: str | None = None
    resolution_code: str | None = None
    callback_note: str = ""
    callback_reached: bool = True
    callback_call: str | None = None
    satisfaction: Satisfaction | None = None


class CallLinkIn(BaseModel):
    """A call that has to do with the ticket."""

    call: str
    role: CallRole = CallRole.FOLLOWED_UP


class ActionIn(BaseModel):
    """What was done, and for how many minutes."""

    text: str
    minutes: int = 0


class CallbackIn(BaseModel):
    """A call back to the requester."""

    note: str = ""
    reached: bool = True
    call: str | None = None


def ticket_out(ticket: Ticket) -> TicketOut:
    """The ticket as programs read it."""
    return TicketOut(**_fields(ticket))


def file_out(file: TicketFile) -> TicketFileOut:
    """The ticket with its history as programs read it."""
    survey = file.survey
    return TicketFileOut(
        **_fields(file.ticket),
        transitions=[TransitionOut(**asdict(entry)) for entry in file.transitions],
        changes=[FieldChangeOut(**asdict(entry)) for entry in file.changes],
        actions=[ActionOut(**asdict(entry)) for entry in file.actions],
        minutes=file.minutes,
        callbacks=[CallbackOut(**asdict(entry)) for entry in file.callbacks],
        calls=[LinkedCallOut(**asdict(entry)) for entry in file.calls],
        survey=SurveyOut(**asdict(survey), score=survey.grade.score) if survey else None,
        resolved_at=file.resolved_at,
        followed_by=list(file.followed_by),
        steps=[
            StepOut(to=to, ko=step.ko, en=step.en, needs=list(step.needs))
            for to, step in Tickets.steps(file.ticket).items()
        ],
    )


def _fields(ticket: Ticket) -> dict[str, Any]:
    return {
        **asdict(ticket),
        "priority": ticket.priority,
        "lacks_expected_time": ticket.lacks_expected_time,
        "state_ko": STATE_NAMES[ticket.state][0],
        "kind_ko": KIND_NAMES[ticket.kind][0] if ticket.kind else None,
    }


async def opening(said: TicketIn, callers: Callers) -> NewTicket:
    """What is said about a new ticket, with what is known of its call."""
    caller = await callers.caller_of(CallId(said.call)) if said.call else None
    if caller and said.person is None and not said.requester:
        person, requester = caller.person, caller.name
        department = said.department or caller.department
    else:
        person, requester, department = said.person, said.requester or "", said.department or ""
    return NewTicket(
        title=said.title or "",
        kind=said.kind,
        grade=said.grade,
        description=said.description or "",
        channel=said.channel,
        person=person,
        requester=requester,
        department=department,
        contact=said.contact or (caller.number if caller else ""),
        queue=said.queue,
        owner=said.owner,
        impact=said.impact,
        urgency=said.urgency,
        configuration_item=said.configuration_item or "",
        type_code=said.type_code,
        occurred_at=said.occurred_at,
        follows=said.follows,
        call=CallId(said.call) if said.call else None,
    )


def read_cursor(cursor: str | None) -> int | None:
    """Where the page begins.

    Raises:
        BadInput: it is not one of ours.
    """
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 12):
        raise BadInput("올바르지 않은 cursor입니다.", "not a cursor of ours", field="cursor")
    return int(cursor)


def build_router(gate: Gate, tickets: Tickets, callers: Callers) -> APIRouter:
    """The routes under /api/v1. Agents work on tickets; complaints are settled by supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["tickets"])
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/tickets", summary="Tickets, newest first")
    async def list_tickets(
        _: Actor = agent,
        state: list[TicketState] = STATES,
        open: bool | None = Query(None, description="true: not closed; false: closed"),
        kind: Kind | None = None,
        owner: str | None = Query(None, max_length=64, description="Login of the desk agent"),
        group: str | None = Query(None, max_length=64),
        queue: str | None = Query(None, max_length=64),
        person: int | None = Query(None, ge=1, le=2**31 - 1),
        call: str | None = Query(None, max_length=150),
        q: str = Query("", max_length=200, description="Words of title, requester, department; or the number"),
        since: GivenMoment | None = SINCE,
        until: GivenMoment | None = UNTIL,
        cursor: str | None = Query(None, description="`next` of the answer before"),
        limit: int = Query(50, ge=1, le=LARGEST_PAGE),
    ) -> TicketsOut:
        wanted = TicketFilter(tuple(state), open, kind, owner, group, queue, person, call, q, since, until)
        page = await tickets.page(wanted, limit, read_cursor(cursor))
        following = None if page.next is None else str(page.next)
        return TicketsOut(items=[ticket_out(ticket) for ticket in page.items], next=following)

    @router.post("/tickets", status_code=201, summary="Open a ticket")
    async def open_ticket(new: TicketIn, actor: Actor = agent) -> TicketFileOut:
        ticket = await tickets.open(await opening(new, callers), actor)
        return file_out(await tickets.file(ticket.number))

    @router.get("/tickets/codes", summary="The desk's code lists and support groups")
    async def codes(_: Actor = agent) -> Codes:
        return tickets.codes

    @router.get("/tickets/{number}", summary="One ticket with its history and the moves it can make")
    async def get_ticket(number: str, _: Actor = agent) -> TicketFileOut:
        return file_out(await tickets.file(number))

    @router.patch("/tickets/{number}", summary="Change fields")
    async def change_ticket(number: str, patch: TicketPatch, actor: Actor = agent) -> TicketFileOut:
        changes = {field: getattr(patch, field) for field in patch.model_fields_set}
        await tickets.update(number, changes, actor)
        return file_out(await tickets.file(number))

    @router.post("/tickets/{number}/moves", summary="Take it to another state")
    async def move_ticket(number: str, asked: MoveIn, actor: Actor = agent) -> TicketFileOut:
        said = asked.model_dump(exclude={"expected_state"})
        return file_out(await tickets.move(number, Move(**said), actor, expected_state=asked.expected_state))

    @router.post("/tickets/{number}/calls", summary="Link a call")
    async def link_call(number: str, link: CallLinkIn, actor: Actor = agent) -> TicketFileOut:
        return file_out(await tickets.link(number, CallId(link.call), link.role, actor))

    @router.post("/tickets/{number}/actions", summary="Record what was done (조치 내역)")
    async def record_action(number: str, action: ActionIn, actor: Actor = agent) -> TicketFileOut:
        return file_out(await tickets.record_action(number, action.text, action.minutes, actor))

    @router.post("/tickets/{number}/callbacks", summary="Record a call back")
    async def record_callback(number: str, made: CallbackIn, actor: Actor = agent) -> TicketFileOut:
        call = CallId(made.call) if made.call else None
        return file_out(await tickets.record_callback(number, made.note, actor, reached=made.reached, call=call))

    return router


