"""A small house with the real engine, directory, pages and desktop stream; the switch and the tickets are stand-ins.

`python -m tests.browser.desk_house PORT` opens it for a look in any browser.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import uvicorn
from argon2 import PasswordHasher
from fastapi import APIRouter, Request
from playwright.async_api import BrowserContext

from changgu.acd import api as call_api
from changgu.acd.agents import api as agent_api
from changgu.acd.api import CallDesk, PersonRef
from changgu.acd.call_record import CallRecord
from changgu.acd.commands import Command
from changgu.acd.emergencies import api as emergency_api
from changgu.acd.emergency import EmergencyPlan, FloorPlans, Helpers, PreparedNotice, with_helpers
from changgu.acd.engine import Engine
from changgu.acd.events import CallHeld, CallResumed, Event
from changgu.acd.facts import Emergency, Recorded
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.acd.runner import Runner, SteadyClock
from changgu.acd.store import CallStore, Ledger
from changgu.acd.worklist import pages as callback_pages
from changgu.acd.worklist.api import Worklist
from changgu.acd.worklist.store import CallbackHistory
from changgu.app.access import SESSION_COOKIE, AccessGate
from changgu.app.accounts import Accounts
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.directory.items import Asset, AssetTag
from changgu.directory.numbers import Numbering
from changgu.directory.person import NumberWritten, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Role
from changgu.ground.database import Base, Database, moment
from changgu.ground.trouble import BadInput
from changgu.screenpop.api import SipAccount, build_router
from changgu.screenpop.caller import Confidence
from changgu.screenpop.desktop import build_desktop
from changgu.screenpop.pages import build_pages
from changgu.screenpop.people import DirectoryPeople
from changgu.screenpop.pop import PastCall, TicketLine
from changgu.screenpop.presence import Presence
from changgu.screenpop.service import ScreenPop
from changgu.screenpop.store import IdentifiedCaller, IdentifiedCalls
from changgu.screenpop.visitor import VisitorPhone
from changgu.telephony.phone_proxy import build_phone_proxy
from changgu.wallboard import api as wallboard_api
from changgu.wallboard import pages as wallboard_pages
from changgu.wallboard.board import Board
from changgu.wallboard.feed import Feed
from tests.support.pop_fakes import FakePast, FakeTickets

NETWORK = (QueueName("network"),)
TITLES = {"greeting": "인사말", "incident": "장애 신고", "network": "네트워크", "vpn": "VPN·재택근무"}

NO_PBX = "ws://127.0.0.1:9/ws"
PASSWORD = "desk-house-2026"

HONG = PersonWritten(
    {
        "name": "홍길동", "title": "주무관", "department": "정보화담당관실", "employee_number": "20190001",
        "location": "본관 3층 312호", "computer_id": "PC-0312", "email": "hong@example.go.kr",
    },
    [NumberWritten("010-1234-5678"), NumberWritten("02-2100-3456"), NumberWritten("3456")],
    [Asset(AssetTag("NB-20231"), "노트북", "그램 16"), Asset(AssetTag("MN-10442"), "모니터", "27UP650")],
)  # fmt: skip
HONG_NUMBER = "+821012345678"
SHARED = "02-2100-7777"


def _sharing(name: str, number: str, title: str, location: str) -> PersonWritten:
    fields = {"name": name, "title": title, "department": "총무과", "employee_number": number, "location": location}
    return PersonWritten(fields, [NumberWritten(SHARED)])


class Nobody:
    """Knows nobody, and dials whom it is told."""

    async def people_of(self, calls: Sequence[CallRecord]) -> Mapping[CallId, PersonRef]:
        return {}

    async def tickets_of(self, calls: Sequence[CallId]) -> Mapping[CallId, Sequence[str]]:
        return {}

    def dialable(self, written: str) -> str:
        return written.replace("-", "")

    async def people_at(self, numbers: Collection[str]) -> Mapping[str, PersonRef]:
        return {}


class DeskHouse:
    """Everything behind `/desk`, in one process on one port."""

    def __init__(self, database: Database, *, pbx: str, visitor_secret: str, browser_secret: str) -> None:
        self.database = database
        self.clock = SteadyClock()
        queues = (
            Queue(QueueName("network"), "네트워크", "1002", wrap_up=timedelta(seconds=40)),
            Queue(QueueName("pc"), "PC·OA기기", "1003", ticket=TicketPolicy.ASK),
        )
        names = frozenset(queue.name for queue in queues)
        self.floor = Floor(
            queues,
            (
                Agent(AgentId("kim"), "김상담", names),
                Agent(AgentId("lee"), "이상담", names),
                Agent(AgentId("choi"), "최상담", names, phone="browser"),
                Agent(AgentId("park"), "박상담", names - {QueueName("network")}),
            ),
        )
        self.on: Emergency | None = None
        self.commands: list[Command] = []
        self.facts: list[Recorded] = []
        self.directory = Directory(database, Numbering("KR", r"[3-9]\d{3}"))
        self.tickets = FakeTickets()
        self.past = FakePast()
        self.pop = ScreenPop(
            directory=DirectoryPeople(self.directory), tickets=self.tickets, calls=self.past,
            identified=IdentifiedCalls(database), floor=lambda: self.floor, now=self.clock.now, node_title=TITLES.get,
            confirmed=self.tickets.caller_is,
        )  # fmt: skip
        engine = Engine(self.floor)
        self.engine = engine
        self.feed = Feed(Board(self.floor, ZoneInfo("Asia/Seoul"), self.clock.now()), self.clock.now)
        listeners = [self.pop.hear, self.feed.hear, self.facts.append]
        self.runner = Runner(engine, self.clock, self.commands.append, listeners, 1)
        self.presence = Presence(lambda event: self.runner.post(event))
        self.accounts = Accounts(database, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.pages = SitePages(site="행정안전부 서비스데스크")
        gate = AccessGate(self.accounts)
        self.must_classify = False
        self.own_calls: list[dict[str, Any]] = []
        self.ticket_bodies: dict[str, dict[str, Any]] = {}
        self.app = build_app(
            version="test", gate=gate, pages=self.pages, health=self,
            routers=[
                build_desktop(gate, self.pop, self.runner.ask, self, self.presence),
                build_router(gate, self.pop, self._browser_account(browser_secret)),
                build_pages(
                    gate, self.pages, visitor=VisitorPhone.LOOPBACK, visitor_account=self._visitor(visitor_secret),
                    desk_number="1000",
                ),
                build_phone_proxy(gate, pbx, VisitorPhone.LOOPBACK),
                self._ticket_api(),
                *self._supervision(gate),
            ],
        )  # fmt: skip
        self.hung_up: list[CallId] = []

    def _supervision(self, gate: AccessGate) -> list[APIRouter]:
        calls = CallDesk(CallStore(self.database), Ledger(self.database, Path("unused")), self, Nobody(), self.engine)
        worklist = Worklist(self.engine, CallbackHistory(self.database), self, self.runner, Nobody())
        return [
            call_api.build_router(gate, calls, self, self.engine, self.runner),
            agent_api.build_router(gate, self, self.engine, self.runner, self),
            emergency_api.build_router(gate, self),
            callback_pages.build_pages(gate, self.pages, worklist, self, ZoneInfo("Asia/Seoul")),
            wallboard_api.build_router(gate, self.feed),
            wallboard_pages.build_pages(gate, self.pages),
        ]

    # the set-up

    async def load_floor(self) -> Floor:
        return self.floor

    async def move_agent(
        self, login: AgentId, queues: Collection[QueueName] | None, skills: Collection[str] | None, by: str
    ) -> None:
        assert queues is not None
        assert skills is not None
        moved = [
            replace(one, queues=frozenset(queues), skills=frozenset(skills)) if one.login == login else one
            for one in self.floor.agents
        ]
        self.floor = replace(self.floor, agents=tuple(moved))
        self.runner.configure(self.floor)
        self.feed.configure(self.floor)

    async def health(self) -> Health:
        return Health(True, "22", True)

    # emergencies

    @property
    def plans(self) -> FloorPlans:
        queues = (replace(self.floor.queues[0], wrap_up=timedelta(seconds=5)), *self.floor.queues[1:])
        helped = with_helpers(replace(self.floor, queues=queues), [Helpers(NETWORK, agents=(AgentId("park"),))])
        outage = EmergencyPlan(
            "outage", "전산망 장애", helped, "모든 요원은 네트워크 전화를 함께 받습니다.", timedelta(hours=2),
            PreparedNotice({"ko": "전산망 장애를 복구하고 있습니다."}),
        )  # fmt: skip
        return FloorPlans(self.floor, {"outage": outage})

    async def turn_on(self, plan: str, why: str, until: datetime | None, actor: Actor) -> str | None:
        known, now = self.plans.emergencies[plan], self.clock.now()
        ends = now + 7200 if until is None else until.timestamp()
        self.on = Emergency(plan, known.title, actor.login, why, now, ends)
        self.runner.configure(known.floor, self.on, actor.login)
        self.feed.configure(known.floor)
        return None

    async def turn_off(self, why: str, actor: Actor) -> None:
        self.on = None
        self.runner.configure(self.floor, None, actor.login, why)
        self.feed.configure(self.floor)

    # the switch

    async def hold(self, agent: AgentId, call: CallId) -> None:
        self.runner.post(CallHeld(agent, call))

    async def resume(self, agent: AgentId, call: CallId) -> None:
        self.runner.post(CallResumed(agent, call))

    async def hang_up(self, agent: AgentId, call: CallId) -> None:
        self.hung_up.append(call)

    async def news(self, *events: Event) -> None:
        """Post and wait until each has been handled."""
        for event in events:
            await self.runner.ask(event)

    @staticmethod
    def _browser_account(secret: str) -> Any:
        async def account(agent: AgentId) -> SipAccount:
            return SipAccount(f"agent-{agent}", secret)

        return account

    @staticmethod
    def _visitor(secret: str) -> Any:
        async def account() -> SipAccount:
            return SipAccount("visitor", secret)

        return account

    def _ticket_api(self) -> APIRouter:
        router = APIRouter(prefix="/api/v1")

        @router.get("/people")
        async def people(q: str = "", limit: int = 8) -> dict[str, Any]:
            return {"items": [
                {"id": card.id, "name": card.name, "title": card.title, "department": card.department,
                 "location": card.location, "employee_number": card.employee_number}
                for card in await self.directory.search(q, limit)
            ]}  # fmt: skip

        @router.get("/calls")
        async def calls(agent: str, limit: int) -> dict[str, Any]:
            return {"items": self.own_calls[:limit], "next": None}

        @router.get("/tickets/codes")
        async def codes() -> dict[str, Any]:
            return {"grades": [{"code": str(n), "ko": f"{n}등급", "en": f"grade {n}"} for n in (1, 2, 3)]}

        @router.get("/tickets/{number}")
        async def ticket(number: str) -> dict[str, Any]:
            return self.ticket_bodies[number]

        @router.patch("/tickets/{number}")
        async def change(number: str, request: Request) -> dict[str, Any]:
            changes = await request.json()
            if self.must_classify and not changes["kind"]:
                raise BadInput("접수 건을 판별해 주십시오.", "say what kind of ticket it is", field="kind")
            self.ticket_bodies[number].update(changes)
            return self.ticket_bodies[number]

        @router.post("/tickets")
        async def make(request: Request) -> dict[str, Any]:
            return self.open_ticket("2026999", **(await request.json()))

        return router

    def open_ticket(self, number: str, *, call: str, title: str, **fields: Any) -> dict[str, Any]:
        """What the ticketing room would do."""
        self.ticket_bodies[number] = {"number": number, "title": title, "description": "", **fields}
        self.tickets.of_call.setdefault(CallId(call), []).append(TicketLine(number, title, "신규"))
        self.pop.ticket_changed(CallId(call))
        return self.ticket_bodies[number]

    async def furnish(self) -> None:
        """People, accounts and a past."""
        hong = await self.directory.create(HONG, "test")
        for written in (
            _sharing("성춘향", "20190002", "사무관", "별관 2층"), _sharing("이몽룡", "20190003", "주무관", "별관 2층"),
            _sharing("변학도", "20150017", "과장", "별관 2층 과장실"),
        ):  # fmt: skip
            await self.directory.create(written, "test")
        agents = [(agent.login, agent.name) for agent in self.floor.agents]
        await self.accounts.ensure_accounts(agents, Role.AGENT, PASSWORD)
        await self.accounts.ensure_accounts([("boss", "박팀장")], Role.SUPERVISOR, PASSWORD)
        now = time.time()
        self.tickets.of_person[str(hong.id)] = [
            TicketLine("2025174", "재택근무 중 VPN 접속이 10분마다 끊김", "할당", "장애", "3", now - 86_000),
            TicketLine("2024886", "업무용 메신저 설치 요청", "해결", "서비스 요청", "", now - 9 * 86_400),
            TicketLine("2023519", "모니터 교체 신청", "종료", "서비스 요청", "", now - 40 * 86_400, open=False),
            TicketLine("2019034", "결재 첨부파일이 열리지 않음", "종료", "장애", "2", now - 9e6, open=False),
        ]
        self.own_calls = [
            {"id": "p3", "arrived_at": "2026-11-21T05:03:00Z", "caller": "01012345678", "queue": "pc",
             "person": {"id": hong.id, "name": "홍길동", "department": "정보화담당관실"}, "outcome": "answered",
             "talk_seconds": 187.0, "tickets": ["2025174"]},
        ]  # fmt: skip
        past = [
            PastCall(CallId("p1"), now - 85_000, "네트워크", "answered", "이상담", 423.0),
            PastCall(CallId("p2"), now - 86_200, "네트워크", "abandoned_in_queue", None, None),
            PastCall(CallId("p3"), now - 9 * 86_400, "PC·OA기기", "answered", "김상담", 187.0),
        ]
        self.past.known = {one.call: one for one in past}
        await IdentifiedCalls(self.database).guess([
            IdentifiedCaller(one.call, str(hong.id), "홍길동", Confidence.NUMBER, HONG_NUMBER, moment(one.started_at))
            for one in past
        ])  # fmt: skip

    async def sign_in(self, context: BrowserContext, login: str, url: str) -> None:
        """Give a browser the session that the sign-in page would."""
        opened = await self.accounts.open_session(login)
        await context.add_cookies([{"name": SESSION_COOKIE, "value": opened.cookie, "url": url}])


@asynccontextmanager
async def open_house(
    folder: Path, port: int = 0, *, pbx: str = NO_PBX, visitor_secret: str = "-", browser_secret: str = "-"
) -> AsyncIterator[tuple[DeskHouse, str]]:
    """The house and its address, as long as the block lasts."""
    database = Database(f"sqlite+aiosqlite:///{folder / 'desk.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    house = DeskHouse(database, pbx=pbx, visitor_secret=visitor_secret, browser_secret=browser_secret)
    await house.furnish()
    listening = socket.create_server(("127.0.0.1", port))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning", lifespan="off"))
    parts = (house.runner.run(), house.pop.run(), server.serve([listening]), house.feed.run())
    tasks = [asyncio.create_task(work) for work in parts]
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield house, address
    finally:
        server.should_exit = True
        server.force_exit = True
        await tasks[2]
        others = [*tasks[:2], tasks[3]]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await database.close()


async def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_house(Path(folder), int(sys.argv[1])) as (house, address):
            cookies = {login: (await house.accounts.open_session(login)).cookie for login in ("kim", "choi")}
            print(address, cookies)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
