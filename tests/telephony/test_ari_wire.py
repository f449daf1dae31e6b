"""The websocket to Asterisk under a bad star: fragments, floods, silence, half handshakes and good-byes."""

import asyncio
import base64
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from websockets.asyncio.server import ServerConnection, serve

from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriLate
from changgu.telephony.ari.stream import AriStream
from changgu.telephony.ari.wire import PING_EVERY, SILENCES, Wire, WireCut, connect
from tests.support.fake_ari import FakeAri

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PING, PONG = 0x89, 0x8A


@dataclass
class Ear:
    """What came out of the wire."""

    heard: list[bytes] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, message: bytes) -> None:
        self.heard.append(message)
        self.news.set()

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5):
            while len(self.heard) < count:
                self.news.clear()
                await self.news.wait()
        return self.heard


@asynccontextmanager
async def joined(
    longest: int = 1 << 20, ping_every: float = PING_EVERY
) -> AsyncIterator[tuple[Wire, ServerConnection, Ear]]:
    """A wire, the other end of it, and what was heard."""
    ends: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def keep(end: ServerConnection) -> None:
        ends.put_nowait(end)
        await end.wait_closed()

    async with serve(keep, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        ear = Ear()
        wire = await connect(
            f"ws://127.0.0.1:{port}/", "Basic x", ear.hear, ear.cut.set, longest=longest, ping_every=ping_every
        )
        yield wire, await ends.get(), ear
        await wire.close()


@asynccontextmanager
async def bare(serve_one: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[str]:
    """The address of a server that is nothing but its socket."""
    served: list[asyncio.Task[None]] = []

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.append(task)
        try:
            await serve_one(reader, writer)  # type: ignore[misc]
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def asked(reader: asyncio.StreamReader) -> bytes:
    """The handshake's request, and what accepts it."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accepted = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
    )


async def frame(reader: asyncio.StreamReader) -> int:
    """The first byte of the next short frame from the client."""
    first, length = await reader.readexactly(2)
    await reader.readexactly(4 + (length & 127))
    return first


def segments_heard(end: ServerConnection) -> int:
    """How many TCP segments with data have come to this end: `tcpi_data_segs_in` of Linux's struct tcp_info."""
    information = end.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int(struct.unpack_from("=I", information, 152)[0])


async def test_what_is_asked_in_one_breath_wakes_asterisk_twice_and_the_first_waits_for_nothing() -> None:
    async with joined(ping_every=60) as (wire, asterisk, _):
        wire.send(b"hello")
        assert await asterisk.recv() == "hello"
        before = segments_heard(asterisk)
        wire.send(b"ring")
        assert segments_heard(asterisk) - before == 1, "it is on its way though this turn goes on"
        for request in (b"stop the music", b"make the bridge", b"join the two"):
            wire.send(request)
        said = [await asterisk.recv() for _ in range(4)]
        assert said == ["ring", "stop the music", "make the bridge", "join the two"]
        assert segments_heard(asterisk) - before == 2


async def test_nothing_is_held_back_once_the_turn_is_over() -> None:
    async with joined(ping_every=60) as (wire, asterisk, _):
        for number in range(20):
            wire.send(b"first of %d" % number)
            wire.send(b"second of %d" % number)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            before = segments_heard(asterisk)
            wire.send(b"alone")
            assert segments_heard(asterisk) - before == 1
            for said in (f"first of {number}", f"second of {number}", "alone"):
                assert await asterisk.recv() == said


async def test_a_message_in_fragments_is_heard_whole_and_in_its_place() -> None:
    async with joined() as (_, asterisk, ear):
        await asterisk.send("first")
        await asterisk.send(["seco", "nd in ", "fragments"])
        await asterisk.send("third")

        assert await ear.until(3) == [b"first", b"second in fragments", b"third"]


@pytest.mark.parametrize(
    "broken",
    [b"\x80\x01x", b"\x01\x01x\x81\x01y", b"\x83\x01x", b"\x81\x81\0\0\0\0x"],
    ids=["no beginning", "no end", "no such kind", "masked"],
)
async def test_frames_that_break_the_protocol_end_the_connection(broken: bytes) -> None:
    async with joined() as (wire, asterisk, ear):
        asterisk.transport.write(broken)

        await asyncio.wait_for(ear.cut.wait(), 5)
        await wire.ended()
        await asterisk.wait_closed()
        assert asterisk.close_code == 1002
        assert ear.heard == []


@pytest.mark.parametrize("flood", ["x" * 2000, ["x" * 400] * 5])
async def test_a_message_beyond_all_measure_ends_the_connection(flood: str | list[str]) -> None:
    async with joined(longest=1000) as (wire, asterisk, ear):
        await asterisk.send("y" * 1000)
        await ear.until(1)
        await asterisk.send(flood)

        await asyncio.wait_for(ear.cut.wait(), 5)
        await wire.ended()
        await asterisk.wait_closed()
        assert asterisk.close_code == 1009
        assert ear.heard == [b"y" * 1000]


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4001])
async def test_a_good_bye_is_answered_and_nothing_is_sent_after_it(code: int) -> None:
    async with joined() as (wire, asterisk, ear):
        await asterisk.send("last news")
        await asterisk.close(code)

        assert asterisk.protocol.close_rcvd is not None
        assert asterisk.protocol.close_rcvd.code == code
        await asyncio.wait_for(ear.cut.wait(), 5)
        assert ear.heard == [b"last news"]
        assert not wire.up
        with pytest.raises(WireCut):
            wire.send(b"into the void")


async def test_our_own_good_bye_is_heard_and_its_news_are_not() -> None:
    async with joined() as (wire, asterisk, ear):
        wire.part()
        asterisk.transport.write(b"\x81\x04late")
        await asyncio.wait_for(asterisk.wait_closed(), 5)
        await asyncio.wait_for(ear.cut.wait(), 5)

        assert asterisk.close_code == 1000
        assert ear.heard == []


async def test_who_answers_pings_stays_and_who_falls_silent_is_given_up() -> None:
    pings = 0

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        writer.write(await asked(reader))
        while True:
            if await frame(reader) == PING:
                pings += 1
                if pings <= 10:
                    writer.write(bytes([PONG, 0]))

    async with bare(serve_one) as url:
        ear = Ear()
        wire = await connect(url, "Basic x", ear.hear, ear.cut.set, ping_every=0.02)
        await asyncio.wait_for(ear.cut.wait(), 10)
        await wire.ended()
        assert pings >= 10 + SILENCES - 1


async def test_a_line_that_fell_silent_is_set_up_anew() -> None:
    async with FakeAri() as pbx:
        ups = asyncio.Semaphore(0)
        stream = AriStream(pbx.address, lambda event: None, on_connected=ups.release, ping_every=0.05)
        running = asyncio.create_task(stream.run())
        await asyncio.wait_for(ups.acquire(), 5)
        assert pbx._socket is not None
        silent = pbx._socket.transport
        silent.pause_reading()
        await asyncio.wait_for(ups.acquire(), 5)
        silent.abort()

        assert await Ari(stream, pbx.address).request("GET", path("channels")) == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_whoever_hangs_up_within_the_handshake_has_not_connected() -> None:
    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await asked(reader))[:40])

    async with bare(serve_one) as url:
        with pytest.raises(ConnectionError, match="handshake"):
            await connect(url, "Basic x", lambda message: None, lambda: None)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 401 Unauthorized\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"])
async def test_a_refused_handshake_says_the_status(answer: bytes) -> None:
    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(answer)

    async with bare(serve_one) as url:
        with pytest.raises(ConnectionError, match=r"401|302"):
            await connect(url, "Basic x", lambda message: None, lambda: None)


async def test_a_connection_that_nobody_waits_for_any_more_is_not_kept() -> None:
    """It would take the application's news away from the one that is."""
    begun, given_up = asyncio.Event(), asyncio.Event()
    left: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = await asked(reader)
        begun.set()
        await given_up.wait()
        writer.write(accepted)
        left.set_result(await reader.read())

    async with bare(serve_one) as url:
        asking = asyncio.create_task(connect(url, "Basic x", lambda message: None, lambda: None))
        await begun.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        given_up.set()

        assert await asyncio.wait_for(left, 4) == b""


async def test_requests_wait_while_asterisk_does_not_read_and_are_late_by_their_own_deadline() -> None:
    async with FakeAri() as pbx:
        stream = AriStream(pbx.address, lambda event: None)
        ari = Ari(stream, pbx.address)
        running = asyncio.create_task(stream.run())
        await stream.wait_connected()
        assert pbx._socket is not None
        reading = pbx._socket.transport
        reading.pause_reading()
        asking = [
            asyncio.create_task(ari.request("POST", path("bridges", f"b{number}"), body="x" * 1_000_000, deadline=30))
            for number in range(30)
        ]
        await asyncio.sleep(0)
        assert stream._wire is not None
        assert not stream._wire.flowing

        with pytest.raises(AriLate):
            await ari.request("GET", path("never-sent"), deadline=0.05)
        reading.resume_reading()
        await asyncio.wait_for(asyncio.gather(*asking), 30)

        assert len(pbx.bridges) == 30
        assert not any(one.path == "never-sent" for one in pbx.asked)
        assert await ari.request("GET", path("channels")) == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
