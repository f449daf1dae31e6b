"""Supertonic 3, the neural voice: four networks that turn a sentence into sound, run by onnxruntime.

A duration predictor says how long the sentence lasts, a text encoder what it means for the speaker, a flow-matching
estimator makes a latent sound out of noise in a few steps, and a vocoder makes that into samples (arXiv:2503.23108).
The noise is drawn from the sentence itself, so that the same sentence always sounds the same.

Loaded in a voice's process and nowhere else: see `neural_worker`.
"""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

NETWORKS: Final = ("duration_predictor", "text_encoder", "vector_estimator", "vocoder")

LONGEST_PART: Final = {"ko": 120, "en": 300}
"""Characters that are said in one go; the model leaves words out of what is longer."""
PAUSE: Final = 0.3
"""Seconds between the parts of a longer text."""
LONGEST_SOUND: Final = 60.0
"""Seconds of one part; a duration beyond it is a mistake of the model."""

_SAID_OTHERWISE: Final = str.maketrans(
    {"–": "-", "‑": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "´": "'", "`": "'", "_": " ", "/": " ",
     "|": " ", "[": " ", "]": " ", "#": " ", "→": " ", "←": " ", "<": " ", ">": " ", "·": ", "}
)  # fmt: skip
_ENDS: Final = ".!?;:,'\")]}…。"

_TROUBLES: Final = (
    state.Fail, state.EPFail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel,
    state.NoSuchFile, state.NotImplemented, state.RuntimeException,
)  # fmt: skip
"""What onnxruntime raises for a network that it cannot load or run."""

Array = NDArray[Any]


class Supertonic:
    """One installed voice, its four networks loaded once."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """`folder` holds `onnx/` and `voice_styles/`; raises OSError or ValueError when it is not a voice."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._folder = folder
        try:
            settings = json.loads((folder / "onnx" / "tts.json").read_text(encoding="utf-8"))
            self.rate = int(settings["ae"]["sample_rate"])
            factor = int(settings["ttl"]["chunk_compress_factor"])
            self._frame = int(settings["ae"]["base_chunk_size"]) * factor
            self._width = int(settings["ttl"]["latent_dim"]) * factor
        except (KeyError, TypeError, json.JSONDecodeError) as trouble:
            raise ValueError(f"{folder / 'onnx' / 'tts.json'} is not the description of a voice: {trouble!r}") from None
        self._indexes: Sequence[int] = json.loads((folder / "onnx" / "unicode_indexer.json").read_text("utf-8"))
        self._networks = {name: self._network(name, options) for name in NETWORKS}
        self._styles: dict[str, tuple[Array, Array]] = {}

    def _network(self, name: str, options: Any) -> Any:
        file = self._folder / "onnx" / f"{name}.onnx"
        try:
            return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except _TROUBLES as trouble:
            raise ValueError(f"{file} cannot be loaded: {trouble}") from None

    def speak(self, text: str, language: str, speaker: str, speed: float, steps: int) -> list[float]:
        """Samples (−1…1) at `self.rate`; raises ValueError for what this voice cannot say."""
        style = self._style(speaker)
        sound: list[Array] = []
        for part in parts_of(text, LONGEST_PART.get(language, min(LONGEST_PART.values()))):
            if sound:
                sound.append(numpy.zeros(round(PAUSE * self.rate), dtype=numpy.float32))
            sound.append(self._part(part, language, style, speed, steps))
        if not sound:
            raise ValueError("there is nothing to say in it")
        samples: list[float] = numpy.concatenate(sound).astype(float).tolist()
        return samples

    def _part(self, text: str, language: str, style: tuple[Array, Array], speed: float, steps: int) -> Array:
        ids = self._ids(f"<{language}>{text}</{language}>")
        meaning, rhythm = style
        words = {"text_ids": ids, "text_mask": numpy.ones((1, 1, ids.shape[1]), dtype=numpy.float32)}
        seconds = float(self._run("duration_predictor", {**words, "style_dp": rhythm}).reshape(-1)[0]) / speed
        if not 0 < seconds < LONGEST_SOUND:
            raise ValueError(f"the voice would take {seconds:g} s to say '{text[:40]}'")
        encoded = self._run("text_encoder", {**words, "style_ttl": meaning})
        frames = max(1, math.ceil(seconds * self.rate / self._frame))
        latent = _noise(text, (1, self._width, frames))
        total = numpy.array([steps], dtype=numpy.float32)
        for step in range(steps):
            latent = self._run(
                "vector_estimator",
                {
                    "noisy_latent": latent, "text_emb": encoded, "style_ttl": meaning, "text_mask": words["text_mask"],
                    "latent_mask": numpy.ones((1, 1, frames), dtype=numpy.float32),
                    "current_step": numpy.array([step], dtype=numpy.float32), "total_step": total,
                },
            )  # fmt: skip
        samples = self._run("vocoder", {"latent": latent}).reshape(-1)[: round(seconds * self.rate)]
        if not numpy.isfinite(samples).all():
            raise ValueError(f"the voice made no sound of '{text[:40]}'")
        return samples.astype(numpy.float32)

    def _run(self, network: str, inputs: Mapping[str, Array]) -> Array:
        try:
            made: Array = self._networks[network].run(None, dict(inputs))[0]
        except (*_TROUBLES, ValueError) as trouble:
            raise ValueError(f"{network} failed: {trouble}") from None
        return made

    def _ids(self, text: str) -> Array:
        """What the networks call each character; those they do not know are left out."""
        known = [self._indexes[ord(sign)] for sign in text if ord(sign) < len(self._indexes)]
        return numpy.array([[index for index in known if index >= 0]], dtype=numpy.int64)

    def _style(self, speaker: str) -> tuple[Array, Array]:
        if speaker not in self._styles:
            file = self._folder / "voice_styles" / f"{speaker}.json"
            if not file.is_file():
                raise ValueError(f"this voice has no speaker '{speaker}'")
            read = json.loads(file.read_text(encoding="utf-8"))
            meaning, rhythm = (
                numpy.array(read[name]["data"], dtype=numpy.float32).reshape(read[name]["dims"])
                for name in ("style_ttl", "style_dp")
            )
            self._styles[speaker] = meaning, rhythm
        return self._styles[speaker]


def parts_of(text: str, longest: int) -> list[str]:
    """The text as the model wants it written, in parts of at most about `longest` characters that end with sentences,
    or with words where a sentence is longer. Empty when there is nothing to say."""
    text = re.sub(r"\s+", " ", text.translate(_SAID_OTHERWISE)).strip()
    if not any(sign.isalnum() for sign in text):
        return []
    parts: list[str] = []
    for sentence in re.split(r"(?<=[.!?。])\s+", text):
        words = [sentence] if len(sentence) <= longest else sentence.split(" ")
        for number, piece in enumerate(words):
            goes_on = bool(parts) and len(parts[-1]) + 1 + len(piece) <= longest
            if goes_on and (number > 0 or len(parts[-1]) + 1 + len(sentence) <= longest):
                parts[-1] += f" {piece}"
            else:
                parts.append(piece)
    said = [part for part in parts if any(sign.isalnum() for sign in part)]
    ended = [part if part[-1] in _ENDS else f"{part}," for part in said[:-1]]  # cut between words: it goes on
    ended += [part if part[-1] in _ENDS else f"{part}." for part in said[-1:]]
    return [unicodedata.normalize("NFKD", part) for part in ended]


def _noise(text: str, shape: tuple[int, ...]) -> Array:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return numpy.random.default_rng(seed).standard_normal(shape, dtype=numpy.float32)
