"""A folder of runs in chronological order: each row's latency and accuracy from one run to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from ...edge.common.pages.html import STYLE, Html, join, paragraph, render_page, section, table, to_html
from ...edge.common.pages.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, choose_ticks, render_frame
from ..errors import BenchmarkError
from ..results.files import ResultsError, read_results
from ..results.schema import Results, Row, Validity
from ..results.wording import format_count, row_label
from .conditions import find_differences


@dataclass(frozen=True)
class PastRun:
    """A run and its changed conditions.

    Attributes:
        changes: Conditions that differ from the run before.
    """

    path: Path
    results: Results
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """A series of runs, the oldest first.

    Attributes:
        skipped: Files that are not such runs, a sentence each.
    """

    folder: Path
    runs: tuple[PastRun, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Trend:
    """A row over all runs.

    Attributes:
        name: The file, its target and the machine.
        rows: The row in each run; None if it was not measured.
    """

    name: str
    rows: tuple[Row | None, ...]


def read_history(folder: Path) -> History:
    """Read all runs in a folder and its subfolders.

    Raises:
        BenchmarkError: There is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise BenchmarkError(f"{folder}: is not a folder. Expected a folder with JSON files of edge-mnist benchmark.")
    paths = sorted(folder.rglob("*.json"))
    read: list[tuple[Path, Results]] = []
    skipped: list[str] = []
    for path in paths:
        try:
            read.append((path, read_results(path)))
        except ResultsError as error:
            skipped.append(str(error))
    if not read:
        found = f" (skipped: {' '.join(skipped)})" if skipped else ""
        raise BenchmarkError(
            f"{folder}: contains no benchmark run{found}. Put JSON files of edge-mnist benchmark into it."
        )
    read.sort(key=lambda pair: (_when(pair[1]), pair[0]))
    runs = [PastRun(*read[0])]
    for (_, before), (path, after) in pairwise(read):
        runs.append(PastRun(path, after, tuple(find_differences(before, after))))
    return History(folder, tuple(runs), tuple(skipped))


def trace_rows(history: History) -> list[Trend]:
    """Collect every row that any run measured, in order of first appearance."""
    found: dict[str, dict[int, Row]] = {}
    for i, run in enumerate(history.runs):
        for row in run.results.rows:
            if row.latency or row.accuracy:
                machine = run.results.machines[row.machine].name
                found.setdefault(f"{row_label(row)}, {machine}", {})[i] = row
    return [Trend(name, tuple(rows.get(i) for i in range(len(history.runs)))) for name, rows in found.items()]


def _when(results: Results) -> datetime:
    """Return a run's start time, to sort by; an invalid time comes first."""
    try:
        started = datetime.fromisoformat(results.started)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return started if started.tzinfo else started.replace(tzinfo=UTC)


TREND_STYLE = """
svg.chart { overflow: visible; } .chart .whisker { stroke: var(--first); stroke-width: 1.5; }
.chart .point { fill: var(--first); } .chart .doubt { fill: var(--paper); stroke: var(--first); stroke-width: 1.5; }
figcaption { font-weight: 600; font-size: .9rem; overflow-wrap: anywhere; } .charts figure { margin: 0; }
.chart .changed { stroke: var(--warn); stroke-dasharray: 4 3; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
"""


@dataclass(frozen=True)
class TrendPoint:
    """The figure of a row in one run.

    Attributes:
        run: Index of the run in the history.
        doubtful: Whether the run is quick, or the figure unstable or invalid.
    """

    run: int
    value: float
    interval: tuple[float, float]
    doubtful: bool
    words: str


# A value, its 95 % interval, and its validity.
Figure = tuple[float, tuple[float, float], Validity]


def format_history(history: History) -> str:
    """Render the history as a page."""
    runs = history.runs
    trends = trace_rows(history)
    breaks = [i for i, run in enumerate(runs) if run.changes]
    latencies = [_draw_trend(history, trend, _read_time, "p50, us", breaks) for trend in trends]
    accuracies = [_draw_trend(history, trend, _read_accuracy, "accuracy, %", breaks) for trend in trends]
    note = paragraph(
        "Dots are runs in the order of their time, with 95 % intervals; hollow ones are quick, unstable or "
        "invalid. Axes need not begin at 0. "
        "Dashed lines mark runs made under other conditions than the run before: across them, figures do not compare. "
        "A dot leads to its run.",
        "note",
    )
    told = f"{format_count(len(runs), 'run', 'runs')}, {runs[0].results.started} to {runs[-1].results.started}."
    parts = [
        paragraph(told),
        paragraph(f"**{format_count(len(skipped), 'file was', 'files were')} skipped**, see below.", "banner")
        if (skipped := history.skipped)
        else Html(""),
        note,
        section("latency", "Latency", _charts(latencies)),
        section("accuracy", "Accuracy", _charts(accuracies)),
        section("runs", "Runs", _tabulate_runs(history)),
        section("skipped", "Skipped files", join(Html(f"<p>{to_html(one)}</p>") for one in history.skipped)),
    ]
    return render_page("Benchmark history", STYLE + TREND_STYLE, [part for part in parts if part])


def _charts(charts: Sequence[str]) -> Html:
    drawn = [chart for chart in charts if chart]
    return Html(f'<div class="charts">{"".join(drawn)}</div>' if drawn else "")


def _tabulate_runs(history: History) -> Html:
    head = ["run", "started", "file", "edge-mnist", "model", "kind", "machines", "changed since the run before"]
    lines = [
        [
            str(i + 1),
            run.results.started,
            str(run.path.relative_to(history.folder)),
            run.results.edge_mnist,
            run.results.name,
            "quick" if run.results.settings.is_quick else "full",
            "; ".join(f"{machine.name} ({machine.host.model}): {machine.validity}" for machine in run.results.machines),
            "; ".join(run.changes),
        ]
        for i, run in enumerate(history.runs)
    ]
    return table(head, lines, left=len(head), names=[f"run-{i}" for i in range(len(lines))])


def _read_time(row: Row) -> Figure | None:
    return (row.latency.p50, row.latency.p50_interval, row.validity) if row.latency else None


def _read_accuracy(row: Row) -> Figure | None:
    """Return the accuracy as a figure, which is always valid: it does not depend on the machine's load."""
    if row.accuracy is None:
        return None
    low, high = row.accuracy.interval
    return 100 * row.accuracy.share, (100 * low, 100 * high), "valid"


def _draw_trend(
    history: History, trend: Trend, read: Callable[[Row], Figure | None], unit: str, breaks: Sequence[int]
) -> str:
    points: list[TrendPoint] = []
    for i, (row, run) in enumerate(zip(trend.rows, history.runs, strict=True)):
        if row and (figure := read(row)):
            value, interval, validity = figure
            quick = run.results.settings.is_quick
            words = f"run {i + 1}, {run.results.started}: {value:.4g} ({validity}{', quick' if quick else ''})"
            points.append(TrendPoint(i, value, interval, quick or validity != "valid", words))
    if not points:
        return ""
    bounds = [bound for point in points for bound in (*point.interval, point.value)]
    axes = (
        _make_axis(len(history.runs)),
        Axis(unit, choose_ticks(min(bounds), max(bounds)), "{:g}".format),
    )
    drawing = render_frame(unit, axes, _draw_breaks(axes, breaks) + _draw_points(axes, points, breaks))
    return f"<figure><figcaption>{to_html(trend.name)}</figcaption>{drawing}</figure>"


def _make_axis(runs: int) -> Axis:
    """Make an axis of the runs' indices; a single run stands in the middle."""
    if runs == 1:
        return Axis("the only run", [-1, 0, 1], lambda place: "" if place else "1")
    last = runs - 1
    return Axis(f"runs, 1 to {runs}", sorted({0, last // 2, last}), lambda place: f"{place + 1:.0f}")


def _draw_breaks(axes: tuple[Axis, Axis], breaks: Sequence[int]) -> str:
    places = [_across(axes, place - 0.5) for place in breaks]
    return "".join(
        f'<line class="changed" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>' for x in places
    )


def _draw_points(axes: tuple[Axis, Axis], points: Sequence[TrendPoint], breaks: Sequence[int]) -> str:
    path: list[str] = []
    marks: list[str] = []
    before: TrendPoint | None = None
    for point in points:
        x, y = _across(axes, point.run), _up(axes, point.value)
        low, high = (_up(axes, bound) for bound in point.interval)
        broken = before is None or any(before.run < place <= point.run for place in breaks)
        path.append(f"{'M' if broken else 'L'}{x:.1f} {y:.1f}")
        marks.append(
            f'<a href="#run-{point.run}"><title>{to_html(point.words)}</title>'
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
            f'<circle class="{"doubt" if point.doubtful else "point"}" cx="{x:.1f}" cy="{y:.1f}" r="4"/></a>'
        )
        before = point
    return f'<path class="first" d="{" ".join(path)}"/>{"".join(marks)}'


def _across(axes: tuple[Axis, Axis], run: float) -> float:
    return LEFT + axes[0].place(run, WIDTH - LEFT - RIGHT)


def _up(axes: tuple[Axis, Axis], value: float) -> float:
    return HEIGHT - BOTTOM - axes[1].place(value, HEIGHT - TOP - BOTTOM)
