"""Lets browser phones reach the PBX through our own web address: same origin, same certificate, same door-keeper.

SIP over WebSocket (RFC 7118) is passed on frame by frame between the page and Asterisk's own HTTP server, which stays
on loopback. We look at who opens the line, never at what is said on it.
"""

import asyncio
import logging

import websockets
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from changgu.ground.access import Gate, Role
from changgu.screenpop.visitor import VisitorPhone, may_visit, same_origin

logger = logging.getLogger(__name__)

SIP = "sip"
OPEN_LIMIT = 5.0
"""Seconds for the PBX to take a line; it is on this machine."""
LARGEST_FRAME = 65_536
"""Bytes of one SIP message; an offer with many candidates has some 5,000."""
MOST_VISITORS = 20
"""Lines of visitors at one time; more would be a flood, not a queue."""
TRY_AGAIN_LATER = 1013
SERVICE_RESTART = 1012
FORBIDDEN = 4403


def build_phone_proxy(gate: Gate, pbx: str, visitor: VisitorPhone) -> APIRouter:
    """The routes `/sip/ws` (agents) and `/sip/visitor`; `pbx` is Asterisk's own, such as `ws://127.0.0.1:8088/ws`."""
    router = APIRouter()
    visitors = asyncio.Semaphore(MOST_VISITORS)

    @router.websocket("/sip/ws")
    async def agents_line(websocket: WebSocket) -> None:
        if await gate.admit(websocket, Role.AGENT) is not None:
            await _carry(websocket, pbx)

    @router.websocket("/sip/visitor")
    async def visitors_line(websocket: WebSocket) -> None:
        address = websocket.client.host if websocket.client else None
        if not (same_origin(websocket.headers) and may_visit(visitor, address, websocket.headers)):
            await websocket.accept(subprotocol=SIP)
            await websocket.close(FORBIDDEN)
        elif visitors.locked():
            await websocket.accept(subprotocol=SIP)
            await websocket.close(TRY_AGAIN_LATER)
        else:
            async with visitors:
                await _carry(websocket, pbx)

    return router


async def _carry(page: WebSocket, pbx: str) -> None:
    """Carry frames both ways until either side leaves."""
    if SIP not in page.scope.get("subprotocols", ()):
        await page.accept()
        await page.close(FORBIDDEN)
        return
    await page.accept(subprotocol=SIP)
    try:
        line = await websockets.connect(
            pbx, subprotocols=[Subprotocol(SIP)], open_timeout=OPEN_LIMIT, max_size=LARGEST_FRAME, ping_interval=None,
            compression=None, proxy=None,
        )
    except (OSError, TimeoutError, websockets.WebSocketException) as trouble:
        logger.warning("the PBX takes no browser phones: %s", trouble)
        await page.close(TRY_AGAIN_LATER)
        return
    async with line:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_from_page(page, line))
                group.create_task(_from_pbx(page, line))
        except* (WebSocketDisconnect, websockets.ConnectionClosed) as gone:
            if gone.subgroup(websockets.ConnectionClosed) is not None:
                await page.close(SERVICE_RESTART)  # the page connects again by itself


async def _from_page(page: WebSocket, line: ClientConnection) -> None:
    while True:
        frame = await page.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code") or 1005)
        text = frame.get("text")
        await line.send(text if text is not None else frame["bytes"])


async def _from_pbx(page: WebSocket, line: ClientConnection) -> None:
    while True:
        frame = await line.recv()
        if isinstance(frame, str):
            await page.send_text(frame)
        else:
            await page.send_bytes(frame)
