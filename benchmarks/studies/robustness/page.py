"""The page of a robustness benchmark: corrupted digits, and accuracy by severity for both files.

One HTML file without scripts or external resources.
"""

from collections.abc import Mapping, Sequence
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from ....edge.common.opencv import cv
from ....edge.common.pages.curves import ChartAxes, ChartPoint, draw_curves
from ....edge.common.pages.page import PageTable, Svg, embed_png, render_page
from ....edge.common.pages.tiles import DigitTile
from ....edge.common.terminal.formatting import format_percent
from .results import Cell, CellCounts, CorruptedRow, Robustness, RuntimeRobustness

# Horizontal distance of a file's points from the severity, so that the intervals of both files are visible.
APART = 0.05
# Lines of the first table.
MOST_FIRST = 8


def format_robustness_page(
    results: Robustness,
    sheet: NDArray[np.uint8],
    tables: Mapping[str, Sequence[PageTable]],
    sentences: Mapping[str, Sequence[str]],
    definitions: PageTable,
    conditions: Sequence[str],
) -> str:
    """Render the page: the verdict; sentences, charts and tables for each runtime; corrupted digits; conditions.

    Args:
        results: The run to show.
        sheet: Originals and corrupted digits, uint8 [15, 6, 28, 28].
        tables: Tables by runtime.
        sentences: Findings in Markdown by runtime.
        definitions: The severities.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    return render_page(
        "robustness.html",
        title=f"{results.name}: corrupted digits",
        verdict=_describe_verdict(results),
        chart=_draw_means(results),
        summary=_summarize(results),
        tiles=_draw_sheet(results, sheet),
        definitions=definitions,
        runtimes=[
            (one, sentences[one.runtime], _draw_runtime(one, results.images.count), tables[one.runtime])
            for one in results.runtimes
        ],
        conditions=conditions,
    )


def _describe_verdict(results: Robustness) -> str:
    """Describe, in Markdown, what both files misread on the first runtime."""
    runtime = results.runtimes[0]
    return (
        f"int8 misreads **{format_percent(runtime.int8.error)}** of corrupted digits and float32 "
        f"{format_percent(runtime.float32.error)} (on {runtime.runtime}, {results.images.count:,} images under each of "
        f"{len(runtime.rows)} corruptions and five severities)."
    )


def _draw_means(results: Robustness) -> Svg:
    """Draw the accuracy of both files on the first runtime by severity, the mean over corruptions."""
    runtime, count = results.runtimes[0], results.images.count
    severities = [(runtime.clean,), *zip(*(row.cells for row in runtime.rows), strict=True)]
    curves = {
        name: [ChartPoint(place, mean(getattr(cell, name).correct for cell in cells) / count)
               for place, cells in enumerate(severities)]
        for name in ("float32", "int8")
    }  # fmt: skip
    axes = ChartAxes("severity, 0 = as MNIST has it", "accuracy, mean over corruptions", is_share=True)
    return draw_curves(f"Severity and accuracy on {runtime.runtime}", axes, curves)


def _summarize(results: Robustness) -> PageTable:
    """Tabulate the errors of both files, with and without corruption."""
    head = ["runtime", "file", "errors without corruption", "errors under corruption", "refused",
            "wrong and not refused"]  # fmt: skip
    lines = [
        [
            runtime.runtime,
            name,
            format_percent(1 - clean.correct / results.images.count),
            format_percent(sums.error),
            format_percent(sums.refused, 1),
            format_percent(sums.silent, 1),
        ]
        for runtime in results.runtimes
        for name, clean, sums in (
            ("float32", runtime.clean.float32, runtime.float32),
            ("int8", runtime.clean.int8, runtime.int8),
        )
    ]
    return PageTable(head, lines[:MOST_FIRST], left=2)


def _draw_sheet(results: Robustness, sheet: NDArray[np.uint8]) -> list[DigitTile]:
    """Draw a picture for each corruption, its six digits side by side with a gray line between."""
    tiles: list[DigitTile] = []
    for record, digits in zip(results.corruptions, sheet, strict=True):
        strip = np.pad(digits, ((0, 0), (1, 1), (1, 1)), constant_values=110).transpose(1, 0, 2).reshape(30, -1)
        source = embed_png(cv.imencode(".png", strip)[1].tobytes())
        tiles.append(DigitTile(source, f"{record.name} *{record.published}", f"{record.name}, severities 0 to 5"))
    return tiles


def _draw_runtime(runtime: RuntimeRobustness, count: int) -> list[Svg]:
    cells = [cell for row in runtime.rows for cell in (runtime.clean, *row.cells)]
    lowest = min(counts.interval[0] for cell in cells for counts in (cell.float32, cell.int8))
    ticks = {float(severity): str(severity) for severity in range(6)}
    axes = ChartAxes("severity, 0 = as MNIST has it", f"accuracy, n = {count:,}", ticks, (lowest - 0.02, 1.01), True)
    return [_draw_corruption(row, runtime, axes, count) for row in runtime.rows]


def _draw_corruption(row: CorruptedRow, runtime: RuntimeRobustness, axes: ChartAxes, count: int) -> Svg:
    cells: tuple[Cell, ...] = (runtime.clean, *row.cells)
    curves = {
        "float32": _list_points([cell.float32 for cell in cells], count, -APART),
        "int8": _list_points([cell.int8 for cell in cells], count, APART),
    }
    return draw_curves(row.corruption, axes, curves, name=f"{row.corruption}, {runtime.runtime}")


def _list_points(counts: Sequence[CellCounts], count: int, aside: float) -> list[ChartPoint]:
    return [ChartPoint(place + aside, one.correct / count, one.interval) for place, one in enumerate(counts)]
