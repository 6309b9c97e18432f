"""`edge-mnist export`: parse, export, print the table."""

import shlex
from pathlib import Path
from typing import Any, cast, get_args

import click

from ..edge.bundle.card import ModelCard
from ..edge.bundle.contract import Convention, Format, OutputFunction, Precision
from ..edge.commands.options import BUNDLE, FiniteRange, data_dir_option, name_bundle
from ..edge.common.terminal.formatting import format_percent
from ..edge.common.terminal.output import echo, echo_text
from ..edge.common.terminal.tables import format_table_to_width
from ..edge.common.terminal.text import one_line
from . import import_tensorflow
from .adoption.model_source import find_source
from .calibration import METHODS, WEIGHTS
from .errors import ExportError
from .verify import describe_doubts


@click.command()
@click.argument("source", type=BUNDLE, required=False, metavar="[BUNDLE_OR_KERAS_MODEL]")
@click.option("--int8", is_flag=True,
              help="Write full-integer TFLite and QDQ ONNX, calibrated on training images. This is the default; "
              "with the option, the exit code is 1 if an int8 file could not be made.")  # fmt: skip
@click.option("--float-only", is_flag=True, help="Do not add int8 files.")
@click.option("--float16", is_flag=True, help="Add half-precision files: half the size, nothing to calibrate.")
@click.option("--dynamic", is_flag=True, help="Add TFLite with int8 weights; activations are quantized while it runs.")
@click.option("--int16x8", is_flag=True, help="Add TFLite with int8 weights and int16 activations: accurate, but slow.")
@click.option("--all", "everything", is_flag=True, help="Add files of all precisions.")
@click.option(
    "--format", "format_", type=click.Choice(get_args(Format)), help="Write only this format.  [default: both]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for the bundle.  [default: the bundle itself; ./NAME for the shipped model and for a .keras file]",
)
@click.option("--max-drop", "most_drop_pp", type=FiniteRange(0, 100), default=0.10, show_default=True,
              help="Largest allowed accuracy drop, in percentage points; above it, nothing is installed.")  # fmt: skip
@click.option("--pixels", type=click.Choice(["uint8", "0-1", "0-255", "-1-1"]), default="uint8", show_default=True,
              help="Input range of your own .keras file, from paper to ink.")  # fmt: skip
@click.option("--outputs", type=click.Choice(["logits", *get_args(OutputFunction)]), default="logits",
              show_default=True,
              help="Output of your own .keras file; a function after the logits is removed.")  # fmt: skip
@click.option("--calibration", "method", type=click.Choice(METHODS),
              help="Calibration method of int8 ONNX files.  [default: the best on validation]")  # fmt: skip
@click.option("--clean-calibration", is_flag=True,
              help="Calibrate int8 files on clean images only. By default, calibration on images with gray paper, "
              "specks and blur is tried as well, and validation decides.")  # fmt: skip
@click.option("--onnx-weights", type=click.Choice(WEIGHTS),
              show_default=f"{WEIGHTS[0]}, or the type in the extended bundle",
              help="Weight type of int8 ONNX files: int7 is exact on every processor, int8 only on ARM and x86 "
              "with VNNI, uint8 is exact everywhere but slower.")  # fmt: skip
@click.option("--strict-int8", is_flag=True, help="Refuse int8 files with an operator that computes in float32.")
@click.option("--c-array", is_flag=True, help="Write the int8 TFLite file as C source for TFLite Micro, too.")
@data_dir_option
def export(  # noqa: PLR0913, PLR0917 - an argument for each option
    source: Path | None,
    int8: bool,
    float_only: bool,
    float16: bool,
    dynamic: bool,
    int16x8: bool,
    everything: bool,
    format_: Format | None,
    out: Path | None,
    most_drop_pp: float,
    pixels: str,
    outputs: str,
    method: str | None,
    clean_calibration: bool,
    onnx_weights: str | None,
    strict_int8: bool,
    c_array: bool,
    data_dir: Path | None,
) -> None:
    """Write TFLite and ONNX files, verify each in its own process, and seal them into a bundle.

    Without an argument, the shipped model is exported to float32 and int8. Every file reads raw pixels, uint8 [N, 28,
    28, 1] with 0 = paper and 255 = ink, and is compared with the Keras model on every evaluation image. The bundle's
    report.html shows the differences and explains the numbers. Files that the bundle already contains are made again.
    If a file cannot be made, the command prints the reason and writes the others.

    \b
    Examples:
      # The shipped model, into ./standard.
      edge-mnist export
      # A trained bundle, extended in place.
      edge-mnist export my-model --all
      # With C source for a microcontroller.
      edge-mnist export my-model --c-array
      # A Keras model of your own, trained on pixels / 255.
      edge-mnist export mine.keras --pixels 0-1 --outputs softmax
    """
    if float_only and int8:
        raise click.UsageError("--float-only and --int8 exclude each other: use only one.")
    found = find_source(source, Convention(pixels=cast("Any", pixels), outputs=cast("Any", outputs)))
    import_tensorflow()
    # Imported here so that `--help` works without Keras and its converters, and a wrong path is reported at once.
    from .pipeline import REPORT_NAME, export_bundle  # noqa: PLC0415
    from .settings import ExportSettings, find_exported, find_unmet  # noqa: PLC0415

    formats: tuple[Format, ...] = (format_,) if format_ else get_args(Format)
    asked = {"int8": int8, "float16": float16, "dynamic": dynamic, "int16x8": int16x8}
    named = _name_precisions(asked, everything, formats)
    default: tuple[Precision, ...] = () if float_only else ("int8",)
    settings = ExportSettings(
        precisions=tuple(dict.fromkeys((*default, *named))),
        formats=formats,
        method=method,
        onnx_weights=onnx_weights,
        clean_calibration=clean_calibration,
        most_drop_pp=most_drop_pp,
        c_array=c_array,
        strict_int8=strict_int8,
        named=(*named, *(("float32",) if format_ else ()), *(("int8",) if c_array and not int8 else ())),
    )
    destination = out or found.default_out
    earlier = find_exported(destination)
    card = export_bundle(found, settings, destination, data_dir)
    echo_text(format_export(card))
    for doubt in describe_doubts(card):
        echo(f"Warning: {doubt}", err=True)
    place = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
    echo(
        f"{destination}: complete; {destination / REPORT_NAME} shows the differences and explains the numbers. "
        f"Next: edge-mnist benchmark {shlex.quote(name_bundle(destination))}{place}"
    )
    if unmet := find_unmet(card, settings, earlier):
        raise ExportError(f"some requested files could not be made: {', '.join(one.name for one in unmet)}.")


def _name_precisions(asked: dict[str, bool], everything: bool, formats: tuple[Format, ...]) -> tuple[Precision, ...]:
    """Return the precisions that were requested by name; `--all` names every precision that the formats have."""
    if everything:
        from .exporters import list_exporters  # noqa: PLC0415 - as above

        asked = {exporter.precision: True for exporter in list_exporters() if exporter.format in formats}
    return tuple(precision for precision in get_args(Precision) if precision != "float32" and asked.get(precision))


def format_export(card: ModelCard) -> str:
    """Format the comparison with Keras as a table, followed by what it was measured on."""
    if card.export is None:
        raise ValueError("the card has no exported files")
    evaluation = card.export.evaluations[0]
    count = evaluation.images.count
    head = ["file", "bytes", "accuracy", "drop (points)", "agrees with Keras", "largest logit difference"]
    rows = [["Keras model", f"{card.source.size_bytes:,}", format_percent(evaluation.correct / count), "", "", ""]]
    for file in card.export.files:
        check = file.verification
        rows.append(
            [
                file.record.name,
                f"{file.record.size_bytes:,}",
                format_percent(check.correct / count),
                "" if file.precision == "float32" else f"{100 * (check.lost - check.gained) / count:+z.2f}",
                format_percent(check.agreeing / count),
                f"{check.max_logit_difference:.2g}",
            ]
        )
    table = format_table_to_width(head, rows, ["left", *["right"] * 5], secondary=head[-2:])
    doubt = "" if evaluation.held_out else " It is not known whether the model was trained on them."
    return f"{table}\n{one_line(f'Measured on {evaluation.images.name}, {count:,} images.{doubt}')}"
