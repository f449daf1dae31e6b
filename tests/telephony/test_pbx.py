"""The private Asterisk, for real: started, adopted, given new configuration, revived, stopped."""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from changgu.acd.events import Event, PhoneReachable, PhoneUnreachable
from changgu.acd.identity import AgentId
from changgu.asterisk_conf.pbx_modules import NEWS_OF_NOBODY
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan, ShadowQueue, agent_phone
from changgu.asterisk_conf.render import render
from changgu.telephony.agent_phones import AgentPhones
from changgu.telephony.ami.client import Ami, AmiAddress
from changgu.telephony.existing_pbx import ExistingPbx, existing_version
from changgu.telephony.pbx import PrivatePbx, host_addresses, pbx_folders
from changgu.telephony.pbx_packages import MINIMUM_PRIVATE, PbxRelease, PbxUnavailable, install
from tests.support.ports import free_ports
from tests.support.private_pbx import SECRET, plan_of, running
from tests.support.wire_phone import WirePhone

pytestmark = pytest.mark.real

RUNG_AGAIN = 5.0
"""Seconds in which every phone is found again: the PBX looks for all of them within one."""


async def until(condition: Callable[[], bool], what: str, limit: float = 20) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def release() -> PbxRelease:
    return install(print)


@pytest.fixture
def plan(tmp_path: Path) -> PbxPlan:
    return plan_of(tmp_path, "test", rtp_first=20000)


FLOOR = PbxFloor((agent_phone("alice", "register", SECRET),), (ShadowQueue("helpdesk", "1001", ("alice",)),))
LARGER = PbxFloor(
    (*FLOOR.phones, agent_phone("bob", "browser", SECRET), agent_phone("carol", "sip:carol@127.0.0.1:9", SECRET)),
    (*FLOOR.queues, ShadowQueue("network", "1002", ("bob", "carol"))),
)


@pytest.fixture
async def pbx(plan: PbxPlan) -> AsyncIterator[PrivatePbx]:
    async with running(plan, FLOOR) as pbx:
        yield pbx


def ari(plan: PbxPlan) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{plan.ari_port}/ari", auth=("changgu", SECRET))


async def endpoints(plan: PbxPlan) -> set[str]:
    async with ari(plan) as client:
        return {endpoint["resource"] for endpoint in (await client.get("/endpoints")).json()}


async def test_every_module_loads_without_a_complaint(pbx: PrivatePbx, plan: PbxPlan) -> None:
    said = (Path(plan.folders.log) / "messages.log").read_text()
    assert [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line] == []
    assert await endpoints(plan) == {"agent-alice", "anonymous"}


def test_the_pbx_knows_the_news_that_it_need_not_make(plan: PbxPlan, release: PbxRelease) -> None:
    """It says nothing of a name that it does not know, and goes on making that news."""
    known = re.findall(r"decline=(\w+)", (release.data / "conf/samples/stasis.conf.sample").read_text())
    declined = re.findall(r"^decline = (\w+)$", render(plan, FLOOR)["stasis.conf"], re.MULTILINE)
    assert set(declined) == set(NEWS_OF_NOBODY) <= set(known)


async def test_a_new_agent_and_queue_are_there_after_apply_and_nothing_restarts(pbx: PrivatePbx, plan: PbxPlan) -> None:
    before = pbx.pid

    modules = await pbx.apply(render(plan, LARGER))

    assert modules == ["app_queue.so", "res_pjsip.so", "pbx_config.so"]
    assert pbx.pid == before
    assert {"agent-bob", "agent-carol"} <= await endpoints(plan)
    assert await pbx.apply(render(plan, LARGER)) == []


async def test_a_second_changgu_adopts_the_running_pbx(pbx: PrivatePbx, plan: PbxPlan, release: PbxRelease) -> None:
    second = PrivatePbx(release, plan, say=print)

    await second.start(render(plan, LARGER))

    assert second.adopted
    assert second.pid == pbx.pid
    assert "agent-bob" in await endpoints(plan)


async def test_a_reload_that_was_cut_short_is_made_up_for(pbx: PrivatePbx, plan: PbxPlan, release: PbxRelease) -> None:
    phones = Path(plan.folders.etc) / "pjsip_phones.conf"
    phones.write_text(render(plan, LARGER)["pjsip_phones.conf"])
    (Path(plan.folders.etc) / "pending").write_text("pjsip_phones.conf")

    await PrivatePbx(release, plan, say=print).start(render(plan, LARGER))

    assert "agent-bob" in await endpoints(plan)


async def test_a_pbx_answers_unless_it_hangs_or_does_not_know_us(
    pbx: PrivatePbx, plan: PbxPlan, release: PbxRelease
) -> None:
    assert pbx.pid is not None
    assert await pbx.answers(5)
    assert not await PrivatePbx(release, replace(plan, ari_password=SECRET[::-1]), say=print).answers(5)

    os.kill(pbx.pid, signal.SIGSTOP)
    try:
        assert not await pbx.answers(0.5)
    finally:
        os.kill(pbx.pid, signal.SIGCONT)
    assert await pbx.answers(5)

    await pbx.stop()
    assert not await pbx.answers(5)


async def test_the_pbx_is_a_session_of_its_own_so_that_it_outlives_us(pbx: PrivatePbx) -> None:
    assert pbx.pid is not None
    assert os.getsid(pbx.pid) == pbx.pid != os.getsid(0)


async def test_a_pbx_that_dies_is_started_again(pbx: PrivatePbx, plan: PbxPlan) -> None:
    back = asyncio.Event()
    watching = asyncio.create_task(pbx.supervise(back.set))
    first = pbx.pid
    assert first is not None
    pid_file = Path(plan.folders.log).parent / "pid"

    with pid_file.open() as noted:
        os.kill(first, signal.SIGKILL)
        await asyncio.wait_for(back.wait(), 30)
        assert int(noted.read()) == first, "the note is exchanged: nobody reads one that is being written"

    assert int(pid_file.read_text()) == pbx.pid == pbx.answered
    assert pbx.running
    assert pbx.pid != first
    assert pbx.restarts == 1
    assert "agent-alice" in await endpoints(plan)
    await pbx.stop()
    await asyncio.wait_for(watching, 10)


async def test_phones_at_fixed_addresses_can_be_rung_moments_after_the_pbx_was_started_anew(plan: PbxPlan) -> None:
    """They do not register again: the PBX asks each whether it is there, and must not take its usual time for it."""
    (port,) = free_ports(1)
    logins = [AgentId(f"agent{number}") for number in range(12)]
    floor = PbxFloor(tuple(agent_phone(login, f"sip:{login}@127.0.0.1:{port}", SECRET) for login in logins), ())
    reached: set[AgentId] = set()
    changed = asyncio.Event()

    def hear(event: Event) -> None:
        match event:
            case PhoneReachable():
                reached.add(event.agent)
            case PhoneUnreachable():
                reached.discard(event.agent)
        changed.set()

    async def all_are_reached() -> None:
        while reached != set(logins):
            changed.clear()
            await changed.wait()

    phone, back = WirePhone(), asyncio.Event()
    await phone.plug_in(port)
    ami = Ami(AmiAddress("127.0.0.1", plan.ami_port, plan.ami_user, plan.ami_password))
    phones = AgentPhones(ami, hear, lambda: logins, lambda agent: agent in reached)
    async with running(plan, floor) as pbx, asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in (ami.run(), phones.run(), pbx.supervise(back.set))]
        await asyncio.wait_for(all_are_reached(), 30)
        assert pbx.pid is not None
        os.kill(pbx.pid, signal.SIGKILL)
        reached.clear()
        await asyncio.wait_for(back.wait(), 30)
        await asyncio.wait_for(all_are_reached(), RUNG_AGAIN)
        for task in tasks:
            task.cancel()
    phone.close()


async def test_stopping_leaves_no_process_and_no_socket(pbx: PrivatePbx, plan: PbxPlan) -> None:
    pid = pbx.pid

    await pbx.stop()

    assert not Path(f"/proc/{pid}").exists()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sip:
        sip.bind(("127.0.0.1", plan.sip_port))


async def test_a_taken_port_is_named_with_its_option(plan: PbxPlan, release: PbxRelease) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind(("127.0.0.1", plan.sip_port))
        with pytest.raises(PbxUnavailable) as refused:
            await PrivatePbx(release, plan, say=print).start(render(plan, FLOOR))

    assert f"UDP port {plan.sip_port} on 127.0.0.1 cannot be used" in refused.value.en
    assert f"UDP 포트를 쓸 수 없습니다: 127.0.0.1:{plan.sip_port}" in refused.value.ko
    assert "--sip-port" in refused.value.ko


async def test_a_configuration_that_cannot_run_is_reported_with_the_pbx_s_last_words(
    plan: PbxPlan, release: PbxRelease
) -> None:
    files = render(plan, FLOOR) | {"modules.conf": "[modules]\nautoload=no\nrequire = no_such_module.so\n"}

    with pytest.raises(PbxUnavailable) as refused:
        await PrivatePbx(release, plan, say=print).start(files)

    assert "ended while starting" in refused.value.en


async def test_new_ports_take_a_restart_and_get_one(plan: PbxPlan, pbx: PrivatePbx, release: PbxRelease) -> None:
    files = render(plan, FLOOR)
    first = pbx.pid
    second = PrivatePbx(release, plan, say=print)

    await second.start(files | {"logger.conf": files["logger.conf"] + "; changed\n"})

    assert second.pid != first
    assert not second.adopted
    await second.stop()


async def ami(plan: PbxPlan, *actions: dict[str, str]) -> str:
    """What AMI answers to these actions, all of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", plan.ami_port)
    try:
        for fields in ({"Action": "Login", "Username": "changgu", "Secret": SECRET}, *actions, {"Action": "Logoff"}):
            writer.write("".join(f"{key}: {value}\r\n" for key, value in fields.items()).encode() + b"\r\n")
        return (await asyncio.wait_for(reader.read(), 10)).decode()
    finally:
        writer.close()


async def test_ami_grants_what_changgu_does_and_refuses_what_it_never_does(pbx: PrivatePbx, plan: PbxPlan) -> None:
    for action in (
        {"Action": "QueueStatus"},
        {"Action": "QueuePause", "Interface": "PJSIP/agent-alice", "Paused": "true", "Reason": "lunch"},
        {"Action": "QueueLog", "Queue": "helpdesk", "Event": "INFO", "Message": "x"},
        {"Action": "DeviceStateList"},
        {"Action": "PJSIPShowEndpoints"},
        {"Action": "PJSIPShowContacts"},
        {"Action": "MixMonitor", "Channel": "PJSIP/none"},
        {"Action": "Redirect", "Channel": "PJSIP/none", "Context": "returned", "Exten": "helpdesk", "Priority": "1"},
        {"Action": "Reload", "Module": "app_queue.so"},
    ):
        said = await ami(plan, action | {"ActionID": "asked"})
        assert "ActionID: asked" in said, action
        assert "Permission denied" not in said, action
    for action in (
        {"Action": "Command", "Command": "core show channels"},
        {"Action": "Originate", "Channel": "Local/1000@from-callers", "Application": "System", "Data": "true"},
        {"Action": "UpdateConfig", "SrcFilename": "manager.conf", "DstFilename": "manager.conf"},
    ):
        assert "Permission denied" in await ami(plan, action), action


async def test_secrets_are_readable_by_their_owner_alone(pbx: PrivatePbx, plan: PbxPlan) -> None:
    etc = Path(plan.folders.etc)
    assert etc.stat().st_mode & 0o077 == 0
    assert all((etc / name).stat().st_mode & 0o077 == 0 for name in ("ari.conf", "manager.conf", "pjsip_phones.conf"))


async def test_an_existing_asterisk_tells_its_version_or_why_it_cannot_be_used(pbx: PrivatePbx, plan: PbxPlan) -> None:
    url = f"http://127.0.0.1:{plan.ari_port}/ari"
    assert await existing_version(url, "changgu", SECRET) >= MINIMUM_PRIVATE

    with pytest.raises(PbxUnavailable, match="401"):
        await existing_version(url, "changgu", "wrong-password")


async def test_an_existing_asterisk_is_given_phones_queues_and_numbers_to_include(
    pbx: PrivatePbx, plan: PbxPlan
) -> None:
    etc = Path(plan.folders.etc)
    existing = ExistingPbx(f"http://127.0.0.1:{plan.ari_port}/ari", "changgu", SECRET, etc)

    await existing.start(render(plan, LARGER))

    assert existing.running
    assert "agent-bob" in await endpoints(plan)
    assert await existing.apply(render(plan, LARGER)) == []
    await existing.stop()
    assert pbx.running


async def test_a_deep_data_folder_gets_its_socket_elsewhere(tmp_path: Path, release: PbxRelease) -> None:
    deep = pbx_folders(tmp_path / ("d" * 100), release)
    assert len(f"{deep.run}/asterisk.ctl") < 107
    assert deep.run != pbx_folders(tmp_path / ("e" * 100), release).run


def test_host_addresses_leave_loopback_out() -> None:
    table = """Local:
  +-- 0.0.0.0/0 3 0 5
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
"""
    assert host_addresses(table) == ("192.0.2.7",)


async def test_a_pbx_that_cannot_even_be_launched_is_tried_again(
    plan: PbxPlan, release: PbxRelease, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("changgu.telephony.pbx.FIRST_PAUSE", 0.01)
    pbx = PrivatePbx(release, plan, say=print)  # its folders do not exist, as on a disk that has gone
    supervision = asyncio.create_task(pbx.supervise())
    await until(lambda: caplog.text.count("could not be started") >= 2, "two tries")
    assert not supervision.done()
    supervision.cancel()
    await asyncio.gather(supervision, return_exceptions=True)
