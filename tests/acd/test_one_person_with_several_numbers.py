"""Somebody with a mobile and a desk telephone is one person: promised one call, and not dialled at the other number."""

import msgspec
import pytest

from changgu.acd.callbacks import AFTER_TALK
from changgu.acd.commands import DialPerson
from changgu.acd.events import CallArrived, CallbackAsked, CallbackCancelled, CallerDialledIn, CallerHungUp
from changgu.acd.fact_json import from_text, kind_of, text_of
from changgu.acd.facts import (
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallQueued,
    CallStarted,
    Direction,
    NewsIgnored,
)
from changgu.acd.identity import CallbackId, CallId
from changgu.acd.queues import First
from tests.acd.test_callbacks import CB, FIRST, a_desk, of
from tests.support.floor import HELPDESK, Floor

MOBILE, DESK, ELSEWHERE = "01011112222", "5010", "01099998888"
LEE, CHOI = "7", "8"
SECOND = CallbackId("cb2")
AFTER = AFTER_TALK.total_seconds()


def dials_in(floor: Floor, call: str, number: str, person: str = LEE) -> None:
    floor.tell(CallerDialledIn(CallId(call), number, "1000", person=person))


def promised(
    floor: Floor, number: str, person: str = LEE, callback: CallbackId = CB, by: str | None = None
) -> list[CallbackBooked]:
    """What is booked when a call is asked for."""
    return of(CallbackBooked, floor.tell(CallbackAsked(callback, number, HELPDESK, person=person, by=by)))


def talks_from(floor: Floor, number: str, person: str = LEE) -> None:
    """They called, and alice speaks with them."""
    dials_in(floor, "c1", number, person)
    floor.queue("c1")
    floor.ready("alice")
    floor.talk("alice")


def survives(floor: Floor) -> None:
    """The floor that is read back from the ledger is the one that was lived."""
    for recorded in floor.history:
        assert from_text(kind_of(recorded.fact), text_of(recorded.fact)) == recorded.fact
    assert floor.restored().picture() == floor.engine.picture()


@pytest.mark.parametrize(
    ("one", "other", "taken"), [(LEE, LEE, True), (LEE, CHOI, False), (LEE, "", False), ("", "", False)]
)
def test_a_person_is_promised_one_call_whatever_their_numbers_are(one: str, other: str, taken: bool) -> None:
    """A number that nobody, or that several people have, is a number and no more."""
    floor = a_desk()
    assert promised(floor, MOBILE, one) != []
    effects = floor.tell(CallbackAsked(SECOND, DESK, HELPDESK, person=other))

    assert any(isinstance(one, NewsIgnored) and one.why == "to be called back already" for one in effects) is taken
    assert (SECOND in floor.engine.callbacks) is not taken
    survives(floor)


def test_who_was_promised_a_call_before_it_was_known_whose_number_that_is_has_this_one_promise() -> None:
    floor = a_desk()
    promised(floor, MOBILE, "")
    assert promised(floor, MOBILE, LEE, SECOND) == []

    floor.tell(CallbackCancelled(CB))
    promised(floor, MOBILE, LEE)
    assert promised(floor, MOBILE, "", SECOND) == [], "nor when the directory has forgotten it"
    assert promised(floor, MOBILE, CHOI, SECOND) == [], "nor when it is somebody else's by now"


def test_who_was_let_go_at_one_number_is_not_dialled_at_the_other_for_two_minutes() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    talks_from(floor, DESK)
    floor.wait(60)
    floor.tell(CallerHungUp(CallId("c1")))
    floor.ready("bob")
    floor.wait(30)
    (booked,) = promised(floor, MOBILE)

    assert (booked.due_at, booked.person) == (floor.now + AFTER - 30, LEE)
    survives(floor)
    assert of(CallStarted, floor.wait(AFTER - 30.1)) == []
    (started,) = of(CallStarted, floor.wait(0.1))
    assert (started.call, started.caller, started.person) == (FIRST, MOBILE, LEE)


def test_a_promise_to_the_mobile_waits_while_its_person_speaks_at_the_desk_and_for_two_minutes_more() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    talks_from(floor, DESK)
    floor.ready("bob")
    (booked,) = promised(floor, MOBILE, by="alice")
    assert booked.call == "c1", "alice promises it to whom she speaks with"
    assert of(CallStarted, floor.wait(600)) == []

    floor.tell(CallerHungUp(CallId("c1")))
    survives(floor)
    assert of(CallStarted, floor.wait(AFTER - 0.1)) == []
    assert [started.call for started in of(CallStarted, floor.wait(0.1))] == [FIRST]


def test_whoever_comes_to_a_queue_from_their_desk_has_the_place_that_was_promised_to_their_mobile() -> None:
    floor = a_desk()
    dials_in(floor, "c0", MOBILE)
    floor.queue("c0")
    floor.wait(60)
    since = floor.now - 60
    floor.tell(CallbackAsked(CB, MOBILE, HELPDESK, CallId("c0"), person=LEE))
    floor.tell(CallerHungUp(CallId("c0")))
    floor.wait(300)
    dials_in(floor, "c1", DESK)
    effects = floor.queue("c1")

    assert [queued.placed_at for queued in of(CallQueued, effects)] == [since]
    assert [closed.end for closed in of(CallbackClosed, effects)] == [CallbackEnd.CALLED_IN]
    assert floor.engine.callbacks == {}
    survives(floor)


def test_an_attempt_at_the_mobile_that_waits_for_an_agent_is_put_off_when_its_person_calls_from_their_desk() -> None:
    floor = a_desk()
    promised(floor, MOBILE)
    assert list(floor.engine.calls) == [FIRST], "it waits for an agent"
    effects = floor.tell(CallerDialledIn(CallId("c1"), DESK, "1000", person=LEE))

    assert [(put_off.attempts, put_off.cause) for put_off in of(CallbackAttempted, effects)] == [(0, "called_in")]
    floor.ready("alice")
    assert of(DialPerson, floor.wait(600)) == [], "while they are in the menu"
    survives(floor)
    floor.tell(CallerHungUp(CallId("c1")))
    assert [started.caller for started in of(CallStarted, floor.wait(0))] == [MOBILE]


def test_two_promises_of_whom_it_was_learnt_later_that_they_are_one_person_are_both_settled_when_they_come() -> None:
    floor = a_desk(First.AGENT, "alice")
    promised(floor, MOBILE, "")
    promised(floor, DESK, LEE, SECOND)
    floor.tell(CallerDialledIn(CallId("c1"), MOBILE, "1000", person=LEE))
    assert list(floor.engine.calls) == ["c1"], "neither is dialled meanwhile"
    closed = of(CallbackClosed, floor.queue("c1"))

    assert [(one.callback, one.end.value) for one in closed] == [(CB, "called_in"), (SECOND, "called_in")]
    survives(floor)


def test_whoever_spoke_english_at_their_desk_is_called_at_their_mobile_in_english() -> None:
    floor = Floor("alice", now=a_desk().now)
    dials_in(floor, "c1", DESK)
    floor.tell(CallArrived(CallId("c1"), HELPDESK, language="en"))
    floor.ready("alice")
    floor.talk("alice")
    assert [one.language for one in promised(floor, MOBILE, by="chief")] == ["en"], "as they speak"
    floor.tell(CallbackCancelled(CB))
    floor.agent_hangs_up("alice")
    assert [one.language for one in promised(floor, MOBILE, callback=SECOND, by="chief")] == ["en"], "in the wrap-up"
    floor.tell(CallbackCancelled(SECOND))
    assert [one.language for one in promised(floor, ELSEWHERE, CHOI, CallbackId("cb3"))] == [""]


def test_facts_of_a_ledger_that_knew_no_people_are_read_as_of_nobody_in_particular() -> None:
    old = '{"call":"c1","direction":"inbound","caller":"5010","dialled":"1000","callback":null,"since":null}'
    assert from_text("CallStarted", old) == CallStarted(CallId("c1"), Direction.INBOUND, DESK, "1000")
    booked = CallbackBooked(CB, MOBILE, HELPDESK, 2.0, 1.0)
    body = msgspec.json.decode(text_of(booked))
    del body["person"]
    assert from_text("CallbackBooked", msgspec.json.encode(body).decode()) == booked
