"""Only ARI, or only AMI, is lost for seconds (F7): conversations go on, places and waiting times are kept."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.loaded_floor import LoadedFloor, inversions, moment
from tests.support.nursery import Nursery
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

AGENTS = 4
LOST_FOR = 6.0
"""Seconds; longer than a request waits, and than the line takes to notice."""
TALK = LOST_FOR + 8.0
LINES = ("ari", "ami")
EVERY = 0.3
"""Seconds between two cuts: what comes up again meanwhile is cut again."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def floor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoadedFloor]:
    async with Nursery() as nursery:
        floor = LoadedFloor(tmp_path_factory.mktemp("lines"), nursery, AGENTS, (24000, 24999))
        try:
            await floor.furnish()
            await floor.up()
            await floor.everybody_ready()
            yield floor
        finally:
            await floor.close()


async def cut(port: int) -> None:
    """Every TCP connection to this port of loopback is torn down, by the kernel."""
    words = ("ss", "-K", "state", "established", "dst", "127.0.0.1", "dport", "=", str(port))
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()


async def lose(floor: LoadedFloor, port: int) -> None:
    """The line to this port is down for `LOST_FOR`, but for the moments in which it is being set up again."""
    for _ in range(round(LOST_FOR / EVERY)):
        await cut(port)
        await asyncio.sleep(EVERY)


async def open_calls(floor: LoadedFloor) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await floor.service.get("/calls", open=True))["items"]
    return items


@pytest.mark.parametrize("line", LINES)
async def test_while_only_one_line_to_the_pbx_is_lost_nobody_is_cut_off_or_loses_their_place(
    floor: LoadedFloor, line: str
) -> None:
    before, first = {row["id"] for row in await floor.rows()}, floor.dialled
    talking = await floor.callers("1001", [TALK] * AGENTS, rate=10)

    async def all_talk() -> bool:
        states = [agent["state"] for agent in (await floor.service.get("/agents"))["items"]]
        return states == ["talking"] * AGENTS

    await eventually(all_talk, within=20)
    waiting = await floor.callers("1001", [0.5] * 8, rate=4)

    async def all_wait() -> bool:
        return sum(row["queued_at"] is not None for row in await open_calls(floor)) == AGENTS + 8

    await eventually(all_wait, within=20)
    since = {row["id"]: row["queued_at"] for row in await open_calls(floor)}
    said = len(floor.log.read_text())
    await lose(floor, floor.service.ari if line == "ari" else floor.service.ami)

    told = floor.log.read_text()[said:]
    assert ("the ARI connection is lost" in told) == (line == "ari"), "only that line was lost"
    assert ("the AMI connection is lost" in told) == (line == "ami"), "only that line was lost"
    await talking.finished(60)
    await waiting.finished(60)

    async def reachable_again() -> bool:
        states = {agent["state"] for agent in (await floor.service.get("/agents"))["items"]}
        return states == {"ready"} and not await open_calls(floor)

    await eventually(reachable_again, within=30)
    rows = [row for row in await floor.rows() if row["id"] not in before]
    assert [row["outcome"] for row in rows] == ["answered"] * (AGENTS + 8)
    assert {row["id"]: row["queued_at"] for row in rows} == since, "the wait is counted from where it was"
    ends = [(one.answered, one.hung_up) for one in floor.conversations() if one.caller >= first]
    whole = [answered for answered, hung_up in ends if hung_up is not None and hung_up - answered > TALK - 1]
    assert len(whole) == AGENTS, "whoever talked went on talking"
    assert inversions(await floor.facts(rows)) == []
    assert all(moment(row["answered_at"]) > moment(row["queued_at"]) for row in rows)
    await floor.nothing_is_left()
