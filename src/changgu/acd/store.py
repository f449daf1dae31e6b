"""Where the floor's set-up is kept, and where its calls are looked up.

Tables: `queues`, `agents`, `agent_secrets`. What happened is in `acd.ledger`.
"""

import base64
import binascii
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import JSON, ColumnElement, Float, String, delete, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from changgu.acd.call_record import CallRecord
from changgu.acd.call_rows.store import CallRow, record_of
from changgu.acd.fact_json import from_text
from changgu.acd.facts import CallQueued, Outcome
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.ledger.rows.store import LedgerRow
from changgu.acd.ledger.store import Ledger as Ledger
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.acd.skills import levels
from changgu.ground.database import Base, Database
from changgu.ground.trouble import BadInput

DEFAULT_QUEUES = (
    Queue(QueueName("helpdesk"), "대표 상담", "1001"),
    Queue(QueueName("network"), "네트워크", "1002"),
    Queue(QueueName("pc"), "PC·OA기기", "1003"),
    Queue(QueueName("account"), "계정·ID", "1004"),
    Queue(QueueName("application"), "업무시스템", "1005"),
)
"""What a new data folder begins with, so that a first call works before anything is imported."""


class QueueRow(Base):
    """A queue as set up."""

    __tablename__ = "queues"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    number: Mapped[str | None] = mapped_column(String(32), unique=True)
    strategy: Mapped[str] = mapped_column(String(64))
    ring_seconds: Mapped[float] = mapped_column(Float)
    wrap_up_seconds: Mapped[float] = mapped_column(Float)
    misses_before_not_ready: Mapped[int]
    ticket: Mapped[str] = mapped_column(String(16))
    record: Mapped[bool]
    service_level_seconds: Mapped[float] = mapped_column(Float)
    short_abandon_seconds: Mapped[float] = mapped_column(Float)


class AgentRow(Base):
    """An agent as set up; the account of the same login is in another room."""

    __tablename__ = "agents"
    login: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    queues: Mapped[list[str]] = mapped_column(JSON)
    skills: Mapped[list[str]] = mapped_column(JSON)
    phone: Mapped[str] = mapped_column(String(200))


class AgentSecretRow(Base):
    """The password with which an agent's phone registers; generated, never chosen."""

    __tablename__ = "agent_secrets"
    login: Mapped[str] = mapped_column(String(64), primary_key=True)
    sip_password: Mapped[str] = mapped_column(String(64))


class FloorStore:
    """Queues and agents, and the passwords of agents' phones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load_floor(self) -> Floor:
        """Everything as set up now, in order of name."""
        async with self._database.transaction() as session:
            queues = (await session.execute(select(QueueRow).order_by(QueueRow.name))).scalars()
            agents = (await session.execute(select(AgentRow).order_by(AgentRow.login))).scalars()
            return Floor(tuple(map(_queue, queues)), tuple(map(_agent, agents)))

    async def save(self, queues: Iterable[Queue] = (), agents: Iterable[Agent] = ()) -> Floor:
        """Add these, or put them in place of those of the same name, all or none; the floor afterwards.

        Each new agent gets a phone password at once.
        """
        async with self._database.transaction() as session:
            changed = list(queues)
            for queue in changed:
                # A number may pass from one queue to another within one list; the column is unique at every step.
                row = await session.get(QueueRow, queue.name)
                if row is not None:
                    row.number = None
            await session.flush()
            for queue in changed:
                await session.merge(_queue_row(queue))
            for agent in agents:
                await session.merge(_agent_row(agent))
                if await session.get(AgentSecretRow, agent.login) is None:
                    session.add(AgentSecretRow(login=agent.login, sip_password=secrets.token_urlsafe(24)))
        return await self.load_floor()

    async def seed(self, queues: Iterable[Queue] = DEFAULT_QUEUES) -> bool:
        """Give an empty floor its first queues; False when there are queues already."""
        async with self._database.transaction() as session:
            if (await session.execute(select(QueueRow.name).limit(1))).scalar() is not None:
                return False
            session.add_all([_queue_row(queue) for queue in queues])
            return True

    async def remove_agent(self, login: AgentId) -> None:
        """Take an agent and their phone's password off the floor; what they did stays in the ledger."""
        async with self._database.transaction() as session:
            await session.execute(delete(AgentRow).where(AgentRow.login == login))
            await session.execute(delete(AgentSecretRow).where(AgentSecretRow.login == login))

    async def sip_password(self, login: AgentId) -> str:
        """The password with which the agent's phone registers; made on first need."""
        async with self._database.transaction() as session:
            row = await session.get(AgentSecretRow, login)
            if row is None:
                row = AgentSecretRow(login=login, sip_password=secrets.token_urlsafe(24))
                session.add(row)
            return row.sip_password

    async def sip_passwords(self) -> dict[AgentId, str]:
        """All of them, for the PBX's configuration."""
        async with self._database.transaction() as session:
            rows = (await session.execute(select(AgentSecretRow))).scalars()
            return {AgentId(row.login): row.sip_password for row in rows}


@dataclass(frozen=True, slots=True)
class Sight:
    """What an agent may see of calls: their own, those of their queues, and those opened to them now (MOD-03)."""

    login: AgentId
    queues: frozenset[QueueName]
    opened: frozenset[CallId] = frozenset()

    def shows(self, call: CallRecord) -> bool:
        """Whether this call is among them."""
        return call.agent == self.login or call.queue in self.queues or call.id in self.opened


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are wanted; None means any. `until` is exclusive."""

    queue: str | None = None
    agent: str | None = None
    outcome: Outcome | None = None
    caller: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    open: bool | None = None
    visible_to: Sight | None = None
    """None: all are shown."""


@dataclass(frozen=True, slots=True)
class CallPage:
    """Some calls, newest first, and where the next ones begin (None at the end)."""

    records: tuple[CallRecord, ...]
    next: str | None


class CallStore:
    """Looks up calls in the fold that the ledger keeps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, call: CallId) -> CallRecord | None:
        """One call, or None."""
        async with self._database.transaction() as session:
            row = await session.get(CallRow, call)
            return None if row is None else record_of(row)

    async def page(self, wanted: CallFilter, cursor: str | None = None, limit: int = 50) -> CallPage:
        """Up to `limit` calls, newest first, from the cursor of the page before; raises `BadInput` for a bad cursor."""
        query = select(CallRow).where(*_conditions(wanted)).order_by(CallRow.seq.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(CallRow.seq < _seq(cursor))
        async with self._database.transaction() as session:
            rows = list((await session.execute(query)).scalars())
        following = _cursor(rows[limit - 1].seq) if len(rows) > limit else None
        return CallPage(tuple(record_of(row) for row in rows[:limit]), following)

    async def of_callers(self, numbers: Collection[str], limit: int = 20) -> list[CallRecord]:
        """The latest calls from any of these numbers, exactly as the network presented them, newest first."""
        query = select(CallRow).where(CallRow.caller.in_(numbers)).order_by(CallRow.seq.desc()).limit(limit)
        async with self._database.transaction() as session:
            return [record_of(row) for row in (await session.execute(query)).scalars()]

    async def skills_asked(self, calls: Collection[CallId]) -> dict[CallId, frozenset[str]]:
        """The names of the skills that each of these calls asked for when it came to its first queue (WL-06)."""
        found: dict[CallId, frozenset[str]] = {}
        wanted = list(calls)
        async with self._database.transaction() as session:
            for start in range(0, len(wanted), 500):
                rows = await session.execute(
                    select(LedgerRow.body)
                    .where(LedgerRow.call.in_(wanted[start : start + 500]), LedgerRow.kind == "CallQueued")
                    .order_by(LedgerRow.seq)
                )
                for (body,) in rows:
                    fact = from_text("CallQueued", body)
                    if isinstance(fact, CallQueued):
                        found.setdefault(fact.call, frozenset(levels(fact.skills)))
        return found


def _conditions(wanted: CallFilter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.queue is not None:
        conditions.append(CallRow.queue == wanted.queue)
    if wanted.agent is not None:
        conditions.append(CallRow.agent == wanted.agent)
    if wanted.outcome is not None:
        conditions.append(CallRow.outcome == wanted.outcome.value)
    if wanted.caller is not None:
        conditions.append(_caller_is(wanted.caller))
    if wanted.since is not None:
        conditions.append(CallRow.arrived_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(CallRow.arrived_at < wanted.until)
    if wanted.open is not None:
        conditions.append(CallRow.ended_at.is_(None) if wanted.open else CallRow.ended_at.is_not(None))
    if wanted.visible_to is not None:
        sight = wanted.visible_to
        conditions.append(
            or_(CallRow.agent == sight.login, CallRow.queue.in_(sight.queues), CallRow.id.in_(sight.opened))
        )
    return conditions


def _caller_is(text: str) -> ColumnElement[bool]:
    """Numbers are compared by their significant digits: 010-1234-5678, +82 10 1234 5678 and 01012345678 are one."""
    digits = "".join(filter(str.isdigit, text))
    if text.strip().startswith("+82"):
        digits = digits[2:]
    significant = digits.lstrip("0")
    if not significant:
        return CallRow.caller == text
    return or_(CallRow.caller == text, CallRow.caller.endswith(significant, autoescape=True))


def _cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(f"c{seq}".encode()).decode().rstrip("=")


def _seq(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
        if not text.startswith("c"):
            raise ValueError(cursor)
        return int(text[1:])
    except (binascii.Error, ValueError):
        raise BadInput("쪽 표시가 올바르지 않습니다.", "No such cursor was given out.", field="cursor") from None


def _queue(row: QueueRow) -> Queue:
    return Queue(
        name=QueueName(row.name),
        title=row.title,
        number=row.number,
        strategy=row.strategy,
        ring_limit=timedelta(seconds=row.ring_seconds),
        wrap_up=timedelta(seconds=row.wrap_up_seconds),
        misses_before_not_ready=row.misses_before_not_ready,
        ticket=TicketPolicy(row.ticket),
        record=row.record,
        service_level=timedelta(seconds=row.service_level_seconds),
        short_abandon=timedelta(seconds=row.short_abandon_seconds),
    )


def _queue_row(queue: Queue) -> QueueRow:
    return QueueRow(
        name=queue.name,
        title=queue.title,
        number=queue.number,
        strategy=queue.strategy,
        ring_seconds=queue.ring_limit.total_seconds(),
        wrap_up_seconds=queue.wrap_up.total_seconds(),
        misses_before_not_ready=queue.misses_before_not_ready,
        ticket=queue.ticket.value,
        record=queue.record,
        service_level_seconds=queue.service_level.total_seconds(),
        short_abandon_seconds=queue.short_abandon.total_seconds(),
    )


def _agent(row: AgentRow) -> Agent:
    return Agent(
        login=AgentId(row.login),
        name=row.name,
        queues=frozenset(QueueName(name) for name in row.queues),
        skills=frozenset(row.skills),
        phone=row.phone,
    )


def _agent_row(agent: Agent) -> AgentRow:
    return AgentRow(
        login=agent.login,
        name=agent.name,
        queues=sorted(agent.queues),
        skills=sorted(agent.skills),
        phone=agent.phone,
    )
