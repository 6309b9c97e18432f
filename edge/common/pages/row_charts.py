"""Row charts: a lane for each row with a range, a distribution, stages or a point."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..terminal.text import one_line
from .drawing import FIRST, INK, PAPER, SECOND, SOFT, THIRD, WIDE, annotate, draw, label_log_axis
from .page import Svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Heights of a row's lane and of a chart's axis, in inches.
LANE, AXIS = 0.66, 0.7
# Bins of a distribution across a lane.
BINS = 220
KINDS = {"ours": FIRST, "float": SECOND, "peer": THIRD}


@dataclass(frozen=True)
class ChartRow:
    """A row of a chart: its texts, and the marks in its lane.

    Attributes:
        name: Text at the left; a link to the raw values, if `link` is set.
        note: Smaller text under the name.
        value: Figure at the right.
        value_note: Smaller text under the figure.
        kind: `ours`, `float` or `peer`, which decides the colour.
        link: Anchor on the page.
        bar: Interval drawn as a thick bar.
        line: Range drawn as a thin line.
        strokes: Values drawn as upright strokes, the first one longer.
        rings: Values drawn as rings.
        dots: Values drawn as small dots under the lane.
        hill: Values drawn as a histogram.
        parts: Lengths drawn end to end: name, length, colour.
    """

    name: str
    note: str
    value: str
    value_note: str
    kind: str = "ours"
    link: str = ""
    bar: tuple[float, float] | None = None
    line: tuple[float, float] | None = None
    strokes: Sequence[float] = ()
    rings: Sequence[float] = ()
    dots: Sequence[float] = ()
    hill: NDArray[np.floating] | None = None
    parts: Sequence[tuple[str, float, str]] = ()


def draw_rows(title: str, across: str, rows: Sequence[ChartRow], is_log: bool = False, zero: bool = False) -> Svg:
    """Draw a lane for each row under its texts: ranges, intervals, distributions or lengths.

    Args:
        title: Name of the chart; it is not written, as the page has a heading.
        across: Title of the horizontal axis, with the unit.
        rows: Rows from top to bottom, at least one.
        is_log: Whether the axis is logarithmic; then all values are above 0.
        zero: Whether to mark the position of 0, no difference.
    """

    def paint(axes: "Axes") -> None:
        if is_log:
            values = [value for row in rows for value in (*(row.bar or ()), *(row.line or ()), *row.rings)]
            label_log_axis(axes, min(values) / 1.05, max(values) * 1.05)
        if zero:
            axes.vlines(
                [0] * len(rows), [i + 0.54 for i in range(len(rows))], range(1, len(rows) + 1), SOFT, linewidth=1
            )
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.4g}" if value else "0")
        for place, row in enumerate(rows):
            _write_row(axes, place, row)
            _paint_row(axes, place + 0.75, row)
        axes.set(xlabel=across, ylim=(len(rows), 0))
        axes.set_yticks(range(1, len(rows)), [""] * (len(rows) - 1))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    return draw(title, (WIDE, LANE * len(rows) + AXIS), paint, heading="")


def _write_row(axes: "Axes", place: int, row: ChartRow) -> None:
    value = "; ".join(filter(None, (row.value, row.value_note)))
    # The name has a line to itself: it may be long.
    for x, align, low, text, colour in (
        (0, "left", 0.06, row.name, INK), (0, "left", 0.28, row.note, SOFT), (1, "right", 0.28, value, INK),
    ):  # fmt: skip
        written = axes.text(
            x, place + low, one_line(text), transform=axes.get_yaxis_transform(), ha=align, va="top", fontsize=8.5,
            color=colour,
        )  # fmt: skip
        written.set_in_layout(False)
        annotate(written, "", row.link if low == 0.06 else "")


def _paint_row(axes: "Axes", y: float, row: ChartRow) -> None:
    colour = KINDS[row.kind]
    if row.hill is not None:
        counts, edges = np.histogram(row.hill, bins=BINS, range=(float(row.hill.min()), float(row.hill.max())))
        base = y - 0.02
        axes.stairs(base - 0.26 * counts / max(1, counts.max()), edges, baseline=base, fill=True, color=colour,
                    alpha=0.35)  # fmt: skip
        # The interval lies under the distribution.
        y += 0.06
    if row.line:
        axes.plot(row.line, [y] * 2, color=colour, linewidth=1.3)
    if row.bar:
        axes.plot(row.bar, [y] * 2, color=colour, linewidth=5, solid_capstyle="butt")
    for i, stroke in enumerate(row.strokes):
        reach = 0.06 if row.hill is not None else 0.17 / (i + 1)
        axes.plot([stroke] * 2, [y - reach, y + reach], color=colour, linewidth=1.8 if i == 0 else 1.2)
    for ring in row.rings:
        axes.plot([ring], [y], marker="o", markersize=6, color=colour, markerfacecolor=PAPER, linestyle="none")
    if len(row.dots):
        axes.plot(row.dots, [y + 0.11] * len(row.dots), marker="o", markersize=3.5, color=colour, linestyle="none")
    start, longest = 0.0, max((length for _, length, _ in row.parts), default=0.0)
    for name, length, fill in row.parts:
        (box,) = axes.barh(y - 0.05, length, 0.24, start, color=fill, edgecolor=PAPER, linewidth=0.6)
        annotate(box, name, "")
        # The others' names are in the text below the chart.
        if length >= longest / 3:
            axes.text(start + length / 2, y + 0.08, name.partition(":")[0], ha="center", va="top", fontsize=7.5)
        start += length
    if row.parts:
        axes.set_xlim(left=0)
