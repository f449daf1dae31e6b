"""Requests to Asterisk: over the websocket for what answers at once, over a small HTTP pool for what can take time.

REST over the websocket is strictly serial in Asterisk, so one slow request holds up every other. Ids of channels,
bridges and playbacks are ours to choose, which makes a repeated request harmless.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import orjson

from changgu.telephony.ari.errors import AriAway, AriLate, refusal
from changgu.telephony.ari.stream import DEADLINE, AriAddress, AriStream

# Imported with the first request over HTTP: it takes a while, and after a crash callers wait for that.
if TYPE_CHECKING:
    import httpx

Value = str | int | float | bool | None
HTTP_CONNECTIONS = 8
BLOCKING_DEADLINE = 10.0


def path(*segments: str) -> str:
    """A resource path from segments that may hold anything: `path("channels", id, "answer")`."""
    return "/".join(quote(segment, safe="") for segment in segments)


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
        import httpx

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
        """Give the HTTP connections back."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
