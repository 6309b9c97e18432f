"""Two files on the same images: how far accuracy drops, and whether that is more than chance.

Images that both files read correctly, or both wrongly, carry no information on a difference. So files are compared
image by image, and never by whether the intervals of their accuracies overlap.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...edge.common.statistics import mcnemar_p, paired_interval

# A difference with a p-value above this level counts as none: chance explains it.
SIGNIFICANCE = 0.05
RESAMPLES = 4000


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """The loss of a second file against a first one.

    Attributes:
        points: Accuracy of the first minus that of the second, in percentage points; negative where the second gains.
        interval: 95 % score interval of `points`, see `paired_interval`.
        only_first: Number of images that only the first file reads correctly.
        only_second: Number of images that only the second file reads correctly.
        p: Exact McNemar p-value of the hypothesis that both err equally often.
    """

    points: float
    interval: tuple[float, float]
    only_first: int
    only_second: int
    p: float

    @property
    def measurable(self) -> bool:
        """Whether the difference is more than chance explains."""
        return self.p <= SIGNIFICANCE


def measure_drop(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Drop:
    """Compare the correctly read images of two files.

    Args:
        first: Mask of the images that the reference file reads correctly, bool [N].
        second: Mask of the images that the other file reads correctly, bool [N], in the same order.

    Raises:
        ValueError: The masks differ in length, or are empty.
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
    """Compute the 95 % percentile interval of a mean, from resampling values [N].

    Equal values give an interval of width zero: what did not happen in the sample cannot happen in a resample. If few
    values differ, the interval is too narrow.

    Source: B. Efron, R. J. Tibshirani, "An introduction to the bootstrap" (1993).
    """
    # Few values are distinct, so counting how often each is drawn replaces drawing all of them: a millisecond for
    # 10,000 values, for which scipy.stats.bootstrap takes seconds.
    different, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), RESAMPLES)
    low, high = np.percentile(drawn @ different / len(values), (2.5, 97.5))
    return float(low), float(high)


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of tests that are made together, so that any error among them is as rare as in one.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979).
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
