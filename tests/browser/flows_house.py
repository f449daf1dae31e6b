"""The menu's pages over the house of the menu, and a supervisor's browser before them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from argon2 import PasswordHasher
from playwright.async_api import Browser, Page

from changgu.acd.facts import CallEnded, CallQueued, Ender, Fact, MenuStepTaken, Outcome, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.app.access import SESSION_COOKIE, AccessGate
from changgu.app.accounts import Accounts
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.ground.access import Role
from changgu.ground.database import Base, Database
from changgu.ivr_flows.publishing import api, pages
from changgu.ivr_flows.publishing.comparison import api as comparison_api
from changgu.ivr_flows.publishing.hours import api as hours_api
from tests.ivr_flows.menu_house import MenuHouse

PATIENCE = 20_000
"""Milliseconds for what says nothing else: two such modules and their browsers share two processors."""
PICTURES = os.environ.get("CHANGGU_PICTURES", "")
"""A folder for screenshots, for whoever wants to look at the pages."""


class Front:
    """The pages over the house of the menu, on a port of their own."""

    def __init__(self, house: MenuHouse) -> None:
        self.house = house
        self.accounts = Accounts(house.database, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        site = SitePages(site="행정안전부 서비스데스크")
        gate = AccessGate(self.accounts)
        self.app = build_app(
            version="test", gate=gate, pages=site, health=self,
            routers=[
                api.build_router(gate, house.versions, house.notices, house.counts, house.menu),
                comparison_api.build_router(gate, house.versions),
                hours_api.build_router(gate, house.versions, lambda: "Asia/Seoul"),
                pages.build_pages(gate, site, house.versions, house.menu),
            ],
        )  # fmt: skip
        self.seq = 0

    async def health(self) -> Health:
        return Health(True, "22", True)

    async def furnish(self) -> None:
        await self.house.open()
        supervisors = [("boss", "박팀장"), ("deputy", "이부팀장")]
        await self.accounts.ensure_accounts(supervisors, Role.SUPERVISOR, "menu-house-2026")
        ways: Mapping[tuple[str, ...], int] = {
            ("greeting", "services", "network"): 42, ("greeting", "services", "pc"): 31,
            ("greeting", "services", "application"): 12, ("greeting",): 6, ("greeting", "services"): 9,
            ("greeting", "services", "ticket_status", "after_ticket_status"): 18,
        }  # fmt: skip
        for number, way in enumerate(way for way, times in ways.items() for _ in range(times)):
            self.call(f"c{number}", *way)

    def call(self, name: str, *nodes: str) -> None:
        """A caller's whole visit; to a queue where the last node leads to one."""
        call = CallId(name)
        self.house.facts.flow_of(call, "1000")
        queued = nodes[-1] in ("network", "pc", "application")
        facts: list[Fact] = [MenuStepTaken(call, node, None) for node in nodes]
        if queued:
            facts.append(CallQueued(call, QueueName(nodes[-1]), 0))
        facts.append(CallEnded(call, Outcome.ANSWERED if queued else Outcome.ABANDONED_IN_MENU, Ender.CALLER))
        for fact in facts:
            self.seq += 1
            self.house.facts.hear(Recorded(self.seq, self.house.now().timestamp(), fact))


class Opened:
    """Opens pages as a supervisor; what goes wrong in one fails the test."""

    def __init__(self, front: Front, address: str, browser: Browser) -> None:
        self.front, self.address, self.browser = front, address, browser
        self.complaints: list[str] = []

    async def page(
        self, path: str, language: str = "ko", width: int = 1920, height: int = 1080, *,
        zone: str = "Asia/Seoul", login: str = "boss",
    ) -> Page:  # fmt: skip
        """`zone`: of the supervisor's computer."""
        context = await self.browser.new_context(
            locale=language, timezone_id=zone, viewport={"width": width, "height": height}
        )
        context.set_default_timeout(PATIENCE)
        opened = await self.front.accounts.open_session(login)
        await context.add_cookies([
            {"name": SESSION_COOKIE, "value": opened.cookie, "url": self.address},
            {"name": "changgu_language", "value": language, "url": self.address},
        ])
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(f"{self.address}{path}")
        await page.wait_for_selector("body[data-loaded]")
        return page

    async def picture(self, page: Page, name: str) -> None:
        if PICTURES:
            await page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


@asynccontextmanager
async def open_menu_house(folder: Path) -> AsyncIterator[tuple[Front, str]]:
    """The pages with callers' figures, and their address."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'menu.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    front = Front(MenuHouse(folder, database, real_time=True))
    await front.furnish()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(front.app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield front, f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving
    await database.close()
