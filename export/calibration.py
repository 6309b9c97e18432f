"""Calibration: the training images that quantization may use, and the check that none of them is measured on."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ..edge.bundle.export_record import Calibration
from ..edge.data.images import Images, first_per_class
from .errors import ExportError

# Fifty of each digit: 500 images, the size of the offline sample's calibration part, so that both export alike.
IMAGES_PER_DIGIT = 50

# The choices of int8 ONNX files, the default first: how ranges are chosen, and how weights are stored. See `onnx.py`.
METHODS = ("minmax", "percentile", "entropy")
WEIGHTS = ("int7", "int8", "uint8")


def choose_calibration(pool: Images) -> Images:
    """Take the first fifty images of each digit, ordered in turns of the ten digits, so that every prefix is balanced.

    Raises:
        ExportError: There are fewer than fifty images of a digit, or the pixels do not span 0 to 255, so that the
            input's range would be wrong.
    """
    fewest = int(np.bincount(pool.labels, minlength=10).min())
    if fewest < IMAGES_PER_DIGIT:
        raise ExportError(
            f"{pool.name}: calibration needs {IMAGES_PER_DIGIT} images of each digit, but one digit has {fewest}."
        )
    in_turns = first_per_class(pool.labels, IMAGES_PER_DIGIT).reshape(10, -1).T.ravel()
    chosen = pool.take(in_turns, f"{pool.name}-calibration")
    if chosen.pixels.min() != 0 or chosen.pixels.max() != 255:
        raise ExportError(
            f"{pool.name}: the calibration images span {chosen.pixels.min()} to {chosen.pixels.max()}, expected 0 "
            "to 255."
        )
    return chosen


def describe_calibration(images: Images, apart_from: Sequence[Images]) -> Calibration:
    """Describe the calibration for the card, after proving that it is apart from other sets.

    Args:
        images: The calibration images.
        apart_from: The sets that choices are made on and figures are measured on, which may contain none of them.

    Raises:
        ExportError: A calibration image is in one of these sets, by index or pixel for pixel.
    """
    digests = _digests(images)
    for other in apart_from:
        by_index = set(images.indices.tolist()) & set(other.indices.tolist()) if images.source == other.source else ()
        common = max(len(by_index), len(digests & _digests(other)))
        if common:
            raise ExportError(
                f"{common} calibration images are also in {other.name}, so its accuracy would be too high. "
                "Calibrate on other images."
            )
    return Calibration(
        images=images.describe(),
        indices=tuple(images.indices.tolist()),
        disjoint_from=tuple(other.name for other in apart_from),
    )


def unit_images(images: Images) -> list[np.ndarray]:
    """Return single images as the network reads them after its scaling layer: float32 [1, 28, 28, 1] in [0, 1]."""
    return [image[None].astype(np.float32) / 255 for image in images.pixels]


def _digests(images: Images) -> set[bytes]:
    return {hashlib.sha256(image.tobytes()).digest() for image in images.pixels}
