"""The settings of an export, and the exporters that they require."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..edge.bundle.card import CARD_NAME, ModelCard, ModelCardError
from ..edge.bundle.contract import Format, Precision
from ..edge.bundle.export_record import MissingFile
from ..edge.bundle.folder import Bundle, open_card
from ..edge.inspection.inspect import inspect_file
from .errors import ExportError
from .exporters import DEFAULT_WEIGHTS, Exporter, list_exporters
from .formats import onnx


@dataclass(frozen=True)
class ExportSettings:
    """Settings of an export.

    Attributes:
        precisions: The precisions to write; float32 is always written, since all others are measured against it.
        formats: The file formats to write.
        method: How ONNX files choose ranges; None tries all methods and lets validation choose.
        onnx_weights: How int8 ONNX files store weights, see `onnx.WEIGHT_TYPES`; None keeps the choice of the bundle
            that is extended, else `DEFAULT_WEIGHTS`.
        clean_calibration: Whether to calibrate on clean images alone, without trying degraded copies of them.
        most_drop_pp: The largest drop of accuracy that is accepted, in percentage points.
        c_array: Whether to write the int8 TFLite file as C source, too.
        strict_int8: Whether to refuse an int8 file with operators that compute in float32.
        named: The precisions that were requested by name; if one cannot be made, the export is incomplete.
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
    """Return the settings, extended by the C source and ONNX weights of the bundle at `out`."""
    there = find_exported(out)
    if there is None:
        return settings
    return replace(
        settings,
        c_array=settings.c_array or bool(there.export.c_source),
        onnx_weights=settings.onnx_weights or _find_weights(there),
    )


def find_exported(out: Path) -> Bundle | None:
    """Find the bundle with exported files at `out`, whose files must not be lost.

    Only its card is read, since an export may repair its files; None if there is no valid card either.
    """
    if not (out / CARD_NAME).is_file():
        return None
    try:
        card = open_card(out)
    except ModelCardError:
        return None
    return Bundle(out, card) if card.export is not None else None


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


def find_unmet(card: ModelCard, settings: ExportSettings, earlier: Bundle | None) -> list[MissingFile]:
    """List the files that could not be made though they were requested by name or existed before.

    Args:
        card: The new bundle's card.
        settings: The settings of the export.
        earlier: The bundle that was replaced, if any.
    """
    had = {(file.format, file.precision) for file in earlier.files} if earlier else set[tuple[Format, Precision]]()
    wanted = had | {(format_, precision) for format_ in settings.formats for precision in settings.named}
    missing = (card.export and card.export.missing) or ()
    ends = tuple(f"-{precision}.{format_}" for format_, precision in wanted)
    return [one for one in missing if one.name.endswith(ends)]
