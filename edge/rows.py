"""Reading order: shapes that stand on one line share a row; rows go down, shapes go right."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from .shapes import Box

Item = TypeVar("Item")


def group_into_rows(items: Sequence[Item], box_of: Callable[[Item], Box]) -> list[list[Item]]:
    """Group what has a box into rows: a neighbour's centre lies within the middle of the one before it.

    Each is compared with the last of a row, not the first, so that a row may climb.
    """
    rows: list[list[tuple[Box, Item]]] = []
    for box, item in sorted(((box_of(item), item) for item in items), key=lambda pair: pair[0].x):
        best, distance = None, math.inf
        for row in rows:
            neighbour = row[-1][0]
            apart = abs(box.middle - neighbour.middle) / max(neighbour.height, box.height)
            if apart < min(0.6, distance):
                best, distance = row, apart
        if best is None:
            rows.append([(box, item)])
        else:
            best.append((box, item))
    rows.sort(key=lambda row: sum(box.middle for box, _ in row) / len(row))
    return [[item for _, item in row] for row in rows]
