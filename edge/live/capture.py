"""A thread that opens a camera and keeps its newest frame ready, until it is stopped or the camera fails.

It owns the camera, so that one that hangs in its driver delays nothing else. Such a thread cannot be ended from
outside: it is abandoned, and releases the camera by itself if the driver ever returns.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..cameras.camera import Camera, CameraError, CameraFrame
from ..common.errors import format_error

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimedFrame:
    """A frame, and the milliseconds that the camera took to return it."""

    frame: CameraFrame
    capture_ms: float


class Capture:
    """One camera from opening to closing, used by its own thread and one other.

    Attributes:
        given: Number of frames that the camera returned.
        skipped: Number of those that newer ones replaced before they were taken.
        damaged: Number of frames that the camera left out because they were damaged.
        description: Description of the camera; empty until it is open.
        open_s: Seconds that opening took; None until it is open.
    """

    def __init__(self, open_camera: Callable[[], Camera]) -> None:
        """Start the thread, which opens the camera."""
        self.given = 0
        self.skipped = 0
        self.damaged = 0
        self.description = ""
        self.open_s: float | None = None
        self._open_camera = open_camera
        # Guards the attributes below.
        self._changed = threading.Condition()
        self._slot: TimedFrame | None = None
        self._is_read = False
        self._given_up = False
        self._failure: CameraError | None = None
        self._ended = False
        self._began_s: float | None = None
        # A thread in a driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> CameraError | None:
        """Why there will be no more frames, once all were taken; None while there may be more."""
        with self._changed:
            return self._failure if self._slot is None else None

    @property
    def ended(self) -> bool:
        """Whether all frames of a file were taken."""
        with self._changed:
            return self._ended and self._slot is None

    @property
    def is_alive(self) -> bool:
        """Whether the thread still has the camera."""
        return self._thread.is_alive()

    @property
    def step_s(self) -> float | None:
        """Seconds spent so far on the current step: opening, a frame, closing. None between steps."""
        began_s = self._began_s
        return None if began_s is None else time.monotonic() - began_s

    def take(self, timeout_s: float) -> TimedFrame | None:
        """Take the newest frame; None if none arrives within the time. It is the caller's until `release`."""
        with self._changed:
            if self._slot is None and self._failure is None and not self._ended:
                self._changed.wait(timeout_s)
            shot, self._slot = self._slot, None
            self._is_read = shot is not None
            self._changed.notify_all()
            return shot

    def release(self, shot: TimedFrame) -> None:
        """Return a frame that was taken."""
        self._give_back(shot)
        with self._changed:
            self._is_read = False
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Record why there will be no more frames, and stop capturing."""
        _logger.debug("camera failed", exc_info=error)
        with self._changed:
            self._failure = self._failure or _without_traceback(error)
            self._changed.notify_all()

    def give_up(self) -> None:
        """Close the camera as soon as possible, without waiting for it."""
        with self._changed:
            self._given_up = True
            shot, self._slot = self._slot, None
            self._changed.notify_all()
        if shot is not None:
            self._give_back(shot)

    def join(self, timeout_s: float) -> None:
        """Wait at most this long until the camera is closed."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with self._timed():
                began_s = time.monotonic()
                camera = self._open_camera()
                self.open_s = time.monotonic() - began_s
        except Exception as error:  # a driver raises any exception
            self.fail(error)
            return
        try:
            self.description = camera.description
            self._grab_all(camera)
        except Exception as error:  # a driver raises any exception
            self.fail(error)
        finally:
            self._close(camera)

    def _grab_all(self, camera: Camera) -> None:
        shape: tuple[int, ...] | None = None
        while not self._given_up and self._failure is None:
            began_s = time.monotonic()
            with self._timed():
                frame = camera.grab()
            self.damaged = getattr(camera, "damaged", 0)
            if frame is None:
                self._end()
                return
            shot = TimedFrame(frame, 1000 * (time.monotonic() - began_s))
            try:
                shape = _check(frame, None if camera.sizes_differ else shape)
            except CameraError:
                self._give_back(shot)
                raise
            self._put(shot, camera.waits)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Measure the step within the block for `step_s`."""
        self._began_s = time.monotonic()
        try:
            yield
        finally:
            self._began_s = None

    def _put(self, shot: TimedFrame, waits: bool) -> None:
        with self._changed:
            if self._given_up:
                replaced = shot
            else:
                replaced, self._slot = self._slot, shot
                self.given += 1
                self.skipped += replaced is not None
                self._changed.notify_all()
            while waits and self._slot is shot:
                self._changed.wait()
        if replaced is not None:
            self._give_back(replaced)

    def _give_back(self, shot: TimedFrame) -> None:
        try:
            shot.frame.release()
        except Exception as error:  # a driver raises any exception
            self.fail(error)

    def _end(self) -> None:
        if not self.given:
            raise CameraError("it delivered no frame.")
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _close(self, camera: Camera) -> None:
        """Close the camera once its last frame is released: the pixels may be the camera's own memory."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot is None and not self._is_read)
        try:
            with self._timed():
                camera.close()
        except Exception as error:  # a driver raises any exception
            _logger.info("closing the camera failed: %s: %s", type(error).__name__, error)


def _without_traceback(error: Exception) -> CameraError:
    """Copy an error's message: its traceback would keep a frame of a megabyte in memory for a long time."""
    if isinstance(error, CameraError):
        return type(error)(str(error))
    return CameraError(format_error(error))


def _check(frame: CameraFrame, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Check a frame against the camera's contract and the frame before; return its shape."""
    gray = frame.gray
    if not isinstance(gray, np.ndarray) or gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0:
        found = f"{gray.dtype} {gray.shape}" if isinstance(gray, np.ndarray) else type(gray).__name__
        raise CameraError(f"it delivered {found}, expected a gray frame, uint8 [height, width].")
    if shape is not None and gray.shape != shape:
        raise CameraError(
            f"the frame size changed from {shape[1]} x {shape[0]} to {gray.shape[1]} x {gray.shape[0]} pixels."
        )
    return gray.shape
