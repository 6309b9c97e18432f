"""ONNX files: float32, and int8 in QDQ form by static post-training quantization."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import helper, numpy_helper

from ..edge.card import IMAGE_SHAPE, NUM_CLASSES, PRECISION_KEY, Precision, Tensor
from ..edge.mnist import Images
from ..edge.native_log import quiet_native_log
from .calibrate import ExportError, unit_images
from .source import behind_scaling

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported: nothing here phones home
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

# Per-channel QDQ needs 13; 17 is read by every ONNX Runtime since 1.12.
OPSET = 17
INPUT, OUTPUT = "pixels", "logits"
# Rides inside every file, so that one that has lost its folder still says how to use it.
SELF_DESCRIPTION = {
    "edge_mnist.input": "raw pixels, uint8 [N, 28, 28, 1], 0 = paper, 255 = ink",
    "edge_mnist.output": "logits, float32 [N, 10], of the digits 0 to 9",
}


def convert_float32(model: keras.Model, calibration: Images) -> bytes:
    """Convert as it is: raw uint8 pixels in, float32 logits out."""
    del calibration
    return _serialize(_convert(model, "uint8"), "float32")


def convert_int8(model: keras.Model, calibration: Images) -> bytes:
    """Quantize weights (int8, per channel) and activations (uint8): raw uint8 pixels in, float32 logits out.

    Raises:
        ExportError: The input's scale is not exactly one pixel step.
    """
    with tempfile.TemporaryDirectory() as folder:
        float_path, prepared, quantized = (Path(folder) / name for name in ("float", "prepared", "quantized"))
        onnx.save(_convert(behind_scaling(model), "float32"), float_path)
        _quietly(quant_pre_process, float_path, prepared, skip_symbolic_shape=True)
        _quietly(
            quantize_static,
            prepared,
            quantized,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # 7-bit weights: on x86 without VNNI, sums of two uint8 x int8 products saturate at 16 bits, which cost this
            # project's model a point of accuracy there; see docs/decisions/0004-seven-bit-weights.md.
            reduce_range=True,
        )
        quantized_model = onnx.load(quantized)
    _take_raw_pixels(quantized_model)
    onnx.checker.check_model(quantized_model, full_check=True)
    return _serialize(quantized_model, "int8")


def describe_tensors(content: bytes) -> tuple[Tensor, Tensor]:
    """Input and output as the file itself declares them."""
    graph = onnx.load_from_string(content).graph
    return _describe(graph.input[0]), _describe(graph.output[0])


class _Reader(CalibrationDataReader):
    """Hands ONNX Runtime one calibration image after the other."""

    def __init__(self, images: Images) -> None:
        self._inputs = iter([{INPUT: image} for image in unit_images(images)])

    def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
        return next(self._inputs, None)


def _convert(model: keras.Model, input_dtype: str) -> onnx.ModelProto:
    signature = [tf.TensorSpec((None, *IMAGE_SHAPE), input_dtype, name=INPUT)]
    function = tf.function(lambda pixels: model(pixels, training=False))
    proto, _ = _quietly(tf2onnx.convert.from_function, function, input_signature=signature, opset=OPSET)
    _name_interface(proto)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _serialize(proto: onnx.ModelProto, precision: Precision) -> bytes:
    """The file's bytes, the same ones each time, saying of itself what it is."""
    helper.set_model_props(proto, {PRECISION_KEY: precision, **SELF_DESCRIPTION})
    return proto.SerializeToString(deterministic=True)


def _name_interface(proto: onnx.ModelProto) -> None:
    """Call the output `logits` and the batch dimension `N`, whatever the converter called them."""
    graph = proto.graph
    converter_name = graph.output[0].name
    for node in graph.node:
        node.output[:] = [OUTPUT if name == converter_name else name for name in node.output]
    graph.output[0].name = OUTPUT
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def _take_raw_pixels(proto: onnx.ModelProto) -> None:
    """Let raw pixels enter as the quantized input, and drop the operator that quantized [0, 1] to just these bytes.

    Raises:
        ExportError: The input was not quantized with scale 1/255 and zero point 0, so raw pixels would not be it.
    """
    graph = proto.graph
    quantize = _first_quantizer(graph)
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    scale, zero_point = float(constants[quantize.input[1]]), int(constants[quantize.input[2]])
    if abs(scale * 255 - 1) > 1e-6 or zero_point != 0:
        raise ExportError(f"ONNX int8: raw pixels need scale 1/255 and zero point 0, got {scale} and {zero_point}.")
    graph.node.remove(quantize)
    for node in graph.node:
        node.input[:] = [quantize.input[0] if name == quantize.output[0] else name for name in node.input]
    del graph.value_info[:]  # they still call the reshaped pixels float
    graph.input[0].CopyFrom(helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, ["N", *IMAGE_SHAPE]))


def _first_quantizer(graph: onnx.GraphProto) -> onnx.NodeProto:
    """The operator that quantizes the input, behind at most a change of layout, which integers pass as well."""
    name = INPUT
    while True:
        consumers = [node for node in graph.node if name in node.input]
        if len(consumers) == 1 and consumers[0].op_type == "QuantizeLinear":
            return consumers[0]
        if len(consumers) != 1 or consumers[0].op_type not in {"Reshape", "Transpose"}:
            raise ExportError(f"ONNX int8: the input is used by {[node.op_type for node in consumers]} unquantized.")
        name = consumers[0].output[0]


def _describe(value: onnx.ValueInfoProto) -> Tensor:
    """The batch is -1. Both precisions take integers that are pixels and give floats, so neither has a scale."""
    tensor = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    shape = IMAGE_SHAPE if value.name == INPUT else (NUM_CLASSES,)
    found = tuple(dimension.dim_value for dimension in tensor.shape.dim[1:])
    if found != shape:
        raise ExportError(f"ONNX {value.name}: expected shape {shape} after the batch, got {found}.")
    return Tensor(name=value.name, shape=(-1, *found), dtype=dtype)  # pyright: ignore[reportArgumentType]


def _quietly(function: Callable, *arguments: object, **options: object) -> Any:
    """Call a converter without its running commentary; when it fails, the commentary is shown."""
    onnxruntime.set_default_logger_severity(3)
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet_native_log():
            return function(*arguments, **options)
    finally:
        logging.disable(previous)
