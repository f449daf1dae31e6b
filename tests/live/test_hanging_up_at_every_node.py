"""Real callers hang up at every place of the menus that come with changgu, and nothing of them is left behind."""

import asyncio
import itertools
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import pytest_asyncio

from changgu.ivr_flows import service as menus
from changgu.ivr_flows.calendar_reader import CalendarReader
from changgu.ivr_flows.nodes import Condition, LookUp, OpeningHours, Return, SetValue, SubFlow
from changgu.ivr_flows.opening_hours import Hours
from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.many_callers import CallBook, ManyCallers, OneCaller, Row, path_of
from tests.support.service import Changgu
from tests.support.waiting import eventually

TAKES_NO_TIME = Condition | LookUp | OpeningHours | Return | SetValue | SubFlow
"""Nobody can be at such a node: the next one follows in the same moment, or the answer of our own database."""
SEOUL = ZoneInfo("Asia/Seoul")
PIN = "4826"
CHECKED = "12{employee}#" + PIN + "#"
"""Korean, their own affairs, employee number and PIN: whoever keys it is at `own_services`."""
HEARD = "-"
"""In place of a key: hear the first sentence to its end, to the first question."""
SPEAK = "!"
"""In place of a key: say something for a while."""

MAIN = {
    "greeting": "", "services": "", "pc": "1", "network": "2", "application": "3", "account": "4", "operator": "0",
    "ticket_status": "8", "after_ticket_status": "8{ticket}#", "goodbye": "8{ticket}#3",
}  # fmt: skip
"""Node of main.yaml → keys that lead there."""
OPEN = {
    "greeting": "", "language": "", "services": "1", "request": "11", "pc": "111", "network": "112", "account": "113",
    "operator": "10", "identify/ask_number": "12", "identify/ask_pin": "1220190001#",
    "identify/wrong": "1220190004#1111#", "identify/ask_mobile": "1220190005#1111#1",
    "not_confirmed": "1220190006#1111#3", "own_services": CHECKED.format(employee=20190007),
    "no_ticket": CHECKED.format(employee=20190008) + "1", "newest_told": CHECKED.format(employee=20190002) + "1",
    "about_newest": CHECKED.format(employee=20190003) + "1",
    "call_about_number": CHECKED.format(employee=20190011) + "11",
    "purchase_month": CHECKED.format(employee=20190009) + "2",
    "no_asset": CHECKED.format(employee=20190010) + "2202401",
    "asset_found": CHECKED.format(employee=20190001) + "2202403", "ticket_status": "13", "call_me": "14",
    "callback_number": "141",
}  # fmt: skip
"""Of office.yaml during opening hours. Everybody who keys a PIN is another person: guesses at the same time count."""
CLOSED = {
    "closed": "1", "message": "1-", "record": "1-1", "recorded": "1-1!#", "ticket_status_closed": "1-2",
    "goodbye": "1-3",
}  # fmt: skip
SURVEY = {
    "hello": "", "promptness": "-", "accuracy": "-5", "kindness": "-54", "overall": "-543", "thanks": "-5432",
    "operator": "-0",
}  # fmt: skip
UNREACHED = {
    "callback": "calls back whoever may be dialled: the desk of the test has no way out",
    "callback_there": "the same for a number that was keyed", "call_about_promised": "the same",
    "identify/ask_new_pin": "for whoever was sent a PIN by SMS: nothing sends messages here",
    "identify/easy_pin": "the same", "identify/pin_changed": "the same",
    "identify/pin_not_changed": "the same",
    "identify/reset_asked": "the same", "identify/reset_paused": "the same",
}  # fmt: skip
"""Why nobody is hung up on there."""

TABLE = """version: "1"
calendars:
  desk:
    week: {{mon-sun: 00:00-23:59}}
    lunch: {lunch}
    holidays: none
    days: {{2099-01-01: 새해{days}}}
"""
FURTHER_PEOPLE = """employee_number,name,phones
20190004,김철수,4004
20190005,이영희,4005
20190006,박민수,4006
20190007,최지우,4007
20190008,정우성,4008
20190009,강동원,4009
20190010,조인성,4010
20190011,한지민,4011
"""
SENTENCES = """greeting = "안녕하세요."
recording_notice = "녹음됩니다."
voicemail_prompt = "말씀하십시오."
"""


@dataclass(frozen=True)
class Stage:
    """A menu on the air, who calls it, and how the desk stands meanwhile."""

    text: str
    walks: Mapping[str, str]
    stands: Hours = Hours.OPEN

    def hours(self, now: datetime) -> str:
        """A table of opening hours by which the desk stands so for five hours from `now`, whatever the clock shows.

        It stands otherwise at some other time, or the menu would not be let on the air.
        """

        def clock(ahead: float) -> str:
            at = now.replace(minute=0) + timedelta(hours=ahead)
            return f"{at:%H:%M}"

        lunch = (-1, 6) if self.stands is Hours.LUNCH else (12, 12.5)
        day = "{name: 종일, hours: 00:00-24:00}"
        if self.stands is Hours.HOLIDAY:
            day = "창립기념일"
        elif self.stands is Hours.CLOSED:
            day = f"{{name: 반나절, hours: {clock(12.5)}-{clock(13)}}}"
        days = [(now + timedelta(days=ahead)).date().isoformat() for ahead in (-1, 0, 1)]
        return TABLE.format(
            lunch=f"{clock(lunch[0])}-{clock(lunch[1])}", days="".join(f", {one}: {day}" for one in days)
        )


def shipped(flow: str) -> str:
    """A menu that comes with changgu, as the desk's main one."""
    return menus.shipped_menu(flow).read_text("utf-8").replace(f"flow: {flow}\n", "flow: main\n")


OFFICE = shipped("office")
STAGES = (
    Stage(shipped("main"), MAIN),
    Stage(OFFICE, OPEN),
    Stage(OFFICE, {"lunch": "1"}, Hours.LUNCH),
    Stage(OFFICE, {"holiday": "1"}, Hours.HOLIDAY),
    Stage(OFFICE, CLOSED, Hours.CLOSED),
    Stage(shipped("survey"), SURVEY),
)


def test_every_node_of_the_shipped_menus_at_which_a_caller_can_be_has_a_walk() -> None:
    for flow, walks in (("main", MAIN), ("office", {**OPEN, **CLOSED, "lunch": "", "holiday": ""}), ("survey", SURVEY)):
        whole = menus.load_file(menus.shipped_menu(flow))
        nodes = {
            f"{part.name}/{name}" if part is not whole else name
            for part in whole.all_flows()
            for name, node in part.nodes.items()
            if not isinstance(node, TAKES_NO_TIME)
        }
        assert nodes - set(UNREACHED) == set(walks), flow


@pytest.mark.parametrize("stands", Hours)
def test_the_stages_stand_as_they_say_whenever_the_test_runs(stands: Hours) -> None:
    stage, midnight = Stage(OFFICE, {}, stands), datetime(2026, 11, 23, tzinfo=SEOUL)
    for seconds in [*range(0, 86_400, 1741), 1, 59, 86_279, 86_340, 86_399]:
        now = midnight + timedelta(seconds=seconds)
        reader = CalendarReader("calendars.yaml")
        desk = reader.read(stage.hours(now))["desk"]
        assert reader.problems == []
        assert desk.ever() == frozenset(Hours), "every place of the menu is for some hour"
        for later in (0, 1, 60, 120, 600, 4 * 3600):
            moment = now + timedelta(seconds=later)
            assert desk.at(moment).hours is stands, moment


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[Changgu]:
    """A desk whose people have PINs, tickets and equipment."""
    changgu = Changgu(tmp_path / "nodes", rtp=(21400, 21999))
    (changgu.data / "prompts").mkdir(parents=True)
    (changgu.data / "prompts" / "ko.toml").write_text(SENTENCES)
    try:
        await changgu.up()
        await Desk.furnish(changgu)
        yield changgu
        assert await changgu.down() == 0
    finally:
        await changgu.close()
        print("\n".join(changgu.said[-60:]))


async def known_people(house: Changgu) -> str:
    """PINs for all; equipment for one, tickets for three, one of them promised; a ticket's number."""
    further = house.folder / "further.csv"
    further.write_text(FURTHER_PEOPLE)
    await house.cli("people", "import", str(further))
    people = {one["employee_number"]: one["id"] for one in (await house.get("/people"))["items"]}
    for person in people.values():
        assert (await house.http.put(f"/api/v1/people/{person}/pin", json={"pin": PIN})).status_code == 200
    asset = {"tag": "PC-0001", "kind": "PC", "model": "노트북", "purchased_on": "2024-03-04"}
    changed = await house.http.patch(f"/api/v1/people/{people['20190001']}", json={"assets": [asset]})
    assert changed.status_code == 200, changed.text
    numbers = []
    for employee in ("20190002", "20190003", "20190011"):
        ticket = {"title": "느립니다", "kind": "service_request", "person": people[employee]}
        numbers.append(str((await house.post("/tickets", ticket))["number"]))
    group = (await house.get("/tickets/codes"))["groups"][0]
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await house.post(f"/tickets/{numbers[1]}/moves", {"to": "assigned", "group": group["code"], "expected_at": soon})
    return numbers[0]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_caller_can_hang_up_at_every_node_and_nothing_is_left(house: Changgu) -> None:
    """About fifty callers at once, each with one outcome in the ledger; the PBX is empty and the log has no error."""
    ticket = await known_people(house)
    noise = np.random.default_rng(1).integers(0, 256, (50, 160), np.uint8)
    walks: list[tuple[str, OneCaller]] = []
    numbers = itertools.count()

    async def one_call(node: str, keys: str, number: str, begun: asyncio.Event) -> None:
        walks.append((node, caller := telephones.dial(number)))
        await caller.answered()
        await book.row_of(caller, lambda row: bool(row["menu_path"]))
        begun.set()  # they have this version, and keep it
        await walk(node, keys, caller)

    async def walk(node: str, keys: str, caller: OneCaller) -> None:
        def is_there(row: Row) -> bool:
            return path_of(row)[-1:] == [node]

        for key in keys.format(ticket=ticket):
            if key == HEARD:
                await book.row_of(caller, lambda row: path_of(row)[-1:] in (["message"], ["promptness"]))
            elif key == SPEAK:
                await book.row_of(caller, lambda row: path_of(row)[-1:] == ["record"])
                caller.line.speak(noise)
                await asyncio.sleep(4.0)
            else:
                await caller.press(key)
        await book.row_of(caller, is_there)
        caller.hang_up()

    count = sum(len(stage.walks) for stage in STAGES)
    async with CallBook(house) as book, ManyCallers(house, count) as telephones, asyncio.TaskGroup() as calls:
        for stage in STAGES:
            if stage.walks is not MAIN:  # with that the desk has opened
                await on_the_air(house, stage)
            begun = [asyncio.Event() for _ in stage.walks]
            for each, (node, keys) in zip(begun, stage.walks.items(), strict=True):
                calls.create_task(one_call(node, keys, f"0105557{next(numbers):04}", each), name=node)
            for each in begun:
                await each.wait()
    callers = [caller for _, caller in walks]
    async with CallBook(house) as book:
        rows = await book.rows_of(callers, lambda row: row["outcome"] is not None)
    for (node, _), row in zip(walks, rows, strict=True):
        assert row["outcome"] in OTHERWISE.get(node, {"abandoned_in_menu"}), (node, row["outcome"])
    async with SoftPhones() as phones:
        await Desk(house, phones, phones, {}, house.folder).nothing_is_left()
    with closing(sqlite3.connect(f"file:{house.data / 'changgu.sqlite'}?mode=ro", uri=True)) as ledger:
        ends = ledger.execute("SELECT count(*) FROM ledger WHERE kind = 'CallEnded' GROUP BY call").fetchall()
    assert ends == [(1,)] * count
    assert [line for line in house.said if " ERROR " in line or " CRITICAL " in line or "Traceback" in line] == []


ON_THE_WAY = {"abandoned_in_menu", "abandoned_in_queue"}
OTHERWISE = {
    "pc": ON_THE_WAY, "network": ON_THE_WAY, "application": ON_THE_WAY, "account": ON_THE_WAY, "operator": ON_THE_WAY,
    "recorded": {"voicemail"}, "goodbye": {"abandoned_in_menu", "self_served"},
    "thanks": {"abandoned_in_menu", "self_served"},
}  # fmt: skip
"""Where hanging up is no giving up, or the way on is so short that it may be just before its end or just after."""


async def on_the_air(house: Changgu, stage: Stage) -> None:
    """Put the stage's files where the site's are, and have them read."""
    before = (await house.get("/flows/main"))["on_air"]
    folder = house.data / "menus"
    folder.mkdir(exist_ok=True)
    (folder / "main.yaml").write_text(stage.text)
    (folder / "calendars.yaml").write_text(stage.hours(datetime.now(SEOUL)))
    assert house.process is not None
    os.kill(house.process.pid, signal.SIGHUP)

    async def taken_up() -> bool:
        return bool((await house.get("/flows/main"))["on_air"] != before)

    await eventually(taken_up, within=120)  # the first time, all its sentences are made in two languages
