"""Killing the program that decides must not hurt the people who talk or wait."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changgu.app.schema import DATABASE
from tests.support.desk import Desk
from tests.support.service import Changgu
from tests.support.tones import AGENT_HERTZ, tone_seconds, write_tones
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

OUTAGE = """[emergency.outage]
title = "전산망 장애"
helpers = [{ agents = ["park"], queues = ["network"] }]
"""


async def test_sigkill_during_calls_conversations_go_on_and_the_waiting_keep_their_place(desk: Desk) -> None:
    """One talks, two wait, an emergency plan is on; changgu is killed and started again: nobody notices, the waits are
    counted from the first moment, and the plan still holds with whom it brought (WL-05)."""
    async with desk.emergency("outage", OUTAGE) as plan:
        await sigkill_during_calls(desk, plan)


async def sigkill_during_calls(desk: Desk, plan: dict[str, Any]) -> None:
    await desk.agent("lee")
    await desk.call("1002", "talker", number="01088880001")
    await desk.they_talk("01088880001", "lee")
    await desk.call("1002", "first", number="01088880002")
    await desk.waiting("network", 1)
    await desk.call("1002", "second", number="01088880003")
    await desk.waiting("network", 2)
    await desk.in_the_ledger("01088880003", "network")
    before = {row["caller"]: row for row in await desk.service.calls()}

    await desk.service.kill()
    heard_at_death = tone_seconds(desk.heard / "talker.wav", AGENT_HERTZ)
    await desk.hears(desk.heard / "talker.wav", AGENT_HERTZ, seconds=heard_at_death + 2)
    await desk.service.up()

    await desk.service.agent_is("lee", "talking")
    await desk.waiting("network", 2)
    assert (await desk.service.get("/emergency"))["on"] == plan
    await desk.hang_up("talker")
    first = await desk.service.call_where(caller="01088880002", agent="lee")
    assert first["queued_at"] == before["01088880002"]["queued_at"], "their waiting time began when it began"
    assert first["id"] == before["01088880002"]["id"]
    waited = datetime.fromisoformat(first["answered_at"]) - datetime.fromisoformat(first["queued_at"])
    assert abs(first["wait_seconds"] - waited.total_seconds()) < 0.01
    await desk.agent("park")  # serves network only while the plan is on
    await desk.service.call_where(caller="01088880003", agent="park")
    await desk.hang_up("first")
    await desk.hang_up("second")
    talker = await desk.service.call_where(caller="01088880001", outcome="answered")
    assert talker["answered_at"] == before["01088880001"]["answered_at"]
    assert len(await desk.service.tickets(talker["id"])) == 1


async def test_a_caller_in_the_menu_hears_it_from_the_start_at_once_and_not_the_rest_of_what_was_being_said(
    desk: Desk,
) -> None:
    """The PBX goes on with a prompt whose desk was killed; it has nearly a minute left when the desk is back."""
    greeting = desk.service.data / "prompts" / "recorded" / "greeting.wav"
    greeting.parent.mkdir(exist_ok=True)
    write_tones(greeting, (AGENT_HERTZ, 1.5), (600.0, 60.0))
    try:
        await desk.service.cli("reload")
        await desk.call("1000", number="01088880051")
        await desk.hears(desk.heard / "c1.wav", 600.0)
        assert tone_seconds(desk.heard / "c1.wav", AGENT_HERTZ) <= 1.6
        await desk.service.call_where(caller="01088880051", outcome=None)

        await desk.service.kill()
        await desk.service.up()

        await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=2.8, within=10)
        await desk.hang_up("c1")
        await desk.service.call_where(caller="01088880051", outcome="abandoned_in_menu")
    finally:
        greeting.unlink()
        await desk.service.cli("reload")


THEIR_PLACE = """[queue.network.announce]
first_after = "5s"
every = "10m"
position = true
"""


async def test_who_waits_hears_the_agent_and_not_the_rest_of_what_was_being_said_to_them(desk: Desk) -> None:
    """The same of an announcement: Asterisk would let the agent wait for its end."""
    place = desk.service.data / "prompts" / "recorded" / "position_1.wav"
    place.parent.mkdir(exist_ok=True)
    write_tones(place, (600.0, 60.0))
    (desk.service.data / "routing.toml").write_text(THEIR_PLACE)
    try:
        await desk.service.cli("reload")
        await desk.call("1002", number="01088880052")
        await desk.in_the_ledger("01088880052", "network")
        await desk.hears(desk.heard / "c1.wav", 600.0)

        await desk.service.kill()
        await desk.service.up()

        await desk.agent("lee")
        await desk.they_talk("01088880052", "lee")
        await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=2, within=10)
        await desk.hang_up("c1")
        await desk.service.call_where(caller="01088880052", outcome="answered")
        assert tone_seconds(desk.heard / "c1.wav", 600.0) < 40, "the rest of the minute is not said"
    finally:
        place.unlink()
        (desk.service.data / "routing.toml").unlink()
        await desk.service.cli("reload")


async def test_what_ended_while_we_were_away_is_ended_in_the_ledger(desk: Desk) -> None:
    """A call that hung up during the gap is not left open for ever, and its agent is not stuck in 통화."""
    await desk.agent("lee")
    await desk.call("1002", "c1", number="01088880011")
    await desk.they_talk("01088880011", "lee")
    await desk.call("1002", "c2", number="01088880012")
    await desk.in_the_ledger("01088880012", "network")
    await desk.service.kill()
    await desk.hang_up("c1")
    await desk.hang_up("c2")
    await desk.service.up()
    await desk.service.call_where(caller="01088880011", outcome="answered")
    await desk.service.call_where(caller="01088880012", outcome="abandoned_in_queue")
    await desk.service.agent_is("lee", "ready", within=20)


def ended_between(row: dict[str, Any], earliest: datetime, latest: datetime) -> bool:
    """Whether a call ended then, by its row."""
    return earliest <= datetime.fromisoformat(row["ended_at"]) <= latest


async def test_what_ended_while_we_were_away_is_told_with_the_time_at_which_it_did(desk: Desk) -> None:
    """One caller hung up, one gave up waiting, and of one the agent hung up before: to the second, and by whom."""
    await desk.agent("lee")
    await desk.call("1002", "talks", number="01088880013")
    await desk.they_talk("01088880013", "lee")
    await desk.agent("park", answer_after=None)
    await desk.call("1004", "left", number="01088880014")
    ringing = await desk.phones.expect("incoming", line="park")
    await desk.phones.order(do="answer", call=ringing.call)
    await desk.they_talk("01088880014", "park")
    await desk.call("1002", "waits", number="01088880015")
    await desk.in_the_ledger("01088880015", "network")
    await desk.service.kill()

    killed = datetime.now(UTC)
    await desk.hang_up("waits")
    await desk.phones.order(do="hang_up", call=ringing.call)
    await asyncio.sleep(1.0)  # that they speak on, or hear nobody, for so long
    await desk.hang_up("talks")
    await desk.hang_up("left")
    for caller in ("01088880013", "01088880014", "01088880015"):
        await noted(desk, caller)
    over = datetime.now(UTC)
    await asyncio.sleep(2.0)  # by which nothing may become longer
    await desk.service.up()

    talks = await desk.service.call_where(caller="01088880013", outcome="answered")
    left = await desk.service.call_where(caller="01088880014", outcome="answered")
    waits = await desk.service.call_where(caller="01088880015", outcome="abandoned_in_queue")
    assert all(ended_between(row, killed, over) for row in (talks, left, waits))
    assert [await ended_by(desk, row["id"]) for row in (talks, left, waits)] == ["caller", "agent", "caller"]
    for row in (talks, left):
        lasted = datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["answered_at"])
        assert abs(row["talk_seconds"] - lasted.total_seconds()) < 0.01
    assert waits["ended_at"] < talks["ended_at"] < left["ended_at"]
    await desk.service.agent_is("lee", "ready", within=20)
    assert await moved_at(desk, talks["id"], "wrap_up") == talks["ended_at"]
    rows = await rows_of(desk, talks["id"], 4)
    (completed,) = (row for row in rows if row[4] == "COMPLETECALLER")
    assert int(completed[6]) == int(talks["talk_seconds"])


async def ended_by(desk: Desk, call: str) -> str:
    """Who ended a call, as the ledger has it."""
    return str((await desk.service.get(f"/calls/{call}"))["ended_by"])


async def is_offered(desk: Desk, caller: str) -> None:
    """Wait until it is written that a phone rings for a caller."""
    row = await desk.service.call_where(caller=caller, outcome=None)
    await desk.service.told(row["id"], "CallOffered")


async def moved_at(desk: Desk, call: str, state: str) -> str:
    """When an agent went into a state after a call, as the ledger has it."""
    facts = (await desk.service.get(f"/calls/{call}"))["facts"]
    (at,) = (one["at"] for one in facts if one["kind"] == "AgentStateChanged" and one["body"]["after"] == state)
    return str(at)


@pytest.mark.parametrize("first", ["caller", "agent"])
async def test_two_who_were_joined_as_changgu_was_killed_and_part_meanwhile_have_spoken(desk: Desk, first: str) -> None:
    """Nothing of the answer is written: as the ledger has it, the agent's phone rings."""
    number = {"caller": "01088880016", "agent": "01088880018"}[first]
    await desk.agent("lee", answer_after=None)
    await desk.call("1002", "c1", number=number)
    ringing = await desk.phones.expect("incoming", line="lee")
    await is_offered(desk, number)
    async with nothing_can_be_written(desk.service):
        picked_up = datetime.now(UTC)
        await desk.phones.order(do="answer", call=ringing.call)
        await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ)
        they_spoke = datetime.now(UTC)
        await desk.service.kill()
    killed = datetime.now(UTC)
    if first == "caller":
        await desk.hang_up("c1")
    await desk.phones.order(do="hang_up", call=ringing.call)
    if first == "agent":
        await asyncio.sleep(0.5)  # in which they notice
        await desk.hang_up("c1")
    await noted(desk, number)
    over = datetime.now(UTC)
    await asyncio.sleep(1.5)
    await desk.service.up()

    row = await desk.service.call_where(caller=number, outcome="answered", agent="lee")
    assert ended_between(row, killed, over)
    assert picked_up <= datetime.fromisoformat(row["answered_at"]) <= they_spoke
    assert await ended_by(desk, row["id"]) == first
    await desk.nothing_is_left()
    await desk.service.agent_is("lee", "ready", within=20)


async def test_two_who_were_joined_as_changgu_was_killed_and_speak_on_have_spoken_since_then(desk: Desk) -> None:
    await desk.agent("lee", answer_after=None)
    await desk.call("1002", "c1", number="01088880017")
    ringing = await desk.phones.expect("incoming", line="lee")
    await is_offered(desk, "01088880017")
    async with nothing_can_be_written(desk.service):
        await desk.phones.order(do="answer", call=ringing.call)
        await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ)
        they_spoke = datetime.now(UTC)
        await desk.service.kill()
    await desk.service.up()

    await desk.they_talk("01088880017", "lee")
    await desk.hang_up("c1")
    row = await desk.service.call_where(caller="01088880017", outcome="answered", agent="lee")
    assert datetime.fromisoformat(row["answered_at"]) <= they_spoke


@asynccontextmanager
async def nothing_can_be_written(service: Changgu) -> AsyncIterator[None]:
    """Somebody else writes into the database without an end, and nobody can write the spool: what happens now
    is nowhere but in changgu's memory."""
    hold = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    somebody = await asyncio.create_subprocess_exec(
        sys.executable, "-c", hold, str(service.data / DATABASE),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert somebody.stdout is not None
    spool = service.data / "spool.jsonl"
    spool.unlink(missing_ok=True)
    spool.mkdir()
    try:
        assert await asyncio.wait_for(somebody.stdout.readline(), 10) == b"held\n"
        yield
    finally:
        await somebody.communicate(b"")  # it ends at the end of what it reads
        spool.rmdir()


async def entered(desk: Desk, caller: str, queue: str) -> None:
    """Wait until the PBX's own log says that a caller waits."""
    log = desk.service.data / "pbx/log/queue_log"

    async def told() -> bool:
        rows = (line.split("|") for line in log.read_text().splitlines())
        return any(row[2] == queue and row[4] == "ENTERQUEUE" and row[6] == caller for row in rows if len(row) > 6)

    await eventually(told)


async def noted(desk: Desk, caller: str) -> None:
    """Wait until the PBX has noted that a caller hung up while changgu was away."""
    log = desk.service.data / "pbx/log/queue_log"

    async def told() -> bool:
        rows = (line.split("|") for line in log.read_text().splitlines())
        return any(row[4] == "HUNGUP" and row[6] == caller for row in rows if len(row) > 6)

    await eventually(told)


async def rows_of(desk: Desk, call: str, count: int) -> list[list[str]]:
    """What the PBX's own log says of a call, once it holds so many rows."""
    log = desk.service.data / "pbx/log/queue_log"

    async def told() -> list[list[str]]:
        rows = [line.split("|") for line in log.read_text().splitlines()]
        own = [row for row in rows if row[1] == call]
        return own if len(own) >= count else []

    return await eventually(told)


async def test_who_waited_unwritten_and_hung_up_while_we_were_away_gave_up_in_that_queue(desk: Desk) -> None:
    """The ledger says that they are in the menu, and is killed before more is written: the PBX knows better."""
    await desk.call("1000", "c1", number="01088880051")
    await desk.service.call_where(caller="01088880051", outcome=None)
    async with nothing_can_be_written(desk.service):
        chose = datetime.now(UTC)
        await desk.callers.order(do="dtmf", call="c1", digits="2")
        await entered(desk, "01088880051", "network")
        waits = datetime.now(UTC)
        await desk.service.kill()
    await asyncio.sleep(1.5)  # they wait on, hearing music
    await desk.hang_up("c1")
    await desk.service.up()

    row = await desk.service.call_where(caller="01088880051", outcome="abandoned_in_queue", queue="network")
    since = datetime.fromisoformat(row["queued_at"])
    assert chose - timedelta(seconds=1) <= since <= waits, "the PBX tells whole seconds"
    assert row["wait_seconds"] >= 1.5

    entry, hung_up, end = await rows_of(desk, row["id"], 3)
    said = [entry[4], hung_up[4], end[4]]
    assert said == ["ENTERQUEUE", "HUNGUP", "ABANDON"], "they came once, and the PBX had been told"
    assert abs(int(end[7]) - row["wait_seconds"]) <= 1


async def test_who_came_as_changgu_was_killed_and_hung_up_before_it_was_back_is_counted_once(desk: Desk) -> None:
    """Of one caller nothing was written at all, of the other that they came: the PBX notes when each hangs up."""
    await desk.call("1000", "written", number="01088880061")
    await desk.service.call_where(caller="01088880061", outcome=None)
    async with nothing_can_be_written(desk.service):
        dialled = datetime.now(UTC)
        await desk.call("1000", "unwritten", number="01088880062")
        came = datetime.now(UTC)
        await desk.service.kill()
    await desk.hang_up("written")
    await desk.hang_up("unwritten")
    await noted(desk, "01088880061")
    await noted(desk, "01088880062")
    over = datetime.now(UTC)
    await desk.service.up()

    row = await desk.service.call_where(caller="01088880062", outcome="abandoned_in_menu", within=20)
    assert dialled - timedelta(seconds=1) <= datetime.fromisoformat(row["arrived_at"]) <= came
    assert came - timedelta(seconds=1) <= datetime.fromisoformat(row["ended_at"]) <= over
    assert (row["dialled"], row["queue"]) == ("1000", None)
    await desk.service.call_where(caller="01088880061", outcome="abandoned_in_menu")
    assert len(await desk.service.calls()) == 2, "who is in the ledger is not told again"
    before = await desk.service.calls()
    await desk.service.kill()
    await desk.service.up()
    assert await desk.service.calls() == before, "read once"


async def test_callers_who_come_while_changgu_is_away_reach_an_agent_through_the_pbx_alone(desk: Desk) -> None:
    """The plain queue behind the dialplan: no caller is lost, and afterwards the call is told with its own times."""
    await desk.agent("lee", answer_after=0.2)
    await desk.in_the_plain_queue("lee", "network")
    await desk.service.kill()
    await desk.call("1002", "c1", number="01088880021")
    await desk.phones.expect("answered", line="lee", within=20)
    await desk.hears(desk.heard / "c1.wav", AGENT_HERTZ, seconds=1)
    await desk.hang_up("c1")
    await desk.nothing_is_left()
    over = datetime.now(UTC)
    await desk.service.up()
    row = await desk.service.call_where(caller="01088880021", outcome="answered", agent="lee", queue="network")
    assert row["dialled"] == "1002"
    assert datetime.fromisoformat(row["ended_at"]) <= over
    assert row["talk_seconds"] >= 1
    await desk.service.kill()
    await desk.service.up()
    assert await desk.service.calls() == [row], "read once"


async def test_callers_left_waiting_in_the_plain_queue_are_taken_back(desk: Desk) -> None:
    """They called while we were away and nobody answered; when we return they are served by us."""
    await desk.phone("lee", answer_after=None)
    await desk.service.kill()
    await desk.call("1002", "c1", number="01088880031")
    called = datetime.now(UTC)
    await desk.service.up()
    row = await desk.service.call_where(caller="01088880031", queue="network", outcome=None, within=20)
    assert datetime.fromisoformat(row["queued_at"]) <= called, "they have waited since they called"
    await desk.phones.order(do="unregister", line="lee")
    await desk.phones.expect("unregistered", line="lee")
    await desk.agent("kim")
    await desk.service.agent_is("kim", "talking", within=20)
    await desk.hang_up("c1")


async def test_the_pbx_dies_and_is_started_again(desk: Desk) -> None:
    """F1: the calls it carried are closed as lost, agents are not phantoms, and the next call works."""
    await desk.agent("kim")
    await desk.call("1002", "c1", number="01088880041")
    await desk.they_talk("01088880041", "kim")
    os.kill(desk.service.pbx_pid, signal.SIGKILL)
    lost = await desk.service.call_where(caller="01088880041", outcome="lost", within=30)
    await desk.is_not_called_back(lost["id"])

    async def healthy() -> bool:
        return (await desk.service.http.get("/healthz")).status_code == 200

    await eventually(healthy, within=30)
    await desk.phones.order(do="register", line="kim")
    await desk.service.agent_is("kim", "ready", within=40)
    await asyncio.wait_for(desk.call("1002", "c2", number="01088880042"), 20)
    await desk.they_talk("01088880042", "kim")
    await desk.hang_up("c2")
