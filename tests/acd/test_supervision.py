"""Supervisors, wrap-up, desktops, phones, and states that do not outlive their evidence (rows 18, 19, 22, 34, 37)."""

from datetime import timedelta

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.commands import HangUpAgent, HangUpCaller, PlayMusicOnHold, RingAgent, StopRinging
from changgu.acd.engine import Effect, RequestRefused
from changgu.acd.events import (
    AgentForced,
    AgentHungUp,
    AgentReady,
    AgentSignedOut,
    ConversationMissing,
    DeadlinePassed,
    DesktopGone,
    DesktopSeen,
    MoreWrapUpWanted,
    PhoneUnreachable,
)
from changgu.acd.facts import (
    AgentStateChanged,
    CallEnded,
    DesktopStateChanged,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    PhoneStateChanged,
    ReasonLimitPassed,
    StateRepaired,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallId, OfferId
from changgu.acd.queues import Agent, Rules
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent, seconds

ALICE = AgentId("alice")
C1 = CallId("c1")
ONE = OfferId(1)
BREAK = NotReadyReason.BREAK


def forced(
    floor: Floor, state: AgentState, reason: NotReadyReason | None = None, agent: str = "alice", why: str = ""
) -> list[Effect]:
    return floor.tell(AgentForced(AgentId(agent), state, "chief", reason, why))


def talking(*agents: str | Agent, rules: Rules | None = None, wrap_up: float = 30) -> Floor:
    floor = Floor(*(agents or ("alice",)), queues=[a_queue(wrap_up=wrap_up)], rules=rules or Rules())
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    return floor


def in_wrap_up(*agents: str | Agent, rules: Rules | None = None, wrap_up: float = 30) -> Floor:
    floor = talking(*agents, rules=rules, wrap_up=wrap_up)
    floor.caller_hangs_up("c1")
    return floor


# Forced states


def test_a_supervisor_puts_an_agent_on_a_break_and_it_is_kept_who_and_why() -> None:
    """Row 34: pause by a supervisor, with the reason."""
    floor = Floor("alice")
    floor.ready("alice")

    assert forced(floor, AgentState.NOT_READY, BREAK, why="점심 교대") == [
        AgentStateChanged(ALICE, AgentState.READY, AgentState.NOT_READY, BREAK, None, "chief", "점심 교대")
    ]


def test_a_conversation_is_never_cut_by_a_supervisor() -> None:
    floor = talking()

    assert forced(floor, AgentState.LOGGED_OUT) == [
        NextStateRequested(ALICE, AgentState.LOGGED_OUT, None, "chief")
    ]
    assert floor.agent("alice").state == "talking"


def test_who_forced_a_state_during_a_conversation_and_why_is_said_when_it_comes_true() -> None:
    floor = talking()
    forced(floor, AgentState.NOT_READY, BREAK, why="점심 교대")
    floor.agent_hangs_up("alice")

    assert floor.wait(30) == [
        AgentStateChanged(ALICE, AgentState.WRAP_UP, AgentState.NOT_READY, BREAK, C1, "chief", "점심 교대")
    ]


def test_who_signed_an_agent_out_during_a_conversation_is_said_when_it_comes_true() -> None:
    floor = talking()
    floor.tell(AgentSignedOut(ALICE, "chief"))
    floor.agent_hangs_up("alice")

    (left,) = floor.wait(30)
    assert isinstance(left, AgentStateChanged)
    assert (left.after, left.by) == (AgentState.LOGGED_OUT, "chief")


def test_an_agents_own_wish_after_a_supervisors_is_their_own() -> None:
    floor = talking()
    forced(floor, AgentState.NOT_READY, BREAK, why="점심 교대")
    floor.not_ready("alice", NotReadyReason.MEAL)
    floor.agent_hangs_up("alice")

    assert floor.wait(30) == [
        AgentStateChanged(ALICE, AgentState.WRAP_UP, AgentState.NOT_READY, NotReadyReason.MEAL, C1)
    ]


def test_whoever_repeats_a_wish_takes_it_from_nobody_but_a_supervisors_word_is_noted() -> None:
    floor = talking()
    floor.not_ready("alice", BREAK)

    assert forced(floor, AgentState.NOT_READY, BREAK, why="첫째") == [
        NextStateRequested(ALICE, AgentState.NOT_READY, BREAK, "chief", "첫째")
    ]
    assert forced(floor, AgentState.NOT_READY, BREAK, why="첫째") == []
    assert forced(floor, AgentState.NOT_READY, BREAK, why="둘째") == [
        NextStateRequested(ALICE, AgentState.NOT_READY, BREAK, "chief", "둘째")
    ]
    assert floor.not_ready("alice", BREAK) == []
    floor.agent_hangs_up("alice")
    (away,) = floor.wait(30)
    assert isinstance(away, AgentStateChanged)
    assert (away.by, away.why) == ("chief", "둘째")


def test_who_forced_a_state_is_forgotten_with_it() -> None:
    floor = talking()
    forced(floor, AgentState.NOT_READY, BREAK, why="점심 교대")
    floor.agent_hangs_up("alice")
    floor.wait(30)
    floor.ready("alice")
    floor.call("c2")
    floor.talk("alice")
    floor.agent_hangs_up("alice")

    assert floor.wait(30) == [AgentStateChanged(ALICE, AgentState.WRAP_UP, AgentState.READY, None, CallId("c2"))]


def test_a_restart_during_the_conversation_forgets_neither_who_nor_why() -> None:
    floor = talking()
    forced(floor, AgentState.LOGGED_OUT, why="퇴근")
    rebuilt = floor.restored()
    rebuilt.handle(AgentHungUp(ALICE, C1, ONE), floor.now)

    (left,) = rebuilt.handle(DeadlinePassed(), floor.now + 30)
    assert isinstance(left, AgentStateChanged)
    assert (left.after, left.by, left.why) == (AgentState.LOGGED_OUT, "chief", "퇴근")


def test_a_supervisor_cuts_a_wrap_up_that_was_forgotten() -> None:
    floor = in_wrap_up()
    forced(floor, AgentState.READY)

    assert floor.agent("alice").state == "ready"


def test_a_phone_that_rings_falls_silent_and_the_next_agent_rings() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    floor.call("c1")
    effects = forced(floor, AgentState.NOT_READY, BREAK)

    assert effects[:2] == [StopRinging(ALICE, C1, ONE), OfferEnded(C1, ALICE, ONE, OfferEnd.WITHDRAWN)]
    assert [ring.agent for ring in effects if isinstance(ring, RingAgent)] == ["bob"]
    assert floor.agent("alice").misses == 0


def test_a_supervisor_can_make_an_agent_ready_whose_phone_is_there() -> None:
    floor = Floor("alice", "bob")
    floor.phone_gone("bob")
    forced(floor, AgentState.READY)
    forced(floor, AgentState.READY, agent="bob")

    assert floor.agent("alice").state == "ready"
    assert floor.agent("bob").state == "unreachable"


def test_forcing_what_is_so_already_changes_nothing() -> None:
    floor = Floor("alice")
    floor.ready("alice")

    (ignored,) = forced(floor, AgentState.READY)
    assert isinstance(ignored, NewsIgnored)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (AgentState.TALKING, None),
        (AgentState.NOT_READY, None),
        (AgentState.READY, BREAK),
        (AgentState.NOT_READY, NotReadyReason.NO_ANSWER),
    ],
)
def test_what_cannot_be_forced_is_refused_in_both_languages(state: AgentState, reason: NotReadyReason | None) -> None:
    floor = Floor("alice")
    floor.ready("alice")

    (refused,) = forced(floor, state, reason)
    assert isinstance(refused, RequestRefused)
    assert refused.why_ko
    assert refused.why_en.isascii()


def test_nobody_can_force_somebody_who_is_not_on_the_list() -> None:
    (refused,) = forced(Floor("alice"), AgentState.READY, agent="nobody")
    assert isinstance(refused, RequestRefused)


def test_who_asked_for_a_colleagues_state_is_kept() -> None:
    floor = Floor("alice")
    (fact,) = floor.tell(AgentReady(ALICE, by="chief"))

    assert isinstance(fact, AgentStateChanged)
    assert fact.by == "chief"


# Wrap-up


def test_a_wrap_up_is_as_long_as_the_agent_needs() -> None:
    floor = in_wrap_up()
    floor.wait(20)

    assert floor.tell(MoreWrapUpWanted(ALICE, seconds(60))) == [WrapUpExtended(ALICE, floor.now + 70)]
    floor.wait(69.5)
    assert floor.agent("alice").state == "wrap_up"
    floor.wait(0.5)
    assert floor.agent("alice").state == "ready"


def test_extensions_have_a_bound_all_together() -> None:
    floor = in_wrap_up(rules=Rules(longest_extension=seconds(100)))
    floor.tell(MoreWrapUpWanted(ALICE, seconds(60)))

    (refused,) = floor.tell(MoreWrapUpWanted(ALICE, seconds(41)))
    assert isinstance(refused, RequestRefused)
    (fact,) = floor.tell(MoreWrapUpWanted(ALICE, seconds(40)))
    assert isinstance(fact, WrapUpExtended)


@pytest.mark.parametrize("length", [0, -5])
def test_an_extension_of_nothing_is_refused(length: float) -> None:
    (refused,) = in_wrap_up().tell(MoreWrapUpWanted(ALICE, seconds(length)))
    assert isinstance(refused, RequestRefused)


def test_there_is_nothing_to_extend_outside_of_a_wrap_up() -> None:
    (refused,) = Floor("alice").tell(MoreWrapUpWanted(ALICE, seconds(30)))
    assert isinstance(refused, RequestRefused)


def test_an_agent_may_have_a_wrap_up_of_their_own() -> None:
    own = Agent(ALICE, "Alice", frozenset({HELPDESK}), wrap_up=seconds(90))
    floor = in_wrap_up(own)

    floor.wait(89)
    assert floor.agent("alice").state == "wrap_up"
    floor.wait(1)
    assert floor.agent("alice").state == "ready"


def test_the_extension_of_one_wrap_up_is_not_that_of_the_next() -> None:
    floor = in_wrap_up()
    floor.tell(MoreWrapUpWanted(ALICE, seconds(60)))
    floor.ready("alice")
    floor.call("c2")
    floor.talk("alice")
    floor.caller_hangs_up("c2")
    floor.wait(30)

    assert floor.agent("alice").state == "ready"


# Away for too long


def test_a_break_that_lasts_too_long_is_told_once() -> None:
    floor = Floor("alice", rules=Rules(reason_limits={"break": timedelta(minutes=15)}))
    floor.sign_in("alice")
    floor.not_ready("alice")
    effects = floor.wait(3600)

    assert effects == [ReasonLimitPassed(ALICE, BREAK)]
    assert floor.agent("alice").state == "not_ready"
    floor.ready("alice")
    floor.not_ready("alice")
    assert floor.wait(900) == [ReasonLimitPassed(ALICE, BREAK)]


def test_reasons_without_a_limit_may_last() -> None:
    floor = Floor("alice", rules=Rules(reason_limits={"break": timedelta(minutes=15)}))
    floor.sign_in("alice")
    floor.not_ready("alice", NotReadyReason.TRAINING)

    assert floor.wait(36_000) == []


# Desktops


def with_desktop() -> Floor:
    floor = Floor("alice", rules=Rules(desktop_grace=seconds(45)))
    floor.tell(DesktopSeen(ALICE))
    floor.ready("alice")
    return floor


def test_an_agent_whose_desktop_is_gone_is_not_offered_calls_for_long() -> None:
    floor = with_desktop()
    assert floor.tell(DesktopGone(ALICE)) == [DesktopStateChanged(ALICE, present=False)]
    floor.wait(45)

    assert (floor.agent("alice").state, floor.agent("alice").reason) == ("not_ready", "desktop_gone")
    floor.call("c1")
    assert floor.waiting() == ["c1"]


def test_a_desktop_that_is_loaded_anew_logs_nobody_out() -> None:
    """Row 37: the console logs the agent out when it is idle in another tab."""
    floor = with_desktop()
    floor.tell(DesktopGone(ALICE))
    floor.wait(40)
    floor.tell(DesktopSeen(ALICE))
    floor.wait(3600)

    assert floor.agent("alice").state == "ready"


def test_a_desktop_that_goes_during_a_call_leaves_the_call_alone() -> None:
    floor = with_desktop()
    floor.call("c1")
    floor.talk("alice")
    floor.tell(DesktopGone(ALICE))
    floor.wait(600)
    assert floor.agent("alice").state == "talking"

    floor.caller_hangs_up("c1")
    floor.call("c2")
    floor.wait(30)
    assert (floor.agent("alice").state, floor.agent("alice").reason) == ("not_ready", "desktop_gone")
    assert floor.waiting() == ["c2"]


def test_who_wants_calls_at_the_instant_at_which_their_desktop_has_been_gone_too_long_gets_none() -> None:
    floor = with_desktop()
    floor.call("c1")
    floor.talk("alice")
    floor.call("c2")
    floor.tell(DesktopGone(ALICE))
    floor.wait(30)
    floor.caller_hangs_up("c1")
    floor.wait(15)
    effects = floor.ready("alice")

    assert (floor.agent("alice").state, floor.agent("alice").reason) == ("not_ready", "desktop_gone")
    assert not any(isinstance(effect, RingAgent) for effect in effects)


def test_who_works_with_a_phone_alone_misses_no_desktop() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    (ignored,) = floor.tell(DesktopGone(ALICE))
    floor.wait(3600)

    assert isinstance(ignored, NewsIgnored)
    assert floor.agent("alice").state == "ready"


def test_a_desktop_that_was_closed_for_the_night_is_forgotten_with_the_sign_out() -> None:
    floor = with_desktop()
    floor.tell(DesktopGone(ALICE))
    floor.sign_out("alice")
    floor.wait(36_000)
    floor.ready("alice")

    assert floor.agent("alice").state == "ready"


# Watchdogs


def test_an_agent_who_talks_without_a_leg_is_freed_and_the_repair_is_a_fact() -> None:
    """Row 22: agent locked forever "incall"."""
    floor = talking()
    effects = floor.tell(ConversationMissing(ALICE, C1, ONE))

    assert effects[0] == StateRepaired("talking_without_a_leg", ALICE, C1)
    assert isinstance(effects[1], CallEnded)
    assert isinstance(effects[2], HangUpCaller)
    assert floor.agent("alice").state == "wrap_up"


def test_a_leg_that_is_missed_too_late_repairs_nothing() -> None:
    floor = in_wrap_up()
    (ignored,) = floor.tell(ConversationMissing(ALICE, C1, ONE))

    assert isinstance(ignored, NewsIgnored)


def test_two_who_are_never_joined_are_set_free_again() -> None:
    """Row 14: dead air. The caller keeps their place and hears music; the agent has missed nothing."""
    floor = Floor("alice", rules=Rules(connect_limit=seconds(15)))
    floor.ready("alice")
    floor.call("c1")
    floor.answer("alice")
    floor.not_ready("alice")
    effects = floor.wait(15)

    assert effects[:4] == [
        StateRepaired("connecting_too_long", ALICE, C1),
        HangUpAgent(ALICE, C1, ONE),
        OfferEnded(C1, ALICE, ONE, OfferEnd.CONNECT_FAILED, "too_long"),
        PlayMusicOnHold(C1, HELPDESK),
    ]
    assert floor.waiting() == ["c1"]
    assert (floor.agent("alice").state, floor.agent("alice").misses) == ("not_ready", 0)


def test_all_of_this_outlives_a_restart() -> None:
    floor = Floor("alice", an_agent("bob"), rules=Rules(reason_limits={"break": seconds(60)}, desktop_grace=seconds(5)))
    floor.tell(DesktopSeen(ALICE))
    floor.ready("alice", "bob")
    floor.call("c1")
    floor.talk("alice")
    floor.wait(10)
    floor.caller_hangs_up("c1")
    floor.tell(MoreWrapUpWanted(ALICE, seconds(30)))
    floor.tell(DesktopGone(ALICE))
    forced(floor, AgentState.NOT_READY, BREAK, agent="bob")

    assert floor.restored().picture() == floor.engine.picture()


def test_a_phone_that_went_unheard_is_a_repair_for_who_was_ready() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.ready("bob")
    floor.not_ready("bob")

    effects = floor.tell(PhoneUnreachable(ALICE, unheard=True))
    assert effects[0] == StateRepaired("ready_without_a_phone", ALICE)
    assert floor.agent("alice").state == "unreachable"
    assert floor.tell(PhoneUnreachable(AgentId("bob"), unheard=True)) == [PhoneStateChanged(AgentId("bob"), False)]
    floor.phone_back("alice")
    assert not any(isinstance(effect, StateRepaired) for effect in floor.phone_gone("alice"))
