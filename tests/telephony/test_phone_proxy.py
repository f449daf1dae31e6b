"""The browser phones' way to the PBX: frames pass unchanged, strangers do not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import websockets
from websockets.typing import Subprotocol

from changgu.app.access import SESSION_COOKIE
from tests.browser.desk_house import DeskHouse, open_house

SIP = Subprotocol("sip")


class EchoPbx:
    """Says every frame back, until it is told to hang up."""

    def __init__(self) -> None:
        self.lines: set[websockets.ServerConnection] = set()
        self.subprotocols: list[str | None] = []

    async def serve(self, line: websockets.ServerConnection) -> None:
        self.lines.add(line)
        self.subprotocols.append(line.subprotocol)
        async for frame in line:
            await line.send(frame)


@pytest.fixture
async def pbx() -> AsyncIterator[tuple[EchoPbx, str]]:
    echo = EchoPbx()
    async with websockets.serve(echo.serve, "127.0.0.1", 0, subprotocols=[SIP]) as server:
        yield echo, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


@pytest.fixture
async def opened(tmp_path: Path, pbx: tuple[EchoPbx, str]) -> AsyncIterator[tuple[DeskHouse, str]]:
    async with open_house(tmp_path, pbx=pbx[1]) as both:
        yield both


async def line(address: str, path: str, **headers: str) -> websockets.ClientConnection:
    return await websockets.connect(
        address.replace("http:", "ws:") + path, subprotocols=[SIP], origin=websockets.Origin(address),
        additional_headers=headers, proxy=None,
    )  # fmt: skip


async def closing_code(socket: websockets.ClientConnection) -> int:
    async with asyncio.timeout(10):
        await socket.wait_closed()
    return socket.close_code or 0


async def test_frames_of_either_kind_pass_unchanged(opened: tuple[DeskHouse, str], pbx: tuple[EchoPbx, str]) -> None:
    house, address = opened
    cookie = (await house.accounts.open_session("choi")).cookie
    async with await line(address, "/sip/ws", Cookie=f"{SESSION_COOKIE}={cookie}") as phone:
        for frame in ("REGISTER sip:desk SIP/2.0\r\n\r\n", b"\x00\xff", "한글", "\r\n\r\n"):
            await phone.send(frame)
            assert await phone.recv() == frame

    assert phone.subprotocol == "sip"
    assert pbx[0].subprotocols == ["sip"]


async def test_when_the_page_leaves_so_does_its_line(opened: tuple[DeskHouse, str], pbx: tuple[EchoPbx, str]) -> None:
    phone = await line(opened[1], "/sip/visitor")
    await phone.send("hello")
    await phone.recv()
    await phone.close()

    (behind,) = pbx[0].lines
    async with asyncio.timeout(5):
        await behind.wait_closed()


async def test_when_the_pbx_leaves_the_page_hears_that_it_may_come_again(
    opened: tuple[DeskHouse, str], pbx: tuple[EchoPbx, str]
) -> None:
    phone = await line(opened[1], "/sip/visitor")
    await phone.send("hello")
    await phone.recv()
    (behind,) = pbx[0].lines
    await behind.close()

    assert await closing_code(phone) == 1012


async def test_a_pbx_that_is_away_is_said_at_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as (_, address):
        assert await closing_code(await line(address, "/sip/visitor")) == 1013


async def test_agents_lines_take_a_session(opened: tuple[DeskHouse, str]) -> None:
    assert await closing_code(await line(opened[1], "/sip/ws")) == 4401


async def test_visitors_come_from_this_machine_and_from_our_own_page(opened: tuple[DeskHouse, str]) -> None:
    _, address = opened
    assert await closing_code(await line(address, "/sip/visitor", **{"X-Forwarded-For": "192.0.2.7"})) == 4403

    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(
            address.replace("http:", "ws:") + "/sip/visitor", subprotocols=[SIP],
            origin=websockets.Origin("http://evil.example"), proxy=None,
        )  # fmt: skip


async def test_a_line_without_sip_is_not_carried(opened: tuple[DeskHouse, str]) -> None:
    _, address = opened
    url = address.replace("http:", "ws:") + "/sip/visitor"
    plain = await websockets.connect(url, origin=websockets.Origin(address), proxy=None)

    assert await closing_code(plain) == 4403
