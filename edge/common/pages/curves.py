"""Curves over a common axis, and histograms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .drawing import FIRST, INK, PAPER, SECOND, SIZE, WARN, annotate, draw, label_ends
from .page import Svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ChartPoint:
    """A point of a curve, with its interval, the text shown on hovering, and a link."""

    x: float
    y: float
    interval: tuple[float, float] | None = None
    tip: str = ""
    link: str = ""
    is_doubtful: bool = False


@dataclass(frozen=True)
class ChartAxes:
    """Titles, ticks and limits of the axes of curves; without ticks and limits, Matplotlib chooses.

    Attributes:
        across: Title of the horizontal axis, with the unit.
        up: Title of the vertical axis, with the unit.
        ticks: Labels of the horizontal axis by value.
        limits: Ends of the vertical axis.
        is_share: Whether the vertical axis shows shares as percent.
    """

    across: str
    up: str
    ticks: dict[float, str] | None = None
    limits: tuple[float, float] | None = None
    is_share: bool = False


def draw_curves(
    title: str,
    axes: ChartAxes,
    curves: Mapping[str, Sequence[ChartPoint]],
    breaks: Sequence[float] = (),
    name: str = "",
) -> Svg:
    """Draw at most two curves, the second one dashed; if there are two, each has its name at its end.

    Args:
        title: Text above the frame.
        axes: Axes across and up.
        curves: Points of each curve by its name, from one end to the other.
        breaks: Positions at which conditions change: a line is drawn there, and curves do not cross it.
        name: Name of the chart if its title is not unique on the page.
    """

    def paint(frame: "Axes") -> None:
        for place in breaks:
            frame.axvline(place, color=WARN, linewidth=1, linestyle="--").set_gid("break")
        for (label, points), colour, style in zip(curves.items(), (FIRST, SECOND), ("-", "--"), strict=False):
            for i, piece in enumerate(_split(points, breaks)):
                frame.plot(
                    [one.x for one in piece], [one.y for one in piece], color=colour, linestyle=style,
                    label=label if i == 0 else None,
                )  # fmt: skip
            for point in points:
                _paint_point(frame, point, colour)
        frame.set(xlabel=axes.across, ylabel=axes.up, ylim=axes.limits)
        if axes.ticks:
            frame.set_xticks(list(axes.ticks), list(axes.ticks.values()))
        if axes.is_share:
            frame.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
        else:
            frame.yaxis.set_major_formatter(lambda value, _: f"{value:.6g}")
        if len(curves) > 1:
            named = zip(curves.items(), (FIRST, SECOND), strict=False)
            label_ends(frame, {label: (ends[-1].x, ends[-1].y, colour) for (label, ends), colour in named if ends})

    return draw(name or title, SIZE, paint, heading=title)


def _split(points: Sequence[ChartPoint], breaks: Sequence[float]) -> list[list[ChartPoint]]:
    """Split a curve where conditions change."""
    pieces: list[list[ChartPoint]] = []
    for point in points:
        if not pieces or any(pieces[-1][-1].x < place <= point.x for place in breaks):
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _paint_point(axes: "Axes", point: ChartPoint, colour: str) -> None:
    if point.interval:
        axes.plot([point.x] * 2, point.interval, color=colour, linewidth=1.2)
    if point.tip:
        fill = PAPER if point.is_doubtful else colour
        (drawn,) = axes.plot(
            [point.x], [point.y], marker="o", markersize=6, color=colour, markerfacecolor=fill, linestyle="none"
        )
        annotate(drawn, point.tip, point.link)


def draw_histograms(title: str, axes: ChartAxes, edges: Sequence[float], shares: dict[str, Any], mark: float) -> Svg:
    """Draw two histograms over the same bins, one seen through the other, and a line at a value, each with its name.

    Args:
        title: Text above the frame; it names the chart on the page, too.
        axes: Axes across and up.
        edges: Edges of the bins, one more than there are bins.
        shares: Height of each bar, for each histogram by its name.
        mark: Value at which the line is drawn.
    """

    def paint(frame: "Axes") -> None:
        peaks = {label: float(edges[int(np.argmax(heights))]) for label, heights in shares.items()}
        for (label, heights), colour in zip(shares.items(), (FIRST, SECOND), strict=False):
            frame.stairs(heights, edges, fill=True, color=colour, alpha=0.35)
            frame.stairs(heights, edges, color=colour, linewidth=0.9)
            # Away from the other one's name.
            side = "right" if peaks[label] == min(peaks.values()) else "left"
            frame.text(peaks[label], max(heights) * 1.02, label, color=colour, ha=side, va="bottom", fontsize=9)
        frame.axvline(mark, color=INK, linewidth=1.2, linestyle=":").set_gid("threshold")
        frame.annotate("threshold", (mark, 1), (4, -3), frame.get_xaxis_transform(), textcoords="offset points",
                       va="top", fontsize=9)  # fmt: skip
        frame.set(xlabel=axes.across, ylabel=axes.up)
        frame.margins(y=0.2)
        frame.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")

    return draw(title, SIZE, paint, heading=title.partition(":")[0])
