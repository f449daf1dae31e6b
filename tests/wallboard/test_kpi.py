"""Each figure by a worked example, counted on one's fingers."""

import pytest

from changgu.wallboard import kpi
from changgu.wallboard.rows import QueueRow, Totals
from changgu.wallboard.tiles import OTHER_WAYS, QUEUE_COLUMNS, SMALL_TILES, TILES


def test_offered_is_queued_plus_refused_before_a_queue() -> None:
    assert kpi.offered(queued=97, refused_before_queue=3) == 100


def test_abandonment_rate_leaves_short_abandons_out_above_and_below() -> None:
    # 100 came, 12 hung up, 2 of these within 5 seconds: 10 of 98.
    assert kpi.abandonment_rate(abandoned=12, short_abandoned=2, offered=100) == pytest.approx(10 / 98)


def test_answer_rate_with_and_without_short_abandons() -> None:
    assert kpi.answer_rate(answered=88, offered=100) == 0.88
    assert kpi.answer_rate(answered=88, offered=100, short_abandoned=2) == pytest.approx(88 / 98)


def test_service_level_counts_abandoned_calls_against_us() -> None:
    # 70 of the 88 were answered within 20 s; the 2 short abandons are nobody's fault.
    assert kpi.service_level(answered_in_time=70, offered=100, short_abandoned=2) == pytest.approx(70 / 98)


def test_a_caller_who_can_still_be_answered_in_time_is_not_counted_as_missed() -> None:
    assert kpi.service_level(answered_in_time=0, offered=1, short_abandoned=0, undecided=1) is None
    assert kpi.service_level(answered_in_time=3, offered=5, short_abandoned=0, undecided=1) == 0.75


def test_the_other_service_levels_tell_other_stories_of_the_same_day() -> None:
    assert kpi.service_level_of_answered(answered_in_time=70, answered=88) == pytest.approx(70 / 88)
    asterisk = kpi.service_level_with_abandons(answered_in_time=70, abandoned_in_time=6, answered=88, abandoned=12)
    assert asterisk == 0.76
    amazon = kpi.service_level_of_queued(answered_in_time=70, abandoned_in_time=6, queued=100)
    assert amazon == 0.76


def test_an_answer_at_the_limit_is_in_time_and_a_hang_up_at_the_limit_is_short() -> None:
    assert kpi.in_time(20.0, 20.0)
    assert not kpi.in_time(20.001, 20.0)
    assert kpi.is_short_abandon(5.0, 5.0)
    assert not kpi.is_short_abandon(5.001, 5.0)


def test_average_speed_of_answer_is_over_answered_calls() -> None:
    assert kpi.average_speed_of_answer(waited=30 + 10 + 20, answered=3) == 20


def test_average_handling_time_includes_wrap_up() -> None:
    # Two calls: 180 s talk + 20 s hold + 40 s wrap-up, and 100 s talk + 20 s wrap-up.
    assert kpi.average_handling_time(handled_seconds=240 + 120, handled=2) == 180


def test_occupancy_leaves_breaks_out() -> None:
    # Of a six-hour day: 4 h handling, 12 min ringing, 1 h 48 min ready; the two hours of breaks do not appear.
    assert kpi.occupancy(handling=4 * 3600, ringing=12 * 60, ready=108 * 60) == pytest.approx(0.7)


def test_before_anything_has_happened_there_is_no_rate() -> None:
    assert kpi.abandonment_rate(0, 0, 0) is None
    assert kpi.abandonment_rate(abandoned=2, short_abandoned=2, offered=2) is None
    assert kpi.service_level(0, 0, 0) is None
    assert kpi.average_speed_of_answer(0.0, 0) is None
    assert kpi.average_handling_time(0.0, 0) is None
    assert kpi.occupancy(0, 0, 0) is None


def test_every_tile_has_a_definition_and_a_figure_behind_it() -> None:
    for tile in (*TILES, *SMALL_TILES, *QUEUE_COLUMNS):
        assert tile.figure in kpi.DEFINITIONS
        assert tile.figure in Totals.__annotations__
    for tile in OTHER_WAYS:
        assert tile.figure in kpi.DEFINITIONS
        assert tile.figure in QueueRow.__annotations__


def test_promise_coverage_is_over_those_of_whom_it_is_known() -> None:
    # 100 callers were told something: 72 answered within it, 18 not, 10 left before it was over: 72 of 90.
    assert kpi.promise_coverage(kept=72, missed=18) == 0.8
    assert kpi.promise_coverage(kept=0, missed=0) is None


def test_the_middle_is_not_moved_by_one_call_back_that_took_days() -> None:
    assert kpi.middle([60.0, 600.0, 200_000.0]) == 600
    assert kpi.middle([60.0, 120.0, 600.0, 900.0]) == 360
    assert kpi.middle([]) is None
