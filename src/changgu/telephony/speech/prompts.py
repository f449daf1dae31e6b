"""The desk's prompts as sound files, all made before the first caller needs them.

A prompt is looked for in this order: a recording of that name made by a person
(`<recordings>/<language>/<name>.wav`, for the desk's main language also `<recordings>/<name>.wav`), then the sentence
of that name said by the desk's voice, then said by the stand-in (espeak-ng, when the desk's voice is another one). All
end in one folder, under a name that is the hash of all that decides how they sound; a changed sentence, voice or
recording is a new file, and an unchanged one is never made twice. Beside each lies what a line with µ-law carries of
it, as headerless G.711: Asterisk takes that where it fits, and need not translate for every caller.

While a caller waits nothing is ever synthesised. A sentence that did not exist when `prepare` last ran is left out for
that caller and made meanwhile, for the next one.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from changgu.ground.whole_file import write_whole
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Prompt, TextPrompt
from changgu.ivr_flows.spoken import digit_pieces
from changgu.telephony.speech.mu_law import on_the_line
from changgu.telephony.speech.synthesiser import SOUND_VERSION, SpeechRefused, SpeechTrouble, Synthesiser

logger = logging.getLogger(__name__)

TROUBLES_IN_A_ROW = 3
"""After so many a voice is not asked for the rest of a preparation: it is away, or broken."""

MOST_MAKINGS = 20
"""Sentences that are made at the same time while callers wait: more, and none would be ready for the next caller."""

MACHINE_VOICE = NamedPrompt("machine_voice")
"""Says that nobody speaks; the licence of a neural voice asks for it, and so do callers."""

REST_AFTER = 120.0
"""Seconds after a single sentence for which the voice stays loaded: whoever tries one out will try another."""

Progress = Callable[[int, int], None]
"""Called with how many prompts are ready, and of how many."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` found and made."""

    ready: int
    made: int
    """Synthesised or adapted now; the others were there already."""
    recorded: int
    """Spoken by a person."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Prompt name or sentence → why the voice has no sound of it, or a person's recording could not be used. A voice
    that was given up is named with its first prompts only."""
    stood_in: int = 0
    """Said by the stand-in instead."""


class PromptStore:
    """Finds the sound of a prompt; makes what is missing, at the latest before the second caller needs it."""

    def __init__(
        self,
        folder: Path,
        recordings: Path | None,
        synthesiser: Synthesiser,
        sentences: Mapping[str, Mapping[str, str]],
        *,
        stand_in: Synthesiser | None = None,
        abroad: bool = False,
        rest_after: float = REST_AFTER,
    ) -> None:
        """`folder` must be readable by Asterisk; `sentences`: language → prompt name → sentence, the desk's main
        language first; `stand_in` speaks until, and wherever, the voice cannot; `abroad`: the voice is another
        company's, so sentences that nobody prepared, which may hold what a caller asked for, are not sent to it."""
        self._folder = folder.absolute()
        self._recordings = recordings
        self._synthesiser = synthesiser
        self._stand_in = stand_in
        self._on_the_spot = stand_in if abroad else synthesiser
        self._sentences = sentences
        self._main_language = next(iter(sentences))
        self._sounds: dict[_Key, str] = {}
        self._left_out: set[_Key] = set()
        self._makings: set[asyncio.Task[None]] = set()
        self._preparing = 0
        self._rest_after = rest_after
        self._rest: asyncio.TimerHandle | None = None

    # ---- before callers -------------------------------------------------------------------------------------------

    async def prepare(
        self,
        languages: Sequence[str] | None = None,
        texts: Mapping[str, Iterable[str]] | None = None,
        progress: Progress | None = None,
    ) -> Prepared:
        """Make every named prompt, and these `texts` (language → sentences), that is not there yet.

        Without `languages`: the desk's main one. Run it again after sentences or recordings changed; callers go on
        hearing the old ones until each new one is ready. What fails is said by the stand-in if there is one, or left
        out; it is logged and returned.
        """
        wanted = self._wanted(languages, texts)
        made = recorded = stood_in = 0
        failed: dict[str, str] = {}
        self._left_out.clear()
        self._preparing += 1
        asked = _Patience()
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            there = await asyncio.to_thread(self._there, wanted)
            for count, key in enumerate(wanted, start=1):
                if (outcome := there.get(key)) is None:
                    outcome = await self._prepare_one(key, failed, asked)
                made += outcome.made
                recorded += outcome.recorded
                stood_in += outcome.stood_in
                if progress is not None:
                    progress(count, len(wanted))
        finally:
            self._preparing -= 1
            await self._close_when_idle()  # nothing more to say for now
        ready = sum(key in self._sounds for key in wanted)
        for name, why in failed.items():
            logger.warning("the prompt '%s' cannot be made: %s", name, why)
        if stood_in:
            logger.warning("%d prompts are spoken by the stand-in, because the voice could not", stood_in)
        return Prepared(ready, made, recorded, failed, stood_in)

    @property
    def sentences(self) -> Mapping[str, Mapping[str, str]]:
        """Language → prompt name → what it says now."""
        return self._sentences

    def renew(self, sentences: Mapping[str, Mapping[str, str]]) -> None:
        """The sentences have changed: the next `prepare` makes them, and until then callers hear the old ones."""
        self._sentences = sentences

    async def stand_in(
        self, languages: Sequence[str] | None = None, texts: Mapping[str, Iterable[str]] | None = None
    ) -> int:
        """Give what the voice has not said yet the stand-in's sound, which takes a moment where the voice takes
        minutes; how many there are of them. Without a stand-in: none."""
        if self._stand_in is None:
            return 0
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        wanted = self._wanted(languages, texts)
        there = await asyncio.to_thread(self._there, wanted)
        missing = [key for key in wanted if key not in there and key not in self._sounds]
        for language, prompt in missing:
            text = self._text_of(prompt, language) or ""
            try:
                path, _ = await self._synthesised(text, language, self._stand_in)
            except (SpeechTrouble, OSError) as trouble:
                logger.debug("no stand-in for '%s': %s", text, trouble)
            else:
                self._sounds.setdefault((language, prompt), path)
        await self._stand_in.close()
        return len(missing)

    async def speak(self, text: str, language: str) -> Path:
        """The sound file of one sentence, made now by the desk's voice if need be: for somebody who wants to hear it
        before callers do. They will then hear just this file. Raises `SpeechTrouble` or OSError."""
        key = (language, TextPrompt(text))
        path = await asyncio.to_thread(self._on_disk, key, only_the_voice=True)
        if path is None:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            self._preparing += 1
            try:
                path, _ = await self._synthesised(text, language, self._synthesiser)
            finally:
                self._preparing -= 1
                self._rest_later()
        self._sounds[key] = path
        self._left_out.discard(key)
        return Path(f"{path}.wav")

    async def close(self) -> None:
        """End what is being made, and the voices' processes."""
        for making in self._makings:
            making.cancel()
        await asyncio.gather(*self._makings, return_exceptions=True)
        if self._rest is not None:
            self._rest.cancel()
        await self._synthesiser.close()
        if self._stand_in is not None:
            await self._stand_in.close()

    def _wanted(self, languages: Sequence[str] | None, texts: Mapping[str, Iterable[str]] | None) -> "list[_Key]":
        wanted: list[_Key] = []
        for language in languages or (self._main_language,):
            wanted += [(language, NamedPrompt(name)) for name in self._sentences.get(language, {})]
            wanted += [(language, TextPrompt(text)) for text in (texts or {}).get(language, ())]
        return list(dict.fromkeys(wanted))

    def _there(self, wanted: "Iterable[_Key]") -> "dict[_Key, _Made]":
        """Those of which there is the right sound already: usually all, and looked through without changing threads."""
        found: dict[_Key, _Made] = {}
        for key in wanted:
            path = self._on_disk(key, only_the_voice=True)
            if path is not None:
                self._sounds[key] = path
                found[key] = _Made(made=False, recorded=self._recording_of(*key) is not None)
        return found

    def _on_disk(self, key: "_Key", *, only_the_voice: bool = False) -> str | None:
        """The best sound there is without making one; `only_the_voice`: or none that has still something to be done."""
        language, prompt = key
        recording = self._recording_of(language, prompt)
        text = self._text_of(prompt, language) or ""
        files: list[Path] = []
        try:
            if recording is not None:
                files.append(self._recorded(recording.read_bytes()))
            if recording is None or not only_the_voice:  # a new recording is not adapted yet
                files.append(self._spoken(text, language, self._synthesiser))
            if self._stand_in is not None and not only_the_voice:
                files.append(self._spoken(text, language, self._stand_in))
            there = (file for file in files if file.exists() and (not only_the_voice or _line_file(file).exists()))
            return next((_without_extension(file) for file in there), None)
        except OSError:
            return None  # said when it is made

    async def _prepare_one(self, key: "_Key", failed: dict[str, str], asked: "_Patience") -> "_Made":
        language, prompt = key
        recording = await asyncio.to_thread(self._recording_of, language, prompt)
        if recording is not None:
            try:
                path, made = await self._adapted(recording)
                self._sounds[key] = path
                return _Made(made, recorded=True)
            except (SpeechTrouble, OSError) as trouble:
                failed[str(recording)] = str(trouble)
        text = self._text_of(prompt, language) or ""
        named = prompt.name if isinstance(prompt, NamedPrompt) else text
        for voice in (self._synthesiser, self._stand_in):
            if voice is None or (voice is self._synthesiser and asked.is_over):
                continue
            try:
                path, made = await self._synthesised(text, language, voice)
            except (SpeechTrouble, OSError) as trouble:
                failed.setdefault(named, str(trouble))
                if voice is self._synthesiser:
                    asked.failed(trouble)
            else:
                if voice is self._synthesiser:
                    asked.answered()
                self._sounds[key] = path
                return _Made(made, recorded=False, stood_in=voice is self._stand_in)
        if asked.is_over:
            failed.setdefault(named, "the voice is not asked any more")
        return _Made(made=False, recorded=False)

    def _recording_of(self, language: str, prompt: Prompt) -> Path | None:
        name = recording_name(prompt)
        if self._recordings is None or not name:
            return None
        places = [self._recordings / language / f"{name}.wav"]
        if language == self._main_language:
            places.append(self._recordings / f"{name}.wav")
        return next((place for place in places if place.is_file()), None)

    async def _adapted(self, recording: Path) -> tuple[str, bool]:
        content = await asyncio.to_thread(recording.read_bytes)
        file = self._recorded(content)
        if await asyncio.to_thread(_is_whole, file):
            return _without_extension(file), False
        await asyncio.to_thread(_write_both, file, await self._synthesiser.adapt(recording))
        return _without_extension(file), True

    async def _synthesised(self, text: str, language: str, voice: Synthesiser) -> tuple[str, bool]:
        file = self._spoken(text, language, voice)
        if await asyncio.to_thread(_is_whole, file):
            return _without_extension(file), False
        await asyncio.to_thread(_write_both, file, await voice.speak(text, language))
        return _without_extension(file), True

    def _recorded(self, content: bytes) -> Path:
        return self._file_of(f"recording:{SOUND_VERSION}", hashlib.sha256(content).hexdigest())

    def _spoken(self, text: str, language: str, voice: Synthesiser) -> Path:
        return self._file_of(voice.voice(language), text)

    def _file_of(self, *decides: str) -> Path:
        return self._folder / f"{hashlib.sha256(chr(0).join(decides).encode()).hexdigest()[:32]}.wav"

    # ---- while callers wait ---------------------------------------------------------------------------------------

    def is_prepared(self, prompt: Prompt, language: str | None = None) -> bool:
        """Whether the prompt can be said without making anything."""
        spoken_in = language or self._main_language
        return all((spoken_in, piece) in self._sounds for piece in _pieces_of(prompt))

    async def sound(self, prompt: Prompt, language: str | None = None) -> list[str]:
        """Absolute paths without extension, in the order to be played; empty when it cannot be said now."""
        spoken_in = language or self._main_language
        found = [await self._sound_of(piece, spoken_in) for piece in _pieces_of(prompt)]
        return [path for path in found if path is not None]

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        """Media URIs for ARI's `play`, in order; what cannot be said now is left out and logged."""
        if any(_says_it_is_a_machine(prompt) for prompt in prompts):
            prompts = await asyncio.to_thread(self._truly_said, prompts, language)
        return [f"sound:{path}" for prompt in prompts for path in await self.sound(prompt, language)]

    def _truly_said(self, prompts: Sequence[Prompt], language: str) -> Sequence[Prompt]:
        """Where all that is said with it has been recorded by a person, no machine is speaking."""
        others = [prompt for prompt in prompts if not _says_it_is_a_machine(prompt)]
        a_person_speaks = bool(others) and all(self._recording_of(language, one) is not None for one in others)
        return others if a_person_speaks else prompts

    def expect(self, prompts: Iterable[Prompt], language: str) -> None:
        """These may be said soon: what is missing of them is made meanwhile, and nobody waits for it."""
        for prompt in prompts:
            for piece in _pieces_of(prompt):
                if (language, piece) not in self._sounds and self._text_of(piece, language) is not None:
                    self._make_meanwhile((language, piece))

    async def _sound_of(self, piece: Prompt, language: str) -> str | None:
        if isinstance(piece, NamedPrompt) and piece.text:
            if self._sentences.get(language, {}).get(piece.name) == piece.text:
                piece = NamedPrompt(piece.name)
            else:
                piece = await asyncio.to_thread(self._in_words_of_then, piece, language)
        key = (language, piece)
        ready = self._sounds.get(key)
        if ready is None and key not in self._left_out:
            ready = await asyncio.to_thread(self._on_disk, key)
            if ready is not None:
                self._sounds[key] = ready
            elif self._text_of(piece, language) is None:
                self._leave_out(key, "it has no sentence")
            else:
                self._leave_out(key, "nobody prepared it; it is made now, for the next caller")
                self._make_meanwhile(key)
        return ready or await self._in_main_language(piece, language)

    def _in_words_of_then(self, piece: NamedPrompt, language: str) -> Prompt:
        """A prompt that another version of the menu says in other words; a person's recording of it always wins."""
        known = NamedPrompt(piece.name)
        return known if self._recording_of(language, known) is not None else TextPrompt(piece.text)

    async def _in_main_language(self, piece: Prompt, language: str) -> str | None:
        """Better heard in the desk's own language than not at all; a sentence written on the spot has only one."""
        if language == self._main_language or isinstance(piece, TextPrompt):
            return None
        return await self._sound_of(piece, self._main_language)

    def _make_meanwhile(self, key: "_Key") -> None:
        name = f"prompt {hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"
        if self._on_the_spot is None or any(making.get_name() == name for making in self._makings):
            return
        if len(self._makings) >= MOST_MAKINGS:
            self._left_out.discard(key)  # the next caller asks for it again
            return
        making = asyncio.create_task(self._make(key, self._on_the_spot), name=name)
        self._makings.add(making)
        making.add_done_callback(self._makings.discard)

    async def _make(self, key: "_Key", voice: Synthesiser) -> None:
        language, prompt = key
        self._preparing += 1
        try:
            path, _ = await self._synthesised(self._text_of(prompt, language) or "", language, voice)
        except (SpeechTrouble, OSError) as trouble:
            logger.warning("a new sentence cannot be made: %s: %s", _kind_of(prompt), type(trouble).__name__)
        else:
            self._sounds.setdefault(key, path)
            self._left_out.discard(key)
        finally:
            self._preparing -= 1
            self._rest_later()

    def _rest_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        loop = asyncio.get_running_loop()
        self._rest = loop.call_later(self._rest_after, self._begin_rest)

    def _begin_rest(self) -> None:
        resting = asyncio.get_running_loop().create_task(self._close_when_idle(), name="the voice rests")
        self._makings.add(resting)
        resting.add_done_callback(self._makings.discard)

    async def _close_when_idle(self) -> None:
        if self._preparing == 0:
            await self._synthesiser.close()
            if self._stand_in is not None:
                await self._stand_in.close()

    def _text_of(self, piece: Prompt, language: str) -> str | None:
        match piece:
            case NamedPrompt(name):
                return self._sentences.get(language, {}).get(name)
            case TextPrompt(text):
                return text
            case DigitsPrompt():
                return None

    def _leave_out(self, key: "_Key", why: str) -> None:
        self._left_out.add(key)
        language, piece = key
        logger.warning("left out of what a caller hears: %s (%s): %s", _kind_of(piece), language, why)


def _says_it_is_a_machine(prompt: Prompt) -> bool:
    return isinstance(prompt, NamedPrompt) and prompt.name == MACHINE_VOICE.name


def _kind_of(piece: Prompt) -> str:
    """What may be said of it in a log: a sentence may hold a caller's name, number or ticket."""
    return piece.name if isinstance(piece, NamedPrompt) else "a sentence" if isinstance(piece, TextPrompt) else "digits"


def recording_name(prompt: Prompt) -> str:
    """The name, without `.wav`, under which a recording of this prompt is found; a sentence that has no name is found
    by what it says. Empty for numbers, which are recorded digit by digit."""
    match prompt:
        case NamedPrompt(name):
            return name
        case TextPrompt(text):
            return f"text-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
        case DigitsPrompt():
            return ""


_Key = tuple[str, Prompt]
"""A language and what is said in it."""


class _Patience:
    """How often a voice may fail in one preparation."""

    def __init__(self) -> None:
        self._in_a_row = 0

    @property
    def is_over(self) -> bool:
        return self._in_a_row >= TROUBLES_IN_A_ROW

    def failed(self, trouble: Exception) -> None:
        if not isinstance(trouble, SpeechRefused):  # that is the sentence's fault
            self._in_a_row += 1

    def answered(self) -> None:
        self._in_a_row = 0


@dataclass(frozen=True, slots=True)
class _Made:
    made: bool
    recorded: bool
    stood_in: bool = False


def _pieces_of(prompt: Prompt) -> tuple[Prompt, ...]:
    match prompt:
        case DigitsPrompt(digits):
            return digit_pieces(digits)
        case NamedPrompt() | TextPrompt():
            return (prompt,)
        case _:
            assert_never(prompt)


def _without_extension(file: Path) -> str:
    return str(file.with_suffix(""))


def _line_file(file: Path) -> Path:
    return file.with_suffix(".ulaw")


def _is_whole(file: Path) -> bool:
    """Whether a sound is there; what the line carries of it is made if only that is missing."""
    if not file.exists():
        return False
    if not _line_file(file).exists():
        _write(_line_file(file), on_the_line(file.read_bytes()))
    return True


def _write_both(file: Path, content: bytes) -> None:
    _write(_line_file(file), on_the_line(content))
    _write(file, content)


def _write(file: Path, content: bytes) -> None:
    """All of it or nothing: Asterisk may be about to play the file, and another process may be writing it."""
    write_whole(file, content, mode=0o644)  # Asterisk may run under another name
