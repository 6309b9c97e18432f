"""What the live loop knows of a camera, whichever it is: it opens, gives one frame after the other, and closes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..common.errors import EdgeMnistError

Rotation = Literal[0, 90, 180, 270]


class CameraError(EdgeMnistError):
    """The camera cannot be opened, or gives no usable frame; the message says why and what to do.

    It may work later: the loop tries again. What cannot get better is a `CameraUnsupportedError`.
    """


class CameraUnsupportedError(CameraError):
    """Trying again is of no use: no such kind of camera, a package that is missing, an option that it does not have."""


class CameraFileError(CameraUnsupportedError):
    """A file or folder cannot be played to its end: it is damaged, cut off, or gone. What came before was read."""


@dataclass(frozen=True)
class CameraOptions:
    """What to ask a camera for; a camera that has no such thing refuses it, and None leaves it to the camera.

    Attributes:
        width: Of the frames before they are turned, pixels. A camera that has no such size gives the nearest, and
            its description says so; files and streams have sizes of their own.
        height: The same.
        fps: Frames per second. Of files: how fast they are played; None is as fast as they say, 0 as fast as they are
            read. Of streams: how many are taken at most.
        rotation: Clockwise degrees by which frames are turned before they are read.
        hflip: Whether left and right are swapped, before that.
        vflip: Whether top and bottom are.
        exposure_us: Exposure time, microseconds.
        gain: Analogue gain, 1 = none.
        focus: `auto` for continuous autofocus, or a distance in dioptres (1 / metres; 0 is infinity).
        loop: Whether files begin anew at their end.
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
    """One frame.

    Attributes:
        gray: uint8 [height, width]; rows may lie further apart than they are long, as in a camera's own buffer. Valid
            until `release`.
        captured_s: When it was taken, or as near to it as the camera tells: `time.monotonic()`.
        read_rgb: Gives the same view in colour, uint8 [height', width', 3], a copy, perhaps of another size. Valid
            until `release`; called only when somebody looks.
        release: Gives the buffer back to the camera. Called once.
    """

    gray: NDArray[np.uint8]
    captured_s: float
    read_rgb: Callable[[], NDArray[np.uint8]]
    release: Callable[[], None]


class Camera(Protocol):
    """An open camera. One thread uses it at a time.

    Attributes:
        description: For people: what it is and what it gives, e.g. `/dev/video0 (HD Webcam), 640x480 MJPG, 30 fps`.
        waits: Whether frames that nobody takes are lost, as those of a real camera are, or wait, as those of a file
            that is read as fast as it goes.
        sizes_differ: Whether frames may be of different sizes. Of most cameras another size is a fault.

    One that can give damaged pictures has an attribute `damaged`, too: how many it left out.
    """

    description: str
    waits: bool
    sizes_differ: bool

    def grab(self) -> CameraFrame | None:
        """Wait for the next frame; None at the end of a file.

        Raises:
            CameraError: There is none, or not one that was asked for: unplugged, another size, format or stride.
        """
        ...

    def close(self) -> None:
        """Let go of it. Calling it again does nothing."""
        ...


def own_frame(gray: NDArray[np.uint8], captured_s: float, read_rgb: Callable[[], NDArray[np.uint8]]) -> CameraFrame:
    """A frame whose pixels are its own, as long as somebody has it; see `CameraFrame`."""
    return CameraFrame(gray, captured_s, read_rgb, release=_keep)


def _keep() -> None:
    """Garbage collection does it."""


# A camera's time stamp that is older than this is of another clock.
OLDEST_FRAME_S = 10.0


def sane_timestamp(captured_s: float) -> float:
    """A time stamp of `time.monotonic()`, or now where it cannot be one: in the future, or long ago."""
    now = time.monotonic()
    return captured_s if 0 <= now - captured_s <= OLDEST_FRAME_S else now


class Pace:
    """Keeps frames apart: each is due one period after the one before was; what a long pause missed is not made up."""

    def __init__(self, fps: float) -> None:
        """At most so many frames per second; 0 is as many as there are."""
        self._period_s = 1 / fps if fps else 0.0
        # Of the frame before: when it was due, and when it was there.
        self._due_s = self._there_s = float("-inf")

    def wait(self, period_s: float | None = None) -> None:
        """Sleep until the next frame is due; the first one is at once.

        Args:
            period_s: Between the frame before and this one, where frames have times of their own.
        """
        now = time.monotonic()
        # A frame that is late by less than a period leaves the next one its time, so that the rate holds on average.
        due_s = max(self._due_s + (self._period_s if period_s is None else period_s), self._there_s)
        if due_s > now:
            time.sleep(due_s - now)
        self._due_s, self._there_s = (due_s, now) if due_s > float("-inf") else (now, now)
