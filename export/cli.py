"""`edge-mnist export`: parse, export, print the table."""

import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from ..edge.bundle.card import ModelCard
from ..edge.bundle.contract import Convention, Format, OutputFunction
from ..edge.commands.options import (
    BUNDLE,
    FiniteRange,
    GroupedCommand,
    data_dir_option,
    name_bundle,
    option_group,
    out_option,
)
from ..edge.common.terminal.formatting import format_percent
from ..edge.common.terminal.output import echo, echo_text
from ..edge.common.terminal.tables import format_table_to_width
from ..edge.common.terminal.text import one_line
from .adoption.model_source import find_source
from .calibration import METHODS, WEIGHTS
from .formats.model_repository import write_model_repository
from .run import Pixels, name_precisions, refuse_unmet, run_export
from .settings import PRECISIONS, REPORT_NAME, ExportSettings
from .verify import describe_doubts

_FILES = (
    click.option("--int8", is_flag=True,
                 help="Write full-integer TFLite and QDQ ONNX, calibrated on training images. This is the default; "
                 "with the option, the exit code is 1 if an int8 file could not be made."),
    click.option("--float-only", is_flag=True, help="Do not add int8 files."),
    click.option("--float16", is_flag=True, help="Add half-precision files: half the size, nothing to calibrate."),
    click.option("--dynamic", is_flag=True,
                 help="Add TFLite with int8 weights; activations are quantized while it runs."),
    click.option("--int16x8", is_flag=True,
                 help="Add TFLite with int8 weights and int16 activations: accurate, but slow."),
    click.option("--all", "everything", is_flag=True, help="Add files of all precisions."),
    click.option("--format", "format_", type=click.Choice(get_args(Format)),
                 help="Write only this format.  [default: both]"),
    click.option("--c-array", is_flag=True, help="Write the int8 TFLite file as C source for TFLite Micro, too."),
)  # fmt: skip
_MODEL = (
    click.option("--pixels", type=click.Choice(get_args(Pixels)), default="uint8", show_default=True,
                 help="Input range of your own .keras file, from paper to ink."),
    click.option("--outputs", type=click.Choice(["logits", *get_args(OutputFunction)]), default="logits",
                 show_default=True, help="Output of your own .keras file; a function after the logits is removed."),
)  # fmt: skip
_QUANTIZATION = (
    click.option("--max-drop", "most_drop_pp", type=FiniteRange(0, 100), default=0.10, show_default=True,
                 help="Largest allowed accuracy drop, in percentage points; above it, nothing is installed."),
    click.option("--calibration", "method", type=click.Choice(METHODS),
                 help="Calibration method of int8 ONNX files.  [default: the best on validation]"),
    click.option("--clean-calibration", is_flag=True,
                 help="Calibrate int8 files on clean images only. By default, calibration on images with gray paper, "
                 "specks and blur is tried as well, and validation decides."),
    click.option("--onnx-weights", type=click.Choice(WEIGHTS),
                 show_default=f"{WEIGHTS[0]}, or the type in the extended bundle",
                 help="Weight type of int8 ONNX files: int7 is exact on every processor, int8 only on ARM and x86 "
                 "with VNNI, uint8 is exact everywhere but slower."),
    click.option("--strict-int8", is_flag=True,
                 help="Refuse int8 files with an operator that computes in float32."),
)  # fmt: skip


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an export: two arguments, `settings` and `convention`."""

    @functools.wraps(command)
    def gather(**answers: Any) -> None:
        take = answers.pop
        convention = Convention(pixels=take("pixels"), outputs=take("outputs"))
        settings = _gather_settings(take)
        command(**answers, settings=settings, convention=convention)

    add_model, add_quantization = option_group("Your own model", *_MODEL), option_group("Quantization", *_QUANTIZATION)
    return option_group("Files to write", *_FILES)(add_model(add_quantization(gather)))


def _gather_settings(take: Callable[[str], Any]) -> ExportSettings:
    """Make the settings of the values of the options."""
    asked = {name: take(name) for name in ("int8", "float16", "dynamic", "int16x8")}
    float_only, format_, c_array = take("float_only"), take("format_"), take("c_array")
    if float_only and asked["int8"]:
        raise click.UsageError("--float-only and --int8 exclude each other: use only one.")
    formats: tuple[Format, ...] = (format_,) if format_ else get_args(Format)
    wants_int8 = asked["int8"]
    if take("everything"):
        asked = {precision: True for name in formats for precision in PRECISIONS[name]}
    named = name_precisions(asked)
    return ExportSettings(
        precisions=tuple(dict.fromkeys((*(() if float_only else ("int8",)), *named))),
        formats=formats,
        method=take("method"),
        onnx_weights=take("onnx_weights"),
        clean_calibration=take("clean_calibration"),
        most_drop_pp=take("most_drop_pp"),
        c_array=c_array,
        strict_int8=take("strict_int8"),
        named=(*named, *(("float32",) if format_ else ()), *(("int8",) if c_array and not wants_int8 else ())),
    )


@click.command(cls=GroupedCommand)
@click.argument("source", type=BUNDLE, required=False, metavar="[BUNDLE_OR_KERAS_MODEL]")
@setting_options
@out_option(
    click.Path(path_type=Path),
    help="Folder for the bundle.  [default: the bundle itself; ./NAME for the shipped model and for a .keras file]",
)
@click.option(
    "--model-repository",
    "repository",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Lay out the ONNX files as Triton Inference Server reads them, too.",
)
@data_dir_option
def export(
    source: Path | None,
    settings: ExportSettings,
    convention: Convention,
    out: Path | None,
    repository: Path | None,
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
      # For Triton Inference Server: tritonserver --model-repository models
      edge-mnist export my-model --model-repository models
      # A Keras model of your own, trained on pixels / 255.
      edge-mnist export mine.keras --pixels 0-1 --outputs softmax
    """
    found = find_source(source, convention)
    bundle, unmet = run_export(found, settings, out, data_dir)
    echo_text(format_export(bundle.card))
    for doubt in describe_doubts(bundle.card):
        echo(f"Warning: {doubt}", err=True)
    place = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
    echo(
        f"{bundle.path}: complete; {bundle.path / REPORT_NAME} shows the differences and explains the numbers. "
        f"Next: edge-mnist benchmark {shlex.quote(name_bundle(bundle.path))}{place}"
    )
    if repository:
        echo(f"{repository}: {', '.join(write_model_repository(bundle, repository))}, for Triton.")
    refuse_unmet(unmet)


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
