"""No state outlives its evidence: what is believed and is not so is found by looking, and put right."""

import asyncio
from collections.abc import Callable

from changgu.acd.call_state import CallState
from changgu.acd.events import CallerHungUp, ConversationMissing
from changgu.acd.identity import CallId, OfferId
from changgu.telephony.ari.errors import AriAway
from changgu.telephony.ari.messages import Channel
from changgu.telephony.comparison import Findings
from changgu.telephony.legs import AgentLeg, Caller
from changgu.telephony.watchdog import Watchdog
from tests.support.fake_ari import FakeAri, FakeChannel
from tests.support.waiting import eventually
from tests.telephony.test_reconcile import ALICE, House

C1 = CallId("c1")
GONE = CallerHungUp(C1)


class Eyes:
    """Sees what the story says, look by look."""

    def __init__(self, *sights: Findings | None) -> None:
        self.sights = list(sights)
        self.repaired: list[Findings] = []

    async def audit(self) -> Findings | None:
        return self.sights.pop(0)

    async def repair(self, findings: Findings) -> None:
        self.repaired.append(findings)


async def look(*sights: Findings | None) -> Eyes:
    eyes = Eyes(*sights)
    await Watchdog(eyes, again=0).look()
    return eyes


async def test_when_all_is_well_one_look_is_enough() -> None:
    assert (await look(Findings())).sights == []


async def test_what_is_seen_once_is_news_under_way() -> None:
    eyes = await look(Findings(events=[GONE], orphans=["x"]), Findings(events=[CallerHungUp(CallId("c2"))]))
    assert eyes.repaired == []


async def test_what_is_seen_twice_is_put_right() -> None:
    found = Findings(events=[GONE], gone_callers=[C1], orphans=["x", "y"], empty_bridges=["call-z"])
    eyes = await look(found, Findings(events=[GONE], gone_callers=[C1], orphans=["y"], empty_bridges=["call-z"]))
    (repaired,) = eyes.repaired
    assert (repaired.events, repaired.orphans, repaired.empty_bridges) == ([GONE], ["y"], ["call-z"])
    assert repaired.gone_callers == [C1]


async def test_a_caller_nobody_was_told_of_is_welcomed_though_their_channel_says_something_else_now() -> None:
    then, now = Channel("c9", "PJSIP/x", "Ring"), Channel("c9", "PJSIP/x", "Up")
    eyes = await look(Findings(newcomers=[(then, Caller("1000"))]), Findings(newcomers=[(now, Caller("1000"))]))
    assert eyes.repaired[0].newcomers == [(now, Caller("1000"))]


async def test_a_line_that_drops_between_two_looks_leaves_it_to_the_comparison_after_the_gap() -> None:
    assert (await look(Findings(events=[GONE]), None)).repaired == []
    assert (await look(None)).repaired == []


async def test_a_pbx_that_cannot_be_looked_at_is_looked_at_again_later() -> None:
    class Blind(Eyes):
        async def audit(self) -> Findings | None:
            if not self.sights:
                raise AriAway("away")
            return self.sights.pop()

    phones: list[int] = []
    watchdog = Watchdog(Blind(Findings()), lambda: phones.append(1), every=0.001, again=0)
    running = asyncio.create_task(watchdog.run())
    await until(lambda: watchdog.looks >= 6)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert 2 <= len(phones) < 6, "the phones' list is longer, and read less often"


async def test_an_agent_who_talks_without_a_leg_talks_no_more() -> None:
    """Field lesson 22: locked in a call for ever. The line was up all the time and said nothing."""
    async with FakeAri() as pbx, House(pbx).open() as house:
        house.engine.has("c1", CallState.TALKING, offer=7)
        pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
        house.telephony.switch.adopt(AgentLeg(OfferId(7), C1, ALICE), answered=True, bridge="call-c1", joined=True)
        await Watchdog(house.telephony.reconciler, again=0).look()
        assert house.posted == [ConversationMissing(ALICE, C1, OfferId(7))]
        assert house.telephony.switch.legs == {}
        assert "c1" in pbx.channels, "the caller is still there, and the engine's to decide about"


async def test_a_caller_who_left_unheard_is_told_to_have_left() -> None:
    async with FakeAri() as pbx, House(pbx).open() as house:
        house.engine.has("c1", CallState.WAITING)
        await Watchdog(house.telephony.reconciler, again=0).look()
        assert house.posted == [GONE]


async def test_legs_and_bridges_of_no_call_are_ended() -> None:
    async with FakeAri() as pbx, House(pbx).open() as house:
        pbx.channels["offer-3-c9"] = FakeChannel("offer-3-c9", "agent,3,c9,alice")
        pbx.bridges["call-c9"] = {"offer-3-c9"}
        watchdog = Watchdog(house.telephony.reconciler, again=0)
        await watchdog.look()
        assert (pbx.channels, pbx.bridges, watchdog.repairs) == ({}, {}, 2)


async def test_a_conversation_with_its_evidence_is_left_alone() -> None:
    async with FakeAri() as pbx, House(pbx).open() as house:
        house.engine.has("c1", CallState.TALKING, offer=7)
        pbx.channels["c1"] = FakeChannel("c1", "inbound,1000")
        pbx.channels["offer-7-c1"] = FakeChannel("offer-7-c1", "agent,7,c1,alice")
        pbx.bridges["call-c1"] = {"c1", "offer-7-c1"}
        await pbx.until_asked("GET", "channels", times=2)  # the start is over
        asked = len(pbx.asked)
        await Watchdog(house.telephony.reconciler, again=0).look()
        assert house.posted == []
        assert [one.path for one in pbx.asked[asked:]] == ["asterisk/info", "channels", "bridges"]


async def until(true: Callable[[], bool]) -> None:
    async def so() -> bool:
        return true()

    await eventually(so, within=5, every=0.001)
