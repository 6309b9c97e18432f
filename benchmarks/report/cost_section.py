"""The page's first section: accuracy against time and size, and the files that no other file beats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...edge.common.pages.drawing import FIRST, SECOND, THIRD
from ...edge.common.pages.page import PageFigure, PageTable, TableCell
from ...edge.common.pages.scatter import ChartMark, draw_scatter
from ...edge.common.terminal.formatting import format_percent
from ..results.findings import mark_front, timed_rows
from ..results.schema import Accuracy, Latency, Results, Row
from ..results.wording import format_us, target_label

HEAD = ["row", "front", "file", "on", "accuracy %", "p50 us", "kB", "validity"]
COLOURS = {"ours": FIRST, "float": SECOND, "peer": THIRD}


@dataclass(frozen=True)
class MeasuredRow:
    """A row with accuracy and latency, and its index in the results."""

    place: int
    row: Row
    accuracy: Accuracy
    latency: Latency


@dataclass(frozen=True)
class MachineCosts:
    """The charts and the table of a machine."""

    title: str
    charts: Sequence[PageFigure]
    raw: dict[str, str]
    table: PageTable


def kind_of(row: Row) -> str:
    """Return the kind of a row, which decides its colour."""
    if row.is_peer:
        return "peer"
    return "float" if row.precision in {None, "float32", "float16"} else "ours"


def measured_rows(results: Results, machine: int) -> list[MeasuredRow]:
    """List the rows of a machine that have accuracy and latency."""
    return [
        MeasuredRow(i, row, row.accuracy, row.latency)
        for i, row in timed_rows(results, machine)
        if row.accuracy and row.latency
    ]


def draw_costs(results: Results) -> list[MachineCosts]:
    """Draw charts and a table for each machine that timed anything."""
    found: list[MachineCosts] = []
    for place, machine in enumerate(results.machines):
        rows = measured_rows(results, place)
        if rows:
            drawn = pick_fastest(rows, each=lambda row: (row.file, row.runtime))
            smallest = pick_fastest(drawn, each=lambda row: row.file)
            charts = [
                _draw_scatter(f"Accuracy and latency, {machine.name}", "median latency at batch 1, us, logarithmic",
                              drawn, lambda one: one.latency.p50),
                _draw_scatter(f"Accuracy and size, {machine.name}", "size of the file, kB, logarithmic",
                              smallest, lambda one: one.row.size_bytes / 1000),
            ]  # fmt: skip
            raw = {f"rows[{one.place}].{name}": f"raw-{one.place}" for one in rows for name in ("accuracy", "latency")}
            title = f"{machine.name}: {machine.host.model}"
            found.append(MachineCosts(title, charts, raw, tabulate_costs(rows, rows)))
    return found


def tabulate_costs(rows: Sequence[MeasuredRow], beside: Sequence[MeasuredRow]) -> PageTable:
    """Tabulate accuracy, latency and size of `rows`; those that nothing in `beside` beats have a star."""
    front = mark_front((one.place, one.row) for one in beside)
    lines = [
        [
            TableCell(str(one.place), link=f"raw-{one.place}"),
            "★" if one.place in front else "",
            one.row.file + (" (peer)" if one.row.is_peer else ""),
            target_label(one.row),
            TableCell(
                f"{100 * one.accuracy.share:.2f}", " to ".join(f"{100 * bound:.2f}" for bound in one.accuracy.interval)
            ),
            TableCell(format_us(one.latency.p50), " to ".join(map(format_us, one.latency.p50_interval))),
            f"{one.row.size_bytes / 1000:.0f}",
            judge_validity(one.row),
        ]
        for one in rows
    ]
    return PageTable(HEAD, lines, left=4, words=HEAD[-1:])


def judge_validity(row: Row) -> TableCell:
    """Return the row's validity mark with its reasons."""
    if row.validity == "valid":
        return TableCell("valid")
    return TableCell(row.validity, "; ".join(row.reasons) or "no reason given", kind=row.validity)


def pick_fastest(rows: Sequence[MeasuredRow], each: Callable[[Row], object]) -> list[MeasuredRow]:
    """Pick the target with the lowest median for each value of `each`: all targets would cover one another."""
    fastest: dict[object, MeasuredRow] = {}
    for one in sorted(rows, key=lambda one: one.latency.p50, reverse=True):
        fastest[each(one.row)] = one
    return [one for one in rows if one in fastest.values()]


def _draw_scatter(
    title: str, across: str, rows: Sequence[MeasuredRow], cost_of: Callable[[MeasuredRow], float]
) -> PageFigure:
    marks = [make_mark(one.row, one.place, one.accuracy, cost_of(one), str(one.place)) for one in rows]
    return PageFigure(draw_scatter(title, across, marks, ()))


def make_mark(row: Row, place: int, accuracy: Accuracy, cost: float, label: str) -> ChartMark:
    """Make the mark of a row of the results for a scatter plot."""
    time = f", p50 {format_us(row.latency.p50)} us" if row.latency else ""
    return ChartMark(
        cost=cost,
        accuracy=accuracy.share,
        interval=accuracy.interval,
        count=accuracy.count,
        area=row.size_bytes,
        tip=f"row {place}: {row.file} on {target_label(row)}, {format_percent(accuracy.share)}{time}, "
        f"{row.size_bytes:,} bytes",
        label=label,
        colour=COLOURS[kind_of(row)],
        link=f"raw-{place}",
        is_round=row.format == "tflite",
        is_filled=row.validity == "valid",
        may_lead=row.validity != "invalid",
    )
