"""Follow lines drawn by hand, which are wavy and end anywhere."""

import numpy as np
from numpy.typing import NDArray

from ...common.opencv import Gray

# The path is the median of this number of columns, and its pixels are at most so far from it.
SMOOTHED, TOLERANCE = 21, 3.0
# Share of the path that has pixels, and its steepest rise, as a share of its length.
COVERAGE, STEEPEST = 0.65, 0.2
# Beyond the pixels, ink is followed that many rows up or down, and over gaps of that many columns.
ASIDE, GAP = 2, 7


def follow_line(
    faint: Gray, rows: NDArray[np.int64], columns: NDArray[np.int64], least: float
) -> tuple[int, NDArray[np.float64], int] | None:
    """Follow a line through most of its thin pixels, and on through the ink beside them.

    Args:
        faint: Mask of ink and of everything fainter, uint8 [height, width] of 0 and 255.
        rows: Rows of the thin pixels, [N].
        columns: Their columns, [N].
        least: The shortest line in pixels.

    Returns:
        The first column, the row in each column, and the thickness in pixels; None if there is no such line.
    """
    left, right = int(columns.min()), int(columns.max()) + 1
    if right - left < max(least, SMOOTHED):
        return None
    counts = np.bincount(columns - left)
    there = np.flatnonzero(counts)
    middle = np.bincount(columns - left, weights=rows)[there] / counts[there]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(middle, SMOOTHED // 2, "edge"), SMOOTHED)
    path = np.interp(np.arange(right - left), there, np.median(windows, axis=1))
    close = np.abs(rows - path[columns - left]) < TOLERANCE
    covered = np.count_nonzero(np.bincount(columns[close] - left))
    if covered < COVERAGE * len(path) or abs(path[-1] - path[0]) > STEEPEST * len(path):
        return None
    before, after = _go_on(faint[:, :left][:, ::-1], path[0]), _go_on(faint[:, right:], path[-1])
    thickness = round(np.count_nonzero(close) / covered) + 1
    return left - len(before), np.concatenate([before[::-1], path, after]), thickness


def _go_on(faint: Gray, row: float) -> list[float]:
    """Follow ink from a row on, to the right; return the row in each column."""
    path: list[float] = []
    missing = 0
    for column in faint.T:
        top = max(0, round(row) - ASIDE)
        ink = np.flatnonzero(column[top : top + 2 * ASIDE + 1])
        missing = 0 if len(ink) else missing + 1
        if missing > GAP:
            break
        row = (row + top + ink.mean()) / 2 if len(ink) else row
        path.append(row)
    return path[: len(path) - missing]
