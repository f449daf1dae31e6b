"""`changgu voice …` and `changgu prompts …`: who speaks the prompts, and what is left to be recorded."""

import asyncio
import io
import os
import sys
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from changgu.acd.store import FloorStore
from changgu.app.desk_commands import desk_settings, note, opened
from changgu.app.menu_versions import flows_of
from changgu.app.options import ConfigOption, DataOption
from changgu.app.settings import Settings
from changgu.app.voices import (
    desk_voice,
    named_sentences,
    nameless_sentences,
    neural,
    prompt_store,
    recordings_of,
    spoken_languages,
    voices_folder,
    write_key,
)
from changgu.ground.trouble import BadInput
from changgu.ivr_flows import service as menus
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.problems import FlowErrors
from changgu.telephony.speech.prompts import Prepared
from changgu.telephony.speech.script import as_csv, printed, script_of, strays
from changgu.telephony.speech.synthesiser import SpeechTrouble
from changgu.telephony.speech.voice_catalogue import (
    InstalledVoice,
    VoiceOffer,
    VoiceUnavailable,
    installed,
    offer_named,
)
from changgu.telephony.speech.voice_install import install, remove

voice_app = typer.Typer(help="안내 음성 · the voice of the prompts", no_args_is_help=True)
prompts_app = typer.Typer(help="안내문 · the prompts", no_args_is_help=True)

TRIAL = {"ko": "안녕하십니까. 정보시스템 서비스 데스크입니다.", "en": "Hello. This is the service desk."}

VoiceName = Annotated[str | None, typer.Argument(metavar="[VOICE]", help="기본: voice.name · by default voice.name")]
Language = Annotated[str | None, typer.Option(metavar="ko|en", help="언어(기본: 창구의 언어) · the language")]


def attach(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(voice_app, name="voice")
    app.add_typer(prompts_app, name="prompts")


# ---- voice ----------------------------------------------------------------------------------------------------------


@voice_app.command("install")
def install_voice(
    name: VoiceName = None,
    accept: Annotated[
        bool, typer.Option("--accept-licence", help="사용 조건에 동의합니다 · agree to the licence")
    ] = False,
    source: Annotated[
        str, typer.Option("--from", metavar="URL|DIR", help="다른 곳에 받아 둔 파일 · your own copy of the files")
    ] = "",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """신경망 음성을 내려받습니다. Fetch a neural voice (Korean and English); it then speaks every prompt."""
    settings = desk_settings(data, config)
    offer = offer_named(name or settings.voice.name)
    voices = voices_folder(os.environ)

    def agree(offered: VoiceOffer, text: str) -> bool:
        _show_licence(offered, text)
        if accept:
            return True
        if not sys.stdin.isatty():
            note("동의하려면 --accept-licence 를 붙이십시오 · to agree, add --accept-licence")
            return False
        return typer.confirm("동의합니까? · Do you agree?", err=True)

    if (there := installed(offer, voices)) is None:
        note(f"{offer.title}: {offer.size // 1_000_000} MB → {voices / offer.name}")
        there = install(offer, voices, agree, note, source=source)
    note(asyncio.run(_try_out(there, settings)))
    if settings.voice.use in ("auto", "neural"):
        note("이 음성이 안내문을 읽습니다. 다음 시작에 적용됩니다. 미리 만들기: changgu prompts make")
        note("This voice speaks the prompts from the next start on; make them beforehand: changgu prompts make")
    else:
        note(f'voice.use = "{settings.voice.use}": 설정을 바꾸어야 쓰입니다 · change it to use this voice')


@voice_app.command()
def status(data: DataOption = None, config: ConfigOption = None) -> None:
    """어느 음성이 안내문을 읽는지. Say which voice speaks the prompts of this desk."""
    settings = desk_settings(data, config)
    typer.echo(desk_voice(settings, os.environ).said)
    offer = offer_named(settings.voice.name)
    there = installed(offer, voices_folder(os.environ))
    typer.echo(f"{offer.name}: {there.folder if there else 'not installed'}")


@voice_app.command("remove")
def remove_voice(name: VoiceName = None, data: DataOption = None, config: ConfigOption = None) -> None:
    """내려받은 음성을 지웁니다. Take a fetched voice off the disk; prompts it has made stay."""
    settings = desk_settings(data, config)
    gone = remove(offer_named(name or settings.voice.name), voices_folder(os.environ))
    typer.echo("removed" if gone else "was not installed")


@voice_app.command()
def key(data: DataOption = None, config: ConfigOption = None) -> None:
    """클라우드 음성의 키를 표준 입력에서 받아 둡니다. Keep the cloud voice's key, read from standard input."""
    settings = desk_settings(data, config)
    by_hand = sys.stdin.isatty()
    given = typer.prompt("키 · key", hide_input=True, err=True) if by_hand else sys.stdin.readline()
    note(f"{write_key(settings.data, given)} (mode 0600)")


@voice_app.command("say")
def say_sentence(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.wav", help="쓸 파일 · the file to write")],
    language: Language = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """이 창구의 음성으로 한 문장을 파일로. Write a sentence, as callers would hear it, to a file."""
    settings = desk_settings(data, config)
    voice = desk_voice(settings, os.environ).synthesiser

    async def speak() -> bytes:
        try:
            return await voice.speak(text, language or settings.desk.language)
        finally:
            await voice.close()

    try:
        sound = asyncio.run(speak())
        out.write_bytes(sound)
    except SpeechTrouble as trouble:
        raise BadInput(f"말할 수 없습니다: {trouble}", f"This cannot be said: {trouble}") from trouble
    except OSError as trouble:
        raise BadInput(f"{out}: 쓸 수 없습니다({trouble.strerror}).", f"{out}: {trouble.strerror}.") from trouble


def _show_licence(offer: VoiceOffer, text: str) -> None:
    note(text.rstrip())
    note("")
    note(f"{offer.title}  ·  {offer.licence.name}  ·  {offer.card}")
    for line in (*offer.licence.ko, *offer.licence.en):
        note(f"  - {line}")


async def _try_out(voice: InstalledVoice, settings: Settings) -> str:
    """Whether it speaks, and how fast; raises `VoiceUnavailable`."""
    speaks = neural(voice, settings)
    language = settings.desk.language
    try:
        await speaks.speak("네.", language)  # loads the networks
        began = monotonic()
        sound = await speaks.speak(TRIAL[language], language)
        took = monotonic() - began
    except SpeechTrouble as trouble:
        raise VoiceUnavailable(
            f"음성을 설치했으나 말하지 못합니다: {trouble}", f"The voice is there but does not speak: {trouble}"
        ) from trouble
    finally:
        await speaks.close()
    with wave.open(io.BytesIO(sound)) as said:
        share = took * said.getframerate() / said.getnframes()
    return f"1초 말하는 데 {share:.2f}초 · one second of speech takes {share:.2f} s to make"


# ---- prompts --------------------------------------------------------------------------------------------------------


@prompts_app.command("script")
def script(
    language: Language = None,
    missing: Annotated[bool, typer.Option("--missing", help="녹음되지 않은 것만 · only what is not recorded")] = False,
    table: Annotated[bool, typer.Option("--csv", help="스프레드시트용 · for a spreadsheet")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """사람이 읽어 녹음할 대본. Print the sheet that a human speaker reads."""
    settings = desk_settings(data, config)
    spoken = language or settings.desk.language
    if spoken not in menus.LANGUAGES:
        names = ", ".join(menus.LANGUAGES)
        raise BadInput(f"--language {spoken}: {names} 중 하나", f"--language {spoken}: one of {names}")
    said = asyncio.run(_said_by(settings, (spoken,)))
    sentences = named_sentences(settings, said.on_air)[spoken]
    recordings = recordings_of(settings)
    lines = script_of(spoken, sentences, said.nameless[spoken], recordings, main=spoken == settings.desk.language)
    if table:
        typer.echo(as_csv(line for line in lines if not (missing and line.recorded)), nl=False)
    else:
        typer.echo(printed(spoken, lines, recordings, missing=missing))
    known = [line.name for line in lines]
    if spoken == settings.desk.language:
        for file in strays(recordings, (spoken,), known):
            note(f"{file}: 이 이름의 안내문이 없습니다 · no prompt is called after it")


@prompts_app.command("make")
def make(data: DataOption = None, config: ConfigOption = None) -> None:
    """안내문의 소리를 미리 만듭니다. Make the sound of every prompt now, before the desk opens."""
    settings = desk_settings(data, config)
    voice = desk_voice(settings, os.environ)
    note(voice.said)

    async def prepare() -> Prepared:
        said = await _said_by(settings, ())
        store = prompt_store(settings, voice, os.environ, said.on_air)

        def progress(done: int, wanted: int) -> None:
            if done == wanted or done % 40 == 0:
                note(f"{done}/{wanted}")

        try:
            return await store.prepare(said.languages, said.nameless, progress)
        finally:
            await store.close()

    done = asyncio.run(prepare())
    for name, why in done.failed.items():
        note(f"{name}: {why}")
    counted = f"ready {done.ready}  made {done.made}  recorded {done.recorded}"
    typer.echo(f"{counted}  by espeak-ng instead {done.stood_in}" if voice.stand_in else counted)
    if done.failed or done.stood_in:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Said:
    """What callers hear, or will: the menu on the air, the draft at the pilot number, and what is scheduled."""

    on_air: Flow
    languages: Sequence[str]
    nameless: Mapping[str, Sequence[str]]
    """Language → sentences that no name stands for."""


async def _said_by(settings: Settings, languages: Sequence[str]) -> _Said:
    """In these languages, or in all that callers may hear."""
    async with opened(settings) as database:
        floor = await FloorStore(database).load_floor()
        with _readable(settings):
            flows = await flows_of(settings, database)
    with _readable(settings):
        named = named_sentences(settings, flows[0])
    spoken = tuple(dict.fromkeys(languages or (one for flow in flows for one in spoken_languages(
        flow, settings.desk.language
    ))))  # fmt: skip
    nameless: dict[str, dict[str, None]] = {language: {} for language in spoken}
    for flow in flows:
        for language, texts in nameless_sentences(flow, floor, spoken, named).items():
            nameless[language] |= dict.fromkeys(texts)
    return _Said(flows[0], spoken, {language: tuple(texts) for language, texts in nameless.items()})


@contextmanager
def _readable(settings: Settings) -> Iterator[None]:
    """What is wrong with the site's menu or sentences is said like every other mistake."""
    try:
        yield
    except FlowErrors as wrong:
        raise BadInput(str(wrong), str(wrong)) from wrong
    except ValueError as wrong:
        folder = settings.data / "prompts"
        raise BadInput(f"{folder}: {wrong}", f"{folder}: {wrong}") from wrong
