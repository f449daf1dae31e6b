"""Reads earlier calls from the calls' own table, one line each."""

from collections.abc import Callable, Sequence

from changgu.acd.call_record import CallRecord
from changgu.acd.identity import CallId
from changgu.acd.queues import Floor
from changgu.acd.store import CallStore
from changgu.screenpop.pop import PastCall


class RecordedCalls:
    """The screen pop's `CallHistory`, answered by the fold that the ledger keeps."""

    def __init__(self, calls: CallStore, floor: Callable[[], Floor]) -> None:
        self._calls = calls
        self._floor = floor

    async def calls(self, ids: Sequence[CallId]) -> list[PastCall]:
        """These calls, in this order."""
        records = [await self._calls.get(call) for call in ids]
        return [self._line(record) for record in records if record is not None]

    async def from_number(self, raw: str, limit: int) -> list[PastCall]:
        """The last calls from this number, as the network presented it."""
        return [self._line(record) for record in await self._calls.of_callers([raw], limit)]

    def _line(self, record: CallRecord) -> PastCall:
        floor = self._floor()
        titles = {queue.name: queue.title for queue in floor.queues}
        names = {agent.login: agent.name for agent in floor.agents}
        return PastCall(
            call=record.id,
            started_at=record.arrived_at,
            queue=titles.get(record.queue, record.queue) if record.queue else "",
            outcome=record.outcome or "open",
            agent=names.get(record.agent, record.agent) if record.agent else None,
            talk_seconds=record.talk_seconds,
        )
