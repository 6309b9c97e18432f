"""The table of all files that can be written: what makes each one, the tools of its format, and which to choose."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.card import ModelCardError
from ..edge.bundle.contract import Format, Precision
from ..edge.bundle.export_record import LayerNoise, Tensor
from ..edge.bundle.folder import Bundle
from ..edge.inspection.inspect import inspect_file
from .errors import ExportError
from .formats import float_operators, onnx, tflite, tflite_metadata
from .quantize import noise
from .quantize.sweep import Quantizer
from .settings import ExportSettings, find_exported

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


def carry_over(settings: ExportSettings, out: Path) -> ExportSettings:
    """Return the settings, extended by the C source and ONNX weights of the bundle at `out`."""
    there = find_exported(out)
    if there is None:
        return settings
    return replace(
        settings,
        c_array=settings.c_array or bool(there.export.c_source),
        onnx_weights=settings.onnx_weights or _find_weights(there),
    )


def _find_weights(bundle: Bundle) -> str | None:
    """Read how a bundle's int8 ONNX file stores weights, one of `onnx.WEIGHT_TYPES`; None without such a file."""
    for file in bundle.files:
        if (file.format, file.precision) == ("onnx", "int8") and file.quantization:
            if file.quantization.weight_levels == onnx.WEIGHT_TYPES["int7"].levels:
                return "int7"
            try:
                content = bundle.read(file.record)
            except ModelCardError:
                return None
            kinds = inspect_file(content, file.record.name).model.weights
            # Biases have 32 bits.
            return next(kind.dtype for kind in kinds if kind.dtype in onnx.WEIGHT_TYPES)
    return None


def choose_exporters(settings: ExportSettings, out: Path) -> list[Exporter]:
    """Return the requested exporters, and those whose files the bundle at `out` would lose otherwise.

    Raises:
        ExportError: A requested precision does not exist in the formats, or C source lacks the file it is made from.
    """
    exported = find_exported(out)
    there = {(file.format, file.precision) for file in exported.files} if exported else set[tuple[Format, Precision]]()
    chosen = [
        exporter
        for exporter in list_exporters(settings.method, settings.onnx_weights or DEFAULT_WEIGHTS)
        if (exporter.format, exporter.precision) in there
        or (exporter.format in settings.formats and exporter.precision in {"float32", *settings.precisions})
        or (exporter.precision == "float32" and exporter.format in {format_ for format_, _ in there})
    ]
    for precision in settings.precisions:
        if precision not in {exporter.precision for exporter in chosen}:
            raise ExportError(
                f"--{precision} is not available for --format {' and '.join(settings.formats)}. Leave one out."
            )
    if settings.c_array and ("tflite", "int8") not in {(exporter.format, exporter.precision) for exporter in chosen}:
        raise ExportError(
            "--c-array needs the int8 TFLite file. Leave out --float-only and --format onnx, or add --int8."
        )
    return chosen
