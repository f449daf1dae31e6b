"""Whoever is on the line can be promised another call, and is not dialled before they have hung up."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from changgu.acd.agent_state import AgentState
from changgu.acd.callbacks import AFTER_TALK
from changgu.acd.commands import DialPerson, HangUpAgent, StopRinging
from changgu.acd.events import (
    AgentAnswered,
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerDialledIn,
    CallerHungUp,
    CallLost,
    DialFailed,
    KeyPressed,
    MenuEnded,
    PersonReached,
)
from changgu.acd.facts import (
    AgentStateChanged,
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    NewsIgnored,
    OfferEnd,
    OfferEnded,
    Outcome,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId
from changgu.acd.queues import First
from tests.acd.test_callbacks import CB, FIRST, MORNING, NUMBER, a_desk, asked, at, of
from tests.support.floor import HELPDESK, Floor, a_queue

AFTER = AFTER_TALK.total_seconds()
ALICE, ONE, C1 = AgentId("alice"), OfferId(1), CallId("c1")


def spoken_to(floor: Floor) -> None:
    """In a call-back."""
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(PersonReached(FIRST))
    floor.connected("alice")


@pytest.mark.parametrize(
    ("call", "by", "asked_from"),
    [(None, "alice", FIRST), (FIRST, None, FIRST), (FIRST, "chief", FIRST), (None, "chief", None), (None, "bob", None)],
)
def test_who_is_spoken_to_in_a_call_back_can_be_promised_another(
    call: CallId | None, by: str | None, asked_from: CallId | None
) -> None:
    """What a supervisor or another agent books is no promise made in that call, and made no sooner for it."""
    floor = a_desk(First.AGENT, "alice", "bob")
    spoken_to(floor)
    floor.ready("bob")
    (booked,) = floor.tell(CallbackAsked(CallbackId("cb2"), NUMBER, HELPDESK, call, by=by))
    floor.wait(3600)

    assert booked == CallbackBooked(CallbackId("cb2"), NUMBER, HELPDESK, MORNING, MORNING, call=asked_from)
    assert list(floor.engine.calls) == [FIRST], "nobody is dialled who is on the line"
    floor.tell(CallerHungUp(FIRST))
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == ["cb2-1"]


def test_another_promise_to_who_is_spoken_to_outlives_a_restart_and_is_made_when_it_is_due() -> None:
    floor = a_desk()
    spoken_to(floor)
    tomorrow = at(10, day=21)
    floor.tell(CallbackAsked(CallbackId("cb2"), NUMBER, HELPDESK, not_before=tomorrow))
    floor.tell(CallerHungUp(FIRST))

    assert floor.restored().callbacks[CallbackId("cb2")].due_at == tomorrow
    assert floor.engine.next_deadline() == tomorrow


def test_who_is_spoken_to_has_one_more_promise_and_not_a_second_nor_the_same_again() -> None:
    floor = a_desk()
    spoken_to(floor)
    assert isinstance(asked(floor)[0], NewsIgnored), "the id of the attempt on the line"
    assert of(CallbackBooked, asked(floor, callback="cb2")) != []
    assert isinstance(asked(floor, callback="cb3")[0], NewsIgnored)


def test_who_is_dialled_is_promised_no_other_call_until_they_are_spoken_to() -> None:
    floor = a_desk()
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(CallbackCancelled(CB))

    assert isinstance(asked(floor, callback="cb2")[0], NewsIgnored)
    assert isinstance(asked(floor, callback="cb2", call=FIRST)[0], NewsIgnored)
    floor.tell(PersonReached(FIRST))
    assert isinstance(asked(floor, callback="cb2")[0], NewsIgnored), "they hear nobody yet"
    floor.connected("alice")
    assert of(CallbackBooked, asked(floor, callback="cb2")) != []


def test_who_called_themselves_and_is_spoken_to_is_called_back_only_when_that_is_over_and_behind_who_waited() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    floor.dial("c1", NUMBER)
    floor.queue("c1")
    floor.wait(60)
    floor.ready("alice")
    floor.answer("alice")
    floor.connected("alice")
    floor.ready("bob")
    (booked,) = floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, by="alice"))

    assert (booked.placed_at, booked.call) == (floor.now, "c1")  # type: ignore[union-attr]
    assert list(floor.engine.calls) == ["c1"]
    floor.tell(CallerHungUp(CallId("c1")))
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == [FIRST]


def talks(floor: Floor, call: str, agent: str = "alice") -> None:
    """They called themselves and are being spoken to."""
    floor.dial(call, NUMBER)
    floor.queue(call)
    floor.ready(agent)
    floor.talk(agent)


def test_who_called_again_before_their_lost_call_was_found_is_not_dialled_while_they_are_spoken_to() -> None:
    """The promise for a lost call names that call, which is over; they called again during the gap."""
    floor = a_desk(First.AGENT, "alice", "bob")
    floor.dial("c1", NUMBER)
    floor.queue("c1")
    talks_since = floor.now
    floor.wait(60)
    floor.dial("c2", NUMBER)
    floor.ready("alice")
    floor.tell(CallLost(CallId("c1")))
    floor.queue("c2")
    floor.talk("alice")
    floor.ready("bob")
    (booked,) = floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, CallId("c1"), 2, since=talks_since))

    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, floor.now, talks_since, 2, call=CallId("c1"))
    assert of(CallStarted, floor.wait(3600)) == [], "they are on the line"
    assert floor.restored().picture() == floor.engine.picture()
    floor.tell(CallerHungUp(CallId("c2")))
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == [FIRST]


def test_a_promise_that_names_another_call_keeps_its_place_and_waits_for_the_one_they_are_spoken_to_in() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(CallId("c1"), HELPDESK, 1, frozenset({"vpn"}), language="en"))
    came = floor.now
    floor.wait(60)
    talks(floor, "c2")
    floor.ready("bob")
    (booked,) = asked(floor, call="c1")

    skills = frozenset({"vpn"})
    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, floor.now, came, 1, skills, CallId("c1"), "en")
    floor.tell(CallerHungUp(CallId("c1")))
    assert of(CallStarted, floor.wait(3600)) == [], "they are still spoken to"


def test_who_asks_for_a_call_to_a_telephone_that_is_in_use_is_not_dialled_before_both_calls_are_over() -> None:
    """A colleague speaks with us on it; who asked still holds the line."""
    floor = a_desk(First.AGENT, "alice", "bob")
    talks(floor, "c1")
    floor.dial("c2", "01099998888")
    floor.queue("c2")
    floor.tell(KeyPressed(CallId("c2"), "1"))
    floor.ready("bob")
    (booked,) = asked(floor, call="c2")
    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, floor.now, floor.now, call=CallId("c2"))

    floor.tell(CallerHungUp(CallId("c1")))
    assert of(CallStarted, floor.wait(3600)) == [], "they are still on the line"
    floor.tell(MenuEnded(CallId("c2"), served=True, outcome=Outcome.CALLBACK))
    assert [offer.call for offer in of(CallOffered, floor.wait(0))] == [FIRST]


@pytest.mark.parametrize("named", [None, "c1", "c2", "gone"])
def test_who_is_spoken_to_in_two_calls_is_dialled_when_both_are_over(named: str | None) -> None:
    floor = a_desk(First.AGENT, "alice", "bob", "carol")
    talks(floor, "c1")
    talks(floor, "c2", "bob")
    floor.ready("carol")
    (booked,) = of(CallbackBooked, asked(floor, call=named))
    assert booked.call == named

    floor.tell(CallerHungUp(CallId("c1")))
    assert of(CallStarted, floor.wait(3600)) == []
    floor.tell(CallerHungUp(CallId("c2")))
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == [FIRST]


def test_of_several_who_are_promised_a_call_in_one_call_each_is_called_after_it_unless_it_was_cancelled() -> None:
    """A colleague's numbers, and two of them they take back while they still speak."""
    floor = a_desk(First.AGENT, "alice", "bob", "carol")
    talks(floor, "c1")
    floor.ready("bob", "carol")
    numbers = {"cb1": "01055550001", "cb2": "01055550002", "cb3": "01055550003", "cb4": NUMBER}
    for callback, number in numbers.items():
        asked(floor, number, callback, "c1")
    for callback in ("cb1", "cb3"):
        floor.tell(CallbackCancelled(CallbackId(callback)))
    assert of(CallOffered, floor.wait(3600)) == [], "the call in which they were promised goes on"
    assert floor.restored().next_deadline() == floor.engine.next_deadline()

    floor.caller_hangs_up("c1")
    assert floor.restored().picture() == floor.engine.picture()
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == ["cb2-1", "cb4-1"]


def test_the_end_of_a_call_takes_no_more_steps_because_thousands_are_to_be_called_back() -> None:
    def steps_with(promises: int) -> int:
        floor, call, steps = a_desk(), CallId("c1"), 0
        for number in range(promises):
            event = CallbackAsked(CallbackId(f"b{number}"), f"010{number:08d}", HELPDESK, not_before=at(10, day=23))
            floor.engine.handle(event, MORNING)

        def trace(frame: FrameType, kind: str, _: object) -> Any:
            nonlocal steps
            steps += kind == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            floor.engine.handle(CallerDialledIn(call, None, "100"), MORNING)
            floor.engine.handle(CallerHungUp(call), MORNING)
        finally:
            sys.settrace(before)
        return steps

    assert steps_with(3_000) == steps_with(1)


def test_who_waits_is_promised_a_call_beside_their_own_and_not_dialled_before_that_is_over() -> None:
    """A supervisor books it for a number, and does not know that they wait. They are spoken to in their language."""
    floor = a_desk()
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(C1, HELPDESK, 1, frozenset({"vpn"}), language="en"))
    floor.wait(60)
    (booked,) = floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, by="chief"))

    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, floor.now, floor.now, language="en")
    assert floor.waiting() == ["c1"]
    floor.tell(CallerHungUp(CallId("c1")))
    floor.wait(0)
    assert floor.waiting() == [FIRST]


def test_a_promise_that_falls_due_while_they_call_themselves_waits_until_that_call_is_over() -> None:
    floor = a_desk()
    floor.ready("alice")
    floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, not_before=MORNING + 60))
    floor.dial("c1", "+821011112222")
    assert of(CallStarted, floor.wait(120)) == [], "they are in the menu"
    assert floor.restored().picture() == floor.engine.picture()
    floor.tell(MenuEnded(CallId("c1"), served=True))

    assert [offer.call for offer in of(CallOffered, floor.wait(0))] == [FIRST]


def test_another_try_is_not_made_while_they_call_themselves() -> None:
    floor = a_desk()
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.dial("c1", NUMBER)
    floor.tell(DialFailed(FIRST, "busy"))

    assert of(CallStarted, floor.wait(3600)) == []
    floor.tell(MenuEnded(CallId("c1"), served=True))
    assert [offer.call for offer in of(CallOffered, floor.wait(0))] == ["cb1-2"]


def test_a_withheld_number_on_the_line_keeps_nobody_from_being_called_back() -> None:
    floor = a_desk()
    floor.ready("alice")
    for call, number in (("c1", None), ("c2", ""), ("c3", "01099998888")):
        floor.dial(call, number)

    assert of(CallOffered, asked(floor)) != []


@pytest.mark.parametrize("by_agent", [True, False])
def test_who_was_let_go_is_not_dialled_at_once(by_agent: bool) -> None:
    """They may still be asked the survey, and a telephone that has just hung up is busy for a moment."""
    floor = a_desk(First.AGENT, "alice")
    talks(floor, "c1")
    asked(floor)
    floor.wait(600)
    if by_agent:
        floor.agent_hangs_up("alice")
    else:
        floor.tell(CallerHungUp(CallId("c1")))

    (promise,) = floor.engine.callbacks.values()
    assert promise.due_at == floor.now + 120, "that is what the list says"
    assert floor.restored().picture() == floor.engine.picture()
    floor.configure(*floor.plan.agents, queues=floor.plan.queues)
    assert of(CallStarted, floor.wait(119.9)) == []
    assert [offer.call for offer in of(CallOffered, floor.wait(0.1))] == [FIRST]


def test_who_was_let_go_late_in_the_day_is_called_in_the_morning() -> None:
    floor = a_desk(now=at(19, 50))
    talks(floor, "c1")
    asked(floor)
    floor.wait(9 * 60)
    floor.tell(CallerHungUp(CallId("c1")))

    assert floor.wait(AFTER) == [CallbackAttempted(CB, 0, at(9, day=21), "hours")]


# Promised in the wrap-up


def wraps_up(floor: Floor, *, by_agent: bool = True) -> None:
    """Alice has spoken with them; they may be asked the survey now."""
    talks(floor, "c1")
    floor.wait(60)
    if by_agent:
        floor.agent_hangs_up("alice")
    else:
        floor.caller_hangs_up("c1")


@pytest.mark.parametrize("by_agent", [True, False])
@pytest.mark.parametrize("number", [NUMBER, "+82 10-1111-2222"])
def test_who_is_promised_a_call_in_the_wrap_up_is_not_dialled_while_they_may_still_be_on_the_line(
    by_agent: bool, number: str
) -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    wraps_up(floor, by_agent=by_agent)
    floor.ready("bob")
    floor.wait(30)
    (booked,) = asked(floor, number)

    assert isinstance(booked, CallbackBooked)
    assert (booked.due_at, booked.placed_at, booked.call) == (floor.now + 90, floor.now, None)
    assert floor.restored().picture() == floor.engine.picture()
    assert of(CallStarted, floor.wait(89.9)) == []
    assert [offer.call for offer in of(CallOffered, floor.wait(0.1))] == [FIRST]


@pytest.mark.parametrize(
    ("number", "by", "language"),
    [
        (NUMBER, "alice", "en"), ("+82 10-1111-2222", "alice", "en"), ("01099998888", "alice", ""),
        (NUMBER, "bob", "en"), (NUMBER, "chief", "en"), (NUMBER, None, "en"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("since", [0, 600])
def test_who_is_promised_a_call_in_the_wrap_up_is_called_in_the_language_they_spoke_with_that_agent(
    since: int, number: str, by: str | None, language: str
) -> None:
    """Whoever books it: the agent, another one or a supervisor."""
    queue = a_queue(wrap_up=900)
    floor = Floor("alice", "bob", queues=[queue], now=MORNING)
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(C1, HELPDESK, language="en"))
    floor.ready("alice")
    floor.talk("alice")
    floor.agent_hangs_up("alice")
    floor.wait(since)
    rebuilt = floor.restored()
    ask = CallbackAsked(CB, number, HELPDESK, by=by)
    booked = of(CallbackBooked, floor.tell(ask))

    assert [one.language for one in booked] == [language]
    assert of(CallbackBooked, rebuilt.handle(ask, floor.now)) == booked


def test_who_was_spoken_to_in_two_calls_that_are_wrapped_up_is_called_back_in_the_language_of_the_later_one() -> None:
    queue = a_queue(wrap_up=900)
    floor = Floor("alice", "bob", queues=[queue], now=MORNING)
    for agent, call, language in [("alice", "c1", "en"), ("bob", "c2", "zh")]:
        floor.dial(call, NUMBER)
        floor.tell(CallArrived(CallId(call), HELPDESK, language=language))
        floor.ready(agent)
        floor.talk(agent)
        floor.wait(5)
        floor.agent_hangs_up(agent)
    (booked,) = of(CallbackBooked, floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, by="chief")))
    assert booked.language == "zh"


def test_what_an_agent_promises_after_the_wrap_up_is_in_the_desks_own_language_again() -> None:
    floor = a_desk()
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(C1, HELPDESK, language="en"))
    floor.ready("alice")
    floor.talk("alice")
    floor.agent_hangs_up("alice")
    assert floor.agent("alice").state is AgentState.READY, "there is no wrap-up"
    (booked,) = of(CallbackBooked, floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, by="alice")))
    assert booked.language == ""


def test_a_later_time_that_was_asked_for_in_the_wrap_up_holds() -> None:
    floor = a_desk()
    wraps_up(floor)
    later = floor.now + 3600
    (booked,) = floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, not_before=later))
    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, later, floor.now)


def test_who_was_spoken_to_more_than_two_minutes_ago_is_dialled_at_once_and_so_is_anybody_else() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    wraps_up(floor)
    floor.ready("alice", "bob")
    assert of(CallOffered, asked(floor, "01099998888", "cb2")) != []
    floor.tell(CallbackCancelled(CallbackId("cb2")))
    floor.wait(AFTER)
    assert of(CallOffered, asked(floor)) != []


def test_who_is_promised_a_call_in_the_last_wrap_up_of_the_day_is_called_in_the_morning() -> None:
    floor = a_desk(now=at(19, 58))
    wraps_up(floor)
    (booked,) = asked(floor)
    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, at(9, day=21), floor.now)



# Who is to be called back calls in before anybody has dialled them

def nobody_is_free(first: First) -> Floor:
    """The attempt waits for an agent."""
    floor = a_desk(first)
    asked(floor)
    return floor


def alices_phone_rings(first: First) -> Floor:
    floor = a_desk(first)
    floor.ready("alice")
    asked(floor)
    return floor


def test_an_agent_whose_phone_rings_for_somebody_who_calls_in_meanwhile_is_let_go_and_keeps_their_turn() -> None:
    floor = alices_phone_rings(First.AGENT)
    turn = floor.agent("alice").idle_since
    floor.wait(5)
    effects = floor.dial("c1", "+82 10-1111-2222")

    assert effects == [
        CallStarted(C1, Direction.INBOUND, "+82 10-1111-2222", "1000"),
        StopRinging(ALICE, FIRST, ONE),
        OfferEnded(FIRST, ALICE, ONE, OfferEnd.CALLER_LEFT),
        CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "called_in"),
        AgentStateChanged(ALICE, AgentState.RESERVED, AgentState.READY, None, FIRST),
        CallbackAttempted(CB, 0, MORNING, "called_in"),
    ]
    assert (floor.agent("alice").state, floor.agent("alice").idle_since) == (AgentState.READY, turn)
    assert floor.agent("alice").misses == 0
    assert HangUpAgent(ALICE, FIRST, ONE) in floor.tell(AgentAnswered(ALICE, FIRST, ONE)), "their answers crossed"
    assert floor.restored().picture() == floor.engine.picture()


@pytest.mark.parametrize("start", [nobody_is_free, alices_phone_rings])
def test_who_calls_in_is_dialled_neither_in_the_menu_nor_after_an_agent_comes_free(
    start: Callable[[First], Floor],
) -> None:
    floor = start(First.AGENT)
    floor.dial("c1", NUMBER)
    floor.ready("alice")

    assert of(CallStarted, floor.wait(3600)) == []
    assert [promise.attempts for promise in floor.engine.callbacks.values()] == [0], "no try was made"
    assert list(floor.engine.calls) == ["c1"]


@pytest.mark.parametrize("first", First)
def test_who_called_in_and_was_not_served_is_called_back_in_the_place_they_had(first: First) -> None:
    floor = nobody_is_free(first)
    floor.wait(1200)
    floor.dial("c1", NUMBER)
    floor.wait(60)
    floor.tell(MenuEnded(C1, served=False))
    effects = floor.wait(0)

    (queued,) = of(CallQueued, effects)
    assert (queued.call, queued.placed_at) == ("cb1-2", MORNING)
    effects = floor.ready("alice")
    effects += floor.answer("alice") if first is First.AGENT else []
    assert [dial.call for dial in of(DialPerson, effects)] == ["cb1-2"]


def test_who_called_in_and_comes_to_a_queue_has_the_place_of_their_promise_and_that_settles_it() -> None:
    floor = alices_phone_rings(First.AGENT)
    floor.wait(100)
    floor.not_ready("alice")
    floor.dial("c1", NUMBER)
    floor.wait(30)
    effects = floor.tell(CallArrived(C1, HELPDESK))

    assert CallbackClosed(CB, CallbackEnd.CALLED_IN) in effects
    assert of(CallQueued, effects)[0].placed_at == MORNING
    floor.caller_hangs_up("c1")
    floor.ready("alice")
    assert of(CallStarted, floor.wait(3600)) == []


def test_who_is_being_dialled_and_calls_in_costs_the_agent_nothing_and_is_tried_again() -> None:
    """It is too late to stop: their telephone rings, or is busy with their own call to us."""
    floor = alices_phone_rings(First.CALLER)
    effects = floor.dial("c1", NUMBER)

    assert of(CallEnded, effects) == []
    floor.tell(DialFailed(FIRST, "busy"))
    assert floor.engine.callbacks[CB].attempts == 1
    assert floor.agent("alice").state is AgentState.READY


def test_who_is_turned_away_at_the_door_is_called_back_as_if_they_had_not_called() -> None:
    floor = alices_phone_rings(First.AGENT)
    effects = floor.tell(CallerDialledIn(C1, NUMBER, "100", turned_away=True))

    assert [ended.call for ended in of(CallEnded, effects)] == ["c1"]
    assert of(StopRinging, effects) == []
    assert of(DialPerson, floor.answer("alice")) != []


def test_somebody_else_who_calls_in_stops_nobodys_call_back() -> None:
    floor = alices_phone_rings(First.AGENT)
    for call, number in (("c1", None), ("c2", ""), ("c3", "01099998888")):
        assert of(CallEnded, floor.dial(call, number)) == []
