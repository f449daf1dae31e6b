"""Skills with levels, needs that relax, seats with levels and delays, and who goes first (CTI-01, CTI-10)."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from changgu.acd.agent_words import AgentState
from changgu.acd.commands import RingAgent
from changgu.acd.engine import Effect
from changgu.acd.events import AgentForced, CallArrived
from changgu.acd.facts import CallEnded, CallOffered, CallQueued, CallWidened, Choice
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Agent, Queue, Relaxation, Rules, Seat
from changgu.acd.skills import NoSuchLevel, levels, mastery, relaxed, suffices, written
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent, seconds

NETWORK = QueueName("network")
PC = QueueName("pc")
BUSAN = frozenset({QueueName("busan")})


def rung(effects: list[Effect]) -> list[str]:
    return [effect.agent for effect in effects if isinstance(effect, RingAgent)]


def seated(login: str, **seat: float) -> Agent:
    where = Seat(int(seat.get("level", 1)), seconds(seat.get("delay", 0)), int(seat.get("weight", 1)))
    return Agent(AgentId(login), login, frozenset({HELPDESK}), seats={HELPDESK: where})


# Words


def test_a_skill_without_a_level_is_known_at_level_one() -> None:
    assert levels({"vpn", "english:7"}) == {"vpn": 1, "english": 7}
    assert written({"vpn": 1, "english": 7}) == {"vpn", "english:7"}


@pytest.mark.parametrize("text", ["vpn:0", "vpn:11", "vpn:x", "", "a b", "vpn:"])
def test_a_level_outside_one_to_ten_is_refused(text: str) -> None:
    with pytest.raises(NoSuchLevel):
        levels({text})


def test_of_a_skill_named_twice_the_higher_level_counts() -> None:
    assert levels(["vpn:2", "vpn:5", "vpn"]) == {"vpn": 5}


def test_needs_are_met_by_as_much_or_more() -> None:
    assert suffices({"vpn": 3}, {"vpn": 3})
    assert not suffices({"vpn": 2}, {"vpn": 3})
    assert not suffices({}, {"vpn": 1})
    assert suffices({}, {})


def test_mastery_is_what_the_caller_needs_or_everything() -> None:
    assert mastery({"vpn": 3, "english": 9}, {"vpn": 1}) == 3
    assert mastery({"vpn": 3, "english": 9}, {}) == 12


def test_steps_of_relaxation_add_up() -> None:
    steps = [Relaxation(seconds(10), lower=2), Relaxation(seconds(20), drop=frozenset({"english"}))]
    needs = frozenset({"vpn:5", "english"})
    assert relaxed(needs, steps[:1]) == {"vpn:3", "english"}
    assert relaxed(needs, steps) == {"vpn:3"}
    assert relaxed(needs, [Relaxation(seconds(0), lower=9)]) == {"vpn", "english"}
    assert relaxed(needs, [Relaxation(seconds(0), drop=frozenset({"*"}))]) == frozenset()


# The floor


def test_only_somebody_skilled_enough_is_offered_the_call() -> None:
    floor = Floor(an_agent("alice", skills={"vpn:2"}), an_agent("bob", skills={"vpn:6"}))
    floor.ready("alice", "bob")

    assert rung(floor.call("c1", skills={"vpn:5"})) == ["bob"]
    assert rung(floor.call("c2", skills={"vpn:5"})) == []


def test_what_a_caller_needs_relaxes_in_steps() -> None:
    queue = Queue(
        HELPDESK, "helpdesk",
        relaxations=(Relaxation(seconds(30), lower=3), Relaxation(seconds(60), drop=frozenset({"vpn"}))),
    )  # fmt: skip
    floor = Floor(an_agent("alice", skills={"vpn:2"}), an_agent("bob"), queues=[queue])
    floor.ready("bob")
    floor.call("c1", skills={"vpn:5"})

    assert floor.wait(29) == []
    assert floor.wait(1)[0] == CallWidened(CallId("c1"), 30.0, frozenset({"vpn:2"}))
    assert rung(floor.wait(29)) == []
    assert rung(floor.wait(1)) == ["bob"]


def test_a_step_is_taken_in_the_place_the_caller_had() -> None:
    queue = Queue(HELPDESK, "helpdesk", relaxations=(Relaxation(seconds(30), drop=frozenset({"*"})),))
    floor = Floor(an_agent("alice"), queues=[queue])
    floor.call("c1", skills={"vpn"})
    floor.wait(20)
    floor.call("c2")
    floor.wait(20)

    (offer,) = [effect for effect in floor.ready("alice") if isinstance(effect, CallOffered)]
    assert offer.call == "c1"


def test_other_regions_see_a_call_only_once_the_queue_is_opened_to_them() -> None:
    """MOD-03: region A's agents see only A's calls until overload opens them."""
    seoul = Queue(
        QueueName("seoul"), "서울", relaxations=(Relaxation(seconds(40), open=frozenset({QueueName("busan")})),)
    )
    busan = Queue(QueueName("busan"), "부산")
    floor = Floor(an_agent("kim", "seoul"), an_agent("lee", "busan"), queues=[seoul, busan])
    floor.ready("lee")

    assert rung(floor.call("c1", "seoul")) == []
    assert rung(floor.wait(39)) == []
    assert rung(floor.wait(1)) == ["lee"]
    assert floor.the_call("c1").opened == {"busan"}


def test_agents_of_the_queue_ring_before_those_it_was_opened_to() -> None:
    seoul = Queue(
        QueueName("seoul"), "서울", relaxations=(Relaxation(seconds(0), open=frozenset({QueueName("busan")})),)
    )
    floor = Floor(an_agent("kim", "seoul"), an_agent("lee", "busan"), queues=[seoul, Queue(QueueName("busan"), "부산")])
    floor.ready("lee")
    floor.wait(60)
    floor.ready("kim")

    assert rung(floor.call("c1", "seoul")) == ["kim"]
    assert rung(floor.call("c2", "seoul")) == ["lee"]


def test_lower_levels_ring_first_whatever_the_strategy() -> None:
    floor = Floor(seated("alice", level=2), seated("bob", level=1))
    floor.ready("alice")
    floor.wait(100)
    floor.ready("bob")

    assert rung(floor.call("c1")) == ["bob"]
    assert rung(floor.call("c2")) == ["alice"]


def test_a_seat_with_a_delay_is_offered_only_who_has_waited_that_long() -> None:
    floor = Floor(seated("expert", delay=25), "alice")
    floor.ready("expert")

    assert rung(floor.call("c1")) == []
    assert rung(floor.wait(24.5)) == []
    assert rung(floor.wait(0.5)) == ["expert"]


def test_a_delay_of_one_second_is_a_delay() -> None:
    floor = Floor(seated("expert", delay=1))
    floor.ready("expert")

    assert rung(floor.call("c1")) == []
    assert rung(floor.wait(1)) == ["expert"]


def arrives(floor: Floor, call: str, caller: str | None = None, **wish: object) -> list[Effect]:
    floor.dial(call, caller)
    return floor.tell(CallArrived(CallId(call), HELPDESK, **wish))  # type: ignore[arg-type]


def test_a_caller_who_wants_one_agent_waits_for_them_for_a_while() -> None:
    floor = Floor("alice", "bob", rules=Rules(named_agent_wait=seconds(40)))
    floor.ready("alice", "bob")
    floor.call("c1")
    assert floor.agent("alice").call == "c1"

    assert rung(arrives(floor, "c2", agent=AgentId("alice"))) == []
    floor.talk("alice")
    assert rung(floor.wait(39)) == []
    assert rung(floor.wait(1)) == ["bob"]


def test_nobody_waits_on_for_an_agent_who_signs_out() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    floor.call("c1")
    floor.talk("alice")
    arrives(floor, "c2", agent=AgentId("alice"))
    arrives(floor, "c3", agent=AgentId("alice"))

    floor.sign_out("alice")
    assert floor.waiting() == ["c2", "c3"], "she signs out after the call: until then they wait for her"
    floor.agent_hangs_up("alice")
    effects = floor.wait(30)  # her wrap-up is over
    assert floor.agent("alice").state == "logged_out"
    assert [(fact.call, fact.anybody) for fact in effects if isinstance(fact, CallWidened)] == [
        ("c2", True),
        ("c3", True),
    ]
    assert [(one.call, one.agent, one.choice) for one in effects if isinstance(one, CallOffered)] == [
        ("c2", "bob", Choice.TURN)
    ]
    assert floor.the_call("c3").wants is None


def test_who_waits_for_an_agent_who_is_sent_home_while_their_phone_rings_is_anybodys() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    arrives(floor, "c1", agent=AgentId("alice"))
    assert floor.agent("alice").call == "c1"

    assert rung(floor.tell(AgentForced(AgentId("alice"), AgentState.LOGGED_OUT, "boss"))) == ["bob"]


def test_who_waits_for_an_agent_who_is_taken_off_the_list_is_anybodys() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    floor.not_ready("alice")
    assert rung(arrives(floor, "c1", agent=AgentId("alice"))) == []

    assert rung(floor.configure(an_agent("bob"))) == ["bob"]


def named_agent_is_busy(*agents: Agent) -> Floor:
    """c1 needs vpn and waits for alice, who talks with c0; everybody else is free."""
    floor = Floor(an_agent("alice", HELPDESK, "pc", skills={"vpn"}), *agents, queues=[a_queue(), a_queue("pc")])
    floor.ready("alice")
    floor.call("c0")
    floor.talk("alice")
    for agent in agents:
        floor.ready(agent.login)
    assert rung(arrives(floor, "c1", skills=frozenset({"vpn"}), agent=AgentId("alice"))) == []
    return floor


BOB = an_agent("bob", skills={"vpn"})


@pytest.mark.parametrize(
    "alice", [an_agent("alice", "pc", skills={"vpn"}), an_agent("alice", skills={"english"})],
    ids=["is taken off the queue", "has lost the skill"],
)  # fmt: skip
def test_who_waits_for_an_agent_whom_a_reload_no_longer_lets_serve_them_is_anybodys(alice: Agent) -> None:
    floor = named_agent_is_busy(BOB)

    effects = floor.configure(alice, BOB)
    assert floor.agent("alice").state == "talking", "she stays signed in"
    assert [(fact.call, fact.anybody) for fact in effects if isinstance(fact, CallWidened)] == [("c1", True)]
    assert rung(effects) == ["bob"]
    assert floor.restored().picture() == floor.engine.picture()


def test_who_is_taken_off_the_list_and_finishes_a_call_keeps_nobody_waiting_meanwhile() -> None:
    floor = named_agent_is_busy(BOB)

    assert rung(floor.configure(BOB)) == ["bob"]
    assert floor.agent("alice").state == "talking"


def test_a_reload_that_leaves_the_named_agent_their_queue_ends_no_wait() -> None:
    floor = named_agent_is_busy(BOB)

    assert rung(floor.configure(an_agent("alice", HELPDESK, skills={"vpn", "english"}), BOB)) == []
    assert floor.the_call("c1").wants == "alice"


def test_who_waits_for_an_agent_of_a_queue_that_has_been_opened_to_them_waits_on_when_a_reload_takes_the_other_away(
) -> None:
    opening = Queue(HELPDESK, "helpdesk", relaxations=(Relaxation(seconds(5), frozenset(), 0, frozenset({PC})),))
    floor = named_agent_is_busy(BOB)
    floor.configure(*floor.plan.agents, queues=[opening, a_queue("pc")])
    floor.wait(5)
    assert floor.the_call("c1").opened == {"pc"}

    assert rung(floor.configure(an_agent("alice", "pc", skills={"vpn"}), BOB)) == []
    floor.caller_hangs_up("c0")
    assert rung(floor.ready("alice")) == ["alice"]


def test_the_phone_of_a_named_agent_whom_a_reload_takes_off_the_queue_rings_on_and_then_it_is_anybodys() -> None:
    floor = Floor("alice", "bob", queues=[a_queue(), a_queue("pc")])
    floor.ready("alice", "bob")
    assert rung(arrives(floor, "c1", agent=AgentId("alice"))) == ["alice"]

    assert rung(floor.configure(an_agent("alice", "pc"), an_agent("bob"))) == []
    assert rung(floor.decline("alice")) == ["bob"]


def test_who_could_not_be_joined_with_a_named_agent_whom_a_reload_took_off_the_queue_is_anybodys() -> None:
    floor = Floor("alice", "bob", queues=[a_queue(), a_queue("pc")])
    floor.ready("alice", "bob")
    arrives(floor, "c1", agent=AgentId("alice"))
    floor.answer("alice")
    floor.configure(an_agent("alice", "pc"), an_agent("bob"))

    assert rung(floor.wait(15)) == ["bob"]  # they could not be joined


def test_nobody_waits_on_for_the_agent_they_know_when_that_one_signs_out() -> None:
    queue = Queue(HELPDESK, "helpdesk", strategy="last_agent", last_agent_wait=seconds(15))
    floor = Floor("alice", "bob", queues=[queue])
    floor.ready("alice", "bob")
    floor.not_ready("alice")
    assert rung(arrives(floor, "c1", last_agent=AgentId("alice"))) == []

    assert rung(floor.sign_out("alice")) == ["bob"]


def test_a_break_of_the_wanted_agent_ends_no_wait() -> None:
    floor = Floor("alice", "bob", rules=Rules(named_agent_wait=seconds(40)))
    floor.ready("alice", "bob")
    floor.not_ready("alice")
    assert rung(arrives(floor, "c1", agent=AgentId("alice"))) == []
    floor.wait(30)

    assert rung(floor.ready("alice")) == ["alice"]


def test_steps_that_were_to_come_still_come_after_the_wanted_agent_has_signed_out() -> None:
    floor = Floor("alice", seated("expert", delay=20))
    floor.ready("alice", "expert")
    floor.not_ready("alice")
    assert rung(arrives(floor, "c1", agent=AgentId("alice"))) == []
    floor.wait(5)

    assert rung(floor.sign_out("alice")) == [], "the expert only helps after 20 s"
    assert rung(floor.wait(14)) == []
    assert rung(floor.wait(1)) == ["expert"]


def test_the_wanted_agent_rings_and_it_is_said_why() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    (offer,) = [one for one in arrives(floor, "c1", agent=AgentId("bob")) if isinstance(one, CallOffered)]

    assert (offer.agent, offer.choice) == ("bob", Choice.NAMED)


def test_a_step_that_asks_less_of_the_agent_ends_no_wait_for_one_who_is_here() -> None:
    queue = Queue(HELPDESK, "helpdesk", relaxations=(Relaxation(seconds(10), drop=frozenset({"vpn"})),))
    alice = an_agent("alice", skills={"vpn"})
    floor = Floor(alice, "bob", queues=[queue], rules=Rules(named_agent_wait=seconds(40)))
    floor.ready("alice", "bob")
    floor.not_ready("alice")
    assert rung(arrives(floor, "c1", skills=frozenset({"vpn"}), agent=AgentId("alice"))) == []

    assert rung(floor.wait(39)) == []
    assert rung(floor.wait(1)) == ["bob"]


def test_a_wish_for_somebody_who_is_not_here_costs_the_caller_nothing() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice")

    assert rung(arrives(floor, "c1", agent=AgentId("bob"))) == ["alice"]


def test_the_agent_the_caller_spoke_to_last_comes_first_if_they_are_free() -> None:
    floor = Floor("alice", "bob", queues=[a_queue(strategy="last_agent")])
    floor.ready("alice")
    floor.wait(50)
    floor.ready("bob")

    (offer,) = [one for one in arrives(floor, "c1", last_agent=AgentId("bob")) if isinstance(one, CallOffered)]
    assert (offer.agent, offer.choice) == ("bob", Choice.LAST_AGENT)
    assert rung(arrives(floor, "c2", last_agent=AgentId("bob"))) == ["alice"]


def test_a_queue_may_let_callers_wait_for_the_agent_they_know() -> None:
    queue = Queue(HELPDESK, "helpdesk", strategy="last_agent", last_agent_wait=seconds(15))
    floor = Floor("alice", "bob", queues=[queue])
    floor.ready("alice", "bob")
    floor.call("c0")
    assert floor.agent("alice").call == "c0"

    assert rung(arrives(floor, "c1", last_agent=AgentId("alice"))) == []
    assert rung(floor.wait(15)) == ["bob"]


def test_where_nobody_is_to_wait_for_the_agent_they_know_nobody_does() -> None:
    floor = Floor("alice", "bob")
    floor.ready("alice", "bob")
    floor.call("c0")
    assert floor.agent("alice").call == "c0"

    effects = arrives(floor, "c1", last_agent=AgentId("alice"))
    assert rung(effects) == ["bob"]
    assert [fact.waits_for for fact in effects if isinstance(fact, CallQueued)] == [None]


# Priority


def queued(effects: list[Effect]) -> CallQueued:
    (fact,) = [effect for effect in effects if isinstance(effect, CallQueued)]
    return fact


def order_of_service(floor: Floor, *calls: str) -> list[str]:
    served = []
    for _ in calls:
        call = floor.agent("alice").call
        assert call is not None
        served.append(str(call))
        floor.talk("alice")
        floor.caller_hangs_up(call)
        floor.ready("alice")
    return served


def test_priority_is_a_head_start_and_nobody_starves() -> None:
    """The bound: nobody is overtaken by a caller who came later than the difference in priority is worth."""
    floor = Floor("alice", rules=Rules(priority_worth=timedelta(minutes=5)))
    floor.call("plain")
    floor.wait(299)
    floor.call("vip in time", priority=1)
    floor.wait(2)
    floor.call("vip too late", priority=1)
    floor.ready("alice")

    assert order_of_service(floor, "1", "2", "3") == ["vip in time", "plain", "vip too late"]


def test_the_priority_of_the_queue_counts_as_that_of_its_callers() -> None:
    urgent = Queue(NETWORK, "network", priority=2)
    floor = Floor(an_agent("alice", "network", HELPDESK), queues=[urgent, a_queue()])
    floor.call("c1")
    floor.wait(60)
    floor.call("c2", "network")
    floor.ready("alice")

    assert floor.agent("alice").call == "c2"


def test_who_gave_up_and_calls_again_is_served_sooner() -> None:
    floor = Floor("alice", rules=Rules(repeat_within=timedelta(minutes=10)))
    arrives(floor, "first", "0212345678")
    floor.caller_hangs_up("first")
    floor.wait(30)
    arrives(floor, "other", "0298765432")
    floor.wait(30)
    again = queued(arrives(floor, "again", "0212345678"))
    floor.ready("alice")

    assert (again.priority, again.grounds) == (1, frozenset({"repeat_caller"}))
    assert floor.agent("alice").call == "again"


def test_long_after_giving_up_a_caller_is_like_any_other() -> None:
    floor = Floor("alice", rules=Rules(repeat_within=timedelta(minutes=10)))
    arrives(floor, "first", "0212345678")
    floor.caller_hangs_up("first")
    floor.wait(601)

    assert queued(arrives(floor, "again", "0212345678")).priority == 0


@pytest.mark.parametrize("length", [1, 600])
def test_who_calls_again_at_the_last_instant_is_still_served_sooner(length: float) -> None:
    floor = Floor("alice", rules=Rules(repeat_within=seconds(length)))
    arrives(floor, "first", "0212345678")
    floor.caller_hangs_up("first")
    floor.wait(length)

    assert queued(arrives(floor, "again", "0212345678")).priority == 1


def test_where_calling_again_counts_for_nothing_not_even_the_same_instant_does() -> None:
    floor = Floor("alice", rules=Rules(repeat_within=timedelta(0)))
    arrives(floor, "first", "0212345678")
    floor.caller_hangs_up("first")

    assert queued(arrives(floor, "again", "0212345678")).priority == 0


def test_who_withholds_their_number_is_nobodys_repeat_caller() -> None:
    floor = Floor("alice")
    arrives(floor, "first", None)
    floor.caller_hangs_up("first")

    assert queued(arrives(floor, "again", None)).priority == 0


def test_why_a_caller_has_priority_is_kept() -> None:
    floor = Floor("alice")
    fact = queued(arrives(floor, "c1", priority=2, grounds=frozenset({"vip"})))

    assert fact.grounds == {"vip"}


def test_waiting_times_survive_a_stay_in_the_plain_queues() -> None:
    """Callers who waited elsewhere while we were away keep place and waiting time."""
    floor = Floor("alice")
    floor.wait(300)
    arrives(floor, "here since now")
    arrives(floor, "came back", since=floor.now - 200)
    floor.ready("alice")

    assert floor.agent("alice").call == "came back"
    assert floor.the_call("came back").queued_at == floor.now - 200


def test_strategies_have_what_they_rank_by() -> None:
    stories: Mapping[str, str] = {"fewest_calls": "bob", "least_talk_time": "bob", "longest_idle": "alice"}
    for strategy, first in stories.items():
        floor = Floor("alice", "bob", queues=[a_queue(strategy=strategy, wrap_up=0)])
        floor.ready("alice")
        floor.call("c1")
        floor.talk("alice")
        floor.wait(100)
        floor.caller_hangs_up("c1")
        floor.wait(10)
        floor.ready("bob")

        assert floor.agent("alice").handled == 1
        assert floor.agent("alice").talked == 100
        assert rung(floor.call("c2")) == [first]


def test_a_call_that_was_let_ring_goes_to_the_next_whatever_the_strategy() -> None:
    for strategy in ("linear", "fewest_calls", "most_skilled", "top_down", "random", "round_robin"):
        floor = Floor("alice", "bob", queues=[a_queue(strategy=strategy)])
        floor.ready("alice", "bob")
        (first,) = rung(floor.call("c1"))
        (second,) = rung(floor.wait(20))
        assert first != second, strategy


def test_the_first_of_the_list_always_rings_first() -> None:
    floor = Floor("bob", "alice", queues=[a_queue(strategy="linear", wrap_up=0)])
    floor.ready("alice")
    floor.wait(9)
    floor.ready("bob")

    assert rung(floor.call("c1")) == ["bob"]


def test_the_most_skilled_rings_first() -> None:
    agents = [
        an_agent("alice", skills={"vpn:3"}),
        an_agent("bob", skills={"vpn:9"}),
        an_agent("carol", skills={"vpn:4"}),
    ]
    floor = Floor(*agents, queues=[a_queue(strategy="most_skilled")])
    floor.ready("alice", "bob", "carol")

    assert [rung(floor.call(call, skills={"vpn"})) for call in ("c1", "c2", "c3")] == [["bob"], ["carol"], ["alice"]]


def test_round_robin_goes_on_after_whoever_rang_last() -> None:
    floor = Floor("alice", "bob", "carol", queues=[a_queue(strategy="round_robin", wrap_up=0)])
    floor.ready("carol", "bob", "alice")
    order = []
    for number in range(6):
        (agent,) = rung(floor.call(f"c{number}"))
        order.append(agent)
        floor.talk(agent)
        floor.caller_hangs_up(f"c{number}")

    assert order == ["alice", "bob", "carol", "alice", "bob", "carol"]


@pytest.mark.parametrize(("strategy", "shares"), [("random", (1, 1, 1)), ("weighted_random", (1, 2, 5))])
def test_chance_gives_everybody_their_share(strategy: str, shares: tuple[int, ...]) -> None:
    agents = [seated(name, weight=share) for name, share in zip(("alice", "bob", "carol"), shares, strict=True)]
    floor = Floor(*agents, queues=[a_queue(strategy=strategy, wrap_up=0)])
    floor.ready("alice", "bob", "carol")
    counts = dict.fromkeys(("alice", "bob", "carol"), 0)
    for number in range(1500):
        (agent,) = rung(floor.call(f"c{number}", skills=()))
        counts[agent] += 1
        floor.talk(agent)
        floor.caller_hangs_up(f"c{number}")

    for (_, count), share in zip(counts.items(), shares, strict=True):
        assert abs(count / 1500 - share / sum(shares)) < 0.05
    assert not any(isinstance(effect, CallEnded) for effect in floor.call("last"))


def test_a_queue_taken_off_the_list_still_serves_its_callers_after_the_delay_of_a_seat() -> None:
    floor = Floor(seated("expert", delay=25), queues=[a_queue(), a_queue("pc")])
    floor.ready("expert")
    floor.call("c1")
    floor.configure(seated("expert", delay=25), queues=[a_queue("pc")])

    assert rung(floor.wait(25)) == ["expert"]
