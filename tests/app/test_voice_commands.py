"""`changgu voice …` and `changgu prompts …`: what is typed, fetched from a server here, said and made."""

import asyncio
import csv
import hashlib
import io
import stat
import wave
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from changgu.app.cli import main
from changgu.app.desk_commands import opened
from changgu.app.settings import load
from changgu.app.voices import HARD_TO_UNDERSTAND, KEY_FILE, desk_voice, read_key, says_it_is_a_machine, voices_folder
from changgu.ground.trouble import BadInput, NotFound, Trouble
from changgu.ivr_flows import service as menus
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.publishing.store import FlowStore
from changgu.ivr_flows.publishing.versions import SHIPPED, How, VersionNumber
from changgu.telephony.speech.cloud import CloudSynthesiser
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.neural import NeuralSynthesiser
from tests.support.counting_voice import hum
from tests.support.file_server import served
from tests.support.tiny_voice import description, write_tiny_voice

SHORT = dict.fromkeys(menus.sentences("ko"), "네.")
"""For desks of which it does not matter what most prompts say: to make the long ones takes half a minute."""


class Typed:
    """Types commands for one desk, whose fetched voice is a tiny one on a server here."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.environment = {"CHANGGU_CACHE": str(folder / "cache")}
        self.voice_file = folder / "tiny.toml"
        self._capfd = capfd

    def settings(self, text: str) -> None:
        (self.data / "changgu.toml").write_text(text, encoding="utf-8")

    def sentences(self, korean: Mapping[str, str]) -> None:
        (self.data / "prompts").mkdir()
        lines = [f'{name} = "{text}"\n' for name, text in korean.items()]
        (self.data / "prompts/ko.toml").write_text("".join(lines), encoding="utf-8")

    def __call__(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--data", str(self.data)])
        out, err = self._capfd.readouterr()
        return int(ended.value.code or 0), out, err


@pytest.fixture
def typed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Typed]:
    monkeypatch.setenv("CHANGGU_CACHE", str(tmp_path / "cache"))
    desk = Typed(tmp_path, capfd)
    write_tiny_voice(tmp_path / "files")
    with served(tmp_path / "files") as server:
        desk.voice_file.write_text(description(tmp_path / "files", source=server.address), encoding="utf-8")
        desk.settings(f'[voice]\nname = "{desk.voice_file}"\n')
        yield desk


def loudest_hertz(file: Path) -> float:
    with wave.open(str(file)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / 8000)[int(np.argmax(spectrum))])


# ---- the voice ------------------------------------------------------------------------------------------------------


def test_a_fetched_voice_becomes_the_desk_s_own(typed: Typed, tmp_path: Path) -> None:
    code, out, _ = typed("voice", "status")
    assert (code, out.splitlines()) == (0, [HARD_TO_UNDERSTAND, "tiny: not installed"])

    code, _, err = typed("voice", "install", "--accept-licence")

    assert code == 0, err
    assert "The whole text of the licence." in err
    assert "Example licence 1.0" in err
    assert "one second of speech takes" in err
    assert "changgu prompts make" in err
    code, out, _ = typed("voice", "status")
    assert out.splitlines() == ["안내 음성: Tiny F1 · the prompts' voice", f"tiny: {tmp_path}/cache/voices/tiny"]

    code, _, _ = typed("voice", "say", "안녕하십니까.", "--out", str(tmp_path / "a.wav"))
    assert code == 0
    assert loudest_hertz(tmp_path / "a.wav") == pytest.approx(1000, abs=5)

    assert typed("voice", "remove")[1] == "removed\n"
    assert typed("voice", "remove")[1] == "was not installed\n"


def test_without_a_word_of_agreement_nothing_is_installed(typed: Typed) -> None:
    code, _, err = typed("voice", "install")

    assert code == 1
    assert "--accept-licence" in err
    assert "동의하지 않아" in err
    assert not (voices_folder(typed.environment) / "tiny").exists()


def test_a_voice_that_is_fetched_but_does_not_speak_is_said(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "files/onnx/vocoder.onnx").write_bytes(b"not a network")
    typed.voice_file.write_text(description(tmp_path / "files"), encoding="utf-8")

    code, _, err = typed("voice", "install", "--accept-licence", "--from", str(tmp_path / "files"))

    assert code == 1
    assert "말하지 못합니다" in err
    assert "vocoder.onnx" in err


def test_a_name_that_is_no_voice_is_said(typed: Typed) -> None:
    code, _, err = typed("voice", "install", "sopranino")
    assert (code, "supertonic-3" in err) == (1, True)

    typed.settings('[voice]\nname = "nowhere.toml"\n')
    assert typed("voice", "status")[0] == 1


def test_a_sentence_that_cannot_be_said_is_said(typed: Typed, tmp_path: Path) -> None:
    assert typed("voice", "say", "…", "--out", str(tmp_path / "a.wav"))[0] == 1
    assert typed("voice", "say", "네.", "--out", str(tmp_path / "no" / "a.wav"))[0] == 1


def test_the_cloud_s_key_is_kept_for_its_owner_alone(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match="changgu voice key"):
        read_key(typed.data)
    monkeypatch.setattr("sys.stdin", io.StringIO("key-of-the-desk\n"))

    code, out, err = typed("voice", "key")

    assert code == 0
    assert "key-of-the-desk" not in out + err
    file = typed.data / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_key(typed.data) == "key-of-the-desk"
    file.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        read_key(typed.data)


@pytest.mark.parametrize("given", ["\n", "two words\n", "비밀\n"])
def test_what_is_no_key_is_refused(typed: Typed, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))

    assert typed("voice", "key")[0] == 1
    assert not (typed.data / KEY_FILE).exists()


# ---- which voice ----------------------------------------------------------------------------------------------------


def test_the_settings_choose_the_voice(typed: Typed) -> None:
    usual = desk_voice(load(None, {"data": typed.data}), typed.environment)
    assert isinstance(usual.synthesiser, EspeakSynthesiser)
    assert (usual.stand_in, usual.abroad, usual.artificial, usual.is_fallback) == (None, False, True, True)
    assert "changgu voice install" in usual.said

    typed.settings('[voice]\nuse = "neural"\n')
    with pytest.raises(Trouble, match="changgu voice install"):
        desk_voice(load(None, {"data": typed.data}), typed.environment)


def test_a_fetched_voice_is_taken_unless_another_is_wanted(typed: Typed) -> None:
    typed("voice", "install", "--accept-licence")
    named = f'name = "{typed.voice_file}"\n'

    fetched = desk_voice(load(None, {"data": typed.data}), typed.environment)
    assert isinstance(fetched.synthesiser, NeuralSynthesiser)
    assert isinstance(fetched.stand_in, EspeakSynthesiser)
    assert (fetched.abroad, fetched.artificial) == (False, True)

    typed.settings(f'[voice]\nuse = "espeak"\n{named}')
    plain = desk_voice(load(None, {"data": typed.data}), typed.environment)
    assert isinstance(plain.synthesiser, EspeakSynthesiser)

    typed.settings(f'[voice]\nspeaker = "F9"\n{named}')
    with pytest.raises(BadInput, match="F9"):
        desk_voice(load(None, {"data": typed.data}), typed.environment)


def test_a_cloud_voice_is_used_only_by_setting_and_says_where_sentences_go(typed: Typed) -> None:
    typed.settings('[voice]\nuse = "cloud"\ncloud_account = "desk"\n')
    with pytest.raises(NotFound, match="changgu voice key"):
        desk_voice(load(None, {"data": typed.data}), typed.environment)
    (typed.data / KEY_FILE).touch(0o600)
    (typed.data / KEY_FILE).write_text("k" * 20)

    cloud = desk_voice(load(None, {"data": typed.data}), typed.environment)

    assert isinstance(cloud.synthesiser, CloudSynthesiser)
    assert isinstance(cloud.stand_in, EspeakSynthesiser)
    assert (cloud.abroad, cloud.artificial) == (True, True)
    assert "naveropenapi.apigw.ntruss.com" in cloud.said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('use = "cloud"', "cloud_account"),
        ('cloud_address = "http://speech.example.org"', "https://"),
        ("speed = 3", "2"),
        ('use = "human"', "espeak"),
        ('cloud_speakers = {jp = "ai"}', "cloud_speakers"),
    ],
)
def test_settings_that_cannot_be_used_are_said(typed: Typed, text: str, why: str) -> None:
    typed.settings(f"[voice]\n{text}\n")

    code, _, err = typed("voice", "status")

    assert (code, why in err) == (1, True)


def test_the_shipped_menus_say_that_the_voice_is_a_machine_s(tmp_path: Path) -> None:
    shipped = menus.shipped_menu().read_text(encoding="utf-8")
    assert says_it_is_a_machine(menus.load_file(menus.shipped_menu()))
    assert says_it_is_a_machine(menus.load_file(menus.shipped_menu("office")))
    own = tmp_path / "main.yaml"
    own.write_text(shipped.replace("[greeting, machine_voice,", "[greeting,", 1), encoding="utf-8")

    assert not says_it_is_a_machine(menus.load_file(own))
    assert all("machine_voice" in menus.sentences(language) for language in menus.LANGUAGES)


# ---- the prompts ----------------------------------------------------------------------------------------------------


def test_all_prompts_are_made_by_the_desk_s_voice_before_it_opens(typed: Typed, tmp_path: Path) -> None:
    typed.sentences(SHORT)
    typed("voice", "install", "--accept-licence")

    code, out, err = typed("prompts", "make")

    assert code == 0, err
    assert "by espeak-ng instead 0" in out
    sounds = [file for file in (tmp_path / "cache/sounds").iterdir() if file.suffix == ".wav"]
    assert len(sounds) == 8, "one for all these, and the sentences without a name"
    assert all(loudest_hertz(file) == pytest.approx(1000, abs=5) for file in sounds)
    assert "made 0" in typed("prompts", "make")[1]


def test_a_catalogue_with_a_mistake_is_said(typed: Typed) -> None:
    (typed.data / "prompts").mkdir()
    (typed.data / "prompts/ko.toml").write_text("greeting = 7\n")

    code, _, err = typed("prompts", "make")

    assert (code, "greeting" in err) == (1, True)
    assert typed("prompts", "script")[0] == 1


def test_the_sheet_for_a_speaker_names_every_file_and_what_is_recorded(typed: Typed) -> None:
    recorded = typed.data / "prompts/recorded"
    (recorded / "ko").mkdir(parents=True)
    (recorded / "greeting.wav").write_bytes(hum())
    (recorded / "ko/digit_1.wav").write_bytes(hum())
    (recorded / "ko/greating.wav").write_bytes(hum())

    code, out, err = typed("prompts", "script")

    assert code == 0, err
    lines = out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("[v]")] == ["greeting.wav", "digit_1.wav"]
    assert any(line.startswith("[ ] position_1.wav") and line.endswith("대기 중입니다.") for line in lines)
    assert any(line.startswith("[ ] text-") and "상담 시간이 아닙니다" in line for line in lines)
    assert lines.index("문장") < next(i for i, line in enumerate(lines) if line.startswith("숫자"))
    assert lines[-1].startswith("녹음 2 / 전체 ")
    assert "greating.wav" in err

    missing = typed("prompts", "script", "--missing")[1]
    assert "[v]" not in missing
    assert missing.splitlines()[-1] == lines[-1]


def test_the_sheet_can_be_a_table_and_in_english(typed: Typed) -> None:
    code, out, _ = typed("prompts", "script", "--language", "en", "--csv")

    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert {row["kind"] for row in rows} == {"sentence", "piece"}
    assert next(row for row in rows if row["file"] == "digit_7.wav")["text"] == "seven"
    assert len({row["file"] for row in rows}) == len(rows)

    assert typed("prompts", "script", "--language", "jp")[0] == 1


def test_what_was_published_and_what_the_pilot_number_says_is_on_the_sheet_and_made_beforehand(
    typed: Typed, tmp_path: Path
) -> None:
    typed.settings('[desk]\npilot_number = "1999"\n')
    typed.sentences({name: text for name, text in SHORT.items() if name != "greeting"})
    settings = load(overrides={"data": typed.data})
    shipped = menus.shipped_menu().read_text("utf-8")
    goodbye = "    say: goodbye\n"

    async def drafted() -> None:
        async with opened(settings) as database:
            store, now = FlowStore(database), datetime.now(UTC)
            published = MenuSet(
                shipped.replace(goodbye, '    say: {text: "방송된 작별 인사입니다."}\n'),
                sentences={"ko": {**SHORT, "greeting": "방송된 첫인사입니다."}},
            )
            await store.add("main", menus.read_files(typed.data, SHIPPED).menu, How.FILE, now, "", now, origin=SHIPPED)
            await store.add("main", published, How.PUBLISHED, now, "boss", now)
            later = replace(published, text=shipped.replace(goodbye, '    say: {text: "예약된 작별 인사입니다."}\n'))
            await store.add("main", later, How.SCHEDULED, now + timedelta(days=1), "boss", now)
            draft = replace(
                published, text=shipped.replace(goodbye, '    say: {text: "초안의 작별 인사입니다."}\n'),
                sentences={"ko": {**SHORT, "greeting": "초안의 첫인사입니다."}},
            )  # fmt: skip
            await store.save_draft("main", draft, 0, VersionNumber(1), "boss", now)

    asyncio.run(drafted())
    code, out, err = typed("prompts", "script")
    assert code == 0, err
    lines = [line.split(maxsplit=3 if line.startswith("[ ]") else 1) for line in out.splitlines()]
    said = {line[3]: line[2] for line in lines if len(line) == 4}
    assert said["방송된 첫인사입니다."] == "greeting.wav"
    wanted = {"방송된 작별 인사입니다.", "예약된 작별 인사입니다.", "초안의 작별 인사입니다.", "초안의 첫인사입니다."}
    assert all(said[text].startswith("text-") for text in wanted)

    assert typed("prompts", "make")[0] == 0
    made = EspeakSynthesiser(words_per_minute=150).voice("ko")
    for text in {*wanted, "방송된 첫인사입니다."}:
        name = hashlib.sha256(chr(0).join((made, text)).encode()).hexdigest()[:32]
        assert (tmp_path / "cache/sounds" / f"{name}.wav").exists(), text
