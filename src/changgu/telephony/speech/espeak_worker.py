"""The process in which espeak-ng speaks; `python -m changgu.telephony.speech.espeak_worker`.

The library is GPL code: it is loaded here and nowhere else, and a crash of it ends this process and no call. What it
is told of a sentence: `{"say": "…", "voice": "ko", "rate": 150, "pitch": 50, "tail": 0.3}`; see `voice_worker`.
"""

import ctypes
from array import array
from typing import Any

import espeakng_loader

from changgu.telephony.speech.voice_worker import Order, Say, run

AUDIO_OUTPUT_SYNCHRONOUS = 2
DONT_EXIT = 0x8000
CHARS_UTF8 = 1
POSITION_CHARACTER = 1
RATE, PITCH = 1, 3
"""Constants of espeak-ng's speak_lib.h."""

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


def sayer() -> Say:
    """Says with the library, which is loaded for the first sentence: recordings are adapted without it."""
    loaded: list[Espeak] = []

    def say(order: Order) -> tuple[list[float], int]:
        if not loaded:
            loaded.append(Espeak())
        voice = loaded[0]
        return voice.speak(order["say"], order["voice"], order["rate"], order["pitch"]), voice.rate

    return say


if __name__ == "__main__":
    run(sayer())
