"""Which outside numbers the desk may dial, and over which line; what is not expressly allowed is refused.

Callers key in numbers to be called back at, so a number that costs money (abroad, 060) must not be a matter of asking:
toll fraud begins with such a form. Nothing here waits or asks anybody.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from changgu.acd.identity import QueueName
from changgu.acd.queues import Destination, Floor, Way

PLACE_OF_NUMBER = "{number}"

_WRITTEN = re.compile(r"[0-9+ ().\-/]{1,40}")
_DIAL_STRING = re.compile(r"[A-Za-z]+/[A-Za-z0-9@:._/+-]*\{number\}[A-Za-z0-9@:._/+;=-]*")

_KOREAN = re.compile(
    r"01[016789][0-9]{7,8}"  # mobile
    r"|02[0-9]{7,8}"  # Seoul
    r"|0(?:3[1-3]|4[1-4]|5[1-5]|6[1-4])[0-9]{7,8}"  # other regions
    r"|070[0-9]{8}"  # over the Internet
    r"|080[0-9]{6,8}"  # free of charge
    r"|1[568][0-9]{6}"  # 1588-1234
)
"""Numbers at the ordinary tariff (전기통신번호 관리세칙), written with the trunk 0 and without separators."""


_EMERGENCY = frozenset(
    ["110", "111", "112", "113", "117", "118", "119", "122", "125", "127", "128", "182", "911", "999"]
)  # fmt: skip
"""Police, fire and rescue, coast guard and the like: a machine must not call them, whatever the site's lists say."""


class Refusal(StrEnum):
    """Why a number is not dialled."""

    NO_TRUNK = "no_trunk"
    """The desk has no line outside."""
    NOT_A_NUMBER = "not_a_number"
    OWN = "own"
    """The desk's own number, or a queue's: it would call itself."""
    ABROAD = "abroad"
    PREMIUM = "premium"
    """060 and the like."""
    DENIED = "denied"
    """By the site's own list."""
    UNKNOWN = "unknown"
    """Nothing allows it: personal numbers (050), emergency services, other short codes."""


@dataclass(frozen=True, slots=True)
class Dialable:
    """A number that may be dialled."""

    number: str
    """Digits only, as the line wants them."""
    endpoint: str
    """For originate, such as `PJSIP/01012345678@trunk-carrier`."""


@dataclass(frozen=True, slots=True)
class DialPlan:
    """What may be dialled; without a trunk, nothing. Raises ValueError for rules that cannot be followed."""

    trunk: str = ""
    """How the PBX reaches an outside number, such as `PJSIP/{number}@trunk-carrier`; empty: not at all."""
    extensions: str = ""
    """What an internal extension looks like (regular expression)."""
    extension_trunk: str = ""
    """How the PBX reaches an extension, such as `PJSIP/{number}@trunk-office`; empty: extensions are not dialled."""
    allow: tuple[str, ...] = ()
    """Beginnings of numbers that may be dialled as well, such as `050` or `+1`."""
    deny: tuple[str, ...] = ()
    """Beginnings of numbers that may not be dialled, whatever allows them."""
    own: frozenset[str] = frozenset()
    """The desk's and the queues' own numbers."""
    most_at_once: int = 10
    """Callers who are put through to outside numbers at one time: what is stolen is stolen by many calls at once."""

    def __post_init__(self) -> None:
        for what in (self.trunk, self.extension_trunk):
            if what and _DIAL_STRING.fullmatch(what) is None:
                raise ValueError(f"{what!r} is not a dial string such as PJSIP/{PLACE_OF_NUMBER}@trunk-carrier")
        for beginning in (*self.allow, *self.deny):
            if re.fullmatch(r"\+?[0-9]{1,15}", beginning) is None:
                raise ValueError(f"{beginning!r} is not the beginning of a number")
        try:
            re.compile(self.extensions)
        except re.error as trouble:
            raise ValueError(f"{self.extensions!r} is not a regular expression: {trouble}") from trouble

    def way(self, written: str) -> Dialable | Refusal:
        """How a number is dialled, or why not. Emergency numbers and the desk's own are never dialled."""
        number = digits_of(written)
        if number is None:
            return Refusal.NOT_A_NUMBER
        if number in self.own:
            return Refusal.OWN
        if _begins(number, self.deny):
            return Refusal.DENIED
        if number in _EMERGENCY:
            return Refusal.UNKNOWN
        if self.extensions and self.extension_trunk and re.fullmatch(self.extensions, number):
            return Dialable(number, self.extension_trunk.replace(PLACE_OF_NUMBER, number))
        if _begins(number, self.allow) or _KOREAN.fullmatch(number):
            return Dialable(number, self.trunk.replace(PLACE_OF_NUMBER, number)) if self.trunk else Refusal.NO_TRUNK
        if number.startswith(("+", "00")):
            return Refusal.ABROAD
        return Refusal.PREMIUM if number.startswith("060") else Refusal.UNKNOWN


def digits_of(written: str) -> str | None:
    """`+82 10-1234-5678` → `01012345678`; other countries keep their `+`. None when it is not a number."""
    if _WRITTEN.fullmatch(written) is None:
        return None
    digits = re.sub(r"[^0-9+]", "", written)
    if re.fullmatch(r"\+?[0-9]{2,20}", digits) is None:
        return None
    return "0" + digits[3:].removeprefix("0") if digits.startswith("+82") else digits


def unreachable_destinations(plan: DialPlan, floor: Floor) -> Iterator[tuple[QueueName, Destination, Refusal]]:
    """Ways out of queues that the dial plan closes: to be told when the floor is read, not when a caller needs them.

    Calling back is closed as a whole while there is no line.
    """
    for queue in floor.queues:
        ways = [*(rule.to for rule in queue.overflows), *queue.keys.values()]
        for to in dict.fromkeys(ways):
            if to.way is Way.NUMBER and isinstance(way := plan.way(to.name), Refusal):
                yield queue.name, to, way
            elif to.way is Way.CALLBACK and not (plan.trunk or plan.extension_trunk):
                yield queue.name, to, Refusal.NO_TRUNK


def _begins(number: str, beginnings: Collection[str]) -> bool:
    return any(number.startswith(beginning) for beginning in beginnings)
