"""The report of the live loop's speed: Markdown, and the files to keep."""

import statistics
from pathlib import Path

from ....edge.common.pages.markdown import escape_all_markdown, list_points
from ....edge.common.terminal.tables import format_table
from ...results.files import write_with_json
from ...results.wording import format_or_unknown
from .live import DIGITS, FPS, PAGES, SIZE, LiveSpeed

NAME = "live"


def format_live_speed(results: LiveSpeed, style: str) -> str:
    """Format the table.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    rows = [
        ("frames per second, no sink", *_spread(results.fps_alone, ".0f")),
        ("frames per second, JSON of each, page with two clients", *_spread(results.fps_watched, ".0f")),
        ("pictures per second of one client", *_spread(results.pictures_per_s, ".0f")),
        ("frames until a page is announced, after its first", *_spread(results.frames_to_announce, ".0f")),
        ("latency of the announcement, ms", *_spread(results.latency_ms, ".1f")),
        ("start of the command until the first digits, s", *_spread(results.cold_start_s, ".2f")),
    ]
    headers = ["", "median", "smallest", "largest", "n"]
    return format_table(rows, headers, style, ("left", "right", "right", "right", "right"))


def format_live_report(results: LiveSpeed) -> str:
    """Format the report: the table, and the conditions of the measurement."""
    results = escape_all_markdown(results)
    host = results.host
    conditions = [
        f"**Frames**: a video of {SIZE[0]}x{SIZE[1]} with {DIGITS} digits on a swaying page, read at full "
        f"speed; {results.frames:,} frames per round, {len(results.fps_alone)} rounds of each kind, in turns.",
        "**Page with two clients**: `edge-mnist live --json --every-frame --web 0`; every line is parsed, one "
        "client follows the events, one requests pictures without pause. All run on the same machine.",
        f"**Announcement**: {PAGES} pages of half a second each at {FPS} frames per second, the first left "
        "out. Latency runs from the capture of the frame that settles the reading; a change takes the frames "
        "above plus this latency.",
        "**Start**: a fresh process of `edge-mnist live --json` until its first line with digits.",
        f"**Machine**: {host.model}, {host.cores} cores, {host.system}, Python {host.python}, load average "
        f"{format_or_unknown(host.load_1m)} at the end (the measurement itself included).",
        f"**Versions**: edge-mnist {results.edge_mnist}; int8 on {results.runtime}, one thread.",
    ]
    lines = list_points(conditions)
    return f"# The live loop's speed\n\n{format_live_speed(results, 'github')}\n\n## How it was measured\n\n{lines}\n"


def write_live_reports(results: LiveSpeed, folder: Path) -> tuple[Path, ...]:
    """Write `live.json` with every raw value and `live.md`; return both paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    return write_with_json(results, folder / NAME, md=format_live_report(results))


def _spread(values: list[float] | list[int], form: str) -> tuple[str, ...]:
    numbers = (statistics.median(values), min(values), max(values))
    return (*(format(number, form) for number in numbers), str(len(values)))
