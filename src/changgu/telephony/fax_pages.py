"""Makes a PDF of the pages of a fax."""

import io
import itertools
from pathlib import Path

from PIL import Image, ImageSequence

MOST_PAGES = 200
"""Pages of one fax that are kept."""
MOST_DOTS = 40_000_000
"""Dots of one page, ten times A4: no machine sends more, and each takes a byte while it is drawn."""
PACK = 40_000_000
"""Dots that are drawn before they are written: every pack makes the PDF be read once more, every dot takes a byte."""
SHARP = 204.0
"""Dots an inch across. Down there are 98 lines (standard), which are drawn twice, or 196 (fine)."""


class Unreadable(Exception):
    """The pages are no fax."""


def to_pdf(tiff: Path) -> tuple[bytes, int]:
    """The pages as a PDF, and how many; raises `Unreadable`. A few pages are drawn at a time: two hundred take no
    more memory than ten."""
    out, count = io.BytesIO(), 0
    pack: list[Image.Image] = []
    try:
        with Image.open(tiff, formats=["TIFF"]) as fax:
            for page in itertools.islice(ImageSequence.Iterator(fax), MOST_PAGES):
                if page.width * page.height > MOST_DOTS:
                    raise Unreadable(f"a page of {page.width} by {page.height} dots")
                pack.append(_drawn(page))
                if sum(one.width * one.height for one in pack) >= PACK:
                    count = _written(pack, out, count)
            if pack:
                count = _written(pack, out, count)
    except Exception as trouble:  # a stranger's file: whatever it does to those who read it, it would do again
        raise Unreadable(f"{type(trouble).__name__}: {trouble}") from trouble
    return out.getvalue(), count


def _written(pack: list[Image.Image], out: io.BytesIO, before: int) -> int:
    """Add these pages to those before, and forget them; how many there are now."""
    pack[0].save(out, "PDF", save_all=True, append_images=pack[1:], append=before > 0, resolution=SHARP)
    count = before + len(pack)
    for page in pack:
        page.close()  # Pillow's notes on how to save hold them in a ring
    pack.clear()
    return count


def _drawn(page: Image.Image) -> Image.Image:
    """The page in black and white; one of standard resolution with every line twice, so that it is not squat."""
    across, down = (float(one) for one in page.info.get("dpi", (SHARP, SHARP)))
    drawn = page.convert("1", dither=Image.Dither.NONE)
    if down * 1.5 < across:
        return drawn.resize((drawn.width, drawn.height * 2), Image.Resampling.NEAREST)
    return drawn
