"""The calls' table: complete, and saying what the rules above it say."""

from collections import Counter
from itertools import product

from changgu.acd.call_state import ABANDONED, CALL_EVENTS, CALL_STATE_KO, MOVES, REFUSED, SPOKEN, STALE, CallState
from changgu.acd.events import CallerDialledIn, CallerHungUp, CallEvent, CallLost, KeyPressed, MenuStepReached
from changgu.acd.facts import Outcome
from changgu.acd.occasions import LeftTheQueue, Offered

ALIVE = [state for state in CallState if state is not CallState.ENDED]


def test_every_pair_has_exactly_one_verdict() -> None:
    assert Counter([*MOVES, *STALE, *REFUSED]) == Counter(product(CallState, CALL_EVENTS))


def test_every_call_event_of_the_vocabulary_stands_in_the_table() -> None:
    assert set(CallEvent.__args__) <= set(CALL_EVENTS)


def test_an_ended_call_never_comes_back() -> None:
    assert all((CallState.ENDED, event) in STALE for event in CALL_EVENTS)


def test_every_living_call_can_end() -> None:
    for state in ALIVE:
        assert MOVES[state, CallerHungUp] is CallState.ENDED
        assert MOVES[state, CallLost] is CallState.ENDED


def test_only_who_waits_is_offered() -> None:
    assert [state for state in CallState if (state, Offered) in MOVES] == [CallState.WAITING]


def test_only_a_key_or_a_rule_of_the_queue_leads_back_to_the_menu() -> None:
    ways = {(state, occasion) for (state, occasion), after in MOVES.items() if after is CallState.IN_MENU}
    assert ways == {
        (CallState.IN_MENU, MenuStepReached),
        *product((CallState.WAITING, CallState.OFFERED), (KeyPressed, LeftTheQueue)),
    }


def test_a_caller_begins_once() -> None:
    assert all((state, CallerDialledIn) in STALE for state in CallState)


def test_abandons_are_told_apart_by_where_they_happen() -> None:
    """CTI-16: in the menu, in the queue, while ringing; whoever has been spoken with was answered."""
    assert set(ABANDONED) == set(ALIVE)
    assert {state for state, outcome in ABANDONED.items() if outcome is Outcome.ANSWERED} == set(SPOKEN)
    assert ABANDONED[CallState.IN_MENU] is Outcome.ABANDONED_IN_MENU
    assert ABANDONED[CallState.WAITING] is Outcome.ABANDONED_IN_QUEUE
    assert ABANDONED[CallState.OFFERED] is ABANDONED[CallState.CONNECTING] is Outcome.ABANDONED_RINGING


def test_every_state_has_its_korean_word() -> None:
    assert set(CALL_STATE_KO) == set(CallState)
