"""Find the shapes on a gray frame that may be digits, in reading order.

The paper is estimated, and pixels clearly darker than it (or lighter, where ink is light) are ink. Each connected piece
of ink of a likely size is a shape; the model decides which shapes are digits, see `reader.py`. Everything that needs a
pass over the frame happens once, on bytes; the rest works on a small copy or on the pixels of one shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from ..common.arrays import check_gray
from ..common.opencv import Gray, cv, enlarge, resize
from .ink.boxes import find_blocks, find_boxes, remove_boxes
from .ink.effort import Effort
from .ink.margins import add_margin
from .ink.paper import Levels, darken_ink, estimate_levels, estimate_noise, make_copies, mask_darker_than
from .ink.ruled_lines import keep_thin, remove_lines
from .ink.shapes import Box, Shape, join_pieces, outline_shapes

# Frames are searched at the first of these sizes where digits are large enough: strokes are a few pixels wide, the
# grain of a pencil is smoothed, and a 12-megapixel photograph takes milliseconds. Smaller frames are enlarged to it.
WORKING_LONG_SIDES = (320, 640, 1280)
SMALL_DIGITS, SMALL_ON_LINES = 28, 42
# The darkest ink of a shape is this many times as dark as the faintest ink.
STRONG = 1.7
# The faint ends of strokes are lifted to this share of the level of the other strokes, a percentile of their ink.
LIFTED, STROKE_PERCENTILE = 0.6, 80
# Noise above this, in gray levels, is smoothed away first.
NOISY = 6.0
# Share of the noise, as a standard deviation, that the 5x5 Gaussian leaves.
LEFT_BY_BLUR = 0.3
# A shape that spans this share of the frame, or is this many times as long as wide, may be or contain a line.
SPAN = 0.3
LINE_ASPECT = 7.0
# A digit touches the frame's edge over less of its length than this, and a stroke only with its end.
MOST_CONTACT = 0.4
NARROW, MOST_CONTACT_OF_NARROW = 0.25, 0.15
# In pixels at working size, or as shares of the typical digit's height.
SMALLEST_HEIGHT = 11
SMALLEST_SHARE = 0.35
LARGEST_SHARE = 3.0
# A shape higher than this many times its width may be a line.
THIN = 3
# Share of a mask's pixels that differ from the next one in their row: more is a fine pattern, whose thin parts go.
MOST_EDGES = 0.3
# No page has more digits; a page of print, cloth or gravel has more shapes.
MOST_SHAPES = 1000
# A shape wider than this many times its height is neither a digit nor a few that touch.
WIDEST_ASPECT = 5.0


@dataclass(frozen=True)
class Candidates:
    """The shapes that may be digits.

    Attributes:
        gray: Working copy, uint8 [height, width]; ink is dark.
        mask: Mask of ink, lines included, uint8 [height, width] of 0 and 255.
        levels: Levels of the paper and of ink all over the frame.
        scale: Working pixels per frame pixel.
        frame_shape: Height and width of the frame in pixels.
        shapes: Shapes at working size, in no order.
        ruled: Whether the frame was searched for lines, as on ruled paper.
        margin: Frame pixels that were added on all sides, see `margins.py`.
        truncated: Whether something was left out: the lowest of more than MOST_SHAPES, lines of a pattern, or the thin
            parts of a fine one.
        pieces: All pieces of ink that the shapes were chosen from.
    """

    gray: Gray
    mask: Gray
    levels: Levels
    scale: float
    frame_shape: tuple[int, int]
    shapes: tuple[Shape, ...]
    ruled: bool
    margin: int = 0
    truncated: bool = False
    pieces: tuple[Shape, ...] = ()

    def ink(self, shape: Shape) -> Gray:
        """Return a shape's ink, uint8 [height, width] of its box: how much darker than the paper, in gray levels."""
        box = shape.box
        # Outlines run along the threshold; the soft edge just outside belongs to the stroke.
        window = (slice(box.y, box.bottom), slice(box.x, box.right))
        ink = cv.bitwise_and(self.depth[window], cv.dilate(shape.mask, _PEN))
        if not shape.faint:
            return ink
        level = LIFTED * float(np.percentile(ink[ink > 0], STROKE_PERCENTILE))
        strokes = cv.compare(cv.bitwise_and(self.weak[window], shape.mask), 0, cv.CMP_GT)
        return cv.max(ink, cv.convertScaleAbs(strokes, alpha=level / 255))

    @cached_property
    def depth(self) -> Gray:
        """How much darker than the paper each pixel is; computed once, which is cheaper than once for each shape."""
        return cv.subtract(enlarge(self.levels.paper, self.gray), self.gray)

    @cached_property
    def weak(self) -> Gray:
        """Mask of ink and of everything fainter that is not grain, lines included, uint8 of 0 and 255."""
        return mask_darker_than(self.gray, self.levels.faintest)

    def in_frame(self, box: Box) -> Box:
        """Return the box in pixels of the frame, at least one wide and high and within the frame."""
        height, width = self.frame_shape
        edges = (box.x, box.y, box.right, box.bottom)
        x, y, right, bottom = [max(0, round(edge / self.scale) - self.margin) for edge in edges]
        x, y = min(x, width - 1), min(y, height - 1)
        return Box(x, y, max(1, min(right, width) - x), max(1, min(bottom, height) - y))


_PEN = np.ones((3, 3), np.uint8)


def find_candidates(frame: Gray) -> Candidates:
    """Find shapes that may be digits in a frame, uint8 [height, width]; ink may be dark, light or both.

    Raises:
        ValueError: The frame is not a gray image.
    """
    frame, margin = add_margin(check_gray(frame))
    *coarser, finest = _working_copies(frame)
    for copy in coarser:
        finding = _find_at(copy, frame, margin)
        if finding.shapes and typical_height(finding.shapes) >= (SMALL_ON_LINES if finding.ruled else SMALL_DIGITS):
            return finding
    return _find_at(finest, frame, margin)


def _working_copies(frame: Gray) -> list[Gray]:
    """Scale the frame to each working size below its own and to the last or its own, coarse to fine."""
    long_side = max(frame.shape)
    if long_side <= WORKING_LONG_SIDES[0]:
        return [resize(frame, WORKING_LONG_SIDES[0] / long_side)]
    sides = [side for side in WORKING_LONG_SIDES if side < long_side]
    if long_side < WORKING_LONG_SIDES[-1]:
        sides.append(long_side)
    copies = [frame]
    for side in reversed(sides):
        copies.append(resize(copies[-1], side / max(copies[-1].shape)))
    return copies[:0:-1]


def _find_at(gray: Gray, frame: Gray, margin: int) -> Candidates:
    """Find shapes in a scaled copy of the frame, given the pixels of margin that were added to the frame."""
    effort = Effort.for_frame(gray)
    gray, levels, mask, pieces = _mark_ink(gray, frame.shape, effort)
    pieces, ruled = _outline_strokes(gray, levels, mask, pieces, effort)
    # A single shape may fill the frame.
    alone = len(pieces) == 1
    within = [piece for piece in pieces if alone or not is_border(piece, gray.shape)]
    strong = [piece for piece in within if _is_strong(piece, gray, levels)]
    scale = max(gray.shape) / max(frame.shape)
    size = frame.shape[0] - 2 * margin, frame.shape[1] - 2 * margin
    shapes, truncated = tuple(_keep_likely(strong)), effort.is_short or len(strong) > MOST_SHAPES
    return Candidates(gray, mask, levels, scale, size, shapes, ruled, margin, truncated, tuple(pieces))


def _mark_ink(gray: Gray, frame_shape: tuple[int, ...], effort: Effort) -> tuple[Gray, Levels, Gray, list[Shape]]:
    """Mark ink, lines included: the copy with dark ink, its levels, a mask, uint8 of 0 and 255, and its pieces."""
    noise = estimate_noise(gray)
    if noise > NOISY:
        gray = cv.GaussianBlur(gray, (5, 5), 0)
        noise *= LEFT_BY_BLUR
    gray, copies, allowed = darken_ink(gray, frame_shape)
    levels = estimate_levels(copies, noise)
    mask = mask_darker_than(gray, levels.ink)
    if allowed is not None:
        mask = cv.bitwise_and(mask, allowed)
    mask = _keep_coarse(mask, effort)
    pieces = outline_shapes(mask, SMALLEST_HEIGHT // 2)
    if allowed is None and (blocks := find_blocks(mask, pieces)) is not None:
        gray, levels, mask = _turn_blocks(gray, blocks)
        mask = _keep_coarse(mask, effort)
        pieces = outline_shapes(mask, SMALLEST_HEIGHT // 2)
    return gray, levels, mask, pieces


def _keep_coarse(mask: Gray, effort: Effort) -> Gray:
    """Keep the thick parts of a mask that is a fine pattern; following all its outlines would take too long."""
    for side in (3, 5, 7):
        if cv.countNonZero(cv.bitwise_xor(mask[:, 1:], mask[:, :-1])) <= MOST_EDGES * mask.size:
            break
        mask = cv.morphologyEx(mask, cv.MORPH_OPEN, np.ones((side, side), np.uint8))
        effort.is_short = True
    return mask


def _turn_blocks(gray: Gray, blocks: Gray) -> tuple[Gray, Levels, Gray]:
    """Make the light ink of dark blocks dark, and mark ink again."""
    gray = np.where(blocks == 255, cv.bitwise_not(gray), gray)
    levels = estimate_levels(make_copies(gray), min(NOISY, estimate_noise(gray)))
    return gray, levels, cv.bitwise_and(mask_darker_than(gray, levels.ink), cv.compare(blocks, 127, cv.CMP_NE))


def _outline_strokes(
    gray: Gray, levels: Levels, mask: Gray, pieces: list[Shape], effort: Effort
) -> tuple[list[Shape], bool]:
    """Outline the pieces of ink without ruled lines and boxes, and return whether there may have been ruled lines."""
    ruled = False
    # A black bar beside the page spans the frame, too; no line is so thick.
    if _are_ruled([piece.box for piece in pieces], gray.shape) and _are_ruled(
        [piece.box for piece in outline_shapes(keep_thin(mask), SMALLEST_HEIGHT // 2)], gray.shape
    ):
        mask, ruled = _without_lines(gray, levels, mask, effort), True
        pieces = outline_shapes(mask, SMALLEST_HEIGHT // 2)
    typical = typical_height(pieces) if pieces else 0
    boxes = find_boxes(mask, pieces, typical)
    if not boxes:
        return pieces, ruled
    depth = cv.subtract(enlarge(levels.paper, gray), gray)
    opened = remove_boxes(mask, mask_darker_than(gray, levels.faintest), depth, boxes, typical, effort)
    return (pieces if opened is mask else outline_shapes(opened, SMALLEST_HEIGHT // 2)), ruled


def _without_lines(gray: Gray, levels: Levels, mask: Gray, effort: Effort) -> Gray:
    depth = cv.subtract(enlarge(levels.paper, gray), gray)
    return remove_lines(mask, mask_darker_than(gray, levels.faintest), depth, effort=effort)


def show_ink(frame: Gray) -> tuple[Gray, Gray]:
    """Show the ink of a frame's coarse copy, with and without lines, for people: uint8 of 0 and 255 each."""
    frame = check_gray(frame)
    coarse = _working_copies(frame)[0]
    effort = Effort.for_frame(coarse)
    gray, levels, mask, _ = _mark_ink(coarse, frame.shape, effort)
    return mask, _without_lines(gray, levels, mask, effort)


def _is_strong(shape: Shape, gray: Gray, levels: Levels) -> bool:
    """Whether the shape's darkest pixel is well below the ink threshold; a blot of the paper's grain rarely is."""
    box = shape.box
    small, whole = levels.paper.shape, gray.shape
    y, x = int(box.middle * small[0] / whole[0]), int((box.x + box.width / 2) * small[1] / whole[1])
    paper = int(levels.paper[y, x])
    enough = STRONG * (paper - int(levels.faintest[y, x]))
    # Beside strong ink, the threshold of ink alone requires this much.
    if paper - int(levels.ink[y, x]) > enough:
        return True
    return paper - cv.minMaxLoc(gray[box.y : box.bottom, box.x : box.right])[0] > enough


def _are_ruled(boxes: list[Box], shape: tuple[int, ...]) -> bool:
    """Whether lines may run through the frame: a piece spans much of it, or many are as thin as pieces of lines."""
    if any(box.width > SPAN * shape[1] or box.height > SPAN * shape[0] for box in boxes):
        return True
    return sum(box.width > LINE_ASPECT * box.height or box.height > LINE_ASPECT * box.width for box in boxes) >= 3


def _keep_likely(shapes: list[Shape]) -> list[Shape]:
    """Join pieces; drop shapes that are too wide, or too small or too large beside the others."""
    if not shapes:
        return []
    if len(shapes) > MOST_SHAPES:
        shapes = sorted(shapes, key=lambda shape: -shape.box.height)[:MOST_SHAPES]
    tallest = LARGEST_SHARE * typical_height(shapes)
    shapes = [shape for shape in join_pieces(shapes, tallest) if shape.box.width <= WIDEST_ASPECT * shape.box.height]
    shapes = [shape for shape in shapes if shape.box.height >= SMALLEST_HEIGHT]
    if not shapes:
        return []
    typical = typical_height(shapes)
    return [shape for shape in shapes if SMALLEST_SHARE * typical <= shape.box.height <= LARGEST_SHARE * typical]


def typical_height(shapes: Sequence[Shape]) -> int:
    """Return the median height, each shape weighted by its height, or less if it is thin.

    Specks, long edges and lines change it little.
    """
    sizes = sorted((shape.box.height, min(shape.box.height, THIN * shape.box.width)) for shape in shapes)
    half = sum(weight for _, weight in sizes) / 2
    below = accumulate(weight for _, weight in sizes)
    return next(height for (height, _), total in zip(sizes, below, strict=True) if total >= half)


def is_border(shape: Shape, frame: tuple[int, ...]) -> bool:
    """Whether the shape lies along an edge of the frame, or runs through it from edge to edge.

    A shape that only touches an edge does so over little of its own length.
    """
    box = shape.box
    touched = (box.x <= 1, box.right >= frame[1] - 1, box.y <= 1, box.bottom >= frame[0] - 1)
    if not any(touched):
        return False
    if sum(touched) > 1:
        return True
    long_side, short_side = max(box.width, box.height), min(box.width, box.height)
    narrow = short_side <= NARROW * long_side
    most = long_side * (MOST_CONTACT_OF_NARROW if narrow else MOST_CONTACT)
    mask = shape.mask
    # Along each edge, either of the two outermost lines may have the ink.
    lines = (mask[:, :2].max(axis=1), mask[:, -2:].max(axis=1), mask[:2].max(axis=0), mask[-2:].max(axis=0))
    return any(touches and np.count_nonzero(line) > most for touches, line in zip(touched, lines, strict=True))
