"""A desk that starts with the voice its settings choose: what it says about it, and what callers hear meanwhile."""

import asyncio
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from changgu.app.up import MenuUnusable
from changgu.app.voices import HARD_TO_UNDERSTAND, voices_folder
from changgu.ground.trouble import Trouble
from changgu.ivr_flows import service as menus
from changgu.telephony.speech.voice_catalogue import offer_named
from changgu.telephony.speech.voice_install import install
from tests.app.test_up import House, Hum, house, version
from tests.support.tiny_voice import description, write_tiny_voice
from tests.support.waiting import eventually

__all__ = ["house", "version"]

SHORT = "".join(f'{name} = "네."\n' for name in menus.sentences("ko"))
"""What the prompts say does not matter here."""


@pytest.fixture
def chosen(house: House, tmp_path: Path) -> House:
    house.voice = cast(Hum, None)  # the settings choose
    (tmp_path / "data/prompts").mkdir(parents=True)
    (tmp_path / "data/prompts/ko.toml").write_text(SHORT, encoding="utf-8")
    return house


def kinds_of_sounds(folder: Path) -> dict[bool, int]:
    """How many sounds are the tiny voice's tone of 1000 Hz, and how many are not."""
    found = {True: 0, False: 0}
    for file in folder.glob("*.wav"):
        with wave.open(str(file)) as sound:
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
        hertz = np.fft.rfftfreq(len(samples), 1 / 8000)[int(np.argmax(np.abs(np.fft.rfft(samples))))]
        found[bool(abs(hertz - 1000) < 5)] += 1
    return found


def so(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return condition()

    return look


async def test_the_fallback_says_at_the_start_that_it_is_hard_to_understand(
    chosen: House, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with chosen.open():
        assert HARD_TO_UNDERSTAND in capsys.readouterr().out
        assert HARD_TO_UNDERSTAND in caplog.text  # for whoever reads the log instead of the terminal

    assert kinds_of_sounds(tmp_path / "cache/sounds") == {True: 0, False: 8}


async def test_a_fetched_voice_speaks_by_itself_and_the_stand_in_until_it_has(
    chosen: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_voice(tmp_path / "files")
    (tmp_path / "tiny.toml").write_text(description(tmp_path / "files"), encoding="utf-8")
    voices = voices_folder({"CHANGGU_CACHE": str(tmp_path / "cache")})
    await asyncio.to_thread(
        install, offer_named(str(tmp_path / "tiny.toml")), voices, lambda offer, text: True, print,
        source=str(tmp_path / "files"),
    )  # fmt: skip
    chosen.groups["voice"] = {"name": str(tmp_path / "tiny.toml")}
    sounds = tmp_path / "cache/sounds"

    async with chosen.open():
        said = capsys.readouterr().out
        assert "안내 음성: Tiny F1" in said
        assert "machine_voice" not in said, "the shipped menu says that the voice is a machine's"
        assert "espeak-ng speaks them meanwhile" in said
        assert kinds_of_sounds(sounds)[False] == 8, "the stand-in has spoken before the desk opened"
        await eventually(so(lambda: kinds_of_sounds(sounds)[True] == 8), within=60)

    async with chosen.open():
        assert "meanwhile" not in capsys.readouterr().out, "the next start has nothing to make"


async def test_a_voice_that_is_asked_for_and_not_there_keeps_the_desk_shut_with_a_reason(chosen: House) -> None:
    chosen.groups["voice"] = {"use": "neural"}

    with pytest.raises(Trouble, match="changgu voice install"):
        async with chosen.open():
            raise AssertionError("it opened")


async def test_sentences_that_cannot_be_read_are_said_with_their_folder(chosen: House, tmp_path: Path) -> None:
    (tmp_path / "data/prompts/ko.toml").write_text("greeting = 7\n")

    async with chosen.open() as task:
        with pytest.raises(MenuUnusable, match=r"prompts.*greeting"):
            await task
