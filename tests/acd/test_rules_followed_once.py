"""A caller follows each overflow rule once in their stay, whatever list it stands in when their time comes (WL-05)."""

from dataclasses import replace

import pytest

from changgu.acd.engine import Effect, Engine
from changgu.acd.events import CallArrived
from changgu.acd.fact_json import from_text
from changgu.acd.facts import CallOverflowed, Departure, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Destination, Overflow, Way
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent

C1 = CallId("c1")
PC = QueueName("pc")
OPEN_AT_10 = Overflow(Departure.WAITED, Destination(Way.OPEN, "network"), 10)
NEWS_AT_20 = Overflow(Departure.WAITED, Destination(Way.MENU, "news"), 20)
NEWS_AT_60 = Overflow(Departure.WAITED, Destination(Way.MENU, "news"), 60)
VOICEMAIL_AT_40 = Overflow(Departure.WAITED, Destination(Way.VOICEMAIL), 40)
PC_IS_FULL = Overflow(Departure.FULL, Destination(Way.MENU, "news"), 1)


class Desk(Floor):
    """One queue whose list of rules is replaced while callers wait, and two beside it."""

    def __init__(self, *rules: Overflow) -> None:
        queues = (replace(a_queue(), overflows=rules), a_queue("network"), a_queue("pc"))
        super().__init__(an_agent("alice"), an_agent("bob", "network"), queues=queues)

    def lists(self, *rules: Overflow, queue: QueueName = HELPDESK) -> list[Effect]:
        """A plan is set or taken back, or the file is read again."""
        queues = [replace(one, overflows=rules) if one.name == queue else one for one in self.plan.queues]
        return self.configure(*self.plan.agents, queues=queues)

    def comes_back(self, queue: QueueName = HELPDESK) -> list[Effect]:
        return self.tell(CallArrived(C1, queue))

    def restarts(self) -> None:
        """Goes on with what the ledger knows."""
        rebuilt = self.restored()
        assert rebuilt.picture() == self.engine.picture()
        self.engine = self.watch.engine = rebuilt


def ways(effects: list[Effect]) -> list[tuple[str, float | None]]:
    return [(one.to, one.limit) for one in effects if isinstance(one, CallOverflowed)]


@pytest.mark.parametrize("restart", [False, True])
def test_no_rule_of_a_plan_is_skipped_because_another_stood_in_its_place(restart: bool) -> None:
    floor = Desk(OPEN_AT_10, VOICEMAIL_AT_40)
    floor.call(C1)
    assert ways(floor.wait(10)) == [("open:network", 10.0)]
    floor.lists(NEWS_AT_20)  # the plan is on; its rule stands where the one that was followed stood
    if restart:
        floor.restarts()
    assert ways(floor.wait(10)) == [("menu:news", 20.0)]
    floor.comes_back()
    floor.lists(OPEN_AT_10, VOICEMAIL_AT_40)  # the plan is taken back
    if restart:
        floor.restarts()
    assert ways(floor.wait(20)) == [("voicemail", 40.0)]


@pytest.mark.parametrize("restart", [False, True])
def test_a_rule_that_a_plan_moves_along_is_not_followed_again(restart: bool) -> None:
    floor = Desk(NEWS_AT_20)
    floor.call(C1)
    assert ways(floor.wait(20)) == [("menu:news", 20.0)]
    floor.comes_back()
    floor.lists(OPEN_AT_10, NEWS_AT_20)  # the plan puts another rule before it
    if restart:
        floor.restarts()
    assert ways(floor.wait(5)) == [("open:network", 10.0)]
    floor.lists(NEWS_AT_20)
    if restart:
        floor.restarts()
    assert ways(floor.wait(300)) == []
    assert floor.waiting() == ["c1"]


def test_the_same_way_out_after_a_longer_wait_is_another_rule() -> None:
    floor = Desk(NEWS_AT_20, NEWS_AT_60)
    floor.call(C1)
    floor.wait(20)
    floor.comes_back()
    floor.lists(NEWS_AT_60)
    assert ways(floor.wait(40)) == [("menu:news", 60.0)]
    floor.comes_back()
    floor.lists(NEWS_AT_20, NEWS_AT_60)
    assert ways(floor.wait(300)) == []


@pytest.mark.parametrize("restart", [False, True])
def test_who_is_led_away_at_the_door_of_the_next_queue_begins_a_new_stay_there(restart: bool) -> None:
    """They bring along neither the rules that they followed before nor the agents to whom they were opened."""
    floor = Desk(OPEN_AT_10, NEWS_AT_20, Overflow(Departure.WAITED, Destination(Way.QUEUE, "pc"), 60))
    floor.lists(PC_IS_FULL, queue=PC)
    floor.call(C1)
    floor.wait(20)
    floor.comes_back()
    floor.call("c2", PC)
    assert ways(floor.wait(40)) == [("queue:pc", 60.0), ("menu:news", 1.0)]
    floor.comes_back(PC)
    floor.ready("bob")
    assert floor.waiting(PC) == ["c1", "c2"], "network's agents were to help in another queue, not in this one"
    floor.caller_hangs_up("c2")
    floor.lists(PC_IS_FULL, NEWS_AT_20, queue=PC)
    if restart:
        floor.restarts()
    assert ways(floor.wait(20)) == [("menu:news", 20.0)]


def test_of_rules_that_a_plan_brings_too_late_the_one_that_was_due_first_is_followed_first() -> None:
    floor = Desk()
    floor.call(C1)
    floor.wait(60)
    floor.lists(VOICEMAIL_AT_40, NEWS_AT_20)
    assert ways(floor.wait(0)) == [("menu:news", 20.0)]
    floor.comes_back()
    assert ways(floor.wait(0)) == [("voicemail", 40.0)]


def test_a_ledger_that_did_not_say_by_which_limit_sends_nobody_twice() -> None:
    floor = Desk(OPEN_AT_10, NEWS_AT_20, VOICEMAIL_AT_40)
    floor.call(C1)
    floor.wait(20)
    floor.comes_back()
    old = from_text(
        "CallOverflowed",
        '{"call":"c1","queue":"helpdesk","why":"waited","to":"menu:news","key":null,"rule":1}',
    )
    lived = [one for one in floor.history if ways([one.fact]) == [("menu:news", 20.0)]]
    assert len(lived) == 1
    history = [Recorded(one.seq, one.at, old) if one == lived[0] else one for one in floor.history]
    floor.engine = floor.watch.engine = Engine.restore(floor.plan, history)
    assert ways(floor.wait(300)) == [("voicemail", 40.0)]
