"""Who calls: none, one, many, withheld."""

import pytest

from changgu.screenpop.caller import CallerCard, Confidence, Known, Several, Unknown, Withheld, identify

HONG = CallerCard("1", "홍길동")
SUNG = CallerCard("2", "성춘향")
LEE = CallerCard("3", "이몽룡")


def test_the_only_person_with_a_number_is_known() -> None:
    assert identify("010-1234-5678", [HONG], {}) == Known(HONG, Confidence.NUMBER)


def test_a_number_that_nobody_has_is_unknown_and_keeps_its_form() -> None:
    assert identify("010-9999-0000", [], {}) == Unknown("010-9999-0000")


@pytest.mark.parametrize("form", [None, "", "anonymous", "Anonymous", "Restricted", " unavailable "])
def test_a_withheld_number_is_not_an_unknown_one(form: str | None) -> None:
    assert identify(form, [], {}) == Withheld()


def test_a_shared_number_is_never_given_to_one_of_its_owners() -> None:
    found = identify("02-2100-7777", [SUNG, LEE], {})

    assert isinstance(found, Several)
    assert [one.name for one in found.candidates] == ["성춘향", "이몽룡"]


def test_whom_agents_confirmed_most_often_at_a_shared_number_comes_first() -> None:
    found = identify("02-2100-7777", [SUNG, LEE], {"3": 2})

    assert isinstance(found, Several)
    assert [(one.name, one.confirmed_before) for one in found.candidates] == [("이몽룡", 2), ("성춘향", 0)]


def test_a_switchboards_number_shows_no_more_people_than_one_can_read() -> None:
    found = identify("02-2100-0000", [CallerCard(str(n), f"요원 {n:03}") for n in range(300)], {"250": 1})

    assert isinstance(found, Several)
    assert len(found.candidates) == 20
    assert found.candidates[0].id == "250"
