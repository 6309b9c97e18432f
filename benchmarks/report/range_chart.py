"""Charts of many rows as SVG: one lane per row, with its name and figure beside it, and one axis below.

Horizontal positions are percentages of the lane's width, so text keeps its size on any screen; on a phone, names stand
above their lanes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...edge.common.pages.html import Html, to_html
from ...edge.common.pages.svg import Axis, choose_ticks
from ..results.schema import Latency

# Bins of a distribution across a lane, and the lane's height in units.
BINS, LANE = 220, 44

STYLE = """
.lanes { margin: 1rem 0; } .lane { display: grid; grid-template-columns: 15rem minmax(0, 1fr) 13rem; gap: 0 1rem;
  align-items: center; border-top: 1px solid var(--line); padding: .3rem 0; font-size: .875rem; }
.lane:target { background: var(--band); } .lane .value { font-variant-numeric: tabular-nums; }
.lane small { display: block; } .lane .name { overflow-wrap: anywhere; }
.lane svg { width: 100%; display: block; overflow: visible; font: 12px system-ui, sans-serif; }
.lane text { fill: var(--soft); } .lane .grid { stroke: var(--line); } .lane .zero { stroke: var(--soft); }
.ours { --mark: var(--first); } .float { --mark: var(--second); } .peer { --mark: var(--third); }
.lane .hill { fill: var(--mark); fill-opacity: .28; } .lane .bar { stroke: var(--mark); stroke-width: 5; }
.lane .middle { stroke: var(--mark); stroke-width: 2; } .lane .tail { stroke: var(--mark); stroke-width: 1.5; }
.lane .dot { fill: var(--mark); } .lane .ring { fill: var(--paper); stroke: var(--mark); stroke-width: 1.5; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; background: var(--mark); }
.part { stroke: var(--paper); stroke-width: 1; }
@media (max-width: 60rem) { .lane { grid-template-columns: minmax(0, 1fr) minmax(0, 11rem); }
  .lane svg { grid-row: 2; grid-column: 1 / -1; } .lane .value { text-align: right; } }
"""


@dataclass(frozen=True)
class LogAxis(Axis):
    """An axis on which equal distances are equal factors."""

    def place(self, value: float, length: float) -> float:
        """Locate a value on an axis of this length; values beyond an end are placed at it."""
        first, last = self.ticks[0], self.ticks[-1]
        within = min(max(value, min(first, last)), max(first, last))
        return length * math.log(within / first) / math.log(last / first)


@dataclass(frozen=True)
class ChartRow:
    """A row of a chart.

    Attributes:
        name: Text at the left.
        small: Smaller text under the name.
        value: Text at the right.
        content: SVG, in percent horizontally and `LANE` units vertically.
        kind: `ours`, `float` or `peer`, which decides the colour.
        target: Anchor on the page that the name links to.
    """

    name: str
    small: str
    value: Html
    content: str
    kind: str
    target: str


def make_log_axis(title: str, low: float, high: float) -> LogAxis:
    """Make an axis from a round value below to one above, with a few ticks between them.

    Raises:
        ValueError: `low` is not above 0.
    """
    if low <= 0:
        raise ValueError(f"expected values above 0 for a logarithmic axis, got {low}.")
    factors = (1, 2, 5) if high / low < 60 else (1, 3) if high / low < 2000 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**power for power in powers for factor in factors]
    first = max(value for value in values if value <= low * (1 + 1e-9))
    last = min((value for value in values if value >= high * (1 - 1e-9) and value > first), default=10 * first)
    return LogAxis(title, [value for value in values if first <= value <= last] or [first, last], _shorten)


def _shorten(value: float) -> str:
    """Format a tick, with k for thousands: long labels would overlap on a phone."""
    return f"{value:g}" if value < 1000 else f"{value / 1000:g}k"


def make_signed_axis(title: str, values: Sequence[float]) -> Axis:
    """Make an axis of differences, which contains 0."""
    return Axis(
        title, choose_ticks(min(0.0, *values), max(0.0, *values)), lambda value: f"{value:+g}" if value else "0"
    )


def render_row_chart(axis: Axis, lanes: Sequence[ChartRow]) -> Html:
    """Render the chart; empty without lanes."""
    if not lanes:
        return Html("")
    grid = "".join(_line("grid", axis.place(tick, 100), 0, LANE) for tick in axis.ticks)
    lines = [
        f'<div class="lane {lane.kind}"><div class="name"><a href="#{lane.target}">{to_html(lane.name)}</a>'
        f"<small>{to_html(lane.small)}</small></div>"
        f'<svg height="{LANE}" aria-hidden="true">{grid}{lane.content}</svg><div class="value">{lane.value}</div></div>'
        for lane in lanes
    ]
    return Html(f'<div class="lanes">{"".join(lines)}{_draw_axis(axis)}</div>')


def draw_range(axis: Axis, latency: Latency) -> str:
    """Draw the range from the median to p99, the median's interval, and the slowest call."""
    p50, p99, slowest = (axis.place(value, 100) for value in (latency.p50, latency.p99, latency.max))
    low, high = (axis.place(bound, 100) for bound in latency.p50_interval)
    return (
        f'<line class="tail" x1="{p50:.2f}%" x2="{p99:.2f}%" y1="22" y2="22"/>'
        f'<line class="bar" x1="{low:.2f}%" x2="{high:.2f}%" y1="22" y2="22"/>'
        + _line("middle", p50, 10, 34)
        + _line("tail", p99, 15, 29)
        + f'<circle class="ring" cx="{slowest:.2f}%" cy="22" r="3.5"/>'
    )


def draw_distribution(axis: Axis, latency: Latency, share: float) -> str:
    """Draw calls within the axis as a histogram, the processes' medians as dots, the median's interval, p90 and p99.

    Args:
        axis: An axis in multiples of the median.
        latency: The latency to draw.
        share: The divisor of latencies: the median.
    """
    low, high = (axis.place(bound / share, 100) for bound in latency.p50_interval)
    dots = [
        f'<circle class="dot" cx="{axis.place(float(np.median(one)) / share, 100):.2f}%" cy="{LANE - 4}" r="2.5"/>'
        for one in latency.rounds
    ]
    return (
        _draw_hill(axis, np.concatenate(latency.rounds) / share)
        + f'<line class="bar" x1="{low:.2f}%" x2="{high:.2f}%" y1="28" y2="28"/>'
        + _line("middle", axis.place(latency.p50 / share, 100), 4, 34)
        + "".join(
            _line("tail", axis.place(value / share, 100), 22, 34)
            for value in (latency.p90, latency.p99)
            if value / share <= axis.ticks[-1]
        )
        + "".join(dots)
    )


def draw_interval(axis: Axis, value: float, interval: tuple[float, float] | None) -> str:
    """Draw a difference with its interval, and the position of no difference."""
    low, high = (axis.place(bound, 100) for bound in interval or (value, value))
    middle = axis.place(value, 100)
    return (
        _line("zero", axis.place(0, 100), 0, LANE)
        + f'<line class="bar" x1="{low:.2f}%" x2="{high:.2f}%" y1="22" y2="22"/>'
        + f'<circle class="ring" cx="{middle:.2f}%" cy="22" r="4"/>'
    )


def _draw_hill(axis: Axis, values: NDArray[np.floating]) -> str:
    """Draw a histogram on the axis, whose highest bin fills the lane; values beyond the axis are left out."""
    counts, _ = np.histogram(values, bins=BINS, range=(axis.ticks[0], axis.ticks[-1]))
    corners: list[str] = []
    for i, height in enumerate(32 * counts / max(1, counts.max())):
        corners += [f"{i} {34 - height:.1f}", f"{i + 1} {34 - height:.1f}"]
    return (
        f'<svg width="100%" height="{LANE}" viewBox="0 0 {BINS} {LANE}" preserveAspectRatio="none">'
        f'<path class="hill" d="M0 34 L{" L".join(corners)} L{BINS} 34 Z"/></svg>'
    )


def _line(kind: str, place: float, top: float, bottom: float) -> str:
    return f'<line class="{kind}" x1="{place:.2f}%" x2="{place:.2f}%" y1="{top}" y2="{bottom}"/>'


def _draw_axis(axis: Axis) -> str:
    ticks = []
    for i, tick in enumerate(axis.ticks):
        anchor = "start" if i == 0 else "end" if i == len(axis.ticks) - 1 else "middle"
        ticks.append(f'<text x="{axis.place(tick, 100):.2f}%" y="14" text-anchor="{anchor}">{axis.label(tick)}</text>')
    title = f'<text x="50%" y="32" text-anchor="middle">{to_html(axis.title)}</text>'
    return f'<div class="lane axis"><div></div><svg height="38">{"".join(ticks)}{title}</svg><div></div></div>'
