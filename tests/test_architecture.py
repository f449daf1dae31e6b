"""The house as its imports tell it: floors point down, and only the shell touches the world."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REAL as REAL_FOLDERS

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"
HOUSE = SOURCE / "changgu"

LISTENERS = {"screenpop", "recordings", "ticketing", "wallboard", "reporting"}
CORE = {"acd", "ivr_flows"}

MAY_IMPORT: dict[str, set[str]] = {
    "app": {"telephony", *LISTENERS, "directory", *CORE, "asterisk_conf", "ground"},
    "telephony": {*LISTENERS, "directory", *CORE, "asterisk_conf", "ground"},
    **{listener: {*LISTENERS, "directory", *CORE, "asterisk_conf", "ground"} for listener in sorted(LISTENERS)},
    "directory": {*CORE, "asterisk_conf", "ground"},
    "acd": {"ground"},
    "ivr_flows": {"ground"},
    "asterisk_conf": {"ground"},
    "ground": set(),
}
"""Which packages a package may import, itself aside. Nobody imports `app`."""

SHELL = {"runner", "service", "store", "api", "pages", "desktop", "feed"}
"""File names of modules that may wait, serve, store or look at the clock."""

SHELL_PACKAGES = {"app", "telephony", "ground"}

WORLD = {"asyncio", "fastapi", "starlette", "sqlalchemy", "aiosqlite", "httpx", "os", "time", "random", "secrets"}
"""What a pure module may not touch."""

PURE_IN_TELEPHONY = {
    f"telephony.{name}"
    for name in ("ari.messages", "cel", "cel_account", "cel_audit", "hangup_cause", "legs", "numbers")
}

PURE_GROUND = {"ground.csv_rows", "ground.text", "ground.trouble"}
"""Parts of the ground on which the pure core may stand."""

STORES = {"store", "service"}

REAL = {
    "changgu.telephony.soft_phone", "playwright.async_api", "tests.support.desk", "tests.support.loaded_floor",
    "tests.support.nursery", "tests.support.private_pbx", "tests.support.real_pbx", "tests.support.service.Changgu",
    "tests.support.sipp", "tests.support.telephone_side",
}  # fmt: skip
"""What a test uses that starts a PBX, rings phones or draws pages."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts[1:]
        yield ".".join(part for part in parts if part != "__init__"), path


@cache
def imports(path: Path, *, at_run_time: bool = True) -> frozenset[str]:
    """Full names of the modules that a module imports, those for type checking only left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and at_run_time
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def ours(path: Path) -> set[str]:
    return {name.removeprefix("changgu.") for name in imports(path, at_run_time=False) if name.startswith("changgu.")}


def is_shell(module: str) -> bool:
    package, _, rest = module.partition(".")
    if module in PURE_IN_TELEPHONY:
        return False
    return package in SHELL_PACKAGES or rest.rpartition(".")[2] in SHELL


HOUSEHOLD = {name: path for name, path in modules() if name and name != "__main__"}
ALL = pytest.mark.parametrize("module", HOUSEHOLD)


def test_every_package_has_its_floor() -> None:
    assert {module.partition(".")[0] for module in HOUSEHOLD} <= set(MAY_IMPORT)


@ALL
def test_imports_point_down(module: str) -> None:
    package = module.partition(".")[0]
    for name in ours(HOUSEHOLD[module]):
        other = name.partition(".")[0]
        assert other in {package, *MAY_IMPORT[package]} | {"__version__"}, f"{module} imports {name}"


@ALL
def test_listeners_never_import_each_others_stores(module: str) -> None:
    package = module.partition(".")[0]
    if package not in LISTENERS:
        return
    for name in ours(HOUSEHOLD[module]):
        other, _, rest = name.partition(".")
        foreign = other in LISTENERS - {package}
        assert not (foreign and rest.partition(".")[0] in STORES), f"{module} imports {name}"


@ALL
def test_the_pure_modules_touch_nothing_of_the_world(module: str) -> None:
    if is_shell(module):
        return
    touched = {name.partition(".")[0] for name in imports(HOUSEHOLD[module])} & WORLD
    assert not touched, f"{module} is pure and imports {sorted(touched)}"


@ALL
def test_the_core_stands_on_nothing_of_ours_outside_its_shell(module: str) -> None:
    package = module.partition(".")[0]
    if package not in CORE or is_shell(module):
        return
    for name in ours(HOUSEHOLD[module]):
        if any(name == pure or name.startswith(f"{pure}.") for pure in PURE_GROUND):
            continue
        assert name.partition(".")[0] == package, f"{module} imports {name}"
        assert name.partition(".")[2].partition(".")[0] not in SHELL, f"{module} is pure and imports {name}"


@ALL
def test_every_module_opens_with_a_sentence(module: str) -> None:
    text = HOUSEHOLD[module].read_text(encoding="utf-8")
    if not text.strip():
        return
    said = ast.get_docstring(ast.parse(text))
    assert said, f"{module} says nothing"
    assert said.split("\n", 1)[0].rstrip().endswith((".", "?", "!", ":")), f"{module}: {said.splitlines()[0]!r}"


@ALL
def test_no_module_is_longer_than_can_be_read_in_one_sitting(module: str) -> None:
    assert len(HOUSEHOLD[module].read_text(encoding="utf-8").splitlines()) <= 600


@ALL
def test_no_module_shadows_the_standard_library(module: str) -> None:
    assert module.rpartition(".")[2] not in {"queue", "calendar", "types", "logging", "email", "token"}


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in TESTS.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_what_is_real_is_marked() -> None:
    """A PBX beside all processors at work is too much for phones that keep time."""
    for path in TESTS.rglob("test_*.py"):
        if path.parent.name not in REAL_FOLDERS:
            marks = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("pytestmark")]
            marked = any("mark.real" in line or "mark.alone" in line for line in marks)
            assert marked == bool(imports(path) & REAL), path.relative_to(TESTS)


def test_the_free_phones_never_reach_the_service() -> None:
    """pjsua2 and pyVoIP are GPL: only a worker that runs as its own process may import them, and nobody imports it."""
    workers = {
        module
        for module, path in HOUSEHOLD.items()
        if {name.partition(".")[0] for name in imports(path)} & {"pjsua2", "pyVoIP"}
    }
    assert all(module.endswith("_worker") for module in workers)
    for module, path in HOUSEHOLD.items():
        assert not ours(path) & workers, f"{module} imports a GPL worker"
