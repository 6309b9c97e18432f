"""Labelled images in order, and the three disjoint sets for training, selection and reports."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bundle.contract import ImageSet

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Images:
    """A named, ordered set of labelled images.

    Attributes:
        name: Name in reports, e.g. `mnist-test-10k`.
        source: The file (or folder) that `indices` count in.
        pixels: Pixels, uint8 [N, 28, 28, 1], 0 = paper, 255 = ink.
        labels: Labels, uint8 [N], 0 to 9.
        indices: Position of each image in `source`, int64 [N].
    """

    name: str
    source: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: NDArray[np.int64], name: str | None = None) -> "Images":
        """Take the images at these positions (not indices), in that order."""
        return Images(
            name or self.name,
            self.source,
            self.pixels[positions],
            self.labels[positions],
            self.indices[positions],
        )

    def describe(self) -> ImageSet:
        """Describe these images for a card."""
        return ImageSet(name=self.name, source=self.source, count=len(self), sha256=self.sha256)

    @property
    def sha256(self) -> str:
        """SHA-256 of all pixels, then all labels. Equal digests mean equal images in equal order."""
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes()).hexdigest()


@dataclass(frozen=True)
class Splits:
    """The three disjoint sets on which a model is trained, selected and reported, and the names of their classes."""

    name: str
    train: Images
    validation: Images
    test: Images
    labels: tuple[str, ...] = DIGITS


def first_per_class(labels: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return positions of the first `count` images of each class: int64 [10 * count], by class, in file order."""
    return np.concatenate([np.flatnonzero(labels == digit)[:count] for digit in range(10)])
