"""The switch and the callers' side together on a fake PBX, for stories about waiting, leaving and being called back."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from changgu.acd.commands import Command, ConnectCall, PlayMusicOnHold, RingAgent
from changgu.acd.events import AgentAnswered, CallArrived, Event, PartiesConnected
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Prompt, TextPrompt
from changgu.ivr_flows.service import load_file, shipped_menu
from changgu.telephony.ari.client import Ari
from changgu.telephony.ari.messages import AriEvent
from changgu.telephony.ari.stream import AriStream
from changgu.telephony.callbacks import PersonCalls
from changgu.telephony.dial_plan import DialPlan
from changgu.telephony.diversions import Message
from changgu.telephony.inbound import Desk, Inbound
from changgu.telephony.ivr_player import Helpers, IvrPlayer
from changgu.telephony.numbers import NumberPlan
from changgu.telephony.survey import AfterCall
from changgu.telephony.switch import Switch
from tests.support.fake_ari import FakeAri
from tests.support.waiting import eventually

CALL, PC = CallId("c1"), QueueName("pc")
ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")
RING_LIMIT = timedelta(seconds=20)
MENU = load_file(shipped_menu())
NUMBERS = NumberPlan("1000", {"1003": PC})
PLAN = DialPlan("PJSIP/{number}@trunk-carrier", own=frozenset({"1000", "1003"}))


def ring(agent: AgentId, offer: int, *, call: CallId = CALL, outbound: bool = False) -> RingAgent:
    """The command."""
    return RingAgent(agent, call, OfferId(offer), RING_LIMIT, outbound)


def leg(offer: int, call: CallId = CALL) -> str:
    """The channel of an offer."""
    return f"offer-{offer}-{call}"


@dataclass
class NameVoice:
    """Every prompt is a sound of its own name; `ready` lets the making of new sounds wait."""

    ready: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False
    spoken: list[tuple[str, str]] = field(default_factory=list)
    """Language and name, of everything asked for."""

    def __post_init__(self) -> None:
        self.ready.set()

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        await self.ready.wait()
        self.spoken += [(language, self.name(prompt)) for prompt in prompts]
        return [] if self.broken else [f"sound:{self.name(prompt)}" for prompt in prompts]

    @staticmethod
    def name(prompt: Prompt) -> str:
        """What a sound is called."""
        match prompt:
            case NamedPrompt(name):
                return name
            case DigitsPrompt(digits):
                return digits
            case TextPrompt(text):
                return text


@dataclass
class NoTickets:
    """Knows no ticket; keeps what was asked, for whom, and in which call."""

    asked: list[tuple[str, str, str, CallId]] = field(default_factory=list)

    async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
        self.asked.append((kind, argument, asker, call))
        return None


@dataclass
class Letterbox:
    """Keeps voice mail, or fails to."""

    kept: list[Message] = field(default_factory=list)
    full: bool = False

    async def keep(self, message: Message) -> None:
        if self.full:
            raise OSError("no space left on device")
        self.kept.append(message)


class FileAri(Ari):
    """Stored recordings are four seconds long."""

    async def download(self, uri: str, deadline: float = 10.0) -> bytes:
        sound = io.BytesIO()
        with wave.open(sound, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(4 * 16_000))
        return sound.getvalue()


@dataclass
class Switchboard:
    """Callers, agents' phones and people outside, on a fake PBX."""

    pbx: FakeAri
    plan: DialPlan = PLAN
    letterbox: Letterbox | None = field(default_factory=Letterbox)
    voice: NameVoice = field(default_factory=NameVoice)
    posted: list[Event] = field(default_factory=list)
    promised: dict[CallId, str] = field(default_factory=dict)
    """Numbers of calls whose person is not on the line yet."""
    look_ups: NoTickets = field(default_factory=NoTickets)
    keys: int = 0
    survey: AfterCall | None = None
    menu: Flow = MENU
    helpers: Helpers = field(default_factory=Helpers)
    most_listeners: int | None = None

    def __post_init__(self) -> None:
        self.stream = AriStream(self.pbx.address, self._hear, on_connected=self._line_is_up)
        self.ari = FileAri(self.stream, self.pbx.address)
        self.player = IvrPlayer(self.ari, self.voice, self.look_ups, self.posted.append, self.helpers)
        desk = Desk(
            lambda: NUMBERS, lambda dialled: self.menu, short_greeting=(), dial_plan=lambda: self.plan,
            voicemails=self.letterbox, survey=self.survey,
        )  # fmt: skip
        self.inbound = Inbound(
            self.ari, self.player, self.posted.append, desk, lambda call: self.switch.conversation(call) is not None
        )
        people = PersonCalls(self.ari, desk.dial_plan, desk.shown_number, self.posted.append, self.inbound.reached)
        self.switch = Switch(
            self.ari, self.inbound, self.posted.append, people=people, voice=self.voice,
            number_of=self.promised.get, parting=self.inbound.parting, language_of=self.inbound.language,
            most_listeners=self.most_listeners,
        )  # fmt: skip

    def _hear(self, event: AriEvent) -> None:
        self.switch.hear(event)
        self.inbound.hear(event)

    def _line_is_up(self) -> None:
        self.switch.line_is_up()

    # ---- what happens ----------------------------------------------------------------------------------------------

    async def caller_waits(self, *, music: bool = True) -> None:
        """A caller has come straight to the queue and hears its music."""
        await self.pbx.call_in(CALL, "1003")
        await self.until_posted(CallArrived(CALL, PC))
        if music:
            self.switch.do(PlayMusicOnHold(CALL, PC))
            await self.pbx.until_asked("POST", "c1/moh")

    async def picks_up(self, agent: AgentId, offer: int, call: CallId = CALL) -> None:
        """An agent's ringing phone is answered."""
        await self.pbx.start(leg(offer, call))
        await self.until_posted(AgentAnswered(agent, call, OfferId(offer)))

    async def talks(self, agent: AgentId = ALICE, offer: int = 7, call: CallId = CALL) -> None:
        """The agent is rung, answers and is joined with the caller."""
        self.switch.do(ring(agent, offer, call=call))
        await self.pbx.until(lambda: leg(offer, call) in self.pbx.channels)
        await self.picks_up(agent, offer, call)
        self.switch.do(ConnectCall(agent, call, OfferId(offer)))
        await self.until_posted(PartiesConnected(agent, call, OfferId(offer)))

    async def press(self, keys: str, call: str = CALL) -> None:
        """Keys, one a minute."""
        for key in keys:
            self.keys += 1
            await self.pbx.press(call, key, at=f"2026-03-01T09:{self.keys:02}:00.000+0900")

    def do(self, *commands: Command) -> None:
        """The ACD's commands, all in one go."""
        for command in commands:
            self.switch.do(command)

    # ---- what came of it -------------------------------------------------------------------------------------------

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for anything."""

        async def so() -> bool:
            return true()

        await eventually(so, within=5, every=0.01)

    async def until_posted(self, *events: Event) -> None:
        """Wait until the ACD has been told."""
        try:
            await self.until(lambda: all(event in self.posted for event in events))
        except AssertionError:
            raise AssertionError(f"no {events}; posted {self.posted}") from None

    async def until_idle(self, call: CallId = CALL) -> None:
        """Wait until every command of the call is carried out."""
        await self.until(lambda: not self.switch.is_busy(call))

    async def until_said(self, name: str, times: int = 1) -> None:
        """Wait until a prompt has begun."""
        await self.until(lambda: self.said().count(name) >= times)

    async def all_heard(self) -> None:
        """Everything that the PBX said until now has been heard."""
        await self.ari.request("GET", "channels")

    def said(self) -> list[str]:
        """Every prompt that was started, in order."""
        plays = [asked for asked in self.pbx.asked if asked.path.endswith("/play")]
        return [media.removeprefix("sound:") for asked in plays for media in asked.body["media"]]

    def requests(self) -> list[str]:
        """Every request so far."""
        return [f"{asked.method} {asked.path}" for asked in self.pbx.asked]


@asynccontextmanager
async def open_switchboard(
    survey: AfterCall | None = None, *, menu: Flow = MENU, helpers: Helpers | None = None, looked: bool = True,
    most_listeners: int | None = None,
) -> AsyncIterator[Switchboard]:  # fmt: skip
    """A switchboard that runs; `survey` asks callers whose conversation is over.

    `looked`: the PBX has been asked, as after each start, what goes on there.
    """
    async with FakeAri() as pbx:
        board = Switchboard(
            pbx, survey=survey, menu=menu, helpers=helpers or Helpers(), most_listeners=most_listeners
        )
        parts = (board.stream.run(), board.switch.run(), board.inbound.run())
        running = [asyncio.create_task(part) for part in parts]
        await board.stream.wait_connected()
        if looked:
            await board.inbound.after_gap()
            await pbx.until_asked("GET", "channels")
            await pbx.until_asked("GET", "recordings/stored")
            await board.all_heard()
            pbx.asked.clear()
        yield board
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
