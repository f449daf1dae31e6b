"""Routing rules as a file: whole or not at all, and every mistake where it was made."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.acd import routing, routing_emergency, routing_queues
from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import (
    Agent,
    Announcements,
    CallbackRules,
    Destination,
    First,
    Floor,
    Overflow,
    Queue,
    Relaxation,
    Rules,
    Seat,
    Way,
)
from changgu.acd.routing import RoutingErrors, RoutingReport, decoded, example, inspect_routing, read_routing
from changgu.acd.routing_values import length_of, written
from changgu.acd.strategies import STRATEGIES

DOCS = Path(__file__).parents[2] / "docs"
NETWORK, HELPDESK, PC = QueueName("network"), QueueName("helpdesk"), QueueName("pc")


def agent(login: str, *queues: QueueName, skills: tuple[str, ...] = ()) -> Agent:
    return Agent(AgentId(login), login, frozenset(queues), frozenset(skills))


FLOOR = Floor(
    (Queue(HELPDESK, "헬프데스크", "1001"), Queue(NETWORK, "네트워크", "1002"), Queue(PC, "PC", "1003")),
    (
        agent("alice", NETWORK, HELPDESK, skills=("vpn:7", "english")),
        agent("bob", NETWORK, PC, skills=("vpn",)),
        agent("carol", HELPDESK),
    ),
)
NODES = frozenset({"services", "operator", "sorry", "goodbye"})
PROMPTS = frozenset({"goodbye", "sorry"})


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def report(text: str, floor: Floor = FLOOR, straight_on: Mapping[str, str] | None = None) -> RoutingReport:
    return inspect_routing(
        "routing.toml", text, floor, menu_nodes=NODES, prompts=PROMPTS, straight_on=straight_on or {}
    )


def taken_up(text: str, floor: Floor = FLOOR) -> Floor:
    found = report(text, floor)
    assert found.floor is not None, str(found)
    return found.floor


def queue(text: str, name: str = "network") -> Queue:
    return next(one for one in taken_up(text).queues if one.name == name)


# What is read


def test_without_a_rule_the_floor_is_as_it_was() -> None:
    assert taken_up("") == FLOOR
    assert taken_up("\ufeff# nothing yet\n[queue.network]\n") == FLOOR


def test_rules_of_the_whole_floor() -> None:
    assert taken_up(
        '[rules]\npriority_worth = 90\nrepeat_within = "0s"\nrepeat_priority = 2\nnamed_agent_wait = "1m30s"\n'
        'longest_extension = "1h"\nconnect_limit = 2.5\ndesktop_grace = "30 s"\npromise_confidence = 0.9\n'
        'reason_limits = { break = "15m", meal = 3600 }\nzone = "Europe/Berlin"\n'
    ).rules == Rules(
        priority_worth=seconds(90), repeat_within=seconds(0), repeat_priority=2, named_agent_wait=seconds(90),
        longest_extension=seconds(3600), connect_limit=seconds(2.5), desktop_grace=seconds(30),
        reason_limits={"break": seconds(900), "meal": seconds(3600)}, promise_confidence=0.9, zone="Europe/Berlin",
    )  # fmt: skip


def test_a_queue_with_all_its_rules() -> None:
    assert queue(
        "[queue.network]\n"
        'strategy = "longest_idle"\npriority = -2\nring_limit = 15\nwrap_up = "1m"\nmisses_before_not_ready = 2\n'
        'service_level = "30s"\nshort_abandon = 4\n'
        'relax = [{ after = "30s", drop = ["english"], lower = 2, open = ["helpdesk"] },'
        '  { after = 60, drop = ["*"] }]\n'
        'overflow = [{ when = "full", limit = 30, to = "queue:helpdesk" }, { when = "unstaffed", to = "refuse" },\n'
        '  { when = "waited", limit = "5m", to = "announce:sorry" }, { when = "ratio", limit = 2.5, to = "open:pc" },\n'
        '  { when = "estimate", limit = "10m", to = "number:+82-2-2133-1234" },\n'
        '  { when = "deserted", limit = 0, to = "voicemail" }]\n'
        'keys = { "1" = "callback", "#" = "menu:services" }\n'
        'announce = { first_after = 0, every = "60s", position = true, estimate = true, comfort = ["잠시만요."] }\n'
        'callback = { first = "caller", advantage = "5m", attempts = 2, retry_after = "10m", ring_limit = "30s",'
        ' opens = "08:30", closes = 19:00:00 }\n'
    ) == replace(
        FLOOR.queues[1],
        priority=-2, ring_limit=seconds(15), wrap_up=seconds(60), misses_before_not_ready=2,
        service_level=seconds(30), short_abandon=seconds(4),
        relaxations=(
            Relaxation(seconds(30), frozenset({"english"}), 2, frozenset({HELPDESK})),
            Relaxation(seconds(60), frozenset({"*"})),
        ),
        overflows=(
            Overflow(Departure.FULL, Destination(Way.QUEUE, "helpdesk"), 30.0),
            Overflow(Departure.UNSTAFFED, Destination(Way.REFUSE)),
            Overflow(Departure.WAITED, Destination(Way.ANNOUNCE, "sorry"), 300.0),
            Overflow(Departure.RATIO, Destination(Way.OPEN, "pc"), 2.5),
            Overflow(Departure.ESTIMATE, Destination(Way.NUMBER, "+82221331234"), 600.0),
            Overflow(Departure.DESERTED, Destination(Way.VOICEMAIL), 0.0),
        ),
        keys={"1": Destination(Way.CALLBACK), "#": Destination(Way.MENU, "services")},
        announcements=Announcements(seconds(0), seconds(60), position=True, estimate=True, comfort=("잠시만요.",)),
        callbacks=CallbackRules(
            First.CALLER, seconds(300), 2, seconds(600), seconds(30), time(8, 30), time(19, 0)
        ),
    )  # fmt: skip


def test_an_agents_seats_and_wrap_up() -> None:
    alice, bob, _ = taken_up(
        '[agent.alice]\nwrap_up = "0s"\nseats = { network = { level = 2, delay = "20s" }, helpdesk = {} }\n'
    ).agents
    assert alice == replace(
        FLOOR.agents[0], wrap_up=seconds(0), seats={NETWORK: Seat(2, seconds(20)), HELPDESK: Seat()}
    )
    assert bob == FLOOR.agents[1]


def test_tables_may_be_written_in_lines_of_their_own() -> None:
    network = queue(
        '[[queue.network.relax]]\nafter = "10s"\nlower = 1\n[[queue.network.relax]]\nafter = "20s"\nlower = 1\n'
        '[queue.network.keys]\n1 = "voicemail"\n'
    )
    assert [step.after for step in network.relaxations] == [seconds(10), seconds(20)]
    assert network.keys == {"1": Destination(Way.VOICEMAIL)}


def test_announcements_without_a_first_time_begin_after_one_interval() -> None:
    assert queue('[queue.network]\nannounce = { every = "45s", position = true }').announcements == Announcements(
        seconds(45), seconds(45), position=True
    )


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_strategy_can_be_named(strategy: str) -> None:
    assert queue(f'[queue.network]\nstrategy = "{strategy}"').strategy == strategy


def test_rules_that_are_on_the_floor_already_are_kept_unless_the_file_says_otherwise() -> None:
    floor = taken_up('[queue.network]\noverflow = [{ when = "full", limit = 3, to = "voicemail" }]\npriority = 4')
    again = taken_up("[queue.network]\npriority = 5", floor)
    assert (again.queues[1].priority, again.queues[1].overflows) == (5, floor.queues[1].overflows)


def test_names_that_are_not_known_here_are_not_checked() -> None:
    floor = read_routing("r", '[queue.network]\nkeys = { 1 = "menu:some", 2 = "announce:any" }', FLOOR)
    assert len(floor.queues[1].keys) == 2


def test_the_shipped_example_has_no_mistake_and_no_oddity() -> None:
    found = report(example())
    assert str(found) == "routing.toml: ok"
    assert found.floor is not None
    assert found.floor.queues[1].strategy == "most_skilled"


def test_the_example_shows_every_key_of_the_language() -> None:
    for keys in (
        routing.TOP, routing.RULES, routing.AGENT, routing.SEAT, routing_queues.QUEUE, routing_queues.RELAX,
        routing_emergency.PLAN, routing_emergency.HELPERS, routing_queues.OVERFLOW, routing_queues.ANNOUNCE,
        routing_queues.CALLBACK, routing_queues.WHENS, [way.value for way in Way], STRATEGIES,
    ):  # fmt: skip
        assert [key for key in keys if key not in example()] == []


# What is refused


def test_every_mistake_is_named_at_once_and_nothing_is_read() -> None:
    with pytest.raises(RoutingErrors) as refused:
        read_routing(
            "DATA/routing.toml",
            "[rules]\npriority_worth = \"soon\"\n\n[queue.netwrok]\npriority = 1\n[queue.pc]\nstrategy = 'loudest'\n",
            FLOOR,
        )
    assert str(refused.value).splitlines() == [
        'DATA/routing.toml:2:rules.priority_worth: 초 단위 숫자나 "90s", "5m", "1h"처럼 씁니다: "soon" '
        '(a length of time is seconds as a number, or written like "90s", "5m", "1h": "soon")',
        'DATA/routing.toml:4:queue.netwrok: 없는 대기열입니다. "network"입니까? '
        "(there is no such queue; do you mean network?)",
        *[str(error) for error in refused.value.errors[2:]],
    ]
    assert (refused.value.errors[2].line, refused.value.errors[2].column) == (7, "queue.pc.strategy")
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("text", "line", "key", "en"),
    [
        # The file itself
        ("[queue.network\n", 1, "", "not TOML at column 15"),
        ("a = 1\n\nb = \n", 3, "", "not TOML"),
        ("[queue.network]\npriority = 1\npriority = 2", 3, "", "Cannot overwrite"),
        ("a = " + "9" * 5000, 1, "", "not TOML"),
        ("a = " + "[" * 5000, 1, "", "nested too deeply"),
        ("a = 2026-02-30", 1, "", "not TOML"),
        ("# " + "x" * 1_000_000, 1, "", "larger than"),
        ("queues = {}", 1, "queues", "do you mean queue?"),
        ("queue = 3", 1, "queue", "must be a table"),
        ("[queue]\npriority = 1", 2, "queue.priority", "must be a table"),
        # Names
        ("[queue.Network]", 1, "queue.Network", "do you mean network?"),
        ("[agent.alcie]\nwrap_up = 1", 1, "agent.alcie", "do you mean alice?"),
        ("[agent.alice]\nskills = ['vpn']", 2, "agent.alice.skills", "in the list of agents"),
        ("[queue.pc]\ntitle = 'PC'", 2, "queue.pc.title", "in the list of queues"),
        ("[queue.pc]\n\nstratgy = 'random'", 3, "queue.pc.stratgy", "do you mean strategy?"),
        ("[queue.pc]\nstrategy = 'longest'", 2, "queue.pc.strategy", "do you mean longest_idle?"),
        ("[queue.pc]\nstrategy = 3", 2, "queue.pc.strategy", "must be one of"),
        ("[agent.alice.seats]\nnetwrok = {}", 2, "agent.alice.seats.netwrok", "do you mean network?"),
        ("[agent.alice.seats]\npc = {}", 2, "agent.alice.seats.pc", "alice does not serve this queue"),
        ("[agent.alice.seats]\nnetwork = 2", 2, "agent.alice.seats.network", "must be a table"),
        ("[agent.alice.seats]\nnetwork = {penalty = 2}", 2, "agent.alice.seats.network.penalty", "unknown key; known"),
        ("[rules]\nreason_limits = {brake = 60}", 2, "rules.reason_limits.brake", "do you mean break?"),
        ("[rules]\nzone = 'Asia/Seol'", 2, "rules.zone", "must be a time zone"),
        ("[rules]\nzone = 'Asia'", 2, "rules.zone", "must be a time zone"),
        ("[rules]\nzone = 9", 2, "rules.zone", "must be a text"),
        # Values
        ("[rules]\npriority_worth = -5", 2, "rules.priority_worth", "a length of time is"),
        ("[rules]\npriority_worth = nan", 2, "rules.priority_worth", "a length of time is"),
        ("[rules]\npriority_worth = true", 2, "rules.priority_worth", "a length of time is"),
        ("[rules]\npriority_worth = '5'", 2, "rules.priority_worth", "a length of time is"),
        ("[rules]\npriority_worth = '999999999d9d'", 2, "rules.priority_worth", "a length of time is"),
        ("[rules]\npriority_worth = 0", 2, "rules.priority_worth", "must be from 1s to 1d"),
        ("[rules]\nrepeat_priority = 1.5", 2, "rules.repeat_priority", "a whole number from 0 to 100"),
        ("[rules]\npromise_confidence = 0.3", 2, "rules.promise_confidence", "from 0.5 to 0.99"),
        ("[rules]\npromise_confidence = 80", 2, "rules.promise_confidence", "above 0, 0.99 at most"),
        ("[queue.pc]\npriority = true", 2, "queue.pc.priority", "whole number from -100 to 100"),
        ("[queue.pc]\nring_limit = '2s'", 2, "queue.pc.ring_limit", "must be from 3s to 10m"),
        ("[agent.bob.seats]\npc = {level = 0}", 2, "agent.bob.seats.pc.level", "from 1 to 100"),
        ("[agent.bob.seats]\npc = {delay = '5h'}", 2, "agent.bob.seats.pc.delay", "from 0s to 4h"),
        ("[agent.bob.seats]\npc = {weight = 0}", 2, "agent.bob.seats.pc.weight", "from 1 to 1000"),
        # Steps
        ("[queue.pc]\nrelax = 'later'", 2, "queue.pc.relax", "must be a list"),
        ("[queue.pc]\nrelax = [1]", 2, "queue.pc.relax[1]", "must be a table"),
        ("[queue.pc]\nrelax = [{lower = 1}]", 2, "queue.pc.relax[1]", "after (the time waited) is missing"),
        ("[queue.pc]\nrelax = [{after = 5}]", 2, "queue.pc.relax[1]", "changes nothing"),
        ("[queue.pc]\nrelax = [\n{after = 5, lower = 11}]", 3, "queue.pc.relax[1].lower", "from 0 to 9"),
        ("[queue.pc]\nrelax = [{after = 5, drop = ['vnp']}]", 2, "queue.pc.relax[1].drop[1]", "do you mean vpn?"),
        ("[queue.pc]\nrelax = [{after = 5, drop = ['sap']}]", 2, "queue.pc.relax[1].drop[1]", 'no agent has "sap"'),
        ("[queue.pc]\nrelax = [{after = 5, drop = ['vpn:3']}]", 2, "queue.pc.relax[1].drop[1]", "without a level"),
        ("[queue.pc]\nrelax = [{after = 5, drop = [3]}]", 2, "queue.pc.relax[1].drop[1]", "must be a text"),
        ("[queue.pc]\nrelax = [{after = 5, open = ['pc']}]", 2, "queue.pc.relax[1].open[1]", "to itself"),
        ("[queue.pc]\nrelax = [{after = 5, open = ['x']}]", 2, "queue.pc.relax[1].open[1]", 'no queue "x"'),
        # Overflow
        ("[queue.pc]\noverflow = [{to = 'voicemail'}]", 2, "queue.pc.overflow[1]", "when is missing"),
        ("[queue.pc]\noverflow = [{when = 'full', limit = 3}]", 2, "queue.pc.overflow[1]", "to is missing"),
        ("[queue.pc]\noverflow = [{when = 'full', to = 'voicemail'}]", 2, "queue.pc.overflow[1]", "limit is missing"),
        ("[queue.pc]\noverflow = [{when = 'key', to = 'voicemail'}]", 2, "queue.pc.overflow[1].when", "one of"),
        (
            "[queue.pc]\noverflow = [{when = 'unstaffed', limit = 3, to = 'voicemail'}]", 2,
            "queue.pc.overflow[1].limit", "write deserted",
        ),
        (
            "[queue.pc]\noverflow = [{when = 'ratio', limit = 0, to = 'voicemail'}]", 2,
            "queue.pc.overflow[1].limit", "a number above 0",
        ),
        (
            "[queue.pc]\noverflow = [{when = 'full', limit = '3m', to = 'voicemail'}]", 2,
            "queue.pc.overflow[1].limit", "a whole number from 1",
        ),
        # Destinations
        ("[queue.pc]\nkeys = {1 = 'voicemial'}", 2, "queue.pc.keys.1", "do you mean voicemail?"),
        ("[queue.pc]\nkeys = {1 = 'voicemail:me'}", 2, "queue.pc.keys.1", 'is written "voicemail" alone'),
        ("[queue.pc]\nkeys = {1 = 'queue'}", 2, "queue.pc.keys.1", 'is written "queue:name"'),
        ("[queue.pc]\nkeys = {1 = 'queue:'}", 2, "queue.pc.keys.1", 'is written "queue:name"'),
        ("[queue.pc]\nkeys = {1 = 'queue:pc'}", 2, "queue.pc.keys.1", "to itself"),
        ("[queue.pc]\nkeys = {1 = 'open:pc'}", 2, "queue.pc.keys.1", "to itself"),
        ("[queue.pc]\nkeys = {1 = 'menu:service'}", 2, "queue.pc.keys.1", "do you mean services?"),
        ("[queue.pc]\nkeys = {1 = 'announce:hello'}", 2, "queue.pc.keys.1", 'no prompt "hello"'),
        ("[queue.pc]\nkeys = {1 = 'number:call me'}", 2, "queue.pc.keys.1", "2 to 15 digits"),
        ("[queue.pc]\nkeys = {1 = 'number:1002'}", 2, "queue.pc.keys.1", 'write "queue:network"'),
        ("[queue.pc]\nkeys = {12 = 'voicemail'}", 2, "queue.pc.keys.12", "a telephone has"),
        ("[queue.pc]\nkeys = {1 = 2}", 2, "queue.pc.keys.1", "must be a text"),
        # Announcements and call-backs
        ("[queue.pc]\nannounce = {position = true}", 2, "queue.pc.announce", "when is missing"),
        ("[queue.pc]\nannounce = {every = 60}", 2, "queue.pc.announce", "nothing to say"),
        ("[queue.pc]\nannounce = {every = 5, position = true}", 2, "queue.pc.announce.every", "from 10s to 1h"),
        ("[queue.pc]\nannounce = {every = 60, position = 1}", 2, "queue.pc.announce.position", "true or false"),
        ("[queue.pc]\nannounce = {every = 60, comfort = ['']}", 2, "queue.pc.announce.comfort[1]", "a sentence"),
        ("[queue.pc]\ncallback = {opens = '9'}", 2, "queue.pc.callback.opens", "a time of day"),
        ("[queue.pc]\ncallback = {opens = '18:00', closes = '09:00'}", 2, "queue.pc.callback.opens", "nobody could"),
        ("[queue.pc]\ncallback = {closes = '08:00'}", 2, "queue.pc.callback.closes", "nobody could"),
        ("[queue.pc]\ncallback = {first = 'both'}", 2, "queue.pc.callback.first", "one of agent, caller"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_was_made(text: str, line: int, key: str, en: str) -> None:
    found = report(text)
    assert found.floor is None
    assert any((error.line, error.column) == (line, key) and en in error.en and error.ko for error in found.errors), (
        str(found)
    )


def test_a_mistake_in_one_rule_does_not_hide_those_of_others() -> None:
    found = report(
        "[queue.pc]\n"
        "overflow = [\n"
        "  {when = 'ful', limit = 1, to = 'voicemail'},\n"
        "  {when = 'full', limit = 1, to = 'queue:network'},\n"
        "]\n"
        "[queue.network]\n"
        "overflow = [{when = 'full', limit = 1, to = 'queue:pc'}]\n"
    )
    assert [(error.line, error.column) for error in found.errors] == [
        (3, "queue.pc.overflow[1].when"), (4, "queue.pc.overflow[2]"),
    ]  # fmt: skip


# Contradictions


@pytest.mark.parametrize(
    ("rules", "mistaken"),
    [
        ([("full", 30, "queue:helpdesk"), ("full", 50, "voicemail")], [2]),
        ([("full", 50, "queue:helpdesk"), ("full", 30, "voicemail")], []),
        ([("full", 30, "open:helpdesk"), ("full", 50, "voicemail")], []),
        ([("full", 30, "open:helpdesk"), ("full", 50, "open:helpdesk")], [2]),
        ([("unstaffed", None, "voicemail"), ("unstaffed", None, "callback")], [2]),
        ([("unstaffed", None, "voicemail"), ("deserted", "1m", "callback")], []),
        ([("ratio", 3, "voicemail"), ("unstaffed", None, "callback")], [2]),
        ([("unstaffed", None, "callback"), ("ratio", 3, "voicemail")], []),
        ([("estimate", "5m", "callback"), ("estimate", "10m", "voicemail")], [2]),
        ([("waited", "10m", "voicemail"), ("waited", "5m", "queue:helpdesk")], [1]),
        ([("waited", "3m", "menu:sorry"), ("waited", "10m", "voicemail")], []),
        ([("waited", "5m", "voicemail"), ("waited", "5m", "voicemail")], [2]),
        ([("waited", "5m", "refuse"), ("waited", "5m", "voicemail")], [2]),
        ([("waited", "5m", "open:helpdesk"), ("waited", "6m", "queue:helpdesk")], []),
        ([("deserted", "5m", "refuse"), ("waited", "6m", "queue:helpdesk")], []),
    ],
)
def test_a_rule_that_can_never_apply_is_a_mistake(rules: list[tuple[str, object, str]], mistaken: list[int]) -> None:
    written_rules = [
        "{" + f'when = "{when}", to = "{to}"' + (f", limit = {limit!r}" if limit is not None else "") + "},"
        for when, limit, to in rules
    ]
    found = report("\n".join(["[queue.network]", "overflow = [", *written_rules, "]"]))
    assert [error.line - 2 for error in found.errors] == mistaken, str(found)


@pytest.mark.parametrize(
    ("text", "key", "en"),
    [
        ("relax = [{after = 30, lower = 1}, {after = 20, lower = 1}]", "relax[2].after", "20s comes after the step"),
        ("relax = [{after = 30, lower = 1}, {after = 30, lower = 1}]", "relax[2].after", "30s comes after the step"),
        ("relax = [{after = 3, drop = ['vpn']}, {after = 4, drop = ['vpn']}]", "relax[2].drop", "dropped this already"),
        ("relax = [{after = 3, drop = ['*']}, {after = 4, drop = ['vpn']}]", "relax[2].drop", "dropped this already"),
        ("relax = [{after = 3, drop = ['*']}, {after = 4, lower = 1}]", "relax[2].lower", "nothing is left to lower"),
        ("relax = [{after = 3, open = ['pc']}, {after = 4, open = ['pc']}]", "relax[2].open", "opened by an earlier"),
        ("last_agent_wait = 20", "last_agent_wait", "only with the strategy last_agent"),
        (
            "relax = [{after = 300, lower = 1}]\noverflow = [{when = 'waited', limit = 60, to = 'queue:pc'}]",
            "relax[1].after", 'by then "waited 1m → queue:pc" has led the caller away',
        ),
        (
            "announce = {first_after = 90, position = true}\n"
            "overflow = [{when = 'waited', limit = 60, to = 'queue:pc'}]",
            "announce", "by then",
        ),
        (
            "strategy = 'last_agent'\nlast_agent_wait = 60\n"
            "overflow = [{when = 'waited', limit = 60, to = 'queue:pc'}]",
            "last_agent_wait", "by then",
        ),
    ],
)  # fmt: skip
def test_rules_that_contradict_each_other(text: str, key: str, en: str) -> None:
    (error,) = report(f"[queue.network]\n{text}").errors
    assert error.column == f"queue.network.{key}"
    assert en in error.en


def circle(*edges: tuple[str, str], when: str = "when = 'full', limit = 9", way: str = "queue") -> list[str]:
    lines = []
    for start, end in edges:
        lines += [f"[queue.{start}]", f"overflow = [{{ {when}, to = '{way}:{end}' }}]"]
    return [error.en for error in report("\n".join(lines), straight_on={"operator": "helpdesk"}).errors]


def test_overflow_that_goes_round_is_named_with_its_circle() -> None:
    said = "callers would go round in a circle: {}; queues that help each other use open:"
    assert circle(("network", "pc"), ("pc", "network")) == [said.format("network → pc → network")]
    assert circle(("helpdesk", "network"), ("network", "pc"), ("pc", "helpdesk")) == [
        said.format("helpdesk → network → pc → helpdesk")
    ]
    assert circle(("helpdesk", "network"), ("network", "pc"), ("pc", "network")) == [
        said.format("network → pc → network")
    ]


def test_a_circle_through_a_menu_that_asks_nothing_is_a_circle_too() -> None:
    lines = (
        "[queue.network]\noverflow = [{ when = 'unstaffed', to = 'menu:operator' }]\n"
        "[queue.helpdesk]\noverflow = [{ when = 'waited', limit = 60, to = 'queue:network' }]\n"
    )
    (error,) = report(lines, straight_on={"operator": "helpdesk"}).errors
    assert error.en.startswith("callers would go round in a circle: helpdesk → network → helpdesk")
    assert error.line == 2
    assert report(lines, straight_on={}).errors == ()


def test_queues_may_open_to_each_other_and_a_menu_may_lead_back() -> None:
    assert circle(("network", "pc"), ("pc", "network"), way="open") == []
    assert circle(("network", "pc"), ("pc", "helpdesk")) == []
    assert circle(("helpdesk", "operator"), when="when = 'waited', limit = 60", way="menu") == []


# What is odd


def test_a_queue_whose_agents_all_come_later_is_odd() -> None:
    found = report(
        "[agent.alice.seats]\nnetwork = {delay = 30}\n[agent.bob.seats]\nnetwork = {delay = 20}\npc = {delay = 0}\n"
    )
    (warning,) = found.warnings
    assert (warning.line, warning.en) == (4, "every agent of network has a delay: for the first 20s nobody can answer")
    assert found.floor is not None
    assert str(found).endswith("[주의 · warning]\nrouting.toml: ok")


def test_a_weight_that_nobody_weighs_is_odd() -> None:
    (warning,) = report("[agent.alice.seats]\nnetwork = {weight = 3}\n").warnings
    assert "weighted_random" in warning.en


def test_a_way_to_a_queue_that_nobody_serves_is_odd() -> None:
    floor = replace(FLOOR, agents=FLOOR.agents[1:2])
    (warning,) = report("[queue.pc]\nkeys = { 1 = 'queue:helpdesk' }\n", floor).warnings
    assert (warning.column, warning.en) == ("queue.pc.keys.1", "no agent serves helpdesk")


# Reading in general


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (90, 90), (1.5, 1.5), (0, 0), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1h 30m", 5400), ("250ms", 0.25),
        ("1.5h", 5400), ("1d", 86400),
    ],
)  # fmt: skip
def test_lengths_of_time(value: object, length: float) -> None:
    assert length_of(value) == seconds(length)


@pytest.mark.parametrize("value", ["", "5", "5 min", "m5", "-5s", "5m-", -1, float("inf"), 1e300, None, [], True])
def test_what_is_no_length_of_time(value: object) -> None:
    assert length_of(value) is None


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9)))
def test_a_length_that_is_written_is_read_again(length: timedelta) -> None:
    whole = timedelta(milliseconds=length // timedelta(milliseconds=1))
    assert length_of(written(whole)) == whole


def test_a_file_in_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(RoutingErrors) as refused:
        decoded("routing.toml", "# fine\n# 대기열".encode("cp949"))
    assert [(error.line, error.en) for error in refused.value.errors] == [(2, "not UTF-8 text")]
    assert decoded("routing.toml", "# 대기열".encode("utf-8-sig")) == "# 대기열"


@given(st.text(alphabet="[]{}=.,\"'#\n aqueue1:network", max_size=60))
def test_whatever_the_file_holds_there_is_a_report(text: str) -> None:
    found = report(text)
    assert (found.floor is None) == bool(found.errors)


JUNK = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.floats(), st.sampled_from(["queue:pc", "5m", "vpn", "full", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["after", "when", "to", "limit", "1", "every", "network"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
        case _:
            return str(value)


@given(
    st.sampled_from(["queue.network", "queue.x", "agent.alice", "rules"]),
    st.dictionaries(
        st.sampled_from(["relax", "overflow", "keys", "announce", "callback", "seats", "strategy", "reason_limits"]),
        JUNK, max_size=4,
    ),
)  # fmt: skip
def test_whatever_a_table_holds_there_is_a_report(table: str, entries: dict[str, object]) -> None:
    lines = [f"{key} = {toml(value)}" for key, value in entries.items()]
    found = report("\n".join([f"[{table}]", *lines]))
    assert (found.floor is None) == bool(found.errors)
    assert all(error.line <= len(lines) + 1 for error in found.errors)


# The documents


@pytest.mark.parametrize("page", ["routing.md", "routing.ko.md"])
def test_every_example_of_the_documents_has_no_mistake(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert examples
    assert [str(report(text)) for text in examples] == ["routing.toml: ok"] * len(examples)
    assert [name for name in STRATEGIES if f"| `{name}`" not in text] == []


def test_the_documents_name_every_key() -> None:
    text = (DOCS / "routing.md").read_text(encoding="utf-8")
    for keys in (
        routing.RULES, routing.SEAT, routing_queues.QUEUE, routing_queues.RELAX, routing_queues.ANNOUNCE,
        routing_queues.CALLBACK, routing_queues.WHENS, [way.value for way in Way],
    ):  # fmt: skip
        assert [key for key in keys if not re.search(rf"`[^`\n]*\b{key}\b", text)] == []
