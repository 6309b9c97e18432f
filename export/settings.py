"""What an export is asked to write, and which exporters that takes."""

from dataclasses import dataclass
from pathlib import Path

from ..edge.card import Format, Precision
from .calibrate import ExportError
from .exporters import Exporter, list_exporters
from .source import Source


@dataclass(frozen=True)
class Settings:
    """What to export and how.

    Attributes:
        precisions: float32 is always written, as the measure of all others.
        formats: The files' formats.
        method: How ONNX ranges are chosen; None tries all and lets validation choose.
        onnx_weights: How int8 ONNX files store weights, see `onnx.WEIGHT_TYPES`.
        most_drop_pp: The largest drop of accuracy, in percentage points, that is let through.
        c_array: Whether to write the int8 TFLite file as C source, too.
    """

    precisions: tuple[Precision, ...] = ("float32",)
    formats: tuple[Format, ...] = ("tflite", "onnx")
    method: str | None = None
    onnx_weights: str = "int7"
    most_drop_pp: float = 0.10
    c_array: bool = False


def choose_exporters(source: Source, settings: Settings, out: Path) -> list[Exporter]:
    """The exporters that are asked for, and those whose files the bundle at `out` would lose otherwise.

    Raises:
        ExportError: A precision is asked for that the formats do not have; or C source, but not what it is made of.
    """
    there: set[tuple[Format, Precision]] = set()
    if source.bundle and source.path == out and source.bundle.card.export:
        there = {(file.format, file.precision) for file in source.bundle.files}
    chosen = [
        exporter
        for exporter in list_exporters(settings.method, settings.onnx_weights)
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
