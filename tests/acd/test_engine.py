"""The floor's stories: one call from the first ring to the end, and all the ways in which it goes otherwise."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.call_state import CallState
from changgu.acd.commands import (
    ConnectCall,
    Farewell,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.engine import Effect, Engine, RequestRefused
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    DeadlinePassed,
    DeskClosed,
    DesktopSeen,
    Event,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
    PartiesConnected,
    PhoneReachable,
    RingFailed,
)
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    DesktopStateChanged,
    Direction,
    Emergency,
    Ender,
    Fact,
    FloorTakenUp,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
)
from changgu.acd.floor_state import ENDED_CALLS_REMEMBERED
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Destination, Queue, Way
from changgu.acd.queues import Floor as FloorPlan
from tests.support.floor import HELPDESK, OPENING, Floor, a_queue, an_agent

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")
C1, C2, C3 = CallId("c1"), CallId("c2"), CallId("c3")
ONE, TWO, THREE = OfferId(1), OfferId(2), OfferId(3)
READY, RESERVED, TALKING, HOLD, WRAP_UP, NOT_READY, UNREACHABLE, LOGGED_OUT = AgentState
RING = timedelta(seconds=20)


def change(
    agent: AgentId,
    before: AgentState,
    after: AgentState,
    call: CallId | None = None,
    reason: NotReadyReason | None = None,
) -> AgentStateChanged:
    return AgentStateChanged(agent, before, after, reason, call)


def offered(call: CallId, agent: AgentId, offer: OfferId) -> list[Effect]:
    return [
        CallOffered(call, agent, offer, HELPDESK),
        change(agent, READY, RESERVED, call),
        RingAgent(agent, call, offer, RING),
    ]


# A call as it should be


def test_one_call_from_the_menu_to_the_end_of_its_wrap_up() -> None:
    floor = Floor("alice")
    floor.ready("alice")

    assert floor.dial("c1") == [CallStarted(C1, Direction.INBOUND, "01012345678", "1000")]
    assert floor.tell(MenuStepReached(C1, "network", "2")) == [MenuStepTaken(C1, "network", "2")]
    assert floor.queue("c1", skills=()) == [
        CallQueued(C1, HELPDESK, 0, frozenset()),
        PlayMusicOnHold(C1, HELPDESK),
        *offered(C1, ALICE, ONE),
    ]
    floor.wait(4)
    assert floor.answer("alice") == [
        CallAnswered(C1, ALICE, ONE, HELPDESK),
        change(ALICE, RESERVED, TALKING, C1),
        ConnectCall(ALICE, C1, ONE),
    ]
    assert floor.connected("alice") == [CallConnected(C1, ALICE, ONE)]
    floor.wait(60)
    assert floor.caller_hangs_up("c1") == [
        HangUpAgent(ALICE, C1, ONE),
        CallEnded(C1, Outcome.ANSWERED, Ender.CALLER),
        change(ALICE, TALKING, WRAP_UP, C1),
    ]
    assert floor.tell(AgentHungUp(ALICE, C1, ONE)) == []
    assert floor.wait(29.999) == []
    assert floor.wait(0.001) == [change(ALICE, WRAP_UP, READY, C1)]


def test_the_language_that_a_caller_chose_stays_theirs_and_is_found_again_in_the_facts() -> None:
    floor = Floor("alice")
    floor.dial("c1")

    facts = floor.tell(CallArrived(C1, HELPDESK, language="en"))
    assert facts[0] == CallQueued(C1, HELPDESK, 0, frozenset(), language="en")
    assert floor.engine.calls[C1].language == "en"
    rebuilt = Engine.restore(floor.plan, floor.history)
    assert rebuilt.calls[C1].language == "en"


def test_who_chooses_another_language_on_the_way_back_to_their_place_is_spoken_to_in_it() -> None:
    menu = Destination(Way.MENU, "languages")
    floor = Floor("alice", queues=[Queue(HELPDESK, "helpdesk", keys={"9": menu})])
    floor.call("c1")
    floor.tell(KeyPressed(C1, "9"))

    floor.tell(CallArrived(C1, HELPDESK, language="en"))

    assert floor.engine.calls[C1].language == "en"


def test_the_agent_hangs_up_first() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")

    assert floor.agent_hangs_up("alice") == [
        CallEnded(C1, Outcome.ANSWERED, Ender.AGENT),
        HangUpCaller(C1, Farewell.NONE),
        change(ALICE, TALKING, WRAP_UP, C1),
    ]
    assert floor.caller_hangs_up("c1") == [NewsIgnored("CallerHungUp", "the call is over", C1)]


def test_the_views_show_call_and_agent() -> None:
    floor = Floor(an_agent("alice", skills=["vpn"]))
    floor.ready("alice")
    floor.dial("c1")
    floor.wait(7)
    floor.queue("c1", priority=2, skills=["vpn"])
    floor.wait(3)
    floor.answer("alice")
    assert floor.the_call("c1").state is CallState.CONNECTING
    floor.wait(1)
    floor.connected("alice")

    call, agent = floor.the_call("c1"), floor.agent("alice")

    assert (call.call, call.state, call.caller, call.dialled) == (C1, CallState.TALKING, "01012345678", "1000")
    assert (call.queue, call.priority, call.skills) == (HELPDESK, 2, frozenset({"vpn"}))
    assert (call.started_at, call.queued_at, call.answered_at) == (OPENING, OPENING + 7, OPENING + 11)
    assert (call.agent, call.offer) == (ALICE, ONE)
    assert (agent.login, agent.state, agent.since, agent.call, agent.offer) == (ALICE, TALKING, OPENING + 10, C1, ONE)
    assert (len(floor.engine.calls), list(floor.engine.agents)) == (1, [ALICE])


def test_the_menu_served_the_caller() -> None:
    floor = Floor()
    floor.dial("c1")
    assert floor.tell(MenuEnded(C1, served=True)) == [
        CallEnded(C1, Outcome.SELF_SERVED, Ender.DESK),
        HangUpCaller(C1, Farewell.NONE),
    ]


def test_the_menu_gave_up_on_the_caller() -> None:
    floor = Floor()
    floor.dial("c1")
    assert floor.tell(MenuEnded(C1, served=False)) == [
        CallEnded(C1, Outcome.ABANDONED_IN_MENU, Ender.DESK),
        HangUpCaller(C1, Farewell.NONE),
    ]


# Where a caller gives up


def test_a_caller_gives_up_in_the_menu() -> None:
    floor = Floor()
    floor.dial("c1")
    assert floor.caller_hangs_up("c1") == [CallEnded(C1, Outcome.ABANDONED_IN_MENU, Ender.CALLER)]


def test_a_caller_gives_up_in_the_queue() -> None:
    floor = Floor()
    floor.call("c1")
    assert floor.caller_hangs_up("c1") == [CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)]
    assert floor.waiting() == []


def test_who_waited_by_the_pbxs_account_and_hung_up_while_we_were_away_gave_up_in_that_queue() -> None:
    """The ledger was killed before it could say that they had come out of the menu."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.dial("c1")
    came = floor.now + 3.0
    floor.wait(60)

    assert floor.tell(CallerHungUp(C1, HELPDESK, came)) == [
        CallQueued(C1, HELPDESK, 0, placed_at=came, entered_at=came),
        CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER),
    ]  # and no phone has rung for somebody who is gone
    assert floor.agent("alice").state is READY
    assert floor.waiting() == []


def test_the_pbxs_whole_seconds_let_nobody_wait_before_they_called_or_after_they_left() -> None:
    floor = Floor()
    for call, told in (("c1", floor.now - 0.7), ("c2", floor.now + 0.2)):
        floor.dial(call)
        [queued, _] = floor.tell(CallerHungUp(CallId(call), HELPDESK, told))
        assert isinstance(queued, CallQueued)
        assert (queued.placed_at, queued.entered_at) == (floor.now, floor.now)


def test_the_ledgers_own_account_of_a_wait_comes_before_the_pbxs() -> None:
    floor = Floor(queues=[a_queue("helpdesk"), a_queue("network")])
    floor.call("c1")

    assert floor.tell(CallerHungUp(C1, QueueName("network"), floor.now)) == [
        CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)
    ]


def test_a_queue_that_was_closed_meanwhile_is_none_to_have_waited_in() -> None:
    floor = Floor()
    floor.dial("c1")

    assert floor.tell(CallerHungUp(C1, QueueName("closed"), floor.now)) == [
        CallEnded(C1, Outcome.ABANDONED_IN_MENU, Ender.CALLER)
    ]


def test_a_caller_gives_up_while_the_phone_rings() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(5)

    assert floor.caller_hangs_up("c1") == [
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(C1, Outcome.ABANDONED_RINGING, Ender.CALLER),
        change(ALICE, RESERVED, READY, C1),
    ]
    assert floor.agent("alice").misses == 0


def test_a_caller_who_gave_up_frees_the_agent_for_the_next_one_at_once() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.call("c2")

    assert floor.caller_hangs_up("c1")[-3:] == offered(C2, ALICE, TWO)


def test_answer_and_hang_up_at_the_same_instant_have_one_outcome_whichever_is_heard_first() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.answer("alice")
    assert floor.caller_hangs_up("c1") == [
        HangUpAgent(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(C1, Outcome.ABANDONED_RINGING, Ender.CALLER),
        change(ALICE, TALKING, READY, C1),
    ]
    assert floor.tell(PartiesConnected(ALICE, C1, ONE)) == [
        NewsIgnored("PartiesConnected", "the call is over", C1, ALICE)
    ]

    floor.call("c2")
    floor.caller_hangs_up("c2")
    assert floor.answer("alice", offer=2, call="c2") == [
        HangUpAgent(ALICE, C2, TWO),
        NewsIgnored("AgentAnswered", "the offer has ended", C2, ALICE),
    ]


# Offers that come to nothing


def test_an_unanswered_offer_moves_to_the_next_agent() -> None:
    """Row 19 and CTI-01: ring no answer is redirected, and the first agent is not stuck in 호출."""
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.ready("bob")
    assert floor.wait(19.999) == []

    assert floor.wait(0.001) == [
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.NO_ANSWER),
        change(ALICE, RESERVED, READY, C1),
        *offered(C1, BOB, TWO),
    ]


def test_an_answer_that_crosses_our_withdrawal_is_not_taken_for_the_next_offer() -> None:
    """Row 6: two agents answer and both get the call."""
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.ready("bob")
    floor.wait(20)

    assert floor.answer("alice", offer=1, call="c1") == [
        HangUpAgent(ALICE, C1, ONE),
        NewsIgnored("AgentAnswered", "the offer has ended", C1, ALICE),
    ]
    assert floor.answer("bob")[0] == CallAnswered(C1, BOB, TWO, HELPDESK)


def test_a_late_answer_to_the_same_agents_earlier_offer_hangs_up_only_that_leg() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(20)
    assert floor.agent("alice").offer == TWO

    assert floor.answer("alice", offer=1) == [
        HangUpAgent(ALICE, C1, ONE),
        NewsIgnored("AgentAnswered", "the offer has ended", C1, ALICE),
    ]
    assert floor.agent("alice").state is RESERVED


def test_a_second_report_of_the_same_answer_changes_nothing() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.answer("alice")

    assert floor.answer("alice") == [NewsIgnored("AgentAnswered", "picked up already", C1, ALICE)]
    floor.connected("alice")
    assert floor.connected("alice") == [NewsIgnored("PartiesConnected", "connected already", C1, ALICE)]


def test_a_declined_call_goes_to_the_next_agent_and_is_told_apart_from_a_missed_one() -> None:
    """Row 40: missed and rejected cannot be told apart."""
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(1)
    floor.ready("bob")

    assert floor.decline("alice", "declined") == [
        OfferEnded(C1, ALICE, ONE, OfferEnd.FAILED, "declined"),
        change(ALICE, RESERVED, READY, C1),
        *offered(C1, BOB, TWO),
    ]


def test_an_agent_who_lets_it_ring_three_times_is_set_not_ready_and_the_caller_keeps_waiting() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(40)
    assert floor.agent("alice").misses == 2

    assert floor.wait(20) == [
        StopRinging(ALICE, C1, THREE),
        OfferEnded(C1, ALICE, THREE, OfferEnd.NO_ANSWER),
        change(ALICE, RESERVED, NOT_READY, C1, NotReadyReason.NO_ANSWER),
    ]
    assert floor.waiting() == ["c1"]
    assert floor.engine.next_deadline() is None
    floor.ready("alice")
    assert floor.agent("alice").misses == 0


def test_an_answered_call_forgives_the_misses_before_it() -> None:
    floor = Floor("alice", queues=[a_queue(misses=2)])
    floor.ready("alice")
    floor.call("c1")
    floor.wait(20)
    assert floor.agent("alice").misses == 1
    floor.talk("alice")
    assert floor.agent("alice").misses == 0


def test_a_caller_keeps_their_place_when_an_offer_fails() -> None:
    """Row 45: the original time of queueing counts."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(5)
    floor.call("c2")
    floor.wait(15)

    assert floor.agent("alice").call == C1
    assert floor.waiting() == ["c2"]
    assert floor.the_call("c1").queued_at == OPENING


def test_two_who_cannot_be_joined_part_and_the_caller_keeps_their_place() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(2)
    floor.ready("bob")
    floor.wait(2)
    floor.answer("alice")

    assert floor.tell(ConnectFailed(ALICE, C1, ONE, "error")) == [
        HangUpAgent(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CONNECT_FAILED, "error"),
        PlayMusicOnHold(C1, HELPDESK),
        change(ALICE, TALKING, READY, C1),
        *offered(C1, BOB, TWO),
    ]
    assert floor.agent("alice").misses == 0


def test_an_agent_who_picks_up_and_drops_before_the_two_are_joined_does_not_ring_the_whole_group() -> None:
    """Row 5: one agent answers and drops, the whole group is rung again."""
    floor = Floor("alice", "bob", "carol")
    floor.ready("alice")
    floor.call("c1")
    floor.answer("alice")
    floor.wait(1)
    floor.ready("bob", "carol")

    assert floor.agent_hangs_up("alice") == [
        OfferEnded(C1, ALICE, ONE, OfferEnd.AGENT_LEFT),
        PlayMusicOnHold(C1, HELPDESK),
        change(ALICE, TALKING, READY, C1),
        *offered(C1, BOB, TWO),
    ]
    assert floor.agent("alice").misses == 1


def test_an_agent_who_keeps_picking_up_and_dropping_is_set_not_ready() -> None:
    """Row 5: doubled in ten weeks in production, because nothing ever stopped it."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    for _ in range(2):
        floor.answer("alice")
        floor.agent_hangs_up("alice")
    floor.answer("alice")

    assert floor.agent_hangs_up("alice") == [
        OfferEnded(C1, ALICE, THREE, OfferEnd.AGENT_LEFT),
        PlayMusicOnHold(C1, HELPDESK),
        change(ALICE, TALKING, NOT_READY, C1, NotReadyReason.NO_ANSWER),
    ]
    assert floor.waiting() == ["c1"]


def test_a_drop_that_is_heard_before_its_answer_ends_the_offer() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")

    assert floor.tell(AgentHungUp(ALICE, C1, ONE))[:2] == [
        OfferEnded(C1, ALICE, ONE, OfferEnd.AGENT_LEFT),
        change(ALICE, RESERVED, READY, C1),
    ]
    assert floor.tell(AgentAnswered(ALICE, C1, ONE)) == [
        HangUpAgent(ALICE, C1, ONE),
        NewsIgnored("AgentAnswered", "the offer has ended", C1, ALICE),
    ]


# Who is served next


def test_callers_are_served_in_the_order_in_which_they_came() -> None:
    floor = Floor("alice", queues=[a_queue(wrap_up=0)])
    for call in ("c1", "c2", "c3"):
        floor.call(call)
    served = []
    floor.ready("alice")
    for _ in range(3):
        served.append(floor.agent("alice").call)
        floor.talk("alice")
        floor.agent_hangs_up("alice")
    assert served == [C1, C2, C3]


def test_priority_goes_before_waiting_time_and_waiting_time_before_nothing() -> None:
    """Row 8: longest waiting must not ignore priority."""
    floor = Floor("alice", queues=[a_queue(wrap_up=0)])
    for call, priority in (("c1", 0), ("c2", 5), ("c3", 5), ("c4", 1)):
        floor.call(call, priority=priority)
        floor.wait(1)
    assert floor.waiting() == ["c2", "c3", "c4", "c1"]
    served = []
    floor.ready("alice")
    while (serving := floor.agent("alice").call) is not None:
        served.append(str(serving))
        floor.talk("alice")
        floor.agent_hangs_up("alice")
    assert served == ["c2", "c3", "c4", "c1"]


def test_an_agent_in_two_queues_takes_whoever_has_waited_longest_in_either() -> None:
    floor = Floor(an_agent("alice", "pc", "network"), queues=[a_queue("pc"), a_queue("network")])
    floor.call("c1", "network")
    floor.wait(1)
    floor.call("c2", "pc")
    assert floor.ready("alice")[-1] == RingAgent(ALICE, C1, ONE, RING)


def test_a_higher_priority_that_came_meanwhile_goes_before_the_caller_whose_offer_failed() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.call("c2", priority=1)
    assert floor.decline("alice")[-1] == RingAgent(ALICE, C2, TWO, RING)
    assert floor.waiting() == ["c1"]


def test_an_agent_serves_only_calls_whose_skills_they_have() -> None:
    floor = Floor("alice", an_agent("bob", skills=["vpn", "english"]))
    floor.ready("alice")
    assert floor.call("c1", skills=["vpn"])[-1] == PlayMusicOnHold(C1, HELPDESK)
    assert floor.waiting() == ["c1"]
    assert floor.ready("bob")[-1] == RingAgent(BOB, C1, ONE, RING)
    assert floor.call("c2")[-1] == RingAgent(ALICE, C2, TWO, RING)


def test_a_caller_with_rare_needs_does_not_block_those_behind() -> None:
    floor = Floor("alice", an_agent("bob", skills=["vpn"]))
    floor.call("c1", skills=["vpn"])
    floor.call("c2")
    assert floor.ready("alice")[-1] == RingAgent(ALICE, C2, ONE, RING)


# Wrap-up


def test_an_agent_in_six_queues_gets_no_call_during_wrap_up() -> None:
    """Row 1: an agent in six queues got a call during a 30 s wrap-up."""
    names = [f"q{number}" for number in range(6)]
    floor = Floor(an_agent("alice", *names), queues=[a_queue(name) for name in names])
    floor.ready("alice")
    floor.call("c0", "q0")
    floor.talk("alice")
    floor.caller_hangs_up("c0")
    for number, name in enumerate(names):
        floor.wait(1)
        assert floor.call(f"w{number}", name)[-1] == PlayMusicOnHold(CallId(f"w{number}"), QueueName(name))
    assert floor.wait(23.9) == []

    effects = floor.wait(0.1)

    assert effects[0] == change(ALICE, WRAP_UP, READY, CallId("c0"))
    assert effects[-1] == RingAgent(ALICE, CallId("w0"), TWO, RING)


def test_wrap_ups_end_in_the_order_in_which_they_began() -> None:
    """Row 23: wrap-up freed in the order of the last agent."""
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    floor.call("c1")
    floor.call("c2")
    floor.talk("alice")
    floor.talk("bob")
    floor.caller_hangs_up("c2")
    floor.wait(10)
    floor.caller_hangs_up("c1")

    assert floor.wait(20) == [change(BOB, WRAP_UP, READY, C2)]
    assert floor.wait(10) == [change(ALICE, WRAP_UP, READY, C1)]


def test_each_queue_has_its_own_wrap_up() -> None:
    floor = Floor(an_agent("alice", "pc", "vip"), queues=[a_queue("pc", wrap_up=5), a_queue("vip", wrap_up=60)])
    floor.ready("alice")
    floor.call("c1", "vip")
    floor.talk("alice")
    floor.caller_hangs_up("c1")
    assert floor.engine.next_deadline() == floor.now + 60


def test_a_queue_without_wrap_up_frees_the_agent_at_once() -> None:
    floor = Floor("alice", queues=[a_queue(wrap_up=0)])
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.caller_hangs_up("c1")[-1] == change(ALICE, TALKING, READY, C1)


def test_an_agent_ends_their_wrap_up_early_by_asking_for_calls() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    floor.caller_hangs_up("c1")
    floor.call("c2")

    assert floor.ready("alice") == [change(ALICE, WRAP_UP, READY, C1), *offered(C2, ALICE, TWO)]
    assert floor.wait(19) == []


def test_no_wrap_up_is_shown_as_available() -> None:
    """Row 4: wallboards show "available" during wrap-up."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    floor.caller_hangs_up("c1")
    assert (floor.agent("alice").state, floor.agent("alice").call) == (WRAP_UP, C1)


# Wishes of agents


def test_an_agent_signs_in_works_and_leaves() -> None:
    floor = Floor("alice")
    assert floor.sign_in("alice") == [change(ALICE, LOGGED_OUT, NOT_READY, reason=NotReadyReason.SIGNED_IN)]
    assert floor.ready("alice") == [change(ALICE, NOT_READY, READY)]
    assert floor.not_ready("alice", NotReadyReason.MEAL) == [
        change(ALICE, READY, NOT_READY, reason=NotReadyReason.MEAL)
    ]
    assert floor.not_ready("alice", NotReadyReason.TRAINING) == [
        change(ALICE, NOT_READY, NOT_READY, reason=NotReadyReason.TRAINING)
    ]
    assert floor.not_ready("alice", NotReadyReason.TRAINING) == [
        NewsIgnored("AgentNotReady", "already away for this reason", None, ALICE)
    ]
    assert floor.sign_out("alice") == [change(ALICE, NOT_READY, LOGGED_OUT)]
    assert floor.sign_out("alice") == [NewsIgnored("AgentSignedOut", "already signed out", None, ALICE)]


def test_asking_for_calls_signs_in_as_well() -> None:
    floor = Floor("alice")
    assert floor.ready("alice") == [change(ALICE, LOGGED_OUT, READY)]
    assert floor.ready("alice") == [NewsIgnored("AgentReady", "already ready", None, ALICE)]


def test_a_break_asked_for_during_a_call_begins_after_the_wrap_up() -> None:
    """Definitions of the states: the requested next state is kept apart from the current one."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")

    assert floor.not_ready("alice") == [NextStateRequested(ALICE, NOT_READY, NotReadyReason.BREAK)]
    assert floor.not_ready("alice") == []
    assert (floor.agent("alice").state, floor.agent("alice").requested) == (TALKING, (NOT_READY, NotReadyReason.BREAK))
    floor.caller_hangs_up("c1")
    assert floor.agent("alice").requested == (NOT_READY, NotReadyReason.BREAK)
    assert floor.wait(30) == [change(ALICE, WRAP_UP, NOT_READY, C1, NotReadyReason.BREAK)]
    assert floor.agent("alice").requested is None


def test_the_latest_wish_counts() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    floor.not_ready("alice")
    assert floor.sign_out("alice") == [NextStateRequested(ALICE, LOGGED_OUT)]
    assert floor.ready("alice") == [NextStateRequested(ALICE, READY)]
    floor.caller_hangs_up("c1")
    assert floor.wait(30) == [change(ALICE, WRAP_UP, READY, C1)]


def test_a_break_asked_for_during_wrap_up_waits_for_its_end() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    floor.caller_hangs_up("c1")
    assert floor.not_ready("alice", NotReadyReason.MEAL) == [NextStateRequested(ALICE, NOT_READY, NotReadyReason.MEAL)]
    assert floor.wait(30) == [change(ALICE, WRAP_UP, NOT_READY, C1, NotReadyReason.MEAL)]


def test_a_break_asked_for_while_it_rings_begins_when_the_offer_comes_to_nothing() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    assert floor.not_ready("alice") == [NextStateRequested(ALICE, NOT_READY, NotReadyReason.BREAK)]
    assert floor.wait(20)[-1] == change(ALICE, RESERVED, NOT_READY, C1, NotReadyReason.BREAK)
    assert floor.waiting() == ["c1"]


def test_signing_out_during_a_call_finishes_the_call_first() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.sign_out("alice") == [NextStateRequested(ALICE, LOGGED_OUT)]
    floor.agent_hangs_up("alice")
    assert floor.wait(30) == [change(ALICE, WRAP_UP, LOGGED_OUT, C1)]


@pytest.mark.parametrize("reason", [NotReadyReason.SIGNED_IN, NotReadyReason.NO_ANSWER])
def test_the_acds_own_reasons_are_refused_when_a_person_gives_them(reason: NotReadyReason) -> None:
    floor = Floor("alice")
    floor.ready("alice")
    (refused,) = floor.not_ready("alice", reason)
    assert isinstance(refused, RequestRefused)
    assert (refused.event, refused.agent) == ("AgentNotReady", ALICE)
    assert floor.agent("alice").state is READY


def test_a_signed_out_agent_cannot_take_a_break() -> None:
    floor = Floor("alice")
    assert floor.not_ready("alice") == [
        RequestRefused(
            "AgentNotReady",
            ALICE,
            "로그인하지 않은 요원입니다. 먼저 로그인하십시오.",
            "This agent is signed out. Sign in first.",
        )
    ]


def test_a_wish_of_somebody_who_is_no_agent_is_refused() -> None:
    floor = Floor()
    assert floor.tell(AgentReady(BOB)) == [
        RequestRefused("AgentReady", BOB, "등록되지 않은 요원입니다.", "There is no such agent.")
    ]
    assert floor.tell(PhoneReachable(BOB)) == [NewsIgnored("PhoneReachable", "no such agent", None, BOB)]


def test_a_failed_call_does_not_flip_an_agent_from_break_to_ready() -> None:
    """Row 41: failed outbound flips the agent from Break to Available."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.decline("alice", "busy")
    floor.caller_hangs_up("c1")
    floor.not_ready("alice")

    assert floor.tell(RingFailed(ALICE, C1, ONE, "busy")) == [NewsIgnored("RingFailed", "the call is over", C1, ALICE)]
    assert floor.agent("alice").state is NOT_READY


# Phones


def test_ready_with_a_phone_that_is_away_is_unreachable_until_it_is_back() -> None:
    floor = Floor("alice")
    assert floor.phone_gone("alice") == [PhoneStateChanged(ALICE, reachable=False)]
    assert floor.ready("alice") == [change(ALICE, LOGGED_OUT, UNREACHABLE)]
    floor.call("c1")
    assert floor.waiting() == ["c1"]
    (refused,) = floor.ready("alice")
    assert isinstance(refused, RequestRefused)
    assert refused.why_en == "The phone is not connected. The state becomes ready by itself as soon as it is."
    assert floor.phone_back("alice") == [
        PhoneStateChanged(ALICE, reachable=True),
        change(ALICE, UNREACHABLE, READY),
        *offered(C1, ALICE, ONE),
    ]


def test_a_phone_that_goes_away_while_idle_takes_no_calls() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    assert floor.phone_gone("alice") == [PhoneStateChanged(ALICE, reachable=False), change(ALICE, READY, UNREACHABLE)]
    floor.call("c1")
    assert floor.waiting() == ["c1"]


def test_a_repeated_registration_is_no_news() -> None:
    floor = Floor("alice")
    assert floor.phone_back("alice") == []
    floor.phone_gone("alice")
    assert floor.phone_gone("alice") == []


def test_a_phone_that_goes_away_while_it_rings_does_not_keep_the_caller_waiting() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.ready("bob")

    assert floor.phone_gone("alice") == [
        PhoneStateChanged(ALICE, reachable=False),
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.FAILED, "unreachable"),
        change(ALICE, RESERVED, UNREACHABLE, C1),
        *offered(C1, BOB, TWO),
    ]


def test_a_phone_that_goes_away_during_a_call_leaves_the_call_alone() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.phone_gone("alice") == [PhoneStateChanged(ALICE, reachable=False)]
    floor.caller_hangs_up("c1")
    assert floor.wait(30) == [change(ALICE, WRAP_UP, UNREACHABLE, C1)]


# Hold


def test_hold_and_back() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.tell(CallHeld(ALICE, C1)) == [HoldStarted(C1, ALICE), change(ALICE, TALKING, HOLD, C1)]
    assert floor.tell(CallHeld(ALICE, C1)) == [NewsIgnored("CallHeld", "on hold already", C1, ALICE)]
    assert floor.the_call("c1").state is CallState.HELD
    assert floor.tell(CallResumed(ALICE, C1)) == [HoldEnded(C1, ALICE), change(ALICE, HOLD, TALKING, C1)]


def test_a_caller_who_hangs_up_on_hold_was_answered() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    floor.tell(CallHeld(ALICE, C1))
    assert floor.caller_hangs_up("c1") == [
        HangUpAgent(ALICE, C1, ONE),
        CallEnded(C1, Outcome.ANSWERED, Ender.CALLER),
        change(ALICE, HOLD, WRAP_UP, C1),
    ]


def test_nobody_holds_another_agents_call() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.tell(CallHeld(BOB, C1)) == [NewsIgnored("CallHeld", "another agent has this call", C1, BOB)]


# Calls that nobody can serve, and news of nobody


def test_an_unknown_queue_is_refused_with_a_word_to_the_caller() -> None:
    floor = Floor()
    floor.dial("c1")
    assert floor.queue("c1", "nowhere") == [
        CallEnded(C1, Outcome.REFUSED, Ender.DESK, "no_such_queue"),
        HangUpCaller(C1, Farewell.NO_SUCH_QUEUE),
    ]


def test_a_caller_of_whom_nobody_told_us_is_refused_and_counted() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    assert floor.queue("c1") == [
        CallStarted(C1, Direction.INBOUND, None, ""),
        CallEnded(C1, Outcome.REFUSED, Ender.DESK, "error"),
        HangUpCaller(C1, Farewell.ERROR),
    ]


@pytest.mark.parametrize(
    "event",
    [
        MenuStepReached(C1, "network", "2"),
        MenuEnded(C1, served=True),
        CallerHungUp(C1),
        CallLost(C1),
        DeskClosed(C1),
        RingFailed(ALICE, C1, ONE, "busy"),
        PartiesConnected(ALICE, C1, ONE),
        ConnectFailed(ALICE, C1, ONE, "error"),
        AgentHungUp(ALICE, C1, ONE),
        CallHeld(ALICE, C1),
        CallResumed(ALICE, C1),
    ],
    ids=lambda event: type(event).__name__,
)
def test_news_of_an_unknown_call_is_ignored_and_counted(event: Event) -> None:
    floor = Floor("alice")
    floor.ready("alice")
    (ignored,) = floor.tell(event)
    assert ignored == NewsIgnored(type(event).__name__, "no such call", C1, getattr(event, "agent", None))
    assert floor.agent("alice").state is READY


def test_an_answer_to_an_unknown_offer_is_hung_up_so_that_nobody_listens_to_silence() -> None:
    floor = Floor("alice")
    assert floor.tell(AgentAnswered(ALICE, C1, ONE)) == [
        HangUpAgent(ALICE, C1, ONE),
        NewsIgnored("AgentAnswered", "the offer has ended", C1, ALICE),
    ]


def test_a_caller_who_left_before_we_heard_of_them_is_not_brought_to_life() -> None:
    """Row 48's shadow: the hang-up overtakes the arrival."""
    floor = Floor("alice")
    floor.caller_hangs_up("c1")
    assert floor.dial("c1") == [NewsIgnored("CallerDialledIn", "the call is over", C1)]
    assert floor.queue("c1") == [NewsIgnored("CallArrived", "the call is over", C1)]
    assert not floor.engine.calls


def test_a_caller_is_not_queued_twice() -> None:
    floor = Floor()
    floor.call("c1")
    assert floor.queue("c1") == [NewsIgnored("CallArrived", "left the menu already", C1)]
    assert floor.dial("c1") == [NewsIgnored("CallerDialledIn", "the call exists", C1)]
    assert floor.waiting() == ["c1"]


def test_ended_calls_leave_memory_and_only_the_latest_are_known_by_name() -> None:
    engine = Engine(FloorPlan((a_queue(),), ()))
    for number in range(ENDED_CALLS_REMEMBERED + 10):
        call = CallId(f"c{number}")
        engine.handle(CallerDialledIn(call, None, "1000"), OPENING)
        engine.handle(CallArrived(call, HELPDESK), OPENING)
        engine.handle(CallerHungUp(call), OPENING)
    assert not engine.calls
    assert engine.entries() < 100
    assert not engine.recently_ended(CallId("c9"))
    assert engine.recently_ended(CallId("c10"))


def test_callers_who_give_up_deep_in_the_line_leave_memory_too() -> None:
    floor = Floor()
    floor.call("first", priority=9)
    for number in range(500):
        floor.call(f"c{number}")
        floor.caller_hangs_up(f"c{number}")
    assert floor.waiting() == ["first"]
    assert floor.engine.entries() < 100


def test_callers_with_ever_new_needs_leave_no_lines_behind() -> None:
    floor = Floor(an_agent("alice", skills=[f"s{number}" for number in range(300)]))
    floor.ready("alice")
    sizes = []
    for number in range(300):
        floor.call(f"c{number}", skills=[f"s{number}"])
        floor.caller_hangs_up(f"c{number}")
        sizes.append(floor.engine.entries())
    assert max(sizes) == max(sizes[:150])
    assert floor.call("last", skills=["s7"])[-1] == RingAgent(ALICE, CallId("last"), OfferId(301), RING)


def test_after_callers_of_all_kinds_have_been_and_gone_everybody_still_gets_calls() -> None:
    floor = Floor(an_agent("alice", skills=["vpn"]))
    for number in range(200):
        floor.call(f"other {number}", skills=[f"skill{number}"])
        floor.caller_hangs_up(f"other {number}")
    floor.call("c1")
    floor.call("c2", skills=["vpn"])

    assert floor.ready("alice")[-1] == RingAgent(ALICE, C1, ONE, RING)
    floor.caller_hangs_up("c1")
    assert floor.agent("alice").call == "c2"


def test_a_caller_with_rare_needs_is_not_lost_among_many_others() -> None:
    skills = [f"s{number:03}" for number in range(80)]
    floor = Floor(an_agent("alice", skills=skills), queues=[a_queue(wrap_up=0)])
    for skill in skills:
        floor.call(f"c-{skill}", skills=[skill])
        floor.wait(1)
    served = []
    floor.ready("alice")
    while (call := floor.agent("alice").call) is not None:
        served.append(str(call))
        floor.talk("alice")
        floor.agent_hangs_up("alice")
    assert served == [f"c-{skill}" for skill in skills]


# Lost calls


def test_a_waiting_call_that_the_pbx_lost_is_not_counted_as_abandoned() -> None:
    floor = Floor()
    floor.call("c1")
    assert floor.tell(CallLost(C1)) == [CallEnded(C1, Outcome.LOST, Ender.DESK)]


def test_a_ringing_call_that_the_pbx_lost_frees_its_agent() -> None:
    """Row 22: agent locked for ever "incall", calls dropped."""
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    assert floor.tell(CallLost(C1)) == [
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(C1, Outcome.LOST, Ender.DESK),
        change(ALICE, RESERVED, READY, C1),
    ]


def test_a_conversation_that_the_pbx_lost_is_wrapped_up() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.tell(CallLost(C1)) == [
        HangUpAgent(ALICE, C1, ONE),
        CallEnded(C1, Outcome.LOST, Ender.DESK),
        change(ALICE, TALKING, WRAP_UP, C1),
    ]


# Closing the desk


def test_a_caller_who_waits_when_the_desk_closes_is_told_and_counted_as_refused() -> None:
    floor = Floor()
    floor.call("c1")
    assert floor.tell(DeskClosed(C1)) == [
        CallEnded(C1, Outcome.REFUSED, Ender.DESK, "desk_closed"),
        HangUpCaller(C1, Farewell.DESK_CLOSED),
    ]


def test_a_phone_that_rings_when_the_desk_closes_falls_silent() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    assert floor.tell(DeskClosed(C1)) == [
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(C1, Outcome.REFUSED, Ender.DESK, "desk_closed"),
        change(ALICE, RESERVED, READY, C1),
        HangUpCaller(C1, Farewell.DESK_CLOSED),
    ]


def test_a_conversation_cut_by_the_closing_desk_was_answered_all_the_same() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.tell(DeskClosed(C1)) == [
        HangUpAgent(ALICE, C1, ONE),
        CallEnded(C1, Outcome.ANSWERED, Ender.DESK),
        change(ALICE, TALKING, WRAP_UP, C1),
        HangUpCaller(C1, Farewell.NONE),
    ]


# Restart


def test_a_pause_is_not_forgotten_by_a_restart_and_not_kept_for_ever() -> None:
    """Row 18: pause forgotten after a restart, or Alice paused for ever."""
    floor = Floor("alice")
    floor.sign_in("alice")
    floor.not_ready("alice", NotReadyReason.MEAL)

    engine = floor.restored()

    assert engine.agents[ALICE].reason is NotReadyReason.MEAL
    assert engine.handle(AgentReady(ALICE), floor.now + 5) == [change(ALICE, NOT_READY, READY)]


def test_waiting_callers_keep_place_and_waiting_time_over_a_restart() -> None:
    floor = Floor("alice")
    floor.call("c1")
    floor.wait(10)
    floor.call("c2", priority=1)
    floor.wait(10)

    engine = floor.restored()

    assert [(call.call, call.queued_at) for call in engine.waiting(HELPDESK)] == [(C2, OPENING + 10), (C1, OPENING)]
    assert engine.configure(floor.plan, floor.now) == []
    assert engine.handle(AgentReady(ALICE), floor.now)[-1] == RingAgent(ALICE, C2, ONE, RING)


def test_an_offer_in_flight_at_a_restart_fails_when_its_leg_is_gone() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(1)
    floor.ready("bob")
    engine = floor.restored()
    assert engine.next_deadline() == OPENING + 20

    assert engine.handle(RingFailed(ALICE, C1, ONE, "gone"), OPENING + 3) == [
        OfferEnded(C1, ALICE, ONE, OfferEnd.FAILED, "gone"),
        change(ALICE, RESERVED, READY, C1),
        *offered(C1, BOB, TWO),
    ]


def test_an_offer_id_is_never_used_twice_over_a_restart() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(20)
    assert floor.restored().next_offer == THREE
    assert Engine.restore(floor.plan, (), first_offer=7).next_offer == 7


def test_what_the_last_lines_of_the_ledger_left_open_is_settled_at_the_start() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    cut = [record for record in floor.history if not isinstance(record.fact, CallOffered | AgentStateChanged)]
    ready = [record for record in floor.history if record.fact == change(ALICE, LOGGED_OUT, READY)]

    engine = Engine.restore(floor.plan, [*ready, *cut])

    assert engine.configure(floor.plan, floor.now + 60)[-1] == RingAgent(ALICE, C1, ONE, RING)


# Another floor while calls go on


def test_a_reload_loses_nobody_and_forgets_no_wrap_up() -> None:
    """Row 3: a reload of the members silently changes the wrap-up."""
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    floor.call("c1")
    floor.call("c2")
    floor.talk("alice")
    floor.caller_hangs_up("c1")
    floor.call("c3", skills=["vpn"])
    before = floor.engine.picture()

    assert floor.configure(an_agent("alice"), an_agent("bob")) == []

    assert floor.engine.picture() == before
    assert floor.wait(30)[-1] == change(ALICE, WRAP_UP, READY, C1)


@pytest.mark.parametrize("moment", range(10))
def test_a_reload_at_any_moment_changes_nothing_in_what_becomes_of_a_call(moment: int) -> None:
    def lived(reload_at: int | None) -> list[Fact]:
        floor = Floor("alice", "bob")
        steps: list[Callable[[], object]] = [
            lambda: floor.ready("alice"), lambda: floor.dial("c1"), lambda: floor.queue("c1"),
            lambda: floor.decline("alice"), lambda: floor.answer("alice"), lambda: floor.connected("alice"),
            lambda: floor.tell(CallHeld(ALICE, C1)), lambda: floor.tell(CallResumed(ALICE, C1)),
            lambda: floor.caller_hangs_up("c1"), lambda: floor.wait(30),
        ]  # fmt: skip
        for number, step in enumerate(steps):
            step()
            if number == reload_at:
                floor.configure(an_agent("alice"), an_agent("bob"), queues=[*floor.plan.queues, a_queue("pc")])
        return [record.fact for record in floor.history if not isinstance(record.fact, FloorTakenUp)]

    assert lived(moment) == lived(None)


def test_the_ledger_says_which_emergency_plan_holds_and_who_ended_it_and_why() -> None:
    """WL-05."""
    floor = Floor("alice")
    flood = Emergency("flood", "침수", "chief", "water in the cellar", floor.now)
    queues = (a_queue(ring_limit=10),)
    on = floor.engine.configure(FloorPlan(queues, floor.plan.agents), floor.now, flood)
    kept = floor.engine.configure(FloorPlan(queues, floor.plan.agents), floor.now, flood)
    off = floor.engine.configure(floor.plan, floor.now, None, "chief", "dry again")

    (begun,), (ended,) = on, off
    assert isinstance(begun, FloorTakenUp)
    assert isinstance(ended, FloorTakenUp)
    assert kept == []
    assert (begun.emergency, begun.by, begun.why) == (flood, None, "")
    assert (ended.emergency, ended.by, ended.why) == (None, "chief", "dry again")
    assert len(begun.digest) == len(ended.digest) > 0
    assert begun.digest != ended.digest


def test_nobody_watches_phone_and_desktop_of_somebody_who_is_off_the_list() -> None:
    floor = Floor("alice", "bob")
    floor.tell(DesktopSeen(ALICE))
    floor.ready("alice")

    assert floor.configure(an_agent("bob")) == [
        change(ALICE, READY, LOGGED_OUT),
        DesktopStateChanged(ALICE, present=False),
        PhoneStateChanged(ALICE, reachable=False),
    ]


def test_a_new_agent_and_a_new_queue_serve_at_once() -> None:
    floor = Floor("alice")
    floor.configure(an_agent("alice"), an_agent("bob", "pc"), queues=[a_queue(), a_queue("pc")])
    floor.phone_back("bob")
    floor.ready("bob")
    assert floor.call("c1", "pc")[-1] == RingAgent(BOB, C1, ONE, RING)


def test_an_agent_who_is_given_a_queue_takes_its_waiting_callers() -> None:
    floor = Floor(an_agent("alice", "pc"), queues=[a_queue(), a_queue("pc")])
    floor.ready("alice")
    floor.call("c1")
    assert floor.configure(an_agent("alice", HELPDESK)) == offered(C1, ALICE, ONE)


def test_an_agent_taken_off_the_list_finishes_their_call_and_is_signed_out() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")

    assert floor.configure(an_agent("bob")) == [NextStateRequested(ALICE, LOGGED_OUT)]
    assert floor.tell(AgentNotReady(ALICE, NotReadyReason.BREAK)) == [
        RequestRefused("AgentNotReady", ALICE, "등록되지 않은 요원입니다.", "There is no such agent.")
    ]
    floor.caller_hangs_up("c1")
    assert floor.wait(30) == [change(ALICE, WRAP_UP, LOGGED_OUT, C1), PhoneStateChanged(ALICE, reachable=False)]
    assert list(floor.engine.agents) == [BOB]


def test_an_idle_agent_taken_off_the_list_is_signed_out_at_once() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    assert floor.configure(an_agent("bob")) == [
        change(ALICE, READY, LOGGED_OUT),
        PhoneStateChanged(ALICE, reachable=False),
    ]
    assert floor.configure(an_agent("bob")) == []


def test_an_agent_taken_off_the_list_while_the_service_was_down_is_signed_out_at_the_start() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    plan = FloorPlan((a_queue(),), (an_agent("bob"),))

    engine = Engine.restore(plan, floor.history)

    assert engine.configure(plan, floor.now)[1] == change(ALICE, READY, LOGGED_OUT)
    assert list(engine.agents) == [BOB]


def test_callers_of_a_queue_that_nobody_has_any_more_are_told_and_counted() -> None:
    floor = Floor("alice")
    floor.call("c1")
    assert floor.configure(an_agent("alice", "pc"), queues=[a_queue("pc")]) == [
        CallEnded(C1, Outcome.REFUSED, Ender.DESK, "no_such_queue"),
        HangUpCaller(C1, Farewell.NO_SUCH_QUEUE),
    ]


def test_callers_of_a_closed_queue_that_some_agent_still_has_are_served() -> None:
    floor = Floor("alice")
    floor.call("c1")
    assert floor.configure(an_agent("alice"), queues=[a_queue("pc")]) == []
    assert floor.queue("c2", HELPDESK)[-1] == HangUpCaller(C2, Farewell.ERROR)
    assert floor.call("c3")[-1] == HangUpCaller(C3, Farewell.NO_SUCH_QUEUE)
    assert floor.ready("alice")[-1] == RingAgent(ALICE, C1, ONE, RING)


def test_a_new_limit_counts_from_when_the_ringing_began() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(5)
    floor.configure(an_agent("alice"), queues=[a_queue(ring_limit=10)])
    assert floor.engine.next_deadline() == OPENING + 10


# Time


def test_nothing_happens_while_nothing_happens() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    assert floor.engine.next_deadline() is None
    assert floor.tell(DeadlinePassed()) == []


def test_everything_due_is_done_in_one_go_and_in_order() -> None:
    floor = Floor("alice", "bob", queues=[a_queue(ring_limit=20, wrap_up=5)])
    floor.ready("alice", "bob")
    floor.call("c1")
    floor.call("c2")
    floor.talk("bob")
    floor.wait(2)
    floor.caller_hangs_up("c2")
    floor.now = OPENING + 100

    effects = floor.tell(DeadlinePassed())

    assert effects[:4] == [
        change(BOB, WRAP_UP, READY, C2),
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.NO_ANSWER),
        change(ALICE, RESERVED, READY, C1),
    ]
    assert effects[4:] == offered(C1, BOB, THREE)


def test_a_deadline_that_comes_too_early_does_nothing() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.wait(19)
    assert floor.tell(DeadlinePassed()) == []
    assert floor.engine.next_deadline() == OPENING + 20


def test_an_answered_call_leaves_no_ring_limit_behind() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    assert floor.engine.next_deadline() is None


def test_a_caller_for_whom_the_desk_has_no_room_is_refused_and_counted_with_the_reason() -> None:
    """F24: whether they are told in words or by the busy tone is for the telephone side."""
    floor = Floor("alice")
    assert floor.tell(CallerDialledIn(C1, "01012345678", "1000", turned_away=True)) == [
        CallStarted(C1, Direction.INBOUND, "01012345678", "1000"),
        CallEnded(C1, Outcome.REFUSED, Ender.DESK, "desk_full"),
        HangUpCaller(C1, Farewell.QUEUE_FULL),
    ]
    assert floor.engine.recently_ended(C1)
    assert floor.restored().picture() == floor.engine.picture()
