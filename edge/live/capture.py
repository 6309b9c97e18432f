"""A thread that opens a camera and holds its newest frame ready, until it is told to let go or the camera fails.

It has the camera to itself, so that one that hangs in its driver keeps nobody else waiting. Such a thread cannot be
ended from outside: it is given up, and lets go of the camera by itself should the driver ever come back.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..cameras.camera import Camera, CameraError, CameraFrame
from ..common.errors import name_error

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimedFrame:
    """A frame, and how long the camera took to give it, milliseconds."""

    frame: CameraFrame
    capture_ms: float


class Capture:
    """One camera from opening to closing. One thread besides its own uses it.

    Attributes:
        given: Frames that the camera gave.
        skipped: Those of them that newer ones replaced before they were taken.
        damaged: Frames that the camera left out because they were damaged.
        description: The camera's; empty until it is open.
        open_s: How long opening took, seconds; None until it is open.
    """

    def __init__(self, open_camera: Callable[[], Camera]) -> None:
        """Start the thread, which opens the camera."""
        self.given = 0
        self.skipped = 0
        self.damaged = 0
        self.description = ""
        self.open_s: float | None = None
        self._open_camera = open_camera
        # Guards what follows.
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
        """Why there will be no more frames, once all were taken; None while there may be."""
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
        """For how long the camera has been at what it was last asked: opening, a frame, closing. None between those."""
        began_s = self._began_s
        return None if began_s is None else time.monotonic() - began_s

    def take(self, timeout_s: float) -> TimedFrame | None:
        """The newest frame; None where none comes within the time. It is the caller's until `release`."""
        with self._changed:
            if self._slot is None and self._failure is None and not self._ended:
                self._changed.wait(timeout_s)
            shot, self._slot = self._slot, None
            self._is_read = shot is not None
            self._changed.notify_all()
            return shot

    def release(self, shot: TimedFrame) -> None:
        """Give a frame back that was taken."""
        self._give_back(shot)
        with self._changed:
            self._is_read = False
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Remember why there will be no more frames, and grab none."""
        _logger.debug("camera failed", exc_info=error)
        with self._changed:
            self._failure = self._failure or _without_traceback(error)
            self._changed.notify_all()

    def give_up(self) -> None:
        """Have it close the camera as soon as it can; do not wait for it."""
        with self._changed:
            self._given_up = True
            shot, self._slot = self._slot, None
            self._changed.notify_all()
        if shot is not None:
            self._give_back(shot)

    def join(self, timeout_s: float) -> None:
        """Wait until it has closed the camera, at most so long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with self._timed():
                began_s = time.monotonic()
                camera = self._open_camera()
                self.open_s = time.monotonic() - began_s
        except Exception as error:  # a driver raises what it likes
            self.fail(error)
            return
        try:
            self.description = camera.description
            self._grab_all(camera)
        except Exception as error:  # a driver raises what it likes
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
        """What `step_s` tells in the meantime."""
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
        except Exception as error:  # a driver raises what it likes
            self.fail(error)

    def _end(self) -> None:
        if not self.given:
            raise CameraError("it gave no frame at all.")
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _close(self, camera: Camera) -> None:
        """Close it once nobody reads its last frame any more: the pixels may be the camera's own memory."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot is None and not self._is_read)
        try:
            with self._timed():
                camera.close()
        except Exception as error:  # a driver raises what it likes
            _logger.info("closing the camera failed: %s: %s", type(error).__name__, error)


def _without_traceback(error: Exception) -> CameraError:
    """What it says: through its traceback it would keep a frame of a megabyte alive for a long time."""
    if isinstance(error, CameraError):
        return type(error)(str(error))
    return CameraError(name_error(error))


def _check(frame: CameraFrame, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Hold a frame to what was promised and to the frame before; return its shape."""
    gray = frame.gray
    if not isinstance(gray, np.ndarray) or gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0:
        found = f"{gray.dtype} {gray.shape}" if isinstance(gray, np.ndarray) else type(gray).__name__
        raise CameraError(f"it gave a frame that is no gray picture, uint8 [height, width], but {found}.")
    if shape is not None and gray.shape != shape:
        raise CameraError(
            f"its frames were {shape[1]} x {shape[0]} pixels and are {gray.shape[1]} x {gray.shape[0]} now."
        )
    return gray.shape
