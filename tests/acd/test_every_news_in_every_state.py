"""What agents and callers make of every news, whatever they are doing when it comes.

The tables below are written from the rules at the head of `agent_state` and `call_state`, not from their tables, and
hold for a floor that lives through it: whoever sees the wallboard sees exactly this.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from changgu.acd import agent_state, call_state
from changgu.acd.agent_state import AgentState, Next, NotReadyReason
from changgu.acd.call_state import CallState
from changgu.acd.engine import RequestRefused
from changgu.acd.events import (
    AgentAnswered,
    AgentForced,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    ConversationMissing,
    DeskClosed,
    DesktopGone,
    DesktopSeen,
    DialFailed,
    Event,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
    MoreWrapUpWanted,
    PartiesConnected,
    PersonReached,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import NewsIgnored
from changgu.acd.identity import AgentId, CallId, OfferId
from changgu.acd.queues import Destination, Queue, Way
from tests.support.floor import HELPDESK, Floor, seconds

ALICE, C1, ONE = AgentId("alice"), CallId("c1"), OfferId(1)
BREAK = NotReadyReason.BREAK
JOINING = (PartiesConnected, ConnectFailed)


def a_desk(*, wrap_up: float = 30) -> Floor:
    """One miss is enough for 이석, so that a missed call and a call lost without fault end differently."""
    queue = Queue(
        HELPDESK, "helpdesk", ring_limit=seconds(20), wrap_up=seconds(wrap_up), misses_before_not_ready=1,
        keys={"1": Destination(Way.VOICEMAIL)},
    )  # fmt: skip
    return Floor("alice", queues=[queue])


def signed_out(floor: Floor) -> None:
    pass


def on_a_break(floor: Floor) -> None:
    floor.sign_in("alice")
    floor.not_ready("alice", NotReadyReason.TRAINING)


def free(floor: Floor) -> None:
    floor.ready("alice")


def without_a_phone(floor: Floor) -> None:
    floor.ready("alice")
    floor.phone_gone("alice")


def ringing(floor: Floor) -> None:
    floor.ready("alice")
    floor.call("c1")


def picked_up(floor: Floor) -> None:
    ringing(floor)
    floor.answer("alice")


def talking(floor: Floor) -> None:
    ringing(floor)
    floor.talk("alice")


def holding(floor: Floor) -> None:
    talking(floor)
    floor.tell(CallHeld(ALICE, C1))


def wrapping_up(floor: Floor) -> None:
    talking(floor)
    floor.caller_hangs_up("c1")


WHILE: dict[str, Callable[[Floor], None]] = {
    "out": signed_out, "break": on_a_break, "free": free, "no phone": without_a_phone, "rings": ringing,
    "picked up": picked_up, "talks": talking, "holds": holding, "wraps up": wrapping_up,
}  # fmt: skip

AGENTS_NEWS: dict[str, Event] = {
    "signs in": AgentSignedIn(ALICE),
    "signs out": AgentSignedOut(ALICE),
    "wants calls": AgentReady(ALICE),
    "wants a break": AgentNotReady(ALICE, BREAK),
    "forced: break": AgentForced(ALICE, AgentState.NOT_READY, "chief", BREAK),
    "forced: out": AgentForced(ALICE, AgentState.LOGGED_OUT, "chief"),
    "forced: calls": AgentForced(ALICE, AgentState.READY, "chief"),
    "wants longer": MoreWrapUpWanted(ALICE, timedelta(seconds=10)),
    "phone is gone": PhoneUnreachable(ALICE),
    "phone is back": PhoneReachable(ALICE),
    "desktop is there": DesktopSeen(ALICE),
    "desktop is gone": DesktopGone(ALICE),
    "picks up": AgentAnswered(ALICE, C1, ONE),
    "declines": RingFailed(ALICE, C1, ONE, "declined"),
    "are joined": PartiesConnected(ALICE, C1, ONE),
    "not joined": ConnectFailed(ALICE, C1, ONE, "busy"),
    "agent hangs up": AgentHungUp(ALICE, C1, ONE),
    "no leg": ConversationMissing(ALICE, C1, ONE),
    "holds": CallHeld(ALICE, C1),
    "takes back": CallResumed(ALICE, C1),
    "caller hangs up": CallerHungUp(C1),
    "call is lost": CallLost(C1),
    "desk closes": DeskClosed(C1),
    "dial failed": DialFailed(C1, "busy"),
    "person reached": PersonReached(C1),
}

AGENTS = """
                  | out   | break | free  | no phone | rings | picked up | talks | holds | wraps up
signs in          | break | -     | -     | -        | -     | -         | -     | -     | -
signs out         | -     | out   | out   | out      | later | later     | later | later | later
wants calls       | free  | free  | -     | no       | later | later     | later | later | free
wants a break     | no    | break | break | break    | later | later     | later | later | later
forced: break     | break | break | break | break    | break | later     | later | later | break
forced: out       | -     | out   | out   | out      | out   | later     | later | later | out
forced: calls     | free  | free  | -     | -        | again | later     | later | later | free
wants longer      | no    | no    | no    | no       | no    | no        | no    | no    | same
phone is gone     | same  | same  | away  | quiet    | break | same      | same  | same  | same
phone is back     | quiet | quiet | quiet | free     | quiet | quiet     | quiet | quiet | quiet
desktop is there  | same  | same  | same  | same     | same  | same      | same  | same  | same
desktop is gone   | -     | -     | -     | -        | -     | -         | -     | -     | -
picks up          | -     | -     | -     | -        | talks | -         | -     | -     | -
declines          | -     | -     | -     | -        | break | -         | -     | -     | -
are joined        | -     | -     | -     | -        | -     | same      | -     | -     | -
not joined        | -     | -     | -     | -        | -     | again     | -     | -     | -
agent hangs up    | -     | -     | -     | -        | break | break     | wraps | wraps | quiet
no leg            | -     | -     | -     | -        | -     | -         | wraps | wraps | -
holds             | -     | -     | -     | -        | -     | -         | holds | -     | -
takes back        | -     | -     | -     | -        | -     | -         | -     | talks | -
caller hangs up   | -     | -     | -     | -        | free  | free      | wraps | wraps | -
call is lost      | -     | -     | -     | -        | free  | free      | wraps | wraps | -
desk closes       | -     | -     | -     | -        | free  | free      | wraps | wraps | -
dial failed       | -     | -     | -     | -        | -     | -         | -     | -     | -
person reached    | -     | -     | -     | -        | -     | -         | -     | -     | -
"""
"""`-`: ignored and counted. `no`: refused. `quiet`: no news at all. `same`: noted, the state goes on. `later`: the wish
is kept for when the call and its wrap-up are over. `again`: their turn is not lost, the caller rings anew."""

BECOMES = {
    "out": AgentState.LOGGED_OUT, "break": AgentState.NOT_READY, "free": AgentState.READY,
    "away": AgentState.UNREACHABLE, "talks": AgentState.TALKING, "holds": AgentState.HOLD,
    "wraps": AgentState.WRAP_UP, "again": AgentState.RESERVED,
}  # fmt: skip


def cells(table: str) -> list[tuple[str, str, str]]:
    """(news, while, what comes of it) of every cell."""
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in table.strip("\n").splitlines()]
    return [(row[0], state, cell) for row in rows for state, cell in zip(head[1:], row[1:], strict=True)]


@pytest.mark.parametrize(("news", "while_", "cell"), cells(AGENTS))
def test_an_agent_whatever_they_do_when_the_news_comes(news: str, while_: str, cell: str) -> None:
    floor = a_desk()
    WHILE[while_](floor)
    floor.wait(5)
    before = floor.agent("alice")

    effects = floor.tell(AGENTS_NEWS[news])

    after = floor.agent("alice")
    assert any(isinstance(effect, RequestRefused) for effect in effects) == (cell == "no")
    assert any(isinstance(effect, NewsIgnored) for effect in effects) == (cell == "-")
    assert (effects == []) == (cell == "quiet")
    if cell in BECOMES:
        assert after.state is BECOMES[cell]
        assert after.since == floor.now
    else:
        assert (after.state, after.reason, after.since) == (before.state, before.reason, before.since)
        assert (after.requested is not None) == (cell == "later")


LIVED_AS: dict[agent_state.Next, set[str]] = {
    Next.AVAILABLE: {"free"},
    Next.AS_WISHED: {"free", "again"},
    Next.AFTER_A_MISS: {"break"},
    Next.AFTER_THE_CALL: {"wraps"},
    Next.REQUESTED: {"later"},
    Next.FORCED: {"break", "out", "free", "again"},
    Next.SAME: {"same", "quiet"},
}
"""How a floor lives what the agents' table says, when the state alone does not say it."""

OTHERWISE = {
    ("rings", "phone is gone"): "rule 5: the offer fails at once",
    ("rings", "dial failed"): "nobody was dialled for this call",
    ("talks", "dial failed"): "nobody was dialled for this call",
    ("out", "forced: out"): "is so already",
    ("free", "forced: calls"): "is so already",
    ("no phone", "forced: calls"): "cannot be so before the phone is back",
}
"""Cells in which the floor does something else than the table says, and the rule by which it does."""


def concerns_the_agents_table(news: str, while_: str, cell: str) -> bool:
    """It knows no people who are dialled, no desktops that never were, and not whether the two hear each other yet."""
    joining = type(AGENTS_NEWS[news]) in JOINING
    if while_ in ("picked up", "talks") and joining != (while_ == "picked up"):
        return False
    return (while_, news) not in OTHERWISE and news not in ("desktop is gone", "person reached")


@pytest.mark.parametrize(
    ("news", "while_", "cell"), [cell for cell in cells(AGENTS) if concerns_the_agents_table(*cell)]
)
def test_the_table_of_agents_tells_the_truth_about_the_floor(news: str, while_: str, cell: str) -> None:
    floor = a_desk()
    WHILE[while_](floor)
    pair = (floor.agent("alice").state, type(AGENTS_NEWS[news]))

    if cell == "-":
        assert pair in agent_state.STALE
    elif cell == "no":
        assert pair in agent_state.REFUSED
    elif isinstance(after := agent_state.MOVES[pair], Next):
        assert cell in LIVED_AS[after]
    else:
        assert after is BECOMES[cell]


@pytest.mark.parametrize("while_", WHILE)
def test_a_desktop_that_opens_and_closes_again_moves_nobody_by_itself(while_: str) -> None:
    """Only when it stays closed for too long, and the agent is free (rule of the desktop's grace)."""
    floor = a_desk()
    WHILE[while_](floor)
    before = floor.agent("alice")

    floor.tell(DesktopSeen(ALICE))
    floor.tell(DesktopGone(ALICE))

    after = floor.agent("alice")
    assert (after.state, after.reason, after.since, after.call) == (
        before.state, before.reason, before.since, before.call,
    )  # fmt: skip
    assert agent_state.MOVES[before.state, DesktopGone] is Next.SAME


@pytest.mark.parametrize("while_", [talking, holding])
@pytest.mark.parametrize("end", ["agent hangs up", "no leg", "caller hangs up", "call is lost", "desk closes"])
def test_without_a_wrap_up_however_the_conversation_ends_the_agent_is_free_at_once(
    while_: Callable[[Floor], None], end: str
) -> None:
    floor = a_desk(wrap_up=0)
    while_(floor)

    floor.tell(AGENTS_NEWS[end])

    assert floor.agent("alice").state is AgentState.READY


# Callers


def in_the_menu(floor: Floor) -> None:
    floor.dial("c1")


def waiting(floor: Floor) -> None:
    floor.call("c1")


def gone(floor: Floor) -> None:
    floor.dial("c1")
    floor.caller_hangs_up("c1")


CALLER_IS: dict[str, Callable[[Floor], None]] = {
    "menu": in_the_menu, "waits": waiting, "rings": ringing, "picked up": picked_up, "talks": talking,
    "held": holding, "gone": gone,
}  # fmt: skip

CALLERS_NEWS = AGENTS_NEWS | {
    "dials in": CallerDialledIn(C1, "01012345678", "1000"),
    "menu goes on": MenuStepReached(C1, "main", "2"),
    "menu hands over": CallArrived(C1, HELPDESK),
    "menu is done": MenuEnded(C1, served=True),
    "presses a key": KeyPressed(C1, "1"),
}

CALLERS = """
                  | menu  | waits | rings     | picked up | talks | held  | gone
dials in          | -     | -     | -         | -         | -     | -     | -
menu goes on      | menu  | -     | -         | -         | -     | -     | -
menu hands over   | waits | -     | -         | -         | -     | -     | -
menu is done      | gone  | -     | -         | -         | -     | -     | -
presses a key     | -     | menu  | menu      | -         | -     | -     | -
picks up          | -     | -     | picked up | -         | -     | -     | -
declines          | -     | -     | waits     | -         | -     | -     | -
are joined        | -     | -     | -         | talks     | -     | -     | -
not joined        | -     | -     | -         | waits     | -     | -     | -
agent hangs up    | -     | -     | waits     | waits     | gone  | gone  | -
no leg            | -     | -     | -         | -         | gone  | gone  | -
holds             | -     | -     | -         | -         | held  | -     | -
takes back        | -     | -     | -         | -         | -     | talks | -
caller hangs up   | gone  | gone  | gone      | gone      | gone  | gone  | -
call is lost      | gone  | gone  | gone      | gone      | gone  | gone  | -
desk closes       | gone  | gone  | gone      | gone      | gone  | gone  | -
dial failed       | -     | -     | -         | -         | -     | -     | -
person reached    | -     | -     | -         | -         | -     | -     | -
"""

IS_IN = {
    "menu": "in_menu", "waits": "waiting", "rings": "offered", "picked up": "connecting", "talks": "talking",
    "held": "held", "gone": None,
}  # fmt: skip


@pytest.mark.parametrize(("news", "while_", "cell"), cells(CALLERS))
def test_a_caller_wherever_they_are_when_the_news_comes(news: str, while_: str, cell: str) -> None:
    """Who rang for them wants a break meanwhile, so that a caller who waits again is not offered at once."""
    floor = a_desk()
    CALLER_IS[while_](floor)
    floor.not_ready("alice")

    effects = floor.tell(CALLERS_NEWS[news])

    call = floor.engine.calls.get(C1)
    assert (None if call is None else call.state.value) == IS_IN[while_ if cell == "-" else cell]
    assert any(isinstance(effect, NewsIgnored) and effect.why for effect in effects) == (cell == "-")
    assert floor.engine.recently_ended(C1) == (call is None)


def concerns_the_callers_table(news: str, while_: str, cell: str) -> bool:
    """Nobody is dialled for the callers of these stories; the table speaks of those for whom somebody is."""
    return news not in ("dial failed", "person reached") or while_ not in ("rings", "picked up")


@pytest.mark.parametrize(
    ("news", "while_", "cell"), [cell for cell in cells(CALLERS) if concerns_the_callers_table(*cell)]
)
def test_the_table_of_callers_tells_the_truth_about_the_floor(news: str, while_: str, cell: str) -> None:
    pair = (CallState(IS_IN[while_] or "ended"), type(CALLERS_NEWS[news]))

    if cell == "-":
        assert pair in call_state.STALE
    else:
        assert call_state.MOVES[pair] == (IS_IN[cell] or "ended")
