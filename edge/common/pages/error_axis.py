"""Accuracy on charts: its error on a logarithmic axis, so that 99.7 and 99.8 % are clearly apart.

The front is drawn as stairs: between two of its marks, only the cheaper one is available.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Mark = TypeVar("Mark")

# Accuracies that are written at the axis, in percent.
ACCURACY_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.7, 99.8, 99.9, 99.95, 99.98, 99.99)


def error_of(accuracy: float, count: int) -> float:
    """Return the share of `count` images that is misread, at least half an image: a logarithm cannot show 0."""
    return max(1 - accuracy, 0.5 / count)


def pick_front(
    marks: Iterable[Mark], cost_of: Callable[[Mark], float], accuracy_of: Callable[[Mark], float]
) -> list[Mark]:
    """Pick the marks that cost less than all others of at least their accuracy, the cheapest first."""
    front: list[Mark] = []
    for mark in sorted(marks, key=lambda one: (cost_of(one), -accuracy_of(one))):
        if not front or accuracy_of(mark) > accuracy_of(front[-1]):
            front.append(mark)
    return front


def render_front(style: str, places: Sequence[tuple[float, float]], right: float) -> str:
    """Render an SVG path from mark to mark of the front and on to the right margin; empty if there is no mark.

    Args:
        style: Class of the path.
        places: Positions of the marks, from left to right.
        right: Position at which the last step ends.
    """
    if not places:
        return ""
    steps = [f"M{places[0][0]:.1f} {places[0][1]:.1f}", *(f"H{x:.1f} V{y:.1f}" for x, y in places[1:])]
    return f'<path class="{style}" d="{" ".join([*steps, f"H{right}"])}"/>'
