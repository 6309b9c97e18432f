"""The metadata inside every file, so that a file without its folder still explains itself: flat text properties.

They are stored in an ONNX file's `metadata_props` and in a TFLite file's metadata; `edge-mnist inspect` prints them.
"""

import json

import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.card import ModelCard
from ...edge.bundle.contract import PRECISION_KEY
from ...edge.bundle.export_record import Evaluation, ModelFile
from ...edge.runtimes.golden import pack_pixels

# Golden images inside a file: enough to detect a wrong file.
GOLDEN_IMAGES = 3
# A network with fewer parameters gets one golden image: each would be a thirtieth of its int8 file.
SMALL_NETWORK = 20_000
DIGITS = tuple("0123456789")


def describe_properties(
    card: ModelCard, file: ModelFile, evaluation: Evaluation, golden: NDArray[np.uint8]
) -> dict[str, str]:
    """Describe a verified file as properties.

    Args:
        card: The card of the model.
        file: The file's entry, with its verification and golden logits.
        evaluation: The images that the file was verified on.
        golden: The golden images, uint8 [N, 28, 28, 1]; the first few go into the file.
    """
    check, count = file.verification, evaluation.images.count
    shown = 1 if card.architecture.parameters < SMALL_NETWORK else GOLDEN_IMAGES
    logits = [[float(f"{value:.6g}") for value in row] for row in file.golden_logits[:shown]]
    vectors = {"pixels": pack_pixels(golden[:shown]), "logits": logits}
    reads = "Reads a handwritten digit" if card.labels == DIGITS else "Classifies small pictures into ten classes"
    return {
        "edge_mnist.description": f"{reads}: raw pixels in, ten logits out.",
        "edge_mnist.input": "raw pixels, uint8 [N, 28, 28, 1], 0 = paper, 255 = ink",
        # Spaces separate labels, so a label of several words gets underscores.
        "edge_mnist.labels": " ".join(label.replace(" ", "_") for label in card.labels),
        "edge_mnist.name": f"edge-mnist {card.name} {file.precision}",
        PRECISION_KEY: file.precision,
        "edge_mnist.output": _describe_output(file),
        "edge_mnist.quantization": _describe_quantization(file),
        "edge_mnist.accuracy": f"{check.correct} of {count} ({evaluation.images.name}) in {check.runtime}; "
        f"the Keras model {evaluation.correct}",
        "edge_mnist.source": f"{card.architecture.name}, {card.architecture.parameters} parameters, Keras file with "
        f"SHA-256 {card.source.sha256}",
        "edge_mnist.training": card.training.command if card.training else "not known",
        "edge_mnist.golden": json.dumps(vectors, separators=(",", ":")),
    }


def _describe_output(file: ModelFile) -> str:
    tensor = file.output
    if tensor.scale is None:
        return f"logits, {tensor.dtype} [N, 10]"
    return f"logits, {tensor.dtype} [N, 10], real value = (integer - {tensor.zero_point}) * {tensor.scale!r}"


def _describe_quantization(file: ModelFile) -> str:
    if file.quantization is None:
        return "none" if file.precision.startswith("float") else "weights only, activations quantized at run time"
    chosen = file.quantization.chosen
    copies = " and a degraded copy of each" if chosen.degraded is True else ""
    return (
        f"weights {chosen.weights}, to +-{file.quantization.weight_levels} per channel; ranges by {chosen.method} over "
        f"{chosen.calibration_images} training images{copies}"
    )
