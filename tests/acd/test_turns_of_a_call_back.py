"""Every turn that a call-back can take after somebody was chosen for it, told to the last line of the ledger.

What the switch is asked to do and what the ledger holds must fit to the letter: a person who is dialled for nobody, or
an agent whose phone goes on ringing, is a mistake that nobody sees on the wallboard (lessons 24 to 27).
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.commands import DialPerson, Farewell, HangUpAgent, HangUpCaller, RingAgent, StopRinging
from changgu.acd.engine import Effect
from changgu.acd.events import (
    AgentAnswered,
    AgentForced,
    AgentHungUp,
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallLost,
    ConnectFailed,
    DialFailed,
    Event,
    KeyPressed,
    PartiesConnected,
    PersonReached,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import (
    AgentStateChanged,
    CallbackAttempted,
    CallbackClosed,
    CallbackEnd,
    CallEnded,
    Ender,
    NewsIgnored,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    StateRepaired,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.queues import CallbackRules, Destination, First, Queue, Way
from tests.support.floor import HELPDESK, Floor, seconds

SEOUL = ZoneInfo("Asia/Seoul")
ALICE, ONE = AgentId("alice"), OfferId(1)
CB, FIRST, NUMBER = CallbackId("cb1"), CallId("cb1-1"), "01011112222"
READY, RESERVED, TALKING = AgentState.READY, AgentState.RESERVED, AgentState.TALKING
NOT_READY, UNREACHABLE, LOGGED_OUT = AgentState.NOT_READY, AgentState.UNREACHABLE, AgentState.LOGGED_OUT


def at(hour: int, minute: int = 0, second: int = 0, day: int = 20) -> float:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=SEOUL).timestamp()


def a_desk(first: First = First.AGENT, *, now: float = at(10), ring_limit: float = 20) -> Floor:
    rules = CallbackRules(first=first, retry_after=timedelta(minutes=15), ring_limit=seconds(30))
    queue = Queue(
        HELPDESK, "helpdesk", callbacks=rules, wrap_up=seconds(0), ring_limit=seconds(ring_limit),
        keys={"1": Destination(Way.CALLBACK)},
    )  # fmt: skip
    floor = Floor("alice", queues=[queue], now=now)
    floor.ready("alice")
    return floor


def asked(floor: Floor, call: str | None = None, language: str = "") -> list[Effect]:
    return floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, CallId(call) if call else None, language=language))


def phone_rings(**more: float) -> Floor:
    """Alice's phone rings; after that the person would be dialled."""
    floor = a_desk(First.AGENT, **more)
    asked(floor)
    return floor


def dialled_for_alice() -> Floor:
    """Alice has picked up and waits for the person to answer."""
    floor = phone_rings()
    floor.answer("alice")
    return floor


def dialled_first() -> Floor:
    """The person is dialled before Alice's phone may ring."""
    floor = a_desk(First.CALLER)
    asked(floor)
    return floor


def moved(before: AgentState, after: AgentState, reason: NotReadyReason | None = None) -> AgentStateChanged:
    return AgentStateChanged(ALICE, before, after, reason, FIRST)


def offer_ended(why: OfferEnd, cause: str = "") -> OfferEnded:
    return OfferEnded(FIRST, ALICE, ONE, why, cause)


def again_later(floor: Floor, cause: str) -> CallbackAttempted:
    return CallbackAttempted(CB, 1, floor.now + 900, cause)


# Hours


def test_an_agent_who_picks_up_too_late_in_the_day_dials_nobody_and_the_try_is_not_counted() -> None:
    floor = phone_rings(now=at(19, 59, 55))
    floor.wait(10)

    assert floor.answer("alice") == [
        HangUpAgent(ALICE, FIRST, ONE),
        offer_ended(OfferEnd.CONNECT_FAILED, "hours"),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "hours"),
        moved(RESERVED, READY),
        CallbackAttempted(CB, 0, at(9, day=21), "hours"),
    ]


PUT_OFF = [
    CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "hours"),
    CallbackAttempted(CB, 0, at(9, day=21), "hours"),
]


def test_who_comes_free_as_the_hours_end_has_the_next_caller_and_the_person_is_dialled_tomorrow() -> None:
    floor = a_desk(now=at(19, 58))
    floor.not_ready("alice")
    asked(floor)
    floor.call("c1")
    floor.now = at(20)  # nothing has told yet that it is eight

    effects = floor.ready("alice")
    assert effects[1:3] == PUT_OFF
    assert [(effect.agent, effect.call) for effect in effects if isinstance(effect, RingAgent)] == [(ALICE, "c1")]


@pytest.mark.parametrize("event", [RingFailed(ALICE, FIRST, ONE, "declined"), AgentForced(ALICE, LOGGED_OUT, "boss")])
def test_a_phone_that_stops_ringing_too_late_in_the_day_is_the_last_of_the_day(event: Event) -> None:
    floor = phone_rings(now=at(19, 59, 55))
    floor.wait(10)

    effects = floor.tell(event)
    assert effects[-2:] == PUT_OFF
    assert not any(isinstance(effect, RingAgent) for effect in effects)


def test_a_promise_due_at_night_after_a_reload_of_the_hours_waits_for_the_morning() -> None:
    floor = a_desk()
    floor.sign_out("alice")
    floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, not_before=at(19)))
    early = Queue(HELPDESK, "helpdesk", callbacks=CallbackRules(closes=time(18)))
    floor.configure(*floor.plan.agents, queues=[early])

    assert floor.wait(at(19) - floor.now) == [CallbackAttempted(CB, 0, at(9, day=21), "hours")]


# The person is not reached


def test_while_alice_listens_and_the_person_is_busy_she_is_let_go_without_a_miss() -> None:
    floor = dialled_for_alice()

    assert floor.tell(DialFailed(FIRST, "busy")) == [
        HangUpAgent(ALICE, FIRST, ONE),
        offer_ended(OfferEnd.CONNECT_FAILED, "busy"),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.CALLER, "busy"),
        moved(TALKING, READY),
        again_later(floor, "busy"),
    ]
    assert floor.agent("alice").misses == 0


def test_while_only_the_person_was_dialled_the_agent_keeps_their_turn() -> None:
    floor = dialled_first()
    turn = floor.agent("alice").idle_since
    floor.wait(5)

    assert floor.tell(DialFailed(FIRST, "busy")) == [
        offer_ended(OfferEnd.NOT_REACHED, "busy"),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.CALLER, "busy"),
        moved(RESERVED, READY),
        again_later(floor, "busy"),
    ]
    assert floor.agent("alice").idle_since == turn


@pytest.mark.parametrize("first", First)
def test_a_dial_that_is_never_heard_of_again_is_taken_back_and_written_down_as_a_repair(first: First) -> None:
    floor = dialled_first() if first is First.CALLER else dialled_for_alice()
    limit = 30 + 15
    assert floor.wait(limit - 0.1) == []
    effects = floor.wait(0.1)

    for_alice = [HangUpAgent(ALICE, FIRST, ONE)] if first is First.AGENT else []
    why = OfferEnd.CONNECT_FAILED if first is First.AGENT else OfferEnd.NOT_REACHED
    assert effects == [
        StateRepaired("connecting_too_long", ALICE, FIRST),
        HangUpCaller(FIRST, Farewell.NONE),
        *for_alice,
        offer_ended(why, "no_answer"),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.CALLER, "no_answer"),
        moved(TALKING if for_alice else RESERVED, READY),
        again_later(floor, "no_answer"),
    ]


# The agent is gone


def test_an_agent_who_puts_down_while_the_person_is_dialled_ends_the_dial_as_their_miss() -> None:
    floor = dialled_for_alice()

    assert floor.tell(AgentHungUp(ALICE, FIRST, ONE)) == [
        HangUpCaller(FIRST, Farewell.NONE),
        offer_ended(OfferEnd.AGENT_LEFT),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "agent_left"),
        moved(TALKING, READY),
        again_later(floor, "agent_left"),
    ]
    assert floor.agent("alice").misses == 1


def test_a_phone_that_goes_away_while_the_person_is_dialled_first_ends_the_dial() -> None:
    floor = dialled_first()

    assert floor.tell(PhoneUnreachable(ALICE)) == [
        PhoneStateChanged(ALICE, reachable=False),
        HangUpCaller(FIRST, Farewell.NONE),
        offer_ended(OfferEnd.FAILED),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "agent_left"),
        moved(RESERVED, UNREACHABLE),
        again_later(floor, "agent_left"),
    ]


def test_a_supervisor_who_takes_the_agent_away_ends_the_dial_too() -> None:
    floor = dialled_first()

    assert floor.tell(AgentForced(ALICE, NOT_READY, "chief", NotReadyReason.BREAK)) == [
        HangUpCaller(FIRST, Farewell.NONE),
        offer_ended(OfferEnd.WITHDRAWN),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "agent_left"),
        again_later(floor, "agent_left"),
        AgentStateChanged(ALICE, RESERVED, NOT_READY, NotReadyReason.BREAK, FIRST, "chief"),
    ]


def test_a_phone_that_was_never_to_ring_cannot_fail_to() -> None:
    floor = dialled_first()

    assert floor.tell(RingFailed(ALICE, FIRST, ONE, "gone")) == [
        NewsIgnored("RingFailed", "no phone rings before the person has picked up", FIRST, ALICE)
    ]


def test_a_phone_that_was_never_to_ring_cannot_be_picked_up() -> None:
    floor = dialled_first()

    assert floor.tell(AgentAnswered(ALICE, FIRST, ONE)) == [
        NewsIgnored("AgentAnswered", "no phone rings before the person has picked up", FIRST, ALICE)
    ]


def test_nobody_is_joined_with_a_person_who_has_not_picked_up() -> None:
    floor = dialled_for_alice()

    for news in (PartiesConnected(ALICE, FIRST, ONE), ConnectFailed(ALICE, FIRST, ONE, "gone")):
        assert floor.tell(news) == [
            NewsIgnored(type(news).__name__, "the person has not picked up", FIRST, ALICE)
        ]
    assert floor.the_call(FIRST).state == "connecting"


def test_a_person_is_reached_once() -> None:
    floor = dialled_for_alice()
    floor.tell(PersonReached(FIRST))

    for news in (PersonReached(FIRST), DialFailed(FIRST, "busy")):
        assert floor.tell(news) == [NewsIgnored(type(news).__name__, "nobody is being dialled", FIRST)]


def test_a_dial_that_the_pbx_lost_counts_as_a_try() -> None:
    floor = dialled_for_alice()

    assert floor.tell(CallLost(FIRST)) == [
        HangUpAgent(ALICE, FIRST, ONE),
        offer_ended(OfferEnd.CALLER_LEFT),
        CallEnded(FIRST, Outcome.LOST, Ender.DESK),
        moved(TALKING, READY),
        again_later(floor, "lost"),
    ]


# Cancelled, asked for twice


def test_a_promise_cancelled_while_the_phone_rings_silences_it() -> None:
    floor = phone_rings()

    assert floor.tell(CallbackCancelled(CB, by="chief")) == [
        CallbackClosed(CB, CallbackEnd.CANCELLED, "chief"),
        StopRinging(ALICE, FIRST, ONE),
        offer_ended(OfferEnd.CALLER_LEFT),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "cancelled"),
        moved(RESERVED, READY),
    ]


@pytest.mark.parametrize("start", [dialled_for_alice, dialled_first])
def test_a_promise_cancelled_while_the_person_is_dialled_is_still_served(start: Callable[[], Floor]) -> None:
    floor = start()

    assert floor.tell(CallbackCancelled(CB)) == [CallbackClosed(CB, CallbackEnd.CANCELLED)]
    assert FIRST in floor.engine.calls
    assert floor.tell(CallbackCancelled(CB)) == [NewsIgnored("CallbackCancelled", "no such promise is open")]


def test_a_promise_asked_for_again_under_the_same_name_is_dialled_as_a_call_of_its_own() -> None:
    floor = a_desk()
    floor.sign_out("alice")
    asked(floor)
    floor.tell(CallbackCancelled(CB))
    asked(floor)

    assert floor.waiting() == ["cb1-2"]


def test_what_is_no_promise_says_why_and_of_which_call() -> None:
    floor = a_desk()
    floor.dial("c1", NUMBER)

    (nowhere,) = floor.tell(CallbackAsked(CB, NUMBER, QueueName("nowhere"), CallId("c1")))
    (nobody,) = floor.tell(CallbackAsked(CB, "", HELPDESK, CallId("c1")))
    asked(floor, "c1")
    (twice,) = asked(floor, "c1")

    assert nowhere == nobody == NewsIgnored("CallbackAsked", "no such queue or no number", CallId("c1"))
    assert twice == NewsIgnored("CallbackAsked", "to be called back already", CallId("c1"))


def test_one_promise_for_each_person_and_one_person_for_each_promise() -> None:
    """Both while nobody is being called: they all wait for the morning."""
    floor = a_desk(now=at(21))
    asked(floor)

    (same_person,) = floor.tell(CallbackAsked(CallbackId("cb2"), NUMBER, HELPDESK))
    (same_promise,) = floor.tell(CallbackAsked(CB, "01099998888", HELPDESK))

    assert same_person == same_promise == NewsIgnored("CallbackAsked", "to be called back already")
    assert [record.number for record in floor.engine.callbacks.values()] == [NUMBER]


def test_who_asks_to_be_called_back_and_then_decides_to_hold_keeps_the_place_they_had() -> None:
    floor = a_desk()
    floor.not_ready("alice")
    floor.dial("c1", NUMBER)
    floor.queue("c1")
    came = floor.now
    floor.wait(60)
    floor.tell(KeyPressed(CallId("c1"), "1"))
    asked(floor, "c1")
    floor.wait(30)
    effects = floor.tell(CallArrived(CallId("c1"), HELPDESK))

    assert CallbackClosed(CB, CallbackEnd.CALLED_IN) in effects
    assert floor.the_call("c1").queued_at == came
    assert floor.the_call("c1").entered_at == came


# The language


def test_the_person_is_spoken_to_in_their_language_when_the_agent_was_first_at_the_phone() -> None:
    floor = a_desk()
    asked(floor, language="en")

    assert floor.answer("alice")[-1] == DialPerson(FIRST, NUMBER, HELPDESK, seconds(30), "en")


def test_somebody_reached_before_the_agent_rings_waits_as_long_as_a_phone_may_ring_from_then_on() -> None:
    floor = a_desk(First.CALLER, ring_limit=20)
    asked(floor)
    floor.wait(25)
    floor.tell(PersonReached(FIRST))

    assert floor.wait(19.9) == []
    assert StopRinging(ALICE, FIRST, ONE) in floor.wait(0.1)
