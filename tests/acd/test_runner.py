"""One inbox, one loop: everything of one event before the next, nothing lost, nobody waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from threading import Thread

import pytest

from changgu.acd.agent_state import NotReadyReason
from changgu.acd.commands import Command, Farewell, HangUpAgent, HangUpCaller, PlayMusicOnHold, RingAgent
from changgu.acd.distribution import Distribution
from changgu.acd.engine import Effect, Engine, HalfDecided, RequestRefused
from changgu.acd.event_json import FloorOpened
from changgu.acd.events import (
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    CallArrived,
    CallbackAsked,
    CallerDialledIn,
    CallerHungUp,
    DeadlinePassed,
    Event,
    PhoneReachable,
    ToldLate,
)
from changgu.acd.facts import (
    CallEnded,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    Direction,
    Ender,
    FloorTakenUp,
    MenuStepTaken,
    Outcome,
    Recorded,
)
from changgu.acd.floor_json import floor_digest
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from changgu.acd.runner import LISTENERS_WAIT, InboxFull, Runner, SteadyClock

T0 = 1_790_000_000.0


class HandWoundClock:
    def __init__(self, now: float = T0) -> None:
        self.time = now

    def now(self) -> Instant:
        return self.time


class SmallEngine:
    """Answers a caller with a start, a step and an end; sets itself one deadline."""

    def __init__(self) -> None:
        self.handled: list[tuple[Event, Instant]] = []
        self.floors: list[Floor] = []
        self.deadline: Instant | None = None
        self.broken: set[CallId] = set()

    def configure(self, floor: Floor, now: Instant, *_: object) -> list[Effect]:
        self.floors.append(floor)
        return []

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        self.handled.append((event, now))
        match event:
            case CallerDialledIn(call=call) if call in self.broken:
                raise RuntimeError("a fault of ours")
            case CallerDialledIn(call=call):
                return [
                    CallStarted(call, Direction.INBOUND, None, "1000"),
                    HangUpCaller(call, Farewell.ERROR),
                    MenuStepTaken(call, "main", None),
                    CallEnded(call, Outcome.REFUSED, Ender.DESK),
                ]
            case AgentReady(agent=agent):
                return [RequestRefused("AgentReady", agent, "통화 중입니다.", "on a call")]
            case DeadlinePassed() if self.deadline is not None and now >= self.deadline:
                self.deadline = None
        return []

    def catch_up(self, event: ToldLate, now: Instant) -> tuple[Instant, list[Effect]]:
        assert event.at is not None
        return event.at, self.handle(event, event.at)

    def next_deadline(self) -> Instant | None:
        return self.deadline


class Floorful:
    """A runner with everything around it noted in one list."""

    def __init__(
        self, clock: HandWoundClock | None = None, first_seq: int = 1, *, engine: SmallEngine | None = None,
        whose: Callable[[str], str] = lambda number: "",
    ) -> None:  # fmt: skip
        self.engine = engine or SmallEngine()
        self.clock = clock or HandWoundClock()
        self.noted: list[tuple[str, object]] = []
        self.runner = Runner(
            self.engine, self.clock, self.do, [self.listener("pop"), self.listener("board")], first_seq,
            ledger=self.listener("ledger"), whose=whose,
        )  # fmt: skip

    def do(self, command: Command) -> None:
        self.noted.append(("switch", command))

    def listener(self, name: str) -> Callable[[Recorded], None]:
        return lambda recorded: self.noted.append((name, recorded))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.runner.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def settle(self) -> None:
        """Until everything posted so far has been handled, callers who come and all that goes before them."""
        async with asyncio.timeout(10):
            await self.runner.ask(CallArrived(CallId("the last"), QueueName("nowhere")))
            await self.runner.ask(PhoneReachable(AgentId("nobody")))


def dial(call: str) -> CallerDialledIn:
    return CallerDialledIn(CallId(call), None, "1000")


DECIDED = [
    ("ledger", "CallStarted"), ("ledger", "MenuStepTaken"), ("ledger", "CallEnded"), ("switch", "HangUpCaller"),
]  # fmt: skip
HEARD = [
    ("pop", "CallStarted"), ("board", "CallStarted"), ("pop", "MenuStepTaken"), ("board", "MenuStepTaken"),
    ("pop", "CallEnded"), ("board", "CallEnded"),
]  # fmt: skip


def words(floor: Floorful) -> list[tuple[str, str]]:
    return [(who, type(getattr(what, "fact", what)).__name__) for who, what in floor.noted]


async def test_twenty_agents_hang_up_at_once_and_their_phones_ring_before_those_who_look_on_hear_of_it() -> None:
    floor = Floorful()
    async with floor.running():
        for number in range(20):
            floor.runner.post(dial(f"c{number}"))
        await floor.settle()
    assert words(floor) == 20 * DECIDED + 20 * HEARD


async def test_an_agent_who_hangs_up_is_rung_for_the_next_caller_before_the_last_one_is_let_go() -> None:
    """Twenty who hang up at once have their next callers sooner (lesson 1); all else stays in its order."""
    agent, offer = AgentId("a1"), OfferId(7)
    last, waiting = CallId("last"), CallId("waiting")
    decided: list[Effect] = [
        HangUpAgent(AgentId("a2"), CallId("other"), OfferId(3)),
        HangUpCaller(last, Farewell.NONE),
        PlayMusicOnHold(CallId("third"), QueueName("help")),
        RingAgent(agent, waiting, offer, timedelta(seconds=20)),
        HangUpCaller(CallId("full"), Farewell.QUEUE_FULL),
    ]

    class Deciding(SmallEngine):
        def handle(self, event: Event, now: Instant) -> list[Effect]:
            return [*decided] if isinstance(event, AgentHungUp) else []

    floor = Floorful(engine=Deciding())
    async with floor.running():
        await floor.runner.ask(AgentHungUp(agent, last, OfferId(6)))
    assert [what for who, what in floor.noted if who == "switch"] == [
        decided[0], decided[2], decided[3], decided[1], decided[4],
    ]  # fmt: skip


async def test_an_agent_who_hangs_up_in_a_rush_of_callers_does_not_wait_for_the_last_of_them() -> None:
    floor = Floorful()
    hung_up = AgentHungUp(AgentId("a1"), CallId("talk"), OfferId(1))
    for number in range(100):
        floor.runner.post(dial(f"c{number}"))
    floor.runner.post(hung_up)
    async with floor.running():
        await floor.settle()
    handled = [event for event, _ in floor.engine.handled]
    assert handled[0] == hung_up
    assert handled[1:101] == [dial(f"c{number}") for number in range(100)]


async def test_news_without_end_keeps_nobody_from_hearing_it() -> None:
    clock = HandWoundClock()

    class SlowEngine(SmallEngine):
        def handle(self, event: Event, now: Instant) -> list[Effect]:
            clock.time += LISTENERS_WAIT + 0.01
            return super().handle(event, now)

    floor = Floorful(clock, engine=SlowEngine())
    async with floor.running():
        for number in range(3):
            floor.runner.post(dial(f"c{number}"))
        await floor.settle()
    assert words(floor) == 2 * DECIDED + HEARD + DECIDED + 2 * HEARD


async def test_whoever_the_switch_asks_hears_of_twenty_ends_before_it_hangs_up_on_anybody() -> None:
    """A survey after the call: whoever is to be asked has to be known when the caller would be hung up on (SAT-02)."""
    floor = Floorful()
    floor.runner = Runner(
        floor.engine, floor.clock, floor.do, [floor.listener("board")], 1, ledger=floor.listener("ledger"),
        advisers=[floor.listener("survey")],
    )  # fmt: skip
    async with floor.running():
        for number in range(20):
            floor.runner.post(dial(f"c{number}"))
        await floor.settle()
    ended = [at for at, word in enumerate(words(floor)) if word == ("survey", "CallEnded")]
    hung_up = [at for at, word in enumerate(words(floor)) if word == ("switch", "HangUpCaller")]
    assert len(ended) == len(hung_up) == 20
    assert all(before < after for before, after in zip(ended, hung_up, strict=True))


async def test_whoever_asked_is_answered_after_all_have_heard() -> None:
    floor = Floorful()
    async with floor.running():
        await floor.runner.ask(dial("c1"))
        assert words(floor) == DECIDED + HEARD


async def test_a_call_that_ended_without_us_has_been_heard_by_the_ledger_when_its_record_is_done() -> None:
    floor = Floorful()
    served = CallServedElsewhere(CallId("c9"), None, "1002", None, Outcome.REFUSED, Ender.DESK, T0, T0 + 60)
    async with floor.running():
        for number in range(3):
            floor.runner.post(dial(f"c{number}"))
        await floor.runner.record(served)
        assert ("ledger", "CallServedElsewhere") in words(floor)


async def test_facts_are_numbered_without_gaps_from_where_the_ledger_ended() -> None:
    floor = Floorful(first_seq=101)
    async with floor.running():
        floor.runner.post(dial("c1"))
        floor.runner.post(dial("c2"))
        await floor.settle()
    heard = [what for who, what in floor.noted if who == "board" and isinstance(what, Recorded)]
    assert [recorded.seq for recorded in heard] == list(range(101, 107))
    assert floor.runner.next_seq == 107


async def test_the_first_fact_of_an_event_carries_the_event() -> None:
    floor = Floorful()
    async with floor.running():
        floor.runner.post(dial("c1"))
        floor.runner.post(dial("c2"))
        await floor.settle()
    causes = [noted.because for who, noted in floor.noted if who == "ledger" and isinstance(noted, Recorded)]
    assert causes == [dial("c1"), None, None, dial("c2"), None, None]


async def test_the_first_set_up_opens_the_floor_and_the_next_is_taken_up() -> None:
    """In the ledger they tell when the program began, and with what."""
    ledger: list[Recorded] = []
    first = Floor((Queue(QueueName("network"), "네트워크"),))
    second = Floor((*first.queues, Queue(QueueName("pc"), "PC")))
    engine = Engine(first)
    runner = Runner(engine, HandWoundClock(), lambda command: None, [], 1, ledger=ledger.append)
    runner.configure(first)
    runner.configure(second)
    runner.configure(second)
    task = asyncio.create_task(runner.run())
    await asyncio.wait_for(runner.ask(PhoneReachable(AgentId("nobody"))), 10)
    task.cancel()
    digests = [floor_digest(first), floor_digest(second)]
    assert [entry.fact for entry in ledger[:2]] == [FloorTakenUp(digest) for digest in digests]
    assert [entry.because for entry in ledger[:2]] == [FloorOpened(digests[0]), FloorTakenUp(digests[1])]
    assert ledger[2].because == PhoneReachable(AgentId("nobody"))


async def test_facts_of_one_event_bear_one_time_and_time_never_goes_back() -> None:
    floor = Floorful(HandWoundClock(T0 + 0.1234567891))
    async with floor.running():
        floor.runner.post(dial("c1"))
        await floor.settle()
        floor.clock.time = T0 - 3600
        floor.runner.post(dial("c2"))
        await floor.settle()
    heard = [what for who, what in floor.noted if who == "board" and isinstance(what, Recorded)]
    assert {recorded.at for recorded in heard} == {T0 + 0.123457}
    assert {now for _, now in floor.engine.handled} == {T0 + 0.123457}


async def test_a_failing_listener_stops_neither_routing_nor_the_other_listeners(
    caplog: pytest.LogCaptureFixture,
) -> None:
    floor = Floorful()

    def fails(recorded: Recorded) -> None:
        raise RuntimeError("no room")

    runner = Runner(floor.engine, floor.clock, floor.do, [fails, floor.listener("board")], 1)
    floor.runner = runner
    async with floor.running():
        runner.post(dial("c1"))
        await floor.settle()
    assert [who for who, _ in floor.noted] == ["switch", "board", "board", "board"]
    warning = caplog.records[0]
    assert (warning.levelname, warning.__dict__["call_id"]) == ("WARNING", "c1")


async def test_a_ledger_that_takes_nothing_stops_the_floor_rather_than_be_skipped() -> None:
    floor = Floorful()

    def full(recorded: Recorded) -> None:
        raise OSError("no space")

    runner = Runner(floor.engine, floor.clock, floor.do, [floor.listener("board")], 1, ledger=full)
    runner.post(dial("c1"))
    with pytest.raises(OSError, match="no space"):
        await asyncio.wait_for(runner.run(), 10)
    assert floor.noted == []


async def test_a_fault_at_one_call_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    floor = Floorful()
    floor.engine.broken = {CallId("c1")}
    async with floor.running():
        floor.runner.post(dial("c1"))
        with pytest.raises(RuntimeError):
            await floor.runner.ask(dial("c1"))
        floor.runner.post(dial("c2"))
        await floor.settle()
    assert {what.fact.call for who, what in floor.noted if isinstance(what, Recorded)} == {"c2"}  # type: ignore[union-attr]
    assert floor.runner.failed_events == 2
    assert caplog.records[0].__dict__["call_id"] == "c1"


class FaultyEngine(SmallEngine):
    """Fails after it has made a caller's start true."""

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        if isinstance(event, CallerDialledIn):
            raise HalfDecided([CallStarted(event.call, Direction.INBOUND, None, "1000")])
        return super().handle(event, now)


async def test_what_the_engine_made_true_before_it_failed_is_written_down_all_the_same() -> None:
    floor = Floorful(engine=FaultyEngine())
    async with floor.running():
        floor.runner.post(dial("c1"))
        await floor.settle()
    assert [(who, what.fact) for who, what in floor.noted if isinstance(what, Recorded)] == [
        (who, CallStarted(CallId("c1"), Direction.INBOUND, None, "1000")) for who in ("ledger", "pop", "board")
    ]
    assert floor.runner.failed_events == 1


def test_an_engine_that_fails_half_way_says_what_is_true_already(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_distribution: Distribution, _now: Instant) -> None:
        raise AssertionError("a fault of ours")

    engine = Engine(Floor((Queue(QueueName("pc"), "PC"),), ()))
    engine.handle(dial("c1"), T0)
    monkeypatch.setattr(Distribution, "run", fails)
    with pytest.raises(HalfDecided) as half:
        engine.handle(CallArrived(CallId("c1"), QueueName("pc")), T0)
    written = [effect for effect in half.value.effects if isinstance(effect, CallQueued)]
    assert [fact.call for fact in written] == ["c1"]


async def test_whoever_asks_is_told_after_their_wish_was_handled() -> None:
    floor = Floorful()
    async with floor.running():
        assert await floor.runner.ask(AgentNotReady(AgentId("alice"), NotReadyReason.MEAL)) is None
        refused = await floor.runner.ask(AgentReady(AgentId("alice")))
    assert refused is not None
    assert refused.why_ko == "통화 중입니다."


async def test_who_still_waits_for_an_answer_when_the_floor_closes_is_told_so() -> None:
    floor = Floorful()
    task = asyncio.create_task(floor.runner.run())
    await floor.settle()
    asked = asyncio.create_task(floor.runner.ask(AgentReady(AgentId("alice"))))
    task.cancel()
    with pytest.raises(InboxFull):
        await asyncio.wait_for(asked, 10)
    with pytest.raises(InboxFull):
        floor.runner.post(dial("c1"))


async def test_a_deadline_wakes_the_engine_and_nothing_else_does() -> None:
    floor = Floorful()
    clock = SteadyClock()
    floor.runner = Runner(floor.engine, clock, floor.do, [], 1)
    floor.engine.deadline = clock.now() + 0.15
    began = clock.now()
    async with floor.running(), asyncio.timeout(10):
        while floor.engine.deadline is not None:
            await asyncio.sleep(0.01)
    assert clock.now() - began >= 0.15
    assert 1 <= len(floor.engine.handled) <= 3


async def test_a_limit_that_ran_out_while_we_were_away_gives_way_to_what_happened_before_it() -> None:
    floor = Floorful()
    floor.engine.deadline = T0 - 60
    floor.runner.hold_deadlines()
    async with floor.running():
        await floor.settle()
        floor.runner.post(dial("c1"))
        floor.runner.release_deadlines()
        async with asyncio.timeout(5):
            while floor.engine.deadline is not None:
                await asyncio.sleep(0)
    kinds = [type(event) for event, _ in floor.engine.handled]
    assert kinds.index(CallerDialledIn) < kinds.index(DeadlinePassed)


async def test_what_is_told_late_is_written_with_its_own_time_behind_what_was_written_before() -> None:
    """And what comes after it with the present: time does not go back for others."""

    class Deciding(SmallEngine):
        def handle(self, event: Event, now: Instant) -> list[Effect]:
            if isinstance(event, CallerHungUp):
                return [CallEnded(event.call, Outcome.ANSWERED, Ender.CALLER)]
            return []

    floor = Floorful(engine=Deciding())
    left = [CallerHungUp(CallId("c1")), CallerHungUp(CallId("c2"), at=T0 - 60), CallerHungUp(CallId("c3"))]
    async with floor.running():
        for event in left:
            floor.runner.post(event)
        await floor.settle()
    told = [what for who, what in floor.noted if who == "ledger" and isinstance(what, Recorded)]
    assert [(one.seq, one.at, one.because) for one in told] == [
        (1, T0, left[0]), (2, T0 - 60, left[1]), (3, T0, left[2]),
    ]  # fmt: skip


async def test_a_deadline_that_comes_nearer_is_not_slept_through() -> None:
    floor = Floorful()
    clock = SteadyClock()
    floor.runner = Runner(floor.engine, clock, floor.do, [], 1)
    floor.engine.deadline = clock.now() + 3600
    async with floor.running(), asyncio.timeout(10):
        await floor.settle()
        floor.engine.deadline = clock.now() + 0.05
        floor.runner.post(PhoneReachable(AgentId("alice")))
        while floor.engine.deadline is not None:
            await asyncio.sleep(0.01)


async def test_news_may_come_from_another_thread() -> None:
    floor = Floorful()
    async with floor.running():
        await floor.settle()
        thread = Thread(target=lambda: floor.runner.post_threadsafe(dial("c1")))
        thread.start()
        await asyncio.to_thread(thread.join)
        await floor.settle()
    assert ("switch", HangUpCaller(CallId("c1"), Farewell.ERROR)) in floor.noted


async def test_a_changed_floor_takes_its_turn() -> None:
    floor = Floorful()
    changed = Floor((Queue(QueueName("vpn"), "VPN"),))
    async with floor.running():
        floor.runner.configure(changed)
        await floor.settle()
    assert floor.engine.floors == [changed]


async def test_a_caller_in_the_real_engine_waits_and_leaves() -> None:
    queue = QueueName("network")
    engine = Engine(Floor((Queue(queue, "네트워크"),), (Agent(AgentId("alice"), "김지은", frozenset({queue})),)))
    heard: list[Recorded] = []
    runner = Runner(engine, HandWoundClock(), lambda command: None, [heard.append], 1)
    task = asyncio.create_task(runner.run())
    runner.post(dial("c1"))
    await runner.ask(CallArrived(CallId("c1"), queue))
    refused = await runner.ask(AgentReady(AgentId("nobody")))
    assert refused is not None
    assert [call.call for call in engine.waiting(queue)] == ["c1"]
    runner.post(CallerHungUp(CallId("c1")))
    await runner.ask(AgentReady(AgentId("nobody")))
    task.cancel()
    assert isinstance(heard[-1].fact, CallEnded)
    assert heard[-1].fact.outcome is Outcome.ABANDONED_IN_QUEUE


def test_a_corrected_system_clock_neither_stretches_nor_shrinks_a_wait() -> None:
    wall, steady = [T0], [50.0]
    clock = SteadyClock(wall=lambda: wall[0], steady=lambda: steady[0])
    wall[0] += 3600
    steady[0] += 7
    assert clock.now() == T0 + 7


def test_after_a_restart_time_goes_on_from_the_ledgers_last_line() -> None:
    assert SteadyClock(T0 + 60, wall=lambda: T0, steady=lambda: 0.0).now() == T0 + 60
    assert SteadyClock(T0 - 60, wall=lambda: T0, steady=lambda: 0.0).now() == T0


def test_a_ledger_hours_ahead_of_the_clock_is_said_and_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    assert SteadyClock(T0 + 9 * 3600, wall=lambda: T0, steady=lambda: 0.0).now() == T0
    assert "32400 s ahead" in caplog.text


async def test_the_engine_is_told_whose_number_it_is_and_so_is_whoever_replays_the_ledger() -> None:
    floor = Floorful(whose=lambda number: "7" if number == "5010" else "")
    known = CallerDialledIn(CallId("c1"), "5010", "1000")
    unknown = CallerDialledIn(CallId("c2"), "5011", "1000")
    asked = CallbackAsked(CallbackId("cb1"), "5010", QueueName("network"))
    async with floor.running():
        for event in (known, unknown, dial("withheld"), asked):
            floor.runner.post(event)
        await floor.settle()

    handled = {event.call: event for event, _ in floor.engine.handled if isinstance(event, CallerDialledIn)}
    assert {call: event.person for call, event in handled.items()} == {"c1": "7", "c2": "", "withheld": ""}
    assert [event.person for event, _ in floor.engine.handled if isinstance(event, CallbackAsked)] == ["7"]
    written = [recorded for who, recorded in floor.noted if who == "ledger" and isinstance(recorded, Recorded)]
    assert [recorded.because for recorded in written if recorded.because] == list(handled.values())
