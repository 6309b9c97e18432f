"""Lines across digits, as in MNIST-C: a dotted one, and one that turns six times."""

import numpy as np
from numpy.typing import NDArray

SIDE = 28


def draw_dotted_lines(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw lines from the left edge to the right: two columns drawn, two not. Ink in [0, 1], [count, 28, 28]."""
    rows = random.integers(0, 27, (count, 2)).astype(np.float64)
    lines = _draw_segments((np.zeros(count), rows[:, 0]), (np.full(count, 27.0), rows[:, 1]))
    return lines * (np.arange(SIDE) // 2 % 2).astype(np.float32)


def draw_zigzags(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw zigzags around an axis from column 2 to 25 that rises or falls by at most 5 rows: six turns, 2 pixels off.

    Args:
        count: Number of zigzags.
        random: Random generator of the axes.

    Returns:
        Ink in [0, 1], [count, 28, 28].
    """
    start = random.integers(0, 27, count)[:, None]
    angle = np.arctan(random.integers(-5, 5, count) / 23)[:, None]
    length = 23 / np.cos(angle)
    along = np.concatenate([np.tile([0.0, 2, 6, 10, 14, 18, 22], (count, 1)), length], axis=1)
    across = np.array([0.0, 2, -2, 2, -2, 2, -2, 0])
    x = 2 + np.cos(angle) * along - np.sin(angle) * across
    y = start + np.sin(angle) * along + np.cos(angle) * across
    lines = np.zeros((count, SIDE, SIDE), np.float32)
    for i in range(x.shape[1] - 1):
        lines += _draw_segments((x[:, i], y[:, i]), (x[:, i + 1], y[:, i + 1]))
    return lines.clip(0, 1)


def _draw_segments(start: tuple[NDArray, NDArray], end: tuple[NDArray, NDArray]) -> NDArray[np.float32]:
    """Draw lines, [N, 28, 28] in [0, 1], between points (x [N], y [N]): full ink on a line, none 1.45 px away."""
    (x, y), (last_x, last_y) = ((part[:, None, None] for part in point) for point in (start, end))
    columns, rows = np.arange(SIDE), np.arange(SIDE)[:, None]
    away = np.abs(rows - (y + (last_y - y) / (last_x - x) * (columns - x)))
    ink = (1 + np.log1p(-np.minimum(away, 2.29) / 2.3)).clip(0, 1)
    return np.where((columns >= np.floor(x)) & (columns < np.ceil(last_x)), ink, 0).astype(np.float32)
