"""The report of a comparison: a table for the terminal and Markdown, charts, and a page with both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...edge.common.files import write_all
from ...edge.common.pages.drawing import COLOURS, make_file
from ...edge.common.pages.markdown import escape_all_markdown, list_points
from ...edge.common.pages.page import PageTable, Svg, TableCell, render_page
from ...edge.common.pages.scatter import ChartMark, draw_scatter
from ...edge.common.terminal.formatting import format_percent
from ...edge.common.terminal.tables import format_table
from .models import ModelComparison, ModelPoint, PublishedClaim

HEADERS = ["", "model", "file", "runtime", "accuracy %", "95 % interval", "bytes", "p50 us"]
# Lines of the first table.
MOST_FIRST = 8
# Line styles of claims by the split they are made on.
STYLES = {"test": ":", "validation": "--"}


@dataclass(frozen=True)
class CostAxis:
    """The cost on the horizontal axis: its title with the unit, and the way to get it from a point."""

    title: str
    of: Callable[[ModelPoint], float]


SIZE = CostAxis("size of the file, kB, logarithmic", lambda point: point.size_bytes / 1000)
LATENCY = CostAxis("median latency at batch 1, us, logarithmic", lambda point: point.latency_us or 0)


def format_models(comparison: ModelComparison, style: str) -> str:
    """Format a line for each file on each runtime, the most accurate first, with a star for those on the front.

    Args:
        comparison: The comparison to show.
        style: A tabulate style: `simple` for a terminal, `github` for Markdown.
    """
    rows = [_cells(point) for point in comparison.points]
    align = (*["left"] * 4, *["right"] * (len(HEADERS) - 4))
    return format_table(rows, HEADERS, style, align)


def describe_models(comparison: ModelComparison) -> list[str]:
    """Describe the stars, marks and lines, and what was not measured."""
    timing, points = comparison.timing, comparison.points
    untimed = [point for point in points if point.latency_us is None and not point.latency_invalid]
    invalid = [point for point in points if point.latency_invalid]
    sentences = [
        f"★ marks the Pareto front of {', '.join(comparison.front_of)}: no other file is at least as good in "
        "all of these and better in one.",
        f"Accuracy on {comparison.points[0].count:,} images, {comparison.evaluated_on}, with Wilson's 95 % interval.",
    ]
    if timing:
        threads = "1 thread" if timing.num_threads == 1 else f"{timing.num_threads} threads"
        sentences.append(
            f"Latency on {timing.processor} ({timing.machine}), {threads}, measured by edge-mnist benchmark."
        )
    if untimed:
        named = sorted({point.file for point in untimed})
        sentences.append(
            f"Not timed: {', '.join(named)}. For latencies, run edge-mnist benchmark and compare its JSON files."
        )
    if invalid:
        named = sorted({f"{point.model}'s {point.file} on {point.runtime}" for point in invalid})
        sentences.append(f"Invalid latency left out: {', '.join(named)}. The processor was throttled; benchmark again.")
    if comparison.references:
        sentences.append(
            "Lines are the published accuracies of the original networks, dotted for test and dashed for "
            "validation. Their authors trained and measured these networks."
        )
    return sentences


def draw_points(title: str, cost: CostAxis, points: Sequence[ModelPoint], references: Sequence[PublishedClaim]) -> Svg:
    """Draw points in a colour for each model, with the name beside its cheapest one, and published claims as lines."""
    models = list(dict.fromkeys(point.model for point in points))
    cheapest = {point.model: point for point in sorted(points, key=cost.of, reverse=True)}
    marks = [
        ChartMark(
            cost=cost.of(point),
            accuracy=point.accuracy,
            interval=point.interval,
            count=point.count,
            area=point.size_bytes,
            tip=f"{point.file} on {point.runtime}: {format_percent(point.accuracy)}, {point.size_bytes:,} bytes",
            label=point.model if point is cheapest[point.model] else "",
            colour=COLOURS[models.index(point.model) % len(COLOURS)],
            series=point.model,
            is_round=point.format == "tflite",
            is_filled=point.precision not in {"float32", "float16"},
        )
        for point in points
    ]
    claims = [
        (f"{one.name}: {'about ' if one.rough else ''}{100 * one.accuracy:.6g} %", one.accuracy, STYLES[one.split])
        for one in references
    ]
    return draw_scatter(title, cost.title, marks, claims)


def name_charts(comparison: ModelComparison) -> list[str]:
    """List the names of the charts: accuracy against size, and against latency if any was measured."""
    return ["size", "latency"] if any(point.latency_us is not None for point in comparison.points) else ["size"]


def draw_charts(comparison: ModelComparison) -> dict[str, Svg]:
    """Draw the charts by name."""
    charts = {"size": draw_points("Accuracy and size", SIZE, comparison.points, comparison.references)}
    if timed := [point for point in comparison.points if point.latency_us is not None]:
        charts["latency"] = draw_points("Accuracy and latency", LATENCY, timed, comparison.references)
    return charts


def format_markdown(comparison: ModelComparison) -> str:
    """Format the table, the charts and the findings as Markdown."""
    comparison = escape_all_markdown(comparison)
    images = "\n".join(f"![Accuracy against {name}](compare-{name}.svg)" for name in name_charts(comparison))
    notes = list_points(describe_models(comparison))
    parts = ["# Models compared", format_models(comparison, "github"), images, notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def format_comparison_page(comparison: ModelComparison, charts: dict[str, Svg]) -> str:
    """Render one HTML file without scripts or external resources."""
    front = [point for point in comparison.points if point.on_front]
    rows = [_cells(point) for point in comparison.points]
    return render_page(
        "models.html",
        title="Models compared",
        verdict=_describe_verdict(front),
        front=_tabulate_front(front[:MOST_FIRST]),
        # The cost that a deployment feels comes first: time, if any was measured.
        charts=[*charts.values()][::-1],
        table=PageTable(HEADERS, rows, left=4),
        notes=describe_models(comparison),
    )


def _describe_verdict(front: Sequence[ModelPoint]) -> str:
    """Describe, in Markdown, the most accurate file and the smallest one that no other beats."""
    best, smallest = max(front, key=lambda one: one.accuracy), min(front, key=lambda one: one.size_bytes)
    share = format_percent(best.accuracy)
    verdict = f"**{best.file}** of {best.model} is the most accurate: {share} of {best.count:,} images."
    if smallest.file == best.file:
        return verdict
    return (
        f"{verdict} The smallest on the front is **{smallest.file}** of {smallest.model}: {smallest.size_bytes:,} "
        f"bytes, {format_percent(smallest.accuracy)}."
    )


def _tabulate_front(front: Sequence[ModelPoint]) -> PageTable:
    """Tabulate the files that no other beats; without times there is no column for them."""
    lines = [
        [
            TableCell(point.file, f"{point.model}, {point.runtime}"),
            TableCell(f"{100 * point.accuracy:.2f}", " to ".join(f"{100 * bound:.2f}" for bound in point.interval)),
            f"{point.size_bytes:,}",
            *([] if point.latency_us is None else [f"{point.latency_us:.0f}"]),
        ]
        for point in front
    ]
    return PageTable(["file", "accuracy %", "bytes", "p50 us"][: max(map(len, lines))], lines)


def write_comparison(comparison: ModelComparison, folder: Path) -> tuple[Path, ...]:
    """Write `compare.html`, `.json`, `.md`, and each chart as SVG; return the paths, the page first.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    charts = draw_charts(comparison)
    contents = {
        "compare.html": format_comparison_page(comparison, charts),
        "compare.json": msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode() + "\n",
        "compare.md": format_markdown(comparison),
        **{f"compare-{name}.svg": make_file(chart) for name, chart in charts.items()},
    }
    return write_all({folder / name: content.encode() for name, content in contents.items()})


def _cells(point: ModelPoint) -> list[str]:
    low, high = point.interval
    return [
        "★" if point.on_front else "",
        point.model,
        point.file,
        point.runtime,
        f"{100 * point.accuracy:.2f}",
        f"{100 * low:.2f} to {100 * high:.2f}",
        f"{point.size_bytes:,}",
        "" if point.latency_us is None else f"{point.latency_us:.0f}",
    ]
