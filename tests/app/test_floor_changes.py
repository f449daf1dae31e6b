"""Agents are moved between queues while calls go on: whole, or not at all."""

import pytest

from changgu.acd.identity import AgentId, QueueName
from changgu.app.floor_changes import FloorChanges
from changgu.ground.trouble import BadInput, Conflict, NotFound
from tests.app.test_floor_keeper import ALICE, HELPDESK, NETWORK, RULES, Desk, desk

__all__ = ["desk"]

AS_BEFORE = (["helpdesk", "network"], ["vpn:7"])


@pytest.fixture
async def changes(desk: Desk) -> FloorChanges:
    await desk.keeper.read()
    return FloorChanges(desk.store, desk.keeper)


def alice(desk: Desk) -> tuple[list[str], list[str]]:
    one = next(agent for agent in desk.keeper.floor.agents if agent.login == ALICE.login)
    return sorted(one.queues), sorted(one.skills)


async def test_a_move_is_true_for_everybody_at_once_and_stays(desk: Desk, changes: FloorChanges) -> None:
    await changes.move_agent(ALICE.login, [HELPDESK], ["vpn:7", "pc"], "boss")
    assert alice(desk) == (["helpdesk"], ["pc", "vpn:7"])
    assert desk.told == [desk.keeper.floor]
    assert (await desk.store.load_floor()).agents[0].queues == {HELPDESK}

    await changes.move_agent(ALICE.login, None, None, "boss")
    assert len(desk.told) == 1  # nothing has changed


async def test_who_and_what_does_not_exist_is_refused(desk: Desk, changes: FloorChanges) -> None:
    with pytest.raises(NotFound):
        await changes.move_agent(AgentId("nobody"), [HELPDESK], None, "boss")
    with pytest.raises(BadInput, match="no such queue: nowhere"):
        await changes.move_agent(ALICE.login, [HELPDESK, QueueName("nowhere")], None, "boss")
    assert alice(desk) == AS_BEFORE
    assert desk.told == []


async def test_a_move_that_the_rules_do_not_allow_says_where(desk: Desk, changes: FloorChanges) -> None:
    desk.file.write_text(RULES, encoding="utf-8")
    await desk.keeper.reload()
    with pytest.raises(BadInput, match=r"routing.toml:7:agent.alice.seats.network"):
        await changes.move_agent(ALICE.login, [HELPDESK], None, "boss")
    assert alice(desk) == AS_BEFORE
    assert (await desk.store.load_floor()).agents[0] == ALICE


async def test_a_move_that_the_pbx_refuses_is_taken_back(desk: Desk, changes: FloorChanges) -> None:
    async def refuse(*_: object) -> None:
        raise OSError("the PBX is down")

    desk.keeper.prepare(refuse)
    with pytest.raises(Conflict, match="the PBX is down"):
        await changes.move_agent(ALICE.login, [NETWORK], None, "boss")
    assert alice(desk) == AS_BEFORE
    assert (await desk.store.load_floor()).agents[0] == ALICE
