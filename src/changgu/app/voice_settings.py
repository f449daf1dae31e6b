"""The options of the voice that speaks the prompts."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from changgu.app.settings_group import Group, option
from changgu.app.settings_words import UnusableValue
from changgu.telephony.private_address import is_private_enough
from changgu.telephony.speech.voice_catalogue import DEFAULT_VOICE


def _key_address(value: str) -> str:
    if value and not is_private_enough(value):
        raise UnusableValue(
            "https://로 시작하는 주소로 쓰십시오", "must begin with https://, because a key is sent there"
        )
    return value


class VoiceSettings(Group):
    """The voice that speaks the prompts which nobody recorded: docs/prompts.md. A recorded file always wins."""

    use: Literal["auto", "espeak", "neural", "cloud"] = option(
        "auto",
        "auto: changgu voice install로 설치한 음성, 없으면 espeak. espeak: 알아듣기 어렵지만 늘 있음. "
        "neural: 설치한 음성만. cloud: 다른 회사의 음성",
        "auto: the voice that changgu voice install fetched, else espeak; espeak: hard to understand, always there; "
        "neural: only the fetched one; cloud: another company's",
    )
    name: Annotated[str, Field(pattern=r"^[\w./~-]+$", max_length=200)] = option(  # \w{1,200} compiles in 75 ms
        DEFAULT_VOICE,
        "설치한 음성의 이름, 또는 그 음성을 설명하는 파일(.toml)",
        "The fetched voice: its name, or a file of your own (.toml) that describes one",
    )
    speaker: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = option(
        "F1", "설치한 음성의 화자(F1~F5 여성, M1~M5 남성)", "Who speaks with the fetched voice: F1 to F5, M1 to M5"
    )
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = option(
        1.0, "말하는 빠르기. 1은 보통, 2는 두 배", "How fast it speaks: 1 is usual, 2 twice as fast"
    )
    cloud_service: Literal["clova", "openai"] = option(
        "clova",
        'use = "cloud"일 때. clova: 네이버 CLOVA Voice, openai: OpenAI 또는 같은 방식의 자체 서버',
        'With use = "cloud". clova: NAVER CLOVA Voice, openai: OpenAI or a server of your own that speaks like it',
    )
    cloud_address: Annotated[str, AfterValidator(_key_address)] = option(
        "",
        "그 서비스의 주소. 비우면 본래 주소",
        "The service's address; empty means its usual one",
        example="https://speech.example.org/v1",
    )
    cloud_account: str = option("", "CLOVA의 Client ID", "CLOVA's client ID")
    cloud_model: str = option("gpt-4o-mini-tts", "openai일 때의 모형", "The model, with openai")
    cloud_speakers: dict[Literal["ko", "en"], str] = option(
        {}, "언어마다의 화자. 비우면 기본 화자", "The speaker of each language", example={"ko": "nara_call"}
    )

    @model_validator(mode="after")
    def _cloud_is_complete(self) -> Self:
        if self.use == "cloud" and self.cloud_service == "clova" and not self.cloud_account:
            raise UnusableValue(
                "CLOVA에는 voice.cloud_account(Client ID)도 쓰십시오", "CLOVA also needs voice.cloud_account"
            )
        return self
