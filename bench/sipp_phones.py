"""Callers and agents made with SIPp, the same for both ACDs; each writes down when what happened to whom.

A caller's number carries two figures: which caller it is, and for how long the agent who gets them will talk. So the
agents' phones need no other knowledge, and a caller can be found again in the agents' log.

A log line is `KIND SECONDS WORDS…`, seconds since the epoch with microseconds, for instance `invited 1795300000.123456
a017 42`. The clock is read in the SIPp process, outside both ACDs.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

MOST_CALLERS = 10**6
LONGEST_TALK = 999.999
CODE = "+431"
"""Begins every number: with it, it is one that people have, and is looked up like theirs."""


def number_of(caller: int, talk: float) -> str:
    """The number from which a caller calls: `CODE`, six digits of who, six of the talk in milliseconds."""
    if not (0 <= caller < MOST_CALLERS and 0 <= talk <= LONGEST_TALK):
        raise ValueError(f"caller {caller} with {talk} s of talk has no number")
    return f"{CODE}{caller:06d}{round(talk * 1000):06d}"


def caller_of(number: str) -> tuple[int, float]:
    """The way back: which caller, and how long the agent talks with them, in seconds."""
    figures = number.removeprefix(CODE)
    if not number.startswith(CODE) or len(figures) != 12 or not (figures.isascii() and figures.isdecimal()):
        raise ValueError(f"{number!r} is not one of our callers' numbers")
    return int(figures[:6]), int(figures[6:]) / 1000


_SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
"""

_REPLY = """<send{retrans}><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]SIPp[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
{body}]]></send>
"""


def _log(kind: str, words: str = "") -> str:
    return f'<nop><action><log message="{kind} [timestamp] {words}"/></action></nop>\n'


def _reply(status: str, body: str = "Content-Length: 0\n\n", *, again: bool = False) -> str:
    return _REPLY.format(status=status, body=body, retrans=' retrans="500"' if again else "")


def _request(method: str, cseq: int, *, again: bool = False) -> str:
    return f"""<send{' retrans="500"' if again else ""}><![CDATA[
{method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
"""


def caller_scenario() -> str:
    """A caller who dials, waits for as long as it takes, talks, and leaves when the other side hangs up."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
{_log("dialled", "[field0]")}<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70
{_SDP}]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
{_request("ACK", 1)}<recv request="BYE"/>
{_log("left", "[field0]")}<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


def agent_scenario(ring: float) -> str:
    """All agents' phones at one address: they ring for `ring` seconds, talk as the caller's number says, hang up.

    They also answer the PBX's OPTIONS, by which it knows that they can be reached. Whose number is none of our callers'
    is turned down and written down as a stranger: SIPp would go on without knowing whom it talks with.
    """
    ringing = f'<recv request="CANCEL" timeout="{round(ring * 1000)}" ontimeout="answer" next="cancelled"/>\n'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="agents">
<recv request="OPTIONS" optional="true" next="options"/>
<recv request="INVITE" rrs="true" next="invited" test="caller"><action>
<ereg regexp="sip:[+]431([0-9]{{6}})([0-9]{{6}})@" search_in="hdr" header="From:" check_it="true"
 assign_to="from,caller,length"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="theirs"/>
<ereg regexp="^INVITE sip:([A-Za-z0-9]+)@" search_in="msg" check_it="true" assign_to="line,agent"/>
<log message="invited [timestamp] [$agent] [$caller]"/>
<todouble assign_to="talk" variable="length"/>
</action></recv>
{_reply("486 Busy Here", again=True)}<recv request="ACK"/>
{_log("stranger")}<nop next="end"/>
<label id="invited"/>
{_reply("180 Ringing")}{ringing if ring else ""}<label id="answer"/>
{_reply("200 OK", _SDP, again=True)}<recv request="ACK"><action>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="ours"/>
</action></recv>
{_log("answered", "[$agent] [$caller]")}<pause variable="talk"/>
{_log("hung_up", "[$agent] [$caller]")}<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From:[$ours]
To:[$theirs]
Call-ID: [call_id]
CSeq: 1 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200" next="end"/>
<label id="cancelled"/>
{_reply("200 OK")}{_log("missed", "[$agent] [$caller]")}<nop next="end"/>
<label id="options"/>
{_reply("200 OK")}<label id="end"/>
<Reference variables="from,line"/>
</scenario>
"""


class SippTrouble(RuntimeError):
    """SIPp could not be started, or a call did not go as its scenario says."""


class SippRun:
    """One SIPp process and its log."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, errors: Path) -> None:
        self.process = process
        self.log = log
        self.errors = errors

    @classmethod
    async def start(cls, folder: Path, name: str, scenario: str, words: Sequence[str]) -> "SippRun":
        """Run a scenario; `words` are SIPp's own options."""
        folder.mkdir(parents=True, exist_ok=True)
        file, log, errors = (folder / f"{name}{ending}" for ending in (".xml", ".log", ".errors"))
        file.write_text(scenario)
        if name != "agents":  # there every ring that is not given up is written down as an error
            words = [*words, "-trace_err", "-error_file", str(errors)]
        process = await asyncio.create_subprocess_exec(
            "sipp", *words, "-sf", str(file), "-i", "127.0.0.1", "-nostdin",
            "-trace_logs", "-log_file", str(log),
            cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return cls(process, log, errors)

    @classmethod
    async def agents(cls, folder: Path, port: int, ring: float, media_port: int) -> "SippRun":
        """Every agent's phone, on one port of loopback."""
        return await cls.start(folder, "agents", agent_scenario(ring), ["-p", str(port), "-mp", str(media_port)])

    @classmethod
    async def callers(
        cls, folder: Path, server: str, dialled: str, numbers: Sequence[str], rate: float, port: int, media_port: int
    ) -> "SippRun":
        """One caller after the other, `rate` a second, all from one port of loopback."""
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / "callers.csv"
        table.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers))
        return await cls.start(folder, "callers", caller_scenario(), [
            server, "-s", dialled, "-inf", str(table), "-m", str(len(numbers)), "-l", str(len(numbers)),
            "-r", f"{rate:g}", "-p", str(port), "-mp", str(media_port), "-timeout", "900s",
        ])  # fmt: skip

    async def finished(self, within: float) -> None:
        """Every call has gone as its scenario says; SippTrouble otherwise."""
        status = await asyncio.wait_for(self.process.wait(), within)
        if status != 0:
            said = self.errors.read_text(errors="replace")[:2000] if self.errors.exists() else ""
            raise SippTrouble(f"SIPp ended with {status}\n{said}")

    async def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
