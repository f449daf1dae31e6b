"""SAT-02 on real phones: the desk calls a requester, who answers by keys; silence is 무응답, and one is enough."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.ports import free_ports
from tests.support.service import Changgu
from tests.support.tones import write_tone
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIG = """
[sip.trunks]
outside = ["127.0.0.9"]

[outside]
trunk = "outside"
contact = "sip:127.0.0.1:{port}"

[surveys]
by_telephone = true
first_hour = 0
last_hour = 24
calendar = "always"
"""
CALENDARS = """
version: "1"
calendars:
  desk: {week: {mon-fri: 09:00-18:00}, holidays: none}
  always: {week: {mon-sun: 00:00-24:00}, holidays: none}
"""
SENTENCES = "".join(
    f'survey_{name} = "{said}."\n'
    for name, said in {
        "hello": "설문입니다", "promptness": "하나", "accuracy": "둘", "kindness": "셋", "overall": "넷",
        "thanks": "끝",
    }.items()
)  # fmt: skip
NUMBER = "01055556666"
NEXT_LOOK = 60.0
"""Seconds in which the desk looks for whom to call, and their telephone rings."""


class House:
    """A desk with a line outside, at whose other end a requester's telephone rings."""

    def __init__(self, service: Changgu, phones: SoftPhones) -> None:
        self.service = service
        self.phones = phones

    async def resolved(self, title: str) -> str:
        """A ticket of the requester's that is resolved, and about which they are to be called."""
        opened = await self.service.post("/tickets", {"title": title, "kind": "inquiry", "contact": NUMBER})
        number = str(opened["number"])
        await self.service.post(f"/tickets/{number}/moves", {"to": "resolved", "action": "조치"})
        await self.service.post(f"/tickets/{number}/survey/invitation", {})
        return number

    async def answers(self, call: str) -> None:
        """The requester's telephone rings with this call, and they pick up."""
        await self.phones.expect("incoming", call=call, within=NEXT_LOOK)
        await self.phones.order(do="answer", call=call)
        await self.phones.expect("answered", call=call)

    async def response(self, ticket: str) -> dict[str, Any]:
        """What there is of it so far."""
        items = (await self.service.get("/surveys"))["items"]
        return next((dict(one) for one in items if one["ticket"] == ticket), {"scores": {}})

    async def keys(self, call: str, ticket: str, keys: Sequence[str | None]) -> None:
        """A key for each question, or none; the next one when that has been kept."""
        for count, key in enumerate(keys, start=1):
            if key is not None:
                await self.phones.order(do="dtmf", call=call, digits=key)

            async def kept(count: int = count) -> bool:
                return len((await self.response(ticket))["scores"]) >= count

            await eventually(kept, within=25)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("survey-calls")
    (port,) = free_ports(1)
    changgu = Changgu(folder, rtp=(23600, 23799), config=CONFIG.format(port=port))
    try:
        Desk.short_sentences(changgu)
        with (changgu.data / "prompts" / "ko.toml").open("a", encoding="utf-8") as own:
            own.write(SENTENCES)
        (changgu.data / "menus").mkdir(parents=True)
        (changgu.data / "menus" / "calendars.yaml").write_text(CALENDARS, encoding="utf-8")
        async with SoftPhones(port) as phones:
            await changgu.up()
            await phones.account(
                "person", changgu.sip_server, user=NUMBER, play=write_tone(folder / "person.wav", 1200), record=folder
            )
            yield House(changgu, phones)
        assert await changgu.down() == 0
    finally:
        await changgu.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tickets(house: House) -> tuple[str, str]:
    """About the second of these they are called as soon as the first call is over."""
    return await house.resolved("느림"), await house.resolved("멈춤")


async def test_a_requester_is_called_and_answers_by_keys_once(house: House, tickets: tuple[str, str]) -> None:
    ticket, call = tickets[0], "person-1"
    await house.answers(call)
    await house.keys(call, ticket, ["5", "4", None, "1"])
    await house.phones.expect("ended", call=call, within=20)

    found = await house.response(ticket)
    assert found["scores"] == {"promptness": 5, "accuracy": 4, "kindness": None, "overall": 1}
    assert (found["way"], found["case"]) == ("outbound", ticket)
    complaint = (await house.service.get(f"/tickets/{ticket}"))["followed_by"]
    assert len(complaint) == 1, "a low score opens a complaint"
    await house.service.post(f"/tickets/{ticket}/survey/invitation", {}, status=(409,))
    figures = await house.service.get("/surveys/figures")
    kindness = next(one for one in figures["questions"] if one["question"] == "kindness")
    assert (kindness["asked"], kindness["answered"], kindness["mean"]) == (1, 0, None), "무응답 enters no mean"


async def test_whoever_says_nothing_is_kept_as_no_answer_and_not_called_again(
    house: House, tickets: tuple[str, str]
) -> None:
    ticket, call = tickets[1], "person-2"
    await house.answers(call)
    await house.phones.expect("ended", call=call, within=40)

    async def all_kept() -> bool:
        return len((await house.response(ticket))["scores"]) == 4

    await eventually(all_kept, within=10)
    assert set((await house.response(ticket))["scores"].values()) == {None}
