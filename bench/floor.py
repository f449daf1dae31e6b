"""A desk with several hundred agents on real phones, as the service runs it, and a plain Asterisk queue beside it.

Both serve the same callers on the same private Asterisk with the same agents' phones, one at a time: while the plain
queue is measured, changgu is not running, so that neither takes the other's processor.
"""

import asyncio
import math
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from websockets.asyncio.client import connect

from bench import bare_ari
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent, Queue, TicketPolicy
from changgu.acd.store import FloorStore
from changgu.app import schema
from changgu.app.generated_secrets import secrets_of
from changgu.telephony.pbx_packages import PbxRelease, architecture_of, default_folder, installed
from tests.support.ports import free_ports
from tests.support.service import Changgu
from tests.support.waiting import eventually

QUEUE = "bench"
DESK_NUMBER = "1000"
"""Its menu says nothing and leads straight to the queue."""
PLAIN_NUMBERS: Mapping[str, str] = {"tuned": "3001", "default": "3002"}
"""Numbers of the plain queues; see `PLAIN_QUEUES`."""
BARE_NUMBER = "3003"
CALLERS = "from-callers"
"""Where in the dialplan callers come in."""
AT_REST = 0.1
"""Seconds of processor in a second, and less: changgu has nothing left to do from its start."""
SCREENS = 20
"""Wallboards that are open, as on a floor of this size."""

MENU = """flow: main
title: 측정
start: operator
person: operator

nodes:
  operator:
    kind: to_queue
    queue: bench
"""
CONFIG = """[desk]
main_queue = "bench"

[pbx]
stop_with_service = false

[log]
level = "{level}"
"""
PLAIN_QUEUES = """
[plain-tuned]
strategy = leastrecent
ringinuse = no
musicclass = default
timeout = 20
retry = 1
autofill = yes
wrapuptime = 0
{members}

[plain-default]
strategy = leastrecent
ringinuse = no
musicclass = default
{members}
"""
"""Without ringinuse = no and a strategy that rings one agent at a time the two could not be compared; everything else
of the second queue is Asterisk's default, above all retry = 5."""


def agents_named(count: int) -> list[str]:
    """Logins: a001, a002, …"""
    return [f"a{number:03d}" for number in range(1, count + 1)]


def queue_named(name: str, number: str | None = None) -> Queue:
    """A queue without wrap-up, tickets and recordings, whose agents may miss as many calls as they like."""
    return Queue(
        QueueName(name), name, number, ring_limit=timedelta(seconds=20), wrap_up=timedelta(0),
        misses_before_not_ready=100, ticket=TicketPolicy.NONE, record=False,
    )  # fmt: skip


class BenchFloor:
    """One running service with `agents` agents of one queue."""

    def __init__(self, folder: Path, agents: int, *, level: str = "WARNING") -> None:
        self.folder = folder
        self.agents = agents_named(agents)
        self.service = Changgu(folder, (22000, 25999), CONFIG.format(level=level))
        self.phones_port, self.callers_port, self.callers_media, self.agents_media = free_ports(4)
        self.queues = [queue_named(QUEUE)]
        self.seats = {login: (QueueName(QUEUE), self.phones_port) for login in self.agents}
        """Login → the queue they serve and the port of their phone."""
        self._screens: list[asyncio.Task[None]] = []
        self.bare: asyncio.subprocess.Process | None = None
        """The bare distributor, while it serves."""

    async def furnish(self) -> None:
        """Put queues, agents and the menu into the data folder. No accounts: a password's hash takes long."""
        menus = self.service.data / "menus"
        menus.mkdir(parents=True)
        database = schema.database_of(self.service.data)
        try:
            await schema.upgrade(database)
            await FloorStore(database).save(self.queues, [
                Agent(AgentId(login), login, frozenset({queue}), phone=f"sip:{login}@127.0.0.1:{port}")
                for login, (queue, port) in self.seats.items()
            ])  # fmt: skip
        finally:
            await database.close()
        (menus / "main.yaml").write_text(MENU)

    async def open(self) -> None:
        """changgu serves: everybody signed in and ready, wallboards open. Nothing to do when it does already."""
        if self.service.running:
            return
        await self.service.up()
        await self.everybody_ready(self.agents)
        self.watch_wallboards()

    async def at_rest(self, within: float = 60.0) -> None:
        """Until changgu is done with what it does after a start, such as to read back the calls it was away for."""
        assert self.service.process is not None
        pid = self.service.process.pid
        async with asyncio.timeout(within):
            used = -math.inf
            while (now := processor_seconds(pid)) - used > AT_REST:
                used = now
                await asyncio.sleep(1)

    def watch_wallboards(self) -> None:
        """As many as on a floor of this size, until it is shut."""
        self._screens = [asyncio.create_task(self._watch_wallboard()) for _ in range(SCREENS)]

    async def shut(self) -> None:
        """changgu goes; the PBX stays, and with it the plain queues."""
        for screen in self._screens:
            screen.cancel()
        await asyncio.gather(*self._screens, return_exceptions=True)
        self._screens = []
        if self.service.running:
            await self.service.down()

    async def aclose(self) -> None:
        """Nothing runs afterwards, whatever failed on the way."""
        async with AsyncExitStack() as last:
            last.push_async_callback(self.service.close)
            last.push_async_callback(self.shut)
            await self.shut_bare()

    async def everybody_ready(self, logins: Sequence[str]) -> None:
        """Sign them in, once their phones have answered the PBX; those who are ready stay as they are."""

        async def ready() -> bool:
            states = {row["login"]: row["state"] for row in (await self.service.get("/agents"))["items"]}
            away = [login for login in logins if states[login] != "ready"]
            for login in away:
                await self.service.post(f"/agents/{login}/state", {"state": "ready"}, status=(200, 409))
            return not away

        await eventually(ready, within=90, every=0.5)

    async def nobody_talks(self, within: float = 30) -> None:
        """Wait until every agent is free again."""

        async def free() -> bool:
            return all(row["state"] == "ready" for row in (await self.service.get("/agents"))["items"])

        await eventually(free, within=within, every=0.2)

    async def _watch_wallboard(self) -> None:
        address = f"{self.service.url.replace('http', 'ws', 1)}/api/v1/wallboard"
        headers = {"Authorization": f"Bearer {self.service.token}"}
        async with connect(address, additional_headers=headers, max_size=None, compression=None) as socket:
            async for _ in socket:
                continue

    # ---- the plain queues ------------------------------------------------------------------------------------------

    async def add_plain_queues(self) -> None:
        """Give the PBX, which runs, two queues of its own with the same agents."""
        etc = self.service.data / "pbx" / "etc"
        members = "\n".join(f"member => PJSIP/agent-{login},0,{login},PJSIP/agent-{login}" for login in self.agents)
        (etc / "bench_queues.conf").write_text(PLAIN_QUEUES.format(members=members))
        queues = etc / "queues.conf"
        ours = queues.read_text()
        queues.write_text(ours + "\n#include bench_queues.conf\n")
        try:
            await self.pbx_says("module reload app_queue.so")
        finally:
            queues.write_text(ours)  # or the next start would find a changed file and restart the PBX
        for kind, number in PLAIN_NUMBERS.items():
            # no Answer() before: it would wait for audio for up to half a second
            await self.pbx_says(f"dialplan add extension {number},1,Queue,plain-{kind} into {CALLERS} replace")
        shown = await self.pbx_says("queue show plain-tuned")
        if shown.count("PJSIP/agent-") < len(self.agents):
            raise RuntimeError(f"the plain queue has not its agents:\n{shown[:500]}")

    # ---- the bare distributor --------------------------------------------------------------------------------------

    async def open_bare(self) -> None:
        """It serves `BARE_NUMBER` in changgu's place; see `bench.bare_ari`."""
        for step in (f"1,Ringing into {CALLERS}", f'2,Stasis,"{bare_ari.APP},caller" into {CALLERS}'):
            await self.pbx_says(f"dialplan add extension {BARE_NUMBER},{step} replace")
        self.bare = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.bare_ari", str(self.service.ari), "changgu", str(len(self.agents)),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.bare.stdin is not None
        assert self.bare.stdout is not None
        self.bare.stdin.write(f"{secrets_of(self.service.data).ari_password}\n".encode())
        self.bare.stdin.close()
        said = await asyncio.wait_for(self.bare.stdout.readline(), 30)
        if said.decode().strip() != bare_ari.READY:
            raise RuntimeError("the bare distributor did not start")

    async def shut_bare(self) -> None:
        """It goes; RuntimeError when it had failed."""
        if self.bare is None:
            return
        bare, self.bare = self.bare, None
        if bare.returncode is None:
            bare.terminate()
        if await bare.wait() != 0:
            raise RuntimeError("the bare distributor failed")

    async def pbx_says(self, command: str) -> str:
        """What Asterisk's own command line answers."""
        release = private_release()
        process = await asyncio.create_subprocess_exec(
            *release.command("-C", str(self.service.data / "pbx" / "etc" / "asterisk.conf"), "-rx", command),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 30)
        return said.decode(errors="replace")

    async def nothing_on_the_line(self, within: float = 60) -> None:
        """Wait until the PBX has no channel left."""

        async def empty() -> bool:
            return "0 active channels" in await self.pbx_says("core show channels count")

        await eventually(empty, within=within, every=0.3)

    # ---- what it wrote down ----------------------------------------------------------------------------------------

    def order_of_service(self, queue: str, after: int) -> tuple[list[str], list[str]]:
        """The calls of a queue as they were queued, and as they were first offered, since a fact of the ledger."""
        with closing(sqlite3.connect(f"file:{self.service.data / 'changgu.sqlite'}?mode=ro", uri=True)) as ledger:
            rows = ledger.execute(
                "SELECT kind, call, json_extract(body, '$.queue') FROM ledger"
                " WHERE kind IN ('CallQueued', 'CallOffered') AND seq > ? ORDER BY seq",
                (after,),
            ).fetchall()
        queued = list(dict.fromkeys(str(call) for kind, call, name in rows if kind == "CallQueued" and name == queue))
        known = set(queued)
        offered = dict.fromkeys(str(call) for kind, call, _ in rows if kind == "CallOffered" and call in known)
        return queued, list(offered)

    def connections(self, after: int) -> list[tuple[str, float]]:
        """The caller's number and the moment, for each time that caller and agent were joined since a fact."""
        with closing(sqlite3.connect(f"file:{self.service.data / 'changgu.sqlite'}?mode=ro", uri=True)) as ledger:
            rows = ledger.execute(
                "SELECT calls.caller, ledger.at FROM ledger JOIN calls ON calls.id = ledger.call"
                " WHERE ledger.kind = 'CallConnected' AND ledger.seq > ? ORDER BY ledger.seq",
                (after,),
            ).fetchall()
        return [(str(caller), datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) for caller, at in rows]

    def last_fact(self) -> int:
        """Number of the ledger's last fact."""
        with closing(sqlite3.connect(f"file:{self.service.data / 'changgu.sqlite'}?mode=ro", uri=True)) as ledger:
            return int(ledger.execute("SELECT coalesce(max(seq), 0) FROM ledger").fetchone()[0])


@asynccontextmanager
async def floor_of(agents: int, *, level: str = "WARNING") -> AsyncIterator[BenchFloor]:
    """A floor in a folder of its own; nothing of either is left, whatever fails."""
    folder = Path(tempfile.mkdtemp(prefix="changgu-bench-"))
    try:
        async with aclosing(BenchFloor(folder, agents, level=level)) as floor:
            yield floor
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def private_release() -> PbxRelease:
    """The Asterisk that changgu fetched."""
    release = installed(default_folder(os.environ), architecture_of(os.uname().machine))
    if release is None:
        raise RuntimeError("the private Asterisk is not there: ./changgu bench fetches it")
    return release


def processor_seconds(pid: int) -> float:
    """User and system time that a process has used, with the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[number]) for number in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def many_files() -> None:
    """As many sockets as the system allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if sys.platform != "linux":
    raise ImportError("the measurements read /proc")
