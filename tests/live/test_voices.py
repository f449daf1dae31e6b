"""What a caller on a real phone hears: the recording first, then the voice that was fetched, from the first call on."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from changgu.ivr_flows import service as menus
from changgu.telephony.pbx_packages import default_folder
from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.service import Changgu
from tests.support.tiny_voice import description, write_tiny_voice
from tests.support.tones import write_tone

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPEAKER, PERSON = 1000.0, 600.0
"""Hertz of the fetched voice, and of the recording."""


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Changgu]:
    """A desk that is not open yet, with a cache of its own in which only the PBX is the usual one."""
    usual, cache = default_folder(os.environ), tmp_path / "cache"
    cache.mkdir()
    (cache / "pbx").symlink_to(usual)
    monkeypatch.setenv("CHANGGU_CACHE", str(cache))
    write_tiny_voice(tmp_path / "files", {"F1": SPEAKER})
    (tmp_path / "tiny.toml").write_text(description(tmp_path / "files", ["F1"]), encoding="utf-8")
    changgu = Changgu(tmp_path / "desk", rtp=(21400, 21439))
    recorded = changgu.data / "prompts/recorded"
    recorded.mkdir(parents=True)
    sentences = dict.fromkeys(menus.sentences("ko"), "네.") | {"services": "번호를 눌러 주십시오."}
    (changgu.data / "prompts/ko.toml").write_text("".join(f'{name} = "{text}"\n' for name, text in sentences.items()))
    (changgu.data / "changgu.toml").write_text(f'[voice]\nname = "{tmp_path / "tiny.toml"}"\n')
    write_tone(recorded / "greeting.wav", PERSON, seconds=4.0, amplitude=0.02)
    yield changgu
    await changgu.close()


async def test_a_recording_wins_and_the_fetched_voice_says_the_rest(house: Changgu, tmp_path: Path) -> None:
    await house.cli("voice", "install", "--accept-licence", "--from", str(tmp_path / "files"))
    made = await house.cli("prompts", "make")
    assert "recorded 1 " in made
    await house.up()
    try:
        assert any("안내 음성: Tiny F1" in line for line in house.said)
        assert not any("meanwhile" in line for line in house.said), "everything was made before"
        async with SoftPhones() as callers:
            desk = Desk(house, callers, callers, {"caller": write_tone(tmp_path / "440.wav", 440)}, tmp_path)
            await desk.call("1000")
            await desk.hears(tmp_path / "c1.wav", PERSON, seconds=1.8)
            await desk.hears(tmp_path / "c1.wav", SPEAKER, seconds=1.0)
            await desk.hang_up("c1")
    finally:
        assert await house.down() == 0
