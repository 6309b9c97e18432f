"""The page of an abstention benchmark: scores of digits and non-digits, and risk when the least certain are dropped.

One HTML file without scripts or external resources.
"""

import re
from collections.abc import Sequence

import numpy as np

from ....edge.common.pages.svg import COLOURS, Axis, choose_ticks, render_curves, render_histograms
from ....edge.common.pages.svg import STYLE as CHART_COLOURS
from ....edge.common.terminal.text import escape_html
from ...statistics.selective import Kept
from .abstention_results import AbstentionResults, AbstentionRow, Figures, Histogram

# The curves end at this coverage; below it there are no errors to show.
LEAST_COVERAGE = 0.8


def format_page(results: AbstentionResults, conditions: Sequence[str]) -> str:
    """Render the page: three charts for each file that ran.

    Args:
        results: The run to show.
        conditions: The conditions of the measurement, as sentences in Markdown.
    """
    title = f"{results.name}: digits, and what is none"
    sections = "\n".join(_section(row, row.figures, results) for row in results.rows if row.figures)
    listed = "".join(f"<li>{_emphasize(sentence)}</li>" for sentence in conditions)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape_html(title)}</title><style>{COLOURS}{CHART_COLOURS}</style></head><body>\n"
        f"<h1>{escape_html(title)}</h1>\n"
        '<p>Scores of <strong class="first">digits</strong> and of <strong class="second">others</strong>, as shares '
        "of each; the dotted line is the threshold, and what scores less is refused. The third chart has the errors "
        'among the digits that are kept when the least sure are let go, by <strong class="first">confidence</strong> '
        'and, dashed, by <strong class="second">score</strong>.</p>\n'
        f"{sections}\n<h2>How it was measured</h2><ul>{listed}</ul>\n</body></html>\n"
    )


def _section(row: AbstentionRow, figures: Figures, results: AbstentionResults) -> str:
    charts = [
        _draw_scores("Scores, images as they are", figures.histogram, results.abstention.threshold),
        _draw_scores("Scores, framed by the reader", figures.framed_histogram, results.abstention.threshold),
        _draw_risk(figures.risk, figures.risk_by_score),
    ]
    where = f"on {row.runtime}, AUROC {figures.plain.auroc:.5f}, framed {figures.framed.auroc:.5f}"
    return (
        f'<h2>{escape_html(row.file)} <span class="soft">{escape_html(where)}</span></h2>'
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _draw_scores(title: str, histogram: Histogram, threshold: float) -> str:
    shares = [np.array(counts) / max(1, sum(counts)) for counts in (histogram.digits, histogram.others)]
    low, high = min(histogram.edges[0], threshold), max(histogram.edges[-1], threshold)
    axes = (
        Axis("score, nats", choose_ticks(low, high), "{:g}".format),
        Axis("share", choose_ticks(0, float(max(share.max() for share in shares))), _percent),
    )
    return render_histograms(title, axes, histogram.edges, [share.tolist() for share in shares], threshold)


def _draw_risk(by_confidence: Sequence[Kept], by_score: Sequence[Kept]) -> str:
    curves = [
        [(1 - point.coverage, point.risk) for point in curve if point.coverage >= LEAST_COVERAGE]
        for curve in (by_confidence, by_score)
    ]
    most = max(risk for curve in curves for _, risk in curve)
    axes = (
        Axis("coverage: the share that is kept", choose_ticks(0, 1 - LEAST_COVERAGE), lambda gone: _percent(1 - gone)),
        Axis("risk: errors among them", choose_ticks(0, most or 0.01), _percent),
    )
    return render_curves("Risk and coverage", axes, curves)


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _emphasize(sentence: str) -> str:
    """Convert Markdown's bold to HTML."""
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape_html(sentence))
