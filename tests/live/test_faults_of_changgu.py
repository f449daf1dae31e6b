"""F6: SIGKILL of changgu at many moments of a loaded floor: nobody on the line may notice or be forgotten."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bench.sipp_phones import caller_of
from tests.support.loaded_floor import LoadedFloor, inversions, moment, talks
from tests.support.nursery import Nursery
from tests.support.waiting import eventually

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

KILLS = 50
SEED = 20260301
FEW = 8
"""Callers; when no more are still to be served, others call."""
IN_MID_START = 5
"""Every so many-th kill comes while changgu is still starting."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def floor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoadedFloor]:
    async with Nursery() as nursery:
        floor = LoadedFloor(tmp_path_factory.mktemp("floor"), nursery, agents=6, rtp=(23000, 23999))
        try:
            await floor.furnish()
            await floor.up()
            await floor.everybody_ready()
            yield floor
        finally:
            await floor.close()


def standing(row: dict[str, Any], at: float) -> str | None:
    """What a call was doing at one moment, by its row."""
    if at < moment(row["arrived_at"]):
        return None
    steps = [("menu", row["queued_at"]), ("waiting or ringing", row["answered_at"]), ("talking", row["ended_at"])]
    for state, until in steps:
        if until is None or at < moment(until):
            return state if moment(row["ended_at"]) > at else None
    return "wrap-up" if at < moment(row["ended_at"]) + 0.5 else None


async def keep_loaded(floor: LoadedFloor, kill: int) -> None:
    """Callers come for as long as there are kills: on a slow machine those of the beginning were all served before."""
    over = sum(row["outcome"] is not None for row in await floor.rows())
    if kill < KILLS and floor.dialled - over < FEW:
        await floor.callers("1001", talks(FEW, SEED + 2 * kill), rate=1.5)
        await floor.callers("1000", talks(2, SEED + 2 * kill + 1), rate=0.5)


async def test_sigkill_at_fifty_moments_of_a_loaded_floor_drops_and_forgets_nobody(floor: LoadedFloor) -> None:
    """R2. Callers and agents are SIPp, and their own logs are the witness; the moments are drawn from one seed."""
    chance = random.Random(SEED)
    await floor.callers("1001", talks(80, SEED), rate=1.0)
    await floor.callers("1002", talks(45, SEED + 1), rate=0.55)
    await floor.callers("1000", talks(12, SEED + 2), rate=0.15)
    kills: list[float] = []
    for kill in range(1, KILLS + 1):
        await asyncio.sleep(chance.uniform(0.05, 1.6))
        kills.append(await floor.kill())
        if kill % IN_MID_START == 0:
            await floor.begin()
            await asyncio.sleep(chance.uniform(0.1, 1.2))
            kills.append(await floor.kill())
            floor.starts.pop()
        await floor.up()
        await keep_loaded(floor, kill)
    await floor.finished(within=180)

    async def all_over() -> bool:
        return not (await floor.service.get("/calls", open=True))["items"]

    await eventually(all_over, within=20)
    rows = await floor.rows()
    print(f"{len(kills)} kills, starts {min(floor.starts):.1f} to {max(floor.starts):.1f} s")
    found = [[state for row in rows if (state := standing(row, at)) is not None] for at in kills]
    hit = Counter(state for states in found for state in states)
    loaded = sum(bool(states) for states in found)
    print(f"{loaded} with calls: {dict(hit)}; outcomes: {Counter(row['outcome'] for row in rows)}")
    assert loaded >= KILLS
    assert all(hit[state] >= KILLS // 5 for state in ("menu", "waiting or ringing", "talking")), hit
    assert Counter(row["outcome"] for row in rows) == {"answered": floor.dialled}
    heard_first = {caller_of(row["caller"])[0]: row["agent"] for row in rows}
    assert len(heard_first) == floor.dialled
    whole = {one.caller: one.agent for one in floor.conversations() if one.hung_up is not None}
    assert len(whole) == floor.dialled, "each caller spoke with an agent until the agent hung up"
    # An agent may have picked up while nobody was there to join the two: the leg ended, and the caller waited on.
    assert whole == heard_first, "and it was the first agent whom they heard: nobody was cut off and served again"
    assert inversions(await floor.facts(rows)) == []
    await floor.nothing_is_left()
