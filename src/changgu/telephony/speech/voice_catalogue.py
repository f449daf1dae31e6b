"""Which neural voices there are to fetch, under which licence, and which of them are installed.

A voice is described by a file of `voices/`: where it comes from, what may be done with it, and the exact size and
SHA-256 of everything that belongs to it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Final

from changgu.ground.trouble import BadInput, NotFound, Trouble

DEFAULT_VOICE: Final = "supertonic-3"
MARK: Final = "installed.txt"
"""Written last: a folder with it is whole. It holds the digests of what was installed, and who agreed to what when."""


class VoiceUnavailable(Trouble):
    """A voice cannot be fetched or used; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class VoiceFile:
    """One file of a voice."""

    path: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Licence:
    """What may be done with a voice: the name, its text among the voice's files, and what matters to a desk."""

    name: str
    file: str
    ko: tuple[str, ...]
    en: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VoiceOffer:
    """A voice that can be fetched."""

    name: str
    title: str
    version: str
    languages: tuple[str, ...]
    speakers: tuple[str, ...]
    card: str
    """The page on which its makers describe it."""
    sources: tuple[str, ...]
    """Addresses under which the files lie, tried in this order."""
    licence: Licence
    files: tuple[VoiceFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def fingerprint(self) -> str:
        """A line for every file, as `sha256sum` writes and checks it."""
        return "".join(f"{file.sha256}  {file.path}\n" for file in self.files)


@dataclass(frozen=True, slots=True)
class InstalledVoice:
    """A voice whose files are there, whole and checked."""

    offer: VoiceOffer
    folder: Path


def offer_named(name: str = DEFAULT_VOICE) -> VoiceOffer:
    """The voice of this name, or the one that a file of your own (`….toml`) describes; raises NotFound or BadInput."""
    if name.endswith(".toml"):
        try:
            return read_offer(Path(name).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError) as trouble:
            raise BadInput(f"{name}: 음성 설명이 아닙니다: {trouble}", f"{name}: {trouble}") from trouble
    folder = resources.files("changgu.telephony.speech") / "voices"
    known = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name not in known:
        names = ", ".join(known)
        raise NotFound(f"{name}: 그런 음성은 없습니다. 있는 것: {names}", f"{name}: no such voice; there is: {names}")
    return read_offer((folder / f"{name}.toml").read_text(encoding="utf-8"))


def read_offer(text: str) -> VoiceOffer:
    """A voice's description; raises ValueError when it is not one."""
    try:
        return _offer(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as trouble:
        raise ValueError(f"not the description of a voice: {trouble!r}") from trouble


def _offer(read: Mapping[str, Any]) -> VoiceOffer:
    files = tuple(VoiceFile(path, int(one["size"]), str(one["sha256"])) for path, one in read["files"].items())
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or len(file.sha256) != 64 or file.size <= 0:
            raise ValueError(f"not a file of a voice: {file}")
    terms = read["licence"]
    licence = Licence(terms["name"], terms["file"], tuple(terms["ko"]), tuple(terms["en"]))
    if licence.file not in [file.path for file in files]:
        raise ValueError("the text of the licence is not among the files")
    return VoiceOffer(
        read["name"], read["title"], read["version"], tuple(read["languages"]), tuple(read["speakers"]), read["card"],
        tuple(source.rstrip("/") for source in read["sources"]), licence, files,
    )  # fmt: skip


def installed(offer: VoiceOffer, voices: Path) -> InstalledVoice | None:
    """The voice, when all of it is in `voices` (the folder of every voice) in this version."""
    folder = voices / offer.name
    try:
        whole = (folder / MARK).read_text(encoding="utf-8").startswith(offer.fingerprint) and all(
            (folder / file.path).stat().st_size == file.size for file in offer.files
        )
    except OSError:
        return None
    return InstalledVoice(offer, folder) if whole else None
