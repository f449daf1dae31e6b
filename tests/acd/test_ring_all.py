"""Everybody rings, one wins, and to the others there was never a call."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from changgu.acd.agent_state import AgentState
from changgu.acd.commands import ConnectCall, HangUpAgent, RingAgent, StopRinging
from changgu.acd.engine import Effect
from changgu.acd.events import (
    AgentAnswered,
    AgentForced,
    CallArrived,
    CallbackAsked,
    CallerHungUp,
    KeyPressed,
    PersonReached,
    RingFailed,
)
from changgu.acd.facts import (
    CallAnswered,
    CallOffered,
    CallWidened,
    Choice,
    Departure,
    NewsIgnored,
    OfferEnd,
    OfferEnded,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.queues import (
    Agent,
    CallbackRules,
    Destination,
    First,
    Overflow,
    Queue,
    Relaxation,
    Rules,
    Seat,
    Way,
)
from tests.acd.test_callbacks import MORNING
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent, seconds

C1 = CallId("c1")


def everybody(*agents: str | Agent, ring_limit: float = 20, misses: int = 3) -> Floor:
    floor = Floor(*agents, queues=[a_queue(strategy="ring_all", ring_limit=ring_limit, misses=misses)])
    for agent in agents:
        floor.ready(agent if isinstance(agent, str) else agent.login)
        floor.wait(1)
    return floor


def of_level(level: int, login: str) -> Agent:
    return Agent(AgentId(login), login.title(), frozenset({HELPDESK}), seats={HELPDESK: Seat(level=level)})


def rung(effects: list[Effect]) -> list[str]:
    return [effect.agent for effect in effects if isinstance(effect, RingAgent)]


def test_everybody_free_rings_the_longest_idle_first_in_the_list() -> None:
    floor = everybody("carol", "alice", "bob")
    effects = floor.call("c1")

    assert rung(effects) == ["carol", "alice", "bob"]
    assert {effect.choice for effect in effects if isinstance(effect, CallOffered)} == {Choice.EVERYBODY}
    assert len({agent for agent, _ in floor.the_call("c1").ringing}) == 3


def test_two_agents_answer_and_one_of_them_gets_the_call() -> None:
    """Row 6: two agents answer and both get ACKed."""
    floor = everybody("alice", "bob")
    floor.call("c1")
    alice, bob = OfferId(1), OfferId(2)

    won = floor.tell(AgentAnswered(AgentId("bob"), C1, bob))
    late = floor.tell(AgentAnswered(AgentId("alice"), C1, alice))

    assert won[:2] == [
        OfferEnded(C1, AgentId("alice"), alice, OfferEnd.ANSWERED_ELSEWHERE),
        CallAnswered(C1, AgentId("bob"), bob, HELPDESK),
    ]
    join, stop = ConnectCall(AgentId("bob"), C1, bob), StopRinging(AgentId("alice"), C1, alice, elsewhere=True)
    assert won.index(join) < won.index(stop), "the caller is joined before the others' phones are told to stop"
    assert late[0] == HangUpAgent(AgentId("alice"), C1, alice)
    assert isinstance(late[1], NewsIgnored)
    assert floor.agent("alice").state == "ready"


def test_whoever_was_not_first_keeps_their_turn_and_has_missed_nothing() -> None:
    floor = everybody("alice", "bob")
    since = floor.agent("alice").idle_since
    floor.wait(5)
    floor.call("c1")
    floor.wait(5)
    floor.answer("bob")

    assert floor.agent("alice").idle_since == since
    assert floor.agent("alice").misses == 0


def test_an_agent_who_picks_up_and_drops_does_not_ring_the_whole_group_again_and_again() -> None:
    """Row 5: one agent answers and drops; the caller keeps their place, and who dropped it rings last."""
    floor = everybody("alice", "bob")
    floor.call("c1")
    floor.answer("alice")

    effects = floor.agent_hangs_up("alice")

    assert rung(effects) == ["bob"]
    assert floor.agent("alice").misses == 1


def test_one_who_declines_leaves_the_others_ringing() -> None:
    floor = everybody("alice", "bob")
    floor.call("c1")

    assert rung(floor.decline("alice")) == []
    assert floor.the_call("c1").ringing == ((AgentId("bob"), OfferId(2)),)


def test_somebody_who_comes_free_rings_along() -> None:
    floor = everybody("alice", "bob")
    floor.not_ready("bob")
    floor.call("c1")

    assert rung(floor.ready("bob")) == ["bob"]


def test_all_who_come_free_at_the_same_instant_ring_along() -> None:
    floor = everybody("alice", "bob", "carol", ring_limit=60)
    for call, agent in (("c1", "alice"), ("c2", "bob"), ("c3", "carol")):
        floor.call(call)
        floor.talk(agent)
    for agent in ("alice", "bob", "carol"):
        floor.agent_hangs_up(agent)
    floor.ready("alice")
    assert rung(floor.call("c4")) == ["alice"]

    assert rung(floor.wait(30)) == ["bob", "carol"]  # both wrap-ups end at once
    assert floor.agent("bob").since == floor.agent("carol").since == floor.now


def test_a_second_caller_is_served_before_somebody_rings_along() -> None:
    floor = everybody("alice", "bob")
    floor.not_ready("bob")
    floor.call("c1")
    floor.call("c2")

    (offer,) = [effect for effect in floor.ready("bob") if isinstance(effect, CallOffered)]
    assert offer.call == "c2"


def test_when_nobody_answers_everybody_rings_again_until_they_are_away() -> None:
    floor = everybody("alice", "bob", misses=2)
    floor.call("c1")

    assert rung(floor.wait(20)) == ["alice", "bob"]
    floor.wait(20)
    assert [floor.agent(name).state for name in ("alice", "bob")] == ["not_ready", "not_ready"]
    assert floor.waiting() == ["c1"]


def test_a_caller_who_gives_up_silences_every_phone() -> None:
    floor = everybody("alice", "bob", "carol")
    floor.call("c1")
    effects = floor.tell(CallerHungUp(C1))

    assert len([effect for effect in effects if isinstance(effect, StopRinging)]) == 3
    assert not any(effect.elsewhere for effect in effects if isinstance(effect, StopRinging))


def test_only_the_lowest_level_rings_while_anybody_of_it_is_free() -> None:
    expert = Agent(AgentId("zoe"), "Zoe", frozenset({HELPDESK}), seats={HELPDESK: Seat(level=2)})
    floor = everybody("alice", an_agent("bob"), expert)

    assert rung(floor.call("c1")) == ["alice", "bob"]
    assert rung(floor.call("c2")) == ["zoe"]


def test_somebody_of_a_higher_level_does_not_ring_along_while_the_lowest_rings() -> None:
    zoe = Agent(AgentId("zoe"), "Zoe", frozenset({HELPDESK}), seats={HELPDESK: Seat(level=2)})
    floor = everybody("alice", zoe)
    floor.not_ready("zoe")
    assert rung(floor.call("c1")) == ["alice"]

    assert rung(floor.ready("zoe")) == []
    assert rung(floor.configure(*floor.plan.agents)) == [], "nor does a reload make her phone ring"
    assert rung(floor.decline("alice")) == ["zoe"]


def test_somebody_of_a_lower_level_rings_along_with_those_who_helped_out() -> None:
    zoe = Agent(AgentId("zoe"), "Zoe", frozenset({HELPDESK}), seats={HELPDESK: Seat(level=2)})
    floor = everybody("alice", zoe)
    floor.not_ready("alice")
    assert rung(floor.call("c1")) == ["zoe"]

    assert rung(floor.ready("alice")) == ["alice"]


def kept_out(*agents: str | Agent) -> Floor:
    """Zoe of the second level rings, alice of the first rings along, and nobody else of a higher level may."""
    floor = everybody(of_level(2, "zoe"), "alice", *agents)
    for login in ("alice", *(agent if isinstance(agent, str) else agent.login for agent in agents)):
        floor.not_ready(login)
    assert rung(floor.call("c1")) == ["zoe"]
    assert rung(floor.ready("alice")) == ["alice"]
    return floor


@pytest.mark.parametrize(
    "silences",
    [
        lambda floor: floor.decline("alice"),
        lambda floor: floor.agent_hangs_up("alice"),
        lambda floor: floor.phone_gone("alice"),
        lambda floor: floor.tell(AgentForced(AgentId("alice"), AgentState.LOGGED_OUT, "boss")),
    ],
)
def test_who_was_kept_out_rings_along_as_soon_as_the_lower_level_rings_no_more(
    silences: Callable[[Floor], list[Effect]],
) -> None:
    floor = kept_out(of_level(2, "yves"), of_level(2, "xena"))
    assert rung(floor.ready("yves", "xena")) == []

    assert rung(silences(floor)) == ["xena", "yves"]
    assert {agent for agent, _ in floor.the_call("c1").ringing} == {"zoe", "yves", "xena"}


def test_the_longest_idle_of_those_who_were_kept_out_comes_first() -> None:
    floor = kept_out(of_level(2, "yves"), of_level(2, "xena"))
    floor.ready("xena")
    floor.wait(1)
    floor.ready("yves")

    effects = floor.decline("alice")
    assert rung(effects) == ["xena", "yves"]
    assert {effect.choice for effect in effects if isinstance(effect, CallOffered)} == {Choice.EVERYBODY}


def test_of_those_who_were_kept_out_only_the_lowest_level_rings_along() -> None:
    floor = kept_out(of_level(3, "wanda"), of_level(2, "yves"), of_level(1, "bob"))
    floor.ready("wanda", "yves", "bob")

    assert rung(floor.decline("alice")) == [], "bob of the first level still rings"
    assert rung(floor.decline("bob")) == ["yves"]
    assert rung(floor.decline("zoe")) == [], "yves rings"
    assert rung(floor.decline("yves")) == ["wanda"]


@pytest.mark.parametrize("logins", [("yves", "bob"), ("bob", "yves")])
def test_of_those_who_come_free_at_the_same_instant_only_the_lowest_level_rings_along(logins: tuple[str, str]) -> None:
    """Whoever is seen first: both wrap-ups end at once."""
    floor = everybody(of_level(2, "zoe"), of_level(2, "yves"), of_level(1, "bob"), ring_limit=60)
    floor.not_ready("zoe")
    for call in ("c1", "c2"):
        floor.call(call)
    for login in ("bob", "yves"):
        floor.talk(login)
    for login in logins:
        floor.agent_hangs_up(login)
    floor.ready("zoe")
    assert rung(floor.call("c3")) == ["zoe"]

    assert rung(floor.wait(30)) == ["bob"]
    assert rung(floor.decline("bob")) == ["yves"]


@pytest.mark.parametrize("level", [1, 2])
def test_of_those_to_whom_a_reload_gives_the_queue_only_the_lowest_level_rings_along(level: int) -> None:
    """Whoever is seen first: of bob and zed one is of the second level, as alice is, who rings."""
    elsewhere = an_agent("bob", "network"), an_agent("zed", "network")
    floor = Floor(of_level(2, "alice"), *elsewhere, queues=[a_queue(strategy="ring_all"), a_queue("network")])
    floor.ready("alice", "bob", "zed")
    assert rung(floor.call("c1")) == ["alice"]

    given = floor.configure(of_level(2, "alice"), of_level(level, "bob"), of_level(3 - level, "zed"))
    assert rung(given) == ["bob" if level == 1 else "zed"]


def test_all_who_come_free_at_the_same_instant_ring_along_for_the_caller_with_the_better_place() -> None:
    floor = everybody("alice", "bob", "carol", "dan", ring_limit=60)
    floor.not_ready("carol")
    floor.not_ready("dan")
    floor.call("c1")
    floor.talk("alice")
    floor.call("c2")
    floor.talk("bob")
    floor.agent_hangs_up("alice")
    floor.agent_hangs_up("bob")
    floor.call("c3")
    floor.ready("carol")
    floor.call("c4", priority=1)
    floor.ready("dan")
    assert [agent for call in ("c3", "c4") for agent, _ in floor.the_call(call).ringing] == ["carol", "dan"]

    assert everybody_joined(floor.wait(30)) == [("c4", "alice"), ("c4", "bob")]


def test_whoever_let_the_call_ring_already_is_not_let_in_again() -> None:
    floor = kept_out(of_level(2, "yves"))
    floor.decline("zoe")
    assert rung(floor.ready("yves")) == []
    floor.wait(1)
    assert rung(floor.configure(of_level(2, "zoe"), an_agent("alice"), of_level(1, "yves"))) == ["yves"]

    assert rung(floor.decline("alice")) == []
    assert floor.the_call("c1").ringing[0][0] == "yves"


def test_nobody_is_let_in_to_a_caller_who_has_been_answered_or_is_gone() -> None:
    floor = kept_out(of_level(2, "yves"))
    floor.ready("yves")
    assert rung(floor.talk("alice")) == []
    floor.agent_hangs_up("alice")

    floor = kept_out(of_level(2, "yves"))
    floor.ready("yves")
    assert rung(floor.caller_hangs_up("c1")) == []


def test_who_let_the_call_ring_and_rings_again_keeps_nobody_of_a_higher_level_out() -> None:
    floor = everybody("alice", of_level(2, "zoe"))
    floor.not_ready("zoe")
    floor.call("c1")
    assert rung(floor.decline("alice")) == ["alice"], "there is nobody else"

    assert rung(floor.ready("zoe")) == ["zoe"]


def test_nobody_is_let_in_any_more_once_a_reload_lets_phones_ring_one_by_one() -> None:
    floor = kept_out(of_level(2, "yves"))
    floor.ready("yves")
    assert rung(floor.configure(*floor.plan.agents, queues=[a_queue(strategy="longest_idle")])) == []

    assert rung(floor.decline("alice")) == []
    assert rung(floor.decline("zoe")) == ["yves"]


def opened_by_keys(strategy: str) -> Floor:
    """Key 1 opens the queue to bob, who rings at once, and key 2 to dan."""
    keys = {"1": Destination(Way.OPEN, "network"), "2": Destination(Way.OPEN, "servers")}
    queues = [replace(a_queue(strategy=strategy), keys=keys), a_queue("network"), a_queue("servers")]
    floor = Floor("alice", an_agent("bob", "network"), an_agent("dan", "servers"), queues=queues)
    floor.ready("bob", "dan")
    floor.call("c1")
    assert rung(floor.tell(KeyPressed(C1, "1"))) == ["bob"]
    return floor


def test_whose_queue_the_caller_opens_while_phones_ring_rings_along() -> None:
    floor = opened_by_keys("ring_all")

    assert rung(floor.tell(KeyPressed(C1, "2"))) == ["dan"]
    assert rung(floor.ready("alice")) == ["alice"]


def test_whose_queue_the_caller_opens_waits_while_phones_of_their_own_queue_ring() -> None:
    floor = opened_by_keys("ring_all")
    floor.ready("alice")

    assert rung(floor.tell(KeyPressed(C1, "2"))) == []
    assert rung(floor.decline("alice")) == ["dan"]


def test_where_one_rings_at_a_time_nobody_else_does_because_a_queue_is_opened() -> None:
    floor = opened_by_keys("longest_idle")

    assert rung(floor.tell(KeyPressed(C1, "2"))) == []
    assert rung(floor.decline("bob")) == ["dan"]


def test_one_agent_is_enough_for_a_call_back_also_when_a_reload_lets_others_take_it() -> None:
    """Nobody is on the line yet: the person would be dialled once for each of them."""
    drops = {skill: Relaxation(seconds(10), drop=frozenset({skill})) for skill in ("mail", "vpn")}
    queue = replace(a_queue(strategy="ring_all"), relaxations=(drops["mail"],))
    floor = Floor(an_agent("alice", skills=["vpn"]), "bob", queues=[queue], now=MORNING)
    floor.tell(CallbackAsked(CallbackId("cb1"), "01011112222", HELPDESK, skills=frozenset({"vpn"})))
    floor.wait(10)
    assert rung(floor.ready("alice", "bob")) == ["alice"]

    assert rung(floor.configure(*floor.plan.agents, queues=[replace(queue, relaxations=(drops["vpn"],))])) == []
    assert rung(floor.decline("alice")) == ["bob"]


def dialled_first(*agents: str | Agent) -> Floor:
    """The first of them is offered a call-back whose person is dialled before any phone rings."""
    queue = replace(a_queue(strategy="ring_all"), callbacks=CallbackRules(first=First.CALLER))
    floor = Floor(*agents, queues=[queue], now=MORNING)
    for agent in agents:
        floor.ready(agent if isinstance(agent, str) else agent.login)
        floor.wait(1)
    floor.tell(CallbackAsked(CallbackId("cb1"), "01011112222", HELPDESK))
    return floor


def test_everybody_rings_as_soon_as_the_person_who_is_called_back_has_picked_up() -> None:
    floor = dialled_first("alice", "bob", of_level(2, "zoe"))
    floor.not_ready("bob")
    assert rung(floor.ready("bob")) == [], "nobody is on the line yet"

    assert rung(floor.tell(PersonReached(CallId("cb1-1")))) == ["alice", "bob"]
    read, declined = floor.restored(), RingFailed(AgentId("bob"), CallId("cb1-1"), OfferId(2), "declined")
    assert read.picture() == floor.engine.picture()
    assert read.handle(declined, floor.now) == floor.engine.handle(declined, floor.now)


def test_their_phones_ring_equally_long_also_when_a_reload_comes_meanwhile() -> None:
    """Alice has been on the call since its person was dialled; her phone has rung only since they picked up."""
    floor = dialled_first("alice", "bob")
    floor.wait(15)
    floor.tell(PersonReached(CallId("cb1-1")))
    floor.configure(*floor.plan.agents)

    floor.wait(19)
    assert {agent for agent, _ in floor.the_call("cb1-1").ringing} == {"alice", "bob"}
    assert {one.agent for one in floor.wait(1) if isinstance(one, OfferEnded)} == {"alice", "bob"}


def test_a_floor_read_from_its_ledger_goes_on_alike_while_phones_ring_on_for_somebody() -> None:
    queues = [a_queue(strategy="ring_all"), a_queue("network")]
    floor = Floor("alice", "bob", an_agent("carol", "network"), queues=queues)
    floor.ready("alice", "bob", "carol")
    floor.call("c1")
    assert rung(floor.decline("alice")) == []
    floor.call("c2", "network")
    floor.decline("carol")
    floor.talk("carol")
    floor.caller_hangs_up("c2")

    read = floor.restored()
    assert read.picture() == floor.engine.picture()
    (bob,) = floor.the_call("c1").ringing
    declined = RingFailed(bob[0], C1, bob[1], "declined")
    assert read.handle(declined, floor.now) == floor.engine.handle(declined, floor.now)


# More agents may take a caller for whom phones ring already


PC = QueueName("pc")
OPEN_PC = Destination(Way.OPEN, PC)


def ring_all(**settings: object) -> Queue:
    return Queue(HELPDESK, "helpdesk", strategy="ring_all", ring_limit=seconds(60), **settings)  # type: ignore[arg-type]


def all_ready(queue: Queue, *agents: Agent) -> Floor:
    floor = Floor(*agents, queues=[queue, a_queue("pc")], rules=Rules(named_agent_wait=seconds(10)))
    floor.ready(*(agent.login for agent in agents))
    return floor


def everybody_joined(effects: list[Effect]) -> list[tuple[str, str]]:
    return [(one.call, one.agent) for one in effects if isinstance(one, CallOffered) and one.choice is Choice.EVERYBODY]


ALICE, BOB, ZOE = an_agent("alice", skills={"vpn"}), an_agent("bob"), an_agent("zoe", "pc")


def test_who_may_take_a_caller_after_a_step_rings_along_at_the_step() -> None:
    floor = all_ready(ring_all(relaxations=(Relaxation(seconds(5), frozenset({"vpn"})),)), ALICE, BOB)
    assert rung(floor.call("c1", skills={"vpn"})) == ["alice"]

    assert rung(floor.wait(4)) == []
    assert everybody_joined(floor.wait(1)) == [("c1", "bob")]
    assert {agent for agent, _ in floor.the_call("c1").ringing} == {"alice", "bob"}
    assert floor.restored().picture() == floor.engine.picture()


def test_whose_seat_takes_only_callers_who_have_waited_rings_along_as_soon_as_they_have() -> None:
    late = Agent(AgentId("late"), "Late", frozenset({HELPDESK}), seats={HELPDESK: Seat(delay=seconds(5))})
    floor = all_ready(ring_all(), ALICE, late)
    assert rung(floor.call("c1")) == ["alice"]

    assert rung(floor.wait(4)) == []
    assert rung(floor.wait(1)) == ["late"]


def test_steps_that_come_one_after_the_other_while_phones_ring_are_all_taken() -> None:
    two = Agent(AgentId("two"), "Two", frozenset({HELPDESK}), seats={HELPDESK: Seat(delay=seconds(5))})
    three = Agent(AgentId("three"), "Three", frozenset({HELPDESK}), seats={HELPDESK: Seat(delay=seconds(9))})
    floor = all_ready(ring_all(), ALICE, two, three)
    floor.call("c1")

    assert rung(floor.wait(8)) == ["two"]
    assert rung(floor.wait(1)) == ["three"]


def test_whoever_may_take_a_caller_after_a_key_rings_along_at_once() -> None:
    """Whom a queue was opened to comes after all who serve it, but not after those who let the call ring."""
    floor = all_ready(ring_all(keys={"5": OPEN_PC}), ALICE, ZOE)
    floor.call("c1")
    assert rung(floor.decline("alice")) == ["alice"], "there is nobody else"

    assert rung(floor.tell(KeyPressed(C1, "5"))) == ["zoe"]


def test_whom_a_key_opens_the_call_to_does_not_ring_along_before_one_who_serves_the_queue_has_let_it_ring() -> None:
    floor = all_ready(ring_all(keys={"5": OPEN_PC}), ALICE, ZOE)
    floor.call("c1")

    assert rung(floor.tell(KeyPressed(C1, "5"))) == []
    assert rung(floor.decline("alice")) == ["zoe"]


def test_whoever_may_take_a_caller_by_a_rule_for_overload_rings_along_at_once() -> None:
    floor = all_ready(ring_all(overflows=(Overflow(Departure.FULL, OPEN_PC, 1),)), ALICE, ZOE)
    floor.call("c1")
    assert rung(floor.decline("alice")) == ["alice"]

    assert everybody_joined(floor.call("c2", skills={"vpn"})) == [("c1", "zoe")], "zoe cannot do what c2 needs"


def test_a_caller_whose_named_agent_rings_is_everybodys_as_soon_as_the_wait_for_that_one_is_over() -> None:
    floor = all_ready(ring_all(), ALICE, BOB)
    floor.dial("c1")
    assert rung(floor.tell(CallArrived(C1, HELPDESK, agent=AgentId("alice")))) == ["alice"]

    assert rung(floor.wait(9)) == []
    assert rung(floor.wait(1)) == ["bob"]


def test_a_caller_whose_named_agent_rings_is_everybodys_as_soon_as_a_reload_takes_that_one_off_the_queue() -> None:
    floor = all_ready(ring_all(), ALICE, BOB)
    floor.dial("c1")
    floor.tell(CallArrived(C1, HELPDESK, agent=AgentId("alice")))

    assert rung(floor.configure(an_agent("alice", "pc"), BOB)) == ["bob"]


def test_where_one_phone_rings_at_a_time_nobody_else_rings_when_a_step_comes_meanwhile() -> None:
    step = Relaxation(seconds(5), frozenset({"vpn"}))
    floor = all_ready(Queue(HELPDESK, "helpdesk", ring_limit=seconds(60), relaxations=(step,)), ALICE, BOB)
    assert rung(floor.call("c1", skills={"vpn"})) == ["alice"]

    assert [one for one in floor.wait(10) if isinstance(one, CallWidened)] == []
    assert floor.agent("bob").state is AgentState.READY


def test_who_is_taken_off_the_queue_while_their_phone_rings_keeps_nobody_out() -> None:
    """Zoe's queue was opened to the caller, and its second level is hers."""
    zoe = Agent(AgentId("zoe"), "Zoe", frozenset({PC}), seats={PC: Seat(level=2)})
    floor = all_ready(ring_all(keys={"5": OPEN_PC}), ALICE, zoe)
    floor.call("c1")
    assert rung(floor.tell(KeyPressed(C1, "5"))) == []

    assert rung(floor.configure(an_agent("alice", "network"), zoe)) == ["zoe"]
