"""Cut touching digits apart along the paths from top to bottom with the least ink."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..common.opencv import cv
from .ink.shapes import Box, Mask, Shape

# Cuts are searched at this height, in strips of this share of it, and follow the ink from row to row.
HEIGHT = 40
STRIP = 0.15
STEP = 0.08
_STRIP, _STEP = max(3, round(STRIP * HEIGHT)), max(1, round(STEP * HEIGHT))
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


def find_cuts(inks: Sequence[Mask], strokes: Sequence[float]) -> list[list[Cut]]:
    """Find the likeliest cuts through each ink, from left to right; its two ends are the first and last.

    Args:
        inks: Ink of shapes wider than a digit, uint8 [height, width] each.
        strokes: Width of the strokes of each shape in pixels.
    """
    if not inks:
        return []
    parts = [_take_strips(ink) for ink in inks]
    counts = np.cumsum([len(strips) for strips, _ in parts])[:-1]
    # All shapes at once: the steps from row to row are the same for each.
    columns, totals = _cheapest_ways(np.concatenate([strips for strips, _ in parts]))
    ways = zip(inks, strokes, parts, np.split(columns, counts), np.split(totals, counts), strict=True)
    return [_choose_cuts(ink, stroke, width, columns, totals) for ink, stroke, (_, width), columns, totals in ways]


def _take_strips(ink: Mask) -> tuple[NDArray[np.float32], int]:
    """Take the overlapping strips of ink at the height for cutting: cost [strips, rows, columns]; its whole width."""
    height, width = ink.shape
    small = cv.resize(ink, (max(3, round(width * (HEIGHT / height))), HEIGHT), interpolation=cv.INTER_AREA)
    level = max(1.0, float(np.percentile(small[small > 0], 80)) if small.any() else 1.0)
    cost = np.clip(small.astype(np.float32) / level, 0, 1)
    if cost.shape[1] < _STRIP:
        cost = np.pad(cost, ((0, 0), (0, _STRIP - cost.shape[1])), constant_values=np.inf)
    strips = np.lib.stride_tricks.sliding_window_view(cost, _STRIP, axis=1)[:, ::_STEP]
    return strips.transpose(1, 0, 2), small.shape[1]


def _choose_cuts(
    ink: Mask, stroke: float, small_width: int, columns: NDArray[np.int64], totals: NDArray[np.float32]
) -> list[Cut]:
    height, width = ink.shape
    starts = _STEP * np.arange(len(columns))
    kept = _pick_lowest(totals, starts + columns.mean(axis=1))
    rows = np.minimum((np.arange(height) * HEIGHT) // height, HEIGHT - 1)
    stroke = max(1.0, stroke * (HEIGHT / height))
    cuts = [Cut((starts[i] + columns[i][rows] + 0.5) * width / small_width, float(totals[i]) / stroke) for i in kept]
    return [Cut(np.zeros(height), 0.0), *cuts, Cut(np.full(height, float(width)), 0.0)]


def _cheapest_ways(cost: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the cheapest path down each strip of cost [strips, rows, columns]: columns [strips, rows] and its ink."""
    strips, rows, columns = cost.shape
    # Strips last: each step is then one operation on a long row of memory.
    cost = np.ascontiguousarray(cost.transpose(1, 2, 0))
    came_from = np.zeros((rows, columns, strips), np.int8)
    ways = np.full((columns + 2, strips), np.inf, np.float32)
    ways[1:-1] = cost[0]
    for row in range(1, rows):
        aside = ways + np.float32(ASIDE)
        left, straight, right = aside[:-2], ways[1:-1], aside[2:]
        best = np.minimum(np.minimum(left, straight), right)
        came_from[row] = np.where(left == best, -1, straight != best)
        ways[1:-1] = best + cost[row]
    way = np.empty((strips, rows), np.int64)
    way[:, -1] = ways[1:-1].argmin(axis=0)
    every = np.arange(strips)
    for row in range(rows - 1, 0, -1):
        way[:, row - 1] = way[:, row] + came_from[row, way[:, row], every]
    return way, ways[1:-1].min(axis=0)


def _pick_lowest(totals: NDArray[np.float32], middles: NDArray[np.float64]) -> list[int]:
    """Pick the cheapest paths, each at some distance from cheaper ones, in order from left to right."""
    kept: list[int] = []
    for i in np.argsort(totals, kind="stable").tolist():
        if len(kept) < MOST_CUTS and all(abs(middles[i] - middles[j]) >= APART * HEIGHT for j in kept):
            kept.append(i)
    return sorted(kept, key=lambda i: middles[i])


def split_upright(shape: Shape, cuts: Sequence[Cut]) -> list[Shape]:
    """Split a shape into two digits, one above the other, where there is least ink; return two shapes or none.

    Args:
        shape: The shape to split.
        cuts: Cuts through its transposed ink, see `find_cuts`.
    """
    height = shape.box.height
    middling = [cut for cut in cuts[1:-1] if 0.3 * height < cut.columns.mean() < 0.7 * height]
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
    first, last = max(0, int(left.columns.min())), int(np.ceil(right.columns.max()))
    columns = np.arange(first, min(last, shape.box.width))[None, :]
    within = (columns >= left.columns[:, None]) & (columns < right.columns[:, None])
    return _take(shape, np.where(within, mask[:, first:last], 0).astype(np.uint8), first)


def _take(shape: Shape, part: Mask, first: int = 0) -> Shape | None:
    """Take a part of a shape, a mask that begins at this column of it; None if it is empty."""
    x, y, width, height = cv.boundingRect(part)
    if not width:
        return None
    box = Box(shape.box.x + first + x, shape.box.y + y, width, height)
    return Shape(box, shape.outlines, part[y : y + height, x : x + width].copy())
