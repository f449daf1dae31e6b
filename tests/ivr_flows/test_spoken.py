"""Numbers as Koreans expect to hear them."""

from datetime import date, datetime, timedelta

import pytest

from changgu.ivr_flows import spoken
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt


def names(prompts: tuple[object, ...]) -> list[str]:
    return [prompt.name for prompt in prompts if isinstance(prompt, NamedPrompt)]


def test_a_telephone_number_is_read_one_digit_at_a_time_with_gong_for_zero() -> None:
    assert spoken.digit_by_digit("010-1234-5678") == "공 일 공 일 이 삼 사 오 육 칠 팔"


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "영"), (1, "일"), (10, "십"), (11, "십일"), (21, "이십일"), (100, "백"), (105, "백오"), (2026, "이천이십육")],
)
def test_minutes_dates_and_years_are_sino_korean(number: int, words: str) -> None:
    assert spoken.sino(number) == words


def test_sino_korean_has_a_stated_range() -> None:
    with pytest.raises(ValueError, match="10000"):
        spoken.sino(10_000)


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "한 명"), (2, "두 명"), (3, "세 명"), (20, "스무 명"), (21, "스물한 명"), (99, "아흔아홉 명"), (100, "백 명")],
)
def test_people_are_counted_in_native_numerals(number: int, words: str) -> None:
    assert spoken.people(number) == words


def test_places_in_the_queue() -> None:
    assert [spoken.nth(number) for number in (1, 2, 11, 20)] == ["첫 번째", "두 번째", "열한 번째", "스무 번째"]


@pytest.mark.parametrize(
    ("hour", "minute", "words"),
    [
        (15, 10, "오후 세 시 십 분"),
        (0, 0, "오전 열두 시"),
        (12, 30, "오후 열두 시 삼십 분"),
        (9, 1, "오전 아홉 시 일 분"),
    ],
)
def test_the_clock(hour: int, minute: int, words: str) -> None:
    assert spoken.clock(hour, minute) == words


def test_june_and_october_are_irregular() -> None:
    assert spoken.calendar_day(date(2026, 6, 6)) == "유월 육일"
    assert spoken.calendar_day(date(2026, 10, 10)) == "시월 십일"
    assert spoken.calendar_day(date(2026, 11, 21)) == "십일월 이십일일"


def test_durations() -> None:
    assert spoken.how_long(timedelta(seconds=20)) == "일 분"
    assert spoken.how_long(timedelta(minutes=130)) == "두 시간 십 분"
    assert spoken.how_long(timedelta(hours=1)) == "한 시간"


def test_a_moment_is_a_playlist_of_ready_made_pieces() -> None:
    moment = datetime.fromisoformat("2026-11-21T15:10:00+09:00")

    assert names(spoken.moment_pieces(moment)) == ["month_11", "day_21", "pm", "hour_3", "minute_10"]
    assert names(spoken.moment_pieces(moment, "en")) == ["month_11", "day_21", "hour_3", "minute_10", "pm"]
    assert names(spoken.moment_pieces(moment, today=date(2026, 11, 21)))[0] == "today"
    assert names(spoken.moment_pieces(moment, today=date(2026, 11, 20)))[0] == "tomorrow"
    assert names(spoken.moment_pieces(moment.replace(hour=0, minute=0))) == ["month_11", "day_21", "am", "hour_12"]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_minute_of_a_leap_year_has_its_pieces(language: str) -> None:
    known = spoken.pieces(language).keys() | {"today", "tomorrow"}
    moment, end = datetime.fromisoformat("2028-01-01T00:00:00+09:00"), datetime.fromisoformat("2029-01-01T00:00+09:00")
    while moment < end:
        assert set(names(spoken.moment_pieces(moment, language))) <= known
        moment += timedelta(minutes=61)


def test_english_numbers() -> None:
    said = spoken.pieces("en")

    assert (said["day_1"], said["day_12"], said["day_20"], said["day_31"]) == (
        "first", "twelfth", "twentieth", "thirty first",
    )  # fmt: skip
    assert (said["minute_5"], said["minute_45"], said["digit_0"]) == ("oh five", "forty five", "zero")


def test_a_closed_ticket_has_no_expected_completion() -> None:
    answer = spoken.ticket_answer({"state": "closed", "line": "2", "expected": "2026-11-21T15:10"}, "77")

    assert answer == (NamedPrompt("ticket_number_is"), DigitsPrompt("77"), NamedPrompt("ticket_state_closed"))


def test_what_is_not_understood_is_not_said() -> None:
    answer = spoken.ticket_answer({"state": "?", "line": "9", "expected": "soon"}, "77")

    assert names(answer) == ["ticket_number_is", "ticket_state_unknown"]


def test_a_ticket_as_the_shell_finds_it() -> None:
    now = datetime.fromisoformat("2026-11-21T09:00+09:00")
    found = spoken.ticket_found("1000018", "assigned", 2, now + timedelta(hours=27), now)

    assert names(spoken.ticket_answer(found, "1000018")) == [
        "ticket_number_is", "ticket_state_assigned", "ticket_line_2",
        "ticket_expected", "tomorrow", "pm", "hour_12", "ticket_expected_end",
    ]  # fmt: skip
