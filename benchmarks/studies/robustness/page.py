"""The page of a robustness benchmark: corrupted digits, and accuracy by severity for both files.

One HTML file without scripts or external resources.
"""

import base64
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ....edge.common.opencv import cv
from ....edge.common.pages.svg import COLOURS, PRINT_STYLE, Axis, choose_ticks, render_curves
from ....edge.common.pages.svg import STYLE as CHART_STYLE
from ....edge.common.terminal.text import escape_html
from .results import Cell, CellCounts, CorruptedRow, Robustness, RuntimeRobustness

# Horizontal distance of intervals from their file's line, in severities, so that those of both files are visible.
APART = 0.05

PAGE_STYLE = """
.sheet { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: .4rem 2rem; }
.sheet figure { display: grid; grid-template-columns: 7rem 1fr; align-items: center; gap: .6rem; margin: 0; }
.sheet img { width: 100%; image-rendering: pixelated; } .scroll { overflow-x: auto; }
summary { cursor: pointer; margin-top: 1rem; } details th { text-align: left; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
.scroll th:first-child, .scroll td:first-child { position: sticky; left: 0; background: var(--paper); }
@media (max-width: 30rem) { th, td { padding: .2rem .4rem; } ul { padding-left: 1.2rem; } }
"""


def format_robustness_page(
    results: Robustness,
    sheet: NDArray[np.uint8],
    tables: Mapping[str, Sequence[str]],
    sentences: Mapping[str, Sequence[str]],
    definitions: str,
    conditions: Sequence[str],
) -> str:
    """Render the page: contact sheet and definitions; sentences, charts and tables for each runtime; conditions.

    Args:
        results: The run to show.
        sheet: Originals and corrupted digits, uint8 [15, 6, 28, 28].
        tables: HTML tables by runtime.
        sentences: Findings in Markdown by runtime.
        definitions: The severities as an HTML table.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    title = f"{results.name}: corrupted digits"
    runtimes = "\n".join(
        _section(runtime, results, tables[runtime.runtime], sentences[runtime.runtime]) for runtime in results.runtimes
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape_html(title)}</title><style>{COLOURS}{CHART_STYLE}{PAGE_STYLE}{PRINT_STYLE}</style></head><body>\n"
        f"<h1>{escape_html(title)}</h1>\n<h2>What is done to digits</h2>\n"
        "<p>An image without corruption, and severities 1 to 5; a star marks the severity that MNIST-C has.</p>\n"
        f'<div class="sheet">{_draw_sheet(results, sheet)}</div>\n'
        f'<details><summary>Parameters</summary><div class="scroll">{definitions}</div></details>\n{runtimes}\n'
        f"<h2>How it was measured</h2>{_list(conditions)}\n</body></html>\n"
    )


def _draw_sheet(results: Robustness, sheet: NDArray[np.uint8]) -> str:
    """Draw a picture for each corruption, its six digits side by side with a gray line between."""
    figures: list[str] = []
    for record, digits in zip(results.corruptions, sheet, strict=True):
        strip = np.pad(digits, ((0, 0), (1, 1), (1, 1)), constant_values=110).transpose(1, 0, 2).reshape(30, -1)
        source = base64.b64encode(cv.imencode(".png", strip)[1].tobytes()).decode("ascii")
        label = f'{record.name} <span class="soft">*{record.published}</span>'
        figures.append(
            f'<figure><figcaption>{label}</figcaption><img alt="{record.name}, severities 0 to 5" '
            f'src="data:image/png;base64,{source}"></figure>'
        )
    return "".join(figures)


def _section(runtime: RuntimeRobustness, results: Robustness, tables: Sequence[str], sentences: Sequence[str]) -> str:
    count = results.images.count
    axes = (
        Axis("severity, 0 = as MNIST has it", range(6), "{:.0f}".format),
        Axis(f"accuracy, n = {count:,}", choose_ticks(_lowest(runtime), 1), lambda share: f"{100 * share:.4g}%"),
    )
    charts = "".join(_draw_accuracy(row, runtime.clean, axes, count) for row in runtime.rows)
    wide = "".join(f'<div class="scroll">{table}</div>' for table in tables)
    return (
        f'<h2>{escape_html(runtime.runtime)} <span class="soft">{escape_html(runtime.version)}</span></h2>\n'
        f'{_list(sentences)}<p>Accuracy of <strong class="first">float32</strong> and, dashed, '
        '<strong class="second">int8</strong> over severity, with 95 % intervals. Where one line is seen, the other '
        f'is under it.</p>\n<div class="charts">{charts}</div>\n{wide}'
    )


def _lowest(runtime: RuntimeRobustness) -> float:
    return min(
        reading.interval[0] for row in runtime.rows for cell in row.cells for reading in (cell.float32, cell.int8)
    )


def _draw_accuracy(row: CorruptedRow, clean: Cell, axes: tuple[Axis, Axis], count: int) -> str:
    cells = (clean, *row.cells)
    return render_curves(
        row.corruption,
        axes,
        (
            _draw_intervals([cell.float32 for cell in cells], count, -APART),
            _draw_intervals([cell.int8 for cell in cells], count, APART),
        ),
    )


def _draw_intervals(readings: Sequence[CellCounts], count: int, aside: float) -> list[tuple[float, float]]:
    """Return one line through all accuracies that draws each interval to the side on its way."""
    points: list[tuple[float, float]] = []
    for severity, reading in enumerate(readings):
        x, share = severity + aside, reading.correct / count
        there, back = (severity, share), (x, share)
        points += [there, back, (x, reading.interval[0]), (x, reading.interval[1]), back, there]
    return points


def _list(sentences: Sequence[str]) -> str:
    """Convert Markdown's bold and code to HTML."""
    items = [
        re.sub(r"`(.+?)`", r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape_html(text)))
        for text in sentences
    ]
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
