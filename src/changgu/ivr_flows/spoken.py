"""How Koreans say numbers on the telephone, and the ready-made pieces from which spoken answers are put together.

Numbers that are read off (접수번호, 전화번호) go one digit at a time with 공 for 0. Things that are counted take the
native numerals (두 명, 첫 번째, 오후 세 시); minutes, dates and years take the Sino-Korean ones (십 분, 십일월).

A piece is a named prompt such as `hour_3` ("세 시"). All pieces are synthesised before the first caller, so an answer
made at run time (the state of a ticket) is a playlist and never has to be synthesised while someone waits.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Prompt, TextPrompt

SINO_DIGITS = ("영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
READ_OFF_DIGITS = ("공", *SINO_DIGITS[1:])
NATIVE_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
IRREGULAR_MONTHS = {6: "유월", 10: "시월"}

ENGLISH_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ENGLISH_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ENGLISH_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
ENGLISH_ORDINALS = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth"}

TICKET_STATES = {
    "new": "신규", "assigned": "배정", "rejected": "반려", "allocated": "할당", "resolved": "해결", "closed": "종료",
}  # fmt: skip
"""The states of 표 5-1 (ENUM-01) by the names used in `LookedUp`."""

SUPPORT_LINES = ("1", "2", "3")
"""지원선 (ENUM-10)."""


# ---- numbers in words -----------------------------------------------------------------------------------------------


def digit_by_digit(number: str) -> str:
    """접수번호 and 전화번호 as they are read off: `010-1234` → `공 일 공 일 이 삼 사`."""
    return " ".join(READ_OFF_DIGITS[int(digit)] for digit in number if digit.isdecimal())


def sino(number: int) -> str:
    """Sino-Korean, 0 to 9,999: minutes, dates, money, floors."""
    if not 0 <= number <= 9999:
        raise ValueError(f"{number} is outside 0 to 9999")
    if number == 0:
        return SINO_DIGITS[0]
    words = ""
    for unit, word in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        count, number = divmod(number, unit)
        if count:
            words += ("" if count == 1 and unit > 1 else SINO_DIGITS[count]) + word
    return words


def native(number: int) -> str:
    """Native Korean as it stands before a counter, 1 to 99: 한, 두, 스무, 스물한; larger counts are Sino-Korean."""
    if not 1 <= number <= 99:
        return sino(number)
    if number == 20:
        return "스무"
    tens, ones = divmod(number, 10)
    return NATIVE_TENS[tens] + NATIVE_ONES[ones]


def people(number: int) -> str:
    """`두 명`."""
    return f"{native(number)} 명"


def nth(number: int) -> str:
    """`첫 번째`, `두 번째`: the caller's place in the queue."""
    return "첫 번째" if number == 1 else f"{native(number)} 번째"


def minutes(number: int) -> str:
    """`십 분`."""
    return f"{sino(number)} 분"


def how_long(duration: timedelta) -> str:
    """`두 시간 십 분`; less than a minute is `일 분`, because nobody plans by seconds."""
    hours, rest = divmod(max(1, round(duration.total_seconds() / 60)), 60)
    parts = ([f"{native(hours)} 시간"] if hours else []) + ([minutes(rest)] if rest else [])
    return " ".join(parts)


def clock(hour: int, minute: int) -> str:
    """`오후 세 시 십 분`."""
    said = f"{'오전' if hour < 12 else '오후'} {native((hour + 11) % 12 + 1)} 시"
    return f"{said} {minutes(minute)}" if minute else said


def month(number: int) -> str:
    """`유월`, `시월`, `십일월`."""
    return IRREGULAR_MONTHS.get(number, f"{sino(number)}월")


def calendar_day(day: date) -> str:
    """`십일월 이십일일`."""
    return f"{month(day.month)} {sino(day.day)}일"


def english_number(number: int) -> str:
    """0 to 99 in English words."""
    if number < 10:
        return ENGLISH_DIGITS[number]
    if number < 20:
        return ENGLISH_TEENS[number - 10]
    tens, ones = divmod(number, 10)
    return ENGLISH_TENS[tens] + (f" {ENGLISH_DIGITS[ones]}" if ones else "")


def english_ordinal(number: int) -> str:
    """1st to 99th in English words."""
    if number in ENGLISH_ORDINALS:
        return ENGLISH_ORDINALS[number]
    if number < 20:
        return english_number(number) + "th"
    tens, ones = divmod(number, 10)
    return f"{ENGLISH_TENS[tens]} {english_ordinal(ones)}" if ones else ENGLISH_TENS[tens][:-1] + "ieth"


# ---- where a waiting caller stands ----------------------------------------------------------------------------------

POSITIONS_SPOKEN = 30
"""Places in the queue that have a ready-made sentence."""

HOURS_SPOKEN = 24
COUNTS_SPOKEN = 20
"""Hours, people and places for which there are ready-made pieces; beyond them the words are composed."""

PROMISES_SPOKEN = (*range(1, 11), 15, 20, 25, 30, 40, 50, 60)
"""Waits, in minutes, that have a ready-made sentence; a longer one is only said to be long."""


def position_sentence(place: int, language: str) -> str:
    """`지금 세 번째로 대기 중입니다.`"""
    if language == "en":
        return f"You are number {place} in the queue." if place > 1 else "You are next in the queue."
    return f"지금 {nth(place)}로 대기 중입니다."


def promise_sentence(minutes_promised: int, language: str) -> str:
    """`약 이 분 안에 연결됩니다.`"""
    if language == "en":
        words = "one hour" if minutes_promised == 60 else f"{english_number(minutes_promised)} minutes"
        return f"You should be connected within about {'one minute' if minutes_promised == 1 else words}."
    return f"약 {how_long(timedelta(minutes=minutes_promised))} 안에 연결됩니다."


def position_said(place: int, language: str) -> Prompt:
    """The sentence for a place; beyond the ready-made ones it is composed."""
    if 1 <= place <= POSITIONS_SPOKEN:
        return NamedPrompt(f"position_{place}")
    return TextPrompt(position_sentence(place, language))


def promise_said(seconds: float) -> NamedPrompt:
    """The sentence for a wait, always rounded up: a promise must not become shorter by being said."""
    longest = next((said for said in PROMISES_SPOKEN if seconds <= said * 60), None)
    return NamedPrompt("wait_long" if longest is None else f"wait_minutes_{longest}")


# ---- pieces ---------------------------------------------------------------------------------------------------------


def pieces(language: str) -> dict[str, str]:
    """Every ready-made piece: name → words. A flow's prompts may use them by name like any other."""
    said = _english_pieces() if language == "en" else _korean_pieces()
    said |= {f"position_{place}": position_sentence(place, language) for place in range(1, POSITIONS_SPOKEN + 1)}
    said |= {f"wait_minutes_{length}": promise_sentence(length, language) for length in PROMISES_SPOKEN}
    return said


def _korean_pieces() -> dict[str, str]:
    said = {f"digit_{digit}": word for digit, word in enumerate(READ_OFF_DIGITS)}
    said |= {f"month_{number}": month(number) for number in range(1, 13)}
    said |= {f"day_{number}": f"{sino(number)}일" for number in range(1, 32)}
    said |= {"am": "오전", "pm": "오후"}
    said |= {f"hour_{number}": f"{native(number)} 시" for number in range(1, 13)}
    said |= {f"minute_{number}": minutes(number) for number in range(1, 60)}
    said |= {f"hours_{number}": f"{native(number)} 시간" for number in range(1, HOURS_SPOKEN + 1)}
    said |= {f"number_{number}": sino(number) for number in range(100)}
    said |= {f"hundreds_{number}": sino(100 * number) for number in range(1, 10)}
    said |= {f"thousands_{number}": sino(1000 * number) for number in range(1, 10)}
    said |= {"ten_thousand": "만", "thousand": "천", "million": "백만", "minutes_word": "분"}
    said |= {f"nth_{number}": nth(number) for number in range(1, COUNTS_SPOKEN + 1)}
    said |= {f"people_{number}": people(number) for number in range(1, COUNTS_SPOKEN + 1)}
    return said


def _english_pieces() -> dict[str, str]:
    said = {f"digit_{digit}": word for digit, word in enumerate(ENGLISH_DIGITS)}
    said |= {f"month_{number}": word for number, word in enumerate(ENGLISH_MONTHS, start=1)}
    said |= {f"day_{number}": english_ordinal(number) for number in range(1, 32)}
    said |= {"am": "a m", "pm": "p m"}
    said |= {f"hour_{number}": english_number(number) for number in range(1, 13)}
    said |= {f"minute_{number}": f"{'oh ' if number < 10 else ''}{english_number(number)}" for number in range(1, 60)}
    hours = range(1, HOURS_SPOKEN + 1)
    said |= {f"hours_{number}": f"{english_number(number)} hour{'s' * (number > 1)}" for number in hours}
    said |= {f"number_{number}": english_number(number) for number in range(100)}
    said |= {f"hundreds_{number}": f"{english_number(number)} hundred" for number in range(1, 10)}
    said |= {f"thousands_{number}": f"{english_number(number)} thousand" for number in range(1, 10)}
    said |= {"ten_thousand": "ten thousand", "thousand": "thousand", "million": "million"}
    said |= {"minutes_word": "minutes"}
    said |= {f"nth_{number}": english_ordinal(number) for number in range(1, COUNTS_SPOKEN + 1)}
    counted = range(1, COUNTS_SPOKEN + 1)
    said |= {f"people_{number}": f"{english_number(number)} people" for number in counted} | {"people_1": "one person"}
    return said


def digit_pieces(digits: str) -> tuple[NamedPrompt, ...]:
    """The pieces of a `DigitsPrompt`; whatever is not a digit is left out."""
    return tuple(NamedPrompt(f"digit_{digit}") for digit in digits if digit in "0123456789")


def day_pieces(day: date, today: date | None = None) -> tuple[NamedPrompt, ...]:
    """A date; `today` lets near days be said as 오늘 and 내일."""
    match (day - today).days if today else None:
        case 0:
            return (NamedPrompt("today"),)
        case 1:
            return (NamedPrompt("tomorrow"),)
        case _:
            return (NamedPrompt(f"month_{day.month}"), NamedPrompt(f"day_{day.day}"))


def clock_pieces(at: time, language: str = "ko") -> tuple[NamedPrompt, ...]:
    """A time of day: 오후 세 시 십 분."""
    half, hour = ("am" if at.hour < 12 else "pm"), f"hour_{(at.hour + 11) % 12 + 1}"
    minute = [f"minute_{at.minute}"] if at.minute else []
    names = [hour, *minute, half] if language == "en" else [half, hour, *minute]
    return tuple(NamedPrompt(name) for name in names)


def moment_pieces(moment: datetime, language: str = "ko", today: date | None = None) -> tuple[NamedPrompt, ...]:
    """Date and time of day; `today` lets near days be said as 오늘 and 내일. `moment` is in the site's zone."""
    return (*day_pieces(moment.date(), today), *clock_pieces(moment.time(), language))


def ticket_found(number: str, state: str, line: int, expected: datetime | None, now: datetime) -> dict[str, str]:
    """What `LookedUp` carries for a ticket. `expected` and `now` are in the site's zone: the caller's clock."""
    return {
        "number": number, "state": state, "line": str(line),
        "expected": expected.isoformat() if expected else "", "today": now.date().isoformat(),
    }  # fmt: skip


def ticket_answer(found: Mapping[str, str], keyed: str, language: str = "ko") -> tuple[Prompt, ...]:
    """The state of a ticket as a playlist (CTI-02).

    `found` may hold: `number`, `state` (a key of TICKET_STATES), `line` ("1", "2" or "3": who works on it now),
    `expected` (ISO 8601 in the site's zone: when it should be done), `today` (ISO date in the site's zone).
    What is missing or not understood is not said; a state that nobody told us is said to be unknown.
    """
    said: list[Prompt] = [NamedPrompt("ticket_number_is"), DigitsPrompt(found.get("number", "") or keyed)]
    state = found.get("state", "")
    said.append(NamedPrompt(f"ticket_state_{state}" if state in TICKET_STATES else "ticket_state_unknown"))
    if state in ("resolved", "closed"):
        return tuple(said)
    if found.get("line") in SUPPORT_LINES and state != "rejected":  # a rejected ticket is between two groups
        said.append(NamedPrompt(f"ticket_line_{found['line']}"))
    expected, today = _moment_or_none(found.get("expected", "")), _moment_or_none(found.get("today", ""))
    if expected is not None:
        when = moment_pieces(expected, language, today.date() if today else None)
        said += [NamedPrompt("ticket_expected"), *when, NamedPrompt("ticket_expected_end")]
    return tuple(said)


ANSWER_PROMPTS = (
    "ticket_number_is", "ticket_state_unknown", "ticket_expected", "ticket_expected_end", "today", "tomorrow",
    *(f"ticket_state_{state}" for state in TICKET_STATES), *(f"ticket_line_{line}" for line in SUPPORT_LINES),
)  # fmt: skip
"""Fixed phrases that `ticket_answer` needs in every prompt catalogue."""


def _moment_or_none(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None
