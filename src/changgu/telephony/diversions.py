"""Serves callers who have left a queue by other means: voice mail, a call-back, a sentence, an outside number.

Whatever comes in between, the caller either gets what they wanted (`MenuEnded`), goes back to their place
(`CallArrived`), or has hung up (`CallerHungUp`, told by `inbound`). A caller who hangs up after leaving a message, or
after being promised a call, has got what they wanted.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from changgu.acd.commands import Divert
from changgu.acd.events import CallArrived, CallbackAsked, Event, MenuEnded
from changgu.acd.facts import Outcome
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Destination, Way
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Prompt
from changgu.ivr_flows.session import DigitsGathered, NothingPressed, WaitDigits
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriNotFound, AriTrouble
from changgu.telephony.ari.messages import AriEvent, ChannelDestroyed, RecordingFinished, StasisEnd, StasisStart
from changgu.telephony.callbacks import callback_id
from changgu.telephony.dial_plan import Dialable, DialPlan, Refusal
from changgu.telephony.handset import Visitor
from changgu.telephony.ivr_player import IvrPlayer
from changgu.telephony.legs import OutsideLeg, call_of_outside, outside_leg, purpose, stasis_args
from changgu.telephony.numbers import caller_id

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 180
"""Seconds of a voice mail; the menu sets its own."""
SILENCE_ENDS_IT = 8
"""Seconds of silence that end a voice mail."""
SHORTEST_MESSAGE = 1
"""Seconds of speech below which nothing was said."""
WAV_HEADER = 44
BYTES_A_SECOND = 16_000
"""Of 16-bit sound at 8 kHz."""
FILE_PATIENCE = 15.0
"""Seconds beyond the longest message in which we must have heard of its end."""
STOPPED_WITHIN = 3.0
"""Seconds in which the PBX ends a recording that it was told to end."""

QUESTIONS = 3
"""How often a caller is asked for one thing before they go back to their place."""
LONGEST_NUMBER = 15
ONE_KEY = WaitDigits(1, 6.0, 1.0, ends_at_once="")
A_NUMBER = WaitDigits(LONGEST_NUMBER, 10.0, 5.0, terminator="#", ends_at_once="")

ASK_AGAIN = 1.0
"""Seconds until the PBX is asked again for what it could not tell."""

COUNTED_WITHIN = 5.0
"""Seconds for which a caller waits until it is known who was put through before we were started."""

OUTSIDE_RING_LIMIT = 40
"""Seconds for which an outside number rings."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_NAME = re.compile(r"voicemail\.(?P<queue>[A-Za-z0-9_-]+)\.(?P<call>.+)")


@dataclass(frozen=True, slots=True)
class Message:
    """A voice mail."""

    call: CallId
    queue: QueueName
    caller: str | None
    """The number that the network presented."""
    seconds: float
    sound: bytes
    """A WAV file: 8 kHz, mono, 16 bit."""


class Voicemails(Protocol):
    """Keeps voice mail."""

    async def keep(self, message: Message) -> None:
        """Keep it for good; raises when that is not possible."""
        ...


@dataclass(slots=True)
class _Outside:
    """A leg to an outside number."""

    answered: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    destroyed: bool = False
    """The last news of it has been heard."""
    over: bool = False
    """We are done with it; kept until the last news of it, which would be a stranger's otherwise."""

    async def settled(self) -> bool:
        """Wait for either; whether somebody answered."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.answered, self.gone)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return self.answered.is_set() and not self.gone.is_set()


class Diversions:
    """One way out of a queue after the other, each in its caller's task. `hear` is given every ARI event."""

    def __init__(
        self, ari: Ari, player: IvrPlayer, post: Callable[[Event], None], language: str,
        plan: Callable[[], DialPlan], shown: Callable[[], str], voicemails: Voicemails | None,
        spawn: Callable[[Coroutine[Any, Any, bool]], asyncio.Task[bool]],
    ) -> None:  # fmt: skip
        """`shown` is the number that people outside see; `spawn` starts what must outlive a caller's visit."""
        self._ari = ari
        self._player = player
        self._post = post
        self._language = language
        self._plan = plan
        self._shown = shown
        self._voicemails = voicemails
        self._spawn = spawn
        self._messages: dict[str, asyncio.Future[RecordingFinished]] = {}
        self._went_on: dict[str, CallId] = {}
        """Messages whose end we did not hear in time, and whose callers are served on, by the name of the message."""
        self._fetching: set[str] = set()
        """Messages from before that are being fetched."""
        self._outside: dict[str, _Outside] = {}
        """By the name of the leg."""
        self._past: set[str] = set()
        """Legs to outside numbers from before we began, which are still up."""
        self._ended: set[str] | None = None
        """Channels that ended since we began to ask which are up; None: nobody asks."""
        self._counted = asyncio.Event()
        """Set once the PBX has told who was put through before we began: until then there may be any number."""

    async def serve(self, visitor: Visitor, divert: Divert) -> None:
        """Do what the command asks, to its end. A menu is not for us: `inbound` walks it."""
        await self._player.answering.if_put_off(divert.call)  # also who is only recorded, or put through
        match divert.to.way:
            case Way.VOICEMAIL:
                await self._voicemail(visitor, divert)
            case Way.CALLBACK:
                await self._callback(visitor, divert)
            case Way.ANNOUNCE:
                await self._say(visitor, NamedPrompt(divert.to.name))
                self._post(MenuEnded(divert.call, served=False))
            case Way.NUMBER:
                await self._number(visitor, divert)
            case _:
                raise ValueError(f"nobody is diverted to {divert.to}")

    async def interrupt(self, call: CallId) -> None:
        """The desk ends the call and has something to say first: nothing else shall be going on."""
        for name in [name for name in self._messages if _call_of(name) == call]:
            await self._tolerating("POST", path("recordings", "live", name, "stop"))
        await self._end_outside(call)

    def line_is_up(self) -> None:
        """Messages may have ended unheard of while the line was down."""
        for name, message in self._messages.items():
            self._spawn(self._look_after(name, message))
        self._spawn(self._find_outside())
        if self._voicemails is not None:
            self._spawn(self._find_messages())

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        match event:
            case RecordingFinished(name):
                message = self._messages.get(name)
                if message is None:
                    self._from_before(name)
                elif not message.done():
                    message.set_result(event)
            case StasisStart(_, args):
                leg = purpose(args)
                if isinstance(leg, OutsideLeg) and (outside := self._outside.get(outside_leg(leg.call))):
                    outside.answered.set()
            case StasisEnd(channel_id):
                if outside := self._outside.get(channel_id):
                    outside.gone.set()
            case ChannelDestroyed(channel_id):
                for name in [name for name, call in self._went_on.items() if call == channel_id]:
                    del self._went_on[name]
                self._outside_destroyed(channel_id)
            case _:
                return

    # ---- voice mail ------------------------------------------------------------------------------------------------

    async def _voicemail(self, visitor: Visitor, divert: Divert) -> None:
        call = divert.call
        if self._voicemails is None:
            logger.warning("a caller was to leave a message, and nobody keeps any", extra={"call_id": call})
            await self._back(visitor, divert, "voicemail_failed")
            return
        prompt = (NamedPrompt("voicemail_prompt"),)
        await self._player.say(visitor.handset, prompt, self._spoken(visitor), interruptible=True)  # a key: to the tone
        is_kept = await self._take_message(self._voicemails, visitor, divert, LONGEST_MESSAGE)
        if is_kept is None:
            await self._back(visitor, divert, "voicemail_failed")
        elif is_kept:
            await self._say(visitor, NamedPrompt("voicemail_thanks"))
            self._post(MenuEnded(call, served=True, outcome=Outcome.VOICEMAIL))
        else:
            self._post(MenuEnded(call, served=False))

    async def take_message(self, visitor: Visitor, queue: QueueName, longest: int) -> bool:
        """Record a caller who is in the menu, `longest` seconds at most; whether they said something, and it is kept.
        Should they hang up meanwhile or afterwards, they have got what they wanted."""
        if self._voicemails is None:
            return False
        divert = Divert(visitor.handset.call, queue, Destination(Way.VOICEMAIL))
        return bool(await self._take_message(self._voicemails, visitor, divert, longest))

    async def _take_message(
        self, voicemails: Voicemails, visitor: Visitor, divert: Divert, longest: int
    ) -> bool | None:
        """Whether the caller said something and it is kept; None when nothing could be recorded."""
        call = divert.call
        visitor.handset.forget_keys()
        name = _recording_name(divert.queue, call)
        finished = self._messages[name] = asyncio.get_running_loop().create_future()
        kept = self._spawn(self._keep(voicemails, visitor, divert, name, finished, longest))
        left = MenuEnded(call, served=True, outcome=Outcome.VOICEMAIL)

        async def hung_up() -> Event | None:
            return left if await kept else None

        visitor.afterwards = hung_up
        try:
            await self._ari.request(
                "POST", path("channels", call, "record"), name=name, format="wav", ifExists="overwrite", beep=True,
                maxDurationSeconds=longest, maxSilenceSeconds=SILENCE_ENDS_IT, terminateOn="#",
            )  # fmt: skip
        except AriTrouble as trouble:
            logger.warning("a message could not be recorded: %s", trouble, extra={"call_id": call})
            kept.cancel()
            visitor.afterwards = None
            await self._tolerating("POST", path("recordings", "live", name, "stop"))
            return None
        is_kept = await asyncio.shield(kept)
        visitor.handset.forget_keys()  # the # that ended it
        if not is_kept:
            visitor.afterwards = None
            self._went_on[name] = call  # should the end of it be told yet, it ends nobody's call
        return is_kept

    async def _keep(
        self, voicemails: Voicemails, visitor: Visitor, divert: Divert, name: str,
        finished: asyncio.Future[RecordingFinished], longest: int,
    ) -> bool:  # fmt: skip
        """Whether the caller said something and it is kept. Goes on when they have hung up."""
        try:
            ended = await self._end_of(name, finished, longest)
            return await self._fetch(voicemails, divert.call, divert.queue, visitor.identity.number, name, ended)
        except Exception:  # one message's edge: it is still at the PBX, and is fetched when the line comes up again
            logger.exception("a message could not be kept; the PBX has it as %s", name, extra={"call_id": divert.call})
            return False
        finally:
            self._messages.pop(name, None)

    async def _end_of(self, name: str, finished: asyncio.Future[RecordingFinished], longest: int) -> RecordingFinished:
        """A message that is not over when it must be is ended: nobody is recorded while the menu goes on."""
        try:
            async with asyncio.timeout(longest + FILE_PATIENCE):
                return await asyncio.shield(finished)
        except TimeoutError:
            if await self._tolerating("POST", path("recordings", "live", name, "stop")):
                return RecordingFinished(name, 0, None, failed=False)  # it had ended, unheard of; the file tells more
        async with asyncio.timeout(STOPPED_WITHIN):
            return await finished

    async def _fetch(
        self, voicemails: Voicemails, call: CallId, queue: QueueName, caller: str | None, name: str,
        ended: RecordingFinished,
    ) -> bool:  # fmt: skip
        """Take a message from the PBX and keep it; whether there was one."""
        if ended.failed:
            return False
        try:
            sound = await self._ari.download(path("recordings", "stored", name, "file"))
        except AriNotFound:
            return False  # they hung up before the tone
        seconds = max(0, len(sound) - WAV_HEADER) / BYTES_A_SECOND
        spoken = seconds if ended.talking is None else min(seconds, ended.talking)
        if spoken >= SHORTEST_MESSAGE:
            await voicemails.keep(Message(call, queue, caller, seconds, sound))
        await self._tolerating("DELETE", path("recordings", "stored", name))
        return spoken >= SHORTEST_MESSAGE

    async def _find_messages(self) -> bool:
        """Messages that nobody fetched, because we were away when they ended, or could not keep them then."""
        try:
            stored = await self._ari.request("GET", path("recordings", "stored"))
            for name in [one["name"] for one in stored]:
                if name not in self._messages and not await self._is_being_left(name):
                    self._from_before(name)
        except AriTrouble as trouble:
            logger.info("could not ask for messages: %s", trouble)
            return False
        return True

    async def _is_being_left(self, name: str) -> bool:
        try:
            await self._ari.request("GET", path("recordings", "live", name))
        except AriNotFound:
            return False
        return True

    def _from_before(self, name: str) -> None:
        found = _NAME.fullmatch(name)
        if found is not None and self._voicemails is not None and name not in self._fetching:
            self._fetching.add(name)
            self._spawn(self._fetch_late(self._voicemails, CallId(found["call"]), QueueName(found["queue"]), name))

    async def _fetch_late(self, voicemails: Voicemails, call: CallId, queue: QueueName, name: str) -> bool:
        try:
            ended = RecordingFinished(name, 0, None, failed=False)  # the file tells how long it is
            kept = await self._fetch(voicemails, call, queue, None, name, ended)
        except Exception:  # one message's edge
            logger.exception("a message could not be kept; the PBX has it as %s", name, extra={"call_id": call})
            return False
        finally:
            self._fetching.discard(name)
        if kept and name not in self._went_on:
            # Should the caller still be on the line, nobody serves them on: they have done what they came for.
            self._post(MenuEnded(call, served=True, outcome=Outcome.VOICEMAIL))
        return kept

    async def _look_after(self, name: str, message: asyncio.Future[RecordingFinished]) -> bool:
        """Whether the message has ended."""
        try:
            await self._ari.request("GET", path("recordings", "live", name))
        except AriNotFound:
            if not message.done():
                message.set_result(RecordingFinished(name, 0, None, failed=False))  # the file tells how long it is
            return True
        except AriTrouble as trouble:
            logger.info("could not ask after a message: %s", trouble)
        return False

    # ---- call-back -------------------------------------------------------------------------------------------------

    async def _callback(self, visitor: Visitor, divert: Divert) -> None:
        way = self._plan().way(visitor.identity.number or "")
        number = way.number if isinstance(way, Dialable) else None
        refused = False
        for _ in range(QUESTIONS):
            if number is None:
                number, refused = await self._ask_number(visitor, refused)
                if number is None:
                    continue
            question = (NamedPrompt("callback_number_is"), DigitsPrompt(number), NamedPrompt("callback_confirm"))
            match await self._player.ask(visitor.handset, question, self._spoken(visitor), ONE_KEY):
                case DigitsGathered("1"):
                    await self._promise(visitor, divert, number)
                    return
                case DigitsGathered("2"):
                    number = None
                case DigitsGathered("0" | "*"):
                    break
                case _:
                    continue
        await self._back(visitor, divert, "callback_declined")

    async def _ask_number(self, visitor: Visitor, refused: bool) -> tuple[str | None, bool]:
        """A number that may be dialled, if they key one in; and whether one was refused."""
        question: list[Prompt] = [NamedPrompt("callback_number_refused")] if refused else []
        question.append(NamedPrompt("callback_enter_number"))
        match await self._player.ask(visitor.handset, question, self._spoken(visitor), A_NUMBER):
            case DigitsGathered(digits) if digits:
                way = self._plan().way(digits.rpartition("*")[2])
                if isinstance(way, Dialable):
                    return way.number, False
                logger.info("no call-back to a number: %s", way.value, extra={"call_id": visitor.handset.call})
                return None, True
            case DigitsGathered() | NothingPressed():
                return None, False

    async def _promise(self, visitor: Visitor, divert: Divert, number: str) -> None:
        promised = self._book(visitor, divert.queue, number)
        await self._say(visitor, NamedPrompt("callback_promised"))
        self._post(promised)

    def _book(
        self, visitor: Visitor, queue: QueueName, number: str, priority: int = 0, skills: frozenset[str] = frozenset()
    ) -> MenuEnded:
        """From now on they have got what they wanted; what is to be told when they have heard so."""
        call, language = visitor.handset.call, visitor.told_language(self._language)
        asked = CallbackAsked(callback_id(call, number), number, queue, call, priority, skills, language=language)
        promised = MenuEnded(call, served=True, outcome=Outcome.CALLBACK)

        async def hung_up() -> Event:
            return promised

        self._post(asked)
        visitor.afterwards = hung_up
        return promised

    def promise(self, visitor: Visitor, queue: QueueName, number: str, priority: int, skills: frozenset[str]) -> bool:
        """A caller in the menu is to be called back; whether that number may be dialled."""
        way = self._plan().way(number)
        if isinstance(way, Refusal):
            logger.info("no call-back to a number: %s", way.value, extra={"call_id": visitor.handset.call})
            return False
        self._book(visitor, queue, way.number, priority, skills)
        return True

    # ---- a fax -----------------------------------------------------------------------------------------------------

    async def hand_to_fax(self, visitor: Visitor, queue: QueueName) -> bool:
        """Give a machine that wants to send to the PBX, which writes what comes; False when it cannot be given.

        It leaves us with that: its task ends when the news of it comes, and what it came for is done.
        """
        call = visitor.handset.call
        received = MenuEnded(call, served=True)

        async def gone() -> Event:
            return received

        visitor.afterwards, visitor.handed_over = gone, True
        try:
            await self._ari.request("POST", path("channels", call, "variable"), variable="FAXQUEUE", value=queue)
            await self._ari.request(
                "POST", path("channels", call, "continue"), context="fax", extension="receive", priority=1
            )
        except AriTrouble as trouble:
            logger.warning("a fax could not be taken: %s", trouble, extra={"call_id": call})
            visitor.afterwards, visitor.handed_over = None, False
            return False
        await asyncio.Event().wait()
        return True

    # ---- an outside number -----------------------------------------------------------------------------------------

    async def _number(self, visitor: Visitor, divert: Divert) -> None:
        if await self.put_through(visitor, divert.to.name):
            self._post(MenuEnded(divert.call, served=True, outcome=Outcome.REDIRECTED))
        else:
            await self._back(visitor, divert, "number_failed")

    async def put_through(self, visitor: Visitor, number: str) -> bool:
        """Have a caller talk with an outside number, to the end of that; whether they did."""
        call = visitor.handset.call
        way = self._plan().way(number)
        if isinstance(way, Refusal):
            logger.warning("a caller cannot be put through outside: %s", way.value, extra={"call_id": call})
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(self._counted.wait(), COUNTED_WITHIN)
        if not self._counted.is_set() or self.outside_now >= self._plan().most_at_once:
            logger.warning("a caller is not put through: too many are, or it is not known", extra={"call_id": call})
            return False
        ended = MenuEnded(call, served=True, outcome=Outcome.REDIRECTED)
        outside = self._outside[outside_leg(call)] = _Outside()

        async def hung_up() -> Event | None:
            await self._end_outside(call)
            return ended if outside.answered.is_set() else None

        visitor.afterwards = hung_up
        if await self._reach(call, way, outside):
            await outside.gone.wait()
            await self._end_outside(call)
            return True
        visitor.afterwards = None
        await self._end_outside(call)
        return False

    @property
    def outside_now(self) -> int:
        """How many callers talk with outside numbers, or are about to."""
        return len(self._past) + sum(not outside.over for outside in self._outside.values())

    async def _find_outside(self) -> bool:
        """Those who were put through before we began count as well, until their legs end."""
        while True:
            ended = self._ended = set()
            try:
                there = {channel["id"] for channel in await self._ari.request("GET", path("channels"))}
            except AriAway:
                self._ended = None
                return False  # asked again when the line is up again
            except AriTrouble as trouble:
                logger.warning("could not ask for calls outside: %s", trouble)
                await asyncio.sleep(ASK_AGAIN)
                continue
            outside = {name for name in there if call_of_outside(name) is not None}
            self._past = outside - self._outside.keys() - ended
            self._ended = None
            self._counted.set()
            return True

    async def _reach(self, call: CallId, way: Dialable, outside: _Outside) -> bool:
        """Whether the caller and the outside number hear each other."""
        leg = outside_leg(call)
        ring = path("channels", call, "ring")
        try:
            await self._tolerating("POST", ring)
            await self._ari.request(
                "POST", path("channels"), endpoint=way.endpoint, app=self._ari.app,
                appArgs=stasis_args(OutsideLeg(call)), channelId=leg, callerId=caller_id(self._shown()),
                timeout=OUTSIDE_RING_LIMIT, originator=call,
            )  # fmt: skip
            async with asyncio.timeout(OUTSIDE_RING_LIMIT + FILE_PATIENCE):
                answered = await outside.settled()
            await self._tolerating("DELETE", ring)
            if not answered:
                return False
            await self._ari.request("POST", path("bridges", leg), type="mixing")
            await self._ari.request("POST", path("bridges", leg, "addChannel"), channel=f"{call},{leg}")
        except (AriTrouble, TimeoutError) as trouble:
            logger.info("an outside number was not reached: %s", trouble, extra={"call_id": call})
            await self._tolerating("DELETE", ring)
            return False
        return True

    async def _end_outside(self, call: CallId) -> None:
        leg = outside_leg(call)
        outside = self._outside.get(leg)
        if outside is None or outside.over:
            return
        outside.over = True
        gone = await self._tolerating("DELETE", path("channels", leg))
        await self._tolerating("DELETE", path("bridges", leg))
        if gone or outside.destroyed:
            self._outside.pop(leg, None)

    def _outside_destroyed(self, leg: str) -> None:
        self._past.discard(leg)
        if self._ended is not None:
            self._ended.add(leg)
        outside = self._outside.get(leg)
        if outside is not None:
            outside.destroyed = True
            outside.gone.set()
            if outside.over:
                del self._outside[leg]
        elif (call := call_of_outside(leg)) is not None:
            # The two were put through before a restart of ours; the caller is alone in the bridge now.
            self._spawn(self._end_of_past(call))

    async def _end_of_past(self, call: CallId) -> bool:
        await self._tolerating("DELETE", path("bridges", outside_leg(call)))
        self._post(MenuEnded(call, served=True, outcome=Outcome.REDIRECTED))
        return True

    # ---- all of them -----------------------------------------------------------------------------------------------

    def _spoken(self, visitor: Visitor) -> str:
        return visitor.language or self._language

    async def _say(self, visitor: Visitor, *prompts: Prompt) -> None:
        await self._player.say(visitor.handset, prompts, self._spoken(visitor), interruptible=False)

    async def _back(self, visitor: Visitor, divert: Divert, why: str) -> None:
        """To the queue, in the place they had, with all that was wanted for them; the place the ACD knows."""
        await self._say(visitor, NamedPrompt(why))
        visitor.handset.forget_keys()
        arrived = visitor.arrived or CallArrived(divert.call, divert.queue)
        self._post(replace(arrived, queue=divert.queue, since=None))

    async def _tolerating(self, method: str, uri: str) -> bool:
        """Whether the thing was gone already, which is what we wanted."""
        try:
            await self._ari.insist(partial(self._ari.request, method, uri))
        except AriTrouble as trouble:
            logger.debug("%s %s: %s", method, uri, trouble)
            return isinstance(trouble, AriNotFound)
        return False


def _recording_name(queue: QueueName, call: CallId) -> str:
    """What a message is called at the PBX: all that is needed to keep it after a restart, and nobody's number."""
    safe = call if _SAFE_NAME.fullmatch(call) else hashlib.sha256(call.encode()).hexdigest()[:40]
    return f"voicemail.{queue}.{safe}"


def _call_of(name: str) -> CallId | None:
    found = _NAME.fullmatch(name)
    return CallId(found["call"]) if found else None
