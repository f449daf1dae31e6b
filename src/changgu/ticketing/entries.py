"""What people enter about a ticket, made clean and checked before anything is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from changgu.acd.identity import CallId
from changgu.ground.moments import YEARS
from changgu.ground.text import clean_line, clean_text, within
from changgu.ground.trouble import BadInput
from changgu.ticketing.codes import Codes, named
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.priority import Level
from changgu.ticketing.ticket import Channel, Kind, Ticket, TicketState

LONGEST = {
    "title": 200,
    "description": 20_000,
    "requester": 100,
    "department": 200,
    "contact": 200,
    "configuration_item": 200,
    "assignee": 100,
    "owner": 64,
    "grade": 20,
    "type_code": 64,
    "cause_code": 64,
    "resolution_code": 64,
}
LONGEST_TEXT = 20_000
LONGEST_CALL_ID = 150
MOST_MINUTES = 60 * 24 * 31


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What is said when a ticket is opened. `kind` is None only for one that opens by itself."""

    title: str
    kind: Kind | None
    grade: str | None = None
    description: str = ""
    channel: Channel = Channel.PHONE
    person: int | None = None
    requester: str = ""
    department: str = ""
    contact: str = ""
    queue: str | None = None
    owner: str | None = None
    """The agent who answers for it; left out, the one who opens it."""
    impact: Level | None = None
    urgency: Level | None = None
    configuration_item: str = ""
    type_code: str | None = None
    occurred_at: datetime | None = None
    follows: str | None = None
    call: CallId | None = None
    """The call in which it was asked for; linked as `created`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of the caller of a call."""

    number: str = ""
    """As people read it; '' when withheld."""
    person: int | None = None
    """None for nobody and for several: then the agent says who it is."""
    name: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True)
class TicketPage:
    """Some tickets, newest first, and where the next ones begin (None: these were the last)."""

    items: tuple[Ticket, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets somebody wants to see; everything left out matches all."""

    states: tuple[TicketState, ...] = ()
    open: bool | None = None
    kind: Kind | None = None
    owner: str | None = None
    group: str | None = None
    queue: str | None = None
    person: int | None = None
    call: str | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    unclassified: bool = False
    """Only those that opened by themselves and that nobody has saved yet."""


EDITABLE = frozenset(
    {
        "title", "kind", "grade", "description", "channel", "person", "requester", "department", "contact", "owner",
        "impact", "urgency", "configuration_item", "assignee", "expected_at", "type_code", "cause_code",
        "resolution_code", "change_required", "occurred_at",
    }
)  # fmt: skip
"""Fields that `Tickets.update` changes; everything else changes by a move."""

LATER = frozenset({"cause_code", "resolution_code", "change_required", "assignee", "expected_at"})
"""Those that nobody knows yet when a ticket is opened."""


def checked_fields(values: Mapping[str, Any], codes: Codes) -> dict[str, Any]:
    """The values as they are kept: clean text, no empty codes, only codes of the lists."""
    checked: dict[str, Any] = {}
    for field, value in values.items():
        if field == "channel" and value is None:
            raise BadInput("접수 채널이 비어 있습니다.", "the channel is empty", field=field)
        if field in LONGEST:
            cleaned = (clean_text if field == "description" else clean_line)(value or "")
            checked[field] = within(cleaned, LONGEST[field], field)
        else:
            if isinstance(value, datetime):
                check_moment(value, field)
            checked[field] = value
    for field in ("owner", "assignee", "grade", "type_code", "cause_code", "resolution_code"):
        if field in checked:
            checked[field] = checked[field] or None
    lists = {
        "grade": codes.grades,
        "type_code": codes.types,
        "cause_code": codes.causes,
        "resolution_code": codes.resolutions,
    }
    for field, entries in lists.items():
        code = checked.get(field)
        if code and entries and named(entries, code) is None:
            raise BadInput("목록에 없는 코드입니다.", f"no such code: {code}", field=field)
    return checked


def tidy(move: Move) -> Move:
    """The move with clean texts and nothing empty."""
    check_minutes(move.minutes)
    if move.expected_at is not None:
        check_moment(move.expected_at, "expected_at")
    return replace(
        move,
        reason=within(clean_text(move.reason), LONGEST_TEXT, "reason"),
        action=within(clean_text(move.action), LONGEST_TEXT, "action"),
        callback_note=within(clean_text(move.callback_note), LONGEST_TEXT, "callback_note"),
        group=within(clean_line(move.group or ""), 64, "group") or None,
        assignee=within(clean_line(move.assignee or ""), LONGEST["assignee"], "assignee") or None,
        type_code=move.type_code or None,
        cause_code=move.cause_code or None,
        resolution_code=move.resolution_code or None,
    )


def check_grade(kind: Kind | None, grade: str | None) -> None:
    """An incident has a grade (INC-04)."""
    if kind is Kind.INCIDENT and not grade:
        raise BadInput("장애등급을 정해 주십시오.", "an incident needs its grade", field="grade")


def check_moment(when: datetime, field: str) -> None:
    """A time with its zone, that every zone can show."""
    if when.tzinfo is None:
        raise BadInput("시간대가 없는 시각입니다.", "a time without its zone", field=field)
    if when.year not in YEARS:
        raise BadInput("올바른 연도가 아닙니다.", "not a year in which anything happens", field=field)


def check_minutes(minutes: int) -> None:
    """소요시간 is between nothing and a month."""
    if not 0 <= minutes <= MOST_MINUTES:
        raise BadInput("소요시간(분)이 올바르지 않습니다.", "not a number of minutes", field="minutes")


def check_call(call: str) -> None:
    """The id of a call is short and on one line."""
    if not call or len(call) > LONGEST_CALL_ID or clean_line(call) != call:
        raise BadInput("통화 번호가 올바르지 않습니다.", "not the id of a call", field="call")
