"""The whole service as a user runs it: `up` in a folder of its own, with its private PBX."""

import asyncio
import os
import signal
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_ports, in_this_lane
from tests.support.waiting import eventually
from tests.support.witness import Witness

READY_WITHIN = 90.0


class Changgu:
    """One running service and its data folder."""

    def __init__(self, folder: Path, rtp: tuple[int, int], config: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = config
        self.web, self.sip, self.ari, self.ami = free_ports(4)
        self.rtp = in_this_lane(rtp[0]), in_this_lane(rtp[1])
        self.process: asyncio.subprocess.Process | None = None
        self.said: list[str] = []
        self.token = ""
        self.sip_accounts: dict[str, dict[str, str]] = {}
        """Login → user and password of the agent's phone, of those who asked."""
        self.test_began: datetime | None = None
        """Calls that came earlier are another test's."""
        self._pump: asyncio.Task[None] | None = None
        self.http = httpx.AsyncClient(base_url=self.url, timeout=20)

    @property
    def pbx_pid(self) -> int:
        """The private PBX's process id."""
        return int((self.data / "pbx" / "pid").read_text())

    @property
    def running(self) -> bool:
        """Whether the service's process lives."""
        return self.process is not None and self.process.returncode is None

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.web}"

    @property
    def sip_server(self) -> str:
        """host:port for SIP phones."""
        return f"127.0.0.1:{self.sip}"

    def sip_uri(self, extension: str) -> str:
        """What a phone dials."""
        return f"sip:{extension}@{self.sip_server}"

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "changgu.app.cli", *words]

    async def cli(self, *words: str, check: bool = True) -> str:
        """Run a command of the command line against this data folder; its standard output."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*words, "--data", str(self.data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        if check:
            assert process.returncode == 0, out.decode() + err.decode()
        return out.decode() if check else out.decode() + err.decode()

    def up_words(self) -> list[str]:
        """What `changgu` is told to open this desk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        words = [
            "up",
            "--data",
            str(self.data),
            "--port",
            str(self.web),
            "--sip-port",
            str(self.sip),
            "--ari-port",
            str(self.ari),
            "--ami-port",
            str(self.ami),
            "--rtp-ports",
            f"{self.rtp[0]}-{self.rtp[1]}",
        ]
        if self.config:
            (self.folder / "changgu.toml").write_text(self.config)
            words += ["--config", str(self.folder / "changgu.toml")]
        return words

    async def up(self, *options: str) -> None:
        """Start the service and wait for its `ready:` line."""
        words = self.up_words()
        self.said.clear()
        self.process = await asyncio.create_subprocess_exec(
            *self._command(*words, *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"},
        )
        self._pump = asyncio.create_task(self._read())

        async def ready() -> bool:
            assert self.process is not None
            assert self.process.returncode is None, "the service ended:\n" + "\n".join(self.said)
            return any(line.startswith("ready:") for line in self.said)

        try:
            await eventually(ready, within=READY_WITHIN)
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.said)) from None
        if not self.token:
            said = await self.cli("token", "create", "--name", "tests", "--role", "admin")
            self.token = said.split()[-1]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(line.decode(errors="replace").rstrip())

    async def kill(self) -> None:
        """SIGKILL to changgu alone; the PBX goes on."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def down(self) -> int:
        """SIGTERM, and wait for the clean end; the exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 40)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                raise AssertionError("the service did not stop:\n" + "\n".join(self.said[-40:])) from None
        if self._pump is not None:
            await self._pump
        assert self.process.returncode is not None
        return self.process.returncode

    async def close(self) -> None:
        """Whatever happened: nothing of this service runs afterwards."""
        with suppress(AssertionError):
            if self.process is not None and self.process.returncode is None:
                await self.down()
        await self.http.aclose()
        with suppress(ValueError, OSError):
            if str(self.data).encode() in Path(f"/proc/{self.pbx_pid}/cmdline").read_bytes():
                os.kill(self.pbx_pid, signal.SIGKILL)

    async def get(self, path: str, **query: Any) -> Any:
        """GET under /api/v1, decoded."""
        answer = await self.http.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def post(self, path: str, body: Mapping[str, Any], *, status: tuple[int, ...] = (200, 201)) -> Any:
        """POST under /api/v1, decoded."""
        answer = await self.http.post(f"/api/v1{path}", json=body)
        assert answer.status_code in status, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def agent_state(self, login: str) -> str:
        """The state of an agent as the API tells it."""
        for agent in (await self.get("/agents"))["items"]:
            if agent["login"] == login:
                return str(agent["state"])
        raise AssertionError(f"no agent {login}")

    async def agent_is(self, login: str, *states: str, within: float = 15) -> None:
        """Wait until the agent is in one of the states."""

        async def look() -> bool:
            return await self.agent_state(login) in states

        try:
            await eventually(look, within=within)
        except AssertionError:
            raise AssertionError(
                f"{login} is {await self.agent_state(login)}, not {states}\n" + "\n".join(self.said[-60:])
            ) from None

    def test_begins(self) -> None:
        """Only calls from now on are this test's. In whole seconds: so exact is the log of the plain queues."""
        self.test_began = datetime.now(UTC).replace(microsecond=0)

    async def calls(self) -> list[dict[str, Any]]:
        """The rows of this test's calls, newest first."""
        since = {} if self.test_began is None else {"since": self.test_began.isoformat()}
        rows: list[dict[str, Any]] = (await self.get("/calls", limit=200, **since))["items"]
        return rows

    async def call_where(self, within: float = 15, **fields: Any) -> dict[str, Any]:
        """Wait for a call of this test whose row has these fields."""

        async def look() -> dict[str, Any] | None:
            for row in await self.calls():
                if all(row.get(name) == value for name, value in fields.items()):
                    return row
            return None

        try:
            found = await eventually(look, within=within)
        except AssertionError:
            rows = await self.calls()
            raise AssertionError(f"no call with {fields}; there are {rows}\n" + "\n".join(self.said[-60:])) from None
        assert found is not None
        return found

    async def told(self, call: str, kind: str, within: float = 15, **fields: Any) -> None:
        """Wait until such a fact of a call is written; a state that lasts a second may be over when it is asked for."""
        heard: list[dict[str, Any]] = []

        async def look() -> bool:
            heard[:] = (await self.get(f"/calls/{call}"))["facts"]
            bodies = [fact["body"] for fact in heard if fact["kind"] == kind]
            return any(all(body.get(name) == value for name, value in fields.items()) for body in bodies)

        try:
            await eventually(look, within=within)
        except AssertionError:
            raise AssertionError(f"no {kind} with {fields}; there are {heard}") from None

    async def tickets(self, call: str) -> list[str]:
        """Numbers of the tickets of a call that is to have one; it is opened some time after the answer."""

        async def opened() -> list[str]:
            numbers: list[str] = (await self.get(f"/calls/{call}"))["tickets"]
            return numbers

        return await eventually(opened)

    async def facts(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """All facts of these calls, in the order of the ledger."""
        facts = [
            {"seq": fact["seq"], "at": fact["at"], "kind": fact["kind"], **fact["body"]}
            for row in rows for fact in (await self.get(f"/calls/{row['id']}"))["facts"]
        ]  # fmt: skip
        return sorted(facts, key=lambda fact: fact["seq"])

    def witness(self) -> Witness:
        """The independent AMI witness of this PBX."""
        secrets = tomllib.loads((self.data / "secrets.toml").read_text())
        return Witness("127.0.0.1", self.ami, "changgu", secrets["ami_password"])
