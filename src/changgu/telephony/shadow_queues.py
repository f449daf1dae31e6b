"""The plain Asterisk queues that take over while changgu is away: kept in step, and emptied when we are back."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.facts import AgentStateChanged, Recorded
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.records import AgentView
from changgu.telephony.ami.client import Ami, AmiLate, AmiRefused, AmiTrouble

logger = logging.getLogger(__name__)

CHANGES_KEPT = 2_000
"""Agents' changes that may wait for the PBX; beyond that the whole list is compared instead."""

CONNECT_LIMIT = 10.0
AGAIN_AFTER = 5.0
"""Seconds until the queues are compared again with a PBX that did not reply."""

RETURNED_CONTEXT = "returned"


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether the plain queues may ring an agent, and why not."""

    paused: bool
    reason: str = ""


def pause_of(state: AgentState, reason: NotReadyReason | None = None) -> Pause:
    """What an agent's state means to a plain queue. 후처리 is a pause there; a busy phone is seen by itself."""
    match state:
        case AgentState.NOT_READY:
            return Pause(True, (reason or NotReadyReason.AWAY).value.upper())
        case AgentState.WRAP_UP:
            return Pause(True, "WRAPUP")
        case AgentState.LOGGED_OUT:
            return Pause(True, "LOGGED_OUT")
        case _:
            return Pause(False)


class ShadowQueueKeeper:
    """Mirrors agents' states by `QueuePause` (Asterisk writes PAUSE into queue_log itself) and fetches callers.

    `hear` takes facts; `run` must be running; `agents` is what the ACD knows (`Engine.agents`). `is_ours` tells our
    queues from those that somebody else's Asterisk has besides: their callers are not for us to fetch. `on_fetched`
    is called when they have been: whoever is not back with us by then was served by the plain queues, or still is.
    """

    def __init__(
        self, ami: Ami, agents: Callable[[], Mapping[AgentId, AgentView]],
        is_ours: Callable[[QueueName], bool] = lambda queue: True, *, again_after: float = AGAIN_AFTER,
        on_fetched: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._ami = ami
        self._is_ours = is_ours
        self._again_after = again_after
        self._on_fetched = on_fetched
        self._agents = agents
        self._changes: deque[tuple[AgentId, Pause]] = deque(maxlen=CHANGES_KEPT)
        self._news = asyncio.Event()
        self._compare_all = False
        ami.on_connected(self.compare_all)

    def compare_all(self) -> None:
        """The line came up, or the queues were configured anew: nothing is known of the members' pauses."""
        self._compare_all = True
        self._news.set()

    def hear(self, recorded: Recorded) -> None:
        """Take note of one fact; never waits."""
        fact = recorded.fact
        if isinstance(fact, AgentStateChanged):
            before, after = pause_of(fact.before), pause_of(fact.after, fact.reason)
            if after.paused or before.paused:
                self._changes.append((fact.agent, after))
                self._news.set()

    async def run(self) -> None:
        """Keep the queues in step until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._ami.wait_connected(CONNECT_LIMIT)
                if self._compare_all or len(self._changes) == CHANGES_KEPT:
                    self._compare_all = False
                    self._changes.clear()
                    await self._bring_in_step()
                while self._changes:
                    agent, pause = self._changes[0]
                    await self._pause(agent, pause)
                    self._changes.popleft()
            except AmiTrouble as trouble:
                logger.info("the shadow queues are not in step: %s", trouble)
                self._compare_all = True  # makes up for it, at the next connection or
                if isinstance(trouble, AmiLate):  # on this one, which nobody will report anew
                    await asyncio.sleep(self._again_after)
                    self._news.set()

    async def fetch_waiting(self) -> int:
        """Send everybody who waits in a plain queue back to us; how many had to be left there for now.

        For those a phone rings at this moment: an agent who picks up must find the caller there.
        """
        await self._ami.wait_connected(CONNECT_LIMIT)
        entries = [
            entry
            for entry in await self._ami.listing("QueueStatus")
            if entry.get("Event") == "QueueEntry" and self._is_ours(QueueName(entry.get("Queue", "")))
        ]
        rung = await self._rung_for() if entries else frozenset()
        fetched = left = 0
        for entry in entries:
            if entry.get("Uniqueid") in rung:
                left += 1
                continue
            try:
                await self._ami.action(
                    "Redirect", Channel=entry["Channel"], Context=RETURNED_CONTEXT, Exten=entry["Queue"], Priority="1"
                )
                fetched += 1
            except (AmiRefused, KeyError) as trouble:
                logger.info("a caller could not be fetched from a shadow queue: %s", trouble)
        if fetched or left:
            logger.info("%d callers came back from the shadow queues, for %d a phone rings there", fetched, left)
        self._on_fetched()
        return left

    async def _rung_for(self) -> frozenset[str]:
        """Callers for whom another channel is up: that of an agent whose phone rings."""
        channels = await self._ami.listing("CoreShowChannels")
        calls = ((channel.get("Linkedid", ""), channel.get("Uniqueid", "")) for channel in channels)
        return frozenset(caller for caller, leg in calls if caller != leg)

    async def _bring_in_step(self) -> None:
        wanted = {agent: pause_of(view.state, view.reason) for agent, view in self._agents().items()}
        different: dict[AgentId, Pause] = {}
        for entry in await self._ami.listing("QueueStatus"):
            agent = AgentId(entry.get("Name", ""))
            if entry.get("Event") != "QueueMember" or agent not in wanted:
                continue
            if (entry.get("Paused") == "1") != wanted[agent].paused:
                different[agent] = wanted[agent]
        for agent, pause in different.items():
            await self._pause(agent, pause)

    async def _pause(self, agent: AgentId, pause: Pause) -> None:
        try:
            await self._ami.action(
                "QueuePause", Interface=f"PJSIP/agent-{agent}", Paused="true" if pause.paused else "false",
                Reason=pause.reason,
            )  # fmt: skip
        except AmiRefused as trouble:
            logger.debug("agent %s is in no shadow queue: %s", agent, trouble)
