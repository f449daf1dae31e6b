"""Telephone numbers: every way of writing one number leads to the same person (INC-02).

A number has one canonical form: E.164 (`+821012345678`) for numbers of the public network and `ext:1234` for
extensions of the site's own plan. Everything else, such as a withheld number, has none.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

EXTENSION = "ext:"
"""How the canonical form of an extension begins."""

MAX_WRITTEN = 200
"""Longer is no telephone number, whatever it contains."""

REMEMBERED = 8192
"""Readings kept: the same numbers call again and again."""

_MAX_DIGITS = 20
_BRACKETED = re.compile(r"<([^<>]*)>")
_URI = re.compile(r"^(?:sips?|tel):([^@;?]*)", re.IGNORECASE)
_LABEL = re.compile(r"^(?:tel|phone|fax|전화|휴대폰|휴대전화|팩스)\s*[.:]?\s*(?=[+(\d])", re.IGNORECASE)
_EXTENSION_WRITTEN = re.compile(r"^(?:ext(?:ension)?|내선(?:번호)?|구내)\s*[.:]?\s*(\d+)$", re.IGNORECASE)
_SEPARATORS = frozenset("./()-·\u2212\u30fc\u2010~,_")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_NATIONWIDE_BEHIND_AREA_CODE = re.compile(r"^(?:2|[3-6][1-5])(1[568]\d{6})$")
"""Korea's 15xx, 16xx and 18xx numbers dialled from a mobile with an area code: no exchange begins with 1."""
_PERSONAL_KR = re.compile(r"^(50\d)(\d{3,4})(\d{4})$")


class NumberKind(StrEnum):
    """What kind of telephone a number rings."""

    MOBILE = "mobile"
    DESK = "desk"
    EXTENSION = "extension"
    HOME = "home"
    FAX = "fax"


class Numbering:
    """The numbering of one site: its country, and the plan of its extensions.

    `region` is an ISO 3166 code such as "KR"; `extension_pattern` a regular expression that the whole extension
    matches, such as `[1-9]\\d{3}`; an empty one means that there are no extensions.
    """

    def __init__(self, region: str, extension_pattern: str) -> None:
        self.region = region.upper()
        self._country_code = phonenumbers.country_code_for_region(self.region)
        if not self._country_code:
            raise ValueError(f"no such region: {region!r}")
        try:
            self._extensions = re.compile(extension_pattern) if extension_pattern else None
        except re.error as trouble:
            raise ValueError(f"the extension plan is not a regular expression: {trouble}") from trouble
        self._read = lru_cache(maxsize=REMEMBERED)(self._canonical)

    def canonical(self, raw: str | None) -> str | None:
        """The one form of this number, or None when it is withheld, or no number. Never raises."""
        return self._read(raw) if raw and len(raw) <= MAX_WRITTEN else None

    def _canonical(self, raw: str) -> str | None:
        written = _written(raw)
        if written is None:
            return None
        labelled = _EXTENSION_WRITTEN.match(written)
        if labelled:
            return self._extension(labelled[1])
        digits = _digits(_LABEL.sub("", written))
        if digits is None:
            return None
        if digits.startswith("+") and not digits.startswith("+0"):
            return self._public(digits)
        dialled = digits.removeprefix("+")  # some trunks put a + before the national form
        return self._extension(dialled) or self._dialled(dialled)

    def kind(self, canonical: str) -> NumberKind:
        """The kind of telephone, as far as the number itself tells."""
        if canonical.startswith(EXTENSION):
            return NumberKind.EXTENSION
        number = _parsed(canonical, self.region)
        mobile = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
        is_mobile = number is not None and phonenumbers.number_type(number) in mobile
        return NumberKind.MOBILE if is_mobile else NumberKind.DESK

    def display(self, canonical: str) -> str:
        """The number as people here write it: 010-1234-5678, 내선 1234, +1 650-253-0000."""
        if canonical.startswith(EXTENSION):
            return f"내선 {canonical.removeprefix(EXTENSION)}"
        number = _parsed(canonical, self.region)
        if number is None:
            return canonical
        if number.country_code != self._country_code or not phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        personal = _PERSONAL_KR.match(str(number.national_number)) if self._country_code == 82 else None
        if personal:
            return f"0{personal[1]}-{personal[2]}-{personal[3]}"
        return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)

    def _extension(self, digits: str) -> str | None:
        is_ours = self._extensions is not None and self._extensions.fullmatch(digits) is not None
        return f"{EXTENSION}{digits}" if is_ours else None

    def _dialled(self, digits: str) -> str | None:
        """A number without `+`: as dialled here, or after any of the international prefixes people use."""
        readings = [digits, f"+{digits[2:]}"] if digits.startswith("00") else [digits]
        if digits.startswith(f"00{self._country_code}"):
            readings.reverse()
        numbers = [_parsed(reading, self.region) for reading in readings]
        valid = next((number for number in numbers if number and phonenumbers.is_valid_number(number)), None)
        if valid:
            return self._written_as_e164(valid)
        if not digits.startswith("0"):
            return None  # without a trunk 0 only known numbers such as 1588-1234, or any short code would be one
        return next(filter(None, map(self._written_as_e164, numbers)), None)

    def _public(self, digits: str) -> str | None:
        return self._written_as_e164(_parsed(digits, self.region))

    def _written_as_e164(self, number: PhoneNumber | None) -> str | None:
        if number is None or (number.italian_leading_zero and number.country_code == self._country_code == 82):
            return None
        if number.country_code == 82:
            behind = _NATIONWIDE_BEHIND_AREA_CODE.match(str(number.national_number))
            if behind:
                return f"+82{behind[1]}"
        is_possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        return phonenumbers.format_number(number, PhoneNumberFormat.E164) if is_possible else None


def _written(raw: str) -> str | None:
    """The part of what the network or a person wrote that can hold a number."""
    text = unicodedata.normalize("NFKC", raw)
    bracketed = _BRACKETED.findall(text)
    if bracketed:
        text = bracketed[-1]
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf").strip()
    uri = _URI.match(text)
    if uri:
        text = _PERCENT.sub(lambda escape: chr(int(escape[1], 16)), uri[1]).strip()
    return text or None


def _digits(written: str) -> str | None:
    """Digits with at most a leading `+`; None when anything else than separators is among them."""
    digits: list[str] = []
    for sign in written:
        category = unicodedata.category(sign)
        if category == "Nd":
            digits.append(str(unicodedata.decimal(sign)))
        elif sign == "+" and not digits:
            digits.append(sign)
        elif sign not in _SEPARATORS and category not in {"Pd", "Zs"}:
            return None
    return "".join(digits) if 3 <= len(digits) <= _MAX_DIGITS else None


@lru_cache(maxsize=1024)
def _parsed(digits: str, region: str) -> PhoneNumber | None:
    """Kept for the next who asks: a caller from abroad is looked up and shown by one reading."""
    try:
        return phonenumbers.parse(digits, region)
    except NumberParseException:
        return None
