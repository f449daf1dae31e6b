"""What a caller's words mean as an answer: yes or no, a number said digit by digit or as a whole, one of some names.

The recogniser gives words in the order in which they were said; blanks between them mean nothing, because Korean is
written with and without them and the recogniser's own words are pieces (맞 + 아요). Whatever is said beside the answer
must be something that belongs to an answer (네 *맞아요*, 일번 *이요*); an answer that says two things is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import CollectSpeech, Grammar, GrammarKind, YesNo

YES, NO = "yes", "no"
"""The values of a question with two answers."""

LANGUAGES = ("ko",)
"""Languages in which answers are understood; questions in others are asked by keys."""

_YES = (
    "네", "예", "네네", "예예", "응", "맞아", "맞아요", "맞습니다", "그래", "그래요", "그렇습니다",
    "좋아요", "좋습니다",
)  # fmt: skip
_NO = (
    "아니", "아니요", "아니오", "아뇨", "아니에요", "아닙니다", "아닌데요", "틀려요", "틀렸어요", "틀립니다", "싫어요",
)  # fmt: skip
_TAILS = ("요", "이요", "입니다", "번", "번이요")
"""What is said after a name or a number, and means nothing more."""

_SINO = {
    "영": 0, "공": 0, "빵": 0, "제로": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7,
    "팔": 8, "구": 9,
}  # fmt: skip
_NATIVE = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "넷": 4, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7,
    "여덟": 8, "아홉": 9,
}  # fmt: skip
_NATIVE_TENS = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90,
}  # fmt: skip
_UNITS = {"십": 10, "백": 100, "천": 1000}
_MYRIAD = "만"
_DASHES = ("다시", "대시", "에")
"""Said where a number is written with a dash: 공일공 *에* 일이삼사."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is listened for. `grammar` as the flow has it; `language` as the caller chose."""

    grammar: Grammar
    language: str = "ko"


def asks_by_voice(flow: Flow) -> bool:
    """Whether there is a question in it that may be spoken to."""
    nodes = flow.nodes.values()
    return any(isinstance(node, CollectSpeech) or (isinstance(node, YesNo) and node.voice) for node in nodes)


def phrases(grammar: Grammar) -> tuple[str, ...]:
    """Everything that may be said, as Korean is written; the recogniser hears nothing else.

    A choice's words in other scripts (`printer` beside 프린터) are for those who read them.
    """
    match grammar.kind:
        case GrammarKind.YES_NO:
            return (*_YES, *_NO)
        case GrammarKind.DIGITS:
            return (*_SINO, *_NATIVE, *_NATIVE_TENS, *_UNITS, _MYRIAD, *_DASHES, *_TAILS)
        case GrammarKind.CHOICES:
            names = (name for name in own_phrases(grammar) if any("가" <= sign <= "힣" for sign in name))
            return tuple(dict.fromkeys((*names, *_TAILS)))


def own_phrases(grammar: Grammar) -> tuple[str, ...]:
    """Those of `phrases` that the flow's author wrote, and can write otherwise."""
    return tuple(name for choice in grammar.choices for name in choice.words)


def answer(grammar: Grammar, words: Sequence[str]) -> str | None:
    """The value of what was said: `yes`, `no`, the digits, or a choice's value; None when it answers nothing.

    A number with fewer digits than `grammar.least` or more than `grammar.most` is no answer.
    """
    said = "".join("".join(words).split())
    match grammar.kind:
        case GrammarKind.YES_NO:
            return _one_meaning(said, _meanings({YES: _YES, NO: _NO}))
        case GrammarKind.CHOICES:
            return _one_meaning(said, _meanings({choice.value: choice.words for choice in grammar.choices}))
        case GrammarKind.DIGITS:
            number = digits(said)
            return number if number is not None and grammar.least <= len(number) <= grammar.most else None


def is_complete(grammar: Grammar, words: Sequence[str]) -> bool:
    """Whether nothing more need be waited for: an answer that more words could only spoil."""
    value = answer(grammar, words)
    if value is None:
        return False
    return grammar.kind is not GrammarKind.DIGITS or len(value) == grammar.most


def digits(said: str) -> str | None:
    """A number in words, without blanks, as digits: `공일공` → `010`, `백이십삼` → `123`, `하나둘삼` → `123`.

    Digits that follow one another stay as they are; a number with 십, 백, 천 or 만 in it is written out. None when
    there is something else in it, or no digit at all.
    """
    out, rest, open_number = "", said, _WholeNumber()
    while rest:
        word = _longest(rest, _NUMBER_WORDS)
        if word is None:
            return None
        rest = rest[len(word) :]
        if word in _DASHES or word in _TAILS:
            out += open_number.close()
            continue
        value = _SINO.get(word, _NATIVE.get(word))
        if value is None:
            open_number.unit(word)
        else:
            out += open_number.digit(value, written_out=_unit_follows(rest))
    return (out + open_number.close()) or None


class _WholeNumber:
    """A number with units, while it is being said: 이천 + 이백 + 삼."""

    def __init__(self) -> None:
        self._total = 0
        self._section = 0
        self._digit: int | None = None
        self._smallest = 0
        """The unit said last; a larger one begins a new number."""
        self._closed = ""

    def digit(self, value: int, *, written_out: bool) -> str:
        """One digit; what is finished by it is given back."""
        if written_out:  # 이 in 이백
            before = self.close() if self._digit is not None else ""
            self._digit = value
            return before
        if self._smallest >= 10 and self._digit is None:  # 삼 in 이백삼
            self._section += value
            return self.close()
        return self.close() + str(value)

    def unit(self, word: str) -> None:
        """십, 백, 천, 만, or a native ten."""
        if word in _NATIVE_TENS:
            if self._smallest and self._smallest <= 10:
                self._closed += self._flush()
            self._section += _NATIVE_TENS[word]
            self._smallest = 10
        elif word == _MYRIAD:
            self._total += ((self._section + (self._digit or 0)) or 1) * 10_000
            self._section, self._digit, self._smallest = 0, None, 10_000
        else:
            size = _UNITS[word]
            digit, self._digit = self._digit, None
            if self._smallest and size >= self._smallest:
                self._closed += self._flush()
            self._section += (1 if digit is None else digit) * size
            self._smallest = size

    def close(self) -> str:
        """The number in digits, and a new one begins."""
        done, self._closed = self._closed + self._flush(), ""
        return done

    def _flush(self) -> str:
        value = self._total + self._section + (self._digit or 0)
        spoken = self._smallest or self._digit is not None
        self._total, self._section, self._digit, self._smallest = 0, 0, None, 0
        return str(value) if spoken else ""


_NUMBER_WORDS = (*_SINO, *_NATIVE, *_NATIVE_TENS, *_UNITS, _MYRIAD, *_DASHES, *_TAILS)


def _unit_follows(rest: str) -> bool:
    return rest.startswith((*_UNITS, _MYRIAD))


def _longest(said: str, words: Iterable[str]) -> str | None:
    return max((word for word in words if said.startswith(word)), key=len, default=None)


def _meanings(of: Mapping[str, Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple(("".join(word.split()), value) for value, words in of.items() for word in words)


def _one_meaning(said: str, meanings: tuple[tuple[str, str], ...]) -> str | None:
    """The one value that all of `said` speaks of."""
    values = _values(said, meanings)
    return next(iter(values)) if values is not None and len(values) == 1 else None


@lru_cache(maxsize=1024)
def _values(said: str, meanings: tuple[tuple[str, str], ...]) -> frozenset[str] | None:
    """Values named in `said`, the reading with the fewest; None when it cannot be read to its end."""
    found: list[frozenset[str] | None] = [None] * len(said) + [frozenset()]
    words: tuple[tuple[str, str | None], ...] = (*meanings, *((tail, None) for tail in _TAILS))
    for at in range(len(said) - 1, -1, -1):
        for word, value in words:
            after = found[at + len(word)] if word and said.startswith(word, at) else None
            if after is None:
                continue
            named = after | {value} if value is not None else after
            best = found[at]
            if best is None or len(named) < len(best) or (not best and named):
                found[at] = named
    return found[0]
