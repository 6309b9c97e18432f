"""A live table in the terminal: the announcement, the frame rates, and the time of each stage."""

import time
from collections.abc import Iterator

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..common.terminal.console import SafeConsole, open_console
from ..common.terminal.output import make_streams_safe
from ..common.terminal.text import one_line
from ..live.events import STAGES, CameraChange, Event, Sighting
from ..live.sink_thread import Backlog, SinkError

# Five rows of three points, top to bottom, as bits.
_POINTS = (
    (0b111, 0b101, 0b101, 0b101, 0b111),
    (0b010, 0b110, 0b010, 0b010, 0b111),
    (0b111, 0b001, 0b111, 0b100, 0b111),
    (0b111, 0b001, 0b111, 0b001, 0b111),
    (0b101, 0b101, 0b111, 0b001, 0b001),
    (0b111, 0b100, 0b111, 0b001, 0b111),
    (0b111, 0b100, 0b111, 0b101, 0b111),
    (0b111, 0b001, 0b001, 0b001, 0b001),
    (0b111, 0b101, 0b111, 0b101, 0b111),
    (0b111, 0b101, 0b111, 0b001, 0b111),
)
_BLOCKS = " ▄▀█"
# Points for each of those above, the largest first.
_SCALES = (2, 1)


def draw_big(rows: tuple[str, ...], width: int, height: int) -> list[str]:
    """Draw rows of digits as large as fits.

    Args:
        rows: Digits of each row.
        width: Available width in characters.
        height: Available height in lines.

    Returns:
        Lines of text, an empty one between rows; the rows unchanged if even small digits do not fit.
    """
    for scale in _SCALES:
        lines = "\n\n".join("\n".join(_draw_row(row, scale)) for row in rows).split("\n")
        if len(lines) <= height and max(map(len, lines)) <= width:
            return lines
    return list(rows)


def _draw_row(row: str, scale: int) -> list[str]:
    """Draw two rows of points per line; digits are separated by a column as wide as a point."""
    points = [[_POINTS[int(digit)][i // scale] for digit in row] for i in range(5 * scale)]
    if len(points) % 2:
        points.append([0] * len(row))
    return [
        (" " * scale).join(_draw_line(*pair, scale) for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(points[::2], points[1::2], strict=True)
    ]


def _draw_line(upper: int, lower: int, scale: int) -> str:
    return "".join(scale * _BLOCKS[2 * (upper >> bit & 1) + (lower >> bit & 1)] for bit in (2, 1, 0))


# Draws per second; people read no faster.
DRAW_FPS = 8.0
# Weight of a new time in the displayed average: figures that change eight times a second cannot be read.
NEW_SHARE = 0.2
STATE_STYLES = {"open": "bold green", "lost": "bold red", "ended": "bold yellow"}
# Lines below the announcement: the camera, the rates, a panel's frame; and those of the stages if there is room.
FIXED_LINES = 4
STAGE_LINES = len(STAGES) + 1
LEAST_ANNOUNCEMENT_LINES = 3
MOST_ANNOUNCEMENT_LINES = 12
WIDEST = 100


class TerminalSink:
    """A sink that draws a table below earlier output, repeatedly; it stays there when the loop ends."""

    name: str = "terminal"
    backlog: Backlog = "newest"

    def __init__(self, console: SafeConsole | None = None) -> None:
        """Draw on standard output, unless another console is given.

        Args:
            console: Console to draw on; None for standard output.
        """
        self._console = console or open_console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._change: CameraChange | None = None
        self._sighting: Sighting | None = None
        self._timing_ms: dict[str, float] = {}
        self._drawn_s = 0.0

    def wants_picture(self) -> bool:
        """Return False: pictures are not used."""
        return False

    def take(self, event: Event) -> None:
        """Redraw the table. It takes its time, so that the newest event is always the next one and always drawn.

        Raises:
            SinkError: The terminal has gone.
        """
        if isinstance(event, CameraChange):
            self._change = event
        else:
            self._sighting = event
            for stage, ms in event.timing_ms.items():
                self._timing_ms[stage] = ms + (1 - NEW_SHARE) * (self._timing_ms.get(stage, ms) - ms)
        time.sleep(max(0.0, self._drawn_s + 1 / DRAW_FPS - time.monotonic()))
        try:
            # The cursor is hidden from here on, until `close`.
            if not self._live.is_started:
                self._live.start()
                # rich has replaced the streams, so that other output goes above the table.
                make_streams_safe()
            self._live.update(self._draw(), refresh=True)
        except OSError as error:
            raise SinkError(f"the terminal cannot be written ({error.strerror}).") from error
        self._drawn_s = time.monotonic()

    def close(self) -> None:
        """Show the cursor again."""
        self._live.stop()

    def _draw(self) -> RenderableType:
        width, height = min(self._console.width, WIDEST), self._console.height
        room = height - FIXED_LINES - STAGE_LINES
        has_stages = room >= LEAST_ANNOUNCEMENT_LINES
        lines = min(room if has_stages else height - FIXED_LINES, MOST_ANNOUNCEMENT_LINES)
        parts: list[RenderableType] = []
        if self._change is not None:
            parts.append(_draw_camera(self._change))
        if self._sighting is not None:
            is_over = self._change is not None and self._change.state != "open"
            title = "announced before" if is_over else "announced"
            parts += [_draw_announcement(self._sighting.rows, title, width, lines), _draw_rates(self._sighting)]
            if has_stages:
                parts.append(_draw_stages(self._sighting, self._timing_ms, width))
        return Group(*parts)


def _draw_camera(change: CameraChange) -> Text:
    state = (f"camera {change.state} ", STATE_STYLES[change.state])
    # The reason of a loss is worth a second line, a description is not.
    return Text.assemble(state, one_line(change.message), no_wrap=change.state == "open", overflow="ellipsis")


def _draw_announcement(rows: tuple[str, ...], title: str, width: int, lines: int) -> Panel:
    if rows:
        text = Text("\n".join(draw_big(rows, width - 4, lines)), "bold", no_wrap=True, overflow="ellipsis")
    else:
        text = Text("no digits", "dim")
    return Panel(text, width=width, title=title, title_align="left")


def _draw_rates(sighting: Sighting) -> Text:
    rates = sighting.rates
    figures = (
        f"reads {rates.read_fps:.1f} of {rates.camera_fps:.1f} fps",
        f"latency {sighting.latency_ms:.1f} ms",
        f"{len(sighting.tracks)} digits tracked",
        f"{rates.skipped} frames skipped",
        *([f"{rates.damaged} damaged"] if rates.damaged else []),
    )
    return Text(" | ".join(figures), no_wrap=True, overflow="ellipsis")


def _draw_stages(sighting: Sighting, timing_ms: dict[str, float], width: int) -> Table:
    """Draw a bar for each stage, beginning where the one before ends: together, the use of the time for a frame."""
    spent_ms = sum(ms for stage, ms in timing_ms.items() if stage != "capture")
    has_ms = 1000 / sighting.rates.camera_fps if sighting.rates.camera_fps > 0 else spent_ms
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, show_footer=True, width=width)
    table.add_column(footer="all")
    table.add_column(footer=f"{spent_ms:.2f}", justify="right")
    table.add_column(footer=f"ms of the {has_ms:.1f} ms between frames", ratio=1, no_wrap=True, overflow="ellipsis")
    for stage, begin_ms, ms in _line_up(timing_ms):
        style = "dim" if stage == "capture" else "cyan"
        bar = Bar(
            max(spent_ms, has_ms), begin_ms, begin_ms + ms, color="bright_black" if stage == "capture" else "cyan"
        )
        table.add_row(Text(stage, style), f"{ms:.2f}", bar)
    return table


def _line_up(timing_ms: dict[str, float]) -> Iterator[tuple[str, float, float]]:
    """Yield each stage with its start and its duration; capture runs in parallel with the others."""
    begin_ms = 0.0
    for stage in STAGES:
        ms = timing_ms.get(stage, 0.0)
        yield stage, begin_ms, ms
        if stage != "capture":
            begin_ms += ms
