"""`up --demo`: an example organisation whose simulated people really call, through the real PBX."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.service import Changgu
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def example(tmp_path: Path) -> AsyncIterator[Changgu]:
    """The example desk, with a call every second or so."""
    changgu = Changgu(tmp_path / "demo", rtp=(21400, 21599))
    try:
        await changgu.up("--demo", "--demo-calls-per-minute", "60")
        yield changgu
        assert await changgu.down() == 0
    finally:
        await changgu.close()


async def test_the_example_desk_is_alive(example: Changgu) -> None:
    """Agents sit down, people call, are answered by somebody, and tickets and figures follow."""

    async def agents_are_ready() -> bool:
        states = [agent["state"] for agent in (await example.get("/agents"))["items"]]
        return len(states) == 30 and sum(state != "logged_out" for state in states) >= 25

    await eventually(agents_are_ready, within=60)
    people = (await example.get("/people", limit=1))["items"]
    assert people
    assert len((await example.get("/tickets", limit=50))["items"]) == 50

    async def answered() -> list[dict[str, object]]:
        calls = (await example.get("/calls", outcome="answered"))["items"]
        return calls if len(calls) >= 3 and all(call["tickets"] for call in calls) else []

    calls = await eventually(answered, within=150)
    assert any(call["person"] for call in calls), "callers are people of the organisation"

    async def on_the_board() -> bool:
        return bool((await example.get("/wallboard"))["totals"]["answered"] >= 3)

    await eventually(on_the_board)
