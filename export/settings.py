"""The settings of an export, what a bundle has already, and what it lacks afterwards. Needs no converter."""

from dataclasses import dataclass
from pathlib import Path

from ..edge.bundle.card import CARD_NAME, ModelCard, ModelCardError
from ..edge.bundle.contract import Format, Precision
from ..edge.bundle.export_record import MissingFile
from ..edge.bundle.folder import Bundle, open_card

REPORT_NAME = "report.html"
# The precisions that can be written; a test compares them with `exporters.py`, which needs the converters.
PRECISIONS: dict[Format, tuple[Precision, ...]] = {
    "tflite": ("float32", "float16", "dynamic", "int8", "int16x8"),
    "onnx": ("float32", "float16", "int8"),
}


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
