"""The PBX dies, hangs or stands still, callers come all at once or leave in the worst moment: the desk lives on."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.loaded_floor import LoadedFloor, inversions, moment, talks
from tests.support.nursery import Nursery
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

STILL = 8.0
"""Seconds for which the PBX stands still: longer than the line waits for a sign of life."""
STORM = 90
TIES = 60


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def floor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LoadedFloor]:
    async with Nursery() as nursery:
        floor = LoadedFloor(tmp_path_factory.mktemp("faults"), nursery, agents=5, rtp=(24000, 24999))
        try:
            await floor.furnish()
            await floor.up()
            await floor.everybody_ready()
            yield floor
        finally:
            await floor.close()


async def states(floor: LoadedFloor) -> Counter[str]:
    return Counter(agent["state"] for agent in (await floor.service.get("/agents"))["items"])


async def everybody_is_ready(floor: LoadedFloor) -> None:
    """A PBX that was started anew has looked for the phones, and whom it lost has been called back."""

    async def ready() -> bool:
        return (await states(floor)).keys() == {"ready"}

    await eventually(ready, within=30, every=0.2)


async def all_over(floor: LoadedFloor, before: set[str], count: int) -> list[dict[str, Any]]:
    """The rows of so many callers who were not known before, once all are over and every agent is ready again."""

    async def ended() -> list[dict[str, Any]]:
        rows = await rows_since(floor, before)
        assert len(rows) <= count
        return rows if len(rows) == count and all(row["outcome"] for row in rows) else []

    rows = await eventually(ended, within=30, every=0.2)
    await everybody_is_ready(floor)
    return rows


async def rows_since(floor: LoadedFloor, before: set[str]) -> list[dict[str, Any]]:
    """Of those who called."""
    return [row for row in await floor.rows() if row["id"] not in before and row["direction"] == "inbound"]


async def known(floor: LoadedFloor) -> set[str]:
    return {row["id"] for row in await floor.rows()}


async def healthy(floor: LoadedFloor) -> bool:
    return (await floor.service.http.get("/healthz")).status_code == 200


@pytest.mark.alone
async def test_answer_and_hang_up_in_the_same_instant_have_one_outcome(floor: LoadedFloor) -> None:
    """F17, R9: callers hang up within a quarter of a second of the moment in which the agent picks up."""
    patient = await floor.callers("1002", [0.5], rate=1)
    await patient.finished(60)
    (row,) = await all_over(floor, set(), 1)
    until_answer = moment(row["answered_at"]) - moment(row["arrived_at"])
    before, first = await known(floor), floor.dialled
    run = await floor.impatient("1002", TIES, stay=(until_answer - 0.25, until_answer + 0.25), rate=4)
    await asyncio.wait_for(run.process.wait(), 60)
    rows = await all_over(floor, before, TIES)
    floor.forget_callers()
    assert floor.dialled - first == TIES
    outcomes = Counter(row["outcome"] for row in rows)
    print(f"ties: {dict(outcomes)}")
    assert outcomes.keys() <= {"answered", "abandoned_ringing", "abandoned_in_queue", "abandoned_in_menu"}
    assert outcomes["answered"] >= 1
    assert outcomes["abandoned_ringing"] >= 1
    ends = Counter(fact["call"] for fact in await floor.facts(rows) if fact["kind"] == "CallEnded")
    assert set(ends.values()) == {1}
    await floor.nothing_is_left()


@pytest.mark.alone
async def test_a_storm_of_callers_leaves_conversations_alone_and_loses_nobody_silently(floor: LoadedFloor) -> None:
    """F24, R13: ten times as many as agents can serve, all at once; some give up, nobody is forgotten."""
    before = await known(floor)
    talking = await floor.callers("1001", [12.0, 12.0], rate=10)

    async def both_talk() -> bool:
        return (await states(floor))["talking"] == 2

    await eventually(both_talk)
    storm = await floor.impatient("1002", STORM, stay=(8, 20), rate=20)
    await talking.finished(60)
    await asyncio.wait_for(storm.process.wait(), 120)
    rows = await all_over(floor, before, STORM + 2)  # every caller has one
    floor.forget_callers()
    outcomes = Counter(row["outcome"] for row in rows)
    print(f"storm: {dict(outcomes)}")
    assert outcomes.keys() <= {"answered", "abandoned_ringing", "abandoned_in_queue", "abandoned_in_menu"}
    long_talks = [one for one in floor.conversations() if one.hung_up is not None and one.hung_up - one.answered > 11]
    assert len(long_talks) == 2, "who talked went on talking"
    assert inversions(await floor.facts(rows)) == []
    await floor.nothing_is_left()


async def test_a_line_that_is_dead_for_seconds_costs_nobody_their_call(floor: LoadedFloor) -> None:
    """F3, F4: the PBX says nothing for longer than we wait for it; both lines are given up and set up anew."""
    before = await known(floor)
    first = floor.dialled
    await floor.callers("1001", talks(14, 7, 2.0, 12.0), rate=4)

    async def under_way() -> bool:
        return len((await floor.service.get("/calls", open=True))["items"]) >= 10

    await eventually(under_way)
    os.kill(floor.service.pbx_pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STILL)
    finally:
        os.kill(floor.service.pbx_pid, signal.SIGCONT)
    await floor.finished(within=120)
    assert "the ARI connection is lost" in floor.log.read_text()
    rows = await all_over(floor, before, 14)
    assert Counter(row["outcome"] for row in rows) == {"answered": 14}
    spoken = Counter(one.caller for one in floor.conversations() if one.caller >= first and one.hung_up is not None)
    assert spoken == Counter(range(first, floor.dialled))
    await floor.nothing_is_left()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
async def test_a_pbx_that_dies_or_hangs_is_started_anew_and_whom_it_lost_is_called_back(
    floor: LoadedFloor, how: signal.Signals
) -> None:
    """F1, F2, R1: its calls are closed as lost, no agent is a phantom, and each lost caller is promised a call."""
    await everybody_is_ready(floor)
    before = await known(floor)
    old = floor.service.pbx_pid
    await floor.callers("1001", [60.0] * 8, rate=8)

    async def under_way() -> bool:
        """All are on record: whom this PBX has not answered yet would be a caller of the next one."""
        rows = await rows_since(floor, before)
        talking = sum(row["answered_at"] is not None for row in rows)
        return len(rows) == 8 and all(row["queued_at"] for row in rows) and talking == len(floor.agents)

    await eventually(under_way, within=30)
    os.kill(old, how)

    async def another() -> bool:
        return floor.service.pbx_pid != old and await healthy(floor)

    await eventually(another, within=90)
    loop = asyncio.get_running_loop()
    back = loop.time()

    async def lost() -> list[dict[str, Any]]:
        rows = await rows_since(floor, before)
        return rows if all(row["outcome"] == "lost" for row in rows) else []

    rows = await eventually(lost, within=20)
    print(f"closed as lost {loop.time() - back:.1f} s after the line came up")
    assert len(rows) == 8

    async def promised() -> bool:
        """Asked for when the loss is heard of, and so a little later."""
        facts = await floor.facts(rows)
        return {fact["call"] for fact in facts if fact["kind"] == "CallbackBooked"} == {row["id"] for row in rows}

    await eventually(promised)
    floor.forget_callers()

    async def nobody_talks() -> bool:
        """An agent who is rung to keep a promise talks for a moment; a phantom would for ever."""
        return not {"talking", "hold"} & (await states(floor)).keys()

    await eventually(nobody_talks)
