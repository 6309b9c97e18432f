"""ONNX files in three precisions: float32, float16, and int8 in QDQ form. All take raw uint8 pixels."""

import contextlib
import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import helper, numpy_helper

from ...edge.bundle.contract import IMAGE_SHAPE, NUM_CLASSES
from ...edge.bundle.export_record import Tensor
from ...edge.common.native_log import quiet_native_log
from ...edge.common.scratch import scratch_folder
from ...edge.data.images import Images
from ..adoption.source import behind_scaling, input_scale
from ..calibration import unit_images
from ..errors import ExportError
from .onnx_names import name_tensors

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported: no telemetry
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

# Per-channel QDQ needs 13; 17 is read by every ONNX Runtime since 1.12.
OPSET = 17
INPUT, OUTPUT = "pixels", "logits"
LAYOUT_OPERATORS = {"Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze", "Identity", "Flatten"}


@dataclass(frozen=True)
class WeightType:
    """A way to store weights in int8 files.

    Attributes:
        quant_type: ONNX Runtime's name of the type.
        reduce_range: Whether one bit is left unused.
        levels: The integer that the largest weight becomes.
    """

    quant_type: QuantType
    reduce_range: bool
    levels: int


# 7 bits first: on x86 without VNNI, sums of two uint8 x int8 products saturate at 16 bits, which cost this project's
# model a point of accuracy there; see docs/decisions/0004-seven-bit-weights.md.
WEIGHT_TYPES = {
    "int7": WeightType(QuantType.QInt8, reduce_range=True, levels=64),
    "int8": WeightType(QuantType.QInt8, reduce_range=False, levels=127),
    "uint8": WeightType(QuantType.QUInt8, reduce_range=False, levels=127),
}
METHODS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.999}),
    "entropy": (CalibrationMethod.Entropy, {}),
}


def convert_float32(model: keras.Model) -> bytes:
    """Convert without changes: raw uint8 pixels in, float32 logits out."""
    return _serialize(_convert(model, "uint8"))


def convert_float16(model: keras.Model) -> bytes:
    """Convert to half precision: raw uint8 pixels in, float32 logits out."""
    proto = _quietly(convert_float_to_float16, _convert(model, "uint8"), keep_io_types=True)
    onnx.checker.check_model(proto, full_check=True)
    return _serialize(proto)


def convert_int8(model: keras.Model, calibration: Images, method: str = "minmax", weights: str = "int7") -> bytes:
    """Quantize weights (per channel) and activations (uint8): raw uint8 pixels in, float32 logits out.

    Args:
        model: A model that keeps the contract.
        calibration: Training images.
        method: How ranges are chosen, one of `METHODS`.
        weights: How weights are stored, one of `WEIGHT_TYPES`.

    """
    weight_type = WEIGHT_TYPES[weights]
    calibrate_method, options = METHODS[method]
    with scratch_folder() as folder:
        prepared, quantized = folder / "prepared", folder / "quantized"
        prepare_for_quantization(model, prepared)
        pixel_tensors = _pixel_tensors(onnx.load(prepared).graph)
        # With every method, pixels span their whole range, so that the input's integers are the pixels.
        largest = 255 * input_scale(model)
        overrides = {name: [{"rmin": np.float32(0), "rmax": np.float32(largest)}] for name in pixel_tensors}
        _quietly(
            quantize_static,
            prepared,
            quantized,
            _Reader(calibration, largest),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=weight_type.quant_type,
            reduce_range=weight_type.reduce_range,
            calibrate_method=calibrate_method,
            extra_options={"TensorQuantOverrides": overrides, **options},
        )
        proto = onnx.load(quantized)
    _take_raw_pixels(proto, input_scale(model))
    _give_float_logits(proto)
    _prune(proto)
    onnx.checker.check_model(proto, full_check=True)
    return _serialize(proto)


def prepare_for_quantization(model: keras.Model, path: Path) -> None:
    """Write the network without its scaling as a float ONNX file with batch norms folded, ready for quantization."""
    with scratch_folder() as folder:
        float_path = folder / "float"
        onnx.save(_convert(behind_scaling(model), "float32"), float_path)
        _quietly(quant_pre_process, float_path, path, skip_symbolic_shape=True)


def write_metadata(content: bytes, properties: dict[str, str]) -> bytes:
    """Write properties into the file's `metadata_props`, replacing those that it has."""
    proto = onnx.load_from_string(content)
    helper.set_model_props(proto, properties)
    return _serialize(proto)


def describe_tensors(content: bytes) -> tuple[Tensor, Tensor]:
    """Return the input and output as the file itself declares them."""
    graph = onnx.load_from_string(content).graph
    return _describe(graph.input[0]), _describe(graph.output[0])


class _Reader(CalibrationDataReader):
    """A source of calibration images for ONNX Runtime, one image at a time."""

    def __init__(self, images: Images, largest: float) -> None:
        self._inputs: Iterator[dict[str, np.ndarray]] = iter(
            [{INPUT: image * np.float32(largest)} for image in unit_images(images)]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        return next(self._inputs, None)


def _convert(model: keras.Model, input_dtype: str) -> onnx.ModelProto:
    signature = [tf.TensorSpec((None, *IMAGE_SHAPE), input_dtype, name=INPUT)]
    function = tf.function(lambda pixels: model(pixels, training=False))
    proto, _ = _quietly(tf2onnx.convert.from_function, function, input_signature=signature, opset=OPSET)
    _keep_constants(proto, function.get_concrete_function(*signature))
    name_tensors(proto, OUTPUT)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _serialize(proto: onnx.ModelProto) -> bytes:
    """Serialize a model to the same bytes each time."""
    return proto.SerializeToString(deterministic=True)


def _keep_constants(proto: onnx.ModelProto, traced: Any) -> None:
    """Restore constants that the converter turned into inputs: those that a layer holds as bare tensors, not variables.

    Raises:
        ExportError: An input is neither the pixels nor such a constant.
    """
    constants = dict(zip((tensor.name for tensor in traced.inputs[1:]), traced.captured_inputs, strict=True))
    for value in list(proto.graph.input)[1:]:
        if value.name not in constants:
            raise ExportError(f"ONNX: the network reads {value.name} as well as the pixels.")
        proto.graph.initializer.append(numpy_helper.from_array(constants[value.name].numpy(), value.name))
        proto.graph.input.remove(value)


def _pixel_tensors(graph: onnx.GraphProto) -> list[str]:
    """List the input and its names after mere changes of layout and cropping, which also work on integers."""
    names = [INPUT]
    for node in graph.node:
        # Nodes are listed in the order in which they compute.
        if node.op_type in LAYOUT_OPERATORS and node.input[0] in names:
            names.append(node.output[0])
    return names


def _take_raw_pixels(proto: onnx.ModelProto, wanted_scale: float) -> None:
    """Let raw pixels enter unchanged, and remove the operators that quantized floats to just these bytes.

    Nodes that read pixels without quantizing them, or quantize them to another scale, get them as floats in the
    network's own range instead.
    """
    graph = proto.graph
    pixels = _pixel_tensors(graph)
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    for name in pixels:
        readers = [node for node in graph.node if name in node.input]
        exact = [node for node in readers if _keeps_pixels(node, constants, wanted_scale)]
        for quantize in exact:
            graph.node.remove(quantize)
            _rename_input(graph.node, quantize.output[0], name)
        others = [node for node in readers if node not in exact and node.op_type not in LAYOUT_OPERATORS]
        if others:
            _rename_input(others, name, f"{name}_in_own_range")
            _insert_scaling(graph, name, wanted_scale)
    del graph.value_info[:]  # they still declare the pixels as float
    graph.input[0].CopyFrom(helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, ["N", *IMAGE_SHAPE]))


def _keeps_pixels(node: onnx.NodeProto, constants: dict[str, np.ndarray], wanted_scale: float) -> bool:
    """Whether a node quantizes floats in the network's range to exactly the bytes of the pixels."""
    if node.op_type != "QuantizeLinear":
        return False
    scale, zero_point = float(constants[node.input[1]]), constants[node.input[2]]
    return zero_point.dtype == np.uint8 and int(zero_point) == 0 and abs(scale / wanted_scale - 1) <= 1e-6


def _rename_input(nodes: Iterable[onnx.NodeProto], old: str, new: str) -> None:
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]


def _insert_scaling(graph: onnx.GraphProto, name: str, scale: float) -> None:
    """Compute `{name}_in_own_range` from raw pixels: a cast, then the network's own scaling."""
    cast = helper.make_node("Cast", [name], [f"{name}_as_float"], to=onnx.TensorProto.FLOAT)
    scaling = helper.make_node("Mul", [f"{name}_as_float", f"{name}_scale"], [f"{name}_in_own_range"])
    graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), f"{name}_scale"))
    makers = [index for index, node in enumerate(graph.node) if name in node.output]
    graph.node.insert(makers[0] + 1 if makers else 0, scaling)
    graph.node.insert(makers[0] + 1 if makers else 0, cast)


def _give_float_logits(proto: onnx.ModelProto) -> None:
    """Return the last operator's logits before they are rounded to 256 steps, which would only lose precision."""
    graph = proto.graph
    producers = {name: node for node in graph.node for name in node.output}
    dequantize = producers[OUTPUT]
    quantize = producers.get(dequantize.input[0]) if dequantize.op_type == "DequantizeLinear" else None
    if quantize is None or quantize.op_type != "QuantizeLinear":
        return
    source = producers[quantize.input[0]]
    if sum(quantize.input[0] in node.input for node in graph.node) > 1:
        return
    source.output[:] = [OUTPUT if name == quantize.input[0] else name for name in source.output]
    graph.node.remove(quantize)
    graph.node.remove(dequantize)


def _prune(proto: onnx.ModelProto) -> None:
    """Remove unused constants and operator sets, of which runtimes warn."""
    read = {name for node in proto.graph.node for name in node.input}
    kept = [constant for constant in proto.graph.initializer if constant.name in read]
    domains = {node.domain for node in proto.graph.node}
    opsets = [opset for opset in proto.opset_import if opset.domain in domains]
    del proto.graph.initializer[:], proto.opset_import[:]
    proto.graph.initializer.extend(kept)
    proto.opset_import.extend(opsets)


def _describe(value: onnx.ValueInfoProto) -> Tensor:
    """Describe a tensor: batch -1; inputs are pixels and outputs floats in all precisions, so there is no scale."""
    tensor = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    shape = IMAGE_SHAPE if value.name == INPUT else (NUM_CLASSES,)
    found = tuple(dimension.dim_value for dimension in tensor.shape.dim[1:])
    if found != shape:
        raise ExportError(f"ONNX {value.name}: expected shape {shape} after the batch, got {found}.")
    return Tensor(name=value.name, shape=(-1, *found), dtype=dtype)  # pyright: ignore[reportArgumentType]


def _quietly(function: Callable, *arguments: object, **options: object) -> Any:
    """Call a converter with its output hidden; if it fails, show the output."""
    onnxruntime.set_default_logger_severity(3)
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet_native_log(), contextlib.redirect_stdout(io.StringIO()):
            return function(*arguments, **options)
    finally:
        logging.disable(previous)
