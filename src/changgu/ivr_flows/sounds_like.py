"""How alike two Korean phrases sound, from 0 (the same) to 1: the evidence against words heard where others were said.

A recogniser that may only hear the words of a question hears them in everything. A second one that may hear any word
writes down something that at least sounds like what was said, often in other words: 상담 원 for 상담원, 네 트웍 for
네트워크. So both are compared by ear: sounds one after the other, blanks and silent ㅇ left out, final and initial
consonants alike (so that 음악 is 으막), and a small price for sounds that are close.
"""

from functools import cache

_FIRST = 0xAC00
_LAST = 0xD7A3
_ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_CODAS = (
    "", "ㄱ", "ㄱ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ", "ㄹ", "ㅁ",
    "ㅂ", "ㅂㅅ", "ㅅ", "ㅅ", "N", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ", "ㅎ",
)  # fmt: skip
"""`N` is the ŋ of 강; the ㅇ at the head of a syllable is no sound."""

_CLOSE = (
    "ㄱㄲㅋ", "ㄷㄸㅌ", "ㅂㅃㅍ", "ㅈㅉㅊ", "ㅅㅆ", "ㄴㅁN", "ㄹㄴ", "ㅐㅔㅖㅒ", "ㅚㅙㅞ",
    "ㅓㅗ", "ㅓㅡ", "ㅜㅡ", "ㅏㅑ", "ㅓㅕ", "ㅗㅛ", "ㅜㅠ", "ㅢㅣ", "ㅟㅣ", "ㅏㅘ", "ㅓㅝ",
)  # fmt: skip
"""Sounds that telephones and recognisers take for one another."""

CLOSE_PRICE = 0.35
_PAIRS = frozenset((one, other) for group in _CLOSE for one in group for other in group if one != other)


@cache
def sounds(phrase: str) -> tuple[str, ...]:
    """The sounds of a phrase, one after the other; what is not Hangul stands for itself."""
    heard: list[str] = []
    for sign in phrase:
        if _FIRST <= ord(sign) <= _LAST:
            rest, coda = divmod(ord(sign) - _FIRST, len(_CODAS))
            onset, vowel = divmod(rest, len(_VOWELS))
            if _ONSETS[onset] != "ㅇ":
                heard.append(_ONSETS[onset])
            heard.append(_VOWELS[vowel])
            heard.extend(_CODAS[coda])
        elif sign.isalnum():
            heard.append(sign.lower())
    return tuple(heard)


def distance(one: str, other: str) -> float:
    """The price of turning one phrase into the other, by the length of the longer one; 1 when one of them is empty."""
    first, second = sounds(one), sounds(other)
    if not first or not second:
        return 0.0 if first == second else 1.0
    prices = [float(at) for at in range(len(second) + 1)]
    for row, sound in enumerate(first, start=1):
        above, prices[0] = prices[0], float(row)
        for column, against in enumerate(second, start=1):
            swap = above + _price(sound, against)
            above = prices[column]
            prices[column] = min(swap, above + 1.0, prices[column - 1] + 1.0)
    return min(1.0, prices[-1] / max(len(first), len(second)))


def _price(one: str, other: str) -> float:
    if one == other:
        return 0.0
    return CLOSE_PRICE if (one, other) in _PAIRS else 1.0
