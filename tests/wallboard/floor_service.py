"""The wallboard and its pages as a real web server with an administrator, without the rest of the desk."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from argon2 import PasswordHasher
from fastapi import APIRouter, Body

from changgu.acd.queues import Floor
from changgu.app.access import AccessGate
from changgu.app.accounts import Accounts
from changgu.app.pages import build_pages as build_app_pages
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.ground.database import Base, Database
from changgu.ground.trouble import Conflict
from changgu.wallboard.api import build_router
from changgu.wallboard.board import Board
from changgu.wallboard.feed import Feed
from changgu.wallboard.pages import build_pages

SEOUL = ZoneInfo("Asia/Seoul")


class Healthy:
    """All is well."""

    async def health(self) -> Health:
        return Health(pbx_connected=True, pbx_version="20.6.0", database=True)


@dataclass
class FloorService:
    """A running server."""

    origin: str
    feed: Feed
    board: Board
    accounts: Accounts
    password: str
    server: uvicorn.Server


class StateWishes:
    """Stands for the ACD: notes what supervisors ask for, and refuses for an agent called `busy`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.post("/api/v1/agents/{login}/state")
        async def change(login: str, state: str = Body(), reason: str | None = Body(None)) -> dict[str, str]:
            if login == "busy":
                raise Conflict("통화 중에는 할 수 없습니다.", "Not during a call.")
            self.asked.append((login, state, reason))
            return {"login": login}

        return router


@contextlib.asynccontextmanager
async def floor_service(
    folder: Path, floor: Floor, port: int = 0, wishes: StateWishes | None = None
) -> AsyncIterator[FloorService]:
    """Serve on a free loopback port, or again on one that was served before."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'floor.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    accounts = Accounts(database, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    password = await accounts.first_administrator() or ""
    wishes = wishes or StateWishes()
    gate, pages = AccessGate(accounts), SitePages(site="정보화 서비스데스크")
    board = Board(floor, SEOUL, time.time())
    feed = Feed(board, time.time)
    routers = [build_app_pages(gate, pages, accounts), build_router(gate, feed), build_pages(gate, pages)]
    routers.append(wishes.router())
    app = build_app(version="0", gate=gate, pages=pages, health=Healthy(), routers=routers)
    config = uvicorn.Config(app, port=port, log_level="warning", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    publishing = asyncio.create_task(feed.run())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield FloorService(f"http://127.0.0.1:{bound}", feed, board, accounts, password, server)
    finally:
        publishing.cancel()
        server.should_exit = True
        await asyncio.gather(serving, publishing, return_exceptions=True)
        await database.close()
