"""The ledger's tables: the facts, the floors they speak of, and the marks by which the present is found among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, Text, TextClause, text
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.agent_words import AgentState
from changgu.acd.event_json import cause_from_text, cause_text
from changgu.acd.fact_json import from_text, kind_of, text_of, writable
from changgu.acd.facts import (
    AgentStateChanged,
    CallQueued,
    DesktopStateChanged,
    NewsIgnored,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.identity import AgentId
from changgu.ground.database import Base, UtcDateTime, stored

OUTLIVING = (
    "CallbackAttempted", "CallbackBooked", "CallbackClosed", "DesktopStateChanged", "FloorTakenUp", "PhoneStateChanged",
)  # fmt: skip
"""Facts that are few and stay true for long: looked up by kind (`is_kind`), however long ago they were."""

AWAY = frozenset({AgentState.LOGGED_OUT, AgentState.NOT_READY, AgentState.UNREACHABLE})
"""Agents in these do not serve their queues."""


def is_kind(kind: str) -> TextClause:
    """The condition by which SQLite finds such facts in their index: a bound parameter would not do."""
    assert kind in OUTLIVING, f"{kind} is in no index"
    return text(f"ledger.kind = {kind!r}")


class LedgerRow(Base):
    """One fact. `body` and `because` are JSON, as `fact_json` and `event_json` write it."""

    __tablename__ = "ledger"
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    kind: Mapped[str] = mapped_column(String(40))
    call: Mapped[str | None] = mapped_column(String(150), index=True)
    agent: Mapped[str | None] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    because: Mapped[str | None] = mapped_column(Text)
    """The event of which this is the first fact; NULL for its further facts."""
    __table_args__ = (
        Index("ix_ledger_agent_seq", "agent", "seq"),
        Index(
            "ix_ledger_outliving", "kind", "agent", "seq",
            sqlite_where=text(" OR ".join(f"kind = {kind!r}" for kind in OUTLIVING)),  # sqlite.org/partialindex.html, 3
        ),
    )  # fmt: skip


class FloorRow(Base):
    """A set-up of the floor, by the name that the fact `FloorTakenUp` gives it; `body` as `floor_json` writes it."""

    __tablename__ = "floors"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str] = mapped_column(Text)


class AgentMarkRow(Base):
    """The numbers of the facts by which an agent's present state can be told; 0 where there is none."""

    __tablename__ = "agent_marks"
    agent: Mapped[str] = mapped_column(String(64), primary_key=True)
    settled_seq: Mapped[int] = mapped_column(BigInteger)
    """Nothing before it matters, but for what the others name."""
    phone_seq: Mapped[int] = mapped_column(BigInteger)
    desktop_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    left_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """When they last stopped serving their queues."""
    signed_out_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")


INSERT_FACT = "INSERT INTO ledger (seq, at, kind, call, agent, body, because) VALUES (?, ?, ?, ?, ?, ?, ?)"


def ledger_row(entry: Recorded) -> tuple[int | str | None, ...]:
    """The columns of a fact, as `INSERT_FACT` takes them."""
    fact = entry.fact
    return (
        entry.seq,
        stored(entry.at),
        kind_of(fact),
        _name(getattr(fact, "call", None)),
        None if type(fact) is CallQueued else _name(getattr(fact, "agent", None)),
        text_of(fact),
        None if entry.because is None else cause_text(entry.because),
    )


def entry_of(row: Any) -> Recorded:
    """The fact in a row of the ledger; raises `UnreadableMessage`."""
    because = None if row.because is None else cause_from_text(row.because)
    return Recorded(row.seq, row.at.timestamp(), from_text(row.kind, row.body), because)


def _name(name: str | None) -> str | None:
    return name if name is None or name.isascii() else writable(name)


@dataclass(frozen=True, slots=True)
class Mark:
    """What `AgentMarkRow` says."""

    settled: int = 0
    phone: int = 0
    desktop: int = 0
    left: int = 0
    signed_out: int = 0

    def after(self, entry: Recorded) -> "Mark":
        """The mark after one more fact about the agent."""
        match entry.fact:
            case PhoneStateChanged():
                return replace(self, phone=entry.seq)
            case DesktopStateChanged():
                return replace(self, desktop=entry.seq)
            case AgentStateChanged(before=before, after=after) as change:
                return Mark(
                    entry.seq if settles(change) else self.settled,
                    self.phone,
                    self.desktop,
                    entry.seq if after in AWAY and before not in AWAY else self.left,
                    entry.seq if after is AgentState.LOGGED_OUT else self.signed_out,
                )
        return self

    def row(self, agent: AgentId) -> tuple[str | int, ...]:
        """The columns of the agent's row, as `KEEP_MARK` takes them."""
        return agent, self.settled, self.phone, self.desktop, self.left, self.signed_out


SELECT_MARKS = "SELECT agent, settled_seq, phone_seq, desktop_seq, left_seq, signed_out_seq FROM agent_marks"

KEEP_MARK = (
    "INSERT INTO agent_marks (agent, settled_seq, phone_seq, desktop_seq, left_seq, signed_out_seq)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (agent) DO UPDATE SET settled_seq = excluded.settled_seq,"
    " phone_seq = excluded.phone_seq, desktop_seq = excluded.desktop_seq, left_seq = excluded.left_seq,"
    " signed_out_seq = excluded.signed_out_seq"
)
"""A new mark, or in place of the one that is there."""


def settles(change: AgentStateChanged) -> bool:
    """Whether nothing before this matters any more: state, reason, call, wishes and totals are given by this one fact.

    Misses are 0 then; after a wrap-up, because that call was spoken.
    """
    if change.after is AgentState.LOGGED_OUT or change.before is AgentState.WRAP_UP:
        return True
    return change.after is AgentState.READY and change.before in (AgentState.NOT_READY, AgentState.UNREACHABLE)


def moved_marks(known: Mapping[AgentId, Mark], fresh: Sequence[Recorded]) -> dict[AgentId, Mark]:
    """The marks that these facts change."""
    moved: dict[AgentId, Mark] = {}
    for entry in fresh:
        agent: AgentId | None = getattr(entry.fact, "agent", None)
        if agent is None or isinstance(entry.fact, NewsIgnored | CallQueued):
            continue
        mark = moved.get(agent) or known.get(agent) or Mark(settled=entry.seq - 1)
        after = mark.after(entry)
        if after != mark or agent not in known:
            moved[agent] = after
    return moved
