"""The browser phone's library: built once from the locked sources, and again only when they change."""

import json
import re
from pathlib import Path

import pytest

from changgu.app.notices import TOLD_ELSEWHERE
from changgu.app.phone_bundle import SOURCES, BundleFailed, build, is_built, stamp


def test_the_lock_file_pins_every_package_by_its_hash_and_names_no_registry() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert packages["node_modules/jssip"]["license"] == "MIT"
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert {"node_modules/@esbuild/linux-x64", "node_modules/@esbuild/linux-arm64"} <= packages.keys()


def test_a_bundle_of_other_sources_is_out_of_date(tmp_path: Path) -> None:
    bundle = tmp_path / "jssip.js"
    assert not is_built(bundle)

    bundle.write_text("/* changgu browser phone 0123456789abcdef: jssip 1 */\n", encoding="utf-8")
    assert not is_built(bundle)

    bundle.write_text(f"/* changgu browser phone {stamp()}: jssip 3 */\n", encoding="utf-8")
    assert is_built(bundle)


def test_it_builds_one_file_that_carries_its_licences(tmp_path: Path) -> None:
    bundle = tmp_path / "vendor" / "jssip.js"

    packages = build(bundle)

    assert is_built(bundle)
    assert {"jssip", "sdp-transform"} <= {package.name for package in packages}
    text = bundle.read_text("utf-8")
    assert text.count("Permission is hereby granted, free of charge") >= len(packages)
    assert [file.name for file in bundle.parent.iterdir()] == ["jssip.js"]


def test_without_npm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BundleFailed, match=r"\./changgu up"):
        build(tmp_path / "jssip.js")


def test_the_notices_in_the_repository_name_the_versions_of_the_lock_file() -> None:
    notices = (Path(__file__).parents[2] / "docs" / "third-party.md").read_text("utf-8")
    lock = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]

    for name in ("jssip", "sdp-transform", "events", "debug", "ms"):
        assert f"### {name} {lock[f'node_modules/{name}']['version']} (MIT)" in notices


def test_every_package_that_the_service_installs_stands_on_the_page_of_licences() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "third-party.md").read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9._-]+)==[^;\n]*$", (root / "requirements" / "service.txt").read_text(), re.MULTILINE)
    assert len(pinned) > 30
    assert [name for name in pinned if f"| {name} |" not in page] == []
    for name, known in TOLD_ELSEWHERE.items():
        assert f"| {name} | {known} |" in page
