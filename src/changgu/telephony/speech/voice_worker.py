"""What every voice's process does: reads orders, answers with sounds made fit for the telephone.

Orders come on standard input and sounds leave on standard output, each preceded by its length (four bytes, big-endian):

    order   JSON {"say": "…", "tail": 0.3, …what this voice needs to know}
            or   {"adapt": "/path/of/a/recording.wav", "tail": 0.3}
    answer  one byte, `w` before a WAV file or `e` before a sentence that says why there is none

The process ends when its standard input does.
"""

import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from changgu.telephony.speech.telephone_audio import read_wav, telephone_wav

LONGEST_ORDER: Final = 64 * 1024

Order = dict[str, Any]
Say = Callable[[Order], tuple[Sequence[float], int]]
"""Samples (−1…1) and their rate; raises ValueError for what this voice cannot say."""


def answer(order: Order, say: Say) -> bytes:
    """The WAV file for one order; raises ValueError, KeyError or OSError."""
    samples, rate = read_wav(Path(order["adapt"]).read_bytes()) if "adapt" in order else say(order)
    return telephone_wav(samples, rate, order["tail"])


def serve(orders: BinaryIO, answers: BinaryIO, say: Say) -> None:
    """Answer orders until there are no more."""
    while len(head := orders.read(4)) == 4:
        (length,) = struct.unpack(">I", head)
        if length > LONGEST_ORDER:
            raise SystemExit(f"an order of {length} bytes")
        try:
            said = b"w" + answer(json.loads(orders.read(length)), say)
        except (ValueError, OSError, KeyError) as trouble:
            said = b"e" + str(trouble).encode()
        answers.write(struct.pack(">I", len(said)) + said)
        answers.flush()


def run(say: Say) -> None:
    """Serve on the standard streams; whatever a library prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our end is the end of the orders
    os.nice(10)  # preparing prompts must not take the processor from calls
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, say)


def _mute(_order: Order) -> tuple[Sequence[float], int]:
    raise ValueError("this process has no voice; it only adapts recordings")


if __name__ == "__main__":
    run(_mute)
