"""Data sets in MNIST's format, and the one split that all of them get."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .card import IMAGE_SHAPE
from .images import DIGITS, Images, Splits, first_per_digit
from .mnist_files import Published, obtain

VALIDATION_PER_CLASS = 500


def split_idx(name: str, published: Published, data_dir: Path | None, labels: tuple[str, ...] = DIGITS) -> Splits:
    """Read the four files: train 55,000, validation 5,000 (the first 500 of each class in train order), test 10,000.

    Args:
        name: Of the data set; the names of its parts begin with it.
        published: Its files.
        data_dir: Where to look first; then `$EDGE_MNIST_DATA`, the user's cache, and the mirrors.
        labels: The ten classes' names.

    Raises:
        DataError: No place has all four files and no mirror could be reached.
    """
    files = {file: obtain(file, data_dir, published) for file in published.sha256}
    full = _parse(f"{name}-train-60k", files["train-images-idx3-ubyte"], files["train-labels-idx1-ubyte"])
    test = _parse(f"{name}-test-10k", files["t10k-images-idx3-ubyte"], files["t10k-labels-idx1-ubyte"])
    held_out = first_per_digit(full.labels, VALIDATION_PER_CLASS)
    rest = np.setdiff1d(np.arange(len(full)), held_out)
    return Splits(
        name,
        train=full.take(rest, f"{name}-train-55k"),
        validation=full.take(held_out, f"{name}-validation-5k"),
        test=test,
        labels=labels,
    )


def _parse(source: str, images: bytes, labels: bytes) -> Images:
    """A pair of idx files; their hashes are known, so their headers (16 and 8 bytes) are too."""
    pixels: NDArray[np.uint8] = np.frombuffer(images, np.uint8, offset=16).reshape(-1, *IMAGE_SHAPE)
    classes = np.frombuffer(labels, np.uint8, offset=8)
    return Images(source, source, pixels, classes, np.arange(len(classes)))
