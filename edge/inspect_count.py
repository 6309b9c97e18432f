"""Counting what both formats have: operators, weights, and the multiply-adds that the shapes of operators imply."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from .inspect_model import Operator, Shape, Weights

# A constant's type, the granularity of its scales, and its number of values.
Constant = tuple[str, str | None, int]

Shapes = tuple[Shape, ...]
Rule = Callable[[Shapes, Shape], int]


def _sum_products(left: int = 0, right: int = 1) -> Rule:
    """Of a matrix product, given which inputs its sides are: as many products for each output as are summed.

    Either side may be the constant whose shape is known where the other's is not.
    """
    return lambda inputs, output: (inputs[left][-1:] or inputs[right][-2:-1])[0] * math.prod(output)


def _slide_kernel(kernel: int) -> Rule:
    """Of ONNX's convolutions, [N, C, H, W], given which input the kernel is."""
    return lambda inputs, output: math.prod(inputs[kernel]) * output[0] * math.prod(output[2:])


# Multiply-adds from the shapes of an operator's inputs and output. A kernel holds the input channels of one group only,
# so groups need no rule of their own.
MACS: dict[str, Rule] = {
    **dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D"), lambda inputs, output: math.prod(inputs[1]) * math.prod(output[:-1])
    ),
    # Each value that comes in is multiplied once for each output channel.
    "FULLY_CONNECTED": lambda inputs, _: math.prod(inputs[0]) * inputs[1][0],
    **dict.fromkeys(("Conv", "ConvInteger"), _slide_kernel(1)),
    "QLinearConv": _slide_kernel(3),
    "Gemm": lambda inputs, output: math.prod(inputs[1]) * output[0],
    **dict.fromkeys(("MatMul", "MatMulInteger"), _sum_products()),
    "QLinearMatMul": _sum_products(0, 3),
    # Each input position is multiplied with the whole kernel.
    "TRANSPOSE_CONV": lambda inputs, _: math.prod(inputs[1]) * math.prod(inputs[2][:-1]),
    "ConvTranspose": lambda inputs, _: math.prod(inputs[1]) * inputs[0][0] * math.prod(inputs[0][2:]),
    # Either side may be stored transposed; the number of values tells how many are summed.
    "BATCH_MATMUL": lambda inputs, output: output[-1] * math.prod(inputs[0]),
    # Kernels for the input and for the state, at each step: [steps, N, ...], [directions, ...], [directions, ...].
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"),
        lambda inputs, _: math.prod(inputs[0][:2]) * (math.prod(inputs[1]) + math.prod(inputs[2])),
    ),
}
# These multiply, or hold graphs of their own, and no rule above counts them.
UNCOUNTED = re.compile("CONV_3D.*|SVDF|.*LSTM|.*RNN|IF|WHILE|STABLEHLO_.*|DeformConv|Einsum|Attention|If|Loop|Scan")


class Operation(msgspec.Struct, frozen=True):
    """A node of either format: the shapes of its inputs and first output; dimensions that are not known are 0.

    `macs` are those of a node that holds a graph of its own, where they could be counted in that.
    """

    name: str
    version: int | None
    inputs: tuple[Shape, ...]
    output: Shape
    is_custom: bool = False
    macs: int | None = None


def count_operators(operations: Iterable[Operation]) -> tuple[Operator, ...]:
    """How often each operator occurs in each version, the most frequent first."""
    counts = Counter((operation.name, operation.version) for operation in operations)
    return tuple(Operator(name, version, count) for (name, version), count in counts.most_common())


def count_macs(operations: Iterable[Operation], batch: int = 1) -> tuple[int, tuple[str, ...]]:
    """All multiply-adds for one image that can be counted, and the operators for which they cannot.

    Args:
        operations: With the shapes that they have for `batch` images.
        batch: Images, >= 1.
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
    """By the table; 0 where it has no rule or a shape is not known."""
    if operation.is_custom or operation.name not in MACS or not operation.output:
        return 0
    try:
        return MACS[operation.name](operation.inputs, operation.output)
    except IndexError:
        # An input is missing, or has too few dimensions.
        return 0


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
