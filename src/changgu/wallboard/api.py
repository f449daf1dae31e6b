"""The wallboard as messages: one snapshot by GET, or a snapshot and then numbered deltas by WebSocket."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, WebSocket, WebSocketDisconnect

from changgu.ground.access import Actor, Gate, Role
from changgu.wallboard.feed import Feed, SlowScreenError
from changgu.wallboard.kpi import DEFINITIONS

FAREWELL = 2.0
CLOSE_TRY_AGAIN = 1013
CLOSE_RENEW = 1012


def build_router(gate: Gate, feed: Feed) -> APIRouter:
    """`GET` and `WS /api/v1/wallboard`."""
    router = APIRouter(prefix="/api/v1", tags=["wallboard"])
    agent = Depends(gate.require(Role.AGENT))

    @router.get(
        "/wallboard",
        summary="Waiting calls, today's figures per queue and what every agent is doing",
        description=described_messages(),
    )
    async def wallboard(actor: Actor = agent) -> Mapping[str, Any]:
        return feed.snapshot()

    @router.websocket("/wallboard")
    async def wallboard_socket(websocket: WebSocket) -> None:
        if await gate.admit(websocket, Role.AGENT) is None:
            return
        await websocket.accept()
        await _serve(websocket, feed)

    return router


def described_messages() -> str:
    """The message and its figures, for the API's description."""
    lines = (f"- {name}: {words.formula_en} / {words.ko}: {words.formula_ko}" for name, words in DEFINITIONS.items())
    figures = "\n".join(lines)
    return (
        "One snapshot: type, seq, at, queues by name, agents by login, totals. Rates are fractions, times ISO-8601 in "
        "UTC, durations seconds; null where nothing has happened yet.\n\n"
        "A WebSocket to the same address, from our own pages or with a bearer token, gets this snapshot and then "
        "deltas of the same form, at most five a second: seq runs on by one, a queue or agent that changed is there in "
        "full, one that has gone is null, totals is empty when nothing in it changed. An empty delta every 5 s says "
        "that the line is alive. After a gap in seq, connect again.\n\n"
        f"{figures}"
    )


async def _serve(websocket: WebSocket, feed: Feed) -> None:
    sending = asyncio.ensure_future(feed.serve(websocket.send_text))
    reading = asyncio.ensure_future(_until_gone(websocket))
    try:
        done, _ = await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
        if reading not in done:
            slow = sending in done and isinstance(sending.exception(), SlowScreenError)
            async with asyncio.timeout(FAREWELL):
                await websocket.close(CLOSE_TRY_AGAIN if slow else CLOSE_RENEW)
    except (RuntimeError, TimeoutError, WebSocketDisconnect):
        return  # it went by itself, or takes not even a farewell
    finally:
        sending.cancel()
        reading.cancel()
        await asyncio.gather(sending, reading, return_exceptions=True)


async def _until_gone(websocket: WebSocket) -> None:
    """Read, and disregard, whatever the screen says, until it has gone."""
    try:
        while True:
            await websocket.receive_text()
    except (RuntimeError, KeyError, WebSocketDisconnect):
        return
