"""Operators of an int8 file that compute in float32 because the runtime has no integer kernel for them.

Such a file is smaller than the float32 one, but it is not full-integer: a processor without floating point, or an
accelerator that takes integers alone, cannot run it.
"""

from collections import Counter
from collections.abc import Iterable

import onnx
import onnxruntime
from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType
from onnx import numpy_helper

from ...edge.common.scratch import scratch_folder
from .tflite_edits import operator_kind, unpack

# Operators that convert between float and integer, or move and name tensors, and compute nothing.
CONVERSIONS = {"QUANTIZE", "DEQUANTIZE", "CAST", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast"}
MOVES = {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Shape", "Slice", "Concat", "Gather"}
NAMES = {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}


def in_tflite(content: bytes) -> tuple[str, ...]:
    """List the operators with a float32 output, such as `2 x ELU`."""
    model = unpack(content)
    found = [
        NAMES[operator_kind(model, operator)]
        for graph in model.subgraphs
        for operator in graph.operators
        if any(graph.tensors[index].type == TensorType.FLOAT32 for index in operator.outputs)
    ]
    return _count(found)


def in_onnx(content: bytes) -> tuple[str, ...]:
    """List the operators that ONNX Runtime computes in float32, according to its optimized graph.

    A QDQ file states what is quantized; the runtime decides which operators have integer kernels.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    with scratch_folder() as folder:
        options.optimized_model_filepath = str(folder / "optimized")
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    return _count(node.op_type for node in graph.node if _is_float(node, graph))


def _is_float(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    """Whether a node computes with floats: an operator of ONNX itself without integer inputs."""
    if node.op_type in CONVERSIONS | MOVES or "Integer" in node.op_type or node.op_type.startswith("QLinear"):
        return False
    if node.domain == "com.microsoft" and node.op_type.startswith("Q"):
        return False
    integers = {one.name for one in graph.initializer if numpy_helper.to_array(one).dtype.kind in "iu"}
    integers |= {name for other in graph.node if _gives_integers(other) for name in other.output}
    return not any(name in integers for name in node.input[:1])


def _gives_integers(node: onnx.NodeProto) -> bool:
    return node.op_type in {"QuantizeLinear", "Shape"} or node.op_type.startswith("QLinear")


def _count(names: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(name for name in names if name not in CONVERSIONS)
    return tuple(name if count == 1 else f"{count} x {name}" for name, count in counts.items())
