"""Tells the ACD which agents' phones can be reached: they register, answer our OPTIONS, or have gone.

The whole list is read whenever the line to the PBX comes up; between, changes are told as they happen. News and list
come by different ways inside the PBX: a list may be older than news that came before it. So news is believed at once,
and a list that says otherwise only when the PBX has had time to put it in its books.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from changgu.acd.events import Event, PhoneReachable, PhoneUnreachable
from changgu.acd.identity import AgentId
from changgu.telephony.ami.client import AmiRefused, AmiTrouble, Message

logger = logging.getLogger(__name__)

PREFIX = "agent-"
GONE_STATES = frozenset({"unavailable", "invalid", "unknown"})
"""Device states in which a phone cannot be rung, in lower case."""

USED_STATES = frozenset({"in use", "busy", "ringing", "ring+inuse", "on hold", "inuse", "ringinuse", "onhold"})
"""Device states of a phone that rings or speaks, in lower case."""

NEWS = {"Reachable": True, "Registered": True, "Unreachable": False, "Unregistered": False}
"""What a PeerStatus says about a phone."""

LOOK_AGAIN = 2.0
"""Seconds until a list that could not be read is asked for again."""

ELSEWHERE_AGAIN = 1.0
"""Seconds until a phone that speaks without us is looked at again: it is believed to when it was seen twice."""

ELSEWHERE_LATER = 10.0
"""The same once a second look has found only others: they have just hung up, and the PBX does not know it yet. On a
busy floor there is always one, and the list of hundreds of phones takes as long as several calls."""

SETTLING = 0.5
"""Seconds by which the PBX's list may be behind its news; also the least time between two lists, so that hundreds of
phones that come back at once cost a few lists and not hundreds."""


def agent_of_endpoint(endpoint: str) -> AgentId | None:
    """The agent whose phone this endpoint is: `agent-kim` → `kim`."""
    return AgentId(endpoint.removeprefix(PREFIX)) if endpoint.startswith(PREFIX) and endpoint != PREFIX else None


def endpoint_of_peer(peer: str) -> str | None:
    """`PJSIP/agent-kim` → `agent-kim`."""
    technology, _, endpoint = peer.partition("/")
    return endpoint if technology == "PJSIP" and endpoint else None


def reachable(device_state: str) -> bool:
    """Whether a phone in this device state (`Not in use`, `UNAVAILABLE`, …) can be rung or is in use."""
    return device_state.strip().lower() not in GONE_STATES


def in_use(device_state: str) -> bool:
    """Whether a phone in this device state rings or speaks."""
    return device_state.strip().lower() in USED_STATES


class Phones(Protocol):
    """What is asked of AMI; `ami.client.Ami` is the one implementation."""

    @property
    def connected(self) -> bool:
        """Whether it can be asked."""
        ...

    def listen(self, event: str, hear: Callable[[Message], None]) -> None:
        """Call `hear` with every such event."""
        ...

    def on_connected(self, tell: Callable[[], None]) -> None:
        """Call `tell` each time the line came up."""
        ...

    async def listing(self, name: str) -> Sequence[Message]:
        """The entries of a list."""
        ...


class AgentPhones:
    """`run` must be running. `agents` gives who has a phone now; `is_reachable` what the ACD believes.

    `has_call` tells whether the ACD has given an agent a call. A phone that is used without one, such as for a caller
    whom a plain queue connected while we were away, cannot be rung until that is over.
    """

    def __init__(
        self, ami: Phones, post: Callable[[Event], None], agents: Callable[[], Collection[AgentId]],
        is_reachable: Callable[[AgentId], bool], *, settling: float = SETTLING,
        has_call: Callable[[AgentId], bool] = lambda agent: True,
        elsewhere_again: tuple[float, float] = (ELSEWHERE_AGAIN, ELSEWHERE_LATER),
    ) -> None:  # fmt: skip
        self._ami = ami
        self._settling = settling
        self._has_call = has_call
        self._elsewhere_again = elsewhere_again
        self._elsewhere: frozenset[AgentId] = frozenset()
        """Whose phone was used without a call of ours when it was last looked at."""
        self._only_others = False
        """Whether there were such at the look before, and all of them are done."""
        self._post = post
        self._agents = agents
        self._is_reachable = is_reachable
        self._told: dict[AgentId, bool] = {}
        self._news: dict[AgentId, tuple[float, bool]] = {}
        """When the PBX last told of a phone by itself, and what."""
        self._look = asyncio.Event()
        self._only_watching = False
        """Nothing asks for the look that is to come, but that one looks from time to time."""
        ami.on_connected(self.look_again)
        ami.listen("PeerStatus", self._peer_status)
        ami.listen("ContactStatus", self._contact_status)

    def look_again(self) -> None:
        """Read the whole list: the line came up, or the phones were configured anew."""
        self._only_watching = False
        self._read_anew()

    def watch(self) -> None:
        """Read the whole list though nothing was heard: what has changed is news that was lost."""
        self._only_watching = not self._look.is_set()
        self._read_anew()

    def _read_anew(self) -> None:
        self._told.clear()
        self._look.set()

    async def run(self) -> None:
        """Read the list whenever asked, until cancelled."""
        while True:
            await self._look.wait()
            self._look.clear()
            watching, self._only_watching = self._only_watching, False
            try:
                await self._read_all(watching)
            except AmiTrouble as trouble:
                logger.warning("the phones' states could not be read: %s", trouble)
                await asyncio.sleep(LOOK_AGAIN)
                if self._ami.connected:
                    self._look.set()
            else:
                if self._elsewhere:
                    asyncio.get_running_loop().call_later(self._elsewhere_again[self._only_others], self._look.set)
                await asyncio.sleep(self._settling)

    async def _read_all(self, watching: bool) -> None:
        believed_until = asyncio.get_running_loop().time() - self._settling
        try:
            entries = await self._ami.listing("PJSIPShowEndpoints")
        except AmiRefused as refusal:
            if "No endpoints" not in str(refusal):
                raise
            entries = []
        states = {
            agent: entry.get("DeviceState", "")
            for entry in entries
            if (agent := agent_of_endpoint(entry.get("ObjectName", ""))) is not None
        }
        before = self._elsewhere
        self._elsewhere = frozenset(
            agent for agent, state in states.items() if in_use(state) and not self._has_call(agent)
        )
        self._only_others = bool(before) and not before & self._elsewhere
        found = {
            agent: reachable(state) and agent not in before & self._elsewhere for agent, state in states.items()
        }
        for agent in self._agents():
            is_up = found.get(agent, False)
            at, news = self._news.get(agent, (believed_until, is_up))
            if news != is_up and at > believed_until:
                self._look.set()  # one of them is older than the other: a later list will tell
            else:
                gone = not reachable(states.get(agent, ""))
                self._tell(agent, is_up, unheard=watching and gone and not self._look.is_set())

    def _peer_status(self, event: Message) -> None:
        endpoint = endpoint_of_peer(event.get("Peer", ""))
        agent = agent_of_endpoint(endpoint) if endpoint else None
        status = event.get("PeerStatus", "")
        if agent is not None and agent in self._agents() and status in NEWS:
            self._news[agent] = asyncio.get_running_loop().time(), NEWS[status]
            self._tell(agent, NEWS[status])

    def _contact_status(self, event: Message) -> None:
        # One contact's news says little about a phone with several; the endpoint's own state is read instead.
        if agent_of_endpoint(event.get("EndpointName", "")) is not None:
            self._only_watching = False
            self._look.set()

    def _tell(self, agent: AgentId, is_up: bool, *, unheard: bool = False) -> None:
        if agent not in self._agents():
            return
        if self._told.get(agent, self._is_reachable(agent)) == is_up:
            self._told[agent] = is_up
            return
        self._told[agent] = is_up
        logger.info("the phone of %s is %s", agent, "reachable" if is_up else "unreachable")
        self._post(PhoneReachable(agent) if is_up else PhoneUnreachable(agent, unheard))
