"""Labelled images in order, and the three disjoint sets of them that a model is trained, selected and reported on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bundle.card import ImageSet
from .download import sha256

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Images:
    """A named, ordered set of labelled images.

    Attributes:
        name: What reports call it, e.g. `mnist-test-10k`.
        source: The file (or folder) that `indices` count in.
        pixels: uint8 [N, 28, 28, 1], 0 = paper, 255 = ink.
        labels: uint8 [N], 0 to 9.
        indices: int64 [N], each image's place in `source`.
    """

    name: str
    source: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: NDArray[np.int64], name: str | None = None) -> "Images":
        """The images at these positions (not indices), in that order."""
        return Images(
            name or self.name,
            self.source,
            self.pixels[positions],
            self.labels[positions],
            self.indices[positions],
        )

    def describe(self) -> ImageSet:
        """What a card says of these images."""
        return ImageSet(name=self.name, source=self.source, count=len(self), sha256=self.sha256)

    @property
    def sha256(self) -> str:
        """Of pixels, then labels: two sets with this equal hold the same images in the same order."""
        return sha256(self.pixels.tobytes() + self.labels.tobytes())


@dataclass(frozen=True)
class Splits:
    """The three disjoint sets that a model is trained, selected and reported on, and the names of their classes."""

    name: str
    train: Images
    validation: Images
    test: Images
    labels: tuple[str, ...] = DIGITS


def first_per_class(labels: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Positions of the first `count` images of each class: int64 [10 * count], class by class, in file order."""
    return np.concatenate([np.flatnonzero(labels == digit)[:count] for digit in range(10)])
