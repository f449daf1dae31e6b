"""One websocket to Asterisk: whole messages in and out, and noticed soon when nobody is at the other end any more.

picows does the framing in machine code and calls `hear` while its buffer is read: no task wakes up for a message. A
message that is not read yet waits in the kernel, and Asterisk cuts a listener that stalls for longer than its
`websocket_write_timeout`.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    ws_connect,
)

logger = logging.getLogger(__name__)

HANDSHAKE_LIMIT = 5.0
CLOSE_LIMIT = 1.0
"""Seconds for the other end to agree that we close."""

LONGEST_MESSAGE = 16 * 2**20
"""Bytes. All channels of a very busy floor in one reply are a tenth of it."""

PING_EVERY = 2.0
SILENCES = 3
"""Pings in a row without a word from the other end until it counts as gone: noticed within 4 to 6 seconds.

They are counted, not timed, so that a stall of our own is one silence, however long it was."""

CONTROL = frozenset({WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE})


class WireCut(ConnectionError):
    """The connection is at its end: nothing can be sent on it any more."""


async def connect(
    url: str, authorization: str, hear: Callable[[bytes], None], on_cut: Callable[[], None], *,
    ping_every: float = PING_EVERY, longest: int = LONGEST_MESSAGE,
) -> "Wire":  # fmt: skip
    """A connection that is up; OSError or TimeoutError when there is none, ConnectionError when it was refused.

    `hear` gets each message, `on_cut` is called once at the end, after the last of them; neither may wait.
    """
    wire = Wire(hear, on_cut, longest)
    try:
        async with asyncio.timeout(HANDSHAKE_LIMIT):
            transport, _ = await ws_connect(
                lambda *_: wire,
                url,
                extra_headers={"Authorization": authorization, "User-Agent": "changgu"},
                websocket_handshake_timeout=HANDSHAKE_LIMIT,
                max_frame_size=longest,
                max_redirects=0,  # the credentials go nowhere else
                use_aiofastnet=False,  # over uvloop's own transport a request takes half as long
                logger_name="ari",
            )
    except BaseException as trouble:
        wire.abandon()
        if isinstance(trouble, WSError):
            raise ConnectionError(str(trouble)) from trouble
        raise
    if not wire.up:  # picows hands over a connection that ended within the handshake like any other
        transport.disconnect(graceful=False)
        raise ConnectionError("the connection ended during the handshake")
    wire.watch(ping_every)
    return wire


class Wire(WSListener):
    """Made by `connect`."""

    def __init__(self, hear: Callable[[bytes], None], on_cut: Callable[[], None], longest: int) -> None:
        self._hear = hear
        self._on_cut = on_cut
        self._longest = longest
        self._transport: WSTransport | None = None
        self._abandoned = False
        self._over = asyncio.Event()
        self._parts: list[bytes] | None = None
        """Of a message that comes in fragments."""
        self._spoke = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._watcher: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        """Another handle of the connection: to set its options by."""
        self._sent = False
        """Whether anything has been sent in this turn of the loop."""
        self._corked = False

    @property
    def up(self) -> bool:
        """Whether something can be sent."""
        transport = self._transport
        return transport is not None and not transport.is_disconnected and not transport.is_close_frame_sent

    @property
    def flowing(self) -> bool:
        """Whether the other end takes what is sent; when not, `flow` waits for it."""
        return self._flowing.is_set()

    async def flow(self) -> None:
        """Return once the other end takes what is sent, or the connection is cut."""
        await self._flowing.wait()

    def send(self, text: bytes) -> None:
        """Send one message; WireCut when the connection is at its end."""
        transport = self._transport
        if transport is None or transport.is_disconnected or transport.is_close_frame_sent:
            raise WireCut("the websocket is closed")  # picows would say nothing
        if not self._sent:
            self._sent = True
            asyncio.get_running_loop().call_soon(self._turn_over)
        elif not self._corked:
            self._cork(True)
        transport.send(WSMsgType.TEXT, text)

    def _turn_over(self) -> None:
        self._sent = False
        if self._corked:
            self._cork(False)

    def _cork(self, corked: bool) -> None:
        """What is sent in one turn of the loop after the first goes as one segment (tcp(7), TCP_CORK).

        Each segment by itself would wake Asterisk, which takes the processor from us for one request at a time. The
        kernel holds nothing back for longer than 200 ms, however long the turn is.
        """
        self._corked = corked
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, corked)

    async def ended(self) -> None:
        """Return once the connection is over; raises what went wrong on our side of it."""
        assert self._transport is not None
        try:
            await self._transport.wait_disconnected()
        except WSProtocolError as broken:
            logger.warning("the ARI websocket was given up: %s", broken.args[1])

    def part(self) -> None:
        """Say good-bye, and be gone when it was answered, or shortly after; nothing more is heard."""
        transport = self._transport
        if transport is not None and not transport.is_disconnected:
            transport.send_close(WSCloseCode.OK)
            asyncio.get_running_loop().call_later(CLOSE_LIMIT, transport.disconnect, False)

    async def close(self) -> None:
        """`part`, and wait for the end."""
        self.part()
        if self._transport is not None:
            await self._over.wait()

    def abandon(self) -> None:
        """Whoever asked for the connection has gone: it is nobody's if it has come up or comes up from now on."""
        self._abandoned = True
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def watch(self, every: float) -> None:
        """Ping the other end until the connection is over."""
        self._watcher = asyncio.create_task(self._watch(every), name="ari-watch")

    async def _watch(self, every: float) -> None:
        assert self._transport is not None
        silences = 0
        while silences < SILENCES:
            self._spoke = False
            self._transport.send_ping()
            await asyncio.sleep(every)
            silences = 0 if self._spoke else silences + 1
        logger.warning("Asterisk has not answered %d pings: the ARI websocket is given up", SILENCES)
        self._transport.disconnect(graceful=False)

    # ---- called by picows -------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self._transport = transport
        if self._abandoned:
            transport.disconnect(graceful=False)
            return
        self._socket = transport.underlying_transport.get_extra_info("socket").dup()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come; picows answers pings."""
        self._spoke = True
        kind = frame.msg_type
        if kind in CONTROL:
            if kind == WSMsgType.CLOSE:
                self._closed(transport, frame)
        elif transport.is_close_frame_sent:
            pass  # also a message that picows itself found too long, once its last byte is there
        elif frame.fin and self._parts is None and kind != WSMsgType.CONTINUATION:
            self._hear(frame.get_payload_as_bytes())
        else:
            self._gather(kind, frame)

    def _gather(self, kind: WSMsgType, frame: WSFrame) -> None:
        if (kind == WSMsgType.CONTINUATION) == (self._parts is None):
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a fragment without a beginning, or without an end")
        parts = self._parts = self._parts or []
        parts.append(frame.get_payload_as_bytes())
        if sum(map(len, parts)) > self._longest:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"a message of more than {self._longest} bytes")
        if frame.fin:
            self._parts = None
            self._hear(b"".join(parts))

    def _closed(self, transport: WSTransport, frame: WSFrame) -> None:
        code = frame.get_close_code()
        logger.info("the ARI websocket closed: %s %s", code, frame.get_close_reason() or "")
        transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
        transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """It is over."""
        self._over.set()
        self._flowing.set()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._watcher is not None:
            self._watcher.cancel()
        self._on_cut()

    def pause_writing(self) -> None:
        """The other end does not take what was sent."""
        self._flowing.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._flowing.set()
