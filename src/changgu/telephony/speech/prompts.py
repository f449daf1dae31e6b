"""The desk's prompts as sound files, all made before the first caller needs them.

A prompt is looked for in this order: a recording of that name made by a person
(`<recordings>/<language>/<name>.wav`, for the desk's main language also `<recordings>/<name>.wav`), then the sentence
of that name said by the synthesiser. Both end in one folder, under a name that is the hash of all that decides how
they sound; a changed sentence, voice or recording is a new file, and an unchanged one is never made twice.

While callers are served nothing is looked up on disk and nothing is synthesised, except a sentence that did not exist
when `prepare` last ran.
"""

import asyncio
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, Prompt, TextPrompt
from changgu.ivr_flows.spoken import digit_pieces
from changgu.telephony.speech.synthesiser import SOUND_VERSION, SpeechTrouble, Synthesiser

logger = logging.getLogger(__name__)

LONGEST_WAIT_FOR_A_NEW_SENTENCE = 3.0
"""Seconds a caller may wait in silence for a sentence that nobody prepared; then it is left out."""

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
    """Prompt name or sentence → why there is no sound of it (or of its recording)."""


class PromptStore:
    """Finds the sound of a prompt; makes what is missing."""

    def __init__(
        self,
        folder: Path,
        recordings: Path | None,
        synthesiser: Synthesiser,
        sentences: Mapping[str, Mapping[str, str]],
    ) -> None:
        """`folder` must be readable by Asterisk; `sentences`: language → prompt name → sentence, the desk's main
        language first."""
        self._folder = folder.absolute()
        self._recordings = recordings
        self._synthesiser = synthesiser
        self._sentences = sentences
        self._main_language = next(iter(sentences))
        self._sounds: dict[tuple[str, Prompt], str] = {}
        self._left_out: set[tuple[str, Prompt]] = set()

    # ---- before callers -------------------------------------------------------------------------------------------

    async def prepare(
        self,
        languages: Sequence[str] | None = None,
        texts: Mapping[str, Iterable[str]] | None = None,
        progress: Progress | None = None,
    ) -> Prepared:
        """Make every named prompt, and these `texts` (language → sentences), that is not there yet.

        Without `languages`: the desk's main one. Run it again after sentences or recordings changed; callers go on
        hearing the old ones until each new one is ready. What fails is logged, left out and returned.
        """
        wanted: list[tuple[str, Prompt]] = []
        for language in languages or (self._main_language,):
            wanted += [(language, NamedPrompt(name)) for name in self._sentences.get(language, {})]
            wanted += [(language, TextPrompt(text)) for text in (texts or {}).get(language, ())]
        wanted = list(dict.fromkeys(wanted))
        made = recorded = 0
        failed: dict[str, str] = {}
        self._left_out.clear()
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            there = await asyncio.to_thread(self._there, wanted)
            for count, (language, prompt) in enumerate(wanted, start=1):
                if (outcome := there.get((language, prompt))) is None:
                    outcome = await self._prepare_one(language, prompt, failed)
                made += outcome.made
                recorded += outcome.recorded
                if progress is not None:
                    progress(count, len(wanted))
        finally:
            await self._synthesiser.close()  # nothing more to say for now
        ready = sum(key in self._sounds for key in wanted)
        for name, why in failed.items():
            logger.warning("the prompt '%s' cannot be made: %s", name, why)
        return Prepared(ready, made, recorded, failed)

    def _there(self, wanted: Iterable[tuple[str, Prompt]]) -> "dict[tuple[str, Prompt], _Made]":
        """Those of which there is a sound already: usually all, and looked through without changing threads."""
        found: dict[tuple[str, Prompt], _Made] = {}
        for language, prompt in wanted:
            name = prompt.name if isinstance(prompt, NamedPrompt) else ""
            recording = self._recording_of(language, name) if name else None
            try:
                file = self._recorded(recording.read_bytes()) if recording else self._spoken(prompt, language)
                is_there = file.exists()
            except OSError:
                continue  # said when it is made
            if is_there:
                self._sounds[language, prompt] = _without_extension(file)
                found[language, prompt] = _Made(made=False, recorded=recording is not None)
        return found

    async def _prepare_one(self, language: str, prompt: Prompt, failed: dict[str, str]) -> "_Made":
        name = prompt.name if isinstance(prompt, NamedPrompt) else ""
        recording = await asyncio.to_thread(self._recording_of, language, name) if name else None
        if recording is not None:
            try:
                path, made = await self._adapted(recording)
                self._sounds[language, prompt] = path
                return _Made(made, recorded=True)
            except (SpeechTrouble, OSError) as trouble:
                failed[str(recording)] = str(trouble)
        text = self._text_of(prompt, language) or ""
        try:
            path, made = await self._synthesised(text, language)
        except (SpeechTrouble, OSError) as trouble:
            failed[name or text] = str(trouble)
            return _Made(made=False, recorded=False)
        self._sounds[language, prompt] = path
        return _Made(made, recorded=False)

    def _recording_of(self, language: str, name: str) -> Path | None:
        if self._recordings is None:
            return None
        places = [self._recordings / language / f"{name}.wav"]
        if language == self._main_language:
            places.append(self._recordings / f"{name}.wav")
        return next((place for place in places if place.is_file()), None)

    async def _adapted(self, recording: Path) -> tuple[str, bool]:
        content = await asyncio.to_thread(recording.read_bytes)
        file = self._recorded(content)
        if await asyncio.to_thread(file.exists):
            return _without_extension(file), False
        await asyncio.to_thread(_write, file, await self._synthesiser.adapt(recording))
        return _without_extension(file), True

    async def _synthesised(self, text: str, language: str) -> tuple[str, bool]:
        file = self._file_of(self._synthesiser.voice(language), text)
        if await asyncio.to_thread(file.exists):
            return _without_extension(file), False
        await asyncio.to_thread(_write, file, await self._synthesiser.speak(text, language))
        return _without_extension(file), True

    def _recorded(self, content: bytes) -> Path:
        return self._file_of(f"recording:{SOUND_VERSION}", hashlib.sha256(content).hexdigest())

    def _spoken(self, prompt: Prompt, language: str) -> Path:
        return self._file_of(self._synthesiser.voice(language), self._text_of(prompt, language) or "")

    def _file_of(self, *decides: str) -> Path:
        return self._folder / f"{hashlib.sha256(chr(0).join(decides).encode()).hexdigest()[:32]}.wav"

    # ---- while callers wait ---------------------------------------------------------------------------------------

    def is_prepared(self, prompt: Prompt, language: str | None = None) -> bool:
        """Whether the prompt can be said without making anything."""
        spoken_in = language or self._main_language
        return all((spoken_in, piece) in self._sounds for piece in _pieces_of(prompt))

    async def sound(self, prompt: Prompt, language: str | None = None) -> list[str]:
        """Absolute paths without extension, in the order to be played; empty when it cannot be said."""
        spoken_in = language or self._main_language
        found = [await self._sound_of(piece, spoken_in) for piece in _pieces_of(prompt)]
        return [path for path in found if path is not None]

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        """Media URIs for ARI's `play`, in order; what cannot be said is left out and logged."""
        return [f"sound:{path}" for prompt in prompts for path in await self.sound(prompt, language)]

    async def _sound_of(self, piece: Prompt, language: str) -> str | None:
        ready = self._sounds.get((language, piece))
        if ready is not None or (language, piece) in self._left_out:
            return ready or await self._in_main_language(piece, language)
        text = self._text_of(piece, language)
        if text is None:
            self._leave_out(piece, language, "it has no sentence")
            return await self._in_main_language(piece, language)
        try:
            async with asyncio.timeout(LONGEST_WAIT_FOR_A_NEW_SENTENCE):
                path, _ = await self._synthesised(text, language)
        except (SpeechTrouble, OSError, TimeoutError) as trouble:
            self._leave_out(piece, language, str(trouble) or "it took too long")
            return await self._in_main_language(piece, language)
        self._sounds[language, piece] = path
        return path

    async def _in_main_language(self, piece: Prompt, language: str) -> str | None:
        """Better heard in the desk's own language than not at all; a sentence written on the spot has only one."""
        if language == self._main_language or isinstance(piece, TextPrompt):
            return None
        return await self._sound_of(piece, self._main_language)

    def _text_of(self, piece: Prompt, language: str) -> str | None:
        match piece:
            case NamedPrompt(name):
                return self._sentences.get(language, {}).get(name)
            case TextPrompt(text):
                return text
            case DigitsPrompt():
                return None

    def _leave_out(self, piece: Prompt, language: str, why: str) -> None:
        self._left_out.add((language, piece))
        logger.warning("left out of what a caller hears: %s (%s): %s", piece, language, why)


@dataclass(frozen=True, slots=True)
class _Made:
    made: bool
    recorded: bool


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


def _write(file: Path, content: bytes) -> None:
    """All of it or nothing: Asterisk may be about to play the file, and another process may be writing it."""
    part_number, part_name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")
    part = Path(part_name)
    try:
        with os.fdopen(part_number, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(0o644)  # Asterisk may run under another name
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
