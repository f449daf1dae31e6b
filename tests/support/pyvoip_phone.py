"""A phone of another make (pyVoIP), so that we do not test our PBX against one SIP stack alone."""

import math
import threading
import time
import uuid
from typing import Any

import pyVoIP
from pyVoIP.VoIP import CallState, InvalidStateError, VoIP, VoIPCall, VoIPPhone

# importing these by their own names first would be circular
SIP: Any = VoIP.SIP  # type: ignore[attr-defined]
RTP: Any = VoIP.RTP  # type: ignore[attr-defined]


class _Client(SIP.SIPClient):  # type: ignore[misc]  # the library carries no types
    """The library's SIP client, mended where a PBX insists on the standard."""

    def gen_call_id(self) -> str:
        """Its own repeats in every new process, which a PBX takes for a repeated request."""
        return f"{uuid.uuid4().hex}@127.0.0.1"

    def parse_message(self, message: Any) -> None:
        """It leaves OPTIONS unanswered, by which a PBX asks whether the phone is there (RFC 3261, 11)."""
        if message.type == SIP.SIPMessageType.MESSAGE and message.method == "OPTIONS":
            self.out.sendto(self.gen_ok(message).encode(), (self.server, self.port))
            return
        super().parse_message(message)


class _Audio(RTP.RTPClient):  # type: ignore[misc]  # the library carries no types
    """The library's audio, with A-law spoken where A-law was agreed on; it sends µ-law under that name."""

    def encode_packet(self, payload: bytes) -> bytes:
        """One packet of 8-bit samples in the codec agreed on."""
        if self.preference == RTP.PayloadType.PCMA:
            return bytes(self.encode_pcma(payload))
        return bytes(super().encode_packet(payload))


RTP.RTPClient = _Audio
SIP.SIPClient = _Client  # the phone makes its own client by this name
pyVoIP.SIPCompatibleMethods.append("OPTIONS")


class PyVoipAgent:
    """A registered phone that picks up after `answer_after` seconds, speaks a tone and keeps what it hears."""

    def __init__(
        self, port: int, user: str, password: str, *, sip_port: int, rtp_port: int, hertz: float = 0.0
    ) -> None:
        self._phone = VoIPPhone(
            "127.0.0.1",
            port,
            user,
            password,
            myIP="127.0.0.1",
            callCallback=self._rung,
            sipPort=sip_port,
            rtpPortLow=rtp_port,
            rtpPortHigh=rtp_port + 20,
        )
        self._hertz = hertz
        self.heard = bytearray()
        """8-bit unsigned samples at 8 kHz."""
        self.rung = threading.Event()
        self.answered = threading.Event()
        self.ended = threading.Event()
        self.call: VoIPCall | None = None

    def start(self) -> None:
        """Register."""
        self._phone.start()

    def stop(self) -> None:
        """Unregister and end."""
        self._phone.stop()

    def hang_up(self) -> None:
        """End the present call."""
        assert self.call is not None
        self.call.hangup()

    def _rung(self, call: VoIPCall) -> None:
        self.call = call
        self.rung.set()
        try:
            call.answer()
            self.answered.set()
            self._converse(call)
        except InvalidStateError:
            pass  # the caller was quicker
        finally:
            self.ended.set()

    def _converse(self, call: Any) -> None:
        tone = bytes(int(128 + 60 * math.sin(2 * math.pi * self._hertz * n / 8000)) for n in range(8000))
        next_tone = 0.0
        while call.state == CallState.ANSWERED:
            if time.monotonic() >= next_tone:
                call.write_audio(tone)
                next_tone = time.monotonic() + 1
            self.heard.extend(call.read_audio(160, blocking=True))
