"""A folder of runs in chronological order: each row's latency and accuracy from one run to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from ...edge.common.pages.curves import ChartAxes, ChartPoint, draw_curves
from ...edge.common.pages.page import PageFigure, PageTable, Svg, TableCell, render_page
from ...edge.common.pages.row_charts import ChartRow, draw_rows
from ..errors import BenchmarkError
from ..results.files import read_results
from ..results.findings import compare_latencies
from ..results.schema import Results, Row, Validity
from ..results.wording import NO_DIFFERENCE, format_count, row_label
from ..statistics.slowdowns import Slowdown
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
        except BenchmarkError as error:
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


# Lines of the first table.
MOST_FIRST = 8
# A value, its 95 % interval, and its validity.
Figure = tuple[float, tuple[float, float], Validity]


def format_history(history: History) -> str:
    """Render the history as a page."""
    trends = trace_rows(history)
    changes = _compare_ends(history, trends)
    skipped = format_count(len(history.skipped), "file was", "files were")
    doubts = [f"**{skipped} skipped**, see below."] if history.skipped else []
    return render_page(
        "history.html",
        title="Benchmark history",
        verdict=_describe_verdict(history, changes),
        doubts=doubts,
        newest=_tabulate_newest(trends),
        chart=_draw_changes(changes[:MOST_FIRST]) if changes else "",
        skipped=history.skipped,
        latencies=_draw_trends(history, trends, _read_time, "p50, us"),
        accuracies=_draw_trends(history, trends, _read_accuracy, "accuracy, %"),
        table=_tabulate_runs(history),
    )


def _compare_ends(history: History, trends: Sequence[Trend]) -> list[tuple[str, Slowdown]]:
    """Compare each row's last latency with its first one since conditions changed; the largest changes first."""
    begin = max((i for i, run in enumerate(history.runs) if run.changes), default=0)
    found: list[tuple[str, Slowdown]] = []
    for trend in trends:
        timed = [row.latency for row in trend.rows[begin:] if row and row.latency and row.validity != "invalid"]
        if len(timed) > 1 and trend.rows[-1] and trend.rows[-1].latency is timed[-1]:
            found.append((trend.name, compare_latencies(timed[0], timed[-1])))
    return sorted(found, key=lambda pair: -abs(pair[1].percent))


def _describe_verdict(history: History, changes: Sequence[tuple[str, Slowdown]]) -> str:
    """Describe, in Markdown, how many rows got slower or faster since conditions changed."""
    runs = history.runs
    changed = [i for i, run in enumerate(runs) if run.changes]
    begin = changed[-1] if changed else 0
    measurable = [slowdown.percent for _, slowdown in changes if slowdown.measurable]
    slower, faster = sum(one > 0 for one in measurable), sum(one < 0 for one in measurable)
    times = format_count(len(changed), "time", "times")
    found = (
        f"Of {format_count(len(changes), 'row', 'rows')}, **{slower}** got measurably slower and **{faster}** faster "
        f"from run {begin + 1} to run {len(runs)}, which were made under equal conditions."
        if changes
        else "Nothing can be compared: no row was timed twice under the conditions of the last run."
    )
    return (
        f"{found} {format_count(len(runs), 'run', 'runs')}, {runs[0].results.started} to {runs[-1].results.started}."
        f"{f' Conditions changed {times}.' if changed else ''}"
    )


def _draw_changes(changes: Sequence[tuple[str, Slowdown]]) -> Svg:
    """Draw the change of each row's median time, with Hodges and Lehmann's interval."""
    rows = [
        ChartRow(
            name=name,
            note=f"n = {' and '.join(map(str, change.processes))} processes",
            value=f"{change.percent:+.1f} %",
            value_note="measurable" if change.measurable else NO_DIFFERENCE,
            bar=change.interval_percent,
            rings=(change.percent,),
        )
        for name, change in changes
    ]
    return draw_rows("Change of the median time", "% longer in the last run, under equal conditions", rows, zero=True)


def _tabulate_newest(trends: Sequence[Trend]) -> PageTable:
    """Tabulate the last run beside the first one in which each row was measured."""
    lines: list[list[str | TableCell]] = []
    for trend in trends:
        cells: list[str | TableCell] = [trend.name]
        for read in (_read_time, _read_accuracy):
            figures = [figure[0] for row in trend.rows if row and (figure := read(row))]
            now = read(trend.rows[-1]) if trend.rows[-1] else None
            cells += [f"{figures[0]:.4g}" if figures else "", f"{now[0]:.4g}" if now else ""]
        lines.append(cells)
    head = ["file, target, machine", "p50 us, first", "p50 us, last run", "accuracy %, first", "accuracy %, last run"]
    return PageTable(head, lines[:MOST_FIRST])


def _tabulate_runs(history: History) -> PageTable:
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
    return PageTable(head, lines, left=len(head), names=[f"run-{i}" for i in range(len(lines))], words=head[-2:])


def _read_time(row: Row) -> Figure | None:
    return (row.latency.p50, row.latency.p50_interval, row.validity) if row.latency else None


def _read_accuracy(row: Row) -> Figure | None:
    """Return the accuracy as a figure, which is always valid: it does not depend on the machine's load."""
    if row.accuracy is None:
        return None
    low, high = row.accuracy.interval
    return 100 * row.accuracy.share, (100 * low, 100 * high), "valid"


def _draw_trends(
    history: History, trends: Sequence[Trend], read: Callable[[Row], Figure | None], unit: str
) -> list[PageFigure]:
    """Draw a figure of every row that has it: a point for each run."""
    last = len(history.runs) - 1
    places = sorted({0, last // 2, last})
    axes = ChartAxes(
        f"runs, 1 to {last + 1}" if last else "the only run", unit, {place: str(place + 1) for place in places}
    )
    breaks = [i - 0.5 for i, run in enumerate(history.runs) if run.changes]
    return [
        PageFigure(draw_curves("", axes, {"": points}, breaks, f"{unit}: {trend.name}"), trend.name)
        for trend in trends
        if (points := _list_points(history, trend, read))
    ]


def _list_points(history: History, trend: Trend, read: Callable[[Row], Figure | None]) -> list[ChartPoint]:
    points: list[ChartPoint] = []
    for i, (row, run) in enumerate(zip(trend.rows, history.runs, strict=True)):
        if row and (figure := read(row)):
            value, interval, validity = figure
            quick = run.results.settings.is_quick
            tip = f"run {i + 1}, {run.results.started}: {value:.4g} ({validity}{', quick' if quick else ''})"
            points.append(ChartPoint(i, value, interval, tip, f"run-{i}", quick or validity != "valid"))
    return points
