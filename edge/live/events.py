"""Events that the loop passes to its sinks: the digits of a frame, and changes of the camera."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..reading.reader import Digit, Reading

# In order. `capture` is waiting for and copying from the camera, on its own thread; the others follow one another.
STAGES = ("capture", "find", "frame", "infer", "track", "draw", "publish")


@dataclass(frozen=True)
class Track:
    """A digit followed over frames.

    Attributes:
        number: Number of the track, never used again.
        digit: The smoothed digit: its `digit` and `confidence` combine the last frames, its `box` and `score` are from
            the last frame in which it was seen.
        stable: Whether enough frames agree for it to be announced.
    """

    number: int
    digit: Digit
    stable: bool


@dataclass(frozen=True)
class Rates:
    """Rates over the last seconds, and totals.

    Attributes:
        camera_fps: Frames per second that the camera returned.
        read_fps: Frames per second that were read.
        skipped: Frames since the start that were replaced by newer ones before they were read.
        damaged: Frames since the start that the camera left out because they were damaged.
    """

    camera_fps: float
    read_fps: float
    skipped: int
    damaged: int = 0


@dataclass(frozen=True)
class Sighting:
    """One frame that was read.

    Attributes:
        source: The camera, as the user named it.
        index: The frame's number among those read, from 0.
        captured_at: Time of capture, seconds since 1970.
        frame_size: Width and height in pixels, to which boxes refer.
        reading: Reading of this frame alone.
        tracks: Digits followed over frames, in reading order.
        rows: The stable digits of each row as a string, top to bottom: what is announced.
        is_new: Whether `rows` changed with this frame.
        latency_ms: Milliseconds from the frame's capture to this event.
        timing_ms: Milliseconds of each of STAGES; `draw` and `publish` are of the frame before, because this one's are
            not over.
        rates: Rates of camera and reader.
        picture: The frame's field of view in RGB, uint8 [height', width', 3]; None unless a sink needed it.
    """

    source: str
    index: int
    captured_at: float
    frame_size: tuple[int, int]
    reading: Reading
    tracks: tuple[Track, ...]
    rows: tuple[str, ...]
    is_new: bool
    latency_ms: float
    timing_ms: dict[str, float]
    rates: Rates
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class CameraChange:
    """A change of the camera: opened, lost (new attempts follow), or ended, as a file does.

    Attributes:
        source: The camera, as the user named it.
        state: State of the camera now.
        message: Description of the camera, or why it was lost, for people.
        at: Time in seconds since 1970.
    """

    source: str
    state: Literal["open", "lost", "ended"]
    message: str
    at: float


Event = Sighting | CameraChange
