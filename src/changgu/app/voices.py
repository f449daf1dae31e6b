"""Which voice speaks for this desk, with its key, its stand-in, and what is said about it at the start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from changgu.acd.queues import Floor
from changgu.app.settings import Settings
from changgu.ground.trouble import BadInput, NotFound
from changgu.ground.whole_file import write_whole
from changgu.ivr_flows import service as menus
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import ChooseLanguage
from changgu.telephony.farewells import fixed_sentences
from changgu.telephony.pbx_packages import default_folder
from changgu.telephony.queue_experience import comfort_sentences
from changgu.telephony.speech.cloud import CloudAccess, CloudSynthesiser
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.neural import NeuralSynthesiser
from changgu.telephony.speech.prompts import MACHINE_VOICE, PromptStore
from changgu.telephony.speech.synthesiser import Synthesiser
from changgu.telephony.speech.voice_catalogue import InstalledVoice, VoiceUnavailable, installed, offer_named

KEY_FILE: Final = "voice.key"
"""In the data folder, mode 0600: the cloud service's key, and nothing else."""

HARD_TO_UNDERSTAND: Final = (
    "안내 음성: espeak-ng. 기계음이라 알아듣기 어렵습니다. 사람 목소리에 가까운 음성: changgu voice install, 녹음: "
    "changgu prompts script · the prompts' voice is espeak-ng, which is hard to understand; better ones: "
    "changgu voice install, or recordings: changgu prompts script"
)


@dataclass(frozen=True, slots=True)
class DeskVoice:
    """The voice of a desk."""

    synthesiser: Synthesiser
    stand_in: Synthesiser | None
    """Speaks until, and wherever, the voice cannot."""
    abroad: bool
    """It is spoken by another company's computers."""
    artificial: bool
    """It is a machine's, and callers should be told so."""
    said: str
    """One line about it, for whoever starts the desk."""

    @property
    def is_fallback(self) -> bool:
        """Whether it speaks only because there is no better one."""
        return self.said == HARD_TO_UNDERSTAND


def voices_folder(environment: Mapping[str, str]) -> Path:
    """Where fetched voices are kept: beside the private PBX, one folder for every desk of this user."""
    return default_folder(environment).parent / "voices"


def recordings_of(settings: Settings) -> Path:
    """Where a desk's recorded prompts lie."""
    return settings.data / "prompts" / "recorded"


def desk_voice(settings: Settings, environment: Mapping[str, str]) -> DeskVoice:
    """The voice that the settings ask for; raises `VoiceUnavailable`, NotFound or BadInput when it cannot be had."""
    voice = settings.voice
    if voice.use == "cloud":
        access = CloudAccess(
            voice.cloud_service, read_key(settings.data), voice.cloud_account, voice.cloud_address, voice.cloud_model,
            {str(language): speaker for language, speaker in voice.cloud_speakers.items()}, voice.speed,
        )  # fmt: skip
        return DeskVoice(
            CloudSynthesiser(access), EspeakSynthesiser(), True, True,
            f"안내 음성: {voice.cloud_service} ({access.base}). 안내 문장이 그곳으로 전송됩니다 · "
            f"the prompts' voice is a cloud service; their sentences are sent to {access.base}",
        )  # fmt: skip
    if voice.use != "espeak":
        found = installed(offer_named(voice.name), voices_folder(environment))
        if found is not None:
            return DeskVoice(
                neural(found, settings), EspeakSynthesiser(), False, True,
                f"안내 음성: {found.offer.title} {voice.speaker} · the prompts' voice",
            )  # fmt: skip
        if voice.use == "neural":
            raise VoiceUnavailable(
                '음성이 설치되어 있지 않습니다(voice.use = "neural"). 실행하십시오: changgu voice install',
                'No voice is installed (voice.use = "neural"). Type: changgu voice install',
            )
    pace = espeak_pace(voice.speed)
    return DeskVoice(EspeakSynthesiser(words_per_minute=pace), None, False, True, HARD_TO_UNDERSTAND)


def neural(found: InstalledVoice, settings: Settings) -> NeuralSynthesiser:
    """The fetched voice with the desk's speaker and speed; raises BadInput when it has no such speaker."""
    speaker = settings.voice.speaker
    if speaker not in found.offer.speakers:
        names = ", ".join(found.offer.speakers)
        raise BadInput(
            f"voice.speaker: {found.offer.title}에 {speaker} 화자가 없습니다. 있는 화자: {names}",
            f"voice.speaker: {found.offer.title} has no speaker {speaker}; it has {names}",
            field="voice.speaker",
        )
    return NeuralSynthesiser(found, speaker, settings.voice.speed)


def espeak_pace(speed: float) -> int:
    """Words per minute; 150 is clear over a telephone."""
    return round(150 * speed)


def prompt_store(
    settings: Settings, voice: DeskVoice, environment: Mapping[str, str], flow: Flow | None = None
) -> PromptStore:
    """The prompts of a desk with this menu on the air; raises ValueError when a catalogue cannot be read."""
    return PromptStore(
        default_folder(environment).parent / "sounds",  # by content, so one folder serves every desk of this user
        recordings_of(settings),
        voice.synthesiser,
        named_sentences(settings, flow),
        stand_in=voice.stand_in,
        abroad=voice.abroad,
    )


def named_sentences(settings: Settings, flow: Flow | None = None) -> dict[str, dict[str, str]]:
    """Language → prompt name → sentence, the desk's own language first; those of the menu's version over those of the
    files. Raises ValueError for a catalogue of the site that cannot be read."""
    main = settings.desk.language
    languages = (main, *(other for other in menus.LANGUAGES if other != main))
    version = flow.sentences if flow is not None else {}
    return {
        language: {**menus.sentences(language, settings.data / "prompts"), **version.get(language, {})}
        for language in languages
    }


def spoken_languages(flow: Flow, main: str) -> tuple[str, ...]:
    """The languages callers may hear: the desk's own, and those that the menu lets them choose."""
    chosen = {
        language
        for part in flow.all_flows()
        for node in part.nodes.values()
        if isinstance(node, ChooseLanguage)
        for language in node.languages.values()
    }
    return (main, *(language for language in menus.LANGUAGES if language in chosen and language != main))


def nameless_sentences(
    flow: Flow, floor: Floor, languages: Sequence[str], catalogue: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Language → every sentence of the desk that is known by its words and not by a name.

    `catalogue`: the sentences that are known by name; of a version that says a name in other words, these words."""
    said = {}
    for number, language in enumerate(languages):
        comfort = comfort_sentences(floor) if number == 0 else ()  # a sentence is in the desk's own language
        named = (catalogue or {}).get(language, {})
        others = () if catalogue is None else (
            text for name, text in flow.sentences.get(language, {}).items() if named.get(name) != text
        )  # fmt: skip
        written = (*fixed_sentences(language), *comfort, *flow.written_sentences(language), *others)
        said[language] = tuple(dict.fromkeys(written))
    return said


def says_it_is_a_machine(flow: Flow) -> bool:
    """Whether some node of the menu says `machine_voice`."""
    nodes = (node for part in flow.all_flows() for node in part.nodes.values())
    return any(MACHINE_VOICE in getattr(node, "prompts", ()) for node in nodes)


def read_key(data: Path) -> str:
    """The cloud service's key; raises NotFound, or BadInput when others can read it."""
    file = data / KEY_FILE
    try:
        key = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        key = ""
    if not key:
        raise NotFound(
            "클라우드 음성의 키가 없습니다. 실행하십시오: changgu voice key",
            "There is no key for the cloud voice. Type: changgu voice key",
        )
    if file.stat().st_mode & 0o077:
        raise BadInput(
            f"{file}을 다른 사용자가 읽을 수 있습니다. 다음을 실행하십시오: chmod 600 {file}",
            f"Other users can read {file}. Type: chmod 600 {file}",
        )
    return key


def write_key(data: Path, key: str) -> Path:
    """Keep the key, readable by its owner alone; raises BadInput for what is no key."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise BadInput("키가 아닙니다. 한 줄의 영문자와 숫자여야 합니다.", "This is no key: one line, without spaces.")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = data / KEY_FILE
    write_whole(file, f"{key}\n")
    return file
