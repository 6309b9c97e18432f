"""An int8 TFLite file as TFLite Micro sees it: its one network, and whether TFLite Micro supports all of it.

Every fault of a file is found here, while it is read; the C source relies on that.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import get_builtin_code_from_operator_code

from ..errors import ExportError

IDENTIFIER = b"TFL3"
# The element types of a full-integer file: activations and weights, pixels, and biases, axes and shapes.
ELEMENT_TYPES = {"INT8", "UINT8", "INT32"}
# The integer of a pixel of 0, paper.
LEAST_INTEGER = {"INT8": -128, "UINT8": 0}

# The built-in operators with kernels in tflite-micro 0.dev20261023182759, except those that call other subgraphs.
TFLM_OPERATORS = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
    DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE ZEROS_LIKE
    """.split()  # noqa: SIM905 - a hundred pairs of quotation marks would say nothing more
)
BUILTIN_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
TYPE_NAMES = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}


@dataclass(frozen=True)
class MicroTensor:
    """A tensor: its index in the file, its type as the schema names it, and its quantization.

    `scales` and `zero_points` have one entry, one for each channel, or none if it is not quantized.
    """

    index: int
    type_name: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.type_name.lower()} [{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class MicroOperator:
    """An operator by its name in the schema, without its absent optional inputs."""

    name: str
    inputs: tuple[MicroTensor, ...]
    outputs: tuple[MicroTensor, ...]


@dataclass(frozen=True)
class MicroModel:
    """A network in the order in which it runs, from a tensor of pixels to one of logits."""

    tensors: tuple[MicroTensor, ...]
    operators: tuple[MicroOperator, ...]
    pixels: MicroTensor
    logits: MicroTensor

    def count_operators(self) -> dict[str, int]:
        """Count operators by name, in order of first use, which is also the order of the resolver's calls."""
        return dict(Counter(operator.name for operator in self.operators))


def read_micro_model(content: bytes, file_name: str) -> MicroModel:
    """Read an int8 TFLite file, and check that TFLite Micro can run it.

    Args:
        content: The file.
        file_name: The name of the file, for error messages.

    Raises:
        ExportError: The file is not a TFLite file, is damaged or not int8, is not one network from one input of raw
            pixels to one output, or has an operator that TFLite Micro lacks.
    """
    if content[4:8] != IDENTIFIER:
        raise ExportError(f"{file_name}: expected a TFLite file, with {IDENTIFIER!r} at its bytes 4 to 8.")
    try:
        graphs = _read_graphs(content)
    except (struct.error, AttributeError, IndexError, TypeError, ValueError) as error:
        # The generated code raises errors of many kinds when it reads outside of the bytes or a missing entry.
        raise ExportError(f"{file_name}: a damaged TFLite file ({error}). Export it again.") from error
    if len(graphs) != 1 or len(graphs[0].inputs) != 1 or len(graphs[0].outputs) != 1:
        raise ExportError(f"{file_name}: expected a single network with one input and one output.")
    (graph,) = graphs
    model = MicroModel(graph.tensors, graph.operators, graph.inputs[0], graph.outputs[0])
    _check_contents(model, file_name)
    _check_ends(model, file_name)
    return model


def _check_contents(model: MicroModel, file_name: str) -> None:
    others = sorted({tensor.type_name for tensor in model.tensors} - ELEMENT_TYPES)
    if others:
        raise ExportError(
            f"{file_name}: expected an int8 file, but it has {', '.join(others)} tensors. Export with --int8, without "
            "layers that have no int8 kernel, such as ELU."
        )
    unknown = [name for name in model.count_operators() if name not in TFLM_OPERATORS]
    if unknown:
        raise ExportError(f"{file_name}: TFLite Micro has no {' and no '.join(unknown)}. Use other layers.")
    loose = [operator.name for operator in model.operators if not operator.inputs or not operator.outputs]
    if loose:
        raise ExportError(f"{file_name}: a damaged TFLite file ({loose[0]} has no ends). Export it again.")


def _check_ends(model: MicroModel, file_name: str) -> None:
    for tensor in (model.pixels, model.logits):
        if tensor.type_name not in LEAST_INTEGER or len(tensor.scales) != 1 or not tensor.shape:
            raise ExportError(f"{file_name}: expected quantized int8 or uint8 at both ends, got {tensor}.")
    zero_point = model.pixels.zero_points[0]
    if zero_point != LEAST_INTEGER[model.pixels.type_name]:
        raise ExportError(f"{file_name}: expected a pixel of 0 as the least integer, got {zero_point}.")


@dataclass(frozen=True)
class _Graph:
    """A network as it is in the file, with any number of inputs and outputs."""

    tensors: tuple[MicroTensor, ...]
    operators: tuple[MicroOperator, ...]
    inputs: tuple[MicroTensor, ...]
    outputs: tuple[MicroTensor, ...]


def _read_graphs(content: bytes) -> list[_Graph]:
    # Typed loosely: the generated types declare arrays as lists, and everything as optional.
    root: Any = schema.ModelT.InitFromPackedBuf(content)
    return [_read_graph(root, graph) for graph in root.subgraphs]


def _read_graph(root: Any, graph: Any) -> _Graph:
    tensors = tuple(_read_tensor(index, tensor) for index, tensor in enumerate(graph.tensors))

    def find(indices: Iterable[int]) -> tuple[MicroTensor, ...]:
        return tuple(tensors[index] for index in indices if index >= 0)

    operators = tuple(
        MicroOperator(
            name=_read_name(root.operatorCodes[operator.opcodeIndex]),
            inputs=find(operator.inputs),
            outputs=find(operator.outputs),
        )
        for operator in graph.operators
    )
    return _Graph(tensors, operators, find(graph.inputs), find(graph.outputs))


def _read_tensor(index: int, tensor: Any) -> MicroTensor:
    # A scalar's shape is missing from the flatbuffer.
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    scales, zero_points = (), ()
    if tensor.quantization is not None and tensor.quantization.scale is not None:
        scales = tuple(map(float, tensor.quantization.scale))
        zero_points = tuple(map(int, tensor.quantization.zeroPoint))
    if len(scales) != len(zero_points):
        raise ValueError(f"{len(scales)} scales and {len(zero_points)} zero points of a tensor")
    return MicroTensor(index, TYPE_NAMES.get(tensor.type, f"type {tensor.type}"), shape, scales, zero_points)


def _read_name(code: Any) -> str:
    number = get_builtin_code_from_operator_code(code)
    name = BUILTIN_NAMES.get(number, f"operator {number}")
    return name if name != "CUSTOM" else f"custom operator {(code.customCode or b'?').decode(errors='replace')}"
