"""`edge-mnist run`: read the digits in picture files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import click

from .bundle import SHIPPED
from .card import Precision
from .classifiers import RUNTIMES
from .pictures import PictureError, expand_pictures, read_gray
from .reader import Reader, Reading


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    default=SHIPPED,
    show_default="the shipped one",
    help="Bundle: the folder that export wrote.",
)
@click.option(
    "--runtime",
    type=click.Choice(list(RUNTIMES)),
    help="What computes.  [default: the first one installed, in this order]",
)
@click.option(
    "--precision", type=click.Choice(get_args(Precision)), default="int8", show_default=True, help="Of the model file."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="For the inference.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a picture and line, on standard output.")
def run(images: tuple[str, ...], model: Path, runtime: str | None, precision: str, threads: int, as_json: bool) -> None:
    """Read the digits in picture files, folders of them, or glob patterns.

    A picture without digits gives an empty reading. A file that cannot be read is reported on standard error, the
    others are read all the same, and the exit code is 1.

    \b
    Examples:
      edge-mnist run digit.png
      edge-mnist run photos/ --json > readings.jsonl
      edge-mnist run 'scans/*.jpg' --runtime onnxruntime --precision float32
    """
    pictures = expand_pictures(images)
    reader = Reader(model, runtime, cast("Precision", precision), threads)
    show = _print_json if as_json else _print_text
    failures = 0
    for path, outcome in _read_all(reader, pictures):
        if isinstance(outcome, PictureError):
            click.echo(f"Error: {outcome}", err=True)
            failures += 1
        else:
            show(path, outcome)
    if failures:
        raise SystemExit(1)


def _read_all(reader: Reader, pictures: list[Path]) -> Iterator[tuple[Path, Reading | PictureError]]:
    for path in pictures:
        try:
            yield path, reader.read(read_gray(path))
        except PictureError as error:
            yield path, error


def _print_json(path: Path, reading: Reading) -> None:
    digits = [
        {
            "digit": digit.digit,
            "confidence": digit.confidence,
            "box": [digit.box.x, digit.box.y, digit.box.width, digit.box.height],
        }
        for digit in reading.digits
    ]
    document = {"source": str(path), "rows": reading.rows, "digits": digits, "timing_ms": reading.timing_ms}
    click.echo(json.dumps(document))


def _print_text(path: Path, reading: Reading) -> None:
    total_ms = sum(reading.timing_ms.values())
    count = len(reading.digits)
    click.echo(f"{path}: {count} {'digit' if count == 1 else 'digits'} in {total_ms:.1f} ms")
    digits = iter(reading.digits)
    for row in reading.rows:
        confidences = [next(digits).confidence for _ in row]
        click.echo(f"  {row}   (least certain: {row[confidences.index(min(confidences))]}, {min(confidences):.1%})")
