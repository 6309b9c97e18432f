"""The cost of frames that are not a plain page: empty, ruled, bordered, brown, dotted, of cloth or of gravel.

Speed is commonly measured on plain drawn pages, and a camera that looks at a room sees other frames. Processor time of
this thread, medians, one thread, all 640x480; beside each, how many times a plain page with ten digits costs.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from ....edge.common.machine import Host, describe_host
from ....edge.common.terminal.tables import format_table
from ....edge.reading.reader import Reader
from ...results.files import write_with_json
from ...scenes.pages import PagePen, draw_page

Gray = NDArray[np.uint8]

SCHEMA_VERSION = 1
HEIGHT, WIDTH = 480, 640
PAPER, INK = 225, 60
HEADERS = ["frame", "digits", "processor ms", "relative to a plain page"]


class FrameCost(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a frame: median milliseconds of processor time; digits read; whether a limit was reached."""

    frame: str
    digits: int
    processor_ms: float
    truncated: bool


class HardFrames(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions; the first frame is the plain page."""

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    runtime: str
    runtime_version: str
    repeats: int
    started: str
    host: Host
    costs: tuple[FrameCost, ...]


def draw_hard_frames() -> dict[str, Gray]:
    """Draw each frame by its name, uint8 [480, 640]; always the same frames."""
    page = _plain()
    return {name: draw(page) for name, draw in _DRAWN.items()}


def _plain() -> Gray:
    page = draw_page(("3141", "592", "653"), seed=1, pen=PagePen(height_px=60, width_px=6))
    return cv2.resize(page, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _blank(level: int = PAPER) -> Gray:
    return np.full((HEIGHT, WIDTH), level, np.uint8)


def _rule(page: Gray, every: int, upright: bool, level: int = 160) -> Gray:
    ruled = page.copy()
    ruled[::every] = np.minimum(ruled[::every], level)
    if upright:
        ruled[:, ::every] = np.minimum(ruled[:, ::every], level)
    return ruled


def _border(page: Gray) -> Gray:
    """Add black bars of 10 % around the page, as in a video of another aspect ratio."""
    across, down = WIDTH // 10, HEIGHT // 10
    inside = cv2.resize(page, (WIDTH - 2 * across, HEIGHT - 2 * down), interpolation=cv2.INTER_AREA)
    return np.pad(inside, ((down, down), (across, across))).astype(np.uint8)


def _grain(level: int, deviation: float) -> Gray:
    grain = np.random.default_rng(1).normal(level, deviation, (HEIGHT, WIDTH))
    return grain.clip(0, 255).astype(np.uint8)


def _dot(every: int) -> Gray:
    dotted = _blank()
    for y in range(every // 2, HEIGHT, every):
        for x in range(every // 2, WIDTH, every):
            cv2.circle(dotted, (x, y), every // 4, INK, cv2.FILLED)
    return dotted


def _check(side: int) -> Gray:
    down, across = np.mgrid[:HEIGHT, :WIDTH] // side
    return ((down + across) % 2 * 165 + INK).astype(np.uint8)


def _scatter(count: int) -> Gray:
    random, scattered = np.random.default_rng(1), _blank()
    for x, y, radius in random.integers((0, 0, 4), (WIDTH, HEIGHT, 12), (count, 3)).tolist():
        cv2.circle(scattered, (x, y), radius, INK, 2)
    return scattered


_DRAWN: dict[str, Callable[[Gray], Gray]] = {
    "plain page": lambda page: page,
    "empty sheet": lambda _: _grain(PAPER, 3),
    "empty ruled sheet": lambda _: _rule(_grain(PAPER, 3), 32, upright=False),
    "empty squared sheet": lambda _: _rule(_grain(PAPER, 3), 24, upright=True),
    "page on ruled paper": lambda page: _rule(page, 32, upright=False),
    "page on squared paper": lambda page: _rule(page, 24, upright=True),
    "page with black bars": _border,
    "brown paper": lambda page: (0.5 * page).astype(np.uint8),
    "gravel": lambda _: cv2.GaussianBlur(_grain(128, 120), (0, 0), 3).astype(np.uint8),
    "lines every 5 pixels": lambda _: _rule(_blank(), 5, upright=False, level=0),
    "dots every 16 pixels": lambda _: _dot(16),
    "squares of 8 pixels": lambda _: _check(8),
    "600 circles": lambda _: _scatter(600),
}


def run_hard_frames(bundle: Path, runtime: str | None, repeats: int) -> HardFrames:
    """Read each frame `repeats` times, after one reading that does not count.

    Raises:
        ModelCardError: The bundle is damaged.
        RuntimeUnavailableError: The runtime is not installed or cannot run the file.
    """
    reader = Reader(bundle, runtime)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        costs = tuple(_time(reader, name, frame, repeats) for name, frame in draw_hard_frames().items())
    finally:
        cv2.setNumThreads(threads)
    return HardFrames(
        edge_mnist=version("edge-mnist"),
        name=bundle.name,
        runtime=reader.runtime.name,
        runtime_version=reader.runtime.version,
        repeats=repeats,
        started=started,
        host=describe_host(),
        costs=costs,
    )


def _time(reader: Reader, name: str, frame: Gray, repeats: int) -> FrameCost:
    reading = reader.read(frame)
    spent_ms: list[float] = []
    for _ in range(repeats):
        began = time.thread_time()
        reader.read(frame)
        spent_ms.append(1000 * (time.thread_time() - began))
    return FrameCost(
        frame=name,
        digits=len(reading.digits),
        processor_ms=round(float(np.median(spent_ms)), 3),
        truncated=reading.truncated,
    )


def format_hard_frames(results: HardFrames, style: str) -> str:
    """Format the table in a tabulate style: `github` for Markdown, `simple` for a terminal."""
    plain = results.costs[0].processor_ms
    lines = [
        [one.frame, str(one.digits), f"{one.processor_ms:.2f}", f"{one.processor_ms / plain:.1f}"]
        for one in results.costs
    ]
    return format_table(lines, HEADERS, style, ["left", *["right"] * 3])


def write_hard_reports(results: HardFrames, out: Path) -> tuple[Path, ...]:
    """Write `hard-frames.json` and `hard-frames.md` into an existing folder; return the paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    host = results.host
    text = f"""# Hard frames

{format_hard_frames(results, "github")}

640x480, {results.name} int8 on {results.runtime} {results.runtime_version}, one thread of {host.model}, load \
{host.load_1m}; medians of {results.repeats}; {results.started}, edge-mnist {results.edge_mnist}.
"""
    return write_with_json(results, out / "hard-frames", md=text)
