"""Calibration: which training images set the ranges that int8 numbers span."""

import numpy as np

from ..edge.card import Calibration
from ..edge.errors import EdgeMnistError
from ..edge.mnist import Images, first_per_digit

# Fifty of each digit: 500 images, the size of the offline sample's calibration part, so that both export alike.
IMAGES_PER_DIGIT = 50


class ExportError(EdgeMnistError):
    """An exported file would not be what its card promises."""


def choose_calibration(pool: Images) -> Images:
    """Take the first fifty of each digit, so that no class is left out of the ranges.

    Raises:
        ExportError: The images do not span 0 to 255, so that the input's range would be wrong.
    """
    chosen = pool.take(first_per_digit(pool.labels, IMAGES_PER_DIGIT), f"{pool.name}-calibration")
    if chosen.pixels.min() != 0 or chosen.pixels.max() != 255:
        raise ExportError(f"{pool.name}: the calibration images span {chosen.pixels.min()} to {chosen.pixels.max()}.")
    return chosen


def describe_calibration(images: Images) -> Calibration:
    """What the card says of the calibration."""
    return Calibration(images=images.describe(), indices=tuple(images.indices.tolist()), method="minmax")


def unit_images(images: Images) -> list[np.ndarray]:
    """Single images as the network sees them behind its scaling layer: float32 [1, 28, 28, 1] in [0, 1]."""
    return [image[None].astype(np.float32) / 255 for image in images.pixels]
