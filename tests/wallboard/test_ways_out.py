"""Callers who leave a queue by another way, promises held against what happens, and call-backs."""

from dataclasses import dataclass

import pytest

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Departure,
    DesktopStateChanged,
    Direction,
    Ender,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    ReasonLimitPassed,
    Recorded,
    StateRepaired,
    WaitAnnounced,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.wallboard.board import Board
from changgu.wallboard.times import iso
from tests.wallboard.test_board import FLOOR, KIM, LEE, NETWORK, NINE, PC, SEOUL, Day

C1, B1, B1_1 = CallId("c1"), CallbackId("b1"), CallId("b1-1")


def in_the_menu(day: Day, call: CallId = C1) -> None:
    day.happens(CallStarted(call, Direction.INBOUND, "01012345678", "1000"))


def test_a_caller_who_is_not_let_in_was_offered_and_refused_for_a_reason() -> None:
    day = Day()
    in_the_menu(day)
    day.happens(
        CallOverflowed(C1, NETWORK, Departure.FULL, "refuse"), CallEnded(C1, Outcome.REFUSED, Ender.DESK, "full")
    )

    for row in (day.queue(), day.board.totals()):
        assert (row["offered"], row["refused"], row["waiting"]) == (1, 1, 0)
        assert (row["refused_by"], row["overflowed"]) == ({"full": 1}, {"full": 1})
    assert day.board.totals()["in_menu"] == 0


def test_a_queue_that_passes_callers_on_counts_them_and_the_desk_counts_them_once() -> None:
    """Full at the first door, taken at the second, answered there after 10 seconds."""
    day = Day()
    in_the_menu(day)
    day.happens(CallOverflowed(C1, NETWORK, Departure.FULL, "queue:pc"), CallQueued(C1, PC, 0))
    day.wait(10)
    day.answer(C1, LEE, PC)

    network, pc, totals = day.queue(NETWORK), day.queue(PC), day.board.totals()
    assert (network["offered"], network["moved"], network["answered"]) == (1, 1, 0)
    assert (pc["offered"], pc["answered"]) == (1, 1)
    assert (totals["offered"], totals["answered"], totals["asa"]) == (1, 1, 10)


def test_the_desk_knows_the_whole_wait_and_each_queue_its_own() -> None:
    day = Day()
    call = day.call("c1", NETWORK)
    day.wait(30)
    day.happens(CallOverflowed(call, NETWORK, Departure.WAITED, "queue:pc"), CallQueued(call, PC, 0, placed_at=NINE))
    day.wait(10)
    day.answer(call, LEE, PC)

    assert (day.queue(PC)["asa"], day.queue(PC)["service_level"]) == (10, 1.0)
    assert (day.board.totals()["asa"], day.board.totals()["service_level"]) == (40, 0.0)


def test_a_caller_on_another_way_waits_no_more_and_has_no_outcome_yet() -> None:
    day = Day()
    call = day.call("c1")
    day.wait(40)
    day.happens(CallOverflowed(call, NETWORK, Departure.KEY, "voicemail", "1"))

    assert (day.queue()["waiting"], day.queue()["diverted"], day.queue()["offered"]) == (0, 1, 1)

    day.wait(60)
    day.happens(CallEnded(call, Outcome.VOICEMAIL, Ender.CALLER))
    assert (day.queue()["diverted"], day.queue()["voicemail"], day.queue()["abandoned"]) == (0, 1, 0)


def test_whoever_comes_back_from_another_way_waits_on_since_the_beginning() -> None:
    day = Day()
    call = day.call("c1")
    day.wait(40)
    day.happens(CallOverflowed(call, NETWORK, Departure.KEY, "menu:news", "9"))
    day.wait(20)
    day.happens(CallQueued(call, NETWORK, 0, placed_at=NINE, entered_at=NINE))

    row = day.queue()
    assert (row["waiting"], row["diverted"], row["offered"], row["moved"]) == (1, 0, 1, 0)
    assert row["longest_wait_since"] == iso(NINE)
    day.answer(call)
    assert day.queue()["asa"] == 60


def test_a_hang_up_on_another_way_is_an_abandon_and_short_only_if_it_all_was() -> None:
    day = Day()
    in_the_menu(day)
    day.happens(CallOverflowed(C1, NETWORK, Departure.UNSTAFFED, "announce:nobody"))
    day.wait(30)
    day.happens(CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER))
    assert (day.queue()["abandoned"], day.queue()["short_abandoned"]) == (1, 0)


def test_a_queue_opened_to_others_keeps_its_callers() -> None:
    day = Day()
    call = day.call("c1")
    day.happens(CallOverflowed(call, NETWORK, Departure.WAITED, "open:pc"))
    assert (day.queue()["waiting"], day.queue()["overflowed"], day.queue()["diverted"]) == (1, {"waited": 1}, 0)


def test_a_caller_who_waited_elsewhere_while_we_were_away_has_waited() -> None:
    day = Day()
    day.wait(100)
    in_the_menu(day)
    day.happens(CallQueued(C1, NETWORK, 0, placed_at=NINE + 10, entered_at=NINE + 10))
    assert day.queue()["longest_wait_since"] == iso(NINE + 10)
    day.answer(C1)
    assert day.queue()["asa"] == 90


def test_several_phones_ring_for_one_caller() -> None:
    day = Day()
    call = day.call("c1")
    day.happens(CallOffered(call, KIM, OfferId(1), NETWORK), CallOffered(call, LEE, OfferId(2), NETWORK))
    assert (day.queue()["waiting"], day.queue()["ringing"]) == (1, 1)

    day.happens(OfferEnded(call, KIM, OfferId(1), OfferEnd.NO_ANSWER))
    assert day.queue()["ringing"] == 1

    day.happens(OfferEnded(call, LEE, OfferId(2), OfferEnd.NO_ANSWER))
    assert (day.queue()["waiting"], day.queue()["ringing"]) == (1, 0)


# promises


def told(day: Day, name: str, seconds: float) -> CallId:
    call = day.call(name)
    day.happens(WaitAnnounced(call, 1, seconds))
    return call


def test_promises_are_held_against_what_happened() -> None:
    """Four are told 60 seconds: one is answered at 60 sharp, one at 61, one leaves at 30, one gives up at 90."""
    day = Day()
    kept, missed, early, late = (told(day, name, 60) for name in ("c1", "c2", "c3", "c4"))
    day.wait(30)
    day.abandon(early)
    day.wait(30)
    day.answer(kept)
    day.wait(1)
    day.answer(missed, LEE)
    day.wait(29)
    day.abandon(late)

    for row in (day.queue(), day.board.totals()):
        assert (row["promises_kept"], row["promises_missed"]) == (1, 2)
        assert row["promise_coverage"] == pytest.approx(1 / 3)


def test_the_first_promise_counts_and_to_say_nothing_is_none() -> None:
    day = Day()
    call = day.call("c1")
    day.happens(WaitAnnounced(call, 1, None))
    day.happens(WaitAnnounced(call, 1, 10))
    day.wait(20)
    day.happens(WaitAnnounced(call, 1, 100))
    day.answer(call)
    assert (day.queue()["promises_kept"], day.queue()["promises_missed"]) == (0, 1)


def test_a_promise_made_in_one_queue_stands_when_the_caller_is_moved() -> None:
    day = Day()
    call = told(day, "c1", 60)
    day.happens(CallOverflowed(call, NETWORK, Departure.WAITED, "queue:pc"), CallQueued(call, PC, 0))
    day.wait(50)
    day.answer(call, LEE, PC)
    assert (day.queue(NETWORK)["promises_kept"], day.queue(PC)["promises_kept"]) == (1, 0)


def test_the_longest_expected_wait_is_of_those_who_wait_now() -> None:
    day = Day()
    first = told(day, "c1", 300)
    day.wait(60)
    told(day, "c2", 200)
    assert day.queue()["longest_expected_wait"] == 300
    day.happens(WaitAnnounced(first, 1, 100))
    assert day.queue()["longest_expected_wait"] == 200
    day.answer(first)
    day.answer(CallId("c2"), LEE)
    assert (day.queue()["longest_expected_wait"], day.board.totals()["longest_expected_wait"]) == (None, None)


# call-backs


def book(day: Day) -> None:
    """A caller who waited 100 seconds asks to be called back, and hangs up."""
    call = day.call("c1")
    day.wait(100)
    day.happens(
        CallOverflowed(call, NETWORK, Departure.KEY, "callback", "2"),
        CallbackBooked(B1, "01012345678", NETWORK, day.now, NINE, call=call),
        CallEnded(call, Outcome.CALLBACK, Ender.DESK),
    )


def dial(day: Day) -> None:
    day.happens(CallStarted(B1_1, Direction.OUTBOUND, "01012345678", "", B1), CallQueued(B1_1, NETWORK, 0))


def test_a_promised_call_back_is_neither_abandoned_nor_another_offered_call() -> None:
    day = Day()
    book(day)
    dial(day)

    row, totals = day.queue(), day.board.totals()
    assert (row["offered"], row["to_callback"], row["abandoned"], row["waiting"]) == (1, 1, 0, 0)
    assert (row["callbacks_open"], row["callbacks_booked"]) == (1, 1)
    assert (totals["offered"], totals["callbacks_open"], totals["in_menu"]) == (1, 1, 0)


def test_a_call_back_that_is_kept() -> None:
    day = Day()
    book(day)
    day.wait(500)
    dial(day)
    day.happens(
        CallOffered(B1_1, KIM, OfferId(1), NETWORK), PersonAnswered(B1_1), CallConnected(B1_1, KIM, OfferId(1)),
        CallbackClosed(B1, CallbackEnd.KEPT),
    )  # fmt: skip

    row = day.queue()
    assert (row["callbacks_open"], row["callbacks_kept"], row["callback_attempts"]) == (0, 1, 1)
    assert (row["callback_time"], row["answered"], day.board.totals()["in_call"]) == (600, 0, 1)


def test_a_call_back_that_is_given_up() -> None:
    """Three attempts that count; one more was put off before anybody was dialled."""
    day = Day()
    book(day)
    for attempts, cause in ((1, "no_answer"), (1, "hours"), (2, "busy")):
        dial(day)
        day.happens(CallEnded(B1_1, Outcome.NOT_REACHED, Ender.DESK, cause))
        day.happens(CallbackAttempted(B1, attempts, day.now + 900, cause))
    dial(day)
    day.happens(CallEnded(B1_1, Outcome.NOT_REACHED, Ender.CALLER, "busy"), CallbackClosed(B1, CallbackEnd.GIVEN_UP))

    row = day.queue()
    assert (row["callbacks_open"], row["callbacks_given_up"], row["callback_attempts"]) == (0, 1, 3)
    assert (row["callback_time"], day.board.totals()["abandoned"]) == (None, 0)


def test_a_call_back_of_yesterday_of_which_only_the_attempt_is_known() -> None:
    day = Day()
    dial(day)
    day.happens(CallbackClosed(B1, CallbackEnd.KEPT))
    assert (day.queue()["callbacks_kept"], day.queue()["callback_time"]) == (1, None)


@dataclass(frozen=True)
class Promised:
    callback: CallbackId = B1
    queue: QueueName = NETWORK
    placed_at: Instant = NINE - 86_400


def test_a_promise_of_yesterday_is_known_from_the_engine() -> None:
    board = Board(FLOOR, SEOUL, NINE, promises=[Promised()])
    assert board.snapshot()["queues"]["network"]["callbacks_open"] == 1
    board.fold(Recorded(1, NINE, CallbackAttempted(B1, 2, NINE + 900, "busy")))
    board.fold(Recorded(2, NINE, CallbackAttempted(B1, 2, NINE + 900, "hours")))
    assert board.snapshot()["queues"]["network"]["callback_attempts"] == 1


@pytest.mark.parametrize("cause", ["hours", "called_in"])
def test_a_try_of_yesterdays_promise_that_dialled_nobody_is_no_attempt(cause: str) -> None:
    board = Board(FLOOR, SEOUL, NINE, promises=[Promised()])
    board.fold(Recorded(1, NINE, CallbackAttempted(B1, 2, NINE + 900, cause)))
    assert board.snapshot()["queues"]["network"]["callback_attempts"] == 0


def test_promises_stay_open_over_midnight_and_the_days_figures_do_not() -> None:
    day = Day()
    book(day)
    day.wait(86_400)
    day.board.turn_to(day.now)
    assert (day.queue()["callbacks_open"], day.queue()["callbacks_booked"]) == (1, 0)


# agents


def test_who_is_away_for_too_long_is_named_until_they_are_back() -> None:
    day = Day()
    day.happens(
        AgentStateChanged(KIM, AgentState.READY, AgentState.NOT_READY, NotReadyReason.BREAK, by="boss", why="회의"),
        ReasonLimitPassed(KIM, NotReadyReason.BREAK),
    )
    agent, totals = day.agent(), day.board.totals()
    assert (agent["overdue"], agent["by"], agent["why"], totals["overdue"]) == (True, "boss", "회의", 1)
    (alert,) = totals["alerts"]
    assert (alert["kind"], alert["what"], alert["agent"], alert["at"]) == ("reason_limit", "break", KIM, iso(NINE))

    day.happens(AgentStateChanged(KIM, AgentState.NOT_READY, AgentState.READY))
    assert (day.agent()["overdue"], day.agent()["by"], day.board.totals()["overdue"]) == (False, None, 0)


def test_a_repair_is_counted_and_told() -> None:
    day = Day()
    for number in range(12):
        day.happens(StateRepaired("talking_without_a_leg", KIM, CallId(f"c{number}")))
    totals = day.board.totals()
    assert (totals["repaired"], len(totals["alerts"]), totals["alerts"][0]["call"]) == (12, 10, "c11")


def test_a_longer_wrap_up_and_a_closed_desktop_are_shown() -> None:
    day = Day()
    day.happens(
        AgentStateChanged(KIM, AgentState.TALKING, AgentState.WRAP_UP), WrapUpExtended(KIM, NINE + 90),
        DesktopStateChanged(KIM, present=False),
    )  # fmt: skip
    assert (day.agent()["wrap_up_until"], day.agent()["desktop"]) == (iso(NINE + 90), False)
    assert day.agent(AgentId("lee"))["desktop"] is None


def test_a_storm_of_refused_calls_is_counted_each_and_told_as_one_alert() -> None:
    """F24: the desk had no room, so nobody of them saw a queue."""
    day = Day()
    for number in range(50):
        in_the_menu(day, CallId(f"c{number}"))
        day.happens(CallEnded(CallId(f"c{number}"), Outcome.REFUSED, Ender.DESK, "desk_full"))

    totals = day.board.totals()
    assert (totals["offered"], totals["refused"], totals["in_menu"]) == (50, 50, 0)
    assert totals["refused_by"] == {"desk_full": 50}
    assert [alert["kind"] for alert in totals["alerts"]] == ["desk_full"]
