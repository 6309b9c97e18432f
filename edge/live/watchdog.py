"""Keep a camera working: notice a lost one, however it was lost, and open it repeatedly until it is back."""

import logging
import time
from collections.abc import Callable
from typing import Literal

from ..cameras.camera import Camera, CameraError, CameraFileError, CameraUnsupportedError
from .capture import Capture, TimedFrame
from .settings import LiveSettings

# Between the starts of two attempts: the first pause, and the longest; each is twice the one before.
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
# After working for this long, a camera's pauses start from the shortest again. One that comes and goes is opened
# rarely.
STEADY_S = 5.0
# If this many threads hang in a driver, no camera is opened until one of them returns. The loop then no longer counts
# as healthy: systemd's watchdog, if there is one, restarts the process.
MOST_STUCK = 3

State = Literal["open", "lost", "ended"]

_logger = logging.getLogger(__name__)


class Watchdog:
    """The camera of a live loop, used by its thread alone.

    Attributes:
        ended: Whether the camera was a file, and all its frames were taken.
    """

    def __init__(
        self,
        open_camera: Callable[[], Camera],
        source: str,
        settings: LiveSettings,
        report: Callable[[State, str], None],
    ) -> None:
        """Start opening the camera.

        Args:
            open_camera: Function that opens the camera; it may hang, and raise any exception.
            source: Name of the camera for people.
            settings: Settings of the live loop.
            report: Function called with each change, on the thread that takes frames: a state and a sentence.
        """
        self.ended = False
        self._open_camera = open_camera
        self._source = source
        self._settings = settings
        self._report = report
        self._state: State | None = None
        self._first_open_s: float | None = None
        self._given_before = self._skipped_before = self._damaged_before = 0
        # Threads that were abandoned and still run.
        self._given_up: list[Capture] = []
        self._capture: Capture | None = None
        self._pause_s = FIRST_PAUSE_S
        self._next_try_s = 0.0
        self._tried_s = self._since_s = 0.0
        self._open()

    @property
    def given(self) -> int:
        """Number of frames that arrived so far."""
        return self._given_before + (self._capture.given if self._capture else 0)

    @property
    def skipped(self) -> int:
        """Number of frames so far that were replaced by newer ones."""
        return self._skipped_before + (self._capture.skipped if self._capture else 0)

    @property
    def damaged(self) -> int:
        """Number of frames so far that the camera left out because they were damaged."""
        return self._damaged_before + (self._capture.damaged if self._capture else 0)

    @property
    def is_healthy(self) -> bool:
        """Whether there are frames or, at least, attempts to open the camera."""
        return len(self._given_up) < MOST_STUCK

    def take(self, timeout_s: float) -> TimedFrame | None:
        """Take the newest frame, to be returned by `release`; None if none arrives within the time.

        Raises:
            CameraError: The camera never worked and must not be waited for, or a file cannot be played to its end.
        """
        self.watch()
        if self._capture is None:
            time.sleep(timeout_s)
            return None
        shot = self._capture.take(timeout_s)
        if shot is not None and self._state != "open":
            self._first_open_s = self._first_open_s or self._capture.open_s
            self._since_s = time.monotonic()
            self._change("open", self._capture.description)
        return shot

    def release(self, shot: TimedFrame) -> None:
        """Return a frame."""
        if self._capture is not None:
            self._capture.release(shot)

    def fail(self, error: Exception) -> None:
        """Treat the camera as lost because of an error in its frames."""
        if self._capture is not None:
            self._capture.fail(error)

    def watch(self) -> None:
        """Check whether the camera works, and act if it does not.

        Raises:
            CameraError: See `take`.
        """
        self._given_up = [capture for capture in self._given_up if capture.is_alive]
        capture = self._capture
        if capture is None:
            self._try_again()
        elif (failure := capture.failure) is not None:
            self._lose(capture, failure)
        elif capture.ended:
            self.ended = True
            self._change("ended", capture.description)
        elif self._hangs(capture):
            what = "open" if capture.open_s is None else "deliver a frame"
            self._lose(capture, CameraError(f"it did not {what} within {self._limit_s(capture):.1f} s."))

    def close(self, timeout_s: float) -> None:
        """Release the camera, waiting at most this long."""
        if self._capture is not None:
            self._capture.give_up()
            self._capture.join(timeout_s)

    def _open(self) -> None:
        self._tried_s = time.monotonic()
        self._capture = Capture(self._open_camera)

    def _hangs(self, capture: Capture) -> bool:
        """Whether its camera has spent too long on one step."""
        return (capture.step_s or 0) > self._limit_s(capture)

    def _limit_s(self, capture: Capture) -> float:
        """Return how long the camera may take for its current step, in seconds."""
        settings = self._settings
        if capture.open_s is None:
            if self._first_open_s is None:
                return settings.first_open_s
            return max(settings.open_again_s, self._first_open_s)
        if not capture.given:
            # A machine on which drivers take long takes long for the first frame, too.
            return max(settings.longest_silence_s, capture.open_s)
        return settings.longest_silence_s

    def _lose(self, capture: Capture, error: CameraError) -> None:
        """Abandon a camera, report it once, and set when to open it again.

        Raises:
            CameraError: The camera must not be opened again.
        """
        capture.give_up()
        text = str(error)
        message = text if text.startswith(self._source) else f"{self._source}: {text}"
        waits = self._settings.wait_for_camera and not isinstance(error, CameraUnsupportedError)
        if isinstance(error, CameraFileError):
            self._change("ended", message)
        if isinstance(error, CameraFileError) or (self._first_open_s is None and not waits):
            raise type(error)(message)
        self._given_before += capture.given
        self._skipped_before += capture.skipped
        self._damaged_before += capture.damaged
        self._capture = None
        self._given_up.append(capture)
        self._plan_next_try()
        if self._state == "lost":
            _logger.info("%s", message)
        else:
            self._change("lost", message)

    def _plan_next_try(self) -> None:
        now = time.monotonic()
        if self._state == "open" and now - self._since_s >= STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        self._next_try_s = max(self._tried_s + self._pause_s, now + FIRST_PAUSE_S)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _try_again(self) -> None:
        """Open the camera again if it is time, and its thread has released it or hangs."""
        if time.monotonic() < self._next_try_s or not self.is_healthy:
            return
        if all(self._hangs(capture) for capture in self._given_up):
            self._open()

    def _change(self, state: State, message: str) -> None:
        self._state = state
        self._report(state, message)
