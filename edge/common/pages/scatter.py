"""Accuracy against cost as a scatter plot, with its Pareto front.

Accuracy is drawn as its error on a logarithmic axis, so that 99.7 and 99.8 % are far apart.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from .drawing import FIRST, INK, PAPER, SIZE, SOFT, annotate, draw, label_log_axis
from .page import Svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Item = TypeVar("Item")
# Accuracies to label, in percent.
ACCURACY_TICKS = (0, 50, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.7, 99.8, 99.9, 99.95, 99.98, 99.99)
# Width of a letter and height of a line of labels, in points.
LETTER, LETTERS_HIGH = 5.6, 11


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
        label_log_axis(axes, low, low * (high / low) ** 1.5 if claims else high)
        errors = [error_of(bound, mark.count) for mark in marks for bound in mark.interval]
        _label_accuracies(axes, [*errors, *(1 - accuracy for _, accuracy, _ in claims)])
        axes.set(xlabel=across, ylabel=f"accuracy, %, n = {marks[0].count:,}")
        for text, accuracy, style in claims:
            axes.axhline(1 - accuracy, color=SOFT, linewidth=0.8, linestyle=style)
            axes.text(1, 1 - accuracy, text, transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=8)
        _paint_marks(axes, marks)
        front = pick_front((mark for mark in marks if mark.may_lead), lambda one: one.cost, lambda one: one.accuracy)
        stairs = [(mark.cost, error_of(mark.accuracy, mark.count)) for mark in front]
        if stairs:
            stairs.append((axes.get_xlim()[1], stairs[-1][1]))
            axes.step(*zip(*stairs, strict=True), where="post", color=INK, linewidth=1, linestyle="--")
        _write_labels(axes, marks, [(text, accuracy) for text, accuracy, _ in claims], stairs)

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
        annotate(drawn, mark.tip, mark.link)


def _write_labels(
    axes: "Axes", marks: Sequence[ChartMark], claims: Sequence[tuple[str, float]], stairs: Sequence[tuple[float, float]]
) -> None:
    """Write each label beside its mark, where it covers least, with a line of the mark's colour to it."""
    figure: Any = axes.figure
    figure.draw_without_rendering()
    scale = 72 / figure.dpi
    frame = [float(edge) * scale for edge in axes.bbox.extents]

    def locate(x: float, y: float) -> Any:
        return axes.transData.transform((x, y)) * scale

    places = [locate(one.cost, error_of(one.accuracy, one.count)) for one in marks]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    for one, (x, _) in zip(marks, places, strict=True):
        low, high = (locate(one.cost, error_of(bound, one.count))[1] for bound in one.interval)
        taken.append((x - 2, low, x + 2, high))
    for (x, y), (next_x, next_y) in pairwise(locate(*step) for step in stairs):
        taken += [(x, y - 1, next_x, y + 1), (next_x - 1, min(y, next_y), next_x + 1, max(y, next_y))]
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
        annotate(written, "", mark.link)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Compute the area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    return max(0.0, width) * max(0.0, min(one[3], other[3]) - max(one[1], other[1]))


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
