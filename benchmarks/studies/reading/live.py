"""The speed of the live loop: frames per second alone and with clients, latency, and time to the first digit.

A video of drawn pages is made and read as `edge-mnist live` reads it. Everything runs on this machine, the clients that
watch included, so they take their share of its processors.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import cv2
import msgspec
import numpy as np

from ....edge.cameras.camera import CameraOptions
from ....edge.cameras.video import VideoCamera
from ....edge.common.machine import Host, describe_host
from ....edge.common.scratch import scratch_folder
from ....edge.common.terminal.progress import ProgressBar
from ....edge.live.events import Event, Sighting
from ....edge.live.loop import LiveLoop
from ....edge.live.settings import LiveSettings
from ....edge.live.sink_thread import Backlog, Sink
from ....edge.reading.reader import Reader
from ...errors import BenchmarkError
from ...scenes.sized_pages import draw_sized_page
from .live_process import Follower, LiveProcess, PictureTaker

SIZE = (640, 480)
DIGITS = 10
# Amplitude of the camera's sway, pixels: a still picture would never move a track.
SWAY = 16
# Frames of a page before the next one is shown, in the video that latency is measured on, which plays at its own pace.
PAGE_FRAMES = 15
PAGES = 10
FPS = 30
# Calls of the command line, until it shows its first digits.
COLD_STARTS = 5


class LiveSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """The results. Every list has a value for each round, process or page.

    Attributes:
        fps_alone: Frames per second of the loop without sinks, one value per round.
        fps_watched: Frames per second of `edge-mnist live --json --every-frame --web 0`, whose output is read and
            parsed here, with two clients: one follows its events, one takes its pictures.
        pictures_per_s: Pictures per second of the second client meanwhile.
        frames_to_announce: For each page after the first, the number of frames from its first one to its announcement.
        latency_ms: Time from a page's first frame to its announcement, in ms.
        cold_start_s: Time from starting the command to its first line with digits, in seconds.
    """

    edge_mnist: str
    runtime: str
    frames: int
    host: Host
    fps_alone: list[float]
    fps_watched: list[float]
    pictures_per_s: list[float]
    frames_to_announce: list[int]
    latency_ms: list[float]
    cold_start_s: list[float]


def run_live_speed(frames: int, rounds: int) -> LiveSpeed:
    """Measure with the shipped model, int8, one thread, on 640x480 with ten digits.

    Args:
        frames: Number of frames to read in each round.
        rounds: Number of rounds; alone and watched take turns.

    Raises:
        BenchmarkError: `edge-mnist live` ended early, printed nothing, or never announced a page.
    """
    reader = Reader()
    alone: list[float] = []
    watched: list[tuple[float, float]] = []
    cold: list[float] = []
    with (
        scratch_folder() as folder,
        ProgressBar(total=2 * rounds + COLD_STARTS + 1) as progress,
    ):
        sway, pages = folder / "sway.avi", folder / "pages.avi"
        _write_sway(sway)
        _write_pages(pages)
        for _ in range(rounds):
            alone.append(_read_alone(reader, sway, frames))
            progress.update()
            watched.append(_read_watched(sway, frames))
            progress.update()
        for _ in range(COLD_STARTS):
            cold.append(_start_cold(sway))
            progress.update()
        announced = _announce(reader, pages)
    return LiveSpeed(
        edge_mnist=version("edge-mnist"),
        runtime=f"{reader.runtime.name} {reader.runtime.version}",
        frames=frames,
        host=describe_host(),
        fps_alone=alone,
        fps_watched=[fps for fps, _ in watched],
        pictures_per_s=[pictures for _, pictures in watched],
        frames_to_announce=[count for count, _ in announced],
        latency_ms=[latency for _, latency in announced],
        cold_start_s=cold,
    )


def _write_sway(path: Path) -> None:
    """Write a video of a page before a camera that sways, for ten seconds."""
    page = draw_sized_page((SIZE[0] + 2 * SWAY, SIZE[1] + 2 * SWAY), DIGITS, seed=1)
    with _writing(path) as video:
        for index in range(10 * FPS):
            x, y = (SWAY + round(SWAY * np.sin(index / period) / 2) for period in (31, 20))
            video.write(cv2.cvtColor(page.frame[y : y + SIZE[1], x : x + SIZE[0]], cv2.COLOR_GRAY2BGR))


def _write_pages(path: Path) -> None:
    """Write a video of one page after the other."""
    with _writing(path) as video:
        for seed in range(PAGES):
            frame = cv2.cvtColor(draw_sized_page(SIZE, DIGITS, seed).frame, cv2.COLOR_GRAY2BGR)
            for _ in range(PAGE_FRAMES):
                video.write(frame)


@contextmanager
def _writing(path: Path) -> Iterator[cv2.VideoWriter]:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    try:
        yield video
    finally:
        video.release()


def _read_alone(reader: Reader, path: Path, frames: int) -> float:
    """Measure frames per second of the loop with no sink, opening the file included."""
    started = time.perf_counter()
    _make_loop(reader, path, CameraOptions(fps=0, loop=True), frames).run()
    return frames / (time.perf_counter() - started)


def _announce(reader: Reader, path: Path) -> list[tuple[int, float]]:
    """Play the pages at a camera's pace; return how many frames and ms after its first each is announced."""
    seen = _RecordingSink()
    # Once, not in a loop until all are read: if frames were skipped, the first page would be read again.
    _make_loop(reader, path, CameraOptions(fps=FPS), None, seen).run()
    by_page: list[list[Sighting]] = [[] for _ in range(PAGES)]
    for sighting in seen.sightings:
        by_page[min(_frame_of(sighting) // PAGE_FRAMES, PAGES - 1)].append(sighting)
    # What holds in the end is what was to be announced; the first page waits for nothing but the start.
    pages = enumerate(by_page[1:], start=1)
    return [_find_announcement(sightings, page * PAGE_FRAMES) for page, sightings in pages]


def _find_announcement(sightings: list[Sighting], first: int) -> tuple[int, float]:
    rows = sightings[-1].rows if sightings else ()
    if not rows:
        raise BenchmarkError(
            "a page of digits was shown for half a second, but nothing was announced. Measure again on an idle machine."
        )
    sighting = next(sighting for sighting in sightings if sighting.rows == rows)
    return _frame_of(sighting) - first, sighting.latency_ms


def _frame_of(sighting: Sighting) -> int:
    """Return its frame's number in the video, counting frames that were not read."""
    return sighting.index + sighting.rates.skipped


def _make_loop(reader: Reader, path: Path, options: CameraOptions, frames: int | None, *sinks: Sink) -> LiveLoop:
    return LiveLoop(lambda: VideoCamera(path, options), str(path), reader, sinks, LiveSettings(frames=frames))


class _RecordingSink:
    """A sink that keeps its sightings."""

    name = "what was seen"
    backlog: Backlog = "all"

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []

    def wants_picture(self) -> bool:
        return False

    def take(self, event: Event) -> None:
        if isinstance(event, Sighting):
            self.sightings.append(event)

    def close(self) -> None:
        """Do nothing, since nothing is open."""


def _start_cold(path: Path) -> float:
    """Measure the seconds from starting the command to its first line with digits."""
    started = time.perf_counter()
    with LiveProcess("--camera", str(path), "--json") as process:
        for line in process.read_lines():
            if line.get("announced"):
                return time.perf_counter() - started
    raise BenchmarkError("`edge-mnist live` ended without an announcement. Measure again on an idle machine.")


def _read_watched(path: Path, frames: int) -> tuple[float, float]:
    """Measure frames per second with a line for each and two clients, and the pictures per second of one of them."""
    camera = ("--camera", str(path), "--fps", "0", "--loop", "--frames", str(frames))
    with LiveProcess(*camera, "--json", "--every-frame", "--web", "0") as process:
        readings = (line for line in process.read_lines() if line["event"] == "reading")
        next(readings, None)
        started = time.perf_counter()
        events, pictures = Follower(process.read_url()), PictureTaker(process.read_url())
        count = sum(1 for _ in readings)
        seconds = time.perf_counter() - started
    if count + 1 < frames:
        raise BenchmarkError(f"`edge-mnist live` ended after {count + 1} of {frames} frames.")
    if not (events.count and pictures.count):
        raise BenchmarkError("the page's server sent nothing to its clients. Measure again on an idle machine.")
    return count / seconds, pictures.count / seconds
