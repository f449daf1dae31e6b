"""A neural voice of a few kilobytes, with the four networks and the files of the real one: a tone per speaker."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from changgu.telephony.speech.voice_catalogue import VoiceOffer, read_offer

RATE = 16000
FRAME = 64
"""Samples of one latent frame: `base_chunk_size` × `chunk_compress_factor`."""
WIDTH = 4
SECONDS_PER_CHARACTER = 0.05

Shape = Sequence[int | str]


def tensor(name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def constant(name: str, values: object, kind: type = numpy.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy.asarray(values, dtype=kind), name)


def write_network(
    file: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    output: onnx.ValueInfoProto,
    constants: Sequence[onnx.TensorProto],
) -> None:
    graph = helper.make_graph(nodes, file.stem, inputs, [output], initializer=list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model.SerializeToString())


def write_tiny_voice(folder: Path, speakers: dict[str, float] | None = None) -> VoiceOffer:
    """Write it; `speakers`: name → hertz of their tone. A sentence lasts 0.05 s for each character it is made of,
    `<ko>` and `</ko>` included. Returns the offer that describes just these files."""
    speakers = speakers or {"F1": 1000.0, "M1": 500.0}
    words = [tensor("text_ids", (1, "T"), TensorProto.INT64), tensor("text_mask", (1, 1, "T"))]
    networks = folder / "onnx"
    write_network(
        networks / "duration_predictor.onnx",
        [
            helper.make_node("ReduceSum", ["text_mask", "axes"], ["count"], keepdims=0),
            helper.make_node("Mul", ["count", "each"], ["duration"]),
        ],
        [*words, tensor("style_dp", (1, 1, 1))],
        tensor("duration", (1,)),
        [constant("axes", [1, 2], numpy.int64), constant("each", [SECONDS_PER_CHARACTER])],
    )
    write_network(
        networks / "text_encoder.onnx",
        [helper.make_node("Mul", ["text_mask", "style_ttl"], ["text_emb"])],
        [*words, tensor("style_ttl", (1, 1, 1))],
        tensor("text_emb", (1, 1, "T")),
        [],
    )
    write_network(  # every step replaces a part of the noise by the speaker's hertz; next to nothing of it stays
        networks / "vector_estimator.onnx",
        [
            helper.make_node("Sub", ["style_ttl", "noisy_latent"], ["missing"]),
            helper.make_node("Sub", ["total_step", "current_step"], ["left"]),
            helper.make_node("Mul", ["missing", "nearly"], ["most"]),
            helper.make_node("Div", ["most", "left"], ["share"]),
            helper.make_node("Add", ["noisy_latent", "share"], ["all"]),
            helper.make_node("Mul", ["all", "latent_mask"], ["denoised"]),
        ],
        [
            tensor("noisy_latent", (1, WIDTH, "L")), tensor("text_emb", (1, 1, "T")), tensor("style_ttl", (1, 1, 1)),
            tensor("text_mask", (1, 1, "T")), tensor("latent_mask", (1, 1, "L")), tensor("current_step", (1,)),
            tensor("total_step", (1,)),
        ],
        tensor("denoised", (1, WIDTH, "L")),
        [constant("nearly", [0.999])],
    )  # fmt: skip
    write_network(  # every frame holds its hertz; the phase grows by it from sample to sample
        networks / "vocoder.onnx",
        [
            helper.make_node("ReduceMean", ["latent"], ["hertz"], axes=[1], keepdims=0),
            helper.make_node("Unsqueeze", ["hertz", "last"], ["column"]),
            helper.make_node("Expand", ["column", "frame"], ["each"]),
            helper.make_node("Reshape", ["each", "flat"], ["line"]),
            helper.make_node("Mul", ["line", "turn"], ["angle"]),
            helper.make_node("CumSum", ["angle", "along"], ["phase"]),
            helper.make_node("Sin", ["phase"], ["wave"]),
            helper.make_node("Mul", ["wave", "quiet"], ["wav"]),
        ],
        [tensor("latent", (1, WIDTH, "L"))],
        tensor("wav", (1, "N")),
        [
            constant("last", [2], numpy.int64), constant("frame", [1, 1, FRAME], numpy.int64),
            constant("flat", [1, -1], numpy.int64), constant("along", 1, numpy.int64),
            constant("turn", [2 * numpy.pi / RATE]), constant("quiet", [0.05]),
        ],
    )  # fmt: skip
    settings = {
        "ae": {"sample_rate": RATE, "base_chunk_size": FRAME // 2},
        "ttl": {"latent_dim": WIDTH // 2, "chunk_compress_factor": 2},
    }
    (networks / "tts.json").write_text(json.dumps(settings))
    (networks / "unicode_indexer.json").write_text(json.dumps([-1 if code < 10 else code for code in range(0x1200)]))
    (folder / "voice_styles").mkdir(exist_ok=True)
    for name, hertz in speakers.items():
        style = {"data": [[[hertz]]], "dims": [1, 1, 1]}
        (folder / "voice_styles" / f"{name}.json").write_text(json.dumps({"style_ttl": style, "style_dp": style}))
    (folder / "LICENSE").write_text("사용 조건 전문. The whole text of the licence.\n")
    return read_offer(description(folder, speakers))


def description(folder: Path, speakers: Iterable[str] = ("F1", "M1"), source: str = "https://voice.invalid") -> str:
    """What describes these files as they are now."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [
        f'"{file.relative_to(folder)}" = {{ size = {file.stat().st_size}, '
        f'sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}" }}'
        for file in files
    ]
    names = ", ".join(f'"{name}"' for name in speakers)
    return (
        'name = "tiny"\ntitle = "Tiny"\nversion = "1"\nlanguages = ["ko", "en"]\n'
        f'speakers = [{names}]\ncard = "https://voice.example.org"\nsources = ["{source}"]\n'
        '[licence]\nname = "Example licence 1.0"\nfile = "LICENSE"\nko = ["조건"]\nen = ["terms"]\n[files]\n'
        + "\n".join(lines)
    )
