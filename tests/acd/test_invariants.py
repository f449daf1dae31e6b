"""The rules are awake: a floor that goes wrong in one way is found out by the rule that names it."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.commands import Announce, DialPerson, Farewell, HangUpAgent, HangUpCaller, RingAgent, StopRinging
from changgu.acd.engine import Effect, Engine
from changgu.acd.events import AgentReady, CallerHungUp
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    CallWidened,
    Departure,
    Direction,
    Ender,
    Fact,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    WaitAnnounced,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.invariants import LOOKED_OVER_EVERY, RULES, Broken, Watch
from changgu.acd.queues import Announcements, Destination, Overflow, Seat, Way
from changgu.acd.queues import Floor as FloorPlan
from tests.support.floor import HELPDESK, OPENING, Floor, a_queue, an_agent, seconds

ALICE, BOB = AgentId("alice"), AgentId("bob")
C1, C2 = CallId("c1"), CallId("c2")
ONE, TWO = OfferId(1), OfferId(2)
READY, RESERVED, TALKING, WRAP_UP = AgentState.READY, AgentState.RESERVED, AgentState.TALKING, AgentState.WRAP_UP
PLAN = FloorPlan((a_queue(),), (an_agent("alice"), an_agent("bob", skills=["vpn"])))


class Tale:
    """An engine that is told what happened, right or wrong, and a watch that reads along."""

    def __init__(self, plan: FloorPlan = PLAN, *, refold: bool = True, engine: type[Engine] = Engine) -> None:
        self.engine = engine(plan)
        self.watch = Watch(self.engine, plan, refold=refold)
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
        "only 대기 is offered calls",
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
    Tale().breaks("who is done is hung up", *waits(C1), CallEnded(C1, Outcome.REFUSED, Ender.DESK, "desk_closed"))


def test_a_floor_in_a_story_is_watched_too() -> None:
    floor = Floor("alice")
    floor.engine.apply(CallStarted(C1, Direction.INBOUND, None, "1000"), floor.now)
    with pytest.raises(Broken):
        floor.tell(AgentReady(ALICE))
    assert len({rule.__name__ for rule in RULES}) == len(RULES)
    assert floor.engine.handle(CallerHungUp(C1), floor.now) == [CallEnded(C1, Outcome.ABANDONED_IN_MENU, Ender.CALLER)]


# Skills, steps and ways out of a queue

FULL = Overflow(Departure.FULL, Destination(Way.VOICEMAIL), 1)
WAITED = Overflow(Departure.WAITED, Destination(Way.VOICEMAIL), 20)


def plan_with(**changes: object) -> FloorPlan:
    return replace(PLAN, queues=(replace(a_queue(), **changes),))  # type: ignore[arg-type]


def led(rule: Overflow) -> CallOverflowed:
    return CallOverflowed(C1, HELPDESK, rule.when, str(rule.to), None, 0, limit=rule.limit)


def test_a_queue_that_takes_more_than_it_holds_is_found_out() -> None:
    tale = Tale(plan_with(overflows=(FULL,)))
    tale.goes(*waits(C1))
    tale.breaks("capacity is never exceeded", *waits(C2))


def test_a_departure_for_which_there_is_no_rule_is_found_out() -> None:
    tale = Tale(plan_with(overflows=(WAITED,)))
    tale.goes(*waits(C1))
    tale.breaks("a rule leads where it says", led(replace(WAITED, to=Destination(Way.MENU, "main"))))
    tale.breaks("a rule leads where it says", led(replace(WAITED, limit=19)))
    Tale().breaks("a key leads where", *waits(C1), CallOverflowed(C1, HELPDESK, Departure.KEY, "voicemail", "1"))


def test_a_rule_that_is_followed_twice_is_found_out() -> None:
    helped = Overflow(Departure.WAITED, Destination(Way.OPEN, "pc"), 20)
    tale = Tale(plan_with(overflows=(helped,)))
    tale.goes(*waits(C1), led(helped))
    tale.breaks("a rule is followed once in a stay", led(helped))


def test_a_diversion_that_nobody_carries_out_is_found_out() -> None:
    tale = Tale(plan_with(overflows=(WAITED,)))
    tale.goes(*waits(C1))
    tale.breaks("carried out once", led(WAITED))


def test_a_refusal_without_a_reason_is_found_out() -> None:
    Tale().breaks("every refusal has its reason", *waits(C1), CallEnded(C1, Outcome.REFUSED, Ender.DESK))


def test_a_step_that_is_taken_early_or_takes_something_back_is_found_out() -> None:
    tale = Tale()
    tale.goes(*waits(C1))
    tale.now += 10
    tale.breaks("no step is taken early", CallWidened(C1, reach=11.0))
    tale = Tale()
    tale.goes(*waits(C1))
    tale.now += 10
    tale.goes(CallWidened(C1, reach=10.0, opened=frozenset({QueueName("pc")})))
    tale.breaks("steps add up", CallWidened(C1, reach=10.0))


def test_somebody_else_than_the_agent_who_was_asked_for_is_found_out() -> None:
    tale = Tale()
    tale.goes(*is_ready(ALICE), *is_ready(BOB))
    named = CallQueued(C1, HELPDESK, 0, agent=BOB, waits_for=BOB)
    tale.breaks("queue and skills fit", waits(C1)[0], named, *rings(C1, ALICE, ONE))


def test_an_agent_of_a_higher_level_who_rings_first_is_found_out() -> None:
    second = replace(an_agent("alice"), seats=MappingProxyType({HELPDESK: Seat(level=2)}))
    tale = Tale(replace(PLAN, agents=(second, an_agent("bob"))))
    tale.goes(*is_ready(ALICE))
    tale.goes(*is_ready(BOB))
    tale.breaks("nobody is passed over", *waits(C1), *rings(C1, ALICE, ONE))


# Phones that ring together


def ring_all_tale(**levels: int) -> Tale:
    """All agents of these levels are in 대기."""
    agents = [
        replace(an_agent(login), seats=MappingProxyType({HELPDESK: Seat(level=level)}))
        for login, level in levels.items()
    ]
    tale = Tale(FloorPlan((a_queue(strategy="ring_all"),), tuple(agents)))
    for login in levels:
        tale.goes(*is_ready(AgentId(login)))
    return tale


def stops(call: CallId, agent: AgentId, offer: OfferId, why: OfferEnd = OfferEnd.NO_ANSWER) -> list[Effect]:
    return [
        StopRinging(agent, call, offer),
        OfferEnded(call, agent, offer, why),
        AgentStateChanged(agent, RESERVED, READY, None, call),
    ]


def test_one_of_the_level_that_rings_who_is_left_out_is_found_out() -> None:
    tale = ring_all_tale(alice=1, bob=1)
    tale.breaks("everybody rings who may", *waits(C1), *rings(C1, ALICE, ONE))


def test_a_lower_level_that_is_left_out_while_a_higher_one_rings_is_found_out() -> None:
    tale = ring_all_tale(alice=2)
    tale.goes(*waits(C1), *rings(C1, ALICE, ONE))
    tale.watch.floor = replace(tale.watch.floor, agents=(*tale.watch.floor.agents, an_agent("bob")))
    tale.breaks("everybody rings who may", *is_ready(BOB))


def test_a_higher_level_that_rings_along_with_a_lower_one_is_found_out() -> None:
    tale = ring_all_tale(alice=1, bob=2)
    tale.goes(*waits(C1), *rings(C1, ALICE, ONE))
    tale.breaks("nobody rings beside whom they come after", *rings(C1, BOB, TWO))


def test_two_levels_that_begin_to_ring_at_once_are_found_out() -> None:
    tale = ring_all_tale(alice=1, bob=2)
    tale.breaks("one level at a time", *waits(C1), *rings(C1, BOB, ONE), *rings(C1, ALICE, TWO))


def test_who_was_kept_out_and_does_not_ring_once_the_lower_level_is_silent_is_found_out() -> None:
    tale = ring_all_tale(alice=1, bob=2, carol=2)
    carol = AgentId("carol")
    tale.goes(AgentStateChanged(ALICE, READY, AgentState.NOT_READY, NotReadyReason.BREAK),
              AgentStateChanged(carol, READY, AgentState.NOT_READY, NotReadyReason.BREAK))  # fmt: skip
    tale.goes(*waits(C1), *rings(C1, BOB, ONE))
    tale.goes(AgentStateChanged(ALICE, AgentState.NOT_READY, READY), *rings(C1, ALICE, TWO))
    tale.goes(AgentStateChanged(carol, AgentState.NOT_READY, READY))
    tale.breaks("everybody rings who may", *stops(C1, ALICE, TWO))


def test_who_has_let_the_caller_ring_and_is_let_in_again_is_found_out() -> None:
    tale = ring_all_tale(alice=1, bob=1)
    tale.goes(*waits(C1), *rings(C1, ALICE, ONE), *rings(C1, BOB, TWO))
    tale.goes(*stops(C1, ALICE, ONE))
    tale.breaks("nobody rings beside whom they come after", *rings(C1, ALICE, OfferId(3)))

    tale = ring_all_tale(alice=1, bob=1)
    tale.goes(*waits(C1), *rings(C1, ALICE, ONE), *rings(C1, BOB, TWO))
    tale.goes(*stops(C1, ALICE, ONE))
    tale.goes(*stops(C1, BOB, TWO), *rings(C1, ALICE, OfferId(3)), *rings(C1, BOB, OfferId(4)))
    tale.goes(*stops(C1, ALICE, OfferId(3)))
    tale.breaks("who has let it ring is not let in again", *rings(C1, ALICE, OfferId(5)))


def test_who_rings_along_for_the_caller_with_the_worse_place_is_found_out() -> None:
    tale = ring_all_tale(alice=1, bob=1, carol=1)
    for agent in (BOB, AgentId("carol")):
        tale.goes(AgentStateChanged(agent, READY, AgentState.NOT_READY, NotReadyReason.BREAK))
    tale.goes(*waits(C1), *rings(C1, ALICE, ONE))
    tale.goes(*waits(C2), AgentStateChanged(BOB, AgentState.NOT_READY, READY), *rings(C2, BOB, TWO))
    free = AgentStateChanged(AgentId("carol"), AgentState.NOT_READY, READY)
    tale.breaks("the better placed caller's phones ring first", free, *rings(C2, AgentId("carol"), OfferId(3)))


def test_a_step_that_nobody_will_notice_while_all_phones_ring_is_found_out() -> None:
    late = replace(an_agent("bob"), seats=MappingProxyType({HELPDESK: Seat(delay=seconds(5))}))
    plan = FloorPlan((a_queue(strategy="ring_all"),), (an_agent("alice"), late))
    tale = Tale(plan, refold=False, engine=Deaf)
    tale.breaks("every step has its deadline", *is_ready(ALICE), *waits(C1), *rings(C1, ALICE, ONE))


def test_an_offer_id_that_is_used_twice_is_found_out() -> None:
    tale = ringing_tale()
    tale.goes(
        StopRinging(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.NO_ANSWER),
        AgentStateChanged(ALICE, RESERVED, AgentState.NOT_READY, NotReadyReason.NO_ANSWER, C1),
    )
    tale.breaks("no offer id is used twice", *is_ready(BOB), *rings(C1, BOB, ONE))


# What callers are told

TOLD = Announcements(seconds(5), seconds(10), position=True)


def test_an_announcement_that_is_not_written_down_is_found_out() -> None:
    tale = Tale(plan_with(announcements=TOLD))
    tale.goes(*waits(C1))
    tale.now += 5
    tale.breaks("every promise is written down", Announce(C1, HELPDESK, 1, 30.0))


def test_an_announcement_before_its_time_or_to_somebody_who_is_connected_is_found_out() -> None:
    tale = Tale(plan_with(announcements=TOLD))
    tale.goes(*waits(C1))
    tale.now += 4
    tale.breaks("announced at its time", WaitAnnounced(C1, 1), Announce(C1, HELPDESK, 1))
    tale = Tale(plan_with(announcements=TOLD))
    tale.goes(*is_ready(ALICE), *waits(C1), *rings(C1, ALICE, ONE))
    tale.now += 5
    tale.breaks("only who waits is told", WaitAnnounced(C1, 1), Announce(C1, HELPDESK, 1))


# Call-backs

B1, B2 = CallbackId("b1"), CallbackId("b2")
ATTEMPT = CallId("b1-1")


def promised(callback: CallbackId = B1, *, due: float = OPENING) -> CallbackBooked:
    return CallbackBooked(callback, "01012345678", HELPDESK, due, OPENING)


def attempted(call: CallId = ATTEMPT) -> list[Effect]:
    return [
        CallStarted(call, Direction.OUTBOUND, "01012345678", "", B1),
        CallQueued(call, HELPDESK, 0, placed_at=OPENING),
    ]


def test_two_promises_to_one_person_are_found_out() -> None:
    Tale().breaks("one open promise per person", promised(), promised(B2))


def test_two_attempts_at_once_are_found_out() -> None:
    """Row 25."""
    tale = Tale()
    tale.goes(promised(), *attempted())
    tale.breaks("never two dials at once", *attempted(CallId("b1-2")))


def test_a_call_back_too_early_or_outside_the_hours_is_found_out() -> None:
    Tale().breaks("before it is due", promised(due=OPENING + 60), *attempted())
    tale = Tale()
    tale.now += 12 * 3600
    tale.breaks("outside the hours", promised(due=tale.now), *attempted())


def test_a_call_back_to_somebody_who_is_on_the_line_is_found_out() -> None:
    """Whichever call the promise names."""
    for number in ("+821012345678", "01012345678"):
        tale = Tale()
        tale.goes(promised(), CallStarted(C1, Direction.INBOUND, number, "1000"))
        tale.breaks("while they are on the line", *attempted())


def test_a_call_back_within_two_minutes_of_a_conversation_is_found_out() -> None:
    tale = Tale()
    tale.goes(*is_ready(ALICE), CallStarted(C1, Direction.INBOUND, "01012345678", "1000"), CallQueued(C1, HELPDESK, 0),
              *rings(C1, ALICE, ONE))  # fmt: skip
    tale.goes(CallAnswered(C1, ALICE, ONE, HELPDESK), AgentStateChanged(ALICE, RESERVED, TALKING, None, C1))
    tale.goes(CallConnected(C1, ALICE, ONE), promised())
    tale.goes(CallEnded(C1, Outcome.ANSWERED, Ender.CALLER), HangUpAgent(ALICE, C1, ONE),
              AgentStateChanged(ALICE, TALKING, WRAP_UP, None, C1))  # fmt: skip
    tale.now += 119
    tale.breaks("before it is due", *attempted())


def test_a_call_back_with_too_great_an_advantage_is_found_out() -> None:
    """Row 26."""
    tale = Tale()
    tale.now += 3600
    tale.breaks("the advantage of a call-back is bounded", promised(due=tale.now), *attempted())


def test_a_dial_for_which_no_agent_is_held_is_found_out() -> None:
    """Row 26."""
    tale = Tale()
    tale.goes(promised(), *attempted())
    tale.breaks("a dial has its agent", DialPerson(ATTEMPT, "01012345678", HELPDESK, seconds(40)))


def test_a_promise_that_is_settled_twice_or_kept_in_name_only_is_found_out() -> None:
    Tale().breaks("kept is spoken", promised(), CallbackClosed(B1, CallbackEnd.KEPT))
    tale = Tale()
    tale.goes(promised(), CallbackClosed(B1, CallbackEnd.CANCELLED))
    tale.breaks("one end per promise", CallbackClosed(B1, CallbackEnd.CANCELLED))
    Tale().breaks("not given up too early", promised(), CallbackClosed(B1, CallbackEnd.GIVEN_UP))


# Limits


class Forgetful(Engine):
    """An engine that names no deadline."""

    def next_deadline(self) -> float | None:
        return None


class Deaf(Engine):
    """An engine that names the end of the ringing, and nothing before."""

    def next_deadline(self) -> float | None:
        return OPENING + 20


class Hoarder(Engine):
    """An engine that never throws anything away."""

    def entries(self) -> int:
        return 1_000_000


def test_a_limit_that_nobody_will_notice_is_found_out() -> None:
    """Row 19."""
    tale = Tale(refold=False, engine=Forgetful)
    tale.breaks("every limit has its deadline", *is_ready(ALICE), *waits(C1), *rings(C1, ALICE, ONE))


def test_memory_that_grows_for_ever_is_found_out() -> None:
    Tale(refold=False, engine=Hoarder).breaks("bounded", *waits(C1))


def test_a_brisk_watch_finds_out_too_only_later() -> None:
    tale = Tale(refold=False)
    tale.watch.brisk = True
    tale.goes(*is_ready(ALICE))
    tale.engine.apply(PhoneStateChanged(ALICE, reachable=False), tale.now)
    tale.engine.apply(AgentStateChanged(ALICE, READY, AgentState.UNREACHABLE), tale.now)
    for _ in range(LOOKED_OVER_EVERY - 3):
        tale.goes()
    tale.goes()
    tale.breaks("one state")
