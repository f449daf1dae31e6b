"""Whoever is on the line can be promised another call, and is not dialled before they have hung up."""

import pytest

from changgu.acd.callbacks import AFTER_TALK
from changgu.acd.events import (
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerHungUp,
    CallLost,
    DialFailed,
    MenuEnded,
    PersonReached,
)
from changgu.acd.facts import CallbackAttempted, CallbackBooked, CallOffered, CallStarted, NewsIgnored
from changgu.acd.identity import CallbackId, CallId
from changgu.acd.queues import First
from tests.acd.test_callbacks import CB, FIRST, MORNING, NUMBER, a_desk, asked, at, of
from tests.support.floor import HELPDESK, Floor

AFTER = AFTER_TALK.total_seconds()


def spoken_to(floor: Floor) -> None:
    """In a call-back."""
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(PersonReached(FIRST))
    floor.connected("alice")


@pytest.mark.parametrize("call", [None, FIRST])
def test_who_is_spoken_to_in_a_call_back_can_be_promised_another(call: CallId | None) -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    spoken_to(floor)
    floor.ready("bob")
    (booked,) = asked(floor, callback="cb2", call=call)
    floor.wait(3600)

    assert booked == CallbackBooked(CallbackId("cb2"), NUMBER, HELPDESK, MORNING, MORNING, call=FIRST)
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
    (booked,) = asked(floor)

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

    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, floor.now, talks_since, 2, call=CallId("c2"))
    assert of(CallStarted, floor.wait(3600)) == [], "they are on the line"
    assert floor.restored().picture() == floor.engine.picture()
    floor.tell(CallerHungUp(CallId("c2")))
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == [FIRST]


def test_a_promise_that_names_another_call_keeps_its_place_and_hangs_on_the_one_they_are_spoken_to_in() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(CallId("c1"), HELPDESK, 1, frozenset({"vpn"}), language="en"))
    came = floor.now
    floor.wait(60)
    talks(floor, "c2")
    floor.ready("bob")
    (booked,) = asked(floor, call="c1")

    skills = frozenset({"vpn"})
    assert booked == CallbackBooked(CB, NUMBER, HELPDESK, floor.now, came, 1, skills, CallId("c2"), "en")
    floor.tell(CallerHungUp(CallId("c1")))
    assert of(CallStarted, floor.wait(3600)) == [], "they are still spoken to"


@pytest.mark.parametrize(("named", "asked_from"), [(None, "c1"), ("c1", "c1"), ("c2", "c2"), ("gone", "c1")])
def test_who_is_spoken_to_in_two_calls_is_dialled_when_both_are_over(named: str | None, asked_from: str) -> None:
    floor = a_desk(First.AGENT, "alice", "bob", "carol")
    talks(floor, "c1")
    talks(floor, "c2", "bob")
    floor.ready("carol")
    (booked,) = of(CallbackBooked, asked(floor, call=named))
    assert booked.call == asked_from

    floor.tell(CallerHungUp(CallId("c1")))
    assert of(CallStarted, floor.wait(3600)) == []
    floor.tell(CallerHungUp(CallId("c2")))
    assert [offer.call for offer in of(CallOffered, floor.wait(AFTER))] == [FIRST]


def test_who_waits_is_promised_a_call_beside_their_own_and_not_dialled_before_that_is_over() -> None:
    """An agent books it for a number, and does not know that they wait."""
    floor = a_desk()
    floor.dial("c1", NUMBER)
    floor.queue("c1")
    asked(floor)

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
