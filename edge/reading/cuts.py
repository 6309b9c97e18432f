"""Cut touching digits apart along the paths from top to bottom with the least ink."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from .shapes import Box, Mask, Shape

# Cuts are searched at this height, in strips of this share of it, and follow the ink from row to row.
HEIGHT = 40
STRIP = 0.15
STEP = 0.08
# Cost of a step to the side, in pixels of full ink, so that a cut is straight where it can be.
ASIDE = 0.04
MOST_CUTS = 20
# Minimum mean distance between two cuts.
APART = 0.08
# The least and greatest width of a part, as shares of the shape's height.
NARROWEST, WIDEST = 0.12, 1.2


@dataclass(frozen=True, eq=False)
class Cut:
    """A path from the top of a shape to its bottom.

    Attributes:
        columns: First column to the right of the cut in each row, float64 [height].
        crossed: Approximate number of strokes that it crosses: ink along the path, in stroke widths.
    """

    columns: NDArray[np.float64]
    crossed: float


def find_cuts(ink: Mask, stroke: float) -> list[Cut]:
    """Find the likeliest cuts through ink, from left to right; its two ends are the first and last.

    Args:
        ink: Ink of a shape wider than a digit, uint8 [height, width].
        stroke: Width of the shape's strokes in pixels.
    """
    height, width = ink.shape
    scale = HEIGHT / height
    small = cv.resize(ink, (max(3, round(width * scale)), HEIGHT), interpolation=cv.INTER_AREA)
    level = max(1.0, float(np.percentile(small[small > 0], 80)) if small.any() else 1.0)
    cost = np.clip(small.astype(np.float32) / level, 0, 1)
    strip, step = max(3, round(STRIP * HEIGHT)), max(1, round(STEP * HEIGHT))
    starts = np.arange(0, max(1, cost.shape[1] - strip + 1), step)
    columns, totals = _cheapest_ways(np.stack([cost[:, start : start + strip] for start in starts]))
    kept = _pick_lowest(totals, starts + columns.mean(axis=1))
    rows = np.minimum((np.arange(height) * HEIGHT) // height, HEIGHT - 1)
    cuts = [
        Cut((starts[i] + columns[i][rows] + 0.5) * width / small.shape[1], float(totals[i]) / max(1.0, stroke * scale))
        for i in kept
    ]
    return [Cut(np.zeros(height), 0.0), *cuts, Cut(np.full(height, float(width)), 0.0)]


def _cheapest_ways(cost: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the cheapest path down each strip of cost [strips, rows, columns]: columns [strips, rows] and its ink."""
    strips, rows, columns = cost.shape
    total, came_from = cost[:, 0].copy(), np.zeros((strips, rows, columns), np.int64)
    beyond = np.full((strips, 1), np.inf, np.float32)
    for row in range(1, rows):
        left = np.concatenate([beyond, total[:, :-1]], axis=1) + ASIDE
        right = np.concatenate([total[:, 1:], beyond], axis=1) + ASIDE
        ways = np.stack([left, total, right])
        best = ways.argmin(axis=0)
        came_from[:, row] = best - 1
        total = np.take_along_axis(ways, best[None], axis=0)[0] + cost[:, row]
    way = np.empty((strips, rows), np.int64)
    way[:, -1] = total.argmin(axis=1)
    every = np.arange(strips)
    for row in range(rows - 1, 0, -1):
        way[:, row - 1] = way[:, row] + came_from[every, row, way[:, row]]
    return way, total.min(axis=1)


def _pick_lowest(totals: NDArray[np.float32], middles: NDArray[np.float64]) -> list[int]:
    """Pick the cheapest paths, each at some distance from cheaper ones, in order from left to right."""
    kept: list[int] = []
    for i in np.argsort(totals, kind="stable").tolist():
        if len(kept) < MOST_CUTS and all(abs(middles[i] - middles[j]) >= APART * HEIGHT for j in kept):
            kept.append(i)
    return sorted(kept, key=lambda i: middles[i])


def split_upright(shape: Shape, ink: Mask, stroke: float) -> list[Shape]:
    """Split a shape into two digits, one above the other, where there is least ink; return two shapes or none."""
    cuts = find_cuts(np.ascontiguousarray(ink.T), stroke)[1:-1]
    height = shape.box.height
    middling = [cut for cut in cuts if 0.3 * height < cut.columns.mean() < 0.7 * height]
    if not middling:
        return []
    best = min(middling, key=lambda cut: cut.crossed)
    above = np.arange(height)[:, None] < best.columns[None, :]
    mask = shape.mask
    parts = [_take(shape, np.where(side, mask, 0).astype(np.uint8)) for side in (above, ~above)]
    return [part for part in parts if part is not None]


def part_between(shape: Shape, mask: Mask, left: Cut, right: Cut) -> Shape | None:
    """Return the part of a shape between two cuts; None if no digit is that narrow or wide.

    Args:
        shape: The shape to cut.
        mask: Mask of the shape, uint8 [height, width].
        left: Cut to the left of the part.
        right: Cut to the right of the part.
    """
    height = shape.box.height
    middle = float((right.columns - left.columns).mean())
    if not NARROWEST * height <= middle <= WIDEST * height:
        return None
    columns = np.arange(shape.box.width)[None, :]
    within = (columns >= left.columns[:, None]) & (columns < right.columns[:, None])
    return _take(shape, np.where(within, mask, 0).astype(np.uint8))


def _take(shape: Shape, part: Mask) -> Shape | None:
    x, y, width, height = cv.boundingRect(part)
    if not width:
        return None
    box = Box(shape.box.x + x, shape.box.y + y, width, height)
    return Shape(box, shape.outlines, part[y : y + height, x : x + width].copy())
