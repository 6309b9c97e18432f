"""Frame ink as MNIST framed it, 28x28: the only preprocessing of this project.

MNIST's digits were scaled into a 20x20 box, keeping their aspect ratio, and placed with their centre of mass on pixel
(14, 14) of 28x28. A pen on paper is often far thinner than MNIST's strokes, or thicker, so the stroke width is adjusted
first.

Source: Yann LeCun, Corinna Cortes, Christopher J. C. Burges, "The MNIST database of handwritten digits".
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..bundle.contract import IMAGE_SHAPE
from ..common.arrays import check_ink
from ..common.opencv import Pixel, cv, resize

Ink = NDArray[np.uint8]

SIDE = IMAGE_SHAPE[0]
BOX_SIDE = 20
# Strokes are measured and changed at this size, twice the result, each digit in a cell of its own, whose margin has
# room for the thinnest pen to grow.
WORKING_SIDE = 40
MARGIN = 2
CELL = WORKING_SIDE + 2 * MARGIN
# MNIST's strokes are about this wide, as a share of the digit's longer side; thinner ones are thickened to it.
STROKE_SHARE = 0.11
# Thicker ones are thinned, but only down to this, where the loops of an 8 are still open.
THICK_SHARE = 0.22
# Share of the strokes' level below which a pixel is grain of the paper around them.
FAINTEST = 0.2


def frame_digit(ink: Ink) -> NDArray[np.uint8]:
    """Frame one digit like `frame_digits`: uint8 [28, 28, 1]."""
    return frame_digits([ink])[0]


def frame_digits(inks: Sequence[Ink]) -> NDArray[np.uint8]:
    """Frame digits, most steps for all of them at once.

    Args:
        inks: One array per digit, uint8 [height, width], cropped to it, 0 = paper, more = more ink; any size, contrast
            and stroke width.

    Returns:
        uint8 [N, 28, 28, 1], 0 = paper, 255 = ink. All zeros where there is no ink.

    Raises:
        ValueError: An ink is not such an array.
    """
    for ink in inks:
        check_ink(ink)
    if not inks:
        return np.zeros((0, *IMAGE_SHAPE), np.uint8)
    cells, sizes = _lay_out(inks)
    _even_out(cells)
    return _centre(_fit_pens(cells, sizes))


def _lay_out(inks: Sequence[Ink]) -> tuple[NDArray[np.uint8], list[tuple[int, int]]]:
    """Place each digit at working size in the corner of its cell: uint8 [N, CELL, CELL], and each (height, width)."""
    cells = np.zeros((len(inks), CELL, CELL), np.uint8)
    sizes: list[tuple[int, int]] = []
    for cell, ink in zip(cells, inks, strict=True):
        scaled = resize(ink, WORKING_SIDE / max(ink.shape)) if ink.size else ink
        height, width = scaled.shape
        cell[MARGIN : MARGIN + height, MARGIN : MARGIN + width] = scaled
        sizes.append((height, width))
    return cells, sizes


def _even_out(cells: NDArray[np.uint8]) -> None:
    """Stretch contrast in place so that strokes are at about 255, and paper with its grain at 0."""
    pixels = cells.reshape(len(cells), CELL * CELL)
    strong = (pixels > (pixels.max(axis=1, keepdims=True) >> 1)).view(np.uint8)
    level = _sum_rows(pixels * strong) / np.maximum(_sum_rows(strong), 1)
    bright = cv.convertScaleAbs(pixels * (255 / np.maximum(level, 1)))
    pixels[:] = cv.threshold(bright, 255 * FAINTEST, 255, cv.THRESH_TOZERO)[1]


def _sum_rows(pixels: NDArray[Pixel]) -> NDArray[np.float32]:
    """Sum each row, float32 [N, 1]; NumPy takes several times as long for bytes."""
    return cv.reduce(pixels, 1, cv.REDUCE_SUM, dtype=cv.CV_32F)


def _fit_pens(cells: NDArray[np.uint8], sizes: list[tuple[int, int]]) -> list[Ink]:
    """Widen strokes thinner than MNIST's, enlarging the crop by as much; thin those that are thicker."""
    widths = _measure_strokes(cells)
    missing = np.rint(STROKE_SHARE * WORKING_SIDE - widths).clip(min=0)
    surplus = np.rint(widths - THICK_SHARE * WORKING_SIDE).clip(min=0)
    changes = (missing - surplus).astype(int).tolist()
    strokes: list[Ink] = []
    for cell, (height, width), change in zip(cells, sizes, changes, strict=True):
        grown = (max(0, change) + 1) // 2
        near, bottom, right = MARGIN - grown, MARGIN + height + grown, MARGIN + width + grown
        strokes.append(_change_pen(cell, change)[near:bottom, near:right])
    return strokes


def _change_pen(cell: Ink, change: int) -> Ink:
    """Widen strokes by this many pixels, or thin them; the cell around them is paper, so thinning works there, too."""
    if change == 0:
        return cell
    return (cv.dilate if change > 0 else cv.erode)(cell, _disc(abs(change) + 1))


def _measure_strokes(cells: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure the strokes of each cell like `measure_stroke`: float32 [N]."""
    count = len(cells)
    mask = cv.compare(cells.reshape(count * CELL, CELL), 127, cv.CMP_GT)
    distance = cv.distanceTransform(mask, cv.DIST_L2, 3).reshape(count, CELL * CELL)
    ink = np.maximum(_sum_rows(mask.reshape(count, CELL * CELL)) / 255, 1)
    return np.maximum(4 * (_sum_rows(distance) / ink - 0.5), 1).ravel()


def measure_stroke(strokes: Ink) -> float:
    """Return the mean width of strokes in pixels; strokes are uint8 [height, width] with 255 = ink.

    Within a bar of width w the distance to its edge is w / 4 on average; pixel centres lie half a pixel further in.
    """
    mask = cv.copyMakeBorder(cv.compare(strokes, 127, cv.CMP_GT), 1, 1, 1, 1, cv.BORDER_CONSTANT)
    distance = cv.distanceTransform(mask, cv.DIST_L2, 3)
    return max(1.0, 4 * (cv.mean(distance, mask)[0] - 0.5))


@cache
def _disc(side: int) -> Ink:
    return cv.getStructuringElement(cv.MORPH_ELLIPSE, (side, side))


def _centre(strokes: list[Ink]) -> NDArray[np.uint8]:
    """Scale into MNIST's box, and place the centre of mass on pixel (14, 14), by whole pixels as MNIST does."""
    boxes = np.zeros((len(strokes), BOX_SIDE, BOX_SIDE), np.uint8)
    sizes = np.zeros((len(strokes), 2), int)
    for box, size, ink in zip(boxes, sizes, strokes, strict=True):
        if ink.size:
            small = resize(ink, BOX_SIDE / max(ink.shape))
            size[:] = small.shape
            box[: small.shape[0], : small.shape[1]] = small
    total, *moments = (boxes.reshape(len(boxes), BOX_SIDE * BOX_SIDE) @ _MOMENTS).T
    corners = np.rint(SIDE / 2 - np.transpose(moments) / np.maximum(total, 1)[:, None]).astype(int)
    # Keep every digit whole.
    corners = np.clip(corners, 0, SIDE - sizes)
    framed = np.zeros((len(strokes), SIDE, SIDE), np.uint8)
    for image, box, (top, left), (height, width) in zip(framed, boxes, corners.tolist(), sizes.tolist(), strict=True):
        image[top : top + height, left : left + width] = box[:height, :width]
    return framed[..., None]


# Weights that turn the pixels of a box into its mass and its moments down and across.
_MOMENTS = np.stack([np.ones((BOX_SIDE, BOX_SIDE)), *np.indices((BOX_SIDE, BOX_SIDE))]).reshape(3, -1).T
