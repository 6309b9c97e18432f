"""`edge-mnist run`: read the digits in pictures, videos and streams; print, draw or show them."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

import click

from ..common.terminal.output import echo, echo_text
from ..common.terminal.progress import ProgressBar, above_bars
from ..media.pictures import PictureError
from ..media.sources import InputSource, LeftOutError, SourceFrame, VideoSource, find_sources, read_all
from ..media.videos import Spacing
from ..reading.bulk.rows import InputFrames
from ..reading.reader import Reader
from ..sinks.annotate import annotate
from ..sinks.drawing_folder import DrawingFolder
from ..sinks.window import Window
from .live_options import ModelChoice, model_options
from .options import GroupedCommand, option_group
from .running.bulk import BulkChoice, bulk_options, read_many, write_many
from .running.output import FrameResult, OutcomePrinter, format_digits, format_json, format_left_out, format_rows


class SpacingType(click.ParamType):
    """`10` for every tenth frame, `0.5s` for one each half second."""

    name = "spacing"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Spacing:
        """Parse the spacing, or fail as misuse."""
        if isinstance(value, Spacing):
            return value
        text = str(value)
        try:
            if text.endswith("s"):
                return Spacing(seconds=float(text[:-1]))
            return Spacing(frames=int(text))
        except ValueError:
            self.fail(f"{text!r} is neither a number of frames, e.g. 10, nor of seconds, e.g. 0.5s.", param, ctx)


@click.command(cls=GroupedCommand)
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@option_group(
    "Input",
    click.option("--every", "spacing", type=SpacingType(), default=Spacing(), metavar="N|SECONDSs",
                  help="For videos, read only every Nth frame (10), or one frame every N seconds (0.5s)."),
)  # fmt: skip
@option_group(
    "Output",
    click.option("--annotate", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
                  help="Write each picture or frame with its boxes and digits into this folder."),
    click.option("--show", is_flag=True, help="Show each in a window: any key shows the next, q or Escape to quit."),
    click.option("--explain", is_flag=True,
                  help="Also say what became of each piece of ink, and draw it with --annotate or --show."),
    click.option("--json", "as_json", is_flag=True,
                  help="Print one JSON document per picture or frame, one per line."),
    click.option("-v", "--verbose", is_flag=True, help="Print a line for each digit: confidence, and box in pixels."),
)  # fmt: skip
@bulk_options
@model_options
def run(
    inputs: tuple[str, ...],
    spacing: Spacing,
    folder: Path | None,
    show: bool,
    bulk: BulkChoice,
    model: ModelChoice,
    **output: bool,
) -> None:
    """Read the digits in pictures, videos, folders of both, glob patterns, or standard input (-).

    A picture without digits gives an empty reading; of several pages or an animation only the first is read. Standard
    input is one picture of any kind, or a stream of PNG, JPEG (MJPEG) or binary PNM pictures one after another. A video
    in a folder is one line, unless --verbose, --explain, --annotate or --json asks for each frame. Files that cannot
    be read are reported on standard error, the others are still read, and the exit code is 1. Files of a
    folder or pattern that are neither pictures nor videos are also reported; ** matches folders at any depth.

    \b
    Examples:
      # Rows of digits, confidence and time.
      edge-mnist run page.png
      # JSON with boxes, one line per picture.
      edge-mnist run photos/ --json > readings.jsonl
      # And a drawing of each in drawn/.
      edge-mnist run 'scans/*.jpg' --annotate drawn
      # What became of each piece of ink, drawn.
      edge-mnist run form.jpg --explain --annotate drawn
      # One frame every five seconds, in a window.
      edge-mnist run meter.mp4 --every 5s --show
      # From a camera.
      rpicam-vid -t 0 --codec mjpeg -o - | edge-mnist run -
      # A million files on all cores, into a file; again after an interruption.
      edge-mnist run scans/ --jobs auto --out readings.parquet --resume
    """
    as_json = output["as_json"]
    bulk.refuse_misuse(inputs, drawn=show or folder is not None, printed=as_json or output["explain"])
    format_outcome = format_json if as_json else format_digits if output["verbose"] else format_rows
    if bulk.out is not None:
        raise SystemExit(1 if write_many(inputs, spacing, bulk, model, bulk.out) else 0)
    with ExitStack() as stack:
        sinks = Sinks(
            printer=OutcomePrinter(
                format_outcome, summarizes=format_outcome is format_rows and not (folder or output["explain"])
            ),
            format_left_out=format_left_out if as_json else None,
            drawings=DrawingFolder(folder) if folder else None,
            window=stack.enter_context(Window()) if show else None,
        )
        if bulk.is_requested:
            failures = _print_many(sinks, read_many(inputs, spacing, bulk, model, output["explain"]))
        else:
            reader = model.load(output["explain"])
            failures = read_into(sinks, reader, find_sources(inputs, spacing, partial(echo, err=True)))
    if failures:
        raise SystemExit(1)


@dataclass(frozen=True)
class Sinks:
    """Destinations of readings: standard output in this format, and a folder and a window if there are any.

    Files that were left out are reported on standard error, and in JSON documents on standard output, too.
    """

    printer: OutcomePrinter
    format_left_out: Callable[[LeftOutError], str] | None
    drawings: DrawingFolder | None
    window: Window | None


def read_into(sinks: Sinks, reader: Reader, sources: list[InputSource]) -> int:
    """Read all sources until the user closes the window; return how many failed."""
    failures = 0
    with _progress(sources) as bar:
        for done, frame in read_all(sources):
            try:
                outcome = _read_frame(frame, reader, sinks.drawings)
                sinks.printer.print(outcome)
                go_on = sinks.window is None or _show(sinks.window, outcome)
            except PictureError as error:
                _print_error(sinks, error)
                failures += 1
                go_on = True
            bar.update(done - bar.n)
            if not go_on:
                break
        sinks.printer.finish()
    return failures


def _print_many(sinks: Sinks, results: Generator[InputFrames, None, None]) -> int:
    """Print what several processes read; return how many failed."""
    failures = 0
    # Its processes end with it, also if nothing takes what is printed any more.
    with closing(results):
        for outcome in chain.from_iterable(result.outcomes for result in results):
            if isinstance(outcome, PictureError):
                _print_error(sinks, outcome)
                failures += 1
            else:
                sinks.printer.print(FrameResult(*outcome, drawing=None))
    sinks.printer.finish()
    return failures


def _print_error(sinks: Sinks, error: PictureError) -> None:
    sinks.printer.finish()
    with above_bars():
        echo(f"Error: {error}", err=True)
        if isinstance(error, LeftOutError) and sinks.format_left_out:
            echo_text(sinks.format_left_out(error))


def _read_frame(frame: SourceFrame | PictureError, reader: Reader, drawings: DrawingFolder | None) -> FrameResult:
    if isinstance(frame, PictureError):
        raise frame
    reading = reader.read(frame.gray)
    return FrameResult(frame, reading, drawings.save(frame, reading) if drawings else None)


def _show(window: Window, outcome: FrameResult) -> bool:
    title = f"{outcome.frame.name}: {', '.join(outcome.reading.rows) or 'no digits'}"
    return window.show(annotate(outcome.frame.read_rgb(), outcome.reading), title)


def _progress(sources: list[InputSource]) -> ProgressBar[NoReturn]:
    """Make a progress bar over the sources on standard error, for people at a terminal."""
    takes_long = len(sources) > 1 or any(isinstance(source, VideoSource) for source in sources)
    return ProgressBar(
        total=len(sources),
        is_hidden=not takes_long,
        bar_format="{l_bar}{bar}| {elapsed} < {remaining}",
    )
