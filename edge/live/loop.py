"""The live loop: the newest frame is read, its digits are followed, and events are passed to sinks.

There are three kinds of threads. One owns the camera (`capture.py`), so that the next frame is captured while one is
read. The thread that calls `run` reads. Each sink has its own (`sink_thread.py`), so that a slow one delays nothing.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..cameras.camera import Camera
from ..reading.reader import Reader, Reading
from .capture import TimedFrame
from .events import CameraChange, Event, Rates, Sighting
from .settings import LiveSettings
from .sink_thread import Sink, SinkError, SinkThread, close_sinks
from .systemd import Systemd
from .tracking import TrackedFrame, Tracker
from .watchdog import State, Watchdog

WINDOW_S = 3.0
# Counts are recorded at most this often, so that little is kept however fast they grow.
NOTED_EVERY_S = 0.1


class Rate:
    """The rate at which a count grows."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()

    def per_second(self, count: int) -> float:
        """Return the rate over the last seconds, or since the last call if that was earlier; 0 at the first call."""
        now = time.monotonic()
        noted = self._noted
        while len(noted) > 1 and noted[1][0] < now - WINDOW_S:
            noted.popleft()
        if not noted:
            noted.append((now, count))
            return 0.0
        then, before = noted[0]
        if now - noted[-1][0] >= NOTED_EVERY_S:
            noted.append((now, count))
        return (count - before) / (now - then) if now > then else 0.0


# Longest sleep of the loop before it checks whether to stop and whether the camera works.
TICK_S = 0.2
# A camera set to the requested frame rate may run by a clock slightly faster than ours: frames that are early by this
# share of the time between them are read, or each would wait for the next one's time.
EARLY = 0.05
# Stopping takes less than a second: at most a tick, this for the camera, and this for the sinks.
CAMERA_CLOSES_S = 0.2
SINKS_CLOSE_S = 0.4
# At a file's end there is time: for a video to be written, or a broker to receive the rest.
SINKS_FINISH_S = 10.0

_logger = logging.getLogger(__name__)


class LiveLoop:
    """A loop that reads a camera until it is stopped or the camera, being a file, is at its end.

    Attributes:
        frames_read: Number of frames that were read.
    """

    def __init__(
        self,
        open_camera: Callable[[], Camera],
        source: str,
        reader: Reader,
        sinks: Sequence[Sink],
        settings: LiveSettings = LiveSettings(),  # noqa: B008 - it is frozen
    ) -> None:
        """Prepare the loop; it starts with `run`.

        Args:
            open_camera: Function that opens the camera; called again whenever it was lost, on separate threads.
            source: The camera, as the user named it.
            reader: Reader used by the thread that calls `run`.
            sinks: Sinks that receive events; `run` closes them.
            settings: Settings of the loop.
        """
        self.frames_read = 0
        self._open_camera = open_camera
        self._source = source
        self._reader = reader
        self._sinks = sinks
        self._settings = settings
        self._stopping = False
        self._is_reading = False
        self._tracker = Tracker()
        self._frame_size: tuple[int, int] | None = None
        self._camera_rate, self._read_rate = Rate(), Rate()
        self._due_s = 0.0
        # Time of the first frame.
        self._began_s = 0.0
        self._before_ms = {"draw": 0.0, "publish": 0.0}

    def run(self) -> None:
        """Read until the end, then close all sinks; can be called once only.

        Raises:
            CameraUnsupportedError: The camera can never work.
            SinkError: Some results could not be written.
            CameraError: The camera does not work, and never did, see `LiveSettings.wait_for_camera`; or it is a file
                that is damaged, cut off or gone.
        """
        self._outlets = [SinkThread(sink) for sink in self._sinks]
        self._systemd = Systemd()
        self._watchdog = Watchdog(self._open_camera, self._source, self._settings, self._report_change)
        began_s = time.monotonic()
        try:
            while not self._is_over(time.monotonic() - began_s):
                self._step()
        finally:
            self._finish()
        if failed := [outlet.sink.name for outlet in self._outlets if outlet.failures]:
            raise SinkError(f"{', '.join(failed)}: some output could not be written, see above.")

    def interrupt(self) -> None:
        """Stop, and abandon a frame that is being read, which may take long.

        Called from a signal handler, which interrupts the thread that calls `run`.

        Raises:
            KeyboardInterrupt: Raised within the reader; `run` catches it.
        """
        self._stopping = True
        if self._is_reading:
            self._is_reading = False
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Make `run` return within a second. Safe in any thread and in signal handlers: it takes no lock."""
        self._stopping = True

    def _is_over(self, seconds: float) -> bool:
        settings = self._settings
        return (
            self._stopping
            or (bool(self._outlets) and all(outlet.gave_up for outlet in self._outlets))
            or self._watchdog.ended
            or (settings.frames is not None and self.frames_read >= settings.frames)
            or (settings.seconds is not None and seconds >= settings.seconds)
        )

    def _step(self) -> None:
        """Read a frame, if one is available and it is time; return after a tick at the latest."""
        early_s = self._due_s - time.monotonic()
        if early_s > 0:
            self._watchdog.watch()
            time.sleep(min(early_s, TICK_S))
        elif (shot := self._watchdog.take(TICK_S)) is not None:
            self._began_s = self._began_s or time.monotonic()
            if self._settings.fps:
                self._due_s = time.monotonic() + (1 - EARLY) / self._settings.fps
            if (sighting := self._read(shot)) is not None:
                self._publish(sighting)
        if self._watchdog.is_healthy:
            self._systemd.alive()

    def _read(self, shot: TimedFrame) -> Sighting | None:
        """Read a frame and release it at once; return None if reading was interrupted."""
        frame = shot.frame
        try:
            self._is_reading = True
            reading = self._reader.read(frame.gray)
            self._is_reading = False
            height, width = frame.gray.shape
            picture, draw_ms = self._draw(shot)
        except KeyboardInterrupt:
            if self._stopping:
                return None
            raise
        finally:
            self._is_reading = False
            self._watchdog.release(shot)
        clock = time.perf_counter()
        followed = self._follow(reading, (width, height))
        track_ms = 1000 * (time.perf_counter() - clock)
        age_s = time.monotonic() - frame.captured_s
        sighting = Sighting(
            source=self._source,
            index=self.frames_read,
            captured_at=time.time() - age_s,
            frame_size=(width, height),
            reading=reading,
            tracks=followed.tracks,
            rows=followed.rows,
            is_new=followed.is_new,
            latency_ms=1000 * age_s,
            timing_ms={"capture": shot.capture_ms, **reading.timing_ms, "track": track_ms, **self._before_ms},
            rates=self._measure_rates(),
            picture=picture,
        )
        self.frames_read += 1
        self._before_ms = {"draw": draw_ms, "publish": 0.0}
        return sighting

    def _draw(self, shot: TimedFrame) -> tuple[NDArray[np.uint8] | None, float]:
        """Return the frame's picture if a sink needs one, and the milliseconds that it took."""
        clock = time.perf_counter()
        picture = None
        if any([outlet.wants_picture() for outlet in self._outlets]):  # noqa: C419 - each must be asked
            try:
                picture = shot.frame.read_rgb()
            except Exception as error:  # a driver raises any exception
                self._watchdog.fail(error)
        return picture, 1000 * (time.perf_counter() - clock)

    def _follow(self, reading: Reading, size: tuple[int, int]) -> TrackedFrame:
        """Follow digits; start over when the frame size changes, because places then have another meaning."""
        if size != self._frame_size:
            self._tracker.forget()
            self._frame_size = size
        return self._tracker.update(reading)

    def _measure_rates(self) -> Rates:
        return Rates(
            camera_fps=self._camera_rate.per_second(self._watchdog.given),
            read_fps=self._read_rate.per_second(self.frames_read),
            skipped=self._watchdog.skipped,
            damaged=self._watchdog.damaged,
        )

    def _publish(self, event: Event) -> None:
        clock = time.perf_counter()
        for outlet in self._outlets:
            outlet.put(event)
        self._before_ms["publish"] = 1000 * (time.perf_counter() - clock)

    def _report_change(self, state: State, message: str) -> None:
        _logger.info("camera %s: %s", state, message)
        # Waiting for a camera is part of the service, too.
        self._systemd.ready()
        self._systemd.status(f"camera {state}: {message}")
        self._publish(CameraChange(self._source, state, message, time.time()))

    def _finish(self) -> None:
        self._systemd.stopping()
        _logger.info(
            "%d frames read, %.1f per second; %d skipped%s.",
            self.frames_read,
            self.frames_read / max(1e-9, time.monotonic() - self._began_s),
            self._watchdog.skipped,
            f", {self._watchdog.damaged} damaged and left out" if self._watchdog.damaged else "",
        )
        self._watchdog.close(CAMERA_CLOSES_S)
        if not self._stopping:
            self._wait_for_sinks()
        for outlet in close_sinks(self._outlets, SINKS_CLOSE_S):
            _logger.warning("%s did not finish in time.", outlet.sink.name)

    def _wait_for_sinks(self) -> None:
        """Wait for sinks for a limited time, unless the loop was stopped."""
        end_s = time.monotonic() + SINKS_FINISH_S
        for outlet in self._outlets:
            outlet.start_closing(SINKS_FINISH_S)
        while not self._stopping and time.monotonic() < end_s and not all(outlet.close(0) for outlet in self._outlets):
            time.sleep(0.02)
