"""The desk is opened and closed as an administrator does it: alone, side by side, in the wrong folder, in mid-call."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.service import Changgu
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def second(tmp_path: Path) -> AsyncIterator[Changgu]:
    """Another desk on the same machine."""
    changgu = Changgu(tmp_path / "second", rtp=(21200, 21299))
    Desk.short_sentences(changgu)
    try:
        yield changgu
    finally:
        await changgu.close()


async def test_two_desks_side_by_side_do_not_hear_each_other(desk: Desk, second: Changgu) -> None:
    """Other data, other ports: a call at one is no call at the other."""
    await second.up()
    assert any("admin" in line for line in second.said), "the first start shows the administrator's password"
    await desk.callers.account("c1", second.sip_server, user="01066660001")
    await desk.callers.call("c1", "c1", second.sip_uri("1000"))
    await desk.callers.expect("answered", call="c1")
    await second.call_where(caller="01066660001", outcome=None)
    callers = {row["caller"] for row in (await desk.service.get("/calls"))["items"]}
    assert "01066660001" not in callers
    await desk.hang_up("c1")
    await second.call_where(caller="01066660001", outcome="abandoned_in_menu")
    assert await second.down() == 0


async def test_sigterm_ends_calls_first_and_leaves_nothing_behind(desk: Desk, second: Changgu) -> None:
    """Who waits is told and counted as refused; who talks was answered; the PBX is gone afterwards."""
    await second.up()
    await Desk.furnish(second)
    async with SoftPhones() as phones, SoftPhones() as callers:
        other = Desk(second, phones, callers, desk.tones, desk.heard)
        await other.agent("lee")
        await other.call("1002", "talker", number="01066660011")
        await second.agent_is("lee", "talking")
        await other.call("1002", "waiter", number="01066660012")
        await other.waiting("network", 1)
        pbx = second.pbx_pid
        assert await second.down() == 0
        await callers.expect("ended", call="talker")
        await callers.expect("ended", call="waiter")
    assert not Path(f"/proc/{pbx}/exe").exists()

    await second.up()
    assert not any("admin  " in line for line in second.said), "the password is shown once"
    talker = await second.call_where(caller="01066660011")
    waiter = await second.call_where(caller="01066660012")
    assert (talker["outcome"], waiter["outcome"]) == ("answered", "refused")
    assert talker["talk_seconds"] > 0


async def test_one_folder_holds_one_service(desk: Desk) -> None:
    """A second service in the same folder would write the same ledger; it is refused with a sentence."""
    twin = Changgu(desk.service.folder, rtp=(21300, 21399))
    said = await twin.cli("up", "--port", str(twin.web), "--sip-port", str(twin.sip), check=False)
    assert "already runs with" in said
    assert "실행 중" in said
    await twin.http.aclose()


async def test_example_data_never_mixes_with_real_data(desk: Desk) -> None:
    """`--demo` in a folder with real data, and real data in a folder of the example desk: both are refused."""
    service = desk.service
    await service.down()
    said = await service.cli("up", "--demo", "--port", str(service.web), check=False)
    assert "real data" in said
    await service.up()


async def test_a_list_with_mistakes_is_refused_whole_and_every_mistake_is_named(desk: Desk) -> None:
    """File, line and column; nothing is half-imported."""
    file = desk.heard / "agents.csv"
    file.write_text("login,name,queues,skills,phone\ngood,좋은 사람,network,,register\nbad one,,nowhere,,fax\n")
    said = await desk.service.cli("agents", "import", str(file), check=False)
    for part in ("agents.csv:3", "login", "queues", "nowhere", "phone"):
        assert part in said
    logins = {agent["login"] for agent in (await desk.service.get("/agents"))["items"]}
    assert "good" not in logins


async def test_a_new_agent_can_work_while_calls_go_on(desk: Desk) -> None:
    """WL-02: the list is taken up by the running desk; nobody's call ends."""
    await desk.agent("lee")
    await desk.call("1002", "c1", number="01066660021")
    await desk.service.agent_is("lee", "talking")
    file = desk.heard / "more.csv"
    file.write_text("login,name,queues,skills,phone\nnewcomer,새 상담원,network,,register\n")
    await desk.service.cli("agents", "import", str(file))

    async def known() -> bool:
        return "newcomer" in {agent["login"] for agent in (await desk.service.get("/agents"))["items"]}

    await eventually(known)
    await desk.agent("newcomer")
    await desk.call("1002", "c2", number="01066660022")
    await desk.service.agent_is("newcomer", "talking")
    await desk.service.agent_is("lee", "talking")
    await desk.hang_up("c1")
    await desk.hang_up("c2")
    await desk.service.cli("agents", "remove", "newcomer")


async def test_an_agent_whose_account_is_disabled_gets_no_more_calls(desk: Desk) -> None:
    """Their SIP phone is still registered; the desk rings it no more."""
    await desk.agent("lee")
    answer = await desk.service.http.post("/accounts/people/lee", data={"disabled": "true"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/accounts")
    await desk.service.agent_is("lee", "logged_out")
    await desk.service.http.post("/accounts/people/lee", data={"disabled": "false"})
