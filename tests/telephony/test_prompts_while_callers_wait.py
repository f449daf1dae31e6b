"""Nobody waits for a voice: what is not there is left out, made meanwhile, or spoken by the stand-in."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from changgu.ivr_flows import service as menus
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Prompt, TextPrompt
from changgu.ivr_flows.spoken import pieces
from changgu.telephony.farewells import FAREWELLS
from changgu.telephony.speech.prompts import MOST_MAKINGS, TROUBLES_IN_A_ROW, PromptStore, recording_name
from changgu.telephony.speech.synthesiser import SpeechTrouble, Synthesiser
from tests.support.counting_voice import CountingVoice, hum
from tests.support.waiting import eventually

SENTENCES = {
    "ko": {"greeting": "안녕하십니까.", "bye": "안녕히 계십시오.", "digit_1": "일"},
    "en": {"greeting": "Hello."},
}


def store(
    folder: Path, voice: Synthesiser, *, stand_in: Synthesiser | None = None, abroad: bool = False
) -> PromptStore:
    return PromptStore(
        folder / "sounds", folder / "recorded", voice, SENTENCES, stand_in=stand_in, abroad=abroad
    )


async def until(so: Callable[[], bool]) -> None:
    async def look() -> bool:
        return so()

    await eventually(look, every=0.005)


def file_of(voice: CountingVoice, folder: Path, text: str, language: str = "ko") -> str:
    """Where this voice's sound of the text lies, whoever asks for it."""
    return str(store(folder, voice)._spoken(text, language, voice).with_suffix(""))


def written_in_shipped_menus(language: str) -> list[str]:
    flows = [menus.load_file(path) for path in menus.shipped_flows()]
    return [text for flow in flows for text in flow.written_sentences(language)]


def all_of_the_shipped_menus(language: str) -> list[Prompt]:
    named: list[Prompt] = [NamedPrompt(name) for name in menus.sentences(language)]
    texts: list[Prompt] = [TextPrompt(text) for text in written_in_shipped_menus(language)]
    return [*named, *texts, *FAREWELLS[language].values(), DigitsPrompt("20261122-000017")]


async def test_a_prompt_is_said_in_the_words_of_the_callers_own_version_without_waiting_for_a_voice(
    tmp_path: Path,
) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    old, new = "안녕하십니까.", "반갑습니다."

    prompts.renew({**SENTENCES, "ko": {**SENTENCES["ko"], "greeting": new}})  # another version goes on the air
    await prompts.prepare()
    said = list(voice.said)

    assert await prompts.sound(NamedPrompt("greeting", old)) == [file_of(voice, tmp_path, old)]
    assert await prompts.sound(NamedPrompt("greeting", new)) == [file_of(voice, tmp_path, new)]
    assert await prompts.sound(NamedPrompt("greeting")) == [file_of(voice, tmp_path, new)]
    assert voice.said == said

    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "greeting.wav").write_bytes(hum())
    await prompts.prepare()
    recorded = await prompts.sound(NamedPrompt("greeting"))
    assert await prompts.sound(NamedPrompt("greeting", old)) == recorded  # a person's recording always wins
    assert recorded not in ([file_of(voice, tmp_path, old)], [file_of(voice, tmp_path, new)])


async def test_the_greeting_says_that_a_machine_speaks_unless_a_person_does(tmp_path: Path) -> None:
    """The fallback, and every voice that is nobody's, says so to callers."""
    sentences = {"ko": {"greeting": "안녕하십니까.", "machine_voice": "인공 음성입니다.", "notice": "녹음됩니다."}}
    voice = CountingVoice()
    prompts = PromptStore(tmp_path / "sounds", tmp_path / "recorded", voice, sentences)
    said = [NamedPrompt("greeting"), NamedPrompt("machine_voice"), NamedPrompt("notice")]
    await prompts.prepare()
    assert len(await prompts.playlist(said, "ko")) == 3

    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded" / "greeting.wav").write_bytes(hum())
    await prompts.prepare()
    assert len(await prompts.playlist(said, "ko")) == 3, "the notice is still said by a machine"

    (tmp_path / "recorded" / "notice.wav").write_bytes(hum())
    await prompts.prepare()
    assert len(await prompts.playlist(said, "ko")) == 2
    assert len(await prompts.playlist([NamedPrompt("machine_voice")], "ko")) == 1


# ---- while a caller waits -------------------------------------------------------------------------------------------


async def test_nothing_is_synthesised_for_a_caller_in_the_shipped_menus(tmp_path: Path) -> None:
    voice = CountingVoice()
    prompts = PromptStore(tmp_path, None, voice, {language: menus.sentences(language) for language in ("ko", "en")})
    texts = {
        language: [*written_in_shipped_menus(language), *(said.text for said in FAREWELLS[language].values())]
        for language in ("ko", "en")
    }
    await prompts.prepare(("ko", "en"), texts)
    voice.said.clear()
    voice.hold()  # from here on every sentence would take for ever

    for language in ("ko", "en"):
        every = all_of_the_shipped_menus(language)
        async with asyncio.timeout(5):
            media = await prompts.playlist(every, language)
        assert len(media) == len(every) - 1 + 14, "one sound each, and one for each digit"
        assert len(pieces(language)) > 100
    assert voice.said == []


async def test_a_caller_does_not_wait_for_a_sentence_that_nobody_prepared_and_the_next_one_hears_it(
    tmp_path: Path,
) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    voice.hold()
    new = TextPrompt("방금 쓴 문장입니다.")

    async with asyncio.timeout(5):
        media = await prompts.playlist([NamedPrompt("greeting"), new, NamedPrompt("bye")], "ko")
        await voice.asked.wait()
        again = await prompts.playlist([new], "ko")

    assert len(media) == 2
    assert again == []
    assert voice.said.count(("ko", new.text)) == 1, "made once, however many ask"
    voice.release()
    await until(lambda: prompts.is_prepared(new))
    assert len(await prompts.playlist([new], "ko")) == 1
    await prompts.close()


async def test_what_may_be_said_soon_is_made_beforehand(tmp_path: Path) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    voice.said.clear()
    name = TextPrompt("김하나")

    prompts.expect([name, DigitsPrompt("1"), NamedPrompt("no_such_prompt")], "ko")
    await until(lambda: prompts.is_prepared(name))

    assert voice.said == [("ko", "김하나")]


async def test_a_sentence_that_cannot_be_made_is_asked_for_once(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.refuses.add("…")
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    voice.said.clear()

    for _ in range(3):
        assert await prompts.playlist([TextPrompt("…")], "ko") == []
        await until(lambda: voice.said == [("ko", "…")])
    await prompts.close()


async def test_sounds_that_are_on_disk_are_found_before_prepare_comes_to_them(tmp_path: Path) -> None:
    await store(tmp_path, CountingVoice()).prepare()
    voice = CountingVoice()
    voice.hold()

    prompts = store(tmp_path, voice)

    assert len(await prompts.playlist([NamedPrompt("greeting"), DigitsPrompt("1")], "ko")) == 2
    assert voice.said == []


async def test_a_changed_sentence_is_heard_once_it_is_made_and_the_old_one_until_then(tmp_path: Path) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    old = await prompts.sound(NamedPrompt("bye"))

    prompts.renew({"ko": {**SENTENCES["ko"], "bye": "고맙습니다."}, "en": SENTENCES["en"]})
    assert await prompts.sound(NamedPrompt("bye")) == old
    assert (await prompts.prepare()).made == 1

    assert await prompts.sound(NamedPrompt("bye")) == [file_of(voice, tmp_path, "고맙습니다.")]


async def test_closing_ends_what_is_being_made(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.hold()
    (tmp_path / "sounds").mkdir()
    prompts = store(tmp_path, voice)
    await prompts.playlist([NamedPrompt("greeting")], "ko")
    await voice.asked.wait()

    await prompts.close()

    assert voice.closed == 1
    voice.release()
    assert not prompts.is_prepared(NamedPrompt("greeting"))


# ---- the stand-in ---------------------------------------------------------------------------------------------------


async def test_the_stand_in_speaks_until_the_voice_has(tmp_path: Path) -> None:
    voice, quick = CountingVoice("slow"), CountingVoice("quick")
    prompts = store(tmp_path, voice, stand_in=quick)
    greeting = NamedPrompt("greeting")

    assert await prompts.stand_in() == 3
    assert await prompts.sound(greeting) == [file_of(quick, tmp_path, "안녕하십니까.")]
    assert voice.said == []
    assert quick.closed == 1

    await prompts.prepare()
    assert await prompts.sound(greeting) == [file_of(voice, tmp_path, "안녕하십니까.")]
    assert await store(tmp_path, voice, stand_in=quick).stand_in() == 0, "the voice has said it all"


async def test_a_voice_has_no_stand_in_but_when_it_is_given_one(tmp_path: Path) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)

    assert await prompts.stand_in() == 0
    assert voice.said == []


async def test_what_the_voice_cannot_say_the_stand_in_says(tmp_path: Path) -> None:
    voice, quick = CountingVoice("slow"), CountingVoice("quick")
    voice.refuses.add("일")
    prompts = store(tmp_path, voice, stand_in=quick)

    prepared = await prompts.prepare()

    assert prepared.ready == 3
    assert dict(prepared.failed) == {"digit_1": "'일' cannot be said"}
    assert await prompts.sound(DigitsPrompt("1")) == [file_of(quick, tmp_path, "일")]


async def test_a_voice_that_is_away_is_not_asked_three_hundred_times(tmp_path: Path) -> None:
    voice, quick = CountingVoice("slow"), CountingVoice("quick")
    voice.broken = True
    sentences = {"ko": {f"p{number}": f"문장 {number}." for number in range(30)}}
    prompts = PromptStore(tmp_path / "sounds", None, voice, sentences, stand_in=quick)

    prepared = await prompts.prepare()

    assert len(voice.said) == TROUBLES_IN_A_ROW
    assert (prepared.ready, prepared.stood_in) == (30, 30)
    assert list(prepared.failed) == ["p0", "p1", "p2"]

    voice.broken = False
    again = await prompts.prepare()
    assert (again.made, again.stood_in) == (30, 0), "the next time it is asked again"
    assert await prompts.sound(NamedPrompt("p7")) == [file_of(voice, tmp_path, "문장 7.")]


async def test_sentences_made_for_one_caller_are_never_sent_to_another_company(tmp_path: Path) -> None:
    cloud, local = CountingVoice("cloud"), CountingVoice("local")
    prompts = store(tmp_path, cloud, stand_in=local, abroad=True)
    await prompts.prepare()
    cloud.said.clear()
    name = TextPrompt("김하나 님, 안녕하십니까.")

    assert await prompts.playlist([name], "ko") == []
    await until(lambda: prompts.is_prepared(name))

    assert cloud.said == []
    assert local.said == [("ko", name.text)]


async def test_what_a_caller_is_told_is_nobodys_to_read_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    name = TextPrompt("김하나 님, 안녕하십니까.")
    voice.refuses.add(name.text)

    assert await prompts.playlist([name], "ko") == []
    await until(lambda: "cannot be made" in caplog.text)

    assert "left out" in caplog.text
    assert "김하나" not in caplog.text
    await prompts.close()


async def test_callers_with_many_sentences_do_not_bury_the_voice(tmp_path: Path) -> None:
    voice = CountingVoice()
    prompts = store(tmp_path, voice)
    await prompts.prepare()
    voice.said.clear()
    voice.hold()
    names = [TextPrompt(f"{number}번 손님") for number in range(MOST_MAKINGS + 5)]

    assert await prompts.playlist(names, "ko") == []
    await until(lambda: len(voice.said) == MOST_MAKINGS)
    voice.release()
    await until(lambda: prompts.is_prepared(names[MOST_MAKINGS - 1]))
    assert not prompts.is_prepared(names[-1])

    await prompts.playlist(names[-1:], "ko")
    await until(lambda: prompts.is_prepared(names[-1]))
    await prompts.close()


# ---- hearing a sentence before callers do ---------------------------------------------------------------------------


async def test_a_sentence_can_be_heard_before_callers_hear_just_that_file(tmp_path: Path) -> None:
    voice, quick = CountingVoice("slow"), CountingVoice("quick")
    prompts = store(tmp_path, voice, stand_in=quick)
    notice = TextPrompt("지금 전자결재 장애를 처리하고 있습니다.")

    file = await prompts.speak(notice.text, "ko")

    assert file.read_bytes() == hum()
    assert prompts.is_prepared(notice)
    assert await prompts.playlist([notice], "ko") == [f"sound:{file.with_suffix('')}"]
    assert await prompts.speak(notice.text, "ko") == file
    assert voice.said == [("ko", notice.text)]
    assert voice.closed == 0, "whoever tries one out will try another"
    await prompts.close()
    assert voice.closed == 1


async def test_a_voice_that_is_not_asked_for_a_while_rests(tmp_path: Path) -> None:
    voice = CountingVoice()
    prompts = PromptStore(tmp_path, None, voice, SENTENCES, rest_after=0.01)

    await prompts.speak("네.", "ko")

    await until(lambda: voice.closed == 1)


async def test_a_sentence_that_cannot_be_said_says_why(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.broken = True
    prompts = store(tmp_path, voice)

    with pytest.raises(SpeechTrouble, match="away"):
        await prompts.speak("네.", "ko")
    assert not prompts.is_prepared(TextPrompt("네."))
    await prompts.close()


# ---- recordings -----------------------------------------------------------------------------------------------------


def record(folder: Path, name: str) -> Callable[[], bytes]:
    file = folder / "recorded" / f"{name}.wav"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(hum() + b"by a person")
    return file.read_bytes


async def test_a_sentence_without_a_name_is_recorded_under_what_it_says(tmp_path: Path) -> None:
    voice, quick = CountingVoice("slow"), CountingVoice("quick")
    farewell = FAREWELLS["ko"][next(iter(FAREWELLS["ko"]))]
    content = record(tmp_path, recording_name(farewell))
    prompts = store(tmp_path, voice, stand_in=quick)

    await prompts.stand_in(texts={"ko": [farewell.text]})
    prepared = await prompts.prepare(texts={"ko": [farewell.text]})

    assert prepared.recorded == 1
    (path,) = await prompts.sound(farewell)
    assert Path(f"{path}.wav").read_bytes() == content()
    assert ("ko", farewell.text) not in voice.said
    assert (await prompts.speak(farewell.text, "ko")) == Path(f"{path}.wav"), "also where it is tried out"


async def test_numbers_are_recorded_digit_by_digit(tmp_path: Path) -> None:
    assert recording_name(DigitsPrompt("12")) == ""
    content = record(tmp_path, "ko/digit_1")
    prompts = store(tmp_path, CountingVoice())

    await prompts.prepare()

    (path,) = await prompts.sound(DigitsPrompt("1"))
    assert Path(f"{path}.wav").read_bytes() == content()
