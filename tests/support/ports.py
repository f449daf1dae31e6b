"""Ports of loopback for what tests start for real, in two lanes that never meet."""

import os
import random
import socket
from contextlib import ExitStack
from itertools import chain

LANES = 2
"""So many runs of such tests `./changgu test` has side by side."""
LANE_IS_WIDE = 10_000
ROOM = 4
"""So many ports each has for itself: SIPp takes the next but one, too."""
NEVER_THE_KERNELS = (range(28_000, 32_768), range(61_000, 65_500))
"""What the kernel gives to no connection: none is taken between being chosen and being used."""


def lane() -> int:
    """Which of the runs side by side this is, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def in_this_lane(port: int) -> int:
    """A port from 20000 to 27999 that a test has chosen; in the other lane another."""
    return port - LANE_IS_WIDE * lane()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, by TCP or UDP, all different; the other lane never has them."""
    assert lane() < LANES, f"what is real goes {LANES} at a time: -n {LANES}"
    of_lane = [part[ROOM * lane() :: ROOM * LANES] for part in NEVER_THE_KERNELS]
    candidates = list(chain.from_iterable(of_lane))
    random.shuffle(candidates)
    free: list[int] = []
    for port in candidates:
        if _is_free(port):
            free.append(port)
        if len(free) == count:
            return free
    raise AssertionError(f"fewer than {count} free ports")


def _is_free(port: int) -> bool:
    with ExitStack() as held:
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                held.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
