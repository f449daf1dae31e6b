"""What Asterisk says over ARI, as frozen messages; whatever we do not know is `Unknown`, never an error.

`parse` takes one websocket text frame. The network repeats, reorders and garbles: a frame that is not JSON,
lacks a field or has one of the wrong type becomes `Unknown`, which is counted and left alone.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from msgspec import Struct


class Channel(Struct, frozen=True):
    """A channel as ARI describes it (resource `Channel`)."""

    id: str
    name: str
    state: str
    """`Down`, `Ring`, `Ringing`, `Up`, `Busy`, …"""
    caller_number: str = ""
    caller_name: str = ""
    exten: str = ""
    app: str = ""
    """The dialplan application it runs, `Stasis` while it is ours."""
    app_data: str = ""
    created_at: float = 0.0
    """Seconds since the epoch."""


class StasisStart(Struct, frozen=True):
    """A channel has come under our control."""

    channel: Channel
    args: tuple[str, ...]


class StasisEnd(Struct, frozen=True):
    """A channel has left our control: hung up, or redirected."""

    channel_id: str


class ChannelDestroyed(Struct, frozen=True):
    """A channel is gone; `cause` is the Q.850 number that came with the end."""

    channel_id: str
    cause: int
    cause_text: str
    tech_cause: int | None = None
    """The protocol's own number, such as SIP's 486, when Asterisk tells it."""


class ChannelHangupRequest(Struct, frozen=True):
    """A channel is about to end; its `StasisEnd` and `ChannelDestroyed` follow in milliseconds."""

    channel_id: str
    by_request: bool
    """A request or the dialplan ends it, and its phone does not know yet; otherwise its phone has hung up."""


class ChannelDtmfReceived(Struct, frozen=True):
    """A key was pressed and let go."""

    channel_id: str
    digit: str
    held: float
    """Seconds from pressing to letting go."""
    at: float
    """When it was let go, on the PBX's clock, in seconds since the epoch."""


class ChannelStateChange(Struct, frozen=True):
    """A channel went from one state to another, such as `Ringing` to `Up`."""

    channel_id: str
    state: str


class ChannelHold(Struct, frozen=True):
    """The phone itself put its peer on hold (SIP re-INVITE)."""

    channel_id: str


class ChannelUnhold(Struct, frozen=True):
    """The phone itself took its peer back."""

    channel_id: str


class PlaybackFinished(Struct, frozen=True):
    """The last sound of a playback has been played, or could not be."""

    playback_id: str
    channel_id: str
    failed: bool


class RecordingFinished(Struct, frozen=True):
    """A recording that we asked for has ended, or came to nothing."""

    name: str
    seconds: int
    talking: int | None
    """Seconds in which something was said, when Asterisk tells it."""
    failed: bool


class ApplicationReplaced(Struct, frozen=True):
    """Another program has taken our Stasis application: split brain."""

    application: str


class RestResponse(Struct, frozen=True):
    """The reply to a request that travelled over the websocket."""

    request_id: str
    status: int
    reason: str
    body: str


class Unknown(Struct, frozen=True):
    """Something that we did not ask for or could not read."""

    kind: str


AriEvent = (
    StasisStart | StasisEnd | ChannelDestroyed | ChannelHangupRequest | ChannelDtmfReceived | ChannelStateChange
    | ChannelHold | ChannelUnhold | PlaybackFinished | RecordingFinished | ApplicationReplaced | RestResponse | Unknown
)

EVENT_FILTER = {
    "allowed": [
        {"type": kind}
        for kind in (
            "StasisStart", "StasisEnd", "ChannelHangupRequest", "ChannelDestroyed", "ChannelDtmfReceived",
            "ChannelHold", "ChannelUnhold", "PlaybackFinished", "RecordingFinished", "RecordingFailed",
            "ApplicationReplaced", "RESTResponse",
        )
    ]
}
"""Body of `PUT /applications/{app}/eventFilter`: a call without it costs 39 events, most of them for nobody."""


def parse(frame: str | bytes) -> AriEvent:
    """One frame of the event websocket as a message."""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return Unknown("not JSON")
    if not isinstance(message, dict):
        return Unknown("not an object")
    kind = message.get("type")
    if not isinstance(kind, str):
        return Unknown("without a type")
    reader = _READERS.get(kind)
    if reader is None:
        return Unknown(kind)
    try:
        return reader(message)
    except (KeyError, TypeError, ValueError, OverflowError):
        return Unknown(kind)


def channel(body: Mapping[str, Any]) -> Channel:
    """A `Channel` resource; KeyError, TypeError or ValueError when it is not one."""
    if not isinstance(body, Mapping):
        raise TypeError("not an object")
    caller = _mapping(body.get("caller"))
    dialplan = _mapping(body.get("dialplan"))
    created = body.get("creationtime")
    return Channel(
        id=_text(body["id"]),
        name=_text(body.get("name", "")),
        state=_text(body.get("state", "")),
        caller_number=_text(caller.get("number", "")),
        caller_name=_text(caller.get("name", "")),
        exten=_text(dialplan.get("exten", "")),
        app=_text(dialplan.get("app_name", "")),
        app_data=_text(dialplan.get("app_data", "")),
        created_at=moment(created) if isinstance(created, str) else 0.0,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a number")
    return value


def moment(value: object) -> float:
    """Asterisk's way of writing a time, in seconds since the epoch."""
    return datetime.fromisoformat(_text(value)).timestamp()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(message: Mapping[str, Any]) -> str:
    return _text(message["channel"]["id"])


def _stasis_start(message: Mapping[str, Any]) -> StasisStart:
    args = message.get("args", [])
    if not isinstance(args, list):
        raise TypeError("args is not a list")
    return StasisStart(channel(message["channel"]), tuple(_text(arg) for arg in args))


def _destroyed(message: Mapping[str, Any]) -> ChannelDestroyed:
    tech = message.get("tech_cause")
    return ChannelDestroyed(
        _id(message),
        _number(message.get("cause", 0)),
        _text(message.get("cause_txt", "")),
        tech if isinstance(tech, int) and tech > 0 else None,
    )


def _playback_finished(message: Mapping[str, Any]) -> PlaybackFinished:
    playback = message["playback"]
    target = _text(playback["target_uri"])
    return PlaybackFinished(_text(playback["id"]), target.removeprefix("channel:"), playback.get("state") == "failed")


def _recording(message: Mapping[str, Any], *, failed: bool) -> RecordingFinished:
    recording = message["recording"]
    talking = recording.get("talking_duration")
    return RecordingFinished(
        _text(recording["name"]), _number(recording.get("duration", 0)),
        _number(talking) if talking is not None else None, failed,
    )  # fmt: skip


def _rest_response(message: Mapping[str, Any]) -> RestResponse:
    return RestResponse(
        _text(message["request_id"]),
        _number(message["status_code"]),
        _text(message.get("reason_phrase", "")),
        _text(message.get("message_body") or ""),
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], AriEvent]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": lambda message: StasisEnd(_id(message)),
    "ChannelDestroyed": _destroyed,
    "ChannelHangupRequest": lambda message: ChannelHangupRequest(_id(message), message.get("soft", False) is not False),
    "ChannelDtmfReceived": lambda message: ChannelDtmfReceived(
        _id(message), _text(message["digit"]), _number(message["duration_ms"]) / 1000, moment(message["timestamp"])
    ),
    "ChannelStateChange": lambda message: ChannelStateChange(_id(message), _text(message["channel"]["state"])),
    "ChannelHold": lambda message: ChannelHold(_id(message)),
    "ChannelUnhold": lambda message: ChannelUnhold(_id(message)),
    "PlaybackFinished": _playback_finished,
    "RecordingFinished": lambda message: _recording(message, failed=False),
    "RecordingFailed": lambda message: _recording(message, failed=True),
    "ApplicationReplaced": lambda message: ApplicationReplaced(_text(message.get("application", ""))),
    "RESTResponse": _rest_response,
}
