"""Sound made fit for the telephone: 8 kHz, mono, 16 bit, even loudness, no silence at the ends.

It runs in a voice's process, once per sentence. Loudness is measured as EBU R 128 does (ITU-R BS.1770: weighted by
how the ear hears, pauses left out), so that recordings, voices and languages do not jump when they are joined.
"""

import io
import math
import wave
from array import array
from collections.abc import Callable, Sequence
from operator import mul
from typing import Final

import loudness
import numpy

TELEPHONE_RATE = 8000

LOUDNESS: Final = -20.0
"""LUFS of every prompt. EBU R 128's −23 leaves room for music and effects, which a telephone prompt does not have;
−20 LUFS of speech is within the −26 dBov to −18 dBov of speech on good lines."""

LONGEST_GAIN: Final = 60.0
"""dB: what is quieter than this is not speech, and is not made into noise."""

SHORTEST_MEASURE: Final = 1.2
"""Seconds. BS.1770 needs 0.4 s; a digit lasts less and is measured as if it were said several times."""

PEAK_LIMIT = 10 ** (-1 / 20)
SOFT_KNEE = 0.7
"""Where the limiter begins to bend peaks; below it nothing changes."""

FRAME = TELEPHONE_RATE // 100
SILENT_BELOW = 10 ** (-40 / 20)
"""A frame of 10 ms this far below the loudest one is silence."""

LEAD = 0.02
"""Seconds kept before the first sound; consonants begin softly."""

Floats = Sequence[float]


def _dot_product() -> Callable[[Floats, Floats], float]:
    fast: Callable[[Floats, Floats], float] | None = getattr(math, "sumprod", None)  # since Python 3.12
    return fast or (lambda left, right: sum(map(mul, left, right)))


_dot = _dot_product()


def telephone_wav(samples: Floats, rate: int, tail: float) -> bytes:
    """The WAV file of `samples` (−1…1 at `rate` per second), followed by `tail` seconds of silence."""
    voiced = trimmed(resampled(samples, rate))
    levelled = limited(voiced, loudness_gain(voiced))
    pcm = array("h", (round(sample * 32767) for sample in levelled))
    pcm.extend([0] * round(tail * TELEPHONE_RATE))
    return wav_file(pcm)


def wav_file(pcm: "array[int]") -> bytes:
    """8 kHz, mono, 16 bit."""
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(TELEPHONE_RATE)
        out.writeframes(pcm.tobytes())  # a WAV file is little-endian, as are all hosts we run on
    return written.getvalue()


def read_wav(content: bytes) -> tuple[list[float], int]:
    """Samples (channels mixed down) and rate of a PCM WAV file of 8, 16, 24 or 32 bits; raises ValueError."""
    try:
        with wave.open(io.BytesIO(content), "rb") as read:
            channels, width, rate = read.getnchannels(), read.getsampwidth(), read.getframerate()
            raw = read.readframes(read.getnframes())
    except (wave.Error, EOFError) as trouble:
        raise ValueError(f"not a PCM WAV file: {trouble}") from None
    if not raw or rate < 4000:
        raise ValueError("the recording is empty" if not raw else f"{rate} samples per second are too few for speech")
    raw = raw[: len(raw) // (width * channels) * width * channels]
    if width == 1:
        values: Floats = [(byte - 128) / 128 for byte in raw]
    else:
        full = float(1 << (8 * width - 1))
        values = [
            int.from_bytes(raw[at : at + width], "little", signed=True) / full for at in range(0, len(raw), width)
        ]
    mixed = [sum(values[at : at + channels]) / channels for at in range(0, len(values), channels)]
    return mixed, rate


def resampled(samples: Floats, rate: int) -> list[float]:
    """At 8 kHz, low-passed first so that nothing above 4 kHz folds back: a windowed sinc, one kernel per phase."""
    if rate == TELEPHONE_RATE:
        return list(samples)
    common = math.gcd(TELEPHONE_RATE, rate)
    up, down = TELEPHONE_RATE // common, rate // common
    cutoff = min(3600.0, 0.45 * rate) / rate
    half = max(8, round(3.1 * max(rate, TELEPHONE_RATE) / 1000 / 2))  # a Hann window: 3.1 to 4.1 kHz fade out
    kernels = numpy.array([_kernel(cutoff, half, phase / up) for phase in range(up)])
    padded = numpy.concatenate([numpy.zeros(half), samples, numpy.zeros(half + 1)])
    around = numpy.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    out: list[float] = []
    length = len(samples) * up // down
    for first in range(0, length, TELEPHONE_RATE):  # a second at a time: little memory for sounds of any length
        at, phase = numpy.divmod(numpy.arange(first, min(first + TELEPHONE_RATE, length)) * down, up)
        out += numpy.einsum("ij,ij->i", kernels[phase], around[at]).tolist()
    return out


def _kernel(cutoff: float, half: int, offset: float) -> list[float]:
    weights: list[float] = []
    for tap in range(-half, half + 1):
        x = tap - offset
        sinc = 2 * cutoff if x == 0 else math.sin(2 * math.pi * cutoff * x) / (math.pi * x)
        weights.append(sinc * (0.5 + 0.5 * math.cos(math.pi * min(1.0, abs(x) / (half + 1)))))
    total = sum(weights)
    return [weight / total for weight in weights]


def _frame_levels(samples: Floats) -> list[float]:
    return [
        math.sqrt(_dot(frame, frame) / len(frame))
        for frame in (samples[at : at + FRAME] for at in range(0, len(samples), FRAME))
    ]


def trimmed(samples: list[float]) -> list[float]:
    """Without the silence at both ends, faded over 5 ms so that joined pieces do not click."""
    levels = _frame_levels(samples)
    audible = [index for index, level in enumerate(levels) if level > max(levels) * SILENT_BELOW and level > 0]
    if not audible:
        return []
    first = max(0, audible[0] * FRAME - round(LEAD * TELEPHONE_RATE))
    kept = samples[first : (audible[-1] + 1) * FRAME]
    fade = min(len(kept) // 2, TELEPHONE_RATE // 200)
    for index in range(fade):
        kept[index] *= index / fade
        kept[-1 - index] *= index / fade
    return kept


def loudness_gain(samples: Floats) -> float:
    """The factor that brings a sound of any length to `LOUDNESS`; 1 for what is not speech."""
    if not samples:
        return 1.0
    measured = integrated_loudness(samples)
    if not math.isfinite(measured) or LOUDNESS - measured > LONGEST_GAIN:
        return 1.0
    return float(10 ** ((LOUDNESS - measured) / 20))


def integrated_loudness(samples: Floats) -> float:
    """LUFS of a mono sound at 8 kHz (EBU R 128), −inf for silence."""
    sound = numpy.asarray(samples, dtype=numpy.float32)
    times = math.ceil(SHORTEST_MEASURE * TELEPHONE_RATE / len(sound))
    return float(loudness.integrated_loudness(numpy.tile(sound, times) if times > 1 else sound, TELEPHONE_RATE))


def limited(samples: Floats, gain: float) -> list[float]:
    """Louder or softer by `gain`, with peaks bent below `PEAK_LIMIT` instead of cut off."""
    room = PEAK_LIMIT - SOFT_KNEE

    def bent(sample: float) -> float:
        size = abs(sample)
        if size <= SOFT_KNEE:
            return sample
        return math.copysign(SOFT_KNEE + room * math.tanh((size - SOFT_KNEE) / room), sample)

    return [bent(sample * gain) for sample in samples]
