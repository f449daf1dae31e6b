"""Values as callers expect to hear them: numbers, places, people, minutes, dates and times, in both languages."""

import pytest

from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, SpokenWay, TextPrompt, ValuePrompt
from changgu.ivr_flows.spoken import pieces
from changgu.ivr_flows.spoken_values import pieces_for, resolved, value_said
from changgu.ivr_flows.values import fill, kept, mistake_in, names_in


def heard(value: str, way: str, language: str = "ko", today: str = "2026-11-20") -> str:
    words = pieces(language) | {"today": "오늘", "tomorrow": "내일"}
    said = []
    for prompt in value_said(value, SpokenWay(way), language, today):
        match prompt:
            case NamedPrompt(name):
                said.append(words[name])
            case DigitsPrompt(digits):
                said.append(f"#{digits}")
            case TextPrompt(text):
                said.append(text)
    return " ".join(said)


@pytest.mark.parametrize(
    ("value", "way", "korean"),
    [
        ("0", "number", "영"),
        ("7", "number", "칠"),
        ("10", "number", "십"),
        ("100", "number", "백"),
        ("320", "number", "삼백 이십"),
        ("3287", "number", "삼천 이백 팔십칠"),
        ("10000", "number", "만"),
        ("15000", "number", "만 오천"),
        ("99999999", "number", "구천 구백 구십구 만 구천 구백 구십구"),
        ("1", "nth", "첫 번째"),
        ("20", "nth", "스무 번째"),
        ("21", "nth", "스물한 번째"),
        ("2", "people", "두 명"),
        ("120", "people", "120 명"),
        ("0", "minutes", "일 분"),
        ("10", "minutes", "십 분"),
        ("130", "minutes", "두 시간 십 분"),
        ("2026-06-06", "date", "유월 육일"),
        ("2026-10-10T09:00+09:00", "date", "시월 십일"),
        ("2026-11-20", "date", "오늘"),
        ("2026-11-21T09:00", "date", "내일"),
        ("15:10", "time", "오후 세 시 십 분"),
        ("2026-11-21T00:05", "time", "오전 열두 시 오 분"),
        ("2026-11-23T09:00+09:00", "moment", "십일월 이십삼일 오전 아홉 시"),
        ("010-1234", "digits", "#0101234"),
        ("김영희", "text", "김영희"),
        ("", "date", ""),
        ("내일쯤", "date", "내일쯤"),
        ("2026-13-01", "date", "#20261301"),
        ("-3", "number", "#3"),
        ("0", "nth", "#0"),
    ],
)
def test_in_korean(value: str, way: str, korean: str) -> None:
    if way == "digits":
        assert value_said(value, SpokenWay.DIGITS) == (DigitsPrompt("0101234"),)
        return
    assert heard(value, way) == korean


@pytest.mark.parametrize(
    ("value", "way", "english"),
    [
        ("3287", "number", "three thousand two hundred eighty seven"),
        ("1000000", "number", "one million"),
        ("21", "number", "twenty one"),
        ("3", "nth", "third"),
        ("25", "nth", "number twenty five"),
        ("1", "people", "one person"),
        ("130", "minutes", "two hours ten minutes"),
        ("2026-11-23T15:10", "moment", "November twenty third three ten p m"),
    ],
)
def test_in_english(value: str, way: str, english: str) -> None:
    assert heard(value, way, "en") == english


def test_every_piece_has_its_words_in_both_languages() -> None:
    assert pieces("ko").keys() == pieces("en").keys()
    for number in (*range(0, 200), 999, 1000, 9999, 10_000, 1_000_000, 12_345_678):
        for language in ("ko", "en"):
            assert heard(str(number), "number", language)


def test_texts_with_values_in_them() -> None:
    assert fill("{a}-{b.c}-{gone}", {"a": "1", "b.c": "2"}) == "1-2-"
    assert list(names_in("{a:date} {b}")) == ["a", "b"]
    assert mistake_in("{a:date} {b.c:nth}", spoken=True) is None
    assert mistake_in("{a:date}", spoken=False) == "{a:date}"
    assert [mistake_in(text, spoken=True) for text in ("{A}", "{a:loud}", "{a", "a}", "{}", "{a b}")] == [
        "{A}", "{a:loud}", "{", "}", "{}", "{a b}",
    ]  # fmt: skip


def test_values_are_cut_and_counted() -> None:
    assert kept({}, {"a": "x" * 600})["a"] == "x" * 500
    many = kept({}, {f"v{count}": "" for count in range(150)})
    assert len(many) == 100
    assert kept(many, {"v0": "new"})["v0"] == "new"


def test_a_ticket_that_was_looked_up_is_told_whole_and_nothing_is_said_of_none() -> None:
    said = (ValuePrompt("newest", SpokenWay.TICKET),)
    values = {
        "newest.number": "1234567", "newest.state": "allocated", "newest.line": "2",
        "newest.expected": "2026-11-21T15:10:00+09:00", "today": "2026-11-20", "newer.state": "closed",
    }  # fmt: skip

    assert resolved(said, values, "ko") == (
        NamedPrompt("ticket_number_is"), DigitsPrompt("1234567"), NamedPrompt("ticket_state_allocated"),
        NamedPrompt("ticket_line_2"), NamedPrompt("ticket_expected"), NamedPrompt("tomorrow"), NamedPrompt("pm"),
        NamedPrompt("hour_3"), NamedPrompt("minute_10"), NamedPrompt("ticket_expected_end"),
    )  # fmt: skip
    assert resolved(said, {"today": "2026-11-20"}, "ko") == ()


def test_a_catalogue_without_a_sentence_about_tickets_is_not_enough_for_a_menu_that_tells_of_one() -> None:
    assert {"ticket_state_closed", "ticket_line_3", "digit_0"} <= set(pieces_for(SpokenWay.TICKET))
