"""The PIN of a caller: which ones are good enough, and how many guesses anybody has."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from changgu.ground.trouble import BadInput

SHORTEST, LONGEST = 4, 8
"""Digits of a PIN that somebody chooses."""
ISSUED = 6
"""Digits of a PIN that the desk makes."""
WRONG_BEFORE_PAUSE = 3
PAUSE = timedelta(minutes=15)
"""After three wrong ones in a row, one guess in so much time."""
WRONG_BEFORE_END = 10
"""After so many in a row the desk has to give out a new PIN."""
WRONG_FROM_A_NUMBER = 10
NUMBER_WINDOW = timedelta(hours=1)
"""So many wrong ones from one telephone in an hour, whoever they were for, and it gets no further guess."""
WRONG_FROM_AN_ADDRESS = 60
"""The same for one address of the web, behind which a whole organisation may be."""
WRONG_ON_THE_WEB = 120
"""The same for all addresses together: whoever has many of them locks few PINs. The telephone is not closed by it."""
WEB_AT_ONCE = 3
"""PINs from the web that are looked at or wait for it at the same time: callers wait behind no more."""

_DIGITS = "0123456789"


class CheckResult(StrEnum):
    """What became of a guess."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    """Also for somebody unknown, or who has no PIN: a stranger learns nothing of who exists."""
    PAUSED = "paused"
    """Too many guesses; later again."""
    LOCKED = "locked"
    """Too many guesses; the desk gives out a new one."""


class Chosen(StrEnum):
    """What became of a wish to choose a PIN on the web."""

    DONE = "done"
    WRONG = "wrong"
    """Also for somebody unknown, or a PIN that is paused or locked."""
    CLOSED = "closed"
    """Too many wrong ones from that address, or from the web at all."""
    BUSY = "busy"
    """Others are looked at; at once again."""


class Guesses(Struct, frozen=True):
    """What there was before a guess."""

    wrong_in_a_row: int = 0
    """For this person, since the last right one or the last new PIN."""
    last_wrong_at: datetime | None = None


class CallerCheck(Struct, frozen=True):
    """Whether a caller is who they say."""

    result: CheckResult
    person: int | None = None
    """Only when confirmed."""
    one_time: bool = False
    """It was sent to them, and is used up now: time to choose one."""
    guesses_left: int = 0
    """Until a pause or the end."""

    @property
    def is_confirmed(self) -> bool:
        """Whether they may hear about their tickets."""
        return self.result is CheckResult.CONFIRMED


class PinStanding(Struct, frozen=True):
    """What the desk sees of somebody's PIN; never the PIN."""

    is_set: bool
    set_at: datetime | None = None
    set_by: str | None = None
    wrong_in_a_row: int = 0
    good_until: datetime | None = None
    """Of one that was sent, and is good for one call."""
    used_at: datetime | None = None
    state: CheckResult | None = None
    """PAUSED or LOCKED; None when a guess may be made."""


def is_closed(wrong_from_source: int, wrong_on_the_web: int, *, web: bool) -> bool:
    """Whether a telephone or address gets no further guess, at whomever."""
    if not web:
        return wrong_from_source >= WRONG_FROM_A_NUMBER
    return wrong_from_source >= WRONG_FROM_AN_ADDRESS or wrong_on_the_web >= WRONG_ON_THE_WEB


def refusal(guesses: Guesses, now: datetime) -> CheckResult | None:
    """Why no guess at this PIN may be made now; None when one may."""
    if guesses.wrong_in_a_row >= WRONG_BEFORE_END:
        return CheckResult.LOCKED
    rests = guesses.wrong_in_a_row >= WRONG_BEFORE_PAUSE
    if rests and guesses.last_wrong_at is not None and now - guesses.last_wrong_at < PAUSE:
        return CheckResult.PAUSED
    return None


def guesses_left(wrong_in_a_row: int) -> int:
    """After so many wrong ones in a row: guesses until a pause; 1 for those who have had pauses, 0 at the end."""
    if wrong_in_a_row >= WRONG_BEFORE_END:
        return 0
    return max(0, WRONG_BEFORE_PAUSE - wrong_in_a_row)


def checked_pin(pin: str, *known: str) -> str:
    """The PIN, when it is one that may be chosen; `known` are numbers of the person, such as the 사번.

    Raises:
        BadInput: not four to eight digits, one digit repeated, digits in a row, or a part of a known number.
    """
    if not (pin.isascii() and pin.isdecimal() and SHORTEST <= len(pin) <= LONGEST):
        raise BadInput("비밀번호는 숫자 4~8자리입니다.", "a PIN is four to eight digits", field="pin")
    runs = _DIGITS * 2
    if len(set(pin)) == 1 or pin in runs or pin in runs[::-1]:
        raise BadInput("너무 쉬운 비밀번호입니다.", "too easy to guess", field="pin")
    if any(pin in "".join(sign for sign in number if sign.isdecimal()) for number in known):
        raise BadInput("사번이나 전화번호의 일부는 쓸 수 없습니다.", "part of a number that others know", field="pin")
    return pin
