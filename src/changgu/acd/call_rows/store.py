"""One call as a row of the table `calls`: written with the facts it folds, read by whoever lists or reports calls."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, Float, String
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.call_record import CallRecord, Departed, MenuStep
from changgu.acd.fact_json import writable
from changgu.acd.facts import Departure, Direction, Ender, Outcome
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, QueueName
from changgu.ground.database import Base, UtcDateTime, stored

Value = str | int | float | None
"""What a column of SQLite holds."""


_WRITER = msgspec.json.Encoder()


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


COLUMNS = tuple(column.name for column in CallRow.__table__.c)
"""In the order of `call_row`."""

INSERT_CALL = f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


def call_row(seq: int, record: CallRecord) -> tuple[Value, ...]:
    """The columns of a call whose first fact is `seq`, as SQLite keeps them."""
    return (
        record.id,
        seq,
        record.direction.value,
        record.caller and writable(record.caller)[:200],
        writable(record.dialled)[:200],
        record.queue,
        record.agent,
        record.outcome and record.outcome.value,
        record.ended_by and record.ended_by.value,
        stored(record.arrived_at),
        _stored(record.queued_at),
        _stored(record.answered_at),
        _stored(record.ended_at),
        record.wait_seconds,
        record.time_to_first_answer_seconds,
        record.talk_seconds,
        record.wrap_up_seconds,
        record.hold_seconds,
        record.offers,
        _json([{"node": step.node, "key": step.key} for step in record.menu_path]),
        record.first_queue,
        record.reason[:64],
        record.callback,
        _json([
            {"queue": one.queue, "why": one.why.value, "to": one.to, "at": one.at, "key": one.key}
            for one in record.departures
        ]),
        _json(sorted(record.grounds)),
        _stored(record.placed_at),
        _stored(record.left_at),
        _stored(record.reached_at),
        _stored(record.promised_at),
        record.promised_seconds,
        record.promise_kept,
        _json({
            "held_since": record.held_since,
            "wrapped_up_seconds": record.wrapped_up_seconds,
            "wrapping_up": record.wrapping_up,
        }),
    )  # fmt: skip


@lru_cache(maxsize=500)
def update_call(changed: tuple[int, ...]) -> str:
    """Takes these columns of `call_row`, then the call's id.

    No others: SQLite rewrites the index of every column that is set, whether or not it has changed.
    """
    return f"UPDATE calls SET {', '.join(f'{COLUMNS[place]} = ?' for place in changed)} WHERE id = ?"  # noqa: S608


SELECT_CALLS = f"SELECT {', '.join(COLUMNS)} FROM calls"  # noqa: S608
"""To be read by `read_call`."""

_SQLITE = sqlite_dialect()
_READ_COLUMNS = tuple(
    column.type.dialect_impl(_SQLITE).result_processor(_SQLITE, None) for column in CallRow.__table__.c
)


def read_call(values: Sequence[Any]) -> tuple[int, CallRecord]:
    """The number of the first fact of a call, and the call, from what `SELECT_CALLS` finds."""
    read = (
        value if reader is None else reader(value) for reader, value in zip(_READ_COLUMNS, values, strict=True)
    )
    row = SimpleNamespace(**dict(zip(COLUMNS, read, strict=True)))
    return row.seq, record_of(row)


def record_of(row: CallRow | SimpleNamespace) -> CallRecord:
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


def _stored(instant: Instant | None) -> str | None:
    return None if instant is None else stored(instant)


def _instant(at: datetime | None) -> Instant | None:
    return None if at is None else at.timestamp()


def _json(value: object) -> str:
    try:
        return _WRITER.encode(value).decode()
    except UnicodeEncodeError:  # half a character, which only escapes can write
        return json.dumps(value)
