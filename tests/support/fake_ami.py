"""An Asterisk that exists only as its AMI: it takes actions, answers them from a script, and tells events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from changgu.telephony.ami.client import Ami, AmiAddress

Headers = dict[str, str]


@dataclass
class FakeAmi:
    """`async with FakeAmi() as pbx:` listens on a free port of the loopback."""

    password: str = "secret"
    actions: list[Headers] = field(default_factory=list)
    answers: dict[str, Callable[[Headers], Sequence[Headers]]] = field(default_factory=dict)
    """Action → the response and the events that follow it; a plain success for what is not named."""
    silent: bool = False
    raw: bytearray = field(default_factory=bytearray)

    async def __aenter__(self) -> "FakeAmi":
        self._writers: list[asyncio.StreamWriter] = []
        self._changed = asyncio.Condition()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.drop()

    @property
    def address(self) -> AmiAddress:
        """For the client under test."""
        return AmiAddress("127.0.0.1", self._server.sockets[0].getsockname()[1], "changgu", "secret")

    async def tell(self, event: str, **headers: str) -> None:
        """Send one event to whoever is connected."""
        for writer in self._writers:
            writer.write(_frame({"Event": event, **headers}))
            await writer.drain()

    async def drop(self) -> None:
        """The line breaks."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def until_asked(self, action: str, times: int = 1) -> Headers:
        """Wait for an action."""

        def found() -> list[Headers]:
            return [one for one in self.actions if one["Action"] == action]

        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(found()) >= times)
        return found()[times - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                frame = await reader.readuntil(b"\r\n\r\n")
                self.raw += frame
                action = dict(line.split(": ", 1) for line in frame.decode().split("\r\n") if ": " in line)
                self.actions.append(action)
                if not self.silent or action["Action"] in ("Login", "Ping"):
                    for answer in self._answer(action):
                        writer.write(_frame({**answer, "ActionID": action["ActionID"]}))
                async with self._changed:
                    self._changed.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def _answer(self, action: Headers) -> Sequence[Headers]:
        if action["Action"] == "Login" and action["Secret"] != self.password:
            return [{"Response": "Error", "Message": "Authentication failed"}]
        answer = self.answers.get(action["Action"])
        return answer(action) if answer else [{"Response": "Success", "Message": "done"}]


def _frame(headers: Headers) -> bytes:
    return ("".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()


def listed(*entries: Headers) -> Callable[[Headers], Sequence[Headers]]:
    """An answer that is a list."""
    return lambda action: [
        {"Response": "Success", "EventList": "start", "Message": "a list will follow"},
        *entries,
        {"Event": f"{action['Action']}Complete", "EventList": "Complete", "ListItems": str(len(entries))},
    ]


def refused(why: str) -> Callable[[Headers], Sequence[Headers]]:
    """An answer that is no."""
    return lambda action: [{"Response": "Error", "Message": why}]


@asynccontextmanager
async def running(ami: Ami, *parts: Any) -> AsyncIterator[None]:
    """The line to the fake is up, and these run beside it."""
    tasks = [asyncio.create_task(part.run()) for part in (ami, *parts)]
    await ami.wait_connected()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
