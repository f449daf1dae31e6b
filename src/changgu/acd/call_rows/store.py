"""One call as a row of the table `calls`: written with the facts it folds, read by whoever lists or reports calls."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Row, String, bindparam, insert, update
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.call_record import CallRecord, Departed, MenuStep
from changgu.acd.fact_json import writable
from changgu.acd.facts import Departure, Direction, Ender, Outcome
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, QueueName
from changgu.ground.database import Base, UtcDateTime, moment


class CallRow(Base):
    """One call: `call_record.CallRecord` with its figures, so that reports need no arithmetic."""

    __tablename__ = "calls"
    id: Mapped[str] = mapped_column(String(150), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    """Number of the call's first fact: the order of arrival."""
    direction: Mapped[str] = mapped_column(String(16))
    caller: Mapped[str | None] = mapped_column(String(200), index=True)
    dialled: Mapped[str] = mapped_column(String(200))
    queue: Mapped[str | None] = mapped_column(String(64), index=True)
    agent: Mapped[str | None] = mapped_column(String(64), index=True)
    outcome: Mapped[str | None] = mapped_column(String(32), index=True)
    ended_by: Mapped[str | None] = mapped_column(String(16))
    arrived_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    wait_seconds: Mapped[float | None] = mapped_column(Float)
    time_to_first_answer_seconds: Mapped[float | None] = mapped_column(Float)
    talk_seconds: Mapped[float | None] = mapped_column(Float)
    wrap_up_seconds: Mapped[float | None] = mapped_column(Float)
    hold_seconds: Mapped[float] = mapped_column(Float)
    offers: Mapped[int]
    menu_path: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    first_queue: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(64), server_default="")
    callback: Mapped[str | None] = mapped_column(String(150), index=True)
    departures: Mapped[list[dict[str, Any]]] = mapped_column(JSON, server_default="[]")
    grounds: Mapped[list[str]] = mapped_column(JSON, server_default="[]")
    placed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reached_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    promised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    promised_seconds: Mapped[float | None] = mapped_column(Float)
    promise_kept: Mapped[bool | None]
    unfinished: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the fold must remember between two facts: a hold or wrap-ups going on."""


# Statements on the table itself: the ORM's own bulk insert sends each row that has a NULL by itself.
_CALLS = CallRow.__table__
INSERT_CALL = insert(_CALLS)  # type: ignore[arg-type]
UPDATE_CALL = (
    update(_CALLS)  # type: ignore[arg-type]
    .where(_CALLS.c.id == bindparam("this_id"))
    .values({column.name: bindparam(column.name) for column in _CALLS.c if column.name != "id"})
)
"""Takes rows of `call_row` with `id` under the name `this_id`."""


def call_row(seq: int, record: CallRecord) -> dict[str, Any]:
    """The columns of a call whose first fact is `seq`."""
    return {
        "id": record.id,
        "seq": seq,
        "direction": record.direction.value,
        "caller": record.caller and writable(record.caller)[:200],
        "dialled": writable(record.dialled)[:200],
        "queue": record.queue,
        "agent": record.agent,
        "outcome": record.outcome and record.outcome.value,
        "ended_by": record.ended_by and record.ended_by.value,
        "arrived_at": moment(record.arrived_at),
        "queued_at": _moment(record.queued_at),
        "answered_at": _moment(record.answered_at),
        "ended_at": _moment(record.ended_at),
        "wait_seconds": record.wait_seconds,
        "time_to_first_answer_seconds": record.time_to_first_answer_seconds,
        "talk_seconds": record.talk_seconds,
        "wrap_up_seconds": record.wrap_up_seconds,
        "hold_seconds": record.hold_seconds,
        "offers": record.offers,
        "menu_path": [{"node": step.node, "key": step.key} for step in record.menu_path],
        "first_queue": record.first_queue,
        "reason": record.reason[:64],
        "callback": record.callback,
        "departures": [
            {"queue": one.queue, "why": one.why.value, "to": one.to, "at": one.at, "key": one.key}
            for one in record.departures
        ],
        "grounds": sorted(record.grounds),
        "placed_at": _moment(record.placed_at),
        "left_at": _moment(record.left_at),
        "reached_at": _moment(record.reached_at),
        "promised_at": _moment(record.promised_at),
        "promised_seconds": record.promised_seconds,
        "promise_kept": record.promise_kept,
        "unfinished": {
            "held_since": record.held_since,
            "wrapped_up_seconds": record.wrapped_up_seconds,
            "wrapping_up": [list(pair) for pair in record.wrapping_up],
        },
    }


def record_of(row: CallRow | Row[Any]) -> CallRecord:
    """The call that a row of `calls` holds."""
    return CallRecord(
        id=CallId(row.id),
        direction=Direction(row.direction),
        caller=row.caller,
        dialled=row.dialled,
        arrived_at=row.arrived_at.timestamp(),
        queue=None if row.queue is None else QueueName(row.queue),
        agent=None if row.agent is None else AgentId(row.agent),
        outcome=None if row.outcome is None else Outcome(row.outcome),
        ended_by=None if row.ended_by is None else Ender(row.ended_by),
        first_queue=None if row.first_queue is None else QueueName(row.first_queue),
        reason=row.reason,
        callback=None if row.callback is None else CallbackId(row.callback),
        departures=tuple(
            Departed(QueueName(one["queue"]), Departure(one["why"]), one["to"], one["at"], one["key"])
            for one in row.departures
        ),
        grounds=frozenset(row.grounds),
        placed_at=_instant(row.placed_at),
        left_at=_instant(row.left_at),
        reached_at=_instant(row.reached_at),
        promised_at=_instant(row.promised_at),
        promised_seconds=row.promised_seconds,
        queued_at=_instant(row.queued_at),
        answered_at=_instant(row.answered_at),
        ended_at=_instant(row.ended_at),
        offers=row.offers,
        menu_path=tuple(MenuStep(step["node"], step["key"]) for step in row.menu_path),
        hold_seconds=row.hold_seconds,
        held_since=row.unfinished["held_since"],
        wrapped_up_seconds=row.unfinished["wrapped_up_seconds"],
        wrapping_up=tuple((AgentId(agent), since) for agent, since in row.unfinished["wrapping_up"]),
    )


def _moment(instant: Instant | None) -> datetime | None:
    return None if instant is None else moment(instant)


def _instant(at: datetime | None) -> Instant | None:
    return None if at is None else at.timestamp()
