"""The floor as it is, or was at any moment, found in the ledger: for a restart, for explanations and for replays."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.agent_words import AgentState
from changgu.acd.call_rows.store import CallRow
from changgu.acd.event_json import FloorOpened
from changgu.acd.facts import (
    AgentStateChanged,
    CallbackBooked,
    CallbackClosed,
    CallOffered,
    DesktopStateChanged,
    FloorTakenUp,
    Outcome,
    Recorded,
)
from changgu.acd.floor_json import digest_of, floor_from_json, floor_to_json
from changgu.acd.identity import CallId, Instant
from changgu.acd.ledger.rows.store import (
    AWAY,
    OUTLIVING,
    AgentMarkRow,
    FloorRow,
    LedgerRow,
    Mark,
    entry_of,
    settles,
)
from changgu.acd.queues import Floor
from changgu.ground.database import Database, moment

T = TypeVar("T")

RECALLED = 6000
"""Facts read in full when the program begins: some hundred calls, by which the floor has learnt what to promise."""

ABANDONED_WITHIN = timedelta(hours=24)
"""Callers who gave up so recently are known as repeat callers, if the floor's rules look back so far."""

OFFERS_WITHIN = 20_000
"""Facts among which the last offer of each queue is looked for."""

ABANDONED = (Outcome.ABANDONED_IN_QUEUE.value, Outcome.ABANDONED_RINGING.value)

AGENT_PAGE = 32

_Facts: TypeAlias = "Select[int, datetime, str, str, str | None]"

_COLUMNS: _Facts = select(LedgerRow.seq, LedgerRow.at, LedgerRow.kind, LedgerRow.body, LedgerRow.because)


@dataclass(frozen=True, slots=True)
class Moment:
    """The floor just before one fact."""

    seq: int
    """The number of that fact."""
    floor: Floor | None
    """The set-up in force; None when it was not kept yet in those days."""
    facts: list[Recorded]
    """What `Engine.restore` and `FloorState.apply` need to be there."""
    next_offer: int


class Past:
    """Reads the ledger backwards."""

    def __init__(self, database: Database, recalled: int = RECALLED) -> None:
        self._database = database
        self._recalled = recalled

    # -- set-ups

    async def keep_floor(self, floor: Floor) -> str:
        """Write a set-up down before it is taken up, once; its digest. Raises what the database raises."""
        body = floor_to_json(floor)
        digest = digest_of(body)
        async with self._database.transaction() as session:
            await session.execute(insert(FloorRow).values(digest=digest, body=body).on_conflict_do_nothing())
        return digest

    async def floor(self, digest: str) -> Floor | None:
        """The set-up of this name; raises `UnreadableFloor`."""
        async with self._database.transaction() as session:
            row = await session.get(FloorRow, digest)
            return None if row is None else floor_from_json(row.body)

    async def floor_before(self, seq: int) -> Floor | None:
        """The set-up in force just before a fact."""
        async with self._database.transaction() as session:
            taken_up = (await _read(session, _of_kind("FloorTakenUp", seq).limit(1)))[:1]
        digest = next((entry.fact.digest for entry in taken_up if isinstance(entry.fact, FloorTakenUp)), None)
        return None if digest is None else await self.floor(digest)

    # -- facts

    async def facts(self, first: int, last: int) -> list[Recorded]:
        """The facts with these numbers, both included."""
        async with self._database.transaction() as session:
            return await _read(session, _COLUMNS.where(LedgerRow.seq.between(first, last)).order_by(LedgerRow.seq))

    async def between(self, since: Instant, until: Instant) -> tuple[int, int] | None:
        """The numbers of the first and the last fact from a time up to, not including, another; None for no fact.

        The first is the first of its event.
        """
        span = select(func.min(LedgerRow.seq), func.max(LedgerRow.seq)).where(
            LedgerRow.at >= moment(since), LedgerRow.at < moment(until)
        )
        async with self._database.transaction() as session:
            first, last = (await session.execute(span)).one()
        return None if first is None else (first, last)

    async def first_with_event(self) -> int | None:
        """The number of the first fact whose event was kept; before it nothing can be replayed."""
        async with self._database.transaction() as session:
            first = select(func.min(LedgerRow.seq)).where(LedgerRow.because.is_not(None))
            return (await session.execute(first)).scalar()

    async def offers_of(self, call: CallId) -> list[Recorded]:
        """Every offer of a call, in order."""
        wanted = _COLUMNS.where(LedgerRow.call == call, LedgerRow.kind == "CallOffered").order_by(LedgerRow.seq)
        async with self._database.transaction() as session:
            return await _read(session, wanted)

    # -- moments

    async def before(self, seq: int) -> Moment:
        """The floor just before a fact, which may be the next that will be written.

        Of the last `recalled` facts all are read: they also hold what the floor has learnt about its callers and its
        own work, and who gave up. What is older is read only where it still matters: calls and promises that are
        open, each agent since they last *settled* (`rows.store.settles`), their phones and desktops, the last offer
        of each queue. What comes out depends on the facts before this one alone, so a replay begins as the program
        began then. That a set-up was taken up is left out: whoever begins takes it up anew.
        """
        async with self._database.transaction() as session:
            first = max(1, seq - self._recalled)
            old = await self._still_mattered(session, first - 1)
            young = _COLUMNS.where(LedgerRow.seq >= first, LedgerRow.seq < seq).order_by(LedgerRow.seq)
            facts = [entry for entry in await _read(session, young) if not isinstance(entry.fact, FloorTakenUp)]
            offers = [entry.fact.offer for entry in facts if isinstance(entry.fact, CallOffered)]
            if not offers:
                offered = _COLUMNS.where(LedgerRow.kind == "CallOffered", LedgerRow.seq < seq)
                newest = await _read(session, offered.order_by(LedgerRow.seq.desc()).limit(1))
                offers = [entry.fact.offer for entry in newest if isinstance(entry.fact, CallOffered)]
        return Moment(seq, await self.floor_before(seq), [*old, *facts], max(offers, default=0) + 1)

    async def now(self) -> list[Recorded]:
        """The facts from which `Engine.restore` rebuilds the present state, in order: bounded, however long the ledger.

        Rebuilt from them, agents, calls, places in the queues and deadlines equal those that were lived; only
        `idle_since` of agents who are not idle, which means nothing, may differ.
        """
        async with self._database.transaction() as session:
            last = (await session.execute(select(func.max(LedgerRow.seq)))).scalar() or 0
        return (await self.before(last + 1)).facts

    async def opened_before(self, seq: int) -> int | None:
        """The fact with which the program began that was running when this one was written; None when not kept."""
        async with self._database.transaction() as session:
            taken_up = await _read(session, _of_kind("FloorTakenUp", seq + 1))
        return next((entry.seq for entry in taken_up if isinstance(entry.because, FloorOpened)), None)

    async def _still_mattered(self, session: AsyncSession, last: int) -> list[Recorded]:
        """What matters after this fact of all up to it, ended calls left out but for those who gave up lately."""
        if last < 1:
            return []
        at = (await session.execute(select(LedgerRow.at).where(LedgerRow.seq == last))).scalar_one()
        open_then = select(CallRow.id).where(
            CallRow.seq <= last, or_(CallRow.ended_at.is_(None), CallRow.ended_at >= at)
        )
        calls = set((await session.execute(open_then)).scalars())
        found: dict[int, Recorded] = {}
        for row in (await session.execute(select(AgentMarkRow))).scalars().all():
            for entry in await _of_agent(session, row.agent, Mark.of(row), last):
                found[entry.seq] = entry
                call = getattr(entry.fact, "call", None)
                if call is not None:
                    calls.add(call)
        found |= {entry.seq: entry for entry in await _last_offers(session, last)}
        found |= {entry.seq: entry for entry in await self._promises(session, last)}
        found |= {entry.seq: entry for entry in await _who_gave_up(session, at) if entry.seq <= last}
        found |= {entry.seq: entry for entry in await _of_calls(session, calls, last)}
        return [found[seq] for seq in sorted(found)]

    async def _promises(self, session: AsyncSession, last: int) -> list[Recorded]:
        """Promises to call back that were open after a fact, with the attempts to keep them."""
        promises = [
            entry
            for kind in ("CallbackBooked", "CallbackAttempted", "CallbackClosed")
            for entry in await _read(session, _of_kind(kind, last + 1))
        ]
        closed = {entry.fact.callback for entry in promises if isinstance(entry.fact, CallbackClosed)}
        open_then = [entry for entry in promises if getattr(entry.fact, "callback", None) not in closed]
        booked = [entry.fact.callback for entry in open_then if isinstance(entry.fact, CallbackBooked)]
        attempts: set[CallId] = set()
        for part in _parts(booked):
            made = select(CallRow.id).where(CallRow.callback.in_(part))
            attempts |= {CallId(call) for call in (await session.execute(made)).scalars()}
        return [*open_then, *await _of_calls(session, attempts, last)]


async def _of_agent(session: AsyncSession, agent: str, mark: Mark, last: int) -> list[Recorded]:
    """What matters of an agent after a fact. The marks of today are used where they are not later than that fact."""
    found = await _since_settled(session, agent, mark, last)
    changes = [entry.fact for entry in found if isinstance(entry.fact, AgentStateChanged)]
    if changes and changes[-1].after in AWAY and not any(map(_leaves, changes)):
        found += await _latest(session, agent, last, mark.left, _leaves)
    found += await _latest_of_kind(session, agent, "PhoneStateChanged", last, mark.phone)
    desktop = await _latest_of_kind(session, agent, "DesktopStateChanged", last, mark.desktop)
    for entry in desktop:
        if isinstance(entry.fact, DesktopStateChanged) and not entry.fact.present:  # a sign-out makes it unknown
            signed_out = await _latest(session, agent, last, mark.signed_out, _signs_out)
            found += [later for later in signed_out if later.seq > entry.seq]
    return sorted({entry.seq: entry for entry in (*found, *desktop)}.values(), key=lambda entry: entry.seq)


def _leaves(change: AgentStateChanged) -> bool:
    return change.after in AWAY and change.before not in AWAY


def _signs_out(change: AgentStateChanged) -> bool:
    return change.after is AgentState.LOGGED_OUT


async def _since_settled(session: AsyncSession, agent: str, mark: Mark, last: int) -> list[Recorded]:
    """The facts of an agent from the one by which they settled up to a fact; all, when they never have."""
    about = _COLUMNS.where(LedgerRow.agent == agent, LedgerRow.kind != "NewsIgnored")
    if 0 < mark.settled <= last:
        wanted = about.where(LedgerRow.seq.between(mark.settled, last)).order_by(LedgerRow.seq)
        return await _read(session, wanted)
    kept: list[Recorded] = []
    async for entry in _backwards(session, about, last):
        kept.append(entry)
        if isinstance(entry.fact, AgentStateChanged) and settles(entry.fact):
            break
    return kept[::-1]


async def _latest(
    session: AsyncSession, agent: str, last: int, marked: int, wanted: Callable[[AgentStateChanged], bool]
) -> list[Recorded]:
    """The agent's last change of this sort up to a fact, if there was one."""
    if marked <= last:
        return await _numbered(session, [marked] if marked else [])
    changes = _COLUMNS.where(LedgerRow.agent == agent, LedgerRow.kind == "AgentStateChanged")
    async for entry in _backwards(session, changes, last):
        if isinstance(entry.fact, AgentStateChanged) and wanted(entry.fact):
            return [entry]
    return []


async def _latest_of_kind(session: AsyncSession, agent: str, kind: str, last: int, marked: int) -> list[Recorded]:
    if marked <= last:
        return await _numbered(session, [marked] if marked else [])
    return await _read(session, _of_kind(kind, last + 1).where(LedgerRow.agent == agent).limit(1))


async def _backwards(session: AsyncSession, wanted: _Facts, last: int) -> AsyncIterator[Recorded]:
    """These facts up to one, the last first, page by page."""
    before = last + 1
    while True:
        page = wanted.where(LedgerRow.seq < before).order_by(LedgerRow.seq.desc()).limit(AGENT_PAGE)
        found = await _read(session, page)
        for entry in found:
            yield entry
        if len(found) < AGENT_PAGE:
            return
        before = found[-1].seq


async def _who_gave_up(session: AsyncSession, at: datetime) -> list[Recorded]:
    """Beginning and end of the calls of those who gave up not long before a time."""
    recent = CallRow.ended_at.between(at - ABANDONED_WITHIN, at)
    calls = (await session.execute(select(CallRow.id).where(recent, CallRow.outcome.in_(ABANDONED)))).scalars().all()
    found: list[Recorded] = []
    for part in _parts(calls):
        ends = LedgerRow.kind.in_(("CallStarted", "CallEnded"))
        found += await _read(session, _COLUMNS.where(LedgerRow.call.in_(part), ends))
    return found


async def _last_offers(session: AsyncSession, last: int) -> list[Recorded]:
    """The last offer of each queue up to a fact, if it was not long before."""
    recent = LedgerRow.seq.between(last - OFFERS_WITHIN, last)
    offers = await _read(session, _COLUMNS.where(recent, LedgerRow.kind == "CallOffered").order_by(LedgerRow.seq))
    by_queue = {entry.fact.queue: entry for entry in offers if isinstance(entry.fact, CallOffered)}
    return list(by_queue.values())


def _of_kind(kind: str, before: int | None) -> _Facts:
    """Facts of one of the outliving kinds, the last first."""
    assert kind in OUTLIVING, f"{kind} is in no index"
    wanted = _COLUMNS.where(LedgerRow.kind == kind)
    return (wanted if before is None else wanted.where(LedgerRow.seq < before)).order_by(LedgerRow.seq.desc())


async def _of_calls(session: AsyncSession, calls: Collection[str], last: int | None) -> list[Recorded]:
    found: list[Recorded] = []
    for part in _parts(sorted(calls)):
        wanted = _COLUMNS.where(LedgerRow.call.in_(part))
        found += await _read(session, wanted if last is None else wanted.where(LedgerRow.seq <= last))
    return found


async def _numbered(session: AsyncSession, seqs: Collection[int]) -> list[Recorded]:
    found: list[Recorded] = []
    for part in _parts(sorted(seqs)):
        found += await _read(session, _COLUMNS.where(LedgerRow.seq.in_(part)))
    return found


async def _read(session: AsyncSession, wanted: _Facts) -> list[Recorded]:
    return [entry_of(row) for row in (await session.execute(wanted)).all()]


def _parts(things: Sequence[T], size: int = 500) -> Iterable[Sequence[T]]:
    return (things[start : start + size] for start in range(0, len(things), size))
