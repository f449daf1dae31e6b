"""Measures the two kinds of ARI websocket when the program behind them is killed: `python -m bench.websocket_kinds`.

*inbound*: we dial Asterisk, as changgu does; while nobody listens `Stasis()` fails and the dialplan goes on.
*outbound*: Asterisk dials us, keeps the application while we are away, and replays. *guarded*: the same behind a
heartbeat that the dialplan compares with the clock. Callers come from SIPp at a steady rate; the program that answers
them is killed with SIGKILL, stays away, and is started again. What each caller met is told by SIPp's log and by the
program's own.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from bench.figures import percentile
from bench.sipp_phones import SippRun
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan
from changgu.asterisk_conf.render import render
from changgu.telephony.pbx import PrivatePbx, host_addresses, pbx_folders
from changgu.telephony.pbx_packages import install
from tests.support.ports import free_ports

SECRET = "only-for-this-measurement"
NUMBERS = {"inbound": "2001", "outbound": "2002", "guarded": "2003"}
GUARD = 3
"""Seconds without a heartbeat after which the dialplan takes the callers itself."""
HEARTBEAT = 1.0
PATIENCE = 25.0
"""Seconds after the program is back for which callers may still be waiting."""

DIALPLAN = f"""
[from-callers](+)
exten => 2001,1,Stasis(kinds-in,${{EXTEN}})
 same => n,GotoIf($["${{STASISSTATUS}}" = "SUCCESS"]?done)
 same => n(away),Answer()
 same => n,Wait(60)
 same => n(done),Hangup()
exten => 2002,1,Stasis(kinds-out,${{EXTEN}})
 same => n,Hangup()
exten => 2003,1,GotoIf($[${{EPOCH}} - 0${{CTI_ALIVE}} > {GUARD}]?away)
 same => n,Stasis(kinds-out,${{EXTEN}})
 same => n,GotoIf($["${{STASISSTATUS}}" = "SUCCESS"]?done)
 same => n(away),Answer()
 same => n,Wait(60)
 same => n(done),Hangup()
"""
ARI = """
[kinds]
type = outbound_websocket
websocket_client_id = kinds
apps = kinds-out
local_ari_user = changgu
"""
CLIENT = """
[kinds]
type = websocket_client
uri = ws://127.0.0.1:{port}/ari
protocols = ari
connection_type = persistent
connection_timeout = 500
reconnect_interval = 200
reconnect_attempts = 100000
"""

CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<nop><action><log message="dialled [timestamp] [call_number]"/></action></nop>
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[call_number]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000

]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<nop><action><log message="answered [timestamp] [call_number]"/></action></nop>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[call_number]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause milliseconds="{stay}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[call_number]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


# ---- the program that is killed --------------------------------------------------------------------------------------


class Controller:
    """Answers whoever enters its application; writes down what it heard, and after a gap looks for whom it missed."""

    def __init__(self, app: str, log: Path) -> None:
        self._app = app
        self._known = {line.split()[2] for line in log.read_text().splitlines()} if log.exists() else set[str]()
        self._log = log.open("a", buffering=1)
        self._socket: Any = None
        self._asked = 0
        self._channels: asyncio.Future[list[dict[str, Any]]] | None = None

    def _write(self, kind: str, name: str) -> None:
        self._log.write(f"{kind} {time.time():.6f} {name}\n")

    async def serve_line(self, socket: Any) -> None:
        """Until it drops."""
        self._socket = socket
        self._write("up", "-")
        beating = asyncio.create_task(self._beat())
        looking = asyncio.create_task(self._look())
        try:
            async for frame in socket:
                await self._hear(json.loads(frame))
        finally:
            beating.cancel()
            looking.cancel()

    async def _hear(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "StasisStart":
                await self._take(event["channel"]["id"], "start")
            case "StasisEnd":
                self._write("end", event["channel"]["id"])
            case "RESTResponse" if event["request_id"] == "look" and self._channels is not None:
                self._channels.set_result(json.loads(event["message_body"]))

    async def _take(self, channel: str, how: str) -> None:
        if channel not in self._known:
            self._known.add(channel)
            self._write(how, channel)
            await self._ask("POST", f"channels/{channel}/answer")

    async def _look(self) -> None:
        self._channels = asyncio.get_running_loop().create_future()
        await self._ask("GET", "channels", "look")
        for channel in await self._channels:
            plan = channel["dialplan"]
            if plan["app_name"] == "Stasis" and plan["app_data"].startswith(self._app):
                await self._take(channel["id"], "found")

    async def _beat(self) -> None:
        while True:
            await self._ask("POST", f"asterisk/variable?variable=CTI_ALIVE&value={int(time.time())}")
            await asyncio.sleep(HEARTBEAT)

    async def _ask(self, method: str, uri: str, name: str = "") -> None:
        self._asked += 1
        request = {"type": "RESTRequest", "request_id": name or str(self._asked), "method": method, "uri": uri}
        await self._socket.send(json.dumps(request))


async def control(kind: str, ari_port: int, own_port: int, log: Path) -> None:
    """Run the controller until it is killed."""
    controller = Controller("kinds-in" if kind == "inbound" else "kinds-out", log)
    if kind == "inbound":
        url = f"ws://127.0.0.1:{ari_port}/ari/events?app=kinds-in&api_key=changgu:{SECRET}"
        async with connect(url) as socket:
            await controller.serve_line(socket)
        return

    async def handle(socket: ServerConnection) -> None:
        await controller.serve_line(socket)

    # The port may still be held by connections of the program that was killed.
    async with serve(handle, "127.0.0.1", own_port, subprotocols=["ari"], reuse_address=True) as server:  # type: ignore[list-item]
        await server.serve_forever()


# ---- the measurement -------------------------------------------------------------------------------------------------


@dataclass
class Round:
    """What one kill meant for the callers."""

    kind: str
    callers: int = 0
    heard: int = 0
    """Served because their StasisStart was told, in time or replayed."""
    found: int = 0
    """Served because they were looked for: their StasisStart was lost."""
    elsewhere: int = 0
    """Served by the dialplan alone."""
    never: int = 0
    """Not answered at all."""
    ends_missed: int = 0
    """Callers who left without our being told."""
    silence: list[float] = field(default_factory=list)
    """Seconds from INVITE to 200 of those who dialled while nobody was there."""
    back: float = 0.0
    """Seconds from the start of the new process to its first caller served."""


async def one_round(
    kind: str, folder: Path, plan: PbxPlan, own_port: int, *, rate: float, before: float, away: float, after: float
) -> Round:
    """Callers for `before` + `away` + `after` seconds; the program is killed after `before`."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    log = folder / "controller.log"
    media, _ = free_ports(2)

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.websocket_kinds", "--control", kind, "--ari-port", str(plan.ari_port),
            "--own-port", str(own_port), "--log", str(log),
        )  # fmt: skip

    program = await start()
    await until(lambda: log.exists() and "up" in log.read_text())
    calls = int(rate * (before + away + after))
    callers = await SippRun.start(folder, "callers", CALLER.replace("{stay}", "3000"), [
        f"127.0.0.1:{plan.sip_port}", "-s", NUMBERS[kind], "-m", str(calls), "-l", str(calls), "-r", f"{rate:g}",
        "-mp", str(media), "-timeout", "60s",
    ])  # fmt: skip
    await asyncio.sleep(before)
    killed = time.time()
    program.kill()
    await program.wait()
    await asyncio.sleep(away)
    started = time.time()
    program = await start()
    try:
        with contextlib.suppress(TimeoutError):  # whoever is not answered by then never is
            await asyncio.wait_for(callers.process.wait(), PATIENCE)
        await asyncio.sleep(1)
    finally:
        await callers.stop()
        program.kill()
        await program.wait()
    return told(kind, calls, killed, started, callers.log.read_text(), log.read_text())


def told(kind: str, calls: int, killed: float, started: float, sipp: str, controller: str) -> Round:
    """The two logs as figures."""
    dialled: dict[str, float] = {}
    answered: dict[str, float] = {}
    for line in sipp.splitlines():
        what, _, _, at, call = line.split()  # SIPp writes day, time of day and seconds since the epoch
        (dialled if what == "dialled" else answered)[call] = float(at)
    heard = [line.split() for line in controller.splitlines()]
    starts = {name for what, _, name in heard if what == "start"}
    found = {name for what, _, name in heard if what == "found"}
    ends = {name for what, _, name in heard if what == "end"}
    served_again = [float(at) for what, at, _ in heard if what in ("start", "found") and float(at) > started]
    return Round(
        kind, calls, len(starts), len(found), len(answered) - len(starts | found), calls - len(answered),
        len((starts | found) - ends),
        [answered.get(call, float("inf")) - at for call, at in dialled.items() if killed <= at < started],
        min(served_again, default=float("inf")) - started,
    )  # fmt: skip


async def until(true: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.02)


async def measure(rounds: int, rate: float, away: float) -> None:
    """All kinds in turn, on one private PBX; prints a table."""
    with tempfile.TemporaryDirectory(prefix="kinds-") as name:
        folder = Path(name)
        sip, ari, ami, own = free_ports(4)
        release = install(print)
        plan = PbxPlan(
            folders=pbx_folders(folder / "pbx", release), system_name="kinds", entity_id="02:00:00:00:00:07",
            ari_password=SECRET, ami_password=SECRET, sip_port=sip, ari_port=ari, ami_port=ami, rtp_first=26000,
            rtp_last=27999, host_addresses=host_addresses(),
        )  # fmt: skip
        files = render(plan, PbxFloor((), ()))
        files["extensions.conf"] += DIALPLAN
        files["ari.conf"] += ARI
        files["websocket_client.conf"] += CLIENT.format(port=own)
        pbx = PrivatePbx(release, plan, say=print)
        await pbx.start(files)
        try:
            results = [
                await one_round(kind, folder / f"{kind}-{number}", plan, own, rate=rate, before=4, away=away, after=5)
                for number in range(rounds) for kind in NUMBERS
            ]  # fmt: skip
        finally:
            await pbx.stop()
    print(f"{rounds} rounds each, {rate:g} callers/s, away for {away:g} s\n")
    print("| kind | callers | told of | looked for | by the dialplan | unanswered | ends missed "
          "| INVITE → 200 while away, s: p50 / max | back after, s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in NUMBERS:
        print(row([one for one in results if one.kind == kind]))


def row(rounds: list[Round]) -> str:
    """One line of the table."""
    silence = sorted(wait for one in rounds for wait in one.silence)
    sums = [
        sum(getattr(one, name) for one in rounds)
        for name in ("callers", "heard", "found", "elsewhere", "never", "ends_missed")
    ]
    waits = f"{percentile(silence, 0.5):.2f} / {silence[-1]:.2f}"
    back = sorted(one.back for one in rounds)[len(rounds) // 2]
    return f"| {rounds[0].kind} | {' | '.join(map(str, sums))} | {waits} | {back:.2f} |"


def main() -> None:
    """The measurement, or with --control the program that is killed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rate", type=float, default=20)
    options.add_argument("--away", type=float, default=6)
    options.add_argument("--control", choices=NUMBERS)
    options.add_argument("--ari-port", type=int)
    options.add_argument("--own-port", type=int)
    options.add_argument("--log", type=Path)
    given = options.parse_args()
    if given.control:
        asyncio.run(control(given.control, given.ari_port, given.own_port, given.log))
    else:
        asyncio.run(measure(given.rounds, given.rate, given.away))


if __name__ == "__main__":
    main()
