"""A supervisor in an outage: one click brings helpers and other limits, another exactly the ordinary floor again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.call_state import CallState
from changgu.acd.commands import RingAgent
from changgu.acd.emergency import EmergencyPlan, FloorPlans, PreparedNotice
from changgu.acd.engine import Effect, Engine
from changgu.acd.facts import CallEnded, Departure, Emergency, Fact, FloorTakenUp, Recorded
from changgu.acd.floor_json import floor_digest
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Destination, Overflow, Seat, Way
from changgu.acd.queues import Floor as FloorPlan
from changgu.acd.replay import Replayer
from changgu.acd.routing import RoutingReport, inspect_routing
from changgu.acd.routing_emergency import LONGEST_SENTENCE
from changgu.ivr_flows.publishing import notices
from tests.acd.recorded_day import FLOOR, RecordedDay
from tests.acd.test_routing_reload import AGENTS, PC, QUEUES, STEPS, RoutedFloor, take

NETWORK, HELPDESK = QueueName("network"), QueueName("helpdesk")

ORDINARY = """\
[queue.network]
wrap_up = "30s"
overflow = [{ when = "waited", limit = "10m", to = "queue:helpdesk" }]
[agent.alice]
seats = { network = { level = 3 } }
"""

OUTAGE = """\
[emergency.outage]
title = "전산망 장애"
instructions = "네트워크 상담을 함께 받습니다."
lasts = "2h"
helpers = [
    { agents = ["carol"], queues = ["network"] },
    { serving = ["pc"], skills = ["english"], queues = ["network", "helpdesk"], level = 4, delay = "20s" },
]
notice = { ko = "전산망 장애를 복구하고 있습니다.", en = "We are working on it.", places = ["desk", "queue:network"] }
[emergency.outage.rules]
priority_worth = "1m"
[emergency.outage.queue.network]
wrap_up = "5s"
overflow = [{ when = "estimate", limit = "10m", to = "callback" }]
[emergency.outage.agent.dave]
wrap_up = 0
"""


def report(text: str, language: str | None = "ko") -> RoutingReport:
    return inspect_routing("routing.toml", text, FloorPlan(QUEUES, AGENTS), menu_nodes={"services"}, language=language)


def plans(text: str) -> FloorPlans:
    found = report(text)
    assert found.plans is not None, str(found)
    return found.plans


def outage(text: str = ORDINARY + OUTAGE) -> EmergencyPlan:
    return plans(text).emergencies["outage"]


# What a plan says


def test_a_plan_lies_over_the_ordinary_rules_and_leaves_them_alone() -> None:
    both, plan = plans(ORDINARY + OUTAGE), outage()
    assert both.ordinary == plans(ORDINARY).ordinary
    assert (plan.title, plan.instructions) == ("전산망 장애", "네트워크 상담을 함께 받습니다.")
    assert plan.lasts == timedelta(hours=2)
    assert plan.notice == PreparedNotice(
        {"ko": "전산망 장애를 복구하고 있습니다.", "en": "We are working on it."}, ("desk", "queue:network")
    )
    network = plan.floor.queues[0]
    assert network.wrap_up == timedelta(seconds=5)
    assert network.overflows == (Overflow(Departure.ESTIMATE, Destination(Way.CALLBACK), 600.0),)
    assert plan.floor.rules.priority_worth == timedelta(minutes=1)
    assert plan.floor.queues[1:] == both.ordinary.queues[1:]


def test_helpers_are_named_or_found_by_skill_and_by_whom_they_serve() -> None:
    alice, bob, carol, dave = outage().floor.agents
    ordinary = plans(ORDINARY).ordinary.agents
    assert (alice, bob) == (ordinary[0], ordinary[1])  # alice serves network already and keeps her seat
    assert carol.queues == {NETWORK, HELPDESK}
    assert carol.seats == {NETWORK: Seat(level=2)}
    assert dave.queues == {NETWORK, PC, HELPDESK}
    assert dave.seats == {NETWORK: Seat(level=4, delay=timedelta(seconds=20))}
    assert dave.wrap_up == timedelta(0)


def test_a_plan_is_for_the_compiled_engine_what_the_ordinary_floor_is() -> None:
    """It takes a frozenset and nothing like it: with a set, the plan was refused in the moment it was turned on."""
    ordinary, outage = (plans(ORDINARY + OUTAGE).floor(name) for name in (None, "outage"))
    assert outage.agents != ordinary.agents
    for agent in (*ordinary.agents, *outage.agents):
        assert type(agent.queues) is frozenset, agent


def test_one_plan_knows_nothing_of_another() -> None:
    both = plans(ORDINARY + OUTAGE + '[emergency.virus.queue.pc]\npriority = 5\n')
    assert both.emergencies["virus"].floor == plans(
        ORDINARY + '[queue.pc]\npriority = 5\n'
    ).ordinary
    assert both.floor(None) == both.ordinary
    assert both.floor("outage") == outage().floor


def test_every_mistake_in_a_plan_is_named_with_its_line() -> None:
    found = report(
        ORDINARY + "[emergency.outage]\n"
        'titel = "장애"\n'
        "lasts = 10\n"
        "helpers = [\n"
        '    { agents = ["carlo"], queues = ["netwrok"] },\n'
        '    { queues = ["network"] },\n'
        '    { skills = ["vpn:9"] },\n'
        "]\n"
        'notice = { en = "Sorry", Korean = "x", places = ["everywhere", "queue:vpn", "service:service"] }\n'
        "[emergency.outage.queue.network]\n"
        'overflow = [{ when = "full", limit = 1, to = "queue:network" }]\n'
        "[emergency.outage.queue.pc]\n"
        'overflow = [{ when = "full", limit = 1, to = "queue:helpdesk" }]\n'
        "[emergency.outage.queue.helpdesk]\n"
        'overflow = [{ when = "full", limit = 1, to = "queue:pc" }]\n'
    )
    assert found.floor is None
    assert [(error.line, error.column, error.en.partition(";")[0].partition(":")[0]) for error in found.errors] == [
        (7, "emergency.outage.titel", "unknown key"),
        (8, "emergency.outage.lasts", "must be from 1m to 31d"),
        (10, "emergency.outage.helpers[1].queues[1]", 'there is no queue "netwrok"'),
        (10, "emergency.outage.helpers[1].agents[1]", 'there is no agent "carlo"'),
        (11, "emergency.outage.helpers[2]", "who helps is missing"),
        (12, "emergency.outage.helpers[3]", "queues (where they help) is missing"),
        (12, "emergency.outage.helpers[3].skills[1]", 'no agent has "vpn'),
        (14, "emergency.outage.notice.Korean", "is a language such as ko or en, or places"),
        (14, "emergency.outage.notice", "the sentence in the language of the desk (ko) is missing"),
        (14, "emergency.outage.notice.places[1]", "is desk, queue"),
        (14, "emergency.outage.notice.places[2]", 'there is no queue "vpn"'),
        (14, "emergency.outage.notice.places[3]", "is desk, queue"),
        (16, "emergency.outage.queue.network.overflow[1].to", "a queue cannot lead to itself"),
        (18, "emergency.outage.queue.pc.overflow[1]", "callers would go round in a circle"),
    ]


def test_what_a_plan_makes_of_the_rules_is_checked_as_the_rules_are() -> None:
    """Network leads to the helpdesk ordinarily; a plan that leads the helpdesk back to it closes the circle."""
    plan = '[emergency.outage.queue.helpdesk]\noverflow = [{ when = "full", limit = 9, to = "queue:network" }]\n'
    found = report(ORDINARY + plan)
    assert [error.line for error in found.errors] == [7]
    assert "helpdesk → network → helpdesk" in found.errors[0].ko or "network → helpdesk → network" in found.errors[0].ko


def test_a_plan_that_does_nothing_is_pointed_out_and_nothing_is_said_twice() -> None:
    assert [warning.en for warning in report("[emergency.calm]\ntitle = '평온'\n").warnings] == [
        "a plan that changes nothing"
    ]
    found = report('[emergency.outage]\nhelpers = [{ agents = ["alice"], queues = ["network"] }]\n')
    assert "this adds nobody to network" in [warning.en for warning in found.warnings]
    twice = report('[queue.network]\nstrategy = "loudest"\n' + OUTAGE)
    assert len(twice.errors) == 1


def test_the_longest_notice_is_the_longest_that_can_be_put_on_the_air() -> None:
    assert LONGEST_SENTENCE == notices.LONGEST_SENTENCE


# The floor while it is on


class Outage(RoutedFloor):
    """A floor with a plan for outages."""

    def __init__(self) -> None:
        super().__init__()
        self.reload(ORDINARY)
        self.plans = plans(ORDINARY + OUTAGE)

    def switch(self, name: str | None, by: str = "boss", why: str = "") -> list[Effect]:
        on = None if name is None else Emergency(name, self.plans.emergencies[name].title, by, why, self.now)
        self.plan = self.watch.floor = self.plans.floor(name)
        effects = self.engine.configure(self.plan, self.now, on, by, "" if name else why)
        self._keep(effects, None)
        return effects


def test_one_click_brings_helpers_to_who_waits_and_cuts_nobody_off() -> None:
    floor = Outage()
    floor.call("c1", "network")
    floor.talk("bob")
    floor.call("c2", "network")
    floor.talk("alice")
    floor.call("c3", "network")
    floor.call("c4", "network")
    floor.wait(5)
    assert [call.call for call in floor.engine.waiting(NETWORK)] == ["c3", "c4"]
    waited_since = floor.engine.waiting(NETWORK)[0].queued_at

    effects = floor.switch("outage", why="백본 장애")

    taken_up = effects[0]
    assert isinstance(taken_up, FloorTakenUp)
    assert taken_up.emergency == Emergency("outage", "전산망 장애", "boss", "백본 장애", floor.now)
    assert [(one.agent, one.call) for one in effects if isinstance(one, RingAgent)] == [("carol", "c3")]
    floor.wait(15)  # dave helps with those who have waited for 20 s
    assert floor.agent("dave").call == "c4"
    assert floor.engine.calls[CallId("c3")].queued_at == waited_since
    assert floor.agent("bob").state == floor.agent("alice").state == "talking"

    floor.talk("carol")
    floor.switch(None, why="복구됨")
    assert floor.agent("carol").state == "talking"  # what was begun is finished
    floor.talk("dave")
    floor.agent_hangs_up("carol")
    floor.wait(60)
    floor.call("c5", "network")
    assert [call.call for call in floor.engine.waiting(NETWORK)] == ["c5"]  # carol is free, and serves it no more
    assert floor.engine.calls[CallId("c5")].state is CallState.WAITING
    assert not any(isinstance(one.fact, CallEnded) and one.fact.call == "c5" for one in floor.history)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12), st.lists(STEPS, max_size=12))
def test_off_is_exactly_the_floor_before(before: list[tuple[str, str, tuple[str, ...]]],
                                         during: list[tuple[str, str, tuple[str, ...]]]) -> None:
    floor = Outage()
    for number, step in enumerate(before):
        take(floor, step, number)
    ordinary = floor_digest(floor.plan)
    floor.switch("outage")
    for number, step in enumerate(during, 100):
        take(floor, step, number)
    floor.switch(None)

    taken_up = [one.fact for one in floor.history if isinstance(one.fact, FloorTakenUp)]
    assert taken_up[-1] == FloorTakenUp(ordinary, None, "boss", "")
    others = [one for one in floor.history if not isinstance(one.fact, FloorTakenUp)]
    never = Engine.restore(floor.plans.ordinary, others)
    assert floor.engine.picture() == never.picture()  # as if only the ordinary floor had ever been
    floor.settled()
    assert set(floor.outcomes().values()) <= {1}


def test_on_and_off_in_one_moment_changes_nothing_for_anybody() -> None:
    floor = Outage()
    for number in range(6):
        floor.call(f"c{number}", "network")
    floor.not_ready("carol")
    floor.wait(3)
    before = floor.engine.picture()
    floor.switch("outage")
    floor.switch(None)
    assert floor.engine.picture() == before


# What the ledger says


@pytest.mark.parametrize("seed", range(4))
def test_a_day_with_an_emergency_is_replayed_to_the_byte_and_rebuilt(seed: int) -> None:
    day = RecordedDay(seed)
    helped = replace(FLOOR, agents=(*FLOOR.agents[:2], replace(FLOOR.agents[2], queues=FLOOR.agents[3].queues),
                                    FLOOR.agents[3]))
    day.go_on(150)
    day.reload(helped, Emergency("outage", "장애", "boss", "백본", day.now, day.now + 600), "boss")
    day.go_on(150)
    day.reload(FLOOR, None, "boss", "복구")
    day.go_on(100)

    replayer = Replayer(Engine(FLOOR), day.floors.get)
    replayer.feed(day.recorded)
    assert replayer.finish() is None
    assert replayer.facts == len(day.recorded)
    switches = [entry.fact for entry in day.recorded if isinstance(entry.fact, FloorTakenUp)][1:]
    assert [(one.by, one.why) for one in switches] == [("boss", ""), ("boss", "복구")]
    assert [one.emergency is not None for one in switches] == [True, False]

    forged = [
        Recorded(one.seq, one.at, replace_by(one.fact), one.because) if one.fact == switches[0] else one
        for one in day.recorded
    ]
    again = Replayer(Engine(FLOOR), day.floors.get)
    again.feed(forged)
    again.finish()
    assert again.difference is not None
    assert again.difference.fields() == ("by",)


def replace_by(fact: Fact) -> Fact:
    assert isinstance(fact, FloorTakenUp)
    return FloorTakenUp(fact.digest, fact.emergency, "somebody else", fact.why)


def test_a_plan_with_the_same_floor_is_written_down_all_the_same() -> None:
    """A plan may have only a notice, or instructions."""
    engine = Engine(FLOOR)
    engine.configure(FLOOR, 1.0)
    on = Emergency("notice", "안내만", "boss", "", 2.0)
    assert engine.configure(FLOOR, 2.0, on, "boss") == [FloorTakenUp(floor_digest(FLOOR), on, "boss")]
    assert engine.configure(FLOOR, 3.0, on) == []
    assert engine.configure(FLOOR, 4.0, None, "boss", "끝") == [FloorTakenUp(floor_digest(FLOOR), None, "boss", "끝")]
    assert AgentId("alice") in engine.agents
