"""Kills changgu while 200 conversations go on and 200 callers wait, starts it again, and asks everybody how it was.

Ten of the conversations carry sound both ways, with a clock on every packet; the other phones are SIPp's. What counts
as routing again: one of the ten agents has hung up meanwhile, and the next caller in their queue rings at their phone.
The plain queues behind the dialplan never ring for callers who waited with changgu, so it is changgu that rings.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import phone_log
from bench.figures import Figures, over_rounds, table
from bench.floor import BenchFloor, floor_of, queue_named
from bench.sip_phones import Leg, SipPhones, Sound, Speaking
from bench.sipp_phones import SippRun, number_of
from changgu.acd.identity import QueueName
from tests.support.ports import free_ports
from tests.support.waiting import eventually

MANY, HEARD = "many", "heard"
NUMBERS: Mapping[str, str] = {MANY: "2001", HEARD: "2002"}
SHORT_SENTENCES = 'greeting = "네."\nrecording_notice = "네."\n'
"""Whoever dials a queue's own number hears these two first."""

@dataclass(frozen=True, slots=True)
class RestartPlan:
    """How many talk and wait."""

    heard: int = 10
    """Conversations with sound; of their queue as many callers wait."""
    many: int = 190
    rate: float = 20.0
    long_talk: float = 75.0
    """Seconds; longer than all that is done meanwhile."""
    short_talk: float = 0.5
    away: float = 1.0
    """Seconds between the kill and the new start."""

    def quick(self) -> "RestartPlan":
        """A few calls, to see that it works."""
        return RestartPlan(heard=3, many=12, long_talk=40.0)


@dataclass(slots=True)
class Heard:
    """The phones that carry sound."""

    phones: SipPhones
    at_work: dict[str, Leg] = field(default_factory=dict)
    """Agent → the call at their phone."""
    rang: list[tuple[float, str]] = field(default_factory=list)
    """When an agent's phone rang, and for which caller's number."""
    callers: dict[str, Leg] = field(default_factory=dict)
    sounds: list[Sound] = field(default_factory=list)
    speaking: Speaking = field(init=False)
    dropped: list[str] = field(default_factory=list)
    """Callers whose call was ended before an agent had hung up on them."""
    done: set[str] = field(default_factory=set)
    """Callers whose agent has hung up."""
    _answering: set[asyncio.Task[None]] = field(default_factory=set)
    talk: float | None = None
    """Seconds after which an agent hangs up; None: only when told."""

    def __post_init__(self) -> None:
        self.speaking = Speaking(self.sounds)

    def attach(self) -> None:
        """Behave as people do from now on."""
        self.phones.rung, self.phones.joined, self.phones.ended = self._rung, self._joined, self._ended

    async def dial(self, number: str, extension: str) -> None:
        """A caller with sound."""
        sound = await Sound.open(len(self.sounds) + 1)
        self.sounds.append(sound)
        self.callers[number] = self.phones.dial(number, extension, sound)

    def finish(self, agent: str) -> None:
        """An agent hangs up."""
        leg = self.at_work[agent]
        self.done.add(leg.caller)
        self.phones.hang_up(leg)

    def _rung(self, leg: Leg) -> None:
        loop = asyncio.get_running_loop()
        self.rang.append((loop.time(), leg.caller))
        self.at_work[leg.who] = leg
        self._answering.add(task := loop.create_task(self._pick_up(leg)))
        task.add_done_callback(self._answering.discard)

    async def _pick_up(self, leg: Leg) -> None:
        leg.sound = await Sound.open(1000 + len(self.sounds))
        self.sounds.append(leg.sound)
        self.phones.answer(leg)

    def _joined(self, leg: Leg) -> None:
        if leg.caller and self.talk is not None:
            asyncio.get_running_loop().call_later(self.talk, self._finish_if_there, leg)

    def _finish_if_there(self, leg: Leg) -> None:
        if self.at_work.get(leg.who) is leg and not leg.over:
            self.finish(leg.who)

    def _ended(self, leg: Leg) -> None:
        if not leg.caller and leg.who not in self.done:
            self.dropped.append(leg.who)


@asynccontextmanager
async def _desk(plan: RestartPlan) -> AsyncIterator[tuple[BenchFloor, Heard, SippRun]]:
    async with floor_of(plan.many + plan.heard) as floor, AsyncExitStack() as last:
        phones = await SipPhones.open(("127.0.0.1", floor.service.sip))
        last.callback(phones.close)
        port = phones.port
        floor.queues += [queue_named(name, number) for name, number in NUMBERS.items()]
        heard_agents = floor.agents[: plan.heard]
        floor.seats = {
            login: (QueueName(HEARD), port) if login in heard_agents else (QueueName(MANY), floor.phones_port)
            for login in floor.agents
        }
        heard = Heard(phones)
        heard.attach()
        speaking = asyncio.create_task(heard.speaking.run())
        last.push_async_callback(_ended, speaking)
        await floor.furnish()
        prompts = floor.service.data / "prompts"
        prompts.mkdir()
        (prompts / "ko.toml").write_text(SHORT_SENTENCES)
        agents = await SippRun.agents(floor.folder / "agents", floor.phones_port, 0.0, floor.agents_media)
        last.push_async_callback(agents.stop)
        yield floor, heard, agents


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def one_restart(plan: RestartPlan, say: Callable[[str], None]) -> Figures:
    """Fill the floor, kill, start, and let everybody be served to the end."""
    async with _desk(plan) as (floor, heard, agents):
        service, loop = floor.service, asyncio.get_running_loop()
        await floor.open()
        for number in range(plan.heard):
            await heard.dial(number_of(number, plan.long_talk), NUMBERS[HEARD])
        first = 1000
        talking = [number_of(first + number, plan.long_talk) for number in range(plan.many)]
        waiting = [number_of(2 * first + number, plan.short_talk) for number in range(plan.many)]
        filled = loop.time()
        talkers = await SippRun.callers(
            floor.folder / "talking", service.sip_server, NUMBERS[MANY], talking, plan.rate, *free_ports(2)
        )
        await _state(floor, "talking", plan.many + plan.heard)
        waiters = await SippRun.callers(
            floor.folder / "waiting", service.sip_server, NUMBERS[MANY], waiting, plan.rate, *free_ports(2)
        )
        for number in range(plan.heard):
            await heard.dial(number_of(3 * first + number, plan.short_talk), NUMBERS[HEARD])
            await asyncio.sleep(0.3)  # one after the other, so that it is known who is first
        await _waiting(floor, plan.many + plan.heard)
        say(f"{plan.many + plan.heard} talk and {plan.many + plan.heard} wait after {loop.time() - filled:.0f} s")

        talk_sounds = [leg.sound for leg in (*list(heard.callers.values())[: plan.heard], *heard.at_work.values())]
        for sound in talk_sounds:
            assert sound is not None
            sound.forget_gaps()
        heard.speaking.longest_pause = 0.0
        killed = loop.time()
        await service.kill()
        freed = min(heard.at_work)
        freed_sound = heard.at_work[freed].sound
        partner = heard.callers[heard.at_work[freed].caller].sound
        rang_before = len(heard.rang)
        heard.finish(freed)
        await asyncio.sleep(max(0.0, plan.away - (loop.time() - killed)))
        started = loop.time()
        await service.up()
        opened = loop.time()
        await eventually(_rang_again(heard, rang_before), within=30, every=0.005)
        routed = heard.rang[rang_before][0]
        waited_for = heard.rang[rang_before][1]
        await asyncio.sleep(1.0)
        gap = max(sound.gap_until_now() for sound in talk_sounds
                  if sound is not None and sound is not freed_sound and sound is not partner)  # fmt: skip
        pause = heard.speaking.longest_pause
        say(f"routing after {routed - started:.2f} s, ready {opened - started:.2f} s, longest silence {gap:.3f} s")

        heard.talk = plan.short_talk
        for agent, leg in list(heard.at_work.items()):
            if not leg.over:
                heard.finish(agent)
        lost_talks = await _failed(talkers, plan.long_talk + 60)
        lost_waiters = await _failed(waiters, plan.long_talk + 120)
        await eventually(_all_done(heard), within=60)
        await floor.nothing_on_the_line()
        numbers = range(first, 3 * first)
        log = phone_log.read(
            [*talkers.log.read_text().splitlines(), *waiters.log.read_text().splitlines(),
             *agents.log.read_text().splitlines()], numbers,
        )  # fmt: skip
        answered = {one.caller for one in log.answered}
        return {
            "routing again s": routed - started,
            "ready s": opened - started,
            "longest silence of a talker ms": 1000 * gap,
            "of it our own phones' pause ms": 1000 * pause,
            "dropped": len(heard.dropped) + lost_talks + lost_waiters,
            "forgotten": sum(caller not in answered for caller in log.dialled) + len(set(heard.callers) - heard.done),
            "first in the queue was next": float(waited_for == number_of(3 * first, plan.short_talk)),
            "offered out of order": sum(
                phone_log.inversions(*floor.order_of_service(queue, 0)) for queue in NUMBERS
            ),
            "talking": plan.many + plan.heard,
            "waiting": plan.many + plan.heard,
        }  # fmt: skip


def _rang_again(heard: Heard, before: int) -> Callable[[], Any]:
    async def look() -> bool:
        return len(heard.rang) > before

    return look


def _all_done(heard: Heard) -> Callable[[], Any]:
    async def look() -> bool:
        return all(leg.over for leg in heard.callers.values())

    return look


async def _failed(run: SippRun, within: float) -> int:
    """How many calls of a SIPp run did not go as its scenario says."""
    try:
        status = await asyncio.wait_for(run.process.wait(), within)
    finally:
        await run.stop()
    lines = run.log.read_text().splitlines()
    left = sum(line.startswith("left ") for line in lines)
    dialled = sum(line.startswith("dialled ") for line in lines)
    return dialled - left if status == 0 else max(1, dialled - left)


async def _state(floor: BenchFloor, state: str, count: int) -> None:
    async def look() -> bool:
        rows = (await floor.service.get("/agents"))["items"]
        return [row["state"] for row in rows].count(state) >= count

    await eventually(look, within=90, every=0.3)


async def _waiting(floor: BenchFloor, count: int) -> None:
    async def look() -> bool:
        rows = (await floor.service.get("/queues"))["items"]
        return sum(int(row["waiting"]) for row in rows) >= count

    await eventually(look, within=90, every=0.3)


async def measure_all(*, quick: bool, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """So many restarts, each on a fresh desk."""
    plan = RestartPlan().quick() if quick else RestartPlan()
    found = [await one_restart(plan, say) for _ in range(rounds)]
    return {"restart": {"medians": over_rounds(found), "rounds": found}}


def report(result: dict[str, Any]) -> str:
    """A Markdown table of what was measured."""
    medians, rounds = result["restart"]["medians"], result["restart"]["rounds"]
    return "### SIGKILL with calls going on\n\n" + table(["", "median", "worst"], [
        [name, medians[name], (min if name in ("first in the queue was next", "talking", "waiting") else max)(
            one[name] for one in rounds)]
        for name in medians
    ])  # fmt: skip
