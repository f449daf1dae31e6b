"""Worked examples of every time and figure of a call."""

import pytest

from changgu.acd.agent_words import AgentState
from changgu.acd.call_record import CallRecord, Departed, MenuStep, fold
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackBooked,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Departure,
    Direction,
    Ender,
    Fact,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    Recorded,
    WaitAnnounced,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName

CALL, ALICE, BOB, NETWORK = CallId("c1"), AgentId("alice"), AgentId("bob"), QueueName("network")
STARTED = CallStarted(CALL, Direction.INBOUND, "01012345678", "1000")
T0 = 1_790_000_000.0


def record(*story: tuple[float, Fact]) -> CallRecord:
    """The record of CALL after facts at seconds since T0."""
    return fold(Recorded(seq, T0 + at, fact) for seq, (at, fact) in enumerate(story, start=1))[CALL]


def wrap_up(agent: AgentId = ALICE) -> Fact:
    return AgentStateChanged(agent, AgentState.TALKING, AgentState.WRAP_UP, call=CALL)


def ready(agent: AgentId = ALICE) -> Fact:
    return AgentStateChanged(agent, AgentState.WRAP_UP, AgentState.READY, call=CALL)


def test_a_call_from_the_menu_to_the_end_of_the_wrap_up() -> None:
    call = record(
        (0, STARTED),
        (0, MenuStepTaken(CALL, "main", None)),
        (8.5, MenuStepTaken(CALL, "network", "2")),
        (10, CallQueued(CALL, NETWORK, 0)),
        (12, CallOffered(CALL, ALICE, OfferId(1), NETWORK)),
        (15, CallAnswered(CALL, ALICE, OfferId(1), NETWORK)),
        (15.25, CallConnected(CALL, ALICE, OfferId(1))),
        (75.25, CallEnded(CALL, Outcome.ANSWERED, Ender.CALLER)),
        (75.25, wrap_up()),
        (95.5, ready()),
    )
    assert call.menu_path == (MenuStep("main", None), MenuStep("network", "2"))
    assert (call.queue, call.agent, call.outcome, call.ended_by) == (NETWORK, ALICE, Outcome.ANSWERED, Ender.CALLER)
    assert call.wait_seconds == 5.25
    assert call.time_to_first_answer_seconds == 15.25
    assert call.talk_seconds == 60
    assert call.wrap_up_seconds == 20.25
    assert call.settled


def test_the_talk_timer_does_not_include_the_wait_in_the_queue() -> None:
    call = record(
        (0, STARTED),
        (0, CallQueued(CALL, NETWORK, 0)),
        (300, CallConnected(CALL, ALICE, OfferId(1))),
        (310, CallEnded(CALL, Outcome.ANSWERED, Ender.AGENT)),
    )
    assert (call.wait_seconds, call.talk_seconds) == (300, 10)


def test_holding_is_part_of_talking_and_is_known_apart() -> None:
    call = record(
        (0, STARTED),
        (0, CallQueued(CALL, NETWORK, 0)),
        (5, CallConnected(CALL, ALICE, OfferId(1))),
        (20, HoldStarted(CALL, ALICE)),
        (30, HoldEnded(CALL, ALICE)),
        (40, HoldStarted(CALL, ALICE)),
        (45, CallEnded(CALL, Outcome.ANSWERED, Ender.CALLER)),
    )
    assert (call.talk_seconds, call.hold_seconds, call.held_since) == (40, 15, None)


def test_a_caller_who_gave_up_waited_until_they_hung_up() -> None:
    call = record(
        (0, STARTED),
        (4, CallQueued(CALL, NETWORK, 0)),
        (64, CallEnded(CALL, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)),
    )
    assert call.wait_seconds == 60
    assert call.time_to_first_answer_seconds is None
    assert call.talk_seconds is None
    assert call.wrap_up_seconds is None
    assert call.agent is None
    assert call.settled


def test_an_agent_whose_phone_only_rang_has_not_answered_and_the_wait_goes_on() -> None:
    call = record(
        (0, STARTED),
        (0, CallQueued(CALL, NETWORK, 0)),
        (0, CallOffered(CALL, ALICE, OfferId(1), NETWORK)),
        (20, OfferEnded(CALL, ALICE, OfferId(1), OfferEnd.NO_ANSWER)),
        (20, CallOffered(CALL, BOB, OfferId(2), NETWORK)),
        (25, CallConnected(CALL, BOB, OfferId(2))),
    )
    assert (call.agent, call.offers, call.wait_seconds) == (BOB, 2, 25)


def test_an_answered_call_is_answered_whoever_serves_the_queue() -> None:
    """Comparable systems report a call as abandoned when the agent was not a dynamic member of its queue."""
    call = record(
        (0, STARTED),
        (0, CallQueued(CALL, NETWORK, 0)),
        (1, CallConnected(CALL, AgentId("from-another-queue"), OfferId(1))),
        (9, CallEnded(CALL, Outcome.ANSWERED, Ender.CALLER)),
    )
    assert (call.outcome, call.agent, call.wait_seconds) == (Outcome.ANSWERED, "from-another-queue", 1)


def test_a_second_queue_resets_neither_the_wait_nor_the_time_to_first_answer() -> None:
    call = record(
        (0, STARTED),
        (10, CallQueued(CALL, NETWORK, 0)),
        (40, CallQueued(CALL, QueueName("pc"), 0)),
        (50, CallConnected(CALL, ALICE, OfferId(1))),
    )
    assert (call.queue, call.wait_seconds, call.time_to_first_answer_seconds) == ("pc", 40, 50)


def test_a_caller_who_hung_up_in_the_menu_never_waited() -> None:
    call = record((0, STARTED), (9, CallEnded(CALL, Outcome.ABANDONED_IN_MENU, Ender.CALLER)))
    assert (call.wait_seconds, call.queue) == (None, None)


def test_no_figure_is_shown_before_it_is_final() -> None:
    waiting = record((0, STARTED), (1, CallQueued(CALL, NETWORK, 0)))
    assert (waiting.wait_seconds, waiting.talk_seconds, waiting.wrap_up_seconds) == (None, None, None)
    talking = record((0, STARTED), (1, CallQueued(CALL, NETWORK, 0)), (2, CallConnected(CALL, ALICE, OfferId(1))))
    assert (talking.wait_seconds, talking.talk_seconds) == (1, None)
    wrapping = record(
        (0, STARTED),
        (1, CallConnected(CALL, ALICE, OfferId(1))),
        (2, CallEnded(CALL, Outcome.ANSWERED, Ender.CALLER)),
        (2, wrap_up()),
    )
    assert wrapping.wrap_up_seconds is None
    assert not wrapping.settled


def test_a_repeated_end_changes_nothing() -> None:
    call = record(
        (0, STARTED),
        (9, CallEnded(CALL, Outcome.ABANDONED_IN_MENU, Ender.CALLER)),
        (30, CallEnded(CALL, Outcome.LOST, Ender.DESK)),
    )
    assert (call.outcome, call.ended_at) == (Outcome.ABANDONED_IN_MENU, T0 + 9)


def test_facts_of_a_call_whose_start_is_unknown_make_no_record() -> None:
    assert fold([Recorded(1, T0, CallQueued(CALL, NETWORK, 0))]) == {}


def announced(promise: float | None) -> WaitAnnounced:
    return WaitAnnounced(CALL, position=2, promise=promise)


def overflowed(to: str, why: Departure = Departure.WAITED, key: str | None = None) -> CallOverflowed:
    return CallOverflowed(CALL, NETWORK, why, to, key)


def test_a_caller_turned_away_at_the_door_never_waited_and_it_is_known_where_and_why() -> None:
    call = record(
        (0, STARTED),
        (9, overflowed("refuse", Departure.FULL)),
        (9, CallEnded(CALL, Outcome.REFUSED, Ender.DESK, reason="full")),
    )
    assert (call.queue, call.first_queue, call.reason, call.wait_seconds) == (NETWORK, NETWORK, "full", None)
    assert call.departures == (Departed(NETWORK, Departure.FULL, "refuse", T0 + 9),)


def test_leaving_a_message_is_not_waiting() -> None:
    call = record(
        (0, STARTED),
        (10, CallQueued(CALL, NETWORK, 0)),
        (40, overflowed("voicemail", Departure.KEY, key="1")),
        (100, CallEnded(CALL, Outcome.VOICEMAIL, Ender.CALLER)),
    )
    assert (call.wait_seconds, call.departures[0].key) == (30, "1")


def test_who_comes_back_to_their_place_has_waited_all_the_time() -> None:
    call = record(
        (0, STARTED),
        (10, CallQueued(CALL, NETWORK, 0)),
        (40, overflowed("menu:news", Departure.KEY, key="9")),
        (60, CallQueued(CALL, NETWORK, 0, placed_at=T0 + 10, entered_at=T0 + 10)),
        (70, CallConnected(CALL, ALICE, OfferId(1))),
    )
    assert (call.wait_seconds, call.left_at, call.placed_at) == (60, None, T0 + 10)


def test_the_way_through_the_queues_is_kept() -> None:
    pc = QueueName("pc")
    call = record(
        (0, STARTED),
        (10, CallQueued(CALL, NETWORK, 0, grounds=frozenset({"vip"}))),
        (40, overflowed("open:application")),
        (70, overflowed("queue:pc")),
        (70, CallQueued(CALL, pc, 0, placed_at=T0 + 10)),
        (80, CallConnected(CALL, ALICE, OfferId(1))),
    )
    assert (call.first_queue, call.queue, call.wait_seconds) == (NETWORK, pc, 70)
    assert call.grounds == {"vip"}
    assert [(one.to, one.at - T0) for one in call.departures] == [("open:application", 40), ("queue:pc", 70)]


def test_a_caller_who_waited_elsewhere_while_we_were_away_waited() -> None:
    call = record(
        (100, STARTED),
        (100, CallQueued(CALL, NETWORK, 0, placed_at=T0 + 20, entered_at=T0 + 20)),
        (130, CallConnected(CALL, ALICE, OfferId(1))),
    )
    assert (call.arrived_at, call.queued_at) == (T0 + 20, T0 + 20)
    assert (call.wait_seconds, call.time_to_first_answer_seconds) == (110, 110)


def test_the_place_of_a_call_back_taken_over_is_no_wait_of_this_call() -> None:
    call = record(
        (1000, STARTED),
        (1000, CallQueued(CALL, NETWORK, 0, placed_at=T0)),
        (1030, CallConnected(CALL, ALICE, OfferId(1))),
    )
    assert (call.wait_seconds, call.placed_at) == (30, T0)


@pytest.mark.parametrize(
    ("ends", "kept"),
    [
        ((140, CallConnected(CALL, ALICE, OfferId(1))), True),
        ((140.5, CallConnected(CALL, ALICE, OfferId(1))), False),
        ((139, CallEnded(CALL, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)), None),
        ((140, CallEnded(CALL, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)), False),
        ((139, overflowed("voicemail", Departure.KEY, key="1")), None),
        ((150, overflowed("voicemail", Departure.KEY, key="1")), False),
        ((150, announced(5)), None),
    ],
)
def test_a_promise_is_kept_missed_or_nobody_knows(ends: tuple[float, Fact], kept: bool | None) -> None:
    """Told after 40 s of waiting that it would take 100 s more; what they are told later changes nothing."""
    queued, unknown = (0, CallQueued(CALL, NETWORK, 0)), (10, announced(None))
    call = record((0, STARTED), queued, unknown, (40, announced(100)), (60, announced(30)), ends)
    assert (call.promised_seconds, call.promise_kept) == (100, kept)


def test_a_call_back_asked_for_in_a_call_is_named_in_it() -> None:
    call = record(
        (0, STARTED),
        (5, CallQueued(CALL, NETWORK, 0)),
        (20, overflowed("callback", Departure.KEY, key="2")),
        (30, CallbackBooked(CallbackId("b1"), "01012345678", NETWORK, T0 + 30, T0 + 5, call=CALL)),
        (31, CallEnded(CALL, Outcome.CALLBACK, Ender.DESK)),
    )
    assert (call.callback, call.outcome, call.wait_seconds) == ("b1", Outcome.CALLBACK, 15)


def booked(callback: str, number: str = "01012345678") -> CallbackBooked:
    return CallbackBooked(CallbackId(callback), number, NETWORK, T0 + 600, T0, call=CALL)


def test_who_is_promised_another_call_instead_of_the_first_is_called_back_by_the_last() -> None:
    call = record((0, STARTED), (20, booked("b1", "01099998888")), (40, booked("b2")))
    assert call.callback == "b2"


def test_a_call_back_in_which_another_is_promised_still_names_the_promise_that_it_keeps() -> None:
    kept = CallStarted(CALL, Direction.OUTBOUND, "01012345678", "", CallbackId("b1"))
    assert record((0, kept), (40, booked("b2"))).callback == "b1"


def test_somebody_called_back_waited_only_while_they_were_on_the_line() -> None:
    call = record(
        (0, CallStarted(CALL, Direction.OUTBOUND, None, "01012345678", CallbackId("b1"))),
        (0, CallQueued(CALL, NETWORK, 0, placed_at=T0 - 600)),
        (60, PersonAnswered(CALL)),
        (63, CallConnected(CALL, ALICE, OfferId(1))),
        (93, CallEnded(CALL, Outcome.ANSWERED, Ender.CALLER)),
    )
    assert (call.callback, call.wait_seconds, call.talk_seconds) == ("b1", 3, 30)
    assert call.time_to_first_answer_seconds is None


def test_why_somebody_was_not_reached() -> None:
    call = record(
        (0, CallStarted(CALL, Direction.OUTBOUND, None, "01012345678", CallbackId("b1"))),
        (0, CallQueued(CALL, NETWORK, 0)),
        (40, CallEnded(CALL, Outcome.NOT_REACHED, Ender.DESK, reason="busy")),
    )
    assert (call.outcome, call.reason, call.wait_seconds) == (Outcome.NOT_REACHED, "busy", None)
