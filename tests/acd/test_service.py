"""Lists are taken in whole or not at all, and the running floor hears of it."""

import pytest

from changgu.acd.queues import Floor
from changgu.acd.service import FloorSetUp, ImportSummary
from changgu.acd.store import FloorStore
from changgu.ground.csv_rows import RowErrors
from changgu.ground.database import Database


class Told:
    def __init__(self) -> None:
        self.floors: list[Floor] = []

    async def changed(self, floor: Floor) -> None:
        self.floors.append(floor)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def set_up(database: Database, told: Told) -> FloorSetUp:
    return FloorSetUp(FloorStore(database), lambda: {"1000": "대표번호"}, told.changed)


QUEUES = "name,title,number\nvpn,원격접속,1010\npc,PC,1011\n".encode()
AGENTS = "login,name,queues,skills,phone\nalice,김지은,vpn;pc,vpn,browser\n".encode()


async def test_queues_then_agents_then_the_same_again(set_up: FloorSetUp, told: Told) -> None:
    assert await set_up.import_queues("q.csv", QUEUES) == ImportSummary(2, 0, 0)
    assert await set_up.import_agents("a.csv", AGENTS) == ImportSummary(1, 0, 0)
    assert await set_up.import_agents("a.csv", AGENTS) == ImportSummary(0, 0, 1)
    assert await set_up.import_agents("a.csv", AGENTS.replace(b"browser", b"register")) == ImportSummary(0, 1, 0)
    assert [len(floor.agents) for floor in told.floors] == [0, 1, 1]
    assert told.floors[-1].agents[0].phone == "register"


async def test_one_wrong_row_and_nothing_has_changed(set_up: FloorSetUp, told: Told, database: Database) -> None:
    await set_up.import_queues("q.csv", QUEUES)
    before = await FloorStore(database).load_floor()
    with pytest.raises(RowErrors):
        await set_up.import_queues("q.csv", QUEUES.replace(b"PC,1011", b"PC,1000").replace(b"1010", b"1020"))
    with pytest.raises(RowErrors):
        await set_up.import_agents("a.csv", AGENTS + "bob,박준호,nowhere,,browser\n".encode())
    assert await FloorStore(database).load_floor() == before
    assert len(told.floors) == 1
