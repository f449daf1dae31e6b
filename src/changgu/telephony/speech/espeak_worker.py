"""The process in which espeak-ng speaks; `python -m changgu.telephony.speech.espeak_worker`.

The library is GPL code: it is loaded here and nowhere else, and a crash of it ends this process and no call. Orders
come on standard input and sounds leave on standard output, each preceded by its length (four bytes, big-endian):

    order   JSON {"say": "…", "voice": "ko", "rate": 150, "pitch": 50, "tail": 0.3}
            or   {"adapt": "/path/of/a/recording.wav", "tail": 0.3}
    answer  one byte, `w` before a WAV file or `e` before a sentence that says why there is none

It ends when its standard input does.
"""

import ctypes
import json
import os
import signal
import struct
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import espeakng_loader

from changgu.telephony.speech.telephone_audio import read_wav, telephone_wav

AUDIO_OUTPUT_SYNCHRONOUS = 2
DONT_EXIT = 0x8000
CHARS_UTF8 = 1
POSITION_CHARACTER = 1
RATE, PITCH = 1, 3
"""Constants of espeak-ng's speak_lib.h."""

LONGEST_ORDER = 64 * 1024

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library, loaded and initialised once."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._library.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        folder = espeakng_loader.get_data_path().encode()
        self.rate: int = self._library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, folder, DONT_EXIT)
        if self.rate <= 0:
            raise RuntimeError(f"espeak-ng does not start (its data: {folder.decode()})")
        self._heard = array("h")
        self._callback = _Callback(self._hear)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def _hear(self, samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            self._heard.frombytes(ctypes.string_at(samples, 2 * count))
        return 0

    def speak(self, text: str, voice: str, rate: int, pitch: int) -> list[float]:
        """Samples at `self.rate`; raises ValueError for what this voice cannot say."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice '{voice}'")
        self._library.espeak_SetParameter(RATE, rate, 0)
        self._library.espeak_SetParameter(PITCH, pitch, 0)
        self._heard = array("h")
        words = text.replace("\0", " ").encode() + b"\0"
        if self._library.espeak_Synth(words, len(words), 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None) != 0:
            raise ValueError("espeak-ng could not say it")
        if not any(self._heard):
            raise ValueError("there is nothing to say in it")
        return [sample / 32768 for sample in self._heard]


def answer(order: dict[str, Any], espeak: Callable[[], Espeak]) -> bytes:
    """The WAV file for one order; raises ValueError or OSError."""
    if "adapt" in order:
        samples, rate = read_wav(Path(order["adapt"]).read_bytes())
    else:
        voice = espeak()
        samples, rate = voice.speak(order["say"], order["voice"], order["rate"], order["pitch"]), voice.rate
    return telephone_wav(samples, rate, order["tail"])


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer orders until there are no more."""
    loaded: list[Espeak] = []

    def espeak() -> Espeak:
        if not loaded:
            loaded.append(Espeak())
        return loaded[0]

    while len(head := orders.read(4)) == 4:
        (length,) = struct.unpack(">I", head)
        if length > LONGEST_ORDER:
            raise SystemExit(f"an order of {length} bytes")
        try:
            said = b"w" + answer(json.loads(orders.read(length)), espeak)
        except (ValueError, OSError, KeyError) as trouble:
            said = b"e" + str(trouble).encode()
        answers.write(struct.pack(">I", len(said)) + said)
        answers.flush()


def main() -> None:
    """Serve on the standard streams; whatever the library prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our end is the end of the orders
    os.nice(10)  # preparing prompts must not take the processor from calls
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
