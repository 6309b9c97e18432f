"""The report of a comparison: a table for the terminal and Markdown, charts, and a page with both."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...edge.common.files import write_all
from ...edge.common.pages.markdown import escape_all_markdown
from ...edge.common.pages.svg import PRINT_STYLE
from ...edge.common.terminal.tables import format_table
from ...edge.common.terminal.text import escape_html
from .models import ModelComparison, ModelPoint
from .scatter import CostAxis, render_scatter

HEADERS = ["", "model", "file", "runtime", "accuracy %", "95 % interval", "bytes", "p50 us"]
SIZE = CostAxis("size of the file, kB, logarithmic", lambda point: point.size_bytes / 1000)
LATENCY = CostAxis("median latency at batch 1, microseconds, logarithmic", lambda point: point.latency_us or 0)

STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6875; --line: #d5dbe1; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #38424d; --paper: #14191f; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } p, li { max-width: 50rem; } .scroll { overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--soft); } :is(th, td):nth-child(-n+4) { text-align: left; }
@media (max-width: 32rem) { th, td { padding: .25rem; font-size: .8rem; } ul { padding-left: 1.2rem; } }
"""


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


def draw_charts(comparison: ModelComparison) -> dict[str, str]:
    """Draw charts by file name: accuracy against size, and against latency if any was measured."""
    charts = {"size": render_scatter("Accuracy and size", SIZE, comparison.points, comparison.references)}
    if timed := [point for point in comparison.points if point.latency_us is not None]:
        charts["latency"] = render_scatter("Accuracy and latency", LATENCY, timed, comparison.references)
    return charts


def format_markdown(comparison: ModelComparison) -> str:
    """Format the table, the names of the charts, and the findings as Markdown."""
    comparison = escape_all_markdown(comparison)
    images = "\n".join(f"![Accuracy against {name}](compare-{name}.svg)" for name in draw_charts(comparison))
    notes = "\n".join(f"- {sentence}" for sentence in describe_models(comparison))
    return f"# Models compared\n\n{format_models(comparison, 'github')}\n\n{images}\n\n{notes}\n"


def format_comparison_page(comparison: ModelComparison) -> str:
    """Render one HTML file without scripts or external resources."""
    notes = "".join(f"<li>{escape_html(sentence)}</li>" for sentence in describe_models(comparison))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Models compared</title><style>{STYLE}{PRINT_STYLE}</style></head><body>\n<h1>Models compared</h1>\n"
        f'<div class="charts">{"".join(draw_charts(comparison).values())}</div>\n'
        "<p>Better is to the top left. Circles are TFLite, squares ONNX; filled are integers, hollow are floats; the "
        "larger the mark, the larger the file; a broad line joins the files of a model. The dashed stairs are the "
        "front of the drawing's two measures.</p>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="table">{_table(comparison.points)}</div>\n'
        f"<ul>{notes}</ul>\n</body></html>\n"
    )


def write_comparison(comparison: ModelComparison, folder: Path) -> list[Path]:
    """Write `compare.html`, `.json`, `.md`, and each chart as SVG; return the paths, the page first.

    Raises:
        FolderError: A file cannot be written.
    """
    contents = {
        "compare.html": format_comparison_page(comparison),
        "compare.json": msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode() + "\n",
        "compare.md": format_markdown(comparison),
        **{f"compare-{name}.svg": f"{chart}\n" for name, chart in draw_charts(comparison).items()},
    }
    write_all({folder / name: content.encode() for name, content in contents.items()})
    return [folder / name for name in contents]


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


def _table(points: Sequence[ModelPoint]) -> str:
    lines = [f"<tr>{''.join(f'<td>{escape_html(cell)}</td>' for cell in _cells(point))}</tr>" for point in points]
    head = "".join(f"<th>{escape_html(name)}</th>" for name in HEADERS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
