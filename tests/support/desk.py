"""The desk of the real-call tests: its people, and what a caller or an agent does there."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from changgu.telephony.soft_phone import SoftPhones
from tests.support.ports import in_this_lane
from tests.support.service import Changgu
from tests.support.tones import tone_seconds
from tests.support.waiting import eventually
from tests.support.witness import Witness

QUEUES = """name,title,number,strategy,ring_seconds,wrap_up_seconds,ticket,record
helpdesk,상담원,1001,longest_idle,5,1,automatic,yes
network,네트워크,1002,longest_idle,5,1,automatic,yes
pc,PC·OA기기,1003,longest_idle,5,1,ask,yes
account,계정·비밀번호,1004,longest_idle,5,1,none,no
application,업무시스템,1005,longest_idle,15,1,automatic,yes
"""
AGENTS = """login,name,queues,skills,phone
kim,김상담,network;helpdesk,,register
lee,이상담,network,,register
park,박상담,account,,register
choi,최상담,pc,,browser
jung,정상담,application,,sip:jung@127.0.0.1:{fixed_port}
"""
PEOPLE = """employee_number,name,department,title,email,location,computer_id,phones
20190001,홍길동,정보화담당관실,주무관,hong@example.go.kr,본관 3층,PC-0001,010-1234-5678;02-2100-3456;3456
20190002,성춘향,총무과,사무관,sung@example.go.kr,별관 2층,PC-0002,010-2222-3333;02-2100-7777
20190003,이몽룡,총무과,주무관,lee@example.go.kr,별관 2층,PC-0003,010-4444-5555;02-2100-7777
"""
FIXED_PORT = in_this_lane(25061)
WELL_WITHIN = 40.0
"""Seconds; a phone that comes to a fixed address is looked for every 15 (`qualify_frequency`), and has to answer."""
SENTENCES = """greeting = "안녕하세요."
recording_notice = "녹음됩니다."
machine_voice = "기계입니다."
services = "번호를 누르십시오."
services_person = "상담원은 영번."
to_pc = "연결합니다."
to_network = "연결합니다."
to_application = "연결합니다."
to_account = "연결합니다."
to_person = "연결합니다."
"""
"""The site's own short sentences: the tests need not hear the long ones each time."""


class Desk:
    """Verbs of the floor, on real phones."""

    def __init__(
        self, service: Changgu, phones: SoftPhones, callers: SoftPhones, tones: dict[str, Path], folder: Path
    ) -> None:
        self.service = service
        self.phones = phones
        self.callers = callers
        self.tones = tones
        self.heard = folder
        self._lines: set[str] = set()

    @staticmethod
    def short_sentences(service: Changgu) -> None:
        """Before the first start: say less."""
        folder = service.data / "prompts"
        folder.mkdir(parents=True)
        (folder / "ko.toml").write_text(SENTENCES)

    @staticmethod
    async def furnish(service: Changgu) -> None:
        """Import queues, agents and people as an administrator would."""
        for kind, text in (("queues", QUEUES), ("agents", AGENTS.format(fixed_port=FIXED_PORT)), ("people", PEOPLE)):
            file = service.folder / f"{kind}.csv"
            file.write_text(text)
            await service.cli(kind, "import", str(file))

        async def known() -> bool:
            names = {agent["login"] for agent in (await service.get("/agents"))["items"]}
            return {"kim", "lee", "park", "choi", "jung"} <= names

        await eventually(known, within=20)

    async def credentials(self, login: str) -> dict[str, str]:
        """What is typed into the agent's phone, once told for as long as the desk is there."""
        known = self.service.sip_accounts
        if login not in known:
            known[login] = json.loads(await self.service.cli("agents", "phone", login, "--json"))
        return known[login]

    async def phone(self, login: str, *, answer_after: float | None = 0.3, **habits: Any) -> None:
        """Register the agent's phone; it speaks the agents' tone."""
        shown = await self.credentials(login)
        await self.phones.account(
            login,
            self.service.sip_server,
            user=shown["user"],
            password=shown["password"],
            register=True,
            answer_after=answer_after,
            play=self.tones["agent"],
            record=self.heard,
            **habits,
        )
        self._lines.add(login)

    async def ready(self, login: str) -> None:
        """The agent presses 대기; a caller who waits already may be with them a moment later."""

        async def accepted() -> bool:
            await self.service.post(f"/agents/{login}/state", {"state": "ready"}, status=(200, 409))
            return await self.service.agent_state(login) in ("ready", "reserved", "talking")

        await eventually(accepted, within=WELL_WITHIN, every=0.2)

    async def agent(self, login: str, *, answer_after: float | None = 0.3, **habits: Any) -> None:
        """An agent at their desk: phone registered, 대기."""
        await self.phone(login, answer_after=answer_after, **habits)
        await self.ready(login)

    async def call(
        self, extension: str, call: str = "c1", *, number: str = "01012345678", keys: str = "", within: float = 15
    ) -> None:
        """A caller dials, is answered, and after a moment presses keys; they speak the callers' tone."""
        await self.callers.account(
            call, self.service.sip_server, user=number, play=self.tones["caller"], record=self.heard
        )
        await self.callers.call(call, call, self.service.sip_uri(extension))
        await self.callers.expect("answered", call=call, within=within)
        await self.callers.expect("media", call=call)
        for key in keys:
            await self.callers.order(do="dtmf", call=call, digits=key)

    async def hang_up(self, call: str) -> None:
        """The caller hangs up."""
        await self.callers.order(do="hang_up", call=call)
        await self.callers.expect("ended", call=call)

    async def hears(self, recording: Path, hertz: float, seconds: float = 1.0, within: float = 15) -> None:
        """Wait until a recording holds that many seconds of a tone."""

        async def enough() -> bool:
            return recording.exists() and tone_seconds(recording, hertz) >= seconds

        await eventually(enough, within=within)

    async def waiting(self, queue: str, count: int, within: float = 15) -> None:
        """Wait until so many callers wait in a queue."""

        async def look() -> bool:
            for row in (await self.service.get("/queues"))["items"]:
                if row["name"] == queue:
                    return bool(row["waiting"] == count)
            raise AssertionError(f"no queue {queue}")

        await eventually(look, within=within)

    async def in_the_ledger(self, caller: str, queue: str) -> None:
        """Wait until it is written that a caller waits in a queue: the floor says so some milliseconds before."""
        await self.service.call_where(caller=caller, queue=queue, outcome=None)

    async def they_talk(self, caller: str | None, agent: str) -> str:
        """Wait until caller and agent hear each other, and are on record with it; the call's id.

        An agent is 통화 중 from picking up: whoever hangs up between that and the first word has not been served.
        """
        return str((await self.service.call_where(caller=caller, agent=agent, outcome=None))["id"])

    async def in_the_plain_queue(self, agent: str, queue: str) -> None:
        """Wait until the PBX would ring the agent without us: it is told some milliseconds after the floor."""
        witness = await asyncio.to_thread(self.service.witness)
        try:

            async def rung() -> bool:
                return agent in await asyncio.to_thread(witness.ready_in, queue)

            await eventually(rung)
        finally:
            await asyncio.to_thread(witness.close)

    async def is_not_called_back(self, call: str) -> None:
        """The promise to whom the PBX lost is taken back: within the hours for it, agents would be rung to keep it."""

        async def promised() -> str | None:
            open_ones = (await self.service.get("/callbacks", settled=False))["items"]
            return next((str(one["id"]) for one in open_ones if one["asked_from"] == call), None)

        promise = await eventually(promised)
        assert (await self.service.http.delete(f"/api/v1/callbacks/{promise}")).status_code == 204

    async def sign_everybody_out(self) -> None:
        """Every agent leaves; calls in progress are ended by their callers first."""

        async def nobody_works() -> bool:
            working = [one for one in (await self.service.get("/agents"))["items"] if one["state"] != "logged_out"]
            for agent in working:  # one just taken off the list may be gone by now
                leaves = {"state": "logged_out"}
                await self.service.post(f"/agents/{agent['login']}/state", leaves, status=(200, 404, 409))
            return not working

        await eventually(nobody_works, every=0.2)

    async def clear(self) -> None:
        """Start from an empty floor."""
        await self.sign_everybody_out()

    @asynccontextmanager
    async def emergency(self, plan: str, routing: str) -> AsyncIterator[dict[str, Any]]:
        """With a plan of these routing rules on; what the API says of it."""
        (self.service.data / "routing.toml").write_text(routing)
        await self.service.cli("reload")
        told = await self.service.http.put("/api/v1/emergency", json={"plan": plan, "why": "백본 장애"})
        assert told.status_code == 200, told.text
        try:
            yield (await self.service.get("/emergency"))["on"]
        finally:
            if self.service.running:
                await self.service.http.delete("/api/v1/emergency")

    async def nothing_is_left(self) -> None:
        """The PBX itself, asked by an independent client, has no channel and no bridge."""
        await self._pbx_has_none_of(lambda witness: [*witness.channels(), *witness.bridges()])

    async def nobody_is_joined(self) -> None:
        """The same of bridges alone: whoever is on the line speaks with nobody."""
        await self._pbx_has_none_of(Witness.bridges)

    async def _pbx_has_none_of(self, looked_for: Callable[[Witness], list[str]]) -> None:
        witness = await asyncio.to_thread(self.service.witness)
        try:

            left: list[str] = []

            async def empty() -> bool:
                left[:] = await asyncio.to_thread(looked_for, witness)
                return not left

            try:
                await eventually(empty)
            except AssertionError:
                raise AssertionError(f"still in the PBX: {left}") from None
        finally:
            await asyncio.to_thread(witness.close)
