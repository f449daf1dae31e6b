"""What is kept is kept once, in order, and comes back as it was."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.call_record import fold
from changgu.acd.engine import Engine
from changgu.acd.events import CallbackAsked
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
    MenuStepTaken,
    Outcome,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.service import Spool
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.acd.runner import Runner, SteadyClock
from changgu.acd.store import DEFAULT_QUEUES, CallFilter, CallStore, FloorStore, Sight
from changgu.app.page_joins import WrittenDown
from changgu.ground.database import Database, Statements, moment
from changgu.ground.trouble import BadInput

T0 = 1_790_000_000.25
ALICE = AgentId("alice")

T = TypeVar("T")


def story(call: str, *, agent: str = "alice", queue: str = "network", caller: str | None = "01012345678") -> list[Fact]:
    """An answered call from the beginning to the end of its wrap-up: nine facts."""
    c, a, q, o = CallId(call), AgentId(agent), QueueName(queue), OfferId(1)
    return [
        CallStarted(c, Direction.INBOUND, caller, "1000"),
        MenuStepTaken(c, "main", None),
        CallQueued(c, q, 0, frozenset({"vpn"})),
        CallOffered(c, a, o, q),
        AgentStateChanged(a, AgentState.READY, AgentState.RESERVED, call=c),
        CallConnected(c, a, o),
        CallEnded(c, Outcome.ANSWERED, Ender.CALLER),
        AgentStateChanged(a, AgentState.TALKING, AgentState.WRAP_UP, call=c),
        AgentStateChanged(a, AgentState.WRAP_UP, AgentState.READY, call=c),
    ]


def stamped(facts: Iterable[Fact], first: int = 1) -> list[Recorded]:
    return [Recorded(seq, T0 + seq, fact) for seq, fact in enumerate(facts, start=first)]


@asynccontextmanager
async def running(ledger: Ledger) -> AsyncIterator[Ledger]:
    task = asyncio.create_task(ledger.run())
    try:
        yield ledger
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool.jsonl"


async def until(condition: object, limit: float = 30.0) -> None:
    """Wait for something that another task brings about."""
    assert callable(condition)
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def database_locked(tmp_path: Path) -> AsyncIterator[None]:
    """Another process writes and does not finish: nobody else can."""
    path = tmp_path / "changgu.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def test_facts_come_back_as_they_were_in_order(database: Database, spool: Path) -> None:
    facts = stamped([*story("c1"), *story("c2", caller=None)])
    ledger = Ledger(database, spool)
    async with running(ledger):
        for fact in facts:
            ledger.hear(fact)
        assert await ledger.flush()
    assert await ledger.read() == facts
    assert await ledger.read(after_seq=16) == facts[16:]
    assert await ledger.read(since=facts[10].at, limit=2) == facts[10:12]
    assert await ledger.of_call(CallId("c2")) == facts[9:]
    assert await ledger.last_seq() == 18
    assert await ledger.last_at() == facts[-1].at
    assert await ledger.last_offer() == 1


async def test_an_empty_ledger_begins_at_nothing(database: Database, spool: Path) -> None:
    ledger = Ledger(database, spool)
    assert (await ledger.last_seq(), await ledger.last_at(), await ledger.last_offer()) == (0, 0.0, 0)
    assert await ledger.read() == await ledger.recovery_tail() == []


@pytest.mark.parametrize("batch", [1, 2, 7, 500])
async def test_a_calls_row_is_the_fold_of_its_facts_however_they_were_grouped(
    database: Database, spool: Path, batch: int
) -> None:
    facts = stamped([*story("c1"), *story("c2"), *story("c3")[:6]])
    ledger = Ledger(database, spool, batch=batch)
    for fact in facts:
        ledger.hear(fact)
    assert await ledger.flush()
    page = await CallStore(database).page(CallFilter())
    assert {record.id: record for record in page.records} == fold(facts)


async def test_the_facts_of_one_event_are_written_together_or_not_at_all(database: Database, spool: Path) -> None:
    ledger = Ledger(database, spool, batch=2)
    for seq, fact in enumerate(story("c1"), start=1):
        ledger.hear(Recorded(seq, T0 if seq < 6 else T0 + 1, fact))
    written: list[int] = []
    while ledger.waiting:
        await ledger.flush(limit=0.0)
        written.append(await ledger.last_seq())
    assert written == [5, 9]


async def test_a_promise_that_was_confirmed_is_written_down(database: Database, spool: Path) -> None:
    """A kill a moment after the agent has read that it is booked loses nothing."""
    queue = QueueName("network")
    ledger = Ledger(database, spool)  # nobody runs it: it writes nothing of itself
    engine = Engine(Floor((Queue(queue, "네트워크"),), ()))
    runner = Runner(engine, SteadyClock(), lambda command: None, [], 1, ledger=ledger.hear)
    running = asyncio.create_task(runner.run())
    asked = CallbackAsked(CallbackId("b1"), "01012345678", queue)

    assert await WrittenDown(runner, ledger).ask(asked) is None
    assert "CallbackBooked" in [type(entry.fact).__name__ for entry in await ledger.read()]
    running.cancel()


async def test_a_call_goes_on_in_its_row_after_a_restart(database: Database, spool: Path) -> None:
    facts = stamped(story("c1"))
    before = Ledger(database, spool)
    for fact in facts[:8]:
        before.hear(fact)
    assert await before.flush()
    after = Ledger(database, spool)
    after.hear(facts[8])
    assert await after.flush()
    assert await CallStore(database).get(CallId("c1")) == fold(facts)[CallId("c1")]


async def test_while_the_database_is_away_facts_go_to_disk_and_come_in_once_and_in_order(
    database: Database, spool: Path, tmp_path: Path
) -> None:
    facts = stamped([*story("c1"), *story("c2"), *story("c3")])
    ledger = Ledger(database, spool, patience=0.3, retry=0.05)
    async with running(ledger):
        for fact in facts[:9]:
            ledger.hear(fact)
        await until(lambda: ledger.waiting == 0 and not ledger.spooling)
        async with database_locked(tmp_path):
            for fact in facts[9:14]:
                ledger.hear(fact)
            await until(lambda: ledger.spooling and ledger.waiting == 0)
            for fact in facts[14:20]:
                ledger.hear(fact)
            await until(lambda: ledger.waiting == 0)
            assert len(spool.read_bytes().splitlines()) == 11
        await until(lambda: not ledger.spooling)
        assert not spool.exists()
        for fact in facts[20:]:
            ledger.hear(fact)
        assert await ledger.flush()
    assert await ledger.read() == facts
    assert ledger.lost == 0
    assert {r.id: r for r in (await CallStore(database).page(CallFilter())).records} == fold(facts)


class SlowDatabase(Database):
    """A database that takes its time, for as long as `slow` is set; what has begun is done in the end."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.slow = False
        self.go_on = asyncio.Event()
        self.begun = 0

    async def write(self, work: Callable[[Statements], T]) -> T:
        self.begun += 1
        if self.slow:
            await self.go_on.wait()
        return await super().write(work)


async def test_a_write_that_comes_late_is_neither_lost_nor_doubled_nor_an_alarm(
    database: Database, spool: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    facts = stamped([*story("c1"), *story("c2"), *story("c3")])
    slow = SlowDatabase(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    ledger = Ledger(slow, spool, patience=0.05, retry=0.05)
    for fact in facts[:9]:
        ledger.hear(fact)
    assert await ledger.flush()
    slow.slow = True
    async with running(ledger):
        for fact in facts[9:14]:
            ledger.hear(fact)
        await until(lambda: ledger.spooling and ledger.waiting == 0)
        for fact in facts[14:20]:
            ledger.hear(fact)
        await until(lambda: ledger.waiting == 0)
        assert slow.begun == 2, "while one write is late there is no other"
        slow.slow = False
        slow.go_on.set()
        await until(lambda: not ledger.spooling)
        for fact in facts[20:]:
            ledger.hear(fact)
        assert await ledger.flush()
    assert not [line for line in caplog.messages if "failed" in line]
    assert await ledger.read() == facts
    assert {r.id: r for r in (await CallStore(database).page(CallFilter())).records} == fold(facts)
    await slow.close()


async def test_a_spool_left_by_a_crash_is_brought_in_at_the_start_each_fact_once(
    database: Database, spool: Path, tmp_path: Path
) -> None:
    facts = stamped([*story("c1"), *story("c2")])
    crashed = Ledger(database, spool, patience=0.3, retry=60)
    for fact in facts[:3]:
        crashed.hear(fact)
    assert await crashed.flush()
    async with database_locked(tmp_path):
        for fact in facts[3:]:
            crashed.hear(fact)
        assert await crashed.flush()
    assert spool.exists()
    with spool.open("ab") as file:
        file.write(b'{"seq":19,"at":17900')  # the last line was being written when the power went

    restarted = Ledger(database, spool)
    await restarted.recover()
    assert not spool.exists()
    assert await restarted.read() == facts
    assert {r.id: r for r in (await CallStore(database).page(CallFilter())).records} == fold(facts)


async def test_a_database_that_is_busy_at_the_start_is_waited_for(
    database: Database, spool: Path, tmp_path: Path
) -> None:
    facts = stamped(story("c1"))
    crashed = Ledger(database, spool, patience=0.1, retry=60)
    restarted = Ledger(database, spool, patience=0.1)
    async with database_locked(tmp_path):
        for fact in facts:
            crashed.hear(fact)
        assert await crashed.flush()
        recovery = asyncio.create_task(restarted.recover())
        await asyncio.wait({recovery}, timeout=0.5)
        assert not recovery.done()
    await recovery
    assert await restarted.read() == facts


KILLED = """
import asyncio, sys
from pathlib import Path
from changgu.ground.database import Database
from changgu.acd.ledger.store import Ledger
from tests.acd.test_store import stamped, story

async def main():
    folder = Path(sys.argv[1])
    ledger = Ledger(Database(f"sqlite+aiosqlite:///{folder / 'changgu.db'}"), folder / "spool.jsonl", patience=0.3)
    asyncio.create_task(ledger.run())
    for fact in stamped([*story("c1"), *story("c2")]):
        ledger.hear(fact)
    while ledger.waiting:
        await asyncio.sleep(0.01)
    print("safe", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_service_killed_while_it_spools_loses_nothing(database: Database, spool: Path, tmp_path: Path) -> None:
    async with database_locked(tmp_path):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(tmp_path), cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        async with asyncio.timeout(60):
            assert await child.stdout.readline() == b"safe\n"
        child.kill()
        await child.wait()
    restarted = Ledger(database, spool)
    await restarted.recover()
    facts = stamped([*story("c1"), *story("c2")])
    assert await restarted.read() == facts
    assert {r.id: r for r in (await CallStore(database).page(CallFilter())).records} == fold(facts)


async def test_an_event_that_a_crash_cut_off_in_the_spool_is_brought_in_whole_or_not_at_all(
    database: Database, spool: Path
) -> None:
    c1, alice = CallId("c1"), ALICE
    begun = [Recorded(seq, T0 + seq, fact) for seq, fact in enumerate(story("c1")[:6], start=1)]
    ended = [
        Recorded(7, T0 + 7, CallEnded(c1, Outcome.ANSWERED, Ender.CALLER)),
        Recorded(8, T0 + 7, AgentStateChanged(alice, AgentState.TALKING, AgentState.WRAP_UP, call=c1)),
    ]
    Spool(spool, 10_000).append([*begun, *ended])
    written = spool.read_bytes()
    spool.write_bytes(written[:-20])

    restarted = Ledger(database, spool)
    await restarted.recover()

    assert await restarted.read() == begun


async def test_a_spool_is_read_in_pieces_that_tear_no_event_apart(spool: Path) -> None:
    facts = [Recorded(seq, T0 + seq // 3, fact) for seq, fact in enumerate(story("c1"), start=3)]
    held = Spool(spool, 10_000)
    held.append(facts)

    first, offset = held.read(0, 2)
    second, offset = held.read(offset, 2)
    third, offset = held.read(offset, 2)

    assert [first, second, third] == [facts[:3], facts[3:6], facts[6:]]
    assert held.read(offset, 2) == ([], offset)


async def test_a_full_disk_keeps_facts_in_memory_and_what_does_not_fit_is_counted(
    database: Database, spool: Path, tmp_path: Path
) -> None:
    facts = stamped(story("c1"))
    ledger = Ledger(database, spool, patience=0.3, retry=0.05, spool_limit=0, memory=5)
    async with running(ledger):
        async with database_locked(tmp_path):
            for fact in facts:
                ledger.hear(fact)
            await until(lambda: ledger.spooling)
            assert (ledger.waiting, ledger.lost) == (5, 4)
        await until(lambda: not ledger.spooling and ledger.waiting == 0)
    assert await ledger.read() == facts[:5]


async def test_the_recovery_tail_is_short_and_begins_where_every_agent_and_call_is_known(
    database: Database, spool: Path
) -> None:
    before = [
        PhoneStateChanged(ALICE, reachable=True),
        AgentStateChanged(ALICE, AgentState.LOGGED_OUT, AgentState.NOT_READY, NotReadyReason.SIGNED_IN),
        AgentStateChanged(ALICE, AgentState.NOT_READY, AgentState.READY),
        *story("c1"),
    ]
    minutes_ago = [Recorded(seq, T0 - 120 + seq, fact) for seq, fact in enumerate(before, start=1)]
    facts = [*minutes_ago, *stamped([*story("c2"), *story("c3")[:6]], first=13)]
    ledger = Ledger(database, spool)
    for fact in facts:
        ledger.hear(fact)
    assert await ledger.flush()
    tail = await Past(database, recalled=2).now()
    last_two_calls = range(13, 28)
    assert [entry.seq for entry in tail] == [1, *last_two_calls]
    assert await ledger.recovery_tail() == facts  # of a young ledger everything is read


async def test_the_floor_comes_back_as_it_was_saved(database: Database) -> None:
    store = FloorStore(database)
    ring_limit = timedelta(seconds=15)
    queue = Queue(QueueName("vpn"), "VPN", "1010", ring_limit=ring_limit, ticket=TicketPolicy.ASK, record=False)
    agent = Agent(ALICE, "김지은", frozenset({QueueName("vpn"), QueueName("pc")}), frozenset({"vpn"}), "browser")
    floor = await store.save([queue], [agent])
    assert floor == await FloorStore(database).load_floor()
    assert (floor.queues, floor.agents) == ((queue,), (agent,))


async def test_an_agents_phone_password_is_made_once_and_stays(database: Database) -> None:
    store = FloorStore(database)
    await store.save(agents=[Agent(ALICE, "김지은")])
    password = await store.sip_password(ALICE)
    await store.save(agents=[Agent(ALICE, "김지은", phone="browser")])
    assert await store.sip_passwords() == {ALICE: password}
    assert len(password) >= 32
    await store.remove_agent(ALICE)
    assert await store.sip_passwords() == {}


async def test_a_number_may_pass_from_one_queue_to_another_in_one_list(database: Database) -> None:
    store = FloorStore(database)
    await store.save([Queue(QueueName("a"), "A", "1"), Queue(QueueName("b"), "B", "2")])
    floor = await store.save([Queue(QueueName("a"), "A", "2"), Queue(QueueName("b"), "B", "1")])
    assert [queue.number for queue in floor.queues] == ["2", "1"]


async def test_only_an_empty_floor_is_given_the_first_queues(database: Database) -> None:
    store = FloorStore(database)
    assert await store.seed()
    assert not await store.seed()
    assert {queue.name for queue in (await store.load_floor()).queues} == {queue.name for queue in DEFAULT_QUEUES}


@pytest.fixture
async def calls(database: Database, spool: Path) -> CallStore:
    ledger = Ledger(database, spool)
    facts = stamped([
        *story("c1"), *story("c2", agent="bob", queue="pc", caller="+821012345678"),
        *story("c3", caller="027001234"), *story("c4", caller=None)[:3],
    ])  # fmt: skip
    for fact in facts:
        ledger.hear(fact)
    assert await ledger.flush()
    return CallStore(database)


async def ids(calls: CallStore, wanted: CallFilter) -> list[str]:
    return [record.id for record in (await calls.page(wanted)).records]


async def test_calls_are_listed_newest_first_page_by_page(calls: CallStore) -> None:
    first = await calls.page(CallFilter(), limit=3)
    assert [record.id for record in first.records] == ["c4", "c3", "c2"]
    second = await calls.page(CallFilter(), first.next, limit=3)
    assert ([record.id for record in second.records], second.next) == (["c1"], None)


@pytest.mark.parametrize("cursor", ["", "x", "YzEy!", "ZDEy", "ÿ"])
async def test_a_cursor_that_nobody_gave_out_is_refused(calls: CallStore, cursor: str) -> None:
    with pytest.raises(BadInput):
        await calls.page(CallFilter(), cursor)


async def test_each_filter_finds_its_calls(calls: CallStore) -> None:
    assert await ids(calls, CallFilter(queue="pc")) == ["c2"]
    assert await ids(calls, CallFilter(agent="alice")) == ["c3", "c1"]
    assert await ids(calls, CallFilter(outcome=Outcome.ANSWERED)) == ["c3", "c2", "c1"]
    assert await ids(calls, CallFilter(open=True)) == ["c4"]
    assert await ids(calls, CallFilter(open=False)) == ["c3", "c2", "c1"]
    assert await ids(calls, CallFilter(since=moment(T0 + 19))) == ["c4", "c3"]
    assert await ids(calls, CallFilter(until=moment(T0 + 19))) == ["c2", "c1"]


@pytest.mark.parametrize("number", ["010-1234-5678", "01012345678", "+82 10-1234-5678", "+821012345678"])
async def test_a_number_finds_its_calls_however_it_is_written(calls: CallStore, number: str) -> None:
    assert await ids(calls, CallFilter(caller=number)) == ["c2", "c1"]


async def test_an_agent_sees_the_calls_of_their_own_queues_and_their_own_calls_only(calls: CallStore) -> None:
    assert await ids(calls, CallFilter(visible_to=Sight(AgentId("bob"), frozenset()))) == ["c2"]
    hers = Sight(ALICE, frozenset({QueueName("network")}))
    assert await ids(calls, CallFilter(visible_to=hers)) == ["c4", "c3", "c1"]


async def test_the_ledger_can_be_read_by_any_tool(database: Database, spool: Path, tmp_path: Path) -> None:
    ledger = Ledger(database, spool)
    ledger.hear(Recorded(1, T0, CallQueued(CallId("c"), QueueName("q"), 2, frozenset({"b", "a"}))))
    assert await ledger.flush()
    with closing(sqlite3.connect(tmp_path / "changgu.db")) as other:
        row = other.execute("select seq, kind, call, agent, body from ledger").fetchone()
    assert row[:4] == (1, "CallQueued", "c", None)
    assert '"skills":["a","b"]' in row[4]


async def test_a_number_that_no_database_takes_stops_nothing(database: Database, spool: Path) -> None:
    ledger = Ledger(database, spool)
    for recorded in stamped(story("c1", caller="\ud800010" + "9" * 500)):
        ledger.hear(recorded)
    assert await ledger.flush()
    record = await CallStore(database).get(CallId("c1"))
    assert record is not None
    assert record.caller is not None
    assert (record.caller[:4], len(record.caller), ledger.spooling) == ("?010", 200, False)
