"""Worked examples of every time and figure of a call."""

from changgu.acd.agent_state import AgentState
from changgu.acd.call_record import CallRecord, MenuStep, fold
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
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    OfferEnd,
    OfferEnded,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName

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
