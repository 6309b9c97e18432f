"""`edge-mnist export`: parse, export, print the table."""

import shlex
from pathlib import Path
from typing import Any, cast, get_args

import click

from ..edge.card import Convention, Format, ModelCard, Precision
from ..edge.fitting_table import format_fitting
from ..edge.options import BUNDLE, FiniteRange, data_dir_option, name_bundle
from ..edge.output import echo, echo_text
from ..edge.safe_text import one_line
from ..edge.shares import format_share
from . import onnx
from .exporters import DEFAULT_WEIGHTS, list_exporters
from .pipeline import REPORT_NAME, export_bundle
from .settings import Settings
from .source import find_source


@click.command()
@click.argument("source", type=BUNDLE, required=False, metavar="[BUNDLE_OR_KERAS_MODEL]")
@click.option("--int8", is_flag=True, help="Add full-integer TFLite and QDQ ONNX, calibrated on training images.")
@click.option("--float16", is_flag=True, help="Add half-precision files: half the size, nothing to calibrate.")
@click.option("--dynamic", is_flag=True, help="Add TFLite with int8 weights, its activations quantized while running.")
@click.option("--int16x8", is_flag=True, help="Add TFLite with int8 weights and int16 activations: accurate, but slow.")
@click.option("--all", "everything", is_flag=True, help="Add all of these.")
@click.option("--format", "format_", type=click.Choice(get_args(Format)), help="Only this format.  [default: both]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for the bundle.  [default: the bundle itself; ./NAME for the shipped model and for a .keras file]",
)
@click.option("--max-drop", "most_drop_pp", type=FiniteRange(0, 100), default=0.10, show_default=True,
              help="Refuse to install when a file loses more accuracy than this, in percentage points.")  # fmt: skip
@click.option("--pixels", type=click.Choice(["uint8", "0-1", "0-255", "-1-1"]), default="uint8", show_default=True,
              help="What a .keras file of your own reads, from paper to ink.")  # fmt: skip
@click.option("--outputs", type=click.Choice(["logits", "softmax"]), default="logits", show_default=True,
              help="What a .keras file of your own gives; a softmax is taken off.")  # fmt: skip
@click.option("--calibration", "method", type=click.Choice(list(onnx.METHODS)),
              help="How the ranges of int8 ONNX files are chosen.  [default: what validation likes best]")  # fmt: skip
@click.option("--onnx-weights", type=click.Choice(list(onnx.WEIGHT_TYPES)),
              show_default=f"{DEFAULT_WEIGHTS}, or as the bundle has them that is extended",
              help="Weights of int8 ONNX files: int7 is right on every processor, int8 only on ARM and x86 with VNNI, "
              "uint8 is right everywhere and slower.")  # fmt: skip
@click.option("--c-array", is_flag=True, help="Write the int8 TFLite file as C source for TFLite Micro, too.")
@data_dir_option
def export(  # noqa: PLR0913, PLR0917 - an argument for each option
    source: Path | None,
    int8: bool,
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
    onnx_weights: str | None,
    c_array: bool,
    data_dir: Path | None,
) -> None:
    """Write TFLite and ONNX files, verify each in its own process, and seal them into a bundle.

    Without an argument, the shipped model is exported. float32 is always written. Every file takes raw pixels, uint8
    [N, 28, 28, 1] with 0 = paper and 255 = ink, and is compared with the Keras model on every evaluation image. The
    bundle's report.html shows what changed, and explains the numbers.

    \b
    Examples:
      # The shipped model, into ./standard.
      edge-mnist export --int8
      # A trained bundle, extended in place.
      edge-mnist export my-model --all
      # With C source for a microcontroller.
      edge-mnist export my-model --int8 --c-array
      # A Keras model of your own, trained on pixels / 255.
      edge-mnist export mine.keras --int8 --pixels 0-1 --outputs softmax
    """
    formats: tuple[Format, ...] = (format_,) if format_ else get_args(Format)
    asked = {"int8": int8, "float16": float16, "dynamic": dynamic, "int16x8": int16x8}
    if everything:
        asked = {exporter.precision: True for exporter in list_exporters() if exporter.format in formats}
    settings = Settings(
        precisions=tuple(precision for precision in get_args(Precision) if asked.get(precision)),
        formats=formats,
        method=method,
        onnx_weights=onnx_weights,
        most_drop_pp=most_drop_pp,
        c_array=c_array,
    )
    found = find_source(source, Convention(pixels=cast("Any", pixels), outputs=cast("Any", outputs)))
    destination = out or found.default_out
    card = export_bundle(found, settings, destination, data_dir)
    echo_text(format_export(card))
    place = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
    echo(
        f"{destination}: sealed; {destination / REPORT_NAME} shows what changed and explains the numbers. "
        f"Next: edge-mnist benchmark {shlex.quote(name_bundle(destination))}{place}"
    )


def format_export(card: ModelCard) -> str:
    """The comparison with Keras as a table for people, and under it what it was measured on."""
    if card.export is None:
        raise ValueError("the card has no exported files")
    evaluation = card.export.evaluations[0]
    count = evaluation.images.count
    head = ["file", "bytes", "accuracy", "drop (points)", "agrees with Keras", "largest logit difference"]
    rows = [["Keras model", f"{card.source.size_bytes:,}", format_share(evaluation.correct / count), "", "", ""]]
    for file in card.export.files:
        check = file.verification
        rows.append(
            [
                file.record.name,
                f"{file.record.size_bytes:,}",
                format_share(check.correct / count),
                "" if file.precision == "float32" else f"{100 * (check.lost - check.gained) / count:+.2f}",
                format_share(check.agreeing / count),
                f"{check.max_logit_difference:.2g}",
            ]
        )
    table = format_fitting(head, rows, ["left", *["right"] * 5], secondary=head[-2:])
    doubt = "" if evaluation.held_out else " Whether the model was trained on them is not known."
    return f"{table}\n{one_line(f'Measured on {evaluation.images.name}, {count:,} images.{doubt}')}"
