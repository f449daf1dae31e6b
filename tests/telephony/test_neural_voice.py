"""A neural voice: loaded by the real code from real network files, small ones made here, and heard."""

import io
import json
import os
import signal
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from changgu.telephony.speech.neural import NeuralSynthesiser
from changgu.telephony.speech.supertonic import Supertonic, parts_of
from changgu.telephony.speech.synthesiser import SpeechRefused, SpeechTrouble
from changgu.telephony.speech.voice_catalogue import InstalledVoice, offer_named, read_offer
from tests.support.tiny_voice import SECONDS_PER_CHARACTER, write_tiny_voice

GREETING = "안녕하십니까. 데스크입니다."


def heard(content: bytes) -> NDArray[np.float64]:
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float64) / 32768


def loudest_hertz(samples: NDArray[np.float64], rate: int = 8000) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[int(np.argmax(spectrum))])


@pytest.fixture
def voice(tmp_path: Path) -> InstalledVoice:
    return InstalledVoice(write_tiny_voice(tmp_path / "tiny"), tmp_path / "tiny")


@pytest.fixture
async def neural(voice: InstalledVoice) -> AsyncIterator[NeuralSynthesiser]:
    speaks = NeuralSynthesiser(voice, "F1")
    yield speaks
    await speaks.close()


# ---- the networks ---------------------------------------------------------------------------------------------------


def test_a_sentence_goes_through_all_four_networks(voice: InstalledVoice) -> None:
    samples = np.array(Supertonic(voice.folder).speak(GREETING, "ko", "F1", 1.0, 8))

    (said,) = parts_of(GREETING, 120)
    assert len(samples) / 16000 == pytest.approx(SECONDS_PER_CHARACTER * len(f"<ko>{said}</ko>"), abs=0.01)
    assert loudest_hertz(samples, 16000) == pytest.approx(1000, abs=2)


def test_every_speaker_has_a_sound_of_their_own_and_speed_makes_it_shorter(voice: InstalledVoice) -> None:
    speaks = Supertonic(voice.folder)
    slow, fast = (np.array(speaks.speak(GREETING, "ko", "M1", speed, 8)) for speed in (1.0, 2.0))

    assert loudest_hertz(slow, 16000) == pytest.approx(500, abs=2)
    assert len(fast) == pytest.approx(len(slow) / 2, abs=2)


def test_the_same_sentence_always_sounds_the_same(voice: InstalledVoice) -> None:
    once, again = (Supertonic(voice.folder).speak(GREETING, "ko", "F1", 1.0, 3) for _ in range(2))

    assert once == again
    assert Supertonic(voice.folder).speak(GREETING, "ko", "F1", 1.0, 2) != once


def test_a_long_text_is_said_in_parts_with_pauses(voice: InstalledVoice) -> None:
    sentence = "문의하신 건은 담당 그룹에 배정되었습니다."
    short = Supertonic(voice.folder).speak(sentence, "ko", "F1", 1.0, 2)
    long = Supertonic(voice.folder).speak(" ".join([sentence] * 8), "ko", "F1", 1.0, 2)

    parts = len(parts_of(" ".join([sentence] * 8), 120))
    assert parts > 1
    assert len(long) > 7 * len(short)
    quiet = np.abs(np.array(long)) < 1e-6
    assert quiet.sum() >= (parts - 1) * 0.3 * 16000


@pytest.mark.parametrize("text", ["", "  ", "…", "😀 !"])
def test_nothing_to_say_is_refused(voice: InstalledVoice, text: str) -> None:
    with pytest.raises(ValueError, match="nothing to say"):
        Supertonic(voice.folder).speak(text, "ko", "F1", 1.0, 2)


def test_a_speaker_that_the_voice_does_not_have_is_named(voice: InstalledVoice) -> None:
    with pytest.raises(ValueError, match="'F9'"):
        Supertonic(voice.folder).speak(GREETING, "ko", "F9", 1.0, 2)


def test_a_network_that_is_none_is_named(voice: InstalledVoice) -> None:
    (voice.folder / "onnx" / "vocoder.onnx").write_bytes(b"<html>not found</html>")

    with pytest.raises(ValueError, match=r"vocoder\.onnx cannot be loaded"):
        Supertonic(voice.folder)


def test_a_network_of_another_model_is_named_when_it_fails(voice: InstalledVoice) -> None:
    onnx = voice.folder / "onnx"
    (onnx / "text_encoder.onnx").write_bytes((onnx / "vocoder.onnx").read_bytes())

    with pytest.raises(ValueError, match="text_encoder failed"):
        Supertonic(voice.folder).speak(GREETING, "ko", "F1", 1.0, 2)


def test_a_description_without_a_rate_is_named(voice: InstalledVoice) -> None:
    (voice.folder / "onnx" / "tts.json").write_text(json.dumps({"ttl": {}}))

    with pytest.raises(ValueError, match=r"tts\.json"):
        Supertonic(voice.folder)


def test_text_is_cut_at_sentences_then_at_words_and_written_as_the_model_wants_it() -> None:
    assert parts_of("하나. 둘.", 120) == parts_of("  하나.\n둘. ", 120)
    assert len(parts_of("하나다. 둘이다. 셋이다.", 9)) == 2
    words = "가나다 " * 60
    cut = parts_of(words, 40)
    assert len(cut) > 3
    assert [part[-1] for part in cut] == [","] * (len(cut) - 1) + ["."]
    assert "".join(cut).count(parts_of("가나다", 40)[0][:-1]) == 60, "no word is lost"
    assert parts_of("[점검] 안내 #3", 40)[0].count("[") == 0
    assert parts_of("일", 40) == ["\u110b\u1175\u11af."], "Korean letters one by one (NFKD)"


# ---- the voice ------------------------------------------------------------------------------------------------------


async def test_the_neural_voice_is_fit_for_the_telephone(neural: NeuralSynthesiser) -> None:
    samples = heard(await neural.speak(GREETING, "ko"))

    assert loudest_hertz(samples) == pytest.approx(1000, abs=3)
    assert -21 < 20 * np.log10(np.sqrt(np.mean(samples[:8000] ** 2))) < -19, "as loud as every other prompt"
    assert np.all(samples[-2000:] == 0), "a pause after the sentence"


async def test_one_child_speaks_many_sentences_and_a_killed_one_is_replaced(neural: NeuralSynthesiser) -> None:
    for word in ("공", "일", "이"):
        await neural.speak(word, "ko")
    assert neural.children_started == 1
    assert neural.child is not None
    os.kill(neural.child, signal.SIGKILL)

    assert heard(await neural.speak("삼", "ko")).any()
    assert neural.children_started == 2


async def test_what_the_voice_cannot_say_is_refused_and_it_goes_on(neural: NeuralSynthesiser) -> None:
    with pytest.raises(SpeechRefused, match="'xx'"):
        await neural.speak("?", "xx")
    with pytest.raises(SpeechRefused, match="nothing to say"):
        await neural.speak("…", "ko")

    assert heard(await neural.speak("네", "ko")).any()
    assert neural.children_started == 1


async def test_a_damaged_voice_is_trouble_with_its_name(voice: InstalledVoice) -> None:
    (voice.folder / "onnx" / "vocoder.onnx").write_bytes(b"")
    speaks = NeuralSynthesiser(voice, "F1")

    with pytest.raises(SpeechTrouble, match=r"vocoder\.onnx"):
        await speaks.speak(GREETING, "ko")
    await speaks.close()


def test_whatever_changes_the_sound_changes_the_name_of_the_voice(voice: InstalledVoice) -> None:
    names = {
        NeuralSynthesiser(voice, "F1").voice("ko"),
        NeuralSynthesiser(voice, "F1").voice("en"),
        NeuralSynthesiser(voice, "M1").voice("ko"),
        NeuralSynthesiser(voice, "F1", 1.2).voice("ko"),
        NeuralSynthesiser(voice, "F1", steps=12).voice("ko"),
    }
    assert len(names) == 5


# ---- what is offered ------------------------------------------------------------------------------------------------


def test_the_offered_voice_is_described_to_the_last_byte() -> None:
    offer = offer_named()

    assert offer.languages == ("ko", "en")
    assert {f"voice_styles/{speaker}.json" for speaker in offer.speakers} < {file.path for file in offer.files}
    assert {f"onnx/{name}" for name in ("vocoder.onnx", "tts.json")} < {file.path for file in offer.files}
    assert 390_000_000 < offer.size < 410_000_000
    assert all(source.startswith("https://") for source in offer.sources)
    assert any("machine_voice" in line for line in offer.licence.ko)


@pytest.mark.parametrize(
    ("before", "after"),
    [('"LICENSE" =', '"../LICENSE" ='), ('file = "LICENSE"', 'file = "COPYING"'), ("size = ", "size = -"),
     ("[files]", "[filez]"), ("name =", "name ;")],
)  # fmt: skip
def test_a_description_with_a_mistake_is_refused(tmp_path: Path, before: str, after: str) -> None:
    good = (Path(__file__).parents[2] / "src/changgu/telephony/speech/voices/supertonic-3.toml").read_text()
    assert read_offer(good).name == "supertonic-3"

    with pytest.raises(ValueError, match=r"voice|licence"):
        read_offer(good.replace(before, after))
