"""Callers made with SIPp: many at once, with audio and RFC 4733 keys, each doing as its scenario says."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="caller">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:{number}@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=user1 53655765 2353687637 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
"""
_ANSWERED = """  <recv response="200" rtd="true" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0
]]></send>
"""
_KEY = """  <pause milliseconds="{before}"/>
  <nop><action><exec play_dtmf="{key}"/></action></nop>
"""
_BYE = """  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0
]]></send>
  <recv response="200"/>
</scenario>
"""
_AWAIT_BYE = """  <recv request="BYE"/>
  <send><![CDATA[
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


@dataclass(frozen=True)
class Caller:
    """What every caller of one run does."""

    number: str = "01012345678"
    name: str = "caller"
    keys: tuple[tuple[float, str], ...] = ()
    """(seconds to wait, key) in order, after the call is answered."""
    stay: float | None = 5.0
    """Seconds to stay after the keys; None waits for the desk to hang up."""

    def scenario(self) -> str:
        """The SIPp scenario."""
        parts = [_HEAD, _ANSWERED]
        parts += [_KEY.format(before=int(wait * 1000), key=key) for wait, key in self.keys]
        if self.stay is None:
            parts.append(_AWAIT_BYE)
        else:
            parts += [f'  <pause milliseconds="{int(self.stay * 1000)}"/>\n', _BYE]
        return "".join(parts).replace("{name}", self.name).replace("{number}", self.number)


class Sipp:
    """One run of SIPp in the background."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def dial(
        cls,
        folder: Path,
        server: str,
        extension: str,
        caller: Caller,
        *,
        calls: int = 1,
        rate: float = 10.0,
        media_port: int = 0,
        together: int | None = None,
    ) -> "Sipp":
        """Start `calls` calls at `rate` a second, at most `together` at a time."""
        scenario = folder / f"caller-{id(caller)}-{extension}.xml"
        scenario.write_text(caller.scenario())
        arguments = [
            server,
            "-sf",
            str(scenario),
            "-s",
            extension,
            "-i",
            "127.0.0.1",
            "-m",
            str(calls),
            "-r",
            str(rate),
            "-l",
            str(together or calls),
            "-nostdin",
            "-timeout",
            "120s",
            "-timeout_error",
            "-trace_err",
            "-error_file",
            str(scenario.with_suffix(".err")),
        ]
        if media_port:
            arguments += ["-mp", str(media_port)]
        process = await asyncio.create_subprocess_exec(
            "sipp",
            *arguments,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return cls(process)

    async def finished(self, within: float = 90) -> int:
        """SIPp's exit status: 0 when every call went as its scenario says."""
        return await asyncio.wait_for(self.process.wait(), within)

    async def stop(self) -> None:
        """End the run at once, whatever it is doing (a caller whose network is cut)."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
