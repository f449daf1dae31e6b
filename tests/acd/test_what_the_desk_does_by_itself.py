"""What nobody tells the desk, because it does it itself: it offers, loses patience, takes back, ends a wrap-up.

Each is lived through on a floor, and the tables of agents and callers must say the same of it, and of nothing else.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from changgu.acd import agent_state, call_state
from changgu.acd.agent_state import AgentState, Next, NotReadyReason
from changgu.acd.call_state import CallState
from changgu.acd.engine import Effect
from changgu.acd.events import (
    AgentForced,
    CallbackAsked,
    CallHeld,
    DesktopGone,
    DesktopSeen,
    DialFailed,
    KeyPressed,
    PersonReached,
)
from changgu.acd.facts import AgentStateChanged, Departure
from changgu.acd.identity import AgentId, CallbackId, CallId
from changgu.acd.occasions import (
    ConnectLimitPassed,
    DesktopGraceOver,
    LeftTheQueue,
    Offered,
    OfferWithdrawn,
    RingLimitPassed,
    WrapUpPassed,
)
from changgu.acd.queues import CallbackRules, Destination, First, Overflow, Queue, Way
from tests.support.floor import HELPDESK, Floor, seconds

ALICE, C1 = AgentId("alice"), CallId("c1")
VOICEMAIL = Destination(Way.VOICEMAIL)

CONNECT_LIMIT, DESKTOP_GRACE = 15, 45
"""Seconds, as `Rules` has them."""


def a_desk() -> Floor:
    """One miss is enough for 이석; after 90 seconds callers are led to voice mail, or by key 1 at any moment."""
    queue = Queue(
        HELPDESK, "helpdesk", ring_limit=seconds(20), wrap_up=seconds(30), misses_before_not_ready=1,
        keys={"1": VOICEMAIL}, overflows=(Overflow(Departure.WAITED, VOICEMAIL, 90),),
    )  # fmt: skip
    return Floor("alice", queues=[queue])


def free(floor: Floor) -> None:
    floor.ready("alice")


def at_a_desktop_that_closes(floor: Floor) -> None:
    floor.ready("alice")
    floor.tell(DesktopSeen(ALICE))
    floor.tell(DesktopGone(ALICE))


def waiting(floor: Floor) -> None:
    floor.call("c1")


def ringing(floor: Floor) -> None:
    free(floor)
    floor.call("c1")


def picked_up(floor: Floor) -> None:
    ringing(floor)
    floor.answer("alice")


def wrapping_up(floor: Floor) -> None:
    picked_up(floor)
    floor.connected("alice")
    floor.caller_hangs_up("c1")


def rung_late(floor: Floor) -> None:
    """The phone rings from the 80th second of waiting on."""
    waiting(floor)
    floor.wait(80)
    floor.ready("alice")


def key_1(floor: Floor) -> list[Effect]:
    return floor.tell(KeyPressed(C1, "1"))


def a_caller_comes(floor: Floor) -> list[Effect]:
    return floor.call("c1")


def after(length: float) -> Callable[[Floor], list[Effect]]:
    return lambda floor: floor.wait(length)


def agent_steps(effects: list[Effect]) -> list[tuple[AgentState, AgentState, NotReadyReason | None]]:
    return [(one.before, one.after, one.reason) for one in effects if isinstance(one, AgentStateChanged)]


READY, RESERVED, TALKING, _, WRAP_UP, NOT_READY, UNREACHABLE, _ = AgentState
BREAK = NotReadyReason.BREAK

Story = tuple[
    type, Callable[[Floor], None], Callable[[Floor], list[Effect]], AgentState, tuple[AgentState, NotReadyReason | None]
]

OF_AGENTS: dict[str, Story] = {
    "is offered a call": (Offered, free, a_caller_comes, READY, (RESERVED, None)),
    "lets it ring": (RingLimitPassed, ringing, after(20), RESERVED, (NOT_READY, NotReadyReason.NO_ANSWER)),
    "loses the caller to a key": (OfferWithdrawn, ringing, key_1, RESERVED, (READY, None)),
    "is never joined": (ConnectLimitPassed, picked_up, after(CONNECT_LIMIT), TALKING, (READY, None)),
    "ends the wrap-up": (WrapUpPassed, wrapping_up, after(30), WRAP_UP, (READY, None)),
    "stays without a desktop": (
        DesktopGraceOver, at_a_desktop_that_closes, after(DESKTOP_GRACE), READY,
        (NOT_READY, NotReadyReason.DESKTOP_GONE),
    ),
}  # fmt: skip
"""What happens to an agent: its word in the table, what was before, how it comes, and from which state to which."""

MEANS = {
    (RESERVED, None): RESERVED,
    (READY, None): Next.AS_WISHED,
    (NOT_READY, NotReadyReason.NO_ANSWER): Next.AFTER_A_MISS,
    (NOT_READY, NotReadyReason.DESKTOP_GONE): NOT_READY,
}
"""What the table must say for a floor on which this happens to an agent who wishes nothing else."""


@pytest.mark.parametrize("story", OF_AGENTS)
def test_an_agent_to_whom_the_desk_does_something(story: str) -> None:
    occasion, arrange, happen, before, then = OF_AGENTS[story]
    floor = a_desk()
    arrange(floor)

    assert agent_steps(happen(floor))[0] == (before, *then)
    assert agent_state.MOVES[before, occasion] is MEANS[then]


@pytest.mark.parametrize("story", ["lets it ring", "loses the caller to a key", "is never joined", "ends the wrap-up"])
def test_an_agent_who_wanted_a_break_gets_it_whatever_ends_their_work(story: str) -> None:
    _, arrange, happen, before, _ = OF_AGENTS[story]
    floor = a_desk()
    arrange(floor)
    floor.not_ready("alice", BREAK)

    assert agent_steps(happen(floor)) == [(before, NOT_READY, BREAK)]


@pytest.mark.parametrize("story", ["is never joined", "ends the wrap-up"])
def test_an_agent_whose_phone_is_gone_by_then_is_not_free(story: str) -> None:
    _, arrange, happen, before, _ = OF_AGENTS[story]
    floor = a_desk()
    arrange(floor)
    floor.phone_gone("alice")

    assert agent_steps(happen(floor)) == [(before, UNREACHABLE, None)]


def takes_alice_away(floor: Floor) -> list[Effect]:
    return floor.tell(AgentForced(ALICE, NOT_READY, "chief", BREAK))


def picked_up_on_the_way_to_a_break(floor: Floor) -> None:
    picked_up(floor)
    floor.not_ready("alice", BREAK)


OF_CALLERS = {
    "an agent comes free": (Offered, waiting, free, CallState.WAITING, CallState.OFFERED),
    "nobody picks up": (RingLimitPassed, ringing, after(20), CallState.OFFERED, CallState.WAITING),
    "the agent is taken away": (OfferWithdrawn, ringing, takes_alice_away, CallState.OFFERED, CallState.WAITING),
    "nobody joins them": (
        ConnectLimitPassed, picked_up_on_the_way_to_a_break, after(CONNECT_LIMIT), CallState.CONNECTING,
        CallState.WAITING,
    ),
    "they waited for too long": (LeftTheQueue, waiting, after(90), CallState.WAITING, CallState.IN_MENU),
    "they leave by a key while it rings": (LeftTheQueue, ringing, key_1, CallState.OFFERED, CallState.IN_MENU),
}  # fmt: skip


@pytest.mark.parametrize("story", OF_CALLERS)
def test_a_caller_to_whom_the_desk_does_something(story: str) -> None:
    occasion, arrange, happen, before, then = OF_CALLERS[story]
    floor = a_desk()
    arrange(floor)
    assert floor.the_call("c1").state is before

    happen(floor)

    assert floor.the_call("c1").state is then
    assert call_state.MOVES[before, occasion] is then


def dialled_first() -> Floor:
    """Somebody is called back, and their phone rings before Alice's may."""
    return called_back(First.CALLER)


def dialled_for_alice() -> Floor:
    """Alice has picked up and waits for the person to answer."""
    floor = called_back(First.AGENT)
    floor.answer("alice")
    return floor


def called_back(first: First) -> Floor:
    queue = Queue(HELPDESK, "helpdesk", callbacks=CallbackRules(first=first), wrap_up=seconds(30))
    floor = Floor("alice", queues=[queue], now=datetime(2026, 11, 20, 1, tzinfo=UTC).timestamp())  # ten in Seoul
    floor.ready("alice")
    floor.tell(CallbackAsked(CallbackId("cb"), "01012345678", HELPDESK, None))
    return floor


@pytest.mark.parametrize(
    ("start", "agent", "call"),
    [(dialled_first, RESERVED, CallState.OFFERED), (dialled_for_alice, TALKING, CallState.CONNECTING)],
)
def test_somebody_who_is_dialled_and_picks_up_or_cannot_be_reached(
    start: Callable[[], Floor], agent: AgentState, call: CallState
) -> None:
    """Whom they were dialled for waits on until they pick up, and is free, without a miss, when they do not."""
    reached, missed = start(), start()
    [attempt] = reached.engine.calls

    reached.tell(PersonReached(attempt))
    assert (reached.agent("alice").state, reached.the_call(attempt).state) == (agent, call)
    assert call_state.MOVES[call, PersonReached] is call

    assert agent_steps(missed.tell(DialFailed(attempt, "busy"))) == [(agent, READY, None)]
    assert attempt not in missed.engine.calls
    assert agent_state.MOVES[agent, DialFailed] is Next.AS_WISHED
    assert call_state.MOVES[call, DialFailed] is CallState.ENDED


@pytest.mark.parametrize("occasion", list(dict.fromkeys(occasion for occasion, *_ in OF_AGENTS.values())))
def test_it_happens_to_agents_in_no_other_state(occasion: type) -> None:
    """Nobody lets a phone ring that does not ring, and no wrap-up ends that never began."""
    lived = {before for its, _, _, before, _ in OF_AGENTS.values() if its is occasion}
    assert {state for state in AgentState if (state, occasion) in agent_state.MOVES} == lived


@pytest.mark.parametrize("occasion", list(dict.fromkeys(occasion for occasion, *_ in OF_CALLERS.values())))
def test_it_happens_to_callers_in_no_other_state(occasion: type) -> None:
    lived = {before for its, _, _, before, _ in OF_CALLERS.values() if its is occasion}
    assert {state for state in CallState if (state, occasion) in call_state.MOVES} == lived


def test_a_caller_for_whom_a_phone_rings_is_not_led_away_for_waiting_too_long_before_it_has_rung() -> None:
    floor = a_desk()
    rung_late(floor)

    floor.wait(15)
    assert floor.the_call("c1").state is CallState.OFFERED
    floor.wait(5)
    assert floor.the_call("c1").state is CallState.IN_MENU


def test_a_caller_on_hold_is_not_taken_for_one_who_is_still_being_joined() -> None:
    floor = a_desk()
    picked_up(floor)
    floor.connected("alice")
    floor.tell(CallHeld(ALICE, C1))

    floor.wait(10 * CONNECT_LIMIT)

    assert floor.the_call("c1").state is CallState.HELD
