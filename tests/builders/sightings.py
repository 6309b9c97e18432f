"""Live events for tests of what takes them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_mnist.edge.live.events import STAGES, CameraChange, Rates, Sighting, Track
from edge_mnist.edge.live.sink_thread import Backlog
from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.reader import Digit, Reading

# 2025-03-01, 12:00 UTC.
START = 1740830400.0
SIZE = (320, 240)


def make_sighting(
    index: int = 0,
    rows: tuple[str, ...] = ("12",),
    *,
    is_new: bool = False,
    picture: NDArray[np.uint8] | None = None,
    stable: bool = True,
) -> Sighting:
    """A frame of 320 x 240 pixels, taken 1/16 s after the one before, with digits 40 pixels high in rows."""
    boxes = [Box(20 + 40 * i, 30 + 60 * j, 20, 40) for j, row in enumerate(rows) for i in range(len(row))]
    digits = tuple(Digit(int(d), 0.99, 7.5, box) for d, box in zip("".join(rows), boxes, strict=True))
    return Sighting(
        source="auto",
        index=index,
        captured_at=START + index / 16,
        frame_size=SIZE,
        reading=Reading(rows, digits, {"find": 1.0, "frame": 0.5, "infer": 2.0}),
        tracks=tuple(Track(100 + i, digit, stable) for i, digit in enumerate(digits)),
        rows=rows if stable else (),
        is_new=is_new,
        latency_ms=5.25,
        timing_ms=dict.fromkeys(STAGES, 1.5),
        rates=Rates(camera_fps=16.0, read_fps=15.5, skipped=3),
        picture=picture,
    )


def make_change(state: str = "open", message: str = "/dev/video0, 320x240") -> CameraChange:
    """A change of the camera, at the start."""
    return CameraChange("auto", state, message, START)  # pyright: ignore[reportArgumentType]


class FakeSink:
    """Does with each event what the test says, after it has noted it."""

    name = "fake"

    def __init__(self, backlog: Backlog, on_take: Callable[[object], object] = lambda _: None) -> None:
        self.backlog: Backlog = backlog
        self.taken: list = []
        self.closed = 0
        self._on_take = on_take

    def wants_picture(self) -> bool:
        return True

    def take(self, event: object) -> None:
        self.taken.append(event)
        self._on_take(event)

    def close(self) -> None:
        self.closed += 1
