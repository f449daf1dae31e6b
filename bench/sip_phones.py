"""Telephones that a measurement can command while it runs: callers with patience, agents, and the sound between them.

A small SIP user agent (RFC 3261 over UDP on loopback) for what SIPp cannot do: a caller who hangs up when no agent has
been found in time, an agent who hangs up on command, and a clock on every packet of sound that arrives (RFC 3550).
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

AGAIN_AFTER = 0.5
"""Seconds until a request without any reply is sent again (RFC 3261, timer T1)."""
MOST_ATTEMPTS = 7
FRAME = 0.02
"""Seconds of sound in one packet."""
SILENCE = b"\xff" * 160
"""One frame of G.711 µ-law."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A request or a reply; header names in lower case, repeated ones in order."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """The first value of a header; empty without one."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def method(self) -> str:
        """Of a request its method, of a reply that of the request it answers."""
        return self.one("cseq").split()[-1]

    @property
    def status(self) -> int:
        """Of a reply; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0


def parsed(packet: bytes) -> SipMessage | None:
    """A packet as a message; None when it is none."""
    head, _, body = packet.decode(errors="replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers = [line.partition(":") for line in lines if ":" in line]
    message = SipMessage(start, tuple((name.strip().lower(), value.strip()) for name, _, value in headers), body)
    return message if message.one("cseq") and message.one("call-id") else None


def user_of(uri: str) -> str:
    """`"name" <sip:kim@127.0.0.1:5060>` → `kim`."""
    return uri.partition("sip:")[2].partition("@")[0]


def uri_in(header: str) -> str:
    """What stands between `<` and `>`, or the header itself."""
    return header.partition("<")[2].partition(">")[0] if "<" in header else header


def audio_address(body: str) -> Address | None:
    """Where the other side of an SDP body wants to hear (RFC 4566)."""
    host = port = ""
    for line in body.splitlines():
        if line.startswith("c=IN IP4 "):
            host = line.split()[2]
        elif line.startswith("m=audio "):
            port = line.split()[1]
    return (host, int(port)) if host and port else None


class Audio(Protocol):
    """Where one party's audio comes and goes; whoever carries it, these phones only tell the other side."""

    formats: str
    """RTP's payload types, as they stand in SDP."""

    @property
    def port(self) -> int:
        """Where it is heard."""
        ...

    @property
    def to(self) -> Address | None:
        """Where it is sent."""
        ...

    @to.setter
    def to(self, address: Address | None) -> None: ...

    def close(self) -> None:
        """The call is over."""
        ...


class Sound(asyncio.DatagramProtocol):
    """One party's audio: sends silence steadily, and notes when packets come."""

    formats = "0"

    def __init__(self, number: int) -> None:
        self._number = number
        self._sequence = 0
        self._transport: asyncio.DatagramTransport | None = None
        self.to: Address | None = None
        self.heard = 0
        self.last: float | None = None
        self.longest_gap = 0.0
        """Seconds between two packets that came one after the other, at most."""

    @classmethod
    async def open(cls, number: int) -> "Sound":
        """On a free port of loopback."""
        _, sound = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(number), local_addr=("127.0.0.1", 0)
        )
        return sound

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    @property
    def port(self) -> int:
        """Where we listen."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: object) -> None:
        """A packet of sound."""
        now = asyncio.get_running_loop().time()
        if self.last is not None:
            self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now
        self.heard += 1

    def forget_gaps(self) -> None:
        """From now on only."""
        self.last, self.longest_gap, self.heard = None, 0.0, 0

    def gap_until_now(self) -> float:
        """The longest gap, also when it is going on."""
        now = asyncio.get_running_loop().time()
        return max(self.longest_gap, now - self.last) if self.last is not None else float("inf")

    def send_frame(self) -> None:
        """The next packet: version 2, payload 0 (PCMU), one frame further."""
        if self.to is None or self._transport is None:
            return
        self._sequence += 1
        head = (0x80 << 24 | self._sequence & 0xFFFF).to_bytes(4, "big")
        head += (self._sequence * 160 & 0xFFFFFFFF).to_bytes(4, "big") + self._number.to_bytes(4, "big")
        self._transport.sendto(head + SILENCE, self.to)

    def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.close()


@dataclass(eq=False, slots=True)
class Leg:
    """One call at one of our phones."""

    call_id: str
    ours: str
    """Our From or To header, with our tag."""
    theirs: str
    target: str
    """The URI for requests within the call."""
    who: str
    """An agent's login, or a caller's number."""
    caller: str = ""
    """At an agent's phone: the number of who calls."""
    invite: SipMessage | None = None
    """What rang this phone."""
    up: bool = False
    over: bool = False
    refused: int = 0
    """The status with which a call of ours was refused."""
    cseq: int = 1
    branch: str = ""
    last_reply: bytes = b""
    sound: Sound | None = None
    audio: Audio | None = None
    """The sound, when it is not ours to carry."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class SipPhones(asyncio.DatagramProtocol):
    """Any number of phones at one address.

    The owner is told by callbacks: `rung(leg)` when an agent's phone is invited, `joined(leg)` when its answer was
    acknowledged or a caller's call was answered, `ended(leg)` when the other side has hung up.
    """

    def __init__(self, server: Address) -> None:
        self.server = server
        self.legs: dict[str, Leg] = {}
        self.rung: Callable[[Leg], None] = lambda leg: None
        self.joined: Callable[[Leg], None] = lambda leg: None
        self.ended: Callable[[Leg], None] = lambda leg: None
        self._transport: asyncio.DatagramTransport | None = None
        self._numbers = itertools.count(1)
        self._pending: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._port = 0

    @classmethod
    async def open(cls, server: Address, port: int = 0) -> "SipPhones":
        """All on one port of loopback."""
        _, phones = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(server), local_addr=("127.0.0.1", port)
        )
        return phones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._port = int(transport.get_extra_info("sockname")[1])

    @property
    def port(self) -> int:
        """Where they are."""
        return self._port

    def close(self) -> None:
        """Hang nothing up, give the ports back."""
        for timer in self._pending.values():
            timer.cancel()
        for leg in self.legs.values():
            if (audio := leg.sound or leg.audio) is not None:
                audio.close()
        if self._transport is not None:
            self._transport.close()

    # ---- what can be done ------------------------------------------------------------------------------------------

    def dial(self, number: str, extension: str, sound: Sound | None = None, audio: Audio | None = None) -> Leg:
        """A caller calls."""
        unique = f"{self._port}-{next(self._numbers)}"
        host = f"{self.server[0]}:{self.server[1]}"
        leg = Leg(
            f"{unique}@bench", f"<sip:{number}@127.0.0.1:{self._port}>;tag=c{unique}", f"<sip:{extension}@{host}>",
            f"sip:{extension}@{host}", number, sound=sound, audio=audio,
        )  # fmt: skip
        self.legs[leg.call_id] = leg
        leg.branch = f"z9hG4bK{unique}"
        self._ask(leg, "INVITE", self._sdp(leg))
        return leg

    def answer(self, leg: Leg) -> None:
        """The agent picks up."""
        if not leg.over and leg.invite is not None:
            self._reply(leg, leg.invite, "200 OK", self._sdp(leg))

    def hang_up(self, leg: Leg) -> None:
        """End a call, or give it up while it rings."""
        if leg.over:
            return
        if leg.up or leg.invite is not None:
            leg.over = True
            leg.cseq += 1
            leg.branch = f"z9hG4bK{self._port}-{next(self._numbers)}"
            self._ask(leg, "BYE")
        else:
            self._ask(leg, "CANCEL")

    # ---- what comes ------------------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: object) -> None:
        """A packet from the PBX."""
        message = parsed(data)
        if message is None:
            return
        leg = self.legs.get(message.one("call-id"))
        if message.status:
            if leg is not None:
                self._replied(leg, message)
        elif message.method == "OPTIONS":
            self._reply(None, message, "200 OK")
        elif message.method == "INVITE":
            self._invited(leg, message)
        elif leg is not None:
            self._asked(leg, message)
        elif message.method != "ACK":
            self._reply(None, message, "481 Call/Transaction Does Not Exist")

    def _invited(self, leg: Leg | None, message: SipMessage) -> None:
        if leg is not None:
            self._send(leg.last_reply)  # they did not hear us (or renegotiate: the answer is the same)
            return
        agent = user_of(message.start)
        leg = Leg(
            message.one("call-id"), f"{message.one('to')};tag=a{next(self._numbers)}", message.one("from"),
            uri_in(message.one("contact")), agent, user_of(message.one("from")), message,
        )  # fmt: skip
        self.legs[leg.call_id] = leg
        self._reply(leg, message, "180 Ringing")
        self.rung(leg)

    def _asked(self, leg: Leg, message: SipMessage) -> None:
        match message.method:
            case "ACK":
                if not leg.up and not leg.over:
                    leg.up = True
                    self._hear_from(leg, leg.invite.body if leg.invite else "")
                    self.joined(leg)
                    leg.changed.set()
            case "CANCEL":
                self._reply(leg, message, "200 OK")
                if leg.invite is not None and not leg.up:
                    self._reply(leg, leg.invite, "487 Request Terminated")
                    self._over(leg)
            case "BYE":
                self._reply(leg, message, "200 OK")
                self._over(leg)
            case _:
                self._reply(leg, message, "200 OK")

    def _replied(self, leg: Leg, message: SipMessage) -> None:
        timer = self._pending.pop((leg.call_id, message.method), None)
        if timer is not None:
            timer.cancel()
        if message.status < 200 or message.method not in ("INVITE", "BYE"):
            return
        if message.method == "BYE":
            self.legs.pop(leg.call_id, None)
            return
        if message.status < 300:
            leg.theirs = message.one("to")
            leg.target = uri_in(message.one("contact")) or leg.target
            self._send(self._request(leg, "ACK", branch=f"z9hG4bK{self._port}-{next(self._numbers)}"))
            if not leg.up:
                leg.up = True
                self._hear_from(leg, message.body)
                self.joined(leg)
                leg.changed.set()
        else:
            leg.theirs = message.one("to")
            self._send(self._request(leg, "ACK", branch=leg.branch))
            leg.refused = message.status
            self._over(leg)

    def _hear_from(self, leg: Leg, body: str) -> None:
        if (audio := leg.sound or leg.audio) is not None:
            audio.to = audio_address(body)

    def _over(self, leg: Leg) -> None:
        if not leg.over:
            leg.over = True
            leg.changed.set()
            self.ended(leg)

    # ---- what goes -------------------------------------------------------------------------------------------------

    def _ask(self, leg: Leg, method: str, body: str = "") -> None:
        """Send a request, and again until something comes back."""
        packet = self._request(leg, method, body)
        key = leg.call_id, method
        loop = asyncio.get_running_loop()

        def again(attempt: int) -> None:
            if attempt < MOST_ATTEMPTS:
                self._send(packet)
                self._pending[key] = loop.call_later(AGAIN_AFTER * 2**attempt, again, attempt + 1)

        again(0)

    def _request(self, leg: Leg, method: str, body: str = "", branch: str = "") -> bytes:
        number = leg.cseq if method != "ACK" else 1
        lines = [
            f"{method} {leg.target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._port};branch={branch or leg.branch}",
            f"From: {leg.ours}",
            f"To: {leg.theirs}",
            f"Call-ID: {leg.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:{leg.who}@127.0.0.1:{self._port}>",
            "Max-Forwards: 70",
        ]
        return _packet(lines, body)

    def _reply(self, leg: Leg | None, message: SipMessage, status: str, body: str = "") -> None:
        to = message.one("to")
        if leg is not None and leg.invite is not None and "tag=" not in to:
            to = leg.ours
        lines = [
            f"SIP/2.0 {status}",
            *(f"Via: {via}" for via in message.all("via")),
            f"From: {message.one('from')}",
            f"To: {to}",
            f"Call-ID: {message.one('call-id')}",
            f"CSeq: {message.one('cseq')}",
            f"Contact: <sip:{leg.who if leg else 'phones'}@127.0.0.1:{self._port}>",
        ]
        packet = _packet(lines, body)
        if leg is not None and message.method == "INVITE":
            leg.last_reply = packet
        self._send(packet)

    def _send(self, packet: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(packet, self.server)

    def _sdp(self, leg: Leg) -> str:
        audio = leg.sound or leg.audio
        port, formats = (audio.port, audio.formats) if audio is not None else (9, "0")  # RFC 863: thrown away there
        events = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" if "101" in formats.split() else ""
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {formats}\r\na=rtpmap:0 PCMU/8000\r\n{events}a=ptime:20\r\n"
        )


def _packet(lines: list[str], body: str) -> bytes:
    kind = ["Content-Type: application/sdp"] if body else []
    return "\r\n".join([*lines, *kind, f"Content-Length: {len(body)}", "", body]).encode()


class Speaking:
    """Sends everybody's next frame every 20 ms; `longest_pause` is by how much it was itself kept from doing so."""

    def __init__(self, sounds: list[Sound]) -> None:
        self._sounds = sounds
        self.longest_pause = 0.0
        """Seconds between two rounds, at most: no silence shorter than this says anything about the PBX."""

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        before = due = loop.time()
        while True:
            now = loop.time()
            self.longest_pause, before = max(self.longest_pause, now - before), now
            for sound in self._sounds:
                sound.send_frame()
            due += FRAME
            await asyncio.sleep(max(0.0, due - loop.time()))
