"""Every page says everything in both languages, obeys the content policy, and can be read by everyone."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from changgu.app.catalogue import CatalogueError, load_catalogue
from changgu.app.rendering import PACKAGE_ROOT, SitePages, clock, package_folders

TEMPLATES = sorted(path for folder in package_folders("templates") for path in folder.glob("*.html"))
SCRIPTS = sorted(path for folder in package_folders("static") for path in folder.glob("*.js"))
CSS = (PACKAGE_ROOT / "app" / "static" / "app.css").read_text("utf-8")


def test_every_message_exists_in_both_languages() -> None:
    missing = {lang: sorted(keys) for lang, keys in SitePages().catalogue.one_sided().items() if keys}
    assert not missing


def test_both_languages_fill_in_the_same_words() -> None:
    korean, english = (SitePages().catalogue.messages[lang] for lang in ("ko", "en"))
    for key in korean.keys() & english.keys():
        assert set(re.findall(r"\{(\w+)\}", korean[key])) == set(re.findall(r"\{(\w+)\}", english[key])), key


def test_every_message_that_a_template_asks_for_exists() -> None:
    known = SitePages().catalogue.messages["ko"]
    asked = {
        (path.name, key)
        for path in TEMPLATES
        for key in re.findall(r"""\bt\(\s*["']([\w.]+)["']\s*[,)]""", path.read_text("utf-8"))
    }
    assert asked
    assert not [where for where in asked if where[1] not in known]


def test_a_key_belongs_to_one_package(tmp_path: Path) -> None:
    for package in ("one", "two"):
        folder = tmp_path / package
        folder.mkdir()
        (folder / "ko.toml").write_text('[desk]\nanswer = "받기"\n', "utf-8")
    with pytest.raises(CatalogueError, match=r"desk\.answer is already taken"):
        load_catalogue([tmp_path / "one", tmp_path / "two"])


def test_a_message_nobody_wrote_shows_its_key() -> None:
    catalogue = SitePages().catalogue
    assert catalogue.say("en", "no.such.key") == "no.such.key"
    assert catalogue.say("en", "accounts.new_password", login="kim").startswith("The temporary password of kim.")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_what_the_content_policy_forbids(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"""\sstyle=["']""", text), "inline styles are refused by the browser"
    assert not re.search(r"""\son\w+=["']""", text), "inline handlers are refused by the browser"
    assert "<style" not in text
    assert not re.search(r'<script(?![^>]*(?:src=|type="application/json"))', text)
    assert "|safe" not in text.replace(" ", "")


@pytest.mark.parametrize("path", TEMPLATES + SCRIPTS, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text)
    assert not re.search(r"""\bfrom\s+["']https?:""", text)


def test_the_sites_clock_and_the_readers_eye() -> None:
    pages = SitePages(zone="Asia/Seoul", now=lambda: datetime(2026, 11, 21, 0, 1, 5, tzinfo=UTC))
    when = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
    assert pages.local(when) == "2026-11-21 09:00:00"
    assert pages.since(when) == "1:05"
    assert [clock(n) for n in (None, 0, 59.9, 60, 3661)] == ["–", "0:00", "0:59", "1:00", "1:01:01"]


# contrast, WCAG 2.2 success criteria 1.4.3 (text 4.5:1) and 1.4.11 (edges of controls 3:1)

TEXT_PAIRS = [
    *(("ink", ground) for ground in ("ground", "surface", "surface-2", "accent-soft")),
    *(("ink-2", ground) for ground in ("ground", "surface", "surface-2")),
    ("accent", "surface"),
    ("accent", "ground"),
    ("accent-ink", "accent"),
    ("bar-ink", "bar"),
    ("bar-ink-2", "bar"),
    *((tone, f"{tone}-soft") for tone in ("good", "info", "warn", "bad", "quiet", "hold", "wrap")),
    *((tone, "surface") for tone in ("good", "info", "warn", "bad", "quiet", "hold", "wrap")),
    *(("ink", f"{tone}-soft") for tone in ("good", "info", "warn", "bad", "quiet")),
]
EDGE_PAIRS = [("line-strong", "surface"), ("focus", "surface"), ("focus", "ground")]


def themes() -> Iterator[tuple[str, dict[str, str]]]:
    blocks = re.findall(r"(:root[^{]*|\.dark[^{]*)\{([^}]*)\}", CSS)
    light: dict[str, str] = {}
    for selector, body in blocks:
        colours = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", body))
        if colours and not light:
            light = colours
        yield selector.strip(), light | colours


def luminance(colour: str) -> float:
    channels = [int(colour[start:end], 16) / 255 for start, end in pairwise((1, 3, 5, 7))]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("theme", "colours"), [*themes()], ids=lambda value: value if isinstance(value, str) else "")
def test_text_and_edges_stand_out(theme: str, colours: dict[str, str]) -> None:
    weak = [
        f"{ink} on {ground}: {contrast(colours[ink], colours[ground]):.2f}"
        for least, pairs in ((4.5, TEXT_PAIRS), (3.0, EDGE_PAIRS))
        for ink, ground in pairs
        if contrast(colours[ink], colours[ground]) < least
    ]
    assert not weak


def test_both_dark_themes_are_the_same() -> None:
    dark = [colours for selector, colours in themes() if "light" in selector or ".dark" in selector]
    assert len(dark) == 2
    assert dark[0] == dark[1]
