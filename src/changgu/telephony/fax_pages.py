"""Makes a PDF of the pages of a fax."""

import io
from pathlib import Path

from PIL import Image, ImageSequence, UnidentifiedImageError

MOST_PAGES = 200
"""Pages of one fax that are kept."""
SHARP = 204.0
"""Dots an inch across. Down there are 98 lines (standard), which are drawn twice, or 196 (fine)."""


class Unreadable(Exception):
    """The pages are no fax."""


def to_pdf(tiff: Path) -> tuple[bytes, int]:
    """The pages as a PDF, and how many; raises `Unreadable`."""
    out = io.BytesIO()
    try:
        with Image.open(tiff, formats=["TIFF"]) as fax:
            pages = [_drawn(page) for page, _ in zip(ImageSequence.Iterator(fax), range(MOST_PAGES), strict=False)]
        pages[0].save(out, "PDF", save_all=True, append_images=pages[1:], resolution=SHARP)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, IndexError) as trouble:
        raise Unreadable(str(trouble)) from trouble
    return out.getvalue(), len(pages)


def _drawn(page: Image.Image) -> Image.Image:
    """The page in black and white; one of standard resolution with every line twice, so that it is not squat."""
    across, down = (float(one) for one in page.info.get("dpi", (SHARP, SHARP)))
    drawn = page.convert("1", dither=Image.Dither.NONE)
    if down * 1.5 < across:
        return drawn.resize((drawn.width, drawn.height * 2), Image.Resampling.NEAREST)
    return drawn
