"""Counting what both formats have: operators, weights, and the multiply-adds that the shapes of operators imply."""

import math
import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from .inspect_model import Operator, Shape, Weights

# A constant's type, the granularity of its scales, and its number of values.
Constant = tuple[str, str | None, int]

ALL, NONE = slice(None), slice(0, 0)
# Multiply-adds for one image: (which input decides, which of its dimensions, which of the output's), all multiplied.
# A kernel holds the input channels of one group only, so groups need no rule of their own.
MACS = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), (1, ALL, slice(1, -1))),
    **dict.fromkeys(("Conv", "ConvInteger"), (1, ALL, slice(2, None))),
    "QLinearConv": (3, ALL, slice(2, None)),
    "Gemm": (1, ALL, NONE),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), (0, slice(-1, None), slice(1, None))),
}
# These multiply, or hold graphs of their own, and no rule above counts them.
UNCOUNTED = re.compile(
    "TRANSPOSE_CONV|CONV_3D.*|BATCH_MATMUL|SVDF|.*LSTM|.*RNN|IF|WHILE|STABLEHLO_.*"
    "|ConvTranspose|DeformConv|GRU|Einsum|Attention|If|Loop|Scan"
)


class Operation(msgspec.Struct, frozen=True):
    """A node of either format: the shapes of its inputs and first output; dimensions that are not known are 0."""

    name: str
    version: int | None
    inputs: tuple[Shape, ...]
    output: Shape
    is_custom: bool = False


def count_operators(operations: Iterable[Operation]) -> tuple[Operator, ...]:
    """How often each operator occurs in each version, the most frequent first."""
    counts = Counter((operation.name, operation.version) for operation in operations)
    return tuple(Operator(name, version, count) for (name, version), count in counts.most_common())


def count_macs(operations: Iterable[Operation]) -> tuple[int, tuple[str, ...]]:
    """All multiply-adds for one image that can be counted, and the operators for which they cannot."""
    macs, left_out = 0, Counter[str]()
    for operation in operations:
        if operation.is_custom or UNCOUNTED.fullmatch(operation.name) or operation.name in MACS:
            counted = _macs(operation)
            macs += counted
            left_out[operation.name] += not counted
    return macs, tuple(f"{count} x {name}" for name, count in left_out.items() if count)


def _macs(operation: Operation) -> int:
    """By the table; 0 where it has no rule or a shape is not known."""
    if operation.is_custom or operation.name not in MACS or not operation.output:
        return 0
    which, dimensions, positions = MACS[operation.name]
    deciding = operation.inputs[which] if which < len(operation.inputs) else ()
    return math.prod(deciding[dimensions]) * math.prod(operation.output[positions]) if deciding else 0


def sum_weights(constants: Iterable[Constant]) -> tuple[Weights, ...]:
    """Tensors and parameters of each kind of constant, the largest first."""
    tensors, parameters = Counter[tuple[str, str | None]](), Counter[tuple[str, str | None]]()
    for dtype, scales, size in constants:
        tensors[dtype, scales] += 1
        parameters[dtype, scales] += size
    return tuple(Weights(*kind, tensors[kind], count) for kind, count in parameters.most_common())


def describe_scales(scales: int) -> str | None:
    """What a constant's number of scales says of their granularity: None where it has none."""
    return {0: None, 1: "per tensor"}.get(scales, "per channel")
