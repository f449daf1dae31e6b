"""The rules are awake: a floor that goes wrong in one way is found out by the rule that names it."""

import pytest

from changgu.acd.agent_state import AgentState
from changgu.acd.commands import Farewell, HangUpCaller, RingAgent, StopRinging
from changgu.acd.engine import Effect, Engine
from changgu.acd.events import AgentReady, CallerHungUp
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
)
from changgu.acd.identity import AgentId, CallId, OfferId
from changgu.acd.invariants import RULES, Broken, Watch
from changgu.acd.queues import Floor as FloorPlan
from tests.support.floor import HELPDESK, OPENING, Floor, a_queue, an_agent, seconds

ALICE, BOB = AgentId("alice"), AgentId("bob")
C1, C2 = CallId("c1"), CallId("c2")
ONE, TWO = OfferId(1), OfferId(2)
READY, RESERVED, TALKING, WRAP_UP = AgentState.READY, AgentState.RESERVED, AgentState.TALKING, AgentState.WRAP_UP
PLAN = FloorPlan((a_queue(),), (an_agent("alice"), an_agent("bob", skills=["vpn"])))


class Tale:
    """An engine that is told what happened, right or wrong, and a watch that reads along."""

    def __init__(self, *, refold: bool = True) -> None:
        self.engine = Engine(PLAN)
        self.watch = Watch(self.engine, PLAN, refold=refold)
        self.now = OPENING

    def goes(self, *effects: Effect) -> None:
        for effect in effects:
            if isinstance(effect, Fact):
                self.engine.apply(effect, self.now)
        self.watch.check(None, self.now, effects)

    def breaks(self, rule: str, *effects: Effect) -> None:
        with pytest.raises(Broken, match=rule):
            self.goes(*effects)


def is_ready(agent: AgentId) -> list[Effect]:
    return [
        PhoneStateChanged(agent, reachable=True),
        AgentStateChanged(agent, AgentState.LOGGED_OUT, READY),
    ]


def waits(call: CallId, *, priority: int = 0, skills: frozenset[str] = frozenset()) -> list[Effect]:
    return [CallStarted(call, Direction.INBOUND, None, "1000"), CallQueued(call, HELPDESK, priority, skills)]


def rings(call: CallId, agent: AgentId, offer: OfferId) -> list[Effect]:
    return [
        CallOffered(call, agent, offer, HELPDESK),
        AgentStateChanged(agent, READY, RESERVED, None, call),
        RingAgent(agent, call, offer, seconds(20)),
    ]


def ringing_tale() -> Tale:
    tale = Tale()
    tale.goes(*is_ready(ALICE), *waits(C1), *rings(C1, ALICE, ONE))
    return tale


def test_a_tale_that_goes_right_breaks_nothing() -> None:
    tale = ringing_tale()
    tale.goes(CallAnswered(C1, ALICE, ONE, HELPDESK), AgentStateChanged(ALICE, RESERVED, TALKING, None, C1))
    tale.goes(CallConnected(C1, ALICE, ONE))


def test_a_free_agent_beside_a_waiting_caller_is_found_out() -> None:
    Tale().breaks("no call is forgotten", *is_ready(ALICE), *waits(C1))


def test_a_second_offer_for_the_same_agent_is_found_out() -> None:
    ringing_tale().breaks(
        r"agent and call agree",
        *waits(C2),
        CallOffered(C2, ALICE, TWO, HELPDESK),
        RingAgent(ALICE, C2, TWO, seconds(20)),
    )


def test_a_second_agent_for_the_same_call_is_found_out() -> None:
    ringing_tale().breaks(r"one open offer per call", *is_ready(BOB), *rings(C1, BOB, TWO))


def test_two_winners_are_found_out() -> None:
    tale = ringing_tale()
    tale.goes(CallAnswered(C1, ALICE, ONE, HELPDESK), AgentStateChanged(ALICE, RESERVED, TALKING, None, C1))
    tale.breaks("one winner per call", CallAnswered(C1, ALICE, ONE, HELPDESK))
    ringing_tale().breaks("one winner per call", CallAnswered(C1, BOB, ONE, HELPDESK))
    ringing_tale().breaks("one winner per call", CallConnected(C1, ALICE, TWO))


def test_two_outcomes_are_found_out() -> None:
    tale = Tale()
    tale.goes(*waits(C1), CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER))
    tale.breaks("one outcome per ended call", CallEnded(C1, Outcome.LOST, Ender.DESK))


def test_an_untrue_outcome_is_found_out() -> None:
    Tale().breaks("the outcome is true", *waits(C1), CallEnded(C1, Outcome.ANSWERED, Ender.CALLER))


def test_an_overtaken_caller_is_found_out() -> None:
    tale = Tale()
    tale.goes(*waits(C1))
    tale.now += 1
    tale.breaks("first come, first served", *waits(C2), *is_ready(ALICE), *rings(C2, ALICE, ONE))


def test_an_agent_who_was_passed_over_is_found_out() -> None:
    tale = Tale()
    tale.goes(*is_ready(ALICE))
    tale.now += 1
    tale.goes(*is_ready(BOB))
    tale.breaks("the longest idle rings", *waits(C1), *rings(C1, BOB, ONE))


def test_missing_skills_are_found_out() -> None:
    tale = Tale()
    tale.goes(*is_ready(ALICE))
    tale.breaks("queue and skills fit", *waits(C1, skills=frozenset({"vpn"})), *rings(C1, ALICE, ONE))


def test_a_call_during_wrap_up_is_found_out() -> None:
    """Row 1."""
    tale = ringing_tale()
    tale.goes(CallAnswered(C1, ALICE, ONE, HELPDESK), AgentStateChanged(ALICE, RESERVED, TALKING, None, C1))
    tale.goes(CallConnected(C1, ALICE, ONE))
    tale.goes(
        CallEnded(C1, Outcome.ANSWERED, Ender.AGENT),
        HangUpCaller(C1, Farewell.NONE),
        StopRinging(ALICE, C1, ONE),
        AgentStateChanged(ALICE, TALKING, WRAP_UP, None, C1),
    )
    tale.now += 29
    tale.breaks(
        "wrap-up is always honoured",
        AgentStateChanged(ALICE, WRAP_UP, READY, None, C1),
        *waits(C2),
        *rings(C2, ALICE, TWO),
    )


def test_a_gap_in_an_agents_day_is_found_out() -> None:
    Tale().breaks("states follow one another without gap", AgentStateChanged(ALICE, READY, WRAP_UP))


def test_a_change_that_no_fact_tells_is_found_out() -> None:
    """A state that a restart would not bring back."""
    tale = Tale()
    tale.goes(*is_ready(ALICE))
    tale.engine.apply(PhoneStateChanged(BOB, reachable=True), tale.now)
    tale.breaks("state lived = state rebuilt")
    silent = Tale(refold=False)
    silent.engine.apply(CallStarted(C1, Direction.INBOUND, None, "1000"), silent.now)
    silent.breaks("every caller is in exactly one place")


def test_a_phone_that_rings_for_nothing_is_found_out() -> None:
    """Row 5."""
    ringing_tale().breaks(
        "no leg without a call",
        OfferEnded(C1, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(C1, Outcome.ABANDONED_RINGING, Ender.CALLER),
        AgentStateChanged(ALICE, RESERVED, READY, None, C1),
    )


def test_an_agent_stuck_in_reserved_is_found_out() -> None:
    """Row 19."""
    ringing_tale().breaks(
        "no agent is stuck",
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(C1, Outcome.ABANDONED_RINGING, Ender.CALLER),
    )


def test_a_caller_left_on_the_line_is_found_out() -> None:
    Tale().breaks("who is done is hung up", *waits(C1), CallEnded(C1, Outcome.REFUSED, Ender.DESK))


def test_a_floor_in_a_story_is_watched_too() -> None:
    floor = Floor("alice")
    floor.engine.apply(CallStarted(C1, Direction.INBOUND, None, "1000"), floor.now)
    with pytest.raises(Broken):
        floor.tell(AgentReady(ALICE))
    assert len(RULES) == 10
    assert floor.engine.handle(CallerHungUp(C1), floor.now) == [CallEnded(C1, Outcome.ABANDONED_IN_MENU, Ender.CALLER)]
