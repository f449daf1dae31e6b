"""How a change of the floor is taken up while calls go on: whole, or not at all."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from changgu.acd.floor_difference import differences
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent, Destination, Floor, Queue, Way
from changgu.acd.routing import RoutingErrors
from changgu.acd.store import FloorStore
from changgu.app.floor_keeper import MENU_CHANGED, FloorKeeper
from changgu.app.reloaded import Reloaded, answer_to, asking
from changgu.app.settings import Settings
from changgu.ground.database import Base, Database
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.problems import FlowErrors
from tests.app.test_up import House, house, version  # noqa: F401

NETWORK, HELPDESK = QueueName("network"), QueueName("helpdesk")
ALICE = Agent(AgentId("alice"), "김지은", frozenset({NETWORK, HELPDESK}), frozenset({"vpn:7"}))

RULES = """\
[rules]
priority_worth = "2m"
[queue.network]
priority = 3
keys = { "1" = "menu:services", "2" = "announce:goodbye" }
[agent.alice]
seats = { network = { level = 2 } }
"""


class Desk:
    """A data folder, and the keeper of its floor."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.file = folder / "routing.toml"
        self.menu = folder / "menus" / "main.yaml"
        self.store = FloorStore(database)
        settings = Settings.model_validate({"data": folder, "desk": {"time_zone": "Asia/Tokyo"}})
        self.keeper = FloorKeeper(settings, self.store)
        self.prepared: list[Floor] = []
        self.told: list[Floor] = []
        self.keeper.prepare(self._prepare)
        self.keeper.tell([self.told.append])

    async def _prepare(self, floor: Floor, _flow: Flow) -> None:
        self.prepared.append(floor)

    def priority(self) -> int:
        queue = self.keeper.queue(NETWORK)
        assert queue is not None
        return queue.priority


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    desk = Desk(tmp_path, database)
    await desk.store.seed()
    await desk.store.save(agents=[ALICE])
    yield desk
    await database.close()


async def test_without_a_file_the_floor_is_the_lists_in_the_desks_own_zone(desk: Desk) -> None:
    await desk.keeper.read()
    listed = await desk.store.load_floor()
    floor = desk.keeper.floor
    assert floor == replace(listed, rules=replace(listed.rules, zone="Asia/Tokyo", holidays=floor.rules.holidays))


async def test_rules_lie_over_the_lists_from_the_start(desk: Desk) -> None:
    desk.file.write_text(RULES, encoding="utf-8")
    await desk.keeper.read()

    floor = desk.keeper.floor
    assert floor.rules.priority_worth == timedelta(minutes=2)
    assert floor.rules.zone == "Asia/Tokyo"
    assert desk.priority() == 3
    assert next(queue for queue in floor.queues if queue.name == NETWORK).keys["1"] == Destination(Way.MENU, "services")
    assert floor.agents[0].seats[NETWORK].level == 2


async def test_a_mistake_at_the_start_is_a_refusal_with_file_line_and_sentence(desk: Desk) -> None:
    desk.file.write_text(RULES.replace("menu:services", "menu:service").replace("level", "penalty"), encoding="utf-8")
    with pytest.raises(RoutingErrors) as refused:
        await desk.keeper.read()
    assert refused.value.ko.splitlines() == [
        f'{desk.file}:5:queue.network.keys.1: 없는 메뉴 단계입니다: "service" "services"입니까? '
        '(there is no menu node "service"; do you mean services?)',
        f"{desk.file}:7:agent.alice.seats.network.penalty: 모르는 항목입니다. 쓸 수 있는 항목: level, delay, weight "
        "(unknown key; known are: level, delay, weight)",
    ]
    assert desk.keeper.floor == Floor()


async def test_a_desk_with_mistaken_rules_does_not_open(house: House) -> None:  # noqa: F811
    house.settings.data.mkdir()
    (house.settings.data / "routing.toml").write_text("[queue.network]\nstrategy = 'loudest'\n", encoding="utf-8")
    async with house.open() as opening:
        with pytest.raises(RoutingErrors, match=r"routing.toml:2:queue.network.strategy: "):
            await opening


async def test_a_half_wrong_file_changes_nothing_and_every_mistake_is_in_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.file.write_text(RULES, encoding="utf-8")
    await desk.keeper.read()
    before = desk.keeper.floor

    desk.file.write_text(
        RULES.replace("priority = 3", "priority = 4").replace("alice", "alcie").replace("2m", "two"), encoding="utf-8"
    )
    with caplog.at_level(logging.WARNING):
        assert not await desk.keeper.reload()

    assert desk.keeper.floor is before
    assert (desk.prepared, desk.told) == ([], [])
    assert "2 mistake(s)" in caplog.text
    assert f"{desk.file}:2:rules.priority_worth" in caplog.text
    assert f"{desk.file}:6:agent.alcie" in caplog.text

    desk.file.write_text(RULES.replace("priority = 3", "priority = 4"), encoding="utf-8")
    assert await desk.keeper.reload()
    assert desk.priority() == 4
    assert desk.told == [desk.keeper.floor]


async def test_a_file_that_goes_away_leaves_the_lists(desk: Desk) -> None:
    desk.file.write_text(RULES, encoding="utf-8")
    await desk.keeper.read()
    desk.file.unlink()
    assert await desk.keeper.reload()
    assert desk.priority() == 0


@pytest.mark.parametrize("content", [b"\xb4\xeb = 1", b"[queue", b""])
async def test_what_is_no_text_of_rules_is_refused_and_an_empty_file_is_fine(desk: Desk, content: bytes) -> None:
    await desk.keeper.read()
    desk.file.write_bytes(content)
    assert await desk.keeper.reload() == (content == b"")


async def test_a_folder_in_the_files_place_is_refused(desk: Desk) -> None:
    desk.file.mkdir()
    with pytest.raises(RoutingErrors, match="cannot be read"):
        await desk.keeper.read()


async def test_an_agent_who_leaves_while_the_rules_name_them_stays_until_the_rules_are_mended(desk: Desk) -> None:
    desk.file.write_text(RULES, encoding="utf-8")
    await desk.keeper.read()
    await desk.store.remove_agent(ALICE.login)

    assert not await desk.keeper.reload()
    assert desk.keeper.logins() == ["alice"]

    desk.file.write_text(RULES.partition("[agent")[0], encoding="utf-8")
    assert await desk.keeper.reload()
    assert desk.keeper.logins() == []


async def test_a_menu_that_asks_for_what_nobody_can_do_is_refused(desk: Desk) -> None:
    desk.menu.parent.mkdir()
    menu = (
        "flow: main\nstart: operator\nperson: operator\nnodes:\n"
        "  operator: {kind: to_queue, queue: network, skills: ['vpn:3'], agent: alice}\n"
    )
    desk.menu.write_text(menu, encoding="utf-8")
    await desk.keeper.read()
    desk.menu.write_text(menu.replace("vpn:3", "sap").replace("alice", "bob"), encoding="utf-8")
    with pytest.raises(FlowErrors) as refused:
        await desk.keeper.read()
    assert [problem.place.line for problem in refused.value.problems] == [5, 5]


async def test_a_desk_that_is_started_again_goes_on_with_the_rules_that_were_taken_up_last(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in the file, and then a crash, must not close the desk."""
    desk.file.write_text("[queue.network]\npriority = 3\n", encoding="utf-8")
    await desk.keeper.read()
    desk.file.write_text("[queue.nowhere]\npriority = 4\n", encoding="utf-8")

    await desk.keeper.read()

    assert desk.priority() == 3
    assert "nowhere" in caplog.text


async def test_rules_that_somebody_writes_while_others_are_taken_up_are_not_taken_for_those(desk: Desk) -> None:
    """New sentences have to be spoken, which takes a while; the file is saved again meanwhile, with a mistake."""
    desk.file.write_text(RULES, encoding="utf-8")
    await desk.keeper.read()
    desk.file.write_text(RULES.replace("priority = 3", "priority = 4"), encoding="utf-8")

    async def speaks_for_long(_floor: Floor, _flow: Flow) -> None:
        desk.file.write_text(RULES + "[queue.netw", encoding="utf-8")

    desk.keeper.prepare(speaks_for_long)
    assert await desk.keeper.reload()

    again = FloorKeeper(desk.keeper._settings, desk.store)
    await again.read()

    assert [queue.priority for queue in again.floor.queues if queue.name == NETWORK] == [4]


async def test_rules_that_were_never_right_open_no_desk(desk: Desk) -> None:
    desk.file.write_text("[queue.nowhere]\npriority = 4\n", encoding="utf-8")

    with pytest.raises(RoutingErrors, match="nowhere"):
        await desk.keeper.read()


async def test_what_a_reload_changed_or_why_it_did_not_can_be_read_by_whoever_asked_for_it(desk: Desk) -> None:
    data = desk.file.parent
    await desk.keeper.read()
    desk.file.write_text(RULES, encoding="utf-8")
    with asking(data) as wish:
        assert answer_to(data, wish) is None
        assert await desk.keeper.reload()
        taken = answer_to(data, wish)

    desk.file.write_text("[queue.nowhere]\npriority = 4\n", encoding="utf-8")
    with asking(data) as wish:
        assert not await desk.keeper.reload()
        refused = answer_to(data, wish)

    assert taken is not None
    assert refused is not None
    assert (taken.taken_up, refused.taken_up) == (True, False)
    assert "rules.priority_worth: 300s → 120s" in taken.lines
    assert "queue.network.priority: 0 → 3" in taken.lines
    assert len(refused.lines) == 1
    assert refused.lines[0].startswith(f"{desk.file}:1:queue.nowhere: ")
    assert list((data / "reloads").iterdir()) == [], "whoever has been told leaves nothing behind"


async def test_who_asks_while_a_reload_goes_on_is_told_of_the_next_one(desk: Desk) -> None:
    """A supervisor's mistake is not the answer to a colleague who has put it right meanwhile."""
    data = desk.file.parent
    await desk.keeper.read()
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(floor: Floor, flow: Flow) -> None:
        under_way.set()
        await go_on.wait()

    desk.keeper.prepare(slowly)
    desk.file.write_text("[queue.network]\npriority = 4\n", encoding="utf-8")
    with asking(data) as mine, contextlib.ExitStack() as later:
        first = asyncio.create_task(desk.keeper.reload())
        await under_way.wait()
        desk.file.write_text("[queue.network]\npriority = 5\n", encoding="utf-8")
        theirs = later.enter_context(asking(data))
        second = asyncio.create_task(desk.keeper.reload())
        go_on.set()
        assert await first
        assert await second
        told = answer_to(data, mine), answer_to(data, theirs)

    assert [one.lines for one in told if one is not None] == [
        ("queue.network.priority: 0 → 4",), ("queue.network.priority: 4 → 5",)
    ]  # fmt: skip


async def test_two_who_ask_before_one_reload_are_both_told_of_it(desk: Desk) -> None:
    data = desk.file.parent
    await desk.keeper.read()
    desk.file.write_text("[queue.network]\npriority = 4\n", encoding="utf-8")
    with asking(data) as one, asking(data) as other:
        assert await desk.keeper.reload()
        told = answer_to(data, one)
        assert told == answer_to(data, other) == Reloaded(taken_up=True, lines=("queue.network.priority: 0 → 4",))


async def test_answers_that_nobody_fetched_are_thrown_away(desk: Desk) -> None:
    data = desk.file.parent
    await desk.keeper.read()
    with asking(data):
        left = data / "reloads" / "0123.json"
        left.write_text("{}", encoding="utf-8")
        os.utime(left, (0, 0))
        assert await desk.keeper.reload()
        assert not left.exists()


async def test_a_reload_that_changed_only_the_menu_says_so(desk: Desk) -> None:
    await desk.keeper.read()
    assert await desk.keeper.reload()
    unchanged = desk.keeper.last
    shipped = (files("changgu.ivr_flows") / "menus" / "main.yaml").read_text(encoding="utf-8")
    desk.menu.parent.mkdir(exist_ok=True)
    desk.menu.write_text(shipped.replace("title: ", "title: 새로운 ", 1), encoding="utf-8")
    assert await desk.keeper.reload()

    assert unchanged is not None
    assert desk.keeper.last is not None
    assert (unchanged.lines, desk.keeper.last.lines) == ((), (MENU_CHANGED,))


def test_the_difference_of_two_floors_names_what_came_what_went_and_what_is_another() -> None:
    before = Floor((Queue(NETWORK, "네트워크"), Queue(HELPDESK, "헬프데스크")), (ALICE,))
    after = Floor(
        (Queue(NETWORK, "네트워크", ring_limit=timedelta(seconds=30), keys={"1": Destination(Way.CALLBACK)}),),
        (replace(ALICE, queues=frozenset({NETWORK})), Agent(AgentId("bob"), "박준호")),
    )
    assert differences(before, after) == [
        "- queue.helpdesk",
        "queue.network.ring_limit: 20s → 30s",
        "queue.network.keys: - → 1=callback",
        "+ agent.bob",
        "agent.alice.queues: helpdesk, network → network",
    ]
    assert differences(after, after) == []


async def test_the_holidays_of_the_sites_calendar_are_kept_by_call_backs_too(desk: Desk) -> None:
    year = datetime.now(ZoneInfo("Asia/Tokyo")).year
    await desk.keeper.read()
    assert date(year, 12, 25) in desk.keeper.floor.rules.holidays
    assert date(year + 2, 1, 1) in desk.keeper.floor.rules.holidays

    desk.menu.parent.mkdir()
    table = f"days: {{{year}-12-24: 창립기념일, {year}-12-25: {{name: 성탄절, working: true}}}}"
    (desk.menu.parent / "calendars.yaml").write_text(
        f"version: '1'\ncalendars:\n  desk:\n    week: {{mon-fri: 09:00-18:00}}\n    holidays: KR\n    {table}\n",
        encoding="utf-8",
    )
    assert await desk.keeper.reload()
    kept = desk.keeper.floor.rules.holidays
    assert date(year, 12, 24) in kept
    assert date(year, 12, 25) not in kept
