"""What an export is asked to write, and which exporters that takes."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..edge.bundle import Bundle
from ..edge.card import Format, Precision
from ..edge.inspection import inspect_file
from . import onnx
from .calibrate import ExportError
from .exporters import DEFAULT_WEIGHTS, Exporter, list_exporters
from .source import Source


@dataclass(frozen=True)
class Settings:
    """What to export and how.

    Attributes:
        precisions: float32 is always written, as the measure of all others.
        formats: The files' formats.
        method: How ONNX ranges are chosen; None tries all and lets validation choose.
        onnx_weights: How int8 ONNX files store weights, see `onnx.WEIGHT_TYPES`; None as the bundle has them that is
            extended, else `DEFAULT_WEIGHTS`.
        most_drop_pp: The largest drop of accuracy, in percentage points, that is let through.
        c_array: Whether to write the int8 TFLite file as C source, too.
    """

    precisions: tuple[Precision, ...] = ("float32",)
    formats: tuple[Format, ...] = ("tflite", "onnx")
    method: str | None = None
    onnx_weights: str | None = None
    most_drop_pp: float = 0.10
    c_array: bool = False


def carry_over(source: Source, settings: Settings, out: Path) -> Settings:
    """The settings, and where a bundle is extended, what it has of C source and ONNX weights besides."""
    extended = _find_extended(source, out)
    if extended is None:
        return settings
    return replace(
        settings,
        c_array=settings.c_array or bool(extended.export.c_source),
        onnx_weights=settings.onnx_weights or _find_weights(extended),
    )


def _find_extended(source: Source, out: Path) -> Bundle | None:
    """The bundle that would lose its files, if the new one had none of them."""
    is_there = source.bundle is not None and source.bundle.card.export is not None
    return source.bundle if is_there and source.path.resolve() == out.resolve() else None


def _find_weights(bundle: Bundle) -> str | None:
    """How its int8 ONNX file stores weights, of `onnx.WEIGHT_TYPES`; None where it has no such file."""
    for file in bundle.files:
        if (file.format, file.precision) == ("onnx", "int8") and file.quantization:
            if file.quantization.weight_levels == onnx.WEIGHT_TYPES["int7"].levels:
                return "int7"
            kinds = inspect_file(bundle.read(file.record), file.record.name).model.weights
            # Biases are of 32 bits.
            return next(kind.dtype for kind in kinds if kind.dtype in onnx.WEIGHT_TYPES)
    return None


def choose_exporters(source: Source, settings: Settings, out: Path) -> list[Exporter]:
    """The exporters that are asked for, and those whose files the bundle at `out` would lose otherwise.

    Raises:
        ExportError: A precision is asked for that the formats do not have; or C source, but not what it is made of.
    """
    extended = _find_extended(source, out)
    there = {(file.format, file.precision) for file in extended.files} if extended else set[tuple[Format, Precision]]()
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
                f"--{precision} is not there for --format {' and '.join(settings.formats)}: leave one out."
            )
    if settings.c_array and ("tflite", "int8") not in {(exporter.format, exporter.precision) for exporter in chosen}:
        raise ExportError("--c-array writes the int8 TFLite file as C: add --int8, and leave out --format onnx.")
    return chosen
