"""How wide a text becomes in a drawing, guessed on the wide side, and as much of it as fits.

Who looks at the drawing draws it with a font of their own. The widths are those of DejaVu Sans, the widest that is in
common use, and of Korean letters as squares; of most other fonts a text takes less.
"""

from unicodedata import east_asian_width

NARROW, SMALL, LETTER, CAPITAL, SQUARE = 0.34, 0.46, 0.65, 0.8, 1.0
"""Widths of a sign, in the size of the font."""
BOLD = 1.13
"""How much wider a bold letter is."""


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line of text takes at most, in a font of `size` pixels."""
    return sum(map(_width, text)) * size * (BOLD if bold else 1.0)


def fitted(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of it as `room` pixels hold, with … for what is left out."""
    if width_of(text, size, bold=bold) <= room:
        return text
    left = room - width_of("…", size, bold=bold)
    for count, sign in enumerate(text):
        left -= width_of(sign, size, bold=bold)
        if left < 0:
            return text[:count].rstrip() + "…"
    return text


def _width(sign: str) -> float:
    if east_asian_width(sign) in "WFA":  # A: drawn wide where the font is a Korean one
        return SQUARE
    if sign in "iljI.,:;'|! ":
        return NARROW
    if sign in "frt()[]-·":
        return SMALL
    if sign in "mwMWOQ@%&":
        return SQUARE
    return CAPITAL if sign.isupper() or sign in "~+=<>{}#" else LETTER
