"""What follows from the difference between the ledger and the PBX."""

from collections.abc import Collection
from dataclasses import replace

import pytest
from msgspec import structs

from changgu.acd.call_state import CallState
from changgu.acd.commands import ConnectCall, PlayMusicOnHold
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallerHungUp,
    CallLost,
    DialFailed,
    Event,
    PartiesConnected,
    PersonReached,
    RingFailed,
)
from changgu.acd.facts import Ender
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.records import CallView
from changgu.telephony.ari.messages import Channel
from changgu.telephony.comparison import Findings, LegFound, Snapshot, compare
from changgu.telephony.legs import AgentLeg, Caller, Returned, agent_leg, bridge_of
from changgu.telephony.own_ends import End
from changgu.telephony.own_waits import Wait

CALL, ALICE, OFFER = CallId("c1"), AgentId("alice"), OfferId(7)
LEG = agent_leg(OFFER, CALL)
PURPOSE = AgentLeg(OFFER, CALL, ALICE)
BOOTED, STARTED = 1_000.0, 2_000.0


BOB = AgentId("bob")


def view(state: CallState, *, started_at: float = STARTED) -> CallView:
    offered = state in (CallState.OFFERED, CallState.CONNECTING, CallState.TALKING, CallState.HELD)
    return CallView(
        CALL, state, "010", "1000", None if state is CallState.IN_MENU else QueueName("pc"), 0, frozenset(), started_at,
        None, ALICE if offered else None, OFFER if offered else None, None,
    )  # fmt: skip


def caller(name: str = CALL, data: str = "changgu,inbound,1000") -> Channel:
    return Channel(name, f"PJSIP/x-{name}", "Up", "010", "", "1000", "Stasis", data, STARTED)


def leg(*, answered: bool, name: str = LEG) -> Channel:
    app, data = ("Stasis", f"changgu,agent,{OFFER},{CALL},{ALICE}") if answered else ("", "")
    return Channel(name, "PJSIP/agent-alice-1", "Up" if answered else "Ringing", "", "", "", app, data)


def snapshot(*channels: Channel, bridged: Collection[str] | None = None, booted_at: float = BOOTED) -> Snapshot:
    bridges = {} if bridged is None else {bridge_of(CALL): frozenset(bridged)}
    return Snapshot("changgu", booted_at, {channel.id: channel for channel in channels}, bridges)


def found(state: CallState, pbx: Snapshot) -> Findings:
    return compare([view(state)], pbx)


ALL_OPEN = [state for state in CallState if state is not CallState.ENDED]


@pytest.mark.parametrize("state", ALL_OPEN)
def test_a_caller_who_left_meanwhile_hung_up(state: CallState) -> None:
    findings = found(state, snapshot())

    assert findings.events == [CallerHungUp(CALL)]
    assert findings.gone_callers == [CALL]


@pytest.mark.parametrize("state", ALL_OPEN)
def test_a_caller_who_left_meanwhile_and_was_noted_hung_up_then(state: CallState) -> None:
    findings = compare([view(state)], snapshot(), ends={CALL: End(STARTED + 60)})

    assert findings.events == [CallerHungUp(CALL, at=STARTED + 60)]


def test_a_caller_whose_agent_hung_up_first_did_not_end_the_conversation() -> None:
    findings = compare([view(CallState.TALKING)], snapshot(), ends={CALL: End(STARTED + 60, ALICE)})

    assert findings.events == [CallerHungUp(CALL, at=STARTED + 60, by=Ender.AGENT)]


def test_the_phone_of_an_agent_they_were_joined_with_earlier_did_not_end_the_conversation() -> None:
    findings = compare([view(CallState.TALKING)], snapshot(), ends={CALL: End(STARTED + 60, BOB)})

    assert findings.events == [CallerHungUp(CALL, at=STARTED + 60)]


def test_a_caller_who_had_hung_up_before_the_pbx_was_started_anew_is_not_lost() -> None:
    findings = compare([view(CallState.TALKING)], snapshot(booted_at=3e3), ends={CALL: End(STARTED + 60)})

    assert findings.events == [CallerHungUp(CALL, at=STARTED + 60)]


JOINED_AT, HUNG_UP_AT = STARTED + 30, STARTED + 60
ENDS = {CALL: End(HUNG_UP_AT)}
JOINED = PartiesConnected(ALICE, CALL, OFFER, JOINED_AT)
SPOKE: dict[CallState, list[Event]] = {
    CallState.OFFERED: [AgentAnswered(ALICE, CALL, OFFER, JOINED_AT), JOINED],
    CallState.CONNECTING: [JOINED],
}


def joining(*channels: Channel, bridged: Collection[str] = ()) -> Snapshot:
    """The PBX, when changgu was killed as it had two joined, or was about to."""
    return structs.replace(snapshot(*channels, bridged=bridged), made_at={bridge_of(CALL): JOINED_AT})


@pytest.mark.parametrize("state", SPOKE)
@pytest.mark.parametrize("pbx", [joining(), joining(leg(answered=True), bridged=[LEG])], ids=["both", "caller"])
def test_two_who_were_joined_as_we_were_killed_and_have_parted_spoke(pbx: Snapshot, state: CallState) -> None:
    """Whoever of them has gone: their bridge is still there."""
    findings = compare([view(state)], pbx, ends=ENDS)

    assert findings.events == [*SPOKE[state], CallerHungUp(CALL, at=HUNG_UP_AT)]
    assert findings.empty_bridges == [bridge_of(CALL)]


@pytest.mark.parametrize("state", SPOKE)
def test_two_who_were_joined_as_we_were_killed_and_speak_still_speak_since_then(state: CallState) -> None:
    findings = found(state, joining(caller(), leg(answered=True), bridged=[CALL, LEG]))

    assert findings.events == SPOKE[state]
    assert findings.commands == []
    assert findings.legs == [LegFound(PURPOSE, answered=True, bridge=bridge_of(CALL), joined=True)]


@pytest.mark.parametrize("state", SPOKE)
def test_two_who_were_joined_as_we_were_killed_and_only_the_caller_is_left_have_spoken(state: CallState) -> None:
    findings = found(state, joining(caller(), bridged=[CALL]))

    assert findings.events == [*SPOKE[state], AgentHungUp(ALICE, CALL, OFFER)]


@pytest.mark.parametrize("state", SPOKE)
@pytest.mark.parametrize(
    "pbx", [snapshot(), snapshot(leg(answered=True)), joining(leg(answered=True))], ids=["all gone", "agent", "bridge"]
)
def test_a_caller_of_whom_nothing_says_that_they_were_joined_has_given_up(pbx: Snapshot, state: CallState) -> None:
    """Also when there is a bridge, and the agent who picked up waits outside it."""
    assert compare([view(state)], pbx, ends=ENDS).events == [CallerHungUp(CALL, at=HUNG_UP_AT)]


def test_when_all_rang_the_bridge_alone_does_not_tell_who_it_was_but_the_phone_that_went_first_does() -> None:
    ringing = replace(view(CallState.OFFERED), ringing=((ALICE, OFFER), (BOB, OfferId(8))))
    by_bob = {CALL: End(HUNG_UP_AT, BOB)}

    assert compare([ringing], joining(), ends=ENDS).events == [CallerHungUp(CALL, at=HUNG_UP_AT)]
    assert compare([ringing], joining(), ends=by_bob).events == [
        AgentAnswered(BOB, CALL, OfferId(8), JOINED_AT), PartiesConnected(BOB, CALL, OfferId(8), JOINED_AT),
        CallerHungUp(CALL, at=HUNG_UP_AT, by=Ender.AGENT),
    ]  # fmt: skip


def test_who_speaks_with_another_agent_than_the_ledger_knew_of_has_not_spoken_with_the_one_it_did() -> None:
    """The one phone declined and the next was answered, and changgu was killed before any of that was written."""
    bobs = structs.replace(leg(answered=True), id=agent_leg(OfferId(8), CALL))
    findings = found(CallState.OFFERED, joining(caller(), bobs, bridged=[CALL, bobs.id]))

    assert findings.events == [RingFailed(ALICE, CALL, OFFER, "gone")]


def test_the_phone_that_went_first_in_an_earlier_conversation_has_not_answered_since() -> None:
    """Their bridge was taken down, and no other was made."""
    gave_up = compare([view(CallState.OFFERED)], snapshot(leg(answered=False)), ends={CALL: End(HUNG_UP_AT, ALICE)})

    assert [event for event in gave_up.events if not isinstance(event, CallerHungUp)] == []


def test_a_pbx_that_tells_whole_seconds_does_not_end_a_conversation_before_it_began() -> None:
    findings = compare([view(CallState.CONNECTING)], joining(), ends={CALL: End(JOINED_AT - 0.5)})

    assert findings.events == [JOINED, CallerHungUp(CALL, at=JOINED_AT)]


def test_what_happened_first_is_told_first() -> None:
    others = [replace(view(CallState.TALKING), call=CallId(name)) for name in ("c2", "c3", "c4")]
    left = {CallId("c2"): End(HUNG_UP_AT), CallId("c4"): End(HUNG_UP_AT - 1)}

    told = [getattr(event, "call", None) for event in compare(others, snapshot(), ends=left).events]

    assert told == ["c4", "c2", "c3"]


WAITED = {CALL: Wait(QueueName("network"), STARTED + 5)}


def test_a_caller_who_left_and_had_come_to_a_queue_by_the_pbxs_account_says_so() -> None:
    findings = compare([view(CallState.IN_MENU)], snapshot(), waits=WAITED)

    assert findings.events == [CallerHungUp(CALL, QueueName("network"), STARTED + 5)]


def test_what_the_ledger_knows_of_a_wait_needs_no_other_account() -> None:
    left_the_queue = replace(view(CallState.IN_MENU), queued_at=STARTED + 1)
    for known in (*(view(state) for state in ALL_OPEN if state is not CallState.IN_MENU), left_the_queue):
        assert compare([known], snapshot(), waits=WAITED).events == [CallerHungUp(CALL)]


def test_who_is_still_on_the_line_has_not_left_whatever_the_pbxs_account_says() -> None:
    assert compare([view(CallState.IN_MENU)], snapshot(caller()), waits=WAITED).events == []


@pytest.mark.parametrize("state", ALL_OPEN)
def test_a_call_from_before_the_pbx_was_started_is_lost(state: CallState) -> None:
    assert found(state, snapshot(booted_at=STARTED + 1)).events == [CallLost(CALL)]


def test_a_caller_in_the_menu_starts_it_again() -> None:
    assert [name.id for name, _ in found(CallState.IN_MENU, snapshot(caller())).menu_again] == [CALL]


def test_a_waiting_caller_keeps_their_place_and_hears_music() -> None:
    findings = found(CallState.WAITING, snapshot(caller()))

    assert findings.events == []
    assert findings.commands == [PlayMusicOnHold(CALL, QueueName("pc"))]


def test_a_phone_that_still_rings_goes_on_ringing() -> None:
    findings = found(CallState.OFFERED, snapshot(caller(), leg(answered=False)))

    assert (findings.events, findings.commands, findings.orphans) == ([], [], [])
    assert findings.legs == [LegFound(PURPOSE, answered=False, bridge=None, joined=False)]


def test_a_phone_that_was_picked_up_meanwhile_is_told() -> None:
    findings = found(CallState.OFFERED, snapshot(caller(), leg(answered=True)))

    assert findings.events == [AgentAnswered(ALICE, CALL, OFFER)]


def test_an_agent_who_picked_up_while_nobody_was_there_is_on_the_way() -> None:
    """The dialplan keeps them with music, and asks for us every second."""
    waiting = Channel(LEG, "PJSIP/agent-alice-1", "Up", "", "", "agent", "MusicOnHold", "default,1")

    findings = found(CallState.OFFERED, snapshot(caller(), waiting))

    assert findings.events == [AgentAnswered(ALICE, CALL, OFFER)]
    assert findings.legs == [LegFound(PURPOSE, answered=True, bridge=None, joined=False, is_here=False)]


def test_an_offer_whose_leg_is_gone_came_to_nothing() -> None:
    assert found(CallState.OFFERED, snapshot(caller())).events == [RingFailed(ALICE, CALL, OFFER, "gone")]


def test_a_join_that_was_done_but_not_told_is_told() -> None:
    pbx = snapshot(caller(), leg(answered=True), bridged={CALL, LEG})

    assert found(CallState.CONNECTING, pbx).events == [PartiesConnected(ALICE, CALL, OFFER)]


def test_two_who_talk_in_a_second_bridge_are_found_there_and_the_empty_first_is_taken_down() -> None:
    pbx = snapshot(caller(), leg(answered=True))
    second = bridge_of(CALL, instead=PURPOSE.offer)
    pbx = structs.replace(pbx, bridges={bridge_of(CALL): frozenset(), second: frozenset({CALL, LEG})})
    findings = found(CallState.TALKING, pbx)
    assert findings.legs == [LegFound(PURPOSE, answered=True, bridge=second, joined=True)]
    assert (findings.empty_bridges, findings.commands) == ([bridge_of(CALL)], [])


def test_a_bridge_in_which_an_agent_who_picks_up_will_be_joined_is_left() -> None:
    """Killed before the bridge of the talk before was taken down: deleted now, both would fall out of it."""
    findings = found(CallState.OFFERED, snapshot(caller(), leg(answered=True), bridged=set()))
    assert ([one.bridge for one in findings.legs], findings.empty_bridges) == ([bridge_of(CALL)], [])


def test_the_bridge_of_a_caller_who_left_meanwhile_is_taken_down() -> None:
    """Their agent's leg is hung up by the ACD, and nobody else would think of the bridge."""
    findings = found(CallState.TALKING, snapshot(leg(answered=True), bridged={LEG}))
    assert findings.events == [CallerHungUp(CALL)]
    assert findings.empty_bridges == [bridge_of(CALL)]


@pytest.mark.parametrize("bridged", [set(), {CALL}])
@pytest.mark.parametrize("state", [CallState.CONNECTING, CallState.TALKING])
def test_the_bridge_of_a_caller_whose_agent_left_meanwhile_is_taken_down(
    state: CallState, bridged: Collection[str]
) -> None:
    """Killed as the agent hung up: the call is over, and the bridge stood in the PBX for good."""
    findings = found(state, snapshot(caller(), bridged=bridged))
    assert findings.events == [AgentHungUp(ALICE, CALL, OFFER)]
    assert findings.empty_bridges == [bridge_of(CALL)]


@pytest.mark.parametrize("bridged", [None, set(), {LEG}])
@pytest.mark.parametrize("state", [CallState.CONNECTING, CallState.TALKING])
def test_a_join_that_was_not_done_is_done(state: CallState, bridged: Collection[str] | None) -> None:
    findings = found(state, snapshot(caller(), leg(answered=True), bridged=bridged))

    assert findings.commands == [ConnectCall(ALICE, CALL, OFFER)]
    assert findings.events == []


def test_a_conversation_is_left_alone() -> None:
    findings = found(CallState.TALKING, snapshot(caller(), leg(answered=True), bridged={CALL, LEG}))

    assert (findings.events, findings.commands, findings.orphans, findings.empty_bridges) == ([], [], [], [])
    assert findings.legs == [LegFound(PURPOSE, answered=True, bridge=bridge_of(CALL), joined=True)]


def test_a_caller_on_hold_stays_on_hold() -> None:
    findings = found(CallState.HELD, snapshot(caller(), leg(answered=True), bridged={LEG}))

    assert (findings.events, findings.commands) == ([], [])


@pytest.mark.parametrize("state", [CallState.CONNECTING, CallState.TALKING, CallState.HELD])
def test_an_agent_who_left_meanwhile_hung_up(state: CallState) -> None:
    findings = found(state, snapshot(caller(), bridged={CALL}))

    assert findings.events == [AgentHungUp(ALICE, CALL, OFFER)]


def test_what_belongs_to_no_call_is_ended() -> None:
    stray = leg(answered=False, name="offer-3-c9")
    pbx = Snapshot("changgu", BOOTED, {stray.id: stray}, {"call-c9": frozenset(), "conference": frozenset()})

    findings = compare([], pbx)

    assert findings.orphans == ["offer-3-c9"]
    assert findings.empty_bridges == ["call-c9"]


def test_an_earlier_offers_leg_is_ended_and_the_present_one_is_not() -> None:
    old = leg(answered=False, name=agent_leg(OfferId(6), CALL))

    assert found(CallState.OFFERED, snapshot(caller(), old, leg(answered=False))).orphans == [old.id]


def test_callers_of_whom_nothing_is_known_are_new() -> None:
    fresh, back = caller("c2"), caller("c3", "changgu,returned,network")

    findings = compare([], snapshot(fresh, back))

    assert findings.newcomers == [(fresh, Caller("1000")), (back, Returned(QueueName("network")))]


def test_a_caller_whose_call_had_ended_is_hung_up() -> None:
    findings = compare([], snapshot(caller()), ended=lambda call: call == CALL)

    assert (findings.orphans, findings.newcomers) == ([CALL], [])


def test_what_another_desk_does_on_the_same_pbx_is_left_alone() -> None:
    theirs = caller("c9", "other,inbound,1000")
    their_leg = leg(answered=False, name="offer-1-c9")
    pbx = Snapshot("changgu", BOOTED, {theirs.id: theirs, their_leg.id: their_leg}, {"call-c9": frozenset({"c9"})})

    assert compare([], pbx) == Findings()


@pytest.mark.parametrize("state", ALL_OPEN)
def test_a_call_with_a_command_under_way_is_left_for_the_next_look(state: CallState) -> None:
    findings = compare([view(state)], snapshot(bridged={CALL}), busy=lambda call: True)

    assert findings == Findings()


def test_when_all_ring_each_leg_is_looked_for() -> None:
    """One phone rings on, the other's leg is gone; neither is an orphan."""
    other = OfferId(8)
    ringing = replace(view(CallState.OFFERED), ringing=((ALICE, OFFER), (BOB, other)))
    findings = compare([ringing], snapshot(caller(), leg(answered=False)))
    assert findings.events == [RingFailed(BOB, CALL, other, "gone")]
    assert findings.gone_legs == [agent_leg(other, CALL)]
    assert [found.leg.agent for found in findings.legs] == [ALICE]
    both = compare([ringing], snapshot(caller(), leg(answered=False), leg(answered=False, name=agent_leg(other, CALL))))
    assert (both.events, both.orphans) == ([], [])


def test_when_all_ring_one_may_have_been_picked_up_meanwhile() -> None:
    other = OfferId(8)
    ringing = replace(view(CallState.OFFERED), ringing=((BOB, other), (ALICE, OFFER)))
    channels = (caller(), leg(answered=True), leg(answered=False, name=agent_leg(other, CALL)))
    assert compare([ringing], snapshot(*channels)).events == [AgentAnswered(ALICE, CALL, OFFER)]


def test_nobody_is_missed_whom_we_have_yet_to_call_back() -> None:
    waiting = replace(view(CallState.WAITING), reached=False)
    findings = compare([waiting], snapshot())
    assert (findings.events, findings.gone_callers, findings.commands) == ([], [], [])


def test_a_call_back_whose_dialling_came_to_nothing_is_told_as_such() -> None:
    dialling = replace(view(CallState.CONNECTING), reached=False)
    assert compare([dialling], snapshot(leg(answered=True))).events == [DialFailed(CALL, "gone")]
    rings = Channel(CALL, "PJSIP/trunk-1", "Ringing")
    assert compare([dialling], snapshot(leg(answered=True), rings)).events == []


def test_an_agent_who_rings_for_a_call_back_is_looked_for() -> None:
    offered = replace(view(CallState.OFFERED), reached=False)
    assert compare([offered], snapshot(leg(answered=False))).events == []
    assert compare([offered], snapshot()).events == [RingFailed(ALICE, CALL, OFFER, "gone")]


def test_new_callers_are_told_of_in_the_order_in_which_they_came() -> None:
    first, second = structs.replace(caller("a"), created_at=5.0), structs.replace(caller("b"), created_at=4.0)
    assert [channel.id for channel, _ in compare([], snapshot(first, second)).newcomers] == ["b", "a"]


def person() -> Channel:
    return caller(data="changgu,person,pc,01012345678")


def test_a_person_who_picked_up_meanwhile_was_reached() -> None:
    dialling = replace(view(CallState.CONNECTING), reached=False)
    findings = compare([dialling], snapshot(person(), leg(answered=True)))
    assert findings.events == [PersonReached(CALL)]
    assert findings.commands == [], "the engine joins the two when it is told"


def test_a_person_called_back_for_a_call_that_is_over_is_let_go() -> None:
    assert compare([], snapshot(person())).orphans == [CALL]


def test_a_caller_who_speaks_to_an_outside_number_hears_no_menu() -> None:
    outside = Channel(f"outside-{CALL}", "PJSIP/trunk-1", "Up", app="Stasis", app_data=f"changgu,outside,{CALL}")
    findings = compare([view(CallState.IN_MENU)], snapshot(caller(), outside))
    assert (findings.menu_again, findings.orphans) == ([], [])
    assert [found.call for _, found in findings.callers] == [CALL]


def test_an_outside_leg_and_its_bridge_do_not_outlive_the_call() -> None:
    outside = Channel(f"outside-{CALL}", "PJSIP/trunk-1", "Up", app="Stasis", app_data=f"changgu,outside,{CALL}")
    pbx = Snapshot("changgu", BOOTED, {outside.id: outside}, {f"outside-{CALL}": frozenset({outside.id})})
    findings = compare([], pbx)
    assert (findings.orphans, findings.empty_bridges) == ([outside.id], [f"outside-{CALL}"])
    assert compare([view(CallState.IN_MENU)], pbx).empty_bridges == []
