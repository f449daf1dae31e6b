"""Starts changgu over and over without paying for its imports each time: each service is forked from one that has them.

`python -m tests.support.nursery` reads a line of JSON for each service to be started, `{"words": […], "log": "…"}`,
and writes its process id.
"""

import asyncio
import faulthandler
import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.waiting import eventually


class Nursery:
    """`async with Nursery() as nursery:` then `await nursery.start(words, log)`."""

    async def __aenter__(self) -> "Nursery":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.nursery",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert await self._line() == "warm"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _line(self) -> str:
        assert self._process.stdout is not None
        return (await asyncio.wait_for(self._process.stdout.readline(), 60)).decode().strip()

    async def start(self, words: Sequence[str], log: Path) -> int:
        """The process id of a service that was started with these words; what it says goes to `log`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"words": list(words), "log": str(log)}).encode() + b"\n")
        return int(await self._line())

    @staticmethod
    async def end(pid: int, number: int = signal.SIGKILL, within: float = 40) -> None:
        """Send it a signal, and wait until it is gone."""

        async def gone() -> bool:
            return not Path(f"/proc/{pid}").exists()  # until then it holds its locks

        os.kill(pid, number)
        await eventually(gone, within=within, every=0.005)


def _run() -> None:
    import changgu.app.up  # noqa: F401 - all that a service imports
    from changgu.app.cli import main

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    print("warm", flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faulthandler.register(signal.SIGUSR1, all_threads=True)  # where it stands, when a test wants to know
        status = 0
        try:
            main(wanted["words"])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            os._exit(status)


if __name__ == "__main__":
    _run()
