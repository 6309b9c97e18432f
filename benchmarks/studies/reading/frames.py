"""How long the reader takes for a frame, on one thread, and how that grows with pixels and with digits.

All frames are gone through in random order in each round, so that a slow minute of the machine falls on all alike.

Version history of the schema:
    1  First version.
"""

import hashlib
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

from ....edge.bundle.card import Precision, encode_card
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
# A webcam's frame, a camera's preview, and a phone's photograph: 0.3, 2 and 12 megapixels.
SIZES = ((640, 480), (1632, 1224), (4000, 3000))
COUNTS = (1, 10, 100, 200)
# What both pipelines read side by side.
SHARED_SIZE, SHARED_COUNT = (640, 480), 10
STAGES = ("find", "frame", "infer")


class FrameSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured and how often.

    Attributes:
        runtime: None for the first one installed.
        rounds: How often all frames are gone through.
        calls: Timed in each round for each frame, after one that is not.
        sizes: (width, height) of the frames, pixels, ascending.
        counts: Of digits, ascending.
        shared_rounds: How many rounds both pipelines take turns in.
        shared_calls: Timed of each of them in each of those.
        seed: Of the drawings and the order.
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
    """Where the times of all calls lie, ms."""

    p50: float
    p90: float


class FrameRow(msgspec.Struct, frozen=True, kw_only=True):
    """A frame and how long it took.

    Attributes:
        digits: How many there are.
        digit_px: Their height in the frame.
        found: How many the reader reported.
        right: How many of those are there, as multisets.
        stages: Of each stage, by its own clock.
        total: From the frame to the reading, by a clock around the call.
        rounds: Every total, a list for each round, ms.
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
        """Of the frame."""
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
    """Time the reader on drawn frames, and beside another pipeline where there is one.

    Args:
        bundle: A bundle's folder.
        peer: Somebody's `.tflite` file, to run behind Otsu's threshold.
        settings: How much to measure.

    Raises:
        ModelCardError: The bundle does not hold, or has no file of this format and precision.
        RuntimeUnavailableError: The runtime is not installed or cannot run the file.
        PeerError: The peer's file cannot be used.
    """
    settings = settings or FrameSettings()
    opened = open_bundle(bundle)
    reader = Reader(bundle, settings.runtime, settings.precision, num_threads=1)
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
        card_sha256=hashlib.sha256(encode_card(opened.card)).hexdigest(),
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
    """Time each frame in each round; sizes and counts ascend in what comes back."""
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
    """Milliseconds of each stage and in total, of each call but the first, which finds caches cold."""
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
    """The reader's own thread setting is for the inference; OpenCV has one for the whole process."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
