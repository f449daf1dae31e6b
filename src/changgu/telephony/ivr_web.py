"""Asks web services what a menu wants to know, and makes plain fields of their JSON."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from changgu.ivr_flows.limits import HTTP_ANSWER_BYTES
from changgu.telephony.private_address import is_private_enough

if TYPE_CHECKING:
    import httpx

FIELDS_KEPT = 20
"""Of one answer: a visit has room for several (`limits.VALUES_KEPT`)."""

NESTED = 3
"""How deep an answer is looked into."""


class WebAnswerTrouble(Exception):
    """A web service answered with something that cannot be used."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How one web service knows the desk: a bearer token (RFC 6750), or user and password (RFC 7617)."""

    bearer: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def header(self) -> str:
        """What `Authorization` says."""
        if self.bearer:
            return f"Bearer {self.bearer}"
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


class WebLookUps:
    """One pool of connections for all callers. Answers `telephony.ivr_player.WebLookUps`."""

    def __init__(
        self, transport: "httpx.AsyncBaseTransport | None" = None,
        credentials: Mapping[str, Credentials] | None = None,
    ) -> None:  # fmt: skip
        """`transport` stands in for the network in tests; `credentials` by host, or host:port where one is named."""
        self._transport = transport
        self._credentials = dict(credentials or {})
        self._client: httpx.AsyncClient | None = None

    async def _pool(self) -> "httpx.AsyncClient":
        """Made when first needed, and not on the loop: a start must not wait for it, nor other callers."""
        if self._client is None:
            made = await asyncio.to_thread(client, self._transport)
            self._client = self._client or made
        return self._client

    async def get(self, url: str, query: Sequence[tuple[str, str]], limit: float) -> Mapping[str, str] | None:
        """The fields of a JSON object, or of the first of a list (with `count`); None for 404, 204 and an empty one.

        Raises `WebAnswerTrouble` for another status, an answer that is too long, or no JSON; httpx's own for the rest.
        """
        pool = await self._pool()
        heads = self._heads(url)
        async with pool.stream("GET", _address(url, query), headers=heads, timeout=limit) as answer:
            if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.NO_CONTENT):
                return None
            if answer.status_code != HTTPStatus.OK:
                raise WebAnswerTrouble(f"status {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > HTTP_ANSWER_BYTES:
                    raise WebAnswerTrouble("the answer is too long")
        try:
            return fields_of(orjson.loads(bytes(body))) if body.strip() else None
        except orjson.JSONDecodeError as trouble:
            raise WebAnswerTrouble("the answer is no JSON") from trouble


    def _heads(self, url: str) -> dict[str, str]:
        asked = urlsplit(url)
        host = (asked.hostname or "").lower()
        port = asked.port or (443 if asked.scheme == "https" else 80)
        known = self._credentials.get(f"{host}:{port}") or self._credentials.get(host)
        if known is None:
            return {}
        if not is_private_enough(url):
            raise WebAnswerTrouble("what proves who asks is not sent over plain http")
        return {"Authorization": known.header}


def client(transport: "httpx.AsyncBaseTransport | None") -> "httpx.AsyncClient":
    """A client that follows nobody elsewhere. Loading it takes a tenth of a second: call this in a thread."""
    import httpx

    return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False)


def _address(url: str, query: Sequence[tuple[str, str]]) -> "httpx.URL":
    """With the query beside the one that the address has of its own, such as a key."""
    import httpx

    return httpx.URL(url).copy_merge_params(tuple(query)) if query else httpx.URL(url)


def fields_of(answer: object) -> dict[str, str] | None:
    """Plain fields: `{"a": {"b": 1}}` is `a_b`; of a list, its first element and `count`; None when it is empty."""
    if isinstance(answer, list):
        if not answer:
            return None
        return {"count": str(len(answer)), **dict(list(_fields(answer[0], "", NESTED))[:FIELDS_KEPT])}
    if not answer or not isinstance(answer, dict):
        return None if not answer else {"value": _word(answer)}
    return dict(list(_fields(answer, "", NESTED))[:FIELDS_KEPT])


def _fields(value: object, name: str, deep: int) -> Iterator[tuple[str, str]]:
    match value:
        case dict() if deep:
            for inner, one in value.items():
                yield from _fields(one, f"{name}_{inner}" if name else str(inner), deep - 1)
        case list():
            yield f"{name}_count" if name else "count", str(len(value))
        case dict():
            return
        case _:
            yield name or "value", _word(value)


def _word(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
