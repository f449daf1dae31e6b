"""A copy of what one caller says, sent out of Asterisk as RTP to whoever listens; the call itself is not touched.

A snoop channel hears the caller, an external media channel sends what it hears, a bridge joins the two. RTP, because
a datagram waits for nobody: a listener that hangs or is gone costs the PBX nothing (docs/decisions/0008).
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from changgu.telephony.ari.client import Value, path
from changgu.telephony.ari.errors import AriNotFound, AriNotOurs, AriTrouble
from changgu.telephony.ari.stream import DEADLINE

logger = logging.getLogger(__name__)

FORMAT = "slin"
"""16 bits, 8 kHz, big-endian in RTP."""

ENTERS_WITHIN, LOOK_EVERY = 1.0, 0.005
"""Seconds. A channel exists a moment before it has entered our application, and cannot be bridged until then."""

_EAR, _MEDIA, _BRIDGE = "ear-", "earmedia-", "earbridge-"


class Requests(Protocol):
    """The PBX, as far as a tap needs it; `Ari` is the one implementation."""

    @property
    def app(self) -> str:
        """The name of our Stasis application."""
        ...

    async def request(
        self, method: str, uri: str, *, body: Any = None, deadline: float = DEADLINE, **query: Value
    ) -> Any:
        """Ask for something. Raises AriTrouble."""
        ...


@dataclass(frozen=True, slots=True)
class Tap:
    """One tap; `name` is unlike any other's: `<number>-<channel>`."""

    name: str
    channel: str

    @property
    def ear(self) -> str:
        """The snoop channel."""
        return _EAR + self.name

    @property
    def media(self) -> str:
        """The channel that sends."""
        return _MEDIA + self.name

    @property
    def bridge(self) -> str:
        """What joins them."""
        return _BRIDGE + self.name


async def open_tap(ari: Requests, tap: Tap, port: int) -> None:
    """Send the caller's sound to 127.0.0.1:`port`. Raises AriTrouble, after taking back what was made."""
    try:
        await asyncio.gather(
            ari.request("POST", path("bridges", tap.bridge), type="mixing"),
            ari.request("POST", path("channels", tap.channel, "snoop", tap.ear), app=ari.app, spy="in"),
            ari.request(
                "POST", path("channels", "externalMedia"), app=ari.app, channelId=tap.media,
                external_host=f"127.0.0.1:{port}", format=FORMAT,
            ),
        )  # fmt: skip
        await _join(ari, tap)
    except BaseException:
        await asyncio.shield(close_tap(ari, tap))
        raise


async def _join(ari: Requests, tap: Tap) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + ENTERS_WITHIN
    while True:
        try:
            await ari.request("POST", path("bridges", tap.bridge, "addChannel"), channel=f"{tap.ear},{tap.media}")
        except AriNotOurs:
            if loop.time() > until:
                raise
            await asyncio.sleep(LOOK_EVERY)
        else:
            return


async def close_tap(ari: Requests, tap: Tap) -> None:
    """Take it away; whatever is gone already is fine."""
    await asyncio.gather(
        *(_without(ari, path("channels", channel)) for channel in (tap.ear, tap.media)),
        _without(ari, path("bridges", tap.bridge)),
    )


async def sweep(ari: Requests, wanted: Collection[Tap]) -> int:
    """Take away taps that nobody listens to, left by an end that came without warning; how many pieces there were."""
    keep = {name for tap in wanted for name in (tap.ear, tap.media, tap.bridge)}
    channels = [one["id"] for one in await ari.request("GET", path("channels"))]
    bridges = [one["id"] for one in await ari.request("GET", path("bridges"))]
    left = [path("channels", one) for one in channels if one.startswith((_EAR, _MEDIA)) and one not in keep]
    left += [path("bridges", one) for one in bridges if one.startswith(_BRIDGE) and one not in keep]
    await asyncio.gather(*(_without(ari, one) for one in left))
    return len(left)


async def _without(ari: Requests, what: str) -> None:
    try:
        await ari.request("DELETE", what)
    except AriNotFound:
        return
    except AriTrouble as trouble:
        logger.info("a tap could not be taken away now: %s", trouble)  # the next sweep does
