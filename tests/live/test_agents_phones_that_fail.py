"""Phones that turn calls down, or vanish while they ring (F16): the caller at the head stays first."""

import pytest

from tests.support.desk import Desk
from tests.support.tones import AGENT_HERTZ

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENT = 40
"""Seconds: a phone that went off the network rings on for as long as the queue lets it."""


async def test_an_agent_whose_phone_turns_every_call_down_is_taken_out_and_the_head_of_the_line_stays_first(
    desk: Desk,
) -> None:
    """A phone on do-not-disturb does not eat the line: after three misses its agent is away, with the reason."""
    await desk.call("1002", number="01099990021")
    await desk.waiting("network", 1)
    await desk.call("1002", "c2", number="01099990022")
    await desk.waiting("network", 2)
    await desk.agent("kim", answer_after=None)
    for ring, how in (("kim-1", "decline"), ("kim-2", "busy"), ("kim-3", "decline")):
        await desk.phones.expect("incoming", line="kim", call=ring)
        await desk.phones.order(do=how, call=ring)
    await desk.service.agent_is("kim", "not_ready")
    await desk.waiting("network", 2)

    await desk.agent("lee")
    answered = await desk.phones.expect("answered", line="lee")
    await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=0.5)
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990021", outcome="answered")
    assert row["agent"] == "lee", "who came first was served first"
    await desk.phones.expect("ended", call=answered.call)
    await desk.hang_up("c2")


async def test_a_phone_that_vanishes_while_it_rings_costs_the_caller_nothing(desk: Desk) -> None:
    """연결불가 in the middle of a ring: the next agent rings, and the vanished one is not offered anybody."""
    await desk.agent("kim", answer_after=None)
    await desk.call("1002", number="01099990023")
    await desk.phones.expect("incoming", line="kim")
    await desk.phones.order(do="unregister", line="kim")
    await desk.service.agent_is("kim", "unreachable")
    await desk.agent("lee")
    await desk.phones.expect("answered", line="lee", within=PATIENT)
    await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=0.5)
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990023", outcome="answered")
    assert row["agent"] == "lee"
