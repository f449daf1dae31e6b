"""A desk with the real versions, notices, counts, keeper and checks; the voice is a stand-in that beeps."""

import io
import wave
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from changgu.acd.store import FloorStore
from changgu.app.floor_keeper import FloorKeeper, menu_files
from changgu.app.flow_joins import DeskMenu, MenuFacts
from changgu.app.settings import Settings
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.publishing.callers.service import Counts, Notices
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.store import CountStore, FlowStore, NoticeStore
from changgu.ivr_flows.service import shipped_menu

BOSS = Actor("boss", "박팀장", Role.SUPERVISOR)
DEPUTY = Actor("deputy", "이부팀장", Role.SUPERVISOR)
SEOUL = ZoneInfo("Asia/Seoul")
NINE = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
PILOT = "1999"
MAIN = shipped_menu().read_text("utf-8")
UNSPEAKABLE = "☃"


def beep(seconds: float = 0.2) -> bytes:
    """A little sound that every browser plays."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * int(8000 * seconds)))
    return sound.getvalue()


class Voice:
    """Answers `Sounds`: remembers what it was to say."""

    def __init__(self) -> None:
        self.spoken: list[tuple[str, str]] = []
        self.prepared: list[Flow] = []

    async def prepare(self, flow: Flow) -> Sequence[str]:
        self.prepared.append(flow)
        return []

    async def speak(self, text: str, language: str) -> bytes | None:
        if UNSPEAKABLE in text:
            return None
        self.spoken.append((text, language))
        return beep()


class MenuHouse:
    """Everything behind `/flows` and `/notices`; `clock` is wound by hand."""

    def __init__(self, folder: Path, database: Database, *, real_time: bool = False, four_eyes: bool = False) -> None:
        self.folder = folder
        self.database = database
        self.clock = datetime.now(UTC) if real_time else NINE
        self._real_time = real_time
        self.store = FlowStore(database)
        self.versions = FlowVersions(
            self.store, lambda: menu_files(folder), pilot=PILOT, four_eyes=four_eyes, now=self.now
        )
        settings = Settings.model_validate({"data": folder})
        self.floors = FloorStore(database)
        self.keeper = FloorKeeper(settings, self.floors, self.versions)
        self.voice = Voice()
        self.notices = Notices(NoticeStore(database), "ko", now=self.now)
        self.counts = Counts(CountStore(database), SEOUL, now=self.now)
        self.menu = DeskMenu(self.keeper)
        self.versions.join(self.menu, self.voice)
        self.notices.join(self.voice)
        self.facts = MenuFacts(self.versions, self.notices, self.counts)

    def now(self) -> datetime:
        return datetime.now(UTC) if self._real_time else self.clock

    def wind(self, **ahead: float) -> None:
        """Let time pass: `wind(hours=1)`."""
        self.clock += timedelta(**ahead)

    async def open(self) -> None:
        """As a start of the desk does."""
        await self.floors.seed()
        await self.keeper.read()
