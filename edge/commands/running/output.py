"""What `edge-mnist run` prints: a line and the rows for each frame, one JSON document, or a line for a whole video."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...common.terminal.formatting import format_confidence
from ...common.terminal.output import echo, echo_text
from ...common.terminal.progress import above_bars
from ...common.terminal.text import one_line
from ...media.sources import LeftOutError, SourceFrame
from ...reading.bulk.rows import describe_digits
from ...reading.fates import MEANINGS, count_fates
from ...reading.reader import Digit, Reading

# Readings of a video that its summary names.
MOST_NAMED = 3


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
    document = {
        "source": outcome.frame.source,
        "frame": outcome.frame.index,
        "time_s": outcome.frame.time_s,
        "rows": outcome.reading.rows,
        "digits": describe_digits(outcome.reading),
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


@dataclass
class VideoSummary:
    """What was read in a video of a folder: each reading, and in how many frames."""

    source: str
    readings: Counter[tuple[str, ...]] = field(default_factory=Counter)
    spent_ms: float = 0.0

    def add(self, outcome: FrameResult) -> None:
        """Count a frame."""
        self.readings[outcome.reading.rows] += 1
        self.spent_ms += sum(outcome.timing_ms.values())

    def __str__(self) -> str:
        """Format one line: the readings of most frames first, then the others and the frames without digits."""
        frames, empty = self.readings.total(), self.readings[()]
        found = [(rows, count) for rows, count in self.readings.most_common() if rows]
        parts = [f"{' '.join(rows)} in {count}" for rows, count in found[:MOST_NAMED]]
        if others := len(found) - MOST_NAMED if len(found) > MOST_NAMED else 0:
            parts.append(f"{others} {'other reading' if others == 1 else 'other readings'}")
        if empty or not parts:
            parts.append(f"no digits in {empty}")
        noun = "frame" if frames == 1 else "frames"
        return one_line(f"{self.source}: {frames} {noun} in {self.spent_ms / 1000:.1f} s; {', '.join(parts)}")


class OutcomePrinter:
    """A printer of outcomes, one after the other; videos of a folder may be summarized."""

    def __init__(self, format_outcome: Callable[[FrameResult], str], summarizes: bool) -> None:
        """Print with this function, or one line for each video of a folder."""
        self._format = format_outcome
        self._summarizes = summarizes
        self._summary: VideoSummary | None = None

    def print(self, outcome: FrameResult) -> None:
        """Print the outcome, or keep it for the summary of its video."""
        if self._summary and self._summary.source != outcome.frame.source:
            self.finish()
        if self._summarizes and outcome.frame.is_of_listed_video:
            self._summary = self._summary or VideoSummary(outcome.frame.source)
            self._summary.add(outcome)
            return
        with above_bars():
            echo_text(self._format(outcome))

    def finish(self) -> None:
        """Print the summary of the last video, if there is one."""
        if self._summary:
            with above_bars():
                echo(self._summary)
        self._summary = None
