"""What the loop tells its sinks: what was seen in a frame, and what became of the camera."""

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
        number: Its own as long as it is followed; never used again.
        digit: The smoothed one: its `digit` and `confidence` are what the last frames say together, its `box` and
            `score` are of the last frame in which it was seen.
        stable: Whether enough frames agree for it to be announced.
    """

    number: int
    digit: Digit
    stable: bool


@dataclass(frozen=True)
class Rates:
    """How it goes, over the last seconds.

    Attributes:
        camera_fps: Frames that the camera gave, per second.
        read_fps: Frames that were read, per second.
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
        source: The camera, as it was asked for.
        index: The frame's number among those read, from 0.
        captured_at: When the frame was taken, seconds since 1970.
        frame_size: (width, height), pixels; boxes are in these.
        reading: What this frame alone says.
        tracks: Digits followed over frames, in reading order.
        rows: The stable digits of each row as a string, top to bottom: what is announced.
        is_new: Whether `rows` changed with this frame.
        latency_ms: From the frame's capture to this event.
        timing_ms: Of each of STAGES; `draw` and `publish` are of the frame before, for this one's are not over yet.
        rates: Of camera and reader.
        picture: uint8 [height', width', 3], RGB, with the frame's field of view; None unless a sink wanted it.
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
    """The camera opened, was lost (and is being tried again), or ended as a file does.

    Attributes:
        source: The camera, as it was asked for.
        state: What it is now.
        message: For people: its description, or why it was lost.
        at: Seconds since 1970.
    """

    source: str
    state: Literal["open", "lost", "ended"]
    message: str
    at: float


Event = Sighting | CameraChange
