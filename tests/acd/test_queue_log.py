"""The rows that Asterisk itself would have written, field by field."""

from collections.abc import Iterable, Mapping

import pytest

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    Departure,
    Direction,
    Ender,
    Fact,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    Recorded,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.queue_log import QueueLog

ALICE, NETWORK = AgentId("alice"), QueueName("network")
T0 = 1_790_000_000.0


def log(story: Iterable[tuple[float, Fact]], written: Mapping[CallId, tuple[QueueName, float]] | None = None,
        before: Iterable[tuple[float, Fact]] = ()) -> list[str]:  # fmt: skip
    """The rows as Asterisk writes them, without its time stamp.

    `before`: what the ledger knew at a restart; `written`: who waited then by the file.
    """
    book = QueueLog(lambda agent: [NETWORK, QueueName("account")])
    for seq, (at, fact) in enumerate(before):
        book.rows(Recorded(seq, T0 + at, fact))
    book.has_written({call: (queue, T0 + since) for call, (queue, since) in (written or {}).items()})
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


ENTERED = {CallId("c1"): (NETWORK, 5.0)}
"""The PBX had been told that they wait."""


def test_who_waited_by_the_file_and_not_by_the_ledger_enters_once() -> None:
    """The ledger was killed in between, and they hung up meanwhile: their wait is counted from the row there is."""
    gave_up = [
        (30, CallQueued(CallId("c1"), NETWORK, 0, placed_at=T0 + 5, entered_at=T0 + 5)),
        ended(30, Outcome.ABANDONED_IN_QUEUE),
    ]
    assert log(gave_up, ENTERED, before=queued()[:1]) == ["c1|network|NONE|ABANDON|1|1|25"]


def test_who_hears_the_menu_again_and_comes_to_the_same_queue_enters_once() -> None:
    back = [(20, CallQueued(CallId("c1"), NETWORK, 0)), offered(21), (25, CONNECTED[1]), ended(60, Outcome.ANSWERED)]
    assert log(back, ENTERED, before=queued()[:1]) == [
        "c1|network|alice|CONNECT|20|offer-1-c1|4", "c1|network|alice|COMPLETECALLER|20|35|1",
    ]  # fmt: skip


def test_who_waits_by_the_ledger_too_enters_anew_when_they_come_back_to_the_queue() -> None:
    by_key = CallOverflowed(CallId("c1"), NETWORK, Departure.KEY, "menu:main", "0")
    left: list[tuple[float, Fact]] = [(20, by_key), (30, CallQueued(CallId("c1"), NETWORK, 0))]
    assert log(left, ENTERED, before=queued()) == [
        "c1|network|NONE|EXITWITHKEY|0|1|1|15", "c1|network|NONE|ENTERQUEUE||01012345678|1",
    ]  # fmt: skip


def test_who_is_in_the_file_alone_gives_up_in_it() -> None:
    told = CallServedElsewhere(
        CallId("c1"), None, "1000", NETWORK, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER, T0, T0 + 35, queued_at=T0 + 5
    )
    assert log([(90, told)], ENTERED) == ["c1|network|NONE|ABANDON|0|0|30"]
    assert log([(90, told)]) == [], "the plain queues write their own rows"


def test_who_comes_to_another_queue_than_the_files_enters_it() -> None:
    other = [(20, CallQueued(CallId("c1"), QueueName("account"), 0))]
    assert log(other, ENTERED, before=queued()[:1]) == ["c1|account|NONE|ENTERQUEUE||01012345678|1"]


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


BOB = AgentId("bob")


def overflowed(at: float, to: str, why: Departure, key: str | None = None) -> tuple[float, Fact]:
    return at, CallOverflowed(CallId("c1"), NETWORK, why, to, key)


def test_ring_all_writes_one_row_for_each_agent_who_was_not_first() -> None:
    c1 = CallId("c1")
    story: list[tuple[float, Fact]] = [
        *queued(), offered(6, 1), (6, CallOffered(c1, BOB, OfferId(2), NETWORK)),
        (8, OfferEnded(c1, ALICE, OfferId(1), OfferEnd.ANSWERED_ELSEWHERE)), (8, CallConnected(c1, BOB, OfferId(2))),
        ended(18, Outcome.ANSWERED),
    ]  # fmt: skip
    assert log(story)[1:] == [
        "c1|network|alice|RINGCANCELED|2000",
        "c1|network|bob|CONNECT|3|offer-2-c1|2",
        "c1|network|bob|COMPLETECALLER|3|10|1",
    ]


def test_each_phone_of_ring_all_has_its_own_ringing_time() -> None:
    c1 = CallId("c1")
    story: list[tuple[float, Fact]] = [
        *queued(), offered(6, 1), (9, CallOffered(c1, BOB, OfferId(2), NETWORK)), offer_ended(26, OfferEnd.NO_ANSWER),
        (29, OfferEnded(c1, BOB, OfferId(2), OfferEnd.NO_ANSWER)),
    ]  # fmt: skip
    assert log(story)[1:] == ["c1|network|alice|RINGNOANSWER|20000", "c1|network|bob|RINGNOANSWER|20000"]


@pytest.mark.parametrize(
    ("why", "to", "row"),
    [
        (Departure.KEY, "voicemail", "EXITWITHKEY|1|1|1|35"),
        (Departure.WAITED, "queue:pc", "EXITWITHTIMEOUT|1|1|35"),
        (Departure.DESERTED, "refuse", "EXITEMPTY|1|1|35"),
    ],
)
def test_a_caller_who_is_led_out_leaves_once(why: Departure, to: str, row: str) -> None:
    key = "1" if why is Departure.KEY else None
    story = [*queued(), overflowed(40, to, why, key), ended(90, Outcome.REFUSED, Ender.DESK)]
    assert log(story)[1:] == [f"c1|network|NONE|{row}"]


def test_a_queue_opened_to_others_writes_nothing() -> None:
    assert len(log([*queued(), overflowed(40, "open:pc", Departure.WAITED)])) == 1


@pytest.mark.parametrize(
    ("why", "row"),
    [
        (Departure.FULL, "FULL|"),
        (Departure.ESTIMATE, "FULL|ESTIMATE"),
        (Departure.RATIO, "FULL|RATIO"),
        (Departure.UNSTAFFED, "JOINEMPTY|"),
    ],
)
def test_a_caller_who_is_not_let_in(why: Departure, row: str) -> None:
    story = [queued()[0], overflowed(5, "refuse", why), ended(5, Outcome.REFUSED, Ender.DESK)]
    assert log(story) == [f"c1|network|NONE|{row}"]


def test_who_comes_back_to_their_place_enters_again_before_those_who_came_after_them() -> None:
    story: list[tuple[float, Fact]] = [
        *queued("c1"), *queued("c2"), overflowed(20, "menu:news", Departure.KEY, "9"),
        (50, CallQueued(CallId("c1"), NETWORK, 0, placed_at=T0 + 4, entered_at=T0 + 4)),
        (60, CallConnected(CallId("c1"), ALICE, OfferId(1))),
    ]  # fmt: skip
    assert log(story)[3:] == ["c1|network|NONE|ENTERQUEUE||01012345678|1", "c1|network|alice|CONNECT|10|offer-1-c1|0"]


def test_a_step_of_priority_is_a_head_start_and_no_more() -> None:
    """Five minutes each: whoever came six minutes ago goes before a caller with one step."""
    early: list[tuple[float, Fact]] = [
        (0, CallStarted(CallId("old"), Direction.INBOUND, "1", "1000")), (0, CallQueued(CallId("old"), NETWORK, 0)),
        (360, CallStarted(CallId("vip"), Direction.INBOUND, "2", "1000")), (360, CallQueued(CallId("vip"), NETWORK, 1)),
    ]  # fmt: skip
    assert [row.rsplit("|", 1)[1] for row in log(early)] == ["1", "2"]


def called_back(*story: tuple[float, Fact]) -> list[str]:
    out = CallId("b1-1")
    return log([
        (0, CallStarted(out, Direction.OUTBOUND, None, "01012345678", CallbackId("b1"))),
        (0, CallQueued(out, NETWORK, 0, placed_at=T0 - 600)), (1, CallOffered(out, ALICE, OfferId(1), NETWORK)), *story,
    ])  # fmt: skip


def test_somebody_called_back_is_an_outcall() -> None:
    out = CallId("b1-1")
    talk = (20, CallEnded(out, Outcome.ANSWERED, Ender.CALLER))
    assert called_back((8, PersonAnswered(out)), (8.1, CallConnected(out, ALICE, OfferId(1))), talk) == [
        "b1-1|network|alice|OUTCALL|ANSWER|11|b1"
    ]


@pytest.mark.parametrize(
    ("cause", "status"),
    [("busy", "BUSY"), ("no_answer", "NOANSWER"), ("error", "CHANUNAVAIL"), ("agent_left", "CANCEL")],
)
def test_somebody_who_was_not_reached(cause: str, status: str) -> None:
    end = CallEnded(CallId("b1-1"), Outcome.NOT_REACHED, Ender.DESK, reason=cause)
    assert called_back((30, end)) == [f"b1-1|network|alice|OUTCALL|{status}|0|b1"]


def test_a_person_who_was_reached_first_and_whose_agents_phone_never_rang_leaves_no_ring() -> None:
    out = CallId("b1-1")
    story = (30.0, OfferEnded(out, ALICE, OfferId(1), OfferEnd.NOT_REACHED, "busy"))
    assert called_back(story, (30.0, CallEnded(out, Outcome.NOT_REACHED, Ender.DESK, "busy"))) == [
        "b1-1|network|alice|OUTCALL|BUSY|0|b1"
    ]


def test_an_attempt_that_was_put_off_before_anybody_was_dialled_writes_nothing() -> None:
    assert called_back((30, CallEnded(CallId("b1-1"), Outcome.LOST, Ender.DESK))) == []
    assert called_back((30, CallEnded(CallId("b1-1"), Outcome.NOT_REACHED, Ender.DESK, "hours"))) == []


def test_a_pause_by_a_supervisor_says_who_and_why() -> None:
    forced = AgentStateChanged(
        ALICE, AgentState.READY, AgentState.NOT_READY, NotReadyReason.TRAINING, by="boss", why="교육 | 3층"
    )
    assert log([(0, forced)])[1:] == [
        "NONE|account|alice|PAUSE|TRAINING|boss|교육   3층", "NONE|network|alice|PAUSE|TRAINING|boss|교육   3층",
    ]  # fmt: skip


def test_the_queue_log_adds_up_as_asterisk_counts_it() -> None:
    """AMI's Completed and Abandoned, from the rows of a day that had one of everything."""
    story = [*queued("c1"), offered(6), CONNECTED, ended(76, Outcome.ANSWERED)]
    for number, (to, why) in enumerate(
        [("voicemail", Departure.KEY), ("queue:pc", Departure.WAITED), ("refuse", Departure.DESERTED)], start=2
    ):
        call = CallId(f"c{number}")
        story += [*queued(call), (20, CallOverflowed(call, NETWORK, why, to, "1" if why is Departure.KEY else None))]
        story += [ended(21, Outcome.REFUSED, Ender.DESK, call)]
    story += [*queued("c5"), ended(30, Outcome.ABANDONED_IN_QUEUE, call="c5")]
    events = [row.split("|")[3] for row in log(story)]
    completed = sum(event.startswith("COMPLETE") for event in events)
    abandoned = sum(event in ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "WITHDRAW") for event in events)
    entered = events.count("ENTERQUEUE")
    assert (entered, completed, abandoned, events.count("EXITWITHKEY")) == (5, 1, 3, 1)
    assert entered == completed + abandoned + events.count("EXITWITHKEY")
