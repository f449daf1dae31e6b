"""Fills a data folder with the example organisation, and keeps its crowd calling."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from changgu.acd.agent_state import NotReadyReason
from changgu.acd.events import AgentNotReady, AgentReady
from changgu.acd.identity import AgentId
from changgu.acd.imports import read_agents, read_queues
from changgu.acd.store import FloorStore
from changgu.app.accounts import Accounts, generated_password
from changgu.app.demo.crowd import AGENT_SAYS, CALLER_SAYS, AgentLine, Crowd, Floor
from changgu.app.demo.organisation import Organisation, organisation
from changgu.app.demo.past import enter_past_tickets, is_entered
from changgu.app.settings import Settings
from changgu.asterisk_conf.plan import endpoint_name
from changgu.directory.numbers import Numbering
from changgu.directory.service import Directory
from changgu.ground.database import Database
from changgu.telephony.speech.espeak import EspeakSynthesiser

if TYPE_CHECKING:
    from changgu.app.assembly import Service

logger = logging.getLogger(__name__)

SEED = 20261121
ACTOR = "demo"


class DemoDesk:
    """The example desk of one data folder."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._organisation: Organisation = organisation(Random(SEED))  # noqa: S311 - not a secret: the same each time

    async def fill(self, say: Callable[[str], None]) -> None:
        """Import the organisation, once; a filling that was cut short is made complete the next time."""
        if await is_entered(self._database):
            return
        floors = FloorStore(self._database)
        directory = Directory(self._database, Numbering(self._settings.desk.region, self._settings.desk.extensions))
        say("예시 조직을 채웁니다 · filling in the example organisation")
        example = self._organisation
        floor = await floors.save(queues=read_queues("queues.csv", example.queues_csv, await floors.load_floor()))
        floor = await floors.save(agents=read_agents("agents.csv", example.agents_csv, floor))
        note = self._settings.data / "demo-agents.txt"
        password = note.read_text().split()[-1] if note.exists() and note.stat().st_size else generated_password()
        note.touch(mode=0o600)
        note.write_text(f"agent01 … agent{len(floor.agents):02}  {password}\n")
        await Accounts(self._database).ensure_accounts(
            [(one.login, one.name) for one in floor.agents], password=password
        )
        await directory.import_people("people.csv", example.people_csv, ACTOR)
        await enter_past_tickets(self._database, directory, example, datetime.now(UTC))
        say(f"예시 요원 · example agents: agent01 … agent{len(floor.agents):02}  {password}  ({note})")

    async def run(self, service: "Service") -> None:
        """Simulated agents sit down and simulated callers call, until cancelled."""
        passwords = await service.floor_store.sip_passwords()
        floor = Floor(
            ready=lambda login: self._ask(service, login, ready=True),
            not_ready=lambda login: self._ask(service, login, ready=False),
        )
        crowd = Crowd(
            server=f"127.0.0.1:{self._settings.sip.port}",
            desk_number=self._settings.desk.number,
            agents=[
                AgentLine(login, endpoint_name(AgentId(login)), passwords[AgentId(login)])
                for login in self._organisation.agent_logins
            ],
            callers=self._organisation.callers,
            calls_per_minute=self._settings.demo.calls_per_minute,
            floor=floor,
            voices=(await self._voices("caller", CALLER_SAYS), await self._voices("agent", AGENT_SAYS)),
            random=Random(),  # noqa: S311 - a crowd, not a secret
        )
        await crowd.run()

    async def _ask(self, service: "Service", login: str, *, ready: bool) -> None:
        agent = AgentId(login)
        refused = await service.runner.ask(
            AgentReady(agent) if ready else AgentNotReady(agent, Random().choice(BREAKS))  # noqa: S311
        )
        if refused is not None:
            logger.debug("agent %s: %s", login, refused.why_en)

    async def _voices(self, who: str, sentences: tuple[str, ...]) -> list[Path]:
        folder = self._settings.data / "demo-voices"
        folder.mkdir(exist_ok=True)
        voice = EspeakSynthesiser()
        try:
            files = []
            for number, sentence in enumerate(sentences, 1):
                file = folder / f"{who}-{number}.wav"
                if not file.exists():
                    file.write_bytes(await voice.speak(sentence, "ko"))
                files.append(file)
            return files
        finally:
            await voice.close()


BREAKS = (NotReadyReason.BREAK, NotReadyReason.AWAY, NotReadyReason.MAINTENANCE, NotReadyReason.TRAINING)
