"""A camera with everything that goes wrong with cameras, and what tests of the live loop run it with."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from edge_mnist.edge.cameras.camera import Camera, CameraError, CameraFrame
from edge_mnist.edge.live.events import CameraChange, Event, Sighting
from edge_mnist.edge.live.loop import LiveLoop
from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.reader import Digit, Reading

# No wait of these tests is longer.
PATIENCE_S = 10.0


@dataclass
class Faults:
    """What is wrong at the moment; tests turn things on and off while the loop runs.

    Attributes:
        unplugged: Neither opens nor gives a frame.
        raising: Giving a frame raises this.
        nothing: There are no frames, and no error.
        odd: Gives this in place of its frames.
        torn: The lower half of each frame is of another.
        size: (width, height) of frames.
        stride: Bytes from one row to the next; None for no more than there are pixels.
        rgb_fails: Colours cannot be had.
        release_fails: Buffers cannot be given back.
        close_fails: Closing raises.
    """

    unplugged: bool = False
    raising: Exception | None = None
    nothing: bool = False
    odd: object = None
    torn: bool = False
    size: tuple[int, int] = (64, 48)
    stride: int | None = None
    rgb_fails: bool = False
    release_fails: bool = False
    close_fails: bool = False


@dataclass
class FaultyCamera:
    """All cameras that are opened on one plug, for `LiveLoop`: pass `open`.

    The first pixel of a frame is its number modulo 256. Nobody can read a frame after it was released: it is white.

    Attributes:
        fps: Frames per second that it gives.
        waits: As of `Camera`.
        length: After so many frames it ends, as a file does.
        tries: How often somebody tried to open it.
        opened: How often it was opened.
        closed: How often it was closed.
        given: Frames given.
        released: Numbers of frames, in the order in which they came back.
        used_late: Whether a camera was used after it was closed.
    """

    fps: float = 200.0
    waits: bool = False
    length: int | None = None
    faults: Faults = field(default_factory=Faults)
    tries: int = 0
    opened: int = 0
    closed: int = 0
    given: int = 0
    released: list[int] = field(default_factory=list)
    used_late: bool = False
    _buffers: dict[int, np.ndarray] = field(default_factory=dict)
    _answers: threading.Event = field(default_factory=threading.Event)
    _opens: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._answers.set()
        self._opens.set()

    def open(self) -> Camera:
        """As a driver does: it may hang, or fail."""
        self.tries += 1
        wait(self._opens.is_set, 60)
        if self.faults.unplugged:
            raise CameraError("/dev/video7: No such device. Plug it in.")
        self.opened += 1
        return _Opened(self)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Whoever wants a frame waits until the block ends."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    @contextmanager
    def hanging_at_opening(self) -> Iterator[None]:
        """Whoever opens it waits until the block ends."""
        self._opens.clear()
        try:
            yield
        finally:
            self._opens.set()

    def grab(self) -> object:
        """The next frame, or what goes wrong with it."""
        time.sleep(1 / self.fps)
        wait(self._answers.is_set, 60)
        faults = self.faults
        if faults.unplugged:
            raise CameraError("/dev/video7: No such device. Plug it in.")
        if faults.raising:
            raise faults.raising
        if faults.nothing or self.given == self.length:
            return None
        number = self.given
        self.given += 1
        return CameraFrame(self._expose(number), time.monotonic(), self._give_rgb, lambda: self._take_back(number))

    def _expose(self, number: int) -> np.ndarray:
        width, height = self.faults.size
        if self.faults.odd is not None:
            return self.faults.odd  # pyright: ignore[reportReturnType] - that is what is wrong with it
        buffer = np.full((height, self.faults.stride or width), 200, np.uint8)
        self._buffers[number] = buffer
        buffer[0, 0] = number % 256
        if self.faults.torn:
            buffer[height // 2 :] = 17
        return buffer[:, :width]

    def _give_rgb(self) -> np.ndarray:
        if self.faults.rgb_fails:
            raise RuntimeError("the main stream is gone")
        width, height = self.faults.size
        return np.zeros((2 * height, 2 * width, 3), np.uint8)

    def _take_back(self, number: int) -> None:
        self.released.append(number)
        buffer = self._buffers.pop(number, None)
        if buffer is not None:
            buffer[:] = 255
        if self.faults.release_fails:
            raise OSError("the buffer is not ours")


class _Opened:
    """What `FaultyCamera.open` gives."""

    def __init__(self, plug: FaultyCamera) -> None:
        self.description = f"faulty camera, opened {plug.opened} times"
        self.waits = plug.waits
        self.sizes_differ = False
        self._plug = plug
        self._is_closed = False

    def grab(self) -> CameraFrame | None:
        frame = self._plug.grab()
        self._plug.used_late |= self._is_closed
        return frame  # pyright: ignore[reportReturnType] - it may be anything

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._plug.closed += 1
        if self._plug.faults.close_fails:
            raise OSError("it is gone")


@dataclass
class FakeReader:
    """Reads the same digits in every frame, or what `rows` says when it is set.

    Attributes:
        rows: What it reads.
        takes_s: How long that takes.
        numbers: First pixel of each frame that it was given.
        broken: Reading raises this.
    """

    rows: tuple[str, ...] = ("12", "3")
    takes_s: float = 0.0
    numbers: list[int] = field(default_factory=list)
    broken: Exception | None = None

    def read(self, frame: np.ndarray) -> Reading:
        """As `Reader.read`."""
        if self.broken:
            raise self.broken
        time.sleep(self.takes_s)
        self.numbers.append(int(frame[0, 0]))
        return make_reading(self.rows)


def make_reading(rows: tuple[str, ...], shift: tuple[int, int] = (0, 0), confidence: float = 0.99) -> Reading:
    """Rows of digits, each 20 x 30 pixels, 30 pixels apart and 50 pixels down."""
    digits = [
        Digit(int(digit), confidence, 5.0, Box(10 + 30 * j + shift[0], 10 + 50 * i + shift[1], 20, 30))
        for i, row in enumerate(rows)
        for j, digit in enumerate(row)
    ]
    return Reading(rows, tuple(digits), {"find": 1.0, "frame": 0.2, "infer": 0.3})


@dataclass
class Notes:
    """A sink that keeps what it is told."""

    wants: bool = False
    takes_s: float = 0.0
    events: list[Event] = field(default_factory=list)
    is_closed: bool = False
    name: str = "notes"
    backlog: str = "all"

    def wants_picture(self) -> bool:
        return self.wants

    def take(self, event: Event) -> None:
        time.sleep(self.takes_s)
        self.events.append(event)

    def close(self) -> None:
        self.is_closed = True

    @property
    def sightings(self) -> list[Sighting]:
        return [event for event in self.events if isinstance(event, Sighting)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, CameraChange)]

    @property
    def why_lost(self) -> str:
        return next(event.message for event in self.events if isinstance(event, CameraChange) and event.state == "lost")


class Running:
    """A loop that runs on a thread of its own."""

    def __init__(self, loop: LiveLoop) -> None:
        self.loop = loop
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.loop.run()
        except BaseException as error:  # for the test to see
            self.error = error

    def finish(self) -> float:
        """Wait for the end and return how long that took, seconds; what `run` raised is raised."""
        began = time.monotonic()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the loop does not end"
        if self.error is not None:
            raise self.error
        return time.monotonic() - began


@contextmanager
def running(loop: LiveLoop) -> Iterator[Running]:
    """Run a loop until the block ends."""
    run = Running(loop)
    try:
        yield run
    finally:
        loop.stop()
        run.finish()


def wait(happened, timeout_s: float = PATIENCE_S) -> float:
    """Wait until something is true, and return how long that took, seconds."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < timeout_s, "it did not happen"
        time.sleep(0.005)
    return time.monotonic() - began
