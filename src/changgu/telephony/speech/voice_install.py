"""Fetches a neural voice: the licence first, then every file, checked against its digest, continued where it broke off.

The folder of voices, by default `~/.cache/changgu/voices`:

    supertonic-3/              a whole voice; renamed here only after every digest was right
    partial/supertonic-3/      an unfinished download, continued by the next attempt
    lock                       one installation at a time
"""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from changgu.telephony.speech.voice_catalogue import (
    MARK,
    InstalledVoice,
    VoiceFile,
    VoiceOffer,
    VoiceUnavailable,
    installed,
)

TRIES: Final = 4
"""Of one file from one source; every further one continues where the last broke off."""
TELL_EVERY: Final = 32 * 1024 * 1024
"""Bytes between two lines of progress."""
TIME_LIMIT: Final = httpx.Timeout(30.0)
SPARE: Final = 64 * 1024 * 1024
"""Bytes that must be left on the disk."""

Say = Callable[[str], None]
Pause = Callable[[float], None]
"""Waits so many seconds before the next try."""
Agree = Callable[[VoiceOffer, str], bool]
"""Shown the licence (the offer and the whole text), answers whether the person agrees."""


class NotAgreed(VoiceUnavailable):
    """The person does not agree to the licence; nothing was installed."""


class _Broken(Exception):
    """This file could not be had from this source."""


def install(
    offer: VoiceOffer,
    voices: Path,
    agree: Agree,
    say: Say,
    *,
    source: str = "",
    pause: Pause = time.sleep,
) -> InstalledVoice:
    """The voice, fetched when it is not there. `source`: an address or a folder of your own that holds the files.

    Raises `VoiceUnavailable`.
    """
    voices.mkdir(parents=True, exist_ok=True)
    with _alone(voices):
        there = installed(offer, voices)
        if there is not None:
            return there
        partial = voices / "partial" / offer.name
        partial.mkdir(parents=True, exist_ok=True)
        _room_for(offer, partial)
        sources = (source.rstrip("/"),) if source else offer.sources
        with httpx.Client(timeout=TIME_LIMIT, follow_redirects=True) as client:
            terms = next(file for file in offer.files if file.path == offer.licence.file)
            _fetch(client, sources, terms, partial, say, pause)
            if not agree(offer, (partial / terms.path).read_text(encoding="utf-8", errors="replace")):
                raise NotAgreed(
                    "사용 조건에 동의하지 않아 설치하지 않았습니다.",
                    "Not installed, because the licence was not agreed to.",
                )
            for file in offer.files:
                _fetch(client, sources, file, partial, say, pause)
        (partial / MARK).write_text(
            f"{offer.fingerprint}# {offer.title}: {offer.licence.name}, agreed to on {datetime.now(UTC):%Y-%m-%d}\n",
            encoding="utf-8",
        )
        folder = voices / offer.name
        if folder.exists():  # an older version, or a damaged one
            shutil.rmtree(folder)
        partial.replace(folder)
        return InstalledVoice(offer, folder)


def remove(offer: VoiceOffer, voices: Path) -> bool:
    """Take the voice off the disk, and what was fetched of it; whether there was any."""
    if not voices.is_dir():
        return False
    with _alone(voices):
        folders = [one for one in (voices / offer.name, voices / "partial" / offer.name) if one.exists()]
        for folder in folders:
            shutil.rmtree(folder)
        return bool(folders)


@contextmanager
def _alone(voices: Path) -> Iterator[None]:
    with (voices / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise VoiceUnavailable(
                f"{voices}에서 다른 음성 설치가 진행 중입니다.", f"Another voice installation works in {voices}."
            ) from None
        yield


def _room_for(offer: VoiceOffer, partial: Path) -> None:
    fetched = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
    needed = offer.size - fetched + SPARE
    if shutil.disk_usage(partial).free < needed:
        megabytes = needed // 1_000_000
        raise VoiceUnavailable(
            f"{partial}에 {megabytes} MB가 더 필요합니다.", f"{megabytes} MB of free space are needed in {partial}."
        )


def _fetch(
    client: httpx.Client, sources: Sequence[str], file: VoiceFile, folder: Path, say: Say, pause: Pause
) -> None:
    """Have the file in `folder`, as it must be."""
    final = folder / file.path
    if final.is_file() and _digest(final) == file.sha256:
        return
    final.unlink(missing_ok=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.name}.part")
    whys: list[str] = []
    for source in sources:
        for number in range(TRIES):
            try:
                _take(client, source, file, part, say)
            except (_Broken, httpx.HTTPError, OSError) as trouble:
                whys.append(f"{source}/{file.path}: {trouble}")
                if isinstance(trouble, _Broken):
                    break  # asking again changes nothing
                pause(float(number))
            else:
                part.replace(final)
                return
    told = "\n".join(dict.fromkeys(whys))
    raise VoiceUnavailable(
        f"음성 파일을 받지 못했습니다. 다시 실행하면 이어서 받습니다.\n{told}",
        f"The voice could not be fetched; run it again to go on where it broke off.\n{told}",
    )


def _take(client: httpx.Client, source: str, file: VoiceFile, part: Path, say: Say) -> None:
    if "://" in source:
        _download(client, f"{source}/{file.path}", file, part, say)
    else:
        shutil.copyfile(Path(source).expanduser() / file.path, part)
    if part.stat().st_size != file.size:
        if part.stat().st_size < file.size:
            raise httpx.ReadError(f"{part.stat().st_size} of {file.size} bytes")
        part.unlink()
        raise _Broken("longer than it should be")
    if _digest(part) != file.sha256:
        part.unlink()
        raise _Broken("SHA-256 is wrong: this is not the file that belongs to the voice")


def _download(client: httpx.Client, url: str, file: VoiceFile, part: Path, say: Say) -> None:
    """Append what is missing (RFC 9110 section 14), or begin again where the server cannot continue."""
    has = part.stat().st_size if part.exists() else 0
    if has >= file.size:
        if has > file.size:
            part.unlink()
            has = 0
        else:
            return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={has}-"} if has else {})
    with client.stream("GET", url, headers=headers) as answer:
        goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
        if goes_on and not answer.headers.get("content-range", "").startswith(f"bytes {has}-"):
            raise _Broken(f"another part than the one asked for: {answer.headers.get('content-range')}")
        if answer.status_code >= 500:
            raise httpx.ReadError(f"HTTP {answer.status_code}")
        if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise _Broken(f"HTTP {answer.status_code}")
        done = has if goes_on else 0
        told = done // TELL_EVERY
        with part.open("ab" if goes_on else "wb") as out:
            for piece in answer.iter_raw():  # as it arrives: what has come is kept when the rest does not
                out.write(piece)
                done += len(piece)
                if done > file.size:
                    break
                if done // TELL_EVERY > told:
                    told = done // TELL_EVERY
                    say(f"{file.path}  {done // 1_000_000}/{file.size // 1_000_000} MB")


def _digest(file: Path) -> str:
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()
