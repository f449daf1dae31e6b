"""The line to Asterisk: one websocket for its news and our requests, kept up for as long as the service runs.

News is parsed and handed on as it is taken off the socket, in its order; nobody who hears it may wait. `run` connects,
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

from changgu.telephony.ari.errors import AriAway, AriLate, AriTrouble, refusal
from changgu.telephony.ari.messages import EVENT_FILTER, ApplicationReplaced, AriEvent, RestResponse, Unknown, parse
from changgu.telephony.ari.wire import PING_EVERY, Wire, WireCut, connect

# Imported with the first request over HTTP: it takes a while, and after a crash callers wait for that.
if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

FIRST_RETRY = 0.1
LONGEST_RETRY = 2.0
"""Seconds between two attempts to connect; they double from the first to the longest."""

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
        ping_every: float = PING_EVERY,
    ) -> None:
        self._address = address
        self._hear = hear
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._ping_every = ping_every
        self._wire: Wire | None = None
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
        if self._wire is not None:
            await self._wire.close()

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
                wire = await connect(
                    self._address.websocket_url, self._address.authorization, self._heard, self._cut,
                    ping_every=self._ping_every,
                )  # fmt: skip
            except (OSError, TimeoutError) as trouble:
                logger.log(
                    logging.DEBUG if pause < LONGEST_RETRY else logging.WARNING,
                    "no ARI connection to %s:%d (%s)", self._address.host, self._address.port, trouble,
                )
                await asyncio.sleep(pause)
                pause = min(LONGEST_RETRY, pause * 2)
                continue
            came_up = await self._listen(wire)
            if self.replaced:
                # Taking it back would be answered in kind, and each would answer the other's callers.
                logger.error("this desk stands back from Asterisk until it is started again")
                return
            pause = FIRST_RETRY if came_up else min(LONGEST_RETRY, pause * 2)
            await asyncio.sleep(pause)

    async def _listen(self, wire: Wire) -> bool:
        """Serve one connection to its end; whether it ever came up."""
        self._wire = wire
        came_up = closing = False
        try:
            try:
                await self._ask("PUT", f"applications/{self._address.app}/eventFilter", (), EVENT_FILTER, DEADLINE)
                if came_up := wire.up:
                    self._up.set()
                    logger.info("connected to Asterisk's ARI at %s:%d", self._address.host, self._address.port)
                    self._on_connected()
            except AriTrouble as trouble:
                logger.warning("the ARI connection could not be set up: %s", trouble)
                wire.part()
            await wire.ended()
        except asyncio.CancelledError:
            closing = True
            raise
        finally:
            self._wire = None
            self._cut()
            await wire.close()
            if came_up:
                if closing:
                    logger.info("the ARI connection is closed")
                else:
                    logger.warning("the ARI connection is lost")
                self._on_lost()
        return came_up

    def _cut(self) -> None:
        """Nothing more is heard: whoever waits for a reply, the event filter's among them, has waited enough."""
        self._up.clear()
        for reply in self._replies.values():
            _fail(reply, AriAway("the line to Asterisk dropped before it replied"))
        self._replies.clear()

    def _heard(self, frame: bytes) -> None:
        message = parse(frame)
        if isinstance(message, RestResponse):
            reply = self._replies.pop(message.request_id, None)
            if reply is not None and not reply.done():
                reply.set_result(message)
        elif isinstance(message, Unknown):
            self.unknown += 1
            logger.debug("unknown message from ARI: %s", message.kind)
        elif isinstance(message, ApplicationReplaced):
            self.replaced = True
            logger.error("another program has taken the Stasis application %s: two desks on one PBX?",
                         message.application)
            if self._wire is not None:
                self._wire.part()
        else:
            try:
                self._hear(message)
            except Exception:  # one event's edge: the line carries everybody's news
                logger.exception("an event could not be handled: %s", type(message).__name__)

    async def _ask(self, method: str, uri: str, query: Query, body: Any, deadline: float) -> RestResponse:
        wire = self._wire
        if wire is None:
            raise AriAway("not connected to Asterisk")
        self.requests += 1
        logger.debug("%s %s", method, uri)
        if self._address.rest_over_websocket:
            response = await self._ask_over_websocket(wire, method, uri, query, body, deadline)
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
        self, wire: Wire, method: str, uri: str, query: Query, body: Any, deadline: float
    ) -> RestResponse:
        number = str(next(self._numbers))
        request: dict[str, Any] = {"type": "RESTRequest", "request_id": number, "method": method, "uri": uri}
        if query:
            request["query_strings"] = [{"name": name, "value": value} for name, value in query]
        if body is not None:
            request["content_type"] = "application/json"
            request["message_body"] = orjson.dumps(body).decode()
        loop = asyncio.get_running_loop()
        latest = loop.time() + deadline
        too_late = AriLate(f"{method} {uri}: no reply within {deadline:.1f} s")
        if not wire.flowing:
            try:
                async with asyncio.timeout_at(latest):
                    await wire.flow()
            except TimeoutError:
                raise too_late from None
        reply: asyncio.Future[RestResponse] = loop.create_future()
        self._replies[number] = reply
        alarm = loop.call_at(latest, _fail, reply, too_late)
        try:
            wire.send(orjson.dumps(request))
            return await reply
        except WireCut:
            # Before `run` knows: whoever asks again until the line is up would never let it know.
            self._up.clear()
            raise AriAway("the line to Asterisk dropped") from None
        finally:
            alarm.cancel()
            self._replies.pop(number, None)
            if reply.done() and not reply.cancelled():
                reply.exception()


def _fail(reply: "asyncio.Future[RestResponse]", trouble: AriTrouble) -> None:
    if not reply.done():
        reply.set_exception(trouble)
