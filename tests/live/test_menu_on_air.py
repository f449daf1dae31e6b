"""Versions of the menu and notices on a real PBX: on the air in seconds, nobody lost, nobody's menu changed."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.many_callers import CallBook, ManyCallers, OneCaller, path_of
from tests.support.service import Changgu
from tests.support.waiting import eventually

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="session")]

CALLS, RATE = 200, 20.0
THINKING = 3.0
"""Seconds before a caller presses a key."""
CONFIG = '[desk]\npilot_number = "1999"\nmost_callers = 250\n'
"""Nobody is refused, also where a slow machine keeps them all in the menu at one time."""
SWAPPED = (("3: application", "3: account"), ("4: account", "4: application"))
NOTICE_LIMIT = 2.0
"""Seconds between the supervisor's click and the next caller who hears it (TEC-04)."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Changgu]:
    """A desk of its own, with a pilot number."""
    changgu = Changgu(tmp_path_factory.mktemp("menu"), rtp=(21400, 21999), config=CONFIG)
    Desk.short_sentences(changgu)
    try:
        await changgu.up()
        await Desk.furnish(changgu)
        yield changgu
        assert await changgu.down() == 0
    finally:
        await changgu.close()
        print("\n".join(changgu.said[-60:]))


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Changgu, tones: dict[str, Path], tmp_path: Path) -> AsyncIterator[Desk]:
    """Callers with real phones."""
    async with SoftPhones() as phones, SoftPhones() as callers:
        yield Desk(house, phones, callers, tones, tmp_path)


async def save(house: Changgu, *changes: tuple[str, str]) -> int:
    """The menu on the air with changes, as the draft; its revision."""
    draft = await house.get("/flows/main/draft")
    text = draft["text"]
    for old, new in changes:
        if new not in text:
            assert old in text
            text = text.replace(old, new)
    answer = await house.http.put("/api/v1/flows/main/draft", json={"text": text, "revision": draft["revision"]})
    assert answer.status_code == 200, answer.text
    assert [one for one in answer.json()["problems"] if one["severity"] == "error"] == []
    return int(answer.json()["revision"])


async def test_the_next_caller_hears_a_notice_within_two_seconds_and_it_ends_by_itself(desk: Desk) -> None:
    house = desk.service
    ends = datetime.now(UTC) + timedelta(seconds=12)
    before = time.monotonic()
    notice = await house.post(
        "/notices",
        {"sentences": {"ko": "지금 내부망이 느립니다."}, "places": ["desk"], "ends_at": ends.isoformat()},
    )
    on_air = time.monotonic() - before
    print(f"on the air after {on_air:.2f} s")
    assert on_air <= NOTICE_LIMIT
    mark = f"notice:{notice['id']}"

    await desk.call("1000", "hears", number="01055550001")

    async def heard() -> bool:
        row = await house.call_where(caller="01055550001")
        return path_of(row)[:1] == ["greeting"] and (await house.get("/notices"))[0]["heard"] == 1

    await eventually(heard, within=10)
    await desk.hang_up("hears")
    row = await house.call_where(caller="01055550001", outcome="abandoned_in_menu")
    assert path_of(row)[:2] == ["greeting", mark]

    async def deflected() -> bool:
        found = (await house.get("/notices"))[0]
        return (found["heard"], found["deflected"]) == (1, 1)

    await eventually(deflected)

    async def over() -> bool:
        return not (await house.get("/notices"))[0]["on"]

    await eventually(over, within=15)
    await desk.call("1000", "late", number="01055550002", keys="2")
    await desk.waiting("network", 1)
    await desk.hang_up("late")
    assert mark not in path_of(await house.call_where(caller="01055550002", outcome="abandoned_in_queue"))


async def test_the_draft_is_heard_at_the_pilot_number_and_nowhere_else(desk: Desk) -> None:
    house = desk.service
    await save(house, *SWAPPED)
    tries = iter(range(100))

    async def piloted() -> bool:
        call, number = f"pilot{(n := next(tries))}", f"010555501{n:02}"
        await desk.call("1999", call, number=number, keys="3")

        async def queued() -> dict[str, Any] | None:
            row = await house.call_where(caller=number)
            return row if row["queued_at"] else None

        row = await eventually(queued, within=15)
        assert row is not None
        await desk.hang_up(call)
        return path_of(row)[-1] == "account"

    await eventually(piloted, within=40)
    await desk.call("1000", "plain", number="01055550004", keys="3")
    await desk.waiting("application", 1)
    await desk.hang_up("plain")
    row = await house.call_where(caller="01055550004", outcome="abandoned_in_queue")
    assert path_of(row)[-1] == "application"


async def test_publishing_under_twenty_calls_a_second_loses_nobody_and_changes_nobodys_menu(desk: Desk) -> None:
    """What key 3 leads to tells which version a caller has: it is another service in the new one."""
    house = desk.service
    before = (await house.get("/flows/main/paths"))["whole"]
    revision = await save(house, *SWAPPED)
    callers: list[OneCaller] = []

    async def one_call(telephones: ManyCallers, number: int) -> None:
        await asyncio.sleep(number / RATE)
        callers.append(caller := telephones.dial(f"0105556{number:04}"))
        await caller.answered()
        await asyncio.sleep(THINKING)
        await caller.press("3")
        await book.row_of(caller, lambda row: row["queue"] is not None)
        assert caller.is_on_the_line
        caller.hang_up()

    async with CallBook(house) as book, ManyCallers(house, CALLS) as telephones, asyncio.TaskGroup() as calls:
        for number in range(CALLS):
            calls.create_task(one_call(telephones, number))
        await asyncio.sleep(CALLS / RATE / 2)
        published = await house.post("/flows/main/publish", {"revision": revision, "note": "under load"})
        assert published["on_air"] == 2
        begun_before = len(callers)

    async def all_counted() -> bool:
        now = (await house.get("/flows/main/paths"))["whole"]
        return bool(now["entered"] - before["entered"] == CALLS and now["left"] - before["left"] == CALLS)

    await eventually(all_counted, within=15)
    assert (await house.get("/flows/main/paths"))["whole"]["failed"] == before["failed"]
    old, new = [(await house.get("/flows/main/paths", version=version))["nodes"] for version in (1, 2)]
    print(f"calls by version: {old['application']['entered']}, {new['account']['entered']}")
    assert "account" not in old, "somebody began with the old menu and was led by the new one"
    assert "application" not in new, "somebody began with the new menu and was led by the old one"
    assert begun_before > RATE * THINKING, "nobody pressed a key in the old menu after the new one was there"
    async with CallBook(house) as book:
        rows = await book.rows_of(callers, lambda row: row["outcome"] == "abandoned_in_queue")
    assert {path_of(row)[-1] for row in rows} == {"application", "account"}
