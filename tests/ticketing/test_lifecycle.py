"""Every pair of states has one verdict, and every move that needs something asks for it (WF-1)."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from changgu.ticketing.codes import DEFAULT_CODES
from changgu.ticketing.lifecycle import MOVES, REFUSED, Move, missing, steps_from
from changgu.ticketing.number import ticket_number
from changgu.ticketing.priority import LEVEL_NAMES, MATRIX, PRIORITY_NAMES, Level, Priority, priority
from changgu.ticketing.ticket import (
    CALL_ROLE_NAMES,
    CATEGORY,
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

NEW, ASSIGNED, REJECTED = TicketState.NEW, TicketState.ASSIGNED, TicketState.REJECTED
ALLOCATED, RESOLVED, CLOSED = TicketState.ALLOCATED, TicketState.RESOLVED, TicketState.CLOSED

INCIDENT = Ticket(
    ticket_number(100_001), NEW, "VPN", datetime(2026, 11, 20, tzinfo=UTC), "kim", kind=Kind.INCIDENT, grade="2"
)


def lacks(ticket: Ticket, move: Move, *, acted: bool = False, called_back: bool = False) -> set[str]:
    step = MOVES[ticket.state, move.to]
    return {gap.field for gap in missing(ticket, move, step, DEFAULT_CODES, acted=acted, called_back=called_back)}


def test_every_pair_of_states_has_exactly_one_verdict() -> None:
    assert Counter([*MOVES, *REFUSED]) == Counter(product(TicketState, TicketState))


def test_the_states_are_those_of_the_guideline_in_its_words() -> None:
    assert [STATE_NAMES[state][0] for state in TicketState] == ["신규", "배정", "반려", "할당", "해결", "종료"]
    assert CATEGORY.keys() == set(TicketState)
    assert {kind: KIND_NAMES[kind][0] for kind in Kind} == dict(
        zip(Kind, ["단순 문의", "장애", "서비스 요청", "불만"], strict=True)
    )
    assert CHANNEL_NAMES.keys() == set(Channel)
    assert CALL_ROLE_NAMES.keys() == set(CallRole)
    assert [SATISFACTION_NAMES[grade][0] for grade in Satisfaction] == [
        "매우 만족", "만족", "보통", "불만족", "매우 불만족", "무응답"
    ]  # fmt: skip
    assert [grade.score for grade in Satisfaction] == [5, 4, 3, 2, 1, None]


def test_the_moves_are_those_of_the_incident_workflow() -> None:
    assert {state: set(steps_from(state)) for state in TicketState} == {
        NEW: {RESOLVED, ASSIGNED},
        ASSIGNED: {ALLOCATED, REJECTED, ASSIGNED, RESOLVED},
        REJECTED: {ASSIGNED, RESOLVED, NEW},
        ALLOCATED: {RESOLVED, REJECTED, ASSIGNED},
        RESOLVED: {CLOSED, ALLOCATED},
        CLOSED: set(),
    }


@pytest.mark.parametrize(
    ("state", "to", "needed"),
    [
        (NEW, ASSIGNED, {"group"}),
        (NEW, RESOLVED, {"action", "type_code", "cause_code", "resolution_code"}),
        (ASSIGNED, ALLOCATED, {"assignee"}),
        (ASSIGNED, REJECTED, {"reason"}),
        (ASSIGNED, ASSIGNED, {"group", "reason"}),
        (ASSIGNED, RESOLVED, {"action", "type_code", "cause_code", "resolution_code"}),
        (REJECTED, ASSIGNED, {"group"}),
        (REJECTED, NEW, {"reason"}),
        (REJECTED, RESOLVED, {"action", "type_code", "cause_code", "resolution_code"}),
        (ALLOCATED, REJECTED, {"reason"}),
        (ALLOCATED, ASSIGNED, {"group", "reason"}),
        (ALLOCATED, RESOLVED, {"action", "type_code", "cause_code", "resolution_code"}),
        (RESOLVED, CLOSED, {"callback_note", "satisfaction"}),
        (RESOLVED, ALLOCATED, {"assignee", "reason"}),
    ],
)
def test_a_move_that_lacks_something_names_all_of_it(state: TicketState, to: TicketState, needed: set[str]) -> None:
    assert lacks(replace(INCIDENT, state=state), Move(to)) == needed


def test_an_unclassified_ticket_and_an_incident_without_grade_go_nowhere() -> None:
    assert lacks(replace(INCIDENT, kind=None), Move(ASSIGNED, group="pc")) == {"kind"}
    assert lacks(replace(INCIDENT, grade=None), Move(ASSIGNED, group="pc")) == {"grade"}
    assert lacks(replace(INCIDENT, kind=Kind.INQUIRY, grade=None), Move(RESOLVED, action="안내")) == set()


def test_handing_on_is_to_another_group_that_exists() -> None:
    assigned = replace(INCIDENT, state=ASSIGNED, group="pc")
    assert lacks(assigned, Move(ASSIGNED, group="pc", reason="x")) == {"group"}
    assert lacks(assigned, Move(ASSIGNED, group="nobody", reason="x")) == {"group"}
    assert lacks(assigned, Move(ASSIGNED, group="network", reason="x")) == set()
    rejected = replace(assigned, state=REJECTED)
    assert lacks(rejected, Move(ASSIGNED, group="pc")) == {"group"}


def test_what_is_recorded_already_need_not_be_said_again() -> None:
    coded = replace(INCIDENT, type_code="software", cause_code="defect", resolution_code="patch")
    assert lacks(coded, Move(RESOLVED), acted=True) == set()
    unrated = Move(CLOSED, satisfaction=Satisfaction.NO_ANSWER)
    assert lacks(replace(INCIDENT, state=RESOLVED), unrated, called_back=True) == set()
    again = replace(INCIDENT, state=RESOLVED, assignee="이담당")
    assert lacks(again, Move(ALLOCATED, reason="아직 안 됨")) == set()
    assert lacks(coded, Move(RESOLVED, type_code="nonsense"), acted=True) == {"type_code"}


def test_a_ticket_with_a_group_and_no_expected_time_is_flagged() -> None:
    assert replace(INCIDENT, state=ASSIGNED).lacks_expected_time
    assert not replace(INCIDENT, state=ASSIGNED, expected_at=INCIDENT.opened_at).lacks_expected_time
    assert not INCIDENT.lacks_expected_time


def test_priority_is_a_full_matrix_and_never_falls_when_impact_or_urgency_rises() -> None:
    assert MATRIX.keys() == set(product(Level, Level))
    assert {*MATRIX.values()} == set(Priority) == PRIORITY_NAMES.keys()
    assert LEVEL_NAMES.keys() == set(Level)
    levels = list(Level)  # from high to low
    for impact, urgency in product(range(3), range(2)):
        assert MATRIX[levels[impact], levels[urgency]] <= MATRIX[levels[impact], levels[urgency + 1]]
        assert MATRIX[levels[urgency], levels[impact]] <= MATRIX[levels[urgency + 1], levels[impact]]
    assert priority(Level.HIGH, Level.HIGH) is Priority.URGENT
    assert priority(Level.HIGH, None) is None
