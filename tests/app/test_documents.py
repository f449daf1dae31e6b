"""The documents say what is so: settings as the code has them, files that exist, pictures that are there."""

import re
from pathlib import Path

import pytest

from changgu.acd.call_record import FORMULAS
from changgu.app.settings import describe
from changgu.wallboard.kpi import DEFINITIONS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCE = ROOT / "src" / "changgu"


def test_the_settings_page_is_what_describe_prints() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert f"```toml\n{describe()}```" in page


def test_every_figure_is_on_the_page_of_numbers_with_its_own_words() -> None:
    page = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    formulas = [en for _, en in FORMULAS.values()] + [figure.formula_en for figure in DEFINITIONS.values()]
    assert [formula for formula in formulas if formula not in page] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]
    local = [target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    assert [target for target in local if target and not (document.parent / target).exists()] == []


def test_the_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = "|".join(folder.name for folder in SOURCE.iterdir() if folder.is_dir())
    named = set(re.findall(rf"`((?:{rooms}|tests)/[\w./]+\.(?:py|j2|yaml))`", text))
    assert len(named) > 30
    assert sorted(name for name in named if not (SOURCE / name).exists() and not (ROOT / name).exists()) == []
