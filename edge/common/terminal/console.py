"""The console of rich, for colours and for tables that are redrawn: what it shows is cleaned."""

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from .output import stream_beneath
from .text import clean


class SafeConsole(Console):
    """A console that shows control characters in text as escapes; only styles and cursor movements steer it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render and clean; see rich."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


def open_console() -> SafeConsole:
    """Open a console on standard output."""
    return SafeConsole(file=stream_beneath(sys.stdout), highlight=False)
