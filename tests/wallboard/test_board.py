"""The board says what happened today, and nothing else."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.agent_words import AgentState, NotReadyReason
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
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from changgu.wallboard.board import Board
from changgu.wallboard.rows import AgentRow, Figures, QueueRow
from changgu.wallboard.times import iso
from tests.wallboard.plain_count import OUTCOMES, count
from tests.wallboard.traffic import Traffic, example_floor

SEOUL = ZoneInfo("Asia/Seoul")
NINE = datetime(2026, 11, 21, 9, 0, tzinfo=SEOUL).timestamp()
NETWORK, PC = QueueName("network"), QueueName("pc")
KIM, LEE = AgentId("kim"), AgentId("lee")
FLOOR = Floor(
    (Queue(NETWORK, "네트워크"), Queue(PC, "PC")),
    (Agent(KIM, "김", frozenset({NETWORK})), Agent(LEE, "이", frozenset({NETWORK, PC}))),
)


class Day:
    """A board and a hand-wound clock."""

    def __init__(self, floor: Floor = FLOOR, start: Instant = NINE) -> None:
        self.now = start
        self.board = Board(floor, SEOUL, start)
        self.ledger: list[Recorded] = []

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def happens(self, *facts: Fact) -> None:
        for fact in facts:
            self.ledger.append(Recorded(len(self.ledger) + 1, self.now, fact))
            self.board.fold(self.ledger[-1])

    def call(self, call: str, queue: QueueName = NETWORK) -> CallId:
        name = CallId(call)
        self.happens(CallStarted(name, Direction.INBOUND, None, "1000"), CallQueued(name, queue, 0))
        return name

    def answer(self, call: CallId, agent: AgentId = KIM, queue: QueueName = NETWORK) -> None:
        self.happens(
            CallOffered(call, agent, OfferId(1), queue),
            AgentStateChanged(agent, AgentState.READY, AgentState.RESERVED, call=call),
            AgentStateChanged(agent, AgentState.RESERVED, AgentState.TALKING, call=call),
            CallConnected(call, agent, OfferId(1)),
        )

    def abandon(self, call: CallId) -> None:
        self.happens(CallEnded(call, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER))

    def queue(self, queue: QueueName = NETWORK) -> QueueRow:
        return self.board.snapshot()["queues"][queue]

    def agent(self, agent: AgentId = KIM) -> AgentRow:
        return self.board.snapshot()["agents"][agent]


def test_a_waiting_caller_is_seen_with_the_time_they_joined() -> None:
    day = Day()
    day.call("c1")
    joined = day.now
    day.wait(7)
    day.call("c2")

    row = day.queue()

    assert (row["waiting"], row["offered"]) == (2, 2)
    assert row["longest_wait_since"] == iso(joined)
    assert day.board.totals()["waiting"] == 2


def test_an_answered_caller_waits_no_more_and_their_wait_is_kept() -> None:
    day = Day()
    call = day.call("c1")
    day.wait(12)
    day.answer(call)

    row = day.queue()

    assert (row["waiting"], row["answered"], row["asa"], row["service_level"]) == (0, 1, 12, 1.0)


def test_a_quiet_queue_has_no_service_level_until_its_first_caller_is_answered_or_has_waited_too_long() -> None:
    day = Day()
    day.call("c1")
    day.wait(20)
    assert not day.board.turn_to(day.now)
    assert day.board.next_turn == day.now
    assert (day.queue()["service_level"], day.board.totals()["service_level"]) == (None, None)

    day.board.take_changes()
    day.wait(0.01)
    assert day.board.turn_to(day.now)
    assert (day.queue()["service_level"], day.board.totals()["service_level"]) == (0.0, 0.0)
    changes = day.board.take_changes()
    assert (changes.queues, changes.totals) == ({NETWORK}, True)
    assert day.board.next_turn == day.board.day_end


def test_a_caller_who_still_waits_does_not_spoil_the_service_level_of_those_before() -> None:
    day = Day()
    day.answer(day.call("c1"))
    waiting = day.call("c2")
    assert day.queue()["service_level"] == 1.0
    day.wait(6)
    day.abandon(waiting)
    assert day.queue()["service_level"] == 0.5


def test_a_shorter_target_counts_at_once_for_those_who_wait() -> None:
    day = Day()
    day.call("c1")
    day.wait(15)
    day.board.configure(Floor((Queue(NETWORK, "네트워크", service_level=timedelta(seconds=10)),), FLOOR.agents))
    day.board.turn_to(day.now)
    assert day.queue()["service_level"] == 0.0


def test_ringing_is_still_waiting() -> None:
    day = Day()
    call = day.call("c1")
    day.happens(CallOffered(call, KIM, OfferId(1), NETWORK))
    assert (day.queue()["waiting"], day.queue()["ringing"]) == (1, 1)

    day.happens(OfferEnded(call, KIM, OfferId(1), OfferEnd.NO_ANSWER))
    assert (day.queue()["waiting"], day.queue()["ringing"]) == (1, 0)


def test_a_caller_who_leaves_within_five_seconds_is_a_short_abandon() -> None:
    day = Day()
    short, long, kept = day.call("c1"), day.call("c2"), day.call("c3")
    day.wait(5)
    day.abandon(short)
    day.wait(1)
    day.abandon(long)
    day.answer(kept)

    row = day.queue()

    assert (row["abandoned"], row["short_abandoned"]) == (2, 1)
    assert row["abandonment_rate"] == 0.5


def test_a_hang_up_in_the_menu_is_reported_apart() -> None:
    day = Day()
    call = CallId("c1")
    day.happens(CallStarted(call, Direction.INBOUND, None, "1000"))
    assert day.board.totals()["in_menu"] == 1
    day.happens(CallEnded(call, Outcome.ABANDONED_IN_MENU, Ender.CALLER))

    totals = day.board.totals()

    assert (totals["in_menu"], totals["abandoned_in_menu"], totals["abandoned"], totals["offered"]) == (0, 1, 0, 0)


def test_a_call_refused_before_it_had_a_queue_was_offered_all_the_same() -> None:
    day = Day()
    day.happens(CallStarted(CallId("c1"), Direction.INBOUND, None, "1000"))
    day.happens(CallEnded(CallId("c1"), Outcome.REFUSED, Ender.DESK))

    totals = day.board.totals()

    assert (totals["offered"], totals["refused"]) == (1, 1)


def test_a_caller_put_into_another_queue_counts_in_both_with_one_outcome_each() -> None:
    day = Day()
    call = day.call("c1", NETWORK)
    day.wait(30)
    day.happens(CallQueued(call, PC, 0))
    day.wait(10)
    day.answer(call, LEE, PC)

    assert (day.queue(NETWORK)["moved"], day.queue(NETWORK)["waiting"]) == (1, 0)
    assert (day.queue(PC)["answered"], day.queue(PC)["asa"]) == (1, 10)


def test_wrap_up_is_not_called_ready() -> None:
    day = Day()
    call = day.call("c1")
    day.answer(call)
    day.wait(100)
    day.happens(
        CallEnded(call, Outcome.ANSWERED, Ender.CALLER),
        AgentStateChanged(KIM, AgentState.TALKING, AgentState.WRAP_UP, call=call),
    )

    agent = day.agent()

    assert (agent["state"], agent["since"], agent["call_queue"]) == ("wrap_up", iso(day.now), NETWORK)
    assert day.board.totals()["states"]["ready"] == 0


def test_handling_is_talk_and_hold_and_wrap_up_of_a_finished_contact() -> None:
    day = Day()
    call = day.call("c1")
    day.answer(call)
    day.wait(100)
    day.happens(AgentStateChanged(KIM, AgentState.TALKING, AgentState.HOLD, call=call))
    day.wait(20)
    day.happens(AgentStateChanged(KIM, AgentState.HOLD, AgentState.TALKING, call=call))
    day.wait(30)
    day.happens(AgentStateChanged(KIM, AgentState.TALKING, AgentState.WRAP_UP, call=call))
    day.wait(10)
    assert day.agent()["handled"] == 0
    day.happens(AgentStateChanged(KIM, AgentState.WRAP_UP, AgentState.READY))

    assert (day.agent()["handled"], day.agent()["aht"]) == (1, 160)


def test_the_state_the_agent_wants_next_is_shown_beside_the_present_one_until_it_comes() -> None:
    day = Day()
    day.answer(day.call("c1"))
    day.happens(NextStateRequested(KIM, AgentState.NOT_READY, NotReadyReason.BREAK))
    assert (day.agent()["state"], day.agent()["next_state"], day.agent()["next_reason"]) == (
        "talking",
        "not_ready",
        "break",
    )

    day.happens(AgentStateChanged(KIM, AgentState.TALKING, AgentState.WRAP_UP, call=CallId("c1")))
    assert day.agent()["next_reason"] == "break"
    day.happens(AgentStateChanged(KIM, AgentState.WRAP_UP, AgentState.NOT_READY, NotReadyReason.BREAK))
    assert (day.agent()["state"], day.agent()["reason"], day.agent()["next_state"]) == ("not_ready", "break", None)


def test_heads_by_state_and_reason_add_up_to_all_agents() -> None:
    day = Day()
    day.happens(
        AgentStateChanged(KIM, AgentState.LOGGED_OUT, AgentState.NOT_READY, NotReadyReason.MAINTENANCE),
        PhoneStateChanged(KIM, reachable=False),
    )

    totals = day.board.totals()

    assert sum(totals["states"].values()) == totals["agents"] == 2
    assert sum(totals["reasons"].values()) == totals["states"]["not_ready"] == 1
    assert day.agent()["phone"] is False


def test_at_midnight_the_figures_start_again_and_who_waits_still_waits() -> None:
    start = datetime(2026, 11, 21, 23, 59, 30, tzinfo=SEOUL).timestamp()
    day = Day(start=start)
    day.answer(day.call("c1"))
    waiting = day.call("c2")
    day.wait(60)

    assert day.board.turn_to(day.now)
    assert (day.queue()["offered"], day.queue()["answered"], day.queue()["waiting"]) == (0, 0, 1)
    assert day.queue()["longest_wait_since"] == iso(start)

    day.answer(waiting, LEE)
    assert (day.queue()["answered"], day.queue()["waiting"]) == (0, 0)
    assert day.board.totals()["day"] == "2026-11-22"


def test_midnight_is_the_sites_own() -> None:
    day = Day(start=datetime(2026, 11, 21, 23, 59, tzinfo=SEOUL).timestamp())
    assert day.board.day_end == datetime(2026, 11, 22, tzinfo=SEOUL).timestamp()


@dataclass(frozen=True)
class Standing:
    state: AgentState = AgentState.NOT_READY
    reason: NotReadyReason | None = NotReadyReason.MEAL
    since: Instant = NINE - 86400
    call: CallId | None = None
    requested: tuple[AgentState, NotReadyReason | None] | None = None
    phone_reachable: bool = True


def test_an_agent_who_has_not_moved_since_yesterday_is_known_from_the_engine() -> None:
    board = Board(FLOOR, SEOUL, NINE, standing={KIM: Standing()})
    row = board.snapshot()["agents"][KIM]
    assert (row["state"], row["reason"], row["since"], row["phone"]) == ("not_ready", "meal", iso(NINE - 86400), True)


def test_a_queue_taken_off_the_floor_disappears_but_its_calls_stay_in_the_totals() -> None:
    day = Day()
    day.answer(day.call("c1", PC), LEE, PC)
    day.board.configure(Floor((Queue(NETWORK, "네트워크"),), FLOOR.agents))

    assert "pc" in day.board.take_changes().queues
    assert day.board.totals()["answered"] == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(20, 400), often=st.integers(1, 40))
def test_an_old_snapshot_and_the_changes_since_are_a_fresh_snapshot(seed: int, steps: int, often: int) -> None:
    floor = example_floor(8)
    traffic = Traffic(floor, seed, datetime(2026, 11, 21, 23, 40, tzinfo=SEOUL).timestamp())
    board = Board(floor, SEOUL, traffic.now)
    shown = board.snapshot()
    for one in traffic.sign_everybody_in():
        board.fold(one)
    for step in range(steps):
        for one in traffic.step():
            board.fold(one)
        if step == steps // 2:
            floor = Floor(floor.queues[1:], floor.agents[:-1])
            board.configure(floor)
        if step % often and step != steps - 1:
            continue
        changes = board.take_changes()
        for name in changes.queues:
            queue = board.queue_row(name)
            if queue is None:
                shown["queues"].pop(name, None)
            else:
                shown["queues"][name] = queue
        for login in changes.agents:
            agent = board.agent_row(login)
            if agent is None:
                shown["agents"].pop(login, None)
            else:
                shown["agents"][login] = agent
        if changes.totals:
            shown["totals"] = board.totals()
        assert shown == board.snapshot()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(20, 400))
def test_a_board_rebuilt_from_the_ledger_is_the_board_that_lived(seed: int, steps: int) -> None:
    floor = example_floor(8)
    traffic = Traffic(floor, seed, datetime(2026, 11, 21, 23, 40, tzinfo=SEOUL).timestamp())
    board = Board(floor, SEOUL, traffic.now)
    ledger = [*traffic.sign_everybody_in()]
    for _ in range(steps):
        ledger += traffic.step()
    for one in ledger:
        board.fold(one)
    board.turn_to(traffic.now)

    assert Board(floor, SEOUL, traffic.now, ledger).snapshot() == board.snapshot()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(20, 300))
def test_the_heads_are_a_count_of_the_agents_rows_also_when_agents_leave_the_floor_and_come_back(
    seed: int, steps: int
) -> None:
    whole = example_floor(8)
    fewer = Floor(whole.queues, whole.agents[3:])
    traffic = Traffic(whole, seed, datetime(2026, 11, 21, 23, 40, tzinfo=SEOUL).timestamp())
    board = Board(whole, SEOUL, traffic.now)
    facts = [*traffic.sign_everybody_in()]
    for step in range(steps):
        for one in facts:
            board.fold(one)
        if step == steps // 3:
            board.configure(fewer)
        if step == 2 * steps // 3:
            board.configure(whole)
        shown = board.snapshot()
        rows, totals = shown["agents"].values(), shown["totals"]
        counted = Counter(row["state"] for row in rows)
        assert {state: number for state, number in totals["states"].items() if number} == counted
        assert totals["reasons"] == Counter(row["reason"] for row in rows if row["state"] == "not_ready")
        assert totals["overdue"] == sum(row["overdue"] for row in rows)
        assert (totals["agents"], totals["signed_in"]) == (len(rows), len(rows) - counted["logged_out"])
        for name, queue in shown["queues"].items():
            states = [row["state"] for row in rows if name in row["queues"]]
            assert queue["agents_ready"] == states.count("ready")
            assert queue["agents_signed_in"] == len(states) - states.count("logged_out")
        facts = traffic.step()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(20, 800))
def test_the_figures_are_what_reading_every_calls_story_gives(seed: int, steps: int) -> None:
    floor = example_floor(8)
    traffic = Traffic(floor, seed, NINE)
    board = Board(floor, SEOUL, NINE)
    ledger = [*traffic.sign_everybody_in()]
    for _ in range(steps):
        ledger += traffic.step()
    for one in ledger:
        board.fold(one)
    snapshot, plain = board.snapshot(), count(ledger)
    rows: list[tuple[str, Figures]] = [("", snapshot["totals"]), *snapshot["queues"].items()]
    for name, row in rows:
        shown, counted = dict(row), plain.figures[name]
        for figure in (*OUTCOMES, "offered", "waiting", "diverted", "promises_kept", "promises_missed"):
            assert shown[figure] == counted[figure], (name, figure)
        assert row["refused_by"] == plain.refused_by[name]
        assert row["overflowed"] == plain.overflowed[name]
        assert (row["asa"] or 0) == pytest.approx(sum(plain.waits[name]) / max(1, len(plain.waits[name])))
        moved = counted["moved"] if name else 0
        assert shown.get("moved", 0) == moved
        still_open = counted["waiting"] + counted["diverted"]
        assert row["offered"] == sum(counted[outcome] for outcome in OUTCOMES) + moved + still_open
        assert sum(row["refused_by"].values()) == row["refused"]
        assert row["short_abandoned"] <= row["abandoned"]
    totals = snapshot["totals"]
    assert totals["callbacks_open"] == plain.callbacks["open"]
    assert (totals["callbacks_kept"], totals["callbacks_given_up"]) == (
        plain.callbacks["kept"], plain.callbacks["given_up"],
    )  # fmt: skip
    assert timedelta(0) <= timedelta(seconds=traffic.now - NINE) < timedelta(hours=12)
