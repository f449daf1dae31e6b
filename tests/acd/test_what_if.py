"""A recorded day can be played with other rules, and its own rules give its own figures again."""

import math
from dataclasses import replace
from datetime import time, timedelta
from random import Random

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.engine import Engine
from changgu.acd.events import AgentNotReady, AgentReady, CallArrived, CallbackAsked, Event, PhoneReachable
from changgu.acd.facts import (
    AgentStateChanged,
    CallbackBooked,
    CallConnected,
    CallEnded,
    CallOverflowed,
    CallQueued,
    Departure,
    Outcome,
    Recorded,
)
from changgu.acd.figures import ROWS, Counted, Kpis, jain, middle, quantile, spread, table, width
from changgu.acd.identity import AgentId, CallbackId, CallId, QueueName
from changgu.acd.kaplan_meier import PATIENT, Patience
from changgu.acd.queues import Agent, CallbackRules, Destination, Floor, Overflow, Queue, Way
from changgu.acd.replay import Replayer
from changgu.acd.strategies import UnknownStrategy
from changgu.acd.traffic import Recording, Traffic, Visit
from changgu.acd.what_if import play, with_agents, with_strategy

NETWORK, PC = QueueName("network"), QueueName("pc")
T0 = 1_790_000_000.0
HOUR = 3600.0
FLOOR = Floor(
    (Queue(NETWORK, "네트워크"), Queue(PC, "PC", strategy="linear", wrap_up=timedelta(seconds=10))),
    (
        Agent(AgentId("alice"), "앨리스", frozenset({NETWORK, PC}), frozenset({"vpn"})),
        Agent(AgentId("bob"), "밥", frozenset({NETWORK, PC}), frozenset({"vpn"})),
        Agent(AgentId("carol"), "캐럴", frozenset({PC})),
        Agent(AgentId("dave"), "데이브", frozenset({NETWORK})),
    ),
)


def an_hour(seed: int = 1, per_minute: float = 1.6, floor: Floor = FLOOR) -> Traffic:
    dice = Random(seed)
    at = T0 + 60
    visits: list[Visit] = []
    while at < T0 + HOUR - 300:
        call = CallId(f"c{len(visits) + 1}")
        skills = frozenset({"vpn"}) if dice.random() < 0.3 else frozenset[str]()
        arrived = CallArrived(call, dice.choice([NETWORK, PC]), skills=skills)
        visits.append(
            Visit(
                call,
                round(at, 6),
                arrived,
                f"010{len(visits):04}",
                "1000",
                waited=round(dice.expovariate(1 / 60), 6),
                gave_up=True,
                talk=round(dice.expovariate(1 / 100), 6),
                reaction=round(1 + dice.random() * 5, 6),
                wrap_up=4.5 if dice.random() < 0.2 else None,
            )
        )
        at += dice.expovariate(per_minute / 60)
    presence: list[tuple[float, Event]] = [
        (T0 + 1, event) for agent in floor.agents for event in (PhoneReachable(agent.login), AgentReady(agent.login))
    ]
    presence += [
        (T0 + 1800, AgentNotReady(AgentId("bob"), NotReadyReason.MEAL)),
        (T0 + 2400, AgentReady(AgentId("bob"))),
    ]
    return Traffic(T0, T0 + HOUR, visits, presence)


def recorded(traffic: Traffic, floor: Floor = FLOOR) -> tuple[Kpis, list[Recorded]]:
    ledger: list[Recorded] = []
    return play(traffic, floor, ledger=ledger.append), ledger


def booked(ledger: list[Recorded]) -> list[CallbackBooked]:
    return [entry.fact for entry in ledger if isinstance(entry.fact, CallbackBooked)]


def read_back(ledger: list[Recorded]) -> Traffic:
    recording = Recording(T0, T0 + HOUR)
    for entry in ledger:
        recording.hear(entry)
    return recording.traffic


@pytest.mark.parametrize("seed", range(3))
def test_a_days_own_rules_give_its_own_figures_again(seed: int) -> None:
    kpis, ledger = recorded(an_hour(seed))

    again = play(read_back(ledger), FLOOR)

    assert (again.offered, again.answered, again.abandoned) == (kpis.offered, kpis.answered, kpis.abandoned)
    for figure, *_ in ROWS:
        one, other = getattr(kpis, figure), getattr(again, figure)
        assert one == other or math.isclose(one, other, rel_tol=1e-4), figure


def test_the_figures_of_the_day_that_was_lived_are_counted_alike() -> None:
    kpis, ledger = recorded(an_hour(7))
    counted = Counted(FLOOR)
    for entry in ledger:
        counted.hear(entry.fact, entry.at)

    lived = counted.kpis(T0 + HOUR)
    assert replace(lived, occupancy=None, fairness=None, agents=()) == replace(
        kpis, occupancy=None, fairness=None, agents=()
    )
    assert kpis.offered == kpis.answered + kpis.abandoned == len(an_hour(7).visits)
    assert kpis.agents[0][0] == "alice"


def test_a_played_day_can_be_replayed_to_the_byte() -> None:
    _, ledger = recorded(an_hour(2))
    replayer = Replayer(Engine(FLOOR), lambda digest: FLOOR)
    replayer.feed(ledger)

    assert replayer.finish() is None
    assert replayer.facts == len(ledger)


@pytest.mark.parametrize("to", [Destination(Way.CALLBACK), Destination(Way.NUMBER, "0215881234")])
def test_who_is_led_to_where_the_desk_has_no_line_comes_back_to_their_place(to: Destination) -> None:
    """They wait there for the rest of their patience, and hang up when it is used up."""
    out = replace(FLOOR.queues[0], overflows=(Overflow(Departure.WAITED, to, 5),))
    floor = replace(FLOOR, queues=(out, FLOOR.queues[1]))
    traffic = an_hour(5, per_minute=3)
    ledger: list[Recorded] = []

    dialled = play(traffic, floor)
    back = play(traffic, floor, ledger=ledger.append, closed={to})

    assert dialled.elsewhere > 10
    assert (back.elsewhere, back.callbacks_kept) == (0, 0)
    assert back.offered == back.answered + back.abandoned
    led = {entry.fact.call for entry in ledger if isinstance(entry.fact, CallOverflowed)}
    answered = {entry.fact.call for entry in ledger if isinstance(entry.fact, CallConnected)}
    assert led & answered
    assert led - answered


def test_who_asks_by_key_for_a_call_that_cannot_be_made_hangs_up_once_they_are_told() -> None:
    keyed = replace(FLOOR.queues[0], keys={"1": Destination(Way.CALLBACK)})
    floor = replace(FLOOR, queues=(keyed, FLOOR.queues[1]), agents=())
    came = CallArrived(CallId("c1"), NETWORK)
    visit = Visit(CallId("c1"), T0 + 60, came, "01012345678", "1000", waited=40, gave_up=True, key="1")
    ledger: list[Recorded] = []

    play(Traffic(T0, T0 + HOUR, [visit], []), floor, ledger=ledger.append, closed={Destination(Way.CALLBACK)})

    assert not any(isinstance(entry.fact, CallbackBooked) for entry in ledger)
    (end,) = [entry for entry in ledger if isinstance(entry.fact, CallEnded)]
    assert (end.at, end.fact.outcome) == (T0 + 60 + 40 + 30, Outcome.ABANDONED_IN_QUEUE)  # type: ignore[union-attr]


def test_more_agents_help_and_fewer_hurt() -> None:
    traffic = an_hour(3, per_minute=2.5)
    few, same, many = (play(day, floor) for floor, day in (with_agents(FLOOR, traffic, n) for n in (-1, 0, 2)))

    assert same == play(traffic, FLOOR)
    assert few.abandoned > same.abandoned > many.abandoned
    assert few.occupancy is not None
    assert many.occupancy is not None
    assert few.occupancy > many.occupancy
    assert {agent for agent, _ in many.agents} >= {"alice+1", "bob+1"}
    bobs = [event for _, event in with_agents(FLOOR, traffic, 2)[1].presence if getattr(event, "agent", "") == "bob+1"]
    assert len(bobs) == 4
    assert with_agents(FLOOR, traffic, -9)[0].agents == ()
    assert play(traffic, with_agents(FLOOR, traffic, -9)[0]).answered == 0


def test_a_fairer_strategy_is_fairer() -> None:
    traffic = an_hour(4, per_minute=1.0)
    linear, longest = play(traffic, with_strategy(FLOOR, "linear")), play(traffic, with_strategy(FLOOR, "longest_idle"))

    assert linear.fairness is not None
    assert longest.fairness is not None
    assert longest.fairness > linear.fairness
    with pytest.raises(UnknownStrategy):
        with_strategy(FLOOR, "shortest_idle")


def test_the_same_seed_is_the_same_day_and_another_is_not() -> None:
    _, ledger = recorded(an_hour(5))
    traffic = read_back(ledger)
    fewer, _ = with_agents(FLOOR, traffic, -2)

    assert play(traffic, fewer, 1) == play(traffic, fewer, 1)
    assert play(traffic, fewer, 1) != play(traffic, fewer, 2)


def test_overflow_keys_and_call_backs_are_played_too() -> None:
    network = replace(
        FLOOR.queues[0],
        overflows=(
            Overflow(Departure.FULL, Destination(Way.VOICEMAIL), 3),
            Overflow(Departure.WAITED, Destination(Way.NUMBER, "0215881234"), 40),
        ),
        keys={"1": Destination(Way.CALLBACK)},
        callbacks=CallbackRules(opens=time(0, 0), closes=time(23, 59)),
    )
    floor = replace(FLOOR, queues=(network, FLOOR.queues[1]), agents=FLOOR.agents[:2])
    traffic = an_hour(6, per_minute=3)
    people = [replace(visit, person=str(number)) for number, visit in enumerate(traffic.visits)]
    visits = [replace(visit, key="1") if number % 3 == 0 else visit for number, visit in enumerate(people)]
    asked = (T0 + 120, CallbackAsked(CallbackId("b1"), "01099998888", NETWORK))
    kpis, ledger = recorded(replace(traffic, visits=visits, presence=[*traffic.presence, asked]), floor)

    assert kpis.elsewhere > 5
    assert kpis.callbacks_kept > 0
    assert kpis.offered == kpis.answered + kpis.abandoned + kpis.elsewhere + kpis.refused
    again = read_back(ledger)
    assert [visit.call for visit in again.visits] == [visit.call for visit in visits]
    assert any(visit.key == "1" for visit in again.visits)
    assert [visit.person for visit in again.visits] == [visit.person for visit in visits]
    assert {fact.callback for fact in booked(ledger) if not fact.person} == {"b1"}
    assert asked in again.presence


def test_whoever_sits_or_waits_at_the_beginning_is_part_of_the_day() -> None:
    _, ledger = recorded(an_hour(1, per_minute=6))
    half = next(
        n for n, entry in enumerate(ledger)
        if entry.at > T0 + 900 and entry.because is not None and isinstance(entry.fact, CallQueued)
    )  # fmt: skip
    engine = Engine.restore(FLOOR, ledger[:half])
    recording = Recording(ledger[half].at, T0 + HOUR, engine.agents.values(), engine.calls.values())
    for entry in ledger[half:]:
        recording.hear(entry)

    beginners = [visit for visit in recording.traffic.visits if visit.at == ledger[half].at]
    waiting = [call for call in engine.calls.values() if call.queued_at is not None and call.answered_at is None]
    assert len(beginners) == len(waiting) + 1
    assert all(engine.agents[agent.login].state is not AgentState.LOGGED_OUT for agent in FLOOR.agents)
    played = play(recording.traffic, FLOOR)
    assert played.offered == len(recording.traffic.visits)
    assert played.answered > 0


def test_whoever_lets_the_phone_ring_too_often_comes_back() -> None:
    """The ring limit is shorter than people are: each miss sends somebody away, and they return."""
    hasty = replace(
        FLOOR,
        queues=tuple(
            replace(queue, ring_limit=timedelta(seconds=3), misses_before_not_ready=1) for queue in FLOOR.queues
        ),
    )
    kpis, ledger = recorded(an_hour(1), hasty)

    changes = [entry.fact for entry in ledger if isinstance(entry.fact, AgentStateChanged)]
    away = [change for change in changes if change.reason is NotReadyReason.NO_ANSWER]
    back = [
        one for number, one in enumerate(ledger)
        if isinstance(one.fact, AgentStateChanged) and one.fact.before is AgentState.NOT_READY
        and isinstance(one.because, AgentReady) and number
    ]  # fmt: skip
    assert len(away) > 5
    assert len(back) >= len(away) - len(FLOOR.agents)
    assert kpis.answered > len(an_hour(1).visits) / 2
    traffic = read_back(ledger)
    assert traffic.comes_back_after == pytest.approx(60)
    assert len(traffic.comebacks) >= len(away) - len(FLOOR.agents) - 1
    assert sum(isinstance(event, AgentReady) for _, event in traffic.presence) <= len(FLOOR.agents) + 1


def test_every_caller_has_one_outcome_and_nobody_waits_beyond_the_recording() -> None:
    traffic = an_hour(3, per_minute=3)
    traffic.until = T0 + 1800
    cut = replace(traffic, visits=[visit for visit in traffic.visits if visit.at < traffic.until])
    for day in (cut, replace(cut, closed_at=cut.until)):
        for more in (-3, 0):
            floor, same_day = with_agents(FLOOR, day, more)
            kpis = play(same_day, floor)
            ends = kpis.answered + kpis.abandoned + kpis.refused + kpis.elsewhere + kpis.lost + kpis.left
            assert kpis.offered == ends == len(cut.visits)
            assert (kpis.left == 0) == (day.closed_at is not None) or kpis.refused == 0
            assert kpis.longest_wait is not None
            assert kpis.longest_wait < 1800


def test_a_caller_for_a_queue_that_is_gone_is_refused_and_counted() -> None:
    traffic = an_hour(1)
    kpis = play(traffic, replace(FLOOR, queues=FLOOR.queues[1:]))
    assert kpis.offered == len(traffic.visits)
    assert kpis.refused == sum(visit.arrived.queue == NETWORK for visit in traffic.visits)


def test_the_middle_of_some_days_and_how_far_they_reach() -> None:
    one = play(an_hour(1), FLOOR)
    days = [replace(one, answered=count) for count in (5, 1, 3)]
    assert middle(days).answered == 3
    assert spread(days)["answered"] == (1, 5)
    assert middle([one]) == one
    assert any(line.endswith("1 – 5") for line in table([("a", one), ("b", one)], drawn=days))


# How long people are willing to wait


def test_patience_is_learnt_from_those_who_were_served_too() -> None:
    """Kaplan and Meier by hand: 1 of 4 leaves at 10, 1 of 2 at 30."""
    patience = Patience([(10, True), (20, False), (30, True), (40, False)])

    assert (patience.still_there(9), patience.still_there(10), patience.still_there(29)) == (1.0, 0.75, 0.75)
    assert patience.still_there(30) == pytest.approx(0.375)
    assert patience.rate == 2 / 100
    assert patience.beyond(0, 0.1) == 10
    assert patience.beyond(10, 0.1) == 30
    assert patience.beyond(10, 0.0) > 10


def test_waits_that_end_together_are_counted_one_by_one() -> None:
    patience = Patience([(10, True), (10, True), (10, False), (5, False)])
    assert patience.still_there(10) == pytest.approx(1 / 3)


def test_nobody_is_taken_to_wait_for_longer_than_anybody_was_seen_to() -> None:
    patience = Patience([(10, True), (20, False)])
    drawn = [patience.beyond(5, number / 1000) for number in range(1000)]
    assert set(drawn) == {10, 20}
    assert patience.beyond(20, 0.999) == 20
    assert Patience([(5, False)]).beyond(5, 1 - 1e-12) == PATIENT


def test_where_nobody_gave_up_people_are_patient() -> None:
    assert Patience([]).rate == Patience([(5, False)]).rate == 1 / PATIENT
    assert Patience([]).beyond(0, 0.5) == pytest.approx(PATIENT * math.log(2))


@pytest.mark.parametrize("mean", [30.0, 120.0])
def test_the_estimate_finds_the_patience_that_made_the_waits(mean: float) -> None:
    dice = Random(1)
    seen = []
    for _ in range(4000):
        patience, offered = dice.expovariate(1 / mean), dice.expovariate(1 / 60)
        seen.append((min(patience, offered), patience <= offered))
    assert Patience(seen).still_there(40) == pytest.approx(math.exp(-40 / mean), abs=0.03)


# Figures


def test_quantiles_and_fairness() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0.0, 0.5, 0.9, 1.0)] == [1, 2, 4, 4]
    assert quantile([], 0.5) is None
    assert jain([0.5, 0.5]) == 1.0
    assert jain([1.0, 0.0]) == 0.5
    assert jain([0.0]) is None


def test_the_table_sets_the_figures_side_by_side() -> None:
    one = play(an_hour(1), FLOOR)
    lines = table([("지금 · now", one), ("다르게 · other", replace(one, offered=one.offered + 3, mean_wait=None))])

    assert lines[0].endswith("차이 · change")
    assert any(line.startswith("들어온 통화 · offered") and line.endswith("+3") for line in lines)
    assert any(line.startswith("서비스 수준 · service level") and line.endswith("+0.0 %") for line in lines)
    assert any(line.startswith("  alice") for line in lines)
    assert len(table([("하나", one)])) == len(lines)
    assert width("한글 a") == 6
