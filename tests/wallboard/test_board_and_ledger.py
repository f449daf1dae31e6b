"""The wallboard, the list of calls and the ACD tell the same story (TEC-07: figures equal a count of the calls)."""

import random
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.agent_words import AgentState
from changgu.acd.call_record import CallRecord, fold
from changgu.acd.call_state import CallState
from changgu.acd.facts import Outcome
from changgu.acd.identity import AgentId
from changgu.wallboard.board import Board
from changgu.wallboard.times import iso
from tests.support.floor import Floor, a_queue, an_agent

SEOUL = ZoneInfo("Asia/Seoul")
MORNING = datetime(2026, 11, 21, 9, 0, tzinfo=SEOUL).timestamp()
QUEUES = (a_queue("network", wrap_up=10), a_queue("pc", wrap_up=0, ring_limit=8))
AGENTS = (an_agent("kim", "network"), an_agent("lee", "network", "pc"), an_agent("park", "pc"))
WAITING = {CallState.WAITING, CallState.OFFERED, CallState.CONNECTING}
LEFT = {Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING}


class Day(Floor):
    """Half an hour of whatever the dice say, told to the real engine."""

    def __init__(self, seed: int) -> None:
        super().__init__(*AGENTS, queues=QUEUES, now=MORNING)
        self._dice = random.Random(seed)
        self._calls = 0

    def something_happens(self) -> None:
        self.wait(self._dice.choice((0, 1, 3, 12)))
        agent = self._dice.choice(["kim", "lee", "park"])
        state = self.agent(agent).state
        match self._dice.randrange(6):
            case 0 | 1:
                self._calls += 1
                self.call(f"c{self._calls}", self._dice.choice(["network", "pc", "nowhere"]))
            case 2 if self.engine.calls:
                self.caller_hangs_up(self._dice.choice(sorted(self.engine.calls)))
            case 3 if state in (AgentState.LOGGED_OUT, AgentState.NOT_READY, AgentState.WRAP_UP):
                self.ready(agent)
            case 4 if state is AgentState.RESERVED:
                self.talk(agent)
            case 5 if state in (AgentState.READY, AgentState.TALKING):
                self.not_ready(agent)
            case _ if state is AgentState.TALKING:
                self.agent_hangs_up(agent)
            case _ if state is AgentState.RESERVED:
                self.talk(agent)


def board_of(day: Day) -> Board:
    return Board(day.plan, SEOUL, day.now, day.history)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), steps=st.integers(10, 150))
def test_the_figures_are_a_count_of_the_calls(seed: int, steps: int) -> None:
    day = Day(seed)
    for _ in range(steps):
        day.something_happens()
    snapshot = board_of(day).snapshot()
    calls = list(fold(day.history).values())

    def count(records: list[CallRecord]) -> tuple[int, int, int]:
        answered = sum(1 for record in records if record.answered_at is not None)
        left = [record for record in records if record.outcome in LEFT]
        short = sum(1 for record in left if (record.wait_seconds or 0) <= 5)
        return answered, len(left), short

    for name, row in snapshot["queues"].items():
        queued = [record for record in calls if record.queue == name and record.queued_at is not None]
        assert (row["answered"], row["abandoned"], row["short_abandoned"]) == count(queued)
        assert row["offered"] == len(queued)
        waits = [record.wait_seconds or 0 for record in queued if record.answered_at is not None]
        assert (row["asa"] or 0) == (sum(waits) / len(waits) if waits else 0)
        here = [call for call in day.engine.calls.values() if call.queue == name and call.state in WAITING]
        assert row["waiting"] == len(here)
    totals = snapshot["totals"]
    assert (totals["answered"], totals["abandoned"], totals["short_abandoned"]) == count(calls)
    assert totals["refused"] == sum(1 for record in calls if record.outcome is Outcome.REFUSED)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), steps=st.integers(10, 150))
def test_every_agent_is_shown_as_the_acd_knows_them(seed: int, steps: int) -> None:
    day = Day(seed)
    for _ in range(steps):
        day.something_happens()
    rebuilt = Board(day.plan, SEOUL, day.now, day.history, day.engine.agents)
    assert rebuilt.snapshot() == board_of(day).snapshot()
    for login, row in rebuilt.snapshot()["agents"].items():
        view = day.agent(AgentId(login))
        assert (row["state"], row["reason"], row["call"]) == (view.state, view.reason, view.call)
        assert (row["next_state"], row["next_reason"]) == (view.requested or (None, None))
        assert row["phone"] == view.phone_reachable
        if row["since"] is not None:
            assert row["since"] == iso(view.since)
