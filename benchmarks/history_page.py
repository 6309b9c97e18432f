"""The page of a history: a trend of latency and one of accuracy for each row, and the runs that they come from.

One HTML file without scripts or anything from elsewhere. A line breaks where conditions changed: figures on both sides
of a break do not compare.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .abstention_page import choose_ticks
from .charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, draw_frame
from .history import History, Trend, trace_rows
from .page_parts import STYLE, Html, format_whole, join, paragraph, section, table, to_html
from .results import Row, Validity
from .wording import count

TREND_STYLE = """
svg.chart { overflow: visible; } .chart .whisker { stroke: var(--first); stroke-width: 1.5; }
.chart .point { fill: var(--first); } .chart .doubt { fill: var(--paper); stroke: var(--first); stroke-width: 1.5; }
figcaption { font-weight: 600; font-size: .9rem; overflow-wrap: anywhere; } .charts figure { margin: 0; }
.chart .changed { stroke: var(--warn); stroke-dasharray: 4 3; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
"""


@dataclass(frozen=True)
class Point:
    """A run's figure of a row.

    Attributes:
        run: Its place in the history.
        doubtful: Quick, unstable or invalid.
    """

    run: int
    value: float
    interval: tuple[float, float]
    doubtful: bool
    words: str


# A value, its 95 % interval, and how far to believe it.
Figure = tuple[float, tuple[float, float], Validity]


def format_history(history: History) -> str:
    """The page."""
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
    told = f"{count(len(runs), 'run', 'runs')}, {runs[0].results.started} to {runs[-1].results.started}."
    parts = [
        paragraph(told),
        paragraph(f"**{count(len(skipped), 'file was', 'files were')} skipped**, see below.", "banner")
        if (skipped := history.skipped)
        else Html(""),
        note,
        section("latency", "Latency", _charts(latencies)),
        section("accuracy", "Accuracy", _charts(accuracies)),
        section("runs", "Runs", _tabulate_runs(history)),
        section("skipped", "Skipped files", join(Html(f"<p>{to_html(one)}</p>") for one in history.skipped)),
    ]
    return format_whole("Benchmark history", STYLE + TREND_STYLE, [part for part in parts if part])


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
    """Accuracy does not depend on how restless a machine was."""
    if row.accuracy is None:
        return None
    low, high = row.accuracy.interval
    return 100 * row.accuracy.share, (100 * low, 100 * high), "valid"


def _draw_trend(
    history: History, trend: Trend, read: Callable[[Row], Figure | None], unit: str, breaks: Sequence[int]
) -> str:
    points: list[Point] = []
    for i, (row, run) in enumerate(zip(trend.rows, history.runs, strict=True)):
        if row and (figure := read(row)):
            value, interval, validity = figure
            quick = run.results.settings.is_quick
            words = f"run {i + 1}, {run.results.started}: {value:.4g} ({validity}{', quick' if quick else ''})"
            points.append(Point(i, value, interval, quick or validity != "valid", words))
    if not points:
        return ""
    bounds = [bound for point in points for bound in (*point.interval, point.value)]
    axes = (
        _make_axis(len(history.runs)),
        Axis(unit, choose_ticks(min(bounds), max(bounds)), "{:g}".format),
    )
    drawing = draw_frame(unit, axes, _draw_breaks(axes, breaks) + _draw_points(axes, points, breaks))
    return f"<figure><figcaption>{to_html(trend.name)}</figcaption>{drawing}</figure>"


def _make_axis(runs: int) -> Axis:
    """Of their places; one alone stands in the middle."""
    if runs == 1:
        return Axis("the only run", [-1, 0, 1], lambda place: "" if place else "1")
    last = runs - 1
    return Axis(f"runs, 1 to {runs}", sorted({0, last // 2, last}), lambda place: f"{place + 1:.0f}")


def _draw_breaks(axes: tuple[Axis, Axis], breaks: Sequence[int]) -> str:
    places = [_across(axes, place - 0.5) for place in breaks]
    return "".join(
        f'<line class="changed" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>' for x in places
    )


def _draw_points(axes: tuple[Axis, Axis], points: Sequence[Point], breaks: Sequence[int]) -> str:
    path: list[str] = []
    marks: list[str] = []
    before: Point | None = None
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
