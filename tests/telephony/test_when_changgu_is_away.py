"""While changgu is away the PBX alone loses no caller: the plain queue takes them, and gives them back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from changgu.asterisk_conf.plan import PbxFloor, PbxPlan, ShadowQueue, agent_phone
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.soft_phone import SoftPhones
from tests.support.private_pbx import SECRET, plan_of, running
from tests.support.sipp import Caller, Sipp
from tests.support.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

FLOOR = PbxFloor(
    (agent_phone("alice", "register", SECRET),),
    (ShadowQueue("helpdesk", "1001", ("alice",)), ShadowQueue("network", "1002", ())),
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> PbxPlan:
    return plan_of(tmp_path_factory.mktemp("pbx"), "away", rtp_first=22000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(plan: PbxPlan) -> AsyncIterator[PrivatePbx]:
    async with running(plan, FLOOR) as pbx:
        yield pbx


@pytest_asyncio.fixture(loop_scope="module")
async def http(pbx: PrivatePbx, plan: PbxPlan) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{plan.ari_port}/ari", auth=("changgu", SECRET)) as http:
        yield http


@asynccontextmanager
async def changgu_is_there(plan: PbxPlan) -> AsyncIterator[Any]:
    """Stands for changgu: an ARI connection under its application name."""
    url = f"ws://127.0.0.1:{plan.ari_port}/ari/events?app=changgu&api_key=changgu:{SECRET}"
    async with connect(url) as socket:
        yield socket


async def stasis_start(socket: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            news: dict[str, Any] = orjson.loads(await socket.recv())
            if news["type"] == "StasisStart":
                return news


async def waiting(http: httpx.AsyncClient, queue: str) -> list[dict[str, Any]]:
    """The caller channels now in the plain queue."""
    channels = (await http.get("/channels")).json()
    return [
        channel
        for channel in channels
        if channel["dialplan"]["app_name"] == "Queue" and channel["dialplan"]["exten"] == queue
    ]


async def test_a_caller_of_the_main_number_reaches_an_agent(pbx: PrivatePbx, plan: PbxPlan, tmp_path: Path) -> None:
    async with SoftPhones() as phones:
        server = f"127.0.0.1:{plan.sip_port}"
        await phones.account("alice", server, user="agent-alice", password=SECRET, register=True, answer_after=0.1)

        caller = await Sipp.dial(tmp_path, server, "1000", Caller(stay=2))

        await phones.expect("answered", line="alice")
        assert await caller.finished() == 0
    written = (Path(plan.folders.log) / "queue_log").read_text()
    assert "|helpdesk|alice|CONNECT|" in written


async def test_a_waiting_caller_is_given_back_with_the_name_of_the_queue(
    pbx: PrivatePbx, plan: PbxPlan, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    caller = await Sipp.dial(tmp_path, f"127.0.0.1:{plan.sip_port}", "1002", Caller(stay=None))
    (held,) = await eventually(lambda: waiting(http, "network"))

    async with changgu_is_there(plan) as changgu:
        redirected = await ami(plan, Action="Redirect", Channel=held["name"], Context="returned", Exten="network",
                               Priority="1")  # fmt: skip
        news = await stasis_start(changgu)

        assert "Success" in redirected
        assert news["args"] == ["returned", "network"]
        assert news["channel"]["id"] == held["id"], "the call keeps its name"
        await http.delete(f"/channels/{held['id']}")
    assert await caller.finished() == 0


async def test_a_caller_given_back_too_early_waits_on(
    pbx: PrivatePbx, plan: PbxPlan, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    caller = await Sipp.dial(tmp_path, f"127.0.0.1:{plan.sip_port}", "1002", Caller(stay=None))
    (held,) = await eventually(lambda: waiting(http, "network"))

    await ami(plan, Action="Redirect", Channel=held["name"], Context="returned", Exten="network", Priority="1")

    (still,) = await eventually(lambda: waiting(http, "network"))
    assert still["id"] == held["id"]
    await http.delete(f"/channels/{held['id']}")
    assert await caller.finished() == 0


async def test_changgu_gets_the_caller_when_it_is_there(
    pbx: PrivatePbx, plan: PbxPlan, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with changgu_is_there(plan) as changgu:
        caller = await Sipp.dial(tmp_path, f"127.0.0.1:{plan.sip_port}", "1000", Caller(stay=None))
        news = await stasis_start(changgu)
        assert news["args"] == ["inbound", "1000"]
        assert news["channel"]["id"].startswith("away-"), "the desk's own name begins every call's"
        await http.post(f"/channels/{news['channel']['id']}/answer")
        await http.delete(f"/channels/{news['channel']['id']}")
        assert await caller.finished() == 0


@pytest.mark.parametrize("number", ["9999", "00441234567890", "helpdesk", "agent-alice", "s", "1000&PJSIP"])
async def test_nothing_else_can_be_dialled(pbx: PrivatePbx, plan: PbxPlan, tmp_path: Path, number: str) -> None:
    caller = await Sipp.dial(tmp_path, f"127.0.0.1:{plan.sip_port}", number, Caller())
    assert await caller.finished() != 0
    errors = "".join(file.read_text() for file in tmp_path.glob("caller-*.err"))
    assert "404" in errors


async def ami(plan: PbxPlan, **action: str) -> str:
    """One request to AMI; everything it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", plan.ami_port)
    try:
        for fields in ({"Action": "Login", "Username": "changgu", "Secret": SECRET}, action, {"Action": "Logoff"}):
            writer.write("".join(f"{key}: {value}\r\n" for key, value in fields.items()).encode() + b"\r\n")
        return (await asyncio.wait_for(reader.read(), 10)).decode()
    finally:
        writer.close()
