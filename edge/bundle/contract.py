"""What every model of this project takes and returns, and the records that the whole card is made of."""

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

# The contract: one gray image in, ten logits out.
IMAGE_SHAPE = (28, 28, 1)
NUM_CLASSES = 10
# The layer of every Keras model that scales raw pixels to [0, 1]. Exporters cut there: a full-integer file expresses
# it as its input's scale, at no cost.
SCALING_LAYER = "pixels_to_unit"
# Key in an ONNX file's own metadata under which it states its precision.
PRECISION_KEY = "edge_mnist.precision"

Format = Literal["tflite", "onnx"]
Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
# Functions that a Keras model may apply to its logits; the exporter removes them.
OutputFunction = Literal["softmax", "log-softmax", "sigmoid"]
# \Z, because $ allows a newline after it.
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
# A plain file name: a card must never lead a reader out of its own folder.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all records: immutable, without unknown fields."""


class Convention(Record, frozen=True, kw_only=True):
    """The input and output of a Keras model itself; the exporter adapts them to this project's contract.

    Attributes:
        pixels: `uint8` for raw pixels, else the range of its float input, from paper to ink.
        outputs: `logits`, or the function of them that the model returns; the exporter removes it.
    """

    pixels: Literal["uint8", "0-1", "0-255", "-1-1"] = "uint8"
    outputs: Literal["logits"] | OutputFunction = "logits"


class FileRecord(Record, frozen=True, kw_only=True):
    """A file of the bundle and the bytes it must have."""

    name: FileName
    sha256: Sha256
    size_bytes: Annotated[int, msgspec.Meta(ge=1)]


class ImageSet(Record, frozen=True, kw_only=True):
    """An ordered set of labelled images; `sha256` covers all pixels, then all labels."""

    name: str
    source: str
    count: Count
    sha256: Sha256


class ArchitectureRecord(Record, frozen=True, kw_only=True):
    """The network: its zoo name (or the user's file name), parameters, and multiply-adds per image."""

    name: str
    parameters: Count
    macs: Count


def count_keras_macs(layers: Iterable[Any]) -> int:
    """Count the multiply-adds for one image: each kernel's size times the positions it is applied at.

    Args:
        layers: A Keras model's layers (Keras itself is not needed here). Layers without a kernel count as 0.
    """
    kernels = [layer for layer in layers if hasattr(layer, "kernel")]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in kernels)
