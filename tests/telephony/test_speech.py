"""Prompts as callers hear them: really synthesised, measured, cached, and replaced by recordings."""

import asyncio
import io
import os
import signal
import struct
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, TextPrompt
from changgu.telephony.ivr_player import Voice
from changgu.telephony.speech import prompts as prompts_module
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.mu_law import mu_law
from changgu.telephony.speech.prompts import PromptStore
from changgu.telephony.speech.synthesiser import SpeechLate, SpeechRefused, SpeechTrouble
from changgu.telephony.speech.telephone_audio import (
    LOUDNESS,
    integrated_loudness,
    loudness_gain,
    read_wav,
    resampled,
    telephone_wav,
)

GREETING = "안녕하십니까. 정보시스템 서비스 데스크입니다."

SENTENCES = {
    "ko": {
        "greeting": GREETING,
        "bye": "안녕히 계십시오.",
        **{f"digit_{digit}": word for digit, word in enumerate("공일이삼사오육칠팔구")},
    },
    "en": {"greeting": "Hello. This is the service desk."},
}


def heard(content: bytes) -> NDArray[np.float64]:
    """Samples of a WAV file that a telephone can play as it is."""
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float64) / 32768


def dbfs(samples: NDArray[np.float64]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2))))


def tone_wav(path: Path, *, rate: int, hertz: float, channels: int = 1) -> None:
    moments = np.arange(rate // 2) / rate
    samples = np.repeat((0.02 * 32767 * np.sin(2 * np.pi * hertz * moments)).astype("<i2"), channels)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakSynthesiser]:
    voice = EspeakSynthesiser(deadline=60)
    yield voice
    await voice.close()


def store(tmp_path: Path, voice: EspeakSynthesiser) -> PromptStore:
    return PromptStore(tmp_path / "sounds", tmp_path / "recordings", voice, SENTENCES)


def file_of(path: str) -> Path:
    return Path(f"{path}.wav")


# ---- the voice ------------------------------------------------------------------------------------------------------


async def test_a_korean_sentence_is_fit_for_the_telephone(espeak: EspeakSynthesiser) -> None:
    samples = heard(await espeak.speak(GREETING, "ko"))

    assert 2.0 < len(samples) / 8000 < 8.0
    voiced = samples[np.abs(samples) > 0.005]
    assert -23 < dbfs(voiced) < -16
    assert np.abs(samples).max() < 0.9
    assert np.abs(samples[:4]).max() < 0.005, "begins softly: no click"
    assert np.all(samples[-1600:] == 0), "a pause after the sentence"


async def test_speech_has_the_spectrum_of_speech_and_nothing_folded_back(espeak: EspeakSynthesiser) -> None:
    samples = heard(await espeak.speak(GREETING, "ko"))
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / 8000)

    total = float(power.sum())
    assert float(power[(hertz > 80) & (hertz < 3400)].sum()) / total > 0.95
    assert float(power[(hertz > 300) & (hertz < 3000)].sum()) / total > 0.3


async def test_different_sentences_sound_different_and_longer_ones_last_longer(espeak: EspeakSynthesiser) -> None:
    short, long = await espeak.speak("일", "ko"), await espeak.speak("상담원에게 연결해 드리겠습니다.", "ko")

    assert 0.2 < len(heard(short)) / 8000 < 1.0
    assert len(long) > 3 * len(short)


async def test_english_is_spoken_too(espeak: EspeakSynthesiser) -> None:
    assert len(heard(await espeak.speak("To speak to a person, press zero.", "en"))) > 8000


async def test_one_child_speaks_many_sentences(espeak: EspeakSynthesiser) -> None:
    await asyncio.gather(*(espeak.speak(word, "ko") for word in ("공", "일", "이", "삼")))

    assert espeak.children_started == 1


@pytest.mark.parametrize("text", ["", "   ", "…", "\0"])
async def test_a_sentence_with_nothing_to_say_is_refused_and_the_voice_goes_on(
    espeak: EspeakSynthesiser, text: str
) -> None:
    with pytest.raises(SpeechRefused):
        await espeak.speak(text, "ko")

    assert await espeak.speak("네", "ko")
    assert espeak.children_started == 1


async def test_a_language_without_a_voice_is_refused_without_a_child(espeak: EspeakSynthesiser) -> None:
    with pytest.raises(SpeechRefused, match="xx"):
        await espeak.speak("?", "xx")
    assert espeak.children_started == 0

    stranger = EspeakSynthesiser({"ko": "no-such-voice"})
    with pytest.raises(SpeechRefused, match="no-such-voice"):
        await stranger.speak("네", "ko")
    await stranger.close()


async def test_a_child_that_was_killed_is_started_again(espeak: EspeakSynthesiser) -> None:
    await espeak.speak("하나", "ko")
    assert espeak.child is not None
    os.kill(espeak.child, signal.SIGKILL)

    assert heard(await espeak.speak("둘", "ko")).any()
    assert espeak.children_started == 2


async def test_a_child_that_dies_of_every_sentence_is_trouble_and_not_a_hang() -> None:
    voice = EspeakSynthesiser(command=(sys.executable, "-c", "import sys; sys.stdin.buffer.read(4); sys.exit(11)"))

    with pytest.raises(SpeechTrouble, match="died"):
        await voice.speak("네", "ko")
    assert voice.children_started == 2
    assert voice.child is None


async def test_a_child_that_is_late_is_killed() -> None:
    voice = EspeakSynthesiser(deadline=0.3, command=(sys.executable, "-c", "import sys; sys.stdin.buffer.read()"))

    with pytest.raises(SpeechLate):
        await voice.speak("네", "ko")
    assert voice.child is None


async def test_a_child_that_talks_nonsense_is_trouble() -> None:
    nonsense = struct.pack(">I", 0xFFFFFFF0)
    program = f"import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write({nonsense!r}); sys.stdout.flush()"
    voice = EspeakSynthesiser(command=(sys.executable, "-c", program))

    with pytest.raises(SpeechTrouble):
        await voice.speak("네", "ko")
    await voice.close()


async def test_closing_ends_the_child_and_the_next_sentence_starts_another(espeak: EspeakSynthesiser) -> None:
    await espeak.speak("네", "ko")
    await espeak.close()
    assert espeak.child is None

    assert await espeak.speak("네", "ko")


def test_the_gpl_library_is_not_in_this_process() -> None:
    mapped = Path("/proc/self/maps").read_text()

    assert "espeak" not in mapped


# ---- the store ------------------------------------------------------------------------------------------------------


async def test_prompts_are_made_once_and_then_served_without_a_child(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    prompts = store(tmp_path, espeak)
    assert not prompts.is_prepared(NamedPrompt("greeting"))
    steps: list[tuple[int, int]] = []

    first = await prompts.prepare(progress=lambda done, of: steps.append((done, of)))

    assert (first.ready, first.made, first.recorded, dict(first.failed)) == (12, 12, 0, {})
    assert steps == [(count, 12) for count in range(1, 13)]
    assert espeak.child is None, "nothing left running while callers are served"
    (path,) = await prompts.sound(NamedPrompt("greeting"))
    assert Path(path).is_absolute()
    assert len(heard(file_of(path).read_bytes())) > 8000
    assert espeak.children_started == 1

    again = EspeakSynthesiser()
    later = store(tmp_path, again)
    second = await later.prepare()
    assert (second.ready, second.made) == (12, 0)
    assert await later.sound(NamedPrompt("greeting")) == [path]
    assert again.children_started == 0


async def test_a_number_is_a_playlist_of_its_digits(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    prompts = store(tmp_path, espeak)
    await prompts.prepare()

    assert prompts.is_prepared(DigitsPrompt("010"))
    voice: Voice = prompts  # the player's port
    zero, one, other_zero = await prompts.sound(DigitsPrompt("010"))
    assert zero == other_zero != one
    playlist = await voice.playlist([NamedPrompt("greeting"), DigitsPrompt("1")], "ko")
    assert playlist == [f"sound:{path}" for path in [*await prompts.sound(NamedPrompt("greeting")), one]]
    assert espeak.children_started == 1


async def test_a_changed_sentence_is_a_new_file_and_files_are_whole(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    before = store(tmp_path, espeak)
    await before.prepare()
    changed = PromptStore(tmp_path / "sounds", None, espeak, {"ko": {"greeting": "반갑습니다."}})
    await changed.prepare()

    assert await before.sound(NamedPrompt("greeting")) != await changed.sound(NamedPrompt("greeting"))
    files = list((tmp_path / "sounds").iterdir())
    assert all(file.suffix in (".wav", ".ulaw") and file.stat().st_mode & 0o044 for file in files)


async def test_prompts_lie_there_as_the_line_carries_them_so_that_the_pbx_need_not_translate_for_each_caller(
    tmp_path: Path, espeak: EspeakSynthesiser
) -> None:
    """Those of an earlier release, too, and without asking the voice again."""
    prompts = store(tmp_path, espeak)
    await prompts.prepare()
    (path,) = await prompts.sound(NamedPrompt("greeting"))
    on_the_line = Path(f"{path}.ulaw").read_bytes()
    samples = heard(file_of(path).read_bytes())
    assert on_the_line == mu_law(np.round(samples * 32768).astype("<i2").tobytes())

    Path(f"{path}.ulaw").unlink()
    again = EspeakSynthesiser()
    prepared = await store(tmp_path, again).prepare()
    assert (prepared.ready, prepared.made, again.children_started) == (12, 0, 0)
    assert Path(f"{path}.ulaw").read_bytes() == on_the_line


async def test_a_recorded_file_wins_whatever_its_format(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    (tmp_path / "recordings" / "en").mkdir(parents=True)
    tone_wav(tmp_path / "recordings" / "greeting.wav", rate=44100, hertz=1000, channels=2)
    tone_wav(tmp_path / "recordings" / "en" / "greeting.wav", rate=8000, hertz=500)
    prompts = store(tmp_path, espeak)

    prepared = await prompts.prepare(("ko", "en"))

    assert prepared.recorded == 2
    for language, hertz in (("ko", 1000), ("en", 500)):
        (path,) = await prompts.sound(NamedPrompt("greeting"), language)
        samples = heard(file_of(path).read_bytes())[400:3600]
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        assert abs(np.fft.rfftfreq(len(samples), 1 / 8000)[int(np.argmax(spectrum))] - hertz) < 5
        assert -21 < dbfs(samples) < -19, "as loud as the other prompts"


async def test_a_recording_that_cannot_be_read_falls_back_to_the_synthesiser_and_is_named(
    tmp_path: Path, espeak: EspeakSynthesiser
) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "bye.wav").write_bytes(b"ID3 this is an MP3")
    prompts = store(tmp_path, espeak)

    prepared = await prompts.prepare()

    assert list(prepared.failed) == [str(tmp_path / "recordings" / "bye.wav")]
    assert (prepared.ready, prepared.recorded) == (12, 0)
    assert await prompts.sound(NamedPrompt("bye"))


async def test_a_new_recording_is_heard_after_preparing_again(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    prompts = store(tmp_path, espeak)
    await prompts.prepare()
    synthesised = await prompts.sound(NamedPrompt("bye"))
    (tmp_path / "recordings").mkdir()
    tone_wav(tmp_path / "recordings" / "bye.wav", rate=16000, hertz=700)

    assert await prompts.sound(NamedPrompt("bye")) == synthesised
    await prompts.prepare()
    assert await prompts.sound(NamedPrompt("bye")) != synthesised


async def test_sentences_written_on_the_spot_can_be_prepared(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    prompts = store(tmp_path, espeak)
    notice = TextPrompt("지금 전자결재 장애를 처리하고 있습니다.")
    await prompts.prepare(texts={"ko": [notice.text]})
    assert prompts.is_prepared(notice)

    assert await prompts.sound(notice)


async def test_what_cannot_be_said_is_left_out_and_the_rest_is_heard(tmp_path: Path) -> None:
    mute = EspeakSynthesiser(command=(sys.executable, "-c", ""))
    prompts = store(tmp_path, mute)

    prepared = await prompts.prepare()
    assert prepared.ready == 0
    assert len(prepared.failed) == 12
    assert await prompts.playlist([NamedPrompt("greeting"), NamedPrompt("no_such_prompt")], "ko") == []
    making = [task for task in asyncio.all_tasks() if task.get_name().startswith("prompt ")]
    await asyncio.gather(*making)  # it is tried once more, for the next caller


async def test_a_sentence_missing_in_english_is_heard_in_korean(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    prompts = store(tmp_path, espeak)
    await prompts.prepare(("ko", "en"))

    assert await prompts.sound(NamedPrompt("bye"), "en") == await prompts.sound(NamedPrompt("bye"), "ko")
    assert await prompts.sound(NamedPrompt("greeting"), "en") != await prompts.sound(NamedPrompt("greeting"), "ko")


def test_a_full_disk_leaves_no_half_files(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(OSError, match="gone"):
        prompts_module._write(folder / "a.wav", b"x")
    assert list(tmp_path.iterdir()) == []


# ---- the sound itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 44100, 48000])
def test_resampling_keeps_the_telephone_band_and_removes_what_would_fold_back(rate: int) -> None:
    moments = np.arange(rate // 2) / rate
    inside = np.array(resampled(np.sin(2 * np.pi * 1000 * moments).tolist(), rate))
    outside = np.array(resampled(np.sin(2 * np.pi * 4800 * moments).tolist(), rate))

    assert abs(len(inside) - 4000) <= 1
    assert abs(dbfs(inside[200:-200]) - -3.01) < 0.2
    assert dbfs(outside[200:-200]) < -40


def test_loud_peaks_are_bent_and_not_cut() -> None:
    quiet = [0.001 * (1.0 if index % 800 else 60.0) * (-1) ** (index // 20) for index in range(8000)]
    samples = heard(telephone_wav(quiet, 8000, tail=0))

    assert np.abs(samples).max() < 0.9


def test_mu_law_is_that_of_the_pbx() -> None:
    """Beside values read off an Asterisk that played them."""
    linear = np.array([-252, -172, -284, -116, -4, -2172, 0, 32767, -32768], np.int16)
    assert list(mu_law(linear.tobytes())) == [104, 109, 102, 113, 127, 62, 255, 128, 0]


def test_silence_stays_silence() -> None:
    assert len(heard(telephone_wav([0.0] * 8000, 8000, tail=0.1))) == 800


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_recordings_of_every_sample_width_are_read(tmp_path: Path, width: int) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(width)
        out.setframerate(8000)
        half = 192 if width == 1 else 1 << (8 * width - 2)
        out.writeframes(half.to_bytes(width, "little") * 10)

    samples, rate = read_wav((tmp_path / "a.wav").read_bytes())

    assert rate == 8000
    assert samples == pytest.approx([0.5] * 10)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3 not a wave file at all"])
def test_what_is_no_recording_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        read_wav(content)


async def test_sentences_digits_and_recordings_are_equally_loud(tmp_path: Path, espeak: EspeakSynthesiser) -> None:
    tone_wav(tmp_path / "low.wav", rate=22050, hertz=300)
    tone_wav(tmp_path / "high.wav", rate=8000, hertz=2500)
    said = [await espeak.speak(text, "ko") for text in (GREETING, "일", "공", "상담원 연결은 0번입니다.")]
    said += [await espeak.speak("Press zero.", "en")]
    said += [await espeak.adapt(tmp_path / name) for name in ("low.wav", "high.wav")]

    measured = [integrated_loudness(np.trim_zeros(heard(content), "b").tolist()) for content in said]

    assert all(LOUDNESS - 1.0 < lufs < LOUDNESS + 0.5 for lufs in measured), measured


def test_what_is_hardly_there_is_not_made_into_noise() -> None:
    hiss = [1e-6 * (-1) ** (index // 3) for index in range(8000)]

    assert np.abs(heard(telephone_wav(hiss, 8000, tail=0))).max() < 0.001
    assert loudness_gain([]) == 1.0
