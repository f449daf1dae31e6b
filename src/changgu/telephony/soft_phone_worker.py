"""A process of real SIP phones with audio (PJSIP), driven by one JSON object per line.

Runs as `python -m changgu.telephony.soft_phone_worker [PORT]`. The GPL library lives here and nowhere else: the
`demo` and `test` extras install it, and the service itself never imports it. One process carries at most four
calls (a limit of the build), so the parent starts as many processes as it needs.

Orders on standard input:
    {"do": "account", "line": "kim", "user": …, "password": …, "server": "127.0.0.1:5060", "register": true,
     "answer_after": 1.5 | null, "hang_up_after": 20.0 | null, "play": "tone.wav" | null, "record": "folder" | null}
    {"do": "call", "line": "kim", "call": "c1", "to": "sip:1000@127.0.0.1:5060", "name": "김민수" | null}
    {"do": "answer" | "busy" | "decline" | "hang_up" | "hold" | "resume", "call": "c1"}
    {"do": "dtmf", "call": "c1", "digits": "2"}
    {"do": "register" | "unregister" | "remove", "line": "kim"}
    {"do": "quit"}
News on standard output: {"news": "registered" | "unregistered" | "incoming" | "early" | "answered" | "ended" |
"media" | "held" | "error", "line": …, "call": …, "code": …, "port": …}. A phone can be told to hold once it is
"answered", and to resume once the other side has agreed that it is "held".
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

import pjsua2 as pj

ENDINGS = {"busy": 486, "decline": 603, "hang_up": 200}
"""SIP status by order; 200 is a plain hang-up once the call is up."""

FAREWELL = 2.0
"""Seconds within which the PBX must have heard that calls and registrations end."""


def tell(news: str, **details: Any) -> None:
    """Say one piece of news to the parent."""
    sys.stdout.write(json.dumps({"news": news, **details}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class _Call(pj.Call):  # type: ignore[misc]  # the library carries no types
    """One call of one line."""

    def __init__(self, line: "_Line", name: str, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        pj.Call.__init__(self, line, call_id)
        self.line = line
        self.name = name
        self.player: pj.AudioMediaPlayer | None = None
        self.recorder: pj.AudioMediaRecorder | None = None

    def onCallState(self, prm: Any) -> None:  # noqa: N802 - the library calls it by this name
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            tell("early", line=self.line.name, call=self.name, code=info.lastStatusCode)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            tell("answered", line=self.line.name, call=self.name)
            if self.line.hang_up_after is not None:
                self.line.house.later(self.line.hang_up_after, lambda: self.end(200))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.line.house.calls.pop(self.name, None)
            self.line.house.finished.append(self)
            tell("ended", line=self.line.name, call=self.name, code=info.lastStatusCode, reason=info.lastReason)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()  # owns the list of media
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
                tell("held", line=self.line.name, call=self.name)
            if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status != pj.PJSUA_CALL_MEDIA_ACTIVE:
                continue
            audio = self.getAudioMedia(index)
            if self.line.play and self.player is None:
                self.player = pj.AudioMediaPlayer()
                self.player.createPlayer(self.line.play, 0)
            if self.player is not None:
                self.player.startTransmit(audio)
            if self.line.record and self.recorder is None:
                self.recorder = pj.AudioMediaRecorder()
                self.recorder.createRecorder(str(Path(self.line.record) / f"{self.name}.wav"))
            if self.recorder is not None:
                audio.startTransmit(self.recorder)
            tell("media", line=self.line.name, call=self.name)

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        tell("dtmf", line=self.line.name, call=self.name, digit=prm.digit)

    def end(self, code: int) -> None:
        """Hang up or decline; a call that has already ended stays ended."""
        if self.name in self.line.house.calls:
            order = pj.CallOpParam()
            order.statusCode = code
            self.hangup(order)


class _Line(pj.Account):  # type: ignore[misc]  # the library carries no types
    """One phone: an account with its habits."""

    def __init__(self, house: "_House", order: dict[str, Any]) -> None:
        pj.Account.__init__(self)
        self.house = house
        self.name: str = order["line"]
        self.server: str = order["server"]
        self.answer_after: float | None = order.get("answer_after")
        self.hang_up_after: float | None = order.get("hang_up_after")
        self.play: str | None = order.get("play")
        self.record: str | None = order.get("record")
        self.registered = False
        """Whether the registrar has us; the library says no as soon as we wish to leave."""
        settings = pj.AccountConfig()
        shown = f'"{order["name"]}" ' if order.get("name") else ""
        settings.idUri = f"{shown}<sip:{order['user']}@{self.server}>"
        settings.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        settings.mediaConfig.transportConfig.publicAddress = "127.0.0.1"
        settings.mediaConfig.transportConfig.port = order.get("rtp_port", 0)
        if order.get("password"):
            settings.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", order.get("auth_user", order["user"]), 0, order["password"])
            )
        if order.get("register"):
            settings.regConfig.registrarUri = f"sip:{self.server}"
            settings.regConfig.retryIntervalSec = 2
            settings.regConfig.firstRetryIntervalSec = 1
            settings.regConfig.timeoutSec = 120
        self.create(settings)

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        self.registered = prm.code == 200 and self.getInfo().regIsActive
        tell("registered" if self.registered else "unregistered", line=self.name, code=prm.code)

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        name = f"{self.name}-{self.house.next_number()}"
        call = _Call(self, name, prm.callId)
        self.house.calls[name] = call
        tell("incoming", line=self.name, call=name, caller=call.getInfo().remoteUri)
        call.answer(_answer(180))
        if self.answer_after is not None:
            self.house.later(self.answer_after, lambda: self.house.answer(name))


def _answer(code: int) -> Any:
    order = pj.CallOpParam()
    order.statusCode = code
    return order


class _House:
    """All lines and calls of this process, and what is to be done later."""

    def __init__(self) -> None:
        self.lines: dict[str, _Line] = {}
        self.calls: dict[str, _Call] = {}
        self.finished: list[_Call] = []
        self._due: list[tuple[float, Any]] = []
        self._numbers = 0

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def later(self, seconds: float, action: Any) -> None:
        self._due.append((time.monotonic() + seconds, action))

    def run_due(self) -> None:
        now = time.monotonic()
        due = [action for when, action in self._due if when <= now]
        self._due = [(when, action) for when, action in self._due if when > now]
        for action in due:
            action()
        self.finished.clear()

    def answer(self, name: str) -> None:
        call = self.calls.get(name)
        if call is not None and call.getInfo().state < pj.PJSIP_INV_STATE_CONFIRMED:
            call.answer(_answer(200))

    def leave(self, endpoint: Any) -> None:
        """End all calls, sign all phones out and hear the PBX agree; the library itself waits a second in any case."""
        endpoint.hangupAllCalls()
        for line in self.lines.values():
            if line.registered:
                line.setRegistration(False)
        latest = time.monotonic() + FAREWELL
        while (self.calls or any(line.registered for line in self.lines.values())) and time.monotonic() < latest:
            endpoint.libHandleEvents(10)
            self.finished.clear()
        endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)

    def obey(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "account":
                self.lines[order["line"]] = _Line(self, order)
            case "call":
                line = self.lines[order["line"]]
                call = _Call(line, order["call"])
                self.calls[order["call"]] = call
                try:
                    call.makeCall(order["to"], pj.CallOpParam(True))
                except pj.Error:  # one call too many; to hang up what is no call would end the process
                    self.calls.pop(order["call"], None)
                    raise
            case "answer":
                self.answer(order["call"])
            case "busy" | "decline" | "hang_up" as ending:
                if going_on := self.calls.get(order["call"]):
                    going_on.end(ENDINGS[ending])
            case "hold":
                self.calls[order["call"]].setHold(pj.CallOpParam(True))
            case "resume":
                again = pj.CallOpParam(True)
                again.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.calls[order["call"]].reinvite(again)
            case "dtmf":
                self.calls[order["call"]].dialDtmf(order["digits"])
            case "remove":
                self.lines.pop(order["line"]).shutdown()
            case "unregister":
                self.lines[order["line"]].setRegistration(False)
            case "register":
                self.lines[order["line"]].setRegistration(True)
            case unknown:
                raise ValueError(f"no such order: {unknown}")


def _lines_of_input(buffer: bytearray, wait: float) -> list[bytes] | None:
    """Whole lines that have arrived, or None at the end of input."""
    ready, _, _ = select.select([0], [], [], wait)
    if ready:
        read = os.read(0, 65536)
        if not read:
            return None
        buffer.extend(read)
    *lines, rest = bytes(buffer).split(b"\n")
    buffer[:] = rest
    return lines


def main() -> None:
    """Serve orders until told to quit or until the parent is gone."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    settings = pj.EpConfig()
    settings.uaConfig.threadCnt = 0
    settings.uaConfig.mainThreadOnly = True
    settings.uaConfig.userAgent = "changgu soft phone"
    settings.logConfig.level = int(os.environ.get("SOFT_PHONE_LOG", "0"))
    settings.logConfig.consoleLevel = settings.logConfig.level
    settings.medConfig.noVad = True
    settings.medConfig.ecTailLen = 0
    endpoint.libInit(settings)
    transport = pj.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    transport.publicAddress = "127.0.0.1"
    transport.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    house = _House()
    tell("started")
    buffer = bytearray()
    while True:
        endpoint.libHandleEvents(10)
        house.run_due()
        lines = _lines_of_input(buffer, 0)
        if lines is None:
            break
        orders = [json.loads(line) for line in lines if line.strip()]
        for order in orders:
            if order["do"] == "quit":
                house.leave(endpoint)
                return
            try:
                house.obey(order)
            except (pj.Error, KeyError, ValueError) as error:
                said = error.info() if isinstance(error, pj.Error) else repr(error)
                tell("error", line=order.get("line"), call=order.get("call"), order=order["do"], said=said)


if __name__ == "__main__":
    main()
    # The library's Python wrappers may be collected after its threads have gone; leave before they are.
    sys.stdout.flush()
    os._exit(0)
