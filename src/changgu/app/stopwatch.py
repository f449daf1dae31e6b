"""How long a start took, and with what: said once in the log, for whoever wonders why callers had to wait."""

import logging
import os
import time
from pathlib import Path

logger = logging.getLogger(__name__)


class Stopwatch:
    """Counts from the moment at which this process was started, which is before anything of ours was imported."""

    def __init__(self) -> None:
        self._began = time.monotonic() - _age()
        self._laps: list[tuple[str, float, float]] = []

    def lap(self, name: str) -> None:
        """Something has come to its end now."""
        self._laps.append((name, time.monotonic() - self._began, time.process_time()))

    def say(self, what: str) -> None:
        """Write the line: when each of them ended, in seconds after the start, and what we had computed until then.

        A computer that others keep busy makes the first grow and not the second.
        """
        laps = (f"{name} {seconds:.2f} s ({busy:.2f} s computed)" for name, seconds, busy in self._laps)
        logger.info("%s: %s", what, ", ".join(laps))


def _age() -> float:
    """Seconds since this process was started, by the kernel's account of it (proc(5), field 22); 0.0 where it keeps
    none."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, AttributeError):
        return 0.0
