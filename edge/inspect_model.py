"""What is in a model file, whichever its format, and the little that both readers do alike.

Nothing in a file is believed before it is checked, and its texts are read as they come: they need not be UTF-8.
"""

import importlib
from collections.abc import Iterable
from typing import Any

import msgspec

from .errors import EdgeMnistError

MOST_DIMENSIONS = 8

Shape = tuple[int, ...]


class InspectionError(EdgeMnistError):
    """The file cannot be inspected; the message says why and what to do."""


class TensorInfo(msgspec.Struct, frozen=True):
    """An input or output. -1 where the file leaves a dimension open; real value = (integer - zero_point) * scale."""

    name: str
    shape: Shape
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


class Operator(msgspec.Struct, frozen=True):
    """An operator and how often it occurs. TFLite gives each its own version, ONNX has the opset."""

    name: str
    version: int | None
    count: int


class Weights(msgspec.Struct, frozen=True):
    """Constants of one kind; `scales` is "per channel", "per tensor", or None where they carry none."""

    dtype: str
    scales: str | None
    tensors: int
    parameters: int


class DataFile(msgspec.Struct, frozen=True):
    """A file that holds weights: its path as the model names it, and how many bytes the model reads of it at least."""

    location: str
    least_bytes: int


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a file.

    Attributes:
        header: The format's own facts, such as the opset or the least runtime version.
        properties: The project's metadata, or all metadata_props of an ONNX file.
        inputs: In the file's order.
        outputs: In the file's order.
        operators: The most frequent first.
        weights: Float or quantized constants of at least one dimension. Shapes, axes, scales and zero points are none.
        macs: Multiply-adds for one image in convolutions, fully connected layers and matrix products.
        not_counted: Operators left out of `macs`: they may multiply as well, or the file leaves their shapes open.
        data_files: Where an ONNX file keeps weights outside itself, by name.
    """

    header: dict[str, str]
    properties: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]
    weights: tuple[Weights, ...]
    macs: int
    not_counted: tuple[str, ...]
    data_files: tuple[DataFile, ...] = ()


def import_parser(kind: str, module: str, package: str) -> Any:
    """Import what reads one format only when a file has that format.

    Args:
        kind: What the file is, for the message.
        module: Full name of the module.
        package: What to install to have it.

    Raises:
        InspectionError: The package is missing.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InspectionError(
            f"reading {kind} needs the package {package} ({error}). Run: pip install {package}"
        ) from error


def check_shape(shape: Iterable[int]) -> Shape:
    """A constant's or tensor's shape as a tuple.

    Raises:
        ValueError: It has more than MOST_DIMENSIONS, or a negative one.
    """
    shape = tuple(shape)
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"a tensor claims the shape {shape}")
    return shape


def decode_text(data: Any) -> str:
    """The text of flatbuffers' bytes and arrays, and of protobuf's strings, which are bytes where they are no UTF-8."""
    if isinstance(data, str):
        return data
    return "" if data is None else bytes(data).decode(errors="replace")
