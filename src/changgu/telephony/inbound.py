"""Takes every caller from the first ring through the menu to a queue, one task per caller.

A caller's task ends when the menu has handed them over; from then on only their keys and their hang-up are reported,
until the ACD leads them out of the queue by other means. A task that fails ends its own call with an apology, and no
other. Somebody whom we called back is on the line like a caller.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol, assert_never

import msgspec

from changgu.acd.commands import Divert, Farewell
from changgu.acd.events import (
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    Event,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
    PersonReached,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Way
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.menu_set import worded
from changgu.ivr_flows.nodes import NamedPrompt, NodeName, Prompt, TextPrompt
from changgu.ivr_flows.publishing.notices import (
    DESK,
    QUEUE,
    Announcement,
    Notice,
    looked_up,
    mark_of,
    parts_of,
    read_out,
)
from changgu.ivr_flows.session import (
    Done,
    HangUp,
    LookedUp,
    PersonWanted,
    Recorded,
    Step,
    ToQueue,
    Turn,
    Visit,
    WaitLookUp,
    resume,
    start,
)
from changgu.ivr_flows.session import Event as VisitEvent
from changgu.telephony.admission import Admission, Door, Verdict
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriConflict, AriNotFound, AriNotOurs, AriTrouble
from changgu.telephony.ari.messages import (
    AriEvent,
    Channel,
    ChannelDestroyed,
    ChannelDtmfReceived,
    PlaybackFinished,
    StasisEnd,
    StasisStart,
)
from changgu.telephony.dial_plan import DialPlan
from changgu.telephony.diversions import Diversions, Voicemails
from changgu.telephony.farewells import farewell_prompts
from changgu.telephony.handset import CallerIdentity, Handset, Standing, Visitor
from changgu.telephony.ivr_deeds import OUTCOMES, VisitDeeds
from changgu.telephony.ivr_player import IvrPlayer
from changgu.telephony.legs import Caller, Person, Returned, purpose
from changgu.telephony.numbers import NumberPlan, ToMenu, ToQueueDirectly, presented
from changgu.telephony.survey import AfterCall, Invitations, SurveyAsker

logger = logging.getLogger(__name__)

SHORT_GREETING: tuple[Prompt, ...] = (
    NamedPrompt("greeting"), NamedPrompt("machine_voice"), NamedPrompt("recording_notice")
)  # fmt: skip
"""What a caller hears, to its end, who dialled a queue's own number; as in the menu, a machine says that it is one."""


LONGEST_LOOK_UP = 0.15
"""Seconds after which a caller is queued without what the house knows of them."""


class Standings(Protocol):
    """Knows callers by their numbers."""

    def at_once(self, number: str) -> Standing | None:
        """The same if it is in memory: a task for it would cost callers more than the looking."""
        ...

    async def of_caller(self, number: str) -> Standing:
        """How this caller stands, by the number as the network presented it."""
        ...


class Menus(Protocol):
    """Which version of the menu a caller hears."""

    def flow_of(self, call: CallId, dialled: str) -> Flow:
        """The menu in force when this call was first asked about; the same one to its end."""
        ...


class Announcements(Protocol):
    """Notices that supervisors have put on the air (TEC-04)."""

    language: str
    """The desk's."""

    def for_call(self, call: str, place: str) -> Sequence[Notice]:
        """What is said to this caller at a place (see `ivr_flows.publishing.notices`) and was not said before."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the desk answers with; read anew for each caller, so that a change needs no restart."""

    numbers: Callable[[], NumberPlan]
    menu: Callable[[str], Flow]
    """The published menu for a dialled number."""
    language: str = "ko"
    short_greeting: Sequence[Prompt] = field(default=SHORT_GREETING)
    dial_plan: Callable[[], DialPlan] = DialPlan
    """Which outside numbers may be dialled; none, unless it is said."""
    voicemails: Voicemails | None = None
    """Who keeps voice mail; None: nobody, and callers are told so."""
    standings: Standings | None = None
    """Who knows VIPs and repeated incidents; None: all callers are alike."""
    menus: Menus | None = None
    """Who keeps versions of the menu; None: `menu` is the only one."""
    notices: Announcements | None = None
    """Who keeps notices; None: there are none."""
    takes_faxes: bool = False
    """Whether the PBX has a place for machines that send."""
    zone: tzinfo = UTC
    """In which callers live: `오늘` is said by it."""
    survey: AfterCall | None = None
    """Who has callers asked when the conversation is over; None: nobody is."""
    survey_calls: Invitations | None = None
    """Who is to be called for the survey; None: nobody is."""
    admission: Admission | None = None
    """How many callers may be in the menu or wait at once; None: any number."""

    def shown_number(self) -> str:
        """What people whom we call see."""
        return self.numbers().desk


class Inbound:
    """All callers on the line. `hear` is given every ARI event; `run` must be running."""

    def __init__(
        self, ari: Ari, player: IvrPlayer, post: Callable[[Event], None], desk: Desk,
        talking: Callable[[CallId], bool] = lambda call: False, conversations: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        """`talking` tells of a call whether an agent is on the line: its keys are nobody's business. `conversations`
        is the number of callers whom agents have on the line."""
        self._ari = ari
        self._talking = talking
        self._conversations = conversations
        self._player = player
        self._post = post
        self._desk = desk
        self._visitors: dict[CallId, Visitor] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.answering = player.answering
        self._diversions = Diversions(
            ari, player, post, desk.language, lambda: desk.dial_plan(), desk.shown_number, desk.voicemails, self._spawn
        )
        self._handed_over: set[CallId] = set()
        """Callers whose channel went on in the PBX's own dialplan, until the ACD wants them hung up."""
        self._door = Door(desk.admission)
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

    def language(self, call: CallId) -> str | None:
        """In which a caller on the line is spoken to; None: in the desk's own."""
        visitor = self._visitors.get(call)
        return visitor.language if visitor else None

    def visitor(self, call: CallId) -> Visitor | None:
        """All about a caller on the line."""
        return self._visitors.get(call)

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        self._diversions.hear(event)
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
                    self._pressed(visitor, digit, at, held)
            case PlaybackFinished(playback_id, channel_id, failed):
                if visitor := self._visitors.get(CallId(channel_id)):
                    if failed:
                        # Also when the caller hung up meanwhile, of which we hear a moment later.
                        logger.info("a prompt was not played to its end", extra={"call_id": channel_id})
                    visitor.handset.playback_finished(playback_id)

    # ---- callers come ----------------------------------------------------------------------------------------------

    def welcome(self, channel: Channel, dialled: str, since: Instant | None = None) -> None:
        """A caller dialled one of our numbers, at `since` if that was a while ago."""
        call = CallId(channel.id)
        if self.knows(call):
            return
        refused = not self._door.lets_in(call, len(self._visitors), self._conversations())
        visitor = self._register(channel, dialled)
        self._post(CallerDialledIn(call, visitor.identity.number, dialled, since, turned_away=refused))
        if not refused:  # whoever is, is counted by the ACD, which has them hung up on
            self._begin(visitor, self._visit(visitor))

    def take_back(self, channel: Channel, queue: QueueName) -> None:
        """A caller comes back from the shadow queue, in which they waited while we were away: no menu again.

        They have waited since they called: the plain queue takes callers at once.
        """
        call = CallId(channel.id)
        if self.knows(call):
            return
        since = channel.created_at or None
        visitor = self._register(channel, self._desk.numbers().desk)
        self._post(CallerDialledIn(call, visitor.identity.number, visitor.identity.dialled, since))
        self._post(CallArrived(call, queue, since=since))

    def adopt(self, channel: Channel, dialled: str, language: str = "") -> None:
        """A caller whom the ledger knows is still on the line after we were away; nothing to do but to listen.

        `language` is the one that they are spoken to in, as the ledger has it; empty: the desk's."""
        if not self.knows(CallId(channel.id)):
            self._register(channel, dialled, language, found_again=True)

    def greet_again(self, channel: Channel, dialled: str) -> None:
        """A caller who was in the menu when we went away: it starts again, once, in place of what they hear of it."""
        call = CallId(channel.id)
        if not self.knows(call):
            visitor = self._register(channel, dialled, found_again=True)
            self._begin(visitor, self._visit(visitor))

    def reached(self, channel: Channel, person: Person) -> None:
        """Somebody whom we called picked up."""
        call = CallId(channel.id)
        if not self.knows(call):
            identity = CallerIdentity(person.number, "", self._desk.numbers().desk)
            self._visitors[call] = Visitor(identity, Handset(call), known_language=person.language)
            self._post(PersonReached(call))

    def _pressed(self, visitor: Visitor, digit: str, at: float, held: float) -> None:
        call = visitor.handset.call
        if not visitor.handset.press(digit, at, held) or visitor.is_served:
            return
        # They wait, or talk: nobody else reads these keys, and the next menu must not find old ones.
        visitor.handset.forget_keys()
        if not visitor.released and not self._talking(call):
            self._post(KeyPressed(call, digit))

    def divert(self, command: Divert) -> None:
        """Lead a caller out of the queue by other means; never waits. What comes of it is told as an event."""
        visitor = self._visitors.get(command.call)
        if visitor is None:
            return  # their hang-up has been told
        if visitor.task is not None:
            visitor.task.cancel()
        visitor.handset.forget_keys()
        visitor.afterwards = None
        menu = command.to.way is Way.MENU
        way = self._walk_from(visitor, NodeName(command.to.name)) if menu else self._diversions.serve(visitor, command)
        self._begin(visitor, way)

    async def after_gap(self) -> None:
        """The line to Asterisk was down: prompts and messages may have ended unheard of."""
        self._diversions.line_is_up()
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
        self._door.gone(call)
        if visitor is None:
            return
        if visitor.handed_over:
            self._handed_over.add(call)
        self._settle(visitor, tell=not visitor.released)

    def release(self, call: CallId) -> None:
        """The desk is about to hang up on this caller: their end is no news."""
        if visitor := self._visitors.get(call):
            visitor.released = True

    async def parting(self, call: CallId, bridge: str) -> bool:
        """The desk is about to hang up on a caller without a word; whether it shall, once this returns.

        Whoever was answered and has stayed on the line may be asked the survey first (SAT-02).
        """
        if call in self._handed_over:
            self._handed_over.discard(call)
            return False
        visitor, survey = self._visitors.get(call), self._desk.survey
        if visitor is not None and survey is not None and self._tasks is not None and survey.wants(call):
            visitor.handset.forget_keys()
            await self._out_of_the_bridge(bridge)
            asker = SurveyAsker(self._player, visitor.language or self._desk.language)
            visitor.task = self._tasks.create_task(asker.after_call(visitor.handset, survey))
            await asyncio.wait({visitor.task})
        return True

    async def _out_of_the_bridge(self, bridge: str) -> None:
        try:
            await self._ari.request("DELETE", path("bridges", bridge))
        except AriTrouble as trouble:
            logger.debug("no bridge to leave: %s", trouble)

    def forget(self, call: CallId) -> None:
        """The caller is gone, and whoever found out has reported it."""
        visitor = self._visitors.pop(call, None)
        self._door.gone(call)
        if visitor is not None:
            self._settle(visitor, tell=False)

    def _settle(self, visitor: Visitor, *, tell: bool) -> None:
        visitor.handset.hung_up()
        self.answering.forget(visitor.handset.call)
        if isinstance(visitor.known, asyncio.Task):
            visitor.known.cancel()
        if visitor.task is not None:
            visitor.task.cancel()
        if visitor.afterwards is not None and self._tasks is not None:
            self._tasks.create_task(self._afterwards(visitor, tell))
        elif tell:
            self._post(CallerHungUp(visitor.handset.call))

    async def _afterwards(self, visitor: Visitor, tell: bool) -> None:
        call, came_to = visitor.handset.call, None
        assert visitor.afterwards is not None
        try:
            came_to = await visitor.afterwards()
        except Exception:  # one call's edge: whatever was left to do, the caller is gone, and that must be told
            logger.exception("what was left to do after a hang-up failed", extra={"call_id": call})
        if tell:
            self._post(came_to or CallerHungUp(call))

    async def say_farewell(self, call: CallId, farewell: Farewell) -> str | None:
        """Apologise to a caller who is then hung up on; with what reason, if with any."""
        visitor, verdict = self._visitors.get(call), self._door.verdict_on(call)
        language = (visitor.language if visitor is not None else None) or self._desk.language
        prompts = farewell_prompts(language, farewell)
        if verdict is Verdict.BUSY:
            return "busy"
        if visitor is None or not prompts:
            return None
        if visitor.task is not None and visitor.task is not asyncio.current_task():
            visitor.task.cancel()
        try:
            await self._diversions.interrupt(call)
            await self._player.hush(visitor.handset)
            await self._player.say(visitor.handset, prompts, language, interruptible=False)
        except Exception as trouble:  # the last thing said to one caller: whatever fails here, the call ends anyway
            logger.warning("a farewell could not be said: %r", trouble, extra={"call_id": call})
        return None

    # ---- one caller's way ------------------------------------------------------------------------------------------

    def _register(self, channel: Channel, dialled: str, language: str = "", *, found_again: bool = False) -> Visitor:
        call = CallId(channel.id)
        identity = CallerIdentity(presented(channel.caller_number), channel.caller_name, dialled)
        visitor = self._visitors[call] = Visitor(
            identity, Handset(call, found_again=found_again), known_language=language
        )
        if channel.state != "Up":
            self.answering.put_off(call)
        return visitor

    def _begin(self, visitor: Visitor, visit: Coroutine[Any, Any, None]) -> None:
        visitor.task = self._spawn(self._to_the_end(visitor.handset.call, visit))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        if self._tasks is None:
            raise RuntimeError("Inbound.run is not running")
        return self._tasks.create_task(work)

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

    async def _visit(self, visitor: Visitor) -> None:
        call, identity, language = visitor.handset.call, visitor.identity, self._desk.language
        visitor.known = self._look_up(visitor)
        match self._desk.numbers().destination(identity.dialled):
            case ToQueueDirectly(queue):
                await self._player.say(visitor.handset, self._desk.short_greeting, language, interruptible=False)
                await self._announce_all(visitor, (DESK, QUEUE + queue), language)
                await self._arrives(visitor, CallArrived(call, queue))
            case ToMenu():
                flow = self._menu_of(visitor)
                await self._walk(visitor, flow, start(flow, self._begun(visitor)))

    async def _walk_from(self, visitor: Visitor, node: NodeName) -> None:
        identity = visitor.identity
        flow = self._menu_of(visitor)
        if node not in flow.nodes:
            flow = self._desk.menu(identity.dialled)  # led there by rules that are newer than the call
        await self._walk(visitor, flow, start(flow, self._begun(visitor), node))

    def _begun(self, visitor: Visitor) -> Visit:
        today = datetime.now(self._desk.zone).date().isoformat()
        spoken = visitor.language or self._desk.language
        return Visit(visitor.identity.number, visitor.identity.dialled, spoken, today)

    async def _walk(self, visitor: Visitor, flow: Flow, turn: Turn) -> None:
        handset, deeds = visitor.handset, VisitDeeds(visitor, self._diversions, self._desk.takes_faxes)
        clock = asyncio.get_running_loop().time
        latest = clock() + flow.limits.visit.total_seconds()
        begins = visitor.arrived is None
        while True:
            said = worded(turn, flow.sentences)
            news = await self._perform(visitor, said, turn.state.visit.language, deeds, begins=begins)
            begins = False
            if news is None:
                break
            if isinstance(turn.wait, WaitLookUp) and isinstance(news, LookedUp):
                told = looked_up(turn.wait.source, news.found)
                visitor.notices |= dict([told] if told else [])
            # What has been done is done, however long it took: a talk outside that is over leads to no queue.
            is_late = clock() >= latest and not isinstance(news, Done | Recorded)
            turn = resume(flow, turn.state, PersonWanted() if is_late else news)
            visitor.language = turn.state.visit.language
        match turn.outcome:
            case ToQueue(queue, priority, skills, agent):
                wanted = AgentId(agent) if agent is not None else None
                handset.forget_keys()  # a second # after a number is no wish to leave the queue
                await self._arrives(visitor, CallArrived(handset.call, QueueName(queue), priority, skills, wanted))
            case HangUp(served, left):
                self._post(MenuEnded(handset.call, served, OUTCOMES.get(left)))
            case None:
                raise RuntimeError("a turn without a wait has no outcome")
            case _:
                assert_never(turn.outcome)

    def _menu_of(self, visitor: Visitor) -> Flow:
        menus, dialled = self._desk.menus, visitor.identity.dialled
        return self._desk.menu(dialled) if menus is None else menus.flow_of(visitor.handset.call, dialled)

    # ---- notices ---------------------------------------------------------------------------------------------------

    async def _perform(
        self, visitor: Visitor, turn: Turn, language: str, deeds: VisitDeeds, *, begins: bool
    ) -> VisitEvent | None:
        """One turn, with what is to be announced between its steps."""
        handset, notices = visitor.handset, self._desk.notices
        if notices is not None:
            parts = parts_of(turn, lambda place: notices.for_call(handset.call, place), begins=begins)
            steps: tuple[Step, ...] = ()
            for part in parts:
                if isinstance(part, Announcement):
                    only = Turn(steps, None, HangUp(served=False), turn.state)
                    await self._player.perform(handset, await self._read_out(visitor, only, language), language)
                    await self._announce(visitor, part.notice, language)
                    steps = ()
                else:
                    steps = part
            turn = replace(turn, steps=steps)
        return await self._player.perform(handset, await self._read_out(visitor, turn, language), language, deeds)

    async def _read_out(self, visitor: Visitor, turn: Turn, language: str) -> Turn:
        """Say what the menu was told of notices, and note that it was heard; what is left of the turn."""
        end, said = read_out(turn.steps, visitor.notices)
        if said:
            only = Turn(turn.steps[:end], None, HangUp(served=False), turn.state)
            await self._player.perform(visitor.handset, only, language)
        for notice in said:
            del visitor.notices[notice]
            self._post(MenuStepReached(visitor.handset.call, mark_of(notice), None))
        return replace(turn, steps=turn.steps[end:])

    async def _announce_all(self, visitor: Visitor, places: Sequence[str], language: str) -> None:
        said: set[int] = set()  # the board hears of it by the ledger, which may be later than the next place
        if self._desk.notices is not None:
            for place in places:
                for notice in self._desk.notices.for_call(visitor.handset.call, place):
                    if notice.id not in said:
                        said.add(notice.id)
                        await self._announce(visitor, notice, language)

    async def _announce(self, visitor: Visitor, notice: Notice, language: str) -> None:
        """Say it to its end, whatever is pressed; whoever hangs up before has not heard it."""
        assert self._desk.notices is not None
        spoken, text = notice.in_language(language, self._desk.notices.language)
        await self._player.say(visitor.handset, (TextPrompt(text),), spoken, interruptible=False)
        self._post(MenuStepReached(visitor.handset.call, mark_of(notice.id), None))

    # ---- to a queue ------------------------------------------------------------------------------------------------

    async def _arrives(self, visitor: Visitor, arrived: CallArrived) -> None:
        known = await self._standing(visitor)
        visitor.arrived = msgspec.structs.replace(
            arrived, priority=arrived.priority + known.priority, last_agent=known.last_agent, grounds=known.grounds,
            language=visitor.told_language(self._desk.language),
        )  # fmt: skip
        visitor.afterwards = None  # whatever they did in the menu: from here on they wait, and may give up
        self._post(visitor.arrived)

    async def _standing(self, visitor: Visitor) -> Standing:
        """What is known in time; a caller never waits for a database that does not answer."""
        look_up = self._look_up(visitor) if visitor.known is None else visitor.known
        if isinstance(look_up, Standing):
            return look_up
        if not look_up.done():
            await asyncio.wait({look_up}, timeout=LONGEST_LOOK_UP)
        if look_up.done():
            return look_up.result()
        look_up.cancel()
        visitor.known = None
        logger.warning("a caller is queued before it is known who they are", extra={"call_id": visitor.handset.call})
        return Standing()

    def _look_up(self, visitor: Visitor) -> Standing | asyncio.Task[Standing]:
        standings, number, call = self._desk.standings, visitor.identity.number, visitor.handset.call
        if standings is None or number is None or self._tasks is None:
            return Standing()
        try:
            known = standings.at_once(number)
        except Exception:  # one call's edge, as below
            logger.exception("what is known of a caller could not be looked up", extra={"call_id": call})
            return Standing()
        return self._tasks.create_task(self._looked_up(standings, call, number)) if known is None else known

    async def _looked_up(self, standings: Standings, call: CallId, number: str) -> Standing:
        try:
            return await standings.of_caller(number)
        except Exception:  # one call's edge: a caller of whom nothing is known is served like any other
            logger.exception("what is known of a caller could not be looked up", extra={"call_id": call})
            return Standing()

    async def _drop(self, call: CallId) -> None:
        try:
            await self._ari.request("DELETE", path("channels", call))
        except AriTrouble as trouble:
            logger.debug("nothing left to hang up: %s", trouble, extra={"call_id": call})
