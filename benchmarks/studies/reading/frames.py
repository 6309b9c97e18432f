"""The reader's time for a frame, on one thread, and its growth with pixels and with digits.

All frames are read in random order in each round, so that a slow minute of the machine affects all alike.

Version history of the schema:
    1  First version.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path

import cv2
import msgspec
import numpy as np

from ....edge.bundle.contract import Precision
from ....edge.bundle.folder import open_bundle
from ....edge.bundle.shipped import SHIPPED
from ....edge.common.machine import Host, describe_host
from ....edge.common.terminal.progress import ProgressBar
from ....edge.reading.reader import Reader
from ...photos.scores import score_image
from ...scenes.sized_pages import DrawnPage, draw_sized_page
from .frame_growth import Growth, measure_growth
from .otsu import OtsuReader
from .side_by_side import SideBySide, read_side_by_side

SCHEMA_VERSION = 1
# The frames of a webcam, a camera's preview, and a phone's photograph: 0.3, 2 and 12 megapixels.
SIZES = ((640, 480), (1632, 1224), (4000, 3000))
COUNTS = (1, 10, 100, 200)
# The frame that both pipelines read side by side.
SHARED_SIZE, SHARED_COUNT = (640, 480), 10
STAGES = ("find", "frame", "infer")


class FrameSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the measurement.

    Attributes:
        runtime: Name of the runtime; None for the first one installed.
        rounds: Number of rounds over all frames.
        calls: Number of timed calls in each round for each frame, after an untimed one.
        sizes: (width, height) of the frames, pixels, ascending.
        counts: Numbers of digits, ascending.
        shared_rounds: Number of rounds in which both pipelines take turns.
        shared_calls: Number of timed calls of each pipeline in each of those.
        seed: Seed of the drawings and the order.
    """

    runtime: str | None = None
    precision: Precision = "int8"
    rounds: int = 5
    calls: int = 10
    sizes: tuple[tuple[int, int], ...] = SIZES
    counts: tuple[int, ...] = COUNTS
    shared_rounds: int = 20
    shared_calls: int = 20
    seed: int = 1


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of the times of all calls, ms."""

    p50: float
    p90: float


class FrameRow(msgspec.Struct, frozen=True, kw_only=True):
    """A frame and its times.

    Attributes:
        digits: Number of digits in the frame.
        digit_px: Height of the digits in the frame, in pixels.
        found: Number of digits that the reader reported.
        right: Number of reported digits that are in the frame, as multisets.
        stages: Times of each stage, by the reader's own clock.
        total: Times from the frame to the reading, by a clock around the call.
        rounds: Every total, one list per round, ms.
    """

    width: int
    height: int
    digits: int
    digit_px: int
    found: int
    right: int
    stages: dict[str, Spread]
    total: Spread
    rounds: list[list[float]]

    @property
    def megapixels(self) -> float:
        """Megapixels of the frame."""
        return self.width * self.height / 1e6


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run and its conditions; `beside` is None where there was no peer."""

    schema_version: int = SCHEMA_VERSION
    edge_mnist: str
    name: str
    card_sha256: str
    runtime: str
    runtime_version: str
    opencv: str
    settings: FrameSettings
    started: str
    host_before: Host
    host_after: Host
    rows: tuple[FrameRow, ...]
    growth: Growth
    beside: SideBySide | None


def run_frames(bundle: Path = SHIPPED, peer: Path | None = None, settings: FrameSettings | None = None) -> Frames:
    """Time the reader on drawn frames, and beside another pipeline if a peer is given.

    Args:
        bundle: A bundle's folder.
        peer: Another project's `.tflite` file, to run behind Otsu's threshold.
        settings: The settings of the measurement.

    Raises:
        ModelCardError: The bundle is damaged, or has no file of this format and precision.
        RuntimeUnavailableError: The runtime is not installed or cannot run the file.
        BenchmarkError: The peer's file cannot be used.
    """
    settings = settings or FrameSettings()
    opened = open_bundle(bundle)
    reader = Reader(bundle, settings.runtime, settings.precision, threads=1)
    other = OtsuReader(peer) if peer else None
    started, host_before = datetime.now(UTC).isoformat(timespec="seconds"), describe_host()
    with _one_opencv_thread():
        rows = time_frames(reader, settings)
        page = draw_sized_page(SHARED_SIZE, SHARED_COUNT, settings.seed)
        amount = settings.shared_rounds, settings.shared_calls
        beside = read_side_by_side(reader, other, page, amount) if other else None
    return Frames(
        edge_mnist=version("edge-mnist"),
        name=opened.card.name,
        card_sha256=opened.card_sha256,
        runtime=reader.runtime.name,
        runtime_version=reader.runtime.version,
        opencv=cv2.__version__,
        settings=settings,
        started=started,
        host_before=host_before,
        host_after=describe_host(),
        rows=rows,
        growth=measure_growth([(row.megapixels, row.digits, row.total.p50) for row in rows]),
        beside=beside,
    )


def time_frames(reader: Reader, settings: FrameSettings) -> tuple[FrameRow, ...]:
    """Time each frame in each round; return rows in ascending order of sizes and counts."""
    cases = list(product(settings.sizes, settings.counts))
    pages = [draw_sized_page(size, count, settings.seed) for size, count in ProgressBar(cases, "draw")]
    taken: list[list[list[dict[str, float]]]] = [[] for _ in cases]
    order = np.random.default_rng(settings.seed)
    with ProgressBar(total=settings.rounds * len(cases), label="read", unit="frame") as bar:
        for _ in range(settings.rounds):
            for i in order.permutation(len(cases)).tolist():
                taken[i].append(_time_calls(reader, pages[i], settings.calls))
                bar.update()
    return tuple(_make_row(reader, page, times) for page, times in zip(pages, taken, strict=True))


def _time_calls(reader: Reader, page: DrawnPage, calls: int) -> list[dict[str, float]]:
    """Time each stage and the total, in ms, of each call but the first, which finds cold caches."""
    reader.read(page.frame)
    times: list[dict[str, float]] = []
    for _ in range(calls):
        started = time.perf_counter()
        reading = reader.read(page.frame)
        times.append({**reading.timing_ms, "total": round(1000 * (time.perf_counter() - started), 4)})
    return times


def _make_row(reader: Reader, page: DrawnPage, times: list[list[dict[str, float]]]) -> FrameRow:
    reading = reader.read(page.frame)
    pooled = {name: [call[name] for calls in times for call in calls] for name in (*STAGES, "total")}
    height, width = page.frame.shape
    return FrameRow(
        width=width,
        height=height,
        digits=len("".join(page.rows)),
        digit_px=page.digit_px,
        found=len(reading.digits),
        right=score_image(page.rows, reading.rows).matched,
        stages={stage: _spread(pooled[stage]) for stage in STAGES},
        total=_spread(pooled["total"]),
        rounds=[[call["total"] for call in calls] for calls in times],
    )


def _spread(times_ms: list[float]) -> Spread:
    p50, p90 = np.percentile(times_ms, (50, 90))
    return Spread(p50=float(p50), p90=float(p90))


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Limit OpenCV to one thread: the reader's setting is for inference only, OpenCV's is for the whole process."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
