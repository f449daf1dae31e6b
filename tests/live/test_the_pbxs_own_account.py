"""What the PBX says of a call by itself, beside what our ledger says."""

from typing import Any

import pytest

from tests.support.desk import Desk
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_pbx_and_the_ledger_tell_the_same_call(desk: Desk) -> None:
    await desk.agent("lee")
    await desk.call("1002", number="01099990033")
    await desk.service.agent_is("lee", "talking")
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990033", outcome="answered")

    async def closed() -> dict[str, Any] | None:
        trace: dict[str, Any] = await desk.service.get(f"/calls/{row['id']}/trace")
        return trace if trace["closed"] else None

    trace = await eventually(closed)
    assert trace is not None
    assert (trace["agrees"], trace["differences"]) == (True, [])
    legs = {event["unique_id"] for event in trace["events"] if event["kind"] == "BRIDGE_ENTER"}
    assert len(legs) == 2
    assert row["id"] in legs
    assert {event["linked_id"] for event in trace["events"]} == {row["id"]}
