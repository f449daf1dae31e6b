"""Callers and agents on real phones: what each hears, what is written down, and that nothing is left behind."""

import asyncio
from functools import partial
from typing import Any

import pytest

from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import FIXED_PORT, Desk
from tests.support.loaded_floor import inversions
from tests.support.ports import free_ports, in_this_lane
from tests.support.pyvoip_phone import PyVoipAgent
from tests.support.sipp import Caller, Sipp
from tests.support.tones import AGENT_HERTZ, CALLER_HERTZ, tone_seconds
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_caller_presses_2_and_talks_with_an_agent(desk: Desk) -> None:
    """The whole spine: menu, key by RFC 4733, queue, agent, both hear each other; CTI-01, CTI-13, INC-06."""
    await desk.agent("kim")
    await desk.call("1000", number="01012345678", keys="2")
    ringing = await desk.phones.expect("incoming", line="kim")
    await desk.phones.expect("answered", line="kim")
    await desk.service.agent_is("kim", "talking")

    await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=3)
    await desk.hears(desk.heard / f"{ringing.call}.wav", CALLER_HERTZ, seconds=3)
    await desk.hang_up("c1")
    await desk.phones.expect("ended", line="kim")

    row = await desk.service.call_where(outcome="answered", agent="kim")
    assert row["dialled"] == "1000"
    assert row["queue"] == "network"
    assert row["caller"] == "01012345678"
    assert row["person"]["name"] == "홍길동"
    assert row["menu_path"][-1] == {"node": "network", "key": "2"}
    assert 0 <= row["wait_seconds"] < 10
    assert row["time_to_first_answer_seconds"] >= row["wait_seconds"]
    assert row["talk_seconds"] >= 2
    assert row["arrived_at"] < row["queued_at"] < row["answered_at"] < row["ended_at"]
    (number,) = await desk.service.tickets(row["id"])
    assert (await desk.service.get(f"/tickets/{number}"))["state"] == "new"
    await desk.service.agent_is("kim", "ready")


async def test_the_conversation_is_recorded_one_file_for_each_leg(desk: Desk) -> None:
    """CTI-09: the caller's words in one file, the agent's in another, linked to the call, played by those who may."""
    await desk.agent("kim")
    await desk.call("1002", number="01012345678")
    call = await desk.they_talk("01012345678", "kim")

    async def recorded(**wanted: str) -> dict[str, dict[str, Any]]:
        items = (await desk.service.get(f"/calls/{call}/recordings"))["items"]
        found = {one["leg"]: one for one in items if wanted.items() <= one.items()}
        return found if found.keys() >= {"caller", "agent"} else {}

    await eventually(partial(recorded, state="recording"))
    before = tone_seconds(desk.heard / "c1.wav", AGENT_HERTZ)
    await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=before + 3)
    await desk.hang_up("c1")
    recordings = await eventually(partial(recorded, state="complete"))
    for leg, hertz in (("caller", CALLER_HERTZ), ("agent", AGENT_HERTZ)):
        answer = await desk.service.http.get(f"/api/v1/recordings/{recordings[leg]['id']}/audio")
        assert answer.status_code == 200
        file = desk.heard / f"leg-{leg}.wav"
        file.write_bytes(answer.content)
        await desk.hears(file, hertz, seconds=1.5, within=1)


async def test_a_queue_can_be_dialled_directly(desk: Desk) -> None:
    """Nobody who knows the extension is sent through the menu."""
    await desk.agent("lee")
    await desk.call("1002", number="01099990010")
    await desk.they_talk("01099990010", "lee")
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990010", outcome="answered", agent="lee", dialled="1002")
    assert row["queue"] == "network"


async def test_0_reaches_a_person_from_the_menu(desk: Desk) -> None:
    """SELF-03."""
    await desk.agent("kim")
    await desk.call("1000", number="01099990000", keys="0")
    await desk.they_talk("01099990000", "kim")
    await desk.hang_up("c1")
    assert (await desk.service.call_where(caller="01099990000", outcome="answered"))["queue"] == "helpdesk"


async def test_a_caller_who_hangs_up_in_the_menu_is_not_an_abandoned_queue_call(desk: Desk) -> None:
    """CTI-16: in the menu, in the queue and while ringing are three different things."""
    await desk.call("1000", number="01099990001")
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990001", outcome="abandoned_in_menu")
    assert row["queued_at"] is None
    assert row["wait_seconds"] is None


async def test_a_caller_who_hangs_up_in_the_queue(desk: Desk) -> None:
    await desk.call("1002", number="01099990002")
    await desk.waiting("network", 1)
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990002", outcome="abandoned_in_queue")
    assert row["wait_seconds"] > 0
    assert row["agent"] is None
    await desk.waiting("network", 0)


async def test_a_caller_who_hangs_up_while_it_rings_frees_the_agent_at_once(desk: Desk) -> None:
    await desk.agent("lee", answer_after=None)
    await desk.call("1002", number="01099990003")
    await desk.phones.expect("incoming", line="lee")
    await desk.service.agent_is("lee", "reserved")
    await desk.hang_up("c1")
    await desk.service.call_where(caller="01099990003", outcome="abandoned_ringing")
    await desk.phones.expect("ended", line="lee")
    await desk.service.agent_is("lee", "ready")


async def test_an_agent_who_does_not_answer_is_passed_over_and_the_caller_keeps_their_place(desk: Desk) -> None:
    """RONA: the next agent rings, and the first is not stuck in 호출."""
    await desk.agent("kim", answer_after=None)
    await desk.phone("lee")
    await desk.call("1002", number="01099990004")
    await desk.phones.expect("incoming", line="kim")
    await desk.ready("lee")  # at once: kim is taken out after three rings
    await desk.phones.expect("answered", line="lee", within=15)
    await desk.service.agent_is("kim", "ready")
    await desk.they_talk("01099990004", "lee")
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01099990004", outcome="answered")
    assert row["agent"] == "lee"
    assert row["wait_seconds"] >= 5


async def test_an_agent_who_declines_is_passed_over_at_once(desk: Desk) -> None:
    await desk.agent("kim", answer_after=None)
    await desk.agent("lee")
    await desk.call("1002", number="01099990005")
    ring = await desk.phones.expect("incoming", line="kim")  # idle for longer
    await desk.phones.order(do="busy", call=ring.call)
    await desk.phones.expect("answered", line="lee", within=5)
    await desk.hang_up("c1")


async def test_the_agent_hangs_up_and_the_caller_is_released(desk: Desk) -> None:
    await desk.agent("lee")
    await desk.call("1002", number="01099990006")
    ring = await desk.phones.expect("incoming", line="lee")
    call = await desk.they_talk("01099990006", "lee")
    await desk.phones.order(do="hang_up", call=ring.call)
    await desk.callers.expect("ended", call="c1")
    await desk.service.call_where(caller="01099990006", outcome="answered")
    await desk.service.told(call, "AgentStateChanged", agent="lee", before="talking", after="wrap_up")
    await desk.service.agent_is("lee", "ready")


async def test_a_phone_on_hold_shows_hold(desk: Desk) -> None:
    """보류 is seen from the phone's own hold key, and the caller is not left in silence."""
    await desk.agent("lee")
    await desk.call("1002", number="01099990007")
    ring = await desk.phones.expect("incoming", line="lee")
    await desk.they_talk("01099990007", "lee")
    await desk.phones.expect("answered", call=ring.call)  # the PBX may tell of it before the phone has heard so
    await desk.phones.order(do="hold", call=ring.call)
    await desk.service.agent_is("lee", "hold")
    await desk.phones.expect("held", call=ring.call)  # the same: until then it cannot resume
    await desk.phones.order(do="resume", call=ring.call)
    await desk.service.agent_is("lee", "talking")
    await desk.hang_up("c1")


async def test_a_phone_that_leaves_the_network_makes_its_agent_unreachable(desk: Desk) -> None:
    """연결불가: nobody is sent to a phone that is not there."""
    await desk.agent("lee")
    await desk.phones.order(do="unregister", line="lee")
    await desk.service.agent_is("lee", "unreachable")
    await desk.phones.order(do="register", line="lee")
    await desk.service.agent_is("lee", "ready")


async def test_a_fixed_sip_address_is_an_agents_phone(desk: Desk) -> None:
    """A phone that does not register but sits at a known address."""
    async with SoftPhones(port=FIXED_PORT) as fixed:
        await fixed.account("jung", f"127.0.0.1:{FIXED_PORT}", answer_after=0.2, play=desk.tones["agent"])
        await desk.ready("jung")
        await desk.call("1005")
        await fixed.expect("answered", line="jung")
        await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=1)
        await desk.hang_up("c1")
    assert (await desk.service.call_where(agent="jung"))["queue"] == "application"


async def test_a_phone_of_another_make_answers_and_is_heard(desk: Desk) -> None:
    """pyVoIP on the agent's side: registers, answers, speaks, hears."""
    shown = await desk.credentials("park")
    (sip_port,) = free_ports(1)
    other = PyVoipAgent(
        desk.service.sip, shown["user"], shown["password"], sip_port=sip_port, rtp_port=in_this_lane(26000), hertz=600
    )
    await asyncio.to_thread(other.start)
    try:
        await desk.ready("park")
        await desk.call("1004")
        assert await asyncio.to_thread(other.answered.wait, 10)
        await desk.hears(desk.heard / "c1.wav", 600, seconds=1)

        async def they_hear_us() -> bool:
            return sum(abs(sample - 128) > 20 for sample in bytes(other.heard)) > 4000

        await eventually(they_hear_us)
        await desk.hang_up("c1")
        assert await asyncio.to_thread(other.ended.wait, 10)
    finally:
        await asyncio.to_thread(other.stop)
    row = await desk.service.call_where(agent="park", outcome="answered")
    assert row["tickets"] == [], "the queue's policy opens no ticket"


async def test_a_withheld_number_is_served_like_any_other(desk: Desk) -> None:
    """Withheld is a case of its own on the screen, not an error."""
    await desk.agent("lee")
    await desk.call("1002", number="anonymous")
    await desk.they_talk(None, "lee")
    await desk.hang_up("c1")
    row = await desk.service.call_where(agent="lee", caller=None, outcome="answered")
    assert row["person"] is None


async def test_twenty_callers_at_once_and_two_agents_none_is_lost(desk: Desk) -> None:
    """Every one of a burst has exactly one outcome, and they are served in the order of arrival."""
    for login in ("kim", "lee"):
        await desk.agent(login, answer_after=0.1)
    number = "01077770000"
    burst = await Sipp.dial(
        desk.heard,
        desk.service.sip_server,
        "1002",
        Caller(number=number, stay=10),
        calls=20,
        rate=20,
        media_port=in_this_lane(27000),
    )
    assert await burst.finished() == 0

    async def all_over() -> list[dict[str, Any]]:
        rows = [row for row in await desk.service.calls() if row["caller"] == number]
        return rows if len(rows) == 20 and all(row["outcome"] for row in rows) else []

    rows = await eventually(all_over)
    outcomes = [row["outcome"] for row in rows]
    assert set(outcomes) <= {"answered", "abandoned_in_queue", "abandoned_ringing"}
    assert outcomes.count("answered") >= 2
    assert inversions(await desk.service.facts(rows)) == []
