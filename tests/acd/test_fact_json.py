"""Every fact survives being written down and read again."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.agent_words import AgentState
from changgu.acd.fact_json import KINDS, UnreadableFact, from_json, kind_of, to_json
from changgu.acd.facts import (
    FACTS,
    AgentStateChanged,
    CallEnded,
    CallOffered,
    CallQueued,
    Ender,
    Fact,
    Outcome,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
@settings(deadline=None)  # the first example builds the strategies
@given(data=st.data())
def test_every_kind_of_fact_reads_as_it_was_written(kind: type, data: st.DataObject) -> None:
    fact: Fact = data.draw(st.from_type(kind))
    body = json.loads(json.dumps(to_json(fact)))
    assert from_json(kind_of(fact), body) == fact


def test_no_two_kinds_share_a_name() -> None:
    assert len(KINDS) == len(FACTS)


def test_a_field_with_a_default_may_be_missing_in_an_old_line_and_an_unknown_one_is_passed_over() -> None:
    assert from_json("CallQueued", {"call": "c", "queue": "q", "priority": 0, "gone": 1}) == CallQueued(
        CallId("c"), QueueName("q"), 0
    )


def test_what_older_ledgers_hold_is_still_read() -> None:
    """Lines as they were written before there were offers by choice, reasons of refusals and supervisors' words."""
    assert from_json("CallOffered", {"call": "c", "agent": "kim", "offer": 7, "queue": "network"}) == CallOffered(
        CallId("c"), AgentId("kim"), OfferId(7), QueueName("network")
    )
    assert from_json("CallEnded", {"call": "c", "outcome": "refused", "by": "desk"}) == CallEnded(
        CallId("c"), Outcome.REFUSED, Ender.DESK
    )
    moved = {"agent": "kim", "before": "talking", "after": "wrap_up", "reason": None, "call": "c"}
    assert from_json("AgentStateChanged", moved) == AgentStateChanged(
        AgentId("kim"), AgentState.TALKING, AgentState.WRAP_UP, None, CallId("c")
    )


def test_a_whole_second_is_read_as_a_time() -> None:
    fact = from_json("WrapUpExtended", {"agent": "kim", "until": 1_790_000_000})
    assert fact == WrapUpExtended(AgentId("kim"), 1_790_000_000.0)


def test_half_characters_are_replaced_and_sets_are_sorted() -> None:
    fact = CallQueued(CallId("c\ud800"), QueueName("q"), 0, frozenset({"vpn", "erp", "b\udfff"}))
    assert to_json(fact)["call"] == "c?"
    assert to_json(fact)["skills"] == ["b?", "erp", "vpn"]


@pytest.mark.parametrize(
    ("kind", "body", "named"),
    [
        ("CallTeleported", {}, "CallTeleported"),
        ("CallQueued", {"call": "c", "queue": "q"}, "CallQueued: .*`priority`"),
        ("CallQueued", {"call": "c", "queue": "q", "priority": "high"}, r"CallQueued: .*\$\.priority"),
        ("CallEnded", {"call": "c", "outcome": "vanished", "by": "caller"}, r"CallEnded: .*\$\.outcome"),
    ],
)
def test_an_unreadable_line_says_which_field(kind: str, body: dict[str, object], named: str) -> None:
    with pytest.raises(UnreadableFact, match=named):
        from_json(kind, body)
