"""Limits pass in the order of their instants, whatever was put off and called off in between."""

from hypothesis import given
from hypothesis import strategies as st

from changgu.acd.deadlines import FEW, Deadlines
from changgu.acd.records import Timed

WHO = st.integers(0, 9)
SECONDS = st.one_of(st.none(), st.sampled_from([0.0, 5.0, 20.0]), st.floats(0, 100))
LENGTHS = st.one_of(st.none(), st.sampled_from([5.0, 20.0]))


def all_that_pass(deadlines: Deadlines) -> list[Timed]:
    passed = []
    while deadlines.next() is not None:
        passed.append(deadlines.take())
    return passed


@given(st.lists(st.tuples(WHO, SECONDS, LENGTHS)))
def test_first_due_is_first_and_at_one_instant_whoever_was_set_first(steps: list[tuple[int, float, float]]) -> None:
    deadlines, people = Deadlines(), [Timed() for _ in range(10)]
    runs: dict[int, tuple[float, int]] = {}
    for number, (who, due, length) in enumerate(steps):
        deadlines.set(people[who], due, length)
        if due is None:
            runs.pop(who, None)
        elif who not in runs or runs[who][0] != due:
            runs[who] = (due, number)
        assert deadlines.next() == min((due for due, _ in runs.values()), default=None)
    assert all_that_pass(deadlines) == [people[who] for who in sorted(runs, key=lambda who: runs[who])]
    assert [person.due for person in people] == [None] * 10
    assert len(deadlines) == 0


def test_limits_of_one_length_that_do_not_begin_in_order_pass_in_order() -> None:
    deadlines, early, late, between = Deadlines(), Timed(), Timed(), Timed()
    deadlines.set(early, 10.0, 20.0)
    deadlines.set(late, 30.0, 20.0)
    deadlines.set(between, 20.0, 20.0)
    assert all_that_pass(deadlines) == [early, between, late]


def test_what_is_called_off_does_not_pile_up() -> None:
    deadlines, stays, goes = Deadlines(), Timed(), Timed()
    deadlines.set(stays, 1e6, 20.0)
    for moment in range(10_000):
        deadlines.set(goes, 10.0 + moment, 20.0)
        assert len(deadlines) <= 2 * 2 + FEW
    deadlines.set(goes, None)
    assert deadlines.next() == 1e6
    assert all_that_pass(deadlines) == [stays]
