"""Ink on a canvas, and images of 28x28 made from it: what all drawn shapes have in common."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...edge.common.opencv import cv
from ...edge.reading.framing import SIDE, frame_digit

Random = np.random.Generator
Ink = NDArray[np.uint8]
T = TypeVar("T")
# Shapes are drawn at this size and scaled down, so that their edges are as soft as a camera's.
CANVAS = 112
# A narrower shape looks like a 1.
NARROWEST = 0.4
# A shape that fills more than MNIST's central box is not a framed digit, even if it is a letter O.
FILLING_SHARE = 0.35


def place_ink(ink: Ink, random: Random) -> Ink:
    """Make an image [28, 28, 1] of ink on a canvas: framed like a digit, or filling the image."""
    ink = crop_ink(ink)
    narrow = ink.shape[1] < NARROWEST * ink.shape[0]
    return fill_image(ink, random) if narrow or random.random() < FILLING_SHARE else frame_digit(ink)


def fill_image(ink: Ink, random: Random) -> Ink:
    """Stretch ink over most of the image or all of it, with or without its proportions."""
    side = random.integers(25, SIDE + 1)
    scale = side / max(ink.shape)
    shape = [side, side] if random.random() < 0.5 else [max(1, round(length * scale)) for length in ink.shape]
    image = np.zeros((SIDE, SIDE), np.uint8)
    top, left = [int(random.integers(0, SIDE - length + 1)) for length in shape]
    small = cv.resize(ink, (int(shape[1]), int(shape[0])), interpolation=cv.INTER_AREA)
    image[top : top + shape[0], left : left + shape[1]] = small
    return image[..., None]


def crop_ink(ink: Ink) -> Ink:
    """Crop to the ink; a blank canvas does not change, since a blank image is not a digit either."""
    x, y, width, height = cv.boundingRect(ink)
    return ink[y : y + height, x : x + width] if width and height else ink


def blank_canvas() -> Ink:
    """Return an empty canvas."""
    return np.zeros((CANVAS, CANVAS), np.uint8)


def draw_path(ink: Ink, points: NDArray[np.float64], width: int) -> None:
    """Draw lines between points [N, 2] with a pen of this width in pixels."""
    cv.polylines(ink, [np.round(points * 16).astype(np.int32)], False, 255, width, cv.LINE_AA, shift=4)


def smooth_curve(points: NDArray[np.float64], steps: int = 12) -> NDArray[np.float64]:
    """Interpolate a smooth curve through points [N, 2]: a Catmull-Rom spline.

    Source: E. Catmull and R. Rom, "A class of local interpolating splines" (1974).
    """
    before, after = np.concatenate([points[:1], points[:-1]]), np.concatenate([points[1:], points[-1:]])
    slopes = (after - before) / 2
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    start, end = points[:-1, None], points[1:, None]
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * slopes[:-1, None]
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * slopes[1:, None]
    )
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def choose(options: Sequence[T], random: Random) -> T:
    """Choose one of the options, each equally likely."""
    return options[int(random.integers(len(options)))]
