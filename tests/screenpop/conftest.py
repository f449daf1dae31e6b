"""A screen pop between hand-written neighbours, with a clock wound by hand."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from changgu.acd.facts import (
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    MenuStepTaken,
    OfferEnd,
    OfferEnded,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from changgu.ground.database import Base, Database
from changgu.screenpop.caller import CallerCard
from changgu.screenpop.desktop import Desktop
from changgu.screenpop.service import ScreenPop
from changgu.screenpop.store import IdentifiedCalls
from tests.support.pop_fakes import FakePast, FakePeople, FakeTickets

NETWORK = QueueName("network")
HONG = CallerCard("1", "홍길동", department="정보화담당관실", numbers=("01012345678",))
SUNG = CallerCard("2", "성춘향", numbers=("0221007777",))
LEE = CallerCard("3", "이몽룡", numbers=("0221007777",))
FLOOR = Floor(
    (Queue(NETWORK, "네트워크"),),
    (
        Agent(AgentId("alice"), "앨리스", frozenset({NETWORK})),
        Agent(AgentId("bob"), "밥", frozenset({NETWORK}), phone="browser"),
    ),
)


class PopHouse:
    """The screen pop and everybody around it."""

    def __init__(self, database: Database) -> None:
        self.at = 1_000.0
        self.people = FakePeople(HONG, SUNG, LEE)
        self.tickets = FakeTickets()
        self.past = FakePast()
        self.identified = IdentifiedCalls(database)
        self.floor = FLOOR
        self.pop = self.screen_pop()
        self.heard: list[Recorded] = []
        self._seq = count(1)
        self._offers = count(1)

    def screen_pop(self) -> ScreenPop:
        return ScreenPop(
            directory=self.people, tickets=self.tickets, calls=self.past, identified=self.identified,
            floor=lambda: self.floor, now=lambda: self.at, node_title={"vpn": "VPN"}.get,
            confirmed=self.tickets.caller_is,
        )  # fmt: skip

    def hear(self, *facts: Fact) -> None:
        for fact in facts:
            recorded = Recorded(next(self._seq), self.at, fact)
            self.heard.append(recorded)
            self.pop.hear(recorded)

    def queued(self, call: str, number: str | None = "01012345678") -> None:
        self.hear(
            CallStarted(CallId(call), Direction.INBOUND, number, "1000"), MenuStepTaken(CallId(call), "vpn", "2"),
            CallQueued(CallId(call), NETWORK, 0),
        )  # fmt: skip

    def offered(self, call: str, agent: str = "alice") -> OfferId:
        offer = OfferId(next(self._offers))
        self.hear(CallOffered(CallId(call), AgentId(agent), offer, NETWORK))
        return offer

    def ring(self, call: str, number: str | None = "01012345678", agent: str = "alice") -> OfferId:
        self.queued(call, number)
        return self.offered(call, agent)

    def connect(self, call: str, offer: OfferId, agent: str = "alice") -> None:
        login = AgentId(agent)
        self.hear(CallAnswered(CallId(call), login, offer, NETWORK), CallConnected(CallId(call), login, offer))

    def unanswered(self, call: str, offer: OfferId, agent: str = "alice") -> None:
        self.hear(OfferEnded(CallId(call), AgentId(agent), offer, OfferEnd.NO_ANSWER))

    def ended(self, call: str) -> None:
        self.hear(CallEnded(CallId(call), Outcome.ANSWERED, Ender.CALLER))

    def desktop(self, agent: str = "alice") -> "Screen":
        screen = Screen()
        self.pop.attach(AgentId(agent), screen)
        return screen


class Screen(Desktop):
    """A desktop that a test reads."""

    def __init__(self) -> None:
        super().__init__()
        self.pops: list[object] = []

    def show(self, part: str, body: object) -> None:
        super().show(part, body)
        if part == "pop":
            self.pops.append(body)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'pop.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
async def house(database: Database) -> AsyncIterator[PopHouse]:
    house = PopHouse(database)
    for agent in FLOOR.agents:
        house.desktop(agent.login)  # somebody looks: for nobody, nothing is looked up
    looking_up = asyncio.create_task(house.pop.run())
    yield house
    await house.pop.settled()
    looking_up.cancel()
    await asyncio.gather(looking_up, return_exceptions=True)
