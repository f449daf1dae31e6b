"""From 신규 to 종료: every move a ticket can make, what it needs, and why the others are refused (WF-1).

배정 is to a group, 할당 to a person of it. 이관 hands a ticket to the next support line; it is not 에스컬레이션.
A closed ticket stays closed: what comes up again is a new ticket that follows the old one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from changgu.acd.identity import CallId
from changgu.ticketing.codes import Codes, named
from changgu.ticketing.ticket import Kind, Satisfaction, Ticket, TicketState

NEW, ASSIGNED, REJECTED = TicketState.NEW, TicketState.ASSIGNED, TicketState.REJECTED
ALLOCATED, RESOLVED, CLOSED = TicketState.ALLOCATED, TicketState.RESOLVED, TicketState.CLOSED


class Need(StrEnum):
    """What a move cannot be made without."""

    CLASSIFICATION = "classification"
    REASON = "reason"
    GROUP = "group"
    OTHER_GROUP = "other_group"
    PERSON = "person"
    ACTION = "action"
    CODES = "codes"
    CALLBACK = "callback"
    SATISFACTION = "satisfaction"


@dataclass(frozen=True, slots=True)
class Step:
    """A legal move: what people call it, and what it needs."""

    ko: str
    en: str
    needs: tuple[Need, ...]

    @property
    def to_group(self) -> bool:
        """Whether it gives the ticket to a group, so that the caller should be told an expected time (INC-10)."""
        return Need.GROUP in self.needs or Need.OTHER_GROUP in self.needs


_SOLVED = (Need.CLASSIFICATION, Need.ACTION, Need.CODES)

MOVES: Mapping[tuple[TicketState, TicketState], Step] = {
    (NEW, RESOLVED): Step("1차 해결", "solve at the desk", _SOLVED),
    (NEW, ASSIGNED): Step("2차 이관(배정)", "hand over to a group", (Need.CLASSIFICATION, Need.GROUP)),
    (ASSIGNED, ALLOCATED): Step("담당자 할당", "name a person", (Need.PERSON,)),
    (ASSIGNED, REJECTED): Step("반려", "reject", (Need.REASON,)),
    (ASSIGNED, ASSIGNED): Step("재이관", "hand on to another group", (Need.OTHER_GROUP, Need.REASON)),
    (ASSIGNED, RESOLVED): Step("해결", "resolve", _SOLVED),
    (REJECTED, ASSIGNED): Step("다른 그룹에 배정", "assign to another group", (Need.CLASSIFICATION, Need.OTHER_GROUP)),
    (REJECTED, RESOLVED): Step("해결", "resolve", _SOLVED),
    (REJECTED, NEW): Step("재분류(신규)", "classify again", (Need.REASON,)),
    (ALLOCATED, RESOLVED): Step("해결", "resolve", _SOLVED),
    (ALLOCATED, REJECTED): Step("반려", "reject", (Need.REASON,)),
    (ALLOCATED, ASSIGNED): Step("재이관", "hand on to another group", (Need.OTHER_GROUP, Need.REASON)),
    (RESOLVED, CLOSED): Step("종료", "close", (Need.CALLBACK, Need.SATISFACTION)),
    (RESOLVED, ALLOCATED): Step("재개(할당)", "not solved after all", (Need.PERSON, Need.REASON)),
}

_CLOSED = ("종료된 건은 다시 열지 않습니다. 이어지는 새 건을 등록하십시오.", "it is closed: open one that follows it")
_ALREADY = ("이미 그 상태입니다.", "it is in that state already")
_GROUP_FIRST = ("먼저 지원그룹에 배정해 주십시오.", "assign it to a group first")
_RESOLVE_FIRST = ("먼저 해결해야 종료할 수 있습니다.", "it must be resolved before it is closed")
_NOT_WITH_A_GROUP = ("배정받은 그룹이 없어 반려할 수 없습니다.", "no group has it, so none can reject it")
_REJECT_FIRST = ("지원그룹이 반려한 건만 다시 분류합니다.", "only what a group rejected is classified again")
_CALLBACK_FIRST = ("해결된 건입니다. 콜백에서 미해결이면 재개해 주십시오.", "it is resolved: take it up again by 재개")

REFUSED: Mapping[tuple[TicketState, TicketState], tuple[str, str]] = {
    (NEW, NEW): _ALREADY,
    (NEW, REJECTED): _NOT_WITH_A_GROUP,
    (NEW, ALLOCATED): _GROUP_FIRST,
    (NEW, CLOSED): _RESOLVE_FIRST,
    (ASSIGNED, NEW): _REJECT_FIRST,
    (ASSIGNED, CLOSED): _RESOLVE_FIRST,
    (REJECTED, REJECTED): _ALREADY,
    (REJECTED, ALLOCATED): _GROUP_FIRST,
    (REJECTED, CLOSED): _RESOLVE_FIRST,
    (ALLOCATED, NEW): _REJECT_FIRST,
    (ALLOCATED, ALLOCATED): _ALREADY,
    (ALLOCATED, CLOSED): _RESOLVE_FIRST,
    (RESOLVED, NEW): _CALLBACK_FIRST,
    (RESOLVED, ASSIGNED): _CALLBACK_FIRST,
    (RESOLVED, REJECTED): _CALLBACK_FIRST,
    (RESOLVED, RESOLVED): _ALREADY,
    **{(CLOSED, state): _CLOSED for state in TicketState},
}


@dataclass(frozen=True, slots=True)
class Move:
    """A move that somebody asks for, with everything they say about it."""

    to: TicketState
    reason: str = ""
    group: str | None = None
    expected_at: datetime | None = None
    assignee: str | None = None
    action: str = ""
    minutes: int = 0
    type_code: str | None = None
    cause_code: str | None = None
    resolution_code: str | None = None
    callback_note: str = ""
    callback_reached: bool = True
    callback_call: CallId | None = None
    satisfaction: Satisfaction | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that the move needs and that was not given, or is wrong."""

    field: str
    ko: str
    en: str


def steps_from(state: TicketState) -> dict[TicketState, Step]:
    """Where a ticket can go from here."""
    return {after: step for (before, after), step in MOVES.items() if before is state}


def missing(ticket: Ticket, move: Move, step: Step, codes: Codes, *, acted: bool, called_back: bool) -> list[Missing]:
    """Everything that keeps this legal move from being made; nothing, when it can be made.

    `acted`: an action was recorded since the ticket last left 해결; `called_back`: the requester was called since.
    """
    found: list[Missing] = []
    for need in step.needs:
        match need:
            case Need.CLASSIFICATION:
                found += _unclassified(ticket)
            case Need.REASON:
                if not move.reason:
                    found.append(Missing("reason", "사유를 적어 주십시오.", "give a reason"))
            case Need.GROUP | Need.OTHER_GROUP:
                found += _wrong_group(ticket, move, codes, other=need is Need.OTHER_GROUP)
            case Need.PERSON:
                if not (move.assignee or (move.to is ALLOCATED and ticket.state is RESOLVED and ticket.assignee)):
                    found.append(Missing("assignee", "담당자를 정해 주십시오.", "name a person"))
            case Need.ACTION:
                if not (move.action or acted):
                    found.append(Missing("action", "조치내역을 적어 주십시오.", "write what was done"))
            case Need.CODES:
                found += _missing_codes(ticket, move, codes)
            case Need.CALLBACK:
                if not (move.callback_note or called_back):
                    ko = "콜백 기록이 있어야 종료할 수 있습니다."
                    found.append(Missing("callback_note", ko, "a call back must be recorded before closing"))
            case Need.SATISFACTION:
                if move.satisfaction is None:
                    ko = "만족도를 골라 주십시오 (무응답도 됩니다)."
                    found.append(Missing("satisfaction", ko, "choose a satisfaction grade; no answer is one"))
    return found


def _unclassified(ticket: Ticket) -> list[Missing]:
    if ticket.kind is None:
        return [Missing("kind", "먼저 접수 건을 판별해 주십시오.", "classify it first")]
    if ticket.kind is Kind.INCIDENT and not ticket.grade:
        return [Missing("grade", "장애등급을 정해 주십시오.", "an incident needs its grade")]
    return []


def _wrong_group(ticket: Ticket, move: Move, codes: Codes, *, other: bool) -> list[Missing]:
    if not move.group:
        return [Missing("group", "지원그룹을 골라 주십시오.", "choose a group")]
    if codes.groups and codes.group(move.group) is None:
        return [Missing("group", "모르는 지원그룹입니다.", "no such group")]
    if other and move.group == ticket.group:
        return [Missing("group", "지금과 다른 지원그룹을 골라 주십시오.", "choose a group other than the present one")]
    return []


def _missing_codes(ticket: Ticket, move: Move, codes: Codes) -> list[Missing]:
    found: list[Missing] = []
    chosen = (
        ("type_code", "유형", "type", codes.types, move.type_code or ticket.type_code),
        ("cause_code", "원인", "cause", codes.causes, move.cause_code or ticket.cause_code),
        ("resolution_code", "해결", "resolution", codes.resolutions, move.resolution_code or ticket.resolution_code),
    )
    for field, ko, en, entries, code in chosen:
        if code and entries and named(entries, code) is None:
            found.append(Missing(field, f"모르는 {ko} 코드입니다.", f"no such {en} code"))
        elif not code and ticket.kind is Kind.INCIDENT:
            found.append(Missing(field, f"{ko} 코드를 골라 주십시오.", f"choose a {en} code"))
    return found
