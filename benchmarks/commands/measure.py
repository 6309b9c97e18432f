"""`edge-mnist measure`: questions about the reader, a command each; every one writes a report and its raw values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...edge.bundle.contract import Precision
from ...edge.bundle.folder import Bundle, open_bundle
from ...edge.commands.options import BUNDLE, data_dir_option
from ...edge.common.files import check_writable
from ...edge.common.terminal.output import echo, echo_json, echo_text
from ...edge.common.terminal.verbosity import note
from ...edge.data.held_out import HeldOut, held_out_images
from ...edge.runtimes.registry import RUNTIMES
from ..studies.networks.abstention import run_abstention
from ..studies.networks.abstention_report import format_abstention_tables, write_abstention_reports
from ..studies.networks.confidence import PAGES, write_odds
from ..studies.networks.confidence_report import format_confidence_tables, run_confidence, write_confidence_reports
from ..studies.networks.non_digits import read_non_digits
from ..studies.networks.zoo import run_zoo
from ..studies.networks.zoo_report import doubt_peers, format_zoo_summary, write_zoo_reports
from ..studies.reading.frames import FrameSettings, run_frames
from ..studies.reading.frames_report import format_times, write_frame_reports
from ..studies.reading.hard_frames import format_hard_frames, run_hard_frames, write_hard_reports
from ..studies.reading.live import run_live_speed
from ..studies.reading.live_report import format_live_speed, write_live_reports
from ..studies.reading.roundtrip import RoundtripSettings, run_roundtrip
from ..studies.reading.roundtrip_report import format_roundtrip_summary, write_roundtrip_reports
from ..studies.robustness.report import format_robustness_tables, write_robustness_reports
from ..studies.robustness.results import RobustnessSettings
from ..studies.robustness.robustness import draw_contact_sheet, run_robustness
from ..targets.peers import Peer
from .context import context
from .options import (
    bundle_option,
    peer_options,
    precision_option,
    report_options,
    require_report_packages,
    runtime_option,
)


@click.group()
def measure() -> None:
    """Measure models and the reader: time per frame, refusals, accuracy on paper and under corruptions, the zoo."""


measure.add_command(context)


@measure.command()
@bundle_option
@runtime_option
@precision_option
@click.option(
    "--peer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another digit classifier (.tflite, 28x28, uint8 or float32). It is timed in turns with the reader, in "
    "the usual pipeline: Otsu's threshold, contours, one inference per digit.",
)
@report_options
def frames(model: Path, runtime: str | None, precision: Precision, peer: Path | None, out: Path, as_json: bool) -> None:
    """Time frames of 0.3, 2 and 12 megapixels with 1 to 200 digits, on one thread.

    \b
    Examples:
      edge-mnist measure frames
      edge-mnist measure frames --peer their-digits.tflite --out reports
    """
    check_writable(out)
    results = run_frames(model, peer, FrameSettings(runtime=runtime, precision=precision))
    _show(results, format_times, write_frame_reports, out, as_json)


@measure.command("hard-frames")
@bundle_option
@runtime_option
@click.option(
    "--repeats", type=click.IntRange(min=1), default=9, show_default=True, help="How often each frame is read."
)
@report_options
def hard_frames(model: Path, runtime: str | None, repeats: int, out: Path, as_json: bool) -> None:
    """Time frames that are not a plain page: empty, ruled, bordered, dotted, gravel.

    \b
    Examples:
      edge-mnist measure hard-frames
    """
    check_writable(out)
    _show(run_hard_frames(model, runtime, repeats), format_hard_frames, write_hard_reports, out, as_json)


@measure.command()
@click.argument("non_digits", type=click.Path(exists=True, path_type=Path))
@bundle_option
@data_dir_option
@report_options
def refusals(non_digits: Path, model: Path, data_dir: Path | None, out: Path, as_json: bool) -> None:
    """Measure how well each file separates digits from NON_DIGITS.

    NON_DIGITS is an idx file of 28x28 images (notMNIST, Fashion-MNIST; gzipped or not), a folder with one such
    *images* file, or a folder of pictures; 0 = paper.

    \b
    Examples:
      edge-mnist measure refusals notmnist/
    """
    require_report_packages()
    check_writable(out)
    bundle = open_bundle(model)
    results = run_abstention(bundle, _held_out(bundle, data_dir), read_non_digits(non_digits))
    _show(results, format_abstention_tables, write_abstention_reports, out, as_json)


@measure.command()
@click.argument("scenes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@bundle_option
@data_dir_option
@click.option(
    "--pages", type=click.IntRange(min=1), default=PAGES, show_default=True, help="Number of drawn pages of digits."
)
@click.option("--write", "is_written", is_flag=True, help="Also write the fit into the bundle's card.")
@report_options
def confidence(
    scenes: Path, model: Path, data_dir: Path | None, pages: int, is_written: bool, out: Path, as_json: bool
) -> None:
    """Fit the reader's confidence on digits and on SCENES, a folder of pictures without digits.

    The displayed confidence is the probability that a shape is a digit, times the probability of the class. Only the
    second is known after an export. This command fits the first and measures how well the product is calibrated.

    \b
    Examples:
      edge-mnist measure confidence photographs/
      edge-mnist measure confidence photographs/ --model my-model --write
    """
    check_writable(out)
    bundle = open_bundle(model)
    results = run_confidence(bundle, _held_out(bundle, data_dir).validation, scenes, pages)
    _show(results, format_confidence_tables, write_confidence_reports, out, as_json)
    if is_written:
        write_odds(bundle, results.odds)
        note(f"{bundle.path}: this fit is now in the card.")


@measure.command()
@bundle_option
@runtime_option
@precision_option
@data_dir_option
@click.option("--count", type=click.IntRange(min=1), default=10_000, show_default=True, help="Number of pasted digits.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Random seed of sizes, pens and papers."
)
@report_options
def roundtrip(  # noqa: PLR0913, PLR0917 - an argument for each option
    model: Path,
    runtime: str | None,
    precision: Precision,
    data_dir: Path | None,
    count: int,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Paste MNIST digits on drawn paper, read them again, and measure the loss in accuracy.

    \b
    Examples:
      edge-mnist measure roundtrip --count 2000
    """
    check_writable(out)
    settings = RoundtripSettings(runtime=runtime, precision=precision, count=count, seed=seed)
    results = run_roundtrip(_held_out(open_bundle(model), data_dir), model, settings)
    _show(results, format_roundtrip_summary, write_roundtrip_reports, out, as_json)


@measure.command()
@bundle_option
@click.option(
    "--runtime",
    "runtimes",
    type=click.Choice(list(RUNTIMES)),
    multiple=True,
    help="Runtime. May be repeated.  [default: the first one installed]",
)
@data_dir_option
@click.option(
    "--count",
    type=click.IntRange(min=10),
    help=f"Images per corruption and severity, equally many of each digit.  [default: {RobustnessSettings().count}]",
)
@click.option(
    "--all", "all_images", is_flag=True, help="Use all images; with MNIST's 10,000 this takes ten times as long."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Random seed of noise, places and directions.",
)
@report_options
def corruptions(  # noqa: PLR0913, PLR0917 - an argument for each option
    model: Path,
    runtimes: tuple[str, ...],
    data_dir: Path | None,
    count: int | None,
    all_images: bool,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Measure float32 and int8 on digits with fifteen corruptions after MNIST-C, at five severities.

    \b
    Examples:
      edge-mnist measure corruptions
      edge-mnist measure corruptions --all --runtime litert --runtime onnxruntime
    """
    if all_images and count is not None:
        raise click.UsageError("expected --count or --all, got both.")
    require_report_packages()
    check_writable(out)
    bundle = open_bundle(model)
    held_out = _held_out(bundle, data_dir)
    count = None if all_images else count or RobustnessSettings().count
    results = run_robustness(bundle, held_out, RobustnessSettings(runtimes=runtimes or None, count=count, seed=seed))
    sheet = draw_contact_sheet(held_out.evaluations[0], seed)
    _show(results, format_robustness_tables, lambda run, to: write_robustness_reports(run, sheet, to), out, as_json)


@measure.command()
@click.option("--frames", type=click.IntRange(min=50), default=1500, show_default=True, help="Frames per round.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds of each kind, in turns."
)
@report_options
def live(frames: int, rounds: int, out: Path, as_json: bool) -> None:
    """Time the live loop on a drawn video: alone, with JSON output and page clients, and from process start.

    The page needs more packages: pip install 'edge-mnist[web]'.

    \b
    Examples:
      edge-mnist measure live
      edge-mnist measure live --frames 300 --rounds 2
    """
    check_writable(out)
    _show(run_live_speed(frames, rounds), format_live_speed, write_live_reports, out, as_json)


@measure.command()
@click.argument("bundles", nargs=-1, required=True, type=BUNDLE, metavar="BUNDLE...")
@peer_options(".tflite")
@data_dir_option
@report_options
def zoo(
    bundles: tuple[Path, ...],
    peers: list[Peer],
    data_dir: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Compare networks: accuracies from their cards, latencies measured in turns, and published claims.

    BUNDLE is a folder with float and int8 files in both formats, trained by edge-mnist.

    \b
    Examples:
      edge-mnist measure zoo nano standard my-model
      edge-mnist measure zoo runs/* --peer theirs.tflite --peer-input float01
    """
    require_report_packages()
    check_writable(out)
    results = run_zoo(bundles, peers, data_dir)
    for doubt in doubt_peers(results) if as_json else ():
        echo(f"Warning: {doubt}", err=True)
    _show(results, format_zoo_summary, write_zoo_reports, out, as_json)


def _held_out(bundle: Bundle, data_dir: Path | None) -> HeldOut:
    training = bundle.card.training
    return held_out_images(training.dataset if training else None, data_dir)


def _show(
    results: Any,
    tables: Callable[[Any, str], str],
    write: Callable[[Any, Path], tuple[Path, ...]],
    out: Path,
    as_json: bool,
) -> None:
    """Print before writing: if the reports cannot be written, the output is all that is left."""
    if as_json:
        echo_json(results)
    else:
        echo_text(tables(results, "simple"))
    note(f"Reports: {', '.join(map(str, write(results, out)))}")
