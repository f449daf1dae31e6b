"""The ledger's row of a call, held against the PBX's own account of it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from changgu.acd.call_record import CallRecord
from changgu.acd.facts import Direction, Ender, Outcome
from changgu.acd.identity import Instant
from changgu.telephony.cel import ANSWER, BRIDGE_ENTER, BRIDGE_EXIT, CHAN_END, CHAN_START, HANGUP, CelEvent

TOLERANCE = 1.0
"""Seconds. The PBX tells whole seconds, and news takes milliseconds from there to us."""

FAREWELL_LIMIT = 20.0
"""Seconds for which a caller may stay on the line after the desk has ended their call, to hear why."""

SURVEY_LIMIT = 120.0
"""Seconds for which a caller may stay on the line after their agent has hung up, where they are asked the survey."""

HOLDING = "holding_bridge"
"""In such a bridge callers wait; nobody hears anybody."""


class Milestone(StrEnum):
    """What both tell of a call."""

    ARRIVED = "arrived"
    """The caller's channel began."""
    ANSWERED = "answered"
    """Caller and agent were first in one bridge."""
    ENDED = "ended"
    """The caller's channel was hung up."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A milestone on which the two do not agree; None for the one that does not know of it."""

    milestone: Milestone
    ledger: Instant | None
    pbx: Instant | None

    @property
    def seconds(self) -> float | None:
        """How much later the PBX says it was; None when only one of them knows of it."""
        return None if self.ledger is None or self.pbx is None else round(self.pbx - self.ledger, 3)


@dataclass(frozen=True, slots=True)
class _Conversation:
    began: Instant
    ended: Instant | None


def cel_check(events: Iterable[CelEvent], call_record: CallRecord, *, asks: bool = False) -> list[Difference]:
    """Where the ledger's row and the PBX's account differ by more than `TOLERANCE`; empty when they agree.

    `asks`: callers whose agent hangs up are asked the survey.
    """
    told = sorted(events, key=lambda event: event.at)
    callers = [event for event in told if event.unique_id == call_record.id]
    began, ended = _first(callers, CHAN_START, ANSWER), _first(callers, HANGUP, CHAN_END)
    conversation = _first_conversation(told, call_record.id)
    if call_record.answered_at is None and conversation is not None and _was_a_moment(conversation):
        conversation = None
    later = FAREWELL_LIMIT if call_record.ended_by == Ender.DESK else TOLERANCE
    if asks and call_record.ended_by == Ender.AGENT:
        later = SURVEY_LIMIT
    if call_record.outcome is Outcome.REDIRECTED:  # our part was over; they speak with somebody outside
        conversation, later = None, math.inf
    if call_record.direction is Direction.OUTBOUND:
        return _check_of_a_call_back(call_record, conversation, ended, later)
    found = [
        _compared(Milestone.ARRIVED, call_record.arrived_at, began),
        _compared(Milestone.ANSWERED, call_record.answered_at, conversation.began if conversation else None),
        _compared(Milestone.ENDED, call_record.ended_at, ended, later),
    ]
    return [difference for difference in found if difference is not None]


def _check_of_a_call_back(
    call_record: CallRecord, conversation: _Conversation | None, ended: Instant | None, later: float
) -> list[Difference]:
    """An attempt exists before anybody is dialled, and perhaps nobody ever is: what both know is the conversation."""
    answered = _compared(Milestone.ANSWERED, call_record.answered_at, conversation.began if conversation else None)
    over = None if ended is None else _compared(Milestone.ENDED, call_record.ended_at, ended, later)
    return [difference for difference in (answered, over) if difference is not None]


def _compared(
    milestone: Milestone, ledger: Instant | None, pbx: Instant | None, later: float = TOLERANCE
) -> Difference | None:
    if ledger is None or pbx is None:
        return None if ledger is pbx else Difference(milestone, ledger, pbx)
    return None if -TOLERANCE <= pbx - ledger <= later else Difference(milestone, ledger, pbx)


def _first(events: Sequence[CelEvent], kind: str, otherwise: str) -> Instant | None:
    """When the first event of a kind happened, or of the other kind when that one was not heard."""
    for wanted in (kind, otherwise):
        for event in events:
            if event.kind == wanted:
                return event.at.timestamp()
    return None


def _first_conversation(events: Sequence[CelEvent], caller: str) -> _Conversation | None:
    """From when to when the caller was first in one bridge with somebody."""
    inside: dict[str, set[str]] = {}
    began: tuple[str, datetime] | None = None
    for event in events:
        if event.bridge is None or event.details.get("bridge_technology") == HOLDING:
            continue
        people = inside.setdefault(event.bridge, set())
        if event.kind == BRIDGE_ENTER:
            people.add(event.unique_id)
        elif event.kind == BRIDGE_EXIT:
            people.discard(event.unique_id)
        together = caller in people and len(people) > 1
        if began is None and together:
            began = (event.bridge, event.at)
        elif began is not None and event.bridge == began[0] and not together:
            return _Conversation(began[1].timestamp(), event.at.timestamp())
    return None if began is None else _Conversation(began[1].timestamp(), None)


def _was_a_moment(conversation: _Conversation) -> bool:
    """Over before anybody could say a word: the caller hung up while being connected, which is no answer."""
    return conversation.ended is not None and conversation.ended - conversation.began < TOLERANCE
