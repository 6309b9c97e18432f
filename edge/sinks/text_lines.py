"""A line of text for each new announcement, where standard output is no terminal: a pipe, or a service's journal."""

from collections.abc import Callable

from ..live.events import CameraChange, Event
from ..safe_text import one_line
from .format import format_time
from .sink import Backlog
from .standard_output import StandardOutput


class TextLinesSink:
    """Writes the time and what is announced, or what became of the camera."""

    name: str = "standard output"
    backlog: Backlog = "all"

    def __init__(self, on_gone: Callable[[], None]) -> None:
        """Write to standard output; `on_gone` is called when nobody reads it any more."""
        self._output = StandardOutput(on_gone)

    def wants_picture(self) -> bool:
        """Never."""
        return False

    def take(self, event: Event) -> None:
        """Write a line, if there is something new.

        Raises:
            OSError: It cannot be written.
        """
        if isinstance(event, CameraChange):
            self._output.write_line(one_line(f"{format_time(event.at)}  camera {event.state}: {event.message}"))
        elif event.is_new:
            self._output.write_line(f"{format_time(event.captured_at)}  {' / '.join(event.rows) or 'no digits'}")

    def close(self) -> None:
        """Every line is already written."""
