"""From a gray frame to the shapes on it that may be digits, in reading order.

The paper is estimated and what is clearly darker than it (or lighter, where ink is light) is ink. Each connected piece
of ink of a likely size is a shape; what is a digit and what is not, the model says, see `reader.py`. All that costs a
pass over the frame happens once, on bytes; everything else works on a small copy or on a shape's own pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .framing import resize
from .lines import remove_lines
from .opencv import cv
from .shapes import Box, Shape, join_pieces, outline_shapes

Gray = NDArray[np.uint8]

# Frames are worked on at the first of these sizes: strokes are several pixels wide, a pencil's grain is smoothed, and a
# 12-megapixel photograph takes milliseconds instead of a second. Where digits turn out to be small, at the second.
WORKING_LONG_SIDES = (640, 1280)
SMALL_DIGITS = 26
SMALLEST_LONG_SIDE = 320
# Paper and light are looked at on a copy of this size.
SMALL_LONG_SIDE = 160
# The paper is what a closing of this share of the long side leaves: wider than a marker's stroke in a frame that one
# digit fills, narrower than most shadows.
PAPER_WINDOW = 1 / 6
# Ink is at least this much darker than its paper, as a share of the paper's level; fainter is grain on any camera.
FAINTEST_INK = 0.06
# Somewhere, ink is this many times as dark as the faintest.
STRONG = 1.7
# And this many standard deviations of the camera's noise.
NOISE_MARGIN = 4.5
# Noise above this, in gray levels, is smoothed away first.
NOISY = 6.0
# Beside strong ink, what reaches less than this share of it is blur, print-through or a ruled line.
SHARE_OF_STRONGEST = 0.36
# A dark table beside the page must not lift the threshold over a pencil's strokes.
STRONGEST_THRESHOLD = 0.3
INK_WINDOW = 1 / 5
# Where the paper's level changes by more than this share of itself, something else begins.
EDGE = 0.25
# A smaller frame shows a lone digit, such as MNIST's own, whose strokes are as wide as the paper between them: paper is
# what lies along its edge.
LONE_LONG_SIDE = 64
# Polarity is judged on a copy of this size; the paper's level there is the median of a window of so many pixels.
TINY_LONG_SIDE = 80
MEDIAN_WINDOW = 13
# Less of the brightest paper's level than this is another paper; more may be a shadow.
TWO_PAPERS = 0.5
# Pixels of the tiny copy: wider than any stroke.
NARROWEST_PAPER = 17
# Pixels of the small copy, within which the border between the two is looked for.
BORDER = 9
# What spans this share of the frame, or is this many times as long as wide, may be a line or have one in it.
SPAN = 0.3
LINE_ASPECT = 7.0
# A digit touches the frame's edge over less of its length than this, and a stroke only with its end.
MOST_CONTACT = 0.4
NARROW, MOST_CONTACT_OF_NARROW = 0.25, 0.15
# Sizes in pixels at working size, or as shares of the typical digit's height.
SMALLEST_HEIGHT = 11
SMALLEST_SHARE = 0.35
LARGEST_SHARE = 3.0
# Wider than this many times its height is no digit, nor a few that touch.
WIDEST_ASPECT = 5.0


@dataclass(frozen=True)
class Finding:
    """The shapes that may be digits.

    Attributes:
        gray: uint8 [height, width] at working size; ink is dark.
        paper: uint8 [small height, small width], the paper's level all over the frame.
        scale: Working pixels per frame pixel.
        frame_shape: The frame's (height, width).
        shapes: At working size, in no order.
    """

    gray: Gray
    paper: Gray
    scale: float
    frame_shape: tuple[int, int]
    shapes: tuple[Shape, ...]

    def ink(self, shape: Shape) -> Gray:
        """A shape's own ink, uint8 [height, width] of its box: how much darker than the paper, in gray levels."""
        box = shape.box
        gray = self.gray[box.y : box.bottom, box.x : box.right]
        paper = _region(self.paper, box, self.gray.shape)
        # Outlines run along the threshold; just beyond lies the soft edge that belongs to the stroke.
        return cv.bitwise_and(cv.subtract(paper, gray), cv.dilate(shape.mask, _PEN))

    def in_frame(self, box: Box) -> Box:
        """The same box in the frame's own pixels, at least one wide and high, and never beyond the frame."""
        height, width = self.frame_shape
        x, y = min(round(box.x / self.scale), width - 1), min(round(box.y / self.scale), height - 1)
        right, bottom = min(round(box.right / self.scale), width), min(round(box.bottom / self.scale), height)
        return Box(x, y, max(1, right - x), max(1, bottom - y))


_PEN = np.ones((3, 3), np.uint8)


def _region(small: Gray, box: Box, shape: tuple[int, ...]) -> Gray:
    """The part of a small map that lies under a box of the frame, at the box's size."""
    down, across = small.shape[0] / shape[0], small.shape[1] / shape[1]
    top, left = int(box.y * down), int(box.x * across)
    bottom, right = max(top + 1, round(box.bottom * down)), max(left + 1, round(box.right * across))
    part = small[top:bottom, left:right]
    return cv.resize(part, (box.width, box.height), interpolation=cv.INTER_LINEAR)


def find_digits(frame: Gray) -> Finding:
    """Find what may be digits in a frame, uint8 [height, width], dark on light or light on dark, or some of each."""
    fine = resize(frame, min(1.0, WORKING_LONG_SIDES[1] / max(frame.shape)))
    coarse = resize(fine, _working_scale(fine))
    finding = _find_at(coarse, frame)
    if fine.size > coarse.size and (not finding.shapes or _typical_height(finding.shapes) < SMALL_DIGITS):
        return _find_at(fine, frame)
    return finding


def _working_scale(frame: Gray) -> float:
    long_side = max(frame.shape)
    if long_side < SMALLEST_LONG_SIDE:
        return SMALLEST_LONG_SIDE / long_side
    return min(1.0, WORKING_LONG_SIDES[0] / long_side)


def _find_at(gray: Gray, frame: Gray) -> Finding:
    """Find in a scaled copy of the frame."""
    scale = max(gray.shape) / max(frame.shape)
    noise = estimate_noise(gray)
    if noise > NOISY:
        gray = cv.GaussianBlur(gray, (5, 5), 0)
        noise *= 0.3
    gray, allowed = _darken_ink(gray, frame.shape)
    levels = _estimate_levels(gray, noise)
    mask = _darker(gray, levels.ink)
    if allowed is not None:
        mask = cv.bitwise_and(mask, allowed)
    shapes = outline_shapes(mask, SMALLEST_HEIGHT // 2)
    if _are_ruled([shape.box for shape in shapes], gray.shape):
        depth = cv.subtract(_enlarge(levels.paper, gray), gray)
        mask = remove_lines(mask, _darker(gray, levels.faintest), depth)
        shapes = outline_shapes(mask, SMALLEST_HEIGHT // 2)
    shapes = [shape for shape in shapes if not _is_border(shape, gray.shape) and _is_strong(shape, gray, levels)]
    shapes = _keep_likely(shapes)
    return Finding(gray, levels.paper, scale, (frame.shape[0], frame.shape[1]), tuple(shapes))


def _is_strong(shape: Shape, gray: Gray, levels: "_Levels") -> bool:
    """Whether the shape's darkest pixel is well below what may be ink: a blot of the paper's own grain hardly is."""
    box = shape.box
    y, x = (
        int(middle * small / whole)
        for middle, small, whole in zip(
            (box.middle, box.x + box.width / 2), levels.paper.shape, gray.shape, strict=True
        )
    )
    paper, faintest = int(levels.paper[y, x]), int(levels.faintest[y, x])
    darkest = cv.minMaxLoc(gray[box.y : box.bottom, box.x : box.right])[0]
    return paper - darkest > STRONG * (paper - faintest)


def _darker(gray: Gray, small_levels: Gray) -> Gray:
    """Where the frame is darker than a small map says, uint8 of 0 and 255."""
    return cv.compare(gray, _enlarge(small_levels, gray), cv.CMP_LT)


def _enlarge(small: Gray, gray: Gray) -> Gray:
    return cv.resize(small, gray.shape[::-1], interpolation=cv.INTER_LINEAR)


def estimate_noise(gray: Gray) -> float:
    """Standard deviation of the camera's noise, in gray levels: from neighbours on a coarse grid, by their median.

    For a normal distribution the median of |a - b| is 0.954 standard deviations of either.
    """
    first, second = gray[::9, :-1:9].astype(np.int16), gray[::9, 1::9].astype(np.int16)
    difference = np.abs(first - second[:, : first.shape[1]]).ravel()
    if not len(difference):
        return 0.0
    middle = len(difference) // 2
    return float(np.partition(difference, middle)[middle]) / 0.954


def _darken_ink(gray: Gray, frame_shape: tuple[int, ...]) -> tuple[Gray, Gray | None]:
    """The frame with light ink made dark, wherever it is light; and, if only in places, 255 for all but their border.

    That border is as wide as the places are uncertain, and shows as a line that is neither ink nor paper.
    """
    light = find_light_ink(gray) if max(frame_shape) >= LONE_LONG_SIDE else np.array([[_has_dark_edge(gray)]])
    if not light.any():
        return gray, None
    if light.all():
        return cv.bitwise_not(gray), None
    where = cv.compare(_enlarge(light.astype(np.uint8) * 255, gray), 127, cv.CMP_GT)
    around = np.ones((1 + 3 * max(gray.shape) // SMALL_LONG_SIDE,) * 2, np.uint8)
    away = cv.bitwise_not(cv.morphologyEx(where, cv.MORPH_GRADIENT, around))
    return np.where(where > 0, cv.bitwise_not(gray), gray), away


def find_light_ink(gray: Gray) -> NDArray[np.bool_]:
    """Where ink is lighter than paper, bool on a small copy.

    Around each point of a tiny copy, how much darker is the darkest pixel than the paper, and how much lighter the
    lightest? Grain and edges show in both alike, strokes in one of them. The paper is the median, which keeps its
    edges. Where there is light paper and dark paper, each of the two decides for itself.
    """
    tiny = _shrink(gray, TINY_LONG_SIDE)
    paper = cv.medianBlur(tiny, MEDIAN_WINDOW)
    darker = cv.subtract(paper, _shrink_extreme(gray, tiny.shape, cv.erode)).astype(np.float32)
    lighter = cv.subtract(_shrink_extreme(gray, tiny.shape, cv.dilate), paper).astype(np.float32)
    # Cubed, so that a few strong strokes outweigh much faint grain.
    evidence = lighter**3 - darker**3
    everywhere = np.full((1, 1), float(evidence.sum()) > 0)
    if int(paper.min()) > TWO_PAPERS * int(paper.max()):
        return everywhere
    level, dark = cv.threshold(paper, 0, 1, cv.THRESH_BINARY_INV | cv.THRESH_OTSU)
    on_dark, on_bright = dark == 1, dark == 0
    if not (_is_wide(on_dark) and _is_wide(on_bright)):
        return everywhere
    if np.median(paper[on_dark]) > TWO_PAPERS * np.median(paper[on_bright]):
        return everywhere
    light_on_dark, light_on_bright = float(evidence[on_dark].sum()) > 0, float(evidence[on_bright].sum()) > 0
    return np.where(_find_dark_paper(gray, dark, level), light_on_dark, light_on_bright)


def _has_dark_edge(gray: Gray) -> bool:
    """Whether the outermost pixels are darker than the middle between the darkest and the lightest."""
    edge = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return float(np.median(edge)) < (int(gray.min()) + int(gray.max())) / 2


def _is_wide(where: NDArray[np.bool_]) -> bool:
    """Whether a region of the tiny copy is somewhere wide enough for paper, not for a marker's stroke."""
    square = np.ones((NARROWEST_PAPER, NARROWEST_PAPER), np.uint8)
    return bool(cv.erode(where.astype(np.uint8), square, borderType=cv.BORDER_REPLICATE).any())


def _find_dark_paper(gray: Gray, dark: Gray, level: float) -> NDArray[np.bool_]:
    """Where the paper is dark, bool on a small copy: as the tiny map says, and along its border as the levels say.

    Args:
        gray: The frame.
        dark: 1 for dark paper, on a tiny copy; the median has rounded its corners.
        level: Above is bright.
    """
    small = _shrink(gray, SMALL_LONG_SIDE)
    roughly = _enlarge(dark, small)
    around = np.ones((BORDER, BORDER), np.uint8)
    surely = cv.erode(roughly, around, borderType=cv.BORDER_REPLICATE)
    return (surely > 0) | ((cv.dilate(roughly, around) > 0) & (small <= level))


def _shrink(gray: Gray, long_side: int) -> Gray:
    """To about this size, by halves as long as they go, which OpenCV is fast at."""
    small = gray
    while max(small.shape) >= 2 * long_side and min(small.shape) >= 2:
        small = cv.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv.INTER_AREA)
    return resize(small, min(1.0, long_side / max(small.shape)))


@dataclass(frozen=True)
class _Levels:
    """Levels all over the frame, on a small copy, uint8 [small height, small width] each.

    Attributes:
        paper: Without ink.
        ink: Below is ink.
        faintest: Below is not grain or noise: ink, or lines and smudges that are fainter than the ink around them.
    """

    paper: Gray
    ink: Gray
    faintest: Gray


def _estimate_levels(gray: Gray, noise: float) -> _Levels:
    small = _shrink(gray, SMALL_LONG_SIDE)
    rectangle = cv.getStructuringElement(cv.MORPH_RECT, _window(small, PAPER_WINDOW))
    paper = cv.blur(cv.morphologyEx(small, cv.MORPH_CLOSE, rectangle), (5, 5))
    depth = cv.subtract(paper, _shrink_extreme(gray, small.shape, cv.erode))
    window = _window(small, INK_WINDOW)
    strongest = cv.blur(cv.dilate(depth, cv.getStructuringElement(cv.MORPH_RECT, window)), window)
    level = paper.astype(np.float32)
    faintest = np.maximum(FAINTEST_INK * level, NOISE_MARGIN * noise)
    threshold = np.clip(SHARE_OF_STRONGEST * strongest.astype(np.float32), faintest, STRONGEST_THRESHOLD * level)
    # Where paper ends, it is only known to within the step between the two levels.
    step = cv.morphologyEx(paper, cv.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).astype(np.float32)
    threshold = np.where(step > EDGE * level, np.maximum(threshold, step), threshold)
    ink = np.clip(level - np.maximum(threshold, faintest), 0, 255).astype(np.uint8)
    return _Levels(paper, ink, np.clip(level - faintest, 0, 255).astype(np.uint8))


def _shrink_extreme(gray: Gray, shape: tuple[int, ...], spread: Callable[..., Any]) -> Gray:
    """The darkest (`cv2.erode`) or lightest (`cv2.dilate`) level around each pixel of a small copy of this shape.

    Thin strokes would fade in an average.
    """
    half = cv.resize(gray, (max(1, gray.shape[1] // 2), max(1, gray.shape[0] // 2)), interpolation=cv.INTER_AREA)
    reach = max(1, round(half.shape[1] / shape[1]))
    extreme = spread(half, np.ones((reach, reach), np.uint8))
    return cv.resize(extreme, (shape[1], shape[0]), interpolation=cv.INTER_NEAREST)


def _window(small: Gray, share: float) -> tuple[int, int]:
    side = int(max(small.shape) * share) | 1
    return side, side


def _are_ruled(boxes: list[Box], shape: tuple[int, ...]) -> bool:
    """Whether lines may run through the frame: something spans much of it, or much is as thin as pieces of lines."""
    if any(box.width > SPAN * shape[1] or box.height > SPAN * shape[0] for box in boxes):
        return True
    return sum(box.width > LINE_ASPECT * box.height or box.height > LINE_ASPECT * box.width for box in boxes) >= 3


def _keep_likely(shapes: list[Shape]) -> list[Shape]:
    """Join pieces; drop what is too wide, or too small or too large beside the others."""
    if not shapes:
        return []
    tallest = LARGEST_SHARE * _typical_height(shapes)
    shapes = [shape for shape in join_pieces(shapes, tallest) if shape.box.width <= WIDEST_ASPECT * shape.box.height]
    shapes = [shape for shape in shapes if shape.box.height >= SMALLEST_HEIGHT]
    if not shapes:
        return []
    typical = _typical_height(shapes)
    return [shape for shape in shapes if SMALLEST_SHARE * typical <= shape.box.height <= LARGEST_SHARE * typical]


def _typical_height(shapes: Sequence[Shape]) -> int:
    """The median height, each shape counting by its height: specks and one long edge leave it where the digits are."""
    heights = np.sort(np.array([shape.box.height for shape in shapes]))
    return int(heights[int(np.searchsorted(np.cumsum(heights), heights.sum() / 2))])


def _is_border(shape: Shape, frame: tuple[int, ...]) -> bool:
    """Whether the shape lies along an edge of the frame: what touches one does so over much of its own length."""
    box = shape.box
    long_side, short_side = max(box.width, box.height), min(box.width, box.height)
    most = MOST_CONTACT if short_side > NARROW * long_side else MOST_CONTACT_OF_NARROW
    sides = (
        (box.x <= 1, slice(None), slice(0, 2)),
        (box.right >= frame[1] - 1, slice(None), slice(-2, None)),
        (box.y <= 1, slice(0, 2), slice(None)),
        (box.bottom >= frame[0] - 1, slice(-2, None), slice(None)),
    )
    for touches, rows, columns in sides:
        # Along the edge, of the two lines next to it, whichever has ink.
        if (
            touches
            and np.count_nonzero(shape.mask[rows, columns].max(axis=int(columns != slice(None)))) > most * long_side
        ):
            return True
    return False
