"""Does the live loop run for days? `python -m tests.long.soak --minutes 30` prints memory, files and threads.

A video is read as fast as it goes, over and over, with the shipped model, into JSON Lines that rotate and a sink that
looks at pictures. Every few seconds something goes wrong with the camera. What was reached when everything had
happened at least once (a third of the time, a minute at most) is compared with the end: exit code 1 when memory grew by
more than 2 MB, or files or threads are left over. Memory is what is held: the C library gives back what is freed.
"""

import ctypes
import itertools
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from edge_mnist.benchmarks.scenes.sized_pages import draw_sized_page
from edge_mnist.edge.cameras.camera import Camera, CameraError, CameraFrame, CameraOptions
from edge_mnist.edge.cameras.video import VideoCamera
from edge_mnist.edge.live.events import CameraChange, Event
from edge_mnist.edge.live.loop import LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from edge_mnist.edge.live.sink_thread import Backlog
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.sinks.lines import write_json_to_file

MOST_GROWTH_MB = 2.0
# That a camera works between faults: longer than it must to count as steady.
FAULT_EVERY_S = 6.0
SILENCE_S = 0.5
HANGS_S = 1.5
WARM_UP_S = 60.0
# Often enough that the median is not moved by the buffers of the frame that happens to be in work.
SAMPLE_EVERY_S = 0.1
# malloc.h of glibc: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX.
MALLOC_SETTINGS = {-1: 1 << 16, -3: 1 << 16, -8: 1}


class Wobbly:
    """A video of which something goes wrong every now and then; `open` is what the loop calls."""

    def __init__(self, path: Path) -> None:
        self.faults = 0
        self._path = path
        self._kinds: Iterator[str] = itertools.cycle(["raise", "hang", "size", "no frame", "close", "colours"])
        self._next_s = 0.0

    def open(self) -> Camera:
        self._next_s = time.monotonic() + FAULT_EVERY_S
        return _WobblyVideo(VideoCamera(self._path, CameraOptions(fps=0, loop=True)), self)

    def next_fault(self) -> str | None:
        if time.monotonic() < self._next_s:
            return None
        self._next_s = time.monotonic() + FAULT_EVERY_S
        self.faults += 1
        return next(self._kinds)


class _WobblyVideo:
    waits = True
    sizes_differ = False

    def __init__(self, video: VideoCamera, plug: Wobbly) -> None:
        self.description = video.description
        self._video = video
        self._plug = plug

    def grab(self) -> CameraFrame | None:
        frame = self._video.grab()
        fault = self._plug.next_fault()
        if frame is None or fault is None:
            return frame
        if fault == "raise":
            raise CameraError("the cable is loose.")
        if fault == "close":
            raise RuntimeError("whatever a driver says")
        if fault == "hang":
            time.sleep(HANGS_S)
        if fault == "size":
            return replace(frame, gray=frame.gray[:240])
        if fault == "no frame":
            return replace(frame, gray=np.zeros((0, 0), np.uint8))
        if fault == "colours":
            return replace(frame, read_rgb=lambda: 1 / 0)
        return frame

    def close(self) -> None:
        self._video.close()


class Gallery:
    """A sink that looks at every picture that it gets, and keeps none."""

    name = "gallery"
    backlog: Backlog = "newest"

    def __init__(self) -> None:
        self.losses = 0

    def wants_picture(self) -> bool:
        return True

    def take(self, event: Event) -> None:
        self.losses += isinstance(event, CameraChange) and event.state == "lost"

    def close(self) -> None:
        """Nothing to do."""


def make_video(path: Path) -> None:
    """Ten digits on a page that moves a bit."""
    page = draw_sized_page((672, 512), 10, 1).frame
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for k in range(120):
        y, x = 16 + int(12 * np.sin(k / 9)), 16 + int(15 * np.sin(k / 19))
        writer.write(cv2.cvtColor(page[y : y + 480, x : x + 640], cv2.COLOR_GRAY2BGR))
    writer.release()


def give_freed_memory_back() -> None:
    """Have glibc return each freed buffer to the system, and let all threads share an arena.

    Left alone, it keeps what it may need again, and one frame that comes at an odd moment makes that 3 MB more, once.
    """
    for name, value in MALLOC_SETTINGS.items():
        if not ctypes.CDLL(None).mallopt(name, value):
            sys.exit(f"mallopt({name}, {value}) was refused; this needs glibc.")


def measure() -> tuple[float, int, int]:
    """Resident memory in MB, open files, threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208


def watch(loop: LiveLoop, plug: Wobbly, seconds: float) -> NDArray[np.float64]:
    """Print what is measured each ten seconds; return all after the warm-up, float64 [N, 3] as `measure` has it."""
    began = time.monotonic()
    warm_s = min(WARM_UP_S, seconds / 3)
    # Written now, lest what is kept of the measurements be what grows.
    kept = np.full((math.ceil((seconds - warm_s) / SAMPLE_EVERY_S) + 1, 3), np.nan)
    count, read_before, printed_s = 0, 0, began
    while (spent := time.monotonic() - began) < seconds:
        time.sleep(SAMPLE_EVERY_S)
        if spent >= warm_s:
            kept[count] = measure()
            count += 1
        if (since := time.monotonic() - printed_s) >= min(10, seconds / 6):
            memory_mb, files, threads = measure()
            rate = 60 * (loop.frames_read - read_before) / since
            click.echo(
                f"{spent:6.0f} s  {memory_mb:7.1f} MB  {files:3} files  {threads:2} threads  {rate:7.0f} frames/min  "
                f"{plug.faults:4} faults"
            )
            read_before, printed_s = loop.frames_read, time.monotonic()
    return kept[:count]


def compare(kept: NDArray[np.float64]) -> bool:
    """Print what grew from the first tenth of what was measured to the last; whether it was too much."""
    tenth = max(3, len(kept) // 10)
    memory, files, threads = np.median(kept[-tenth:], axis=0) - np.median(kept[:tenth], axis=0)
    click.echo(f"memory grew by {memory:.2f} MB, files by {files:g}, threads by {threads:g}")
    return bool(memory > MOST_GROWTH_MB or files > 0 or threads > 0)


@click.command(help=__doc__)
@click.option("--minutes", type=click.FloatRange(min=0.1), default=30.0, show_default=True)
def main(minutes: float) -> None:
    """See the module."""
    give_freed_memory_back()
    seconds = 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "page.mp4"
        make_video(video)
        plug, gallery = Wobbly(video), Gallery()
        sinks = [write_json_to_file(Path(folder) / "log.jsonl", 1_000_000, every_frame=True), gallery]
        loop = LiveLoop(plug.open, "video", Reader(), sinks, LiveSettings(silence_s=SILENCE_S))
        thread = threading.Thread(target=loop.run)
        thread.start()
        kept = watch(loop, plug, seconds)
        if not thread.is_alive():
            sys.exit("the loop ended by itself.")
        loop.stop()
        thread.join(5)
        grew = compare(kept)
        click.echo(f"{loop.frames_read} frames, {plug.faults} faults, {gallery.losses} losses reported")
        sys.exit(1 if grew or thread.is_alive() else 0)


if __name__ == "__main__":
    main()
