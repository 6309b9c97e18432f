"""The images of each epoch: all training images and fresh extras, shuffled, drawn while the epoch before trains."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..edge.bundle.contract import NUM_CLASSES
from ..edge.data.images import Images
from .augmentation.outliers import draw_extras
from .recipe import Recipe


@dataclass(frozen=True)
class EpochImages:
    """The images of an epoch: pixels, uint8 [N, 28, 28, 1], and targets, float32 [N, 11]; the last is "not a digit"."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.float32]

    def take(self, positions: NDArray[np.int64]) -> "EpochImages":
        """Return the images at these positions, in that order."""
        return EpochImages(self.pixels[positions], self.targets[positions])


def draw_epoch(train: Images, recipe: Recipe, epoch: int) -> EpochImages:
    """Draw the images of an epoch, counted from 0; they depend only on the recipe's seed and the epoch."""
    random = np.random.default_rng([recipe.seed, epoch])
    extras = draw_extras(train, recipe.count_extras(train), random)
    order = random.permutation(recipe.count_images(train))
    targets = np.eye(NUM_CLASSES + 1, dtype=np.float32)[np.concatenate([train.labels, extras.labels])[order]]
    return EpochImages(np.concatenate([train.pixels, extras.pixels])[order], targets)


class EpochFeed:
    """A thread that draws the next epoch while this one trains; on a GPU, drawing takes as long as training."""

    def __init__(self, draw: Callable[[int], EpochImages], epochs: int) -> None:
        self._draw, self._epochs = draw, epochs
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="extras")
        self._next: tuple[int, Future[EpochImages]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(cancel_futures=True)

    def get(self, epoch: int) -> EpochImages:
        """Return the images of this epoch, and start drawing the next one."""
        drawn = self._next[1] if self._next and self._next[0] == epoch else self._executor.submit(self._draw, epoch)
        images = drawn.result()
        following = epoch + 1
        self._next = (following, self._executor.submit(self._draw, following)) if following < self._epochs else None
        return images
