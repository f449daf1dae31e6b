"""Callers whose call the telephone system lost are called back, in the place they had."""

from changgu.acd.events import CallbackAsked
from changgu.acd.facts import (
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallEnded,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    Direction,
    Ender,
    Fact,
    Outcome,
    Recorded,
)
from changgu.acd.identity import CallbackId, CallId, QueueName
from changgu.acd.lost_calls import LostCalls, callback_for

C1, NETWORK, MAIN = CallId("c1"), QueueName("network"), QueueName("helpdesk")
NUMBER = "01012345678"
STARTED = CallStarted(C1, Direction.INBOUND, NUMBER, "1000")
QUEUED = CallQueued(C1, NETWORK, 2, frozenset({"vpn"}))
LOST = CallEnded(C1, Outcome.LOST, Ender.DESK)


def told(*facts: Fact, main: QueueName | None = MAIN) -> list[CallbackAsked]:
    posted: list[CallbackAsked] = []
    lost = LostCalls(posted.append, lambda: main)
    for recorded in numbered(*facts):
        lost.hear(recorded)
    return posted


def numbered(*facts: Fact) -> list[Recorded]:
    return [Recorded(seq, 100.0 + seq, fact) for seq, fact in enumerate(facts, 1)]


def test_a_caller_lost_in_a_queue_is_called_back_in_their_place() -> None:
    assert told(STARTED, QUEUED, LOST) == [
        CallbackAsked(callback_for(C1), NUMBER, NETWORK, C1, 2, frozenset({"vpn"}), since=102.0)
    ]


def test_a_caller_lost_in_the_menu_is_called_back_by_the_main_queue() -> None:
    (asked,) = told(STARTED, LOST)
    assert (asked.queue, asked.since) == (MAIN, 101.0)


def test_an_original_place_is_kept_over_another_queue() -> None:
    (asked,) = told(STARTED, CallQueued(C1, MAIN, 0, placed_at=50.0), CallQueued(C1, NETWORK, 1, placed_at=50.0), LOST)
    assert (asked.queue, asked.since, asked.priority) == (NETWORK, 50.0, 1)


def test_nobody_is_called_back_who_withheld_their_number_or_was_called_by_us() -> None:
    assert told(CallStarted(C1, Direction.INBOUND, None, "1000"), QUEUED, LOST) == []
    assert told(CallStarted(C1, Direction.OUTBOUND, NUMBER, NUMBER), QUEUED, LOST) == []


def test_only_a_lost_call_is_made_good() -> None:
    for outcome in Outcome:
        if outcome is not Outcome.LOST:
            assert told(STARTED, QUEUED, CallEnded(C1, outcome, Ender.CALLER)) == []


def test_who_was_lost_in_english_is_called_back_in_english() -> None:
    queued = CallQueued(C1, NETWORK, 0, language="en")
    assert [asked.language for asked in told(STARTED, queued, LOST)] == ["en"]


def test_a_desk_without_a_queue_promises_nothing() -> None:
    assert told(STARTED, LOST, main=None) == []


def test_a_call_that_the_pbx_lost_while_we_were_away_is_made_good_too() -> None:
    elsewhere = CallServedElsewhere(
        C1, NUMBER, "1002", NETWORK, Outcome.LOST, Ender.DESK, arrived_at=50.0, ended_at=80.0, queued_at=51.0
    )
    assert told(elsewhere) == [CallbackAsked(callback_for(C1), NUMBER, NETWORK, C1, since=51.0)]


def test_a_stop_between_the_loss_and_the_promise_forgets_nobody() -> None:
    posted: list[CallbackAsked] = []
    lost = LostCalls(posted.append, lambda: MAIN)
    (asked,) = lost.restore(numbered(STARTED, QUEUED, LOST))
    assert asked.callback == callback_for(C1)
    booked = CallbackBooked(asked.callback, NUMBER, NETWORK, 200.0, 102.0, call=C1)
    assert LostCalls(posted.append, lambda: MAIN).restore(numbered(STARTED, QUEUED, LOST, booked)) == []
    same_person = CallbackBooked(CallbackId("other"), NUMBER, MAIN, 200.0, 102.0)
    assert LostCalls(posted.append, lambda: MAIN).restore(numbered(same_person, STARTED, QUEUED, LOST)) == []
    kept = CallbackClosed(CallbackId("other"), CallbackEnd.KEPT)
    assert LostCalls(posted.append, lambda: MAIN).restore(numbered(same_person, kept, STARTED, QUEUED, LOST)) != []
    assert posted == [], "what is past is for whoever starts the desk to post"


def test_a_caller_on_the_line_over_a_restart_is_still_known() -> None:
    posted: list[CallbackAsked] = []
    lost = LostCalls(posted.append, lambda: MAIN)
    assert lost.restore(numbered(STARTED, QUEUED)) == []
    lost.hear(Recorded(9, 300.0, LOST))
    assert [asked.queue for asked in posted] == [NETWORK]
