"""What an agent is doing, and every move from one state to another.

The rules, in words. The tables below say the same for every pair of state and event.

1. An agent has one state on the whole floor, never one per queue: who is in 후처리 for one queue is in
   후처리 for all of them.
2. Only 대기 is offered calls, and an offer is 호출 until the phone is picked up, declined, or has rung
   for the queue's limit.
3. A conversation that took place is followed by 후처리 for the agent's or the queue's time. The agent's own wish
   for 대기 ends it early, the agent may ask for more, and nothing but a supervisor's word can cut it.
4. A wish that cannot be granted now (a break during a call) is kept as the *requested next state* and
   carried out when call and wrap-up are over. The latest wish counts.
5. Whoever wants 대기 while their phone is away is in 연결불가 instead, and in 대기 when the phone is back.
   In every other state the phone's coming and going is noted and changes nothing, except that an offer
   to a phone that goes away fails at once.
6. Leaving the phone unanswered too often in a row is 이석 with the reason NO_ANSWER. Declining, and picking up only
   to put down before the caller is heard, count the same.
7. A supervisor's word (`AgentForced`) is carried out at once: a ringing phone is silenced, a wrap-up cut. Only a
   conversation is never cut: there it becomes the requested next state.
8. An offer that ends through no doing of the agent (another agent was first, the caller went another way) costs
   them nothing: they keep their turn.
9. No state outlives its evidence: who cannot be joined with a caller in time, talks without a leg, or is in 대기
   without a desktop that they had, is taken out of that state.
10. News about an attempt (`offer`) is believed only while it is this agent's attempt; the engine checks
   that before it looks here.
"""

from enum import Enum
from itertools import product
from typing import Final

from changgu.acd.agent_words import AGENT_STATE_KO, CHOSEN_REASONS, AgentState, NotReadyReason
from changgu.acd.events import (
    AgentAnswered,
    AgentForced,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
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
    MoreWrapUpWanted,
    PartiesConnected,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.occasions import (
    ConnectLimitPassed,
    DesktopGraceOver,
    Offered,
    OfferWithdrawn,
    RingLimitPassed,
    WrapUpPassed,
)

__all__ = [
    "AGENT_EVENTS",
    "AGENT_STATE_KO",
    "CHOSEN_REASONS",
    "MOVES",
    "ON_A_CALL",
    "REFUSED",
    "RESTING",
    "STALE",
    "AgentState",
    "Next",
    "NotReadyReason",
]


class Next(Enum):
    """Where a move leads when the state alone does not say it."""

    AVAILABLE = "대기, or 연결불가 while the phone is away"
    AS_WISHED = "the requested next state; else available"
    AFTER_A_MISS = "the requested next state; else 이석 (NO_ANSWER) after too many misses; else available"
    AFTER_THE_CALL = (
        "후처리 when they have spoken (if the queue has one); a miss when the agent left before; else as wished"
    )
    REQUESTED = "the present state; the wish becomes the requested next state"
    FORCED = "the state that the supervisor named; 연결불가 instead of 대기 while the phone is away"
    SAME = "the present state"


READY: Final = AgentState.READY
RESERVED: Final = AgentState.RESERVED
TALKING: Final = AgentState.TALKING
HOLD: Final = AgentState.HOLD
WRAP_UP: Final = AgentState.WRAP_UP
NOT_READY: Final = AgentState.NOT_READY
UNREACHABLE: Final = AgentState.UNREACHABLE
LOGGED_OUT: Final = AgentState.LOGGED_OUT
# Members of enums have names of their own where every call comes by: up to Python 3.11 `AgentState.READY` takes longer
# than calling a function. `Final` tells the compiler not to look for them each time.

RESTING: Final = (READY, NOT_READY, UNREACHABLE, LOGGED_OUT)
"""No call is on the agent's hands."""

ON_A_CALL: Final = (TALKING, HOLD)

AGENT_EVENTS: tuple[type, ...] = (
    AgentSignedIn, AgentSignedOut, AgentReady, AgentNotReady,
    PhoneReachable, PhoneUnreachable,
    AgentAnswered, RingFailed, PartiesConnected, ConnectFailed, AgentHungUp,
    CallHeld, CallResumed, CallerHungUp, CallLost, DeskClosed, DialFailed, ConversationMissing,
    AgentForced, MoreWrapUpWanted, DesktopSeen, DesktopGone,
    Offered, RingLimitPassed, OfferWithdrawn, ConnectLimitPassed, WrapUpPassed, DesktopGraceOver,
)  # fmt: skip
"""All that can happen to an agent."""

_EVERY_STATE = tuple(AgentState)

MOVES: Final[dict[tuple[AgentState, type], AgentState | Next]] = {
    # Wishes
    (LOGGED_OUT, AgentSignedIn): NOT_READY,
    (LOGGED_OUT, AgentReady): Next.AVAILABLE,
    (NOT_READY, AgentReady): Next.AVAILABLE,
    (WRAP_UP, AgentReady): Next.AVAILABLE,
    (READY, AgentNotReady): NOT_READY,
    (NOT_READY, AgentNotReady): NOT_READY,
    (UNREACHABLE, AgentNotReady): NOT_READY,
    (READY, AgentSignedOut): LOGGED_OUT,
    (NOT_READY, AgentSignedOut): LOGGED_OUT,
    (UNREACHABLE, AgentSignedOut): LOGGED_OUT,
    (RESERVED, AgentReady): Next.REQUESTED,
    (TALKING, AgentReady): Next.REQUESTED,
    (HOLD, AgentReady): Next.REQUESTED,
    **dict.fromkeys(product((RESERVED, TALKING, HOLD, WRAP_UP), (AgentNotReady, AgentSignedOut)), Next.REQUESTED),
    **dict.fromkeys(product((*RESTING, RESERVED, WRAP_UP), (AgentForced,)), Next.FORCED),
    **dict.fromkeys(product(ON_A_CALL, (AgentForced,)), Next.REQUESTED),
    (WRAP_UP, MoreWrapUpWanted): Next.SAME,
    # The desktop
    **dict.fromkeys(product(_EVERY_STATE, (DesktopSeen, DesktopGone)), Next.SAME),
    (READY, DesktopGraceOver): NOT_READY,
    # The phone
    (READY, PhoneUnreachable): UNREACHABLE,
    (UNREACHABLE, PhoneReachable): READY,
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not UNREACHABLE], (PhoneReachable,)), Next.SAME),
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not READY], (PhoneUnreachable,)), Next.SAME),
    # The offer
    (READY, Offered): RESERVED,
    (RESERVED, AgentAnswered): TALKING,
    (RESERVED, RingFailed): Next.AFTER_A_MISS,
    (RESERVED, RingLimitPassed): Next.AFTER_A_MISS,
    (RESERVED, AgentHungUp): Next.AFTER_A_MISS,
    (RESERVED, CallerHungUp): Next.AS_WISHED,
    (RESERVED, CallLost): Next.AS_WISHED,
    (RESERVED, DeskClosed): Next.AS_WISHED,
    (RESERVED, DialFailed): Next.AS_WISHED,
    (RESERVED, OfferWithdrawn): Next.AS_WISHED,
    # The conversation
    (TALKING, PartiesConnected): Next.SAME,
    (TALKING, ConnectFailed): Next.AS_WISHED,
    (TALKING, ConnectLimitPassed): Next.AS_WISHED,
    (TALKING, DialFailed): Next.AS_WISHED,
    (TALKING, CallHeld): HOLD,
    (HOLD, CallResumed): TALKING,
    **dict.fromkeys(
        product(ON_A_CALL, (AgentHungUp, ConversationMissing, CallerHungUp, CallLost, DeskClosed)), Next.AFTER_THE_CALL
    ),
    # After it
    (WRAP_UP, WrapUpPassed): Next.AS_WISHED,
    (WRAP_UP, AgentHungUp): Next.SAME,  # the echo of our own hang-up
}
"""Legal, with where it leads."""

_NO_OFFER = "no offer is open at this agent"
_PICKED_UP = "the phone has been picked up already"
_OVER = "the conversation is over"
_NOT_YET = "the phone has not been picked up yet"

_ABOUT_RINGING = (AgentAnswered, RingFailed, RingLimitPassed, OfferWithdrawn)
_ABOUT_JOINING = (PartiesConnected, ConnectFailed, ConnectLimitPassed)
_ABOUT_THE_CALLER = (CallerHungUp, CallLost, DeskClosed, DialFailed)

STALE: dict[tuple[AgentState, type], str] = {
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not LOGGED_OUT], (AgentSignedIn,)), "already signed in"),
    (LOGGED_OUT, AgentSignedOut): "already signed out",
    (READY, AgentReady): "already ready",
    # The offer
    **dict.fromkeys(product(RESTING, _ABOUT_RINGING), _NO_OFFER),
    **dict.fromkeys(product(ON_A_CALL, _ABOUT_RINGING), _PICKED_UP),
    **dict.fromkeys(product((WRAP_UP,), _ABOUT_RINGING), _OVER),
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not READY], (Offered,)), "only 대기 is offered calls"),
    # The conversation
    **dict.fromkeys(
        product(
            RESTING,
            (*_ABOUT_JOINING, AgentHungUp, ConversationMissing, CallHeld, CallResumed, *_ABOUT_THE_CALLER),
        ),
        "no call is on this agent's hands",
    ),
    **dict.fromkeys(
        product(
            (RESERVED,),
            (PartiesConnected, ConnectFailed, ConnectLimitPassed, ConversationMissing, CallHeld, CallResumed),
        ),
        _NOT_YET,
    ),
    **dict.fromkeys(product((HOLD,), (*_ABOUT_JOINING, DialFailed)), "connected already"),
    (TALKING, CallResumed): "not on hold",
    (HOLD, CallHeld): "on hold already",
    **dict.fromkeys(
        product((WRAP_UP,), (*_ABOUT_JOINING, ConversationMissing, CallHeld, CallResumed, *_ABOUT_THE_CALLER)), _OVER
    ),
    # After it
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not WRAP_UP], (WrapUpPassed,)), "not in wrap-up"),
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not READY], (DesktopGraceOver,)), "not in 대기"),
}
"""Late or repeated: ignored and counted, with the reason."""

REFUSED: dict[tuple[AgentState, type], tuple[str, str]] = {
    **dict.fromkeys(
        product([s for s in _EVERY_STATE if s is not WRAP_UP], (MoreWrapUpWanted,)),
        ("후처리 중이 아닙니다.", "There is no wrap-up to extend."),
    ),
    (LOGGED_OUT, AgentNotReady): (
        "로그인하지 않은 요원입니다. 먼저 로그인하십시오.",
        "This agent is signed out. Sign in first.",
    ),
    (UNREACHABLE, AgentReady): (
        "전화기가 연결되어 있지 않습니다. 전화기가 연결되면 자동으로 대기 상태가 됩니다.",
        "The phone is not connected. The state becomes ready by itself as soon as it is.",
    ),
}
"""A person asked for it and is told why not: Korean, English."""
