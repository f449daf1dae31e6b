"""Carries out what the ACD asks for: rings agents, joins the two parties, ends legs, and reports what came of it.

Commands of one call are carried out in their order, by a worker that lives as long as there are any; calls do not
wait for each other, and nobody waits for a command. Trouble goes back to the ACD as an event, never as an exception.
When many phones ring for one call, they are rung at once, and whoever answers is connected before the replies of the
others are in, and before the others' phones are told to stop.

Requests for a call that is answered at once: originate, bridge, addChannel (with both legs), and at the end one leg
and the bridge; one more answers a caller who has heard nothing yet. One that waits costs two more, for the music; one
more is for legs that may wait for us (`legs_wait`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Any, Protocol, assert_never

from changgu.acd.commands import (
    Announce,
    Command,
    ConnectCall,
    DialPerson,
    Divert,
    Farewell,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    ConnectFailed,
    DialFailed,
    Event,
    PartiesConnected,
    RingFailed,
)
from changgu.acd.identity import CallId
from changgu.ivr_flows.nodes import NamedPrompt
from changgu.telephony.agent_legs import OnTheirWay, Silencing, ring
from changgu.telephony.answering import Answering
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import (
    AriAway,
    AriBroken,
    AriConflict,
    AriLate,
    AriNotFound,
    AriNotOurs,
    AriRefused,
    AriTrouble,
)
from changgu.telephony.ari.messages import (
    AriEvent,
    ChannelDestroyed,
    ChannelHangupRequest,
    PlaybackFinished,
    StasisEnd,
    StasisStart,
)
from changgu.telephony.callbacks import PersonCalls
from changgu.telephony.handset import CallerIdentity
from changgu.telephony.hangup_cause import RingFailure, join_failure, ring_failure
from changgu.telephony.ivr_player import Voice
from changgu.telephony.lanes import Lanes
from changgu.telephony.legs import AgentLeg, agent_leg, bridge_of, purpose
from changgu.telephony.numbers import caller_id
from changgu.telephony.queue_experience import QueueExperience

logger = logging.getLogger(__name__)

RING_SAFETY = 5
"""Seconds by which the PBX's own ring limit exceeds the queue's: the ACD withdraws first, unless it is dead."""

HELLO = NamedPrompt("callback_hello")
"""For somebody who was called back and waits for an agent to pick up."""

RUNG_AT_ONCE = 8
"""Wishes to ring a phone that the PBX has at one time, and as many to stop. It serves its line in order: in a rush,
whoever has picked up would wait for their caller until hundreds of phones ring or are silent, and hang up; more people
would be rung in their place."""

CONNECT_RETRY = 0.05
"""Seconds; addChannel can overtake the PBX's own book-keeping of the answer."""


class Callers(Protocol):
    """What the switch needs to know of callers; `inbound.Inbound` is the one implementation."""

    answering: Answering

    def identity(self, call: CallId) -> CallerIdentity | None:
        """Who is calling, if they are on the line."""
        ...

    def left(self, call: CallId) -> None:
        """The caller's leg is gone."""
        ...

    def release(self, call: CallId) -> None:
        """The caller is about to be hung up on: their end is no news."""
        ...

    async def say_farewell(self, call: CallId, farewell: Farewell) -> str | None:
        """Apologise before the call is ended; whether it is to be ended then."""
        ...

    def divert(self, command: Divert) -> None:
        """Lead the caller out of the queue by other means."""
        ...


@dataclass(slots=True)
class _Leg:
    """An agent's leg that we asked for."""

    purpose: AgentLeg
    answered: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class _DropBridge:
    """Our own afterthought: a call is over and its bridge is not needed any more."""

    call: CallId


@dataclass(frozen=True, slots=True)
class _Chore:
    """Something of ours to be done in turn with the call's commands; it may be done again after a lost line."""

    call: CallId
    do: Callable[[], Coroutine[Any, Any, None]]


_Task = Command | _DropBridge | _Chore


class Switch:
    """`do` takes commands, `hear` takes ARI events, `run` must be running."""

    def __init__(
        self, ari: Ari, callers: Callers, post: Callable[[Event], None], *, people: PersonCalls | None = None,
        voice: Voice | None = None, language: str = "ko",
        number_of: Callable[[CallId], str | None] = lambda call: None,
        parting: Callable[[CallId, str], Awaitable[bool]] | None = None,
        language_of: Callable[[CallId], str | None] = lambda call: None, legs_wait: bool = False,
        most_listeners: int | None = None,
    ) -> None:  # fmt: skip
        """`people` dials those who are to be called back; without it nobody is. `voice` says what waiting callers are
        told; without it they hear music. `number_of` is the number of a call whose caller is not on the line. Before a
        caller is hung up on without a word, `parting` may ask them something, and says whether to hang up.
        `language_of` is the language that a caller chose; `language`, the desk's, where they did not. `legs_wait`: the
        PBX has our dialplan, in which agents who pick up while we are away wait for us. `most_listeners`: so many hear
        music at one time."""
        self._legs_wait = legs_wait
        self._ari = ari
        self._callers = callers
        self._post = post
        self._people = people
        self._number_of = number_of
        self._parting = parting
        self._lanes: Lanes[_Task] = Lanes(self._attempt)
        self._sound = QueueExperience(
            ari, self._later, self._lanes.beside, voice, language, language_of=language_of,
            answer=callers.answering.if_put_off, most_listeners=most_listeners,
        )  # fmt: skip
        self._legs: dict[str, _Leg] = {}
        self._chosen: dict[CallId, str] = {}
        """Of many legs that were answered, the one that the caller was to be joined with."""
        self._rung_at_once = asyncio.Semaphore(RUNG_AT_ONCE)
        self._silenced_at_once = asyncio.Semaphore(RUNG_AT_ONCE)
        self._silencing = Silencing()
        self._ringback: set[str] = set()
        """Legs of agents who hear it ring, while somebody is called back for them."""
        self._on_their_way = OnTheirWay()
        self._bridges: dict[CallId, str] = {}

    async def run(self) -> None:
        """Carry out commands until cancelled."""
        try:
            await self._lanes.run()
        finally:
            self._sound.close()

    # ---- what others may ask ---------------------------------------------------------------------------------------

    def conversation(self, call: CallId) -> AgentLeg | None:
        """The agent's leg that was answered for a call, while it is up; of many, the one that the ACD chose."""
        chosen = self._legs.get(self._chosen.get(call, ""))
        if chosen is not None and chosen.answered and not chosen.withdrawn:
            return chosen.purpose
        for leg in self._legs.values():
            if leg.purpose.call == call and leg.answered and not leg.withdrawn:
                return leg.purpose
        return None

    @property
    def conversations(self) -> int:
        """How many callers have been joined with an agent, and are on the line."""
        return len(self._chosen)

    def leg(self, channel: str) -> AgentLeg | None:
        """The agent's leg with this channel id, if it is up and ours."""
        found = self._legs.get(channel)
        return found.purpose if found else None

    @property
    def legs(self) -> Mapping[str, AgentLeg]:
        """Channel id → every agent's leg that we asked for and that is not known to be gone."""
        return {channel: leg.purpose for channel, leg in self._legs.items() if not leg.withdrawn}

    def bridge(self, call: CallId) -> str:
        """The id of the bridge in which the call's parties are, or will be."""
        return self._bridges.get(call) or bridge_of(call)

    def is_busy(self, call: CallId) -> bool:
        """Whether a command of this call is under way or waits its turn."""
        return self._lanes.is_busy(call)

    def adopt(self, leg: AgentLeg, *, answered: bool, bridge: str | None, joined: bool, is_here: bool = True) -> None:
        """A leg that the PBX has, after a gap in the news; what we know already stays.

        `bridge`: the call's, if there is one; `joined`: caller and agent are in it; not `is_here`: it was picked up
        while we were away, and is on its way to us.
        """
        known = self._legs.setdefault(agent_leg(leg.offer, leg.call), _Leg(leg))
        if answered and not known.answered and not is_here:
            self._on_their_way.expect(agent_leg(leg.offer, leg.call))
        known.answered = known.answered or answered
        if bridge is not None:
            self._bridges[leg.call] = bridge
        if joined:
            self._chosen[leg.call] = agent_leg(leg.offer, leg.call)
            return
        self._sound.assume_music(leg.call)
        if not answered:
            self._sound.music(leg.call)  # whoever is rung for in vain waits on

    def adopt_waiting(self, call: CallId) -> None:
        """A caller who waits, after a gap in the news: they may hear music."""
        self._sound.assume_music(call)

    def forget(self, channel: str) -> None:
        """A leg that the PBX no longer has; whoever found out has reported it."""
        leg = self._legs.pop(channel, None)
        self._ringback.discard(channel)
        self._on_their_way.settled(channel)
        if leg is not None and leg.purpose.call in self._bridges:
            self._lanes.put(leg.purpose.call, _DropBridge(leg.purpose.call))

    def forget_caller(self, call: CallId) -> None:
        """A caller whom the PBX no longer has; whoever found out has reported it."""
        self._forget_call(call)
        if call in self._bridges:
            self._lanes.put(call, _DropBridge(call))

    def line_is_up(self) -> None:
        """The line to Asterisk was down: announcements may have ended, and people been reached, unheard of."""
        self._sound.line_is_up()
        if self._people is not None:
            for call in self._people.dialled:
                self._later(call, partial(self._people.look_after, call))

    # ---- commands in -----------------------------------------------------------------------------------------------

    def do(self, command: Command) -> None:
        """Take a command to be carried out after those that this call was given before."""
        match command:
            case RingAgent(agent, call, offer):
                self._legs[agent_leg(offer, call)] = _Leg(AgentLeg(offer, call, agent))
            case StopRinging(agent, call, offer) | HangUpAgent(agent, call, offer):
                if leg := self._legs.get(agent_leg(offer, call)):
                    leg.withdrawn = True
                if isinstance(command, StopRinging):
                    self._silencing.begin(agent)
            case ConnectCall(_, call, offer) if self._callers.identity(call) is not None:
                self._chosen[call] = agent_leg(offer, call)
            case DialPerson() if self._people is not None:
                self._people.expect(command)
            case HangUpCaller(call):
                self._callers.release(call)
                if self._people is not None:
                    self._people.withdraw(call)
            case Announce():
                self._sound.announce(command)
                return  # what is said is prepared beside the call's commands, and said in turn with them
            case _:
                pass
        self._lanes.put(command.call, command)

    def _later(self, call: CallId, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._lanes.put(call, _Chore(call, do))

    async def _attempt(self, command: _Task) -> None:
        try:
            if isinstance(command, RingAgent | DialPerson):
                await self._carry_out(command)  # it must not be done twice
            else:
                attempts = chain((command,), repeat(_another_time(command)))
                await self._ari.insist(lambda: self._carry_out(next(attempts)))
        except Exception as trouble:  # one call's edge: the ACD is told, the other calls go on
            if not isinstance(trouble, AriTrouble):
                logger.exception("a command failed: %s", type(command).__name__, extra={"call_id": command.call})
            self._report(command, trouble)

    def _report(self, command: _Task, trouble: Exception) -> None:
        call = command.call
        match command:
            case RingAgent(agent, _, offer):
                if isinstance(trouble, AriAway):
                    # Whether the phone rings is unknown until the line is back; the comparison after it tells.
                    logger.warning("the line dropped while ringing an agent", extra={"call_id": call})
                    return
                failure = RingFailure.UNREACHABLE if isinstance(trouble, AriBroken) else RingFailure.ERROR
                logger.info("agent %s could not be rung: %s", agent, trouble, extra={"call_id": call})
                leg = self._legs.pop(agent_leg(offer, call), None)
                if leg is not None and not leg.withdrawn:
                    self._post(RingFailed(agent, call, offer, failure.value))
            case ConnectCall(agent, _, offer):
                logger.warning("caller and agent could not be joined: %s", trouble, extra={"call_id": call})
                self._chosen.pop(call, None)
                self._post(ConnectFailed(agent, call, offer, join_failure(trouble).value))
            case DialPerson() if self._people is not None:
                self._people.failed(call, trouble)
            case _:
                logger.warning("%s failed: %s", type(command).__name__, trouble, extra={"call_id": call})

    # ---- one command -----------------------------------------------------------------------------------------------

    async def _carry_out(self, command: _Task) -> None:
        match command:
            case PlayMusicOnHold(call):
                self._sound.music(call)
            case RingAgent():
                await self._ring(command)
            case StopRinging():
                await self._stop_ringing(command)
            case HangUpAgent(_, call, offer):
                await self._end_leg(agent_leg(offer, call))
            case ConnectCall():
                await self._connect(command)
            case HangUpCaller(call, farewell):
                await self._hang_up_caller(call, farewell)
            case _DropBridge(call):
                # The news of one leg's end may come when the next agent is in the bridge already; it goes with theirs.
                if self.conversation(call) is None:
                    await self._drop_bridge(call)
            case Divert(call):
                await self._silence(call)
                self._callers.divert(command)
            case DialPerson():
                await self._dial(command)
            case _Chore(_, do):
                await do()
            case Announce():
                raise AssertionError("an announcement is a chore once it is prepared")
            case _:
                assert_never(command)

    async def _end_leg(self, leg: str, reason: str | None = None) -> None:
        if await self._tolerating_gone("DELETE", path("channels", leg), reason):
            self.forget(leg)  # its end was told while nobody listened, or is about to be

    async def _stop_ringing(self, command: StopRinging) -> None:
        # ARI's reason becomes SIP's on the CANCEL (RFC 3326): such a phone shows no missed call.
        reason = "answered_elsewhere" if command.elsewhere else None
        try:
            async with self._silenced_at_once:
                await self._end_leg(agent_leg(command.offer, command.call), reason)
        finally:
            self._silencing.done(command.agent)

    async def _dial(self, command: DialPerson) -> None:
        if self._people is None:
            logger.error("nobody can be called back: there is no line outside", extra={"call_id": command.call})
            self._post(DialFailed(command.call, RingFailure.UNREACHABLE.value))
            return
        if agent := self.conversation(command.call):
            # The agent has picked up and would hear nothing until the person does.
            leg = agent_leg(agent.offer, agent.call)
            self._ringback.add(leg)
            await self._tolerating_gone("POST", path("channels", leg, "ring"))
        await self._people.dial(command)

    async def _ring(self, command: RingAgent) -> None:
        await self._silencing.wait(command.agent)
        async with self._rung_at_once:
            await self._ring_now(command)

    async def _ring_now(self, command: RingAgent) -> None:
        channel = agent_leg(command.offer, command.call)
        leg = self._legs.get(channel)
        if leg is None or leg.withdrawn:
            self._legs.pop(channel, None)
            return
        caller = self._callers.identity(command.call)
        if caller is not None:
            shown = caller_id(caller.number, caller.name)
            if command.outbound:
                self._sound.say_once(command.call, HELLO)
        else:
            # Yet to be called; or found in the PBX only a moment from now, after we were away.
            shown = caller_id(self._number_of(command.call))
        try:
            await ring(
                self._ari,
                leg.purpose,
                waits_for_us=self._legs_wait,
                endpoint=f"PJSIP/agent-{command.agent}",
                caller_id=shown,
                ring_limit=int(command.ring_limit.total_seconds()) + RING_SAFETY,
                # Ties the two together, and fails for a caller who has just left. Who is yet to be called has no leg.
                originator=None if command.outbound and caller is None else command.call,
            )
        except AriLate:
            # The effect is unknown while the line is up: make sure that nothing rings, then say that it failed.
            await self._tolerating_gone("DELETE", path("channels", channel))
            raise
        except AriConflict:
            logger.info("the agent's leg exists already", extra={"call_id": command.call})
        except AriRefused as trouble:
            if "originator" not in trouble.reason:
                raise
            # The caller left in this very moment: their fault, not the agent's.
            logger.info("the caller left before the agent's phone rang", extra={"call_id": command.call})
            self._legs.pop(channel, None)
            self._callers.left(command.call)

    async def _connect(self, command: ConnectCall) -> None:
        bridge, leg = self.bridge(command.call), agent_leg(command.offer, command.call)
        await self._on_their_way.wait(leg)
        # The PBX serves the line in order: all is sent at once, so the two hear each other one round trip from now.
        steps: list[Coroutine[Any, Any, object]] = []
        if self._callers.answering.is_put_off(command.call):
            steps.append(self._callers.answering.if_put_off(command.call))
        if leg in self._ringback:
            self._ringback.discard(leg)
            steps.append(self._tolerating_gone("DELETE", path("channels", leg, "ring")))
        steps += [self._tolerating_gone(*ending) for ending in self._sound.end(command.call)]
        if command.call not in self._bridges:
            steps.append(self._make_bridge(command.call, bridge))
        try:
            await _in_order(*steps, self._join(bridge, command.call, leg))
        except AriRefused as trouble:
            logger.info("the first attempt to join failed: %s", trouble, extra={"call_id": command.call})
            await asyncio.sleep(CONNECT_RETRY)
            try:
                if isinstance(trouble, AriNotFound):
                    # No bridge is made while a rest of one with its id is left: seen when a desk was killed at it.
                    await self._drop_bridge(command.call)
                    bridge = bridge_of(command.call, instead=command.offer)
                    await self._make_bridge(command.call, bridge)
                await self._join(bridge, command.call, leg)
            except AriRefused:
                await self._drop_bridge(command.call)
                raise
        self._post(PartiesConnected(command.agent, command.call, command.offer))

    async def _make_bridge(self, call: CallId, bridge: str) -> None:
        with contextlib.suppress(AriConflict):  # it exists, as when the reply to its making was lost
            await self._ari.request("POST", path("bridges", bridge), type="mixing")
        self._bridges[call] = bridge

    async def _join(self, bridge: str, caller: str, leg: str) -> None:
        await self._ari.request("POST", path("bridges", bridge, "addChannel"), channel=f"{caller},{leg}")

    async def _silence(self, call: CallId) -> None:
        """Whatever a waiting caller hears is over."""
        if endings := self._sound.end(call):
            await asyncio.gather(*(self._tolerating_gone(*ending) for ending in endings))

    async def _hang_up_caller(self, call: CallId, farewell: Farewell) -> None:
        if farewell is Farewell.NONE:
            self._sound.forget(call)
            if self._parting is not None and not await self._parting(call, self.bridge(call)):
                return
            reason = None
        else:
            await self._silence(call)
            reason = await self._callers.say_farewell(call, farewell)
        if await self._tolerating_gone("DELETE", path("channels", call), reason):
            self._callers.left(call)
            if self._people is not None:
                self._people.forget(call)

    async def _drop_bridge(self, call: CallId) -> None:
        if (bridge := self._bridges.pop(call, None)) is not None:
            await self._tolerating_gone("DELETE", path("bridges", bridge))

    async def _tolerating_gone(self, method: str, uri: str, reason: str | None = None) -> bool:
        """Whether the thing was gone already, which is what we wanted or what we shall be told."""
        try:
            await self._ari.request(method, uri, reason=reason)
        except (AriNotFound, AriNotOurs, AriConflict) as trouble:
            logger.debug("%s %s: %s", method, uri, trouble)
            return isinstance(trouble, AriNotFound)
        return False

    # ---- news from the PBX -----------------------------------------------------------------------------------------

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        if self._people is not None:
            self._people.hear(event)
        match event:
            case StasisStart(_, args):
                arrived = purpose(args)
                if isinstance(arrived, AgentLeg):
                    self._answered(arrived)
            case ChannelHangupRequest(channel_id, by_request=False):
                self._phone_hung_up(channel_id)
            case StasisEnd(channel_id):
                self._gone(channel_id, 16, None)
            case ChannelDestroyed(channel_id, cause, _, tech_cause):
                self._gone(channel_id, cause, tech_cause)
            case PlaybackFinished(playback_id, channel_id):
                self._sound.finished(playback_id, channel_id)
            case _:
                return

    def _answered(self, arrived: AgentLeg) -> None:
        # Also when the offer was withdrawn meanwhile: the ACD knows, and asks us to hang up.
        leg = self._legs.setdefault(agent_leg(arrived.offer, arrived.call), _Leg(arrived))
        self._on_their_way.settled(agent_leg(arrived.offer, arrived.call))
        if not leg.answered:
            leg.answered = True
            self._post(AgentAnswered(arrived.agent, arrived.call, arrived.offer))

    def _phone_hung_up(self, channel: str) -> None:
        """An agent's conversation is over some milliseconds before the PBX is done with it: the next caller gains them.

        Of a phone that has not been answered yet, only the end says why.
        """
        leg = self._legs.get(channel)
        if leg is not None and leg.answered and not leg.withdrawn:
            self._gone(channel, 16, None)

    def _gone(self, channel: str, cause: int, sip: int | None) -> None:
        leg = self._legs.pop(channel, None)
        if leg is not None:
            self._ringback.discard(channel)
            self._on_their_way.settled(channel)
            self._leg_gone(leg.purpose, ring_failure(cause, sip), answered=leg.answered, withdrawn=leg.withdrawn)
            return
        self._forget_call(CallId(channel))
        if CallId(channel) in self._bridges:
            self._lanes.put(CallId(channel), _DropBridge(CallId(channel)))

    def _forget_call(self, call: CallId) -> None:
        self._sound.forget(call)
        self._chosen.pop(call, None)

    def _leg_gone(self, leg: AgentLeg, failure: RingFailure, *, answered: bool, withdrawn: bool = False) -> None:
        """Report the end of an agent's leg, as what it means for the call."""
        if not withdrawn and answered:
            self._post(AgentHungUp(leg.agent, leg.call, leg.offer))
        elif not withdrawn:
            self._post(RingFailed(leg.agent, leg.call, leg.offer, failure.value))
        if answered and leg.call in self._bridges:
            self._lanes.put(leg.call, _DropBridge(leg.call))


def _another_time(command: _Task) -> _Task:
    """What is done when the line dropped during a command."""
    if isinstance(command, HangUpCaller):
        return HangUpCaller(command.call, Farewell.NONE)  # they have heard it, or never will
    return command


async def _in_order(*requests: Coroutine[Any, Any, object]) -> None:
    """Send requests one after the other without waiting for the replies between; raises what the last one raises."""
    *others, last = await asyncio.gather(*requests, return_exceptions=True)
    if isinstance(last, BaseException):
        for trouble in others:
            if isinstance(trouble, BaseException):
                logger.info("a request sent before one that failed: %s", trouble)
        raise last


