"""From ink to 28x28, framed as MNIST framed it: the one preprocessing of this project.

MNIST's digits were scaled into a 20x20 box, keeping their shape, and placed with their centre of mass on pixel (14, 14)
of 28x28. A pen on paper is often far thinner than MNIST's strokes, or thicker, so strokes are brought near theirs
first.

Source: Yann LeCun, Corinna Cortes, Christopher J. C. Burges, "The MNIST database of handwritten digits".
"""

from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .card import IMAGE_SHAPE
from .opencv import cv

Pixel = TypeVar("Pixel", np.uint8, np.float32)
Ink = NDArray[np.uint8]

SIDE = IMAGE_SHAPE[0]
BOX_SIDE = 20
# Strokes are measured and changed at this size, twice the result.
WORKING_SIDE = 40
# MNIST's strokes are about this wide, as a share of the digit's longer side; thinner ones are thickened to it.
STROKE_SHARE = 0.11
# Thicker ones are thinned, but only down to this, where the loops of an 8 are still open.
THICK_SHARE = 0.22
# Of the strokes' level: less is the paper's grain around them.
FAINTEST = 0.2


def frame_digit(ink: Ink) -> NDArray[np.uint8]:
    """Frame one digit.

    Args:
        ink: uint8 [height, width] cropped to the digit, 0 = paper, more = more ink; any size, contrast and stroke.

    Returns:
        uint8 [28, 28, 1], 0 = paper, 255 = ink. All zeros where there is no ink.
    """
    strokes = _even_out(_resize_to(ink, WORKING_SIDE)) if ink.size else ink
    if not strokes.any():
        return np.zeros(IMAGE_SHAPE, np.uint8)
    return _centre(_resize_to(_fit_pen(strokes), BOX_SIDE))[..., None]


def _resize_to(image: Ink, side: int) -> Ink:
    """Scale so that the longer side has this length."""
    return resize(image, side / max(image.shape))


def _even_out(ink: Ink) -> Ink:
    """Stretch contrast so that strokes are at about 255, and paper, grain and all, at 0."""
    strongest = cv.minMaxLoc(ink)[1]
    level = cv.mean(ink, cv.compare(ink, 0.5 * strongest, cv.CMP_GT))[0]
    if level <= 0:
        return np.zeros_like(ink)
    bright = cv.convertScaleAbs(ink, alpha=255 / level)
    return cv.threshold(bright, 255 * FAINTEST, 255, cv.THRESH_TOZERO)[1]


def resize(image: NDArray[Pixel], scale: float) -> NDArray[Pixel]:
    """Scale an image [height, width] of any type: by halves as long as they go, then interpolating.

    Halving averages four pixels, which OpenCV is several times as fast at as at averaging over fractions of pixels.
    """
    if scale == 1:
        return image
    height, width = (max(1, round(length * scale)) for length in image.shape)
    while image.shape[0] >= max(2, 2 * height) and image.shape[1] >= max(2, 2 * width):
        image = halve(image)
    if image.shape == (height, width):
        return image
    return cv.resize(image, (width, height), interpolation=cv.INTER_LINEAR)


def halve(image: NDArray[Pixel]) -> NDArray[Pixel]:
    """Half as large, each pixel the mean of four; an odd row or column at the end is left out."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return cv.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv.INTER_AREA)


def _fit_pen(strokes: Ink) -> Ink:
    """Widen strokes that are thinner than MNIST's, the array growing by what is added; thin those that are thicker."""
    side = max(strokes.shape)
    width = measure_stroke(strokes)
    missing, surplus = round(STROKE_SHARE * side - width), round(width - THICK_SHARE * side)
    if missing >= 1:
        margin = (missing + 1) // 2
        padded = cv.copyMakeBorder(strokes, margin, margin, margin, margin, cv.BORDER_CONSTANT)
        return cv.dilate(padded, _disc(missing + 1))
    if surplus >= 1:
        # What lies beyond the crop is paper, and pares the strokes there too.
        return cv.erode(strokes, _disc(surplus + 1), borderType=cv.BORDER_CONSTANT, borderValue=0)
    return strokes


def measure_stroke(strokes: Ink) -> float:
    """The mean width of strokes, uint8 [height, width] with 255 = ink, in pixels.

    Within a bar of width w the distance to its edge is w / 4 on average; pixel centres lie half a pixel further in.
    """
    mask = cv.copyMakeBorder(cv.compare(strokes, 127, cv.CMP_GT), 1, 1, 1, 1, cv.BORDER_CONSTANT)
    distance = cv.distanceTransform(mask, cv.DIST_L2, 3)
    return max(1.0, 4 * (cv.mean(distance, mask)[0] - 0.5))


@cache
def _disc(side: int) -> Ink:
    return cv.getStructuringElement(cv.MORPH_ELLIPSE, (side, side))


def _centre(small: Ink) -> Ink:
    """Place the centre of mass on pixel (14, 14), by whole pixels as MNIST does, without cutting any off."""
    height, width = small.shape
    moments = cv.moments(small)
    total = moments["m00"] or 1.0
    top = min(max(round(SIDE / 2 - moments["m01"] / total), 0), SIDE - height)
    left = min(max(round(SIDE / 2 - moments["m10"] / total), 0), SIDE - width)
    framed = np.zeros((SIDE, SIDE), np.uint8)
    framed[top : top + height, left : left + width] = small
    return framed
