"""What a WAV file says of itself: whether it is whole, and how long it plays.

The PBX writes the lengths into the header when it closes the file; until then, and after a crash, they are wrong
and a browser plays nothing.
"""

import struct
from dataclasses import dataclass

HEADER_BYTES = 44
"""RIFF, `fmt ` of PCM, and the head of `data`: the header that Asterisk's format `wav` writes."""


class NoWav(ValueError):
    """These bytes do not begin a WAV file of PCM."""


@dataclass(frozen=True, slots=True)
class Wav:
    """A file's header, compared with the file's size."""

    channels: int
    rate: int
    bytes_per_second: int
    said_bytes: int
    """Bytes of audio by the header."""
    real_bytes: int
    """Bytes of audio by the size of the file."""

    @property
    def closed(self) -> bool:
        """Whether the PBX has finished the file."""
        return self.said_bytes == self.real_bytes

    @property
    def seconds(self) -> float:
        """How long it really plays."""
        return round(self.real_bytes / self.bytes_per_second, 3) if self.bytes_per_second else 0.0


def look(header: bytes, file_size: int) -> Wav:
    """Read the first `HEADER_BYTES` bytes of a file of `file_size` bytes; raises `NoWav`."""
    if len(header) < HEADER_BYTES or header[:4] != b"RIFF" or header[8:16] != b"WAVEfmt " or header[36:40] != b"data":
        raise NoWav("no WAV header")
    form, channels, rate, per_second = struct.unpack("<HHII", header[20:32])
    (said,) = struct.unpack("<I", header[40:44])
    if form != 1:
        raise NoWav(f"WAV format {form} is not PCM")
    return Wav(channels, rate, per_second, said, max(0, file_size - HEADER_BYTES))


def mended(header: bytes, file_size: int) -> bytes:
    """The header with the lengths that the file really has."""
    look(header, file_size)
    riff, audio = struct.pack("<I", max(0, file_size - 8)), struct.pack("<I", max(0, file_size - HEADER_BYTES))
    return header[:4] + riff + header[8:40] + audio
