"""What an agent does with a call at their desktop: hold, take back, hang up; and hold by the phone's own key.

Hold takes the caller out of the bridge and lets them hear music; the agent stays in it and hears nothing. A hold by
the phone's own key (re-INVITE) is done by the PBX itself; it is only reported.
"""

import logging
from collections.abc import Callable

from changgu.acd.events import CallHeld, CallResumed, Event
from changgu.acd.identity import AgentId, CallId
from changgu.ground.trouble import Conflict
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriBroken, AriLate, AriRefused
from changgu.telephony.ari.messages import AriEvent, ChannelDestroyed, ChannelHold, ChannelUnhold, StasisEnd
from changgu.telephony.legs import AgentLeg, agent_leg
from changgu.telephony.switch import Switch

logger = logging.getLogger(__name__)


class NotTalking(Conflict):
    """The agent has no conversation with this caller."""

    def __init__(self) -> None:
        super().__init__("이 통화는 지금 연결되어 있지 않습니다.", "There is no conversation on this call now.")


class SwitchAway(Conflict):
    """The PBX did not do it."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "교환기가 응답하지 않습니다. 전화기에서 직접 하십시오.",
            "The PBX does not respond. Use the phone's own keys.",
        )


class CallControl:
    """Wishes in, ARI requests out, and the ACD is told what came of it."""

    def __init__(self, ari: Ari, switch: Switch, post: Callable[[Event], None]) -> None:
        self._ari = ari
        self._switch = switch
        self._post = post
        self._held_by_phone: dict[str, bool] = {}
        """Legs whose phone has told us; of others we may have missed a hold while we were away."""

    async def hold(self, agent: AgentId, call: CallId) -> None:
        """Put the caller on hold; raises `NotTalking` or `SwitchAway`."""
        self._conversation(agent, call)
        await self._ask("POST", path("bridges", self._switch.bridge(call), "removeChannel"), channel=call)
        await self._ask("POST", path("channels", call, "moh"))
        self._post(CallHeld(agent, call))

    async def resume(self, agent: AgentId, call: CallId) -> None:
        """Take the caller back; raises `NotTalking` or `SwitchAway`."""
        self._conversation(agent, call)
        await self._ask("DELETE", path("channels", call, "moh"))
        await self._ask("POST", path("bridges", self._switch.bridge(call), "addChannel"), channel=call)
        self._post(CallResumed(agent, call))

    async def hang_up(self, agent: AgentId, call: CallId) -> None:
        """End the agent's leg, and with it the conversation; raises `NotTalking` or `SwitchAway`."""
        leg = self._conversation(agent, call)
        await self._ask("DELETE", path("channels", agent_leg(leg.offer, leg.call)))

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        match event:
            case ChannelHold(channel_id):
                if (leg := self._switch.leg(channel_id)) and not self._held_by_phone.get(channel_id, False):
                    self._held_by_phone[channel_id] = True
                    self._post(CallHeld(leg.agent, leg.call))
            case ChannelUnhold(channel_id):
                if (leg := self._switch.leg(channel_id)) and self._held_by_phone.get(channel_id, True):
                    self._held_by_phone[channel_id] = False
                    self._post(CallResumed(leg.agent, leg.call))
            case StasisEnd(channel_id) | ChannelDestroyed(channel_id):
                self._held_by_phone.pop(channel_id, None)
            case _:
                return

    def _conversation(self, agent: AgentId, call: CallId) -> AgentLeg:
        leg = self._switch.conversation(call)
        if leg is None or leg.agent != agent:
            raise NotTalking
        return leg

    async def _ask(self, method: str, uri: str, channel: str | None = None) -> None:
        try:
            await self._ari.request(method, uri, channel=channel)
        except (AriAway, AriLate, AriBroken) as trouble:
            raise SwitchAway from trouble
        except AriRefused as trouble:
            logger.info("call control was refused: %s", trouble)
            raise NotTalking from trouble
