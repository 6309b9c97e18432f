"""What an export is asked to write, and which exporters that takes."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..edge.bundle.card import CARD_NAME, Format, MissingFile, ModelCard, ModelCardError, Precision
from ..edge.bundle.folder import Bundle, open_card
from ..edge.inspection.inspect import inspect_file
from .errors import ExportError
from .exporters import DEFAULT_WEIGHTS, Exporter, list_exporters
from .formats import onnx


@dataclass(frozen=True)
class ExportSettings:
    """What to export and how.

    Attributes:
        precisions: What to write; float32 is always written, as the measure of all others.
        formats: The files' formats.
        method: How ONNX ranges are chosen; None tries all and lets validation choose.
        onnx_weights: How int8 ONNX files store weights, see `onnx.WEIGHT_TYPES`; None as the bundle has them that is
            extended, else `DEFAULT_WEIGHTS`.
        clean_calibration: Whether to calibrate on clean images alone, without trying degraded copies of them.
        most_drop_pp: The largest drop of accuracy, in percentage points, that is let through.
        c_array: Whether to write the int8 TFLite file as C source, too.
        strict_int8: Whether to refuse an int8 file of which operators compute in float32.
        named: The precisions that were asked for by name; where one cannot be made, the export did not do all of it.
    """

    precisions: tuple[Precision, ...] = ("float32", "int8")
    formats: tuple[Format, ...] = ("tflite", "onnx")
    method: str | None = None
    onnx_weights: str | None = None
    clean_calibration: bool = False
    most_drop_pp: float = 0.10
    c_array: bool = False
    strict_int8: bool = False
    named: tuple[Precision, ...] = ()


def carry_over(settings: ExportSettings, out: Path) -> ExportSettings:
    """The settings, and what the bundle at `out` has of C source and ONNX weights besides."""
    there = find_exported(out)
    if there is None:
        return settings
    return replace(
        settings,
        c_array=settings.c_array or bool(there.export.c_source),
        onnx_weights=settings.onnx_weights or _find_weights(there),
    )


def find_exported(out: Path) -> Bundle | None:
    """The bundle with exported files at `out`: it would lose those that the new one does not have.

    Only its card is read, as an export may be what repairs its files; None where the card does not hold either.
    """
    if not (out / CARD_NAME).is_file():
        return None
    try:
        card = open_card(out)
    except ModelCardError:
        return None
    return Bundle(out, card) if card.export is not None else None


def _find_weights(bundle: Bundle) -> str | None:
    """How its int8 ONNX file stores weights, of `onnx.WEIGHT_TYPES`; None where it has no such file."""
    for file in bundle.files:
        if (file.format, file.precision) == ("onnx", "int8") and file.quantization:
            if file.quantization.weight_levels == onnx.WEIGHT_TYPES["int7"].levels:
                return "int7"
            try:
                content = bundle.read(file.record)
            except ModelCardError:
                return None
            kinds = inspect_file(content, file.record.name).model.weights
            # Biases are of 32 bits.
            return next(kind.dtype for kind in kinds if kind.dtype in onnx.WEIGHT_TYPES)
    return None


def choose_exporters(settings: ExportSettings, out: Path) -> list[Exporter]:
    """The exporters that are asked for, and those whose files the bundle at `out` would lose otherwise.

    Raises:
        ExportError: A precision is asked for that the formats do not have; or C source, but not what it is made of.
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
                f"--{precision} does not exist for --format {' and '.join(settings.formats)}: leave one out."
            )
    if settings.c_array and ("tflite", "int8") not in {(exporter.format, exporter.precision) for exporter in chosen}:
        raise ExportError(
            "--c-array writes the int8 TFLite file as C: leave out --float-only and --format onnx, or add --int8."
        )
    return chosen


def find_unmet(card: ModelCard, settings: ExportSettings, earlier: Bundle | None) -> list[MissingFile]:
    """The files that could not be made though they were asked for by name, or were there before.

    Args:
        card: The new bundle's.
        settings: What was asked for.
        earlier: The bundle that was replaced.
    """
    had = {(file.format, file.precision) for file in earlier.files} if earlier else set[tuple[Format, Precision]]()
    wanted = had | {(format_, precision) for format_ in settings.formats for precision in settings.named}
    missing = (card.export and card.export.missing) or ()
    ends = tuple(f"-{precision}.{format_}" for format_, precision in wanted)
    return [one for one in missing if one.name.endswith(ends)]
