"""A scatter plot of models as SVG: accuracy upwards, a cost to the right, both logarithmic, better to the top left.

Whiskers are 95 % intervals. Colours distinguish models, shape and fill distinguish formats and precisions, and names
are written beside the marks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...edge.common.pages.error_axis import ACCURACY_TICKS, error_of, pick_front, render_front
from ...edge.common.terminal.formatting import format_percent
from ...edge.common.terminal.text import escape_html
from .models import ModelPoint, PublishedClaim

WIDTH, HEIGHT = 460, 400
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 30, 48
# Okabe and Ito's colours that are visible on white and on black; further models reuse them, and have their names.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c98a00", "#56b4e9", "#8a6fd1")
# The rest of the width is for published claims, which have no horizontal position.
SHARE_FOR_POINTS = 0.64
LETTER_WIDTH, LINE_HEIGHT = 7.2, 13
# Left, top, right, bottom.
Box = tuple[float, float, float, float]

STYLE = """
svg.scatter { --ink: #1c2530; --soft: #5b6875; --line: #d5dbe1; --paper: #fff; width: 100%; height: auto;
  max-width: 46rem; font: 12px system-ui, sans-serif; background: var(--paper); }
@media (prefers-color-scheme: dark) { svg.scatter { --ink: #e6eaee; --soft: #9aa7b4; --line: #38424d;
  --paper: #14191f; } }
.scatter text { fill: var(--soft); } .scatter .title { fill: var(--ink); font-weight: 600; font-size: 14px; }
.scatter .name { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.scatter .axis { stroke: var(--line); } .scatter .claim { stroke: var(--soft); stroke-dasharray: 1 4; }
.scatter .claim.validation { stroke-dasharray: 8 4; }
.scatter .claimed { font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.scatter .front { fill: none; stroke: var(--ink); stroke-dasharray: 4 3; stroke-opacity: .7; }
"""


@dataclass(frozen=True)
class CostAxis:
    """The cost on the horizontal axis: its title with the unit, and the way to get it from a point."""

    title: str
    of: Callable[[ModelPoint], float]


@dataclass(frozen=True)
class CostScale:
    """A logarithmic axis from one value to another, over a length in units of the drawing, starting at `start`."""

    first: float
    last: float
    start: float
    length: float

    def place(self, value: float) -> float:
        """Locate a value on the axis."""
        return self.start + self.length * math.log(value / self.first) / math.log(self.last / self.first)


@dataclass(frozen=True)
class Axes:
    """The two axes of a drawing: the cost horizontally, the error (1 - accuracy) vertically."""

    across: CostScale
    up: CostScale


def render_scatter(
    title: str, cost: CostAxis, points: Sequence[ModelPoint], references: Sequence[PublishedClaim]
) -> str:
    """Draw points and, as lines, published claims.

    Args:
        title: Text above the plot.
        cost: The cost on the horizontal axis.
        points: Points to draw, at least one.
        references: Claims, which have only an accuracy, so their lines cross the whole plot.
    """
    frame = _fit(cost, points, references)
    models = list(dict.fromkeys(point.model for point in points))
    colours = {model: COLOURS[i % len(COLOURS)] for i, model in enumerate(models)}
    largest = max(point.size_bytes for point in points)
    parts = [_draw_axes(title, cost, frame)]
    if references:
        parts.append(f'<text x="{WIDTH - RIGHT}" y="18" text-anchor="end">lines: claims of others</text>')
    parts += [_draw_reference(frame, one) for one in references]
    parts += [
        _draw_link(frame, cost, [one for one in points if one.model == model], colours[model]) for model in models
    ]
    parts.append(_draw_front(frame, cost, points))
    parts += [
        _draw_point(frame, cost, point, colours[point.model], largest)
        # Large marks first, so that none hides a smaller one.
        for point in sorted(points, key=lambda one: -one.size_bytes)
    ]
    parts.append(_write_names(frame, cost, points, references, colours))
    return (
        f'<svg class="scatter" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape_html(title)}"><style>{STYLE}</style>{"".join(parts)}</svg>'
    )


def front_of(cost: CostAxis, points: Sequence[ModelPoint]) -> list[ModelPoint]:
    """Find the points that cost less than every equally accurate point, the cheapest first."""
    return pick_front(points, cost.of, lambda point: point.accuracy)


def _fit(cost: CostAxis, points: Sequence[ModelPoint], references: Sequence[PublishedClaim]) -> Axes:
    costs = [cost.of(point) for point in points]
    errors = [error_of(bound, point.count) for point in points for bound in point.interval]
    errors += [1 - one.accuracy for one in references]
    low, high = min(costs) / 1.5, max(costs) * 1.2
    across = CostScale(low, low * (high / low) ** (1 / SHARE_FOR_POINTS), LEFT, WIDTH - LEFT - RIGHT)
    return Axes(across, CostScale(max(errors) * 1.15, min(errors) / 1.15, HEIGHT - BOTTOM, TOP + BOTTOM - HEIGHT))


def _place(frame: Axes, cost: CostAxis, point: ModelPoint) -> tuple[float, float]:
    return frame.across.place(cost.of(point)), frame.up.place(error_of(point.accuracy, point.count))


def _draw_axes(title: str, cost: CostAxis, frame: Axes) -> str:
    parts = [f'<text class="title" x="{LEFT}" y="18">{escape_html(title)}</text>']
    for value in _choose_ticks(frame.across.first, frame.across.last):
        x = frame.across.place(value)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
    for tick in ACCURACY_TICKS:
        if frame.up.last <= 1 - tick / 100 <= frame.up.first:
            y = frame.up.place(1 - tick / 100)
            parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape_html(cost.title)}</text>')
    turned = f'transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"'
    parts.append(f'<text {turned} text-anchor="middle">accuracy, % (errors logarithmic)</text>')
    return "".join(parts)


def _choose_ticks(low: float, high: float) -> list[float]:
    """Choose 1, 2 and 5 times powers of ten; for a wide range, powers of ten alone."""
    factors = (1, 2, 5) if high / low < 1000 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in values if low <= value <= high]


def _draw_reference(frame: Axes, reference: PublishedClaim) -> str:
    y, text = frame.up.place(1 - reference.accuracy), escape_html(_tell(reference))
    return (
        f'<line class="claim {reference.split}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="claimed" x="{WIDTH - RIGHT}" y="{y - 3:.1f}" text-anchor="end">{text}</text>'
    )


def _tell(reference: PublishedClaim) -> str:
    return f"{reference.name}: {'about ' if reference.rough else ''}{100 * reference.accuracy:.6g} %"


def _draw_front(frame: Axes, cost: CostAxis, points: Sequence[ModelPoint]) -> str:
    return render_front("front", [_place(frame, cost, point) for point in front_of(cost, points)], WIDTH - RIGHT)


def _draw_link(frame: Axes, cost: CostAxis, points: Sequence[ModelPoint], colour: str) -> str:
    """Draw a line that joins the marks of one model, since models may share colours."""
    places = [_place(frame, cost, point) for point in sorted(points, key=cost.of)]
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-opacity=".35" stroke-width="3"/>'


def _radius(point: ModelPoint, largest: int) -> float:
    return 3.5 + 6 * math.sqrt(point.size_bytes / largest)


def _draw_point(frame: Axes, cost: CostAxis, point: ModelPoint, colour: str, largest: int) -> str:
    x, y = _place(frame, cost, point)
    radius = _radius(point, largest)
    low, high = (frame.up.place(error_of(bound, point.count)) for bound in point.interval)
    fill = colour if point.precision not in {"float32", "float16"} else "none"
    style = f'fill="{fill}" fill-opacity=".75" stroke="{colour}" stroke-width="1.6"'
    if point.format == "tflite":
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {style}>'
    else:
        side, left, top = 1.8 * radius, x - 0.9 * radius, y - 0.9 * radius
        shape = f'<rect x="{left:.1f}" y="{top:.1f}" width="{side:.1f}" height="{side:.1f}" {style}>'
    name = "circle" if point.format == "tflite" else "rect"
    told = f"{point.file} on {point.runtime}: {format_percent(point.accuracy)}, {point.size_bytes:,} bytes"
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}" stroke-opacity=".6"/>'
        f"{shape}<title>{escape_html(told)}</title></{name}>"
    )


def _write_names(
    frame: Axes,
    cost: CostAxis,
    points: Sequence[ModelPoint],
    references: Sequence[PublishedClaim],
    colours: Mapping[str, str],
) -> str:
    """Write each model's name beside one of its marks, where it covers least; the cheapest mark is preferred.

    A line of its colour leads to the mark, in case other marks are as close.
    """
    largest = max(point.size_bytes for point in points)
    taken = [box for point in points for box in _cover(frame, cost, point, largest)]
    taken += [_cover_claim(frame, reference) for reference in references]
    parts: list[str] = []
    for model in dict.fromkeys(point.model for point in points):
        own = sorted((one for one in points if one.model == model), key=cost.of)
        places = [_place(frame, cost, point) for point in own]
        boxes = [(box, place) for place in places for box in _surround(*place, LETTER_WIDTH * len(model))]
        box, (x, y) = min(boxes, key=lambda pair: sum(_overlap(pair[0], other) for other in taken))
        taken.append(box)
        near_x, near_y = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
        parts.append(f'<line x1="{near_x:.1f}" x2="{x:.1f}" y1="{near_y:.1f}" y2="{y:.1f}" stroke="{colours[model]}"/>')
        parts.append(f'<text class="name" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape_html(model)}</text>')
    return "".join(parts)


def _surround(x: float, y: float, width: float) -> list[Box]:
    """List the boxes around a mark for a name of this width: above, below, left, right, corners; never on the axis."""
    middle = min(max(x - width / 2, LEFT + 2), WIDTH - width)
    beside = (x - width - 12, x + 12)
    corners = [(middle, y - 26), (middle, y + 13), *((left, top) for top in (y - 7, y - 20, y + 8) for left in beside)]
    return [
        (left, top, left + width, top + LINE_HEIGHT)
        for left, top in corners
        if left == middle or LEFT <= left <= WIDTH - width
    ]


def _cover_claim(frame: Axes, reference: PublishedClaim) -> Box:
    """Return the box of a reference's text."""
    y = frame.up.place(1 - reference.accuracy)
    return (WIDTH - RIGHT - LETTER_WIDTH * len(_tell(reference)), y - LINE_HEIGHT, WIDTH - RIGHT, y)


def _cover(frame: Axes, cost: CostAxis, point: ModelPoint, largest: int) -> list[Box]:
    """Return boxes around a mark and its whisker."""
    x, y = _place(frame, cost, point)
    radius = _radius(point, largest)
    low, high = (frame.up.place(error_of(bound, point.count)) for bound in point.interval)
    return [(x - radius, y - radius, x + radius, y + radius), (x - 1, high, x + 1, low)]


def _overlap(one: Box, other: Box) -> float:
    """Compute the area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
