"""Looks after the private Asterisk: starts it, keeps it running, gives it new configuration, stops it.

It runs in a session of its own, so conversations go on when changgu is killed; the next changgu finds it by the process
that was started with our configuration file, and adopts it instead of starting a second one.
"""

import asyncio
import base64
import contextlib
import hashlib
import logging
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from changgu.asterisk_conf.plan import Folders, PbxPlan
from changgu.asterisk_conf.render import reloads_for
from changgu.ground.whole_file import write_whole
from changgu.telephony.existing_pbx import existing_version as existing_version
from changgu.telephony.pbx_packages import PbxRelease, PbxUnavailable, Say

# Imported with the first word to the PBX: it takes a while, and after a crash callers wait for that.
if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

PING: Final = (
    b"GET /ari/asterisk/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic %s\r\nConnection: close\r\n\r\n"
)

START_LIMIT: Final = 60.0
"""Seconds until a PBX that was started must answer; it takes about one on a quiet machine."""
STOP_LIMIT: Final = 15.0
"""Seconds a PBX may take to say goodbye to its phones."""
PORT_PATIENCE: Final = 2.0
"""Seconds for which a port may be taken before somebody is told."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks at whether it runs or answers."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds before it is started again after it died; doubles until it has run for a minute."""
MOST_OPEN_FILES: Final = 65536
"""A conversation holds about ten; the usual limit of 1,024 would end at a hundred conversations."""
LONGEST_SOCKET_PATH: Final = 107
"""Bytes in the address of a Unix socket, see unix(7)."""


def pbx_folders(pbx_folder: Path, release: PbxRelease | None) -> Folders:
    """Where a PBX whose data lies in `pbx_folder` keeps what; `run` moves when its socket's path would be too long.

    An existing Asterisk has no release of ours; the folders of its programs are not asked for.
    """
    run = pbx_folder / "run"
    if len(str(run / "asterisk.ctl")) > LONGEST_SOCKET_PATH:
        short = hashlib.sha256(str(pbx_folder).encode()).hexdigest()[:12]
        run = Path(tempfile.gettempdir()) / f"changgu-{os.getuid()}-{short}"
    return Folders(
        etc=str(pbx_folder / "etc"),
        variable=str(pbx_folder / "var"),
        spool=str(pbx_folder / "spool"),
        run=str(run),
        log=str(pbx_folder / "log"),
        modules=str(release.modules if release else pbx_folder),
        data=str(release.data if release else pbx_folder),
        programs=str(release.root / "usr/sbin" if release else pbx_folder),
    )


def host_addresses(fib_trie: str | None = None) -> tuple[str, ...]:
    """The IPv4 addresses of this host's interfaces besides loopback, from the kernel's routing table."""
    if fib_trie is None:
        try:
            fib_trie = Path("/proc/net/fib_trie").read_text()
        except OSError:
            return ()
    found = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", fib_trie)
    return tuple(dict.fromkeys(address for address in found if not address.startswith("127.")))


class PrivatePbx:
    """One Asterisk, ours alone: its process, its folders, its configuration."""

    def __init__(self, release: PbxRelease, plan: PbxPlan, *, say: Say = log.info) -> None:
        self._release = release
        self._plan = plan
        self._say = say
        self._etc = Path(plan.folders.etc)
        self._log_folder = Path(plan.folders.log)
        self._child: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._stopping = False
        self.adopted = False
        """Whether it was already running when we came."""
        self.answered: int | None = None
        """The process that has answered since it was started; any other may still be loading."""
        self.restarts = 0
        """How often it died and was started again."""

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        if self._child is not None and self._child.pid == self._pid:
            return self._child.poll() is None  # ours by birth, even while it has yet to become Asterisk
        return self._pid is not None and self._is_ours(self._pid)

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._pid if self.running else None

    def find(self) -> int | None:
        """The process that runs with our configuration file, if any; from then on it is the one we look after."""
        if self.pid is None:
            try:
                self._pid = int(self._pid_file.read_text())
            except (OSError, ValueError):
                self._pid = None
        return self.pid

    async def start(self, files: Mapping[str, str]) -> None:
        """Brings it up with this configuration, or adopts the one that runs; returns when it answers.

        A running one keeps its calls unless a file has changed that only a restart applies. Whether one
        answers that has all its files is left to whoever connects to it.
        """
        self._stopping = False
        self._make_folders()
        if self.find() is not None:
            self.adopted = True
            changed = self._changed(files)
            if reloads_for(changed) is not None:
                self._say(f"The private PBX runs already (process {self._pid}); its calls go on")
                if changed:  # else no question is asked for which callers would have to wait
                    await self._answers()
                    await self.apply(files)
                return
            self._say("The private PBX needs a restart for its new settings")
            await self.stop()
            self._stopping = False
            self.adopted = False
        await self._ports_are_free()
        self._write(files, self._changed(files))
        self._pending.unlink(missing_ok=True)
        self._launch()
        await self._answers()

    async def apply(self, files: Mapping[str, str]) -> list[str]:
        """Writes what has changed and reloads the modules concerned; nobody's call ends. Returns the modules.

        Raises PbxUnavailable when a reload is refused; the next call tries it again.
        """
        changed = self._changed(files)
        if not changed:
            return []
        modules = reloads_for(changed)
        if modules is None:
            raise PbxUnavailable(
                f"PBX를 다시 시작해야 적용됩니다: {', '.join(sorted(changed))}",
                f"Only a restart of the PBX applies: {', '.join(sorted(changed))}",
            )
        self._write(files, changed)
        async with self._ari() as ari:
            for module in modules:
                answer = await ari.put(f"/asterisk/modules/{module}")
                if answer.is_error:
                    raise PbxUnavailable(
                        f"PBX가 {module} 설정을 다시 읽지 못했습니다: {answer.text}",
                        f"The PBX did not reload {module}: {answer.text}",
                    )
        self._pending.unlink(missing_ok=True)
        return modules

    async def supervise(self, back: Callable[[], None] = lambda: None) -> None:
        """Starts it again whenever it dies, until `stop`; calls `back` each time it answers again."""
        pause = FIRST_PAUSE
        alive_since = time.monotonic()
        while not self._stopping:
            if self.running:
                await asyncio.sleep(LOOK_EVERY)
                continue
            if time.monotonic() - alive_since > LONGEST_PAUSE * 2:
                pause = FIRST_PAUSE
            log.warning("the private PBX died; starting it again in %.1f s: %s", pause, self._last_words())
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            if self._stopping:
                return
            try:
                await self._ports_are_free()
                self._launch()
                await self._answers()
            except (PbxUnavailable, OSError) as trouble:
                log.warning("the private PBX could not be started: %s", trouble)
                await self._end()  # one that runs and does not answer carries no calls
                continue
            alive_since = time.monotonic()
            self.restarts += 1
            self.adopted = False
            back()

    async def stop(self) -> None:
        """Ends it and every call it carries; returns when its process is gone."""
        self._stopping = True
        await self._end()

    async def answers(self, limit: float) -> bool:
        """Whether it replies within so many seconds (ARI: asterisk/ping).

        Asked every other second all day long: by hand, for an HTTP client of its own would cost as much as a call.
        """
        who = base64.b64encode(f"{self._plan.ari_user}:{self._plan.ari_password}".encode()).decode()
        try:
            async with asyncio.timeout(limit):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._plan.ari_port)
                try:
                    writer.write(PING % who.encode())
                    said = (await reader.readline()).split()[1:2] == [b"200"]  # RFC 9112, 4: the status line
                finally:
                    writer.close()
        except (OSError, ValueError):  # nobody there, no answer in time; or an answer without end
            return False
        if said:
            self.answered = self._pid
        return said

    def kill(self) -> None:
        """Ends it at once, with every call it carries; `supervise` starts it again."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # The process

    async def _end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = self.pid
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + STOP_LIMIT
            while self.running and time.monotonic() < deadline:  # noqa: ASYNC110 - another's child sends us no signal
                await asyncio.sleep(LOOK_EVERY / 4)
        if self._child is not None:
            self._child.wait()
        self._child = self._pid = None

    def _launch(self) -> None:
        command = self._release.command("-C", str(self._etc / "asterisk.conf"), "-f", "-n")
        with (self._log_folder / "asterisk.out").open("ab") as out:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._plan.folders.variable,
                start_new_session=True,
            )
        self._pid = self._child.pid
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
        resource.prlimit(self._pid, resource.RLIMIT_NOFILE, (soft, hard))
        write_whole(self._pid_file, f"{self._pid}\n", mode=0o644, fsync=False)  # the PBX dies with the computer, too

    def _is_ours(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return str(self._etc / "asterisk.conf").encode() in words  # a zombie's command line is empty

    @property
    def _pid_file(self) -> Path:
        return self._log_folder.parent / "pid"

    @property
    def _pending(self) -> Path:
        """Names the files that were written but perhaps not yet loaded."""
        return self._etc / "pending"

    def _last_words(self) -> str:
        try:
            lines = (self._log_folder / "asterisk.out").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return " / ".join(line for line in lines[-3:] if line)

    def _ari(self) -> "httpx.AsyncClient":
        import httpx

        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._plan.ari_port}/ari",
            auth=(self._plan.ari_user, self._plan.ari_password),
            timeout=10,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # no TLS here; the system's certificates take 20 ms to read
        )

    async def _answers(self) -> None:
        """Returns when ARI answers, which it does once every module is loaded."""
        import httpx

        deadline = time.monotonic() + START_LIMIT
        why: object = "no answer"
        async with self._ari() as ari:
            while time.monotonic() < deadline:
                if not self.running:
                    raise PbxUnavailable(
                        f"내장 PBX가 시작하지 못하고 끝났습니다: {self._last_words()} ({self._log_folder} 참고)",
                        f"The private PBX ended while starting: {self._last_words()} (see {self._log_folder})",
                    )
                try:
                    answer = await ari.get("/asterisk/info", params={"only": "status"})
                    if answer.status_code == httpx.codes.OK:
                        self.answered = self._pid
                        return
                    why = f"HTTP {answer.status_code}"
                except httpx.HTTPError as trouble:
                    why = trouble
                await asyncio.sleep(LOOK_EVERY / 4)
        raise PbxUnavailable(
            f"내장 PBX가 {START_LIMIT:.0f}초 안에 응답하지 않았습니다: {why} ({self._log_folder} 참고)",
            f"The private PBX did not answer within {START_LIMIT:.0f} s: {why} (see {self._log_folder})",
        )

    async def _ports_are_free(self) -> None:
        """Returns when all can be had: the kernel may still be taking them from a PBX that has just ended."""
        deadline = time.monotonic() + PORT_PATIENCE
        while True:
            try:
                self._check_ports()
            except PbxUnavailable:
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(LOOK_EVERY)
            else:
                return

    def _check_ports(self) -> None:
        plan = self._plan
        for option, kind, address, port in (
            ("sip.port, --sip-port", socket.SOCK_DGRAM, plan.sip_bind, plan.sip_port),
            ("sip.port, --sip-port", socket.SOCK_STREAM, plan.sip_bind, plan.sip_port),
            ("ari.port, --ari-port", socket.SOCK_STREAM, "127.0.0.1", plan.ari_port),
            ("ami.port, --ami-port", socket.SOCK_STREAM, "127.0.0.1", plan.ami_port),
        ):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, kind) as trial:
                if kind == socket.SOCK_STREAM:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
                try:
                    trial.bind((address, port))
                except OSError as trouble:
                    transport = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
                    raise PbxUnavailable(
                        f"{transport} 포트를 쓸 수 없습니다: {address}:{port} ({trouble.strerror}). 다른 포트를 "
                        f"지정하십시오: {option}",
                        f"{transport} port {port} on {address} cannot be used ({trouble.strerror}); "
                        f"choose another: {option}",
                    ) from trouble

    # The files

    def _make_folders(self) -> None:
        folders = self._plan.folders
        for folder in (
            folders.etc,
            folders.run,
            f"{folders.variable}/agi-bin",
            f"{folders.variable}/keys",
            f"{folders.spool}/monitor",
            f"{folders.spool}/recording",
            f"{folders.log}/cdr-csv",
            f"{folders.log}/cdr-custom",
            f"{folders.log}/cel-custom",
        ):
            Path(folder).mkdir(parents=True, exist_ok=True)
        for private in (folders.etc, folders.run):
            Path(private).chmod(0o700)

    def _changed(self, files: Mapping[str, str]) -> set[str]:
        """The files whose text is not what the PBX has loaded."""
        changed = set()
        if self._pending.exists():
            changed = set(self._pending.read_text().split()) & files.keys()
        for name, text in files.items():
            there = self._etc / name
            if not there.exists() or there.read_text(encoding="utf-8") != text:
                changed.add(name)
        return changed

    def _write(self, files: Mapping[str, str], names: set[str]) -> None:
        self._pending.write_text("\n".join(sorted(names)))
        for name in sorted(names):
            write_whole(self._etc / name, files[name], fsync=False)  # compared, and written anew, at every start
