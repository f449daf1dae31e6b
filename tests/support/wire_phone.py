"""A SIP telephone that is nothing but a UDP socket: it rings, and keeps every message as it came over the wire."""

import asyncio
import re
from typing import cast

_TAG = ";tag=wire"


def _call_of(message: str) -> str:
    return next(line for line in message.split("\r\n") if re.match(r"(?i)call-id:", line))


class WirePhone(asyncio.DatagramProtocol):
    """Rings for whoever calls and never answers."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._changed = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None
        self._invite: tuple[str, tuple[str, int]] | None = None

    async def plug_in(self, port: int) -> None:
        """Listen at this port of the loopback."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", port))

    def close(self) -> None:
        """Unplug it."""
        if self._transport is not None:
            self._transport.close()

    async def until_heard(self, method: str, *, of: str | None = None, within: float = 15.0) -> str:
        """The first request of this method, as text; with `of`, in that request's call and no earlier one's."""
        async with asyncio.timeout(within):
            while True:
                for message in self.heard:
                    if message.startswith(method + " ") and (of is None or _call_of(message) == _call_of(of)):
                        return message
                self._changed.clear()
                await self._changed.wait()

    # ---- asyncio's side --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode("utf-8", "replace")
        if not message.strip():
            return  # a keep-alive
        self.heard.append(message)
        self._changed.set()
        match message.split(" ", 1)[0]:
            case "INVITE":
                self._invite = (message, addr)
                self._reply(message, addr, "100 Trying")
                self._reply(message, addr, "180 Ringing")
            case "CANCEL":
                self._reply(message, addr, "200 OK")
                if self._invite is not None:
                    self._reply(*self._invite, "487 Request Terminated")
            case "OPTIONS" | "BYE":
                self._reply(message, addr, "200 OK")
            case _:
                return  # ACK, or an answer to nothing we asked

    def _reply(self, request: str, addr: tuple[str, int], status: str) -> None:
        kept = [line for line in request.split("\r\n") if re.match(r"(?i)(via|from|call-id|cseq|record-route):", line)]
        to = next(line for line in request.split("\r\n") if re.match(r"(?i)to:", line))
        reply = [f"SIP/2.0 {status}", *kept, to if "tag=" in to else to + _TAG, "Content-Length: 0", "", ""]
        assert self._transport is not None
        self._transport.sendto("\r\n".join(reply).encode(), addr)
