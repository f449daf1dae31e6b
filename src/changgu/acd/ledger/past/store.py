"""The floor as it is, or was at any moment, found in the ledger: for a restart, for explanations and for replays."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Select, and_, func, or_, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.call_rows.store import CallRow
from changgu.acd.callbacks import AFTER_TALK
from changgu.acd.event_json import FloorOpened
from changgu.acd.facts import (
    GAVE_UP,
    CallbackBooked,
    CallOffered,
    Emergency,
    FloorTakenUp,
    Recorded,
)
from changgu.acd.floor_json import digest_of, floor_from_json, floor_to_json
from changgu.acd.identity import CallId, Instant
from changgu.acd.ledger.rows.store import (
    AWAY,
    FloorRow,
    LedgerRow,
    entry_of,
    is_kind,
)
from changgu.acd.queues import Floor
from changgu.ground.database import Database, moment

T = TypeVar("T")

RECALLED = 4000
"""Facts read in full when the program begins: some hundred calls, by which the floor has learnt what to promise."""

ABANDONED_WITHIN = timedelta(hours=24)
"""Callers who gave up so recently are known as repeat callers, if the floor's rules look back so far."""

OFFERS_WITHIN = 20_000
"""Facts among which the last offer of each queue is looked for."""

_Facts: TypeAlias = "Select[int, datetime, str, str, str | None]"

_COLUMNS: _Facts = select(LedgerRow.seq, LedgerRow.at, LedgerRow.kind, LedgerRow.body, LedgerRow.because)


_AWAY = ", ".join(repr(state.value) for state in sorted(AWAY))

_CHANGES = "SELECT seq FROM ledger WHERE agent = marks.agent AND seq <= :last AND kind = 'AgentStateChanged' AND"
_OF_KIND = "SELECT seq FROM ledger WHERE agent = marks.agent AND seq <= :last AND kind ="
_LAST = "ORDER BY seq DESC LIMIT 1"

_MARKS = text(f"""
    SELECT agent,
      CASE WHEN settled_seq BETWEEN 1 AND :last THEN settled_seq ELSE ({_CHANGES} (
         body ->> 'after' = 'logged_out' OR body ->> 'before' = 'wrap_up'
         OR (body ->> 'after' = 'ready' AND body ->> 'before' IN ('not_ready', 'unreachable'))) {_LAST}) END AS settled,
      CASE WHEN left_seq <= :last THEN left_seq ELSE ({_CHANGES}
         body ->> 'after' IN ({_AWAY}) AND body ->> 'before' NOT IN ({_AWAY}) {_LAST}) END AS left_at,
      CASE WHEN signed_out_seq <= :last THEN signed_out_seq ELSE ({_CHANGES}
         body ->> 'after' = 'logged_out' {_LAST}) END AS signed_out,
      CASE WHEN phone_seq <= :last THEN phone_seq ELSE ({_OF_KIND} 'PhoneStateChanged' {_LAST}) END AS phone,
      CASE WHEN desktop_seq <= :last THEN desktop_seq ELSE ({_OF_KIND} 'DesktopStateChanged' {_LAST}) END AS desktop
    FROM agent_marks AS marks ORDER BY agent
""")  # noqa: S608 - made of our own words
"""By which facts an agent can be told after a fact: since when nothing earlier matters (`rows.store.settles`), and what
does all the same: the last time they left their queues and signed out, and the last that is known of their phone and
desktop. The marks of today are used where they are not later than that fact; they save looking back through years."""


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

    async def emergency(self) -> Emergency | None:
        """The emergency plan that is on, by the last set-up that was taken up."""
        async with self._database.transaction() as session:
            taken_up = (await _read(session, _of_kind("FloorTakenUp", None).limit(1)))[:1]
        return next((entry.fact.emergency for entry in taken_up if isinstance(entry.fact, FloorTakenUp)), None)

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
        """What matters after this fact of all up to it; of ended calls, who gave up lately or was just spoken to."""
        if last < 1:
            return []
        at = (await session.execute(select(LedgerRow.at).where(LedgerRow.seq == last))).scalar_one()
        just_spoken = and_(CallRow.answered_at.is_not(None), CallRow.ended_at >= at - AFTER_TALK)
        still_count = or_(CallRow.ended_at.is_(None), CallRow.ended_at >= at, just_spoken)
        calls = set((await session.execute(select(CallRow.id).where(CallRow.seq <= last, still_count))).scalars())
        found: dict[int, Recorded] = {}
        marks = (await session.execute(_MARKS, {"last": last})).all()
        for entry in await _since_settled(session, marks, last):
            found[entry.seq] = entry
            call = getattr(entry.fact, "call", None)
            if call is not None:
                calls.add(call)
        apart = {seq for mark in marks for seq in (mark.phone, mark.desktop, mark.left_at, mark.signed_out) if seq}
        found |= {entry.seq: entry for entry in await _numbered(session, apart - found.keys())}
        found |= {entry.seq: entry for entry in await _last_offers(session, last)}
        found |= {entry.seq: entry for entry in await self._promises(session, last)}
        found |= {entry.seq: entry for entry in await _who_gave_up(session, at) if entry.seq <= last}
        found |= {entry.seq: entry for entry in await _of_calls(session, calls, last)}
        return [found[seq] for seq in sorted(found)]

    async def _promises(self, session: AsyncSession, last: int) -> list[Recorded]:
        """Promises to call back that were open after a fact, with the attempts and the calls they were made in."""
        callback = func.json_extract(LedgerRow.body, "$.callback")
        closed = select(callback).where(is_kind("CallbackClosed"), LedgerRow.seq <= last)
        open_then = [
            entry
            for kind in ("CallbackBooked", "CallbackAttempted")
            for entry in await _read(session, _of_kind(kind, last + 1).where(callback.not_in(closed)))
        ]
        booked = [entry.fact.callback for entry in open_then if isinstance(entry.fact, CallbackBooked)]
        calls: set[CallId] = set()
        for part in _parts(booked):
            about = select(CallRow.id).where(CallRow.callback.in_(part))
            calls |= {CallId(call) for call in (await session.execute(about)).scalars()}
        return [*open_then, *await _of_calls(session, calls, last)]


async def _since_settled(session: AsyncSession, marks: Sequence[Any], last: int) -> list[Recorded]:
    """The facts of each agent from the one by which they settled up to a fact; all, when they never have."""
    found: list[Recorded] = []
    for part in _parts(marks, 100):
        since = or_(
            *(and_(LedgerRow.agent == mark.agent, LedgerRow.seq.between(mark.settled or 1, last)) for mark in part)
        )
        found += await _read(session, _COLUMNS.where(since, LedgerRow.kind != "NewsIgnored"))
    return found


async def _who_gave_up(session: AsyncSession, at: datetime) -> list[Recorded]:
    """Beginning and end of the calls of those who gave up not long before a time."""
    recent = CallRow.ended_at.between(at - ABANDONED_WITHIN, at)
    gave_up = CallRow.outcome.in_([outcome.value for outcome in GAVE_UP])
    calls = (await session.execute(select(CallRow.id).where(recent, gave_up))).scalars().all()
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
    wanted = _COLUMNS.where(is_kind(kind))
    return (wanted if before is None else wanted.where(LedgerRow.seq < before)).order_by(LedgerRow.seq.desc())


async def _of_calls(session: AsyncSession, calls: Collection[str], last: int) -> list[Recorded]:
    """The facts of these calls up to one; what was promised in them is for `_promises`, which knows what is open."""
    found: list[Recorded] = []
    for part in _parts(sorted(calls)):
        wanted = _COLUMNS.where(LedgerRow.call.in_(part), LedgerRow.kind != "CallbackBooked", LedgerRow.seq <= last)
        found += await _read(session, wanted)
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
