"""Speech recognition in its own processes: with the real model, sound sent by hand, and a PBX that only nods.

Messages are written down only while nothing else wants a processor: beside other tests that takes minutes.
"""

import asyncio
import os
import signal
import struct
import sys
import wave
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from changgu.ivr_flows.heard import Question
from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind
from changgu.telephony.ari.errors import AriAway
from changgu.telephony.speech import recogniser
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.listening import Heard, Limits, NoInput, NoMatch
from changgu.telephony.speech.recogniser import ALIVE_LIMIT, Busy, Recognisers, Unreadable
from changgu.telephony.speech.recogniser_worker import payload
from changgu.telephony.speech.telephone_audio import read_wav
from tests.support.recognising import at_work
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MENU = Question(
    Grammar(
        GrammarKind.CHOICES,
        (Choice("person", ("상담원",), "0"), Choice("pc", ("하드웨어",), "1"), Choice("app", ("프로그램",), "2")),
    )
)
CREDULOUS = Limits(farthest=1.0, least_confidence=0.0, alone_confidence=0.0)
"""The synthesised voice sounds like nobody's to a recogniser that may hear any word."""
SHORT = Limits(first_timeout=0.4)


class NoddingPbx:
    """Grants every request; the sound of a tap is what `says` holds for its channel."""

    def __init__(self) -> None:
        self.app = "changgu"
        self.says: dict[str, bytes] = {}
        self.made: set[str] = set()
        self.refuses = False
        self._sending: set[asyncio.Task[None]] = set()

    async def request(
        self, method: str, uri: str, *, body: Any = None, deadline: float = 5.0, **query: Any
    ) -> Any:
        if self.refuses:
            raise AriAway("no PBX")
        if method == "DELETE":
            self.made.discard(uri)
        elif uri == "channels/externalMedia":
            self.made.add(f"channels/{query['channelId']}")
            port = int(str(query["external_host"]).rpartition(":")[2])
            channel = str(query["channelId"]).split("-", 2)[2]
            self._sending.add(asyncio.create_task(self._send(port, self.says.get(channel, b""))))
        elif uri.endswith("addChannel"):
            assert set(str(query["channel"]).split(",")) <= {name.removeprefix("channels/") for name in self.made}
        elif uri.startswith("bridges"):
            self.made.add(uri)
        elif "/snoop/" in uri:
            self.made.add(f"channels/{uri.rpartition('/')[2]}")
        return []

    async def _send(self, port: int, sound: bytes) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number, at in enumerate(range(0, len(sound), 320)):
            samples = array("h", sound[at : at + 320])
            samples.byteswap()
            transport.sendto(struct.pack(">BBHII", 0x80, 118, number, number * 160, 1) + samples.tobytes())
            await asyncio.sleep(max(0.0, begun + (number + 1) * 0.02 - loop.time()))
        transport.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken() -> AsyncIterator[dict[str, bytes]]:
    """Words as the desk's own voice says them, 16 bits at 8 kHz, between two silences."""
    voice = EspeakSynthesiser()
    said = {}
    for word in ("상담원", "하드웨어"):
        samples, _ = read_wav(await voice.speak(word, "ko"))
        said[word] = bytes(3200) + array("h", (round(one * 32767) for one in samples)).tobytes() + bytes(16000)
    await voice.close()
    yield said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[tuple[Recognisers, NoddingPbx]]:
    """Two processes, which leave the processors to the tests beside these and are waited for all the same."""
    pbx = NoddingPbx()
    recognisers = Recognisers(pbx, at_once=2)
    with pytest.MonkeyPatch.context() as patience:
        for limit in ("PORT_LIMIT", "ALIVE_LIMIT", "START_LIMIT"):
            patience.setattr(recogniser, limit, 30.0)
        async with at_work(recognisers):
            yield recognisers, pbx


@pytest_asyncio.fixture(loop_scope="module")
async def desk(opened: tuple[Recognisers, NoddingPbx]) -> tuple[Recognisers, NoddingPbx]:
    """Both of them free."""
    await all_free(opened[0])
    return opened


async def all_free(recognisers: Recognisers) -> None:
    async def free() -> bool:
        return recognisers.free == 2

    await eventually(free, within=60)


async def test_a_word_is_heard_and_the_prompt_told_to_stop(
    desk: tuple[Recognisers, NoddingPbx], spoken: dict[str, bytes]
) -> None:
    recognisers, pbx = desk
    began: list[float] = []
    for word, value in (("상담원", "person"), ("하드웨어", "pc")):
        pbx.says["call"] = spoken[word]
        answer = await recognisers.listen("call", MENU, CREDULOUS, began=lambda: began.append(0))
        assert isinstance(answer, Heard), answer
        assert (answer.value, "".join(answer.words)) == (value, word)
    assert len(began) == 2
    await eventually(lambda: _true(not pbx.made))


async def _true(value: bool) -> bool:
    return value


async def test_silence_counts_from_the_end_of_the_prompt(desk: tuple[Recognisers, NoddingPbx]) -> None:
    recognisers, _ = desk
    asked = asyncio.Event()
    listening = asyncio.create_task(recognisers.listen("silent", MENU, SHORT, asked=asked))
    done, _ = await asyncio.wait({listening}, timeout=1.0)
    assert not done
    asked.set()
    assert await asyncio.wait_for(listening, 10) == NoInput()


async def test_whoever_is_one_too_many_is_told_at_once_and_the_others_are_served(
    desk: tuple[Recognisers, NoddingPbx], spoken: dict[str, bytes]
) -> None:
    recognisers, pbx = desk
    pbx.says |= {"a": spoken["상담원"], "b": spoken["하드웨어"]}
    served = [asyncio.create_task(recognisers.listen(one, MENU, CREDULOUS)) for one in ("a", "b")]
    await eventually(lambda: _true(recognisers.free == 0))
    begun = asyncio.get_running_loop().time()
    refused = await asyncio.gather(*(recognisers.listen(f"c{n}", MENU, CREDULOUS) for n in range(30)))
    assert asyncio.get_running_loop().time() - begun < 1.0, "listening takes longer, even to a single word"
    assert all(isinstance(one, Busy) for one in refused)
    assert [one.value for one in await asyncio.gather(*served) if isinstance(one, Heard)] == ["person", "pc"]


async def test_a_process_that_dies_is_replaced_and_its_question_asked_by_keys(
    desk: tuple[Recognisers, NoddingPbx],
) -> None:
    recognisers, pbx = desk
    pid = recognisers._idle[0].pid
    listening = asyncio.create_task(recognisers.listen("unlucky", MENU, asked=asyncio.Event()))
    await eventually(lambda: _true("bridges/earbridge-" in "".join(pbx.made)))
    os.kill(pid, signal.SIGKILL)
    assert isinstance(await asyncio.wait_for(listening, 10), Busy)


async def test_a_process_that_hangs_is_noticed_and_replaced(
    desk: tuple[Recognisers, NoddingPbx], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognisers, pbx = desk
    monkeypatch.setattr(recogniser, "ALIVE_LIMIT", ALIVE_LIMIT)
    pid = recognisers._idle[0].pid
    listening = asyncio.create_task(recognisers.listen("stuck", MENU, asked=asyncio.Event()))
    await eventually(lambda: _true("bridges/earbridge-" in "".join(pbx.made)))
    os.kill(pid, signal.SIGSTOP)
    assert isinstance(await asyncio.wait_for(listening, 10), Busy)
    await all_free(recognisers)


async def test_a_key_ends_the_listening_and_the_process_serves_the_next(desk: tuple[Recognisers, NoddingPbx]) -> None:
    recognisers, pbx = desk
    pids = {line.pid for line in recognisers._idle}
    listening = asyncio.create_task(recognisers.listen("key", MENU, asked=asyncio.Event()))
    await eventually(lambda: _true(bool(pbx.made)))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert recognisers.free == 2
    for _ in range(2):
        assert await recognisers.listen("next", MENU, SHORT) == NoInput()
    assert {line.pid for line in recognisers._idle} == pids
    await eventually(lambda: _true(not pbx.made))


async def test_without_the_pbx_without_words_or_in_another_language_keys_are_asked_for(
    desk: tuple[Recognisers, NoddingPbx],
) -> None:
    recognisers, pbx = desk
    pbx.refuses = True
    assert isinstance(await recognisers.listen("away", MENU), Busy)
    pbx.refuses = False
    assert isinstance(await recognisers.listen("english", Question(MENU.grammar, "en")), Busy)
    assert recognisers.free == 2


async def test_what_sounds_different_at_the_second_look_is_no_match(
    desk: tuple[Recognisers, NoddingPbx], spoken: dict[str, bytes]
) -> None:
    recognisers, pbx = desk
    pbx.says["other"] = spoken["하드웨어"]
    answer = await recognisers.listen("other", Question(Grammar(GrammarKind.YES_NO)))
    assert isinstance(answer, NoMatch)


def wav(path: Path, sound: bytes, rate: int = 8000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound)
    return path


@pytest.mark.alone
async def test_a_message_is_written_down_with_how_sure_each_word_is(
    desk: tuple[Recognisers, NoddingPbx], spoken: dict[str, bytes], tmp_path: Path
) -> None:
    recognisers, _ = desk
    heard = await recognisers.transcribe(wav(tmp_path / "said.wav", spoken["상담원"] + spoken["하드웨어"]))
    silence = await recognisers.transcribe(wav(tmp_path / "silence.wav", bytes(16000)))

    assert heard is not None
    assert heard.words
    assert len(heard.words) == len(heard.confidences)
    assert 0 < heard.confidence <= 1
    assert silence is not None
    assert not [word for word in silence.words if word]
    assert recognisers.free == 2, "no place of a question is taken"


@pytest.mark.alone
async def test_questions_are_served_while_a_message_is_written_down(
    desk: tuple[Recognisers, NoddingPbx], spoken: dict[str, bytes], tmp_path: Path
) -> None:
    recognisers, pbx = desk
    pbx.says["c1"] = spoken["상담원"]
    long = wav(tmp_path / "long.wav", (spoken["상담원"] + spoken["하드웨어"]) * 10)
    writing = asyncio.create_task(recognisers.transcribe(long))
    await asyncio.sleep(0.2)
    answer = await recognisers.listen("c1", MENU, CREDULOUS)

    assert isinstance(answer, Heard)
    assert answer.value == "person"
    assert not writing.done()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert recognisers.killed == 0 or recognisers.free == 2


@pytest.mark.alone
async def test_what_is_no_telephones_sound_is_said_to_be_unreadable(
    desk: tuple[Recognisers, NoddingPbx], tmp_path: Path
) -> None:
    (tmp_path / "page.wav").write_bytes(b"<html>")
    for file in (tmp_path / "page.wav", tmp_path / "nothing.wav", wav(tmp_path / "fast.wav", bytes(800), 44100)):
        with pytest.raises(Unreadable):
            await desk[0].transcribe(file)
    assert desk[0].free == 2


@pytest.mark.alone
async def test_when_the_first_process_dies_all_begins_anew(desk: tuple[Recognisers, NoddingPbx]) -> None:
    recognisers, _ = desk
    await all_free(recognisers)
    with Path(f"/proc/{recognisers._idle[0].pid}/stat").open() as stat:
        first = int(stat.read().rpartition(")")[2].split()[1])
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: _true(not recognisers.ready.is_set()))
    assert isinstance(await recognisers.listen("meanwhile", MENU), Busy)
    await asyncio.wait_for(recognisers.ready.wait(), 60)
    assert await recognisers.listen("again", MENU, SHORT) == NoInput()


async def test_without_a_model_every_question_is_asked_by_keys(tmp_path: Path) -> None:
    recognisers = Recognisers(NoddingPbx(), model=tmp_path)
    task = asyncio.create_task(recognisers.run())
    await asyncio.sleep(0)
    assert isinstance(await recognisers.listen("call", MENU), Busy)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_disk_without_room_is_waited_for_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("changgu.telephony.speech.recogniser.FIRST_RETRY", 0.01)
    monkeypatch.setattr("changgu.telephony.speech.recogniser.LONGEST_RETRY", 0.01)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no room"))
    recognisers = Recognisers(NoddingPbx())
    task = asyncio.create_task(recognisers.run())
    recognisers.wake()
    done, _ = await asyncio.wait({task}, timeout=0.5)
    assert not done
    assert isinstance(await recognisers.listen("call", MENU), Busy)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_only_the_samples_of_a_packet_are_heard() -> None:
    head = struct.pack(">BBHII", 0x80, 118, 1, 1, 1)
    assert payload(head + b"\x01\x02") == (b"\x02\x01" if sys.byteorder == "little" else b"\x01\x02")
    extended = struct.pack(">BBHII", 0x91, 118, 1, 1, 1) + bytes(4) + struct.pack(">HH", 1, 1) + bytes(4)
    assert payload(extended + b"\x00\x01") == b"\x01\x00"
    padded = struct.pack(">BBHII", 0xA0, 118, 1, 1, 1)
    assert payload(padded + b"\x00\x01\x00\x02") == b"\x01\x00"
    assert payload(b"short") == payload(b"not RTP at all") == b""


async def test_a_desk_that_closes_while_the_model_is_loaded_leaves_no_process_behind(tmp_path: Path) -> None:
    """It loaded on, with nobody to use it, for as long as the machine was busy."""
    noted = tmp_path / "pid"
    loads = f"import os, time; open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    recognisers = Recognisers(NoddingPbx(), command=(sys.executable, "-c", loads))
    running = asyncio.create_task(recognisers.run())
    recognisers.wake()

    async def begun() -> int:
        return int(noted.read_text() or "0") if noted.exists() else 0

    pid = await eventually(begun, within=30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
