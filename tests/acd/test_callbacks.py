"""Promises to call back: kept in the place the caller had, never two dials at once (lessons 24-27)."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest

from changgu.acd.callbacks import credited, last_moment, next_hour_to_call
from changgu.acd.commands import ConnectCall, DialPerson, HangUpAgent, HangUpCaller, PlayMusicOnHold, RingAgent
from changgu.acd.engine import Effect
from changgu.acd.events import (
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerHungUp,
    DialFailed,
    KeyPressed,
    MenuEnded,
    PersonReached,
)
from changgu.acd.facts import (
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Departure,
    Direction,
    Ender,
    NewsIgnored,
    Outcome,
    PersonAnswered,
)
from changgu.acd.identity import CallbackId, CallId, QueueName
from changgu.acd.queues import CallbackRules, Destination, First, Overflow, Queue, Rules, Way
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent, seconds

SEOUL = ZoneInfo("Asia/Seoul")
MORNING = datetime(2026, 11, 20, 10, 0, tzinfo=SEOUL).timestamp()
CB = CallbackId("cb1")
FIRST = CallId("cb1-1")
NUMBER = "01011112222"


def a_desk(first: First = First.AGENT, *agents: str, now: float = MORNING, attempts: int = 3) -> Floor:
    rules = CallbackRules(first=first, attempts=attempts, retry_after=timedelta(minutes=15), ring_limit=seconds(30))
    keys = {"1": Destination(Way.CALLBACK)}
    queue = Queue(HELPDESK, "helpdesk", callbacks=rules, keys=keys, wrap_up=seconds(0))
    return Floor(*(agents or ("alice",)), queues=[queue], now=now)


def asked(floor: Floor, number: str = NUMBER, callback: str = CB, call: str | None = None) -> list[Effect]:
    return floor.tell(CallbackAsked(CallbackId(callback), number, HELPDESK, CallId(call) if call else None))


T = TypeVar("T")


def of(kind: type[T], effects: list[Effect]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


# Hours and places


def at(hour: int, minute: int = 0, day: int = 20) -> float:
    return datetime(2026, 11, day, hour, minute, tzinfo=SEOUL).timestamp()


def test_nobody_is_dialled_outside_the_hours_of_the_desks_day() -> None:
    rules = CallbackRules(opens=time(9), closes=time(20))
    assert next_hour_to_call(at(10), rules, SEOUL) == at(10)
    assert next_hour_to_call(at(9), rules, SEOUL) == at(9)
    assert next_hour_to_call(at(8, 59), rules, SEOUL) == at(9)
    assert next_hour_to_call(at(19, 59), rules, SEOUL) == at(19, 59)
    assert next_hour_to_call(at(20), rules, SEOUL) == at(9, day=21)
    assert last_moment(at(10), rules, SEOUL) == at(20)


def test_the_advantage_of_having_waited_is_bounded() -> None:
    """Row 26: call-backs starve live callers."""
    rules = CallbackRules(advantage=timedelta(minutes=10))
    assert credited(1000.0, 1300.0, rules) == 1000.0
    assert credited(1000.0, 9000.0, rules) == 8400.0


# From the queue


def test_a_caller_who_asks_by_key_is_called_back_in_the_place_they_had() -> None:
    """Row 24."""
    floor = a_desk()
    floor.dial("c1", NUMBER)
    floor.queue("c1")
    floor.wait(60)
    floor.call("c2")
    floor.tell(KeyPressed(CallId("c1"), "1"))
    booked = of(CallbackBooked, asked(floor, call="c1"))
    ended = floor.tell(MenuEnded(CallId("c1"), served=True, outcome=Outcome.CALLBACK))

    assert booked == [CallbackBooked(CB, NUMBER, HELPDESK, floor.now, floor.now - 60, call=CallId("c1"))]
    assert ended[0] == CallEnded(CallId("c1"), Outcome.CALLBACK, Ender.DESK)
    assert floor.engine.calls.get(FIRST) is None, "not while they are on the line"
    floor.wait(0)
    assert floor.waiting() == [FIRST, "c2"]


def test_who_waited_in_english_is_called_back_in_english_also_after_a_restart() -> None:
    floor = a_desk(First.CALLER)
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(CallId("c1"), HELPDESK, language="en"))
    floor.tell(KeyPressed(CallId("c1"), "1"))
    (booked,) = of(CallbackBooked, asked(floor, call="c1"))
    for engine in (floor.engine, floor.restored()):
        assert (booked.language, engine.callbacks[CB].language) == ("en", "en")
    floor.ready("alice")
    floor.tell(MenuEnded(CallId("c1"), served=True, outcome=Outcome.CALLBACK))
    (dial,) = of(DialPerson, floor.wait(0))

    assert dial == DialPerson(FIRST, NUMBER, HELPDESK, seconds(30), "en")
    assert floor.engine.calls[FIRST].language == "en"
    assert floor.restored().calls[FIRST].language == "en"
    floor.tell(DialFailed(FIRST, "busy"))
    assert of(DialPerson, floor.wait(15 * 60))[0].language == "en", "and at the next try"


def test_who_asks_in_the_menu_says_in_which_language_they_are_called_back() -> None:
    floor = a_desk(First.CALLER)
    floor.ready("alice")
    floor.dial("c1", NUMBER)
    floor.tell(CallbackAsked(CB, NUMBER, HELPDESK, CallId("c1"), language="en"))
    floor.tell(MenuEnded(CallId("c1"), served=True, outcome=Outcome.CALLBACK))

    assert of(DialPerson, floor.wait(0))[0].language == "en"


def test_the_agent_is_called_first_and_then_the_person() -> None:
    floor = a_desk()
    floor.ready("alice")
    effects = asked(floor)

    assert CallStarted(FIRST, Direction.OUTBOUND, NUMBER, "", CB) in effects
    assert of(RingAgent, effects)[0].outbound
    assert floor.answer("alice")[-1] == DialPerson(FIRST, NUMBER, HELPDESK, seconds(30))
    assert floor.tell(PersonReached(FIRST)) == [PersonAnswered(FIRST), ConnectCall("alice", FIRST, 1)]  # type: ignore[arg-type]
    assert of(CallbackClosed, floor.connected("alice")) == [CallbackClosed(CB, CallbackEnd.KEPT)]
    assert floor.engine.callbacks == {}


def test_the_person_is_called_first_and_then_the_agent() -> None:
    floor = a_desk(First.CALLER)
    floor.ready("alice")
    effects = asked(floor)

    assert of(RingAgent, effects) == []
    assert effects[-1] == DialPerson(FIRST, NUMBER, HELPDESK, seconds(30))
    assert floor.agent("alice").state == "reserved"
    (ring,) = of(RingAgent, floor.tell(PersonReached(FIRST)))
    assert ring.outbound
    assert floor.answer("alice")[-1] == ConnectCall("alice", FIRST, 1)  # type: ignore[arg-type]


def test_never_two_dials_to_one_person_at_once() -> None:
    """Row 25: a paid call-back calls the customer two to four times at once."""
    floor = a_desk(First.AGENT, "alice", "bob")
    floor.ready("alice", "bob")
    asked(floor)

    (ignored,) = asked(floor, callback="cb2")
    assert isinstance(ignored, NewsIgnored)
    assert len(floor.engine.callbacks) == 1


def test_a_cancelled_promise_that_is_still_being_dialled_is_not_taken_for_a_new_one() -> None:
    floor = a_desk(First.AGENT, "alice")
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(CallbackCancelled(CB))

    (ignored,) = asked(floor, number="010-9999-8888")
    assert isinstance(ignored, NewsIgnored)
    assert of(CallbackAttempted, floor.tell(CallerHungUp(FIRST))) == []
    assert of(CallbackBooked, asked(floor, number="010-9999-8888")) != []


def test_no_more_dials_than_free_agents() -> None:
    """Row 26: more call-backs in flight than agents."""
    floor = a_desk(First.CALLER, "alice", "bob")
    floor.ready("alice", "bob")
    dials = [of(DialPerson, asked(floor, f"0101111000{n}", f"cb{n}")) for n in range(4)]

    assert [len(dial) for dial in dials] == [1, 1, 0, 0]


def test_a_person_who_does_not_answer_is_tried_again_later_and_the_agent_is_free() -> None:
    floor = a_desk()
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    effects = floor.tell(DialFailed(FIRST, "no_answer"))

    assert HangUpAgent("alice", FIRST, 1) in effects  # type: ignore[arg-type]
    assert CallEnded(FIRST, Outcome.NOT_REACHED, Ender.CALLER, "no_answer") in effects
    assert CallbackAttempted(CB, 1, floor.now + 900, "no_answer") in effects
    assert (floor.agent("alice").state, floor.agent("alice").misses) == ("ready", 0)

    (again,) = of(CallOffered, floor.wait(900))
    assert again.call == "cb1-2"


def test_after_the_last_attempt_the_promise_is_given_up_and_counted() -> None:
    floor = a_desk(attempts=2)
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(DialFailed(FIRST, "busy"))
    floor.wait(900)
    floor.answer("alice")

    effects = floor.tell(DialFailed(CallId("cb1-2"), "busy"))
    assert of(CallbackClosed, effects) == [CallbackClosed(CB, CallbackEnd.GIVEN_UP)]


def test_an_agent_who_misses_the_ring_costs_the_promise_nothing() -> None:
    floor = a_desk(First.AGENT, "alice", "bob")
    floor.ready("alice", "bob")
    asked(floor)
    (offer,) = of(CallOffered, floor.wait(20))

    assert offer.agent == "bob"
    assert floor.engine.callbacks[CB].attempts == 0


def test_an_agent_who_hangs_up_while_the_person_is_dialled_stops_the_dial() -> None:
    floor = a_desk()
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    effects = floor.agent_hangs_up("alice")

    assert HangUpCaller(FIRST, "none") in effects  # type: ignore[arg-type]
    assert of(CallbackAttempted, effects)


def test_a_person_reached_whose_agent_is_gone_hears_music_and_the_next_agent_rings() -> None:
    floor = a_desk(First.CALLER, "alice", "bob")
    floor.ready("alice", "bob")
    asked(floor)
    floor.tell(PersonReached(FIRST))
    effects = floor.decline("alice")

    assert [ring.agent for ring in of(RingAgent, effects)] == ["bob"]
    assert of(DialPerson, effects) == []
    assert PlayMusicOnHold(FIRST, HELPDESK) not in effects


def test_a_call_back_after_hours_waits_for_the_morning() -> None:
    evening = at(20, 30)
    floor = a_desk(now=evening)
    floor.ready("alice")
    (booked,) = of(CallbackBooked, asked(floor))

    assert booked.due_at == at(9, day=21)
    assert of(CallOffered, floor.wait(booked.due_at - evening)) != []


def test_an_attempt_no_agent_was_free_for_is_put_off_at_closing_time() -> None:
    floor = a_desk(now=at(19, 58))
    asked(floor)
    effects = floor.wait(120)

    assert CallEnded(FIRST, Outcome.NOT_REACHED, Ender.DESK, "hours") in effects
    assert of(CallbackAttempted, effects) == [CallbackAttempted(CB, 0, at(9, day=21), "hours")]


def test_who_calls_in_again_takes_the_place_of_their_call_back() -> None:
    floor = a_desk()
    asked(floor)
    floor.wait(100)
    floor.call("c2")
    floor.dial("c3", NUMBER)
    effects = floor.tell(CallArrived(CallId("c3"), HELPDESK))

    assert CallbackClosed(CB, CallbackEnd.CALLED_IN) in effects
    assert of(CallQueued, effects)[0].placed_at == floor.now - 100
    assert floor.waiting() == ["c3", "c2"]


def test_a_promise_can_be_cancelled_and_nobody_is_dialled() -> None:
    floor = a_desk()
    asked(floor)
    effects = floor.tell(CallbackCancelled(CB, by="chief"))

    assert effects[0] == CallbackClosed(CB, CallbackEnd.CANCELLED, "chief")
    assert floor.engine.calls == {}


def test_an_unknown_queue_or_no_number_is_no_promise() -> None:
    floor = a_desk()
    for event in (CallbackAsked(CB, NUMBER, QueueName("nowhere")), CallbackAsked(CB, "", HELPDESK)):
        (ignored,) = floor.tell(event)
        assert isinstance(ignored, NewsIgnored)


def test_live_callers_and_call_backs_share_the_agents_by_place() -> None:
    """Blended inbound and call-back work."""
    floor = a_desk()
    floor.call("c1")
    floor.wait(10)
    asked(floor)
    floor.wait(10)
    floor.call("c2")

    assert floor.waiting() == ["c1", FIRST, "c2"]


def test_promises_outlive_a_restart() -> None:
    floor = a_desk()
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(DialFailed(FIRST, "busy"))
    asked(floor, "01033334444", "cb2")

    assert floor.restored().picture() == floor.engine.picture()
    assert set(floor.restored().callbacks) == {"cb1", "cb2"}


@pytest.mark.parametrize("first", First)
def test_a_dial_of_which_nothing_is_heard_again_has_failed(first: First) -> None:
    floor = a_desk(first)
    floor.ready("alice")
    asked(floor)
    if first is First.AGENT:
        floor.answer("alice")
    effects = floor.wait(30 + 15)

    assert HangUpCaller(FIRST, "none") in effects  # type: ignore[arg-type]
    assert of(CallbackAttempted, effects)
    assert floor.agent("alice").state == "ready"


def test_who_hangs_up_after_being_reached_but_before_an_agent_was_not_reached() -> None:
    floor = a_desk(First.CALLER)
    floor.ready("alice")
    asked(floor)
    floor.tell(PersonReached(FIRST))
    effects = floor.tell(CallerHungUp(FIRST))

    assert CallEnded(FIRST, Outcome.NOT_REACHED, Ender.CALLER) in effects
    assert of(CallbackAttempted, effects)[0].attempts == 1


def test_a_conversation_kept_the_promise_however_it_ends() -> None:
    floor = a_desk()
    floor.ready("alice")
    asked(floor)
    floor.answer("alice")
    floor.tell(PersonReached(FIRST))
    floor.connected("alice")

    assert of(CallbackAttempted, floor.tell(CallerHungUp(FIRST))) == []
    assert datetime.fromtimestamp(floor.now, UTC).year == 2026


def test_call_backs_are_not_turned_away_by_a_queues_rules_for_arrivals() -> None:
    floor = a_desk()
    floor.configure(an_agent("alice"), queues=[a_queue()])
    asked(floor)

    assert floor.waiting() == [FIRST]


def test_a_caller_sent_to_a_call_back_at_the_door_keeps_skills_and_priority_also_over_a_restart() -> None:
    """They never waited, so only the fact of their being led away can carry what they came with."""
    door = Overflow(Departure.UNSTAFFED, Destination(Way.CALLBACK))
    floor = Floor(an_agent("alice", skills=["vpn"]), queues=[Queue(HELPDESK, "", overflows=(door,))], now=MORNING)
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(CallId("c1"), HELPDESK, 2, frozenset({"vpn"})))
    rebuilt = floor.restored()

    lived = of(CallbackBooked, asked(floor, call="c1"))
    later = of(CallbackBooked, rebuilt.handle(CallbackAsked(CB, NUMBER, HELPDESK, CallId("c1")), floor.now))

    assert [(one.priority, one.skills) for one in lived] == [(2, frozenset({"vpn"}))]
    assert later == lived


def test_nobody_is_called_back_on_a_holiday_unless_the_queue_says_so() -> None:
    rules, quiet = CallbackRules(opens=time(9), closes=time(20)), {date(2026, 11, 20), date(2026, 11, 21)}
    assert next_hour_to_call(at(10), rules, SEOUL, quiet) == at(9, day=22)
    assert next_hour_to_call(at(21, day=19), rules, SEOUL, quiet) == at(9, day=22)
    assert next_hour_to_call(at(8, day=22), rules, SEOUL, quiet) == at(9, day=22)
    assert next_hour_to_call(at(10), replace(rules, on_holidays=True), SEOUL, quiet) == at(10)


def test_a_promise_made_before_a_holiday_is_kept_on_the_next_day() -> None:
    """Who asks on the eve of Chuseok does not want the telephone to ring on its morning."""
    evening, holiday = at(20, 30, day=19), Rules(holidays=frozenset({date(2026, 11, 20)}))
    floor = Floor("alice", queues=[Queue(HELPDESK, "helpdesk", callbacks=CallbackRules())], now=evening, rules=holiday)
    floor.ready("alice")
    (booked,) = of(CallbackBooked, asked(floor))
    assert booked.due_at == at(9, day=21)

    assert of(RingAgent, floor.wait(at(8, 59, day=21) - evening)) == []
    assert len(of(RingAgent, floor.wait(60))) == 1
