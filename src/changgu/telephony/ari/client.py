"""Requests to Asterisk: over the websocket for what answers at once, over a small HTTP pool for what can take time.

REST over the websocket is strictly serial in Asterisk, so one slow request holds up every other. Ids of channels,
bridges and playbacks are ours to choose, which makes a repeated request harmless.
"""

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

import orjson

from changgu.telephony.ari.errors import AriAway, AriLate, refusal
from changgu.telephony.ari.stream import DEADLINE, AriAddress, AriStream

# Imported with the first request over HTTP: it takes a while, and after a crash callers wait for that.
if TYPE_CHECKING:
    import httpx

Value = str | int | float | bool | None
Answer = TypeVar("Answer")

HTTP_CONNECTIONS = 8
BLOCKING_DEADLINE = 10.0

RECONNECT_LIMIT = 30.0
"""Seconds for which something that can be asked twice is asked again; a PBX that starts anew is back in a few."""


_plain = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def path(*segments: str) -> str:
    """A resource path from segments that may hold anything: `path("channels", id, "answer")`."""
    return "/".join([segment if _plain(segment) else quote(segment, safe="") for segment in segments])


def query_of(query: Mapping[str, Value]) -> list[tuple[str, str]]:
    """Query parameters as ARI wants them: booleans in words, None left out."""
    return [
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in query.items()
        if value is not None
    ]


class Ari:
    """The two ways to ask; both return the decoded JSON of the reply (None when empty) and raise `AriTrouble`."""

    def __init__(self, stream: AriStream, address: AriAddress) -> None:
        self._stream = stream
        self._address = address
        self._http: httpx.AsyncClient | None = None
        self._closed = False

    @property
    def app(self) -> str:
        """The name of our Stasis application."""
        return self._address.app

    @property
    def connected(self) -> bool:
        """Whether the event line is up."""
        return self._stream.connected

    async def wait_connected(self, limit: float = DEADLINE) -> None:
        """See `AriStream.wait_connected`."""
        await self._stream.wait_connected(limit)

    async def request(
        self, method: str, uri: str, *, body: Any = None, deadline: float = DEADLINE, **query: Value
    ) -> Any:
        """Ask over the websocket; `uri` from `path()`."""
        reply = await self._stream.send(method, uri, query_of(query), body, deadline)
        return orjson.loads(reply.body) if reply.body else None

    async def insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `ask` returns; it is asked again whenever the line drops before the reply, or no reply comes in time.

        Whether it was done is not known then, so only what does no harm when it is done twice may be insisted on. As
        ids of bridges and playbacks are ours, that is to answer, play (a caller hears it from its beginning again),
        join, part, hang up, or look. To ring or to dial is not: a second telephone would ring, and a leg that stayed
        up would be nobody's; after those, look what there is (`comparison.py`, `callbacks.PersonCalls.look_after`).

        `AriRefused` is raised at once: that is an answer. `AriAway` or `AriLate` is raised `RECONNECT_LIMIT` seconds
        after the first of them, or when the request that was under way then has failed as well.
        """
        clock = asyncio.get_running_loop().time
        latest: float | None = None
        while True:
            try:
                return await ask()
            except (AriAway, AriLate):
                latest = clock() + RECONNECT_LIMIT if latest is None else latest
                if clock() >= latest:
                    raise
            await self.wait_connected(latest - clock())

    async def blocking(
        self, method: str, uri: str, *, body: Any = None, deadline: float = BLOCKING_DEADLINE, **query: Value
    ) -> Any:
        """Ask over HTTP, so that nobody else waits behind a request that may take long."""
        reply = await self._over_http(method, uri, body, deadline, query)
        return reply.json() if reply.content else None

    async def download(self, uri: str, deadline: float = BLOCKING_DEADLINE) -> bytes:
        """A file, such as a stored recording's; over HTTP."""
        return (await self._over_http("GET", uri, None, deadline, {})).content

    async def _over_http(
        self, method: str, uri: str, body: Any, deadline: float, query: Mapping[str, Value]
    ) -> "httpx.Response":
        if self._http is None:
            await asyncio.to_thread(_read_http)
        import httpx

        if self._closed:  # perhaps while it was read
            raise AriAway(f"{method} {uri}: closed")
        if self._http is None:
            self._http = httpx.AsyncClient(
                base_url=self._address.http_url,
                headers={"Authorization": self._address.authorization},
                limits=httpx.Limits(max_connections=HTTP_CONNECTIONS, keepalive_expiry=10),
                trust_env=False,
                # Without TLS the system's certificates need not be read, which holds the loop up for 20 ms and more.
                verify=True if self._address.tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        try:
            async with asyncio.timeout(deadline):
                reply = await self._http.request(method, uri, params=dict(query_of(query)), json=body, timeout=None)
        except TimeoutError:
            raise AriLate(f"{method} {uri}: no reply within {deadline:.1f} s") from None
        except httpx.HTTPError as trouble:
            raise AriAway(f"{method} {uri}: {trouble}") from trouble
        if reply.status_code >= 400:
            raise refusal(reply.status_code, reply.text or reply.reason_phrase, f"{method} {uri}")
        return reply

    async def close(self) -> None:
        """Give the HTTP connections back; who asks over HTTP from now on hears `AriAway`."""
        self._closed = True
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _read_http() -> None:
    """Reads all that requests over HTTP need: a tenth of a second, in a thread, because callers do not wait for it.

    Part of it is read only when something is asked, so something is: of a file that is no socket, which refuses.
    """
    import httpx

    async def ask_nobody() -> None:
        nobody = httpx.AsyncHTTPTransport(uds=os.devnull, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        async with httpx.AsyncClient(transport=nobody, trust_env=False) as client:
            with contextlib.suppress(httpx.HTTPError):
                await client.get("http://nobody")

    asyncio.run(ask_nobody())
