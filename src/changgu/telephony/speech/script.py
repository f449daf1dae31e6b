"""The sheet that a human speaker reads: every prompt with the name of its file, and which are recorded already."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from changgu.ivr_flows.nodes import TextPrompt
from changgu.ivr_flows.spoken import pieces
from changgu.telephony.speech.prompts import recording_name
from changgu.telephony.speech.synthesiser import PIECE_TAIL, tail_of

_WORDS: Final = {
    "ko": (
        "안내문 녹음 대본",
        "한 줄씩 읽고 앞의 이름으로 저장합니다. WAV(PCM), 8~48 kHz. 소리 크기와 앞뒤 무음은 changgu가 맞춥니다.",
        "저장할 곳",
        "문장",
        "숫자·날짜 조각: 다른 조각과 이어집니다. 끝을 올리거나 내리지 말고 고르게 읽습니다.",
        "녹음 {recorded} / 전체 {all}",
    ),
    "en": (
        "Recording script",
        "Read one line at a time and save it under the name before it: WAV (PCM), 8 to 48 kHz. changgu evens out the "
        "loudness and trims the silence at both ends.",
        "Save to",
        "Sentences",
        "Numbers and dates: joined with others. Read them evenly, without a rise or a fall.",
        "{recorded} of {all} recorded",
    ),
}


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One prompt to be read."""

    name: str
    """Of its file, without `.wav`."""
    text: str
    is_piece: bool
    """It is joined with others (a digit, an hour)."""
    recorded: bool


def script_of(
    language: str, sentences: Mapping[str, str], nameless: Iterable[str], recordings: Path, *, main: bool
) -> list[ScriptLine]:
    """Every prompt of a language: whole sentences first, then the pieces. `main`: the desk's main language, whose
    recordings may also lie in `recordings` itself."""
    joined = set(pieces(language))
    lines = [(name, text, name in joined and tail_of(text) == PIECE_TAIL) for name, text in sentences.items()]
    lines += [(recording_name(TextPrompt(text)), text, False) for text in nameless]
    folders = [recordings / language, *([recordings] if main else [])]
    script = [
        ScriptLine(name, text, piece, any((folder / f"{name}.wav").is_file() for folder in folders))
        for name, text, piece in lines
    ]
    return sorted(script, key=lambda line: line.is_piece)


def printed(language: str, script: Iterable[ScriptLine], recordings: Path, *, missing: bool = False) -> str:
    """The sheet as text: `[v]` is recorded, `[ ]` is not; `missing`: without what is recorded."""
    title, how, where, whole, joined, counted = _WORDS.get(language, _WORDS["en"])
    lines = list(script)
    out = [title, "", how, f"{where}: {recordings / language}/", ""]
    for heading, piece in ((whole, False), (joined, True)):
        shown = [line for line in lines if line.is_piece is piece and not (missing and line.recorded)]
        if shown:
            width = max(len(line.name) for line in shown) + 4
            out += [heading, ""]
            out += [f"[{'v' if one.recorded else ' '}] {one.name + '.wav':{width}}  {one.text}" for one in shown]
            out.append("")
    out.append(counted.format(recorded=sum(line.recorded for line in lines), all=len(lines)))
    return "\n".join(out)


def as_csv(script: Iterable[ScriptLine]) -> str:
    """The sheet for a spreadsheet: file, text, kind, recorded."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["file", "text", "kind", "recorded"])
    for line in script:
        rows.writerow([f"{line.name}.wav", line.text, "piece" if line.is_piece else "sentence", int(line.recorded)])
    return out.getvalue()


def strays(recordings: Path, languages: Iterable[str], known: Iterable[str]) -> list[Path]:
    """Recordings that no prompt is called after: misspelt, or of a sentence that has changed."""
    names = set(known)
    folders = [recordings, *(recordings / language for language in languages)]
    return sorted(file for folder in folders for file in folder.glob("*.wav") if file.stem not in names)
