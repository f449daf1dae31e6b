"""Sends the board to every screen: everything once, then only what changed, numbered so that a gap is noticed.

`hear` is called for every fact and only marks what changed; five times a second at most the changes become one message,
encoded once for all screens. A screen that reads too slowly loses its backlog and gets a fresh snapshot; one that reads
nothing for ten seconds is cut off. Nobody waits for a screen.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from changgu.acd.facts import Recorded
from changgu.acd.identity import Instant
from changgu.acd.queues import Floor
from changgu.wallboard.board import Board
from changgu.wallboard.times import iso

logger = logging.getLogger(__name__)

SHORTEST_PAUSE = 0.2
"""Seconds between two messages. What comes after quiet is shown at once, and no figure is older than this and its way
to the screen: a quarter of a second. Twice as often cost twice as much, all day, and no eye saw more."""
BACKLOG = 10
"""Messages that may wait for one screen: two busy seconds."""
SEND_LIMIT = 10.0
"""Seconds after which a screen that takes nothing is cut off."""
SCREENS_IN_ONE_GO = 25
"""Screens served before other tasks of the loop get their turn: calls are routed on the same loop."""
HEARTBEAT = 5.0
"""Seconds of silence after which an empty delta tells the screens that the line is alive."""


class SlowScreenError(Exception):
    """The screen took nothing for `SEND_LIMIT` seconds."""


class Screen:
    """One connected wallboard, with the few messages that wait for it."""

    def __init__(self) -> None:
        self._messages: deque[str] = deque()
        self._news = asyncio.Event()
        self.behind = True
        """Needs a snapshot before anything else: it is new, or it read too slowly."""
        self.snapshots = 0

    def put(self, message: str) -> None:
        """Add a delta; when too many wait, forget them all and start over with a snapshot."""
        if not self.behind:
            self._messages.append(message)
            if len(self._messages) > BACKLOG:
                self._messages.clear()
                self.behind = True
        self._news.set()

    async def next(self, snapshot: Callable[[], str]) -> str:
        """The message to send now."""
        while True:
            if self.behind:
                self._messages.clear()
                self.behind = False
                self.snapshots += 1
                return snapshot()
            if self._messages:
                return self._messages.popleft()
            self._news.clear()
            await self._news.wait()


class Feed:
    """Keeps the board and its screens. Everything runs on the one event loop."""

    def __init__(self, board: Board, now: Callable[[], Instant], *, pause: float = SHORTEST_PAUSE) -> None:
        self._board = board
        self._now = now
        self._pause = pause
        self._screens: set[Screen] = set()
        self._changed = asyncio.Event()
        self._snapshot: tuple[Instant, str] | None = None
        self.seq = 0
        """Number of the last message."""

    def hear(self, recorded: Recorded) -> None:
        """Take in a fact; costs microseconds and never waits."""
        self._board.fold(recorded)
        self._snapshot = None
        self._changed.set()

    def configure(self, floor: Floor) -> None:
        """Show another floor."""
        self._board.configure(floor)
        self._snapshot = None
        self._changed.set()

    @property
    def screens(self) -> int:
        """How many are connected."""
        return len(self._screens)

    def snapshot(self) -> Mapping[str, Any]:
        """The first message of every connection."""
        now = self._now()
        if self._board.turn_to(now):
            self._snapshot = None
            self._changed.set()
        return {"type": "snapshot", "seq": self.seq, "at": iso(now), **self._board.snapshot()}

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._until_something()):
                    await self._changed.wait()
            except TimeoutError:
                pass
            await self.publish()
            await asyncio.sleep(self._pause)

    async def publish(self) -> None:
        """Send one delta with all that changed since the last; an empty one says that all is well."""
        self._changed.clear()
        message = orjson.dumps(self._delta()).decode()
        self._snapshot = None
        for number, screen in enumerate(tuple(self._screens), start=1):
            screen.put(message)
            if number % SCREENS_IN_ONE_GO == 0:
                await asyncio.sleep(0)

    async def serve(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Keep one screen up to date until it is cancelled.

        Raises:
            SlowScreenError: it took nothing for ten seconds; close it, the page connects again by itself.
        """
        screen = Screen()
        patience = _Patience(SEND_LIMIT)
        self._screens.add(screen)
        try:
            while True:
                message = await screen.next(self._encoded_snapshot)
                patience.begin()
                await send(message)
                patience.end()
        except asyncio.CancelledError as late:
            if not patience.was_the_end():
                raise
            logger.info("a wallboard took nothing for %.0f s and is cut off", SEND_LIMIT)
            raise SlowScreenError from late
        finally:
            patience.end()
            self._screens.discard(screen)

    def _until_something(self) -> float:
        return max(0.01, min(HEARTBEAT, self._board.next_turn - self._now()))

    def _delta(self) -> Mapping[str, Any]:
        now = self._now()
        self._board.turn_to(now)
        changes = self._board.take_changes()
        self.seq += 1
        delta: dict[str, Any] = {
            "type": "delta",
            "seq": self.seq,
            "at": iso(now),
            "queues": {name: self._board.queue_row(name) for name in sorted(changes.queues)},
            "agents": {login: self._board.agent_row(login) for login in sorted(changes.agents)},
            "totals": self._board.totals() if changes.totals else {},
        }
        return delta

    def _encoded_snapshot(self) -> str:
        """Encoded once for all who connect at one time; its clock must be fresh, for screens set theirs by it."""
        now = self._now()
        if self._snapshot is None or now - self._snapshot[0] > SHORTEST_PAUSE:
            self._snapshot = now, orjson.dumps(self.snapshot()).decode()
        return self._snapshot[1]


class _Patience:
    """Cancels the present task when something it does takes too long.

    `asyncio.timeout` sets a timer each time, which costs as much as a message does; here one timer looks now and then.
    """

    def __init__(self, limit: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def begin(self) -> None:
        """From now on it may take `limit` seconds."""
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit, self._look)

    def end(self) -> None:
        """It is done."""
        self._since = None

    def was_the_end(self) -> bool:
        """After a cancellation: whether it came from here, and from nobody else."""
        return self._over and self._task.uncancel() == 0

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        left = self._since + self._limit - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._over = True
            self._task.cancel()
