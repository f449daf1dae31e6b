"""The agents' table: complete, and saying what the rules above it say."""

from collections import Counter
from itertools import product

import pytest

from changgu.acd import agent_state
from changgu.acd.agent_state import (
    AGENT_EVENTS,
    AGENT_STATE_KO,
    CHOSEN_REASONS,
    MOVES,
    REFUSED,
    STALE,
    AgentState,
    Next,
    NotReadyReason,
)
from changgu.acd.events import (
    AgentEvent,
    AgentForced,
    AgentNotReady,
    AgentReady,
    AgentSignedOut,
    DesktopGone,
    DesktopSeen,
    MoreWrapUpWanted,
    PhoneReachable,
    PhoneUnreachable,
)
from changgu.acd.occasions import Offered, RingLimitPassed, WrapUpPassed

BUSY = (AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD, AgentState.WRAP_UP)


def test_every_pair_has_exactly_one_verdict() -> None:
    assert Counter([*MOVES, *STALE, *REFUSED]) == Counter(product(AgentState, AGENT_EVENTS))


def test_every_agent_event_of_the_vocabulary_stands_in_the_table() -> None:
    assert set(AgentEvent.__args__) <= set(AGENT_EVENTS)


def test_only_ready_is_offered_calls() -> None:
    assert [state for state in AgentState if (state, Offered) in MOVES] == [AgentState.READY]


def test_reserved_is_left_by_every_way_that_an_offer_can_end() -> None:
    """Row 19: agent stuck in Reserved."""
    stays = {event for event in AGENT_EVENTS if MOVES.get((AgentState.RESERVED, event)) in (None, Next.SAME)}
    assert {RingLimitPassed, *stays} - stays == {RingLimitPassed}
    harmless = (PhoneReachable, PhoneUnreachable, DesktopSeen, DesktopGone, MoreWrapUpWanted)
    assert all((AgentState.RESERVED, event) in STALE or event in harmless for event in stays)


def test_nothing_but_time_the_agents_own_wish_and_a_supervisor_ends_a_wrap_up() -> None:
    """Row 1: wrap-up ends early."""
    ends = {event for event in AGENT_EVENTS if MOVES.get((AgentState.WRAP_UP, event), Next.SAME) not in _STAYING}
    assert ends == {WrapUpPassed, AgentReady, AgentForced}


_STAYING = (Next.SAME, Next.REQUESTED)


@pytest.mark.parametrize("state", BUSY)
def test_a_wish_during_a_call_becomes_the_requested_next_state(state: AgentState) -> None:
    assert MOVES[state, AgentNotReady] is Next.REQUESTED
    assert MOVES[state, AgentSignedOut] is Next.REQUESTED


@pytest.mark.parametrize("event", [PhoneReachable, PhoneUnreachable])
def test_a_phone_that_comes_or_goes_is_never_refused_nor_stale(event: type) -> None:
    assert all((state, event) in MOVES for state in AgentState)


def test_refusals_are_sentences_in_both_languages() -> None:
    for korean, english in REFUSED.values():
        assert any("가" <= letter <= "힣" for letter in korean)
        assert korean.endswith(".")
        assert english.isascii()
        assert english.endswith(".")


def test_late_news_carries_a_reason() -> None:
    assert all(STALE.values())


def test_every_state_has_its_korean_word() -> None:
    assert set(AGENT_STATE_KO) == set(AgentState)
    assert AGENT_STATE_KO[AgentState.WRAP_UP] == "후처리"


def test_the_acds_own_reasons_cannot_be_chosen() -> None:
    assert set(NotReadyReason) - CHOSEN_REASONS == {
        NotReadyReason.SIGNED_IN, NotReadyReason.NO_ANSWER, NotReadyReason.DESKTOP_GONE,
    }  # fmt: skip


def test_states_that_rest_have_no_call() -> None:
    assert set(agent_state.RESTING) | set(BUSY) == set(AgentState)
    assert not set(agent_state.RESTING) & set(BUSY)
