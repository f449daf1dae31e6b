"""The pages about tickets: the list, a new one, and one with everything that was done and can be done about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from changgu.acd.identity import CallId
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.csv_rows import write_rows
from changgu.ground.pages import Pages
from changgu.ground.trouble import BadInput, NotFound, Trouble
from changgu.ticketing.api import read_cursor
from changgu.ticketing.codes import Code, Codes, named
from changgu.ticketing.entries import NewTicket, TicketFilter
from changgu.ticketing.intake.api import audio_address, document_address
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.number import read_number
from changgu.ticketing.priority import LEVEL_NAMES, PRIORITY_NAMES, Level
from changgu.ticketing.runner import Callers
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.service import Tickets
from changgu.ticketing.surveys.form import QUESTION_NAMES
from changgu.ticketing.surveys.service import Surveys
from changgu.ticketing.ticket import (
    CALL_ROLE_NAMES,
    CHANNEL_NAMES,
    KIND_NAMES,
    SATISFACTION_NAMES,
    STATE_NAMES,
    CallRole,
    Channel,
    Kind,
    Satisfaction,
    Ticket,
    TicketState,
)

PAGE = 50
MOST_EXPORTED = 10_000

VIEWS = ("open", "mine", "handed_over", "unclassified_mine", "closed", "all")
"""Ready-made lists; `handed_over` is 내가 이관한 건 (INC-13)."""

TONES = {
    TicketState.NEW: "info",
    TicketState.ASSIGNED: "warn",
    TicketState.REJECTED: "bad",
    TicketState.ALLOCATED: "warn",
    TicketState.RESOLVED: "good",
    TicketState.CLOSED: "quiet",
}

TEXT_FIELDS = ("title", "description", "requester", "department", "contact", "configuration_item")
CHOICES: Mapping[str, type[StrEnum]] = {"kind": Kind, "channel": Channel, "impact": Level, "urgency": Level}
CODE_FIELDS = ("grade", "type_code", "cause_code", "resolution_code")
EXPORTED = (
    "number", "state", "kind", "grade", "title", "requester", "department", "contact", "channel", "queue", "owner",
    "group", "support_line", "assignee", "priority", "opened_at", "expected_at", "updated_at",
)  # fmt: skip

_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call of a ticket, in one line."""

    at: datetime
    queue: str
    agent: str
    outcome: str
    """Word in the reader's terms: the `outcome.…` message key without its prefix, such as `answered`."""


class PastCalls(Protocol):
    """Knows what became of calls."""

    async def lines_of(self, calls: Sequence[CallId]) -> Mapping[CallId, CallLine]:
        """One line for each call of which anything is known."""
        ...


class Words:
    """The names of everything a ticket page shows, in the reader's language."""

    def __init__(self, codes: Codes, names: Callable[[], Mapping[str, str]] = dict) -> None:
        self.codes = codes
        self._names = names

    @staticmethod
    def pick(pair: tuple[str, str], lang: str) -> str:
        """The name in this language."""
        return pair[0] if lang == "ko" else pair[1]

    def state(self, state: TicketState, lang: str) -> str:
        """처리상태."""
        return self.pick(STATE_NAMES[state], lang)

    def kind(self, kind: Kind | None, lang: str) -> str:
        """접수 판별."""
        return self.pick(KIND_NAMES[kind], lang) if kind else "–"

    def priority(self, ticket: Ticket, lang: str) -> str:
        """우선순위."""
        return self.pick(PRIORITY_NAMES[ticket.priority], lang) if ticket.priority else "–"

    def staff(self, login: str | None) -> str:
        """요원의 이름; whoever has none in the floor, such as an administrator, by their login."""
        return self._names().get(login, login) if login else "–"

    def role(self, role: CallRole, lang: str) -> str:
        """What a call was to the ticket."""
        return self.pick(CALL_ROLE_NAMES[role], lang)

    def satisfaction(self, grade: Satisfaction, lang: str) -> str:
        """만족도."""
        return self.pick(SATISFACTION_NAMES[grade], lang)

    def group(self, code: str | None, lang: str) -> str:
        """IT지원그룹."""
        return self._code(self.codes.groups, code, lang)

    def grade(self, code: str | None, lang: str) -> str:
        """장애등급."""
        return self._code(self.codes.grades, code, lang)

    def options(self, field: str, lang: str) -> list[tuple[str, str]]:
        """What can be chosen for a field: value and name."""
        entries: Mapping[str, Sequence[Code]] = {
            "grade": self.codes.grades,
            "type_code": self.codes.types,
            "cause_code": self.codes.causes,
            "resolution_code": self.codes.resolutions,
            "group": self.codes.groups,
        }
        if field in entries:
            return [(entry.code, entry.ko if lang == "ko" else entry.en) for entry in entries[field]]
        names: Mapping[str, Mapping[Any, tuple[str, str]]] = {
            "kind": KIND_NAMES,
            "channel": CHANNEL_NAMES,
            "impact": LEVEL_NAMES,
            "urgency": LEVEL_NAMES,
            "satisfaction": SATISFACTION_NAMES,
            "state": STATE_NAMES,
            "role": CALL_ROLE_NAMES,
        }
        return [(str(value), self.pick(pair, lang)) for value, pair in names[field].items()]

    @staticmethod
    def _code(entries: Sequence[Code], code: str | None, lang: str) -> str:
        entry = named(tuple(entries), code)
        return (entry.ko if lang == "ko" else entry.en) if entry else (code or "–")


def build_pages(
    gate: Gate, pages: Pages, tickets: Tickets, callers: Callers, directory: Directory, zone: ZoneInfo,
    names: Callable[[], Mapping[str, str]] = dict, past_calls: PastCalls | None = None,
    intake: Intake | None = None, surveys: Surveys | None = None, self_service: SelfService | None = None,
) -> APIRouter:  # fmt: skip
    """The routes `/tickets`, `/tickets.csv`, `/tickets/new` and `/tickets/{number}` with its forms.

    `names` gives the agents' names by login, `past_calls` what became of a ticket's calls, `intake` the voice mail
    and fax attached to it, `surveys` its response, which supervisors see, `self_service` has requesters called back.
    """
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))
    supervisor = Depends(gate.require(Role.SUPERVISOR))
    words = Words(tickets.codes, names)

    async def show(
        request: Request,
        number: str,
        actor: Actor,
        trouble: Trouble | None = None,
        form: str = "",
        entered: Mapping[str, str] | None = None,
    ) -> Response:
        file = await tickets.file(number)
        return pages.render(
            request, "ticketing_ticket.html", actor, file=file, ticket=file.ticket, steps=Tickets.steps(file.ticket),
            calls=await past_calls.lines_of([link.call for link in file.calls]) if past_calls else {},
            messages=await intake.of_ticket(file.ticket.number) if intake else [],
            response=await surveys.response(file.ticket.number) if surveys and actor.may(Role.SUPERVISOR) else None,
            can_be_called_back=self_service is not None, questions=QUESTION_NAMES,
            audio=audio_address, document=document_address,
            words=words, tones=TONES, values=_values(file.ticket, zone),
            trouble=trouble, form=form, entered=entered or {}, status_code=trouble.status if trouble else 200,
        )  # fmt: skip

    async def show_new(
        request: Request, actor: Actor, entered: Mapping[str, str], trouble: Trouble | None = None
    ) -> Response:
        return pages.render(
            request, "ticketing_new.html", actor, entered=entered, words=words, trouble=trouble,
            status_code=trouble.status if trouble else 200,
        )  # fmt: skip

    @router.get("/tickets")
    async def list_tickets(
        request: Request,
        actor: Actor = agent,
        view: str = "open",
        state: str = "",
        kind: str = "",
        group: str = Query("", max_length=64),
        q: str = Query("", max_length=200),
        cursor: str = "",
    ) -> Response:
        number = read_number(q) if q else None
        if number and await tickets.find(number):
            return RedirectResponse(f"/tickets/{number}", 303)
        wanted = _filter(actor, view, state, kind, group, q)
        page = await tickets.page(wanted, PAGE, read_cursor(cursor))
        return pages.render(
            request, "ticketing_tickets.html", actor, tickets=page.items, next=page.next, view=view, views=VIEWS,
            state=state, kind=kind, group=group, q=q, words=words, tones=TONES,
            may_export=actor.may(Role.SUPERVISOR),
        )  # fmt: skip

    @router.get("/tickets.csv")
    async def export(
        actor: Actor = supervisor, view: str = "all", state: str = "", kind: str = "", group: str = "", q: str = ""
    ) -> Response:
        rows: list[list[object]] = []
        before: int | None = None
        while len(rows) < MOST_EXPORTED:
            page = await tickets.page(_filter(actor, view, state, kind, group, q), 500, before)
            rows += [_exported(ticket, zone) for ticket in page.items]
            before = page.next
            if before is None:
                break
        return Response(
            write_rows(EXPORTED, rows),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="tickets.csv"', "Cache-Control": "no-store"},
        )

    @router.get("/tickets/new")
    async def new_ticket(
        request: Request,
        actor: Actor = agent,
        person: str = Query("", max_length=10),
        call: str = Query("", max_length=150),
        follows: str = Query("", max_length=20),
    ) -> Response:
        entered = {"channel": Channel.PHONE.value, "call": call, "follows": follows}
        if person.isascii() and person.isdecimal():
            known = await directory.get(int(person))
            entered |= {"person": str(known.id), "requester": known.name, "department": known.department}
            entered["contact"] = known.numbers[0].display if known.numbers else known.email
        elif call:
            caller = await callers.caller_of(CallId(call))
            entered |= {"requester": caller.name, "department": caller.department, "contact": caller.number}
            entered["person"] = str(caller.person or "")
        if follows:
            before = await tickets.get(follows)
            entered |= {"title": before.title, "kind": before.kind or "", "grade": before.grade or ""}
            entered |= {"requester": before.requester, "department": before.department, "contact": before.contact}
            entered["person"] = str(before.person or "")
        return await show_new(request, actor, entered)

    @router.post("/tickets/new")
    async def open_ticket(request: Request, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            ticket = await tickets.open(_new(entered, zone), actor)
        except Trouble as trouble:
            return await show_new(request, actor, entered, trouble)
        return RedirectResponse(f"/tickets/{ticket.number}", 303)

    @router.get("/tickets/{number}")
    async def show_ticket(request: Request, number: str, actor: Actor = agent) -> Response:
        read = read_number(number)
        if read and read != number:
            return RedirectResponse(f"/tickets/{read}", 308)
        return await show(request, number, actor)

    @router.post("/tickets/{number}/edit")
    async def edit(request: Request, number: str, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            await tickets.update(number, _changes(entered, zone), actor)
        except Trouble as trouble:
            return await show(request, number, actor, trouble, "edit", entered)
        return RedirectResponse(f"/tickets/{number}", 303)

    @router.post("/tickets/{number}/move")
    async def move(request: Request, number: str, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            seen = _one_of(TicketState, entered.get("seen", ""), "seen")
            await tickets.move(number, _move(entered, zone), actor, expected_state=seen)
        except Trouble as trouble:
            return await show(request, number, actor, trouble, f"move-{entered.get('to', '')}", entered)
        return RedirectResponse(f"/tickets/{number}", 303)

    @router.post("/tickets/{number}/action")
    async def record_action(request: Request, number: str, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            minutes = _minutes(entered.get("minutes", ""))
            await tickets.record_action(number, entered.get("text", ""), minutes, actor)
        except Trouble as trouble:
            return await show(request, number, actor, trouble, "action", entered)
        return RedirectResponse(f"/tickets/{number}#actions", 303)

    @router.post("/tickets/{number}/callback")
    async def record_callback(request: Request, number: str, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        call = CallId(entered["call"]) if entered.get("call") else None
        try:
            reached = entered.get("reached", "yes") == "yes"
            await tickets.record_callback(number, entered.get("note", ""), actor, reached=reached, call=call)
        except Trouble as trouble:
            return await show(request, number, actor, trouble, "callback", entered)
        return RedirectResponse(f"/tickets/{number}#callbacks", 303)

    @router.post("/tickets/{number}/call-me-back")
    async def call_me_back(request: Request, number: str, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            if self_service is None:
                raise NotFound("콜백을 예약할 수 없습니다.", "nobody can be called back here")
            await self_service.call_me_back(number, entered.get("phone", ""))
        except Trouble as trouble:
            return await show(request, number, actor, trouble, "call_me_back", entered)
        return RedirectResponse("/callbacks?done=booked", 303)

    @router.post("/tickets/{number}/call")
    async def link_call(request: Request, number: str, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            role = _one_of(CallRole, entered.get("role", ""), "role") or CallRole.FOLLOWED_UP
            await tickets.link(number, CallId(entered.get("call", "").strip()), role, actor)
        except Trouble as trouble:
            return await show(request, number, actor, trouble, "call", entered)
        return RedirectResponse(f"/tickets/{number}#calls", 303)

    return router


def _filter(actor: Actor, view: str, state: str, kind: str, group: str, q: str) -> TicketFilter:
    chosen = _one_of(TicketState, state, "state")
    wanted = TicketFilter(
        states=(chosen,) if chosen else (), kind=_one_of(Kind, kind, "kind"), group=group or None, text=q
    )
    match view:
        case "mine":
            return replace(wanted, owner=actor.login, open=True)
        case "handed_over":
            states = (TicketState.ASSIGNED, TicketState.ALLOCATED)
            return replace(wanted, owner=actor.login, states=wanted.states or states)
        case "unclassified_mine":
            return replace(wanted, owner=actor.login, unclassified=True)
        case "closed":
            return replace(wanted, open=False)
        case "all":
            return wanted
        case _:
            return replace(wanted, open=True)


async def _entered(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _one_of(choices: type[_E], value: str, field: str) -> _E | None:
    if not value:
        return None
    try:
        return choices(value)
    except ValueError as trouble:
        raise BadInput("고를 수 없는 값입니다.", "not one of the choices", field=field) from trouble


def _when(value: str, zone: ZoneInfo, field: str) -> datetime | None:
    """A moment from a form, which speaks of the site's wall clock."""
    if not value:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone)
    except ValueError as trouble:
        raise BadInput("날짜와 시각이 아닙니다.", "not a date and time", field=field) from trouble


def _minutes(value: str) -> int:
    value = value.strip() or "0"
    if not (value.isascii() and value.isdecimal() and len(value) < 9):
        raise BadInput("소요시간(분)이 올바르지 않습니다.", "not a number of minutes", field="minutes")
    return int(value)


def _person(value: str) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise BadInput("사용자 번호가 올바르지 않습니다.", "not the number of a person", field="person")
    return int(value)


def _new(entered: Mapping[str, str], zone: ZoneInfo) -> NewTicket:
    return NewTicket(
        **{field: entered.get(field, "") for field in TEXT_FIELDS},
        kind=_one_of(Kind, entered.get("kind", ""), "kind"),
        channel=_one_of(Channel, entered.get("channel", ""), "channel") or Channel.PHONE,
        impact=_one_of(Level, entered.get("impact", ""), "impact"),
        urgency=_one_of(Level, entered.get("urgency", ""), "urgency"),
        grade=entered.get("grade") or None,
        type_code=entered.get("type_code") or None,
        person=_person(entered.get("person", "")),
        occurred_at=_when(entered.get("occurred_at", ""), zone, "occurred_at"),
        follows=entered.get("follows") or None,
        call=CallId(entered["call"]) if entered.get("call") else None,
    )


def _changes(entered: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    changes: dict[str, Any] = {field: entered[field] for field in TEXT_FIELDS if field in entered}
    changes |= {field: entered[field] or None for field in (*CODE_FIELDS, "owner", "assignee") if field in entered}
    for field, choices in CHOICES.items():
        if field in entered:
            changes[field] = _one_of(choices, entered[field], field)
    for field in ("expected_at", "occurred_at"):
        if field in entered:
            changes[field] = _when(entered[field], zone, field)
    if "change_required" in entered:
        changes["change_required"] = {"yes": True, "no": False}.get(entered["change_required"])
    if "person" in entered:
        changes["person"] = _person(entered["person"])
    return changes


def _move(entered: Mapping[str, str], zone: ZoneInfo) -> Move:
    to = _one_of(TicketState, entered.get("to", ""), "to")
    if to is None:
        raise BadInput("어디로 옮길지 골라 주십시오.", "say where to move it", field="to")
    return Move(
        to=to,
        reason=entered.get("reason", ""),
        group=entered.get("group") or None,
        expected_at=_when(entered.get("expected_at", ""), zone, "expected_at"),
        assignee=entered.get("assignee") or None,
        action=entered.get("action", ""),
        minutes=_minutes(entered.get("minutes", "")),
        type_code=entered.get("type_code") or None,
        cause_code=entered.get("cause_code") or None,
        resolution_code=entered.get("resolution_code") or None,
        callback_note=entered.get("callback_note", ""),
        callback_reached=entered.get("callback_reached", "yes") == "yes",
        satisfaction=_one_of(Satisfaction, entered.get("satisfaction", ""), "satisfaction"),
    )


def _values(ticket: Ticket, zone: ZoneInfo) -> dict[str, str]:
    """What the form of a ticket shows."""
    values: dict[str, str] = {}
    for field in fields(ticket):
        value = getattr(ticket, field.name)
        if isinstance(value, datetime):
            values[field.name] = value.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
        else:
            values[field.name] = "" if value is None else str(value)
    values["change_required"] = {True: "yes", False: "no", None: ""}[ticket.change_required]
    return values


def _exported(ticket: Ticket, zone: ZoneInfo) -> list[object]:
    cells: list[object] = []
    for name in EXPORTED:
        value = getattr(ticket, name)
        if name == "state":
            value = STATE_NAMES[ticket.state][0]
        elif name == "kind":
            value = KIND_NAMES[ticket.kind][0] if ticket.kind else ""
        elif isinstance(value, datetime):
            value = value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        cells.append(value)
    return cells
