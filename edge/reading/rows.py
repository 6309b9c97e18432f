"""Group shapes into the rows that people wrote, level, climbing or falling."""

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from .ink.shapes import Box

# How far the centre of a neighbour may be above or below that of the one before it, as a share of the larger height.
FARTHEST = 0.6
# Frames of FEWEST to MOST shapes are levelled, if the slopes from each shape to the next one in its row, at most BESIDE
# heights away, have a median above LEVEL and mostly differ from it by less than ALIKE.
FEWEST, MOST, BESIDE, LEVEL, ALIKE = 4, 300, 2.5, 0.15, 0.2
# The steepest slope, and the heights of neighbours in a row, as multiples of one another.
STEEPEST, SIMILAR = 1.25, (0.6, 1.6)

Item = TypeVar("Item")


def group_into_rows(items: Sequence[Item], box_of: Callable[[Item], Box]) -> list[list[Item]]:
    """Group items that have a box into rows, from top to bottom, each from left to right.

    Each item is compared with the last one of a row, not the first, so that a row may climb. Where all rows climb or
    fall alike, and steeply, they are levelled first.
    """
    boxes = [box_of(item) for item in items]
    rows = _group(boxes, 0.0)
    if FEWEST <= len(items) <= MOST and _may_climb(rows, boxes) and (climb := _measure_climb(boxes)):
        rows = _group(boxes, climb)
    return [[items[i] for i in row] for row in rows]


def _group(boxes: Sequence[Box], climb: float) -> list[list[int]]:
    """Group boxes into rows; `climb` is in pixels down for each pixel to the right. Return indices of the boxes."""
    middles = [box.middle - climb * (box.x + box.width / 2) for box in boxes]
    rows: list[list[int]] = []
    for i in sorted(range(len(boxes)), key=lambda i: boxes[i].x):
        best, nearest = None, FARTHEST
        for row in rows:
            apart = abs(middles[i] - middles[row[-1]]) / max(boxes[i].height, boxes[row[-1]].height)
            if apart < nearest:
                best, nearest = row, apart
        if best is None:
            best = []
            rows.append(best)
        best.append(i)
    return sorted(rows, key=lambda row: sum(middles[i] for i in row) / len(row))


def _may_climb(rows: Sequence[Sequence[int]], boxes: Sequence[Box]) -> bool:
    """Whether rows are so short that they may have been torn apart, or not level."""
    steps = [(boxes[i], boxes[j]) for row in rows for i, j in pairwise(row)]
    if len(steps) < len(boxes) / 2:
        return True
    return abs(statistics.median((b.middle - a.middle) / max(1, b.x - a.x) for a, b in steps)) > LEVEL / 2


def _measure_climb(boxes: Sequence[Box]) -> float:
    """Measure how rows climb: pixels down for each pixel to the right; 0 if they are nearly level, or not alike."""
    across, middle, height = np.array([(box.x + box.width / 2, box.middle, box.height) for box in boxes]).T
    right, down = across - across[:, None], middle - middle[:, None]
    likeness = height / height[:, None]
    apart = np.hypot(right, down) / height[:, None]
    steep = np.abs(down) >= STEEPEST * right
    apart[steep | (apart > BESIDE) | (likeness < SIMILAR[0]) | (likeness > SIMILAR[1])] = np.inf
    nearest = apart.argmin(axis=1)
    places = np.flatnonzero(np.isfinite(apart.min(axis=1)))
    if len(places) < FEWEST - 1:
        return 0.0
    slopes = down[places, nearest[places]] / right[places, nearest[places]]
    climb = float(np.median(slopes))
    return climb if abs(climb) > LEVEL and np.median(np.abs(slopes - climb)) < ALIKE else 0.0
