"""The telephone side of the desk alone: a real PBX, the real ACD, and nothing else of the service."""

import asyncio
import math
import wave
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from changgu.acd.engine import Engine
from changgu.acd.events import AgentReady, Event
from changgu.acd.facts import Fact, Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queue_log import QueueLog
from changgu.acd.queues import Agent, Floor, Queue
from changgu.acd.runner import Runner, SteadyClock
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan, ShadowQueue, agent_phone
from changgu.ivr_flows.nodes import NamedPrompt, Prompt
from changgu.ivr_flows.service import load_file, shipped_menu
from changgu.telephony.agent_phones import AgentPhones
from changgu.telephony.ami.client import Ami, AmiAddress
from changgu.telephony.ami.queue_log_writer import QueueLogWriter
from changgu.telephony.ari.stream import AriAddress
from changgu.telephony.inbound import Desk
from changgu.telephony.numbers import NumberPlan
from changgu.telephony.service import Telephony
from changgu.telephony.shadow_queues import ShadowQueueKeeper
from tests.support.private_pbx import SECRET
from tests.support.waiting import eventually

T = TypeVar("T")

AGENTS = (AgentId("alice"), AgentId("bob"))
QUEUES = (("helpdesk", "1001"), ("network", "1002"), ("pc", "1003"), ("application", "1004"), ("account", "1005"))
MENU_HERTZ = 300
LONG_MENU = 8.0
"""Seconds. Whoever is asked anew after a restart hears it to its end before."""
DESK_NUMBER = "1000"
RING_SECONDS = 3

FLOOR = Floor(
    queues=tuple(
        Queue(QueueName(name), name, number, ring_limit=timedelta(seconds=RING_SECONDS), wrap_up=timedelta(seconds=0.5))
        for name, number in QUEUES
    ),
    agents=tuple(Agent(login, login, frozenset(QueueName(name) for name, _ in QUEUES)) for login in AGENTS),
)
PBX_FLOOR = PbxFloor(
    tuple(agent_phone(login, "register", SECRET) for login in AGENTS),
    tuple(ShadowQueue(name, number, AGENTS, ring_seconds=2) for name, number in QUEUES),
)


def write_prompt(path: Path, seconds: float) -> Path:
    """A prompt of one tone that a measurement can tell from the phones' tones."""
    rate = 8000
    step = 2 * math.pi * MENU_HERTZ / rate
    samples = array("h", (int(9000 * math.sin(step * n)) for n in range(int(rate * seconds))))
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return path


class ToneVoice:
    """Says every prompt as one tone; the menu is long, everything else short."""

    def __init__(self, folder: Path) -> None:
        self._short = write_prompt(folder / "short.wav", 0.2)
        self._long = write_prompt(folder / "long.wav", LONG_MENU)

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        long = any(isinstance(prompt, NamedPrompt) and prompt.name == "services" for prompt in prompts)
        return [f"sound:{(self._long if long else self._short).with_suffix('')}"]


class KnownTickets:
    """Knows one ticket."""

    async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
        return {"number": argument, "state": "allocated"} if argument == "1234567" else None


class Room:
    """A desk that lives as long as `async with`; its ledger outlives it, so a second one takes up where it ended."""

    def __init__(self, plan: PbxPlan, folder: Path, ledger: list[Recorded] | None = None) -> None:
        self.ledger: list[Recorded] = ledger if ledger is not None else []
        self.engine = Engine.restore(FLOOR, list(self.ledger))
        clock = SteadyClock(self.ledger[-1].at if self.ledger else 0.0)
        self.runner = Runner(self.engine, clock, self._do, [self._hear], len(self.ledger) + 1)
        numbers = NumberPlan(DESK_NUMBER, {queue.number: queue.name for queue in FLOOR.queues if queue.number})
        menu = load_file(shipped_menu())
        self.ami = Ami(AmiAddress("127.0.0.1", plan.ami_port, plan.ami_user, plan.ami_password))
        self.keeper = ShadowQueueKeeper(self.ami, lambda: self.engine.agents)
        self.phones = AgentPhones(self.ami, self.post, lambda: AGENTS, self._believed_reachable)
        queue_log = QueueLog(lambda agent: [queue.name for queue in FLOOR.queues])
        for recorded in self.ledger:
            queue_log.rows(recorded)
        self.queue_log = QueueLogWriter(self.ami, queue_log.rows, without_pauses=True)
        self.telephony = Telephony(
            AriAddress("127.0.0.1", plan.ari_port, plan.ari_user, plan.ari_password, plan.application),
            desk=Desk(lambda: numbers, lambda dialled: menu, short_greeting=()),
            voice=ToneVoice(folder), look_ups=KnownTickets(), post=self.post, calls=self.engine, shadow=self.keeper,
            legs_wait=True,
        )  # fmt: skip
        self.posted: list[Event] = []
        self._first_fact = len(self.ledger)
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    def _believed_reachable(self, agent: AgentId) -> bool:
        return self.engine.agents[agent].phone_reachable

    def _do(self, command: Any) -> None:
        self.telephony.do(command)

    def post(self, event: Event) -> None:
        """What the telephone side tells the ACD."""
        self.posted.append(event)
        self.runner.post(event)

    def _hear(self, recorded: Recorded) -> None:
        self.ledger.append(recorded)
        self.keeper.hear(recorded)
        self.queue_log.hear(recorded)
        self._tasks.append(asyncio.create_task(self._tell()))

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def __aenter__(self) -> "Room":
        parts: list[Callable[[], Any]] = [
            self.runner.run, self.ami.run, self.keeper.run, self.phones.run, self.queue_log.run, self.telephony.run,
        ]  # fmt: skip
        self.runner.hold_deadlines()
        self._tasks += [asyncio.create_task(part()) for part in parts]
        await self.telephony.ari.wait_connected(10)
        await self.ami.wait_connected(10)
        await asyncio.wait_for(self.telephony.reconciler.done.wait(), 10)
        self.runner.release_deadlines()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Vanish without a word, as by SIGKILL: nothing is hung up, nothing is said to anybody."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def facts(self) -> list[Fact]:
        """What has happened in this room's own time."""
        return [recorded.fact for recorded in self.ledger[self._first_fact :]]

    async def fact(
        self, kind: type[T], *, within: float = 15, where: Callable[[T], bool] = lambda fact: True, **details: Any
    ) -> T:
        """The first such fact, past or to come."""

        def found() -> T | None:
            for fact in self.facts:
                if not isinstance(fact, kind) or not where(fact):
                    continue
                if all(getattr(fact, name) == value for name, value in details.items()):
                    return fact
            return None

        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} {details}; heard {self.facts}") from None
        fact = found()
        assert fact is not None
        return fact

    async def ready(self, agent: AgentId) -> None:
        """The agent's phone is registered and they take calls."""
        await eventually(lambda: self._true(self.engine.agents[agent].phone_reachable))
        assert await self.runner.ask(AgentReady(agent)) is None

    @staticmethod
    async def _true(value: bool) -> bool:
        return value

    async def channels(self) -> list[str]:
        """Channels on the PBX now."""
        return [channel["id"] for channel in await self.telephony.ari.request("GET", "channels")]

    async def bridges(self) -> list[str]:
        """Bridges on the PBX now."""
        return [bridge["id"] for bridge in await self.telephony.ari.request("GET", "bridges")]

    async def channel_is_gone(self, name: str) -> None:
        """It has been hung up; its phone knows a moment earlier than the list of channels."""

        async def gone() -> bool:
            return name not in await self.channels()

        await eventually(gone)

    async def nothing_is_left(self) -> None:
        """No channel and no bridge outlives its call."""

        async def empty() -> bool:
            return not await self.channels() and not await self.bridges()

        await eventually(empty)

    async def witness_nothing_left(self) -> None:
        """The same, asked over HTTP so that it does not count among the requests of the event line."""

        async def empty() -> bool:
            ari = self.telephony.ari
            return not await ari.blocking("GET", "channels") and not await ari.blocking("GET", "bridges")

        await eventually(empty)

    async def the_call(self) -> CallId:
        """The one open call."""
        calls = list(self.engine.calls)
        assert len(calls) == 1, calls
        return calls[0]
