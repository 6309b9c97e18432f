"""TFLite files: float32, and full-integer int8 by post-training quantization."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import keras
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ..edge.card import Tensor
from ..edge.mnist import Images
from ..edge.native_log import quiet_native_log
from .calibrate import ExportError, unit_images
from .source import behind_scaling

PIXEL_SCALE = 1 / 255
# The converter computes the scale in float32.
SCALE_TOLERANCE = 1e-6


def convert_float32(model: keras.Model, calibration: Images) -> bytes:
    """Convert as it is: raw uint8 pixels in, float32 logits out."""
    del calibration
    return _convert(model, calibration=None)


def convert_int8(model: keras.Model, calibration: Images) -> bytes:
    """Quantize weights (per channel) and activations to int8: raw uint8 pixels in, int8 logits out.

    Raises:
        ExportError: The input's scale is not exactly one pixel step.
    """
    content = _convert(behind_scaling(model), calibration)
    pixels, _ = describe_tensors(content)
    if pixels.scale is None or abs(pixels.scale - PIXEL_SCALE) > SCALE_TOLERANCE or pixels.zero_point != 0:
        raise ExportError(
            f"TFLite int8: raw pixels need scale 1/255 and zero point 0, got {pixels.scale} and {pixels.zero_point}."
        )
    return content


def describe_tensors(content: bytes) -> tuple[Tensor, Tensor]:
    """Input and output as the file itself declares them."""
    with quiet_native_log():
        interpreter = Interpreter(model_content=content)
    return (
        _describe("pixels", interpreter.get_input_details()[0]),
        _describe("logits", interpreter.get_output_details()[0]),
    )


def _convert(model: keras.Model, calibration: Images | None) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:
        images = unit_images(calibration)

        def representative_dataset() -> Iterator[list[object]]:
            for image in images:
                yield [image]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative_dataset
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    # Keras prints the signature of what it exports on standard output, which belongs to results.
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
