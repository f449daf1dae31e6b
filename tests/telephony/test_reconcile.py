"""Coming back after a gap, on a fake PBX: what is looked at, when, and how often."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from changgu.acd.call_state import CallState
from changgu.acd.commands import Farewell, HangUpCaller, RingAgent
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallLost,
    Event,
    PartiesConnected,
    RingFailed,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.records import CallView
from changgu.telephony.inbound import Desk
from changgu.telephony.own_ends import End
from changgu.telephony.own_waits import Wait
from changgu.telephony.service import Telephony
from tests.support.fake_ari import NOW, FakeAri, FakeChannel
from tests.support.waiting import eventually
from tests.telephony.test_inbound import MENU, NUMBERS, FakeTickets, NameVoice

ALICE = AgentId("alice")


@dataclass
class FakeEngine:
    """Open calls as the test says."""

    calls: dict[CallId, CallView] = field(default_factory=dict)
    over: set[CallId] = field(default_factory=set)

    def recently_ended(self, call: CallId) -> bool:
        return call in self.over

    def has(self, call: str, state: CallState, offer: int | None = None, language: str = "") -> None:
        agent = ALICE if offer is not None else None
        self.calls[CallId(call)] = CallView(
            CallId(call), state, "010", "1000", QueueName("pc"), 0, frozenset(), 2e9, None, agent,
            OfferId(offer) if offer is not None else None, None, language=language,
        )  # fmt: skip


@dataclass
class FakeShadow:
    """Counts how often callers were fetched."""

    sweeps: int = 0
    trouble: OSError | None = None

    async def fetch_waiting(self) -> int:
        self.sweeps += 1
        if self.trouble is not None:
            raise self.trouble
        return 0


@dataclass
class FakeWaits:
    """Who waited by the PBX's account, and how often it was read."""

    told: dict[CallId, Wait] = field(default_factory=dict)
    read: int = 0

    async def __call__(self) -> dict[CallId, Wait]:
        self.read += 1
        return self.told


@dataclass
class FakeEnds:
    """Who hung up while we were away by the PBX's account, and how often it was read."""

    told: dict[CallId, End] = field(default_factory=dict)
    read: int = 0

    async def __call__(self) -> dict[CallId, End]:
        self.read += 1
        return self.told


@dataclass
class House:
    """The telephone side on a fake PBX."""

    pbx: FakeAri
    engine: FakeEngine = field(default_factory=FakeEngine)
    shadow: FakeShadow = field(default_factory=FakeShadow)
    waits: FakeWaits = field(default_factory=FakeWaits)
    ends: FakeEnds = field(default_factory=FakeEnds)
    posted: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.telephony = Telephony(
            self.pbx.address, desk=Desk(lambda: NUMBERS, lambda dialled: MENU), voice=NameVoice(),
            look_ups=FakeTickets(), post=self.posted.append, calls=self.engine, shadow=self.shadow,
            waits=self.waits, ends=self.ends,
        )  # fmt: skip

    @asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        running = asyncio.create_task(self.telephony.run())
        try:
            await asyncio.wait_for(self.telephony.reconciler.done.wait(), 5)
            yield self
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def until(self, *events: Event) -> None:
        async def so() -> bool:
            return all(event in self.posted for event in events)

        await eventually(so, within=5, every=0.01)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAri]:
    async with FakeAri() as pbx:
        yield pbx


async def test_a_quiet_start_asks_four_questions_and_says_nothing(pbx: FakeAri) -> None:
    """What runs, who is there, who hears whom; and who was put through to outside numbers before."""
    async with House(pbx).open() as house:
        await pbx.until_asked("GET", "channels", times=2)
        assert house.posted == []
        assert house.telephony.connected
    questions = [asked.path for asked in pbx.asked if asked.method == "GET" and "info" not in asked.path]
    assert sorted(questions) == ["bridges", "channels", "channels"]


async def test_who_hung_up_meanwhile_did_so_when_the_pbx_says(pbx: FakeAri) -> None:
    house = House(pbx)
    for call in ("c1", "c2"):
        house.engine.has(call, CallState.TALKING, offer=int(call[1]))
    house.ends.told[CallId("c1")] = End(2e9 + 5)
    async with house.open():
        assert house.posted == [CallerHungUp(CallId("c1"), at=2e9 + 5), CallerHungUp(CallId("c2"))]
        assert house.ends.read == 1


async def test_while_everybody_is_on_the_line_nobodys_end_is_looked_for(pbx: FakeAri) -> None:
    house = House(pbx)
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    house.engine.has("c1", CallState.WAITING)
    async with house.open():
        assert house.ends.read == 0


async def test_two_who_had_been_joined_unwritten_and_are_gone_have_spoken(pbx: FakeAri) -> None:
    house = House(pbx)
    pbx.bridges["call-c1"] = set()
    house.engine.has("c1", CallState.OFFERED, offer=1)
    joined, left = datetime.fromisoformat(NOW).timestamp(), 2e9 + 5
    house.ends.told[CallId("c1")] = End(left)
    async with house.open():
        about = ALICE, CallId("c1"), OfferId(1)
        assert house.posted == [
            AgentAnswered(*about, joined), PartiesConnected(*about, joined), CallerHungUp(CallId("c1"), at=left),
        ]  # fmt: skip
        await pbx.until_asked("DELETE", "bridges/call-c1")


async def test_asterisks_version_is_known_once_connected(pbx: FakeAri) -> None:
    async with House(pbx).open() as house:

        async def known() -> bool:
            return house.telephony.version == "22.10.1"

        await eventually(known)


async def test_who_came_to_a_queue_unwritten_and_hung_up_meanwhile_gave_up_there(pbx: FakeAri) -> None:
    house = House(pbx)
    for call in ("c1", "c2"):
        house.engine.has(call, CallState.IN_MENU)
    house.waits.told[CallId("c1")] = Wait(QueueName("pc"), 2e9 + 5)
    async with house.open():
        assert house.posted == [CallerHungUp(CallId("c1"), QueueName("pc"), 2e9 + 5), CallerHungUp(CallId("c2"))]
        assert house.waits.read == 1


async def test_the_pbxs_account_is_read_only_when_somebody_left_the_menu_meanwhile(pbx: FakeAri) -> None:
    house = House(pbx)
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    house.engine.has("c1", CallState.IN_MENU)
    house.engine.has("c2", CallState.WAITING)
    async with house.open():
        assert CallerHungUp(CallId("c2")) in house.posted
        assert house.waits.read == 0


async def test_orphans_are_hung_up_and_empty_bridges_deleted(pbx: FakeAri) -> None:
    pbx.channels["offer-3-c9"] = FakeChannel("offer-3-c9", "agent,3,c9,alice", in_stasis=False)
    pbx.channels["over"] = FakeChannel("over", "inbound,1000")
    pbx.bridges["call-c9"] = set()
    house = House(pbx)
    house.engine.over.add(CallId("over"))
    async with house.open():
        assert pbx.channels == {}
        assert pbx.bridges == {}
        assert house.posted == []


@pytest.mark.parametrize(("language", "spoken"), [("en", "en"), ("", None)])
async def test_who_waits_in_english_does_so_after_a_restart(pbx: FakeAri, language: str, spoken: str | None) -> None:
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    house = House(pbx)
    house.engine.has("c1", CallState.WAITING, language=language)
    async with house.open():
        assert house.telephony.inbound.knows(CallId("c1"))
        assert house.telephony.inbound.language(CallId("c1")) == spoken


async def test_who_was_in_the_menu_hears_it_from_the_start_and_no_more_of_what_was_being_said(pbx: FakeAri) -> None:
    """A desk that was killed leaves its prompts playing, and Asterisk says the next one only behind them."""
    pbx.prompts_end_at_once = False
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    pbx.playbacks["c1-sound-2"] = "c1"
    house = House(pbx)
    house.engine.has("c1", CallState.IN_MENU)
    async with house.open():
        begun = await pbx.until_asked("POST", "channels/c1/play")
        asked = [(one.method, one.path) for one in pbx.asked]
        assert asked.index(("DELETE", "playbacks/c1-sound-2")) < asked.index(("POST", "channels/c1/play"))
        assert list(pbx.playbacks) == [begun.query["playbackId"]] != ["c1-sound-2"]


async def test_who_waited_and_is_told_something_later_is_rid_of_old_sounds_once(pbx: FakeAri) -> None:
    """Of a prompt, and of an announcement."""
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    pbx.playbacks["c1-sound-1"] = pbx.playbacks["c1-wait-1"] = "c1"
    house = House(pbx)
    house.engine.has("c1", CallState.WAITING)
    async with house.open():
        house.telephony.do(HangUpCaller(CallId("c1"), Farewell.ERROR))
        await pbx.until_asked("DELETE", "channels/c1")
        assert pbx.playbacks == {}
        stopped = [one.path for one in pbx.asked if one.method == "DELETE" and one.path.startswith("playbacks/")]
        assert stopped == [
            "playbacks/c1-wait-1", "playbacks/c1-wait-2", *(f"playbacks/c1-sound-{number}" for number in (1, 2, 3, 4)),
        ]  # fmt: skip


async def test_a_new_caller_found_on_the_line_is_welcomed_once(pbx: FakeAri) -> None:
    pbx.channels["c2"] = FakeChannel("c2", "inbound,1000")
    async with House(pbx).open() as house:
        came = CallerDialledIn(CallId("c2"), "01012345678", "1000", since=datetime.fromisoformat(NOW).timestamp())
        await house.until(came)
        await pbx.start("c2")
        await house.telephony.ari.request("GET", "channels")
        assert house.posted.count(came) == 1


async def test_what_ends_while_we_look_is_not_taken_for_present(pbx: FakeAri) -> None:
    house = House(pbx)
    house.engine.has("c1", CallState.WAITING)
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    async with house.open():
        pbx.silent = True
        house.telephony.reconciler.ask()
        asked = len([one for one in pbx.asked if one.path == "channels"])
        pbx.silent = False
        await pbx.hang_up("c1")
        await house.until(CallerHungUp(CallId("c1")))
        assert not house.telephony.inbound.knows(CallId("c1"))
        assert asked >= 1


class BusyAri(FakeAri):
    """Things happen between the question for channels and the one for bridges."""

    meanwhile: list[Callable[[], Awaitable[None]]]

    async def _answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        if request["uri"] == "bridges" and self.meanwhile:
            await self.meanwhile.pop()()
        await super()._answer(socket, request)


@pytest.fixture
async def busy_pbx() -> AsyncIterator[BusyAri]:
    pbx = BusyAri()
    pbx.meanwhile = []
    async with pbx:
        yield pbx


async def test_a_caller_who_arrives_while_we_look_is_not_taken_for_gone(busy_pbx: BusyAri) -> None:
    house = House(busy_pbx)

    async def arrive() -> None:
        await busy_pbx.call_in("c9")
        house.engine.has("c9", CallState.IN_MENU)

    busy_pbx.meanwhile.append(arrive)
    async with house.open():
        assert CallerDialledIn(CallId("c9"), "01012345678", "1000") in house.posted
        assert CallerHungUp(CallId("c9")) not in house.posted
        assert house.telephony.inbound.knows(CallId("c9"))


async def test_a_phone_that_is_rung_while_we_look_is_not_taken_for_gone(busy_pbx: BusyAri) -> None:
    house = House(busy_pbx)
    house.engine.has("c1", CallState.WAITING)
    busy_pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")

    async def ring() -> None:
        house.engine.has("c1", CallState.OFFERED, offer=7)
        house.telephony.do(RingAgent(ALICE, CallId("c1"), OfferId(7), timedelta(seconds=20)))

    busy_pbx.meanwhile.append(ring)
    async with house.open():
        assert "offer-7-c1" in busy_pbx.channels
        assert house.posted == []


async def test_an_agent_who_hangs_up_while_we_look_is_told_of_once(busy_pbx: BusyAri) -> None:
    house = House(busy_pbx)
    house.engine.has("c1", CallState.TALKING, offer=7)
    busy_pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    busy_pbx.channels["offer-7-c1"] = FakeChannel("offer-7-c1", "agent,7,c1,alice")
    busy_pbx.bridges["call-c1"] = {"c1", "offer-7-c1"}
    busy_pbx.meanwhile.append(lambda: busy_pbx.phone_hangs_up("offer-7-c1"))
    async with house.open():
        await house.until(AgentHungUp(ALICE, CallId("c1"), OfferId(7)))
        await busy_pbx.hang_up("offer-7-c1")
        await house.telephony.ari.request("GET", "channels")  # everything said until now has been heard
        assert house.posted.count(AgentHungUp(ALICE, CallId("c1"), OfferId(7))) == 1


async def test_a_phone_that_is_rung_while_we_look_shows_the_callers_number(busy_pbx: BusyAri) -> None:
    """After a restart an agent may be free before the caller's channel has been found again."""
    house = House(busy_pbx)
    house.engine.has("c1", CallState.WAITING)
    busy_pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")

    async def ring() -> None:
        house.telephony.do(RingAgent(ALICE, CallId("c1"), OfferId(7), timedelta(seconds=20)))

    busy_pbx.meanwhile.append(ring)
    async with house.open():
        rung = await busy_pbx.until_asked("POST", "channels")
        assert rung.query["callerId"] == "<010>"


async def test_a_call_with_a_command_under_way_is_looked_at_again_when_it_is_done(pbx: FakeAri) -> None:
    house = House(pbx)
    house.engine.has("c1", CallState.OFFERED, offer=7)
    pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
    async with house.open():
        await house.until(RingFailed(ALICE, CallId("c1"), OfferId(7), "gone"))
        house.posted.clear()
        house.telephony.do(RingAgent(ALICE, CallId("c1"), OfferId(7), timedelta(seconds=20)))
        house.telephony.reconciler.ask()
        await pbx.until_asked("POST", "channels")
        await asyncio.wait_for(house.telephony.reconciler.done.wait(), 5)
        assert house.posted == [], "the leg that was about to ring is not gone"


async def test_a_pbx_that_was_started_anew_has_lost_our_calls(pbx: FakeAri) -> None:
    pbx.started_at = "2099-01-01T00:00:00.000+0000"
    house = House(pbx)
    house.engine.has("c1", CallState.TALKING, offer=7)
    async with house.open():
        await house.until(CallLost(CallId("c1")))


async def test_a_call_that_the_pbx_lost_is_lost_whatever_is_under_way_for_it(busy_pbx: BusyAri) -> None:
    """Or the attempt to ring an agent for it fails first, and a lost caller is counted as one who gave up."""
    busy_pbx.started_at = "2099-01-01T00:00:00.000+0000"
    house = House(busy_pbx)
    house.engine.has("c1", CallState.WAITING)

    async def ring() -> None:
        house.telephony.do(RingAgent(ALICE, CallId("c1"), OfferId(7), timedelta(seconds=20)))

    busy_pbx.meanwhile.append(ring)
    async with house.open():
        assert house.posted == [CallLost(CallId("c1"))]
        assert [asked.path for asked in busy_pbx.asked if asked.method == "GET"].count("channels") == 1


async def test_each_new_line_is_followed_by_a_look_and_a_sweep(pbx: FakeAri) -> None:
    house = House(pbx)
    house.shadow.trouble = TimeoutError("AMI is away")
    async with house.open():
        await pbx.drop()

        async def twice() -> bool:
            return house.shadow.sweeps >= 2 and house.telephony.reconciler.done.is_set()

        await eventually(twice)


async def test_a_pbx_that_refuses_to_be_looked_at_is_asked_again(pbx: FakeAri) -> None:
    pbx.refuse("GET", "bridges", 500)
    async with House(pbx).open():
        assert len([asked for asked in pbx.asked if asked.path == "bridges"]) == 2


async def test_a_caller_who_hangs_up_during_the_farewell_keeps_nobody_waiting(pbx: FakeAri) -> None:
    pbx.prompts_end_at_once = False
    async with House(pbx).open() as house:
        await pbx.call_in("c1")
        await pbx.until(lambda: "c1-sound-1" in pbx.playbacks)
        house.telephony.do(HangUpCaller(CallId("c1"), Farewell.ERROR))
        await pbx.until(lambda: "c1-sound-2" in pbx.playbacks)
        await pbx.hang_up("c1")

        async def idle() -> bool:
            return not house.telephony.switch.is_busy(CallId("c1"))

        await eventually(idle, within=5)


async def test_a_key_pressed_as_the_line_drops_costs_nobody_their_call(pbx: FakeAri) -> None:
    pbx.prompts_end_at_once = False
    async with House(pbx).open() as house:
        await pbx.call_in("c1")
        house.engine.has("c1", CallState.IN_MENU)

        async def at_the_menu() -> str:
            for asked in pbx.asked:
                if asked.path.endswith("play") and "sound:services" in asked.body["media"]:
                    return asked.query["playbackId"]
            for playback in list(pbx.playbacks):
                await pbx.finish(playback)
            return ""

        menu = await eventually(at_the_menu, within=5)
        pbx.silent = True
        await pbx.press("c1", "1")
        await pbx.until_asked("DELETE", menu)
        pbx.silent = False
        await pbx.drop()

        async def went_on() -> bool:
            return any(isinstance(event, CallArrived) for event in house.posted) or bool({*pbx.playbacks} - {menu})

        await eventually(went_on, within=10)
        assert house.telephony.inbound.failed == 0


async def test_a_caller_whom_the_desk_hung_up_is_no_news(pbx: FakeAri) -> None:
    async with House(pbx).open() as house:
        await pbx.call_in("c1")
        await house.until(CallerDialledIn(CallId("c1"), "01012345678", "1000"))
        house.telephony.do(HangUpCaller(CallId("c1"), Farewell.NONE))

        async def gone() -> bool:
            return not house.telephony.inbound.knows(CallId("c1"))

        await eventually(gone)
        assert CallerHungUp(CallId("c1")) not in house.posted
