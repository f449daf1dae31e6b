"""While changgu is away the PBX alone loses no caller: the plain queue takes them, and gives them back."""

import asyncio
import time
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
from tests.support.tones import write_tone
from tests.support.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

FLOOR = PbxFloor(
    (agent_phone("alice", "register", SECRET),),
    (
        ShadowQueue("helpdesk", "1001", ("alice",)), ShadowQueue("network", "1002", ()),
        ShadowQueue("pc", "1003", (), most_waiting=1),
    ),
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> PbxPlan:
    folder = tmp_path_factory.mktemp("pbx")
    sound = write_tone(folder / "full.wav", 440, 3.0)
    return plan_of(
        folder, "away", rtp_first=22000, most_callers=2, told_at_once=1, full_sound=str(sound.with_suffix(""))
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(plan: PbxPlan) -> AsyncIterator[PrivatePbx]:
    async with running(plan, FLOOR) as pbx:
        yield pbx


@pytest_asyncio.fixture(loop_scope="module")
async def http(pbx: PrivatePbx, plan: PbxPlan) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{plan.ari_port}/ari", auth=("changgu", SECRET)) as http:
        await eventually(lambda: nobody_is_there(http))  # who hung up in the test before counts until they are gone
        yield http


async def nobody_is_there(http: httpx.AsyncClient) -> bool:
    """Whether the PBX has no channel."""
    return not (await http.get("/channels")).json()


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


async def so_many_wait(http: httpx.AsyncClient, queue: str, count: int) -> list[dict[str, Any]]:
    """The callers in the plain queue, once there are so many; nobody until then."""
    there = await waiting(http, queue)
    return there if len(there) == count else []


async def given_back(plan: PbxPlan, call: str) -> bool:
    """Whether the PBX has taken a caller out of the plain queue for changgu."""
    return f"|{call}|network|NONE|RETURNED|" in (Path(plan.folders.log) / "queue_log").read_text()


async def playing(http: httpx.AsyncClient) -> bool:
    """Whether somebody is being told that there are too many."""
    return any(one["dialplan"]["app_name"] == "Playback" for one in (await http.get("/channels")).json())


async def test_a_caller_of_the_main_number_reaches_an_agent(pbx: PrivatePbx, plan: PbxPlan, tmp_path: Path) -> None:
    async with SoftPhones() as phones:
        server = f"127.0.0.1:{plan.sip_port}"
        await phones.account("alice", server, user="agent-alice", password=SECRET, register=True, answer_after=0.1)

        caller = await Sipp.dial(tmp_path, server, "1000", Caller(stay=None))

        answered = await phones.expect("answered", line="alice")
        await phones.order(do="hang_up", call=answered.call)
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


async def test_who_hangs_up_while_changgu_is_killed_is_noted_and_nobody_else(
    pbx: PrivatePbx, plan: PbxPlan, tmp_path: Path
) -> None:
    """Its line for channel events ends first here, its AMI session is what counts."""
    log, began = Path(plan.folders.log) / "queue_log", time.time()

    async def hangs_up(*, noted: bool) -> str:
        async with changgu_is_there(plan) as changgu:
            caller = await Sipp.dial(tmp_path, f"127.0.0.1:{plan.sip_port}", "1000", Caller(number="0101", stay=0.1))
            call = str((await stasis_start(changgu))["channel"]["id"])
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{plan.ari_port}/ari", auth=("changgu", SECRET)
            ) as asks:
                if noted:
                    await changgu.close()
                await asks.post(f"/channels/{call}/answer")
                assert await caller.finished() == 0
                await eventually(lambda: nobody_is_there(asks))
        return call

    reader, writer = await asyncio.open_connection("127.0.0.1", plan.ami_port)
    writer.write(f"Action: Login\r\nUsername: changgu\r\nSecret: {SECRET}\r\n\r\n".encode())
    await reader.readuntil(b"Authentication accepted")
    known = await hangs_up(noted=False)
    writer.close()
    await writer.wait_closed()
    alone = await hangs_up(noted=True)

    rows = [line.split("|") for line in log.read_text().splitlines()]
    (row,) = (row for row in rows if row[1] in (known, alone))
    at, phone = row[7:]
    assert row[1:7] == [alone, "NONE", "NONE", "HUNGUP", "1000", "0101"]
    assert began <= float(at) <= time.time()
    assert phone.startswith("PJSIP/anonymous-"), "the caller's own: nobody hung up before"


async def test_a_caller_given_back_too_early_waits_on(
    pbx: PrivatePbx, plan: PbxPlan, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    caller = await Sipp.dial(tmp_path, f"127.0.0.1:{plan.sip_port}", "1002", Caller(stay=None))
    (held,) = await eventually(lambda: waiting(http, "network"))

    await ami(plan, Action="Redirect", Channel=held["name"], Context="returned", Exten="network", Priority="1")
    await eventually(lambda: given_back(plan, held["id"]))

    (still,) = await eventually(lambda: waiting(http, "network"))
    assert still["id"] == held["id"]
    await http.delete(f"/channels/{held['id']}")
    assert await caller.finished() == 0


async def test_callers_beyond_what_the_desk_takes_are_told_or_get_the_busy_tone_also_while_it_is_away(
    pbx: PrivatePbx, plan: PbxPlan, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Two may wait: the third is told, the fourth meanwhile gets the busy tone; one more may come when one has left."""
    server = f"127.0.0.1:{plan.sip_port}"
    dialled = [await Sipp.dial(tmp_path, server, "1002", Caller(stay=None)) for _ in range(2)]
    held = await eventually(lambda: so_many_wait(http, "network", 2))

    told = await Sipp.dial(tmp_path, server, "1001", Caller(stay=None))
    await eventually(lambda: playing(http))
    refused = await Sipp.dial(tmp_path, server, "1000", Caller())
    assert await refused.finished() != 0
    assert any("486" in file.read_text() for file in tmp_path.glob("caller-*.err"))
    assert await told.finished() == 0, "answered, and hung up on"

    await http.delete(f"/channels/{held[0]['id']}")
    await eventually(lambda: so_many_wait(http, "network", 1))
    dialled.append(await Sipp.dial(tmp_path, server, "1002", Caller(stay=None)))
    for one in await eventually(lambda: so_many_wait(http, "network", 2)):
        await http.delete(f"/channels/{one['id']}")
    assert [await one.finished() for one in dialled] == [0, 0, 0]
    rows = (Path(plan.folders.log) / "queue_log").read_text().splitlines()
    assert [row.split("|")[2] for row in rows if "|FULL|" in row] == ["helpdesk", "helpdesk"]


async def test_a_queue_that_is_full_lets_nobody_in_though_the_desk_would(
    pbx: PrivatePbx, plan: PbxPlan, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    server = f"127.0.0.1:{plan.sip_port}"
    first = await Sipp.dial(tmp_path, server, "1003", Caller(stay=None))
    (held,) = await eventually(lambda: waiting(http, "pc"))
    told = await Sipp.dial(tmp_path, server, "1003", Caller(stay=None))

    assert await told.finished() == 0
    assert [one["id"] for one in await waiting(http, "pc")] == [held["id"]]
    await http.delete(f"/channels/{held['id']}")
    assert await first.finished() == 0


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
