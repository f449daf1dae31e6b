"""The whole service on somebody else's Asterisk that exists only as its interfaces."""

import asyncio
import io
import socket
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from changgu.acd.identity import QueueName
from changgu.acd.queues import Queue
from changgu.acd.store import FloorStore
from changgu.app.assembly import Service
from changgu.app.demo.desk import DemoDesk
from changgu.app.generated_secrets import secrets_of
from changgu.app.pbx_files import NumbersClash
from changgu.app.settings import Settings
from changgu.app.up import AddressTaken, ExampleDesk, Opening, PartEnded, Stop
from changgu.ground.database import Database
from changgu.ground.trouble import Trouble
from changgu.ivr_flows.limits import LOOK_UP_SOURCES
from changgu.telephony.farewells import away_prompt
from tests.support.existing_asterisk import ExistingAsterisk
from tests.support.waiting import eventually


class Hum:
    """Says every sentence as a moment of silence, and remembers which."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def voice(self, language: str) -> str:
        return f"hum-{language}"

    async def speak(self, text: str, language: str) -> bytes:
        self.said.append(text)
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(160))
        return file.getvalue()

    async def adapt(self, recording: Path) -> bytes:
        return recording.read_bytes()

    async def close(self) -> None:
        return


class House:
    """A desk in a folder of its own."""

    def __init__(self, folder: Path, pbx: ExistingAsterisk) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.pbx = pbx
        self.etc = folder / "etc"
        self.web = f"http://127.0.0.1:{port}"
        self.groups: dict[str, Any] = {
            "data": folder / "data",
            "web": {"port": port},
            "pbx": {**pbx.settings, "configuration_folder": str(self.etc)},
        }
        self.voice = Hum()
        self.example: Callable[[Settings, Database], ExampleDesk] = DemoDesk

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(self.groups)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[asyncio.Task[None]]:
        settings = self.settings
        settings.data.mkdir(exist_ok=True)
        self.stop = Stop()
        opening = Opening(settings, secrets_of(settings.data), self.stop, self.voice, self.example)
        task = asyncio.create_task(opening.open_and_serve())
        try:
            async with httpx.AsyncClient(trust_env=False) as http:

                async def healthy() -> bool:
                    with suppress(httpx.TransportError):
                        return (await http.get(f"{self.web}/healthz")).status_code == 200
                    return task.done()

                await eventually(healthy, within=30)
            yield task
            if not task.done():
                self.stop.wanted.set()
                await asyncio.wait_for(task, 30)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def change_floor(self, *queues: Queue) -> None:
        database = Database(f"sqlite+aiosqlite:///{self.settings.data / 'changgu.sqlite'}")
        await FloorStore(database).save(queues=list(queues))
        await database.close()
        self.stop.reload.set()


@pytest.fixture
def version() -> str:
    return "22.10.1"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> AsyncIterator[House]:
    monkeypatch.setenv("CHANGGU_CACHE", str(tmp_path / "cache"))
    async with ExistingAsterisk(version) as pbx:
        yield House(tmp_path, pbx)


async def test_an_existing_asterisk_is_given_phones_queues_and_numbers_and_callers_hear_why_there_is_no_menu(
    house: House,
) -> None:
    async with house.open():
        assert sorted(file.name for file in house.etc.iterdir()) == [
            "dialplan.conf", "pjsip_phones.conf", "shadow_queues.conf",
        ]  # fmt: skip
        assert house.pbx.reloaded[-1] == "pbx_config.so"
        dialplan = (house.etc / "dialplan.conf").read_text()
        assert f"Playback({house.settings.data.parent / 'cache' / 'sounds'}/" in dialplan
        assert away_prompt("ko").text in house.voice.said


async def test_an_asterisk_that_is_too_old_is_refused_with_a_reason(house: House) -> None:
    house.pbx.version = "18.10.0"
    async with house.open() as task:
        with pytest.raises(Trouble, match=r"18\.10\.0"):
            await task


async def test_without_a_folder_an_existing_asterisk_is_left_as_its_administrator_set_it_up(house: House) -> None:
    house.groups["pbx"]["configuration_folder"] = ""
    async with house.open():
        assert house.pbx.reloaded == []
        assert not house.etc.exists()


@pytest.mark.parametrize("version", ["20.6.0"])
async def test_an_asterisk_from_before_rest_over_the_websocket_is_asked_over_http(house: House, version: str) -> None:
    ari = house.pbx.ari
    async with house.open():
        await ari.call_in("c1", "1001")
        await ari.until_asked("POST", "c1/moh")
        about_c1 = [asked.path for asked in ari.asked if "c1" in asked.path]
        assert about_c1[:2] == ["channels/c1/answer", "channels/c1/play"]
    assert ari.channels == {}


async def test_who_calls_while_the_desk_closes_is_told_so_too(house: House) -> None:
    ari = house.pbx.ari
    ari.prompts_end_at_once = False
    async with house.open() as task:
        await ari.call_in("c1")
        await ari.until(lambda: "c1-sound-1" in ari.playbacks)
        house.stop.wanted.set()
        await ari.until(lambda: "c1-sound-2" in ari.playbacks)  # the farewell
        await ari.call_in("c2")
        await ari.until(lambda: any(name.startswith("c2-") for name in ari.playbacks))

        async def said_to_both() -> bool:
            for playback in list(ari.playbacks):
                await ari.finish(playback)
            return task.done()

        await eventually(said_to_both, within=10, every=0.1)
        assert ari.channels == {}


class StubbornCrowd:
    """An example desk whose people call until they are stopped, and take their time to hang up."""

    def __init__(self, *_: object) -> None:
        self.stopped = asyncio.Event()
        self.gone = asyncio.Event()

    async def fill(self, say: Callable[[str], None]) -> None:
        return

    async def run(self, service: Service) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
            await self.gone.wait()


class Guest:
    """An example desk without people: looks at the service."""

    def __init__(self) -> None:
        self.sources: asyncio.Future[frozenset[str]] = asyncio.get_running_loop().create_future()

    async def fill(self, say: Callable[[str], None]) -> None:
        return

    async def run(self, service: Service) -> None:
        self.sources.set_result(service.look_ups.sources)
        await asyncio.Event().wait()


async def test_whatever_a_menu_may_look_up_is_answered_by_the_open_desk(house: House) -> None:
    """CTI-02, TEC-02, TEC-04: no source of the flow language without somebody who answers."""
    house.groups["demo"] = {"enabled": True}
    guest = Guest()
    house.example = lambda *_: guest
    async with house.open():
        assert await asyncio.wait_for(guest.sources, 10) == LOOK_UP_SOURCES.keys()


async def test_the_example_desk_s_crowd_stops_calling_before_the_desk_closes(house: House) -> None:
    house.groups["demo"] = {"enabled": True}
    crowd = StubbornCrowd()
    house.example = lambda *_: crowd
    ari = house.pbx.ari
    ari.prompts_end_at_once = False
    async with house.open() as task:
        await ari.call_in("c1")
        await ari.until(lambda: "c1-sound-1" in ari.playbacks)
        house.stop.wanted.set()
        await asyncio.wait_for(crowd.stopped.wait(), 10)
        assert "c1-sound-2" not in ari.playbacks, "the farewell comes after"
        await ari.until(lambda: "c1-sound-2" in ari.playbacks)  # though the crowd's phones are still there
        await ari.finish("c1-sound-2")
        crowd.gone.set()
        await asyncio.wait_for(asyncio.shield(task), 20)


async def test_a_desk_that_closes_as_it_was_told_to_warns_nobody(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.open():
        caplog.clear()
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []


async def test_a_desk_number_that_is_a_queues_number_is_refused_in_words(house: House) -> None:
    house.groups["desk"] = {"number": "1001"}
    async with house.open() as task:
        with pytest.raises(NumbersClash, match="1001"):
            await task


async def test_a_taken_web_port_is_named_with_its_option(house: House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.settings.web.port))
        other.listen()
        async with house.open() as task:
            with pytest.raises(AddressTaken) as refused:
                await task
    assert refused.value.ko.startswith(f"웹 포트를 쓸 수 없습니다: 127.0.0.1:{house.settings.web.port} (")


async def test_a_change_that_the_pbx_refuses_is_taken_up_by_nobody(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.open():
        before = (house.etc / "shadow_queues.conf").read_text()
        house.pbx.refuses_reloads = True
        await house.change_floor(Queue(QueueName("printer"), "프린터", "1077"))

        async def refused_and_taken_back() -> bool:
            said_so = "the floor was not taken up" in caplog.text
            return said_so and (house.etc / "shadow_queues.conf").read_text() == before

        await eventually(refused_and_taken_back, within=10)

        house.pbx.refuses_reloads = False
        house.stop.reload.set()

        async def taken_up() -> bool:
            return "[printer]" in (house.etc / "shadow_queues.conf").read_text()

        await eventually(taken_up, within=10)


async def test_a_part_that_ends_by_itself_is_an_error_and_no_quiet_close(house: House) -> None:
    async with house.open() as task:
        # the web server is the part that can be ended from outside: as if its socket had gone
        for part in asyncio.all_tasks():
            if part.get_name() == "web":
                part.cancel()
        with pytest.raises(PartEnded, match="web"):
            await asyncio.wait_for(asyncio.shield(task), 20)
