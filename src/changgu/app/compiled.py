"""The ACD engine as machine code: built by `changgu acd compile`, and used for as long as its source stays the same.

The source is what it is, typed Python; mypyc makes C of it, and the C compiler of this computer the rest. What was
built is found by a digest of all sources of the ACD and of this Python, so an edited line or a new Python is never
served by old machine code: the source is then read as if nothing had been built. The same holds for machine code that
is not as it was built, or that others than its owner may write.
"""

import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from changgu.ground.trouble import BadInput

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).parent.parent.parent
SEAL = "sha256"
"""File with the digest of what was built."""

PARTS = (
    "agent_state", "call_state", "callback_desk", "callbacks", "deadlines", "distribution", "engine", "floor_state",
    "hand", "handling_times", "limits", "lines", "offers", "outlook", "overflow", "people", "records", "skills",
    "strategies", "visits", "waiting", "wishes",
)  # fmt: skip
"""Modules of `changgu.acd` that every event goes through."""

_SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))

_PROGRAM = """
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(
    name="changgu-engine", packages=[], script_args=["build_ext", "--build-lib", sys.argv[1]],
    ext_modules=mypycify(
        ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports", *sys.argv[3:]], opt_level=sys.argv[2]
    ),
)
"""


def place(environment: Mapping[str, str] = os.environ) -> Path:
    """`$CHANGGU_CACHE/engine/DIGEST`, else in `$XDG_CACHE_HOME/changgu`, else in `~/.cache/changgu`."""
    if cache := environment.get("CHANGGU_CACHE"):
        return Path(cache) / "engine" / digest()
    home = Path(environment["XDG_CACHE_HOME"]) if environment.get("XDG_CACHE_HOME") else Path.home() / ".cache"
    return home / "changgu" / "engine" / digest()


def digest(source: Path = SOURCE) -> str:
    """Names this source, this Python and this system."""
    of_all = hashlib.sha256(f"{sys.version} {_SUFFIX} {platform.libc_ver()} {PARTS}".encode())
    for path in sorted((source / "changgu" / "acd").glob("*.py")):
        of_all.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return of_all.hexdigest()[:32]


class _Finder:
    """Finds the built modules before Python finds their sources."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            str(path.relative_to(folder))[: -len(_SUFFIX)].replace(os.sep, "."): path
            for path in folder.rglob(f"*{_SUFFIX}")
        }

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `sys.meta_path` asks for it."""
        file = self._files.get(name)
        return None if file is None else importlib.util.spec_from_file_location(name, file)


def use(folder: Path | None = None) -> bool:
    """From now on modules that have been built are taken from there; whether they are.

    They are not where a part of the engine has been read already: read and built parts do not fit together.
    """
    folder = folder or place()
    if not folder.is_dir() or any(f"changgu.acd.{part}" in sys.modules for part in PARTS):
        return False
    try:
        why_not = _why_not(folder)
    except OSError as trouble:
        why_not = str(trouble)
    if why_not:
        logger.warning("the compiled engine in %s is not used, the source is: %s", folder, why_not)
        return False
    sys.meta_path.insert(0, _Finder(folder))
    return True


def _why_not(folder: Path) -> str:
    """Why this machine code is not to be trusted; nothing when it is."""
    for one in (folder.parent, folder):
        there = one.stat()
        if there.st_uid not in (0, os.getuid()) or there.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"{one} can be written by others"
    return "" if (folder / SEAL).read_text() == _seal(folder) else "it is not as it was built"


def _seal(folder: Path) -> str:
    built = hashlib.sha256()
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        built.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return built.hexdigest()


def build(folder: Path | None = None, parts: Sequence[str] = PARTS, *, optimised: bool = True) -> Path:
    """Builds the machine code of this source for this Python; takes a minute or two. Raises `BadInput`.

    What is not optimised is built in half the time, is slower, and otherwise the same: the tests want it.
    """
    folder = folder or place()
    if folder.is_dir():
        if (folder / SEAL).is_file() and (folder / SEAL).read_text() == _seal(folder):
            return folder
        shutil.rmtree(folder)
    _insist_on_tools()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = digest()
    with TemporaryDirectory(dir=folder.parent) as scratch:
        built = Path(scratch) / "built"
        level = "3" if optimised else "0"
        modules = [str(SOURCE / "changgu" / "acd" / f"{part}.py") for part in parts]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(built), level, *modules], cwd=scratch, text=True, capture_output=True,
            env={**os.environ, "MYPYPATH": str(SOURCE)}, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            why = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
            raise BadInput(f"엔진을 컴파일하지 못했습니다.\n{why}", f"The engine could not be compiled.\n{why}")
        if digest() != source:
            raise BadInput(
                "컴파일하는 동안 소스가 바뀌었습니다. 다시 컴파일하십시오.",
                "The source was changed while it was being compiled: compile again.",
            )
        (built / SEAL).write_text(_seal(built))
        built.chmod(0o700)
        built.rename(folder)  # whole or not at all
    return folder


def _insist_on_tools() -> None:
    compiler = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    missing = [
        name
        for name, there in (
            ("mypy", importlib.util.find_spec("mypyc") is not None),
            ("setuptools", importlib.util.find_spec("setuptools") is not None),
            (compiler, shutil.which(compiler) is not None),
            ("Python.h (python3-dev)", (Path(sysconfig.get_path("include")) / "Python.h").is_file()),
        )
        if not there
    ]
    if missing:
        names = ", ".join(missing)
        raise BadInput(
            f"엔진을 컴파일하려면 다음이 필요합니다: {names}", f"To compile the engine these are needed: {names}"
        )
