"""Screens get everything once, then what changed, numbered; no slow screen holds up another."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from changgu.acd.facts import CallQueued, CallStarted, Direction, Fact, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Floor
from changgu.wallboard import feed as feed_module
from changgu.wallboard.board import Board
from changgu.wallboard.feed import BACKLOG, Feed, Screen, SlowScreenError
from tests.wallboard.traffic import Traffic, example_floor

SEOUL = ZoneInfo("Asia/Seoul")
START = datetime(2026, 11, 21, 9, 0, tzinfo=SEOUL).timestamp()


class Wall:
    """A screen that folds what it is sent, as the page does."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.shown: dict[str, Any] = {}
        self._news = asyncio.Event()

    async def send(self, text: str) -> None:
        message = json.loads(text)
        self.messages.append(message)
        if message["type"] == "snapshot":
            self.shown = {part: message[part] for part in ("queues", "agents", "totals")}
        else:
            assert message["seq"] == self.messages[-2]["seq"] + 1
            for part in ("queues", "agents"):
                self.shown[part].update(message[part])
                self.shown[part] = {name: row for name, row in self.shown[part].items() if row is not None}
            self.shown["totals"] = message["totals"] or self.shown["totals"]
        self._news.set()

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not wanted():
                self._news.clear()
                await self._news.wait()


class Stuck:
    """A screen that stops reading after its snapshot."""

    def __init__(self) -> None:
        self.taken = 0
        self.free = asyncio.Event()

    async def send(self, text: str) -> None:
        self.taken += 1
        await self.free.wait()


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    floor = example_floor(6)
    one = Feed(Board(floor, SEOUL, START), lambda: START, pause=0.001)
    running = asyncio.create_task(one.run())
    yield one
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def queued(seq: int, call: str) -> list[Recorded]:
    name = CallId(call)
    facts: list[Fact] = [CallStarted(name, Direction.INBOUND, None, "1000"), CallQueued(name, QueueName("network"), 0)]
    return [Recorded(seq + n, START, fact) for n, fact in enumerate(facts)]


async def test_a_screen_gets_a_snapshot_and_then_a_delta_with_the_next_number(feed: Feed) -> None:
    wall = Wall()
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 1)
    assert (wall.messages[0]["type"], wall.messages[0]["at"]) == ("snapshot", "2026-11-21T00:00:00.000Z")

    for one in queued(1, "c1"):
        feed.hear(one)
    await wall.until(lambda: len(wall.messages) == 2)

    delta = wall.messages[1]
    assert (delta["type"], delta["seq"]) == ("delta", wall.messages[0]["seq"] + 1)
    assert list(delta["queues"]) == ["network"]
    assert delta["queues"]["network"]["waiting"] == delta["totals"]["waiting"] == 1
    assert delta["agents"] == {}
    serving.cancel()


async def test_many_facts_at_once_become_one_delta(feed: Feed) -> None:
    wall = Wall()
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 1)

    for n in range(100):
        for one in queued(2 * n + 1, f"c{n}"):
            feed.hear(one)
    await wall.until(lambda: len(wall.messages) == 2)

    assert wall.messages[1]["totals"]["waiting"] == 100
    serving.cancel()


async def test_what_a_screen_shows_is_what_a_fresh_snapshot_says(feed: Feed) -> None:
    floor = example_floor(6)
    traffic = Traffic(floor, 11, START)
    wall = Wall()
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 1)
    for one in traffic.sign_everybody_in():
        feed.hear(one)
    for step in range(300):
        for one in traffic.step():
            feed.hear(one)
        if step == 150:
            feed.configure(Floor(floor.queues[1:], floor.agents[1:]))
        if step % 10 == 0:
            await asyncio.sleep(0)
    last = feed.seq + 1
    await wall.until(lambda: wall.messages[-1]["seq"] >= last)

    fresh = feed.snapshot()
    assert wall.shown == {part: fresh[part] for part in ("queues", "agents", "totals")}
    serving.cancel()


async def test_a_screen_that_reads_too_slowly_starts_over_with_a_snapshot() -> None:
    screen = Screen()
    assert await screen.next(lambda: "snapshot 1") == "snapshot 1"
    for n in range(BACKLOG):
        screen.put(f"delta {n}")
    assert await screen.next(lambda: "unused") == "delta 0"

    screen.put("one more")
    screen.put("one too many")

    assert await screen.next(lambda: "snapshot 2") == "snapshot 2"
    screen.put("delta after")
    assert await screen.next(lambda: "unused") == "delta after"


async def test_a_stuck_screen_costs_the_others_nothing_and_is_cut_off(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "SEND_LIMIT", 0.2)
    stuck, wall = Stuck(), Wall()
    serving_stuck = asyncio.create_task(feed.serve(stuck.send))
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 1)
    for n in range(3 * BACKLOG):
        for one in queued(2 * n + 1, f"c{n}"):
            feed.hear(one)
        await feed.publish()
    await wall.until(lambda: bool(wall.messages) and wall.shown["totals"]["waiting"] == 3 * BACKLOG)

    with pytest.raises(SlowScreenError):
        await asyncio.wait_for(serving_stuck, 5)

    assert stuck.taken == 1
    assert feed.screens == 1
    serving.cancel()


async def test_a_screen_that_has_gone_is_forgotten(feed: Feed) -> None:
    wall = Wall()
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 1)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert feed.screens == 0


async def test_silence_is_broken_so_that_screens_know_the_line_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HEARTBEAT", 0.01)
    feed = Feed(Board(example_floor(2), SEOUL, START), lambda: START, pause=0.001)
    running = asyncio.create_task(feed.run())
    wall = Wall()
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 3)

    assert wall.messages[2]["queues"] == wall.messages[2]["agents"] == wall.messages[2]["totals"] == {}
    serving.cancel()
    running.cancel()


async def test_midnight_reaches_the_screens_without_a_call() -> None:
    now = START
    board = Board(example_floor(2), SEOUL, START)
    feed = Feed(board, lambda: now, pause=0.001)
    for one in queued(1, "c1"):
        feed.hear(one)
    await feed.publish()
    wall = Wall()
    serving = asyncio.create_task(feed.serve(wall.send))
    await wall.until(lambda: len(wall.messages) == 1)
    assert wall.shown["totals"]["offered"] == 1

    now = board.day_end + 1
    running = asyncio.create_task(feed.run())
    await wall.until(lambda: wall.shown["totals"]["offered"] == 0)

    assert wall.shown["totals"]["day"] == "2026-11-22"
    serving.cancel()
    running.cancel()
