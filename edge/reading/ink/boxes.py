"""Take printed boxes off the digits written in them, and turn the levels of dark blocks with light digits.

A box, a comb or an underline that a digit touches is one piece of ink with it. Such a piece is recognized by its shape,
and loses its straight sides. A dark block that is written on in light ink is a shape without a digit; once its levels
are turned, its holes are ink.
"""

from collections.abc import Sequence

import numpy as np

from ...common.opencv import Gray, cv
from .effort import PIXELS_OF_WINDOW, Effort
from .ruled_lines import remove_lines
from .shapes import Shape

# A box or a block covers at least this share of the smallest rectangle around it; an ellipse covers 0.79.
RECTANGULAR = 0.86
# The lines of a box, and the strokes in it, cover at most this share of it; a block's surface at least this share, or
# it may be a thick 0.
MOST_LINES, LEAST_SURFACE = 0.45, 0.72
# Boxes are at least so large, in pixels of the working copy. A box is so much larger than most pieces are high, and an
# underline so much longer.
SMALLEST, AROUND, LONG = 20, 1.2, 3.0
# The sides of a box that is slightly turned span this share of the rectangle around it.
SIDE = 0.85
# A line of this many times the height of most pieces may be wavy.
BY_HAND = 2.0
# A frame is at most this thick, in pixels, and its ink goes this share of the way round. What is in it is at least
# this high, as a share of the box.
THICKEST_FRAME, ALL_ROUND, LEAST_INSIDE = 8, 0.7, 0.3
# Examine at most this many pieces.
MOST = 40
# The edge of a block, in pixels, is neither paper nor ink.
EDGE = 5
# A block has a light piece at least this high, as a share of the block's shorter side, and in pixels.
HOLE_SHARE, SMALLEST_HOLE, SMALLEST_BLOCK = 0.12, 9, 24


def find_boxes(mask: Gray, pieces: Sequence[Shape], typical: float) -> list[Shape]:
    """Find the pieces that may have straight sides: boxes, tables, combs and underlines.

    Args:
        mask: Mask of ink, uint8 [height, width] of 0 and 255.
        pieces: The connected pieces of the mask.
        typical: Height of most pieces in pixels.
    """
    large = [piece for piece in _take_largest(pieces) if _is_long(piece, AROUND * typical)]
    sided = (piece for piece in large if _is_long(piece, LONG * typical) or _is_rectangle(piece))
    return [piece for piece in sided if _cover(mask, piece) <= MOST_LINES]


def remove_boxes(mask: Gray, faint: Gray, depth: Gray, boxes: Sequence[Shape], typical: float, effort: Effort) -> Gray:
    """Remove the sides of boxes, combs and underlines that strokes touch.

    Args:
        mask: Mask of ink, uint8 [height, width] of 0 and 255.
        faint: Mask of ink and of everything fainter, in which lines are whole.
        depth: How much darker than the paper each pixel is, uint8 [height, width].
        boxes: Pieces of the mask that may have sides.
        typical: Height of most pieces in pixels.
        effort: The effort that may be taken.

    Returns:
        The ink without sides; the same array if there are none.
    """
    opened = mask
    for piece in boxes:
        box = piece.box
        if not effort.spend(1 + box.width * box.height / PIXELS_OF_WINDOW):
            break
        window = (slice(box.y, box.bottom), slice(box.x, box.right))
        filled = piece.mask
        ink, weak = cv.bitwise_and(mask[window], filled), cv.bitwise_and(faint[window], cv.dilate(filled, _PEN))
        inner = _peel(ink, filled) if _is_rectangle(piece) else ink
        if inner is not ink:
            weak = cv.bitwise_and(weak, cv.bitwise_or(inner, cv.bitwise_not(ink)))
        without = remove_lines(inner, weak, depth[window], SIDE, BY_HAND * typical, effort)
        if without is not ink:
            opened = opened.copy() if opened is mask else opened
            opened[window] = cv.bitwise_or(cv.bitwise_and(opened[window], cv.bitwise_not(filled)), without)
    return opened


def _peel(ink: Gray, filled: Gray) -> Gray:
    """Take the frame off a box: the outermost ink, as thick as it goes almost all the way round.

    Args:
        ink: Ink of the box and of what is in it, uint8 [height, width] of 0 and 255.
        filled: The box, filled.

    Returns:
        The ink within the frame; the same array if there is no frame, or nothing in it.
    """
    from_edge = cv.distanceTransform(cv.copyMakeBorder(filled, 1, 1, 1, 1, cv.BORDER_CONSTANT), cv.DIST_L2, 3)
    rings = np.ceil(from_edge[1:-1, 1:-1]).clip(max=THICKEST_FRAME + 1).astype(np.uint8)
    area, inked = (np.bincount(ring.ravel(), minlength=THICKEST_FRAME + 2) for ring in (rings, rings[ink > 0]))
    broken = np.flatnonzero(inked[1:] < ALL_ROUND * area[1:])
    thickness = int(broken[0]) if len(broken) else 0
    # The last ring holds the frame's soft edge.
    inner = cv.bitwise_and(ink, cv.compare(rings, thickness + 1, cv.CMP_GT))
    return inner if thickness and cv.boundingRect(inner)[3] > LEAST_INSIDE * len(ink) else ink


def find_blocks(mask: Gray, pieces: Sequence[Shape]) -> Gray | None:
    """Find dark blocks with light pieces in them: 255 within a block, 127 along its edge; None if there are none."""
    blocks = None
    for piece in _take_largest(pieces):
        box = piece.box
        if min(box.width, box.height) < SMALLEST_BLOCK or not _is_rectangle(piece):
            continue
        filled = piece.mask
        surface = cv.bitwise_and(mask[box.y : box.bottom, box.x : box.right], filled)
        if cv.countNonZero(surface) < LEAST_SURFACE * cv.countNonZero(filled):
            continue
        within = cv.erode(filled, np.ones((EDGE, EDGE), np.uint8), borderType=cv.BORDER_CONSTANT, borderValue=0)
        if not _has_light_pieces(cv.subtract(within, surface), min(box.width, box.height)):
            continue
        blocks = np.zeros_like(mask) if blocks is None else blocks
        view = blocks[box.y : box.bottom, box.x : box.right]
        view[filled > 0] = 127
        view[within > 0] = 255
    return blocks


def _cover(mask: Gray, piece: Shape) -> float:
    """Return the share of a piece's box that its own ink covers."""
    box = piece.box
    ink = cv.bitwise_and(mask[box.y : box.bottom, box.x : box.right], piece.mask)
    return cv.countNonZero(ink) / (box.width * box.height)


def _is_long(piece: Shape, least: float) -> bool:
    return max(piece.box.width, piece.box.height) > least


def _take_largest(pieces: Sequence[Shape]) -> list[Shape]:
    large = [piece for piece in pieces if max(piece.box.width, piece.box.height) >= SMALLEST]
    return sorted(large, key=lambda piece: -piece.box.width * piece.box.height)[:MOST]


def _is_rectangle(piece: Shape) -> bool:
    """Whether the outline of a piece is a rectangle, turned or not."""
    outline = max(piece.outlines, key=len)
    _, (width, height), _ = cv.minAreaRect(outline)
    return cv.contourArea(outline) >= RECTANGULAR * width * height > 0 and min(width, height) >= SMALLEST


def _has_light_pieces(light: Gray, side: int) -> bool:
    stats = cv.connectedComponentsWithStats(light, connectivity=8)[2][1:]
    least = max(SMALLEST_HOLE, HOLE_SHARE * side)
    return bool((stats[:, cv.CC_STAT_HEIGHT] >= least).any())


_PEN = np.ones((3, 3), np.uint8)
