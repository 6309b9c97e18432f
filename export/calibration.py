"""Calibration: which training images quantization may look at, and proof that none of them is measured on."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ..edge.bundle.card import Calibration
from ..edge.data.images import Images, first_per_class
from .errors import ExportError

# Fifty of each digit: 500 images, the size of the offline sample's calibration part, so that both export alike.
IMAGES_PER_DIGIT = 50

# Of int8 ONNX files: how ranges are chosen, and how weights are stored, the default first. `onnx.py` has what they do.
METHODS = ("minmax", "percentile", "entropy")
WEIGHTS = ("int7", "int8", "uint8")


def choose_calibration(pool: Images) -> Images:
    """Take the first fifty of each digit, in turns of ten, so that every part of them from the start is balanced, too.

    Raises:
        ExportError: There are not fifty of each digit, or the images do not span 0 to 255, so that the input's range
            would be wrong.
    """
    fewest = int(np.bincount(pool.labels, minlength=10).min())
    if fewest < IMAGES_PER_DIGIT:
        raise ExportError(f"{pool.name}: calibration needs {IMAGES_PER_DIGIT} images of each digit, one has {fewest}.")
    in_turns = first_per_class(pool.labels, IMAGES_PER_DIGIT).reshape(10, -1).T.ravel()
    chosen = pool.take(in_turns, f"{pool.name}-calibration")
    if chosen.pixels.min() != 0 or chosen.pixels.max() != 255:
        raise ExportError(f"{pool.name}: the calibration images span {chosen.pixels.min()} to {chosen.pixels.max()}.")
    return chosen


def describe_calibration(images: Images, apart_from: Sequence[Images]) -> Calibration:
    """What the card says of the calibration, once it is proved.

    Args:
        images: The calibration images.
        apart_from: The sets that choices are made on and figures are measured on.

    Raises:
        ExportError: An image is in one of them, by index or pixel for pixel.
    """
    digests = _digests(images)
    for other in apart_from:
        by_index = set(images.indices.tolist()) & set(other.indices.tolist()) if images.source == other.source else ()
        common = max(len(by_index), len(digests & _digests(other)))
        if common:
            raise ExportError(
                f"{common} calibration images are in {other.name}, too: its figures would flatter. Calibrate on others."
            )
    return Calibration(
        images=images.describe(),
        indices=tuple(images.indices.tolist()),
        disjoint_from=tuple(other.name for other in apart_from),
    )


def unit_images(images: Images) -> list[np.ndarray]:
    """Single images as the network sees them behind its scaling layer: float32 [1, 28, 28, 1] in [0, 1]."""
    return [image[None].astype(np.float32) / 255 for image in images.pixels]


def _digests(images: Images) -> set[bytes]:
    return {hashlib.sha256(image.tobytes()).digest() for image in images.pixels}
