"""On real phones: callers leave messages that become tickets, and another is asked how it was."""

import asyncio
import html
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from changgu.telephony.soft_phone import SoftPhones
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.telephone_audio import read_wav, telephone_wav
from tests.support.desk import Desk
from tests.support.service import Changgu
from tests.support.tones import CALLER_HERTZ
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIG = """
[surveys]
after_call = true

[messages]
alert_minutes = 1
alert_hours = ""
"""
ROUTING = """
[queue.pc]
overflow = [{ when = "unstaffed", to = "voicemail" }]
"""
SENTENCES = """
voicemail_prompt = "말씀하십시오."
survey_intro = "여쭙겠습니다."
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Changgu]:
    """A desk of its own, whose queue without agents takes messages and which asks callers the survey."""
    changgu = Changgu(tmp_path_factory.mktemp("messages"), rtp=(21400, 21599), config=CONFIG)
    try:
        Desk.short_sentences(changgu)
        with (changgu.data / "prompts" / "ko.toml").open("a", encoding="utf-8") as own:
            own.write(SENTENCES)
        (changgu.data / "routing.toml").write_text(ROUTING, encoding="utf-8")
        await changgu.up()
        await Desk.furnish(changgu)
        yield changgu
        assert await changgu.down() == 0
    finally:
        await changgu.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(service: Changgu, tones: dict[str, Path], tmp_path: Path) -> AsyncIterator[Desk]:
    async with SoftPhones() as phones, SoftPhones() as callers:
        desk = Desk(service, phones, callers, tones, tmp_path)
        await desk.clear()
        yield desk
        await desk.sign_everybody_out()
    await desk.nothing_is_left()


async def leaves_a_message(desk: Desk, number: str, seconds: float) -> None:
    """A caller of the queue without agents speaks for so long after the prompt, and hangs up."""
    await desk.call("1003", number=number)

    async def is_recorded() -> bool:
        files = (desk.service.data / "pbx").rglob("voicemail.pc.*")
        return any(file.stat().st_size > seconds * 16_000 for file in files)

    await eventually(is_recorded, within=40)
    await desk.hang_up("c1")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(service: Changgu) -> AsyncIterator[list[dict[str, Any]]]:
    """What a desk on which somebody is signed in is told of messages that wait too long, from the beginning on."""
    page, header = service.url.replace("http:", "ws:") + "/desk/ws", service.http.headers["Authorization"]
    shown: list[dict[str, Any]] = []
    async with connect(page, additional_headers={"Authorization": header}, proxy=None) as screen:

        async def listen() -> None:
            async for said in screen:
                news = json.loads(said)
                if news["type"] == "unanswered":
                    shown.append(news.get("unanswered") or {"count": 0})

        listening = asyncio.create_task(listen())
        yield shown
        assert not listening.done(), "the desk was told to the end"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def message(
    service: Changgu, told: list[dict[str, Any]], tones: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What 홍길동 left. It is a minute until the desks are told of it, in which other callers come."""
    async with SoftPhones() as phones, SoftPhones() as callers:
        desk = Desk(service, phones, callers, tones, tmp_path_factory.mktemp("message"))
        await leaves_a_message(desk, "01012345678", seconds=4)

    async def came() -> list[dict[str, Any]]:
        items = (await service.get("/messages", unanswered=True))["items"]
        return [one for one in items if one["requester"] == "홍길동"]

    (message,) = await eventually(came, within=20)
    return message


async def test_a_message_is_a_ticket_with_the_callers_voice(desk: Desk, message: dict[str, Any]) -> None:
    """CTI-18, INC-01."""
    assert (message["kind"], message["queue"]) == ("voicemail", "pc")
    ticket = await desk.service.get(f"/tickets/{message['ticket']}")
    assert (ticket["channel"], ticket["state"], ticket["department"]) == ("voicemail", "new", "정보화담당관실")
    assert [link["call"] for link in ticket["calls"]] == [message["call"]]
    answer = await desk.service.http.get(message["audio"])
    assert answer.status_code == 200
    file = desk.heard / "message.wav"
    file.write_bytes(answer.content)
    await desk.hears(file, CALLER_HERTZ, seconds=2, within=1)
    row = await desk.service.call_where(outcome="voicemail", id=message["call"])
    assert row["tickets"] == [message["ticket"]]


async def a_voice(path: Path, text: str) -> Path:
    """Somebody who says this again and again, with three seconds in between: they do not listen to the prompt."""
    voice = EspeakSynthesiser()
    samples, rate = read_wav(await voice.speak(text, "ko"))
    await voice.close()
    path.write_bytes(telephone_wav(samples, rate, tail=3.0))
    return path


async def test_what_a_caller_said_is_written_down_on_the_ticket(desk: Desk) -> None:
    """By the recogniser that comes along; the voice is synthesised, so no more is asked of it than words."""
    said = "프린터가 안 됩니다. 네트워크 연결이 안 됩니다."
    desk.tones = {**desk.tones, "caller": await a_voice(desk.heard / "voice.wav", said)}
    await leaves_a_message(desk, "01022223333", seconds=8)

    async def written_down() -> dict[str, Any] | None:
        items = (await desk.service.get("/messages"))["items"]
        return next((one for one in items if one["requester"] == "성춘향" and one["transcript"]), None)

    message = await eventually(written_down, within=90)  # the model is loaded for it, behind whatever calls need
    assert message is not None
    assert any("가" <= sign <= "힣" for sign in message["transcript"])
    assert 0 <= message["transcript_confidence"] <= 1
    page = await desk.service.http.get(f"/tickets/{message['ticket']}", headers={"Accept": "text/html"})
    assert message["transcript"] in html.unescape(page.text)
    await desk.service.post(f"/messages/{message['id']}/dismissal", {"why": "안내 방송으로 답함"})


async def test_a_caller_who_stays_on_the_line_is_asked_by_keys(desk: Desk) -> None:
    """SAT-02: FORM-3 after the conversation."""
    await desk.agent("kim")
    await desk.call("1002", number="01044445555")
    ringing = await desk.phones.expect("incoming", line="kim")
    await desk.service.agent_is("kim", "talking")
    (kim,) = [one for one in (await desk.service.get("/agents"))["items"] if one["login"] == "kim"]
    await desk.service.told(kim["call"], "CallConnected")  # who hangs up before that has not talked to them
    await desk.phones.order(do="hang_up", call=ringing.call)
    await desk.service.agent_is("kim", "wrap_up", "ready")
    await desk.nobody_is_joined()  # from then on keys are answers; those before were pressed in the conversation

    async def response() -> dict[str, Any]:
        items = (await desk.service.get("/surveys"))["items"]
        return dict(items[0]) if items else {}

    for key in "5431":
        asked = len((await response()).get("scores", {}))

        async def next_one(asked: int = asked) -> bool:
            return len((await response()).get("scores", {})) > asked

        await desk.callers.order(do="dtmf", call="c1", digits=key)
        await eventually(next_one, within=20)
    await desk.callers.expect("ended", call="c1", within=20)

    row = await desk.service.call_where(outcome="answered", agent="kim")
    found = await response()
    assert found["scores"] == {"promptness": 5, "accuracy": 4, "kindness": 3, "overall": 1}
    assert (found["call"], found["ticket"], found["way"]) == (row["id"], row["tickets"][0], "after_call")
    complaint = (await desk.service.get(f"/tickets/{found['ticket']}"))["followed_by"]
    assert len(complaint) == 1, "a low score opens a complaint"


async def test_the_desks_are_told_of_a_message_without_a_reply_until_somebody_calls_back(
    desk: Desk, message: dict[str, Any], told: list[dict[str, Any]]
) -> None:
    """CTI-18; X is one minute, and most of it has passed with the callers above."""
    due = datetime.fromisoformat(message["alert_at"])
    assert due - datetime.fromisoformat(message["at"]) == timedelta(minutes=1)

    async def all_are_told() -> bool:
        return any((one["count"], one.get("ticket")) == (1, message["ticket"]) for one in told)

    await eventually(all_are_told, within=90)
    (late,) = (await desk.service.get("/messages/late"))["items"]
    assert datetime.fromisoformat(late["alerted_at"]) >= due
    await desk.service.post(f"/tickets/{message['ticket']}/callbacks", {"reached": True, "note": "안내"})

    async def no_more() -> bool:
        return bool(told[-1]["count"] == 0)

    await eventually(no_more, within=20)
    assert (await desk.service.get("/messages/late"))["items"] == []
    (answered,) = [one for one in (await desk.service.get("/messages"))["items"] if one["id"] == message["id"]]
    assert answered["answered"]["how"] == "called_back"
    told_of = f"ticket={message['ticket']} a voicemail has had no reply for 1 min"
    assert sum(told_of in line for line in desk.service.said) == 1
