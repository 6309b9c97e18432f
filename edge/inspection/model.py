"""The structure of a model file of any format, and what both readers share.

No value of a file is trusted before it is checked, and its texts are decoded leniently: they need not be UTF-8.
"""

import importlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ..common.errors import EdgeMnistError

MOST_DIMENSIONS = 8

Shape = tuple[int, ...]


class TensorInfo(msgspec.Struct, frozen=True):
    """An input or output. -1 for a dimension that is left open; real value = (integer - zero_point) * scale."""

    name: str
    shape: Shape
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


class Operator(msgspec.Struct, frozen=True):
    """An operator and its number of occurrences. TFLite has a version for each operator, ONNX has the opset."""

    name: str
    version: int | None
    count: int


class WeightGroup(msgspec.Struct, frozen=True):
    """Constants of one kind; `scales` is "per channel", "per tensor", or None if they have none."""

    dtype: str
    scales: str | None
    tensors: int
    parameters: int


class DataFile(msgspec.Struct, frozen=True):
    """A file that holds weights: its path as the model names it, and its least size in bytes."""

    location: str
    least_bytes: int


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The structure of a model file.

    Attributes:
        header: Facts of the format, such as the opset or the least runtime version.
        properties: The project's metadata, or all metadata_props of an ONNX file.
        inputs: Inputs in the file's order.
        outputs: Outputs in the file's order.
        operators: Operators, the most frequent first.
        weights: Float or quantized constants of at least one dimension; shapes, axes, scales and zero points do not
            count.
        macs: Multiply-adds for one image in convolutions, fully connected layers and matrix products.
        not_counted: Operators left out of `macs`: they may multiply as well, or the file leaves their shapes open.
        data_files: Files that hold weights of an ONNX file, by name.
    """

    header: dict[str, str]
    properties: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]
    weights: tuple[WeightGroup, ...]
    macs: int
    not_counted: tuple[str, ...]
    data_files: tuple[DataFile, ...] = ()


def import_parser(kind: str, module: str, package: str) -> Any:
    """Import the parser of a format only if a file has that format.

    Args:
        kind: Kind of the file, for the message.
        module: Full name of the module.
        package: Name of the package to install.

    Raises:
        EdgeMnistError: The package is missing.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EdgeMnistError(
            f"reading {kind} needs the package {package} ({error}). Run: pip install {package}"
        ) from error


def check_shape(shape: Iterable[int]) -> Shape:
    """Check a constant's or tensor's shape and return it as a tuple.

    Raises:
        ValueError: It has more than MOST_DIMENSIONS, or a negative one.
    """
    shape = tuple(shape)
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"a tensor claims the shape {shape}")
    return shape


def decode_text(data: Any) -> str:
    """Decode bytes and arrays of flatbuffers, and strings of protobuf, which are bytes if they are not UTF-8."""
    if isinstance(data, str):
        return data
    return "" if data is None else bytes(data).decode(errors="replace")


# A constant's type, the granularity of its scales, and its number of values.
Constant = tuple[str, str | None, int]

Shapes = tuple[Shape, ...]
Rule = Callable[[Shapes, Shape], int]


def _sum_products(left: int = 0, right: int = 1) -> Rule:
    """Make the rule of a matrix product whose sides are these inputs: each output is a sum of that many products.

    Either side may be the constant with a known shape.
    """
    return lambda inputs, output: (inputs[left][-1:] or inputs[right][-2:-1])[0] * math.prod(output)


def _slide_kernel(kernel: int) -> Rule:
    """Make the rule of ONNX's convolutions, [N, C, H, W], whose kernel is this input."""
    return lambda inputs, output: math.prod(inputs[kernel]) * output[0] * math.prod(output[2:])


# Multiply-adds from the shapes of an operator's inputs and output. A kernel holds the input channels of one group
# only, so groups need no rule of their own.
MACS: dict[str, Rule] = {
    **dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D"), lambda inputs, output: math.prod(inputs[1]) * math.prod(output[:-1])
    ),
    # Each input value is multiplied once for each output channel.
    "FULLY_CONNECTED": lambda inputs, _: math.prod(inputs[0]) * inputs[1][0],
    **dict.fromkeys(("Conv", "ConvInteger"), _slide_kernel(1)),
    "QLinearConv": _slide_kernel(3),
    "Gemm": lambda inputs, output: math.prod(inputs[1]) * output[0],
    **dict.fromkeys(("MatMul", "MatMulInteger"), _sum_products()),
    "QLinearMatMul": _sum_products(0, 3),
    # Each input position is multiplied with the whole kernel.
    "TRANSPOSE_CONV": lambda inputs, _: math.prod(inputs[1]) * math.prod(inputs[2][:-1]),
    "ConvTranspose": lambda inputs, _: math.prod(inputs[1]) * inputs[0][0] * math.prod(inputs[0][2:]),
    # Either side may be stored transposed; the number of values determines how many are summed.
    "BATCH_MATMUL": lambda inputs, output: output[-1] * math.prod(inputs[0]),
    # Kernels for the input and for the state, at each step: [steps, N, ...], [directions, ...], [directions, ...].
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"),
        lambda inputs, _: math.prod(inputs[0][:2]) * (math.prod(inputs[1]) + math.prod(inputs[2])),
    ),
}
# These multiply, or contain graphs, and no rule above counts them.
UNCOUNTED = re.compile("CONV_3D.*|SVDF|.*LSTM|.*RNN|IF|WHILE|STABLEHLO_.*|DeformConv|Einsum|Attention|If|Loop|Scan")


class Operation(msgspec.Struct, frozen=True):
    """A node of either format: the shapes of its inputs and first output; unknown dimensions are 0.

    `macs` are those of a node that contains a graph, if they could be counted in it.
    """

    name: str
    version: int | None
    inputs: tuple[Shape, ...]
    output: Shape
    is_custom: bool = False
    macs: int | None = None


def count_operators(operations: Iterable[Operation]) -> tuple[Operator, ...]:
    """Count each operator in each version, the most frequent first."""
    counts = Counter((operation.name, operation.version) for operation in operations)
    return tuple(Operator(name, version, count) for (name, version), count in counts.most_common())


def count_macs(operations: Iterable[Operation], batch: int = 1) -> tuple[int, tuple[str, ...]]:
    """Count the multiply-adds for one image, and list the operators for which they cannot be counted.

    Args:
        operations: Operations with the shapes that they have for `batch` images.
        batch: Number of images, >= 1.
    """
    macs, left_out = 0, Counter[str]()
    for operation in operations:
        if operation.macs is not None:
            macs += operation.macs
        elif operation.is_custom or operation.name in MACS or UNCOUNTED.fullmatch(operation.name):
            counted = _macs(operation)
            macs += counted
            left_out[operation.name] += not counted
    return macs // batch, tuple(f"{count} x {name}" for name, count in left_out.items() if count)


def _macs(operation: Operation) -> int:
    """Count by the table; 0 if it has no rule or a shape is not known."""
    if operation.is_custom or operation.name not in MACS or not operation.output:
        return 0
    try:
        return MACS[operation.name](operation.inputs, operation.output)
    except IndexError:
        # An input is missing, or has too few dimensions.
        return 0


def sum_weights(constants: Iterable[Constant]) -> tuple[WeightGroup, ...]:
    """Sum the tensors and parameters of each kind of constant, the largest first."""
    tensors, parameters = Counter[tuple[str, str | None]](), Counter[tuple[str, str | None]]()
    for dtype, scales, size in constants:
        tensors[dtype, scales] += 1
        parameters[dtype, scales] += size
    return tuple(WeightGroup(*kind, tensors[kind], count) for kind, count in parameters.most_common())


def describe_scales(scales: int) -> str | None:
    """Describe the granularity of a constant's scales by their number; None if it has none."""
    return {0: None, 1: "per tensor"}.get(scales, "per channel")
