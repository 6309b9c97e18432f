"""Reading order: shapes that stand on one line share a row; rows go down, shapes go right."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from .shapes import Box

Item = TypeVar("Item")


def group_into_rows(items: Sequence[Item], box_of: Callable[[Item], Box]) -> list[list[Item]]:
    """Group what has a box into rows: a neighbour's centre lies within the middle of the one before it.

    Each is compared with the last of a row, not the first, so that a row may climb.
    """
    # Each place is (left edge, middle, height).
    places = [(box.x, box.y + box.height / 2, box.height) for box in map(box_of, items)]
    rows: list[list[tuple[float, int, Item]]] = []
    for (_, middle, height), item in sorted(zip(places, items, strict=True), key=lambda pair: pair[0][0]):
        best, nearest = None, 0.6
        for row in rows:
            beside, its_height, _ = row[-1]
            apart = abs(middle - beside) / max(its_height, height)
            if apart < nearest:
                best, nearest = row, apart
        if best is None:
            best = []
            rows.append(best)
        best.append((middle, height, item))
    rows.sort(key=lambda row: sum(middle for middle, _, _ in row) / len(row))
    return [[item for _, _, item in row] for row in rows]
