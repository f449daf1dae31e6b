"""Phrases compared by ear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.ivr_flows.sounds_like import distance, sounds

KOREAN = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3) | st.just(" "), max_size=8)


def test_a_final_consonant_before_a_vowel_sounds_as_its_beginning() -> None:
    assert sounds("음악") == sounds("으막")
    assert distance("상담원", "상담 원") == 0.0


@pytest.mark.parametrize(
    ("asked", "heard", "other"),
    [
        ("상담원", "상다 면", "자동차"),
        ("네트워크", "네 트웍", "커피"),
        ("비밀번호", "비밀 번 어", "지하철역"),
        ("아니요", "아니오", "여보세요"),
    ],
)
def test_what_was_said_is_nearer_than_what_was_not(asked: str, heard: str, other: str) -> None:
    assert distance(asked, heard) < 0.35 < 0.6 < distance(asked, other)


def test_nothing_heard_is_as_far_as_can_be() -> None:
    assert distance("네", "") == 1.0
    assert distance("", "") == 0.0


@given(KOREAN, KOREAN)
def test_distance_is_even_handed_and_between_nought_and_one(one: str, other: str) -> None:
    assert distance(one, one) == 0.0
    assert 0.0 <= distance(one, other) <= 1.0
    assert distance(one, other) == pytest.approx(distance(other, one))
