"""Setting up the floor: takes in lists of queues and agents, and tells the running floor what has changed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from changgu.acd.imports import read_agents, read_queues
from changgu.acd.queues import Agent, Floor, Queue
from changgu.acd.store import FloorStore

T = TypeVar("T", Queue, Agent)


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did."""

    added: int
    updated: int
    unchanged: int


class FloorSetUp:
    """Imports lists whole or not at all. `reserved` gives the numbers that no queue may have, and whose they are.

    `changed` is told the new floor after each import that changed something: it gives it to the runner and the PBX.
    """

    def __init__(
        self,
        store: FloorStore,
        reserved: Callable[[], Mapping[str, str]],
        changed: Callable[[Floor], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._reserved = reserved
        self._changed = changed

    async def import_queues(self, file: str, content: bytes) -> ImportSummary:
        """Add and change queues; raises `RowErrors`, and then nothing has changed."""
        floor = await self._store.load_floor()
        queues = read_queues(file, content, floor, self._reserved())
        summary = _compare({queue.name: queue for queue in floor.queues}, {queue.name: queue for queue in queues})
        await self._save(summary, queues, ())
        return summary

    async def import_agents(self, file: str, content: bytes) -> ImportSummary:
        """Add and change agents; raises `RowErrors`, and then nothing has changed."""
        floor = await self._store.load_floor()
        agents = read_agents(file, content, floor)
        summary = _compare({agent.login: agent for agent in floor.agents}, {agent.login: agent for agent in agents})
        await self._save(summary, (), agents)
        return summary

    async def _save(self, summary: ImportSummary, queues: Sequence[Queue], agents: Sequence[Agent]) -> None:
        if not summary.added and not summary.updated:
            return
        floor = await self._store.save(queues, agents)
        if self._changed is not None:
            await self._changed(floor)


def _compare(before: Mapping[str, T], listed: Mapping[str, T]) -> ImportSummary:
    added = sum(name not in before for name in listed)
    unchanged = sum(before.get(name) == one for name, one in listed.items())
    return ImportSummary(added, len(listed) - added - unchanged, unchanged)
