"""Where a caller is, and every move from one place to another.

The rules, in words. The tables below say the same for every pair of state and event.

1. A caller is in exactly one place from the first ring to the end: in the menu, waiting, offered to one
   agent, being connected to that agent, talking, or held. There is no way back to the menu.
2. An offer that comes to nothing puts the caller back to waiting in the place they had.
3. Being picked up is not being served: a caller who leaves before the two can hear each other was not
   answered, and one who cannot be joined goes back to their place.
4. The first news that ends a call ends it, with one outcome; what comes later is too late. An ended call is
   forgotten by the engine, so for ENDED everything is late.
5. News about an attempt (`offer`) is believed only while it is this call's attempt; the engine checks that
   before it looks here.
"""

from enum import StrEnum
from itertools import product

from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    DeskClosed,
    MenuEnded,
    MenuStepReached,
    PartiesConnected,
    RingFailed,
)
from changgu.acd.facts import Outcome
from changgu.acd.occasions import Offered, RingLimitPassed


class CallState(StrEnum):
    """Where a caller is."""

    IN_MENU = "in_menu"
    WAITING = "waiting"
    OFFERED = "offered"
    """One agent's phone is ringing for them."""
    CONNECTING = "connecting"
    """The agent picked up; the two do not hear each other yet."""
    TALKING = "talking"
    HELD = "held"
    ENDED = "ended"


CALL_STATE_KO = {
    CallState.IN_MENU: "자동응답",
    CallState.WAITING: "대기",
    CallState.OFFERED: "호출",
    CallState.CONNECTING: "연결 중",
    CallState.TALKING: "통화",
    CallState.HELD: "보류",
    CallState.ENDED: "종료",
}

IN_MENU, WAITING, OFFERED, CONNECTING, TALKING, HELD, ENDED = CallState

CALL_EVENTS: tuple[type, ...] = (
    CallerDialledIn, MenuStepReached, CallArrived, MenuEnded,
    Offered, RingLimitPassed, AgentAnswered, RingFailed,
    PartiesConnected, ConnectFailed, AgentHungUp, CallHeld, CallResumed,
    CallerHungUp, CallLost, DeskClosed,
)  # fmt: skip
"""All that can happen to a call."""

_EVERY_STATE = tuple(CallState)
_MENU_EVENTS = (MenuStepReached, CallArrived, MenuEnded)
_OFFER_EVENTS = (RingLimitPassed, AgentAnswered, RingFailed)
_CONVERSATION_EVENTS = (PartiesConnected, ConnectFailed, AgentHungUp, CallHeld, CallResumed)

MOVES: dict[tuple[CallState, type], CallState] = {
    (IN_MENU, MenuStepReached): IN_MENU,
    (IN_MENU, CallArrived): WAITING,
    (IN_MENU, MenuEnded): ENDED,
    (WAITING, Offered): OFFERED,
    (OFFERED, RingLimitPassed): WAITING,
    (OFFERED, RingFailed): WAITING,
    (OFFERED, AgentHungUp): WAITING,  # picked up and put down again, and only the second was heard
    (OFFERED, AgentAnswered): CONNECTING,
    (CONNECTING, PartiesConnected): TALKING,
    (CONNECTING, ConnectFailed): WAITING,
    (CONNECTING, AgentHungUp): WAITING,
    (TALKING, CallHeld): HELD,
    (HELD, CallResumed): TALKING,
    (TALKING, AgentHungUp): ENDED,
    (HELD, AgentHungUp): ENDED,
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not ENDED], (CallerHungUp, CallLost, DeskClosed)), ENDED),
}
"""Legal, with where it leads."""

STALE: dict[tuple[CallState, type], str] = {
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not ENDED], (CallerDialledIn,)), "the call exists"),
    **dict.fromkeys(product((WAITING, OFFERED, CONNECTING, TALKING, HELD), _MENU_EVENTS), "left the menu already"),
    **dict.fromkeys(product((IN_MENU, OFFERED, CONNECTING, TALKING, HELD), (Offered,)), "only who waits is offered"),
    **dict.fromkeys(product((IN_MENU, WAITING), (*_OFFER_EVENTS, *_CONVERSATION_EVENTS)), "no offer is open"),
    **dict.fromkeys(product((CONNECTING, TALKING, HELD), _OFFER_EVENTS), "picked up already"),
    **dict.fromkeys(product((OFFERED,), (PartiesConnected, ConnectFailed, CallHeld, CallResumed)), "not picked up yet"),
    **dict.fromkeys(product((CONNECTING,), (CallHeld, CallResumed)), "not connected yet"),
    **dict.fromkeys(product((TALKING, HELD), (PartiesConnected, ConnectFailed)), "connected already"),
    (TALKING, CallResumed): "not on hold",
    (HELD, CallHeld): "on hold already",
    **dict.fromkeys(product((ENDED,), CALL_EVENTS), "the call is over"),
}
"""Late or repeated: ignored and counted, with the reason."""

REFUSED: dict[tuple[CallState, type], tuple[str, str]] = {}
"""Nobody asks a call for anything: people's wishes go through their agent."""

ABANDONED: dict[CallState, Outcome] = {
    IN_MENU: Outcome.ABANDONED_IN_MENU,
    WAITING: Outcome.ABANDONED_IN_QUEUE,
    OFFERED: Outcome.ABANDONED_RINGING,
    CONNECTING: Outcome.ABANDONED_RINGING,
    TALKING: Outcome.ANSWERED,
    HELD: Outcome.ANSWERED,
}
"""The outcome of a call that ends because the caller left (CTI-16: told apart by where it happens)."""

SPOKEN = (TALKING, HELD)
"""The two have heard each other."""
