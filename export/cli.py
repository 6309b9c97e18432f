"""`edge-mnist export`: parse, export, print the table."""

import shlex
from pathlib import Path

import click
from tabulate import tabulate

from ..edge.card import ModelCard, Precision
from ..edge.options import data_dir_option
from .pipeline import export_bundle, find_source


@click.command()
@click.argument("source", type=click.Path(path_type=Path), required=False, metavar="[BUNDLE_OR_KERAS_MODEL]")
@click.option("--int8", is_flag=True, help="Add full-integer TFLite and QDQ ONNX, calibrated on training images.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for the bundle.  [default: the bundle itself; ./NAME for the shipped model and for a .keras file]",
)
@data_dir_option
def export(source: Path | None, int8: bool, out: Path | None, data_dir: Path | None) -> None:
    """Write TFLite and ONNX files, verify each in its own runtime, and seal them into a bundle.

    Without an argument, the shipped model is exported. Float32 is always written. Every file takes raw pixels, uint8
    [N, 28, 28, 1] with 0 = paper and 255 = ink, and is compared with the Keras model on every evaluation image.

    \b
    Examples:
      edge-mnist export --int8                       the shipped model, into ./standard
      edge-mnist export my-model --int8              a trained bundle, extended in place
      edge-mnist export my-model.keras --out pi      a Keras model of your own
    """
    precisions: tuple[Precision, ...] = ("float32", "int8") if int8 else ("float32",)
    found = find_source(source)
    destination = out or found.default_out
    card = export_bundle(found, precisions, destination, data_dir)
    click.echo(format_export(card))
    click.echo(f"{destination}: sealed. Next: edge-mnist benchmark {shlex.quote(str(destination))}")


def format_export(card: ModelCard) -> str:
    """The comparison with Keras as a table for people, and under it what it was measured on."""
    if card.export is None:
        raise ValueError("the card has no exported files")
    evaluation = card.export.evaluations[0]
    count = evaluation.images.count
    rows: list[list[object]] = [["Keras model", card.source.size_bytes, evaluation.correct / count, None, None, None]]
    for file in card.export.files:
        check = file.verification
        drop_pp = 100 * (evaluation.correct - check.correct) / count
        agreement = check.agreeing / count
        rows.append(
            [
                file.record.name,
                file.record.size_bytes,
                check.correct / count,
                drop_pp,
                agreement,
                check.max_logit_difference,
            ]
        )
    table = tabulate(
        rows,
        ["file", "bytes", "accuracy", "drop (points)", "agrees with Keras", "largest logit difference"],
        floatfmt=("", "", ".2%", "+.2f", ".2%", ".2g"),
        intfmt=",",
    )
    doubt = "" if evaluation.held_out else " Whether the model was trained on them is not known."
    return f"{table}\nMeasured on {evaluation.images.name}, {count:,} images.{doubt}"
