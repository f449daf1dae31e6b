"""Fetches the private Asterisk: Debian's own packages, signatures verified, unpacked into a folder without root.

apt-get keeps its lists and archives in a folder of ours, so the host's package database is neither read nor changed.
Asterisk then runs through its own loader beside the host's libraries, so the host's release does not matter.
Only the standard library is used: the launcher runs this file before anything is installed.

The folder, by default `~/.cache/changgu/pbx`:

    current -> release-22.10.1-amd64      what runs
    release-22.10.1-amd64/                a complete release; renamed here only after it said its version
    partial/                              an unfinished download, resumed by the next attempt
    lock                                  one installation at a time
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Final

from changgu.ground.trouble import Trouble
from changgu.ground.whole_file import write_whole
from changgu.telephony.speech.mu_law import is_translatable, on_the_line

Version = tuple[int, int, int]

MINIMUM_PRIVATE: Final[Version] = (22, 10, 1)
"""Earlier releases let a read-only ARI user write over the websocket: GHSA-wcvv-g26m-wx5c, GHSA-vrfp-mg3q-3959."""
SUITE: Final = "forky"
"""The Debian release that carries Asterisk 22, the long-term series; Debian 12 and 13 carry none."""
DEFAULT_MIRROR: Final = "http://deb.debian.org/debian"
PACKAGES: Final = ("asterisk", "asterisk-modules", "asterisk-core-sounds-en-wav", "asterisk-moh-opsound-wav")
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SPACE_NEEDED: Final = 600 * 1024 * 1024
"""Archives and unpacked files together, in bytes."""
STALE_LIMIT: Final = timedelta(days=90)
"""How old a mirror's lists may be once Debian's own date on them has passed."""

Say = Callable[[str], None]


class PbxUnavailable(Trouble):
    """The private PBX cannot be installed or started; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What one kind of processor is called by Debian and by the loader."""

    debian: str
    triplet: str
    loader: str


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "x86_64": Architecture("amd64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "aarch64": Architecture("arm64", "aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
}


@dataclass(frozen=True, slots=True)
class PbxRelease:
    """One unpacked Asterisk."""

    root: Path
    architecture: Architecture

    @property
    def libraries(self) -> Path:
        """Where its shared libraries lie."""
        return self.root / "usr/lib" / self.architecture.triplet

    @property
    def modules(self) -> Path:
        """`astmoddir` of asterisk.conf."""
        return self.libraries / "asterisk/modules"

    @property
    def data(self) -> Path:
        """`astdatadir` of asterisk.conf: sounds, music and the documentation Asterisk checks its configuration with."""
        return self.root / "usr/share/asterisk"

    @property
    def music(self) -> Path:
        """What waiting callers hear."""
        return self.data / "moh"

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs this Asterisk through its own loader."""
        loader = self.libraries / self.architecture.loader
        return [str(loader), "--library-path", str(self.libraries), str(self.root / "usr/sbin/asterisk"), *arguments]

    def version(self) -> Version:
        """What `asterisk -V` says; raises when it does not run."""
        try:
            said = subprocess.run(self.command("-V"), capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as trouble:
            said_why = getattr(trouble, "stderr", None) or trouble
            raise PbxUnavailable(
                f"{self.root}의 Asterisk가 실행되지 않습니다: {said_why}",
                f"The Asterisk in {self.root} does not run: {said_why}",
            ) from trouble
        return parse_version(said.stdout)


def parse_version(said: str) -> Version:
    """The numbers of `Asterisk 22.10.1+dfsg…`; a missing third number counts as 0."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    if found is None:
        raise PbxUnavailable(
            f"Asterisk 버전을 알 수 없습니다: {said!r}", f"This is not the version of an Asterisk: {said!r}"
        )
    return int(found[1]), int(found[2]), int(found[3] or 0)


def dotted(version: Version) -> str:
    """`(22, 10, 1)` as people write it."""
    return ".".join(str(number) for number in version)


def architecture_of(machine: str) -> Architecture:
    """The architecture that `uname -m` names."""
    try:
        return ARCHITECTURES[machine]
    except KeyError:
        raise PbxUnavailable(
            f'이 프로세서({machine})용 Asterisk는 없습니다. pbx.kind = "existing"으로 기존 Asterisk를 지정하십시오.',
            f'No private Asterisk for this processor ({machine}); set pbx.kind = "existing" to use your own.',
        ) from None


def default_folder(environment: Mapping[str, str]) -> Path:
    """`$CHANGGU_CACHE/pbx`, else `$XDG_CACHE_HOME/changgu/pbx`, else `~/.cache/changgu/pbx`."""
    if cache := environment.get("CHANGGU_CACHE"):
        return Path(cache) / "pbx"
    home = Path(environment["XDG_CACHE_HOME"]) if environment.get("XDG_CACHE_HOME") else Path.home() / ".cache"
    return home / "changgu" / "pbx"


def installed(folder: Path, architecture: Architecture) -> PbxRelease | None:
    """The complete release in `folder`, or None."""
    current = folder / "current"
    if not (current / "usr/sbin/asterisk").exists():
        return None
    release = PbxRelease(current.resolve(), architecture)
    return release if (release.libraries / architecture.loader).exists() else None


def mirrors_of_host(sources: Sequence[str]) -> list[str]:
    """Debian mirrors named in the host's own apt sources (texts of `*.list` and `*.sources` files), best first."""
    found: list[str] = []
    for text in sources:
        for line in text.splitlines():
            deb822 = re.match(r"URIs:\s*(.+)", line)
            one_line = re.match(r"deb\s+(?:\[[^]]*]\s+)?(\S+)\s", line)
            addresses = deb822[1].split() if deb822 else [one_line[1]] if one_line else []
            found += [a.rstrip("/") for a in addresses if re.match(r"https?://\S+/debian/?$", a)]
    return list(dict.fromkeys(found))


def wanted(name: str) -> bool:
    """Whether a file of a package is kept: Asterisk, libraries and licences, not manuals or other programs."""
    parts = PurePosixPath(name).parts
    match parts:
        case ("usr", "sbin", "asterisk"):
            return True
        case ("usr", "share", "asterisk", "sounds", "custom" | "priv-callerintros" | "recordings"):
            return False  # links into the host's own /var/lib/asterisk
        case ("usr", "share", "asterisk", *_):
            return True
        case ("usr", "share", "doc", _, "copyright"):
            return True
        case ("usr", "lib", _, "perl" | "perl-base" | "gconv" | "systemd", *_):
            return False
        case ("usr", "lib", triplet, _, *_) if triplet.endswith("-linux-gnu"):
            return True
        case _:
            return False


class Installer:
    """Downloads, unpacks, checks and puts in place; every step can be interrupted and begun again."""

    def __init__(
        self,
        folder: Path,
        architecture: Architecture,
        *,
        mirrors: Sequence[str],
        say: Say,
        keyring: Path = KEYRING,
    ) -> None:
        self._folder = folder
        self._partial = folder / "partial"
        self._architecture = architecture
        self._mirrors = mirrors
        self._keyring = keyring
        self._say = say
        self._lock = -1

    def install(self, *, renew: bool = False) -> PbxRelease:
        """The release that is there, or a newly fetched one. `renew` fetches Debian's newest even so."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            there = installed(self._folder, self._architecture)
            if there is not None and not renew and there.version() >= MINIMUM_PRIVATE:
                write_music_as_on_the_line(there.music, self._say)
                return there
            self._check_tools()
            self._download()
            return self._put_in_place(self._unpack())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("Another process is installing the private PBX; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._lock = lock.fileno()
            yield

    def _check_tools(self) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise PbxUnavailable(
                    f"이 시스템에는 {tool} 명령이 없습니다. Debian 또는 Ubuntu에서 실행하거나 "
                    'pbx.kind = "existing"으로 기존 Asterisk를 지정하십시오.',
                    f'This host has no {tool}: run on Debian or Ubuntu, or set pbx.kind = "existing" to use your own '
                    "Asterisk.",
                )
        if not self._keyring.exists():
            install = "apt-get install --yes debian-archive-keyring"
            if os.geteuid() != 0:
                raise PbxUnavailable(
                    f"Debian 패키지 서명을 확인할 열쇠가 없습니다. 다음을 실행하십시오: sudo {install}",
                    f"The keys that verify Debian's packages are missing. Type: sudo {install}",
                )
            self._say("Installing debian-archive-keyring, the keys that verify Debian's packages")
            subprocess.run(install.split(), check=True, stdout=subprocess.DEVNULL)
        free = shutil.disk_usage(self._folder).free
        if free < SPACE_NEEDED:
            raise PbxUnavailable(
                f"{self._folder}에 600MB가 필요하지만 {free // 1024**2}MB만 남았습니다.",
                f"{self._folder} needs 600 MB but has {free // 1024**2} MB left.",
            )

    def _download(self) -> None:
        for folder in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self._partial / folder).mkdir(parents=True, exist_ok=True)
        (self._partial / "etc/status").touch()
        for mirror in self._mirrors:
            self._say(f"Reading the package lists of Debian {SUITE} from {mirror}")
            trouble = self._update(mirror)
            if trouble is None:
                break
            self._say(f"{mirror} cannot be used: {trouble}")
        else:
            raise PbxUnavailable(
                f"Debian 미러에서 {SUITE} 목록을 받지 못했습니다: {trouble} "
                "(CHANGGU_DEBIAN_MIRROR로 다른 미러를 지정할 수 있습니다)",
                f"No mirror gave the lists of Debian {SUITE}: {trouble} (CHANGGU_DEBIAN_MIRROR names another mirror)",
            )
        self._check_candidate()
        self._download_archives()

    def _update(self, mirror: str) -> str | None:
        """Fetches the signed package lists of `mirror`; returns why they cannot be used, or None.

        A mirror that is updated seldom serves lists past the date Debian gave them. They are still signed, and the
        least version of Asterisk is checked besides, so up to `STALE_LIMIT` they are used and said to be old.
        """
        self._write_apt_conf(mirror)
        updated = self._run(["apt-get", "--quiet=2", "update", "--error-on=any"])
        if updated.returncode == 0:
            return None
        if " is expired " not in updated.stderr:
            return _last_error(updated.stderr)
        self._write_apt_conf(mirror, **{"Acquire::Check-Valid-Until": "false"})
        updated = self._run(["apt-get", "--quiet=2", "update", "--error-on=any"])
        if updated.returncode != 0:
            return _last_error(updated.stderr)
        released = re.search(
            r"^Date: (.+)$", next((self._partial / "state/lists").glob("*InRelease")).read_text(), re.MULTILINE
        )
        age = datetime.now(UTC) - parsedate_to_datetime(released[1] if released else "")
        if age > STALE_LIMIT:
            return f"its lists are {age.days} days old"
        self._say(f"This mirror's lists are {age.days} days old; their signature is good, so they are used")
        return None

    def _check_candidate(self) -> None:
        shown = self._run(["apt-cache", "policy", "asterisk"])
        candidate = re.search(r"Candidate: (?:\d+:)?(\S+)", shown.stdout)
        version = parse_version(candidate[1] if candidate else "")
        if version < MINIMUM_PRIVATE:
            raise PbxUnavailable(
                f"미러의 Asterisk {dotted(version)}에는 알려진 취약점이 있습니다({dotted(MINIMUM_PRIVATE)} 이상 필요).",
                f"The mirror's Asterisk {dotted(version)} has known weaknesses; {dotted(MINIMUM_PRIVATE)} is needed.",
            )

    def _download_archives(self) -> None:
        listed = self._run(["apt-get", "--quiet=2", "install", "--yes", "--print-uris", *PACKAGES])
        wanted_sizes = {
            name: int(size) for name, size in re.findall(r"^'\S+' (\S+\.deb) (\d+)", listed.stdout, flags=re.MULTILINE)
        }
        total = sum(wanted_sizes.values())
        if listed.returncode != 0 or (not total and not list((self._partial / "cache/archives").glob("*.deb"))):
            raise PbxUnavailable(
                f"Asterisk 패키지를 정할 수 없습니다: {_last_error(listed.stderr)}",
                f"apt cannot resolve Asterisk's packages: {_last_error(listed.stderr)}",
            )
        if wanted_sizes:
            self._say(f"Downloading Asterisk: {len(wanted_sizes)} packages, {total / 1e6:.0f} MB")
        trouble = self._follow_download(["install", "--yes", "--download-only", *PACKAGES])
        if trouble is not None:
            raise PbxUnavailable(
                f"Asterisk 내려받기가 중단되었습니다: {trouble} (같은 명령을 다시 실행하면 이어서 받습니다)",
                f"The download of Asterisk stopped: {trouble} (the same command continues where it stopped)",
            )

    def _follow_download(self, arguments: Sequence[str]) -> str | None:
        """Runs apt-get and says its progress in tens of percent; returns its trouble, if any."""
        reader, writer = os.pipe()
        command = ["apt-get", "--quiet=2", "-o", f"APT::Status-Fd={writer}", *arguments]
        log_path = self._partial / "download.log"
        with log_path.open("w") as log:
            running = subprocess.Popen(
                command, env=self._environment(), stdout=log, stderr=subprocess.STDOUT, pass_fds=(writer, self._lock)
            )  # it holds our lock too: if we are killed, the next attempt waits for it and takes over what it fetched
        os.close(writer)
        tens = 0
        with os.fdopen(reader) as progress:
            for line in progress:  # dlstatus:<item>:<percent>:<what>
                word, _, rest = line.partition(":")
                percent = rest.split(":")[1] if word == "dlstatus" else ""
                if percent and int(float(percent) // 10) > tens:
                    tens = int(float(percent) // 10)
                    self._say(f"Downloading Asterisk: {tens * 10} %")
        return None if running.wait() == 0 else _last_error(log_path.read_text())

    def _unpack(self) -> PbxRelease:
        archives = sorted((self._partial / "cache/archives").glob("*.deb"))
        self._say(f"Unpacking {len(archives)} packages")
        root = self._partial / "root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for archive in archives:
            unpack(archive, root)
        sounds = root / "usr/share/asterisk/sounds"
        voices = sorted(folder.name for folder in sounds.iterdir() if folder.name.startswith("en_"))
        if voices and not (sounds / "en").exists():
            (sounds / "en").symlink_to(voices[0])  # Debian makes this link when it configures the package
        return PbxRelease(root, self._architecture)

    def _put_in_place(self, release: PbxRelease) -> PbxRelease:
        version = release.version()
        if version < MINIMUM_PRIVATE:
            raise PbxUnavailable(
                f"받은 Asterisk가 {dotted(version)}입니다({dotted(MINIMUM_PRIVATE)} 이상 필요).",
                f"The Asterisk received is {dotted(version)}; {dotted(MINIMUM_PRIVATE)} is the least.",
            )
        write_music_as_on_the_line(release.music, self._say)
        name = f"release-{dotted(version)}-{self._architecture.debian}"
        attempt = 1
        while (self._folder / name).exists():  # an older one may be running: never replaced in place
            attempt += 1
            name = f"release-{dotted(version)}-{self._architecture.debian}-{attempt}"
        release.root.rename(self._folder / name)
        following = self._folder / "current.next"
        following.unlink(missing_ok=True)
        following.symlink_to(name)
        following.replace(self._folder / "current")
        shutil.rmtree(self._partial)
        self._say(f"Asterisk {dotted(version)} is ready in {self._folder / name}")
        return PbxRelease(self._folder / name, self._architecture)

    def _write_apt_conf(self, mirror: str, **besides: str) -> None:
        (self._partial / "etc/sources.list").write_text(f"deb [signed-by={self._keyring}] {mirror} {SUITE} main\n")
        kept = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True, env=_plain_language())
        own = {
            "APT::Architecture": self._architecture.debian,
            "APT::Architectures": self._architecture.debian,
            "APT::Install-Recommends": "false",
            "APT::Get::AllowUnauthenticated": "false",
            "Acquire::AllowInsecureRepositories": "false",
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Dir::State": str(self._partial / "state"),
            "Dir::State::status": str(self._partial / "etc/status"),
            "Dir::Cache": str(self._partial / "cache"),
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": str(self._partial / "etc/sources.list"),
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
        }
        lines = [line for line in kept.stdout.splitlines() if _says_how_to_reach_mirrors(line)]
        lines += [f'{name} "{value}";' for name, value in {**own, **besides}.items()]
        (self._partial / "etc/apt.conf").write_text("\n".join(lines) + "\n")

    def _environment(self) -> dict[str, str]:
        return _plain_language() | {"APT_CONFIG": str(self._partial / "etc/apt.conf")}

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)


def unpack(archive: Path, root: Path) -> None:
    """Puts the wanted files of one package under `root`, owned by whoever runs this and never setuid."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as reading,
        tarfile.open(fileobj=reading.stdout, mode="r|") as content,
    ):
        content.extraction_filter = lambda member, _: member
        for member in content:
            member.name = member.name.removeprefix("./")
            if member.isdir() or not wanted(member.name):
                continue
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            member.uid, member.gid = os.getuid(), os.getgid()
            member.uname = member.gname = ""
            if member.islnk():
                member.linkname = member.linkname.removeprefix("./")
            content.extract(member, root)
    if reading.returncode != 0:
        archive.unlink()
        raise PbxUnavailable(
            f"{archive.name} 패키지가 손상되었습니다. 같은 명령을 다시 실행하면 새로 받습니다.",
            f"The package {archive.name} is damaged; the same command fetches it again.",
        )


def write_music_as_on_the_line(folder: Path, say: Say) -> None:
    """Beside each WAV file what a line with µ-law carries of it, if that is not there yet.

    Asterisk takes the form that it need not translate: else it does so for every caller who waits, fifty times a
    second. What cannot be translated or written stays as it is, and is played all the same.
    """
    for file in folder.glob("*.wav"):
        if (line := file.with_suffix(".ulaw")).exists():
            continue
        try:
            if is_translatable(wav := file.read_bytes()):
                write_whole(line, on_the_line(wav), mode=0o644)
        except (OSError, ValueError) as trouble:
            say(f"The music in {file} is left to Asterisk to translate: {trouble}")


def _says_how_to_reach_mirrors(line: str) -> bool:
    """Whether a line of `apt-config dump` is the host's word on proxies or on deliberately frozen mirrors."""
    names = r"(?:https?|ftp)(?:::\S+)*|ForceIPv[46]|Check-Valid-Until|Check-Date"
    return bool(re.match(rf'Acquire::(?:{names}) ".+";$', line))


def _plain_language() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _last_error(output: str) -> str:
    """The most telling line apt-get printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err:", "W:"))]
    return (errors or lines or ["apt-get said nothing"])[0]


def mirrors(environment: Mapping[str, str]) -> list[str]:
    """`$CHANGGU_DEBIAN_MIRROR` alone when set; else the host's own Debian mirrors, then Debian's."""
    if chosen := environment.get("CHANGGU_DEBIAN_MIRROR"):
        return [chosen.rstrip("/")]
    etc = Path("/etc/apt")
    files = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*"))]
    hosts = mirrors_of_host([file.read_text(errors="replace") for file in files if file.is_file()])
    return list(dict.fromkeys([*hosts, DEFAULT_MIRROR]))


def install(say: Say, *, renew: bool = False) -> PbxRelease:
    """The private PBX of this user, fetched when it is not there yet."""
    architecture = architecture_of(os.uname().machine)
    folder = default_folder(os.environ)
    return Installer(folder, architecture, mirrors=mirrors(os.environ), say=say).install(renew=renew)


def main(arguments: Sequence[str]) -> int:
    """`python -m changgu.telephony.pbx_packages [--renew]`."""
    try:
        release = install(lambda line: print(f"  {line}", flush=True), renew="--renew" in arguments)
    except PbxUnavailable as trouble:
        print(f"{trouble.ko}\n{trouble.en}", file=sys.stderr)
        return 1
    print(release.root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
