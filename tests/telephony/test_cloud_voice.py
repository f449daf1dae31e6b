"""A cloud voice: real requests to a server on this computer that answers, refuses and hangs as the services do."""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs

import numpy as np
import pytest

from changgu.telephony.private_address import is_private_enough
from changgu.telephony.speech.cloud import CloudAccess, CloudSynthesiser, clova_speed
from changgu.telephony.speech.synthesiser import SpeechLate, SpeechRefused, SpeechTrouble

KEY = "secret-key-0123456789"


def tone(rate: int = 16000, *, endless: bool = False) -> bytes:
    """Half a second; `endless`: with the header of a server that did not know the length when it began."""
    samples = (3000 * np.sin(2 * np.pi * 700 * np.arange(rate // 2) / rate)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    content = bytearray(file.getvalue())
    if endless:
        content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    return bytes(content)


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class SpeechServer:
    """Answers every request with what it was told to."""

    status: int = 200
    content: bytes = field(default_factory=tone)
    hangs: bool = False
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.asked.append(Asked(head[0].split(" ")[1], headers, body))
            if self.hangs:
                await reader.read()
                return
            answer = f"HTTP/1.1 {self.status} OK\r\nContent-Length: {len(self.content)}\r\nConnection: close\r\n\r\n"
            writer.write(answer.encode() + self.content)
            await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    speech = SpeechServer()
    listening = await asyncio.start_server(speech.answer, "127.0.0.1", 0)
    speech.port = listening.sockets[0].getsockname()[1]
    yield speech
    listening.close()
    await listening.wait_closed()


@pytest.fixture
def clova(server: SpeechServer) -> CloudAccess:
    return CloudAccess("clova", KEY, account="client-7", address=server.address)


@pytest.fixture
def openai(server: SpeechServer) -> CloudAccess:
    return CloudAccess("openai", KEY, address=server.address, speed=1.25)


async def said(access: CloudAccess, text: str = "안녕하십니까.", *, deadline: float = 20.0) -> bytes:
    voice = CloudSynthesiser(access, deadline=deadline)
    try:
        return await voice.speak(text, "ko")
    finally:
        await voice.close()


async def test_clova_is_asked_as_its_manual_says(server: SpeechServer, clova: CloudAccess) -> None:
    await said(clova)

    (asked,) = server.asked
    assert asked.path == "/v1/tts"
    assert asked.headers["x-ncp-apigw-api-key-id"] == "client-7"
    assert asked.headers["x-ncp-apigw-api-key"] == KEY
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {
        "speaker": ["nara_call"], "text": ["안녕하십니까."], "speed": ["0"], "format": ["wav"],
        "sampling-rate": ["16000"],
    }  # fmt: skip


async def test_a_server_that_speaks_like_openai_is_asked_as_its_manual_says(
    server: SpeechServer, openai: CloudAccess
) -> None:
    await said(replace(openai, model="own-model", speakers={"ko": "ara"}))

    (asked,) = server.asked
    assert asked.path == "/v1/audio/speech"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(asked.body) == {
        "model": "own-model", "input": "안녕하십니까.", "voice": "ara", "response_format": "wav", "speed": 1.25,
    }  # fmt: skip


@pytest.mark.parametrize(("rate", "endless"), [(16000, False), (24000, True), (44100, False)])
async def test_the_answer_is_made_fit_for_the_telephone(
    server: SpeechServer, clova: CloudAccess, rate: int, endless: bool
) -> None:
    server.content = tone(rate, endless=endless)

    with wave.open(io.BytesIO(await said(clova))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
    assert len(samples) == pytest.approx(4000 + 2400, abs=200), "half a second, and the pause after a sentence"
    assert -21.5 < 20 * np.log10(np.sqrt(np.mean(samples[400:3600] ** 2))) < -19


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_refusal_is_trouble_with_the_service_s_own_words_and_without_the_key(
    server: SpeechServer, clova: CloudAccess, status: int
) -> None:
    server.status, server.content = status, b'{"error": {"errorCode": "210",\n "message": "Permission Denied"}}'

    with pytest.raises(SpeechTrouble, match=rf"HTTP {status}.*Permission Denied") as trouble:
        await said(clova)
    assert KEY not in str(trouble.value)


async def test_an_answer_that_is_no_sound_is_trouble(server: SpeechServer, clova: CloudAccess) -> None:
    server.content = b"<html>maintenance</html>"
    with pytest.raises(SpeechTrouble, match="not a WAV"):
        await said(clova)

    server.content = b"RIFF and then nothing"
    with pytest.raises(SpeechTrouble):
        await said(clova)


async def test_a_service_that_hangs_is_late(server: SpeechServer, clova: CloudAccess) -> None:
    server.hangs = True

    with pytest.raises(SpeechLate, match=r"0\.2 s"):
        await said(clova, deadline=0.2)


async def test_a_service_that_is_away_is_trouble(clova: CloudAccess) -> None:
    with pytest.raises(SpeechTrouble, match=r"127\.0\.0\.1:9"):
        await said(replace(clova, address="http://127.0.0.1:9"))


@pytest.mark.parametrize(("text", "why"), [("…", "nothing to say"), ("가" * 2001, "2000")])
async def test_what_need_not_be_asked_is_not_asked(
    server: SpeechServer, clova: CloudAccess, text: str, why: str
) -> None:
    with pytest.raises(SpeechRefused, match=why):
        await said(clova, text)
    assert server.asked == []


async def test_a_language_without_a_speaker_is_refused(server: SpeechServer, clova: CloudAccess) -> None:
    voice = CloudSynthesiser(clova)
    with pytest.raises(SpeechRefused, match="'xx'"):
        await voice.speak("?", "xx")
    await voice.close()
    assert server.asked == []


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("https://speech.example.org/v1", True), ("http://127.0.0.1:9000", True), ("http://localhost:9000/v1", True),
        ("http://[::1]:9000", True), ("http://speech.example.org", False), ("http://10.0.0.4", False),
        ("ftp://127.0.0.1", False), ("https://", False), ("speech.example.org", False),
    ],
)  # fmt: skip
def test_a_key_is_sent_over_https_or_not_over_a_network(address: str, right: bool) -> None:
    assert is_private_enough(address) is right
    if not right:
        with pytest.raises(ValueError, match="https"):
            CloudSynthesiser(CloudAccess("openai", KEY, address=address))


def test_the_key_is_not_shown(clova: CloudAccess) -> None:
    assert KEY not in repr(clova)


def test_a_pace_is_said_in_clova_s_numbers() -> None:
    assert [clova_speed(speed) for speed in (0.5, 0.9, 1.0, 1.2, 1.6, 2.0)] == [5, 1, 0, -1, -3, -5]


def test_whatever_changes_the_sound_changes_the_name_of_the_voice(clova: CloudAccess, openai: CloudAccess) -> None:
    names = {
        CloudSynthesiser(access).voice("ko")
        for access in (
            clova, openai, replace(clova, speakers={"ko": "njinho"}), replace(clova, speed=1.5),
            replace(openai, model="other"), replace(openai, address="https://speech.example.org"),
        )
    }  # fmt: skip
    assert len(names) == 6
