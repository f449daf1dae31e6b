"""How an agent's phone is rung, and what becomes of agents who pick up while changgu is away: they wait for it."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from changgu.acd.identity import AgentId
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriConflict
from changgu.telephony.legs import LEG_VARIABLE, PICKED_UP, AgentLeg, agent_leg, stasis_args

logger = logging.getLogger(__name__)

COMES_WITHIN = 3.0
"""Seconds until an agent who picked up while we were away has come to us: their leg asks for us every second."""

SILENT_WITHIN = 0.5
"""Seconds for which the ringing of a phone for one caller waits until it no longer rings for another."""


async def ring(
    ari: Ari, leg: AgentLeg, *, waits_for_us: bool, endpoint: str, caller_id: str | None, ring_limit: int,
    originator: str | None,
) -> None:  # fmt: skip
    """Have the PBX ring a phone for so many seconds; the leg comes to us when it is answered. Raises `AriTrouble`.

    `waits_for_us`: it goes through our dialplan, in which it waits for us when we are away then; otherwise it ends.
    """
    args, channel = stasis_args(leg), agent_leg(leg.offer, leg.call)
    if not waits_for_us:
        await ari.request(
            "POST", path("channels"), endpoint=endpoint, app=ari.app, appArgs=args, channelId=channel,
            callerId=caller_id, timeout=ring_limit, originator=originator,
        )  # fmt: skip
        return
    # Of a channel that belongs to the dialplan we hear nothing unless we ask; with both requests sent at once, we
    # have asked before a phone can say no.
    context, extension = PICKED_UP
    made: Any
    heard: Any
    made, heard = await asyncio.gather(
        ari.request(
            "POST", path("channels"), body={"variables": {LEG_VARIABLE: args}}, endpoint=endpoint, context=context,
            extension=extension, priority=1, channelId=channel, callerId=caller_id, timeout=ring_limit,
            originator=originator,
        ),
        ari.request("POST", path("applications", ari.app, "subscription"), eventSource=f"channel:{channel}"),
        return_exceptions=True,
    )  # fmt: skip
    for outcome in (heard, made) if isinstance(made, AriConflict) else (made, heard):
        if isinstance(outcome, BaseException):
            raise outcome


class Silencing:
    """Phones that ring in vain until the PBX is told so: for the next caller they ring after that.

    Else a phone would be called a second time while it rings, and many say that they are busy then: a miss.
    """

    def __init__(self, within: float = SILENT_WITHIN) -> None:
        self._within = within
        self._ringing: dict[AgentId, asyncio.Event] = {}

    def begin(self, agent: AgentId) -> None:
        """The offer has been taken back; the PBX is yet to be told."""
        self._ringing.setdefault(agent, asyncio.Event())

    def done(self, agent: AgentId) -> None:
        """The PBX has been told, or cannot be."""
        if (told := self._ringing.pop(agent, None)) is not None:
            told.set()

    async def wait(self, agent: AgentId) -> None:
        """Return once this agent's phone may be rung; it is when the PBX takes too long."""
        if (told := self._ringing.get(agent)) is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), self._within)


class OnTheirWay:
    """Legs that were picked up while we were away, until they are under our control."""

    def __init__(self, within: float = COMES_WITHIN) -> None:
        self._within = within
        self._expected: dict[str, asyncio.Event] = {}

    def expect(self, leg: str) -> None:
        """This one was picked up, and hears music."""
        self._expected.setdefault(leg, asyncio.Event())

    def settled(self, leg: str) -> None:
        """It is here, or gone."""
        if (waited_for := self._expected.pop(leg, None)) is not None:
            waited_for.set()

    async def wait(self, leg: str) -> None:
        """Return once it is here or gone, or has had the time for it."""
        if (waited_for := self._expected.get(leg)) is None:
            return
        try:
            async with asyncio.timeout(self._within):
                await waited_for.wait()
        except TimeoutError:
            logger.warning("an agent's leg that was picked up while we were away did not come: %s", leg)
            self.settled(leg)
