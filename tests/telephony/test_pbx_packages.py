"""Fetching the private Asterisk: from the right mirror, verified, without what is not needed."""

import functools
import http.server
import os
import tarfile
import threading
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from changgu.ground.whole_file import write_whole
from changgu.telephony import pbx_packages
from changgu.telephony.pbx_packages import (
    DEFAULT_MIRROR,
    MINIMUM_PRIVATE,
    Installer,
    PbxUnavailable,
    architecture_of,
    default_folder,
    installed,
    mirrors,
    mirrors_of_host,
    parse_version,
    wanted,
)

DEB822 = """\
Types: deb
URIs: http://mirror.example.kr/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://security.example.kr/debian-security
Suites: bookworm-security
"""
ONE_LINE = """\
# deb http://old.example.kr/debian bullseye main
deb [arch=amd64 signed-by=/k.gpg] https://mirror2.example.kr/debian bookworm main
deb-src http://src.example.kr/debian bookworm main
deb http://archive.ubuntu.com/ubuntu noble main
"""


def test_the_host_s_own_debian_mirrors_are_found_in_both_notations() -> None:
    assert mirrors_of_host([DEB822, ONE_LINE]) == [
        "http://mirror.example.kr/debian",
        "https://mirror2.example.kr/debian",
    ]


def test_a_chosen_mirror_is_the_only_one() -> None:
    assert mirrors({"CHANGGU_DEBIAN_MIRROR": "http://mine.example.kr/debian/"}) == ["http://mine.example.kr/debian"]
    assert mirrors({})[-1] == DEFAULT_MIRROR


def test_versions_are_compared_as_numbers() -> None:
    assert parse_version("Asterisk 22.10.1+dfsg+~cs6.17.60671434-1") == (22, 10, 1)
    assert parse_version("22.9.0~dfsg") < MINIMUM_PRIVATE
    assert parse_version("20.5") == (20, 5, 0)
    with pytest.raises(PbxUnavailable):
        parse_version("Asterisk GIT-master")


def test_each_architecture_has_its_loader() -> None:
    assert architecture_of("x86_64").loader == "ld-linux-x86-64.so.2"
    assert architecture_of("aarch64").triplet == "aarch64-linux-gnu"
    with pytest.raises(PbxUnavailable, match=r"pbx\.kind"):
        architecture_of("riscv64")


def test_the_folder_follows_the_environment(tmp_path: Path) -> None:
    assert default_folder({"CHANGGU_CACHE": "/c", "XDG_CACHE_HOME": "/x"}) == Path("/c/pbx")
    assert default_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/changgu/pbx")
    assert default_folder({}) == Path.home() / ".cache/changgu/pbx"


@pytest.mark.parametrize(
    "name",
    [
        "usr/sbin/asterisk",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/lib/aarch64-linux-gnu/asterisk/modules/app_queue.so",
        "usr/share/asterisk/documentation/core-en_US.xml",
        "usr/share/asterisk/sounds/en_US_f_Allison/beep.wav",
        "usr/share/doc/asterisk/copyright",
    ],
)
def test_what_asterisk_needs_is_kept(name: str) -> None:
    assert wanted(name)


@pytest.mark.parametrize(
    "name",
    [
        "usr/bin/passwd",
        "usr/sbin/useradd",
        "etc/asterisk/manager.conf",
        "usr/share/man/man8/asterisk.8.gz",
        "usr/share/doc/asterisk/README",
        "usr/lib/x86_64-linux-gnu/perl/5.42/x.so",
        "usr/share/asterisk/sounds/custom",
        "var/lib/asterisk/x",
    ],
)
def test_what_asterisk_does_not_need_is_left_out(name: str) -> None:
    assert not wanted(name)


def test_a_package_is_unpacked_without_owners_or_setuid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, mode in (("./usr/sbin/asterisk", 0o4755), ("./usr/sbin/other", 0o755)):
            member = tarfile.TarInfo(name)
            member.mode, member.uid, member.size = mode, 1234, 2
            tar.addfile(member, BytesIO(b"hi"))
    package = tmp_path / "package.tar"
    package.write_bytes(content.getvalue())
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "dpkg-deb").write_text('#!/bin/sh\nexec cat "$2"\n')
    (programs / "dpkg-deb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    pbx_packages.unpack(package, tmp_path / "root")

    assert [str(path.relative_to(tmp_path / "root")) for path in tmp_path.glob("root/**/*") if path.is_file()] == [
        "usr/sbin/asterisk"
    ]
    there = (tmp_path / "root/usr/sbin/asterisk").stat()
    assert there.st_mode & 0o7777 == 0o755
    assert there.st_uid == os.getuid()


def test_waiting_callers_music_lies_there_as_a_line_carries_it(tmp_path: Path) -> None:
    """Asterisk translated it for each of them: a full queue took a processor more."""
    for name, rate in (("piano.wav", 8000), ("wide.wav", 16000)):
        with wave.open(str(tmp_path / name), "wb") as music:
            music.setparams((1, 2, rate, 0, "NONE", ""))
            music.writeframes(b"\x00\x00\xff\x7f\x01\x80" * 100)
    (tmp_path / "no-music.wav").write_bytes(b"RIFF")
    pbx_packages.write_music_as_on_the_line(tmp_path, print)
    line = tmp_path / "piano.ulaw"
    assert line.read_bytes() == b"\xff\x80\x00" * 100
    assert [file.name for file in tmp_path.glob("*.ulaw")] == ["piano.ulaw"]
    written = line.stat().st_mtime_ns
    pbx_packages.write_music_as_on_the_line(tmp_path, print)
    assert line.stat().st_mtime_ns == written
    assert not list(tmp_path.glob(".*"))


def test_a_release_that_is_there_gets_its_music_and_runs_without_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk must not keep a desk from the PBX that it has."""
    release = pbx_packages.PbxRelease(tmp_path / "release", architecture_of("x86_64"))
    release.music.mkdir(parents=True)
    for name in ("broken.wav", "piano.wav"):
        with wave.open(str(release.music / name), "wb") as music:
            music.setparams((1, 2, 8000, 0, "NONE", ""))
            music.writeframes(b"\x00\x00")
    monkeypatch.setattr(pbx_packages, "installed", lambda *_: release)
    monkeypatch.setattr(pbx_packages.PbxRelease, "version", lambda _: MINIMUM_PRIVATE)

    def full(file: Path, content: bytes, *, mode: int) -> None:
        if file.name == "broken.ulaw":
            raise OSError(28, "No space left on device")
        write_whole(file, content, mode=mode)

    monkeypatch.setattr(pbx_packages, "write_whole", full)
    said: list[str] = []
    assert Installer(tmp_path, release.architecture, mirrors=[], say=said.append).install() == release
    assert (release.music / "piano.ulaw").read_bytes() == b"\xff"
    assert len(said) == 1
    assert "broken.wav" in said[0]


def test_a_folder_without_a_complete_release_is_empty(tmp_path: Path) -> None:
    assert installed(tmp_path, architecture_of("x86_64")) is None


@pytest.fixture
def forged_mirror(tmp_path: Path) -> Iterator[str]:
    """A mirror on loopback whose lists nobody signed."""
    release = tmp_path / "mirror/debian/dists/forky"
    release.mkdir(parents=True)
    text = "Origin: Debian\nSuite: testing\nCodename: forky\nDate: Sat, 21 Nov 2026 00:00:00 UTC\nComponents: main\n"
    (release / "InRelease").write_text(text)
    (release / "Release").write_text(text)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "mirror"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/debian"
    server.shutdown()
    thread.join()
    server.server_close()


def test_lists_that_debian_did_not_sign_are_refused(tmp_path: Path, forged_mirror: str) -> None:
    said: list[str] = []
    architecture = architecture_of(os.uname().machine)

    with pytest.raises(PbxUnavailable, match="No mirror gave the lists"):
        Installer(tmp_path / "pbx", architecture, mirrors=[forged_mirror], say=said.append).install()

    assert f"{forged_mirror} cannot be used" in said[-1]
    assert "Clearsigned file isn't valid" in said[-1]
    assert installed(tmp_path / "pbx", architecture) is None


def test_a_mirror_that_is_not_there_is_named_with_the_cure(tmp_path: Path) -> None:
    mirror = "http://127.0.0.1:9/debian"
    with pytest.raises(PbxUnavailable) as refused:
        Installer(tmp_path, architecture_of("x86_64"), mirrors=[mirror], say=lambda _: None).install()
    assert "CHANGGU_DEBIAN_MIRROR" in refused.value.ko
