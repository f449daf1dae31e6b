"""What a telephone line carries of a prompt: G.711 µ-law (ITU-T G.711), octet for octet as Asterisk makes it."""

import io
import wave
from array import array
from functools import cache

BIAS = 0x84
LOUDEST = 32635


def on_the_line(wav: bytes) -> bytes:
    """Of a WAV file with 8 kHz, mono, 16 bit."""
    with wave.open(io.BytesIO(wav), "rb") as read:
        return mu_law(read.readframes(read.getnframes()))


def is_translatable(wav: bytes) -> bool:
    """Whether it is such a file."""
    try:
        with wave.open(io.BytesIO(wav), "rb") as read:
            return read.getparams()[:3] == (1, 2, 8000)
    except (wave.Error, EOFError):
        return False


def mu_law(pcm: bytes) -> bytes:
    """An octet for each sample of 16 bits, little-endian (as are all hosts we run on)."""
    return bytes(map(octets().__getitem__, array("H", pcm)))


@cache
def octets() -> bytes:
    """The octet of every sample, whose two's complement is the place."""
    return bytes(_octet(sample) for sample in (*range(0x8000), *range(-0x8000, 0)))


def _octet(sample: int) -> int:
    linear = sample | 3  # Asterisk's table has one entry for four values: that of the last
    size = min(abs(linear), LOUDEST) + BIAS
    segment = size.bit_length() - 8
    return ~((0x80 if linear < 0 else 0) | segment << 4 | (size >> segment + 3 & 0x0F)) & 0xFF
