"""MNIST's digits on paper: each in a frame of its own, large or small, thin or thick, on light or dark paper.

What is there is known to the pixel, so framing can be tried apart from finding.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ....edge.common.opencv import resize
from ....edge.reading.framing import measure_stroke
from ....edge.reading.ink.shapes import Box

Gray = NDArray[np.uint8]
Change = Literal["none", "thinner", "thicker"]

FRAME_SHAPE = (480, 640)
# Of a pasted digit, pixels; drawn so that each octave is as likely. A wide one is scaled down until it fits.
HEIGHTS = (20, 400)
WIDEST = 560
# From the frame's edge, pixels, unless that would not leave room.
MARGIN = 16
# Strokes become narrower and wider by up to these factors.
MOST_THINNED, MOST_THICKENED = 2.5, 1.8
# And no wider than this share of the digit's longer side, where the loops of an 8 are about to close.
THICKEST = 0.28
# Gray levels: of dark and light paper in the middle, of the light across it, and of the grain.
LIGHT_PAPER, DARK_PAPER = (110, 240), (20, 70)
GRADIENT, GRAIN = 40, (0.5, 4.0)
SHARE_OF_DARK_PAPER = 0.25
# Ink takes away this share of the paper's light, or adds this share of what is missing to white.
INK = (0.4, 0.85)


@dataclass(frozen=True)
class PlacedDigit:
    """A frame with one digit.

    frame: The frame, uint8 [480, 640], gray.
    ink: The digit's ink in the frame with its grain: uint8 [height, width] of its box, gray levels of difference from
        the paper; 0 outside of the ink.
    box: Box around the ink, in the frame.
    change: The change of its strokes.
    light_on_dark: Whether the ink is lighter than the paper.
    """

    frame: Gray
    ink: Gray
    box: Box
    change: Change
    light_on_dark: bool


def place_digit(image: Gray, random: np.random.Generator) -> PlacedDigit:
    """Put one of MNIST's images, uint8 [28, 28, 1] with some ink in it, into a frame.

    Raises:
        ValueError: There is no ink.
    """
    if not image.any():
        raise ValueError("expected an image with ink, got an empty one.")
    height = float(np.exp(random.uniform(*np.log(HEIGHTS))))
    cover, change = change_strokes(enlarge(image[..., 0], height), random)
    cover = resize(cover, min(1.0, HEIGHTS[1] / cover.shape[0], WIDEST / cover.shape[1]))
    box = _place(cover, random)
    light_on_dark = bool(random.random() < SHARE_OF_DARK_PAPER)
    paper = _draw_paper(light_on_dark, random)
    strength = np.float32(random.uniform(*INK) / 255)
    frame = paper.copy()
    under = paper[box.y : box.bottom, box.x : box.right]
    to = np.float32(255 if light_on_dark else 0)
    frame[box.y : box.bottom, box.x : box.right] += strength * cover * (to - under)
    frame += np.float32(random.uniform(*GRAIN)) * random.standard_normal(FRAME_SHAPE, np.float32)
    seen = _as_bytes(frame)
    at_box = seen[box.y : box.bottom, box.x : box.right].astype(np.float32)
    depth = at_box - under if light_on_dark else under - at_box
    return PlacedDigit(seen, np.where(cover > 0, _as_bytes(depth), 0).astype(np.uint8), box, change, light_on_dark)


def enlarge(image: Gray, height: float) -> Gray:
    """Enlarge an MNIST digit, uint8 [28, 28], cropped to its ink, to about this height: uint8, 255 = ink.

    Twenty pixels interpolated to hundreds are a blur and not a stroke, so the outline, at half the ink's level, is made
    as sharp again as MNIST's is at its own size.
    """
    x, y, width, rows = cv2.boundingRect((image > 0).astype(np.uint8))
    ink = np.pad(image[y : y + rows, x : x + width], 1)
    scale = min(height / rows, WIDEST / width)
    if scale <= 1:
        return _crop(resize(ink, scale))
    size = (round(scale * ink.shape[1]), round(scale * ink.shape[0]))
    smooth = cv2.resize(ink, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return _crop(_as_bytes(127.5 + scale * (smooth - 127.5)))


def change_strokes(ink: Gray, random: np.random.Generator) -> tuple[Gray, Change]:
    """Leave the strokes of a third of all digits as they are, thin those of a third, and thicken the others'.

    A change goes no further than the digit stays the same: as many pieces and as many holes. So it is none for more
    than a third.

    Args:
        ink: uint8 [height, width], 255 = ink.
        random: Of the change.

    Returns:
        The ink, its array as much larger or smaller as the digit became, and what was done.
    """
    wanted: Change = ("none", "thinner", "thicker")[random.integers(3)]
    width = measure_stroke(ink)
    thinnest = width / random.uniform(1, MOST_THINNED)
    thickest = min(width * random.uniform(1, MOST_THICKENED), THICKEST * max(ink.shape))
    pixels = max(0, round({"none": 0.0, "thinner": width - thinnest, "thicker": thickest - width}[wanted]))
    before = np.pad(ink, pixels // 2 + 1)
    while pixels:
        pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pixels + 1, pixels + 1))
        after = (cv2.erode if wanted == "thinner" else cv2.dilate)(before, pen).astype(np.uint8, copy=False)
        if count_parts(after) == count_parts(before):
            return _crop(after), wanted
        pixels //= 2
    return ink, "none"


def count_parts(ink: Gray) -> tuple[int, int]:
    """Count the pieces of ink, and of paper: uint8 [height, width], ink above one half."""
    mask = (ink > 127).astype(np.uint8)
    around = np.pad(1 - mask, 1, constant_values=1)
    return cv2.connectedComponents(mask, connectivity=8)[0] - 1, cv2.connectedComponents(around, connectivity=4)[0] - 1


def _crop(ink: Gray) -> Gray:
    """Crop an array to its ink."""
    x, y, width, height = cv2.boundingRect((ink > 0).astype(np.uint8))
    return ink[y : y + height, x : x + width]


def _place(cover: Gray, random: np.random.Generator) -> Box:
    """Choose a random place in the frame."""
    height, width = cover.shape
    down, across = FRAME_SHAPE[0] - height, FRAME_SHAPE[1] - width
    x, y = (int(random.integers(min(MARGIN, room // 2), max(room - MARGIN, room // 2) + 1)) for room in (across, down))
    return Box(x, y, width, height)


def _draw_paper(dark: bool, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw paper, lighter towards one side: float32 [480, 640], gray levels."""
    level = random.uniform(*(DARK_PAPER if dark else LIGHT_PAPER))
    # Dark paper reflects less of the light, and less of its differences.
    across, down = random.uniform(-1, 1, 2) * GRADIENT / 2 * level / 255
    rows, columns = (np.linspace(-1, 1, side) for side in FRAME_SHAPE)
    return (level + across * columns[None, :] + down * rows[:, None]).astype(np.float32)


def _as_bytes(levels: NDArray[np.float32]) -> Gray:
    return np.clip(levels, 0, 255).round().astype(np.uint8)
