"""The table of all files that can be written: what makes each one, and the tools of its format."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.contract import Format, Precision
from ..edge.bundle.export_record import LayerNoise, Tensor
from .formats import float_operators, onnx, tflite, tflite_metadata
from .quantize import noise
from .quantize.sweep import Quantizer

# Calibration and validation images for int16x8, whose LiteRT kernels take milliseconds per image.
SLOW_CALIBRATION, SLOW_VALIDATION = 100, 250
# The default of `onnx.WEIGHT_TYPES` for int8 ONNX files: correct on every processor, and fast.
DEFAULT_WEIGHTS = "int7"


@dataclass(frozen=True)
class FormatTools:
    """The tools that handle every file of a format.

    Attributes:
        runtime: The runtime in which trials are evaluated.
        describe: Reads the input and output tensors from the file.
        min_runtime: Reads the oldest runtime version that can run the file.
        seal: Writes metadata properties into the file.
        noise: Measures each layer's noise in an int8 file, given the float network and images.
        float_operators: Lists the operators of an int8 file that compute in float32.
    """

    name: Format
    runtime: str
    describe: Callable[[bytes], tuple[Tensor, Tensor]]
    min_runtime: Callable[[bytes], str | None]
    seal: Callable[[bytes, dict[str, str]], bytes]
    noise: Callable[[keras.Model, bytes, NDArray[np.uint8]], tuple[LayerNoise, ...]]
    float_operators: Callable[[bytes], tuple[str, ...]]


@dataclass(frozen=True)
class Exporter:
    """A way to write a model: a plain converter, or a quantizer that calibrates and chooses."""

    tools: FormatTools
    precision: Precision
    convert: Callable[[keras.Model], bytes] | Quantizer

    @property
    def format(self) -> Format:
        """The format of the file."""
        return self.tools.name

    def file_name(self, model_name: str) -> str:
        """Return the file's name in the bundle."""
        return f"{model_name}-{self.precision}.{self.format}"


TFLITE = FormatTools(
    name="tflite",
    runtime="litert",
    describe=tflite.describe_tensors,
    min_runtime=tflite.min_runtime,
    seal=tflite_metadata.seal,
    noise=noise.tflite_noise,
    float_operators=float_operators.in_tflite,
)
ONNX = FormatTools(
    name="onnx",
    runtime="onnxruntime",
    describe=onnx.describe_tensors,
    min_runtime=lambda _: None,
    seal=onnx.write_metadata,
    noise=noise.onnx_noise,
    float_operators=float_operators.in_onnx,
)


def list_exporters(method: str | None = None, onnx_weights: str = DEFAULT_WEIGHTS) -> tuple[Exporter, ...]:
    """List all exporters, float32 first in each format.

    Args:
        method: How ONNX files choose ranges, one of `onnx.METHODS`; None tries all. TFLite's converter has minmax only.
        onnx_weights: How int8 ONNX files store weights, one of `onnx.WEIGHT_TYPES`.
    """
    methods = tuple(onnx.METHODS) if method is None else (method,)
    onnx_int8 = Quantizer(
        partial(onnx.convert_int8, weights=onnx_weights), methods, weight_levels=onnx.WEIGHT_TYPES[onnx_weights].levels
    )
    return (
        Exporter(TFLITE, "float32", tflite.convert_float32),
        Exporter(TFLITE, "float16", tflite.convert_float16),
        Exporter(TFLITE, "dynamic", tflite.convert_dynamic),
        Exporter(TFLITE, "int8", Quantizer(lambda model, images, _method: tflite.convert_int8(model, images))),
        Exporter(
            TFLITE,
            "int16x8",
            Quantizer(
                lambda model, images, _method: tflite.convert_int16x8(model, images),
                sizes=(SLOW_CALIBRATION,),
                most_validation=SLOW_VALIDATION,
            ),
        ),
        Exporter(ONNX, "float32", onnx.convert_float32),
        Exporter(ONNX, "float16", onnx.convert_float16),
        Exporter(ONNX, "int8", onnx_int8),
    )
