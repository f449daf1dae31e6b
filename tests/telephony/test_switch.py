"""The switch: commands in, requests out, and what came of them back as events."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from changgu.acd.commands import (
    ConnectCall,
    DialPerson,
    Divert,
    Farewell,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallHeld,
    CallResumed,
    ConnectFailed,
    DialFailed,
    Event,
    PartiesConnected,
    RingFailed,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Destination, Way
from changgu.telephony.answering import Answering
from changgu.telephony.ari import client
from changgu.telephony.ari.client import Ari, Value
from changgu.telephony.ari.stream import AriStream
from changgu.telephony.call_control import CallControl, NotTalking, SwitchAway
from changgu.telephony.handset import CallerIdentity
from changgu.telephony.legs import AgentLeg, bridge_of
from changgu.telephony.queue_experience import MUSIC_AFTER
from changgu.telephony.switch import Switch
from tests.support.fake_ari import FakeAri, FakeChannel
from tests.support.waiting import eventually

CALL, ALICE, OFFER = CallId("c1"), AgentId("alice"), OfferId(7)
LEG = "offer-7-c1"
RING = RingAgent(ALICE, CALL, OFFER, timedelta(seconds=20))
CONNECT = ConnectCall(ALICE, CALL, OFFER)


@dataclass
class FakeCallers:
    """Callers who are all called the same."""

    answering: Answering
    on_the_line: bool = True
    gone: list[CallId] = field(default_factory=list)
    released: list[CallId] = field(default_factory=list)
    farewells: list[tuple[CallId, Farewell]] = field(default_factory=list)
    diverted: list[Divert] = field(default_factory=list)

    def identity(self, call: CallId) -> CallerIdentity | None:
        return CallerIdentity("01012345678", "김민수", "1000") if self.on_the_line else None

    def left(self, call: CallId) -> None:
        self.gone.append(call)

    def release(self, call: CallId) -> None:
        self.released.append(call)

    def divert(self, command: Divert) -> None:
        self.diverted.append(command)

    async def say_farewell(self, call: CallId, farewell: Farewell) -> str | None:
        self.farewells.append((call, farewell))
        return None


@dataclass
class Board:
    """A switch on a fake PBX with one caller on the line."""

    pbx: FakeAri
    posted: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream = AriStream(self.pbx.address, self._hear)
        self.ari = Ari(self.stream, self.pbx.address)
        self.callers = FakeCallers(Answering(self.ari))
        self.switch = Switch(self.ari, self.callers, self.posted.append)
        self.control = CallControl(self.ari, self.switch, self.posted.append)

    def _hear(self, event: object) -> None:
        self.control.hear(event)  # type: ignore[arg-type]
        self.switch.hear(event)  # type: ignore[arg-type]

    async def until_posted(self, *events: Event) -> None:
        async def so() -> bool:
            return all(event in self.posted for event in events)

        await eventually(so, within=5, every=0.01)

    async def until_idle(self) -> None:
        async def so() -> bool:
            return not self.switch.is_busy(CALL)

        await eventually(so, within=5, every=0.01)

    async def talking(self) -> None:
        """Bring the caller and alice together."""
        self.switch.do(RING)
        await self.pbx.until_asked("POST", "channels")
        await self.pbx.start(LEG)
        await self.until_posted(AgentAnswered(ALICE, CALL, OFFER))
        self.switch.do(CONNECT)
        await self.until_posted(PartiesConnected(ALICE, CALL, OFFER))

    async def all_heard(self) -> None:
        """Everything that the PBX has said until now."""
        await self.ari.request("GET", "channels")

    def requests(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.pbx.asked if "eventFilter" not in asked.path]


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with FakeAri() as pbx:
        pbx.channels[CALL] = FakeChannel(CALL, "inbound,1000")
        board = Board(pbx)
        running = [asyncio.create_task(board.stream.run()), asyncio.create_task(board.switch.run())]
        await board.stream.wait_connected()
        yield board
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_an_agent_is_rung_under_a_name_that_tells_offer_and_call(board: Board) -> None:
    board.switch.do(RING)
    asked = await board.pbx.until_asked("POST", "channels")

    assert asked.query == {
        "endpoint": "PJSIP/agent-alice", "app": "changgu", "appArgs": "agent,7,c1,alice", "channelId": LEG,
        "callerId": '"김민수" <01012345678>', "timeout": "25", "originator": "c1",
    }  # fmt: skip


async def test_a_call_that_is_answered_at_once_costs_five_requests(board: Board) -> None:
    board.switch.do(PlayMusicOnHold(CALL, QueueName("pc")))
    await board.talking()
    await board.pbx.hang_up(CALL)
    board.switch.do(HangUpAgent(ALICE, CALL, OFFER))
    await board.until_idle()

    assert sorted(board.requests()) == sorted(
        ["POST channels", "POST bridges/call-c1", "POST bridges/call-c1/addChannel", f"DELETE channels/{LEG}",
         "DELETE bridges/call-c1"]
    )  # fmt: skip
    assert board.pbx.bridges == {}


async def test_music_starts_after_a_while_and_ends_before_the_two_are_joined(board: Board) -> None:
    board.switch.do(PlayMusicOnHold(CALL, QueueName("pc")))
    await board.pbx.until_asked("POST", "moh")
    await board.talking()

    assert board.requests().index("DELETE channels/c1/moh") < board.requests().index("POST bridges/call-c1/addChannel")
    assert not board.pbx.channels[CALL].music


async def test_a_caller_who_leaves_before_the_music_starts_costs_no_request(board: Board) -> None:
    board.switch.do(PlayMusicOnHold(CALL, QueueName("pc")))
    await board.until_idle()
    await board.pbx.hang_up(CALL)
    await asyncio.sleep(MUSIC_AFTER + 0.1)

    assert board.requests() == []


@pytest.mark.parametrize(("cause", "word"), [(17, "busy"), (21, "declined"), (20, "unreachable"), (127, "error")])
async def test_a_phone_that_fails_is_told_with_its_reason(board: Board, cause: int, word: str) -> None:
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.hang_up(LEG, cause, stasis_end=False)

    await board.until_posted(RingFailed(ALICE, CALL, OFFER, word))


async def test_a_phone_that_is_not_registered_is_unreachable(board: Board) -> None:
    board.pbx.refuse("POST", "channels", 500)
    board.switch.do(RING)

    await board.until_posted(RingFailed(ALICE, CALL, OFFER, "unreachable"))


async def test_a_caller_who_leaves_as_the_phone_is_to_ring_costs_the_agent_nothing(board: Board) -> None:
    del board.pbx.channels[CALL]
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    await board.until_idle()

    assert board.callers.gone == [CALL]
    assert board.posted == []


async def test_ringing_that_was_taken_back_is_no_failure(board: Board) -> None:
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    board.switch.do(StopRinging(ALICE, CALL, OFFER))
    await board.until_idle()

    assert board.posted == []
    assert LEG not in board.pbx.channels


async def test_an_offer_that_is_taken_back_before_it_rang_never_rings(board: Board) -> None:
    board.switch.do(RING)
    board.switch.do(StopRinging(ALICE, CALL, OFFER))
    await board.until_idle()

    assert "POST channels" not in board.requests()


async def test_a_late_answer_is_told_so_that_the_acd_can_hang_up(board: Board) -> None:
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    board.pbx.refuse("DELETE", LEG, 404)
    board.switch.do(StopRinging(ALICE, CALL, OFFER))
    await board.pbx.start(LEG)
    await board.until_posted(AgentAnswered(ALICE, CALL, OFFER))
    board.switch.do(HangUpAgent(ALICE, CALL, OFFER))
    await board.until_idle()

    assert LEG not in board.pbx.channels
    assert board.posted == [AgentAnswered(ALICE, CALL, OFFER)]


async def test_an_agent_who_hangs_up_is_free_before_the_pbx_is_done_with_the_call(board: Board) -> None:
    await board.talking()
    await board.pbx.phone_hangs_up(LEG)
    await board.until_posted(AgentHungUp(ALICE, CALL, OFFER))
    await board.until_idle()
    assert board.pbx.bridges == {}

    await board.pbx.hang_up(LEG)
    await board.all_heard()
    assert board.posted.count(AgentHungUp(ALICE, CALL, OFFER)) == 1


async def test_an_agent_whose_phone_is_being_hung_up_is_free_once_it_is(board: Board) -> None:
    """Or the INVITE for the next caller could reach the phone before the BYE of this call does."""
    await board.talking()
    await board.pbx.phone_hangs_up(LEG, by_request=True)
    await board.all_heard()
    assert AgentHungUp(ALICE, CALL, OFFER) not in board.posted

    await board.pbx.hang_up(LEG)
    await board.until_posted(AgentHungUp(ALICE, CALL, OFFER))


async def test_why_a_phone_does_not_answer_is_known_only_at_its_end(board: Board) -> None:
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.phone_hangs_up(LEG, cause=17)
    await board.all_heard()
    assert board.posted == []

    await board.pbx.hang_up(LEG, cause=17, stasis_end=False)
    await board.until_posted(RingFailed(ALICE, CALL, OFFER, "busy"))


async def test_an_agent_who_hangs_up_is_told_once_and_the_bridge_goes(board: Board) -> None:
    await board.talking()
    await board.pbx.hang_up(LEG)
    await board.until_posted(AgentHungUp(ALICE, CALL, OFFER))
    await board.until_idle()

    assert board.posted.count(AgentHungUp(ALICE, CALL, OFFER)) == 1
    assert board.pbx.bridges == {}


async def test_a_join_is_tried_again_when_the_answer_overtook_the_books(board: Board) -> None:
    board.pbx.refuse("POST", "addChannel", 422)
    await board.talking()

    assert board.pbx.bridges == {"call-c1": {CALL, LEG}}


@pytest.mark.parametrize(("status", "cause"), [(422, "gone"), (404, "gone"), (500, "congestion")])
async def test_a_join_that_fails_twice_is_told_and_leaves_no_bridge(board: Board, status: int, cause: str) -> None:
    board.pbx.refuse("POST", "addChannel", status, times=2)
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.start(LEG)
    await board.until_posted(AgentAnswered(ALICE, CALL, OFFER))
    board.switch.do(CONNECT)
    await board.until_posted(ConnectFailed(ALICE, CALL, OFFER, cause))
    await board.until_idle()

    assert board.pbx.bridges == {}


async def test_a_join_survives_a_lost_line(board: Board) -> None:
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.start(LEG)
    await board.until_posted(AgentAnswered(ALICE, CALL, OFFER))
    board.pbx.silent = True
    board.switch.do(CONNECT)
    await board.pbx.until_asked("POST", "addChannel")
    board.pbx.silent = False
    await board.pbx.drop()

    await board.until_posted(PartiesConnected(ALICE, CALL, OFFER))
    assert board.pbx.bridges == {"call-c1": {CALL, LEG}}


async def test_a_phone_stops_ringing_however_often_the_line_drops(board: Board) -> None:
    """A second drop while the first was made up for left the phone ringing until the PBX's own limit."""
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    board.pbx.silent = True
    board.switch.do(StopRinging(ALICE, CALL, OFFER))
    for times in (1, 2):
        await board.pbx.until_asked("DELETE", LEG, times=times)
        board.pbx.silent = False
        await board.pbx.drop()
        await board.pbx.until_asked("PUT", "eventFilter", times=times + 1)
        board.pbx.silent = times < 2
    await board.until_idle()

    assert LEG not in board.pbx.channels


class HastyAri(Ari):
    """Waits a tenth of a second for a reply."""

    async def request(
        self, method: str, uri: str, *, body: Any = None, deadline: float = 0.1, **query: Value
    ) -> Any:
        return await super().request(method, uri, body=body, deadline=0.1, **query)


async def test_a_caller_who_is_gone_when_they_are_to_be_joined_is_no_conversation(board: Board) -> None:
    """The bound of callers at one time counts those who talk as served: nobody may count so for ever."""
    board.callers.on_the_line = False
    board.switch.do(CONNECT)
    assert board.switch.conversations == 0
    await board.until_idle()
    board.callers.on_the_line = True
    board.pbx.refuse("POST", "addChannel", 400, times=2)
    board.switch.do(CONNECT)
    assert board.switch.conversations == 1
    await board.until_idle()
    assert board.switch.conversations == 0


async def test_a_bridge_that_the_pbx_neither_has_nor_makes_is_replaced_by_another(board: Board) -> None:
    """Asterisk keeps a rest of a bridge in which two were being joined when the desk was killed: 409, and then 404."""
    board.pbx.refuse("POST", "bridges/call-c1", 409, times=9)
    await board.talking()
    assert board.pbx.bridges == {"call-c1~7": {CALL, LEG}}

    await board.control.hold(ALICE, CALL)
    assert board.pbx.bridges == {"call-c1~7": {LEG}}
    await board.control.resume(ALICE, CALL)
    await board.pbx.hang_up(CALL)
    board.switch.do(HangUpAgent(ALICE, CALL, OFFER))
    await board.until_idle()
    assert board.pbx.bridges == {}, "nothing is left of it"


async def test_a_bridge_whose_making_was_told_to_nobody_is_taken_down_with_the_call(board: Board) -> None:
    """The reply was lost with the line: asked for again it exists already (409)."""
    board.pbx.bridges["call-c1"] = set()
    board.pbx.refuse("POST", "bridges/call-c1", 409)
    await board.talking()
    assert board.pbx.bridges == {"call-c1": {CALL, LEG}}
    await board.pbx.hang_up(CALL)
    board.switch.do(HangUpAgent(ALICE, CALL, OFFER))
    await board.until_idle()
    assert board.pbx.bridges == {}


async def test_a_hang_up_without_a_reply_is_asked_for_again(board: Board) -> None:
    switch = Switch(HastyAri(board.stream, board.pbx.address), board.callers, board.posted.append)
    running = asyncio.create_task(switch.run())
    board.pbx.silent = True
    switch.do(HangUpCaller(CALL, Farewell.ERROR))
    await board.pbx.until_asked("DELETE", CALL)
    board.pbx.silent = False
    await board.pbx.until_asked("DELETE", CALL, times=2)
    await board.pbx.until(lambda: CALL not in board.pbx.channels)
    running.cancel()

    assert board.callers.farewells == [(CALL, Farewell.ERROR)], "said once"


async def test_whoever_was_without_music_while_the_line_was_away_for_long_has_it_when_it_is_back(
    board: Board, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Music is insisted on for a minute or so; a line that was away for longer left its caller in silence for good."""
    monkeypatch.setattr(client, "RECONNECT_LIMIT", 0.1)
    ari, second = HastyAri(board.stream, board.pbx.address), CallId("c2")
    board.pbx.channels[second] = FakeChannel(second, "inbound,1000")
    callers = FakeCallers(Answering(ari))
    callers.answering.put_off(CALL)
    switch = Switch(ari, callers, board.posted.append, most_listeners=1)
    running = asyncio.create_task(switch.run())
    board.pbx.silent = True  # nor has the event filter a reply, so the line stays down
    await board.pbx.drop()
    for call in (CALL, second):
        switch.do(PlayMusicOnHold(call, QueueName("pc")))

    async def given_up() -> bool:
        return any("_Chore failed" in message for message in caplog.messages)

    await eventually(given_up, within=5, every=0.01)
    board.pbx.silent = False
    await board.pbx.drop()  # the attempt whose event filter had no reply
    await board.stream.wait_connected(5)
    switch.line_is_up()
    switch.line_is_up()  # it may drop and come up again meanwhile
    await board.pbx.until_asked("POST", "c1/moh")
    await board.stream.send("GET", "channels", (), None, 5.0)
    asked = board.requests()
    assert asked.index("POST channels/c1/answer") < asked.index("POST channels/c1/moh")
    assert asked.count("POST channels/c1/moh") == 1
    assert "POST channels/c2/moh" not in asked, "no more hear music than may"

    switch.do(HangUpCaller(CALL, Farewell.NONE))
    await board.pbx.until_asked("POST", "c2/moh")
    running.cancel()


async def test_the_late_end_of_one_agents_leg_does_not_part_the_caller_from_the_next(board: Board) -> None:
    await board.talking()
    bob = RingAgent(AgentId("bob"), CALL, OfferId(8), timedelta(seconds=20))
    board.switch.do(bob)
    await board.pbx.until_asked("POST", "channels", times=2)
    await board.pbx.start("offer-8-c1")
    board.switch.do(ConnectCall(AgentId("bob"), CALL, OfferId(8)))
    await board.until_posted(PartiesConnected(AgentId("bob"), CALL, OfferId(8)))
    await board.pbx.hang_up(LEG)
    await board.until_posted(AgentHungUp(ALICE, CALL, OFFER))
    await board.until_idle()
    assert board.pbx.bridges == {"call-c1": {CALL, "offer-8-c1"}}

    await board.pbx.hang_up(CALL)
    await board.pbx.hang_up("offer-8-c1")
    await board.pbx.until(lambda: board.pbx.bridges == {})


async def test_a_leg_that_is_gone_already_is_not_kept_in_mind(board: Board) -> None:
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    del board.pbx.channels[LEG]  # and nobody told us
    board.switch.do(StopRinging(ALICE, CALL, OFFER))
    await board.until_idle()
    assert board.switch.leg(LEG) is None


async def test_ringing_is_not_repeated_after_a_lost_line(board: Board) -> None:
    board.pbx.silent = True
    board.switch.do(RING)
    await board.pbx.until_asked("POST", "channels")
    board.pbx.silent = False
    await board.pbx.drop()
    await board.until_idle()

    assert board.requests().count("POST channels") == 1
    assert board.posted == [], "whether it rings is found out by looking"


async def test_a_caller_is_diverted_after_the_music_has_ended(board: Board) -> None:
    board.switch.do(PlayMusicOnHold(CALL, QueueName("pc")))
    await board.pbx.until_asked("POST", "moh")
    away = Divert(CALL, QueueName("pc"), Destination(Way.VOICEMAIL))
    board.switch.do(away)
    await board.until_idle()

    assert not board.pbx.channels[CALL].music
    assert board.callers.diverted == [away]


async def test_a_switch_without_a_line_outside_reaches_nobody(board: Board) -> None:
    board.switch.do(DialPerson(CALL, "01012345678", QueueName("pc"), timedelta(seconds=20)))

    await board.until_posted(DialFailed(CALL, "unreachable"))
    assert board.requests() == []


async def test_a_caller_hears_the_farewell_and_is_hung_up(board: Board) -> None:
    board.switch.do(HangUpCaller(CALL, Farewell.NO_SUCH_QUEUE))
    await board.until_idle()

    assert board.callers.farewells == [(CALL, Farewell.NO_SUCH_QUEUE)]
    assert board.callers.released == [CALL]
    assert CALL not in board.pbx.channels


async def test_a_caller_who_is_gone_already_is_gone(board: Board) -> None:
    del board.pbx.channels[CALL]
    board.switch.do(HangUpCaller(CALL, Farewell.NONE))
    await board.until_idle()

    assert board.callers.gone == [CALL]
    assert board.callers.farewells == []


async def test_calls_do_not_wait_for_each_other(board: Board) -> None:
    board.pbx.channels["c2"] = FakeChannel("c2", "inbound,1000")
    board.pbx.refuse("DELETE", "nothing", 404)
    board.pbx.silent = True
    board.switch.do(HangUpCaller(CALL, Farewell.NONE))
    await board.pbx.until_asked("DELETE", CALL)
    board.switch.do(HangUpCaller(CallId("c2"), Farewell.NONE))

    await board.pbx.until_asked("DELETE", "c2")


# ---- the agent's own hand -------------------------------------------------------------------------------------------


async def test_hold_takes_the_caller_out_and_resume_brings_them_back(board: Board) -> None:
    await board.talking()
    await board.control.hold(ALICE, CALL)
    assert board.pbx.bridges == {"call-c1": {LEG}}
    assert board.pbx.channels[CALL].music
    await board.control.resume(ALICE, CALL)

    assert board.pbx.bridges == {"call-c1": {CALL, LEG}}
    assert not board.pbx.channels[CALL].music
    assert board.posted[-2:] == [CallHeld(ALICE, CALL), CallResumed(ALICE, CALL)]


async def test_hold_by_the_phones_key_is_told_once(board: Board) -> None:
    await board.talking()
    leg = board.pbx.channels[LEG].resource()
    for kind in ("ChannelHold", "ChannelHold", "ChannelUnhold", "ChannelUnhold"):
        await board.pbx.say(kind, channel=leg)
    await board.pbx.say("ChannelHold", channel=board.pbx.channels[CALL].resource())
    await board.until_posted(CallResumed(ALICE, CALL))

    assert board.posted[-2:] == [CallHeld(ALICE, CALL), CallResumed(ALICE, CALL)]


async def test_a_hold_from_before_a_restart_is_ended_by_the_phones_key(board: Board) -> None:
    board.pbx.channels[LEG] = FakeChannel(LEG, "agent,7,c1,alice")
    board.switch.adopt(AgentLeg(OFFER, CALL, ALICE), answered=True, bridge=bridge_of(CALL), joined=True)
    await board.pbx.say("ChannelUnhold", channel=board.pbx.channels[LEG].resource())

    await board.until_posted(CallResumed(ALICE, CALL))


@pytest.fixture
async def away(board: Board) -> AsyncIterator[Board]:
    """The board of a PBX with our dialplan, where legs wait for us."""
    board.switch = Switch(board.ari, board.callers, board.posted.append, legs_wait=True)
    board.control = CallControl(board.ari, board.switch, board.posted.append)
    running = asyncio.create_task(board.switch.run())
    yield board
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_leg_that_may_wait_for_us_goes_through_our_dialplan_and_is_listened_to(away: Board) -> None:
    away.switch.do(RING)
    heard = await away.pbx.until_asked("POST", "subscription")

    rung = next(asked for asked in away.pbx.asked if asked.path == "channels")
    assert rung.query | {"timeout": ""} == {
        "endpoint": "PJSIP/agent-alice", "context": "picked-up", "extension": "agent", "priority": "1",
        "channelId": LEG, "callerId": '"김민수" <01012345678>', "timeout": "", "originator": "c1",
    }  # fmt: skip
    assert rung.body == {"variables": {"CHANGGU_LEG": "agent,7,c1,alice"}}
    assert heard.query == {"eventSource": f"channel:{LEG}"}


async def test_a_phone_that_said_no_before_it_was_listened_to_has_failed(away: Board) -> None:
    away.pbx.refuse("POST", "subscription", 422)
    away.switch.do(RING)

    await away.until_posted(RingFailed(ALICE, CALL, OFFER, "error"))


async def test_whoever_left_as_the_phone_was_to_ring_is_not_the_agents_fault_there_either(away: Board) -> None:
    del away.pbx.channels[CALL]
    away.switch.do(RING)
    await away.pbx.until_asked("POST", "subscription")
    await away.until_idle()

    assert away.callers.gone == [CALL]
    assert away.posted == []


async def test_an_agent_who_is_on_their_way_to_us_is_joined_once_they_are_here(away: Board) -> None:
    away.pbx.channels[LEG] = FakeChannel(LEG, "agent,7,c1,alice", in_stasis=False)
    away.switch.adopt(AgentLeg(OFFER, CALL, ALICE), answered=True, bridge=None, joined=False, is_here=False)
    away.switch.do(CONNECT)
    await away.ari.request("GET", "channels")
    assert "POST bridges/call-c1/addChannel" not in away.requests()
    await away.pbx.start(LEG)
    await away.until_posted(PartiesConnected(ALICE, CALL, OFFER))

    assert AgentAnswered(ALICE, CALL, OFFER) not in away.posted, "the comparison has told"


async def test_an_agent_who_gave_up_on_their_way_is_waited_for_no_longer(away: Board) -> None:
    away.pbx.channels[LEG] = FakeChannel(LEG, "agent,7,c1,alice", in_stasis=False)
    away.switch.adopt(AgentLeg(OFFER, CALL, ALICE), answered=True, bridge=None, joined=False, is_here=False)
    away.switch.do(CONNECT)
    await away.pbx.hang_up(LEG, stasis_end=False)

    await away.until_posted(AgentHungUp(ALICE, CALL, OFFER), ConnectFailed(ALICE, CALL, OFFER, "congestion"))


async def test_an_agent_hangs_up_from_the_desktop(board: Board) -> None:
    await board.talking()
    await board.control.hang_up(ALICE, CALL)

    await board.until_posted(AgentHungUp(ALICE, CALL, OFFER))


async def test_only_who_talks_can_hold(board: Board) -> None:
    with pytest.raises(NotTalking):
        await board.control.hold(ALICE, CALL)
    await board.talking()
    with pytest.raises(NotTalking):
        await board.control.hold(AgentId("bob"), CALL)
    board.pbx.refuse("POST", "removeChannel", 409)
    with pytest.raises(NotTalking):
        await board.control.hold(ALICE, CALL)
    board.pbx.refuse("POST", "removeChannel", 500)
    with pytest.raises(SwitchAway):
        await board.control.hold(ALICE, CALL)
