"""Who may hear what, and that every hearing is noted."""

import asyncio
import re
import wave
from collections.abc import Awaitable, Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from sqlite3 import connect

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from changgu.acd.identity import CallId
from changgu.app.rendering import SitePages
from changgu.ground.access import Actor, Role
from changgu.ground.trouble import Trouble
from changgu.recordings.api import Listening, build_router
from changgu.recordings.pages import build_pages
from tests.recordings.conftest import Office

ACTORS = {
    "alice": Actor("alice", "김지은", Role.AGENT),
    "bob": Actor("bob", "박준호", Role.AGENT),
    "boss": Actor("boss", "이팀장", Role.SUPERVISOR),
}


class OpenGate:
    def require(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        async def actor(request: Request) -> Actor:
            return ACTORS[request.headers["x-actor"]]

        return actor

    async def admit(self, websocket: HTTPConnection, role: Role) -> Actor | None:
        raise NotImplementedError


class Player:
    def __init__(self, office: Office) -> None:
        self.store = office.store
        listening = Listening(office.store, lambda recording: office.service.file_of(recording), lambda: office.now)
        app = FastAPI()
        app.include_router(build_router(OpenGate(), listening))
        app.include_router(build_pages(OpenGate(), SitePages(), listening))

        @app.exception_handler(Trouble)
        async def trouble(request: Request, error: Trouble) -> JSONResponse:
            return JSONResponse({"ko": error.ko}, error.status)

        self.app = app

    async def ask(self, path: str, actor: str = "boss", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=("10.0.0.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return await client.get(path, headers={"x-actor": actor, **headers})


@pytest.fixture
async def player(office: Office) -> Player:
    async with office.open():
        office.connect()
        office.end()
        assert await office.service.settle()
        office.connect("c2", agent="bob")
    return Player(office)


async def test_the_recordings_of_a_call_are_listed(player: Player) -> None:
    items = (await player.ask("/api/v1/calls/c1/recordings")).json()["items"]
    assert [(item["leg"], item["state"], item["seconds"]) for item in items] == [
        ("mix", "complete", 0.5), ("caller", "complete", 0.5), ("agent", "complete", 0.5),
    ]  # fmt: skip
    assert items[0]["audio"] == f"/api/v1/recordings/{items[0]['id']}/audio"


async def test_the_sound_is_a_wav_that_browsers_play(player: Player) -> None:
    answer = await player.ask("/api/v1/recordings/1/audio")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert answer.headers["cache-control"] == "private, no-store"
    with wave.open(BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)


@pytest.mark.parametrize(
    ("asked", "status", "answered"),
    [
        ("bytes=0-99", 206, "bytes 0-99/8044"),
        ("bytes=8000-", 206, "bytes 8000-8043/8044"),
        ("bytes=-44", 206, "bytes 8000-8043/8044"),
        ("bytes=9000-", 416, None),
    ],
)
async def test_a_player_may_ask_for_a_part(player: Player, asked: str, status: int, answered: str | None) -> None:
    answer = await player.ask("/api/v1/recordings/1/audio", range=asked)
    assert answer.status_code == status
    if answered:
        assert answer.headers["content-range"] == answered


async def test_every_hearing_is_noted_who_when_from_where_and_whose(player: Player, office: Office) -> None:
    await player.ask("/api/v1/recordings/1/audio")
    await player.ask("/api/v1/recordings/2/audio", "alice", range="bytes=100-")
    second, first = await player.store.plays_of(CallId("c1"))
    assert (first.login, first.address, first.leg, first.part, first.at) == (
        "boss", "10.0.0.9", "mix", "all", office.now,
    )  # fmt: skip
    assert (second.login, second.part, second.whose) == ("alice", "bytes=100-", "01012345678 / alice")


async def test_only_supervisors_and_the_agent_of_the_call_hear_it(player: Player) -> None:
    for path in ("/api/v1/calls/c1/recordings", "/api/v1/recordings/1/audio", "/calls/c1/recordings"):
        assert (await player.ask(path, "bob")).status_code == 404, path
        assert (await player.ask(path, "bob", range="bytes=1-")).status_code == 404, path
        assert (await player.ask(path, "alice")).status_code == 200, path
    assert [play.login for play in await player.store.plays_of(CallId("c1"))] == ["alice"]


async def test_what_is_not_there_or_not_finished_is_not_played(player: Player) -> None:
    assert (await player.ask("/api/v1/recordings/999/audio")).status_code == 404
    assert (await player.ask("/api/v1/recordings/4/audio")).status_code == 409
    assert (await player.ask("/api/v1/calls/none/recordings")).status_code == 404
    assert (await player.ask("/api/v1/recordings/..%2F..%2Fsecret/audio")).status_code in (404, 422)
    assert await player.store.plays_of(CallId("c2")) == []


async def test_an_access_log_that_was_touched_is_found_out(player: Player, tmp_path: Path) -> None:
    for _ in range(4):
        await player.ask("/api/v1/recordings/1/audio")
    assert await player.store.broken_seals() == []
    with closing(connect(tmp_path / "changgu.db")) as other:
        other.execute("UPDATE plays SET login = 'nobody' WHERE id = 2")
        other.commit()
    assert await player.store.broken_seals() == [2]
    with closing(connect(tmp_path / "changgu.db")) as other:
        other.execute("DELETE FROM plays WHERE id = 3")
        other.commit()
    assert await player.store.broken_seals() == [2, 4]


async def test_hearings_at_the_same_time_are_all_noted_and_sealed(player: Player) -> None:
    await asyncio.gather(*(player.ask("/api/v1/recordings/1/audio") for _ in range(10)))
    assert len(await player.store.plays_of(CallId("c1"))) == 10
    assert await player.store.broken_seals() == []


async def test_the_part_of_the_page_plays_and_shows_supervisors_who_listened(player: Player) -> None:
    await player.ask("/api/v1/recordings/1/audio", "alice")
    page = re.sub(r"\s+", " ", (await player.ask("/calls/c1/recordings")).text)
    assert page.count("<audio controls") == 3
    assert "2027-05-20에 파기" in page
    assert "들은 기록 1건" in page
    assert "<html" not in page
    assert "들은 기록" not in (await player.ask("/calls/c1/recordings", "alice")).text
    assert "녹음 중" in (await player.ask("/calls/c2/recordings")).text
