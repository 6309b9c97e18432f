"""The interface between the live loop and all cameras: open, return one frame after the other, close."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..common.errors import EdgeMnistError

Rotation = Literal[0, 90, 180, 270]


class CameraError(EdgeMnistError):
    """The camera cannot be opened, or returns no usable frame; the message gives the reason and what to do.

    It may work later: the loop tries again. A permanent failure is a `CameraUnsupportedError`.
    """


class CameraUnsupportedError(CameraError):
    """A permanent failure: an unknown kind of camera, a missing package, or an option that it does not have."""


class CameraFileError(CameraUnsupportedError):
    """A file or folder cannot be played to its end: it is damaged, cut off, or gone. Earlier frames were read."""


@dataclass(frozen=True)
class CameraOptions:
    """Requested settings of a camera; a camera without a setting refuses it, and None leaves it to the camera.

    Attributes:
        width: Frame width in pixels before rotation. A camera without this size returns the nearest, which its
            description names; files and streams have their own sizes.
        height: Frame height in pixels before rotation; the camera may choose the nearest.
        fps: Frames per second. For files: the playback rate; None is the file's own, 0 as fast as frames are read. For
            streams: the most frames to take.
        rotation: Clockwise degrees by which frames are turned before they are read.
        hflip: Whether left and right are swapped before the rotation.
        vflip: Whether top and bottom are swapped before the rotation.
        exposure_us: Exposure time in microseconds.
        gain: Analogue gain, 1 = none.
        focus: `auto` for continuous autofocus, or a distance in dioptres (1 / metres; 0 is infinity).
        loop: Whether files start over at their end.
    """

    width: int = 640
    height: int = 480
    fps: float | None = None
    rotation: Rotation = 0
    hflip: bool = False
    vflip: bool = False
    exposure_us: int | None = None
    gain: float | None = None
    focus: Literal["auto"] | float | None = None
    loop: bool = False


@dataclass(frozen=True)
class CameraFrame:
    """One frame of a camera.

    Attributes:
        gray: Gray pixels, uint8 [height, width]; the stride may exceed the width, as in a camera's own buffer. Valid
            until `release`.
        captured_s: Time of capture, as exactly as the camera reports it, of `time.monotonic()`.
        read_rgb: Function that returns a copy of the view in colour, uint8 [height', width', 3], perhaps of another
            size. Valid until `release`; called only when a picture is needed.
        release: Function that returns the buffer to the camera. Called once.
    """

    gray: NDArray[np.uint8]
    captured_s: float
    read_rgb: Callable[[], NDArray[np.uint8]]
    release: Callable[[], None]


class Camera(Protocol):
    """An open camera. One thread uses it at a time.

    Attributes:
        description: Text for people: what it is and what it returns, e.g. `/dev/video0 (HD Webcam), 640x480 MJPG, 30
            fps`.
        waits: Whether frames that are not taken wait, as those of a file read at full speed do, or are lost, as those
            of a real camera are.
        sizes_differ: Whether frames may be of different sizes. For most cameras another size is a fault.

    A camera that can return damaged pictures also has an attribute `damaged`: the number that it left out.
    """

    description: str
    waits: bool
    sizes_differ: bool

    def grab(self) -> CameraFrame | None:
        """Wait for the next frame; return None at the end of a file.

        Raises:
            CameraError: There is no frame, or not the expected one: unplugged, another size, format or stride.
        """
        ...

    def close(self) -> None:
        """Release the camera. Calling it again does nothing."""
        ...


def make_owned_frame(
    gray: NDArray[np.uint8], captured_s: float, read_rgb: Callable[[], NDArray[np.uint8]]
) -> CameraFrame:
    """Make a frame that owns its pixels; see `CameraFrame`."""
    return CameraFrame(gray, captured_s, read_rgb, release=_keep)


def _keep() -> None:
    """Do nothing: garbage collection frees the pixels."""


# A camera's time stamp that is older than this is from another clock.
OLDEST_FRAME_S = 10.0


def sane_timestamp(captured_s: float) -> float:
    """Return a time stamp of `time.monotonic()`, or now if it is impossible: in the future, or long ago."""
    now = time.monotonic()
    return captured_s if 0 <= now - captured_s <= OLDEST_FRAME_S else now


class Pace:
    """A limit on the frame rate: each frame is due one period after the one before; long pauses are not made up for."""

    def __init__(self, fps: float) -> None:
        """Allow at most this many frames per second; 0 is no limit."""
        self._period_s = 1 / fps if fps else 0.0
        # When the frame before was due, and when it arrived.
        self._due_s = self._there_s = float("-inf")

    def wait(self, period_s: float | None = None) -> None:
        """Sleep until the next frame is due; the first one is due at once.

        Args:
            period_s: Seconds between the frame before and this one, if frames have times of their own.
        """
        now = time.monotonic()
        # A frame that is late by less than a period does not delay the next one, so that the rate holds on average.
        due_s = max(self._due_s + (self._period_s if period_s is None else period_s), self._there_s)
        if due_s > now:
            time.sleep(due_s - now)
        self._due_s, self._there_s = (due_s, now) if due_s > float("-inf") else (now, now)
