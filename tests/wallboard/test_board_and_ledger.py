"""The wallboard, the list of calls and the ACD tell the same story (TEC-07: figures equal a count of the calls)."""

import random
from collections import Counter
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_record import CallRecord, fold
from changgu.acd.call_state import CallState
from changgu.acd.engine import Effect
from changgu.acd.events import (
    AgentForced,
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerDialledIn,
    CallLost,
    DialFailed,
    Event,
    KeyPressed,
    MenuEnded,
    PersonReached,
)
from changgu.acd.facts import Departure, Direction, Fact, Outcome, Recorded
from changgu.acd.identity import AgentId, CallbackId, CallId, QueueName
from changgu.acd.queue_log import QueueLog
from changgu.acd.queues import Announcements, CallbackRules, Destination, First, Overflow, Queue, Way
from changgu.screenpop.desks import Desks
from changgu.wallboard.board import Board
from changgu.wallboard.rows import Figures
from changgu.wallboard.times import iso
from tests.support.floor import Floor, an_agent
from tests.wallboard.plain_count import OUTCOMES, count

SEOUL = ZoneInfo("Asia/Seoul")
MORNING = datetime(2026, 11, 21, 9, 0, tzinfo=SEOUL).timestamp()
TOLD = Announcements(first_after=timedelta(seconds=5), every=timedelta(seconds=20), position=True, estimate=True)
KEYS = MappingProxyType(
    {
        "1": Destination(Way.VOICEMAIL), "2": Destination(Way.CALLBACK), "3": Destination(Way.QUEUE, "pc"),
        "9": Destination(Way.MENU, "news"), "0": Destination(Way.REFUSE),
    }
)  # fmt: skip
QUEUES = (
    Queue(
        QueueName("network"), "네트워크", strategy="ring_all", wrap_up=timedelta(seconds=10), keys=KEYS,
        announcements=TOLD, callbacks=CallbackRules(retry_after=timedelta(seconds=60), attempts=2),
        overflows=(
            Overflow(Departure.FULL, Destination(Way.QUEUE, "pc"), 3),
            Overflow(Departure.WAITED, Destination(Way.OPEN, "pc"), 15),
            Overflow(Departure.WAITED, Destination(Way.VOICEMAIL), 40),
        ),
    ),
    Queue(
        QueueName("pc"), "PC", wrap_up=timedelta(0), ring_limit=timedelta(seconds=8), keys=KEYS, announcements=TOLD,
        callbacks=CallbackRules(first=First.CALLER, retry_after=timedelta(seconds=60), attempts=2),
        overflows=(
            Overflow(Departure.UNSTAFFED, Destination(Way.ANNOUNCE, "nobody")),
            Overflow(Departure.RATIO, Destination(Way.REFUSE), 4),
            Overflow(Departure.DESERTED, Destination(Way.QUEUE, "network"), 10),
        ),
    ),
)  # fmt: skip
AGENTS = (an_agent("kim", "network"), an_agent("lee", "network", "pc"), an_agent("park", "pc"))
WAITING = {CallState.WAITING, CallState.OFFERED, CallState.CONNECTING}


class Day(Floor):
    """Half an hour of whatever the dice say, told to the real engine."""

    def __init__(self, seed: int) -> None:
        super().__init__(*AGENTS, queues=QUEUES, now=MORNING)
        self._dice = random.Random(seed)
        self._calls = 0
        self._asked = 0

    def _keep(self, effects: list[Effect], event: Event | None) -> None:
        """The invariants of the engine have tests of their own; here its facts are told on."""
        for effect in effects:
            if isinstance(effect, Fact):
                self.history.append(Recorded(len(self.history) + 1, self.now, effect))

    def something_happens(self) -> None:
        self.wait(self._dice.choice((0, 1, 3, 12)))
        if self._dice.random() < 0.5:
            self._with_an_agent(self._dice.choice(["kim", "lee", "park"]))
        else:
            self._with_a_caller()

    def _with_an_agent(self, agent: str) -> None:
        view = self.agent(agent)
        match self._dice.randrange(6):
            case 0 if view.state in (AgentState.LOGGED_OUT, AgentState.NOT_READY, AgentState.WRAP_UP):
                self.ready(agent)
            case 1 if view.state in (AgentState.READY, AgentState.TALKING):
                self.not_ready(agent)
            case 2 if view.state is not AgentState.LOGGED_OUT:
                self.tell(AgentForced(view.login, AgentState.NOT_READY, "boss", NotReadyReason.TRAINING))
            case 3 if view.state is AgentState.RESERVED and self._phone_rings(agent):
                self.decline(agent)
            case _ if view.state is AgentState.TALKING and view.call in self.engine.calls:
                self._spoken(agent)
            case _ if view.state is AgentState.RESERVED and self._phone_rings(agent):
                self.answer(agent)
            case _:
                self.ready(agent) if view.state is AgentState.NOT_READY else None

    def _phone_rings(self, agent: str) -> bool:
        """Not yet, while a person is dialled before the agent."""
        call = self.engine.calls.get(CallId(str(self.agent(agent).call)))
        return call is not None and (call.reached or call.queue == "network")

    def _spoken(self, agent: str) -> None:
        call = self.engine.calls[CallId(str(self.agent(agent).call))]
        if call.state is not CallState.CONNECTING:
            self.agent_hangs_up(agent)
        elif not self._outbound(call.call) or self._dice.random() < 0.7:
            if self._outbound(call.call):
                self.tell(PersonReached(call.call))
            self.connected(agent)
        else:
            self.tell(DialFailed(call.call, "busy"))

    def _outbound(self, call: CallId) -> bool:
        return call.startswith("b")

    def _with_a_caller(self) -> None:
        inbound = [call for call in sorted(self.engine.calls) if not self._outbound(call)]
        outbound = [call for call in sorted(self.engine.calls) if self._outbound(call)]
        call = self._dice.choice(inbound) if inbound else CallId("nobody")
        match self._dice.randrange(10):
            case 0 | 1 | 2:
                self._calls += 1
                call = CallId(f"c{self._calls}")
                self.tell(CallerDialledIn(call, f"010{self._dice.randrange(30):08}", "1000"))
                self.queue(call, self._dice.choice(["network", "pc", "pc", "nowhere"]))
            case 3 if inbound:
                self.caller_hangs_up(call)
            case 4 if inbound:
                self.tell(KeyPressed(call, self._dice.choice("12390")))
            case 5 if inbound and self.the_call(call).state is CallState.IN_MENU:
                ends = [Outcome.VOICEMAIL, Outcome.CALLBACK, Outcome.REDIRECTED, None]
                self.tell(MenuEnded(call, self._dice.random() < 0.2, self._dice.choice(ends)))
            case 6 if inbound and self.the_call(call).state is CallState.IN_MENU:
                self.tell(CallArrived(call, QueueName(self._dice.choice(["network", "pc"]))))
            case 7:
                self._asked += 1
                number = f"010{self._dice.randrange(30):08}"
                asked_from = call if inbound and self._dice.random() < 0.5 else None
                name = QueueName(self._dice.choice(["network", "pc"]))
                self.tell(CallbackAsked(CallbackId(f"b{self._asked}"), number, name, asked_from))
            case 8 if outbound:
                dialled = self._dice.choice(outbound)
                self.tell(CallLost(dialled) if self._dice.random() < 0.2 else PersonReached(dialled))
            case 9 if outbound:
                self.tell(DialFailed(self._dice.choice(outbound), "no_answer"))
            case 9 if self.engine.callbacks and self._dice.random() < 0.3:
                self.tell(CallbackCancelled(self._dice.choice(sorted(self.engine.callbacks)), "boss"))
            case _:
                pass


def board_of(day: Day) -> Board:
    return Board(day.plan, SEOUL, day.now, day.history)


def lived(seed: int, steps: int) -> Day:
    day = Day(seed)
    for _ in range(steps):
        day.something_happens()
    return day


DAYS = given(seed=st.integers(0, 100_000), steps=st.integers(10, 200))


@settings(max_examples=40, deadline=None)
@DAYS
def test_the_figures_are_a_count_of_the_calls(seed: int, steps: int) -> None:
    day = lived(seed, steps)
    snapshot, plain = board_of(day).snapshot(), count(day.history)
    rows: list[tuple[str, Figures]] = [("", snapshot["totals"]), *snapshot["queues"].items()]
    for name, row in rows:
        shown = dict(row)
        for figure in (*OUTCOMES, "offered", "promises_kept", "promises_missed", "waiting", "diverted"):
            assert shown[figure] == plain.figures[name][figure], (name, figure)
        assert (row["refused_by"], row["overflowed"]) == (plain.refused_by[name], plain.overflowed[name])
    for name, queue in snapshot["queues"].items():
        here = [call for call in day.engine.calls.values() if call.queue == name and call.state in WAITING]
        assert queue["waiting"] == sum(1 for call in here if not day._outbound(call.call))
        still_open = queue["waiting"] + queue["diverted"]
        ends = sum(dict(queue)[outcome] for outcome in OUTCOMES)  # type: ignore[misc]
        assert queue["offered"] == ends + queue["moved"] + still_open


@settings(max_examples=40, deadline=None)
@DAYS
def test_the_totals_are_a_count_of_the_rows_of_calls(seed: int, steps: int) -> None:
    day = lived(seed, steps)
    totals = board_of(day).totals()
    calls = [record for record in fold(day.history).values() if record.direction is Direction.INBOUND]
    offered = [record for record in calls if record.queue is not None or record.outcome is Outcome.REFUSED]
    outcomes = Counter(record.outcome for record in offered if record.answered_at is None)

    def kept(record: CallRecord) -> bool | None:
        return record.promise_kept

    assert totals["offered"] == len(offered)
    assert totals["answered"] == sum(record.answered_at is not None for record in offered)
    assert totals["abandoned"] == outcomes[Outcome.ABANDONED_IN_QUEUE] + outcomes[Outcome.ABANDONED_RINGING]
    assert totals["refused_by"] == Counter(one.reason for one in offered if one.outcome is Outcome.REFUSED)
    assert (totals["voicemail"], totals["to_callback"]) == (outcomes[Outcome.VOICEMAIL], outcomes[Outcome.CALLBACK])
    assert totals["lost"] == outcomes[Outcome.LOST]
    assert sum(totals["overflowed"].values()) == sum(len(record.departures) for record in calls)
    over = [record for record in calls if record.answered_at is not None or record.ended_at is not None]
    assert totals["promises_kept"] == sum(kept(record) is True for record in over)
    assert totals["promises_missed"] == sum(kept(record) is False for record in over)
    waits = [record.wait_seconds or 0 for record in offered if record.answered_at is not None]
    assert round(totals["asa"] or 0, 6) == (round(sum(waits) / len(waits), 6) if waits else 0)


@settings(max_examples=40, deadline=None)
@DAYS
def test_open_promises_are_those_of_the_engine(seed: int, steps: int) -> None:
    day = lived(seed, steps)
    totals = board_of(day).totals()
    assert totals["callbacks_open"] == len(day.engine.callbacks)
    settled = totals["callbacks_kept"] + totals["callbacks_given_up"] + totals["callbacks_withdrawn"]
    assert totals["callbacks_booked"] == settled + totals["callbacks_open"]


@settings(max_examples=40, deadline=None)
@DAYS
def test_every_agent_is_shown_as_the_acd_knows_them(seed: int, steps: int) -> None:
    day = lived(seed, steps)
    rebuilt = Board(day.plan, SEOUL, day.now, day.history, day.engine.agents, day.engine.callbacks.values())
    assert rebuilt.snapshot() == board_of(day).snapshot()
    for login, row in rebuilt.snapshot()["agents"].items():
        view = day.agent(AgentId(login))
        assert (row["state"], row["reason"], row["call"]) == (view.state, view.reason, view.call)
        assert (row["next_state"], row["next_reason"]) == (view.requested or (None, None))
        assert row["phone"] == view.phone_reachable
        if row["since"] is not None:
            assert row["since"] == iso(view.since)


@settings(max_examples=40, deadline=None)
@DAYS
def test_every_agents_screen_has_the_call_that_the_acd_gave_them(seed: int, steps: int) -> None:
    day, desks = lived(seed, steps), Desks()
    for one in day.history:
        desks.apply(one)
    for login, view in day.engine.agents.items():
        at_desk = desks.at(login).call
        if view.state in (AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            assert at_desk is not None
            assert (at_desk.call, at_desk.offer, at_desk.ended_at) == (view.call, view.offer, None)
        else:
            assert at_desk is None or at_desk.ended_at is not None
    assert set(desks.calls) == set(day.engine.calls)


@settings(max_examples=40, deadline=None)
@DAYS
def test_the_queue_log_adds_up_as_asterisk_counts_it(seed: int, steps: int) -> None:
    """AMI's Completed and Abandoned from the rows, against the wallboard (definitions of the queue_log)."""
    day = lived(seed, steps)
    book = QueueLog(lambda login: [QueueName("network")])
    rows = [row for one in day.history for row in book.rows(one)]
    for name, shown in board_of(day).snapshot()["queues"].items():
        events = Counter(row.event for row in rows if row.queue == name)
        abandoned = ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "WITHDRAW")
        left = sum(events[event] for event in abandoned) + events["EXITWITHKEY"]
        talking = events["CONNECT"] - events["COMPLETECALLER"] - events["COMPLETEAGENT"]
        assert events["CONNECT"] == shown["answered"]
        assert events["ENTERQUEUE"] == events["CONNECT"] + left + shown["waiting"]
        assert talking == sum(
            call.queue == name and call.answered_at is not None and not day._outbound(call.call)
            for call in day.engine.calls.values()
        )
    outcalls = Counter(row.message.split("|")[0] for row in rows if row.event == "OUTCALL")
    attempts = fold(day.history).values()
    ended = [one for one in attempts if one.direction is Direction.OUTBOUND and one.ended_at is not None]
    assert outcalls["ANSWER"] == sum(one.answered_at is not None for one in ended)
