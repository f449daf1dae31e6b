"""Waiting for something to become true, with a deadline and without sleeping for luck."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, within: float = 15.0, every: float = 0.05) -> T:
    """The first true value that `look` returns; an AssertionError with the last one otherwise."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        value = await look()
        if value:
            return value
        if loop.time() >= deadline:
            raise AssertionError(f"not so within {within} s; last seen: {value!r}")
        await asyncio.sleep(every)
