"""How often a new PIN may be asked for, and how long the one that is sent is good."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

ONE_TIME_FOR = timedelta(hours=24)
"""A PIN that was sent is good for one call within so much time."""
CHOOSE_WITHIN = timedelta(minutes=10)
"""After the one check with it, a PIN of the caller's own may be set so long."""
ASKED_FROM_A_NUMBER = 5
"""From one telephone or call in an hour, right or wrong: then it is refused."""
ASKED_FROM_AN_ADDRESS = 60
"""The same for one address of the web (IPv6: one /64), behind which a whole organisation may be. For wrong PINs:
`pin.WRONG_FROM_AN_ADDRESS`, `pin.WRONG_ON_THE_WEB`."""
ASKED_ON_THE_WEB = 200
"""The same for all addresses together; by telephone one can ask on."""
SENT_A_DAY = 3
"""Tried for one person in 24 hours when callers ask; more are not sent, and whoever asks is not told."""


class Asked(StrEnum):
    """What a caller is told when they ask for a new PIN."""

    ACCEPTED = "accepted"
    """Also for somebody unknown, or a wrong number: a stranger learns nothing of who exists."""
    PAUSED = "paused"
    """Asked too often from there."""
    UNAVAILABLE = "unavailable"
    """Nothing sends messages here, or too many wait to be sent: the desk helps."""


class Outcome(StrEnum):
    """What became of it."""

    WRONG = "wrong"
    """No employee number with this mobile number."""
    TOO_MANY = "too_many"
    WAITING = "waiting"
    SENT = "sent"
    NOT_SENT = "not_sent"
    """Those who deliver did not take it; the old PIN stays."""


def asks_too_often(before: int, on_the_web: int, *, web: bool) -> bool:
    """Whether a telephone or address that asked so often within the hour is refused."""
    if not web:
        return before >= ASKED_FROM_A_NUMBER
    return before >= ASKED_FROM_AN_ADDRESS or on_the_web >= ASKED_ON_THE_WEB


@dataclass(frozen=True, slots=True)
class SentTo:
    """Where a PIN went."""

    way: str
    """`sms` or `mail`."""
    to: str
    """For the eyes of the desk: the middle of it is covered."""
    receipt: str = ""
    """What whoever delivers calls it."""


def covered(to: str) -> str:
    """`010-1234-5678` as `010-****-5678`, `lee@example.org` as `l***@example.org`."""
    name, at, host = to.partition("@")
    if at:
        return f"{name[:1]}***@{host}"
    digits = [place for place, sign in enumerate(to) if sign.isdecimal()]
    return "".join("*" if place in digits[-8:-4] else sign for place, sign in enumerate(to))
