"""The line to Asterisk: one websocket for its news and our requests, kept up for as long as the service runs.

Three tasks share the work. The *reader* does nothing but take frames off the socket: Asterisk cuts a listener
that stalls for `websocket_write_timeout`. The *dispatcher* parses them and hands them on, in order. `run` connects,
sets the event filter, says so to `on_connected`, and connects again when the line drops. Events are not kept for us
while we are away, so whoever listens has to look at what is there after each `on_connected`.
"""

import asyncio
import base64
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from changgu.telephony.ari.errors import AriAway, AriLate, AriTrouble, refusal
from changgu.telephony.ari.messages import EVENT_FILTER, ApplicationReplaced, AriEvent, RestResponse, Unknown, parse

# Imported with the first request over HTTP: it takes a while, and after a crash callers wait for that.
if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

FRAMES_KEPT = 50_000
"""Frames that may wait for the dispatcher before the line is given up; about a minute of a very busy floor."""

PING_EVERY = 2.0
PING_LIMIT = 4.0
"""Seconds. A half-open line is noticed within their sum."""

FIRST_RETRY = 0.1
LONGEST_RETRY = 2.0
"""Seconds between two attempts to connect; they double from the first to the longest."""

HANDSHAKE_LIMIT = 5.0
DEADLINE = 5.0
"""Seconds for a request that does not say otherwise."""


@dataclass(frozen=True, slots=True)
class AriAddress:
    """Where Asterisk's HTTP server is, and who we are to it."""

    host: str
    port: int
    user: str
    password: str
    app: str = "changgu"
    tls: bool = False
    rest_over_websocket: bool = True
    """Asterisk learnt it in 20.14, 21.9 and 22.4; an older one is asked over HTTP, one request after the other."""

    @property
    def authorization(self) -> str:
        """Value of the Authorization header; credentials never stand in a URL, where they would be logged."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def websocket_url(self) -> str:
        """The event websocket of our application."""
        return f"{'wss' if self.tls else 'ws'}://{self.host}:{self.port}/ari/events?{urlencode({'app': self.app})}"

    @property
    def http_url(self) -> str:
        """The root of the REST interface."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/ari/"


Query = Sequence[tuple[str, str]]


class AriStream:
    """Keeps the websocket up; `hear` gets every event but the replies to our requests."""

    def __init__(
        self,
        address: AriAddress,
        hear: Callable[[AriEvent], None],
        *,
        on_connected: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._address = address
        self._hear = hear
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._socket: ClientConnection | None = None
        self._replies: dict[str, asyncio.Future[RestResponse]] = {}
        self._http: httpx.AsyncClient | None = None
        self._numbers = itertools.count(1)
        self._up = asyncio.Event()
        self.unknown = 0
        """Frames that could not be read or were not asked for."""
        self.replaced = False
        """Another program took our application away; events go there now."""
        self.requests = 0
        """Requests sent, for the count per call."""

    @property
    def connected(self) -> bool:
        """Whether events flow."""
        return self._up.is_set()

    async def wait_connected(self, limit: float = DEADLINE) -> None:
        """Return once the line is up; AriAway when it does not come up within `limit` seconds."""
        if self._up.is_set():
            return
        try:
            async with asyncio.timeout(limit):
                await self._up.wait()
        except TimeoutError:
            raise AriAway("not connected to Asterisk") from None

    async def send(self, method: str, uri: str, query: Query, body: Any, deadline: float) -> RestResponse:
        """One REST request over the websocket. Waits for the line within the same deadline."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + deadline
        await self.wait_connected(deadline)
        return await self._ask(method, uri, query, body, max(0.05, latest - loop.time()))

    async def drop(self) -> None:
        """Give the present connection up; a new one is set up at once."""
        if self._socket is not None:
            await self._socket.close()

    async def run(self) -> None:
        """Connect, listen, connect again; until cancelled, or until another desk takes our place."""
        try:
            await self._run()
        finally:
            if self._http is not None:
                await self._http.aclose()
                self._http = None

    async def _run(self) -> None:
        pause = FIRST_RETRY
        while True:
            try:
                socket = await self._open()
            except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed) as trouble:
                logger.log(
                    logging.DEBUG if pause < LONGEST_RETRY else logging.WARNING,
                    "no ARI connection to %s:%d (%s)", self._address.host, self._address.port, trouble,
                )
                await asyncio.sleep(pause)
                pause = min(LONGEST_RETRY, pause * 2)
                continue
            came_up = await self._listen(socket)
            if self.replaced:
                # Taking it back would be answered in kind, and each would answer the other's callers.
                logger.error("this desk stands back from Asterisk until it is started again")
                return
            pause = FIRST_RETRY if came_up else min(LONGEST_RETRY, pause * 2)
            await asyncio.sleep(pause)

    async def _open(self) -> ClientConnection:
        return await connect(
            self._address.websocket_url,
            additional_headers={"Authorization": self._address.authorization},
            user_agent_header="changgu",
            compression=None,
            proxy=None,
            open_timeout=HANDSHAKE_LIMIT,
            ping_interval=PING_EVERY,
            ping_timeout=PING_LIMIT,
            close_timeout=1,
            max_size=16 * 2**20,
            max_queue=None,
        )

    async def _listen(self, socket: ClientConnection) -> bool:
        """Serve one connection to its end; whether it ever came up."""
        self._socket = socket
        frames: asyncio.Queue[str | bytes | None] = asyncio.Queue(FRAMES_KEPT)
        reader = asyncio.create_task(self._read(socket, frames), name="ari-reader")
        dispatcher = asyncio.create_task(self._dispatch(frames), name="ari-dispatcher")
        came_up = closing = False
        try:
            try:
                await self._ask("PUT", f"applications/{self._address.app}/eventFilter", (), EVENT_FILTER, DEADLINE)
                came_up = True
                self._up.set()
                logger.info("connected to Asterisk's ARI at %s:%d", self._address.host, self._address.port)
                self._on_connected()
            except AriTrouble as trouble:
                logger.warning("the ARI connection could not be set up: %s", trouble)
                await socket.close()
            await dispatcher
        except asyncio.CancelledError:
            closing = True
            raise
        finally:
            self._up.clear()
            self._socket = None
            for task in (reader, dispatcher):
                task.cancel()
            await asyncio.gather(reader, dispatcher, return_exceptions=True)
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(AriAway("the line to Asterisk dropped before it replied"))
            self._replies.clear()
            await socket.close()
            if came_up:
                if closing:
                    logger.info("the ARI connection is closed")
                else:
                    logger.warning("the ARI connection is lost")
                self._on_lost()
        return came_up

    @staticmethod
    async def _read(socket: ClientConnection, frames: "asyncio.Queue[str | bytes | None]") -> None:
        try:
            async for frame in socket:
                frames.put_nowait(frame)
        except asyncio.QueueFull:
            logger.error("%d frames from Asterisk wait unread: the line is given up and set up anew", FRAMES_KEPT)
        except ConnectionClosed as closed:
            logger.info("the ARI websocket closed: %s", closed)
        finally:
            while frames.full():
                frames.get_nowait()
            frames.put_nowait(None)

    async def _dispatch(self, frames: "asyncio.Queue[str | bytes | None]") -> None:
        while (frame := await frames.get()) is not None:
            message = parse(frame)
            if isinstance(message, RestResponse):
                reply = self._replies.pop(message.request_id, None)
                if reply is not None and not reply.done():
                    reply.set_result(message)
                continue
            if isinstance(message, Unknown):
                self.unknown += 1
                logger.debug("unknown message from ARI: %s", message.kind)
                continue
            if isinstance(message, ApplicationReplaced):
                self.replaced = True
                logger.error("another program has taken the Stasis application %s: two desks on one PBX?",
                             message.application)
                return
            try:
                self._hear(message)
            except Exception:  # one event's edge: the line carries everybody's news
                logger.exception("an event could not be handled: %s", type(message).__name__)

    async def _ask(self, method: str, uri: str, query: Query, body: Any, deadline: float) -> RestResponse:
        socket = self._socket
        if socket is None:
            raise AriAway("not connected to Asterisk")
        self.requests += 1
        logger.debug("%s %s", method, uri)
        if self._address.rest_over_websocket:
            response = await self._ask_over_websocket(socket, method, uri, query, body, deadline)
        else:
            response = await self._ask_over_http(method, uri, query, body, deadline)
        if response.status >= 400:
            raise refusal(response.status, response.body or response.reason, f"{method} {uri}")
        return response

    async def _ask_over_http(self, method: str, uri: str, query: Query, body: Any, deadline: float) -> RestResponse:
        import httpx

        if self._http is None:
            self._http = httpx.AsyncClient(
                base_url=self._address.http_url,
                headers={"Authorization": self._address.authorization},
                limits=httpx.Limits(max_connections=1, keepalive_expiry=10),  # one, so that they stay in order
                trust_env=False,
            )
        try:
            async with asyncio.timeout(deadline):
                reply = await self._http.request(method, uri, params=list(query), json=body, timeout=None)
        except TimeoutError:
            raise AriLate(f"{method} {uri}: no reply within {deadline:.1f} s") from None
        except httpx.HTTPError as trouble:
            raise AriAway(f"{method} {uri}: {trouble}") from trouble
        return RestResponse("", reply.status_code, reply.reason_phrase, reply.text)

    async def _ask_over_websocket(
        self, socket: ClientConnection, method: str, uri: str, query: Query, body: Any, deadline: float
    ) -> RestResponse:
        number = str(next(self._numbers))
        request: dict[str, Any] = {"type": "RESTRequest", "request_id": number, "method": method, "uri": uri}
        if query:
            request["query_strings"] = [{"name": name, "value": value} for name, value in query]
        if body is not None:
            request["content_type"] = "application/json"
            request["message_body"] = orjson.dumps(body).decode()
        reply: asyncio.Future[RestResponse] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        try:
            async with asyncio.timeout(deadline):
                await socket.send(orjson.dumps(request), text=True)
                return await reply
        except TimeoutError:
            raise AriLate(f"{method} {uri}: no reply within {deadline:.1f} s") from None
        except ConnectionClosed:
            # Before the reader knows: whoever asks again until the line is up would never let it know.
            self._up.clear()
            raise AriAway("the line to Asterisk dropped") from None
        finally:
            self._replies.pop(number, None)
            if reply.done() and not reply.cancelled():
                reply.exception()
