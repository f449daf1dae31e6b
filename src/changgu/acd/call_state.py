"""Where a caller is, and every move from one place to another.

The rules, in words. The tables below say the same for every pair of state and event.

1. A caller is in exactly one place from the first ring to the end: in the menu, waiting, offered to one agent (or
   to everybody at once), being connected to the one who picked up, talking, or held.
2. An offer that comes to nothing puts the caller back to waiting in the place they had.
3. Being picked up is not being served: a caller who leaves before the two can hear each other was not
   answered, and one who cannot be joined goes back to their place.
4. A key or a rule of the queue can lead a waiting caller out of it, back to the menu's care (a message, a call-back,
   an outside number) and from there to their old place; once an agent has picked up it is too late for that.
5. Somebody who is called back waits like any caller without being on the line; when they cannot be reached, the
   attempt has ended.
6. The first news that ends a call ends it, with one outcome; what comes later is too late. An ended call is
   forgotten by the engine, so for ENDED everything is late.
7. News about an attempt (`offer`) is believed only while it is this call's attempt; the engine checks that
   before it looks here.
"""

from enum import StrEnum
from itertools import product
from typing import Final

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
    ConversationMissing,
    DeskClosed,
    DialFailed,
    KeyPressed,
    MenuEnded,
    MenuStepReached,
    PartiesConnected,
    PersonReached,
    RingFailed,
)
from changgu.acd.facts import Outcome
from changgu.acd.occasions import ConnectLimitPassed, LeftTheQueue, Offered, OfferWithdrawn, RingLimitPassed


class CallState(StrEnum):
    """Where a caller is."""

    IN_MENU = "in_menu"
    WAITING = "waiting"
    OFFERED = "offered"
    """One agent's phone is ringing for them, or everybody's."""
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

IN_MENU: Final = CallState.IN_MENU
WAITING: Final = CallState.WAITING
OFFERED: Final = CallState.OFFERED
CONNECTING: Final = CallState.CONNECTING
TALKING: Final = CallState.TALKING
HELD: Final = CallState.HELD
ENDED: Final = CallState.ENDED

CALL_EVENTS: tuple[type, ...] = (
    CallerDialledIn, MenuStepReached, CallArrived, MenuEnded,
    Offered, RingLimitPassed, AgentAnswered, RingFailed,
    PartiesConnected, ConnectFailed, AgentHungUp, CallHeld, CallResumed,
    CallerHungUp, CallLost, DeskClosed, KeyPressed, PersonReached, DialFailed, ConversationMissing,
    OfferWithdrawn, ConnectLimitPassed, LeftTheQueue,
)  # fmt: skip
"""All that can happen to a call."""

_EVERY_STATE = tuple(CallState)
_MENU_EVENTS = (MenuStepReached, CallArrived, MenuEnded)
_OFFER_EVENTS = (RingLimitPassed, AgentAnswered, RingFailed, OfferWithdrawn)
_CONVERSATION_EVENTS = (
    PartiesConnected, ConnectFailed, ConnectLimitPassed, AgentHungUp, ConversationMissing, CallHeld, CallResumed,
)  # fmt: skip
_DIAL_EVENTS = (PersonReached, DialFailed)

MOVES: Final[dict[tuple[CallState, type], CallState]] = {
    (IN_MENU, MenuStepReached): IN_MENU,
    (IN_MENU, CallArrived): WAITING,
    (IN_MENU, MenuEnded): ENDED,
    (WAITING, Offered): OFFERED,
    (OFFERED, RingLimitPassed): WAITING,
    (OFFERED, RingFailed): WAITING,  # when it was the last open offer, as for the others
    (OFFERED, OfferWithdrawn): WAITING,
    (OFFERED, AgentHungUp): WAITING,  # picked up and put down again, and only the second was heard
    (OFFERED, AgentAnswered): CONNECTING,
    (CONNECTING, PartiesConnected): TALKING,
    (CONNECTING, ConnectFailed): WAITING,
    (CONNECTING, AgentHungUp): WAITING,
    (CONNECTING, ConnectLimitPassed): WAITING,
    **dict.fromkeys(product((WAITING, OFFERED), (KeyPressed, LeftTheQueue)), IN_MENU),  # or ENDED, or another queue
    (OFFERED, PersonReached): OFFERED,
    (CONNECTING, PersonReached): CONNECTING,
    **dict.fromkeys(product((OFFERED, CONNECTING), (DialFailed,)), ENDED),
    (TALKING, CallHeld): HELD,
    (HELD, CallResumed): TALKING,
    (TALKING, AgentHungUp): ENDED,
    (HELD, AgentHungUp): ENDED,
    **dict.fromkeys(product((TALKING, HELD), (ConversationMissing,)), ENDED),
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not ENDED], (CallerHungUp, CallLost, DeskClosed)), ENDED),
}
"""Legal, with where it leads."""

STALE: dict[tuple[CallState, type], str] = {
    **dict.fromkeys(product([s for s in _EVERY_STATE if s is not ENDED], (CallerDialledIn,)), "the call exists"),
    **dict.fromkeys(product((WAITING, OFFERED, CONNECTING, TALKING, HELD), _MENU_EVENTS), "left the menu already"),
    **dict.fromkeys(product((IN_MENU, OFFERED, CONNECTING, TALKING, HELD), (Offered,)), "only who waits is offered"),
    **dict.fromkeys(product((IN_MENU, WAITING), (*_OFFER_EVENTS, *_CONVERSATION_EVENTS)), "no offer is open"),
    **dict.fromkeys(product((CONNECTING, TALKING, HELD), _OFFER_EVENTS), "picked up already"),
    **dict.fromkeys(
        product(
            (OFFERED,),
            (PartiesConnected, ConnectFailed, ConnectLimitPassed, ConversationMissing, CallHeld, CallResumed),
        ),
        "not picked up yet",
    ),
    **dict.fromkeys(product((CONNECTING,), (CallHeld, CallResumed, ConversationMissing)), "not connected yet"),
    **dict.fromkeys(
        product((TALKING, HELD), (PartiesConnected, ConnectFailed, ConnectLimitPassed)), "connected already"
    ),
    **dict.fromkeys(product((IN_MENU, WAITING, TALKING, HELD), _DIAL_EVENTS), "nobody is being dialled"),
    **dict.fromkeys(product((IN_MENU,), (KeyPressed, LeftTheQueue)), "not in a queue"),
    **dict.fromkeys(product((CONNECTING, TALKING, HELD), (KeyPressed, LeftTheQueue)), "an agent has picked up"),
    (TALKING, CallResumed): "not on hold",
    (HELD, CallHeld): "on hold already",
    **dict.fromkeys(product((ENDED,), CALL_EVENTS), "the call is over"),
}
"""Late or repeated: ignored and counted, with the reason."""

REFUSED: dict[tuple[CallState, type], tuple[str, str]] = {}
"""Nobody asks a call for anything: people's wishes go through their agent."""

ABANDONED: Final[dict[CallState, Outcome]] = {
    IN_MENU: Outcome.ABANDONED_IN_MENU,
    WAITING: Outcome.ABANDONED_IN_QUEUE,
    OFFERED: Outcome.ABANDONED_RINGING,
    CONNECTING: Outcome.ABANDONED_RINGING,
    TALKING: Outcome.ANSWERED,
    HELD: Outcome.ANSWERED,
}
"""The outcome of a call that ends because the caller left (CTI-16: told apart by where it happens)."""

IN_QUEUE: Final = (WAITING, OFFERED)
"""Nobody has picked up yet."""

SPOKEN: Final = (TALKING, HELD)
"""The two have heard each other."""
