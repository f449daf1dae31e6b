"""F24: ten times as many callers as the agents can serve. Those inside are served, the others refused and counted."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.loaded_floor import LoadedFloor, inversions, moment
from tests.support.nursery import Nursery
from tests.support.waiting import eventually

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

AGENTS = 6
MOST = 24
TALK = 1.0
CYCLE = TALK + 0.3 + 0.5
"""Seconds that one call takes of an agent: ringing, talk, wrap-up."""
SUSTAINED = AGENTS / CYCLE
STORM_LASTS = 8
LONGEST_REPLY = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def floor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoadedFloor]:
    async with Nursery() as nursery:
        floor = LoadedFloor(
            tmp_path_factory.mktemp("storm"), nursery, AGENTS, (24000, 24999), f"\n[desk]\nmost_callers = {MOST}\n"
        )
        try:
            await floor.furnish()
            await floor.up()
            await floor.everybody_ready()
            yield floor
        finally:
            await floor.close()


async def slowest_reply(floor: LoadedFloor, until: asyncio.Event) -> float:
    """Seconds that the service took at the longest to say how its queues are, until told to stop asking."""
    slowest = 0.0
    while not until.is_set():
        began = time.monotonic()
        await floor.service.get("/wallboard")
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.2)
    return slowest


async def every_row(floor: LoadedFloor) -> list[dict[str, Any]]:
    """Every caller has a row, and it ends; callers hear the end a moment before it is written."""

    async def ended() -> list[dict[str, Any]]:
        rows = await floor.rows()
        return rows if len(rows) == floor.dialled and all(row["outcome"] for row in rows) else []

    return await eventually(ended)


async def test_a_storm_ten_times_what_can_be_served_is_refused_at_the_door_and_costs_nobody_their_place(
    floor: LoadedFloor,
) -> None:
    here_before = await floor.callers("1001", [TALK] * 12, rate=20)

    async def they_are_here() -> bool:
        return len(await floor.rows()) == 12

    await eventually(they_are_here, within=20, every=0.05)
    count = round(10 * SUSTAINED * STORM_LASTS)
    over = asyncio.Event()
    asking = asyncio.create_task(slowest_reply(floor, over))
    storm = await floor.storm("1001", [TALK] * count, rate=10 * SUSTAINED)
    await here_before.finished(60)
    await storm.finished(120)
    over.set()
    slowest = await asking

    rows = await every_row(floor)
    outcomes = Counter((row["outcome"], row["reason"]) for row in rows)
    busy = sum(line.startswith("busy") for line in storm.log.read_text().splitlines())
    print(f"{count} callers at {10 * SUSTAINED:.0f}/s: {dict(outcomes)}, {busy} busy; slowest reply {slowest:.2f} s")
    assert outcomes.keys() == {("answered", ""), ("refused", "desk_full")}
    refused = outcomes["refused", "desk_full"]
    assert 0 < busy < refused, "some were told in words, the rest heard the busy tone"
    assert len(floor.conversations()) == outcomes["answered", ""] > 12 + MOST // 2, "who was let in was served"
    assert inversions(await floor.facts([row for row in rows if row["outcome"] == "answered"])) == []
    inside = [(moment(row["arrived_at"]), moment(row["answered_at"])) for row in rows if row["outcome"] == "answered"]
    most = max(sum(came <= at < answered for came, answered in inside) for at, _ in inside)
    assert most <= MOST + AGENTS, "the bound, and those for whom a phone rings or who are being joined"
    assert slowest < LONGEST_REPLY

    async def on_the_board() -> bool:
        totals = (await floor.service.get("/wallboard"))["totals"]
        alerts = [alert["kind"] for alert in totals["alerts"]]
        return totals["refused_by"] == {"desk_full": refused} and alerts == ["desk_full"]

    await eventually(on_the_board)
    said = floor.log.read_text()
    assert said.count("the desk is full") <= refused // 2, "the log is not flooded with it"


async def test_when_the_storm_is_over_the_next_caller_is_served_at_once(floor: LoadedFloor) -> None:
    late = await floor.callers("1001", [TALK], rate=1)
    await late.finished(20)

    row = max(await every_row(floor), key=lambda one: moment(one["arrived_at"]))
    assert row["outcome"] == "answered"
    assert moment(row["answered_at"]) - moment(row["arrived_at"]) < 5
    await floor.nothing_is_left()
