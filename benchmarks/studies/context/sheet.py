"""The sheet that a frame's ink is put on: how much ink is where, and the box of each digit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .writing import SUBPIXEL_BITS, SUBPIXELS, Gray

Ink = NDArray[np.float32]

# A digit whose box is cut off to less than this share may be another digit, or none.
LEAST_SHARE = 0.85
# Ink darker than this share of the darkest counts for a digit's box.
HALF_TONE = 0.35
SMALLEST_SIDE, FEWEST_PIXELS = 3, 8
# The digit of a box that is not to be learned from: it may be any digit, or none.
UNSURE = -1
CORNERS_OF_LINE = 24


@dataclass(frozen=True)
class DigitBox:
    """A digit in a frame: edges of its box in pixels, and the digit 0 to 9 or UNSURE."""

    left: float
    top: float
    right: float
    bottom: float
    digit: int


class Sheet:
    """Ink on a sheet.

    Attributes:
        ink: All ink, float32 [height, width] from 0 to 1.
        boxes: The boxes of all digits.
    """

    def __init__(self, height: int, width: int) -> None:
        self.ink: Ink = np.zeros((height, width), np.float32)
        self.boxes: list[DigitBox] = []

    def put(self, mark: Gray, x: float, y: float, strength: float = 1.0, digit: int | None = None) -> None:
        """Put a mark, uint8 [height, width] with 255 = ink, with its corner at (x, y); it may reach over the edges.

        Args:
            mark: The ink.
            x: Left edge in pixels.
            y: Upper edge in pixels.
            strength: Darkness of the ink, 0 to 1.
            digit: The digit that it is; None if it is none.
        """
        (height, width), (rows, columns) = mark.shape, self.ink.shape
        x, y = int(x), int(y)
        left, top, right, bottom = max(0, x), max(0, y), min(columns, x + width), min(rows, y + height)
        if min(right - left, bottom - top) < SMALLEST_SIDE:
            return
        part = mark[top - y : bottom - y, left - x : right - x]
        under = self.ink[top:bottom, left:right]
        np.maximum(under, part.astype(np.float32) * (strength / 255), out=under)
        inked = (part > HALF_TONE * 255).astype(np.uint8)
        if digit is None or cv2.countNonZero(inked) < FEWEST_PIXELS:
            return
        across, down, wide, high = cv2.boundingRect(inked)
        is_whole = (right - left) * (bottom - top) > LEAST_SHARE * width * height
        edges = left + across, top + down, left + across + wide, top + down + high
        self.boxes.append(DigitBox(*edges, digit if is_whole else UNSURE))

    def draw_path(self, points: NDArray[np.float64], thickness: int, strength: float = 1.0) -> None:
        """Draw a path [N, 2] of (x, y) in pixels, with a pen of this thickness in pixels."""
        rows, columns = self.ink.shape
        left, top = np.clip(points.min(axis=0) - thickness - 1, 0, (columns, rows)).astype(int).tolist()
        right, bottom = np.clip(points.max(axis=0) + thickness + 2, 0, (columns, rows)).astype(int).tolist()
        if right <= left or bottom <= top:
            return
        mark = np.zeros((bottom - top, right - left), np.uint8)
        path = np.round(SUBPIXELS * (points - (left, top))).astype(np.int32)
        cv2.polylines(
            mark, [path], isClosed=False, color=255, thickness=thickness, lineType=cv2.LINE_AA, shift=SUBPIXEL_BITS
        )
        under = self.ink[top:bottom, left:right]
        np.maximum(under, mark.astype(np.float32) * (strength / 255), out=under)


@dataclass(frozen=True)
class LinePen:
    """The pen of a frame's lines: thickness in pixels, strength from 0 to 1, and wobble in pixels a corner."""

    thickness: int
    strength: float
    wobble: float

    def draw(
        self, sheet: Sheet, start: tuple[float, float], end: tuple[float, float], random: np.random.Generator
    ) -> None:
        """Draw a line from one point to another, both (x, y) in pixels."""
        points = np.linspace(start, end, CORNERS_OF_LINE)
        if self.wobble:
            sideways = np.cumsum(random.normal(0, self.wobble, CORNERS_OF_LINE))
            sideways -= random.random() * np.linspace(sideways[0], sideways[-1], CORNERS_OF_LINE)
            is_upright = abs(end[1] - start[1]) > abs(end[0] - start[0])
            points[:, 0 if is_upright else 1] += sideways
        sheet.draw_path(points, self.thickness, self.strength)
