"""The process in which the neural voice speaks; `python -m changgu.telephony.speech.neural_worker FOLDER`.

What it is told of a sentence: `{"say": "…", "language": "ko", "speaker": "F1", "speed": 1.0, "steps": 8, "tail": 0.3}`;
see `voice_worker`.
"""

import os
import sys
from pathlib import Path

from changgu.telephony.speech.supertonic import Supertonic
from changgu.telephony.speech.voice_worker import Order, Say, run


def sayer(folder: Path) -> Say:
    """Says with the voice in this folder, which is loaded for the first sentence."""
    loaded: list[Supertonic] = []

    def say(order: Order) -> tuple[list[float], int]:
        if not loaded:
            loaded.append(Supertonic(folder, threads=max(1, (os.cpu_count() or 1) // 2)))  # calls need the others
        voice = loaded[0]
        samples = voice.speak(order["say"], order["language"], order["speaker"], order["speed"], order["steps"])
        return samples, voice.rate

    return say


if __name__ == "__main__":
    run(sayer(Path(sys.argv[1])))
