"""A caller who speaks, on the real Asterisk: their sound reaches the recognisers, and nobody else notices."""

import asyncio
import time
import wave
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from changgu.acd.facts import CallStarted, MenuStepTaken
from changgu.asterisk_conf.plan import PbxPlan
from changgu.ivr_flows.heard import Question
from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind
from changgu.telephony.ari.client import Ari, Value, path
from changgu.telephony.ari.stream import DEADLINE
from changgu.telephony.soft_phone import SoftPhones
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.listening import Heard, Limits, NoInput
from changgu.telephony.speech.recogniser import Busy, Recognisers
from changgu.telephony.speech.telephone_audio import read_wav
from tests.support.real_pbx import real_pbx
from tests.support.recognising import at_work
from tests.support.telephone_room import DESK_NUMBER, Room
from tests.support.waiting import eventually

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

MENU = Question(
    Grammar(
        GrammarKind.CHOICES,
        (Choice("person", ("상담원",), "0"), Choice("pc", ("하드웨어",), "1"), Choice("app", ("프로그램",), "2")),
    )
)
CREDULOUS = Limits(farthest=1.0, least_confidence=0.0, alone_confidence=0.0)
"""The synthesised voice sounds like nobody's to a recogniser that may hear any word."""

plan, pbx, room, _ = real_pbx("speech", rtp_first=22400)


class TheRoomsPbx:
    """The line to the PBX of whichever test's room it is now: the model is loaded once for all of them."""

    ari: Ari

    @property
    def app(self) -> str:
        return self.ari.app

    async def request(
        self, method: str, uri: str, *, body: Any = None, deadline: float = DEADLINE, **query: Value
    ) -> Any:
        return await self.ari.request(method, uri, body=body, deadline=deadline, **query)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears() -> AsyncIterator[tuple[Recognisers, TheRoomsPbx]]:
    line = TheRoomsPbx()
    recognisers = Recognisers(line, at_once=2)
    async with at_work(recognisers):
        yield recognisers, line


@pytest_asyncio.fixture(loop_scope="module")
async def recognisers(ears: tuple[Recognisers, TheRoomsPbx], room: Room) -> Recognisers:
    """Two of them, both free."""
    recognisers, line = ears
    line.ari = room.telephony.ari

    async def free() -> bool:
        return recognisers.free == 2

    await eventually(free)
    return recognisers


async def a_voice(path: Path, word: str) -> Path:
    """The word, and silence enough before and behind it."""
    voice = EspeakSynthesiser()
    samples, rate = read_wav(await voice.speak(word, "ko"))
    await voice.close()
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(rate * 3) + array("h", (round(one * 32767) for one in samples)).tobytes())
        sound.writeframes(bytes(rate * 5))
    return path


async def caller(phones: SoftPhones, plan: PbxPlan, sound: Path | None, folder: Path) -> None:
    server = f"127.0.0.1:{plan.sip_port}"
    await phones.account("line", server, user="01012345678", name="김민수", play=sound, record=folder)
    await phones.call("line", "c1", f"sip:{DESK_NUMBER}@{server}")


async def test_a_caller_says_a_word_into_the_prompt_and_is_understood(
    room: Room, plan: PbxPlan, recognisers: Recognisers, tmp_path: Path
) -> None:
    async with SoftPhones() as phones:
        await caller(phones, plan, await a_voice(tmp_path / "word.wav", "상담원"), tmp_path)
        await room.fact(MenuStepTaken, node="services")
        call = (await room.fact(CallStarted)).call
        visitor = room.telephony.inbound.visitor(call)
        assert visitor is not None
        began: list[bool] = []

        def spoke() -> None:
            began.append(visitor.handset.playing is not None)

        listening = recognisers.listen(call, MENU, CREDULOUS, asked=asyncio.Event(), began=spoke)
        answer = await asyncio.wait_for(listening, 20)
        assert isinstance(answer, Heard), answer
        assert answer.value == "person"
        assert began == [True], "they spoke while the prompt still played"
        await phones.order(do="hang_up", call="c1")
        await phones.expect("ended", call="c1")


async def test_thirty_questions_at_once_hold_up_neither_the_line_nor_each_other(
    room: Room, plan: PbxPlan, recognisers: Recognisers, tmp_path: Path
) -> None:
    async with SoftPhones() as phones:
        await caller(phones, plan, None, tmp_path)
        call = (await room.fact(CallStarted)).call
        await room.fact(MenuStepTaken, node="greeting")
        limits = Limits(first_timeout=3.0)
        questions = [asyncio.create_task(recognisers.listen(call, MENU, limits)) for _ in range(30)]
        slowest = 0.0
        for _ in range(20):
            begun = time.monotonic()
            await room.telephony.ari.request("GET", path("channels", call))
            slowest = max(slowest, time.monotonic() - begun)
            await asyncio.sleep(0.02)
        answers = await asyncio.gather(*questions)
        assert sum(isinstance(answer, Busy) for answer in answers) == 28
        assert sum(isinstance(answer, NoInput) for answer in answers) == 2
        assert slowest < limits.first_timeout / 2, "a request waited for the end of a question"
        await phones.order(do="hang_up", call="c1")
        await phones.expect("ended", call="c1")


async def test_a_caller_who_hangs_up_ends_the_listening(
    room: Room, plan: PbxPlan, recognisers: Recognisers, tmp_path: Path
) -> None:
    async with SoftPhones() as phones:
        await caller(phones, plan, None, tmp_path)
        call = (await room.fact(CallStarted)).call
        await room.fact(MenuStepTaken, node="greeting")
        listening = asyncio.create_task(recognisers.listen(call, MENU, asked=asyncio.Event()))
        await eventually(lambda: _tapped(room))
        await phones.order(do="hang_up", call="c1")
        await phones.expect("ended", call="c1")
        listening.cancel()  # as the task of a caller who hangs up is
        await asyncio.gather(listening, return_exceptions=True)
        assert recognisers.free == 2


async def test_what_a_sudden_end_left_is_swept_away(
    room: Room, plan: PbxPlan, recognisers: Recognisers, tmp_path: Path
) -> None:
    ari = room.telephony.ari
    await ari.request("POST", path("bridges", "earbridge-7-gone"), type="mixing")
    await ari.request(
        "POST", path("channels", "externalMedia"), app=ari.app, channelId="earmedia-7-gone",
        external_host="127.0.0.1:9", format="slin",
    )  # fmt: skip
    await recognisers.line_is_up()
    await room.nothing_is_left()


async def _tapped(room: Room) -> bool:
    return any(name.startswith("ear-") for name in await room.channels())
