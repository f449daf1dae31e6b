"""A message to a caller: what becomes of it, how often it is tried, and what whoever delivers says of it.

Trouble
├── TakenLater     502   not taken over now, and worth another try
├── MaybeTaken     502   whether it goes out is not known: it is not sent again
└── any other            not taken over, for good
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from changgu.ground.trouble import Trouble

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600))
"""Between one try and the next; after the last there is none."""
TRIES = len(PAUSES) + 1
TOO_OLD = timedelta(hours=24)
"""An answer that is older is not sent any more: the caller has long been helped, or has not."""
ASKED_AFTER = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200, 43200))
"""When the service that took a message over is asked whether it arrived."""


class TakenLater(Trouble):
    """It was not taken over now; later it may be."""

    status = 502


class MaybeTaken(Trouble):
    """Who delivers was told and gave no answer."""

    status = 502


class State(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    """Whoever delivers is being told now. Found at a start, nobody knows whether they were."""
    SENT = "sent"
    """Taken over by whoever delivers; whether it arrived says `Arrival`."""
    REFUSED = "refused"
    UNCLEAR = "unclear"
    """It may have gone out; it is not sent again."""


STATE_NAMES = {
    State.WAITING: ("대기", "waiting"),
    State.SENDING: ("보내는 중", "being sent"),
    State.SENT: ("보냄", "sent"),
    State.REFUSED: ("보내지 못함", "not sent"),
    State.UNCLEAR: ("확인 안 됨", "not known"),
}
FAILED = (State.REFUSED, State.UNCLEAR)


class Arrival(StrEnum):
    """What the service that took a message over knows of it."""

    UNKNOWN = "unknown"
    """It gives no receipts, or nothing is known yet."""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


ARRIVAL_NAMES = {
    Arrival.UNKNOWN: ("", ""),
    Arrival.DELIVERED: ("도착함", "arrived"),
    Arrival.UNDELIVERED: ("도착하지 않음", "did not arrive"),
}


class Purpose(StrEnum):
    """Why it is sent."""

    ANSWER = "answer"
    """What a `send_message` node of the menu says."""
    PIN = "pin"
    """A one-time PIN. It is made when it is sent and stands nowhere: each try has another."""


PURPOSE_NAMES = {Purpose.ANSWER: ("메뉴의 답", "answer of the menu"), Purpose.PIN: ("일회용 PIN", "one-time PIN")}
WAY_NAMES = {"sms": ("문자", "SMS"), "mail": ("메일", "mail"), "": ("–", "–")}


class Outgoing(Struct, frozen=True):
    """One message to a caller."""

    id: int
    at: datetime
    purpose: Purpose
    asked_by: str
    """A login, or `caller`."""
    call: str
    """The call that it belongs to; '' for none."""
    person: int | None
    errand: int | None
    """What it is to its purpose: the id of a wish for a PIN."""
    way: str
    to: str
    """A number or an address; covered where the purpose does so, '' until it is known."""
    subject: str
    text: str
    """Kept until it is taken over; never a PIN."""
    state: State
    tries: int
    most: int
    """Tries that it has."""
    next_at: datetime | None
    done_at: datetime | None
    why_ko: str
    why_en: str
    """Why it was not sent, or not yet, or did not arrive; '' for no trouble."""
    receipt: str
    """What whoever delivers calls it: Twilio's message SID, a mail's Message-ID."""
    arrival: Arrival
    again: int | None = None
    """The message by which somebody had it sent again."""
    again_by: str = ""
    """Who did, by login."""

    @property
    def has_failed(self) -> bool:
        """It did not go out or did not arrive, or may not have, and nobody has had it sent again."""
        return self.again is None and (self.state in FAILED or self.arrival is Arrival.UNDELIVERED)

    @property
    def can_go_again(self) -> bool:
        """Whether there is anything to send: the words are there, or are made when it is sent."""
        return self.has_failed and bool(self.text or self.purpose is Purpose.PIN)


class Taken(Struct, frozen=True):
    """Whoever delivers has taken it over."""

    way: str
    to: str
    receipt: str = ""
    seal: Callable[["AsyncSession"], Awaitable[None]] | None = None
    """What becomes true with it, in the transaction that says so."""


class Receipt(Struct, frozen=True):
    """What is known of a message that was taken over."""

    arrival: Arrival
    ko: str = ""
    en: str = ""


def next_try(tries: int, most: int, at: datetime, begun: datetime) -> datetime | None:
    """After so many tries, the last of them at `at`: when the next one is; None when that was the last."""
    if tries >= most or tries > len(PAUSES):
        return None
    following = at + PAUSES[tries - 1]
    return None if is_too_old(begun, following) else following


def is_too_old(begun: datetime, at: datetime) -> bool:
    """Whether a message that was asked for at `begun` is not sent any more at `at`."""
    return at - begun >= TOO_OLD


def next_question(asked: int, at: datetime) -> datetime | None:
    """After so many questions whether it arrived: when the next one is; None when enough were asked."""
    return at + ASKED_AFTER[asked] if asked < len(ASKED_AFTER) else None
