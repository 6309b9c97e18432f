"""A window that shows the camera's view while it is read."""

import gc
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ..common.errors import EdgeMnistError
from ..live.events import CameraChange, Event, Sighting
from ..live.sink_thread import Backlog
from .annotate import draw_sighting
from .window import POLL_S, Window

# More pictures a second look no smoother, and each takes a Raspberry Pi milliseconds to draw.
PREVIEW_FPS = 20.0
OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 1.0
ALTERNATIVES = "--stills FOLDER"


class PreviewSink:
    """A sink that shows the newest picture, darkened while the camera is lost; q, Escape and closing it stop the loop.

    The window has its own thread, so that it responds while no events come, e.g. because the camera hangs.
    """

    name: str = "preview window"
    backlog: Backlog = "newest"

    def __init__(self, on_close: Callable[[], None]) -> None:
        """Open the window, hidden until there is a picture.

        Args:
            on_close: Function called once, from the window's thread, when the user closes it.

        Raises:
            EdgeMnistError: There is no display, it does not respond, or Python has no tkinter.
        """
        self._on_close = on_close
        # For the window's thread: the newest of each kind of event.
        self._sighting: Sighting | None = None
        self._change: CameraChange | None = None
        self._due_s = 0.0
        self._closing = threading.Event()
        opened: SimpleQueue[EdgeMnistError | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(opened,), name=self.name, daemon=True)
        self._thread.start()
        try:
            error = opened.get(timeout=OPEN_TIMEOUT_S)
        except Empty:
            # A window that opens after this closes at once.
            self._closing.set()
            raise EdgeMnistError(
                f"--show needs a display, and this one did not answer within {OPEN_TIMEOUT_S:g} s. Use "
                f"{ALTERNATIVES} instead."
            ) from None
        if error is not None:
            raise error

    def wants_picture(self) -> bool:
        """Whether the window is open, the next picture is due, and none waits."""
        return self._sighting is None and time.monotonic() >= self._due_s and self._thread.is_alive()

    def take(self, event: Event) -> None:
        """Leave the event for the window's thread."""
        if isinstance(event, CameraChange):
            self._change = event
        elif event.picture is not None:
            self._sighting = event

    def close(self) -> None:
        """Close the window without calling `on_close`."""
        self._closing.set()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self, opened: "SimpleQueue[EdgeMnistError | None]") -> None:
        try:
            window = Window(ALTERNATIVES)
        except EdgeMnistError as error:
            opened.put(error)
            return
        opened.put(None)
        picture = None
        while (is_wanted := window.is_wanted()) and not self._closing.wait(POLL_S):
            picture = self._update(window, picture)
        window.close()
        # Delete it in this thread: Tk ends the process when another thread collects its remains.
        del window
        gc.collect()
        if not is_wanted:
            self._on_close()

    def _update(self, window: Window, shown: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Show new events, on the last picture if there is no new one; return the picture that is shown."""
        change, self._change = self._change, None
        sighting, self._sighting = self._sighting, None
        if sighting is not None and (drawn := draw_sighting(sighting)) is not None:
            window.display(drawn, f"{sighting.source}: {', '.join(sighting.rows) or 'no digits'}")
            self._due_s = time.monotonic() + 1 / PREVIEW_FPS
            shown = drawn
        if change is not None and change.state != "open" and shown is not None:
            window.display(shown // 3, f"{change.source} {change.state}: {change.message}")
        return shown
