"""The rows of a large job: one for each picture or frame, one for each failure; equal whenever and wherever it is read.

Fields of `edge-mnist run --json` keep their names. Times are left out, because they differ from run to run.
"""

from typing import Any, NamedTuple

import msgspec

from ...media.lazy_sources import NamedInput
from ...media.pictures import PictureError
from ...media.sources import SourceFrame
from ..reader import Digit, Reader, Reading


class InputRows(NamedTuple):
    """The rows of one input, each a JSON document, with the number of failures and of pixels read."""

    rows: list[bytes]
    failures: int
    pixels: int


class ReadFrame(NamedTuple):
    """A frame without its pixels, and its reading."""

    frame: SourceFrame
    reading: Reading


class InputFrames(NamedTuple):
    """The readings and errors of one input, for printing, and the number of pixels read."""

    outcomes: list[ReadFrame | PictureError]
    pixels: int


def describe_digits(reading: Reading) -> list[dict[str, Any]]:
    """Describe each digit: digit, probabilities, score, and box as [x, y, width, height]."""
    return [_describe(digit) for digit in reading.digits]


def _describe(digit: Digit) -> dict[str, Any]:
    return {
        "digit": digit.digit,
        "confidence": digit.confidence,
        "digit_probability": digit.digit_probability,
        "class_probability": digit.class_probability,
        "score": digit.score,
        "box": [digit.box.x, digit.box.y, digit.box.width, digit.box.height],
    }


def describe_frame(frame: SourceFrame, reading: Reading) -> dict[str, Any]:
    """Describe a frame: source, frame, time_s, rows, digits, truncated, and error, which is None."""
    return {
        "source": frame.source,
        "frame": frame.index,
        "time_s": frame.time_s,
        "rows": list(reading.rows),
        "digits": describe_digits(reading),
        "truncated": reading.truncated,
        "error": None,
    }


def describe_failure(name: str, reason: str) -> dict[str, Any]:
    """Describe an input that could not be read: the same fields, with the reason as error."""
    return {
        "source": name,
        "frame": None,
        "time_s": None,
        "rows": [],
        "digits": [],
        "truncated": False,
        "error": reason,
    }


def read_rows(reader: Reader, item: NamedInput) -> InputRows:
    """Read an input into rows; a failure is a row, too."""
    outcomes, pixels = read_frames(reader, item)
    documents = [
        describe_failure(item.name, str(one)) if isinstance(one, PictureError) else describe_frame(*one)
        for one in outcomes
    ]
    failures = sum(document["error"] is not None for document in documents)
    return InputRows([msgspec.json.encode(document) for document in documents], failures, pixels)


def fail_rows(item: NamedInput, reason: str) -> InputRows:
    """Make the rows of an input whose process ended."""
    return InputRows([msgspec.json.encode(describe_failure(item.name, f"{item.name}: {reason}"))], 1, 0)


def read_frames(reader: Reader, item: NamedInput) -> InputFrames:
    """Read an input into readings without pixels."""
    outcomes: list[ReadFrame | PictureError] = []
    pixels = 0
    try:
        for frame in item.source.frames():
            if isinstance(frame, PictureError):
                outcomes.append(frame)
            else:
                pixels += frame.gray.size
                outcomes.append(ReadFrame(frame.without_pixels(), reader.read(frame.gray)))
    except PictureError as error:
        outcomes.append(error)
    return InputFrames(outcomes, pixels)


def fail_frames(item: NamedInput, reason: str) -> InputFrames:
    """Make the outcome of an input whose process ended."""
    return InputFrames([PictureError(f"{item.name}: {reason}")], 0)
