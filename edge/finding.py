"""From a gray frame to where its digits are, in reading order.

The simple version: paper is estimated and divided out, what is left is ink, and each connected piece of ink of a
digit's size is a digit. Uneven light, either polarity, and digits in two close pieces are handled; touching digits,
ruled paper and things that are not digits are not.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .framing import resize

# Frames are worked on at about this size: strokes are several pixels wide, and a 12-megapixel photograph takes
# milliseconds instead of a second.
WORKING_LONG_SIDE = 1280
SMALLEST_LONG_SIDE = 320
# The paper is what a closing of this share of the long side leaves: wider than a marker's stroke in a frame that one
# digit fills, narrower than most shadows.
PAPER_WINDOW = 1 / 8
# Ink that is fainter than this, as a share of full scale, is sensor noise or paper grain on any camera.
FAINTEST_INK = 0.06
# A dark table beside the page would lift the threshold over a pencil's strokes.
STRONGEST_THRESHOLD = 0.2
# Sizes in pixels at working size, or as shares of the typical digit's height.
SMALLEST_HEIGHT = 12
SMALLEST_SHARE = 0.4
LARGEST_SHARE = 3.0
WIDEST_ASPECT = 2.2


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the frame it was found in; the origin is the top left corner."""

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


@dataclass(frozen=True)
class Finding:
    """Where the digits are.

    Attributes:
        ink: float32 [height, width] at working size, 0 = paper, 1 = the frame's darkest ink.
        scale: Working pixels per frame pixel.
        frame_shape: The frame's (height, width).
        rows: Boxes at working size, top to bottom, each row from left to right.
    """

    ink: NDArray[np.float32]
    scale: float
    frame_shape: tuple[int, int]
    rows: tuple[tuple[Box, ...], ...]

    def in_frame(self, box: Box) -> Box:
        """The same box in the frame's own pixels, at least one wide and high, and never beyond the frame."""
        height, width = self.frame_shape
        x, y = min(round(box.x / self.scale), width - 1), min(round(box.y / self.scale), height - 1)
        right, bottom = min(round(box.right / self.scale), width), min(round(box.bottom / self.scale), height)
        return Box(x, y, max(1, right - x), max(1, bottom - y))


def find_digits(frame: NDArray[np.uint8]) -> Finding:
    """Find the digits in a frame, uint8 [height, width], dark on light or light on dark."""
    scale = _working_scale(frame)
    ink = extract_ink(resize(frame, scale))
    mask = (ink > _ink_threshold(ink)).astype(np.uint8)
    pieces = [box for box in _connected_boxes(mask) if not _is_border(box, *ink.shape)]
    boxes = _keep_digits(_merge_pieces(pieces))
    return Finding(ink, scale, (frame.shape[0], frame.shape[1]), _group_into_rows(boxes))


def extract_ink(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much darker than the paper around it (or lighter, where ink is light) each pixel is: [0, 1], same shape."""
    smooth = cv2.GaussianBlur(gray, (3, 3), 0).astype(np.float32)
    if _is_light_on_dark(smooth):
        smooth = 255 - smooth
    paper = np.maximum(_estimate_paper(smooth), 1)
    return np.clip((paper - smooth) / paper, 0, 1, dtype=np.float32)


def _is_light_on_dark(gray: NDArray[np.float32]) -> bool:
    """Whether the ink is lighter than the paper: strokes are few and strong, so deviations are skewed to their side.

    Deviations are from the surroundings, not from the frame's mean, so that a shadow over half a page has no say.
    """
    small = resize(gray, 0.25)
    window = int(max(small.shape) * PAPER_WINDOW) | 1
    deviation = small - cv2.blur(small, (window, window))
    return float((deviation**3).mean()) > 0


def _working_scale(frame: NDArray[np.uint8]) -> float:
    long_side = max(frame.shape)
    if long_side < SMALLEST_LONG_SIDE:
        return SMALLEST_LONG_SIDE / long_side
    return min(1.0, WORKING_LONG_SIDE / long_side)


def _estimate_paper(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """The frame without its dark strokes, float32: a closing and a blur at a quarter of the size."""
    small = resize(gray, 0.25)
    window = int(max(small.shape) * PAPER_WINDOW) | 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, (window, window)))
    smooth = cv2.blur(closed, (window, window))
    return cv2.resize(smooth, gray.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _ink_threshold(ink: NDArray[np.float32]) -> float:
    """Between paper and ink by Otsu's method, over the pixels that are more than noise."""
    candidates = ink[ink > FAINTEST_INK]
    if len(candidates) == 0:
        return 1.0
    levels = np.ascontiguousarray((candidates * 255).astype(np.uint8))
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return float(np.clip(threshold / 255 * 0.8, FAINTEST_INK, STRONGEST_THRESHOLD))


def _connected_boxes(mask: NDArray[np.uint8]) -> list[Box]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return [Box(int(x), int(y), int(w), int(h)) for x, y, w, h, area in stats[1:] if area >= SMALLEST_HEIGHT]


def _merge_pieces(boxes: list[Box]) -> list[Box]:
    """Join pieces that lie over one another with almost no gap, as the bar of a 5 over its belly."""
    merged: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.height):
        for i, whole in enumerate(merged):
            if _belongs(box, whole):
                merged[i] = _union(box, whole)
                break
        else:
            merged.append(box)
    return merged


def _belongs(piece: Box, whole: Box) -> bool:
    overlap = min(piece.right, whole.right) - max(piece.x, whole.x)
    gap = max(piece.y, whole.y) - min(piece.bottom, whole.bottom)
    return overlap > 0.5 * min(piece.width, whole.width) and gap < 0.12 * whole.height and piece.width < 2 * whole.width


def _union(a: Box, b: Box) -> Box:
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Box(x, y, max(a.right, b.right) - x, max(a.bottom, b.bottom) - y)


def _keep_digits(boxes: list[Box]) -> list[Box]:
    """Drop what is too wide, or too small or too large beside the others."""
    boxes = [box for box in boxes if box.height >= SMALLEST_HEIGHT and box.width <= WIDEST_ASPECT * box.height]
    if not boxes:
        return []
    typical = _typical_height(boxes)
    return [box for box in boxes if SMALLEST_SHARE * typical <= box.height <= LARGEST_SHARE * typical]


def _typical_height(boxes: list[Box]) -> int:
    """The median height, each box counting by its height: specks and one long edge leave it where the digits are."""
    heights = sorted(box.height for box in boxes)
    return heights[int(np.searchsorted(np.cumsum(heights), sum(heights) / 2))]


def _is_border(box: Box, height: int, width: int) -> bool:
    """Whether the box lies along an edge of the frame: it touches one and has a border's shape."""
    touches_side = box.x <= 1 or box.right >= width - 1
    touches_end = box.y <= 1 or box.bottom >= height - 1
    tall, wide = box.height > 0.5 * height, box.width > 0.5 * width
    return (touches_side and tall) or (touches_end and wide) or (touches_side and touches_end)


def _group_into_rows(boxes: list[Box]) -> tuple[tuple[Box, ...], ...]:
    """Boxes whose centre lies within the last one's middle share a row; rows go down, boxes go right."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.x):
        centre = box.y + box.height / 2
        for row in rows:
            neighbour = row[-1]
            if abs(centre - neighbour.y - neighbour.height / 2) < 0.6 * max(neighbour.height, box.height):
                row.append(box)
                break
        else:
            rows.append([box])
    rows.sort(key=lambda row: float(np.mean([box.y + box.height / 2 for box in row])))
    return tuple(tuple(row) for row in rows)
