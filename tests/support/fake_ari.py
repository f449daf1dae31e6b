"""An Asterisk that exists only as its ARI: channels, bridges and playbacks in three dicts, and faults on demand."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from changgu.telephony.ari.stream import AriAddress

NOW = "2026-03-01T09:00:00.000+0900"
APP = "changgu"


@dataclass
class FakeChannel:
    """One channel."""

    id: str
    args: str
    """`inbound,1000`, or what originate was given."""
    number: str = "01012345678"
    state: str = "Up"
    in_stasis: bool = True
    music: bool = False
    ringback: bool = False

    def resource(self) -> dict[str, Any]:
        """As ARI describes it."""
        return {
            "id": self.id, "name": f"PJSIP/x-{self.id}", "state": self.state,
            "caller": {"number": self.number, "name": "김민수"},
            "dialplan": {
                "context": "c", "exten": "1000", "priority": 1,
                "app_name": "Stasis" if self.in_stasis else "",
                "app_data": f"{APP},{self.args}" if self.in_stasis else "",
            },
            "creationtime": NOW,
        }  # fmt: skip


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any = None


@dataclass
class FakeAri:
    """`async with FakeAri() as pbx:` listens on a free port of the loopback."""

    password: str = "secret"
    channels: dict[str, FakeChannel] = field(default_factory=dict)
    bridges: dict[str, set[str]] = field(default_factory=dict)
    playbacks: dict[str, str] = field(default_factory=dict)
    recordings: dict[str, str] = field(default_factory=dict)
    """Name of a recording under way → channel."""
    stored: list[str] = field(default_factory=list)
    """Names of recordings that have ended and were not fetched."""
    asked: list[Asked] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    refusals: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """(method, end of the path) → status (0: no reply), and how often."""
    silent: bool = False
    """Requests arrive and are not answered."""
    prompts_end_at_once: bool = True
    rest_over_websocket: bool = True
    """An Asterisk of before 2025 does not even look at what comes over the websocket."""
    started_at: str = "2026-01-01T00:00:00.000+0000"

    async def __aenter__(self) -> "FakeAri":
        self._socket: ServerConnection | None = None
        self._changed = asyncio.Condition()
        self._server: Server = await serve(
            self._serve, "127.0.0.1", 0, compression=None, process_request=self._plain_get
        )
        self._port: int = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def address(self) -> AriAddress:
        """For the stream under test."""
        return AriAddress("127.0.0.1", self._port, "changgu", self.password, APP)

    # ---- what happens in the world ---------------------------------------------------------------------------------

    async def call_in(self, channel: str, exten: str = "1000", number: str = "01012345678") -> None:
        """A caller reaches `Stasis(changgu,inbound,exten)`."""
        one = self.channels[channel] = FakeChannel(channel, f"inbound,{exten}", number, state="Ring")
        await self._enters(one)

    async def start(self, channel: str) -> None:
        """The channel is answered and enters our application."""
        one = self.channels[channel]
        one.state = "Up"
        await self._enters(one)

    async def _enters(self, one: FakeChannel) -> None:
        one.in_stasis = True
        await self.say("StasisStart", channel=one.resource(), args=one.args.split(","))

    async def press(self, channel: str, digit: str, at: str = NOW, held: int = 100) -> None:
        """A key is pressed and let go."""
        pressed = {"channel": self.channels[channel].resource(), "digit": digit, "duration_ms": held}
        await self.send(json.dumps({"type": "ChannelDtmfReceived", "timestamp": at, "application": APP, **pressed}))

    async def phone_hangs_up(self, channel: str, cause: int = 16, *, by_request: bool = False) -> None:
        """The channel is about to end; the PBX is not done with it yet."""
        soft = {"soft": True} if by_request else {}
        await self.say("ChannelHangupRequest", channel=self.channels[channel].resource(), cause=cause, **soft)

    async def hang_up(self, channel: str, cause: int = 16, *, stasis_end: bool = True) -> None:
        """The channel is gone."""
        one = self.channels.pop(channel)
        for members in self.bridges.values():
            members.discard(channel)
        for name in [name for name, recorded in self.recordings.items() if recorded == channel]:
            await self.end_recording(name)
        if stasis_end:
            await self.say("StasisEnd", channel=one.resource())
        await self.say("ChannelDestroyed", channel=one.resource(), cause=cause, cause_txt="")

    async def finish(self, playback: str) -> None:
        """A prompt has been played to its end."""
        channel = self.playbacks.pop(playback)
        await self.say(
            "PlaybackFinished", playback={"id": playback, "target_uri": f"channel:{channel}", "state": "done"}
        )

    async def end_recording(self, name: str, seconds: int = 4, talking: int | None = None) -> None:
        """A recording has come to its end, after so much speech (all of it, unless told)."""
        channel = self.recordings.pop(name)
        lengths = {"duration": seconds, "talking_duration": seconds if talking is None else talking}
        told = {"name": name, "format": "wav", "target_uri": f"channel:{channel}", "state": "done", **lengths}
        await self.say("RecordingFinished", recording=told)

    async def say(self, kind: str, **fields: Any) -> None:
        """Send one event."""
        await self.send(json.dumps({"type": kind, "timestamp": NOW, "application": APP, **fields}))

    async def send(self, frame: str) -> None:
        """Send any frame."""
        if self._socket is not None:
            await self._socket.send(frame)

    async def drop(self) -> None:
        """The line breaks without a word."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def until(self, true: Callable[[], bool], within: float = 5.0) -> None:
        """Wait until something we were asked for makes `true` so."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(true)

    async def until_asked(self, method: str, ending: str, times: int = 1) -> Asked:
        """Wait for a request; the last of them."""

        def found() -> list[Asked]:
            return [one for one in self.asked if one.method == method and one.path.endswith(ending)]

        await self.until(lambda: len(found()) >= times)
        return found()[times - 1]

    def refuse(self, method: str, ending: str, status: int, times: int = 1) -> None:
        """Answer such requests with an error, this often; with 0, not at all."""
        self.refusals[method, ending] = (status, times)

    async def _plain_get(self, connection: ServerConnection, request: Request) -> Response | None:
        """A GET that came as HTTP, beside the websocket."""
        path = urlsplit(request.path).path.removeprefix("/ari/")
        if path == "events":
            return None
        status, reply = await self.over_http("GET", request.path.removeprefix("/ari/"), None)
        return connection.respond(status, json.dumps(reply))

    # ---- the REST interface ----------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.authorizations.append(socket.request.headers.get("Authorization"))
        self._socket = socket
        try:
            async for frame in socket:
                await self._answer(socket, json.loads(frame))
        except ConnectionClosed:
            return

    async def _answer(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        if not self.rest_over_websocket:
            return
        parts = urlsplit(request["uri"])
        query = dict(parse_qsl(parts.query)) | {one["name"]: one["value"] for one in request.get("query_strings", [])}
        body = json.loads(request["message_body"]) if "message_body" in request else None
        asked = Asked(request["method"], unquote(parts.path), query, body)
        self.asked.append(asked)
        after: list[Any] = []
        if not self.silent:
            status, reply = self._refused(asked) or self._do(asked, after)
        if not self.silent and status:
            response = {"type": "RESTResponse", "request_id": request["request_id"], "status_code": status}
            response |= {"reason_phrase": "", "message_body": "" if reply is None else json.dumps(reply)}
            await socket.send(json.dumps(response))
        for event in after:
            await event
        async with self._changed:
            self._changed.notify_all()

    async def over_http(self, method: str, uri: str, body: Any) -> tuple[int, Any]:
        """One request that came as HTTP; the reply is sent before what follows from it is told."""
        parts = urlsplit(uri)
        asked = Asked(method, unquote(parts.path), dict(parse_qsl(parts.query)), body)
        self.asked.append(asked)
        after: list[Any] = []
        status, reply = self._refused(asked) or self._do(asked, after)
        for event in after:
            await event
        async with self._changed:
            self._changed.notify_all()
        return status, reply

    def _refused(self, asked: Asked) -> tuple[int, Any] | None:
        for (method, ending), (status, times) in self.refusals.items():
            if asked.method == method and asked.path.endswith(ending) and times > 0:
                self.refusals[method, ending] = (status, times - 1)
                return status, {"message": "refused"}
        return None

    def _do(self, asked: Asked, after: list[Any]) -> tuple[int, Any]:
        match asked.method, asked.path.split("/"):
            case "PUT", ["applications", _, "eventFilter"]:
                return 200, {}
            case "GET", ["asterisk", "info"]:
                return 200, {"status": {"startup_time": self.started_at}, "system": {"version": "22.10.1"}}
            case "GET", ["channels"]:
                return 200, [one.resource() for one in self.channels.values()]
            case "GET", ["bridges"]:
                return 200, [
                    {"id": name, "channels": sorted(members), "creationtime": NOW}
                    for name, members in self.bridges.items()
                ]
            case "POST", ["channels"]:
                channel = asked.query["channelId"]
                if channel in self.channels:
                    return 409, {"message": "exists"}
                if asked.query.get("originator", channel) not in {*self.channels, channel}:
                    return 400, {"message": "Provided originator channel was not found"}
                args = asked.body["variables"]["CHANGGU_LEG"] if asked.body else asked.query["appArgs"]
                self.channels[channel] = FakeChannel(channel, args, "", "Ringing", in_stasis=False)
                return 200, {}
            case "POST", ["applications", _, "subscription"]:
                known = asked.query["eventSource"].removeprefix("channel:") in self.channels
                return (200, {}) if known else (422, {"message": "Event source does not exist"})
            case "DELETE", ["channels", channel] if channel in self.channels:
                after.append(self.hang_up(channel))
                return 204, None
            case _, ["channels", channel, *verb] if channel in self.channels:
                return self._channel(asked, channel, verb, after)
            case "POST", ["bridges", bridge]:
                self.bridges[bridge] = set()
                return 200, {}
            case "DELETE", ["bridges", bridge] if bridge in self.bridges:
                del self.bridges[bridge]
                return 204, None
            case "POST", ["bridges", bridge, "addChannel"] if bridge in self.bridges:
                wanted = set(asked.query["channel"].split(","))
                if not wanted <= self.channels.keys():
                    return 400, {"message": "Channel not found"}
                self.bridges[bridge] |= wanted
                return 204, None
            case "POST", ["bridges", bridge, "removeChannel"] if bridge in self.bridges:
                self.bridges[bridge].discard(asked.query["channel"])
                return 204, None
            case "GET" | "POST", ["recordings", "live", name, *verb] if name in self.recordings:
                if verb == ["stop"]:
                    after.append(self.end_recording(name))
                return 200, {"name": name}
            case "GET", ["recordings", "stored"]:
                return 200, [{"name": name, "format": "wav"} for name in self.stored]
            case "DELETE", ["recordings", "stored", name]:
                self.stored = [one for one in self.stored if one != name]
                return 204, None
            case "GET", ["playbacks", playback] if playback in self.playbacks:
                return 200, {"id": playback}
            case "DELETE", ["playbacks", playback] if playback in self.playbacks:
                after.append(self.finish(playback))
                return 204, None
            case _:
                return 404, {"message": "not found"}

    def _channel(self, asked: Asked, channel: str, verb: list[str], after: list[Any]) -> tuple[int, Any]:
        match asked.method, verb:
            case "GET", []:
                return 200, self.channels[channel].resource()
            case "POST", ["answer"]:
                return 204, None
            case "POST", ["ring"]:
                self.channels[channel].ringback = True
                return 204, None
            case "DELETE", ["ring"]:
                self.channels[channel].ringback = False
                return 204, None
            case "POST", ["record"]:
                self.recordings[asked.query["name"]] = channel
                return 201, {"name": asked.query["name"]}
            case "POST", ["moh"]:
                self.channels[channel].music = True
                return 204, None
            case "DELETE", ["moh"]:
                self.channels[channel].music = False
                return 204, None
            case "POST", ["play"]:
                playback = asked.query["playbackId"]
                self.playbacks[playback] = channel
                if self.prompts_end_at_once:
                    after.append(self.finish(playback))
                return 201, {"id": playback}
            case _:
                return 404, {"message": "no such verb"}
