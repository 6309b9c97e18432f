"""Read the structure of an ONNX file with the package onnx, which only this command needs on the edge."""

import math
from collections.abc import Iterator
from typing import Any

from .model import (
    Constant,
    Model,
    Operation,
    Shape,
    TensorInfo,
    check_shape,
    count_macs,
    count_operators,
    decode_text,
    describe_scales,
    import_parser,
    sum_weights,
)
from .onnx_data import find_data_files

# A loop with more turns is not a layer.
MOST_TURNS = 1_000_000
# Inputs of ONNX's quantized operators that hold values, and the input of their scales. The rest are zero points.
QUANTIZED_INPUTS: dict[str, dict[int, int | None]] = {
    "DequantizeLinear": {0: 1},
    "QuantizeLinear": {0: 1},
    "ConvInteger": {0: None, 1: None},
    "MatMulInteger": {0: None, 1: None},
    "QLinearConv": {0: 1, 3: 4, 8: None},
    "QLinearMatMul": {0: 1, 3: 4},
}


def read_onnx(content: bytes) -> Model:
    """Read the structure of an ONNX file.

    Raises:
        EdgeMnistError: The package onnx is missing.
        Exception: It is not an ONNX file, or damaged; mostly ValueError, and any other error of onnx and NumPy.

    Source: onnx/onnx, onnx/onnx.proto.
    """
    onnx = import_parser("ONNX (it is not marked as TFLite)", "onnx", "onnx")
    proto, graph = _parse(content, onnx)
    constants = _constants(graph)
    operations = list(_operations(graph, constants, onnx))
    macs, not_counted = count_macs(operations, _batch(graph, constants))
    return Model(
        header=_header(proto),
        properties={decode_text(entry.key): decode_text(entry.value) for entry in proto.metadata_props},
        inputs=tuple(_tensor(value, onnx) for value in proto.graph.input if value.name not in constants),
        outputs=tuple(_tensor(value, onnx) for value in proto.graph.output),
        operators=count_operators(operations),
        weights=sum_weights(_weights(graph, constants, onnx)),
        macs=macs,
        not_counted=not_counted,
        data_files=find_data_files(proto, onnx),
    )


def _parse(content: bytes, onnx: Any) -> tuple[Any, Any]:
    """Parse the model, and its graph with the shapes that can be inferred for one image if the number is left open."""
    DecodeError = import_parser("ONNX", "google.protobuf.message", "protobuf").DecodeError  # noqa: N806 - a class
    try:
        proto = onnx.load_from_string(content)
        if not proto.graph.node:
            raise ValueError("it has no graph")
        return proto, onnx.shape_inference.infer_shapes(_for_one_image(proto), data_prop=True).graph
    except (DecodeError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(str(error)) from error


def _for_one_image(proto: Any) -> Any:
    """Copy a model with open first dimensions set to 1, so that the shapes behind reshapes are known, too."""
    copy = type(proto)()
    copy.CopyFrom(proto)
    for value in (*copy.graph.input, *copy.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and not dimensions[0].HasField("dim_value"):
            dimensions[0].dim_value = 1
    del copy.graph.value_info[:]
    return copy


def _batch(graph: Any, constants: dict[str, Any]) -> int:
    """Return the number of images in the first input."""
    shapes = [value.type.tensor_type.shape.dim for value in graph.input if value.name not in constants]
    return max(1, shapes[0][0].dim_value) if shapes and shapes[0] else 1


def _header(proto: Any) -> dict[str, str]:
    opsets = {decode_text(opset.domain) or "ai.onnx": str(opset.version) for opset in proto.opset_import}
    return {
        "ir_version": str(proto.ir_version),
        "opset": opsets.pop("ai.onnx", ""),
        "other opsets": ", ".join(f"{domain} {version}" for domain, version in opsets.items()),
        "producer": f"{decode_text(proto.producer_name)} {decode_text(proto.producer_version)}".strip(),
    }


def _constants(graph: Any) -> dict[str, Any]:
    nodes = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].HasField("t")]
    return {tensor.name: tensor for tensor in graph.initializer} | {n.output[0]: n.attribute[0].t for n in nodes}


def _operations(
    graph: Any, constants: dict[str, Any], onnx: Any, outer: dict[str, Shape] | None = None
) -> Iterator[Operation]:
    """Yield a graph's nodes with their shapes; in a loop's body, with the shapes of the graphs around it."""
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {value.name: tuple(max(d.dim_value, 0) for d in value.type.tensor_type.shape.dim) for value in values}
    if outer is not None:
        # Inference does not pass the number of images into a body: it is one, as outside.
        shapes = outer | {name: (shape[0] or 1, *shape[1:]) if shape else () for name, shape in shapes.items()}
    shapes |= {name: check_shape(tensor.dims) for name, tensor in constants.items()}
    for node in graph.node:
        inputs = tuple(shapes.get(name, ()) for name in node.input)
        output = shapes.get(node.output[0], ()) if node.output else ()
        macs = _count_loop(node, constants, onnx, shapes) if node.op_type == "Loop" else None
        yield Operation(decode_text(node.op_type), None, inputs, output, node.domain not in {"", "ai.onnx"}, macs)


def _count_loop(node: Any, constants: dict[str, Any], onnx: Any, shapes: dict[str, Shape]) -> int | None:
    """Count a loop's multiply-adds if its number of turns is known, as in recurrent layers; else return None."""
    bodies = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    times = constants.get(node.input[0]) if node.input else None
    if times is None or len(bodies) != 1:
        return None
    count = int(onnx.numpy_helper.to_array(times).item())
    inner = constants | {tensor.name: tensor for tensor in bodies[0].initializer}
    macs, not_counted = count_macs(_operations(bodies[0], inner, onnx, shapes))
    return None if not_counted or not 0 <= count <= MOST_TURNS else count * macs


def _tensor(value: Any, onnx: Any) -> TensorInfo:
    """Describe a tensor without a scale: in ONNX, operators hold it."""
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return TensorInfo(decode_text(value.name), tuple(d.dim_value or -1 for d in tensor.shape.dim), dtype)


def _weights(graph: Any, constants: dict[str, Any], onnx: Any) -> Iterator[Constant]:
    """Yield the kind and size of each constant that operators read as values, once even if several read it."""
    kinds: dict[str, Constant] = {}
    for node in graph.node:
        places = QUANTIZED_INPUTS.get(node.op_type)
        for i, name in enumerate(node.input):
            tensor = constants.get(name)
            if tensor is None or not tensor.dims or (places is not None and i not in places):
                continue
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name
            if places is not None or "float" in dtype:
                scale = constants.get(node.input[places[i]]) if places and places[i] else None
                scales = None if scale is None else describe_scales(math.prod(scale.dims))
                kinds[name] = dtype, scales, math.prod(tensor.dims)
    yield from kinds.values()
