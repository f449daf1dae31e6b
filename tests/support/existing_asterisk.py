"""An Asterisk that somebody else looks after, as far as changgu can see of it: ARI by websocket and HTTP, and AMI."""

import asyncio
import json
import re
from contextlib import AsyncExitStack
from typing import Any

from changgu.telephony.existing_pbx import takes_rest_over_websocket
from changgu.telephony.pbx_packages import parse_version
from tests.support.fake_ami import FakeAmi, listed
from tests.support.fake_ari import FakeAri


class ExistingAsterisk:
    """`async with ExistingAsterisk() as pbx:`; `ari` and `ami` are what happens in it, `reloaded` what it read anew."""

    def __init__(self, version: str = "22.10.1") -> None:
        self.ari = FakeAri()
        self.ami = FakeAmi()
        self.ami.answers["PJSIPShowEndpoints"] = listed()
        self.ami.answers["QueueStatus"] = listed()
        self.version = version
        self.ari.rest_over_websocket = takes_rest_over_websocket(parse_version(version))
        self.reloaded: list[str] = []
        self.refuses_reloads = False

    async def __aenter__(self) -> "ExistingAsterisk":
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self.ari)
        await self._stack.enter_async_context(self.ami)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._stack.aclose()

    @property
    def settings(self) -> dict[str, object]:
        """The group `pbx` of the settings."""
        return {
            "kind": "existing",
            "ari_url": f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ari",
            "ari_password": self.ari.password,
            "ami_host": self.ami.address.host,
            "ami_port": self.ami.address.port,
            "ami_password": self.ami.password,
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                await self._pass_on(head, reader, writer)
            else:
                length = re.search(rb"content-length: (\d+)", head.lower())
                body = await reader.readexactly(int(length[1])) if length else b""
                method, path = head.decode().split(" ")[:2]
                writer.write(await self._answer(method, path.removeprefix("/ari/"), json.loads(body or b"null")))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, asked: Any) -> bytes:
        status, reply = 204, None
        if path.startswith("asterisk/info?only=system"):
            status, reply = 200, {"system": {"version": self.version}}
        elif path.startswith("asterisk/modules/") and self.refuses_reloads:
            status = 409
        elif path.startswith("asterisk/modules/"):
            self.reloaded.append(path.rpartition("/")[2])
        else:
            status, reply = await self.ari.over_http(method, path, asked)
        body = b"" if reply is None else json.dumps(reply).encode()
        return f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(self.ari.address.host, self.ari.address.port)
        inner_writer.write(head)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, inner_writer))
                both.create_task(_copy(inner_reader, writer))
        finally:
            inner_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except (ConnectionError, RuntimeError, OSError):
        writer.close()
