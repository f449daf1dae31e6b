"""Whatever arrives on the websocket becomes a message, and nothing that arrives is an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.telephony.ari.messages import (
    EVENT_FILTER,
    ApplicationReplaced,
    Channel,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelHold,
    ChannelStateChange,
    ChannelUnhold,
    PlaybackFinished,
    RecordingFinished,
    RestResponse,
    StasisEnd,
    StasisStart,
    Unknown,
    parse,
)

CHANNEL = {
    "id": "pbx-1.7", "name": "PJSIP/anonymous-00000003", "state": "Ring",
    "caller": {"name": "김민수", "number": "01012345678"}, "connected": {"name": "", "number": ""},
    "dialplan": {
        "context": "from-callers", "exten": "1000", "priority": 1, "app_name": "Stasis",
        "app_data": "changgu,inbound,1000",
    },
    "creationtime": "2026-11-21T19:12:17.755+0000", "language": "en",
}  # fmt: skip
AT = "2026-11-21T19:12:18.164+0000"


def frame(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, "timestamp": AT, "application": "changgu", **fields})


def test_a_caller_who_enters_the_application_is_read_whole() -> None:
    heard = parse(frame("StasisStart", args=["inbound", "1000"], channel=CHANNEL))

    assert heard == StasisStart(
        Channel(
            "pbx-1.7", "PJSIP/anonymous-00000003", "Ring", "01012345678", "김민수", "1000", "Stasis",
            "changgu,inbound,1000", 1795288337.755,
        ),
        ("inbound", "1000"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (frame("StasisEnd", channel=CHANNEL), StasisEnd("pbx-1.7")),
        (
            frame("ChannelDestroyed", channel=CHANNEL, cause=17, cause_txt="User busy", tech_cause=486),
            ChannelDestroyed("pbx-1.7", 17, "User busy", 486),
        ),
        (frame("ChannelDestroyed", channel=CHANNEL, cause=16), ChannelDestroyed("pbx-1.7", 16, "", None)),
        (frame("ChannelHangupRequest", channel=CHANNEL, cause=16), ChannelHangupRequest("pbx-1.7", by_request=False)),
        (
            frame("ChannelHangupRequest", channel=CHANNEL, cause=16, soft=True),
            ChannelHangupRequest("pbx-1.7", by_request=True),
        ),
        (
            frame("ChannelDtmfReceived", channel=CHANNEL, digit="5", duration_ms=120),
            ChannelDtmfReceived("pbx-1.7", "5", 0.12, 1795288338.164),
        ),
        (frame("ChannelStateChange", channel=CHANNEL), ChannelStateChange("pbx-1.7", "Ring")),
        (frame("ChannelHold", channel=CHANNEL), ChannelHold("pbx-1.7")),
        (frame("ChannelUnhold", channel=CHANNEL), ChannelUnhold("pbx-1.7")),
        (
            frame("PlaybackFinished", playback={"id": "p1", "target_uri": "channel:pbx-1.7", "state": "failed"}),
            PlaybackFinished("p1", "pbx-1.7", True),
        ),
        (
            frame("RecordingFinished", recording={"name": "m", "state": "done", "duration": 9, "talking_duration": 4}),
            RecordingFinished("m", 9, 4, False),
        ),
        (frame("RecordingFailed", recording={"name": "m", "state": "failed"}), RecordingFinished("m", 0, None, True)),
        (frame("ApplicationReplaced"), ApplicationReplaced("changgu")),
        (
            frame("RESTResponse", request_id="9", status_code=204, reason_phrase="No Content"),
            RestResponse("9", 204, "No Content", ""),
        ),
    ],
)
def test_each_kind_of_news_is_understood(said: str, heard: object) -> None:
    assert parse(said) == heard


@pytest.mark.parametrize(
    "garbage",
    [
        "", "null", "[]", "42", '"text"', "{", "{}", b"\xff\xfe", '{"type":7}', frame("BridgeCreated", bridge={}),
        frame("StasisStart"), frame("StasisStart", channel="x", args=[]),
        frame("StasisStart", channel=CHANNEL, args=[1]), frame("StasisStart", channel={**CHANNEL, "id": 7}, args=[]),
        frame("ChannelDestroyed", channel=CHANNEL, cause="x"),
        frame("StasisStart", channel={**CHANNEL, "creationtime": "yesterday"}, args=[]),
        frame("ChannelDtmfReceived", channel=CHANNEL), frame("PlaybackFinished", playback=None),
        frame("RESTResponse", status_code=200),
    ],
)  # fmt: skip
def test_garbage_is_unknown_and_never_an_error(garbage: str | bytes) -> None:
    assert isinstance(parse(garbage), Unknown)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KINDS = st.sampled_from([entry["type"] for entry in EVENT_FILTER["allowed"]])


@given(KINDS, st.dictionaries(st.sampled_from(["channel", "args", "cause", "digit", "playback", "timestamp"]), JSON))
def test_no_field_of_any_type_is_an_error(kind: str, fields: dict[str, Any]) -> None:
    parse(json.dumps({"type": kind, **fields}))


@given(st.binary(max_size=64))
def test_no_bytes_are_an_error(noise: bytes) -> None:
    parse(noise)
