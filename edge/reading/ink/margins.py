"""Add a margin of paper around frames that were cropped to their ink, as a detector or a labelling tool crops them.

Ink that touches a photograph's edge is the edge of a table or a word cut off, and the paper's level is estimated from
the surroundings of ink. In a tight crop of one digit or one row all ink touches the edge, and there is hardly any
paper. Such a frame is recognized by its ink, and gets the margin that it lacks.
"""

import numpy as np
from numpy.typing import NDArray

from ...common.opencv import cv

Gray = NDArray[np.uint8]

# Crops are recognized on a copy of this size.
SMALL_LONG_SIDE = 64
# An edge has ink near it where gray levels within this share of the side differ by at least this many levels.
NEAR, LEAST_CONTRAST = 0.1, 24
# At most this many pixels along a side of a larger frame are looked at.
LOOKED_AT = 128
# Least share of the variance that lies between ink and paper: two levels and little else.
LEAST_SEPARATION = 0.75
# Greatest share of ink in the frame, and among the pixels along its edges.
MOST_INK, MOST_CONTACT = 0.6, 0.5
# Least share of the frame's width and height that its ink spans; a frame with a wider margin is read as it is.
LEAST_SPAN = 0.8
# Shares of the frame's height: shorter pieces are specks and ignored; all others are digits of a row, at least so high.
SPECK, LEAST_HEIGHT = 0.25, 0.6
# Stroke width as shares of the frame's height; thinner is a texture, thicker a picture of something else.
THINNEST, THICKEST = 0.08, 0.5
# Greatest width of the frame for each digit, as a multiple of its height.
WIDEST = 1.8
MOST_DIGITS = 16
# Width of the margin, as a share of the frame's height.
MARGIN = 0.35


def add_margin(frame: Gray) -> tuple[Gray, int]:
    """Surround a tight crop with paper; return other frames unchanged.

    Args:
        frame: Gray frame, uint8 [height, width].

    Returns:
        The frame, and the width of the margin around it in pixels, 0 where there is none.
    """
    down, across = (int(NEAR * side) for side in frame.shape)
    # Few frames have ink near two opposite edges: for the others, this is the only cost.
    if not (_differs(frame[down], frame[-1 - down]) or _differs(frame[:, across], frame[:, -1 - across])):
        return frame, 0
    paper = _find_paper(frame)
    if paper is None:
        return frame, 0
    margin = max(2, round(MARGIN * frame.shape[0]))
    return cv.copyMakeBorder(frame, *[margin] * 4, cv.BORDER_CONSTANT, value=paper), margin


def _differs(first: Gray, second: Gray) -> bool:
    """Whether levels differ along each of two lines."""
    return min(int(np.ptp(first)), int(np.ptp(second))) >= LEAST_CONTRAST


def _find_paper(frame: Gray) -> int | None:
    """Return the median level of the paper in a tight crop; None if the frame is not a tight crop."""
    step = max(1, max(frame.shape) // LOOKED_AT)
    frame = frame[::step, ::step]
    scale = SMALL_LONG_SIDE / max(frame.shape)
    size = max(3, round(frame.shape[1] * scale)), max(3, round(frame.shape[0] * scale))
    small = cv.resize(frame, size, interpolation=cv.INTER_AREA if scale < 1 else cv.INTER_LINEAR)
    bright = cv.threshold(small, 0, 255, cv.THRESH_BINARY | cv.THRESH_OTSU)[1] > 0
    if bright.all() or not bright.any() or _separate(small, bright) < LEAST_SEPARATION:
        return None
    edge = np.concatenate([bright[0], bright[-1], bright[1:-1, 0], bright[1:-1, -1]])
    # Most of the edge is paper.
    ink = bright if edge.mean() < MOST_CONTACT else ~bright
    return int(np.median(small[~ink])) if ink.mean() <= MOST_INK and _is_row(ink) else None


def _separate(small: Gray, bright: NDArray[np.bool_]) -> float:
    """Return the share of the variance that lies between two levels, in [0, 1] (Otsu's measure of separability)."""
    share = float(bright.mean())
    return (
        share * (1 - share) * float(small[bright].mean() - small[~bright].mean()) ** 2 / max(float(small.var()), 1e-9)
    )


def _is_row(ink: NDArray[np.bool_]) -> bool:
    """Whether ink is one digit or a row of digits from edge to edge."""
    height, width = ink.shape
    mask = ink.astype(np.uint8)
    stats = cv.connectedComponentsWithStats(mask, connectivity=8)[2][1:]
    left, top, wide, high = stats[(stats[:, 2] >= SPECK * height) | (stats[:, 3] >= SPECK * height), :4].T
    if not 1 <= len(left) <= MOST_DIGITS or width > WIDEST * len(left) * height or high.min() < LEAST_HEIGHT * height:
        return False
    across, down = (left + wide).max() - left.min(), (top + high).max() - top.min()
    thickness = 2 * float(cv.distanceTransform(np.pad(mask, 1), cv.DIST_L2, 3).max())
    spans = across >= LEAST_SPAN * width and down >= LEAST_SPAN * height
    return spans and THINNEST * height <= thickness <= THICKEST * height
