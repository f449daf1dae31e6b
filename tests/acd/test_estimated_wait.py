"""How long callers are told they will wait, and whether it comes true."""

import math
import random
from collections.abc import Callable
from heapq import heappop, heappush

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.estimated_wait import Forecast, Overtakers, Rivals, Server, Situation, forecast, situated
from changgu.acd.handling_times import BINS, Abandonment, ArrivalRate, HandlingTimes
from changgu.acd.identity import CallId, QueueName
from changgu.acd.promises import Calibration, Cause, Coverage, Promise, Score, cause, told

HELPDESK, NETWORK = QueueName("helpdesk"), QueueName("network")
CALL = CallId("c1")


def learned(draw: Callable[[], float], count: int = 3000) -> HandlingTimes:
    times = HandlingTimes()
    for _ in range(count):
        times.observe(draw())
    return times


def exponential(mean: float = 180.0, seed: int = 1) -> HandlingTimes:
    dice = random.Random(seed)
    return learned(lambda: dice.expovariate(1.0 / mean))


def lognormal(mean: float, spread: float, seed: int = 1) -> HandlingTimes:
    dice = random.Random(seed)
    return learned(lambda: dice.lognormvariate(math.log(mean) - spread**2 / 2, spread))


def known(said: Forecast | None) -> Forecast:
    assert said is not None
    return said


def behind(waiting: int, times: HandlingTimes, agents: int = 10, abandonment: float = 0.0) -> Forecast:
    """Forecast for a caller behind so many others like them, all agents just begun."""
    rivals = (Rivals(0, waiting, times),) if waiting else ()
    return known(forecast(Situation([Server(60.0, times)] * agents, times, rivals, abandonment=abandonment)))


# What is forecast


def test_the_wait_is_unknown_when_nobody_is_staffed() -> None:
    times = HandlingTimes()
    assert forecast(Situation((), times)) is None
    assert forecast(Situation([Server(10.0, times, takes=0b10)], times)) is None, "somebody is there, but for others"


def test_nobody_waits_while_an_agent_is_free() -> None:
    times = HandlingTimes()
    said = known(forecast(Situation([Server(10.0, times), Server(None, times)], times, pickup=4.0)))
    assert (said.mean, said.promise, said.high) == (4.0, 4.0, 4.0)


def test_a_free_agent_goes_to_those_ahead_first() -> None:
    times = exponential()
    servers = [Server(10.0, times), Server(None, times)]
    said = known(forecast(Situation(servers, times, (Rivals(0, 1, times),))))
    assert said.mean > 60


def test_the_more_callers_ahead_the_longer_the_wait() -> None:
    times = lognormal(200.0, 0.7)
    promises = [behind(waiting, times).promise for waiting in (0, 1, 2, 5, 10, 20, 50, 200)]
    assert promises == sorted(promises)
    assert promises[-1] > 20 * promises[0]


def test_the_more_agents_the_shorter_the_wait() -> None:
    times = lognormal(200.0, 0.7)
    promises = [behind(5, times, agents).promise for agents in (1, 2, 5, 10, 50, 200)]
    assert promises == sorted(promises, reverse=True)


def test_the_figures_of_a_forecast_are_in_order() -> None:
    said = behind(7, lognormal(200.0, 0.7), abandonment=1 / 300)
    assert 0 < said.low < said.median < said.promise < said.high
    assert said.low < said.mean < said.high
    assert (said.staffed, said.ahead) == (10, 7)


@pytest.mark.parametrize(("agents", "waiting"), [(5, 0), (20, 0), (20, 5), (20, 40), (100, 30)])
@pytest.mark.parametrize("patience", [180.0, 1e9])
def test_with_exponential_times_it_is_the_textbooks_formula(agents: int, waiting: int, patience: float) -> None:
    times = exponential()
    dice = random.Random(7)
    servers = [Server(dice.expovariate(1 / 180), times) for _ in range(agents)]
    rivals = (Rivals(0, waiting, times),) if waiting else ()
    said = known(forecast(Situation(servers, times, rivals, abandonment=1 / patience)))
    rates = [agents / times.mean + ahead / patience for ahead in range(waiting + 1)]
    assert said.mean == pytest.approx(sum(1 / rate for rate in rates), rel=0.12)
    spread = math.sqrt(sum(1 / rate**2 for rate in rates))
    assert said.high - said.low == pytest.approx((2.2 if not waiting else 2.5) * spread, rel=0.2)


def test_an_agent_long_into_a_regular_call_is_free_sooner() -> None:
    times = lognormal(180.0, 0.3)
    new, late = (known(forecast(Situation([Server(elapsed, times)], times))).mean for elapsed in (10.0, 200.0))
    assert late < new / 2


def test_who_has_outlasted_all_experience_is_expected_to_go_on() -> None:
    times = lognormal(180.0, 0.8)
    waits = [known(forecast(Situation([Server(elapsed, times)], times))).mean for elapsed in (1800.0, 3600.0, 14400.0)]
    assert waits == sorted(waits)
    assert waits[0] > 180


def test_callers_ahead_whom_others_can_take_count_less() -> None:
    times = exponential()
    own = [Server(60.0, times, takes=0b11)] * 4
    others = [Server(60.0, times, takes=0b10)] * 12
    alone = known(forecast(Situation(own, times))).mean
    shared = known(forecast(Situation([*own, *others], times, (Rivals(1, 4, times),)))).mean
    rivals = known(forecast(Situation(own, times, (Rivals(0, 4, times),)))).mean
    assert alone < shared < rivals / 2


@pytest.mark.parametrize("line", ["b", "ob", "bo", "ooobbb", "bbbooo", "obobobobobob"])
def test_in_order_of_place_specialists_take_whoever_stands_first(line: str) -> None:
    """Ten agents take callers of kind o and b, ten only b; one more o asks. Against the same thing played with dice."""
    times = exponential()
    dice = random.Random(3)
    servers = [Server(dice.expovariate(1 / 180), times, 0b10) for _ in range(10)]
    servers += [Server(dice.expovariate(1 / 180), times, 0b11) for _ in range(10)]
    said = known(forecast(Situation(servers, times, [Rivals(int(kind == "b"), 1, times) for kind in line])))
    played = []
    for _ in range(1500):
        now, waiting = 0.0, line
        while True:
            now += dice.expovariate(20 / times.mean)
            if dice.random() < 0.5:
                if not waiting:
                    break
                waiting = waiting[1:]
            else:
                waiting = waiting.replace("b", "", 1)
        played.append(now)
    assert said.mean == pytest.approx(sum(played) / len(played), rel=0.1)
    assert 0.72 < sum(wait <= said.promise for wait in played) / len(played) < 0.88


def test_who_will_overtake_makes_it_longer_and_only_as_long_as_they_can() -> None:
    times = exponential()
    servers, rivals = [Server(60.0, times)] * 10, (Rivals(0, 10, times),)

    def waits(lasting: float) -> float:
        return known(forecast(Situation(servers, times, rivals, (Overtakers(0, 0.02, lasting),)))).mean

    assert waits(0.0) == known(forecast(Situation(servers, times, rivals))).mean
    assert waits(0.0) < waits(60.0) < waits(300.0)


def test_a_situation_leaves_out_what_has_no_bearing() -> None:
    times = {kind: HandlingTimes() for kind in "abc"}
    agents = [(5.0, times["a"], {"a", "b"}), (7.0, times["b"], {"b"}), (9.0, times["c"], {"c"})]
    ahead = [(3.0, "a"), (1.0, "b"), (2.0, "c")]
    found = situated("a", ahead, agents, times, [("b", 0.01, 60.0), ("c", 0.01, 60.0), ("a", 0.01, -1.0)])
    assert found.servers == (Server(5.0, times["a"], 0b11), Server(7.0, times["b"], 0b10))
    assert found.rivals == (Rivals(1, 1, times["b"]), Rivals(0, 1, times["a"])), "best place first"
    assert found.overtakers == (Overtakers(1, 0.01, 60.0),)
    assert (found.staffed, found.ahead) == (1, 2)


def test_a_long_line_is_summed_up() -> None:
    times = {"a": exponential(), "b": exponential()}
    agents = [(5.0, times["a"], {"a", "b"}), (7.0, times["b"], {"b"})]
    found = situated("a", [(float(place), "ab"[place % 2]) for place in range(1000)], agents, times)
    assert found.ahead == 1000
    assert len(found.rivals) <= 12
    assert known(forecast(found)).mean > 500 * 180


TIMES = (HandlingTimes(), exponential(20.0), lognormal(180.0, 0.2), lognormal(900.0, 1.5), learned(lambda: 1.0, 100))
ANY_TIMES = st.sampled_from(TIMES)
MASKS = st.integers(min_value=1, max_value=15)


@given(
    st.lists(st.builds(Server, st.none() | st.floats(0, 1e5), ANY_TIMES, MASKS), max_size=12),
    st.lists(st.builds(Rivals, st.integers(0, 3), st.integers(1, 400), ANY_TIMES), max_size=8),
    st.lists(st.builds(Overtakers, st.integers(0, 3), st.floats(0, 2), st.floats(0, 5000)), max_size=4),
    st.sampled_from((0.0, 1 / 600, 1 / 5)),
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_situation_the_figures_make_sense(
    servers: list[Server], rivals: list[Rivals], overtakers: list[Overtakers], abandonment: float
) -> None:
    guess = forecast(Situation(servers, TIMES[0], rivals, overtakers, abandonment, 3.0))
    assert (guess is None) == (not any(server.takes & 1 for server in servers))
    if guess is not None:
        figures = (guess.low, guess.median, guess.promise, guess.high)
        assert all(map(math.isfinite, (*figures, guess.mean)))
        assert min(guess.mean, guess.low) >= 3.0
        assert list(figures) == sorted(figures)


# What it is made of


def test_the_statistics_do_not_grow() -> None:
    times = exponential()
    for seconds in (0.0, 0.5, 1e9, math.pi):
        times.observe(seconds)
    settled = times._settled
    assert len(times._bins) == BINS == len(settled[0])
    for _ in range(40_000):
        times.observe(240.0)
    assert len(times._bins) == BINS
    assert math.isfinite(times._total)
    assert times.mean == pytest.approx(240.0, rel=0.01), "the old is forgotten"


def test_before_anything_is_known_a_handling_time_is_three_minutes() -> None:
    times = HandlingTimes()
    assert times.mean == pytest.approx(180.0)
    assert times.survival(0.0) == 1.0
    assert times.survival(180.0) == pytest.approx(0.345, abs=0.03)
    assert times.survival(1e6) == pytest.approx(0.0, abs=1e-9)


def test_how_long_one_has_been_busy_tells_how_long_one_will_be() -> None:
    memoryless, regular = exponential(), lognormal(180.0, 0.3)
    for elapsed in (0.0, 60.0, 180.0):
        assert memoryless.still_busy(elapsed, 90.0) == pytest.approx(math.exp(-0.5), abs=0.06)
    assert regular.still_busy(0.0, 90.0) > 0.95
    assert regular.still_busy(200.0, 90.0) < 0.3


def test_callers_dealt_with_in_a_row_follow_the_renewal_equation() -> None:
    curve = exponential().curve()
    for seconds in (30.0, 180.0, 600.0, 5000.0):
        assert curve.completed(seconds) == pytest.approx(seconds / curve.mean, rel=0.1)
    regular = lognormal(180.0, 0.3).curve()
    assert regular.completed(90.0) < 0.05
    assert regular.completed(3600.0) == pytest.approx(20 - (1 - regular.variation) / 2, rel=0.02)


def test_what_is_forecast_depends_on_the_observations_not_on_who_asked() -> None:
    asked, unasked = HandlingTimes(), HandlingTimes()
    dice = random.Random(5)
    for _ in range(333):
        seconds = dice.expovariate(1 / 100)
        asked.observe(seconds)
        unasked.observe(seconds)
        behind(3, asked)
    assert behind(3, asked) == behind(3, unasked)


def test_impatience_is_abandons_by_time_waited() -> None:
    giving_up = Abandonment()
    assert giving_up.rate == pytest.approx(1 / 900)
    dice = random.Random(2)
    for _ in range(5000):
        patience, wait = dice.expovariate(1 / 240), dice.uniform(0, 200)
        giving_up.observe(min(patience, wait), patience < wait)
    assert 1 / giving_up.rate == pytest.approx(240, rel=0.12)


def test_arrivals_are_counted_per_second_and_fade() -> None:
    coming = ArrivalRate(0.0)
    assert coming.at(0.0) == 0.0
    for tick in range(1, 361):
        coming.observe(tick * 10.0)
    assert coming.at(3600.0) == pytest.approx(0.1, rel=0.05)
    assert coming.at(3600.0 + 4 * 1800) < 0.003


# What is told


def said(promise: float, staffed: int = 10, ahead: int = 5) -> Forecast:
    return Forecast(promise, promise, promise, promise, promise, staffed, ahead)


def test_a_promise_does_not_grow_without_a_cause() -> None:
    first = told(None, said(120.0), 1000.0)
    assert first == Promise(1000.0, 120.0, 10, 5)
    again = told(first, said(100.0, ahead=3), 1060.0)
    assert again is first, "100 s would be later than what was promised"
    assert first.left(1060.0) == 60.0


def test_a_promise_may_become_shorter_at_any_time() -> None:
    first = told(None, said(120.0), 1000.0)
    assert told(first, said(30.0, ahead=2), 1060.0) == Promise(1060.0, 30.0, 10, 2)


@pytest.mark.parametrize(
    ("forecast", "now", "why"),
    [
        (said(100.0, staffed=9), 1060.0, Cause.FEWER_AGENTS),
        (said(100.0, ahead=6), 1060.0, Cause.OVERTAKEN),
        (said(100.0), 1120.0, Cause.OVERDUE),
        (said(100.0, staffed=11, ahead=5), 1060.0, None),
    ],
)
def test_a_promise_may_grow_for_a_cause(forecast: Forecast, now: float, why: Cause | None) -> None:
    first = Promise(1000.0, 120.0, 10, 5)
    assert cause(first, forecast, now) is why
    assert told(first, forecast, now) == (Promise(now, 100.0, forecast.staffed, forecast.ahead) if why else first)


def test_nothing_is_promised_when_the_wait_is_unknown() -> None:
    assert told(Promise(0.0, 60.0, 1, 0), None, 10.0) is None


def test_promises_are_held_against_what_happened() -> None:
    coverage = Coverage()
    for number, (answered, left) in enumerate([(50.0, None), (70.0, None), (None, 30.0), (None, 90.0)]):
        call = CallId(str(number))
        assert coverage.promised(call, HELPDESK, 0.0, 60.0)
        if answered is not None:
            coverage.answered(call, answered)
        if left is not None:
            coverage.left(call, left)
    assert coverage.scores == {HELPDESK: Score(kept=1, missed=2, unknowable=1)}
    assert coverage.total.share == pytest.approx(1 / 3)
    assert coverage.answered(CallId("0"), 100.0) == [], "settled once"


def test_the_same_moment_told_again_is_one_promise() -> None:
    coverage = Coverage()
    assert coverage.promised(CALL, HELPDESK, 0.0, 60.0)
    assert not coverage.promised(CALL, HELPDESK, 30.0, 30.0)
    assert coverage.promised(CALL, HELPDESK, 40.0, 5.0), "an earlier moment is another promise"
    assert [kept for _, kept in coverage.answered(CALL, 50.0)] == [True, False]


def test_promises_count_in_the_queue_in_which_they_were_made() -> None:
    coverage = Coverage()
    coverage.promised(CALL, HELPDESK, 0.0, 60.0)
    coverage.promised(CALL, NETWORK, 30.0, 60.0)
    coverage.answered(CALL, 80.0)
    assert coverage.scores == {HELPDESK: Score(missed=1), NETWORK: Score(kept=1)}
    assert coverage.total == Score(kept=1, missed=1)
    assert Coverage().total.share is None


def test_the_confidence_asked_for_learns_from_missed_promises() -> None:
    """A model that is too hopeful by half: what it says with 80 % comes true for fewer."""
    calibration = Calibration(0.8)
    dice = random.Random(4)
    kept = 0
    for number in range(6000):
        promise = -math.log(1 - calibration.level)
        outcome = dice.expovariate(1 / 1.5) <= promise
        calibration.observe(outcome)
        calibration.observe(None)
        kept += outcome and number >= 1000
    assert kept / 5000 == pytest.approx(0.8, abs=0.01)
    assert calibration.level > 0.85


# How good it is


UNTOLD = said(0.0)
"""While everything is still to be learned."""


def played(agents: int, load: float, patience: float, calls: int, seed: int) -> list[tuple[float, float, Forecast]]:
    """M/M/N+M: for each caller who would have had to wait their wait, what the best formula says, and the forecast.

    Callers who give up are followed on. A line of its own rather than the bench's, so that each checks the other.
    """
    mean, dice = 180.0, random.Random(seed)
    times, giving_up = HandlingTimes(), Abandonment()
    now = 0.0
    busy: list[tuple[float, float]] = []
    line: list[list[float]] = []
    """Arrival, end of patience, index of the result."""
    found: list[tuple[float, float, Forecast]] = []
    open_: dict[int, tuple[float, float, Forecast]] = {}

    def serve_until(moment: float) -> None:
        while busy and busy[0][0] <= moment:
            free, began = heappop(busy)
            times.observe(free - began)
            while line:
                arrived, patient_until, index = line.pop(0)
                _, formula, guess = open_.pop(int(index))
                found.append((free - arrived, formula, guess))
                giving_up.observe(min(free, patient_until) - arrived, patient_until < free)
                if patient_until >= free:
                    heappush(busy, (free + dice.expovariate(1 / mean), free))
                    break

    for number in range(calls):
        now += dice.expovariate(load * agents / mean)
        serve_until(now)
        if len(busy) < agents:
            heappush(busy, (now + dice.expovariate(1 / mean), now))
            continue
        ahead = sum(until > now for _, until, _ in line)
        rivals = (Rivals(0, ahead, times),) if ahead else ()
        servers = [Server(now - began, times) for _, began in busy]
        situation = Situation(servers, times, rivals, abandonment=giving_up.rate)
        guess = known(forecast(situation)) if number > calls // 3 else UNTOLD
        formula = sum(1 / (agents / mean + i / patience) for i in range(ahead + 1))
        open_[number] = (now, formula, guess)
        line.append([now, now + dice.expovariate(1 / patience), float(number)])
    serve_until(math.inf)
    return [result for result in found if result[2] is not UNTOLD]


@pytest.mark.parametrize(("agents", "load", "patience"), [(20, 1.1, 180.0), (30, 1.2, 240.0)])
def test_nothing_predicts_much_better_and_eighty_of_a_hundred_are_in_the_interval(
    agents: int, load: float, patience: float
) -> None:
    results = played(agents, load, patience, calls=4500, seed=11)
    ours, best = (
        math.sqrt(sum((wait - guess) ** 2 for wait, guess in guesses) / len(results))
        for guesses in (
            [(wait, guess.mean) for wait, _, guess in results],
            [(wait, formula) for wait, formula, _ in results],
        )
    )
    assert ours <= 1.10 * best
    assert 0.76 <= sum(guess.low <= wait <= guess.high for wait, _, guess in results) / len(results) <= 0.84
    assert 0.74 <= sum(wait <= guess.promise for wait, _, guess in results) / len(results) <= 0.86
