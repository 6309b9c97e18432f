"""`edge-mnist run`: read the digits in pictures, videos and streams; print, draw or show them."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from ..common.terminal.formatting import format_confidence
from ..common.terminal.output import echo, echo_text
from ..common.terminal.progress import ProgressBar, above_bars
from ..common.terminal.text import one_line
from ..media.pictures import PictureError
from ..media.sources import InputSource, LeftOutError, SourceFrame, VideoSource, find_sources, read_all
from ..media.videos import Spacing
from ..reading.fates import MEANINGS, count_fates
from ..reading.reader import Digit, Reader, Reading
from ..sinks.annotate import annotate
from ..sinks.drawing_folder import DrawingFolder
from ..sinks.window import Window
from .live_options import ModelChoice, model_options


@dataclass(frozen=True)
class FrameResult:
    """The reading of one frame, and the path of its drawing, if there is one."""

    frame: SourceFrame
    reading: Reading
    drawing: Path | None

    @property
    def timing_ms(self) -> dict[str, float]:
        """Milliseconds spent in each stage: load, which is decoding the file, and those of the reader."""
        return {"load": self.frame.load_ms, **self.reading.timing_ms}

    @property
    def rows(self) -> Iterator[tuple[Digit, ...]]:
        """Yield the digits of each row, top to bottom."""
        digits = iter(self.reading.digits)
        for row in self.reading.rows:
            yield tuple(next(digits) for _ in row)


def format_json(outcome: FrameResult) -> str:
    """Format one JSON document in one line; `frame` is null for a picture, `time_s` if there is no clock."""
    digits = [
        {
            "digit": digit.digit,
            "confidence": digit.confidence,
            "digit_probability": digit.digit_probability,
            "class_probability": digit.class_probability,
            "score": digit.score,
            "box": [digit.box.x, digit.box.y, digit.box.width, digit.box.height],
        }
        for digit in outcome.reading.digits
    ]
    document = {
        "source": outcome.frame.source,
        "frame": outcome.frame.index,
        "time_s": outcome.frame.time_s,
        "rows": outcome.reading.rows,
        "digits": digits,
        "truncated": outcome.reading.truncated,
        "timing_ms": outcome.timing_ms,
        "drawing": str(outcome.drawing) if outcome.drawing else None,
    }
    if outcome.reading.candidates:
        document["candidates"] = [
            {"box": list(candidate.box), "fate": candidate.fate, "digit": candidate.digit, "score": candidate.score}
            for candidate in outcome.reading.candidates
        ]
    return json.dumps(document)


def format_left_out(error: LeftOutError) -> str:
    """Format one JSON document in one line: the files that were left out, with their kinds."""
    return json.dumps({"left_out": {os.fsencode(path).decode(errors="replace"): kind.name
                                    for path, kind in error.kinds.items()}})  # fmt: skip


def format_rows(outcome: FrameResult) -> str:
    """Format the name and the time, then a line for each row: its digits and the least certain of them."""
    rows = (_format_row(row, _longest(outcome)) for row in outcome.rows)
    return "\n".join([_format_head(outcome), *rows, *_format_fates(outcome)])


def format_digits(outcome: FrameResult) -> str:
    """Format rows as `format_rows`, each with a line per digit: confidence, size and place in pixels."""
    lines = [_format_head(outcome)]
    for row in outcome.rows:
        lines += [_format_row(row, _longest(outcome)), *map(_format_digit, row)]
    return "\n".join([*lines, *_format_fates(outcome)])


def _format_fates(outcome: FrameResult) -> Iterator[str]:
    """Format a line for each reason why ink was left out."""
    for fate, count in count_fates(outcome.reading.candidates).items():
        yield f"    {count} left out: {MEANINGS[fate]} ({fate})"


def _longest(outcome: FrameResult) -> int:
    return max(map(len, outcome.reading.rows), default=0)


def _format_head(outcome: FrameResult) -> str:
    count = len(outcome.reading.digits)
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in outcome.timing_ms.items())
    total_ms = sum(outcome.timing_ms.values())
    drawn = f"; drawn in {outcome.drawing}" if outcome.drawing else ""
    noun = "digit" if count == 1 else "digits"
    truncated = "; too many shapes, digits may be missing" if outcome.reading.truncated else ""
    return one_line(f"{outcome.frame.name}: {count} {noun} in {total_ms:.1f} ms ({stages}){drawn}{truncated}")


def _format_row(row: tuple[Digit, ...], width: int) -> str:
    text = "".join(str(digit.digit) for digit in row)
    least = min(row, key=lambda digit: digit.confidence)
    return f"  {text:<{width}}   (least certain: {least.digit}, {format_confidence(least.confidence)})"


def _format_digit(digit: Digit) -> str:
    box, sure = digit.box, format_confidence(digit.confidence)
    return f"    {digit.digit}  {sure:>8}  {box.width} x {box.height} pixels at ({box.x}, {box.y})"


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


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--every", "spacing", type=SpacingType(), default=Spacing(), metavar="N|SECONDSs",
              help="For videos, read only every Nth frame (10), or one frame every N seconds (0.5s).")  # fmt: skip
@click.option("--annotate", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write each picture or frame with its boxes and digits into this folder.")  # fmt: skip
@click.option("--show", is_flag=True, help="Show each in a window: any key shows the next, q or Escape to quit.")
@click.option("--verbose", is_flag=True, help="Print a line for each digit: confidence, and box in pixels.")
@click.option("--explain", is_flag=True,
              help="Also say what became of each piece of ink, and draw it with --annotate or --show.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True,
              help="Print one JSON document per picture or frame, one per line.")  # fmt: skip
@model_options
def run(
    inputs: tuple[str, ...],
    spacing: Spacing,
    folder: Path | None,
    show: bool,
    model: ModelChoice,
    **output: bool,
) -> None:
    """Read the digits in pictures, videos, folders of both, glob patterns, or standard input (-).

    A picture without digits gives an empty reading; of several pages or an animation only the first is read. Standard
    input is one picture of any kind, or a stream of PNG, JPEG (MJPEG) or binary PNM pictures one after another. Files
    that cannot be read are reported on standard error, the others are still read, and the exit code is 1. Files of a
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
    """
    as_json = output["as_json"]
    format_outcome = format_json if as_json else format_digits if output["verbose"] else format_rows
    with ExitStack() as stack:
        reader = model.load(output["explain"])
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
    """Destinations of readings: standard output in this format, and a folder and a window if there are any.

    Files that were left out are reported on standard error, and in JSON documents on standard output, too.
    """

    format_outcome: Callable[[FrameResult], str]
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
