"""Pages as a fax machine would send them."""

from pathlib import Path

from PIL import Image, ImageDraw

ACROSS = 1728
"""Dots of a line of A4 at 204 an inch (ITU-T T.4)."""


def write_fax(path: Path, pages: int = 2, *, lines: int = 1078, down: int = 98) -> Path:
    """A TIFF of so many pages, each with as many black bars as its number, Group 3 coded."""
    drawn = []
    for page in range(1, pages + 1):
        sheet = Image.new("1", (ACROSS, lines), 1)
        pen = ImageDraw.Draw(sheet)
        for bar in range(page):
            top = 100 + 120 * bar
            pen.rectangle((200, top, 1500, top + 40), fill=0)
        drawn.append(sheet)
    drawn[0].save(
        path, "TIFF", save_all=True, append_images=drawn[1:], compression="group3", dpi=(204, down)
    )
    return path


def black_bars(page: Image.Image) -> int:
    """How many bars are on a page."""
    column = [page.getpixel((page.width // 2, line)) == 0 for line in range(page.height)]
    return sum(now and not before for before, now in zip([False, *column], column, strict=False))
