"""What was read, for people and for programs."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .reader import Digit, Reading
from .safe_text import one_line
from .shares import format_confidence
from .sources import Frame, LeftOutError


@dataclass(frozen=True)
class Outcome:
    """What was read in one frame, and where it was drawn, if it was."""

    frame: Frame
    reading: Reading
    drawing: Path | None

    @property
    def timing_ms(self) -> dict[str, float]:
        """Milliseconds spent in each stage: load, which is decoding the file, and those of the reader."""
        return {"load": self.frame.load_ms, **self.reading.timing_ms}

    @property
    def rows(self) -> Iterator[tuple[Digit, ...]]:
        """The digits of each row, top to bottom."""
        digits = iter(self.reading.digits)
        for row in self.reading.rows:
            yield tuple(next(digits) for _ in row)


def format_json(outcome: Outcome) -> str:
    """One JSON document in one line; `frame` is null for a picture, `time_s` where there is no clock."""
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
    return json.dumps(document)


def format_left_out(error: LeftOutError) -> str:
    """One JSON document in one line: the files that were left out, and what each is."""
    return json.dumps({"left_out": {os.fsencode(path).decode(errors="replace"): kind.name
                                    for path, kind in error.kinds.items()}})  # fmt: skip


def format_rows(outcome: Outcome) -> str:
    """What it was and how long it took, then a line for each row: its digits and the least certain of them."""
    return "\n".join([_format_head(outcome), *(_format_row(row, _longest(outcome)) for row in outcome.rows)])


def format_digits(outcome: Outcome) -> str:
    """As `format_rows`, and under each row a line for each digit: confidence, size and place in pixels."""
    lines = [_format_head(outcome)]
    for row in outcome.rows:
        lines += [_format_row(row, _longest(outcome)), *map(_format_digit, row)]
    return "\n".join(lines)


def _longest(outcome: Outcome) -> int:
    return max(map(len, outcome.reading.rows), default=0)


def _format_head(outcome: Outcome) -> str:
    count = len(outcome.reading.digits)
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in outcome.timing_ms.items())
    total_ms = sum(outcome.timing_ms.values())
    drawn = f"; drawn in {outcome.drawing}" if outcome.drawing else ""
    noun = "digit" if count == 1 else "digits"
    truncated = "; there is too much in it, digits may be missing" if outcome.reading.truncated else ""
    return one_line(f"{outcome.frame.name}: {count} {noun} in {total_ms:.1f} ms ({stages}){drawn}{truncated}")


def _format_row(row: tuple[Digit, ...], width: int) -> str:
    text = "".join(str(digit.digit) for digit in row)
    least = min(row, key=lambda digit: digit.confidence)
    return f"  {text:<{width}}   (least certain: {least.digit}, {format_confidence(least.confidence)})"


def _format_digit(digit: Digit) -> str:
    box, sure = digit.box, format_confidence(digit.confidence)
    return f"    {digit.digit}  {sure:>8}  {box.width} x {box.height} pixels at ({box.x}, {box.y})"
