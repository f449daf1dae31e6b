"""The compiled engine is used as long as it is this engine, and never in place of an edited one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from changgu.app import compiled
from changgu.ground.trouble import BadInput

ASK = (
    "import sys; from pathlib import Path; from changgu.app import compiled; "
    "print(compiled.use(Path(sys.argv[1]))); import changgu.acd.engine; from changgu.acd import skills; "
    "print(Path(skills.__file__).suffix, skills.levels(['vpn:7', 'vpn:3', 'mail']))"
)


def asked(folder: Path, first: str = "") -> list[str]:
    done = subprocess.run([sys.executable, "-c", first + ASK, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.timeout(600)
def test_what_was_built_is_used_and_what_was_not_is_read(tmp_path: Path) -> None:
    built = tmp_path / "engine" / "of-this-source"
    assert asked(built) == ["False", ".py {'vpn': 7, 'mail': 1}"]
    assert compiled.build(built, ["skills"]) == built
    assert asked(built) == ["True", ".so {'vpn': 7, 'mail': 1}"]
    assert asked(built, "import changgu.acd.lines; ") == ["False", ".py {'vpn': 7, 'mail': 1}"]
    assert list(built.parent.iterdir()) == [built]
    built.parent.chmod(0o770)
    assert asked(built)[0] == "False", "others may write there"
    built.parent.chmod(0o700)
    with next(built.rglob("*.so")).open("ab") as cut:
        cut.truncate(100)
    assert asked(built) == ["False", ".py {'vpn': 7, 'mail': 1}"], "a file that was cut short stops nobody"
    assert compiled.build(built, ["skills"]) == built
    assert asked(built)[0] == "True"


def test_an_edited_line_has_another_place(tmp_path: Path) -> None:
    shutil.copytree(compiled.SOURCE / "changgu" / "acd", tmp_path / "changgu" / "acd")
    assert compiled.digest(tmp_path) == compiled.digest()
    with (tmp_path / "changgu" / "acd" / "lines.py").open("a") as lines:
        lines.write("\n")
    assert compiled.digest(tmp_path) != compiled.digest()


def test_it_lies_where_the_private_pbx_lies() -> None:
    name = compiled.digest()
    assert compiled.place({"CHANGGU_CACHE": "/here"}) == Path("/here/engine") / name
    assert compiled.place({"XDG_CACHE_HOME": "/there"}) == Path("/there/changgu/engine") / name
    assert compiled.place({}) == Path.home() / ".cache" / "changgu" / "engine" / name


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"needed: .*cc"):
        compiled.build(tmp_path / "built")
