"""AMI and all that hangs on it, on a PBX that exists only as its AMI."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.events import Event, PhoneReachable, PhoneUnreachable
from changgu.acd.facts import AgentStateChanged, CallQueued, Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queue_log import QueueLogRow
from changgu.acd.records import AgentView
from changgu.telephony.agent_phones import AgentPhones, agent_of_endpoint, endpoint_of_peer, reachable
from changgu.telephony.ami import queue_log_writer
from changgu.telephony.ami.client import Ami, AmiAddress, AmiAway, AmiLate, AmiRefused, Message
from changgu.telephony.ami.queue_log_writer import QueueLogWriter
from changgu.telephony.recorder import MixMonitorRecorder, RecordingFailed
from changgu.telephony.shadow_queues import Pause, ShadowQueueKeeper, pause_of
from tests.support.fake_ami import FakeAmi, listed, refused, running
from tests.support.waiting import eventually

ALICE, BOB, CALL = AgentId("alice"), AgentId("bob"), CallId("c1")


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAmi]:
    async with FakeAmi() as pbx:
        yield pbx


async def so(true: Callable[[], bool]) -> None:
    async def look() -> bool:
        return true()

    await eventually(look, within=5, every=0.01)


# ---- the line -------------------------------------------------------------------------------------------------------


async def test_an_action_returns_its_response(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    async with running(ami):
        assert (await ami.action("Reload", Module="res_pjsip.so"))["Message"] == "done"
    assert (await pbx.until_asked("Reload"))["Module"] == "res_pjsip.so"


async def test_a_refusal_says_what_asterisk_said(pbx: FakeAmi) -> None:
    pbx.answers["MixMonitor"] = refused("No such channel")
    ami = Ami(pbx.address)
    async with running(ami):
        with pytest.raises(AmiRefused, match="No such channel"):
            await ami.action("MixMonitor", Channel="x")


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\0"])
async def test_no_value_can_begin_an_action_of_its_own(pbx: FakeAmi, break_: str) -> None:
    ami = Ami(pbx.address)
    async with running(ami):
        before = bytes(pbx.raw)
        with pytest.raises(ValueError, match="line break"):
            await ami.action("QueueLog", Message=f"x{break_}{break_}Action: Originate")
        with pytest.raises(ValueError, match="line break"):
            await ami.action("QueueLog", **{f"Message{break_}Action": "Originate"})  # type: ignore[arg-type]
        await ami.action("Ping")
        assert bytes(pbx.raw)[len(before) :].count(b"Action:") == 1


async def test_an_action_without_a_reply_is_late(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    async with running(ami):
        pbx.silent = True
        with pytest.raises(AmiLate):
            await ami.action("Reload", deadline=0.1, Module="x")


async def test_an_action_whose_line_drops_is_away_and_is_not_repeated(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    async with running(ami):
        pbx.silent = True
        asking = asyncio.create_task(ami.action("Redirect", deadline=30, Channel="x"))
        await pbx.until_asked("Redirect")
        pbx.silent = False
        await pbx.drop()
        with pytest.raises(AmiAway):
            await asyncio.wait_for(asking, 5)
        await ami.wait_connected()
        await ami.action("Reload", Module="x")
    assert [action["Action"] for action in pbx.actions].count("Redirect") == 1


async def test_the_line_comes_back_by_itself_and_says_so(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    ups: list[str] = []
    heard: list[str] = []
    ami.on_connected(lambda: ups.append("up"))
    ami.listen("PeerStatus", lambda event: heard.append(event["Peer"]))
    async with running(ami):
        await pbx.drop()
        await so(lambda: len(ups) == 2)
        await pbx.tell("PeerStatus", Peer="PJSIP/agent-alice")
        await so(lambda: heard == ["PJSIP/agent-alice"])


async def test_a_listener_that_fails_does_not_stop_the_news(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    heard: list[str] = []

    def hear(event: Any) -> None:
        heard.append(event["N"])
        raise ZeroDivisionError

    ami.listen("CEL", hear)
    async with running(ami):
        await pbx.tell("CEL", N="1")
        await pbx.tell("CEL", N="2")
        await so(lambda: heard == ["1", "2"])


async def test_a_wrong_password_is_not_a_connection(pbx: FakeAmi) -> None:
    pbx.password = "another"
    ami = Ami(pbx.address)
    task = asyncio.create_task(ami.run())
    with pytest.raises(AmiAway):
        await ami.wait_connected(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# ---- agents' phones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "up"),
    [("Not in use", True), ("NOT_INUSE", True), ("In use", True), ("Ringing", True), ("Busy", True), ("On Hold", True),
     ("Unavailable", False), ("UNAVAILABLE", False), ("Invalid", False), ("Unknown", False)],
)  # fmt: skip
def test_which_device_states_can_be_rung(state: str, up: bool) -> None:
    assert reachable(state) is up


def test_an_endpoints_name_tells_whose_phone_it_is() -> None:
    assert agent_of_endpoint("agent-kim") == "kim"
    assert agent_of_endpoint("anonymous") is None
    assert agent_of_endpoint("agent-") is None
    assert endpoint_of_peer("PJSIP/agent-kim") == "agent-kim"
    assert endpoint_of_peer("SIP/agent-kim") is None


async def test_the_acd_is_told_what_it_does_not_know_and_nothing_twice(pbx: FakeAmi) -> None:
    pbx.answers["PJSIPShowEndpoints"] = listed(
        {"Event": "EndpointList", "ObjectName": "agent-alice", "DeviceState": "Not in use"},
        {"Event": "EndpointList", "ObjectName": "agent-bob", "DeviceState": "Unavailable"},
        {"Event": "EndpointList", "ObjectName": "agent-stranger", "DeviceState": "Not in use"},
        {"Event": "EndpointList", "ObjectName": "anonymous", "DeviceState": "Unavailable"},
    )
    ami = Ami(pbx.address)
    posted: list[Event] = []
    believed = {ALICE: False, BOB: True}
    phones = AgentPhones(ami, posted.append, lambda: believed, lambda agent: believed[agent])
    async with running(ami, phones):
        await so(lambda: posted == [PhoneReachable(ALICE), PhoneUnreachable(BOB)])
        await pbx.tell("PeerStatus", Peer="PJSIP/agent-alice", PeerStatus="Reachable")
        await pbx.tell("PeerStatus", Peer="PJSIP/agent-alice", PeerStatus="Unreachable")
        await so(lambda: posted[2:] == [PhoneUnreachable(ALICE)])


async def test_a_list_that_cannot_be_read_is_asked_for_again(pbx: FakeAmi) -> None:
    pbx.answers["PJSIPShowEndpoints"] = refused("not now")
    ami = Ami(pbx.address)
    posted: list[Event] = []
    phones = AgentPhones(ami, posted.append, lambda: [ALICE], lambda agent: False)
    async with running(ami, phones):
        await pbx.until_asked("PJSIPShowEndpoints")
        pbx.answers["PJSIPShowEndpoints"] = listed(
            {"Event": "EndpointList", "ObjectName": "agent-alice", "DeviceState": "Not in use"}
        )
        await so(lambda: posted == [PhoneReachable(ALICE)])


async def test_a_pbx_without_any_phone_has_no_agent_who_can_be_reached(pbx: FakeAmi) -> None:
    pbx.answers["PJSIPShowEndpoints"] = refused("No endpoints found")
    ami = Ami(pbx.address)
    posted: list[Event] = []
    async with running(ami, AgentPhones(ami, posted.append, lambda: [ALICE], lambda agent: True)):
        await so(lambda: posted == [PhoneUnreachable(ALICE)])


# ---- queue_log ------------------------------------------------------------------------------------------------------


def fact(number: int = 1) -> Recorded:
    return Recorded(number, 0.0, CallQueued(CallId(f"c{number}"), QueueName("pc"), 0))


def rows(recorded: Recorded) -> list[QueueLogRow]:
    call = f"c{recorded.seq}"
    return [QueueLogRow("pc", "ENTERQUEUE", call, "NONE", "|010|1"), QueueLogRow("pc", "PAUSE", call, "alice", "MEAL")]


async def test_rows_are_written_in_their_order_and_wait_for_the_line(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    writer = QueueLogWriter(ami, rows, without_pauses=True)
    for number in range(1, 4):
        writer.hear(fact(number))
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 3)
    written = [action for action in pbx.actions if action["Action"] == "QueueLog"]

    assert [action["Uniqueid"] for action in written] == ["c1", "c2", "c3"]
    assert written[0]["Event"] == "ENTERQUEUE"
    assert written[0]["Message"] == "|010|1"


async def test_a_row_that_is_refused_does_not_hold_up_the_next(pbx: FakeAmi) -> None:
    pbx.answers["QueueLog"] = lambda action: (
        refused("no")(action) if action["Uniqueid"] == "c1" else [{"Response": "Success"}]
    )
    ami = Ami(pbx.address)
    writer = QueueLogWriter(ami, rows, without_pauses=True)
    writer.hear(fact(1))
    writer.hear(fact(2))
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 2)
        await so(lambda: writer.dropped == 1)


async def test_a_row_that_would_begin_an_action_of_its_own_is_not_written_and_the_others_are(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    said = {1: "x", 2: "x\r\n\r\nAction: Originate", 3: "y"}
    writer = QueueLogWriter(
        ami, lambda one: [QueueLogRow("pc", "INFO", f"c{one.seq}", "NONE", said[one.seq])], without_pauses=True
    )
    for number in (1, 2, 3):
        writer.hear(fact(number))
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 2)
        await so(lambda: writer.dropped == 1)

    assert [action["Uniqueid"] for action in pbx.actions if action["Action"] == "QueueLog"] == ["c1", "c3"]
    assert b"Originate" not in pbx.raw


async def test_rows_do_not_wait_for_each_others_answers(pbx: FakeAmi) -> None:
    pbx.silent = True
    ami = Ami(pbx.address)
    writer = QueueLogWriter(ami, rows, without_pauses=True)
    for number in range(1, 31):
        writer.hear(fact(number))
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 30)


async def test_only_rows_that_were_not_answered_are_written_again_when_the_line_drops(pbx: FakeAmi) -> None:
    pbx.answers["QueueLog"] = lambda action: [{"Response": "Success"}] if action["Uniqueid"] in ("c1", "c2") else []
    ami = Ami(pbx.address)
    writer = QueueLogWriter(ami, rows, without_pauses=True)
    for number in range(1, 5):
        writer.hear(fact(number))
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 4)
        await so(lambda: ami._connection is not None and len(ami._connection.protocol.open) == 2)
        del pbx.answers["QueueLog"]
        await pbx.drop()
        await pbx.until_asked("QueueLog", 6)
        writer.hear(fact(5))
        await pbx.until_asked("QueueLog", 7)
    written = [action["Uniqueid"] for action in pbx.actions if action["Action"] == "QueueLog"]

    assert written == ["c1", "c2", "c3", "c4", "c3", "c4", "c5"]
    assert writer.dropped == 0


async def test_whoever_insists_lets_the_end_of_the_line_be_noticed(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    async with running(ami):
        connection = ami._connection
        assert connection is not None
        connection.connection_lost(None)  # and `run` does not know yet
        attempts = 0
        while attempts < 1000:
            attempts += 1
            try:
                await ami.wait_connected()
                await ami.action("Reload", Module="x")
                break
            except AmiAway:
                continue
        assert attempts < 10, "the loop is never left to anybody else"


async def test_without_the_mirror_the_pauses_are_ours_to_write(pbx: FakeAmi) -> None:
    ami = Ami(pbx.address)
    writer = QueueLogWriter(ami, rows, without_pauses=False)
    writer.hear(fact())
    async with running(ami, writer):
        assert (await pbx.until_asked("QueueLog", 2))["Event"] == "PAUSE"


def test_when_the_pbx_is_away_for_long_the_oldest_rows_go() -> None:
    writer = QueueLogWriter(Ami(AmiAddress("127.0.0.1", 1, "u", "p")), rows, without_pauses=True)
    for number in range(queue_log_writer.ROWS_KEPT + 5):
        writer.hear(fact(number))

    assert writer.dropped == 5


# ---- shadow queues --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(AgentState))
def test_every_state_means_something_to_a_plain_queue(state: AgentState) -> None:
    resting = state in (AgentState.NOT_READY, AgentState.WRAP_UP, AgentState.LOGGED_OUT)

    assert pause_of(state).paused is resting
    assert bool(pause_of(state).reason) is resting
    assert pause_of(AgentState.NOT_READY, NotReadyReason.MEAL) == Pause(True, "MEAL")


def agent(login: AgentId, state: AgentState) -> AgentView:
    return AgentView(login, state, None, 0.0, None, None, None, True, 0.0, 0)


def member(login: str, paused: str) -> dict[str, str]:
    return {"Event": "QueueMember", "Queue": "pc", "Name": login, "Paused": paused}


def moved(before: AgentState, after: AgentState) -> Recorded:
    return Recorded(1, 0.0, AgentStateChanged(ALICE, before, after))


async def test_only_members_who_differ_are_touched_when_the_line_comes_up(pbx: FakeAmi) -> None:
    pbx.answers["QueueStatus"] = listed(member("alice", "0"), member("bob", "0"), member("stranger", "1"))
    ami = Ami(pbx.address)
    views = {ALICE: agent(ALICE, AgentState.LOGGED_OUT), BOB: agent(BOB, AgentState.READY)}
    keeper = ShadowQueueKeeper(ami, lambda: views)
    async with running(ami, keeper):
        await pbx.until_asked("QueuePause")
        keeper.hear(moved(AgentState.LOGGED_OUT, AgentState.READY))
        keeper.hear(moved(AgentState.READY, AgentState.RESERVED))
        keeper.hear(moved(AgentState.RESERVED, AgentState.TALKING))
        keeper.hear(moved(AgentState.TALKING, AgentState.WRAP_UP))
        await pbx.until_asked("QueuePause", 3)
    pauses = [action for action in pbx.actions if action["Action"] == "QueuePause"]

    assert [(one["Interface"], one["Paused"], one.get("Reason")) for one in pauses] == [
        ("PJSIP/agent-alice", "true", "LOGGED_OUT"),
        ("PJSIP/agent-alice", "false", ""),
        ("PJSIP/agent-alice", "true", "WRAPUP"),
    ]


async def test_callers_who_wait_elsewhere_are_sent_back_to_us(pbx: FakeAmi) -> None:
    pbx.answers["QueueStatus"] = listed(
        member("alice", "0"),
        {"Event": "QueueEntry", "Queue": "network", "Channel": "PJSIP/x-1", "Position": "1"},
        {"Event": "QueueEntry", "Queue": "pc", "Channel": "PJSIP/x-2", "Position": "1"},
    )
    pbx.answers["Redirect"] = lambda action: (
        refused("gone")(action) if action["Channel"] == "PJSIP/x-2" else [{"Response": "Success"}]
    )
    ami = Ami(pbx.address)
    async with running(ami):
        assert await ShadowQueueKeeper(ami, dict).fetch_waiting() == 0, "nobody had to be left there"
    sent = await pbx.until_asked("Redirect")

    assert (sent["Channel"], sent["Context"], sent["Exten"]) == ("PJSIP/x-1", "returned", "network")


async def test_a_caller_for_whom_a_phone_rings_there_is_left_for_now(pbx: FakeAmi) -> None:
    pbx.answers["QueueStatus"] = listed(
        {"Event": "QueueEntry", "Queue": "pc", "Channel": "PJSIP/x-1", "Position": "1", "Uniqueid": "c1"},
        {"Event": "QueueEntry", "Queue": "pc", "Channel": "PJSIP/x-2", "Position": "2", "Uniqueid": "c2"},
    )
    pbx.answers["CoreShowChannels"] = listed(
        {"Event": "CoreShowChannel", "Uniqueid": "c1", "Linkedid": "c1"},
        {"Event": "CoreShowChannel", "Uniqueid": "leg", "Linkedid": "c1"},
    )
    ami = Ami(pbx.address)
    async with running(ami):
        assert await ShadowQueueKeeper(ami, dict).fetch_waiting() == 1
    assert [action["Channel"] for action in pbx.actions if action["Action"] == "Redirect"] == ["PJSIP/x-2"]


async def test_callers_in_somebody_elses_queue_are_left_there(pbx: FakeAmi) -> None:
    pbx.answers["QueueStatus"] = listed(
        {"Event": "QueueEntry", "Queue": "sales", "Channel": "PJSIP/x-1", "Position": "1"},
        {"Event": "QueueEntry", "Queue": "pc", "Channel": "PJSIP/x-2", "Position": "1"},
    )
    ami = Ami(pbx.address)
    async with running(ami):
        assert await ShadowQueueKeeper(ami, dict, lambda queue: queue == "pc").fetch_waiting() == 0
    assert [action["Channel"] for action in pbx.actions if action["Action"] == "Redirect"] == ["PJSIP/x-2"]


class HastyAmi(Ami):
    """Waits a tenth of a second for a list."""

    async def listing(self, name: str, *, deadline: float = 0.1, **headers: str) -> list[Message]:
        return await super().listing(name, deadline=0.1, **headers)


async def test_queues_that_could_not_be_compared_in_time_are_compared_again(pbx: FakeAmi) -> None:
    pbx.silent = True
    ami = HastyAmi(pbx.address)
    keeper = ShadowQueueKeeper(ami, lambda: {ALICE: agent(ALICE, AgentState.LOGGED_OUT)}, again_after=0.05)
    async with running(ami, keeper):
        await pbx.until_asked("QueueStatus")
        pbx.answers["QueueStatus"] = listed(member("alice", "0"))
        pbx.silent = False
        paused = await pbx.until_asked("QueuePause")
    assert paused["Interface"] == "PJSIP/agent-alice"


# ---- recordings -----------------------------------------------------------------------------------------------------


async def test_a_recording_names_a_file_for_each_voice(pbx: FakeAmi) -> None:
    pbx.answers["MixMonitor"] = lambda action: [{"Response": "Success", "MixMonitorID": "0x1"}]
    ami = Ami(pbx.address)
    recorder = MixMonitorRecorder(ami)
    async with running(ami):
        await recorder.start(CALL, Path("/data/recordings/c1"))
        await recorder.stop(CALL)
    started, stopped = await pbx.until_asked("MixMonitor"), await pbx.until_asked("StopMixMonitor")

    assert started["Channel"] == stopped["Channel"] == CALL
    assert started["File"] == "/data/recordings/c1/mix.wav"
    assert started["Options"] == "r(/data/recordings/c1/caller.wav)t(/data/recordings/c1/agent.wav)"
    assert stopped["MixMonitorID"] == "0x1"


@pytest.mark.parametrize("folder", ["/a)b", "/a,b", "/a|b", "relative", "/a\nAction: x", '/a"b'])
async def test_a_folder_that_would_end_a_parameter_is_refused(pbx: FakeAmi, folder: str) -> None:
    with pytest.raises(RecordingFailed):
        await MixMonitorRecorder(Ami(pbx.address)).start(CALL, Path(folder))


async def test_a_recording_that_the_pbx_refuses_has_failed_and_one_that_ended_is_fine(pbx: FakeAmi) -> None:
    pbx.answers["MixMonitor"] = pbx.answers["StopMixMonitor"] = refused("No such channel")
    ami = Ami(pbx.address)
    recorder = MixMonitorRecorder(ami)
    async with running(ami):
        with pytest.raises(RecordingFailed, match="No such channel"):
            await recorder.start(CALL, Path("/data"))
        await recorder.stop(CALL)
    with pytest.raises(RecordingFailed):
        await recorder.stop(CALL)
