"""Moves agents between queues while calls go on: tried on the rules first, then true for everybody, or not at all."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace

from changgu.acd.identity import AgentId, QueueName
from changgu.acd.routing import RoutingErrors
from changgu.acd.store import FloorStore
from changgu.app.floor_keeper import FloorKeeper
from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.problems import FlowErrors

logger = logging.getLogger(__name__)

MISTAKES_TOLD = 3
"""How many reasons a page shows; the rest is in the log, and `changgu reload` prints all."""


class FloorChanges:
    """Answers `acd.agents.api.FloorChanges`. One change at a time."""

    def __init__(self, store: FloorStore, keeper: FloorKeeper) -> None:
        self._store = store
        self._keeper = keeper
        self._turn = asyncio.Lock()

    async def move_agent(
        self, login: AgentId, queues: Collection[QueueName] | None, skills: Collection[str] | None, by: str
    ) -> None:
        """See `acd.agents.api.FloorChanges`."""
        async with self._turn:
            listed = await self._store.load_floor()
            agent = next((one for one in listed.agents if one.login == login), None)
            if agent is None:
                raise NotFound("등록되지 않은 요원입니다.", "There is no such agent.")
            missing = sorted(set(queues or ()) - {queue.name for queue in listed.queues})
            if missing:
                names = ", ".join(missing)[:200]
                raise BadInput(f"없는 대기열입니다: {names}", f"There is no such queue: {names}", field="queues")
            changed = replace(
                agent,
                queues=agent.queues if queues is None else frozenset(queues),
                skills=agent.skills if skills is None else frozenset(skills),
            )
            if changed == agent:
                return
            others = tuple(changed if one.login == login else one for one in listed.agents)
            try:
                await self._keeper.try_out(replace(listed, agents=others))
            except (RoutingErrors, FlowErrors) as wrong:
                why = str(wrong).partition("\n")[0]
                raise BadInput(
                    f"이렇게 바꾸면 라우팅 규칙이나 메뉴가 맞지 않습니다: {why}",
                    f"The routing rules or the menu do not allow it: {why}",
                ) from wrong
            await self._store.save(agents=[changed])
            if not await self._keeper.reload():
                await self._store.save(agents=[agent])
                why = " / ".join(self._keeper.last.lines[:MISTAKES_TOLD])
                raise Conflict(
                    f"바꾼 편성을 적용하지 못해 그대로 두었습니다. 시스템관리자에게 알려 주십시오. {why}",
                    f"The change could not be taken up, and everything is as it was. {why}",
                )
            logger.info("agent moved: login=%s queues=%s by=%s", login, ",".join(sorted(changed.queues)), by)
