"""On real phones: a caller leaves a message that becomes a ticket, and another is asked how it was."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from changgu.telephony.soft_phone import SoftPhones
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


async def test_a_message_is_a_ticket_with_the_callers_voice(desk: Desk) -> None:
    """CTI-18, INC-01."""
    await desk.call("1003", number="01012345678")

    async def is_recorded() -> bool:
        files = (desk.service.data / "pbx").rglob("voicemail.pc.*")
        return any(file.stat().st_size > 4 * 16_000 for file in files)

    await eventually(is_recorded, within=30)
    await desk.hang_up("c1")

    async def came() -> list[dict[str, Any]]:
        return list((await desk.service.get("/messages", unanswered=True))["items"])

    (message,) = await eventually(came, within=20)
    assert (message["kind"], message["queue"], message["requester"]) == ("voicemail", "pc", "홍길동")
    ticket = await desk.service.get(f"/tickets/{message['ticket']}")
    assert (ticket["channel"], ticket["state"], ticket["department"]) == ("voicemail", "new", "정보화담당관실")
    assert [link["call"] for link in ticket["calls"]] == [message["call"]]
    answer = await desk.service.http.get(message["audio"])
    assert answer.status_code == 200
    file = desk.heard / "message.wav"
    file.write_bytes(answer.content)
    await desk.hears(file, CALLER_HERTZ, seconds=2, within=1)
    row = await desk.service.call_where(outcome="voicemail")
    assert row["tickets"] == [message["ticket"]]


async def test_a_caller_who_stays_on_the_line_is_asked_by_keys(desk: Desk) -> None:
    """SAT-02: FORM-3 after the conversation."""
    await desk.agent("kim")
    await desk.call("1002", number="01012345678")
    ringing = await desk.phones.expect("incoming", line="kim")
    await desk.service.agent_is("kim", "talking")
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
