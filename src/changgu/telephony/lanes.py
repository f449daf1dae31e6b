"""Commands of one call are carried out in their order, calls beside each other; who has picked up comes first.

Many commands about legs that do not know of each other go at once. Among them the joining of caller and agent is first:
when an agent has picked up, the others' phones, which may be hundreds, are told to stop once the two hear each other.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from changgu.acd.commands import ConnectCall, HangUpAgent, RingAgent, StopRinging
from changgu.acd.identity import CallId

Task = TypeVar("Task")

JOIN_ALONE = 0.2
"""Seconds for which all else that is to be done for a call waits for the joining, at most."""

_AT_ONCE = (RingAgent, StopRinging, HangUpAgent)
"""Commands about legs that do not know of each other: many of them need not wait for each other's replies."""


class Lanes(Generic[Task]):
    """One for each call that has anything to do. `run` must be running; `carry_out` raises nothing."""

    def __init__(self, carry_out: Callable[[Task], Coroutine[Any, Any, None]]) -> None:
        self._carry_out = carry_out
        self._waiting: dict[CallId, deque[Task]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Hold the workers until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for call in list(self._waiting):
                    tasks.create_task(self._work(call))
                await asyncio.Event().wait()
        finally:
            self._tasks = None

    def is_busy(self, call: CallId) -> bool:
        """Whether anything of this call is under way or waits its turn."""
        return call in self._waiting

    def put(self, call: CallId, task: Task) -> None:
        """To be done after what this call was given before."""
        if (queue := self._waiting.get(call)) is not None:
            queue.append(task)
            return
        self._waiting[call] = deque([task])
        if self._tasks is not None:
            self._tasks.create_task(self._work(call))

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """To be done beside all calls; not at all while nobody is served."""
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)

    async def _work(self, call: CallId) -> None:
        queue = self._waiting[call]
        while queue:
            join, others = _next_tasks(queue)
            if join is not None and others:
                await self._join_first(join, others)
            else:
                await self._all(others if join is None else (join,))
        del self._waiting[call]

    async def _join_first(self, join: Task, others: Sequence[Task]) -> None:
        joined = asyncio.Event()

        async def connect() -> None:
            try:
                await self._carry_out(join)
            finally:
                joined.set()

        async def do_the_rest() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(joined.wait(), JOIN_ALONE)
            await self._all(others)

        await asyncio.gather(connect(), do_the_rest())

    async def _all(self, tasks: Sequence[Task]) -> None:
        if len(tasks) == 1:
            await self._carry_out(tasks[0])
        else:
            await asyncio.gather(*map(self._carry_out, tasks))


def _next_tasks(queue: deque[Task]) -> tuple[Task | None, list[Task]]:
    """What is to be done now: the joining of the agent who picked up, if any, and all that need not wait for it.

    After it only ringing phones are silenced: the leg that is joined may be what a later command ends.
    """
    join, others = None, []
    while True:
        task = queue.popleft()
        if isinstance(task, ConnectCall):
            join = task
        else:
            others.append(task)
        if not queue or not isinstance(task, (*_AT_ONCE, ConnectCall)):
            return join, others
        if not isinstance(queue[0], StopRinging if join is not None else (*_AT_ONCE, ConnectCall)):
            return join, others
