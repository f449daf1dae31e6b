"""How a caller's value is read out: a number, a place, minutes, a date, a time, made of ready pieces."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta

from changgu.ivr_flows.flow import text_in
from changgu.ivr_flows.nodes import (
    DigitsPrompt,
    NamedPrompt,
    Prompt,
    Said,
    SpokenWay,
    TextPrompt,
    ValuePrompt,
    WrittenPrompt,
)
from changgu.ivr_flows.spoken import (
    ANSWER_PROMPTS,
    COUNTS_SPOKEN,
    HOURS_SPOKEN,
    clock_pieces,
    day_pieces,
    english_number,
    how_long,
    moment_pieces,
    native,
    ticket_answer,
)
from changgu.ivr_flows.values import pieces_of

LARGEST = 99_999_999


def resolved(said: tuple[Said, ...], values: Mapping[str, str], language: str) -> tuple[Prompt, ...]:
    """What is written under `say`, with the caller's values in it, as prompts that can be played."""
    return tuple(prompt for one in said for prompt in _resolved(one, values, language))


def _resolved(one: Said, values: Mapping[str, str], language: str) -> Iterator[Prompt]:
    match one:
        case ValuePrompt(name, way):
            yield from _value(name, way, values, language)
        case WrittenPrompt(texts):
            for piece in pieces_of(text_in(texts, language)):
                if isinstance(piece, str):
                    yield TextPrompt(piece)
                else:
                    yield from _value(piece.name, piece.way, values, language)
        case _:
            yield one


def _value(name: str, way: SpokenWay, values: Mapping[str, str], language: str) -> tuple[Prompt, ...]:
    if way is not SpokenWay.TICKET:
        return value_said(values.get(name, ""), way, language, values.get("today", ""))
    found = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
    return ticket_answer({"today": values.get("today", "")} | found, "", language) if found else ()


def value_said(value: str, way: SpokenWay, language: str = "ko", today: str = "") -> tuple[Prompt, ...]:
    """A value in the way wanted. One that is not of its kind (a date that is none) is said as it is written;
    nothing is said of an empty one. `today` is an ISO date."""
    if not value.strip():
        return ()
    if way is SpokenWay.TEXT:
        return (TextPrompt(value),)
    try:
        return _in_its_way(value.strip(), way, language, today)
    except ValueError:
        digits = "".join(mark for mark in value if mark in "0123456789")
        return (DigitsPrompt(digits),) if digits else (TextPrompt(value),)


def _in_its_way(value: str, way: SpokenWay, language: str, today: str) -> tuple[Prompt, ...]:
    match way:
        case SpokenWay.NUMBER:
            return tuple(number_pieces(int(value), language))
        case SpokenWay.NTH:
            return counted_pieces(int(value), "nth", language)
        case SpokenWay.PEOPLE:
            return counted_pieces(int(value), "people", language)
        case SpokenWay.MINUTES:
            return duration_pieces(int(value), language)
        case SpokenWay.DATE:
            return day_pieces(datetime.fromisoformat(value).date(), _date_or_none(today))
        case SpokenWay.TIME:
            at = datetime.fromisoformat(value).time() if "T" in value or " " in value else time.fromisoformat(value)
            return clock_pieces(at, language)
        case SpokenWay.MOMENT:
            return moment_pieces(datetime.fromisoformat(value), language, _date_or_none(today))
        case _:
            raise ValueError(value)


def number_pieces(number: int, language: str = "ko") -> Iterator[NamedPrompt]:
    """0 to 99,999,999: 삼천 이백 팔십칠, 만 오천, `three thousand two hundred eighty seven`; else ValueError."""
    if not 0 <= number <= LARGEST:
        raise ValueError(number)
    if number == 0:
        yield NamedPrompt("number_0")
    elif language == "en":
        yield from _english_number(number)
    else:
        ten_thousands, rest = divmod(number, 10_000)
        if ten_thousands > 1:
            yield from _below_ten_thousand(ten_thousands)
        if ten_thousands:
            yield NamedPrompt("ten_thousand")
        yield from _below_ten_thousand(rest)


def _below_ten_thousand(number: int) -> Iterator[NamedPrompt]:
    thousands, rest = divmod(number, 1000)
    if thousands:
        yield NamedPrompt(f"thousands_{thousands}")
    yield from _below_thousand(rest)


def _below_thousand(number: int) -> Iterator[NamedPrompt]:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        yield NamedPrompt(f"hundreds_{hundreds}")
    if rest:
        yield NamedPrompt(f"number_{rest}")


def _english_number(number: int) -> Iterator[NamedPrompt]:
    millions, rest = divmod(number, 1_000_000)
    if millions:
        yield from _below_thousand(millions)
        yield NamedPrompt("million")
    thousands, rest = divmod(rest, 1000)
    if thousands:
        yield from _below_thousand(thousands)
        yield NamedPrompt("thousand")
    yield from _below_thousand(rest)


def counted_pieces(number: int, what: str, language: str = "ko") -> tuple[Prompt, ...]:
    """`nth` (첫 번째) or `people` (두 명)."""
    if 1 <= number <= COUNTS_SPOKEN:
        return (NamedPrompt(f"{what}_{number}"),)
    if number < 1:
        raise ValueError(number)
    if language == "en":
        words = english_number(number) if number < 100 else str(number)
        return (TextPrompt(f"number {words}" if what == "nth" else f"{words} people"),)
    words = native(number) if number < 100 else str(number)
    return (TextPrompt(f"{words} {'번째' if what == 'nth' else '명'}"),)


def duration_pieces(minutes: int, language: str = "ko") -> tuple[Prompt, ...]:
    """`두 시간 십 분`; less than a minute is a minute."""
    hours, rest = divmod(max(1, minutes), 60)
    if hours > HOURS_SPOKEN:
        return (TextPrompt(f"{hours} hours" if language == "en" else how_long(timedelta(minutes=minutes))),)
    said = [NamedPrompt(f"hours_{hours}")] if hours else []
    if rest and language == "en":
        return (*said, NamedPrompt(f"number_{rest}"), NamedPrompt("minutes_word"))
    return (*said, *([NamedPrompt(f"minute_{rest}")] if rest else []))


def _date_or_none(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


def pieces_for(way: SpokenWay) -> tuple[str, ...]:
    """Names of the pieces of which a value said in this way is made, for the check of the catalogues."""
    match way:
        case SpokenWay.DIGITS:
            return tuple(f"digit_{digit}" for digit in range(10))
        case SpokenWay.DATE | SpokenWay.MOMENT:
            return ("today", "tomorrow")
        case SpokenWay.TICKET:
            return (*ANSWER_PROMPTS, *pieces_for(SpokenWay.DIGITS))
        case _:
            return ()
