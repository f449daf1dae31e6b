"""The floor as it is, or was at any moment, found in the ledger: for a restart, for explanations and for replays."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.call_rows.store import CallRow
from changgu.acd.facts import (
    CallbackBooked,
    CallbackClosed,
    CallOffered,
    FloorTakenUp,
    Outcome,
    Recorded,
)
from changgu.acd.floor_json import digest_of, floor_from_json, floor_to_json
from changgu.acd.identity import CallId, Instant
from changgu.acd.ledger.rows.store import OUTLIVING, AgentMarkRow, FloorRow, LedgerRow, Mark, QueueMarkRow, entry_of
from changgu.acd.queues import Floor
from changgu.ground.database import Database, moment

T = TypeVar("T")

ENDED_CALLS_RECALLED = 500
"""How many ended calls a restarted engine still knows by name."""

ABANDONED_WITHIN = timedelta(hours=24)
"""Callers who gave up so recently are known as repeat callers, if the floor's rules look back so far."""

OFFERS_WITHIN = 20_000
"""Facts among which a past moment's last offer of each queue is looked for."""

LIVED_AGAIN = timedelta(hours=1)
"""Of the past before a moment, all facts of so long are read; what is older, only where it still matters."""

ABANDONED = (Outcome.ABANDONED_IN_QUEUE.value, Outcome.ABANDONED_RINGING.value)

AGENT_PAGE = 200

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

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def before(self, seq: int, lived_again: timedelta = LIVED_AGAIN) -> Moment:
        """The floor just before a fact.

        What was long before it is known only where it still matters: agents, calls, promises, limits and places equal
        those that were lived; ended calls are known by name if they ended within `lived_again`.
        """
        async with self._database.transaction() as session:
            at = (await session.execute(select(LedgerRow.at).where(LedgerRow.seq == seq))).scalar()
            began = select(func.min(LedgerRow.seq)).where(
                LedgerRow.at >= (at - lived_again if at is not None else moment(0))
            )
            first = min((await session.execute(began)).scalar() or 1, seq)
            old = await self._still_mattered(session, first - 1)
            young = _COLUMNS.where(LedgerRow.seq >= first, LedgerRow.seq < seq).order_by(LedgerRow.seq)
            facts = [*old, *await _read(session, young)]
            offered = _COLUMNS.where(LedgerRow.kind == "CallOffered", LedgerRow.seq < seq)
            offers = [entry.fact.offer for entry in facts if isinstance(entry.fact, CallOffered)]
            if not offers:
                newest = await _read(session, offered.order_by(LedgerRow.seq.desc()).limit(1))
                offers = [entry.fact.offer for entry in newest if isinstance(entry.fact, CallOffered)]
        return Moment(seq, await self.floor_before(seq), facts, max(offers, default=0) + 1)

    async def now(self) -> list[Recorded]:
        """The facts from which `Engine.restore` rebuilds the present state, in order; few, however long the ledger.

        They are
        - all facts of calls that have not ended;
        - of each agent, the facts since they last *settled* (`rows.store.settles`), and all facts of the calls met in
          those, so that no fact stands without its beginning;
        - each agent's last phone, desktop and sign-out, and when they last left their queues;
        - each queue's last offer, from which turns are counted;
        - the ends of the last `ENDED_CALLS_RECALLED` calls, so that late news cannot bring one back to life, and the
          calls of those who gave up within `ABANDONED_WITHIN`, who are served sooner when they call again;
        - open promises to call back, with their attempts, and the floor that was taken up last.

        Rebuilt from them, agents, calls, places in the queues and deadlines equal those that were lived; only
        `idle_since` of agents who are not idle, which means nothing, may differ.
        """
        async with self._database.transaction() as session:
            rows = (await session.execute(select(AgentMarkRow))).scalars().all()
            marks = {row.agent: Mark.of(row) for row in rows}
            seqs = {seq for mark in marks.values() for seq in _kept_apart(mark)}
            seqs |= set((await session.execute(select(QueueMarkRow.offered_seq))).scalars())
            calls = set((await session.execute(select(CallRow.id).where(CallRow.ended_at.is_(None)))).scalars())
            for agent, mark in marks.items():
                since = select(LedgerRow.seq, LedgerRow.call).where(
                    LedgerRow.agent == agent, LedgerRow.seq >= mark.settled, LedgerRow.kind != "NewsIgnored"
                )
                for seq, call in (await session.execute(since)).all():
                    seqs.add(seq)
                    if call is not None:
                        calls.add(call)
            newest = (await session.execute(select(func.max(LedgerRow.at)))).scalar()
            ended = select(LedgerRow.seq).where(
                LedgerRow.kind == "CallEnded",
                LedgerRow.call.in_(
                    select(CallRow.id)
                    .where(CallRow.ended_at.is_not(None))
                    .order_by(CallRow.ended_at.desc())
                    .limit(ENDED_CALLS_RECALLED)
                ),
            )
            seqs |= set((await session.execute(ended)).scalars())
            found = {entry.seq: entry for entry in await self._outliving(session, None)}
            found |= {entry.seq: entry for entry in await _of_calls(session, calls, None)}
            if newest is not None:
                found |= {entry.seq: entry for entry in await _who_gave_up(session, newest)}
            found |= {entry.seq: entry for entry in await _numbered(session, seqs - found.keys())}
        return [found[seq] for seq in sorted(found)]

    async def _still_mattered(self, session: AsyncSession, last: int) -> list[Recorded]:
        """What `now` would have found when the ledger ended with this fact, ended calls left out."""
        if last < 1:
            return []
        at = (await session.execute(select(LedgerRow.at).where(LedgerRow.seq == last))).scalar_one()
        open_then = select(CallRow.id).where(
            CallRow.seq <= last, or_(CallRow.ended_at.is_(None), CallRow.ended_at >= at)
        )
        calls = set((await session.execute(open_then)).scalars())
        found: dict[int, Recorded] = {}
        for agent in (await session.execute(select(AgentMarkRow.agent))).scalars().all():
            for entry in await _since_settled(session, agent, last):
                found[entry.seq] = entry
                call = getattr(entry.fact, "call", None)
                if call is not None:
                    calls.add(call)
            for kind in ("PhoneStateChanged", "DesktopStateChanged"):
                wanted = _of_kind(kind, last + 1).where(LedgerRow.agent == agent).limit(1)
                found |= {entry.seq: entry for entry in await _read(session, wanted)}
        found |= {entry.seq: entry for entry in await _last_offers(session, last)}
        found |= {entry.seq: entry for entry in await self._outliving(session, last)}
        found |= {entry.seq: entry for entry in await _who_gave_up(session, at) if entry.seq <= last}
        found |= {entry.seq: entry for entry in await _of_calls(session, calls, last)}
        return [found[seq] for seq in sorted(found)]

    async def _outliving(self, session: AsyncSession, last: int | None) -> list[Recorded]:
        """Open promises with their attempts, and the floor taken up last, as of a fact."""
        before = None if last is None else last + 1
        promises = [
            entry
            for kind in ("CallbackBooked", "CallbackAttempted", "CallbackClosed")
            for entry in await _read(session, _of_kind(kind, before))
        ]
        closed = {entry.fact.callback for entry in promises if isinstance(entry.fact, CallbackClosed)}
        open_now = [entry for entry in promises if getattr(entry.fact, "callback", None) not in closed]
        booked = [entry.fact.callback for entry in open_now if isinstance(entry.fact, CallbackBooked)]
        attempts: set[CallId] = set()
        for part in _parts(booked):
            made = select(CallRow.id).where(CallRow.callback.in_(part))
            attempts |= {CallId(call) for call in (await session.execute(made)).scalars()}
        floors = await _read(session, _of_kind("FloorTakenUp", before).limit(1))
        return [*open_now, *floors, *await _of_calls(session, attempts, last)]


def _kept_apart(mark: Mark) -> Iterable[int]:
    return filter(None, (mark.phone, mark.desktop, mark.left, mark.signed_out))


async def _since_settled(session: AsyncSession, agent: str, last: int) -> list[Recorded]:
    """The facts of an agent since they settled, up to a fact; and their last sign-out and leaving before."""
    mark, kept, before = Mark(), list[Recorded](), last + 1
    while before > 1:
        page = _COLUMNS.where(LedgerRow.agent == agent, LedgerRow.seq < before, LedgerRow.kind != "NewsIgnored")
        found = await _read(session, page.order_by(LedgerRow.seq.desc()).limit(AGENT_PAGE))
        for entry in found:
            here = Mark().after(entry)
            apart = (here.left and not mark.left) or (here.signed_out and not mark.signed_out)
            if not mark.settled or apart:
                kept.append(entry)
            mark = Mark(mark.settled or here.settled, 0, 0, mark.left or here.left, mark.signed_out or here.signed_out)
            if mark.settled and mark.left and mark.signed_out:
                return kept
        if len(found) < AGENT_PAGE:
            return kept
        before = found[-1].seq
    return kept


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
