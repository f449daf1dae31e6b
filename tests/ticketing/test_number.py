"""A ticket number survives a bad line: no slip of one digit leads to somebody else's ticket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.ticketing.number import FIRST, check_digit, read_number, shown, spoken, ticket_number

SOME = [*range(FIRST, FIRST + 400), *range(FIRST, 999_999, 7919), 999_999]


def test_the_published_example_of_the_algorithm_comes_out() -> None:
    assert check_digit("572") == "4"


def test_every_wrong_digit_is_noticed() -> None:
    for running in SOME:
        number = ticket_number(running)
        for place, right in enumerate(number):
            for wrong in "0123456789":
                if wrong != right:
                    assert read_number(number[:place] + wrong + number[place + 1 :]) is None


def test_every_swap_of_two_neighbours_is_noticed() -> None:
    for running in SOME:
        number = ticket_number(running)
        for place in range(len(number) - 1):
            one, other = number[place], number[place + 1]
            if one != other:
                assert read_number(number[:place] + other + one + number[place + 2 :]) is None


def test_every_swap_of_two_digits_is_noticed_by_the_table_itself() -> None:
    """Damm's condition, over all interim digits: a swap never leads to the same state."""
    for interim in "0123456789":
        for one in "0123456789":
            for other in "0123456789":
                before = check_digit_from(interim, one + other)
                assert before != check_digit_from(interim, other + one) or one == other


def check_digit_from(interim: str, digits: str) -> str:
    # The interim digit that leads to `interim` from 0 is `interim`'s own column: reach it by one digit.
    lead = next(digit for digit in "0123456789" if check_digit(digit) == interim)
    return check_digit(lead + digits)


def test_numbers_have_seven_digits_and_do_not_begin_with_zero() -> None:
    numbers = [ticket_number(running) for running in SOME]
    assert len(set(numbers)) == len(set(SOME))
    assert all(len(number) == 7 and number[0] != "0" for number in numbers)
    assert len(ticket_number(1_000_000)) == 8
    assert read_number(ticket_number(1_000_000)) is not None


@pytest.mark.parametrize("form", ["{}", " {} ", "#{}", "{0[0]}{0[1]}{0[2]}-{1}", "{0[0]} {0[1]} {0[2]} {1}"])
def test_a_number_is_read_as_people_write_it(form: str) -> None:
    number = ticket_number(FIRST)
    assert read_number(form.format(number, number[3:])) == number
    assert read_number(number.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})) == number
    assert read_number(shown(number)) == number


def test_a_number_is_said_in_short_groups() -> None:
    number = ticket_number(FIRST)
    assert spoken(number) == (number[:3], number[3:5], number[5:])
    assert "".join(spoken(ticket_number(1_000_000))) == ticket_number(1_000_000)
    assert all(2 <= len(group) <= 3 for group in spoken(ticket_number(1_000_000)))


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(written: str) -> None:
    number = read_number(written)
    assert number is None or read_number(number) == number
