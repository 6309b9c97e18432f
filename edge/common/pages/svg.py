"""Two kinds of charts as SVG, for pages without scripts: curves over an axis, and two histograms in one frame.

Colours come from the page: the classes `first`, `second`, `axis` and `mark` are styled by `STYLE`, for light and dark.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..terminal.text import escape_html

COLOURS = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6875; --line: #d5dbe1; --paper: #fff; --first: #1f6fd0;
  --second: #c2571a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #333d47; --paper: #14191f;
  --first: #6aa5f5; --second: #f08d63; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { font-size: 1.1rem; margin-top: 2.5rem; } p, li { max-width: 50rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1.5rem; }
.soft { color: var(--soft); font-weight: 400; } .first { color: var(--first); } .second { color: var(--second); }
"""


def choose_ticks(low: float, high: float) -> list[float]:
    """Choose two to eight round numbers at equal distances that enclose `low` and `high`."""
    span = high - low or 1.0
    power = 10.0 ** np.floor(np.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [round(float(step * i), 10) for i in np.arange(first, max(last, first + 1) + 1)]


# Size of the drawing and margins of its frame, in units that the browser scales.
WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 26, 46

STYLE = """
svg.chart { width: 100%; height: auto; font: 13px system-ui, sans-serif; }
.chart text { fill: var(--soft); } .chart .title { fill: var(--ink); font-weight: 600; font-size: 14px; }
.chart .axis { stroke: var(--line); fill: none; }
.chart .first { stroke: var(--first); } .chart .second { stroke: var(--second); stroke-dasharray: 5 3; }
.chart path { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
.chart path.bars { stroke-width: 1; stroke-dasharray: none; fill-opacity: .3; }
.chart .bars.first { fill: var(--first); } .chart .bars.second { fill: var(--second); }
.chart .mark { stroke: var(--ink); stroke-dasharray: 2 3; }
"""

# On paper nothing scrolls or opens: tables and folded parts are shown whole.
PRINT_STYLE = """
@media print { body { max-width: none; margin: 0; } .scroll { overflow: visible; }
  th, td { white-space: normal; font-size: .65rem; padding: .1rem .3rem; }
  details.note { display: none; } details::details-content { content-visibility: visible; height: auto; }
  h1, h2, h3, h4 { break-after: avoid; } figure, tr, .lane { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        title: Quantity on the axis, with its unit.
        ticks: Values that are written; the first and the last are its ends.
        label: Function that formats a value.
    """

    title: str
    ticks: Sequence[float]
    label: Callable[[float], str]

    def place(self, value: float, length: float) -> float:
        """Return the position of a value along an axis of this length, limited to the axis."""
        low, high = self.ticks[0], self.ticks[-1]
        return min(max((value - low) / (high - low), 0.0), 1.0) * length


def render_curves(title: str, axes: tuple[Axis, Axis], curves: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Render at most two curves of (x, y) points, the second one dashed.

    Args:
        title: Text above the frame.
        axes: Axes across and up.
        curves: Points of each curve, from one end to the other.
    """
    paths = [
        f'<path class="{name}" d="M{" L".join(_point(axes, x, y) for x, y in curve)}"/>'
        for name, curve in zip(("first", "second"), curves, strict=False)
    ]
    return render_frame(title, axes, "".join(paths))


def render_histograms(
    title: str, axes: tuple[Axis, Axis], edges: Sequence[float], shares: Sequence[Sequence[float]], mark: float
) -> str:
    """Render at most two histograms over the same bins, one seen through the other, and a line at a value.

    Args:
        title: Text above the frame.
        axes: Axes across and up.
        edges: Edges of the bins, one more than there are bins.
        shares: Height of each bar, for each histogram.
        mark: Value at which the line is drawn.
    """
    paths = []
    for name, heights in zip(("first", "second"), shares, strict=False):
        corners = [(edges[0], 0.0)]
        for low, high, height in zip(edges, edges[1:], heights, strict=False):
            corners += [(low, height), (high, height)]
        corners.append((edges[-1], 0.0))
        paths.append(f'<path class="bars {name}" d="M{" L".join(_point(axes, x, y) for x, y in corners)} Z"/>')
    x = LEFT + axes[0].place(mark, WIDTH - LEFT - RIGHT)
    paths.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    return render_frame(title, axes, "".join(paths))


def _point(axes: tuple[Axis, Axis], x: float, y: float) -> str:
    across = LEFT + axes[0].place(x, WIDTH - LEFT - RIGHT)
    return f"{across:.1f} {HEIGHT - BOTTOM - axes[1].place(y, HEIGHT - TOP - BOTTOM):.1f}"


def render_frame(title: str, axes: tuple[Axis, Axis], content: str) -> str:
    """Render axes, ticks and titles around a drawing."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<text class="title" x="{LEFT}" y="16">{escape_html(title)}</text>']
    for value in axes[0].ticks:
        x = LEFT + axes[0].place(value, right - LEFT)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{axes[0].label(value)}</text>')
    for value in axes[1].ticks:
        y = bottom - axes[1].place(value, bottom - TOP)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{axes[1].label(value)}</text>')
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape_html(axes[0].title)}</text>')
    parts.append(
        f'<text transform="translate(13 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape_html(axes[1].title)}</text>"
    )
    label = escape_html(title)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}{content}'
        "</svg>"
    )
