"""Two files on the same images: how far accuracy drops, and whether that is more than chance.

Images that both files read right, or both wrong, say nothing of a difference. So files are compared image by image,
and never by whether the intervals of their accuracies overlap.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.common.statistics import mcnemar_p, paired_interval

# Differences that chance explains at this level are called none.
SIGNIFICANCE = 0.05
RESAMPLES = 4000


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """What a second file loses against a first one.

    Attributes:
        points: Accuracy of the first minus that of the second, in percentage points; negative where the second gains.
        interval: 95 % score interval of that, see `paired_interval`.
        only_first: Images that only the first file reads right.
        only_second: Images that only the second file does.
        p: Exact McNemar p-value that both err equally often.
    """

    points: float
    interval: tuple[float, float]
    only_first: int
    only_second: int
    p: float

    @property
    def measurable(self) -> bool:
        """Whether there is more to it than chance explains."""
        return self.p <= SIGNIFICANCE


def measure_drop(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Drop:
    """Compare what two files read right of the same images.

    Args:
        first: Of each image, whether the file that is the reference reads it right, [N].
        second: The same of the other file.

    Raises:
        ValueError: They are not of the same images, or there are none.
    """
    if first.shape != second.shape or not first.size:
        raise ValueError(f"expected outcomes of the same images, got {first.shape} and {second.shape}.")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    low, high = paired_interval(only_first, only_second, len(first))
    return Drop(
        points=100 * (only_first - only_second) / len(first),
        interval=(100 * low, 100 * high),
        only_first=only_first,
        only_second=only_second,
        p=mcnemar_p(only_first, only_second),
    )


def bootstrap_mean(values: NDArray[np.floating], seed: int) -> tuple[float, float]:
    """95 % percentile interval of a mean, from resampling values [N].

    Values that never differ give an interval of no width: what did not happen in the sample cannot happen in a
    resample. Where few differ, it is too narrow.

    Source: B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993).
    """
    # As few values are different, how often each is drawn stands for drawing all of them.
    different, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), RESAMPLES)
    low, high = np.percentile(drawn @ different / len(values), (2.5, 97.5))
    return float(low), float(high)


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of tests that are asked together, so that any error among them is as rare as in one.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979).
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
