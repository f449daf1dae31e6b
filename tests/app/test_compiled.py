"""The compiled engine is used as long as it is this engine, and never in place of an edited one."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from changgu.app import compiled
from changgu.ground.trouble import BadInput

pytestmark = [pytest.mark.patient, pytest.mark.timeout(1500)]

ASK = (
    "import sys; from pathlib import Path; from changgu.app import compiled; "
    "print(compiled.use(Path(sys.argv[1]))); import changgu.acd.engine; from changgu.acd import skills; "
    "print(Path(skills.__file__).suffix, skills.levels(['vpn:7', 'vpn:3', 'mail']))"
)


def asked(folder: Path, first: str = "") -> list[str]:
    done = subprocess.run([sys.executable, "-c", first + ASK, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


DAYS = (
    "import sys; from pathlib import Path; from random import Random; from changgu.app import compiled\n"
    "assert compiled.use(Path(sys.argv[1])) == (sys.argv[1] != 'source')\n"
    "from changgu.acd.simulate import PROFILES, simulate_day\n"
    "names = ['varied', 'rough', 'callbacks', 'ring-all', 'short']\n"
    "for seed in range(50):\n"
    "    print(simulate_day(Random(seed), PROFILES[names[seed % 5]]).trace)\n"
)
"""The rules of `invariants` hold on every step of every day, or it fails; the network misbehaves in most of them."""

STORIES = (
    "agent_state", "announcements", "call_state", "callbacks", "deadlines", "emergency", "engine",
    "every_news_in_every_state", "leaving_the_queue", "lived_and_rebuilt", "lost_calls", "nobody_gets_stuck",
    "one_dial_at_a_time", "one_person_with_several_numbers", "past", "promises_on_the_line", "promises_outlive",
    "recovery", "replay", "ring_all", "routing_reload", "rules_followed_once", "runner", "stateful",
    "stateful_ring_all", "strategies", "supervision", "turns_of_a_call_back", "what_if",
    "what_the_desk_does_by_itself",
)  # fmt: skip
"""Modules of `tests/acd` whose callers, agents and supervisors meet the engine, with any history of any floor."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it, built once for all who test; not optimised, which saves half the time and checks the same types."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = compiled.build(shared / "engine" / "built", optimised=False)
    assert list(built.parent.iterdir()) == [built]
    return built


def test_the_stories_of_the_engine_are_true_of_machine_code(engine: Path, tmp_path: Path) -> None:
    """What the source takes and machine code does not: a value of another type than the declared one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    stories = [f"tests/acd/test_{name}.py" for name in STORIES]
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.compiled_engine", "-p", "no:cacheprovider", "-p",
         "no:xdist", f"--basetemp={tmp_path / 'told'}", *stories],
        cwd=compiled.SOURCE.parent, env={**environment, "CHANGGU_TESTED_ENGINE": str(engine)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-20_000:] + told.stderr[-2_000:]


def test_fifty_days_are_the_same_bytes_for_source_and_machine_code_and_with_another_order_of_sets(engine: Path) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", DAYS, folder], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE, text=True,
        )
        for folder, hash_seed in (("source", "1"), (str(engine), "2"))
    ]  # fmt: skip
    first, second = (run.communicate()[0].split() for run in runs)
    assert len(set(first)) == 50
    assert first == second


def test_what_was_built_is_used_and_what_was_not_is_read(engine: Path, tmp_path: Path) -> None:
    built = tmp_path / "engine" / "of-this-source"
    assert asked(built) == ["False", ".py {'vpn': 7, 'mail': 1}"]
    shutil.copytree(engine, built)
    assert compiled.build(built) == built
    assert asked(built) == ["True", ".so {'vpn': 7, 'mail': 1}"]
    assert asked(built, "import changgu.acd.lines; ") == ["False", ".py {'vpn': 7, 'mail': 1}"]
    built.parent.chmod(0o770)
    assert asked(built)[0] == "False", "others may write there"
    built.parent.chmod(0o700)
    with next(built.rglob("*.so")).open("ab") as cut:
        cut.truncate(100)
    assert asked(built) == ["False", ".py {'vpn': 7, 'mail': 1}"], "a file that was cut short stops nobody"
    assert compiled.build(built, ["skills"]) == built
    assert asked(built) == ["True", ".so {'vpn': 7, 'mail': 1}"], "what is optimised, too"


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


def test_an_upgrade_in_the_middle_of_compiling_leaves_nothing_that_is_half_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiles(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(compiled, "digest", lambda: "of the new version")
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(subprocess, "run", compiles)
    with pytest.raises(BadInput, match="compile again"):
        compiled.build(tmp_path / "engine" / "of-this-source")
    assert list((tmp_path / "engine").iterdir()) == []
