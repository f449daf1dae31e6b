"""A loaded floor for the tests of faults: many agents and callers made with SIPp, whose logs are the outside truth."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.phone_log import read
from bench.sipp_phones import SippRun, caller_scenario, number_of
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent, Queue, TicketPolicy
from changgu.acd.store import FloorStore
from changgu.app import schema
from tests.support.nursery import Nursery
from tests.support.ports import free_ports
from tests.support.service import Changgu
from tests.support.waiting import eventually

QUEUES = ("helpdesk", "network")
CONFIG = """[pbx]
stop_with_service = false

[log]
level = "INFO"
"""
MENU = """flow: main
title: 대표번호
start: greeting
person: operator

nodes:
  greeting:
    kind: say
    say: [greeting, recording_notice]
    next: services

  services:
    kind: menu
    say: [services, services_person]
    repeats: 0
    first_timeout: 1
    keys:
      2: network
      0: operator

  network:
    kind: to_queue
    queue: network

  operator:
    kind: to_queue
    queue: helpdesk
"""
"""A short menu: who presses nothing reaches a person."""

GREETING = """greeting = "네."
machine_voice = "기계."
recording_notice = "녹음."
services = "누르십시오."
services_person = "영번."
"""
"""Short, or callers whose greeting begins again after each kill would never get past it."""

RING = 0.3
"""Seconds for which an agent's phone rings."""


def queue(name: str, number: str, **rules: Any) -> Queue:
    return Queue(
        QueueName(name), name, number, ring_limit=timedelta(seconds=5), wrap_up=timedelta(seconds=0.5),
        misses_before_not_ready=1000, ticket=TicketPolicy.NONE, record=False, **rules,
    )  # fmt: skip


@dataclass(frozen=True)
class Conversation:
    """One agent's conversation with one caller, as the agent's phone saw it."""

    agent: str
    caller: int
    answered: float
    hung_up: float | None
    """None when it was cut off from the other side."""


class LoadedFloor:
    """One desk, its phones and its callers. changgu comes and goes; the PBX and everybody on it stay."""

    def __init__(
        self, folder: Path, nursery: Nursery, agents: int, rtp: tuple[int, int], settings: str = ""
    ) -> None:
        """`settings` are further tables of the settings file."""
        self.folder = folder
        self.nursery = nursery
        self.service = Changgu(folder, rtp, CONFIG + settings)
        self.agents = [f"a{number:02d}" for number in range(1, agents + 1)]
        self.phones_port, self.agents_media = free_ports(2)
        self.log = folder / "changgu.log"
        self.pid: int | None = None
        self._phones: SippRun | None = None
        self._runs: list[SippRun] = []
        self._gone: list[SippRun] = []
        self._callers = 0
        self.starts: list[float] = []
        """Seconds from each start to the `ready:` line."""

    async def furnish(self, *queues: Queue) -> None:
        """Queues and agents, without accounts: a password's hash takes long."""
        prompts = self.service.data / "prompts"
        prompts.mkdir(parents=True)
        (prompts / "ko.toml").write_text(GREETING)
        (self.service.data / "menus").mkdir()
        (self.service.data / "menus" / "main.yaml").write_text(MENU)
        database = schema.database_of(self.service.data)
        try:
            await schema.upgrade(database)
            await FloorStore(database).save(queues or (queue("helpdesk", "1001"), queue("network", "1002")), [
                Agent(AgentId(login), login, frozenset(map(QueueName, QUEUES)), phone=self._phone(login))
                for login in self.agents
            ])  # fmt: skip
        finally:
            await database.close()
        self._phones = await SippRun.agents(self.folder / "agents", self.phones_port, RING, self.agents_media)

    def _phone(self, login: str) -> str:
        return f"sip:{login}@127.0.0.1:{self.phones_port}"

    # changgu comes and goes

    async def begin(self) -> None:
        """Start changgu, and do not wait for it."""
        self.log.write_text("")
        self.starts.append(-time.time())
        self.pid = await self.nursery.start(self.service.up_words(), self.log)

    async def up(self) -> None:
        """Start changgu, and wait until it takes calls."""
        await self.begin()
        await self.ready()

    async def ready(self) -> None:
        """Wait for the `ready:` line."""

        async def said() -> bool:
            assert Path(f"/proc/{self.pid}/exe").exists(), self.last_words()
            return any(line.startswith("ready:") for line in self.log.read_text().splitlines())

        try:
            await eventually(said, within=90, every=0.02)
        except AssertionError:
            assert self.pid is not None
            os.kill(self.pid, signal.SIGUSR1)
            await asyncio.sleep(1)
            raise AssertionError(f"changgu did not become ready:\n{self.last_words()}") from None
        self.starts[-1] += time.time()
        if not self.service.token:
            shown = await self.service.cli("token", "create", "--name", "tests", "--role", "admin")
            self.service.token = shown.split()[-1]
            self.service.http.headers["Authorization"] = f"Bearer {self.service.token}"

    async def kill(self) -> float:
        """SIGKILL to changgu alone; when."""
        assert self.pid is not None
        at = time.time()
        await self.nursery.end(self.pid)
        self.pid = None
        return at

    def last_words(self) -> str:
        """What changgu said last."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])

    async def everybody_ready(self) -> None:
        """All agents sign in and press 대기, once their phones answer."""
        for login in self.agents:

            async def accepted(login: str = login) -> bool:
                await self.service.post(f"/agents/{login}/state", {"state": "ready"}, status=(200, 409))
                return await self.service.agent_state(login) in ("ready", "reserved", "talking", "wrap_up")

            await eventually(accepted, within=30, every=0.2)

    async def close(self) -> None:
        """Nothing runs afterwards."""
        for run in (*self._runs, *self._gone, self._phones):
            if run is not None:
                await run.stop()
        if self.pid is not None and Path(f"/proc/{self.pid}/exe").exists():
            await self.nursery.end(self.pid)
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.service.pbx_pid, signal.SIGKILL)
        await self.service.close()

    # callers

    async def callers(self, dialled: str, talks: Sequence[float], rate: float) -> SippRun:
        """Callers who wait for as long as it takes, one after the other; the agent talks with each for that long."""
        numbers = [number_of(self._callers + n, talk) for n, talk in enumerate(talks)]
        folder = self._folder_of_callers()
        self._callers += len(numbers)
        port, media = free_ports(2)
        run = await SippRun.callers(folder, self.service.sip_server, dialled, numbers, rate, port, media)
        self._runs.append(run)
        return run

    async def impatient(self, dialled: str, count: int, stay: tuple[float, float], rate: float) -> SippRun:
        """Callers who hang up by themselves, each after some time between two, in seconds from the desk's answer."""
        folder = self._folder_of_callers()
        folder.mkdir(parents=True)
        port, media = free_ports(2)
        first, self._callers = self._callers, self._callers + count
        (folder / "callers.csv").write_text(
            "SEQUENTIAL\n" + "".join(f"{number_of(n, 0.5)};\n" for n in range(first, first + count))
        )
        run = await SippRun.start(folder, "callers", impatient_scenario(*stay), [
            self.service.sip_server, "-s", dialled, "-inf", str(folder / "callers.csv"), "-m", str(count),
            "-l", str(count), "-r", f"{rate:g}", "-p", str(port), "-mp", str(media), "-timeout", "120s",
        ])  # fmt: skip
        self._runs.append(run)
        return run

    async def storm(self, dialled: str, talks: Sequence[float], rate: float) -> SippRun:
        """Callers who wait like `callers`, but leave at the busy tone; how many did stands in the run's log."""
        folder = self._folder_of_callers()
        folder.mkdir(parents=True)
        port, media = free_ports(2)
        first, self._callers = self._callers, self._callers + len(talks)
        (folder / "callers.csv").write_text(
            "SEQUENTIAL\n" + "".join(f"{number_of(first + n, talk)};\n" for n, talk in enumerate(talks))
        )
        run = await SippRun.start(folder, "callers", stormy_scenario(), [
            self.service.sip_server, "-s", dialled, "-inf", str(folder / "callers.csv"), "-m", str(len(talks)),
            "-l", str(len(talks)), "-r", f"{rate:g}", "-p", str(port), "-mp", str(media), "-timeout", "300s",
        ])  # fmt: skip
        self._runs.append(run)
        return run

    def _folder_of_callers(self) -> Path:
        return self.folder / f"callers-{self._callers}"

    def forget_callers(self) -> None:
        """Those so far are no longer expected to end well."""
        self._gone += [run for run in self._runs if run.process.returncode is None]
        self._runs.clear()

    async def nothing_is_left(self) -> None:
        """The PBX itself, asked by an independent client, has no channel and no bridge."""
        witness = await asyncio.to_thread(self.service.witness)
        left: list[str] = []

        async def empty() -> bool:
            left[:] = [*await asyncio.to_thread(witness.channels), *await asyncio.to_thread(witness.bridges)]
            return not left

        try:
            await eventually(empty, within=15)
        except AssertionError:
            raise AssertionError(f"still in the PBX: {left}") from None
        finally:
            await asyncio.to_thread(witness.close)

    @property
    def dialled(self) -> int:
        """Callers so far."""
        return self._callers

    async def finished(self, within: float) -> None:
        """Everybody has been hung up on by the desk, as their scenario expects."""
        try:
            async with asyncio.timeout(within):
                for run in self._runs:
                    await run.finished(within)
        except TimeoutError:
            raise AssertionError(f"somebody still waits\n{await self._left()}\n{self.last_words()}") from None

    async def _left(self) -> str:
        """What the PBX and the callers' own program still know of."""
        witness = await asyncio.to_thread(self.service.witness)
        try:
            left = await asyncio.to_thread(witness.channels)
        finally:
            await asyncio.to_thread(witness.close)
        logs = [run.log.read_text(errors="replace").splitlines()[-20:] for run in self._runs]
        return "\n".join(["in the PBX:", *map(str, left), "callers:", *(line for log in logs for line in log)])

    # what was seen from outside

    def conversations(self) -> list[Conversation]:
        """What the agents' phones wrote down, in order of the answers."""
        assert self._phones is not None
        log = read(self._phones.log.read_text().splitlines())
        ends: dict[tuple[str, int], list[float]] = {}
        for end in log.hung_up:
            ends.setdefault((end.agent, end.caller), []).append(end.at)
        found = []
        for one in log.answered:
            later = [at for at in ends.get((one.agent, one.caller), []) if at >= one.at]
            if later:
                ends[one.agent, one.caller].remove(later[0])
            found.append(Conversation(one.agent, one.caller, one.at, later[0] if later else None))
        return found

    async def rows(self) -> list[dict[str, Any]]:
        """Every call as the API lists it."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.service.get("/calls", limit=200, **cursor)
            rows += page["items"]
            if not page.get("next"):
                return rows
            cursor = {"cursor": page["next"]}

    async def facts(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """All facts of these calls, in the order of the ledger."""
        return await self.service.facts(rows)


def stormy_scenario() -> str:
    """A caller of SIPp who takes the busy tone (486) for an answer as well."""
    answered = '<recv response="200" rrs="true"/>'
    head, _, tail = caller_scenario().partition(answered)
    body = tail.removesuffix("</scenario>\n")
    return f"""{head}<recv response="486" optional="true" next="busy"/>
{answered}{body}<nop next="over"/>
<label id="busy"/>
<nop><action><log message="busy [timestamp] [field0]"/></action></nop>
<send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<label id="over"/>
<nop/>
</scenario>
"""


def impatient_scenario(shortest: float, longest: float) -> str:
    """A caller of SIPp who hangs up by themselves, unless the desk is first; both may do it in the same instant."""
    patience = f'<pause distribution="uniform" min="{round(shortest * 1000)}" max="{round(longest * 1000)}"/>'
    head, _, _ = caller_scenario().partition('<recv request="BYE"/>')
    return f"""{head}{patience}
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


def talks(count: int, seed: int, shortest: float = 1.0, longest: float = 4.0) -> list[float]:
    """How long agents talk, drawn once."""
    chance = random.Random(seed)
    return [round(chance.uniform(shortest, longest), 3) for _ in range(count)]


def inversions(facts: Sequence[dict[str, Any]]) -> list[str]:
    """Callers who were offered before somebody of the same queue who had the better place and waited."""
    wrong: list[str] = []
    waiting: dict[str, dict[str, float]] = {}
    place: dict[str, tuple[str, float]] = {}
    for fact in facts:
        call = str(fact.get("call"))
        match fact["kind"]:
            case "CallQueued":
                since = fact.get("placed_at")
                place[call] = (fact["queue"], moment(fact["at"]) if since is None else moment(since))
                waiting.setdefault(fact["queue"], {})[call] = place[call][1]
            case "CallOffered":
                queue_name, since = place[call]
                line = waiting.setdefault(queue_name, {})
                line.pop(call, None)
                wrong += [f"{call} before {other}" for other, theirs in line.items() if theirs < since - 0.001]
            case "OfferEnded":
                queue_name, since = place[call]
                waiting[queue_name][call] = since
            case "CallEnded" | "CallAnswered":
                if call in place:
                    waiting[place[call][0]].pop(call, None)
            case _:
                pass
    return wrong


def moment(written: str | float) -> float:
    """A time as the API writes it, in seconds since the epoch."""
    return written if isinstance(written, float | int) else datetime.fromisoformat(written).timestamp()
