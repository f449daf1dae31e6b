"""changgu and app_queue on the same Asterisk with the same callers and agents, in turns; figures in milliseconds."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from bench import phone_log
from bench.figures import Figures, over_rounds, spread, table
from bench.floor import BARE_NUMBER, DESK_NUMBER, PLAIN_NUMBERS, QUEUE, BenchFloor, floor_of, processor_seconds
from bench.phone_log import PhoneLog
from bench.sipp_phones import SippRun, number_of
from bench.traced_hour import TracePlan, measure_hours

CHANGGU, TUNED, DEFAULT = "changgu", "app_queue retry=1", "app_queue as it comes"
BARE = "bare ARI"
"""No ACD, but what ARI costs by itself: see `bench.bare_ari`."""
ACDS = (CHANGGU, TUNED, BARE, DEFAULT)
DIALLED = {
    CHANGGU: DESK_NUMBER, TUNED: PLAIN_NUMBERS["tuned"], DEFAULT: PLAIN_NUMBERS["default"], BARE: BARE_NUMBER,
}  # fmt: skip

BLUR = 0.025
"""Seconds by which two calls that were decided in order may be seen in another order at the phones."""
SETTLED = 0.5
"""Seconds after the last call in which what it cost is still counted: the ledger, the news of the hang-up."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FullCase:
    """A queue that is full: so many callers come at that rate, and each call takes a time between these two."""

    name: str
    callers: int
    rate: float
    shortest: float
    longest: float


FULL_CASES = (
    FullCase("at once, 1 s", 400, 2000.0, 1.0, 1.0),
    FullCase("100/s, 0.5 to 1.5 s", 400, 100.0, 0.5, 1.5),
)
"""Two, because app_queue's waiting callers look once a second, each at a second of their own. With calls of exactly one
second the result depends on where in that second the agents hang up: callers who all came at once miss them every time,
callers who come at 100 a second are there 0.2 s later. With mixed lengths neither happens."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int = 5
    idle_agents: int = 300
    rates: tuple[tuple[float, int], ...] = ((40.0, 1000), (100.0, 1500))
    """Calls a second, and how many calls."""
    ring: float = 0.2
    idle_talk: float = 1.0
    full_agents: int = 20
    full: tuple[FullCase, ...] = FULL_CASES
    counted_calls: int = 100
    """Calls of which every request to the PBX is counted."""
    hour: TracePlan = field(default_factory=TracePlan)

    def quick(self) -> "Plan":
        """One short round, to see that it works; its figures are not for publication."""
        return Plan(
            rounds=1, rates=((40.0, 200), (100.0, 300)), counted_calls=40,
            full=tuple(replace(case, callers=100) for case in FULL_CASES),
            hour=TracePlan(handling=3.0, patience=4.0, length=45.0, rounds=1),
        )  # fmt: skip


class Numbers:
    """Callers, each with a number that no other caller of this measurement has."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> range:
        """The next so many callers."""
        self._next += count
        return range(self._next - count, self._next)


@dataclass(slots=True)
class Bench:
    """One desk, its agents' phones, and who has called so far."""

    floor: BenchFloor
    agents: SippRun
    numbers: Numbers

    async def run(self, acd: str, talks: Sequence[float], rate: float) -> tuple[PhoneLog, Figures]:
        """Callers at that rate, each with a length of talk; what the phones wrote down, processor time in ms."""
        callers, calls = self.numbers.take(len(talks)), len(talks)
        service = self.floor.service
        folder = self.floor.folder / f"callers-{callers.start}"
        pids = {"asterisk": service.pbx_pid}
        if acd == CHANGGU:
            assert service.process is not None
            pids["changgu"] = service.process.pid
        elif acd == BARE:
            assert self.floor.bare is not None
            pids["bare"] = self.floor.bare.pid
        before = {name: processor_seconds(pid) for name, pid in pids.items()}
        run = await SippRun.callers(
            folder, service.sip_server, DIALLED[acd],
            [number_of(caller, talk) for caller, talk in zip(callers, talks, strict=True)], rate,
            self.floor.callers_port, self.floor.callers_media,
        )  # fmt: skip
        try:
            await run.finished(within=600)
        finally:
            await run.stop()
        await asyncio.sleep(SETTLED)
        used = {f"{name} ms": 1000 * (processor_seconds(pid) - before[name]) / calls for name, pid in pids.items()}
        await self.floor.nothing_on_the_line()
        lines = [*run.log.read_text().splitlines(), *self.agents.log.read_text().splitlines()]
        return phone_log.read(lines, callers), {**used, "both ms": sum(used.values())}

    async def warm_up(self, acd: str) -> None:
        """The first calls after a start load what is loaded once; calls of the time without changgu are read back."""
        await self.run(acd, [0.1] * (2 * min(20, len(self.floor.agents))), 20.0)
        if acd == CHANGGU:
            await self.floor.at_rest()


@asynccontextmanager
async def bench_of(agents: int, ring: float, level: str = "WARNING") -> AsyncIterator[Bench]:
    """A furnished desk, and its agents' phones."""
    async with floor_of(agents, level=level) as floor:
        await floor.furnish()
        phones = await SippRun.agents(floor.folder / "agents", floor.phones_port, ring, floor.agents_media)
        try:
            yield Bench(floor, phones, Numbers())
        finally:
            await phones.stop()


async def in_turns(
    bench: Bench, rounds: int, measure: Callable[[str], Awaitable[Figures]], say: Say, what: str
) -> dict[str, list[Figures]]:
    """`measure(acd)` once a round for each ACD, in another order every round; app_queue's defaults once.

    The bare distributor comes after the two, when changgu is not running.
    """
    found: dict[str, list[Figures]] = {acd: [] for acd in ACDS}
    for number in range(rounds):
        for acd in order_of(number):
            if acd == CHANGGU:
                await bench.floor.open()
            else:
                if bench.floor.service.process is None:  # the PBX runs only once changgu has started it
                    await bench.floor.open()
                await bench.floor.shut()
                await (bench.floor.open_bare() if acd == BARE else bench.floor.add_plain_queues())
            await bench.warm_up(acd)
            figures = await measure(acd)
            await bench.floor.shut_bare()
            found[acd].append(figures)
            say(f"{what}, round {number + 1}: {acd}: " + ", ".join(f"{k} {v:.2f}" for k, v in figures.items()))
    return found


def order_of(number: int) -> Iterator[str]:
    """Who is measured when in a round: they take turns at being first."""
    first, second = (CHANGGU, TUNED) if number % 2 == 0 else (TUNED, CHANGGU)
    yield first
    yield second
    yield BARE
    if number == 0:
        yield DEFAULT


async def idle_agents(plan: Plan, say: Say) -> dict[str, dict[str, list[Figures]]]:
    """Agents are free: from the caller's INVITE to the agent's, and what a call costs."""
    found: dict[str, dict[str, list[Figures]]] = {}
    async with bench_of(plan.idle_agents, plan.ring) as bench:
        for rate, calls in plan.rates:

            async def measure(acd: str, calls: int = calls, rate: float = rate) -> Figures:
                log, used = await bench.run(acd, [plan.idle_talk] * calls, rate)
                waits = phone_log.ring_latencies(log)
                return {**spread(waits, scale=1000), **used, "answered": len(log.answered), "calls": calls}

            found[f"{rate:g}"] = await in_turns(bench, plan.rounds, measure, say, f"idle agents at {rate:g}/s")
    return found


async def full_queue(plan: Plan, say: Say) -> dict[str, dict[str, list[Figures]]]:
    """Callers wait: from an agent's BYE to the next INVITE at that agent, how many are served, in what order."""
    found: dict[str, dict[str, list[Figures]]] = {}
    async with bench_of(plan.full_agents, 0.0) as bench:
        for case in plan.full:
            dice = Random(case.callers)
            talks = [dice.uniform(case.shortest, case.longest) for _ in range(case.callers)]

            async def measure(acd: str, talks: Sequence[float] = talks, rate: float = case.rate) -> Figures:
                last = bench.floor.last_fact()
                log, used = await bench.run(acd, talks, rate)
                figures = {
                    **spread(phone_log.idle_gaps(log), scale=1000),
                    "served a minute": phone_log.answers_per_minute(log),
                    "seconds for all": log.hung_up[-1].at - log.invited[0].at,
                    "overtakings": len(phone_log.overtakings(log.dialled, log.first_invited(), BLUR)),
                    "answered": len(log.answered),
                    **used,
                }
                if acd == CHANGGU:
                    came, served = bench.floor.order_of_service(QUEUE, last)
                    figures["out of order in the ledger"] = phone_log.inversions(came, served)
                    joined = spread(phone_log.joining_times(log, bench.floor.connections(last)), scale=1000)
                    figures |= {f"joined {name}": joined[name] for name in ("p50", "p99")}
                return figures

            found[case.name] = await in_turns(bench, plan.rounds, measure, say, f"full queue, {case.name}")
    return found


async def requests_per_call(plan: Plan, say: Say) -> Figures:
    """Requests to the PBX for an answered call, counted in the service's own log (level DEBUG, so nothing is timed)."""
    request = re.compile(r" (?:changgu\.telephony\.ari\.stream|httpx)\S* (?:call_id=\S+ )?.*?\b(GET|POST|PUT|DELETE) ")
    async with bench_of(plan.full_agents, plan.ring, level="DEBUG") as bench:
        await bench.floor.open()
        await bench.warm_up(CHANGGU)
        said = bench.floor.service.said
        before = len(said)
        log, _ = await bench.run(CHANGGU, [0.5] * plan.counted_calls, 10.0)
        lines = [line for line in said[before:] if " DEBUG " in line or " httpx " in line]
        count = sum(request.search(line) is not None for line in lines)
        say(f"requests: {count} for {len(log.answered)} answered calls")
        return {"requests a call": count / len(log.answered)}


STAGES = ("idle", "full", "requests", "hour")


async def measure_all(plan: Plan, only: Sequence[str], say: Say) -> dict[str, Any]:
    """Every stage, or those named; rounds and medians."""
    result: dict[str, Any] = {}
    if "idle" in only:
        result["idle"] = {rate: summed_up(found) for rate, found in (await idle_agents(plan, say)).items()}
    if "full" in only:
        result["full"] = {case: summed_up(found) for case, found in (await full_queue(plan, say)).items()}
    if "requests" in only:
        result["requests"] = await requests_per_call(plan, say)
    if "hour" in only:
        result["hour"] = summed_up(await measure_hours(plan.hour, say))
    return result


def summed_up(found: dict[str, list[Figures]]) -> dict[str, Any]:
    """ACD → its rounds and their medians."""
    return {
        acd: {"medians": over_rounds(rounds), "rounds": list(rounds)} for acd, rounds in found.items() if rounds
    }


# ---- for readers ---------------------------------------------------------------------------------------------------


def report(result: dict[str, Any]) -> str:
    """Markdown tables of what was measured."""
    parts: list[str] = []
    for rate, found in result.get("idle", {}).items():
        parts.append(f"### Idle agents, {rate} calls/s: caller's INVITE to agent's INVITE, ms\n")
        parts.append(_table(found, [
            "p50", "p95", "p99", "asterisk ms", "changgu ms", "bare ms", "both ms", "calls", "answered",
        ]))  # fmt: skip
    for case, found in result.get("full", {}).items():
        parts.append(f"### Full queue ({case}): agent's BYE to the next INVITE at that agent, ms\n")
        parts.append(_table(found, [
            "p50", "p95", "p99", "served a minute", "seconds for all", "overtakings", "out of order in the ledger",
            "answered", "joined p50", "joined p99", "both ms",
        ]))  # fmt: skip
    if "requests" in result:
        parts.append("### Requests to the PBX for an answered call\n")
        parts.append(table(["", "requests"], [["changgu", result["requests"]["requests a call"]]]))
    if "hour" in result:
        parts.append("### An hour at 95 % load, compressed: mean wait against the ideal replay of the same trace\n")
        parts.append(_table(result["hour"], [
            "mean wait s", "ideal mean wait s", "ratio", "served", "ideal served", "callers", "overtakings",
        ]))  # fmt: skip
    return "\n".join(parts)


def _table(found: dict[str, Any], figures: Sequence[str]) -> str:
    rows: list[list[str | float]] = []
    for acd, of_acd in found.items():
        medians = of_acd["medians"]
        rows.append([acd, *(medians.get(name, "") for name in figures), len(of_acd["rounds"])])
    return table(["", *figures, "rounds"], rows)
