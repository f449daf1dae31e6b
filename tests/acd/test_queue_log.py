"""The rows that Asterisk itself would have written, field by field."""

from collections.abc import Iterable

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    OfferEnd,
    OfferEnded,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queue_log import QueueLog

ALICE, NETWORK = AgentId("alice"), QueueName("network")
T0 = 1_790_000_000.0


def log(story: Iterable[tuple[float, Fact]]) -> list[str]:
    """The rows as Asterisk writes them, without its time stamp."""
    book = QueueLog(lambda agent: [NETWORK, QueueName("account")])
    rows = [row for seq, (at, fact) in enumerate(story) for row in book.rows(Recorded(seq, T0 + at, fact))]
    return [f"{row.callid}|{row.queue}|{row.interface}|{row.event}|{row.message}" for row in rows]


def queued(call: str = "c1", caller: str | None = "01012345678", priority: int = 0) -> list[tuple[float, Fact]]:
    name = CallId(call)
    return [(0, CallStarted(name, Direction.INBOUND, caller, "1000")), (5, CallQueued(name, NETWORK, priority))]


def offered(at: float, offer: int = 1) -> tuple[float, Fact]:
    return at, CallOffered(CallId("c1"), ALICE, OfferId(offer), NETWORK)


def offer_ended(at: float, why: OfferEnd) -> tuple[float, Fact]:
    return at, OfferEnded(CallId("c1"), ALICE, OfferId(1), why)


def ended(at: float, outcome: Outcome, by: Ender = Ender.CALLER, call: str = "c1") -> tuple[float, Fact]:
    return at, CallEnded(CallId(call), outcome, by)


CONNECTED = (15.9, CallConnected(CallId("c1"), ALICE, OfferId(1)))


@pytest.mark.parametrize(("by", "event"), [(Ender.CALLER, "COMPLETECALLER"), (Ender.AGENT, "COMPLETEAGENT")])
def test_an_answered_call(by: Ender, event: str) -> None:
    assert log([*queued(), offered(12), CONNECTED, ended(76, Outcome.ANSWERED, by)]) == [
        "c1|network|NONE|ENTERQUEUE||01012345678|1",
        "c1|network|alice|CONNECT|10|offer-1-c1|3",
        f"c1|network|alice|{event}|10|60|1",
    ]


def test_a_caller_who_gives_up_while_waiting() -> None:
    assert log([*queued(), ended(65, Outcome.ABANDONED_IN_QUEUE)])[-1] == "c1|network|NONE|ABANDON|1|1|60"


def test_a_caller_who_gives_up_while_a_phone_rings() -> None:
    story = [*queued(), offered(6), offer_ended(8.25, OfferEnd.CALLER_LEFT), ended(8.25, Outcome.ABANDONED_RINGING)]
    assert log(story)[1:] == ["c1|network|alice|RINGCANCELED|2250", "c1|network|NONE|ABANDON|1|1|3"]


@pytest.mark.parametrize("why", [OfferEnd.NO_ANSWER, OfferEnd.FAILED, OfferEnd.CONNECT_FAILED])
def test_one_row_for_each_agent_tried(why: OfferEnd) -> None:
    assert log([*queued(), offered(6), offer_ended(26, why), offered(26, 2)])[1:] == [
        "c1|network|alice|RINGNOANSWER|20000"
    ]


def test_an_agent_who_picks_up_and_leaves_before_the_caller_hears_them() -> None:
    story = [*queued(), offered(6), offer_ended(7, OfferEnd.AGENT_LEFT)]
    assert log(story)[-1] == "c1|network|alice|AGENTDUMP|"


def test_places_are_counted_by_priority_and_move_up() -> None:
    story = [
        *queued("c1"), *queued("c2"), *queued("c3", priority=5),
        ended(10, Outcome.ABANDONED_IN_QUEUE, call="c1"), ended(11, Outcome.ABANDONED_IN_QUEUE, call="c2"),
    ]  # fmt: skip
    assert [row.split("|", 3)[3] for row in log(story)] == [
        "ENTERQUEUE||01012345678|1",
        "ENTERQUEUE||01012345678|2",
        "ENTERQUEUE||01012345678|1",
        "ABANDON|2|1|5",
        "ABANDON|2|2|6",
    ]


def test_a_call_that_never_reached_a_queue_writes_nothing() -> None:
    story = [(0.0, CallStarted(CallId("c1"), Direction.INBOUND, None, "1000")), ended(9, Outcome.ABANDONED_IN_MENU)]
    assert log(story) == []


def test_a_lost_call_and_a_queue_taken_off_the_floor_leave_no_open_rows() -> None:
    assert log([*queued(), ended(9, Outcome.LOST, Ender.DESK)])[-1] == "c1|network|NONE|WITHDRAW|1|1|4|LOST"
    assert log([*queued(), ended(9, Outcome.REFUSED, Ender.DESK)])[-1] == "c1|network|NONE|EXITEMPTY|1|1|4"


def moved(before: AgentState, after: AgentState, reason: NotReadyReason | None = None) -> list[str]:
    return log([(0, AgentStateChanged(ALICE, before, after, reason))])


def test_an_agent_comes_pauses_and_goes() -> None:
    state = AgentState
    assert moved(state.LOGGED_OUT, state.NOT_READY, NotReadyReason.SIGNED_IN) == [
        "NONE|account|alice|ADDMEMBER|PAUSED", "NONE|network|alice|ADDMEMBER|PAUSED",
    ]  # fmt: skip
    assert moved(state.LOGGED_OUT, state.READY)[0] == "NONE|account|alice|ADDMEMBER|"
    assert moved(state.NOT_READY, state.READY) == [
        "NONE|NONE|alice|UNPAUSEALL|", "NONE|account|alice|UNPAUSE|", "NONE|network|alice|UNPAUSE|",
    ]  # fmt: skip
    assert moved(state.READY, state.NOT_READY, NotReadyReason.MEAL)[1] == "NONE|account|alice|PAUSE|MEAL"
    assert moved(state.TALKING, state.WRAP_UP)[1] == "NONE|account|alice|PAUSE|WRAPUP"
    assert moved(state.READY, state.LOGGED_OUT)[0] == "NONE|account|alice|REMOVEMEMBER|"
    assert moved(state.READY, state.RESERVED) == []


def test_a_new_reason_writes_a_new_pause_and_no_unpause_as_asterisk_does() -> None:
    rows = moved(AgentState.NOT_READY, AgentState.NOT_READY, NotReadyReason.TRAINING)
    assert [row.rsplit("|", 2)[1:] for row in rows[1:]] == [["PAUSE", "TRAINING"], ["PAUSE", "TRAINING"]]


def test_a_callers_number_cannot_forge_fields_rows_or_headers() -> None:
    (row,) = log(queued(caller="010|CONNECT|x\r\nAction: Originate\x00"))
    assert row == "c1|network|NONE|ENTERQUEUE||010 CONNECT x  Action: Originate |1"


def test_every_reason_has_its_word() -> None:
    for reason in NotReadyReason:
        assert moved(AgentState.READY, AgentState.NOT_READY, reason)[1].rsplit("|", 1)[1]
