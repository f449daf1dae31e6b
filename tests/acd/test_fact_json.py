"""Every fact survives being written down and read again."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.fact_json import KINDS, UnreadableFact, from_json, kind_of, to_json
from changgu.acd.facts import FACTS, CallQueued, Fact
from changgu.acd.identity import CallId, QueueName


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


@pytest.mark.parametrize(
    ("kind", "body", "named"),
    [
        ("CallTeleported", {}, "CallTeleported"),
        ("CallQueued", {"call": "c", "queue": "q"}, "CallQueued.priority"),
        ("CallQueued", {"call": "c", "queue": "q", "priority": "high"}, "CallQueued.priority"),
        ("CallEnded", {"call": "c", "outcome": "vanished", "by": "caller"}, "CallEnded.outcome"),
    ],
)
def test_an_unreadable_line_says_which_field(kind: str, body: dict[str, object], named: str) -> None:
    with pytest.raises(UnreadableFact, match=named):
        from_json(kind, body)
