"""Ticket numbers: short enough to say on the telephone, and a slip of the tongue or the finger is noticed.

A number is a running number of at least six digits and a check digit by Damm's algorithm (H. M. Damm, "Total
anti-symmetrische Quasigruppen", 2004), which catches every wrong digit and every swap of two neighbours. Running
numbers begin at 100001, so that no number begins with a zero that a spreadsheet would eat.
"""

import unicodedata
from typing import NewType

TicketNumber = NewType("TicketNumber", str)
"""Such as `1000018`: digits only, check digit last."""

FIRST = 100_001
SHORTEST, LONGEST = 7, 12

_QUASIGROUP = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
_SEPARATORS = frozenset("-. \u00a0\u2013#")


def check_digit(digits: str) -> str:
    """The digit that makes `digits` a number when written behind it."""
    interim = "0"
    for digit in digits:
        interim = _QUASIGROUP[int(interim)][int(digit)]
    return interim


def ticket_number(running: int) -> TicketNumber:
    """The number of the `running`th ticket."""
    digits = f"{running:06}"
    return TicketNumber(digits + check_digit(digits))


def read_number(written: str) -> TicketNumber | None:
    """The number that somebody keyed or wrote, with blanks or dashes as they like; None when it cannot be one."""
    if len(written) > 64:
        return None
    digits: list[str] = []
    for sign in unicodedata.normalize("NFKC", written).strip():
        if sign.isdecimal():
            digits.append(str(unicodedata.decimal(sign)))
        elif sign not in _SEPARATORS:
            return None
    number = "".join(digits)
    if not SHORTEST <= len(number) <= LONGEST or check_digit(number) != "0":
        return None
    return TicketNumber(number)


def spoken(number: TicketNumber) -> tuple[str, ...]:
    """The groups in which the number is said, digit by digit with a pause between: 100 00 18."""
    groups = [number[:3]]
    rest = number[3:]
    while rest:
        size = 2 if len(rest) % 2 == 0 else 3
        groups.append(rest[:size])
        rest = rest[size:]
    return tuple(groups)


def shown(number: str) -> str:
    """The number as every page shows it: 100-0018. Programs are given the digits alone."""
    return f"{number[:3]}-{number[3:]}"
