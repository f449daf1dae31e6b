"""The line to Asterisk: credentials, filter, order, deadlines, and coming back."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from changgu.telephony.ari import client
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriBroken, AriConflict, AriLate, AriNotFound, AriNotOurs, AriRefused
from changgu.telephony.ari.messages import AriEvent, ChannelDtmfReceived, StasisStart
from changgu.telephony.ari.stream import DEADLINE, AriStream
from tests.support.fake_ari import FakeAri
from tests.support.waiting import eventually


@dataclass
class Line:
    """A stream, what it heard, and how often it came up."""

    pbx: FakeAri
    heard: list[AriEvent] = field(default_factory=list)
    ups: int = 0
    downs: int = 0

    def __post_init__(self) -> None:
        self.stream = AriStream(self.pbx.address, self.heard.append, on_connected=self._up, on_lost=self._down)
        self.ari = Ari(self.stream, self.pbx.address)

    def _up(self) -> None:
        self.ups += 1

    def _down(self) -> None:
        self.downs += 1

    async def came_up(self, times: int) -> None:
        async def so() -> bool:
            return self.ups >= times and self.stream.connected

        await eventually(so, within=5, every=0.01)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with FakeAri() as pbx:
        line = Line(pbx)
        running = asyncio.create_task(line.stream.run())
        await line.stream.wait_connected()
        yield line
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_credentials_travel_in_the_header_and_never_in_the_address(line: Line) -> None:
    assert set(line.pbx.authorizations) == {"Basic " + base64.b64encode(b"changgu:secret").decode()}
    assert "secret" not in line.pbx.address.websocket_url


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_line_that_ends_with_its_last_news_is_set_up_anew_though_a_caller_insists(
    line: Line, how: str
) -> None:
    """The news is heard after the end of the line: whoever then asks again and again must let it be noticed."""
    answered = asyncio.Event()
    attempts = 0
    insisting: list[asyncio.Task[None]] = []

    async def insist() -> None:
        nonlocal attempts
        while not answered.is_set():
            attempts += 1
            assert attempts < 1000, "the loop is never left to anybody else"
            try:
                await line.ari.request("GET", path("channels"))
                answered.set()
            except AriAway:
                await line.stream.wait_connected(5)

    def hear(event: AriEvent) -> None:
        insisting.append(asyncio.create_task(insist()))

    line.stream._hear = hear
    socket = line.pbx._socket
    assert socket is not None
    await line.pbx.call_in("c1")
    getattr(socket.transport, how)()
    await asyncio.wait_for(answered.wait(), 10)
    await asyncio.gather(*insisting)


async def test_the_event_filter_is_the_first_thing_said(line: Line) -> None:
    first = line.pbx.asked[0]

    assert (first.method, first.path) == ("PUT", "applications/changgu/eventFilter")
    assert {"type": "StasisStart"} in first.body["allowed"]
    assert {"type": "RESTResponse"} in first.body["allowed"]


async def test_events_arrive_in_their_order(line: Line) -> None:
    await line.pbx.call_in("c1")
    for digit in "123":
        await line.pbx.press("c1", digit)

    async def all_heard() -> bool:
        return len(line.heard) == 4

    await eventually(all_heard)
    assert isinstance(line.heard[0], StasisStart)
    assert [event.digit for event in line.heard if isinstance(event, ChannelDtmfReceived)] == ["1", "2", "3"]


async def test_a_request_takes_its_own_reply_whatever_comes_between(line: Line) -> None:
    await line.pbx.call_in("c1")
    channels, bridges = await asyncio.gather(
        line.ari.request("GET", path("channels")), line.ari.request("GET", path("bridges"))
    )

    assert [channel["id"] for channel in channels] == ["c1"]
    assert bridges == []


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(400, AriRefused), (404, AriNotFound), (409, AriConflict), (422, AriNotOurs), (500, AriBroken), (503, AriBroken)],
)
async def test_each_refusal_has_its_name(line: Line, status: int, trouble: type[AriRefused]) -> None:
    line.pbx.refuse("GET", "channels", status)

    with pytest.raises(trouble) as refused:
        await line.ari.request("GET", path("channels"))
    assert refused.value.status == status


async def test_a_request_without_a_reply_is_late(line: Line) -> None:
    line.pbx.silent = True

    with pytest.raises(AriLate):
        await line.ari.request("GET", path("channels"), deadline=0.1)


async def test_a_request_whose_line_drops_is_away_at_once(line: Line) -> None:
    line.pbx.silent = True
    asking = asyncio.create_task(line.ari.request("GET", path("channels"), deadline=30))
    await line.pbx.until_asked("GET", "channels")
    await line.pbx.drop()

    with pytest.raises(AriAway):
        await asyncio.wait_for(asking, 5)


async def test_the_line_comes_back_by_itself_with_its_filter(line: Line) -> None:
    await line.pbx.drop()
    await line.came_up(2)
    await line.pbx.drop()
    await line.came_up(3)

    filters = [asked for asked in line.pbx.asked if asked.path.endswith("eventFilter")]
    assert (len(filters), line.downs) == (3, 2)


async def test_a_request_made_while_the_line_is_down_waits_for_it(line: Line) -> None:
    await line.pbx.drop()

    async def noticed() -> bool:
        return not line.stream.connected

    await eventually(noticed, every=0.001)
    assert await line.ari.request("GET", path("bridges")) == []


async def test_what_can_be_done_twice_is_asked_for_again_however_often_the_line_drops(line: Line) -> None:
    asked = 0

    async def ask() -> object:
        nonlocal asked
        asked += 1
        asking = asyncio.create_task(line.ari.request("GET", path("bridges")))
        if asked < 4:  # the line drops while the request is under way
            await asyncio.sleep(0)
            await line.pbx.drop()
        return await asking

    assert await asyncio.wait_for(line.ari.insist(ask), 5) == []
    assert (asked, line.downs) == (4, 3)


async def test_what_had_no_reply_in_time_is_asked_for_again(line: Line) -> None:
    line.pbx.silent = True
    asking = asyncio.create_task(line.ari.insist(lambda: line.ari.request("GET", path("bridges"), deadline=0.1)))
    await line.pbx.until_asked("GET", "bridges", times=2)
    line.pbx.silent = False

    assert await asyncio.wait_for(asking, 5) == []


async def test_a_refusal_is_an_answer_and_is_not_asked_for_twice(line: Line) -> None:
    line.pbx.refuse("GET", "bridges", 409)
    with pytest.raises(AriConflict):
        await line.ari.insist(lambda: line.ari.request("GET", path("bridges")))

    assert [asked.path for asked in line.pbx.asked if asked.method == "GET"] == ["bridges"]


async def test_nobody_insists_for_longer_than_the_limit(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RECONNECT_LIMIT", 0.3)
    line.pbx.silent = True
    with pytest.raises(AriLate):  # the line is up, and the PBX mute
        await asyncio.wait_for(line.ari.insist(lambda: line.ari.request("GET", path("bridges"), deadline=0.1)), 5)
    mute = [asked.path for asked in line.pbx.asked if asked.method == "GET"]
    assert len(mute) >= 2

    await line.pbx.drop()  # it does not come up again: the event filter has no reply
    with pytest.raises(AriAway):
        await asyncio.wait_for(line.ari.insist(lambda: line.ari.request("GET", path("bridges"), deadline=0.1)), 5)


async def test_garbage_does_not_disturb_the_line(line: Line) -> None:
    for frame in ("", "null", "{", '{"type":"StasisStart"}', '{"type":"Novelty"}'):
        await line.pbx.send(frame)

    assert await line.ari.request("GET", path("channels")) == []
    assert line.stream.unknown == 5
    assert line.ups == 1


async def test_a_listener_that_fails_does_not_stop_the_news(line: Line) -> None:
    failing = Line(line.pbx)
    calls: list[AriEvent] = []

    def hear(event: AriEvent) -> None:
        calls.append(event)
        raise ZeroDivisionError

    failing.stream = AriStream(line.pbx.address, hear)
    running = asyncio.create_task(failing.stream.run())
    await failing.stream.wait_connected()
    await line.pbx.call_in("c1")
    await line.pbx.call_in("c2")

    async def both() -> bool:
        return len(calls) == 2

    await eventually(both)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_desk_whose_application_is_taken_stands_back_and_says_so(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    await line.pbx.say("ApplicationReplaced")

    async def stood_back() -> bool:
        return line.downs == 1 and not line.stream.connected

    await eventually(stood_back)
    assert line.stream.replaced
    assert any(record.levelname == "ERROR" for record in caplog.records)
    with pytest.raises(AriAway):
        await line.ari.request("GET", path("channels"), deadline=0.5)
    assert line.ups == 1, "taking it back would be answered in kind"


async def test_nobody_answers_at_the_address() -> None:
    async with FakeAri() as pbx:
        address = replace(pbx.address, port=1)
    stream = AriStream(address, lambda event: None)
    running = asyncio.create_task(stream.run())

    with pytest.raises(AriAway):
        await Ari(stream, address).request("GET", path("channels"), deadline=0.3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_what_stands_in_a_path_cannot_leave_its_place() -> None:
    assert path("channels", "a/../../x?y=1#z", "answer") == "channels/a%2F..%2F..%2Fx%3Fy%3D1%23z/answer"


async def test_a_line_that_drops_before_it_was_set_up_is_tried_again_at_once() -> None:
    """A PBX that is just going down takes the connection and never answers: nobody waits for its reply's deadline."""
    async with FakeAri() as pbx:
        pbx.silent = True
        line = Line(pbx)
        running = asyncio.create_task(line.stream.run())

        async def asked() -> bool:
            return bool(pbx.asked)

        await eventually(asked)
        pbx.silent = False
        assert pbx._socket is not None
        pbx._socket.transport.abort()
        await line.stream.wait_connected(DEADLINE / 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
