"""The telephone side alone on a real PBX: the test is the ACD, gives the commands and reads the events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from changgu.acd.commands import Command
from changgu.acd.engine import Engine
from changgu.acd.events import AgentReady, CallArrived, Event, PhoneReachable
from changgu.acd.facts import Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Floor
from changgu.acd.records import CallView
from changgu.acd.runner import Runner, SteadyClock
from changgu.asterisk_conf.plan import PbxFloor, ShadowQueue, Trunk, agent_phone
from changgu.asterisk_conf.render import render
from changgu.ivr_flows.nodes import NamedPrompt, Prompt
from changgu.ivr_flows.service import load_file, shipped_menu
from changgu.telephony.ari.stream import AriAddress
from changgu.telephony.dial_plan import DialPlan
from changgu.telephony.diversions import Message
from changgu.telephony.inbound import Desk
from changgu.telephony.numbers import NumberPlan
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.pbx_packages import install
from changgu.telephony.service import Telephony
from changgu.telephony.soft_phone import SoftPhones
from tests.support.ports import free_ports
from tests.support.private_pbx import SECRET, plan_of
from tests.support.tones import AGENT_HERTZ, CALLER_HERTZ, tone_seconds, write_tone
from tests.support.waiting import eventually
from tests.support.wire_phone import WirePhone

T = TypeVar("T")

PC = QueueName("pc")
DESK, PC_NUMBER = "1000", "1003"
ALICE, BOB, WIRE = AgentId("alice"), AgentId("bob"), AgentId("wire")
PROMPT_HERTZ, PERSON_HERTZ = 300, 1200
CALLERS_NUMBER, PERSONS_NUMBER = "01012345678", "01083527469"
"""Typed as keys, too: none twice in a row, which a phone that is late, and sends both at once, presses only once."""


WAV_HEADER = 44
LONG = 20.0
"""Seconds of an announcement: nobody comes to its end while the test still does something, however slow the machine."""


class ToneVoice:
    """Announcements are one long tone, everything else a short one."""

    def __init__(self, folder: Path) -> None:
        self._long = write_tone(folder / "long.wav", PROMPT_HERTZ, LONG)
        self._short = write_tone(folder / "short.wav", PROMPT_HERTZ, 0.3)

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        long = any(isinstance(prompt, NamedPrompt) and prompt.name.startswith("position_") for prompt in prompts)
        return [f"sound:{(self._long if long else self._short).with_suffix('')}"]


class NoTickets:
    """Knows no ticket."""

    async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
        return None


class NoCalls:
    """The ACD of the test keeps no books."""

    def __init__(self) -> None:
        self.calls: dict[CallId, CallView] = {}

    def recently_ended(self, call: CallId) -> bool:
        return False


class Letterbox:
    """Keeps voice mail in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kept: list[Message] = []

    async def keep(self, message: Message) -> None:
        self.kept.append(message)
        self.file(message.call).write_bytes(message.sound)

    def file(self, call: CallId) -> Path:
        """Where the sound of a message lies."""
        return self._folder / f"message-{call}.wav"


class Line:
    """A private PBX with two agents' phones, one that is a bare socket, and a trunk to people outside."""

    def __init__(self, folder: Path, rtp_first: int) -> None:
        self.outside_port, self.wire_port = free_ports(2)
        self.plan = plan_of(
            folder, "side", rtp_first, desk_numbers=(DESK,),
            trunks=(Trunk("outside", ("127.0.0.9",), f"sip:127.0.0.1:{self.outside_port}"),),
        )  # fmt: skip
        phones = [agent_phone(login, "register", SECRET) for login in (ALICE, BOB)]
        phones.append(agent_phone(WIRE, f"sip:wire@127.0.0.1:{self.wire_port}", SECRET))
        self.floor = PbxFloor(tuple(phones), (ShadowQueue(PC, PC_NUMBER, (ALICE, BOB)),))
        self.pbx = PrivatePbx(install(print), self.plan, say=print)
        self.others = SoftPhones(self.outside_port)
        """Callers, and people outside: these phones are reached at the trunk's port."""
        self.wire = WirePhone()
        self.heard = folder
        """What the others heard."""
        self.calls = 0
        """Made by callers so far."""

    async def start(self) -> None:
        """First the phones that never register: one that is not there is not rung for a while."""
        await self.wire.plug_in(self.wire_port)
        await self.others.start()
        await self.pbx.start(render(self.plan, self.floor))
        people = (("caller", CALLERS_NUMBER, "김민수", CALLER_HERTZ), ("person", PERSONS_NUMBER, None, PERSON_HERTZ))
        for name, number, shown, hertz in people:
            await self.others.account(
                name, self.server, user=number, name=shown, record=self.heard,
                play=write_tone(self.heard / f"{name}-says.wav", hertz),
            )  # fmt: skip

    @property
    def server(self) -> str:
        """Where phones reach the PBX."""
        return f"127.0.0.1:{self.plan.sip_port}"

    async def stop(self) -> None:
        """Everything."""
        await self.pbx.stop()
        await self.others.stop()
        self.wire.close()


class TelephoneSide:
    """`do` gives commands, `posted` are the events, `react` does something at once for each."""

    def __init__(self, line: Line, folder: Path, agents: SoftPhones) -> None:
        self.line = line
        self.folder = folder
        self.agents = agents
        self.others = line.others
        self.visit = ""
        """The caller's own name of their call."""
        self.letterbox = Letterbox(folder)
        self.numbers: dict[CallId, str] = {}
        """Of people who are to be called back."""
        self.number_of: Callable[[CallId], str | None] = self.numbers.get
        self.posted: list[tuple[float, Event]] = []
        self.react: Callable[[Event], None] = lambda event: None
        plan = line.plan
        trunk = plan.trunks[0].dial_string
        assert trunk is not None
        numbers, menu = NumberPlan(DESK, {PC_NUMBER: PC}), load_file(shipped_menu())
        self.telephony = Telephony(
            AriAddress("127.0.0.1", plan.ari_port, plan.ari_user, plan.ari_password, plan.application),
            desk=Desk(
                lambda: numbers, lambda dialled: menu, short_greeting=(),
                dial_plan=lambda: DialPlan(trunk, own=frozenset({DESK, PC_NUMBER})), voicemails=self.letterbox,
            ),
            voice=ToneVoice(folder), look_ups=NoTickets(), post=self._post, calls=NoCalls(),
            number_of=lambda call: self.number_of(call),
        )  # fmt: skip

    def _post(self, event: Event) -> None:
        self.posted.append((asyncio.get_running_loop().time(), event))
        self.react(event)

    def do(self, *commands: Command) -> None:
        """What the ACD would command."""
        for command in commands:
            self.telephony.do(command)

    def events(self) -> list[Event]:
        """Everything posted so far."""
        return [event for _, event in self.posted]

    def _found(self, kind: type[T]) -> Iterator[tuple[float, T]]:
        for at, event in self.posted:
            if isinstance(event, kind):
                yield at, event

    async def event(self, kind: type[T], within: float = 15.0) -> tuple[float, T]:
        """When the first event of a kind came, and the event."""

        async def found() -> tuple[float, T] | None:
            return next(self._found(kind), None)

        try:
            seen = await eventually(found, within=within, every=0.02)
        except AssertionError:
            raise AssertionError(f"no {kind.__name__}; posted {self.events()}") from None
        assert seen is not None
        return seen

    # ---- people ----------------------------------------------------------------------------------------------------

    async def agent(self, login: AgentId, *, answer_after: float | None = 0.3) -> None:
        """An agent's phone, registered."""
        await self.agents.account(
            login, self.line.server, user=f"agent-{login}", password=SECRET, register=True, answer_after=answer_after,
            play=write_tone(self.folder / f"{login}-says.wav", AGENT_HERTZ), record=self.folder,
        )  # fmt: skip

    async def caller(self, number: str = PC_NUMBER) -> CallId:
        """A caller comes to the queue; their call."""
        self.line.calls += 1
        self.visit = f"visit-{self.line.calls}"
        await self.others.call("caller", self.visit, f"sip:{number}@{self.line.server}")
        await self.others.expect("early", call=self.visit)  # the ringing tone, until there is something to hear
        _, arrived = await self.event(CallArrived)
        return arrived.call

    async def is_diverted(self, call: CallId) -> None:
        """The caller's keys are read by what the queue's key led to."""
        visitor = self.telephony.inbound.visitor(call)
        assert visitor is not None

        async def served() -> bool:
            return visitor.is_served

        await eventually(served, every=0.02)

    async def rings_outside(self) -> str:
        """The person's telephone rings; the name of its call."""
        incoming = await self.others.expect("incoming", line="person")
        assert incoming.call is not None
        return incoming.call

    async def answers_outside(self) -> str:
        """The same, and they pick up."""
        outside = await self.rings_outside()
        await self.others.order(do="answer", call=outside)
        await self.others.expect("answered", call=outside)
        return outside

    async def press(self, keys: str) -> None:
        """The caller presses keys."""
        await self.others.expect("answered", call=self.visit)  # nobody hears a key before
        await self.others.order(do="dtmf", call=self.visit, digits=keys)

    async def hang_up(self, phones: SoftPhones, call: str) -> None:
        """One side ends it; what it heard is a file from then on."""
        await phones.order(do="hang_up", call=call)
        await phones.expect("ended", call=call)

    async def heard_by(self, call: str) -> Path:
        """What a phone heard in a call that is over; it writes the sound some time after that."""
        file = next(
            folder / f"{call}.wav" for folder in (self.folder, self.line.heard) if (folder / f"{call}.wav").exists()
        )

        async def written() -> bool:
            return file.stat().st_size > WAV_HEADER

        await eventually(written)
        return file

    async def has_heard(self, call: str, hertz: float, seconds: float) -> None:
        """Wait until a tone is in what a phone heard in a call that is over, for so long."""
        file = await self.heard_by(call)

        async def enough() -> bool:
            return tone_seconds(file, hertz) > seconds

        await eventually(enough, within=5)

    async def recording_lasts(self, call: CallId, seconds: float) -> None:
        """The PBX has so much of a message."""
        file = Path(self.line.plan.folders.spool) / "recording" / f"voicemail.{PC}.{call}.wav"

        async def long_enough() -> bool:
            return file.exists() and file.stat().st_size > WAV_HEADER + seconds * 16_000

        await eventually(long_enough, within=20)

    async def nothing_is_left(self) -> None:
        """No channel and no bridge outlives its call."""
        ari = self.telephony.ari

        async def left() -> list[str]:
            return [one["id"] for kind in ("channels", "bridges") for one in await ari.request("GET", kind)]

        async def empty() -> bool:
            return not await left()

        try:
            await eventually(empty)
        except AssertionError:
            raise AssertionError(f"left at the PBX: {await left()}; posted {self.events()}") from None


@asynccontextmanager
async def open_side(line: Line, folder: Path) -> AsyncIterator[TelephoneSide]:
    """The telephone side, its phones, and afterwards a PBX with nothing left in it."""
    line.others.news.clear()
    line.wire.heard.clear()
    async with SoftPhones() as agents:
        side = TelephoneSide(line, folder, agents)
        running = asyncio.create_task(side.telephony.run())
        try:
            await side.telephony.ari.wait_connected(10)
            await asyncio.wait_for(side.telephony.reconciler.done.wait(), 10)
            yield side
            await side.nothing_is_left()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class TheAcd:
    """The engine itself gives the commands and hears the events, as long as `async with`."""

    def __init__(self, side: TelephoneSide, floor: Floor) -> None:
        self._side = side
        self.engine = Engine(floor)
        self.runner = Runner(self.engine, SteadyClock(), side.telephony.do, [self._hear], 1)
        self._facts: list[tuple[float, Recorded]] = []
        self._running: asyncio.Task[None] | None = None

    def _hear(self, recorded: Recorded) -> None:
        self._facts.append((asyncio.get_running_loop().time(), recorded))

    def _number_of(self, call: CallId) -> str | None:
        view = self.engine.calls.get(call)
        return view.caller if view is not None else None

    async def __aenter__(self) -> "TheAcd":
        self._side.react = self.runner.post
        self._side.number_of = self._number_of
        self._running = asyncio.create_task(self.runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def ready(self, agent: AgentId) -> None:
        """The agent takes calls."""
        for event in (PhoneReachable(agent), AgentReady(agent)):
            assert await self.runner.ask(event) is None

    async def when(self, kind: type[T], within: float = 20.0) -> float:
        """When the first fact of a kind was told."""
        await self.fact(kind, within)
        return next(at for at, recorded in self._facts if isinstance(recorded.fact, kind))

    async def fact(self, kind: type[T], within: float = 20.0) -> T:
        """The first fact of a kind."""

        async def found() -> T | None:
            return next((recorded.fact for _, recorded in self._facts if isinstance(recorded.fact, kind)), None)

        try:
            fact = await eventually(found, within=within, every=0.02)
        except AssertionError:
            heard = [recorded.fact for _, recorded in self._facts]
            raise AssertionError(f"no {kind.__name__}; heard {heard}") from None
        assert fact is not None
        return fact
