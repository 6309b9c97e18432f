"""Shapes: connected ink that may be a digit, found in a mask and joined where a digit is in several pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...common.opencv import cv

Mask = NDArray[np.uint8]

# Pieces of a broken digit lie closer over one another than this share of the larger one's height.
CLOSE = 0.14


class Box(NamedTuple):
    """A rectangle in whole pixels; the origin is the top left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def bottom(self) -> int:
        """The first row below the box."""
        return self.y + self.height

    @property
    def right(self) -> int:
        """The first column to the right of the box."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """The vertical position of the box's centre."""
        return self.y + self.height / 2


@dataclass(frozen=True, eq=False)
class Shape:
    """Ink that may be one digit.

    Attributes:
        box: Rectangle around all of it.
        outlines: Outlines of its connected pieces, int32 [N, 1, 2] each, as OpenCV returns them: (x, y) in the frame.
        cut: Mask of the shape within its box if it was cut out of a piece, uint8 [height, width] of 0 and 255. None
            means everything within the outlines.
        faint: Whether part of its ink is below the threshold of ink.
    """

    box: Box
    outlines: tuple[NDArray[np.int32], ...]
    cut: Mask | None = None
    faint: bool = False

    @property
    def mask(self) -> Mask:
        """Mask of the shape within its box, uint8 [height, width]: 255 within the outlines, holes too, and 0 elsewhere.

        Everything in a hole belongs to the shape: a circle around a face is not a 0.
        """
        if self.cut is not None:
            return self.cut
        mask = np.zeros((self.box.height, self.box.width), np.uint8)
        cv.drawContours(mask, self.outlines, -1, 255, cv.FILLED, offset=(-self.box.x, -self.box.y))
        return mask


def outline_shapes(mask: Mask, smallest: int) -> list[Shape]:
    """Outline each connected piece of a mask whose box is at least `smallest` pixels long, as a shape of its own.

    A piece in a hole of another piece is a shape too.
    """
    outlines, levels = cv.findContours(mask, cv.RETR_CCOMP, cv.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return []
    shapes: list[Shape] = []
    for i in np.flatnonzero(levels[0, :, 3] < 0).tolist():
        # Specks of one pixel, most of any noise, are sorted out without a call.
        if len(outlines[i]) == 1 < smallest:
            continue
        x, y, width, height = cv.boundingRect(outlines[i])
        if max(width, height) >= smallest:
            shapes.append(Shape(Box(x, y, width, height), (outlines[i],)))
    return shapes


def join_pieces(shapes: list[Shape], tallest: float) -> list[Shape]:
    """Join pieces that lie above one another with almost no gap, as the bar of a 5 and its belly.

    Args:
        shapes: Pieces of ink.
        tallest: Greatest height of a joined shape in pixels.
    """
    # Whole numbers of 16 bits, because there are as many of them as pairs.
    left, top, right, bottom = (edge.astype(np.int16) for edge in find_edges(shapes))
    width, height = right - left, bottom - top
    close = np.ceil(CLOSE * height).astype(np.int16)
    overlap = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    gap = np.maximum(top[:, None], top) - np.minimum(bottom[:, None], bottom)
    if not ((overlap > 0) & (gap > 0) & (gap < close)).any():
        return shapes
    joint_height = np.maximum(bottom[:, None], bottom) - np.minimum(top[:, None], top)
    # Row i is the piece, column j the whole that it belongs to.
    belongs = (
        (overlap > 0.5 * np.minimum(width[:, None], width))
        & (gap > 0)
        & (gap < close)
        & (width[:, None] < 2 * width)
        & ((height[:, None] < height) | ((height[:, None] == height) & (top[:, None] > top)))
        & (joint_height <= tallest)
    )
    if not belongs.any():
        return shapes
    joined: list[Shape | None] = list(shapes)
    for piece in np.argsort(height, kind="stable").tolist():
        wholes = np.flatnonzero(belongs[piece])
        if len(wholes):
            whole = int(wholes[np.argmin(gap[piece, wholes])])
            if (current := joined[whole]) is not None and (part := joined[piece]) is not None:
                joined[whole], joined[piece] = unite_shapes([current, part]), None
    return [shape for shape in joined if shape is not None]


def find_edges(shapes: Sequence[Shape]) -> tuple[NDArray[np.int32], ...]:
    """Find where the boxes of shapes begin and end: left, top, right and bottom, int32 [N] each."""
    left, top, width, height = np.array([shape.box for shape in shapes], np.int32).reshape(-1, 4).T
    return left, top, left + width, top + height


def unite_shapes(shapes: Iterable[Shape]) -> Shape:
    """Unite shapes into one; none of them may have been cut."""
    parts = list(shapes)
    x, y = min(part.box.x for part in parts), min(part.box.y for part in parts)
    right, bottom = max(part.box.right for part in parts), max(part.box.bottom for part in parts)
    return Shape(Box(x, y, right - x, bottom - y), tuple(outline for part in parts for outline in part.outlines))


def split_pieces(shape: Shape) -> list[Shape]:
    """Split a shape into its connected pieces, each a shape."""
    return [Shape(Box(*cv.boundingRect(outline)), (outline,)) for outline in shape.outlines]
