"""An hour of calls at 95 % load, made shorter, on the real PBX, and what an ideal queue makes of the same hour."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from bench import phone_log
from bench.figures import Figures
from bench.floor import DESK_NUMBER, PLAIN_NUMBERS, floor_of
from bench.ideal import Visit, Wait, mean_wait, replay, trace
from bench.sip_phones import Leg, SipPhones
from bench.sipp_phones import caller_of, number_of

ACDS = {
    "changgu": DESK_NUMBER, "app_queue retry=1": PLAIN_NUMBERS["tuned"],
    "app_queue as it comes": PLAIN_NUMBERS["default"],
}  # fmt: skip
BLUR = 0.025
"""Seconds; see `bench.acd.BLUR`."""
LEAVE_LIMIT = 300.0
"""Seconds that the last callers may take to be served."""


@dataclass(frozen=True, slots=True)
class TracePlan:
    """The hour. Everything is ten times faster than in a service desk with calls of three minutes."""

    agents: int = 20
    load: float = 0.95
    handling: float = 18.0
    """Seconds, on average, from the first ring to the agent's hanging up."""
    patience: float = 12.0
    """Seconds, on average."""
    length: float = 360.0
    ring: float = 0.2
    rounds: int = 3
    seed: int = 20261121


@dataclass(slots=True)
class Hour:
    """One run of a trace against one ACD."""

    phones: SipPhones
    dialled: str
    visits: list[Visit]
    ring: float
    first: int
    """The number of the first caller."""
    came: dict[int, float] = field(default_factory=dict)
    rung: dict[int, float] = field(default_factory=dict)
    gave_up: set[int] = field(default_factory=set)
    _callers: dict[int, Leg] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self) -> None:
        """Everybody calls at their time; returns when the last call is over."""
        loop = asyncio.get_running_loop()
        self.phones.rung, self.phones.joined, self.phones.ended = self._rung, self._joined, self._ended
        start = loop.time() + 0.5
        self._open = set(range(len(self.visits)))
        for number, visit in enumerate(self.visits):
            loop.call_at(start + visit.arrival, self._dial, number)
        async with asyncio.timeout(self.visits[-1].arrival + LEAVE_LIMIT):
            await self._empty.wait()

    def _dial(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.came[number] = loop.time()
        leg = self.phones.dial(number_of(self.first + number, 0), self.dialled)
        self._callers[number] = leg
        loop.call_at(self.came[number] + self.visits[number].patience, self._lose_patience, number)

    def _lose_patience(self, number: int) -> None:
        if number not in self.rung and number in self._open:
            self.gave_up.add(number)
            self.phones.hang_up(self._callers[number])
            self._closed(number)

    def _number(self, leg: Leg) -> int | None:
        number = caller_of(leg.caller or leg.who)[0] - self.first
        return number if 0 <= number < len(self.visits) else None

    def _rung(self, leg: Leg) -> None:
        number = self._number(leg)
        if number is None:
            return
        loop = asyncio.get_running_loop()
        if number not in self.gave_up:
            self.rung.setdefault(number, loop.time())
        loop.call_later(self.ring, self.phones.answer, leg)

    def _joined(self, leg: Leg) -> None:
        number = self._number(leg)
        if number is not None and leg.caller:
            talk = self.visits[number].handling - self.ring
            asyncio.get_running_loop().call_later(talk, self.phones.hang_up, leg)

    def _ended(self, leg: Leg) -> None:
        number = self._number(leg)
        if number is not None and not leg.caller:
            self._closed(number)

    def _closed(self, number: int) -> None:
        self._open.discard(number)
        if not self._open:
            self._empty.set()

    def figures(self, agents: int) -> Figures:
        """What the callers waited, and would have waited in the ideal queue."""
        if not self.rung:
            raise RuntimeError("no agent's phone rang: there is nothing to compare")
        real = [
            Wait(self.rung[number] - self.came[number], served=True)
            if number in self.rung
            else Wait(visit.patience, served=False)
            for number, visit in enumerate(self.visits)
        ]
        as_it_was = [
            Visit(self.came[number], visit.handling, visit.patience) for number, visit in enumerate(self.visits)
        ]
        ideal = replay(as_it_was, agents)
        return {
            "mean wait s": mean_wait(real),
            "ideal mean wait s": mean_wait(ideal),
            "ratio": mean_wait(real) / mean_wait(ideal),
            "served": sum(wait.served for wait in real),
            "ideal served": sum(wait.served for wait in ideal),
            "callers": len(self.visits),
            "overtakings": len(phone_log.overtakings(self.came, self.rung, BLUR)),
        }


async def measure_hours(plan: TracePlan, say: Callable[[str], None]) -> dict[str, list[Figures]]:
    """The same hour for each ACD in every round, another hour in the next; app_queue's defaults once."""
    found: dict[str, list[Figures]] = {acd: [] for acd in ACDS}
    first = 0
    async with floor_of(plan.agents) as floor:
        await floor.furnish()
        phones = await SipPhones.open(("127.0.0.1", floor.service.sip), floor.phones_port)
        try:
            for number in range(plan.rounds):
                dice = Random(plan.seed + number)
                visits = trace(
                    dice, agents=plan.agents, load=plan.load, handling=plan.handling, patience=plan.patience,
                    length=plan.length, ring=plan.ring,
                )  # fmt: skip
                for acd, dialled in ACDS.items():
                    if acd == "app_queue as it comes" and number:
                        continue
                    if acd == "changgu":
                        await floor.open()
                    else:
                        await floor.shut()
                        await floor.add_plain_queues()
                    hour = Hour(phones, dialled, visits, plan.ring, first)
                    first += len(visits)
                    await hour.play()
                    await floor.nothing_on_the_line()
                    figures = hour.figures(plan.agents)
                    found[acd].append(figures)
                    phones.legs.clear()
                    say(f"hour {number + 1}: {acd}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
        finally:
            phones.close()
    return found
