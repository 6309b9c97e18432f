"""Degraded copies of images: what a network may meet beside clean digits, so that an int8 file leaves room for it.

An int8 file can only hold numbers as large as calibration has seen. Gray paper, specks or blur make a network's logits
fall far below those of clean digits; calibrated on these alone, all ten are cut off at the lowest integer, and equal
logits name the digit 0. These copies widen the ranges. They are not a test: `measure corruptions` has other
definitions.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...edge.common.opencv import cv
from ...edge.data.images import Images

# [N, 28, 28, 1], 0 = paper, 1 = ink; results may exceed this range and are clipped.
Pixels = NDArray[np.floating]
# The same images get the same copies, so that an export gives the same bytes again.
SEED = 0
DARKEST_PAPER = 0.6
MOST_SPECKS = 0.3
# The widest border, as a fraction of the picture's width, on each side.
WIDEST_BORDER = 0.3
# Standard deviations of the blur, in pixels.
LEAST_BLUR, MOST_BLUR = 0.7, 3.0


def degrade(images: Images) -> Images:
    """Make a degraded copy of each image; the four kinds of degradation alternate, ten images each.

    Args:
        images: Images in turns of ten, so that each kind gets all digits.
    """
    random = np.random.default_rng(SEED)
    pixels = images.pixels.astype(np.float32) / 255
    way_of_each = np.arange(len(images)) // 10 % len(WAYS)
    for number, way in enumerate(WAYS):
        chosen = way_of_each == number
        pixels[chosen] = way(pixels[chosen], random)
    degraded = np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)
    return Images(f"{images.name}-degraded", images.source, degraded, images.labels, images.indices)


def with_degraded(images: Images) -> Images:
    """Return the images, followed by a degraded copy of each."""
    copies = degrade(images)
    return Images(
        f"{images.name}-with-degraded",
        images.source,
        np.concatenate([images.pixels, copies.pixels]),
        np.concatenate([images.labels, copies.labels]),
        np.concatenate([images.indices, copies.indices]),
    )


def _lay_on_gray(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Put images on gray paper, as a camera sees a page in the shade."""
    return pixels + _draw(random, len(pixels), 0, DARKEST_PAPER)


def _add_specks(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Replace random pixels by paper or ink."""
    hit = random.random(pixels.shape, np.float32) < _draw(random, len(pixels), 0, MOST_SPECKS)
    return np.where(hit, np.rint(random.random(pixels.shape, np.float32)), pixels)


def _swap_borders(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Swap ink and paper at two opposite sides, like the edge of a page or of a shadow."""
    side = pixels.shape[1]
    place = np.arange(side) + 0.5
    inside = np.minimum(place, side - place) > side * _draw(random, len(pixels), 0, WIDEST_BORDER)[..., 0]
    is_upright = random.random(len(pixels)) < 0.5
    upright, lying = inside[:, :, :, None], inside.transpose(0, 2, 1)[..., None]
    return np.where(np.where(is_upright[:, None, None, None], upright, lying), pixels, 1 - pixels)


def _blur(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Blur images like a lens out of focus."""
    deviations = random.uniform(LEAST_BLUR, MOST_BLUR, len(pixels))
    blurred = [cv.GaussianBlur(image[..., 0], (0, 0), one) for image, one in zip(pixels, deviations, strict=True)]
    return np.array(blurred, np.float32).reshape(pixels.shape)


def _draw(random: np.random.Generator, count: int, low: float, high: float) -> Pixels:
    """Draw a random number for each image, [N, 1, 1, 1]."""
    return random.uniform(low, high, (count, 1, 1, 1)).astype(np.float32)


WAYS: tuple[Callable[[Pixels, np.random.Generator], Pixels], ...] = (_lay_on_gray, _add_specks, _swap_borders, _blur)
