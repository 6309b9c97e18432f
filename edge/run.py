"""`edge-mnist run`: read the digits in pictures, videos and streams; print, draw or show them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from .annotate import annotate
from .drawings import DrawingFolder
from .live.options import ModelChoice, model_options
from .outcomes import Outcome, format_digits, format_json, format_left_out, format_rows
from .output import echo, echo_text
from .pictures import PictureError
from .progress_bar import ProgressBar, above_bars
from .reader import Reader
from .sources import Frame, LeftOutError, Source, VideoFile, find_sources, read_all
from .videos import Spacing
from .window import Window


class SpacingType(click.ParamType):
    """`10` for every tenth frame, `0.5s` for one each half second."""

    name = "spacing"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Spacing:
        """Parse it, or fail as misuse."""
        if isinstance(value, Spacing):
            return value
        text = str(value)
        try:
            if text.endswith("s"):
                return Spacing(seconds=float(text[:-1]))
            return Spacing(frames=int(text))
        except ValueError:
            self.fail(f"{text!r} is neither a number of frames, e.g. 10, nor of seconds, e.g. 0.5s.", param, ctx)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--every", "spacing", type=SpacingType(), default=Spacing(), metavar="N|SECONDSs",
              help="Of a video, read only every Nth frame, or one each so many seconds, e.g. 10 or 0.5s.")  # fmt: skip
@click.option("--annotate", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write each picture or frame with its boxes and digits into this folder.")  # fmt: skip
@click.option("--show", is_flag=True, help="Show each in a window: any key for the next, q or Escape to quit.")
@click.option("--verbose", is_flag=True, help="A line for each digit: confidence, and box in pixels.")
@click.option("--json", "as_json", is_flag=True,
              help="One JSON document a picture or frame and line, on standard output.")  # fmt: skip
@model_options
def run(
    inputs: tuple[str, ...],
    spacing: Spacing,
    folder: Path | None,
    show: bool,
    verbose: bool,
    as_json: bool,
    model: ModelChoice,
) -> None:
    """Read the digits in pictures, videos, folders of both, glob patterns, or standard input (-).

    A picture without digits gives an empty reading; of several pages or an animation the first is read. Standard input
    is one picture of any kind, or a stream of PNG, JPEG (MJPEG) or binary PNM pictures back to back. What cannot be
    read is reported on standard error, everything else is read all the same, and the exit code is 1. Of a folder or
    pattern, files that are neither pictures nor videos are named there, too; ** stands for folders at any depth.

    \b
    Examples:
      # Rows of digits, how sure, how long it took.
      edge-mnist run page.png
      # With boxes, a line for each picture.
      edge-mnist run photos/ --json > readings.jsonl
      # And a drawing of each in drawn/.
      edge-mnist run 'scans/*.jpg' --annotate drawn
      # A frame each five seconds, in a window.
      edge-mnist run meter.mp4 --every 5s --show
      # From a camera.
      rpicam-vid -t 0 --codec mjpeg -o - | edge-mnist run -
    """
    format_outcome = format_json if as_json else format_digits if verbose else format_rows
    with ExitStack() as stack:
        reader = model.load()
        sinks = Sinks(
            format_outcome=format_outcome,
            format_left_out=format_left_out if as_json else None,
            drawings=DrawingFolder(folder) if folder else None,
            window=stack.enter_context(Window()) if show else None,
        )
        failures = read_into(sinks, reader, find_sources(inputs, spacing, partial(echo, err=True)))
    if failures:
        raise SystemExit(1)


@dataclass(frozen=True)
class Sinks:
    """Where readings go: to standard output in this format, and into a folder and a window if there are any.

    Files that were left out are reported on standard error, and in documents on standard output, too.
    """

    format_outcome: Callable[[Outcome], str]
    format_left_out: Callable[[LeftOutError], str] | None
    drawings: DrawingFolder | None
    window: Window | None


def read_into(sinks: Sinks, reader: Reader, sources: list[Source]) -> int:
    """Read everything, until somebody quits the window; return how much could not be read."""
    failures = 0
    with _progress(sources) as bar:
        for done, frame in read_all(sources):
            try:
                outcome = _read_frame(frame, reader, sinks.drawings)
                with above_bars():
                    echo_text(sinks.format_outcome(outcome))
                go_on = sinks.window is None or _show(sinks.window, outcome)
            except PictureError as error:
                with above_bars():
                    echo(f"Error: {error}", err=True)
                    if isinstance(error, LeftOutError) and sinks.format_left_out:
                        echo_text(sinks.format_left_out(error))
                failures += 1
                go_on = True
            bar.update(done - bar.n)
            if not go_on:
                break
    return failures


def _read_frame(frame: Frame | PictureError, reader: Reader, drawings: DrawingFolder | None) -> Outcome:
    if isinstance(frame, PictureError):
        raise frame
    reading = reader.read(frame.gray)
    return Outcome(frame, reading, drawings.save(frame, reading) if drawings else None)


def _show(window: Window, outcome: Outcome) -> bool:
    title = f"{outcome.frame.name}: {', '.join(outcome.reading.rows) or 'no digits'}"
    return window.show(annotate(outcome.frame.read_rgb(), outcome.reading), title)


def _progress(sources: list[Source]) -> ProgressBar[NoReturn]:
    """A bar over the sources on standard error, for people at a terminal who have to wait."""
    takes_long = len(sources) > 1 or any(isinstance(source, VideoFile) for source in sources)
    return ProgressBar(
        total=len(sources),
        is_hidden=not takes_long,
        bar_format="{l_bar}{bar}| {elapsed} < {remaining}",
    )
