"""A voice that another company's computers speak: off unless a site asks for it, and asked only for fixed sentences.

Two services are known, because two kinds of desk want one: NAVER CLOVA Voice (Korean voices made for call centres, kept
in Korea), and any server that speaks OpenAI's `/audio/speech`, which is also what speech servers of one's own offer.
What is sent is the sentence of a prompt: never a caller's number, name or voice.

CLOVA Voice: api.ncloud-docs.com/docs/en/ai-naver-clovavoice-ttspremium
OpenAI: platform.openai.com/docs/api-reference/audio/createSpeech
"""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from changgu.telephony.private_address import is_private_enough
from changgu.telephony.speech.synthesiser import (
    SOUND_VERSION,
    SpeechLate,
    SpeechRefused,
    SpeechTrouble,
    tail_of,
)
from changgu.telephony.speech.voice_process import ADAPTER, VoiceProcess

if TYPE_CHECKING:
    import httpx

Service = Literal["clova", "openai"]

ADDRESSES: Final[Mapping[Service, str]] = {
    "clova": "https://naveropenapi.apigw.ntruss.com/tts-premium/v1",
    "openai": "https://api.openai.com/v1",
}
SPEAKERS: Final[Mapping[Service, Mapping[str, str]]] = {
    "clova": {"ko": "nara_call", "en": "clara"},
    "openai": {"ko": "sage", "en": "sage"},
}
LONGEST_TEXT: Final[Mapping[Service, int]] = {"clova": 2000, "openai": 4096}
"""Characters of one request."""
LONGEST_ANSWER: Final = 32 * 1024 * 1024
DEADLINE: Final = 20.0


@dataclass(frozen=True, slots=True)
class CloudAccess:
    """Which service, as whom, and with which of its voices."""

    service: Service
    key: str = field(repr=False)
    account: str = ""
    """CLOVA: the client ID of the application."""
    address: str = ""
    """Empty: the service's own."""
    model: str = "gpt-4o-mini-tts"
    """OpenAI's only."""
    speakers: Mapping[str, str] = field(default_factory=dict)
    """Language → speaker; without one, `SPEAKERS`."""
    speed: float = 1.0

    @property
    def base(self) -> str:
        """The address requests go to, without a slash at the end."""
        return (self.address or ADDRESSES[self.service]).rstrip("/")

    def speaker(self, language: str) -> str | None:
        """Who speaks this language."""
        return self.speakers.get(language) or SPEAKERS[self.service].get(language)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One HTTP request for one sentence."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] | None = None
    json: Mapping[str, str | float] | None = None


def request_for(access: CloudAccess, text: str, speaker: str) -> SpeechRequest:
    """What is asked of the service."""
    if access.service == "clova":
        return SpeechRequest(
            f"{access.base}/tts",
            {"X-NCP-APIGW-API-KEY-ID": access.account, "X-NCP-APIGW-API-KEY": access.key},
            form={
                "speaker": speaker, "text": text, "speed": str(clova_speed(access.speed)), "format": "wav",
                "sampling-rate": "16000",
            },
        )  # fmt: skip
    return SpeechRequest(
        f"{access.base}/audio/speech",
        {"Authorization": f"Bearer {access.key}"},
        json={
            "model": access.model, "input": text, "voice": speaker, "response_format": "wav", "speed": access.speed,
        },
    )  # fmt: skip


def clova_speed(speed: float) -> int:
    """CLOVA counts from −5, twice as fast, over 0 to 5, half as fast."""
    return max(-5, min(5, round(5 * (1 - speed) if speed > 1 else 10 * (1 - speed))))


class CloudSynthesiser:
    """Asks the service for each sentence once; the sound is then adapted here like any recording."""

    def __init__(self, access: CloudAccess, *, deadline: float = DEADLINE) -> None:
        """Raises ValueError for an address to which a key may not be sent."""
        if not is_private_enough(access.base):
            raise ValueError(f"{access.base}: a key is sent over https only")
        self._access = access
        self._deadline = deadline
        self._http: httpx.AsyncClient | None = None
        self._process = VoiceProcess(ADAPTER, deadline)

    def voice(self, language: str) -> str:
        """See `Synthesiser.voice`."""
        access = self._access
        model = access.model if access.service == "openai" else ""
        return f"{access.service}:{access.base}:{model}:{access.speaker(language)}:{access.speed:g}:{SOUND_VERSION}"

    async def speak(self, text: str, language: str) -> bytes:
        """See `Synthesiser.speak`."""
        speaker = self._access.speaker(language)
        if speaker is None:
            raise SpeechRefused(f"no voice for language '{language}'")
        if not any(sign.isalnum() for sign in text):
            raise SpeechRefused("there is nothing to say in it")
        if len(text) > LONGEST_TEXT[self._access.service]:
            raise SpeechRefused(f"longer than {LONGEST_TEXT[self._access.service]} characters")
        sound = await self._ask(request_for(self._access, text, speaker))
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            await asyncio.to_thread(Path(file.name).write_bytes, sound)
            return await self._process.adapt(Path(file.name), tail_of(text))

    async def adapt(self, recording: Path) -> bytes:
        """See `Synthesiser.adapt`."""
        return await self._process.adapt(recording)

    async def close(self) -> None:
        """See `Synthesiser.close`."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
        await self._process.close()

    async def _ask(self, request: SpeechRequest) -> bytes:
        import httpx  # only a desk with a cloud voice needs it here, and callers wait for a desk that starts

        if self._http is None:
            self._http = httpx.AsyncClient(timeout=self._deadline)
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._http.stream(
                    "POST", request.url, headers=dict(request.headers),
                    data=None if request.form is None else dict(request.form), json=request.json,
                ) as answer,
            ):  # fmt: skip
                content = bytearray()
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > LONGEST_ANSWER:
                        raise SpeechTrouble("the answer is too long to be a sentence")
                return _sound_in(bytes(content), answer.status_code)
        except (TimeoutError, httpx.TimeoutException):
            raise SpeechLate(f"no answer within {self._deadline:g} s") from None
        except httpx.HTTPError as trouble:
            raise SpeechTrouble(f"{self._access.base}: {trouble}") from trouble


def _sound_in(content: bytes, status: int) -> bytes:
    """The WAV file of an answer; its errors are JSON with a sentence."""
    if status != 200:
        why = " ".join(content[:300].decode(errors="replace").split())
        raise SpeechTrouble(f"HTTP {status}: {why}")
    if content[:4] != b"RIFF":
        raise SpeechTrouble("the answer is not a WAV file")
    return content
