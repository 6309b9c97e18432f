"""Frames of any size with any number of digits, in rows on grainy, unevenly lit paper: to time the reader on.

Digits keep their share of the frame, whatever its size: more pixels show the same page more finely.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .pages import PagePen, draw_digit

# A digit and its share of the gaps, and the margin around all rows, in heights of a digit.
PITCH = (1.1, 1.7)
MARGIN = 1.0
# Few digits are no larger than this share of the frame's height.
TALLEST = 1 / 8
# Width of a stroke, in heights.
STROKE = 0.08
# Gray levels: the paper in the middle, the lightening of one side, and the grain's standard deviation.
PAPER, GRADIENT, GRAIN = 205, 25, 2.5
# Share of the light that ink takes away.
INK = 0.75


@dataclass(frozen=True)
class DrawnPage:
    """A frame whose digits are known.

    Attributes:
        frame: The picture, uint8 [height, width], gray.
        rows: The written rows, top to bottom.
        digit_px: Height of a digit, in pixels.
    """

    frame: NDArray[np.uint8]
    rows: tuple[str, ...]
    digit_px: int


def draw_sized_page(size: tuple[int, int], count: int, seed: int) -> DrawnPage:
    """Draw a frame.

    Args:
        size: (width, height), pixels.
        count: Number of digits, at least 1; each of the ten about equally often.
        seed: Seed of the hand and the paper.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"expected at least 1 digit, got {count}.")
    random = np.random.default_rng(seed)
    columns, digit_px = fit_digits(size, count)
    digits = "".join(random.permutation([str(i % 10) for i in range(count)]))
    rows = tuple(digits[start : start + columns] for start in range(0, count, columns))
    ink = np.zeros((size[1], size[0]), np.uint8)
    pen = PagePen(height_px=digit_px, width_px=max(2, round(STROKE * digit_px)))
    spare = np.array(size) - digit_px * (np.array(PITCH) * (min(columns, count), len(rows)))
    for i, row in enumerate(rows):
        for j, digit in enumerate(row):
            corner = spare / 2 + digit_px * (np.array(PITCH) * (j, i) + random.normal(0, 0.02, 2))
            draw_digit(ink, digit, corner, pen, random)
    return DrawnPage(_light(ink, random), rows, digit_px)


def fit_digits(size: tuple[int, int], count: int) -> tuple[int, int]:
    """Compute the number of digits in a row, and the largest height at which all fit: (columns, pixels)."""
    width, height = size
    tallest, best = 0.0, 1
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        fitting = min(width / (2 * MARGIN + PITCH[0] * columns), height / (2 * MARGIN + PITCH[1] * rows))
        if fitting > tallest:
            tallest, best = fitting, columns
    return best, int(min(tallest, TALLEST * height))


def _light(ink: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Put ink on paper, uint8 [height, width], lighter towards one corner; in float32, which saves memory."""
    height, width = ink.shape
    towards = random.uniform(-1, 1, 2)
    across = np.linspace(-towards[0], towards[0], width, dtype=np.float32)
    down = np.linspace(-towards[1], towards[1], height, dtype=np.float32)
    frame = PAPER + GRADIENT / 2 * (across[None, :] + down[:, None])
    frame *= 1 - INK / 255 * cv2.GaussianBlur(ink, (0, 0), 0.9).astype(np.float32)
    frame += GRAIN * random.standard_normal(ink.shape, np.float32)
    return np.clip(frame, 0, 255).round().astype(np.uint8)
