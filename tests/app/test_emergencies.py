"""An emergency plan is on for everybody or for nobody, with its notice, until its end, through reloads and restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.engine import Engine
from changgu.acd.events import PhoneReachable
from changgu.acd.facts import Emergency, FloorTakenUp
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Agent, Floor
from changgu.acd.runner import Runner
from changgu.app.emergencies import Emergencies
from changgu.app.floor_keeper import FloorKeeper
from changgu.app.schema import METADATA
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.publishing.notices import Notice
from tests.ivr_flows.menu_house import BOSS, DEPUTY, UNSPEAKABLE, MenuHouse

NETWORK, HELPDESK = QueueName("network"), QueueName("helpdesk")
ALICE = Agent(AgentId("alice"), "김지은", frozenset({NETWORK}))
BOB = Agent(AgentId("bob"), "이상담", frozenset({HELPDESK}))

RULES = """\
[queue.network]
wrap_up = "30s"
[emergency.outage]
title = "전산망 장애"
lasts = "2h"
helpers = [{ agents = ["bob"], queues = ["network"] }]
notice = { ko = "전산망 장애를 복구하고 있습니다." }
[emergency.outage.queue.network]
wrap_up = "5s"
[emergency.virus.queue.network]
priority = 5
"""


class WoundClock:
    """The desk's clock, as the runner reads it."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk

    def now(self) -> float:
        return (self._desk.clock + self._desk.floor_ahead).timestamp()


class Desk(MenuHouse):
    """A desk with plans; its floor is with a real engine, which writes a real ledger."""

    def __init__(self, folder: Path, database: Database) -> None:
        super().__init__(folder, database)
        self.file = folder / "routing.toml"
        self.file.write_text(RULES, encoding="utf-8")
        self.refusals: list[str] = []
        self.floor_ahead = timedelta()
        self.ledger = Ledger(database, folder / "spool.jsonl")
        self.switch = self._switch_of(self.keeper)
        self.runner: Runner

    def _switch_of(self, keeper: FloorKeeper) -> Emergencies:
        keeper.prepare(self._prepare)
        return Emergencies(keeper, self.notices, self.menu.places)

    async def _prepare(self, _floor: Floor, _flow: object) -> None:
        if self.refusals:
            raise OSError(self.refusals.pop())

    async def open(self) -> None:
        await self.floors.seed()
        await self.floors.save(agents=[ALICE, BOB])
        await self.keeper.read()

    async def reopen(self) -> None:
        """What is left after SIGKILL is read by a new process."""
        self.keeper = FloorKeeper(self.keeper._settings, self.floors, self.versions)
        await self.keeper.read(await Past(self.database).emergency())
        self.switch = self._switch_of(self.keeper)

    async def start_again(self) -> None:
        """Who looks after plans does so as after a start."""
        self.switch = self._switch_of(self.keeper)
        await self.switch.look()

    @contextlib.asynccontextmanager
    async def without_notices(self) -> AsyncIterator[None]:
        """The database refuses whatever is asked about notices."""
        await self._rename("flow_notices", "away")
        yield
        await self._rename("away", "flow_notices")

    async def _rename(self, table: str, name: str) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))

    def bob(self) -> list[str]:
        return sorted(next(one for one in self.keeper.floor.agents if one.login == BOB.login).queues)

    def wrap_up(self) -> float:
        queue = self.keeper.queue(NETWORK)
        assert queue is not None
        return queue.wrap_up.total_seconds()

    async def on_air(self) -> list[Notice]:
        return [one for one in await self.notices.lines() if one.is_on(self.clock)]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    desk = Desk(tmp_path, database)
    await desk.open()
    desk.runner = Runner(
        Engine(desk.keeper.floor), WoundClock(desk), lambda _command: None, [], 1, ledger=desk.ledger.hear
    )

    def changed(floor: Floor) -> None:
        desk.runner.configure(floor, desk.keeper.emergency, *desk.keeper.order)

    desk.keeper.tell([changed])
    desk.runner.configure(desk.keeper.floor)
    task = asyncio.create_task(desk.runner.run())
    yield desk
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await database.close()


async def switches(desk: Desk) -> list[FloorTakenUp]:
    """Every set-up that was taken up, as the ledger has them."""
    await desk.runner.ask(PhoneReachable(AgentId("nobody")))
    assert await desk.ledger.flush()
    return [entry.fact for entry in await desk.ledger.read(0) if isinstance(entry.fact, FloorTakenUp)]


async def test_one_wish_turns_it_on_for_everybody_and_another_off(desk: Desk) -> None:
    ordinary = desk.keeper.floor
    assert await desk.switch.turn_on("outage", "백본 장애", None, BOSS) is None

    began = desk.clock.timestamp()
    assert desk.switch.on == Emergency("outage", "전산망 장애", "boss", "백본 장애", began, began + 7200)
    assert (desk.bob(), desk.wrap_up()) == (["helpdesk", "network"], 5)
    (notice,) = await desk.on_air()
    assert notice.sentences == {"ko": "전산망 장애를 복구하고 있습니다."}
    assert notice.ends_at == desk.clock + timedelta(hours=2)
    assert notice.by == "boss (비상운영 outage)"

    await desk.switch.turn_off("복구", DEPUTY)
    assert desk.switch.on is None
    assert desk.keeper.floor is ordinary
    assert await desk.on_air() == []

    assert [(one.by, one.why, one.emergency is not None) for one in await switches(desk)] == [
        (None, "", False), ("boss", "", True), ("deputy", "복구", False),
    ]  # fmt: skip


async def test_it_ends_by_itself_when_its_time_has_come(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "", desk.clock + timedelta(minutes=30), BOSS)
    desk.wind(minutes=29)
    await desk.switch.look()
    assert desk.switch.on is not None
    desk.wind(minutes=1)
    desk.refusals.append("the PBX is down")
    with pytest.raises(Conflict, match="the PBX is down"):  # and it is tried again
        await desk.switch.look()
    assert desk.switch.on is not None
    await desk.switch.look()
    assert desk.switch.on is None
    assert desk.wrap_up() == 30
    assert [one.by for one in await switches(desk)] == [None, "boss", None]


async def test_the_same_plan_again_gets_another_end_and_another_plan_takes_its_place(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "", None, BOSS)
    began = desk.clock.timestamp()
    desk.wind(hours=1)
    await desk.switch.turn_on("outage", "더 걸림", None, DEPUTY)
    assert desk.switch.on == Emergency("outage", "전산망 장애", "deputy", "더 걸림", began, began + 3600 + 7200)
    assert [one.ends_at for one in await desk.on_air()] == [desk.clock + timedelta(hours=2)]

    longest = desk.clock + timedelta(days=31)
    assert await desk.switch.turn_on("outage", "", longest, DEPUTY) is None
    (notice,) = await desk.on_air()
    assert timedelta() < longest - notice.ends_at < timedelta(minutes=1)

    await desk.switch.turn_on("virus", "", None, BOSS)
    assert (desk.bob(), desk.wrap_up()) == (["helpdesk"], 30)
    assert desk.switch.on == Emergency("virus", "virus", "boss", "", desk.clock.timestamp())
    assert await desk.on_air() == []


async def test_what_cannot_be_is_refused_and_nothing_has_changed(desk: Desk) -> None:
    ordinary = desk.keeper.floor
    with pytest.raises(NotFound, match="no such emergency plan"):
        await desk.switch.turn_on("flood", "", None, BOSS)
    with pytest.raises(BadInput, match="later than now"):
        await desk.switch.turn_on("outage", "", desk.clock, BOSS)
    latest = datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))  # no clock shows it
    for until in (desk.clock + timedelta(days=31, seconds=1), latest):
        with pytest.raises(BadInput, match="within 31 days"):
            await desk.switch.turn_on("outage", "", until, BOSS)
    with pytest.raises(Conflict, match="No emergency plan is on"):
        await desk.switch.turn_off("", BOSS)
    desk.refusals.append("the PBX is down")
    with pytest.raises(Conflict, match="the PBX is down"):
        await desk.switch.turn_on("outage", "", None, BOSS)
    assert (desk.keeper.floor, desk.switch.on) == (ordinary, None)
    assert await desk.on_air() == []


async def test_a_notice_that_cannot_be_spoken_keeps_nobody_from_being_served(desk: Desk) -> None:
    desk.file.write_text(RULES.replace("전산망 장애를", f"전산망 {UNSPEAKABLE} 장애를"), encoding="utf-8")
    await desk.keeper.reload()
    said = await desk.switch.turn_on("outage", "", None, BOSS)
    assert said is not None
    assert "The plan is on, without its notice." in said
    assert desk.bob() == ["helpdesk", "network"]


async def test_a_file_that_is_being_written_is_in_nobodys_way(desk: Desk) -> None:
    desk.file.write_text(RULES + "[queue.netw", encoding="utf-8")
    await desk.switch.turn_on("outage", "", None, BOSS)
    assert desk.wrap_up() == 5
    assert not await desk.keeper.reload()
    await desk.switch.turn_off("", BOSS)
    assert desk.wrap_up() == 30


async def test_a_reload_meanwhile_changes_the_plan_that_is_on_and_the_floor_below_it(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "", None, BOSS)
    desk.file.write_text(RULES.replace('"5s"', '"7s"').replace('"30s"', '"40s"'), encoding="utf-8")
    assert await desk.keeper.reload()
    assert desk.keeper.last.lines == ("queue.network.wrap_up: 5s → 7s",)
    assert (desk.wrap_up(), desk.bob()) == (7, ["helpdesk", "network"])
    assert desk.switch.on is not None

    desk.file.write_text(RULES.replace("emergency.outage", "emergency.other"), encoding="utf-8")
    assert not await desk.keeper.reload()
    (why,) = desk.keeper.last.lines
    assert why.startswith(f"{desk.file}:1:emergency.outage: ")
    assert "turn it off first" in why

    await desk.switch.turn_off("", BOSS)
    assert desk.wrap_up() == 40
    assert await desk.keeper.reload()
    told = list(desk.keeper.last.lines)
    assert told == ["queue.network.wrap_up: 40s → 30s", "- emergency.outage", "+ emergency.other"]


async def test_a_plan_outlives_sigkill_and_so_does_that_it_was_turned_off(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "백본", None, BOSS)
    on, floor = desk.switch.on, desk.keeper.floor
    await switches(desk)
    await desk.reopen()
    assert (desk.switch.on, desk.keeper.floor) == (on, floor)
    assert desk.wrap_up() == 5

    desk.file.write_text("[queue.netw", encoding="utf-8")  # somebody is at it when the desk starts again
    await desk.reopen()
    assert (desk.switch.on, desk.keeper.floor) == (on, floor)

    desk.runner.configure(desk.keeper.plans.ordinary, None, "boss", "")
    await switches(desk)
    await desk.reopen()
    assert desk.switch.on is None
    assert desk.wrap_up() == 30


async def test_a_plan_that_no_file_has_any_more_is_over_and_the_desk_opens(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "", None, BOSS)
    await switches(desk)
    desk.file.unlink()
    (desk.folder / "routing.accepted.toml").unlink()
    await desk.reopen()
    assert desk.switch.on is None
    assert desk.bob() == ["helpdesk"]


async def test_after_a_start_the_notice_is_as_the_plan_is(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "", None, BOSS)
    desk.keeper.emergency = None  # killed between the floor and its notice: turned off, still on the air
    await desk.start_again()
    assert await desk.on_air() == []

    desk.wind(seconds=1)
    # turned on, and killed before callers heard of it
    desk.keeper.emergency = Emergency("outage", "전산망 장애", "boss", "", desk.clock.timestamp())
    await desk.start_again()
    assert len(await desk.on_air()) == 1
    await desk.notices.withdraw((await desk.on_air())[0].id, DEPUTY)
    await desk.start_again()
    assert await desk.on_air() == []  # somebody took it off the air, and it stays off


async def test_a_notice_follows_its_plan_as_soon_as_the_database_is_back(desk: Desk) -> None:
    async with desk.without_notices():
        with pytest.raises(SQLAlchemyError):
            await desk.switch.turn_on("outage", "", None, BOSS)
        assert desk.wrap_up() == 5  # callers are served by it all the same
        with pytest.raises(SQLAlchemyError):
            await desk.switch.look()
    await desk.switch.look()
    assert [one.sentences for one in await desk.on_air()] == [{"ko": "전산망 장애를 복구하고 있습니다."}]

    async with desk.without_notices():
        with pytest.raises(SQLAlchemyError):
            await desk.switch.turn_off("", BOSS)
        assert desk.wrap_up() == 30
    await desk.switch.look()
    assert await desk.on_air() == []


async def test_callers_hear_a_notice_once_though_the_floors_clock_is_ahead_of_the_walls(desk: Desk) -> None:
    """The floor's clock never goes back; the computer's was set back since the desk was opened."""
    desk.floor_ahead = timedelta(minutes=1)
    await desk.switch.turn_on("outage", "", desk.clock + timedelta(minutes=30), BOSS)
    await desk.start_again()
    assert len(await desk.on_air()) == 1
    desk.wind(minutes=29, seconds=30)
    await desk.switch.look()
    assert desk.switch.on is not None  # until the time that was said


async def test_a_plan_that_a_reload_is_taking_out_of_the_file_cannot_be_turned_on(desk: Desk) -> None:
    desk.file.write_text("", encoding="utf-8")
    reloading = asyncio.create_task(desk.keeper.reload())
    await asyncio.sleep(0)
    with pytest.raises(NotFound, match="no such emergency plan"):
        await desk.switch.turn_on("outage", "", None, BOSS)
    assert await reloading


async def test_who_moves_an_agent_meanwhile_moves_them_on_the_ordinary_floor(desk: Desk) -> None:
    await desk.switch.turn_on("outage", "", None, BOSS)
    assert (await desk.floors.load_floor()).agents[1].queues == {HELPDESK}
    await desk.switch.turn_off("", BOSS)
    assert desk.bob() == ["helpdesk"]
