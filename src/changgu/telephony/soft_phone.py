"""Real SIP phones for demonstrations and tests: each speaks, listens and keeps what it heard."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

CALLS_PER_PROCESS = 4
"""What one process of the library can carry."""


@dataclass(slots=True)
class News:
    """One thing a phone told us, e.g. `News("answered", "kim", "c1", {})`."""

    what: str
    line: str | None
    call: str | None
    details: dict[str, Any] = field(default_factory=dict)


class SoftPhones:
    """One process of phones. `async with SoftPhones() as phones:` starts and ends it."""

    def __init__(self, port: int = 0, heard: Callable[["News"], None] | None = None) -> None:
        self._port = port
        """UDP port to be reached at; 0 takes any."""
        self._heard = heard
        """Called with each piece of news, for whoever lives with these phones instead of testing them."""
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.news: deque[News] = deque(maxlen=10_000)
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the process; returns when the phones can be used."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "changgu.telephony.soft_phone_worker",
            str(self._port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._reader = asyncio.create_task(self._read())
        await self.expect("started")

    async def stop(self) -> None:
        """End all calls and the process."""
        if self._process is None:
            return
        if self._process.returncode is None:
            try:
                await self.order(do="quit")
                await asyncio.wait_for(self._process.wait(), 5)
            except (TimeoutError, ConnectionError):
                self._process.kill()
                await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # the library's own log
            news = News(said.pop("news"), said.pop("line", None), said.pop("call", None), said)
            if self._heard is not None:
                self._heard(news)
            async with self._changed:
                self.news.append(news)
                self._changed.notify_all()

    async def order(self, **order: Any) -> None:
        """Send one order (see the worker's docstring)."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps(order, ensure_ascii=False) + "\n").encode())
        await self._process.stdin.drain()

    async def expect(
        self, what: str, *, line: str | None = None, call: str | None = None, within: float = 15, **details: Any
    ) -> News:
        """The first news, past or to come, that matches; raises TimeoutError with all that was heard otherwise."""

        def found() -> News | None:
            for news in self.news:
                if news.what != what or (line and news.line != line) or (call and news.call != call):
                    continue
                if all(news.details.get(name) == value for name, value in details.items()):
                    return news
            return None

        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise TimeoutError(f"no {what} for line={line} call={call} {details}; heard {list(self.news)}") from None
        news = found()
        assert news is not None
        return news

    async def account(
        self,
        line: str,
        server: str,
        *,
        user: str | None = None,
        password: str | None = None,
        name: str | None = None,
        register: bool = False,
        answer_after: float | None = None,
        hang_up_after: float | None = None,
        play: Path | None = None,
        record: Path | None = None,
    ) -> None:
        """Add a phone; with `register` returns once the registrar has accepted it."""
        await self.order(
            do="account",
            line=line,
            server=server,
            user=user or line,
            password=password,
            name=name,
            register=register,
            answer_after=answer_after,
            hang_up_after=hang_up_after,
            play=str(play) if play else None,
            record=str(record) if record else None,
        )
        if register:
            await self.expect("registered", line=line)

    async def call(self, line: str, call: str, to: str) -> None:
        """Dial; follow it with `expect("answered", call=call)`."""
        await self.order(do="call", line=line, call=call, to=to)
