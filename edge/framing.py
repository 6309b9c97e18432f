"""From ink to 28x28, framed as MNIST framed it: the one preprocessing of this project.

MNIST's digits were scaled into a 20x20 box, keeping their shape, and placed with their centre of mass on pixel (14, 14)
of 28x28. A pen on paper is often far thinner than MNIST's strokes, so thin strokes are thickened first.

Source: Yann LeCun, Corinna Cortes, Christopher J. C. Burges, "The MNIST database of handwritten digits".
"""

from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .card import IMAGE_SHAPE

Pixel = TypeVar("Pixel", np.uint8, np.float32)

SIDE = IMAGE_SHAPE[0]
BOX_SIDE = 20
# Strokes are measured and thickened at this size, five times the result: fine steps, and small kernels.
WORKING_SIDE = 100
# MNIST's strokes are about this wide, as a share of the digit's longer side.
STROKE_SHARE = 0.12


def frame_digit(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Frame one digit.

    Args:
        ink: float32 [height, width] cropped to the digit, 0 = paper, 1 = ink; any size, contrast and stroke.

    Returns:
        uint8 [28, 28, 1], 0 = paper, 255 = ink. All zeros where there is no ink.
    """
    if ink.size == 0 or ink.max() <= 0:
        return np.zeros(IMAGE_SHAPE, np.uint8)
    ink = resize(ink, WORKING_SIDE / max(ink.shape))
    strokes = np.clip(ink / np.percentile(ink[ink > 0.3 * ink.max()], 60), 0, 1)
    strokes = _thicken(np.where(strokes < 0.2, 0, strokes).astype(np.float32))
    return (_centre(resize(strokes, BOX_SIDE / max(strokes.shape))) * 255).round().astype(np.uint8)[..., None]


def resize(image: NDArray[Pixel], scale: float) -> NDArray[Pixel]:
    """Scale an image [height, width] of any type: averaging when it shrinks, interpolating when it grows."""
    if scale == 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cast("NDArray[Pixel]", cv2.resize(image, size, interpolation=interpolation))


def _thicken(strokes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Widen strokes that are thinner than MNIST's; the array grows by what is added."""
    mask = strokes > 0.5
    # Area over half the outline is a stroke's width; morphological gradient pixels approximate the outline.
    outline = int(mask.sum()) - int(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).sum())
    width = 2 * mask.sum() / max(1, outline)
    missing = round(STROKE_SHARE * max(strokes.shape) - width)
    if missing < 1:
        return strokes
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (missing + 1, missing + 1))
    margin = (missing + 1) // 2
    return cv2.dilate(np.pad(strokes, margin), kernel).astype(np.float32, copy=False)


def _centre(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Place the centre of mass on pixel (14, 14), by whole pixels as MNIST does, without cutting any off."""
    height, width = small.shape
    total = small.sum()
    row = (small.sum(axis=1) @ np.arange(height)) / total
    column = (small.sum(axis=0) @ np.arange(width)) / total
    top = int(np.clip(round(SIDE / 2 - row), 0, SIDE - height))
    left = int(np.clip(round(SIDE / 2 - column), 0, SIDE - width))
    framed = np.zeros((SIDE, SIDE), np.float32)
    framed[top : top + height, left : left + width] = small
    return framed
