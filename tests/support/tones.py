"""Tones for phones to speak, and a measure of which tone a recording holds."""

import math
import wave
from array import array
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000

CALLER_HERTZ, AGENT_HERTZ = 440, 1900
"""What callers and agents say. Callers also hear the PBX's music, which has no note near the agents' tone."""


def write_tone(path: Path, hertz: float, seconds: float = 20.0, amplitude: float = 0.4) -> Path:
    """A mono 16-bit WAV at 8 kHz with one steady tone."""
    return write_tones(path, (hertz, seconds), amplitude=amplitude)


def write_tones(path: Path, *tones: tuple[float, float], amplitude: float = 0.4) -> Path:
    """The same with one tone after the other: hertz and seconds of each."""
    samples = array(
        "h",
        (
            int(32767 * amplitude * math.sin(2 * math.pi * hertz * n / RATE))
            for hertz, seconds in tones
            for n in range(int(RATE * seconds))
        ),
    )
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return path


def read_samples(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    """Samples in −1…1 and their rate; the header's length is not trusted (a live recorder writes it last)."""
    raw = path.read_bytes()
    rate = int.from_bytes(raw[24:28], "little") or RATE  # a recorder writes its header after its first sound
    data = raw.find(b"data")
    body = raw[data + 8 :]
    return np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2").astype(np.float64) / 32768, rate


def tone_share(path: Path, hertz: float, *, width: float = 15.0) -> float:
    """How much of a recording's energy (0…1) lies within `width` Hz of a tone."""
    samples, rate = read_samples(path)
    if len(samples) < rate // 2:
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    total = float(power[frequencies > 50].sum())
    return float(power[np.abs(frequencies - hertz) <= width].sum()) / total if total else 0.0


def tone_steps(path: Path, hertz: float, *, width: float = 25.0) -> list[bool]:
    """Of every 50 ms of a recording, whether the tone is the loudest thing heard."""
    samples, rate = read_samples(path)
    step = rate // 20
    heard: list[bool] = []
    for start in range(0, len(samples) - step, step):
        piece = samples[start : start + step]
        if float(np.sqrt((piece**2).mean())) < 0.01:
            heard.append(False)
            continue
        power = np.abs(np.fft.rfft(piece * np.hanning(step))) ** 2
        peak = float(np.fft.rfftfreq(step, 1 / rate)[int(np.argmax(power))])
        heard.append(abs(peak - hertz) <= width)
    return heard


def tone_seconds(path: Path, hertz: float, *, width: float = 25.0) -> float:
    """For how many seconds of a recording the tone is the loudest thing heard."""
    return sum(tone_steps(path, hertz, width=width)) / 20


def longest_break(path: Path, hertz: float) -> float:
    """For how many seconds, at most, the tone stayed away between two times that it was heard."""
    at = [step for step, heard in enumerate(tone_steps(path, hertz)) if heard]
    return max((later - earlier - 1 for earlier, later in pairwise(at)), default=0) / 20


def loud_seconds(path: Path, threshold: float = 0.01) -> float:
    """For how many seconds anything at all is heard."""
    samples, rate = read_samples(path)
    step = rate // 20
    pieces = [samples[start : start + step] for start in range(0, len(samples) - step, step)]
    return sum(float(np.sqrt((piece**2).mean())) >= threshold for piece in pieces) / 20
