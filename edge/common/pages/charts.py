"""Charts drawn by Matplotlib as SVG that takes its colours from the page: readable in light and dark mode.

Matplotlib draws with placeholder colours, which become the page's variables. Figures are made without pyplot, so no
backend, window or global state is touched. Blue and orange are distinct for the colour-blind, and no information
depends on colour alone. Accuracy is drawn as its error on a logarithmic axis, so that 99.7 and 99.8 % are far apart.
"""

import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..terminal.text import clean, escape_html, one_line
from .page import PageError, Svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Item = TypeVar("Item")
# Placeholder colours that nothing else has; the page's variables replace them.
INK, SOFT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
FIRST, SECOND, THIRD, WARN = "#050505", "#060606", "#070707", "#080808"
VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", PAPER: "paper", FIRST: "first", SECOND: "second", THIRD: "third",
             WARN: "warn"}  # fmt: skip
# Okabe and Ito's colours that are visible on white and on black; further items reuse them.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c98a00", "#56b4e9", "#8a6fd1")
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    # A class may be named `$x$`.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.labelcolor": INK,
    "legend.framealpha": 0.8,
    "lines.linewidth": 1.8,
}
# Inches: small enough for a phone to show with legible letters.
SIZE, WIDE = (4.6, 3.1), 5.0
# Heights of a row's lane and of a chart's axis, in inches.
LANE, AXIS = 0.66, 0.7
# Accuracies to label, in percent.
ACCURACY_TICKS = (0, 50, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.7, 99.8, 99.9, 99.95, 99.98, 99.99)
# Width of a letter and height of a line of labels, in points.
LETTER, LETTERS_HIGH = 5.6, 11
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


@dataclass(frozen=True)
class ChartMark:
    """A mark of a scatter plot.

    Attributes:
        cost: Position on the horizontal axis, above 0.
        accuracy: Share of images read correctly.
        interval: Its 95 % interval.
        count: Number of images.
        area: Weight that decides the size of the mark.
        tip: Text shown when the pointer rests on the mark.
        label: Text written beside the mark; none if empty.
        colour: One of the colours of this module.
        series: Marks of one series are joined by a broad line; none if empty.
        link: Anchor on the page.
        is_round: Whether the mark is a circle; otherwise a square.
        is_filled: Whether the mark is filled.
        may_lead: Whether the mark may be on the front.
    """

    cost: float
    accuracy: float
    interval: tuple[float, float]
    count: int
    area: float
    tip: str
    label: str = ""
    colour: str = FIRST
    series: str = ""
    link: str = ""
    is_round: bool = True
    is_filled: bool = True
    may_lead: bool = True


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


def error_of(accuracy: float, count: int) -> float:
    """Return the share of `count` images that is misread, at least half an image: a logarithm cannot show 0."""
    return max(1 - accuracy, 0.5 / count)


def pick_front(
    items: Iterable[Item], cost_of: Callable[[Item], float], accuracy_of: Callable[[Item], float]
) -> list[Item]:
    """Pick the items that cost less than all others of at least their accuracy, the cheapest first."""
    front: list[Item] = []
    for item in sorted(items, key=lambda one: (cost_of(one), -accuracy_of(one))):
        if not front or accuracy_of(item) > accuracy_of(front[-1]):
            front.append(item)
    return front


def draw_scatter(title: str, across: str, marks: Sequence[ChartMark], claims: Sequence[tuple[str, float, str]]) -> Svg:
    """Draw accuracy upwards against a cost, both logarithmic, with 95 % intervals and the front as stairs.

    Args:
        title: Text above the plot.
        across: Title of the horizontal axis, with the unit.
        marks: Marks to draw, at least one.
        claims: Text, accuracy and line style of published claims, which have no cost: their lines cross the plot.
    """

    def paint(axes: "Axes") -> None:
        costs = [mark.cost for mark in marks]
        low, high = min(costs) / 1.4, max(costs) * 1.4
        # Claims are written at the right.
        _label_log_axis(axes, low, low * (high / low) ** 1.5 if claims else high)
        errors = [error_of(bound, mark.count) for mark in marks for bound in mark.interval]
        _label_accuracies(axes, [*errors, *(1 - accuracy for _, accuracy, _ in claims)])
        axes.set(xlabel=across, ylabel=f"accuracy, %, n = {marks[0].count:,}")
        for text, accuracy, style in claims:
            axes.axhline(1 - accuracy, color=SOFT, linewidth=0.8, linestyle=style)
            axes.text(1, 1 - accuracy, text, transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=8)
        _paint_marks(axes, marks)
        front = pick_front((mark for mark in marks if mark.may_lead), lambda one: one.cost, lambda one: one.accuracy)
        if front:
            stairs = [error_of(mark.accuracy, mark.count) for mark in front]
            places = [*(mark.cost for mark in front), axes.get_xlim()[1]]
            axes.step(places, [*stairs, stairs[-1]], where="post", color=INK, linewidth=1, linestyle="--")
        _write_labels(axes, marks, [(text, accuracy) for text, accuracy, _ in claims])

    # A machine's name after the comma makes the chart's name unique; the page shows it above.
    heading = title.partition(", ")[0]
    return draw(title, (SIZE[0], SIZE[0] * 0.9), paint, f"{heading}; lines: claims of others" if claims else heading)


def _paint_marks(axes: "Axes", marks: Sequence[ChartMark]) -> None:
    for series in dict.fromkeys(mark.series for mark in marks if mark.series):
        joined = sorted((mark for mark in marks if mark.series == series), key=lambda one: one.cost)
        heights = [error_of(mark.accuracy, mark.count) for mark in joined]
        axes.plot([mark.cost for mark in joined], heights, color=joined[0].colour, alpha=0.35, linewidth=3)
    largest = max(mark.area for mark in marks)
    # Large marks first, so that none hides a smaller one.
    for mark in sorted(marks, key=lambda one: -one.area):
        ends = [error_of(bound, mark.count) for bound in mark.interval]
        axes.plot([mark.cost] * 2, ends, color=mark.colour, linewidth=1.2, alpha=0.7)
        (drawn,) = axes.plot(
            [mark.cost], [error_of(mark.accuracy, mark.count)], marker="o" if mark.is_round else "s",
            markersize=7 + 6 * math.sqrt(mark.area / largest), color=mark.colour, alpha=0.9,
            markerfacecolor=mark.colour if mark.is_filled else PAPER, markeredgewidth=1.4, linestyle="none",
        )  # fmt: skip
        _annotate(drawn, mark.tip, mark.link)


def _write_labels(axes: "Axes", marks: Sequence[ChartMark], claims: Sequence[tuple[str, float]]) -> None:
    """Write each label beside its mark, where it covers least, with a line of the mark's colour to it."""
    figure: Any = axes.figure
    figure.draw_without_rendering()
    scale = 72 / figure.dpi
    frame = [float(edge) * scale for edge in axes.bbox.extents]
    places = [axes.transData.transform((one.cost, error_of(one.accuracy, one.count))) * scale for one in marks]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    for text, accuracy in claims:
        y = axes.transData.transform((1, 1 - accuracy))[1] * scale
        taken.append((frame[2] - 0.8 * LETTER * len(text), y, frame[2], y + LETTERS_HIGH))
    for mark, (x, y) in zip(marks, places, strict=True):
        if not mark.label:
            continue
        width = LETTER * len(mark.label)
        corners = [(x + far * step - width * (step < 0) - width / 2 * (step == 0), y + rise)
                   for far in (9, 22) for step in (1, -1, 0) for rise in (-4, far, -far - 8)
                   if step or rise != -4]  # fmt: skip
        kept = [(min(max(left, frame[0] + 2), frame[2] - width), max(low, frame[1] + 2)) for left, low in corners]
        boxes = [(left, low, left + width, low + LETTERS_HIGH) for left, low in kept]
        box = min(boxes, key=lambda one: sum(_overlap(one, other) for other in taken))
        taken.append(box)
        written = axes.annotate(
            mark.label, (mark.cost, error_of(mark.accuracy, mark.count)), (box[0] - x, box[1] - y),
            textcoords="offset points", fontsize=9, color=INK,
            arrowprops={"arrowstyle": "-", "color": mark.colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        _annotate(written, "", mark.link)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Compute the area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    return max(0.0, width) * max(0.0, min(one[3], other[3]) - max(one[1], other[1]))


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
            _label_log_axis(axes, min(values) / 1.05, max(values) * 1.05)
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
        _annotate(written, "", row.link if low == 0.06 else "")


def _paint_row(axes: "Axes", y: float, row: ChartRow) -> None:
    colour = KINDS[row.kind]
    if row.hill is not None:
        counts, edges = np.histogram(row.hill, bins=BINS, range=(float(row.hill.min()), float(row.hill.max())))
        axes.stairs(y + 0.16 - 0.32 * counts / max(1, counts.max()), edges, baseline=y + 0.16, fill=True, color=colour,
                    alpha=0.35)  # fmt: skip
    if row.line:
        axes.plot(row.line, [y] * 2, color=colour, linewidth=1.3)
    if row.bar:
        axes.plot(row.bar, [y] * 2, color=colour, linewidth=5, solid_capstyle="butt")
    for i, stroke in enumerate(row.strokes):
        axes.plot(
            [stroke] * 2, [y - 0.17 / (i + 1), y + 0.17 / (i + 1)], color=colour, linewidth=1.8 if i == 0 else 1.2
        )
    for ring in row.rings:
        axes.plot([ring], [y], marker="o", markersize=6, color=colour, markerfacecolor=PAPER)
    if len(row.dots):
        axes.plot(row.dots, [y + 0.2] * len(row.dots), marker="o", markersize=3.5, color=colour, linestyle="none")
    start = 0.0
    for name, length, fill in row.parts:
        (box,) = axes.barh(y, length, 0.3, start, color=fill, edgecolor=PAPER, linewidth=0.6)
        _annotate(box, name, "")
        start += length
    if row.parts:
        axes.set_xlim(left=0)


def draw_curves(
    title: str,
    axes: ChartAxes,
    curves: Mapping[str, Sequence[ChartPoint]],
    breaks: Sequence[float] = (),
    name: str = "",
) -> Svg:
    """Draw at most two curves, the second one dashed.

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
            frame.legend()

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
        _annotate(drawn, point.tip, point.link)


def draw_histograms(title: str, axes: ChartAxes, edges: Sequence[float], shares: dict[str, Any], mark: float) -> Svg:
    """Draw two histograms over the same bins, one seen through the other, and a line at a value.

    Args:
        title: Text above the frame; it names the chart on the page, too.
        axes: Axes across and up.
        edges: Edges of the bins, one more than there are bins.
        shares: Height of each bar, for each histogram by its name.
        mark: Value at which the line is drawn.
    """

    def paint(frame: "Axes") -> None:
        for (label, heights), colour in zip(shares.items(), (FIRST, SECOND), strict=False):
            frame.stairs(heights, edges, fill=True, color=colour, alpha=0.35, label=label)
            frame.stairs(heights, edges, color=colour, linewidth=0.9)
        frame.axvline(mark, color=INK, linewidth=1.2, linestyle=":", label="threshold").set_gid("threshold")
        frame.set(xlabel=axes.across, ylabel=axes.up)
        frame.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
        frame.legend()

    return draw(title, SIZE, paint, heading=title.partition(":")[0])


def _label_log_axis(axes: "Axes", low: float, high: float) -> None:
    """Label the horizontal axis from `low` to `high`: 1, 2 and 5 times powers of ten, fewer for a wide range."""
    from matplotlib.ticker import LogLocator, MaxNLocator  # noqa: PLC0415 - of an extra

    if low <= 0:
        raise ValueError(f"expected values above 0 for a logarithmic axis, got {low}.")
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    factors = (1, 2, 5) if high / low < 100 else (1, 3) if high / low < 3000 else (1,)
    axes.xaxis.set_major_locator(MaxNLocator(4) if high / low < 6 else LogLocator(subs=factors))
    # With k for thousands: long labels would overlap on a phone.
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g}k")
    axes.minorticks_off()


def _label_accuracies(axes: "Axes", errors: Sequence[float]) -> None:
    """Label the vertical axis with accuracies that enclose all errors, better ones above."""
    ticks = [1 - tick / 100 for tick in ACCURACY_TICKS]
    worst = min((tick for tick in ticks if tick >= max(errors)), default=1.0)
    best = max((tick for tick in ticks if tick <= min(errors)), default=min(errors))
    shown = [tick for tick in ticks if best * 0.999 <= tick <= worst * 1.001]
    axes.set_yscale("log")
    axes.set_ylim(worst * 1.05, best / 1.05)
    axes.set_yticks(shown, [f"{100 * (1 - tick):.6g}" for tick in shown])
    axes.minorticks_off()


def _annotate(artist: Any, tip: str, link: str) -> None:
    """Give a mark a text that browsers show on hovering, and a link to an anchor of the page."""
    if tip:
        artist.set_gid(f"tip:{one_line(tip)}")
    if link:
        artist.set_url(f"#{link}")


def draw(name: str, size: tuple[float, float], paint: Callable[["Axes"], None], heading: str | None = None) -> Svg:
    """Draw an SVG of one set of axes for a page.

    Args:
        name: Name of the chart, unique on its page.
        size: Inches across and up.
        paint: Function that paints on the axes.
        heading: Text above the axes; the name if None.

    Raises:
        PageError: Matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: PLC0415 - of an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise PageError.of(error) from error

    content = io.StringIO()
    # The salt makes the ids inside a drawing unique in the page, and equal each time.
    with warnings.catch_warnings(), matplotlib.rc_context({**SETTINGS, "svg.hashsalt": name}):
        # The reader's browser has other fonts than Matplotlib; names from other machines may be longer than a chart.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(size, layout="constrained")
        axes = figure.add_subplot(title=one_line(name if heading is None else heading))
        paint(axes)
        for artist in axes.findobj():
            artist.set_clip_on(False)
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return Svg(_adapt(clean(content.getvalue()), name))


def make_file(chart: Svg) -> str:
    """Make an SVG file of a chart, with the colours of the pages."""
    style = (Path(__file__).parent / "templates" / "colours.css").read_text()
    opening = '<svg xmlns="http://www.w3.org/2000/svg" style="background: var(--paper)"'
    return chart.replace("<svg", opening, 1).replace(">", f"><style>\n{style}</style>", 1) + "\n"


def _adapt(svg: str, name: str) -> str:
    """Make Matplotlib's SVG a short part of a page: the page's colours and fonts, links, tips, only ids in use."""
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    opening = f'<svg class="chart" role="img" aria-label="{escape_html(name)}" '
    svg = re.sub(
        r'.*?<svg [^>]*?(viewBox="[^"]*")[^>]*>', lambda found: f"{opening}{found[1]}>", svg, count=1, flags=re.DOTALL
    )
    svg = svg.replace("xlink:href=", "href=").replace(' target="_blank"', "")
    svg = re.sub(r'<g id="tip:([^"]*)">', r"<g><title>\1</title>", svg)
    svg = re.sub(r'<g id="(break|threshold)">', r'<g class="\1">', svg)
    used = set(re.findall(r'href="#([^"]+)"', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
    return re.sub(r"\s*\n\s*", " ", svg)
