"""Measures the three ways for a caller's sound to leave Asterisk: RTP, AudioSocket and the websocket channel.

Callers are RTP streams of ours; half a second apart a burst stands in their silence, by which each path's delay is
told. Every caller is tapped as the desk taps them (snoop, bridge, external media) and the sound is taken by one
program, which then stops reading for a while, as a recogniser does that hangs. The questions of the decision: what
does a stream cost the PBX, how late is the sound, is any lost, and what do the other calls notice when nobody reads.
"""

import asyncio
import contextlib
import os
import socket
import struct
import tempfile
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from bench.figures import percentile, table
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan
from changgu.asterisk_conf.render import render
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriNotOurs, AriTrouble
from changgu.telephony.ari.stream import AriAddress, AriStream
from changgu.telephony.pbx import PrivatePbx, host_addresses, pbx_folders
from changgu.telephony.pbx_packages import install
from tests.support.ports import free_ports

SECRET = "only-for-this-measurement"
KINDS = ("rtp", "audiosocket", "websocket")
MODULES = ("res_rtp_multicast", "chan_rtp", "res_audiosocket", "chan_audiosocket", "chan_websocket")
FRAME = 0.02
BURST_EVERY = 25
"""Frames."""
SILENCE, BURST = b"\xff" * 160, b"\x00" * 160
"""µ-law: silence, and the loudest there is."""
LOUD = 8000
HOST = "127.0.0.1"


@dataclass(slots=True)
class Heard:
    """What came out of one tap."""

    frames: int = 0
    late: list[float] = field(default_factory=list)
    """Seconds from sending a burst to having it."""
    arrivals: list[float] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class CallerSound:
    """One caller: a channel of the PBX to which we send sound, and its tap."""

    name: str
    feed: socket.socket
    to: tuple[str, int] = (HOST, 0)
    burst_at: float = 0.0
    heard: Heard = field(default_factory=Heard)
    sent: int = 0

    def take(self, sound: bytes, now: float, *, swapped: bool = False) -> None:
        """Sound from the tap, 16 bits a sample, little-endian unless it is swapped."""
        self.heard.frames += 1
        self.heard.arrivals.append(now)
        samples = array("h", sound[: len(sound) // 2 * 2])
        if swapped:
            samples.byteswap()
        if self.burst_at and max(max(samples, default=0), -min(samples, default=0)) > LOUD:
            self.heard.late.append(now - self.burst_at)
            self.burst_at = 0.0


class Bench:
    """One PBX and its taps."""

    def __init__(self, ari: Ari, pbx: int, callers: int) -> None:
        self.ari = ari
        self.pbx = pbx
        self.callers = [CallerSound(f"caller-{n}", _udp()) for n in range(callers)]
        self.reading = asyncio.Event()
        self.reading.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = contextlib.AsyncExitStack()

    async def call(self) -> None:
        """All callers call, and go on sending."""
        for caller in self.callers:
            port = caller.feed.getsockname()[1]
            await self.ari.blocking(
                "POST", path("channels", "externalMedia"), app=self.ari.app, channelId=caller.name,
                external_host=f"{HOST}:{port}", format="ulaw",
            )  # fmt: skip
            told = await self.ari.request("GET", path("channels", caller.name, "variable"),
                                          variable="UNICASTRTP_LOCAL_PORT")  # fmt: skip
            caller.to = (HOST, int(told["value"]))
        self._tasks.append(asyncio.create_task(self._speak()))

    async def _speak(self) -> None:
        begin, frame = time.monotonic(), 0
        while True:
            for caller in self.callers:
                loud = frame % BURST_EVERY == 0
                head = struct.pack(">BBHII", 0x80, 0, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, 7)
                if loud:
                    caller.burst_at = time.monotonic()
                caller.feed.sendto(head + (BURST if loud else SILENCE), caller.to)
                caller.sent += 1
            frame += 1
            await asyncio.sleep(max(0.0, begin + frame * FRAME - time.monotonic()))

    async def tap(self, kind: str) -> list[float]:
        """Tap every caller by `kind`; seconds that each took."""
        return [await self._tap_one(kind, caller) for caller in self.callers]

    async def _tap_one(self, kind: str, caller: CallerSound) -> float:
        begun = time.monotonic()
        name = caller.name
        await self.ari.request("POST", path("bridges", f"tap-{name}"), type="mixing")
        await self.ari.request("POST", path("channels", name, "snoop", f"snoop-{name}"), app=self.ari.app, spy="in")
        await getattr(self, f"_{kind}")(caller)
        for _ in range(100):  # both are there before they have entered our application
            try:
                await self.ari.request(
                    "POST", path("bridges", f"tap-{name}", "addChannel"), channel=f"snoop-{name},out-{name}"
                )
                break
            except AriNotOurs:
                await asyncio.sleep(0.005)
        return time.monotonic() - begun

    async def _media(self, caller: CallerSound, **how: Any) -> None:
        await self.ari.blocking(
            "POST", path("channels", "externalMedia"), app=self.ari.app, channelId=f"out-{caller.name}", **how
        )

    async def _rtp(self, caller: CallerSound) -> None:
        ear = _udp()
        loop = asyncio.get_running_loop()

        async def listen() -> None:
            while True:
                packet = await loop.sock_recv(ear, 2048)
                await self.reading.wait()
                caller.take(packet[12:], time.monotonic(), swapped=True)

        self._closing.callback(ear.close)
        self._tasks.append(asyncio.create_task(listen()))
        await self._media(caller, external_host=f"{HOST}:{ear.getsockname()[1]}", format="slin", direction="both")

    async def _audiosocket(self, caller: CallerSound) -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    kind, length = struct.unpack(">BH", await reader.readexactly(3))
                    sound = await reader.readexactly(length)
                    await self.reading.wait()
                    if kind & 0x10:
                        caller.take(sound, time.monotonic())
            writer.close()

        server = await asyncio.start_server(listen, HOST, 0)
        self._closing.callback(server.close)
        number = int(caller.name.rpartition("-")[2])
        await self._media(
            caller, external_host=f"{HOST}:{server.sockets[0].getsockname()[1]}", format="slin",
            encapsulation="audiosocket", transport="tcp", data=f"00000000-0000-4000-8000-{number:012}",
        )  # fmt: skip

    async def _websocket(self, caller: CallerSound) -> None:
        await self._media(
            caller, external_host="INCOMING", format="slin", encapsulation="none", transport="websocket",
            connection_type="server",
        )  # fmt: skip
        told = await self.ari.request("GET", path("channels", f"out-{caller.name}", "variable"),
                                      variable="MEDIA_WEBSOCKET_CONNECTION_ID")  # fmt: skip
        line = await connect(f"ws://{HOST}:{self.http_port}/media/{told['value']}", subprotocols=["media"])  # type: ignore[list-item]
        self._closing.push_async_callback(line.close)

        async def listen() -> None:
            async for sound in line:
                await self.reading.wait()
                if isinstance(sound, bytes):
                    caller.take(sound, time.monotonic())

        self._tasks.append(asyncio.create_task(listen()))

    http_port = 0

    def forget(self) -> None:
        """Count from here."""
        for caller in self.callers:
            caller.heard, caller.burst_at, caller.sent = Heard(), 0.0, 0

    async def end(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._closing.aclose()
        for caller in self.callers:
            for name in (f"out-{caller.name}", f"snoop-{caller.name}", caller.name):
                with contextlib.suppress(AriTrouble):
                    await self.ari.request("DELETE", path("channels", name))
            with contextlib.suppress(AriTrouble):
                await self.ari.request("DELETE", path("bridges", f"tap-{caller.name}"))
            caller.feed.close()


def _udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, 0))
    made.setblocking(False)
    return made


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _measured(ari: Ari, pbx: int, port: int, kind: str | None, callers: int, seconds: float) -> dict[str, float]:
    bench = Bench(ari, pbx, callers)
    bench.http_port = port
    found: dict[str, float] = {}
    try:
        await bench.call()
        taken = await bench.tap(kind) if kind else [0.0]
        found["set-up p50, ms"] = percentile(taken, 0.5) * 1000
        await asyncio.sleep(1.0)
        bench.forget()
        before, begun = cpu_seconds(pbx), time.monotonic()
        await asyncio.sleep(seconds)
        found["cpu"] = (cpu_seconds(pbx) - before) / (time.monotonic() - begun) * 100 / callers
        if kind:
            late = [one for caller in bench.callers for one in caller.heard.late]
            found["late p50, ms"] = percentile(late, 0.5) * 1000
            found["late p99, ms"] = percentile(late, 0.99) * 1000
            sent = sum(caller.sent for caller in bench.callers)
            found["lost, %"] = max(0.0, 100 * (1 - sum(caller.heard.frames for caller in bench.callers) / sent))
            found.update(await _nobody_reads(bench))
    finally:
        await bench.end()
    return found


async def _nobody_reads(bench: Bench) -> dict[str, float]:
    """The reader hangs for four seconds: what do requests of other calls take meanwhile, and what comes afterwards?"""
    bench.reading.clear()
    asked: list[float] = []
    until = time.monotonic() + 4.0
    while time.monotonic() < until:
        begun = time.monotonic()
        await bench.ari.request("GET", path("channels", bench.callers[0].name))
        asked.append(time.monotonic() - begun)
        await asyncio.sleep(0.02)
    bench.reading.set()
    await asyncio.sleep(0.5)
    bench.forget()
    await asyncio.sleep(3.0)
    late = [one for caller in bench.callers for one in caller.heard.late]
    return {
        "requests meanwhile p99, ms": percentile(asked, 0.99) * 1000,
        "late afterwards p50, ms": percentile(late, 0.5) * 1000 if late else float("nan"),
        "taps alive afterwards": float(sum(bool(caller.heard.frames) for caller in bench.callers)),
    }


async def _hung_listener(ari: Ari, kind: str) -> dict[str, float]:
    """What it takes to begin sending to somebody who has stopped answering, and whether the PBX thinks it can."""
    with contextlib.ExitStack() as closing:
        dead = closing.enter_context(_udp())
        how: dict[str, Any] = {"external_host": f"{HOST}:{dead.getsockname()[1]}", "format": "slin"}
        if kind == "audiosocket":
            stuck = closing.enter_context(socket.socket())
            stuck.bind((HOST, 0))
            stuck.listen(0)
            for _ in range(3):  # nobody accepts them, and the kernel keeps no more
                waiting = closing.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(stuck.getsockname())
            how = {
                "external_host": f"{HOST}:{stuck.getsockname()[1]}", "format": "slin", "encapsulation": "audiosocket",
                "transport": "tcp", "data": "00000000-0000-4000-8000-000000000999",
            }  # fmt: skip
        elif kind == "websocket":
            how = {
                "external_host": "INCOMING", "format": "slin", "encapsulation": "none", "transport": "websocket",
                "connection_type": "server",
            }  # fmt: skip
        begun = time.monotonic()
        refused = False
        try:
            await ari.blocking("POST", path("channels", "externalMedia"), app=ari.app, channelId=f"hung-{kind}", **how)
        except AriTrouble:
            refused = True
        taken = time.monotonic() - begun
        with contextlib.suppress(AriTrouble):
            await ari.request("DELETE", path("channels", f"hung-{kind}"))
    return {"set-up towards a hung listener, ms": taken * 1000, "refused then": float(refused)}


async def measure_all(callers: int = 20, seconds: float = 8.0) -> dict[str, Mapping[str, float]]:
    """The figures of each path; `cpu` is percent of a core for one stream, above an untapped caller's."""
    release = install(print)
    with tempfile.TemporaryDirectory() as folder:
        sip, http, ami = free_ports(3)
        plan = PbxPlan(
            folders=pbx_folders(Path(folder) / "pbx", release), system_name="paths", entity_id="02:00:00:00:00:07",
            ari_password=SECRET, ami_password=SECRET, sip_port=sip, ari_port=http, ami_port=ami,
            rtp_first=24000, rtp_last=24399, host_addresses=host_addresses(),
        )  # fmt: skip
        files = render(plan, PbxFloor())
        wanted = (f"load = {name}.so" for name in MODULES)
        files["modules.conf"] += "\n".join(line for line in wanted if line not in files["modules.conf"]) + "\n"
        pbx = PrivatePbx(release, plan, say=lambda line: None)
        await pbx.start(files)
        try:
            address = AriAddress(HOST, http, plan.ari_user, SECRET, plan.application)
            stream = AriStream(address, lambda event: None)
            line = asyncio.create_task(stream.run())
            found: dict[str, Mapping[str, float]] = {}
            async with Ari(stream, address) as ari:
                await ari.wait_connected(10)
                assert pbx.pid is not None
                alone = await _measured(ari, pbx.pid, http, None, callers, seconds)
                for kind in KINDS:
                    of = await _measured(ari, pbx.pid, http, kind, callers, seconds)
                    of["cpu of a tap, % of a core"] = of.pop("cpu") - alone["cpu"]
                    of.update(await _hung_listener(ari, kind))
                    found[kind] = of
            line.cancel()
        finally:
            await pbx.stop()
    return found


def report(found: Mapping[str, Mapping[str, float]]) -> str:
    """The table."""
    names = list(next(iter(found.values())))
    rows: list[list[Any]] = [[name, *(of.get(name, float("nan")) for of in found.values())] for name in names]
    return "### Ways out of Asterisk for a caller's sound\n\n" + table(["figure", *found], rows)


if __name__ == "__main__":
    print(report(asyncio.run(measure_all())))
