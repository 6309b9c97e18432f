"""TFLite files in five precisions. All take raw uint8 pixels."""

import contextlib
import io
import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ...edge.bundle.export_record import Tensor
from ...edge.common.native_log import quiet_native_log
from ...edge.data.images import Images
from ..adoption.source import behind_scaling, input_scale
from ..calibration import unit_images
from .tflite_edits import add_cast_head, has_int16_tensors, read_entry, requantize_input

# The converter computes the scale in float32.
SCALE_TOLERANCE = 1e-6
# CONV_2D and FULLY_CONNECTED version 4; source: tensorflow/lite/tools/versioning/runtime_version.cc.
INT16_SINCE = "2.3.0"

Converter = Any  # tf.lite.TFLiteConverter, which has no usable annotations
Configure = Callable[[Converter], None]


def convert_float32(model: keras.Model) -> bytes:
    """Convert without changes: raw uint8 pixels in, float32 logits out."""
    return _convert(model, lambda _: None)


def convert_float16(model: keras.Model) -> bytes:
    """Store weights in half precision; runtimes compute in 32 bits unless the processor supports 16."""

    def configure(converter: Converter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return _convert(model, configure)


def convert_dynamic(model: keras.Model) -> bytes:
    """Store weights as int8 per channel; activations are quantized at run time, to the range of each image."""

    def configure(converter: Converter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return _convert(model, configure)


def convert_int8(model: keras.Model, calibration: Images) -> bytes:
    """Quantize weights (per channel) and activations to int8: raw uint8 pixels in, int8 logits out."""

    def configure(converter: Converter) -> None:
        _calibrate(converter, model, calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8

    content = _convert(_average_by_convolution(behind_scaling(model)), configure)
    pixels, _ = describe_tensors(content)
    wanted = input_scale(model)
    if pixels.scale is not None and abs(pixels.scale / wanted - 1) <= SCALE_TOLERANCE and pixels.zero_point == 0:
        return content
    # If the pixels are concatenated with other tensors, the converter gives both one scale.
    return requantize_input(content, wanted)


def convert_int16x8(model: keras.Model, calibration: Images) -> bytes:
    """Quantize weights to int8 and activations to int16: raw uint8 pixels in, float32 logits out.

    No converter takes uint8 here, so a cast operator is inserted before the pixels.
    """
    full = keras.Model(*_float_pixels(model))

    def configure(converter: Converter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None].astype("float32")] for image in calibration.pixels)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]

    return add_cast_head(_convert(full, configure))


def describe_tensors(content: bytes) -> tuple[Tensor, Tensor]:
    """Return the input and output as the file itself declares them."""
    with quiet_native_log():
        interpreter = Interpreter(model_content=content)
    return (
        _describe("pixels", interpreter.get_input_details()[0]),
        _describe("logits", interpreter.get_output_details()[0]),
    )


def min_runtime(content: bytes) -> str | None:
    """Return the first TensorFlow Lite that has all operators of the file, e.g. "2.17.0", as noted by the converter.

    For 16-bit activations the converter notes the float model's version; they were added in 2.3.
    """
    entry = read_entry(content, "min_runtime_version")
    if entry is None:
        return None
    return INT16_SINCE if has_int16_tensors(content) else entry.rstrip(b"\0").decode("ascii")


def _calibrate(converter: Converter, model: keras.Model, calibration: Images) -> None:
    images = [image * (input_scale(model) * 255) for image in unit_images(calibration)]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)


def _float_pixels(model: keras.Model) -> tuple[Any, Any]:
    """Return the whole network as a function of float pixels 0 to 255, scaling included."""
    pixels = keras.Input(model.inputs[0].shape[1:], dtype="float32")
    unit = keras.layers.Rescaling(input_scale(model))(pixels)
    return pixels, behind_scaling(model)(unit)


def _average_by_convolution(model: keras.Model) -> keras.Model:
    """Replace each average pooling by a depthwise convolution of equal, exactly quantized weights.

    XNNPACK has no average pooling of int8 tensors (LiteRT 2.3), and would run the network in two parts. Global averages
    are another operator, which XNNPACK has.
    """
    if not any(map(_is_plain_average, model.layers)):
        return model

    def replace(layer: keras.Layer) -> keras.Layer:
        if not _is_plain_average(layer):
            return layer.__class__.from_config(layer.get_config())
        return keras.layers.DepthwiseConv2D(
            layer.pool_size,
            strides=layer.strides,
            use_bias=False,
            data_format=layer.data_format,
            depthwise_initializer=keras.initializers.Constant(1 / math.prod(layer.pool_size)),  # pyright: ignore[reportArgumentType]
            name=layer.name,
        )

    copy = keras.models.clone_model(model, clone_function=replace)
    for layer in model.layers:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _is_plain_average(layer: keras.Layer) -> bool:
    """Whether all outputs average equally many values: at a padded border Keras counts only the values inside."""
    return isinstance(layer, keras.layers.AveragePooling2D) and layer.padding == "valid"


def _convert(model: keras.Model, configure: Configure) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    configure(converter)
    # Keras prints the signature of its export on standard output, which is reserved for results.
    with quiet_native_log(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # The statistics come from the calibration images; the converter warns before it has looked.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
        return converter.convert()


def _describe(name: str, details: dict) -> Tensor:
    scale, zero_point = details["quantization"]
    quantized = scale != 0
    return Tensor(
        name=name,
        shape=tuple(details["shape_signature"].tolist()),
        dtype=details["dtype"].__name__,
        scale=scale if quantized else None,
        zero_point=zero_point if quantized else None,
    )
