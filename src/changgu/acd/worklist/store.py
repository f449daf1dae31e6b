"""Finds promises to call back in the ledger, those of last night and of last month alike."""

from datetime import timedelta

from sqlalchemy import select, text

from changgu.acd.callback_lines import CallbackLine, lines_of
from changgu.acd.facts import Recorded
from changgu.acd.identity import Instant
from changgu.acd.ledger.rows.store import OUTLIVING, LedgerRow, entry_of
from changgu.ground.database import Database, moment

KINDS = ("CallbackBooked", "CallbackAttempted", "CallbackClosed")

LONGEST_PROMISE = timedelta(days=30)
"""How far ahead somebody may be promised a call."""
READ_BACK = LONGEST_PROMISE + timedelta(days=15)
"""How long before a time a promise that was settled after it can have been made."""

_IN_THE_INDEX = text(f"kind IN ({', '.join(map(repr, OUTLIVING))})")
"""The condition of the index `ix_ledger_outliving`, in its own words, so that SQLite uses it."""


class CallbackHistory:
    """Reads them; nothing is kept beside the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, at: Instant) -> list[CallbackLine]:
        """Promises that were open at this time or later, in order of booking."""
        lines = lines_of(await self._facts(at - READ_BACK.total_seconds()))
        return [line for line in lines.values() if line.ended_at is None or line.ended_at >= at]

    async def _facts(self, at: Instant) -> list[Recorded]:
        first = select(LedgerRow.seq).where(LedgerRow.at >= moment(at)).order_by(LedgerRow.at).limit(1)
        found: list[Recorded] = []
        async with self._database.transaction() as session:
            begin = (await session.execute(first)).scalar()
            if begin is None:
                return []
            for kind in KINDS:
                wanted = select(LedgerRow).where(
                    _IN_THE_INDEX, LedgerRow.kind == kind, LedgerRow.agent.is_(None), LedgerRow.seq >= begin
                )
                found += [entry_of(row) for row in (await session.execute(wanted)).scalars()]
        return sorted(found, key=lambda entry: entry.seq)
