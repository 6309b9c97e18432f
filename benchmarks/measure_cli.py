"""`edge-mnist measure`: questions about the reader, a command each; every one writes a report and its raw values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import click
import msgspec

from ..edge.bundle import SHIPPED, Bundle, open_bundle
from ..edge.card import Precision
from ..edge.classifiers import RUNTIMES
from ..edge.mnist import HeldOut, held_out_images
from ..edge.options import data_dir_option
from .abstention import run_abstention
from .abstention_report import format_abstention_tables, write_abstention_reports
from .files import check_writable
from .frame_report import format_times, write_frame_reports
from .frames import FrameSettings, run_frames
from .others import read_others
from .roundtrip import RoundtripSettings, run_roundtrip
from .roundtrip_report import describe_verdict, format_tallies, write_roundtrip_reports

bundle_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    default=SHIPPED,
    show_default="the shipped one",
    help="Bundle: the folder that export wrote.",
)
runtime_option = click.option(
    "--runtime", type=click.Choice(list(RUNTIMES)), help="What computes.  [default: the first one installed]"
)
precision_option = click.option(
    "--precision", type=click.Choice(get_args(Precision)), default="int8", show_default=True, help="Of the model file."
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Folder for the reports."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the JSON report and no table.")


@click.group()
def measure() -> None:
    """Measure how the reader reads: its time for a frame, what it refuses, and what the way over paper costs."""


@measure.command()
@bundle_option
@runtime_option
@precision_option
@click.option(
    "--peer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Somebody's digit classifier (.tflite, 28x28, uint8 or float32), timed in turns behind the usual pipeline: "
    "Otsu's threshold, contours, one inference a digit.",
)
@out_option
@json_option
def frames(model: Path, runtime: str | None, precision: str, peer: Path | None, out: Path, as_json: bool) -> None:
    """Time frames of 0.3, 2 and 12 megapixels with 1 to 200 digits, on one thread.

    \b
    Examples:
      edge-mnist measure frames
      edge-mnist measure frames --peer their-digits.tflite --out reports
    """
    check_writable(out)
    results = run_frames(model, peer, FrameSettings(runtime=runtime, precision=cast("Precision", precision)))
    _show(results, lambda: format_times(results, "simple"), write_frame_reports(results, out), as_json)


@measure.command()
@click.argument("others", type=click.Path(exists=True, path_type=Path))
@bundle_option
@data_dir_option
@out_option
@json_option
def refusals(others: Path, model: Path, data_dir: Path | None, out: Path, as_json: bool) -> None:
    """How well does each file tell digits from OTHERS, images that are no digits?

    OTHERS is an idx file of 28x28 images (notMNIST, Fashion-MNIST; gzipped or not), a folder with one such *images*
    file, or a folder of pictures; 0 = paper.

    \b
    Examples:
      edge-mnist measure refusals notmnist/
    """
    check_writable(out)
    bundle = open_bundle(model)
    results = run_abstention(bundle, _held_out(bundle, data_dir), read_others(others))
    written = write_abstention_reports(results, out)
    _show(results, lambda: format_abstention_tables(results, "simple"), written, as_json)


@measure.command()
@bundle_option
@runtime_option
@precision_option
@data_dir_option
@click.option("--count", type=click.IntRange(min=1), default=10_000, show_default=True, help="Pasted digits.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of sizes, pens and papers.")
@out_option
@json_option
def roundtrip(  # noqa: PLR0913, PLR0917 - an argument for each option
    model: Path,
    runtime: str | None,
    precision: str,
    data_dir: Path | None,
    count: int,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Put MNIST's digits on paper, find, frame and classify them again: what does the way cost?

    \b
    Examples:
      edge-mnist measure roundtrip --count 2000
    """
    check_writable(out)
    settings = RoundtripSettings(runtime=runtime, precision=cast("Precision", precision), count=count, seed=seed)
    results = run_roundtrip(_held_out(open_bundle(model), data_dir), model, settings)
    text = f"{format_tallies(results, 'simple')}\n\n{describe_verdict(results)}"
    _show(results, lambda: text, write_roundtrip_reports(results, out), as_json)


def _held_out(bundle: Bundle, data_dir: Path | None) -> HeldOut:
    training = bundle.card.training
    return held_out_images(training.dataset if training else None, data_dir)


def _show(results: Any, tables: Callable[[], str], written: tuple[Path, ...], as_json: bool) -> None:
    click.echo(msgspec.json.encode(results).decode() if as_json else tables())
    click.echo(f"Reports: {', '.join(map(str, written))}", err=True)
