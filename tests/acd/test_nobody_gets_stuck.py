"""No wish outlives its limit, and no hour of the year stops the desk."""

from dataclasses import replace
from datetime import datetime, time
from itertools import count
from zoneinfo import ZoneInfo

from changgu.acd.agent_words import AgentState
from changgu.acd.events import CallArrived, CallbackAsked, DeadlinePassed
from changgu.acd.identity import AgentId, CallbackId, CallId, QueueName
from changgu.acd.queues import CallbackRules, Queue, Relaxation, Rules
from changgu.acd.queues import Floor as Plan
from tests.support.floor import HELPDESK, Floor, an_agent, seconds


def test_the_hour_that_comes_twice_does_not_stop_the_desk() -> None:
    """Cairo, 29 October 2026: at 24:00 it is 23:00 again, and calling back ends at 23:30."""
    cairo = ZoneInfo("Africa/Cairo")
    second = datetime(2026, 10, 29, 23, 10, fold=1, tzinfo=cairo).timestamp()
    rules = CallbackRules(opens=time(9), closes=time(23, 30))
    floor = Floor(
        "alice", queues=[Queue(HELPDESK, "helpdesk", callbacks=rules)], now=second, rules=Rules(zone="Africa/Cairo")
    )
    floor.tell(CallbackAsked(CallbackId("cb1"), "01011112222", QueueName(HELPDESK)))
    turns, desk = count(), floor.engine._callbacks
    due = desk.due

    def counted(*what: object) -> None:
        assert next(turns) < 100, "one DeadlinePassed goes round for ever"
        due(*what)  # type: ignore[arg-type]

    desk.due = counted  # type: ignore[method-assign,assignment]
    floor.engine.handle(DeadlinePassed(), floor.now)


def test_a_shorter_wait_for_one_agent_is_a_wait_that_ends() -> None:
    queue = Queue(HELPDESK, "helpdesk", relaxations=(Relaxation(seconds(30), frozenset({"english"})),))
    alice, bob = an_agent("alice"), an_agent("bob")
    floor = Floor(alice, bob, queues=[queue], rules=Rules(named_agent_wait=seconds(60)))
    floor.ready("alice")
    floor.call("c0")
    floor.talk("alice")
    floor.ready("bob")
    floor.dial("c1")
    floor.tell(CallArrived(CallId("c1"), QueueName(HELPDESK), agent=AgentId("alice")))
    floor.wait(40)
    floor.plan = Plan(floor.plan.queues, floor.plan.agents, replace(floor.plan.rules, named_agent_wait=seconds(20)))
    floor.configure(alice, bob)
    floor.wait(1)
    assert floor.agent("bob").state is AgentState.RESERVED, "free beside a caller who waits for alice"


def test_nobody_waits_for_an_agent_who_could_not_take_them() -> None:
    queue = Queue(HELPDESK, "helpdesk", strategy="last_agent", last_agent_wait=seconds(120))
    floor = Floor(
        an_agent("alice"), an_agent("carol", "billing"), queues=[queue, Queue(QueueName("billing"), "billing")]
    )
    floor.ready("alice", "carol")
    floor.dial("c1")
    floor.tell(CallArrived(CallId("c1"), QueueName(HELPDESK), last_agent=AgentId("carol")))
    assert floor.agent("alice").state is AgentState.RESERVED


def test_what_a_reload_does_to_a_wish_is_found_again_in_the_ledger() -> None:
    alice, bob = an_agent("alice"), an_agent("bob")
    floor = Floor(alice, bob)
    floor.ready("alice")
    floor.call("c0")
    floor.talk("alice")
    floor.dial("c1")
    floor.tell(CallArrived(CallId("c1"), QueueName(HELPDESK), agent=AgentId("alice")))
    floor.configure(bob)  # Watch: state lived = state rebuilt
