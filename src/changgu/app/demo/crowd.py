"""Simulated callers and agents who really call: SIP phones with speech, through the real PBX."""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from changgu.telephony.soft_phone import CALLS_PER_PROCESS, News, SoftPhones

logger = logging.getLogger(__name__)

CALLER_SAYS = (
    "안녕하세요. 컴퓨터가 자꾸 꺼져서 전화드렸습니다.",
    "인터넷이 안 됩니다. 좀 봐 주시겠어요?",
    "비밀번호를 잊어버렸습니다. 초기화해 주세요.",
)
AGENT_SAYS = (
    "네, 서비스데스크입니다. 무엇을 도와드릴까요?",
    "잠시만 기다려 주십시오. 확인해 보겠습니다.",
    "네, 처리해 드렸습니다. 감사합니다.",
)
KEYS = ("1", "1", "1", "2", "2", "3", "3", "4", "0")
"""What callers press; more call about their computers."""
LONGEST_CALL = 300.0
"""Seconds after which any simulated caller gives up."""
MOST_CALLER_PROCESSES = 12


@dataclass(frozen=True, slots=True)
class AgentLine:
    """What a simulated agent's phone needs to register."""

    login: str
    user: str
    password: str


class Floor:
    """What the crowd asks of the desk, as agents at their pages would."""

    def __init__(self, ready: Callable[[str], Awaitable[None]], not_ready: Callable[[str], Awaitable[None]]) -> None:
        self.ready = ready
        self.not_ready = not_ready


async def one_persons_edge(visit: Awaitable[None], name: str) -> None:
    """One simulated person's trouble with their phone sends nobody else home."""
    try:
        await visit
    except Exception:
        logger.exception("a simulated person gave up: %s", name)


@contextlib.asynccontextmanager
async def _houses() -> AsyncIterator[list[SoftPhones]]:
    """The processes in which the phones live; in the end all are told to go at once, for each takes its seconds."""
    houses: list[SoftPhones] = []
    try:
        yield houses
    finally:
        await asyncio.gather(*(phones.stop() for phones in houses))


async def _opened(houses: list[SoftPhones], phones: SoftPhones) -> None:
    houses.append(phones)  # first: a process that is still starting is ended too
    await phones.start()


class Crowd:
    """Runs until cancelled; every phone is gone afterwards."""

    def __init__(
        self, *, server: str, desk_number: str, agents: Sequence[AgentLine], callers: Sequence[str],
        calls_per_minute: float, floor: Floor, voices: tuple[Sequence[Path], Sequence[Path]], random: Random,
    ) -> None:  # fmt: skip
        self._server = server
        self._desk_number = desk_number
        self._agents = agents
        self._callers = callers
        self._rate = calls_per_minute
        self._floor = floor
        self._caller_voices, self._agent_voices = voices
        self._random = random
        self._tasks: asyncio.TaskGroup | None = None
        self._calls = 0
        self._ended: dict[str, asyncio.Event] = {}
        self._answered: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        """Seat the agents, then let people call at the chosen rate."""
        async with _houses() as houses, asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for first in range(0, len(self._agents), CALLS_PER_PROCESS):
                await self._seat(houses, self._agents[first : first + CALLS_PER_PROCESS])
            tasks.create_task(self._take_breaks())
            # A call lasts a minute and a half at the most on average, and a process carries four.
            processes = min(MOST_CALLER_PROCESSES, 1 + math.ceil(self._rate * 1.5 / CALLS_PER_PROCESS))
            free: asyncio.Queue[SoftPhones] = asyncio.Queue()
            for _ in range(processes):
                phones = SoftPhones(heard=self._hear_caller)
                await _opened(houses, phones)
                for _ in range(CALLS_PER_PROCESS):
                    free.put_nowait(phones)
            await self._let_people_call(free)

    async def _let_people_call(self, free: "asyncio.Queue[SoftPhones]") -> None:
        assert self._tasks is not None
        while True:
            if self._rate <= 0:
                await asyncio.Event().wait()
            await asyncio.sleep(self._random.expovariate(self._rate / 60))
            phones = await free.get()
            self._calls += 1
            name = f"caller{self._calls}"
            self._tasks.create_task(one_persons_edge(self._one_call(name, phones, free), name))

    async def _one_call(self, name: str, phones: SoftPhones, free: "asyncio.Queue[SoftPhones]") -> None:
        """One person's call: the menu, a key, the wait, the talk; some lose patience at each."""
        random = self._random
        self._ended[name] = asyncio.Event()
        self._answered[name] = asyncio.Event()
        number = "anonymous" if random.random() < 0.03 else random.choice(self._callers).replace("-", "")
        try:
            await phones.account(name, self._server, user=number, play=random.choice(self._caller_voices))
            await phones.call(name, name, f"sip:{self._desk_number}@{self._server}")
            if await self._within(self._answered[name], 20):
                await self._in_the_desk(name, phones)
            if not self._ended[name].is_set():
                await phones.order(do="hang_up", call=name)
                await self._within(self._ended[name], 10)
        finally:
            self._ended.pop(name, None)
            self._answered.pop(name, None)
            free.put_nowait(phones)
            await phones.order(do="remove", line=name)

    async def _in_the_desk(self, name: str, phones: SoftPhones) -> None:
        random = self._random
        if await self._within(self._ended[name], random.uniform(3, 12)) or random.random() < 0.05:
            return
        await phones.order(do="dtmf", call=name, digits=random.choice(KEYS))
        patience = LONGEST_CALL if random.random() < 0.9 else random.uniform(5, 40)
        await self._within(self._ended[name], patience)

    def _hear_caller(self, news: News) -> None:
        what = "ended" if news.what == "error" and news.details["order"] == "call" else news.what
        waited_for = {"ended": self._ended, "answered": self._answered}.get(what, {})
        if news.call is not None and (event := waited_for.get(news.call)) is not None:
            event.set()

    # Agents

    async def _seat(self, houses: list[SoftPhones], agents: Sequence[AgentLine]) -> None:
        phones = SoftPhones(heard=lambda news: self._hear_agent(phones, news))
        await _opened(houses, phones)
        for agent in agents:
            await phones.account(
                agent.login,
                self._server,
                user=agent.user,
                password=agent.password,
                register=True,
                play=self._random.choice(self._agent_voices),
            )
            await self._floor.ready(agent.login)

    def _hear_agent(self, phones: SoftPhones, news: News) -> None:
        assert self._tasks is not None
        if news.call is None:
            return
        if news.what == "incoming":
            self._ended[news.call] = asyncio.Event()
            self._tasks.create_task(one_persons_edge(self._take_call(phones, news.call), news.call))
        elif news.what == "ended" and news.call in self._ended:
            self._ended[news.call].set()

    async def _take_call(self, phones: SoftPhones, call: str) -> None:
        """Pick up after a moment, talk, hang up; now and then nobody is at the desk."""
        random = self._random
        ended = self._ended[call]
        try:
            if random.random() < 0.03 or await self._within(ended, random.uniform(1, 5)):
                await self._within(ended, LONGEST_CALL)
                return
            await phones.order(do="answer", call=call)
            talk = min(LONGEST_CALL, random.lognormvariate(3.3, 0.6))
            if not await self._within(ended, talk):
                await phones.order(do="hang_up", call=call)
                await self._within(ended, 10)
        finally:
            self._ended.pop(call, None)

    async def _take_breaks(self) -> None:
        """Every now and then somebody goes for a coffee, and comes back."""
        while True:
            await asyncio.sleep(self._random.uniform(20, 60))
            agent = self._random.choice(self._agents).login
            await self._floor.not_ready(agent)
            await asyncio.sleep(self._random.uniform(20, 90))
            await self._floor.ready(agent)

    async def _within(self, event: asyncio.Event, seconds: float) -> bool:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        return True
