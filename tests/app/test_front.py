"""What the doors of a whole service tell, with nothing behind it but its own database: no PBX, and nobody runs."""

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from changgu.acd.facts import Emergency
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Agent
from changgu.acd.store import FloorStore
from changgu.app.access import SESSION_COOKIE
from changgu.app.assembly import Past, Service
from changgu.app.floor_keeper import FloorKeeper, menu_files
from changgu.app.front import build_front
from changgu.app.generated_secrets import secrets_of
from changgu.app.schema import METADATA
from changgu.app.settings import Settings
from changgu.ground.access import Role
from changgu.ground.database import Database
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.store import FlowStore
from changgu.ivr_flows.service import sentences
from changgu.telephony.speech.prompts import PromptStore
from tests.support.counting_voice import CountingVoice

NETWORK, HELPDESK = QueueName("network"), QueueName("helpdesk")
RULES = """\
[queue.network]
strategy = "most_skilled"
[emergency.outage]
helpers = [{ agents = ["bob"], queues = ["network"] }]
[emergency.outage.queue.network]
wrap_up = "5s"
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    yield database
    await database.close()


@pytest.fixture
async def service(tmp_path: Path, database: Database) -> Service:
    return await begun(tmp_path, database)


async def begun(tmp_path: Path, database: Database) -> Service:
    floors = FloorStore(database)
    await floors.seed()
    await floors.save(agents=[
        Agent(AgentId("alice"), "김지은", frozenset({NETWORK})), Agent(AgentId("bob"), "이상담", frozenset({HELPDESK})),
    ])  # fmt: skip
    (tmp_path / "routing.toml").write_text(RULES, encoding="utf-8")
    settings = Settings.model_validate({"data": tmp_path})
    versions = FlowVersions(FlowStore(database), lambda: menu_files(tmp_path))
    keeper = FloorKeeper(settings, floors, versions)
    await keeper.read()
    ledger = Ledger(database, tmp_path / "spool.jsonl")
    prompts = PromptStore(tmp_path / "sounds", None, CountingVoice(), {"ko": sentences("ko")})
    past = await Past.read(ledger, ZoneInfo(settings.desk.time_zone))
    return Service(settings, secrets_of(tmp_path), database, keeper, versions, prompts, ledger, past)


async def test_the_queues_and_the_call_backs_are_those_of_the_floor_that_holds_now(service: Service) -> None:
    """The lists of queues and agents are what rules and emergency plans lie over."""
    await service.accounts.create_account("bob", "이상담", Role.AGENT, must_change=False)
    opened = await service.accounts.open_session("bob")
    door = httpx.ASGITransport(build_front(service))
    cookies = {SESSION_COOKIE: opened.cookie, "changgu_language": "en"}
    async with httpx.AsyncClient(transport=door, base_url="http://desk", cookies=cookies) as bob:

        async def network() -> tuple[str, float, int]:
            queues = (await bob.get("/api/v1/queues")).raise_for_status().json()["items"]
            (queue,) = [one for one in queues if one["name"] == NETWORK]
            return queue["strategy"], queue["wrap_up_seconds"], sum(queue["agents"].values())

        assert await network() == ("most_skilled", 30, 1)
        assert 'value="network"' not in (await bob.get("/callbacks")).text

        assert await service.keeper.switch(Emergency("outage", "전산망 장애", "boss", "", 0.0))
        assert await network() == ("most_skilled", 5, 2)
        assert 'value="network"' in (await bob.get("/callbacks")).text


@pytest.mark.parametrize(
    "asked", ["calls?since=9999-12-31T23:59:59-12:00", "calls?until=0001-01-01T00:00:00%2B14:00",
              "tickets?since=9999-12-31T23:59:59-12:00"],
)  # fmt: skip
async def test_a_time_that_no_clock_shows_is_malformed_and_no_fault_of_ours(service: Service, asked: str) -> None:
    token = await service.accounts.create_token("reports", Role.SUPERVISOR)
    door = httpx.ASGITransport(build_front(service), raise_app_exceptions=False)
    heads = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=door, base_url="http://desk", headers=heads) as program:
        answer = await program.get(f"/api/v1/{asked}")

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, asked.partition("?")[2].partition("=")[0])
