"""A floor's set-up is written the same way everywhere and read back as it was."""

import os
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from datetime import time, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.acd import queues
from changgu.acd.facts import Departure
from changgu.acd.floor_json import UnreadableFloor, floor_digest, floor_from_json, floor_to_json
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
    TicketPolicy,
    Way,
)

HELPDESK, NETWORK = QueueName("helpdesk"), QueueName("network")

FULL = Floor(
    queues=(
        Queue(
            HELPDESK, "대표 상담", "1001", "most_skilled", timedelta(seconds=12.5), timedelta(seconds=45), 2,
            TicketPolicy.ASK, False, timedelta(seconds=15), timedelta(seconds=3), 2, timedelta(seconds=30),
            relaxations=(
                Relaxation(timedelta(seconds=30), frozenset({"vpn", "english"}), 1, frozenset({NETWORK})),
                Relaxation(timedelta(minutes=2), frozenset({"*"})),
            ),
            overflows=(
                Overflow(Departure.FULL, Destination(Way.QUEUE, "network"), 20),
                Overflow(Departure.WAITED, Destination(Way.VOICEMAIL), 300.5),
            ),
            keys=MappingProxyType({"2": Destination(Way.CALLBACK), "1": Destination(Way.MENU, "main")}),
            announcements=Announcements(timedelta(seconds=10), timedelta(seconds=45), True, True, ("잠시만요",)),
            callbacks=CallbackRules(First.CALLER, timedelta(minutes=5), 4, timedelta(hours=1), opens=time(8, 30)),
        ),
        Queue(NETWORK, "네트워크"),
    ),
    agents=(
        Agent(
            AgentId("kim"), "김민수", frozenset({HELPDESK, NETWORK}), frozenset({"vpn:7", "english"}), "browser",
            timedelta(seconds=10), MappingProxyType({NETWORK: Seat(2, timedelta(seconds=20), 3)}),
        ),
        Agent(AgentId("lee"), "이서연", frozenset({NETWORK})),
    ),
    rules=Rules(
        timedelta(minutes=2), repeat_priority=2, reason_limits=MappingProxyType({"break": timedelta(minutes=15)})
    ),
)  # fmt: skip


def _kinds(value: object) -> set[type]:
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value)}.union(*(_kinds(getattr(value, field.name)) for field in fields(value)))
    if isinstance(value, tuple):
        return set().union(*map(_kinds, value))
    return set().union(*map(_kinds, value.values())) if isinstance(value, MappingProxyType) else set()


def test_the_example_of_these_tests_holds_every_kind_of_part() -> None:
    parts = {part for part in vars(queues).values() if isinstance(part, type) and is_dataclass(part)}
    parts = {part for part in parts if part.__module__ == queues.__name__}

    assert _kinds(FULL) == parts


@pytest.mark.parametrize("floor", [Floor(), FULL])
def test_a_floor_is_read_back_as_it_was(floor: Floor) -> None:
    assert floor_from_json(floor_to_json(floor)) == floor


def test_equal_floors_have_one_name() -> None:
    queue = FULL.queues[0]
    same = replace(
        FULL,
        queues=(
            replace(
                queue,
                keys={"1": Destination(Way.MENU, "main"), "2": Destination(Way.CALLBACK)},
                overflows=(replace(queue.overflows[0], limit=20.0), queue.overflows[1]),
            ),
            FULL.queues[1],
        ),
    )

    assert same == FULL
    assert floor_digest(same) == floor_digest(FULL)


def test_the_name_is_the_same_in_every_process() -> None:
    program = "from tests.acd.test_floor_json import FULL, floor_digest; print(floor_digest(FULL))"
    names = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip

    assert names == {floor_digest(FULL)}


@given(st.sampled_from(["longest_idle", "most_skilled"]), st.integers(-1, 3))
def test_other_floors_have_other_names(strategy: str, priority: int) -> None:
    changed = replace(FULL, queues=(replace(FULL.queues[0], strategy=strategy, priority=priority), FULL.queues[1]))

    assert (floor_digest(changed) == floor_digest(FULL)) is (changed == FULL)


def test_the_order_of_agents_is_part_of_the_set_up_because_a_strategy_follows_it() -> None:
    assert floor_digest(replace(FULL, agents=FULL.agents[::-1])) != floor_digest(FULL)


def test_an_old_text_without_a_new_field_gets_its_default() -> None:
    assert floor_from_json('{"queues":[{"name":"helpdesk","title":"대표 상담"}]}') == Floor(
        (Queue(HELPDESK, "대표 상담"),)
    )


@pytest.mark.parametrize("text", ["", "[]", '{"queues":[{"name":"helpdesk"}]}', '{"rules":{"priority_worth":"soon"}}'])
def test_what_is_no_floor_is_named(text: str) -> None:
    with pytest.raises(UnreadableFloor):
        floor_from_json(text)
