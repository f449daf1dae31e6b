"""Takes every caller from the first ring through the menu to a queue, one task per caller.

A caller's task ends when the menu has handed them over; from then on only their hang-up is reported. A task that
fails ends its own call with an apology, and no other.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from changgu.acd.commands import Farewell
from changgu.acd.events import CallArrived, CallerDialledIn, CallerHungUp, Event, MenuEnded
from changgu.acd.identity import CallId, QueueName
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import NamedPrompt, Prompt
from changgu.ivr_flows.session import HangUp, PersonWanted, ToQueue, Visit, resume, start
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriConflict, AriLate, AriNotFound, AriNotOurs, AriTrouble
from changgu.telephony.ari.messages import (
    AriEvent,
    Channel,
    ChannelDestroyed,
    ChannelDtmfReceived,
    PlaybackFinished,
    StasisEnd,
    StasisStart,
)
from changgu.telephony.farewells import farewell_prompts
from changgu.telephony.handset import CallerIdentity, Handset
from changgu.telephony.ivr_player import RECONNECT_LIMIT, IvrPlayer
from changgu.telephony.legs import Caller, Returned, purpose
from changgu.telephony.numbers import NumberPlan, ToMenu, ToQueueDirectly, presented

logger = logging.getLogger(__name__)

SHORT_GREETING: tuple[Prompt, ...] = (NamedPrompt("greeting"), NamedPrompt("recording_notice"))
"""What a caller hears, to its end, who dialled a queue's own number."""


@dataclass(slots=True)
class _Visitor:
    """One caller on the line."""

    identity: CallerIdentity
    handset: Handset
    task: asyncio.Task[None] | None = None
    released: bool = False
    """The desk ends this call itself; the ACD need not be told that it has ended."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the desk answers with; read anew for each caller, so that a change needs no restart."""

    numbers: Callable[[], NumberPlan]
    menu: Callable[[str], Flow]
    """The published menu for a dialled number."""
    language: str = "ko"
    short_greeting: Sequence[Prompt] = field(default=SHORT_GREETING)


class Inbound:
    """All callers on the line. `hear` is given every ARI event; `run` must be running."""

    def __init__(self, ari: Ari, player: IvrPlayer, post: Callable[[Event], None], desk: Desk) -> None:
        self._ari = ari
        self._player = player
        self._post = post
        self._desk = desk
        self._visitors: dict[CallId, _Visitor] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.failed = 0
        """Calls that ended because their task failed."""

    async def run(self) -> None:
        """Hold the callers' tasks until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await asyncio.Event().wait()
        finally:
            self._tasks = None

    @property
    def callers(self) -> Mapping[CallId, CallerIdentity]:
        """Everybody on the line, in the menu or past it."""
        return {call: visitor.identity for call, visitor in self._visitors.items()}

    def knows(self, call: CallId) -> bool:
        """Whether this caller is on the line."""
        return call in self._visitors

    def identity(self, call: CallId) -> CallerIdentity | None:
        """Who is calling, if they are on the line."""
        visitor = self._visitors.get(call)
        return visitor.identity if visitor else None

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        match event:
            case StasisStart(channel, args):
                match purpose(args):
                    case Caller(dialled):
                        self.welcome(channel, dialled)
                    case Returned(queue):
                        self.take_back(channel, queue)
                    case _:
                        return
            case StasisEnd(channel_id) | ChannelDestroyed(channel_id):
                self.left(CallId(channel_id))
            case ChannelDtmfReceived(channel_id, digit, held, at):
                if visitor := self._visitors.get(CallId(channel_id)):
                    visitor.handset.press(digit, at, held)
            case PlaybackFinished(playback_id, channel_id, failed):
                if visitor := self._visitors.get(CallId(channel_id)):
                    if failed:
                        # Also when the caller hung up meanwhile, of which we hear a moment later.
                        logger.info("a prompt was not played to its end", extra={"call_id": channel_id})
                    visitor.handset.playback_finished(playback_id)
            case _:
                return

    # ---- callers come ----------------------------------------------------------------------------------------------

    def welcome(self, channel: Channel, dialled: str) -> None:
        """A caller dialled one of our numbers."""
        call = CallId(channel.id)
        if self.knows(call):
            return
        visitor = self._register(channel, dialled)
        self._post(CallerDialledIn(call, visitor.identity.number, dialled))
        self._begin(visitor, self._visit(visitor))

    def take_back(self, channel: Channel, queue: QueueName) -> None:
        """A caller comes back from the shadow queue, in which they waited while we were away: no menu again."""
        call = CallId(channel.id)
        if self.knows(call):
            return
        visitor = self._register(channel, self._desk.numbers().desk)
        self._post(CallerDialledIn(call, visitor.identity.number, visitor.identity.dialled))
        self._post(CallArrived(call, queue))

    def adopt(self, channel: Channel, dialled: str) -> None:
        """A caller whom the ledger knows is still on the line after we were away; nothing to do but to listen."""
        if not self.knows(CallId(channel.id)):
            self._register(channel, dialled)

    def greet_again(self, channel: Channel, dialled: str) -> None:
        """A caller who was in the menu when we went away: it starts again, once."""
        call = CallId(channel.id)
        if not self.knows(call):
            visitor = self._register(channel, dialled)
            self._begin(visitor, self._visit(visitor))

    async def after_gap(self) -> None:
        """The line to Asterisk was down: prompts may have ended unheard of."""
        for visitor in list(self._visitors.values()):
            if visitor.task is not None and not visitor.task.done():
                try:
                    await self._player.still_playing(visitor.handset)
                except AriTrouble as trouble:
                    logger.info("could not ask after a prompt: %s", trouble, extra={"call_id": visitor.handset.call})

    # ---- and go ----------------------------------------------------------------------------------------------------

    def left(self, call: CallId) -> None:
        """The caller's leg is gone, whoever ended it. Heard twice, it is reported once."""
        visitor = self._visitors.pop(call, None)
        if visitor is None:
            return
        visitor.handset.hung_up()
        if visitor.task is not None:
            visitor.task.cancel()
        if not visitor.released:
            self._post(CallerHungUp(call))

    def release(self, call: CallId) -> None:
        """The desk is about to hang up on this caller: their end is no news."""
        if visitor := self._visitors.get(call):
            visitor.released = True

    def forget(self, call: CallId) -> None:
        """The caller is gone, and whoever found out has reported it."""
        visitor = self._visitors.pop(call, None)
        if visitor is None:
            return
        visitor.handset.hung_up()
        if visitor.task is not None:
            visitor.task.cancel()

    async def say_farewell(self, call: CallId, farewell: Farewell) -> None:
        """Apologise to a caller, who is then to be hung up on."""
        visitor = self._visitors.get(call)
        prompts = farewell_prompts(self._desk.language, farewell)
        if visitor is None or not prompts:
            return
        if visitor.task is not None and visitor.task is not asyncio.current_task():
            visitor.task.cancel()
        try:
            await self._player.say(visitor.handset, prompts, self._desk.language, interruptible=False)
        except Exception as trouble:  # the last thing said to one caller: whatever fails here, the call ends anyway
            logger.warning("a farewell could not be said: %r", trouble, extra={"call_id": call})

    # ---- one caller's way ------------------------------------------------------------------------------------------

    def _register(self, channel: Channel, dialled: str) -> _Visitor:
        call = CallId(channel.id)
        identity = CallerIdentity(presented(channel.caller_number), channel.caller_name, dialled)
        visitor = self._visitors[call] = _Visitor(identity, Handset(call))
        return visitor

    def _begin(self, visitor: _Visitor, visit: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            raise RuntimeError("Inbound.run is not running")
        visitor.task = self._tasks.create_task(self._to_the_end(visitor.handset.call, visit))

    async def _to_the_end(self, call: CallId, visit: Coroutine[Any, Any, None]) -> None:
        try:
            await visit
        except (AriNotFound, AriNotOurs, AriConflict) as trouble:
            # The caller's channel left us in the middle of a request; its end is reported by `left`.
            logger.info("the caller left during the menu: %s", trouble, extra={"call_id": call})
        except Exception:  # one call's edge: it ends with an apology, and no other call does
            self.failed += 1
            logger.exception("a caller's visit failed", extra={"call_id": call})
            await self.say_farewell(call, Farewell.ERROR)
            self._post(MenuEnded(call, served=False))
            await self._drop(call)

    async def _visit(self, visitor: _Visitor) -> None:
        call, identity, language = visitor.handset.call, visitor.identity, self._desk.language
        await self._answer(call)
        match self._desk.numbers().destination(identity.dialled):
            case ToQueueDirectly(queue):
                await self._player.say(visitor.handset, self._desk.short_greeting, language, interruptible=False)
                self._post(CallArrived(call, queue))
            case ToMenu():
                await self._walk(visitor, self._desk.menu(identity.dialled))

    async def _walk(self, visitor: _Visitor, flow: Flow) -> None:
        identity, handset, language = visitor.identity, visitor.handset, self._desk.language
        clock = asyncio.get_running_loop().time
        latest = clock() + flow.limits.visit.total_seconds()
        turn = start(flow, Visit(identity.number, identity.dialled, language))
        while True:
            news = await self._player.perform(handset, turn, language)
            if news is None:
                break
            turn = resume(flow, turn.state, news if clock() < latest else PersonWanted())
        match turn.outcome:
            case ToQueue(queue, priority, skills):
                self._post(CallArrived(handset.call, QueueName(queue), priority, skills))
            case HangUp(served):
                self._post(MenuEnded(handset.call, served))
            case None:
                raise RuntimeError("a turn without a wait has no outcome")
            case _:
                assert_never(turn.outcome)

    async def _answer(self, call: CallId) -> None:
        while True:
            try:
                await self._ari.request("POST", path("channels", call, "answer"))
                return
            except (AriAway, AriLate):
                await self._ari.wait_connected(RECONNECT_LIMIT)

    async def _drop(self, call: CallId) -> None:
        try:
            await self._ari.request("DELETE", path("channels", call))
        except AriTrouble as trouble:
            logger.debug("nothing left to hang up: %s", trouble, extra={"call_id": call})
