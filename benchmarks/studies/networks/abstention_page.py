"""The page of an abstention benchmark: scores of digits and non-digits, and risk when the least certain are dropped.

One HTML file without scripts or external resources.
"""

from collections.abc import Sequence

import numpy as np

from ....edge.common.pages.curves import ChartAxes, ChartPoint, draw_curves, draw_histograms
from ....edge.common.pages.page import PageTable, Svg, render_page
from ....edge.common.terminal.formatting import format_percent
from ...statistics.selective import Kept
from .abstention_results import AbstentionResults, AbstentionRow, Figures, Histogram

# The curves end at this coverage; below it there are no errors to show.
LEAST_COVERAGE = 0.8
# Lines of the first table.
MOST_FIRST = 8


def format_page(results: AbstentionResults, conditions: Sequence[str]) -> str:
    """Render the page: the verdict, and three charts for each file that ran.

    Args:
        results: The run to show.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    ran = [(row, row.figures) for row in results.rows if row.figures]
    best = max(ran, key=lambda pair: pair[1].framed.auroc, default=None)
    threshold = results.abstention.threshold
    return render_page(
        "abstention.html",
        title=f"{results.name}: digits and non-digits",
        verdict=_describe_verdict(results, best),
        chart=_draw_scores("Scores, framed by the reader", best[1].framed_histogram, threshold) if best else "",
        table=_tabulate(ran[:MOST_FIRST], results),
        files=[(row, figures, _draw(row, figures, results)) for row, figures in ran],
        missing=[row for row in results.rows if row.unavailable],
        conditions=conditions,
    )


def _describe_verdict(results: AbstentionResults, best: tuple[AbstentionRow, Figures] | None) -> str:
    """Describe, in Markdown, the file that separates digits from non-digits best."""
    if best is None:
        return "No file could be measured here."
    row, framed = best[0], best[1].framed
    return (
        f"**{row.file}** on {row.runtime} separates digits from non-digits with the highest AUROC, {framed.auroc:.5f}. "
        f"It accepts **{format_percent(framed.accepted / results.digits.count)}** of the digits and refuses "
        f"**{format_percent(framed.refused / results.others.count)}** of the non-digits, framed as the reader does."
    )


def _tabulate(ran: Sequence[tuple[AbstentionRow, Figures]], results: AbstentionResults) -> PageTable:
    """Tabulate how well each file tells digits from non-digits, framed by the reader."""
    lines = [
        [
            row.file,
            row.runtime,
            f"{figures.framed.auroc:.5f}",
            f"{100 * figures.framed.accepted / results.digits.count:.2f}",
            f"{100 * figures.framed.refused / results.others.count:.2f}",
        ]
        for row, figures in ran
    ]
    return PageTable(["file", "runtime", "AUROC", "digits accepted %", "non-digits refused %"], lines, left=2)


def _draw(row: AbstentionRow, figures: Figures, results: AbstentionResults) -> list[Svg]:
    name, threshold = f"{row.file} on {row.runtime}", results.abstention.threshold
    return [
        _draw_scores(f"Scores, images as they are: {name}", figures.histogram, threshold),
        _draw_scores(f"Scores, framed by the reader: {name}", figures.framed_histogram, threshold),
        _draw_risk(name, {"by confidence": figures.risk, "by score": figures.risk_by_score}),
    ]


def _draw_scores(name: str, histogram: Histogram, threshold: float) -> Svg:
    counted = {"digits": histogram.digits, "non-digits": histogram.others}
    shares = {label: np.array(counts) / max(1, sum(counts)) for label, counts in counted.items()}
    return draw_histograms(name, ChartAxes("score, nats", "share"), histogram.edges, shares, threshold)


def _draw_risk(name: str, curves: dict[str, Sequence[Kept]]) -> Svg:
    points = {
        label: [ChartPoint(1 - one.coverage, one.risk) for one in curve if one.coverage >= LEAST_COVERAGE]
        for label, curve in curves.items()
    }
    ticks = {gone: f"{100 * (1 - gone):.4g}%" for gone in (0, 0.05, 0.1, 0.15, 0.2)}
    axes = ChartAxes("coverage: the share that is kept", "risk: errors among them", ticks, is_share=True)
    return draw_curves("Risk and coverage", axes, points, name=f"Risk and coverage: {name}")
