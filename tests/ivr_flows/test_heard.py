"""What callers say, and what it means."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.heard import answer, asks_by_voice, digits, is_complete, own_phrases, phrases
from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind, HandOver, NodeName, YesNo
from changgu.ivr_flows.spoken import digit_by_digit, native, sino

YES_NO = Grammar(GrammarKind.YES_NO)
TICKET = Grammar(GrammarKind.DIGITS, least=7, most=12)
PIN = Grammar(GrammarKind.DIGITS, least=4, most=4)
MENU = Grammar(
    GrammarKind.CHOICES,
    (
        Choice("network", ("네트워크", "인터넷"), "1"),
        Choice("pc", ("피씨", "컴퓨터", "하드웨어 장애"), "2"),
        Choice("person", ("상담원",), "0"),
    ),
)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("네", "yes"), ("예", "yes"), ("네 맞 아요", "yes"), ("네 네", "yes"), ("그렇 습니다", "yes"),
        ("아니 요", "no"), ("아니", "no"), ("아니요 아닙니다", "no"), ("아닌 데요", "no"),
        ("네 아니요", None), ("네트워크", None), ("", None),
    ],
)  # fmt: skip
def test_yes_and_no_in_the_words_people_use(said: str, value: str | None) -> None:
    assert answer(YES_NO, said.split()) == value


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("공 일 공 일 이 삼 사 오 육 칠 팔", "01012345678"),
        ("공일공 에 일이삼사 다시 오륙칠팔", "01012345678"),
        ("하나 둘 삼 넷 오 여섯 칠 여덟 아홉 공", "1234567890"),
        ("한 두 세 네", "1234"),
        ("백이십삼", "123"),
        ("이천이십육", "2026"),
        ("만", "10000"),
        ("십만", "100000"),
        ("삼십이만 오천", "325000"),
        ("스물셋", "23"),
        ("열둘", "12"),
        ("스물 하나 서른 둘", "2132"),
        ("십오 이십", "1520"),
        ("일 번 이요", "1"),
        ("영", "0"),
        ("네트워크", None),
        ("번", None),
        ("", None),
    ],
)
def test_numbers_digit_by_digit_and_whole(said: str, number: str | None) -> None:
    assert digits("".join(said.split())) == number


@given(st.text("0123456789", min_size=1, max_size=12))
def test_a_number_is_heard_as_the_desk_reads_it_out(number: str) -> None:
    assert digits(digit_by_digit(number).replace(" ", "")) == number


@given(st.integers(10, 9999))
def test_a_sino_korean_number_is_heard_as_it_is_said(number: int) -> None:
    assert digits(sino(number)) == str(number)


@given(st.integers(1, 99))
def test_a_native_number_is_heard_as_it_is_said(number: int) -> None:
    assert digits(native(number)) == str(number)


def test_a_number_must_have_as_many_digits_as_was_asked() -> None:
    assert answer(PIN, ["일", "이", "삼"]) is None
    assert answer(PIN, ["일", "이", "삼", "사"]) == "1234"
    assert answer(PIN, ["일", "이", "삼", "사", "오"]) is None


def test_a_number_is_complete_when_no_digit_more_is_allowed() -> None:
    assert is_complete(PIN, ["일", "이", "삼", "사"])
    assert not is_complete(TICKET, ["일", "공", "공", "공", "공", "일", "팔"])


def test_a_name_answers_with_politeness_or_without() -> None:
    assert answer(MENU, ["네트워크"]) == "network"
    assert answer(MENU, ["네트워크", "요"]) == "network"
    assert answer(MENU, ["인터넷", "입니다"]) == "network"
    assert answer(MENU, ["하드웨어", "장애", "이요"]) == "pc"
    assert is_complete(MENU, ["상담원", "입니다"])


def test_two_different_names_are_no_answer_and_the_same_one_twice_is() -> None:
    assert answer(MENU, ["네트워크", "상담원"]) is None
    assert answer(MENU, ["네트워크", "인터넷"]) == "network"


def test_politeness_alone_is_no_answer() -> None:
    assert answer(MENU, ["요"]) is None
    assert answer(MENU, []) is None


@given(st.lists(st.sampled_from(phrases(MENU)), max_size=6))
def test_what_the_grammar_allows_is_always_read_to_its_end(said: list[str]) -> None:
    value = answer(MENU, said)
    named = {choice.value for choice in MENU.choices for word in choice.words if word in said}
    assert value == (named.pop() if len(named) == 1 else None)


def test_only_words_in_hangul_are_listened_for() -> None:
    both = Grammar(GrammarKind.CHOICES, (Choice("pc", ("프린터", "printer", "VPN 접속"), "1"),))
    assert [word for word in phrases(both) if word in own_phrases(both)] == ["프린터", "VPN 접속"]


def test_a_flow_asks_by_voice_when_one_of_its_questions_does() -> None:
    person = HandOver("helpdesk")
    silent = Flow("f", "f", NodeName("person"), NodeName("person"), {NodeName("person"): person})
    yes_no = YesNo((), NodeName("person"), NodeName("person"), voice=True)
    assert not asks_by_voice(silent)
    assert asks_by_voice(replace(silent, nodes={**silent.nodes, NodeName("q"): yes_no}))


def test_only_the_flows_own_words_can_be_mended_by_its_author() -> None:
    assert own_phrases(MENU) == ("네트워크", "인터넷", "피씨", "컴퓨터", "하드웨어 장애", "상담원")
    assert own_phrases(YES_NO) == ()
