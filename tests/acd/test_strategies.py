"""Who rings first: one story per strategy."""

import pytest

from changgu.acd.commands import RingAgent
from changgu.acd.engine import Effect, Engine
from changgu.acd.identity import AgentId
from changgu.acd.queues import Floor as FloorPlan
from changgu.acd.strategies import STRATEGIES, UnknownStrategy
from tests.support.floor import Floor, a_queue, an_agent


def rung(effects: list[Effect]) -> list[AgentId]:
    return [effect.agent for effect in effects if isinstance(effect, RingAgent)]


def test_the_agent_who_has_been_idle_longest_rings_first() -> None:
    floor = Floor("alice", "bob", "carol")
    for agent in ("bob", "carol", "alice"):
        floor.ready(agent)
        floor.wait(1)

    assert [rung(floor.call(call)) for call in ("c1", "c2", "c3")] == [["bob"], ["carol"], ["alice"]]


def test_agents_who_became_idle_at_the_same_instant_ring_in_the_order_of_their_logins() -> None:
    floor = Floor("carol", "alice", "bob")
    floor.ready("bob", "carol", "alice")

    assert [rung(floor.call(call)) for call in ("c1", "c2", "c3")] == [["alice"], ["bob"], ["carol"]]


def test_eighth_in_score_is_not_served_first() -> None:
    """Row 19: the order of the idle holds over a whole round of calls."""
    names = [f"a{number}" for number in range(8)]
    floor = Floor(*names, queues=[a_queue(wrap_up=0)])
    for name in names:
        floor.ready(name)
        floor.wait(1)
    order = []
    for number in range(24):
        (agent,) = rung(floor.call(f"c{number}"))
        order.append(agent)
        floor.talk(agent)
        floor.wait(0.5)
        floor.caller_hangs_up(f"c{number}")

    assert order == names * 3


def test_a_caller_who_gave_up_does_not_cost_the_agent_their_turn() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.wait(5)
    floor.ready("bob")
    floor.wait(5)
    floor.call("c1")
    floor.wait(3)
    floor.caller_hangs_up("c1")

    assert rung(floor.call("c2")) == ["alice"]


def test_a_missed_call_costs_the_agent_their_turn() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")
    floor.wait(5)
    floor.ready("bob")
    floor.call("c1")

    assert rung(floor.decline("alice")) == ["bob"]
    floor.caller_hangs_up("c1")
    assert rung(floor.call("c2")) == ["bob"]


def test_at_the_same_instant_who_missed_a_call_rings_after_who_did_not() -> None:
    floor = Floor("alice", "bob", queues=[a_queue(ring_limit=20, wrap_up=10)])
    floor.ready("bob")
    floor.call("c1")
    floor.talk("bob")
    floor.ready("alice")
    floor.call("c2")
    floor.wait(10)
    floor.caller_hangs_up("c1")

    assert rung(floor.wait(10)) == ["bob"]


def test_a_queue_with_a_strategy_that_does_not_exist_is_refused_with_the_ones_that_do() -> None:
    with pytest.raises(UnknownStrategy, match=r"no strategy 'loudest'; there are fewest_calls, .*longest_idle"):
        Engine(FloorPlan((a_queue(strategy="loudest"),), ()))


def test_a_running_floor_is_never_left_half_changed() -> None:
    floor = Floor("alice")
    floor.ready("alice")
    before = floor.engine.picture()

    with pytest.raises(UnknownStrategy):
        floor.engine.configure(FloorPlan((a_queue(strategy="loudest"),), (an_agent("bob"),)), floor.now)

    assert floor.engine.picture() == before
    assert rung(floor.call("c1")) == ["alice"]


def test_the_registry_names_functions() -> None:
    assert {"longest_idle", "fewest_calls", "least_talk_time", "random", "weighted_random", "round_robin", "linear",
            "top_down", "most_skilled", "last_agent", "ring_all"} == set(STRATEGIES)  # fmt: skip
